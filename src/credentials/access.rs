//! Access to a registry's management API.

use super::Broker;
use super::exchange::MinLifetime;
use super::exchange::TokenRequest;
use super::login_advice::login_hint;
use crate::error::Error;
use crate::error::Result;
use crate::http::Http;
use crate::http::MAX_ATTEMPTS;
use crate::registry::Registry;
use crate::registry::api::Access;
use crate::registry::api::RegistryApi;
use crate::settings::CredentialKind;
use crate::settings::SourceSelection;
use crate::sources;
use crate::sources::ResolvedIdentity;
use crate::time::Deadline;

impl Broker<'_> {
    /// Returns the access token of a registry's active source for the management API, whatever
    /// kind of credential `get` returns. A login that clients get as it is stored is skipped,
    /// because the API does not accept it.
    fn registry_access(&self, registry: &Registry, deadline: Deadline) -> Result<Access> {
        let context = self.source_context(registry);
        let resolved = sources::find_identity(registry, &context)?;
        match resolved.map(|resolved| (resolved.identity, resolved.title)) {
            None | Some((ResolvedIdentity::Credential(_), _)) => Err(Error::user(format!(
                "not logged in to {registry}"
            ))
            .with_hint(login_hint(registry, self.settings, self.context))),
            Some((ResolvedIdentity::AccessToken(token), source)) => Ok(Access {
                source,
                token,
                refresh_token: None,
            }),
            Some((ResolvedIdentity::Exchanged(identity), _)) => {
                self.fetch_access(&TokenRequest::new(registry, &*identity, &context, deadline))
            }
        }
    }

    /// Returns the client of a registry's management API, with the identity of the active
    /// source, and its account unless `account` names another. IAM and the registry share one
    /// deadline.
    ///
    /// # Errors
    /// No source is active, or IAM issues no token; or see [`RegistryApi::new`].
    pub fn registry_api(
        &self,
        registry: &Registry,
        account: Option<&str>,
    ) -> Result<RegistryApi<'_>> {
        let deadline = self.deadline();
        let access = self.registry_access(registry, deadline)?;
        let http = self.http(MAX_ATTEMPTS, deadline);
        self.registry_client(registry, access, account, http)
    }

    /// Returns the client of a registry's management API, which uses this access. If the registry
    /// has no tokens of its own any more, the hint names the setting that chooses them.
    pub(super) fn registry_client<'b>(
        &self,
        registry: &Registry,
        access: Access,
        account: Option<&str>,
        http: Http<'b>,
    ) -> Result<RegistryApi<'b>> {
        let settings = self.settings.for_registry(registry);
        let source_of_profile = settings.profile.and_then(|profile| profile.source);
        let hint = if settings.credential != CredentialKind::RegistryToken {
            ""
        } else if self.settings.selected_source() == Some(SourceSelection::RegistryToken) {
            " (and remove 'registry-token' from $ICR_SOURCE)"
        } else if source_of_profile == Some(SourceSelection::RegistryToken) {
            " (and remove 'registry-token' from the settings)"
        } else {
            " (and remove 'credential = \"token\"' from the settings)"
        };
        let api = RegistryApi::new(registry, access, account, http)?;
        Ok(api.with_gone_hint(hint))
    }

    /// Returns the access token with which a requested registry token is created; `None` if
    /// another kind is requested.
    pub(super) fn access_for(&self, request: &TokenRequest<'_>) -> Option<Result<Access>> {
        (request.wanted == CredentialKind::RegistryToken).then(|| self.fetch_access(request))
    }

    /// Returns the access token of a request's identity.
    pub(super) fn fetch_access(&self, request: &TokenRequest<'_>) -> Result<Access> {
        let request = TokenRequest {
            wanted: CredentialKind::AccessToken,
            ..*request
        };
        Ok(Access {
            token: self.fetch(&request, MinLifetime::Any)?.secret,
            // Read after the exchange, which may have replaced it.
            refresh_token: request.identity.refresh_token(),
            source: request.identity.source(),
        })
    }
}
