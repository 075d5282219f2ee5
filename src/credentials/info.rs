//! What people see about a registry: the active source and its cached token, without a
//! network.

use super::Broker;
use crate::error::Result;
use crate::iam::jwt;
use crate::iam::owner::Owner;
use crate::keychain::Backend;
use crate::login::Login;
use crate::login::LoginKind;
use crate::login::LoginScope;
use crate::login::LoginSnapshot;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::settings::CredentialKind;
use crate::settings::Settings;
use crate::sources;
use crate::sources::Origin;
use crate::sources::Resolved;
use crate::sources::ResolvedIdentity;
use crate::sources::SourceContext;
use crate::token_cache::CacheKey;
use crate::token_cache::LastFailure;
use crate::token_cache::TokenCache;

/// The active source of a registry and its credential, without the secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CredentialInfo {
    /// The active source.
    pub origin: Origin,
    /// The source's name in messages, such as `the API key in $IBMCLOUD_API_KEY`.
    pub source: String,
    /// The user name that clients get.
    pub username: String,
    /// The owner of the token; `None` if neither the token nor the login names one.
    pub owner: Option<Owner>,
    /// Whether clients get a token that is issued for them, not what is stored.
    pub is_exchanged: bool,
    /// The lifetime of the token; `None` if no token is cached, or if it does not expire.
    pub token: Option<TokenLife>,
    /// Why the last request for a token failed.
    pub last_failure: Option<LastFailure>,
    /// The keychain of the login, if it is a stored one.
    pub keychain: Option<Backend>,
    /// When the API key expires, in seconds since 1970, if this program created it.
    pub key_ends_at: Option<u64>,
}

/// The active source of a registry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ActiveSource {
    /// The active source.
    pub origin: Origin,
    /// Its name in messages, such as `the default login`.
    pub name: String,
}

impl ActiveSource {
    pub(super) fn of(resolved: &Resolved<'_>) -> Self {
        Self {
            name: resolved.title.clone(),
            origin: resolved.origin.clone(),
        }
    }
}

/// The age of a token and the rest of its lifetime.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TokenLife {
    /// Its age in seconds, if known.
    pub age: Option<u64>,
    /// The seconds until it expires.
    pub left: u64,
}

/// Returns the command that logs in to a registry without an active source.
pub fn login_command(registry: &Registry, settings: &Settings) -> String {
    // With a profile, the default login is not asked.
    let profile = settings.for_registry(registry).profile;
    let scope = match profile {
        _ if registry.is_entitled() => return format!("docker login -u cp {registry}"),
        Some(profile) => LoginScope::Profile(profile.name.clone()),
        // Staging has an IAM of its own.
        None if registry.is_staging() => LoginScope::Registry(registry.clone()),
        None => LoginScope::Default,
    };
    scope.login_command()
}

