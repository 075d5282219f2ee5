use super::*;
use crate::iam::endpoint::Endpoint;
use crate::keychain::KeychainError;
use crate::keychain::memory::MemoryKeychain;
use crate::time::fake::FakeClock;

const START: u64 = 1_800_000_000;

fn key() -> CacheKey {
    CacheKey::new(&Endpoint::public(), "id")
}

fn insert_token(cache: &TokenCache<'_>, seconds: u64) {
    cache.insert(&key(), &Secret::new("token"), Duration::from_secs(seconds));
}

/// Returns the token of [`insert_token`] with a lifetime of an hour, after some seconds.
fn token(age: u64) -> CachedToken {
    CachedToken {
        secret: Secret::new("token"),
        age,
        remaining: 3600 - age,
    }
}

/// Returns the error that a lookup for the source `source` returns.
fn current_error(cache: &TokenCache<'_>) -> Option<Error> {
    match cache.get(&key()).for_source("source") {
        Cached::Failed(last) => Some(last.error),
        _ => None,
    }
}

#[test]
fn a_token_is_returned_with_its_age_until_it_expires() {
    let (keychain, clock) = (MemoryKeychain::default(), FakeClock::at(START));
    let cache = TokenCache::new(&keychain, &clock);
    assert_eq!(cache.token(&key()), None);
    insert_token(&cache, 3600);
    let times = || {
        let token = cache.token(&key());
        token.map(|token| (token.age, token.remaining))
    };
    clock.now.set(START + 600);
    assert_eq!(times(), Some((600, 3000)));
    clock.now.set(START + 3600);
    assert_eq!(times(), None, "expired");
    clock.now.set(START - 1);
    assert_eq!(times(), None, "unknown age");
    cache.record_failure(&key(), "source", Error::user("no"), true);
    assert_eq!(times(), None, "a failure");
}

#[test]
fn a_token_is_fresh_for_half_its_lifetime_and_usable_until_its_last_minute() {
    let (keychain, clock) = (MemoryKeychain::default(), FakeClock::at(START));
    let cache = TokenCache::new(&keychain, &clock);
    insert_token(&cache, 3600);
    for (age, expected) in [
        (0, Cached::Fresh(token(0))),
        (1799, Cached::Fresh(token(1799))),
        (1800, Cached::RefreshDue(token(1800))),
        (3299, Cached::RefreshDue(token(3299))),
        (3300, Cached::NearExpiry(token(3300))),
        (3539, Cached::NearExpiry(token(3539))),
        (3540, Cached::Nothing),
        (1_000_000, Cached::Nothing),
    ] {
        clock.now.set(START + age);
        assert_eq!(cache.get(&key()), expected, "after {age} s");
    }
    clock.now.set(START - 1);
    assert_eq!(cache.get(&key()), Cached::Nothing, "the clock was set back");
}

#[test]
fn a_token_counts_as_fresh_for_seconds_after_a_failed_refresh() {
    let (keychain, clock) = (MemoryKeychain::default(), FakeClock::at(START));
    let cache = TokenCache::new(&keychain, &clock);
    cache.record_refresh_attempt(&key());
    assert_eq!(cache.get(&key()), Cached::Nothing, "no token is cached");
    insert_token(&cache, 3600);
    clock.now.set(START + 2000);
    cache.record_refresh_attempt(&key());
    clock.now.set(START + 2004);
    let (cached, is_refresh_due) = cache.get_with_refresh_due(&key());
    assert_eq!(cached, Cached::Fresh(token(2004)));
    assert!(is_refresh_due, "the background refresh continues");
    clock.now.set(START + 2005);
    assert_eq!(cache.get(&key()), Cached::RefreshDue(token(2005)));
}

#[test]
fn a_failure_is_returned_for_seconds() {
    let (keychain, clock) = (MemoryKeychain::default(), FakeClock::at(START));
    let cache = TokenCache::new(&keychain, &clock);
    for error in [
        Error::user("no such key")
            .with_hint("Set a new one")
            .as_rejection(),
        Error::temporary("no network"),
    ] {
        let is_outage = error.is_temporary();
        clock.now.set(START);
        cache.record_failure(&key(), "source", error.clone(), true);
        clock.now.set(START + 4);
        assert_eq!(current_error(&cache), Some(error));
        let of_another = cache.get(&key()).for_source("another source");
        assert_eq!(of_another != Cached::Nothing, is_outage);
        clock.now.set(START + 5);
        assert_eq!(cache.get(&key()), Cached::Nothing);
        let for_longer = cache.with_failure_caching(60);
        assert_ne!(for_longer.get(&key()), Cached::Nothing);
        clock.now.set(START + 60);
        assert_eq!(for_longer.get(&key()), Cached::Nothing);
    }
}

