//! The answer: as text and as JSON.

use std::path::Path;

use serde_json::Value;
use serde_json::json;

use super::Arguments;
use crate::client_config::Client;
use crate::commands::scopes::listed;
use crate::commands::warnings::Warnings;

/// What came of one file.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) client: Client,
    pub(super) path: String,
    /// Hosts that were put in, or taken out.
    pub(super) hosts: Vec<String>,
    pub(super) already: Vec<String>,
    /// Registries whose passwords were taken out.
    pub(super) migrated: Vec<String>,
    pub(super) created: bool,
    pub(super) removed: bool,
    pub(super) changed: bool,
    pub(super) diff: Option<String>,
}

impl Done {
    pub(super) fn nothing(client: Client, path: &Path) -> Self {
        Self {
            client,
            path: path.display().to_string(),
            hosts: Vec::new(),
            already: Vec::new(),
            migrated: Vec::new(),
            created: false,
            removed: false,
            changed: false,
            diff: None,
        }
    }
}

pub(super) fn told(arguments: &Arguments, done: &[Done], is_well: bool) -> String {
    if arguments.dry_run {
        let diffs: String = done
            .iter()
            .filter_map(|done| done.diff.as_deref())
            .collect();
        return match diffs.is_empty() {
            true => "Nothing would change.".into(),
            false => diffs.trim_end().to_owned(),
        };
    }
    let is_worth_a_line =
        |done: &&Done| arguments.undo || !(done.hosts.is_empty() && done.already.is_empty());
    let done = done.iter().filter(is_worth_a_line);
    let lines: Vec<String> = done.map(|done| done.line(arguments.undo)).collect();
    match lines.is_empty() && arguments.undo && is_well {
        true => "There is nothing to take out.".into(),
        false => lines.join("\n"),
    }
}

impl Done {
    pub(super) fn line(&self, is_undo: bool) -> String {
        let file = format!("{}: {}", self.client, self.path);
        match (is_undo, self.removed, self.hosts.is_empty()) {
            (true, true, _) => format!("{file} was made by this program, and is removed."),
            (true, false, false) => format!(
                "{file} no longer names the helper for {}.",
                listed(&self.hosts)
            ),
            (true, false, true) => format!("{file} no longer has anything of this program's."),
            (false, _, true) => format!(
                "{file} already names the helper for {}.",
                listed(&self.already)
            ),
            (false, _, false) => {
                format!("{file} now names the helper for {}.", listed(&self.hosts))
            }
        }
    }
}

pub(super) fn as_json(arguments: &Arguments, done: &[Done], warnings: &Warnings<'_>) -> Value {
    let key = if arguments.undo { "removed" } else { "added" };
    let files: Vec<Value> = done
        .iter()
        .map(|done| {
            let mut file = json!({
                "client": done.client.name(),
                "path": done.path,
                "changed": done.changed,
                "created": done.created,
                "deleted": done.removed,
                "added": [],
                "removed": [],
                "already": done.already,
                "migrated": done.migrated,
                "diff": done.diff,
            });
            file[key] = json!(done.hosts);
            file
        })
        .collect();
    json!({"dry_run": arguments.dry_run, "files": files, "warnings": warnings.texts()})
}
