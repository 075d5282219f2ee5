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
use linux_keyutils::KeyRing;
use linux_keyutils::KeyRingIdentifier;

use super::super::seal::KeyBytes;
use super::super::seal::Seal;
use super::super::user_namespace;
use super::keys::is_gone;
use super::keys::is_login;
use super::keys::is_own;
use super::keys::namespace_prefix;
use super::keys::own_keys;
use super::keys::own_uid;
use super::keys::random;
use super::keys::reason;
use super::keys::seal_name;
use super::rings::Rings;
use super::seal_key::SealKey;
use super::session_keyring::SessionKeyring;
use crate::secret::Secret;

/// How long a token's copy is kept that was sealed again, in seconds: its own end stands
/// in it, the kernel's timeout does not come along.
const COPY_TIMEOUT: usize = 60 * 60;

/// The records of this user, as far as this process can reach them.
#[derive(Debug)]
pub(super) struct Store {
    namespace: String,
    rings: Rings,
    seal: Seal,
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
            store.seal_legacy_logins(persistent);
        }
        if let Some(session) = session {
            session.unlink_persistent_keyrings();
            if session.is_own {
                store.move_session_records(&session, persistent, shared.as_ref(), &key);
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
        let key = match SealKey::find(&own_keys(session), namespace) {
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
    fn move_session_records(
        &self,
        session: &SessionKeyring,
        persistent: KeyRing,
        shared: Option<&SealKey>,
        key: &SealKey,
    ) {
        let previous = shared.filter(|shared| shared.bytes != key.bytes);
        let previous_seal = previous.and_then(|previous| previous.seal().ok());
        for (key, description) in self.records(session.own_keys()) {
            let is_moved = match &previous_seal {
                None => persistent.link_key(key).is_ok(),
                Some(previous) => self.reseal(key, &description, previous),
            };
            if is_moved {
                let _ = session.ring.unlink_key(key);
            }
        }
        if let Some(previous) = previous {
            let _ = session.ring.unlink_key(previous.key);
        }
        if own_uid() != 0 && (shared.is_none() || previous.is_some()) {
            let _ = SealKey::copy_to(session.ring, &self.namespace, &key.bytes);
        }
    }

    /// Says whether a record has been copied, or is not worth it.
    fn reseal(&self, key: Key, description: &str, previous: &Seal) -> bool {
        let record = key.read_to_vec().ok();
        let Some(secret) = record.and_then(|record| previous.open(description, record)) else {
            return true;
        };
        let Ok(copy) = self.write(description, &secret) else {
            return false;
        };
        if !is_login(description) {
            let _ = copy.set_timeout(COPY_TIMEOUT);
        }
        true
    }

    /// Seals the logins that a version before the seal left; tokens cost an exchange.
    fn seal_legacy_logins(&self, persistent: KeyRing) {
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
