//! File systems that never answer, as a network home whose server is down.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::PROGRAM;
use crate::root_env;
use crate::support::Outcome;
use crate::support::TestEnv;
use crate::support::skipped;

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/support/dead_file_system.py"
);

/// Linux, `signal.h`.
const SIGALRM: i32 = 14;

/// Creates an environment with an empty directory `dead`.
fn env() -> Option<TestEnv> {
    let needed = ["/usr/bin/python3", "/usr/bin/unshare", "/dev/fuse"];
    if let Some(missing) = needed.into_iter().find(|it| !Path::new(it).exists()) {
        skipped(&format!("it needs {missing}"));
        return None;
    }
    let env = root_env()?;
    fs::create_dir(env.path("dead")).expect("the test may change it");
    Some(env)
}

/// Runs the program while no call in the directory `dead` returns.
fn with_dead_directory(env: &TestEnv, arguments: &[&str]) -> Outcome {
    let mut command = Command::new("/usr/bin/unshare");
    command.args(["--mount", "--propagation", "private", "/usr/bin/python3"]);
    command.arg(SCRIPT).arg(env.path("dead"));
    command.arg(PROGRAM).args(arguments);
    env.apply_to(&mut command);
    let outcome = env.start_as(command, "us.icr.io").finish();
    Outcome {
        verb: arguments.concat(),
        ..outcome
    }
}

#[test]
fn a_command_names_the_directory_that_does_not_answer() {
    let Some(mut env) = env() else {
        return;
    };
    let dead = env.path("dead");
    let name = dead.display().to_string();
    for (variable, command) in [
        ("HOME", &["doctor"][..]),
        ("XDG_CONFIG_HOME", &["login"]),
        ("DOCKER_CONFIG", &["configure", "--registry", "us.icr.io"]),
    ] {
        let former = env.variable(variable);
        env.set(variable, &dead);
        let outcome = with_dead_directory(&env, command);
        let fix = format!("set {variable} to a directory");
        outcome.is_temporary_error(&[&name, "does not answer", "check its server", &fix]);
        assert!(outcome.took < Duration::from_secs(15), "{outcome:?}");
        match former {
            Some(value) => env.set(variable, value),
            None => env.unset(variable),
        };
    }
    env.set("HOME", &dead);
    let outcome = with_dead_directory(&env, &["login", "--help"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
}

#[test]
fn a_get_ends_after_its_deadline_if_its_settings_cannot_be_read() {
    let Some(mut env) = env() else {
        return;
    };
    let dead = env.path("dead");
    env.set("XDG_CONFIG_HOME", &dead);
    let outcome = with_dead_directory(&env, &["get"]);
    assert_eq!(outcome.signal, Some(SIGALRM), "{outcome:?}");
    assert!(outcome.took < Duration::from_secs(40), "{outcome:?}");
}

#[test]
fn a_log_file_that_does_not_answer_delays_a_get_and_does_not_stop_it() {
    let Some(mut env) = env() else {
        return;
    };
    let log = env.path("dead/icr.log");
    env.set("ICR_LOG_FILE", &log);
    let outcome = with_dead_directory(&env, &["get"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    outcome.has(
        &outcome.stderr,
        &["no log is written", "file system does not answer"],
    );
    outcome.has(&outcome.stdout, &["iambearer"]);
}
