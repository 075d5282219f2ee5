//! The macOS Keychain and the Windows Credential Manager, through `keyring`.
//!
//! Secrets are stored as bytes, because Windows limits text to 1,280 characters. A Windows
//! credential has at most 2,560 bytes (`CRED_MAX_CREDENTIAL_BLOB_SIZE`), so a longer secret
//! is split into parts, which a header names. Parts are written before the header and
//! deleted after it, so that a reader finds the old secret or the new one.

use std::collections::HashMap;
use std::time::Duration;

use keyring_core::Entry;
use keyring_core::Error;

use super::Backend;
use super::Item;
use super::Keychain;
use super::KeychainError;
use super::Kind;
use super::ListedItem;
use crate::digest;
use crate::secret::Secret;
use crate::time::run_with_timeout;

/// The first character of a header; records are JSON objects and begin with `{`.
const HEADER: char = '#';

/// How often a split secret is read while another process replaces it.
const READ_ATTEMPTS: usize = 3;

/// The maximum number of parts, more than any token needs. A header with a larger number
/// is not from this program.
const MAX_PARTS: usize = 64;

/// The keychain behind the default store of `keyring`.
#[derive(Debug)]
pub(super) struct NativeKeychain {
    name: &'static str,
    service: String,
    modifiers: HashMap<&'static str, &'static str>,
    search: HashMap<&'static str, String>,
    max_blob_size: usize,
    timeout: Duration,
}

/// Opens the keychain of this system.
#[cfg(any(target_os = "macos", windows))]
pub(super) fn platform(
    namespace: &str,
    prompting: super::Prompting,
) -> Result<NativeKeychain, KeychainError> {
    // Also makes the system's store the default one of `keyring_core`.
    if let Err(error) = keyring::Entry::store_status() {
        return Err(KeychainError::Unavailable(error.to_string()));
    }
    let service = format!("{}.{namespace}", super::SCHEMA);
    let timeout = match prompting {
        super::Prompting::Allowed => Duration::from_secs(60),
        super::Prompting::Never => Duration::from_secs(3),
    };
    Ok(if cfg!(windows) {
        NativeKeychain {
            name: "Windows Credential Manager",
            // The default would roam with the domain profile.
            modifiers: [("persistence", "Local")].into(),
            search: [("pattern", service.replace('.', "\\."))].into(),
            max_blob_size: 2560,
            timeout,
            service,
        }
    } else {
        NativeKeychain {
            name: "macOS Keychain",
            modifiers: HashMap::new(),
            search: [("service", service.clone())].into(),
            max_blob_size: usize::MAX,
            timeout,
            service,
        }
    })
}

/// Returns the items of another program that have one of these names.
#[cfg(any(target_os = "macos", windows))]
pub(super) fn of_service(
    service: &str,
    names: &[String],
) -> Result<Vec<(String, Secret)>, KeychainError> {
    let keychain = NativeKeychain {
        service: service.to_owned(),
        modifiers: HashMap::new(),
        ..platform("", super::Prompting::Never)?
    };
    let mut items = Vec::new();
    for name in names {
        if let Some(secret) = keychain.get(name)? {
            items.push((name.clone(), secret));
        }
    }
    Ok(items)
}

impl NativeKeychain {
    fn entry(&self, name: &str) -> Result<Entry, KeychainError> {
        Entry::new_with_modifiers(&self.service, name, &self.modifiers)
            .map_err(|error| self.classify(error))
    }

    fn get(&self, name: &str) -> Result<Option<Secret>, KeychainError> {
        match self.call(name, |entry| entry.get_secret())? {
            Ok(bytes) => Ok(String::from_utf8(bytes).ok().map(Secret::new)),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(self.classify(error)),
        }
    }

    fn set(&self, name: &str, text: &str) -> Result<(), KeychainError> {
        let secret = Secret::new(text);
        self.call(name, move |entry| {
            entry.set_secret(secret.expose().as_bytes())
        })?
        .map_err(|error| self.classify(error))
    }

    fn remove(&self, name: &str) -> Result<(), KeychainError> {
        match self.call(name, |entry| entry.delete_credential())? {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(self.classify(error)),
        }
    }

    /// Calls the keychain on a thread of its own, because the system may show a dialog and
    /// wait for a person.
    fn call<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce(Entry) -> keyring_core::Result<T> + Send + 'static,
    ) -> Result<keyring_core::Result<T>, KeychainError> {
        let entry = self.entry(name)?;
        run_with_timeout(self.timeout, move || work(entry)).ok_or(KeychainError::Timeout(self.name))
    }

    fn remove_parts(&self, name: &str, header: Option<&Header>) -> Result<(), KeychainError> {
        header
            .into_iter()
            .flat_map(|header| header.part_names(name))
            .try_for_each(|part| self.remove(&part))
    }

    /// Returns the secret that a header describes; `None` if another process has just
    /// replaced its parts.
    fn join_parts(&self, name: &str, header: &Header) -> Result<Option<Secret>, KeychainError> {
        let mut whole = zeroize::Zeroizing::new(String::new());
        for part in header.part_names(name) {
            match self.get(&part)? {
                Some(part) => whole.push_str(part.expose()),
                None => return Ok(None),
            }
        }
        let is_whole = digest::fingerprint(&[&whole]) == header.digest;
        Ok(is_whole.then(|| Secret::new(whole.as_str())))
    }

    fn header(&self, name: &str) -> Result<Option<Header>, KeychainError> {
        Ok(self
            .get(name)?
            .and_then(|secret| Header::parse(secret.expose())))
    }

    fn classify(&self, error: Error) -> KeychainError {
        match error {
            Error::NoStorageAccess(_) => KeychainError::Locked(self.name),
            Error::NoDefaultStore => {
                KeychainError::Unavailable(format!("this system has no {}", self.name))
            }
            other => KeychainError::Refused(format!("the {} refused ({other})", self.name)),
        }
    }
}

