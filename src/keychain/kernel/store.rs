//! The records in the kernel, and who can read them.
//!
//! Each record is a kernel key that only its owner's user id can read, also in a session keyring
//! that several users share (`su` and `sudo` on Debian keep that of the caller). Root in a
//! rootless container has that user id, too, so each record is encrypted with a second key, the
//! seal key. A process can read the seal key only if one of its keyrings links to it. An attacker
//! needs both.
//!
//! The seal key is in the user's persistent keyring, which is linked to the keyring of this
//! process only. A copy is in the user's session keyring, which rootless podman and buildah keep
//! in their user namespaces, and which containers do not get.

use std::collections::BTreeSet;

use nix::errno::Errno;
use zeroize::Zeroizing;

use super::super::seal::KeyBytes;
use super::super::seal::Seal;
use super::super::user_namespace;
use super::keyctl::Key;
use super::keyctl::SESSION_KEYRING;
use super::keyrings::Keyrings;
use super::keys::is_gone;
use super::keys::is_login;
use super::keys::is_own;
use super::keys::namespace_prefix;
use super::keys::own_keys;
use super::keys::own_uid;
use super::keys::random;
use super::keys::seal_name;
use super::seal_key::SealKey;
use super::session_keyring::SessionKeyring;
use crate::secret::Secret;

/// The timeout of a token that was sealed again, in seconds. The kernel's timeout of the
/// original is not known; the token contains its own expiry.
const COPY_TIMEOUT: u32 = 60 * 60;

/// The records of this user that this process can read.
#[derive(Debug)]
pub(super) struct Store {
    namespace: String,
    keyrings: Keyrings,
    seal: Seal,
}

impl Store {
    /// Opens the store of a namespace.
    ///
    /// # Errors
    /// The reason why the kernel keyring cannot be used.
    pub(super) fn open(namespace: &str) -> Result<Self, String> {
        if user_namespace::is_without_user() {
            return Err("the user has no id in this user namespace".into());
        }
        if user_namespace::is_around_one_program() {
            Self::open_in_user_namespace(namespace)
        } else {
            Self::open_outside_user_namespace(namespace).map_err(|error| error.desc().to_owned())
        }
    }

    fn open_outside_user_namespace(namespace: &str) -> Result<Self, Errno> {
        let keyrings = Keyrings::outside()?;
        let Keyrings::Outside { persistent, .. } = keyrings else {
            return Err(Errno::EINVAL);
        };
        let session = SessionKeyring::read();
        let shared = session.seal(namespace);
        let (key, is_new) = match SealKey::in_persistent(persistent, namespace, shared.as_ref()) {
            Err(Errno::EDQUOT) => {
                keyrings.make_room();
                SealKey::in_persistent(persistent, namespace, shared.as_ref())
            }
            other => other,
        }?;
        let store = Self {
            namespace: namespace.to_owned(),
            seal: key.seal()?,
            keyrings,
        };
        if is_new {
            store.seal_legacy_logins(persistent);
        }
        session.unlink_persistent_keyrings();
        if session.is_own {
            store.move_session_records(session.own_keys, persistent, shared.as_ref(), &key);
        }
        Ok(store)
    }

    fn open_in_user_namespace(namespace: &str) -> Result<Self, String> {
        let reason = |error: Errno| error.desc().to_owned();
        let session = Key::own_session_keyring().map_err(reason)?;
        if !is_own(session) {
            return Err("the session keyring belongs to another user".into());
        }
        let keyrings = Keyrings::InNamespace { session };
        let create = || SealKey::copy_to(session, namespace, &KeyBytes::new(random()?));
        let key = match SealKey::find(&own_keys(session), namespace) {
            Some(key) => Ok(key),
            None => create().or_else(|_| {
                keyrings.make_room();
                create()
            }),
        };
        let seal = key.and_then(|key| key.seal()).map_err(reason)?;
        Ok(Self {
            namespace: namespace.to_owned(),
            keyrings,
            seal,
        })
    }

    /// Returns whether the records are in a persistent keyring.
    pub(super) fn is_persistent(&self) -> bool {
        !matches!(
            self.keyrings,
            Keyrings::Outside {
                is_persistent: false,
                ..
            }
        )
    }

