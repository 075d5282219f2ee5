//! The keys of this program: descriptions, owners, permissions and errors.

use std::sync::OnceLock;

use keyutils_raw as raw;
use nix::errno::Errno;
use nix::unistd::Uid;
use ring::rand::SecureRandom;
use ring::rand::SystemRandom;

use super::super::Kind;
use super::super::SCHEMA;
use super::keyctl::Attributes;
use super::keyctl::Key;

/// The kind in the description of a seal's key.
const SEAL: &str = "seal";

/// Returns the keys and keyrings that are directly in a keyring, with their attributes; none
/// if the keyring cannot be read.
pub(super) fn described(ring: Key) -> Vec<(Key, Attributes)> {
    let links = ring.links().unwrap_or_default().into_iter();
    links
        .filter_map(|key| Some((key, key.attributes().ok()?)))
        .collect()
}

/// Returns the keys directly in a keyring that belong to this user, with their descriptions.
/// Other users of the same session can add keys to its keyring.
pub(super) fn own_keys(ring: Key) -> Vec<(Key, String)> {
    own_keys_in(described(ring))
}

pub(super) fn own_keys_in(keys: Vec<(Key, Attributes)>) -> Vec<(Key, String)> {
    let keys = keys.into_iter();
    let own = keys.filter(|(_, it)| it.is_user_key && it.uid == own_uid());
    own.map(|(key, attributes)| (key, attributes.description))
        .collect()
}

/// Returns the prefix of a namespace's descriptions: `SCHEMA:NAMESPACE:`.
pub(super) fn namespace_prefix(namespace: &str) -> String {
    format!("{SCHEMA}:{namespace}:")
}

pub(super) fn seal_name(namespace: &str) -> String {
    namespace_prefix(namespace) + SEAL
}

/// Returns whether a description is that of a login: `SCHEMA:NAMESPACE:KIND:NAME`.
pub(super) fn is_login(description: &str) -> bool {
    kind(description) == Some(Kind::Login.name())
}

/// Returns the name of the kind in a description.
pub(super) fn kind(description: &str) -> Option<&str> {
    let record = description.strip_prefix(SCHEMA)?;
    record.split(':').nth(2)
}

/// Returns whether a key or keyring belongs to this user.
pub(super) fn is_own(key: Key) -> bool {
    key.attributes()
        .is_ok_and(|attributes| attributes.uid == own_uid())
}

/// Returns this user's id. It is asked for once: no keychain is used with the rights of
/// another user.
pub(super) fn own_uid() -> u32 {
    static UID: OnceLock<u32> = OnceLock::new();
    *UID.get_or_init(|| Uid::effective().as_raw())
}

/// All permissions for the owner's user id, and none for possessors.
pub(super) const OWNER_PERMISSIONS: u32 = raw::KEY_USR_ALL;

/// The permissions with which a possessor can read a key but not change it. The kernel regards
/// a key as possessed only if it may be searched.
pub(super) const POSSESSOR_PERMISSIONS: u32 =
    raw::KEY_POS_VIEW | raw::KEY_POS_READ | raw::KEY_POS_SEARCH;

pub(super) fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], Errno> {
    let mut bytes = [0; LENGTH];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Errno::EINVAL)?;
    Ok(bytes)
}

pub(super) fn is_gone(error: Errno) -> bool {
    matches!(
        error,
        Errno::ENOKEY | Errno::EKEYEXPIRED | Errno::EKEYREVOKED
    )
}
