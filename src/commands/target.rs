//! The registries that `status` and `whoami` show.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::scopes;
use super::scopes::ScopeArgs;
use crate::client_config::Client;
use crate::credentials::Broker;
use crate::error::Error;
use crate::error::Result;
use crate::login::LoginScope;
use crate::login::LoginSnapshot;
use crate::registry::Registry;

/// The registries that a person names.
#[derive(clap::Args)]
pub(super) struct RegistryArgs {
    /// Registries, such as us.icr.io [default: all registries in use]
    #[arg(value_name = "REGISTRY")]
    registries: Vec<String>,
}

impl RegistryArgs {
    /// Returns whether no registry is named.
    pub(super) fn is_empty(&self) -> bool {
        self.registries.is_empty()
    }
}

/// The registries that a row is about.
pub(super) enum Target {
    /// This registry.
    Registry(Registry),
    /// All registries without a row of their own.
    Others {
        /// One of them.
        example: Registry,
        /// Whether there are no other rows.
        is_only_row: bool,
    },
}

impl Target {
    /// Returns the registry, or an example of the others.
    pub(super) fn registry(&self) -> &Registry {
        match self {
            Self::Registry(registry)
            | Self::Others {
                example: registry, ..
            } => registry,
        }
    }

    /// Returns the host; `None` for all other registries.
    pub(super) fn host(&self) -> Option<&str> {
        match self {
            Self::Registry(registry) => Some(registry.host()),
            Self::Others { .. } => None,
        }
    }

    /// Returns the scope of the login that is made for just these registries.
    pub(super) fn scope(&self) -> LoginScope {
        match self {
            Self::Registry(registry) => LoginScope::Registry(registry.clone()),
            Self::Others { .. } => LoginScope::Default,
        }
    }
}

/// Returns the registries that a person names, or else all that are in use and those without a
/// row of their own; and the error if stored logins cannot be listed.
///
/// # Errors
/// A name is not that of an IBM Cloud registry.
pub(super) fn targets(
    named: &RegistryArgs,
    clients: &BTreeMap<Option<Registry>, Vec<Client>>,
    logins: &LoginSnapshot<'_>,
    broker: &Broker<'_>,
) -> Result<(Vec<Target>, Option<Error>)> {
    if !named.is_empty() {
        let scopes = ScopeArgs::only(&named.registries).scopes(broker.settings)?;
        let registries = scopes.into_iter().filter_map(LoginScope::into_registry);
        let registries: BTreeSet<Registry> = registries.collect();
        return Ok((registries.into_iter().map(Target::Registry).collect(), None));
    }
    let (stored, error) = match logins.scopes() {
        Ok(stored) => (stored, None),
        Err(error) => (BTreeSet::new(), Some(error)),
    };
    let registries = scopes::known_registries(stored, broker.settings, clients);
    let mut others = broker.settings.all_registries();
    let example = others.find(|other| !other.is_entitled() && !registries.contains(other));
    let others = example.map(|example| Target::Others {
        example,
        is_only_row: registries.is_empty(),
    });
    let targets = registries.into_iter().map(Target::Registry).chain(others);
    Ok((targets.collect(), error))
}
