//! The order of things: the only place that knows what comes after what when a
//! client asks for a credential, leaves one with us or takes it away.

use std::path::Path;
use std::time::Duration;

use crate::clock::Clock;
use crate::clock::Deadline;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::failure::Result;
use crate::iam::Iam;
use crate::iam::Issued;
use crate::iam::MOST_ATTEMPTS;
use crate::iam::endpoint::Endpoint;
use crate::iam::transport::Transport;
use crate::identity;
use crate::identity::Found;
use crate::identity::Given;
use crate::identity::Identity;
use crate::identity::Nearby;
use crate::identity::Notes;
use crate::identity::Places;
use crate::keychain::Keychains;
use crate::lock::Lock;
use crate::lock::LockDirectory;
use crate::login::LoginScope;
use crate::login::Logins;
use crate::protocol::Credential;
use crate::protocol::PROGRAM;
use crate::registry::Registry;
use crate::registry_api::Access;
use crate::registry_api::RegistryApi;
use crate::registry_api::tokens::Token;
use crate::registry_token;
use crate::registry_token::Mark;
use crate::secret::Secret;
use crate::settings::Choice;
use crate::settings::CredentialKind;
use crate::settings::Settings;
use crate::token_cache::CacheKey;
use crate::token_cache::Cached;
use crate::token_cache::TokenCache;

mod description;
mod logins;
#[cfg(test)]
mod machine;

pub use description::Description;
pub use description::TokenLife;

/// Who waited this long for IAM in vain would be followed by others who wait as
/// long, so the failure is remembered although it may have passed.
const LONG_WAIT: Duration = Duration::from_secs(5);

/// How long a refresh token is handed out again: it may live for days, but a
/// session that nobody uses ends sooner.
const LONGEST_KEPT: Duration = Duration::from_secs(2 * 60 * 60);

/// How long removing old registry tokens may take: somebody may wait for the new one.
const TIDYING: Duration = Duration::from_secs(3);

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
    /// What this machine is called, if it is called anything.
    pub machine_name: &'a dyn Fn() -> Option<String>,
    /// Where other programs leave their files.
    pub places: &'a Places,
    /// Random bits.
    pub random: &'a dyn Fn() -> u64,
    /// Starts a process that calls [`Broker::renew`], so that nobody waits for it.
    pub renewal: &'a dyn Renewal,
    /// What was chosen.
    pub settings: &'a Settings,
    /// The way to IAM.
    pub transport: &'a dyn Transport,
}

