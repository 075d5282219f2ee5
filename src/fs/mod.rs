//! Files that somebody names: read with a limit, and only where a plain file is.

use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use anyhow::ensure;

use crate::clock::within;

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
/// (`flock`). After `patience` it is read all the same.
///
/// # Errors
/// It cannot be opened or read, is no regular file or is too large.
pub fn read_locked(path: &Path, limit: u64, patience: Duration) -> anyhow::Result<Vec<u8>> {
    let file = open(path)?;
    if let Err(TryLockError::WouldBlock) = file.try_lock_shared() {
        let waiting = file.try_clone()?;
        // The lock belongs to the open file, not to either handle.
        let _ = within(patience, move || waiting.lock_shared());
    }
    read(file, limit)
}

/// Whether something stands at a path, be it a link that leads nowhere: that is
/// broken, not absent. Nothing stands where this user may not look.
pub fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn read(file: File, limit: u64) -> anyhow::Result<Vec<u8>> {
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

#[cfg(unix)]
fn open(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    // Opening a pipe would wait for its other end, and a terminal could become ours.
    OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY)
        .open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

/// Refuses a file that somebody other than this user and root can change, or put
/// another one in the place of: by its mode, its owner, or those of the directory
/// that it is in. Links are followed first.
///
/// # Errors
/// Who can change what, and the command that mends it; or the file cannot be
/// looked at.
#[cfg(unix)]
pub fn refuse_if_others_write(path: &Path) -> anyhow::Result<()> {
    let us = nix::unistd::Uid::effective().as_raw();
    match others::told(&others::found(path, Some(us))?) {
        None => Ok(()),
        Some((reason, command)) => anyhow::bail!("{reason}; mend it with `{command}`"),
    }
}

/// Who else can write to a file, or put another one in its place, by the modes of both:
/// what was seen, and the command that mends it. Links are followed first.
///
/// # Errors
/// It cannot be looked at.
#[cfg(unix)]
pub fn written_by_others(path: &Path) -> std::io::Result<Option<(String, String)>> {
    Ok(others::told(&others::found(path, None)?))
}

/// See [`refuse_if_others_write`]: nothing is looked at.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn written_by_others(_path: &Path) -> std::io::Result<Option<(String, String)>> {
    Ok(None)
}

/// Windows guards a user's own folders with access control lists that inherit, and
/// has nothing like an ordinary mode: nothing is looked at there.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn refuse_if_others_write(_path: &Path) -> anyhow::Result<()> {
    Ok(())
}

/// Who can change a file, on Unix.
#[cfg(unix)]
mod others {
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    /// Write permission of the group and of everybody.
    const WRITABLE: u32 = 0o022;
    /// In a directory with this bit, only its owner and a file's own take it away.
    const STICKY: u32 = 0o1000;

    /// What is wrong, and what mends it.
    pub(super) type Finding = (String, String);

    /// What is wrong with a file and the directory that it is in; whose they are
    /// does not count without `us`.
    pub(super) fn found(path: &Path, us: Option<u32>) -> std::io::Result<Vec<Finding>> {
        let file = path.canonicalize()?;
        let mut found = Vec::from_iter(looked_at("it", &file, us)?);
        if let Some(directory) = file.parent() {
            found.extend(looked_at("its directory", directory, us)?);
        }
        Ok(found)
    }

    fn looked_at(what: &str, path: &Path, us: Option<u32>) -> std::io::Result<Option<Finding>> {
        let metadata = path.metadata()?;
        let sticky = metadata.is_dir() && metadata.mode() & STICKY != 0;
        let mode = if sticky { 0 } else { metadata.mode() };
        let owner = metadata.uid();
        Ok(judged(what, path, (owner, mode), us.unwrap_or(owner)))
    }

    pub(super) fn judged(
        what: &str,
        path: &Path,
        (owner, mode): (u32, u32),
        us: u32,
    ) -> Option<Finding> {
        let path = quoted(path);
        if owner != us && owner != 0 && !is_root_outside(owner) {
            return Some((
                format!("{what} belongs to another user (number {owner})"),
                format!("sudo chown {us} {path}"),
            ));
        }
        (mode & WRITABLE != 0).then(|| {
            (
                format!("others can write to {what} (mode {:04o})", mode & 0o7777),
                format!("chmod go-w {path}"),
            )
        })
    }

    /// All that was found in one sentence, and in one command.
    pub(super) fn told(found: &[Finding]) -> Option<Finding> {
        let reasons: Vec<&str> = found.iter().map(|(reason, _)| &**reason).collect();
        let commands: Vec<&str> = found.iter().map(|(_, command)| &**command).collect();
        (!found.is_empty()).then(|| (reasons.join(", and "), commands.join(" && ")))
    }

    /// A path as a shell takes it.
    fn quoted(path: &Path) -> String {
        let text = path.display().to_string();
        let plain =
            |character: char| character.is_alphanumeric() || "/._-+@%,:".contains(character);
        match text.chars().all(plain) {
            true => text,
            false => format!("'{}'", text.replace('\'', r"'\''")),
        }
    }

