//! A login that `store` or `login` has stored in the keychain.

use std::iter;

use super::ExpiredLogin;
use super::Identity;
use super::Lookup;
use super::Origin;
use super::ReadLogin;
use super::Resolved;
use super::ResolvedIdentity;
use super::SourceContext;
use super::grant_input::GrantInput;
use super::source_identity;
use super::source_identity::Base;
use super::source_identity::SourceIdentity;
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
use crate::login::Login;
use crate::login::LoginKind;
use crate::login::LoginScope;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::settings::CredentialKind;
use crate::sources::advice::SourceKind;
use crate::token_cache::CacheKey;

/// IAM's codes for a refresh token that has expired, and for a session that was ended.
const SESSION_ENDED: [&str; 2] = ["BXNIM0408E", "BXNIM0439E"];

/// The stored logins that can be used for a registry. Each is a source of its own.
#[derive(Clone, Copy)]
pub(super) enum StoredLogin {
    /// The login for the profile chosen for the registry.
    OfProfile,
    /// The login for the registry itself.
    OfRegistry,
    /// The default login. It is not used with a profile, which stands for another identity.
    Default,
}

impl StoredLogin {
    /// Returns the scope whose login it is; `None` where it does not exist for the registry.
    pub(super) fn scope(
        self,
        registry: &Registry,
        context: &SourceContext<'_>,
    ) -> Option<LoginScope> {
        match (self, context.settings.profile) {
            (Self::OfProfile, Some(profile)) => Some(LoginScope::Profile(profile.name.clone())),
            (Self::OfRegistry, _) => Some(LoginScope::Registry(registry.clone())),
            (Self::Default, None) if is_for(registry, context) => Some(LoginScope::Default),
            (Self::OfProfile, None) | (Self::Default, _) => None,
        }
    }

    /// Returns what the login contains. It is read with `read_login`.
    pub(super) fn find<'a>(
        self,
        registry: &Registry,
        context: &'a SourceContext<'a>,
        read_login: &ReadLogin<'_>,
    ) -> Result<Lookup<'a>> {
        let Some(scope) = self.scope(registry, context) else {
            return Ok(Lookup::Absent);
        };
        // IAM rejects an empty secret, so it is no login.
        let login = read_login(&scope)?.filter(|login| !login.secret.is_empty());
        Ok(match login {
            None => Lookup::Absent,
            Some(login) if login.has_expired(context.clock.now()) => {
                let id = login.id;
                Lookup::Expired(ExpiredLogin { scope, id })
            }
            Some(login) => Lookup::Found(Box::new(Resolved {
                identity: identity_of(&scope, login.clone(), context),
                title: scope.login_title(),
                login: Some(login),
                origin: Origin::Login(scope),
            })),
        })
    }
}

/// Returns whether the default login is used for the registry. Staging has an IAM of its
/// own, which must not get secrets of production.
fn is_for(registry: &Registry, context: &SourceContext<'_>) -> bool {
    !registry.is_staging() || context.settings.iam_endpoint.is_some()
}

/// Returns the identity of a login, or the credential that it is.
fn identity_of<'a>(
    scope: &LoginScope,
    login: Login,
    context: &'a SourceContext<'a>,
) -> ResolvedIdentity<'a> {
    match login.kind() {
        LoginKind::RefreshToken => ResolvedIdentity::Exchanged(Box::new(RefreshTokenIdentity {
            context,
            scope: scope.clone(),
            login,
        })),
        LoginKind::Bearer
            if context.settings.trusted_profile.is_none()
                && context.settings.credential != CredentialKind::RegistryToken =>
        {
            ResolvedIdentity::AccessToken(login.secret)
        }
        LoginKind::ApiKey | LoginKind::Bearer | LoginKind::Profile => {
            ResolvedIdentity::Exchanged(Box::new(fixed_identity(scope, login, context)))
        }
        LoginKind::RegistryToken | LoginKind::Verbatim => {
            ResolvedIdentity::Credential(login.into_credential())
        }
    }
}

