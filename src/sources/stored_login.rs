//! A login that `store` or `login` put into the keychain.

use std::iter;
use std::time::Duration;

use super::ExpiredLogin;
use super::Found;
use super::Identity;
use super::LocalLookup;
use super::Lookup;
use super::Notes;
use super::Source;
use super::SourceContext;
use super::Speaker;
use super::proof;
use super::proof::Base;
use super::proof::GrantInput;
use super::proof::SourceIdentity;
use crate::digest;
use crate::error::Error;
use crate::error::Result;
use crate::http::ServiceError;
use crate::iam::Iam;
use crate::iam::TokenResponse;
use crate::iam::endpoint::Endpoint;
use crate::iam::grant::Client;
use crate::iam::grant::Grant;
use crate::iam::trusted_profile::TrustedProfile;
use crate::lock::Lock;
use crate::login::Hint;
use crate::login::Login;
use crate::login::LoginKind;
use crate::login::LoginScope;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::settings::CredentialKind;
use crate::settings::SourceName;
use crate::sources::advice::SourceKind;
use crate::token_cache::CacheKey;

/// How long a hint is kept. It saves asking the slow keychain while the token is
/// fresh, which is half an hour as a rule.
const HINT_LIFE: Duration = Duration::from_secs(60 * 60);

/// How long it is noted that there is no login. Short, because a login that was
/// stored where our notes are not seen must be found soon.
const ABSENCE_LIFE: Duration = Duration::from_secs(60);

/// IAM's codes for a refresh token that has expired, and for a session that was ended.
const SESSION_ENDED: [&str; 2] = ["BXNIM0408E", "BXNIM0439E"];

/// The logins that may speak for a registry: each is a source of its own.
pub(super) enum StoredLogin {
    /// That of the profile chosen for the registry.
    OfProfile,
    /// That of the registry's host.
    OfRegistry,
    /// That of every registry; not where a profile was chosen, which is to be
    /// somebody else.
    Default,
}

impl StoredLogin {
    fn scope(&self, registry: &Registry, given: &SourceContext<'_>) -> Option<LoginScope> {
        match (self, given.choice.profile) {
            (Self::OfProfile, Some(profile)) => Some(LoginScope::Profile(profile.name.clone())),
            (Self::OfRegistry, _) => Some(LoginScope::Registry(registry.clone())),
            (Self::Default, None) if is_for(registry, given) => Some(LoginScope::Default),
            (Self::OfProfile, None) | (Self::Default, _) => None,
        }
    }
}

/// Whether the login for every registry is for this one as well. Staging has an
/// IAM of its own, which has no business with secrets of production.
fn is_for(registry: &Registry, given: &SourceContext<'_>) -> bool {
    !registry.is_staging() || given.choice.iam_endpoint.is_some()
}

impl Source for StoredLogin {
    fn find<'a>(
        &self,
        registry: &Registry,
        given: &'a SourceContext<'a>,
        notes: Notes,
    ) -> Result<Lookup<'a>> {
        let Some(scope) = self.scope(registry, given) else {
            return Ok(Lookup::Nothing);
        };
        let lock = lock_for_note(&scope, given, notes);
        // An empty secret proves nothing, and nobody gains by being told it.
        let login = given.logins.read(&scope)?;
        let login = login.filter(|login| !login.secret.is_empty());
        if lock.is_held() {
            note(&scope, login.as_ref(), given);
        }
        Ok(match login {
            None => Lookup::Nothing,
            Some(login) if login.has_expired(given.clock.now()) => {
                let id = login.id;
                Lookup::Expired(ExpiredLogin { scope, id })
            }
            Some(login) => Lookup::Found(found(scope, login, given)),
        })
    }

    fn name(&self) -> SourceName {
        SourceName::Login
    }

    fn nearby(&self, registry: &Registry, given: &SourceContext<'_>) -> Result<LocalLookup> {
        let Some(scope) = self.scope(registry, given) else {
            return Ok(LocalLookup::Absent);
        };
        let near = given.near_logins.as_ref();
        Ok(match near.and_then(|_| given.tokens.hint(&scope)) {
            None => LocalLookup::Unknown,
            Some(Hint { id: None }) => LocalLookup::Absent,
            Some(Hint { id: Some(id) }) => LocalLookup::Key(key(&id, given)),
        })
    }

    fn title(&self, registry: &Registry, given: &SourceContext<'_>) -> Result<String> {
        let scope = self.scope(registry, given);
        let login = scope.as_ref().map(|scope| given.logins.read(scope));
        let login = login.transpose()?.flatten();
        let title = scope
            .zip(login)
            .map(|(scope, login)| source(&login, &scope));
        Ok(title.unwrap_or_default())
    }

    fn speaker(&self, registry: &Registry, given: &SourceContext<'_>) -> Speaker {
        let scope = self.scope(registry, given);
        scope.map_or(Speaker::Source(self.name()), Speaker::Login)
    }
}

