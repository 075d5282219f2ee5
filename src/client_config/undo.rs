//! What this program has put into clients' files, so that it can be taken out again:
//! which text, where, and what was there before. That is helpers' names, spaces and
//! hosts; passwords that were moved out of a file are no part of it.

use std::ffi::OsStr;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use anyhow::anyhow;
use serde::Deserialize;
use serde::Serialize;

use super::Client;
use super::file;
use super::file::Made;
use super::json::Document;
use super::json::Edit;
use super::json::applied;
use super::json::reversed;
use crate::fs;
use crate::fs::Directory;
use crate::fs::Trusted;

/// The file of the record, in the directory for what programs remember.
const FILE: &str = "configured.json";

/// The most that is read of it, in bytes.
const LIMIT: u64 = 4 * 1024 * 1024;

const VERSION: u32 = 1;

/// Every change that was not taken back yet, the oldest first.
#[derive(Debug, Deserialize, Serialize)]
pub struct Record {
    v: u32,
    /// The changes.
    pub steps: Vec<Step>,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            v: VERSION,
            steps: Vec::new(),
        }
    }
}

/// One change of one file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Step {
    /// Whose file it is.
    pub client: Client,
    /// Which file.
    pub path: PathBuf,
    /// The hosts that this program answers for since then, with the name of the
    /// helper before it.
    pub hosts: Vec<(String, Option<String>)>,
    /// Whether `credHelpers` are there since then.
    pub made_helpers: bool,
    /// Whether the file is there since then.
    pub made_file: bool,
    /// The directories that were made for it.
    pub made_directories: Vec<PathBuf>,
    /// The pieces of text that were put in, in order.
    pieces: Vec<Piece>,
}

/// A piece of text.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Piece {
    /// At which byte it begins.
    at: usize,
    /// What was put in.
    text: String,
    /// In place of what.
    before: String,
}

impl Step {
    /// What `edits` do to `text`.
    pub fn new(
        (client, path): (Client, &Path),
        hosts: Vec<(String, Option<String>)>,
        made_helpers: bool,
        text: &str,
        edits: &[Edit],
    ) -> Self {
        let reversed = reversed(text, edits).into_iter();
        let pieces = reversed.zip(edits).map(|(reverse, edit)| Piece {
            at: reverse.at.start,
            text: edit.text.clone(),
            before: reverse.text,
        });
        Self {
            client,
            path: path.to_owned(),
            hosts,
            made_helpers,
            made_file: false,
            made_directories: Vec::new(),
            pieces: pieces.collect(),
        }
    }

    /// The same, of a file that was made on the way.
    pub fn with(self, made: Made) -> Self {
        Self {
            made_file: made.file,
            made_directories: made.directories,
            ..self
        }
    }

    /// The text without what was put in: to the byte as it was before, if the pieces
    /// still stand where they were put; otherwise without the entries. Entries that
    /// somebody has changed since stay.
    pub fn revert(&self, text: &str) -> String {
        if let Some(before) = self.without_pieces(text) {
            return before;
        }
        match Document::parse(text) {
            Ok(document) => applied(text, &document.unnaming(&self.hosts, self.made_helpers)),
            Err(_) => text.to_owned(),
        }
    }

    fn without_pieces(&self, text: &str) -> Option<String> {
        let mut edits = Vec::new();
        for piece in &self.pieces {
            let at = piece.at..piece.at.checked_add(piece.text.len())?;
            (text.get(at.clone())? == piece.text).then_some(())?;
            edits.push(Edit {
                at,
                text: piece.before.clone(),
            });
        }
        if edits
            .windows(2)
            .any(|pair| pair[0].at.end > pair[1].at.start)
        {
            return None;
        }
        let before = applied(text, &edits);
        // Never from a good file to a bad one, whatever happened in between.
        let is_possible = before.len() as u64 <= file::LIMIT && Document::parse(&before).is_ok();
        is_possible.then_some(before)
    }
}

