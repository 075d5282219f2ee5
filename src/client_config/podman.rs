//! The files of podman, buildah and skopeo (`containers/image`,
//! `pkg/docker/config/config.go`; `containers/common`, `pkg/auth/auth.go`).
//!
//! `podman login` writes one of these files and uses a helper only if this same file names
//! it. Otherwise it writes the password to the file in plain text, and that password takes
//! precedence over the helpers in all other files.

use std::path::Path;
use std::path::PathBuf;

use toml::de::DeTable;

use super::Client;
use super::ClientFile;
use super::MAX_SETTINGS_SIZE;
use super::Machine;
use super::conf_files;
use super::docker;
use super::json::HELPER;
use super::json::HelperName;
use super::variable;
use crate::error::Error;
use crate::error::Result;
use crate::fs;

/// The variable with the path of the file; if it is set, podman reads no other file.
pub const FILE: &str = "REGISTRY_AUTH_FILE";

/// The variable with the runtime directory, which the system empties when the user logs out.
pub(super) const RUNTIME_DIRECTORY: &str = "XDG_RUNTIME_DIR";

/// The variable with the directory for temporary files.
pub(super) const TEMPORARY_DIRECTORY: &str = "TMPDIR";

/// The variable with the configuration directory.
pub(super) const CONFIG_DIRECTORY: &str = "XDG_CONFIG_HOME";

/// The path of the file in either directory.
const AUTH_FILE: &str = "containers/auth.json";

/// The file that stays, relative to the home directory.
pub const PERSISTENT_FILE: &str = ".config/containers/auth.json";

/// The parent of all users' runtime directories. Podman looks here if the variable is not
/// set.
const RUNTIME_DIRECTORIES: &str = "run/user";

/// The variable with the path of `registries.conf`.
pub(super) const REGISTRIES_FILE: &str = "CONTAINERS_REGISTRIES_CONF";

/// `registries.conf`, and the directory with files that override parts of it. Both are in
/// `/etc` and in `~/.config`; podman ignores `$XDG_CONFIG_HOME` here
/// (`containers-registries.conf(5)` and `.conf.d(5)`; tried with podman 4.3.1).
const REGISTRIES: [&str; 2] = ["containers/registries.conf", "containers/registries.conf.d"];

/// The entry in the list of helpers that means the files with logins.
const AUTH_FILES: &str = "containers-auth.json";

/// The file of docker before 1.7, which podman still reads after all others. It is a map of
/// hosts, like `auths`.
const LEGACY_FILE: &str = ".dockercfg";

/// The helpers for all registries: `credential-helpers` in `registries.conf`.
#[derive(Debug, Eq, PartialEq)]
pub struct GlobalHelpers {
    /// The file that lists them.
    pub path: PathBuf,
    names: Vec<String>,
}

impl GlobalHelpers {
    /// Returns the list of the last file that has one.
    pub fn of(machine: &Machine<'_>) -> Option<Self> {
        let files = registries_files(machine).into_iter().rev();
        let mut named = files.filter_map(|path| {
            let text = fs::read_regular(&path, MAX_SETTINGS_SIZE).ok()?;
            let names = helpers_in(&text)?;
            Some(Self { path, names })
        });
        named.next()
    }

    fn position(&self, helper: &str) -> Option<usize> {
        self.names.iter().position(|name| name == helper)
    }

    /// Returns whether the list contains this program.
    pub fn include_this_program(&self) -> bool {
        self.position(HELPER).is_some()
    }

    /// Returns the name of this program in the list if podman does not find it.
    pub fn misspelled(&self) -> Option<&str> {
        let mut names = self.names.iter().map(String::as_str);
        names.find(|name| matches!(HelperName::of(name), HelperName::Misspelled(_)))
    }

    /// Returns whether podman still reads the logins in files.
    pub fn include_files(&self) -> bool {
        self.position(AUTH_FILES).is_some()
    }

