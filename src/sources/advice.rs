//! Hints for errors of IAM and the metadata service: one table, by the kind of source and
//! IAM's reason.
//!
//! IBM documents few of IAM's codes. For other codes the words of IAM's message choose the
//! hint; nothing else depends on them.

use std::path::PathBuf;

use crate::PROGRAM;
use crate::error::Error;
use crate::http::INVALID_RESPONSE_HINT;
use crate::http::ServiceDescription;
use crate::http::ServiceError;
use crate::iam::endpoint::Endpoint;
use crate::login::LoginScope;
use crate::metadata::MetadataService;
use crate::registry::credential_check::ALLOWED_NETWORK_HINT;

/// The kind of source that IAM's input comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SourceKind {
    /// The session of the IBM Cloud CLI.
    CliSession,
    /// The token of a pod, a job or an agent, which the platform refreshes.
    ComputeResource,
    /// IBM's credentials file at this path.
    CredentialsFile(PathBuf),
    /// Another source, with its hint.
    Hint(&'static str),
    /// The identity of a virtual server.
    Instance,
    /// Anything else.
    Other,
    /// A trusted profile that another identity assumes.
    Profile,
    /// The variable of a property of the SDKs, without its prefix.
    Property(&'static str),
    /// The token of a service account of Kubernetes, with the hint that its claims suggest.
    ServiceAccount(String),
    /// A stored login.
    StoredLogin {
        /// Its scope.
        scope: LoginScope,
        /// Whether it is a session, which ends, instead of an API key.
        is_session: bool,
        /// The source that is used without this login, if any.
        behind: Option<String>,
    },
    /// An API key that a person has just entered.
    Typed,
    /// An environment variable.
    Variable {
        /// Its name.
        name: &'static str,
        /// What it holds: `key` or `token`.
        holds: &'static str,
    },
}

/// Why IAM rejects something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Reason {
    /// The IP address is not allowed.
    AddressNotAllowed,
    /// A context-based restriction does not allow the network.
    ContextNotAllowed,
    /// The API key is disabled or locked.
    KeyDisabled,
    /// The API key does not exist (any more).
    KeyUnknown,
    /// A second factor is required.
    MfaRequired,
    /// The user is not a member of the account (any more).
    NotInAccount,
    /// The service ID has been deleted or disabled.
    ServiceIdGone,
    /// The session or its refresh token has expired.
    SessionOver,
    /// The user or the account is locked.
    UserLocked,
    /// Anything else.
    Other,
}

impl Reason {
    /// Returns the reason for a code (`ibm-cloud-cli-sdk`,
    /// `bluemix/authentication/iam/iam.go`; issues of `terraform-provider-ibm`),
    /// otherwise for the words of a message.
    fn of(code: Option<&str>, words: &str) -> Self {
        match code {
            Some("BXNIM0400E") => Self::MfaRequired,
            Some("BXNIM0407E" | "BXNIM0408E" | "BXNIM0439E") => Self::SessionOver,
            Some("BXNIM0415E") => Self::KeyUnknown,
            Some("BXNIM0430E") => Self::AddressNotAllowed,
            _ => Self::of_words(&words.to_ascii_lowercase()),
        }
    }

    fn of_words(words: &str) -> Self {
        let has = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
        let is_off = has(&["locked", "disabled", "suspended", "not active", "inactive"]);
        let is_gone = has(&[
            "delete",
            "removed",
            "exist",
            "found",
            "expired",
            "not valid",
        ]);
        if has(&["context-based", "context based"]) {
            Self::ContextNotAllowed
        } else if has(&["ip address", "ip-address"]) {
            Self::AddressNotAllowed
        } else if has(&["factor", "mfa"]) {
            Self::MfaRequired
        } else if has(&["api key", "apikey"]) && is_off {
            Self::KeyDisabled
        } else if has(&["service id", "serviceid"]) && (is_gone || is_off) {
            Self::ServiceIdGone
        } else if has(&["api key", "apikey"]) && is_gone {
            Self::KeyUnknown
        } else if has(&["user", "account", "identity"]) && is_off {
            Self::UserLocked
        } else if has(&["member", "not part of", "user", "account"])
            && (is_gone || has(&["member", "not part of"]))
        {
            Self::NotInAccount
        } else if has(&["session", "refresh token"]) {
            Self::SessionOver
        } else {
            Self::Other
        }
    }
}

