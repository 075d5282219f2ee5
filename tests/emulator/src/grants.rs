//! Which grants does IAM exchange for an access token, and on which terms? A further grant is a further arm and a function.

use serde_json::Value;
use serde_json::json;

use crate::accounts::Accounts;
use crate::accounts::RefreshRefusal;
use crate::accounts::Subject;
use crate::clock::unix_now;
use crate::iam::Refusal;
use crate::iam::STAND_IN;
use crate::request::Recorded;

/// Exchanges whatever grant the request's form holds.
pub(crate) fn exchange(accounts: &Accounts, request: &Recorded) -> Result<Value, Refusal> {
    match field(request, "grant_type")? {
        "refresh_token" => refresh(accounts, request),
        "urn:ibm:params:oauth:grant-type:apikey" => api_key(accounts, request),
        "urn:ibm:params:oauth:grant-type:assume" => assume(accounts, request),
        other => Err(refused(
            STAND_IN,
            &format!("Grant type {other} is not supported."),
        )),
    }
}

fn api_key(accounts: &Accounts, request: &Recorded) -> Result<Value, Refusal> {
    let subject = accounts.api_key(field(request, "apikey")?);
    let subject =
        subject.ok_or_else(|| refused("BXNIM0415E", "Provided API key could not be found."))?;
    let refresh_token = has_client(request)?.then(|| accounts.issue_refresh_token(&subject));
    Ok(token(accounts, request, &subject, refresh_token))
}

fn refresh(accounts: &Accounts, request: &Recorded) -> Result<Value, Refusal> {
    if !has_client(request)? {
        return Err(no_client());
    }
    let redeemed = accounts.redeem_refresh_token(field(request, "refresh_token")?);
    let (subject, next) = redeemed.map_err(|refusal| match refusal {
        RefreshRefusal::Expired => refused("BXNIM0408E", "Provided refresh token is expired."),
        RefreshRefusal::Unknown => refused("BXNIM0407E", "Provided refresh token is invalid."),
    })?;
    Ok(token(accounts, request, &subject, Some(next)))
}

fn assume(accounts: &Accounts, request: &Recorded) -> Result<Value, Refusal> {
    let subject = accounts.access_token(field(request, "access_token")?);
    let subject = subject
        .ok_or_else(|| refused("BXNIM0407E", "Provided access token is invalid or expired."))?;
    let profile = accounts.assume(field(request, "profile_id")?, &subject);
    let profile = profile.ok_or_else(|| {
        refused(
            STAND_IN,
            "This identity must not assume the trusted profile.",
        )
    })?;
    let refresh_token = has_client(request)?.then(|| accounts.issue_refresh_token(&profile));
    Ok(token(accounts, request, &profile, refresh_token))
}

/// Whether the client `bx` asks, the only one IBM lets strangers use. No client at all is an answer; another one is refused.
fn has_client(request: &Recorded) -> Result<bool, Refusal> {
    match (request.header("authorization"), request.basic()) {
        (None, _) => Ok(false),
        (Some(_), Some((name, secret))) if name == "bx" && secret == "bx" => Ok(true),
        (Some(_), _) => Err(no_client()),
    }
}

fn field<'r>(request: &'r Recorded, name: &str) -> Result<&'r str, Refusal> {
    let value = request.field(name).filter(|value| !value.is_empty());
    value.ok_or_else(|| refused(STAND_IN, &format!("Property missing or empty: {name}.")))
}

fn no_client() -> Refusal {
    refused("BXNIM0308E", "No authorization header found.")
}

/// IAM says 400 to every grant it does not like, wrong secrets included.
fn refused(code: &str, message: &str) -> Refusal {
    Refusal::new(400, code, message)
}

fn token(
    accounts: &Accounts,
    request: &Recorded,
    subject: &Subject,
    refresh_token: Option<String>,
) -> Value {
    let grant_type = request.field("grant_type").unwrap_or_default();
    let (access_token, lifetime) = accounts.issue_access_token(subject, grant_type);
    let mut answer = json!({
        "access_token": access_token,
        "refresh_token": "not_supported",
        "token_type": "Bearer",
        "expires_in": lifetime,
        "expiration": unix_now() + lifetime,
        "scope": "ibm openid",
    });
    if let Some(refresh_token) = refresh_token {
        answer["refresh_token"] = refresh_token.into();
        answer["refresh_token_expiration"] = (unix_now() + 72 * 3600).into();
    }
    answer
}

#[cfg(test)]
mod tests {
    use crate::Emulator;
    use crate::Subject;
    use crate::wire;

    const API_KEY: &str = "urn:ibm:params:oauth:grant-type:apikey";
    const ASSUME: &str = "urn:ibm:params:oauth:grant-type:assume";

    #[test]
    fn api_key_without_a_client() {
        let cloud = Emulator::start().expect("a port");
        cloud.accounts().add_api_key("key", Subject::user("1"));
        let (status, token) =
            wire::exchange(&cloud, &[("grant_type", API_KEY), ("apikey", "key")], false);
        assert_eq!(status, 200);
        assert_eq!(token["refresh_token"], "not_supported");
        assert_eq!(
            (&token["token_type"], &token["scope"]),
            (&"Bearer".into(), &"ibm openid".into())
        );
        assert_eq!(token["expires_in"], 3600);
        assert_eq!(cloud.exchanges(), 1);
        assert_eq!(cloud.requests()[0].field("apikey"), Some("key"));
    }

