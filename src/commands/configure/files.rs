//! Access to clients' files and to the record, with errors that name the file.

use std::path::Path;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::PROGRAM;
use crate::client_config::Client;
use crate::client_config::file;
use crate::client_config::file::ReplaceError;
use crate::client_config::json::Document;
use crate::client_config::json::HelperPlan;
use crate::client_config::json::ParseError;
use crate::commands::warnings::Warnings;
use crate::context::Context;
use crate::error::Error;
use crate::error::Result;
use crate::fs::busy;
use crate::time::Clock;

/// How often a change is tried while other programs change the same file.
pub(super) const MAX_ATTEMPTS: u32 = 5;

/// What to do if the record cannot be in the home directory. `dirs` reads `$XDG_STATE_HOME` only
/// on Linux.
pub(super) const ANOTHER_STATE_DIRECTORY: &str = if cfg!(target_os = "linux") {
    "To keep the record elsewhere, set XDG_STATE_HOME to a directory of this user"
} else {
    "Set HOME to a directory of this user"
};

/// Returns the directory of the record.
///
/// # Errors
/// There is no home directory, and no variable names another one.
pub(super) fn state_directory(context: &Context<'_>) -> Result<PathBuf> {
    let directory = context.state_directory.as_ref();
    let directory = directory.ok_or_else(|| {
        Error::user("cannot locate the home directory").with_hint(ANOTHER_STATE_DIRECTORY)
    })?;
    Ok(directory.join(PROGRAM))
}

/// Returns the absolute path of a file.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Deletes copies of clients' files that interrupted runs left.
pub(super) fn sweep(files: &[PathBuf], warnings: &Warnings<'_>) {
    for path in files.iter().flat_map(|path| file::delete_leftovers(path)) {
        warnings.note(&format!(
            "deleted {}, a copy left by an interrupted run",
            path.display()
        ));
    }
}

/// Returns the text of a file, and whether it must be rewritten because clients cannot decode
/// it.
pub(super) fn read_encoded(
    path: &Path,
    clock: &dyn Clock,
) -> Result<(Option<Zeroizing<String>>, bool)> {
    let is_busy = |error: &ParseError| *error == ParseError::Busy;
    let content = busy::retry(clock, is_busy, || file::read(path));
    let is_encoded = matches!(content, Err(ParseError::Encoding { .. }));
    let text = file::decoded(content).map_err(|error| parse_error(path, &error))?;
    Ok((text, is_encoded))
}

/// Returns the text of a file.
pub(super) fn read(path: &Path, clock: &dyn Clock) -> Result<Option<Zeroizing<String>>> {
    read_encoded(path, clock).map(|(text, _)| text)
}

pub(super) fn parse<'a>(path: &Path, text: &'a str, client: Client) -> Result<Document<'a>> {
    Document::parse_as(text, client.format()).map_err(|broken| parse_error(path, &broken))
}

pub(super) fn plan_helpers(
    path: &Path,
    document: &Document<'_>,
    hosts: &[String],
) -> Result<HelperPlan> {
    document
        .plan_helpers(hosts)
        .map_err(|broken| parse_error(path, &broken))
}

pub(super) fn parse_error(path: &Path, error: &ParseError) -> Error {
    let hint = match error {
        ParseError::Broken(_) | ParseError::Encoding { .. } => "Fix the file first".to_owned(),
        ParseError::Ambiguous(_) => {
            "Clients may be able to read it. Fix the file, or add the helper by hand".to_owned()
        }
        ParseError::Denied(error) => access_fix(error),
        ParseError::Directory => directory_fix(path),
        ParseError::Busy => busy::HINT.to_owned(),
    };
    Error::user(format!("{} was not changed: {error}", path.display())).with_hint(hint)
}

/// Returns the fix for a file that this user may not read.
pub(in crate::commands) fn access_fix(error: &Error) -> String {
    let hint = error.hint();
    hint.unwrap_or("Give this user access to the file")
        .to_owned()
}

/// Returns the fix for a directory in the place of a client's file.
pub(in crate::commands) fn directory_fix(path: &Path) -> String {
    format!(
        "A mount of a missing file creates such a directory. Remove it: rmdir {}",
        path.display()
    )
}

/// Returns the error for a file that was not replaced, with its hint.
pub(super) fn replace_error(path: &Path, client: Client, error: ReplaceError) -> Error {
    error
        .into_error(path, client)
        .with_context(format!("{} was not changed", path.display()))
}

pub(super) fn write_error(path: &Path, reason: &dyn std::fmt::Display) -> Error {
    Error::user(format!("{} was not changed: {reason:#}", path.display()))
}
