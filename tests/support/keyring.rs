//! Reads and changes the program's items in the kernel keyring, without the program.

#[cfg(target_os = "linux")]
pub(crate) use linux::Keys;
#[cfg(target_os = "linux")]
pub(crate) use linux::available;
#[cfg(not(target_os = "linux"))]
pub(crate) use unsupported::Keys;
#[cfg(not(target_os = "linux"))]
pub(crate) use unsupported::available;

#[cfg(target_os = "linux")]
mod linux {
    use docker_credential_icr::keychain::seal::KeyBytes;
    use docker_credential_icr::keychain::seal::Seal;
    use docker_credential_icr::secret::Secret;
    use linux_keyutils::Key;
    use linux_keyutils::KeyRing;
    use linux_keyutils::KeyRingIdentifier;
    use linux_keyutils::LinkNode;
    use serde_json::Value;

    /// Checks that this process may use the persistent keyring.
    ///
    /// # Errors
    /// It may not; the text says why.
    pub(crate) fn available() -> Result<(), String> {
        KeyRing::get_persistent(KeyRingIdentifier::Process)
            .map(|_| ())
            .map_err(|error| error.to_string())
    }

    /// The keys of one namespace.
    #[derive(Debug)]
    pub(crate) struct Keys {
        prefix: String,
    }

    impl Keys {
        pub(crate) fn of_namespace(namespace: &str) -> Self {
            Self {
                prefix: format!("docker-credential-icr.v1:{namespace}:"),
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
                self.change(key, &name, |record| {
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
                });
            }
        }

        /// Changes the records of all logins, to test records of other versions of the program.
        pub(crate) fn change_logins(&self, change: impl Fn(&mut Value)) {
            for (key, name) in self.of_kind("login") {
                self.change(key, &name, &change);
            }
        }

        fn change(&self, key: Key, name: &str, change: impl FnOnce(&mut Value)) {
            let description = format!("{}{name}", self.prefix);
            let record = key.read_to_vec().expect("a key of this user");
            let record = self
                .seal()
                .open(&description, record)
                .expect("a seal of this user");
            let mut record: Value = serde_json::from_str(record.expose()).expect("a JSON record");
            change(&mut record);
            let record = Secret::new(record.to_string());
            // A test changes each record only once, so this nonce is used once.
            let record = self.seal().seal(&description, &record, [1; 12]);
            key.update(&record.expect("a seal"))
                .expect("a key of this user");
        }

        /// Deletes all cached tokens, as the kernel does when they expire.
        pub(crate) fn delete_tokens(&self) {
            for (key, _) in self.of_kind("token") {
                remove(key);
            }
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
            if let Ok(user) = KeyRing::from_special_id(KeyRingIdentifier::User, false) {
                for (key, _) in self.in_ring(user) {
                    remove(key);
                    let _ = user.unlink_key(key);
                }
            }
            let Ok(session) = KeyRing::from_special_id(KeyRingIdentifier::Session, false) else {
                return;
            };
            for (key, _) in self.in_ring(session) {
                let _ = session.unlink_key(key);
            }
        }

        /// Returns the seal with which the program encrypts its records.
        fn seal(&self) -> Seal {
            let ring = KeyRing::get_persistent(KeyRingIdentifier::Process).expect("a keyring");
            let key = ring
                .search(&format!("{}seal", self.prefix))
                .expect("a seal");
            let mut bytes = KeyBytes::default();
            key.read(&mut *bytes).expect("a key of this user");
            Seal::new(&bytes).expect("a key of a seal")
        }

        fn of_kind(&self, kind: &str) -> Vec<(Key, String)> {
            let start = format!("{kind}:");
            let keys = self.all().into_iter();
            keys.filter(|(_, name)| name.starts_with(&start)).collect()
        }

        fn all(&self) -> Vec<(Key, String)> {
            let Ok(ring) = KeyRing::get_persistent(KeyRingIdentifier::Process) else {
                return Vec::new();
            };
            self.in_ring(ring)
        }

        fn in_ring(&self, ring: KeyRing) -> Vec<(Key, String)> {
            let links = ring.get_links(65_536).map(|links| links.to_vec());
            let links = links.unwrap_or_default().into_iter();
            links
                .filter_map(|link| match link {
                    LinkNode::Key(key) => {
                        let metadata = key.metadata().ok()?;
                        let name = metadata.get_description().strip_prefix(&self.prefix)?;
                        Some((key, name.to_owned()))
                    }
                    LinkNode::KeyRing(_) => None,
                })
                .collect()
        }
    }

    fn remove(key: Key) {
        // The quota counts a deleted key until the kernel collects it, but a shorter payload
        // counts immediately.
        let _ = key.update(&"-");
        let _ = key.invalidate();
    }
}

/// Stubs for other systems: the tests compile, and are skipped.
#[cfg(not(target_os = "linux"))]
mod unsupported {
    pub(crate) fn available() -> Result<(), String> {
        Err("only Linux has a kernel keyring".into())
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

        pub(crate) fn lifetimes(&self, _kind: &str) -> Vec<String> {
            Vec::new()
        }

        pub(crate) fn remove_all(&self) {}
    }
}
