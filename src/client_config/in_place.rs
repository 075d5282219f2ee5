//! Writing into a file that must not be replaced: it is mounted by itself, or has several names.
//!
//! Containers and dev containers mount single files, such as `config.json` or a `ConfigMap`. The
//! kernel refuses to rename another file over a mount (`rename(2)`, `EBUSY`). A rename over one name
//! of a file with hard links, as some people keep their dotfiles, would leave the others with the
//! old content.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Seek;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use anyhow::ensure;
use zeroize::Zeroizing;

use super::file::LIMIT;
use super::file::ReplaceError;
use crate::error::Error;
use crate::fs;
use crate::text::encoding;

/// The hint for a file that is mounted read-only.
const CHANGE_AT_ORIGIN: &str = "Change the file that is mounted there (of the image, the host or the ConfigMap), or set DOCKER_CONFIG (podman: REGISTRY_AUTH_FILE) to a file of your own";

/// The write permissions of owner, group and others.
#[cfg(unix)]
const WRITABLE: u32 = 0o222;

/// The mounts of this process (`proc_pid_mountinfo(5)`).
#[cfg(target_os = "linux")]
const MOUNTS: &str = "/proc/self/mountinfo";

/// Why a file is written in place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reason {
    /// It is mounted by itself.
    Mounted,
    /// It has several names.
    HardLinks,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Mounted => "it is mounted by itself",
            Self::HardLinks => "it has several names (hard links)",
        })
    }
}

/// Returns why a file has to be written in place; `None` for one that can be replaced.
pub(super) fn reason(path: &Path) -> Option<Reason> {
    if is_mounted(path) {
        Some(Reason::Mounted)
    } else {
        has_several_names(path).then_some(Reason::HardLinks)
    }
}

#[cfg(unix)]
fn has_several_names(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    path.symlink_metadata()
        .is_ok_and(|it| it.is_file() && it.nlink() > 1)
}

#[cfg(not(unix))]
fn has_several_names(_path: &Path) -> bool {
    false
}

fn is_mounted(path: &Path) -> bool {
    #[cfg(target_os = "linux")]
    if let (Ok(path), Ok(mounts)) = (path.canonicalize(), std::fs::read_to_string(MOUNTS)) {
        return mount_points(&mounts).any(|mount_point| Path::new(&mount_point) == path);
    }
    let _ = path;
    false
}

/// Returns the mount points in the kernel's list, which has octal numbers for blanks.
#[cfg(any(target_os = "linux", test))]
fn mount_points(mounts: &str) -> impl Iterator<Item = String> {
    let points = mounts.lines();
    let points = points.filter_map(|line| line.split(' ').nth(4));
    points.map(|point| {
        [
            ("\\040", " "),
            ("\\011", "\t"),
            ("\\012", "\n"),
            ("\\134", "\\"),
        ]
        .into_iter()
        .fold(point.to_owned(), |text, (code, character)| {
            text.replace(code, character)
        })
    })
}

/// Writes `new` into the file from which `old` was read, and reads it again. Owner, mode and
/// extended attributes stay.
///
/// The old text stays in memory until the new one is verified, and is written back if that
/// fails. The first write has at least the length of the old text, with blank lines at the end,
/// so that a reader gets valid JSON at any moment, also if this process is killed.
///
/// # Errors
/// See [`ReplaceError`]. The file is read-only, or is not what was read.
pub(super) fn write(path: &Path, reason: Reason, old: &str, new: &str) -> Result<(), ReplaceError> {
    let mut file = open(path).map_err(|error| match error.kind() {
        // Without a flag, it is about the owner and mode.
        io::ErrorKind::PermissionDenied => fs::obstacle_to_write(path, &error)
            .map_or_else(|| unwritable(reason, &error), anyhow::Error::from),
        _ => unwritable(reason, &error),
    })?;
    let former = read(&mut file)?;
    if encoding::decode(&former).map_or(true, |text| **text != *old) {
        return Err(ReplaceError::Changed);
    }
    let outcome = put(&mut file, former.len(), new.as_bytes()).and_then(|()| {
        let is_written = read(&mut file)?.as_slice() == new.as_bytes();
        ensure!(is_written, "it does not contain what was written");
        Ok(())
    });
    if outcome.is_err() {
        let length = file.metadata().map_or(0, |it| it.len());
        let restored = put(
            &mut file,
            usize::try_from(length).unwrap_or_default(),
            &former,
        );
        restored.context("it was written in place and is incomplete now")?;
    }
    Ok(outcome?)
}

/// Returns an error if no user may write to a file, by its mode: another tool may manage it.
///
/// # Errors
/// The file is read-only, with what to do.
#[cfg(unix)]
pub(super) fn refuse_read_only(path: &Path, metadata: &std::fs::Metadata) -> anyhow::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let mode = metadata.mode() & 0o7777;
    if mode & WRITABLE != 0 {
        return Ok(());
    }
    let hint = format!(
        "If another tool manages it, change it there; otherwise run 'chmod u+w {}'",
        path.display()
    );
    let text = format!("it is read-only (mode {mode:04o})");
    Err(Error::user(text).with_hint(hint).into())
}

#[cfg(not(unix))]
pub(super) fn refuse_read_only(_path: &Path, metadata: &std::fs::Metadata) -> anyhow::Result<()> {
    anyhow::ensure!(!metadata.permissions().readonly(), "it is read-only");
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    {
        use nix::libc;
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY);
    }
    options.open(path)
}

fn read(file: &mut File) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    file.rewind()?;
    Ok(Zeroizing::new(fs::read(file.try_clone()?, LIMIT)?))
}

fn put(file: &mut File, former_length: usize, new: &[u8]) -> anyhow::Result<()> {
    let length = new.len().max(former_length);
    let mut padded = Zeroizing::new(Vec::with_capacity(length));
    padded.extend_from_slice(new);
    padded.resize(length, b'\n');
    file.rewind()?;
    file.write_all(&padded)?;
    file.set_len(new.len() as u64)?;
    Ok(file.sync_all()?)
}

fn unwritable(reason: Reason, error: &io::Error) -> anyhow::Error {
    let text = match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem => "it is mounted read-only".to_owned(),
        _ => format!("{reason}, and cannot be written ({error})"),
    };
    let hint = match reason {
        Reason::Mounted => CHANGE_AT_ORIGIN,
        Reason::HardLinks => "Check the owner and mode of the file",
    };
    Error::user(text).with_hint(hint).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_in_place_and_verified() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        for (old, new) in [
            ("{}", "{\"longer\": 1}"),
            ("{\"longer\": 1}", "{}"),
            ("", "{}"),
        ] {
            std::fs::write(&path, old).unwrap();
            write(&path, Reason::Mounted, old, new).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), new);
        }
        std::fs::write(&path, b"\xff\xfe{\0}\0").unwrap();
        write(&path, Reason::HardLinks, "{}", "{}").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{}", "as UTF-8");
        let changed = write(&path, Reason::Mounted, "{ }", "new");
        assert!(matches!(changed, Err(ReplaceError::Changed)));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{}");
    }

    #[test]
    fn a_mount_point_is_found_in_the_kernels_list() {
        let mounts = "36 35 98:0 / / rw - ext4 /dev/a rw\n\
            41 36 98:0 /a /home/a\\040b/config.json ro master:1 - ext4 /dev/a rw\n\ngarbage";
        let points: Vec<String> = mount_points(mounts).collect();
        assert_eq!(points, ["/", "/home/a b/config.json"]);
    }
}
