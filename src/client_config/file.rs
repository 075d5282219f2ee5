//! Reading a client's file, and putting another one in its place in one step.
//!
//! Clients write these files, too, and take no lock: docker renames a new one into
//! place, podman 4 writes over the old one. So a file that has changed since it was
//! read is left alone, up to the moment before the rename.

use std::fs::Metadata;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::anyhow;
use anyhow::bail;
use thiserror::Error;
use zeroize::Zeroizing;

use super::document::Document;
use super::document::Unread;
use crate::fs;

/// The most that is read of a client's file, in bytes. docker's own has a few
/// hundred; one with every registry there is would have some thousands.
pub const LIMIT: u64 = 4 * 1024 * 1024;

/// As many links as Linux follows.
const MOST_LINKS: u32 = 40;

/// Write permission of anybody.
#[cfg(unix)]
const WRITABLE: u32 = 0o222;

/// Why a file was not replaced.
#[derive(Debug, Error)]
pub enum ReplaceError {
    /// Somebody else has written it in the meantime.
    #[error("another program keeps changing it")]
    Changed,
    /// It cannot be.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

/// What was made on the way to a file.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Made {
    /// Directories, the outermost first.
    pub directories: Vec<PathBuf>,
    /// Whether there was no file before.
    pub file: bool,
}

/// The text of a client's file, which may hold secrets; `None` when there is no file.
///
/// # Errors
/// It cannot be read, is no regular file, too large or not UTF-8.
pub fn read(path: &Path) -> Result<Option<Zeroizing<String>>, Unread> {
    let _rights = fs::act_as_owner(path).map_err(|error| Unread::Broken(error.to_string()))?;
    match fs::read_bytes(path, LIMIT) {
        Ok(bytes) => text(bytes).map(Some),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) if error.is::<io::Error>() || path.is_dir() => {
            Err(Unread::Broken(error.to_string()))
        }
        // Clients know no limit, and wait for pipes.
        Err(error) => Err(Unread::Odd(error.to_string())),
    }
}

fn text(bytes: Vec<u8>) -> Result<Zeroizing<String>, Unread> {
    String::from_utf8(bytes)
        .map(Zeroizing::new)
        .map_err(|error| {
            let bytes = Zeroizing::new(error.into_bytes());
            // Go puts U+FFFD in the place of such bytes, but within strings alone.
            let text = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
            let reason = "it is not UTF-8 text".to_owned();
            match Document::parse(&text) {
                Err(Unread::Broken(_)) => Unread::Broken(reason),
                _ => Unread::Odd(reason),
            }
        })
}

fn is_missing(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    kind == Some(io::ErrorKind::NotFound)
}

/// Puts `new` where `old` was read: links stay and what they lead to is replaced;
/// owner, mode and extended attributes stay. A new file is for its owner alone, who
/// is that of the directory it is in, also when root makes it.
///
/// # Errors
/// See [`ReplaceError`]; then everything is as it was.
pub fn replace(path: &Path, old: Option<&str>, new: &str) -> Result<Made, ReplaceError> {
    let _rights = fs::act_as_owner(path).map_err(anyhow::Error::from)?;
    let made = missing(path, old)?;
    let path = resolved(path).context("its links lead nowhere")?;
    let directory = path.parent().context("it has no directory")?;
    make_directories(&made.directories)?;
    let outcome = write(&path, directory, old, new);
    if outcome.is_err() {
        remove_directories(&made.directories);
    }
    outcome.map(|()| made)
}

/// What [`replace`] would make on the way.
///
/// # Errors
/// Links lead nowhere.
pub fn missing(path: &Path, old: Option<&str>) -> anyhow::Result<Made> {
    let _rights = fs::act_as_owner(path)?;
    let path = resolved(path).context("its links lead nowhere")?;
    let directory = path.parent().context("it has no directory")?;
    let missing = directory.ancestors().take_while(|path| !path.exists());
    let mut missing: Vec<PathBuf> = missing.map(Path::to_owned).collect();
    missing.reverse();
    Ok(Made {
        directories: missing,
        file: old.is_none(),
    })
}