/// Returns the hint for a rejection: a sentence without a full stop. Commands are in
/// single quotes, because clients put the whole text in backticks.
fn hint(service: Service<'_>, kind: &SourceKind, code: Option<&str>, words: &str) -> String {
    match service {
        Service::Iam(_) => kind.fix(Reason::of(code, words)),
        Service::Metadata(_) => of_metadata(code).to_owned(),
    }
}

/// Returns the hint for the code of a metadata service (VPC documentation, `metadata-error-codes.md`).
fn of_metadata(code: Option<&str>) -> &'static str {
    match code {
        Some("profile_not_linked") => {
            "Link the trusted profile to this instance (IAM, Trusted profiles, Compute resources), or name one that is linked"
        }
        Some("unauthorized") => {
            "Enable the metadata service in the settings of this instance; it is off by default"
        }
        _ => "Check the trusted profile that was named, and the metadata settings of this instance",
    }
}

/// Returns a sentence with a small first letter.
fn uncapitalized(sentence: &str) -> String {
    let mut letters = sentence.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

impl SourceKind {
    /// Returns the hint for a reason.
    fn fix(&self, reason: Reason) -> String {
        let replace = self.replacement(reason);
        let first = match (self, reason) {
            // A person cannot replace the identity of a machine or a profile.
            (
                Self::Profile | Self::ComputeResource | Self::Instance | Self::ServiceAccount(_),
                _,
            )
            | (_, Reason::Other | Reason::SessionOver) => return replace,
            (Self::Hint(_), Reason::KeyUnknown) => return replace,
            (_, Reason::KeyUnknown) => {
                return format!("{replace}. A new key takes a few seconds to work");
            }
            (_, Reason::AddressNotAllowed) => {
                return "Use an allowed IP address, or have an administrator allow this one (https://cloud.ibm.com/iam)".to_owned();
            }
            (_, Reason::ContextNotAllowed) => {
                return ALLOWED_NETWORK_HINT.to_owned();
            }
            (Self::Hint(_) | Self::Other, Reason::MfaRequired) => {
                return format!(
                    "Log in with an API key, which needs no second factor: '{PROGRAM} login'"
                );
            }
            (Self::CliSession, Reason::MfaRequired) => return replace,
            (
                Self::StoredLogin {
                    is_session: true, ..
                }
                | Self::Variable { holds: "token", .. },
                Reason::MfaRequired,
            ) => "Use an API key, which needs no second factor",
            (_, Reason::MfaRequired) => "Use the key of a service ID, which needs no second factor",
            (_, Reason::KeyDisabled) => "Enable the key at https://cloud.ibm.com/iam/apikeys",
            (_, Reason::NotInAccount) => "Have an administrator add the user to the account again",
            (_, Reason::ServiceIdGone) => "Use the key of another service ID or of a user",
            (_, Reason::UserLocked) => "Have an administrator of the account unlock it",
        };
        match self {
            Self::Hint(_) | Self::Other => first.to_owned(),
            _ => format!("{first}. Otherwise, {}", uncapitalized(&replace)),
        }
    }

    /// Returns how to replace the rejected secret of this source.
    fn replacement(&self, reason: Reason) -> String {
        match self {
            Self::CliSession => format!(
                "Run 'ibmcloud login', or log in once with '{PROGRAM} login', which lasts"
            ),
            Self::ComputeResource => "Check that the trusted profile trusts this compute resource (IAM, Trusted profiles), and that its token is current".to_owned(),
            Self::CredentialsFile(path) => {
                let path = path.display();
                format!("Set a new key in {path}, or remove its CONTAINER_REGISTRY_ lines")
            }
            Self::Hint(hint) => (*hint).to_owned(),
            Self::Instance => of_metadata(None).to_owned(),
            Self::Other => "Check that it belongs to this account and may be used from here".to_owned(),
            Self::Property(name) => format!("Set a new value in $CONTAINER_REGISTRY_{name}, or unset the variable"),
            Self::Profile => "Check the ID and the account of the trusted profile, and that it trusts this identity (https://cloud.ibm.com/iam/trusted-profiles)".to_owned(),
            Self::ServiceAccount(hint) => hint.clone(),
            Self::StoredLogin {
                scope,
                is_session,
                behind,
            } => {
                let login = scope.login_command();
                match (scope, behind) {
                    (LoginScope::Registry(registry), Some(behind)) => format!(
                        "Remove it with '{}' or 'docker logout {registry}', so that {behind} answers, or log in again with '{login}'",
                        scope.logout_command()
                    ),
                    _ if *is_session || reason == Reason::SessionOver => {
                        format!("Log in again with '{login}', best with an API key, which lasts")
                    }
                    (LoginScope::Registry(registry), None) => format!(
                        "Replace the login with '{login}', or run 'podman logout {registry}' before 'podman login {registry}'"
                    ),
                    (LoginScope::Default | LoginScope::Profile(_), _) => {
                        format!("Replace the login with '{login}'")
                    }
                }
            }
            Self::Typed => {
                "Check the key, or create a new one with 'ibmcloud iam api-key-create NAME'".to_owned()
            }
            Self::Variable { name, holds } => format!("Set a new {holds} in ${name}, or unset the variable"),
        }
    }
}

/// A service that failed.
#[derive(Clone, Copy, Debug)]
pub enum Service<'a> {
    /// IAM.
    Iam(&'a Endpoint),
    /// The metadata service of a virtual server.
    Metadata(&'a MetadataService),
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

impl Service<'_> {
    fn description(self) -> ServiceDescription {
        match self {
            Self::Iam(endpoint) => ServiceDescription {
                name: "IAM".to_owned(),
                name_and_address: format!("IAM at {}", endpoint.base()),
                unreachable_hint: "Check the network and the proxy settings, and try again",
                invalid_hint: INVALID_RESPONSE_HINT,
            },
            Self::Metadata(service) => {
                let name = format!("the instance metadata service at {}", service.url());
                ServiceDescription {
                    name_and_address: name.clone(),
                    name,
                    unreachable_hint: "Try again, or use another source of credentials",
                    invalid_hint: "Use another source of credentials",
                }
            }
        }
    }
}

impl ServiceError {
    /// Returns the error for a request with `source` that was not for a token.
    pub fn with_source<'a>(self, source: &str, service: impl Into<Service<'a>>) -> Error {
        let action = format!("cannot use {source}");
        self.explained(Some(action), service.into(), &SourceKind::Other)
    }

    /// Returns the error for a request without a source.
    pub fn without_source<'a>(self, service: impl Into<Service<'a>>) -> Error {
        let hint = "Check the proxy settings, and whether the account allows this IP address";
        self.explained(None, service.into(), &SourceKind::Hint(hint))
    }

    /// Returns the same as [`ServiceError::with_source`], with the hint for reasons without a
    /// hint of their own.
    pub fn with_source_and_hint<'a>(
        self,
        source: &str,
        service: impl Into<Service<'a>>,
        hint: &'static str,
    ) -> Error {
        let action = format!("cannot use {source}");
        self.explained(Some(action), service.into(), &SourceKind::Hint(hint))
    }

    /// Returns the error for a token request with `source`.
    pub fn for_token<'a>(
        self,
        source: &str,
        kind: &SourceKind,
        service: impl Into<Service<'a>>,
    ) -> Error {
        let action = format!("cannot get a token with {source}");
        self.explained(Some(action), service.into(), kind)
    }

    fn explained(self, action: Option<String>, service: Service<'_>, kind: &SourceKind) -> Error {
        self.explain(action, &service.description(), |code, words| {
            hint(service, kind, code, words)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::http::Outage;

    #[test]
    fn a_reason_follows_from_the_code_or_else_from_the_message() {
        for (code, words, reason) in [
            (Some("BXNIM0415E"), "", Reason::KeyUnknown),
            (Some("BXNIM0439E"), "", Reason::SessionOver),
            (
                Some("BXNIM0430E"),
                "User login from given IP address is not permitted.",
                Reason::AddressNotAllowed,
            ),
            (
                Some("BXNIM0000E"),
                "The given IP address '203.0.113.7' is not contained in the list of allowed IP addresses.",
                Reason::AddressNotAllowed,
            ),
            (None, "Provided API key is disabled.", Reason::KeyDisabled),
            (None, "The API key is locked.", Reason::KeyDisabled),
            (None, "Provided API key has expired.", Reason::KeyUnknown),
            (
                None,
                "The service ID of the API key could not be found.",
                Reason::ServiceIdGone,
            ),
            (None, "User account is locked.", Reason::UserLocked),
            (None, "Account is suspended.", Reason::UserLocked),
            (
                None,
                "User IBMid-1 is not a member of account 2.",
                Reason::NotInAccount,
            ),
            (
                None,
                "The user has been removed from the account.",
                Reason::NotInAccount,
            ),
            (None, "BSS account was not found.", Reason::NotInAccount),
            (
                None,
                "Multifactor authentication is required.",
                Reason::MfaRequired,
            ),
            (None, "Session is over.", Reason::SessionOver),
            (Some("X1"), "No.", Reason::Other),
            (None, "", Reason::Other),
        ] {
            assert_eq!(Reason::of(code, words), reason, "{code:?} {words}");
        }
    }

    fn unreachable_for(reason: &str) -> ServiceError {
        ServiceError::Unavailable(Outage::Unreachable(reason.into()))
    }

    #[test]
    fn a_rejection_names_source_code_and_hint() {
        let error = ServiceError::Rejected {
            status: 400,
            code: Some("BXNIM0415E".into()),
            message: "Provided API key [redacted] could not be found.".into(),
        };
        let kind = SourceKind::Variable {
            name: "IBMCLOUD_API_KEY",
            holds: "key",
        };
        let failure = error.for_token(
            "the API key in $IBMCLOUD_API_KEY",
            &kind,
            &Endpoint::public(),
        );
        assert!(failure.needs_user_action() && failure.is_rejection());
        assert_eq!(
            failure.to_string(),
            "cannot get a token with the API key in $IBMCLOUD_API_KEY: IAM rejected it (BXNIM0415E): Provided API key [redacted] could not be found. Set a new key in $IBMCLOUD_API_KEY, or unset the variable. A new key takes a few seconds to work"
        );
    }

    #[test]
    fn every_error_names_the_source_and_iam() {
        let endpoint = Endpoint::private();
        for (error, words) in [
            (
                unreachable_for("x"),
                "cannot use it: IAM at https://private.iam.cloud.ibm.com is unreachable: x. Check the network and the proxy settings, and try again",
            ),
            (
                ServiceError::InvalidResponse { reason: "x".into() },
                "cannot use it: cannot trust the response of IAM at https://private.iam.cloud.ibm.com: x. Check the proxy settings, and whether this network has a login page",
            ),
            (
                ServiceError::Unavailable(Outage::Answered {
                    status: 503,
                    retry_after: Some(Duration::from_secs(30)),
                }),
                "cannot use it: IAM is unavailable (HTTP 503). Try again in 30 s",
            ),
            (
                ServiceError::Unavailable(Outage::Local("too many open files".into())),
                "cannot use it: cannot send a request to IAM: too many open files. Close other programs or raise the limit, and try again",
            ),
        ] {
            assert_eq!(error.with_source("it", &endpoint).to_string(), words);
        }
    }

    #[test]
    fn an_error_without_a_source_names_iam() {
        let rejected = ServiceError::Rejected {
            status: 403,
            code: None,
            message: "no".into(),
        };
        for (error, expected) in [
            (
                rejected,
                "IAM rejected the request (HTTP 403): no. Check the proxy settings, and whether the account allows this IP address",
            ),
            (
                unreachable_for("x"),
                "IAM at https://iam.cloud.ibm.com is unreachable: x. Check the network and the proxy settings, and try again",
            ),
            (
                ServiceError::InvalidResponse { reason: "x".into() },
                "cannot trust the response of IAM at https://iam.cloud.ibm.com: x. Check the proxy settings, and whether this network has a login page",
            ),
        ] {
            let text = error.without_source(&Endpoint::public()).to_string();
            assert_eq!(text, expected);
        }
    }
}
