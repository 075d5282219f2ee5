//! Which token is still good, and what is kept of it.
//!
//! Tokens are kept per identity, not per registry: an IAM token opens every
//! region. The key is computed from what is at hand locally, so that finding a
//! token takes no network and no bus.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::error::Error;
use crate::keychain::Item;
use crate::keychain::Keychain;
use crate::login::LoginHint;
use crate::login::LoginScope;
use crate::secret::Secret;
use crate::time::Clock;

mod failure;
mod key;

pub use failure::LastFailure;
pub use key::CacheKey;

use failure::FAILURE_LIFE;
use failure::FAILURE_MEMORY;
use failure::dated;
use failure::last_failure;

/// The least life left, in seconds, with which a token is handed out when IAM
/// cannot give a new one: a pull must be able to begin with it.
const LEAST_LIFE: u64 = 60;

/// The least life left, in seconds, with which a token is handed out although IAM
/// was not asked for a new one: buildx keeps what it got for 4 minutes 50 seconds
/// (`moby/buildkit`, `authprovider.go`).
const CLIENT_MEMORY: u64 = 300;

/// What is known about an identity's token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Cached {
    /// More than half its life is left: hand it out.
    Fresh(Secret),
    /// It works for a good while yet, but it is time for the next one.
    RefreshDue(Secret),
    /// It still works, but not for as long as a client may keep it.
    NearExpiry(Secret),
    /// Getting one failed a moment ago, like this.
    Failed(LastFailure),
    /// Nothing.
    Nothing,
}

/// A token that is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CachedToken {
    /// The token.
    pub secret: Secret,
    /// How long ago it was received, in seconds.
    pub age: u64,
    /// How long it is good yet, in seconds.
    pub remaining: u64,
}

impl Cached {
    /// Returns the token, if there is one.
    pub fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Fresh(secret) | Self::RefreshDue(secret) | Self::NearExpiry(secret) => {
                Some(secret)
            }
            Self::Failed(_) | Self::Nothing => None,
        }
    }

    /// Returns the same without a failure that is about another source.
    pub fn for_source(self, source: &str) -> Self {
        match self {
            Self::Failed(past) if !past.applies_to(source) => Self::Nothing,
            cached => cached,
        }
    }
}

/// The record that is stored in the keychain.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Record {
    Token {
        #[serde(serialize_with = "Secret::serialize_exposed")]
        secret: Secret,
        received: u64,
        lifetime: u64,
        /// When it was tried in vain to replace it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tried: Option<u64>,
    },
    Failure {
        /// What a person calls that which failed: several sources may hold one key.
        #[serde(default)]
        source: String,
        message: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
        permanent: bool,
        #[serde(default)]
        rejection: bool,
        received: u64,
        /// When it first failed like this; a record without it is the first.
        #[serde(default)]
        since: Option<u64>,
        /// Whether it is answered again for a few seconds, and not only told.
        #[serde(default = "yes")]
        obeyed: bool,
    },
}

fn yes() -> bool {
    true
}

impl Record {
    /// The same record, as if nobody had tried to replace its token.
    fn untried(self) -> Self {
        match self {
            Self::Token {
                secret,
                received,
                lifetime,
                tried: _,
            } => Self::Token {
                secret,
                received,
                lifetime,
                tried: None,
            },
            failure => failure,
        }
    }
}

/// The tokens in a keychain. A keychain that fails is a cache that is empty.
#[derive(Clone, Copy)]
pub struct TokenCache<'a> {
    keychain: &'a dyn Keychain,
    clock: &'a dyn Clock,
}

impl<'a> TokenCache<'a> {
    /// The tokens in `keychain`, judged by `clock`.
    pub fn new(keychain: &'a dyn Keychain, clock: &'a dyn Clock) -> Self {
        Self { keychain, clock }
    }

    /// What is known about an identity's token.
    pub fn get(&self, key: &CacheKey) -> Cached {
        let record = self.read(&Item::token(key.as_str()));
        record.map_or(Cached::Nothing, |record| classify(record, self.clock.now()))
    }

