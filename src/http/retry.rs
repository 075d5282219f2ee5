//! Attempts: which failures are retried, and after how long.

use std::time::Duration;

use reqwest::Url;

use super::ApiRequest;
use super::Http;
use super::Outage;
use super::ServiceError;
use super::outage_mark::Mark;
use super::outage_mark::Reaction;
use super::proxy::Route;
use super::service_error::TOO_MANY_REQUESTS;
use super::transport::Request;
use super::transport::Response;
use super::transport::TransportError;
use crate::time::parse_http_date;

/// How long to wait before the second attempt; doubled for each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(400);

/// The minimum time without an answer after which other processes do not ask the service.
const MIN_SILENCE: Duration = Duration::from_secs(5);

/// The time over which processes that wait for the same moment are spread.
const MAX_SPREAD: Duration = Duration::from_secs(1);

/// The longest wait that a service can ask for. A longer one is a mistake, such as a time in
/// milliseconds.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// The HTTP status of a network in which a person has to log in first (RFC 6585, section 6).
const NETWORK_LOGIN_REQUIRED: u16 = 511;

/// Why an attempt has no response.
struct AttemptError {
    error: ServiceError,
    /// Whether the request certainly had no effect.
    had_no_effect: bool,
}

impl Http<'_> {
    /// Sends a request. Repeats it after temporary failures until the deadline. Returns the
    /// response, also if it rejects the request (4xx).
    ///
    /// # Errors
    /// See [`ServiceError`]. A request that is not idempotent is not repeated once the
    /// service may have received it. If another process of this user has just found an outage,
    /// returns its error.
    pub(crate) fn send_with_retry(
        &self,
        request: &ApiRequest<'_>,
    ) -> Result<Response, ServiceError> {
        request.check()?;
        let target = Target::new(request, self);
        let known = self.outage_marks.read(&target.service);
        if self.avoids_outages {
            self.wait_for_pause(known.clone(), &target)?;
        }
        if self.deadline.remaining(self.clock).is_zero() {
            let reason = "the deadline has passed".to_owned();
            return Err(ServiceError::Unavailable(Outage::Unreachable(reason)));
        }
        let started = self.clock.elapsed();
        let outcome = self.repeat(request, &target, started);
        match &outcome {
            Ok(_) if known.is_some() => self.outage_marks.remove(&target.service),
            Ok(_) => {}
            Err(error) => self.mark_outage(error, &target, self.clock.elapsed() - started),
        }
        outcome
    }

    /// Sends a request until it is answered or may not be repeated.
    fn repeat(
        &self,
        request: &ApiRequest<'_>,
        target: &Target,
        started: Duration,
    ) -> Result<Response, ServiceError> {
        let mut attempt = 1;
        let mut pause = FIRST_PAUSE;
        loop {
            let failed = match self.attempt(request, target, started) {
                Ok(response) => return Ok(response),
                Err(failed) => failed,
            };
            let ServiceError::Unavailable(outage) = &failed.error else {
                return Err(failed.error);
            };
            let (status, retry_after) = match outage {
                Outage::Answered {
                    status,
                    retry_after,
                } => (Some(*status), *retry_after),
                _ => (None, None),
            };
            let wait = retry_after.unwrap_or_else(|| jittered(pause, (self.random)()));
            if retry_after.is_some() || status == Some(TOO_MANY_REQUESTS) {
                let seconds = wait.as_secs().max(1);
                let mark = Mark::pause(&target.route_id, outage, seconds, self.clock.now());
                self.outage_marks.write(&target.service, &mark);
            }
            let may_repeat = request.idempotent || failed.had_no_effect;
            if !may_repeat
                || attempt >= self.max_attempts
                || wait >= self.deadline.remaining(self.clock)
            {
                return Err(failed.error);
            }
            tracing::debug!(name = request.name, attempt, ?outage, ?wait, "retrying");
            self.clock.sleep(wait);
            attempt += 1;
            pause *= 2;
        }
    }

    /// Waits until the end of the pause that another process has marked.
    ///
    /// # Errors
    /// Another process has marked an outage, the pause is longer than the deadline, or the
    /// caller has a token and need not wait.
    fn wait_for_pause(&self, mut mark: Option<Mark>, target: &Target) -> Result<(), ServiceError> {
        loop {
            let reaction = mark.and_then(|mark| mark.reaction(&target.route_id, self.clock.now()));
            let (seconds, error) = match reaction {
                None => return Ok(()),
                Some(Reaction::Fail(error)) => (None, error),
                Some(Reaction::Wait(seconds, error)) => (Some(seconds), error),
            };
            let remaining = self.deadline.remaining(self.clock);
            // Random, because processes that ask at the same moment overload the service.
            let wait = seconds.map(|seconds| {
                Duration::from_secs(seconds) + jittered(MAX_SPREAD, (self.random)())
            });
            let wait = wait.filter(|wait| self.max_attempts > 1 && *wait < remaining);
            let Some(wait) = wait else {
                tracing::debug!(
                    service = target.service,
                    ?error,
                    "another process has marked an outage"
                );
                return Err(error);
            };
            tracing::debug!(
                service = target.service,
                ?wait,
                "waiting for the end of a pause that another process marked"
            );
            self.clock.sleep(wait);
            mark = self.outage_marks.read(&target.service);
        }
    }

    /// Marks a service for other processes if this one has tried long or often enough.
    fn mark_outage(&self, error: &ServiceError, target: &Target, took: Duration) {
        // A shorter time may be what the wait for a lock left of the deadline.
        let is_slow = took >= MIN_SILENCE.min(self.limits.deadline / 2);
        let is_silent = matches!(error, ServiceError::Unavailable(Outage::Silent { .. }));
        let is_tried = self.max_attempts > 1 && !is_silent;
        if !is_slow && !is_tried && !matches!(error, ServiceError::Proxy(_)) {
            return;
        }
        if let Some(mark) = Mark::of_error(&target.route_id, error, self.clock.now()) {
            self.outage_marks.write(&target.service, &mark);
        }
    }

    /// Sends the request once; `started` is the time of the first attempt.
    fn attempt(
        &self,
        request: &ApiRequest<'_>,
        target: &Target,
        started: Duration,
    ) -> Result<Response, AttemptError> {
        let _span = tracing::debug_span!("request", name = request.name).entered();
        let timeout = self.limits.attempt.min(self.deadline.remaining(self.clock));
        let sent = self.transport.send(Request {
            method: request.method,
            url: request.url.clone(),
            headers: request.headers.clone(),
            authorization: request.authorization.clone(),
            body: request.body.clone(),
            route: target.route.clone(),
            trust: self.trust.cloned(),
            connect_timeout: self.limits.connect.min(timeout),
            timeout,
        });
        let response = sent.map_err(|error| {
            let waited = self.clock.elapsed().saturating_sub(started);
            let note = format!("{}{}", request.unreachable_note, target.note);
            AttemptError::new(error, &note, waited)
        })?;
        tracing::debug!(
            status = response.status,
            transaction_id = ?response.transaction_id,
            "response"
        );
        match response.status {
            NETWORK_LOGIN_REQUIRED => Err(AttemptError {
                error: ServiceError::InvalidResponse {
                    reason: format!(
                        "a login page of this network answered instead (HTTP {NETWORK_LOGIN_REQUIRED})"
                    ),
                },
                had_no_effect: true,
            }),
            // 501 (not implemented) will not get better.
            status @ (TOO_MANY_REQUESTS | 500 | 502..=599) => Err(AttemptError {
                error: ServiceError::Unavailable(Outage::Answered {
                    status,
                    retry_after: retry_after(&response, self.clock.now()),
                }),
                had_no_effect: status == TOO_MANY_REQUESTS,
            }),
            status @ 300..=399 => Err(AttemptError {
                error: ServiceError::InvalidResponse {
                    reason: format!(
                        "it is an unexpected redirect (HTTP {status}){}",
                        request.if_proxied(" (a proxy may require a login)")
                    ),
                },
                had_no_effect: false,
            }),
            _ => Ok(response),
        }
    }
}

