//! The last resort against a file system that does not answer, such as a network home whose
//! server is down.
//!
//! A call that reads a file there never returns. On Linux, only a signal that ends the process
//! interrupts it. A second thread could report an error instead, but starting one costs a hot
//! `get` as much as a tenth of its work; the kernel's timer costs one system call.

use std::time::Duration;

/// How long the program may take longer than its deadline.
const GRACE: Duration = Duration::from_secs(5);

/// Ends this process by `SIGALRM` some seconds after a deadline. Replaces an earlier call.
#[cfg(unix)]
pub fn end_process_after(deadline: Duration) {
    let seconds = deadline.saturating_add(GRACE).as_secs();
    nix::unistd::alarm::set(u32::try_from(seconds).unwrap_or(u32::MAX));
}

/// Does nothing: Windows ends such calls itself.
#[cfg(not(unix))]
pub fn end_process_after(deadline: Duration) {
    let _ = deadline + GRACE;
}

/// Calls a function that waits for no person. If it takes some seconds longer than the deadline,
/// ends this process.
pub fn with_deadline<T>(deadline: Duration, call: impl FnOnce() -> T) -> T {
    end_process_after(deadline);
    let outcome = call();
    #[cfg(unix)]
    nix::unistd::alarm::cancel();
    outcome
}
