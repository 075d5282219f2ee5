//! A directory that stays open, so that other users cannot swap it while a file in it is
//! replaced.

use std::ffi::OsStr;
use std::fs::File;
use std::fs::TryLockError;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// The prefix of temporary names of new versions, on systems that have no files without a
/// name. Six more characters follow.
const PREFIX: &str = ".docker-credential-icr-";

/// An open directory in which files are read, replaced and deleted by name.
#[derive(Debug)]
pub struct Directory {
    #[cfg(unix)]
    descriptor: std::os::fd::OwnedFd,
    path: PathBuf,
}

impl Directory {
    /// Opens a directory. Follows links.
    ///
    /// # Errors
    /// The directory is missing or cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        Ok(Self {
            #[cfg(unix)]
            descriptor: unix::open_directory(&path)?,
            path,
        })
    }

    /// Creates or replaces a file, with content and attributes from `fill`, in one step: a
    /// reader gets the old file or the complete new one.
    ///
    /// If the process is killed, the incomplete file disappears where the system has files
    /// without a name (Linux, on most file systems). Otherwise, it stays beside the old one.
    ///
    /// `fill` is called a second time if a file without a name cannot be given one.
    ///
    /// # Errors
    /// Those of `fill`; the file cannot be created or renamed; without `replaces`, a file of
    /// this name exists.
    pub fn put<E: From<anyhow::Error>>(
        &self,
        name: &OsStr,
        replaces: bool,
        fill: impl Fn(&File) -> Result<(), E>,
    ) -> Result<(), E> {
        system::put(self, name, replaces, &fill)?;
        // The new name is on the disk only after the directory is.
        #[cfg(unix)]
        let _ = nix::unistd::fsync(&self.descriptor);
        Ok(())
    }

    /// Opens a file for reading. Does not follow links, and does not wait for the writer of a
    /// pipe.
    ///
    /// # Errors
    /// The file is missing or cannot be opened.
    pub fn read(&self, name: &OsStr) -> io::Result<File> {
        #[cfg(unix)]
        return unix::open_to_read(self, name);
        #[cfg(not(unix))]
        File::open(self.path.join(name))
    }

    /// Returns the new versions that killed processes left, without those that are being
    /// written now.
    pub fn leftovers(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.path)
            .into_iter()
            .flatten()
            .flatten();
        let names = entries.map(|entry| entry.file_name());
        let names = names.filter(|name| is_new_version(name) && !self.is_held(name));
        let paths = names.map(|name| self.path.join(name));
        let is_file = |path: &PathBuf| path.symlink_metadata().is_ok_and(|it| it.is_file());
        paths.filter(is_file).collect()
    }

    /// Deletes this user's [`Directory::leftovers`]. Returns their paths.
    pub fn remove_leftovers(&self) -> Vec<PathBuf> {
        let mut deleted = self.leftovers();
        deleted.retain(|path| {
            let name = path.file_name().unwrap_or_default();
            let is_own = self
                .read(name)
                .is_ok_and(|file| super::private::is_own(&file));
            is_own && self.remove(name).is_ok()
        });
        deleted
    }

    /// Returns whether a process is writing this new version: it holds the lock of the file.
    fn is_held(&self, name: &OsStr) -> bool {
        let attempt = self.read(name).map(|file| super::try_lock(&file));
        matches!(attempt, Ok(Err(TryLockError::WouldBlock)))
    }

    /// Deletes a file.
    ///
    /// # Errors
    /// The file cannot be deleted.
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        #[cfg(unix)]
        return unix::remove(self, name);
        #[cfg(not(unix))]
        std::fs::remove_file(self.path.join(name))
    }
}

fn is_new_version(name: &OsStr) -> bool {
    let rest = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
    rest.is_some_and(|rest| rest.len() == 6 && rest.chars().all(char::is_alphanumeric))
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::fs::File;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use nix::fcntl::OFlag;
    use nix::fcntl::open;
    use nix::fcntl::openat;
    use nix::sys::stat::Mode;
    use nix::unistd::UnlinkatFlags;
    use nix::unistd::unlinkat;

    use super::Directory;

    pub(super) fn open_directory(path: &Path) -> io::Result<OwnedFd> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(open(path, flags, Mode::empty())?)
    }

    pub(super) fn open_to_read(directory: &Directory, name: &OsStr) -> io::Result<File> {
        open_in(directory, name, OFlag::O_RDONLY | OFlag::O_NONBLOCK)
    }

    pub(super) fn open_in(directory: &Directory, name: &OsStr, flags: OFlag) -> io::Result<File> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        Ok(File::from(openat(
            &directory.descriptor,
            name,
            flags,
            mode,
        )?))
    }

    pub(super) fn remove(directory: &Directory, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(
            &directory.descriptor,
            name,
            UnlinkatFlags::NoRemoveDir,
        )?)
    }
}

#[cfg(unix)]
mod system;

#[cfg(not(unix))]
mod system {
    use std::ffi::OsStr;
    use std::fs::File;

    use anyhow::anyhow;

    use super::Directory;
    use super::PREFIX;

