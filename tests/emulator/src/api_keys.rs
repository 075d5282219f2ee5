//! API keys: the part of IAM that creates, shows and deletes them (platform-services-go-sdk, `iamidentityv1`).

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::accounts::Accounts;
use crate::clock::from_minute;
use crate::clock::minute;
use crate::clock::unix_now;
use crate::random;
use crate::rejection::Rejection;
use crate::rejection::STAND_IN;
use crate::request::Recorded;
use crate::response::Response;
use crate::subject::Subject;

/// An API key without its value.
#[derive(Clone, Debug)]
pub(crate) struct ApiKey {
    action_when_leaked: String,
    created_at: u64,
    description: String,
    pub(crate) disabled: bool,
    entity_tag: String,
    pub(crate) expires_at: Option<u64>,
    pub(crate) id: String,
    locked: bool,
    name: String,
    pub(crate) subject: Subject,
    support_sessions: bool,
}

impl ApiKey {
    /// Creates a key that is valid until it is deleted.
    pub(crate) fn new(name: &str, subject: Subject) -> Self {
        Self {
            action_when_leaked: "none".to_owned(),
            created_at: unix_now(),
            description: String::new(),
            disabled: false,
            entity_tag: random::id(),
            expires_at: None,
            id: format!("ApiKey-{}", random::id()),
            locked: false,
            name: name.to_owned(),
            subject,
            support_sessions: false,
        }
    }

    pub(crate) fn has_expired(&self) -> bool {
        self.expires_at.is_some_and(|end| end <= unix_now())
    }

    pub(crate) fn is_valid(&self) -> bool {
        !self.disabled && !self.has_expired()
    }

    /// Returns it as IAM shows it; with its value only in the answer to its creation.
    fn shown(&self, value: Option<&str>) -> Value {
        let Subject { iam_id, account } = &self.subject;
        let id = &self.id;
        let mut shown = json!({
            "id": id,
            "entity_tag": self.entity_tag,
            "crn": format!("crn:v1:bluemix:public:iam-identity::a/{account}::apikey:{id}"),
            "locked": self.locked,
            "disabled": self.disabled,
            "created_at": minute(self.created_at),
            "modified_at": minute(self.created_at),
            "created_by": iam_id,
            "name": self.name,
            "description": self.description,
            "support_sessions": self.support_sessions,
            "action_when_leaked": self.action_when_leaked,
            "iam_id": iam_id,
            "account_id": account,
            "apikey": value.unwrap_or("**********"),
        });
        if let Some(end) = self.expires_at {
            shown["expires_at"] = minute(end).into();
        }
        shown
    }
}

