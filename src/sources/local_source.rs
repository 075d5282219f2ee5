//! Sources that read variables and files, without the keychain and the network.

use super::Identity;
use super::LocalLookup;
use super::Lookup;
use super::Origin;
use super::ReadLogin;
use super::Resolved;
use super::ResolvedIdentity;
use super::Source;
use super::SourceContext;
use super::source_identity::SourceIdentity;
use crate::error::Result;
use crate::registry::Registry;
use crate::settings::SourceName;

/// A source that is found by this function.
pub(super) struct LocalSource(
    pub(super) SourceName,
    pub(super) for<'a> fn(&Registry, &SourceContext<'a>) -> Result<Option<SourceIdentity<'a>>>,
);

impl Source for LocalSource {
    fn find<'a>(
        &self,
        registry: &Registry,
        context: &'a SourceContext<'a>,
        _read_login: &ReadLogin<'_>,
    ) -> Result<Lookup<'a>> {
        let Some(found) = self.1(registry, context)? else {
            return Ok(Lookup::Nothing);
        };
        let title = found.source();
        let identity = match found.provided_access_token() {
            Some(token) => ResolvedIdentity::AccessToken(token.clone()),
            None => ResolvedIdentity::Exchanged(Box::new(found)),
        };
        Ok(Lookup::Found(Box::new(Resolved {
            identity,
            login: None,
            origin: Origin::Source(self.0),
            title,
        })))
    }

    fn look_up_locally(
        &self,
        registry: &Registry,
        context: &SourceContext<'_>,
    ) -> Result<LocalLookup> {
        let Some(found) = self.1(registry, context)? else {
            return Ok(LocalLookup::Absent);
        };
        Ok(match found.provided_access_token() {
            Some(token) => LocalLookup::AccessToken(token.clone()),
            None => LocalLookup::Key(found.key()),
        })
    }

    fn name(&self) -> SourceName {
        self.0
    }
}
