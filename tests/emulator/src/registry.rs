//! The registry's token endpoint, `/oauth/token`.

use serde_json::Value;
use serde_json::json;

use crate::accounts::Accounts;
use crate::clock::rfc3339;
use crate::clock::unix_now;
use crate::emulator::Cloud;
use crate::profile::ProfileName;
use crate::random;
use crate::request::Recorded;
use crate::response::Response;
use crate::subject::Subject;
use crate::token_api;

/// The token endpoint that the registry's challenge names.
pub(crate) const TOKEN_PATH: &str = "/oauth/token";

/// Who issues registry tokens.
pub(crate) const ISSUER: &str = "icr-emulator";
/// For whom registry tokens are issued: the service that the registry's challenge names.
pub(crate) const SERVICE: &str = "registry";

/// Answers a request for a registry token.
pub(crate) fn answer(cloud: &Cloud, request: &Recorded) -> Response {
    if request.method != "GET" {
        return error(405, "UNSUPPORTED", "The operation is unsupported.")
            .with_header("Allow", "GET");
    }
    let login = match login(&cloud.accounts, request) {
        Ok(login) => login,
        Err(rejection) => return rejection,
    };
    let scopes = request
        .query
        .iter()
        .filter(|(name, _)| name == "scope")
        .flat_map(|(_, scopes)| scopes.split(' '));
    let access: Vec<Value> = scopes
        .filter_map(|scope| access(&cloud.accounts, scope, login.as_ref()))
        .collect();
    let now = unix_now();
    let token = cloud.signer.sign(&json!({
        "iss": ISSUER,
        "sub": login.map(|login| login.subject.iam_id).unwrap_or_default(),
        "aud": SERVICE,
        "iat": now,
        // Tokens are valid a minute early, for a registry whose clock is behind.
        "nbf": now.saturating_sub(60),
        "exp": now + LIFETIME,
        "jti": random::id(),
        "access": access,
    }));
    let body = json!({"token": token, "access_token": token, "expires_in": LIFETIME, "issued_at": rfc3339(now)});
    Response::json(200, &body)
}

/// The lifetime of a registry token, in seconds.
const LIFETIME: u64 = 300;
const UNAUTHORIZED: &str =
    "The login credentials are not valid, or your IBM Cloud account is not active.";
const UNSUPPORTED: &str = "The requested authentication method is not supported.";

/// The identity of a login, and what it may do.
struct Login {
    may_push: bool,
    subject: Subject,
}

impl Login {
    fn everywhere(subject: Subject) -> Self {
        Self {
            may_push: true,
            subject,
        }
    }
}

/// Returns the login of a request: `None` without one. Each kind of secret has exactly one user name.
fn login(accounts: &Accounts, request: &Recorded) -> Result<Option<Login>, Response> {
    if request.header("authorization").is_none() {
        return Ok(None);
    }
    let unsupported = || error(400, "UNSUPPORTED", UNSUPPORTED);
    let (name, secret) = request.basic().ok_or_else(unsupported)?;
    let subject = match name.as_str() {
        "cp" => accounts
            .is_entitlement_key(&secret)
            .then(|| Subject::user("entitled")),
        "iamapikey" => accounts.api_key(&secret),
        "iambearer" => accounts.access_token(&secret),
        "iamrefresh" => accounts.refresh_token(&secret).ok(),
        "token" if accounts.is_registry_token(&secret) => Some(Subject::user("registry-token")),
        "token" => {
            let token = accounts.registry_token(&secret, &token_api::host(request));
            let token = token.ok_or_else(unauthorized)?;
            return Ok(Some(Login {
                may_push: token.may_write,
                subject: Subject::user_of("registry-token", &token.account),
            }));
        }
        profile if profile.starts_with("Profile-") => {
            let service_id = accounts.api_key(&secret).filter(Subject::is_service_id);
            service_id.and_then(|service_id| accounts.assume(ProfileName::Id(profile), &service_id))
        }
        _ => return Err(unsupported()),
    };
    match subject {
        Some(subject) => Ok(Some(Login::everywhere(subject))),
        None => Err(unauthorized()),
    }
}

