//! nerdctl, also of Rancher Desktop, Lima and Finch. It reads docker's file, but looks up each
//! registry with its port first, and stores a login only there (`containerd/nerdctl`,
//! `pkg/imgutil/dockerconfigresolver/registryurl.go` and `credentialsstore.go`). Without a
//! helper for `us.icr.io:443`, `nerdctl login` writes a plaintext password to the file.

use super::Machine;

/// The names of nerdctl: its own, and those of programs that start it in a virtual machine.
const PROGRAMS: [&str; 4] = ["nerdctl", "nerdctl.lima", "finch", "rdctl"];

/// nerdctl of Rancher Desktop, relative to the home directory.
const RANCHER_DESKTOP: &str = ".rd/bin/nerdctl";

/// Returns whether nerdctl is installed.
pub fn is_installed(machine: &Machine<'_>) -> bool {
    let mut programs = PROGRAMS.iter();
    let home = machine.home;
    programs.any(|program| machine.has_program(program))
        || home.is_some_and(|home| home.join(RANCHER_DESKTOP).exists())
}
