//! API keys: created, looked up and deleted with an access token
//! (`platform-services-go-sdk`, `iamidentityv1`).

use serde::Deserialize;
use serde_json::json;

use super::Iam;
use crate::error::one_line;
use crate::http::ApiRequest;
use crate::http::ServiceError;
use crate::http::is_token;
use crate::http::transport::Authorization;
use crate::http::transport::Body;
use crate::http::transport::Method;
use crate::secret::Secret;
use crate::time::formatted;
use crate::time::parsed;

/// The length limit of a name, in characters.
const MAX_NAME: usize = 200;

/// How an expiry is sent (`platform-services-go-sdk`, `iamidentityv1`,
/// `CreateAPIKeyOptions`). Seconds are left out, so that the key does not expire later
/// than requested.
const EXPIRY_FORMAT: &str = "%Y-%m-%dT%H:%M+0000";

/// An API key to create.
#[derive(Clone, Copy, Debug)]
pub struct NewApiKey<'a> {
    /// The name in the list of API keys; need not be unique.
    pub name: &'a str,
    /// Its description.
    pub description: &'a str,
    /// The owner: the `iam_id` of the access token.
    pub iam_id: &'a str,
    /// The account.
    pub account_id: &'a str,
    /// The expiry in seconds since 1970, of which IAM gets the minute.
    pub expires_at: u64,
}

/// An API key that IAM has just created.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CreatedApiKey {
    /// Its ID at IAM, `ApiKey-…`; not secret.
    pub id: String,
    /// The name in the list of API keys.
    pub name: String,
    /// The key, which IAM returns only once.
    pub key: Secret,
    /// The expiry in seconds since 1970, if IAM returns it.
    pub expires_at: Option<u64>,
}

/// The details of an API key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ApiKeyDetails {
    /// Its ID at IAM, `ApiKey-…`; not secret.
    pub id: String,
    /// The name in the list of API keys.
    pub name: String,
    /// The `iam_id` of its owner.
    pub iam_id: String,
    /// The account, if IAM returns it.
    pub account_id: Option<String>,
    /// The expiry in seconds since 1970, if it has one.
    pub expires_at: Option<u64>,
}

/// An API key in a response.
#[derive(Deserialize)]
struct ApiKey {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    iam_id: String,
    account_id: Option<String>,
    expires_at: Option<String>,
    apikey: Option<Secret>,
}

