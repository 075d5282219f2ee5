//! The files with podman's settings for registries that podman cannot read. Without them, no
//! command of podman, buildah and skopeo that needs a registry works (`containers/image`,
//! `pkg/sysregistriesv2`).

use std::io;
use std::path::Path;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::DeTable;
use toml::de::DeValue;

use super::MAX_SETTINGS_SIZE;
use super::Machine;
use super::json::position;
use super::podman;
use crate::error::Error;
use crate::fs;

/// The list of the helpers for all registries.
const HELPERS: &str = "credential-helpers";

/// Returns each file that podman cannot read, with the reason.
pub fn unreadable(machine: &Machine<'_>) -> Vec<(PathBuf, String)> {
    let files = podman::registries_files(machine).into_iter();
    let unreadable = files.filter_map(|path| {
        let reason = reason(&path)?;
        Some((path, reason))
    });
    unreadable.collect()
}

fn reason(path: &Path) -> Option<String> {
    match fs::read_regular(path, MAX_SETTINGS_SIZE) {
        Ok(text) => invalid(&text),
        Err(error) => {
            let cause = error.downcast_ref::<io::Error>();
            let is_missing = cause.is_some_and(|it| it.kind() == io::ErrorKind::NotFound);
            (!is_missing).then(|| Error::from_anyhow(&error).text())
        }
    }
}

/// Returns why a text is no settings for registries.
fn invalid(text: &str) -> Option<String> {
    match DeTable::parse(text) {
        Ok(settings) => {
            let helpers = settings.get_ref().get(HELPERS)?;
            let what = format!("{HELPERS} is not a list of names in quotes");
            (!is_list_of_names(helpers)).then(|| position(text, helpers.span().start, &what))
        }
        Err(error) => {
            let what = format!("it is not valid TOML: {}", error.message());
            let start = error.span().unwrap_or_default().start;
            Some(position(text, start.min(text.len()), &what))
        }
    }
}

fn is_list_of_names(helpers: &Spanned<DeValue<'_>>) -> bool {
    let names = helpers.get_ref().as_array();
    names.is_some_and(|names| names.iter().all(|it| it.get_ref().is_str()))
}
