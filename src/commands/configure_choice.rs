//! Which registries, in which clients' files? What the arguments leave open is asked
//! at a terminal, and taken from what is found otherwise.

use std::collections::BTreeSet;

use super::scopes::listed;
use super::scopes::not_ibm_cloud_registry;
use super::warnings::Warnings;
use crate::client_config::Client;
use crate::client_config::ClientFile;
use crate::client_config::Machine;
use crate::client_config::json::AuthKind;
use crate::client_config::json::Document;
use crate::context::Context;
use crate::credentials::Broker;
use crate::error::Error;
use crate::error::Result;
use crate::login::LoginScope;
use crate::registry;
use crate::registry::REGIONS;
use crate::registry::Registry;
use crate::settings::Settings;

/// How often registries are prompted for.
const MAX_PROMPTS: u32 = 3;

/// What was chosen.
pub(super) struct Choice {
    /// The clients.
    pub(super) clients: Vec<Client>,
    /// Their files.
    pub(super) files: Vec<ClientFile>,
    /// The hosts of the registries, in the order in which they are to be written.
    pub(super) hosts: Vec<String>,
}

/// What can be chosen from.
pub(super) struct Choosing<'a> {
    pub(super) broker: &'a Broker<'a>,
    /// Whether a person can be asked.
    pub(super) is_interactive: bool,
    pub(super) machine: Machine<'a>,
    /// Whether passwords that lie in files are to be moved, so that their registries
    /// are as good as logged in.
    pub(super) moves_passwords: bool,
    pub(super) warnings: &'a Warnings<'a>,
    pub(super) context: &'a Context<'a>,
}

impl Choosing<'_> {
    /// The clients that are named, or those that are here.
    pub(super) fn clients(&self, named: Option<Client>) -> Result<Vec<Client>> {
        if let Some(client) = named {
            return Ok(vec![client]);
        }
        let here = Client::ALL.into_iter();
        let here: Vec<Client> = here
            .filter(|client| client.is_here(&self.machine))
            .collect();
        match here.is_empty() {
            true => Err(Error::user(
                "neither docker nor podman, buildah or skopeo is found here; name one: `configure docker` or `configure podman`",
            )),
            false => Ok(here),
        }
    }

    /// Everything that the arguments leave open. Without registries in them, the
    /// clients are asked for, too.
    pub(super) fn choose(
        &self,
        client: Option<Client>,
        addresses: &[String],
        all: bool,
    ) -> Result<Choice> {
        let mut clients = self.clients(client)?;
        let asks = self.is_interactive && addresses.is_empty() && !all;
        if asks && client.is_none() {
            clients = self.ask_for_clients(&clients)?;
        }
        let files = files_of(&clients, &self.machine)?;
        let hosts = match (all, addresses.is_empty()) {
            (true, _) => REGIONS.iter().map(|region| region.host.into()).collect(),
            (false, false) => hosts(addresses, self.broker.settings)?,
            (false, true) => self.found_hosts(&files, asks)?,
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
            let question = format!("Switch it on for {client} ({})?", listed(&paths));
            let answer = self.context.terminal.confirm(&question, true);
            if answer.map_err(|_| nothing_said())? {
                wanted.push(client);
            }
        }
        match wanted.is_empty() {
            true => Err(Error::user("no client is left, so nothing was changed")),
            false => Ok(wanted),
        }
    }

    /// The registries that have a login; where that is one for all, those that the
    /// files know.
    fn found_hosts(&self, files: &[ClientFile], asks: bool) -> Result<Vec<String>> {
        let logins = self.broker.logins()?;
        let own = logins.keys().filter_map(|scope| match scope {
            LoginScope::Registry(registry) => Some(registry.host().to_owned()),
            _ => None,
        });
        let mut hosts: BTreeSet<String> = own.collect();
        let mut reason = "they have a login";
        let serves_all = logins
            .keys()
            .any(|scope| !matches!(scope, LoginScope::Registry(_)));
        if serves_all || self.moves_passwords || asks {
            let known = self.known_hosts(files);
            if !known.is_subset(&hosts) {
                reason = "they have a login, or stand in the clients' files";
            }
            hosts.extend(known);
        }
        let hosts: Vec<String> = in_order(hosts);
        if asks {
            for (scope, username) in &logins {
                self.context.terminal.write_line(&format!(
                    "There is a login for {scope} (user name {username})."
                ));
            }
            return self.ask_for_hosts(hosts);
        }
        if hosts.is_empty() {
            return Err(self.nothing_found(files));
        }
        self.warnings
            .note(&format!("Chosen because {reason}: {}.", listed(&hosts)));
        Ok(hosts)
    }

    fn nothing_found(&self, files: &[ClientFile]) -> Error {
        let name_them = "name the ones you use: `configure --registry us.icr.io`";
        let is_password = |kind: &AuthKind| matches!(kind, AuthKind::Credential(_));
        let with_passwords = in_order(self.hosts_with(files, &is_password));
        Error::user(match with_passwords.is_empty() {
            true => format!("no registry has a login of its own, so {name_them}"),
            false => format!(
                "no registry has a login of its own, but passwords lie in clear for {}: `configure --migrate` moves them into the keychain, and switches it on for these; or {name_them}",
                listed(&with_passwords)
            ),
        })
    }

    /// Prompts for registries until all that are typed are IBM Cloud's, a few times at most.
    /// A wrong answer is not repeated, because it may be a secret.
    fn ask_for_hosts(&self, found: Vec<String>) -> Result<Vec<String>> {
        let terminal = self.context.terminal;
        let prompt = if found.is_empty() {
            "Registries:".to_owned()
        } else {
            format!("Registries [{}]:", found.join(" "))
        };
        for _ in 0..MAX_PROMPTS {
            let answer = terminal.ask(&prompt).map_err(|_| nothing_said())?;
            let separator = |character: char| character == ',' || character.is_whitespace();
            let names = answer.split(separator).filter(|name| !name.is_empty());
            let addresses: Vec<String> = names.map(str::to_owned).collect();
            if addresses.is_empty() && !found.is_empty() {
                return Ok(found);
            }
            if !addresses.is_empty()
                && let Ok(hosts) = hosts(&addresses, self.broker.settings)
            {
                return Ok(hosts);
            }
            terminal.write_line("That is not an IBM Cloud registry (example: us.icr.io)");
        }
        Err(Error::user("no registry was named, so nothing was changed"))
    }

    /// The registries that this program is named for in files, or that something lies
    /// for there.
    fn known_hosts(&self, files: &[ClientFile]) -> BTreeSet<String> {
        let further = &self.broker.settings.registries;
        let is_known = |host: &String| Registry::at(host, further).is_some();
        let mut hosts = in_documents(files, |document| {
            document.our_hosts().into_iter().filter(is_known).collect()
        });
        hosts.extend(self.hosts_with(files, &|_| true));
        hosts
    }

    /// The registries for which something of that kind lies in files.
    fn hosts_with(
        &self,
        files: &[ClientFile],
        is_meant: &dyn Fn(&AuthKind) -> bool,
    ) -> BTreeSet<String> {
        let further = &self.broker.settings.registries;
        in_documents(files, |document| {
            let logins = document.auth_entries(further).into_iter();
            let logins = logins.filter(|login| is_meant(&login.kind));
            logins
                .map(|login| login.registry.host().to_owned())
                .collect()
        })
    }
}

