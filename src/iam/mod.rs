//! IAM: a grant in, an access token out; and what else it and the instance metadata
//! service are asked.
//!
//! Facts about requests and answers: IAM Identity Services API documentation and
//! IBM's SDKs (`go-sdk-core`, `core/iam_authenticator.go`,
//! `core/iam_assume_authenticator.go`, `core/base_service.go`).

use std::fmt;
use std::time::Duration;

use crate::error::Error;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::settings::Limits;
use crate::time::Clock;
use crate::time::Deadline;

pub mod advice;
pub(crate) mod answer;
pub mod api_keys;
pub(crate) mod date;
pub mod discovery;
pub mod endpoint;
pub mod grant;
pub mod jwt;
pub mod owner;
pub mod trusted_profile;

use crate::http::transport::Authorization;
use crate::http::transport::Body;
use crate::http::transport::Method;
use crate::http::transport::ProxyPolicy;
use crate::http::transport::Request;
use crate::http::transport::Response;
use crate::http::transport::Transport;
use crate::http::transport::TransportError;
use crate::metadata::MetadataService;
use advice::SourceKind;
pub use answer::TokenResponse;
pub use answer::is_token;
use endpoint::Endpoint;
use grant::Grant;

/// How often one question is asked by somebody who has nothing else.
pub const MOST_ATTEMPTS: u32 = 4;

/// How long to wait before the second attempt; doubled for each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(400);

/// Why IAM, the metadata service of an instance or a registry did not give what it was
/// asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum IamError {
    /// It said no, and would say no again.
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its code, such as `BXNIM0415E`.
        code: Option<String>,
        /// Its words.
        message: String,
    },
    /// It could not answer now, or could not be reached.
    Unavailable(Outage),
    /// Somebody answered whom we do not believe: no token, or no trusted certificate.
    InvalidResponse {
        /// What was wrong, as the end of a sentence.
        reason: String,
    },
    /// What was given can be no answer to the question, so nobody was asked.
    Unusable {
        /// What is wrong with it, as the end of a sentence.
        reason: String,
    },
}

/// Why there is no answer for now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outage {
    /// The service answered that it cannot.
    Answered {
        /// The HTTP status.
        status: u16,
        /// How long it asked us to wait.
        retry_after: Option<Duration>,
    },
    /// This machine has too little of something to ask: what, as a sentence.
    Local(String),
    /// No answer came in time.
    Silent {
        /// How long it was waited for, over all attempts.
        waited: Duration,
        /// What that may mean, with a space before it; empty where it says itself.
        meaning: &'static str,
    },
    /// There was no connection, or it broke: why, as the end of a sentence.
    Unreachable(String),
}

impl Outage {
    /// What happened, as the end of a sentence that begins with the service.
    fn predicate(&self) -> String {
        match self {
            Self::Answered { status, .. } => format!("answered HTTP {status}"),
            Self::Local(reason) => format!("cannot be asked: {reason}"),
            Self::Silent { waited, meaning } => {
                format!(
                    "gave no answer within {:.1} s{meaning}",
                    waited.as_secs_f64()
                )
            }
            Self::Unreachable(reason) => format!("is not available: {reason}"),
        }
    }
}

/// Asks IAM, and the metadata service of an instance; also carries questions to a
/// registry.
#[derive(Clone)]
pub struct Iam<'a> {
    /// Where IAM is; a metadata service says that itself.
    pub endpoint: Endpoint,
    /// Carries requests there.
    pub transport: &'a dyn Transport,
    /// For waiting between attempts.
    pub clock: &'a dyn Clock,
    /// Random bits, for waiting not quite as long as everybody else.
    pub random: &'a dyn Fn() -> u64,
    /// How long one attempt may take.
    pub limits: Limits,
    /// How often one question is asked.
    pub most_attempts: u32,
    /// When it must all be over.
    pub deadline: Deadline,
}

/// One question to one service, asked again while that may help.
pub(crate) struct ApiRequest<'a> {
    /// Its name in the log.
    pub(crate) name: &'a str,
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, Secret)>,
    pub(crate) authorization: Authorization,
    pub(crate) body: Body,
    pub(crate) way: ProxyPolicy,
    /// What must not come back in a message.
    pub(crate) secrets: Vec<&'a Secret>,
    /// Whether asking twice may do something twice.
    pub(crate) is_once_only: bool,
    /// What it may mean that nobody is there; empty where that says itself.
    pub(crate) if_silent: &'static str,
}

