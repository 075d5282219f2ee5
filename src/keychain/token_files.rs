//! Tokens and hints in files, where there is no kernel keyring.

use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use super::Backend;
use super::Item;
use super::Keychain;
use super::KeychainError;
use super::Kind;
use super::ListedItem;
use super::item_files::ItemFiles;
use crate::secret::Secret;
use crate::time::Clock;
use crate::time::SystemClock;

/// Tokens in an encrypting keychain, and hints in files beside it. A hint is a digest and no secret:
/// because it is not encrypted, a cached token takes one decryption, and not that of the login
/// besides. It contains no logins.
#[derive(Debug)]
pub(super) struct TokenFiles {
    tokens: Rc<dyn Keychain>,
    hints: ItemFiles,
    clock: SystemClock,
}

impl TokenFiles {
    /// Creates the cache, with hints below `directory`.
    pub(super) fn new(tokens: Rc<dyn Keychain>, directory: Option<&Path>, namespace: &str) -> Self {
        Self {
            tokens,
            hints: ItemFiles::new(directory, namespace, ""),
            clock: SystemClock::start(),
        }
    }
}

/// Returns the hint in a file, whose first line is the time at which it expires.
fn unexpired(file: &str, now: u64) -> Option<&str> {
    let (expiry, hint) = file.split_once('\n')?;
    let expiry: u64 = expiry.parse().ok()?;
    (now < expiry).then_some(hint)
}

impl Keychain for TokenFiles {
    fn read(&self, item: &Item) -> Result<Option<Secret>, KeychainError> {
        match item.kind {
            Kind::Login => Ok(None),
            Kind::Hint => {
                let file = self.hints.read(item)?;
                let file = file.and_then(|bytes| String::from_utf8(bytes).ok());
                let now = self.clock.now();
                Ok(file.and_then(|text| Some(Secret::new(unexpired(&text, now)?))))
            }
            Kind::Probe | Kind::Token => self.tokens.read(item),
        }
    }

    fn write(
        &self,
        item: &Item,
        secret: &Secret,
        lifetime: Option<Duration>,
    ) -> Result<(), KeychainError> {
        match item.kind {
            Kind::Login => Err(KeychainError::Refused("it stores no logins".into())),
            Kind::Hint => {
                let lifetime = lifetime.map_or(u64::MAX, |lifetime| lifetime.as_secs());
                let expiry = self.clock.now().saturating_add(lifetime);
                let file = format!("{expiry}\n{}", secret.expose());
                self.hints.write(item, file.as_bytes())
            }
            Kind::Probe | Kind::Token => self.tokens.write(item, secret, lifetime),
        }
    }

    fn delete(&self, item: &Item) -> Result<(), KeychainError> {
        match item.kind {
            Kind::Login => Ok(()),
            Kind::Hint => self.hints.delete(item),
            Kind::Probe | Kind::Token => self.tokens.delete(item),
        }
    }

    fn list(&self, kind: Kind) -> Result<Vec<ListedItem>, KeychainError> {
        match kind {
            Kind::Login => Ok(Vec::new()),
            Kind::Hint => self.hints.list(kind),
            Kind::Probe | Kind::Token => self.tokens.list(kind),
        }
    }

    fn names_within(&self, kind: Kind, _max_calls: usize) -> Option<BTreeSet<String>> {
        let items = self.list(kind).ok()?.into_iter();
        Some(items.map(|item| item.name).collect())
    }

    fn backend(&self, item: &Item) -> Result<Option<Backend>, KeychainError> {
        self.tokens.backend(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keychain::memory::MemoryKeychain;

    #[test]
    fn hints_expire_and_tokens_are_in_the_other_keychain() {
        assert_eq!(unexpired("100\n{}", 99), Some("{}"));
        for file in ["100\n{}", "x\n{}", "{}", ""] {
            assert_eq!(unexpired(file, 100), None, "{file}");
        }
        let directory = tempfile::tempdir().unwrap();
        let tokens = Rc::new(MemoryKeychain::default());
        let files = TokenFiles::new(Rc::clone(&tokens) as _, Some(directory.path()), "default");
        let (hint, token) = (Item::hint("us.icr.io"), Item::token("0123"));
        let secret = Secret::new("text");
        for item in [&hint, &token] {
            let lifetime = Some(Duration::from_secs(60));
            files.write(item, &secret, lifetime).unwrap();
            assert_eq!(files.read(item), Ok(Some(secret.clone())));
        }
        assert_eq!(tokens.read(&token), Ok(Some(secret.clone())));
        assert_eq!(tokens.read(&hint), Ok(None));
        files.write(&hint, &secret, Some(Duration::ZERO)).unwrap();
        assert_eq!(files.read(&hint), Ok(None));
        files.delete(&hint).unwrap();
        assert_eq!(files.list(Kind::Hint), Ok(Vec::new()));
    }

    #[test]
    fn it_contains_no_logins() {
        let tokens = Rc::new(MemoryKeychain::default());
        let login = Item::login("us.icr.io");
        tokens.write(&login, &Secret::new("key"), None).unwrap();
        let files = TokenFiles::new(tokens, None, "default");
        assert_eq!(files.read(&login), Ok(None));
        assert_eq!(files.logins(), Ok(Vec::new()));
        assert!(files.write(&login, &Secret::new("other"), None).is_err());
    }
}
