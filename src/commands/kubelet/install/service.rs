//! The programs of the machine that an installation runs.

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::commands::kubelet::install::record::Record;
use crate::commands::kubelet::trial::SERVICE_PATH;
use crate::error::Error;
use crate::error::Result;
use crate::error::one_line;
use crate::process::output;
use crate::process::output::Stream;
use crate::time::Clock;

/// The maximum run time of a program. K3s is restarted when it is ready, which takes minutes.
const TIME: Duration = Duration::from_secs(5 * 60);

/// The length limit of an error, in characters.
const MAX_LENGTH: usize = 400;

/// The program that gives files the types that SELinux's policy has for them.
const RESTORECON: [&str; 2] = ["/usr/sbin/restorecon", "/sbin/restorecon"];

/// The states of units by their names.
pub(super) type States = BTreeMap<String, State>;

/// The state of a unit (systemctl(1), `show`).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct State {
    /// Such as `active` or `activating`.
    active: String,
    /// Such as `running` or `auto-restart`.
    sub: String,
    /// The number of the main process; 0 if none runs.
    pub(super) process: u32,
}

impl State {
    /// Returns whether the unit's process runs.
    pub(super) fn is_running(&self) -> bool {
        self.active == "active" && self.process != 0
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.active, self.sub)
    }
}

/// Returns the states of the units that may run the kubelet; empty if they cannot be read.
pub(super) fn states(record: &Record, clock: &dyn Clock) -> States {
    let mut command = systemctl();
    command.args(["show", "--property=Id,ActiveState,SubState,MainPID"]);
    command.args(units(record).split_whitespace());
    match output::run(&mut command, clock) {
        Some((text, true)) => parse_states(&text),
        _ => States::new(),
    }
}

/// Reads the properties of units, which have an empty line between them.
fn parse_states(text: &str) -> States {
    let units = text.split("\n\n").filter_map(|unit| {
        let mut state = State::default();
        let mut name = None;
        for (key, value) in unit.lines().filter_map(|line| line.split_once('=')) {
            match key {
                "Id" => name = Some(value.to_owned()),
                "ActiveState" => value.clone_into(&mut state.active),
                "SubState" => value.clone_into(&mut state.sub),
                "MainPID" => state.process = value.parse().ok()?,
                _ => {}
            }
        }
        Some((name?, state))
    });
    units.collect()
}

/// Returns the units that may run the kubelet.
fn units(record: &Record) -> &str {
    record.unit.as_deref().unwrap_or("kubelet")
}

/// Returns the arguments of `systemctl`. A unit that is stopped is not started, except the kubelet's
/// own: a node of K3s or RKE2 may have the units of a server and of an agent.
fn arguments(record: &Record) -> String {
    match units(record) {
        "kubelet" => "restart kubelet".to_owned(),
        units => format!("try-restart {units}"),
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
pub(super) fn restart(record: &Record, clock: &dyn Clock) -> Result<()> {
    let arguments = arguments(record);
    let mut command = systemctl();
    command.args(arguments.split_whitespace());
    run(command, clock).map_err(|reason| {
        Error::user(format!(
            "cannot restart the kubelet: 'systemctl {arguments}' {reason}"
        ))
        .with_hint("Restart it, or run this again: the files are written")
    })
}

fn systemctl() -> Command {
    let mut command = Command::new("systemctl");
    // In a container, the root directory is another one than that of the process 1, of which
    // systemctl takes notice (systemd, docs/ENVIRONMENT.md).
    command
        .env("SYSTEMD_IGNORE_CHROOT", "1")
        .env("PATH", SERVICE_PATH)
        .current_dir("/");
    command
}

/// Returns the major and the minor version that a program prints, such as `Kubernetes v1.34.2`.
pub(super) fn version(program: &Path, clock: &dyn Clock) -> Option<(u32, u32)> {
    let mut command = Command::new(program);
    command
        .arg("--version")
        .env_clear()
        .env("PATH", SERVICE_PATH)
        .current_dir("/");
    let (text, _) = output::run(&mut command, clock)?;
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
pub(super) fn restore_types(paths: &[&Path], clock: &dyn Clock) -> Result<(), String> {
    let Some(program) = RESTORECON.iter().find(|path| Path::new(path).exists()) else {
        return Ok(());
    };
    let mut command = Command::new(program);
    command.args(paths).current_dir("/");
    run(command, clock)
}

fn run(mut command: Command, clock: &dyn Clock) -> Result<(), String> {
    match output::run_within(&mut command, Stream::Error, TIME, clock) {
        Ok((_, true)) => Ok(()),
        Ok((text, false)) => Err(format!("failed: {}", one_line(text.trim(), MAX_LENGTH))),
        Err(error) if error.kind() == ErrorKind::TimedOut => {
            Err("did not end within 5 minutes".to_owned())
        }
        Err(error) => Err(format!("cannot be started ({error})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_states_of_units_are_read() {
        let text = "MainPID=17\nId=k3s.service\nActiveState=active\nSubState=running\n\nMainPID=0\nId=k3s-agent.service\nActiveState=inactive\nSubState=dead\n";
        let states = parse_states(text);
        assert!(states["k3s.service"].is_running());
        assert!(!states["k3s-agent.service"].is_running());
        assert_eq!(states["k3s-agent.service"].to_string(), "inactive (dead)");
        assert!(parse_states("").is_empty());
    }
}
