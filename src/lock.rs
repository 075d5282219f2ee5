//! One exchange at a time per identity, across the processes of a user.

use std::fs::File;
use std::fs::TryLockError;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use crate::digest;
use crate::fs;
use crate::fs::Missing;
use crate::time::run_with_timeout;

/// Whether we hold a lock. Held until dropped; the system takes it back when the
/// process dies.
#[derive(Debug)]
pub enum Lock {
    /// Another process has it, and kept it for longer than we would wait.
    Busy,
    /// Nobody else has it now.
    Held(File),
    /// Nothing can be locked here, or nothing needs to be.
    None,
}

impl Lock {
    /// Whether nobody else has it; without, the caller goes on all the same.
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Held(_))
    }
}

/// How long one login may be in another process's hands: a read
/// and a write of a keychain.
pub const LOGIN_LOCK_TIMEOUT: Duration = Duration::from_secs(4);

/// The directory that holds lock files.
#[derive(Clone, Debug)]
pub struct LockDirectory {
    path: Option<PathBuf>,
}

impl LockDirectory {
    /// Lock files in `path`, which is made when it is first needed; without one
    /// nothing can be locked.
    pub fn at(path: Option<PathBuf>) -> Self {
        Self { path }
    }

    /// Waits up to `timeout` for the lock of an identity, and then goes on
    /// without: two exchanges are better than no answer. For the same reason a
    /// directory that cannot be written, or a file system without locks, is no
    /// error.
    ///
    /// Keys share 256 files by their first two characters, so that no number of
    /// identities fills a directory. Lock files hold nothing and are never
    /// removed: removing one would let two processes hold the same key.
    pub fn lock_identity(&self, key: &str, timeout: Duration) -> Lock {
        self.lock("identity", key, timeout)
    }

    /// The lock of an identity if nobody has it now.
    pub fn try_lock_identity(&self, key: &str) -> Lock {
        self.lock("identity", key, Duration::ZERO)
    }

    /// Waits up to `timeout`, and at most [`LOGIN_LOCK_TIMEOUT`], for the lock of the login with
    /// this name in the keychain. It may be taken while an identity's is held, never the other
    /// way round; they share no file.
    pub fn lock_login(&self, item_name: &str, timeout: Duration) -> Lock {
        let key = digest::fingerprint(&["login", item_name]);
        self.lock("login", &key, timeout.min(LOGIN_LOCK_TIMEOUT))
    }

    /// Waits a moment for the lock of whoever changes clients' files.
    pub fn lock_client_files(&self) -> Lock {
        self.lock("client-files", "", LOGIN_LOCK_TIMEOUT)
    }

    /// Waits up to `timeout` for the lock under which API keys are rotated: two
    /// rotations of one key would leave a new one behind that nobody has.
    pub fn lock_rotation(&self, timeout: Duration) -> Lock {
        self.lock("rotation", "all", timeout)
    }

    /// Where the lock files are, or will be.
    pub fn directory(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Takes a lock, and gives it back: whether that can be done, and where.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> anyhow::Result<&Path> {
        let directory = self.path.as_deref().context("there is no home directory")?;
        let tried = open(directory, "doctor-.lock").and_then(|file| match file.try_lock() {
            Err(TryLockError::Error(error)) => Err(error.into()),
            _ => Ok(()),
        });
        tried.with_context(|| directory.display().to_string())?;
        Ok(directory)
    }

    /// The lock files that there are, and whether another process holds each of them
    /// now. The directory itself comes first, which nobody holds.
    ///
    /// # Errors
    /// The directory is there but cannot be read.
    pub fn files(&self) -> std::io::Result<Vec<(PathBuf, bool)>> {
        let Some(directory) = self.path.as_deref().filter(|path| path.exists()) else {
            return Ok(Vec::new());
        };
        let _rights = fs::act_as_owner(directory)?;
        let mut files = vec![(directory.to_owned(), false)];
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            let file = fs::open(&path);
            let attempt = file.map(|file| file.try_lock());
            files.push((path, matches!(attempt, Ok(Err(TryLockError::WouldBlock)))));
        }
        Ok(files)
    }

