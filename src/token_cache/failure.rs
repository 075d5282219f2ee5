//! How long is a failure cached?

use serde::Deserialize;
use serde::Serialize;

use super::record::is_within;
use crate::error::Error;
use crate::time;

/// The time, in seconds, for which a lookup returns a failure, so that IAM is not asked again:
/// long enough for the forty processes of one build, short enough for a person who fixes the
/// cause and tries again.
pub const FAILURE_CACHING: u64 = 5;

/// The time, in seconds, for which the last failure is stored for reports. A token replaces
/// it.
pub(super) const FAILURE_RETENTION: u64 = 60 * 60;

/// The length, in seconds, from which an outage is long, and its errors say when it started.
const LONG_OUTAGE: u64 = 60;

/// The last failure to get a token; no token was received since.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LastFailure {
    /// What failed.
    pub error: Error,
    /// The title of the source.
    pub source: String,
    /// When it first failed in this way, in seconds since 1970.
    pub since: u64,
    /// The seconds since it last failed.
    pub age: u64,
}

impl LastFailure {
    /// Returns whether this is also a failure of the source. A rejection is about one source;
    /// an outage affects all sources with the same key, which should not each wait for IAM.
    pub fn applies_to(&self, source: &str) -> bool {
        self.source == source || self.is_outage()
    }

    /// Returns whether the error is temporary: the person need not change anything.
    pub fn is_outage(&self) -> bool {
        self.error.is_temporary()
    }
}

/// A failure as it is stored. Times are in seconds since 1970.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct FailureRecord {
    /// The title of the source: several sources may have the same key.
    #[serde(default)]
    source: String,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(rename = "permanent")]
    is_user_error: bool,
    #[serde(default, rename = "rejection")]
    is_rejection: bool,
    received: u64,
    /// When it first failed in this way; `None` in records that older programs wrote.
    #[serde(default)]
    since: Option<u64>,
    /// Whether lookups return it, not only reports.
    #[serde(default = "yes", rename = "obeyed")]
    is_returned: bool,
}

fn yes() -> bool {
    true
}

impl FailureRecord {
    pub(super) fn new(
        source: &str,
        error: &Error,
        since: u64,
        now: u64,
        is_returned: bool,
    ) -> Self {
        Self {
            source: source.to_owned(),
            message: error.undated_text(),
            hint: error.hint().map(str::to_owned),
            is_user_error: error.needs_user_action(),
            is_rejection: error.is_rejection(),
            received: now,
            since: Some(since),
            is_returned,
        }
    }

    /// Returns the failure if it is recent enough for reports.
    pub(super) fn last_failure(self, now: u64) -> Option<LastFailure> {
        let age = now
            .checked_sub(self.received)
            .filter(|age| *age < FAILURE_RETENTION)?;
        let mut error = if self.is_user_error {
            Error::user(self.message)
        } else {
            Error::temporary(self.message)
        };
        if let Some(hint) = self.hint {
            error = error.with_hint(hint);
        }
        if self.is_rejection {
            error = error.as_rejection();
        }
        Some(LastFailure {
            error,
            source: self.source,
            since: self.since.unwrap_or(self.received).min(self.received),
            age,
        })
    }

    /// Returns the failure if it is no older than `max_age` seconds, so that it is the result of a
    /// lookup.
    pub(super) fn current(self, now: u64, max_age: u64) -> Option<LastFailure> {
        if !self.is_returned || !is_within(max_age, self.received, now) {
            return None;
        }
        let last = self.last_failure(now)?;
        Some(LastFailure {
            error: with_start_of_outage(last.error, last.since, now),
            ..last
        })
    }
}

/// Returns the error; during a long outage, with the time at which it started.
pub(super) fn with_start_of_outage(error: Error, since: u64, now: u64) -> Error {
    let length = now.saturating_sub(since);
    if length < LONG_OUTAGE || !error.is_temporary() {
        return error;
    }
    let since = format!(
        "failing since {}, {}",
        time::minute(since),
        time::duration(length)
    );
    error.with_since(since)
}