/// What an attempt came to, other than an answer.
struct AttemptError {
    error: IamError,
    /// Whether it is certain that nothing has been done.
    is_undone: bool,
}

impl Iam<'_> {
    /// The same with the whole time of an answer before it: a person who is waited
    /// for takes longer than any deadline.
    #[must_use]
    pub fn with_new_deadline(&self) -> Self {
        Self {
            endpoint: self.endpoint.clone(),
            deadline: Deadline::after(self.clock, self.limits.deadline),
            ..*self
        }
    }

    /// Exchanges a grant: one request, repeated while that may help and there is
    /// time.
    ///
    /// # Errors
    /// See [`IamError`].
    pub fn exchange(&self, grant: &Grant<'_>) -> Result<TokenResponse, IamError> {
        let question = ApiRequest {
            name: grant.name(),
            method: Method::Post,
            url: self.endpoint.token_url(),
            headers: Vec::new(),
            authorization: grant
                .client()
                .map_or(Authorization::None, Authorization::Basic),
            body: Body::Form(grant.form()),
            way: self.endpoint.way(),
            secrets: grant.secrets(),
            is_once_only: false,
            if_silent: "",
        };
        let response = self.ask(&question)?;
        question.judge(&response, |body| answer::issued(body, self.clock.now()))
    }

    /// The answer to a question, whether yes or no; trouble that may pass is waited
    /// out as far as there is time.
    pub(crate) fn ask(&self, question: &ApiRequest<'_>) -> Result<Response, IamError> {
        question.check()?;
        let mut attempt = 1;
        let mut pause = FIRST_PAUSE;
        let started = self.clock.elapsed();
        loop {
            let trouble = match self.attempt(question, started) {
                Ok(response) => return Ok(response),
                Err(trouble) => trouble,
            };
            let IamError::Unavailable(outage) = &trouble.error else {
                return Err(trouble.error);
            };
            let retry_after = match outage {
                Outage::Answered { retry_after, .. } => *retry_after,
                _ => None,
            };
            let wait = retry_after.unwrap_or_else(|| jittered(pause, (self.random)()));
            if attempt >= self.most_attempts
                || wait >= self.deadline.remaining(self.clock)
                || question.is_once_only && !trouble.is_undone
            {
                return Err(trouble.error);
            }
            tracing::debug!(question.name, attempt, ?outage, ?wait, "asking again");
            self.clock.sleep(wait);
            attempt += 1;
            pause *= 2;
        }
    }

    /// Asks once; `started` is when this question was first asked.
    fn attempt(
        &self,
        question: &ApiRequest<'_>,
        started: Duration,
    ) -> Result<Response, AttemptError> {
        let _span = tracing::debug_span!("ask", name = question.name).entered();
        let timeout = self.limits.attempt.min(self.deadline.remaining(self.clock));
        if timeout.is_zero() {
            let reason = "there was no time left to ask".to_owned();
            return Err(AttemptError {
                error: IamError::Unavailable(Outage::Unreachable(reason)),
                is_undone: true,
            });
        }
        let request = Request {
            method: question.method,
            url: question.url.clone(),
            headers: question.headers.clone(),
            authorization: question.authorization.clone(),
            body: question.body.clone(),
            way: question.way,
            connect_timeout: self.limits.connect.min(timeout),
            timeout,
        };
        let response = self.transport.send(request).map_err(|error| {
            let waited = self.clock.elapsed().saturating_sub(started);
            AttemptError::of(error, question.if_silent, waited)
        })?;
        tracing::debug!(
            question.name,
            status = response.status,
            transaction_id = ?response.transaction_id,
            "answered"
        );
        match response.status {
            status @ (429 | 500 | 502..=599) => Err(AttemptError {
                error: IamError::Unavailable(Outage::Answered {
                    status,
                    retry_after: response
                        .retry_after
                        .and_then(|value| answer::retry_after(&value, self.clock.now())),
                }),
                is_undone: status == 429,
            }),
            status @ 300..=399 => Err(AttemptError {
                error: IamError::InvalidResponse {
                    reason: format!(
                        "it redirected us (HTTP {status}), which it never does{}",
                        question.if_proxied("; a proxy may want a login")
                    ),
                },
                is_undone: false,
            }),
            _ => Ok(response),
        }
    }
}

