//! What IAM answers with, believed only where it makes sense.

use std::time::Duration;
use std::time::UNIX_EPOCH;

use serde::Deserialize;
use serde_json::Value;

use crate::error::one_line;
use crate::iam::jwt;
use crate::secret::Secret;

/// The longest life of an access token that is believed, in seconds. IAM's own
/// limit is an hour.
const LONGEST_LIFE: u64 = 24 * 60 * 60;

/// The longest life of a refresh token that is believed, in seconds: far more than
/// the 30 days that the longest session has (account documentation,
/// `sessions-settings.md`).
const LONGEST_REFRESH_LIFE: u64 = 366 * 24 * 60 * 60;

/// The longest access token that is believed, in bytes: what the kernel keyring
/// takes, and twenty times the usual.
const LONGEST_TOKEN: usize = 32_000;

/// The longest message of IAM that is passed on, in characters.
const LONGEST_MESSAGE: usize = 300;

/// An access token that IAM has just issued.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenResponse {
    /// The token, without `Bearer`.
    pub access_token: Secret,
    /// How long it is good, from the moment it was received.
    pub lifetime: Duration,
    /// The refresh token that replaces the one that was used, if there is one.
    pub refresh_token: Option<Secret>,
    /// How long that one is good, from the moment it was received, if IAM said so
    /// (`refresh_token_expiration`, which only some answers have).
    pub refresh_lifetime: Option<Duration>,
}

/// What IAM says when it refuses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Refusal {
    /// `BXNIM0415E` and the like.
    pub(crate) code: Option<String>,
    /// IAM's words, on one line, without the secret.
    pub(crate) message: String,
}

/// The token in an answer (IAM Identity Services API, `TokenResponse`).
///
/// The lifetime is `expires_in`, because it needs nobody's clock; an answer
/// without it is measured by the token's own times. For the same reason the life
/// of a refresh token is reckoned by IAM's clock as far as the answer shows it; `now`
/// is this machine's.
pub(crate) fn issued(body: &[u8], now: u64) -> Result<TokenResponse, String> {
    #[derive(Deserialize)]
    struct Answer {
        access_token: Secret,
        token_type: Option<String>,
        expires_in: Option<u64>,
        refresh_token: Option<Secret>,
        // Not worth failing for.
        #[serde(default)]
        expiration: Value,
        #[serde(default)]
        refresh_token_expiration: Value,
    }
    let answer: Answer = serde_json::from_slice(body).map_err(|_| no_token(body))?;
    if answer
        .token_type
        .is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer"))
    {
        return Err("its token is not a bearer token".into());
    }
    if !is_token(&answer.access_token) {
        return Err("its access token is empty, too long or not plain text".into());
    }
    let lifetime = answer
        .expires_in
        .or_else(|| own_lifetime(answer.access_token.expose()))
        .filter(|seconds| (1..=LONGEST_LIFE).contains(seconds))
        .ok_or("its token has no believable lifetime")?;
    // IAM's word for "none", where no client asked.
    let refresh_token = answer
        .refresh_token
        .filter(|token| is_token(token) && token.expose() != "not_supported");
    let iams_now = answer
        .expiration
        .as_u64()
        .zip(answer.expires_in)
        .and_then(|(expiration, expires_in)| expiration.checked_sub(expires_in))
        .filter(|now| *now > 0);
    let refresh_lifetime = answer
        .refresh_token_expiration
        .as_u64()
        .filter(|_| refresh_token.is_some())
        .and_then(|end| end.checked_sub(iams_now.unwrap_or(now)))
        .filter(|seconds| (1..=LONGEST_REFRESH_LIFE).contains(seconds))
        .map(Duration::from_secs);
    Ok(TokenResponse {
        access_token: answer.access_token,
        lifetime: Duration::from_secs(lifetime),
        refresh_token,
        refresh_lifetime,
    })
}

