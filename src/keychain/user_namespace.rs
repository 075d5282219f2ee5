//! The user namespace of this process.
//!
//! Rootless podman and buildah run helpers in a user namespace, in which the user appears to
//! be root. The kernel then has other keyrings for the process, and the session bus rejects
//! the user id that libdbus sends.

use std::fs::File;
use std::io;
use std::io::Read as _;

use once_cell::sync::OnceCell;

/// Returns the user id outside of the namespace, if it differs from the one inside.
pub(super) fn outer_uid() -> Option<u32> {
    let uid = own_uid();
    outside(map()?, uid).filter(|outer| *outer != uid)
}

/// Returns whether this is the user namespace of one program: the user has another id
/// inside, or is the only user (`bwrap`, `unshare --map-current-user`). A container with
/// several users (LXC, `systemd-nspawn`) is treated as a machine.
pub(super) fn is_around_one_program() -> bool {
    outer_uid().is_some() || map().is_some_and(has_one_user)
}

/// Returns whether the user has no id in the namespace. All such users look the same.
pub(super) fn is_without_user() -> bool {
    map().is_some_and(|map| outside(map, own_uid()).is_none())
}

/// Returns the map of this process's user ids. It never changes, so it is read once.
fn map() -> Option<&'static str> {
    static MAP: OnceCell<Option<String>> = OnceCell::new();
    MAP.get_or_init(|| read("/proc/self/uid_map").ok())
        .as_deref()
}

/// Reads a file in `/proc`, whose size the kernel does not know before. Almost all maps have one
/// line of 33 bytes.
fn read(path: &str) -> io::Result<String> {
    let mut text = String::with_capacity(256);
    // Only the file itself is asked for its size.
    File::open(path)?.take(u64::MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// Returns the user id inside, which never changes. Not from the owner of `/proc/self`, which
/// is root for a process whose memory is protected.
fn own_uid() -> u32 {
    static UID: OnceCell<u32> = OnceCell::new();
    *UID.get_or_init(|| nix::unistd::getuid().as_raw())
}

/// Returns the id outside for an id inside. Each line of a map (`user_namespaces(7)`) has the
/// first id inside, the first id outside, and the number of ids.
fn outside(map: &str, uid: u32) -> Option<u32> {
    map.lines().find_map(|line| {
        let mut fields = line
            .split_whitespace()
            .map(|field| field.parse::<u32>().ok());
        let (inside, outside, count) = (fields.next()??, fields.next()??, fields.next()??);
        let offset = uid.checked_sub(inside).filter(|offset| *offset < count)?;
        outside.checked_add(offset)
    })
}

fn has_one_user(map: &str) -> bool {
    map.split_whitespace().skip(2).eq(["1"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_in_its_range() {
        let podman = "         0       1001          1\n         1     100000      65536\n";
        assert_eq!(outside(podman, 0), Some(1001));
        assert_eq!(outside(podman, 33), Some(100_032));
        assert_eq!(outside(podman, 70_000), None);
        assert_eq!(
            outside("0 0 4294967295\n", 1001),
            Some(1001),
            "no namespace"
        );
        assert_eq!(outside("garbage\n", 0), None);
    }

    #[test]
    fn a_namespace_with_one_user_has_one_id_in_its_map() {
        assert!(has_one_user("      1000       1000          1\n"));
        for map in [
            "         0          0 4294967295\n",
            "         0     100000      65536\n",
            "         0       1000          1\n         1     100000      65536\n",
            "",
        ] {
            assert!(!has_one_user(map), "{map}");
        }
    }
}
