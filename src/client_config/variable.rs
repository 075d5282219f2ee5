//! Variables with the paths of clients' files, and usual mistakes in them.

use std::path::Path;
use std::path::PathBuf;

use super::Machine;
use super::docker;
use crate::environment::Environment;
use crate::error::Error;
use crate::error::Result;
use crate::fs;
use crate::secret::input;
use crate::text::repeatable;
use crate::text::shell;

/// The device with which people mean "none".
const NULL_DEVICE: &str = "/dev/null";

/// Returns the error for a device, pipe or socket in a variable, if it names one.
fn special_error(path: &Path, variable: &str, needed: &str) -> Option<Error> {
    let kind = fs::special_kind(path)?;
    let text = format!(
        "${variable} has to be a {needed}, but {} is {kind}",
        path.display()
    );
    let empty = if needed == "directory" {
        "an empty"
    } else {
        "a new"
    };
    let hint = format!("Unset {variable}, or set it to {empty} {needed} of this user");
    Some(Error::user(text).with_hint(hint))
}

/// Returns the directory in a variable.
///
/// # Errors
/// The variable names a file, is in quotes, or no shell has expanded it.
pub(super) fn directory(machine: &Machine<'_>, variable: &str) -> Result<Option<PathBuf>> {
    let Some(path) = machine.path(variable)? else {
        return Ok(None);
    };
    if let Some(error) = special_error(&path, variable, "directory") {
        return Err(error);
    }
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
    let Some(path) = machine.path(variable)? else {
        return Ok(None);
    };
    if path == Path::new(NULL_DEVICE)
        && let Some(error) = special_error(&path, variable, "file")
    {
        return Err(error);
    }
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

/// Returns the path in a variable, if it is set and not empty.
///
/// # Errors
/// The value is not UTF-8, is in quotes, which `docker run --env-file` keeps, or contains a name
/// that a shell should have expanded.
pub(super) fn path(environment: &Environment, variable: &str) -> Result<Option<PathBuf>> {
    let Some(text) = environment.text(variable)? else {
        return Ok(None);
    };
    let path = fs::with_own_separators(Path::new(text));
    let shown = repeatable::path(text);
    if let Some(inner) = input::without_quotes(text).filter(|_| !path.exists()) {
        return Err(Error::user(format!(
            "${variable} is {shown}, and clients read the quotes as a part of the path"
        ))
        .with_hint(shell::set(variable, repeatable::path(inner))));
    }
    let is_unexpanded = text.starts_with('~') || text.contains(['$', '%']);
    if is_unexpanded && !path.exists() {
        return Err(Error::user(format!(
            "${variable} is '{shown}', which no shell has expanded: clients would use a path of exactly this name"
        ))
        .with_hint(shell::set_in_home(variable, &below_first_part(shown))));
    }
    Ok(Some(path))
}

/// Returns a path without its first part, such as `~` or a variable, with slashes.
fn below_first_part(path: &str) -> String {
    let rest = path.split_once(['/', '\\']).map(|(_, rest)| rest);
    rest.unwrap_or_default().replace('\\', "/")
}
