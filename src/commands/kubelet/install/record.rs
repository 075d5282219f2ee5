//! The record of what `kubelet install` changed, with copies of what was there before.
//!
//! A change is in the record before it is made, so that a process that is killed at any moment
//! leaves nothing that `kubelet uninstall` does not find.

use std::ffi::OsStr;
use std::fs::File;
use std::io::ErrorKind;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use anyhow::ensure;
use serde::Deserialize;
use serde::Serialize;

use crate::PROGRAM;
use crate::client_config::kubelet_flags;
use crate::client_config::kubelet_provider_edit;
use crate::commands::kubelet::PROVIDER;
use crate::commands::kubelet::location::entries;
use crate::digest;
use crate::error::Error;
use crate::error::Result;
use crate::fs;
use crate::fs::Directory;
use crate::fs::Missing;
use crate::fs::TrustedUsers;

/// The directory of the record's directory.
const STATE: &str = "var/lib";

/// The name of the record.
const NAME: &str = "installed.json";

/// The largest file that is read, in bytes: a debug build of this program has some 100 MB.
const MAX_SIZE: u64 = 1024 * 1024 * 1024;

/// The kinds of files, in the order in which they are written. Each needs those before it, so that
/// the kubelet can start at any moment.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// This program.
    Program,
    /// The configuration of the credential providers.
    Config,
    /// A file of variables with the kubelet's flags.
    Flags,
    /// A file with settings of the distribution, of this program alone.
    Snippet,
}

/// What was changed.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Record {
    /// The units that may run the kubelet, with blanks between them.
    pub(super) unit: Option<String>,
    /// The flags that were added.
    pub(super) flags: String,
    /// Whether the kubelet has to be restarted.
    pub(super) restart: bool,
    /// The digest of a plan with which the kubelet did not run.
    pub(super) rejected: Option<String>,
    /// The program that was tried before it was installed.
    pub(super) staged: Option<PathBuf>,
    /// The directories that were created, the outermost first.
    directories: Vec<PathBuf>,
    /// The files, in the order in which they were written.
    pub(super) files: Vec<Entry>,
}

/// A file that was changed or created.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Entry {
    pub(super) kind: Kind,
    pub(super) path: PathBuf,
    /// What was there before; none if there was no file.
    before: Option<Before>,
    /// The digests of all that this program has written.
    written: Vec<String>,
}

/// A file before it was changed.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Before {
    /// The name of the copy, beside the record.
    copy: String,
    mode: u32,
    owner: u32,
    group: u32,
}

/// A file that is to be written.
pub(crate) struct NewFile {
    pub(super) kind: Kind,
    pub(super) path: PathBuf,
    pub(super) content: Vec<u8>,
    /// The mode of a file that is created.
    pub(super) mode: u32,
}

/// What is there now, compared with what this program wrote.
pub(super) enum State {
    /// The file was deleted, or is as it was before.
    Restored,
    /// It is as this program wrote it.
    Written,
    /// Another program or a person has changed it.
    Changed(Vec<u8>),
}

/// The record in its directory, which other processes do not use meanwhile.
pub(crate) struct Store {
    directory: PathBuf,
    pub(super) record: Record,
    _lock: File,
}

impl Entry {
    /// Returns whether there was a file.
    pub(super) fn has_before(&self) -> bool {
        self.before.is_some()
    }

    /// Returns the mode that the file had; the usual one if there was none.
    pub(super) fn mode(&self) -> u32 {
        self.before.as_ref().map_or(0o644, |before| before.mode)
    }
}

impl Store {
    /// Returns whether there is a record, or the beginning of one.
    pub(super) fn exists(root: &Path) -> bool {
        directory(root).exists()
    }

    /// Opens the record, or creates an empty one.
    ///
    /// # Errors
    /// It cannot be read or created, or another process uses it.
    pub(super) fn open(root: &Path) -> Result<Self> {
        let directory = directory(root);
        let opened = (|| {
            fs::create_private_directories(&directory)?;
            fs::open_private(&directory.join("lock"), Missing::Create)
        })();
        let lock = opened.map_err(|error| failed("cannot create", &directory, &error))?;
        fs::try_lock(&lock).map_err(|_| {
            Error::temporary("another process installs or removes the provider on this machine")
        })?;
        let path = directory.join(NAME);
        let record = match content(&path) {
            Ok(None) => Record::default(),
            Ok(Some(bytes)) => serde_json::from_slice(&bytes).map_err(|_| {
                Error::user(format!(
                    "cannot read {}: it is no record of this program",
                    path.display()
                ))
                .with_hint("Restore the copies beside it by hand, and delete it")
            })?,
            Err(error) => return Err(failed("cannot read", &path, &error)),
        };
        Ok(Self {
            directory,
            record,
            _lock: lock,
        })
    }

