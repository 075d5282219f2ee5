//! What carries requests to IAM, as the rest of the program sees it.

use std::time::Duration;

use crate::iam::grant::Client;
use crate::secret::Secret;

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// What to do there.
    pub method: Method,
    /// Where to.
    pub url: String,
    /// Headers beside those that the other fields make; some are secret.
    pub headers: Vec<(&'static str, Secret)>,
    /// Who asks.
    pub authorization: Authorization,
    /// What is sent along.
    pub body: Body,
    /// How it gets there.
    pub way: ProxyPolicy,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long all of it may take.
    pub timeout: Duration,
}

/// The method of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// `DELETE`.
    Delete,
    /// `GET`.
    Get,
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
}

/// The `Authorization` header of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Authorization {
    /// None.
    None,
    /// HTTP basic authentication of a program that IAM knows.
    Basic(Client),
    /// An access token.
    Bearer(Secret),
}

/// How a request gets where it goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProxyPolicy {
    /// Through the proxy that the environment or the system names, if any.
    Proxied,
    /// Never through a proxy: it goes to this machine or its next neighbour, in
    /// clear, and a proxy would read along.
    Direct,
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
    /// The `Date` header: the other side's clock.
    pub date: Option<String>,
}

/// Why nothing came back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TransportError {
    /// It may work later: this machine has too little of something. Nothing was
    /// asked.
    Local(String),
    /// It may work later: a cut connection. The other side may have done what it was
    /// asked for.
    Network(String),
    /// It may work later: no answer in time.
    NoAnswer {
        /// Whether there was a connection, so that the other side may have done what
        /// it was asked for.
        is_connected: bool,
    },
    /// It may work later: there was no connection, so nothing was asked.
    Unreachable(String),
    /// It will not: the other side cannot prove who it is, or what it sends is
    /// out of all proportion, or this machine cannot judge.
    Untrusted(String),
}

/// Carries requests.
pub trait Transport {
    /// Sends a request and waits for the whole answer. Follows no redirect.
    ///
    /// # Errors
    /// See [`TransportError`].
    fn send(&self, request: Request) -> Result<Response, TransportError>;
}
