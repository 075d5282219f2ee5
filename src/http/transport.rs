//! [`Transport`]: sends one request and returns the response. Tests use their own.

use std::sync::Arc;
use std::time::Duration;

use super::proxy::ProxyRefusal;
use super::proxy::Route;
use crate::secret::Secret;

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The URL.
    pub url: String,
    /// Additional headers; some are secret.
    pub headers: Vec<(&'static str, Secret)>,
    /// The `Authorization` header.
    pub authorization: Authorization,
    /// The body.
    pub body: Body,
    /// Through which proxy it goes.
    pub route: Route,
    /// How its server is verified, if not as all others.
    pub trust: Option<Arc<ServerTrust>>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long the request and its response may take.
    pub timeout: Duration,
}

/// The method of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// `DELETE`.
    Delete,
    /// `GET`.
    Get,
    /// `PATCH`.
    Patch,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
}

/// The body of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Body {
    /// None.
    Empty,
    /// `application/x-www-form-urlencoded`; some of the fields are secret.
    Form(Vec<(&'static str, Secret)>),
    /// `application/json`.
    Json(Secret),
    /// A change of an object, whose kind the content type names.
    Patch {
        /// The content type.
        content_type: &'static str,
        /// The document, JSON.
        document: Secret,
    },
}

/// How a server with an authority of its own is verified, and how the client proves its identity to
/// it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ServerTrust {
    /// The certificates (PEM) of the only trusted authorities; the system's without it.
    pub authorities: Option<Vec<u8>>,
    /// The client's certificate and its key (PEM).
    pub identity: Option<Secret>,
    /// Whether any certificate of the server is accepted.
    pub accepts_any_certificate: bool,
    /// The name in the server's certificate, if it is not that in the URL.
    pub server_name: Option<String>,
}

/// The `Authorization` header of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Authorization {
    /// None.
    None,
    /// HTTP basic authentication (RFC 7617).
    Basic {
        /// The user name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A bearer token (RFC 6750).
    Bearer(Secret),
}

/// Whether a request may use a proxy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProxyPolicy {
    /// Through the proxy of the environment or the system, if one is set.
    Proxied,
    /// Without a proxy: it goes to this machine or to a link-local address, possibly
    /// unencrypted, and a proxy could read it.
    Direct,
}

/// A response of any status.
#[derive(Clone, Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The body, at most 1 MiB.
    pub body: Vec<u8>,
    /// IAM's ID of the request, for IBM's support.
    pub transaction_id: Option<String>,
    /// The `Retry-After` header.
    pub retry_after: Option<String>,
    /// The `Date` header: the server's clock.
    pub date: Option<String>,
}

/// Why there is no response.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TransportError {
    /// Temporary: this machine lacks a resource. The request was not sent.
    Local(String),
    /// Temporary: the connection broke. The request may have had its effect.
    Network(String),
    /// Temporary: no response in time.
    NoAnswer {
        /// Whether there was a connection, so that the request may have had its effect.
        is_connected: bool,
    },
    /// Lasting: the proxy refused to connect. The request was not sent.
    Proxy(ProxyRefusal),
    /// Lasting: the response is too large.
    TooLarge(String),
    /// Temporary: no connection. The request was not sent.
    Unreachable(String),
    /// Lasting: the request fits no HTTP header, or the proxy cannot be used.
    Untrusted(String),
    /// Lasting: the server's certificate is not trusted, or no certificate can be checked.
    /// The request was not sent.
    UntrustedServer {
        /// Why, as the end of a sentence.
        reason: String,
        /// What a person can do.
        hint: &'static str,
    },
}

/// Sends requests.
pub trait Transport {
    /// Sends a request and waits for the whole response. Follows no redirect.
    ///
    /// # Errors
    /// See [`TransportError`].
    fn send(&self, request: Request) -> Result<Response, TransportError>;
}
