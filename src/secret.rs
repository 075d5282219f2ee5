//! [`Secret`]: text that is never printed.

pub mod input;

use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serializer;
use zeroize::Zeroizing;

/// The size limit of a secret that is sent, in bytes: what the kernel keyring stores, and twenty
/// times the usual size of an access token.
pub(crate) const MAX_LENGTH: usize = 32_000;

/// A secret text. It is zeroed on drop and prints as `[redacted]`. Only
/// [`Secret::expose`] returns it, so that each use can be found.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Creates a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Returns the text, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Serializes the text, only for records in a keychain and the protocol's answer.
    pub(crate) fn serialize_exposed<S: Serializer>(
        &self,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_format_prints_the_secret() {
        let secret = Secret::new("hunter2");
        let nested = Some((&secret, "name"));
        for printed in [
            format!("{secret}"),
            format!("{secret:?}"),
            format!("{secret:#?}"),
            format!("{nested:?}"),
        ] {
            assert!(!printed.contains("hunter2"), "{printed} shows the secret");
            assert!(
                printed.contains("[redacted]"),
                "{printed} shows that there is a secret"
            );
        }
    }
}