    pub(super) fn put<E: From<anyhow::Error>>(
        directory: &Directory,
        name: &OsStr,
        _replaces: bool,
        fill: &dyn Fn(&File) -> Result<(), E>,
    ) -> Result<(), E> {
        let path = &directory.path;
        let made = tempfile::Builder::new().prefix(PREFIX).tempfile_in(path);
        let made =
            made.map_err(|error| anyhow!("cannot create a file in {} ({error})", path.display()))?;
        fill(made.as_file())?;
        let kept = made.persist(path.join(name));
        kept.map_err(|error| {
            let reason = format!("it cannot be replaced ({})", error.error);
            anyhow::Error::from(error.error).context(reason)
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::io::Write;

    use super::*;

    const NAME: &str = "config.json";

    fn names(path: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(path).unwrap();
        let name = |entry: io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<String> = entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    }

    fn put(directory: &Directory, replaces: bool, text: &str) -> anyhow::Result<()> {
        directory.put(OsStr::new(NAME), replaces, |mut file| {
            Ok(file.write_all(text.as_bytes())?)
        })
    }

    #[test]
    fn a_file_is_replaced_completely_or_not_at_all() {
        let path = tempfile::tempdir().unwrap();
        let directory = Directory::open(path.path()).unwrap();
        put(&directory, false, "one").unwrap();
        put(&directory, true, "two").unwrap();
        let outcome: anyhow::Result<()> = directory.put(OsStr::new(NAME), true, |mut file| {
            file.write_all(b"half")?;
            anyhow::bail!("no more")
        });
        assert_eq!(outcome.unwrap_err().to_string(), "no more");
        let mut text = String::new();
        let mut file = directory.read(OsStr::new(NAME)).unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "two");
        assert_eq!(names(path.path()), [NAME]);
        // On Windows, a deleted file keeps its name until it is closed.
        drop(file);
        directory.remove(OsStr::new(NAME)).unwrap();
        assert!(names(path.path()).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn where_all_files_have_names_a_new_version_has_a_temporary_one() {
        let path = tempfile::tempdir().unwrap();
        let directory = Directory::open(path.path()).unwrap();
        let put = |replaces, text: &'static str| -> anyhow::Result<()> {
            system::put_named(&directory, OsStr::new(NAME), replaces, &|mut file| {
                assert!(directory.leftovers().is_empty(), "it is being written");
                anyhow::ensure!(
                    names(path.path())
                        .iter()
                        .any(|name| is_new_version(OsStr::new(name)))
                );
                Ok(file.write_all(text.as_bytes())?)
            })
        };
        put(false, "one").unwrap();
        assert!(put(false, "other").is_err(), "it exists already");
        put(true, "two").unwrap();
        let text = std::fs::read_to_string(path.path().join(NAME)).unwrap();
        assert_eq!((&*text, names(path.path())), ("two", vec![NAME.to_owned()]));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_new_version_has_no_name_until_it_is_complete() {
        let path = tempfile::tempdir().unwrap();
        let directory = Directory::open(path.path()).unwrap();
        if system::has_files_without_names(&directory) {
            let outcome: anyhow::Result<()> = directory.put(OsStr::new(NAME), true, |_| {
                assert!(
                    names(path.path()).is_empty(),
                    "if the process is killed, nothing remains"
                );
                Ok(())
            });
            outcome.unwrap();
            let error = put(&directory, false, "").unwrap_err();
            let error = error.downcast_ref::<io::Error>().unwrap();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_files_that_a_killed_writer_left_are_deleted() {
        let path = tempfile::tempdir().unwrap();
        let at = |name: &str| path.path().join(name);
        let left = [
            ".docker-credential-icr-Ab12Cd",
            ".docker-credential-icr-zzzzzz",
        ];
        let others = [
            ".docker-credential-icr-",
            ".docker-credential-icr-Ab12Cd.json",
            NAME,
        ];
        for name in left.iter().chain(&others) {
            std::fs::write(at(name), "").unwrap();
        }
        std::os::unix::fs::symlink(NAME, at(".docker-credential-icr-links1")).unwrap();
        let held = File::create(at(".docker-credential-icr-isheld")).unwrap();
        held.lock().unwrap();
        let directory = Directory::open(path.path()).unwrap();
        let mut deleted = directory.remove_leftovers();
        deleted.sort_unstable();
        let path_of = |name: &str| path.path().canonicalize().unwrap().join(name);
        assert_eq!(deleted, left.map(path_of));
        assert_eq!(names(path.path()).len(), 5);
        drop(held);
        assert_eq!(directory.leftovers().len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn an_open_directory_stays_the_same_when_its_path_changes() {
        let path = tempfile::tempdir().unwrap();
        let inside = path.path().join("inside");
        std::fs::create_dir(&inside).unwrap();
        let directory = Directory::open(&inside).unwrap();
        std::fs::rename(&inside, path.path().join("moved")).unwrap();
        std::os::unix::fs::symlink("/nonexistent", &inside).unwrap();
        put(&directory, true, "text").unwrap();
        assert_eq!(names(&path.path().join("moved")), [NAME]);
        std::os::unix::fs::symlink(NAME, path.path().join("moved/link")).unwrap();
        assert!(
            directory.read(OsStr::new("link")).is_err(),
            "links are not followed"
        );
    }
}
