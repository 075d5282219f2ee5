//! What differs between systems: where the program's and the clients' files are, the variables that say so, the keychains, and the
//! tests that cannot run. Paths are relative to the test's directory.
//!
//! On every system, the variables here lead all files of the program and of its clients into the test's directory.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use tempfile::TempDir;

/// The variables with the directories of a user.
#[cfg(windows)]
pub(super) const DIRECTORY_VARIABLES: [(&str, &str); 6] = [
    ("USERPROFILE", "home"),
    ("APPDATA", "config"),
    ("LOCALAPPDATA", "cache"),
    ("ProgramData", "all-users"),
    ("TEMP", "temporary"),
    ("TMP", "temporary"),
];

/// The variables with the directories of a user. macOS has no variables for most: they are below the home directory.
#[cfg(unix)]
pub(super) const DIRECTORY_VARIABLES: [(&str, &str); 4] = [
    ("HOME", "home"),
    ("XDG_CACHE_HOME", "cache"),
    ("XDG_CONFIG_HOME", "config"),
    ("XDG_RUNTIME_DIR", "runtime"),
];

/// The variables without which programs on Windows do not work: sockets need the first, and the search for programs the third.
/// There, the fourth is the machine's name.
pub(super) fn variables_of_the_system() -> Vec<(OsString, OsString)> {
    if !cfg!(windows) {
        return Vec::new();
    }
    let mut variables: Vec<(OsString, OsString)> = ["SystemRoot", "SystemDrive"]
        .iter()
        .filter_map(|name| Some((name.into(), of_this_process(name)?)))
        .collect();
    variables.push(("PATHEXT".into(), ".COM;.EXE;.BAT;.CMD".into()));
    variables.push(("COMPUTERNAME".into(), "TEST-MACHINE".into()));
    variables
}

/// The values of `ICR_KEYCHAIN` with which tests of logins and tokens run. The first stores everything in the keychain that
/// [`super::Keys`] reads.
pub(crate) const KEYCHAINS: &[&str] = if cfg!(target_os = "linux") {
    &["kernel", "auto"]
} else {
    &["auto"]
};

/// The name of the first keychain in JSON answers.
pub(crate) const KEYCHAIN_NAME: &str = if cfg!(windows) { "windows" } else { "kernel" };

/// The words for the first keychain.
pub(crate) const KEYCHAIN_WORDS: &str = if cfg!(windows) {
    "Windows Credential Manager"
} else {
    "kernel keyring"
};

/// The program's directory in the directory of settings.
pub(crate) const CONFIG: &str = if cfg!(target_os = "macos") {
    "home/Library/Application Support/docker-credential-icr"
} else {
    "config/docker-credential-icr"
};

/// The user's settings file.
pub(crate) const SETTINGS: &str = if cfg!(target_os = "macos") {
    "home/Library/Application Support/docker-credential-icr/config.toml"
} else {
    "config/docker-credential-icr/config.toml"
};

/// The program's directory in the directory of caches: locks and marks.
pub(crate) const STATE: &str = if cfg!(target_os = "macos") {
    "home/Library/Caches/docker-credential-icr"
} else {
    "cache/docker-credential-icr"
};

/// The program's directory in the directory of persistent data: the records of `configure`.
pub(crate) const DATA: &str = if cfg!(windows) {
    STATE
} else if cfg!(target_os = "macos") {
    CONFIG
} else {
    "home/.local/state/docker-credential-icr"
};

/// The file of the IBM Cloud CLI's session.
pub(crate) const CLI_SESSION: &str = "home/.bluemix/config.json";

/// Docker's file.
pub(crate) const DOCKER: &str = "home/.docker/config.json";

/// The directory of podman's file with logins (`containers/image`, `pkg/docker/config/config.go`).
pub(crate) const PODMAN_DIRECTORY: &str = if cfg!(target_os = "linux") {
    "runtime/containers"
} else {
    "home/.config/containers"
};

/// Podman's file with logins.
pub(crate) const PODMAN: &str = if cfg!(target_os = "linux") {
    "runtime/containers/auth.json"
} else {
    "home/.config/containers/auth.json"
};

/// Podman's file that stays when a session ends.
pub(crate) const PODMAN_LASTING: &str = if cfg!(target_os = "linux") {
    "config/containers/auth.json"
} else {
    PODMAN
};

/// Reports why a test does not run here.
pub(crate) fn skipped(reason: &str) {
    let test = std::thread::current();
    let name = test.name().unwrap_or_default();
    let line = format!("SKIPPED {name}: {reason}\n");
    // Not with `println!`, whose output is not shown if the test passes.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// Creates a directory whose path has the same length everywhere, because the width of tables depends on it.
pub(super) fn temporary_directory() -> TempDir {
    #[cfg(unix)]
    let directory = tempfile::tempdir_in("/tmp");
    #[cfg(not(unix))]
    let directory = tempfile::tempdir();
    directory.expect("a temporary directory")
}

/// Sets the mode of a file or directory, on systems that have modes.
pub(crate) fn set_mode(path: &Path, mode: u32) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
            .expect("the test may change it");
    }
    #[cfg(not(unix))]
    let _ = (path, mode);
}

/// Returns whether a test that cannot run is an error.
pub(crate) fn must_run_everything() -> bool {
    of_this_process("CI").is_some_and(|value| value == "true")
}

#[expect(
    clippy::disallowed_methods,
    reason = "these variables are of the tests, not of the program"
)]
fn of_this_process(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}