/// The service of a request, and the route to it.
struct Target {
    /// The scheme, host and port of the service.
    service: String,
    route: Route,
    /// The ID of the route in marks.
    route_id: String,
    /// The end of a sentence about a failed request, which names the proxy; may be empty.
    note: String,
}

impl Target {
    fn new(request: &ApiRequest<'_>, http: &Http<'_>) -> Self {
        let route = http.proxies.route(&request.url, request.proxy);
        let origin = Url::parse(&request.url).map(|url| url.origin().ascii_serialization());
        let note = http.proxies.note(&route);
        Self {
            service: origin.unwrap_or_default(),
            // A process with other variables has another note, and finds out for itself.
            route_id: format!("{}{note}", route.id()),
            note,
            route,
        }
    }
}

impl AttemptError {
    /// `note` is the end of a sentence about the failure, `waited` the time since the first
    /// attempt.
    fn new(error: TransportError, note: &str, waited: Duration) -> Self {
        let had_no_effect = matches!(
            error,
            TransportError::Local(_)
                | TransportError::NoAnswer {
                    is_connected: false
                }
                | TransportError::Proxy(_)
                | TransportError::Unreachable(_)
                | TransportError::UntrustedServer { .. }
        );
        let error = match error {
            TransportError::Local(reason) => ServiceError::Unavailable(Outage::Local(reason)),
            TransportError::Network(reason) | TransportError::Unreachable(reason) => {
                let reason = format!("{reason}{note}");
                ServiceError::Unavailable(Outage::Unreachable(reason))
            }
            TransportError::NoAnswer { .. } => ServiceError::Unavailable(Outage::Silent {
                waited,
                note: note.to_owned(),
            }),
            TransportError::Proxy(refusal) => ServiceError::Proxy(refusal),
            TransportError::TooLarge(reason) | TransportError::Untrusted(reason) => {
                ServiceError::InvalidResponse { reason }
            }
            TransportError::UntrustedServer { reason, hint } => {
                ServiceError::UntrustedServer { reason, hint }
            }
        };
        Self {
            error,
            had_no_effect,
        }
    }
}

