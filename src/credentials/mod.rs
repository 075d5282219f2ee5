//! The order of things: the only place that knows what comes after what when a
//! client asks for a credential, leaves one with us or takes it away.

use crate::context::Context;
use crate::context::Session;
use crate::credential::Credential;
use crate::environment::Environment;
use crate::error::Error;
use crate::error::Result;
use crate::http::Http;
use crate::iam::Iam;
use crate::iam::endpoint::Endpoint;
use crate::keychain::Keychains;
use crate::login::LoginScope;
use crate::login::Logins;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::settings::Choice;
use crate::settings::CredentialKind;
use crate::settings::Settings;
use crate::sources;
use crate::sources::ExpiredLogin;
use crate::sources::Identity;
use crate::sources::LocalLookup;
use crate::sources::Resolved;
use crate::sources::ResolvedIdentity;
use crate::sources::Search;
use crate::sources::SourceContext;
use crate::time::Deadline;
use crate::token_cache::CacheKey;
use crate::token_cache::Cached;
use crate::token_cache::TokenCache;

mod access;
mod check;
mod cleanup;
mod exchange;
mod hints;
mod info;
mod logins;
mod redundant_logins;
mod renewal;
mod store;
#[cfg(test)]
pub(crate) mod test_support;

pub use check::CredentialCheck;
pub use info::ActiveSource;
pub use info::CredentialInfo;
pub use info::TokenLife;
pub use info::login_command;
pub use redundant_logins::End;
pub use redundant_logins::RedundantLogin;
pub use store::Hidden;
pub use store::Stored;

use exchange::MinLifetime;
use exchange::TokenRequest;

/// Gets, stores and deletes credentials.
#[derive(Clone, Copy)]
pub struct Broker<'a> {
    /// What the program can reach.
    pub context: &'a Context<'a>,
    /// The settings.
    pub settings: &'a Settings,
    /// The keychains that the settings choose.
    pub keychains: &'a Keychains,
    /// The environment variables; none while a login that was moved is verified.
    pub environment: &'a Environment,
}

impl<'a> Broker<'a> {
    /// Creates the broker of a session.
    pub fn new(session: &'a Session<'a>) -> Self {
        Self {
            context: session.context,
            settings: &session.settings,
            keychains: &session.keychains,
            environment: session.context.environment,
        }
    }
}