impl AttemptError {
    /// `waited` is the time since the first attempt.
    fn of(error: TransportError, if_silent: &'static str, waited: Duration) -> Self {
        let is_undone = matches!(
            error,
            TransportError::Local(_)
                | TransportError::NoAnswer {
                    is_connected: false
                }
                | TransportError::Unreachable(_)
        );
        let error = match error {
            TransportError::Local(reason) => IamError::Unavailable(Outage::Local(reason)),
            TransportError::Network(reason) | TransportError::Unreachable(reason) => {
                IamError::Unavailable(Outage::Unreachable(format!("{reason}{if_silent}")))
            }
            TransportError::NoAnswer { .. } => IamError::Unavailable(Outage::Silent {
                waited,
                meaning: if_silent,
            }),
            TransportError::Untrusted(reason) => IamError::InvalidResponse { reason },
        };
        Self { error, is_undone }
    }
}

impl ApiRequest<'_> {
    /// What goes into a header must fit into a line.
    fn check(&self) -> Result<(), IamError> {
        let token = match &self.authorization {
            Authorization::Bearer(token) => Some(token),
            Authorization::Basic(_) | Authorization::None => None,
        };
        let mut values = self.headers.iter().map(|(_, value)| value).chain(token);
        match values.all(answer::is_token) {
            true => Ok(()),
            false => Err(IamError::Unusable {
                reason: "it is empty, too long or not plain text".into(),
            }),
        }
    }

    /// Words about proxies, where there can be one.
    fn if_proxied(&self, words: &'static str) -> &'static str {
        match self.way {
            ProxyPolicy::Direct => "",
            ProxyPolicy::Proxied => words,
        }
    }

    /// What an answer says: `read` takes the body of a yes.
    pub(crate) fn judge<T>(
        &self,
        response: &Response,
        read: impl FnOnce(&[u8]) -> Result<T, String>,
    ) -> Result<T, IamError> {
        let status = response.status;
        if (200..=299).contains(&status) {
            return read(&response.body).map_err(|reason| IamError::InvalidResponse { reason });
        }
        Err(match answer::refusal(&response.body, &self.secrets) {
            Some(refusal) => IamError::Refused {
                status,
                code: refusal.code,
                message: refusal.message,
            },
            None => IamError::InvalidResponse {
                reason: format!(
                    "it refused without a reason (HTTP {status}){}",
                    self.if_proxied("; a proxy may stand in between")
                ),
            },
        })
    }
}

/// Who answered, or did not.
#[derive(Clone, Copy, Debug)]
pub enum Service<'a> {
    /// IAM.
    Iam(&'a Endpoint),
    /// The metadata service of a virtual server.
    Metadata(&'a MetadataService),
    /// The management API of a registry.
    Registry(&'a Registry),
}

impl<'a> From<&'a Endpoint> for Service<'a> {
    fn from(endpoint: &'a Endpoint) -> Self {
        Self::Iam(endpoint)
    }
}

impl<'a> From<&'a MetadataService> for Service<'a> {
    fn from(service: &'a MetadataService) -> Self {
        Self::Metadata(service)
    }
}

impl<'a> From<&'a Registry> for Service<'a> {
    fn from(registry: &'a Registry) -> Self {
        Self::Registry(registry)
    }
}

impl fmt::Display for Service<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Iam(endpoint) => write!(formatter, "IAM at {}", endpoint.base()),
            Self::Metadata(service) => {
                write!(
                    formatter,
                    "the instance metadata service at {}",
                    service.url()
                )
            }
            Self::Registry(registry) => write!(formatter, "the registry {registry}"),
        }
    }
}

