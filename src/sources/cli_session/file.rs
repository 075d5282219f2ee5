//! The file of the CLI's session: its path, and how it is read while the CLI may write it.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use super::HINT;
use super::Session;
use crate::context::SystemPaths;
use crate::environment::CLI_CONFIG_HOME;
use crate::environment::CLI_HOME_VARIABLES;
use crate::environment::Environment;
use crate::environment::HOME_PARTS;
use crate::error::Error;
use crate::error::Result;
use crate::fs;
use crate::fs::busy;
use crate::time::Clock;
use crate::time::Deadline;

/// The size limit of the file, in bytes. A session has about ten thousand.
const MAX_SIZE: u64 = 4 * 1024 * 1024;

/// How long to wait for the lock of the file, which the CLI holds while it writes.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// How long after that invalid content is read again: a program may write without the lock,
/// or never release it. Long, because on a busy file system a writer that has truncated the
/// file may wait before it can write.
const TIMEOUT: Duration = Duration::from_secs(4);

/// The pause before the file is read again, and how long to wait for its lock then.
const PAUSE: Duration = Duration::from_millis(5);

/// Returns the path that the CLI uses (`ibm-cloud-cli-sdk`,
/// `bluemix/configuration/config_helpers/helpers.go`), if the file exists or a variable names
/// its directory.
pub(super) fn path(
    environment: &Environment,
    system_paths: &SystemPaths,
) -> Result<Option<PathBuf>> {
    const FILE: &str = "config.json";
    if let Some(directory) = environment.text(CLI_CONFIG_HOME)? {
        return Ok(Some(Path::new(directory).join(FILE)));
    }
    let mut home = home(environment, system_paths)?;
    for variable in CLI_HOME_VARIABLES.iter().rev() {
        if let Some(directory) = environment.text(variable)? {
            home = Some(PathBuf::from(directory));
        }
    }
    let file = home.map(|home| {
        let [current, former] = directories(&home);
        let directory = if current.exists() { current } else { former };
        directory.join(FILE)
    });
    Ok(file.filter(|file| fs::entry_exists(file)))
}

/// Returns the home directory of the CLI. On Windows, two variables come before `USERPROFILE`.
/// They may name a network drive, so the directory in them counts only if the CLI has used it.
fn home(environment: &Environment, system_paths: &SystemPaths) -> Result<Option<PathBuf>> {
    let mut parts = String::new();
    for variable in HOME_PARTS {
        parts += environment.text(variable)?.unwrap_or_default();
    }
    let named = Some(PathBuf::from(parts));
    let named = named.filter(|path| cfg!(windows) && path.is_absolute());
    let is_used = |home: &PathBuf| directories(home).iter().any(|it| it.exists());
    let used = named.filter(is_used);
    Ok(used.or_else(|| system_paths.home.clone()))
}

/// Returns the directories of the CLI's current and former versions.
fn directories(home: &Path) -> [PathBuf; 2] {
    [".ibmcloud", ".bluemix"].map(|name| home.join(name))
}

/// Reads the session; `None` if the file does not exist.
pub(super) fn read(path: &Path, clock: &dyn Clock) -> Result<Option<Session>> {
    let fail = |reason: Error| {
        let what = format!(
            "cannot read the IBM Cloud CLI's session in {}",
            path.display()
        );
        reason.with_context(what).with_default_hint(HINT)
    };
    let mut outcome = read_once(path, LOCK_TIMEOUT);
    let deadline = Deadline::after(clock, TIMEOUT);
    while may_change(&outcome) && !deadline.remaining(clock).is_zero() {
        clock.sleep(PAUSE);
        outcome = read_once(path, PAUSE);
    }
    match outcome {
        Ok(Ok(session)) => Ok(Some(session)),
        Ok(Err(error)) => Err(fail(Error::user(format!(
            "it is not a session (line {}, column {})",
            error.line(),
            error.column()
        )))),
        Err(error) if is_missing(&error) && !fs::entry_exists(path) => Ok(None),
        Err(error) if busy::is_busy(&error) => Err(Error::temporary(format!(
            "cannot read the IBM Cloud CLI's session in {}: another program has it open",
            path.display()
        ))
        .with_hint(busy::HINT)),
        Err(error) => Err(fail(Error::from_anyhow(&error))),
    }
}

/// Returns whether a program may be writing the file, or has it open.
fn may_change(outcome: &anyhow::Result<Result<Session, serde_json::Error>>) -> bool {
    match outcome {
        Ok(session) => session.is_err(),
        Err(error) => busy::is_busy(error),
    }
}

/// Reads the file under the lock that the CLI takes to write it.
fn read_once(path: &Path, timeout: Duration) -> anyhow::Result<Result<Session, serde_json::Error>> {
    let bytes = zeroize::Zeroizing::new(fs::read_locked(path, MAX_SIZE, timeout)?);
    Ok(serde_json::from_slice(&bytes))
}

fn is_missing(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| {
        matches!(
            error.kind(),
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
        )
    })
}
