//! Who speaks for a registry, and what is known of the token: what a person is
//! told. No network is asked.

use super::Broker;
use crate::error::Result;
use crate::iam::jwt;
use crate::iam::owner::Owner;
use crate::keychain::Backend;
use crate::login::LoginKind;
use crate::login::LoginScope;
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
use crate::token_cache::PastFailure;
use crate::token_cache::TokenCache;

/// Whoever speaks for a registry, without a secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CredentialInfo {
    /// Whose word counts.
    pub origin: Origin,
    /// What a person calls the source: `the API key in $IBMCLOUD_API_KEY`.
    pub source: String,
    /// The user name that clients are given.
    pub username: String,
    /// Whose the token is, or will be; `None` where neither it nor the login says so.
    pub owner: Option<Owner>,
    /// Whether clients are given a token that is got for them, and not what was stored.
    pub is_exchanged: bool,
    /// How long the token lives; `None` until there is one, or where it does not end.
    pub token: Option<TokenLife>,
    /// Why there is none, if it was in vain to get one lately.
    pub past_failure: Option<PastFailure>,
    /// The keychain that the login rests in, if it is a stored one.
    pub keychain: Option<Backend>,
    /// When the API key ends, in seconds since 1970, where this program had it made.
    pub key_ends_at: Option<u64>,
}

/// What answers for a registry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ActiveSource {
    /// Whose word counts.
    pub origin: Origin,
    /// What a person calls it: `the default login`, `the API key in $IC_API_KEY`.
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

/// How long a token has lived, and will.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TokenLife {
    /// How old it is, in seconds, as far as that is known.
    pub age: Option<u64>,
    /// How long it is good yet, in seconds.
    pub left: u64,
}

