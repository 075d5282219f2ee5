//! The list of keys in `/proc/keys` (`proc_keys(5)`): those that this process may see,
//! whether it possesses them or not.

use super::keyctl::Key;

const PATH: &str = "/proc/keys";

/// Returns the keys of type `user` that belong to this user and whose descriptions begin with
/// `prefix`, with their descriptions; none if the kernel has no `/proc/keys`.
pub(super) fn keys_of_user(uid: u32, prefix: &str) -> Vec<(Key, String)> {
    let listing = std::fs::read_to_string(PATH).unwrap_or_default();
    let keys = listing.lines().filter_map(|line| parse(line, uid));
    keys.filter(|(_, description)| description.starts_with(prefix))
        .collect()
}

/// Parses a line: serial number, flags, usage, timeout, permissions, owner, group, type,
/// and the description with the payload's length.
fn parse(line: &str, uid: u32) -> Option<(Key, String)> {
    let (fields, description) = line.split_once(" user ")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let &[serial, flags, _usage, _timeout, _permissions, owner, _group] = &fields[..] else {
        return None;
    };
    // Only an instantiated key that is neither revoked nor dead has a payload.
    let is_readable = flags.contains('I') && !flags.contains(['D', 'R']);
    if !is_readable || owner.parse() != Ok(uid) {
        return None;
    }
    let (description, _length) = description.trim_start().rsplit_once(": ")?;
    let key = Key::with_id(i32::from_str_radix(serial, 16).ok()?)?;
    Some((key, description.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_this_user_is_parsed() {
        let line =
            "2080961b I--Q---     1  59m 003f0000  4711  4711 user      icr:x:localhost:5000: 13";
        let (key, description) = parse(line, 4711).unwrap();
        assert_eq!(Some(key), Key::with_id(0x2080_961b));
        assert_eq!(description, "icr:x:localhost:5000");
        assert!(parse(line, 0).is_none(), "another user's key");
    }

    #[test]
    fn other_lines_are_skipped() {
        for line in [
            "",
            "garbage",
            " user ",
            "009a2028 I--Q---     1 perm 3f010000  1000  1000 keyring   _uid.1000: 2",
            "1806c4ba I------     1 perm 1f030000  1000  1000 big_key   x: 11",
            "2080961b I-RQ---     1 perm 003f0000  1000  1000 user      icr: 13",
            "2080961b IR-Q---     1 perm 003f0000  1000  1000 user      icr: 13",
            "2080961b I-DQ---     1 perm 003f0000  1000  1000 user      icr: 13",
            "2080961b N--Q---     1 perm 003f0000  1000  1000 user      icr: 13",
            "fffffffff I--Q---     1 perm 003f0000  1000  1000 user      icr: 13",
            "2080961b I--Q---     1 perm 003f0000  1000 user      icr: 13",
        ] {
            assert!(parse(line, 1000).is_none(), "{line}");
        }
    }
}
