//! Checks that clients find this program on the PATH.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use super::CheckContext;
use super::Diagnostic;
use super::path_entries;
use crate::PROGRAM;
use crate::client_config::programs::PATH;
use crate::client_config::programs::find;
use crate::context::Context;
use crate::environment::Environment;
use crate::process::output;
use crate::time::Clock;

/// The `PATH` that `sudo` sets by default (`sudoers(5)`, as Debian ships it).
const SECURE_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The settings of `sudo`, below the root directory.
const SUDOERS: &str = "etc/sudoers";

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let Context {
        environment, clock, ..
    } = *context.context;
    let own = (context.context.program)().unwrap_or_default();
    let path = environment.os_text(PATH).unwrap_or_default();
    let mut diagnostics = vec![on_path(path, &own, clock)];
    diagnostics.extend(path_entries::check(path));
    // A link on the PATH is what other shells should find, not its target.
    let installed = find(path, PROGRAM).filter(|found| is_same(found, &own));
    let installed = installed.unwrap_or_else(|| own.clone());
    diagnostics.extend(in_login_shell(environment, &installed, clock));
    diagnostics.extend(under_sudo(context, path, &own));
    diagnostics
}

fn on_path(path: &OsStr, own: &Path, clock: &dyn Clock) -> Diagnostic {
    const CHECK: &str = "path";
    let version = env!("CARGO_PKG_VERSION");
    match find(path, PROGRAM) {
        None => Diagnostic::problem(
            CHECK,
            format!(
                "clients cannot find {PROGRAM}: {} {version} is not on the PATH",
                own.display()
            ),
            add_to_path(own),
        ),
        Some(found) if is_same(&found, own) => {
            Diagnostic::ok(CHECK, format!("{} {version}", found.display()))
        }
        Some(found) => other(CHECK, &found, own, clock),
    }
}

/// Returns the diagnostic for another file of this name that comes first.
fn other(check: &'static str, found: &Path, own: &Path, clock: &dyn Clock) -> Diagnostic {
    let answer = output::run(Command::new(found).arg("version"), clock);
    let ours = format!("{PROGRAM} ({PROGRAM}) {}", env!("CARGO_PKG_VERSION"));
    match answer {
        Some((text, true)) if text.trim_end() == ours => Diagnostic::ok(
            check,
            format!("{} (a copy of this program)", found.display()),
        ),
        Some((text, true)) if text.starts_with(&format!("{PROGRAM} ({PROGRAM})")) => {
            Diagnostic::warning(
                check,
                format!(
                    "{} comes first and is another version of this program",
                    found.display()
                ),
                replace(found, own),
            )
        }
        _ => Diagnostic::problem(
            check,
            format!(
                "{} comes first and is a different program of the same name",
                found.display()
            ),
            replace(found, own),
        ),
    }
}

fn replace(found: &Path, own: &Path) -> String {
    format!(
        "Remove {}, or put the directory of {} first on the PATH",
        found.display(),
        own.display()
    )
}

fn add_to_path(own: &Path) -> String {
    let directory = own.parent().unwrap_or(Path::new(".")).display();
    if cfg!(windows) {
        let path = "[Environment]::GetEnvironmentVariable('Path', 'User')";
        format!(
            "Run in PowerShell: [Environment]::SetEnvironmentVariable('Path', {path} + ';{directory}', 'User')"
        )
    } else {
        format!("Add to ~/.profile: export PATH=\"{directory}:$PATH\"")
    }
}

/// Checks what a login shell finds, as a desktop, a terminal or ssh starts it.
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
    let warning = |message: String| Diagnostic::warning(CHECK, message, add_to_path(own));
    let Some((text, succeeded)) = output::run(&mut command, clock) else {
        return Some(warning(format!(
            "cannot check what a login shell finds: {shell} failed or did not end"
        )));
    };
    // The output of the shell's startup files comes before the path.
    let found = text.lines().rfind(|line| line.starts_with('/'));
    Some(match found.filter(|_| succeeded) {
        Some(found) if is_same(Path::new(found), own) => {
            Diagnostic::ok(CHECK, format!("a login shell finds {found}"))
        }
        Some(found) => other(CHECK, Path::new(found), own, clock),
        None => warning(format!("a login shell ({shell}) does not find {PROGRAM}")),
    })
}

/// Checks what root finds with `sudo docker`.
fn under_sudo(context: &CheckContext<'_>, path: &OsStr, own: &Path) -> Option<Diagnostic> {
    const CHECK: &str = "sudo";
    let clock = context.context.clock;
    find(path, "sudo")?;
    let sudoers = std::fs::read_to_string(context.context.system_paths.root.join(SUDOERS));
    let named = sudoers.as_deref().ok().and_then(secure_path);
    let origin = match (&sudoers, &named) {
        (Ok(_), Some(_)) => "secure_path in /etc/sudoers",
        // Without secure_path, sudo does not change the PATH.
        (Ok(_), None) => return None,
        (Err(_), _) => "the default secure_path of sudo",
    };
    let path = named.unwrap_or_else(|| SECURE_PATH.to_owned());
    Some(match find(OsStr::new(&path), PROGRAM) {
        Some(found) if is_same(&found, own) => {
            Diagnostic::ok(CHECK, format!("sudo finds {}", found.display()))
        }
        Some(found) => other(CHECK, &found, own, clock),
        None => Diagnostic::warning(
            CHECK,
            format!(
                "a client that sudo starts does not find {PROGRAM}: it is not on {origin} ({path})"
            ),
            "In the directory of the installer: sudo ./install/install.sh --system",
        ),
    })
}

/// Reads the value of `Defaults secure_path` (`sudoers(5)`).
fn secure_path(sudoers: &str) -> Option<String> {
    sudoers.lines().rev().find_map(|line| {
        let rest = line.trim().strip_prefix("Defaults")?.trim_start();
        let value = rest.strip_prefix("secure_path")?.trim_start();
        let value = value.strip_prefix('=')?.trim().trim_matches('"');
        Some(value.to_owned())
    })
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
    fn the_path_of_sudo_is_read_from_sudoers() {
        let debian = "# comment\nDefaults\tenv_reset\nDefaults\tsecure_path=\"/a:/b\"\n";
        assert_eq!(secure_path(debian).as_deref(), Some("/a:/b"));
        let fedora = "Defaults    secure_path = /sbin:/bin\n";
        assert_eq!(secure_path(fedora).as_deref(), Some("/sbin:/bin"));
        for other in ["", "# Defaults secure_path=/a\n", "Defaults !visiblepw\n"] {
            assert_eq!(secure_path(other), None, "{other}");
        }
    }
}
