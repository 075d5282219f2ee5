//! What is in the way of a file, apart from owners and modes: something else at its path, a flag of
//! the file system, or no space.

use std::io;
use std::path::Path;

use crate::error::Error;

/// Returns why a path cannot be read; `None` if the error has another reason.
pub fn obstacle_to_read(path: &Path, error: &io::Error) -> Option<Error> {
    #[cfg(unix)]
    {
        let is_loop = error.raw_os_error() == Some(nix::libc::ELOOP);
        match error.kind() {
            io::ErrorKind::NotADirectory => unix::not_a_directory(path),
            _ if is_loop => unix::link_loop(path),
            _ => None,
        }
    }
    #[cfg(not(unix))]
    {
        let _ = (path, error);
        None
    }
}

/// Returns why a path cannot be written; `None` if the error has another reason.
pub fn obstacle_to_write(path: &Path, error: &io::Error) -> Option<Error> {
    let directory = path.ancestors().skip(1).find(|it| it.exists());
    let directory = directory.unwrap_or(path).display();
    match error.kind() {
        io::ErrorKind::StorageFull => Some(
            Error::user(format!("the file system of {directory} is full ({error})")).with_hint(
                format!("Free some space or inodes: 'df -h {directory}' and 'df -i {directory}' show how many are left"),
            ),
        ),
        io::ErrorKind::QuotaExceeded => Some(
            Error::user(format!(
                "this user's quota for {directory} is used up ({error})"
            ))
            .with_hint("Delete files of this user: 'quota -s' shows how many there may be"),
        ),
        io::ErrorKind::PermissionDenied => flagged(path),
        _ => obstacle_to_read(path, error),
    }
}

/// Returns what is at a path instead of a file; `None` for a file or directory.
pub fn special_kind(path: &Path) -> Option<&'static str> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = path.metadata().ok()?.file_type();
        match () {
            () if kind.is_fifo() => Some("a named pipe"),
            () if kind.is_socket() => Some("a socket"),
            () if kind.is_char_device() || kind.is_block_device() => Some("a device"),
            () => None,
        }
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// Returns the error for a file or directory that no user may change, not even root.
#[cfg(target_os = "linux")]
fn flagged(path: &Path) -> Option<Error> {
    use rustix::fs::IFlags;
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let directory = path.ancestors().skip(1).find(|it| it.exists());
    for path in [Some(&*path), directory].into_iter().flatten() {
        let flags = super::open(path).ok();
        let flags = flags.and_then(|file| rustix::fs::ioctl_getflags(file).ok());
        let flags = flags.unwrap_or(IFlags::empty());
        let (what, letter) = match () {
            () if flags.contains(IFlags::IMMUTABLE) => ("immutable", 'i'),
            () if flags.contains(IFlags::APPEND) => ("append-only", 'a'),
            () => continue,
        };
        return Some(
            Error::user(format!("{} is {what} (chattr +{letter})", path.display())).with_hint(
                format!(
                    "Run 'sudo chattr -{letter} {}'",
                    super::trust::unix::quoted(path)
                ),
            ),
        );
    }
    None
}

#[cfg(not(target_os = "linux"))]
fn flagged(_path: &Path) -> Option<Error> {
    None
}

#[cfg(unix)]
mod unix {
    use std::path::Path;

    use super::special_kind;
    use crate::error::Error;
    use crate::fs::trust::unix::quoted;

    pub(super) fn not_a_directory(path: &Path) -> Option<Error> {
        let is_obstacle = |path: &&Path| path.metadata().is_ok_and(|it| !it.is_dir());
        let path = path.ancestors().skip(1).find(is_obstacle)?;
        let kind = special_kind(path).unwrap_or("a file");
        let text = format!("{} is {kind}, not a directory", path.display());
        let hint = if path.starts_with("/dev") {
            "Set HOME, or the variable that names it, to a directory of this user".to_owned()
        } else {
            format!("Rename it: mv {0} {0}.old", quoted(path))
        };
        Some(Error::user(text).with_hint(hint))
    }

    pub(super) fn link_loop(path: &Path) -> Option<Error> {
        let mut ancestors: Vec<&Path> = path.ancestors().collect();
        ancestors.reverse();
        let is_loop = |path: &&Path| path.is_symlink() && path.metadata().is_err();
        let link = ancestors.into_iter().find(is_loop)?;
        let text = format!("the symbolic link {} leads back to itself", link.display());
        Some(Error::user(text).with_hint(format!("Remove the link: rm {}", quoted(link))))
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn no_space_and_no_quota_are_different_obstacles() {
        for (number, what) in [
            (nix::libc::ENOSPC, "the file system of /tmp is full"),
            (nix::libc::EDQUOT, "this user's quota for /tmp is used up"),
        ] {
            let error = io::Error::from_raw_os_error(number);
            let error = obstacle_to_write(Path::new("/tmp/f"), &error).unwrap();
            assert!(error.text().starts_with(what), "{error}");
            assert!(error.hint().is_some());
        }
    }
}
