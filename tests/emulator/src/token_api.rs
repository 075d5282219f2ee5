//! An account's tokens at a registry: the part of the registry's management API that creates, lists and deletes them
//! (bluemix-go, `api/container/registryv1/tokens.go`); IBM turned it off in 2019 and the tokens in 2021.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::Value;
use serde_json::json;

use crate::accounts::Accounts;
use crate::clock::unix_now;
use crate::random;
use crate::rejection::Rejection;
use crate::request::Recorded;
use crate::response::Response;
use crate::subject::Subject;

/// A registry token that was created here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RegistryToken {
    /// The account whose namespaces it gives access to.
    pub account: String,
    /// The description given at its creation (`secondary_owner`).
    pub description: String,
    /// When it expires, in seconds since 1970; `None` for a permanent one.
    pub expires_at: Option<u64>,
    /// The registry it is for, without `private.`: tokens belong to one region.
    pub host: String,
    /// Its ID, `jti` in the token itself.
    pub id: String,
    /// Still listed, but rejected.
    pub is_revoked: bool,
    /// Whether it also allows pushes.
    pub may_write: bool,
    /// The token itself, a JWT.
    pub value: String,
}

impl RegistryToken {
    fn is_valid(&self) -> bool {
        !self.is_revoked && self.expires_at.is_none_or(|end| unix_now() < end)
    }

    fn shown(&self) -> Value {
        let mut shown = json!({
            "_id": self.id,
            "owner": self.account,
            "token": self.value,
            "secondary_owner": self.description,
            "encrypted_token": "",
        });
        // Go omits empty fields.
        for (name, value) in [("readonly", !self.may_write), ("revoked", self.is_revoked)] {
            if value {
                shown[name] = true.into();
            }
        }
        if let Some(end) = self.expires_at {
            shown["expiry"] = end.into();
        }
        shown
    }
}

/// All tokens, and how new ones are created.
#[derive(Debug)]
pub(crate) struct TokenBook {
    /// The status of every answer while the API is turned off.
    gone: Option<u16>,
    lifetime: u64,
    tokens: Vec<RegistryToken>,
}

impl Default for TokenBook {
    fn default() -> Self {
        Self {
            gone: None,
            lifetime: 24 * 60 * 60,
            tokens: Vec::new(),
        }
    }
}

/// The registry's tokens.
impl Accounts {
    /// Returns every registry token that was created and not deleted, in order.
    pub fn registry_tokens(&self) -> Vec<RegistryToken> {
        self.with_token_book(|book| book.tokens.clone())
    }

    /// Makes a registry token expired: still listed, but rejected.
    pub fn expire_registry_token(&self, id: &str) {
        self.set_registry_token_expiry(id, unix_now().saturating_sub(60));
    }

    /// Sets when a registry token expires, in seconds since 1970.
    pub fn set_registry_token_expiry(&self, id: &str, expires_at: u64) {
        self.change_registry_token(id, |token| token.expires_at = Some(expires_at));
    }

    /// Revokes a registry token: still listed, but rejected.
    pub fn revoke_registry_token(&self, id: &str) {
        self.change_registry_token(id, |token| token.is_revoked = true);
    }

    /// Sets the lifetime of registry tokens created from now on, unless they are permanent; 86400 s by default.
    pub fn set_registry_token_lifetime(&self, seconds: u32) {
        self.with_token_book(|book| book.lifetime = seconds.into());
    }

    /// Turns the API off, so that it answers with this status (404 or 410, as IBM's does now), or on again.
    pub fn stop_registry_tokens(&self, status: Option<u16>) {
        self.with_token_book(|book| book.gone = status);
    }

    /// Returns the valid token with this value, if it belongs to this registry.
    pub(crate) fn registry_token(&self, value: &str, host: &str) -> Option<RegistryToken> {
        let fits =
            |token: &&RegistryToken| token.value == value && token.host == host && token.is_valid();
        self.with_token_book(|book| book.tokens.iter().find(fits).cloned())
    }

    fn change_registry_token(&self, id: &str, change: impl FnOnce(&mut RegistryToken)) {
        self.with_token_book(|book| {
            if let Some(token) = book.tokens.iter_mut().find(|token| token.id == id) {
                change(token);
            }
        });
    }
}

