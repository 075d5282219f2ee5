//! A keychain in memory for tests, which can be made to fail.

use std::cell::Cell;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use super::Backend;
use super::Item;
use super::Keychain;
use super::KeychainError;
use super::Kind;
use super::ListedItem;
use crate::secret::Secret;

#[derive(Debug, Default)]
pub(crate) struct MemoryKeychain {
    items: RefCell<BTreeMap<(&'static str, String), Secret>>,
    error: RefCell<Option<KeychainError>>,
    calls: Cell<usize>,
    unwritable: RefCell<Option<String>>,
    refuses_to_delete: Cell<bool>,
}

impl MemoryKeychain {
    /// Makes all calls fail with this error, or succeed again.
    pub(crate) fn fail_with(&self, error: Option<KeychainError>) {
        *self.error.borrow_mut() = error;
    }

    /// Makes writing the item of this name fail.
    pub(crate) fn refuse_to_write(&self, name: &str) {
        *self.unwritable.borrow_mut() = Some(name.to_owned());
    }

    /// Makes deleting fail.
    pub(crate) fn refuse_to_delete(&self) {
        self.refuses_to_delete.set(true);
    }

    /// Returns the number of calls.
    pub(crate) fn calls(&self) -> usize {
        self.calls.get()
    }

    fn call(&self) -> Result<(), KeychainError> {
        self.calls.set(self.calls.get() + 1);
        self.error.borrow().clone().map_or(Ok(()), Err)
    }
}

impl Keychain for MemoryKeychain {
    fn read(&self, item: &Item) -> Result<Option<Secret>, KeychainError> {
        self.call()?;
        Ok(self
            .items
            .borrow()
            .get(&(item.kind_name(), item.name.clone()))
            .cloned())
    }

    fn write(
        &self,
        item: &Item,
        secret: &Secret,
        _lifetime: Option<Duration>,
    ) -> Result<(), KeychainError> {
        self.call()?;
        if self.unwritable.borrow().as_ref() == Some(&item.name) {
            return Err(KeychainError::Refused("it is full".into()));
        }
        let key = (item.kind_name(), item.name.clone());
        self.items.borrow_mut().insert(key, secret.clone());
        Ok(())
    }

    fn delete(&self, item: &Item) -> Result<(), KeychainError> {
        self.call()?;
        if self.refuses_to_delete.get() {
            return Err(KeychainError::Refused("it deletes nothing".into()));
        }
        self.items
            .borrow_mut()
            .remove(&(item.kind_name(), item.name.clone()));
        Ok(())
    }

    fn list(&self, kind: Kind) -> Result<Vec<ListedItem>, KeychainError> {
        self.call()?;
        let items = self.items.borrow();
        Ok(items
            .keys()
            .filter(|(listed, _)| *listed == kind.name())
            .map(|(_, name)| ListedItem {
                name: name.clone(),
                username: None,
            })
            .collect())
    }

    fn backend(&self, item: &Item) -> Result<Option<Backend>, KeychainError> {
        Ok(self.read(item)?.map(|_| Backend::Kernel))
    }
}
