//! The Linux kernel keyring: `keyrings(7)`, `persistent-keyring(7)`.
//!
//! Keys stand in the user's *persistent* keyring, which every session of the
//! user shares and which outlives logout by three days after its last use
//! (`/proc/sys/kernel/keys/persistent_keyring_expiry`), but not a reboot. It is
//! linked into the session keyring: that gives the possession that reading needs
//! (the user keyring alone does not), and takes it along into user namespaces.
//!
//! A user namespace has a persistent keyring of its own, which ends with it. In
//! rootless podman and buildah the one from outside is found in the session
//! keyring, if something of ours ran in that session before; otherwise the
//! session keyring itself serves, for as long as the session lasts. So both are
//! searched, in there and outside.

use std::time::Duration;

use linux_keyutils::Key;
use linux_keyutils::KeyError;
use linux_keyutils::KeyRing;
use linux_keyutils::KeyRingIdentifier;
use once_cell::unsync::OnceCell;
use zeroize::Zeroize;

use super::Item;
use super::Keychain;
use super::KeychainError;
use super::Kind;
use super::Listed;
use super::SCHEMA;
use super::user_namespace;
use crate::secret::Secret;
use crate::settings::KeychainChoice;

/// How many keys are looked at when listing: far above what an ordinary user's
/// quota of 200 keys allows, and the binding needs the room up front.
const MOST_KEYS: usize = 65_536;

/// The persistent keyring of the user.
#[derive(Debug)]
pub(super) struct KernelKeyring {
    namespace: String,
    rings: OnceCell<Rings>,
}

/// The keyrings that are searched, which may be one, and the one that is written.
#[derive(Debug)]
struct Rings {
    searched: KeyRing,
    written: KeyRing,
}

impl KernelKeyring {
    pub(super) fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            rings: OnceCell::new(),
        }
    }

    /// Whether the kernel lets this process use it: containers often may not.
    pub(super) fn is_available(&self) -> bool {
        self.rings().is_ok()
    }

    fn rings(&self) -> Result<&Rings, KeychainError> {
        self.rings.get_or_try_init(|| {
            match user_namespace::outer_uid() {
                None => Rings::own(),
                Some(uid) => Rings::from_outside(uid),
            }
            .map_err(|error| {
                let reason = reason(error);
                KeychainError::Absent(format!("the kernel keyring cannot be used here ({reason})"))
            })
        })
    }

    /// Anybody on the machine may see a description: it holds names, no secrets.
    fn description(&self, item: &Item) -> String {
        format!("{}{}", self.prefix(item.kind_name()), item.name)
    }

    fn prefix(&self, kind: &str) -> String {
        format!("{SCHEMA}:{}:{kind}:", self.namespace)
    }

    /// Makes room in the user's quota (20,000 bytes by default) by giving up
    /// what costs no more than an exchange to get back.
    fn evict(rings: &Rings, keep: &str) {
        for (ring, key, description) in rings.keys() {
            let short_lived = description.starts_with(SCHEMA)
                && [Kind::Hint, Kind::Token]
                    .iter()
                    .any(|kind| description.split(':').nth(2) == Some(kind.name()));
            if short_lived && description != keep {
                // The kernel counts an unlinked key until it is collected, but a
                // shortened payload at once. Another process may have been
                // faster; then there is nothing left to do.
                let _ = key.update(&b"-");
                let _ = ring.unlink_key(key);
            }
        }
    }
}

impl Keychain for KernelKeyring {
    fn read(&self, item: &Item) -> Result<Option<Secret>, KeychainError> {
        let found = self.rings()?.searched.search(&self.description(item));
        let mut bytes = match found.and_then(|key| key.read_to_vec()) {
            Ok(bytes) => bytes,
            Err(error) if is_gone(error) => return Ok(None),
            Err(error) => return Err(refused(error)),
        };
        // The buffer is forty times as large as a token. Kept as the secret, all
        // of it would have to be overwritten in the end.
        let secret = str::from_utf8(&bytes).ok().map(Secret::new);
        bytes.as_mut_slice().zeroize();
        Ok(secret)
    }

