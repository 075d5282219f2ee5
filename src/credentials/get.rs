//! The way of a `get`, from top to bottom.
//!
//! Almost every `get` ends at step 1, with a few reads of the kernel keyring: no bus, no
//! lock, no network. The rest is in `login_hints` (step 2), `from_source` and `exchange`
//! (steps 3 to 5).

use super::Broker;
use super::exchange::TokenRequest;
use crate::credential::Credential;
use crate::error::Result;
use crate::iam::jwt;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::settings::CredentialKind;
use crate::sources;
use crate::sources::ExpiredLogin;
use crate::sources::LocalLookup;
use crate::sources::ResolvedIdentity;
use crate::sources::SourceContext;
use crate::time::Clock;
use crate::token_cache::CacheKey;
use crate::token_cache::Cached;
use crate::token_cache::CachedToken;
use crate::token_cache::TokenCache;

impl Broker<'_> {
    /// Returns the credential for a registry, and deletes the stored logins that have expired.
    /// For a client's `get`; commands that only inspect use [`Broker::get`], which deletes
    /// nothing.
    ///
    /// # Errors
    /// As [`Broker::get`].
    pub fn get_and_delete_expired(&self, registry: &Registry) -> Result<Credential> {
        let context = self.source_context(registry);
        let answer = self.look_up_and_delete_expired(registry, &context);
        answer.map(|answer| answer.credential)
    }

    /// Does the same for a client that keeps the credential for some time. API keys and refresh
    /// tokens are exchanged for access tokens, whatever the settings say.
    ///
    /// # Errors
    /// As [`Broker::get`].
    pub fn get_short_lived(&self, registry: &Registry) -> Result<TimedCredential> {
        let mut context = self.source_context(registry);
        context.settings.credential = match context.settings.credential {
            CredentialKind::RegistryToken => CredentialKind::RegistryToken,
            _ => CredentialKind::AccessToken,
        };
        self.look_up_and_delete_expired(registry, &context)
    }

    fn look_up_and_delete_expired(
        &self,
        registry: &Registry,
        context: &SourceContext<'_>,
    ) -> Result<TimedCredential> {
        let mut expired = Vec::new();
        let answer = self.look_up(registry, context, &mut expired);
        self.delete_expired(&expired);
        answer
    }

    /// Returns the credential for a registry.
    ///
    /// # Errors
    /// [`Error::not_found()`](crate::error::Error::not_found) if no source has a credential
    /// for it; otherwise what failed, with the source that was used.
    pub fn get(&self, registry: &Registry) -> Result<Credential> {
        let context = self.source_context(registry);
        let answer = self.look_up(registry, &context, &mut Vec::new());
        answer.map(|answer| answer.credential)
    }

    /// Returns the credential for a registry, and adds the expired logins that were skipped.
    fn look_up(
        &self,
        registry: &Registry,
        context: &SourceContext<'_>,
        expired: &mut Vec<ExpiredLogin>,
    ) -> Result<TimedCredential> {
        let deadline = self.deadline();
        let wanted = context.settings.credential;

        // 1. The cached token of the identity that local facts name.
        let local = sources::look_up_locally(registry, context)?;
        let entry = CacheEntry::of(&local, registry, context);
        if !entry.is_rejection()
            && let Some(answer) = self.cached_answer(registry, &entry, &context.tokens)
        {
            return answer.map(|token| TimedCredential::with_token(wanted, token));
        }

        // 2. The first source that has a credential.
        let resolved = match local {
            LocalLookup::Active(resolved) => Some(resolved),
            _ => match self.find_and_write_hints(registry, context, deadline) {
                Ok(search) => {
                    expired.extend(search.expired);
                    search.resolved
                }
                // If the keychain is locked or hangs, the cached token is used, if there is one.
                Err(error) if error.is_temporary() => {
                    let token = entry.cached.token().cloned();
                    let answer = token.map(|token| TimedCredential::with_token(wanted, token));
                    return answer.ok_or(error);
                }
                Err(error) => return Err(error),
            },
        };

        // 3. to 5. (`fetch`): the identity's lock, the exchange, the cache.
        self.credential_from(resolved, registry, context, |identity| {
            let request = TokenRequest::new(registry, identity, context, deadline);
            self.token_or_replacement(&request, entry)
        })
    }

    /// Returns the answer that needs no exchange now, if there is one. A token whose refresh
    /// is due is an answer if a background process refreshes it.
    pub(super) fn cached_answer(
        &self,
        registry: &Registry,
        entry: &CacheEntry,
        tokens: &TokenCache<'_>,
    ) -> Option<Result<CachedToken>> {
        match (&entry.cached, &entry.key) {
            (Cached::Fresh(token), _) => Some(Ok(token.clone())),
            (Cached::Failed(failure), _) => Some(Err(failure.error.clone())),
            (Cached::RefreshDue(token), Some(key)) => self
                .is_refreshed_by_another(registry, key, tokens)
                .then(|| Ok(token.clone())),
            (Cached::RefreshDue(_) | Cached::NearExpiry(_) | Cached::Nothing, _) => None,
        }
    }
}

