//! nerdctl, also of Rancher Desktop, Lima and Finch. It reads docker's file, but looks up each
//! registry with its port first, and stores a login only there (`containerd/nerdctl`,
//! `pkg/imgutil/dockerconfigresolver/registryurl.go` and `credentialsstore.go`). Without a
//! helper for `us.icr.io:443`, `nerdctl login` writes a plaintext password to the file.

use std::path::PathBuf;

use super::Machine;

/// The names of nerdctl: its own, and those of programs that start it in a virtual machine.
const PROGRAMS: [&str; 4] = ["nerdctl", "nerdctl.lima", "finch", "rdctl"];

/// nerdctl of Rancher Desktop, relative to the home directory.
const RANCHER_DESKTOP: &str = ".rd/bin/nerdctl";

/// The file of Finch on macOS and Windows, relative to the home directory. Programs in its
/// virtual machine read it, so a helper of this system cannot serve it
/// (`runfinch/finch`, `pkg/config/nerdctl_config_applier_remote.go`).
const FINCH_FILE: &str = ".finch/config.json";

/// Returns the file of Finch, which need not exist.
pub fn finch_file(machine: &Machine<'_>) -> Option<PathBuf> {
    Some(machine.home?.join(FINCH_FILE))
}

/// Returns whether nerdctl is installed.
pub fn is_installed(machine: &Machine<'_>) -> bool {
    let mut programs = PROGRAMS.iter();
    let home = machine.home;
    programs.any(|program| machine.has_program(program))
        || home.is_some_and(|home| home.join(RANCHER_DESKTOP).exists())
}
