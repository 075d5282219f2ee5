//! The exchange of an identity for a new token, normally by one process at a time.

use std::path::Path;
use std::time::Duration;

use super::Broker;
use crate::client_config::Machine;
use crate::client_config::docker_proxy;
use crate::error::Error;
use crate::error::Result;
use crate::http::Http;
use crate::http::MAX_ATTEMPTS;
use crate::iam::Iam;
use crate::iam::TokenResponse;
use crate::lock::Lock;
use crate::registry::Registry;
use crate::registry::api::Access;
use crate::registry::api::tokens::Token;
use crate::registry::own_tokens;
use crate::registry::own_tokens::OwnerTag;
use crate::secret::Secret;
use crate::settings::CredentialKind;
use crate::sources::Base;
use crate::sources::Identity;
use crate::sources::SourceContext;
use crate::time::Deadline;
use crate::token_cache::CacheKey;
use crate::token_cache::Cached;
use crate::token_cache::CachedToken;

/// Failures that took this long are cached although they may be temporary, so that
/// parallel processes do not wait again.
const SLOW_EXCHANGE: Duration = Duration::from_secs(5);

/// How long a process with a token that still works waits for the lock, and for an answer.
const BRIEF_TIMEOUT: Duration = Duration::from_secs(3);

/// After a failure that took this long, other processes with a token do not try.
const SLOW_ATTEMPT: Duration = Duration::from_secs(1);

/// The longest time for which a refresh token is cached: it may be valid for days, but
/// IAM ends an unused session sooner.
const MAX_REFRESH_TOKEN_CACHING: Duration = Duration::from_secs(2 * 60 * 60);

/// The time limit for deleting stale registry tokens: a client may wait for the new one,
/// or a person for 'logout'.
pub(super) const STALE_TOKENS_TIMEOUT: Duration = Duration::from_secs(3);

