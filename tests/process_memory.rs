//! Other processes of the same user, and core dumps, cannot read the program's memory.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::time::Duration;

use icr_emulator::Fault;

use support::Input;
use support::TestEnv;
use support::copy_executable;
use support::wait_until;

/// The ID of the user `nobody`. If root starts the tests, the processes run as this user, because root may read all processes.
const ORDINARY_USER: u32 = 65_534;

/// How long IAM does not answer, longer than a test needs.
const IAM_DELAY: Duration = Duration::from_secs(20);

/// Returns the user of the processes.
fn user() -> u32 {
    match nix::unistd::getuid().as_raw() {
        0 => ORDINARY_USER,
        other => other,
    }
}

/// Returns a command of another program, run by that user.
fn as_user(program: &str) -> Command {
    let mut command = Command::new(program);
    if nix::unistd::getuid().is_root() {
        command.uid(user()).gid(user());
    }
    command
}

/// Returns a command of the program, run by that user, who owns the test's directories.
fn program(env: &TestEnv, arguments: &[&str]) -> Command {
    // That user may have no access to the build directory.
    let copy = env.path("program");
    copy_executable(env!("CARGO_BIN_EXE_docker-credential-icr"), &copy);
    for folder in ["", "home", "cache", "config", "runtime", "program"] {
        chown(env.path(folder), Some(user()), Some(user())).expect("the test may change it");
    }
    let mut command = as_user(copy.to_str().expect("a UTF-8 path"));
    command.args(arguments);
    env.apply_to(&mut command);
    command
}

/// Returns what another process of the same user reads from a file in `/proc/PID`.
fn read_by_the_same_user(process: u32, file: &str) -> Output {
    let mut reader = as_user("/bin/cat");
    reader
        .env("LC_ALL", "C")
        .arg(format!("/proc/{process}/{file}"));
    reader.output().expect("coreutils")
}

/// Waits until the process has protected itself, and checks that.
#[track_caller]
fn is_protected(process: u32) {
    let limits = || fs::read_to_string(format!("/proc/{process}/limits")).expect("it runs");
    wait_until("a process that writes no core dump", || {
        let limits = limits();
        let core = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max core file size"));
        let fields: Vec<&str> = core
            .expect("the kernel's list")
            .split_whitespace()
            .collect();
        fields == ["0", "0", "bytes"]
    });
    for file in ["mem", "environ", "maps"] {
        let read = read_by_the_same_user(process, file);
        let error = String::from_utf8_lossy(&read.stderr);
        assert!(error.contains("Permission denied"), "{file}: {read:?}");
        assert!(read.stdout.is_empty(), "{file}: {read:?}");
    }
}

#[test]
fn the_same_user_can_read_a_process_that_does_not_protect_itself() {
    let mut sleep = as_user("/bin/sleep");
    let mut sleep = sleep
        .arg("60")
        .env("VARIABLE", "visible")
        .spawn()
        .expect("coreutils");
    wait_until("a variable of another process", || {
        let read = read_by_the_same_user(sleep.id(), "environ");
        String::from_utf8_lossy(&read.stdout).contains("VARIABLE=visible")
    });
    sleep.kill().expect("it runs");
    sleep.wait().expect("it is our child");
}

#[test]
fn a_get_that_waits_for_its_input_cannot_be_read() {
    let env = TestEnv::with_environment_key();
    let running = env.start_as(program(&env, &["get"]), Input::Open);
    is_protected(running.id());
    running.kill();
}

#[test]
fn a_background_refresh_cannot_be_read() {
    let env = TestEnv::with_environment_key();
    env.cloud.script([Fault::Delay(IAM_DELAY)]);
    let running = env.start_as(program(&env, &["renew", "us.icr.io"]), Input::Bytes(b""));
    wait_until("a request to IAM", || env.cloud.exchanges() == 1);
    is_protected(running.id());
    running.kill();
}

#[test]
fn an_interactive_command_cannot_be_read() {
    let mut env = TestEnv::new();
    // It ends before anything is stored.
    env.set("ICR_KEYCHAIN", "kernel");
    let running = env.start_as(
        program(&env, &["login", "us.icr.io", "--api-key-stdin"]),
        Input::Open,
    );
    is_protected(running.id());
    running.kill();
}

#[test]
fn a_process_that_is_aborted_leaves_no_core_dump() {
    let env = TestEnv::with_environment_key();
    let mut shell = as_user("/bin/sh");
    let copy = program(&env, &[]);
    shell
        .args(["-c", "ulimit -c unlimited; exec \"$0\" get"])
        .arg(copy.get_program());
    env.apply_to(&mut shell);
    let mut child = shell.stdin(Stdio::piped()).spawn().expect("a shell");
    is_protected(child.id());
    let process = nix::unistd::Pid::from_raw(child.id().try_into().expect("a process id"));
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGABRT).expect("it runs");
    let status = child.wait().expect("it is our child");
    assert_eq!(status.signal(), Some(6), "{status:?}");
    assert!(!status.core_dumped(), "{status:?}");
}
