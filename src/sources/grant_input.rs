//! What IAM issues an access token for, once a source has found it.

use super::SourceContext;
use crate::digest;
use crate::iam::grant::Client;
use crate::iam::jwt;
use crate::iam::trusted_profile::TrustedProfile;
use crate::metadata::MetadataService;
use crate::secret::Secret;
use crate::settings::CredentialKind;

/// An access token of somebody else's that has less life than this, in seconds,
/// is replaced where it can be: a pull takes a while.
const ENOUGH: u64 = 120;

/// What IAM, or a machine's metadata service, gives an access token for.
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
    /// Names it without giving it away.
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

/// The better of an access token and the refresh token that came with it. Where a
/// refresh token is to be handed out, no access token is of use.
pub(super) fn from_tokens(
    access_token: Option<Secret>,
    refresh_token: Option<Secret>,
    client: Client,
    context: &SourceContext<'_>,
) -> Option<GrantInput> {
    let now = context.clock.now();
    let has_ended = |token: &Secret, margin| jwt::has_expired(token.expose(), now, margin);
    let wants_refresh_token = context.choice.credential == CredentialKind::RefreshToken;
    match (access_token, refresh_token) {
        (_, Some(token)) if wants_refresh_token => Some(GrantInput::RefreshToken { token, client }),
        (Some(token), Some(_)) if !has_ended(&token, ENOUGH) => {
            Some(GrantInput::AccessToken(token))
        }
        (_, Some(token)) => Some(GrantInput::RefreshToken { token, client }),
        (Some(token), None) if !has_ended(&token, jwt::MARGIN) => {
            Some(GrantInput::AccessToken(token))
        }
        _ => None,
    }
}

/// The token in `Bearer eyJ…`, as some programs keep it; of `Bearer` alone, which
/// is left when a script's variable is empty, nothing.
pub(super) fn without_scheme(token: &str) -> Secret {
    let token = token.trim();
    let (scheme, bare) = token.split_once(char::is_whitespace).unwrap_or((token, ""));
    if scheme.eq_ignore_ascii_case("bearer") {
        Secret::new(bare.trim())
    } else {
        Secret::new(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_is_taken_off_in_any_spelling() {
        for (text, token) in [
            ("Bearer eyJ", "eyJ"),
            (" bearer\t eyJ\n", "eyJ"),
            ("eyJ", "eyJ"),
            ("Bearer", ""),
            ("BEARER ", ""),
            ("Bearereyj", "Bearereyj"),
            ("Basic x", "Basic x"),
            ("é eyJ", "é eyJ"),
            ("", ""),
        ] {
            assert_eq!(without_scheme(text), Secret::new(token), "{text:?}");
        }
    }
}
