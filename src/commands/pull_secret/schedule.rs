//! When passwords are renewed, and how long the program waits between two rounds.

use std::time::Duration;

/// The shortest time between two renewals of a secret, in seconds, however short a token lives.
const MIN_RENEWAL: u64 = 30;

/// The longest time between two renewals of a secret, in seconds, however long a token lives. A
/// later renewal is that of a wrong clock.
pub(super) const MAX_RENEWAL: u64 = 60 * 60;

/// The longest time until a secret is tried again that could not be written while others could.
pub(super) const MAX_RETRY: Duration = Duration::from_secs(60);

/// The pause after the first round that ended early; doubled for each further one.
const FIRST_BACKOFF: Duration = Duration::from_secs(5);

/// The longest pause after such a round.
pub(super) const MAX_BACKOFF: Duration = Duration::from_secs(5 * 60);

/// Returns when a password is renewed that is valid for `remaining` seconds from now: at half of
/// that time, but within the hour.
pub(super) fn renewal(now: u64, remaining: Option<u64>) -> u64 {
    let wait = remaining.map_or(MAX_RENEWAL, |remaining| remaining / 2);
    now.saturating_add(wait.clamp(MIN_RENEWAL, MAX_RENEWAL))
}

/// Returns the pause until the next round: until the next renewal, but no longer than `interval`,
/// in which namespaces may be created.
pub(super) fn pause(now: u64, next_renewal: Option<u64>, interval: Duration) -> Duration {
    let until = next_renewal.map(|time| Duration::from_secs(time.saturating_sub(now)));
    let until = until.unwrap_or(interval).min(interval);
    until.max(Duration::from_secs(1))
}

/// Returns the pause after this number of rounds that ended early, at least 1. The API server may ask
/// for a longer one. `random` spreads several programs.
pub(super) fn backoff(errors: u32, retry_after: Option<Duration>, random: u64) -> Duration {
    let doubled = FIRST_BACKOFF.saturating_mul(1 << errors.saturating_sub(1).min(16));
    let wait = doubled
        .max(retry_after.unwrap_or_default())
        .min(MAX_BACKOFF);
    // Up to a quarter longer.
    let spread = wait.as_millis() as u64 / 4;
    wait + Duration::from_millis(random % spread.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_renewed_at_half_of_its_life() {
        for (remaining, wait) in [
            (Some(3600), 1800),
            (Some(61), 30),
            (Some(60), 30),
            (Some(59), 30),
            (Some(0), 30),
            (Some(7200), 3600),
            (Some(86_400), 3600),
            (Some(u64::MAX), 3600),
            (None, 3600),
        ] {
            assert_eq!(renewal(1000, remaining), 1000 + wait, "{remaining:?}");
        }
        assert_eq!(renewal(u64::MAX, None), u64::MAX);
    }

    #[test]
    fn a_round_is_made_at_the_next_renewal_and_in_each_interval() {
        let minute = Duration::from_secs(60);
        for (next, seconds) in [
            (None, 60),
            (Some(1030), 30),
            (Some(5000), 60),
            (Some(1000), 1),
            (Some(1), 1),
        ] {
            assert_eq!(pause(1000, next, minute).as_secs(), seconds, "{next:?}");
        }
    }

    #[test]
    fn errors_double_the_pause_up_to_a_limit() {
        let seconds = |errors, retry_after: Option<u64>| {
            backoff(errors, retry_after.map(Duration::from_secs), 0).as_secs()
        };
        let pauses: Vec<u64> = (1..9).map(|errors| seconds(errors, None)).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(seconds(u32::MAX, None), 300);
        assert_eq!(seconds(1, Some(30)), 30);
        assert_eq!(seconds(1, Some(86_400)), 300, "a mistake of the server");
        assert!(backoff(1, None, u64::MAX) < Duration::from_millis(6250));
    }
}
