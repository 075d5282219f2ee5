//! JSON Web Tokens that the emulator did not issue.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use serde_json::json;

use super::clock;

/// Returns a token that expires in this many seconds.
pub(crate) fn ending_in(seconds: i64) -> String {
    let now = clock::unix_now();
    let encode = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
    let claims = json!({"exp": now + seconds, "iat": now - 3600, "iam_id": "IBMid-elsewhere"});
    let header = encode(&json!({"alg": "RS256"}));
    format!("{header}.{}.c2lnbmF0dXJl", encode(&claims))
}

/// Returns the claims of a token.
pub(crate) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("three parts");
    let claims = BASE64_URL_SAFE_NO_PAD.decode(payload);
    serde_json::from_slice(&claims.expect("base64url")).expect("JSON claims")
}
