//! A keychain that lives as long as a test and fails when told to.

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
    failure: RefCell<Option<KeychainError>>,
    calls: Cell<usize>,
    unwritable: RefCell<Option<String>>,
    keeps_everything: Cell<bool>,
}

impl MemoryKeychain {
    /// Every call fails like this from now on.
    pub(crate) fn fail_with(&self, failure: Option<KeychainError>) {
        *self.failure.borrow_mut() = failure;
    }

    /// Does not take the item of this name from now on.
    pub(crate) fn refuse_to_write(&self, name: &str) {
        *self.unwritable.borrow_mut() = Some(name.to_owned());
    }

    /// Deletes nothing from now on.
    pub(crate) fn refuse_to_delete(&self) {
        self.keeps_everything.set(true);
    }

    /// How often it was asked anything.
    pub(crate) fn calls(&self) -> usize {
        self.calls.get()
    }

    fn call(&self) -> Result<(), KeychainError> {
        self.calls.set(self.calls.get() + 1);
        self.failure.borrow().clone().map_or(Ok(()), Err)
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
        if self.keeps_everything.get() {
            return Err(KeychainError::Refused("it keeps everything".into()));
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
            .map(|(_, host)| ListedItem {
                name: host.clone(),
                username: None,
            })
            .collect())
    }

    fn backend(&self, item: &Item) -> Result<Option<Backend>, KeychainError> {
        Ok(self.read(item)?.map(|_| Backend::Kernel))
    }
}