impl Broker<'_> {
    /// Returns a new token, or the one that another process got in the meantime.
    ///
    /// Normally one process at a time requests it. If the lock is busy until its timeout, an
    /// old token that still works is returned; without one, or without locks, the request is
    /// sent anyway.
    pub(super) fn fetch(
        &self,
        request: &TokenRequest<'_>,
        min_lifetime: MinLifetime,
    ) -> Result<CachedToken> {
        let tokens = &request.context.tokens;
        let key = request.key();
        let source = request.identity.source();
        let prepared = self.prepare(request);
        // Half of the time is for the lock, half for the request.
        let half = request.deadline.remaining(self.context.clock) / 2;
        let has_token = min_lifetime == MinLifetime::Any && tokens.secret(&key).is_some();
        let timeout = if has_token {
            half.min(BRIEF_TIMEOUT)
        } else {
            half
        };
        let lock = self.context.locks.lock_identity(key.as_str(), timeout);
        let (cached, is_refresh_due) = tokens.get_with_refresh_due(&key);
        let cached_secret = cached.secret().cloned();
        // The token that is returned if there is no new one. For `print` it is empty although a token
        // is cached, because that one has not enough of its lifetime left.
        let old = match cached.for_source(&source) {
            Cached::Failed(failure) => return Err(failure.error),
            Cached::Nothing => None,
            _ if min_lifetime == MinLifetime::Half && is_refresh_due => None,
            Cached::Fresh(token) => return Ok(token),
            Cached::RefreshDue(token) | Cached::NearExpiry(token) => match lock {
                Lock::Busy => return Ok(token),
                _ => Some(token),
            },
        };
        let started = self.context.clock.elapsed();
        let attempts = if request.has_fallback || old.is_some() {
            Attempts::OneBrief
        } else {
            Attempts::Several
        };
        let (outcome, took_long) = self.exchange(request, prepared, attempts);
        match (outcome, old) {
            (Ok(issued_token), _) => {
                tokens.insert(&key, &issued_token.secret, issued_token.lifetime);
                drop(lock);
                let token = issued_token.as_cached();
                self.delete_stale_tokens(request, issued_token, cached_secret.as_ref());
                Ok(token)
            }
            (Err(error), Some(token)) if !error.is_rejection() => {
                tracing::warn!(%error, "the cached token is used once more");
                if self.context.clock.elapsed() - started >= SLOW_ATTEMPT {
                    tokens.record_refresh_attempt(&key);
                }
                Ok(token)
            }
            (Err(error), old) => {
                // A token that other processes still use is not replaced by the failure.
                if old.is_none() && cached_secret.is_some() {
                    return Err(error);
                }
                let answers_lookups = took_long || error.needs_user_action();
                Err(tokens.record_failure(&key, &source, error, answers_lookups))
            }
        }
    }

    /// Requests a token from IAM or the registry, and returns whether that was slow.
    pub(super) fn exchange(
        &self,
        request: &TokenRequest<'_>,
        prepared: Prepared<'_>,
        attempts: Attempts,
    ) -> (Result<IssuedToken>, bool) {
        let identity = request.identity;
        let _span = tracing::debug_span!("exchange", source = identity.source()).entered();
        let started = self.context.clock.elapsed();
        let outcome = match prepared {
            Prepared::Access(access) => {
                access.and_then(|access| self.registry_token(request, access, attempts))
            }
            Prepared::Base(base, token) => {
                token.and_then(|token| self.profile_token(request, &base, &token, attempts))
            }
            Prepared::IdentityOnly => self.iam_token(request, attempts),
        };
        (
            outcome.map_err(|error| self.with_docker_proxy(error)),
            self.context.clock.elapsed() - started >= SLOW_EXCHANGE,
        )
    }

    /// Replaces the hint of an error if the network gave no answer, this program has no proxy and
    /// docker has one.
    fn with_docker_proxy(&self, error: Error) -> Error {
        if !error.is_unreachable() || self.settings.proxies.configured().is_some() {
            return error;
        }
        let paths = &self.context.system_paths;
        let home = paths.home.as_deref();
        let machine = Machine::of_process(self.environment, home, &paths.root);
        let Some(found) = docker_proxy::docker_proxies(&machine).into_iter().next() else {
            return error;
        };
        error.with_hint(format!(
            "Docker has a proxy ({}), and this program has none: set HTTPS_PROXY, or the setting 'proxy'",
            found.file.display()
        ))
    }

    fn iam_client(&self, request: &TokenRequest<'_>, attempts: Attempts) -> Iam<'_> {
        let endpoint = request.identity.endpoint();
        let iam = self.iam(endpoint, attempts.max_attempts(), request.deadline);
        Iam {
            http: attempts.limit(iam.http),
            ..iam
        }
    }

    fn iam_token(&self, request: &TokenRequest<'_>, attempts: Attempts) -> Result<IssuedToken> {
        let iam = self.iam_client(request, attempts);
        let response = request.identity.exchange(&iam, request.wanted)?;
        self.wanted_part(response, request)
    }

    /// Returns the part of IAM's response that the request wants.
    fn wanted_part(
        &self,
        response: TokenResponse,
        request: &TokenRequest<'_>,
    ) -> Result<IssuedToken> {
        let wanted = request.wanted;
        IssuedToken::of(response, wanted)
            .ok_or_else(|| self.cannot_give(request.registry, wanted, &request.identity.source()))
    }

    /// Gets what the exchange needs: for a trusted profile, the token of the identity that
    /// assumes it. Call it before taking the lock: it locks that identity, perhaps with the
    /// same file, and would wait for itself.
    pub(super) fn prepare<'e>(&self, request: &TokenRequest<'e>) -> Prepared<'e> {
        if let Some(access) = self.access_for(request) {
            return Prepared::Access(access);
        }
        let Some(base) = request.identity.base() else {
            return Prepared::IdentityOnly;
        };
        let of_base = TokenRequest {
            identity: &*base.identity,
            wanted: CredentialKind::AccessToken,
            has_fallback: request.context.tokens.secret(&request.key()).is_some(),
            ..*request
        };
        let token = self.fetch(&of_base, MinLifetime::Any);
        Prepared::Base(base, token.map(|token| token.secret))
    }

    /// Returns a token of the trusted profile that an identity assumes. If IAM rejects
    /// the request, the identity's own cached token is deleted, because it may be invalid.
    fn profile_token(
        &self,
        request: &TokenRequest<'_>,
        base: &Base<'_>,
        token: &Secret,
        attempts: Attempts,
    ) -> Result<IssuedToken> {
        let iam = self.iam_client(request, attempts);
        let response = base.assume(&iam, token).inspect_err(|error| {
            if error.needs_user_action() {
                request.context.tokens.remove(&base.identity.key());
            }
        })?;
        self.wanted_part(response, request)
    }

    fn registry_token(
        &self,
        request: &TokenRequest<'_>,
        access: Access,
        attempts: Attempts,
    ) -> Result<IssuedToken> {
        let http = attempts.limit(self.http(attempts.max_attempts(), request.deadline));
        let api = self.registry_client(request.registry, access.clone(), None, http)?;
        let token = own_tokens::create(&api, &self.owner_tag(request))?;
        Ok(IssuedToken {
            secret: token.value.clone(),
            lifetime: own_tokens::lifetime(&token, self.context.clock),
            registry_token: Some((token, access)),
        })
    }

    /// Deletes registry tokens that this program created earlier and that are no longer
    /// used. Call it without a lock, so that other processes do not wait.
    pub(super) fn delete_stale_tokens(
        &self,
        request: &TokenRequest<'_>,
        issued_token: IssuedToken,
        replaced: Option<&Secret>,
    ) {
        let Some((token, access)) = issued_token.registry_token else {
            return;
        };
        let left = request
            .deadline
            .remaining(self.context.clock)
            .min(STALE_TOKENS_TIMEOUT);
        let deadline = Deadline::after(self.context.clock, left);
        let http = self.http(1, deadline);
        if let Ok(api) = self.registry_client(request.registry, access, None, http) {
            own_tokens::delete_stale(&api, &self.owner_tag(request), &token, replaced);
        }
    }

    /// Returns the tag by which the registry tokens of an identity are recognized.
    pub(super) fn owner_tag(&self, request: &TokenRequest<'_>) -> OwnerTag {
        let machine =
            (self.context.machine_name)().unwrap_or_else(|| "a machine without a name".into());
        let home = self
            .context
            .system_paths
            .home
            .as_deref()
            .unwrap_or(Path::new(""));
        let key = request.key();
        let parts = [
            &*home.to_string_lossy(),
            &self.settings.namespace,
            key.as_str(),
        ];
        OwnerTag::new(&machine, &parts)
    }
}

