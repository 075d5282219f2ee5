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
    let configure = command(&format!("configure {}", client.name()));
    let mut findings = vec![match contents.registries.is_empty() {
        true => Finding::fine(
            "client-file",
            format!("{path} ({client}) does not name this program"),
        ),
        false => Finding::fine(
            "client-file",
            format!(
                "{path} ({client}) asks this program for {}",
                listed(&contents.registries)
            ),
        ),
    }];
    let (hidden, shadowing): (Vec<&Registry>, Vec<&Registry>) = contents
        .in_clear
        .iter()
        .partition(|registry| contents.registries.contains(registry));
    if !shadowing.is_empty() {
        findings.push(Finding::problem(
            "password-in-clear",
            format!(
                "{path} holds passwords in clear for {}, which {client} uses instead of asking this program",
                listed(&shadowing)
            ),
            format!("{configure} --migrate"),
        ));
    }
    if !hidden.is_empty() {
        findings.push(Finding::warning(
            "password-in-clear",
            format!("{path} holds passwords in clear for {}", listed(&hidden)),
            format!("{configure} --migrate"),
        ));
    }
    for (registry, helper) in &contents.of_others {
        findings.push(Finding::warning(
            "another-helper",
            format!("{path} has {client} ask docker-credential-{helper} for {registry}"),
            format!("{configure} --registry {registry}"),
        ));
    }
    for host in &contents.foreign {
        findings.push(Finding::warning(
            "foreign-host",
            format!("{path} has {client} ask this program for {host}, which is no registry of IBM Cloud"),
            format!("take {host} out of credHelpers in {path}, or name it in `registries` of the settings file"),
        ));
    }
    // Of docker alone: podman does not know it.
    let other = contents.other_store.as_ref();
    if let Some(store) =
        other.filter(|_| client == Client::Docker && contents.registries.is_empty())
    {
        findings.push(Finding::warning(
            "creds-store",
            format!("{path} has docker ask docker-credential-{store} for every registry (credsStore), IBM Cloud's among them"),
            configure.clone(),
        ));
    }
    if contents.is_store {
        findings.push(Finding::warning(
            "creds-store",
            format!("{path} has docker ask this program for every registry (credsStore), and it keeps logins for IBM Cloud's alone"),
            format!("{configure}, and take credsStore out of {path}"),
        ));
    }
    findings
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
