//! [`ApiRequest`]: a request to an API that answers with JSON, and how its response
//! is read.

use super::ServiceError;
use super::error_body;
use super::transport::Authorization;
use super::transport::Body;
use super::transport::Method;
use super::transport::ProxyPolicy;
use super::transport::Response;
use crate::secret::MAX_LENGTH;
use crate::secret::Secret;

/// A request to one service. It may be sent several times.
pub(crate) struct ApiRequest<'a> {
    /// Its name in the log.
    pub(crate) name: &'a str,
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, Secret)>,
    pub(crate) authorization: Authorization,
    pub(crate) body: Body,
    pub(crate) proxy: ProxyPolicy,
    /// Texts that are removed from the service's messages.
    pub(crate) secrets: Vec<&'a Secret>,
    /// Whether sending it twice has the same effect as sending it once.
    pub(crate) idempotent: bool,
    /// What no connection may mean, in parentheses after a space; empty if it needs
    /// no explanation.
    pub(crate) unreachable_note: &'static str,
}

impl ApiRequest<'_> {
    /// Checks that all header values fit on one line.
    pub(super) fn check(&self) -> Result<(), ServiceError> {
        let token = match &self.authorization {
            Authorization::Bearer(token) => Some(token),
            Authorization::Basic { .. } | Authorization::None => None,
        };
        let mut values = self.headers.iter().map(|(_, value)| value).chain(token);
        if values.all(is_token) {
            Ok(())
        } else {
            Err(ServiceError::Unusable {
                reason: "it is empty, too long or not plain text".into(),
            })
        }
    }

    /// Returns a text about proxies, or nothing if the request uses none.
    pub(super) fn if_proxied(&self, text: &'static str) -> &'static str {
        match self.proxy {
            ProxyPolicy::Direct => "",
            ProxyPolicy::Proxied => text,
        }
    }

    /// Returns what `parse` makes of the body of a successful response.
    ///
    /// # Errors
    /// The service's error, or why its response is invalid.
    pub(crate) fn parse_response<T>(
        &self,
        response: &Response,
        parse: impl FnOnce(&[u8]) -> Result<T, String>,
    ) -> Result<T, ServiceError> {
        let status = response.status;
        let invalid = if (200..=299).contains(&status) {
            match parse(&response.body) {
                Ok(parsed) => return Ok(parsed),
                Err(reason) => reason,
            }
        } else {
            let content = if response.body.trim_ascii_start().starts_with(b"<") {
                "with a web page"
            } else {
                "without a reason"
            };
            let note = self.if_proxied(" (a proxy may have sent it)");
            format!("it is HTTP {status} {content}{note}")
        };
        // A gateway may answer with success although the service has rejected the request.
        Err(match error_body::parse(&response.body, &self.secrets) {
            Some(error) => ServiceError::Rejected {
                status,
                code: error.code,
                message: error.message,
            },
            None => ServiceError::InvalidResponse { reason: invalid },
        })
    }
}

/// Returns whether a text can be a token: visible ASCII of limited size. Anything else
/// would break the header that contains it.
pub fn is_token(token: &Secret) -> bool {
    let token = token.expose();
    !token.is_empty()
        && token.len() <= MAX_LENGTH
        && token.bytes().all(|byte| byte.is_ascii_graphic())
}