/// Returns whether the path belongs to this API.
pub(crate) fn owns(path: &str) -> bool {
    path.strip_prefix(PATH)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns the registry that a request is for: its host without the default port and `private.`, which is the same registry.
pub(crate) fn host(request: &Recorded) -> String {
    let host = request.header("host").unwrap_or_default().to_lowercase();
    let host = host.strip_suffix(":443").unwrap_or(&host);
    host.strip_prefix("private.").unwrap_or(host).to_owned()
}

/// Answers a request about tokens.
pub(crate) fn answer(accounts: &Accounts, request: &Recorded) -> Result<Response, Rejection> {
    if let Some(status) = accounts.with_token_book(|book| book.gone) {
        return Ok(Response::text(status, "404 page not found\n"));
    }
    let account = account(accounts, request)?;
    let rest = request.path.strip_prefix(PATH).unwrap_or_default();
    let words: Vec<&str> = rest.split('/').skip(1).collect();
    let host = host(request);
    let is_meant = |token: &RegistryToken| token.account == account && token.host == host;
    match (request.method.as_str(), words.as_slice()) {
        ("GET", []) => {
            let tokens = accounts.registry_tokens().into_iter();
            let shown: Vec<Value> = tokens.filter(is_meant).map(|token| token.shown()).collect();
            Ok(Response::json(200, &json!({"tokens": shown})))
        }
        ("POST", []) => make(accounts, request, account, host),
        ("GET", [id]) => {
            let tokens = accounts.registry_tokens().into_iter();
            let token = tokens.filter(is_meant).find(|token| token.id == *id);
            let token = token.ok_or_else(unknown)?;
            Ok(Response::json(200, &json!({"token": token.value})))
        }
        ("DELETE", [id]) => delete(accounts, |token| is_meant(token) && token.id == *id),
        ("DELETE", []) => {
            let description = request.parameter("secondaryOwner");
            let description = description.filter(|description| !description.is_empty());
            let description =
                description.ok_or_else(|| refused(400, "Parameter missing: secondaryOwner."))?;
            delete(accounts, |token| {
                is_meant(token) && token.description == description
            })
        }
        _ => Err(refused(405, "Method not allowed.")),
    }
}

const PATH: &str = "/api/v1/tokens";

/// IBM's code for an account that the identity does not belong to.
const WRONG_ACCOUNT: &str = "CRG0009E";

/// The code of errors for which IBM's code is unknown. IBM does not use it.
const STAND_IN: &str = "CRG0000E";

/// Returns the account in the headers, if the identity of the IAM token belongs to it. Old clients send the token as in the
/// CLI's configuration, with its `Bearer`, and their refresh token.
fn account(accounts: &Accounts, request: &Recorded) -> Result<String, Rejection> {
    let token = request.header("authorization").unwrap_or_default();
    let token = request.bearer().unwrap_or(token);
    let subject: Option<Subject> = accounts.access_token(token);
    let subject = subject.ok_or_else(|| refused(401, "The IAM token is missing or not valid."))?;
    if let Some(token) = request.header("refreshtoken")
        && accounts.refresh_token(token).is_err()
    {
        return Err(refused(401, "The IAM refresh token is not valid."));
    }
    let account = request.header("account").unwrap_or_default();
    if account.is_empty() {
        return Err(refused(400, "Header missing: Account."));
    }
    if account != subject.account {
        let message = "You are not authorized to access the specified account.";
        return Err(Rejection::new(401, WRONG_ACCOUNT, message));
    }
    Ok(subject.account)
}

fn make(
    accounts: &Accounts,
    request: &Recorded,
    account: String,
    host: String,
) -> Result<Response, Rejection> {
    let flag = |name: &str| match request.parameter(name) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(refused(400, &format!("Parameter not valid: {name}."))),
    };
    let (is_permanent, may_write) = (flag("permanent")?, flag("write")?);
    let id = uuid();
    let lifetime = accounts.with_token_book(|book| book.lifetime);
    let expires_at = (!is_permanent).then(|| unix_now() + lifetime);
    let mut claims = json!({"jti": id, "iss": host});
    if let Some(end) = expires_at {
        claims["exp"] = end.into();
    }
    let value = signed(&claims);
    let answer = Response::json(200, &json!({"token": value}));
    let token = RegistryToken {
        account,
        description: request.parameter("description").unwrap_or_default().into(),
        expires_at,
        host,
        id,
        is_revoked: false,
        may_write,
        value,
    };
    accounts.with_token_book(|book| book.tokens.push(token));
    Ok(answer)
}

