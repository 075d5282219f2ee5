//! The record of what this program added to clients' files, for `configure --undo`.
//!
//! It holds which text was added, where, and what it replaced: helper names, spaces and
//! hosts. It never holds the passwords that were moved out of a file.

use std::ffi::OsStr;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::anyhow;
use serde::Deserialize;
use serde::Serialize;

use super::Client;
use super::file;
use super::file::Created;
use super::json::Document;
use super::json::Edit;
use super::json::apply_edits;
use super::json::inverse_edits;
use crate::fs;
use crate::fs::Directory;
use crate::fs::TrustedUsers;

/// The name of the record's file, in the state directory.
const FILE: &str = "configured.json";

/// The file with the changes for regctl: earlier versions, which do not know this client, would
/// call the record damaged.
const REGCTL_FILE: &str = "configured-regctl.json";

/// The files, each with the clients whose changes it has.
const FILES: [(&str, &[Client]); 2] = [
    (FILE, &[Client::Docker, Client::Podman]),
    (REGCTL_FILE, &[Client::Regctl]),
];

/// The largest record that is read, in bytes.
const LIMIT: u64 = 4 * 1024 * 1024;

const VERSION: u32 = 1;

/// All changes that were not undone yet, the oldest first.
#[derive(Debug, Deserialize, Serialize)]
pub struct Record {
    v: u32,
    /// The changes; `steps` in the file, as earlier versions wrote it.
    #[serde(rename = "steps")]
    pub changes: Vec<Change>,
    /// The directories that were created for podman's list for all users, the uppermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub list_directories: Vec<PathBuf>,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            v: VERSION,
            changes: Vec::new(),
            list_directories: Vec::new(),
        }
    }
}

/// How many damaged records are kept side by side.
const MAX_DAMAGED: u32 = 100;

/// A record that is not what this version writes: cut off, empty, of another program or of a later
/// version.
#[derive(Debug)]
pub struct DamagedRecord {
    path: PathBuf,
    /// The clients whose changes it has.
    pub clients: &'static [Client],
}

impl DamagedRecord {
    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it another name in the same directory, and returns that. Earlier ones stay.
    ///
    /// # Errors
    /// The file cannot be renamed.
    pub fn set_aside(&self) -> anyhow::Result<PathBuf> {
        let _rights = fs::act_as_owner(&self.path)?;
        let name = |number: u32| {
            let suffix = match number {
                1 => ".damaged".to_owned(),
                number => format!(".damaged-{number}"),
            };
            let mut name = self.path.clone().into_os_string();
            name.push(suffix);
            PathBuf::from(name)
        };
        let mut names = (1..=MAX_DAMAGED).map(name);
        let free = names.find(|name| name.symlink_metadata().is_err());
        let free = free.context("there are too many damaged records")?;
        let renamed = std::fs::rename(&self.path, &free);
        renamed.with_context(|| format!("cannot rename the record {}", self.path.display()))?;
        Ok(free)
    }
}

/// One change of one file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Change {
    /// The client that reads the file.
    pub client: Client,
    /// The file.
    pub path: PathBuf,
    /// The hosts that this change configured, each with the helper that it replaced.
    pub hosts: Vec<(String, Option<String>)>,
    /// Whether this change created `credHelpers`.
    pub made_helpers: bool,
    /// Whether this change created the file.
    pub made_file: bool,
    /// The directories that were created for it, the outermost first.
    pub made_directories: Vec<PathBuf>,
    /// What was inserted, in order; `pieces` in the file, as earlier versions wrote it.
    #[serde(rename = "pieces")]
    hunks: Vec<Hunk>,
}

/// A text that was inserted.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Hunk {
    /// The offset in the new file, in bytes.
    at: usize,
    /// The new text.
    text: String,
    /// The text that it replaced.
    before: String,
}

impl Change {
    /// Creates the record of what `edits` change in `text`.
    pub fn new(
        (client, path): (Client, &Path),
        hosts: Vec<(String, Option<String>)>,
        made_helpers: bool,
        text: &str,
        edits: &[Edit],
    ) -> Self {
        let inverse = inverse_edits(text, edits).into_iter();
        let hunks = inverse.zip(edits).map(|(inverse, edit)| Hunk {
            at: inverse.at.start,
            text: edit.text.clone(),
            before: inverse.text,
        });
        Self {
            client,
            path: path.to_owned(),
            hosts,
            made_helpers,
            made_file: false,
            made_directories: Vec::new(),
            hunks: hunks.collect(),
        }
    }

    /// Creates the record of changes that are only known by the names of the hosts.
    pub fn by_name(client: Client, path: &Path, hosts: Vec<String>) -> Self {
        let hosts = hosts.into_iter().map(|host| (host, None)).collect();
        Self::new((client, path), hosts, true, "", &[])
    }

    /// Adds the file and directories that were created for the change.
    pub fn with(self, made: Created) -> Self {
        Self {
            made_file: made.file,
            made_directories: made.directories,
            ..self
        }
    }

