//! Files that another program has open. Windows then refuses to read or replace them; editors,
//! virus scanners and clients close them again after a moment.

#[cfg(windows)]
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::time::Clock;

/// Windows' error for such a file that is to be replaced, and for one without the right to do so
/// (Win32, "System Error Codes").
const ERROR_ACCESS_DENIED: i32 = 5;

/// Windows' error for a file that another program has open and does not share.
const ERROR_SHARING_VIOLATION: i32 = 32;

/// Windows' error for a file with a lock.
const ERROR_LOCK_VIOLATION: i32 = 33;

/// How long attempts are repeated.
const TIMEOUT: Duration = Duration::from_secs(1);

/// The time between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// What to do about such a file.
pub const HINT: &str = if cfg!(windows) {
    "Close the other program, and try again. In Resource Monitor (resmon), \"Associated Handles\" shows which one it is"
} else {
    "Close the other program, and try again"
};

/// Repeats an attempt for up to a second while `is_busy` returns true for its error. Returns
/// the outcome of the last attempt.
///
/// # Errors
/// The error of the last attempt.
pub fn retry<T, E>(
    clock: &dyn Clock,
    is_busy: impl Fn(&E) -> bool,
    mut attempt: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    let start = clock.elapsed();
    loop {
        match attempt() {
            Err(error) if is_busy(&error) && clock.elapsed().saturating_sub(start) < TIMEOUT => {
                clock.sleep(PAUSE);
            }
            outcome => return outcome,
        }
    }
}

/// Returns whether an error means that another program has the file open.
pub fn is_busy(error: &anyhow::Error) -> bool {
    has_code(error, &[ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION])
}

/// Returns whether the error of replacing a file may mean that another program has it open.
pub fn may_be_busy(error: &anyhow::Error) -> bool {
    is_busy(error) || has_code(error, &[ERROR_ACCESS_DENIED])
}

/// Returns whether another program has a file open, so that it cannot be replaced. Windows often
/// denies the access then, as it does without the right to replace the file.
#[cfg(windows)]
pub fn is_open_elsewhere(path: &Path) -> bool {
    use std::os::windows::fs::OpenOptionsExt;
    /// The right to delete (Win32, "Standard Access Rights").
    const DELETE: u32 = 0x0001_0000;
    let attempt = OpenOptions::new().access_mode(DELETE).open(path);
    attempt.is_err_and(|error| error.raw_os_error() == Some(ERROR_SHARING_VIOLATION))
}

/// Returns false, because other systems replace a file that is open.
#[cfg(unix)]
pub fn is_open_elsewhere(_path: &Path) -> bool {
    false
}

fn has_code(error: &anyhow::Error, codes: &[i32]) -> bool {
    let is_one = |cause: &io::Error| cause.raw_os_error().is_some_and(|it| codes.contains(&it));
    cfg!(windows)
        && error
            .chain()
            .any(|cause| cause.downcast_ref().is_some_and(is_one))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::time::fake::FakeClock;

    #[test]
    fn a_busy_file_is_tried_again_for_a_moment() {
        let clock = FakeClock::at(0);
        let attempts = Cell::new(0);
        let third = || {
            attempts.set(attempts.get() + 1);
            if attempts.get() < 3 {
                Err("busy")
            } else {
                Ok(())
            }
        };
        assert_eq!(retry(&clock, |_| true, third), Ok(()));
        assert_eq!(clock.elapsed(), 2 * PAUSE);
        let always = || Err::<(), _>("busy");
        assert_eq!(retry(&clock, |_| true, always), Err("busy"));
        assert_eq!(clock.elapsed(), 2 * PAUSE + TIMEOUT);
        assert_eq!(retry(&clock, |_| false, always), Err("busy"));
        assert_eq!(
            clock.elapsed(),
            2 * PAUSE + TIMEOUT,
            "other errors are final"
        );
    }

    #[test]
    fn a_sharing_violation_means_that_the_file_is_busy() {
        for (code, busy, maybe) in [
            (32, true, true),
            (33, true, true),
            (5, false, true),
            (2, false, false),
        ] {
            let error = io::Error::from_raw_os_error(code);
            let error = anyhow::Error::from(error).context("cannot read it");
            let found = (is_busy(&error), may_be_busy(&error));
            assert_eq!(
                found,
                (busy && cfg!(windows), maybe && cfg!(windows)),
                "{code}"
            );
        }
    }
}
