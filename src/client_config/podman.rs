//! The files of podman, buildah and skopeo (`containers/image`,
//! `pkg/docker/config/config.go`; `containers/common`, `pkg/auth/auth.go`).
//!
//! `login` writes one of them, and asks a helper only if that one names it:
//! otherwise it leaves the password there in clear, before all helpers that are
//! named in the others.

use std::path::Path;
use std::path::PathBuf;

use toml::de::DeTable;

use super::Client;
use super::ClientFile;
use super::Machine;
use super::docker;
use super::json::HELPER;
use crate::error::Result;
use crate::fs;

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

/// Names the file of settings for registries.
const REGISTRIES_FILE: &str = "CONTAINERS_REGISTRIES_CONF";

/// That file, and the directory of those that change it, in `/etc` and in the user's
/// `~/.config`, wherever the variable for that points
/// (`containers-registries.conf(5)` and `.conf.d(5)`; tried with podman 4.3.1).
const REGISTRIES: [&str; 2] = ["containers/registries.conf", "containers/registries.conf.d"];

/// The most that is read of a file of settings, in bytes.
const LIMIT: u64 = 1024 * 1024;

/// Stands for the files with logins in the list of helpers.
const AUTH_FILES: &str = "containers-auth.json";

/// A file of docker before 1.7, which podman still reads, after all others: a map of
/// hosts, as `auths` is.
const LEGACY_FILE: &str = ".dockercfg";

/// The helpers that are asked for every registry, in the settings for registries.
#[derive(Debug, Eq, PartialEq)]
pub struct GlobalHelpers {
    /// The file that says so.
    pub path: PathBuf,
    names: Vec<String>,
}

impl GlobalHelpers {
    /// Whoever is asked for every registry, if anybody is named: the last file that
    /// says something counts.
    pub fn of(machine: &Machine<'_>) -> Option<Self> {
        let files = registries_files(machine).into_iter().rev();
        let mut named = files.filter_map(|path| {
            let text = fs::read_regular(&path, LIMIT).ok()?;
            let names = helpers_in(&text)?;
            Some(Self { path, names })
        });
        named.next()
    }

    fn position(&self, helper: &str) -> Option<usize> {
        self.names.iter().position(|name| name == helper)
    }

    /// Whether this program is among them.
    pub fn name_us(&self) -> bool {
        self.position(HELPER).is_some()
    }

    /// Whether logins in files are still read.
    pub fn name_files(&self) -> bool {
        self.position(AUTH_FILES).is_some()
    }

    /// Whether `login` gives a password to this program before it writes a file.
    pub fn name_us_first(&self) -> bool {
        let files = self.position(AUTH_FILES).unwrap_or(usize::MAX);
        self.position(HELPER).is_some_and(|us| us < files)
    }
}

/// The list of helpers in a file of settings, if there is one.
fn helpers_in(text: &str) -> Option<Vec<String>> {
    let settings = DeTable::parse(text).ok()?;
    let helpers = settings.get_ref().get("credential-helpers")?;
    let helpers = helpers.get_ref().as_array()?.iter();
    let names = helpers.filter_map(|helper| helper.get_ref().as_str());
    Some(names.map(str::to_owned).collect())
}

/// Every file of settings for registries, the one that counts least first.
fn registries_files(machine: &Machine<'_>) -> Vec<PathBuf> {
    let [file, directory] = REGISTRIES;
    let system = machine.root.join("etc");
    let own = machine.home.map(|home| home.join(".config"));
    let named = machine.path(REGISTRIES_FILE).ok().flatten();
    let own_file = own.as_ref().map(|own| own.join(file));
    let own_file = own_file.filter(|path| named.is_none() && path.exists());
    // The user's file takes the place of the system's, and of what changes that.
    let directories = match &own_file {
        Some(_) => vec![own],
        None => vec![Some(system.clone()), own],
    };
    let main = named.or(own_file).unwrap_or_else(|| system.join(file));
    let changing = directories.into_iter().flatten();
    let changing = changing.flat_map(|settings| in_directory(&settings.join(directory)));
    [main].into_iter().chain(changing).collect()
}

