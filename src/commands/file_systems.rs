//! The check that the file systems of this user's files answer, before a command uses them.
//!
//! A call that reads a file on a file system that does not answer (a network home whose server
//! is down) never returns. So a thread looks at each path first.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::PROGRAM;
use crate::client_config::docker;
use crate::client_config::podman;
use crate::context::Context;
use crate::environment;
use crate::error::Error;
use crate::error::Result;
use crate::time::run_with_timeout;

/// The timeout for all paths together. A slow server answers within a second.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The variables with paths of files or directories that commands use.
const VARIABLES: [&str; 5] = [
    docker::DIRECTORY,
    podman::FILE,
    environment::CONFIG,
    environment::CREDENTIALS_FILE,
    environment::CLI_CONFIG_HOME,
];

/// Returns an error if a file system does not answer.
///
/// # Errors
/// The path that it holds.
pub(crate) fn require_answers(context: &Context<'_>) -> Result<()> {
    let (names, paths): (Vec<String>, Vec<PathBuf>) = paths(context).into_iter().unzip();
    match first_without_answer(paths, TIMEOUT, |path| drop(path.metadata())) {
        None => Ok(()),
        Some((index, path)) => {
            let name = names.get(index).map_or("HOME", String::as_str);
            Err(Error::temporary(format!(
                "cannot read {}: its file system does not answer",
                path.display()
            ))
            .with_hint(format!(
                "If it is a network file system, check its server; or set {name} to a directory that answers"
            )))
        }
    }
}

/// Returns the paths, each with the variable that determines it. Links are followed, so files
/// are listed besides their directories.
fn paths(context: &Context<'_>) -> Vec<(String, PathBuf)> {
    let home = context.system_paths.home.as_ref();
    let home = home.into_iter().flat_map(|home| {
        let files = ["", ".docker/config.json", ".bluemix/config.json"];
        files.map(|file| (environment::HOME, home.join(file)))
    });
    let own = |directory: Option<&Path>| directory.map(|it| it.join(PROGRAM));
    let directories = [
        ("XDG_CONFIG_HOME", own(context.config_directory.as_deref())),
        ("XDG_STATE_HOME", own(context.state_directory.as_deref())),
        (
            "XDG_CACHE_HOME",
            context.locks.directory().map(Path::to_owned),
        ),
    ];
    let directories = directories.into_iter();
    let directories = directories.filter_map(|(name, path)| Some((name, path?)));
    let named = VARIABLES.into_iter().filter_map(|name| {
        let path = context.environment.text(name).ok().flatten()?;
        Some((name, PathBuf::from(path)))
    });
    home.chain(directories)
        .chain(named)
        .map(|(name, path)| (name.to_owned(), path))
        .collect()
}

/// Returns the path at which `look` does not return in time, and its index.
fn first_without_answer(
    paths: Vec<PathBuf>,
    timeout: Duration,
    look: impl Fn(&Path) + Send + 'static,
) -> Option<(usize, PathBuf)> {
    let current = Arc::new(AtomicUsize::new(0));
    let progress = Arc::clone(&current);
    let all = paths.clone();
    let outcome = run_with_timeout(timeout, move || {
        for (index, path) in all.iter().enumerate() {
            progress.store(index, Ordering::Relaxed);
            look(path);
        }
    });
    match outcome {
        Some(()) => None,
        None => {
            let index = current.load(Ordering::Relaxed);
            paths.into_iter().nth(index).map(|path| (index, path))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_path_without_an_answer_is_found() {
        let paths: Vec<PathBuf> = ["/a", "/b", "/c"].map(PathBuf::from).into();
        let (_never, waiting) = std::sync::mpsc::channel::<()>();
        let look = move |path: &Path| {
            if path == Path::new("/b") {
                let _ = waiting.recv();
            }
        };
        let timeout = Duration::from_millis(20);
        let found = first_without_answer(paths.clone(), timeout, look);
        assert_eq!(found, Some((1, PathBuf::from("/b"))));
        let answering = first_without_answer(paths, Duration::from_secs(60), |_| {});
        assert_eq!(answering, None);
    }
}
