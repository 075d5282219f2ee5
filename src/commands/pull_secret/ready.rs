//! The file that exists while the secrets can be used, and `pull-secret ready`, which checks it: the
//! container image has no shell for a probe.

use std::path::Path;
use std::path::PathBuf;

use super::managed::parse_timestamp;
use super::managed::timestamp;
use crate::context::Context;
use crate::error::Error;
use crate::error::Result;
use crate::fs;

/// How long the file counts, in seconds: more than the longest interval between two rounds. An
/// older one is of a process that hangs.
const VALIDITY: u64 = 2 * 60 * 60;

/// The size limit of the file, in bytes.
const MAX_SIZE: u64 = 1024;

/// Check the file of 'apply --ready-file', for a readiness probe
///
/// The exit status is 0 if the secrets can be used, and 1 otherwise.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Arguments {
    /// File after --ready-file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn run(arguments: &Arguments, context: &Context<'_>) -> Result<()> {
    let path = arguments.file.display();
    let text = fs::read_regular(&arguments.file, MAX_SIZE).map_err(|error| {
        Error::from_anyhow(&error).with_context(format_args!("not ready: cannot read {path}"))
    })?;
    let written = parse_timestamp(text.trim())
        .ok_or_else(|| Error::user(format!("not ready: {path} has no time")))?;
    let now = context.clock.now();
    // One of the future is of a wrong clock, and would count for ever.
    if written > now || now - written > VALIDITY {
        return Err(Error::user(format!(
            "not ready: {path} is from {}",
            text.trim()
        )));
    }
    Ok(())
}

/// Writes the file, with the time of the round.
pub(super) fn set(file: Option<&Path>, now: u64) -> Result<()> {
    let Some(path) = file else {
        return Ok(());
    };
    // A probe must not find a file that is only half written.
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    std::fs::write(&new, format!("{}\n", timestamp(now)))
        .and_then(|()| std::fs::rename(&new, path))
        .map_err(|error| Error::user(format!("cannot write {} ({error})", path.display())))
}

/// Deletes the file, if there is one.
pub(super) fn clear(file: Option<&Path>) -> Result<()> {
    let Some(path) = file else {
        return Ok(());
    };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::user(format!(
            "cannot delete {} ({error})",
            path.display()
        ))),
        _ => Ok(()),
    }
}
