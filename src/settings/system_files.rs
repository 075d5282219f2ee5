//! The system's settings files: `config.toml`, and the files of `config.d`, which packages and
//! configuration management add.

use std::io::ErrorKind;
use std::path::Path;
use std::path::PathBuf;

use super::FILE_NAME;
use super::Settings;
use super::SettingsFile;
use crate::PROGRAM;
use crate::environment::Environment;
use crate::error::Error;
use crate::error::Result;

/// The directory with further files, beside `config.toml`.
const DIRECTORY: &str = "config.d";

impl Settings {
    /// Applies the system's file, then those of `config.d` in the order of their names.
    ///
    /// # Errors
    /// `config.d` cannot be read, or a file is an error, as in [`Settings::load`].
    pub(super) fn apply_system_files(
        &mut self,
        system_directory: &Path,
        environment: &Environment,
    ) -> Result<()> {
        let directory = system_directory.join(PROGRAM);
        // Most systems have no such directory: one question for all its files.
        if is_missing(&directory) {
            self.files.push(SettingsFile {
                path: directory.join(FILE_NAME),
                exists: false,
            });
            return Ok(());
        }
        self.apply_file_if_present(directory.join(FILE_NAME), environment)?;
        for path in further_files(&directory)? {
            self.apply_file_if_present(path, environment)?;
        }
        Ok(())
    }
}

/// Returns the paths of all system's files; without those of a `config.d` that cannot be read.
pub(super) fn system_files(system_directory: &Path) -> Vec<PathBuf> {
    let directory = system_directory.join(PROGRAM);
    let further = further_files(&directory).unwrap_or_default();
    let mut paths = vec![directory.join(FILE_NAME)];
    paths.extend(further);
    paths
}

fn is_missing(path: &Path) -> bool {
    let metadata = path.symlink_metadata();
    metadata.is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// Returns the files of `config.d` in the order of their names, as bytes: those that end with
/// `.toml` and are not hidden. Others are copies of editors and package managers.
fn further_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let directory = directory.join(DIRECTORY);
    let unreadable = |error: &std::io::Error| {
        Error::user(format!(
            "the settings directory {} cannot be read ({error})",
            directory.display()
        ))
        .with_hint("It must be a directory that all users can read")
    };
    let entries = match std::fs::read_dir(&directory) {
        Ok(entries) => entries,
        // A link to a missing directory is there.
        Err(_) if is_missing(&directory) => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(&error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| unreadable(&error))?.file_name();
        let bytes = name.as_encoded_bytes();
        if bytes.ends_with(b".toml") && !bytes.starts_with(b".") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names.iter().map(|name| directory.join(name)).collect())
}