    /// Returns what is known about an identity's token; a failure counts only if it is
    /// about this source.
    pub fn get_for_source(&self, key: &CacheKey, source: &str) -> Cached {
        self.get(key).for_source(source)
    }

    /// An identity's token, for telling a person about it; `None` when it has ended,
    /// or there is none.
    pub fn token(&self, key: &CacheKey) -> Option<CachedToken> {
        let Record::Token {
            secret,
            received,
            lifetime,
            tried: _,
        } = self.read(&Item::token(key.as_str()))?
        else {
            return None;
        };
        let age = self.clock.now().checked_sub(received)?;
        let remaining = lifetime.checked_sub(age).filter(|left| *left > 0)?;
        Some(CachedToken {
            secret,
            age,
            remaining,
        })
    }

    /// Returns what is known about an identity's token, and whether its refresh is due.
    /// A recent attempt to refresh it does not count.
    pub fn get_with_refresh_due(&self, key: &CacheKey) -> (Cached, bool) {
        let Some(record) = self.read::<Record>(&Item::token(key.as_str())) else {
            return (Cached::Nothing, true);
        };
        let now = self.clock.now();
        let untried = classify(record.clone().untried(), now);
        let is_due = !matches!(untried, Cached::Fresh(_));
        (classify(record, now), is_due)
    }

    /// Keeps a token that has just been received, for as long as it is good.
    pub fn insert(&self, key: &CacheKey, secret: &Secret, lifetime: Duration) {
        let record = Record::Token {
            secret: secret.clone(),
            received: self.clock.now(),
            lifetime: lifetime.as_secs(),
            tried: None,
        };
        self.write(&Item::token(key.as_str()), &record, lifetime);
    }

    /// The token that is kept, however old, while it works.
    pub fn secret(&self, key: &CacheKey) -> Option<Secret> {
        match self.get(key) {
            Cached::Fresh(secret) | Cached::RefreshDue(secret) | Cached::NearExpiry(secret) => {
                Some(secret)
            }
            Cached::Failed(_) | Cached::Nothing => None,
        }
    }

    /// What replaced the refresh token of an identity whose source we only read.
    pub fn rotated_refresh_token(&self, key: &CacheKey) -> Option<Secret> {
        self.secret(&key.of_rotated_refresh_token())
    }

    /// Keeps what replaced the refresh token of an identity whose source we only
    /// read.
    pub fn insert_rotated_refresh_token(
        &self,
        key: &CacheKey,
        secret: &Secret,
        lifetime: Duration,
    ) {
        self.insert(&key.of_rotated_refresh_token(), secret, lifetime);
    }

    /// Remembers that there was no token to be had with a source. If it `is_obeyed`, it is the
    /// answer for a few seconds; in any case a person can be told for an hour. Returns
    /// the failure with since when there has been one like it, if that is long.
    pub fn record_failure(
        &self,
        key: &CacheKey,
        source: &str,
        failure: Error,
        is_obeyed: bool,
    ) -> Error {
        let now = self.clock.now();
        let is_permanent = failure.is_user();
        let since = self
            .last_failure(key)
            .filter(|past| past.applies_to(source))
            .filter(|past| past.is_outage() != is_permanent)
            .map_or(now, |past| past.since);
        let record = Record::Failure {
            source: source.to_owned(),
            message: failure.undated_text(),
            hint: failure.hint().map(str::to_owned),
            permanent: is_permanent,
            rejection: failure.is_rejection(),
            received: now,
            since: Some(since),
            obeyed: is_obeyed,
        };
        self.write(
            &Item::token(key.as_str()),
            &record,
            Duration::from_secs(FAILURE_MEMORY),
        );
        dated(failure, since, now)
    }

