//! Warnings that another source takes precedence over a login, or stays active after it.

use super::login_context::LoginContext;
use super::scopes::listed;
use super::scopes::scope_list;
use super::warnings::Warnings;
use crate::PROGRAM;
use crate::credentials::ActiveSource;
use crate::credentials::Broker;
use crate::credentials::ShadowedLogin;
use crate::credentials::StoreOutcome;
use crate::environment;
use crate::environment::Environment;
use crate::keychain::Item;
use crate::keychain::Prompting;
use crate::login::LoginScope;
use crate::login::LoginSnapshot;
use crate::registry::Registry;
use crate::settings::KeychainChoice;
use crate::settings::Settings;
use crate::settings::SourceName;
use crate::sources::Origin;

/// Warns of registries that do not use the logins that were just stored.
pub(super) fn warn_if_shadowed(scopes: &[LoginScope], login_context: &LoginContext<'_>) {
    for scope in scopes {
        let registries = registries_of(scope, login_context.logins, login_context.broker);
        if registries.is_empty() {
            login_context.warn(format!(
                "no registry uses {}. Add it to a table [registry.\"us.icr.io\"] of the settings file, or set ${}",
                scope_list(std::slice::from_ref(scope)),
                environment::PROFILE
            ));
        }
        for (name, registry) in registries {
            let (logins, broker) = (login_context.logins, login_context.broker);
            if let Some(text) = shadowed_by(scope, &name, &registry, logins, broker) {
                login_context.warn(text);
            }
        }
    }
}

/// The keychains of Linux in the order in which `auto` reads them.
const READ_ORDER: [KeychainChoice; 4] = [
    KeychainChoice::Kernel,
    KeychainChoice::Pass,
    KeychainChoice::SystemdCreds,
    KeychainChoice::SecretService,
];

/// Warns of older logins in a keychain that `auto` reads before the selected one.
pub(super) fn warn_of_other_keychains(scopes: &[LoginScope], login_context: &LoginContext<'_>) {
    let broker = login_context.broker;
    let chosen = broker.settings.keychain;
    if !READ_ORDER.contains(&chosen) {
        return;
    }
    for choice in READ_ORDER.into_iter().take_while(|it| *it != chosen) {
        let mut settings = broker.settings.clone();
        settings.keychain = choice;
        let Ok(keychains) = broker.context.keychains(&settings, Prompting::Never) else {
            continue;
        };
        for scope in scopes {
            let item = Item::login(&scope.item_name());
            if let Ok(Some(backend)) = keychains.logins.backend(&item) {
                login_context.warn(format!(
                    "{} has another login for {}, which is used without ICR_KEYCHAIN={chosen}. Delete it with 'ICR_KEYCHAIN={choice} {PROGRAM} logout', and the same registry or option",
                    backend.title(),
                    scope_list(std::slice::from_ref(scope)),
                ));
            }
        }
    }
}

/// Returns the registries that a login is for, with their names in messages. One example
/// represents all registries without settings or logins of their own.
fn registries_of(
    scope: &LoginScope,
    logins: &LoginSnapshot<'_>,
    broker: &Broker<'_>,
) -> Vec<(String, Registry)> {
    let settings = broker.settings;
    let named = |registry: Registry| (registry.to_string(), registry);
    match scope {
        LoginScope::Registry(registry) => vec![named(registry.clone())],
        LoginScope::Profile(name) if is_chosen(name, settings) => {
            representative(&[], settings).into_iter().collect()
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
            for other in logins.scopes().unwrap_or_default() {
                if let LoginScope::Registry(registry) = other
                    && !registry.is_entitled()
                    && !others.contains(&registry)
                {
                    others.push(registry);
                }
            }
            let rest = representative(&others, settings);
            others.into_iter().map(named).chain(rest).collect()
        }
    }
}

fn is_chosen(profile: &str, settings: &Settings) -> bool {
    settings
        .selected_profile()
        .is_some_and(|chosen| chosen.name == profile)
}

/// Returns an example of all registries except these, and what messages call them.
fn representative(except: &[Registry], settings: &Settings) -> Option<(String, Registry)> {
    let name = if except.is_empty() {
        "all registries"
    } else {
        "all other registries"
    };
    let mut registries = settings.all_registries();
    let one = registries.find(|registry| !registry.is_entitled() && !except.contains(registry));
    Some((name.to_owned(), one?))
}

