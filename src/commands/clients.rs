//! What the configuration files of container clients contain about this helper. Nothing here
//! changes them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::client_config::Client;
use crate::client_config::ClientFile;
use crate::client_config::Machine;
use crate::client_config::file;
use crate::client_config::json::AuthEntry;
use crate::client_config::json::Document;
use crate::client_config::json::HelperName;
use crate::client_config::json::Mistake;
use crate::client_config::json::OtherHelper;
use crate::client_config::json::ParseError;
use crate::client_config::json::is_looked_up;
use crate::client_config::podman::GlobalHelpers;
use crate::context::Context;
use crate::fs::busy;
use crate::registry::Registry;
use crate::settings::Settings;

/// The configuration files of all clients.
#[derive(Debug)]
pub(super) struct Clients {
    /// The files of each client, including those that do not exist.
    pub(super) files: Vec<ScannedFile>,
    /// The setting with which podman uses this helper for all registries, if it does.
    pub(super) podman_global: Option<GlobalHelpers>,
}

/// A client's file with its contents.
#[derive(Debug)]
pub(super) struct ScannedFile {
    /// The client and the path.
    pub(super) file: ClientFile,
    /// The contents; `None` if the file does not exist.
    pub(super) contents: Result<Option<Contents>, ParseError>,
}

/// What a file contains about this helper and about IBM Cloud registries.
#[derive(Debug)]
pub(super) struct Contents {
    /// The registries for which the client uses this helper.
    pub(super) registries: Vec<Registry>,
    /// The registries for which nerdctl uses this helper: those that are named with the port.
    pub(super) with_port: Vec<Registry>,
    /// Other hosts for which the client uses this helper.
    pub(super) foreign_hosts: Vec<String>,
    /// The mistakes in the file that the client ignores.
    pub(super) mistakes: Vec<Mistake>,
    /// The registries for which the client uses another helper, with its name.
    pub(super) other_helpers: Vec<(Registry, String)>,
    /// All other helpers that the file names, for whichever registry.
    pub(super) named_helpers: Vec<OtherHelper>,
    /// Another helper for all other registries (`credsStore`).
    pub(super) other_default_store: Option<String>,
    /// Whether this helper is the one for all other registries (`credsStore`).
    pub(super) is_default_store: bool,
    /// The logins for IBM Cloud registries in the file itself.
    pub(super) plaintext_logins: Vec<AuthEntry>,
}

impl ScannedFile {
    /// Returns the contents if the file exists and can be read.
    pub(super) fn readable(&self) -> Option<&Contents> {
        self.contents.as_ref().ok()?.as_ref()
    }
}

impl Contents {
    /// Returns whether the file contains passwords or tokens.
    pub(super) fn has_secrets(&self) -> bool {
        self.plaintext_logins.iter().any(AuthEntry::is_secret)
    }
}

/// Returns where the clients of this user look for their files.
pub(super) fn machine<'a>(context: &'a Context<'_>) -> Machine<'a> {
    let system_paths = &context.system_paths;
    Machine::of_process(
        context.environment,
        system_paths.home.as_deref(),
        &system_paths.root,
    )
}

impl Clients {
    /// Reads the files of all clients.
    pub(super) fn of(context: &Context<'_>, settings: &Settings) -> Self {
        let machine = machine(context);
        let is_busy = |error: &ParseError| *error == ParseError::Busy;
        let files = |client: Client| client.files(&machine).unwrap_or_default();
        let files = Client::ALL.into_iter().flat_map(files);
        let files = files.map(|file| ScannedFile {
            contents: busy::retry(context.clock, is_busy, || contents(&file, settings)),
            file,
        });
        Self {
            files: files.collect(),
            podman_global: GlobalHelpers::of(&machine).filter(GlobalHelpers::include_this_program),
        }
    }