/// Returns whether the path belongs to this service.
pub(crate) fn owns(path: &str) -> bool {
    path.strip_prefix(PATH)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a request about API keys.
pub(crate) fn answer(accounts: &Accounts, request: &Recorded) -> Result<Response, Rejection> {
    let bearer = request.bearer();
    let subject = bearer.and_then(|token| accounts.access_token(token));
    let subject =
        subject.ok_or_else(|| refused(401, "The access token is missing or not valid."))?;
    let rest = request.path.strip_prefix(PATH).unwrap_or_default();
    let words: Vec<&str> = rest.split('/').skip(1).collect();
    match (request.method.as_str(), words.as_slice()) {
        ("POST", []) => create(accounts, request, subject),
        ("GET", ["details"]) => details(accounts, request, &subject),
        ("GET", [id]) => Ok(shown(&key_of(accounts, id, &subject)?)),
        ("DELETE", [id]) => delete(accounts, id, &subject),
        ("POST" | "DELETE", [id, "lock"]) => change(accounts, id, &subject, |key| {
            key.locked = request.method == "POST"
        }),
        ("POST" | "DELETE", [id, "disable"]) => change(accounts, id, &subject, |key| {
            key.disabled = request.method == "POST"
        }),
        _ => Err(refused(404, "Not found.")),
    }
}

const PATH: &str = "/v1/apikeys";

fn create(
    accounts: &Accounts,
    request: &Recorded,
    subject: Subject,
) -> Result<Response, Rejection> {
    let body: Option<Map<String, Value>> = serde_json::from_str(&request.body).ok();
    let body = body.ok_or_else(|| refused(400, "The body is no JSON object."))?;
    if let Some(name) = body.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(refused(400, &format!("Property not supported: {name}.")));
    }
    if text(&body, "iam_id")? != Some(&subject.iam_id) {
        let message = "Property missing, or not the IAM ID of the access token: iam_id.";
        return Err(refused(400, message));
    }
    if text(&body, "account_id")?.is_some_and(|account| account != subject.account) {
        return Err(refused(403, "The access token is not for this account."));
    }
    if flag(&body, "store_value")? {
        return Err(refused(400, "The value of a user's API key is not stored."));
    }
    let name = text(&body, "name")?.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| refused(400, "Property missing or empty: name."))?;
    let mut key = ApiKey::new(name, subject);
    key.description = text(&body, "description")?.unwrap_or_default().to_owned();
    key.support_sessions = flag(&body, "support_sessions")?;
    if let Some(action) = text(&body, "action_when_leaked")? {
        if !["none", "disable", "delete"].contains(&action) {
            return Err(refused(400, "Property not valid: action_when_leaked."));
        }
        action.clone_into(&mut key.action_when_leaked);
    }
    if let Some(end) = text(&body, "expires_at")? {
        let end = from_minute(end).filter(|end| *end > unix_now());
        let end =
            end.ok_or_else(|| refused(400, "Property not valid or in the past: expires_at."))?;
        key.expires_at = Some(end);
    }
    key.locked = request.header("entity-lock") == Some("true");
    key.disabled = request.header("entity-disable") == Some("true");
    let value = random::text(33);
    let answer = Response::json(201, &key.shown(Some(&value)));
    accounts.keep_api_key(&value, key);
    Ok(answer)
}

const FIELDS: [&str; 8] = [
    "account_id",
    "action_when_leaked",
    "description",
    "expires_at",
    "iam_id",
    "name",
    "store_value",
    "support_sessions",
];

/// Returns the details of the API key in a header.
fn details(
    accounts: &Accounts,
    request: &Recorded,
    subject: &Subject,
) -> Result<Response, Rejection> {
    let value = request.header("iam-apikey");
    let value = value.ok_or_else(|| refused(400, "Header missing: IAM-ApiKey."))?;
    let key = accounts.any_api_key(value);
    Ok(shown(&owned(key, subject)?))
}

fn delete(accounts: &Accounts, id: &str, subject: &Subject) -> Result<Response, Rejection> {
    if key_of(accounts, id, subject)?.locked {
        return Err(refused(409, "The API key is locked."));
    }
    accounts.delete_api_key(id);
    Ok(no_content())
}

fn change(
    accounts: &Accounts,
    id: &str,
    subject: &Subject,
    change: impl FnOnce(&mut ApiKey),
) -> Result<Response, Rejection> {
    let mut key = key_of(accounts, id, subject)?;
    change(&mut key);
    key.entity_tag = random::id();
    accounts.replace_api_key(&key);
    Ok(no_content())
}

fn key_of(accounts: &Accounts, id: &str, subject: &Subject) -> Result<ApiKey, Rejection> {
    owned(accounts.api_key_by_id(id), subject)
}

fn owned(key: Option<ApiKey>, subject: &Subject) -> Result<ApiKey, Rejection> {
    let key = key.ok_or_else(|| refused(404, "Provided API key could not be found."))?;
    if key.subject == *subject {
        Ok(key)
    } else {
        Err(refused(
            403,
            "You are not authorized to access this API key.",
        ))
    }
}

fn shown(key: &ApiKey) -> Response {
    Response::json(200, &key.shown(None))
}

fn no_content() -> Response {
    Response::new(204, "application/json", "")
}

fn refused(status: u16, message: &str) -> Rejection {
    Rejection::new(status, STAND_IN, message)
}

