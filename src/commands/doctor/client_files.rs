//! Do clients ask this program, and do they use its answers?

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use super::CheckContext;
use super::Diagnostic;
use super::Verdict;
use super::command;
use crate::client_config::Client;
use crate::client_config::docker;
use crate::client_config::document::AuthEntry;
use crate::client_config::document::Document;
use crate::client_config::document::ParseError;
use crate::client_config::file;
use crate::client_config::helm;
use crate::client_config::podman;
use crate::client_config::podman::GlobalHelpers;
use crate::commands::clients::Clients;
use crate::commands::clients::Contents;
use crate::commands::clients::Seen;
use crate::commands::clients::machine;
use crate::commands::migration::only_credential;
use crate::commands::scopes::listed;
use crate::registry::Registry;
use crate::settings::KeychainChoice;

/// Holds logins that come before all helpers (`docker/cli`, `memorystore`).
const DOCKER_AUTH_CONFIG: &str = "DOCKER_AUTH_CONFIG";

const IN_CLEAR: &str = "password-in-clear";

pub(super) fn check(patient: &CheckContext<'_>) -> Vec<Diagnostic> {
    let clients = patient.clients;
    let in_file = |seen| in_file(seen, patient);
    let mut findings: Vec<Diagnostic> = clients.files.iter().flat_map(in_file).collect();
    findings.extend(Client::ALL.into_iter().flat_map(|it| stuck(it, clients)));
    findings.extend(clients.podmans_global.as_ref().map(asked_for_all));
    findings.extend(written_file_without_helper(clients));
    findings.extend(of_old_podman(patient));
    findings.extend(of_helm(patient));
    if clients.switched_on().is_empty() {
        findings.push(Diagnostic::warning(
            "switched-on",
            "no client asks this program",
            command("configure"),
        ));
    }
    if patient.context.environment.has(DOCKER_AUTH_CONFIG) {
        findings.push(Diagnostic::warning(
            "docker-auth-config",
            format!("${DOCKER_AUTH_CONFIG} is set: docker uses the logins in it before any helper"),
            format!("unset {DOCKER_AUTH_CONFIG}"),
        ));
    }
    if let Some(path) = docker::snap_file(patient.context.system_paths.home.as_deref()) {
        findings.push(Diagnostic::warning(
            "docker-snap",
            format!(
                "docker of a snap reads {}, and cannot start a helper outside of the snap",
                path.display()
            ),
            "install docker from your distribution or from docker.com",
        ));
    }
    findings
}

fn in_file(seen: &Seen, patient: &CheckContext<'_>) -> Vec<Diagnostic> {
    let (client, path) = (seen.file.client, seen.file.path.display());
    match &seen.contents {
        Ok(None) => Vec::new(),
        Err(ParseError::Broken(reason)) => vec![Diagnostic::problem(
            "client-file",
            format!("{path} cannot be read, by {client} neither: {reason}"),
            format!("mend or remove {path}"),
        )],
        Err(ParseError::Ambiguous(reason)) => vec![Diagnostic::warning(
            "client-file",
            format!(
                "{path} is neither read nor changed by this program: {reason}; {client} may read it all the same"
            ),
            format!("put {path} right, so that this program can tell what it says"),
        )],
        Ok(Some(contents)) => {
            let path = path.to_string();
            let mut findings = vec![asked_for(client, &path, contents)];
            findings.extend(in_clear(client, &path, contents, patient));
            findings.extend(of_other_helpers(client, &path, contents));
            findings.extend(foreign(client, &path, contents));
            findings.extend(stores(client, &path, contents));
            findings
        }
    }
}

fn asked_for(client: Client, path: &str, contents: &Contents) -> Diagnostic {
    let seen = match contents.registries.is_empty() {
        true => format!("{path} ({client}) does not name this program"),
        false => format!(
            "{path} ({client}) asks this program for {}",
            listed(&contents.registries)
        ),
    };
    Diagnostic::fine("client-file", seen)
}

/// The passwords of a file that can be moved out of it.
fn in_clear(
    client: Client,
    path: &str,
    contents: &Contents,
    patient: &CheckContext<'_>,
) -> Vec<Diagnostic> {
    let clients = patient.clients;
    let registries: BTreeSet<&Registry> =
        contents.plain.iter().map(|login| &login.registry).collect();
    let is_movable = |registry: &&Registry| {
        only_credential(registry, &plain_logins(client, registry, clients)).is_ok()
    };
    let movable = registries.into_iter().filter(is_movable);
    let (hidden, shadowing): (Vec<&Registry>, Vec<&Registry>) =
        movable.partition(|registry| has_helper(client, contents, registry));
    let mut findings = Vec::new();
    if !shadowing.is_empty() {
        let seen = format!(
            "{path} holds passwords in clear for {}, which {client} uses instead of asking this program",
            listed(&shadowing)
        );
        let mend = migration(client, contents, &shadowing, patient);
        findings.push(Diagnostic::problem(IN_CLEAR, seen, mend));
    }
    if !hidden.is_empty() {
        let seen = format!("{path} holds passwords in clear for {}", listed(&hidden));
        let mend = migration(client, contents, &hidden, patient);
        findings.push(Diagnostic::warning(IN_CLEAR, seen, mend));
    }
    findings
}

