//! The log file: private, of limited size, and written by several processes at once.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;

use anyhow::Context;
use anyhow::ensure;

use crate::fs::Missing;
use crate::fs::act_as_owner;
use crate::fs::open_private;

/// The maximum size of a log file, in bytes: some thousand `get`s. A full file is renamed to
/// `FILE.1`, which replaces the previous one.
const MAX_SIZE: u64 = 1024 * 1024;

/// The end of the name of the file that is the lock.
#[cfg(windows)]
const LOCK_SUFFIX: &str = ".docker-credential-icr-lock";

/// The right to write (Win32, "Generic Access Rights").
#[cfg(windows)]
const GENERIC_WRITE: u32 = 0x4000_0000;

/// The right to delete (Win32, "Standard Access Rights").
#[cfg(windows)]
const DELETE: u32 = 0x0001_0000;

/// The flag for a file that the system deletes (Win32, "CreateFileW").
#[cfg(windows)]
const FILE_FLAG_DELETE_ON_CLOSE: u32 = 0x0400_0000;

/// A file to which lines are appended. Each line is written by one call, so that the lines of
/// several processes do not mix.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: Mutex<File>,
    max_size: u64,
}

impl LogFile {
    /// Opens the private file at `path`, or creates it: see [`open_private`].
    ///
    /// # Errors
    /// The path is relative, or the file cannot be opened or created.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        Self::with_max_size(path, MAX_SIZE)
    }

    fn with_max_size(path: &Path, max_size: u64) -> anyhow::Result<Self> {
        // Clients run the program in any directory.
        ensure!(
            path.is_absolute(),
            "is {}, which is not an absolute path",
            path.display()
        );
        let file = open_private(path, Missing::Create)
            .with_context(|| format!("names {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            file: Mutex::new(file),
            max_size,
        })
    }

    /// Starts a new file if this one has no space for `bytes` more bytes. If several processes
    /// notice this at once, one of them renames the file.
    fn rotate(&self, file: &mut File, bytes: usize) -> anyhow::Result<()> {
        let is_full = |length: u64| length.saturating_add(bytes as u64) > self.max_size;
        if !is_full(file.metadata()?.len()) {
            return Ok(());
        }
        let _lock = self.lock_rotation(file)?;
        let _rights = act_as_owner(&self.path)?;
        // Another process may have renamed it since it was opened.
        if fs::metadata(&self.path).is_ok_and(|metadata| is_full(metadata.len())) {
            let mut older = self.path.clone().into_os_string();
            older.push(".1");
            fs::rename(&self.path, older)?;
        }
        *file = open_private(&self.path, Missing::Create)?;
        Ok(())
    }
}

#[cfg(unix)]
impl LogFile {
    /// Locks the full file, until its last descriptor is closed.
    fn lock_rotation(&self, file: &File) -> anyhow::Result<File> {
        crate::fs::try_lock(file)?;
        Ok(file.try_clone()?)
    }
}

/// Windows lets only the process with the lock of a file write to it, so the log has a file for
/// its lock.
#[cfg(windows)]
impl LogFile {
    /// Opens the file of the lock, which no other process can open meanwhile. The system deletes
    /// it when it is closed, also if the process is killed.
    fn lock_rotation(&self, _file: &File) -> io::Result<File> {
        use std::os::windows::fs::OpenOptionsExt;
        let mut path = self.path.clone().into_os_string();
        path.push(LOCK_SUFFIX);
        fs::OpenOptions::new()
            .write(true)
            .create(true)
            .access_mode(GENERIC_WRITE | DELETE)
            .share_mode(0)
            .custom_flags(FILE_FLAG_DELETE_ON_CLOSE)
            .open(path)
    }
}

