//! Requests to the redirect server: reading them, and the answer in one.

use std::io::ErrorKind;
use std::io::Read;

use reqwest::Url;
use zeroize::Zeroizing;

use super::Answer;
use super::page;
use super::page::Page;
use crate::error::one_line;
use crate::iam;
use crate::secret::Secret;

/// The maximum length of a request's head, in bytes. A browser sends the cookies of
/// everything else that runs on localhost along.
const MAX_HEAD_LENGTH: usize = 64 * 1024;

/// The maximum number of headers; browsers send about twenty.
const MAX_HEADERS: usize = 128;

/// The maximum length of IAM's error code, in characters.
const MAX_ERROR_LENGTH: usize = 64;

/// The maximum length of IAM's description of an error, in characters.
const MAX_DESCRIPTION_LENGTH: usize = 300;

/// The first line of a request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    /// Path and query, which may hold a code.
    pub(super) target: Secret,
}

/// The method of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Method {
    Get,
    Head,
    Other,
}

/// Why a request could not be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ReadError {
    /// The client left, or sent nothing more.
    Disconnected,
    /// It is not HTTP.
    Malformed,
    /// Its head is too long.
    TooLong,
}

/// The head of a request, as far as it has been received. Its body is never needed.
#[derive(Debug)]
pub(super) struct Head {
    /// Never reallocated, so that no copy of a code stays in memory.
    bytes: Zeroizing<Vec<u8>>,
    length: usize,
}

impl Head {
    pub(super) fn new() -> Self {
        Self {
            bytes: Zeroizing::new(vec![0; MAX_HEAD_LENGTH]),
            length: 0,
        }
    }

    /// Returns the number of bytes that have been received.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Reads from a connection until the request is complete; `None` if more of it must be
    /// received first.
    pub(super) fn read(&mut self, mut connection: impl Read) -> Result<Option<Request>, ReadError> {
        while self.length < MAX_HEAD_LENGTH {
            match connection.read(&mut self.bytes[self.length..]) {
                Ok(0) => return Err(ReadError::Disconnected),
                Ok(more) => self.length += more,
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => continue,
                    ErrorKind::WouldBlock => return Ok(None),
                    _ => return Err(ReadError::Disconnected),
                },
            }
            if let Some(request) = parse(&self.bytes[..self.length])? {
                return Ok(Some(request));
            }
        }
        Err(ReadError::TooLong)
    }
}

/// Returns `None` if the head is incomplete.
fn parse(head: &[u8]) -> Result<Option<Request>, ReadError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(ReadError::TooLong),
        Err(_) => return Err(ReadError::Malformed),
    }
    Ok(Some(Request {
        method: match request.method {
            Some("GET") => Method::Get,
            Some("HEAD") => Method::Head,
            _ => Method::Other,
        },
        target: Secret::new(request.path.unwrap_or_default()),
    }))
}

impl Request {
    /// Returns the answer in the request, or the page that rejects it.
    pub(super) fn answer(&self, state: &str) -> Result<Answer, &'static Page> {
        if self.method != Method::Get {
            return Err(&page::NOT_ALLOWED);
        }
        let target = self.target.expose();
        let url = Some(target)
            .filter(|target| target.starts_with('/'))
            .and_then(|target| Url::parse(&format!("http://localhost{target}")).ok())
            .filter(|url| url.path() == "/")
            .ok_or(&page::NOT_FOUND)?;
        let parameter = |name: &str| single_value(&url, name);
        let code = parameter("code")?.map(Secret::new);
        let error = parameter("error")?;
        let description = parameter("error_description")?;
        let is_ours = parameter("state")?.is_some_and(|given| given == state);
        let answer = match (code, error) {
            (Some(code), None) if iam::is_token(&code) => Answer::Code(code),
            (None, Some(error)) => Answer::Denied {
                error: one_line(&error, MAX_ERROR_LENGTH),
                description: description.map(|text| one_line(&text, MAX_DESCRIPTION_LENGTH)),
            },
            (None, None) => return Err(&page::NOT_FOUND),
            _ => return Err(&page::MALFORMED),
        };
        Ok(if is_ours { answer } else { Answer::WrongState })
    }
}

/// Returns the value of a parameter, which may be given once. An empty value counts as
/// omitted (RFC 6749, section 3.1).
fn single_value(url: &Url, name: &str) -> Result<Option<String>, &'static Page> {
    let mut values = url
        .query_pairs()
        .filter(|(given, value)| given == name && !value.is_empty());
    let value = values.next().map(|(_, value)| value.into_owned());
    match values.next() {
        None => Ok(value),
        Some(_) => Err(&page::MALFORMED),
    }
}
