//! The session keyring.

use super::super::SCHEMA;
use super::keyctl::Attributes;
use super::keyctl::Key;
use super::keyctl::SESSION_KEYRING;
use super::keys::described;
use super::keys::is_own;
use super::keys::own_keys_in;
use super::seal_key::SealKey;

/// The prefix of the names of persistent keyrings; the user id follows.
const PERSISTENT: &str = "_persistent.";

/// The session keyring, and what is directly in it.
pub(super) struct SessionKeyring {
    /// The keys of this user, with their descriptions.
    pub(super) own_keys: Vec<(Key, String)>,
    /// Whether it belongs to this user: `su` and `sudo` keep that of the caller.
    pub(super) is_own: bool,
    persistent_keyrings: Vec<Key>,
}

impl SessionKeyring {
    /// Reads the session keyring.
    pub(super) fn read() -> Self {
        let is_persistent =
            |it: &Attributes| it.is_keyring && it.description.starts_with(PERSISTENT);
        let keys = described(SESSION_KEYRING);
        let persistent = keys.iter().filter(|(_, it)| is_persistent(it));
        Self {
            persistent_keyrings: persistent.map(|(ring, _)| *ring).collect(),
            own_keys: own_keys_in(keys),
            is_own: is_own(SESSION_KEYRING),
        }
    }

    /// Returns the copy of the seal's key, if the session keyring belongs to this user.
    pub(super) fn seal(&self, namespace: &str) -> Option<SealKey> {
        if !self.is_own {
            return None;
        }
        SealKey::find(&self.own_keys, namespace)
    }

    /// Unlinks persistent keyrings with records of this program from the session keyring.
    /// Versions without seals linked them there, even if the session belonged to another
    /// user, and all processes of a session possess what is linked.
    pub(super) fn unlink_persistent_keyrings(&self) {
        for ring in self.persistent_keyrings.iter().copied() {
            if has_records(ring) {
                let _ = SESSION_KEYRING.unlink(ring);
            }
        }
    }
}

/// Returns whether a keyring has records of this program, of any user.
fn has_records(ring: Key) -> bool {
    let mut keys = described(ring).into_iter();
    keys.any(|(_, attributes)| attributes.description.starts_with(SCHEMA))
}
