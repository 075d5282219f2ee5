//! Waiting for the end of another program.

use std::fs::File;
use std::io;
use std::process::Child;
use std::process::ExitStatus;
use std::time::Duration;

use crate::time::Clock;

/// The interval between two checks of whether a program has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// The limits of a program.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The maximum run time.
    pub time: Duration,
    /// The maximum size of its output, in bytes.
    pub output: u64,
}

/// Waits until a program ends whose output goes to a file; `None` if it exceeds the limits. It
/// still runs then.
///
/// # Errors
/// The system does not show its state, or the size of the file.
pub fn wait(
    child: &mut Child,
    output: &File,
    limits: Limits,
    clock: &dyn Clock,
) -> io::Result<Option<ExitStatus>> {
    let started = clock.elapsed();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let is_too_long = output.metadata()?.len() > limits.output;
        if is_too_long || clock.elapsed().saturating_sub(started) > limits.time {
            return Ok(None);
        }
        clock.sleep(POLL_INTERVAL);
    }
}
