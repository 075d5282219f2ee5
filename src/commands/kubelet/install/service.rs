//! The programs of the machine that an installation runs.

use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use crate::commands::kubelet::install::record::Record;
use crate::commands::kubelet::trial::SERVICE_PATH;
use crate::error::Error;
use crate::error::Result;
use crate::error::one_line;

/// The length limit of an error, in characters.
const MAX_LENGTH: usize = 400;

/// The program that gives files the types that SELinux's policy has for them.
const RESTORECON: [&str; 2] = ["/usr/sbin/restorecon", "/sbin/restorecon"];

/// Returns the arguments of `systemctl`. A unit that is stopped is not started, except the kubelet's
/// own: a node of K3s or RKE2 may have the units of a server and of an agent.
fn arguments(record: &Record) -> String {
    match record.unit.as_deref() {
        None | Some("kubelet") => "restart kubelet".to_owned(),
        Some(units) => format!("try-restart {units}"),
    }
}

/// Returns the command that restarts the kubelet, as a person would type it.
pub(super) fn restart_command(record: &Record, root: Option<&Path>) -> String {
    let arguments = arguments(record);
    match root {
        Some(root) => format!("chroot {} systemctl {arguments}", root.display()),
        None => format!("systemctl {arguments}"),
    }
}

/// Restarts the kubelet.
///
/// # Errors
/// `systemctl` is missing or fails.
pub(super) fn restart(record: &Record) -> Result<()> {
    let arguments = arguments(record);
    let mut command = Command::new("systemctl");
    // In a container, the root directory is another one than that of the process 1, of which
    // systemctl takes notice (systemd, docs/ENVIRONMENT.md).
    command
        .args(arguments.split_whitespace())
        .env("SYSTEMD_IGNORE_CHROOT", "1");
    run(command).map_err(|reason| {
        Error::user(format!(
            "cannot restart the kubelet: 'systemctl {arguments}' {reason}"
        ))
        .with_hint("Restart it, or run this again: the files are written")
    })
}

/// Returns the major and the minor version that a program prints, such as `Kubernetes v1.34.2`.
pub(super) fn version(program: &str) -> Option<(u32, u32)> {
    let output = Command::new(program)
        .arg("--version")
        .env_clear()
        .env("PATH", SERVICE_PATH)
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().find_map(|word| {
        let mut numbers = word.strip_prefix('v')?.split('.');
        let major = numbers.next()?.parse().ok()?;
        Some((major, numbers.next()?.parse().ok()?))
    })
}

/// Gives files the types of SELinux's policy, where that is installed.
///
/// # Errors
/// Why it failed.
pub(super) fn restore_types(paths: &[&Path]) -> Result<(), String> {
    let Some(program) = RESTORECON.iter().find(|path| Path::new(path).exists()) else {
        return Ok(());
    };
    let mut command = Command::new(program);
    command.args(paths);
    run(command)
}

fn run(mut command: Command) -> Result<(), String> {
    let output = command
        .env("PATH", SERVICE_PATH)
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot be started ({error})"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(format!("failed: {}", one_line(text.trim(), MAX_LENGTH)))
}
