//! The key with which records are sealed.

use nix::errno::Errno;

use super::super::seal::KEY_LENGTH;
use super::super::seal::KeyBytes;
use super::super::seal::Seal;
use super::keyctl::Key;
use super::keys::POSSESSOR_PERMISSIONS;
use super::keys::described;
use super::keys::is_own;
use super::keys::random;
use super::keys::seal_name;

/// A key in the kernel that has the bytes of a seal's key.
pub(super) struct SealKey {
    pub(super) key: Key,
    pub(super) bytes: KeyBytes,
}

impl SealKey {
    /// Returns the key in the user's persistent keyring, and whether it is new. Creates it if
    /// it is missing, with the bytes of `shared`, the session's copy, if there is one. Two
    /// processes that create it at the same time get the same bytes.
    pub(super) fn in_persistent(
        persistent: Key,
        namespace: &str,
        shared: Option<&Self>,
    ) -> Result<(Self, bool), Errno> {
        let name = seal_name(namespace);
        if let Ok(key) = persistent.search(&name) {
            match Self::read(key) {
                Ok(seal) if is_own(key) => return Ok((seal, false)),
                // The key of another user, or one with other content.
                _ => persistent.unlink(key)?,
            }
        }
        let bytes = match shared {
            Some(shared) => shared.bytes.clone(),
            None => KeyBytes::new(random()?),
        };
        let key = match persistent.add(&name, &*bytes) {
            Ok(key) => key,
            // Another process created it and removed the permission to write.
            Err(Errno::EACCES) => persistent.search(&name)?,
            Err(error) => return Err(error),
        };
        if !is_own(key) {
            return Err(Errno::EACCES);
        }
        // Fails if the other process has done it.
        let _ = key.set_permissions(POSSESSOR_PERMISSIONS);
        Ok((Self::read(key)?, true))
    }

    /// Returns the key of a namespace's seal among some keys.
    pub(super) fn find(keys: &[(Key, String)], namespace: &str) -> Option<Self> {
        let name = seal_name(namespace);
        let (key, _) = keys.iter().find(|(_, found)| *found == name)?;
        Self::read(*key).ok()
    }

    /// Puts a copy into the session keyring. Another user of the session can read it, which is
    /// useless without the records, or delete it: then rootless clients of this session find
    /// no logins until the program runs outside of their namespace again.
    pub(super) fn copy_to(session: Key, namespace: &str, bytes: &KeyBytes) -> Result<Self, Errno> {
        let name = seal_name(namespace);
        for (other, attributes) in described(session) {
            if attributes.is_user_key && attributes.description == name {
                session.unlink(other)?;
            }
        }
        let key = session.add(&name, &**bytes)?;
        key.set_permissions(POSSESSOR_PERMISSIONS)?;
        Self::read(key)
    }

    fn read(key: Key) -> Result<Self, Errno> {
        let mut bytes = KeyBytes::default();
        match key.read_into(&mut *bytes)? {
            KEY_LENGTH => Ok(Self { key, bytes }),
            _ => Err(Errno::EINVAL),
        }
    }

    pub(super) fn seal(&self) -> Result<Seal, Errno> {
        Seal::new(&self.bytes).ok_or(Errno::EINVAL)
    }
}