    /// Records another path of the same file, also in the directories that were created.
    pub fn move_to(&mut self, path: &Path) {
        let above: Vec<&Path> = path.ancestors().skip(1).collect();
        for directory in &mut self.made_directories {
            if let Some(same) = above.iter().find(|it| fs::is_same_place(it, directory)) {
                *directory = same.to_path_buf();
            }
        }
        self.path = path.to_owned();
    }

    /// Returns the text without this change.
    ///
    /// If all hunks are still in their places, the result is the old text, byte by byte.
    /// Otherwise the entries are removed by their names; entries that were changed since
    /// stay.
    pub fn revert(&self, text: &str) -> String {
        if let Some(before) = self.without_hunks(text) {
            return before;
        }
        match Document::parse_as(text, self.client.format()) {
            Ok(document) => apply_edits(
                text,
                &document.remove_helpers(&self.hosts, self.made_helpers),
            ),
            Err(_) => text.to_owned(),
        }
    }

    fn without_hunks(&self, text: &str) -> Option<String> {
        if self.hunks.is_empty() {
            return None;
        }
        let mut edits = Vec::new();
        for hunk in &self.hunks {
            let at = hunk.at..hunk.at.checked_add(hunk.text.len())?;
            (text.get(at.clone())? == hunk.text).then_some(())?;
            edits.push(Edit {
                at,
                text: hunk.before.clone(),
            });
        }
        if edits
            .windows(2)
            .any(|pair| pair[0].at.end > pair[1].at.start)
        {
            return None;
        }
        let before = apply_edits(text, &edits);
        // Never turn a valid file into an invalid one, whatever happened in between.
        let is_possible = before.len() as u64 <= file::LIMIT
            && Document::parse_as(&before, self.client.format()).is_ok();
        is_possible.then_some(before)
    }
}