impl Service<'_> {
    /// What to do when nothing answers.
    fn when_silent(self) -> &'static str {
        match self {
            Self::Iam(_) | Self::Registry(_) => {
                "Check the network and the proxy settings, and try again"
            }
            Self::Metadata(_) => "Try again, or use another source of credentials",
        }
    }

    /// What to do when something else seems to have answered.
    fn when_unbelievable(self) -> &'static str {
        match self {
            Self::Iam(_) | Self::Registry(_) => {
                "Check the proxy settings, and whether this network has a login page"
            }
            Self::Metadata(_) => "Use another source of credentials",
        }
    }

    /// Its name where its address says nothing new.
    fn short_name(self) -> String {
        match self {
            Self::Iam(_) => "IAM".to_owned(),
            Self::Metadata(_) => self.to_string(),
            Self::Registry(registry) => registry.to_string(),
        }
    }
}

impl IamError {
    /// The failure that this is for a person who used `source` with IAM, a metadata
    /// service or a registry, for anything but a token.
    pub fn with_source<'a>(self, source: &str, service: impl Into<Service<'a>>) -> Error {
        let doing = format!("cannot use {source}");
        self.explained(Some(doing), service.into(), &SourceKind::Other)
    }

    /// The failure that this is for a person who asked something for which nobody has
    /// to be known.
    pub fn without_source<'a>(self, service: impl Into<Service<'a>>) -> Error {
        let hint = "A proxy may stand in between, or a list of addresses that may ask";
        self.explained(None, service.into(), &SourceKind::Hint(hint))
    }

    /// The same as [`IamError::with_source`], with what helps where IAM's reason has
    /// no hint of its own; a sentence.
    pub fn with_source_and_hint<'a>(
        self,
        source: &str,
        service: impl Into<Service<'a>>,
        hint: &'static str,
    ) -> Error {
        let doing = format!("cannot use {source}");
        self.explained(Some(doing), service.into(), &SourceKind::Hint(hint))
    }

    /// The failure that this is for a person for whom a token was to be had with
    /// `source`.
    pub fn for_token<'a>(
        self,
        source: &str,
        kind: &SourceKind,
        service: impl Into<Service<'a>>,
    ) -> Error {
        let doing = format!("cannot get a token with {source}");
        self.explained(Some(doing), service.into(), kind)
    }

    fn explained(self, doing: Option<String>, service: Service<'_>, kind: &SourceKind) -> Error {
        let refused = if doing.is_some() {
            "rejected it"
        } else {
            "refused to answer"
        };
        let in_vain = doing.map(|doing| format!("{doing}: "));
        let in_vain = in_vain.unwrap_or_default();
        match self {
            Self::Refused {
                status,
                code,
                message,
            } => {
                let hint = advice::hint(service, kind, code.as_deref(), &message);
                let code = code.map(|code| format!("{code}, ")).unwrap_or_default();
                let who = service.short_name();
                let message = message.trim_end_matches('.');
                Error::user(format!(
                    "{in_vain}{who} {refused} ({code}HTTP {status}): {message}"
                ))
                .with_hint(hint)
                .as_rejection()
            }
            Self::Unavailable(outage) => {
                let failure =
                    Error::temporary(format!("{in_vain}{service} {}", outage.predicate()));
                failure.with_hint(advice::when_unavailable(&outage, service.when_silent()))
            }
            Self::InvalidResponse { reason } => {
                let failure = Error::temporary(format!(
                    "{in_vain}the answer of {service} cannot be trusted: {reason}"
                ));
                failure.with_hint(service.when_unbelievable())
            }
            Self::Unusable { reason } => Error::user(format!("{in_vain}{reason}")),
        }
    }
}

/// The longest ID that is believed, in bytes; `ApiKey-` and a UUID have 43.
pub(crate) const LONGEST_ID: usize = 100;

