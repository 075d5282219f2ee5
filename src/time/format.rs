//! Dates and durations as texts. Times are seconds since 1970 and always in UTC.

use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::civil::datetime;

const EPOCH: DateTime = datetime(1970, 1, 1, 0, 0, 0, 0);

/// The forms of an HTTP date: the current one, then the two obsolete ones that must be
/// accepted, too (RFC 9110, section 5.6.7).
const HTTP_DATES: [&str; 3] = [
    "%a, %d %b %Y %H:%M:%S GMT",
    "%A, %d-%b-%y %H:%M:%S GMT",
    "%a %b %e %H:%M:%S %Y",
];

/// Returns a time in the `strftime` form `format`; the end of the year 9999 for any
/// later time.
pub(crate) fn formatted(seconds: u64, format: &str) -> String {
    let since = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    EPOCH.saturating_add(since).strftime(format).to_string()
}

/// Returns the time that `text` gives in the `strptime` form `format`; `None` for any
/// other text, or a time before 1970.
pub(crate) fn parsed(text: &str, format: &str) -> Option<u64> {
    let time = DateTime::strptime(format, text).ok()?;
    u64::try_from(time.duration_since(EPOCH).as_secs()).ok()
}

/// Returns the time in an HTTP header such as `Date`.
pub(crate) fn parse_http_date(text: &str) -> Option<u64> {
    let text = text.trim();
    HTTP_DATES.iter().find_map(|format| parsed(text, format))
}

/// Returns the day of a time: `2026-11-21`.
pub(crate) fn day(seconds: u64) -> String {
    formatted(seconds, "%Y-%m-%d")
}

/// Returns the day and minute of a time: `2026-11-21 09:50 UTC`.
pub(crate) fn day_and_minute(seconds: u64) -> String {
    formatted(seconds, "%Y-%m-%d %H:%M UTC")
}

/// Returns the minute of a time without its day: `21:04 UTC`.
pub(crate) fn minute(seconds: u64) -> String {
    formatted(seconds, "%H:%M UTC")
}

/// Returns a duration in the unit that fits best: `50 s`, `48 min`, `3 h`, `12 days`.
pub(crate) fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / (60 * 60)),
        _ => format!("{} days", seconds / (24 * 60 * 60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_the_unit_that_fits_best() {
        for (seconds, text) in [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7199, "119 min"),
            (7200, "2 h"),
            (172_799, "47 h"),
            (172_800, "2 days"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn a_time_is_written_in_utc() {
        assert_eq!(day(951_782_400), "2000-02-29");
        assert_eq!(day_and_minute(784_111_777), "1994-11-06 08:49 UTC");
        assert_eq!(day_and_minute(u64::MAX), "9999-12-31 23:59 UTC");
        assert_eq!(minute(784_111_777), "08:49 UTC");
    }

    #[test]
    fn an_http_date_is_read_in_all_its_forms() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            " Sun, 06 Nov 1994 08:49:37 GMT ",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse_http_date(text), Some(784_111_777), "{text}");
        }
        for text in [
            "",
            "soon",
            "Sun, 06 Nov 1994 08:49:37",
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "Sun, 31 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT, more",
        ] {
            assert_eq!(parse_http_date(text), None, "{text}");
        }
    }
}
