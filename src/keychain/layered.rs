//! Logins on a Linux machine that may or may not have a Secret Service right
//! now: it keeps them if it is there, the kernel keyring if it is not.

use std::rc::Rc;
use std::time::Duration;

use super::Backend;
use super::Item;
use super::Keychain;
use super::KeychainError;
use super::Kind;
use super::ListedItem;
use crate::secret::Secret;

/// `cache` is asked first, because asking costs nothing; it holds a login only
/// when that was stored while `durable` was absent, which makes it the newer one.
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
            Err(KeychainError::Absent(durable_reason)) => {
                let written = self.cache.write(item, secret, lifetime);
                written.map_err(|error| match error {
                    KeychainError::Absent(cache_reason) => {
                        KeychainError::Unavailable(format!("{durable_reason}, and {cache_reason}"))
                    }
                    other => other,
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
        let mut logins = or_nothing(self.cache.list(kind))?;
        for login in or_nothing(self.durable.list(kind))? {
            if !logins.iter().any(|cache| cache.name == login.name) {
                logins.push(login);
            }
        }
        Ok(logins)
    }

    fn backend(&self, item: &Item) -> Result<Option<Backend>, KeychainError> {
        match or_nothing(self.cache.backend(item))? {
            Some(backend) => Ok(Some(backend)),
            None => or_nothing(self.durable.backend(item)),
        }
    }
}

/// A keychain that is not there holds nothing.
fn or_nothing<T: Default>(answer: Result<T, KeychainError>) -> Result<T, KeychainError> {
    match answer {
        Err(KeychainError::Absent(_)) => Ok(T::default()),
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
    fn a_login_goes_to_the_far_keychain_and_replaces_the_near_one() {
        let (cache, durable, layered) = layers();
        cache.write(&item(), &Secret::new("old"), None).unwrap();
        layered.write(&item(), &Secret::new("new"), None).unwrap();
        assert_eq!(
            cache.read(&item()),
            Ok(None),
            "the older login must not win"
        );
        assert_eq!(durable.read(&item()), Ok(Some(Secret::new("new"))));
        assert_eq!(layered.read(&item()), Ok(Some(Secret::new("new"))));
    }

    #[test]
    fn without_a_far_keychain_the_near_one_serves() {
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
            "an absent keychain holds nothing"
        );
    }

    #[test]
    fn without_any_keychain_a_login_is_refused_with_both_reasons() {
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
    fn a_broken_near_keychain_does_not_let_an_older_login_speak() {
        let (cache, durable, layered) = layers();
        durable.write(&item(), &Secret::new("old"), None).unwrap();
        cache.fail_with(Some(KeychainError::Refused("broken".into())));
        assert!(layered.read(&item()).is_err());
    }

    #[test]
    fn a_locked_keychain_is_an_error_and_not_nothing() {
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
