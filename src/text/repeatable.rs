//! Checks whether messages and logs may repeat a text from the input, or whether it may be a
//! secret.
//!
//! A parser cannot distinguish an API key or password in the wrong place from another word. So
//! only texts that are unlikely to be one are repeated: hosts, short plain words, identifiers.
//! An API key of IBM Cloud has 44 characters of mixed case with digits, a passcode 10. Tokens
//! are longer, with dots between their parts.

use std::net::Ipv4Addr;

use super::address::host_of;

/// Replaces a text that is not repeated.
pub(crate) const NOT_SHOWN: &str = "a text that is not shown (it may be a secret)";

/// The length of IBM Cloud's API keys, in characters.
const API_KEY_LENGTH: usize = 44;

/// The size limit of a repeated word, in bytes.
const MAX_WORD: usize = 20;

/// The size limit of a repeated label of a host or part of a file's name, in bytes.
const MAX_LABEL: usize = 40;

/// The length limit of a repeated number, in digits.
const MAX_DIGITS: usize = 4;

/// Returns the host of a server address, without the rest of it.
pub(crate) fn host(address: &str) -> Option<String> {
    let host = host_of(address)?;
    let name = host.split(':').next()?;
    let start = address.find("://").map_or(0, |scheme| scheme + "://".len());
    let typed = address.get(start..start + name.len())?;
    let is_plain = name == "localhost"
        || name.parse::<Ipv4Addr>().is_ok()
        || has_domain(name) && typed.split('.').all(is_label);
    is_plain.then_some(host)
}

/// Returns a text in quotation marks, or [`NOT_SHOWN`].
pub(crate) fn quoted(text: &str) -> String {
    if is_repeatable(text) {
        format!("{text:?}")
    } else {
        NOT_SHOWN.to_owned()
    }
}

/// Returns a name that a person chose in quotation marks, or [`NOT_SHOWN`].
pub(crate) fn quoted_name(text: &str) -> String {
    if is_name(text) {
        format!("{text:?}")
    } else {
        NOT_SHOWN.to_owned()
    }
}

/// Returns whether a text from a file is no secret: hosts, words such as `docker-credential-pass`,
/// and short names that may contain digits, such as `prod-2`, between marks such as `,` or `/`.
pub(crate) fn is_name(text: &str) -> bool {
    let mut parts = text.trim().split([',', ';', ':', '/', '\\', '\'', '"']);
    is_repeatable(text) || parts.all(is_part_of_name)
}

fn is_part_of_name(text: &str) -> bool {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.');
    let is_short = || text.len() <= MAX_WORD && text.bytes().all(is_plain) && has_plain_case(text);
    let are_words = || text.len() <= MAX_LABEL && text.split('-').all(is_word);
    is_repeatable(text) || is_short() || are_words()
}

/// Returns whether a text has the form of IBM Cloud's API keys.
pub(crate) fn is_api_key(text: &str) -> bool {
    text.len() == API_KEY_LENGTH
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && !has_plain_case(text)
        && !is_iam_id(text)
}

/// Returns the JSON Web Token (RFC 7519) with which a word begins.
pub(crate) fn token_at_start(word: &str) -> Option<&str> {
    let mut dots = word.match_indices('.').map(|(at, _)| at).skip(1);
    dots.next().filter(|_| word.starts_with("eyJ"))?;
    word.get(..dots.next().unwrap_or(word.len()))
}

/// Returns whether a text is an ID of IAM: `Profile-`, `ServiceId-` or the like, and a UUID.
fn is_iam_id(text: &str) -> bool {
    let parts = text.split_once('-');
    parts.is_some_and(|(kind, id)| kind.bytes().all(|it| it.is_ascii_alphabetic()) && is_uuid(id))
}

/// Returns whether a text is the path of a file or a directory, or several, and no secret.
pub(crate) fn is_path(text: &str) -> bool {
    let is_file_name = || text.contains('.') && text.split('.').all(is_label);
    text.is_empty() || text.contains(['/', '\\']) || is_word(text) || is_file_name()
}

