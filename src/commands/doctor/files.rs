//! Checks owners and modes of files, held locks and leftovers.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use super::CheckContext;
use super::Diagnostic;
use crate::PROGRAM;
use crate::client_config::file;
use crate::client_config::json::ParseError;
use crate::client_config::undo;
use crate::commands::clients::Contents;
use crate::commands::counted;
use crate::environment;
use crate::error::Error;
use crate::fs;
use crate::fs::TrustedUsers;

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let mut diagnostics = locks(context);
    diagnostics.extend(owned_by_root(context));
    diagnostics.extend(leftovers(context));
    diagnostics.extend(changed_by_others(context));
    diagnostics.extend(modes(context));
    diagnostics.extend(plaintext_tokens(context));
    diagnostics
}

fn locks(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    const CHECK: &str = "locks";
    // If the directory cannot be read, taking a lock fails below.
    let files = context.context.locks.files().unwrap_or_default();
    let held: Vec<&(PathBuf, bool)> = files.iter().filter(|(_, held)| *held).collect();
    let mut diagnostics = Vec::new();
    diagnostics.push(match (context.context.locks.check(), held.first()) {
        (Err(error), _) => Diagnostic::warning(
            CHECK,
            format!("cannot take locks, so parallel processes each request a token: {error:#}"),
            locks_fix(context, &error),
        ),
        (Ok(directory), None) => {
            Diagnostic::ok(CHECK, format!("no locks held in {}", directory.display()))
        }
        (Ok(directory), Some((path, _))) => Diagnostic::warning(
            CHECK,
            format!(
                "other processes hold {} in {}",
                counted(held.len(), "lock"),
                directory.display()
            ),
            format!(
                "If this does not change, find the process: fuser -v {}",
                path.display()
            ),
        ),
    });
    let paths = files.iter().map(|(path, _)| path.as_path());
    diagnostics.extend(
        paths
            .filter_map(|path| writable_by_others(path, context))
            .take(1),
    );
    diagnostics
}

fn locks_fix(context: &CheckContext<'_>, error: &anyhow::Error) -> String {
    let hangs = |error: &io::Error| error.kind() == io::ErrorKind::TimedOut;
    if error.root_cause().downcast_ref().is_some_and(hangs) {
        return "To wait no longer, set XDG_CACHE_HOME to a directory on a local disk".to_owned();
    }
    let directory = context.context.locks.directory();
    let cause = error.root_cause().downcast_ref::<io::Error>();
    if cause.is_some_and(|cause| cause.kind() == io::ErrorKind::ReadOnlyFilesystem) {
        return "Set XDG_CACHE_HOME to a directory on a file system that can be written".to_owned();
    }
    let obstacle = directory.zip(cause);
    let obstacle = obstacle.and_then(|(path, cause)| fs::obstacle_to_write(path, cause));
    if let Some(hint) = obstacle.as_ref().and_then(Error::hint) {
        return hint.to_owned();
    }
    let by_root = directory.and_then(fs::owned_by_root);
    match (by_root, directory) {
        (Some((_, command)), _) => command,
        (None, Some(directory)) => format!("Check the owner and mode of {}", directory.display()),
        (None, None) => "Set HOME to a directory of this user".to_owned(),
    }
}

/// Finds files of this program and of clients that belong to root, in directories of
/// this user.
fn owned_by_root(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    // A file that cannot be read has a diagnostic with the same fix.
    let clients = context.clients.files.iter();
    let clients = clients.filter(|it| !matches!(it.contents, Err(ParseError::Denied(_))));
    let clients = clients.map(|scanned| scanned.file.path.clone());
    let context = context.context;
    let locks = context.locks.files().unwrap_or_default().into_iter();
    let locks = locks.map(|(path, _)| path);
    let directory = context.locks.directory().map(Path::to_owned);
    let record = context.state_directory.as_ref();
    let record = record.map(|directory| undo::path_in(&directory.join(PROGRAM)));
    let paths = directory.into_iter().chain(locks).chain(record);
    let by_root = paths
        .chain(clients)
        .filter_map(|path| fs::owned_by_root(&path));
    let by_root: BTreeSet<(PathBuf, String)> = by_root.collect();
    let diagnostic = |(path, command): (PathBuf, String)| {
        let message = format!(
            "{} belongs to root, so this user cannot change it",
            path.display()
        );
        Diagnostic::warning("ownership", message, command)
    };
    by_root.into_iter().map(diagnostic).collect()
}

fn writable_by_others(path: &Path, context: &CheckContext<'_>) -> Option<Diagnostic> {
    let trusted = TrustedUsers::with_home(context.context.system_paths.home.as_deref());
    let error = fs::refuse_if_others_write(path, &trusted).err()?;
    let reason = Error::from_anyhow(&error).text();
    Some(Diagnostic::warning(
        "modes",
        format!("{}: {reason}", path.display()),
        format!("chmod -R go-w {}", path.parent().unwrap_or(path).display()),
    ))
}

/// Finds copies of clients' files that interrupted runs of `configure` left.
fn leftovers(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let files = context.clients.files.iter();
    let paths = files.flat_map(|scanned| file::leftovers(&scanned.file.path));
    let paths: BTreeSet<PathBuf> = paths.collect();
    let diagnostic = |path: PathBuf| {
        let path = path.display();
        Diagnostic::warning(
            "leftover",
            format!(
                "{path} is a copy of a client's file with its passwords, left by an interrupted run"
            ),
            format!("rm {path}"),
        )
    };
    paths.into_iter().map(diagnostic).collect()
}

/// Finds clients' files that other users can change.
fn changed_by_others(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let files = context.clients.files.iter();
    let paths: BTreeSet<&Path> = files.map(|scanned| scanned.file.path.as_path()).collect();
    let found = paths.into_iter().filter_map(|path| {
        let (reason, command) = fs::writable_by_others(path).ok()??;
        Some(Diagnostic::warning(
            "modes",
            format!(
                "{}: {reason}, so they can make clients start other programs",
                path.display()
            ),
            command,
        ))
    });
    found.collect()
}

/// Finds clients' files with passwords, and the log file, that other users can read.
fn modes(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let with_passwords = context.clients.files.iter().filter_map(|scanned| {
        let has_secrets = scanned.readable().is_some_and(Contents::has_secrets);
        has_secrets.then(|| scanned.file.path.clone())
    });
    let log = context.context.environment.value(environment::LOG_FILE);
    let log = log.ok().flatten().map(PathBuf::from);
    let mut paths: Vec<PathBuf> = with_passwords.chain(log).collect();
    paths.sort_unstable();
    paths.dedup();
    let readable = paths
        .into_iter()
        .filter(|path| fs::readable_by_others(path));
    readable
        .map(|path| {
            Diagnostic::warning(
                "modes",
                format!("other users can read {}", path.display()),
                format!("chmod 600 {}", path.display()),
            )
        })
        .collect()
}

/// Finds token files of an older program of the same name (a fork of
/// `imphil/docker-credential-icr`, `src/token_store.rs`).
fn plaintext_tokens(context: &CheckContext<'_>) -> Option<Diagnostic> {
    let directory = context.context.config_directory.as_ref()?;
    let directory = directory.join(PROGRAM).join("tokens");
    let files = std::fs::read_dir(&directory).ok()?.flatten();
    let tokens = files.filter(|file| file.path().extension().is_some_and(|it| it == "json"));
    (tokens.count() > 0).then(|| {
        Diagnostic::warning(
            "plaintext-tokens",
            format!(
                "an older program left unencrypted tokens in {}",
                directory.display()
            ),
            format!("rm -r {}", directory.display()),
        )
    })
}
