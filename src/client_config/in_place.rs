//! Writing into a file that cannot be replaced, because it is mounted by itself.
//!
//! Containers and dev containers mount single files, such as `config.json` or a `ConfigMap`. The
//! kernel refuses to rename another file over a mount (`rename(2)`, `EBUSY`).

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

/// The hint for a file that is mounted read-only.
const CHANGE_AT_ORIGIN: &str = "Change the file that is mounted there (of the image, the host or the ConfigMap), or set DOCKER_CONFIG (podman: REGISTRY_AUTH_FILE) to a file of your own";

/// The write permissions of owner, group and others.
#[cfg(unix)]
const WRITABLE: u32 = 0o222;

/// The mounts of this process (`proc_pid_mountinfo(5)`).
#[cfg(target_os = "linux")]
const MOUNTS: &str = "/proc/self/mountinfo";

/// Returns whether a file is mounted by itself.
pub(super) fn is_mounted(path: &Path) -> bool {
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
pub(super) fn write(path: &Path, old: &str, new: &str) -> Result<(), ReplaceError> {
    let mut file = open(path).map_err(unwritable)?;
    if read(&mut file)?.as_slice() != old.as_bytes() {
        return Err(ReplaceError::Changed);
    }
    let outcome = put(&mut file, old.len(), new).and_then(|()| {
        let is_written = read(&mut file)?.as_slice() == new.as_bytes();
        ensure!(is_written, "it does not contain what was written");
        Ok(())
    });
    if outcome.is_err() {
        let length = file.metadata().map_or(0, |it| it.len());
        let restored = put(&mut file, usize::try_from(length).unwrap_or_default(), old);
        restored.context("it was mounted by itself and is incomplete now")?;
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

fn put(file: &mut File, former_length: usize, new: &str) -> anyhow::Result<()> {
    let mut padded = Zeroizing::new(String::with_capacity(new.len().max(former_length)));
    padded.push_str(new);
    padded.extend(std::iter::repeat_n(
        '\n',
        former_length.saturating_sub(new.len()),
    ));
    file.rewind()?;
    file.write_all(padded.as_bytes())?;
    file.set_len(new.len() as u64)?;
    Ok(file.sync_all()?)
}

fn unwritable(error: io::Error) -> anyhow::Error {
    let text = match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem => "it is mounted read-only".to_owned(),
        _ => format!("it is mounted by itself, and cannot be written ({error})"),
    };
    Error::user(text).with_hint(CHANGE_AT_ORIGIN).into()
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
            write(&path, old, new).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), new);
        }
        let changed = write(&path, "{ }", "new");
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
