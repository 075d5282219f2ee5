//! The logins and registries that the arguments name, and their names in messages.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::client_config::Client;
use crate::error::Error;
use crate::error::Result;
use crate::error::one_line;
use crate::login::LoginScope;
use crate::registry::REGIONS;
use crate::registry::Registry;
use crate::registry::intended;
use crate::settings::Settings;
use crate::text::repeatable;

/// The maximum length of a name that a message repeats, in characters.
const MAX_NAME_LENGTH: usize = 100;

/// The logins that a command changes.
#[derive(clap::Args)]
pub(super) struct ScopeArgs {
    /// Registries, for example us.icr.io. Without one, the login is for all registries
    /// (the default login)
    #[arg(value_name = "REGISTRY")]
    registries: Vec<String>,

    /// Select the login for a profile of the settings file
    #[arg(long, value_name = "NAME", conflicts_with = "registries")]
    profile: Option<String>,
}

impl ScopeArgs {
    /// Names these registries.
    pub(super) fn only(registries: &[String]) -> Self {
        Self {
            registries: registries.to_vec(),
            profile: None,
        }
    }

    /// Returns whether they name neither a registry nor a profile.
    pub(super) fn is_empty(&self) -> bool {
        self.registries.is_empty() && self.profile.is_none()
    }

    /// Returns the scopes of new logins, without duplicates.
    ///
    /// # Errors
    /// A registry is not IBM Cloud's, or the settings have no such profile.
    pub(super) fn scopes(&self, settings: &Settings) -> Result<Vec<LoginScope>> {
        if let Some(name) = &self.profile {
            let profile = settings.require_profile(name)?;
            return Ok(vec![LoginScope::Profile(profile.name.clone())]);
        }
        let at = |address: &String| Registry::at(address, &settings.registries);
        self.registries(settings, &|address| at(address).map(LoginScope::Registry))
    }

    /// Returns the scopes of existing logins, without duplicates. A stored login may be for a
    /// profile or a registry that the settings no longer have.
    ///
    /// # Errors
    /// A registry or profile is unknown, and has no login.
    pub(super) fn stored_scopes(
        &self,
        settings: &Settings,
        is_stored: &dyn Fn(&LoginScope) -> bool,
    ) -> Result<Vec<LoginScope>> {
        if let Some(name) = &self.profile {
            let scope = LoginScope::Profile(name.clone());
            if !is_stored(&scope) {
                settings.require_profile(name)?;
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
            let scope = read(address).ok_or_else(|| not_ibm_cloud_registry(address, settings))?;
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        if scopes.is_empty() {
            let chosen = settings.selected_profile();
            scopes.push(chosen.map_or(LoginScope::Default, |profile| {
                LoginScope::Profile(profile.name.clone())
            }));
        }
        Ok(scopes)
    }
}

/// Returns the registries with a login, those in the settings, and those that clients use
/// this helper for.
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

/// Creates the error for an address that is not an IBM Cloud registry.
pub(super) fn not_ibm_cloud_registry(address: &str, settings: &Settings) -> Error {
    if let Some(region) = REGIONS
        .iter()
        .find(|it| it.name.eq_ignore_ascii_case(address))
    {
        return Error::user(format!("{} is a region, not a registry", region.name))
            .with_hint(format!("Use its registry, {}", region.host));
    }
    let host = repeatable::host(address);
    let host = host.map(|host| one_line(&host, MAX_NAME_LENGTH));
    if let Some(registry) = intended(address) {
        let name = host.unwrap_or_else(|| "this".to_owned());
        return Error::user(format!("{name} is not an IBM Cloud registry"))
            .with_hint(format!("Did you mean {registry}?"));
    }
    let Some(host) = host else {
        return Error::user("this is not an IBM Cloud registry (example: us.icr.io)");
    };
    let files = settings.files();
    // The last one wins, and the user can write to it.
    let file = files.last().map_or_else(
        || "the settings file".to_owned(),
        |file| file.path.display().to_string(),
    );
    Error::user(format!("{host} is not an IBM Cloud registry")).with_hint(format!(
        "To use a new region, add it to `registries` in {file}"
    ))
}

/// Joins names: `us.icr.io`, `us.icr.io and de.icr.io`, `us.icr.io, de.icr.io and uk.icr.io`.
pub(super) fn listed<T: ToString>(things: &[T]) -> String {
    let mut names: Vec<String> = things.iter().map(ToString::to_string).collect();
    let last = names.pop().unwrap_or_default();
    if names.is_empty() {
        last
    } else {
        format!("{} and {last}", names.join(", "))
    }
}

/// Returns what logins are for: `all registries`, `us.icr.io and profile 'work'`.
pub(super) fn scope_list(scopes: &[LoginScope]) -> String {
    let name = |scope: &LoginScope| match scope {
        LoginScope::Default => "all registries".to_owned(),
        LoginScope::Profile(name) => format!("profile '{name}'"),
        LoginScope::Registry(registry) => registry.to_string(),
    };
    listed(&scopes.iter().map(name).collect::<Vec<_>>())
}

/// Returns the name of a login: `the default login`, `the login for us.icr.io`.
pub(super) fn login_for(scope: &LoginScope) -> String {
    logins_for(std::slice::from_ref(scope))
}

/// Returns that a login is not stored, as the end of a sentence.
pub(super) fn not_stored(scope: &LoginScope) -> String {
    if *scope == LoginScope::Default {
        "no default login is stored".to_owned()
    } else {
        let scope = scope_list(std::slice::from_ref(scope));
        format!("no login is stored for {scope}")
    }
}

/// Returns the names of logins: `the default login and the login for us.icr.io and de.icr.io`.
pub(super) fn logins_for(scopes: &[LoginScope]) -> String {
    let is_default = |scope: &&LoginScope| **scope == LoginScope::Default;
    let (default, others): (Vec<&LoginScope>, Vec<&LoginScope>) =
        scopes.iter().partition(is_default);
    let others: Vec<LoginScope> = others.into_iter().cloned().collect();
    let mut names = Vec::new();
    if !default.is_empty() {
        names.push("the default login".to_owned());
    }
    if !others.is_empty() {
        names.push(format!("the login for {}", scope_list(&others)));
    }
    listed(&names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_joined_with_commas_and_and() {
        assert_eq!(listed::<&str>(&[]), "");
        assert_eq!(listed(&["a"]), "a");
        assert_eq!(listed(&["a", "b"]), "a and b");
        assert_eq!(listed(&["a", "b", "c"]), "a, b and c");
    }

    #[test]
    fn logins_have_names() {
        let registry = |host: &str| LoginScope::Registry(Registry::parse(host).unwrap());
        let profile = LoginScope::Profile("work".into());
        assert_eq!(login_for(&LoginScope::Default), "the default login");
        assert_eq!(login_for(&profile), "the login for profile 'work'");
        assert_eq!(
            logins_for(&[LoginScope::Default, registry("us.icr.io"), profile]),
            "the default login and the login for us.icr.io and profile 'work'"
        );
    }

    #[test]
    fn a_possible_key_is_not_repeated() {
        for (address, is_repeated) in [
            ("ghcr.io", true),
            ("https://ghcr.io/x", true),
            ("hunter2", false),
            ("hunter2_-x", false),
            ("user:hunter2@us.icr.io", false),
        ] {
            let error = not_ibm_cloud_registry(address, &Settings::default()).to_string();
            assert!(!error.contains("hunter2"), "{error}");
            assert_eq!(error.contains("ghcr.io"), is_repeated, "{error}");
        }
    }
}
