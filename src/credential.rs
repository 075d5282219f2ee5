//! [`Credential`]: a user name and a secret for a registry.

use crate::secret::Secret;

/// The user name for an IAM access token (Registry documentation,
/// `registry_access.md`).
pub const BEARER: &str = "iambearer";

/// A user name and its secret, for one registry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Credential {
    /// `iambearer`, or the user name of a stored login.
    pub username: String,
    /// The password or token.
    pub secret: Secret,
}

impl Credential {
    /// Returns the credential for an IAM access token.
    pub fn bearer(access_token: Secret) -> Self {
        Self {
            username: BEARER.to_owned(),
            secret: access_token,
        }
    }
}