fn text<'b>(body: &'b Map<String, Value>, name: &str) -> Result<Option<&'b str>, Rejection> {
    match body.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(refused(400, &format!("Property is no text: {name}."))),
    }
}

fn flag(body: &Map<String, Value>, name: &str) -> Result<bool, Rejection> {
    match body.get(name) {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(refused(400, &format!("Property is no Boolean: {name}."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Emulator;
    use crate::Fault;
    use crate::Service;
    use crate::wire;

    const API_KEY: &str = "urn:ibm:params:oauth:grant-type:apikey";

    fn cloud() -> Emulator {
        let cloud = Emulator::start().expect("a port");
        let accounts = cloud.accounts();
        accounts.add_api_key("mine", Subject::user_of("1", "account-2"));
        accounts.add_api_key("theirs", Subject::user("2"));
        cloud
    }

    /// Returns the status and the token or error for an API key.
    fn exchange(cloud: &Emulator, key: &str) -> (u16, Value) {
        wire::exchange(cloud, &[("grant_type", API_KEY), ("apikey", key)], false)
    }

    /// Returns the header with a token for an API key.
    fn bearer(cloud: &Emulator, key: &str) -> String {
        let (_, answer) = exchange(cloud, key);
        let token = answer["access_token"].as_str().expect("a token");
        format!("Authorization: Bearer {token}\r\n")
    }

    fn order(change: &Value) -> String {
        let mut order = json!({
            "name": "laptop",
            "iam_id": "IBMid-1",
            "account_id": "account-2",
            "description": "for tests",
            "action_when_leaked": "disable",
            "expires_at": "2999-12-31T23:59+0000",
            "store_value": false,
            "support_sessions": false,
        });
        for (name, value) in change.as_object().expect("an object") {
            order[name] = value.clone();
        }
        order.to_string()
    }

    #[test]
    fn a_created_key_works_until_it_is_deleted() {
        let cloud = cloud();
        let headers = bearer(&cloud, "mine");
        let order = order(&json!({}));
        let (status, key) = wire::request(&cloud, "POST /v1/apikeys", &headers, &order);
        assert_eq!(status, 201, "{key}");
        for name in ["id", "entity_tag", "crn", "created_at"] {
            assert!(key[name].is_string(), "{name}");
        }
        for (name, value) in [
            ("locked", json!(false)),
            ("disabled", json!(false)),
            ("created_by", json!("IBMid-1")),
            ("name", json!("laptop")),
            ("iam_id", json!("IBMid-1")),
            ("account_id", json!("account-2")),
            ("expires_at", json!("2999-12-31T23:59+0000")),
        ] {
            assert_eq!(key[name], value, "{name}");
        }
        let value = key["apikey"].as_str().expect("the value");
        assert_eq!(exchange(&cloud, value).0, 200);

        let id = key["id"].as_str().expect("an ID");
        let path = format!("/v1/apikeys/{id}");
        let own = bearer(&cloud, value);
        let with_value = format!("{own}IAM-ApiKey: {value}\r\n");
        for (start, headers) in [
            ("GET /v1/apikeys/details", &with_value),
            (&format!("GET {path}"), &own),
        ] {
            let (status, shown) = wire::request(&cloud, start, headers, "");
            assert_eq!((status, &shown["id"]), (200, &id.into()), "{start}");
            assert_ne!(shown["apikey"], value, "it is masked");
        }
        assert_eq!(
            wire::request(&cloud, &format!("DELETE {path}"), &own, "").0,
            204
        );
        let (status, error) = exchange(&cloud, value);
        assert_eq!((status, &error["errorCode"]), (400, &"BXNIM0415E".into()));
        for method in ["GET", "DELETE"] {
            let (status, error) = wire::request(&cloud, &format!("{method} {path}"), &headers, "");
            assert_eq!((status, &error["status_code"]), (404, &404.into()));
            assert!(error["trace"].is_string() && error["errors"][0]["message"].is_string());
        }
        assert_eq!(cloud.requests()[1].body, order);
    }

    #[test]
    fn an_invalid_order_of_a_key_is_rejected() {
        let cloud = cloud();
        let headers = bearer(&cloud, "mine");
        for (change, status) in [
            (json!({"name": ""}), 400),
            (json!({"name": null}), 400),
            (json!({"iam_id": "IBMid-2"}), 400),
            (json!({"account_id": "account-1"}), 403),
            (json!({"store_value": true}), 400),
            (json!({"expires_at": "2001-01-01T00:00+0000"}), 400),
            (json!({"expires_at": "2999-12-31T23:59:00Z"}), 400),
            (json!({"expires_at": "2999-02-30T23:59+0000"}), 400),
            (json!({"action_when_leaked": "panic"}), 400),
            (json!({"support_sessions": "yes"}), 400),
            (json!({"expiry": 1}), 400),
        ] {
            let body = order(&change);
            let answered = wire::request(&cloud, "POST /v1/apikeys", &headers, &body).0;
            assert_eq!(answered, status, "{change}");
        }
        let body = order(&json!({}));
        for headers in ["", "Authorization: Bearer made.up.token\r\n"] {
            let (status, _) = wire::request(&cloud, "POST /v1/apikeys", headers, &body);
            assert_eq!(status, 401);
        }
        assert_eq!(cloud.accounts().api_key_count(), 2, "none was created");
    }

    #[test]
    fn keys_of_other_identities_are_not_accessible() {
        let cloud = cloud();
        let (mine, theirs) = (bearer(&cloud, "mine"), bearer(&cloud, "theirs"));
        let body = order(&json!({}));
        let (_, key) = wire::request(&cloud, "POST /v1/apikeys", &mine, &body);
        let id = key["id"].as_str().expect("an ID");
        for method in ["GET", "DELETE"] {
            let start = format!("{method} /v1/apikeys/{id}");
            assert_eq!(
                wire::request(&cloud, &start, &theirs, "").0,
                403,
                "{method}"
            );
        }
        let headers = format!("{theirs}IAM-ApiKey: mine\r\n");
        let details = "GET /v1/apikeys/details";
        assert_eq!(wire::request(&cloud, details, &headers, "").0, 403);
        let headers = format!("{theirs}IAM-ApiKey: never\r\n");
        assert_eq!(wire::request(&cloud, details, &headers, "").0, 404);
    }

    #[test]
    fn keys_can_be_locked_and_disabled() {
        let cloud = cloud();
        let headers = bearer(&cloud, "mine");
        let body = order(&json!({}));
        let locked = format!("{headers}Entity-Lock: true\r\nEntity-Disable: true\r\n");
        let (_, key) = wire::request(&cloud, "POST /v1/apikeys", &locked, &body);
        assert_eq!(
            (&key["locked"], &key["disabled"]),
            (&true.into(), &true.into())
        );
        let value = key["apikey"].as_str().expect("the value");
        let path = format!("/v1/apikeys/{}", key["id"].as_str().expect("an ID"));
        let call = |start: String| wire::request(&cloud, &start, &headers, "").0;
        assert_eq!(exchange(&cloud, value).0, 400);
        assert_eq!(call(format!("DELETE {path}/disable")), 204);
        assert_eq!(exchange(&cloud, value).0, 200);
        assert_eq!(call(format!("DELETE {path}")), 409);
        assert_eq!(call(format!("DELETE {path}/lock")), 204);
        assert_eq!(call(format!("DELETE {path}")), 204);
        assert_eq!(exchange(&cloud, value).0, 400);
    }

    #[test]
    fn faults_have_the_form_of_the_service() {
        let cloud = cloud();
        let headers = bearer(&cloud, "mine");
        cloud.always_for(Service::ApiKeys, Some(Fault::Status(500)));
        let body = order(&json!({}));
        for _ in 0..2 {
            let (status, error) = wire::request(&cloud, "POST /v1/apikeys", &headers, &body);
            assert_eq!((status, &error["status_code"]), (500, &500.into()));
        }
        cloud.always_for(Service::ApiKeys, None);
        assert_eq!(
            wire::request(&cloud, "POST /v1/apikeys", &headers, &body).0,
            201
        );
    }
}