/// Gets the next token in the background.
pub trait Renewal {
    /// Starts it, if that is possible here and nobody turned it off.
    fn start(&self, registry: &Registry) -> bool;
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
        let given = self.given(registry, &endpoint);
        let wanted = given.choice.credential;
        let nearby = self.look_nearby(registry, &given)?;
        if let Some(answer) = self.settled(registry, &nearby, &given.tokens) {
            return answer.map(|secret| wanted.with(secret));
        }
        match self.find(registry, &given, deadline) {
            Ok(None) => Err(Failure::NotFound),
            Ok(Some(Found::Credential(credential))) => Ok(credential),
            Ok(Some(Found::AccessToken(token))) => given_token(registry, wanted, token),
            Ok(Some(Found::Identity(identity))) => {
                match self.of_identity(registry, &*identity, &given, deadline) {
                    Err(failure @ Failure::PersonMustAct(_)) => self
                        .of_successor(registry, &*identity, &given, deadline)
                        .unwrap_or(Err(failure)),
                    answer => answer,
                }
            }
            // A keychain that is locked or hangs for now need not cost the answer.
            Err(failure @ Failure::TryLater(_)) => match nearby.cached {
                Cached::Aging(secret) | Cached::Ending(secret) => Ok(wanted.with(secret)),
                _ => Err(failure),
            },
            Err(failure) => Err(failure),
        }
    }

    /// Gets the next token for a registry, if it is still time for that when nobody
    /// else is at it. What cannot be had now, whoever needs it will ask for again.
    ///
    /// # Errors
    /// What went wrong, for the log.
    pub fn renew(&self, registry: &Registry) -> Result<()> {
        let deadline = Deadline::after(self.clock, self.settings.limits.deadline);
        let endpoint = self.endpoint(registry);
        let given = self.given(registry, &endpoint);
        let Some(Found::Identity(identity)) = self.find(registry, &given, deadline)? else {
            return Ok(());
        };
        let errand = Errand {
            registry,
            identity: &*identity,
            given: &given,
            wanted: given.choice.credential,
            deadline,
        };
        let key = errand.key();
        let access = self.access_for(&errand);
        // Whoever started us may still hold it.
        let lock = self
            .locks
            .lock_identity(key.as_str(), deadline.remaining(self.clock) / 2);
        if matches!(lock, Lock::Busy) || !given.tokens.needs_renewal(&key) {
            return Ok(());
        }
        let old = given.tokens.secret(&key);
        let obtained = self.exchange(&errand, access, true).0?;
        given.tokens.keep(&key, &obtained.secret, obtained.lifetime);
        drop(lock);
        self.tidy(&errand, obtained, old.as_ref());
        Ok(())
    }

    /// What is known about the registry's token from local facts.
    fn look_nearby(&self, registry: &Registry, given: &Given<'_>) -> Result<Kept> {
        let nothing = Kept {
            key: None,
            cached: Cached::Nothing,
        };
        let wanted = given.choice.credential;
        Ok(match (identity::nearby(registry, given)?, wanted) {
            (_, CredentialKind::ApiKey) => nothing,
            (Nearby::AccessToken(token), CredentialKind::AccessToken) => Kept {
                key: None,
                cached: Cached::Fresh(token),
            },
            (Nearby::AccessToken(token), CredentialKind::RegistryToken) => {
                let key = identity::of_access_token(token, given).key();
                Kept::under(wanted.key_of(key, registry), &given.tokens)
            }
            (Nearby::Key(key), _) => Kept::under(wanted.key_of(key, registry), &given.tokens),
            _ => nothing,
        })
    }

    /// What speaks for the registry. A token that was given is somebody whom the
    /// registry can be asked for a token of its own.
    fn find<'a>(
        &self,
        registry: &Registry,
        given: &'a Given<'a>,
        deadline: Deadline,
    ) -> Result<Option<Found<'a>>> {
        let _span = tracing::debug_span!("find", %registry).entered();
        let wanted = given.choice.credential;
        let found = identity::find(registry, given, Notes::Until(deadline))?;
        Ok(match found {
            Some(Found::AccessToken(token)) if wanted == CredentialKind::RegistryToken => {
                let identity = identity::of_access_token(token, given);
                Some(Found::Identity(Box::new(identity)))
            }
            other => other,
        })
    }

    /// What an identity has for the registry: its key, if that was chosen, or a
    /// token.
    fn of_identity(
        &self,
        registry: &Registry,
        identity: &dyn Identity,
        given: &Given<'_>,
        deadline: Deadline,
    ) -> Result<Credential> {
        let wanted = given.choice.credential;
        if wanted == CredentialKind::ApiKey {
            return own_api_key(registry, identity);
        }
        let secret = self.token(registry, identity, given, deadline)?;
        Ok(wanted.with(secret))
    }

    /// What another identity has for the registry that took the place of a refused
    /// one in the meantime: somebody may have rotated its API key.
    fn of_successor(
        &self,
        registry: &Registry,
        refused: &dyn Identity,
        given: &Given<'_>,
        deadline: Deadline,
    ) -> Option<Result<Credential>> {
        match identity::find(registry, given, Notes::None) {
            Ok(Some(Found::Identity(identity))) if identity.key() != refused.key() => {
                Some(self.of_identity(registry, &*identity, given, deadline))
            }
            _ => None,
        }
    }

    /// A token for an identity: the one that is kept while it is good, otherwise
    /// a new one.
    fn token(
        &self,
        registry: &Registry,
        identity: &dyn Identity,
        given: &Given<'_>,
        deadline: Deadline,
    ) -> Result<Secret> {
        let errand = Errand {
            registry,
            identity,
            given,
            wanted: given.choice.credential,
            deadline,
        };
        let kept = Kept::under(errand.key(), &given.tokens);
        match self.settled(registry, &kept, &given.tokens) {
            Some(answer) => answer,
            None => self.fetch(&errand, Age::Any),
        }
    }

    /// A new token, unless somebody else has got one in the meantime. Of all
    /// processes that want it, one asks.
    fn fetch(&self, errand: &Errand<'_>, age: Age) -> Result<Secret> {
        let tokens = &errand.given.tokens;
        let key = errand.key();
        // Before the lock: what it takes has a lock of its own, which may be the
        // same file.
        let access = self.access_for(errand);
        // Half of the time for waiting, so that half is left for asking.
        let lock = self
            .locks
            .lock_identity(key.as_str(), errand.deadline.remaining(self.clock) / 2);
        let kept = tokens.secret(&key);
        let old = match tokens.look_up(&key) {
            Cached::Failed(failure) => return Err(failure),
            Cached::Nothing => None,
            _ if age == Age::Young && tokens.needs_renewal(&key) => None,
            Cached::Fresh(secret) => return Ok(secret),
            Cached::Aging(secret) | Cached::Ending(secret) => match lock {
                Lock::Busy => return Ok(secret),
                _ => Some(secret),
            },
        };
        let (outcome, took_long) = self.exchange(errand, access, old.is_some());
        match (outcome, old) {
            (Ok(obtained), _) => {
                tokens.keep(&key, &obtained.secret, obtained.lifetime);
                drop(lock);
                let secret = obtained.secret.clone();
                self.tidy(errand, obtained, kept.as_ref());
                Ok(secret)
            }
            (Err(Failure::TryLater(reason)), Some(secret)) => {
                tracing::warn!(reason, "the old token serves once more");
                if took_long {
                    tokens.postpone(&key);
                }
                Ok(secret)
            }
            (Err(failure), old) => {
                // What others still use is not written over by whoever is choosy.
                let is_ours = old.is_some() || kept.is_none();
                if is_ours && (took_long || matches!(failure, Failure::PersonMustAct(_))) {
                    tokens.remember_failure(&key, &failure);
                }
                Err(failure)
            }
        }
    }

    /// The answer that needs no exchange now, if there is one. An aging token is
    /// one, once somebody gets the next in the background; one that is about to end
    /// is not.
    fn settled(
        &self,
        registry: &Registry,
        kept: &Kept,
        tokens: &TokenCache<'_>,
    ) -> Option<Result<Secret>> {
        match (&kept.cached, &kept.key) {
            (Cached::Fresh(secret), _) => Some(Ok(secret.clone())),
            (Cached::Failed(failure), _) => Some(Err(failure.clone())),
            (Cached::Aging(secret), Some(key)) => self
                .is_renewed_by_another(registry, key, tokens)
                .then(|| Ok(secret.clone())),
            (Cached::Aging(_) | Cached::Ending(_) | Cached::Nothing, _) => None,
        }
    }

    /// Whether another process gets the next token: one that is at it now, or one
    /// that is started here. Noting the attempt keeps others from starting one.
    fn is_renewed_by_another(
        &self,
        registry: &Registry,
        key: &CacheKey,
        tokens: &TokenCache<'_>,
    ) -> bool {
        if !self.settings.background_refresh {
            return false;
        }
        let lock = self.locks.try_identity(key.as_str());
        if matches!(lock, Lock::Busy) {
            return true;
        }
        let is_started = self.renewal.start(registry);
        if is_started {
            tokens.postpone(key);
        }
        is_started
    }

    /// Asks IAM, or the registry, and says whether that took so long that the next
    /// in line had better not. With a token that still works nobody should wait for
    /// them to come back.
    fn exchange(
        &self,
        errand: &Errand<'_>,
        access: Option<Result<Access>>,
        has_token: bool,
    ) -> (Result<Obtained>, bool) {
        let identity = errand.identity;
        let _span = tracing::debug_span!("exchange", source = identity.source()).entered();
        let started = self.clock.elapsed();
        let most_attempts = if has_token { 1 } else { MOST_ATTEMPTS };
        let outcome = match access {
            Some(access) => {
                access.and_then(|access| self.registry_token(errand, access, most_attempts))
            }
            None => self.iam_token(errand, most_attempts),
        };
        (outcome, self.clock.elapsed() - started >= LONG_WAIT)
    }

    fn iam_token(&self, errand: &Errand<'_>, most_attempts: u32) -> Result<Obtained> {
        let wanted = errand.wanted;
        let iam = self.iam(errand.identity.endpoint(), most_attempts, errand.deadline);
        let issued = errand.identity.exchange(&iam, wanted)?;
        Obtained::of(issued, wanted)
            .ok_or_else(|| cannot_give(errand.registry, wanted, &errand.identity.source()))
    }

    fn registry_token(
        &self,
        errand: &Errand<'_>,
        access: Access,
        most_attempts: u32,
    ) -> Result<Obtained> {
        let carrier = self.iam(errand.identity.endpoint(), most_attempts, errand.deadline);
        let api = RegistryApi::new(errand.registry, access.clone(), None, carrier)?;
        let token = registry_token::make(&api, &self.mark(errand))?;
        Ok(Obtained {
            secret: token.value.clone(),
            lifetime: registry_token::lifetime(&token, self.clock),
            registry_token: Some((token, access)),
        })
    }

    /// Removes registry tokens that this program made before and that nobody uses
    /// any more. To be called without a lock: others need not wait for it.
    fn tidy(&self, errand: &Errand<'_>, obtained: Obtained, replaced: Option<&Secret>) {
        let Some((token, access)) = obtained.registry_token else {
            return;
        };
        let left = errand.deadline.remaining(self.clock).min(TIDYING);
        let deadline = Deadline::after(self.clock, left);
        let carrier = self.iam(errand.identity.endpoint(), 1, deadline);
        if let Ok(api) = RegistryApi::new(errand.registry, access, None, carrier) {
            registry_token::remove_unused(&api, &self.mark(errand), &token, replaced);
        }
    }

    /// What makes the registry tokens of an identity known again.
    fn mark(&self, errand: &Errand<'_>) -> Mark {
        let machine = (self.machine_name)().unwrap_or_else(|| "a machine without a name".into());
        let home = self.places.home.as_deref().unwrap_or(Path::new(""));
        let key = errand.key();
        let parts = [
            &*home.to_string_lossy(),
            &self.settings.namespace,
            key.as_str(),
        ];
        Mark::new(&machine, &parts)
    }

    /// What a registry token is made with; `None` where none is wanted.
    fn access_for(&self, errand: &Errand<'_>) -> Option<Result<Access>> {
        (errand.wanted == CredentialKind::RegistryToken).then(|| self.access_of(errand))
    }

    fn access_of(&self, errand: &Errand<'_>) -> Result<Access> {
        let errand = Errand {
            wanted: CredentialKind::AccessToken,
            ..*errand
        };
        Ok(Access {
            token: self.fetch(&errand, Age::Any)?,
            // After the exchange, which may have replaced it.
            refresh_token: errand.identity.refresh_token(),
            source: errand.identity.source(),
        })
    }

    /// What opens a registry's management API: an access token of whoever speaks for
    /// the registry, whatever `get` hands out. A login that is handed out as it is
    /// opens nothing, and is passed over.
    ///
    /// # Errors
    /// Nobody speaks for the registry, or IAM does not give a token.
    pub fn access(&self, registry: &Registry) -> Result<Access> {
        let deadline = Deadline::after(self.clock, self.settings.limits.deadline);
        let endpoint = self.endpoint(registry);
        let given = self.given(registry, &endpoint);
        match identity::find_identity(registry, &given)? {
            None | Some(Found::Credential(_)) => Err(Failure::act(format!(
                "nothing says who you are at IBM Cloud for {registry}; run `{PROGRAM} login`, or set IBMCLOUD_API_KEY"
            ))),
            Some(Found::AccessToken(token)) => Ok(Access {
                source: identity::of_access_token(token.clone(), &given).source(),
                token,
                refresh_token: None,
            }),
            Some(Found::Identity(identity)) => self.access_of(&Errand {
                registry,
                identity: &*identity,
                given: &given,
                wanted: CredentialKind::AccessToken,
                deadline,
            }),
        }
    }

    /// A registry's management API, opened by whoever speaks for the registry; the
    /// account is theirs, unless it is named.
    ///
    /// # Errors
    /// See [`Broker::access`] and [`RegistryApi::new`].
    pub fn registry_api(
        &self,
        registry: &Registry,
        account: Option<&str>,
    ) -> Result<RegistryApi<'_>> {
        let access = self.access(registry)?;
        let deadline = Deadline::after(self.clock, self.settings.limits.deadline);
        let carrier = self.iam(&self.endpoint(registry), MOST_ATTEMPTS, deadline);
        RegistryApi::new(registry, access, account, carrier)
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
        let deadline = Deadline::after(self.clock, self.settings.limits.deadline);
        let endpoint = self.endpoint(registry);
        let mut given = self.given(registry, &endpoint);
        given.choice.credential = wanted.unwrap_or(given.choice.credential);
        let wanted = given.choice.credential;
        match self.find(registry, &given, deadline)? {
            None => Err(Failure::NotFound),
            Some(Found::Credential(credential)) => Ok(credential),
            Some(Found::AccessToken(token)) => given_token(registry, wanted, token),
            Some(Found::Identity(identity)) if wanted == CredentialKind::ApiKey => {
                own_api_key(registry, &*identity)
            }
            Some(Found::Identity(identity)) => {
                let errand = Errand {
                    registry,
                    identity: &*identity,
                    given: &given,
                    wanted,
                    deadline,
                };
                Ok(wanted.with(self.fetch(&errand, Age::Young)?))
            }
        }
    }

    /// IAM at an endpoint, as everybody asks it.
    pub fn iam(&self, endpoint: &Endpoint, most_attempts: u32, deadline: Deadline) -> Iam<'_> {
        Iam {
            endpoint: endpoint.clone(),
            transport: self.transport,
            clock: self.clock,
            random: self.random,
            limits: self.settings.limits,
            most_attempts,
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

    fn given<'a>(&'a self, registry: &Registry, endpoint: &'a Endpoint) -> Given<'a> {
        self.given_of(&LoginScope::Registry(registry.clone()), endpoint)
    }

    fn given_of<'a>(&'a self, scope: &LoginScope, endpoint: &'a Endpoint) -> Given<'a> {
        Given {
            choice: self.choice_of(scope),
            clock: self.clock,
            endpoint,
            environment: self.environment,
            locks: self.locks,
            logins: Logins::in_keychain(&*self.keychains.logins),
            near_logins: self
                .keychains
                .tokens_are_near
                .then(|| Logins::in_keychain(&*self.keychains.tokens)),
            places: self.places,
            tokens: TokenCache::new(&*self.keychains.tokens, self.clock),
            working_directory_credentials: self.settings.working_directory_credentials,
        }
    }
}

