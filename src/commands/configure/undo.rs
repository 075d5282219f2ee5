//! `configure --undo`: removes what `configure` has added.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use super::Arguments;
use super::files::MAX_ATTEMPTS;
use super::files::absolute;
use super::files::parse;
use super::files::read;
use super::files::replace_error;
use super::files::state_directory;
use super::files::sweep;
use super::files::write_error;
use super::output::FileOutcome;
use super::record;
use super::system;
use crate::client_config::Client;
use crate::client_config::Machine;
use crate::client_config::diff;
use crate::client_config::file;
use crate::client_config::file::ReplaceError;
use crate::client_config::json::Document;
use crate::client_config::undo::Change;
use crate::client_config::undo::Record;
use crate::commands::clients::machine;
use crate::commands::configure_choice::files_of;
use crate::commands::scopes::listed;
use crate::commands::warnings::Warnings;
use crate::context::Context;
use crate::environment::Environment;
use crate::error::Error;
use crate::error::Result;
use crate::fs;
use crate::fs::busy;
use crate::time::Clock;

/// Removes the recorded changes, the latest first. A change that cannot be removed stays
/// recorded.
pub(super) fn undo(
    arguments: &Arguments,
    context: &Context<'_>,
    warnings: &Warnings<'_>,
) -> Result<(Vec<FileOutcome>, Vec<Error>)> {
    // A dry run creates no file, not even a lock.
    let _lock = (!arguments.dry_run).then(|| context.locks.lock_client_files());
    let directory = state_directory(context)?;
    let record = record::load(&directory, arguments.dry_run, context, warnings);
    let mut record = record.map_err(|error| Error::from_anyhow(&error))?;
    let known = known_files(context)?;
    for change in &mut record.changes {
        // The path of a client, because the recorded one may lead elsewhere in a moment.
        let same = known.iter().find(|it| fs::is_same_place(it, &change.path));
        if let Some(known) = same.filter(|it| **it != change.path) {
            change.move_to(known);
        }
    }
    let paths = record.changes.iter().map(|change| change.path.clone());
    let paths: BTreeSet<PathBuf> = paths.collect();
    if !arguments.dry_run {
        sweep(&known, warnings);
    }
    let mut outcomes = Vec::new();
    let mut errors = Vec::new();
    for path in paths {
        let is_selected = |change: &&Change| {
            change.path == path
                && arguments
                    .client
                    .is_none_or(|client| client.owner_of_file() == change.client)
        };
        let changes: Vec<Change> = record.changes.iter().filter(is_selected).cloned().collect();
        if changes.is_empty() {
            continue;
        }
        let removed = check_undo(&path, &known, &directory).and_then(|()| {
            remove_changes_as_owner(
                &path,
                &directory,
                &changes,
                arguments.dry_run,
                context.clock,
            )
        });
        match removed {
            Ok(outcome) => {
                outcomes.push(outcome);
                record.changes.retain(|change| !is_selected(&change));
            }
            Err(error) => errors.push(error),
        }
    }
    if arguments.system {
        match system::remove_list(arguments, context, &mut record) {
            Ok(outcome) => outcomes.extend(outcome),
            Err(error) => errors.push(error),
        }
    }
    if !arguments.dry_run {
        record.save(&directory).map_err(|error| {
            let context = format!(
                "cannot update the record of changes in {}",
                directory.display()
            );
            Error::from_anyhow(&error).with_context(context)
        })?;
        if arguments.system {
            // It is only for the record. With another file in it, it stays.
            let _ = std::fs::remove_dir(&directory);
        }
    }
    note_remaining(arguments, &outcomes, &record, warnings, context);
    Ok((outcomes, errors))
}

/// Returns the files that `--undo` may change: those that clients read now, and those that
/// they read without environment variables.
pub(super) fn known_files(context: &Context<'_>) -> Result<Vec<PathBuf>> {
    let environment = Environment::default();
    let unset = Machine {
        environment: &environment,
        ..machine(context)
    };
    let mut known = Vec::new();
    for machine in [machine(context), unset] {
        for client in Client::ALL {
            known.extend(client.possible_files(&machine)?);
        }
    }
    Ok(known.iter().map(|path| absolute(path)).collect())
}

