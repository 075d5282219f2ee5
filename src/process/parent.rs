//! The client that runs this program: is it about to store a new login?
//!
//! podman, buildah and skopeo call `get` before they log in, and stop at any error except
//! "not found" (`containers/common`, `pkg/auth/auth.go`). So a login that IAM rejects would
//! prevent a new one. Only the client's arguments distinguish `login` from `pull`.

use std::path::Path;

/// The clients that call `get` before they log in.
const CLIENTS: [&str; 4] = ["buildah", "podman", "podman-remote", "skopeo"];

/// The suffix of the name of a client that has started itself again
/// (`containers/storage`, `pkg/unshare/unshare_linux.go`).
const STARTED_AGAIN: &str = "-in-a-user-namespace";

/// Options before a client's command that take the next argument as their value
/// (`podman --help`, `buildah --help`, `skopeo --help`).
const WITH_VALUE: [&str; 38] = [
    "--cdi-spec-dir",
    "--cgroup-manager",
    "--command-timeout",
    "--config",
    "--conmon",
    "--connection",
    "--events-backend",
    "--hooks-dir",
    "--identity",
    "--imagestore",
    "--log-level",
    "--module",
    "--namespace",
    "--network-cmd-path",
    "--network-config-dir",
    "--out",
    "--override-arch",
    "--override-os",
    "--override-variant",
    "--policy",
    "--registries-conf",
    "--registries-conf-dir",
    "--registries.d",
    "--root",
    "--runroot",
    "--runtime",
    "--runtime-flag",
    "--short-name-alias-conf",
    "--ssh",
    "--storage-driver",
    "--storage-opt",
    "--tmpdir",
    "--url",
    "--user-agent-prefix",
    "--userns-gid-map",
    "--userns-uid-map",
    "--volumepath",
    "-c",
];

/// Returns whether the arguments, with the program's name, are those of a client that is about
/// to store a new login.
pub fn is_about_to_log_in(arguments: &[String]) -> bool {
    let Some((name, arguments)) = arguments.split_first() else {
        return false;
    };
    let name = file_name(name);
    let name = name.strip_suffix(STARTED_AGAIN).unwrap_or(name);
    let only_shows_login = |argument: &String| argument.starts_with("--get-login");
    CLIENTS.contains(&name)
        && command(arguments) == Some("login")
        && !arguments.iter().any(only_shows_login)
}

/// Returns the first argument that is neither an option nor its value.
fn command(arguments: &[String]) -> Option<&str> {
    let mut arguments = arguments.iter().map(String::as_str);
    loop {
        match arguments.next()? {
            option if WITH_VALUE.contains(&option) => drop(arguments.next()),
            option if option.starts_with('-') => {}
            command => return Some(command),
        }
    }
}

fn file_name(path: &str) -> &str {
    let name = Path::new(path).file_name();
    name.and_then(|name| name.to_str()).unwrap_or_default()
}

/// Returns the arguments of the process that started this program, with its name. Skips a
/// process of this program in between: see [`keychain::bus_relay`](crate::keychain).
#[cfg(target_os = "linux")]
pub fn parent_arguments() -> Vec<String> {
    let parent = std::os::unix::process::parent_id();
    let arguments = arguments_of(parent);
    let is_relay = arguments
        .first()
        .is_some_and(|name| file_name(name) == crate::PROGRAM);
    if is_relay {
        parent_of(parent).map(arguments_of).unwrap_or_default()
    } else {
        arguments
    }
}

/// Returns no arguments, because these systems do not show them.
#[cfg(not(target_os = "linux"))]
pub fn parent_arguments() -> Vec<String> {
    Vec::new()
}

#[cfg(target_os = "linux")]
fn arguments_of(process: u32) -> Vec<String> {
    let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    let arguments = line.split(|byte| *byte == 0);
    arguments
        .map(|argument| String::from_utf8_lossy(argument).into_owned())
        .collect()
}

#[cfg(target_os = "linux")]
fn parent_of(process: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let mut lines = status.lines();
    let parent = lines.find_map(|line| line.strip_prefix("PPid:"))?;
    parent.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_show_whether_a_client_is_about_to_log_in() {
        for (line, expected) in [
            ("podman login us.icr.io", true),
            ("/usr/bin/podman login -u iamapikey us.icr.io", true),
            ("podman --log-level debug login us.icr.io", true),
            ("podman --log-level=debug login us.icr.io", true),
            ("podman -r --root login login us.icr.io", true),
            ("podman-remote login us.icr.io", true),
            ("buildah login us.icr.io", true),
            ("buildah-in-a-user-namespace login us.icr.io", true),
            ("skopeo --debug login us.icr.io", true),
            ("podman login --get-login us.icr.io", false),
            ("podman logout us.icr.io", false),
            ("podman pull us.icr.io/x/login", false),
            ("podman run us.icr.io/x/y login", false),
            ("podman run login", false),
            ("podman --root login pull us.icr.io/x/y", false),
            ("skopeo copy docker://us.icr.io/x dir:login", false),
            ("docker login us.icr.io", false),
            ("bash -c login", false),
            ("podman", false),
            ("podman --log-level", false),
            ("", false),
        ] {
            let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(is_about_to_log_in(&arguments), expected, "{line}");
        }
        assert!(!is_about_to_log_in(&[]));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_parent_of_a_process_is_found() {
        let me = std::process::id();
        assert_eq!(parent_of(me), Some(std::os::unix::process::parent_id()));
        assert!(!parent_arguments().is_empty());
        let name = arguments_of(me).remove(0);
        assert!(file_name(&name).starts_with("docker_credential_icr"));
        assert_eq!(arguments_of(0), [""]);
    }
}