/// Returns how long the service asks clients to wait (`Retry-After`, RFC 9110, section
/// 10.2.3); `None` if it does not say, or if that makes no sense.
fn retry_after(response: &Response, now: u64) -> Option<Duration> {
    // A date is one of the service's clock.
    let date = response.date.as_deref().and_then(parse_http_date);
    parse_retry_after(response.retry_after.as_deref()?, date.unwrap_or(now))
}

/// Reads a `Retry-After`: seconds or an HTTP date.
fn parse_retry_after(value: &str, now: u64) -> Option<Duration> {
    let seconds = match value.trim().parse() {
        Ok(seconds) => Some(seconds),
        Err(_) => parse_http_date(value.trim()).map(|at| at.saturating_sub(now)),
    };
    let is_sensible = |wait: &Duration| (Duration::from_secs(1)..=MAX_RETRY_AFTER).contains(wait);
    seconds.map(Duration::from_secs).filter(is_sensible)
}

/// Returns a duration between half of `pause` and all of it.
fn jittered(pause: Duration, random: u64) -> Duration {
    let half = pause / 2;
    let millis = u64::try_from(half.as_millis()).unwrap_or(u64::MAX).max(1);
    half + Duration::from_millis(random % millis)
}

#[cfg(test)]
mod tests {
    use super::super::test_support::FakeService;
    use super::super::test_support::later;
    use super::super::test_support::network;
    use super::super::test_support::request;
    use super::super::test_support::response;
    use super::super::test_support::unreachable;
    use super::*;

    type Answer = Result<Response, TransportError>;

