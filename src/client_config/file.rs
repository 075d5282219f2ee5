//! Reading and atomically replacing a client's file.
//!
//! Clients write these files, too, and take no lock: docker renames a new file into
//! place, podman 4 overwrites the old one. So a file that has changed since it was read is
//! not replaced; this is checked up to the moment before the rename.

use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::bail;
use zeroize::Zeroizing;

use super::Client;
use super::generated;
use super::in_place;
use super::in_place::Reason;
use super::json::Document;
use super::json::ParseError;
use crate::error::Error;
use crate::fs;
use crate::fs::Directory;
use crate::fs::busy;
use crate::secret::Secret;
use crate::text::encoding;

/// The largest client file that is read, in bytes. Docker's usually has a few hundred.
pub const LIMIT: u64 = 4 * 1024 * 1024;

/// The number of links that Linux follows.
const MAX_LINKS: u32 = 40;

/// Why a file was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// Another program has the file open, so that it cannot be replaced.
    #[error("another program has it open")]
    Busy,
    /// Another program has written the file in the meantime.
    #[error("another program keeps changing it")]
    Changed,
    /// The file cannot be replaced.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

impl ReplaceError {
    /// Returns whether another program may have the file open, so that it can be replaced later.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Busy => true,
            Self::Changed => false,
            Self::Failed(error) => busy::may_be_busy(error),
        }
    }

    /// Returns the error with its hint. If the system does not let this user write there, the
    /// hint is to take the directory over from root, or to choose another one.
    pub fn into_error(self, path: &Path, client: Client) -> Error {
        let error = match &self {
            Self::Busy => return Error::user(self.to_string()).with_hint(busy::HINT),
            Self::Changed => return Error::user(self.to_string()),
            Self::Failed(error) => error,
        };
        let cause = error.downcast_ref::<io::Error>();
        if let Some(obstacle) = cause.and_then(|cause| fs::obstacle_to_write(path, cause)) {
            return obstacle;
        }
        let kinds = [
            io::ErrorKind::PermissionDenied,
            io::ErrorKind::ReadOnlyFilesystem,
        ];
        let is_unwritable = kinds.into_iter().any(|kind| is_of_kind(error, kind));
        let error = Error::from_anyhow(error);
        if error.hint().is_some() || !is_unwritable {
            return error;
        }
        if let Some((_, command)) = fs::owned_by_root(path) {
            return error.with_hint(format!("To give it to this user, run '{command}'"));
        }
        error.with_hint(match client {
            Client::Docker | Client::Nerdctl => {
                "Set DOCKER_CONFIG to a directory that this user can write to"
            }
            Client::Podman => "Set REGISTRY_AUTH_FILE to a file that this user can write to",
            Client::Regctl => "Set REGCTL_CONFIG to a file that this user can write to",
        })
    }
}

/// What was created for a file.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Created {
    /// Directories, the outermost first.
    pub directories: Vec<PathBuf>,
    /// Whether there was no file before.
    pub file: bool,
}

/// Returns the text of a client's file, which may hold secrets; `None` if it is missing.
///
/// # Errors
/// The file cannot be read, is no regular file, too large or not UTF-8.
pub fn read(path: &Path) -> Result<Option<Zeroizing<String>>, ParseError> {
    // Until it is dropped, at the end of the function.
    let _as_owner =
        fs::act_as_owner(path).map_err(|error| ParseError::Ambiguous(error.to_string()))?;
    let file = fs::open(path);
    if let Err(error) = &file
        && let Some(obstacle) = fs::obstacle_to_read(path, error)
    {
        return Err(ParseError::Denied(obstacle));
    }
    if let Some(kind) = fs::special_kind(path) {
        return Err(ParseError::Denied(special_file(path, kind)));
    }
    match text_of(file) {
        // Windows opens no directory, and says that the access is denied.
        Err(_) if path.is_dir() => Err(ParseError::Directory),
        content => content,
    }
}

fn special_file(path: &Path, kind: &str) -> Error {
    let hint = if path.starts_with("/dev") {
        "Unset the variable that names it, or set it to a file of this user".to_owned()
    } else {
        format!("Remove it: rm {}", path.display())
    };
    Error::user(format!("it is {kind}, not a regular file")).with_hint(hint)
}

fn text_of(file: io::Result<File>) -> Result<Option<Zeroizing<String>>, ParseError> {
    let bytes = file.map_err(anyhow::Error::from);
    match bytes.and_then(|file| fs::read(file, LIMIT)) {
        Ok(bytes) => text(bytes).map(Some),
        Err(error) if is_of_kind(&error, io::ErrorKind::NotFound) => Ok(None),
        Err(error) if busy::is_busy(&error) => Err(ParseError::Busy),
        Err(error) if is_of_kind(&error, io::ErrorKind::PermissionDenied) => {
            Err(ParseError::Denied(Error::from_anyhow(&error)))
        }
        Err(error) if error.is::<io::Error>() => Err(ParseError::Broken(error.to_string())),
        // Too large, or not a regular file: clients would read it, so it is not broken, but
        // this program does not read it.
        Err(error) => Err(ParseError::Ambiguous(error.to_string())),
    }
}

