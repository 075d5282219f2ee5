//! IBM Cloud IAM: tokens, API keys and the addresses of its pages.
//!
//! Facts about requests and responses: IAM Identity Services API documentation and
//! IBM's SDKs (`go-sdk-core`, `core/iam_authenticator.go`,
//! `core/iam_assume_authenticator.go`, `core/base_service.go`).

pub mod api_keys;
pub mod discovery;
pub mod endpoint;
pub mod grant;
pub mod jwt;
pub mod owner;
pub(crate) mod token_response;
pub mod trusted_profile;

use crate::http::ApiRequest;
use crate::http::Http;
use crate::http::ServiceError;
pub use crate::http::is_token;
use crate::http::transport::Authorization;
use crate::http::transport::Body;
use crate::http::transport::Method;
use endpoint::Endpoint;
use grant::Grant;
pub use token_response::TokenResponse;

/// IAM at one endpoint.
#[derive(Clone)]
pub struct Iam<'a> {
    /// Its address.
    pub endpoint: Endpoint,
    /// Sends the requests.
    pub http: Http<'a>,
}

impl Iam<'_> {
    /// Returns the same with a deadline that starts now, for the time after a person
    /// has answered.
    #[must_use]
    pub fn with_new_deadline(&self) -> Self {
        Self {
            endpoint: self.endpoint.clone(),
            http: self.http.with_new_deadline(),
        }
    }

    /// Returns a token for a grant.
    ///
    /// # Errors
    /// See [`ServiceError`].
    pub fn exchange(&self, grant: &Grant<'_>) -> Result<TokenResponse, ServiceError> {
        let client = grant.client();
        let request = ApiRequest {
            name: grant.name(),
            method: Method::Post,
            url: self.endpoint.token_url(),
            headers: Vec::new(),
            authorization: client.map_or(Authorization::None, |client| Authorization::Basic {
                username: client.id,
                password: client.secret,
            }),
            body: Body::Form(grant.form()),
            proxy: self.endpoint.proxy_policy(),
            secrets: grant.secrets(),
            idempotent: true,
            unreachable_note: "",
        };
        let response = self.http.send_with_retry(&request)?;
        let now = self.http.clock.now();
        request.parse_response(&response, |body| token_response::parse(body, now))
    }
}

/// The size limit of an ID, in bytes; `ApiKey-` and a UUID have 43.
const MAX_ID: usize = 100;

/// Returns whether a text can be an ID of IBM Cloud, which becomes part of a path.
pub(crate) fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_ID
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
pub(crate) mod test_support {
    use super::*;
    use crate::http::test_support::FakeService;

    /// Returns the public IAM, which the service plays.
    pub(crate) fn public_iam(service: &FakeService) -> Iam<'_> {
        Iam {
            endpoint: Endpoint::public(),
            http: service.http(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::test_support::public_iam;
    use super::*;
    use crate::http::test_support::FakeService;
    use crate::http::test_support::response;
    use crate::secret::Secret;

    #[test]
    fn an_exchange_after_a_prompt_gets_a_new_deadline() {
        let token = r#"{"access_token":"t","token_type":"Bearer","expires_in":3600}"#;
        let service = FakeService::answering_after(vec![(9, response(200, token))]);
        let iam = public_iam(&service);
        service.clock.advance(Duration::from_secs(300));
        let grant = Grant::Passcode(&Secret::new("s"));
        assert!(iam.exchange(&grant).is_err(), "its time is over");
        assert!(iam.with_new_deadline().exchange(&grant).is_ok());
    }
}
