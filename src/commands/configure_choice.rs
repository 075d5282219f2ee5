//! The choice of clients and registries. What the arguments leave open is asked at a
//! terminal, and otherwise taken from logins and files.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use clap::ValueEnum;

use super::scopes::listed;
use super::scopes::not_ibm_cloud_registry;
use super::warnings::Warnings;
use crate::PROGRAM;
use crate::client_config::Client;
use crate::client_config::ClientFile;
use crate::client_config::Machine;
use crate::client_config::json::AuthKind;
use crate::client_config::json::Document;
use crate::client_config::json::Mistake;
use crate::context::Context;
use crate::credentials::Broker;
use crate::error::Error;
use crate::error::Result;
use crate::login::LoginKind;
use crate::login::LoginScope;
use crate::registry;
use crate::registry::REGIONS;
use crate::registry::Registry;
use crate::settings::Settings;
use crate::text::repeatable;

/// How often a person is asked for registries.
const MAX_PROMPTS: u32 = 3;

/// The registry that is suggested if none is found.
const DEFAULT_HOST: &str = "us.icr.io";

/// The chosen clients, files and hosts.
pub(super) struct Choice {
    /// The clients.
    pub(super) clients: Vec<Client>,
    /// Their files.
    pub(super) files: Vec<ClientFile>,
    /// The hosts, in the order in which they are written.
    pub(super) hosts: Vec<String>,
}

/// What is done with the chosen files.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Purpose {
    /// They are changed.
    Configure,
    /// They are compared with what is asked for, and nothing is asked.
    Check,
    /// The changes are shown, and nothing is asked.
    Preview,
}

/// What the choice depends on.
pub(super) struct Choosing<'a> {
    pub(super) broker: &'a Broker<'a>,
    /// Whether a person chooses what the arguments leave open.
    pub(super) is_interactive: bool,
    pub(super) machine: Machine<'a>,
    /// Whether passwords in files are moved, which logs in to their registries.
    pub(super) moves_passwords: bool,
    pub(super) purpose: Purpose,
    pub(super) warnings: &'a Warnings<'a>,
    pub(super) context: &'a Context<'a>,
}

