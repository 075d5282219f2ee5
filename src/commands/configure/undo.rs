//! `configure --undo`: removes what `configure` has added.

use std::path::Path;
use std::path::PathBuf;

use super::Arguments;
use super::files::MOST_ATTEMPTS;
use super::files::absolute;
use super::files::parse;
use super::files::read;
use super::files::state;
use super::files::sweep;
use super::files::unwritten;
use super::output::Done;
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

/// Takes out what is noted, the latest first; what cannot be taken out now stays
/// noted.
pub(super) fn undo(
    arguments: &Arguments,
    context: &Context<'_>,
    warnings: &Warnings<'_>,
) -> Result<(Vec<Done>, Vec<String>)> {
    let _lock = context.locks.lock_client_files();
    let directory = state(context).map_err(|error| Error::user(format!("{error:#}")))?;
    let mut record = Record::load(&directory).map_err(|error| Error::user(format!("{error:#}")))?;
    let mut paths: Vec<_> = record
        .changes
        .iter()
        .map(|change| change.path.clone())
        .collect();
    paths.sort();
    paths.dedup();
    let known = known_files(context)?;
    if !arguments.dry_run {
        sweep(&known, warnings);
    }
    let mut done = Vec::new();
    let mut failures = Vec::new();
    for path in paths {
        let is_meant = |change: &&Change| {
            change.path == path
                && arguments
                    .client
                    .is_none_or(|client| client == change.client)
        };
        let changes: Vec<Change> = record.changes.iter().filter(is_meant).cloned().collect();
        if changes.is_empty() {
            continue;
        }
        let taken_out = may_take_out(&path, &known, &directory)
            .and_then(|()| take_out_as_owner(&path, &directory, &changes, arguments.dry_run));
        match taken_out {
            Ok(out) => {
                done.push(out);
                record.changes.retain(|change| !is_meant(&change));
            }
            Err(failure) => failures.push(failure.to_string()),
        }
    }
    if !arguments.dry_run {
        record.save(&directory).map_err(|error| {
            Error::user(format!("what was taken out cannot be noted ({error:#})"))
        })?;
    }
    tell_what_stays(arguments, &done, &record, warnings, context);
    Ok((done, failures))
}

/// The files that `--undo` may touch: those in which clients look now, and those in
/// which they look without variables.
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

/// Refuses what a note must not make this program do: change another file than those of
/// clients, or one that the note's owner may not change.
pub(super) fn may_take_out(path: &Path, known: &[PathBuf], note: &Path) -> Result<()> {
    if !known.iter().any(|known| known == path) {
        return Err(unwritten(
            path,
            &"it is none of the files in which clients look now; if a variable such as DOCKER_CONFIG named it, set that again and repeat this, otherwise take the helper out of it by hand",
        ));
    }
    let owner = fs::acting_owner(note);
    if owner.is_some() && fs::is_there(path) && owner != fs::acting_owner(path) {
        return Err(unwritten(
            path,
            &format!(
                "what was put in is noted in {}, whose owner may not change this file; take the helper out of it by hand",
                note.display()
            ),
        ));
    }
    Ok(())
}

/// Takes the changes out with no more rights than the owner of the note has.
pub(super) fn take_out_as_owner(
    path: &Path,
    note: &Path,
    changes: &[Change],
    is_dry: bool,
) -> Result<Done> {
    let _rights = fs::act_as_owner(note).map_err(|error| unwritten(path, &error))?;
    take_out(path, changes, is_dry)
}

/// Takes all changes of a file out of it.
pub(super) fn take_out(path: &Path, changes: &[Change], is_dry: bool) -> Result<Done> {
    let client = changes
        .first()
        .map_or(Client::Docker, |change| change.client);
    for _ in 0..MOST_ATTEMPTS {
        let mut done = Done::nothing(client, path);
        let Some(old) = read(path)? else {
            return Ok(done);
        };
        let before = parse(path, &old)?.our_hosts();
        let new = changes
            .iter()
            .rev()
            .fold(old.to_string(), |text, change| change.revert(&text));
        let document = parse(path, &new)?;
        let after = document.our_hosts();
        done.hosts = before
            .into_iter()
            .filter(|host| !after.contains(host))
            .collect();
        done.changed = new != *old;
        let made = changes.iter().find(|change| change.made_file);
        done.removed = done.changed && made.is_some() && document.is_empty();
        if !done.changed {
            return Ok(done);
        }
        if is_dry {
            let new = (!done.removed).then_some(&*new);
            done.diff = Some(diff::unified(path, Some(&old), new));
            return Ok(done);
        }
        match file::replace(path, Some(&old), &new) {
            Err(ReplaceError::Changed) => continue,
            Err(ReplaceError::Failed(error)) => return Err(unwritten(path, &error)),
            Ok(_) => {}
        }
        if let Some(change) = made.filter(|_| done.removed) {
            let above = change.made_directories.iter();
            let above: Vec<PathBuf> = above.filter(|it| path.starts_with(it)).cloned().collect();
            let removed = file::remove(path, &above);
            removed.map_err(|error| unwritten(path, &error))?;
        }
        return Ok(done);
    }
    Err(unwritten(path, &ReplaceError::Changed))
}

/// Which files name this program all the same, because somebody else put that in.
pub(super) fn tell_what_stays(
    arguments: &Arguments,
    done: &[Done],
    left: &Record,
    warnings: &Warnings<'_>,
    context: &Context<'_>,
) {
    let clients = arguments.client.map_or(Client::ALL.to_vec(), |it| vec![it]);
    for file in files_of(&clients, &machine(context)).unwrap_or_default() {
        let path = absolute(&file.path);
        if left.changes.iter().any(|change| change.path == path) {
            continue;
        }
        let text = read(&file.path).ok().flatten();
        let text = text.as_deref().map_or("", String::as_str);
        let mut hosts = Document::parse(text).map_or(Vec::new(), |document| document.our_hosts());
        let path = path.display().to_string();
        // What a dry run would take out is still there.
        let out = done.iter().filter(|done| done.path == path);
        let out: Vec<&String> = out.flat_map(|done| &done.hosts).collect();
        hosts.retain(|host| !out.contains(&host));
        if !hosts.is_empty() {
            warnings.note(&format!(
                "{path} still names the helper for {}, which was put in by hand; take it out there.",
                listed(&hosts)
            ));
        }
    }
}
