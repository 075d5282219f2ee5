//! What each command prints in a pipe, at a narrow and a wide terminal, and with `NO_COLOR`.
//!
//! The expected output is in `screens/`; `UPDATE_EXPECT=1 cargo test --test screens` updates it.
#![cfg(target_os = "linux")]

#[path = "screens/setup.rs"]
mod setup;
mod support;

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use icr_emulator::Authority;
use icr_emulator::Fault;
use icr_emulator::Service;
use serde_json::json;

use setup::NO_INPUT;
use setup::Setup;
use setup::compare;
use support::ENVIRONMENT_KEY;
use support::Screen;
use support::TestEnv;

const KEY: &str = "SCREEN-API-KEY-64d2";
const WRONG_KEY: &str = "SCREEN-API-KEY-THAT-IS-UNKNOWN-9b1c";

/// A machine without files and logins.
fn empty() -> Option<Setup> {
    Some(Setup::of(TestEnv::new()))
}

#[test]
fn help_of_each_command() {
    compare(
        "help",
        empty,
        &[
            ("--help", NO_INPUT),
            ("configure --help", NO_INPUT),
            ("doctor --help", NO_INPUT),
            ("login --help", NO_INPUT),
            ("login -h", NO_INPUT),
            ("logout --help", NO_INPUT),
            ("print --help", NO_INPUT),
            ("settings --help", NO_INPUT),
            ("status --help", NO_INPUT),
            ("whoami --help", NO_INPUT),
            ("keychain --help", NO_INPUT),
            ("keychain move --help", NO_INPUT),
            ("completions --help", NO_INPUT),
            ("token --help", NO_INPUT),
            ("token add --help", NO_INPUT),
            ("token get --help", NO_INPUT),
            ("token list --help", NO_INPUT),
            ("token rm --help", NO_INPUT),
            ("version --help", NO_INPUT),
        ],
    );
}

#[test]
fn wrong_arguments() {
    compare(
        "arguments",
        empty,
        &[
            ("", NO_INPUT),
            ("nonsense", NO_INPUT),
            ("-V", NO_INPUT),
            ("get a b", NO_INPUT),
            ("get us.icr.io", NO_INPUT),
            ("get ghcr.io", NO_INPUT),
            ("configure kubernetes", NO_INPUT),
            ("configure --undo --all", NO_INPUT),
            ("configure --registry ghcr.io", NO_INPUT),
            ("doctor --reprot file", NO_INPUT),
            ("keychain", NO_INPUT),
            ("keychain move --to vault", NO_INPUT),
            ("keychain move --to pass --from pass", NO_INPUT),
            ("keychain move --to kernel --dry-run", NO_INPUT),
            ("login --sso --web", NO_INPUT),
            ("login --create-api-key", NO_INPUT),
            ("login --expires 30", NO_INPUT),
            ("login --sso --expires never", NO_INPUT),
            ("login --profile unknown", NO_INPUT),
            ("logout --all us.icr.io", NO_INPUT),
            ("print", NO_INPUT),
            ("print us.icr.io --format xml", NO_INPUT),
            ("print us.icr.io --name NAME", NO_INPUT),
            ("settings now", NO_INPUT),
            ("status ghcr.io", NO_INPUT),
            ("completions", NO_INPUT),
            ("completions tcsh", NO_INPUT),
            ("token", NO_INPUT),
            ("token add", NO_INPUT),
            ("token rm --registry us.icr.io", NO_INPUT),
        ],
    );
}

/// A machine with a keychain, an API key, and a session of the IBM Cloud CLI.
fn with_api_key() -> Option<Setup> {
    let mut env = TestEnv::with_keychain()?;
    env.add_api_key(KEY, "me");
    env.file("key", KEY);
    env.file("wrong-key", WRONG_KEY);
    env.add_secret(WRONG_KEY);
    env.set("ICR_SOURCE", "login");
    env.add_refresh_token("SCREEN-REFRESH-TOKEN", "me");
    env.cloud.accounts().set_refresh_rotation(false);
    fs::create_dir_all(env.path("home/.ibmcloud")).expect("the directory is writable");
    let session = json!({"IAMToken": "", "IAMRefreshToken": "SCREEN-REFRESH-TOKEN"});
    env.file("home/.ibmcloud/config.json", &session.to_string());
    Some(Setup::of(env))
}

