//! The records that the token cache stores in a keychain.
//!
//! Older records must stay readable, so the names of stored fields do not change.

use serde::Deserialize;
use serde::Serialize;

use super::Cached;
use super::CachedToken;
use super::failure::FAILURE_CACHING;
use super::failure::FailureRecord;
use crate::secret::Secret;

/// The remaining lifetime, in seconds, up to which a token is not used even while IAM is
/// unavailable: a pull must be able to start with it.
const MIN_USABLE: u64 = 60;

/// The remaining lifetime, in seconds, up to which a token is near its expiry: buildx caches a
/// token for 4 minutes 50 seconds (`moby/buildkit`, `authprovider.go`).
const NEAR_EXPIRY: u64 = 300;

/// What is stored under a key.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Record {
    Token(TokenRecord),
    Failure(FailureRecord),
}

/// A token as it is stored. Times are in seconds since 1970, the lifetime in seconds.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct TokenRecord {
    #[serde(serialize_with = "Secret::serialize_exposed")]
    pub(super) secret: Secret,
    pub(super) received: u64,
    pub(super) lifetime: u64,
    /// When the last refresh was attempted.
    #[serde(default, rename = "tried", skip_serializing_if = "Option::is_none")]
    pub(super) refresh_attempt: Option<u64>,
}

impl Record {
    /// Returns what this record means at a time. A failure means something for `failure_caching`
    /// seconds.
    pub(super) fn classify(self, now: u64, failure_caching: u64) -> Cached {
        match self {
            Self::Token(token) => token.classify(now),
            Self::Failure(failure) => failure
                .current(now, failure_caching)
                .map_or(Cached::Nothing, Cached::Failed),
        }
    }

    /// Returns whether this is a token with more than half of its lifetime left.
    pub(super) fn is_in_first_half(&self, now: u64) -> bool {
        match self {
            Self::Token(token) => token
                .remaining(now)
                .is_some_and(|remaining| remaining > token.lifetime / 2),
            Self::Failure(_) => false,
        }
    }
}

impl TokenRecord {
    /// Returns the seconds since the token was received on this machine's clock, so a wrong
    /// clock does no harm; `None` if the clock was set back since.
    pub(super) fn age(&self, now: u64) -> Option<u64> {
        now.checked_sub(self.received)
    }

    /// Returns the seconds until the token expires.
    fn remaining(&self, now: u64) -> Option<u64> {
        Some(self.lifetime.saturating_sub(self.age(now)?))
    }

    fn classify(self, now: u64) -> Cached {
        let Some(age) = self.age(now) else {
            return Cached::Nothing;
        };
        let remaining = self.lifetime.saturating_sub(age);
        let is_in_first_half = remaining > self.lifetime / 2;
        let token = CachedToken {
            secret: self.secret,
            age,
            remaining,
        };
        if is_in_first_half {
            return Cached::Fresh(token);
        }
        if remaining <= MIN_USABLE {
            return Cached::Nothing;
        }
        if self
            .refresh_attempt
            .is_some_and(|time| is_within(FAILURE_CACHING, time, now))
        {
            return Cached::Fresh(token);
        }
        if remaining > NEAR_EXPIRY {
            Cached::RefreshDue(token)
        } else {
            Cached::NearExpiry(token)
        }
    }
}

/// Returns whether a failure at a time still prevents another attempt: for `max_age` seconds.
pub(super) fn is_within(max_age: u64, time: u64, now: u64) -> bool {
    now.checked_sub(time).is_some_and(|age| age < max_age)
}