    #[test]
    fn api_key_unknown_or_revoked() {
        let cloud = Emulator::start().expect("a port");
        cloud.accounts().add_api_key("key", Subject::user("1"));
        cloud.accounts().revoke_api_key("key");
        for key in ["key", "never"] {
            let (status, error) =
                wire::exchange(&cloud, &[("grant_type", API_KEY), ("apikey", key)], false);
            assert_eq!((status, &error["errorCode"]), (400, &"BXNIM0415E".into()));
            assert_eq!(
                error["errorMessage"],
                "Provided API key could not be found."
            );
            assert_eq!(error["context"]["clientIp"], "203.0.113.7");
        }
        assert_eq!(cloud.exchanges(), 2, "refusals count");
    }

    #[test]
    fn refresh_token_rotates() {
        let cloud = Emulator::start().expect("a port");
        cloud.accounts().add_api_key("key", Subject::user("1"));
        let (_, token) =
            wire::exchange(&cloud, &[("grant_type", API_KEY), ("apikey", "key")], true);
        let first = token["refresh_token"]
            .as_str()
            .expect("a client gets a refresh token");
        let (status, token) = wire::exchange(
            &cloud,
            &[("grant_type", "refresh_token"), ("refresh_token", first)],
            true,
        );
        let second = token["refresh_token"].as_str().expect("the next one");
        assert_eq!(status, 200);
        assert_ne!(first, second);
        let (status, error) = wire::exchange(
            &cloud,
            &[("grant_type", "refresh_token"), ("refresh_token", first)],
            true,
        );
        assert_eq!(
            (status, &error["errorCode"]),
            (400, &"BXNIM0407E".into()),
            "it worked once only"
        );
        let (status, _) = wire::exchange(
            &cloud,
            &[("grant_type", "refresh_token"), ("refresh_token", second)],
            true,
        );
        assert_eq!(status, 200);
    }

    #[test]
    fn refresh_token_without_rotation_stays() {
        let cloud = Emulator::start().expect("a port");
        cloud
            .accounts()
            .add_refresh_token("refresh", Subject::user("1"));
        cloud.accounts().set_refresh_rotation(false);
        for _ in 0..2 {
            let fields = [
                ("grant_type", "refresh_token"),
                ("refresh_token", "refresh"),
            ];
            let (status, token) = wire::exchange(&cloud, &fields, true);
            assert_eq!((status, &token["refresh_token"]), (200, &"refresh".into()));
        }
    }

    #[test]
    fn refresh_token_expired_or_without_its_client() {
        let cloud = Emulator::start().expect("a port");
        cloud
            .accounts()
            .add_refresh_token("refresh", Subject::user("1"));
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", "refresh"),
        ];
        let (status, error) = wire::exchange(&cloud, &fields, false);
        assert_eq!((status, &error["errorCode"]), (400, &"BXNIM0308E".into()));
        cloud.accounts().expire_refresh_token("refresh");
        let (status, error) = wire::exchange(&cloud, &fields, true);
        assert_eq!((status, &error["errorCode"]), (400, &"BXNIM0408E".into()));
    }

    #[test]
    fn assume_an_allowed_profile() {
        let cloud = Emulator::start().expect("a port");
        cloud
            .accounts()
            .add_api_key("service", Subject::service_id("1"));
        cloud
            .accounts()
            .add_api_key("stranger", Subject::service_id("2"));
        cloud
            .accounts()
            .add_profile("Profile-1", &["iam-ServiceId-1"]);
        for (key, profile, expected) in [
            ("service", "Profile-1", 200),
            ("stranger", "Profile-1", 400),
            ("service", "Profile-2", 400),
        ] {
            let (_, token) =
                wire::exchange(&cloud, &[("grant_type", API_KEY), ("apikey", key)], false);
            let access_token = token["access_token"].as_str().expect("an access token");
            let fields = [
                ("grant_type", ASSUME),
                ("access_token", access_token),
                ("profile_id", profile),
            ];
            let (status, token) = wire::exchange(&cloud, &fields, false);
            assert_eq!(status, expected, "{key} assumes {profile}: {token}");
        }
    }

    #[test]
    fn assume_needs_a_living_token() {
        let cloud = Emulator::start().expect("a port");
        cloud
            .accounts()
            .add_api_key("service", Subject::service_id("1"));
        cloud
            .accounts()
            .add_profile("Profile-1", &["iam-ServiceId-1"]);
        cloud.accounts().set_token_lifetime(0);
        let (_, token) = wire::exchange(
            &cloud,
            &[("grant_type", API_KEY), ("apikey", "service")],
            false,
        );
        for access_token in [
            token["access_token"].as_str().expect("an access token"),
            "made.up.token",
        ] {
            let fields = [
                ("grant_type", ASSUME),
                ("access_token", access_token),
                ("profile_id", "Profile-1"),
            ];
            let (status, error) = wire::exchange(&cloud, &fields, false);
            assert_eq!((status, &error["errorCode"]), (400, &"BXNIM0407E".into()));
        }
    }

    #[test]
    fn other_paths_methods_and_grants_are_refused() {
        let cloud = Emulator::start().expect("a port");
        assert_eq!(wire::request(&cloud, "GET /identity/token", "", "").0, 405);
        assert_eq!(
            wire::request(&cloud, "POST /identity/tokens", "", "").0,
            404
        );
        assert_eq!(cloud.exchanges(), 0);
        assert_eq!(
            wire::exchange(&cloud, &[("grant_type", "password")], false).0,
            400
        );
        assert_eq!(wire::exchange(&cloud, &[], false).0, 400);
    }
}
