//! The names of objects (RFC 1123; Kubernetes documentation, "Object Names and IDs").

/// The maximum length of the name of an object, in characters (RFC 1123 subdomain).
const MAX_NAME_LENGTH: usize = 253;

/// The maximum length of the name of a namespace, in characters (RFC 1123 label).
const MAX_LABEL_LENGTH: usize = 63;

/// Parses the name of an object.
///
/// # Errors
/// The rule, as the end of a sentence.
pub(crate) fn subdomain(text: &str) -> Result<String, String> {
    if text.len() <= MAX_NAME_LENGTH && text.split('.').all(is_label) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "must have at most {MAX_NAME_LENGTH} lower-case letters, digits, `-` and `.`, and begin and end with a letter or digit"
        ))
    }
}

/// Parses the name of a namespace.
///
/// # Errors
/// The rule, as the end of a sentence.
pub(crate) fn label(text: &str) -> Result<String, String> {
    if text.len() <= MAX_LABEL_LENGTH && is_label(text) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "must have at most {MAX_LABEL_LENGTH} lower-case letters, digits and `-`, and begin and end with a letter or digit"
        ))
    }
}

fn is_label(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_kubernetes() {
        for good in ["a", "icr-pull-secret", "a.b-c.0", &"a".repeat(253)] {
            assert!(subdomain(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "-a",
            "a-",
            "A",
            "a_b",
            "a..b",
            ".a",
            "a.",
            "a b",
            "a\n",
            "é",
            "a\"b",
            &"a".repeat(254),
        ] {
            assert!(subdomain(bad).is_err(), "{bad:?}");
        }
        assert!(label(&"a".repeat(63)).is_ok());
        for bad in ["", "a.b", &"a".repeat(64)] {
            assert!(label(bad).is_err(), "{bad:?}");
        }
    }
}
