//! Do clients ask this program, and do they use its answers?

use super::Finding;
use super::Patient;
use super::command;
use crate::client_config::Client;
use crate::client_config::docker;
use crate::command::clients::Contents;
use crate::command::clients::Seen;
use crate::command::clients::switched_on;
use crate::command::scopes::listed;
use crate::registry::Registry;

/// Holds logins that come before all helpers (`docker/cli`, `memorystore`).
const DOCKER_AUTH_CONFIG: &str = "DOCKER_AUTH_CONFIG";

pub(super) fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let seen = patient.clients;
    let mut findings: Vec<Finding> = seen.iter().flat_map(in_file).collect();
    findings.extend(written_file_without_helper(seen));
    if switched_on(seen).is_empty() {
        findings.push(Finding::warning(
            "switched-on",
            "no client asks this program",
            command("configure"),
        ));
    }
    if patient.world.environment.has(DOCKER_AUTH_CONFIG) {
        findings.push(Finding::warning(
            "docker-auth-config",
            format!("${DOCKER_AUTH_CONFIG} is set: docker uses the logins in it before any helper"),
            format!("unset {DOCKER_AUTH_CONFIG}"),
        ));
    }
    if let Some(path) = docker::snap_file(patient.world.places.home.as_deref()) {
        findings.push(Finding::warning(
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

fn in_file(seen: &Seen) -> Vec<Finding> {
    let (client, path) = (seen.file.client, seen.file.path.display());
    match &seen.contents {
        Ok(None) => Vec::new(),
        Err(reason) => vec![Finding::problem(
            "client-file",
            format!("{path} cannot be read, by {client} neither: {reason}"),
            format!("mend or remove {path}"),
        )],
        Ok(Some(contents)) => of_contents(client, &path.to_string(), contents),
    }
}

fn of_contents(client: Client, path: &str, contents: &Contents) -> Vec<Finding> {
    let mut findings = vec![asked_for(client, path, contents)];
    findings.extend(in_clear(client, path, contents));
    findings.extend(of_other_helpers(client, path, contents));
    findings.extend(foreign(client, path, contents));
    findings.extend(stores(client, path, contents));
    findings
}

fn asked_for(client: Client, path: &str, contents: &Contents) -> Finding {
    let seen = match contents.registries.is_empty() {
        true => format!("{path} ({client}) does not name this program"),
        false => format!(
            "{path} ({client}) asks this program for {}",
            listed(&contents.registries)
        ),
    };
    Finding::fine("client-file", seen)
}

fn in_clear(client: Client, path: &str, contents: &Contents) -> Vec<Finding> {
    const CHECK: &str = "password-in-clear";
    let migrate = format!("{} --migrate", configure(client));
    let (hidden, shadowing): (Vec<&Registry>, Vec<&Registry>) = contents
        .in_clear
        .iter()
        .partition(|registry| contents.registries.contains(registry));
    let mut findings = Vec::new();
    if !shadowing.is_empty() {
        let seen = format!(
            "{path} holds passwords in clear for {}, which {client} uses instead of asking this program",
            listed(&shadowing)
        );
        findings.push(Finding::problem(CHECK, seen, &*migrate));
    }
    if !hidden.is_empty() {
        let seen = format!("{path} holds passwords in clear for {}", listed(&hidden));
        findings.push(Finding::warning(CHECK, seen, migrate));
    }
    findings
}

fn of_other_helpers(
    client: Client,
    path: &str,
    contents: &Contents,
) -> impl Iterator<Item = Finding> {
    contents.of_others.iter().map(move |(registry, helper)| {
        Finding::warning(
            "another-helper",
            format!("{path} has {client} ask docker-credential-{helper} for {registry}"),
            format!("{} --registry {registry}", configure(client)),
        )
    })
}

fn foreign(client: Client, path: &str, contents: &Contents) -> impl Iterator<Item = Finding> {
    contents.foreign.iter().map(move |host| {
        Finding::warning(
            "foreign-host",
            format!("{path} has {client} ask this program for {host}, which is no registry of IBM Cloud"),
            format!("take {host} out of credHelpers in {path}, or name it in `registries` of the settings file"),
        )
    })
}

/// Whoever is asked for everything else.
fn stores(client: Client, path: &str, contents: &Contents) -> Vec<Finding> {
    const CHECK: &str = "creds-store";
    let mut findings = Vec::new();
    // Of docker alone: podman does not know it.
    let has_none_of_ours = client == Client::Docker && contents.registries.is_empty();
    if let Some(store) = contents.other_store.as_ref().filter(|_| has_none_of_ours) {
        findings.push(Finding::warning(
            CHECK,
            format!("{path} has docker ask docker-credential-{store} for every registry (credsStore), IBM Cloud's among them"),
            configure(client),
        ));
    }
    if contents.is_store {
        findings.push(Finding::warning(
            CHECK,
            format!("{path} has docker ask this program for every registry (credsStore), and it keeps logins for IBM Cloud's alone"),
            format!("{}, and take credsStore out of {path}", configure(client)),
        ));
    }
    findings
}

fn configure(client: Client) -> String {
    command(&format!("configure {}", client.name()))
}

/// `podman login` leaves the password in clear in the file that it writes, unless
/// that one names the helper; there it comes before all others.
fn written_file_without_helper(seen: &[Seen]) -> Option<Finding> {
    let of_podman = |seen: &&Seen| seen.file.client == Client::Podman;
    let mut files = seen.iter().filter(of_podman);
    let written = files.next()?;
    let names_us = |seen: &Seen| {
        let contents = seen.contents.as_ref().ok().and_then(Option::as_ref);
        contents.is_some_and(|contents| !contents.registries.is_empty())
    };
    // podman reads docker's file as well; without podman nobody writes the other.
    let is_used = written.file.path.exists() || files.any(|seen| seen.file.path.exists());
    let is_named_elsewhere = seen.iter().any(names_us);
    (!names_us(written) && is_named_elsewhere && is_used).then(|| {
        Finding::warning(
            "podman-login",
            format!(
                "`podman login` would write your password in clear into {}, which does not name this program",
                written.file.path.display()
            ),
            command("configure podman"),
        )
    })
}