/// What an error answer says, in the shape of the token API, of the management API
/// or of a registry's; `secrets` are taken out of it. `None` when it is none of them
/// that speaks.
pub(crate) fn refusal(body: &[u8], secrets: &[&Secret]) -> Option<Refusal> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let first = &answer["errors"][0];
    let text = |value: &Value| Some(value.as_str()?.to_owned()).filter(|text| !text.is_empty());
    let is_code = |code: &String| {
        code.len() <= 64
            && code
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    // Anybody's error may have a `code` and a `message`, a registry's has `CRG…`.
    let of_registry = text(&answer["code"]).filter(|code| code.starts_with("CRG"));
    let registrys_message = match of_registry {
        Some(_) => &answer["message"],
        None => &Value::Null,
    };
    let code = text(&answer["errorCode"])
        .or_else(|| text(&first["code"]))
        .or(of_registry)
        .filter(is_code);
    let message = [
        &answer["errorDetails"],
        &answer["errorMessage"],
        &first["message"],
        registrys_message,
    ]
    .into_iter()
    .find_map(text);
    if code.is_none() && message.is_none() {
        return None;
    }
    let message = message.unwrap_or_else(|| "it gave no reason".to_owned());
    Some(Refusal {
        code,
        message: clean(&message, secrets),
    })
}

/// A `Retry-After` (RFC 9110, section 10.2.3): seconds or an HTTP date.
pub(crate) fn retry_after(value: &str, now: u64) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(value.trim()).ok()?;
    let at = at.duration_since(UNIX_EPOCH).ok()?;
    Some(at.saturating_sub(Duration::from_secs(now)))
}

fn no_token(body: &[u8]) -> String {
    let start = body.trim_ascii_start();
    match start.first() {
        None => "it was empty".into(),
        Some(b'<') => {
            "it was a web page and no token; a proxy or a login portal may stand in between".into()
        }
        Some(_) => "it was no token, or was cut off".into(),
    }
}

/// Whether a text can be a token: visible ASCII and not too long. Anything else
/// would break the header it goes into.
pub fn is_token(token: &Secret) -> bool {
    let token = token.expose();
    !token.is_empty()
        && token.len() <= LONGEST_TOKEN
        && token.bytes().all(|byte| byte.is_ascii_graphic())
}

fn own_lifetime(token: &str) -> Option<u64> {
    let times = jwt::times(token)?;
    times.exp.checked_sub(times.iat?)
}

