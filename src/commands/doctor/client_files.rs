//! Checks that clients use this program, and that nothing in their files shadows it.

use std::collections::BTreeSet;

use super::CheckContext;
use super::Diagnostic;
use super::Verdict;
use super::client_mistakes;
use super::command_line;
use super::docker_auth_config;
use super::docker_snap;
use super::login_files;
use super::login_files::unreadable;
use super::missing_programs;
use super::nerdctl;
use super::node;
use super::podman_registries;
use super::podman_session;
use crate::client_config::Client;
use crate::client_config::json::AuthEntry;
use crate::client_config::json::Mistake;
use crate::client_config::json::ParseError;
use crate::client_config::podman::GlobalHelpers;
use crate::commands::clients::Clients;
use crate::commands::clients::Contents;
use crate::commands::clients::ScannedFile;
use crate::commands::clients::machine;
use crate::commands::kubelet;
use crate::commands::migration::only_credential;
use crate::commands::scopes::listed;
use crate::registry::Registry;
use crate::settings::KeychainChoice;
use crate::text::repeatable;

pub(super) const PLAINTEXT_PASSWORD: &str = "plaintext-password";

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let clients = context.clients;
    let mut diagnostics = Vec::new();
    let mut unreadable = BTreeSet::new();
    for scanned in &clients.files {
        // Clients may share a file, and its error is the same for all of them.
        if scanned.contents.is_ok() || unreadable.insert(&scanned.file.path) {
            diagnostics.extend(in_file(scanned, context));
        }
    }
    diagnostics.extend(all_immovable(clients));
    diagnostics.extend(client_mistakes::check(context));
    diagnostics.extend(missing_programs::check(context));
    diagnostics.extend(podman_registries::check(context));
    diagnostics.extend(podman_login_file(clients));
    diagnostics.extend(podman_session::check(context));
    diagnostics.extend(nerdctl::check(context));
    diagnostics.extend(login_files::check(context));
    if clients.by_registry().is_empty() {
        let unread = clients.unread();
        let message = if unread.is_empty() {
            "no client is configured to use this helper".to_owned()
        } else {
            format!(
                "no client's file that can be read names this helper. Cannot read {}",
                listed(&unread)
            )
        };
        let fix = command_line("configure");
        diagnostics.push(Diagnostic::warning("configured-clients", message, fix));
    }
    diagnostics.extend(docker_auth_config::check(context));
    diagnostics.extend(node::check(&machine(context.context), context.settings));
    diagnostics.extend(kubelet::checks_of_node(context.context, context.settings));
    diagnostics.extend(docker_snap::check(context));
    diagnostics
}

fn in_file(scanned: &ScannedFile, context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let (client, path) = (scanned.file.client, scanned.file.path.display());
    match &scanned.contents {
        Ok(None) => Vec::new(),
        Err(ParseError::Encoding { encoding, .. }) => vec![Diagnostic::problem(
            "client-file",
            format!("{client} cannot read {path}: {encoding}"),
            configure::<Registry>(client, &[]),
        )],
        Err(error) => vec![unreadable(client, &scanned.file.path, error)],
        Ok(Some(contents)) => {
            let path = path.to_string();
            let mut diagnostics = vec![helper_registries(client, &path, contents)];
            diagnostics.extend(plaintext_passwords(client, &path, contents, context));
            diagnostics.extend(other_helpers(client, &path, contents));
            diagnostics.extend(foreign_hosts(client, &path, contents));
            diagnostics.extend(default_store(client, &path, contents));
            diagnostics
        }
    }
}

fn helper_registries(client: Client, path: &str, contents: &Contents) -> Diagnostic {
    let message = if contents.registries.is_empty() {
        format!("{path} ({client}) does not use this helper")
    } else {
        format!(
            "{path} ({client}) uses this helper for {}",
            listed(&contents.registries)
        )
    };
    Diagnostic::ok("client-file", message)
}

