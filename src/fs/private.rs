//! The program's own files and directories, which only this user can access.
//!
//! Other users may know the paths and can create anything below a directory that all users
//! can write to. So links are not followed, pipes not waited for, other users' files not
//! used, and existing content not overwritten.

use std::ffi::OsStr;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use anyhow::Context;
use anyhow::ensure;

use super::act_as_owner;
use super::denied;
use super::denied::Access;
use crate::PROGRAM;

/// What to do if a file is missing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Missing {
    /// Create it.
    Create,
    /// Return an error.
    Fail,
}

/// Creates a directory, and the missing ones above it, that only this user can access, whatever
/// the umask. Also makes existing directories private, from the program's own one downwards.
///
/// # Errors
/// The directory cannot be created, is a link, or belongs to another user.
pub fn create_private_directories(path: &Path) -> anyhow::Result<()> {
    let _rights = act_as_owner(path)?;
    let mut ancestors: Vec<&Path> = path.ancestors().collect();
    ancestors.reverse();
    for directory in ancestors {
        // Above the own directory, links are allowed, so this follows them.
        if !directory.as_os_str().is_empty() && directory.metadata().is_err() {
            match create_directory(directory) {
                // Another process created it.
                Err(_) if directory.is_dir() => {}
                outcome => {
                    outcome.with_context(|| format!("cannot create {}", directory.display()))?
                }
            }
        }
    }
    let is_above = |path: &&Path| path.file_name() != Some(OsStr::new(PROGRAM));
    let has_own = path.ancestors().any(|path| !is_above(&path));
    let mut own: Vec<&Path> = path.ancestors().take_while(is_above).collect();
    if has_own {
        own.extend(path.ancestors().nth(own.len()));
    } else {
        own.truncate(1);
    }
    for directory in own {
        close_to_others(directory).with_context(|| directory.display().to_string())?;
    }
    Ok(())
}

/// Checks that this user can write to a file, or create it and the missing directories above it.
/// Changes and creates nothing.
///
/// # Errors
/// This user cannot write to the file, or to the lowest directory that exists.
pub fn check_writable(path: &Path) -> anyhow::Result<()> {
    let _rights = act_as_owner(path)?;
    let existing = path.ancestors().find(|it| it.symlink_metadata().is_ok());
    let existing = existing.context("there is no directory above it")?;
    if existing != path && !existing.metadata()?.is_dir() {
        return Err(io::Error::from(io::ErrorKind::NotADirectory))
            .with_context(|| existing.display().to_string());
    }
    #[cfg(unix)]
    {
        use nix::fcntl::AtFlags;
        use nix::unistd::AccessFlags;
        let needed = if existing == path {
            AccessFlags::W_OK
        } else {
            AccessFlags::W_OK | AccessFlags::X_OK
        };
        nix::unistd::faccessat(nix::fcntl::AT_FDCWD, existing, needed, AtFlags::AT_EACCESS)
            .map_err(|error| denied::with_reason(path, Access::Write, error.into()))?;
    }
    Ok(())
}

/// Creates one directory that only this user can access.
///
/// # Errors
/// The directory exists or cannot be created.
pub fn create_directory(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700)
        .create(path);
    #[cfg(not(unix))]
    std::fs::create_dir(path)
}

#[cfg(unix)]
fn close_to_others(directory: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::fs::OpenOptionsExt;
    use std::os::unix::fs::PermissionsExt;
    let flags = nix::libc::O_DIRECTORY | nix::libc::O_NOFOLLOW;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(directory);
    let opened = opened.map_err(explained)?;
    let metadata = opened.metadata()?;
    reject_other_owner(&metadata)?;
    if metadata.mode() & 0o7777 != 0o700 {
        // Some file systems have no modes.
        let _ = opened.set_permissions(std::fs::Permissions::from_mode(0o700));
        let is_open = opened.metadata()?.mode() & 0o022 != 0;
        ensure!(!is_open, "others can write to it");
    }
    Ok(())
}

#[cfg(not(unix))]
fn close_to_others(_directory: &Path) -> anyhow::Result<()> {
    Ok(())
}

/// Opens a file for reading and appending, and makes it private (mode 0600).
///
/// # Errors
/// The file cannot be opened or created, is a link, not a regular file, belongs to another
/// user, or has a second name.
pub fn open_private(path: &Path, missing: Missing) -> anyhow::Result<File> {
    let _rights = act_as_owner(path)?;
    let mut options = OpenOptions::new();
    options.read(true).append(true);
    options.create(missing == Missing::Create);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // Opening a pipe could wait for its other end, and a terminal could become the
        // controlling one of this process.
        options
            .mode(0o600)
            .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY);
    }
    let file = options.open(path);
    let file = file.map_err(|error| denied::with_reason(path, Access::Write, error));
    let file = file.map_err(explained)?;
    ensure!(file.metadata()?.is_file(), "it is not a regular file");
    make_private(&file)?;
    Ok(file)
}