/// What lies in the files of a client and cannot be moved out of them.
fn stuck(client: Client, clients: &Clients) -> Vec<Diagnostic> {
    let contents = of_client(client, clients).filter_map(Seen::readable);
    let contents: Vec<&Contents> = contents.collect();
    let plain = contents.iter().flat_map(|contents| &contents.plain);
    let registries: BTreeSet<&Registry> = plain.map(|login| &login.registry).collect();
    let finding = |registry: &Registry| {
        let logins = plain_logins(client, registry, clients);
        let immovable = only_credential(registry, &logins).err()?;
        let is_used = contents.iter().any(|contents| {
            let mut plain = contents.plain.iter();
            plain.any(|login| login.registry == *registry)
                && !has_helper(client, contents, registry)
        });
        let verdict = match is_used {
            true => Verdict::Problem,
            false => Verdict::Warning,
        };
        let mend = Some(immovable.mend);
        Some(Diagnostic::new(IN_CLEAR, verdict, immovable.seen, mend))
    };
    registries.into_iter().filter_map(finding).collect()
}

fn of_client(client: Client, clients: &Clients) -> impl Iterator<Item = &Seen> {
    let files = clients.files.iter();
    files.filter(move |seen| seen.file.client == client)
}

/// What lies for a registry in all files of a client, each with its file.
fn plain_logins<'a>(
    client: Client,
    registry: &Registry,
    clients: &'a Clients,
) -> Vec<(String, &'a AuthEntry)> {
    let in_file = |seen: &'a Seen| {
        let path = seen.file.path.display().to_string();
        let plain = seen.readable().into_iter().flat_map(|it| &it.plain);
        plain.map(move |login| (path.clone(), login))
    };
    let logins = of_client(client, clients).flat_map(in_file);
    logins
        .filter(|(_, login)| login.registry == *registry)
        .collect()
}

/// Whether a client asks a helper, and does not look into the file itself.
fn has_helper(client: Client, contents: &Contents, registry: &Registry) -> bool {
    let has_store = contents.is_store || contents.other_store.is_some();
    contents.registries.contains(registry)
        || is_of_another(contents, registry)
        || (client == Client::Docker && has_store)
}

fn is_of_another(contents: &Contents, registry: &Registry) -> bool {
    let mut of_others = contents.of_others.iter();
    of_others.any(|(other, _)| other == registry)
}

/// The command that moves passwords, and what it needs.
fn migration(
    client: Client,
    contents: &Contents,
    registries: &[&Registry],
    patient: &CheckContext<'_>,
) -> String {
    let replaces = registries.iter().any(|it| is_of_another(contents, it));
    let command = format!(
        "{} --migrate{}",
        configure(client, registries),
        if replaces { " --force" } else { "" }
    );
    match patient.settings.keychain {
        KeychainChoice::None => format!("choose a keychain (ICR_KEYCHAIN=auto), then {command}"),
        _ => command,
    }
}

fn of_other_helpers(
    client: Client,
    path: &str,
    contents: &Contents,
) -> impl Iterator<Item = Diagnostic> {
    contents.of_others.iter().map(move |(registry, helper)| {
        Diagnostic::warning(
            "another-helper",
            format!("{path} has {client} ask docker-credential-{helper} for {registry}"),
            format!("{} --force", configure(client, &[registry])),
        )
    })
}

fn foreign(client: Client, path: &str, contents: &Contents) -> impl Iterator<Item = Diagnostic> {
    contents.foreign.iter().map(move |host| {
        Diagnostic::warning(
            "foreign-host",
            format!("{path} has {client} ask this program for {host}, which is no registry of IBM Cloud"),
            format!("take {host} out of credHelpers in {path}, or name it in `registries` of the settings file"),
        )
    })
}

/// Whoever is asked for everything else.
fn stores(client: Client, path: &str, contents: &Contents) -> Vec<Diagnostic> {
    const CHECK: &str = "creds-store";
    let mut findings = Vec::new();
    // Of docker alone: podman does not know it.
    let has_none_of_ours = client == Client::Docker && contents.registries.is_empty();
    if let Some(store) = contents.other_store.as_ref().filter(|_| has_none_of_ours) {
        findings.push(Diagnostic::warning(
            CHECK,
            format!("{path} has docker ask docker-credential-{store} for every registry (credsStore), IBM Cloud's among them"),
            configure::<Registry>(client, &[]),
        ));
    }
    if contents.is_store {
        findings.push(Diagnostic::warning(
            CHECK,
            format!("{path} has docker ask this program for every registry (credsStore), and it keeps logins for IBM Cloud's alone"),
            format!("run `{}`, and take credsStore out of {path}", configure::<Registry>(client, &[])),
        ));
    }
    findings
}