impl Keychain for NativeKeychain {
    fn read(&self, item: &Item) -> Result<Option<Secret>, KeychainError> {
        let name = entry_name(item);
        for _ in 0..READ_ATTEMPTS {
            let Some(secret) = self.get(&name)? else {
                return Ok(None);
            };
            let Some(header) = Header::parse(secret.expose()) else {
                return Ok(Some(secret));
            };
            if let Some(whole) = self.join_parts(&name, &header)? {
                return Ok(Some(whole));
            }
        }
        Ok(None)
    }

    fn write(
        &self,
        item: &Item,
        secret: &Secret,
        _lifetime: Option<Duration>,
    ) -> Result<(), KeychainError> {
        let name = entry_name(item);
        let previous = self.header(&name)?;
        let header = Header::of(secret.expose(), self.max_blob_size);
        match &header {
            None => self.set(&name, secret.expose())?,
            Some(header) => {
                let parts = parts(secret.expose(), self.max_blob_size);
                for (part_name, part) in header.part_names(&name).zip(parts) {
                    self.set(&part_name, part)?;
                }
                self.set(&name, &header.to_string())?;
            }
        }
        self.remove_parts(
            &name,
            previous
                .filter(|previous| Some(previous) != header.as_ref())
                .as_ref(),
        )
    }

    fn delete(&self, item: &Item) -> Result<(), KeychainError> {
        let name = entry_name(item);
        let header = self.header(&name)?;
        self.remove(&name)?;
        self.remove_parts(&name, header.as_ref())
    }

    fn list(&self, kind: Kind) -> Result<Vec<ListedItem>, KeychainError> {
        let search: HashMap<&str, &str> = self
            .search
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let prefix = format!("{}:", kind.name());
        let entries = Entry::search(&search).map_err(|error| self.classify(error))?;
        Ok(entries
            .iter()
            .filter_map(Entry::get_specifiers)
            .filter_map(|(service, user)| entry_of_service(&self.service, &service, &user))
            .filter(|name| !name.contains(HEADER))
            .filter_map(|name| {
                Some(ListedItem {
                    name: name.strip_prefix(&prefix)?.to_owned(),
                    username: None,
                })
            })
            .collect())
    }

    fn backend(&self, item: &Item) -> Result<Option<Backend>, KeychainError> {
        let ours = if cfg!(windows) {
            Backend::Windows
        } else {
            Backend::Macos
        };
        Ok(self.read(item)?.map(|_| ours))
    }
}

/// Returns the name of an entry if it belongs to this service. The Credential Manager
/// stores `USER.SERVICE` as one text. Both parts contain dots, so `keyring` may split it at
/// another dot.
fn entry_of_service(own: &str, service: &str, user: &str) -> Option<String> {
    let whole = format!("{user}.{service}");
    let name = whole.strip_suffix(own)?.strip_suffix('.')?;
    Some(name.to_owned())
}

fn entry_name(item: &Item) -> String {
    format!("{}:{}", item.kind_name(), item.name)
}

/// The header of a split secret: the number of its parts and the digest of the whole.
#[derive(Debug, Eq, PartialEq)]
struct Header {
    count: usize,
    digest: String,
}

impl Header {
    /// Creates the header for a secret; `None` if the secret needs no parts.
    fn of(secret: &str, max_blob_size: usize) -> Option<Self> {
        (secret.len() > max_blob_size).then(|| Self {
            count: parts(secret, max_blob_size).count(),
            digest: digest::fingerprint(&[secret]),
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let (count, digest) = text.strip_prefix(HEADER)?.split_once(HEADER)?;
        let count = count.parse().ok().filter(|count| *count <= MAX_PARTS)?;
        Some(Self {
            count,
            digest: digest.to_owned(),
        })
    }

    fn part_names<'a>(&'a self, name: &'a str) -> impl Iterator<Item = String> + 'a {
        (0..self.count).map(move |index| format!("{name}{HEADER}{}{HEADER}{index}", self.digest))
    }
}

impl std::fmt::Display for Header {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{HEADER}{}{HEADER}{}", self.count, self.digest)
    }
}

/// Splits a text into parts of at most `max_size` bytes, between characters.
fn parts(text: &str, max_size: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut end = max_size.min(rest.len());
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (part, remainder) = rest.split_at(end);
        rest = remainder;
        (!part.is_empty()).then_some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// Creates a keychain with a namespace of its own, because tests share one store.
    fn keychain(service: &str) -> NativeKeychain {
        static STORE: std::sync::Once = std::sync::Once::new();
        STORE.call_once(|| {
            keyring_core::set_default_store(keyring_core::mock::Store::new().unwrap());
        });
        NativeKeychain {
            name: "test keychain",
            service: service.to_owned(),
            modifiers: HashMap::new(),
            search: HashMap::new(),
            max_blob_size: 2560,
            timeout: Duration::from_secs(60),
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
}
