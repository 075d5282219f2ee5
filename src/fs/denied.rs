//! Why the system denies access to a file: who owns it, and what to do about it.

use std::io;
use std::path::Path;

/// The kind of access to a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Access {
    /// Reading it.
    Read,
    /// Reading and writing it, and creating it if it is missing.
    Write,
}

/// Replaces "permission denied" with the owner and mode that are the reason, and a hint. The kind
/// of the error stays.
///
/// Call it with the rights with which the access failed.
pub(super) fn with_reason(path: &Path, access: Access, error: io::Error) -> io::Error {
    #[cfg(unix)]
    if error.kind() == io::ErrorKind::PermissionDenied
        && let Some(reason) = unix::reason(path, access)
    {
        return io::Error::new(error.kind(), reason);
    }
    let _ = (path, access);
    error
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;
    use std::path::PathBuf;

    use super::Access;
    use crate::error::Error;
    use crate::fs::owner::current_user;
    use crate::fs::trust::unix::quoted;

    const READ: u32 = 0o4;
    const WRITE: u32 = 0o2;
    const SEARCH: u32 = 0o1;

    /// The number of links that Linux follows.
    const MAX_LINKS: u32 = 40;

    /// The entry in the way of an access.
    #[derive(Debug, Eq, PartialEq)]
    pub(super) struct Obstacle {
        /// `it`, or the directory above it.
        pub(super) what: String,
        pub(super) path: PathBuf,
        pub(super) owner: u32,
        pub(super) group: u32,
        pub(super) mode: u32,
        /// The permissions that are needed.
        pub(super) needed: u32,
        pub(super) is_directory: bool,
        /// The owner of the directory above it.
        pub(super) owner_of_parent: Option<u32>,
    }

    /// Returns why this user has no such access to a file; `None` if nothing is known about it.
    pub(super) fn reason(path: &Path, access: Access) -> Option<Error> {
        Some(obstacle(path, access)?.error(current_user(), &groups()))
    }

    /// Returns the supplementary groups of this process; none where a directory service has them.
    fn groups() -> Vec<u32> {
        #[cfg(target_os = "linux")]
        return nix::unistd::getgroups()
            .unwrap_or_default()
            .into_iter()
            .map(|group| group.as_raw())
            .collect();
        #[cfg(not(target_os = "linux"))]
        Vec::new()
    }

    /// Returns the file, or the lowest directory above it whose attributes can be read.
    fn obstacle(path: &Path, access: Access) -> Option<Obstacle> {
        let target = target(&std::path::absolute(path).ok()?);
        let mut needed = match access {
            Access::Read => READ,
            Access::Write => READ | WRITE,
        };
        for (height, path) in target.ancestors().enumerate() {
            match path.symlink_metadata() {
                Ok(metadata) => {
                    let parent = path.parent().and_then(|it| it.metadata().ok());
                    return Some(Obstacle {
                        what: match height {
                            0 => "it".to_owned(),
                            _ => format!("the directory {}", path.display()),
                        },
                        path: path.to_owned(),
                        owner: metadata.uid(),
                        group: metadata.gid(),
                        mode: metadata.mode() & 0o7777,
                        needed,
                        is_directory: metadata.is_dir(),
                        owner_of_parent: parent.map(|it| it.uid()),
                    });
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    needed = WRITE | SEARCH;
                }
                Err(_) => needed = SEARCH,
            }
        }
        None
    }

    /// Returns the target of a path's links, as far as they can be read.
    fn target(path: &Path) -> PathBuf {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            let Ok(target) = path.read_link() else {
                break;
            };
            path = path.parent().unwrap_or(Path::new("/")).join(target);
        }
        path
    }

    impl Obstacle {
        /// Returns the reason, for a user with these groups.
        pub(super) fn error(&self, user: u32, groups: &[u32]) -> Error {
            let Self { what, mode, .. } = self;
            if self.permissions(user, groups) & self.needed == self.needed {
                return Error::user(format!(
                    "the system denies access to {what}, although the mode {mode:04o} allows it"
                ))
                .with_hint("Find out what denies it: an access control list, a security module such as SELinux or AppArmor, or a sandbox");
            }
            if self.owner == user {
                let letters = if self.is_directory { "rwx" } else { "rw" };
                let letters = if self.needed & WRITE == 0 {
                    letters.replace('w', "")
                } else {
                    letters.to_owned()
                };
                return Error::user(format!("{what} has the mode {mode:04o}"))
                    .with_hint(format!("Run 'chmod u+{letters} {}'", quoted(&self.path)));
            }
            let owner = match self.owner {
                0 => "root".to_owned(),
                other => format!("another user (number {other})"),
            };
            Error::user(format!(
                "{what} belongs to {owner} and has the mode {mode:04o}"
            ))
            .with_hint(self.hint(user, &owner))
        }

        /// Returns the hint for a file of another user: to give it to this user if it is in a
        /// directory of this user.
        fn hint(&self, user: u32, owner: &str) -> String {
            if self.owner_of_parent != Some(user) {
                return format!("Run the command as {owner}, or use a file of this user");
            }
            let option = if self.is_directory { "-R " } else { "" };
            let path = quoted(&self.path);
            format!("To give it to this user, run 'sudo chown {option}{user} {path}'")
        }

        /// Returns the permissions of a user with these groups, by the mode.
        fn permissions(&self, user: u32, groups: &[u32]) -> u32 {
            let shift = match () {
                () if user == 0 => return READ | WRITE | SEARCH,
                () if self.owner == user => 6,
                () if groups.contains(&self.group) => 3,
                () => 0,
            };
            (self.mode >> shift) & 0o7
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::path::PathBuf;

    use super::unix::Obstacle;
    use super::*;

    fn file_of(owner: u32, mode: u32) -> Obstacle {
        Obstacle {
            what: "it".into(),
            path: PathBuf::from("/home/a/f"),
            owner,
            group: 50,
            mode,
            needed: 0o4,
            is_directory: false,
            owner_of_parent: Some(1000),
        }
    }

    #[test]
    fn the_reason_names_the_owner_and_the_hint_fits() {
        let directory = Obstacle {
            what: "the directory /home/a/d".into(),
            path: PathBuf::from("/home/a/d"),
            is_directory: true,
            needed: 0o1,
            ..file_of(0, 0o700)
        };
        let of_others = Obstacle {
            owner_of_parent: Some(0),
            ..file_of(0, 0o600)
        };
        for (obstacle, reason, hint) in [
            (
                file_of(0, 0o600),
                "it belongs to root and has the mode 0600",
                "'sudo chown 1000 /home/a/f'",
            ),
            (
                file_of(1001, 0o640),
                "it belongs to another user (number 1001)",
                "'sudo chown 1000 /home/a/f'",
            ),
            (
                of_others,
                "it belongs to root",
                "Run the command as root, or use a file of this user",
            ),
            (
                file_of(1000, 0o044),
                "it has the mode 0044",
                "'chmod u+r /home/a/f'",
            ),
            (
                directory,
                "the directory /home/a/d belongs to root",
                "'sudo chown -R 1000 /home/a/d'",
            ),
            (
                file_of(0, 0o644),
                "although the mode 0644 allows it",
                "SELinux",
            ),
            (
                file_of(0, 0o640),
                "it belongs to root",
                "'sudo chown 1000 /home/a/f'",
            ),
        ] {
            let error = obstacle.error(1000, &[51]);
            assert!(error.text().contains(reason), "{error}");
            assert!(error.hint().unwrap_or_default().contains(hint), "{error}");
        }
        let by_group = file_of(0, 0o640).error(1000, &[50]);
        assert!(by_group.text().contains("allows it"), "{by_group}");
    }

    #[test]
    fn only_denied_access_is_explained_and_its_kind_stays() {
        let path = Path::new("/etc/passwd");
        let missing = io::Error::from(io::ErrorKind::NotFound);
        let kept = with_reason(path, Access::Read, missing);
        assert!(kept.get_ref().is_none(), "{kept}");
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let reason = with_reason(path, Access::Read, denied);
        assert_eq!(reason.kind(), io::ErrorKind::PermissionDenied);
        assert!(reason.get_ref().is_some());
    }
}
