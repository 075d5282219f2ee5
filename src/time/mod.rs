//! Clocks, deadlines and timeouts, and times as texts.

use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

mod format;

pub(crate) use format::day;
pub(crate) use format::day_and_minute;
pub(crate) use format::duration;
pub(crate) use format::formatted;
pub(crate) use format::minute;
pub(crate) use format::parse_http_date;
pub(crate) use format::parsed;

/// The source of time. Tests use a fake one.
pub trait Clock {
    /// Returns the seconds since 1970 by the machine's clock, which may be wrong.
    fn now(&self) -> u64;

    /// Returns how long the program has been running; never decreases.
    fn elapsed(&self) -> Duration;

    /// Waits.
    fn sleep(&self, duration: Duration);
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// Creates a clock; [`Clock::elapsed`] counts from now.
    #[expect(clippy::disallowed_methods, reason = "time comes from here")]
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "time comes from here")]
impl Clock for SystemClock {
    fn now(&self) -> u64 {
        // A clock before 1970 reads as 1970: expiry then counts from there.
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs())
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

/// The time by which an answer must be given.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Duration,
}

impl Deadline {
    /// Creates the deadline `limit` after now.
    pub fn after(clock: &dyn Clock, limit: Duration) -> Self {
        Self {
            at: clock.elapsed() + limit,
        }
    }

    /// Returns the remaining time; zero if the deadline has passed.
    pub fn remaining(self, clock: &dyn Clock) -> Duration {
        self.at.saturating_sub(clock.elapsed())
    }
}

/// Runs `work` on its own thread and waits for at most `limit`.
///
/// Returns `None` if it takes longer. The thread then runs on until the process ends,
/// because a call that hangs in the kernel or on a bus cannot be cancelled.
pub fn run_with_timeout<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    try_with_timeout(limit, work).ok()
}

/// Why [`try_with_timeout`] has no result.
#[derive(Debug)]
pub enum Unfinished {
    /// The work panicked.
    Broken,
    /// It took longer than the limit.
    Late,
    /// No thread could be started.
    NotStarted(std::io::Error),
}

/// The same as [`run_with_timeout`], with why there is no result.
///
/// # Errors
/// See [`Unfinished`].
pub fn try_with_timeout<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Unfinished> {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    std::thread::Builder::new()
        .spawn(move || {
            // The receiver is gone only after the timeout.
            let _ = sender.send(work());
        })
        .map_err(Unfinished::NotStarted)?;
    receiver.recv_timeout(limit).map_err(|error| match error {
        RecvTimeoutError::Disconnected => Unfinished::Broken,
        RecvTimeoutError::Timeout => Unfinished::Late,
    })
}

#[cfg(test)]
pub(crate) mod fake {
    use std::cell::Cell;

    use super::*;

    /// A clock that moves only when it is advanced or sleeps.
    #[derive(Debug)]
    pub(crate) struct FakeClock {
        pub(crate) now: Cell<u64>,
        pub(crate) elapsed: Cell<Duration>,
    }

    impl FakeClock {
        pub(crate) fn at(now: u64) -> Self {
            Self {
                now: Cell::new(now),
                elapsed: Cell::new(Duration::ZERO),
            }
        }

        pub(crate) fn advance(&self, duration: Duration) {
            self.now.set(self.now.get() + duration.as_secs());
            self.elapsed.set(self.elapsed.get() + duration);
        }
    }

    impl Clock for FakeClock {
        fn now(&self) -> u64 {
            self.now.get()
        }

        fn elapsed(&self) -> Duration {
            self.elapsed.get()
        }

        fn sleep(&self, duration: Duration) {
            self.advance(duration);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fake::FakeClock;
    use super::*;

    #[test]
    fn a_deadline_counts_down_to_zero_and_stays_there() {
        let clock = FakeClock::at(1000);
        let deadline = Deadline::after(&clock, Duration::from_secs(20));
        clock.advance(Duration::from_secs(15));
        assert_eq!(deadline.remaining(&clock), Duration::from_secs(5));
        clock.advance(Duration::from_secs(15));
        assert_eq!(deadline.remaining(&clock), Duration::ZERO);
    }

    #[test]
    fn endless_work_is_abandoned_after_the_timeout() {
        let (_never, waiting) = std::sync::mpsc::channel::<()>();
        let outcome = run_with_timeout(Duration::from_millis(5), move || waiting.recv());
        assert!(outcome.is_none(), "the caller goes on");
        assert_eq!(run_with_timeout(Duration::from_secs(60), || 7), Some(7));
        let (_never, waiting) = std::sync::mpsc::channel::<()>();
        let late = try_with_timeout(Duration::from_millis(5), move || waiting.recv());
        assert!(matches!(late, Err(Unfinished::Late)));
    }
}