/// The command that names this program for these registries; without any, for those
/// that are chosen then.
fn configure<T: ToString>(client: Client, registries: &[T]) -> String {
    let mut words = vec![format!("configure {}", client.name())];
    if !registries.is_empty() {
        words.push("--registry".to_owned());
        words.extend(registries.iter().map(ToString::to_string));
    }
    command(&words.join(" "))
}

/// Settings that have podman ask helpers for every registry.
fn asked_for_all(helpers: &GlobalHelpers) -> Diagnostic {
    const CHECK: &str = "credential-helpers";
    let path = helpers.path.display();
    let seen = format!(
        "{path} has {} ask this program for every registry",
        Client::Podman
    );
    match helpers.name_files() {
        true => Diagnostic::fine(CHECK, seen),
        false => Diagnostic::warning(
            CHECK,
            format!("{seen}, and no longer read the logins at others in auth.json"),
            format!("put \"containers-auth.json\" behind \"icr\" in credential-helpers of {path}"),
        ),
    }
}

/// `podman login` leaves the password in clear in the file that it writes, unless
/// that one names the helper; there it comes before all others.
fn written_file_without_helper(clients: &Clients) -> Option<Diagnostic> {
    let mut files = of_client(Client::Podman, clients);
    let written = files.next()?;
    // podman reads docker's file as well; without podman nobody writes the other.
    let is_used = written.file.path.exists() || files.any(|seen| seen.file.path.exists());
    let names_us = |seen: &Seen| seen.readable().is_some_and(|it| !it.registries.is_empty());
    let is_asked_first = clients
        .podmans_global
        .as_ref()
        .is_some_and(GlobalHelpers::name_us_first);
    if names_us(written) || !is_used || is_asked_first {
        return None;
    }
    let named = clients.files.iter().filter_map(Seen::readable);
    let named: BTreeSet<&Registry> = named.flat_map(|it| &it.registries).collect();
    // Whom another helper was chosen for is told of on its own.
    let podmans = of_client(Client::Podman, clients).filter_map(Seen::readable);
    let podmans: Vec<&Contents> = podmans.collect();
    let is_free = |registry: &&Registry| !podmans.iter().any(|it| is_of_another(it, registry));
    let registries: Vec<&Registry> = named.into_iter().filter(is_free).collect();
    (!registries.is_empty()).then(|| {
        Diagnostic::warning(
            "podman-login",
            format!(
                "`podman login` would write your password in clear into {}, which does not name this program",
                written.file.path.display()
            ),
            configure(Client::Podman, &registries),
        )
    })
}

/// `~/.dockercfg`, which podman reads after all other files.
fn of_old_podman(patient: &CheckContext<'_>) -> Option<Diagnostic> {
    let path = podman::legacy_file(&machine(patient.context))?;
    let text = file::read(&path).ok()??;
    let whole = Zeroizing::new(format!("{{\"auths\":{}}}", &*text));
    let keys = kept_keys(&whole, patient);
    let path = path.display();
    (!keys.is_empty()).then(|| {
        Diagnostic::warning(
            IN_CLEAR,
            format!(
                "{path} holds passwords in clear for {}, which {} use where nobody else has a login",
                listed(&keys),
                Client::Podman
            ),
            format!("take {} out of {path}", listed(&keys)),
        )
    })
}

/// What helm has stored by itself.
fn of_helm(patient: &CheckContext<'_>) -> Option<Diagnostic> {
    let path = helm::file(&machine(patient.context)).ok()??;
    let text = file::read(&path).ok()??;
    let keys = kept_keys(&text, patient);
    (!keys.is_empty()).then(|| {
        let commands: Vec<String> = keys
            .iter()
            .map(|key| format!("helm registry logout {key}"))
            .collect();
        Diagnostic::warning(
            "helm",
            format!(
                "{} holds logins for {}, which helm uses instead of asking this program",
                path.display(),
                listed(&keys)
            ),
            commands.join(" && "),
        )
    })
}

/// Under which names a file holds passwords or tokens for registries.
fn kept_keys(text: &str, patient: &CheckContext<'_>) -> Vec<String> {
    let Ok(document) = Document::parse(text) else {
        return Vec::new();
    };
    let logins = document.plain_logins(&patient.settings.registries);
    let kept = logins.into_iter().filter(AuthEntry::is_secret);
    kept.map(|login| login.key).collect()
}
