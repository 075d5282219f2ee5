//! The logins in a keychain.

use super::Login;
use super::LoginScope;
use super::VERSION;
use crate::error::Error;
use crate::error::Result;
use crate::keychain::Backend;
use crate::keychain::Item;
use crate::keychain::Keychain;
use crate::keychain::KeychainError;
use crate::secret::Secret;

/// The logins in a keychain.
#[derive(Debug)]
pub struct Logins<'a> {
    keychain: &'a dyn Keychain,
}

impl<'a> Logins<'a> {
    /// Returns the logins in `keychain`.
    pub fn in_keychain(keychain: &'a dyn Keychain) -> Self {
        Self { keychain }
    }

    /// Returns the login for a scope; `None` if it is not stored.
    ///
    /// # Errors
    /// The keychain cannot be read, or the record is invalid.
    pub fn read(&self, scope: &LoginScope) -> Result<Option<Login>> {
        let item = Item::login(&scope.item_name());
        let record = self.keychain.read(&item);
        let record = record.map_err(|error| {
            let operation = format!("cannot read {}", scope.login_title());
            match error {
                KeychainError::Undecryptable(..) => {
                    Error::user(format!("{operation}: {error}")).with_hint(format!(
                        "If it was stored on another machine, or the machine's key has changed, delete it with '{}', and log in again",
                        scope.logout_command()
                    ))
                }
                error => error.into_error(&operation, Error::temporary),
            }
        })?;
        record.map(|record| parse(scope, &record)).transpose()
    }

    /// Returns the record of the login for a scope as it is stored, also one of a newer version.
    ///
    /// # Errors
    /// The keychain cannot be read.
    pub fn record(&self, scope: &LoginScope) -> Result<Option<Secret>, KeychainError> {
        self.keychain.read(&Item::login(&scope.item_name()))
    }

    /// Stores a [`Logins::record`] of another keychain.
    ///
    /// # Errors
    /// The keychain cannot be written.
    pub fn write_record(&self, scope: &LoginScope, record: &Secret) -> Result<(), KeychainError> {
        let username = parse(scope, record).map(|login| login.username);
        let username = username.unwrap_or_else(|_| "unknown".into());
        let item = Item::login(&scope.item_name()).with_label(&scope.to_string(), &username);
        self.keychain.write(&item, record, None)
    }

    /// Stores the login for a scope.
    ///
    /// # Errors
    /// The keychain cannot be written. A person has to act then, because the login would be lost. A
    /// keychain that cannot be read may be locked for a moment, so that error is temporary.
    pub fn write(&self, scope: &LoginScope, login: &Login) -> Result<()> {
        let record = serde_json::to_string(login)
            .map_err(|error| Error::internal(format!("cannot serialize a login: {error}")))?;
        self.keychain
            .write(
                &Item::login(&scope.item_name()).with_label(&scope.to_string(), &login.username),
                &Secret::new(record),
                None,
            )
            .map_err(|error| {
                error.into_error(
                    &format!("cannot store {}", scope.login_title()),
                    Error::user,
                )
            })
    }

    /// Deletes the login for a scope.
    ///
    /// # Errors
    /// The keychain cannot delete it.
    pub fn delete(&self, scope: &LoginScope) -> Result<()> {
        self.keychain
            .delete(&Item::login(&scope.item_name()))
            .map_err(|error| {
                error.into_error(
                    &format!("cannot delete {}", scope.login_title()),
                    Error::temporary,
                )
            })
    }

    /// Returns the keychain that stores the login for a scope; `None` if there is no login.
    ///
    /// # Errors
    /// The keychain cannot be read.
    pub fn backend(&self, scope: &LoginScope) -> Result<Option<Backend>> {
        let item = Item::login(&scope.item_name());
        self.keychain.backend(&item).map_err(|error| {
            error.into_error(
                &format!("cannot find {}", scope.login_title()),
                Error::temporary,
            )
        })
    }

    /// Returns the scopes with a login, and the user name if the keychain stores it outside of
    /// the secret.
    ///
    /// # Errors
    /// The keychain cannot be read.
    pub fn list(&self) -> Result<Vec<(LoginScope, Option<String>)>> {
        let logins = self
            .keychain
            .logins()
            .map_err(|error| error.into_error("cannot list the logins", Error::temporary))?;
        Ok(logins
            .into_iter()
            .filter_map(|login| Some((LoginScope::of_item(&login.name)?, login.username)))
            .collect())
    }
}

