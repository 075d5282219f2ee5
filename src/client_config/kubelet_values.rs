//! Values of the kubelet's configuration, read as the kubelet reads them: durations, keys of
//! annotations, and patterns of images.

/// Returns whether an annotation can have this key: a name, after a domain and a slash or alone
/// (Kubernetes documentation, "Labels and Selectors").
pub(super) fn is_qualified_name(key: &str) -> bool {
    let (domain, name) = match key.split_once('/') {
        Some((domain, name)) => (Some(domain), name),
        None => (None, key),
    };
    let is_part = |text: &str, others: &str| {
        let is_inner = |it: char| it.is_ascii_alphanumeric() || others.contains(it);
        text.starts_with(|it: char| it.is_ascii_alphanumeric())
            && text.ends_with(|it: char| it.is_ascii_alphanumeric())
            && text.chars().all(is_inner)
    };
    let is_domain =
        |domain: &str| domain.len() <= 253 && domain.split('.').all(|label| is_part(label, "-"));
    name.len() <= 63 && is_part(name, "-_.") && domain.is_none_or(is_domain)
}

/// Returns the whole seconds of a duration as Go writes it, such as `1.5h` or `1h2m3s`
/// (`time.ParseDuration`). Returns `None` if it is invalid or negative.
pub fn go_seconds(text: &str) -> Option<u64> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(0);
    }
    let is_empty = rest.is_empty();
    let mut nanoseconds: u128 = 0;
    while !rest.is_empty() {
        let is_number = |it: char| it.is_ascii_digit() || it == '.';
        let (number, after) = rest.split_at(rest.find(|it| !is_number(it))?);
        let (unit, after) = after.split_at(after.find(is_number).unwrap_or(after.len()));
        let unit: u128 = match unit {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "µs" | "μs" => 1_000,
            "ns" => 1,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        // More digits of a fraction than these are less than a nanosecond.
        let fraction = fraction
            .get(..fraction.len().min(18))
            .filter(|it| !it.contains('.'))?;
        let digits = format!("{whole}{fraction}");
        let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
        let value: u128 = digits.parse().ok()?;
        nanoseconds = nanoseconds.checked_add(value.checked_mul(unit)? / scale)?;
        rest = after;
    }
    // The largest duration of Go.
    let is_valid = !is_empty && nanoseconds <= u128::from(i64::MAX.unsigned_abs());
    let seconds = u64::try_from(nanoseconds / 1_000_000_000).ok();
    seconds.filter(|_| is_valid)
}

/// Returns whether the kubelet can read a pattern of images, for which it uses Go's `url.Parse`.
pub(super) fn is_image_pattern(pattern: &str) -> bool {
    let has_control = pattern.bytes().any(|it| it.is_ascii_control());
    let end = pattern.find(['/', '?', '#']).unwrap_or(pattern.len());
    let (authority, rest) = pattern.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or_default();
    let has_port = |(_, port): (&str, &str)| port.bytes().all(|it| it.is_ascii_digit());
    let is_host = |it: u8| it.is_ascii_alphanumeric() || !it.is_ascii() || HOST_BYTES.contains(&it);
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    !has_control
        && host.bytes().all(is_host)
        && host.rsplit_once(':').is_none_or(has_port)
        && path.split('%').skip(1).all(|after| {
            let digits = after.as_bytes().get(..2);
            digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        })
}

/// The bytes that a host may have besides letters and digits (Go, `net/url`, `shouldEscape`).
const HOST_BYTES: &[u8] = b"-_.~!$&'()*+,;=:[]<>\"";

/// Returns whether a pattern matches images of a host without a port: label by label, with `*`
/// inside of labels. The path of a pattern is not compared.
pub fn matches_host(pattern: &str, host: &str) -> bool {
    let pattern = pattern.split('/').next().unwrap_or_default();
    let (patterns, labels) = (pattern.split('.'), host.split('.'));
    patterns.clone().count() == labels.clone().count()
        && patterns
            .zip(labels)
            .all(|(pattern, label)| matches_label(pattern, label))
}

fn matches_label(pattern: &str, label: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else {
        return pattern == label;
    };
    let rest = label.strip_prefix(before);
    rest.is_some_and(|rest| {
        let mut ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
        ends.any(|at| {
            rest.get(at..)
                .is_some_and(|rest| matches_label(after, rest))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_compare_labels() {
        for (pattern, host, expected) in [
            ("us.icr.io", "us.icr.io", true),
            ("us.icr.io/ns", "us.icr.io", true),
            ("*.icr.io", "us.icr.io", true),
            ("*.icr.io", "icr.io", false),
            ("*.*.icr.io", "private.us.icr.io", true),
            ("u*.icr.io", "uk.icr.io", true),
            ("us.icr.io:443", "us.icr.io", false),
        ] {
            assert_eq!(matches_host(pattern, host), expected, "{pattern} {host}");
        }
    }

    #[test]
    fn patterns_that_go_cannot_read_are_found() {
        for valid in [
            "",
            "us.icr.io",
            "*.icr.io:443/ns/*",
            "a:",
            "b/%41",
            "ü.example",
        ] {
            assert!(is_image_pattern(valid), "{valid}");
        }
        for invalid in [
            "a:*", "a b", "a:x/y", "a\n", "a%zz", "b/%4", "a|b", "a\\b", "a/\u{7f}",
        ] {
            assert!(!is_image_pattern(invalid), "{invalid:?}");
        }
    }

    #[test]
    fn durations_are_those_of_go() {
        assert_eq!(go_seconds("1h2m3s"), Some(3723));
        for (text, expected) in [
            ("1.5h", Some(5400)),
            (".5m", Some(30)),
            ("1.s", Some(1)),
            ("+90s", Some(90)),
            ("1500ms", Some(1)),
            ("3us4ns", Some(0)),
            ("-1s", None),
            ("1.2.3s", None),
            (".s", None),
            ("s", None),
            ("5", None),
            ("1d", None),
            ("99.123456789012345678s", Some(99)),
            ("9999999h", None),
            ("", None),
        ] {
            assert_eq!(go_seconds(text), expected, "{text}");
        }
    }
}