/// Returns the identity of a login whose secret IAM does not replace. If the user name is
/// a trusted profile's ID, the identity assumes that profile.
fn fixed_identity<'a>(
    scope: &LoginScope,
    login: Login,
    context: &'a SourceContext<'a>,
) -> SourceIdentity<'a> {
    let own_profile = match login.kind() {
        LoginKind::Profile => Some(TrustedProfile::Id(login.username.clone())),
        _ => login.trusted_profile.clone(),
    };
    let input = match login.kind() {
        LoginKind::Bearer => GrantInput::AccessToken(login.secret.clone()),
        _ => GrantInput::ApiKey(login.secret.clone()),
    };
    let profile = context.settings.trusted_profile.cloned().or(own_profile);
    let kind = kind(&login, scope);
    SourceIdentity::new(context, scope.login_title(), kind, input)
        .assuming(profile)
        .with_id(id(&login.id, context))
}

fn kind(login: &Login, scope: &LoginScope) -> SourceKind {
    SourceKind::StoredLogin {
        scope: scope.clone(),
        is_session: matches!(login.kind(), LoginKind::Bearer | LoginKind::RefreshToken),
        behind: None,
    }
}

/// Returns the identity's id: the login's own, combined with the trusted profile of the
/// settings.
fn id(login_id: &str, context: &SourceContext<'_>) -> String {
    match context.settings.trusted_profile {
        Some(profile) => profile.id_on_top_of(login_id),
        None => login_id.to_owned(),
    }
}

/// Returns the key under which the token of the login with this id is cached.
pub(super) fn key(login_id: &str, context: &SourceContext<'_>) -> CacheKey {
    CacheKey::new(&context.endpoint, &id(login_id, context))
}

/// Returns the id of a login without the trusted profile that it assumes: that of its API
/// key, or one of its own, which does not change when its refresh token is replaced.
pub(crate) fn base_id(login: &Login) -> String {
    match (login.kind(), &login.trusted_profile) {
        (LoginKind::RefreshToken, None) => login.id.clone(),
        (LoginKind::RefreshToken, Some(_)) => digest::fingerprint(&["without profile", &login.id]),
        _ => GrantInput::ApiKey(login.secret.clone()).id(),
    }
}

/// A login with a refresh token, which IAM replaces when it is used.
struct RefreshTokenIdentity<'a> {
    context: &'a SourceContext<'a>,
    scope: LoginScope,
    login: Login,
}

