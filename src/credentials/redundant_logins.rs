//! Which stored logins are over, and which stand before the default login?

use super::ActiveSource;
use super::Broker;
use crate::error::Result;
use crate::login::Login;
use crate::login::LoginScope;
use crate::sources::Origin;

/// Why a login is over. It never comes back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// IAM said that its session has ended.
    Session,
    /// The token that was stored has expired.
    Token,
}

/// A stored login, and what stands behind it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RedundantLogin {
    /// What it is stored for.
    pub scope: LoginScope,
    /// Why it is over, if it is.
    pub end: Option<End>,
    /// What would answer without it, if it is the login of a registry.
    pub behind: Option<ActiveSource>,
    /// Whether it is known to be of the same identity as the default login.
    pub is_same_as_default: bool,
}

impl RedundantLogin {
    /// Whether the default login would answer without it.
    pub fn hides_default(&self) -> bool {
        let behind = self.behind.as_ref().map(|behind| &behind.origin);
        behind == Some(&Origin::Login(LoginScope::Default))
    }
}

impl Broker<'_> {
    /// Every stored login that can be read. What cannot be told of one is passed over:
    /// whoever uses it is told.
    ///
    /// # Errors
    /// The keychain cannot list them.
    pub fn redundant_logins(&self) -> Result<Vec<RedundantLogin>> {
        let default = self.login(&LoginScope::Default).ok().flatten();
        let logins = self.scopes()?.into_iter().filter_map(|scope| {
            let login = self.login(&scope).ok().flatten()?;
            Some(self.own_login(scope, &login, default.as_ref()))
        });
        Ok(logins.collect())
    }

    fn own_login(
        &self,
        scope: LoginScope,
        login: &Login,
        default: Option<&Login>,
    ) -> RedundantLogin {
        let behind = match &scope {
            LoginScope::Registry(registry) if !registry.is_entitled() => {
                self.answering_without(&scope, registry)
            }
            _ => Ok(None),
        };
        let owners = default.and_then(|default| default.owner.as_ref().zip(login.owner.as_ref()));
        RedundantLogin {
            end: self.end(login),
            behind: behind.ok().flatten(),
            is_same_as_default: owners.is_some_and(|(one, other)| one.is_same_as(other)),
            scope,
        }
    }

    fn end(&self, login: &Login) -> Option<End> {
        if login.ended_at.is_some() {
            return Some(End::Session);
        }
        let has_expired = login.has_expired(self.context.clock.now());
        has_expired.then_some(End::Token)
    }
}