/// Whether a text can be an ID of IBM's: it becomes part of a path.
pub(crate) fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= LONGEST_ID
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Between half of `pause` and all of it.
fn jittered(pause: Duration, random: u64) -> Duration {
    let half = pause / 2;
    let millis = u64::try_from(half.as_millis()).unwrap_or(u64::MAX).max(1);
    half + Duration::from_millis(random % millis)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::RefCell;
    use std::collections::VecDeque;

    use super::*;
    use crate::time::fake::FakeClock;

    type Answer = Result<Response, TransportError>;

    /// IAM that answers from a list; an answer may take time.
    pub(crate) struct Lab {
        clock: FakeClock,
        answers: RefCell<VecDeque<(Duration, Answer)>>,
        requests: RefCell<Vec<Request>>,
    }

    impl Lab {
        pub(crate) fn answering(answers: Vec<Answer>) -> Self {
            Self::answering_after(answers.into_iter().map(|answer| (0, answer)).collect())
        }

        /// Each answer after so many seconds.
        fn answering_after(answers: Vec<(u64, Answer)>) -> Self {
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

        /// Puts one question to the public IAM.
        pub(crate) fn ask<T>(&self, question: impl FnOnce(&Iam<'_>) -> T) -> T {
            let limits = Limits::default();
            question(&Iam {
                endpoint: Endpoint::public(),
                transport: self,
                clock: &self.clock,
                random: &|| 7,
                limits,
                most_attempts: MOST_ATTEMPTS,
                deadline: Deadline::after(&self.clock, limits.deadline),
            })
        }

        /// What was asked.
        pub(crate) fn requests(&self) -> Vec<Request> {
            self.requests.borrow().clone()
        }
    }

    impl Transport for Lab {
        fn send(&self, request: Request) -> Answer {
            self.requests.borrow_mut().push(request);
            let next = self.answers.borrow_mut().pop_front();
            let (took, answer) = next.expect("asked more often than foreseen");
            self.clock.advance(took);
            answer
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

    fn token() -> Answer {
        response(
            200,
            r#"{"access_token":"t","token_type":"Bearer","expires_in":3600}"#,
        )
    }

    pub(crate) fn later(status: u16, retry_after: &str) -> Answer {
        response(status, "").map(|response| Response {
            retry_after: Some(retry_after.into()),
            ..response
        })
    }

    /// What came out, after how many attempts and how long.
    fn run(
        answers: Vec<(u64, Answer)>,
    ) -> (Result<TokenResponse, IamError>, Vec<Duration>, Duration) {
        let lab = Lab::answering_after(answers);
        let outcome = lab.ask(|iam| {
            iam.exchange(&Grant::ApiKey {
                key: &Secret::new("hunter2"),
                for_refresh_token: false,
            })
        });
        let timeouts = lab
            .requests()
            .iter()
            .map(|request| request.timeout)
            .collect();
        (outcome, timeouts, lab.clock.elapsed.get())
    }

    fn unreachable_for(reason: &str) -> IamError {
        IamError::Unavailable(Outage::Unreachable(reason.into()))
    }

    pub(crate) fn unreachable() -> Answer {
        Err(TransportError::Unreachable("connection refused".into()))
    }

    pub(crate) fn network() -> Answer {
        Err(TransportError::Network("the connection was cut".into()))
    }

    #[test]
    fn what_may_pass_is_tried_again() {
        for trouble in [
            response(429, ""),
            response(500, ""),
            response(503, "<html>"),
            network(),
            unreachable(),
        ] {
            let (outcome, timeouts, _) = run(vec![(0, trouble), (0, token())]);
            assert!(outcome.is_ok());
            assert_eq!(timeouts.len(), 2);
        }
        let (outcome, timeouts, _) = run(vec![
            (0, network()),
            (0, network()),
            (0, network()),
            (0, network()),
        ]);
        assert!(matches!(outcome, Err(IamError::Unavailable(_))));
        assert_eq!(timeouts.len(), 4, "four attempts are enough");
    }

    #[test]
    fn what_will_not_pass_is_not_tried_again() {
        let untrusted = Err(TransportError::Untrusted("unknown issuer".into()));
        let refused = r#"{"errorCode":"BXNIM0415E","errorMessage":"no"}"#;
        for trouble in [
            response(400, refused),
            response(401, ""),
            response(404, ""),
            response(501, ""),
            response(302, ""),
            response(200, "<html>log in to the hotel</html>"),
            response(204, ""),
            untrusted,
        ] {
            let (outcome, timeouts, _) = run(vec![(0, trouble)]);
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
        assert!(outcome.is_err(), "an answer in an hour is no answer");
        assert_eq!((timeouts.len(), elapsed), (1, Duration::ZERO));
    }

    #[test]
    fn each_attempt_gets_no_more_than_what_is_left_of_the_deadline() {
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
    fn whoever_was_waited_for_leaves_all_the_time_for_the_exchange() {
        let lab = Lab::answering_after(vec![(9, token())]);
        lab.ask(|iam| {
            lab.clock.advance(Duration::from_secs(300));
            let grant = Grant::Passcode(&Secret::new("s"));
            assert!(iam.exchange(&grant).is_err(), "its time is up");
            assert!(iam.with_new_deadline().exchange(&grant).is_ok());
        });
    }

    #[test]
    fn a_refusal_reaches_the_person_without_its_context() {
        let body = r#"{"errorCode":"BXNIM0415E","errorMessage":"Provided API key hunter2 could not be found.","context":{"clientIp":"203.0.113.7"}}"#;
        let (outcome, ..) = run(vec![(0, response(400, body))]);
        let kind = SourceKind::Variable {
            name: "IBMCLOUD_API_KEY",
            holds: "key",
        };
        let failure = outcome.unwrap_err().for_token(
            "the API key in $IBMCLOUD_API_KEY",
            &kind,
            &Endpoint::public(),
        );
        assert!(failure.is_user() && failure.is_rejection());
        assert_eq!(
            failure.to_string(),
            "cannot get a token with the API key in $IBMCLOUD_API_KEY: IAM rejected it (BXNIM0415E, HTTP 400): Provided API key [redacted] could not be found. Set a new key in $IBMCLOUD_API_KEY, or unset it. A key that was just made takes a few seconds to work"
        );
    }

    #[test]
    fn every_failure_names_its_source_and_iam() {
        let endpoint = Endpoint::private();
        for (error, words) in [
            (
                unreachable_for("x"),
                "cannot use it: IAM at https://private.iam.cloud.ibm.com is not available: x. Check the network and the proxy settings, and try again",
            ),
            (
                IamError::InvalidResponse { reason: "x".into() },
                "cannot use it: the answer of IAM at https://private.iam.cloud.ibm.com cannot be trusted: x. Check the proxy settings, and whether this network has a login page",
            ),
            (
                IamError::Unavailable(Outage::Answered {
                    status: 503,
                    retry_after: Some(Duration::from_secs(30)),
                }),
                "cannot use it: IAM at https://private.iam.cloud.ibm.com answered HTTP 503. Try again in 30 s",
            ),
            (
                IamError::Unavailable(Outage::Local("too many open files".into())),
                "cannot use it: IAM at https://private.iam.cloud.ibm.com cannot be asked: too many open files. Close other programs or raise the limit, and try again",
            ),
        ] {
            assert_eq!(error.with_source("it", &endpoint).to_string(), words);
        }
    }

    #[test]
    fn silence_is_as_long_as_all_attempts_took() {
        let silent = || Err(TransportError::NoAnswer { is_connected: true });
        let (outcome, ..) = run(vec![(10, silent()), (9, silent()), (1, silent())]);
        let text = outcome.unwrap_err().without_source(&Endpoint::public());
        let text = text.to_string();
        assert!(text.contains("gave no answer within 20."), "{text}");
    }

    #[test]
    fn a_failure_of_nobodys_names_iam_alone() {
        let refused = IamError::Refused {
            status: 403,
            code: None,
            message: "no".into(),
        };
        for (error, expected) in [
            (
                refused,
                "IAM refused to answer (HTTP 403): no. A proxy may stand in between, or a list of addresses that may ask",
            ),
            (
                unreachable_for("x"),
                "IAM at https://iam.cloud.ibm.com is not available: x. Check the network and the proxy settings, and try again",
            ),
            (
                IamError::InvalidResponse { reason: "x".into() },
                "the answer of IAM at https://iam.cloud.ibm.com cannot be trusted: x. Check the proxy settings, and whether this network has a login page",
            ),
        ] {
            let text = error.without_source(&Endpoint::public()).to_string();
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn pauses_grow_and_differ() {
        let pause = Duration::from_millis(400);
        assert_eq!(jittered(pause, 0), Duration::from_millis(200));
        assert_eq!(jittered(pause, 199), Duration::from_millis(399));
        assert_eq!(jittered(pause, 200), Duration::from_millis(200));
    }
}
