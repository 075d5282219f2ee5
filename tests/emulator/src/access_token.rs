//! What does an IAM access token look like?

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use serde_json::json;

use crate::accounts::Subject;
use crate::clock::unix_now;
use crate::random;

/// A new token of `subject`: IBM's claims, in IBM's size of about 1,600 characters.
///
/// The signature is random bytes. IAM's clients must not depend on it, and the emulator knows its tokens by their whole text.
pub(crate) fn mint(subject: &Subject, grant_type: &str, lifetime: u64) -> String {
    let now = unix_now();
    let id = subject
        .iam_id
        .strip_prefix("iam-")
        .unwrap_or(&subject.iam_id);
    let (realm, _) = subject
        .iam_id
        .rsplit_once('-')
        .unwrap_or((&subject.iam_id, ""));
    let header = json!({"alg": "RS256", "kid": "20260801-emulated"});
    let claims = json!({
        "iam_id": subject.iam_id,
        "id": subject.iam_id,
        "realmid": realm,
        "jti": random::id(),
        "session_id": format!("C-{}", random::id()),
        "identifier": id,
        "given_name": "Emulated",
        "family_name": "Identity",
        "name": format!("Emulated Identity {id}"),
        "email": format!("{id}@registry-tests.example.com"),
        "sub": id,
        "sub_type": realm.trim_start_matches("iam-"),
        "authn": {"sub": id, "iam_id": subject.iam_id, "sub_type": realm.trim_start_matches("iam-"), "name": format!("Emulated Identity {id}"),
                  "given_name": "Emulated", "family_name": "Identity", "email": format!("{id}@registry-tests.example.com")},
        "account": {"valid": true, "bss": subject.account, "ims_user_id": "10000001", "frozen": false, "isEnterpriseAccount": false,
                    "enterprise_id": random::id(), "ims": "2000001"},
        "iat": now,
        "exp": now + lifetime,
        "iss": "https://iam.cloud.ibm.com/identity",
        "grant_type": grant_type,
        "scope": "ibm openid",
        "client_id": "default",
        "acr": 1,
        "amr": ["pwd"],
    });
    let encode = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
    format!(
        "{}.{}.{}",
        encode(&header),
        encode(&claims),
        random::text(256)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_shape_and_claims_are_ibms() {
        let subject = Subject::service_id("1");
        let token = mint(&subject, "urn:ibm:params:oauth:grant-type:apikey", 3600);
        assert!(
            (1_400..1_800).contains(&token.len()),
            "{} characters",
            token.len()
        );
        assert_ne!(
            token,
            mint(&subject, "urn:ibm:params:oauth:grant-type:apikey", 3600),
            "each token is unique"
        );
        let parts: Vec<&str> = token.split('.').collect();
        let claims = BASE64_URL_SAFE_NO_PAD
            .decode(parts[1])
            .expect("base64url without padding");
        let claims: Value = serde_json::from_slice(&claims).expect("JSON claims");
        assert_eq!(parts.len(), 3);
        assert_eq!(claims["iam_id"], "iam-ServiceId-1");
        assert_eq!(claims["sub"], "ServiceId-1");
        assert_eq!(claims["sub_type"], "ServiceId");
        assert_eq!(claims["account"]["bss"], "account-1");
        assert_eq!(
            claims["exp"]
                .as_u64()
                .zip(claims["iat"].as_u64())
                .map(|(exp, iat)| exp - iat),
            Some(3600)
        );
    }
}
