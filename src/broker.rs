//! The order of things: the only place that knows what comes after what when a
//! client asks for a credential, leaves one with us or takes it away.

use std::collections::BTreeMap;

use crate::clock::Clock;
use crate::clock::Deadline;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::failure::Result;
use crate::iam::Iam;
use crate::iam::endpoint::Endpoint;
use crate::iam::transport::Transport;
use crate::identity;
use crate::identity::Found;
use crate::identity::Given;
use crate::identity::Identity;
use crate::jwt;
use crate::keychain::Keychains;
use crate::lock::Lock;
use crate::lock::LockDirectory;
use crate::login::Login;
use crate::login::LoginKind;
use crate::login::Logins;
use crate::protocol::Credential;
use crate::registry::Registry;
use crate::settings::Settings;
use crate::token_cache::CacheKey;
use crate::token_cache::Cached;
use crate::token_cache::TokenCache;

/// Everything a broker works with.
pub struct Broker<'a> {
    /// Time.
    pub clock: &'a dyn Clock,
    /// The environment variables.
    pub environment: &'a Environment,
    /// Where secrets rest.
    pub keychains: &'a Keychains,
    /// One at a time.
    pub locks: &'a LockDirectory,
    /// Random bits.
    pub random: &'a dyn Fn() -> u64,
    /// What was chosen.
    pub settings: &'a Settings,
    /// The way to IAM.
    pub transport: &'a dyn Transport,
}

