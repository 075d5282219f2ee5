//! What carries a form to IAM, as the rest of the program sees it.

use std::time::Duration;

use crate::secret::Secret;

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where to.
    pub url: String,
    /// The form's fields; some are secret.
    pub form: Vec<(&'static str, Secret)>,
    /// User name and password for HTTP basic authentication.
    pub client: Option<(&'static str, &'static str)>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long all of it may take.
    pub timeout: Duration,
}

/// What came back, whatever its status.
#[derive(Clone, Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The body, at most 1 MiB of it.
    pub body: Vec<u8>,
    /// IAM's name for the exchange, for its support.
    pub transaction_id: Option<String>,
    /// The `Retry-After` header.
    pub retry_after: Option<String>,
}

/// Why nothing came back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TransportError {
    /// It may work later: no connection, no answer in time, a cut connection.
    Network(String),
    /// It will not: the other side cannot prove who it is, or what it sends is
    /// out of all proportion, or this machine cannot judge.
    Untrusted(String),
}

/// Carries requests.
pub trait Transport {
    /// Posts a form and waits for the whole answer. Follows no redirect.
    ///
    /// # Errors
    /// See [`TransportError`].
    fn post_form(&self, request: Request) -> Result<Response, TransportError>;
}