    fn lock(&self, kind: &str, key: &str, timeout: Duration) -> Lock {
        let stripe: String = key
            .chars()
            .take(2)
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let name = format!("{kind}-{stripe}.lock");
        let file = self
            .path
            .as_deref()
            .and_then(|directory| open(directory, &name).ok());
        let lock = match file {
            None => Lock::None,
            Some(file) => {
                let _span = tracing::debug_span!("lock", kind, key).entered();
                wait_for(file, timeout)
            }
        };
        if !lock.is_held() {
            tracing::debug!(kind, key, ?lock, "going on without a lock");
        }
        lock
    }
}

fn wait_for(file: File, timeout: Duration) -> Lock {
    match file.try_lock() {
        Ok(()) => return Lock::Held(file),
        Err(TryLockError::WouldBlock) if timeout.is_zero() => return Lock::Busy,
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(_)) => return Lock::None,
    }
    match run_with_timeout(timeout, move || file.lock().map(|()| file)) {
        None => Lock::Busy,
        Some(Ok(file)) => Lock::Held(file),
        Some(Err(_)) => Lock::None,
    }
}

fn open(directory: &Path, name: &str) -> anyhow::Result<File> {
    fs::create_private_directories(directory)?;
    fs::open_private(&directory.join(name), Missing::Create)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Clock;
    use crate::time::Deadline;
    use crate::time::SystemClock;

    const SOON: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_held_lock_keeps_others_waiting_until_it_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let locks = LockDirectory::at(Some(directory.path().join("made/when/needed")));
        let first = locks.lock_identity("ab12", LONG);
        assert!(first.is_held());
        assert!(
            locks.lock_identity("cd34", LONG).is_held(),
            "another name is another lock"
        );
        let waited = locks.lock_identity("ab12", SOON);
        assert!(matches!(waited, Lock::Busy), "waiting is bounded");
        assert!(matches!(locks.try_lock_identity("ab12"), Lock::Busy));
        let held = |locks: &LockDirectory| {
            let files = locks.files().unwrap();
            (files.iter().filter(|(_, held)| *held).count(), files.len())
        };
        assert_eq!(held(&locks), (1, 3), "a directory and two files");
        drop(first);
        // Whoever waited in vain above was left behind, and has it for a moment.
        assert!(locks.lock_identity("ab12", LONG).is_held());
        let clock = SystemClock::start();
        let deadline = Deadline::after(&clock, LONG);
        while held(&locks) != (0, 3) {
            assert!(!deadline.remaining(&clock).is_zero(), "it is let go of");
            clock.sleep(SOON);
        }
    }

    #[test]
    fn a_logins_lock_is_free_while_any_identitys_is_held() {
        let directory = tempfile::tempdir().unwrap();
        let locks = LockDirectory::at(Some(directory.path().to_owned()));
        let key = digest::fingerprint(&["login", "default"]);
        let _identity = locks.lock_identity(&key, LONG);
        assert!(locks.lock_login("default", LONG).is_held());
    }

    #[test]
    fn where_nothing_can_be_locked_the_program_goes_on() {
        let nowhere = LockDirectory::at(None).lock_identity("ab", LONG);
        assert!(matches!(nowhere, Lock::None));
        let file = tempfile::NamedTempFile::new().unwrap();
        let locks = LockDirectory::at(Some(file.path().join("below-a-file")));
        assert!(!locks.lock_identity("ab", LONG).is_held());
    }

    #[test]
    fn a_name_cannot_leave_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        let locks = LockDirectory::at(Some(directory.path().to_owned()));
        assert!(locks.lock_identity("../../x", LONG).is_held());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
