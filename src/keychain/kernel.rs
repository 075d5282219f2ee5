//! The Linux kernel keyring: `keyrings(7)`, `persistent-keyring(7)`.
//!
//! Records are in the user's persistent keyring, which all sessions of the user share. The
//! kernel deletes it at a reboot, or three days after its last use
//! (`/proc/sys/kernel/keys/persistent_keyring_expiry`). Kernels without persistent keyrings
//! (`CONFIG_PERSISTENT_KEYRINGS`: WSL 2, small boards) have the user keyring, which is lost at a
//! reboot only. `store` describes who can read the records, and how they are found in a user
//! namespace.

use std::collections::BTreeSet;
use std::time::Duration;

use nix::errno::Errno;
use once_cell::unsync::OnceCell;

use super::Backend;
use super::Item;
use super::Keychain;
use super::KeychainError;
use super::Kind;
use super::ListedItem;
use crate::secret::Secret;

mod keyctl;
mod keyrings;
mod keys;
mod proc_keys;
mod seal_key;
mod session_keyring;
mod store;

use store::Store;

/// The kernel keyring of the user.
#[derive(Debug)]
pub(super) struct KernelKeyring {
    namespace: String,
    store: OnceCell<Store>,
}

impl KernelKeyring {
    pub(super) fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            store: OnceCell::new(),
        }
    }

    /// Returns whether this process may use the keyring; many containers may not.
    pub(super) fn is_available(&self) -> bool {
        self.store().is_ok()
    }

    fn store(&self) -> Result<&Store, KeychainError> {
        self.store.get_or_try_init(|| {
            Store::open(&self.namespace).map_err(|reason| {
                KeychainError::Absent(format!("the kernel keyring cannot be used here ({reason})"))
            })
        })
    }

    /// Returns the description of a key. All users can see it, so it has no secrets.
    fn description(&self, item: &Item) -> String {
        format!("{}{}", self.prefix(item.kind_name()), item.name)
    }

    fn prefix(&self, kind: &str) -> String {
        format!("{}{kind}:", keys::namespace_prefix(&self.namespace))
    }
}

impl Keychain for KernelKeyring {
    fn read(&self, item: &Item) -> Result<Option<Secret>, KeychainError> {
        let description = self.description(item);
        self.store()?.read(&description).map_err(keychain_error)
    }

    fn write(
        &self,
        item: &Item,
        secret: &Secret,
        lifetime: Option<Duration>,
    ) -> Result<(), KeychainError> {
        let store = self.store()?;
        let description = self.description(item);
        let key = store.write(&description, secret).map_err(keychain_error)?;
        // Zero removes the timeout of an existing key. Records contain their expiry, so a
        // timeout that cannot be set does no harm.
        let seconds = lifetime.map_or(0, |lifetime| lifetime.as_secs().max(1));
        let _ = key.set_timeout(u32::try_from(seconds).unwrap_or(u32::MAX));
        store
            .remove(&description, Some(key))
            .map_err(keychain_error)
    }

    fn delete(&self, item: &Item) -> Result<(), KeychainError> {
        let description = self.description(item);
        self.store()?
            .remove(&description, None)
            .map_err(keychain_error)
    }

    fn list(&self, kind: Kind) -> Result<Vec<ListedItem>, KeychainError> {
        let prefix = self.prefix(kind.name());
        let records = self.store()?.list(&prefix).into_iter();
        let names = records.filter_map(|(_, description)| {
            Some(ListedItem {
                name: description.strip_prefix(&prefix)?.to_owned(),
                username: None,
            })
        });
        Ok(names.collect())
    }

    fn names_within(&self, kind: Kind, max_calls: usize) -> Option<BTreeSet<String>> {
        let prefix = self.prefix(kind.name());
        let store = self.store().ok()?;
        let descriptions = store.descriptions_within(&prefix, max_calls)?;
        let name = |description: String| Some(description.strip_prefix(&prefix)?.to_owned());
        Some(descriptions.into_iter().filter_map(name).collect())
    }

    fn delete_all(&self, kind: Kind) -> Result<(), KeychainError> {
        self.store()?
            .remove_all(&self.prefix(kind.name()))
            .map_err(keychain_error)
    }

    fn remove_unused(&self) {
        if let Ok(store) = self.store() {
            store.remove_unused_seal();
        }
    }

    fn backend(&self, item: &Item) -> Result<Option<Backend>, KeychainError> {
        let has_item = self.read(item)?.is_some();
        let backend = if self.store()?.is_persistent() {
            Backend::Kernel
        } else {
            Backend::KernelWithoutPersistence
        };
        Ok(has_item.then_some(backend))
    }
}

fn keychain_error(error: Errno) -> KeychainError {
    match error {
        Errno::EDQUOT => KeychainError::QuotaExceeded("kernel keyring"),
        Errno::EINVAL => {
            KeychainError::Refused("the secret is too large for the kernel keyring".into())
        }
        other => KeychainError::Refused(format!("the kernel keyring refused ({})", other.desc())),
    }
}
