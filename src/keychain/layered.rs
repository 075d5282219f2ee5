//! The `auto` keychain of logins on Linux: the Secret Service if one is running, otherwise encrypted
//! files, and the kernel keyring where nothing else works.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::Backend;
use super::Item;
use super::Keychain;
use super::KeychainError;
use super::Kind;
use super::ListedItem;
use super::SkippedKeychain;
use crate::secret::Secret;

/// Several keychains, the preferred one first. Items are written to the first that is not absent,
/// and read from the last that has them: it contains an item only if those before it were absent when
/// the item was written, so that item is the newer one. That order is also the fast one.
#[derive(Debug)]
pub(super) struct Layered {
    layers: Vec<Layer>,
    skipped: RefCell<Vec<SkippedKeychain>>,
}

/// One of several keychains.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    keychain: Rc<dyn Keychain>,
    backend: Backend,
    /// Whether it is skipped if it cannot write.
    is_optional: bool,
}

impl Layer {
    /// Returns a keychain that stores items unless it is absent.
    pub(super) fn required(backend: Backend, keychain: Rc<dyn Keychain>) -> Self {
        Self {
            keychain,
            backend,
            is_optional: false,
        }
    }

    /// Returns a keychain that is used only where it works. A timeout is an error nevertheless: it
    /// passes, and an item that was written to the next keychain meanwhile would stay there.
    pub(super) fn where_usable(backend: Backend, keychain: Rc<dyn Keychain>) -> Self {
        Self {
            is_optional: true,
            ..Self::required(backend, keychain)
        }
    }

    /// Returns whether the next keychain is used after this error.
    fn is_skipped_after(&self, error: &KeychainError) -> bool {
        error.is_absent() || (self.is_optional && !matches!(error, KeychainError::Timeout(_)))
    }
}

impl Layered {
    pub(super) fn new(layers: Vec<Layer>) -> Self {
        Self {
            layers,
            skipped: RefCell::default(),
        }
    }

    /// Returns the first answer of a keychain, in the order in which they are read.
    fn first<T>(
        &self,
        ask: impl Fn(&dyn Keychain) -> Result<Option<T>, KeychainError>,
    ) -> Result<Option<T>, KeychainError> {
        for layer in self.layers.iter().rev() {
            if let Some(answer) = or_nothing(ask(&*layer.keychain))? {
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }

    /// Deletes an item in all keychains but one.
    fn delete_except(&self, written: Option<usize>, item: &Item) -> Result<(), KeychainError> {
        let mut outcome = Ok(());
        for (index, layer) in self.layers.iter().enumerate().rev() {
            if Some(index) != written {
                outcome = outcome.and(or_nothing(layer.keychain.delete(item)));
            }
        }
        outcome
    }

    /// Records a keychain that did not store an item, unless it is simply missing.
    fn record_skipped(&self, backend: Backend, error: KeychainError) {
        let skipped = SkippedKeychain { backend, error };
        let mut known = self.skipped.borrow_mut();
        if skipped.error.is_missing() || known.contains(&skipped) {
            return;
        }
        tracing::warn!(
            keychain = backend.name(),
            error = %skipped.error,
            "the keychain does not work, so the next one is used"
        );
        known.push(skipped);
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
        for (index, layer) in self.layers.iter().enumerate() {
            match layer.keychain.write(item, secret, lifetime) {
                Ok(()) => return self.delete_except(Some(index), item),
                Err(error) if layer.is_skipped_after(&error) => {
                    reasons.push(error.to_string());
                    self.record_skipped(layer.backend, error);
                }
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
        for layer in &self.layers {
            let listed = or_nothing(layer.keychain.list(kind))?.into_iter();
            items.extend(listed.map(|item| (item.name.clone(), item)));
        }
        Ok(items.into_values().collect())
    }

    fn backend(&self, item: &Item) -> Result<Option<Backend>, KeychainError> {
        self.first(|keychain| keychain.backend(item))
    }

    fn skipped(&self) -> Vec<SkippedKeychain> {
        self.skipped.borrow().clone()
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
        let layered = Layered::new(vec![
            Layer::required(Backend::SecretService, Rc::clone(&durable) as _),
            Layer::required(Backend::Kernel, Rc::clone(&cache) as _),
        ]);
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
        let layer = |keychain| Layer::required(Backend::Kernel, keychain as _);
        let layered = Layered::new(keychains.clone().map(layer).into());
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

    /// Returns `pass`, which is used where it works, before the kernel keyring.
    fn optional_layers() -> (Rc<MemoryKeychain>, Rc<MemoryKeychain>, Layered) {
        let (cache, pass) = (
            Rc::new(MemoryKeychain::default()),
            Rc::new(MemoryKeychain::default()),
        );
        let layered = Layered::new(vec![
            Layer::where_usable(Backend::Pass, Rc::clone(&pass) as _),
            Layer::required(Backend::Kernel, Rc::clone(&cache) as _),
        ]);
        (cache, pass, layered)
    }

    #[test]
    fn a_keychain_that_does_not_work_is_skipped_but_its_logins_are_not() {
        let (_cache, pass, layered) = optional_layers();
        pass.write(&item(), &Secret::new("old"), None).unwrap();
        pass.fail_with(Some(KeychainError::LockedKey(None)));
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

    #[test]
    fn a_keychain_that_was_skipped_is_reported_once_unless_it_is_missing() {
        let (_cache, pass, layered) = optional_layers();
        let write = |error: KeychainError| {
            pass.fail_with(Some(error));
            layered.write(&item(), &Secret::new("key"), None).ok();
            layered.skipped()
        };
        for missing in [
            KeychainError::Absent("no program".into()),
            KeychainError::NotInitialized("store".into()),
        ] {
            assert_eq!(write(missing), []);
        }
        let unusable = KeychainError::Unusable("read-only".into(), "Make it writable".into());
        for _ in 0..2 {
            let skipped = SkippedKeychain {
                backend: Backend::Pass,
                error: unusable.clone(),
            };
            assert_eq!(write(unusable.clone()), [skipped]);
        }
    }

    #[test]
    fn a_timeout_is_not_taken_for_absence() {
        let (cache, pass, layered) = optional_layers();
        pass.fail_with(Some(KeychainError::Timeout("pass")));
        let written = layered.write(&item(), &Secret::new("key"), None);
        assert_eq!(written, Err(KeychainError::Timeout("pass")));
        assert_eq!(cache.read(&item()), Ok(None));
        assert_eq!(layered.skipped(), []);
    }
}
