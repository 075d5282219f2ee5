//! The keyrings in which records are searched and added.

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

/// The keyrings in which records are searched and added.
#[derive(Debug)]
pub(super) enum Keyrings {
    /// In a user namespace, the kernel has another persistent keyring. So new records are
    /// added to the session keyring, and those from outside are found in `/proc/keys`.
    InNamespace { session: KeyRing },
    /// Outside of a user namespace, records are in the persistent keyring.
    Outside { persistent: KeyRing },
}

impl Keyrings {
    /// Returns the records of this user whose descriptions begin with `prefix`.
    pub(super) fn list(&self, prefix: &str) -> Vec<(Key, String)> {
        let mut records = match self {
            Self::InNamespace { .. } => proc_keys::keys_of_user(own_uid(), prefix),
            Self::Outside { persistent } => own_keys(*persistent),
        };
        records.retain(|(_, description)| description.starts_with(prefix));
        records
    }

    /// Returns the records of this user with this description.
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

    /// Adds a record that only its owner can read, at any moment. It is created in the keyring
    /// of this process and then linked: if another user has put a key of that name into the
    /// session keyring, adding it there would write into that key.
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

    /// Deletes cached tokens and hints, which can be requested again.
    pub(super) fn make_room(&self) {
        let short_lived = [Kind::Hint, Kind::Token].map(|kind| Some(kind.name()));
        for (key, description) in self.list(SCHEMA) {
            if short_lived.contains(&kind(&description)) {
                // The kernel counts a deleted key until its next garbage collection, but a
                // shorter payload at once. Errors mean that another process deleted it.
                let _ = key.update(&b"-");
                let _ = key.invalidate();
            }
        }
    }
}
