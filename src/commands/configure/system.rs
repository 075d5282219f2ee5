//! `configure --system`: the helper for all users of a Linux machine.
//!
//! It is `configure` for a user whose home directory is `/etc/skel`, which is copied for each new
//! account, and whose record is in `/var/lib`. podman has a list of helpers for all users besides
//! (`client_config/system_helper_list`); docker has no file for all users (`docker/cli`,
//! `cli/config/config.go`).

use std::path::Path;
use std::path::PathBuf;

use super::Arguments;
use super::files::state_directory;
use super::files::write_error;
use super::output::FileOutcome;
use crate::PROGRAM;
use crate::client_config::Client;
use crate::client_config::diff;
use crate::client_config::podman;
use crate::client_config::system_helper_list;
use crate::client_config::system_helper_list::ListState;
use crate::client_config::undo::Record;
use crate::commands::clients::machine;
use crate::commands::configure_choice::Choice;
use crate::commands::warnings::Warnings;
use crate::context::Context;
use crate::context::SystemPaths;
use crate::environment::Environment;
use crate::error::Error;
use crate::error::Result;

/// The home directory that is copied for each new account (`useradd`, `adduser`).
const SKELETON: &str = "etc/skel";

/// The directory of the record's directory.
const STATE: &str = "var/lib";

/// The variable with the directories of programs.
const PATH: &str = "PATH";

/// Returns the variables: none but `PATH`, and the one that makes the file that stays the only one
/// of podman, because files in runtime directories are not copied.
pub(super) fn environment(context: &Context<'_>) -> Environment {
    let auth_file = skeleton(context).join(podman::PERSISTENT_FILE);
    let search_path = context.environment.text(PATH).ok().flatten();
    let search_path = search_path.map(|text| (PATH, text.into()));
    [(podman::FILE, auth_file.into_os_string())]
        .into_iter()
        .chain(search_path)
        .collect()
}

/// Returns the context of the skeleton's user.
///
/// # Errors
/// This user is not root, or the system is not Linux.
pub(super) fn context<'a>(
    context: &Context<'a>,
    environment: &'a Environment,
) -> Result<Context<'a>> {
    if !cfg!(target_os = "linux") {
        return Err(
            Error::user("--system works only on Linux, where new accounts get /etc/skel")
                .with_hint(format!("Each user runs '{PROGRAM} configure'")),
        );
    }
    if machine(context).user_id != Some(0) {
        return Err(
            Error::user("cannot configure clients for all users: only root can")
                .with_hint(format!("Run 'sudo {PROGRAM} configure --system …'")),
        );
    }
    let root = &context.system_paths.root;
    Ok(Context {
        config_directory: None,
        environment,
        state_directory: Some(root.join(STATE)),
        system_paths: SystemPaths {
            home: Some(skeleton(context)),
            ..context.system_paths.clone()
        },
        ..context.clone()
    })
}

fn skeleton(context: &Context<'_>) -> PathBuf {
    context.system_paths.root.join(SKELETON)
}

/// Checks what the arguments and the machine need before anything is changed.
///
/// # Errors
/// No registry is named: root's logins are not those of other users. Or other users cannot start
/// this program.
pub(super) fn check(arguments: &Arguments, context: &Context<'_>) -> Result<()> {
    if arguments.registries.is_empty() && !arguments.all {
        return Err(Error::user(
            "--system needs the registries: it does not look at root's logins",
        )
        .with_hint(format!(
            "Run '{PROGRAM} configure --system --registry us.icr.io'"
        )));
    }
    let search_path = context.environment.text(PATH).ok().flatten();
    let mut candidates = std::env::split_paths(search_path.unwrap_or_default())
        .map(|directory| directory.join(PROGRAM))
        .filter(|path| path.is_file());
    match candidates.next() {
        Some(path) if is_for_all_users(&path) => Ok(()),
        Some(path) => Err(Error::user(format!(
            "other users cannot start {}, the first {PROGRAM} on the PATH",
            path.display()
        ))
        .with_hint("Install it in a directory for all users, such as /usr/local/bin")),
        None => Err(Error::user(format!(
            "{PROGRAM} is not on the PATH, so clients do not find it"
        ))
        .with_hint("Install it in a directory for all users, such as /usr/local/bin")),
    }
}

/// Returns whether all users can reach and start a program.
#[cfg(unix)]
fn is_for_all_users(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let path = path.canonicalize();
    path.is_ok_and(|path| {
        path.ancestors().all(|it| {
            it.metadata()
                .is_ok_and(|it| it.permissions().mode() & 0o001 != 0)
        })
    })
}