/// The IAM of production's or of staging's registries, unless another one was
/// chosen.
fn usual_endpoint(is_staging: bool) -> Endpoint {
    match is_staging {
        true => Endpoint::staging(),
        false => Endpoint::public(),
    }
}

/// What is kept, and under which key.
struct Kept {
    key: Option<CacheKey>,
    cached: Cached,
}

impl Kept {
    fn under(key: CacheKey, tokens: &TokenCache<'_>) -> Self {
        Self {
            cached: tokens.look_up(&key),
            key: Some(key),
        }
    }
}

/// What is asked for, for which registry, and by when.
#[derive(Clone, Copy)]
struct Errand<'a> {
    registry: &'a Registry,
    identity: &'a dyn Identity,
    given: &'a Given<'a>,
    wanted: CredentialKind,
    deadline: Deadline,
}

impl Errand<'_> {
    /// Under which key the answer is kept.
    fn key(&self) -> CacheKey {
        self.wanted.key_of(self.identity.key(), self.registry)
    }
}

/// How old a token may be.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Age {
    /// As long as it works.
    Any,
    /// At most half its life.
    Young,
}

/// What an exchange came to.
struct Obtained {
    /// What is handed out.
    secret: Secret,
    /// How long it is good, from now on.
    lifetime: Duration,
    /// The registry token that it is, and what it was made with.
    registry_token: Option<(Token, Access)>,
}

