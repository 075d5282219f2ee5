//! This program's own file for podman, buildah and skopeo of all users.
//!
//! They read no file with logins or helpers of the system: `/etc/containers/auth.json` was proposed
//! twice and not merged (`containers/image`, pull requests 1746 and 2600). What they read for all
//! users is the list `credential-helpers` in `registries.conf` and the files that override parts of
//! it. Helpers in it are asked for each registry; this one answers "not found" for those of others.

use std::ffi::OsStr;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use super::Machine;
use super::podman::GlobalHelpers;
use crate::fs;
use crate::fs::Directory;

/// The file, relative to the root directory.
const FILE: &str = "etc/containers/registries.conf.d/docker-credential-icr.conf";

/// The content. This program comes first, because `podman login` gives a password to the first
/// helper that takes it, and would otherwise write it unencrypted to `auth.json`.
pub const TEXT: &str = "\
# Podman, Buildah and Skopeo of all users get credentials for IBM Cloud registries
# from docker-credential-icr. Without that program they cannot pull at all. Before
# you remove it, run: docker-credential-icr configure --system --undo
credential-helpers = [\"icr\", \"containers-auth.json\"]
";

/// What the system's settings of podman say about this program.
#[derive(Debug, Eq, PartialEq)]
pub enum ListState {
    /// The file with this path lists this program.
    Configured(PathBuf),
    /// No file has a list.
    Missing,
    /// The file with this path has a list without this program, which another list would replace.
    Others(PathBuf),
}

/// Returns the path of the file.
pub fn path(machine: &Machine<'_>) -> PathBuf {
    machine.root.join(FILE)
}

/// Returns whether podman uses this program for all users of a machine without settings of their
/// own.
pub fn state(machine: &Machine<'_>) -> ListState {
    match GlobalHelpers::of(machine) {
        None => ListState::Missing,
        Some(helpers) if helpers.include_this_program() => ListState::Configured(helpers.path),
        Some(helpers) => ListState::Others(helpers.path),
    }
}

/// Writes the file, which all users can read. Returns the directories that were created for it.
///
/// # Errors
/// It exists, or cannot be written.
pub fn write(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let directory = path.parent().unwrap_or(path);
    let created = fs::create_directories_for_all(directory)?;
    let name = path.file_name().unwrap_or(OsStr::new(FILE));
    Directory::open(directory)?.put(name, false, |mut file| {
        file.write_all(TEXT.as_bytes())?;
        fs::allow_all_users(file, 0o644)?;
        Ok::<_, anyhow::Error>(file.sync_all()?)
    })?;
    Ok(created)
}

/// Returns the text of the file; `None` if it does not exist.
///
/// # Errors
/// It cannot be read.
pub fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        _ => fs::read_regular(path, super::MAX_SETTINGS_SIZE).map(Some),
    }
}

/// Deletes the file, and those of the directories created for it that are empty then.
///
/// # Errors
/// The file cannot be deleted.
pub fn remove(path: &Path, created: &[PathBuf]) -> io::Result<()> {
    std::fs::remove_file(path)?;
    for directory in path.ancestors().skip(1) {
        if !created.iter().any(|it| it == directory) || std::fs::remove_dir(directory).is_err() {
            break;
        }
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::environment::Environment;

    #[test]
    fn the_written_file_is_the_list_that_podman_reads() {
        let root = tempfile::tempdir().unwrap();
        let environment = Environment::default();
        let machine = Machine::without_user(&environment, root.path());
        assert_eq!(state(&machine), ListState::Missing);
        let path = path(&machine);
        assert_eq!(read(&path).unwrap(), None);
        let created = write(&path).unwrap();
        assert_eq!(created.last().map(PathBuf::as_path), path.parent());
        assert_eq!(state(&machine), ListState::Configured(path.clone()));
        assert_eq!(read(&path).unwrap().as_deref(), Some(TEXT));
        for (path, mode) in [(&*path, 0o644), (path.parent().unwrap(), 0o755)] {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, mode);
        }
        assert!(write(&path).is_err(), "it is not replaced");
        let other = path.with_file_name("x.conf");
        std::fs::write(&other, "credential-helpers = [\"other\"]").unwrap();
        assert_eq!(state(&machine), ListState::Others(other.clone()));
        remove(&path, &created).unwrap();
        assert!(other.exists(), "its directory is not empty");
        std::fs::remove_file(other).unwrap();
        write(&path).unwrap();
        remove(&path, &created[1..]).unwrap();
        assert!(!path.parent().unwrap().exists());
        assert!(root.path().join("etc").exists(), "it was there before");
        assert_eq!(read(&path).unwrap(), None);
    }
}
