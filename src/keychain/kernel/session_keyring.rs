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

/// Names every user's persistent keyring, before the user id.
const PERSISTENT: &str = "_persistent.";

/// The session keyring, and what stands directly in it.
pub(super) struct SessionKeyring {
    pub(super) ring: KeyRing,
    links: Vec<LinkNode>,
    /// Whether it belongs to this user; `su` and `sudo` keep the caller's.
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

    /// The seal's key that the user's own session has.
    pub(super) fn seal(&self, namespace: &str) -> Option<SealKey> {
        let keys = if self.is_own {
            self.own_keys()
        } else {
            Vec::new()
        };
        SealKey::find(&keys, namespace)
    }

    /// Takes persistent keyrings with records of ours out of the session. Versions before
    /// the seal linked them there, whoever the session's owner was, and a link gives
    /// possession to every process of the session.
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

/// Whether records of ours, of any user, stand in a keyring.
fn has_records(ring: KeyRing) -> bool {
    described(&links(ring)).any(|(_, metadata)| metadata.get_description().starts_with(SCHEMA))
}
