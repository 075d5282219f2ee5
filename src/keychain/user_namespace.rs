//! Who we are outside of the user namespace that we may be in.
//!
//! Rootless podman and buildah call helpers in one, where the user looks like
//! root. The kernel then gives us other keyrings, and the session bus does not
//! believe the user id that libdbus claims.

use once_cell::sync::OnceCell;

/// The user's id outside, where it is another than in here.
pub(super) fn outer_uid() -> Option<u32> {
    let uid = own_uid();
    outside(map()?, uid).filter(|outer| *outer != uid)
}

/// Whether this is a user namespace around one program: the user looks like another one,
/// or is the only one that there is (`bwrap`, `unshare --map-current-user`). A container
/// with users of its own (LXC, `systemd-nspawn`) is a machine like any other.
pub(super) fn is_around_one_program() -> bool {
    outer_uid().is_some() || map().is_some_and(has_one_user)
}

/// Whether the user has no id in here: then all users look the same.
pub(super) fn is_without_user() -> bool {
    map().is_some_and(|map| outside(map, own_uid()).is_none())
}

/// The map of this process's user ids. It stays as it is, so the kernel is asked once.
fn map() -> Option<&'static str> {
    static MAP: OnceCell<Option<String>> = OnceCell::new();
    let read = || std::fs::read_to_string("/proc/self/uid_map").ok();
    MAP.get_or_init(read).as_deref()
}

/// Not the owner of `/proc/self`: that is root for a process whose memory is protected.
fn own_uid() -> u32 {
    nix::unistd::getuid().as_raw()
}

/// Looks up an id in a map (`user_namespaces(7)`): lines of a first id inside, a
/// first id outside, and how many follow.
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
            "no namespace at all"
        );
        assert_eq!(outside("garbage\n", 0), None);
    }

    #[test]
    fn a_namespace_of_one_user_maps_one_id() {
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
