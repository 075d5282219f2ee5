//! Do clients find this program, and not another one?

use std::ffi::OsStr;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use super::CheckContext;
use super::Diagnostic;
use super::process;
use crate::PROGRAM;
use crate::environment::Environment;
use crate::time::Clock;

/// What `sudo` gives as `PATH` unless its settings say otherwise (`sudoers(5)`, as
/// Debian ships it).
const SECURE_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where `sudo`'s settings are, below the root.
const SUDOERS: &str = "etc/sudoers";

pub(super) fn check(patient: &CheckContext<'_>) -> Vec<Diagnostic> {
    let context = patient.context;
    let own = (context.program)().unwrap_or_default();
    let environment = context.environment;
    let path = environment.text("PATH").ok().flatten();
    let mut findings = vec![on_path(path.unwrap_or_default(), &own, context.clock)];
    findings.extend(in_login_shell(environment, &own, context.clock));
    findings.extend(under_sudo(patient, path.unwrap_or_default(), &own));
    findings
}

fn on_path(path: &str, own: &Path, clock: &dyn Clock) -> Diagnostic {
    const CHECK: &str = "path";
    let version = env!("CARGO_PKG_VERSION");
    match first_in(path, PROGRAM) {
        None => Diagnostic::problem(
            CHECK,
            format!(
                "this is {} {version}, but clients look on the PATH and find no {PROGRAM} there",
                own.display()
            ),
            add_to_path(own),
        ),
        Some(found) if is_same(&found, own) => {
            Diagnostic::fine(CHECK, format!("{} {version}", found.display()))
        }
        Some(found) => other(CHECK, &found, own, clock),
    }
}

/// Another file of our name comes first: a copy of ours, or something else.
fn other(check: &'static str, found: &Path, own: &Path, clock: &dyn Clock) -> Diagnostic {
    let answer = process::ask(Command::new(found).arg("version"), clock);
    let ours = format!("{PROGRAM} ({PROGRAM}) {}", env!("CARGO_PKG_VERSION"));
    match answer {
        Some((text, true)) if text.trim_end() == ours => Diagnostic::fine(
            check,
            format!("{}, another copy of this program", found.display()),
        ),
        Some((text, true)) if text.starts_with(&format!("{PROGRAM} ({PROGRAM})")) => {
            Diagnostic::warning(
                check,
                format!("clients find another version first: {}", found.display()),
                replace(found, own),
            )
        }
        _ => Diagnostic::problem(
            check,
            format!(
                "clients find another program of this name first, which is not this one: {}",
                found.display()
            ),
            replace(found, own),
        ),
    }
}

fn replace(found: &Path, own: &Path) -> String {
    format!(
        "remove {}, or put the directory of {} before it on the PATH",
        found.display(),
        own.display()
    )
}

fn add_to_path(own: &Path) -> String {
    let directory = own.parent().unwrap_or(Path::new(".")).display();
    match cfg!(windows) {
        true => format!("set PATH={directory};%PATH%, or install\\install.ps1"),
        false => format!("export PATH=\"{directory}:$PATH\", or ./install/install.sh"),
    }
}

/// What a login shell finds: that of a desktop, a terminal or ssh.
fn in_login_shell(environment: &Environment, own: &Path, clock: &dyn Clock) -> Option<Diagnostic> {
    const CHECK: &str = "login-shell";
    if cfg!(windows) {
        return None;
    }
    let shell = environment.text("SHELL").ok().flatten()?;
    let mut command = Command::new(shell);
    command
        .args(["-l", "-c", &format!("command -v {PROGRAM}")])
        .env_clear();
    for name in ["HOME", "LOGNAME", "SHELL", "USER"] {
        if let Ok(Some(value)) = environment.text(name) {
            command.env(name, value);
        }
    }
    let not_there = |seen: String| {
        Diagnostic::warning(
            CHECK,
            seen,
            format!(
                "put the directory of {} on the PATH in ~/.profile (or your shell's own file)",
                own.display()
            ),
        )
    };
    let Some((text, succeeded)) = process::ask(&mut command, clock) else {
        return Some(not_there(format!(
            "{shell} did not answer as a login shell"
        )));
    };
    // Whatever its files print comes before.
    let found = text.lines().rfind(|line| line.starts_with('/'));
    Some(match found.filter(|_| succeeded) {
        Some(found) if is_same(Path::new(found), own) => {
            Diagnostic::fine(CHECK, format!("a login shell finds {found}"))
        }
        Some(found) => other(CHECK, Path::new(found), own, clock),
        None => not_there(format!("a login shell ({shell}) does not find {PROGRAM}")),
    })
}

/// What root finds by `sudo docker`.
fn under_sudo(patient: &CheckContext<'_>, path: &str, own: &Path) -> Option<Diagnostic> {
    const CHECK: &str = "sudo";
    let clock = patient.context.clock;
    first_in(path, "sudo")?;
    let sudoers = std::fs::read_to_string(patient.context.system_paths.root.join(SUDOERS));
    let named = sudoers.as_deref().ok().and_then(secure_path);
    let origin = match (&sudoers, &named) {
        (Ok(_), Some(_)) => "secure_path in /etc/sudoers",
        // Without one, sudo leaves the PATH as it is.
        (Ok(_), None) => return None,
        (Err(_), _) => "sudo's usual secure_path",
    };
    let path = named.unwrap_or_else(|| SECURE_PATH.to_owned());
    Some(match first_in(&path, PROGRAM) {
        Some(found) if is_same(&found, own) => {
            Diagnostic::fine(CHECK, format!("sudo finds {}", found.display()))
        }
        Some(found) => other(CHECK, &found, own, clock),
        None => Diagnostic::warning(
            CHECK,
            format!("`sudo docker` would not find {PROGRAM}: it is not on {origin} ({path})"),
            "sudo ./install/install.sh --system",
        ),
    })
}

/// The value of `Defaults secure_path` (`sudoers(5)`).
fn secure_path(sudoers: &str) -> Option<String> {
    sudoers.lines().rev().find_map(|line| {
        let rest = line.trim().strip_prefix("Defaults")?.trim_start();
        let value = rest.strip_prefix("secure_path")?.trim_start();
        let value = value.strip_prefix('=')?.trim().trim_matches('"');
        Some(value.to_owned())
    })
}

/// The first file of that name that can be run.
fn first_in(path: &str, name: &str) -> Option<PathBuf> {
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(OsStr::new(path))
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(&name))
        .find(|file| is_program(file))
}

#[cfg(unix)]
fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let metadata = file.metadata();
    metadata.is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(file: &Path) -> bool {
    file.is_file()
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_sudo_is_read_from_its_settings() {
        let debian = "# comment\nDefaults\tenv_reset\nDefaults\tsecure_path=\"/a:/b\"\n";
        assert_eq!(secure_path(debian).as_deref(), Some("/a:/b"));
        let fedora = "Defaults    secure_path = /sbin:/bin\n";
        assert_eq!(secure_path(fedora).as_deref(), Some("/sbin:/bin"));
        for other in ["", "# Defaults secure_path=/a\n", "Defaults !visiblepw\n"] {
            assert_eq!(secure_path(other), None, "{other}");
        }
    }
}
