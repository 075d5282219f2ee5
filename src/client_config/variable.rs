//! Variables with the paths of clients' files, and usual mistakes in them.

use std::path::Path;
use std::path::PathBuf;

use super::Machine;
use super::docker;
use crate::error::Error;
use crate::error::Result;
use crate::text::shell;

/// Returns the directory in a variable.
///
/// # Errors
/// The variable names a file, is in quotes, or no shell has expanded it.
pub(super) fn directory(machine: &Machine<'_>, variable: &str) -> Result<Option<PathBuf>> {
    let Some(path) = expanded(machine, variable)? else {
        return Ok(None);
    };
    let is_meant_as_file = path.ends_with(docker::FILE) && !path.is_dir();
    if path.is_file() || is_meant_as_file {
        let parent = path.parent().unwrap_or(&path).display().to_string();
        return Err(Error::user(format!(
            "${variable} has to be a directory, but {} is the path of a file",
            path.display()
        ))
        .with_hint(shell::set(variable, &parent)));
    }
    Ok(Some(path))
}

/// Returns the file in a variable.
///
/// # Errors
/// The variable names a directory, is in quotes, or no shell has expanded it.
pub(super) fn file(machine: &Machine<'_>, variable: &str) -> Result<Option<PathBuf>> {
    let Some(path) = expanded(machine, variable)? else {
        return Ok(None);
    };
    if path.is_dir() {
        let file = path.join("auth.json");
        return Err(Error::user(format!(
            "${variable} has to be a file, but {} is a directory",
            path.display()
        ))
        .with_hint(shell::set(variable, &file.display().to_string())));
    }
    Ok(Some(path))
}

/// Returns the path in a variable.
fn expanded(machine: &Machine<'_>, variable: &str) -> Result<Option<PathBuf>> {
    let Some(path) = machine.path(variable)? else {
        return Ok(None);
    };
    let text = path.to_string_lossy();
    if let Some(inner) = quoted(&text).filter(|_| !path.exists()) {
        return Err(Error::user(format!(
            "${variable} is {text}, and clients read the quotes as a part of the path"
        ))
        .with_hint(shell::set(variable, inner)));
    }
    let is_unexpanded = text.starts_with('~') || text.contains(['$', '%']);
    if is_unexpanded && !path.exists() {
        return Err(Error::user(format!(
            "${variable} is '{text}', which no shell has expanded: clients would use a path of exactly this name"
        ))
        .with_hint(shell::set_in_home(variable, &below_first_part(&path))));
    }
    Ok(Some(path))
}

/// Returns the text in quotes, which `docker run --env-file` keeps.
fn quoted(text: &str) -> Option<&str> {
    let in_quotes = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    ['"', '\''].into_iter().find_map(in_quotes)
}

/// Returns a path without its first part, such as `~` or a variable, with slashes.
fn below_first_part(path: &Path) -> String {
    let text = path.to_string_lossy();
    let rest = text.split_once(['/', '\\']).map(|(_, rest)| rest);
    rest.unwrap_or_default().replace('\\', "/")
}
