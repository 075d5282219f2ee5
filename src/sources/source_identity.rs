//! [`SourceIdentity`]: the identity that a source has, and how a token is issued for it.

use std::time::Duration;

use super::Identity;
use super::Origin;
use super::Resolved;
use super::ResolvedIdentity;
use super::SourceContext;
use super::grant_input::GrantInput;
use crate::error::Error;
use crate::error::Result;
use crate::http::ServiceError;
use crate::iam::Iam;
use crate::iam::TokenResponse;
use crate::iam::endpoint::Endpoint;
use crate::iam::grant::Client;
use crate::iam::grant::Grant;
use crate::iam::jwt;
use crate::iam::trusted_profile::TrustedProfile;
#[cfg(test)]
use crate::metadata::MetadataService;
use crate::secret::Secret;
use crate::settings::CredentialKind;
use crate::settings::SourceName;
use crate::sources::advice::Service;
use crate::sources::advice::SourceKind;
use crate::time::Clock;
use crate::token_cache::CacheKey;
use crate::token_cache::TokenCache;

#[cfg(test)]
mod tests;

/// The lifetime of an access token without the claim `exp`.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// The lifetime of a refresh token if IAM's response does not contain it: IAM's limit
/// (account documentation, `iam-token-exp.md`).
const REFRESH_TOKEN_LIFETIME: Duration = Duration::from_secs(72 * 60 * 60);

/// An identity that is exchanged for a token with one [`GrantInput`].
pub(super) struct SourceIdentity<'a> {
    /// The trusted profile that the identity assumes.
    assume: Option<TrustedProfile>,
    endpoint: Endpoint,
    /// Distinguishes identities in the token cache.
    id: String,
    /// Decides the hint if IAM rejects the input.
    kind: SourceKind,
    input: GrantInput,
    /// The source's name in messages.
    source: String,
    tokens: TokenCache<'a>,
    clock: &'a dyn Clock,
}

impl<'a> SourceIdentity<'a> {
    /// Creates an identity at the registry's IAM endpoint.
    pub(super) fn new(
        context: &SourceContext<'a>,
        source: impl Into<String>,
        kind: SourceKind,
        input: GrantInput,
    ) -> Self {
        Self {
            assume: None,
            endpoint: context.endpoint.clone(),
            id: input.id(),
            kind,
            input,
            source: source.into(),
            tokens: context.tokens,
            clock: context.clock,
        }
    }

    /// Returns the identity that assumes a trusted profile: another one, with an id of its own.
    pub(super) fn assuming(self, profile: Option<TrustedProfile>) -> Self {
        match profile {
            None => self,
            Some(profile) => Self {
                id: profile.id_on_top_of(&self.id),
                assume: Some(profile),
                ..self
            },
        }
    }

    /// Returns the identity at the IAM endpoint that the source itself names.
    pub(super) fn with_endpoint(self, endpoint: Endpoint) -> Self {
        Self { endpoint, ..self }
    }

    /// Returns the identity with the id of a stored login.
    pub(super) fn with_id(self, id: String) -> Self {
        Self { id, ..self }
    }

    /// Returns what a source gives with this identity. An access token is the credential
    /// itself, unless a registry token is to be requested with it.
    pub(super) fn resolved(self, name: SourceName, context: &SourceContext<'_>) -> Resolved<'a> {
        let title = self.source.clone();
        let identity = match self {
            Self {
                input: GrantInput::AccessToken(token),
                assume: None,
                ..
            } if context.settings.credential != CredentialKind::RegistryToken => {
                ResolvedIdentity::AccessToken(token)
            }
            identity => ResolvedIdentity::Exchanged(Box::new(identity)),
        };
        Resolved {
            identity,
            login: None,
            origin: Origin::Source(name),
            title,
        }
    }

    /// Returns whether IAM issues a trusted profile's token for the input itself, so that no
    /// second request is needed.
    pub(super) fn is_of_profile(&self) -> bool {
        matches!(
            self.input,
            GrantInput::ComputeResource { .. } | GrantInput::Instance { .. }
        )
    }

    /// Returns the metadata service that issues its tokens.
    #[cfg(test)]
    pub(super) fn metadata_service(&self) -> Option<&MetadataService> {
        match &self.input {
            GrantInput::Instance { service, .. } => Some(service),
            _ => None,
        }
    }

    fn error(&self, error: ServiceError, iam: &Iam<'_>) -> Error {
        let service = match &self.input {
            GrantInput::Instance { service, .. } => service.into(),
            _ => Service::from(&iam.endpoint),
        };
        error.for_token(&self.source, &self.kind, service)
    }

    fn exchange_input(&self, iam: &Iam<'_>, wanted: CredentialKind) -> Result<TokenResponse> {
        let outcome = match &self.input {
            GrantInput::AccessToken(token) => return Ok(self.as_issued(token)),
            GrantInput::ApiKey(key) => iam.exchange(&Grant::ApiKey {
                key,
                for_refresh_token: wanted == CredentialKind::RefreshToken,
            }),
            GrantInput::ComputeResource { token, profile } => {
                iam.exchange(&Grant::ComputeResource { token, profile })
            }
            GrantInput::Instance { service, profile } => {
                service.access_token(&iam.http, profile.as_ref())
            }
            GrantInput::RefreshToken { token, client } => self.refresh(token, client, iam),
        };
        outcome.map_err(|error| self.error(error, iam))
    }

    fn as_issued(&self, token: &Secret) -> TokenResponse {
        let expiry = jwt::times(token.expose()).map(|times| times.exp);
        let lifetime =
            expiry.map(|expiry| Duration::from_secs(expiry.saturating_sub(self.clock.now())));
        TokenResponse {
            access_token: token.clone(),
            lifetime: lifetime.unwrap_or(DEFAULT_LIFETIME),
            refresh_token: None,
            refresh_lifetime: None,
        }
    }

    /// Exchanges a refresh token that another program stores. It is not written back: if IAM
    /// replaces it, the new one is cached until the other program has another one.
    ///
    /// The new one is cached under the id of the input, so that all trusted profiles and kinds of
    /// credentials share it.
    fn refresh(
        &self,
        token: &Secret,
        client: &Client,
        iam: &Iam<'_>,
    ) -> Result<TokenResponse, ServiceError> {
        let key = CacheKey::new(&self.endpoint, &self.input.id());
        let exchange = |token: &Secret| iam.exchange(&Grant::RefreshToken { token, client });
        let rotated_refresh_token = || self.tokens.rotated_refresh_token(&key);
        let mut current = rotated_refresh_token().unwrap_or_else(|| token.clone());
        let mut outcome = exchange(&current);
        // After a rejection, tries the token that another process has just cached, then that of
        // the source. If all are rejected, the first rejection is returned.
        let others: [&dyn Fn() -> Option<Secret>; 2] =
            [&rotated_refresh_token, &|| Some(token.clone())];
        for other in others {
            if !matches!(outcome, Err(ServiceError::Rejected { .. })) {
                break;
            }
            if let Some(other) = other().filter(|other| *other != current) {
                outcome = exchange(&other).or(outcome);
                current = other;
            }
        }
        let mut issued = outcome?;
        let next = issued.refresh_token.get_or_insert(current);
        if next != token {
            let lifetime = issued.refresh_lifetime.unwrap_or(REFRESH_TOKEN_LIFETIME);
            self.tokens
                .insert_rotated_refresh_token(&key, next, lifetime);
        }
        Ok(issued)
    }
}

/// The identity that assumes a trusted profile, and that profile.
pub struct Base<'a> {
    /// The identity without the profile.
    pub identity: Box<dyn Identity + 'a>,
    profile: &'a TrustedProfile,
}

