//! Under which key is a token cached?

use crate::digest;
use crate::iam::endpoint::Endpoint;
use crate::registry::Registry;

/// The key of an identity at an IAM endpoint.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct CacheKey(String);

impl CacheKey {
    /// Creates the key of a login or a source. A login with another secret has another `id`,
    /// so a new login never gets an old token.
    pub fn new(endpoint: &Endpoint, id: &str) -> Self {
        Self(digest::fingerprint(&[&endpoint.token_url(), id]))
    }

    /// Returns the key of the refresh token that IAM issued with the access token, for
    /// registries whose credential is a refresh token.
    pub fn of_refresh_token(&self) -> Self {
        Self(digest::fingerprint(&["refresh token", &self.0]))
    }

    /// Returns the key of the registry token that was created with the access token. Each
    /// registry has its own.
    pub fn of_registry_token(&self, registry: &Registry) -> Self {
        Self(digest::fingerprint(&[
            "registry token",
            registry.host(),
            &self.0,
        ]))
    }

    /// Returns the key of the refresh token that replaced the one in a source that is only
    /// read.
    pub(super) fn of_rotated_refresh_token(&self) -> Self {
        Self(digest::fingerprint(&["successor", &self.0]))
    }

    /// Returns the key as hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_depends_on_the_endpoint_and_the_identity() {
        let key = || CacheKey::new(&Endpoint::public(), "id");
        let other = Endpoint::parse("https://iam.example.com").unwrap();
        assert_ne!(key(), CacheKey::new(&other, "id"));
        assert_ne!(key(), CacheKey::new(&Endpoint::public(), "other"));
        let registries = ["us.icr.io", "de.icr.io"].map(|host| Registry::parse(host).unwrap());
        let of_registries = registries.map(|registry| key().of_registry_token(&registry));
        assert_ne!(of_registries[0], of_registries[1]);
        assert!(!of_registries.contains(&key()));
        assert!(key().as_str().bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
