//! The settings for service accounts of Kubernetes.

use super::invalid::Invalid;
use super::name::named;
use crate::iam::trusted_profile::TrustedProfile;
use crate::text::repeatable::quoted;

/// The key of the annotation with the trusted profile, unless the settings name another one.
const PROFILE_ANNOTATION: &str = "docker-credential-icr/trusted-profile";

/// The size limit of an annotation's key, in bytes: 253 for the prefix, and 63 for the name.
const MAX_KEY: usize = 253 + 1 + 63;

/// How service accounts of Kubernetes get credentials.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServiceAccounts {
    /// The key of the annotation with the trusted profile.
    pub annotation: String,
    /// The trusted profile of those without the annotation.
    pub profile: Option<TrustedProfile>,
    /// Which identity a service account gets whose token cannot be exchanged.
    pub fallback: ServiceAccountFallback,
}

impl Default for ServiceAccounts {
    fn default() -> Self {
        Self {
            annotation: PROFILE_ANNOTATION.to_owned(),
            profile: None,
            fallback: ServiceAccountFallback::None,
        }
    }
}

/// The identity of a service account whose token cannot be exchanged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ServiceAccountFallback {
    /// None: that is an error.
    None,
    /// That of the node.
    Node,
}

named!(ServiceAccountFallback {
    "none" => None,
    "node" => Node,
});

/// Reads the key of an annotation (Kubernetes documentation, "Annotations").
pub(super) fn annotation(key: &str) -> Result<String, Invalid> {
    let is_key_byte =
        |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.' | b'/');
    let is_key = !key.is_empty()
        && key.len() <= MAX_KEY
        && key.bytes().all(is_key_byte)
        && key.split('/').all(|part| !part.is_empty())
        && key.split('/').count() <= 2;
    if is_key {
        Ok(key.to_owned())
    } else {
        Err(
            Invalid::new(format!("cannot be {}", quoted(key))).with_hint(format!(
                "Use the key of an annotation, such as {PROFILE_ANNOTATION}"
            )),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_of_an_annotation_is_accepted() {
        for key in [PROFILE_ANNOTATION, "profile", "example.com/Profile_id.1"] {
            assert!(annotation(key).is_ok(), "{key}");
        }
        let long = "x".repeat(400);
        for key in ["", "/", "a/", "a/b/c", "a b", "a\n", "ä", &long] {
            assert!(annotation(key).is_err(), "{key}");
        }
    }
}