/// Returns the text of a file that was read, even if clients cannot decode it.
pub fn decoded(
    content: Result<Option<Zeroizing<String>>, ParseError>,
) -> Result<Option<Zeroizing<String>>, ParseError> {
    match content {
        Err(ParseError::Encoding { text, .. }) => Ok(Some(Zeroizing::new(text.expose().into()))),
        content => content,
    }
}

fn text(bytes: Vec<u8>) -> Result<Zeroizing<String>, ParseError> {
    if let Some(deviation) = encoding::deviation(&bytes)
        && let Ok(text) = encoding::decode(&bytes)
    {
        drop(Zeroizing::new(bytes));
        return Err(ParseError::Encoding {
            encoding: deviation,
            text: Secret::new(&*text),
        });
    }
    String::from_utf8(bytes)
        .map(Zeroizing::new)
        .map_err(|error| {
            let bytes = Zeroizing::new(error.into_bytes());
            // Go clients accept invalid UTF-8 inside strings (as U+FFFD), so such a file is not
            // broken for them.
            let text = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
            let reason = "it is not UTF-8 text".to_owned();
            match Document::parse(&text) {
                Err(ParseError::Broken(_)) => ParseError::Broken(reason),
                _ => ParseError::Ambiguous(reason),
            }
        })
}

fn is_of_kind(error: &anyhow::Error, kind: io::ErrorKind) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == kind)
}

/// Replaces the file from which `old` was read with `new`. Links stay, and their target is
/// replaced; owner, mode and extended attributes stay. Only its owner can read a new file.
/// In a user's directories, root acts with that user's rights ([`fs::act_as_owner`]).
///
/// # Errors
/// See [`ReplaceError`]; then nothing was changed.
pub fn replace(path: &Path, old: Option<&str>, new: &str) -> Result<Created, ReplaceError> {
    let _as_owner = fs::act_as_owner(path).map_err(anyhow::Error::from)?;
    let made = would_create(path, old)?;
    let path = resolved(path).context("its symbolic links cannot be resolved")?;
    let directory = path.parent().context("it has no directory")?;
    generated::refuse(&path)?;
    make_directories(&made.directories)?;
    let outcome = write(&path, directory, old, new);
    if outcome.is_err() {
        remove_directories(&made.directories);
    }
    match outcome {
        Err(error) if error.is_busy() && busy::is_open_elsewhere(&path) => Err(ReplaceError::Busy),
        outcome => outcome.map(|()| made),
    }
}

/// Returns what [`replace`] would create.
///
/// # Errors
/// Symbolic links cannot be resolved.
pub fn would_create(path: &Path, old: Option<&str>) -> anyhow::Result<Created> {
    let _as_owner = fs::act_as_owner(path)?;
    let path = resolved(path).context("its symbolic links cannot be resolved")?;
    let directory = path.parent().context("it has no directory")?;
    let missing = directory.ancestors().take_while(|path| !path.exists());
    let mut missing: Vec<PathBuf> = missing.map(Path::to_owned).collect();
    missing.reverse();
    Ok(Created {
        directories: missing,
        file: old.is_none(),
    })
}

/// Writes the new version: into a file that is mounted by itself or has several names, otherwise
/// in its place.
fn write(path: &Path, directory: &Path, old: Option<&str>, new: &str) -> Result<(), ReplaceError> {
    let Some(text) = old else {
        return put(path, directory, old, new);
    };
    let reason = match in_place::reason(path) {
        Some(reason) => reason,
        None => match put(path, directory, old, new) {
            Err(ReplaceError::Failed(error)) if is_of_kind(&error, io::ErrorKind::ResourceBusy) => {
                Reason::Mounted
            }
            outcome => return outcome,
        },
    };
    in_place::refuse_read_only(path, &path.metadata().map_err(anyhow::Error::from)?)?;
    in_place::write(path, reason, text, new)
}

/// Writes content and attributes to the temporary file before the rename, through its
/// descriptor and not its name, because another process could exchange a file behind a name.
fn put(path: &Path, directory: &Path, old: Option<&str>, new: &str) -> Result<(), ReplaceError> {
    let name = path.file_name().context("it has no name")?;
    let context = format!("cannot write in {}", directory.display());
    let unwritable = |error: io::Error| anyhow::Error::from(error).context(context.clone());
    let directory = Directory::open(directory).map_err(unwritable)?;
    let outcome = directory.put(name, old.is_some(), |mut file| {
        file.write_all(new.as_bytes()).map_err(unwritable)?;
        let now = directory.read(name);
        if let Ok(former) = &now {
            keep_attributes(path, former, file)?;
        }
        file.sync_all().map_err(unwritable)?;
        match decoded(text_of(now))
            .map_err(anyhow::Error::from)?
            .as_deref()
        {
            now if now.map(String::as_str) == old => Ok(()),
            _ => Err(ReplaceError::Changed),
        }
    });
    match outcome {
        Err(ReplaceError::Failed(error)) if is_of_kind(&error, io::ErrorKind::AlreadyExists) => {
            Err(ReplaceError::Changed)
        }
        outcome => outcome,
    }
}

