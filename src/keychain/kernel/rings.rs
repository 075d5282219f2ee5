//! Where records are looked for and added.

use linux_keyutils::Key;
use linux_keyutils::KeyError;
use linux_keyutils::KeyRing;
use linux_keyutils::KeyRingIdentifier;

use super::super::Kind;
use super::super::SCHEMA;
use super::keys::is_own;
use super::keys::kind;
use super::keys::own_keys;
use super::keys::own_uid;
use super::keys::owner_permissions;
use super::proc_keys;

/// Where records are looked for and added.
#[derive(Debug)]
pub(super) enum Rings {
    /// In a user namespace the kernel has another persistent keyring, so new records
    /// stand in the session keyring. Those from outside are reached by their numbers.
    InNamespace { session: KeyRing },
    /// Everywhere else records stand in the persistent keyring.
    Outside { persistent: KeyRing },
}

impl Rings {
    /// Every record of this user whose description begins with `prefix`.
    pub(super) fn list(&self, prefix: &str) -> Vec<(Key, String)> {
        let mut records = match self {
            Self::InNamespace { .. } => proc_keys::keys_of_user(own_uid(), prefix),
            Self::Outside { persistent } => own_keys(*persistent),
        };
        records.retain(|(_, description)| description.starts_with(prefix));
        records
    }

    pub(super) fn find(&self, description: &str) -> Vec<Key> {
        match self {
            Self::InNamespace { .. } => {
                let mut keys = self.list(description);
                keys.retain(|(_, found)| found == description);
                keys.into_iter().map(|(key, _)| key).collect()
            }
            Self::Outside { persistent } => {
                let found = persistent.search(description).into_iter();
                found.filter(|key| is_own(key.metadata())).collect()
            }
        }
    }

    /// Adds a record that is readable by its owner from the start. It is made in the keyring
    /// of this process and linked from there: adding it where others may have put a key of
    /// that name would write it into theirs.
    pub(super) fn add(&self, description: &str, record: &[u8]) -> Result<Key, KeyError> {
        let process = KeyRing::from_special_id(KeyRingIdentifier::Process, true)?;
        let key = process.add_key(description, record)?;
        key.set_perms(owner_permissions())?;
        match self {
            Self::InNamespace { session } => session.link_key(key),
            Self::Outside { persistent } => persistent.link_key(key),
        }?;
        let _ = process.unlink_key(key);
        Ok(key)
    }

    /// Removes what costs no more than an exchange to get back.
    pub(super) fn make_room(&self) {
        let short_lived = [Kind::Hint, Kind::Token].map(|kind| Some(kind.name()));
        for (key, description) in self.list(SCHEMA) {
            if short_lived.contains(&kind(&description)) {
                // The kernel counts a removed key until it is collected, but a
                // shortened payload at once. Another process may have been
                // faster; then there is nothing left to do.
                let _ = key.update(&b"-");
                let _ = key.invalidate();
            }
        }
    }
}
