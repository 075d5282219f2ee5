//! What the user name of a login means.

use crate::credential::BEARER;

/// What a login's user name says about its secret (Registry documentation,
/// `registry_access.md` and `registry_access_trusted_profiles.md`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LoginKind {
    /// `iamapikey`: an API key of a user or a service ID.
    ApiKey,
    /// `iambearer`: an IAM access token, which ends within the hour.
    Bearer,
    /// `Profile-…`: a trusted profile, and a service ID's API key that may assume it.
    Profile,
    /// `iamrefresh`: an IAM refresh token.
    RefreshToken,
    /// `token`: a registry token, which may end.
    RegistryToken,
    /// `cp` and anything else: handed out as it is.
    Verbatim,
}

impl LoginKind {
    /// The kind that a user name says.
    pub fn of(username: &str) -> Self {
        match username {
            "iamapikey" => Self::ApiKey,
            BEARER => Self::Bearer,
            "iamrefresh" => Self::RefreshToken,
            "token" => Self::RegistryToken,
            profile if profile.starts_with("Profile-") => Self::Profile,
            _ => Self::Verbatim,
        }
    }

    /// Whether the secret is exchanged for an access token.
    pub fn is_exchanged(self) -> bool {
        matches!(self, Self::ApiKey | Self::Profile | Self::RefreshToken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_name_says_what_the_secret_is() {
        for (username, kind) in [
            ("iamapikey", LoginKind::ApiKey),
            ("iambearer", LoginKind::Bearer),
            ("iamrefresh", LoginKind::RefreshToken),
            ("token", LoginKind::RegistryToken),
            ("cp", LoginKind::Verbatim),
            (
                "Profile-8dd84246-7df4-4667-94e4-8ecde51d5ac5",
                LoginKind::Profile,
            ),
            ("profile-x", LoginKind::Verbatim),
            ("IAMAPIKEY", LoginKind::Verbatim),
            ("somebody", LoginKind::Verbatim),
        ] {
            assert_eq!(LoginKind::of(username), kind, "{username}");
        }
    }
}
