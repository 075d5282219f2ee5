//! Reads and changes the program's items in the system's keychain, without the program.

use std::fs::File;
use std::path::Path;

use serde_json::Value;

#[cfg(target_os = "linux")]
pub(crate) use linux::Keys;
#[cfg(target_os = "linux")]
pub(super) use linux::available;
#[cfg(target_os = "macos")]
pub(crate) use unsupported::Keys;
#[cfg(target_os = "macos")]
pub(super) use unsupported::available;
#[cfg(windows)]
pub(crate) use windows::Keys;
#[cfg(windows)]
pub(super) use windows::available;

/// The part of a record's name before the namespace.
const SCHEMA: &str = "docker-credential-icr.v1";

/// Waits until no other test uses the keychain. The kernel keyring of an ordinary user holds 20,000 bytes, about ten tokens, and
/// when it is full the program deletes the tokens of all namespaces. Under Wine, a list of credentials overruns its buffer if
/// another process stores one at the same moment.
pub(super) fn turn() -> File {
    File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join("keychain.lock"))
        .and_then(|file| file.lock().map(|()| file))
        .expect("the target directory is on a file system with locks")
}

/// Makes the cached token or failure in a record older.
fn age(record: &mut Value, seconds: i64) {
    let kind = if record["failure"].is_object() {
        "failure"
    } else {
        "token"
    };
    for time in ["received", "since"] {
        if let Some(moment) = record[kind][time].as_i64() {
            record[kind][time] = (moment - seconds).into();
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use docker_credential_icr::keychain::seal::KeyBytes;
    use docker_credential_icr::keychain::seal::Seal;
    use docker_credential_icr::secret::Secret;
    use keyutils_raw as raw;
    use keyutils_raw::KeyringSerial;
    use serde_json::Value;

    use super::SCHEMA;

    /// Checks that this process may use the persistent keyring.
    ///
    /// # Errors
    /// It may not; the text says why.
    pub(in super::super) fn available() -> Result<(), String> {
        let ring = raw::keyctl_get_persistent(u32::MAX, raw::KEY_SPEC_PROCESS_KEYRING);
        ring.map(drop).map_err(|error| error.to_string())
    }

    /// The keys of one namespace.
    #[derive(Debug)]
    pub(crate) struct Keys {
        prefix: String,
    }

    impl Keys {
        pub(crate) fn of_namespace(namespace: &str) -> Self {
            Self {
                prefix: format!("{SCHEMA}:{namespace}:"),
            }
        }

        /// Returns the descriptions of the keys without their common prefix. All users of the
        /// machine can read descriptions.
        pub(crate) fn names(&self) -> Vec<String> {
            let keys = self.all().into_iter();
            let names = keys.map(|(_, name)| name);
            names.filter(|name| name != "seal").collect()
        }

        /// Makes all cached tokens and failures older by this many seconds.
        pub(crate) fn age_tokens(&self, seconds: i64) {
            let tokens = self.of_kind("token");
            assert!(!tokens.is_empty(), "a token is cached");
            for (key, name) in tokens {
                self.change(key, &name, |record| super::age(record, seconds));
            }
        }

        /// Changes the records of all logins, to test records of other versions of the program.
        pub(crate) fn change_logins(&self, change: impl Fn(&mut Value)) {
            for (key, name) in self.of_kind("login") {
                self.change(key, &name, &change);
            }
        }

        fn change(&self, key: KeyringSerial, name: &str, change: impl FnOnce(&mut Value)) {
            let description = format!("{}{name}", self.prefix);
            let mut record = content(key).expect("a key of this user");
            let record = self
                .seal()
                .open(&description, &mut record)
                .expect("a seal of this user");
            let mut record: Value = serde_json::from_str(record.expose()).expect("a JSON record");
            change(&mut record);
            let record = Secret::new(record.to_string());
            // A test changes each record only once, so this nonce is used once.
            let record = self.seal().seal(&description, &record, [1; 12]);
            raw::keyctl_update(key, &record.expect("a seal")).expect("a key of this user");
        }

        /// Deletes all cached tokens, as the kernel does when they expire.
        pub(crate) fn delete_tokens(&self) {
            for (key, _) in self.of_kind("token") {
                remove(key);
            }
        }

        /// Returns the number of all keys in the user's keyring, also of other namespaces.
        pub(crate) fn count_in_keyring(&self) -> usize {
            let ids = persistent().and_then(content).unwrap_or_default();
            ids.len() / size_of::<KeyringSerial>()
        }

        /// Adds keys with these names.
        ///
        /// # Errors
        /// The quota of the user does not allow it.
        pub(crate) fn add(&self, names: impl Iterator<Item = String>) -> Result<(), String> {
            let ring = persistent().expect("a keyring");
            self.add_to(ring, names)
        }

        /// Adds keys with these names to the session keyring.
        pub(crate) fn add_to_session(&self, names: impl Iterator<Item = String>) {
            self.add_to(raw::KEY_SPEC_SESSION_KEYRING, names)
                .expect("a session keyring with space");
        }

        fn add_to(
            &self,
            ring: KeyringSerial,
            mut names: impl Iterator<Item = String>,
        ) -> Result<(), String> {
            names.try_for_each(|name| {
                let description = format!("{}{name}", self.prefix);
                let added = raw::add_key("user", &description, b"x", ring);
                added.map(drop).map_err(|error| error.to_string())
            })
        }

        /// Copies the only login to these names.
        ///
        /// # Errors
        /// The quota of the user does not allow it.
        pub(crate) fn copy_login(&self, names: impl Iterator<Item = String>) -> Result<(), String> {
            let logins = self.of_kind("login");
            let [(key, name)] = &logins[..] else {
                panic!("{} logins", logins.len());
            };
            let mut record = content(*key).expect("a key of this user");
            let description = format!("{}{name}", self.prefix);
            let seal = self.seal();
            let secret = seal.open(&description, &mut record).expect("a login");
            let ring = persistent().expect("a keyring");
            for (number, name) in names.enumerate() {
                let description = format!("{}login:{name}", self.prefix);
                let mut nonce = [2; 12];
                nonce[..8].copy_from_slice(&number.to_ne_bytes());
                let record = seal.seal(&description, &secret, nonce).expect("a seal");
                let added = raw::add_key("user", &description, &record, ring);
                let key = added.map_err(|error| error.to_string())?;
                raw::keyctl_setperm(key, raw::KEY_USR_ALL).expect("a key of this user");
            }
            Ok(())
        }

        /// Returns the remaining lifetimes of the keys of a kind, as in `/proc/keys`: `59m`, `4s`,
        /// `perm`.
        pub(crate) fn lifetimes(&self, kind: &str) -> Vec<String> {
            // `/proc/keys` lists a key for certain only after this thread has accessed it.
            drop(self.all());
            let listing = std::fs::read_to_string("/proc/keys").expect("a kernel with keys");
            let prefix = format!("{}{kind}:", self.prefix);
            let lines = listing.lines().filter(|line| line.contains(&prefix));
            lines
                .filter_map(|line| line.split_whitespace().nth(3).map(str::to_owned))
                .collect()
        }

        /// Deletes all keys, and frees their part of the user's quota immediately.
        pub(crate) fn remove_all(&self) {
            for (key, _) in self.all() {
                remove(key);
            }
            // Where the program stores items on kernels without persistent keyrings.
            for (key, _) in self.in_ring(raw::KEY_SPEC_USER_KEYRING) {
                remove(key);
                let _ = raw::keyctl_unlink(key, raw::KEY_SPEC_USER_KEYRING);
            }
            for (key, _) in self.in_ring(raw::KEY_SPEC_SESSION_KEYRING) {
                let _ = raw::keyctl_unlink(key, raw::KEY_SPEC_SESSION_KEYRING);
            }
        }

        /// Returns the seal with which the program encrypts its records.
        fn seal(&self) -> Seal {
            let name = format!("{}seal", self.prefix);
            let ring = persistent().expect("a keyring");
            let key = raw::keyctl_search(ring, "user", &name, None).expect("a seal");
            let mut bytes = KeyBytes::default();
            bytes.copy_from_slice(&content(key).expect("a key of this user"));
            Seal::new(&bytes).expect("a key of a seal")
        }

        fn of_kind(&self, kind: &str) -> Vec<(KeyringSerial, String)> {
            let start = format!("{kind}:");
            let keys = self.all().into_iter();
            keys.filter(|(_, name)| name.starts_with(&start)).collect()
        }

        fn all(&self) -> Vec<(KeyringSerial, String)> {
            persistent().map_or_else(Vec::new, |ring| self.in_ring(ring))
        }

        fn in_ring(&self, ring: KeyringSerial) -> Vec<(KeyringSerial, String)> {
            let ids = content(ring).unwrap_or_default();
            let (ids, _) = ids.as_chunks();
            let keys = ids
                .iter()
                .filter_map(|id| KeyringSerial::new(i32::from_ne_bytes(*id)));
            keys.filter_map(|key| Some((key, self.name(key)?)))
                .collect()
        }

        /// Returns the description without the common prefix: `TYPE;UID;GID;PERMISSIONS;PREFIX…`.
        fn name(&self, key: KeyringSerial) -> Option<String> {
            let mut text = vec![0; MAX_LENGTH];
            let length = raw::keyctl_describe(key, Some(text[..].as_mut().into())).ok()?;
            let text = str::from_utf8(text.get(..length)?.strip_suffix(b"\0")?).ok()?;
            let description = text.splitn(5, ';').nth(4)?;
            Some(description.strip_prefix(&self.prefix)?.to_owned())
        }
    }

    /// The longest content and description that tests read, in bytes.
    const MAX_LENGTH: usize = 65_536;

    fn persistent() -> Option<KeyringSerial> {
        raw::keyctl_get_persistent(u32::MAX, raw::KEY_SPEC_PROCESS_KEYRING).ok()
    }

    fn content(key: KeyringSerial) -> Option<Vec<u8>> {
        let mut content = vec![0; MAX_LENGTH];
        let length = raw::keyctl_read(key, Some(content[..].as_mut().into())).ok()?;
        content.truncate(length);
        Some(content)
    }

    fn remove(key: KeyringSerial) {
        // The quota counts a deleted key until the kernel collects it, but a shorter payload
        // counts immediately.
        let _ = raw::keyctl_update(key, b"-");
        let _ = raw::keyctl_invalidate(key);
    }
}

/// The items of tests in the Windows Credential Manager.
#[cfg(windows)]
mod windows {
    use std::collections::HashMap;

    use docker_credential_icr::environment::Environment;
    use docker_credential_icr::keychain;
    use docker_credential_icr::keychain::Item;
    use docker_credential_icr::keychain::Keychain;
    use docker_credential_icr::keychain::Kind;
    use docker_credential_icr::keychain::Prompting;
    use docker_credential_icr::keychain::Selection;
    use docker_credential_icr::secret::Secret;
    use keyring_core::Entry;
    use serde_json::Value;

    use super::SCHEMA;

    /// Checks that there is a Credential Manager.
    ///
    /// # Errors
    /// There is none; the text says why.
    pub(in super::super) fn available() -> Result<(), String> {
        match keyring::Entry::store_status() {
            Ok(()) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The items of one namespace.
    #[derive(Debug)]
    pub(crate) struct Keys {
        namespace: String,
    }

    impl Keys {
        pub(crate) fn of_namespace(namespace: &str) -> Self {
            Self {
                namespace: namespace.to_owned(),
            }
        }

        /// Returns the names of the items, without what they have in common. A long secret has several items.
        pub(crate) fn names(&self) -> Vec<String> {
            let items = self.all().into_iter();
            items.map(|(name, _)| name).collect()
        }

        /// Makes all cached tokens and failures older by this many seconds.
        pub(crate) fn age_tokens(&self, seconds: i64) {
            let count = self.change(Kind::Token, |record| super::age(record, seconds));
            assert!(count > 0, "a token is cached");
        }

        /// Changes the records of all logins, to test records of other versions of the program.
        pub(crate) fn change_logins(&self, change: impl Fn(&mut Value)) {
            self.change(Kind::Login, change);
        }

        /// Returns the number of changed records.
        fn change(&self, kind: Kind, change: impl Fn(&mut Value)) -> usize {
            let keychain = self.keychain();
            let items = keychain.list(kind).expect("the Credential Manager");
            for listed in &items {
                let item = match kind {
                    Kind::Login => Item::login(&listed.name),
                    _ => Item::token(&listed.name),
                };
                let record = keychain.read(&item).expect("the Credential Manager");
                let record = record.expect("no other process deletes it");
                let mut record: Value =
                    serde_json::from_str(record.expose()).expect("a JSON record");
                change(&mut record);
                keychain
                    .write(&item, &Secret::new(record.to_string()), None)
                    .expect("the Credential Manager");
            }
            items.len()
        }

        /// Deletes all cached tokens.
        pub(crate) fn delete_tokens(&self) {
            let deleted = self.keychain().delete_all(Kind::Token);
            deleted.expect("the Credential Manager");
        }

        /// Deletes all items.
        pub(crate) fn remove_all(&self) {
            for (_, entry) in self.all() {
                let _ = entry.delete_credential();
            }
        }

        fn keychain(&self) -> Box<dyn Keychain> {
            let keychains = keychain::open(
                Selection::Auto,
                &self.namespace,
                &Environment::default(),
                &keychain::KeychainDirectories::default(),
                Prompting::Never,
            );
            keychains.expect("the Credential Manager").tokens
        }

        /// Returns the items and their names. The Credential Manager stores `NAME.SERVICE` as one text.
        fn all(&self) -> Vec<(String, Entry)> {
            if available().is_err() {
                return Vec::new();
            }
            let end = format!(".{SCHEMA}.{}", self.namespace);
            let search = HashMap::from([("pattern", self.namespace.as_str())]);
            let entries = Entry::search(&search).expect("the Credential Manager");
            let named = entries.into_iter().filter_map(|entry| {
                let (service, user) = entry.get_specifiers()?;
                let whole = format!("{user}.{service}");
                Some((whole.strip_suffix(&end)?.to_owned(), entry))
            });
            named.collect()
        }
    }
}

/// Stubs for macOS: the tests compile, and those with a keychain are skipped.
#[cfg(target_os = "macos")]
mod unsupported {
    pub(in super::super) fn available() -> Result<(), String> {
        Err("tests do not use the keychain of a person".into())
    }

    #[derive(Debug)]
    pub(crate) struct Keys;

    impl Keys {
        pub(crate) fn of_namespace(_namespace: &str) -> Self {
            Self
        }

        pub(crate) fn names(&self) -> Vec<String> {
            Vec::new()
        }

        pub(crate) fn age_tokens(&self, _seconds: i64) {}

        pub(crate) fn change_logins(&self, _change: impl Fn(&mut serde_json::Value)) {}

        pub(crate) fn delete_tokens(&self) {}

        pub(crate) fn remove_all(&self) {}
    }
}
