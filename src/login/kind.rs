//! The kinds of logins, which the user name distinguishes.

use crate::credential::BEARER;

/// The kind of a login's secret, by its user name (Registry documentation,
/// `registry_access.md` and `registry_access_trusted_profiles.md`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LoginKind {
    /// `iamapikey`: an API key of a user or a service ID.
    ApiKey,
    /// `iambearer`: an IAM access token, which expires within the hour.
    Bearer,
    /// `Profile-…`: the API key of a service ID that may assume this trusted profile.
    Profile,
    /// `iamrefresh`: an IAM refresh token.
    RefreshToken,
    /// `token`: a registry token, which may expire.
    RegistryToken,
    /// `cp` and all others: a secret that clients get unchanged.
    Verbatim,
}

impl LoginKind {
    /// Returns the kind for a user name.
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

    /// Returns whether the secret is exchanged for an access token.
    pub fn is_exchanged(self) -> bool {
        matches!(self, Self::ApiKey | Self::Profile | Self::RefreshToken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_name_determines_the_kind() {
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
            ("other-user", LoginKind::Verbatim),
        ] {
            assert_eq!(LoginKind::of(username), kind, "{username}");
        }
    }
}