/// Returns the path of a file, or a replacement if it may be a secret.
pub(crate) fn path(text: &str) -> &str {
    if is_path(text) {
        text
    } else {
        "(its name is not shown, it may be a secret)"
    }
}

/// Returns a name that may contain spaces and capitals anywhere, or [`NOT_SHOWN`].
pub(crate) fn name(text: &str) -> &str {
    let is_long_and_random = |word: &str| {
        let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
        let longest = if has_digit { MAX_WORD } else { MAX_LABEL };
        word.len() > longest && !has_plain_case(word)
    };
    if text.split_whitespace().any(is_long_and_random) {
        NOT_SHOWN
    } else {
        text
    }
}

/// Returns a key or a helper of a client's file as messages show it: hosts and words as they are,
/// others like [`quoted_name`].
pub(crate) fn file_word(text: &str) -> String {
    if is_bare_host(text) || is_word(text) {
        text.to_owned()
    } else {
        quoted_name(text)
    }
}

/// Returns whether a text is no secret: nothing, a host, an option, a word, a small number or an
/// identifier.
pub(crate) fn is_repeatable(text: &str) -> bool {
    text.is_empty()
        || is_word(text.trim_start_matches('-'))
        || is_number(text)
        || is_uuid(text)
        || is_bare_host(text)
}

/// Returns whether a text is a host without a path, with or without a scheme, or all hosts of a
/// domain.
fn is_bare_host(text: &str) -> bool {
    let schemes = ["https://", "http://"];
    let bare = schemes.iter().find_map(|scheme| text.strip_prefix(scheme));
    let text = bare.unwrap_or(text);
    let text = text.strip_prefix("*.").unwrap_or(text);
    !text.contains(['/', '?']) && host(text).is_some()
}

/// Returns whether a text is a name as people give them: letters of one case, perhaps with a
/// capital at the beginning.
fn is_word(text: &str) -> bool {
    (1..=MAX_WORD).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_' | b'.' | b'/'))
        && text.split(['-', '_', '.', '/']).all(has_plain_case)
}

fn is_number(text: &str) -> bool {
    (1..=MAX_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// RFC 9562, section 4.
fn is_uuid(text: &str) -> bool {
    let groups = text.split('-').map(|group| {
        let is_hexadecimal = group.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hexadecimal.then_some(group.len())
    });
    groups.eq([Some(8), Some(4), Some(4), Some(4), Some(12)])
}

/// Returns whether a host name ends with a domain, which is unlikely for a random text.
fn has_domain(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, domain)| {
        domain.len() >= 2 && domain.bytes().all(|byte| byte.is_ascii_alphabetic())
    })
}

fn is_label(text: &str) -> bool {
    text.len() <= MAX_LABEL && has_plain_case(text)
}

