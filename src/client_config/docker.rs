//! docker's file (`docker/cli`, `cli/config/config.go`).

use std::path::Path;
use std::path::PathBuf;

use super::Client;
use super::ClientFile;
use super::Machine;
use crate::error::Error;
use crate::error::Result;

/// Names docker's own directory.
pub const DIRECTORY: &str = "DOCKER_CONFIG";

/// Its file in there.
pub const FILE: &str = "config.json";

/// Where docker of a snap keeps its file, in the home directory: it sees no other,
/// and can start no program from outside of the snap (`canonical/docker-snap`,
/// issues 10 and 18).
pub const SNAP_FILE: &str = "snap/docker/current/.docker/config.json";

/// `$DOCKER_CONFIG/config.json`, or `~/.docker/config.json`.
pub(super) fn files(machine: &Machine<'_>) -> Result<Vec<ClientFile>> {
    let directory = match (machine.path(DIRECTORY)?, machine.home) {
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
    }])
}

/// The keychain's helper that docker takes by itself while its file says nothing about
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

/// The file of docker in a snap, if there is one.
pub fn snap_file(home: Option<&Path>) -> Option<PathBuf> {
    let file = home?.join(SNAP_FILE);
    file.exists().then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;

    #[test]
    fn a_directory_that_is_named_comes_before_the_home() {
        let path = |environment: &Environment, home: Option<&str>| {
            let machine = Machine {
                environment,
                home: home.map(Path::new),
                root: Path::new("/"),
                user_id: None,
            };
            Some(files(&machine).ok()?.remove(0).path)
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
