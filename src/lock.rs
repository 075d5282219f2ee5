//! Locks between the processes of a user, so that one process at a time requests a token for
//! an identity.

use std::collections::BTreeMap;
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

/// The result of locking. A lock is held until it is dropped; the kernel releases it when the
/// process dies.
#[derive(Debug)]
pub enum Lock {
    /// Another process held the lock until the timeout.
    Busy,
    /// This process holds the lock.
    Held(File),
    /// Locks are not possible here, or not needed.
    None,
}

impl Lock {
    /// Returns whether this process holds the lock. Callers go on without one.
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Held(_))
    }
}

/// The timeout for the lock of a login: longer than another process needs to read and write
/// a keychain.
pub const LOGIN_LOCK_TIMEOUT: Duration = Duration::from_secs(4);

/// The directory of the lock files.
#[derive(Clone, Debug)]
pub struct LockDirectory {
    path: Option<PathBuf>,
}

impl LockDirectory {
    /// Uses lock files in `path`, which is created when it is needed. Without a path, locks are
    /// not possible.
    pub fn at(path: Option<PathBuf>) -> Self {
        Self { path }
    }

    /// Locks an identity, within `timeout`. A timeout, a directory that cannot be written and a
    /// file system without locks are no errors, because two token requests are better than no
    /// answer.
    ///
    /// Keys share 256 files by their first two characters, so that the number of files is
    /// limited. Lock files are empty and never deleted: otherwise, two processes could lock
    /// the same key.
    pub fn lock_identity(&self, key: &str, timeout: Duration) -> Lock {
        self.lock("identity", key, timeout)
    }

    /// Locks an identity like [`lock_identity`](Self::lock_identity), for a query: creates no
    /// directory. Without one, no other process has a lock.
    pub fn lock_identity_in_existing(&self, key: &str, timeout: Duration) -> Lock {
        match &self.path {
            Some(path) if path.is_dir() => self.lock_identity(key, timeout),
            _ => Lock::None,
        }
    }

    /// Locks an identity if that is possible without waiting.
    pub fn try_lock_identity(&self, key: &str) -> Lock {
        self.lock("identity", key, Duration::ZERO)
    }

    /// Locks the login with this name in the keychain, within `timeout` and at most
    /// [`LOGIN_LOCK_TIMEOUT`]. A process may do this while it holds the lock of an identity,
    /// but not the reverse; they share no file.
    pub fn lock_login(&self, item_name: &str, timeout: Duration) -> Lock {
        let timeout = timeout.min(LOGIN_LOCK_TIMEOUT);
        self.lock("login", &login_key(item_name), timeout)
    }

    /// Locks the logins with these names, within `timeout` for each. Each file is locked once,
    /// in the order of the files, so that two processes never wait for each other.
    pub fn lock_logins(
        &self,
        item_names: impl Iterator<Item = String>,
        timeout: Duration,
    ) -> Vec<Lock> {
        let names = item_names.map(|name| (file_name("login", &login_key(&name)), name));
        let by_file: BTreeMap<String, String> = names.collect();
        let names = by_file.values();
        names.map(|name| self.lock_login(name, timeout)).collect()
    }

    /// Locks the changes of clients' files.
    pub fn lock_client_files(&self) -> Lock {
        self.lock("client-files", "", LOGIN_LOCK_TIMEOUT)
    }

    /// Locks the rotation of API keys, within `timeout`. Two rotations of one key at the same
    /// time would leave a new key that no login has.
    pub fn lock_rotation(&self, timeout: Duration) -> Lock {
        self.lock("rotation", "all", timeout)
    }

    /// Returns the directory of the lock files, which may not exist yet.
    pub fn directory(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Checks that locks are possible, and creates nothing. Returns their directory.
    ///
    /// # Errors
    /// A lock file exists and cannot be locked, or none can be created.
    pub fn check(&self) -> anyhow::Result<&Path> {
        let directory = self.path.as_deref().context("there is no home directory")?;
        let files = self.files().unwrap_or_default();
        let file = files.iter().map(|(path, _)| path).find(|it| is_lock(it));
        let checked = match file {
            Some(file) => check_file(file),
            None => fs::check_writable(&directory.join(file_name("check", ""))),
        };
        checked.with_context(|| directory.display().to_string())?;
        Ok(directory)
    }

    /// Returns the directory (first) and the lock files, and whether another process holds the
    /// lock of each.
    ///
    /// # Errors
    /// The directory exists but cannot be read.
    pub fn files(&self) -> std::io::Result<Vec<(PathBuf, bool)>> {
        let Some(directory) = self.path.as_deref().filter(|path| path.exists()) else {
            return Ok(Vec::new());
        };
        let _rights = fs::act_as_owner(directory)?;
        let mut files = vec![(directory.to_owned(), false)];
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            let file = fs::open(&path);
            let attempt = file.map(|file| fs::try_lock(&file));
            files.push((path, matches!(attempt, Ok(Err(TryLockError::WouldBlock)))));
        }
        Ok(files)
    }