impl Choosing<'_> {
    /// Returns the named client, or all that are found.
    pub(super) fn clients(&self, named: Option<Client>) -> Result<Vec<Client>> {
        if let Some(client) = named {
            return Ok(vec![client]);
        }
        if let Some(error) = self.machine.variable_errors().into_iter().next() {
            return Err(error);
        }
        let here = Client::ALL.into_iter();
        let here: Vec<Client> = here
            .filter(|client| client.is_present(&self.machine))
            .collect();
        if here.is_empty() {
            return Err(Error::user(
                "cannot find Docker, Podman, Buildah, Skopeo, nerdctl or regctl",
            )
            .with_hint(format!(
                "Name a client: '{PROGRAM} configure docker' or '{PROGRAM} configure podman'"
            )));
        }
        Ok(here)
    }

    /// Chooses what the arguments leave open. Without registries in the arguments, it asks
    /// for the clients, too.
    pub(super) fn choose(
        &self,
        client: Option<Client>,
        addresses: &[String],
        all: bool,
    ) -> Result<Choice> {
        let mut clients = self.clients(client)?;
        let is_open = self.is_interactive && addresses.is_empty() && !all;
        if is_open && client.is_none() && self.purpose != Purpose::Preview {
            clients = self.ask_for_clients(&clients)?;
        }
        let files = files_of(&clients, &self.machine)?;
        for (message, fix) in self.machine.relative_variables() {
            self.warnings
                .warn(format!("{message}. To change that, run '{fix}'"));
        }
        let hosts = match (all, addresses.is_empty()) {
            (true, _) => REGIONS.iter().map(|region| region.host.into()).collect(),
            (false, false) => hosts(addresses, self.broker.settings)?,
            (false, true) => self.found_hosts(&files, is_open)?,
        };
        Ok(Choice {
            clients,
            files,
            hosts,
        })
    }

    /// Chooses for clients that are chosen already. Asks for the registries if there are none.
    pub(super) fn choose_for(&self, clients: Vec<Client>, named: Vec<String>) -> Result<Choice> {
        let files = files_of(&clients, &self.machine)?;
        let hosts = if named.is_empty() {
            let mut known = self.known_hosts(&files);
            known.extend(own_hosts(&self.broker.usernames()?));
            self.ask_for_hosts(in_order(known))?
        } else {
            named
        };
        Ok(Choice {
            clients,
            files,
            hosts,
        })
    }

    fn ask_for_clients(&self, here: &[Client]) -> Result<Vec<Client>> {
        let mut wanted = Vec::new();
        for &client in here {
            let files = client.files(&self.machine)?;
            let paths: Vec<String> = files
                .iter()
                .map(|file| file.path.display().to_string())
                .collect();
            let question = format!("Add the helper to {client} ({})?", listed(&paths));
            let answer = self.context.terminal.confirm(&question, true);
            if answer.map_err(|_| no_answer())? {
                wanted.push(client);
            }
        }
        if wanted.is_empty() {
            return Err(Error::user("no client was chosen. Nothing was changed"));
        }
        Ok(wanted)
    }

    /// Returns the registries with a login, and those in the files if the login is for all
    /// registries.
    fn found_hosts(&self, files: &[ClientFile], is_open: bool) -> Result<Vec<String>> {
        let logins = self.broker.usernames()?;
        let mut hosts: BTreeSet<String> = own_hosts(&logins);
        let mut places = "the logins";
        let serves_all = logins
            .keys()
            .any(|scope| !matches!(scope, LoginScope::Registry(_)));
        if serves_all || self.moves_passwords || is_open {
            let known = self.known_hosts(files);
            if !known.is_subset(&hosts) {
                places = "the logins and the clients' files";
            }
            hosts.extend(known);
        }
        let hosts: Vec<String> = in_order(hosts);
        if is_open && self.purpose == Purpose::Preview {
            let hosts = suggested(hosts);
            self.warnings.note(&format!(
                "showing the changes for {}. Without --dry-run, 'configure' asks for the registries and suggests these",
                listed(&hosts)
            ));
            return Ok(hosts);
        }
        if is_open {
            for (scope, username) in &logins {
                let line = format!("You are logged in to {}", described(scope, username));
                self.context.terminal.write_line(&line);
            }
            return self.ask_for_hosts(hosts);
        }
        if hosts.is_empty() {
            return Err(self.nothing_found(files));
        }
        let doing = match self.purpose {
            Purpose::Configure => "configuring",
            Purpose::Check => "checking",
            Purpose::Preview => "showing the changes for",
        };
        self.warnings
            .note(&format!("{doing} {}, found in {places}", listed(&hosts)));
        Ok(hosts)
    }

    fn nothing_found(&self, files: &[ClientFile]) -> Error {
        let name_them = format!("Run '{PROGRAM} configure --registry us.icr.io'");
        let is_password = |kind: &AuthKind| matches!(kind, AuthKind::Credential(_));
        let with_passwords = in_order(self.hosts_with(files, &is_password));
        if with_passwords.is_empty() {
            let reason = match self.purpose {
                _ if !self.context.terminal.is_interactive() => "not a terminal",
                Purpose::Configure | Purpose::Preview => "--json asks nothing",
                Purpose::Check => "--check asks nothing",
            };
            return Error::user(format!("cannot ask which registries you use: {reason}"))
                .with_hint(name_them);
        }
        Error::user(format!(
            "no registry has a login of its own, but unencrypted passwords were found for {}",
            listed(&with_passwords)
        ))
        .with_hint(format!(
            "To move them to the keychain and add the helper, run '{PROGRAM} configure --migrate'. To add the helper only, run '{PROGRAM} configure --registry us.icr.io'"
        ))
    }

    /// Prompts for registries until all that are typed are IBM Cloud's, a few times at most.
    /// A wrong answer is not repeated, because it may be a secret.
    fn ask_for_hosts(&self, found: Vec<String>) -> Result<Vec<String>> {
        let found = suggested(found);
        let prompt = format!("Registries [{}]:", found.join(" "));
        let terminal = self.context.terminal;
        terminal.write_line("Name the registries that you use, separated by blanks");
        for _ in 0..MAX_PROMPTS {
            let answer = terminal.ask(&prompt).map_err(|_| no_answer())?;
            let separator = |character: char| character == ',' || character.is_whitespace();
            let names = answer.split(separator).filter(|name| !name.is_empty());
            let addresses: Vec<String> = names.map(str::to_owned).collect();
            if addresses.is_empty() {
                return Ok(found);
            }
            if let Ok(hosts) = hosts(&addresses, self.broker.settings) {
                return Ok(hosts);
            }
            terminal.write_line("That is not an IBM Cloud registry (example: us.icr.io)");
        }
        Err(Error::user("no registry was named. Nothing was changed"))
    }

    /// Returns the registries with this helper or an entry of `auths` in the files.
    fn known_hosts(&self, files: &[ClientFile]) -> BTreeSet<String> {
        let further = &self.broker.settings.registries;
        let mut hosts = in_documents(files, |document| {
            let hosts = document.our_hosts().into_iter();
            let registries = hosts.filter_map(|host| Registry::at(&host, further));
            let known = registries.map(|registry| registry.host().to_owned());
            known.chain(meant_hosts(document, further)).collect()
        });
        hosts.extend(self.hosts_with(files, &|_| true));
        hosts
    }

    /// Returns the registries with an entry of that kind in the files.
    fn hosts_with(
        &self,
        files: &[ClientFile],
        is_wanted: &dyn Fn(&AuthKind) -> bool,
    ) -> BTreeSet<String> {
        let further = &self.broker.settings.registries;
        in_documents(files, |document| {
            let logins = document.auth_entries(further).into_iter();
            let logins = logins.filter(|login| is_wanted(&login.kind));
            logins
                .map(|login| login.registry.host().to_owned())
                .collect()
        })
    }
}