#[test]
fn the_last_failure_is_reported_for_an_hour() {
    let (keychain, clock) = (MemoryKeychain::default(), FakeClock::at(START));
    let cache = TokenCache::new(&keychain, &clock);
    let error = Error::temporary("no network");
    assert_eq!(cache.last_failure(&key()), None);
    cache.record_failure(&key(), "source", error.clone(), false);
    assert_eq!(cache.get(&key()), Cached::Nothing, "only reported");
    clock.now.set(START + 3599);
    let last = LastFailure {
        error,
        source: "source".into(),
        since: START,
        age: 3599,
    };
    assert_eq!(cache.last_failure(&key()), Some(last));
    clock.now.set(START + 3600);
    assert_eq!(cache.last_failure(&key()), None);
    clock.now.set(START + 100);
    insert_token(&cache, 3600);
    assert_eq!(cache.last_failure(&key()), None, "replaced by a token");
}

#[test]
fn the_error_of_a_long_outage_says_when_it_started() {
    let (keychain, clock) = (MemoryKeychain::default(), FakeClock::at(START));
    let cache = TokenCache::new(&keychain, &clock);
    let fail = |seconds: u64, error: Error| {
        clock.now.set(START + seconds);
        let error = cache.record_failure(&key(), "source", error, true);
        assert_eq!(current_error(&cache), Some(error.clone()), "the same text");
        error.to_string()
    };
    let outage = || Error::temporary("no network").with_hint("Wait");
    assert_eq!(fail(0, outage()), "no network. Wait");
    assert_eq!(fail(59, outage()), "no network. Wait");
    for (seconds, length) in [(60, "60 s"), (420, "7 min"), (3900, "65 min")] {
        let expected = format!("no network (failing since 08:00 UTC, {length}). Wait");
        assert_eq!(fail(seconds, outage()), expected);
    }
    assert_eq!(fail(3960, Error::user("no such key")), "no such key");
    assert_eq!(fail(4080, Error::user("no such key")), "no such key");
    assert_eq!(fail(4080, outage()), "no network. Wait", "another outage");
    insert_token(&cache, 3600);
    assert_eq!(fail(4200, outage()), "no network. Wait", "another outage");
}

#[test]
fn records_of_earlier_programs_are_read() {
    let (keychain, clock) = (MemoryKeychain::default(), FakeClock::at(START + 2));
    let cache = TokenCache::new(&keychain, &clock);
    let store = |text: String| {
        let item = Item::token(key().as_str());
        keychain.write(&item, &Secret::new(text), None).unwrap();
    };
    store(format!(
        r#"{{"token":{{"secret":"x","received":{},"lifetime":3600,"tried":{START}}}}}"#,
        START - 2000
    ));
    let fresh = cache.get(&key());
    assert!(matches!(&fresh, Cached::Fresh(token) if token.secret.expose() == "x"));
    store(format!(
        r#"{{"failure":{{"message":"no","permanent":true,"rejection":true,"received":{START}}}}}"#
    ));
    let last = LastFailure {
        error: Error::user("no").as_rejection(),
        source: String::new(),
        since: START,
        age: 2,
    };
    assert_eq!(cache.get(&key()), Cached::Failed(last));
    store(format!(
        r#"{{"failure":{{"message":"no","permanent":false,"received":{START},"obeyed":false}}}}"#
    ));
    assert_eq!(cache.get(&key()), Cached::Nothing);
}

#[test]
fn an_invalid_record_counts_as_nothing() {
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
        assert_eq!(cache.get(&key()), Cached::Nothing, "{text}");
    }
}

#[test]
fn a_keychain_that_fails_is_an_empty_cache() {
    let (keychain, clock) = (MemoryKeychain::default(), FakeClock::at(START));
    keychain.fail_with(Some(KeychainError::Refused("broken".into())));
    let cache = TokenCache::new(&keychain, &clock);
    insert_token(&cache, 3600);
    cache.remove(&key());
    assert_eq!(cache.get(&key()), Cached::Nothing);
}
