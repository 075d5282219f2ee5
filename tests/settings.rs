//! Which settings apply, where they are set, and the errors for wrong ones.

mod support;

use std::path::Path;

use serde_json::Value;
use serde_json::json;

use support::Input;
use support::TestEnv;
#[cfg(unix)]
use support::set_mode;

const TWO_ACCOUNTS: &str = r#"
keychain = "kernel"
deadline = 30
registries = ["eu9.icr.io"]

[profile.team-a]
source = "login"
trusted-profile = "builders"
account = "1a2b"
credential = "iamrefresh"

[profile.team-b]
source = "credentials-file"
file = "~/team-b.env"
private-endpoints = true

[registry."https://US.icr.io/v2/"]
profile = "team-a"

[registry."us.icr.io/team"]
profile = "team-b"

[registry."de.icr.io"]
"#;

/// Creates an environment without variables for settings. Not for `get`, which would use the real user's keychain.
fn without_variables() -> TestEnv {
    let mut env = TestEnv::new();
    for name in [
        "ICR_BACKGROUND_REFRESH",
        "ICR_KEYCHAIN",
        "ICR_NAMESPACE",
        "IBMCLOUD_IAM_API_ENDPOINT",
    ] {
        env.unset(name);
    }
    env
}

#[track_caller]
fn answer(env: &TestEnv, arguments: &[&str]) -> String {
    let outcome = env.run(arguments, Input::Open);
    assert_eq!((outcome.status, &*outcome.stderr), (Some(0), ""));
    outcome.stdout
}

#[track_caller]
fn as_json(env: &TestEnv) -> Value {
    serde_json::from_str(&answer(env, &["settings", "--json"])).expect("one JSON value")
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Returns the value and the origin in the row of a key.
#[track_caller]
fn row<'a>(table: &'a str, key: &str) -> [&'a str; 2] {
    let cells = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = cells.into_iter().find(|cells| cells.first() == Some(&key));
    let row = row.unwrap_or_else(|| panic!("no row `{key}` in\n{table}"));
    [row[1], row.get(2).copied().unwrap_or_default()]
}

#[test]
fn every_value_is_shown_with_its_origin() {
    let mut env = without_variables();
    let file = text(&env.settings(TWO_ACCOUNTS));
    env.set("ICR_KEYCHAIN", "none")
        .set("ICR_PROFILE", "team-b")
        .set("ICR_SOURCE", "vpc")
        .set("ICR_BACKGROUND_REFRESH", "false")
        .set("ICR_SERVICE_ACCOUNT_PROFILE", "Profile-1")
        .set("IBMCLOUD_IAM_API_ENDPOINT", "https://iam.example.com");
    let table = answer(&env, &["settings"]);
    let home = text(&env.path("home/team-b.env"));
    for (key, value, origin) in [
        ("keychain", "none", "$ICR_KEYCHAIN"),
        ("namespace", "default", "default"),
        ("deadline", "30", &*file),
        ("connect-timeout", "5", "default"),
        ("attempt-timeout", "10", "default"),
        ("background-refresh", "false", "$ICR_BACKGROUND_REFRESH"),
        ("working-directory-credentials", "false", "default"),
        (
            "service-account-profile",
            "Profile-1",
            "$ICR_SERVICE_ACCOUNT_PROFILE",
        ),
        ("profile", "team-b", "$ICR_PROFILE"),
        ("source", "vpc", "$ICR_SOURCE"),
        (
            "iam-endpoint",
            "https://iam.example.com",
            "$IBMCLOUD_IAM_API_ENDPOINT",
        ),
        ("registries", "eu9.icr.io", &file),
        ("profile.team-a.source", "login", &file),
        ("profile.team-a.trusted-profile", "builders", &file),
        ("profile.team-a.account", "1a2b", &file),
        ("profile.team-a.credential", "iamrefresh", &file),
        ("profile.team-a.private-endpoints", "false", "default"),
        ("profile.team-b.credential", "iambearer", "default"),
        ("profile.team-b.private-endpoints", "true", &file),
        ("profile.team-b.file", &home, &file),
        ("registry.\"us.icr.io\".profile", "team-a", &file),
        ("registry.\"de.icr.io\".profile", "-", &file),
        ("registry.\"us.icr.io/team\".profile", "team-b", &file),
    ] {
        assert_eq!(row(&table, key), [value, origin], "{key}");
    }
    assert!(table.contains(&format!("{file}  ")), "{table}");
    let mut lines = table.lines();
    let column = lines.next().and_then(|header| header.find("SET IN"));
    let rows: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    for row in rows {
        let before = row.chars().nth(column.unwrap() - 1);
        assert_eq!(before, Some(' '), "not aligned: {row}");
        assert_eq!(row, row.trim_end());
    }
}

