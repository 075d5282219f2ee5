//! Checks that nerdctl finds the helper: it looks up registries with their port.

use std::collections::BTreeSet;

use super::CheckContext;
use super::Diagnostic;
use super::client_files::PLAINTEXT_PASSWORD;
use super::client_files::configure;
use super::login_files::logins_in;
use super::login_files::unreadable;
use crate::client_config::Client;
use crate::client_config::json::key_with_port;
use crate::client_config::nerdctl;
use crate::commands::clients::Contents;
use crate::commands::clients::ScannedFile;
use crate::commands::clients::machine;
use crate::commands::scopes::listed;
use crate::registry::Registry;

const CHECK: &str = "nerdctl";

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let is_installed = nerdctl::is_installed(&machine(context.context));
    let files = context.clients.files.iter();
    let dockers = files.filter(|scanned| scanned.file.client == Client::Docker);
    let mut diagnostics: Vec<Diagnostic> = finch_logins(context).into_iter().collect();
    for scanned in dockers {
        let Some(contents) = scanned.readable() else {
            continue;
        };
        diagnostics.extend(plaintext_logins(scanned, contents));
        if is_installed {
            diagnostics.extend(missing_keys(scanned, contents));
        }
    }
    diagnostics
}

/// Checks the logins in the file of Finch.
fn finch_logins(context: &CheckContext<'_>) -> Option<Diagnostic> {
    let path = nerdctl::finch_file(&machine(context.context))?;
    let keys = match logins_in(&path, context.settings) {
        Ok(keys) => keys,
        Err(error) => return Some(unreadable("finch", &path, &error)),
    };
    (!keys.is_empty()).then(|| {
        let commands = keys.iter().map(|key| format!("finch logout {key}"));
        let commands: Vec<String> = commands.collect();
        Diagnostic::warning(
            PLAINTEXT_PASSWORD,
            format!(
                "{} contains passwords in clear text for {}, which finch uses",
                path.display(),
                listed(&keys)
            ),
            commands.join(" && "),
        )
    })
}

/// Checks the logins that nerdctl has stored in the file.
fn plaintext_logins(scanned: &ScannedFile, contents: &Contents) -> Option<Diagnostic> {
    let logins = contents.plaintext_logins.iter();
    let is_used = |registry: &Registry, key: &str| {
        key == key_with_port(registry.host())
            && key != registry.host()
            && !contents.with_port.contains(registry)
    };
    let used = logins.filter(|login| login.is_secret() && is_used(&login.registry, &login.key));
    let registries: BTreeSet<&Registry> = used.map(|login| &login.registry).collect();
    let registries: Vec<&Registry> = registries.into_iter().collect();
    (!registries.is_empty()).then(|| {
        let keys: Vec<String> = registries
            .iter()
            .map(|it| key_with_port(it.host()))
            .collect();
        Diagnostic::problem(
            CHECK,
            format!(
                "{} contains passwords in clear text for {}, which nerdctl uses instead of this helper",
                scanned.file.path.display(),
                listed(&keys)
            ),
            format!("{} --migrate", configure(Client::Nerdctl, &registries)),
        )
    })
}

/// Checks that each registry with the helper has a key with its port.
fn missing_keys(scanned: &ScannedFile, contents: &Contents) -> Option<Diagnostic> {
    let registries = contents.registries.iter();
    let missing: Vec<&Registry> = registries
        .filter(|it| key_with_port(it.host()) != it.host() && !contents.with_port.contains(it))
        .collect();
    (!missing.is_empty()).then(|| {
        let keys: Vec<String> = missing.iter().map(|it| key_with_port(it.host())).collect();
        Diagnostic::warning(
            CHECK,
            format!(
                "'nerdctl login' would write a plaintext password to {}, because it looks up {}, which has no helper",
                scanned.file.path.display(),
                listed(&keys)
            ),
            configure(Client::Nerdctl, &missing),
        )
    })
}
