//! Checks that the other helpers in clients' files exist. Clients fail if one does not, and report
//! nothing but the name of the program (docker after Docker Desktop was removed, or in WSL).

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use super::CheckContext;
use super::Diagnostic;
use super::client_files::configure;
use crate::client_config::Client;
use crate::client_config::ClientFile;
use crate::client_config::Machine;
use crate::client_config::json::STORE;
use crate::commands::clients::Contents;
use crate::commands::clients::machine;
use crate::commands::scopes::listed;
use crate::registry::Registry;
use crate::settings::Settings;
use crate::text::repeatable;

const CHECK: &str = "helper-program";

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let machine = machine(context.context);
    let mut paths = BTreeSet::new();
    let mut diagnostics = Vec::new();
    for scanned in &context.clients.files {
        let Some(contents) = scanned.readable() else {
            continue;
        };
        if paths.insert(&scanned.file.path) {
            diagnostics.extend(in_file(&scanned.file, contents, &machine, context.settings));
        }
    }
    diagnostics
}

fn in_file(
    file: &ClientFile,
    contents: &Contents,
    machine: &Machine<'_>,
    settings: &Settings,
) -> Vec<Diagnostic> {
    let mut missing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for helper in &contents.named_helpers {
        if !exists(file.client, &helper.name, machine) {
            missing.entry(&helper.name).or_default().push(&helper.key);
        }
    }
    let mut diagnostics = Vec::new();
    for (name, keys) in missing {
        let (store, keys): (Vec<&str>, Vec<&str>) = keys.iter().partition(|key| **key == STORE);
        let is_ours = |key: &&str| Registry::at(key, &settings.registries).is_some();
        let (ours, others): (Vec<&str>, Vec<&str>) = keys.into_iter().partition(is_ours);
        if !store.is_empty() {
            diagnostics.push(missing_store(file, name));
        }
        if !ours.is_empty() {
            let fix = format!("{} --force", configure(file.client, &ours));
            diagnostics.push(Diagnostic::problem(CHECK, message(file, name, &ours), fix));
        }
        if !others.is_empty() {
            let fix = format!(
                "Install {}, or remove {} from {}",
                file.client.format().program(name),
                shown(&others),
                file.path.display()
            );
            diagnostics.push(Diagnostic::warning(
                CHECK,
                message(file, name, &others),
                fix,
            ));
        }
    }
    diagnostics
}

/// Returns whether a client finds the program of a helper.
fn exists(client: Client, helper: &str, machine: &Machine<'_>) -> bool {
    let program = client.format().program_name(helper);
    if program.contains(std::path::is_separator) {
        return Path::new(&program).exists();
    }
    machine.program(&program).is_some()
}

fn missing_store(file: &ClientFile, name: &str) -> Diagnostic {
    let (path, client) = (file.path.display(), file.client);
    let program = client.format().program(name);
    Diagnostic::problem(
        CHECK,
        format!(
            "{path} ({client}) names {program} for all other registries ({STORE}), but this program is not on the PATH: {client} fails for each of them ('error getting credentials')"
        ),
        format!("Install {program}, or remove {STORE} from {path}"),
    )
}

fn message(file: &ClientFile, name: &str, keys: &[&str]) -> String {
    let client = file.client;
    format!(
        "{} ({client}) names {} for {}, but this program is not on the PATH: {client} {} for {}",
        file.path.display(),
        client.format().program(name),
        shown(keys),
        client.verb("fails", "fail"),
        if keys.len() == 1 { "it" } else { "them" },
    )
}

fn shown(keys: &[&str]) -> String {
    let keys: Vec<String> = keys.iter().map(|key| repeatable::file_word(key)).collect();
    listed(&keys)
}
