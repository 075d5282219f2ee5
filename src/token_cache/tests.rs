use super::*;
use crate::iam::endpoint::Endpoint;
use crate::keychain::KeychainError;
use crate::keychain::memory::MemoryKeychain;
use crate::time::fake::FakeClock;

const START: u64 = 1_800_000_000;

fn key() -> CacheKey {
    CacheKey::new(&Endpoint::public(), "id")
}

fn keep(cache: &TokenCache<'_>, seconds: u64) {
    cache.insert(&key(), &Secret::new("token"), Duration::from_secs(seconds));
}

/// The failure that is the answer for now.
fn failed(cache: &TokenCache<'_>) -> Option<Error> {
    match cache.get_for_source(&key(), "it") {
        Cached::Failed(past) => Some(past.error),
        _ => None,
    }
}

#[test]
fn a_token_that_is_kept_tells_its_age_until_it_ends() {
    let (keychain, clock) = (MemoryKeychain::default(), FakeClock::at(START));
    let cache = TokenCache::new(&keychain, &clock);
    assert_eq!(cache.token(&key()), None);
    keep(&cache, 3600);
    let ages = |cache: &TokenCache<'_>| cache.token(&key()).map(|kept| (kept.age, kept.remaining));
    clock.now.set(START + 600);
    assert_eq!(ages(&cache), Some((600, 3000)));
    clock.now.set(START + 3600);
    assert_eq!(ages(&cache), None, "it has ended");
    clock.now.set(START - 1);
    assert_eq!(ages(&cache), None, "nobody knows how old it is");
    cache.record_failure(&key(), "it", Error::user("no"), true);
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
        assert_eq!(cache.get(&key()), expected, "after {age} s");
    }
    clock.now.set(START - 1);
    assert_eq!(
        cache.get(&key()),
        Cached::Nothing,
        "a clock set back knows no age"
    );
}

#[test]
fn a_token_that_cannot_be_replaced_is_handed_out_for_a_few_seconds() {
    let (keychain, clock) = (MemoryKeychain::default(), FakeClock::at(START));
    let cache = TokenCache::new(&keychain, &clock);
    cache.record_refresh_attempt(&key());
    assert_eq!(cache.get(&key()), Cached::Nothing, "there is none");
    keep(&cache, 3600);
    clock.now.set(START + 2000);
    cache.record_refresh_attempt(&key());
    clock.now.set(START + 2004);
    assert_eq!(cache.get(&key()), Cached::Fresh(Secret::new("token")));
    assert!(
        cache.get_with_refresh_due(&key()).1,
        "the background refresh goes on"
    );
    clock.now.set(START + 2005);
    assert_eq!(cache.get(&key()), Cached::RefreshDue(Secret::new("token")));
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
        cache.record_failure(&key(), "it", failure.clone(), true);
        clock.now.set(START + 4);
        assert_eq!(failed(&cache), Some(failure));
        let of_another = cache.get_for_source(&key(), "another source");
        assert_eq!(of_another != Cached::Nothing, may_pass);
        clock.now.set(START + 5);
        assert_eq!(cache.get(&key()), Cached::Nothing);
    }
}

#[test]
fn a_failure_is_told_for_an_hour_after_it_is_not_obeyed_any_more() {
    let (keychain, clock) = (MemoryKeychain::default(), FakeClock::at(START));
    let cache = TokenCache::new(&keychain, &clock);
    let failure = Error::temporary("no network");
    assert_eq!(cache.last_failure(&key()), None);
    cache.record_failure(&key(), "it", failure.clone(), false);
    assert_eq!(cache.get(&key()), Cached::Nothing, "it is only told");
    clock.now.set(START + 3599);
    let past = LastFailure {
        error: failure,
        source: "it".into(),
        since: START,
        age: 3599,
    };
    assert_eq!(cache.last_failure(&key()), Some(past));
    clock.now.set(START + 3600);
    assert_eq!(cache.last_failure(&key()), None);
    clock.now.set(START + 100);
    keep(&cache, 3600);
    assert_eq!(cache.last_failure(&key()), None, "a token takes its place");
}

#[test]
fn an_outage_says_since_when_it_lasts() {
    let (keychain, clock) = (MemoryKeychain::default(), FakeClock::at(START));
    let cache = TokenCache::new(&keychain, &clock);
    let fail = |seconds: u64, failure: Error| {
        clock.now.set(START + seconds);
        let failure = cache.record_failure(&key(), "it", failure, true);
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
        assert_eq!(cache.get(&key()), Cached::Nothing, "{text}");
    }
}

#[test]
fn a_keychain_that_fails_is_an_empty_cache() {
    let (keychain, clock) = (MemoryKeychain::default(), FakeClock::at(START));
    keychain.fail_with(Some(KeychainError::Refused("broken".into())));
    let cache = TokenCache::new(&keychain, &clock);
    keep(&cache, 3600);
    cache.remove(&key());
    assert_eq!(cache.get(&key()), Cached::Nothing);
}
