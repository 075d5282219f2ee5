//! [`Secret`]: text that must never be shown.

use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serializer;
use zeroize::Zeroizing;

/// A secret text. It is zeroed on drop and prints as `[redacted]`; only
/// [`Secret::expose`] gives it away, so every such place can be searched for.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of a secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Serialises the text itself: for records that go into a keychain and for
    /// the protocol's answer, nowhere else.
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
    fn no_way_of_printing_shows_it() {
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
                "{printed} hides that there is one"
            );
        }
    }
}
