//! The exit status, and `--quiet`.

use icr_emulator::Fault;
use icr_emulator::Subject;

use crate::answer;
use crate::env_with_logins;
use crate::json_of;
use crate::status;
use crate::support::Outcome;
use crate::support::TestEnv;

/// Asserts that nothing was written.
#[track_caller]
fn is_silent(outcome: &Outcome, status: i32) {
    let written = (outcome.status, &*outcome.stdout, &*outcome.stderr);
    assert_eq!(written, (Some(status), "", ""));
}

#[test]
fn a_named_registry_without_a_login_is_a_failure() {
    let env = TestEnv::new();
    let outcome = status(&env, &["us.icr.io"]);
    assert_eq!((outcome.status, &*outcome.stderr), (Some(1), ""));
    outcome.has(
        &outcome.stdout,
        &["us.icr.io", "not logged in", "docker-credential-icr login"],
    );
    let shown = json_of(&env, &["us.icr.io"]);
    assert_eq!(shown["registries"][0]["source"], serde_json::Value::Null);
    assert_eq!(status(&env, &["us.icr.io", "--json"]).status, Some(1));
    // Without a name, it is an overview.
    assert_eq!(status(&env, &[]).status, Some(0));
}

#[test]
fn one_of_several_registries_without_a_login_is_a_failure() {
    let Some(env) = env_with_logins() else { return };
    let outcome = status(&env, &["us.icr.io", "uk.icr.io"]);
    assert_eq!((outcome.status, &*outcome.stderr), (Some(1), ""));
    outcome.has(
        &outcome.stdout,
        &[
            "note: not logged in to uk.icr.io",
            "fix: docker-credential-icr login",
        ],
    );
    assert_eq!(status(&env, &["us.icr.io"]).status, Some(0));
    assert_eq!(status(&env, &[]).status, Some(0));
}

#[test]
fn quiet_says_with_the_exit_status_alone_whether_there_is_a_login() {
    let env = TestEnv::new();
    for arguments in [&["-q"][..], &["--quiet"], &["-q", "us.icr.io"]] {
        is_silent(&status(&env, arguments), 1);
    }
    let env = TestEnv::with_environment_key();
    for arguments in [&["-q"][..], &["-q", "us.icr.io"], &["us.icr.io", "--quiet"]] {
        is_silent(&status(&env, arguments), 0);
    }
    assert_eq!(env.cloud.requests().len(), 0);
}

#[test]
fn quiet_hides_problems_as_well() {
    let mut env = TestEnv::with_environment_key();
    env.set("IBMCLOUD_API_KEY", "@/does/not/exist");
    is_silent(&status(&env, &["-q"]), 1);
    env.settings("colour = \"red\"\n");
    is_silent(&status(&env, &["-q"]), 1);
    is_silent(&status(&env, &["-q", "ghcr.io"]), 1);
}

#[test]
fn quiet_with_a_check_asks_the_registry() {
    let mut env = TestEnv::new().with_registry();
    env.set_environment_key();
    let [registry, _] = env.registries();
    is_silent(&status(&env, &["-q", "--check", &registry]), 0);
    env.cloud.script([Fault::Status(400)]);
    is_silent(&status(&env, &["-q", "--check", &registry]), 1);
}

#[test]
fn quiet_and_an_answer_exclude_each_other() {
    let env = TestEnv::new();
    for other in ["--json", "--long"] {
        status(&env, &["-q", other]).is_usage_error(&["--quiet", other]);
    }
}

/// A real account has an ID of 32 characters, and an address may be long.
#[test]
fn the_table_fits_a_hundred_columns() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    let owner = "a-person-with-a-long-name.and-a-second-name.and-a-third-name";
    let account = "0123456789abcdef0123456789abcdef";
    env.add_secret("API-KEY-OF-A-LONG-NAME");
    let subject = Subject::user_of(owner, account);
    let accounts = env.cloud.accounts();
    accounts.add_api_key("API-KEY-OF-A-LONG-NAME", subject);
    env.store("us.icr.io", "iamapikey", "API-KEY-OF-A-LONG-NAME")
        .is_silent_success();
    env.get("us.icr.io").is_token_of();
    for file in ["home/.docker/config.json", crate::support::PODMAN] {
        let directory = env.path(file).parent().map(std::path::Path::to_owned);
        std::fs::create_dir_all(directory.expect("it has one")).expect("it is writable");
        env.file(file, r#"{"credHelpers": {"us.icr.io": "icr"}}"#);
    }
    let table = answer(&env, &[]);
    let longest = table.lines().map(|line| line.chars().count()).max();
    assert_eq!(longest, Some(100), "{table}");
    assert!(table.contains("docker, podman"), "{table}");
    let long = answer(&env, &["--long"]);
    assert!(long.contains(owner) && long.contains(account), "{long}");
    assert!(table.contains("  0123456789ab…  "), "{table}");
}
