//! The credential for a pod's service account.

use super::Broker;
use super::exchange::MinLifetime;
use super::exchange::TokenRequest;
use super::get::TimedCredential;
use crate::error::Result;
use crate::registry::Registry;
use crate::settings::CredentialKind;
use crate::sources;
use crate::sources::ServiceAccount;
use crate::token_cache::Cached;

impl Broker<'_> {
    /// Returns an access token of the trusted profile of a service account. No other source is
    /// asked, and no background process can refresh it, because it would have no token.
    ///
    /// # Errors
    /// No profile is named, or IAM issues no token.
    pub fn get_for_service_account(
        &self,
        registry: &Registry,
        account: &ServiceAccount<'_>,
    ) -> Result<TimedCredential> {
        let wanted = CredentialKind::AccessToken;
        let deadline = self.deadline();
        let mut context = self.source_context(registry);
        context.settings.credential = wanted;
        let identity = sources::service_account_identity(account, &context)?;
        let request = TokenRequest::new(registry, &*identity, &context, deadline);
        let cached = context.tokens.get(&request.key());
        let token = match cached.for_source(&identity.source()) {
            Cached::Fresh(token) => token,
            Cached::Failed(failure) => return Err(failure.error),
            _ => self.fetch(&request, MinLifetime::Any)?,
        };
        Ok(TimedCredential::with_token(wanted, token))
    }
}
