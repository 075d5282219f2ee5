//! Which token is still good, and what is kept of it.
//!
//! Tokens are kept per identity, not per registry: an IAM token opens every
//! region. The key is computed from what is at hand locally, so that finding a
//! token takes no network and no bus.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::digest;
use crate::error::Error;
use crate::iam::endpoint::Endpoint;
use crate::keychain::Item;
use crate::keychain::Keychain;
use crate::login::LoginHint;
use crate::login::LoginScope;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::time;
use crate::time::Clock;

/// The least life left, in seconds, with which a token is handed out when IAM
/// cannot give a new one: a pull must be able to begin with it.
const LEAST_LIFE: u64 = 60;

/// The least life left, in seconds, with which a token is handed out although IAM
/// was not asked for a new one: buildx keeps what it got for 4 minutes 50 seconds
/// (`moby/buildkit`, `authprovider.go`).
const CLIENT_MEMORY: u64 = 300;

/// How long a failure is answered again without asking IAM, in seconds: long enough
/// for forty processes of one build, too short for a person who has mended it.
const FAILURE_LIFE: u64 = 5;

/// How long a failure is remembered for telling a person about it, in seconds. A token
/// that is got in the meantime takes its place.
const FAILURE_MEMORY: u64 = 60 * 60;

/// From when on a failure says since when it lasts, in seconds.
const LONG_OUTAGE: u64 = 60;

/// Names an identity at an IAM endpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CacheKey(String);

impl CacheKey {
    /// The key of the login or source named `id` at this endpoint. Whoever logs
    /// in with something else has another `id`, so a new login is never answered
    /// with an old token.
    pub fn new(endpoint: &Endpoint, id: &str) -> Self {
        Self(digest::fingerprint(&[&endpoint.token_url(), id]))
    }

    /// The key of the refresh token that was issued with the access token of this
    /// key, for registries that are to get that.
    pub fn of_refresh_token(&self) -> Self {
        Self(digest::fingerprint(&["refresh token", &self.0]))
    }

    /// The key of a registry token that was made with the access token of this key;
    /// each registry has its own.
    pub fn of_registry_token(&self, registry: &Registry) -> Self {
        Self(digest::fingerprint(&[
            "registry token",
            registry.host(),
            &self.0,
        ]))
    }

    /// The key of what replaced a refresh token whose source we do not write to.
    fn of_rotated_refresh_token(&self) -> Self {
        Self(digest::fingerprint(&["successor", &self.0]))
    }

    /// The key's text: hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

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
    Failed(PastFailure),
    /// Nothing.
    Nothing,
}

/// A failure that is remembered, with nothing since that worked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PastFailure {
    /// What failed.
    pub failure: Error,
    /// What a person calls the source that it is about.
    pub source: String,
    /// When it first failed like this, in seconds since 1970.
    pub since: u64,
    /// How long ago it last failed, in seconds.
    pub age: u64,
}

impl PastFailure {
    /// Whether it is one of this source. An outage is one of all sources that hold the
    /// same key: nobody should wait for each of them.
    pub fn is_of(&self, source: &str) -> bool {
        self.source == source || self.may_pass()
    }

    /// Whether nothing is wrong with what the person set up.
    pub fn may_pass(&self) -> bool {
        self.failure.is_temporary()
    }
}

