use std::any::Any;
use std::cell::RefCell;
use std::sync::Arc;

use keyring_core::api::CredentialApi;
use keyring_core::api::CredentialStoreApi;
use keyring_core::mock;

use super::*;
use crate::keychain::Keychains;

#[test]
fn an_entry_is_recognized_at_whichever_dot_its_name_is_split() {
    let own = "docker-credential-icr.v1.default";
    for (service, user, name) in [
        (own, "login:us.icr.io", Some("login:us.icr.io")),
        (
            "default",
            "login:us.icr.io.docker-credential-icr.v1",
            Some("login:us.icr.io"),
        ),
        ("v1.default", "login:.docker-credential-icr", Some("login:")),
        ("docker-credential-icr.v1.other", "login:us.icr.io", None),
        (
            "docker-credential-icr.v1.a.default",
            "login:us.icr.io",
            None,
        ),
        ("default", "other-user", None),
    ] {
        let found = entry_of_service(own, service, user);
        assert_eq!(found.as_deref(), name, "{user} {service}");
    }
}

thread_local! {
    /// The calls of this thread that reach the system.
    static CALLS: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

/// Returns the calls of this thread since the last time, by the system's names for them.
pub(crate) fn take_calls() -> Vec<&'static str> {
    CALLS.take()
}

fn record(call: &'static str) {
    CALLS.with_borrow_mut(|calls| calls.push(call));
}

/// A store in memory, like the Credential Manager: it records calls and limits the size.
#[derive(Debug)]
struct Store(Arc<mock::Store>);

#[derive(Debug)]
struct StoredCredential(Entry);

impl CredentialStoreApi for Store {
    fn vendor(&self) -> String {
        self.0.vendor()
    }

    fn id(&self) -> String {
        self.0.id()
    }

    fn build(
        &self,
        service: &str,
        user: &str,
        _modifiers: Option<&HashMap<&str, &str>>,
    ) -> keyring_core::Result<Entry> {
        let entry = self.0.build(service, user, None)?;
        Ok(Entry::new_with_credential(Arc::new(StoredCredential(
            entry,
        ))))
    }

