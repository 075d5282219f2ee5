//! The addresses of IAM's login pages. IAM publishes them, because they vary with the
//! region (`ibm-cloud-cli-sdk`, `GetEndpoint`).

use serde::Deserialize;

use super::Iam;
use super::endpoint;
use crate::http::ApiRequest;
use crate::http::ServiceError;
use crate::http::transport::Authorization;
use crate::http::transport::Body;
use crate::http::transport::Method;
use crate::time::parse_http_date;

/// The part of the discovery document that is used here (OpenID Connect
/// Discovery 1.0, section 3; `passcode_endpoint` is IAM's own).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Discovery {
    /// The page that issues an authorization code to a browser.
    pub authorization_endpoint: String,
    /// The page that shows a one-time passcode after login.
    pub passcode_endpoint: String,
}

impl Iam<'_> {
    /// Returns the addresses of IAM's login pages.
    ///
    /// # Errors
    /// See [`ServiceError`]. An address that is not `https` (or on this machine) is
    /// rejected, because people type secrets there.
    pub fn discover(&self) -> Result<Discovery, ServiceError> {
        let request = self.discovery_request();
        let response = self.http.send_with_retry(&request)?;
        request.parse_response(&response, read)
    }

    fn discovery_request(&self) -> ApiRequest<'static> {
        ApiRequest {
            name: "discovery",
            method: Method::Get,
            url: self.endpoint.discovery_url(),
            headers: Vec::new(),
            authorization: Authorization::None,
            body: Body::Empty,
            proxy: self.endpoint.proxy_policy(),
            secrets: Vec::new(),
            idempotent: true,
            unreachable_note: "",
        }
    }
}

/// IAM's clock, from the response to a request without login.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ServerTime {
    /// The time in seconds since 1970, if the response contains it.
    pub now: Option<u64>,
}

impl Iam<'_> {
    /// Checks that IAM answers, and returns its time.
    ///
    /// # Errors
    /// See [`ServiceError`].
    pub fn server_time(&self) -> Result<ServerTime, ServiceError> {
        let request = self.discovery_request();
        let response = self.http.send_with_retry(&request)?;
        request.parse_response(&response, read)?;
        Ok(ServerTime {
            now: response.date.as_deref().and_then(parse_http_date),
        })
    }
}

fn read(body: &[u8]) -> Result<Discovery, String> {
    #[derive(Deserialize)]
    struct Document {
        authorization_endpoint: String,
        passcode_endpoint: String,
    }
    let document: Document = serde_json::from_slice(body)
        .map_err(|_| "it does not contain the addresses of the login pages".to_owned())?;
    Ok(Discovery {
        authorization_endpoint: page("authorization_endpoint", &document.authorization_endpoint)?,
        passcode_endpoint: page("passcode_endpoint", &document.passcode_endpoint)?,
    })
}

/// Returns the address of a page in normal form, without control characters or spaces.
fn page(name: &str, text: &str) -> Result<String, String> {
    endpoint::parse_url(text)
        .ok()
        .filter(|url| {
            endpoint::is_safe(url, |_| false)
                && !endpoint::has_user_info(url)
                && url.fragment().is_none()
        })
        .map(String::from)
        .ok_or_else(|| format!("its {name} does not use https"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::test_support::public_iam;
    use super::*;
    use crate::http::test_support::FakeService;
    use crate::http::test_support::response;

    const PASSCODE: &str = "https://identity-1.us-south.iam.cloud.ibm.com/identity/passcode";

    fn discover(authorization: &str, passcode: &str) -> Result<Discovery, ServiceError> {
        let document = json!({
            "issuer": "https://iam.cloud.ibm.com/identity", "token_endpoint": "x",
            "authorization_endpoint": authorization, "passcode_endpoint": passcode
        });
        public_iam(&FakeService::answering(vec![response(
            200,
            &document.to_string(),
        )]))
        .discover()
    }

    #[test]
    fn the_addresses_of_the_login_pages_are_read() {
        let service = FakeService::answering(vec![response(
            200,
            &json!({"authorization_endpoint": "https://a.example/identity/authorize?x=y", "passcode_endpoint": PASSCODE})
                .to_string(),
        )]);
        let discovery = public_iam(&service).discover().unwrap();
        assert_eq!(discovery.passcode_endpoint, PASSCODE);
        assert_eq!(
            discovery.authorization_endpoint,
            "https://a.example/identity/authorize?x=y"
        );
        let requests = service.requests();
        assert_eq!(requests.len(), 1);
        assert_eq!(
            (requests[0].method, &*requests[0].url),
            (
                Method::Get,
                "https://iam.cloud.ibm.com/identity/.well-known/openid-configuration"
            )
        );
        assert!(discover("http://127.0.0.1:7/a", PASSCODE).is_ok());
    }

    #[test]
    fn an_unsafe_login_page_is_rejected() {
        for bad in [
            "",
            "http://iam.cloud.ibm.com/identity/passcode",
            "https://iam.cloud.ibm.com@evil.example/",
            "https://user:hunter2@iam.cloud.ibm.com/",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "data:text/html,x",
            "/identity/passcode",
        ] {
            assert!(
                matches!(
                    discover(PASSCODE, bad),
                    Err(ServiceError::InvalidResponse { .. })
                ),
                "{bad}"
            );
            assert!(discover(bad, PASSCODE).is_err(), "{bad}");
        }
        let clean = discover(PASSCODE, "https://a.example/x\u{1b}[2J\ny").unwrap();
        assert!(!clean.passcode_endpoint.contains(char::is_control));
        for body in ["", "{}", "<html>", "[]"] {
            let outcome = public_iam(&FakeService::answering(vec![response(200, body)])).discover();
            assert!(outcome.is_err(), "{body}");
        }
    }
}
