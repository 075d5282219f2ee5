//! The process that refreshes a token in the background.
//!
//! Clients wait until all processes have closed the pipe to a helper. So this process must not
//! keep the client's streams, file descriptors or session.

use std::process::Command;
use std::process::Stdio;

use crate::registry::Registry;

/// The argument with which the program runs itself. It is not for clients.
pub const VERB: &str = "renew";

/// Starts this program as a background process that gets the next token for a registry.
/// Returns whether it was started.
pub fn start(registry: &Registry) -> bool {
    let Ok(program) = std::env::current_exe() else {
        return false;
    };
    let mut command = Command::new(program);
    command
        .args([VERB, registry.host()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    #[cfg(windows)]
    std::os::windows::process::CommandExt::creation_flags(&mut command, CREATE_NO_WINDOW);
    let started = command.spawn();
    if let Err(error) = &started {
        tracing::debug!(%error, "cannot start a background refresh, so this process refreshes the token");
    }
    started.is_ok()
}

/// The flag for a process without a console (Win32, "Process Creation Flags").
#[cfg(windows)]
const CREATE_NO_WINDOW: u32 = 0x0800_0000;

/// Detaches this process from the client: leaves the session, so that closing the terminal does
/// not end this process, and closes inherited file descriptors. Call this before anything is
/// opened.
#[cfg(unix)]
pub fn detach() {
    // Fails only for the leader of a session, which is already detached.
    let _ = nix::unistd::setsid();
    let listed = std::fs::read_dir("/dev/fd").into_iter().flatten().flatten();
    let inherited: Vec<i32> = listed
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|descriptor| *descriptor > 2)
        .collect();
    for descriptor in inherited {
        // Fails for the descriptor of the directory, which is closed already.
        let _ = nix::unistd::close(descriptor);
    }
}

/// Does nothing, because processes on Windows inherit only what is named.
#[cfg(windows)]
pub fn detach() {}