    /// Returns whether `podman login` gives a password to this program instead of writing it
    /// to a file.
    pub fn prefer_this_program(&self) -> bool {
        let files = self.position(AUTH_FILES).unwrap_or(usize::MAX);
        self.position(HELPER).is_some_and(|us| us < files)
    }
}

/// Returns the list of helpers in the text of a `registries.conf`, if it has one.
fn helpers_in(text: &str) -> Option<Vec<String>> {
    let settings = DeTable::parse(text).ok()?;
    let helpers = settings.get_ref().get("credential-helpers")?;
    let helpers = helpers.get_ref().as_array()?.iter();
    let names = helpers.filter_map(|helper| helper.get_ref().as_str());
    Some(names.map(str::to_owned).collect())
}

/// Returns all files with settings for registries; later ones take precedence.
pub(super) fn registries_files(machine: &Machine<'_>) -> Vec<PathBuf> {
    let [file, directory] = REGISTRIES;
    let system = machine.root.join("etc");
    let own = machine.home.map(|home| home.join(".config"));
    let named = machine.path(REGISTRIES_FILE).ok().flatten();
    let own_file = own.as_ref().map(|own| own.join(file));
    let own_file = own_file.filter(|path| named.is_none() && path.exists());
    // The user's file replaces the system's file and the files that override parts of it.
    let directories = match &own_file {
        Some(_) => vec![own],
        None => vec![Some(system.clone()), own],
    };
    let main = named.or(own_file).unwrap_or_else(|| system.join(file));
    let overriding = directories.into_iter().flatten();
    let overriding = overriding.flat_map(|settings| conf_files(&settings.join(directory)));
    [main].into_iter().chain(overriding).collect()
}

/// Returns the file in `$REGISTRY_AUTH_FILE`.
///
/// # Errors
/// It is a directory, or a name that a shell should have expanded.
pub fn named_file(machine: &Machine<'_>) -> Result<Option<PathBuf>> {
    variable::file(machine, FILE)
}

/// Returns the path of `~/.dockercfg`, which need not exist.
pub fn legacy_file(machine: &Machine<'_>) -> Option<PathBuf> {
    Some(machine.home?.join(LEGACY_FILE))
}

/// Returns the file that `podman login` writes, because without the helper in it the password
/// is written to it. Without `$REGISTRY_AUTH_FILE`, this file is lost when the runtime
/// directory is emptied, so the next one that podman reads is returned as well: the one in the
/// configuration directory, unless this user cannot create it (containers without a home).
/// Most versions of podman write to `$DOCKER_CONFIG/config.json` if that variable is set.
pub(super) fn files(machine: &Machine<'_>) -> Result<Vec<ClientFile>> {
    let file = |path, is_temporary| ClientFile {
        client: Client::Podman,
        path,
        is_temporary,
        with_port: false,
    };
    if let Some(path) = named_file(machine)? {
        return Ok(vec![file(path, false)]);
    }
    let mut files = Vec::new();
    if let Some(directory) = docker::directory(machine)? {
        files.push(file(directory.join(docker::FILE), false));
    }
    let persistent = persistent_file(machine)?;
    if cfg!(target_os = "linux") {
        let temporary = temporary_files(machine)?.into_iter();
        files.extend(temporary.map(|path| file(path, true)));
        let persistent = persistent.filter(|path| path.exists() || fs::may_create(path));
        files.extend(persistent.map(|path| file(path, false)));
    } else {
        files.extend(persistent.map(|path| file(path, false)));
    }
    Ok(files)
}

