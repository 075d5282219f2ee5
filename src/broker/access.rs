//! What opens a registry's management API?

use super::Broker;
use super::exchange::Age;
use super::exchange::Errand;
use crate::failure::Failure;
use crate::failure::Result;
use crate::iam::MOST_ATTEMPTS;
use crate::identity;
use crate::identity::Found;
use crate::identity::Identity;
use crate::protocol::PROGRAM;
use crate::registry::Registry;
use crate::registry_api::Access;
use crate::registry_api::RegistryApi;
use crate::settings::CredentialKind;

impl Broker<'_> {
    /// What opens a registry's management API: an access token of whoever speaks for
    /// the registry, whatever `get` hands out. A login that is handed out as it is
    /// opens nothing, and is passed over.
    ///
    /// # Errors
    /// Nobody speaks for the registry, or IAM does not give a token.
    pub fn access(&self, registry: &Registry) -> Result<Access> {
        let deadline = self.deadline();
        let given = self.given(registry);
        match identity::find_identity(registry, &given)? {
            None | Some(Found::Credential(_)) => Err(Failure::act(format!(
                "nothing says who you are at IBM Cloud for {registry}; run `{PROGRAM} login`, or set IBMCLOUD_API_KEY"
            ))),
            Some(Found::AccessToken(token)) => Ok(Access {
                source: identity::of_access_token(token.clone(), &given).source(),
                token,
                refresh_token: None,
            }),
            Some(Found::Identity(identity)) => {
                self.access_of(&Errand::new(registry, &*identity, &given, deadline))
            }
        }
    }

    /// A registry's management API, opened by whoever speaks for the registry; the
    /// account is theirs, unless it is named.
    ///
    /// # Errors
    /// See [`Broker::access`] and [`RegistryApi::new`].
    pub fn registry_api(
        &self,
        registry: &Registry,
        account: Option<&str>,
    ) -> Result<RegistryApi<'_>> {
        let access = self.access(registry)?;
        let carrier = self.iam(&self.endpoint(registry), MOST_ATTEMPTS, self.deadline());
        RegistryApi::new(registry, access, account, carrier)
    }

    /// What a registry token is made with; `None` where none is wanted.
    pub(super) fn access_for(&self, errand: &Errand<'_>) -> Option<Result<Access>> {
        (errand.wanted == CredentialKind::RegistryToken).then(|| self.access_of(errand))
    }

    pub(super) fn access_of(&self, errand: &Errand<'_>) -> Result<Access> {
        let errand = Errand {
            wanted: CredentialKind::AccessToken,
            ..*errand
        };
        Ok(Access {
            token: self.fetch(&errand, Age::Any)?,
            // After the exchange, which may have replaced it.
            refresh_token: errand.identity.refresh_token(),
            source: errand.identity.source(),
        })
    }
}
