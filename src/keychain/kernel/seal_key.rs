//! The key that seals records.

use linux_keyutils::Key;
use linux_keyutils::KeyError;
use linux_keyutils::KeyRing;

use super::super::seal::KEY_LENGTH;
use super::super::seal::KeyBytes;
use super::super::seal::Seal;
use super::keys::described;
use super::keys::is_own;
use super::keys::links;
use super::keys::possessor_permissions;
use super::keys::random;
use super::keys::seal_name;

/// The key of a seal, and its bytes.
pub(super) struct SealKey {
    pub(super) key: Key,
    pub(super) bytes: KeyBytes,
}

impl SealKey {
    /// Returns the user's, and creates it if there is none. Two processes that create it
    /// at the same time end with the same bytes: those that the kernel has.
    /// The second value says whether there was none. `shared` is what the session has.
    pub(super) fn in_persistent(
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
        let _ = key.set_perms(possessor_permissions());
        Ok((Self::read(key)?, true))
    }

    /// Returns that of a namespace among some keys.
    pub(super) fn find(keys: &[(Key, String)], namespace: &str) -> Option<Self> {
        let name = seal_name(namespace);
        let (key, _) = keys.iter().find(|(_, found)| *found == name)?;
        Self::read(*key).ok()
    }

    /// A key of its own: another user of the session possesses it and can read it, which is
    /// of no use without the records, or remove it, which costs this session's rootless
    /// clients their logins until the program runs outside again.
    pub(super) fn copy_to(
        session: KeyRing,
        namespace: &str,
        bytes: &KeyBytes,
    ) -> Result<Self, KeyError> {
        let name = seal_name(namespace);
        for (other, metadata) in described(&links(session)) {
            if metadata.get_description() == name {
                session.unlink_key(other)?;
            }
        }
        let key = session.add_key(&name, &**bytes)?;
        key.set_perms(possessor_permissions())?;
        Self::read(key)
    }

    fn read(key: Key) -> Result<Self, KeyError> {
        let mut bytes = KeyBytes::default();
        match key.read(&mut *bytes)? {
            KEY_LENGTH => Ok(Self { key, bytes }),
            _ => Err(KeyError::InvalidArguments),
        }
    }

    pub(super) fn seal(&self) -> Result<Seal, KeyError> {
        Seal::new(&self.bytes).ok_or(KeyError::InvalidArguments)
    }
}