/// A token that is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CachedToken {
    /// The token.
    pub secret: Secret,
    /// How long ago it was received, in seconds.
    pub age: u64,
    /// How long it is good yet, in seconds.
    pub left: u64,
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
            Self::Failed(past) if !past.is_of(source) => Self::Nothing,
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
    pub fn look_up(&self, key: &CacheKey) -> Cached {
        let record = self.read(&Item::token(key.as_str()));
        record.map_or(Cached::Nothing, |record| classify(record, self.clock.now()))
    }

    /// Returns what is known about an identity's token; a failure counts only if it is
    /// about this source.
    pub fn look_up_for(&self, key: &CacheKey, source: &str) -> Cached {
        self.look_up(key).for_source(source)
    }

    /// An identity's token, for telling a person about it; `None` when it has ended,
    /// or there is none.
    pub fn kept(&self, key: &CacheKey) -> Option<CachedToken> {
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
        let left = lifetime.checked_sub(age).filter(|left| *left > 0)?;
        Some(CachedToken { secret, age, left })
    }

    /// Returns what is known about an identity's token, and whether its refresh is due.
    /// A recent attempt to refresh it does not count.
    pub fn look_up_with_refresh_due(&self, key: &CacheKey) -> (Cached, bool) {
        let Some(record) = self.read::<Record>(&Item::token(key.as_str())) else {
            return (Cached::Nothing, true);
        };
        let now = self.clock.now();
        let untried = classify(record.clone().untried(), now);
        let is_due = !matches!(untried, Cached::Fresh(_));
        (classify(record, now), is_due)
    }

    /// Keeps a token that has just been received, for as long as it is good.
    pub fn keep(&self, key: &CacheKey, secret: &Secret, lifetime: Duration) {
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
        match self.look_up(key) {
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
    pub fn store_rotated_refresh_token(&self, key: &CacheKey, secret: &Secret, lifetime: Duration) {
        self.keep(&key.of_rotated_refresh_token(), secret, lifetime);
    }

    /// Remembers that there was no token to be had with a source. If it `is_obeyed`, it is the
    /// answer for a few seconds; in any case a person can be told for an hour. Returns
    /// the failure with since when there has been one like it, if that is long.
    pub fn remember_failure(
        &self,
        key: &CacheKey,
        source: &str,
        failure: Error,
        is_obeyed: bool,
    ) -> Error {
        let now = self.clock.now();
        let is_permanent = failure.is_user();
        let since = self
            .past_failure(key)
            .filter(|past| past.is_of(source))
            .filter(|past| past.may_pass() != is_permanent)
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
    pub fn past_failure(&self, key: &CacheKey) -> Option<PastFailure> {
        let record: Record = self.read(&Item::token(key.as_str()))?;
        past_failure(&record, self.clock.now())
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
    pub fn forget_failure(&self, key: &CacheKey) {
        if self.past_failure(key).is_some() {
            self.forget(key);
        }
    }

    /// Forgets what is known about an identity's token.
    pub fn forget(&self, key: &CacheKey) {
        self.delete(&Item::token(key.as_str()));
    }

    /// Which login a scope has, as far as it was noted.
    pub fn hint(&self, scope: &LoginScope) -> Option<LoginHint> {
        self.read(&Item::hint(&scope.item_name()))
    }

    /// Notes which login a scope has.
    pub fn note_hint(&self, scope: &LoginScope, hint: &LoginHint, lifetime: Duration) {
        self.write(&Item::hint(&scope.item_name()), hint, lifetime);
    }

    /// Forgets which login a scope has.
    pub fn forget_hint(&self, scope: &LoginScope) {
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
        } if obeyed && is_recent(received) => match past_failure(&record, now) {
            Some(past) => Cached::Failed(PastFailure {
                failure: dated(past.failure, past.since, now),
                ..past
            }),
            None => Cached::Nothing,
        },
        Record::Failure { .. } => Cached::Nothing,
    }
}

/// The failure in a record, while it is worth telling.
fn past_failure(record: &Record, now: u64) -> Option<PastFailure> {
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
    let mut failure = if *permanent {
        Error::user(message.as_str())
    } else {
        Error::temporary(message.as_str())
    };
    if let Some(hint) = hint {
        failure = failure.with_hint(hint);
    }
    if *rejection {
        failure = failure.as_rejection();
    }
    Some(PastFailure {
        failure,
        source: source.clone(),
        since: since.unwrap_or(*received).min(*received),
        age,
    })
}

/// The failure with since when it lasts, if that is long and may pass.
fn dated(failure: Error, since: u64, now: u64) -> Error {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keychain::KeychainError;
    use crate::keychain::memory::MemoryKeychain;
    use crate::time::fake::FakeClock;

    const START: u64 = 1_800_000_000;

    fn key() -> CacheKey {
        CacheKey::new(&Endpoint::public(), "id")
    }

    fn keep(cache: &TokenCache<'_>, seconds: u64) {
        cache.keep(&key(), &Secret::new("token"), Duration::from_secs(seconds));
    }

    /// The failure that is the answer for now.
    fn failed(cache: &TokenCache<'_>) -> Option<Error> {
        match cache.look_up_for(&key(), "it") {
            Cached::Failed(past) => Some(past.failure),
            _ => None,
        }
    }

    #[test]
    fn a_token_that_is_kept_tells_its_age_until_it_ends() {
        let (keychain, clock) = (MemoryKeychain::default(), FakeClock::at(START));
        let cache = TokenCache::new(&keychain, &clock);
        assert_eq!(cache.kept(&key()), None);
        keep(&cache, 3600);
        let ages = |cache: &TokenCache<'_>| cache.kept(&key()).map(|kept| (kept.age, kept.left));
        clock.now.set(START + 600);
        assert_eq!(ages(&cache), Some((600, 3000)));
        clock.now.set(START + 3600);
        assert_eq!(ages(&cache), None, "it has ended");
        clock.now.set(START - 1);
        assert_eq!(ages(&cache), None, "nobody knows how old it is");
        cache.remember_failure(&key(), "it", Error::user("no"), true);
        assert_eq!(ages(&cache), None, "a failure is no token");
    }

    #[test]
    fn a_token_is_fresh_for_half_its_life_and_usable_until_its_last_minute() {
        let (keychain, clock) = (MemoryKeychain::default(), FakeClock::at(START));
        let cache = TokenCache::new(&keychain, &clock);
        keep(&cache, 3600);
        let token = Secret::new("token");
        for (age, expected) in [
            (0, Cached::Fresh(token.clone())),
            (1799, Cached::Fresh(token.clone())),
            (1800, Cached::RefreshDue(token.clone())),
            (3299, Cached::RefreshDue(token.clone())),
            (3300, Cached::NearExpiry(token.clone())),
            (3539, Cached::NearExpiry(token)),
            (3540, Cached::Nothing),
            (1_000_000, Cached::Nothing),
        ] {
            clock.now.set(START + age);
            assert_eq!(cache.look_up(&key()), expected, "after {age} s");
        }
        clock.now.set(START - 1);
        assert_eq!(
            cache.look_up(&key()),
            Cached::Nothing,
            "a clock set back knows no age"
        );
    }

    #[test]
    fn a_token_that_cannot_be_replaced_is_handed_out_for_a_few_seconds() {
        let (keychain, clock) = (MemoryKeychain::default(), FakeClock::at(START));
        let cache = TokenCache::new(&keychain, &clock);
        cache.record_refresh_attempt(&key());
        assert_eq!(cache.look_up(&key()), Cached::Nothing, "there is none");
        keep(&cache, 3600);
        clock.now.set(START + 2000);
        cache.record_refresh_attempt(&key());
        clock.now.set(START + 2004);
        assert_eq!(cache.look_up(&key()), Cached::Fresh(Secret::new("token")));
        assert!(
            cache.look_up_with_refresh_due(&key()).1,
            "the background refresh goes on"
        );
        clock.now.set(START + 2005);
        assert_eq!(
            cache.look_up(&key()),
            Cached::RefreshDue(Secret::new("token"))
        );
    }

    #[test]
    fn a_failure_is_remembered_for_a_few_seconds() {
        let (keychain, clock) = (MemoryKeychain::default(), FakeClock::at(START));
        let cache = TokenCache::new(&keychain, &clock);
        for failure in [
            Error::user("no such key")
                .with_hint("Set a new one")
                .as_rejection(),
            Error::temporary("no network"),
        ] {
            let may_pass = failure.is_temporary();
            clock.now.set(START);
            cache.remember_failure(&key(), "it", failure.clone(), true);
            clock.now.set(START + 4);
            assert_eq!(failed(&cache), Some(failure));
            let of_another = cache.look_up_for(&key(), "another source");
            assert_eq!(of_another != Cached::Nothing, may_pass);
            clock.now.set(START + 5);
            assert_eq!(cache.look_up(&key()), Cached::Nothing);
        }
    }

    #[test]
    fn a_failure_is_told_for_an_hour_after_it_is_not_obeyed_any_more() {
        let (keychain, clock) = (MemoryKeychain::default(), FakeClock::at(START));
        let cache = TokenCache::new(&keychain, &clock);
        let failure = Error::temporary("no network");
        assert_eq!(cache.past_failure(&key()), None);
        cache.remember_failure(&key(), "it", failure.clone(), false);
        assert_eq!(cache.look_up(&key()), Cached::Nothing, "it is only told");
        clock.now.set(START + 3599);
        let past = PastFailure {
            failure,
            source: "it".into(),
            since: START,
            age: 3599,
        };
        assert_eq!(cache.past_failure(&key()), Some(past));
        clock.now.set(START + 3600);
        assert_eq!(cache.past_failure(&key()), None);
        clock.now.set(START + 100);
        keep(&cache, 3600);
        assert_eq!(cache.past_failure(&key()), None, "a token takes its place");
    }

    #[test]
    fn an_outage_says_since_when_it_lasts() {
        let (keychain, clock) = (MemoryKeychain::default(), FakeClock::at(START));
        let cache = TokenCache::new(&keychain, &clock);
        let fail = |seconds: u64, failure: Error| {
            clock.now.set(START + seconds);
            let failure = cache.remember_failure(&key(), "it", failure, true);
            assert_eq!(
                failed(&cache),
                Some(failure.clone()),
                "the same words again"
            );
            failure.to_string()
        };
        let outage = || Error::temporary("no network").with_hint("Wait");
        assert_eq!(fail(0, outage()), "no network. Wait");
        assert_eq!(fail(59, outage()), "no network. Wait");
        for (seconds, lasted) in [(60, "60 s"), (420, "7 min"), (3900, "65 min")] {
            let expected = format!("no network (failing since 08:00 UTC, {lasted}). Wait");
            assert_eq!(fail(seconds, outage()), expected);
        }
        assert_eq!(fail(3960, Error::user("no such key")), "no such key");
        assert_eq!(fail(4080, Error::user("no such key")), "no such key");
        assert_eq!(fail(4080, outage()), "no network. Wait", "another outage");
        keep(&cache, 3600);
        assert_eq!(fail(4200, outage()), "no network. Wait", "another outage");
    }

    #[test]
    fn what_is_no_record_of_ours_is_nothing() {
        let (keychain, clock) = (MemoryKeychain::default(), FakeClock::at(START));
        let cache = TokenCache::new(&keychain, &clock);
        for text in [
            "",
            "-",
            "{}",
            "{\"token\":{}}",
            "{\"token\":{\"secret\":\"x\",\"received\":-1,\"lifetime\":5}}",
        ] {
            keychain
                .write(&Item::token(key().as_str()), &Secret::new(text), None)
                .unwrap();
            assert_eq!(cache.look_up(&key()), Cached::Nothing, "{text}");
        }
    }

    #[test]
    fn a_keychain_that_fails_is_an_empty_cache() {
        let (keychain, clock) = (MemoryKeychain::default(), FakeClock::at(START));
        keychain.fail_with(Some(KeychainError::Refused("broken".into())));
        let cache = TokenCache::new(&keychain, &clock);
        keep(&cache, 3600);
        cache.forget(&key());
        assert_eq!(cache.look_up(&key()), Cached::Nothing);
    }

    #[test]
    fn a_key_depends_on_the_endpoint_and_the_identity() {
        let other = Endpoint::parse("https://iam.example.com").unwrap();
        assert_ne!(key(), CacheKey::new(&other, "id"));
        assert_ne!(key(), CacheKey::new(&Endpoint::public(), "other"));
        let registries = ["us.icr.io", "de.icr.io"].map(|host| Registry::parse(host).unwrap());
        let of_registries = registries.map(|registry| key().of_registry_token(&registry));
        assert_ne!(of_registries[0], of_registries[1]);
        assert!(!of_registries.contains(&key()));
        assert!(key().as_str().bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
