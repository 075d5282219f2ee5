//! With whose rights files are used: root, in a user's directories, acts as that user.
//!
//! `sudo -E`, `su -m` and macOS leave `HOME` to the caller. There the user decides what a
//! path leads to, and could lead root anywhere; and what root makes there locks the user
//! out. With the user's own rights, links lead nowhere that the user cannot go, and new
//! files belong to the user from the start, so nothing has to be given away afterwards.

use std::io;
use std::path::Path;

/// The rights to use files with; those from before are back when this is dropped.
///
/// It is for file operations alone: the kernel checks keys by the same identity. Threads
/// that are started meanwhile inherit it. On Linux it belongs to one thread, so it can
/// be neither sent to another nor dropped there.
#[derive(Debug)]
#[must_use = "the rights are given back when this is dropped"]
pub struct OwnerRights {
    #[cfg(unix)]
    _identity: Option<system::Identity>,
    _of_this_thread: std::marker::PhantomData<*const ()>,
}

/// Uses files from now on with the rights of the user whose directories `path` is in, if
/// this is root and there is one. Rights that were taken before are kept: a path that a
/// user's file names must not lead back to root's rights.
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

/// The number of the user whose rights [`act_as_owner`] takes at a path.
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

    /// As many links as Linux follows.
    const MAX_LINKS: u32 = 40;

    /// A user, and the group of the user's new files.
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

    /// The first user other than root whose directory or link a path leads through, if
    /// this is root: everything behind it is in that user's hands. What is not there, or
    /// is a plain file, decides nothing.
    ///
    /// The group is the directory's, not the user's own by the system's lists: those may
    /// be in a directory service, which `get` must not wait for.
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

    /// A user's directory that root made may still have root's group, whose rights are
    /// not the user's.
    fn owner(user: u32, group: u32) -> Owner {
        Owner {
            user: Uid::from_raw(user),
            group: Gid::from_raw(if group == 0 { user } else { group }),
        }
    }

    /// Root in a container often lacks the capabilities for it.
    pub(super) fn refusal(owner: Owner) -> io::Error {
        let text = format!(
            "the system does not let root act as user {}, who owns the directory",
            owner.user
        );
        io::Error::other(Error::user(text).with_hint("Run the command as that user"))
    }

    /// The names in a path, the last one first.
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

    /// Rootless podman and buildah call us in a user namespace, in which what
    /// belongs to root outside seems to belong to nobody (`user_namespaces(7)`).
    #[cfg(target_os = "linux")]
    pub(in crate::fs) fn is_root_outside(owner: u32) -> bool {
        let nobody = read("/proc/sys/kernel/overflowuid");
        nobody.trim() == owner.to_string() && is_in_namespace()
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

    /// Whether a map of user ids (`user_namespaces(7)`) is not that of the whole
    /// machine, which maps every id to itself.
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

    /// No identity: asking for it changes nothing, and tells the one that holds
    /// (`setfsuid(2)`, which reports no error).
    const NOBODY: u32 = u32::MAX;

    /// The user whose rights this thread uses files with.
    pub(in crate::fs) fn current_user() -> u32 {
        setfsuid(Uid::from_raw(NOBODY)).as_raw()
    }

    fn current_group() -> u32 {
        setfsgid(Gid::from_raw(NOBODY)).as_raw()
    }

    /// Another user's rights to files, for this thread. The kernel takes the capabilities
    /// that override them away meanwhile (`capabilities(7)`).
    #[derive(Debug)]
    pub(super) struct Identity {
        user: Uid,
        group: Gid,
        groups: Vec<Gid>,
    }

    impl Identity {
        pub(super) fn assume(owner: Owner) -> io::Result<Self> {
            // Dropped on the way out of a failure, it undoes what was done.
            let former = Self {
                user: Uid::from_raw(current_user()),
                group: Gid::from_raw(current_group()),
                groups: getgroups()?,
            };
            leave_groups(&former.groups).map_err(|_| refusal(owner))?;
            setfsgid(owner.group);
            setfsuid(owner.user);
            let current = (current_user(), current_group());
            if current == (owner.user.as_raw(), owner.group.as_raw()) {
                Ok(former)
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

    /// Root's groups would go on opening files. In a user namespace they are those of the
    /// user outside, who may do there whatever this process may; and often none can be
    /// left (`setgroups` is denied).
    fn leave_groups(groups: &[Gid]) -> io::Result<()> {
        match set_groups(&[]) {
            Err(error) if !groups.is_empty() && !is_in_namespace() => Err(error),
            _ => Ok(()),
        }
    }

    /// Of this thread alone: the C library's function is for all of them.
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

    /// The user whose rights this process uses files with.
    pub(in crate::fs) fn current_user() -> u32 {
        Uid::effective().as_raw()
    }

    /// Another user's rights to files. There is no such identity for files alone here, so
    /// it is the whole process's. Root's further groups stay: macOS keeps them in a
    /// directory service, and they open nothing that matters there (`wheel`, `daemon`).
    #[derive(Debug)]
    pub(super) struct Identity {
        user: Uid,
        group: Gid,
    }

    impl Identity {
        pub(super) fn assume(owner: Owner) -> io::Result<Self> {
            // Dropped on the way out of a failure, it undoes what was done.
            let former = Self {
                user: Uid::effective(),
                group: Gid::effective(),
            };
            setegid(owner.group).map_err(|_| refusal(owner))?;
            seteuid(owner.user).map_err(|_| refusal(owner))?;
            Ok(former)
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

    /// A user's home below a directory of root's; `None` where only root can make it.
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
    fn root_acts_as_the_first_other_user_on_the_way() {
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
    fn what_root_makes_there_is_the_users_and_links_lead_no_further_than_the_user() {
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
        let kept = act_as_owner(directory.path()).unwrap();
        drop(kept);
        let inner = act_as_owner(&home).unwrap();
        assert!(std::fs::read(&secret).is_err(), "it is not root again yet");
        drop(inner);
        assert!(std::fs::read(&secret).is_err(), "nor after the inner one");
        drop(rights);
        assert_eq!(std::fs::read(&secret).unwrap(), b"of root");
        let metadata = home.join("new").metadata().unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (12_345, 12_346));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_user_namespace_is_known_by_its_map() {
        use super::unix::is_namespace;
        assert!(!is_namespace("         0          0 4294967295\n"));
        assert!(is_namespace("0 1001 1\n1 100000 65536\n"));
        assert!(!is_namespace(""), "no /proc");
    }
}