impl RefreshTokenIdentity<'_> {
    fn profile(&self) -> Option<&TrustedProfile> {
        let own = self.login.trusted_profile.as_ref();
        self.context.settings.trusted_profile.or(own)
    }

    /// Exchanges the refresh token. It is read again first, because another process may have
    /// replaced it since the login was read, and once more if IAM rejects it, because not
    /// every process holds the lock.
    fn refresh(&self, iam: &Iam<'_>) -> Result<TokenResponse> {
        let current = self.current()?;
        let client = Client::cli();
        let exchange = |token| {
            iam.exchange(&Grant::RefreshToken {
                token,
                client: &client,
            })
        };
        let mut issued = match exchange(&current.secret) {
            Err(error @ ServiceError::Rejected { .. }) => {
                let newer = self.current()?;
                if newer.secret == current.secret {
                    return Err(self.rejected(error, &current.secret, iam));
                }
                exchange(&newer.secret).map_err(|error| self.rejected(error, &newer.secret, iam))?
            }
            other => other.map_err(|error| self.rejected(error, &current.secret, iam))?,
        };
        let next = issued.refresh_token.get_or_insert(current.secret.clone());
        if *next != current.secret {
            self.rotate(next, iam);
        }
        Ok(issued)
    }

    /// Returns the error for a rejection. If the session has ended, that is stored with the
    /// login, so that other processes need not ask IAM.
    fn rejected(&self, error: ServiceError, refresh_token: &Secret, iam: &Iam<'_>) -> Error {
        if is_end_of_session(&error) {
            self.store_session_end(refresh_token, iam);
        }
        let kind = SourceKind::StoredLogin {
            scope: self.scope.clone(),
            is_session: true,
            behind: self.behind(),
        };
        error.for_token(&self.source(), &kind, &iam.endpoint)
    }

    /// Returns the name of the source that is used without this login, if there is one.
    fn behind(&self) -> Option<String> {
        let LoginScope::Registry(registry) = &self.scope else {
            return None;
        };
        let read_login = |scope: &LoginScope| self.context.logins.read(scope);
        let behind = super::find_behind(&self.scope, registry, self.context, &read_login).ok()?;
        behind.map(|behind| behind.title)
    }

    /// Stores with all copies of this login that its session has ended.
    fn store_session_end(&self, refresh_token: &Secret, iam: &Iam<'_>) {
        let now = self.context.clock.now();
        for scope in self.scopes() {
            let outcome = self.change_at(&scope, iam, |login| {
                (login.secret == *refresh_token && login.ended_at.is_none())
                    .then(|| login.ended(now))
            });
            if let Err(error) = outcome {
                tracing::debug!(%scope, %error, "cannot store that the session has ended");
            }
        }
    }

    /// Returns all scopes that may have this login, its own first.
    fn scopes(&self) -> Vec<LoginScope> {
        let listed = self.context.logins.list().unwrap_or_default().into_iter();
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
        let timeout = iam.http.deadline.remaining(iam.http.clock);
        let _lock = self.context.locks.lock_login(&scope.item_name(), timeout);
        let stored = self.context.logins.read(scope)?;
        let changed = stored
            .filter(|login| login.id == self.login.id)
            .and_then(change);
        match changed {
            Some(login) => self.context.logins.write(scope, &login),
            None => Ok(()),
        }
    }

    fn current(&self) -> Result<Login> {
        match self.context.logins.read(&self.scope)? {
            Some(login) if login.id == self.login.id => Ok(login),
            _ => Err(Error::temporary(format!(
                "{} has just been replaced. Try again",
                self.scope.login_title()
            ))),
        }
    }

    /// Replaces the refresh token in all copies of this login, this one first. Errors are
    /// logged, because the access token is valid anyway.
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
        tracing::warn!(%scope, %error, "cannot store the new refresh token");
        // The old one may be invalid now. The cache keychain is read first, so the new one is
        // used until it can be stored in its place.
        if scope == &self.scope
            && let Some(cache) = &self.context.cached_logins
            && let Err(error) =
                cache.write(scope, &self.login.clone().rotated(refresh_token.clone()))
        {
            tracing::warn!(%scope, %error, "cannot cache the new refresh token either");
        }
    }
}

/// Returns whether IAM says that a session has ended. A refresh token that is "not valid"
/// (`BXNIM0407E`) may only mean that it is one of another IAM.
fn is_end_of_session(error: &ServiceError) -> bool {
    matches!(error, ServiceError::Rejected { code: Some(code), .. } if SESSION_ENDED.contains(&code.as_str()))
}

/// A login with a refresh token, without the trusted profile that it assumes.
struct WithoutProfile<'a>(&'a RefreshTokenIdentity<'a>);

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

impl Identity for RefreshTokenIdentity<'_> {
    fn api_key(&self) -> Option<&Secret> {
        None
    }

    fn base(&self) -> Option<Base<'_>> {
        let profile = self.profile()?;
        Some(Base::new(WithoutProfile(self), profile))
    }

    fn endpoint(&self) -> &Endpoint {
        &self.context.endpoint
    }

    fn exchange(&self, iam: &Iam<'_>, _wanted: CredentialKind) -> Result<TokenResponse> {
        let own = self.refresh(iam)?;
        match self.profile() {
            None => Ok(own),
            Some(profile) => {
                source_identity::assume(iam, &own.access_token, profile, &self.source())
            }
        }
    }

    fn key(&self) -> CacheKey {
        key(&self.login.id, self.context)
    }

    fn refresh_token(&self) -> Option<Secret> {
        match self.profile() {
            None => self.current().ok().map(|login| login.secret),
            Some(_) => None,
        }
    }

    fn source(&self) -> String {
        self.scope.login_title()
    }
}