impl Broker<'_> {
    /// Returns the active source of a registry.
    ///
    /// # Errors
    /// A source is invalid.
    pub fn active_source(
        &self,
        registry: &Registry,
        logins: &LoginSnapshot<'_>,
    ) -> Result<Option<ActiveSource>> {
        let context = self.source_context(registry);
        let search = sources::find(registry, &context, &|scope| logins.read(scope))?;
        Ok(search.resolved.as_ref().map(ActiveSource::of))
    }

    /// Returns the source that would be active without the login stored for a scope.
    ///
    /// # Errors
    /// A source is invalid.
    pub fn active_source_without(
        &self,
        scope: &LoginScope,
        registry: &Registry,
        logins: &LoginSnapshot<'_>,
    ) -> Result<Option<ActiveSource>> {
        let context = self.source_context(registry);
        let read_login = |scope: &LoginScope| logins.read(scope);
        let behind = sources::find_behind(scope, registry, &context, &read_login)?;
        Ok(behind.as_ref().map(ActiveSource::of))
    }

    /// Returns the owner of a source's tokens without asking IAM: from the cached token, or
    /// from the login.
    pub(super) fn owner_known_locally(
        &self,
        resolved: &Resolved<'_>,
        context: &SourceContext<'_>,
    ) -> Option<Owner> {
        let ResolvedIdentity::Exchanged(identity) = &resolved.identity else {
            return None;
        };
        let cached = context.tokens.token(&identity.key());
        let of_token = cached.and_then(|cached| Owner::of(&cached.secret));
        // A trusted profile of the settings makes it another identity.
        let login = resolved.login.as_ref();
        let login = login.filter(|_| context.settings.trusted_profile.is_none());
        of_token.or_else(|| login?.owner.clone())
    }

    /// Returns the owner of the login for a scope, without asking IAM.
    pub fn owner_of(&self, scope: &LoginScope, login: &Login) -> Option<Owner> {
        let of_token = || match login.kind() {
            LoginKind::Bearer => Owner::of(&login.secret),
            _ => {
                let tokens = TokenCache::new(&*self.keychains.tokens, self.context.clock);
                let cached = tokens.token(&CacheKey::new(&self.endpoint_of(scope), &login.id));
                cached.and_then(|cached| Owner::of(&cached.secret))
            }
        };
        login.owner.clone().or_else(of_token)
    }

    /// Returns the active source of a scope's registries and its credential; `registry` is one
    /// of them.
    ///
    /// # Errors
    /// A source is invalid, or a keychain cannot be read.
    pub fn describe(
        &self,
        scope: &LoginScope,
        registry: &Registry,
        logins: &LoginSnapshot<'_>,
    ) -> Result<Option<CredentialInfo>> {
        let context = self.source_context_of(scope);
        let search = sources::find(registry, &context, &|scope| logins.read(scope))?;
        let Some(resolved) = search.resolved else {
            return Ok(None);
        };
        let is_exchanged = match &resolved.identity {
            ResolvedIdentity::AccessToken(_) | ResolvedIdentity::Credential(_) => false,
            ResolvedIdentity::Exchanged(_) => context.settings.credential != CredentialKind::ApiKey,
        };
        let (username, secret, token) = self.handed_out(registry, &resolved, &context);
        let last_failure = match &resolved.identity {
            ResolvedIdentity::Exchanged(identity) if is_exchanged => {
                let key = context.settings.credential.key_of(identity.key(), registry);
                let failure = context.tokens.last_failure(&key);
                failure.filter(|failure| failure.applies_to(&resolved.title))
            }
            _ => None,
        };
        let keychain = match &resolved.origin {
            Origin::Source(_) => None,
            Origin::Login(scope) => logins.backend(scope)?,
        };
        let login = resolved.login;
        let key = login.as_ref().and_then(|login| login.issued_key.as_ref());
        let key_ends_at = key.and_then(|key| key.expires_at);
        // A trusted profile of the settings makes it another identity.
        let noted = login
            .filter(|_| context.settings.trusted_profile.is_none())
            .and_then(|login| login.owner);
        Ok(Some(CredentialInfo {
            origin: resolved.origin,
            source: resolved.title,
            username,
            is_exchanged,
            owner: secret.as_ref().and_then(Owner::of).or(noted),
            token,
            last_failure,
            keychain,
            key_ends_at,
        }))
    }

    /// Returns the user name for clients, the token that is known already, and its
    /// lifetime.
    fn handed_out(
        &self,
        registry: &Registry,
        resolved: &Resolved<'_>,
        context: &SourceContext<'_>,
    ) -> (String, Option<Secret>, Option<TokenLife>) {
        let wanted = context.settings.credential;
        match &resolved.identity {
            ResolvedIdentity::AccessToken(token) => {
                let life = self.own_life(token);
                (wanted.username().to_owned(), Some(token.clone()), life)
            }
            ResolvedIdentity::Credential(credential) => {
                let life = self.own_life(&credential.secret);
                (credential.username.clone(), None, life)
            }
            ResolvedIdentity::Exchanged(_) if wanted == CredentialKind::ApiKey => {
                (wanted.username().to_owned(), None, None)
            }
            ResolvedIdentity::Exchanged(identity) => {
                let cached = context
                    .tokens
                    .token(&wanted.key_of(identity.key(), registry));
                let life = cached.as_ref().map(|cached| TokenLife {
                    age: Some(cached.age),
                    left: cached.remaining,
                });
                let secret = cached.map(|cached| cached.secret);
                (wanted.username().to_owned(), secret, life)
            }
        }
    }

    /// Returns the lifetime that a token states itself.
    fn own_life(&self, token: &Secret) -> Option<TokenLife> {
        let times = jwt::times(token.expose())?;
        let now = self.context.clock.now();
        Some(TokenLife {
            age: times.iat.and_then(|issued| now.checked_sub(issued)),
            left: times.exp.saturating_sub(now),
        })
    }
}
