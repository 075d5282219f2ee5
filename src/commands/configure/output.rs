//! The answer: as text and as JSON.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::Arguments;
use crate::client_config::Client;
use crate::commands::scopes::listed;
use crate::commands::screen::Screen;
use crate::commands::warnings::Warnings;
use crate::error::Error;
use crate::error::Result;
use crate::error::one_line;

/// The maximum length of a helper's name in a message, in characters.
const MAX_NAME_LENGTH: usize = 100;

/// The maximum length of a path in a message, in characters: that of Linux.
const MAX_PATH_LENGTH: usize = 4096;

/// What happened to one file.
#[derive(Debug)]
pub(super) struct FileOutcome {
    pub(super) client: Client,
    pub(super) path: String,
    /// Hosts that were added or, by `--undo`, removed.
    pub(super) hosts: Vec<String>,
    pub(super) already: Vec<String>,
    /// Hosts whose passwords were moved to the keychain.
    pub(super) migrated: Vec<String>,
    pub(super) created: bool,
    pub(super) removed: bool,
    pub(super) changed: bool,
    /// Hosts for which the file names other helpers, with their names; only in previews.
    pub(super) other_helpers: Vec<(String, String)>,
    pub(super) diff: Option<String>,
}

impl FileOutcome {
    pub(super) fn unchanged(client: Client, path: &Path) -> Self {
        Self {
            client,
            path: path.display().to_string(),
            hosts: Vec::new(),
            already: Vec::new(),
            migrated: Vec::new(),
            created: false,
            removed: false,
            changed: false,
            other_helpers: Vec::new(),
            diff: None,
        }
    }
}

/// Returns the answer for a person.
pub(super) fn summary(
    arguments: &Arguments,
    outcomes: &[FileOutcome],
    is_complete: bool,
    screen: Screen,
) -> String {
    if arguments.check {
        let lines = outcomes.iter().flat_map(FileOutcome::differences);
        return lines.collect::<Vec<_>>().join("\n");
    }
    if arguments.dry_run {
        let diffs: String = outcomes
            .iter()
            .filter_map(|outcome| outcome.diff.as_deref())
            .collect();
        return if diffs.is_empty() {
            "No changes".into()
        } else {
            screen.diff(diffs.trim_end())
        };
    }
    // A file that has no entry of this program any more, for example because the system has
    // deleted it, needs no line.
    let is_shown = |outcome: &&FileOutcome| {
        if arguments.undo {
            outcome.changed
        } else {
            !(outcome.hosts.is_empty() && outcome.already.is_empty())
        }
    };
    let shown = outcomes.iter().filter(is_shown);
    let lines: Vec<String> = shown.map(|outcome| outcome.line(arguments.undo)).collect();
    if lines.is_empty() && arguments.undo && is_complete {
        "Nothing to undo".into()
    } else {
        lines.join("\n")
    }
}

impl FileOutcome {
    /// Returns the lines about what is not as asked in this file.
    fn differences(&self) -> Vec<String> {
        let is_other = |host: &String| self.other_helpers.iter().any(|(other, _)| other == host);
        let missing = self.hosts.iter().filter(|host| !is_other(host));
        let missing: Vec<&String> = missing.collect();
        let others = self.other_helpers.iter().map(|(host, other)| {
            let other = one_line(other, MAX_NAME_LENGTH);
            format!("helper '{other}' instead of this one for {host}")
        });
        let mut found = Vec::new();
        if !missing.is_empty() {
            found.push(format!("helper missing for {}", listed(&missing)));
        }
        found.extend(others);
        if !self.migrated.is_empty() {
            let hosts = listed(&self.migrated);
            found.push(format!("unencrypted password for {hosts}"));
        }
        if self.changed && found.is_empty() {
            found.push("not as clients read it".to_owned());
        }
        let lines = found.iter();
        lines
            .map(|text| format!("{}: {}: {text}", self.client, self.path))
            .collect()
    }

    /// Returns the line about this file.
    fn line(&self, is_undo: bool) -> String {
        let file = format!("{}: {}", self.client, one_line(&self.path, MAX_PATH_LENGTH));
        let hosts = listed(&self.hosts);
        match (is_undo, self.removed, self.hosts.is_empty()) {
            (true, true, _) => format!("{file}: deleted (it was created by this program)"),
            (true, false, false) => format!("{file}: helper removed for {hosts}"),
            (true, false, true) => format!("{file}: restored"),
            (false, _, true) => {
                format!("{file}: already configured for {}", listed(&self.already))
            }
            (false, _, false) => format!("{file}: helper added for {hosts}"),
        }
    }
}

/// The answer of `configure --json`.
#[derive(Serialize)]
struct Answer<'a> {
    /// Whether nothing was changed because of `--dry-run` or `--check`.
    dry_run: bool,
    /// The files of the chosen clients.
    files: Vec<File<'a>>,
    /// The warnings, as shown on stderr.
    warnings: Vec<String>,
}

/// What happened to one file, or would happen.
#[derive(Serialize)]
struct File<'a> {
    /// Hosts that the helper was added for.
    added: &'a [String],
    /// Whether the file changed.
    changed: bool,
    /// The client: `docker`, `podman` or `regctl`.
    client: &'a str,
    /// Hosts that the helper was configured for before.
    configured: &'a [String],
    /// Whether the file was created.
    created: bool,
    /// Whether the file was deleted.
    deleted: bool,
    /// The unified diff of a dry run, with `[redacted]` for possible secrets.
    diff: Option<&'a str>,
    /// Hosts whose passwords were moved to the keychain.
    migrated: &'a [String],
    /// The path of the file.
    path: &'a str,
    /// Hosts that the helper was removed for.
    removed: &'a [String],
}

impl<'a> File<'a> {
    fn new(outcome: &'a FileOutcome, is_undo: bool) -> Self {
        let FileOutcome {
            client,
            path,
            hosts,
            already,
            migrated,
            created,
            removed,
            changed,
            other_helpers: _,
            diff,
        } = outcome;
        let (added, removed_hosts) = if is_undo {
            (&[][..], &hosts[..])
        } else {
            (&hosts[..], &[][..])
        };
        Self {
            added,
            changed: *changed,
            client: client.name(),
            configured: already,
            created: *created,
            deleted: *removed,
            diff: diff.as_deref(),
            migrated,
            path,
            removed: removed_hosts,
        }
    }
}

/// Returns the answer as JSON.
pub(super) fn as_json(
    arguments: &Arguments,
    outcomes: &[FileOutcome],
    warnings: &Warnings<'_>,
) -> Result<Value> {
    let files = outcomes.iter();
    let answer = Answer {
        dry_run: arguments.dry_run || arguments.check,
        files: files
            .map(|outcome| File::new(outcome, arguments.undo))
            .collect(),
        warnings: warnings.texts(),
    };
    serde_json::to_value(answer).map_err(Error::internal)
}
