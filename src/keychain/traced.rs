//! A keychain that logs each call as a span.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Backend;
use super::Item;
use super::Keychain;
use super::KeychainError;
use super::Kind;
use super::ListedItem;
use crate::secret::Secret;

/// A keychain whose calls are logged with their duration. Without a log, this costs one
/// comparison.
#[derive(Debug)]
pub(super) struct Traced<K> {
    pub(super) keychain: K,
    backend: &'static str,
}

impl<K: Keychain> Traced<K> {
    /// Creates it with the keychain's name in the log.
    pub(super) fn new(backend: &'static str, keychain: K) -> Self {
        Self { keychain, backend }
    }

    /// Runs an operation within a span.
    fn trace<T>(
        &self,
        operation: &'static str,
        item: &Item,
        work: impl FnOnce() -> Result<T, KeychainError>,
    ) -> Result<T, KeychainError> {
        let _span = tracing::debug_span!(
            "keychain",
            operation,
            backend = self.backend,
            kind = item.kind_name(),
            name = item.name
        )
        .entered();
        let outcome = work();
        if let Err(error) = &outcome {
            tracing::debug!(%error, "the keychain operation failed");
        }
        outcome
    }
}

impl<K: Keychain> Keychain for Traced<K> {
    fn read(&self, item: &Item) -> Result<Option<Secret>, KeychainError> {
        self.trace("read", item, || self.keychain.read(item))
    }

    fn write(
        &self,
        item: &Item,
        secret: &Secret,
        lifetime: Option<Duration>,
    ) -> Result<(), KeychainError> {
        self.trace("write", item, || {
            self.keychain.write(item, secret, lifetime)
        })
    }

    fn delete(&self, item: &Item) -> Result<(), KeychainError> {
        self.trace("delete", item, || self.keychain.delete(item))
    }

    fn list(&self, kind: Kind) -> Result<Vec<ListedItem>, KeychainError> {
        self.trace("list", &Item::new(kind, ""), || self.keychain.list(kind))
    }

    fn delete_all(&self, kind: Kind) -> Result<(), KeychainError> {
        let item = Item::new(kind, "");
        self.trace("delete all", &item, || self.keychain.delete_all(kind))
    }

    fn names_within(&self, kind: Kind, max_calls: usize) -> Option<BTreeSet<String>> {
        self.keychain.names_within(kind, max_calls)
    }

    fn remove_unused(&self) {
        self.keychain.remove_unused();
    }

    fn backend(&self, item: &Item) -> Result<Option<Backend>, KeychainError> {
        self.trace("find", item, || self.keychain.backend(item))
    }
}
