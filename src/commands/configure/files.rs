//! Access to clients' files and to the record, with errors that name the file.

use std::path::Path;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::PROGRAM;
use crate::client_config::file;
use crate::client_config::json::Document;
use crate::client_config::json::HelperPlan;
use crate::client_config::json::ParseError;
use crate::commands::warnings::Warnings;
use crate::context::Context;
use crate::error::Error;
use crate::error::Result;

/// How often somebody else may change a file while this program does.
pub(super) const MOST_ATTEMPTS: u32 = 5;

/// Where the record is.
pub(super) fn state(context: &Context<'_>) -> anyhow::Result<PathBuf> {
    let directory = context.state_directory.as_ref();
    let directory = directory.ok_or_else(|| anyhow::anyhow!("there is no home directory"))?;
    Ok(directory.join(PROGRAM))
}

/// Where a file is, from wherever the next command is started.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Removes the copies of clients' files that killed runs left beside them.
pub(super) fn sweep(files: &[PathBuf], warnings: &Warnings<'_>) {
    for path in files.iter().flat_map(|path| file::sweep(path)) {
        warnings.note(&format!(
            "Removed {}, a copy of a client's file that an interrupted run had left.",
            path.display()
        ));
    }
}

pub(super) fn read(path: &Path) -> Result<Option<Zeroizing<String>>> {
    file::read(path).map_err(|error| untouched(path, &error))
}

pub(super) fn parse<'a>(path: &Path, text: &'a str) -> Result<Document<'a>> {
    Document::parse(text).map_err(|broken| untouched(path, &broken))
}

pub(super) fn plan_helpers(
    path: &Path,
    document: &Document<'_>,
    hosts: &[String],
) -> Result<HelperPlan> {
    document
        .plan_helpers(hosts)
        .map_err(|broken| untouched(path, &broken))
}

pub(super) fn untouched(path: &Path, unread: &ParseError) -> Error {
    let advice = match unread {
        ParseError::Broken(_) => "mend it first",
        ParseError::Ambiguous(_) => {
            "clients may read it all the same, but this program changes no such file, so put it right, or name the helper there by hand"
        }
    };
    Error::user(format!(
        "{} is left as it is: {unread}; {advice}",
        path.display()
    ))
}

pub(super) fn unwritten(path: &Path, reason: &dyn std::fmt::Display) -> Error {
    Error::user(format!("{} is left as it is: {reason:#}", path.display()))
}
