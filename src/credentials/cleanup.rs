//! What did this program leave at registries for somebody who logs out?

use std::collections::BTreeSet;

use super::Broker;
use super::exchange::STALE_TOKENS_TIMEOUT;
use super::exchange::TokenRequest;
use crate::error::Error;
use crate::error::Result;
use crate::login::LoginScope;
use crate::registry::Registry;
use crate::registry::own_tokens;
use crate::settings::CredentialKind;
use crate::sources;
use crate::sources::Origin;
use crate::sources::ResolvedIdentity;
use crate::time::Deadline;

impl Broker<'_> {
    /// Removes the registry tokens that this program made with the logins of these
    /// scopes, or with `all` for whoever speaks, and still keeps one of: without
    /// their login nobody could, and they would be good for up to a day. To be called
    /// while the logins are there. The registries where that failed are returned with
    /// the reason; all that they are asked takes a few seconds at most.
    pub fn delete_registry_tokens(
        &self,
        scopes: &BTreeSet<LoginScope>,
        all: bool,
    ) -> Vec<(Registry, Error)> {
        let chosen: Vec<Registry> = self
            .settings
            .all_registries()
            .filter(|registry| {
                self.settings.for_registry(registry).credential == CredentialKind::RegistryToken
            })
            .collect();
        // As a rule; then no keychain is asked for it.
        if chosen.is_empty() {
            return Vec::new();
        }
        let deadline = Deadline::after(self.context.clock, STALE_TOKENS_TIMEOUT);
        let id_of = |scope: &LoginScope| Some(self.login(scope).ok()??.id);
        let leaving: BTreeSet<String> = scopes.iter().filter_map(id_of).collect();
        // Another scope may have the same login, whose tokens are all forgotten.
        let leaves = |speaker: &Origin| match speaker {
            Origin::Login(scope) => id_of(scope).is_some_and(|id| leaving.contains(&id)),
            Origin::Source(_) => all,
        };
        let outcomes = chosen.into_iter().map(|registry| {
            let outcome = self.remove_tokens_at(&registry, &leaves, deadline);
            (registry, outcome)
        });
        outcomes
            .filter_map(|(registry, outcome)| Some((registry, outcome.err()?)))
            .collect()
    }

    fn remove_tokens_at(
        &self,
        registry: &Registry,
        leaves: &dyn Fn(&Origin) -> bool,
        deadline: Deadline,
    ) -> Result<()> {
        let context = self.source_context(registry);
        // A source that is broken says nothing about what it was before.
        let search = sources::find(registry, &context).ok();
        let resolved = search.and_then(|search| search.resolved);
        let Some(resolved) = resolved.filter(|resolved| leaves(&resolved.origin)) else {
            return Ok(());
        };
        let ResolvedIdentity::Exchanged(identity) = resolved.identity else {
            return Ok(());
        };
        let request = TokenRequest::new(registry, &*identity, &context, deadline);
        if context.tokens.secret(&request.key()).is_none() {
            return Ok(());
        }
        // Whatever comes of it: whoever stays gets a new one.
        context.tokens.remove(&request.key());
        let access = self.access_of(&request)?;
        let http = self.http(1, deadline);
        let api = self.registry_client(registry, access, None, http)?;
        own_tokens::delete_all(&api, &self.owner_tag(&request))
    }
}