/// Where the record is in the directory for what programs remember.
pub fn path_in(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

impl Record {
    /// Reads the record with the rights of the directory's owner; one that is not there
    /// is empty. Whoever can change it decides what `configure --undo` writes into
    /// clients' files.
    ///
    /// # Errors
    /// It cannot be read, another user can change it, or it is not what this program
    /// wrote.
    pub fn load(directory: &Path) -> anyhow::Result<Self> {
        let _rights = fs::act_as_owner(directory)?;
        let path = path_in(directory);
        let text = match path.symlink_metadata() {
            Err(error) if is_absent(&error) => return Ok(Self::default()),
            Err(error) => Err(error.into()),
            Ok(metadata) if !metadata.is_file() => Err(anyhow!("it is not a regular file")),
            Ok(_) => fs::refuse_if_others_write(&path, &Trusted::acting_user())
                .and_then(|()| fs::read_regular(&path, LIMIT)),
        };
        let text = text.map_err(|error| fs::with_owner_hint(error, &path))?;
        serde_json::from_str(&text).map_err(|_| {
            anyhow!(
                "{} is damaged; remove it, and take out by hand what was put in until now",
                path.display()
            )
        })
    }

    /// Writes it, or removes the file when there is nothing to be taken back.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self, directory: &Path) -> anyhow::Result<()> {
        let _rights = fs::act_as_owner(directory)?;
        let path = path_in(directory);
        self.write(directory, &path)
            .map_err(|error| fs::with_owner_hint(error, &path))
    }

    fn write(&self, directory: &Path, path: &Path) -> anyhow::Result<()> {
        if self.steps.is_empty() {
            return match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
                _ => Ok(()),
            };
        }
        fs::make_directory(directory)?;
        let text = serde_json::to_vec_pretty(self)?;
        let directory = Directory::open(directory)?;
        directory.sweep();
        directory.put(OsStr::new(FILE), true, |mut file| {
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

    fn configured(text: &str) -> (String, Step) {
        let hosts: Vec<String> = HOSTS.iter().map(|&host| host.to_owned()).collect();
        let naming = Document::parse(text).unwrap().naming(&hosts).unwrap();
        let others = naming.others.iter();
        let former = |host: &String| others.clone().find(|(other, _)| other == host);
        let hosts = hosts
            .iter()
            .filter(|host| !naming.already.contains(host))
            .map(|host| (host.clone(), former(host).map(|(_, helper)| helper.clone())));
        let file = (Client::Docker, Path::new("/f"));
        let step = Step::new(file, hosts.collect(), naming.is_first, text, &naming.edits);
        (applied(text, &naming.edits), step)
    }

    #[test]
    fn what_was_put_in_is_taken_out_to_the_byte() {
        for text in [
            "",
            " \n",
            "{}",
            "{ }\r\n",
            "{\n\n}\n",
            "{\"credHelpers\":null}",
            "{\"credHelpers\": { \t}, \"a\": 1e400}",
            "{\n\t\"credHelpers\": {\n\t\t\"de.icr.io\": \"other\"\n\t}\n}",
            "{\r\n  \"a\": \"\\ud800\",\r\n  \"credHelpers\": {\"us.icr.io\": \"icr\"}\r\n}",
        ] {
            let (after, step) = configured(text);
            assert_eq!(step.revert(&after), text);
            let again = serde_json::to_string(&step).unwrap();
            assert_eq!(serde_json::from_str::<Step>(&again).unwrap(), step);
        }
    }

    #[test]
    fn what_others_wrote_in_the_meantime_stays() {
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
            let (_, step) = configured(before);
            assert_eq!(step.revert(rewritten), expected, "{rewritten}");
        }
    }

    #[test]
    fn a_record_is_there_as_long_as_there_is_something_to_take_back() {
        let directory = tempfile::tempdir().unwrap();
        fs::tests::close_to_others(directory.path());
        let directory = directory.path().join("made/when/needed");
        let mut record = Record::load(&directory).unwrap();
        assert!(record.steps.is_empty());
        record.save(&directory).unwrap();
        record.steps.push(configured("{}").1);
        record.save(&directory).unwrap();
        assert_eq!(Record::load(&directory).unwrap().steps, record.steps);
        record.steps.clear();
        record.save(&directory).unwrap();
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
        std::fs::write(directory.join(FILE), "{").unwrap();
        assert!(Record::load(&directory).is_err());
    }
}