    /// The last failure to get a token, if nothing has worked since then; for telling
    /// a person about it.
    pub fn last_failure(&self, key: &CacheKey) -> Option<LastFailure> {
        let record: Record = self.read(&Item::token(key.as_str()))?;
        last_failure(&record, self.clock.now())
    }

    /// Remembers for a few seconds that there is no token newer than this one to
    /// be had; it counts as fresh for so long.
    pub fn record_refresh_attempt(&self, key: &CacheKey) {
        let item = Item::token(key.as_str());
        let now = self.clock.now();
        if let Some(Record::Token {
            secret,
            received,
            lifetime,
            tried: _,
        }) = self.read(&item)
        {
            let left = lifetime.saturating_sub(now.saturating_sub(received));
            let record = Record::Token {
                secret,
                received,
                lifetime,
                tried: Some(now),
            };
            self.write(&item, &record, Duration::from_secs(left));
        }
    }

    /// Forgets that there was no token to be had.
    pub fn remove_failure(&self, key: &CacheKey) {
        if self.last_failure(key).is_some() {
            self.remove(key);
        }
    }

    /// Forgets what is known about an identity's token.
    pub fn remove(&self, key: &CacheKey) {
        self.delete(&Item::token(key.as_str()));
    }

    /// Which login a scope has, as far as it was noted.
    pub fn login_hint(&self, scope: &LoginScope) -> Option<LoginHint> {
        self.read(&Item::hint(&scope.item_name()))
    }

    /// Notes which login a scope has.
    pub fn insert_login_hint(&self, scope: &LoginScope, hint: &LoginHint, lifetime: Duration) {
        self.write(&Item::hint(&scope.item_name()), hint, lifetime);
    }

    /// Forgets which login a scope has.
    pub fn remove_login_hint(&self, scope: &LoginScope) {
        self.delete(&Item::hint(&scope.item_name()));
    }

    fn read<T: for<'de> Deserialize<'de>>(&self, item: &Item) -> Option<T> {
        match self.keychain.read(item) {
            Ok(record) => serde_json::from_str(record?.expose()).ok(),
            Err(error) => {
                tracing::debug!(%error, "the token cache cannot be read");
                None
            }
        }
    }

    fn write(&self, item: &Item, record: &impl Serialize, lifetime: Duration) {
        let Ok(record) = serde_json::to_string(record).map(Secret::new) else {
            return;
        };
        if let Err(error) = self.keychain.write(item, &record, Some(lifetime)) {
            tracing::debug!(%error, "the token cache cannot be written");
        }
    }

    fn delete(&self, item: &Item) {
        if let Err(error) = self.keychain.delete(item) {
            tracing::debug!(%error, "the token cache cannot be written");
        }
    }
}

/// A token's age counts from its receipt on this machine's clock, so a clock
/// that is wrong does no harm. One that was set back since makes the age
/// unknowable; the token then counts as gone.
fn classify(record: Record, now: u64) -> Cached {
    let is_recent = |time: u64| now.checked_sub(time).is_some_and(|age| age < FAILURE_LIFE);
    match record {
        Record::Token {
            secret,
            received,
            lifetime,
            tried,
        } => {
            let Some(age) = now.checked_sub(received) else {
                return Cached::Nothing;
            };
            match lifetime.saturating_sub(age) {
                left if left > lifetime / 2 => Cached::Fresh(secret),
                0..=LEAST_LIFE => Cached::Nothing,
                _ if tried.is_some_and(is_recent) => Cached::Fresh(secret),
                left if left > CLIENT_MEMORY => Cached::RefreshDue(secret),
                _ => Cached::NearExpiry(secret),
            }
        }
        Record::Failure {
            received, obeyed, ..
        } if obeyed && is_recent(received) => match last_failure(&record, now) {
            Some(past) => Cached::Failed(LastFailure {
                error: dated(past.error, past.since, now),
                ..past
            }),
            None => Cached::Nothing,
        },
        Record::Failure { .. } => Cached::Nothing,
    }
}

#[cfg(test)]
mod tests;
