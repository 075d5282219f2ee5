//! Where records stand in the kernel, and who can reach them.
//!
//! A record's key is for its owner's user id alone: possessing it gives nothing, so a
//! session keyring that several users share (`su` and `sudo` of Debian keep the
//! caller's) gives nothing away. But a rootless container's root has that id as well.
//! So a record is sealed with a key that only possession gives: it stands in the
//! user's persistent keyring, which is linked to the keyring of this process alone, and
//! a copy of it in the user's own session keyring, which rootless podman and buildah
//! take along into their user namespaces and containers are not given. Neither half
//! is of use without the other.

use linux_keyutils::Key;
use linux_keyutils::KeyError;
use linux_keyutils::KeyPermissions;
use linux_keyutils::KeyPermissionsBuilder;
use linux_keyutils::KeyRing;
use linux_keyutils::KeyRingIdentifier;
use linux_keyutils::LinkNode;
use linux_keyutils::Metadata;
use linux_keyutils::Permission;
use nix::unistd::Uid;
use ring::rand::SecureRandom;
use ring::rand::SystemRandom;

use super::super::Kind;
use super::super::SCHEMA;
use super::super::seal::KEY_LENGTH;
use super::super::seal::KeyBytes;
use super::super::seal::Seal;
use super::super::user_namespace;
use super::proc_keys;
use crate::secret::Secret;

/// How many keys are looked at when listing: far above what an ordinary user's
/// quota of 200 keys allows, and the binding needs the room up front.
const MAX_KEYS: usize = 65_536;

/// Stands in a description where a record has its kind: this key seals the records of
/// its namespace.
const SEAL: &str = "seal";

/// How long a token's copy is kept that was sealed again, in seconds: its own end stands
/// in it, the kernel's timeout does not come along.
const COPY_SECONDS: usize = 60 * 60;

/// Names every user's persistent keyring, before the user id.
const PERSISTENT: &str = "_persistent.";

/// The records of this user, as far as this process can reach them.
#[derive(Debug)]
pub(super) struct Store {
    namespace: String,
    rings: Rings,
    seal: Seal,
}

/// Where records are looked for and added.
#[derive(Debug)]
enum Rings {
    /// In a user namespace the kernel has another persistent keyring, so new records
    /// stand in the session keyring. Those from outside are reached by their numbers.
    InNamespace { session: KeyRing },
    /// Everywhere else records stand in the persistent keyring.
    Outside { persistent: KeyRing },
}

impl Rings {
    /// Every record of this user whose description begins with `prefix`.
    fn list(&self, prefix: &str) -> Vec<(Key, String)> {
        let mut records = match self {
            Self::InNamespace { .. } => proc_keys::of_user(own_uid(), prefix),
            Self::Outside { persistent } => own_keys(*persistent),
        };
        records.retain(|(_, description)| description.starts_with(prefix));
        records
    }

