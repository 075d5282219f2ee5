//! A keychain that reads each item once, because each call may go over a bus.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use super::Backend;
use super::Item;
use super::Keychain;
use super::KeychainError;
use super::Kind;
use super::ListedItem;
use crate::secret::Secret;

type Answers<T> = RefCell<HashMap<(Kind, String), Result<Option<T>, KeychainError>>>;

/// A keychain with a cache of its answers. Writing and deleting clear the cache; changes by
/// other processes are not noticed.
#[derive(Debug)]
pub(super) struct Memoized {
    keychain: Box<dyn Keychain>,
    backends: Answers<Backend>,
    logins: RefCell<Option<Vec<ListedItem>>>,
    secrets: Answers<Secret>,
}

impl Memoized {
    /// Creates it with an empty cache.
    pub(super) fn new(keychain: Box<dyn Keychain>) -> Self {
        Self {
            keychain,
            backends: RefCell::default(),
            logins: RefCell::default(),
            secrets: RefCell::default(),
        }
    }

    /// Returns whether the cached list of logins does not contain this item.
    fn is_known_to_be_absent(&self, item: &Item) -> bool {
        let logins = self.logins.borrow();
        let is_listed = |logins: &Vec<ListedItem>| logins.iter().any(|it| it.name == item.name);
        item.kind == Kind::Login && logins.as_ref().is_some_and(|logins| !is_listed(logins))
    }

    fn cached<T: Clone>(
        &self,
        answers: &Answers<T>,
        item: &Item,
        read: impl FnOnce() -> Result<Option<T>, KeychainError>,
    ) -> Result<Option<T>, KeychainError> {
        if self.is_known_to_be_absent(item) {
            return Ok(None);
        }
        let mut answers = answers.borrow_mut();
        let answer = answers.entry((item.kind, item.name.clone()));
        answer.or_insert_with(read).clone()
    }

    fn clear(&self) {
        self.backends.borrow_mut().clear();
        self.logins.borrow_mut().take();
        self.secrets.borrow_mut().clear();
    }
}

impl Keychain for Memoized {
    fn read(&self, item: &Item) -> Result<Option<Secret>, KeychainError> {
        self.cached(&self.secrets, item, || self.keychain.read(item))
    }

    fn write(
        &self,
        item: &Item,
        secret: &Secret,
        lifetime: Option<Duration>,
    ) -> Result<(), KeychainError> {
        self.clear();
        self.keychain.write(item, secret, lifetime)
    }

    fn delete(&self, item: &Item) -> Result<(), KeychainError> {
        self.clear();
        self.keychain.delete(item)
    }

    fn list(&self, kind: Kind) -> Result<Vec<ListedItem>, KeychainError> {
        if kind != Kind::Login {
            return self.keychain.list(kind);
        }
        if let Some(logins) = &*self.logins.borrow() {
            return Ok(logins.clone());
        }
        let logins = self.keychain.list(kind)?;
        self.logins.replace(Some(logins.clone()));
        Ok(logins)
    }

    fn backend(&self, item: &Item) -> Result<Option<Backend>, KeychainError> {
        self.cached(&self.backends, item, || self.keychain.backend(item))
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::keychain::memory::MemoryKeychain;

    #[test]
    fn each_item_is_read_once_until_something_changes() {
        let inner = Rc::new(MemoryKeychain::default());
        let (one, other) = (Item::login("us.icr.io"), Item::login("de.icr.io"));
        inner.write(&one, &Secret::new("key"), None).unwrap();
        let memoized = Memoized::new(Box::new(Rc::clone(&inner)));
        assert_eq!(memoized.read(&one), Ok(Some(Secret::new("key"))));
        assert_eq!(memoized.logins().unwrap().len(), 1);
        inner.fail_with(Some(KeychainError::Refused("read again".into())));
        assert_eq!(memoized.read(&one), Ok(Some(Secret::new("key"))));
        assert_eq!(memoized.read(&other), Ok(None), "not in the list");
        assert_eq!(memoized.backend(&other), Ok(None));
        assert_eq!(memoized.logins().unwrap().len(), 1);
        inner.fail_with(None);
        memoized.write(&other, &Secret::new("new"), None).unwrap();
        assert_eq!(memoized.read(&other), Ok(Some(Secret::new("new"))));
        memoized.delete(&one).unwrap();
        assert_eq!(memoized.read(&one), Ok(None));
        assert_eq!(memoized.logins().unwrap().len(), 1);
    }
}