    fn token() -> Answer {
        response(200, r#"{"access_token":"t"}"#)
    }

    /// Returns the outcome, the timeout of each attempt and the time that all took.
    fn run(answers: Vec<(u64, Answer)>) -> (Result<(), ServiceError>, Vec<Duration>, Duration) {
        let service = FakeService::answering_after(answers);
        let request = request();
        let http = service.http();
        let outcome = http.send_with_retry(&request).and_then(|response| {
            request.parse_response(&response, |body| {
                let is_json = body.starts_with(b"{");
                is_json.then_some(()).ok_or_else(|| "no JSON".to_owned())
            })
        });
        let requests = service.requests();
        let timeouts = requests.iter().map(|request| request.timeout).collect();
        (outcome, timeouts, service.clock.elapsed.get())
    }

    #[test]
    fn temporary_failures_are_retried() {
        for failure in [
            response(429, ""),
            response(500, ""),
            response(503, "<html>"),
            network(),
            unreachable(),
        ] {
            let (outcome, timeouts, _) = run(vec![(0, failure), (0, token())]);
            assert!(outcome.is_ok());
            assert_eq!(timeouts.len(), 2);
        }
        let (outcome, timeouts, _) = run((0..4).map(|_| (0, network())).collect());
        assert!(matches!(outcome, Err(ServiceError::Unavailable(_))));
        assert_eq!(timeouts.len(), 4, "four attempts are enough");
    }

    #[test]
    fn lasting_failures_are_not_retried() {
        let untrusted = Err(TransportError::Untrusted("unknown issuer".into()));
        let rejection = r#"{"errorCode":"BXNIM0415E","errorMessage":"no"}"#;
        for failure in [
            response(400, rejection),
            response(401, ""),
            response(404, ""),
            response(501, ""),
            response(511, "<html>log in to the hotel</html>"),
            response(302, ""),
            response(200, "<html>log in to the hotel</html>"),
            response(204, ""),
            untrusted,
        ] {
            let (outcome, timeouts, _) = run(vec![(0, failure)]);
            assert!(outcome.is_err());
            assert_eq!(timeouts.len(), 1, "{outcome:?}");
        }
    }

    #[test]
    fn retry_after_is_obeyed_within_the_deadline() {
        let (outcome, _, elapsed) = run(vec![(0, later(429, "7")), (0, token())]);
        assert!(outcome.is_ok());
        assert_eq!(elapsed, Duration::from_secs(7));
        let (outcome, timeouts, elapsed) = run(vec![(0, later(429, "3600"))]);
        assert!(outcome.is_err(), "an hour is longer than the deadline");
        assert_eq!((timeouts.len(), elapsed), (1, Duration::ZERO));
    }

    #[test]
    fn each_attempt_ends_with_the_deadline() {
        let (outcome, timeouts, elapsed) = run(vec![(10, network()), (9, network()), (0, token())]);
        assert!(outcome.is_ok());
        assert_eq!(timeouts[0], Duration::from_secs(10));
        assert!(timeouts[1] < Duration::from_secs(10), "{timeouts:?}");
        assert!(timeouts[2] < Duration::from_secs(1), "{timeouts:?}");
        assert!(elapsed <= Duration::from_secs(20));
        let (outcome, timeouts, _) = run(vec![(10, network()), (10, network())]);
        assert!(outcome.is_err(), "there is no time left for a third");
        assert_eq!(timeouts.len(), 2);
    }

    #[test]
    fn the_time_without_an_answer_covers_all_attempts() {
        let silent = || Err(TransportError::NoAnswer { is_connected: true });
        let (outcome, ..) = run(vec![(10, silent()), (9, silent()), (1, silent())]);
        let Err(ServiceError::Unavailable(Outage::Silent { waited, .. })) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(waited.as_secs(), 20);
    }

    #[test]
    fn pauses_grow_and_differ() {
        let pause = Duration::from_millis(400);
        assert_eq!(jittered(pause, 0), Duration::from_millis(200));
        assert_eq!(jittered(pause, 199), Duration::from_millis(399));
        assert_eq!(jittered(pause, 200), Duration::from_millis(200));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(parse_retry_after(" 5 ", 0), Some(Duration::from_secs(5)));
        let now = 784_111_777; // Sun, 06 Nov 1994 08:49:37 GMT
        assert_eq!(
            parse_retry_after("Sun, 06 Nov 1994 08:49:47 GMT", now),
            Some(Duration::from_secs(10))
        );
        assert_eq!(
            parse_retry_after("Sun, 06 Nov 1994 08:49:27 GMT", now),
            None,
            "a date in the past"
        );
        for nonsense in [
            "soon",
            "-1",
            "0",
            "1.5",
            "",
            "86401",
            "99999999999999999999",
            "Mon",
        ] {
            assert_eq!(parse_retry_after(nonsense, now), None, "{nonsense}");
        }
    }
}
