//! Files and directories that this program makes for itself: this user's alone.
//!
//! A path below a directory of everybody's is no secret, so anything may have been put
//! there. No link is followed, no pipe waited for, nothing of another user's used, and no
//! content lost that this program has not written.

use std::ffi::OsStr;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use anyhow::Context;
use anyhow::ensure;

use super::act_as_owner;
use crate::PROGRAM;

/// Whether a file is made when there is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Missing {
    /// It is.
    Create,
    /// It is not.
    Fail,
}

/// Makes a directory, and those above it, that only this user can look into, whatever the
/// umask. Where there is one already, the program's own directory and all below it are
/// closed to others.
///
/// # Errors
/// It cannot be made; it is a link, or belongs to another user.
pub fn create_private_directories(path: &Path) -> anyhow::Result<()> {
    let _rights = act_as_owner(path)?;
    let mut ancestors: Vec<&Path> = path.ancestors().collect();
    ancestors.reverse();
    for directory in ancestors {
        // Above, a link to a directory may stand; here `metadata` follows it.
        if !directory.as_os_str().is_empty() && directory.metadata().is_err() {
            match create_directory(directory) {
                // Another process was faster.
                Err(_) if directory.is_dir() => {}
                outcome => {
                    outcome.with_context(|| format!("{} cannot be made", directory.display()))?
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

/// Makes one directory that only this user can look into.
///
/// # Errors
/// It cannot be made, or is there already.
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
    refuse_if_anothers(&metadata)?;
    if metadata.mode() & 0o7777 != 0o700 {
        // Not every file system has modes.
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

/// Opens a file of this user's alone, to read it and to add to it. One that others can
/// read or write is closed to them (mode 0600).
///
/// # Errors
/// It cannot be opened or made; it is a link, no regular file, another user's, or has a
/// second name.
pub fn open_private(path: &Path, missing: Missing) -> anyhow::Result<File> {
    let _rights = act_as_owner(path)?;
    let mut options = OpenOptions::new();
    options.read(true).append(true);
    options.create(missing == Missing::Create);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // Opening a pipe would wait for its other end, and a terminal could become ours.
        options
            .mode(0o600)
            .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY);
    }
    let file = options.open(path).map_err(explained)?;
    ensure!(file.metadata()?.is_file(), "it is not a regular file");
    only_for_us(&file)?;
    Ok(file)
}

/// `open(2)` says of a link that is not followed that there are too many of them, or that
/// it is no directory.
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
fn refuse_if_anothers(metadata: &std::fs::Metadata) -> anyhow::Result<()> {
    use std::os::unix::fs::MetadataExt;
    ensure!(
        metadata.uid() == super::owner::current_user(),
        "it belongs to another user (number {})",
        metadata.uid()
    );
    Ok(())
}

/// Whether an open file is a regular one of this user's.
pub(super) fn is_own(file: &File) -> bool {
    let Ok(metadata) = file.metadata() else {
        return false;
    };
    #[cfg(unix)]
    if refuse_if_anothers(&metadata).is_err() {
        return false;
    }
    metadata.is_file()
}

#[cfg(unix)]
fn only_for_us(file: &File) -> anyhow::Result<()> {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::fs::PermissionsExt;
    let metadata = file.metadata()?;
    refuse_if_anothers(&metadata)?;
    // Another name of it may be where everybody looks.
    ensure!(
        metadata.nlink() <= 1,
        "it has another name besides (a hard link)"
    );
    let is_open = |mode: u32| mode & 0o077 != 0;
    if is_open(metadata.mode()) {
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        // Not every file system has modes.
        let is_left = is_open(file.metadata()?.mode());
        ensure!(!is_left, "it cannot be kept from others (mode 0600)");
    }
    Ok(())
}

#[cfg(not(unix))]
fn only_for_us(_file: &File) -> anyhow::Result<()> {
    Ok(())
}

/// Notes a time by an empty file of this user's, with its directory.
///
/// # Errors
/// See [`create_private_directories`] and [`open_private`].
pub fn write_time(path: &Path, time: SystemTime) -> anyhow::Result<()> {
    create_private_directories(path.parent().context("it has no directory")?)?;
    let file = open_private(path, Missing::Create)?;
    // Not by writing: what stands there stays, whoever put it there.
    Ok(file.set_modified(time)?)
}

/// The time that [`write_time`] noted; `None` where nothing of this user's is.
pub fn read_time(path: &Path) -> Option<SystemTime> {
    let _rights = act_as_owner(path).ok()?;
    let metadata = path.symlink_metadata().ok()?;
    #[cfg(unix)]
    refuse_if_anothers(&metadata).ok()?;
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
    fn a_directory_is_for_its_owner_alone_also_when_it_was_not() {
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
        assert_eq!(mode(&above), 0o755, "that one is not this program's");
        let link = above.join("link");
        symlink(&locks, &link).unwrap();
        assert!(create_private_directories(&link).is_err());
    }

    #[test]
    fn what_another_has_put_there_is_neither_used_nor_changed() {
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
    fn a_time_is_noted_and_no_content_is_lost() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("made/when/needed");
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
