//! Each key that a command prints with `--json` is in its table in `docs/json.md`, and each key of the table is printed.

mod support;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use icr_emulator::Subject;
use serde_json::Value;
use serde_json::json;

use support::TestEnv;

const KEY: &str = "API-KEY-OF-A-PERSON";
const REVOKED_KEY: &str = "API-KEY-THAT-IS-REVOKED";
const SESSION: &str = "REFRESH-TOKEN-OF-THE-CLI";
const ENDED_SESSION: &str = "REFRESH-TOKEN-OF-A-SESSION-THAT-ENDED";

/// The commands in the order in which they run on one machine, each with the title of its table, its arguments and its
/// input. The keys of all runs with the same title belong to one table.
/// `REGISTRY` in arguments is the host of a registry on loopback.
const RUNS: [(&str, &[&str], &str); 14] = [
    ("version --json", &["version", "--json"], ""),
    ("settings --json", &["settings", "--json"], ""),
    ("status --json", &["status", "--json"], ""),
    (
        "configure --json",
        &[
            "configure",
            "podman",
            "--registry",
            "us.icr.io",
            "--dry-run",
            "--json",
        ],
        "",
    ),
    ("doctor --json", &["doctor", "--json"], ""),
    ("whoami --json", &["whoami", "--json"], ""),
    (
        "print --format json",
        &["print", "us.icr.io", "--format", "json"],
        "",
    ),
    (
        "login --json",
        &["login", "--profile", "empty", "--api-key-stdin", "--json"],
        KEY,
    ),
    (
        "login --json",
        &[
            "login",
            "REGISTRY",
            "--from-ibmcloud",
            "--create-api-key",
            "--json",
        ],
        "",
    ),
    (
        "token add --json",
        &["token", "add", "--registry", "REGISTRY", "--json"],
        "",
    ),
    (
        "token list --json",
        &["token", "list", "--registry", "REGISTRY", "--json"],
        "",
    ),
    ("logout --json", &["logout", "REGISTRY", "--json"], ""),
    ("logout --json", &["logout", "REGISTRY", "--json"], ""),
    (
        "logout --json",
        &["logout", "--profile", "empty", "--json"],
        "",
    ),
];

/// A machine on which `status` has problems, warnings and notes, and each kind of origin is in `settings`.
fn test_env() -> Option<TestEnv> {
    let mut env = TestEnv::with_keychain()?.with_registry();
    // No requests leave this machine.
    env.set("HTTPS_PROXY", "http://127.0.0.1:1")
        .set("NO_PROXY", "localhost,127.0.0.1");
    let [registry, _] = env.registries();
    env.settings(&format!(
        "registries = [\"{registry}\"]\n[profile.empty]\nsource = \"login\"\n[registry.\"jp.icr.io\"]\nprofile = \"empty\"\n",
    ));
    let accounts = env.cloud.accounts();
    accounts.add_refresh_token(SESSION, Subject::user("person"));
    accounts.set_refresh_rotation(false);
    env.add_secret(SESSION);
    let session = json!({"IAMEndpoint": env.cloud.url(), "IAMRefreshToken": SESSION});
    env.cli_session(&session);
    for secret in [KEY, REVOKED_KEY] {
        env.add_secret(secret);
        env.add_api_key(secret, "person");
    }
    env.store("us.icr.io", "iamapikey", KEY).is_silent_success();
    env.get("us.icr.io").is_token_of();
    env.store("de.icr.io", "iamapikey", REVOKED_KEY)
        .is_silent_success();
    let accounts = env.cloud.accounts();
    accounts.revoke_api_key(REVOKED_KEY);
    accounts.add_refresh_token(ENDED_SESSION, Subject::user("person"));
    env.add_secret(ENDED_SESSION);
    env.store("uk.icr.io", "iamrefresh", ENDED_SESSION)
        .is_silent_success();
    accounts.invalidate_session(ENDED_SESSION);
    for host in ["de.icr.io", "uk.icr.io"] {
        env.get(host).is_client_error(&["IAM rejected"]);
    }
    fs::create_dir_all(env.path("home/.docker")).expect("the directory is writable");
    env.file("home/.docker/config.json", "not JSON");
    Some(env)
}

/// Adds the path of each key below a value: `registries[].token.age`.
fn add_keys(value: &Value, path: &str, keys: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                let is_noun = key.chars().all(|it| it.is_ascii_lowercase() || it == '_');
                assert!(is_noun, "{key} is not in snake_case");
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                add_keys(member, &path, keys);
                keys.insert(path);
            }
        }
        Value::Array(items) => {
            for item in items {
                add_keys(item, &format!("{path}[]"), keys);
            }
        }
        _ => {}
    }
}

/// Returns the keys in the table below this title in `docs/json.md`.
fn documented_keys(title: &str) -> BTreeSet<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json.md");
    let page = fs::read_to_string(page).expect("the page");
    let heading = format!("\n### `{title}`\n");
    let (_, section) = page
        .split_once(&heading)
        .unwrap_or_else(|| panic!("docs/json.md has no section '{title}'"));
    let lines = section.lines().take_while(|line| !line.starts_with('#'));
    let keys = lines.filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    keys.map(|(key, _)| key.to_owned()).collect()
}

/// Returns whether a documented key, in which `*` stands for any text, is this one.
fn matches(documented: &str, key: &str) -> bool {
    match documented.split_once('*') {
        None => documented == key,
        Some((start, end)) => {
            key.len() >= start.len() + end.len() && key.starts_with(start) && key.ends_with(end)
        }
    }
}

#[test]
fn the_keys_of_each_answer_are_documented() {
    let Some(env) = test_env() else { return };
    let [registry, _] = env.registries();
    let mut printed: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (title, arguments, input) in RUNS {
        let arguments = arguments.iter().map(|argument| match *argument {
            "REGISTRY" => &registry,
            other => other,
        });
        let outcome = env.run(&arguments.collect::<Vec<_>>(), input);
        let answer = serde_json::from_str(&outcome.stdout);
        let answer = answer.unwrap_or_else(|error| panic!("{error}: {outcome:?}"));
        add_keys(&answer, "", printed.entry(title).or_default());
    }
    for (title, keys) in printed {
        let documented = documented_keys(title);
        let is_documented = |key: &&String| documented.iter().any(|it| matches(it, key));
        let undocumented: Vec<&String> = keys.iter().filter(|it| !is_documented(it)).collect();
        assert!(undocumented.is_empty(), "{title} prints {undocumented:?}");
        let is_printed = |it: &&String| keys.iter().any(|key| matches(it, key));
        let missing: Vec<&String> = documented.iter().filter(|it| !is_printed(it)).collect();
        assert!(missing.is_empty(), "{title} does not print {missing:?}");
    }
}