    /// Writes the record.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn save(&self) -> Result<()> {
        let text = serde_json::to_vec_pretty(&self.record).map_err(Error::internal)?;
        self.put_beside(NAME, &text)
    }

    /// Writes a private file beside the record.
    ///
    /// # Errors
    /// It cannot be written.
    fn put_beside(&self, name: &str, content: &[u8]) -> Result<()> {
        let path = self.directory.join(name);
        put(&path, content, 0o600, None).map_err(|error| failed("cannot write", &path, &error))
    }

    /// Writes a file, after recording what is there.
    ///
    /// # Errors
    /// The file cannot be read or written, is a link, or other users can change it.
    pub(super) fn write(&mut self, file: &NewFile) -> Result<()> {
        let before =
            content(&file.path).map_err(|error| failed("cannot read", &file.path, &error))?;
        let position = self.record.files.iter().position(|it| it.path == file.path);
        let index = match position {
            Some(index) => {
                self.keep_changes(index)?;
                index
            }
            None => self.add(file, before.as_deref())?,
        };
        let written = digest::of_content(&file.content);
        if let Some(entry) = self.record.files.get_mut(index)
            && !entry.written.contains(&written)
        {
            entry.written.push(written);
        }
        self.save()?;
        let mode = mode_of(&file.path).filter(|_| file.kind != Kind::Program);
        self.create_directory(file.path.parent().unwrap_or(Path::new("/")))?;
        put(&file.path, &file.content, mode.unwrap_or(file.mode), None)
            .map_err(|error| failed("cannot write", &file.path, &error))
    }

    /// Adds a file to the record, with a copy of what is there. Returns its position.
    fn add(&mut self, file: &NewFile, before: Option<&[u8]>) -> Result<usize> {
        let index = self.record.files.len();
        let before = before.map(|before| self.copy_of(index, &file.path, before));
        let before = before.transpose()?;
        self.record.files.push(Entry {
            kind: file.kind,
            path: file.path.clone(),
            before,
            written: Vec::new(),
        });
        Ok(index)
    }

    /// Writes a copy of what is there. Returns what the record has of it.
    fn copy_of(&self, index: usize, path: &Path, content: &[u8]) -> Result<Before> {
        let copy = format!("before-{index}");
        self.put_beside(&copy, content)?;
        let (owner, group) = owner_of(path);
        Ok(Before {
            copy,
            mode: mode_of(path).unwrap_or(0o644),
            owner,
            group,
        })
    }

    /// Makes what others wrote meanwhile, without what this program added, that which was before.
    fn keep_changes(&mut self, index: usize) -> Result<()> {
        let Some(mut entry) = self.record.files.get(index).cloned() else {
            return Ok(());
        };
        let State::Changed(now) = self.state(&entry)? else {
            return Ok(());
        };
        let rest = self.without_own(&entry, &now).unwrap_or(now);
        let is_needed = !rest.is_empty() || (entry.kind == Kind::Flags && entry.before.is_some());
        let before = is_needed.then(|| self.copy_of(index, &entry.path, &rest));
        entry.before = before.transpose()?;
        entry.written.clear();
        if let Some(old) = self.record.files.get_mut(index) {
            *old = entry;
        }
        Ok(())
    }

    /// Returns a file that others have changed without what this program added; `None` if it is not
    /// sure what that is.
    pub(super) fn without_own(&self, entry: &Entry, now: &[u8]) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(now).ok()?;
        let rest = match entry.kind {
            Kind::Config => kubelet_provider_edit::without_provider(text, PROVIDER)?,
            Kind::Flags => kubelet_flags::without_flags(text, &self.record.flags),
            Kind::Program | Kind::Snippet => return None,
        };
        Some(rest.into_bytes())
    }

    /// Creates a directory and those above it, which are recorded first.
    ///
    /// # Errors
    /// One cannot be created, or other users can write to it.
    pub(super) fn create_directory(&mut self, directory: &Path) -> Result<()> {
        let missing = directory.ancestors().take_while(|path| !path.exists());
        let mut missing: Vec<PathBuf> = missing.map(Path::to_owned).collect();
        missing.reverse();
        if !missing.is_empty() {
            self.record.directories.extend(missing);
            self.save()?;
        }
        let created = (|| {
            fs::create_directories_for_all(directory)?;
            fs::refuse_if_others_write(directory, &TrustedUsers::with_home(None))
        })();
        created.map_err(|error| failed("cannot use", directory, &error))
    }

    fn remove_directories(&mut self) {
        for directory in self.record.directories.drain(..).rev() {
            // Others may have files there.
            let _ = std::fs::remove_dir(directory);
        }
    }

    /// Returns what is at the place of a recorded file.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn state(&self, entry: &Entry) -> Result<State> {
        let now =
            content(&entry.path).map_err(|error| failed("cannot read", &entry.path, &error))?;
        let Some(now) = now else {
            return Ok(State::Restored);
        };
        if entry.written.contains(&digest::of_content(&now)) {
            return Ok(State::Written);
        }
        match self.before(entry)? {
            Some(before) if before == now => Ok(State::Restored),
            _ => Ok(State::Changed(now)),
        }
    }

    /// Returns what was there before.
    ///
    /// # Errors
    /// The copy cannot be read.
    pub(super) fn before(&self, entry: &Entry) -> Result<Option<Vec<u8>>> {
        let before = entry.before.as_ref();
        before.map(|before| self.copy(before)).transpose()
    }

    fn copy(&self, before: &Before) -> Result<Vec<u8>> {
        let path = self.directory.join(&before.copy);
        let bytes = content(&path).and_then(|bytes| bytes.context("it is missing"));
        bytes.map_err(|error| failed("cannot read", &path, &error))
    }

    /// Writes a file as it was before, or deletes it.
    ///
    /// # Errors
    /// It cannot be written or deleted.
    pub(super) fn restore(&self, entry: &Entry) -> Result<()> {
        let Some(before) = &entry.before else {
            return remove(&entry.path);
        };
        let owner = Some((before.owner, before.group));
        put(&entry.path, &self.copy(before)?, before.mode, owner)
            .map_err(|error| failed("cannot write", &entry.path, &error))
    }

    /// Returns the directory of files that are not used yet.
    pub(super) fn staging_directory(&self) -> &Path {
        &self.directory
    }

    /// Deletes the record, with the copies and the directories that were created and are empty.
    ///
    /// # Errors
    /// A file cannot be deleted.
    pub(super) fn delete(&mut self) -> Result<()> {
        if let Some(staged) = &self.record.staged {
            remove(staged)?;
        }
        self.remove_directories();
        // An empty record needs no copies, if the process is killed before all are deleted.
        self.record = Record::default();
        self.save()?;
        let mut others = entries(&self.directory);
        others.retain(|path| path.file_name().is_some_and(|name| name != NAME));
        for path in &others {
            remove(path)?;
        }
        remove(&self.directory.join(NAME))?;
        let _ = std::fs::remove_dir(&self.directory);
        let _ = self.directory.parent().map(std::fs::remove_dir);
        Ok(())
    }
}

