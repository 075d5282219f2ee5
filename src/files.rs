//! Files that somebody names: read with a limit, and only where a plain file is.

use std::fs::File;
use std::fs::OpenOptions;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use anyhow::ensure;

/// The text of a regular file of at most `limit` bytes.
///
/// Symbolic links are followed. What else may stand at a path (a pipe that nobody
/// writes to, a device without an end) is refused and not waited for.
///
/// # Errors
/// It cannot be opened or read, is no regular file, is too large or not UTF-8.
pub fn read_regular(path: &Path, limit: u64) -> anyhow::Result<String> {
    let file = open(path)?;
    let metadata = file.metadata()?;
    ensure!(metadata.is_file(), "it is not a regular file");
    // Room for all of it: a buffer that grows leaves copies behind.
    let room = metadata.len().min(limit).saturating_add(1);
    let mut bytes = Vec::with_capacity(usize::try_from(room)?);
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    ensure!(
        bytes.len() as u64 <= limit,
        "it is larger than {}",
        size(limit)
    );
    String::from_utf8(bytes)
        .ok()
        .context("it is not UTF-8 text")
}

fn size(bytes: u64) -> String {
    match (bytes / (1024 * 1024), bytes / 1024) {
        (0, 0) => format!("{bytes} bytes"),
        (0, kib) => format!("{kib} KiB"),
        (mib, _) => format!("{mib} MiB"),
    }
}

#[cfg(unix)]
fn open(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    // Opening a pipe would wait for its other end, and a terminal could become ours.
    OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY)
        .open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

/// Refuses a file that somebody other than this user and root can change, or put
/// another one in the place of: by its mode, its owner, or those of the directory
/// that it is in. Links are followed first.
///
/// # Errors
/// Who can change what, and the command that mends it; or the file cannot be
/// looked at.
#[cfg(unix)]
pub fn refuse_if_others_write(path: &Path) -> anyhow::Result<()> {
    let us = nix::unistd::Uid::effective().as_raw();
    let file = path.canonicalize()?;
    let mut found = Vec::from_iter(others::looked_at("it", &file, us)?);
    if let Some(directory) = file.parent() {
        found.extend(others::looked_at("its directory", directory, us)?);
    }
    match others::told(&found) {
        None => Ok(()),
        Some(reason) => anyhow::bail!(reason),
    }
}

/// Windows guards a user's own folders with access control lists that inherit, and
/// has nothing like an ordinary mode: nothing is looked at there.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn refuse_if_others_write(_path: &Path) -> anyhow::Result<()> {
    Ok(())
}

/// Who can change a file, on Unix.
#[cfg(unix)]
mod others {
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    /// Write permission of the group and of everybody.
    const WRITABLE: u32 = 0o022;
    /// In a directory with this bit, only its owner and a file's own take it away.
    const STICKY: u32 = 0o1000;

    /// What is wrong, and what mends it.
    pub(super) type Finding = (String, String);

    /// What is wrong with the owner and the mode of a path.
    pub(super) fn looked_at(what: &str, path: &Path, us: u32) -> std::io::Result<Option<Finding>> {
        let metadata = path.metadata()?;
        let sticky = metadata.is_dir() && metadata.mode() & STICKY != 0;
        let mode = if sticky { 0 } else { metadata.mode() };
        Ok(judged(what, path, (metadata.uid(), mode), us))
    }

    pub(super) fn judged(
        what: &str,
        path: &Path,
        (owner, mode): (u32, u32),
        us: u32,
    ) -> Option<Finding> {
        let path = quoted(path);
        if owner != us && owner != 0 && !is_root_outside(owner) {
            return Some((
                format!("{what} belongs to another user (number {owner})"),
                format!("sudo chown {us} {path}"),
            ));
        }
        (mode & WRITABLE != 0).then(|| {
            (
                format!("others can write to {what} (mode {:04o})", mode & 0o7777),
                format!("chmod go-w {path}"),
            )
        })
    }

    pub(super) fn told(found: &[Finding]) -> Option<String> {
        let reasons: Vec<&str> = found.iter().map(|(reason, _)| &**reason).collect();
        let commands: Vec<&str> = found.iter().map(|(_, command)| &**command).collect();
        (!found.is_empty()).then(|| {
            format!(
                "{}; mend it with `{}`",
                reasons.join(", and "),
                commands.join(" && ")
            )
        })
    }

    /// A path as a shell takes it.
    fn quoted(path: &Path) -> String {
        let text = path.display().to_string();
        let plain =
            |character: char| character.is_alphanumeric() || "/._-+@%,:".contains(character);
        match text.chars().all(plain) {
            true => text,
            false => format!("'{}'", text.replace('\'', r"'\''")),
        }
    }

    /// Rootless podman and buildah call us in a user namespace, in which what
    /// belongs to root outside seems to belong to nobody (`user_namespaces(7)`).
    #[cfg(target_os = "linux")]
    fn is_root_outside(owner: u32) -> bool {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let nobody = read("/proc/sys/kernel/overflowuid");
        nobody.trim() == owner.to_string() && is_namespace(&read("/proc/self/uid_map"))
    }

    #[cfg(not(target_os = "linux"))]
    fn is_root_outside(_owner: u32) -> bool {
        false
    }

    /// Whether a map of user ids (`user_namespaces(7)`) is not that of the whole
    /// machine, which maps every id to itself.
    #[cfg(target_os = "linux")]
    fn is_namespace(map: &str) -> bool {
        let fields: Vec<&str> = map.split_whitespace().collect();
        !fields.is_empty() && fields != ["0", "0", "4294967295"]
    }
}
