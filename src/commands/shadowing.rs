//! Who listens to a new login? Its registries may ask somebody else first.

use super::login_context::LoginContext;
use super::scopes::listed;
use super::warnings::Warnings;
use crate::PROGRAM;
use crate::credentials::ActiveSource;
use crate::credentials::Broker;
use crate::credentials::Hidden;
use crate::credentials::Stored;
use crate::environment;
use crate::environment::Environment;
use crate::login::LoginScope;
use crate::registry::Registry;
use crate::settings::Settings;
use crate::settings::SourceName;
use crate::sources::Speaker;

/// Says which registries will not use the logins that were just stored.
pub(super) fn warn_if_shadowed(scopes: &[LoginScope], login_context: &LoginContext<'_>) {
    for scope in scopes {
        let registries = registries_of(scope, login_context.broker);
        if registries.is_empty() {
            login_context.warn(format!(
                "no registry uses {scope}: name it in a table [registry.\"us.icr.io\"] of the settings file, or in ${}",
                environment::PROFILE
            ));
        }
        for (name, registry) in registries {
            if let Some(reason) = shadowed_by(scope, &registry, login_context.broker) {
                login_context.warn(format!("{name} {reason}"));
            }
        }
    }
}

/// The registries that a login could be for, by what a person calls them; those
/// that nobody treats differently have one to stand for them all.
fn registries_of(scope: &LoginScope, broker: &Broker<'_>) -> Vec<(String, Registry)> {
    let settings = broker.settings;
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
            for other in broker.scopes().unwrap_or_default() {
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

/// Why a registry does not use the login for a scope, if it does not, and how to change
/// that; begins after the registry's name.
fn shadowed_by(scope: &LoginScope, registry: &Registry, broker: &Broker<'_>) -> Option<String> {
    let settings = format!("see '{PROGRAM} settings'");
    let answering = match broker.answering(registry) {
        Ok(Some(answering)) => answering,
        Ok(None) => {
            let profile = broker.settings.choice(registry).profile?;
            return Some(format!(
                "does not use this login: the settings choose profile {} for it; '{}' logs in for that",
                profile.name,
                LoginScope::Profile(profile.name.clone()).login_command()
            ));
        }
        Err(failure) => return Some(format!("does not use this login: {failure}")),
    };
    match &answering.speaker {
        Speaker::Login(other) if other == scope => None,
        Speaker::Login(_) => Some(format!(
            "uses {}, which comes before this one; {}",
            answering.name,
            removal_hint(&answering, broker)
        )),
        Speaker::Source(SourceName::Environment) => Some(format!(
            "uses {}, which comes before this login; unset it to use the login",
            variable(broker.context.environment)
        )),
        Speaker::Source(_) if broker.context.environment.has(environment::SOURCE) => Some(format!(
            "uses {}, as ${source} says; unset ${source} to use the login",
            answering.name,
            source = environment::SOURCE
        )),
        Speaker::Source(_) => Some(format!(
            "uses {}, which the settings choose for it; {settings}",
            answering.name
        )),
    }
}

/// How to have something answer no longer, as the end of a sentence.
fn removal_hint(answering: &ActiveSource, broker: &Broker<'_>) -> String {
    match &answering.speaker {
        Speaker::Login(scope) => format!("'{}' removes it", scope.logout_command()),
        Speaker::Source(SourceName::Environment) => {
            format!("unset {} to end that", variable(broker.context.environment))
        }
        Speaker::Source(SourceName::IbmCloudCli) => "'ibmcloud logout' ends it".into(),
        Speaker::Source(_) => format!(
            "{}={} has stored logins alone answer",
            environment::SOURCE,
            SourceName::Login
        ),
    }
}

/// What somebody should know whose client has just logged in, if anything.
pub(crate) fn after_store(
    registry: &Registry,
    stored: &Stored,
    broker: &Broker<'_>,
) -> Option<String> {
    let scope = LoginScope::Registry(registry.clone());
    match stored {
        Stored::Unchanged => None,
        Stored::Untold(answering) => Some(format!(
            "nothing was stored, because no keychain keeps tokens here; {} goes on answering for {registry}",
            answering.name
        )),
        Stored::Written { until_it_ends } => {
            let shadowed_by = shadowed_by(&scope, registry, broker);
            let shadowed_by = shadowed_by.map(|shadowed_by| {
                // What was stored is not gone, though.
                format!("the login was stored, but {registry} {shadowed_by}")
            });
            shadowed_by.or_else(|| {
                let hidden = until_it_ends.as_ref()?;
                Some(until_token_expires(&scope, hidden))
            })
        }
    }
}

fn until_token_expires(scope: &LoginScope, hidden: &Hidden) -> String {
    let (login, logout) = (scope.login_command(), scope.logout_command());
    match (&hidden.then, hidden.is_replaced) {
        (Some(then), false) => format!(
            "this token answers for {scope} until it ends; then {} does again, and after '{logout}' at once",
            then.name
        ),
        (Some(then), true) => format!(
            "this token takes the place of the login for {scope}; when it has ended, {} answers, and '{login}' makes a login that lasts",
            then.name
        ),
        (None, _) => format!(
            "this token takes the place of the login for {scope}; when it has ended, nothing answers until '{login}' makes a login that lasts"
        ),
    }
}

/// That something still answers for a registry for which there is no login any more,
/// and how to end that.
pub(crate) fn after_logout(registry: &Registry, broker: &Broker<'_>) -> Option<String> {
    let answering = broker.answering(registry).ok()??;
    Some(still_active(&answering, registry.host(), broker))
}

/// The same for everything that a person wants to be logged out of; what answers for
/// several registries is told once. Logins are told only where that person has just
/// removed that of a registry or a profile: the others are no news.
pub(super) fn warn_after_logout(
    removed: &[LoginScope],
    absent: &[LoginScope],
    broker: &Broker<'_>,
    warnings: &Warnings<'_>,
) {
    let everywhere = [LoginScope::Default];
    let scopes: &mut dyn Iterator<Item = &LoginScope> = match (removed, absent) {
        ([], []) => &mut everywhere.iter(),
        _ => &mut removed.iter().chain(absent),
    };
    let mut left: Vec<(ActiveSource, Vec<String>)> = Vec::new();
    for scope in scopes {
        for (name, registry) in registries_of(scope, broker) {
            let Ok(Some(answering)) = broker.answering(&registry) else {
                continue;
            };
            let is_login = matches!(answering.speaker, Speaker::Login(_));
            if is_login && (*scope == LoginScope::Default || absent.contains(scope)) {
                continue;
            }
            match left.iter_mut().find(|(known, _)| *known == answering) {
                Some((_, names)) => names.push(name),
                None => left.push((answering, vec![name])),
            }
        }
    }
    for (answering, mut names) in left {
        names.sort_unstable();
        names.dedup();
        warnings.warn(still_active(&answering, &listed(&names), broker));
    }
}

fn still_active(answering: &ActiveSource, names: &str, broker: &Broker<'_>) -> String {
    format!(
        "{} still answers for {names}; {}",
        answering.name,
        removal_hint(answering, broker)
    )
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