/// Returns the copies of a client's file that interrupted runs left beside it.
pub fn leftovers(path: &Path) -> Vec<PathBuf> {
    with_directory_of(path, |directory| directory.leftovers())
}

/// Deletes this user's [`leftovers`], and returns their paths.
pub fn delete_leftovers(path: &Path) -> Vec<PathBuf> {
    with_directory_of(path, |directory| directory.remove_leftovers())
}

fn with_directory_of(path: &Path, found: impl FnOnce(&Directory) -> Vec<PathBuf>) -> Vec<PathBuf> {
    let Ok(_rights) = fs::act_as_owner(path) else {
        return Vec::new();
    };
    let directory = resolved(path).ok();
    let directory = directory.as_deref().and_then(Path::parent);
    let directory = directory.and_then(|directory| Directory::open(directory).ok());
    directory.map_or(Vec::new(), |directory| found(&directory))
}

/// Deletes a file that this program created, and the directories created for it if they
/// are empty.
///
/// # Errors
/// The file cannot be deleted.
pub fn remove(path: &Path, directories: &[PathBuf]) -> io::Result<()> {
    let _as_owner = fs::act_as_owner(path)?;
    let path = resolved(path)?;
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::other("it has no directory"));
    };
    Directory::open(directory)?.remove(name)?;
    remove_directories(directories);
    Ok(())
}

fn remove_directories(directories: &[PathBuf]) {
    for directory in directories.iter().rev() {
        let _ = std::fs::remove_dir(directory);
    }
}

/// Returns the target of a path's links, even if it does not exist yet.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match std::fs::read_link(&path) {
            Ok(target) => {
                let directory = path.parent().unwrap_or(Path::new(""));
                path = directory.join(target);
            }
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many links"))
}

/// Creates private directories, the outermost first; all or none.
fn make_directories(missing: &[PathBuf]) -> anyhow::Result<()> {
    for (index, directory) in missing.iter().enumerate() {
        if let Err(error) = fs::create_directory(directory) {
            remove_directories(&missing[..index]);
            let context = format!("cannot create the directory {}", directory.display());
            return Err(anyhow::Error::from(error).context(context));
        }
    }
    Ok(())
}

#[cfg(unix)]
fn keep_attributes(path: &Path, former: &File, new: &File) -> anyhow::Result<()> {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::fs::PermissionsExt;
    let (old_metadata, new_metadata) = (former.metadata()?, new.metadata()?);
    in_place::refuse_read_only(path, &old_metadata)?;
    if (new_metadata.uid(), new_metadata.gid()) != (old_metadata.uid(), old_metadata.gid()) {
        std::os::unix::fs::fchown(new, Some(old_metadata.uid()), Some(old_metadata.gid()))
            .map_err(|_| {
                let (uid, gid) = (old_metadata.uid(), old_metadata.gid());
                Error::user(format!("replacing it would change its owner ({uid}:{gid})")).with_hint(
                    format!(
                        "Give it to this user with 'sudo chown {}:{} {}'",
                        new_metadata.uid(),
                        new_metadata.gid(),
                        path.display()
                    ),
                )
            })?;
    }
    let mode = old_metadata.mode() & 0o7777;
    new.set_permissions(std::fs::Permissions::from_mode(mode))?;
    keep_extended_attributes(former, new)
}

/// Copies all extended attributes. A `security.*` label that cannot be copied is no error:
/// the system labels a new file in this directory the same way.
#[cfg(unix)]
fn keep_extended_attributes(former: &File, new: &File) -> anyhow::Result<()> {
    use xattr::FileExt;
    // Not all file systems have extended attributes.
    let Ok(names) = former.list_xattr() else {
        return Ok(());
    };
    for name in names {
        let value = former.get_xattr(&name).ok().flatten();
        let Some(value) = value else { continue };
        if new.get_xattr(&name).ok().flatten().as_ref() == Some(&value) {
            continue;
        }
        let kept = new.set_xattr(&name, &value);
        if kept.is_err() && !name.to_string_lossy().starts_with("security.") {
            bail!(
                "its extended attribute {} cannot be kept",
                name.to_string_lossy()
            );
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn keep_attributes(_path: &Path, former: &File, _new: &File) -> anyhow::Result<()> {
    if former.metadata()?.permissions().readonly() {
        bail!("it is read-only");
    }
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
