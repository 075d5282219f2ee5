//! What the files of container clients say about this program, for those who only
//! look.

use std::collections::BTreeMap;

use crate::client_config::Client;
use crate::client_config::ClientFile;
use crate::client_config::Machine;
use crate::client_config::document::AuthEntry;
use crate::client_config::document::Document;
use crate::client_config::document::HELPER;
use crate::client_config::document::ParseError;
use crate::client_config::file;
use crate::client_config::podman::GlobalHelpers;
use crate::context::Context;
use crate::registry::Registry;
use crate::settings::Settings;

/// What clients' files say.
#[derive(Debug)]
pub(super) struct Clients {
    /// Every file of every client, whether or not it is there, each once per client.
    pub(super) files: Vec<Seen>,
    /// Where podman asks this program for every registry, if it does.
    pub(super) podmans_global: Option<GlobalHelpers>,
}

/// A client's file, and what is in it.
#[derive(Debug)]
pub(super) struct Seen {
    /// Which file of whom.
    pub(super) file: ClientFile,
    /// What it says; `None` when there is no such file. Otherwise why it cannot be
    /// read.
    pub(super) contents: Result<Option<Contents>, ParseError>,
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
    /// What lies in the file itself for registries.
    pub(super) plain: Vec<AuthEntry>,
}

impl Seen {
    /// What the file says, if it is there and can be read.
    pub(super) fn readable(&self) -> Option<&Contents> {
        self.contents.as_ref().ok()?.as_ref()
    }
}

impl Contents {
    /// Whether there is something in the file that nobody else should read.
    pub(super) fn has_secrets(&self) -> bool {
        self.plain.iter().any(AuthEntry::is_secret)
    }
}

/// Where the clients of whoever runs this look.
pub(super) fn machine<'a>(context: &'a Context<'_>) -> Machine<'a> {
    let system_paths = &context.system_paths;
    Machine::of_process(
        context.environment,
        system_paths.home.as_deref(),
        &system_paths.root,
    )
}

impl Clients {
    pub(super) fn of(context: &Context<'_>, settings: &Settings) -> Self {
        let machine = machine(context);
        let files = |client: Client| client.files(&machine).unwrap_or_default();
        let files = Client::ALL.into_iter().flat_map(files);
        let files = files.map(|file| Seen {
            contents: contents(&file, settings),
            file,
        });
        Self {
            files: files.collect(),
            podmans_global: GlobalHelpers::of(&machine).filter(GlobalHelpers::name_us),
        }
    }

    /// The clients that ask this program, by registry; under `None` those that ask it
    /// for all of them.
    pub(super) fn switched_on(&self) -> BTreeMap<Option<Registry>, Vec<Client>> {
        let of_file = |seen: &Seen| {
            let contents = seen.readable();
            let named = contents.into_iter().flat_map(|it| &it.registries).cloned();
            let all = contents.filter(|contents| contents.is_store).map(|_| None);
            let subjects: Vec<Option<Registry>> = named.map(Some).chain(all).collect();
            let client = seen.file.client;
            subjects.into_iter().map(move |subject| (subject, client))
        };
        let global = self.podmans_global.iter().map(|_| (None, Client::Podman));
        let mut clients: BTreeMap<Option<Registry>, Vec<Client>> = BTreeMap::new();
        for (subject, client) in self.files.iter().flat_map(of_file).chain(global) {
            let clients = clients.entry(subject).or_default();
            if !clients.contains(&client) {
                clients.push(client);
            }
        }
        clients
    }

    /// The files that are there and cannot be read, each once, with the reason.
    pub(super) fn unread(&self) -> Vec<String> {
        let mut unread = Vec::new();
        for seen in &self.files {
            if let Err(reason) = &seen.contents {
                let text = format!("{} cannot be read: {reason}", seen.file.path.display());
                if !unread.contains(&text) {
                    unread.push(text);
                }
            }
        }
        unread
    }
}

fn contents(file: &ClientFile, settings: &Settings) -> Result<Option<Contents>, ParseError> {
    let Some(text) = file::read(&file.path)? else {
        return Ok(None);
    };
    let document = Document::parse(&text)?;
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
        plain: document.plain_logins(further),
        registries,
        foreign,
    }))
}
