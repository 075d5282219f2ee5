//! The files of podman, buildah and skopeo (`containers/image`,
//! `pkg/docker/config/config.go`; `containers/common`, `pkg/auth/auth.go`).
//!
//! `login` writes one of them, and asks a helper only if that one names it:
//! otherwise it leaves the password there in clear, before all helpers that are
//! named in the others.

use std::path::PathBuf;

use super::Client;
use super::ClientFile;
use super::Machine;
use super::docker;
use crate::failure::Result;

/// Names the only file.
pub const FILE: &str = "REGISTRY_AUTH_FILE";

/// Names the directory that is emptied when the user logs out.
const RUNTIME_DIRECTORY: &str = "XDG_RUNTIME_DIR";

/// Names the directory of settings.
const CONFIG_DIRECTORY: &str = "XDG_CONFIG_HOME";

/// The file in either of them.
const AUTH_FILE: &str = "containers/auth.json";

/// Where every user has a runtime directory, even if no variable says so; podman
/// looks there.
const RUNTIME_DIRECTORIES: &str = "run/user";

/// The file that `login` writes. Without `$REGISTRY_AUTH_FILE` also the one in the
/// directory of settings, if there is one: it is read as well, and stays when the
/// runtime directory is emptied. Most versions of podman write to
/// `$DOCKER_CONFIG/config.json` if that is set, others do not.
pub(super) fn files(machine: &Machine<'_>) -> Result<Vec<ClientFile>> {
    let file = |path, is_temporary| ClientFile {
        client: Client::Podman,
        path,
        is_temporary,
    };
    if let Some(path) = machine.path(FILE)? {
        return Ok(vec![file(path, false)]);
    }
    let mut files = Vec::new();
    if let Some(directory) = machine.path(docker::DIRECTORY)? {
        files.push(file(directory.join(docker::FILE), false));
    }
    let lasting = lasting(machine)?;
    if cfg!(target_os = "linux") {
        files.push(file(temporary(machine)?, true));
        let lasting = lasting.filter(|path| path.exists());
        files.extend(lasting.map(|path| file(path, false)));
    } else {
        files.extend(lasting.map(|path| file(path, false)));
    }
    Ok(files)
}

/// `$XDG_RUNTIME_DIR/containers/auth.json`, or that of a user by number.
fn temporary(machine: &Machine<'_>) -> Result<PathBuf> {
    if let Some(directory) = machine.path(RUNTIME_DIRECTORY)? {
        return Ok(directory.join(AUTH_FILE));
    }
    let number = machine.user_id.unwrap_or_default().to_string();
    let own = machine.root.join(RUNTIME_DIRECTORIES).join(&number);
    Ok(match number != "0" && own.is_dir() {
        true => own.join(AUTH_FILE),
        false => machine
            .root
            .join("run/containers")
            .join(number)
            .join("auth.json"),
    })
}

/// `~/.config/containers/auth.json`. Only on Linux the variable counts.
fn lasting(machine: &Machine<'_>) -> Result<Option<PathBuf>> {
    let named = match cfg!(target_os = "linux") {
        true => machine.path(CONFIG_DIRECTORY)?,
        false => None,
    };
    let directory = named.or_else(|| Some(machine.home?.join(".config")));
    Ok(directory.map(|directory| directory.join(AUTH_FILE)))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use crate::environment::Environment;

    fn paths(variables: &[(&str, &str)], user_id: u32) -> Vec<(String, bool)> {
        let root = tempfile::tempdir().unwrap();
        let make = |path: &str, is_directory: bool| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            match is_directory {
                true => std::fs::create_dir(path).unwrap(),
                false => std::fs::write(path, "{}").unwrap(),
            }
        };
        make("run/user/1000", true);
        make("home/.config/containers/auth.json", false);
        let environment = Environment::from_iter(variables.iter().copied());
        let home = root.path().join("home");
        let machine = Machine {
            environment: &environment,
            home: Some(&home),
            root: root.path(),
            user_id: Some(user_id),
        };
        let files = files(&machine).unwrap().into_iter();
        files
            .map(|file| {
                let path = file.path.display().to_string();
                let root = root.path().display().to_string();
                (path.replace(&root, ""), file.is_temporary)
            })
            .collect()
    }

    #[test]
    fn the_file_that_login_writes_comes_first() {
        let lasting = ("/home/.config/containers/auth.json".to_owned(), false);
        let temporary = |path: &str| (path.to_owned(), true);
        for (variables, user_id, first) in [
            (
                &[("XDG_RUNTIME_DIR", "/r")][..],
                1000,
                "/r/containers/auth.json",
            ),
            (&[("XDG_RUNTIME_DIR", "/r")], 0, "/r/containers/auth.json"),
            (&[], 1000, "/run/user/1000/containers/auth.json"),
            (&[], 1001, "/run/containers/1001/auth.json"),
            (&[], 0, "/run/containers/0/auth.json"),
        ] {
            let expected = vec![temporary(first), lasting.clone()];
            assert_eq!(paths(variables, user_id), expected, "{variables:?}");
        }
    }

    #[test]
    fn a_file_that_is_named_is_the_only_one() {
        let variables = [
            (FILE, "/f.json"),
            ("XDG_RUNTIME_DIR", "/r"),
            ("DOCKER_CONFIG", "/d"),
        ];
        assert_eq!(paths(&variables, 1000), [("/f.json".to_owned(), false)]);
    }

    #[test]
    fn a_file_of_settings_that_is_not_there_is_not_made() {
        let variables = [("XDG_RUNTIME_DIR", "/r"), ("XDG_CONFIG_HOME", "/none")];
        let expected = [("/r/containers/auth.json".to_owned(), true)];
        assert_eq!(paths(&variables, 1000), expected);
    }

    #[test]
    fn dockers_directory_counts_for_podman_as_well() {
        let variables = [("XDG_RUNTIME_DIR", "/r"), ("DOCKER_CONFIG", "/d")];
        assert_eq!(
            paths(&variables, 1000)[0],
            ("/d/config.json".to_owned(), false)
        );
    }
}
