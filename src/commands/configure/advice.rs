//! Warnings and notes about the files and registries.

use std::collections::BTreeMap;

use super::Configuring;
use super::files::read;
use super::output::Done;
use crate::client_config::Client;
use crate::client_config::ClientFile;
use crate::client_config::docker;
use crate::client_config::json::Document;
use crate::client_config::podman;
use crate::commands::clients::machine;
use crate::commands::scopes::listed;
use crate::commands::warnings::Warnings;
use crate::context::Context;
use crate::context::Session;
use crate::credentials::Broker;
use crate::credentials::login_command;
use crate::error::Result;
use crate::keychain::Prompting;
use crate::registry::Registry;

/// From so many registries on, the cost of a classic build is worth a warning.
const MANY: usize = 5;

/// What each registry adds to a classic `docker build`, in starts of `/bin/true`;
/// `benches/run` measures it.
const COST: f64 = 1.6;

/// How long one of these took where that was measured, in milliseconds.
const START: f64 = 1.06;

impl Configuring<'_> {
    /// docker no longer looks for a keychain by itself once a helper is named.
    pub(super) fn warn_of_lost_store(&self, file: &ClientFile, document: &Document<'_>) {
        let store = docker::detected_store(&machine(self.context));
        let is_lost = file.client == Client::Docker && !document.mentions_logins();
        if let Some(store) = store.filter(|_| is_lost) {
            self.warnings.warn(format!(
                "until now docker kept logins at other registries in the system's keychain by itself, which it no longer does once a helper is named: put `\"credsStore\": \"{store}\"` into {}, too",
                file.path.display()
            ));
        }
    }

    /// What a person should know about the files and the registries.
    pub(super) fn advise(&self, files: &[ClientFile]) {
        let temporary = files.iter().find(|file| file.is_temporary);
        if let Some(file) = temporary {
            self.warnings.note(&format!(
                "{} is where `podman login` writes; the system empties that directory at logout. To keep it: export {}=~/.config/containers/auth.json, then run this again.",
                file.path.display(),
                podman::FILE
            ));
        }
        let docker = files.iter().find(|file| file.client == Client::Docker);
        let count = docker.map_or(0, |file| self.count_in(file));
        if count >= MANY {
            self.warnings.warn(format!(
                "a classic `docker build` asks for each of these {count} registries, also for those it does not need: that takes as long as starting /bin/true {:.0} times, about {:.0} ms (once tokens are there; BuildKit asks only for what it needs)",
                count as f64 * COST,
                count as f64 * COST * START
            ));
        }
    }

    /// How many registries this program answers for, in the end.
    pub(super) fn count_in(&self, file: &ClientFile) -> usize {
        let text = read(&file.path).ok().flatten();
        let text = text.as_deref().map_or("", String::as_str);
        let mut hosts = Document::parse(text).map_or(Vec::new(), |document| document.our_hosts());
        let new = self
            .hosts
            .iter()
            .filter(|host| !hosts.contains(host))
            .cloned();
        let new: Vec<String> = new.collect();
        hosts.extend(new);
        hosts.len()
    }
}

pub(super) fn warn_of_snap(clients: &[Client], context: &Context<'_>, warnings: &Warnings<'_>) {
    let snap = docker::snap_file(context.system_paths.home.as_deref());
    if let Some(file) = snap.filter(|_| clients.contains(&Client::Docker)) {
        warnings.warn(format!(
            "docker of a snap reads {} instead, and can start no helper outside of the snap; install docker from its own packages to use this one",
            file.display()
        ));
    }
}

/// Which of the registries that were switched on have nobody who speaks for them. It
/// is no more than a note: no keychain is unlocked for it.
pub(super) fn tell_of_nobody(
    done: &[Done],
    context: &Context<'_>,
    warnings: &Warnings<'_>,
) -> Result<()> {
    let mut session = Session::open(context, Prompting::Never)?;
    session.keychains = session.keychains.remembered();
    let broker = Broker::new(&session);
    let mut hosts: Vec<&String> = Vec::new();
    for host in done
        .iter()
        .flat_map(|done| done.hosts.iter().chain(&done.already))
    {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    let registries = hosts.into_iter();
    let registries = registries.filter_map(|host| Registry::at(host, &session.settings.registries));
    let is_nobodys = |registry: &Registry| matches!(broker.origin(registry), Ok(None));
    let mut by_command: BTreeMap<String, Vec<Registry>> = BTreeMap::new();
    for registry in registries.filter(is_nobodys) {
        let command = login_command(&registry, &session.settings);
        by_command.entry(command).or_default().push(registry);
    }
    for (command, registries) in by_command {
        warnings.note(&format!(
            "Nobody is logged in at {} yet: `{command}`.",
            listed(&registries)
        ));
    }
    Ok(())
}