fn write(path: &Path, directory: &Path, old: Option<&str>, new: &str) -> Result<(), ReplaceError> {
    let unwritable = |error| {
        anyhow!(
            "nothing can be written in {} ({error})",
            directory.display()
        )
    };
    let mut file = tempfile::Builder::new()
        .prefix(".docker-credential-icr-")
        .tempfile_in(directory)
        .map_err(unwritable)?;
    file.write_all(new.as_bytes()).map_err(unwritable)?;
    match path.metadata() {
        Ok(metadata) => keep_attributes(path, &metadata, file.path())?,
        Err(_) => own_as(directory, file.path())?,
    }
    file.as_file().sync_all().map_err(unwritable)?;
    let now = read(path).map_err(anyhow::Error::from)?;
    if now.as_deref().map(String::as_str) != old {
        return Err(ReplaceError::Changed);
    }
    let kept = file.persist(path);
    kept.map_err(|error| anyhow!("it cannot be replaced ({})", error.error))?;
    // The rename itself is on the disk only with the directory.
    #[cfg(unix)]
    let _ = std::fs::File::open(directory).and_then(|directory| directory.sync_all());
    Ok(())
}

/// Removes a file that this program made, and the directories that it made for it,
/// unless something is in them.
///
/// # Errors
/// It cannot be removed.
pub fn remove(path: &Path, directories: &[PathBuf]) -> io::Result<()> {
    let _rights = fs::act_as_owner(path)?;
    std::fs::remove_file(resolved(path)?)?;
    remove_directories(directories);
    Ok(())
}

fn remove_directories(directories: &[PathBuf]) {
    for directory in directories.iter().rev() {
        let _ = std::fs::remove_dir(directory);
    }
}

/// Where a path leads to, also if nothing is there yet.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
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

/// Makes directories for their owner alone, the outermost first; all or none.
fn make_directories(missing: &[PathBuf]) -> anyhow::Result<()> {
    for (index, directory) in missing.iter().enumerate() {
        let made = make_one(directory);
        if let Err(error) = made {
            remove_directories(&missing[..index]);
            bail!(
                "the directory {} cannot be made ({error})",
                directory.display()
            );
        }
    }
    Ok(())
}

fn make_one(directory: &Path) -> anyhow::Result<()> {
    #[cfg(not(unix))]
    std::fs::create_dir(directory)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new().mode(0o700).create(directory)?;
    }
    match directory.parent() {
        Some(parent) => own_as(parent, directory),
        None => Ok(()),
    }
}

/// Gives a new file to whom the directory belongs that it is in: root writes in
/// other people's homes, with `sudo`.
#[cfg(unix)]
fn own_as(directory: &Path, new: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let (directory, made) = (directory.metadata()?, new.metadata()?);
    // Others write in a directory that belongs to root, and may not give away.
    if made.uid() == 0 && directory.uid() != 0 {
        std::os::unix::fs::chown(new, Some(directory.uid()), Some(directory.gid()))?;
    }
    Ok(())
}

#[cfg(unix)]
fn keep_attributes(path: &Path, of: &Metadata, new: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::fs::PermissionsExt;
    let mode = of.mode() & 0o7777;
    if mode & WRITABLE == 0 {
        bail!(
            "it is read-only (mode {mode:04o}); whoever made it so may make it anew, so change it there, or make it writable: chmod u+w {}",
            path.display()
        );
    }
    let made = new.metadata()?;
    if (made.uid(), made.gid()) != (of.uid(), of.gid()) {
        std::os::unix::fs::chown(new, Some(of.uid()), Some(of.gid())).map_err(|_| {
            anyhow!(
                "it belongs to user {} and group {}, and would no longer; run this as that user",
                of.uid(),
                of.gid()
            )
        })?;
    }
    std::fs::set_permissions(new, std::fs::Permissions::from_mode(mode))?;
    keep_extended_attributes(path, new)
}

