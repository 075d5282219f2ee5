//! Warnings and notes about the files and registries.

use std::collections::BTreeMap;

use super::Configuring;
use super::files::read;
use super::output::FileOutcome;
use crate::PROGRAM;
use crate::client_config::Client;
use crate::client_config::ClientFile;
use crate::client_config::docker;
use crate::client_config::json::Document;
use crate::client_config::json::Mistake;
use crate::client_config::podman;
use crate::commands::client_mistakes::describe;
use crate::commands::clients::machine;
use crate::commands::scopes::listed;
use crate::commands::warnings::Warnings;
use crate::context::Context;
use crate::context::Session;
use crate::credentials::Broker;
use crate::credentials::login_hint;
use crate::error::Result;
use crate::keychain::Prompting;
use crate::registry::Registry;

/// With this many registries, a classic build is noticeably slower.
const MANY: usize = 5;

impl Configuring<'_> {
    /// Warns that Docker uses no default keychain any more once a helper is added to a file with
    /// this text.
    pub(super) fn warn_of_lost_store(&self, file: &ClientFile, text: &str, outcome: &FileOutcome) {
        if file.client != Client::Docker || outcome.hosts.is_empty() {
            return;
        }
        let document = Document::parse_as(text, file.client.format());
        let is_lost = document.is_ok_and(|document| !document.mentions_logins());
        let store = docker::detected_store(&machine(self.context));
        if let Some(store) = store.filter(|_| is_lost) {
            self.warnings.warn(format!(
                "Docker will stop using its default keychain for other registries. To keep it, add `\"credsStore\": \"{store}\"` to {}",
                file.path.display()
            ));
        }
    }

    /// Prints a note for each mistake in a file that concerns the chosen registries.
    pub(super) fn note_mistakes(&self, file: &ClientFile, document: &Document<'_>) {
        let is_chosen = |mistake: &Mistake| match mistake {
            Mistake::Key { registry, .. }
            | Mistake::RepeatedKey(registry)
            | Mistake::NoHelperName(registry) => {
                self.hosts.iter().any(|host| host == registry.host())
            }
            Mistake::HelperName { key, .. } => self.hosts.contains(key),
            Mistake::RepeatedField { .. } | Mistake::Field { .. } | Mistake::Wildcard(_) => true,
        };
        let mistakes = document.mistakes(&self.broker.settings.registries);
        for mistake in mistakes.iter().filter(|mistake| is_chosen(mistake)) {
            self.warnings
                .note(&describe(&file.path, file.client, mistake));
        }
    }

    /// Notes that podman has only a temporary file, and warns of slow builds.
    pub(super) fn advise(&self, files: &[ClientFile]) {
        let podmans = files.iter().filter(|file| file.client == Client::Podman);
        let (temporary, lasting): (Vec<_>, Vec<_>) = podmans.partition(|file| file.is_temporary);
        if !temporary.is_empty() && lasting.is_empty() {
            let file = podman::FILE;
            self.warnings.note(&format!(
                "podman has the helper until your session ends: this user cannot create a file that stays in the home directory. To use another one, set {file} to its path, and run '{PROGRAM} configure podman' again"
            ));
        }
        let docker = files.iter().find(|file| file.client == Client::Docker);
        let count = docker.map_or(0, |file| self.count_in(file));
        if count >= MANY {
            self.warnings.warn(format!(
                "a classic `docker build` requests credentials for all {count} registries, one after the other. BuildKit requests only what it needs"
            ));
        }
    }

    /// Returns the number of registries with this helper after the change.
    pub(super) fn count_in(&self, file: &ClientFile) -> usize {
        let text = read(&file.path, self.context.clock).ok().flatten();
        let text = text.as_deref().map_or("", String::as_str);
        let document = Document::parse_as(text, file.client.format());
        let mut hosts = document.map_or(Vec::new(), |document| document.our_hosts());
        let mut new = file.keys(&self.hosts);
        new.retain(|host| !hosts.contains(host));
        hosts.extend(new);
        hosts.len()
    }
}

pub(super) fn warn_of_snap(clients: &[Client], context: &Context<'_>, warnings: &Warnings<'_>) {
    let snap = docker::snap_files(context.system_paths.home.as_deref());
    let snap = snap.first();
    if let Some(file) = snap.filter(|_| clients.contains(&Client::Docker)) {
        warnings.warn(format!(
            "Docker from a snap reads {} instead, and cannot start helpers outside the snap. Install Docker from its own packages to use this helper",
            file.display()
        ));
    }
}

/// Notes the configured registries without a login. No keychain is unlocked for this note.
pub(super) fn note_missing_logins(
    outcomes: &[FileOutcome],
    context: &Context<'_>,
    warnings: &Warnings<'_>,
) -> Result<()> {
    let session = Session::open(context, Prompting::Never)?;
    let broker = Broker::new(&session);
    let logins = broker.login_snapshot();
    let mut registries: Vec<Registry> = Vec::new();
    for host in outcomes
        .iter()
        .flat_map(|outcome| outcome.hosts.iter().chain(&outcome.already))
    {
        let registry = Registry::at(host, &session.settings.registries);
        registries.extend(registry.filter(|registry| !registries.contains(registry)));
    }
    let has_no_login =
        |registry: &Registry| matches!(broker.active_source(registry, &logins), Ok(None));
    let mut by_hint: BTreeMap<String, Vec<Registry>> = BTreeMap::new();
    for registry in registries.into_iter().filter(has_no_login) {
        let hint = login_hint(&registry, &session.settings, context);
        by_hint.entry(hint).or_default().push(registry);
    }
    for (hint, registries) in by_hint {
        warnings.note(&format!("not logged in to {}. {hint}", listed(&registries)));
    }
    Ok(())
}