    /// Rootless podman and buildah call us in a user namespace, in which what
    /// belongs to root outside seems to belong to nobody (`user_namespaces(7)`).
    #[cfg(target_os = "linux")]
    fn is_root_outside(owner: u32) -> bool {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let nobody = read("/proc/sys/kernel/overflowuid");
        nobody.trim() == owner.to_string() && is_namespace(&read("/proc/self/uid_map"))
    }

    #[cfg(not(target_os = "linux"))]
    fn is_root_outside(_owner: u32) -> bool {
        false
    }

    /// Whether a map of user ids (`user_namespaces(7)`) is not that of the whole
    /// machine, which maps every id to itself.
    #[cfg(target_os = "linux")]
    pub(super) fn is_namespace(map: &str) -> bool {
        let fields: Vec<&str> = map.split_whitespace().collect();
        !fields.is_empty() && fields != ["0", "0", "4294967295"]
    }
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
        #[cfg(unix)]
        for (path, mode) in [(path, 0o600), (folder, 0o700)] {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
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
        assert!(!is_there(&link));
        std::os::unix::fs::symlink(directory.path().join("missing"), &link).unwrap();
        assert!(is_there(&link) && !link.exists());
        assert!(is_there(directory.path()));
    }

    #[cfg(unix)]
    #[test]
    fn a_locked_file_is_waited_for_and_then_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, b"\xffhalf").unwrap();
        let writer = OpenOptions::new().write(true).open(&path).unwrap();
        writer.lock().unwrap();
        let read = |patience| read_locked(&path, 8, Duration::from_millis(patience)).unwrap();
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

    #[cfg(unix)]
    mod on_unix {
        use std::os::unix::fs::PermissionsExt;

        use super::*;

        fn set_mode(path: &Path, mode: u32) {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }

        #[test]
        fn who_can_write_is_told_with_the_command_that_mends_it() {
            let directory = tempfile::tempdir().unwrap();
            let folder = directory.path().canonicalize().unwrap().join("a folder");
            std::fs::create_dir(&folder).unwrap();
            let path = folder.join("file");
            std::fs::write(&path, "").unwrap();
            for (of_folder, of_file, reasons) in [
                (0o755, 0o644, &[][..]),
                (0o700, 0o600, &[]),
                (0o700, 0o664, &["write to it (mode 0664)"]),
                (0o700, 0o602, &["write to it (mode 0602)"]),
                (0o775, 0o600, &["its directory (mode 0775)"]),
                (0o757, 0o600, &["its directory (mode 0757)"]),
                (0o1777, 0o600, &[]),
                (0o1777, 0o666, &["write to it (mode 0666)"]),
                (
                    0o777,
                    0o666,
                    &["(mode 0666)", ", and others", "(mode 0777)"],
                ),
            ] {
                set_mode(&folder, of_folder);
                set_mode(&path, of_file);
                let outcome = refuse_if_others_write(&path);
                if reasons.is_empty() {
                    assert!(outcome.is_ok(), "{of_folder:o} {of_file:o}");
                    continue;
                }
                let told = error(outcome);
                assert!(reasons.iter().all(|reason| told.contains(reason)), "{told}");
                assert!(told.contains("chmod go-w '"), "{told}");
                let command = told.split('`').nth(1).unwrap();
                let mended = std::process::Command::new("sh")
                    .args(["-c", command])
                    .status();
                assert!(mended.unwrap().success(), "{command}");
                assert!(refuse_if_others_write(&path).is_ok(), "{command}");
            }
        }

        #[test]
        fn a_link_is_judged_by_what_it_leads_to() {
            let directory = tempfile::tempdir().unwrap();
            set_mode(directory.path(), 0o700);
            let path = directory.path().join("file");
            std::fs::write(&path, "").unwrap();
            let link = directory.path().join("link");
            std::os::unix::fs::symlink(&path, &link).unwrap();
            set_mode(&path, 0o600);
            assert!(refuse_if_others_write(&link).is_ok());
            set_mode(&path, 0o620);
            assert!(error(refuse_if_others_write(&link)).contains("/file"));
        }

        #[test]
        fn only_this_user_and_root_may_own_it() {
            let judged = |owner, us| others::judged("it", Path::new("/a"), (owner, 0o600), us);
            for (owner, us) in [(0, 0), (0, 1000), (1000, 1000)] {
                assert_eq!(judged(owner, us), None);
            }
            for (owner, us) in [(1000, 0), (1001, 1000)] {
                let (reason, command) = judged(owner, us).unwrap();
                assert!(reason.contains(&format!("another user (number {owner})")));
                assert_eq!(command, format!("sudo chown {us} /a"));
            }
        }

        #[cfg(target_os = "linux")]
        #[test]
        fn a_user_namespace_is_told_by_its_map() {
            assert!(!others::is_namespace("         0          0 4294967295\n"));
            assert!(others::is_namespace("0 1001 1\n1 100000 65536\n"));
            assert!(!others::is_namespace(""), "no /proc");
        }
    }
}
