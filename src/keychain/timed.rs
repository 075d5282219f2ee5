//! A keychain whose every call is a span of the log.

use std::time::Duration;

use super::Backend;
use super::Item;
use super::Keychain;
use super::KeychainError;
use super::Kind;
use super::Listed;
use crate::secret::Secret;

/// The keychain, timed. While nothing is logged that costs a comparison.
#[derive(Debug)]
pub(super) struct Traced<K> {
    pub(super) keychain: K,
    place: &'static str,
}

impl<K: Keychain> Traced<K> {
    /// The keychain, under this name in the log.
    pub(super) fn new(place: &'static str, keychain: K) -> Self {
        Self { keychain, place }
    }

    /// Does something within a span.
    fn time<T>(
        &self,
        what: &'static str,
        item: &Item,
        work: impl FnOnce() -> Result<T, KeychainError>,
    ) -> Result<T, KeychainError> {
        let _span = tracing::debug_span!(
            "keychain",
            what,
            place = self.place,
            kind = item.kind_name(),
            name = item.name
        )
        .entered();
        let outcome = work();
        if let Err(error) = &outcome {
            tracing::debug!(%error, "not done");
        }
        outcome
    }
}

impl<K: Keychain> Keychain for Traced<K> {
    fn read(&self, item: &Item) -> Result<Option<Secret>, KeychainError> {
        self.time("read", item, || self.keychain.read(item))
    }

    fn write(
        &self,
        item: &Item,
        secret: &Secret,
        lifetime: Option<Duration>,
    ) -> Result<(), KeychainError> {
        self.time("write", item, || {
            self.keychain.write(item, secret, lifetime)
        })
    }

    fn delete(&self, item: &Item) -> Result<(), KeychainError> {
        self.time("delete", item, || self.keychain.delete(item))
    }

    fn list(&self, kind: Kind) -> Result<Vec<Listed>, KeychainError> {
        self.time("list", &Item::new(kind, ""), || self.keychain.list(kind))
    }

    fn remove_unused(&self) {
        self.keychain.remove_unused();
    }

    fn backend(&self, item: &Item) -> Result<Option<Backend>, KeychainError> {
        self.time("look for", item, || self.keychain.backend(item))
    }
}
