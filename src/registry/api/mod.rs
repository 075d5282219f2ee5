//! A registry's management API, used with an IAM access token.
//!
//! Paths and headers: IBM's Go client (`bluemix-go`, `api/container/registryv1`, and
//! `client/client.go`), which also sends the refresh token.

use reqwest::Url;

use crate::PROGRAM;
use crate::error::Error;
use crate::error::Result;
use crate::http::ApiRequest;
use crate::http::Http;
use crate::http::INVALID_RESPONSE_HINT;
use crate::http::ServiceDescription;
use crate::http::ServiceError;
use crate::http::transport::Authorization;
use crate::http::transport::Body;
use crate::http::transport::Method;
use crate::http::transport::ProxyPolicy;
use crate::http::transport::Response;
use crate::iam::owner::Owner;
use crate::registry::Registry;
use crate::secret::Secret;

pub mod tokens;

/// The path of everything in this API.
const API_PATH: &str = "/api/v1";

/// The size limit of an account ID, in bytes; IBM's have 32.
const MAX_ACCOUNT: usize = 100;

/// The tokens of an identity that the API accepts.
#[derive(Clone, Debug)]
pub struct Access {
    /// An IAM access token.
    pub token: Secret,
    /// The refresh token, if the identity has one.
    pub refresh_token: Option<Secret>,
    /// The source of the identity, for messages.
    pub source: String,
}

/// The management API of one registry, for one account.
pub struct RegistryApi<'a> {
    access: Access,
    account: String,
    gone_hint: &'static str,
    http: Http<'a>,
    registry: Registry,
}

/// One call of the API.
struct ApiCall<'a> {
    /// Its name in the log.
    name: &'static str,
    method: Method,
    /// Below [`API_PATH`].
    path: &'a str,
    query: &'a [(&'a str, &'a str)],
    /// Whether sending it twice does no lasting harm.
    idempotent: bool,
}

/// Why a call failed.
enum CallError {
    /// Nothing has this path: HTTP 404 or 410.
    Absent(u16),
    /// Anything else.
    Failed(Error),
}

impl<'a> RegistryApi<'a> {
    /// Creates the API of a registry. The default account is that of the access token.
    ///
    /// # Errors
    /// There is no account ID, or it is invalid.
    pub fn new(
        registry: &Registry,
        access: Access,
        account: Option<&str>,
        http: Http<'a>,
    ) -> Result<Self> {
        let own = || Owner::of(&access.token)?.account;
        let account = account.map(str::to_owned).or_else(own).ok_or_else(|| {
            Error::user(format!(
                "{registry} needs an account ID, which the access token of {} does not contain",
                access.source
            ))
            .with_hint("Add --account ID")
        })?;
        if !is_account(&account) {
            return Err(Error::user("an account ID consists of letters and digits")
                .with_hint("List your accounts with 'ibmcloud account list'"));
        }
        Ok(Self {
            access,
            account,
            gone_hint: "",
            http,
            registry: registry.clone(),
        })
    }

    /// Adds the end of the hint for a registry that issues no tokens any more.
    #[must_use]
    pub fn with_gone_hint(self, gone_hint: &'static str) -> Self {
        Self { gone_hint, ..self }
    }

    /// Returns the registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Sends a call and parses the body of its response.
    fn send<T>(
        &self,
        call: &ApiCall<'_>,
        parse: impl FnOnce(&[u8]) -> Result<T, String>,
    ) -> Result<T, CallError> {
        let failed = |error: ServiceError| CallError::Failed(self.service_error(error));
        let request = self.request(call)?;
        let response: Response = self.http.send_with_retry(&request).map_err(failed)?;
        match response.status {
            status @ (404 | 410) => Err(CallError::Absent(status)),
            _ => request.parse_response(&response, parse).map_err(failed),
        }
    }

    fn service_error(&self, error: ServiceError) -> Error {
        let action = format!("cannot use {}", self.access.source);
        let service = ServiceDescription {
            name: self.registry.to_string(),
            name_and_address: format!("the registry {}", self.registry),
            unreachable_hint: "Check the network and the proxy settings, and try again",
            invalid_hint: INVALID_RESPONSE_HINT,
        };
        error.explain(Some(action), &service, |_, _| {
            "Check that it belongs to the account (or choose another with --account) and may manage this registry".to_owned()
        })
    }

    fn request(&self, call: &ApiCall<'_>) -> Result<ApiRequest<'_>, CallError> {
        let mut headers = vec![("Account", Secret::new(&*self.account))];
        let refresh_token = self.access.refresh_token.as_ref();
        headers.extend(refresh_token.map(|token| ("RefreshToken", token.clone())));
        Ok(ApiRequest {
            name: call.name,
            method: call.method,
            url: self.url(call)?,
            headers,
            authorization: Authorization::Bearer(self.access.token.clone()),
            body: Body::Empty,
            proxy: ProxyPolicy::Proxied,
            secrets: [Some(&self.access.token), refresh_token]
                .into_iter()
                .flatten()
                .collect(),
            idempotent: call.idempotent,
            unreachable_note: "",
        })
    }

    fn url(&self, call: &ApiCall<'_>) -> Result<String, CallError> {
        let host = self.registry.host();
        let url = format!("https://{host}{API_PATH}{}", call.path);
        let mut url = Url::parse(&url).map_err(|error| {
            CallError::Failed(Error::user(format!("{host} is no host ({error})")))
        })?;
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query);
        }
        Ok(url.into())
    }

    /// Returns the error for a registry without this API.
    fn gone(&self, status: u16) -> Error {
        let (registry, advice) = (&self.registry, self.gone_hint);
        Error::user(format!(
            "{registry} issues no registry tokens any more (HTTP {status}): IBM ended them in 2021"
        ))
        .with_hint(format!(
            "Log in with an API key instead: '{PROGRAM} login {registry}'{advice}"
        ))
    }
}

fn is_account(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_ACCOUNT
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
