//! The deletion of registry tokens at logout.

use std::collections::BTreeSet;

use super::Broker;
use super::exchange::STALE_TOKENS_TIMEOUT;
use super::exchange::TokenRequest;
use crate::error::Error;
use crate::error::Result;
use crate::login::LoginScope;
use crate::login::LoginSnapshot;
use crate::registry::Registry;
use crate::registry::own_tokens;
use crate::settings::CredentialKind;
use crate::sources;
use crate::sources::Origin;
use crate::sources::ResolvedIdentity;
use crate::time::Deadline;

impl Broker<'_> {
    /// Deletes the registry tokens that this program created with the logins for these
    /// scopes, or with `all`, also with other sources. Call it before the logins are deleted:
    /// without them the tokens cannot be deleted, and are valid for up to a day. Only
    /// registries with a cached token are asked, for some seconds in all.
    ///
    /// Returns the registries where it failed, with the error.
    pub fn delete_registry_tokens(
        &self,
        scopes: &BTreeSet<LoginScope>,
        all: bool,
        logins: &LoginSnapshot<'_>,
    ) -> Vec<(Registry, Error)> {
        let registries: Vec<Registry> = self
            .settings
            .all_registries()
            .filter(|registry| {
                self.settings.for_registry(registry).credential == CredentialKind::RegistryToken
            })
            .collect();
        // The usual case; no keychain is read then.
        if registries.is_empty() {
            return Vec::new();
        }
        let deadline = Deadline::after(self.context.clock, STALE_TOKENS_TIMEOUT);
        let id_of = |scope: &LoginScope| Some(logins.read(scope).ok()??.id);
        let deleted_ids: BTreeSet<String> = scopes.iter().filter_map(id_of).collect();
        // Another scope may have the same login. Its cached tokens are deleted, too.
        let is_deleted = |origin: &Origin| match origin {
            Origin::Login(scope) => id_of(scope).is_some_and(|id| deleted_ids.contains(&id)),
            Origin::Source(_) => all,
        };
        registries
            .into_iter()
            .filter_map(|registry| {
                let outcome = self.delete_tokens_at(&registry, &is_deleted, deadline, logins);
                Some((registry, outcome.err()?))
            })
            .collect()
    }

    fn delete_tokens_at(
        &self,
        registry: &Registry,
        is_deleted: &dyn Fn(&Origin) -> bool,
        deadline: Deadline,
        logins: &LoginSnapshot<'_>,
    ) -> Result<()> {
        let context = self.source_context(registry);
        // An invalid source does not show which identity created the tokens.
        let search = sources::find(registry, &context, &|scope| logins.read(scope));
        let resolved = search.ok().and_then(|search| search.resolved);
        let Some(resolved) = resolved.filter(|resolved| is_deleted(&resolved.origin)) else {
            return Ok(());
        };
        let ResolvedIdentity::Exchanged(identity) = resolved.identity else {
            return Ok(());
        };
        let request = TokenRequest::new(registry, &*identity, &context, deadline);
        if context.tokens.secret(&request.key()).is_none() {
            return Ok(());
        }
        // Also if the deletion fails: a login that stays gets a new token.
        context.tokens.remove(&request.key());
        let access = self.fetch_access(&request)?;
        let http = self.http(1, deadline);
        let api = self.registry_client(registry, access, None, http)?;
        own_tokens::delete_all(&api, &self.owner_tag(&request))
    }
}
