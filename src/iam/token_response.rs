//! [`TokenResponse`]: IAM's response to a grant, checked before use.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::http::is_token;
use crate::iam::jwt;
use crate::secret::Secret;

/// The longest valid lifetime of an access token, in seconds. IAM's own limit is an
/// hour.
const MAX_LIFETIME: u64 = 24 * 60 * 60;

/// The longest valid lifetime of a refresh token, in seconds: far more than the 30 days
/// of the longest session (account documentation,
/// `sessions-settings.md`).
const MAX_REFRESH_LIFETIME: u64 = 366 * 24 * 60 * 60;

/// An access token that IAM has just issued.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenResponse {
    /// The token, without `Bearer`.
    pub access_token: Secret,
    /// Its lifetime from the moment it was received.
    pub lifetime: Duration,
    /// The refresh token that replaces the one that was sent, if any.
    pub refresh_token: Option<Secret>,
    /// The lifetime of the refresh token from the moment it was received, if the response
    /// contains it (`refresh_token_expiration`, which is optional).
    pub refresh_lifetime: Option<Duration>,
}

/// Parses a response (IAM Identity Services API, `TokenResponse`).
///
/// The lifetime is `expires_in`, because that depends on no clock; without it, the
/// token's own claims count. For the same reason the lifetime of a refresh token is
/// computed with IAM's clock if the response shows it. `now` is this machine's time.
pub(crate) fn parse(body: &[u8], now: u64) -> Result<TokenResponse, String> {
    #[derive(Deserialize)]
    struct Answer {
        access_token: Secret,
        token_type: Option<String>,
        expires_in: Option<u64>,
        refresh_token: Option<Secret>,
        // Optional: an unusable value is ignored.
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
        .filter(|seconds| (1..=MAX_LIFETIME).contains(seconds))
        .ok_or("its token has no valid lifetime")?;
    // IAM writes `not_supported` if no client was named in the request.
    let refresh_token = answer
        .refresh_token
        .filter(|token| is_token(token) && token.expose() != "not_supported");
    let iam_now = answer
        .expiration
        .as_u64()
        .zip(answer.expires_in)
        .and_then(|(expiration, expires_in)| expiration.checked_sub(expires_in))
        .filter(|now| *now > 0);
    let refresh_lifetime = answer
        .refresh_token_expiration
        .as_u64()
        .filter(|_| refresh_token.is_some())
        .and_then(|end| end.checked_sub(iam_now.unwrap_or(now)))
        .filter(|seconds| (1..=MAX_REFRESH_LIFETIME).contains(seconds))
        .map(Duration::from_secs);
    Ok(TokenResponse {
        access_token: answer.access_token,
        lifetime: Duration::from_secs(lifetime),
        refresh_token,
        refresh_lifetime,
    })
}

fn no_token(body: &[u8]) -> String {
    let start = body.trim_ascii_start();
    match start.first() {
        None => "it is empty".into(),
        Some(0x1f) => "it is compressed, which no request asked for (gzip)".into(),
        Some(b'<') => "it is a web page; a proxy or a login portal may have sent it".into(),
        Some(_) => "it is not a token, or was cut off".into(),
    }
}

fn own_lifetime(token: &str) -> Option<u64> {
    let times = jwt::times(token)?;
    times.exp.checked_sub(times.iat?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn read(answer: &serde_json::Value) -> Result<TokenResponse, String> {
        parse(answer.to_string().as_bytes(), NOW)
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
    fn not_supported_is_no_refresh_token() {
        for refresh_token in [json!("not_supported"), json!(""), json!(null)] {
            let answer =
                json!({"access_token": "t", "expires_in": 60, "refresh_token": refresh_token});
            assert_eq!(read(&answer).unwrap().refresh_token, None);
        }
    }

    #[test]
    fn the_refresh_lifetime_is_computed_with_iams_clock() {
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
    fn without_expires_in_the_claims_of_the_token_count() {
        let token = jwt::unsigned(&json!({"iat": 1000, "exp": 2200}));
        assert_eq!(
            read(&json!({"access_token": token})).unwrap().lifetime,
            Duration::from_secs(1200)
        );
        assert!(read(&json!({"access_token": "opaque"})).is_err());
    }

    #[test]
    fn an_invalid_token_response_is_rejected() {
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
            (b"\x1f\x8b\x08", "compressed"),
            (b"{\"access_token\":\"t\",\"expir", "cut off"),
            (b"\xff\xfe", "not a token"),
        ] {
            assert!(parse(body, NOW).unwrap_err().contains(reason));
        }
    }
}
