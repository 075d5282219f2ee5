//! Removal of the helper's keys from the kernel keyring.

use linux_keyutils::KeyRing;
use linux_keyutils::KeyRingIdentifier;
use linux_keyutils::LinkNode;

/// The largest number of keys of one user.
const MAX_KEYS: usize = 65_536;

/// Removes the keys of every namespace that begins with `prefix`.
pub(crate) fn remove(prefix: &str) {
    let Ok(ring) = KeyRing::get_persistent(KeyRingIdentifier::Process) else {
        return;
    };
    let links = ring.get_links(MAX_KEYS).map(|links| links.to_vec());
    for link in links.unwrap_or_default() {
        let LinkNode::Key(key) = link else { continue };
        let ours = key.metadata().is_ok_and(|metadata| {
            metadata
                .get_description()
                .split(':')
                .nth(1)
                .is_some_and(|name| name.starts_with(prefix))
        });
        if ours {
            // It may have expired already.
            let _ = key.invalidate();
        }
    }
}
