//! The real clock, because these tests run real processes.
#![expect(
    clippy::disallowed_methods,
    reason = "only the program gets its time from outside"
)]

use std::thread;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// Returns a point in time for measuring.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Returns the seconds since 1970.
pub(crate) fn unix_now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = now.expect("it is later than 1970").as_secs();
    i64::try_from(seconds).expect("and not that late")
}

/// Waits for an effect of another process, for ten seconds at most.
pub(crate) fn wait_until(what: &str, happened: impl Fn() -> bool) {
    let start = now();
    while !happened() {
        assert!(start.elapsed().as_secs() < 10, "{what} never happened");
        thread::sleep(Duration::from_millis(2));
    }
}
