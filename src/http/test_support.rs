//! A service for tests that answers from a list.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

use super::ApiRequest;
use super::Http;
use super::Limits;
use super::MAX_ATTEMPTS;
use super::OutageMarks;
use super::proxy::Proxies;
use super::transport::Authorization;
use super::transport::Body;
use super::transport::Method;
use super::transport::ProxyPolicy;
use super::transport::Request;
use super::transport::Response;
use super::transport::Transport;
use super::transport::TransportError;
use crate::time::Deadline;
use crate::time::fake::FakeClock;

/// No marks of other processes.
pub(crate) static NO_MARKS: OutageMarks = OutageMarks::NONE;

/// No proxy.
pub(crate) static NO_PROXIES: Proxies = Proxies::NONE;

type Answer = Result<Response, TransportError>;

/// A transport that returns the listed answers, each after a time.
pub(crate) struct FakeService {
    pub(crate) clock: FakeClock,
    answers: RefCell<VecDeque<(Duration, Answer)>>,
    requests: RefCell<Vec<Request>>,
}

impl FakeService {
    pub(crate) fn answering(answers: Vec<Answer>) -> Self {
        Self::answering_after(answers.into_iter().map(|answer| (0, answer)).collect())
    }

    /// Creates a service that returns each answer after so many seconds.
    pub(crate) fn answering_after(answers: Vec<(u64, Answer)>) -> Self {
        Self {
            clock: FakeClock::at(1_800_000_000),
            answers: RefCell::new(
                answers
                    .into_iter()
                    .map(|(took, answer)| (Duration::from_secs(took), answer))
                    .collect(),
            ),
            requests: RefCell::default(),
        }
    }

    /// Returns what sends requests to it, with the default limits from now on.
    pub(crate) fn http(&self) -> Http<'_> {
        let limits = Limits::default();
        Http {
            transport: self,
            clock: &self.clock,
            random: &|| 7,
            limits,
            max_attempts: MAX_ATTEMPTS,
            deadline: Deadline::after(&self.clock, limits.deadline),
            proxies: &NO_PROXIES,
            outage_marks: &NO_MARKS,
            avoids_outages: false,
            trust: None,
        }
    }

    /// Returns the requests that it has received.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.borrow().clone()
    }
}

impl Transport for FakeService {
    fn send(&self, request: Request) -> Answer {
        self.requests.borrow_mut().push(request);
        let next = self.answers.borrow_mut().pop_front();
        let (took, answer) = next.expect("no more requests than answers");
        self.clock.advance(took);
        answer
    }
}

/// Returns a request that may be repeated.
pub(crate) fn request() -> ApiRequest<'static> {
    ApiRequest {
        name: "test",
        method: Method::Post,
        url: "https://service.example/token".to_owned(),
        headers: Vec::new(),
        authorization: Authorization::None,
        body: Body::Empty,
        proxy: ProxyPolicy::Proxied,
        secrets: Vec::new(),
        idempotent: true,
        unreachable_note: "",
    }
}

pub(crate) fn response(status: u16, body: &str) -> Answer {
    Ok(Response {
        status,
        body: body.as_bytes().to_vec(),
        transaction_id: None,
        retry_after: None,
        date: None,
    })
}

pub(crate) fn later(status: u16, retry_after: &str) -> Answer {
    response(status, "").map(|response| Response {
        retry_after: Some(retry_after.into()),
        ..response
    })
}

pub(crate) fn unreachable() -> Answer {
    Err(TransportError::Unreachable("connection refused".into()))
}

pub(crate) fn network() -> Answer {
    Err(TransportError::Network("the connection was cut".into()))
}
