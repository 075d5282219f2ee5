//! The keychain for `ICR_KEYCHAIN=none`, which stores nothing.

use std::time::Duration;

use super::Backend;
use super::Item;
use super::Keychain;
use super::KeychainError;
use super::Keychains;
use super::Kind;
use super::ListedItem;
use crate::secret::Secret;

/// A keychain that is always empty and rejects writes.
#[derive(Debug)]
struct NoKeychain;

/// Returns keychains that store nothing.
pub(super) fn keychains() -> Keychains {
    Keychains {
        logins: Box::new(NoKeychain),
        tokens: Box::new(NoKeychain),
        cache_is_local: false,
    }
}

impl Keychain for NoKeychain {
    fn read(&self, _item: &Item) -> Result<Option<Secret>, KeychainError> {
        Ok(None)
    }

    fn write(
        &self,
        _item: &Item,
        _secret: &Secret,
        _lifetime: Option<Duration>,
    ) -> Result<(), KeychainError> {
        Err(KeychainError::Disabled)
    }

    fn delete(&self, _item: &Item) -> Result<(), KeychainError> {
        Ok(())
    }

    fn list(&self, _kind: Kind) -> Result<Vec<ListedItem>, KeychainError> {
        Ok(Vec::new())
    }

    fn backend(&self, _item: &Item) -> Result<Option<Backend>, KeychainError> {
        Ok(None)
    }
}