impl Broker<'_> {
    /// The credential for a registry.
    ///
    /// # Errors
    /// [`Failure::NotFound`] when nothing speaks for it; otherwise what went
    /// wrong, with the source that was used.
    pub fn get(&self, registry: &Registry) -> Result<Credential> {
        let deadline = Deadline::after(self.clock, self.settings.limits.deadline);
        let endpoint = self.endpoint(registry);
        let given = self.given(&endpoint);
        let nearby = identity::nearby_key(registry, &given)
            .map_or(Cached::Nothing, |key| given.tokens.look_up(&key));
        if let Cached::Fresh(token) = nearby {
            return Ok(token.into());
        }
        match self.find(registry, &given) {
            Ok(None) => Err(Failure::NotFound),
            Ok(Some(Found::Credential(credential))) => Ok(credential),
            Ok(Some(Found::Identity(identity))) => {
                self.token(&*identity, &given.tokens, &endpoint, deadline)
            }
            // A keychain that is locked or hangs for now need not cost the answer.
            Err(failure @ Failure::TryLater(_)) => match nearby {
                Cached::Aging(token) => Ok(token.into()),
                _ => Err(failure),
            },
            Err(failure) => Err(failure),
        }
    }

    /// Only notes about logins need the lock, and where there are none a `get`
    /// that is answered from the cache should not touch a file.
    fn find<'a>(&self, registry: &Registry, given: &'a Given<'a>) -> Result<Option<Found<'a>>> {
        let lock = match given.tokens_are_near {
            true => self.locks.lock_registry(registry),
            false => Lock::none(),
        };
        identity::find(registry, given, &lock)
    }

    /// A token for an identity: the one that is kept while it is fresh, otherwise
    /// a new one. Of all processes that want it, one asks IAM.
    fn token(
        &self,
        identity: &dyn Identity,
        tokens: &TokenCache<'_>,
        endpoint: &Endpoint,
        deadline: Deadline,
    ) -> Result<Credential> {
        let key = identity.key();
        if let Some(answer) = settled(tokens.look_up(&key)) {
            return answer;
        }
        // Half of the time for waiting, so that half is left for asking.
        let lock = self
            .locks
            .lock(key.as_str(), deadline.remaining(self.clock) / 2);
        let kept = tokens.look_up(&key);
        let old = match kept {
            Cached::Aging(token) if !lock.is_held() => return Ok(token.into()),
            Cached::Aging(token) => Some(token),
            other => match settled(other) {
                Some(answer) => return answer,
                None => None,
            },
        };
        let iam = self.iam(endpoint, deadline);
        match identity.exchange(&iam) {
            Ok(issued) => {
                tokens.keep(&key, &issued);
                Ok(issued.access_token.into())
            }
            Err(Failure::TryLater(reason)) if old.is_some() => {
                tracing::warn!(reason, "the old token serves once more");
                old.map(Credential::from).ok_or(Failure::NotFound)
            }
            Err(failure) => {
                tokens.remember_failure(&key, &failure);
                Err(failure)
            }
        }
    }

    /// Keeps a credential that somebody logged in with.
    ///
    /// A client that logged in with what [`Broker::get`] answered brings it back;
    /// that succeeds and changes nothing.
    ///
    /// # Errors
    /// The keychain does not take it, or no client could use it.
    pub fn store(&self, registry: &Registry, credential: Credential) -> Result<()> {
        let login = Login::new(credential);
        if login.username == "<token>" {
            return Err(Failure::act(format!(
                "{registry} takes no identity token (user name <token>); log in with `docker login -u iamapikey {registry}`"
            )));
        }
        let endpoint = self.endpoint(registry);
        let given = self.given(&endpoint);
        let lock = self.locks.lock_registry(registry);
        if login.kind() == LoginKind::Bearer
            && (jwt::has_expired(login.secret.expose(), self.clock.now(), 0)
                || identity::has_durable(registry, &given, &lock)?)
        {
            tracing::debug!(%registry, "an access token came back and is not stored");
            return Ok(());
        }
        forget_tokens(registry, &given);
        given.logins.write(registry, &login)?;
        // IAM may have refused this very login a moment ago, before it was mended.
        given.tokens.forget(&CacheKey::new(&endpoint, &login.id));
        identity::note_login(registry, &login, &given);
        Ok(())
    }

    /// Forgets the login for a registry, and the token that came from it.
    ///
    /// # Errors
    /// The keychain does not let it go. That nothing was stored is no error.
    pub fn erase(&self, registry: &Registry) -> Result<()> {
        let endpoint = self.endpoint(registry);
        let given = self.given(&endpoint);
        let _lock = self.locks.lock_registry(registry);
        forget_tokens(registry, &given);
        given.logins.delete(registry)
    }

    /// Every registry that has a login, and the login's user name.
    ///
    /// # Errors
    /// The keychain cannot tell.
    pub fn list(&self) -> Result<BTreeMap<Registry, String>> {
        let logins = Logins::in_keychain(&*self.keychains.logins);
        let mut usernames = BTreeMap::new();
        for registry in logins.registries()? {
            // One that cannot be read is for `get` to complain about.
            if let Ok(Some(login)) = logins.read(&registry) {
                usernames.insert(registry, login.username);
            }
        }
        Ok(usernames)
    }

    fn endpoint(&self, registry: &Registry) -> Endpoint {
        match &self.settings.iam_endpoint {
            Some(endpoint) => endpoint.clone(),
            None if registry.is_staging() => Endpoint::staging(),
            None => Endpoint::public(),
        }
    }

    fn given<'a>(&'a self, endpoint: &'a Endpoint) -> Given<'a> {
        Given {
            clock: self.clock,
            endpoint,
            environment: self.environment,
            locks: self.locks,
            logins: Logins::in_keychain(&*self.keychains.logins),
            tokens: TokenCache::new(&*self.keychains.tokens, self.clock),
            tokens_are_near: self.keychains.tokens_are_near,
        }
    }

    fn iam<'a>(&'a self, endpoint: &Endpoint, deadline: Deadline) -> Iam<'a> {
        Iam {
            endpoint: endpoint.clone(),
            transport: self.transport,
            clock: self.clock,
            random: self.random,
            limits: self.settings.limits,
            deadline,
        }
    }
}

/// Forgets what came from the registry's login; a keychain that cannot be read
/// does not keep it from being replaced or removed.
fn forget_tokens(registry: &Registry, given: &Given<'_>) {
    let noted = given.tokens.hint(registry).map(|hint| hint.id);
    let stored = given
        .logins
        .read(registry)
        .ok()
        .flatten()
        .map(|login| login.id);
    given.tokens.forget_hint(registry);
    for id in noted.iter().chain(&stored) {
        given.tokens.forget(&CacheKey::new(given.endpoint, id));
    }
}

/// The answer that needs no exchange, if there is one.
fn settled(cached: Cached) -> Option<Result<Credential>> {
    match cached {
        Cached::Fresh(token) => Some(Ok(token.into())),
        Cached::Failed(failure) => Some(Err(failure)),
        Cached::Aging(_) | Cached::Nothing => None,
    }
}
