//! The token cache: which token is still good?
//!
//! IAM tokens are cached per identity, because they are valid in every region; registry tokens
//! per identity and registry. The key is computed from local facts, so a lookup uses no
//! network and no bus.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::error::Error;
use crate::keychain::Item;
use crate::keychain::Keychain;
use crate::keychain::Kind;
use crate::login::LoginHint;
use crate::login::LoginScope;
use crate::secret::Secret;
use crate::time::Clock;

mod failure;
mod key;
mod record;

pub use failure::FAILURE_CACHING;
pub use failure::LastFailure;
pub use key::CacheKey;

use failure::FAILURE_RETENTION;
use failure::FailureRecord;
use record::Record;
use record::TokenRecord;

/// The result of a lookup in the token cache.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Cached {
    /// A token that needs no refresh now.
    Fresh(CachedToken),
    /// A token that works for some minutes, but should be refreshed now.
    RefreshDue(CachedToken),
    /// A token that may expire while a client still uses it.
    NearExpiry(CachedToken),
    /// The error of an attempt to get a token, seconds ago.
    Failed(LastFailure),
    /// No usable token and no recent error.
    Nothing,
}

impl Cached {
    /// Returns the token, if there is one.
    pub fn token(&self) -> Option<&CachedToken> {
        match self {
            Self::Fresh(token) | Self::RefreshDue(token) | Self::NearExpiry(token) => Some(token),
            Self::Failed(_) | Self::Nothing => None,
        }
    }

    /// Returns the text of the token, if there is one.
    pub fn secret(&self) -> Option<&Secret> {
        self.token().map(|token| &token.secret)
    }

    /// Replaces a failure that is about another source with `Nothing`.
    pub fn for_source(self, source: &str) -> Self {
        match self {
            Self::Failed(failure) if !failure.applies_to(source) => Self::Nothing,
            cached => cached,
        }
    }
}

/// A cached token with its age.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CachedToken {
    /// The token.
    pub secret: Secret,
    /// The seconds since it was received.
    pub age: u64,
    /// The seconds until it expires.
    pub remaining: u64,
}

/// The token cache. A keychain that fails is an empty cache.
#[derive(Clone, Copy)]
pub struct TokenCache<'a> {
    keychain: &'a dyn Keychain,
    clock: &'a dyn Clock,
    /// How long lookups return a failure, in seconds.
    failure_caching: u64,
}

impl<'a> TokenCache<'a> {
    /// Creates the token cache in a keychain.
    pub fn new(keychain: &'a dyn Keychain, clock: &'a dyn Clock) -> Self {
        Self {
            keychain,
            clock,
            failure_caching: FAILURE_CACHING,
        }
    }

    /// Returns the same cache with another time, in seconds, for which lookups return a failure.
    #[must_use]
    pub fn with_failure_caching(self, seconds: u64) -> Self {
        Self {
            failure_caching: seconds,
            ..self
        }
    }

    /// Returns what is cached for an identity.
    pub fn get(&self, key: &CacheKey) -> Cached {
        let record = self.record(key);
        record.map_or(Cached::Nothing, |record| self.classify(record))
    }

    /// Returns what is cached for an identity, and whether half of the token's lifetime has
    /// passed. After a failed attempt to refresh it, the token counts as fresh for some
    /// seconds, but its refresh is still due.
    pub fn get_with_refresh_due(&self, key: &CacheKey) -> (Cached, bool) {
        let Some(record) = self.record(key) else {
            return (Cached::Nothing, true);
        };
        let is_due = !record.is_in_first_half(self.clock.now());
        (self.classify(record), is_due)
    }

    fn classify(&self, record: Record) -> Cached {
        record.classify(self.clock.now(), self.failure_caching)
    }

    /// Returns the cached token of an identity while it is usable.
    pub fn secret(&self, key: &CacheKey) -> Option<Secret> {
        self.get(key).secret().cloned()
    }

    /// Returns the cached token of an identity with its age, until it expires.
    pub fn token(&self, key: &CacheKey) -> Option<CachedToken> {
        let Record::Token(record) = self.record(key)? else {
            return None;
        };
        let age = record.age(self.clock.now())?;
        let remaining = record.lifetime.checked_sub(age).filter(|left| *left > 0)?;
        Some(CachedToken {
            secret: record.secret,
            age,
            remaining,
        })
    }

    /// Caches a token that has just been received, until it expires.
    pub fn insert(&self, key: &CacheKey, secret: &Secret, lifetime: Duration) {
        let record = TokenRecord {
            secret: secret.clone(),
            received: self.clock.now(),
            lifetime: lifetime.as_secs(),
            refresh_attempt: None,
        };
        self.insert_record(key, &Record::Token(record), lifetime);
    }

