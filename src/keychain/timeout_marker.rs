//! Marks of keychains that did not answer in time.

use std::path::PathBuf;
use std::time::Duration;
use std::time::UNIX_EPOCH;

use crate::fs;
use crate::time::Clock;

/// How long a keychain is not called after a timeout, in seconds.
const PAUSE: u64 = 30;

/// A file whose time is that of the last timeout. With it, other processes skip the keychain for a
/// while, so that a build that asks for thirty registries waits once. If the file cannot be written,
/// each process waits.
#[derive(Debug)]
pub(super) struct TimeoutMarker {
    path: Option<PathBuf>,
}

impl TimeoutMarker {
    /// Creates the marker with its file; without one, nothing is marked.
    pub(super) fn at(path: Option<PathBuf>) -> Self {
        Self { path }
    }

    /// Records a timeout.
    pub(super) fn set(&self, clock: &dyn Clock) {
        if let Some(path) = &self.path {
            let _ = fs::write_time(path, UNIX_EPOCH + Duration::from_secs(clock.now()));
        }
    }

    /// Returns whether a timeout was recorded in the last half minute.
    pub(super) fn is_recent(&self, clock: &dyn Clock) -> bool {
        let written = self.path.as_deref().and_then(fs::read_time);
        let written = written.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let age = written.and_then(|time| clock.now().checked_sub(time.as_secs()));
        age.is_some_and(|age| age < PAUSE)
    }
}
