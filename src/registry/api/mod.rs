//! What a registry's management API gives to whoever has an IAM access token.
//!
//! Paths and headers: IBM's Go client (`bluemix-go`, `api/container/registryv1`, and
//! `client/client.go`), which sends the refresh token along as well. Questions are
//! carried, and asked again, as those to IAM are.

use reqwest::Url;

use crate::PROGRAM;
use crate::error::Error;
use crate::error::Result;
use crate::http::ApiRequest;
use crate::http::Http;
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

/// The longest account ID that is sent, in bytes; IBM's have 32.
const MAX_ACCOUNT: usize = 100;

/// What opens the API: what an identity has for the registry.
#[derive(Clone, Debug)]
pub struct Access {
    /// An IAM access token.
    pub token: Secret,
    /// The refresh token, where the identity is one.
    pub refresh_token: Option<Secret>,
    /// What a person calls the identity.
    pub source: String,
}

/// The management API of one registry, for one account.
pub struct RegistryApi<'a> {
    access: Access,
    account: String,
    advice_if_gone: &'static str,
    http: Http<'a>,
    registry: Registry,
}

/// One question to the API.
struct Inquiry<'a> {
    /// Its name in the log.
    name: &'static str,
    method: Method,
    /// Below [`API_PATH`].
    path: &'a str,
    query: &'a [(&'a str, &'a str)],
    /// Whether sending it twice does no lasting harm.
    idempotent: bool,
}

/// Why there is no answer.
enum Trouble {
    /// There is nothing of this name: HTTP 404 or 410.
    Absent(u16),
    /// Anything else.
    Failed(Error),
}

impl<'a> RegistryApi<'a> {
    /// The API of a registry. The account is the one that the access token is for,
    /// unless it is named.
    ///
    /// # Errors
    /// No account is known, or it can be none.
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
            advice_if_gone: "",
            http,
            registry: registry.clone(),
        })
    }

    /// The same, with what else is to be done about it should the registry have no
    /// tokens any more; the end of a sentence.
    #[must_use]
    pub fn advising(self, advice_if_gone: &'static str) -> Self {
        Self {
            advice_if_gone,
            ..self
        }
    }

    /// The registry that is asked.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Asks once, or again while that may help; `read` takes the body of a yes.
    fn ask<T>(
        &self,
        inquiry: &Inquiry<'_>,
        read: impl FnOnce(&[u8]) -> Result<T, String>,
    ) -> Result<T, Trouble> {
        let failed = |error: ServiceError| Trouble::Failed(self.service_error(error));
        let request = self.request(inquiry)?;
        let response: Response = self.http.send_with_retry(&request).map_err(failed)?;
        match response.status {
            status @ (404 | 410) => Err(Trouble::Absent(status)),
            _ => request.parse_response(&response, read).map_err(failed),
        }
    }

    fn service_error(&self, error: ServiceError) -> Error {
        let action = format!("cannot use {}", self.access.source);
        let service = ServiceDescription {
            name: self.registry.to_string(),
            name_and_address: format!("the registry {}", self.registry),
            unreachable_hint: "Check the network and the proxy settings, and try again",
            invalid_hint: "Check the proxy settings, and whether this network has a login page",
        };
        error.explain(Some(action), &service, |_, _| {
            "Check that it belongs to the account (or choose another with --account) and may manage this registry".to_owned()
        })
    }

    fn request(&self, inquiry: &Inquiry<'_>) -> Result<ApiRequest<'_>, Trouble> {
        let mut headers = vec![("Account", Secret::new(&*self.account))];
        let refresh_token = self.access.refresh_token.as_ref();
        headers.extend(refresh_token.map(|token| ("RefreshToken", token.clone())));
        Ok(ApiRequest {
            name: inquiry.name,
            method: inquiry.method,
            url: self.url(inquiry)?,
            headers,
            authorization: Authorization::Bearer(self.access.token.clone()),
            body: Body::Empty,
            proxy: ProxyPolicy::Proxied,
            secrets: [Some(&self.access.token), refresh_token]
                .into_iter()
                .flatten()
                .collect(),
            idempotent: inquiry.idempotent,
            unreachable_note: "",
        })
    }

    fn url(&self, inquiry: &Inquiry<'_>) -> Result<String, Trouble> {
        let host = self.registry.host();
        let url = format!("https://{host}{API_PATH}{}", inquiry.path);
        let mut url = Url::parse(&url).map_err(|error| {
            Trouble::Failed(Error::user(format!("{host} is no host ({error})")))
        })?;
        if !inquiry.query.is_empty() {
            url.query_pairs_mut().extend_pairs(inquiry.query);
        }
        Ok(url.into())
    }

    /// That a registry has no such API any more.
    fn gone(&self, status: u16) -> Error {
        let (registry, advice) = (&self.registry, self.advice_if_gone);
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
