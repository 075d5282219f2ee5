//! The users who can change or replace a file.
//!
//! As in `ssh` (`openssh-portable`, `misc.c`, `safe_path`), the file and all directories above
//! it are checked, because a user who can write to one of them can replace what is below.

use std::path::Path;
use std::path::PathBuf;

use super::owner::acting_owner;
use crate::error::Error;

/// The users who may own a trusted file and the directories above it: root and this user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TrustedUsers {
    users: Vec<u32>,
}

impl TrustedUsers {
    /// Trusts the user of this process. For root, also trusts the owner of `home`, whose files
    /// root uses after `sudo -E`, `su -m`, or on macOS.
    pub fn with_home(home: Option<&Path>) -> Self {
        #[cfg(unix)]
        let own = Some(nix::unistd::Uid::effective().as_raw());
        #[cfg(not(unix))]
        let own = None;
        let users = [own, home.and_then(acting_owner)];
        Self {
            users: users.into_iter().flatten().collect(),
        }
    }

    /// Trusts the user whose rights to files this process has ([`super::act_as_owner`]).
    pub fn acting_user() -> Self {
        Self {
            #[cfg(unix)]
            users: vec![super::owner::current_user()],
            #[cfg(not(unix))]
            users: Vec::new(),
        }
    }

    #[cfg(unix)]
    fn contains(&self, user: u32) -> bool {
        user == 0 || self.users.contains(&user)
    }
}

/// Returns an error if users other than the trusted ones and root can change or replace a file,
/// by the modes and owners of the file and the directories above it. Follows links first.
///
/// # Errors
/// Who can change what, with a hint; or the file cannot be examined.
pub fn refuse_if_others_write(path: &Path, trusted: &TrustedUsers) -> anyhow::Result<()> {
    #[cfg(unix)]
    if let Some((reason, fix)) = unix::summary(&unix::weaknesses(path, Some(trusted))?) {
        return Err(Error::user(reason).with_hint(fix).into());
    }
    // Windows has no modes, and its access control lists protect a user's own folders.
    let _ = (path, trusted);
    Ok(())
}

/// Returns whether other users can change or replace a file, by the modes of the file and the
/// directories above it: the reason and a hint. Follows links first.
///
/// # Errors
/// The file cannot be examined.
pub fn writable_by_others(path: &Path) -> std::io::Result<Option<(String, String)>> {
    #[cfg(unix)]
    return Ok(unix::summary(&unix::weaknesses(path, None)?));
    #[cfg(not(unix))]
    {
        let _ = path;
        Ok(None)
    }
}

/// Returns whether an output is a file that other users can read. Groups without other members
/// do not count.
#[cfg(unix)]
pub fn is_readable_by_others(output: &impl std::os::fd::AsFd) -> bool {
    use std::os::unix::fs::MetadataExt;
    let file = output.as_fd().try_clone_to_owned().map(std::fs::File::from);
    let metadata = file.and_then(|file| file.metadata());
    metadata.is_ok_and(|it| it.is_file() && unix::others_read(it.mode(), it.gid(), it.uid()))
}

/// Returns false, because Windows has no modes.
#[cfg(not(unix))]
pub fn is_readable_by_others<T>(_output: &T) -> bool {
    false
}

/// Returns whether other users can read a file. Groups without other members do not count.
pub fn readable_by_others(path: &Path) -> bool {
    super::open(path).is_ok_and(|file| is_readable_by_others(&file))
}

/// Adds a hint to an error if the reason may be that root owns files in this user's directories.
pub fn with_owner_hint(error: anyhow::Error, path: &Path) -> anyhow::Error {
    match owned_by_root(path) {
        Some((_, command)) => {
            let hint = format!("Give root's files in this directory to its owner: '{command}'");
            Error::from_anyhow(&error).with_hint(hint).into()
        }
        None => error,
    }
}