/// Returns the files of podman, buildah and skopeo that are lost at the end of a session or at a
/// reboot: `$XDG_RUNTIME_DIR/containers/auth.json`; without the variable, those in the
/// directories that podman creates and in the one of buildah and skopeo.
///
/// # Errors
/// The runtime directory belongs to another user, as after `su` without `-`.
fn temporary_files(machine: &Machine<'_>) -> Result<Vec<PathBuf>> {
    if let Some(directory) = machine.path(RUNTIME_DIRECTORY)? {
        if is_of_another_user(&directory) {
            return Err(Error::user(format!(
                "podman cannot use {}: ${RUNTIME_DIRECTORY} belongs to another user",
                directory.display()
            ))
            .with_hint(format!(
                "Unset {RUNTIME_DIRECTORY}, or set {FILE} to a file of this user"
            )));
        }
        return Ok(vec![directory.join(AUTH_FILE)]);
    }
    let (in_session, without_session) = directories_of_user(machine)?;
    let containers = containers_directory(machine);
    if machine.user_id.unwrap_or_default() == 0 {
        return Ok(vec![containers.join("auth.json")]);
    }
    if is_private_directory(&in_session) {
        return Ok(vec![in_session.join(AUTH_FILE)]);
    }
    let usable = without_session
        .into_iter()
        .filter(|path| !fs::entry_exists(path) || is_private_directory(path));
    let mut files: Vec<PathBuf> = usable.map(|path| path.join(AUTH_FILE)).collect();
    files.extend(Some(containers.join("auth.json")).filter(|_| is_private_directory(&containers)));
    if files.is_empty() {
        return Err(Error::user(
            "podman has no directory for its logins: other users own those in the directory for temporary files",
        )
        .with_hint(format!("Set {FILE} to a file of this user")));
    }
    Ok(files)
}

/// Returns the directories that podman chooses for a user without `$XDG_RUNTIME_DIR`: the one of
/// the session, and those that it creates if there is none (`containers/storage`,
/// `pkg/homedir/homedir_unix.go`; podman 4: `pkg/util`, tried with podman 4.3.1).
fn directories_of_user(machine: &Machine<'_>) -> Result<(PathBuf, [PathBuf; 2])> {
    let user_id = machine.user_id.unwrap_or_default();
    let temporary = machine.path(TEMPORARY_DIRECTORY)?;
    let temporary = temporary.unwrap_or_else(|| machine.root.join("tmp"));
    let session = machine.root.join(RUNTIME_DIRECTORIES);
    let created = ["storage-run", "podman-run"];
    Ok((
        session.join(user_id.to_string()),
        created.map(|name| temporary.join(format!("{name}-{user_id}"))),
    ))
}

/// Returns the runtime directory of this user's session, if the system has created it.
pub(super) fn session_directory(machine: &Machine<'_>) -> Option<PathBuf> {
    let user_id = machine.user_id?.to_string();
    let directory = machine.root.join(RUNTIME_DIRECTORIES).join(user_id);
    is_private_directory(&directory).then_some(directory)
}

/// Returns the directory of buildah and skopeo, and of podman for root, without
/// `$XDG_RUNTIME_DIR`.
fn containers_directory(machine: &Machine<'_>) -> PathBuf {
    let user_id = machine.user_id.unwrap_or_default().to_string();
    machine.root.join("run/containers").join(user_id)
}

/// Returns whether a path is a directory of this user that other users cannot change, as podman
/// requires.
#[cfg(unix)]
fn is_private_directory(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let own = nix::unistd::Uid::effective().as_raw();
    let metadata = path.symlink_metadata();
    metadata.is_ok_and(|it| it.is_dir() && it.uid() == own && it.mode() & 0o722 == 0o700)
}

#[cfg(not(unix))]
fn is_private_directory(path: &Path) -> bool {
    path.is_dir()
}

#[cfg(unix)]
fn is_of_another_user(directory: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let own = nix::unistd::Uid::effective();
    !own.is_root() && matches!(directory.metadata(), Ok(it) if it.uid() != own.as_raw())
}

#[cfg(not(unix))]
fn is_of_another_user(_directory: &Path) -> bool {
    false
}

