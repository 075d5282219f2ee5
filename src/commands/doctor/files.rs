//! Are our files ours alone, and is anything left over?

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use super::CheckContext;
use super::Diagnostic;
use crate::PROGRAM;
use crate::client_config::file;
use crate::client_config::undo;
use crate::commands::clients::Contents;
use crate::environment;
use crate::fs;
use crate::fs::Trusted;

pub(super) fn check(patient: &CheckContext<'_>) -> Vec<Diagnostic> {
    let mut findings = locks(patient);
    findings.extend(owned_by_root(patient));
    findings.extend(leftovers(patient));
    findings.extend(changed_by_others(patient));
    findings.extend(modes(patient));
    findings.extend(plain_tokens(patient));
    findings
}

fn locks(patient: &CheckContext<'_>) -> Vec<Diagnostic> {
    const CHECK: &str = "locks";
    // A directory that cannot be read is one in which no lock can be taken.
    let files = patient.context.locks.files().unwrap_or_default();
    let held: Vec<&(PathBuf, bool)> = files.iter().filter(|(_, held)| *held).collect();
    let mut findings = Vec::new();
    findings.push(match (patient.context.locks.try_out(), held.first()) {
        (Err(error), _) => Diagnostic::warning(
            CHECK,
            format!("no lock can be taken, so processes at once ask IAM once each: {error:#}"),
            fix_for_locks(patient),
        ),
        (Ok(directory), None) => Diagnostic::fine(
            CHECK,
            format!("nobody holds a lock in {}", directory.display()),
        ),
        (Ok(directory), Some((path, _))) => Diagnostic::warning(
            CHECK,
            format!(
                "{} of the locks in {} are held by other processes now",
                held.len(),
                directory.display()
            ),
            format!("if that stays so: fuser -v {}", path.display()),
        ),
    });
    let paths = files.iter().map(|(path, _)| path.as_path());
    findings.extend(
        paths
            .filter_map(|path| written_by_others(path, patient))
            .take(1),
    );
    findings
}

fn fix_for_locks(patient: &CheckContext<'_>) -> String {
    let directory = patient.context.locks.directory();
    let by_root = directory.and_then(fs::owned_by_root);
    match (by_root, directory) {
        (Some((_, command)), _) => command,
        (None, Some(directory)) => format!("see who owns {}", directory.display()),
        (None, None) => "set HOME to a directory of this user".to_owned(),
    }
}

/// What root left in this user's directories, of this program's and of clients' files.
fn owned_by_root(patient: &CheckContext<'_>) -> Vec<Diagnostic> {
    let context = patient.context;
    let locks = context.locks.files().unwrap_or_default().into_iter();
    let locks = locks.map(|(path, _)| path);
    let directory = context.locks.directory().map(Path::to_owned);
    let record = context.state_directory.as_ref();
    let record = record.map(|directory| undo::path_in(&directory.join(PROGRAM)));
    let clients = patient.clients.files.iter();
    let clients = clients.map(|seen| seen.file.path.clone());
    let paths = directory.into_iter().chain(locks).chain(record);
    let by_root = paths
        .chain(clients)
        .filter_map(|path| fs::owned_by_root(&path));
    let by_root: BTreeSet<(PathBuf, String)> = by_root.collect();
    let finding = |(path, command): (PathBuf, String)| {
        let seen = format!(
            "{} belongs to root, in a directory of this user, who cannot change it",
            path.display()
        );
        Diagnostic::warning("ownership", seen, command)
    };
    by_root.into_iter().map(finding).collect()
}

fn written_by_others(path: &Path, patient: &CheckContext<'_>) -> Option<Diagnostic> {
    let trusted = Trusted::with_home(patient.context.system_paths.home.as_deref());
    let reason = fs::refuse_if_others_write(path, &trusted).err()?;
    Some(Diagnostic::warning(
        "modes",
        format!("{}: {reason}", path.display()),
        format!("chmod -R go-w {}", path.parent().unwrap_or(path).display()),
    ))
}

/// What killed runs of `configure` left beside clients' files.
fn leftovers(patient: &CheckContext<'_>) -> Vec<Diagnostic> {
    let files = patient.clients.files.iter();
    let paths = files.flat_map(|seen| file::leftovers(&seen.file.path));
    let paths: BTreeSet<PathBuf> = paths.collect();
    let finding = |path: PathBuf| {
        let path = path.display();
        Diagnostic::warning(
            "leftover",
            format!(
                "{path} is a copy of a client's file that an interrupted run left, with the passwords in it"
            ),
            format!("rm {path}"),
        )
    };
    paths.into_iter().map(finding).collect()
}

/// Clients' files that others can change.
fn changed_by_others(patient: &CheckContext<'_>) -> Vec<Diagnostic> {
    let files = patient.clients.files.iter();
    let paths: BTreeSet<&Path> = files.map(|seen| seen.file.path.as_path()).collect();
    let found = paths.into_iter().filter_map(|path| {
        let (reason, command) = fs::written_by_others(path).ok()??;
        Some(Diagnostic::warning(
            "modes",
            format!(
                "{}: {reason}, and so have clients start a program of theirs",
                path.display()
            ),
            command,
        ))
    });
    found.collect()
}

/// Clients' files with passwords in them, and the log, that others can read.
fn modes(patient: &CheckContext<'_>) -> Vec<Diagnostic> {
    let with_passwords = patient.clients.files.iter().filter_map(|seen| {
        let has_secrets = seen.readable().is_some_and(Contents::has_secrets);
        has_secrets.then(|| seen.file.path.clone())
    });
    let log = patient.context.environment.text(environment::LOG_FILE);
    let log = log.ok().flatten().map(PathBuf::from);
    let mut paths: Vec<PathBuf> = with_passwords.chain(log).collect();
    paths.sort_unstable();
    paths.dedup();
    let readable = paths.into_iter().filter(|path| others_read(path));
    readable
        .map(|path| {
            Diagnostic::warning(
                "modes",
                format!("others can read {}", path.display()),
                format!("chmod 600 {}", path.display()),
            )
        })
        .collect()
}

#[cfg(unix)]
fn others_read(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let metadata = path.metadata();
    metadata.is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn others_read(_path: &Path) -> bool {
    false
}

/// A variant of the older program keeps tokens in files (a fork of
/// `imphil/docker-credential-icr`, `src/token_store.rs`).
fn plain_tokens(patient: &CheckContext<'_>) -> Option<Diagnostic> {
    let directory = patient.context.config_directory.as_ref()?;
    let directory = directory.join(PROGRAM).join("tokens");
    let files = std::fs::read_dir(&directory).ok()?.flatten();
    let tokens = files.filter(|file| file.path().extension().is_some_and(|it| it == "json"));
    (tokens.count() > 0).then(|| {
        Diagnostic::warning(
            "plain-tokens",
            format!(
                "an older program left tokens in clear in {}",
                directory.display()
            ),
            format!("rm -r {}", directory.display()),
        )
    })
}
