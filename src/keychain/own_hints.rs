//! Hints about the logins of one selected keychain.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use super::Backend;
use super::Item;
use super::Keychain;
use super::KeychainError;
use super::Kind;
use super::ListedItem;
use crate::secret::Secret;

/// A cache of tokens whose hints have names of their own: if the settings select one keychain, a hint
/// about a login that `auto` has found in another is not about it. It contains no logins.
#[derive(Debug)]
pub(super) struct OwnHints {
    tokens: Rc<dyn Keychain>,
    keychain: &'static str,
}

impl OwnHints {
    /// Creates the cache, with hints about the logins in `keychain`.
    pub(super) fn new(tokens: Rc<dyn Keychain>, keychain: &'static str) -> Self {
        Self { tokens, keychain }
    }

    fn named(&self, item: &Item) -> Item {
        let mut item = item.clone();
        if item.kind == Kind::Hint {
            item.name = format!("{} {}", self.keychain, item.name);
        }
        item
    }
}

impl Keychain for OwnHints {
    fn read(&self, item: &Item) -> Result<Option<Secret>, KeychainError> {
        if item.kind == Kind::Login {
            return Ok(None);
        }
        self.tokens.read(&self.named(item))
    }

    fn write(
        &self,
        item: &Item,
        secret: &Secret,
        lifetime: Option<Duration>,
    ) -> Result<(), KeychainError> {
        if item.kind == Kind::Login {
            return Err(KeychainError::Refused("it stores no logins".into()));
        }
        self.tokens.write(&self.named(item), secret, lifetime)
    }

    fn delete(&self, item: &Item) -> Result<(), KeychainError> {
        if item.kind == Kind::Login {
            return Ok(());
        }
        self.tokens.delete(&self.named(item))
    }

    fn list(&self, kind: Kind) -> Result<Vec<ListedItem>, KeychainError> {
        match kind {
            Kind::Login => Ok(Vec::new()),
            _ => self.tokens.list(kind),
        }
    }

    fn delete_all(&self, kind: Kind) -> Result<(), KeychainError> {
        match kind {
            Kind::Login => Ok(()),
            _ => self.tokens.delete_all(kind),
        }
    }

    fn names_within(&self, kind: Kind, max_calls: usize) -> Option<BTreeSet<String>> {
        self.tokens.names_within(kind, max_calls)
    }

    fn remove_unused(&self) {
        self.tokens.remove_unused();
    }

    fn backend(&self, item: &Item) -> Result<Option<Backend>, KeychainError> {
        self.tokens.backend(&self.named(item))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keychain::memory::MemoryKeychain;

    #[test]
    fn hints_belong_to_one_keychain_and_tokens_are_shared() {
        let shared = Rc::new(MemoryKeychain::default());
        let [one, other] = ["pass", "systemd-creds"]
            .map(|keychain| OwnHints::new(Rc::clone(&shared) as _, keychain));
        let (hint, token) = (Item::hint("us.icr.io"), Item::token("0123"));
        for item in [&hint, &token] {
            one.write(item, &Secret::new("text"), None).unwrap();
            assert_eq!(one.read(item), Ok(Some(Secret::new("text"))));
        }
        assert_eq!(other.read(&hint), Ok(None));
        assert_eq!(shared.read(&hint), Ok(None));
        assert!(other.read(&token).unwrap().is_some());
        one.delete(&hint).unwrap();
        assert_eq!(one.read(&hint), Ok(None));
    }

    #[test]
    fn it_contains_no_logins() {
        let shared = Rc::new(MemoryKeychain::default());
        let login = Item::login("us.icr.io");
        shared.write(&login, &Secret::new("key"), None).unwrap();
        let hints = OwnHints::new(Rc::clone(&shared) as _, "pass");
        assert_eq!(hints.read(&login), Ok(None));
        assert_eq!(hints.logins(), Ok(Vec::new()));
        assert!(hints.write(&login, &Secret::new("other"), None).is_err());
        hints.delete(&login).unwrap();
        assert_eq!(shared.read(&login), Ok(Some(Secret::new("key"))));
    }
}