/// Finds the passwords in a file that `configure --migrate` can move to the keychain.
fn plaintext_passwords(
    client: Client,
    path: &str,
    contents: &Contents,
    context: &CheckContext<'_>,
) -> Vec<Diagnostic> {
    let clients = context.clients;
    let registries: BTreeSet<&Registry> = contents
        .plaintext_logins
        .iter()
        .map(|login| &login.registry)
        .collect();
    let is_movable = |registry: &&Registry| {
        only_credential(registry, &plaintext_logins(client, registry, clients)).is_ok()
    };
    let movable = registries.into_iter().filter(is_movable);
    let (unused, used): (Vec<&Registry>, Vec<&Registry>) =
        movable.partition(|registry| has_helper(client, contents, registry));
    let mut diagnostics = Vec::new();
    if !used.is_empty() {
        let message = format!(
            "{path} contains passwords in clear text for {}, which {client} {} instead of this helper",
            listed(&used),
            client.verb("uses", "use")
        );
        let fix = migration(client, contents, &used, context);
        diagnostics.push(Diagnostic::problem(PLAINTEXT_PASSWORD, message, fix));
    }
    if !unused.is_empty() {
        let message = format!(
            "{path} contains passwords in clear text for {}",
            listed(&unused)
        );
        let fix = migration(client, contents, &unused, context);
        diagnostics.push(Diagnostic::warning(PLAINTEXT_PASSWORD, message, fix));
    }
    diagnostics
}

/// Finds the passwords that `configure --migrate` cannot move, each once: clients may
/// share a file.
fn all_immovable(clients: &Clients) -> Vec<Diagnostic> {
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    for new in Client::ALL
        .into_iter()
        .flat_map(|it| immovable(it, clients))
    {
        let mut known = diagnostics.iter_mut();
        match known.find(|known| known.message == new.message) {
            Some(known) if new.verdict == Verdict::Problem => *known = new,
            Some(_) => {}
            None => diagnostics.push(new),
        }
    }
    diagnostics
}

/// Finds the passwords in a client's files that `configure --migrate` cannot move.
fn immovable(client: Client, clients: &Clients) -> Vec<Diagnostic> {
    let contents = files_of(client, clients).filter_map(ScannedFile::readable);
    let contents: Vec<&Contents> = contents.collect();
    let plain = contents
        .iter()
        .flat_map(|contents| &contents.plaintext_logins);
    let registries: BTreeSet<&Registry> = plain.map(|login| &login.registry).collect();
    let diagnostic = |registry: &Registry| {
        let logins = plaintext_logins(client, registry, clients);
        let immovable = only_credential(registry, &logins).err()?;
        let is_used = contents.iter().any(|contents| {
            let mut plain = contents.plaintext_logins.iter();
            plain.any(|login| login.registry == *registry)
                && !has_helper(client, contents, registry)
        });
        let verdict = if is_used {
            Verdict::Problem
        } else {
            Verdict::Warning
        };
        let (message, fix) = (immovable.message, Some(immovable.fix));
        Some(Diagnostic::new(PLAINTEXT_PASSWORD, verdict, message, fix))
    };
    registries.into_iter().filter_map(diagnostic).collect()
}

fn files_of(client: Client, clients: &Clients) -> impl Iterator<Item = &ScannedFile> {
    let files = clients.files.iter();
    files.filter(move |scanned| scanned.file.client == client)
}

/// Returns the plaintext logins for a registry in all files of a client, each with the
/// path of its file.
fn plaintext_logins<'a>(
    client: Client,
    registry: &Registry,
    clients: &'a Clients,
) -> Vec<(String, &'a AuthEntry)> {
    let in_file = |scanned: &'a ScannedFile| {
        let path = scanned.file.path.display().to_string();
        let contents = scanned.readable().into_iter();
        let logins = contents.flat_map(|it| &it.plaintext_logins);
        logins.map(move |login| (path.clone(), login))
    };
    let logins = files_of(client, clients).flat_map(in_file);
    logins
        .filter(|(_, login)| login.registry == *registry)
        .collect()
}

/// Returns whether a client gets a registry's credential from a helper instead of the
/// file itself.
fn has_helper(client: Client, contents: &Contents, registry: &Registry) -> bool {
    let has_store = contents.is_default_store || contents.other_default_store.is_some();
    contents.registries.contains(registry)
        || has_other_helper(contents, registry)
        || (client == Client::Docker && has_store)
}

fn has_other_helper(contents: &Contents, registry: &Registry) -> bool {
    let mut others = contents.other_helpers.iter();
    others.any(|(other, _)| other == registry)
}

/// Returns the command that moves passwords to the keychain.
fn migration(
    client: Client,
    contents: &Contents,
    registries: &[&Registry],
    context: &CheckContext<'_>,
) -> String {
    let replaces = registries.iter().any(|it| has_other_helper(contents, it));
    let command = format!(
        "{} --migrate{}",
        configure(client, registries),
        if replaces { " --force" } else { "" }
    );
    if context.settings.keychain == KeychainChoice::None {
        format!("Select a keychain with ICR_KEYCHAIN=auto, then run: {command}")
    } else {
        command
    }
}

