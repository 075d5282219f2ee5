//! What IAM is asked with: the form of `POST /identity/token`.

use crate::secret::Secret;

/// Proof of who we are, for one exchange.
#[derive(Clone, Copy, Debug)]
pub enum Grant<'a> {
    /// An API key of a user or a service ID. Without a client IAM gives no
    /// refresh token, and none is wanted.
    ApiKey(&'a Secret),
    /// An access token that may assume a trusted profile
    /// (`go-sdk-core`, `core/iam_assume_authenticator.go`).
    Assume {
        /// The access token of who assumes the profile.
        access_token: &'a Secret,
        /// The profile's ID, `Profile-…`.
        profile_id: &'a str,
    },
    /// A refresh token, which IAM takes from the client that got it: the IBM
    /// Cloud CLI's, `bx` (`bluemix-go`, `authentication/iam.go`).
    RefreshToken(&'a Secret),
}

impl<'a> Grant<'a> {
    /// The form's fields. They hold the secret.
    pub(super) fn form(&self) -> Vec<(&'static str, Secret)> {
        let fields: &[(&'static str, &str)] = match self {
            Self::ApiKey(key) => &[
                ("grant_type", "urn:ibm:params:oauth:grant-type:apikey"),
                ("apikey", key.expose()),
            ],
            Self::Assume {
                access_token,
                profile_id,
            } => &[
                ("grant_type", "urn:ibm:params:oauth:grant-type:assume"),
                ("access_token", access_token.expose()),
                ("profile_id", profile_id),
            ],
            Self::RefreshToken(token) => &[
                ("grant_type", "refresh_token"),
                ("response_type", "cloud_iam"),
                ("refresh_token", token.expose()),
            ],
        };
        fields
            .iter()
            .map(|(name, value)| (*name, Secret::new(*value)))
            .collect()
    }

    /// The client that asks, for HTTP basic authentication.
    pub(super) fn client(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::RefreshToken(_) => Some(("bx", "bx")),
            Self::ApiKey(_) | Self::Assume { .. } => None,
        }
    }

    /// What must not come back in a message.
    pub(super) fn secret(&self) -> &'a Secret {
        match self {
            Self::ApiKey(secret) | Self::RefreshToken(secret) => secret,
            Self::Assume { access_token, .. } => access_token,
        }
    }

    /// The grant's name in the log.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::ApiKey(_) => "apikey",
            Self::Assume { .. } => "assume",
            Self::RefreshToken(_) => "refresh_token",
        }
    }
}
