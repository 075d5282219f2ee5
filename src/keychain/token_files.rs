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

/// Tokens in an encrypting keychain, and hints in files beside it. A hint is a digest and no secret:
/// because it is not encrypted, a cached token takes one decryption, and not that of the login
/// besides. It contains no logins.
#[derive(Debug)]
pub(super) struct TokenFiles {
    tokens: Rc<dyn Keychain>,
    hints: ItemFiles,
}

impl TokenFiles {
    /// Creates the cache, with hints below `directory`.
    pub(super) fn new(tokens: Rc<dyn Keychain>, directory: Option<&Path>, namespace: &str) -> Self {
        Self {
            tokens,
            hints: ItemFiles::new(directory, namespace, ""),
        }
    }
}

impl Keychain for TokenFiles {
    fn read(&self, item: &Item) -> Result<Option<Secret>, KeychainError> {
        match item.kind {
            Kind::Login => Ok(None),
            Kind::Hint => {
                let hint = self.hints.read(item)?;
                let hint = hint.and_then(|bytes| String::from_utf8(bytes).ok());
                Ok(hint.map(Secret::new))
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
            Kind::Hint => self.hints.write(item, secret.expose().as_bytes()),
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
