//! The real clock; only this module reads it.
#![expect(clippy::disallowed_methods, reason = "other places are sent here")]

use std::ops::Range;
use std::thread;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// Returns a point in time for measuring; it does not change when the clock is set.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Waits.
pub(crate) fn wait(duration: Duration) {
    thread::sleep(duration);
}

/// Returns the seconds since 1970.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}

/// Returns the time in the form of HTTP headers: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) fn http_date() -> String {
    httpdate::fmt_http_date(SystemTime::now())
}

/// Returns a time in the form of API keys in IAM: `2026-08-01T12:00+0000`.
pub(crate) fn minute(unix: u64) -> String {
    let text = rfc3339(unix);
    format!("{}+0000", &text[..text.len() - ":00Z".len()])
}

/// Reads what [`minute`] writes, from 1970 on.
pub(crate) fn from_minute(text: &str) -> Option<u64> {
    let number = |range: Range<usize>| text.get(range)?.parse::<u64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minutes) = (number(11..13)?, number(14..16)?);
    // The same algorithm backwards.
    let year = if month > 2 {
        year
    } else {
        year.checked_sub(1)?
    };
    let march_month = (month + 9) % 12;
    let day_of_year = (153 * march_month + 2) / 5 + day.checked_sub(1)?;
    let day_of_era = year % 400 * 365 + year % 400 / 4 - year % 400 / 100 + day_of_year;
    let days = (year / 400 * 146_097 + day_of_era).checked_sub(719_468)?;
    let unix = days * 86_400 + hour * 3_600 + minutes * 60;
    // A text that is no date, or has another form, does not survive this round trip.
    (minute(unix) == text).then_some(unix)
}

/// Returns a time as `2026-08-01T12:00:00Z`, without a calendar crate for this one field.
pub(crate) fn rfc3339(unix: u64) -> String {
    let (days, seconds) = (unix / 86_400, unix % 86_400);
    // Days since 1 March of the year 0, so that the leap day is a year's last (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_around_a_leap_day_are_correct() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(
            rfc3339(4_107_542_400),
            "2100-03-01T00:00:00Z",
            "2100 has no leap day"
        );
    }

    #[test]
    fn minutes_are_read_as_they_are_written() {
        for unix in [0, 60, 951_782_340, 951_782_400, 951_868_800, 4_107_542_400] {
            assert_eq!(from_minute(&minute(unix)), Some(unix), "{}", minute(unix));
        }
        for text in [
            "",
            "1969-12-31T23:59+0000",
            "2026-02-29T00:00+0000",
            "2026-00-01T00:00+0000",
            "2026-01-00T00:00+0000",
            "2026-01-01T24:00+0000",
            "2026-01-01T00:00Z",
            "2026-01-01T00:00+0100",
            "2026-01-01 00:00+0000",
            "2026-01-01T00:00:00+0000",
        ] {
            assert_eq!(from_minute(text), None, "{text}");
        }
    }
}
