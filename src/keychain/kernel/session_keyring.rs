//! The session keyring.

use linux_keyutils::Key;
use linux_keyutils::KeyRing;
use linux_keyutils::KeyRingIdentifier;
use linux_keyutils::LinkNode;

use super::super::SCHEMA;
use super::keys::described;
use super::keys::is_own;
use super::keys::links;
use super::keys::own_keys_in;
use super::seal_key::SealKey;

/// The prefix of the names of persistent keyrings; the user id follows.
const PERSISTENT: &str = "_persistent.";

/// The session keyring, and the keys and keyrings that are directly in it.
pub(super) struct SessionKeyring {
    pub(super) ring: KeyRing,
    links: Vec<LinkNode>,
    /// Whether it belongs to this user: `su` and `sudo` keep that of the caller.
    pub(super) is_own: bool,
}

impl SessionKeyring {
    pub(super) fn current() -> Option<Self> {
        let ring = KeyRing::from_special_id(KeyRingIdentifier::Session, false).ok()?;
        Some(Self {
            ring,
            links: links(ring),
            is_own: is_own(ring.metadata()),
        })
    }

    pub(super) fn own_keys(&self) -> Vec<(Key, String)> {
        own_keys_in(&self.links)
    }

    /// Returns the copy of the seal's key, if the session keyring belongs to this user.
    pub(super) fn seal(&self, namespace: &str) -> Option<SealKey> {
        if !self.is_own {
            return None;
        }
        SealKey::find(&self.own_keys(), namespace)
    }

    /// Unlinks persistent keyrings with records of this program from the session keyring.
    /// Versions without seals linked them there, even if the session belonged to another
    /// user, and all processes of a session possess what is linked.
    pub(super) fn unlink_persistent_keyrings(&self) {
        for ring in self.links.iter().filter_map(LinkNode::as_ring) {
            let is_persistent = ring
                .metadata()
                .is_ok_and(|metadata| metadata.get_description().starts_with(PERSISTENT));
            if is_persistent && has_records(ring) {
                let _ = self.ring.unlink_keyring(ring);
            }
        }
    }
}

/// Returns whether a keyring has records of this program, of any user.
fn has_records(ring: KeyRing) -> bool {
    described(&links(ring)).any(|(_, metadata)| metadata.get_description().starts_with(SCHEMA))
}