impl<'a> Base<'a> {
    /// Creates the base of an identity that assumes this profile.
    pub(super) fn new(identity: impl Identity + 'a, profile: &'a TrustedProfile) -> Self {
        Self {
            identity: Box::new(identity),
            profile,
        }
    }

    /// Requests the profile's token with an access token of the identity.
    ///
    /// # Errors
    /// IAM is unavailable or rejects it. The error names the source and the profile.
    pub fn assume(&self, iam: &Iam<'_>, access_token: &Secret) -> Result<TokenResponse> {
        assume(iam, access_token, self.profile, &self.identity.source())
    }
}

/// An identity without the trusted profile that it assumes.
struct WithoutProfile<'a>(&'a SourceIdentity<'a>);

impl Identity for WithoutProfile<'_> {
    fn api_key(&self) -> Option<&Secret> {
        None
    }

    fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    fn exchange(&self, iam: &Iam<'_>, wanted: CredentialKind) -> Result<TokenResponse> {
        self.0.exchange_input(iam, wanted)
    }

    /// Returns the key of the input's own id, which the identities without a profile have.
    fn key(&self) -> CacheKey {
        CacheKey::new(&self.0.endpoint, &self.0.input.id())
    }

    fn source(&self) -> String {
        self.0.source()
    }
}

/// Requests a trusted profile's token with an access token of an identity that may assume it.
pub(super) fn assume(
    iam: &Iam<'_>,
    access_token: &Secret,
    profile: &TrustedProfile,
    source: &str,
) -> Result<TokenResponse> {
    iam.exchange(&Grant::Assume {
        access_token,
        profile,
    })
    .map_err(|error| {
        let source = format!("{source} as {profile}");
        error.for_token(&source, &SourceKind::Profile, &iam.endpoint)
    })
}

impl Identity for SourceIdentity<'_> {
    fn api_key(&self) -> Option<&Secret> {
        match (&self.input, &self.assume) {
            (GrantInput::ApiKey(key), None) => Some(key),
            _ => None,
        }
    }

    fn base(&self) -> Option<Base<'_>> {
        match (&self.input, &self.assume) {
            // An access token needs no exchange that could be shared.
            (GrantInput::AccessToken(_), _) | (_, None) => None,
            (_, Some(profile)) => Some(Base::new(WithoutProfile(self), profile)),
        }
    }

    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn exchange(&self, iam: &Iam<'_>, wanted: CredentialKind) -> Result<TokenResponse> {
        match &self.assume {
            None => self.exchange_input(iam, wanted),
            Some(profile) => {
                let own = self.exchange_input(iam, CredentialKind::AccessToken)?;
                assume(iam, &own.access_token, profile, &self.source)
            }
        }
    }

    fn key(&self) -> CacheKey {
        CacheKey::new(&self.endpoint, &self.id)
    }

    fn refresh_token(&self) -> Option<Secret> {
        match (&self.input, &self.assume) {
            (GrantInput::RefreshToken { token, .. }, None) => {
                let rotated_refresh_token = self.tokens.rotated_refresh_token(&self.key());
                Some(rotated_refresh_token.unwrap_or_else(|| token.clone()))
            }
            _ => None,
        }
    }

    fn source(&self) -> String {
        self.source.clone()
    }
}