    fn search(&self, pattern: &HashMap<&str, &str>) -> keyring_core::Result<Vec<Entry>> {
        record("CredEnumerate");
        let service = pattern["pattern"].replace('\\', "");
        let mut entries = self.0.search(&[("service", &*service)].into())?;
        // This store also finds deleted ones.
        entries.retain(|entry| entry.get_secret().is_ok());
        Ok(entries)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl CredentialApi for StoredCredential {
    fn set_secret(&self, secret: &[u8]) -> keyring_core::Result<()> {
        record("CredWrite");
        assert!(secret.len() <= 2560, "CRED_MAX_CREDENTIAL_BLOB_SIZE");
        match secret {
            b"refused" => Err(Error::Invalid("secret".into(), "refused".into())),
            _ => self.0.set_secret(secret),
        }
    }

    fn get_secret(&self) -> keyring_core::Result<Vec<u8>> {
        record("CredRead");
        self.0.get_secret()
    }

    fn delete_credential(&self) -> keyring_core::Result<()> {
        record("CredDelete");
        self.0.delete_credential()
    }

    fn get_credential(&self) -> keyring_core::Result<Option<Arc<keyring_core::Credential>>> {
        Ok(None)
    }

    fn get_specifiers(&self) -> Option<(String, String)> {
        self.0.get_specifiers()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Creates the keychain of Windows with a service of its own, because tests share one store.
fn keychain(service: &str) -> NativeKeychain {
    static STORE: std::sync::Once = std::sync::Once::new();
    STORE.call_once(|| {
        let store = Store(mock::Store::new().unwrap());
        keyring_core::set_default_store(Arc::new(store));
    });
    NativeKeychain::windows(service.to_owned())
}

/// Creates the keychains of a program with such a keychain.
pub(crate) fn keychains(service: &str) -> Keychains {
    Keychains {
        logins: Box::new(keychain(service)),
        tokens: Box::new(keychain(service)),
        cache_is_local: false,
    }
}

fn item() -> Item {
    Item::login("us.icr.io").with_label("us.icr.io", "iamapikey")
}

fn long(character: &str, bytes: usize) -> Secret {
    Secret::new(character.repeat(bytes / character.len()))
}

#[test]
fn secrets_around_the_size_limit_are_read_unchanged() {
    let keychain = keychain("limit");
    for size in [1, 1280, 1281, 2559, 2560, 2561, 5120, 5121, 30_000] {
        let secret = long("x", size);
        keychain.write(&item(), &secret, None).unwrap();
        assert_eq!(keychain.read(&item()), Ok(Some(secret)), "{size} bytes");
    }
    let multibyte = long("é🦀", 9_000);
    keychain.write(&item(), &multibyte, None).unwrap();
    assert_eq!(
        keychain.read(&item()),
        Ok(Some(multibyte)),
        "no character is split"
    );
}

#[test]
fn parts_are_within_the_size_limit_and_deleted_with_the_secret_that_they_belong_to() {
    let keychain = keychain("parts");
    keychain.write(&item(), &long("x", 9_000), None).unwrap();
    let header = keychain.header("login:us.icr.io").unwrap().unwrap();
    let names: Vec<String> = header.part_names("login:us.icr.io").collect();
    assert_eq!(names.len(), 4);
    for name in &names {
        assert!(keychain.get(name).unwrap().unwrap().expose().len() <= 2560);
    }
    keychain
        .write(&item(), &Secret::new("short"), None)
        .unwrap();
    for name in &names {
        assert_eq!(
            keychain.get(name),
            Ok(None),
            "the parts of the old secret are deleted"
        );
    }
}

#[test]
fn deleting_twice_is_no_error_and_deletes_the_parts() {
    let keychain = keychain("delete");
    keychain.write(&item(), &long("x", 9_000), None).unwrap();
    let header = keychain.header("login:us.icr.io").unwrap().unwrap();
    keychain.delete(&item()).unwrap();
    keychain.delete(&item()).unwrap();
    assert_eq!(keychain.read(&item()), Ok(None));
    for name in header.part_names("login:us.icr.io") {
        assert_eq!(keychain.get(&name), Ok(None));
    }
}

#[test]
fn a_secret_with_a_missing_or_changed_part_is_not_returned() {
    let keychain = keychain("incomplete");
    keychain.write(&item(), &long("x", 9_000), None).unwrap();
    let header = keychain.header("login:us.icr.io").unwrap().unwrap();
    let part = header.part_names("login:us.icr.io").nth(1).unwrap();
    keychain.set(&part, "changed").unwrap();
    assert_eq!(keychain.read(&item()), Ok(None));
    keychain.remove(&part).unwrap();
    assert_eq!(keychain.read(&item()), Ok(None));
}

/// Returns the names of all entries of a keychain.
fn names(keychain: &NativeKeychain) -> Vec<String> {
    keychain.entry_names().unwrap().into_iter().collect()
}

#[test]
fn a_secret_that_is_too_large_is_refused_and_nothing_of_it_remains() {
    let keychain = keychain("too-large");
    let max_size = MAX_PARTS * 2560;
    keychain.write(&item(), &Secret::new("old"), None).unwrap();
    let refused = keychain.write(&item(), &long("x", max_size + 1), None);
    assert_eq!(
        refused,
        Err(KeychainError::TooLarge(
            "Windows Credential Manager",
            163_840
        ))
    );
    assert_eq!(keychain.read(&item()), Ok(Some(Secret::new("old"))));
    assert_eq!(names(&keychain), ["login:us.icr.io"]);
    let largest = long("x", max_size);
    keychain.write(&item(), &largest, None).unwrap();
    assert_eq!(keychain.read(&item()), Ok(Some(largest)));
}

#[test]
fn nothing_remains_of_a_secret_whose_last_part_is_refused() {
    let keychain = keychain("refused-part");
    let old = long("x", 6_000);
    keychain.write(&item(), &old, None).unwrap();
    let before = names(&keychain);
    let new = Secret::new(format!("{}refused", "y".repeat(2 * 2560)));
    assert!(keychain.write(&item(), &new, None).is_err());
    assert_eq!(keychain.read(&item()), Ok(Some(old)));
    assert_eq!(names(&keychain), before);
}

#[test]
fn parts_without_a_header_are_deleted_with_the_last_items() {
    let keychain = keychain("orphans");
    keychain.write(&item(), &long("x", 9_000), None).unwrap();
    let before = names(&keychain);
    for index in 0..79 {
        keychain
            .set(&format!("login:de.icr.io#0123#{index}"), "part")
            .unwrap();
    }
    keychain.delete_short_lived().unwrap();
    assert_eq!(names(&keychain), before, "parts with a header stay");
}
