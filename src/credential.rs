//! [`Credential`]: a user name and a secret, as clients get them.

use crate::secret::Secret;

/// The user name for an IAM access token (Registry documentation,
/// `registry_access.md`); what `get` mostly answers.
pub const BEARER: &str = "iambearer";

/// A user name and its secret, for one registry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Credential {
    /// `iambearer`, or whatever the person logged in with.
    pub username: String,
    /// The password that goes with it.
    pub secret: Secret,
}

impl Credential {
    /// An IAM access token and the user name that goes with it.
    pub fn bearer(access_token: Secret) -> Self {
        Self {
            username: BEARER.to_owned(),
            secret: access_token,
        }
    }
}