fn other_helpers(
    client: Client,
    path: &str,
    contents: &Contents,
) -> impl Iterator<Item = Diagnostic> {
    contents
        .other_helpers
        .iter()
        .map(move |(registry, helper)| {
            let command = format!("{} --force", configure(client, &[registry]));
            let repeated = Mistake::RepeatedKey(registry.clone());
            let fix = if contents.mistakes.contains(&repeated) {
                format!("Remove all but one '{registry}' from {path}, then run '{command}'")
            } else {
                command
            };
            Diagnostic::warning(
                "other-helper",
                format!(
                    "{path} ({client}) uses {} for {registry}",
                    client.format().program(helper)
                ),
                fix,
            )
        })
}

fn foreign_hosts(
    client: Client,
    path: &str,
    contents: &Contents,
) -> impl Iterator<Item = Diagnostic> {
    contents.foreign_hosts.iter().map(move |key| {
        // Only a host can be a registry of the settings.
        let is_host = repeatable::host(key).is_some_and(|host| host == *key);
        let key = repeatable::file_word(key);
        if is_host {
            return Diagnostic::warning(
                "foreign-host",
                format!("{path} ({client}) uses this helper for {key}, which is not an IBM Cloud registry"),
                format!("Remove {key} from credHelpers in {path}, or add it to `registries` in the settings file"),
            );
        }
        Diagnostic::warning(
            "helper-key",
            format!("{path} ({client}) has this helper for {key}, which is not a host, so clients never look it up: the key has to be the host of a registry and nothing else, for example us.icr.io"),
            format!("Write the host of a registry in its place in {path}, or remove it"),
        )
    })
}

/// Checks the helper for all other registries (`credsStore`).
fn default_store(client: Client, path: &str, contents: &Contents) -> Vec<Diagnostic> {
    const CHECK: &str = "creds-store";
    let mut diagnostics = Vec::new();
    // Podman does not support credsStore.
    let is_unused = client == Client::Docker && contents.registries.is_empty();
    if let Some(store) = contents.other_default_store.as_ref().filter(|_| is_unused) {
        diagnostics.push(Diagnostic::warning(
            CHECK,
            format!("{path} (docker) uses docker-credential-{store} for all registries (credsStore), including IBM Cloud's"),
            configure::<Registry>(client, &[]),
        ));
    }
    if contents.is_default_store {
        diagnostics.push(Diagnostic::warning(
            CHECK,
            format!("{path} (docker) uses this helper for all registries (credsStore), but it stores logins for IBM Cloud's only"),
            format!("Run '{}', and remove credsStore from {path}", configure::<Registry>(client, &[])),
        ));
    }
    diagnostics
}

/// Returns the command that adds this helper for these registries; without any, the
/// command asks which ones.
pub(super) fn configure<T: ToString>(client: Client, registries: &[T]) -> String {
    let mut words = vec![format!("configure {}", client.name())];
    if !registries.is_empty() {
        words.push("--registry".to_owned());
        words.extend(registries.iter().map(ToString::to_string));
    }
    command_line(&words.join(" "))
}

/// Checks the file that `podman login` writes: without the helper in this file, podman
/// writes plaintext passwords to it, which take precedence over all other files.
fn podman_login_file(clients: &Clients) -> Option<Diagnostic> {
    let mut files = files_of(Client::Podman, clients);
    let written = files.next()?;
    // Podman reads docker's file as well, so that one does not show that podman is used.
    let is_used = written.file.path.exists() || files.any(|it| it.file.path.exists());
    let has_helper = written
        .readable()
        .is_some_and(|it| !it.registries.is_empty());
    let is_first = clients
        .podman_global
        .as_ref()
        .is_some_and(GlobalHelpers::prefer_this_program);
    if has_helper || !is_used || is_first {
        return None;
    }
    let named = clients.files.iter().filter_map(ScannedFile::readable);
    let named: BTreeSet<&Registry> = named.flat_map(|it| &it.registries).collect();
    // Registries with another helper have a diagnostic of their own.
    let podmans = files_of(Client::Podman, clients).filter_map(ScannedFile::readable);
    let podmans: Vec<&Contents> = podmans.collect();
    let is_free = |registry: &&Registry| !podmans.iter().any(|it| has_other_helper(it, registry));
    let registries: Vec<&Registry> = named.into_iter().filter(is_free).collect();
    (!registries.is_empty()).then(|| {
        Diagnostic::warning(
            "podman-login",
            format!(
                "'podman login' would write a plaintext password to {}, which does not use this helper",
                written.file.path.display()
            ),
            configure(Client::Podman, &registries),
        )
    })
}
