//! The state of each stored login: has it expired, and which source does it shadow?

use super::ActiveSource;
use super::Broker;
use crate::error::Result;
use crate::login::Login;
use crate::login::LoginScope;
use crate::login::LoginSnapshot;
use crate::sources::Origin;

/// Why a login has expired.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ExpiryCause {
    /// IAM has ended its session.
    SessionEnded,
    /// The stored token has expired.
    TokenExpired,
}

/// The state of a stored login.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LoginStatus {
    /// The scope for which it is stored.
    pub scope: LoginScope,
    /// Why it has expired, if it has.
    pub expired: Option<ExpiryCause>,
    /// The source that would be active without it, if it is the login of a registry.
    pub shadowed: Option<ActiveSource>,
    /// Whether it is known to have the same owner as the default login.
    pub is_same_as_default: bool,
}

impl LoginStatus {
    /// Returns whether the default login would be active without it.
    pub fn shadows_default(&self) -> bool {
        let shadowed = self.shadowed.as_ref().map(|shadowed| &shadowed.origin);
        shadowed == Some(&Origin::Login(LoginScope::Default))
    }
}

impl Broker<'_> {
    /// Returns the state of each stored login. Logins that cannot be read are skipped: `get`
    /// reports them.
    ///
    /// # Errors
    /// The keychain cannot list the logins.
    pub fn login_statuses(&self, logins: &LoginSnapshot<'_>) -> Result<Vec<LoginStatus>> {
        let statuses = logins.scopes()?.into_iter().filter_map(|scope| {
            let login = logins.read(&scope).ok().flatten()?;
            Some(self.login_status(scope, &login, logins))
        });
        Ok(statuses.collect())
    }

    fn login_status(
        &self,
        scope: LoginScope,
        login: &Login,
        logins: &LoginSnapshot<'_>,
    ) -> LoginStatus {
        let shadowed = match &scope {
            LoginScope::Registry(registry) if !registry.is_entitled() => {
                let shadowed = self.active_source_without(&scope, registry, logins);
                shadowed.ok().flatten()
            }
            _ => None,
        };
        let default = logins.read(&LoginScope::Default).ok().flatten();
        let default_owner = default.and_then(|default| default.owner);
        let owners = default_owner.as_ref().zip(login.owner.as_ref());
        LoginStatus {
            expired: self.expiry_cause(login),
            shadowed,
            is_same_as_default: owners.is_some_and(|(one, other)| one.is_same_as(other)),
            scope,
        }
    }

    fn expiry_cause(&self, login: &Login) -> Option<ExpiryCause> {
        if login.ended_at.is_some() {
            return Some(ExpiryCause::SessionEnded);
        }
        let has_expired = login.has_expired(self.context.clock.now());
        has_expired.then_some(ExpiryCause::TokenExpired)
    }
}