    fn write(
        &self,
        item: &Item,
        secret: &Secret,
        lifetime: Option<Duration>,
    ) -> Result<(), KeychainError> {
        let rings = self.rings()?;
        let description = self.description(item);
        let key = match rings.written.add_key(&description, secret.expose()) {
            Err(KeyError::QuotaExceeded) => {
                Self::evict(rings, &description);
                rings.written.add_key(&description, secret.expose())
            }
            other => other,
        }
        .map_err(refused)?;
        // Zero takes away the timeout of an older key of this name. A record
        // knows its own end, so a timeout that cannot be set does no harm.
        let seconds = lifetime.map_or(0, |lifetime| lifetime.as_secs().max(1));
        let _ = key.set_timeout(usize::try_from(seconds).unwrap_or(usize::MAX));
        rings.remove(&description, Some(key)).map_err(refused)
    }

    fn delete(&self, item: &Item) -> Result<(), KeychainError> {
        let description = self.description(item);
        self.rings()?.remove(&description, None).map_err(refused)
    }

    fn list(&self, kind: Kind) -> Result<Vec<Listed>, KeychainError> {
        let prefix = self.prefix(kind.name());
        Ok(self
            .rings()?
            .keys()
            .filter_map(|(_, _, description)| {
                Some(Listed {
                    name: description.strip_prefix(&prefix)?.to_owned(),
                    username: None,
                })
            })
            .collect())
    }

    fn holder(&self, item: &Item) -> Result<Option<KeychainChoice>, KeychainError> {
        Ok(self.read(item)?.map(|_| KeychainChoice::Kernel))
    }
}

impl Rings {
    /// The session keyring, with the persistent one in it; where the session
    /// keyring takes no link, the process's own does.
    fn own() -> Result<Self, KeyError> {
        let Ok(written) = KeyRing::get_persistent(KeyRingIdentifier::Session) else {
            let written = KeyRing::get_persistent(KeyRingIdentifier::Process)?;
            return Ok(Self {
                searched: written,
                written,
            });
        };
        let searched = KeyRing::from_special_id(KeyRingIdentifier::Session, false)?;
        Ok(Self { searched, written })
    }

    fn from_outside(uid: u32) -> Result<Self, KeyError> {
        let searched = KeyRing::from_special_id(KeyRingIdentifier::Session, true)?;
        let name = format!("_persistent.{uid}");
        let linked = searched.get_links(MOST_KEYS)?.iter().find_map(|link| {
            let ring = link.as_ring()?;
            (ring.metadata().ok()?.get_description() == name).then_some(ring)
        });
        Ok(Self {
            searched,
            written: linked.unwrap_or(searched),
        })
    }

    /// Removes every key of this description but one.
    fn remove(&self, description: &str, except: Option<Key>) -> Result<(), KeyError> {
        for (ring, key, found) in self.keys() {
            if found == description && Some(key) != except {
                match key.invalidate().or_else(|_| ring.unlink_key(key)) {
                    Err(error) if !is_gone(error) => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Every key, with the keyring it stands in and its description.
    fn keys(&self) -> impl Iterator<Item = (KeyRing, Key, String)> {
        let both = [
            Some(self.written),
            Some(self.searched).filter(|ring| *ring != self.written),
        ];
        both.into_iter().flatten().flat_map(|ring| {
            let links = ring
                .get_links(MOST_KEYS)
                .map(|links| links.to_vec())
                .unwrap_or_default();
            links.into_iter().filter_map(move |link| {
                let key = link.as_key()?;
                let description = key.metadata().ok()?.get_description().to_owned();
                Some((ring, key, description))
            })
        })
    }
}

fn is_gone(error: KeyError) -> bool {
    matches!(
        error,
        KeyError::KeyDoesNotExist | KeyError::KeyExpired | KeyError::KeyRevoked
    )
}

fn refused(error: KeyError) -> KeychainError {
    if matches!(error, KeyError::QuotaExceeded) {
        return KeychainError::Full("kernel keyring");
    }
    KeychainError::Refused(match error {
        KeyError::InvalidArguments => "the kernel keyring takes no secret of that size".into(),
        other => format!("the kernel keyring refused ({})", reason(other)),
    })
}

/// The system's words where the binding has a number alone.
fn reason(error: KeyError) -> String {
    match error {
        KeyError::Unknown(number) => std::io::Error::from_raw_os_error(number).to_string(),
        known => known.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_without_keyrings_is_told_in_words() {
        // Linux, errno.h: ENOSYS.
        assert!(reason(KeyError::Unknown(38)).contains("not implemented"));
        assert!(reason(KeyError::AccessDenied).contains("AccessDenied"));
    }
}
