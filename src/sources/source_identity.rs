//! The identity that a source has, and how IAM exchanges it.

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

/// The life of an access token that does not say its end.
const UNKNOWN_LIFE: Duration = Duration::from_secs(60 * 60);

/// How long a refresh token is kept that does not say its end: IAM's own limit
/// (account documentation, `iam-token-exp.md`).
const REFRESH_TOKEN_LIFE: Duration = Duration::from_secs(72 * 60 * 60);

/// A proof, and what a person calls it.
pub(super) struct SourceIdentity<'a> {
    assume: Option<TrustedProfile>,
    endpoint: Endpoint,
    id: String,
    /// Decides what helps when IAM rejects it.
    kind: SourceKind,
    input: GrantInput,
    source: String,
    tokens: TokenCache<'a>,
    clock: &'a dyn Clock,
}

impl<'a> SourceIdentity<'a> {
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

    /// With a trusted profile to assume on top, which makes it another identity.
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

    /// Of an IAM that the source itself names.
    pub(super) fn with_endpoint(self, endpoint: Endpoint) -> Self {
        Self { endpoint, ..self }
    }

    /// Under an id that it is known by already.
    pub(super) fn with_id(self, id: String) -> Self {
        Self { id, ..self }
    }

    /// Whether it is a trusted profile's already, by its proof.
    pub(super) fn is_of_profile(&self) -> bool {
        matches!(
            self.input,
            GrantInput::ComputeResource { .. } | GrantInput::Instance { .. }
        )
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
            } if context.choice.credential != CredentialKind::RegistryToken => {
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

    /// The metadata service that it asks, if it asks one.
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
        let end = jwt::times(token.expose()).map(|times| times.exp);
        let left = end.map(|end| Duration::from_secs(end.saturating_sub(self.clock.now())));
        TokenResponse {
            access_token: token.clone(),
            lifetime: left.unwrap_or(UNKNOWN_LIFE),
            refresh_token: None,
            refresh_lifetime: None,
        }
    }

    /// The refresh token is somebody else's, and stays where it is. If IAM
    /// replaces it, ours is the newer one until that somebody gets another.
    ///
    /// What replaced it is kept under the token's own id: whoever is somebody else
    /// on top of it, or wants another kind of credential, goes on from there too.
    fn refresh(
        &self,
        token: &Secret,
        client: &Client,
        iam: &Iam<'_>,
    ) -> Result<TokenResponse, ServiceError> {
        let key = CacheKey::new(&self.endpoint, &self.input.id());
        let ask = |token: &Secret| iam.exchange(&Grant::RefreshToken { token, client });
        let rotated_refresh_token = || self.tokens.rotated_refresh_token(&key);
        let mut current = rotated_refresh_token().unwrap_or_else(|| token.clone());
        let mut outcome = ask(&current);
        // Somebody may have replaced it just now, or what replaced it may be over.
        let others: [&dyn Fn() -> Option<Secret>; 2] =
            [&rotated_refresh_token, &|| Some(token.clone())];
        for other in others {
            if !matches!(outcome, Err(ServiceError::Refused { .. })) {
                break;
            }
            if let Some(other) = other().filter(|other| *other != current) {
                outcome = ask(&other).or(outcome);
                current = other;
            }
        }
        let mut issued = outcome?;
        let next = issued.refresh_token.get_or_insert(current);
        if next != token {
            let lifetime = issued.refresh_lifetime.unwrap_or(REFRESH_TOKEN_LIFE);
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
    pub(super) fn new(identity: impl Identity + 'a, profile: &'a TrustedProfile) -> Self {
        Self {
            identity: Box::new(identity),
            profile,
        }
    }

    /// Asks IAM for the profile's token, with an access token of the identity.
    ///
    /// # Errors
    /// What IAM said, with the name of the source and the profile.
    pub fn assume(&self, iam: &Iam<'_>, access_token: &Secret) -> Result<TokenResponse> {
        assume(iam, access_token, self.profile, &self.identity.source())
    }
}

/// What is proven without the trusted profile on top.
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

    /// Under the proof's own id, which it has wherever no profile is on top.
    fn key(&self) -> CacheKey {
        CacheKey::new(&self.0.endpoint, &self.0.input.id())
    }

    fn source(&self) -> String {
        self.0.source()
    }
}

/// What the profile is given for an access token that may assume it.
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
            // It is a token already.
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
