//! Checks that podman has this helper after a reboot, too: the file that `podman login` writes is
//! in the runtime directory, which the system empties.

use super::CheckContext;
use super::Diagnostic;
use super::client_files::configure;
use crate::client_config::Client;
use crate::commands::clients::ScannedFile;
use crate::commands::scopes::listed;
use crate::registry::Registry;

pub(super) fn check(context: &CheckContext<'_>) -> Option<Diagnostic> {
    let clients = context.clients;
    if clients.podman_global.is_some() {
        return None;
    }
    // Podman also reads docker's file.
    let is_read =
        |scanned: &&ScannedFile| matches!(scanned.file.client, Client::Podman | Client::Docker);
    let read = clients.files.iter().filter(is_read);
    let (temporary, lasting): (Vec<_>, Vec<_>) = read.partition(|it| it.file.is_temporary);
    let lasting: Vec<&Registry> = registries(&lasting).collect();
    let is_missing = |registry: &&Registry| !lasting.contains(registry);
    let mut missing: Vec<&Registry> = registries(&temporary).filter(is_missing).collect();
    missing.sort_unstable();
    missing.dedup();
    let path = temporary.first()?.file.path.display();
    (!missing.is_empty()).then(|| {
        Diagnostic::warning(
            "podman-session",
            format!(
                "{} use this helper for {} only until your session ends: only {path} names it",
                Client::Podman,
                listed(&missing)
            ),
            configure(Client::Podman, &missing),
        )
    })
}

/// Returns the registries for which these files name this helper.
fn registries<'a>(files: &[&'a ScannedFile]) -> impl Iterator<Item = &'a Registry> {
    let contents: Vec<_> = files.iter().filter_map(|file| file.readable()).collect();
    contents.into_iter().flat_map(|it| &it.registries)
}