/// A request for a token of a registry, with its deadline.
#[derive(Clone, Copy)]
pub(super) struct TokenRequest<'a> {
    pub(super) registry: &'a Registry,
    pub(super) identity: &'a dyn Identity,
    pub(super) context: &'a SourceContext<'a>,
    pub(super) wanted: CredentialKind,
    pub(super) deadline: Deadline,
    /// Whether the caller has a token that still works, so that the request is not retried.
    pub(super) has_fallback: bool,
}

impl<'a> TokenRequest<'a> {
    /// Creates a request for the kind of credential that the settings choose.
    pub(super) fn new(
        registry: &'a Registry,
        identity: &'a dyn Identity,
        context: &'a SourceContext<'a>,
        deadline: Deadline,
    ) -> Self {
        Self {
            registry,
            identity,
            context,
            wanted: context.settings.credential,
            deadline,
            has_fallback: false,
        }
    }

    /// Returns the key under which the answer is cached.
    pub(super) fn key(&self) -> CacheKey {
        self.wanted.key_of(self.identity.key(), self.registry)
    }
}

/// How often a request is sent, and for how long.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Attempts {
    /// Until the deadline.
    Several,
    /// Once: no client waits.
    One,
    /// Once, with a short timeout: the caller has a token that still works.
    OneBrief,
}

impl Attempts {
    fn max_attempts(self) -> u32 {
        match self {
            Self::Several => MAX_ATTEMPTS,
            Self::One | Self::OneBrief => 1,
        }
    }

    /// Returns the client for these attempts. Its requests fail at once if another process has
    /// just found an outage.
    fn limit(self, http: Http<'_>) -> Http<'_> {
        let mut http = http.avoiding_outages();
        if self == Self::OneBrief {
            http.limits.attempt = http.limits.attempt.min(BRIEF_TIMEOUT);
        }
        http
    }
}

/// The credentials that an exchange starts with.
pub(super) enum Prepared<'a> {
    /// The access to the registry's management API.
    Access(Result<Access>),
    /// The identity that assumes a trusted profile, and its access token.
    Base(Base<'a>, Result<Secret>),
    /// Nothing more: the identity is exchanged directly.
    IdentityOnly,
}

/// How much of its lifetime a cached token must have left.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum MinLifetime {
    /// Any token that still works.
    Any,
    /// At least half of its lifetime.
    Half,
}

/// A token that IAM or the registry issued.
pub(super) struct IssuedToken {
    /// The credential for clients.
    pub(super) secret: Secret,
    /// How long it is valid, from now on.
    pub(super) lifetime: Duration,
    /// If it is a registry token: that token, and what it was requested with.
    registry_token: Option<(Token, Access)>,
}

impl IssuedToken {
    /// Returns the wanted part of IAM's answer; `None` if it has none.
    fn of(issued: TokenResponse, wanted: CredentialKind) -> Option<Self> {
        let (secret, lifetime) = match wanted {
            CredentialKind::RefreshToken => {
                let lifetime = issued.refresh_lifetime.unwrap_or(MAX_REFRESH_TOKEN_CACHING);
                (
                    issued.refresh_token?,
                    lifetime.min(MAX_REFRESH_TOKEN_CACHING),
                )
            }
            _ => (issued.access_token, issued.lifetime),
        };
        Some(Self {
            secret,
            lifetime,
            registry_token: None,
        })
    }

    /// Returns the token as the cache has it now.
    fn as_cached(&self) -> CachedToken {
        CachedToken {
            secret: self.secret.clone(),
            age: 0,
            remaining: self.lifetime.as_secs(),
        }
    }
}

#[cfg(test)]
mod tests;
