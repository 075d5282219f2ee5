//! What did this program leave at registries for somebody who logs out?

use super::Broker;
use super::exchange::Errand;
use super::exchange::TIDYING;
use crate::clock::Deadline;
use crate::failure::Failure;
use crate::failure::Result;
use crate::identity::Found;
use crate::identity::Speaker;
use crate::registry::Registry;
use crate::registry_token;
use crate::settings::CredentialKind;

impl Broker<'_> {
    /// Removes the registry tokens that this program made for whoever leaves, where
    /// the settings choose such: without their login nobody could, and they would be
    /// good for up to a day. To be called while the login is there. The registries
    /// where that failed are returned with the reason; all of it together takes a few
    /// seconds at most.
    ///
    /// The registry is asked for them, whether or not one is kept here: others that
    /// have the same login may have forgotten it, and a full keyring does.
    pub fn remove_registry_tokens(
        &self,
        leaves: &dyn Fn(&Speaker) -> bool,
    ) -> Vec<(Registry, Failure)> {
        let deadline = Deadline::after(self.clock, TIDYING);
        let mut failures = Vec::new();
        for registry in self.settings.all_registries() {
            let is_chosen =
                self.settings.choice(&registry).credential == CredentialKind::RegistryToken;
            // A source that is broken now says nothing about what it was.
            let speaker = || self.speaker(&registry).ok().flatten();
            if is_chosen
                && speaker().is_some_and(|speaker| leaves(&speaker))
                && let Err(failure) = self.remove_tokens_at(&registry, deadline)
            {
                failures.push((registry, failure));
            }
        }
        failures
    }

    fn remove_tokens_at(&self, registry: &Registry, deadline: Deadline) -> Result<()> {
        let given = self.given(registry);
        let Some(Found::Identity(identity)) = self.find(registry, &given, deadline)? else {
            return Ok(());
        };
        let errand = Errand::new(registry, &*identity, &given, deadline);
        let access = self.access_of(&errand)?;
        let carrier = self.iam(identity.endpoint(), 1, deadline);
        let api = self.opened(registry, access, None, carrier)?;
        // Whatever comes of it: whoever stays gets a new one.
        given.tokens.forget(&errand.key());
        registry_token::remove_all(&api, &self.mark(&errand))
    }
}