/// Returns the access for one scope, `repository:namespace/name:pull,push`. A login gets all that it requests, unless another
/// account owns the namespace. A read-only token may only pull. Public namespaces may be pulled without a login. `None` if no
/// access is granted.
fn access(accounts: &Accounts, scope: &str, login: Option<&Login>) -> Option<Value> {
    let (kind, rest) = scope.split_once(':')?;
    let (name, actions) = rest.rsplit_once(':')?;
    let namespace = name.split('/').next().unwrap_or_default();
    let public = kind == "repository" && accounts.is_public_namespace(namespace);
    let owner = accounts.namespace_owner(namespace);
    let member = login.filter(|login| owner.is_none_or(|owner| owner == login.subject.account));
    let may_push = member.is_some_and(|member| member.may_push);
    let may_pull = member.is_some() || public;
    let allowed = |action: &&str| may_push || (may_pull && *action == "pull");
    let actions: Vec<&str> = actions.split(',').filter(allowed).collect();
    (!actions.is_empty()).then(|| json!({"type": kind, "name": name, "actions": actions}))
}

fn unauthorized() -> Response {
    error(401, "UNAUTHORIZED", UNAUTHORIZED)
}

/// Returns an error in the form of the registry's.
pub(crate) fn error(status: u16, code: &str, message: &str) -> Response {
    Response::json(
        status,
        &json!({"errors": [{"code": code, "message": message, "detail": message}]}),
    )
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    use super::*;
    use crate::Emulator;
    use crate::wire;

    fn login(cloud: &Emulator, name: &str, secret: &str) -> (u16, Value) {
        let credentials = BASE64_STANDARD.encode(format!("{name}:{secret}"));
        let header = format!("Authorization: Basic {credentials}\r\n");
        wire::request(
            cloud,
            "GET /oauth/token?service=registry&scope=repository:ns/app:pull,push",
            &header,
            "",
        )
    }

    fn claims(answer: &Value) -> Value {
        let payload = answer["token"]
            .as_str()
            .expect("a token")
            .split('.')
            .nth(1)
            .expect("claims");
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).expect("base64url"))
            .expect("JSON claims")
    }

    #[test]
    fn each_user_name_accepts_its_kind_of_secret() {
        let cloud = Emulator::start().expect("a port");
        let accounts = cloud.accounts();
        accounts.add_api_key("user-key", Subject::user("1"));
        accounts.add_api_key("service-key", Subject::service_id("1"));
        accounts.add_refresh_token("refresh", Subject::user("1"));
        accounts.add_registry_token("registry");
        accounts.add_entitlement_key("entitlement");
        accounts.add_profile("Profile-1", &["iam-ServiceId-1", "IBMid-1"]);
        let fields = [
            ("grant_type", "urn:ibm:params:oauth:grant-type:apikey"),
            ("apikey", "user-key"),
        ];
        let (_, token) = wire::exchange(&cloud, &fields, false);
        let bearer = token["access_token"].as_str().expect("an access token");
        for (name, secret, subject) in [
            ("cp", "entitlement", "IBMid-entitled"),
            ("iamapikey", "user-key", "IBMid-1"),
            ("iambearer", bearer, "IBMid-1"),
            ("iamrefresh", "refresh", "IBMid-1"),
            ("token", "registry", "IBMid-registry-token"),
            ("Profile-1", "service-key", "iam-Profile-1"),
        ] {
            let (status, answer) = login(&cloud, name, secret);
            assert_eq!(status, 200, "{name}: {answer}");
            assert_eq!(answer["token"], answer["access_token"]);
            assert_eq!(answer["expires_in"], 300);
            let claims = claims(&answer);
            assert_eq!(
                (&claims["sub"], &claims["aud"]),
                (&subject.into(), &"registry".into())
            );
            let access =
                json!([{"type": "repository", "name": "ns/app", "actions": ["pull", "push"]}]);
            assert_eq!(claims["access"], access);
            let (status, answer) = login(&cloud, name, "wrong");
            assert_eq!(
                (status, &answer["errors"][0]["code"]),
                (401, &"UNAUTHORIZED".into()),
                "{name}"
            );
            assert_eq!(answer["errors"][0]["message"], UNAUTHORIZED);
        }
        assert_eq!(
            login(&cloud, "Profile-1", "user-key").0,
            401,
            "only service IDs log in as a profile"
        );
        assert_eq!(
            login(&cloud, "Profile-2", "service-key").0,
            401,
            "it trusts no identity"
        );
        for name in ["<token>", "iam", "user-key", ""] {
            let (status, answer) = login(&cloud, name, "user-key");
            assert_eq!(
                (status, &answer["errors"][0]["code"]),
                (400, &"UNSUPPORTED".into()),
                "{name}"
            );
        }
    }

    #[test]
    fn expired_secrets_are_rejected() {
        let cloud = Emulator::start().expect("a port");
        cloud.accounts().add_api_key("key", Subject::user("1"));
        cloud
            .accounts()
            .add_refresh_token("refresh", Subject::user("1"));
        cloud.accounts().expire_refresh_token("refresh");
        cloud.accounts().set_token_lifetime(0);
        let fields = [
            ("grant_type", "urn:ibm:params:oauth:grant-type:apikey"),
            ("apikey", "key"),
        ];
        let (_, token) = wire::exchange(&cloud, &fields, false);
        assert_eq!(
            login(
                &cloud,
                "iambearer",
                token["access_token"].as_str().expect("a token")
            )
            .0,
            401
        );
        assert_eq!(login(&cloud, "iamrefresh", "refresh").0, 401);
    }

    #[test]
    fn namespaces_of_an_account_are_closed_to_others() {
        let cloud = Emulator::start().expect("a port");
        let accounts = cloud.accounts();
        accounts.add_account_namespace("account-1", "ns");
        accounts.add_api_key("key-1", Subject::user("1"));
        accounts.add_api_key("key-2", Subject::user_of("1", "account-2"));
        accounts.add_refresh_token("refresh-2", Subject::user_of("1", "account-2"));
        let whole = json!([{"type": "repository", "name": "ns/app", "actions": ["pull", "push"]}]);
        for (name, secret, access) in [
            ("iamapikey", "key-1", &whole),
            ("iamapikey", "key-2", &json!([])),
            ("iamrefresh", "refresh-2", &json!([])),
        ] {
            let (status, answer) = login(&cloud, name, secret);
            assert_eq!(status, 200, "the login itself is good");
            assert_eq!(claims(&answer)["access"], *access, "{name} {secret}");
        }
        accounts.add_account_namespace("account-2", "ns");
        for (name, secret) in [("iamapikey", "key-2"), ("iamrefresh", "refresh-2")] {
            assert_eq!(claims(&login(&cloud, name, secret).1)["access"], whole);
        }
    }

    #[test]
    fn revoked_secrets_are_rejected() {
        let cloud = Emulator::start().expect("a port");
        let accounts = cloud.accounts();
        accounts.add_api_key("disabled", Subject::user("1"));
        accounts.disable_api_key("disabled");
        accounts.add_api_key("expired", Subject::user("1"));
        accounts.expire_api_key("expired");
        accounts.add_refresh_token("inactive", Subject::user("1"));
        accounts.invalidate_session("inactive");
        for (name, secret) in [
            ("iamapikey", "disabled"),
            ("iamapikey", "expired"),
            ("iamrefresh", "inactive"),
        ] {
            assert_eq!(login(&cloud, name, secret).0, 401, "{secret}");
        }
    }

    #[test]
    fn a_public_namespace_needs_no_login() {
        let cloud = Emulator::start().expect("a port");
        cloud.accounts().add_public_namespace("open");
        let scopes = "scope=repository:public/app:pull,push+repository:ns/app:pull&scope=repository:open/a/b:pull&account=me";
        let (status, answer) = wire::request(
            &cloud,
            &format!("GET /oauth/token?service=registry&{scopes}"),
            "",
            "",
        );
        assert_eq!(status, 200);
        let access = json!([
            {"type": "repository", "name": "public/app", "actions": ["pull"]},
            {"type": "repository", "name": "open/a/b", "actions": ["pull"]},
        ]);
        assert_eq!(claims(&answer)["access"], access);
        assert_eq!(
            wire::request(&cloud, "POST /oauth/token", "", "grant_type=password").0,
            405
        );
        assert_eq!(cloud.requests().len(), 2, "both are recorded");
        assert_eq!(cloud.exchanges(), 0, "neither went to IAM");
    }
}