/// Returns the files that [`files`] may return if other files or rights exist: the persistent
/// one, and the one in each possible runtime directory.
pub(super) fn further_files(machine: &Machine<'_>) -> Result<Vec<PathBuf>> {
    let (in_session, without_session) = directories_of_user(machine)?;
    let named = machine.path(RUNTIME_DIRECTORY)?;
    let directories = named.into_iter().chain([in_session]);
    let directories = directories.chain(without_session);
    let mut files: Vec<PathBuf> = directories.map(|path| path.join(AUTH_FILE)).collect();
    files.push(containers_directory(machine).join("auth.json"));
    files.extend(persistent_file(machine)?);
    Ok(files)
}

/// Returns `~/.config/containers/auth.json`. Podman reads `$XDG_CONFIG_HOME` only on Linux.
fn persistent_file(machine: &Machine<'_>) -> Result<Option<PathBuf>> {
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
    use std::slice;

    use super::*;
    use crate::environment::Environment;

    fn paths(variables: &[(&str, &str)], user_id: u32) -> Vec<(String, bool)> {
        let root = tempfile::tempdir().unwrap();
        let make = |path: &str, is_directory: bool| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            if is_directory {
                crate::fs::create_directory(&path).unwrap();
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
            (&[], 0, "/run/containers/0/auth.json"),
        ] {
            let expected = vec![temporary(first), lasting.clone()];
            assert_eq!(paths(variables, user_id), expected, "{variables:?}");
        }
    }

    #[test]
    fn without_a_runtime_directory_podman_creates_one() {
        for (variables, directory) in [(&[][..], "/tmp"), (&[("TMPDIR", "/none")], "/none")] {
            let found = paths(variables, 1001);
            let path = |name: &str| {
                (
                    format!("{directory}/{name}-1001/containers/auth.json"),
                    true,
                )
            };
            assert_eq!(found[..2], ["storage-run", "podman-run"].map(path));
        }
    }

    #[test]
    fn the_last_registries_file_decides_which_helpers_serve_all_registries() {
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
                helpers.include_this_program(),
                helpers.include_files(),
                helpers.prefer_this_program(),
            );
            assert_eq!(said, (us, files, first), "{file}");
        }
        let own = home.join(".config/containers/registries.conf");
        std::fs::write(&own, "credential-helpers = [\"pass\"]").unwrap();
        std::fs::remove_dir_all(home.join(".config/containers/registries.conf.d")).unwrap();
        assert!(
            !helpers().unwrap().include_this_program(),
            "the system's files are ignored"
        );
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
    fn the_file_in_the_variable_is_the_only_one() {
        let variables = [
            (FILE, "/f.json"),
            ("XDG_RUNTIME_DIR", "/r"),
            ("DOCKER_CONFIG", "/d"),
        ];
        assert_eq!(paths(&variables, 1000), [("/f.json".to_owned(), false)]);
    }

    #[test]
    fn a_persistent_file_that_this_user_cannot_create_is_not_listed() {
        let runtime = ("XDG_RUNTIME_DIR", "/r");
        let temporary = ("/r/containers/auth.json".to_owned(), true);
        assert_eq!(
            paths(&[runtime, ("XDG_CONFIG_HOME", "/proc/version")], 1000),
            slice::from_ref(&temporary)
        );
        let new = tempfile::tempdir().unwrap();
        let new = new.path().display().to_string();
        let lasting = (format!("{new}/containers/auth.json"), false);
        assert_eq!(
            paths(&[runtime, ("XDG_CONFIG_HOME", &new)], 1000),
            [temporary, lasting]
        );
    }

    #[test]
    fn podman_also_uses_dockers_directory() {
        let variables = [("XDG_RUNTIME_DIR", "/r"), ("DOCKER_CONFIG", "/d")];
        assert_eq!(
            paths(&variables, 1000)[0],
            ("/d/config.json".to_owned(), false)
        );
    }
}
