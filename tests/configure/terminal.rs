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
