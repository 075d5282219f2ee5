//! The question at the end of a login: whether to add the helper to clients.

use super::*;
use crate::support::screen::dialog;

const QUESTION: &str = "Add the helper to ";
const DOCKER: &str = "home/.docker/config.json";
const PODMAN: &str = "home/.config/containers/auth.json";
const CONFIGURED: &str = r#"{"credHelpers": {"us.icr.io": "icr"}}"#;

/// Returns a machine on which docker was used.
fn env_with_docker(text: &str) -> Option<TestEnv> {
    let env = test_env()?;
    fs::create_dir_all(env.path("home/.docker")).expect("the test may change it");
    env.file(DOCKER, text);
    env.file("key", KEY);
    Some(env)
}

fn content(env: &TestEnv, name: &str) -> String {
    fs::read_to_string(env.path(name)).expect("the file exists")
}

/// Logs in, and answers the prompts. Returns all that follows the last one.
fn log_in_at_terminal(env: &TestEnv, arguments: &[&str], answers: &[(&str, &str)]) -> String {
    let arguments = [&["login", "--api-key", "@key"], arguments].concat();
    let mut session = dialog(env, &arguments);
    for (prompt, answer) in answers {
        session.exp_string(prompt).expect(prompt);
        session.send_line(answer).expect("the program reads input");
    }
    session.exp_eof().expect("an end")
}

#[test]
fn a_login_for_a_registry_is_added_to_the_clients() {
    let Some(mut env) = env_with_docker("{}") else {
        return;
    };
    // Its directory shows that podman is there.
    env.set("REGISTRY_AUTH_FILE", env.path(PODMAN));
    fs::create_dir_all(env.path("home/.config/containers")).expect("the test may change it");
    env.file(PODMAN, "{}");
    let answers = [("Add the helper to Docker and Podman? [Y/n] ", "")];
    let shown = log_in_at_terminal(&env, &["us.icr.io"], &answers);
    assert!(shown.contains("helper added for us.icr.io"), "{shown}");
    for file in [DOCKER, PODMAN] {
        assert!(
            content(&env, file).contains(r#""us.icr.io": "icr""#),
            "{file}"
        );
    }
    // It is there now.
    let shown = log_in_at_terminal(&env, &["us.icr.io"], &[]);
    assert!(!shown.contains(QUESTION), "{shown}");
    // For another registry, it is not.
    let answers = [("Add the helper to Docker and Podman? [Y/n] ", "n")];
    let shown = log_in_at_terminal(&env, &["de.icr.io"], &answers);
    assert!(
        shown.contains("run 'docker-credential-icr configure'"),
        "{shown}"
    );
    assert!(!content(&env, DOCKER).contains("de.icr.io"));
}

#[test]
fn a_login_for_all_registries_asks_for_the_registries() {
    let Some(env) = env_with_docker("{}") else {
        return;
    };
    let answers = [
        ("Add the helper to Docker? [Y/n] ", "y"),
        ("Registries [us.icr.io]:", "uk.icr.io de.icr.io"),
    ];
    let shown = log_in_at_terminal(&env, &[], &answers);
    assert!(
        shown.contains("helper added for uk.icr.io and de.icr.io"),
        "{shown}"
    );
    let shown = log_in_at_terminal(&env, &[], &[]);
    assert!(!shown.contains(QUESTION), "{shown}");
    assert!(env.run(&["configure", "--undo"], "").status == Some(0));
    assert_eq!(content(&env, DOCKER), "{}");
}

#[test]
fn the_registries_of_a_profile_are_known() {
    let Some(env) = env_with_docker("{}") else {
        return;
    };
    env.settings("[profile.work]\n[registry.\"au.icr.io\"]\nprofile = \"work\"\n");
    let answers = [("Add the helper to Docker? [Y/n] ", "")];
    log_in_at_terminal(&env, &["--profile", "work"], &answers);
    assert!(content(&env, DOCKER).contains("au.icr.io"));
}

#[test]
fn nothing_is_asked_where_no_answer_is_wanted() {
    for arguments in [
        &["--no-configure"][..],
        &["us.icr.io", "--no-configure"],
        &["--yes"],
        &["--json"],
    ] {
        let Some(env) = env_with_docker("{}") else {
            return;
        };
        let shown = log_in_at_terminal(&env, arguments, &[]);
        assert!(!shown.contains(QUESTION), "{arguments:?}: {shown}");
        assert_eq!(content(&env, DOCKER), "{}");
    }
}

#[test]
fn nothing_is_asked_in_a_pipe() {
    let Some(env) = env_with_docker("{}") else {
        return;
    };
    answer(
        &log_in(&env, KEY, &["us.icr.io"]),
        &["Logged in to us.icr.io"],
    );
    assert_eq!(content(&env, DOCKER), "{}");
}

#[test]
fn nothing_is_asked_without_a_client_or_where_the_helper_is_there() {
    for text in [CONFIGURED, r#"{"credsStore": "icr"}"#] {
        let Some(env) = env_with_docker(text) else {
            return;
        };
        let shown = log_in_at_terminal(&env, &["us.icr.io"], &[]);
        assert!(!shown.contains(QUESTION), "{shown}");
        assert_eq!(content(&env, DOCKER), text);
    }
    let Some(env) = test_env() else { return };
    env.file("key", KEY);
    let shown = log_in_at_terminal(&env, &[], &[]);
    assert!(!shown.contains(QUESTION), "{shown}");
}

#[test]
fn the_login_is_stored_if_the_helper_cannot_be_added() {
    let Some(env) = env_with_docker("not JSON") else {
        return;
    };
    let answers = [("[Y/n] ", "y")];
    let shown = log_in_at_terminal(&env, &["us.icr.io"], &answers);
    assert!(
        shown.contains("the login is stored, but the helper was not added"),
        "{shown}"
    );
    assert!(shown.contains("hint: Fix the file first"), "{shown}");
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
}
