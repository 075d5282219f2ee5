//! A login that `store` put into the keychain.

use std::time::Duration;

use super::Found;
use super::Given;
use super::Identity;
use super::Source;
use crate::failure::Failure;
use crate::failure::Result;
use crate::iam::Iam;
use crate::iam::IamError;
use crate::iam::Issued;
use crate::iam::grant::Client;
use crate::iam::grant::Grant;
use crate::jwt;
use crate::lock::Lock;
use crate::login::Hint;
use crate::login::Login;
use crate::login::LoginKind;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::token_cache::CacheKey;
use crate::trusted_profile::TrustedProfile;

/// A stored token this close to its end is not handed out, in seconds: services
/// refuse tokens in their last moments (`go-sdk-core`, `core/token.go`).
const MARGIN: u64 = 10;

/// How long a hint is kept. It saves asking the slow keychain while the token is
/// fresh, which is half an hour as a rule.
const HINT_LIFE: Duration = Duration::from_secs(60 * 60);

/// The login for this registry host.
pub(super) struct StoredLogin;

struct StoredIdentity<'a> {
    given: &'a Given<'a>,
    registry: Registry,
    login: Login,
}

impl Source for StoredLogin {
    fn nearby_key(&self, registry: &Registry, given: &Given<'_>) -> Result<Option<CacheKey>> {
        let near = given.near_logins.as_ref();
        let hint = near.and_then(|_| given.tokens.hint(registry));
        Ok(hint.map(|hint| CacheKey::new(given.endpoint, &hint.id)))
    }

    fn find<'a>(
        &self,
        registry: &Registry,
        given: &'a Given<'a>,
        lock: &Lock,
    ) -> Result<Option<Found<'a>>> {
        // An empty secret proves nothing, and nobody gains by being told it.
        let login = given.logins.read(registry)?;
        let Some(login) = login.filter(|login| !login.secret.is_empty()) else {
            return Ok(None);
        };
        if lock.is_held() {
            note(registry, &login, given);
        }
        let ended = jwt::has_expired(login.secret.expose(), given.clock.now(), MARGIN);
        match login.kind() {
            kind if kind.is_exchanged() => Ok(Some(Found::Identity(Box::new(StoredIdentity {
                given,
                registry: registry.clone(),
                login,
            })))),
            LoginKind::RegistryToken if ended => {
                given.logins.delete(registry)?;
                Ok(None)
            }
            LoginKind::Bearer if ended => Ok(None),
            _ => Ok(Some(Found::Credential(login.into_credential()))),
        }
    }
}

/// Notes which login a registry has, if that helps to find its token.
pub(crate) fn note(registry: &Registry, login: &Login, given: &Given<'_>) {
    match given.near_logins.is_some() && login.kind().is_exchanged() {
        true => given.tokens.note_hint(
            registry,
            &Hint {
                id: login.id.clone(),
            },
            HINT_LIFE,
        ),
        false => given.tokens.forget_hint(registry),
    }
}

impl StoredIdentity<'_> {
    fn source(&self) -> String {
        format!(
            "the login `{}` stored for {}",
            self.login.username, self.registry
        )
    }

    fn grant(&self, iam: &Iam<'_>, grant: &Grant<'_>) -> Result<Issued> {
        iam.exchange(grant)
            .map_err(|error| error.with_source(&self.source(), &iam.endpoint))
    }

    fn by_key(&self, iam: &Iam<'_>) -> Result<Issued> {
        self.grant(
            iam,
            &Grant::ApiKey {
                key: &self.login.secret,
                for_refresh_token: false,
            },
        )
    }

    /// The key of a service ID, and with its token the profile.
    fn assume(&self, iam: &Iam<'_>) -> Result<Issued> {
        let own = self.by_key(iam)?;
        self.grant(
            iam,
            &Grant::Assume {
                access_token: &own.access_token,
                profile: &TrustedProfile::Id(self.login.username.clone()),
            },
        )
    }

    /// Another process may have rotated the token since the login was read; only
    /// what the keychain holds now is good. Should IAM refuse even that, the
    /// keychain is asked once more, for whoever replaced it without our lock.
    fn refresh(&self, iam: &Iam<'_>) -> Result<Issued> {
        let current = self.current()?;
        // `docker login -u iamrefresh` is how the IBM Cloud CLI logs in.
        let client = &Client::cli();
        let with_source = |error: IamError| error.with_source(&self.source(), &iam.endpoint);
        let issued = match iam.exchange(&Grant::RefreshToken {
            token: &current.secret,
            client,
        }) {
            Err(error @ IamError::Refused { .. }) => {
                let newer = self.current()?;
                if newer.secret == current.secret {
                    return Err(with_source(error));
                }
                self.grant(
                    iam,
                    &Grant::RefreshToken {
                        token: &newer.secret,
                        client,
                    },
                )
            }
            other => other.map_err(with_source),
        }?;
        if let Some(refresh_token) = issued
            .refresh_token
            .as_ref()
            .filter(|token| **token != current.secret)
        {
            self.rotate(refresh_token, iam);
        }
        Ok(issued)
    }

    fn current(&self) -> Result<Login> {
        match self.given.logins.read(&self.registry)? {
            Some(login) if login.id == self.login.id => Ok(login),
            _ => Err(Failure::later(format!(
                "the login for {} has just been replaced; try again",
                self.registry
            ))),
        }
    }

    /// Replaces the refresh token wherever this login is stored, here first. The
    /// access token is good whether or not that succeeds.
    fn rotate(&self, refresh_token: &Secret, iam: &Iam<'_>) {
        self.rotate_at(&self.registry, refresh_token, iam);
        for (registry, _) in self.given.logins.list().unwrap_or_default() {
            if registry != self.registry {
                self.rotate_at(&registry, refresh_token, iam);
            }
        }
    }

    fn rotate_at(&self, registry: &Registry, refresh_token: &Secret, iam: &Iam<'_>) {
        let patience = iam.deadline.remaining(iam.clock);
        let _lock = self.given.locks.lock_registry(registry, patience);
        let outcome = self
            .given
            .logins
            .read(registry)
            .and_then(|login| match login {
                Some(login) if login.id == self.login.id => self
                    .given
                    .logins
                    .write(registry, &login.rotated(refresh_token.clone())),
                _ => Ok(()),
            });
        let Err(error) = outcome else {
            return;
        };
        tracing::warn!(%registry, %error, "the new refresh token is not stored in its place");
        // The old one may be worth nothing now. The near keychain is read first,
        // so that the new one counts until it can be written to its place.
        if registry == &self.registry
            && let Some(near) = &self.given.near_logins
            && let Err(error) =
                near.write(registry, &self.login.clone().rotated(refresh_token.clone()))
        {
            tracing::warn!(%registry, %error, "the new refresh token is lost");
        }
    }
}

impl Identity for StoredIdentity<'_> {
    fn key(&self) -> CacheKey {
        CacheKey::new(self.given.endpoint, &self.login.id)
    }

    fn exchange(&self, iam: &Iam<'_>) -> Result<Issued> {
        match self.login.kind() {
            LoginKind::Profile => self.assume(iam),
            LoginKind::RefreshToken => self.refresh(iam),
            _ => self.by_key(iam),
        }
    }
}
