//! [`KeychainError`]: why a keychain operation failed.

use crate::error::Error;

/// Why a keychain operation failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeychainError {
    /// The keychain is not available here; another one may be.
    #[error("{0}")]
    Absent(String),
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
    /// The keychain did not answer in time.
    #[error("the {0} did not answer in time")]
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
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Absent(_) | Self::Unsupported => {
                Some("Set ICR_KEYCHAIN=auto, or keychain = \"auto\" in the settings file")
            }
            Self::Disabled => Some(
                "Select a keychain with ICR_KEYCHAIN or in the settings file, or set IBMCLOUD_API_KEY instead of logging in",
            ),
            Self::Locked(_) => Some(
                "Unlock it (log in to the desktop, or open it with its own program), and try again",
            ),
            Self::Timeout(_) => Some(
                "Restart it and try again in half a minute, or select another keychain with ICR_KEYCHAIN",
            ),
            Self::Unavailable(_) => Some("Set IBMCLOUD_API_KEY to an API key instead"),
            Self::QuotaExceeded(_) => Some(
                "Remove keys that you do not need (keyctl; /proc/key-users shows the quota), or select another keychain with ICR_KEYCHAIN",
            ),
            Self::TooLarge(..) => {
                Some("Check what was given: an API key has 44 characters, a token a few thousand")
            }
            Self::InvalidAnswer(..) => Some(
                "Check that it has a default collection (in KeePassXC, a database with a group exposed to the Secret Service), or select another keychain with ICR_KEYCHAIN",
            ),
            Self::Refused(_) => None,
        }
    }

    /// Returns whether another keychain may be used instead.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent(_) | Self::InvalidAnswer(..))
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