fn directory(root: &Path) -> PathBuf {
    root.join(STATE).join(PROGRAM).join("kubelet")
}

/// Returns the bytes of a file; `None` if it is missing. Does not follow a link.
///
/// # Errors
/// It is a link or no regular file, or cannot be read.
pub(super) fn content(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    let opened = Directory::open(path.parent().context("it has no directory")?)
        .and_then(|directory| directory.read(path.file_name().unwrap_or_default()));
    match opened {
        Ok(file) => fs::read(file, MAX_SIZE).map(Some),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let is_link = path.symlink_metadata().is_ok_and(|it| it.is_symlink());
            ensure!(!is_link, "it is a link, and links are not followed");
            Err(error.into())
        }
    }
}

/// Replaces a file in one step.
///
/// # Errors
/// It cannot be written.
pub(super) fn put(
    path: &Path,
    content: &[u8],
    mode: u32,
    owner: Option<(u32, u32)>,
) -> anyhow::Result<()> {
    let directory = Directory::open(path.parent().context("it has no directory")?)?;
    let name: &OsStr = path.file_name().context("it has no name")?;
    directory.remove_leftovers();
    directory.put(name, true, |mut file| {
        file.write_all(content)?;
        fs::allow_all_users(file, mode)?;
        #[cfg(unix)]
        if let Some((user, group)) = owner {
            std::os::unix::fs::fchown(file, Some(user), Some(group))?;
        }
        #[cfg(not(unix))]
        let _ = owner;
        Ok::<_, anyhow::Error>(file.sync_all()?)
    })
}

/// Deletes a file, if there is one.
///
/// # Errors
/// It cannot be deleted.
pub(super) fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(failed("cannot delete", path, &error.into()))
        }
        _ => Ok(()),
    }
}

#[cfg(unix)]
pub(super) fn mode_of(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = path.symlink_metadata().ok()?;
    Some(metadata.permissions().mode() & 0o7777)
}

#[cfg(not(unix))]
pub(super) fn mode_of(_path: &Path) -> Option<u32> {
    None
}

#[cfg(unix)]
fn owner_of(path: &Path) -> (u32, u32) {
    use std::os::unix::fs::MetadataExt;
    let metadata = path.symlink_metadata();
    metadata.map_or((0, 0), |metadata| (metadata.uid(), metadata.gid()))
}

#[cfg(not(unix))]
fn owner_of(_path: &Path) -> (u32, u32) {
    (0, 0)
}

/// Returns the error of a file.
pub(super) fn failed(what: &str, path: &Path, error: &anyhow::Error) -> Error {
    Error::from_anyhow(error).with_context(format!("{what} {}", path.display()))
}