/// Returns the path of the record in the state directory.
pub fn path_in(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

impl Record {
    /// Reads the record with the rights of the directory's owner. A missing file is an
    /// empty record; damaged ones are returned beside it.
    ///
    /// # Errors
    /// The file cannot be read, or can be changed by another user, who could then decide what
    /// `configure --undo` writes.
    pub fn load(directory: &Path) -> anyhow::Result<(Self, Vec<DamagedRecord>)> {
        let _rights = fs::act_as_owner(directory)?;
        let mut all = Self::default();
        let mut damaged = Vec::new();
        for (name, clients) in FILES {
            let path = directory.join(name);
            match Self::read(&path)? {
                Some(record) => {
                    all.changes.extend(record.changes);
                    all.list_directories.extend(record.list_directories);
                }
                None => damaged.push(DamagedRecord { path, clients }),
            }
        }
        Ok((all, damaged))
    }

    /// Reads one file; `None` if it is damaged.
    fn read(path: &Path) -> anyhow::Result<Option<Self>> {
        let bytes = match path.symlink_metadata() {
            Err(error) if is_absent(&error) => return Ok(Some(Self::default())),
            Err(error) => Err(error.into()),
            Ok(metadata) if !metadata.is_file() => Err(anyhow!("it is not a regular file")),
            Ok(_) => fs::refuse_if_others_write(path, &TrustedUsers::acting_user())
                .and_then(|()| fs::read_bytes(path, LIMIT)),
        };
        let bytes = bytes.map_err(|error| {
            let what = format!("cannot read the record {}", path.display());
            fs::with_owner_hint(error, path).context(what)
        })?;
        let record = serde_json::from_slice::<Self>(&bytes).ok();
        Ok(record.filter(|record| record.v == VERSION))
    }

    /// Writes the record. If nothing is left to undo, deletes the file, and the directory if that
    /// leaves it empty.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, directory: &Path) -> anyhow::Result<()> {
        let _rights = fs::act_as_owner(directory)?;
        let changes = self.changes.iter().cloned();
        let (of_regctl, others) = changes.partition(|change| change.client == Client::Regctl);
        let directories = self.list_directories.clone();
        for (name, changes, list_directories) in [
            (FILE, others, directories),
            (REGCTL_FILE, of_regctl, Vec::new()),
        ] {
            let record = Self {
                v: VERSION,
                changes,
                list_directories,
            };
            let path = directory.join(name);
            let written = record.write(directory, name);
            written.map_err(|error| fs::with_owner_hint(error, &path))?;
        }
        if self.is_empty() {
            // On macOS and Windows, other files of this program are in it, so it may stay.
            let _ = std::fs::remove_dir(directory);
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.list_directories.is_empty()
    }

    fn write(&self, directory: &Path, name: &str) -> anyhow::Result<()> {
        if self.is_empty() {
            return match std::fs::remove_file(directory.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
                _ => Ok(()),
            };
        }
        fs::create_private_directories(directory)?;
        let text = serde_json::to_vec_pretty(self)?;
        let directory = Directory::open(directory)?;
        directory.remove_leftovers();
        directory.put(OsStr::new(name), true, |mut file| {
            file.write_all(&text)?;
            Ok(file.sync_all()?)
        })
    }
}

fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::NotADirectory;
    use io::ErrorKind::NotFound;
    matches!(error.kind(), NotADirectory | NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTS: [&str; 2] = ["us.icr.io", "de.icr.io"];

    fn configured(text: &str) -> (String, Change) {
        let hosts: Vec<String> = HOSTS.iter().map(|&host| host.to_owned()).collect();
        let helper_plan = Document::parse(text).unwrap().plan_helpers(&hosts).unwrap();
        let former = |host: &String| helper_plan.former(host).map(str::to_owned);
        let hosts = hosts
            .iter()
            .filter(|host| !helper_plan.configured.contains(host))
            .map(|host| (host.clone(), former(host)));
        let file = (Client::Docker, Path::new("/f"));
        let change = Change::new(
            file,
            hosts.collect(),
            helper_plan.creates_section,
            text,
            &helper_plan.edits,
        );
        (apply_edits(text, &helper_plan.edits), change)
    }

    #[test]
    fn undo_restores_the_file_byte_by_byte() {
        for text in [
            "",
            " \n",
            "{}",
            "{ }\r\n",
            "{\n\n}\n",
            "{\"credHelpers\":null}",
            "{\"credHelpers\": { \t}, \"a\": 1e400}",
            "{\"credHelpers\": {\"us.icr.io\": null, \"de.icr.io\": \"docker-credential-icr\"}}",
            "{\n\t\"credHelpers\": {\n\t\t\"de.icr.io\": \"other\"\n\t}\n}",
            "{\r\n  \"a\": \"\\ud800\",\r\n  \"credHelpers\": {\"us.icr.io\": \"icr\"}\r\n}",
        ] {
            let (after, change) = configured(text);
            assert_eq!(change.revert(&after), text);
            let again = serde_json::to_string(&change).unwrap();
            assert_eq!(serde_json::from_str::<Change>(&again).unwrap(), change);
        }
    }

    #[test]
    fn undo_keeps_later_changes_of_other_programs() {
        for (before, rewritten, expected) in [
            (
                "{}",
                r#"{"auths":{},"credHelpers":{"us.icr.io":"icr","de.icr.io":"icr"}}"#,
                r#"{"auths":{}}"#,
            ),
            (
                "{}",
                r#"{"credHelpers":{"us.icr.io":"icr","x.io":"x","de.icr.io":"icr"}}"#,
                r#"{"credHelpers":{"x.io":"x"}}"#,
            ),
            (
                "{}",
                r#"{"credHelpers":{"us.icr.io":"mine","de.icr.io":"icr"}}"#,
                r#"{"credHelpers":{"us.icr.io":"mine"}}"#,
            ),
            (
                r#"{"credHelpers":{"us.icr.io":"other"}}"#,
                r#"{"new":1,"credHelpers":{"us.icr.io":"icr","de.icr.io":"icr"}}"#,
                r#"{"new":1,"credHelpers":{"us.icr.io":"other"}}"#,
            ),
            (
                r#"{"credHelpers":{}}"#,
                r#"{"n":1,"credHelpers":{"de.icr.io":"icr"}}"#,
                r#"{"n":1,"credHelpers":{}}"#,
            ),
            ("{}", "{broken", "{broken"),
            ("{}", "", ""),
        ] {
            let (_, change) = configured(before);
            assert_eq!(change.revert(rewritten), expected, "{rewritten}");
        }
    }

    #[test]
    fn the_record_is_deleted_when_nothing_is_left_to_undo() {
        let directory = tempfile::tempdir().unwrap();
        fs::tests::close_to_others(directory.path());
        let directory = directory.path().join("made/when/needed");
        let (mut record, _) = Record::load(&directory).unwrap();
        assert!(record.changes.is_empty());
        record.save(&directory).unwrap();
        record.changes.push(configured("{}").1);
        record.save(&directory).unwrap();
        assert_eq!(Record::load(&directory).unwrap().0.changes, record.changes);
        record.changes.clear();
        record.save(&directory).unwrap();
        assert!(!directory.exists());
    }

    #[test]
    fn a_damaged_record_is_set_aside_beside_earlier_ones() {
        let directory = tempfile::tempdir().unwrap();
        fs::tests::close_to_others(directory.path());
        let directory = directory.path();
        for (text, name) in [
            (&b"{"[..], "configured.json.damaged"),
            (b"", "configured.json.damaged-2"),
            (b"\xff\0", "configured.json.damaged-3"),
            (b"{\"v\": 2, \"steps\": []}", "configured.json.damaged-4"),
            (b"{\"name\": \"other\"}", "configured.json.damaged-5"),
        ] {
            std::fs::write(directory.join(FILE), text).unwrap();
            let (record, damaged) = Record::load(directory).unwrap();
            assert!(record.changes.is_empty());
            assert_eq!(damaged[0].set_aside().unwrap(), directory.join(name));
            assert_eq!(std::fs::read(directory.join(name)).unwrap(), text);
        }
        assert_eq!(Record::load(directory).unwrap().1.len(), 0);
        assert_eq!(std::fs::read_dir(directory).unwrap().count(), 5);
    }
}
