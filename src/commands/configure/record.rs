//! Reading the record for `--undo`, also if it is damaged.

use std::path::Path;
use std::path::PathBuf;

use super::files::absolute;
use super::files::read;
use crate::client_config::Client;
use crate::client_config::json::Document;
use crate::client_config::undo::Change;
use crate::client_config::undo::DamagedRecord;
use crate::client_config::undo::Record;
use crate::commands::clients::machine;
use crate::commands::warnings::Warnings;
use crate::context::Context;

/// Reads the record. A damaged one is set aside, and the entries that clients' files have are
/// recorded by their names instead. A dry run renames nothing.
///
/// # Errors
/// See [`Record::load`] and [`DamagedRecord::set_aside`].
pub(super) fn load(
    directory: &Path,
    is_dry_run: bool,
    context: &Context<'_>,
    warnings: &Warnings<'_>,
) -> anyhow::Result<Record> {
    let (mut record, damaged) = Record::load(directory)?;
    for damaged in damaged {
        let place = if is_dry_run {
            String::new()
        } else {
            format!(" It is now {}.", damaged.set_aside()?.display())
        };
        warnings.warn(format!(
            "the record {} of what 'configure' added is damaged or not of this version.{place} '--undo' can still remove this helper by the names of the registries, but restores no other helper that it replaced, and deletes no files",
            damaged.path().display()
        ));
        record.changes.extend(changes_by_name(&damaged, context));
    }
    Ok(record)
}

fn changes_by_name(damaged: &DamagedRecord, context: &Context<'_>) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    for (client, path) in files(damaged.clients, context) {
        let text = read(&path, context.clock).ok().flatten();
        let text = text.as_deref().map_or("", String::as_str);
        let document = Document::parse_as(text, client.format());
        let hosts = document.map_or(Vec::new(), |document| document.our_hosts());
        if !hosts.is_empty() && !changes.iter().any(|change| change.path == path) {
            changes.push(Change::by_name(client, &path, hosts));
        }
    }
    changes
}

fn files(clients: &[Client], context: &Context<'_>) -> Vec<(Client, PathBuf)> {
    let machine = machine(context);
    let files = clients.iter().flat_map(|client| {
        let paths = client.possible_files(&machine).unwrap_or_default();
        let paths = paths.into_iter().map(|path| absolute(&path));
        paths.map(|path| (*client, path)).collect::<Vec<_>>()
    });
    files.collect()
}
