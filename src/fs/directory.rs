//! A directory that is opened once, so that nobody can put another one in its place while
//! a file in it is replaced.

use std::ffi::OsStr;
use std::fs::File;
use std::fs::TryLockError;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// What the names of new versions begin with while they are written, where the system has
/// no files without a name. Six more characters follow.
const PREFIX: &str = ".docker-credential-icr-";

/// A directory to read, replace and remove files in, by their names alone.
#[derive(Debug)]
pub struct Directory {
    #[cfg(unix)]
    descriptor: std::os::fd::OwnedFd,
    path: PathBuf,
}

impl Directory {
    /// Opens a directory; links on the way to it are followed.
    ///
    /// # Errors
    /// It is not there, or cannot be looked at.
    pub fn open(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        Ok(Self {
            #[cfg(unix)]
            descriptor: unix::open_directory(&path)?,
            path,
        })
    }

    /// Puts a file here whose content and attributes `fill` gives it, in one step: whoever
    /// opens `name` finds the old file or the whole new one. A file that is killed half
    /// written is gone where the system has files without a name (Linux, on most file
    /// systems), and otherwise lies beside the old one.
    ///
    /// `fill` is called again where a file without a name turns out to be none that can
    /// be given one.
    ///
    /// # Errors
    /// Those of `fill`; the file cannot be made, or not put in place; without `replaces`,
    /// there is one of this name already.
    pub fn put<E: From<anyhow::Error>>(
        &self,
        name: &OsStr,
        replaces: bool,
        fill: impl Fn(&File) -> Result<(), E>,
    ) -> Result<(), E> {
        system::put(self, name, replaces, &fill)?;
        // The new name itself is on the disk only with the directory.
        #[cfg(unix)]
        let _ = nix::unistd::fsync(&self.descriptor);
        Ok(())
    }

    /// Opens a file to read it. A link is not followed, and a pipe not waited for.
    ///
    /// # Errors
    /// There is none, or it cannot be opened.
    pub fn read(&self, name: &OsStr) -> io::Result<File> {
        #[cfg(unix)]
        return unix::open_to_read(self, name);
        #[cfg(not(unix))]
        File::open(self.path.join(name))
    }

    /// The new versions that lie here because their writer was killed; those that somebody
    /// is writing now are none.
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

    /// Removes this user's [`Directory::leftovers`], and tells which.
    pub fn remove_leftovers(&self) -> Vec<PathBuf> {
        let mut swept = self.leftovers();
        swept.retain(|path| {
            let name = path.file_name().unwrap_or_default();
            let is_own = self
                .read(name)
                .is_ok_and(|file| super::private::is_own(&file));
            is_own && self.remove(name).is_ok()
        });
        swept
    }

    /// Whoever writes a new version holds its lock meanwhile.
    fn is_held(&self, name: &OsStr) -> bool {
        let attempt = self.read(name).map(|file| file.try_lock());
        matches!(attempt, Ok(Err(TryLockError::WouldBlock)))
    }

    /// Removes a file.
    ///
    /// # Errors
    /// It cannot be removed.
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
        let made = made
            .map_err(|error| anyhow!("nothing can be written in {} ({error})", path.display()))?;
        fill(made.as_file())?;
        let kept = made.persist(path.join(name));
        kept.map_err(|error| anyhow!("it cannot be replaced ({})", error.error))?;
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
    fn a_file_is_put_in_place_whole_or_not_at_all() {
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
        directory.remove(OsStr::new(NAME)).unwrap();
        assert!(names(path.path()).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn where_all_files_have_names_a_new_version_has_another_one_for_a_while() {
        let path = tempfile::tempdir().unwrap();
        let directory = Directory::open(path.path()).unwrap();
        let put = |replaces, text: &'static str| -> anyhow::Result<()> {
            system::put_named(&directory, OsStr::new(NAME), replaces, &|mut file| {
                assert!(directory.leftovers().is_empty(), "somebody writes it");
                anyhow::ensure!(
                    names(path.path())
                        .iter()
                        .any(|name| is_new_version(OsStr::new(name)))
                );
                Ok(file.write_all(text.as_bytes())?)
            })
        };
        put(false, "one").unwrap();
        assert!(put(false, "other").is_err(), "there is one already");
        put(true, "two").unwrap();
        let text = std::fs::read_to_string(path.path().join(NAME)).unwrap();
        assert_eq!((&*text, names(path.path())), ("two", vec![NAME.to_owned()]));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_new_version_has_no_name_until_it_is_whole() {
        let path = tempfile::tempdir().unwrap();
        let directory = Directory::open(path.path()).unwrap();
        if system::has_files_without_names(&directory) {
            let outcome: anyhow::Result<()> = directory.put(OsStr::new(NAME), true, |_| {
                assert!(
                    names(path.path()).is_empty(),
                    "a kill now would leave it there"
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
    fn what_a_killed_writer_left_is_swept_and_nothing_else() {
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
        let mut swept = directory.remove_leftovers();
        swept.sort_unstable();
        let path_of = |name: &str| path.path().canonicalize().unwrap().join(name);
        assert_eq!(swept, left.map(path_of));
        assert_eq!(names(path.path()).len(), 5);
        drop(held);
        assert_eq!(directory.leftovers().len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_is_the_same_when_its_path_leads_elsewhere() {
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
            "no link is followed"
        );
    }
}