/// Returns the first file or directory of root in a path below a directory of this user, and
/// the command that gives it to the user. Earlier versions and other programs leave such
/// files if root runs them with the user's `HOME`.
pub fn owned_by_root(path: &Path) -> Option<(PathBuf, String)> {
    #[cfg(unix)]
    return unix::owned_by_root(path);
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

#[cfg(unix)]
pub(super) mod unix {
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;
    use std::path::PathBuf;

    use super::TrustedUsers;
    use crate::fs::groups::Groups;
    use crate::fs::modeless;
    use crate::fs::modeless::FileSystem;
    use crate::fs::owner::acting_owner;
    use crate::fs::owner::current_user;
    use crate::fs::owner::is_root_outside;
    use crate::text::shell;
    use crate::text::shell::Quotes;

    /// The write permission of the group.
    const GROUP_WRITES: u32 = 0o020;
    /// The write permission of all other users.
    const OTHERS_WRITE: u32 = 0o002;
    /// In a directory with this bit, only the owners of the directory and of a file can delete
    /// or rename the file.
    const STICKY: u32 = 0o1000;

    /// Why other users can change a file, and the command that fixes it, if there is one.
    #[derive(Debug, Eq, PartialEq)]
    pub(super) struct Weakness {
        pub(super) reason: String,
        pub(super) command: Option<String>,
        /// The file system, if it may have no modes.
        pub(super) file_system: Option<FileSystem>,
    }

    /// Returns the weaknesses for a file and the directories above it. Without `trusted`, owners
    /// are not checked.
    pub(super) fn weaknesses(
        path: &Path,
        trusted: Option<&TrustedUsers>,
    ) -> std::io::Result<Vec<Weakness>> {
        let file = path.canonicalize()?;
        let mut weaknesses = Vec::new();
        for (height, path) in file.ancestors().enumerate() {
            let what = match height {
                0 => "it".to_owned(),
                1 => "its directory".to_owned(),
                _ => format!("the directory {}", path.display()),
            };
            let metadata = path.metadata()?;
            // Devices such as /dev/null are for all users, and contain nothing that clients start.
            if !metadata.is_file() && !metadata.is_dir() {
                continue;
            }
            let entry = Entry {
                owner: metadata.uid(),
                group: metadata.gid(),
                mode: metadata.mode(),
                is_directory: metadata.is_dir(),
            };
            weaknesses.extend(weakness(&what, path, &entry, trusted, &Groups::of_system));
        }
        Ok(weaknesses)
    }

    /// The attributes of a file or directory that determine who can write to it.
    pub(super) struct Entry {
        pub(super) owner: u32,
        pub(super) group: u32,
        pub(super) mode: u32,
        pub(super) is_directory: bool,
    }

    pub(super) fn weakness(
        what: &str,
        path: &Path,
        entry: &Entry,
        trusted: Option<&TrustedUsers>,
        groups: &dyn Fn() -> Groups,
    ) -> Option<Weakness> {
        let Entry { owner, mode, .. } = *entry;
        if let Some(trusted) = trusted.filter(|it| !it.contains(owner))
            && !is_root_outside(owner)
        {
            return Some(Weakness {
                reason: format!("{what} belongs to another user (number {owner})"),
                command: owner_command(path, trusted),
                file_system: None,
            });
        }
        if entry.is_directory && mode & STICKY != 0 {
            return None;
        }
        let is_written = mode & OTHERS_WRITE != 0
            || (mode & GROUP_WRITES != 0 && !groups().is_private(entry.group, owner));
        is_written.then(|| Weakness {
            reason: format!("others can write to {what} (mode {:04o})", mode & 0o7777),
            command: Some(format!("chmod go-w {}", quoted(path))),
            file_system: modeless::of(path),
        })
    }

    pub(super) fn others_read(mode: u32, group: u32, owner: u32) -> bool {
        const GROUP_READS: u32 = 0o040;
        const OTHERS_READ: u32 = 0o004;
        let by_group = mode & GROUP_READS != 0;
        mode & OTHERS_READ != 0 || (by_group && !Groups::of_system().is_private(group, owner))
    }

    /// Returns the command that gives a file to this user. If root uses a user's home, the file
    /// is for that user. In other users' directories there is no command for root.
    fn owner_command(path: &Path, trusted: &TrustedUsers) -> Option<String> {
        let new_owner = match acting_owner(path) {
            Some(user) => Some(user).filter(|user| trusted.contains(*user)),
            None => trusted.users.first().copied(),
        };
        new_owner.map(|user| format!("sudo chown {user} {}", quoted(path)))
    }

    /// Returns all weaknesses as one text, and the hint.
    pub(super) fn summary(weaknesses: &[Weakness]) -> Option<(String, String)> {
        if weaknesses.is_empty() {
            return None;
        }
        let reasons: Vec<&str> = weaknesses.iter().map(|it| &*it.reason).collect();
        let commands: Option<Vec<&str>> =
            weaknesses.iter().map(|it| it.command.as_deref()).collect();
        let modeless = weaknesses.iter().find_map(|it| it.file_system);
        let fix = match commands {
            Some(commands) => {
                let fix = format!("Run '{}'", commands.join(" && "));
                match modeless {
                    Some(file_system) => format!("{fix}. {}", file_system.advice()),
                    None => fix,
                }
            }
            None => "Use a file that root owns, or set HOME to the home of its owner".to_owned(),
        };
        Some((reasons.join(", and "), fix))
    }

    pub(super) fn owned_by_root(path: &Path) -> Option<(PathBuf, String)> {
        let user = acting_owner(path).unwrap_or_else(current_user);
        if user == 0 {
            return None;
        }
        let path = std::path::absolute(path).ok()?;
        let mut ancestors: Vec<&Path> = path.ancestors().collect();
        ancestors.reverse();
        let owner = |path: &Path| Some(path.symlink_metadata().ok()?.uid());
        let is_in_the_way =
            |pair: &&[&Path]| owner(pair[0]) == Some(user) && owner(pair[1]) == Some(0);
        let pair = ancestors.windows(2).find(is_in_the_way)?;
        let command = format!("sudo chown -R {user} {}", quoted(pair[1]));
        Some((pair[1].to_owned(), command))
    }

    /// Returns a path as a word of a shell, in a command that a message has in single quotes.
    pub(in crate::fs) fn quoted(path: &Path) -> String {
        shell::word(&path.display().to_string(), Quotes::Double)
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::unix::Entry;
    use super::unix::weakness;
    use super::*;
    use crate::fs::groups::Groups;

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn check(path: &Path) -> anyhow::Result<()> {
        refuse_if_others_write(path, &TrustedUsers::with_home(None))
    }

    fn error(path: &Path) -> String {
        check(path).unwrap_err().to_string()
    }

    /// Gives a path to a group that has other members. Returns false if the tests may not do so.
    fn give_to_a_group_with_others(path: &Path) -> bool {
        std::os::unix::fs::chown(path, None, Some(54_321)).is_ok()
    }

    #[test]
    fn files_that_others_can_write_to_are_reported_with_the_command_that_fixes_it() {
        let directory = tempfile::tempdir().unwrap();
        let above = directory.path().canonicalize().unwrap().join("above");
        let folder = above.join("a \"$folder\"");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("file");
        std::fs::write(&path, "").unwrap();
        if ![&above, &folder, &path]
            .into_iter()
            .all(|it| give_to_a_group_with_others(it))
        {
            return;
        }
        for (of_above, of_folder, of_file, reasons) in [
            (0o755, 0o755, 0o644, &[][..]),
            (0o755, 0o700, 0o600, &[]),
            (0o755, 0o700, 0o664, &["write to it (mode 0664)"]),
            (0o755, 0o700, 0o602, &["write to it (mode 0602)"]),
            (0o755, 0o775, 0o600, &["its directory (mode 0775)"]),
            (0o755, 0o757, 0o600, &["its directory (mode 0757)"]),
            (0o755, 0o1777, 0o600, &[]),
            (0o755, 0o1777, 0o666, &["write to it (mode 0666)"]),
            (
                0o755,
                0o777,
                0o666,
                &["(mode 0666)", ", and others", "(mode 0777)"],
            ),
            (0o777, 0o700, 0o600, &["/above (mode 0777)"]),
            (0o775, 0o700, 0o600, &["/above (mode 0775)"]),
            (0o1777, 0o700, 0o600, &[]),
        ] {
            set_mode(&above, of_above);
            set_mode(&folder, of_folder);
            set_mode(&path, of_file);
            if reasons.is_empty() {
                assert!(
                    check(&path).is_ok(),
                    "{of_above:o} {of_folder:o} {of_file:o}"
                );
                continue;
            }
            let text = error(&path);
            assert!(reasons.iter().all(|reason| text.contains(reason)), "{text}");
            let command = text.split('\'').nth(1).unwrap();
            assert!(command.starts_with("chmod go-w "), "{text}");
            let status = std::process::Command::new("sh")
                .args(["-c", command])
                .status();
            assert!(status.unwrap().success(), "{command}");
            assert!(check(&path).is_ok(), "{command}");
        }
    }

    #[test]
    fn the_target_of_a_link_is_checked() {
        let directory = tempfile::tempdir().unwrap();
        set_mode(directory.path(), 0o700);
        let path = directory.path().join("file");
        std::fs::write(&path, "").unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        set_mode(&path, 0o600);
        assert!(check(&link).is_ok());
        set_mode(&path, 0o602);
        assert!(error(&link).contains("/file"));
    }

    #[test]
    fn root_this_user_and_for_root_the_owner_of_the_home_are_trusted() {
        let weakness_for = |owner, trusted_users| {
            let trusted = TrustedUsers {
                users: trusted_users,
            };
            let entry = Entry {
                owner,
                group: owner,
                mode: 0o600,
                is_directory: false,
            };
            let groups = || Groups::none();
            weakness(
                "it",
                Path::new("/nowhere/a"),
                &entry,
                Some(&trusted),
                &groups,
            )
        };
        for (owner, trusted_users) in [
            (0, vec![0]),
            (0, vec![1000]),
            (1000, vec![1000]),
            (1000, vec![0, 1000]),
        ] {
            assert_eq!(weakness_for(owner, trusted_users), None);
        }
        for (owner, own) in [(1000, 0), (1001, 1000)] {
            let weakness = weakness_for(owner, vec![own]).unwrap();
            assert!(
                weakness
                    .reason
                    .contains(&format!("another user (number {owner})"))
            );
            let command = format!("sudo chown {own} /nowhere/a");
            assert_eq!(weakness.command, Some(command));
        }
    }
}