    /// Returns the clients that use this helper, by registry; under `None` those that use
    /// it for all registries. A registry whose key no client looks up has none.
    pub(super) fn by_registry(&self) -> BTreeMap<Option<Registry>, Vec<Client>> {
        let of_file = |scanned: &ScannedFile| {
            let contents = scanned.readable();
            let named = contents.into_iter().flat_map(|it| &it.registries).cloned();
            let all = contents
                .filter(|contents| contents.is_default_store)
                .map(|_| None);
            let registries: Vec<Option<Registry>> = named.map(Some).chain(all).collect();
            let client = scanned.file.client;
            registries
                .into_iter()
                .map(move |registry| (registry, client))
        };
        let global = self.podman_global.iter().map(|_| (None, Client::Podman));
        let mut clients: BTreeMap<Option<Registry>, Vec<Client>> = BTreeMap::new();
        for (registry, client) in self.files.iter().flat_map(of_file).chain(global) {
            let clients = clients.entry(registry).or_default();
            if !clients.contains(&client) {
                clients.push(client);
            }
        }
        for (_, mistake) in self.mistakes() {
            if let Mistake::Key { registry, .. } = mistake {
                clients.entry(Some(registry.clone())).or_default();
            }
        }
        clients
    }

    /// Returns the mistakes in all files, each once: clients may share a file.
    pub(super) fn mistakes(&self) -> Vec<(&ClientFile, &Mistake)> {
        let mut paths = BTreeSet::new();
        let mut mistakes = Vec::new();
        for scanned in &self.files {
            if paths.insert(&scanned.file.path) {
                let contents = scanned.readable().into_iter();
                let found = contents.flat_map(|contents| &contents.mistakes);
                mistakes.extend(found.map(|mistake| (&scanned.file, mistake)));
            }
        }
        mistakes
    }

    /// Returns the path of each file that cannot be read.
    pub(super) fn unread(&self) -> Vec<String> {
        let unread = self.files.iter().filter(|it| it.contents.is_err());
        let mut paths: Vec<String> = unread
            .map(|it| it.file.path.display().to_string())
            .collect();
        paths.dedup();
        paths
    }

    /// Returns a message for each file that cannot be read.
    pub(super) fn read_errors(&self) -> Vec<String> {
        let mut errors = Vec::new();
        for scanned in &self.files {
            if let Err(reason) = &scanned.contents {
                let text = format!("cannot read {}: {reason}", scanned.file.path.display());
                if !errors.contains(&text) {
                    errors.push(text);
                }
            }
        }
        errors
    }
}

/// Returns the name of another helper.
fn other(helper: Option<HelperName>) -> Option<String> {
    match helper {
        Some(HelperName::Other(name)) => Some(name),
        _ => None,
    }
}

fn contents(file: &ClientFile, settings: &Settings) -> Result<Option<Contents>, ParseError> {
    let Some(text) = file::read(&file.path)? else {
        return Ok(None);
    };
    let document = Document::parse_as(&text, file.client.format())?;
    let additional = &settings.registries;
    let mistakes = document.mistakes(additional);
    let mut registries = Vec::new();
    let mut with_port = Vec::new();
    let mut foreign_hosts = Vec::new();
    for host in document.our_hosts() {
        match Registry::at(&host, additional) {
            Some(registry) if registry.host() == host => registries.push(registry),
            Some(registry) if is_looked_up(&host, &registry) => with_port.push(registry),
            None if !mistakes.iter().any(|mistake| mistake.is_about_key(&host)) => {
                foreign_hosts.push(host);
            }
            _ => {}
        }
    }
    let mut known: Vec<Registry> = settings.all_registries().collect();
    known.dedup();
    let other_helpers = known.into_iter().filter_map(|registry| {
        let helper = other(document.helper_of(registry.host()))?;
        Some((registry, helper))
    });
    Ok(Some(Contents {
        other_helpers: other_helpers.collect(),
        named_helpers: document.other_helpers(),
        other_default_store: other(document.store()),
        is_default_store: document.is_our_store(),
        plaintext_logins: document.auth_entries(additional),
        registries,
        with_port,
        foreign_hosts,
        mistakes,
    }))
}
