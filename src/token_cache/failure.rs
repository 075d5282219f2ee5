//! How long is a failure remembered?

use super::Record;
use crate::error::Error;
use crate::time;

/// How long a failure is answered again without asking IAM, in seconds: long enough
/// for forty processes of one build, too short for a person who has mended it.
pub(super) const FAILURE_LIFE: u64 = 5;

/// How long a failure is remembered for telling a person about it, in seconds. A token
/// that is got in the meantime takes its place.
pub(super) const FAILURE_MEMORY: u64 = 60 * 60;

/// From when on a failure says since when it lasts, in seconds.
pub(super) const LONG_OUTAGE: u64 = 60;

/// A failure that is remembered, with nothing since that worked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LastFailure {
    /// What failed.
    pub error: Error,
    /// What a person calls the source that it is about.
    pub source: String,
    /// When it first failed like this, in seconds since 1970.
    pub since: u64,
    /// How long ago it last failed, in seconds.
    pub age: u64,
}

impl LastFailure {
    /// Whether it is one of this source. An outage is one of all sources that hold the
    /// same key: nobody should wait for each of them.
    pub fn applies_to(&self, source: &str) -> bool {
        self.source == source || self.is_outage()
    }

    /// Whether nothing is wrong with what the person set up.
    pub fn is_outage(&self) -> bool {
        self.error.is_temporary()
    }
}

/// The failure in a record, while it is worth telling.
pub(super) fn last_failure(record: &Record, now: u64) -> Option<LastFailure> {
    let Record::Failure {
        source,
        message,
        hint,
        permanent,
        rejection,
        received,
        since,
        obeyed: _,
    } = record
    else {
        return None;
    };
    let age = now
        .checked_sub(*received)
        .filter(|age| *age < FAILURE_MEMORY)?;
    let mut error = if *permanent {
        Error::user(message.as_str())
    } else {
        Error::temporary(message.as_str())
    };
    if let Some(hint) = hint {
        error = error.with_hint(hint);
    }
    if *rejection {
        error = error.as_rejection();
    }
    Some(LastFailure {
        error,
        source: source.clone(),
        since: since.unwrap_or(*received).min(*received),
        age,
    })
}

/// The failure with since when it lasts, if that is long and may pass.
pub(super) fn dated(failure: Error, since: u64, now: u64) -> Error {
    let lasted = now.saturating_sub(since);
    if lasted < LONG_OUTAGE || !failure.is_temporary() {
        return failure;
    }
    let since = format!(
        "failing since {}, {}",
        time::minute(since),
        time::duration(lasted)
    );
    failure.with_since(since)
}