    /// Returns the secret of a record.
    pub(super) fn read(&self, description: &str) -> Result<Option<Secret>, Errno> {
        for key in self.keyrings.find(description) {
            match self.open_record(key, description) {
                Ok(Some(secret)) => return Ok(Some(secret)),
                Ok(None) => tracing::debug!(description, "the record was sealed with another key"),
                // Versions without seals left records that only possessors can read.
                Err(Errno::EACCES) => {}
                Err(error) if is_gone(error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn open_record(&self, key: Key, description: &str) -> Result<Option<Secret>, Errno> {
        Ok(self.seal.open(description, &mut key.content()?))
    }

    /// Adds a record, or replaces it. If the user's quota (20,000 bytes by default) is
    /// exceeded, cached tokens are deleted first. Tokens leave a part of it to other programs:
    /// without any space, no container can be started.
    pub(super) fn write(&self, description: &str, secret: &Secret) -> Result<Key, Errno> {
        let record = self.seal.seal(description, secret, random()?);
        let record = record.ok_or(Errno::EINVAL)?;
        let size = description.len() + record.len();
        if !is_login(description) && !self.keyrings.make_room_for_token(description, size) {
            return Err(Errno::EDQUOT);
        }
        match self.put(description, &record) {
            Err(Errno::EDQUOT) => {
                self.keyrings.make_room();
                self.put(description, &record)
            }
            other => other,
        }
    }

    /// Writes into the existing record, or adds one. A record with another seal belongs to
    /// another session and is kept.
    fn put(&self, description: &str, record: &[u8]) -> Result<Key, Errno> {
        let mut known = self.keyrings.find(description).into_iter();
        let known = known.find(|key| {
            matches!(self.open_record(*key, description), Ok(Some(_))) && key.update(record).is_ok()
        });
        known.map_or_else(|| self.keyrings.add(description, record), Ok)
    }

    /// Deletes all records with this description except one.
    pub(super) fn remove(&self, description: &str, except: Option<Key>) -> Result<(), Errno> {
        let mut others = self.keyrings.find(description);
        others.retain(|key| Some(*key) != except);
        others.into_iter().try_for_each(invalidate)
    }

    /// Deletes the seal's key if there are no records.
    pub(super) fn remove_unused_seal(&self) {
        let Keyrings::Outside { persistent, .. } = self.keyrings else {
            return;
        };
        let keys = own_keys(persistent);
        if !self.records(keys.clone()).is_empty() {
            return;
        }
        let name = seal_name(&self.namespace);
        for (ring, keys) in [
            (persistent, keys),
            (SESSION_KEYRING, own_keys(SESSION_KEYRING)),
        ] {
            for (key, _) in keys.iter().filter(|(_, found)| *found == name) {
                let _ = ring.unlink(*key);
            }
        }
    }

    /// Deletes the records whose descriptions begin with `prefix`, one call for each.
    pub(super) fn remove_all(&self, prefix: &str) -> Result<(), Errno> {
        let records = self.list(prefix).into_iter();
        records.map(|(key, _)| key).try_for_each(invalidate)
    }

    /// Returns the descriptions that begin with `prefix`; `None` if that takes more than
    /// `max_calls` calls.
    pub(super) fn descriptions_within(
        &self,
        prefix: &str,
        max_calls: usize,
    ) -> Option<BTreeSet<String>> {
        self.keyrings.descriptions_within(prefix, max_calls)
    }

    /// Returns the records whose descriptions begin with `prefix`.
    pub(super) fn list(&self, prefix: &str) -> Vec<(Key, String)> {
        self.keyrings.list(prefix)
    }

    /// Returns the records of this namespace among some keys.
    fn records(&self, mut keys: Vec<(Key, String)>) -> Vec<(Key, String)> {
        let seal = seal_name(&self.namespace);
        let prefix = namespace_prefix(&self.namespace);
        keys.retain(|(_, name)| name.starts_with(&prefix) && *name != seal);
        keys
    }

    /// Moves records from the session keyring, where processes in a user namespace stored them,
    /// to the persistent keyring, so that they outlast the session. Then replaces the session's
    /// copy of the seal's key, except for root, who has no rootless clients.
    fn move_session_records(
        &self,
        session: Vec<(Key, String)>,
        persistent: Key,
        shared: Option<&SealKey>,
        key: &SealKey,
    ) {
        let previous = shared.filter(|shared| shared.bytes != key.bytes);
        let previous_seal = previous.and_then(|previous| previous.seal().ok());
        for (record, description) in self.records(session) {
            let is_moved = match &previous_seal {
                None => persistent.link(record).is_ok(),
                Some(previous) => self.reseal(record, &description, previous),
            };
            if is_moved {
                let _ = SESSION_KEYRING.unlink(record);
            }
        }
        if let Some(previous) = previous {
            let _ = SESSION_KEYRING.unlink(previous.key);
        }
        if own_uid() != 0 && (shared.is_none() || previous.is_some()) {
            let _ = SealKey::copy_to(SESSION_KEYRING, &self.namespace, &key.bytes);
        }
    }

    /// Seals a record with this seal. Returns whether the original may be deleted: also if the
    /// previous seal does not open it, because then no process can read it.
    fn reseal(&self, key: Key, description: &str, previous: &Seal) -> bool {
        let record = key.content().ok();
        let secret = record.and_then(|mut record| previous.open(description, &mut record));
        let Some(secret) = secret else {
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

    /// Seals the logins of versions without seals, and deletes their tokens.
    fn seal_legacy_logins(&self, persistent: Key) {
        for (key, description) in self.records(own_keys(persistent)) {
            // Another process that created the seal at the same time has sealed it.
            if matches!(self.open_record(key, &description), Ok(Some(_))) {
                continue;
            }
            let record = Zeroizing::new(key.content().unwrap_or_default());
            match str::from_utf8(&record) {
                Ok(record) if is_login(&description) && !record.is_empty() => {
                    let _ = self.write(&description, &Secret::new(record));
                }
                _ => {
                    let _ = key.invalidate();
                }
            }
        }
    }
}

/// Deletes a key, if it still exists.
fn invalidate(key: Key) -> Result<(), Errno> {
    match key.invalidate() {
        Err(error) if !is_gone(error) => Err(error),
        _ => Ok(()),
    }
}
