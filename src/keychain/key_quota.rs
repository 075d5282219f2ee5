//! A user's quota of keys in the Linux kernel.

use std::path::Path;

/// The users' quotas (`proc_key-users(5)`), below the root directory.
const PATH: &str = "proc/key-users";

/// The percentage of the quota up to which tokens are cached. An ordinary user has 200 keys and
/// 20,000 bytes, and each container needs a keyring of its own: the rest is enough to start about
/// fifty. Tokens can be requested again, so they are the first to give way.
pub const MAX_SHARE: u64 = 75;

/// How much of a user's quota is used, by all programs together.
#[derive(Debug, Eq, PartialEq)]
pub struct KeyQuota {
    /// The number of keys.
    pub keys: u64,
    /// The maximum number of keys.
    pub max_keys: u64,
    /// The size of all keys, in bytes.
    pub bytes: u64,
    /// The maximum size.
    pub max_bytes: u64,
}

impl KeyQuota {
    /// Reads the quota of a user; `None` if the kernel does not show it.
    pub fn of_user(root: &Path, user: u32) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(root.join(PATH)).ok()?, user)
    }

    /// Parses the user's line: `1000:    12 12/12 8/200 1500/20000`.
    fn parse(text: &str, user: u32) -> Option<Self> {
        let fraction = |text: &str| {
            let (used, max) = text.split_once('/')?;
            Some((used.parse().ok()?, max.parse().ok()?))
        };
        text.lines().find_map(|line| {
            let (id, rest) = line.split_once(':')?;
            if id.trim().parse() != Ok(user) {
                return None;
            }
            let fields: Vec<&str> = rest.split_whitespace().collect();
            let (keys, max_keys) = fraction(fields.get(2)?)?;
            let (bytes, max_bytes) = fraction(fields.get(3)?)?;
            Some(Self {
                keys,
                max_keys,
                bytes,
                max_bytes,
            })
        })
    }

    /// Returns whether tokens of this number and size may be added.
    pub fn allows_tokens(&self, keys: u64, bytes: u64) -> bool {
        let is_allowed = |used: u64, more: u64, max: u64| {
            used.saturating_add(more).saturating_mul(100) <= max.saturating_mul(MAX_SHARE)
        };
        is_allowed(self.keys, keys, self.max_keys) && is_allowed(self.bytes, bytes, self.max_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quota_of_a_user_is_read_from_the_key_users_file() {
        let text =
            "    0:    79 78/78 47/1000000 1020/25000000\n 1000:    12 12/12 8/200 14000/20000\n";
        let quota = KeyQuota::parse(text, 1000).unwrap();
        assert_eq!((quota.keys, quota.max_keys), (8, 200));
        assert_eq!((quota.bytes, quota.max_bytes), (14_000, 20_000));
        for (text, user) in [(text, 7), ("garbage", 0), ("0: 1 1/1 x/y 1/2", 0)] {
            assert_eq!(KeyQuota::parse(text, user), None);
        }
    }

    #[test]
    fn tokens_leave_a_part_of_the_keys_and_of_the_bytes_to_other_programs() {
        let quota = |keys, bytes| KeyQuota {
            keys,
            max_keys: 200,
            bytes,
            max_bytes: 20_000,
        };
        assert!(quota(149, 13_000).allows_tokens(1, 2_000));
        assert!(!quota(149, 13_001).allows_tokens(1, 2_000));
        assert!(!quota(150, 0).allows_tokens(1, 0));
    }
}