/// Returns why a registry, `name` in messages, does not use the login for a scope, and how to
/// change that; `None` if it uses it.
fn shadowed_by(
    scope: &LoginScope,
    name: &str,
    registry: &Registry,
    logins: &LoginSnapshot<'_>,
    broker: &Broker<'_>,
) -> Option<String> {
    let unused = format!("this login is not used for {name}");
    let active = match broker.active_source(registry, logins) {
        Ok(Some(active)) => active,
        Ok(None) => {
            let profile = broker.settings.for_registry(registry).profile?;
            let scope = LoginScope::Profile(profile.name.clone());
            return Some(format!(
                "{unused}: the settings choose profile '{}'. To log in for that, run '{}'",
                profile.name,
                scope.login_command()
            ));
        }
        Err(error) => return Some(format!("{unused}: {error}")),
    };
    let precedence = format!("{} takes precedence for {name}", active.name);
    match &active.origin {
        Origin::Login(other) if other == scope => None,
        Origin::Login(LoginScope::Registry(_)) => Some(format!(
            "{} takes precedence over this login. {}",
            active.name,
            removal_hint(&active, broker)
        )),
        Origin::Login(_) => Some(format!("{precedence}. {}", removal_hint(&active, broker))),
        Origin::Source(SourceName::Environment) => Some(format!(
            "{precedence}. To use this login, unset {}",
            credential_variable(broker.context.environment)
        )),
        Origin::Source(_) if broker.context.environment.has(environment::SOURCE) => Some(format!(
            "{precedence}, because ${source} selects it. To use this login, unset ${source}",
            source = environment::SOURCE
        )),
        Origin::Source(_) => Some(format!(
            "{precedence}, because the settings select it. See '{PROGRAM} settings'"
        )),
    }
}

/// Returns a sentence on how to stop using the active source.
fn removal_hint(active: &ActiveSource, broker: &Broker<'_>) -> String {
    match &active.origin {
        Origin::Login(scope) => format!("To delete it, run '{}'", scope.logout_command()),
        Origin::Source(SourceName::Environment) => format!(
            "To stop using it, unset {}",
            credential_variable(broker.context.environment)
        ),
        Origin::Source(SourceName::IbmCloudCli) => "To end it, run 'ibmcloud logout'".into(),
        Origin::Source(_) => format!(
            "To use stored logins only, set {}={}",
            environment::SOURCE,
            SourceName::Login
        ),
    }
}

/// Returns a warning for the person whose client has just stored a credential, if the
/// credential is not used, or not for long.
pub(crate) fn after_store(
    registry: &Registry,
    stored: &StoreOutcome,
    logins: &LoginSnapshot<'_>,
    broker: &Broker<'_>,
) -> Option<String> {
    let scope = LoginScope::Registry(registry.clone());
    match stored {
        StoreOutcome::Unchanged => None,
        StoreOutcome::Unrecognized(active) => Some(format!(
            "the token was not stored, because tokens are not cached on this machine. {} stays active for {registry}",
            active.name
        )),
        StoreOutcome::Written { shadowed_login } => {
            let shadowed = shadowed_by(&scope, registry.host(), registry, logins, broker);
            let shadowed = shadowed.map(|text| format!("the login was stored, but {text}"));
            shadowed.or_else(|| Some(until_token_expires(&scope, shadowed_login.as_ref()?)))
        }
    }
}

fn until_token_expires(scope: &LoginScope, shadowed: &ShadowedLogin) -> String {
    let (login, logout) = (scope.login_command(), scope.logout_command());
    let lasting = format!("For a permanent login, run '{login}'");
    match (&shadowed.after_expiry, shadowed.is_replaced) {
        (Some(then), false) => format!(
            "this token takes precedence for {scope} until it expires. To use {} now, run '{logout}'",
            then.name
        ),
        (Some(then), true) => format!(
            "this token replaces the login for {scope}. When it expires, {} is used. {lasting}",
            then.name
        ),
        (None, _) => format!(
            "this token replaces the login for {scope}. When it expires, you are logged out. {lasting}"
        ),
    }
}

/// Returns a warning if another source stays active for a registry after its login was
/// deleted.
pub(crate) fn after_logout(
    registry: &Registry,
    logins: &LoginSnapshot<'_>,
    broker: &Broker<'_>,
) -> Option<String> {
    let active = broker.active_source(registry, logins).ok()??;
    Some(still_active(&active, registry.host(), broker))
}

/// Warns of sources that stay active after `logout`, each once for all its registries.
/// Remaining logins are mentioned only after the login of a registry or profile was deleted:
/// otherwise they are expected.
pub(super) fn warn_after_logout(
    deleted: &[LoginScope],
    missing: &[LoginScope],
    logins: &LoginSnapshot<'_>,
    broker: &Broker<'_>,
    warnings: &Warnings<'_>,
) {
    let mut scopes: Vec<&LoginScope> = deleted.iter().chain(missing).collect();
    if scopes.is_empty() {
        scopes.push(&LoginScope::Default);
    }
    let mut remaining: Vec<(ActiveSource, Vec<String>)> = Vec::new();
    for scope in scopes {
        for (name, registry) in registries_of(scope, logins, broker) {
            let Ok(Some(active)) = broker.active_source(&registry, logins) else {
                continue;
            };
            let is_login = matches!(active.origin, Origin::Login(_));
            if is_login && (*scope == LoginScope::Default || missing.contains(scope)) {
                continue;
            }
            match remaining.iter_mut().find(|(known, _)| *known == active) {
                Some((_, names)) => names.push(name),
                None => remaining.push((active, vec![name])),
            }
        }
    }
    for (active, mut names) in remaining {
        names.sort_unstable();
        names.dedup();
        warnings.warn(still_active(&active, &listed(&names), broker));
    }
}

fn still_active(active: &ActiveSource, names: &str, broker: &Broker<'_>) -> String {
    format!(
        "{} is still active for {names}. {}",
        active.name,
        removal_hint(active, broker)
    )
}

/// Returns the environment variable that holds the credential, with its `$`.
fn credential_variable(environment: &Environment) -> String {
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