impl Iam<'_> {
    /// Creates an API key. IAM disables it if it is ever found in public.
    ///
    /// # Errors
    /// See [`ServiceError`]. The request is not repeated once IAM may have received it,
    /// because each one may create a key. After [`ServiceError::Unavailable`] there may be
    /// an unknown key of this name.
    pub fn create_api_key(
        &self,
        access_token: &Secret,
        new_key: &NewApiKey<'_>,
    ) -> Result<CreatedApiKey, ServiceError> {
        // `store_value` is false: IAM does not return the key again.
        let body = json!({
            "name": new_key.name,
            "description": new_key.description,
            "iam_id": new_key.iam_id,
            "account_id": new_key.account_id,
            "store_value": false,
            "action_when_leaked": "disable",
            "expires_at": formatted(new_key.expires_at, EXPIRY_FORMAT),
        });
        let request = ApiRequest {
            method: Method::Post,
            body: Body::Json(Secret::new(body.to_string())),
            idempotent: false,
            ..self.api_keys_request("create API key", "", access_token)
        };
        let response = self.http.send_with_retry(&request)?;
        request.parse_response(&response, |body| {
            let created = read(body)?;
            let key = created.apikey.filter(is_token);
            Ok(CreatedApiKey {
                id: created.id,
                name: one_line(&created.name, MAX_NAME),
                key: key.ok_or("it does not contain the new API key")?,
                expires_at: created.expires_at.as_deref().and_then(parse_expiry),
            })
        })
    }

    /// Deletes an API key. Succeeds if IAM does not know it (any more).
    ///
    /// # Errors
    /// See [`ServiceError`].
    pub fn delete_api_key(&self, access_token: &Secret, id: &str) -> Result<(), ServiceError> {
        // It becomes part of a path.
        if !super::is_id(id) {
            return Err(ServiceError::Unusable {
                reason: "it is not the ID of an API key".into(),
            });
        }
        let request = ApiRequest {
            method: Method::Delete,
            ..self.api_keys_request("delete API key", &format!("/{id}"), access_token)
        };
        let response = self.http.send_with_retry(&request)?;
        match request.parse_response(&response, |_| Ok(())) {
            Err(ServiceError::Rejected { status: 404, .. }) => Ok(()),
            outcome => outcome,
        }
    }

    /// Returns the details of an API key.
    ///
    /// # Errors
    /// See [`ServiceError`].
    pub fn api_key_details(
        &self,
        access_token: &Secret,
        key: &Secret,
    ) -> Result<ApiKeyDetails, ServiceError> {
        let request = ApiRequest {
            headers: vec![("IAM-ApiKey", key.clone())],
            secrets: vec![access_token, key],
            ..self.api_keys_request("API key details", "/details", access_token)
        };
        let response = self.http.send_with_retry(&request)?;
        request.parse_response(&response, |body| {
            let known = read(body)?;
            let id = |id: String| one_line(&id, MAX_NAME);
            Ok(ApiKeyDetails {
                id: known.id,
                name: one_line(&known.name, MAX_NAME),
                iam_id: id(known.iam_id),
                account_id: known.account_id.map(id),
                expires_at: known.expires_at.as_deref().and_then(parse_expiry),
            })
        })
    }

    fn api_keys_request<'a>(
        &self,
        name: &'a str,
        path: &str,
        access_token: &'a Secret,
    ) -> ApiRequest<'a> {
        ApiRequest {
            name,
            method: Method::Get,
            url: format!("{}{path}", self.endpoint.api_keys_url()),
            headers: Vec::new(),
            authorization: Authorization::Bearer(access_token.clone()),
            body: Body::Empty,
            proxy: self.endpoint.proxy_policy(),
            secrets: vec![access_token],
            idempotent: true,
            unreachable_note: "",
        }
    }
}

/// Reads an expiry as IAM writes it, with or without seconds and always in UTC.
fn parse_expiry(text: &str) -> Option<u64> {
    let zones = ["+0000", "+00:00", "Z"];
    let text = zones.iter().find_map(|zone| text.strip_suffix(zone))?;
    parsed(text, "%Y-%m-%dT%H:%M:%S").or_else(|| parsed(text, "%Y-%m-%dT%H:%M"))
}