/// Returns whether all letters have the same case, or only the first is a capital and there
/// are no digits. Keys and tokens have capitals and small letters in any order.
fn has_plain_case(text: &str) -> bool {
    let is_upper = |text: &str| text.bytes().any(|byte| byte.is_ascii_uppercase());
    let is_lower = |text: &str| text.bytes().any(|byte| byte.is_ascii_lowercase());
    let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
    let rest = text.get(1..).unwrap_or_default();
    !is_upper(text) || !is_lower(text) || (!has_digit && !is_upper(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts of 44 characters, like API keys.
    const KEYS: [&str; 4] = [
        "aBcD1eFgH2iJkL3mNoP4qRsT5uVwX6yZ7aBcD8eFgH9i",
        "-BcD1eFgH2iJkL3mNoP4qRsT5uVwX6yZ7aBcD8eFgH9_",
        "xK_q7ZbM0pR4-tW9yLcN2vH5jF8sD1gA3eQ6uI_oXzTm",
        "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqr",
    ];

    #[test]
    fn no_form_of_a_secret_is_repeated() {
        let token = format!("eyJhbGciOiJSUzI1NiJ9.eyJ{}.c2lnbmF0dXJl", "aB3".repeat(30));
        let short_token = "eyJhbGciOiJSUzI1NiJ9.eyJpYW1faWQiOjF9.c2lnbmF0dXJl";
        let others = [
            &*token,
            short_token,
            "aBcDeFgHiJ",
            "4k7Qp2XwZz",
            "hunter2",
            "Passw0rd",
            "correct horse battery staple",
            "12345678",
            "AKIAIOSFODNN7EXAMPLE",
            "user:hunter2@us.icr.io",
            "us.icr.io/hunter2",
            "https://hunter2@us.icr.io",
            "hunter2:443",
            "aBcD1eFgH2iJ://us.icr.io",
            "0123456789abcdef0123456789abcdef",
            "pässwörter",
            "{\"apikey\": \"hunter2\"}",
        ];
        for secret in KEYS.into_iter().chain(others) {
            assert!(!is_repeatable(secret), "{secret}");
            assert_eq!(quoted(secret), NOT_SHOWN);
            let host = host(secret);
            assert!(host.is_none_or(|host| host == "us.icr.io"), "{secret}");
        }
        for key in KEYS.into_iter().chain([
            &*token,
            "4k7Qp2XwZz",
            "us.icr.io/4k7Qp2XwZz",
            "us.icr.io,aBcDeFgHiJ",
            "us.icr.io 4k7Qp2XwZz",
            "https://iamapikey:4k7Qp2XwZz@us.icr.io",
            "iamapikey:aBcDeFgHiJ",
            "correct horse",
        ]) {
            assert_eq!(quoted_name(key), NOT_SHOWN, "{key}");
            assert_eq!(file_word(key), NOT_SHOWN, "{key}");
        }
        for key in KEYS {
            for address in [
                key.to_owned(),
                format!("https://{key}"),
                format!("{key}.icr.io"),
                format!("{key}:443"),
                format!("https://{key}/v2/"),
            ] {
                assert_eq!(host(&address), None, "{address}");
            }
            assert!(!path(key).contains(key), "{key}");
        }
        for key in &KEYS[..3] {
            assert_eq!(name(key), NOT_SHOWN);
        }
        assert_eq!(name(&token), NOT_SHOWN);
        assert!(!path(short_token).contains("eyJ"));
    }

    #[test]
    fn ordinary_names_are_repeated() {
        for text in [
            "",
            "gett",
            "stauts",
            "GET",
            "Status",
            "log-in",
            "--nonsense",
            "-x",
            "team-a",
            "Team_A",
            "power-vs",
            "7",
            "3600",
            "us.icr.io",
            "US.icr.io",
            "localhost:5000",
            "127.0.0.1",
            "jp2.icr.io",
            "us.icr.io:443",
            "*.icr.io",
            "https://eu9.icr.io",
            "../users",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com",
            "c7d5f2a0-1b3e-4c5d-8e9f-0a1b2c3d4e5f",
        ] {
            assert!(is_repeatable(text), "{text}");
        }
        for (address, shown) in [
            ("https://GHCR.io/x?y", "ghcr.io"),
            ("registry-1.docker.io", "registry-1.docker.io"),
            ("Quay.io", "quay.io"),
            ("http://localhost:5000/", "localhost:5000"),
            ("us.icr.io/aBcD1eFgH2iJkL3", "us.icr.io"),
        ] {
            assert_eq!(host(address).as_deref(), Some(shown), "{address}");
        }
        for text in [
            "team-a",
            "prod2",
            "PROD-2",
            "v1.2",
            "us.icr.io,",
            " us.icr.io",
            "'us.icr.io'",
            "us,de",
            "docker://us.icr.io:443/a/b",
            "docker-credential-ecr-login",
            "docker-credential-desktop.exe",
        ] {
            assert!(is_name(text), "{text}");
        }
        for text in [
            "",
            "Deploy to Production 2",
            "MyProfileForDeployments",
            "ci-2",
        ] {
            assert_eq!(name(text), text);
        }
        for text in [
            "/run/secrets/Key1",
            "key",
            "key.json",
            "apikey2.json",
            r"C:\Key",
        ] {
            assert_eq!(path(text), text);
        }
    }
}
