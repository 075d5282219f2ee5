//! Access to files: with which user's rights, and which files are rejected.

use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use anyhow::ensure;

use crate::time::run_with_timeout;
use denied::Access;

pub mod busy;
mod denied;
mod directory;
#[cfg(unix)]
mod groups;
mod lock;
#[cfg(unix)]
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "only Linux has these numbers")
)]
mod modeless;
mod obstacle;
mod owner;
mod place;
mod private;
mod shared;
mod trust;

pub use directory::Directory;
pub use lock::LOCK_CALL_TIMEOUT;
pub use lock::try_lock;
pub use obstacle::obstacle_to_read;
pub use obstacle::obstacle_to_write;
pub use obstacle::special_kind;
pub use owner::OwnerRights;
pub use owner::act_as_owner;
pub use owner::acting_owner;
pub use place::is_same_place;
pub use private::Missing;
pub use private::check_writable;
pub use private::create_directory;
pub use private::create_private_directories;
pub use private::open_private;
pub use private::read_time;
pub use private::write_time;
pub use shared::allow_all_users;
pub use shared::create_directories_for_all;
pub use trust::TrustedUsers;
pub use trust::is_readable_by_others;
pub use trust::owned_by_root;
pub use trust::readable_by_others;
pub use trust::refuse_if_others_write;
pub use trust::with_owner_hint;
pub use trust::writable_by_others;

/// Returns the text of a regular file of at most `max_size` bytes.
///
/// Follows symbolic links. Rejects other kinds of files without waiting: a pipe may have no
/// writer, a device no end.
///
/// # Errors
/// The file cannot be opened or read, is not a regular file, too large or not UTF-8.
pub fn read_regular(path: &Path, max_size: u64) -> anyhow::Result<String> {
    String::from_utf8(read_bytes(path, max_size)?)
        .ok()
        .context("it is not UTF-8 text")
}

/// Returns the bytes of a regular file, like [`read_regular`].
///
/// # Errors
/// The file cannot be opened or read, is not a regular file or too large.
pub fn read_bytes(path: &Path, max_size: u64) -> anyhow::Result<Vec<u8>> {
    read(open(path)?, max_size)
}

/// Returns the bytes of a regular file that its writers lock (`flock`). Waits until it is
/// unlocked, and reads it anyway after `timeout`.
///
/// # Errors
/// The file cannot be opened or read, is not a regular file or too large.
pub fn read_locked(path: &Path, max_size: u64, timeout: Duration) -> anyhow::Result<Vec<u8>> {
    let file = open(path)?;
    // Without a file system with locks, or if the call hangs, the file is read as it is.
    if let Err(TryLockError::WouldBlock) = lock::call(&file, File::try_lock_shared) {
        let waiting = file.try_clone()?;
        // Both handles share the lock, because it belongs to the open file.
        let _ = run_with_timeout(timeout, move || waiting.lock_shared());
    }
    read(file, max_size)
}

/// Returns a path as the system writes it: with backslashes on Windows, where slashes are
/// separators, too.
pub fn with_own_separators(path: &Path) -> PathBuf {
    if cfg!(windows) {
        path.components().collect()
    } else {
        path.to_owned()
    }
}

/// Returns whether there is a file, directory or link at a path. A link whose target is
/// missing counts, because it is broken and not absent. Returns false if this user may not
/// access the directory.
pub fn entry_exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Returns whether this user may create a file, and missing directories above it.
pub fn may_create(path: &Path) -> bool {
    let mut above = path.ancestors().skip(1);
    let directory = above.find(|directory| entry_exists(directory));
    directory.is_some_and(|directory| directory.is_dir() && is_writable(directory))
}

#[cfg(unix)]
fn is_writable(directory: &Path) -> bool {
    use nix::fcntl::AT_FDCWD;
    use nix::fcntl::AtFlags;
    use nix::unistd::AccessFlags;
    let wanted = AccessFlags::W_OK | AccessFlags::X_OK;
    nix::unistd::faccessat(AT_FDCWD, directory, wanted, AtFlags::AT_EACCESS).is_ok()
}

#[cfg(not(unix))]
fn is_writable(directory: &Path) -> bool {
    let metadata = directory.metadata();
    metadata.is_ok_and(|metadata| !metadata.permissions().readonly())
}

/// Returns the bytes of an open file.
///
/// # Errors
/// The file is not a regular file, too large, or cannot be read.
pub fn read(file: File, max_size: u64) -> anyhow::Result<Vec<u8>> {
    let metadata = file.metadata()?;
    ensure!(metadata.is_file(), "it is not a regular file");
    // Large enough for all bytes, because a buffer that grows leaves copies in memory.
    let capacity = metadata.len().min(max_size).saturating_add(1);
    let mut bytes = Vec::with_capacity(usize::try_from(capacity)?);
    file.take(max_size.saturating_add(1))
        .read_to_end(&mut bytes)?;
    ensure!(
        bytes.len() as u64 <= max_size,
        "it is larger than {}",
        size(max_size)
    );
    Ok(bytes)
}

fn size(bytes: u64) -> String {
    match (bytes / (1024 * 1024), bytes / 1024) {
        (0, 0) => format!("{bytes} bytes"),
        (0, kib) => format!("{kib} KiB"),
        (mib, _) => format!("{mib} MiB"),
    }
}