fn clean(message: &str, secrets: &[&Secret]) -> String {
    let message = secrets
        .iter()
        .filter(|secret| !secret.is_empty())
        .fold(message.to_owned(), |message, secret| {
            message.replace(secret.expose(), "[redacted]")
        });
    one_line(&message, LONGEST_MESSAGE)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn read(answer: &serde_json::Value) -> Result<TokenResponse, String> {
        issued(answer.to_string().as_bytes(), NOW)
    }

    #[test]
    fn a_token_is_read_with_its_lifetime() {
        let issued = read(&json!({
            "access_token": "a.b.c", "refresh_token": "r", "token_type": "Bearer",
            "expires_in": 1200, "expiration": 1, "scope": "ibm openid", "more": {}
        }))
        .unwrap();
        assert_eq!(issued.access_token, Secret::new("a.b.c"));
        assert_eq!(
            issued.lifetime,
            Duration::from_secs(1200),
            "not the hour that is usual"
        );
        assert_eq!(issued.refresh_token, Some(Secret::new("r")));
    }

    #[test]
    fn a_refresh_token_that_is_none_is_none() {
        for refresh_token in [json!("not_supported"), json!(""), json!(null)] {
            let answer =
                json!({"access_token": "t", "expires_in": 60, "refresh_token": refresh_token});
            assert_eq!(read(&answer).unwrap().refresh_token, None);
        }
    }

    #[test]
    fn the_end_of_a_refresh_token_is_told_by_iams_clock() {
        let hour = 60 * 60;
        let slow = NOW - 10 * hour;
        for (answer, lifetime) in [
            (
                json!({"expiration": slow + 1200, "refresh_token_expiration": slow + hour}),
                Some(hour),
            ),
            (json!({"refresh_token_expiration": NOW + hour}), Some(hour)),
            (
                json!({"expiration": 7, "refresh_token_expiration": NOW + hour}),
                Some(hour),
            ),
            (json!({"refresh_token_expiration": NOW}), None),
            (json!({"refresh_token_expiration": u64::MAX}), None),
            (json!({"refresh_token_expiration": "soon"}), None),
            (json!({"refresh_token_expiration": -1}), None),
            (json!({}), None),
            (
                json!({"refresh_token": "not_supported", "refresh_token_expiration": NOW + hour}),
                None,
            ),
        ] {
            let mut whole = json!({"access_token": "t", "expires_in": 1200, "refresh_token": "r"});
            whole
                .as_object_mut()
                .unwrap()
                .extend(answer.as_object().unwrap().clone());
            assert_eq!(
                read(&whole).unwrap().refresh_lifetime,
                lifetime.map(Duration::from_secs),
                "{answer}"
            );
        }
    }

    #[test]
    fn without_expires_in_the_tokens_own_times_count() {
        let token = jwt::unsigned(&json!({"iat": 1000, "exp": 2200}));
        assert_eq!(
            read(&json!({"access_token": token})).unwrap().lifetime,
            Duration::from_secs(1200)
        );
        assert!(read(&json!({"access_token": "opaque"})).is_err());
    }

    #[test]
    fn what_is_no_token_is_not_believed() {
        for answer in [
            json!({}),
            json!([]),
            json!({"access_token": "", "expires_in": 3600}),
            json!({"access_token": 7, "expires_in": 3600}),
            json!({"access_token": "a b", "expires_in": 3600}),
            json!({"access_token": "a\nb", "expires_in": 3600}),
            json!({"access_token": "a\u{0}", "expires_in": 3600}),
            json!({"access_token": "é", "expires_in": 3600}),
            json!({"access_token": "x".repeat(40_000), "expires_in": 3600}),
            json!({"access_token": "t", "expires_in": 0}),
            json!({"access_token": "t", "expires_in": -1}),
            json!({"access_token": "t", "expires_in": 1e18}),
            json!({"access_token": "t", "expires_in": u64::MAX}),
            json!({"access_token": "t", "expires_in": "3600"}),
            json!({"access_token": "t", "expires_in": 3600, "token_type": "mac"}),
        ] {
            assert!(read(&answer).is_err(), "{answer}");
        }
        for (body, reason) in [
            (&b""[..], "empty"),
            (b" <!DOCTYPE html>", "web page"),
            (b"{\"access_token\":\"t\",\"expir", "cut off"),
            (b"\xff\xfe", "no token"),
        ] {
            assert!(issued(body, NOW).unwrap_err().contains(reason));
        }
    }

    #[test]
    fn a_refusal_is_iams_own_words_and_nothing_else() {
        let secret = Secret::new("hunter2");
        for (body, code, message) in [
            (
                json!({"errorCode": "BXNIM0415E", "errorMessage": "No\r\nsuch key: hunter2", "context": {"clientIp": "203.0.113.7"}}),
                Some("BXNIM0415E"),
                "No  such key: [redacted]",
            ),
            (
                json!({"errorCode": "a b", "errorMessage": "short", "errorDetails": "long"}),
                None,
                "long",
            ),
            (
                json!({"errorCode": "E", "errorMessage": "short", "errorDetails": ""}),
                Some("E"),
                "short",
            ),
            (
                json!({"errorCode": "E", "errorMessage": "short", "errorDetails": {}}),
                Some("E"),
                "short",
            ),
            (
                json!({"errors": [{"code": "not_found", "message": "gone"}]}),
                Some("not_found"),
                "gone",
            ),
            (json!({"errorCode": "E"}), Some("E"), "it gave no reason"),
        ] {
            let refusal = refusal(body.to_string().as_bytes(), &[&secret]).unwrap();
            assert_eq!(
                (refusal.code.as_deref(), &*refusal.message),
                (code, message)
            );
        }
        for body in [&b""[..], b"<html>", b"[]", b"{}", b"{\"errorCode\":7}"] {
            assert_eq!(refusal(body, &[&secret]), None, "somebody else says no");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after(" 5 ", 0), Some(Duration::from_secs(5)));
        let now = 784_111_777; // Sun, 06 Nov 1994 08:49:37 GMT
        assert_eq!(
            retry_after("Sun, 06 Nov 1994 08:49:47 GMT", now),
            Some(Duration::from_secs(10))
        );
        assert_eq!(
            retry_after("Sun, 06 Nov 1994 08:49:27 GMT", now),
            Some(Duration::ZERO),
            "a date gone by"
        );
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("-1", now), None);
    }
}