/// A credential, and how long it works.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TimedCredential {
    /// The credential.
    pub credential: Credential,
    /// The seconds until it expires; `None` if it does not expire, or that is not known.
    pub remaining: Option<u64>,
}

impl TimedCredential {
    /// Creates a credential of a kind with a token that was issued for it.
    pub(super) fn with_token(wanted: CredentialKind, token: CachedToken) -> Self {
        Self {
            credential: wanted.with(token.secret),
            remaining: Some(token.remaining),
        }
    }

    /// Creates a credential that is given as it is stored. A token may say when it expires.
    pub(super) fn as_stored(credential: Credential, clock: &dyn Clock) -> Self {
        Self {
            remaining: remaining_of(&credential.secret, clock),
            credential,
        }
    }
}

/// Returns the seconds until a token expires, if it says when.
fn remaining_of(token: &Secret, clock: &dyn Clock) -> Option<u64> {
    let times = jwt::times(token.expose())?;
    Some(times.exp.saturating_sub(clock.now()))
}

/// What the token cache has for an identity, and under which key.
pub(super) struct CacheEntry {
    pub(super) key: Option<CacheKey>,
    pub(super) cached: Cached,
}

impl CacheEntry {
    /// Reads the entry of the identity that local facts name.
    pub(super) fn of(
        local: &LocalLookup<'_>,
        registry: &Registry,
        context: &SourceContext<'_>,
    ) -> Self {
        let wanted = context.settings.credential;
        let cached = match local.identity() {
            // A provided token needs no request.
            Some(ResolvedIdentity::AccessToken(token)) if wanted == CredentialKind::AccessToken => {
                Cached::Fresh(CachedToken {
                    secret: token.clone(),
                    age: 0,
                    remaining: remaining_of(token, context.clock).unwrap_or_default(),
                })
            }
            _ => Cached::Nothing,
        };
        match local.key() {
            Some(key) if wanted != CredentialKind::ApiKey => {
                Self::read(wanted.key_of(key, registry), &context.tokens)
            }
            _ => Self { key: None, cached },
        }
    }

    /// Reads the entry under a key.
    pub(super) fn read(key: CacheKey, tokens: &TokenCache<'_>) -> Self {
        Self {
            cached: tokens.get(&key),
            key: Some(key),
        }
    }

    /// Returns whether IAM rejected an identity with this key. Two sources that have the same API key
    /// have the same entry, and the error names the one that was rejected. So the error is no answer
    /// until the active source is known: [`Cached::for_source`] compares it.
    fn is_rejection(&self) -> bool {
        matches!(&self.cached, Cached::Failed(failure) if !failure.is_outage())
    }
}
