//! Which stored logins are over, and which stand before the default login?

use super::ActiveSource;
use super::Broker;
use crate::error::Result;
use crate::login::Login;
use crate::login::LoginScope;
use crate::sources::Origin;

/// Why a login is over. It never comes back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ExpiryCause {
    /// IAM said that its session has ended.
    SessionEnded,
    /// The token that was stored has expired.
    TokenExpired,
}

/// A stored login, and what stands behind it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LoginStatus {
    /// What it is stored for.
    pub scope: LoginScope,
    /// Why it is over, if it is.
    pub expired: Option<ExpiryCause>,
    /// What would answer without it, if it is the login of a registry.
    pub shadowed: Option<ActiveSource>,
    /// Whether it is known to be of the same identity as the default login.
    pub is_same_as_default: bool,
}

impl LoginStatus {
    /// Whether the default login would answer without it.
    pub fn shadows_default(&self) -> bool {
        let shadowed = self.shadowed.as_ref().map(|shadowed| &shadowed.origin);
        shadowed == Some(&Origin::Login(LoginScope::Default))
    }
}

impl Broker<'_> {
    /// Every stored login that can be read. What cannot be told of one is passed over:
    /// whoever uses it is told.
    ///
    /// # Errors
    /// The keychain cannot list them.
    pub fn login_statuses(&self) -> Result<Vec<LoginStatus>> {
        let default = self.login(&LoginScope::Default).ok().flatten();
        let logins = self.scopes()?.into_iter().filter_map(|scope| {
            let login = self.login(&scope).ok().flatten()?;
            Some(self.login_status(scope, &login, default.as_ref()))
        });
        Ok(logins.collect())
    }

    fn login_status(
        &self,
        scope: LoginScope,
        login: &Login,
        default: Option<&Login>,
    ) -> LoginStatus {
        let shadowed = match &scope {
            LoginScope::Registry(registry) if !registry.is_entitled() => {
                self.answering_without(&scope, registry)
            }
            _ => Ok(None),
        };
        let owners = default.and_then(|default| default.owner.as_ref().zip(login.owner.as_ref()));
        LoginStatus {
            expired: self.expiry_cause(login),
            shadowed: shadowed.ok().flatten(),
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
