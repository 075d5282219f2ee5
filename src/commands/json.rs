//! Parts that the JSON answers of several commands share.

use serde::Serialize;

use crate::iam::owner::Owner;
use crate::iam::owner::OwnerKind;
use crate::login::LoginScope;

/// What a login is for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(super) enum ScopeJson {
    /// All registries without a login or profile of their own.
    Default,
    /// The registries of a profile.
    Profile {
        /// The name of the profile in the settings file.
        profile: String,
    },
    /// One registry.
    Registry {
        /// The registry's host.
        registry: String,
    },
}

impl From<&LoginScope> for ScopeJson {
    fn from(scope: &LoginScope) -> Self {
        match scope {
            LoginScope::Default => Self::Default,
            LoginScope::Profile(name) => Self::Profile {
                profile: name.clone(),
            },
            LoginScope::Registry(registry) => Self::Registry {
                registry: registry.host().to_owned(),
            },
        }
    }
}

/// The identity that a token was issued to.
#[derive(Debug, Serialize)]
pub(super) struct OwnerJson {
    /// `user`, `service-id` or `trusted-profile`.
    kind: &'static str,
    /// The IAM ID: `IBMid-…`, `iam-ServiceId-…` or `iam-Profile-…`.
    iam_id: String,
    /// The ID of the account, if IAM returned it.
    account: Option<String>,
    /// The display name, if IAM returned it.
    name: Option<String>,
    /// The e-mail address of a user.
    email: Option<String>,
}

impl From<&Owner> for OwnerJson {
    fn from(owner: &Owner) -> Self {
        let kind = match owner.kind {
            OwnerKind::Profile => "trusted-profile",
            OwnerKind::ServiceId => "service-id",
            OwnerKind::User => "user",
        };
        Self {
            kind,
            iam_id: owner.iam_id.clone(),
            account: owner.account.clone(),
            name: owner.name.clone(),
            email: owner.email.clone(),
        }
    }
}