fn read(body: &[u8]) -> Result<ApiKey, String> {
    serde_json::from_slice(body)
        .ok()
        .filter(|key: &ApiKey| super::is_id(&key.id))
        .ok_or_else(|| "it is not an API key, or was cut off".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::endpoint::Endpoint;
    use super::super::test_support::public_iam;
    use super::*;
    use crate::http::test_support::FakeService;
    use crate::http::test_support::later;
    use crate::http::test_support::network;
    use crate::http::test_support::response;
    use crate::http::test_support::unreachable;
    use crate::http::transport::Response;
    use crate::http::transport::TransportError;

    const WANTED: NewApiKey<'_> = NewApiKey {
        name: "docker-credential-icr on laptop",
        description: "made by login",
        iam_id: "IBMid-1",
        account_id: "acc",
        expires_at: 1_800_000_059,
    };

    fn token() -> Secret {
        Secret::new("access")
    }

    fn created() -> Result<Response, TransportError> {
        let body = json!({
            "id": "ApiKey-1", "entity_tag": "1-a", "crn": "crn:v1:x", "locked": false,
            "disabled": false, "created_at": "2026-11-21T09:50+0000", "created_by": "IBMid-1",
            "name": "docker-credential-icr on laptop", "iam_id": "IBMid-1", "account_id": "acc",
            "expires_at": "2027-01-15T08:00+0000", "apikey": "hunter2"
        });
        response(201, &body.to_string())
    }

    fn unknown() -> Result<Response, TransportError> {
        let body = json!({
            "trace": "t", "errors": [{"code": "not_found", "message": "no such key"}], "status_code": 404
        });
        response(404, &body.to_string())
    }

    #[test]
    fn a_key_is_created_with_an_expiry_and_without_a_copy_at_iam() {
        let service = FakeService::answering(vec![created()]);
        let created = public_iam(&service)
            .create_api_key(&token(), &WANTED)
            .unwrap();
        assert_eq!(
            created,
            CreatedApiKey {
                id: "ApiKey-1".into(),
                name: WANTED.name.into(),
                key: Secret::new("hunter2"),
                expires_at: Some(1_800_000_000),
            }
        );
        let requests = service.requests();
        let request = &requests[0];
        assert_eq!(request.method, Method::Post);
        assert_eq!(request.url, "https://iam.cloud.ibm.com/v1/apikeys");
        assert_eq!(request.authorization, Authorization::Bearer(token()));
        let Body::Json(body) = &request.body else {
            panic!("{request:?}");
        };
        let body: serde_json::Value = serde_json::from_str(body.expose()).unwrap();
        assert_eq!(
            body,
            json!({
                "name": WANTED.name, "description": "made by login", "iam_id": "IBMid-1",
                "account_id": "acc", "store_value": false, "action_when_leaked": "disable",
                "expires_at": "2027-01-15T08:00+0000"
            })
        );
    }

    #[test]
    fn a_key_is_never_created_twice() {
        for may_have_been_heard in [
            network(),
            response(500, ""),
            response(503, ""),
            later(502, "1"),
        ] {
            let service = FakeService::answering(vec![may_have_been_heard]);
            let outcome = public_iam(&service).create_api_key(&token(), &WANTED);
            assert!(matches!(outcome, Err(ServiceError::Unavailable(_))));
            assert_eq!(service.requests().len(), 1);
        }
        for without_effect in [unreachable(), later(429, "2"), response(429, "")] {
            let service = FakeService::answering(vec![without_effect, created()]);
            assert!(
                public_iam(&service)
                    .create_api_key(&token(), &WANTED)
                    .is_ok()
            );
            assert_eq!(service.requests().len(), 2);
        }
    }

    #[test]
    fn a_response_without_a_key_is_invalid() {
        for body in [
            json!({"id": "ApiKey-1"}),
            json!({"id": "ApiKey-1", "apikey": ""}),
            json!({"id": "ApiKey-1", "apikey": "a\nb"}),
            json!({"id": "../../x", "apikey": "k"}),
            json!({"apikey": "k"}),
            json!([]),
        ] {
            let service = FakeService::answering(vec![response(201, &body.to_string())]);
            let outcome = public_iam(&service).create_api_key(&token(), &WANTED);
            assert!(
                matches!(outcome, Err(ServiceError::InvalidResponse { .. })),
                "{body}"
            );
        }
    }

    #[test]
    fn deleting_an_unknown_key_succeeds() {
        for answers in [
            vec![response(204, "")],
            vec![unknown()],
            vec![network(), unknown()],
        ] {
            let service = FakeService::answering(answers);
            public_iam(&service)
                .delete_api_key(&token(), "ApiKey-1")
                .unwrap();
            let request = &service.requests()[0];
            assert_eq!(
                (request.method, &*request.url),
                (
                    Method::Delete,
                    "https://iam.cloud.ibm.com/v1/apikeys/ApiKey-1"
                )
            );
        }
        let service = FakeService::answering(vec![response(404, "<html>")]);
        assert!(
            public_iam(&service)
                .delete_api_key(&token(), "ApiKey-1")
                .is_err(),
            "that was not IAM"
        );
    }

    #[test]
    fn an_id_cannot_change_the_path() {
        for id in ["", "../users", "ApiKey-1/lock", "a?b", "a#b", "a%2fb"] {
            let service = FakeService::answering(Vec::new());
            let outcome = public_iam(&service).delete_api_key(&token(), id);
            assert!(
                matches!(outcome, Err(ServiceError::Unusable { .. })),
                "{id}"
            );
            assert!(service.requests().is_empty());
        }
    }

    #[test]
    fn the_owner_of_a_key_is_read() {
        let body = json!({
            "id": "ApiKey-1", "name": "ci\u{1b}[2J", "iam_id": "iam-ServiceId-1", "account_id": "acc",
            "apikey": "hunt***"
        });
        let service = FakeService::answering(vec![response(200, &body.to_string())]);
        let key = Secret::new("hunter2");
        let details = public_iam(&service)
            .api_key_details(&token(), &key)
            .unwrap();
        assert_eq!(
            details,
            ApiKeyDetails {
                id: "ApiKey-1".into(),
                name: "ci [2J".into(),
                iam_id: "iam-ServiceId-1".into(),
                account_id: Some("acc".into()),
                expires_at: None,
            }
        );
        let request = &service.requests()[0];
        assert_eq!(request.url, "https://iam.cloud.ibm.com/v1/apikeys/details");
        assert_eq!(request.headers, [("IAM-ApiKey", key)]);
    }

    #[test]
    fn a_secret_with_control_characters_is_not_sent_and_not_shown() {
        let service = FakeService::answering(Vec::new());
        let bad = Secret::new("hunter2\r\nX: y");
        for outcome in [
            public_iam(&service).api_key_details(&token(), &bad),
            public_iam(&service).api_key_details(&bad, &token()),
        ] {
            let error = outcome.unwrap_err();
            let text = error
                .with_source("the API key", &Endpoint::public())
                .to_string();
            assert!(text.contains("the API key"), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
        assert!(service.requests().is_empty());
    }

    #[test]
    fn a_rejection_does_not_repeat_the_secret() {
        let body = json!({
            "trace": "t", "errors": [{"code": "forbidden", "message": "access may not, nor hunter2"}]
        });
        let service = FakeService::answering(vec![response(403, &body.to_string())]);
        let key = Secret::new("hunter2");
        let outcome = public_iam(&service).api_key_details(&token(), &key);
        assert_eq!(
            outcome,
            Err(ServiceError::Rejected {
                status: 403,
                code: Some("forbidden".into()),
                message: "[redacted] may not, nor [redacted]".into(),
            })
        );
    }

    #[test]
    fn an_expiry_is_sent_to_the_minute() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00+0000"),
            (784_111_777, "1994-11-06T08:49+0000"),
            (951_782_399, "2000-02-28T23:59+0000"),
            (951_782_400, "2000-02-29T00:00+0000"),
            (951_868_800, "2000-03-01T00:00+0000"),
            (1_800_000_000, "2027-01-15T08:00+0000"),
            (4_107_542_400, "2100-03-01T00:00+0000"),
            (253_402_300_799, "9999-12-31T23:59+0000"),
            (u64::MAX, "9999-12-31T23:59+0000"),
        ] {
            assert_eq!(formatted(seconds, EXPIRY_FORMAT), text);
        }
    }

    #[test]
    fn an_expiry_that_is_sent_is_read_back() {
        let day = 24 * 60 * 60;
        for day in (0..3_000_000).step_by(1_701).map(|days| days * day) {
            let seconds = (day + 59_999).min(253_402_300_799);
            let text = formatted(seconds, EXPIRY_FORMAT);
            assert_eq!(parse_expiry(&text), Some(seconds / 60 * 60), "{text}");
        }
    }

    #[test]
    fn an_expiry_is_read_in_utc_only() {
        for (text, seconds) in [
            ("2027-01-15T08:00+0000", Some(1_800_000_000)),
            ("2027-01-15T08:00:07+0000", Some(1_800_000_007)),
            ("2027-01-15T08:00:07Z", Some(1_800_000_007)),
            ("2027-01-15T08:00", None),
            ("2027-01-15T08:00+0100", None),
            ("2027-13-15T08:00+0000", None),
            ("2027-00-15T08:00+0000", None),
            ("2027-01-32T08:00+0000", None),
            ("2027-01-15T24:00+0000", None),
            ("1969-12-31T23:59+0000", None),
            ("99999999999-01-01T00:00+0000", None),
            ("2027-01-+5T08:00+0000", None),
            ("2027-01T08:00+0000", None),
            ("soon", None),
            ("", None),
            ("é-T:Z", None),
        ] {
            assert_eq!(parse_expiry(text), seconds, "{text}");
        }
    }
}
