//! The rights with which files are accessed: in a user's directories, root has that user's.
//!
//! `sudo -E`, `su -m` and macOS keep the caller's `HOME`. There, the user could make root
//! follow links to any file, and the user could not change files that root creates. With the
//! user's rights, root can follow links only where the user can, and new files belong to the
//! user.

use std::io;
use std::path::Path;

/// The rights with which files are accessed. Dropping it restores the previous rights.
///
/// Use it for file operations only, because the kernel checks access to keys by the same user
/// id. New threads inherit the rights. On Linux, they are those of one thread, so this type is
/// not `Send`.
#[derive(Debug)]
#[must_use = "dropping it restores the previous rights"]
pub struct OwnerRights {
    #[cfg(unix)]
    _identity: Option<system::Identity>,
    _of_this_thread: std::marker::PhantomData<*const ()>,
}

/// Gives root the rights of the user who owns the directories of `path`. If root already has
/// a user's rights, they stay: a path in a user's file must not give root its own rights back.
///
/// # Errors
/// The system does not let root act as that user.
pub fn act_as_owner(path: &Path) -> io::Result<OwnerRights> {
    #[cfg(not(unix))]
    let _ = path;
    Ok(OwnerRights {
        #[cfg(unix)]
        _identity: unix::identity_for(path)?,
        _of_this_thread: std::marker::PhantomData,
    })
}

