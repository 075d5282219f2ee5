//! Checks podman's `registries.conf`, and the helpers for all registries in it.

use super::CheckContext;
use super::Diagnostic;
use super::client_files::configure;
use crate::client_config::Client;
use crate::client_config::json::HELPER;
use crate::client_config::podman::GlobalHelpers;
use crate::client_config::registries_conf;
use crate::commands::clients::machine;
use crate::registry::Registry;

const CHECK: &str = "credential-helpers";

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let unreadable = registries_conf::unreadable(&machine(context.context));
    let unreadable = unreadable.iter().map(|(path, reason)| {
        let path = path.display();
        Diagnostic::problem(
            "client-file",
            format!("{} cannot read {path}: {reason}", Client::Podman),
            format!("Correct or remove {path}"),
        )
    });
    unreadable.chain(helpers(context)).collect()
}

fn helpers(context: &CheckContext<'_>) -> Option<Diagnostic> {
    let helpers = GlobalHelpers::of(&machine(context.context))?;
    if let Some(name) = helpers.misspelled() {
        return Some(misspelled(&helpers, name));
    }
    if helpers.include_this_program() {
        return Some(for_all_registries(&helpers));
    }
    let clients = &context.clients.files;
    let podmans = clients
        .iter()
        .filter(|scanned| scanned.file.client == Client::Podman);
    let mut contents = podmans.filter_map(|scanned| scanned.readable());
    let has_helper = contents.any(|contents| !contents.registries.is_empty());
    (has_helper && !helpers.include_files()).then(|| without_files(&helpers))
}

/// Reports that podman starts a program of another name.
fn misspelled(helpers: &GlobalHelpers, name: &str) -> Diagnostic {
    let path = helpers.path.display();
    Diagnostic::problem(
        CHECK,
        format!(
            "{path} names the helper '{name}', so podman starts docker-credential-{name}, which does not exist"
        ),
        format!("Write \"{HELPER}\" in credential-helpers of {path}"),
    )
}

fn for_all_registries(helpers: &GlobalHelpers) -> Diagnostic {
    let path = helpers.path.display();
    let message = format!(
        "{path} ({}) uses this helper for all registries",
        Client::Podman
    );
    if helpers.include_files() {
        return Diagnostic::ok(CHECK, message);
    }
    Diagnostic::warning(
        CHECK,
        format!("{message}, and ignores the logins for other registries in auth.json"),
        format!("Add \"containers-auth.json\" after \"icr\" in credential-helpers of {path}"),
    )
}

/// Reports that podman reads neither logins nor helpers in its files.
fn without_files(helpers: &GlobalHelpers) -> Diagnostic {
    let path = helpers.path.display();
    Diagnostic::problem(
        CHECK,
        format!(
            "{path} lists helpers without \"containers-auth.json\", so {} ignore auth.json and this helper in it",
            Client::Podman
        ),
        format!(
            "Add \"containers-auth.json\" to credential-helpers of {path}, then run: {}",
            configure::<Registry>(Client::Podman, &[])
        ),
    )
}
