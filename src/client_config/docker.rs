//! The configuration file of docker (`docker/cli`, `cli/config/config.go`).

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use super::Client;
use super::ClientFile;
use super::Machine;
use super::variable;
use crate::error::Error;
use crate::error::Result;

/// The variable with docker's configuration directory.
pub const DIRECTORY: &str = "DOCKER_CONFIG";

/// The name of the file in that directory.
pub const FILE: &str = "config.json";

/// The directories of docker from a snap, relative to the home directory; the second is the one of
/// newer versions of snapd. Each has a directory for every revision, with the one in use as
/// `current`, and `common` for all of them. That docker has the revision's directory as its home,
/// reads no other file and cannot start programs outside of the snap (`canonical/docker-snap`,
/// issues 10 and 18). An update copies the directory, and the old one stays.
const SNAP_DIRECTORIES: [&str; 2] = ["snap/docker", ".snap/data/docker"];

/// Returns the directory in `$DOCKER_CONFIG`.
///
/// # Errors
/// It is a file, in quotes, or a name that a shell should have expanded.
pub fn directory(machine: &Machine<'_>) -> Result<Option<PathBuf>> {
    variable::directory(machine, DIRECTORY)
}

/// Returns `$DOCKER_CONFIG/config.json`, or else `~/.docker/config.json`.
pub(super) fn files(machine: &Machine<'_>, with_port: bool) -> Result<Vec<ClientFile>> {
    let directory = match (directory(machine)?, machine.home) {
        (Some(directory), _) => directory,
        (None, Some(home)) => home.join(".docker"),
        (None, None) => {
            return Err(
                Error::user("cannot locate Docker's config.json: no home directory")
                    .with_hint(format!("Set ${DIRECTORY}")),
            );
        }
    };
    Ok(vec![ClientFile {
        client: Client::Docker,
        path: directory.join(FILE),
        is_temporary: false,
        with_port,
    }])
}

/// Returns the keychain helper that docker chooses itself while its file does not mention
/// logins (`docker/cli`, `cli/config/credentials/default_store*.go`).
pub fn detected_store(machine: &Machine<'_>) -> Option<&'static str> {
    let store = match () {
        () if cfg!(target_os = "macos") => "osxkeychain",
        () if cfg!(windows) => "wincred",
        () if machine.has_program("pass") => "pass",
        () => "secretservice",
    };
    let helper = format!("docker-credential-{store}");
    machine.has_program(&helper).then_some(store)
}

/// Returns the files of docker from a snap, each once, with the one in use first.
pub fn snap_files(home: Option<&Path>) -> Vec<PathBuf> {
    let Some(home) = home else {
        return Vec::new();
    };
    let mut files = Vec::new();
    let mut known = BTreeSet::new();
    for directory in SNAP_DIRECTORIES.map(|it| home.join(it)) {
        let entries = std::fs::read_dir(&directory)
            .into_iter()
            .flatten()
            .flatten();
        let mut revisions: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        revisions.sort_unstable();
        revisions.insert(0, directory.join("current"));
        let paths = revisions
            .into_iter()
            .map(|it| it.join(".docker").join(FILE));
        files.extend(paths.filter(|path| {
            let target = path.canonicalize();
            target.is_ok_and(|target| known.insert(target))
        }));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;

    #[test]
    fn the_directory_in_the_variable_comes_before_the_home_directory() {
        let path = |environment: &Environment, home: Option<&str>| {
            let machine = Machine {
                environment,
                home: home.map(Path::new),
                root: Path::new("/"),
                user_id: None,
            };
            Some(files(&machine, false).ok()?.remove(0).path)
        };
        let nothing = Environment::default();
        let named = Environment::from_iter([(DIRECTORY, "/d")]);
        let in_home = Some(PathBuf::from("/h/.docker/config.json"));
        assert_eq!(path(&nothing, Some("/h")), in_home);
        let in_directory = Some(PathBuf::from("/d/config.json"));
        assert_eq!(path(&named, Some("/h")), in_directory);
        assert_eq!(path(&named, None), in_directory);
        assert_eq!(path(&nothing, None), None);
    }
}
