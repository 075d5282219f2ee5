//! Replacing a file on Unix, by descriptor: with files without a name, if the system has them.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::fcntl::OFlag;
use nix::fcntl::renameat;
use nix::unistd::linkat;

use super::Directory;
use super::PREFIX;
use super::unix;

pub(super) fn put<E: From<anyhow::Error>>(
    directory: &Directory,
    name: &OsStr,
    replaces: bool,
    fill: &dyn Fn(&File) -> Result<(), E>,
) -> Result<(), E> {
    #[cfg(target_os = "linux")]
    if let Some(file) = linux::open_without_name(directory) {
        fill(&file)?;
        match linux::place(directory, &file, name, replaces) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(anyhow::Error::from(error).into());
            }
            // Some file systems create such files but cannot name them.
            Err(_) => {}
        }
    }
    put_named(directory, name, replaces, fill)
}

/// Replaces a file by one with a temporary name, for file systems without nameless files.
pub(super) fn put_named<E: From<anyhow::Error>>(
    directory: &Directory,
    name: &OsStr,
    replaces: bool,
    fill: &dyn Fn(&File) -> Result<(), E>,
) -> Result<(), E> {
    let made = TemporaryName::create(directory, |name| {
        unix::open_in(
            directory,
            name,
            OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL,
        )
    });
    let (named, file) = made.map_err(|error| unwritable(directory, error))?;
    let _ = crate::fs::try_lock(&file);
    fill(&file)?;
    match named.give_name(name, replaces) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(anyhow::Error::from(error).into())
        }
        given => given.map_err(|error| {
            let error = anyhow::Error::from(error);
            error.context("it cannot be replaced").into()
        }),
    }
}

fn unwritable(directory: &Directory, error: io::Error) -> anyhow::Error {
    let context = format!("cannot create a file in {}", directory.path.display());
    // `tempfile` adds the path of its own name to the error.
    let error = match error.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number),
        None => error.kind().into(),
    };
    anyhow::Error::from(error).context(context)
}

/// A temporary name, which is deleted on drop unless the file gets another name.
struct TemporaryName<'a> {
    directory: &'a Directory,
    name: OsString,
}

impl<'a> TemporaryName<'a> {
    /// Calls `create` with unused names until one can be created.
    fn create<T>(
        directory: &'a Directory,
        create: impl Fn(&OsStr) -> io::Result<T>,
    ) -> io::Result<(Self, T)> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX).disable_cleanup(true);
        // Only the generated name is used, not the path.
        let made = builder.make_in("/", |path| create(path.file_name().unwrap_or_default()))?;
        let (made, path) = made.into_parts();
        let name = Path::new(&path).file_name().unwrap_or_default().to_owned();
        Ok((Self { directory, name }, made))
    }

    /// Gives the file its name. A link fails if that exists, a rename replaces it. Some file
    /// systems have no links.
    fn give_name(self, name: &OsStr, replaces: bool) -> io::Result<()> {
        let descriptor = &self.directory.descriptor;
        if !replaces {
            let (own, flags) = (self.name.as_os_str(), AtFlags::empty());
            match linkat(descriptor, own, descriptor, name, flags) {
                Ok(()) => return Ok(()),
                Err(Errno::EEXIST) => return Err(Errno::EEXIST.into()),
                Err(_) => {}
            }
        }
        renameat(descriptor, self.name.as_os_str(), descriptor, name)?;
        std::mem::forget(self);
        Ok(())
    }
}

impl Drop for TemporaryName<'_> {
    fn drop(&mut self) {
        let _ = self.directory.remove(&self.name);
    }
}

#[cfg(all(target_os = "linux", test))]
pub(super) fn has_files_without_names(directory: &Directory) -> bool {
    linux::open_without_name(directory).is_some()
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::OsStr;
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd;
    use std::path::PathBuf;

    use nix::fcntl::AT_FDCWD;
    use nix::fcntl::AtFlags;
    use nix::fcntl::OFlag;
    use nix::unistd::linkat;

    use super::TemporaryName;
    use crate::fs::Directory;
    use crate::fs::directory::unix;

    /// Creates a file without a name, which disappears when it is closed; `None` if the system
    /// has none, or has no `/proc`, through which it gets its name (`open(2)`, `O_TMPFILE`).
    pub(super) fn open_without_name(directory: &Directory) -> Option<File> {
        let flags = OFlag::O_RDWR | OFlag::O_TMPFILE;
        let file = unix::open_in(directory, OsStr::new("."), flags).ok()?;
        let _ = crate::fs::try_lock(&file);
        path_of(&file).exists().then_some(file)
    }

    fn path_of(file: &File) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
    }

    fn link(directory: &Directory, file: &File, name: &OsStr) -> io::Result<()> {
        let flags = AtFlags::AT_SYMLINK_FOLLOW;
        Ok(linkat(
            AT_FDCWD,
            &path_of(file),
            &directory.descriptor,
            name,
            flags,
        )?)
    }

    /// Gives a file its name. Links cannot replace a file, so a replacement gets a temporary
    /// name first.
    pub(super) fn place(
        directory: &Directory,
        file: &File,
        name: &OsStr,
        replaces: bool,
    ) -> io::Result<()> {
        if !replaces {
            return link(directory, file, name);
        }
        let (named, ()) = TemporaryName::create(directory, |name| link(directory, file, name))?;
        named.give_name(name, replaces)
    }
}