/// What is found in all files together. What cannot be read is told later.
fn in_documents(
    files: &[ClientFile],
    found: impl Fn(&Document<'_>) -> Vec<String>,
) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for file in files {
        if let Ok(Some(text)) = crate::client_config::file::read(&file.path)
            && let Ok(document) = Document::parse(&text)
        {
            all.extend(found(&document));
        }
    }
    all
}

/// The files of several clients, each once.
pub(super) fn files_of(clients: &[Client], machine: &Machine<'_>) -> Result<Vec<ClientFile>> {
    let mut files: Vec<ClientFile> = Vec::new();
    for client in clients {
        for file in client.files(machine)? {
            if !files.iter().any(|other| other.path == file.path) {
                files.push(file);
            }
        }
    }
    Ok(files)
}

fn hosts(addresses: &[String], settings: &Settings) -> Result<Vec<String>> {
    let mut hosts = Vec::new();
    for address in addresses {
        let registry = Registry::at(address, &settings.registries);
        let registry = registry.ok_or_else(|| misplaced_client(address, &hosts, settings))?;
        if !hosts.iter().any(|host| host == registry.host()) {
            hosts.push(registry.host().to_owned());
        }
    }
    Ok(hosts)
}

/// What is no registry may be the client, which an option before it takes for one
/// of its own values.
fn misplaced_client(address: &str, others: &[String], settings: &Settings) -> Error {
    let mut clients = Client::ALL.into_iter().map(Client::name);
    match clients.find(|client| *client == address) {
        None => not_ibm_cloud_registry(address, settings),
        Some(client) => {
            let others = match others.is_empty() {
                true => "HOST".to_owned(),
                false => others.join(" "),
            };
            Error::user(format!(
                "`{client}` after --registry is taken for a registry; put the client before it: `configure {client} --registry {others}`"
            ))
        }
    }
}

/// IBM's own in the order of the documentation, then the others.
fn in_order(mut hosts: BTreeSet<String>) -> Vec<String> {
    let known = registry::all().map(|registry| registry.host().to_owned());
    let mut ordered: Vec<String> = known.filter(|host| hosts.remove(host)).collect();
    ordered.extend(hosts);
    ordered
}

fn nothing_said() -> Error {
    Error::user("nothing was said, so nothing was changed")
}
