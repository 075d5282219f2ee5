//! IAM access tokens in IBM's form.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use serde_json::json;

use crate::clock::unix_now;
use crate::random;
use crate::sessions::Session;
use crate::subject::Subject;

/// Returns a new token of `subject`: IBM's claims, in IBM's size of about 1,600 characters.
///
/// The signature is random. Clients of IAM must not depend on it, and the emulator finds tokens by their whole text.
pub(crate) fn mint(
    subject: &Subject,
    grant_type: &str,
    lifetime: u64,
    session: Option<&Session>,
) -> String {
    let now = unix_now();
    let header = json!({"alg": "RS256", "kid": "20260801-emulated"});
    let mut claims = owner_claims(subject);
    let more = json!({
        "id": subject.iam_id,
        "realmid": subject.realm_and_identifier().0,
        "identifier": subject.realm_and_identifier().1,
        "jti": random::id(),
        "session_id": session.map_or_else(|| format!("C-{}", random::id()), |session| session.id.clone()),
        "authn": owner_claims(subject),
        "account": {"valid": true, "bss": subject.account, "ims_user_id": "10000001", "frozen": false, "isEnterpriseAccount": false,
                    "enterprise_id": random::id(), "ims": "2000001"},
        "iat": now,
        "exp": now + lifetime,
        "iss": "https://iam.cloud.ibm.com/identity",
        "grant_type": grant_type,
        "scope": "ibm openid",
        "client_id": if session.is_some() { "bx" } else { "default" },
        "acr": 1,
        "amr": ["pwd"],
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    let encode = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
    format!(
        "{}.{}.{}",
        encode(&header),
        encode(&claims),
        random::text(256)
    )
}

/// Returns the claims about the owner: email address and names of a person, the kind of the others.
fn owner_claims(subject: &Subject) -> Value {
    let (_, id) = subject.realm_and_identifier();
    let name = format!("Emulated Identity {id}");
    match subject.sub_type() {
        Some(sub_type) => {
            json!({"iam_id": subject.iam_id, "sub": id, "sub_type": sub_type, "name": name})
        }
        None => {
            let email = format!("{id}@registry-tests.example.com");
            json!({"iam_id": subject.iam_id, "sub": email, "email": email, "name": name,
                   "given_name": "Emulated", "family_name": format!("Identity {id}")})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Profile;

    const API_KEY: &str = "urn:ibm:params:oauth:grant-type:apikey";

    fn claims(token: &str) -> Value {
        let claims = token.split('.').nth(1).expect("claims");
        let claims = BASE64_URL_SAFE_NO_PAD
            .decode(claims)
            .expect("base64url without padding");
        serde_json::from_slice(&claims).expect("JSON claims")
    }

    #[test]
    fn tokens_have_ibms_size_form_and_claims() {
        let subject = Subject::service_id("1");
        let mint = || mint(&subject, API_KEY, 3600, None);
        let token = mint();
        assert!(
            (1_400..1_800).contains(&token.len()),
            "{} characters",
            token.len()
        );
        assert_ne!(token, mint(), "each token is unique");
        assert_eq!(token.split('.').count(), 3);
        let claims = claims(&token);
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

    #[test]
    fn claims_depend_on_the_kind_of_identity() {
        let profile = Profile::new("Profile-4-2").of_account("account-2");
        for (subject, realm, identifier, sub_type) in [
            (Subject::user_of("7", "account-2"), "IBMid", "7", None),
            (
                Subject::service_id_of("7", "account-2"),
                "iam",
                "ServiceId-7",
                Some("ServiceId"),
            ),
            (profile.subject(), "iam", "Profile-4-2", Some("Profile")),
        ] {
            let claims = claims(&mint(&subject, API_KEY, 60, None));
            assert_eq!(claims["iam_id"], subject.iam_id);
            assert_eq!(claims["id"], subject.iam_id);
            assert_eq!(claims["realmid"], realm);
            assert_eq!(claims["identifier"], identifier);
            assert_eq!(claims.get("sub_type"), sub_type.map(Value::from).as_ref());
            for personal in ["email", "given_name", "family_name"] {
                assert_eq!(
                    claims[personal].is_string(),
                    sub_type.is_none(),
                    "{personal}"
                );
            }
            assert_eq!(claims["account"]["bss"], "account-2");
            assert_eq!(claims["account"]["valid"], true);
            assert_eq!(claims["grant_type"], API_KEY);
        }
    }
}
