//! What the files of container clients say about this program, for those who only
//! look.

use std::collections::BTreeMap;

use crate::client_config::Client;
use crate::client_config::ClientFile;
use crate::client_config::Machine;
use crate::client_config::document::Document;
use crate::client_config::document::HELPER;
use crate::client_config::document::PlainKind;
use crate::client_config::document::PlainLogin;
use crate::client_config::file;
use crate::program::World;
use crate::registry::Registry;
use crate::settings::Settings;

/// A client's file, and what is in it.
#[derive(Debug)]
pub(super) struct Seen {
    /// Which file of whom.
    pub(super) file: ClientFile,
    /// What it says; `None` when there is no such file. Otherwise why it cannot be
    /// read.
    pub(super) contents: Result<Option<Contents>, String>,
}

/// What a file says about this program and its registries.
#[derive(Debug)]
pub(super) struct Contents {
    /// The registries that this program is asked for.
    pub(super) registries: Vec<Registry>,
    /// Hosts that this program is asked for and that are none of its registries.
    pub(super) foreign: Vec<String>,
    /// Registries that another helper is asked for, with its name.
    pub(super) of_others: Vec<(Registry, String)>,
    /// Another helper that is asked for everything else (`credsStore`).
    pub(super) other_store: Option<String>,
    /// Whether this program is asked for everything (`credsStore`).
    pub(super) is_store: bool,
    /// Registries whose passwords are in the file itself.
    pub(super) in_clear: Vec<Registry>,
}

/// Every file of every client, whether or not it is there, each once per client.
pub(super) fn seen(world: &World<'_>, settings: &Settings) -> Vec<Seen> {
    let home = world.places.home.as_deref();
    let machine = Machine::of_process(world.environment, home, &world.places.root);
    let files = |client: Client| client.files(&machine).unwrap_or_default();
    let files = Client::ALL.into_iter().flat_map(files);
    files
        .map(|file| Seen {
            contents: contents(&file, settings),
            file,
        })
        .collect()
}

fn contents(file: &ClientFile, settings: &Settings) -> Result<Option<Contents>, String> {
    let text = file::read(&file.path).map_err(|error| error.to_string())?;
    let Some(text) = text else {
        return Ok(None);
    };
    let document = Document::parse(&text).map_err(|error| error.to_string())?;
    let further = &settings.registries;
    let mut registries = Vec::new();
    let mut foreign = Vec::new();
    for host in document.our_hosts() {
        match Registry::at(&host, further) {
            Some(registry) => registries.push(registry),
            None => foreign.push(host),
        }
    }
    let mut known: Vec<Registry> = settings.all_registries().collect();
    known.dedup();
    let of_others = known.into_iter().filter_map(|registry| {
        let helper = document.helper_of(registry.host())?;
        (!registries.contains(&registry)).then_some((registry, helper))
    });
    Ok(Some(Contents {
        of_others: of_others.collect(),
        other_store: document.store().filter(|store| store != HELPER),
        is_store: document.is_our_store(),
        in_clear: document
            .plain_logins(further)
            .into_iter()
            .filter(is_password)
            .map(|login| login.registry)
            .collect(),
        registries,
        foreign,
    }))
}

fn is_password(login: &PlainLogin) -> bool {
    !matches!(login.kind, PlainKind::Unreadable)
}

/// The clients that ask this program, by registry; under `None` those that ask it
/// for all of them.
pub(super) fn switched_on(seen: &[Seen]) -> BTreeMap<Option<Registry>, Vec<Client>> {
    let mut clients: BTreeMap<Option<Registry>, Vec<Client>> = BTreeMap::new();
    for Seen { file, contents } in seen {
        let Ok(Some(contents)) = contents else {
            continue;
        };
        let named = contents.registries.iter().cloned().map(Some);
        let all = contents.is_store.then_some(None);
        for registry in named.chain(all) {
            let clients = clients.entry(registry).or_default();
            if !clients.contains(&file.client) {
                clients.push(file.client);
            }
        }
    }
    clients
}