fn found<'a>(scope: LoginScope, login: Login, given: &'a SourceContext<'a>) -> Found<'a> {
    match login.kind() {
        LoginKind::RefreshToken => Found::Identity(Box::new(Rotating {
            given,
            scope,
            login,
        })),
        LoginKind::Bearer if given.choice.trusted_profile.is_none() => {
            Found::AccessToken(login.secret)
        }
        LoginKind::ApiKey | LoginKind::Bearer | LoginKind::Profile => {
            Found::Identity(Box::new(proven(&scope, login, given)))
        }
        LoginKind::RegistryToken | LoginKind::Verbatim => {
            Found::Credential(login.into_credential())
        }
    }
}

/// The identity of a login that does not change by being used. A user name that
/// is a trusted profile's ID has that assumed first.
fn proven<'a>(
    scope: &LoginScope,
    login: Login,
    given: &'a SourceContext<'a>,
) -> SourceIdentity<'a> {
    let own_profile = match login.kind() {
        LoginKind::Profile => Some(TrustedProfile::Id(login.username.clone())),
        _ => login.trusted_profile.clone(),
    };
    let proof = match login.kind() {
        LoginKind::Bearer => GrantInput::AccessToken(login.secret.clone()),
        _ => GrantInput::ApiKey(login.secret.clone()),
    };
    let profile = given.choice.trusted_profile.cloned().or(own_profile);
    let kind = kind(&login, scope);
    SourceIdentity::new(given, source(&login, scope), kind, proof)
        .assuming(profile)
        .known_as(id(&login.id, given))
}

fn kind(login: &Login, scope: &LoginScope) -> SourceKind {
    SourceKind::StoredLogin {
        scope: scope.clone(),
        is_session: matches!(login.kind(), LoginKind::Bearer | LoginKind::RefreshToken),
        behind: None,
    }
}

fn source(login: &Login, scope: &LoginScope) -> String {
    format!("the login `{}` stored for {scope}", login.username)
}

/// The identity's id: the login's own, with the profile that was chosen on top.
fn id(login_id: &str, given: &SourceContext<'_>) -> String {
    match given.choice.trusted_profile {
        Some(profile) => profile.id_on_top_of(login_id),
        None => login_id.to_owned(),
    }
}

fn key(login_id: &str, given: &SourceContext<'_>) -> CacheKey {
    CacheKey::new(&given.endpoint, &id(login_id, given))
}

/// The id of a login without the trusted profile that it assumes: that of its API key,
/// or one of its own, which stays when its refresh token is replaced.
pub(crate) fn base_id(login: &Login) -> String {
    match (login.kind(), &login.trusted_profile) {
        (LoginKind::RefreshToken, None) => login.id.clone(),
        (LoginKind::RefreshToken, Some(_)) => digest::fingerprint(&["without profile", &login.id]),
        _ => GrantInput::ApiKey(login.secret.clone()).id(),
    }
}

