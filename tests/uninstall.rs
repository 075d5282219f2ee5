//! `install.sh --uninstall` and `get.sh --uninstall`: what they ask, and what they remove from clients' files. The first runs the
//! second. `tests/install` and `tests/get` test the rest.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use rexpect::session::PtySession;
use rexpect::session::spawn_command;

use support::Input;
use support::Outcome;
use support::TestEnv;
use support::copy_executable;
use support::write_executable;

const DOCKER: &str = "home/.docker/config.json";
const BEFORE: &str = "{\n\t\"auths\": {}\n}\n";
const QUESTION: &str =
    "Remove the helper from your clients' files ('docker-credential-icr configure --undo')? [Y/n] ";

const LOGINS: &str =
    "Delete your logins from the keychain ('docker-credential-icr logout --all')? [Y/n] ";
const KEY: &str = "A-KEY-OF-A-PERSON-71c0";

/// A machine with the installed program, which docker uses.
fn env_with_program() -> TestEnv {
    with_program(TestEnv::new())
}

fn with_program(env: TestEnv) -> TestEnv {
    for directory in ["home/.docker", "prefix/bin"] {
        fs::create_dir_all(env.path(directory)).expect("the directory is writable");
    }
    copy_executable(env!("CARGO_BIN_EXE_docker-credential-icr"), &program(&env));
    env.file(DOCKER, BEFORE);
    let configure = ["configure", "docker", "--registry", "us.icr.io"];
    let outcome = env.run(&configure, Input::Open);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    env
}

fn program(env: &TestEnv) -> PathBuf {
    env.path("prefix/bin/docker-credential-icr")
}

fn installer(env: &TestEnv, arguments: &[&str]) -> Command {
    let mut command = Command::new("/bin/bash");
    env.apply_to(&mut command);
    command
        .arg(script("install.sh"))
        .arg("--prefix")
        .arg(env.path("prefix"))
        .args(arguments)
        .env("PATH", "/usr/bin:/bin");
    command
}

/// Returns the shell that reads get.sh from a pipe, as people install with it.
fn piped_installer(env: &TestEnv, arguments: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    env.apply_to(&mut command);
    let line = format!(
        "cat '{}' | sh -s -- --prefix '{}' {arguments}",
        script("get.sh").display(),
        env.path("prefix").display(),
    );
    command.args(["-c", &line]).env("PATH", "/usr/bin:/bin");
    command
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("install")
        .join(name)
}

fn in_a_pipe(env: &TestEnv, arguments: &[&str]) -> Outcome {
    env.start_as(installer(env, arguments), Input::Bytes(b""))
        .finish()
}

fn at_a_terminal(env: &TestEnv, arguments: &[&str]) -> PtySession {
    started_at_a_terminal(installer(env, arguments))
}

fn started_at_a_terminal(mut command: Command) -> PtySession {
    command.stdout(std::process::Stdio::inherit());
    spawn_command(command, Some(30_000)).expect("a terminal")
}

/// Asserts whether the program and its entry in docker's file are there.
#[track_caller]
fn has(env: &TestEnv, is_program_there: bool, is_helper_there: bool) {
    assert_eq!(program(env).exists(), is_program_there);
    let docker = fs::read_to_string(env.path(DOCKER)).expect("the file exists");
    assert_eq!(docker != BEFORE, is_helper_there, "{docker}");
}

#[test]
fn a_person_is_asked_before_the_helper_is_removed_from_clients_files() {
    for (answers, remains) in [
        (&[""][..], false),
        (&["what", "yes"], false),
        (&["n"], true),
    ] {
        let env = env_with_program();
        let mut session = at_a_terminal(&env, &["--uninstall"]);
        for answer in answers {
            session.exp_string(QUESTION).expect("a question");
            session.send_line(answer).expect("it reads input");
        }
        let shown = session.exp_eof().expect("an end");
        assert!(shown.contains("Removed "), "{shown}");
        assert_eq!(
            shown.contains("helper removed for us.icr.io"),
            !remains,
            "{shown}"
        );
        assert_eq!(shown.contains("Warning: clients"), remains, "{shown}");
        has(&env, false, remains);
    }
}

