//! Every file that this program opens: with whose rights, and what else than a plain file
//! of the right owner is refused.

use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use anyhow::ensure;

use crate::time::run_with_timeout;

mod directory;
mod owner;
mod private;
mod trust;

pub use directory::Directory;
pub use owner::OwnerRights;
pub use owner::act_as_owner;
pub use owner::acting_owner;
pub use private::Missing;
pub use private::create_directory;
pub use private::create_private_directories;
pub use private::open_private;
pub use private::read_time;
pub use private::write_time;
pub use trust::TrustedUsers;
pub use trust::is_readable_by_others;
pub use trust::owned_by_root;
pub use trust::refuse_if_others_write;
pub use trust::with_owner_hint;
pub use trust::writable_by_others;

/// The text of a regular file of at most `limit` bytes.
///
/// Symbolic links are followed. What else may stand at a path (a pipe that nobody
/// writes to, a device without an end) is refused and not waited for.
///
/// # Errors
/// It cannot be opened or read, is no regular file, is too large or not UTF-8.
pub fn read_regular(path: &Path, limit: u64) -> anyhow::Result<String> {
    String::from_utf8(read_bytes(path, limit)?)
        .ok()
        .context("it is not UTF-8 text")
}

/// The bytes of such a file, text or not.
///
/// # Errors
/// It cannot be opened or read, is no regular file or is too large.
pub fn read_bytes(path: &Path, limit: u64) -> anyhow::Result<Vec<u8>> {
    read(open(path)?, limit)
}

/// The bytes of such a file, while nobody writes to it who locks it for that
/// (`flock`). After `timeout` it is read all the same.
///
/// # Errors
/// It cannot be opened or read, is no regular file or is too large.
pub fn read_locked(path: &Path, limit: u64, timeout: Duration) -> anyhow::Result<Vec<u8>> {
    let file = open(path)?;
    if let Err(TryLockError::WouldBlock) = file.try_lock_shared() {
        let waiting = file.try_clone()?;
        // The lock belongs to the open file, not to either handle.
        let _ = run_with_timeout(timeout, move || waiting.lock_shared());
    }
    read(file, limit)
}

/// Whether something stands at a path, be it a link that leads nowhere: that is
/// broken, not absent. Nothing stands where this user may not look.
pub fn entry_exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// The bytes of an open file.
///
/// # Errors
/// It is no regular file, too large, or cannot be read.
pub fn read(file: File, limit: u64) -> anyhow::Result<Vec<u8>> {
    let metadata = file.metadata()?;
    ensure!(metadata.is_file(), "it is not a regular file");
    // Room for all of it: a buffer that grows leaves copies behind.
    let room = metadata.len().min(limit).saturating_add(1);
    let mut bytes = Vec::with_capacity(usize::try_from(room)?);
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    ensure!(
        bytes.len() as u64 <= limit,
        "it is larger than {}",
        size(limit)
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

/// Opens a file that somebody names, to read it. Links are followed; a pipe is not waited
/// for, and a terminal does not become ours.
///
/// # Errors
/// It is not there, or cannot be opened.
#[cfg(unix)]
pub fn open(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY)
        .open(path)
}

/// The same; reading a pipe waits for what those write who have it open. One that nobody
/// has open is empty.
///
/// # Errors
/// It is not there, or cannot be opened.
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

/// Opens a file that somebody names, to read it.
///
/// # Errors
/// It is not there, or cannot be opened.
#[cfg(not(unix))]
pub fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Writes a file that nobody else can change, and makes its directory, whatever
    /// the umask of whoever runs the tests.
    pub(crate) fn write_own(path: &Path, text: &str) {
        let folder = path.parent().unwrap();
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(path, text).unwrap();
        close_to_others(folder);
        #[cfg(unix)]
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
    }

    /// Closes a directory, and those above it up to that for temporary files.
    pub(crate) fn close_to_others(folder: &Path) {
        let end = std::env::temp_dir();
        assert!(folder.starts_with(&end), "tests have no other directories");
        for folder in folder.ancestors().take_while(|folder| *folder != end) {
            #[cfg(unix)]
            std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))
                .unwrap();
            let _ = folder;
        }
    }

    fn error<T: std::fmt::Debug>(outcome: anyhow::Result<T>) -> String {
        outcome.unwrap_err().to_string()
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
    fn a_link_that_leads_nowhere_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        assert!(!entry_exists(&link));
        std::os::unix::fs::symlink(directory.path().join("missing"), &link).unwrap();
        assert!(entry_exists(&link) && !link.exists());
        assert!(entry_exists(directory.path()));
    }

    #[cfg(unix)]
    #[test]
    fn a_locked_file_is_waited_for_and_then_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, b"\xffhalf").unwrap();
        let writer = OpenOptions::new().write(true).open(&path).unwrap();
        writer.lock().unwrap();
        let read = |timeout| read_locked(&path, 8, Duration::from_millis(timeout)).unwrap();
        assert_eq!(read(5), b"\xffhalf", "after a moment all the same");
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
    fn what_is_no_file_is_refused_without_waiting() {
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
