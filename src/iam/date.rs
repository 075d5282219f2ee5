//! The dates of IAM's API keys: `2026-11-21T09:50+0000`, always in UTC
//! (`platform-services-go-sdk`, `iamidentityv1`, `CreateAPIKeyOptions`).

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Days from 0000-03-01, where years begin here so that the leap day is the last,
/// to 1970-01-01.
const DAYS_BEFORE_1970: u64 = 719_468;

/// The days of 400 years: the Gregorian calendar repeats after that.
const DAYS_OF_CYCLE: u64 = 146_097;

/// The last second that is written, at the end of the year 9999.
const LAST: u64 = 253_402_300_799;

/// A moment, in seconds since 1970, as IAM writes it; seconds are left out, so that
/// nothing outlives what was asked for.
pub(crate) fn written(seconds: u64) -> String {
    let seconds = seconds.min(LAST);
    let days = seconds / DAY + DAYS_BEFORE_1970;
    let (cycle, day) = (days / DAYS_OF_CYCLE, days % DAYS_OF_CYCLE);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Five months from March on have 153 days, and so do the next five.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = 400 * cycle + year + next_year;
    let (hour, minute) = (seconds % DAY / HOUR, seconds % HOUR / MINUTE);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}+0000")
}

/// The day of a moment in seconds since 1970, in UTC: `2026-11-21`.
pub(crate) fn day(seconds: u64) -> String {
    let written = written(seconds);
    match written.split_once('T') {
        Some((day, _)) => day.to_owned(),
        None => written,
    }
}

/// A time in the unit that says most: `50 s`, `48 min`, `3 h`, `12 days`.
pub(crate) fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / MINUTE),
        7200..172_800 => format!("{} h", seconds / HOUR),
        _ => format!("{} days", seconds / DAY),
    }
}

/// The minute of a moment in seconds since 1970: `21:04 UTC`.
pub(crate) fn minute(seconds: u64) -> String {
    let (hour, minute) = (seconds % DAY / HOUR, seconds % HOUR / MINUTE);
    format!("{hour:02}:{minute:02} UTC")
}

/// What [`written`] wrote, also with seconds and with `Z`; `None` when it is no such
/// date.
pub(super) fn read(text: &str) -> Option<u64> {
    let text = ["+0000", "+00:00", "Z"]
        .iter()
        .find_map(|zone| text.strip_suffix(zone))?;
    let (date, time) = text.split_once('T')?;
    let [year, month, day] = numbers(date, '-')?[..] else {
        return None;
    };
    let (hour, minute, second) = match numbers(time, ':')?[..] {
        [hour, minute] => (hour, minute, 0),
        [hour, minute, second] => (hour, minute, second),
        _ => return None,
    };
    let is_date = (1970..=9999).contains(&year) && (1..=12).contains(&month);
    if !is_date || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let days = days.checked_sub(DAYS_BEFORE_1970)?;
    Some(days * DAY + hour * HOUR + minute * MINUTE + second)
}

fn numbers(text: &str, separator: char) -> Option<Vec<u64>> {
    text.split(separator)
        .map(|part| {
            let is_number = part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| part.parse().ok())?
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn a_time_is_told_in_the_unit_that_says_most() {
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
    fn a_date_is_written_as_iam_reads_it() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00+0000"),
            (784_111_777, "1994-11-06T08:49+0000"),
            (951_782_399, "2000-02-28T23:59+0000"),
            (951_782_400, "2000-02-29T00:00+0000"),
            (951_868_800, "2000-03-01T00:00+0000"),
            (1_800_000_000, "2027-01-15T08:00+0000"),
            (4_107_542_400, "2100-03-01T00:00+0000"),
            (LAST, "9999-12-31T23:59+0000"),
            (u64::MAX, "9999-12-31T23:59+0000"),
        ] {
            assert_eq!(written(seconds), text);
        }
    }

    #[test]
    fn every_day_is_the_one_that_another_calendar_says() {
        for day in (0..3_000_000).step_by(17) {
            let seconds = (day * DAY).min(LAST);
            let other = httpdate::HttpDate::from(UNIX_EPOCH + Duration::from_secs(seconds));
            let other = other.to_string();
            let parts: Vec<&str> = other.split(' ').collect();
            let text = written(seconds);
            assert!(text.starts_with(parts[3]), "{text}, {other}");
            assert_eq!(&text[8..10], parts[1], "{text}, {other}");
            assert_eq!(read(&text), Some(seconds / MINUTE * MINUTE), "{text}");
        }
    }

    #[test]
    fn what_iam_writes_is_read() {
        for (text, seconds) in [
            ("2027-01-15T08:00+0000", Some(1_800_000_000)),
            ("2027-01-15T08:00:07+0000", Some(1_800_000_007)),
            ("2027-01-15T08:00:07Z", Some(1_800_000_007)),
            ("2027-01-15T08:00", None),
            ("2027-01-15T08:00+0100", None),
            ("2027-13-15T08:00+0000", None),
            ("2027-00-15T08:00+0000", None),
            ("2027-01-32T08:00+0000", None),
            ("2027-01-15T24:00+0000", None),
            ("1969-12-31T23:59+0000", None),
            ("99999999999-01-01T00:00+0000", None),
            ("2027-01-+5T08:00+0000", None),
            ("2027-01T08:00+0000", None),
            ("soon", None),
            ("", None),
            ("é-T:Z", None),
        ] {
            assert_eq!(read(text), seconds, "{text}");
        }
    }
}
