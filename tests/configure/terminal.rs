//! Questions at a terminal.

use super::*;
use std::process::Command;
use std::process::Stdio;

use rexpect::session::PtySession;
use rexpect::session::spawn_command;

fn at_terminal(env: &TestEnv, arguments: &[&str]) -> PtySession {
    let program = env.command(&[]);
    let mut command = Command::new(program.get_program());
    command.arg("configure").args(arguments);
    env.apply_to(&mut command);
    command.env("TERM", "xterm").stdout(Stdio::inherit());
    spawn_command(command, Some(30_000)).expect("a terminal")
}

#[test]
fn a_person_is_asked_for_clients_registries_and_passwords() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    env.add_api_key(KEY, "me");
    env.store("de.icr.io", "iamapikey", KEY).is_silent_success();
    let text = format!("{{\"auths\": {{{}}}}}", entry(&env, "us.icr.io", KEY));
    let env = with_docker(env, &text);
    let mut session = at_terminal(&env, &[]);
    for (question, answer) in [
        ("Add the helper to docker (", ""),
        ("Registries [us.icr.io de.icr.io]:", ""),
        ("Move them to the keychain, after checking them? [Y/n]", "y"),
    ] {
        session.exp_string(question).expect(question);
        session.send_line(answer).expect("the program reads input");
    }
    session
        .exp_string("helper added for us.icr.io and de.icr.io")
        .expect("success");
    session.exp_eof().expect("the end");
    let expected =
        "{\"auths\": {}, \"credHelpers\": {\"us.icr.io\": \"icr\", \"de.icr.io\": \"icr\"}}";
    assert_eq!(content(&env, DOCKER), expected);
}

#[test]
fn declining_to_move_passwords_causes_a_warning() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    let text = format!("{{\"auths\": {{{}}}}}", entry(&env, "us.icr.io", KEY));
    let env = with_docker(env, &text);
    let mut session = at_terminal(&env, &["docker", "--registry", "us.icr.io"]);
    session.exp_string("[Y/n]").expect("a question");
    session.send_line("n").expect("the program reads input");
    for part in [
        "warning: unencrypted passwords for us.icr.io in ",
        "Clients with the helper no longer use them",
        "note: not logged in to us.icr.io. Run 'docker-credential-icr login'",
    ] {
        session.exp_string(part).expect(part);
    }
    session.exp_eof().expect("the end");
    assert!(content(&env, DOCKER).contains("auth\""));
}

#[test]
fn declining_to_replace_a_helper_changes_nothing() {
    let text = "{\"credHelpers\": {\"us.icr.io\": \"other\"}}";
    let env = docker_env(text);
    let mut session = at_terminal(&env, &["--registry", "us.icr.io"]);
    session
        .exp_string("Replace the helper 'other' for us.icr.io in ")
        .expect("a question");
    session.send_line("").expect("the program reads input");
    session
        .exp_string("Nothing was changed")
        .expect("a failure");
    session.exp_eof().expect("the end");
    assert_eq!(content(&env, DOCKER), text);
}

#[test]
fn a_check_at_a_terminal_asks_nothing() {
    let env = docker_env("{}");
    let mut session = at_terminal(&env, &["--check"]);
    let shown = session.exp_eof().expect("the end");
    assert!(shown.contains("--check asks nothing"), "{shown}");
}

/// It shows what the answers would change that the questions suggest.
#[test]
fn a_dry_run_at_a_terminal_asks_nothing() {
    let env = docker_env("{}");
    let mut session = at_terminal(&env, &["--dry-run"]);
    let shown = session.exp_eof().expect("the end");
    for part in [
        "note: showing the changes for us.icr.io. Without --dry-run, 'configure' asks",
        "\"us.icr.io\": \"icr\"",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    for question in ["[Y/n]", "Registries ["] {
        assert!(!shown.contains(question), "{question}: {shown}");
    }
    assert_eq!(content(&env, DOCKER), "{}");
    configure(&env, &["--dry-run"]).is_user_error(&["not a terminal"]);
}

#[test]
fn a_login_is_described_before_the_question_for_registries() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    env.add_api_key(KEY, "me");
    assert_eq!(env.run(&["login", "--api-key-stdin"], KEY).status, Some(0));
    env.store("cp.icr.io", "cp", KEY).is_silent_success();
    let env = with_docker(env, "{}");
    let mut session = at_terminal(&env, &["docker"]);
    for part in [
        "You are logged in to all registries with an API key",
        "You are logged in to cp.icr.io as cp",
        "Registries [",
    ] {
        session.exp_string(part).expect(part);
    }
    session
        .send_line("us.icr.io")
        .expect("the program reads input");
    session.exp_string("helper added").expect("success");
    session.exp_eof().expect("the end");
}

#[test]
fn a_diff_has_colors_at_a_terminal_unless_a_variable_forbids_them() {
    let diff = |variable: Option<(&str, &str)>| {
        let mut env = docker_env("{}");
        if let Some((name, value)) = variable {
            env.set(name, value);
        }
        let arguments = ["docker", "--registry", "us.icr.io", "--dry-run"];
        let mut session = at_terminal(&env, &arguments);
        session.exp_eof().expect("the end")
    };
    for variable in [None, Some(("CLICOLOR", "1")), Some(("NO_COLOR", ""))] {
        let shown = diff(variable);
        assert!(shown.contains("\u{1b}[32m+"), "{variable:?}: {shown:?}");
        assert!(shown.contains("\u{1b}[36m@@"), "{variable:?}: {shown:?}");
    }
    for variable in [("CLICOLOR", "0"), ("NO_COLOR", "1"), ("NO_COLOR", "0")] {
        let shown = diff(Some(variable));
        assert!(!shown.contains('\u{1b}'), "{variable:?}: {shown:?}");
        assert!(shown.contains("+"), "{shown:?}");
    }
    let mut env = docker_env("{}");
    env.set("CLICOLOR_FORCE", "1");
    let arguments = ["docker", "--registry", "us.icr.io", "--dry-run"];
    let piped = configure(&env, &arguments).stdout;
    assert!(!piped.contains('\u{1b}'), "only at a terminal: {piped:?}");
}