/// Access control lists and whatever users note down. Labels of security modules
/// (`security.*`) are for the system to give, which gives the same in the same
/// directory; where this may be set, it is.
#[cfg(unix)]
fn keep_extended_attributes(path: &Path, new: &Path) -> anyhow::Result<()> {
    // A file system without them has none to keep.
    let Ok(names) = xattr::list(path) else {
        return Ok(());
    };
    for name in names {
        let value = xattr::get(path, &name).ok().flatten();
        let Some(value) = value else { continue };
        if xattr::get(new, &name).ok().flatten().as_ref() == Some(&value) {
            continue;
        }
        let kept = xattr::set(new, &name, &value);
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
fn own_as(_directory: &Path, _new: &Path) -> anyhow::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn keep_attributes(_path: &Path, of: &Metadata, _new: &Path) -> anyhow::Result<()> {
    match of.permissions().readonly() {
        true => bail!("it is read-only"),
        false => Ok(()),
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::fs::symlink;

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().mode() & 0o7777
    }

    fn is_alone(path: &Path) -> bool {
        fs::read_dir(path.parent().unwrap()).unwrap().count() == 1
    }

    #[test]
    fn a_new_file_is_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b/config.json");
        let made = replace(&path, None, "{}").unwrap();
        assert!(made.file);
        assert_eq!(
            made.directories,
            [directory.path().join("a"), directory.path().join("a/b")]
        );
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(&directory.path().join("a")), 0o700);
        remove(&path, &made.directories).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn links_mode_and_attributes_stay() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("dotfiles");
        fs::create_dir(&target).unwrap();
        let target = target.join("config.json");
        fs::write(&target, "old").unwrap();
        set_mode(&target, 0o640);
        let has_attributes = xattr::set(&target, "user.note", b"mine").is_ok();
        symlink("dotfiles/config.json", directory.path().join("link")).unwrap();
        let link = directory.path().join("link-to-link");
        symlink(directory.path().join("link"), &link).unwrap();
        assert_eq!(replace(&link, Some("old"), "new").unwrap(), Made::default());
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
        assert_eq!(mode(&target), 0o640);
        if has_attributes {
            assert_eq!(xattr::get(&target, "user.note").unwrap().unwrap(), b"mine");
        }
        assert!(is_alone(&target));
    }

    #[test]
    fn a_link_to_nothing_gets_something() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        symlink("not/there.json", &link).unwrap();
        assert!(replace(&link, None, "new").unwrap().file);
        assert_eq!(
            fs::read_to_string(directory.path().join("not/there.json")).unwrap(),
            "new"
        );
        let round = directory.path().join("round");
        symlink("round", &round).unwrap();
        assert!(replace(&round, None, "new").is_err());
    }

    #[test]
    fn what_somebody_wrote_in_the_meantime_is_not_lost() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        fs::write(&path, "theirs").unwrap();
        for old in [None, Some("old")] {
            assert!(matches!(
                replace(&path, old, "new"),
                Err(ReplaceError::Changed)
            ));
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
        fs::remove_file(&path).unwrap();
        assert!(matches!(
            replace(&path, Some("old"), "new"),
            Err(ReplaceError::Changed)
        ));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_read_only_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        fs::write(&path, "old").unwrap();
        set_mode(&path, 0o444);
        let reason = replace(&path, Some("old"), "new").unwrap_err().to_string();
        assert!(reason.contains("read-only (mode 0444)"), "{reason}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert!(is_alone(&path));
    }

    #[test]
    fn root_leaves_files_to_their_owners() {
        if !nix::unistd::Uid::effective().is_root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("home");
        fs::create_dir(&home).unwrap();
        std::os::unix::fs::chown(&home, Some(12345), Some(12346)).unwrap();
        let path = home.join(".docker/config.json");
        let owner = |path: &Path| {
            let metadata = path.metadata().unwrap();
            (metadata.uid(), metadata.gid())
        };
        replace(&path, None, "{}").unwrap();
        assert_eq!(owner(&path), (12345, 12346));
        assert_eq!(owner(&home.join(".docker")), (12345, 12346));
        std::os::unix::fs::chown(&path, Some(0), Some(0)).unwrap();
        set_mode(&path, 0o644);
        let reason = replace(&path, Some("{}"), "{ }").unwrap_err().to_string();
        assert!(reason.contains("belongs to user 0"), "{reason}");
        assert_eq!(owner(&path), (0, 0), "the user could not change it either");
    }

    #[test]
    fn what_is_no_file_or_has_no_end_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("huge");
        fs::write(&path, vec![b' '; usize::try_from(LIMIT).unwrap() + 1]).unwrap();
        assert!(
            read(&path)
                .unwrap_err()
                .to_string()
                .contains("larger than 4 MiB")
        );
        assert!(read(directory.path()).is_err());
        assert!(read(Path::new("/dev/zero")).is_err());
        assert_eq!(read(&directory.path().join("missing")).unwrap(), None);
        assert_eq!(read(&directory.path().join("missing/too")).unwrap(), None);
    }
}
