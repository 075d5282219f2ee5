//! `version`: shows which build of the program this is.

use serde::Serialize;

use super::print;
use super::print_json;
use crate::context::Stdio;
use crate::error::Result;

/// The version as `NAME (PACKAGE) VERSION`, which is the form of Docker's own helpers.
const TEXT: &str = concat!(
    "docker-credential-icr (",
    env!("CARGO_PKG_NAME"),
    ") ",
    env!("CARGO_PKG_VERSION")
);

/// What differs between builds, and whether this build has it.
const FEATURES: [(&str, bool); 9] = [
    ("debug-assertions", cfg!(debug_assertions)),
    // The keychains that the program can use on this system.
    ("keychain-kernel", cfg!(target_os = "linux")),
    ("keychain-macos", cfg!(target_os = "macos")),
    ("keychain-pass", cfg!(target_os = "linux")),
    ("keychain-secret-service", cfg!(target_os = "linux")),
    ("keychain-systemd-creds", cfg!(target_os = "linux")),
    ("keychain-windows", cfg!(windows)),
    // Names are looked up by the program itself, and not by the C library.
    ("own-name-lookup", cfg!(target_env = "musl")),
    ("static", cfg!(target_feature = "crt-static")),
];

/// The answer of `version --json`.
#[derive(Serialize)]
struct VersionAnswer {
    /// The version: `0.1.0`.
    version: &'static str,
    /// The commit that it was built from, as Git's hash, if the build knew it.
    commit: Option<&'static str>,
    /// The target of the build, as rustc names it: `x86_64-unknown-linux-musl`.
    target: &'static str,
    /// What this build has.
    features: Vec<&'static str>,
}

/// Prints the version.
///
/// # Errors
/// The answer cannot be written.
pub(crate) fn run(is_json: bool, stdio: &mut Stdio<'_>) -> Result<()> {
    if !is_json {
        return print(stdio, TEXT);
    }
    let features = FEATURES.iter().filter(|(_, is_built)| *is_built);
    print_json(
        stdio,
        &VersionAnswer {
            version: env!("CARGO_PKG_VERSION"),
            commit: option_env!("ICR_COMMIT"),
            target: env!("ICR_TARGET"),
            features: features.map(|(name, _)| *name).collect(),
        },
    )
}