    fn lock(&self, kind: &str, key: &str, timeout: Duration) -> Lock {
        let name = file_name(kind, key);
        let lock = match self.path.clone() {
            None => Lock::None,
            Some(directory) => {
                let _span = tracing::debug_span!("lock", kind, key).entered();
                wait_for(directory, name, timeout)
            }
        };
        if !lock.is_held() {
            tracing::debug!(kind, key, ?lock, "continuing without a lock");
        }
        lock
    }
}

fn login_key(item_name: &str) -> String {
    digest::fingerprint(&["login", item_name])
}

fn file_name(kind: &str, key: &str) -> String {
    let stripe = key.chars().take(2);
    let stripe: String = stripe.filter(char::is_ascii_alphanumeric).collect();
    format!("{kind}-{stripe}.lock")
}

/// Opens and locks a file. A home directory on a network may not answer: then there is no lock.
fn wait_for(directory: PathBuf, name: String, timeout: Duration) -> Lock {
    let opened = run_with_timeout(fs::LOCK_CALL_TIMEOUT, move || open(&directory, &name).ok());
    let Some(file) = opened.flatten() else {
        return Lock::None;
    };
    match fs::try_lock(&file) {
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

/// Returns whether a path in the directory is that of a lock file.
fn is_lock(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "lock")
}

/// Checks that a lock file can be opened and locked, or is locked.
fn check_file(path: &Path) -> anyhow::Result<()> {
    fs::check_writable(path)?;
    let _rights = fs::act_as_owner(path)?;
    let file = fs::open(path)?;
    match fs::try_lock(&file) {
        Err(TryLockError::Error(error)) => Err(error.into()),
        _ => Ok(()),
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
    fn other_processes_wait_for_a_lock_until_it_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let locks = LockDirectory::at(Some(directory.path().join("created/when/needed")));
        let first = locks.lock_identity("ab12", LONG);
        assert!(first.is_held());
        assert!(
            locks.lock_identity("cd34", LONG).is_held(),
            "another key has another lock"
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
        // The abandoned thread of the timeout above may get the lock for a moment.
        assert!(locks.lock_identity("ab12", LONG).is_held());
        let clock = SystemClock::start();
        let deadline = Deadline::after(&clock, LONG);
        while held(&locks) != (0, 3) {
            assert!(
                !deadline.remaining(&clock).is_zero(),
                "the lock is released"
            );
            clock.sleep(SOON);
        }
    }

    #[test]
    fn a_login_can_be_locked_while_an_identity_is_locked() {
        let directory = tempfile::tempdir().unwrap();
        let locks = LockDirectory::at(Some(directory.path().to_owned()));
        let key = digest::fingerprint(&["login", "default"]);
        let _identity = locks.lock_identity(&key, LONG);
        assert!(locks.lock_login("default", LONG).is_held());
    }

    #[test]
    fn logins_that_share_a_lock_file_are_locked_together() {
        let directory = tempfile::tempdir().unwrap();
        let locks = LockDirectory::at(Some(directory.path().to_owned()));
        let names = (0..1000).map(|number| format!("registry-{number}"));
        let held = locks.lock_logins(names, LONG);
        assert!(held.iter().all(Lock::is_held));
        assert!(held.len() <= 256, "{}", held.len());
        let again = locks.lock_login("registry-7", Duration::ZERO);
        assert!(matches!(again, Lock::Busy));
    }

    #[test]
    fn without_a_directory_for_locks_the_program_continues() {
        let nowhere = LockDirectory::at(None).lock_identity("ab", LONG);
        assert!(matches!(nowhere, Lock::None));
        let file = tempfile::NamedTempFile::new().unwrap();
        let locks = LockDirectory::at(Some(file.path().join("below-a-file")));
        assert!(!locks.lock_identity("ab", LONG).is_held());
    }

    #[test]
    fn a_lock_file_is_always_in_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        let locks = LockDirectory::at(Some(directory.path().to_owned()));
        assert!(locks.lock_identity("../../x", LONG).is_held());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