impl Broker<'_> {
    /// The credential for a registry, for a client. This alone deletes stored logins
    /// that have expired; queries leave them.
    ///
    /// # Errors
    /// As [`Broker::get`].
    pub fn get_and_delete_expired(&self, registry: &Registry) -> Result<Credential> {
        let mut expired = Vec::new();
        let answer = self.look_up(registry, &mut expired);
        self.delete_expired(&expired);
        answer
    }

    /// The credential for a registry.
    ///
    /// # Errors
    /// [`Error::not_found()`] if no source has a credential for it; otherwise what failed,
    /// with the source that was used.
    pub fn get(&self, registry: &Registry) -> Result<Credential> {
        self.look_up(registry, &mut Vec::new())
    }

    /// The same, with the expired logins that were passed over.
    fn look_up(&self, registry: &Registry, expired: &mut Vec<ExpiredLogin>) -> Result<Credential> {
        let deadline = self.deadline();
        let context = self.source_context(registry);
        let wanted = context.choice.credential;
        let nearby = self.look_nearby(registry, &context)?;
        // A failure may be about another source of the same key.
        if !matches!(&nearby.cached, Cached::Failed(past) if !past.may_pass())
            && let Some(answer) = self.settled(registry, &nearby, &context.tokens)
        {
            return answer.map(|secret| wanted.with(secret));
        }
        let search = self.find(registry, &context, deadline);
        let found = search.map(|search| {
            expired.extend(search.expired);
            search.resolved.map(|resolved| resolved.identity)
        });
        match found {
            Ok(None) => Err(Error::not_found()),
            Ok(Some(ResolvedIdentity::Credential(credential))) => Ok(credential),
            Ok(Some(ResolvedIdentity::AccessToken(token))) => {
                self.provided_token(registry, wanted, token)
            }
            Ok(Some(ResolvedIdentity::Exchanged(identity))) => {
                let request = TokenRequest::new(registry, &*identity, &context, deadline);
                match self.of_identity(&request) {
                    Err(failure) if failure.is_user() => {
                        self.of_successor(&request).unwrap_or(Err(failure))
                    }
                    answer => answer,
                }
            }
            // A keychain that is locked or hangs for now need not cost the answer.
            Err(failure) if failure.is_temporary() => match nearby.cached {
                Cached::RefreshDue(secret) | Cached::NearExpiry(secret) => Ok(wanted.with(secret)),
                _ => Err(failure),
            },
            Err(failure) => Err(failure),
        }
    }

    /// The credential for a registry for somebody who will not ask again: a token
    /// has at least half its life left. `wanted` may be another kind than what
    /// [`Broker::get`] hands out.
    ///
    /// # Errors
    /// As [`Broker::get`]; also that there is no new token to be had.
    pub fn get_fresh(
        &self,
        registry: &Registry,
        wanted: Option<CredentialKind>,
    ) -> Result<Credential> {
        let deadline = self.deadline();
        let mut context = self.source_context(registry);
        context.choice.credential = wanted.unwrap_or(context.choice.credential);
        let wanted = context.choice.credential;
        let resolved = self.find(registry, &context, deadline)?.resolved;
        match resolved.map(|resolved| resolved.identity) {
            None => Err(Error::not_found()),
            Some(ResolvedIdentity::Credential(credential)) => Ok(credential),
            Some(ResolvedIdentity::AccessToken(token)) => {
                self.provided_token(registry, wanted, token)
            }
            Some(ResolvedIdentity::Exchanged(identity)) if wanted == CredentialKind::ApiKey => {
                self.own_api_key(registry, &*identity)
            }
            Some(ResolvedIdentity::Exchanged(identity)) => {
                let request = TokenRequest::new(registry, &*identity, &context, deadline);
                Ok(wanted.with(self.fetch(&request, MinLifetime::Half)?))
            }
        }
    }

    /// What is known about the registry's token from local facts.
    fn look_nearby(&self, registry: &Registry, context: &SourceContext<'_>) -> Result<CacheEntry> {
        let nothing = CacheEntry {
            key: None,
            cached: Cached::Nothing,
        };
        let wanted = context.choice.credential;
        Ok(
            match (sources::look_up_locally(registry, context)?, wanted) {
                (_, CredentialKind::ApiKey) => nothing,
                (LocalLookup::AccessToken(token), CredentialKind::AccessToken) => CacheEntry {
                    key: None,
                    cached: Cached::Fresh(token),
                },
                (LocalLookup::AccessToken(token), CredentialKind::RegistryToken) => {
                    let key = sources::of_access_token(token, context).key();
                    CacheEntry::under(wanted.key_of(key, registry), &context.tokens)
                }
                (LocalLookup::Key(key), _) => {
                    CacheEntry::under(wanted.key_of(key, registry), &context.tokens)
                }
                _ => nothing,
            },
        )
    }

    /// What speaks for the registry. A token that was given is somebody whom the
    /// registry can be asked for a token of its own.
    fn find<'a>(
        &self,
        registry: &Registry,
        context: &'a SourceContext<'a>,
        deadline: Deadline,
    ) -> Result<Search<'a>> {
        let _span = tracing::debug_span!("find", %registry).entered();
        let wanted = context.choice.credential;
        let mut search = self.find_with_hints(registry, context, deadline)?;
        if wanted == CredentialKind::RegistryToken {
            search.resolved = search.resolved.map(|resolved| exchanged(resolved, context));
        }
        Ok(search)
    }

    /// What an identity has for the registry: its key, if that was chosen, or a
    /// token.
    fn of_identity(&self, request: &TokenRequest<'_>) -> Result<Credential> {
        if request.wanted == CredentialKind::ApiKey {
            return self.own_api_key(request.registry, request.identity);
        }
        Ok(request.wanted.with(self.token(request)?))
    }

    /// What another identity has for the registry that took the place of a refused
    /// one in the meantime: somebody may have rotated its API key.
    fn of_successor(&self, refused: &TokenRequest<'_>) -> Option<Result<Credential>> {
        let resolved = sources::find(refused.registry, refused.context)
            .ok()?
            .resolved?;
        match resolved.identity {
            ResolvedIdentity::Exchanged(identity) if identity.key() != refused.identity.key() => {
                Some(self.of_identity(&TokenRequest {
                    identity: &*identity,
                    ..*refused
                }))
            }
            _ => None,
        }
    }

    /// A token for an identity: the one that is kept while it is good, otherwise
    /// a new one.
    fn token(&self, request: &TokenRequest<'_>) -> Result<Secret> {
        let tokens = &request.context.tokens;
        let key = request.key();
        let kept = CacheEntry {
            cached: tokens.look_up_for(&key, &request.identity.source()),
            key: Some(key),
        };
        match self.settled(request.registry, &kept, tokens) {
            Some(answer) => answer,
            None => self.fetch(request, MinLifetime::Any),
        }
    }

    /// The answer that needs no exchange now, if there is one. An aging token is
    /// one, once somebody gets the next in the background; one that is about to end
    /// is not.
    fn settled(
        &self,
        registry: &Registry,
        kept: &CacheEntry,
        tokens: &TokenCache<'_>,
    ) -> Option<Result<Secret>> {
        match (&kept.cached, &kept.key) {
            (Cached::Fresh(secret), _) => Some(Ok(secret.clone())),
            (Cached::Failed(past), _) => Some(Err(past.failure.clone())),
            (Cached::RefreshDue(secret), Some(key)) => self
                .is_renewed_by_another(registry, key, tokens)
                .then(|| Ok(secret.clone())),
            (Cached::RefreshDue(_) | Cached::NearExpiry(_) | Cached::Nothing, _) => None,
        }
    }

    /// An access token that was given to us, if that is what is wanted.
    fn provided_token(
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

    /// The API key that an identity is.
    fn own_api_key(&self, registry: &Registry, identity: &dyn Identity) -> Result<Credential> {
        let wanted = CredentialKind::ApiKey;
        match identity.api_key() {
            Some(key) => Ok(wanted.with(key.clone())),
            None => Err(self.cannot_give(registry, wanted, &identity.source())),
        }
    }

    /// Returns the error for a source without a credential of the wanted kind.
    fn cannot_give(&self, registry: &Registry, wanted: CredentialKind, source: &str) -> Error {
        let is_setting = self.settings.choice(registry).credential == wanted;
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

    /// IAM at an endpoint, as everybody asks it.
    pub fn iam(&self, endpoint: &Endpoint, max_attempts: u32, deadline: Deadline) -> Iam<'_> {
        Iam {
            endpoint: endpoint.clone(),
            http: self.http(max_attempts, deadline),
        }
    }

    /// Returns what sends requests within the settings' limits.
    pub(super) fn http(&self, max_attempts: u32, deadline: Deadline) -> Http<'_> {
        Http {
            transport: self.context.transport,
            clock: self.context.clock,
            random: self.context.random,
            limits: self.settings.limits,
            max_attempts,
            deadline,
        }
    }

    /// The IAM that a registry's tokens come from.
    fn endpoint(&self, registry: &Registry) -> Endpoint {
        let chosen = self.settings.choice(registry).iam_endpoint;
        chosen.unwrap_or_else(|| usual_endpoint(registry.is_staging()))
    }

    /// The IAM that a login is checked at.
    pub fn endpoint_of(&self, scope: &LoginScope) -> Endpoint {
        match scope {
            LoginScope::Registry(registry) => self.endpoint(registry),
            _ => self
                .choice_of(scope)
                .iam_endpoint
                .unwrap_or_else(|| usual_endpoint(false)),
        }
    }

    fn choice_of(&self, scope: &LoginScope) -> Choice<'_> {
        match scope {
            LoginScope::Default => self.settings.default_choice(),
            LoginScope::Profile(name) => self.settings.choice_of_profile(name),
            LoginScope::Registry(registry) => self.settings.choice(registry),
        }
    }

    /// When whoever asks now must have an answer.
    fn deadline(&self) -> Deadline {
        Deadline::after(self.context.clock, self.settings.limits.deadline)
    }

    fn source_context(&self, registry: &Registry) -> SourceContext<'_> {
        self.source_context_of(&LoginScope::Registry(registry.clone()))
    }

    fn source_context_of(&self, scope: &LoginScope) -> SourceContext<'_> {
        SourceContext {
            choice: self.choice_of(scope),
            clock: self.context.clock,
            endpoint: self.endpoint_of(scope),
            environment: self.environment,
            locks: &self.context.locks,
            logins: Logins::in_keychain(&*self.keychains.logins),
            cached_logins: self
                .keychains
                .cache_is_local
                .then(|| Logins::in_keychain(&*self.keychains.tokens)),
            system_paths: &self.context.system_paths,
            tokens: TokenCache::new(&*self.keychains.tokens, self.context.clock),
            working_directory_credentials: self.settings.working_directory_credentials,
        }
    }
}

