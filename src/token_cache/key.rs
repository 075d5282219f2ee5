//! Under which key is a token cached?

use crate::digest;
use crate::iam::endpoint::Endpoint;
use crate::registry::Registry;

/// Names an identity at an IAM endpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CacheKey(String);

impl CacheKey {
    /// The key of the login or source named `id` at this endpoint. Whoever logs
    /// in with something else has another `id`, so a new login is never answered
    /// with an old token.
    pub fn new(endpoint: &Endpoint, id: &str) -> Self {
        Self(digest::fingerprint(&[&endpoint.token_url(), id]))
    }

    /// The key of the refresh token that was issued with the access token of this
    /// key, for registries that are to get that.
    pub fn of_refresh_token(&self) -> Self {
        Self(digest::fingerprint(&["refresh token", &self.0]))
    }

    /// The key of a registry token that was made with the access token of this key;
    /// each registry has its own.
    pub fn of_registry_token(&self, registry: &Registry) -> Self {
        Self(digest::fingerprint(&[
            "registry token",
            registry.host(),
            &self.0,
        ]))
    }

    /// The key of what replaced a refresh token whose source we do not write to.
    pub(super) fn of_rotated_refresh_token(&self) -> Self {
        Self(digest::fingerprint(&["successor", &self.0]))
    }

    /// The key's text: hexadecimal digits.
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
