//! The `auto` keychain of logins on Linux: the Secret Service if one is running, otherwise
//! the kernel keyring.

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

/// Two keychains. `cache` is read first, because that is fast. It contains a login only if
/// `durable` was absent when the login was stored, so that login is the newer one.
#[derive(Debug)]
pub(super) struct Layered<Cache, Durable> {
    cache: Rc<Cache>,
    durable: Rc<Durable>,
}

impl<Cache: Keychain, Durable: Keychain> Layered<Cache, Durable> {
    pub(super) fn new(cache: Rc<Cache>, durable: Rc<Durable>) -> Self {
        Self { cache, durable }
    }
}

impl<Cache: Keychain, Durable: Keychain> Keychain for Layered<Cache, Durable> {
    fn read(&self, item: &Item) -> Result<Option<Secret>, KeychainError> {
        match or_nothing(self.cache.read(item))? {
            Some(secret) => Ok(Some(secret)),
            None => or_nothing(self.durable.read(item)),
        }
    }

    fn write(
        &self,
        item: &Item,
        secret: &Secret,
        lifetime: Option<Duration>,
    ) -> Result<(), KeychainError> {
        match self.durable.write(item, secret, lifetime) {
            Ok(()) => or_nothing(self.cache.delete(item)),
            Err(error) if error.is_absent() => {
                let written = self.cache.write(item, secret, lifetime);
                written.map_err(|cache_error| {
                    if cache_error.is_absent() {
                        KeychainError::Unavailable(format!("{error}, and {cache_error}"))
                    } else {
                        cache_error
                    }
                })
            }
            Err(other) => Err(other),
        }
    }

    fn delete(&self, item: &Item) -> Result<(), KeychainError> {
        let cache = or_nothing(self.cache.delete(item));
        or_nothing(self.durable.delete(item)).and(cache)
    }

    fn list(&self, kind: Kind) -> Result<Vec<ListedItem>, KeychainError> {
        let cached = or_nothing(self.cache.list(kind))?;
        let names: BTreeSet<String> = cached.iter().map(|login| login.name.clone()).collect();
        let mut durable = or_nothing(self.durable.list(kind))?;
        durable.retain(|login| !names.contains(&login.name));
        Ok([cached, durable].concat())
    }

    fn backend(&self, item: &Item) -> Result<Option<Backend>, KeychainError> {
        match or_nothing(self.cache.backend(item))? {
            Some(backend) => Ok(Some(backend)),
            None => or_nothing(self.durable.backend(item)),
        }
    }
}

/// Returns the default for an absent keychain, which contains nothing.
fn or_nothing<T: Default>(answer: Result<T, KeychainError>) -> Result<T, KeychainError> {
    match answer {
        Err(error) if error.is_absent() => Ok(T::default()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keychain::memory::MemoryKeychain;

    fn item() -> Item {
        Item::login("us.icr.io").with_label("us.icr.io", "iamapikey")
    }

    fn layers() -> (
        Rc<MemoryKeychain>,
        Rc<MemoryKeychain>,
        Layered<MemoryKeychain, MemoryKeychain>,
    ) {
        let (cache, durable) = (
            Rc::new(MemoryKeychain::default()),
            Rc::new(MemoryKeychain::default()),
        );
        let layered = Layered::new(Rc::clone(&cache), Rc::clone(&durable));
        (cache, durable, layered)
    }

    #[test]
    fn a_login_is_stored_in_the_durable_keychain_and_replaces_the_one_in_the_cache() {
        let (cache, durable, layered) = layers();
        cache.write(&item(), &Secret::new("old"), None).unwrap();
        layered.write(&item(), &Secret::new("new"), None).unwrap();
        assert_eq!(cache.read(&item()), Ok(None), "the older login is deleted");
        assert_eq!(durable.read(&item()), Ok(Some(Secret::new("new"))));
        assert_eq!(layered.read(&item()), Ok(Some(Secret::new("new"))));
    }

    #[test]
    fn without_a_durable_keychain_the_cache_stores_logins() {
        let (cache, durable, layered) = layers();
        durable.fail_with(Some(KeychainError::Absent("no bus".into())));
        layered.write(&item(), &Secret::new("key"), None).unwrap();
        assert_eq!(cache.read(&item()), Ok(Some(Secret::new("key"))));
        assert_eq!(layered.backend(&item()), cache.backend(&item()));
        assert!(cache.backend(&item()).unwrap().is_some());
        assert_eq!(layered.logins().unwrap()[0].name, "us.icr.io");
        layered.delete(&item()).unwrap();
        assert_eq!(
            layered.read(&item()),
            Ok(None),
            "an absent keychain is empty"
        );
    }

    #[test]
    fn a_durable_keychain_that_answers_nonsense_counts_as_absent() {
        let (cache, durable, layered) = layers();
        durable.fail_with(Some(KeychainError::InvalidAnswer("it", "nonsense".into())));
        layered.write(&item(), &Secret::new("key"), None).unwrap();
        assert_eq!(cache.read(&item()), Ok(Some(Secret::new("key"))));
        assert_eq!(layered.logins().unwrap().len(), 1);
    }

    #[test]
    fn without_any_keychain_the_error_has_both_reasons() {
        let (cache, durable, layered) = layers();
        cache.fail_with(Some(KeychainError::Absent("no keyctl".into())));
        durable.fail_with(Some(KeychainError::Absent("no bus".into())));
        let error = layered
            .write(&item(), &Secret::new("key"), None)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("no keyctl") && error.contains("no bus"),
            "{error}"
        );
        assert_eq!(layered.read(&item()), Ok(None));
    }

    #[test]
    fn an_older_login_is_not_used_if_the_cache_cannot_be_read() {
        let (cache, durable, layered) = layers();
        durable.write(&item(), &Secret::new("old"), None).unwrap();
        cache.fail_with(Some(KeychainError::Refused("broken".into())));
        assert!(layered.read(&item()).is_err());
    }

    #[test]
    fn a_locked_keychain_is_not_an_empty_one() {
        let (_cache, durable, layered) = layers();
        durable.fail_with(Some(KeychainError::Locked("Secret Service")));
        assert_eq!(
            layered.read(&item()),
            Err(KeychainError::Locked("Secret Service"))
        );
        assert!(layered.write(&item(), &Secret::new("key"), None).is_err());
        assert!(layered.delete(&item()).is_err());
        assert!(layered.logins().is_err());
    }
}
