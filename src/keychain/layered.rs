//! The `auto` keychain of logins on Linux: the Secret Service if one is running, otherwise encrypted
//! files, and the kernel keyring where nothing else works.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::Backend;
use super::Item;
use super::Keychain;
use super::KeychainError;
use super::Kind;
use super::ListedItem;
use crate::secret::Secret;

/// Several keychains, the preferred one first. Items are written to the first that is not absent,
/// and read from the last that has them: it contains an item only if those before it were absent when
/// the item was written, so that item is the newer one. That order is also the fast one.
#[derive(Debug)]
pub(super) struct Layered {
    keychains: Vec<Rc<dyn Keychain>>,
}

impl Layered {
    pub(super) fn new(keychains: Vec<Rc<dyn Keychain>>) -> Self {
        Self { keychains }
    }

    /// Returns the first answer of a keychain, in the order in which they are read.
    fn first<T>(
        &self,
        ask: impl Fn(&dyn Keychain) -> Result<Option<T>, KeychainError>,
    ) -> Result<Option<T>, KeychainError> {
        for keychain in self.keychains.iter().rev() {
            if let Some(answer) = or_nothing(ask(&**keychain))? {
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }

    /// Deletes an item in all keychains but one.
    fn delete_except(&self, written: Option<usize>, item: &Item) -> Result<(), KeychainError> {
        let mut outcome = Ok(());
        for (index, keychain) in self.keychains.iter().enumerate().rev() {
            if Some(index) != written {
                outcome = outcome.and(or_nothing(keychain.delete(item)));
            }
        }
        outcome
    }
}

impl Keychain for Layered {
    fn read(&self, item: &Item) -> Result<Option<Secret>, KeychainError> {
        self.first(|keychain| keychain.read(item))
    }

    fn write(
        &self,
        item: &Item,
        secret: &Secret,
        lifetime: Option<Duration>,
    ) -> Result<(), KeychainError> {
        let mut reasons: Vec<String> = Vec::new();
        for (index, keychain) in self.keychains.iter().enumerate() {
            match keychain.write(item, secret, lifetime) {
                Ok(()) => return self.delete_except(Some(index), item),
                Err(error) if error.is_absent() => reasons.push(error.to_string()),
                Err(other) => return Err(other),
            }
        }
        Err(KeychainError::Unavailable(reasons.join(", and ")))
    }

    fn delete(&self, item: &Item) -> Result<(), KeychainError> {
        self.delete_except(None, item)
    }

    fn list(&self, kind: Kind) -> Result<Vec<ListedItem>, KeychainError> {
        let mut items = BTreeMap::new();
        for keychain in &self.keychains {
            let listed = or_nothing(keychain.list(kind))?.into_iter();
            items.extend(listed.map(|item| (item.name.clone(), item)));
        }
        Ok(items.into_values().collect())
    }

    fn backend(&self, item: &Item) -> Result<Option<Backend>, KeychainError> {
        self.first(|keychain| keychain.backend(item))
    }
}

/// A keychain that is used only where it works: if it cannot write, it counts as absent.
#[derive(Debug)]
pub(super) struct WhereUsable<K>(pub(super) Rc<K>);

impl<K: Keychain> Keychain for WhereUsable<K> {
    fn read(&self, item: &Item) -> Result<Option<Secret>, KeychainError> {
        self.0.read(item)
    }

    fn write(
        &self,
        item: &Item,
        secret: &Secret,
        lifetime: Option<Duration>,
    ) -> Result<(), KeychainError> {
        let written = self.0.write(item, secret, lifetime);
        written.map_err(|error| KeychainError::Absent(error.to_string()))
    }

    fn delete(&self, item: &Item) -> Result<(), KeychainError> {
        self.0.delete(item)
    }

    fn list(&self, kind: Kind) -> Result<Vec<ListedItem>, KeychainError> {
        self.0.list(kind)
    }

    fn backend(&self, item: &Item) -> Result<Option<Backend>, KeychainError> {
        self.0.backend(item)
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

    fn layers() -> (Rc<MemoryKeychain>, Rc<MemoryKeychain>, Layered) {
        let (cache, durable) = (
            Rc::new(MemoryKeychain::default()),
            Rc::new(MemoryKeychain::default()),
        );
        let layered = Layered::new(vec![Rc::clone(&durable) as _, Rc::clone(&cache) as _]);
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

    #[test]
    fn a_login_is_stored_in_the_first_keychain_that_works_and_deleted_from_all_others() {
        let keychains = [(); 3].map(|()| Rc::new(MemoryKeychain::default()));
        let layered = Layered::new(keychains.clone().map(|keychain| keychain as _).into());
        for keychain in &keychains {
            keychain.write(&item(), &Secret::new("old"), None).unwrap();
        }
        keychains[0].fail_with(Some(KeychainError::Absent("no bus".into())));
        layered.write(&item(), &Secret::new("new"), None).unwrap();
        assert_eq!(keychains[2].read(&item()), Ok(None));
        assert_eq!(keychains[1].read(&item()), Ok(Some(Secret::new("new"))));
        assert_eq!(layered.logins().unwrap().len(), 1);

        // The bus is back, and its login is the older one.
        keychains[0].fail_with(None);
        assert_eq!(layered.read(&item()), Ok(Some(Secret::new("new"))));
        layered.delete(&item()).unwrap();
        assert_eq!(layered.read(&item()), Ok(None));
    }

    #[test]
    fn a_keychain_that_does_not_work_is_skipped_but_its_logins_are_not() {
        let (cache, pass) = (
            Rc::new(MemoryKeychain::default()),
            Rc::new(MemoryKeychain::default()),
        );
        let layered = Layered::new(vec![
            Rc::new(WhereUsable(Rc::clone(&pass))) as _,
            Rc::clone(&cache) as _,
        ]);
        pass.write(&item(), &Secret::new("old"), None).unwrap();
        pass.fail_with(Some(KeychainError::LockedKey("entry".into())));
        assert!(matches!(
            layered.read(&item()),
            Err(KeychainError::LockedKey(_))
        ));
        assert!(
            layered.write(&item(), &Secret::new("new"), None).is_err(),
            "the old one remains"
        );
        assert_eq!(layered.read(&item()), Ok(Some(Secret::new("new"))));
    }
}