#[test]
fn json_contains_the_same_as_the_table() {
    let mut env = without_variables();
    let file = text(&env.settings(TWO_ACCOUNTS));
    env.set("ICR_NAMESPACE", "elsewhere");
    let from_file = json!({"kind": "file", "path": file});
    let from_default = json!({"kind": "default"});
    let shown = as_json(&env);
    let value = |key: &str| {
        (
            &shown["settings"][key]["value"],
            &shown["settings"][key]["origin"],
        )
    };
    assert_eq!(value("deadline"), (&json!(30), &from_file));
    assert_eq!(value("keychain"), (&json!("kernel"), &from_file));
    assert_eq!(value("profile"), (&Value::Null, &from_default));
    assert_eq!(value("background_refresh"), (&json!(true), &from_default));
    assert_eq!(
        value("namespace"),
        (
            &json!("elsewhere"),
            &json!({"kind": "variable", "name": "ICR_NAMESPACE"})
        )
    );
    assert_eq!(shown["settings"].as_object().unwrap().len(), 15);
    assert_eq!(
        shown["registries"],
        json!([{"host": "eu9.icr.io", "origin": from_file}])
    );
    assert_eq!(
        shown["profiles"],
        json!([
            {
                "name": "team-a", "source": "login", "trusted_profile": "builders", "account": "1a2b",
                "iam_endpoint": null, "private_endpoints": false, "credential": "iamrefresh",
                "file": null, "origin": from_file,
            },
            {
                "name": "team-b", "source": "credentials-file", "trusted_profile": null, "account": null,
                "iam_endpoint": null, "private_endpoints": true, "credential": "iambearer",
                "file": env.path("home/team-b.env"), "origin": from_file,
            },
        ])
    );
    assert_eq!(
        shown["registry_profiles"],
        json!([
            {"host": "de.icr.io", "namespace": null, "profile": null, "origin": from_file},
            {"host": "us.icr.io", "namespace": null, "profile": "team-a", "origin": from_file},
            {"host": "us.icr.io", "namespace": "team", "profile": "team-b", "origin": from_file},
        ])
    );
    let files = shown["files"].as_array().unwrap();
    assert_eq!(files.last(), Some(&json!({"path": file, "exists": true})));
    assert_eq!(shown.as_object().unwrap().len(), 5);
}

#[test]
fn without_settings_files_their_paths_are_shown() {
    let mut env = TestEnv::with_environment_key();
    let path = text(&env.path(support::SETTINGS));
    let shown = as_json(&env);
    let files = shown["files"].as_array().unwrap();
    assert_eq!(files.last(), Some(&json!({"path": path, "exists": false})));
    if cfg!(unix) {
        assert_eq!(files[0]["path"], "/etc/docker-credential-icr/config.toml");
    }
    assert!(answer(&env, &["settings"]).contains("not found"));
    let only = text(&env.file("only.toml", ""));
    env.settings("deadline = 5\n");
    env.set("ICR_CONFIG", &only);
    let shown = as_json(&env);
    assert_eq!(shown["files"], json!([{"path": only, "exists": true}]));
    assert_eq!(shown["settings"]["deadline"]["value"], 20);
}