    fn find(&self, description: &str) -> Vec<Key> {
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
    fn add(&self, description: &str, record: &[u8]) -> Result<Key, KeyError> {
        let process = KeyRing::from_special_id(KeyRingIdentifier::Process, true)?;
        let key = process.add_key(description, record)?;
        key.set_perms(for_owner())?;
        match self {
            Self::InNamespace { session } => session.link_key(key),
            Self::Outside { persistent } => persistent.link_key(key),
        }?;
        let _ = process.unlink_key(key);
        Ok(key)
    }

    /// Removes what costs no more than an exchange to get back.
    fn make_room(&self) {
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

impl Store {
    /// Opens the store of a namespace.
    ///
    /// # Errors
    /// Why the kernel keyring cannot be used here, as the end of a sentence.
    pub(super) fn open(namespace: &str) -> Result<Self, String> {
        if user_namespace::is_without_user() {
            return Err("the user has no id in this user namespace".into());
        }
        if user_namespace::is_around_one_program() {
            Self::in_namespace(namespace)
        } else {
            Self::outside(namespace).map_err(reason)
        }
    }

    fn outside(namespace: &str) -> Result<Self, KeyError> {
        let persistent = KeyRing::get_persistent(KeyRingIdentifier::Process)?;
        let session = SessionKeyring::current();
        let shared = session.as_ref().and_then(|session| session.seal(namespace));
        let (key, is_new) = match SealKey::in_persistent(persistent, namespace, shared.as_ref()) {
            Err(KeyError::QuotaExceeded) => {
                Rings::Outside { persistent }.make_room();
                SealKey::in_persistent(persistent, namespace, shared.as_ref())
            }
            other => other,
        }?;
        let store = Self {
            namespace: namespace.to_owned(),
            seal: key.seal()?,
            rings: Rings::Outside { persistent },
        };
        if is_new {
            store.seal_older_logins(persistent);
        }
        if let Some(session) = session {
            session.unlink_persistent_keyrings();
            if session.is_own {
                store.take_over(&session, persistent, shared.as_ref(), &key);
            }
        }
        Ok(store)
    }

    fn in_namespace(namespace: &str) -> Result<Self, String> {
        let session = KeyRing::from_special_id(KeyRingIdentifier::Session, true);
        let session = session.map_err(reason)?;
        if !is_own(session.metadata()) {
            return Err("the session keyring belongs to another user".into());
        }
        let rings = Rings::InNamespace { session };
        let create = || SealKey::copy_to(session, namespace, &KeyBytes::new(random()?));
        let key = match SealKey::among(&own_keys(session), namespace) {
            Some(key) => Ok(key),
            None => create().or_else(|_| {
                rings.make_room();
                create()
            }),
        };
        let seal = key.and_then(|key| key.seal()).map_err(reason)?;
        Ok(Self {
            namespace: namespace.to_owned(),
            rings,
            seal,
        })
    }

    /// Returns the secret of a record.
    pub(super) fn read(&self, description: &str) -> Result<Option<Secret>, KeyError> {
        for key in self.rings.find(description) {
            match self.open_record(key, description) {
                Ok(Some(secret)) => return Ok(Some(secret)),
                Ok(None) => tracing::debug!(description, "a record has another seal"),
                // Versions before the seal left records that only possession gives.
                Err(KeyError::AccessDenied) => {}
                Err(error) if is_gone(error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn open_record(&self, key: Key, description: &str) -> Result<Option<Secret>, KeyError> {
        Ok(self.seal.open(description, key.read_to_vec()?))
    }

    /// Adds a record, or replaces it. Where the user's quota (20,000 bytes by default) is
    /// used up, records make room that cost no more than an exchange.
    pub(super) fn write(&self, description: &str, secret: &Secret) -> Result<Key, KeyError> {
        let record = self.seal.seal(description, secret, random()?);
        let record = record.ok_or(KeyError::InvalidArguments)?;
        match self.put(description, &record) {
            Err(KeyError::QuotaExceeded) => {
                self.rings.make_room();
                self.put(description, &record)
            }
            other => other,
        }
    }

    /// Writes into the record that is there and opens with this seal. One with another seal
    /// is another session's, to which it stays readable.
    fn put(&self, description: &str, record: &[u8]) -> Result<Key, KeyError> {
        let mut known = self.rings.find(description).into_iter();
        let known = known.find(|key| {
            matches!(self.open_record(*key, description), Ok(Some(_)))
                && key.update(&record).is_ok()
        });
        known.map_or_else(|| self.rings.add(description, record), Ok)
    }

    /// Removes every record of this description but one.
    pub(super) fn remove(&self, description: &str, except: Option<Key>) -> Result<(), KeyError> {
        let mut others = self.rings.find(description);
        others.retain(|key| Some(*key) != except);
        for key in others {
            match key.invalidate() {
                Err(error) if !is_gone(error) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes the seal's key once no record is left that needs it.
    pub(super) fn remove_unused_seal(&self) {
        let Rings::Outside { persistent } = self.rings else {
            return;
        };
        if !self.records(own_keys(persistent)).is_empty() {
            return;
        }
        let name = seal_name(&self.namespace);
        let session = KeyRing::from_special_id(KeyRingIdentifier::Session, false).ok();
        for ring in [Some(persistent), session].into_iter().flatten() {
            let keys = own_keys(ring).into_iter();
            for (key, _) in keys.filter(|(_, found)| *found == name) {
                let _ = ring.unlink_key(key);
            }
        }
    }

    /// Returns every record whose description begins with `prefix`.
    pub(super) fn list(&self, prefix: &str) -> Vec<(Key, String)> {
        self.rings.list(prefix)
    }

    /// The records of this namespace among some keys.
    fn records(&self, mut keys: Vec<(Key, String)>) -> Vec<(Key, String)> {
        let seal = seal_name(&self.namespace);
        let prefix = namespace_prefix(&self.namespace);
        keys.retain(|(_, name)| name.starts_with(&prefix) && *name != seal);
        keys
    }

    /// Moves records that a user namespace left in the session keyring to the persistent
    /// one, so that they outlast the session, and shares the seal's key with the session in
    /// place of the one that it has. Root has no use for that.
    fn take_over(
        &self,
        session: &SessionKeyring,
        persistent: KeyRing,
        shared: Option<&SealKey>,
        key: &SealKey,
    ) {
        let former = shared.filter(|shared| shared.bytes != key.bytes);
        let former_seal = former.and_then(|former| former.seal().ok());
        for (key, description) in self.records(session.own_keys()) {
            let is_moved = match &former_seal {
                None => persistent.link_key(key).is_ok(),
                Some(former) => self.seal_again(key, &description, former),
            };
            if is_moved {
                let _ = session.ring.unlink_key(key);
            }
        }
        if let Some(former) = former {
            let _ = session.ring.unlink_key(former.key);
        }
        if own_uid() != 0 && (shared.is_none() || former.is_some()) {
            let _ = SealKey::copy_to(session.ring, &self.namespace, &key.bytes);
        }
    }

    /// Says whether a record has been copied, or is not worth it.
    fn seal_again(&self, key: Key, description: &str, former: &Seal) -> bool {
        let record = key.read_to_vec().ok();
        let Some(secret) = record.and_then(|record| former.open(description, record)) else {
            return true;
        };
        let Ok(copy) = self.write(description, &secret) else {
            return false;
        };
        if !is_login(description) {
            let _ = copy.set_timeout(COPY_SECONDS);
        }
        true
    }

    /// Seals the logins that a version before the seal left; tokens cost an exchange.
    fn seal_older_logins(&self, persistent: KeyRing) {
        for (key, description) in self.records(own_keys(persistent)) {
            // A process that made the seal at the same time has sealed it already.
            if matches!(self.open_record(key, &description), Ok(Some(_))) {
                continue;
            }
            let record = key.read_to_vec().map(String::from_utf8);
            match record {
                Ok(Ok(record)) if is_login(&description) => {
                    let _ = self.write(&description, &Secret::new(record));
                }
                _ => {
                    let _ = key.invalidate();
                }
            }
        }
    }
}

/// The key of a seal, and its bytes.
struct SealKey {
    key: Key,
    bytes: KeyBytes,
}

impl SealKey {
    /// Returns the user's, and creates it if there is none. Two processes that create it
    /// at the same time end with the same bytes: those that the kernel has.
    /// The second value says whether there was none. `shared` is what the session has.
    fn in_persistent(
        persistent: KeyRing,
        namespace: &str,
        shared: Option<&Self>,
    ) -> Result<(Self, bool), KeyError> {
        let name = seal_name(namespace);
        if let Ok(key) = persistent.search(&name) {
            match Self::read(key) {
                Ok(seal) if is_own(key.metadata()) => return Ok((seal, false)),
                // Of another user, or no seal at all.
                _ => persistent.unlink_key(key)?,
            }
        }
        let bytes = match shared {
            Some(shared) => shared.bytes.clone(),
            None => KeyBytes::new(random()?),
        };
        let key = match persistent.add_key(&name, &*bytes) {
            Ok(key) => key,
            // Another process was first, and has taken the right to write away.
            Err(KeyError::AccessDenied) => persistent.search(&name)?,
            Err(error) => return Err(error),
        };
        if !is_own(key.metadata()) {
            return Err(KeyError::AccessDenied);
        }
        // Fails where the other process has done it.
        let _ = key.set_perms(for_possessor());
        Ok((Self::read(key)?, true))
    }

    /// Returns that of a namespace among some keys.
    fn among(keys: &[(Key, String)], namespace: &str) -> Option<Self> {
        let name = seal_name(namespace);
        let (key, _) = keys.iter().find(|(_, found)| *found == name)?;
        Self::read(*key).ok()
    }

    /// A key of its own: another user of the session possesses it and can read it, which is
    /// of no use without the records, or remove it, which costs this session's rootless
    /// clients their logins until the program runs outside again.
    fn copy_to(session: KeyRing, namespace: &str, bytes: &KeyBytes) -> Result<Self, KeyError> {
        let name = seal_name(namespace);
        for (other, metadata) in described(&links(session)) {
            if metadata.get_description() == name {
                session.unlink_key(other)?;
            }
        }
        let key = session.add_key(&name, &**bytes)?;
        key.set_perms(for_possessor())?;
        Self::read(key)
    }

    fn read(key: Key) -> Result<Self, KeyError> {
        let mut bytes = KeyBytes::default();
        match key.read(&mut *bytes)? {
            KEY_LENGTH => Ok(Self { key, bytes }),
            _ => Err(KeyError::InvalidArguments),
        }
    }

    fn seal(&self) -> Result<Seal, KeyError> {
        Seal::new(&self.bytes).ok_or(KeyError::InvalidArguments)
    }
}

/// The session keyring, and what stands directly in it.
struct SessionKeyring {
    ring: KeyRing,
    links: Vec<LinkNode>,
    /// Whether it belongs to this user; `su` and `sudo` keep the caller's.
    is_own: bool,
}

impl SessionKeyring {
    fn current() -> Option<Self> {
        let ring = KeyRing::from_special_id(KeyRingIdentifier::Session, false).ok()?;
        Some(Self {
            ring,
            links: links(ring),
            is_own: is_own(ring.metadata()),
        })
    }

    fn own_keys(&self) -> Vec<(Key, String)> {
        own_keys_among(&self.links)
    }

    /// The seal's key that the user's own session has.
    fn seal(&self, namespace: &str) -> Option<SealKey> {
        let keys = if self.is_own {
            self.own_keys()
        } else {
            Vec::new()
        };
        SealKey::among(&keys, namespace)
    }

    /// Takes persistent keyrings with records of ours out of the session. Versions before
    /// the seal linked them there, whoever the session's owner was, and a link gives
    /// possession to every process of the session.
    fn unlink_persistent_keyrings(&self) {
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

fn links(ring: KeyRing) -> Vec<LinkNode> {
    let links = ring.get_links(MAX_KEYS);
    links.map(|links| links.to_vec()).unwrap_or_default()
}

/// The keys that stand directly in a keyring and belong to this user, with their
/// descriptions: anybody who shares a session keyring may add keys to it.
fn own_keys(ring: KeyRing) -> Vec<(Key, String)> {
    own_keys_among(&links(ring))
}

fn own_keys_among(links: &[LinkNode]) -> Vec<(Key, String)> {
    let keys = described(links);
    let own = keys.filter(|(_, metadata)| metadata.get_uid() == own_uid());
    own.map(|(key, metadata)| (key, metadata.get_description().to_owned()))
        .collect()
}

fn described(links: &[LinkNode]) -> impl Iterator<Item = (Key, Metadata)> {
    let keys = links.iter().filter_map(LinkNode::as_key);
    keys.filter_map(|key| Some((key, key.metadata().ok()?)))
}

/// What the descriptions of a namespace begin with: `SCHEMA:NAMESPACE:`.
pub(super) fn namespace_prefix(namespace: &str) -> String {
    format!("{SCHEMA}:{namespace}:")
}

fn seal_name(namespace: &str) -> String {
    namespace_prefix(namespace) + SEAL
}

/// Whether a record is a login, by its description: `SCHEMA:NAMESPACE:KIND:NAME`.
fn is_login(description: &str) -> bool {
    kind(description) == Some(Kind::Login.name())
}

/// The name of a record's kind, by its description.
fn kind(description: &str) -> Option<&str> {
    let record = description.strip_prefix(SCHEMA)?;
    record.split(':').nth(2)
}

fn is_own(metadata: Result<Metadata, KeyError>) -> bool {
    metadata.is_ok_and(|metadata| metadata.get_uid() == own_uid())
}

fn own_uid() -> u32 {
    Uid::effective().as_raw()
}

/// All rights for the owner's user id, none for possessors.
fn for_owner() -> KeyPermissions {
    KeyPermissionsBuilder::builder()
        .user(Permission::ALL)
        .build()
}

/// What a possessor needs to read a key, and nothing to change it. Without the right to
/// search it, the kernel does not count it as possessed.
fn for_possessor() -> KeyPermissions {
    let rights = Permission::VIEW | Permission::READ | Permission::SEARCH;
    KeyPermissionsBuilder::builder().posessor(rights).build()
}

fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], KeyError> {
    let mut bytes = [0; LENGTH];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| KeyError::InvalidArguments)?;
    Ok(bytes)
}

fn is_gone(error: KeyError) -> bool {
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