#[test]
fn login_and_logout() {
    compare(
        "login",
        with_api_key,
        &[
            ("login", &[("API key: ", KEY)]),
            ("login us.icr.io de.icr.io --api-key @key", NO_INPUT),
            ("login --api-key @wrong-key", NO_INPUT),
            ("login --api-key @missing", NO_INPUT),
            ("login SCREEN-KEY", NO_INPUT),
            ("login cp.icr.io --api-key @key", NO_INPUT),
            ("login uk.icr.io --from-ibmcloud", &[("[Y/n] ", "n")]),
            ("login au.icr.io --from-ibmcloud --create-api-key", NO_INPUT),
            ("login --rotate au.icr.io", NO_INPUT),
            ("login --rotate us.icr.io", NO_INPUT),
            ("login --json --api-key @key", NO_INPUT),
            ("logout us.icr.io", NO_INPUT),
            ("logout us.icr.io", NO_INPUT),
            ("logout --revoke au.icr.io", &[("[y/N] ", "n")]),
            ("logout --revoke --yes au.icr.io", NO_INPUT),
            ("logout --all", NO_INPUT),
            ("logout --json", NO_INPUT),
        ],
    );
}

#[test]
fn status_without_logins() {
    compare(
        "status-without-logins",
        empty,
        &[
            ("status", NO_INPUT),
            ("status us.icr.io", NO_INPUT),
            ("whoami", NO_INPUT),
        ],
    );
}

/// A profile with a login, and one without credentials.
const PROFILES: &str = r#"
[profile.team-b]
source = "login"
[profile.broken]
source = "credentials-file"
file = "/does/not/exist"
[registry."de.icr.io"]
profile = "team-b"
[registry."jp.icr.io"]
profile = "broken"
"#;

/// A machine with several logins, one of them for a profile, a configured client, and a registry without a login.
fn with_logins() -> Option<Setup> {
    let setup = with_api_key()?;
    let env = &setup.env;
    let log_in = |arguments: &[&str]| {
        let login = [&["login", "--api-key", "@key"], arguments].concat();
        let outcome = env.run(&login, "");
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
    };
    log_in(&["us.icr.io"]);
    env.get("us.icr.io").is_token_of();
    let outcome = env.store("cp.icr.io", "cp", "ENTITLEMENT-KEY");
    outcome.is_silent_success();
    env.settings(PROFILES);
    log_in(&["--profile", "team-b"]);
    // In minutes, the age of a token remains the same for a minute.
    env.keys().age_tokens(600);
    fs::create_dir_all(env.path("home/.docker")).expect("the directory is writable");
    let docker = r#"{"credHelpers": {"us.icr.io": "icr", "uk.icr.io": "icr", "gcr.io": "gcloud"}}"#;
    env.file("home/.docker/config.json", docker);
    Some(setup)
}

#[test]
fn status_with_logins() {
    compare(
        "status",
        with_logins,
        &[
            ("status", NO_INPUT),
            ("status us.icr.io", NO_INPUT),
            ("status us.icr.io --long", NO_INPUT),
            ("status us.icr.io uk.icr.io", NO_INPUT),
            ("status us.icr.io --json", NO_INPUT),
            ("status --quiet", NO_INPUT),
            ("whoami", NO_INPUT),
            ("whoami us.icr.io --json", NO_INPUT),
        ],
    );
}

#[test]
fn settings() {
    let chosen = || {
        let mut setup = empty()?;
        setup.env.settings(PROFILES);
        setup
            .env
            .set("ICR_PROFILE", "team-b")
            .set("ICR_NAMESPACE", "screens");
        Some(setup)
    };
    compare(
        "settings",
        chosen,
        &[("settings", NO_INPUT), ("settings --json", NO_INPUT)],
    );
    let wrong = || {
        let setup = empty()?;
        setup
            .env
            .settings("keychain = \"kernel\"\ncolour = \"red\"\n");
        Some(setup)
    };
    compare(
        "settings-that-are-wrong",
        wrong,
        &[
            ("settings", NO_INPUT),
            ("status", NO_INPUT),
            ("login", NO_INPUT),
        ],
    );
}