#[cfg(target_os = "linux")]
#[test]
fn files_for_all_users_are_shown_and_a_broken_one_is_named() {
    let env = without_variables();
    if !support::create_own_etc(&env) {
        return;
    }
    let directory = "etc/docker-credential-icr/config.d";
    let run = |arguments: &[&str]| {
        let program = env!("CARGO_BIN_EXE_docker-credential-icr");
        let mut command = support::with_own_etc(&env, program);
        command.args(arguments);
        env.apply_to(&mut command);
        env.start_as(command, "us.icr.io").finish()
    };
    let write = |name: &str, text: &str| {
        let path = env.file(&format!("{directory}/{name}"), text);
        for path in path.ancestors().take(3) {
            set_mode(path, if path.is_dir() { 0o755 } else { 0o644 });
        }
    };
    write("10-a.toml", "deadline = 7\nattempt-timeout = 2\n");
    write("20-b.toml", "deadline = 8\n");
    for copy in [
        "30-c.toml.dpkg-old",
        "30-c.toml.rpmsave",
        "30-c.toml~",
        ".30-c.toml.swp",
        "#30-c.toml#",
        ".#30-c.toml",
    ] {
        write(copy, "deadline = ");
    }
    let table = run(&["settings"]).stdout;
    let path = |name: &str| format!("/{directory}/{name}");
    assert_eq!(row(&table, "deadline"), ["8", &path("20-b.toml")]);
    assert_eq!(row(&table, "attempt-timeout"), ["2", &path("10-a.toml")]);
    assert_eq!(row(&table, &path("10-a.toml"))[0], "read");
    let report = run(&["doctor"]).stdout;
    for name in ["10-a.toml", "20-b.toml"] {
        assert!(report.contains(&path(name)), "{report}");
    }
    write("30-c.toml", "\nnamespace = 5\n");
    let parts = [&*path("30-c.toml"), "line 2, column 13"];
    run(&["settings"]).is_user_error(&parts);
    run(&["get"]).is_client_error(&parts);
    set_mode(&env.path(&format!("{directory}/30-c.toml")), 0o666);
    run(&["get"]).is_client_error(&[&*path("30-c.toml"), "is refused"]);

    let link_to_nowhere = |name: &str| {
        std::os::unix::fs::symlink("/nowhere", env.path(name)).expect("the test may change it");
    };
    let file = format!("{directory}/30-c.toml");
    std::fs::remove_file(env.path(&file)).expect("our file");
    link_to_nowhere(&file);
    run(&["settings"]).is_user_error(&[&*path("30-c.toml"), "is a link to a missing file"]);
    std::fs::remove_dir_all(env.path(directory)).expect("our directory");
    link_to_nowhere(directory);
    run(&["settings"]).is_user_error(&["/config.d cannot be read", "It must be a directory"]);
}

#[test]
fn errors_of_commands_are_on_stderr_and_those_of_verbs_on_both_streams() {
    let env = TestEnv::with_environment_key();
    for (settings, parts) in [
        (
            "deadline = 5\nregistrys = []\n",
            &[
                "line 2, column 1",
                "\"registrys\"",
                "Did you mean",
                "registry",
            ][..],
        ),
        (
            "[profile.team-a]\n[registry.\"us.icr.io\"]\nprofile = \"teama\"\n",
            &["line 3, column 11", "Did you mean", "team-a"],
        ),
        (
            "[registry.\"us.icr.io\"]\n[registry.\"us.icr.io:443\"]\n",
            &["line 2, column 11", "us.icr.io:443"],
        ),
        (
            "background-refresh = \"yes\"\n",
            &["line 1, column 22", "string", "true or false"],
        ),
        ("a = 1\na = 2\n", &["line 2, column 1", "duplicate"]),
        ("a = \"\u{1b}[2J\n", &["line 1"]),
    ] {
        let file = text(&env.settings(settings));
        let parts = [&[&*file, "settings file"], parts].concat();
        env.get("us.icr.io").is_client_error(&parts);
        for arguments in [&["settings"][..], &["settings", "--json"]] {
            let outcome = env.run(arguments, Input::Open);
            outcome.is_user_error(&parts);
            assert!(!outcome.stderr.contains('\u{1b}'), "{outcome:?}");
        }
    }
}