/// Opens a file for reading. Follows links, does not wait for the writer of a pipe, and does
/// not make a terminal the controlling one of this process.
///
/// # Errors
/// The file is missing or cannot be opened. If the system denies it, the error is an
/// [`Error`](crate::error::Error) with the owner and a hint.
#[cfg(unix)]
pub fn open(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY)
        .open(path)
        .map_err(|error| denied::with_reason(path, Access::Read, error))
}

/// Opens a file for reading, like [`open()`]. Reading a pipe waits for its writers; a pipe
/// without a writer is empty.
///
/// # Errors
/// The file is missing or cannot be opened.
pub fn open_waiting_for_writers(path: &Path) -> std::io::Result<File> {
    let file = open(path)?;
    #[cfg(unix)]
    {
        use nix::fcntl::FcntlArg;
        use nix::fcntl::OFlag;
        nix::fcntl::fcntl(&file, FcntlArg::F_SETFL(OFlag::empty()))?;
    }
    Ok(file)
}

/// Opens a file for reading.
///
/// # Errors
/// The file is missing or cannot be opened.
#[cfg(not(unix))]
pub fn open(path: &Path) -> std::io::Result<File> {
    let opened = OpenOptions::new().read(true).open(path);
    opened.map_err(|error| denied::with_reason(path, Access::Read, error))
}

/// Returns whether a path is a file that may be run.
#[cfg(unix)]
pub fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let metadata = file.metadata();
    metadata.is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Returns whether a path is a file that may be run.
#[cfg(not(unix))]
pub fn is_executable(file: &Path) -> bool {
    file.is_file()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Writes a file that other users cannot change, and creates its directory, whatever the
    /// umask.
    pub(crate) fn write_own(path: &Path, text: &str) {
        let folder = path.parent().unwrap();
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(path, text).unwrap();
        close_to_others(folder);
        #[cfg(unix)]
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
    }

    /// Reports that a test does not run under Wine. Returns whether it does not: on Windows itself,
    /// it runs.
    #[expect(clippy::print_stderr, reason = "a test that does not run says so")]
    pub(crate) fn skipped_under_wine(reason: &str) -> bool {
        let is_wine = cfg!(windows) && Path::new(r"C:\windows\system32\winecfg.exe").exists();
        if is_wine {
            let thread = std::thread::current();
            let name = thread.name().unwrap_or_default();
            eprintln!("SKIPPED {name}: Wine {reason}");
        }
        is_wine
    }

    /// Makes a directory, and those above it up to the one for temporary files, accessible
    /// only to this user.
    pub(crate) fn close_to_others(folder: &Path) {
        let end = std::env::temp_dir();
        assert!(
            folder.starts_with(&end),
            "tests use temporary directories only"
        );
        for folder in folder.ancestors().take_while(|folder| *folder != end) {
            #[cfg(unix)]
            std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))
                .unwrap();
            let _ = folder;
        }
    }

    #[test]
    fn on_windows_a_path_has_backslashes() {
        for (path, on_windows) in [
            (
                r"C:\Users\x\.config\containers/auth.json",
                r"C:\Users\x\.config\containers\auth.json",
            ),
            ("C:/Users/x/", r"C:\Users\x"),
            ("a/b", r"a\b"),
        ] {
            let shown = with_own_separators(Path::new(path)).display().to_string();
            assert_eq!(shown, if cfg!(windows) { on_windows } else { path });
        }
    }

    fn error<T: std::fmt::Debug>(outcome: anyhow::Result<T>) -> String {
        outcome.unwrap_err().to_string()
    }

    #[test]
    fn a_file_may_be_created_below_a_directory_of_this_user() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("file"), "").unwrap();
        for (path, may) in [("new", true), ("a/b/new", true), ("file/new", false)] {
            assert_eq!(may_create(&directory.path().join(path)), may, "{path}");
        }
    }

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "12345678").unwrap();
        assert_eq!(read_regular(&path, 8).unwrap(), "12345678");
        assert!(error(read_regular(&path, 7)).contains("larger than 7 bytes"));
        std::fs::write(&path, b"\xff").unwrap();
        assert!(error(read_regular(&path, 8)).contains("not UTF-8"));
        assert!(read_regular(directory.path(), 8).is_err());
        assert!(read_regular(&directory.path().join("missing"), 8).is_err());
        assert_eq!(
            [1023, 2048, 3 * 1024 * 1024].map(size),
            ["1023 bytes", "2 KiB", "3 MiB"]
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_link_without_a_target_exists() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        assert!(!entry_exists(&link));
        std::os::unix::fs::symlink(directory.path().join("missing"), &link).unwrap();
        assert!(entry_exists(&link) && !link.exists());
        assert!(entry_exists(directory.path()));
    }

    #[cfg(unix)]
    #[test]
    fn a_locked_file_is_read_when_it_is_unlocked() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, b"\xffhalf").unwrap();
        let writer = OpenOptions::new().write(true).open(&path).unwrap();
        writer.lock().unwrap();
        let read = |timeout| read_locked(&path, 8, Duration::from_millis(timeout)).unwrap();
        assert_eq!(read(5), b"\xffhalf", "read after the timeout");
        let reader = std::thread::scope(|scope| {
            let reader = scope.spawn(|| read(60_000));
            std::fs::write(&path, b"whole").unwrap();
            writer.unlock().unwrap();
            reader.join().unwrap()
        });
        assert_eq!(reader, b"whole");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_not_a_regular_file_is_rejected_without_waiting() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        for path in [&*pipe, &*link, Path::new("/dev/zero"), directory.path()] {
            let reason = error(read_regular(path, 8));
            assert!(reason.contains("not a regular file"), "{reason}");
        }
    }
}
