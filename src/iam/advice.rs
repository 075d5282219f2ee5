//! What helps when IAM rejects a secret: one table, by where the secret came from and
//! by IAM's reason.
//!
//! IBM documents few of IAM's codes. Where a code says nothing, its words choose among
//! the hints; nothing but the hint depends on them.

use std::path::PathBuf;
use std::time::Duration;

use super::Outage;
use super::Service;
use super::date;
use crate::PROGRAM;
use crate::login::LoginScope;

/// Where what IAM was given comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SourceKind {
    /// The session of the IBM Cloud CLI.
    CliSession,
    /// The token of a pod, a job or an agent, which the system renews.
    ComputeResource,
    /// IBM's credentials file at this path.
    CredentialsFile(PathBuf),
    /// Anything else, for which this helps; a sentence.
    Hint(&'static str),
    /// The identity of a virtual server.
    Instance,
    /// Anything else.
    Other,
    /// A trusted profile, which another identity wants to assume.
    Profile,
    /// What was stored for a scope.
    StoredLogin {
        /// What it is stored for.
        scope: LoginScope,
        /// Whether it is a session, which ends, and no API key.
        is_session: bool,
        /// What a person calls the source that answers without it, if there is one.
        behind: Option<String>,
    },
    /// An API key that a person has just handed over.
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
    /// The address that asks is not among those that may.
    AddressNotAllowed,
    /// The API key is disabled or locked.
    KeyDisabled,
    /// There is no such API key (any more).
    KeyUnknown,
    /// A second factor is wanted.
    MfaRequired,
    /// The user is no member of the account (any more).
    NotInAccount,
    /// The service ID has been deleted or disabled.
    ServiceIdGone,
    /// The session, or its refresh token, is over.
    SessionOver,
    /// The user or the account is locked.
    UserLocked,
    /// Anything else.
    Other,
}

impl Reason {
    /// The reason behind a code (`ibm-cloud-cli-sdk`,
    /// `bluemix/authentication/iam/iam.go`; issues of `terraform-provider-ibm`),
    /// otherwise that which IAM's words sound like.
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
        if has(&["ip address", "ip-address"]) {
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

/// What to do when a service rejects what it was given, as a sentence without a full
/// stop; commands are in single quotes, because clients put the whole text in
/// backticks.
pub(super) fn hint(
    service: Service<'_>,
    kind: &SourceKind,
    code: Option<&str>,
    words: &str,
) -> String {
    match service {
        Service::Iam(_) => kind.fix(Reason::of(code, words)),
        Service::Metadata(_) => of_metadata(code).to_owned(),
        Service::Registry(_) => {
            "Check that it may manage this registry and belongs to the account (--account names another)".to_owned()
        }
    }
}

/// What to do while a service cannot answer; `if_silent` where nothing came back.
pub(super) fn when_unavailable(outage: &Outage, if_silent: &str) -> String {
    match outage {
        Outage::Answered {
            retry_after: Some(after),
            ..
        } if (MIN_WAIT..=MAX_WAIT).contains(after) => {
            format!("Try again in {}", date::duration(after.as_secs()))
        }
        Outage::Answered { .. } => "Try again later".to_owned(),
        Outage::Local(_) => "Close other programs or raise the limit, and try again".to_owned(),
        Outage::Silent { .. } | Outage::Unreachable(_) => if_silent.to_owned(),
    }
}

/// By the code of a metadata service (VPC documentation, `metadata-error-codes.md`).
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

/// The times to wait that are told; others say nothing.
const MIN_WAIT: Duration = Duration::from_secs(1);
const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// A sentence as it goes on after a comma.
fn uncapitalized(sentence: &str) -> String {
    let mut letters = sentence.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

impl SourceKind {
    /// The cell of the table.
    fn fix(&self, reason: Reason) -> String {
        let replace = self.replacement(reason);
        let first = match (self, reason) {
            // What a machine or a profile is cannot be replaced by a person.
            (Self::Profile | Self::ComputeResource | Self::Instance, _)
            | (_, Reason::Other | Reason::SessionOver) => return replace,
            (Self::Hint(_), Reason::KeyUnknown) => return replace,
            (_, Reason::KeyUnknown) => {
                return format!("{replace}. A key that was just made takes a few seconds to work");
            }
            (_, Reason::AddressNotAllowed) => {
                return "Ask from an allowed address, or have an administrator allow this one (https://cloud.ibm.com/iam)".to_owned();
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

    /// How what is rejected is replaced at this source.
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
            Self::Profile => "Check the ID and the account of the trusted profile, and that it trusts this identity (https://cloud.ibm.com/iam/trusted-profiles)".to_owned(),
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
                "Check the key, or make a new one with 'ibmcloud iam api-key-create NAME'".to_owned()
            }
            Self::Variable { name, holds } => format!("Set a new {holds} in ${name}, or unset it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_by_its_code_and_otherwise_by_iams_words() {
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

    #[test]
    fn a_service_that_answered_is_no_fault_of_the_network() {
        let answered = |seconds: Option<u64>| Outage::Answered {
            status: 429,
            retry_after: seconds.map(Duration::from_secs),
        };
        let silent = Outage::Silent {
            waited: Duration::from_secs(20),
            meaning: "",
        };
        for (outage, hint) in [
            (answered(None), "Try again later"),
            (answered(Some(0)), "Try again later"),
            (answered(Some(30)), "Try again in 30 s"),
            (answered(Some(3600)), "Try again in 60 min"),
            (silent, "network"),
            (Outage::Unreachable(String::new()), "network"),
        ] {
            assert_eq!(when_unavailable(&outage, "network"), hint);
        }
    }
}
