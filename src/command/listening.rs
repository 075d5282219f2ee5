//! Who listens to a new login? Its registries may ask somebody else first.

use super::errand::Errand;
use crate::environment;
use crate::environment::Environment;
use crate::identity::Speaker;
use crate::login::LoginScope;
use crate::protocol::PROGRAM;
use crate::registry::Registry;
use crate::settings::Settings;
use crate::settings::SourceName;

/// Says which registries will not use the logins that were just stored.
pub(super) fn warn_of_others(scopes: &[LoginScope], errand: &Errand<'_>) {
    for scope in scopes {
        let listeners = listeners(scope, errand);
        if listeners.is_empty() {
            errand.warn(format!(
                "no registry uses {scope}: name it in a table [registry.\"us.icr.io\"] of the settings file, or in ${}",
                environment::PROFILE
            ));
        }
        for (name, registry) in listeners {
            if let Some(reason) = objection(scope, &registry, errand) {
                errand.warn(format!("{name} {reason}"));
            }
        }
    }
}

/// The registries that a login could be for, by what a person calls them; those
/// that nobody treats differently have one to stand for them all.
fn listeners(scope: &LoginScope, errand: &Errand<'_>) -> Vec<(String, Registry)> {
    let settings = errand.broker.settings;
    let named = |registry: Registry| (registry.to_string(), registry);
    match scope {
        LoginScope::Registry(registry) => vec![named(registry.clone())],
        LoginScope::Profile(name) if is_chosen(name, settings) => {
            every(&[], settings).into_iter().collect()
        }
        LoginScope::Profile(name) => {
            let mapped = settings.mapped_registries();
            let own = mapped.filter(|(_, profile)| *profile == Some(name));
            own.map(|(registry, _)| named(registry.clone())).collect()
        }
        LoginScope::Default => {
            let mapped = settings.mapped_registries();
            let mapped = mapped.filter(|(_, profile)| profile.is_some());
            let mut others: Vec<Registry> = mapped.map(|(registry, _)| registry.clone()).collect();
            for other in errand.broker.scopes().unwrap_or_default() {
                if let LoginScope::Registry(registry) = other
                    && !registry.is_entitled()
                    && !others.contains(&registry)
                {
                    others.push(registry);
                }
            }
            let rest = every(&others, settings);
            others.into_iter().map(named).chain(rest).collect()
        }
    }
}

fn is_chosen(profile: &str, settings: &Settings) -> bool {
    settings
        .chosen_profile()
        .is_some_and(|chosen| chosen.name == profile)
}

/// One that stands for all others.
fn every(except: &[Registry], settings: &Settings) -> Option<(String, Registry)> {
    let name = match except.is_empty() {
        true => "every registry",
        false => "every other registry",
    };
    let mut registries = settings.all_registries();
    let one = registries.find(|registry| !registry.is_entitled() && !except.contains(registry));
    Some((name.to_owned(), one?))
}

/// Why a registry does not use the login for a scope, if it does not; begins after
/// the registry's name.
fn objection(scope: &LoginScope, registry: &Registry, errand: &Errand<'_>) -> Option<String> {
    match errand.broker.speaker(registry) {
        Ok(Some(Speaker::Login(speaker))) if speaker == *scope => None,
        Ok(Some(Speaker::Login(other))) => Some(format!(
            "uses the login for {other}, which comes before this one"
        )),
        Ok(Some(Speaker::Source(SourceName::Environment))) => {
            let variable = variable(errand.world.environment);
            Some(format!(
                "uses {variable}, which comes before this login; unset it to use the login"
            ))
        }
        Ok(Some(Speaker::Source(source))) => Some(format!(
            "uses the source `{source}`, which the settings choose for it; see `{PROGRAM} settings`"
        )),
        Ok(None) => Some(format!(
            "does not use this login: the settings choose another profile for it; see `{PROGRAM} settings`"
        )),
        Err(failure) => Some(format!("does not use this login: {failure}")),
    }
}

/// The variable that says who we are.
fn variable(environment: &Environment) -> String {
    let variables = [
        &environment::API_KEY_VARIABLES[..],
        &[environment::COMPUTE_RESOURCE_TOKEN],
        &environment::ACCESS_TOKEN_VARIABLES,
        &environment::REFRESH_TOKEN_VARIABLES,
    ];
    let set = variables.concat().into_iter();
    let set = set.into_iter().find(|variable| environment.has(variable));
    set.map_or("the environment".into(), |variable| format!("${variable}"))
}
