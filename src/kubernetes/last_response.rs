//! [`LastResponse`]: a transport that keeps the last response, for its message.

use std::cell::RefCell;

use crate::http::transport::Request;
use crate::http::transport::Response;
use crate::http::transport::Transport;
use crate::http::transport::TransportError;

/// Keeps the last response of a transport. After attempts that all failed, only the HTTP status is
/// left of it otherwise.
pub(super) struct LastResponse<'a> {
    transport: &'a dyn Transport,
    response: RefCell<Option<Response>>,
}

impl<'a> LastResponse<'a> {
    /// Creates a transport without a response.
    pub(super) fn new(transport: &'a dyn Transport) -> Self {
        Self {
            transport,
            response: RefCell::default(),
        }
    }

    /// Returns the response if the last request got one.
    pub(super) fn take(&self) -> Option<Response> {
        self.response.take()
    }
}

impl Transport for LastResponse<'_> {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        self.response.replace(None);
        let response = self.transport.send(request)?;
        self.response.replace(Some(response.clone()));
        Ok(response)
    }
}
