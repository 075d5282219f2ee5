//! Files of items: one for each, in a directory that only this user can access.

use std::ffi::OsStr;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use super::Item;
use super::KeychainError;
use super::Kind;
use super::ListedItem;
use crate::fs;
use crate::fs::Directory;

/// The maximum size of a file, in bytes: an encrypted secret of the maximum length.
const MAX_SIZE: u64 = 256 * 1024;

/// How often a file is written: another process may delete the empty directory in between.
const WRITE_ATTEMPTS: u32 = 3;

/// The files of a namespace, below `DIRECTORY/NAMESPACE/KIND`. A file's name is that of the item, so
/// that they can be listed without their contents.
#[derive(Debug)]
pub(super) struct ItemFiles {
    directory: Option<PathBuf>,
    namespace: String,
    extension: &'static str,
}

impl ItemFiles {
    /// Creates the files below `directory`, whose names end with `extension`.
    pub(super) fn new(directory: Option<&Path>, namespace: &str, extension: &'static str) -> Self {
        Self {
            directory: directory.map(Path::to_owned),
            namespace: namespace.to_owned(),
            extension,
        }
    }

    fn directory(&self, kind: Kind) -> Result<PathBuf, KeychainError> {
        let directory = self.directory.as_ref().ok_or_else(|| {
            KeychainError::Unusable(
                "this user has no home directory for encrypted files".into(),
                "Set HOME to it".into(),
            )
        })?;
        Ok(directory.join(&self.namespace).join(kind.name()))
    }

    fn file_name(&self, item: &Item) -> String {
        format!("{}{}", encoded(&item.name), self.extension)
    }

    /// Returns whether the item has a file.
    pub(super) fn exists(&self, item: &Item) -> bool {
        let directory = self.directory(item.kind);
        directory.is_ok_and(|it| fs::entry_exists(&it.join(self.file_name(item))))
    }

    /// Returns the content of the item's file; `None` if it has none.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn read(&self, item: &Item) -> Result<Option<Vec<u8>>, KeychainError> {
        let Ok(path) = self.directory(item.kind) else {
            return Ok(None);
        };
        let name = self.file_name(item);
        // Without opening the directory, because most registries have no login.
        if is_missing(&path.join(&name)) {
            return Ok(None);
        }
        let opened = Directory::open(&path).and_then(|it| it.read(OsStr::new(&name)));
        let content = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => Err(error.into()),
            Ok(file) => fs::read(file, MAX_SIZE),
        };
        content.map(Some).map_err(|error| {
            let path = path.join(name);
            KeychainError::Refused(format!("cannot read {} ({error})", path.display()))
        })
    }

    /// Replaces the item's file in one step.
    ///
    /// # Errors
    /// The file cannot be written. The previous one is kept.
    pub(super) fn write(&self, item: &Item, content: &[u8]) -> Result<(), KeychainError> {
        let path = self.directory(item.kind)?;
        let name = self.file_name(item);
        let put = || -> anyhow::Result<()> {
            fs::create_private_directories(&path)?;
            let directory = Directory::open(&path)?;
            directory.remove_leftovers();
            directory.put(OsStr::new(&name), true, |mut file| {
                file.write_all(content)?;
                Ok(file.sync_all()?)
            })
        };
        let mut outcome = put();
        for _ in 1..WRITE_ATTEMPTS {
            if outcome.is_err() && !path.exists() {
                outcome = put();
            }
        }
        outcome.map_err(|error| cannot_write(&path.join(name), &error))
    }

    /// Deletes the item's file, and the directories that are empty then.
    ///
    /// # Errors
    /// The file cannot be deleted.
    pub(super) fn delete(&self, item: &Item) -> Result<(), KeychainError> {
        if !self.exists(item) {
            return Ok(());
        }
        let path = self.directory(item.kind)?;
        let name = self.file_name(item);
        let deleted = Directory::open(&path).and_then(|it| it.remove(OsStr::new(&name)));
        match deleted {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let path = path.join(name);
                let reason = format!("cannot delete {} ({error})", path.display());
                return Err(KeychainError::Refused(reason));
            }
            _ => {}
        }
        for directory in path.ancestors().take(3) {
            if std::fs::remove_dir(directory).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Returns the items of a kind.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(super) fn list(&self, kind: Kind) -> Result<Vec<ListedItem>, KeychainError> {
        let Ok(path) = self.directory(kind) else {
            return Ok(Vec::new());
        };
        listed(&path, self.extension)
    }

    /// Deletes the files of a kind that were written at least this long before the item's.
    pub(super) fn delete_older(&self, than: &Item, age: Duration) {
        let Ok(path) = self.directory(than.kind) else {
            return;
        };
        let written = |name: &str| path.join(name).metadata().and_then(|it| it.modified());
        let Ok(newest) = written(&self.file_name(than)) else {
            return;
        };
        for listed in self.list(than.kind).unwrap_or_default() {
            let item = Item::new(than.kind, &listed.name);
            let before = written(&self.file_name(&item));
            let before = before
                .ok()
                .and_then(|time| newest.duration_since(time).ok());
            if before.is_some_and(|before| before >= age) {
                let _ = self.delete(&item);
            }
        }
    }
}

