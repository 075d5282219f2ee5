//! Which credential does a source give: what it has, or a token that is exchanged for it?

use super::Broker;
use super::exchange::MinLifetime;
use super::exchange::TokenRequest;
use super::get::CacheEntry;
use super::get::TimedCredential;
use crate::credential::Credential;
use crate::error::Error;
use crate::error::Result;
use crate::login::LoginScope;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::settings::CredentialKind;
use crate::sources;
use crate::sources::Identity;
use crate::sources::Resolved;
use crate::sources::ResolvedIdentity;
use crate::sources::SourceContext;
use crate::token_cache::CachedToken;

impl Broker<'_> {
    /// Returns the credential for a registry, for a tool that keeps it: an exchanged token has
    /// at least half of its lifetime left. `wanted` overrides the settings.
    ///
    /// # Errors
    /// As [`Broker::get`]; also if no new token can be issued.
    pub fn get_fresh(
        &self,
        registry: &Registry,
        wanted: Option<CredentialKind>,
    ) -> Result<Credential> {
        let deadline = self.deadline();
        let mut context = self.source_context(registry);
        context.settings.credential = wanted.unwrap_or(context.settings.credential);
        let resolved = self
            .find_and_write_hints(registry, &context, deadline)?
            .resolved;
        let answer = self.credential_from(resolved, registry, &context, |identity| {
            let request = TokenRequest::new(registry, identity, &context, deadline);
            self.fetch(&request, MinLifetime::Half)
        });
        answer.map(|answer| answer.credential)
    }

    /// Returns the credential that the active source gives for a registry. An identity's
    /// token comes from `token`.
    pub(super) fn credential_from(
        &self,
        resolved: Option<Resolved<'_>>,
        registry: &Registry,
        context: &SourceContext<'_>,
        token: impl FnOnce(&dyn Identity) -> Result<CachedToken>,
    ) -> Result<TimedCredential> {
        let wanted = context.settings.credential;
        let credential = match resolved.map(|resolved| resolved.identity) {
            None => return Err(Error::not_found()),
            Some(ResolvedIdentity::Credential(credential)) => credential,
            Some(ResolvedIdentity::AccessToken(token)) => {
                self.provided_token(registry, wanted, token)?
            }
            Some(ResolvedIdentity::Exchanged(identity)) if wanted == CredentialKind::ApiKey => {
                self.own_api_key(registry, &*identity)?
            }
            Some(ResolvedIdentity::Exchanged(identity)) => {
                let token = token(&*identity)?;
                return Ok(TimedCredential::with_token(wanted, token));
            }
        };
        Ok(TimedCredential::as_stored(credential, context.clock))
    }

    /// Returns the token of an identity. If IAM rejects the identity and another one has
    /// taken its place in the meantime, such as a rotated API key, returns that one's token.
    pub(super) fn token_or_replacement(
        &self,
        request: &TokenRequest<'_>,
        entry: CacheEntry,
    ) -> Result<CachedToken> {
        match self.token(request, entry) {
            Err(error) if error.needs_user_action() => {
                self.token_of_replacement(request).unwrap_or(Err(error))
            }
            answer => answer,
        }
    }

    /// Returns the token of the identity that has replaced a rejected one, if one has.
    fn token_of_replacement(&self, rejected: &TokenRequest<'_>) -> Option<Result<CachedToken>> {
        let read_login = |scope: &LoginScope| rejected.context.logins.read(scope);
        let search = sources::find(rejected.registry, rejected.context, &read_login).ok()?;
        match search.resolved?.identity {
            ResolvedIdentity::Exchanged(identity) if identity.key() != rejected.identity.key() => {
                let request = TokenRequest {
                    identity: &*identity,
                    ..*rejected
                };
                let entry = CacheEntry::read(request.key(), &request.context.tokens);
                Some(self.token(&request, entry))
            }
            _ => None,
        }
    }

    /// Returns the token of an identity: the cached one, or a new one. `entry` was read
    /// before the source was known.
    fn token(&self, request: &TokenRequest<'_>, entry: CacheEntry) -> Result<CachedToken> {
        let tokens = &request.context.tokens;
        let key = request.key();
        let mut entry = if entry.key.as_ref() == Some(&key) {
            entry
        } else {
            CacheEntry::read(key, tokens)
        };
        entry.cached = entry.cached.for_source(&request.identity.source());
        match self.cached_answer(request.registry, &entry, tokens) {
            Some(answer) => answer,
            None => self.fetch(request, MinLifetime::Any),
        }
    }

    /// Returns an access token that was provided, if access tokens are wanted.
    pub(super) fn provided_token(
        &self,
        registry: &Registry,
        wanted: CredentialKind,
        token: Secret,
    ) -> Result<Credential> {
        match wanted {
            CredentialKind::AccessToken => Ok(Credential::bearer(token)),
            _ => Err(self.cannot_give(registry, wanted, "an access token that was provided")),
        }
    }

    /// Returns the API key of an identity that is one.
    pub(super) fn own_api_key(
        &self,
        registry: &Registry,
        identity: &dyn Identity,
    ) -> Result<Credential> {
        let wanted = CredentialKind::ApiKey;
        match identity.api_key() {
            Some(key) => Ok(wanted.with(key.clone())),
            None => Err(self.cannot_give(registry, wanted, &identity.source())),
        }
    }

    /// Returns the error for a source without a credential of the wanted kind.
    pub(super) fn cannot_give(
        &self,
        registry: &Registry,
        wanted: CredentialKind,
        source: &str,
    ) -> Error {
        let is_setting = self.settings.for_registry(registry).credential == wanted;
        let fix = if is_setting {
            "Choose another 'credential' in the profile"
        } else {
            "Request another kind"
        };
        Error::user(format!(
            "cannot get the credential '{wanted}' for {registry} with {source}"
        ))
        .with_hint(format!("{fix}, or log in with an API key"))
    }
}