    /// Records that the cached token could not be refreshed now. For some seconds, it counts
    /// as fresh.
    pub fn record_refresh_attempt(&self, key: &CacheKey) {
        let now = self.clock.now();
        if let Some(Record::Token(record)) = self.record(key) {
            let age = now.saturating_sub(record.received);
            let remaining = Duration::from_secs(record.lifetime.saturating_sub(age));
            let record = TokenRecord {
                refresh_attempt: Some(now),
                ..record
            };
            self.insert_record(key, &Record::Token(record), remaining);
        }
    }

    /// Deletes what is cached for these identities.
    pub fn remove_all(&self, keys: Vec<CacheKey>) {
        for key in self.stored(keys) {
            self.remove(&key);
        }
    }

    /// Returns the keys under which something may be cached. Keychains list the items if that
    /// takes fewer calls than a search for each.
    fn stored(&self, mut keys: Vec<CacheKey>) -> Vec<CacheKey> {
        if let Some(names) = self.keychain.names_within(Kind::Token, keys.len()) {
            keys.retain(|key| names.contains(key.as_str()));
        }
        keys
    }

    /// Deletes what is cached for an identity.
    pub fn remove(&self, key: &CacheKey) {
        self.delete(&Item::token(key.as_str()));
    }

    /// Returns the refresh token that replaced the one of a source to which this program does
    /// not write, such as the IBM Cloud CLI's file.
    pub fn rotated_refresh_token(&self, key: &CacheKey) -> Option<Secret> {
        self.secret(&key.of_rotated_refresh_token())
    }

    /// Caches the refresh token that replaced the one of a source to which this program does
    /// not write, such as the IBM Cloud CLI's file.
    pub fn insert_rotated_refresh_token(
        &self,
        key: &CacheKey,
        secret: &Secret,
        lifetime: Duration,
    ) {
        self.insert(&key.of_rotated_refresh_token(), secret, lifetime);
    }

    /// Records that getting a token with a source failed. If `answers_lookups`, lookups return the
    /// error for some seconds; in any case [`TokenCache::last_failure`] returns it for an
    /// hour. Returns the error; during a long outage, with the time at which it started.
    pub fn record_failure(
        &self,
        key: &CacheKey,
        source: &str,
        error: Error,
        answers_lookups: bool,
    ) -> Error {
        let now = self.clock.now();
        // An outage after a rejection, or a rejection after an outage, starts now.
        let since = self
            .last_failure(key)
            .filter(|last| last.applies_to(source))
            .filter(|last| last.is_outage() != error.needs_user_action())
            .map_or(now, |last| last.since);
        let record = FailureRecord::new(source, &error, since, now, answers_lookups);
        self.insert_record(
            key,
            &Record::Failure(record),
            Duration::from_secs(FAILURE_RETENTION),
        );
        failure::with_start_of_outage(error, since, now)
    }

    /// Returns the last failure to get a token, unless a token was received since, for
    /// reports.
    pub fn last_failure(&self, key: &CacheKey) -> Option<LastFailure> {
        match self.record(key)? {
            Record::Failure(record) => record.last_failure(self.clock.now()),
            Record::Token(_) => None,
        }
    }

    /// Deletes the last failures to get a token.
    pub fn remove_failures(&self, keys: Vec<CacheKey>) {
        for key in self.stored(keys) {
            if self.last_failure(&key).is_some() {
                self.remove(&key);
            }
        }
    }

    /// Returns the cached hint about the login for a scope.
    pub fn login_hint(&self, scope: &LoginScope) -> Option<LoginHint> {
        self.read(&Item::hint(&scope.item_name()))
    }

    /// Caches a hint about the login for a scope.
    pub fn insert_login_hint(&self, scope: &LoginScope, hint: &LoginHint, lifetime: Duration) {
        self.write(&Item::hint(&scope.item_name()), hint, lifetime);
    }

    /// Deletes the hint about the login for a scope.
    pub fn remove_login_hint(&self, scope: &LoginScope) {
        self.delete(&Item::hint(&scope.item_name()));
    }

    fn record(&self, key: &CacheKey) -> Option<Record> {
        self.read(&Item::token(key.as_str()))
    }

    fn insert_record(&self, key: &CacheKey, record: &Record, lifetime: Duration) {
        self.write(&Item::token(key.as_str()), record, lifetime);
    }

    fn read<T: for<'de> Deserialize<'de>>(&self, item: &Item) -> Option<T> {
        match self.keychain.read(item) {
            Ok(record) => serde_json::from_str(record?.expose()).ok(),
            Err(error) => {
                tracing::debug!(%error, "cannot read the token cache");
                None
            }
        }
    }

    fn write(&self, item: &Item, record: &impl Serialize, lifetime: Duration) {
        let Ok(record) = serde_json::to_string(record).map(Secret::new) else {
            return;
        };
        if let Err(error) = self.keychain.write(item, &record, Some(lifetime)) {
            tracing::debug!(%error, "cannot write to the token cache");
        }
    }

    fn delete(&self, item: &Item) {
        if let Err(error) = self.keychain.delete(item) {
            tracing::debug!(%error, "cannot delete from the token cache");
        }
    }
}

#[cfg(test)]
mod tests;