#[test]
fn a_path_in_the_settings_cannot_be_relative_to_the_working_directory() {
    let env = TestEnv::new();
    env.file("credentials.env", "IBM_CREDENTIALS_APIKEY=x\n");
    for path in ["credentials.env", "./credentials.env", "../credentials.env"] {
        env.settings(&format!(
            "[profile.a]\nsource = \"credentials-file\"\nfile = \"{path}\"\n[registry.\"us.icr.io\"]\nprofile = \"a\"\n"
        ));
        env.get("us.icr.io")
            .is_client_error(&["line 3", "absolute or start with ~/"]);
    }
}

#[test]
fn an_invalid_variable_is_an_error() {
    for (name, value, parts) in [
        (
            "ICR_SOURCE",
            "cli",
            &["$ICR_SOURCE", "ibmcloud", "power-vs"][..],
        ),
        (
            "ICR_PROFILE",
            "team-aa",
            &["$ICR_PROFILE", "Did you mean", "team-a"],
        ),
        (
            "ICR_BACKGROUND_REFRESH",
            "1",
            &["$ICR_BACKGROUND_REFRESH", "true, false"],
        ),
        (
            "ICR_KEYCHAIN",
            "vault",
            &["$ICR_KEYCHAIN", "secret-service"],
        ),
    ] {
        let mut env = TestEnv::with_environment_key();
        env.settings(TWO_ACCOUNTS);
        env.set(name, value);
        env.get("us.icr.io").is_client_error(parts);
        env.run(&["settings"], Input::Open).is_user_error(parts);
        env.get("docker.io").is_not_found();
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_others_can_write_to_is_refused_until_it_is_fixed() {
    let env = TestEnv::with_environment_key();
    let file = env.settings("deadline = 5\n");
    let folder = file.parent().unwrap();
    for (path, mode) in [
        (&*file, 0o620),
        (&*file, 0o602),
        (folder, 0o770),
        (folder, 0o707),
    ] {
        // A group without other members may write; only root can change the group.
        let is_of_others = std::os::unix::fs::chown(path, None, Some(54_321)).is_ok();
        if mode & 0o020 != 0 && !is_of_others {
            continue;
        }
        let before = if path == folder { 0o700 } else { 0o600 };
        set_mode(path, mode);
        let path_shown = text(&path.canonicalize().unwrap());
        let parts = [
            &*text(&file),
            "is refused",
            &format!("(mode 0{mode:o})"),
            &format!("'chmod go-w {path_shown}'"),
        ];
        env.get("us.icr.io").is_client_error(&parts);
        env.run(&["settings"], Input::Open).is_user_error(&parts);
        set_mode(path, before);
        assert_eq!(as_json(&env)["settings"]["deadline"]["value"], 5);
    }
}

/// A user who can write to a directory can replace what is below it.
#[cfg(unix)]
#[test]
fn a_file_below_a_directory_that_others_can_write_to_is_refused() {
    let env = TestEnv::with_environment_key();
    env.settings("deadline = 5\n");
    let home = env.path("config");
    set_mode(&home, 0o777);
    let parts = ["is refused", "/config (mode 0777)", "chmod go-w"];
    env.get("us.icr.io").is_client_error(&parts);
    set_mode(&home, 0o1777);
    assert_eq!(as_json(&env)["settings"]["deadline"]["value"], 5);
}

/// Only root can change a file's owner.
#[cfg(unix)]
#[test]
fn a_file_of_another_user_is_refused() {
    let env = TestEnv::with_environment_key();
    let file = env.settings("deadline = 5\n");
    if std::os::unix::fs::chown(&file, Some(12345), None).is_err() {
        return;
    }
    let parts = ["is refused", "another user (number 12345)", "chown"];
    env.run(&["settings"], Input::Open).is_user_error(&parts);
}

#[cfg(unix)]
#[test]
fn a_link_is_followed_and_its_target_is_checked() {
    let env = TestEnv::with_environment_key();
    let file = env.settings("");
    let real = env.file("real.toml", "deadline = 7\n");
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(&real, &file).unwrap();
    assert_eq!(as_json(&env)["settings"]["deadline"]["value"], 7);
    set_mode(&real, 0o666);
    let outcome = env.run(&["settings"], Input::Open);
    outcome.is_user_error(&["config.toml", "real.toml", "chmod"]);
    std::fs::remove_file(&real).unwrap();
    let outcome = env.run(&["settings"], Input::Open);
    outcome.is_user_error(&["config.toml", "is a link to a missing file"]);
}

#[cfg(unix)]
#[test]
fn an_irregular_file_is_refused_without_waiting() {
    let mut env = TestEnv::with_environment_key();
    let pipe = env.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    for path in [&*pipe, Path::new("/dev/zero"), &env.path("home")] {
        env.set("ICR_CONFIG", path);
        let parts = [&*text(path), "not a regular file"];
        env.get("us.icr.io").is_client_error(&parts);
        env.run(&["settings"], Input::Open).is_user_error(&parts);
    }
}

#[test]
fn a_file_has_at_most_1_mib() {
    let env = TestEnv::with_environment_key();
    let filled = |length: usize| format!("# {}\ndeadline = 9", "x".repeat(length - 15));
    env.settings(&filled(1024 * 1024));
    assert_eq!(as_json(&env)["settings"]["deadline"]["value"], 9);
    env.settings(&filled(1024 * 1024 + 1));
    let outcome = env.run(&["settings"], Input::Open);
    outcome.is_user_error(&["config.toml", "larger than 1 MiB"]);
    std::fs::write(env.settings(""), b"\xff").unwrap();
    let outcome = env.run(&["settings"], Input::Open);
    outcome.is_user_error(&["config.toml", "UTF-8"]);
}

#[test]
fn a_profile_sets_the_iam_endpoint() {
    let mut env = TestEnv::with_environment_key();
    env.unset("IBMCLOUD_IAM_API_ENDPOINT");
    let cloud = env.cloud.url();
    env.settings(&format!(
        "profile.here.iam-endpoint = \"{cloud}\"\nregistry.\"us.icr.io\".profile = \"here\"\n"
    ));
    env.get("us.icr.io").is_credential("iambearer");
    assert_eq!(env.cloud.exchanges(), 1);
    env.set("ICR_PROFILE", "here");
    for host in ["de.icr.io", "stg.icr.io"] {
        env.get(host).is_credential("iambearer");
    }
    assert_eq!(env.cloud.exchanges(), 3, "no keychain, no cache");
}

#[test]
fn the_help_has_examples_and_unknown_arguments_are_rejected() {
    let env = TestEnv::with_environment_key();
    for help in ["--help", "-h"] {
        let text = answer(&env, &["settings", help]);
        for part in ["--json", "Examples:", "docker-credential-icr settings"] {
            assert!(text.contains(part), "`{part}` is missing in {text}");
        }
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{widest:?} columns: {text}");
    }
    for (arguments, parts) in [
        (&["settings", "--jso"][..], &["--jso", "--json"][..]),
        (&["settings", "us.icr.io"], &["us.icr.io", "Usage: "]),
    ] {
        env.run(arguments, Input::Open).is_usage_error(parts);
    }
    assert_eq!(env.cloud.exchanges(), 0);
}

#[test]
fn the_reason_for_an_invalid_namespace_is_named() {
    let mut env = TestEnv::new();
    for (namespace, reason) in [
        ("team a", "$ICR_NAMESPACE cannot contain a blank"),
        ("a/b", "$ICR_NAMESPACE cannot contain '/'"),
        ("caf\u{e9}", "$ICR_NAMESPACE cannot contain '\u{e9}'"),
        (
            "a\nb",
            "cannot contain a line end or another invisible character",
        ),
        (
            "a\u{202e}b",
            "cannot contain a line end or another invisible",
        ),
        (&"x".repeat(65), "$ICR_NAMESPACE cannot have 65 characters"),
    ] {
        env.set("ICR_NAMESPACE", namespace);
        let parts = [reason, "Use 1 to 64 letters, digits, '-', '_' or '.'"];
        env.run(&["status"], "").is_user_error(&parts);
        env.get("us.icr.io").is_client_error(&parts);
    }
}
