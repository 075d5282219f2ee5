//! [`GrantInput`]: the secret or service that access tokens are requested with.

use super::SourceContext;
use crate::digest;
use crate::iam::grant::Client;
use crate::iam::jwt;
use crate::iam::trusted_profile::TrustedProfile;
use crate::metadata::MetadataService;
use crate::secret::Secret;
use crate::settings::CredentialKind;

/// An access token that another program stored is used only if it is valid for this long, in
/// seconds, and a refresh token is available: a pull takes a while.
const MIN_LIFETIME: u64 = 120;

/// What a source requests access tokens with, at IAM or at a metadata service.
pub(super) enum GrantInput {
    AccessToken(Secret),
    ApiKey(Secret),
    ComputeResource {
        token: Secret,
        profile: TrustedProfile,
    },
    Instance {
        service: MetadataService,
        profile: Option<TrustedProfile>,
    },
    RefreshToken {
        token: Secret,
        client: Client,
    },
}

impl GrantInput {
    /// Returns a digest that distinguishes it from other input.
    pub(super) fn id(&self) -> String {
        match self {
            Self::AccessToken(token) => digest::fingerprint(&["iambearer", token.expose()]),
            Self::ApiKey(key) => digest::fingerprint(&["iamapikey", key.expose()]),
            Self::ComputeResource { token, profile } => {
                profile.id_on_top_of(&digest::fingerprint(&["cr-token", token.expose()]))
            }
            Self::Instance { service, profile } => {
                let id = digest::fingerprint(&service.name_parts());
                match profile {
                    Some(profile) => profile.id_on_top_of(&id),
                    None => id,
                }
            }
            Self::RefreshToken { token, client } => {
                digest::fingerprint(&["iamrefresh", token.expose(), &client.id])
            }
        }
    }
}

/// Returns the access token, or the refresh token if the access token is near expiry or
/// `get` returns refresh tokens. `None` if neither is valid.
pub(super) fn from_tokens(
    access_token: Option<Secret>,
    refresh_token: Option<Secret>,
    client: Client,
    context: &SourceContext<'_>,
) -> Option<GrantInput> {
    let now = context.clock.now();
    let has_expired = |token: &Secret, margin| jwt::has_expired(token.expose(), now, margin);
    let wants_refresh_token = context.settings.credential == CredentialKind::RefreshToken;
    match (access_token, refresh_token) {
        (_, Some(token)) if wants_refresh_token => Some(GrantInput::RefreshToken { token, client }),
        (Some(token), Some(_)) if !has_expired(&token, MIN_LIFETIME) => {
            Some(GrantInput::AccessToken(token))
        }
        (_, Some(token)) => Some(GrantInput::RefreshToken { token, client }),
        (Some(token), None) if !has_expired(&token, jwt::MARGIN) => {
            Some(GrantInput::AccessToken(token))
        }
        _ => None,
    }
}
