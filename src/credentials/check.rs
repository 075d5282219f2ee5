//! Does IAM accept who would answer now, whatever is cached?

use std::cell::RefCell;

use super::Broker;
use crate::credential::Credential;
use crate::error::Error;
use crate::error::Result;
use crate::http::MAX_ATTEMPTS;
use crate::iam::TokenResponse;
use crate::registry::Registry;
use crate::settings::CredentialKind;
use crate::sources;
use crate::sources::Identity;
use crate::sources::ResolvedIdentity;
use crate::token_cache::CacheKey;
use crate::token_cache::TokenCache;

/// Asks IAM for new tokens, each identity once.
///
/// Nothing is written, with one exception: a refresh token that IAM replaces is kept
/// as `get` keeps it, because the login would be lost otherwise.
pub struct CredentialCheck<'a> {
    broker: &'a Broker<'a>,
    asked: RefCell<Vec<(CacheKey, Result<TokenResponse>)>>,
}

impl<'a> CredentialCheck<'a> {
    /// A probe that has asked nobody yet.
    pub fn new(broker: &'a Broker<'a>) -> Self {
        Self {
            broker,
            asked: RefCell::default(),
        }
    }

    /// What `get` would answer for a registry with a token that IAM issues now; `None`
    /// where a registry token would have to be made for that.
    ///
    /// # Errors
    /// As [`Broker::get`].
    pub fn credential(&self, registry: &Registry) -> Result<Option<Credential>> {
        let broker = self.broker;
        let context = broker.source_context(registry);
        let wanted = context.choice.credential;
        let resolved = sources::find(registry, &context)?.resolved;
        let identity: Box<dyn Identity + '_> = match resolved.map(|resolved| resolved.identity) {
            None => return Err(Error::not_found()),
            Some(ResolvedIdentity::Credential(credential)) => return Ok(Some(credential)),
            Some(ResolvedIdentity::AccessToken(token)) => {
                return broker.provided_token(registry, wanted, token).map(Some);
            }
            Some(ResolvedIdentity::Exchanged(identity)) => identity,
        };
        let issued = self.issued(registry, &*identity, wanted)?;
        let secret = match wanted {
            CredentialKind::AccessToken => Some(issued.access_token),
            CredentialKind::ApiKey => {
                return broker.own_api_key(registry, &*identity).map(Some);
            }
            CredentialKind::RefreshToken => match issued.refresh_token {
                None => return Err(broker.cannot_give(registry, wanted, &identity.source())),
                token => token,
            },
            CredentialKind::RegistryToken => {
                let tokens: &TokenCache<'_> = &context.tokens;
                tokens.secret(&wanted.key_of(identity.key(), registry))
            }
        };
        Ok(secret.map(|secret| wanted.with(secret)))
    }

    /// What IAM gives now for an identity, or gave a moment ago.
    fn issued(
        &self,
        registry: &Registry,
        identity: &dyn Identity,
        wanted: CredentialKind,
    ) -> Result<TokenResponse> {
        let wanted = match wanted {
            CredentialKind::RefreshToken => wanted,
            _ => CredentialKind::AccessToken,
        };
        let key = wanted.key_of(identity.key(), registry);
        let known = |asked: &[(CacheKey, Result<TokenResponse>)]| {
            let found = asked.iter().find(|(asked, _)| *asked == key);
            found.map(|(_, outcome)| outcome.clone())
        };
        if let Some(outcome) = known(&self.asked.borrow()) {
            return outcome;
        }
        let broker = self.broker;
        let deadline = broker.deadline();
        let patience = deadline.remaining(broker.context.clock) / 2;
        let _lock = broker.context.locks.lock_identity(key.as_str(), patience);
        let iam = broker.iam(identity.endpoint(), MAX_ATTEMPTS, deadline);
        let outcome = identity.exchange(&iam, wanted);
        self.asked.borrow_mut().push((key, outcome.clone()));
        outcome
    }
}