fn delete(
    accounts: &Accounts,
    is_meant: impl Fn(&RegistryToken) -> bool,
) -> Result<Response, Rejection> {
    let deleted = accounts.with_token_book(|book| {
        let before = book.tokens.len();
        book.tokens.retain(|token| !is_meant(token));
        before - book.tokens.len()
    });
    match deleted {
        0 => Err(unknown()),
        _ => Ok(Response::json(200, &json!({}))),
    }
}

/// Returns a random UUID: `ae57b394-e39d-595f-ae5d-e46905285df6`.
fn uuid() -> String {
    let id = random::id();
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
    parts.map(|part| &id[part]).join("-")
}

/// Returns a JWT with these claims, signed with a key that is not kept: tokens are looked up, not verified.
fn signed(claims: &Value) -> String {
    let encode = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
    let text = format!(
        "{}.{}",
        encode(&json!({"alg": "HS256", "typ": "JWT"})),
        encode(claims)
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, &random::bytes(32));
    let signature = BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&key, text.as_bytes()));
    format!("{text}.{signature}")
}

fn unknown() -> Rejection {
    refused(404, "The token could not be found.")
}

fn refused(status: u16, message: &str) -> Rejection {
    Rejection::new(status, STAND_IN, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Emulator;
    use crate::wire;

    const HOST: &str = "Host: us.icr.io\r\nAccount: account-1\r\n";

    fn cloud() -> (Emulator, String) {
        let cloud = Emulator::start().expect("a port");
        cloud.accounts().add_api_key("key", Subject::user("1"));
        let fields = [
            ("grant_type", "urn:ibm:params:oauth:grant-type:apikey"),
            ("apikey", "key"),
        ];
        let (_, answer) = wire::exchange(&cloud, &fields, false);
        let token = answer["access_token"].as_str().expect("a token");
        (cloud, format!("Authorization: Bearer {token}\r\n"))
    }

    fn ask(cloud: &Emulator, headers: &str, start: &str) -> (u16, Value) {
        wire::request(cloud, start, headers, "")
    }

    fn log_in(cloud: &Emulator, host: &str, token: &str) -> (u16, Value) {
        use base64::prelude::BASE64_STANDARD;
        let credentials = BASE64_STANDARD.encode(format!("token:{token}"));
        let headers = format!("Host: {host}\r\nAuthorization: Basic {credentials}\r\n");
        let (status, answer) = ask(
            cloud,
            &headers,
            "GET /oauth/token?service=registry&scope=repository:ns/app:pull,push",
        );
        let token = answer["token"].as_str().unwrap_or_default();
        let claims = token.split('.').nth(1).unwrap_or_default();
        let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).expect("base64url");
        let claims: Value = serde_json::from_slice(&claims).unwrap_or_default();
        (status, claims["access"][0]["actions"].clone())
    }

    #[test]
    fn a_token_is_made_listed_shown_and_deleted() {
        let (cloud, authorization) = cloud();
        let headers = format!("{HOST}{authorization}");
        let (status, made) = ask(
            &cloud,
            &headers,
            "POST /api/v1/tokens?description=a+b&permanent=false&write=true",
        );
        assert_eq!(status, 200);
        let token = cloud.accounts().registry_tokens().remove(0);
        assert_eq!(made, json!({"token": token.value}));
        assert_eq!((&*token.description, token.may_write), ("a b", true));
        let claims = token.value.split('.').nth(1).expect("claims");
        let claims: Value =
            serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).expect("base64url"))
                .expect("claims");
        let end = token.expires_at.expect("it ends");
        assert_eq!(
            claims,
            json!({"exp": end, "jti": token.id, "iss": "us.icr.io"})
        );
        assert!((86_300..=86_400).contains(&(end - unix_now())));
        let (_, listed) = ask(&cloud, &headers, "GET /api/v1/tokens");
        assert_eq!(listed["tokens"][0]["_id"], token.id.as_str());
        assert_eq!(listed["tokens"][0]["secondary_owner"], "a b");
        assert_eq!(listed["tokens"][0]["readonly"], Value::Null);
        let one = format!("/api/v1/tokens/{}", token.id);
        assert_eq!(ask(&cloud, &headers, &format!("GET {one}")).1, made);
        assert_eq!(ask(&cloud, &headers, &format!("DELETE {one}")).0, 200);
        assert_eq!(ask(&cloud, &headers, &format!("DELETE {one}")).0, 404);
        assert_eq!(ask(&cloud, &headers, &format!("GET {one}")).0, 404);
    }

    #[test]
    fn tokens_are_deleted_by_what_is_said_about_them() {
        let (cloud, authorization) = cloud();
        let headers = format!("{HOST}{authorization}");
        for description in ["ci", "ci", "mine"] {
            let start = format!("POST /api/v1/tokens?description={description}&permanent=true");
            assert_eq!(ask(&cloud, &headers, &start).0, 200);
        }
        assert_eq!(ask(&cloud, &headers, "DELETE /api/v1/tokens").0, 400);
        let start = "DELETE /api/v1/tokens?secondaryOwner=ci";
        assert_eq!(ask(&cloud, &headers, start).0, 200);
        let left = cloud.accounts().registry_tokens();
        assert_eq!(left.len(), 1);
        assert_eq!((&*left[0].description, left[0].expires_at), ("mine", None));
    }

    #[test]
    fn a_token_opens_its_registry_as_far_as_it_may_until_it_ends() {
        let (cloud, authorization) = cloud();
        let accounts = cloud.accounts();
        for (write, actions) in [
            ("false", json!(["pull"])),
            ("true", json!(["pull", "push"])),
        ] {
            let headers = format!("{HOST}{authorization}");
            let start = format!("POST /api/v1/tokens?write={write}");
            let (_, made) = ask(&cloud, &headers, &start);
            let value = made["token"].as_str().expect("a token");
            for host in ["us.icr.io", "US.icr.io:443", "private.us.icr.io"] {
                assert_eq!(log_in(&cloud, host, value), (200, actions.clone()));
            }
            assert_eq!(log_in(&cloud, "de.icr.io", value).0, 401, "another region");
        }
        let tokens = accounts.registry_tokens();
        accounts.expire_registry_token(&tokens[0].id);
        accounts.revoke_registry_token(&tokens[1].id);
        for token in tokens {
            assert_eq!(log_in(&cloud, "us.icr.io", &token.value).0, 401);
        }
        assert_eq!(accounts.registry_tokens().len(), 2, "they are still listed");
    }

    #[test]
    fn only_the_accounts_own_people_may_ask() {
        let (cloud, authorization) = cloud();
        let token = authorization
            .trim()
            .strip_prefix("Authorization: Bearer ")
            .expect("a token");
        let bare = format!("{HOST}Authorization: {token}\r\n");
        let start = "GET /api/v1/tokens";
        assert_eq!(ask(&cloud, &bare, start).0, 200, "as the CLI sends it");
        let other = authorization.clone() + "Host: us.icr.io\r\nAccount: account-2\r\n";
        let (status, answer) = ask(&cloud, &other, start);
        assert_eq!((status, &answer["code"]), (401, &"CRG0009E".into()));
        assert!(answer["request-id"].is_string(), "{answer}");
        assert_eq!(ask(&cloud, &authorization, start).0, 400, "no account");
        assert_eq!(ask(&cloud, HOST, start).0, 401, "without a token");
        let stale = format!("{bare}RefreshToken: stale\r\n");
        assert_eq!(ask(&cloud, &stale, start).0, 401);
        cloud
            .accounts()
            .add_refresh_token("good", Subject::user("1"));
        let good = format!("{bare}RefreshToken: good\r\n");
        assert_eq!(ask(&cloud, &good, start).0, 200);
    }

    #[test]
    fn where_tokens_are_gone_nothing_is_left_of_the_api() {
        let (cloud, authorization) = cloud();
        let headers = format!("{HOST}{authorization}");
        for status in [404, 410] {
            cloud.accounts().stop_registry_tokens(Some(status));
            for start in [
                "GET /api/v1/tokens",
                "POST /api/v1/tokens",
                "DELETE /api/v1/tokens/x",
            ] {
                assert_eq!(ask(&cloud, &headers, start), (status, Value::Null));
            }
        }
        cloud.accounts().stop_registry_tokens(None);
        assert_eq!(ask(&cloud, &headers, "GET /api/v1/tokens").0, 200);
    }
}
