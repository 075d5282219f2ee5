//! Recognizes the credentials that `get` has returned or would return, so that `store` does not
//! store them as logins.

use std::time::Duration;

use super::Broker;
use super::get::CacheEntry;
use super::info::ActiveSource;
use crate::iam::jwt;
use crate::iam::owner::Owner;
use crate::keychain::Item;
use crate::login::Login;
use crate::login::LoginScope;
use crate::login::LoginSnapshot;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::settings::CredentialKind;
use crate::sources;
use crate::sources::Resolved;
use crate::sources::ResolvedIdentity;
use crate::sources::SourceContext;
use crate::token_cache::CacheKey;

/// The owner of an access token, compared with that of the registry's active source.
pub(super) enum Owners {
    /// They are the same, so storing the token gains nothing.
    Same,
    /// They differ, or the active source does not work without the token.
    Different,
    /// The owner of the active source is unknown.
    Unknown(ActiveSource),
}

/// The lifetime of the item that is written to check the token cache.
const PROBE_LIFETIME: Duration = Duration::from_secs(60);

impl Broker<'_> {
    /// Compares the owner of an access token with that of the active source, without asking IAM.
    pub(super) fn compare_owners(
        &self,
        active: Option<&Resolved<'_>>,
        token: &Secret,
        context: &SourceContext<'_>,
    ) -> Owners {
        let Some(resolved) = active else {
            return Owners::Different;
        };
        // `get` never returns an empty token.
        if token.is_empty() {
            return Owners::Same;
        }
        let owner = Owner::of(token);
        let is_same = |other: Option<&Owner>| {
            let both = owner.as_ref().zip(other);
            both.is_some_and(|(owner, other)| owner.is_same_as(other))
        };
        match &resolved.identity {
            ResolvedIdentity::Credential(_) => Owners::Different,
            // A valid token of the same owner may expire later than the active one.
            ResolvedIdentity::AccessToken(active) => {
                let now = self.context.clock.now();
                let has_expired = jwt::has_expired(token.expose(), now, jwt::MARGIN);
                if has_expired && is_same(Owner::of(active).as_ref()) {
                    Owners::Same
                } else {
                    Owners::Different
                }
            }
            ResolvedIdentity::Exchanged(_) if has_session_ended(resolved) => Owners::Different,
            ResolvedIdentity::Exchanged(identity) => {
                let active = self.owner_known_locally(resolved, context);
                if is_same(active.as_ref()) {
                    Owners::Same
                } else if active.is_none() && context.tokens.token(&identity.key()).is_none() {
                    Owners::Unknown(ActiveSource::of(resolved))
                } else {
                    Owners::Different
                }
            }
        }
    }

    /// Returns whether tokens can be cached, by writing an item. Without a token cache, this
    /// program does not recognize a token that it issued.
    pub(super) fn can_cache_tokens(&self) -> bool {
        let item = Item::probe(&format!("store-{:016x}", (self.context.random)()));
        let tokens = &*self.keychains.tokens;
        let is_written = tokens
            .write(&item, &Secret::new("probe"), Some(PROBE_LIFETIME))
            .is_ok();
        is_written && tokens.delete(&item).is_ok()
    }
}

/// Returns whether a credential is the one that `get` returns from the token cache. It is
/// looked up first, because the keychain of the logins may be locked.
pub(super) fn is_cached_credential(
    registry: &Registry,
    login: &Login,
    context: &SourceContext<'_>,
) -> bool {
    if login.username != context.settings.credential.username() {
        return false;
    }
    let local = sources::look_up_locally(registry, context);
    let entry = local.map(|local| CacheEntry::of(&local, registry, context));
    entry.is_ok_and(|entry| entry.cached.secret() == Some(&login.secret))
}

/// Returns whether a credential is the one that `get` returns from the active source.
pub(super) fn is_active_credential(
    registry: &Registry,
    login: &Login,
    active: Option<&Resolved<'_>>,
    context: &SourceContext<'_>,
) -> bool {
    let wanted = context.settings.credential;
    if login.username != wanted.username() {
        return false;
    }
    match active.map(|resolved| &resolved.identity) {
        Some(ResolvedIdentity::Exchanged(identity)) if wanted == CredentialKind::ApiKey => {
            identity.api_key() == Some(&login.secret)
        }
        Some(ResolvedIdentity::Exchanged(identity)) => {
            let key = wanted.key_of(identity.key(), registry);
            context.tokens.secret(&key).as_ref() == Some(&login.secret)
        }
        Some(ResolvedIdentity::AccessToken(token)) => *token == login.secret,
        Some(ResolvedIdentity::Credential(_)) | None => false,
    }
}

/// Returns whether a token was issued for a stored login, which may now be shadowed by another
/// source, such as a variable that was set since.
pub(super) fn was_issued_for_login(
    scope: &LoginScope,
    token: &Secret,
    logins: &LoginSnapshot<'_>,
    context: &SourceContext<'_>,
) -> bool {
    [scope, &LoginScope::Default].into_iter().any(|scope| {
        let login = logins.read(scope).ok().flatten();
        login.is_some_and(|login| {
            let key = CacheKey::new(&context.endpoint, &login.id);
            context.tokens.secret(&key).as_ref() == Some(token)
        })
    })
}

/// Returns whether IAM has ended the session of a stored login.
fn has_session_ended(resolved: &Resolved<'_>) -> bool {
    let login = resolved.login.as_ref();
    login.is_some_and(|login| login.ended_at.is_some())
}