impl Write for &LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Ok(mut file) = self.file.lock() else {
            return Ok(bytes.len());
        };
        // A file that cannot be rotated grows, so that nothing is lost.
        let _ = self.rotate(&mut file, bytes.len());
        file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::tests::skipped_under_wine;

    const APPENDS_IN_TWO_STEPS: &str =
        "looks for the end of a file before it appends to it, so two writers use the same end";

    fn lines(path: &Path) -> usize {
        fs::read_to_string(path).map_or(0, |text| text.lines().count())
    }

    #[test]
    fn a_full_file_is_renamed_and_a_new_one_started() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let older = directory.path().join("log.1");
        let log = LogFile::with_max_size(&path, 100).unwrap();
        for number in 0..35 {
            writeln!(&log, "{number:09}").unwrap();
            assert!(fs::metadata(&path).unwrap().len() <= 100);
        }
        assert_eq!((lines(&older), lines(&path)), (10, 5));
        assert!(fs::read_to_string(&path).unwrap().ends_with("000000034\n"));
    }

    #[test]
    fn lines_of_several_writers_are_complete() {
        if skipped_under_wine(APPENDS_IN_TWO_STEPS) {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    // Each writer opens the file, as processes do.
                    let log = LogFile::with_max_size(path, 12_000).unwrap();
                    for number in 0..100 {
                        // One call per line, as in the log.
                        let line = format!("{writer} {number:07}\n");
                        (&log).write_all(line.as_bytes()).unwrap();
                    }
                });
            }
        });
        // 8,000 bytes fit into the first file.
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 800);
        assert!(text.lines().all(|line| line.len() == 9));
    }

    #[test]
    fn no_line_is_lost_while_several_writers_start_new_files() {
        if skipped_under_wine(APPENDS_IN_TWO_STEPS) {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let open = || LogFile::with_max_size(&path, 5_000).unwrap();
        std::thread::scope(|scope| {
            for writer in 0..8 {
                scope.spawn(move || {
                    let log = open();
                    for number in 0..100 {
                        let line = format!("{writer} {number:07}\n");
                        (&log).write_all(line.as_bytes()).unwrap();
                    }
                });
            }
        });
        // A file that another writer is about to rename may get a few lines more.
        let older = directory.path().join("log.1");
        assert!(lines(&path) < 800 && lines(&older) > 0);
        assert_eq!(lines(&path) + lines(&older), 800);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_writer_changes_to_the_new_file_of_another_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let (one, other) = (
            LogFile::with_max_size(&path, 20).unwrap(),
            LogFile::with_max_size(&path, 20).unwrap(),
        );
        for _ in 0..2 {
            writeln!(&one, "123456789").unwrap();
        }
        writeln!(&one, "new").unwrap();
        writeln!(&other, "newer").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new\nnewer\n");
        assert_eq!(lines(&directory.path().join("log.1")), 2);
    }

    #[test]
    fn a_full_file_is_still_written_while_another_process_renames_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let [one, other] = [(); 2].map(|()| LogFile::with_max_size(&path, 10).unwrap());
        writeln!(&one, "123456789").unwrap();
        let held = other.lock_rotation(&other.file.lock().unwrap()).unwrap();
        writeln!(&one, "more").unwrap();
        assert_eq!(lines(&path), 2);
        drop(held);
        drop(other);
        writeln!(&one, "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new\n");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let path = directory.path().join("new");
        LogFile::open(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        let path = directory.path().join("old");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        LogFile::open(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn directories_and_relative_paths_are_rejected() {
        let directory = tempfile::tempdir().unwrap();
        for path in [Path::new("log"), directory.path()] {
            assert!(LogFile::open(path).is_err(), "{}", path.display());
        }
        let missing = directory.path().join("missing/log");
        assert!(LogFile::open(&missing).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_rejected_without_waiting() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        // Without a reader it cannot be opened; with one it is not a regular file.
        assert!(LogFile::open(&pipe).is_err());
        let _reader = fs::OpenOptions::new().read(true).write(true).open(&pipe);
        let error = format!("{:#}", LogFile::open(&pipe).unwrap_err());
        assert!(error.contains("not a regular file"), "{error}");
    }
}
