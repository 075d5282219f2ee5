//! The next token, fetched by a process that nobody waits for.
//!
//! Clients wait until the pipe to a helper is closed, so that process must hold
//! nothing of theirs: no stream, no inherited descriptor, no session.

use std::process::Command;
use std::process::Stdio;

use crate::registry::Registry;

/// The verb by which the program runs itself. No client knows it.
pub const VERB: &str = "renew";

/// Starts this program again, detached, to get the next token for a registry. Returns
/// whether it was started.
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
        tracing::debug!(%error, "no process can be started; the next token is got here");
    }
    started.is_ok()
}

/// A process without a console of its own (Win32, "Process Creation Flags").
#[cfg(windows)]
const CREATE_NO_WINDOW: u32 = 0x0800_0000;

/// Lets go of everything that this process got from the client's helper: the
/// terminal's session, so that closing it does not end us, and descriptors that
/// somebody forgot to close. To be called before anything is opened.
#[cfg(unix)]
pub fn detach() {
    // Fails only for the leader of a session, who has one of its own.
    let _ = nix::unistd::setsid();
    let listed = std::fs::read_dir("/dev/fd").into_iter().flatten().flatten();
    let inherited: Vec<i32> = listed
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|descriptor| *descriptor > 2)
        .collect();
    for descriptor in inherited {
        // The one by which they were listed is closed already.
        let _ = nix::unistd::close(descriptor);
    }
}

/// Nothing is inherited unless it is named, on Windows.
#[cfg(windows)]
pub fn detach() {}