/// The lock under which a note is taken. Only where notes help: elsewhere a `get`
/// should not touch a file.
fn lock_for_note(scope: &LoginScope, given: &SourceContext<'_>, notes: Notes) -> Lock {
    match (notes, &given.near_logins) {
        (Notes::Until(deadline), Some(_)) => {
            let patience = deadline.remaining(given.clock);
            given.locks.lock_login(scope, patience)
        }
        _ => Lock::None,
    }
}

/// Notes which login a scope has, if that helps to find its token.
pub(crate) fn note(scope: &LoginScope, login: Option<&Login>, given: &SourceContext<'_>) {
    if given.near_logins.is_none() {
        return;
    }
    let (id, lifetime) = match login {
        None => (None, ABSENCE_LIFE),
        Some(login) if login.kind().is_exchanged() => (Some(login.id.clone()), HINT_LIFE),
        Some(_) => return given.tokens.forget_hint(scope),
    };
    given.tokens.note_hint(scope, &Hint { id }, lifetime);
}

/// A login with a refresh token, which IAM replaces when it is used.
struct Rotating<'a> {
    given: &'a SourceContext<'a>,
    scope: LoginScope,
    login: Login,
}

impl Rotating<'_> {
    fn profile(&self) -> Option<&TrustedProfile> {
        let own = self.login.trusted_profile.as_ref();
        self.given.choice.trusted_profile.or(own)
    }

    /// Another process may have rotated the token since the login was read; only
    /// what the keychain holds now is good. Should IAM refuse even that, the
    /// keychain is asked once more, for whoever replaced it without our lock.
    fn refresh(&self, iam: &Iam<'_>) -> Result<TokenResponse> {
        let current = self.current()?;
        let client = Client::cli();
        let ask = |token| {
            iam.exchange(&Grant::RefreshToken {
                token,
                client: &client,
            })
        };
        let mut issued = match ask(&current.secret) {
            Err(error @ ServiceError::Refused { .. }) => {
                let newer = self.current()?;
                if newer.secret == current.secret {
                    return Err(self.refused(error, &current.secret, iam));
                }
                ask(&newer.secret).map_err(|error| self.refused(error, &newer.secret, iam))?
            }
            other => other.map_err(|error| self.refused(error, &current.secret, iam))?,
        };
        let next = issued.refresh_token.get_or_insert(current.secret.clone());
        if *next != current.secret {
            self.rotate(next, iam);
        }
        Ok(issued)
    }

    /// What IAM's refusal means, and how to get out of it. That the session has ended
    /// for good is noted with the login, so that others know without asking.
    fn refused(&self, error: ServiceError, refresh_token: &Secret, iam: &Iam<'_>) -> Error {
        if is_end_of_session(&error) {
            self.note_end(refresh_token, iam);
        }
        let kind = SourceKind::StoredLogin {
            scope: self.scope.clone(),
            is_session: true,
            behind: self.behind(),
        };
        error.for_token(&self.source(), &kind, &iam.endpoint)
    }

    /// What a person calls the source that would answer without this login, if there is one.
    fn behind(&self) -> Option<String> {
        let LoginScope::Registry(registry) = &self.scope else {
            return None;
        };
        let behind = super::behind(&self.scope, registry, self.given).ok()?;
        behind.map(|behind| behind.name())
    }

    /// Notes that the session is over wherever this login is stored.
    fn note_end(&self, refresh_token: &Secret, iam: &Iam<'_>) {
        let now = self.given.clock.now();
        for scope in self.scopes() {
            let outcome = self.change_at(&scope, iam, |login| {
                (login.secret == *refresh_token && login.ended_at.is_none())
                    .then(|| login.ended(now))
            });
            if let Err(error) = outcome {
                tracing::debug!(%scope, %error, "that the session is over is not noted");
            }
        }
    }

    /// Every scope that may have this login, its own first.
    fn scopes(&self) -> Vec<LoginScope> {
        let listed = self.given.logins.list().unwrap_or_default().into_iter();
        let others = listed
            .map(|(scope, _)| scope)
            .filter(|scope| *scope != self.scope);
        iter::once(self.scope.clone()).chain(others).collect()
    }

    /// Changes this login where it is stored for a scope, under the scope's lock.
    fn change_at(
        &self,
        scope: &LoginScope,
        iam: &Iam<'_>,
        change: impl FnOnce(Login) -> Option<Login>,
    ) -> Result<()> {
        let patience = iam.http.deadline.remaining(iam.http.clock);
        let _lock = self.given.locks.lock_login(scope, patience);
        let stored = self.given.logins.read(scope)?;
        let changed = stored
            .filter(|login| login.id == self.login.id)
            .and_then(change);
        match changed {
            Some(login) => self.given.logins.write(scope, &login),
            None => Ok(()),
        }
    }

    fn current(&self) -> Result<Login> {
        match self.given.logins.read(&self.scope)? {
            Some(login) if login.id == self.login.id => Ok(login),
            _ => Err(Error::temporary(format!(
                "the login for {} has just been replaced; try again",
                self.scope
            ))),
        }
    }

    /// Replaces the refresh token wherever this login is stored, here first. The
    /// access token is good whether or not that succeeds.
    fn rotate(&self, refresh_token: &Secret, iam: &Iam<'_>) {
        for scope in self.scopes() {
            self.rotate_at(&scope, refresh_token, iam);
        }
    }

    fn rotate_at(&self, scope: &LoginScope, refresh_token: &Secret, iam: &Iam<'_>) {
        let rotated = |login: Login| Some(login.rotated(refresh_token.clone()));
        let outcome = self.change_at(scope, iam, rotated);
        let Err(error) = outcome else {
            return;
        };
        tracing::warn!(%scope, %error, "the new refresh token is not stored in its place");
        // The old one may be worth nothing now. The near keychain is read first,
        // so that the new one counts until it can be written to its place.
        if scope == &self.scope
            && let Some(near) = &self.given.near_logins
            && let Err(error) =
                near.write(scope, &self.login.clone().rotated(refresh_token.clone()))
        {
            tracing::warn!(%scope, %error, "the new refresh token is lost");
        }
    }
}

