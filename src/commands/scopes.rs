//! Which logins do the arguments name, and which registries is there something to
//! tell of?

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use crate::PROGRAM;
use crate::client_config::Client;
use crate::error::Error;
use crate::error::Result;
use crate::error::one_line;
use crate::login::LoginScope;
use crate::registry::Registry;
use crate::settings::Settings;
use crate::text::repeatable;

/// The longest name that is told back, in characters.
const MAX_NAME_LENGTH: usize = 100;

/// The logins that a command is about.
#[derive(clap::Args)]
pub(super) struct ScopeArgs {
    /// Registries, such as us.icr.io; without any, the login for all of them
    #[arg(value_name = "REGISTRY")]
    registries: Vec<String>,

    /// The login of a profile in the settings file
    #[arg(long, value_name = "NAME", conflicts_with = "registries")]
    profile: Option<String>,
}

impl ScopeArgs {
    /// These registries.
    pub(super) fn only(registries: &[String]) -> Self {
        Self {
            registries: registries.to_vec(),
            profile: None,
        }
    }

    /// The scopes of new logins, each once.
    pub(super) fn scopes(&self, settings: &Settings) -> Result<Vec<LoginScope>> {
        if let Some(name) = &self.profile {
            let profile = settings.profile_called(name)?;
            return Ok(vec![LoginScope::Profile(profile.name.clone())]);
        }
        let at = |address: &String| Registry::at(address, &settings.registries);
        self.registries(settings, &|address| at(address).map(LoginScope::Registry))
    }

    /// The scopes of logins that may be there; they stay when a profile or a
    /// registry leaves the settings.
    pub(super) fn stored_scopes(
        &self,
        settings: &Settings,
        is_stored: &dyn Fn(&LoginScope) -> bool,
    ) -> Result<Vec<LoginScope>> {
        if let Some(name) = &self.profile {
            let scope = LoginScope::Profile(name.clone());
            if !is_stored(&scope) {
                settings.profile_called(name)?;
            }
            return Ok(vec![scope]);
        }
        self.registries(settings, &|address| {
            let scope = LoginScope::Registry(Registry::parse(address)?);
            let is_ours = Registry::at(address, &settings.registries).is_some();
            (is_ours || is_stored(&scope)).then_some(scope)
        })
    }

    fn registries(
        &self,
        settings: &Settings,
        read: &dyn Fn(&String) -> Option<LoginScope>,
    ) -> Result<Vec<LoginScope>> {
        let mut scopes = Vec::new();
        for address in &self.registries {
            let scope = read(address).ok_or_else(|| not_ibm_cloud_registry(address))?;
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        if scopes.is_empty() {
            let chosen = settings.chosen_profile();
            scopes.push(chosen.map_or(LoginScope::Default, |profile| {
                LoginScope::Profile(profile.name.clone())
            }));
        }
        Ok(scopes)
    }
}

/// The registries that there is something to tell of: those with a login, those that
/// the settings name, and those that clients ask this program for.
pub(super) fn known_registries(
    stored: BTreeSet<LoginScope>,
    settings: &Settings,
    clients: &BTreeMap<Option<Registry>, Vec<Client>>,
) -> BTreeSet<Registry> {
    let stored = stored.into_iter().filter_map(LoginScope::into_registry);
    let mapped = settings.mapped_registries().map(|(host, _)| host.clone());
    let asked_for = clients.keys().flatten().cloned();
    stored.chain(mapped).chain(asked_for).collect()
}

/// The failure that an address names no registry of ours.
pub(super) fn not_ibm_cloud_registry(address: &str) -> Error {
    let host = repeatable::host(address).map(|host| one_line(&host, MAX_NAME_LENGTH));
    let address = host.unwrap_or_else(|| "one of the arguments".to_owned());
    Error::user(format!(
        "{address} is not a registry of IBM Cloud; if it is one, put it into `registries` in the settings file (`{PROGRAM} settings` tells where that is)"
    ))
}

/// `us.icr.io`, `us.icr.io and de.icr.io`, `us.icr.io, de.icr.io and uk.icr.io`.
pub(super) fn listed<T: ToString>(things: &[T]) -> String {
    let mut names: Vec<String> = things.iter().map(ToString::to_string).collect();
    let last = names.pop().unwrap_or_default();
    match names.is_empty() {
        true => last,
        false => format!("{} and {last}", names.join(", ")),
    }
}

/// `{"kind": "registry", "registry": "us.icr.io"}`; the other kinds are `default`
/// and `profile`.
pub(super) fn as_json(scope: &LoginScope) -> Value {
    match scope {
        LoginScope::Default => json!({"kind": "default"}),
        LoginScope::Profile(name) => json!({"kind": "profile", "profile": name}),
        LoginScope::Registry(registry) => {
            json!({"kind": "registry", "registry": registry.host()})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_listed_as_people_do() {
        assert_eq!(listed::<&str>(&[]), "");
        assert_eq!(listed(&["a"]), "a");
        assert_eq!(listed(&["a", "b"]), "a and b");
        assert_eq!(listed(&["a", "b", "c"]), "a, b and c");
    }

    #[test]
    fn what_may_be_a_key_is_not_told_back() {
        for (address, is_told) in [
            ("ghcr.io", true),
            ("https://ghcr.io/x", true),
            ("hunter2", false),
            ("hunter2_-x", false),
            ("user:hunter2@us.icr.io", false),
        ] {
            let failure = not_ibm_cloud_registry(address).to_string();
            assert!(!failure.contains("hunter2"), "{failure}");
            assert_eq!(failure.contains("ghcr.io"), is_told, "{failure}");
        }
    }
}