/// The files of a directory that are read, in their order.
fn in_directory(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|it| it == "conf"))
        .collect();
    paths.sort_unstable();
    paths
}

/// `~/.dockercfg`, whether or not it is there.
pub fn legacy_file(machine: &Machine<'_>) -> Option<PathBuf> {
    Some(machine.home?.join(LEGACY_FILE))
}

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
    if number != "0" && own.is_dir() {
        return Ok(own.join(AUTH_FILE));
    }
    let containers = machine.root.join("run/containers");
    Ok(containers.join(number).join("auth.json"))
}

/// The files that [`files`] names when other variables and files are not there: the
/// lasting one, and every place of a user's runtime directory.
pub(super) fn further_files(machine: &Machine<'_>) -> Result<Vec<PathBuf>> {
    let number = machine.user_id.unwrap_or_default().to_string();
    let run = machine.root.join(RUNTIME_DIRECTORIES).join(&number);
    let containers = machine.root.join("run/containers").join(number);
    let mut files = vec![
        temporary(machine)?,
        run.join(AUTH_FILE),
        containers.join("auth.json"),
    ];
    files.extend(lasting(machine)?);
    Ok(files)
}

/// `~/.config/containers/auth.json`. Only on Linux the variable counts.
fn lasting(machine: &Machine<'_>) -> Result<Option<PathBuf>> {
    let named = if cfg!(target_os = "linux") {
        machine.path(CONFIG_DIRECTORY)?
    } else {
        None
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
            if is_directory {
                std::fs::create_dir(path).unwrap();
            } else {
                std::fs::write(path, "{}").unwrap();
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
    fn the_last_settings_for_registries_say_which_helpers_are_asked_for_all() {
        let root = tempfile::tempdir().unwrap();
        let environment = Environment::default();
        let home = root.path().join("home");
        let machine = Machine {
            environment: &environment,
            home: Some(&home),
            root: root.path(),
            user_id: None,
        };
        let helpers = || GlobalHelpers::of(&machine);
        assert_eq!(helpers(), None);
        let icr = r#"["icr"]"#;
        for (file, names, (us, files, first)) in [
            ("etc/containers/registries.conf", icr, (true, false, true)),
            (
                "etc/containers/registries.conf.d/1.conf",
                r#"["containers-auth.json", "icr"]"#,
                (true, true, false),
            ),
            (
                "etc/containers/registries.conf.d/2.conf",
                "[]",
                (false, false, false),
            ),
            (
                "home/.config/containers/registries.conf.d/1.conf",
                r#"["icr", "containers-auth.json"]"#,
                (true, true, true),
            ),
            (
                "home/.config/containers/registries.conf.d/2.other",
                "[]",
                (true, true, true),
            ),
        ] {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(
                &path,
                format!("credential-helpers = {names}\n[[registry]]\n"),
            )
            .unwrap();
            let helpers = helpers().unwrap();
            let said = (
                helpers.name_us(),
                helpers.name_files(),
                helpers.name_us_first(),
            );
            assert_eq!(said, (us, files, first), "{file}");
        }
        let own = home.join(".config/containers/registries.conf");
        std::fs::write(&own, "credential-helpers = [\"pass\"]").unwrap();
        std::fs::remove_dir_all(home.join(".config/containers/registries.conf.d")).unwrap();
        assert!(!helpers().unwrap().name_us(), "the system's do not count");
        let named = root.path().join("named.conf");
        std::fs::write(&named, "credential-helpers = [\"icr\"]").unwrap();
        std::fs::remove_dir_all(root.path().join("etc")).unwrap();
        let environment = Environment::from_iter([(REGISTRIES_FILE, &named)]);
        let machine = Machine {
            environment: &environment,
            ..machine
        };
        assert_eq!(GlobalHelpers::of(&machine).unwrap().path, named);
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