fn parse(scope: &LoginScope, record: &Secret) -> Result<Login> {
    match serde_json::from_str::<Login>(record.expose()) {
        Ok(login) if login.v == VERSION => Ok(login),
        _ => Err(Error::user(format!(
            "cannot read {}: it is damaged, or of a newer version",
            scope.login_title()
        ))
        .with_hint(format!(
            "Delete it with '{}', and log in again",
            scope.logout_command()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::login;
    use super::*;
    use crate::iam::owner::Owner;
    use crate::iam::trusted_profile::TrustedProfile;
    use crate::keychain::memory::MemoryKeychain;
    use crate::registry::Registry;

    #[test]
    fn a_login_is_read_as_it_was_stored() {
        let keychain = MemoryKeychain::default();
        let logins = Logins::in_keychain(&keychain);
        let registry = LoginScope::Registry(Registry::parse("us.icr.io").unwrap());
        let stored = login("iamapikey", "a\"b\\c\n🦀");
        logins.write(&registry, &stored).unwrap();
        assert_eq!(logins.read(&registry), Ok(Some(stored)));
        assert_eq!(logins.list(), Ok(vec![(registry.clone(), None)]));
        logins.delete(&registry).unwrap();
        assert_eq!(logins.read(&registry), Ok(None));
    }

    #[test]
    fn the_owner_of_a_login_is_stored_with_it_and_is_no_part_of_its_id() {
        let keychain = MemoryKeychain::default();
        let logins = Logins::in_keychain(&keychain);
        let owner = Owner::of(&Secret::new(crate::iam::jwt::unsigned(
            &serde_json::json!({"iam_id": "IBMid-1", "account": {"bss": "x"}}),
        )));
        assert!(owner.is_some());
        let plain = login("iamapikey", "key");
        let owned = plain.clone().with_owner(owner);
        assert_eq!(plain.id, owned.id);
        logins.write(&LoginScope::Default, &owned).unwrap();
        assert_eq!(logins.read(&LoginScope::Default), Ok(Some(owned.clone())));
        assert_eq!(plain.completed_by(&owned), owned);
        let other = login("iamapikey", "another key");
        assert_eq!(other.clone().completed_by(&owned), other);
        let record = r#"{"v":1,"username":"u","secret":"s","id":"i"}"#;
        let item = Item::login("us.icr.io");
        keychain.write(&item, &Secret::new(record), None).unwrap();
        let scope = LoginScope::of_item("us.icr.io").unwrap();
        let old = logins.read(&scope).unwrap().unwrap();
        assert_eq!(old.owner, None, "older records have no owner");
    }

    #[test]
    fn the_error_for_a_damaged_or_newer_record_says_how_to_delete_it() {
        let keychain = MemoryKeychain::default();
        let registry = LoginScope::Registry(Registry::parse("us.icr.io").unwrap());
        for record in [
            "",
            "{",
            "null",
            r#"{"v":2,"username":"u","secret":"hunter2","id":"i"}"#,
            r#"{"v":1,"username":"u","secret":7,"id":"i"}"#,
        ] {
            keychain
                .write(&Item::login("us.icr.io"), &Secret::new(record), None)
                .unwrap();
            let error = Logins::in_keychain(&keychain)
                .read(&registry)
                .unwrap_err()
                .to_string();
            assert!(
                error.contains("docker-credential-icr logout us.icr.io"),
                "{error}"
            );
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_login_with_a_trusted_profile_is_another_identity() {
        let keychain = MemoryKeychain::default();
        let logins = Logins::in_keychain(&keychain);
        let own = login("iamapikey", "key");
        let assuming = own
            .clone()
            .assuming(TrustedProfile::parse("Profile-1").unwrap());
        assert_ne!(own.id, assuming.id);
        logins.write(&LoginScope::Default, &assuming).unwrap();
        assert_eq!(logins.read(&LoginScope::Default), Ok(Some(assuming)));
    }

    #[test]
    fn a_login_with_an_invalid_owner_can_be_used() {
        let stored = serde_json::to_value(login("iamapikey", "key")).unwrap();
        for owner in [
            serde_json::json!({"kind": "robot", "iam_id": "iam-1"}),
            serde_json::json!({"kind": "user"}),
            serde_json::json!("me"),
            serde_json::Value::Null,
        ] {
            let mut record = stored.clone();
            record["owner"] = owner;
            let record = Secret::new(record.to_string());
            let read = parse(&LoginScope::Default, &record).unwrap();
            assert_eq!((&*read.username, read.owner), ("iamapikey", None));
        }
    }
}