/// Checks that a record does not lead to other files than those of clients, or to a file
/// that the record's owner may not change.
pub(super) fn check_undo(path: &Path, known: &[PathBuf], state_directory: &Path) -> Result<()> {
    if !known.iter().any(|known| known == path) {
        return Err(write_error(path, &"clients do not read it now").with_hint(
            "If a variable such as DOCKER_CONFIG named it, set the variable and try again. Otherwise remove the helper by hand",
        ));
    }
    let owner = fs::acting_owner(state_directory);
    if owner.is_some() && fs::entry_exists(path) && owner != fs::acting_owner(path) {
        return Err(write_error(
            path,
            &format!(
                "the owner of the record {} may not change it",
                state_directory.display()
            ),
        )
        .with_hint("Remove the helper by hand"));
    }
    Ok(())
}

/// Removes the changes with the rights of the record's owner.
pub(super) fn remove_changes_as_owner(
    path: &Path,
    state_directory: &Path,
    changes: &[Change],
    is_dry_run: bool,
    clock: &dyn Clock,
) -> Result<FileOutcome> {
    let _rights = fs::act_as_owner(state_directory).map_err(|error| write_error(path, &error))?;
    remove_changes(path, changes, is_dry_run, clock)
}

/// Removes all changes from a file.
pub(super) fn remove_changes(
    path: &Path,
    changes: &[Change],
    is_dry_run: bool,
    clock: &dyn Clock,
) -> Result<FileOutcome> {
    let client = changes
        .first()
        .map_or(Client::Docker, |change| change.client);
    for _ in 0..MAX_ATTEMPTS {
        let mut outcome = FileOutcome::unchanged(client, path);
        let Some(old) = read(path, clock)? else {
            return Ok(outcome);
        };
        let before = parse(path, &old, client)?.our_hosts();
        let new = changes
            .iter()
            .rev()
            .fold(old.to_string(), |text, change| change.revert(&text));
        let document = parse(path, &new, client)?;
        let after = document.our_hosts();
        outcome.hosts = before
            .into_iter()
            .filter(|host| !after.contains(host))
            .collect();
        outcome.changed = new != *old;
        let creating = changes.iter().find(|change| change.made_file);
        outcome.removed = outcome.changed && creating.is_some() && document.is_empty();
        if !outcome.changed {
            return Ok(outcome);
        }
        if is_dry_run {
            let new = (!outcome.removed).then_some(&*new);
            outcome.diff = Some(diff::unified(path, Some(&old), new));
            return Ok(outcome);
        }
        let replace = || file::replace(path, Some(&old), &new);
        match busy::retry(clock, ReplaceError::is_busy, replace) {
            Err(ReplaceError::Changed) => continue,
            Err(error) => return Err(replace_error(path, client, error)),
            Ok(_) => {}
        }
        if let Some(change) = creating.filter(|_| outcome.removed) {
            let above = change.made_directories.iter();
            let above: Vec<PathBuf> = above.filter(|it| path.starts_with(it)).cloned().collect();
            let removed = file::remove(path, &above);
            removed.map_err(|error| write_error(path, &error))?;
        }
        return Ok(outcome);
    }
    Err(write_error(path, &ReplaceError::Changed))
}

/// Notes the files that still have the helper that no record names.
pub(super) fn note_remaining(
    arguments: &Arguments,
    outcomes: &[FileOutcome],
    record: &Record,
    warnings: &Warnings<'_>,
    context: &Context<'_>,
) {
    let clients = arguments.client.map_or(Client::ALL.to_vec(), |it| vec![it]);
    for file in files_of(&clients, &machine(context)).unwrap_or_default() {
        let path = absolute(&file.path);
        if record
            .changes
            .iter()
            .any(|change| fs::is_same_place(&change.path, &path))
        {
            continue;
        }
        let text = read(&file.path, context.clock).ok().flatten();
        let text = text.as_deref().map_or("", String::as_str);
        let document = Document::parse_as(text, file.client.format());
        let mut hosts = document.map_or(Vec::new(), |document| document.our_hosts());
        // After a dry run, the hosts to remove are still in the file.
        let removed = outcomes
            .iter()
            .filter(|outcome| fs::is_same_place(Path::new(&outcome.path), &path));
        let removed: Vec<&String> = removed.flat_map(|outcome| &outcome.hosts).collect();
        hosts.retain(|host| !removed.contains(&host));
        if !hosts.is_empty() {
            warnings.note(&format!(
                "{} still has the helper for {}, which the record of 'configure' does not have. Remove it there by hand",
                path.display(),
                listed(&hosts)
            ));
        }
    }
}