/// Replaces the error of `open(2)` for a link that is not followed ("Too many levels of
/// symbolic links").
#[cfg(unix)]
fn explained(error: io::Error) -> anyhow::Error {
    match error.raw_os_error() {
        Some(nix::libc::ELOOP) => anyhow::anyhow!("it is a link, and links are not followed"),
        _ => error.into(),
    }
}

#[cfg(not(unix))]
fn explained(error: io::Error) -> anyhow::Error {
    error.into()
}

#[cfg(unix)]
fn reject_other_owner(metadata: &std::fs::Metadata) -> anyhow::Result<()> {
    use std::os::unix::fs::MetadataExt;
    ensure!(
        metadata.uid() == super::owner::current_user(),
        "it belongs to another user (number {})",
        metadata.uid()
    );
    Ok(())
}

/// Returns whether an open file is a regular file of this user.
pub(super) fn is_own(file: &File) -> bool {
    let Ok(metadata) = file.metadata() else {
        return false;
    };
    #[cfg(unix)]
    if reject_other_owner(&metadata).is_err() {
        return false;
    }
    metadata.is_file()
}

#[cfg(unix)]
fn make_private(file: &File) -> anyhow::Result<()> {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::fs::PermissionsExt;
    let metadata = file.metadata()?;
    reject_other_owner(&metadata)?;
    // Its other name may be in a directory that all users can access.
    ensure!(metadata.nlink() <= 1, "it has another name (a hard link)");
    let is_open = |mode: u32| mode & 0o077 != 0;
    if is_open(metadata.mode()) {
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        // Some file systems have no modes.
        let is_left = is_open(file.metadata()?.mode());
        ensure!(
            !is_left,
            "others can access it (its mode cannot be set to 0600)"
        );
    }
    Ok(())
}

#[cfg(not(unix))]
fn make_private(_file: &File) -> anyhow::Result<()> {
    Ok(())
}

/// Stores a time as that of an empty private file. Creates its directory.
///
/// # Errors
/// See [`create_private_directories`] and [`open_private`].
pub fn write_time(path: &Path, time: SystemTime) -> anyhow::Result<()> {
    create_private_directories(path.parent().context("it has no directory")?)?;
    let file = open_private(path, Missing::Create)?;
    // Without writing, so that existing content is kept.
    Ok(file.set_modified(time)?)
}

/// Returns the time that [`write_time`] stored; `None` if there is no file of this user.
pub fn read_time(path: &Path) -> Option<SystemTime> {
    let _rights = act_as_owner(path).ok()?;
    let metadata = path.symlink_metadata().ok()?;
    #[cfg(unix)]
    reject_other_owner(&metadata).ok()?;
    metadata.is_file().then(|| metadata.modified().ok())?
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::fs::symlink;
    use std::time::Duration;
    use std::time::UNIX_EPOCH;

    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().mode() & 0o7777
    }

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn an_own_directory_is_made_private() {
        let directory = tempfile::tempdir().unwrap();
        let above = directory.path().join("cache");
        std::fs::create_dir(&above).unwrap();
        set_mode(&above, 0o755);
        let own = above.join(PROGRAM);
        let locks = own.join("locks");
        create_private_directories(&locks).unwrap();
        assert_eq!([mode(&own), mode(&locks)], [0o700, 0o700]);
        set_mode(&own, 0o777);
        set_mode(&locks, 0o775);
        create_private_directories(&locks).unwrap();
        assert_eq!([mode(&own), mode(&locks)], [0o700, 0o700]);
        assert_eq!(mode(&above), 0o755, "it is not the program's own directory");
        let link = above.join("link");
        symlink(&locks, &link).unwrap();
        assert!(create_private_directories(&link).is_err());
    }

    #[test]
    fn links_pipes_and_directories_are_neither_used_nor_changed() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("victim"), "text").unwrap();
        symlink(path("victim"), path("link")).unwrap();
        symlink(path("missing"), path("link-to-nothing")).unwrap();
        std::fs::hard_link(path("victim"), path("hard-link")).unwrap();
        std::fs::create_dir(path("directory")).unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(path("pipe"))
            .status();
        assert!(made.unwrap().success());
        for name in ["link", "link-to-nothing", "hard-link", "directory", "pipe"] {
            for missing in [Missing::Create, Missing::Fail] {
                assert!(open_private(&path(name), missing).is_err(), "{name}");
            }
            assert!(write_time(&path(name), UNIX_EPOCH).is_err(), "{name}");
        }
        assert_eq!(read_time(&path("link")), None);
        assert_eq!(read_time(&path("pipe")), None);
        assert_eq!(std::fs::read_to_string(path("victim")).unwrap(), "text");
        assert!(!path("missing").exists());
    }

    #[test]
    fn a_time_is_stored_and_existing_content_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("created/when/needed");
        let time = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        assert_eq!(read_time(&path), None);
        for text in ["", "not ours"] {
            write_time(&path, time).unwrap();
            assert_eq!(read_time(&path), Some(time));
            assert_eq!(mode(&path), 0o600);
            std::fs::write(&path, text).unwrap();
        }
        write_time(&path, time).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "not ours");
    }
}
