//! `configure --check`.

use super::*;

fn check(env: &TestEnv, arguments: &[&str]) -> Outcome {
    configure(env, &[arguments, &["--check"]].concat())
}

/// Asserts that this is not as asked, and that nothing was changed.
#[track_caller]
fn differs(env: &TestEnv, arguments: &[&str], lines: &[&str]) {
    let before = content(env, DOCKER);
    let outcome = check(env, arguments);
    let path = env.path(DOCKER);
    let lines = lines
        .iter()
        .map(|line| format!("docker: {}: {line}\n", path.display()));
    assert_eq!(
        (outcome.status, &*outcome.stdout),
        (Some(1), &*lines.collect::<String>()),
        "{outcome:?}"
    );
    outcome.has(
        &outcome.stderr,
        &["error: 1 file would change", "without --check"],
    );
    assert_eq!(content(env, DOCKER), before);
}

#[test]
fn the_exit_status_says_whether_all_is_as_asked() {
    let env = docker_env("{}");
    let arguments = ["docker", "--registry", "us.icr.io", "de.icr.io"];
    differs(
        &env,
        &arguments,
        &["helper missing for us.icr.io and de.icr.io"],
    );
    succeeds(
        &configure(&env, &["docker", "--registry", "us.icr.io"]),
        &[],
    );
    differs(&env, &arguments, &["helper missing for de.icr.io"]);
    succeeds(&configure(&env, &arguments), &[]);
    let outcome = check(&env, &arguments);
    let written = (outcome.status, &*outcome.stdout);
    assert_eq!(written, (Some(0), ""), "{outcome:?}");
    succeeds(&configure(&env, &["--undo"]), &[]);
    differs(
        &env,
        &arguments,
        &["helper missing for us.icr.io and de.icr.io"],
    );
}

#[test]
fn another_helper_is_not_as_asked() {
    let text = r#"{"credHelpers": {"us.icr.io": "pass"}}"#;
    let env = docker_env(text);
    let line = "helper 'pass' instead of this one for us.icr.io";
    for further in [&[][..], &["--force"]] {
        let arguments = [&["docker", "--registry", "us.icr.io"], further].concat();
        differs(&env, &arguments, &[line]);
    }
    let arguments = ["docker", "--registry", "us.icr.io", "de.icr.io"];
    differs(&env, &arguments, &["helper missing for de.icr.io", line]);
}

#[test]
fn a_password_is_not_as_asked_if_it_would_be_moved() {
    let env = TestEnv::new();
    let entry = entry(&env, "us.icr.io", KEY);
    let text = format!("{{\"auths\": {{{entry}}}, \"credHelpers\": {{\"us.icr.io\": \"icr\"}}}}");
    let env = with_docker(env, &text);
    let arguments = ["docker", "--registry", "us.icr.io"];
    let outcome = check(&env, &arguments);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    outcome.has(
        &outcome.stderr,
        &["warning: unencrypted passwords for us.icr.io"],
    );
    let migrating = [&arguments[..], &["--migrate"]].concat();
    differs(&env, &migrating, &["unencrypted password for us.icr.io"]);
}

#[test]
fn the_answer_can_be_json() {
    let env = docker_env("{}");
    let outcome = check(&env, &["docker", "--registry", "us.icr.io", "--json"]);
    let shown: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!(outcome.status, Some(1));
    assert_eq!(shown["dry_run"], true);
    assert_eq!(shown["files"][0]["changed"], true);
    assert_eq!(shown["files"][0]["added"], json!(["us.icr.io"]));
}

#[test]
fn a_check_changes_and_asks_nothing() {
    let env = docker_env("{}");
    check(&env, &[]).is_user_error(&["not a terminal", "--registry us.icr.io"]);
    for other in ["--undo", "--dry-run"] {
        check(&env, &[other]).is_usage_error(&["--check", other]);
    }
    env.file(DOCKER, "not JSON");
    let outcome = check(&env, &["docker", "--registry", "us.icr.io"]);
    outcome.is_user_error(&["config.json"]);
}