#[test]
fn without_a_terminal_it_removes_nothing_unless_the_answer_is_given() {
    let env = env_with_program();
    let outcome = in_a_pipe(&env, &["--uninstall"]);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    outcome.has(&outcome.stderr, &["add --yes", "was not removed"]);
    has(&env, true, true);
    let outcome = in_a_pipe(&env, &["--uninstall", "--yes"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    outcome.has(
        &outcome.stdout,
        &["helper removed for us.icr.io", "Removed "],
    );
    has(&env, false, false);
}

#[test]
fn nothing_is_asked_if_no_client_uses_the_program() {
    let env = env_with_program();
    let outcome = env.run(&["configure", "--undo"], Input::Open);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    // An entry that `configure` did not add has to be removed by hand.
    env.file(DOCKER, r#"{"credHelpers": {"de.icr.io": "icr"}}"#);
    let outcome = in_a_pipe(&env, &["--uninstall"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert_eq!(
        outcome
            .stderr
            .matches("still has the helper for de.icr.io")
            .count(),
        1
    );
    has(&env, false, true);
    let outcome = in_a_pipe(&env, &["--uninstall"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    outcome.has(&outcome.stdout, &["nothing to remove"]);
}

#[test]
fn the_program_stays_if_the_helper_cannot_be_removed() {
    let env = env_with_program();
    env.file(DOCKER, "not JSON");
    let outcome = in_a_pipe(&env, &["--uninstall", "--yes"]);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    outcome.has(
        &outcome.stderr,
        &["config.json", "nothing was removed", "anyway: rm "],
    );
    assert!(program(&env).exists());
    let mut session = at_a_terminal(&env, &["--uninstall"]);
    session
        .exp_string("Remove it anyway? ")
        .expect("a question");
    session.send_line("y").expect("it reads input");
    session.exp_eof().expect("an end");
    assert!(!program(&env).exists());
}

/// The script comes by a pipe, so a person answers at the terminal of the session.
#[test]
fn the_script_that_was_installed_with_asks_at_the_terminal_although_it_is_piped() {
    for (answer, remains) in [("", false), ("n", true)] {
        let env = env_with_program();
        let mut session = started_at_a_terminal(piped_installer(&env, "--uninstall"));
        session.exp_string(QUESTION).expect("a question");
        session.send_line(answer).expect("it reads input");
        let shown = session.exp_eof().expect("an end");
        assert!(shown.contains("Removed "), "{shown}");
        has(&env, false, remains);
    }
}

#[test]
fn the_script_that_was_installed_with_removes_all_with_yes() {
    let env = env_with_program();
    let command = piped_installer(&env, "--uninstall --yes");
    let outcome = env.start_as(command, Input::Bytes(b"")).finish();
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    outcome.has(
        &outcome.stdout,
        &["helper removed for us.icr.io", "Removed "],
    );
    has(&env, false, false);
}

/// The files are those of the user who called sudo, not root's.
#[test]
fn under_sudo_the_helper_is_removed_as_the_user_who_called_it() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let env = env_with_program();
    let calls = env.path("calls");
    let sudo = format!(
        "#!/bin/sh\necho \"$*\" >>{}\nwhile [ \"$1\" != -- ]; do shift; done\nshift\nexec \"$@\"\n",
        calls.display()
    );
    fs::create_dir(env.path("fake")).expect("the directory is writable");
    write_executable(sudo.as_bytes(), &env.path("fake/sudo"));
    let mut command = installer(&env, &["--uninstall", "--yes"]);
    let path = format!("{}:/usr/bin:/bin", env.path("fake").display());
    command.env("PATH", path).env("SUDO_USER", "alice");
    let outcome = env.start_as(command, Input::Bytes(b"")).finish();
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let calls = fs::read_to_string(calls).expect("sudo was called");
    assert!(calls.contains("-H -u alice -- "), "{calls}");
    assert!(calls.contains("configure --undo\n"), "{calls}");
    has(&env, false, false);
}

#[test]
fn a_person_is_asked_before_logins_are_deleted() {
    for (answer, is_left) in [("", false), ("n", true)] {
        let Some(env) = TestEnv::with_keychain() else {
            return;
        };
        let env = with_program(env);
        env.store("us.icr.io", "iamapikey", KEY).is_silent_success();
        let mut session = at_a_terminal(&env, &["--uninstall"]);
        session.exp_string(QUESTION).expect("a question");
        session.send_line("").expect("it reads input");
        session.exp_string(LOGINS).expect("a question");
        session.send_line(answer).expect("it reads input");
        let shown = session.exp_eof().expect("an end");
        assert_eq!(shown.contains("logins stay"), is_left, "{shown}");
        has(&env, false, false);
        let logins: &[_] = if is_left {
            &[("us.icr.io", "iamapikey")]
        } else {
            &[]
        };
        env.list().is_list(logins);
    }
}

#[test]
fn without_a_terminal_logins_are_deleted_only_with_yes() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    let env = with_program(env);
    assert_eq!(
        env.run(&["configure", "--undo"], Input::Open).status,
        Some(0)
    );
    env.add_api_key(KEY, "me");
    assert_eq!(env.run(&["login", "--api-key-stdin"], KEY).status, Some(0));
    let outcome = in_a_pipe(&env, &["--uninstall"]);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    outcome.has(&outcome.stderr, &["Delete your logins", "add --yes"]);
    assert!(program(&env).exists());
    let outcome = in_a_pipe(&env, &["--uninstall", "--yes"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    outcome.has(&outcome.stdout, &["Deleted the default login", "Removed "]);
    for directory in [support::STATE, support::DATA, support::CONFIG] {
        assert!(!env.path(directory).exists(), "{directory}");
    }
}

/// Settings are a person's own work.
#[test]
fn settings_stay() {
    let env = env_with_program();
    env.settings("[profile.a]\n");
    let outcome = in_a_pipe(&env, &["--uninstall", "--yes"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert!(env.path(support::CONFIG).join("config.toml").exists());
    assert!(!env.path(support::DATA).exists());
}

#[test]
fn yes_needs_uninstall() {
    let env = TestEnv::new();
    let outcome = in_a_pipe(&env, &["--yes"]);
    assert_eq!(outcome.status, Some(2), "{outcome:?}");
    outcome.has(&outcome.stderr, &["--yes needs --uninstall", "usage:"]);
}