/// The command that logs in for a registry for which nothing answers.
pub fn login_command(registry: &Registry, settings: &Settings) -> String {
    // With a profile, the default login is not asked.
    let profile = settings.choice(registry).profile;
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
    /// Whoever speaks for a registry, if anybody does.
    ///
    /// # Errors
    /// A source is there but broken, or a keychain cannot tell.
    pub fn describe(&self, registry: &Registry) -> Result<Option<CredentialInfo>> {
        self.describe_as(&LoginScope::Registry(registry.clone()), registry)
    }

    /// Whoever speaks for every registry that nothing was chosen or stored for;
    /// `example` is one of those.
    ///
    /// # Errors
    /// See [`Broker::describe`].
    pub fn describe_others(&self, example: &Registry) -> Result<Option<CredentialInfo>> {
        self.describe_as(&LoginScope::Default, example)
    }

    /// Whose word counts for a registry, if anybody's does.
    ///
    /// # Errors
    /// A source is there but broken.
    pub fn origin(&self, registry: &Registry) -> Result<Option<Origin>> {
        let context = self.source_context(registry);
        let resolved = sources::find(registry, &context)?.resolved;
        Ok(resolved.map(|resolved| resolved.origin))
    }

    /// What answers for a registry, if anything does.
    ///
    /// # Errors
    /// A source is there but broken.
    pub fn answering(&self, registry: &Registry) -> Result<Option<ActiveSource>> {
        let context = self.source_context(registry);
        let resolved = sources::find(registry, &context)?.resolved;
        Ok(resolved.as_ref().map(ActiveSource::of))
    }

    /// What would answer for a registry without the login stored for this scope.
    ///
    /// # Errors
    /// A source is there but broken.
    pub fn answering_without(
        &self,
        scope: &LoginScope,
        registry: &Registry,
    ) -> Result<Option<ActiveSource>> {
        let context = self.source_context(registry);
        let behind = sources::find_behind(scope, registry, &context)?;
        Ok(behind.as_ref().map(ActiveSource::of))
    }

    /// Whose tokens it leads to, as far as that is known without asking IAM: a token
    /// that is kept says so, or the login.
    pub(super) fn owner_known_locally(
        &self,
        resolved: &Resolved<'_>,
        context: &SourceContext<'_>,
    ) -> Option<Owner> {
        let ResolvedIdentity::Exchanged(identity) = &resolved.identity else {
            return None;
        };
        let kept = context.tokens.kept(&identity.key());
        let of_token = kept.and_then(|kept| Owner::of(&kept.secret));
        // Another profile that the settings put on top is another identity.
        let login = resolved.login.as_ref();
        let login = login.filter(|_| context.choice.trusted_profile.is_none());
        of_token.or_else(|| login?.owner.clone())
    }

    /// Whose login is stored for a scope, as far as that is known without asking IAM.
    pub fn owner_of(&self, scope: &LoginScope) -> Option<Owner> {
        let login = self.login(scope).ok()??;
        let of_token = || match login.kind() {
            LoginKind::Bearer => Owner::of(&login.secret),
            _ => {
                let tokens = TokenCache::new(&*self.keychains.tokens, self.context.clock);
                let kept = tokens.kept(&CacheKey::new(&self.endpoint_of(scope), &login.id));
                kept.and_then(|kept| Owner::of(&kept.secret))
            }
        };
        login.owner.clone().or_else(of_token)
    }

    fn describe_as(
        &self,
        scope: &LoginScope,
        registry: &Registry,
    ) -> Result<Option<CredentialInfo>> {
        let context = self.source_context_of(scope);
        let Some(resolved) = sources::find(registry, &context)?.resolved else {
            return Ok(None);
        };
        let is_exchanged = match &resolved.identity {
            ResolvedIdentity::AccessToken(_) | ResolvedIdentity::Credential(_) => false,
            ResolvedIdentity::Exchanged(_) => context.choice.credential != CredentialKind::ApiKey,
        };
        let (username, secret, token) = self.handed_out(registry, &resolved, &context);
        let past_failure = match &resolved.identity {
            ResolvedIdentity::Exchanged(identity) if is_exchanged => {
                let key = context.choice.credential.key_of(identity.key(), registry);
                let past = context.tokens.past_failure(&key);
                past.filter(|past| past.is_of(&resolved.title))
            }
            _ => None,
        };
        let keychain = match &resolved.origin {
            Origin::Source(_) => None,
            Origin::Login(scope) => context.logins.backend(scope)?,
        };
        let login = resolved.login;
        let key = login.as_ref().and_then(|login| login.issued_key.as_ref());
        let key_ends_at = key.and_then(|key| key.expires_at);
        // Another profile that the settings put on top is another identity.
        let noted = login
            .filter(|_| context.choice.trusted_profile.is_none())
            .and_then(|login| login.owner);
        Ok(Some(CredentialInfo {
            origin: resolved.origin,
            source: resolved.title,
            username,
            is_exchanged,
            owner: secret.as_ref().and_then(Owner::of).or(noted),
            token,
            past_failure,
            keychain,
            key_ends_at,
        }))
    }

    /// The user name, what goes with it as far as it is there already, and how long
    /// that lives.
    fn handed_out(
        &self,
        registry: &Registry,
        resolved: &Resolved<'_>,
        context: &SourceContext<'_>,
    ) -> (String, Option<Secret>, Option<TokenLife>) {
        let wanted = context.choice.credential;
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
                let kept = context
                    .tokens
                    .kept(&wanted.key_of(identity.key(), registry));
                let life = kept.as_ref().map(|kept| TokenLife {
                    age: Some(kept.age),
                    left: kept.left,
                });
                let secret = kept.map(|kept| kept.secret);
                (wanted.username().to_owned(), secret, life)
            }
        }
    }

    /// How long a token lives by its own account.
    fn own_life(&self, token: &Secret) -> Option<TokenLife> {
        let times = jwt::times(token.expose())?;
        let now = self.context.clock.now();
        Some(TokenLife {
            age: times.iat.and_then(|issued| now.checked_sub(issued)),
            left: times.exp.saturating_sub(now),
        })
    }
}
