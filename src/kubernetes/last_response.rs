//! [`LastResponse`]: a transport that keeps its last outcome, for what the error of a request does
//! not say.

use std::cell::RefCell;

use crate::http::transport::Request;
use crate::http::transport::Response;
use crate::http::transport::Transport;
use crate::http::transport::TransportError;

type Outcome = Result<Response, TransportError>;

/// Keeps the last outcome of a transport. After attempts that all failed, only the HTTP status is
/// left of it otherwise.
pub(super) struct LastResponse<'a> {
    transport: &'a dyn Transport,
    outcome: RefCell<Option<Outcome>>,
}

impl<'a> LastResponse<'a> {
    /// Creates a transport without an outcome.
    pub(super) fn new(transport: &'a dyn Transport) -> Self {
        Self {
            transport,
            outcome: RefCell::default(),
        }
    }

    /// Returns the outcome of the last request.
    pub(super) fn take(&self) -> Option<Outcome> {
        self.outcome.take()
    }
}

impl Transport for LastResponse<'_> {
    fn send(&self, request: Request) -> Outcome {
        let outcome = self.transport.send(request);
        self.outcome.replace(Some(outcome.clone()));
        outcome
    }
}