impl Obtained {
    /// The part of IAM's answer that is handed out; `None` if it has none.
    fn of(issued: Issued, wanted: CredentialKind) -> Option<Self> {
        let (secret, lifetime) = match wanted {
            CredentialKind::RefreshToken => {
                let lifetime = issued.refresh_lifetime.unwrap_or(LONGEST_KEPT);
                (issued.refresh_token?, lifetime.min(LONGEST_KEPT))
            }
            _ => (issued.access_token, issued.lifetime),
        };
        Some(Self {
            secret,
            lifetime,
            registry_token: None,
        })
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

    /// The credential that is handed out.
    fn with(self, secret: Secret) -> Credential {
        Credential {
            username: self.username().to_owned(),
            secret,
        }
    }
}

/// An access token that was given to us, if that is what is wanted.
fn given_token(registry: &Registry, wanted: CredentialKind, token: Secret) -> Result<Credential> {
    match wanted {
        CredentialKind::AccessToken => Ok(Credential::bearer(token)),
        _ => Err(cannot_give(
            registry,
            wanted,
            "an access token that was given",
        )),
    }
}

/// The API key that an identity is.
fn own_api_key(registry: &Registry, identity: &dyn Identity) -> Result<Credential> {
    let wanted = CredentialKind::ApiKey;
    match identity.api_key() {
        Some(key) => Ok(wanted.with(key.clone())),
        None => Err(cannot_give(registry, wanted, &identity.source())),
    }
}

fn cannot_give(registry: &Registry, wanted: CredentialKind, source: &str) -> Failure {
    Failure::act(format!(
        "the settings want `{wanted}` for {registry}, but {source} does not lead to one; choose another `credential` in the profile, or log in with an API key"
    ))
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::machine::Machine;
    use super::machine::START;
    use super::machine::form;
    use super::machine::registry;
    use super::*;
    use crate::iam::grant::Client;
    use crate::iam::transport::Authorization;
    use crate::keychain::KeychainError;
    use crate::login::Login;

    #[test]
    fn a_fresh_token_is_found_without_the_far_keychain_and_without_iam() {
        let machine = Machine::with_login("iamapikey", "key");
        assert_eq!(
            machine.get("us.icr.io").as_deref(),
            Ok("iambearer:access-1")
        );
        let calls = machine.far.calls();
        machine.clock.advance(Duration::from_secs(1799));
        assert_eq!(
            machine.get("us.icr.io").as_deref(),
            Ok("iambearer:access-1")
        );
        assert_eq!(machine.far.calls(), calls, "a hit is local");
        machine.clock.advance(Duration::from_secs(1));
        assert_eq!(
            machine.get("us.icr.io").as_deref(),
            Ok("iambearer:access-2"),
            "half its life is over"
        );
    }

    #[test]
    fn all_regions_share_the_token_of_one_identity() {
        let machine = Machine::with_environment(&[("IC_API_KEY", "key")]);
        for region in crate::registry::REGIONS {
            for host in [region.host, region.private_host] {
                assert_eq!(machine.get(host).as_deref(), Ok("iambearer:access-1"));
            }
        }
        assert_eq!(machine.exchanges(), 1);
        assert_eq!(
            machine.get("stg.icr.io").as_deref(),
            Ok("iambearer:access-2"),
            "staging has an IAM of its own"
        );
        let asked = machine.iam.asked.borrow();
        assert_eq!(
            asked[1].url,
            "https://iam.test.cloud.ibm.com/identity/token"
        );
    }

    #[test]
    fn nothing_is_noted_about_a_login_that_somebody_changes() {
        let machine = Machine::new();
        let scopes = [
            LoginScope::Registry(registry("us.icr.io")),
            LoginScope::Default,
        ];
        let look = || {
            machine.ask(|broker| {
                let endpoint = Endpoint::public();
                let given = broker.given(&registry("us.icr.io"), &endpoint);
                let at_once = Deadline::after(&*machine.clock, Duration::ZERO);
                let found = identity::find(&registry("us.icr.io"), &given, Notes::Until(at_once));
                assert!(found.unwrap().is_none());
                scopes
                    .each_ref()
                    .map(|scope| given.tokens.hint(scope).is_some())
            })
        };
        let changing = machine
            .locks
            .lock_login(&LoginScope::Default, Duration::ZERO);
        assert_eq!(look(), [true, false]);
        drop(changing);
        assert_eq!(look(), [true, true]);
    }

    #[test]
    fn while_iam_is_down_the_old_token_serves_until_its_last_minute() {
        let machine = Machine::with_login("iamapikey", "key");
        machine.get("us.icr.io").unwrap();
        machine.fail_iam_with(503);
        machine.clock.now.set(START + 3539);
        assert_eq!(
            machine.get("us.icr.io").as_deref(),
            Ok("iambearer:access-1")
        );
        machine.clock.now.set(START + 3540);
        assert!(matches!(
            machine.get("us.icr.io"),
            Err(Failure::TryLater(_))
        ));
    }

    #[test]
    fn an_old_token_does_not_hide_that_iam_refused_the_login() {
        let machine = Machine::with_login("iamapikey", "key");
        machine.get("us.icr.io").unwrap();
        machine.fail_iam_with(400);
        machine.clock.advance(Duration::from_secs(1800));
        assert!(matches!(
            machine.get("us.icr.io"),
            Err(Failure::PersonMustAct(_))
        ));
    }

    #[test]
    fn a_failure_is_remembered_for_seconds_and_forgotten_by_a_new_login() {
        let machine = Machine::with_login("iamapikey", "key");
        machine.fail_iam_with(400);
        let first = machine.get("us.icr.io").unwrap_err();
        assert_eq!(machine.get("us.icr.io"), Err(first), "the same words again");
        assert_eq!(machine.exchanges(), 1);
        *machine.iam.status.borrow_mut() = None;
        machine.store("us.icr.io", "iamapikey", "key").unwrap();
        assert_eq!(
            machine.get("us.icr.io").as_deref(),
            Ok("iambearer:access-2")
        );
    }

    #[test]
    fn a_locked_keychain_costs_no_answer_that_is_still_good() {
        let machine = Machine::with_login("iamapikey", "key");
        machine.get("us.icr.io").unwrap();
        machine.far.fail_with(Some(KeychainError::Locked("far")));
        machine.clock.advance(Duration::from_secs(2000));
        assert_eq!(
            machine.get("us.icr.io").as_deref(),
            Ok("iambearer:access-1")
        );
        let failure = machine.get("de.icr.io").unwrap_err().to_string();
        assert!(
            failure.contains("locked"),
            "not knowing is not the same as nothing: {failure}"
        );
    }

    #[test]
    fn the_environment_comes_before_a_stored_login() {
        let machine = Machine::with_environment(&[("IBMCLOUD_API_KEY", "key")]);
        machine.store("us.icr.io", "somebody", "password").unwrap();
        assert_eq!(
            machine.get("us.icr.io").as_deref(),
            Ok("iambearer:access-1")
        );
    }

    #[test]
    fn a_rotated_refresh_token_replaces_the_stored_one_everywhere() {
        let machine = Machine::with_login("iamrefresh", "first");
        machine.store("de.icr.io", "iamrefresh", "first").unwrap();
        machine.store("uk.icr.io", "iamrefresh", "another").unwrap();
        for (host, token) in [
            ("us.icr.io", "access-1"),
            ("de.icr.io", "access-1"),
            ("uk.icr.io", "access-2"),
        ] {
            assert_eq!(machine.get(host), Ok(format!("iambearer:{token}")));
        }
        machine.clock.advance(Duration::from_secs(2000));
        machine.get("de.icr.io").unwrap();
        let asked = machine.iam.asked.borrow();
        let sent: Vec<&str> = asked.iter().map(|request| form(request)[2].1).collect();
        assert_eq!(sent, ["first", "another", "refresh-1"]);
        assert!(
            asked
                .iter()
                .all(|request| request.authorization == Authorization::Basic(Client::cli()))
        );
    }

    #[test]
    fn a_profile_is_assumed_with_the_service_ids_token() {
        let machine = Machine::with_login("Profile-1", "key");
        assert_eq!(
            machine.get("us.icr.io").as_deref(),
            Ok("iambearer:access-2")
        );
        let asked = machine.iam.asked.borrow();
        assert_eq!(
            form(&asked[1]),
            [
                ("grant_type", "urn:ibm:params:oauth:grant-type:assume"),
                ("access_token", "access-1"),
                ("profile_id", "Profile-1"),
            ]
        );
    }

    #[test]
    fn where_nothing_can_be_locked_an_aging_token_is_replaced_all_the_same() {
        let mut machine = Machine::with_login("iamapikey", "key");
        machine.locks = LockDirectory::at(None);
        machine.get("us.icr.io").unwrap();
        machine.clock.advance(Duration::from_secs(1800));
        assert_eq!(
            machine.get("us.icr.io").as_deref(),
            Ok("iambearer:access-2")
        );
    }

    #[test]
    fn while_iam_is_down_nobody_waits_who_has_a_token() {
        let machine = Machine::with_login("iamapikey", "key");
        machine.get("us.icr.io").unwrap();
        machine.fail_iam_with(503);
        machine.clock.now.set(START + 1800);
        let (asked, elapsed) = (machine.exchanges(), machine.clock.elapsed.get());
        for _ in 0..26 {
            assert_eq!(
                machine.get("us.icr.io").as_deref(),
                Ok("iambearer:access-1")
            );
        }
        assert_eq!(machine.exchanges() - asked, 26, "each asks once");
        assert_eq!(machine.clock.elapsed.get(), elapsed, "and never pauses");
        *machine.iam.status.borrow_mut() = None;
        assert_ne!(
            machine.get("us.icr.io").as_deref(),
            Ok("iambearer:access-1")
        );
    }

    #[test]
    fn who_waited_long_for_iam_waited_for_the_others_too() {
        let machine = Machine::with_login("iamapikey", "key");
        machine.get("us.icr.io").unwrap();
        machine.fail_iam_with(503);
        machine.clock.now.set(START + 1800);
        let clock = Rc::clone(&machine.clock);
        let waiting = move || clock.advance(LONG_WAIT);
        *machine.iam.meanwhile.borrow_mut() = Some(Box::new(waiting));
        machine.get("us.icr.io").unwrap();
        let asked = machine.exchanges();
        machine.get("us.icr.io").unwrap();
        assert_eq!(machine.exchanges(), asked);
    }

    #[test]
    fn a_new_refresh_token_is_kept_near_while_its_place_cannot_be_written() {
        let machine = Machine::with_login("iamrefresh", "first");
        let far = Rc::clone(&machine.far);
        let lock = move || far.fail_with(Some(KeychainError::Locked("far")));
        *machine.iam.meanwhile.borrow_mut() = Some(Box::new(lock));
        assert_eq!(
            machine.get("us.icr.io").as_deref(),
            Ok("iambearer:access-1")
        );
        let near = Logins::in_keychain(&*machine.keychains.tokens);
        let login = near
            .read(&LoginScope::Registry(registry("us.icr.io")))
            .unwrap()
            .unwrap();
        assert_eq!(login.secret.expose(), "refresh-1");
    }

    #[test]
    fn an_aging_token_is_answered_at_once_and_renewed_once_by_another_process() {
        let machine = Machine::with_login("iamapikey", "key");
        machine.renewal.are_possible.set(true);
        machine.get("us.icr.io").unwrap();
        machine.clock.advance(Duration::from_secs(1800));
        for host in ["us.icr.io", "de.icr.io", "us.icr.io"] {
            machine.store(host, "iamapikey", "key").unwrap();
            assert_eq!(machine.get(host).as_deref(), Ok("iambearer:access-1"));
        }
        assert_eq!((machine.renewal.started.get(), machine.exchanges()), (1, 1));
        machine
            .ask(|broker| broker.renew(&registry("us.icr.io")))
            .unwrap();
        assert_eq!(
            machine.get("us.icr.io").as_deref(),
            Ok("iambearer:access-2")
        );
        machine
            .ask(|broker| broker.renew(&registry("us.icr.io")))
            .unwrap();
        assert_eq!(machine.exchanges(), 2, "it is done already");
    }

    #[test]
    fn while_nothing_comes_of_it_a_renewal_is_started_every_few_seconds() {
        let machine = Machine::with_login("iamapikey", "key");
        machine.renewal.are_possible.set(true);
        machine.get("us.icr.io").unwrap();
        machine.clock.advance(Duration::from_secs(1800));
        for started in [1, 1, 2, 2] {
            machine.get("us.icr.io").unwrap();
            assert_eq!(machine.renewal.started.get(), started);
            machine.clock.advance(Duration::from_secs(3));
        }
    }

    #[test]
    fn a_token_that_a_client_would_see_the_end_of_is_replaced_before_it_is_answered() {
        let machine = Machine::with_login("iamapikey", "key");
        machine.renewal.are_possible.set(true);
        machine.get("us.icr.io").unwrap();
        machine.clock.advance(Duration::from_secs(3300));
        assert_eq!(
            machine.get("us.icr.io").as_deref(),
            Ok("iambearer:access-2")
        );
        assert_eq!(machine.renewal.started.get(), 0);
    }

    #[test]
    fn what_a_renewal_is_refused_takes_nothing_from_the_old_token() {
        let machine = Machine::with_login("iamapikey", "key");
        machine.renewal.are_possible.set(true);
        machine.get("us.icr.io").unwrap();
        machine.clock.advance(Duration::from_secs(1800));
        machine.fail_iam_with(400);
        let outcome = machine.ask(|broker| broker.renew(&registry("us.icr.io")));
        assert!(outcome.is_err());
        assert_eq!(
            machine.get("us.icr.io").as_deref(),
            Ok("iambearer:access-1")
        );
        machine.clock.advance(Duration::from_secs(1800));
        assert!(
            machine.get("us.icr.io").is_err(),
            "and is told when it has ended"
        );
    }

    #[test]
    fn a_renewal_for_what_nobody_speaks_for_does_nothing() {
        let machine = Machine::new();
        assert_eq!(
            machine.ask(|broker| broker.renew(&registry("us.icr.io"))),
            Ok(())
        );
        assert_eq!(machine.exchanges(), 0);
    }

    #[test]
    fn a_key_that_is_rotated_in_the_middle_of_a_get_gives_way_to_the_new_one() {
        let machine = Machine::with_login("iamapikey", "old");
        *machine.iam.refused.borrow_mut() = Some(Secret::new("old"));
        assert!(machine.get("us.icr.io").is_err(), "nothing took its place");

        let machine = Machine::with_login("iamapikey", "old");
        *machine.iam.refused.borrow_mut() = Some(Secret::new("old"));
        let far = Rc::clone(&machine.far);
        let rotate = move || {
            let scope = LoginScope::Registry(registry("us.icr.io"));
            let credential = CredentialKind::ApiKey.with(Secret::new("new"));
            let logins = Logins::in_keychain(&*far);
            logins.write(&scope, &Login::new(credential)).unwrap();
        };
        *machine.iam.meanwhile.borrow_mut() = Some(Box::new(rotate));
        assert_eq!(
            machine.get("us.icr.io").as_deref(),
            Ok("iambearer:access-2")
        );
    }
}