#[cfg(not(unix))]
fn is_for_all_users(_path: &Path) -> bool {
    true
}

/// Returns what happens to podman's list for all users; nothing if podman is not chosen.
///
/// # Errors
/// There is a list without this program, which another list would replace.
pub(super) fn plan_list(choice: &Choice, context: &Context<'_>) -> Result<Option<FileOutcome>> {
    if !choice.clients.contains(&Client::Podman) {
        return Ok(None);
    }
    let machine = machine(context);
    let outcome = |path: &Path| FileOutcome::unchanged(Client::Podman, path);
    match system_helper_list::state(&machine) {
        ListState::Configured(path) => Ok(Some(FileOutcome {
            already: choice.hosts.clone(),
            ..outcome(&path)
        })),
        ListState::Others(other) => Err(Error::user(format!(
            "{} lists the helpers of podman for all users, without this one. Nothing was changed",
            other.display()
        ))
        .with_hint(format!(
            "Add \"icr\" to credential-helpers there, or configure only docker: '{PROGRAM} configure docker --system …'"
        ))),
        ListState::Missing => {
            let path = system_helper_list::path(&machine);
            let diff = diff::of_texts(&path, None, Some(system_helper_list::TEXT));
            Ok(Some(FileOutcome {
                hosts: choice.hosts.clone(),
                created: true,
                changed: true,
                diff: Some(diff),
                ..outcome(&path)
            }))
        }
    }
}

/// Writes podman's list as planned, and records the directories that were created for it, unless it
/// is a dry run.
///
/// # Errors
/// The file cannot be written.
pub(super) fn write_list(
    plan: FileOutcome,
    arguments: &Arguments,
    context: &Context<'_>,
) -> Result<FileOutcome> {
    if arguments.dry_run || !plan.changed {
        return Ok(plan);
    }
    let _lock = context.locks.lock_client_files();
    let path = Path::new(&plan.path);
    let created = system_helper_list::write(path).map_err(|error| write_error(path, &error))?;
    if !created.is_empty() {
        let directory = state_directory(context)?;
        let recorded = Record::load(&directory).and_then(|(mut record, _)| {
            record.list_directories.extend(created);
            record.save(&directory)
        });
        recorded.map_err(|error| Error::from_anyhow(&error))?;
    }
    Ok(FileOutcome { diff: None, ..plan })
}

/// Deletes the file with podman's list, if it is still as this program wrote it.
///
/// # Errors
/// It was changed, or cannot be read or deleted.
pub(super) fn remove_list(
    arguments: &Arguments,
    context: &Context<'_>,
    record: &mut Record,
) -> Result<Option<FileOutcome>> {
    if arguments.client.is_some_and(|it| it != Client::Podman) {
        return Ok(None);
    }
    let path = system_helper_list::path(&machine(context));
    let text = system_helper_list::read(&path).map_err(|error| write_error(&path, &error))?;
    let Some(text) = text else {
        if !arguments.dry_run {
            record.list_directories.clear();
        }
        return Ok(None);
    };
    if text != system_helper_list::TEXT {
        return Err(write_error(&path, &"it was changed by hand")
            .with_hint(format!("Delete it: 'rm {}'", path.display())));
    }
    let mut outcome = FileOutcome {
        removed: true,
        changed: true,
        ..FileOutcome::unchanged(Client::Podman, &path)
    };
    if arguments.dry_run {
        outcome.diff = Some(diff::of_texts(&path, Some(&text), None));
    } else {
        let removed = system_helper_list::remove(&path, &record.list_directories);
        removed.map_err(|error| write_error(&path, &error))?;
        record.list_directories.clear();
    }
    Ok(Some(outcome))
}

/// Notes what these files do for which users.
pub(super) fn note_users(outcomes: &[FileOutcome], warnings: &Warnings<'_>) {
    let has = |client| outcomes.iter().any(|outcome| outcome.client == client);
    if has(Client::Docker) {
        warnings.note(&format!(
            "docker has no file for all users. New accounts get the one in /{SKELETON}; other users run '{PROGRAM} configure docker'"
        ));
    }
    if has(Client::Podman) {
        warnings.note(&format!(
            "podman reads no /etc/containers/auth.json, so its list of helpers names this program, for all registries. Before you remove {PROGRAM}, run '{PROGRAM} configure --system --undo': podman cannot pull without a helper that is in the list"
        ));
    }
}
