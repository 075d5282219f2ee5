//! The check of a credential with IAM, whatever is cached.

use std::cell::RefCell;

use super::Broker;
use crate::credential::Credential;
use crate::error::Error;
use crate::error::Result;
use crate::http::MAX_ATTEMPTS;
use crate::iam::TokenResponse;
use crate::login::LoginScope;
use crate::login::LoginSnapshot;
use crate::registry::Registry;
use crate::settings::CredentialKind;
use crate::sources;
use crate::sources::Identity;
use crate::sources::ResolvedIdentity;
use crate::token_cache::CacheKey;

/// Requests new tokens from IAM, once for each identity.
///
/// It writes nothing, with one exception: a refresh token that IAM rotates is stored as `get`
/// stores it, because the login would be lost otherwise.
pub struct CredentialCheck<'a> {
    broker: &'a Broker<'a>,
    logins: LoginSnapshot<'a>,
    responses: RefCell<Vec<(CacheKey, Result<TokenResponse>)>>,
}

impl<'a> CredentialCheck<'a> {
    /// Creates a check without responses.
    pub fn new(broker: &'a Broker<'a>, logins: LoginSnapshot<'a>) -> Self {
        Self {
            broker,
            logins,
            responses: RefCell::default(),
        }
    }

    /// Returns the credential that `get` would return for a registry with a new token; `None`
    /// if a registry token would have to be created for that.
    ///
    /// # Errors
    /// As [`Broker::get`].
    pub fn credential(&self, registry: &Registry) -> Result<Option<Credential>> {
        let broker = self.broker;
        let context = broker.source_context(registry);
        let wanted = context.settings.credential;
        let read_login = |scope: &LoginScope| self.logins.read(scope);
        let resolved = sources::find(registry, &context, &read_login)?.resolved;
        let identity: Box<dyn Identity + '_> = match resolved.map(|resolved| resolved.identity) {
            None => return Err(Error::not_found()),
            Some(ResolvedIdentity::Credential(credential)) => return Ok(Some(credential)),
            Some(ResolvedIdentity::AccessToken(token)) => {
                return broker.provided_token(registry, wanted, token).map(Some);
            }
            Some(ResolvedIdentity::Exchanged(identity)) => identity,
        };
        let response = self.request_token(registry, &*identity, wanted)?;
        let secret = match wanted {
            CredentialKind::AccessToken => Some(response.access_token),
            CredentialKind::ApiKey => {
                return broker.own_api_key(registry, &*identity).map(Some);
            }
            CredentialKind::RefreshToken => match response.refresh_token {
                None => return Err(broker.cannot_give(registry, wanted, &identity.source())),
                token => token,
            },
            CredentialKind::RegistryToken => context
                .tokens
                .secret(&wanted.key_of(identity.key(), registry)),
        };
        Ok(secret.map(|secret| wanted.with(secret)))
    }

    /// Returns IAM's response for an identity. Each identity is exchanged once.
    fn request_token(
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
        let responses = self.responses.borrow();
        if let Some((_, response)) = responses.iter().find(|(other, _)| *other == key) {
            return response.clone();
        }
        drop(responses);
        let broker = self.broker;
        let deadline = broker.deadline();
        let timeout = deadline.remaining(broker.context.clock) / 2;
        let locks = &broker.context.locks;
        let _lock = locks.lock_identity_in_existing(key.as_str(), timeout);
        let iam = broker.iam(identity.endpoint(), MAX_ATTEMPTS, deadline);
        let response = identity.exchange(&iam, wanted);
        self.responses.borrow_mut().push((key, response.clone()));
        response
    }
}