/// Whether IAM says that a session is over and never comes back. That a refresh token is
/// not valid (`BXNIM0407E`) may only mean that another IAM was asked.
fn is_end_of_session(error: &ServiceError) -> bool {
    matches!(error, ServiceError::Refused { code: Some(code), .. } if SESSION_ENDED.contains(&code.as_str()))
}

/// A login with a refresh token, without the trusted profile on top.
struct WithoutProfile<'a>(&'a Rotating<'a>);

impl Identity for WithoutProfile<'_> {
    fn api_key(&self) -> Option<&Secret> {
        None
    }

    fn endpoint(&self) -> &Endpoint {
        self.0.endpoint()
    }

    fn exchange(&self, iam: &Iam<'_>, _wanted: CredentialKind) -> Result<TokenResponse> {
        self.0.refresh(iam)
    }

    fn key(&self) -> CacheKey {
        CacheKey::new(self.endpoint(), &base_id(&self.0.login))
    }

    fn source(&self) -> String {
        self.0.source()
    }
}

impl Identity for Rotating<'_> {
    fn api_key(&self) -> Option<&Secret> {
        None
    }

    fn base(&self) -> Option<Base<'_>> {
        let profile = self.profile()?;
        Some(Base::new(WithoutProfile(self), profile))
    }

    fn endpoint(&self) -> &Endpoint {
        &self.given.endpoint
    }

    fn exchange(&self, iam: &Iam<'_>, _wanted: CredentialKind) -> Result<TokenResponse> {
        let own = self.refresh(iam)?;
        match self.profile() {
            None => Ok(own),
            Some(profile) => proof::assume(iam, &own.access_token, profile, &self.source()),
        }
    }

    fn key(&self) -> CacheKey {
        key(&self.login.id, self.given)
    }

    fn refresh_token(&self) -> Option<Secret> {
        match self.profile() {
            None => self.current().ok().map(|login| login.secret),
            Some(_) => None,
        }
    }

    fn source(&self) -> String {
        source(&self.login, &self.scope)
    }
}
