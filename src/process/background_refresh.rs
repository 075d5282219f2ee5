//! The process that refreshes a token in the background.
//!
//! Clients wait until all processes have closed the pipe to a helper. So this process must not
//! keep the client's streams, file descriptors or session.

use std::io;
use std::path::Path;
#[cfg(unix)]
use std::process::Command;
#[cfg(unix)]
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
    let started = start_process(&program, [VERB, registry.host()]);
    if let Err(error) = &started {
        tracing::debug!(%error, "cannot start a background refresh, so this process refreshes the token");
    }
    started.is_ok()
}

#[cfg(unix)]
fn start_process(program: &Path, arguments: [&str; 2]) -> io::Result<()> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().map(drop)
}

/// Not with `Command`, whose children inherit all inheritable handles (rust-lang/rust#54760; the
/// option that prevents it is unstable). Clients make the streams of a helper inheritable.
#[cfg(windows)]
fn start_process(program: &Path, arguments: [&str; 2]) -> io::Result<()> {
    let program = program.to_str().ok_or(io::ErrorKind::InvalidFilename)?;
    let [verb, host] = arguments;
    let line = format!("\"{program}\" {verb} {host}");
    let inherits_handles = false;
    // It has no streams: Wine, for one, would duplicate ours.
    let mut streams = winsafe::STARTUPINFO::default();
    streams.dwFlags = winsafe::co::STARTF::USESTDHANDLES;
    let started = winsafe::CreateProcess(
        Some(program),
        Some(&line),
        None,
        None,
        inherits_handles,
        winsafe::co::CREATE::NO_WINDOW,
        &[],
        None,
        &mut streams,
    );
    started.map(drop).map_err(io::Error::other)
}

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

/// Does nothing, because the process has inherited no handles.
#[cfg(windows)]
pub fn detach() {}
