//! The offer to add the helper to clients, after a login at a terminal.

use std::collections::BTreeMap;

use crate::PROGRAM;
use crate::client_config::Client;
use crate::commands::clients::Clients;
use crate::commands::clients::machine;
use crate::commands::configure;
use crate::commands::scopes::listed;
use crate::commands::warnings::Warnings;
use crate::context::Stdio;
use crate::credentials::Broker;
use crate::error::Result;
use crate::login::LoginScope;
use crate::registry::Registry;
use crate::settings::Settings;

/// The clients that the question names. nerdctl reads docker's file.
const OFFERED: [(Client, &str); 3] = [
    (Client::Docker, "Docker"),
    (Client::Podman, "Podman"),
    (Client::Regctl, "regctl"),
];

/// Asks whether to add the helper to the clients on this machine that do not have it for these
/// logins. Asks nothing without such a client.
///
/// # Errors
/// The helper was not added. The login is stored.
pub(super) fn offer(
    scopes: &[LoginScope],
    broker: &Broker<'_>,
    stdio: &mut Stdio<'_>,
    warnings: &Warnings<'_>,
) -> Result<()> {
    let context = broker.context;
    let registries = registries_of(scopes, broker.settings);
    let configured = Clients::of(context, broker.settings).by_registry();
    let machine = machine(context);
    let lacks_helper = |(client, _): &(Client, &str)| {
        client.is_present(&machine) && !is_configured(*client, &registries, &configured)
    };
    let (clients, names): (Vec<Client>, Vec<&str>) =
        OFFERED.into_iter().filter(lacks_helper).unzip();
    if clients.is_empty() {
        return Ok(());
    }
    let question = format!("Add the helper to {}?", listed(&names));
    if !context.terminal.confirm(&question, true).unwrap_or(false) {
        warnings.note(&format!("to add it later, run '{PROGRAM} configure'"));
        return Ok(());
    }
    let hosts = registries.iter().map(|it| it.host().to_owned()).collect();
    configure::add_to(clients, hosts, broker, stdio, warnings)
        .map_err(|error| error.with_context("the login is stored, but the helper was not added"))
}

/// Returns the registries of logins; none for a login that is for all of them.
fn registries_of(scopes: &[LoginScope], settings: &Settings) -> Vec<Registry> {
    let of_profile = |name: &str| {
        let mapped = settings.mapped_registries();
        let mapped = mapped.filter(|(_, profile)| *profile == Some(name));
        mapped.map(|(registry, _)| registry.clone()).collect()
    };
    let registries = scopes.iter().flat_map(|scope| match scope {
        LoginScope::Default => Vec::new(),
        LoginScope::Profile(name) => of_profile(name),
        LoginScope::Registry(registry) => vec![registry.clone()],
    });
    registries.collect()
}

/// Returns whether a client uses this helper for all of these registries; without registries,
/// for at least one.
fn is_configured(
    client: Client,
    registries: &[Registry],
    configured: &BTreeMap<Option<Registry>, Vec<Client>>,
) -> bool {
    let uses = |registry: Option<&Registry>| {
        let clients = configured.get(&registry.cloned());
        clients.is_some_and(|clients| clients.contains(&client))
    };
    if registries.is_empty() {
        return configured.values().flatten().any(|it| *it == client);
    }
    let mut registries = registries.iter();
    uses(None) || registries.all(|registry| uses(Some(registry)))
}
