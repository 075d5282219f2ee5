//! Checks the files with logins that other clients read before or after this helper, and reports
//! files that cannot be read.

use std::path::Path;

use zeroize::Zeroizing;

use super::CheckContext;
use super::Diagnostic;
use super::client_files::PLAINTEXT_PASSWORD;
use crate::client_config::Client;
use crate::client_config::file;
use crate::client_config::helm;
use crate::client_config::json::AuthEntry;
use crate::client_config::json::Document;
use crate::client_config::json::ParseError;
use crate::client_config::podman;
use crate::commands::clients::machine;
use crate::commands::configure::access_fix;
use crate::commands::configure::directory_fix;
use crate::commands::scopes::listed;
use crate::fs::busy;
use crate::settings::Settings;

const CLIENT_FILE: &str = "client-file";

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    diagnostics.extend(legacy_podman_file(context));
    diagnostics.extend(helm_file(context));
    diagnostics
}

/// Checks `~/.dockercfg`, which podman reads after all other files.
fn legacy_podman_file(context: &CheckContext<'_>) -> Option<Diagnostic> {
    let path = podman::legacy_file(&machine(context.context))?;
    let auths = |text: &str| {
        // With the places of the text itself.
        Document::parse(text)?;
        Ok(Zeroizing::new(format!("{{\"auths\":{text}}}")))
    };
    let keys = match keys_in(&path, context.settings, auths) {
        Ok(keys) => keys,
        Err(error) => return Some(unreadable(Client::Podman, &path, &error)),
    };
    let path = path.display();
    (!keys.is_empty()).then(|| {
        Diagnostic::warning(
            PLAINTEXT_PASSWORD,
            format!(
                "{path} contains passwords in clear text for {}, which {} use if no other file has a login",
                listed(&keys),
                Client::Podman
            ),
            format!("Remove {} from {path}", listed(&keys)),
        )
    })
}

/// Checks the file in which helm stores logins itself.
fn helm_file(context: &CheckContext<'_>) -> Option<Diagnostic> {
    let path = helm::file(&machine(context.context)).ok()??;
    let keys = match logins_in(&path, context.settings) {
        Ok(keys) => keys,
        Err(error) => return Some(unreadable("helm", &path, &error)),
    };
    (!keys.is_empty()).then(|| {
        let commands: Vec<String> = keys
            .iter()
            .map(|key| format!("helm registry logout {key}"))
            .collect();
        Diagnostic::warning(
            "helm",
            format!(
                "{} contains logins for {}, which helm uses instead of this helper",
                path.display(),
                listed(&keys)
            ),
            commands.join(" && "),
        )
    })
}

/// Returns the keys under which a file contains passwords or tokens for our registries.
///
/// # Errors
/// The file exists and cannot be read.
pub(super) fn logins_in(path: &Path, settings: &Settings) -> Result<Vec<String>, ParseError> {
    keys_in(path, settings, |text| Ok(Zeroizing::new(text.to_owned())))
}

fn keys_in(
    path: &Path,
    settings: &Settings,
    document: impl Fn(&str) -> Result<Zeroizing<String>, ParseError>,
) -> Result<Vec<String>, ParseError> {
    let Some(text) = file::read(path)? else {
        return Ok(Vec::new());
    };
    let text = document(&text)?;
    Ok(keys_of(&Document::parse(&text)?, settings))
}

/// Returns the keys under which a text contains passwords or tokens for our registries; none if it
/// cannot be read.
pub(super) fn secret_keys(text: &str, settings: &Settings) -> Vec<String> {
    let document = Document::parse(text);
    document.map_or_else(|_| Vec::new(), |document| keys_of(&document, settings))
}

fn keys_of(document: &Document<'_>, settings: &Settings) -> Vec<String> {
    let logins = document.auth_entries(&settings.registries);
    let secret = logins.into_iter().filter(AuthEntry::is_secret);
    secret.map(|login| login.key).collect()
}

/// Returns the diagnostic for a file that a client or this program cannot read.
pub(super) fn unreadable(
    client: impl std::fmt::Display,
    path: &Path,
    error: &ParseError,
) -> Diagnostic {
    let shown = path.display();
    match error {
        ParseError::Broken(reason) => Diagnostic::problem(
            CLIENT_FILE,
            format!("neither this program nor {client} can read {shown}: {reason}"),
            format!("Correct or remove {shown}"),
        ),
        ParseError::Busy => Diagnostic::warning(
            CLIENT_FILE,
            format!("another program has {shown} open"),
            busy::HINT,
        ),
        ParseError::Denied(error) => Diagnostic::problem(
            CLIENT_FILE,
            format!("{client} cannot read {shown}: {}", error.text()),
            access_fix(error),
        ),
        ParseError::Directory => Diagnostic::problem(
            CLIENT_FILE,
            format!("{client} cannot read {shown}: it is a directory, not a file"),
            directory_fix(path),
        ),
        ParseError::Encoding { encoding, .. } => Diagnostic::problem(
            CLIENT_FILE,
            format!("{client} cannot read {shown}: {encoding}"),
            format!("Save {shown} as UTF-8 without a byte order mark"),
        ),
        ParseError::Ambiguous(reason) => Diagnostic::warning(
            CLIENT_FILE,
            format!(
                "this program does not read or change {shown}, but {client} may read it: {reason}"
            ),
            format!("Correct {shown}"),
        ),
    }
}