#[test]
fn status_with_a_check() {
    let setup = || Some(Setup::with_registry(TestEnv::new()));
    compare(
        "status-checked",
        setup,
        &[("status localhost:55555 --check", NO_INPUT)],
    );
    let rejected = || {
        let setup = setup()?;
        // IAM accepts the key, but the registry rejects the token.
        setup.env.cloud.accounts().set_token_lifetime(0);
        Some(setup)
    };
    compare(
        "status-rejected",
        rejected,
        &[("status localhost:55555 --check", NO_INPUT)],
    );
}

#[test]
fn registry_tokens() {
    let ended = || {
        let setup = Setup::with_registry(TestEnv::new());
        let add = ("token add --registry localhost:55555 --quiet", NO_INPUT);
        setup.run(Screen::Pipe, &[add]);
        let accounts = setup.env.cloud.accounts();
        let id = accounts.registry_tokens().first()?.id.clone();
        accounts.expire_registry_token(&id);
        Some(setup)
    };
    compare(
        "token",
        ended,
        &[
            (
                "token add --registry localhost:55555 --description ci --reveal",
                NO_INPUT,
            ),
            (
                "token add --registry localhost:55555 --readwrite --non-expiring --login",
                NO_INPUT,
            ),
            (
                "token add --registry localhost:55555 --readwrite --non-expiring --json --reveal",
                NO_INPUT,
            ),
            ("token list --registry localhost:55555", NO_INPUT),
            ("token list --registry localhost:55555 --json", NO_INPUT),
            (
                "token get --registry localhost:55555 no-such-token",
                NO_INPUT,
            ),
            (
                "token rm --registry localhost:55555 no-such-token ../users",
                NO_INPUT,
            ),
            ("token list --registry ghcr.io", NO_INPUT),
        ],
    );
    let logged_in = || {
        let mut setup = Setup::with_registry(TestEnv::with_keychain()?);
        setup.env.unset("IBMCLOUD_API_KEY");
        let host = setup.registry.as_ref()?;
        let outcome = setup.env.store(host, "iamapikey", ENVIRONMENT_KEY);
        outcome.is_silent_success();
        Some(setup)
    };
    compare(
        "token-as-a-login",
        logged_in,
        &[
            (
                "token add --registry localhost:55555 --login",
                &[("Continue? [y/N] ", "n")],
            ),
            (
                "token add --registry localhost:55555 --login --force",
                NO_INPUT,
            ),
            ("token list --registry localhost:55555", NO_INPUT),
        ],
    );
    let none = || {
        let setup = Setup::with_registry(TestEnv::new());
        setup.env.cloud.script_for(
            Service::RegistryTokens,
            [Fault::Delay(std::time::Duration::ZERO), Fault::Status(410)],
        );
        Some(setup)
    };
    compare(
        "token-without-support",
        none,
        &[
            ("token list --registry localhost:55555", NO_INPUT),
            ("token list --registry localhost:55555", NO_INPUT),
        ],
    );
}

/// A machine with a plaintext password and another helper in docker's file.
fn with_docker() -> Option<Setup> {
    let setup = with_api_key()?;
    let auth = STANDARD.encode(format!("iamapikey:{KEY}"));
    setup.env.add_secret(&auth);
    fs::create_dir_all(setup.env.path("home/.docker")).expect("the directory is writable");
    let text = format!(
        "{{\n\t\"auths\": {{\n\t\t\"us.icr.io\": {{\n\t\t\t\"auth\": \"{auth}\"\n\t\t}}\n\t}},\n\t\"credHelpers\": {{\n\t\t\"uk.icr.io\": \"pass\"\n\t}}\n}}\n"
    );
    setup.env.file("home/.docker/config.json", &text);
    Some(setup)
}

