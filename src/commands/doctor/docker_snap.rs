//! Checks the files of docker from a snap, which cannot start helpers.

use std::path::Path;

use super::CheckContext;
use super::Diagnostic;
use super::client_files::PLAINTEXT_PASSWORD;
use super::login_files::logins_in;
use super::login_files::unreadable;
use crate::client_config::docker;
use crate::commands::scopes::listed;
use crate::settings::Settings;

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let files = docker::snap_files(context.context.system_paths.home.as_deref());
    let Some(first) = files.first() else {
        return Vec::new();
    };
    let snap = Diagnostic::warning(
        "docker-snap",
        format!(
            "docker from a snap reads {} and cannot start helpers outside of the snap",
            first.display()
        ),
        "Install docker from your distribution or from docker.com",
    );
    let passwords = files
        .iter()
        .filter_map(|path| in_file(path, context.settings));
    std::iter::once(snap).chain(passwords).collect()
}

fn in_file(path: &Path, settings: &Settings) -> Option<Diagnostic> {
    let keys = match logins_in(path, settings) {
        Ok(keys) => keys,
        Err(error) => return Some(unreadable("docker from a snap", path, &error)),
    };
    let path = path.display();
    (!keys.is_empty()).then(|| {
        Diagnostic::warning(
            PLAINTEXT_PASSWORD,
            format!(
                "{path} contains passwords in clear text for {}, which docker from a snap stores there",
                listed(&keys)
            ),
            format!("Remove {} from {path}", listed(&keys)),
        )
    })
}
