//! HTTP answers.

use serde_json::Value;

use crate::clock;

/// An answer in memory. All answers but those of the proxied registry are of this type.
pub(crate) struct Response {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Response {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", content_type.to_owned())],
            body: body.into(),
        }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    pub(crate) fn text(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "text/plain", body)
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns the head for a body of `length` bytes.
    pub(crate) fn head(&self, length: usize) -> String {
        let headers: String = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let Self { status, .. } = self;
        let reason = reason(*status);
        let date = clock::http_date();
        format!(
            "HTTP/1.1 {status} {reason}\r\nDate: {date}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
        )
    }

    /// Returns the answer to the same request with `HEAD`: no body, but its length.
    pub(crate) fn to_bytes_without_body(&self) -> Vec<u8> {
        self.head(self.body.len()).into_bytes()
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        [self.head(self.body.len()).as_bytes(), &self.body].concat()
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        410 => "Gone",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Emulated",
    }
}