/// Returns the suggestion for a person, who need not know any registry.
fn suggested(found: Vec<String>) -> Vec<String> {
    if found.is_empty() {
        vec![DEFAULT_HOST.to_owned()]
    } else {
        found
    }
}

/// Returns what a login is for, and which secret it has.
fn described(scope: &LoginScope, username: &str) -> String {
    let registries = match scope {
        LoginScope::Profile(name) => format!("the registries of profile '{name}'"),
        LoginScope::Default | LoginScope::Registry(_) => scope.to_string(),
    };
    let secret = match LoginKind::of(username) {
        LoginKind::ApiKey => "an API key",
        LoginKind::Bearer => "an access token",
        LoginKind::Profile => "an API key and a trusted profile",
        LoginKind::RefreshToken => "a session",
        LoginKind::RegistryToken => "a registry token",
        LoginKind::Verbatim if username.is_empty() => return registries,
        LoginKind::Verbatim => return format!("{registries} as {username}"),
    };
    format!("{registries} with {secret}")
}

/// Returns the registries with a login of their own.
fn own_hosts<T>(logins: &BTreeMap<LoginScope, T>) -> BTreeSet<String> {
    let own = logins.keys().filter_map(|scope| match scope {
        LoginScope::Registry(registry) => Some(registry.host().to_owned()),
        _ => None,
    });
    own.collect()
}

/// Returns the registries that a file names in a way that clients ignore.
fn meant_hosts(document: &Document<'_>, further: &[Registry]) -> Vec<String> {
    let mistakes = document.mistakes(further).into_iter();
    let registries = mistakes.filter_map(|mistake| match mistake {
        Mistake::Key { registry, .. } | Mistake::NoHelperName(registry) => Some(registry),
        Mistake::HelperName { key, .. } => Registry::at(&key, further),
        Mistake::Field { .. }
        | Mistake::RepeatedKey(_)
        | Mistake::RepeatedField { .. }
        | Mistake::Wildcard(_) => None,
    });
    let hosts = registries.map(|registry| registry.host().to_owned());
    hosts.collect()
}

/// Returns what is found in all files together. Unreadable files are reported later.
fn in_documents(
    files: &[ClientFile],
    found: impl Fn(&Document<'_>) -> Vec<String>,
) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for file in files {
        if let Ok(Some(text)) = crate::client_config::file::read(&file.path)
            && let Ok(document) = Document::parse_as(&text, file.client.format())
        {
            all.extend(found(&document));
        }
    }
    all
}

/// Returns the files of several clients, each once.
pub(super) fn files_of(clients: &[Client], machine: &Machine<'_>) -> Result<Vec<ClientFile>> {
    let mut files: Vec<ClientFile> = Vec::new();
    for client in clients {
        for file in client.files(machine)? {
            match files.iter_mut().find(|other| other.path == file.path) {
                Some(other) => other.with_port |= file.with_port,
                None => files.push(file),
            }
        }
    }
    Ok(files)
}

fn hosts(addresses: &[String], settings: &Settings) -> Result<Vec<String>> {
    let mut hosts = Vec::new();
    for (index, address) in addresses.iter().enumerate() {
        let registry = Registry::at(address, &settings.registries);
        let registry = registry.ok_or_else(|| {
            let error = misplaced_client(address, &hosts, settings);
            if addresses.len() > 1 && repeatable::host(address).is_none() {
                error.with_context(format!("registry {}", index + 1))
            } else {
                error
            }
        })?;
        if !hosts.iter().any(|host| host == registry.host()) {
            hosts.push(registry.host().to_owned());
        }
    }
    Ok(hosts)
}

/// Returns the error for an address that is not a registry. It may be the name of a client:
/// clap parses a client after --registry as one of its values.
fn misplaced_client(address: &str, others: &[String], settings: &Settings) -> Error {
    let mut clients = Client::value_variants().iter().map(|it| it.name());
    match clients.find(|client| *client == address) {
        None => not_ibm_cloud_registry(address, settings),
        Some(client) => {
            let others = if others.is_empty() {
                "REGISTRY".to_owned()
            } else {
                others.join(" ")
            };
            Error::user(format!("'{client}' is a client, not a registry")).with_hint(format!(
                "Put the client before --registry: '{PROGRAM} configure {client} --registry {others}'"
            ))
        }
    }
}

/// Returns IBM's hosts in the order of the documentation, then the others.
fn in_order(mut hosts: BTreeSet<String>) -> Vec<String> {
    let known = registry::all().map(|registry| registry.host().to_owned());
    let mut ordered: Vec<String> = known.filter(|host| hosts.remove(host)).collect();
    ordered.extend(hosts);
    ordered
}

fn no_answer() -> Error {
    Error::user("canceled: no answer was given. Nothing was changed")
}
