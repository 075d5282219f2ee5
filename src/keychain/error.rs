//! [`KeychainError`]: why a keychain operation failed.

use std::borrow::Cow;

use crate::error::Error;

/// Why a keychain operation failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeychainError {
    /// The keychain is not installed or not for this user; another one may be.
    #[error("{0}")]
    Absent(String),
    /// The keychain exists here, but does not work; another one may. What failed, and the fix: a
    /// sentence without a full stop.
    #[error("{0}")]
    Unusable(String, String),
    /// The keychain answers what it should not, so it counts as absent. The name of the keychain,
    /// and what it answered.
    #[error("the {0} cannot be used: {1}")]
    InvalidAnswer(&'static str, String),
    /// The settings select no keychain.
    #[error("no keychain is selected (keychain = none)")]
    Disabled,
    /// The keychain is locked, and the person may not be asked to unlock it.
    #[error("the {0} is locked")]
    Locked(&'static str),
    /// The GnuPG key of `pass` is locked, and its agent may not ask for the passphrase. The entry
    /// that cannot be decrypted, if it is stored.
    #[error("the GnuPG key of pass is locked")]
    LockedKey(Option<String>),
    /// `pass` has no store, in this directory.
    #[error("pass has no password store in {0}")]
    NotInitialized(String),
    /// The keychain has the item but cannot decrypt it. The name of the keychain, and the reason.
    #[error("{0} cannot decrypt it here ({1})")]
    Undecryptable(&'static str, String),
    /// The keychain did not answer in time.
    #[error("{} did not answer in time", with_article(.0))]
    Timeout(&'static str),
    /// No keychain of this system is available.
    #[error("no keychain is available: {0}")]
    Unavailable(String),
    /// The selected keychain is one of another operating system.
    #[error("the selected keychain does not exist on this system")]
    Unsupported,
    /// The keychain has no space left.
    #[error("the {0} is full")]
    QuotaExceeded(&'static str),
    /// The secret is too large. The name of the keychain, and the maximum in bytes.
    #[error("it is too large for the {0}, which takes at most {1} bytes")]
    TooLarge(&'static str, usize),
    /// The keychain refused the operation, or does not work.
    #[error("{0}")]
    Refused(String),
}

impl KeychainError {
    /// Returns what to do about it: a sentence without a full stop.
    pub fn hint(&self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match self {
            Self::Absent(_) | Self::Unsupported => {
                "Set ICR_KEYCHAIN=auto, or keychain = \"auto\" in the settings file"
            }
            Self::Disabled => {
                "Select a keychain with ICR_KEYCHAIN or in the settings file, or set IBMCLOUD_API_KEY instead of logging in"
            }
            Self::Locked(_) => {
                "Unlock it (log in to the desktop, or open it with its own program), and try again"
            }
            Self::LockedKey(Some(entry)) => {
                return Some(Cow::Owned(format!(
                    "Unlock it at a terminal with 'pass show {entry} > /dev/null', and try again"
                )));
            }
            Self::LockedKey(None) => {
                "Log in at a terminal with ICR_KEYCHAIN=pass, where GnuPG's agent can ask for the passphrase"
            }
            Self::Unusable(_, fix) => {
                return Some(Cow::Owned(format!("{fix}, or set ICR_KEYCHAIN=auto")));
            }
            Self::NotInitialized(_) => {
                "Create it with 'pass init KEY' (KEY is the ID of your GnuPG key), or select another keychain with ICR_KEYCHAIN"
            }
            Self::Undecryptable(..) => {
                "If it was stored on another machine, or the machine's key has changed, delete the login with 'docker-credential-icr logout', and log in again"
            }
            Self::Timeout("pass") => {
                "Restart GnuPG's agent with 'gpgconf --kill gpg-agent', and try again in half a minute. If the password store is a git repository, its hooks have to end within 8 seconds"
            }
            Self::Timeout("systemd-creds") => {
                "Try again in half a minute, or select another keychain with ICR_KEYCHAIN"
            }
            Self::Timeout(_) => {
                "Restart it and try again in half a minute, or select another keychain with ICR_KEYCHAIN"
            }
            Self::Unavailable(_) => "Set IBMCLOUD_API_KEY to an API key instead",
            Self::QuotaExceeded(_) => {
                "Remove keys that you do not need (keyctl; /proc/key-users shows the quota), or select another keychain with ICR_KEYCHAIN"
            }
            Self::TooLarge(..) => {
                "Check what was given: an API key has 44 characters, a token a few thousand"
            }
            Self::InvalidAnswer(..) => {
                "Check that it has a default collection (in KeePassXC, a database with a group exposed to the Secret Service), or select another keychain with ICR_KEYCHAIN"
            }
            Self::Refused(_) => return None,
        }))
    }

    /// Returns what makes a keychain work that `auto` has skipped: a sentence without a full stop.
    pub fn fix(&self) -> Cow<'static, str> {
        match self {
            Self::Unusable(_, fix) => Cow::Owned(fix.clone()),
            _ => self
                .hint()
                .unwrap_or("Repair it, or select another keychain with ICR_KEYCHAIN".into()),
        }
    }

    /// Returns whether another keychain may be used instead.
    pub fn is_absent(&self) -> bool {
        self.is_missing() || matches!(self, Self::InvalidAnswer(..) | Self::Unusable(..))
    }

    /// Returns whether the keychain is not installed, not set up, or not for this user, so
    /// that no warning is needed.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Absent(_) | Self::NotInitialized(_))
    }

    /// Returns the error of an operation that failed because of this one. `create` makes it
    /// from its message.
    pub fn into_error(self, operation: &str, create: impl FnOnce(String) -> Error) -> Error {
        let error = create(format!("{operation}: {self}"));
        match self.hint() {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

/// Returns a keychain's name in a sentence: those of programs have no article.
fn with_article(name: &str) -> String {
    match name {
        "pass" | "systemd-creds" => name.to_owned(),
        _ => format!("the {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_the_hint_that_fits_the_keychain() {
        let locked = KeychainError::Locked("keychain").into_error("cannot read", Error::temporary);
        assert_eq!(locked.text(), "cannot read: the keychain is locked");
        assert!(locked.hint().is_some_and(|hint| hint.starts_with("Unlock")));
        assert!(locked.is_temporary());
        let refused = KeychainError::Refused("it refused".into());
        assert_eq!(refused.into_error("cannot write", Error::user).hint(), None);
    }
}
