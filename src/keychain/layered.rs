//! Logins on a Linux machine that may or may not have a Secret Service right
//! now: it keeps them if it is there, the kernel keyring if it is not.

use std::rc::Rc;
use std::time::Duration;

use super::Item;
use super::Keychain;
use super::KeychainError;
use crate::secret::Secret;

/// How long a Secret Service that hung is left alone, so that a build that asks
/// for thirty registries waits for it once.
const PAUSE_AFTER_HANGING: Duration = Duration::from_secs(30);

/// `near` is asked first, because asking costs nothing; it holds a login only
/// when that was stored while `far` was absent, which makes it the newer one.
#[derive(Debug)]
pub(super) struct Layered<Near, Far> {
    near: Rc<Near>,
    far: Rc<Far>,
}

impl<Near: Keychain, Far: Keychain> Layered<Near, Far> {
    pub(super) fn new(near: Rc<Near>, far: Rc<Far>) -> Self {
        Self { near, far }
    }

    /// Asks `far`, unless it hung a moment ago.
    fn ask_far<T>(
        &self,
        ask: impl FnOnce(&Far) -> Result<T, KeychainError>,
    ) -> Result<T, KeychainError> {
        let hung = Item::state("unresponsive");
        if let Ok(Some(_)) = self.near.read(&hung) {
            return Err(KeychainError::Unresponsive(self.far.name()));
        }
        let answer = ask(&self.far);
        if let Err(KeychainError::Unresponsive(_)) = answer {
            // Where nothing can be remembered, the next process waits again.
            let _ = self
                .near
                .write(&hung, &Secret::new("1"), Some(PAUSE_AFTER_HANGING));
        }
        answer
    }
}

impl<Near: Keychain, Far: Keychain> Keychain for Layered<Near, Far> {
    fn name(&self) -> &'static str {
        self.far.name()
    }

    fn read(&self, item: &Item) -> Result<Option<Secret>, KeychainError> {
        if let Ok(Some(secret)) = self.near.read(item) {
            return Ok(Some(secret));
        }
        or_nothing(self.ask_far(|far| far.read(item)))
    }

    fn write(
        &self,
        item: &Item,
        secret: &Secret,
        lifetime: Option<Duration>,
    ) -> Result<(), KeychainError> {
        match self.ask_far(|far| far.write(item, secret, lifetime)) {
            Ok(()) => or_nothing(self.near.delete(item)),
            Err(KeychainError::Absent(far_reason)) => {
                self.near.write(item, secret, lifetime).map_err(|error| match error {
                    KeychainError::Absent(near_reason) => KeychainError::Absent(format!(
                        "there is no keychain to keep it in: {far_reason}; {near_reason}; give the API key in $IBMCLOUD_API_KEY instead"
                    )),
                    other => other,
                })
            }
            Err(other) => Err(other),
        }
    }

    fn delete(&self, item: &Item) -> Result<(), KeychainError> {
        let near = or_nothing(self.near.delete(item));
        or_nothing(self.ask_far(|far| far.delete(item))).and(near)
    }

    fn login_hosts(&self) -> Result<Vec<String>, KeychainError> {
        let mut hosts = or_nothing(self.near.login_hosts())?;
        hosts.extend(or_nothing(self.ask_far(Keychain::login_hosts))?);
        hosts.sort_unstable();
        hosts.dedup();
        Ok(hosts)
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
        Item::login("us.icr.io", "iamapikey")
    }

    fn layers() -> (
        Rc<MemoryKeychain>,
        Rc<MemoryKeychain>,
        Layered<MemoryKeychain, MemoryKeychain>,
    ) {
        let (near, far) = (
            Rc::new(MemoryKeychain::default()),
            Rc::new(MemoryKeychain::default()),
        );
        let layered = Layered::new(Rc::clone(&near), Rc::clone(&far));
        (near, far, layered)
    }

    #[test]
    fn a_login_goes_to_the_far_keychain_and_replaces_the_near_one() {
        let (near, far, layered) = layers();
        near.write(&item(), &Secret::new("old"), None).unwrap();
        layered.write(&item(), &Secret::new("new"), None).unwrap();
        assert_eq!(near.read(&item()), Ok(None), "the older login must not win");
        assert_eq!(far.read(&item()), Ok(Some(Secret::new("new"))));
        assert_eq!(layered.read(&item()), Ok(Some(Secret::new("new"))));
    }

    #[test]
    fn without_a_far_keychain_the_near_one_serves() {
        let (near, far, layered) = layers();
        far.fail_with(Some(KeychainError::Absent("no bus".into())));
        layered.write(&item(), &Secret::new("key"), None).unwrap();
        assert_eq!(near.read(&item()), Ok(Some(Secret::new("key"))));
        assert_eq!(layered.login_hosts(), Ok(vec!["us.icr.io".into()]));
        layered.delete(&item()).unwrap();
        assert_eq!(
            layered.read(&item()),
            Ok(None),
            "an absent keychain holds nothing"
        );
    }

    #[test]
    fn without_any_keychain_a_login_is_refused_with_both_reasons() {
        let (near, far, layered) = layers();
        near.fail_with(Some(KeychainError::Absent("no keyctl".into())));
        far.fail_with(Some(KeychainError::Absent("no bus".into())));
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
    fn a_hanging_keychain_is_waited_for_once() {
        let (_near, far, layered) = layers();
        far.fail_with(Some(KeychainError::Unresponsive("memory")));
        assert!(layered.read(&item()).is_err());
        far.fail_with(None);
        let calls = far.calls();
        assert_eq!(
            layered.read(&item()),
            Err(KeychainError::Unresponsive("memory")),
            "it may still hang, and the person is told the same"
        );
        assert_eq!(far.calls(), calls, "it is left alone for a while");
    }

    #[test]
    fn a_locked_keychain_is_an_error_and_not_nothing() {
        let (_near, far, layered) = layers();
        far.fail_with(Some(KeychainError::Locked("Secret Service")));
        assert_eq!(
            layered.read(&item()),
            Err(KeychainError::Locked("Secret Service"))
        );
        assert!(layered.write(&item(), &Secret::new("key"), None).is_err());
        assert!(layered.delete(&item()).is_err());
        assert!(layered.login_hosts().is_err());
    }
}
