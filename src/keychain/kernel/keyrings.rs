//! The keyrings in which records are searched and added.

use std::collections::BTreeSet;
use std::path::Path;

use nix::errno::Errno;

use super::super::Kind;
use super::super::SCHEMA;
use super::super::key_quota::KeyQuota;
use super::keyctl::Key;
use super::keyctl::PROCESS_KEYRING;
use super::keys::OWNER_PERMISSIONS;
use super::keys::is_own;
use super::keys::kind;
use super::keys::own_keys;
use super::keys::own_uid;
use super::proc_keys;

/// The keyrings in which records are searched and added.
#[derive(Debug)]
pub(super) enum Keyrings {
    /// In a user namespace, the kernel has another persistent keyring. So new records are
    /// added to the session keyring, and those from outside are found in `/proc/keys`.
    InNamespace { session: Key },
    /// Outside of a user namespace, records are in the persistent keyring, or in the user
    /// keyring.
    Outside {
        persistent: Key,
        is_persistent: bool,
    },
}

impl Keyrings {
    /// Returns the keyring of the user for processes outside of a user namespace, linked into the
    /// keyring of this process: the persistent one. If the kernel has none, the user keyring.
    pub(super) fn outside() -> Result<Self, Errno> {
        match Key::persistent_keyring() {
            Ok(persistent) => Ok(Self::Outside {
                persistent,
                is_persistent: true,
            }),
            // It exists, but cannot be used now.
            Err(Errno::EDQUOT) => Err(Errno::EDQUOT),
            Err(error) => Ok(Self::Outside {
                persistent: user_keyring().map_err(|_| error)?,
                is_persistent: false,
            }),
        }
    }

    /// Returns the records of this user whose descriptions begin with `prefix`.
    pub(super) fn list(&self, prefix: &str) -> Vec<(Key, String)> {
        let mut records = match self {
            Self::InNamespace { .. } => proc_keys::keys_of_user(own_uid(), prefix),
            Self::Outside { persistent, .. } => own_keys(*persistent),
        };
        records.retain(|(_, description)| description.starts_with(prefix));
        records
    }

    /// Returns the descriptions of this user's records that begin with `prefix`; `None` if that
    /// takes more than `max_calls` calls, one for each key in the keyring.
    pub(super) fn descriptions_within(
        &self,
        prefix: &str,
        max_calls: usize,
    ) -> Option<BTreeSet<String>> {
        if let Self::Outside { persistent, .. } = self
            && persistent.links().ok()?.len() > max_calls
        {
            return None;
        }
        let records = self.list(prefix).into_iter();
        Some(records.map(|(_, description)| description).collect())
    }

    /// Returns the records of this user with this description.
    pub(super) fn find(&self, description: &str) -> Vec<Key> {
        match self {
            Self::InNamespace { .. } => {
                let mut keys = self.list(description);
                keys.retain(|(_, found)| found == description);
                keys.into_iter().map(|(key, _)| key).collect()
            }
            Self::Outside { persistent, .. } => {
                let found = persistent.search(description).into_iter();
                found.filter(|key| is_own(*key)).collect()
            }
        }
    }

    /// Adds a record that only its owner can read, at any moment. It is created in the keyring
    /// of this process and then linked: if another user has put a key of that name into the
    /// session keyring, adding it there would write into that key.
    pub(super) fn add(&self, description: &str, record: &[u8]) -> Result<Key, Errno> {
        let key = PROCESS_KEYRING.add(description, record)?;
        key.set_permissions(OWNER_PERMISSIONS)?;
        match self {
            Self::InNamespace { session } => session.link(key),
            Self::Outside { persistent, .. } => persistent.link(key),
        }?;
        let _ = PROCESS_KEYRING.unlink(key);
        Ok(key)
    }

    /// Deletes cached tokens and hints, which can be requested again.
    pub(super) fn make_room(&self) {
        self.delete_short_lived_until(&|| false);
    }

    /// Returns whether a record that can be requested again may be added: the user's use of the
    /// quota stays below a part of it. Otherwise deletes others, one after the other.
    pub(super) fn make_room_for_token(&self, description: &str, bytes: usize) -> bool {
        let is_allowed = || {
            let quota = KeyQuota::of_user(Path::new("/"), own_uid());
            quota.is_none_or(|quota| quota.allows_tokens(1, bytes as u64))
        };
        // A replaced record needs no more space.
        if is_allowed() || !self.find(description).is_empty() {
            return true;
        }
        self.delete_short_lived_until(&is_allowed);
        is_allowed()
    }

    fn delete_short_lived_until(&self, is_enough: &dyn Fn() -> bool) {
        let short_lived = [Kind::Hint, Kind::Token].map(|kind| Some(kind.name()));
        let mut records = self.list(SCHEMA);
        records.retain(|(_, description)| short_lived.contains(&kind(description)));
        for (key, _) in records {
            // The kernel counts a deleted key until its next garbage collection, but a shorter
            // payload at once. Errors mean that another process deleted it.
            let _ = key.update(b"-");
            let _ = key.invalidate();
            if is_enough() {
                break;
            }
        }
    }
}

/// Returns the user keyring, linked into the keyring of this process: the session keyring that
/// `docker` or `su` give a process need not contain it, and only possessors can read the seal.
fn user_keyring() -> Result<Key, Errno> {
    let user = Key::user_keyring()?;
    PROCESS_KEYRING.link(user)?;
    Ok(user)
}
