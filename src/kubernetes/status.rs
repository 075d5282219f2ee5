//! [`ApiError`]: why the API server did not do what was asked.

use std::time::Duration;

use serde::Deserialize;

use crate::error::Error;
use crate::error::one_line;
use crate::http::transport::Response;
use crate::secret::Secret;

/// The length limit of a message that is repeated, in characters.
const MAX_MESSAGE: usize = 300;

/// The cause of an error in a namespace that is being deleted (`k8s.io/api/core/v1`,
/// `NamespaceTerminatingCause`).
const TERMINATING: &str = "NamespaceTerminating";

/// Why a request failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum ApiError {
    /// 404: the object or its namespace does not exist.
    NotFound,
    /// The namespace is being deleted.
    Terminating,
    /// 409: the object was changed meanwhile, or another field manager owns a field.
    Conflict(String),
    /// 410: the rest of a list is no longer available.
    Expired,
    /// 401: the API server does not accept the credential. What to do then.
    Unauthorized(&'static str),
    /// A name that the cluster gave is not one: it is in no path.
    InvalidName(String),
    /// Another rejection: the HTTP status, and the message.
    Rejected(u16, String),
    /// The response is longer than this program reads.
    TooLarge,
    /// There is no answer, and perhaps when the API server wants to be asked again.
    Unavailable(Error, Option<Duration>),
}

/// The object that the API server returns with an error (`k8s.io/apimachinery`,
/// `meta/v1.Status`).
#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    message: String,
    details: Option<Details>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details {
    causes: Option<Vec<Cause>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Cause {
    reason: String,
}

impl ApiError {
    /// Returns the error of a response, whose status is no success. Removes `secret` from its
    /// message.
    pub(super) fn of_response(
        response: &Response,
        secret: Option<&Secret>,
        rejection_hint: &'static str,
    ) -> Self {
        let status: Status = serde_json::from_slice(&response.body).unwrap_or_default();
        let causes = status.details.and_then(|details| details.causes);
        if causes.is_some_and(|causes| causes.iter().any(|it| it.reason == TERMINATING)) {
            return Self::Terminating;
        }
        let message = match secret.filter(|secret| !secret.is_empty()) {
            Some(secret) => status.message.replace(secret.expose(), "[redacted]"),
            None => status.message,
        };
        let message = match message.trim_end_matches('.') {
            "" => "without a reason".to_owned(),
            text => one_line(text, MAX_MESSAGE),
        };
        match response.status {
            401 => Self::Unauthorized(rejection_hint),
            404 => Self::NotFound,
            409 => Self::Conflict(message),
            410 => Self::Expired,
            status => Self::Rejected(status, message),
        }
    }

    /// Returns whether the other requests would fail in the same way.
    pub(crate) fn is_of_server(&self) -> bool {
        matches!(self, Self::Unauthorized(_) | Self::Unavailable(..))
    }

    /// Returns how long the API server wants to be left alone.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable(_, retry_after) => *retry_after,
            _ => None,
        }
    }

    /// Returns the error for a person. `action` is what failed: `cannot list namespaces`.
    pub(crate) fn explain(self, action: &str) -> Error {
        match self {
            Self::NotFound => Error::user(format!("{action}: it does not exist")),
            Self::Terminating => Error::user(format!("{action}: the namespace is being deleted")),
            Self::Conflict(reason) => Error::temporary(format!(
                "{action}: it was changed at the same time ({reason})"
            ))
            .with_hint("Try again"),
            Self::Expired => {
                Error::temporary(format!("{action}: the list has expired")).with_hint("Try again")
            }
            Self::Unauthorized(hint) => Error::user(format!(
                "{action}: the API server does not accept the credential (HTTP 401)"
            ))
            .with_hint(hint),
            Self::TooLarge => Error::user(format!(
                "{action}: the response of the API server is longer than 1 MiB"
            )),
            Self::InvalidName(name) => Error::user(format!(
                "{action}: {:?} is not a name of Kubernetes",
                one_line(&name, MAX_MESSAGE)
            )),
            Self::Rejected(403, reason) => {
                let error = Error::user(format!("{action}: the API server forbids it: {reason}"));
                if lacks_rights(&reason) {
                    error.with_hint("Grant the rights that docs/kubernetes.md lists")
                } else {
                    error
                }
            }
            Self::Rejected(status @ 500.., reason) => Error::temporary(format!(
                "{action}: the API server failed (HTTP {status}): {reason}"
            )),
            Self::Rejected(status, reason) => Error::user(format!(
                "{action}: the API server rejected it (HTTP {status}): {reason}"
            )),
            Self::Unavailable(error, _) => error.with_context(action),
        }
    }
}

/// Returns whether the message of a 403 is that of missing rights (`k8s.io/apiserver`,
/// `handlers/responsewriters/errors.go`). Those of quotas and policies have the same status.
fn lacks_rights(message: &str) -> bool {
    let verbs = ["get", "list", "create", "patch", "delete"];
    verbs
        .iter()
        .any(|verb| message.contains(&format!("cannot {verb} resource")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> ApiError {
        let response = Response {
            status,
            body: body.into(),
            transaction_id: None,
            retry_after: None,
            date: None,
        };
        ApiError::of_response(&response, Some(&Secret::new("hunter2")), "Log in")
    }

    #[test]
    fn a_status_object_becomes_an_error_without_secrets() {
        let conflict = r#"{"kind":"Status","message":"changed: hunter2.","code":409}"#;
        assert_eq!(
            of(409, conflict),
            ApiError::Conflict("changed: [redacted]".into())
        );
        let terminating =
            r#"{"message":"no","details":{"causes":[{"reason":"NamespaceTerminating"}]}}"#;
        assert_eq!(of(403, terminating), ApiError::Terminating);
        for (status, body, expected) in [
            (401, "{}", ApiError::Unauthorized("Log in")),
            (404, "<html>", ApiError::NotFound),
            (410, "null", ApiError::Expired),
            (422, "", ApiError::Rejected(422, "without a reason".into())),
            (
                403,
                r#"{"message":"no\nway"}"#,
                ApiError::Rejected(403, "no way".into()),
            ),
        ] {
            assert_eq!(of(status, body), expected, "{body}");
        }
    }
}
