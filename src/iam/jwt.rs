//! The claims of a JSON Web Token. Signatures are not verified: only the registry decides
//! whether a token is valid.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// How long before its expiry an access token is not used any more, in seconds: services
/// reject tokens shortly before their expiry (`go-sdk-core`, `core/token.go`).
pub const MARGIN: u64 = 10;

/// The registered claims about time (RFC 7519, section 4.1).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub struct Times {
    /// Expiry, in seconds since 1970.
    pub exp: u64,
    /// Issue, in seconds since 1970.
    #[serde(default)]
    pub iat: Option<u64>,
}

/// Returns the times in a token; `None` if it is no JWT or has no expiry.
pub fn times(token: &str) -> Option<Times> {
    claims(token)
}

/// Returns the claims in a token; `None` if it is no JWT or has other claims.
pub fn claims<T: DeserializeOwned>(token: &str) -> Option<T> {
    let mut parts = token.split('.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let claims = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&claims).ok()
}

/// Returns whether a token expires within `margin` seconds from `now`, or has expired.
pub fn has_expired(token: &str, now: u64, margin: u64) -> bool {
    times(token).is_some_and(|times| times.exp <= now.saturating_add(margin))
}

#[cfg(test)]
pub(crate) fn unsigned(claims: &serde_json::Value) -> String {
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_expiry_is_read_from_the_payload() {
        let token = unsigned(&json!({"exp": 2000, "iat": 1000, "sub": "x"}));
        assert_eq!(
            times(&token),
            Some(Times {
                exp: 2000,
                iat: Some(1000)
            })
        );
        assert!(!has_expired(&token, 1999, 0));
        assert!(has_expired(&token, 2000, 0));
        assert!(
            has_expired(&token, 1991, 10),
            "the margin counts as expired"
        );
    }

    #[test]
    fn a_text_that_is_no_jwt_never_expires() {
        for text in [
            "",
            "a",
            "a.b",
            "a.b.c",
            "a.b.c.d",
            "e30.e30.e30",
            "🦀.🦀.🦀",
            "..",
            "e30.eyJleHAiOi0xfQ.x",
        ] {
            assert_eq!(times(text), None, "{text}");
            assert!(!has_expired(text, u64::MAX, 0), "{text}");
        }
    }
}