/// Returns the id of the user whose rights [`act_as_owner`] gives for a path.
pub fn acting_owner(path: &Path) -> Option<u32> {
    #[cfg(unix)]
    return unix::other_owner(path).map(|owner| owner.user.as_raw());
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

#[cfg(unix)]
pub(super) use system::current_user;
#[cfg(unix)]
pub(super) use unix::is_root_outside;

#[cfg(unix)]
mod unix {
    use std::ffi::OsString;
    use std::io;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;
    use std::path::PathBuf;

    use nix::unistd::Gid;
    use nix::unistd::Uid;

    use super::system::Identity;
    use crate::error::Error;

    /// The maximum number of links in a path, as in Linux.
    const MAX_LINKS: u32 = 40;

    /// A user, and the group for new files.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub(in crate::fs) struct Owner {
        pub(in crate::fs) user: Uid,
        pub(in crate::fs) group: Gid,
    }

    pub(super) fn identity_for(path: &Path) -> io::Result<Option<Identity>> {
        match other_owner(path) {
            Some(owner) if super::current_user() == 0 => Identity::assume(owner).map(Some),
            _ => Ok(None),
        }
    }

    /// Returns the owner of the first directory or link in a path that does not belong to root,
    /// if this process is root: that user controls everything below it. The owners of regular
    /// files do not matter.
    ///
    /// The group is that of the directory. The user's own group may be known only to a
    /// directory service, for which `get` must not wait.
    pub(super) fn other_owner(path: &Path) -> Option<Owner> {
        if !Uid::effective().is_root() {
            return None;
        }
        let path = std::path::absolute(path).ok()?;
        let mut at = PathBuf::from("/");
        let mut pending = reversed_names(&path);
        let mut links = 0;
        while let Some(name) = pending.pop() {
            if name == ".." {
                at.pop();
                continue;
            }
            let next = at.join(&name);
            let metadata = next.symlink_metadata().ok()?;
            let decides = metadata.is_dir() || metadata.is_symlink();
            if decides && metadata.uid() != 0 && !is_root_outside(metadata.uid()) {
                return Some(owner(metadata.uid(), metadata.gid()));
            }
            if !metadata.is_symlink() {
                at = next;
                continue;
            }
            links += 1;
            if links > MAX_LINKS {
                return None;
            }
            let target = next.read_link().ok()?;
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            pending.extend(reversed_names(&target));
        }
        None
    }

    /// Creates the owner. A user's directory that root created may have root's group, which the
    /// user does not belong to.
    fn owner(user: u32, group: u32) -> Owner {
        Owner {
            user: Uid::from_raw(user),
            group: Gid::from_raw(if group == 0 { user } else { group }),
        }
    }

    /// Creates the error for a system that does not let root act as a user: root in a container
    /// often lacks the capabilities.
    pub(super) fn refusal(owner: Owner) -> io::Error {
        let text = format!(
            "the system does not let root act as user {}, who owns the directory",
            owner.user
        );
        io::Error::other(Error::user(text).with_hint("Run the command as that user"))
    }

    /// Returns the names in a path in reverse order.
    fn reversed_names(path: &Path) -> Vec<OsString> {
        use std::path::Component;
        let names = path.components().filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        });
        let mut names: Vec<OsString> = names.collect();
        names.reverse();
        names
    }

    /// Returns whether an owner is root outside of this user namespace. Rootless podman and
    /// buildah run the program in a namespace in which root's files have the overflow id, that
    /// of `nobody` (`user_namespaces(7)`).
    #[cfg(target_os = "linux")]
    pub(in crate::fs) fn is_root_outside(owner: u32) -> bool {
        let overflow_id = read("/proc/sys/kernel/overflowuid");
        overflow_id.trim() == owner.to_string() && is_in_namespace()
    }

    #[cfg(not(target_os = "linux"))]
    pub(in crate::fs) fn is_root_outside(_owner: u32) -> bool {
        false
    }

    #[cfg(target_os = "linux")]
    pub(super) fn is_in_namespace() -> bool {
        is_namespace(&read("/proc/self/uid_map"))
    }

    #[cfg(target_os = "linux")]
    fn read(path: &str) -> String {
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// Returns whether a map of user ids (`user_namespaces(7)`) is that of a namespace. Outside of
    /// one, each id is mapped to itself.
    #[cfg(target_os = "linux")]
    pub(super) fn is_namespace(map: &str) -> bool {
        let fields: Vec<&str> = map.split_whitespace().collect();
        !fields.is_empty() && fields != ["0", "0", "4294967295"]
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::io;

    use nix::unistd::Gid;
    use nix::unistd::Uid;
    use nix::unistd::getgroups;
    use nix::unistd::setfsgid;
    use nix::unistd::setfsuid;

    use super::unix::Owner;
    use super::unix::is_in_namespace;
    use super::unix::refusal;

    /// An invalid id. Setting it changes nothing and returns the current id (`setfsuid(2)`, which
    /// reports no errors).
    const INVALID_ID: u32 = u32::MAX;

    /// Returns the user whose rights to files this thread has.
    pub(in crate::fs) fn current_user() -> u32 {
        setfsuid(Uid::from_raw(INVALID_ID)).as_raw()
    }

    fn current_group() -> u32 {
        setfsgid(Gid::from_raw(INVALID_ID)).as_raw()
    }

    /// The previous rights of this thread, which has another user's rights until this is dropped.
    /// Meanwhile, the kernel removes the capabilities that override them (`capabilities(7)`).
    #[derive(Debug)]
    pub(super) struct Identity {
        user: Uid,
        group: Gid,
        groups: Vec<Gid>,
    }

    impl Identity {
        pub(super) fn assume(owner: Owner) -> io::Result<Self> {
            // Dropped on errors, which restores the previous rights.
            let previous = Self {
                user: Uid::from_raw(current_user()),
                group: Gid::from_raw(current_group()),
                groups: getgroups()?,
            };
            leave_groups(&previous.groups).map_err(|_| refusal(owner))?;
            setfsgid(owner.group);
            setfsuid(owner.user);
            let current = (current_user(), current_group());
            if current == (owner.user.as_raw(), owner.group.as_raw()) {
                Ok(previous)
            } else {
                Err(refusal(owner))
            }
        }
    }

    impl Drop for Identity {
        fn drop(&mut self) {
            setfsuid(self.user);
            setfsgid(self.group);
            let _ = set_groups(&self.groups);
        }
    }

    /// Removes root's groups, because their rights would remain. In a user namespace, the groups
    /// are those of the user outside, who has all rights of this process anyway, and often
    /// cannot be removed (`setgroups` is denied).
    fn leave_groups(groups: &[Gid]) -> io::Result<()> {
        match set_groups(&[]) {
            Err(error) if !groups.is_empty() && !is_in_namespace() => Err(error),
            _ => Ok(()),
        }
    }

    /// Sets the groups of this thread. The C library's function sets those of all threads.
    fn set_groups(groups: &[Gid]) -> io::Result<()> {
        let groups = groups.iter();
        let groups = groups.map(|group| rustix::thread::Gid::from_raw(group.as_raw()));
        let groups: Vec<_> = groups.collect();
        Ok(rustix::thread::set_thread_groups(&groups)?)
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
mod system {
    use std::io;

    use nix::unistd::Gid;
    use nix::unistd::Uid;
    use nix::unistd::setegid;
    use nix::unistd::seteuid;

    use super::unix::Owner;
    use super::unix::refusal;

    /// Returns the user whose rights to files this process has.
    pub(in crate::fs) fn current_user() -> u32 {
        Uid::effective().as_raw()
    }

    /// The previous rights of this process, which has another user's rights until this is
    /// dropped. Here, they are not those for files alone. Root's supplementary groups stay:
    /// macOS has them in a directory service, and they give no important rights (`wheel`,
    /// `daemon`).
    #[derive(Debug)]
    pub(super) struct Identity {
        user: Uid,
        group: Gid,
    }

    impl Identity {
        pub(super) fn assume(owner: Owner) -> io::Result<Self> {
            // Dropped on errors, which restores the previous rights.
            let previous = Self {
                user: Uid::effective(),
                group: Gid::effective(),
            };
            setegid(owner.group).map_err(|_| refusal(owner))?;
            seteuid(owner.user).map_err(|_| refusal(owner))?;
            Ok(previous)
        }
    }

    impl Drop for Identity {
        fn drop(&mut self) {
            let _ = seteuid(self.user);
            let _ = setegid(self.group);
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;

    /// Creates a user's home below a directory of root; `None` if the tests do not run as root.
    fn home_of_another() -> Option<(tempfile::TempDir, PathBuf)> {
        nix::unistd::Uid::effective().is_root().then_some(())?;
        let directory = tempfile::tempdir().unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(directory.path(), mode).unwrap();
        let home = directory.path().join("home");
        std::fs::create_dir(&home).unwrap();
        std::os::unix::fs::chown(&home, Some(12_345), Some(12_346)).unwrap();
        Some((directory, home))
    }

    #[test]
    fn root_acts_as_the_first_other_owner_in_a_path() {
        let Some((directory, home)) = home_of_another() else {
            return;
        };
        let path = |name: &str| directory.path().join(name);
        symlink("home", path("link")).unwrap();
        symlink("link/../home", path("link-to-link")).unwrap();
        std::fs::create_dir(path("other")).unwrap();
        std::fs::write(path("file"), "").unwrap();
        symlink("/etc", home.join("etc")).unwrap();
        let chown = |path: &Path, user| std::os::unix::fs::lchown(path, Some(user), None).unwrap();
        chown(&path("file"), 54_321);
        chown(&home.join("etc"), 54_321);
        for (name, owner) in [
            ("home", Some(12_345)),
            ("home/missing/file", Some(12_345)),
            ("home/etc/passwd", Some(12_345)),
            ("link/file", Some(12_345)),
            ("link-to-link/file", Some(12_345)),
            ("other/../home/a", Some(12_345)),
            ("other/file", None),
            ("file", None),
            ("missing/home", None),
        ] {
            assert_eq!(acting_owner(&path(name)), owner, "{name}");
        }
        std::fs::remove_file(path("link")).unwrap();
        symlink("other", path("link")).unwrap();
        chown(&path("link"), 54_321);
        assert_eq!(acting_owner(&path("link/file")), Some(54_321));
    }

    #[test]
    fn with_a_users_rights_root_creates_the_users_files_and_follows_only_the_users_links() {
        let Some((directory, home)) = home_of_another() else {
            return;
        };
        let secret = directory.path().join("secret");
        std::fs::write(&secret, "of root").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o640);
        std::fs::set_permissions(&secret, mode).unwrap();
        symlink(&secret, home.join("link")).unwrap();
        let rights = act_as_owner(&home).unwrap();
        assert!(std::fs::read(home.join("link")).is_err());
        assert!(std::fs::write(home.join("link"), "").is_err());
        std::fs::write(home.join("new"), "").unwrap();
        let outer = act_as_owner(directory.path()).unwrap();
        drop(outer);
        let inner = act_as_owner(&home).unwrap();
        assert!(
            std::fs::read(&secret).is_err(),
            "the rights are still the user's"
        );
        drop(inner);
        assert!(
            std::fs::read(&secret).is_err(),
            "also after the inner one is dropped"
        );
        drop(rights);
        assert_eq!(std::fs::read(&secret).unwrap(), b"of root");
        let metadata = home.join("new").metadata().unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (12_345, 12_346));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_user_namespace_is_recognized_by_its_map() {
        use super::unix::is_namespace;
        assert!(!is_namespace("         0          0 4294967295\n"));
        assert!(is_namespace("0 1001 1\n1 100000 65536\n"));
        assert!(!is_namespace(""), "no /proc");
    }
}
