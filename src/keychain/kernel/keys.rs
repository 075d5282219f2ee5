//! The kernel's keys: what keyrings contain, descriptions, permissions and errors.

use linux_keyutils::Key;
use linux_keyutils::KeyError;
use linux_keyutils::KeyPermissions;
use linux_keyutils::KeyPermissionsBuilder;
use linux_keyutils::KeyRing;
use linux_keyutils::LinkNode;
use linux_keyutils::Metadata;
use linux_keyutils::Permission;
use nix::unistd::Uid;
use ring::rand::SecureRandom;
use ring::rand::SystemRandom;

use super::super::Kind;
use super::super::SCHEMA;

/// The maximum number of keys in a list. The library allocates space for all of them. An
/// ordinary user's quota is 200 keys.
const MAX_KEYS: usize = 65_536;

/// The kind in the description of a seal's key.
const SEAL: &str = "seal";

/// Returns the keys and keyrings that are directly in a keyring.
pub(super) fn links(ring: KeyRing) -> Vec<LinkNode> {
    let links = ring.get_links(MAX_KEYS);
    links.map(|links| links.to_vec()).unwrap_or_default()
}

/// Returns the keys directly in a keyring that belong to this user, with their descriptions.
/// Other users of the same session can add keys to its keyring.
pub(super) fn own_keys(ring: KeyRing) -> Vec<(Key, String)> {
    own_keys_in(&links(ring))
}

pub(super) fn own_keys_in(links: &[LinkNode]) -> Vec<(Key, String)> {
    let keys = described(links);
    let own = keys.filter(|(_, metadata)| metadata.get_uid() == own_uid());
    own.map(|(key, metadata)| (key, metadata.get_description().to_owned()))
        .collect()
}

pub(super) fn described(links: &[LinkNode]) -> impl Iterator<Item = (Key, Metadata)> {
    let keys = links.iter().filter_map(LinkNode::as_key);
    keys.filter_map(|key| Some((key, key.metadata().ok()?)))
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

pub(super) fn is_own(metadata: Result<Metadata, KeyError>) -> bool {
    metadata.is_ok_and(|metadata| metadata.get_uid() == own_uid())
}

pub(super) fn own_uid() -> u32 {
    Uid::effective().as_raw()
}

/// Returns all permissions for the owner's user id, and none for possessors.
pub(super) fn owner_permissions() -> KeyPermissions {
    KeyPermissionsBuilder::builder()
        .user(Permission::ALL)
        .build()
}

/// Returns the permissions with which a possessor can read a key but not change it. The kernel
/// regards a key as possessed only if it may be searched.
pub(super) fn possessor_permissions() -> KeyPermissions {
    let rights = Permission::VIEW | Permission::READ | Permission::SEARCH;
    KeyPermissionsBuilder::builder().posessor(rights).build()
}

pub(super) fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], KeyError> {
    let mut bytes = [0; LENGTH];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| KeyError::InvalidArguments)?;
    Ok(bytes)
}

pub(super) fn is_gone(error: KeyError) -> bool {
    matches!(
        error,
        KeyError::KeyDoesNotExist | KeyError::KeyExpired | KeyError::KeyRevoked
    )
}

/// Returns the text of an error; the system's if the library has only a number.
pub(super) fn reason(error: KeyError) -> String {
    match error {
        KeyError::Unknown(number) => std::io::Error::from_raw_os_error(number).to_string(),
        known => known.to_string(),
    }
}
