//! Directories of a test as `/etc` and `/var/lib`, in a mount namespace.

use std::fs;
use std::process::Command;

use super::TestEnv;
use super::set_mode;
use super::skipped;

/// Creates the directories `etc`, with an empty `skel`, and `lib`. Returns whether this user may mount them; otherwise reports
/// that the test is skipped.
pub(crate) fn create_own_etc(env: &TestEnv) -> bool {
    for directory in ["", "etc", "etc/skel", "lib"] {
        let _ = fs::create_dir(env.path(directory));
        set_mode(&env.path(directory), 0o755);
    }
    let can_mount = with_own_etc(env, "true").output();
    let can_mount = can_mount.is_ok_and(|output| output.status.success());
    if !can_mount {
        skipped("it needs a mount namespace");
    }
    can_mount
}

/// Returns the command that runs a program with `etc` and `lib` as `/etc` and `/var/lib`.
pub(crate) fn with_own_etc(env: &TestEnv, program: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private"]);
    if !nix::unistd::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    let script =
        "mount --bind \"$1\" /etc && mount --bind \"$2\" /var/lib && shift 2 && exec \"$@\"";
    command.args(["sh", "-c", script, "sh"]);
    command.args([env.path("etc"), env.path("lib")]);
    command.arg(program);
    command
}
