//! What the program keeps in the kernel keyring, seen and touched from outside.

#[cfg(target_os = "linux")]
pub(crate) use linux::Keys;
#[cfg(target_os = "linux")]
pub(crate) use linux::available;
#[cfg(not(target_os = "linux"))]
pub(crate) use nowhere::Keys;
#[cfg(not(target_os = "linux"))]
pub(crate) use nowhere::available;

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

    /// Whether this process may use the persistent keyring, and why not.
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

        /// What anybody on the machine may see of them, without what they all begin with.
        pub(crate) fn names(&self) -> Vec<String> {
            let keys = self.all().into_iter();
            let names = keys.map(|(_, name)| name);
            names.filter(|name| name != "seal").collect()
        }

        /// Makes every kept token, and every failure in place of one, older by so many seconds.
        pub(crate) fn age_tokens(&self, seconds: i64) {
            let tokens = self.of_kind("token");
            assert!(!tokens.is_empty(), "a token is there to be made older");
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

        /// Changes the record of every login, as another version of the program may have left it.
        pub(crate) fn change_logins(&self, change: impl Fn(&mut Value)) {
            for (key, name) in self.of_kind("login") {
                self.change(key, &name, &change);
            }
        }

        fn change(&self, key: Key, name: &str, change: impl FnOnce(&mut Value)) {
            let description = format!("{}{name}", self.prefix);
            let record = key.read_to_vec().expect("our own key");
            let record = self
                .seal()
                .open(&description, record)
                .expect("our own seal");
            let mut record: Value = serde_json::from_str(record.expose()).expect("a JSON record");
            change(&mut record);
            let record = Secret::new(record.to_string());
            // One record is changed once in a test, so that its nonce is used once.
            let record = self.seal().seal(&description, &record, [1; 12]);
            key.update(&record.expect("a seal")).expect("our own key");
        }

        /// Forgets every kept token, as the kernel does when its time has come.
        pub(crate) fn forget_tokens(&self) {
            for (key, _) in self.of_kind("token") {
                remove(key);
            }
        }

        /// How long the kernel keeps the keys of a kind, as `/proc/keys` tells it: `59m`, `4s`, `perm`.
        pub(crate) fn lifetimes(&self, kind: &str) -> Vec<String> {
            // Only what this thread possesses is listed for certain.
            drop(self.all());
            let listing = std::fs::read_to_string("/proc/keys").expect("a kernel with keys");
            let prefix = format!("{}{kind}:", self.prefix);
            let lines = listing.lines().filter(|line| line.contains(&prefix));
            lines
                .filter_map(|line| line.split_whitespace().nth(3).map(str::to_owned))
                .collect()
        }

        /// Removes them, and gives their room in the user's quota back at once.
        pub(crate) fn remove_all(&self) {
            for (key, _) in self.all() {
                remove(key);
            }
            let Ok(session) = KeyRing::from_special_id(KeyRingIdentifier::Session, false) else {
                return;
            };
            for (key, _) in self.in_ring(session) {
                let _ = session.unlink_key(key);
            }
        }

        /// What the program seals its records with.
        fn seal(&self) -> Seal {
            let ring = KeyRing::get_persistent(KeyRingIdentifier::Process).expect("a keyring");
            let key = ring
                .search(&format!("{}seal", self.prefix))
                .expect("a seal");
            let mut bytes = KeyBytes::default();
            key.read(&mut *bytes).expect("our own key");
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
        // The kernel counts a key until it is collected, but a shortened payload at once.
        let _ = key.update(&"-");
        let _ = key.invalidate();
    }
}

/// So that the tests are understood, and skipped, on other systems.
#[cfg(not(target_os = "linux"))]
mod nowhere {
    pub(crate) fn available() -> Result<(), String> {
        Err("only Linux has one".into())
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

        pub(crate) fn forget_tokens(&self) {}

        pub(crate) fn lifetimes(&self, _kind: &str) -> Vec<String> {
            Vec::new()
        }

        pub(crate) fn remove_all(&self) {}
    }
}
