//! What opens a registry's management API?

use super::Broker;
use super::exchange::MinLifetime;
use super::exchange::TokenRequest;
use super::info::login_command;
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
    /// What opens a registry's management API: an access token of whoever speaks for
    /// the registry, whatever `get` hands out. A login that is handed out as it is
    /// opens nothing, and is passed over.
    fn access(&self, registry: &Registry, deadline: Deadline) -> Result<Access> {
        let context = self.source_context(registry);
        let not_logged_in = || {
            Error::user(format!("not logged in to {registry}")).with_hint(format!(
                "Run '{}', or set IBMCLOUD_API_KEY",
                login_command(registry, self.settings)
            ))
        };
        let resolved = sources::find_identity(registry, &context)?.ok_or_else(not_logged_in)?;
        match resolved.identity {
            ResolvedIdentity::Credential(_) => Err(not_logged_in()),
            ResolvedIdentity::AccessToken(token) => Ok(Access {
                source: resolved.title,
                token,
                refresh_token: None,
            }),
            ResolvedIdentity::Exchanged(identity) => {
                self.access_of(&TokenRequest::new(registry, &*identity, &context, deadline))
            }
        }
    }

    /// A registry's management API, opened by whoever speaks for the registry; the
    /// account is theirs, unless it is named. One deadline holds for IAM and for all
    /// that the registry is asked.
    ///
    /// # Errors
    /// Nobody speaks for the registry, or IAM does not give a token; or see
    /// [`RegistryApi::new`].
    pub fn registry_api(
        &self,
        registry: &Registry,
        account: Option<&str>,
    ) -> Result<RegistryApi<'_>> {
        let deadline = self.deadline();
        let access = self.access(registry, deadline)?;
        let http = self.http(MAX_ATTEMPTS, deadline);
        self.registry_client(registry, access, account, http)
    }

    /// The same, once it is open. A registry that has no tokens any more has whoever
    /// chose them told where they did.
    pub(super) fn registry_client<'b>(
        &self,
        registry: &Registry,
        access: Access,
        account: Option<&str>,
        http: Http<'b>,
    ) -> Result<RegistryApi<'b>> {
        let choice = self.settings.for_registry(registry);
        let of_profile = choice.profile.and_then(|profile| profile.source);
        let sources = [self.settings.selected_source(), of_profile];
        let advice = match sources.map(|source| source == Some(SourceSelection::RegistryToken)) {
            _ if choice.credential != CredentialKind::RegistryToken => "",
            [true, _] => " (and remove 'registry-token' from $ICR_SOURCE)",
            [_, true] => " (and remove 'registry-token' from the settings)",
            _ => " (and remove 'credential = \"token\"' from the settings)",
        };
        let api = RegistryApi::new(registry, access, account, http)?;
        Ok(api.with_gone_hint(advice))
    }

    /// What a registry token is made with; `None` where none is wanted.
    pub(super) fn access_for(&self, request: &TokenRequest<'_>) -> Option<Result<Access>> {
        (request.wanted == CredentialKind::RegistryToken).then(|| self.access_of(request))
    }

    pub(super) fn access_of(&self, request: &TokenRequest<'_>) -> Result<Access> {
        let request = TokenRequest {
            wanted: CredentialKind::AccessToken,
            ..*request
        };
        Ok(Access {
            token: self.fetch(&request, MinLifetime::Any)?,
            // After the exchange, which may have replaced it.
            refresh_token: request.identity.refresh_token(),
            source: request.identity.source(),
        })
    }
}
