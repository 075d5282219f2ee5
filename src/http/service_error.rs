//! [`ServiceError`]: why a request to a service failed, and the
//! [`Error`] that a person sees.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use super::ProxyRefusal;
use crate::error::Error;
use crate::time::duration;

/// The HTTP status of a client that asks too often (RFC 6585, section 4).
pub(super) const TOO_MANY_REQUESTS: u16 = 429;

/// The hint if a response does not come from the service.
pub const INVALID_RESPONSE_HINT: &str =
    "Check the proxy settings, and whether this network has a login page";

/// The range of waiting times that a hint names.
const MIN_WAIT: Duration = Duration::from_secs(1);
const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a request to a service failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ServiceError {
    /// It rejected the request, and would reject it again.
    Rejected {
        /// The HTTP status.
        status: u16,
        /// Its code, such as `BXNIM0415E`.
        code: Option<String>,
        /// Its message.
        message: String,
    },
    /// The proxy refused to connect to it, and would refuse again.
    Proxy(ProxyRefusal),
    /// It cannot answer now, or cannot be reached.
    Unavailable(Outage),
    /// The response does not come from the service, or makes no sense.
    InvalidResponse {
        /// What is wrong, as the end of a sentence.
        reason: String,
    },
    /// The server at its address has no trusted certificate, so no request was made.
    UntrustedServer {
        /// Why, as the end of a sentence.
        reason: String,
        /// What a person can do.
        hint: &'static str,
    },
    /// The input cannot be sent, so no request was made.
    Unusable {
        /// What is wrong with it, as the end of a sentence.
        reason: String,
    },
}

/// Why a service is unavailable.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outage {
    /// It answered that it cannot.
    Answered {
        /// The HTTP status.
        status: u16,
        /// How long it asks clients to wait.
        retry_after: Option<Duration>,
    },
    /// This machine lacks a resource that a request needs: which, as a sentence.
    Local(String),
    /// It did not answer in time.
    Silent {
        /// How long the program waited, over all attempts.
        waited: Duration,
        /// The end of the sentence: what that may mean, and the proxy; may be empty.
        note: String,
    },
    /// There was no connection, or it broke: why, as the end of a sentence.
    Unreachable(String),
}

/// What messages call a service, and what they advise if it does not answer.
#[derive(Clone, Debug)]
pub struct ServiceDescription {
    /// Its name.
    pub name: String,
    /// Its name with its address.
    pub name_and_address: String,
    /// The hint if it is unreachable.
    pub unreachable_hint: &'static str,
    /// The hint if its response is invalid.
    pub invalid_hint: &'static str,
}

impl Outage {
    /// Returns a sentence about what happened.
    fn describe(&self, service: &ServiceDescription) -> String {
        let name = &service.name;
        let address = &service.name_and_address;
        match self {
            Self::Answered {
                status: TOO_MANY_REQUESTS,
                ..
            } => format!("{name} got too many requests (HTTP {TOO_MANY_REQUESTS})"),
            Self::Answered { status, .. } => format!("{name} is unavailable (HTTP {status})"),
            Self::Local(reason) => format!("cannot send a request to {name}: {reason}"),
            Self::Silent { waited, note } => {
                let seconds = waited.as_secs_f64();
                format!("{address} did not answer within {seconds:.1} s{note}")
            }
            Self::Unreachable(reason) => format!("{address} is unreachable: {reason}"),
        }
    }

    fn hint(&self, unreachable_hint: &str) -> String {
        match self {
            Self::Answered {
                retry_after: Some(after),
                ..
            } if (MIN_WAIT..=MAX_WAIT).contains(after) => {
                format!("Try again in {}", duration(after.as_secs()))
            }
            Self::Answered {
                status: TOO_MANY_REQUESTS,
                ..
            } => "Try again in a minute, with fewer processes at the same time".to_owned(),
            Self::Answered { .. } => "Try again later".to_owned(),
            Self::Local(_) => "Close other programs or raise the limit, and try again".to_owned(),
            Self::Silent { .. } | Self::Unreachable(_) => unreachable_hint.to_owned(),
        }
    }
}

impl ServiceError {
    /// Returns the error for a person. `action` is what failed, such as `cannot get a
    /// token with the API key`; `rejection_hint` gets the service's code and message.
    pub fn explain(
        self,
        action: Option<String>,
        service: &ServiceDescription,
        rejection_hint: impl FnOnce(Option<&str>, &str) -> String,
    ) -> Error {
        let verb = if action.is_some() {
            "rejected it"
        } else {
            "rejected the request"
        };
        let prefix = action.map_or_else(String::new, |action| format!("{action}: "));
        match self {
            Self::Rejected {
                status,
                code,
                message,
            } => {
                let hint = rejection_hint(code.as_deref(), &message);
                let code = code.unwrap_or_else(|| format!("HTTP {status}"));
                let name = &service.name;
                let message = message.trim_end_matches('.');
                Error::user(format!("{prefix}{name} {verb} ({code}): {message}"))
                    .with_hint(hint)
                    .as_rejection()
            }
            Self::Proxy(refusal) => {
                Error::user(format!("{prefix}{refusal}")).with_hint(refusal.hint())
            }
            Self::Unavailable(outage) => {
                let error = Error::temporary(format!("{prefix}{}", outage.describe(service)))
                    .with_hint(outage.hint(service.unreachable_hint));
                match outage {
                    Outage::Silent { .. } | Outage::Unreachable(_) => error.as_unreachable(),
                    Outage::Answered { .. } | Outage::Local(_) => error,
                }
            }
            Self::InvalidResponse { reason } => Error::temporary(format!(
                "{prefix}cannot trust the response of {}: {reason}",
                service.name_and_address
            ))
            .with_hint(service.invalid_hint),
            Self::UntrustedServer { reason, hint } => {
                let address = &service.name_and_address;
                Error::temporary(format!("{prefix}cannot trust {address}: {reason}"))
                    .with_hint(hint)
            }
            Self::Unusable { reason } => Error::user(format!("{prefix}{reason}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_unreachable_service_gets_the_hint_about_the_network() {
        let answered = |status, seconds: Option<u64>| Outage::Answered {
            status,
            retry_after: seconds.map(Duration::from_secs),
        };
        let silent = Outage::Silent {
            waited: Duration::from_secs(20),
            note: String::new(),
        };
        for (outage, hint) in [
            (answered(503, None), "Try again later"),
            (answered(503, Some(0)), "Try again later"),
            (answered(503, Some(30)), "Try again in 30 s"),
            (answered(429, Some(3600)), "Try again in 60 min"),
            (
                answered(429, None),
                "Try again in a minute, with fewer processes at the same time",
            ),
            (silent, "network"),
            (Outage::Unreachable(String::new()), "network"),
        ] {
            assert_eq!(outage.hint("network"), hint);
        }
    }
}
