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

/// How many keys are looked at when listing: far above what an ordinary user's
/// quota of 200 keys allows, and the binding needs the room up front.
const MAX_KEYS: usize = 65_536;

/// Stands in a description where a record has its kind: this key seals the records of
/// its namespace.
const SEAL: &str = "seal";

pub(super) fn links(ring: KeyRing) -> Vec<LinkNode> {
    let links = ring.get_links(MAX_KEYS);
    links.map(|links| links.to_vec()).unwrap_or_default()
}

/// The keys that stand directly in a keyring and belong to this user, with their
/// descriptions: anybody who shares a session keyring may add keys to it.
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

/// What the descriptions of a namespace begin with: `SCHEMA:NAMESPACE:`.
pub(super) fn namespace_prefix(namespace: &str) -> String {
    format!("{SCHEMA}:{namespace}:")
}

pub(super) fn seal_name(namespace: &str) -> String {
    namespace_prefix(namespace) + SEAL
}

/// Whether a record is a login, by its description: `SCHEMA:NAMESPACE:KIND:NAME`.
pub(super) fn is_login(description: &str) -> bool {
    kind(description) == Some(Kind::Login.name())
}

/// The name of a record's kind, by its description.
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

/// All rights for the owner's user id, none for possessors.
pub(super) fn owner_permissions() -> KeyPermissions {
    KeyPermissionsBuilder::builder()
        .user(Permission::ALL)
        .build()
}

/// What a possessor needs to read a key, and nothing to change it. Without the right to
/// search it, the kernel does not count it as possessed.
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

/// The system's words where the binding has a number alone.
pub(super) fn reason(error: KeyError) -> String {
    match error {
        KeyError::Unknown(number) => std::io::Error::from_raw_os_error(number).to_string(),
        known => known.to_string(),
    }
}