/// Returns the error of a file or directory that cannot be written.
pub(super) fn cannot_write(path: &Path, error: &anyhow::Error) -> KeychainError {
    let kind = error
        .chain()
        .find_map(|cause| Some(cause.downcast_ref::<io::Error>()?.kind()));
    let fix = match kind {
        Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
            "Delete what is not needed there"
        }
        Some(io::ErrorKind::ReadOnlyFilesystem) => "Make that file system writable",
        _ => "Make sure that this user can write there",
    };
    let reason = format!("cannot write {} ({error:#})", path.display());
    KeychainError::Unusable(reason, fix.into())
}

/// Returns whether there is certainly no file.
fn is_missing(path: &Path) -> bool {
    let kind = path.symlink_metadata().map_err(|error| error.kind());
    matches!(
        kind,
        Err(io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
    )
}

/// Returns the items that have files with this extension in a directory.
///
/// # Errors
/// The directory cannot be read.
pub(super) fn listed(path: &Path, extension: &str) -> Result<Vec<ListedItem>, KeychainError> {
    let entries = match std::fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries,
    };
    let entries = entries.map_err(|error| {
        KeychainError::Refused(format!("cannot read {} ({error})", path.display()))
    })?;
    let names = entries.flatten().filter_map(|entry| {
        let name = entry.file_name();
        decoded(name.to_str()?.strip_suffix(extension)?)
    });
    let items = names.map(|name| ListedItem {
        name,
        username: None,
    });
    let mut items: Vec<ListedItem> = items.collect();
    items.sort_unstable();
    Ok(items)
}

/// Returns an item's name as a file name: `%XX` for all bytes that other programs could take for
/// something else.
pub(super) fn encoded(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for (index, byte) in name.bytes().enumerate() {
        let is_plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'@');
        if is_plain || (byte == b'.' && index > 0) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// Returns the name of which this is [`encoded`]; `None` if it is not exactly that.
fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(part.get(2..)?.as_bytes());
    }
    String::from_utf8(bytes)
        .ok()
        .filter(|name| encoded(name) == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_encoded_so_that_it_is_one_file_and_can_be_listed() {
        for (name, file) in [
            ("us.icr.io", "us.icr.io"),
            ("@", "@"),
            ("@team-a", "@team-a"),
            ("localhost:5000", "localhost%3A5000"),
            ("../x", "%2E.%2Fx"),
            ("[::1]:80", "%5B%3A%3A1%5D%3A80"),
        ] {
            assert_eq!(encoded(name), file);
            assert_eq!(decoded(file).as_deref(), Some(name));
        }
        for file in ["%", "%2", "%zz", "%61", "a~", ".x", "%3a", "%FF"] {
            assert_eq!(decoded(file), None, "{file}");
        }
    }

    #[test]
    fn files_are_private_and_empty_directories_are_deleted() {
        use std::os::unix::fs::MetadataExt;
        let directory = tempfile::tempdir().unwrap();
        let own = directory.path().join(crate::PROGRAM).join("keychain");
        let files = ItemFiles::new(Some(&own), "default", ".cred");
        let item = Item::login("us.icr.io");
        assert_eq!(files.read(&item), Ok(None));
        assert_eq!(files.list(Kind::Login), Ok(Vec::new()));
        for content in [b"one", b"two"] {
            files.write(&item, content).unwrap();
            assert_eq!(files.read(&item), Ok(Some(content.to_vec())));
        }
        let path = own.join("default/login/us.icr.io.cred");
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        let parent = path.parent().unwrap();
        assert_eq!(parent.metadata().unwrap().mode() & 0o777, 0o700);
        assert_eq!(files.list(Kind::Login).unwrap()[0].name, "us.icr.io");
        assert_eq!(files.list(Kind::Token), Ok(Vec::new()));
        files.delete(&item).unwrap();
        files.delete(&item).unwrap();
        assert!(!own.exists());
        assert!(own.parent().unwrap().exists());
    }

    #[test]
    fn a_link_in_place_of_a_file_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let files = ItemFiles::new(Some(directory.path()), "default", ".cred");
        let item = Item::login("us.icr.io");
        files.write(&item, b"x").unwrap();
        let path = directory.path().join("default/login/us.icr.io.cred");
        let target = directory.path().join("target");
        std::fs::rename(&path, &target).unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert!(files.read(&item).is_err());
        files.delete(&item).unwrap();
        assert!(target.exists());
    }

    #[test]
    fn without_a_directory_nothing_is_stored() {
        let files = ItemFiles::new(None, "default", ".cred");
        let item = Item::login("us.icr.io");
        assert_eq!(files.read(&item), Ok(None));
        assert_eq!(files.list(Kind::Login), Ok(Vec::new()));
        assert!(files.write(&item, b"x").unwrap_err().is_absent());
        files.delete(&item).unwrap();
    }

    #[test]
    fn only_old_files_are_deleted() {
        let directory = tempfile::tempdir().unwrap();
        let files = ItemFiles::new(Some(directory.path()), "default", ".cred");
        let [old, new] = ["old", "new"].map(Item::token);
        files.write(&old, b"x").unwrap();
        files.write(&new, b"x").unwrap();
        let path = directory.path().join("default/token/old.cred");
        let file = std::fs::File::options().write(true).open(path).unwrap();
        let written = file.metadata().unwrap().modified().unwrap();
        files.delete_older(&new, Duration::from_secs(60));
        assert!(files.exists(&old));
        file.set_modified(written - Duration::from_secs(61))
            .unwrap();
        files.delete_older(&new, Duration::from_secs(60));
        assert!(!files.exists(&old) && files.exists(&new));
    }
}