/// The IAM of production's or of staging's registries, unless another one was
/// chosen.
fn usual_endpoint(is_staging: bool) -> Endpoint {
    if is_staging {
        Endpoint::staging()
    } else {
        Endpoint::public()
    }
}

/// Turns an access token that was provided into an identity, so that a registry token
/// can be requested with it.
fn exchanged<'a>(resolved: Resolved<'a>, context: &'a SourceContext<'a>) -> Resolved<'a> {
    match resolved.identity {
        ResolvedIdentity::AccessToken(token) => Resolved {
            identity: ResolvedIdentity::Exchanged(Box::new(sources::of_access_token(
                token, context,
            ))),
            ..resolved
        },
        _ => resolved,
    }
}

/// What is kept, and under which key.
struct CacheEntry {
    key: Option<CacheKey>,
    cached: Cached,
}

impl CacheEntry {
    fn under(key: CacheKey, tokens: &TokenCache<'_>) -> Self {
        Self {
            cached: tokens.look_up(&key),
            key: Some(key),
        }
    }
}

impl CredentialKind {
    /// The key of what is handed out, by the key of the identity's access token.
    fn key_of(self, key: CacheKey, registry: &Registry) -> CacheKey {
        match self {
            Self::RefreshToken => key.of_refresh_token(),
            Self::RegistryToken => key.of_registry_token(registry),
            Self::AccessToken | Self::ApiKey => key,
        }
    }
}

#[cfg(test)]
mod tests;
