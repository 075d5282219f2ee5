//! The macOS Keychain and the Windows Credential Manager, through `keyring`.
//!
//! Secrets are stored as bytes, because Windows limits text to 1,280 characters. A Windows
//! credential has at most 2,560 bytes (`CRED_MAX_CREDENTIAL_BLOB_SIZE`), so a longer secret
//! is split into parts, which a header names. Parts are written before the header and
//! deleted after it, so that a reader finds the old secret or the new one.

mod parts;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeSet;
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
use parts::HEADER;
use parts::Header;
use parts::MAX_PARTS;
use parts::parts;

/// How often a split secret is read while another process replaces it.
const READ_ATTEMPTS: usize = 3;

/// The keychain behind the default store of `keyring`.
#[derive(Debug)]
pub(super) struct NativeKeychain {
    name: &'static str,
    service: String,
    modifiers: HashMap<&'static str, &'static str>,
    search: HashMap<&'static str, String>,
    max_blob_size: usize,
    /// How long to wait for the system, which may show a dialog and wait for a person; `None` if
    /// it never does.
    timeout: Option<Duration>,
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
    Ok(if cfg!(windows) {
        NativeKeychain::windows(service)
    } else {
        NativeKeychain::macos(service, prompting)
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

#[cfg_attr(
    not(any(target_os = "macos", windows)),
    allow(dead_code, reason = "tests of the others use a part of it")
)]
impl NativeKeychain {
    /// Returns the Credential Manager, which answers without a dialog.
    fn windows(service: String) -> Self {
        Self {
            name: "Windows Credential Manager",
            // The default would roam with the domain profile.
            modifiers: [("persistence", "Local")].into(),
            search: [("pattern", service.replace('.', "\\."))].into(),
            max_blob_size: 2560,
            timeout: None,
            service,
        }
    }

    fn macos(service: String, prompting: super::Prompting) -> Self {
        Self {
            name: "macOS Keychain",
            modifiers: HashMap::new(),
            search: [("service", service.clone())].into(),
            max_blob_size: usize::MAX,
            timeout: Some(match prompting {
                super::Prompting::Allowed => Duration::from_secs(60),
                super::Prompting::Never => Duration::from_secs(3),
            }),
            service,
        }
    }

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

    /// Calls the keychain: on a thread of its own if it may wait for a person.
    fn call<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce(Entry) -> keyring_core::Result<T> + Send + 'static,
    ) -> Result<keyring_core::Result<T>, KeychainError> {
        let entry = self.entry(name)?;
        match self.timeout {
            None => Ok(work(entry)),
            Some(timeout) => run_with_timeout(timeout, move || work(entry))
                .ok_or(KeychainError::Timeout(self.name)),
        }
    }

    /// Stores a secret in one entry, or in parts before their header.
    fn set_whole(
        &self,
        name: &str,
        secret: &Secret,
        header: Option<&Header>,
    ) -> Result<(), KeychainError> {
        let Some(header) = header else {
            return self.set(name, secret.expose());
        };
        let parts = parts(secret.expose(), self.max_blob_size);
        for (part_name, part) in header.part_names(name).zip(parts) {
            self.set(&part_name, part)?;
        }
        self.set(name, &header.to_string())
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

    /// Returns the names of all entries, also of parts.
    fn entry_names(&self) -> Result<BTreeSet<String>, KeychainError> {
        let search = self.search.iter();
        let search: HashMap<&str, &str> =
            search.map(|(key, value)| (*key, value.as_str())).collect();
        let entries = Entry::search(&search).map_err(|error| self.classify(error))?;
        let specifiers = entries.iter().filter_map(Entry::get_specifiers);
        Ok(specifiers
            .filter_map(|(service, user)| entry_of_service(&self.service, &service, &user))
            .collect())
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
        let header = Header::of(secret.expose(), self.max_blob_size);
        if header.as_ref().is_some_and(Header::is_too_long) {
            let max_size = MAX_PARTS * self.max_blob_size;
            return Err(KeychainError::TooLarge(self.name, max_size));
        }
        let previous = self.header(&name)?;
        let outcome = self.set_whole(&name, secret, header.as_ref());
        // The parts of what is not stored: the new secret if that failed, otherwise the old one.
        let (stored, unused) = match outcome {
            Ok(()) => (&header, &previous),
            Err(_) => (&previous, &header),
        };
        let removed = self.remove_parts(
            &name,
            unused.as_ref().filter(|it| Some(*it) != stored.as_ref()),
        );
        outcome.and(removed)
    }

    fn delete(&self, item: &Item) -> Result<(), KeychainError> {
        let name = entry_name(item);
        let header = self.header(&name)?;
        self.remove(&name)?;
        self.remove_parts(&name, header.as_ref())
    }

    fn list(&self, kind: Kind) -> Result<Vec<ListedItem>, KeychainError> {
        let prefix = format!("{}:", kind.name());
        let names = self.entry_names()?.into_iter();
        Ok(names
            .filter(|name| !name.contains(HEADER))
            .filter_map(|name| {
                Some(ListedItem {
                    name: name.strip_prefix(&prefix)?.to_owned(),
                    username: None,
                })
            })
            .collect())
    }

    /// Deletes parts without a header: a process that ended while it wrote them left them.
    fn remove_unused(&self) {
        let Ok(names) = self.entry_names() else {
            return;
        };
        for part in &names {
            let whole = part.split_once(HEADER).map(|(whole, _)| whole);
            if whole.is_some_and(|whole| !names.contains(whole)) {
                let _ = self.remove(part);
            }
        }
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
