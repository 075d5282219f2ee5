//! `install --to DIR`: the program copies itself.
#![cfg(unix)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use support::Input;
use support::Outcome;
use support::TestEnv;
use support::set_mode;

const NAME: &str = "docker-credential-icr";
const BINARY: &str = env!("CARGO_BIN_EXE_docker-credential-icr");

fn install(env: &TestEnv, directory: &Path) -> Outcome {
    let directory = directory.display().to_string();
    env.run(&["install", "--to", &directory], Input::Open)
}

#[track_caller]
fn is_installed(outcome: &Outcome, program: &Path, text: &str) {
    assert_eq!(
        (outcome.status, &*outcome.stderr),
        (Some(0), ""),
        "{outcome:?}"
    );
    outcome.has(&outcome.stdout, &[&program.display().to_string(), text]);
    assert!(
        fs::read(program).expect("it is there") == fs::read(BINARY).expect("it is built"),
        "other bytes"
    );
    let mode = fs::metadata(program).expect("it is there").permissions();
    assert_eq!(mode.mode() & 0o7777, 0o755);
}

#[test]
fn the_program_copies_itself_for_all_users_and_the_copy_works() {
    let env = TestEnv::with_environment_key();
    let directory = env.path("volume/bin");
    let program = directory.join(NAME);
    is_installed(&install(&env, &directory), &program, " installed\n");
    assert_eq!(
        fs::metadata(&directory).unwrap().permissions().mode() & 0o777,
        0o755
    );
    let mut copy = Command::new(&program);
    copy.arg("get");
    env.apply_to(&mut copy);
    env.start_as(copy, "us.icr.io")
        .finish()
        .is_credential("iambearer");
    is_installed(&install(&env, &directory), &program, " is already there\n");
    assert_eq!(
        fs::read_dir(&directory).unwrap().count(),
        1,
        "no other file"
    );
}

#[test]
fn another_version_is_replaced_while_it_runs() {
    let env = TestEnv::new();
    let program = env.path(NAME);
    support::copy_executable("/bin/sleep", &program);
    let mut running = Command::new(&program)
        .arg("60")
        .spawn()
        .expect("it is sleep");
    let outcome = install(&env, &env.path(""));
    running.kill().expect("it is our child");
    running.wait().expect("it is our child");
    is_installed(&outcome, &program, " installed\n");
    set_mode(&program, 0o600);
    is_installed(&install(&env, &env.path("")), &program, " installed\n");
}

/// A link is replaced, not followed: it may lead to another program.
#[test]
fn a_link_in_its_place_is_replaced() {
    let env = TestEnv::new();
    let other = env.file("other", "other");
    std::os::unix::fs::symlink(&other, env.path(NAME)).expect("the test may");
    is_installed(
        &install(&env, &env.path("")),
        &env.path(NAME),
        " installed\n",
    );
    assert_eq!(fs::read_to_string(other).unwrap(), "other");
}

#[test]
fn a_directory_that_cannot_be_written_is_an_error_with_a_hint() {
    let env = TestEnv::new();
    let file = env.file("file", "");
    for directory in [file, Path::new("/proc/volume").to_owned()] {
        let name = directory.join(NAME).display().to_string();
        install(&env, &directory).is_user_error(&["cannot write", &name, "runAsUser"]);
    }
    env.run(&["install"], Input::Open)
        .is_usage_error(&["--to <DIR>"]);
}

/// The process cannot be read by its own user (`PR_SET_DUMPABLE`), but its program can.
#[test]
fn an_ordinary_user_can_install_it() {
    if !nix::unistd::geteuid().is_root() {
        support::skipped("only root can act for two users");
        return;
    }
    let env = TestEnv::new();
    set_mode(&env.path(""), 0o755);
    let own = env.path("own");
    support::copy_executable(BINARY, &own);
    let volume = env.path("volume");
    fs::create_dir(&volume).expect("the test may");
    set_mode(&volume, 0o777);
    let mut command = Command::new(own);
    command.args(["install", "--to"]).arg(&volume);
    env.apply_to(&mut command);
    command.uid(65_532).gid(65_532);
    let outcome = env.start_as(command, "").finish();
    is_installed(&outcome, &volume.join(NAME), " installed\n");
}