#[test]
fn configure_and_undo() {
    compare(
        "configure",
        with_docker,
        &[
            ("configure --all --dry-run --force", NO_INPUT),
            (
                "configure docker --registry us.icr.io uk.icr.io",
                &[("config.json? [y/N] ", "n")],
            ),
            (
                "configure docker",
                &[("Registries [us.icr.io]: ", ""), ("[Y/n] ", "y")],
            ),
            (
                "configure docker --registry us.icr.io uk.icr.io --migrate --check",
                NO_INPUT,
            ),
            ("configure docker --registry us.icr.io --migrate", NO_INPUT),
            ("configure docker --registry us.icr.io --check", NO_INPUT),
            ("configure docker --registry us.icr.io", NO_INPUT),
            ("configure podman --registry us.icr.io", NO_INPUT),
            ("configure --undo --dry-run", NO_INPUT),
            ("configure --undo", NO_INPUT),
            ("configure --undo", NO_INPUT),
            ("configure docker --registry us.icr.io --json", NO_INPUT),
        ],
    );
    let manual = || {
        let setup = empty()?;
        let by_hand = "{\"credHelpers\": {\"uk.icr.io\": \"icr\"}}\n";
        setup.env.file("home/.docker/config.json", by_hand);
        Some(setup)
    };
    compare(
        "configure-with-a-manual-entry",
        manual,
        &[
            ("configure --registry us.icr.io docker", NO_INPUT),
            ("configure docker --registry us.icr.io cp.icr.io", NO_INPUT),
            ("configure --undo", NO_INPUT),
        ],
    );
    let broken = || {
        let setup = with_docker()?;
        let text = "{\n  // a comment\n  \"auths\": {}\n}\n";
        setup.env.file("home/.docker/config.json", text);
        Some(setup)
    };
    compare(
        "configure-a-broken-file",
        broken,
        &[("configure docker --registry us.icr.io", NO_INPUT)],
    );
    let ambiguous = || {
        let setup = empty()?;
        let text = "{\"auths\": {}, \"auths\": {}}\n";
        setup.env.file("home/.docker/config.json", text);
        Some(setup)
    };
    compare(
        "configure-an-ambiguous-file",
        ambiguous,
        &[
            ("configure docker --registry us.icr.io", NO_INPUT),
            ("status", NO_INPUT),
        ],
    );
}

#[test]
fn print() {
    let with_registry = || {
        let mut setup = Setup::with_registry(TestEnv::new());
        setup.env.secrets().clear();
        setup.env.set("ICR_SOURCE", "environment");
        Some(setup)
    };
    compare(
        "print",
        with_registry,
        &[
            ("print localhost:55555", NO_INPUT),
            ("print localhost:55555 --reveal", NO_INPUT),
            ("print ghcr.io --reveal", NO_INPUT),
            (
                "print localhost:55555 --reveal --credential token --format json",
                NO_INPUT,
            ),
            (
                "print localhost:55555 --reveal --credential password",
                NO_INPUT,
            ),
        ],
    );
    compare(
        "print-without-logins",
        empty,
        &[("print us.icr.io --reveal", NO_INPUT)],
    );
}

#[test]
fn doctor_with_problems() {
    let with_problems = || {
        let mut setup = with_docker()?;
        let bin = setup.env.path("bin");
        fs::create_dir(&bin).expect("the directory is writable");
        let program = env!("CARGO_BIN_EXE_docker-credential-icr");
        std::os::unix::fs::symlink(program, bin.join("docker-credential-icr"))
            .expect("the directory is writable");
        setup.env.add_secret("password-of-proxy");
        // The number of the system's authorities varies.
        let authorities = setup.env.path("authorities");
        Authority::create(&authorities).expect("a directory");
        setup
            .env
            .set("PATH", bin)
            .set("SSL_CERT_DIR", authorities)
            .set("HTTPS_PROXY", "http://user:password-of-proxy@127.0.0.1:1")
            // Measured times vary.
            .set("ICR_KEYCHAIN", "none")
            .set("IBMCLOUD_IAM_API_ENDPOINT", "http://127.0.0.1:1");
        Some(setup)
    };
    compare("doctor", with_problems, &[("doctor", NO_INPUT)]);
}
