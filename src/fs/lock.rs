//! Locks of files, on file systems where locking may hang.

use std::fs::File;
use std::fs::TryLockError;
use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::time::run_with_timeout;

/// The timeout of a call that locks a file without waiting. In a network home whose lock service
/// cannot be reached, `flock(2)` does not return, even with `LOCK_NB`.
pub const LOCK_CALL_TIMEOUT: Duration = Duration::from_secs(1);

/// Whether a call has hung in this process. No further ones are made then, so that a command that
/// takes several locks waits once.
static HANGS: AtomicBool = AtomicBool::new(false);

/// Locks an open file if that is possible without waiting.
///
/// # Errors
/// Another process holds the lock, the file system has no locks, or the call hangs.
pub fn try_lock(file: &File) -> Result<(), TryLockError> {
    call(file, File::try_lock)
}

/// Calls a function that locks an open file, for at most [`LOCK_CALL_TIMEOUT`].
pub(super) fn call(
    file: &File,
    lock: impl FnOnce(&File) -> Result<(), TryLockError> + Send + 'static,
) -> Result<(), TryLockError> {
    if HANGS.load(Ordering::Relaxed) {
        return Err(hung());
    }
    // Both handles share the lock, because it belongs to the open file.
    let same = file.try_clone().map_err(TryLockError::Error)?;
    run_with_timeout(LOCK_CALL_TIMEOUT, move || lock(&same)).unwrap_or_else(|| {
        HANGS.store(true, Ordering::Relaxed);
        Err(hung())
    })
}

fn hung() -> TryLockError {
    let text = "locking a file does not return (a network file system without its lock service?)";
    TryLockError::Error(io::Error::new(io::ErrorKind::TimedOut, text))
}
