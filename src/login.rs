//! What `store` and `login` keep and where it rests: a login for one registry
//! host, for a profile, or for every registry.

pub mod legacy;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;

use crate::PROGRAM;
use crate::credential::BEARER;
use crate::credential::Credential;
use crate::digest;
use crate::error::Error;
use crate::error::Result;
use crate::iam::jwt;
use crate::iam::owner::Owner;
use crate::iam::trusted_profile::TrustedProfile;
use crate::keychain::Backend;
use crate::keychain::Item;
use crate::keychain::Keychain;
use crate::registry::Registry;
use crate::secret::Secret;

/// What a login is for.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum LoginScope {
    /// Every registry that has no login of its own and no profile.
    Default,
    /// The registries of a profile in the settings file.
    Profile(String),
    /// One registry host.
    Registry(Registry),
}

/// Begins the names of items that are no hosts: no host has it in its name.
const NO_HOST: char = '@';

impl LoginScope {
    /// The keychain item's name: the host, `@PROFILE`, or `@` alone.
    pub fn item_name(&self) -> String {
        match self {
            Self::Default => NO_HOST.to_string(),
            Self::Profile(name) => format!("{NO_HOST}{name}"),
            Self::Registry(registry) => registry.host().to_owned(),
        }
    }

    /// Reads what [`LoginScope::item_name`] wrote.
    pub fn of_item(name: &str) -> Option<Self> {
        match name.strip_prefix(NO_HOST) {
            Some("") => Some(Self::Default),
            Some(profile) => Some(Self::Profile(profile.to_owned())),
            None => Registry::parse(name).map(Self::Registry),
        }
    }

    /// The registry, if it is the scope of one.
    pub fn into_registry(self) -> Option<Registry> {
        match self {
            Self::Default | Self::Profile(_) => None,
            Self::Registry(registry) => Some(registry),
        }
    }

    /// Whether it is IBM's own staging, which has an IAM of its own.
    pub fn is_staging(&self) -> bool {
        matches!(self, Self::Registry(registry) if registry.is_staging())
    }

    /// The command that logs in.
    pub fn login_command(&self) -> String {
        self.command("login")
    }

    /// The command that replaces its API key by a new one.
    pub fn rotate_command(&self) -> String {
        self.command("login --rotate")
    }

    /// The command that forgets its login.
    pub fn logout_command(&self) -> String {
        self.command("logout")
    }

    /// Why its login is not replaced unless somebody says so, as the end of a sentence
    /// about it.
    pub fn is_taken_by(&self, login: &Login) -> String {
        format!(
            "the keychain has another login for it (user name {}). Delete that with '{}', or replace it with --force",
            login.username,
            self.logout_command()
        )
    }

    fn command(&self, words: &str) -> String {
        match self {
            Self::Default => format!("{PROGRAM} {words}"),
            Self::Profile(name) => format!("{PROGRAM} {words} --profile {name}"),
            Self::Registry(registry) => format!("{PROGRAM} {words} {registry}"),
        }
    }
}

/// `us.icr.io`, `profile team-a`, `all registries`.
impl LoginScope {
    /// Returns the name of the scope's login in messages.
    pub fn login_title(&self) -> String {
        match self {
            Self::Default => "the default login".into(),
            Self::Profile(name) => format!("the login for profile '{name}'"),
            Self::Registry(registry) => format!("the login for {registry}"),
        }
    }
}

impl std::fmt::Display for LoginScope {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => formatter.write_str("all registries"),
            Self::Profile(name) => write!(formatter, "profile {name}"),
            Self::Registry(registry) => registry.fmt(formatter),
        }
    }
}

/// What a login's user name says about its secret (Registry documentation,
/// `registry_access.md` and `registry_access_trusted_profiles.md`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LoginKind {
    /// `iamapikey`: an API key of a user or a service ID.
    ApiKey,
    /// `iambearer`: an IAM access token, which ends within the hour.
    Bearer,
    /// `Profile-…`: a trusted profile, and a service ID's API key that may assume it.
    Profile,
    /// `iamrefresh`: an IAM refresh token.
    RefreshToken,
    /// `token`: a registry token, which may end.
    RegistryToken,
    /// `cp` and anything else: handed out as it is.
    Verbatim,
}

impl LoginKind {
    /// The kind that a user name says.
    pub fn of(username: &str) -> Self {
        match username {
            "iamapikey" => Self::ApiKey,
            BEARER => Self::Bearer,
            "iamrefresh" => Self::RefreshToken,
            "token" => Self::RegistryToken,
            profile if profile.starts_with("Profile-") => Self::Profile,
            _ => Self::Verbatim,
        }
    }

    /// Whether the secret is exchanged for an access token.
    pub fn is_exchanged(self) -> bool {
        matches!(self, Self::ApiKey | Self::Profile | Self::RefreshToken)
    }
}

/// A stored login. The keychain holds it as one JSON record.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Login {
    /// The version of the record.
    v: u32,
    /// The user name it was stored with.
    pub username: String,
    /// The secret it was stored with, or the refresh token that replaced it.
    #[serde(serialize_with = "Secret::serialize_exposed")]
    pub secret: Secret,
    /// Names the login without giving its secret away, and stays the same when a
    /// refresh token is replaced.
    pub id: String,
    /// The trusted profile to assume on top.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_profile: Option<TrustedProfile>,
    /// Which API key of IAM's the secret is, where this program had it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_key: Option<IssuedKey>,
    /// Whose tokens it leads to, as IAM said when somebody logged in with it. It is
    /// shown and nothing more, so one that cannot be read costs no login.
    #[serde(
        default,
        deserialize_with = "readable",
        skip_serializing_if = "Option::is_none"
    )]
    pub owner: Option<Owner>,
    /// When IAM said that the session whose refresh token this is has ended for good,
    /// in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<u64>,
}

fn readable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Owner>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

/// An API key that this program had IAM make.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct IssuedKey {
    /// IAM's ID of it, `ApiKey-…`.
    pub id: String,
    /// When it ends, in seconds since 1970.
    pub expires_at: Option<u64>,
}

/// A login without its secret: enough to find its token without asking a slow
/// keychain.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Hint {
    /// See [`Login::id`]; `None` when there is no login.
    pub id: Option<String>,
}

const VERSION: u32 = 1;

impl Login {
    /// The login that a client's credential makes.
    pub fn new(credential: Credential) -> Self {
        let Credential { username, secret } = credential;
        Self {
            v: VERSION,
            id: digest::fingerprint(&[&username, secret.expose()]),
            username,
            secret,
            trusted_profile: None,
            issued_key: None,
            owner: None,
            ended_at: None,
        }
    }

    /// The same login with a trusted profile to assume on top: another identity,
    /// so it has another id.
    pub fn assuming(self, profile: TrustedProfile) -> Self {
        let id = profile.id_on_top_of(&self.id);
        Self {
            id,
            trusted_profile: Some(profile),
            ..self
        }
    }

    /// The same login, whose secret is a key that IAM made for us.
    pub fn with_issued_key(self, key: IssuedKey) -> Self {
        Self {
            issued_key: Some(key),
            ..self
        }
    }

    /// The same login with whoever its tokens are of.
    pub fn owned_by(self, owner: Option<Owner>) -> Self {
        Self { owner, ..self }
    }

    /// The same login with what a record of it knows that is not known here.
    pub fn completed_by(self, known: &Self) -> Self {
        if self.id == known.id {
            Self {
                issued_key: self.issued_key.or_else(|| known.issued_key.clone()),
                owner: self.owner.or_else(|| known.owner.clone()),
                ..self
            }
        } else {
            self
        }
    }

    /// What its user name says about its secret.
    pub fn kind(&self) -> LoginKind {
        LoginKind::of(&self.username)
    }

    /// Whether its secret is handed out as it is, and has expired by its own account or is
    /// about to.
    pub fn has_expired(&self, now: u64) -> bool {
        match self.kind() {
            LoginKind::Bearer | LoginKind::RegistryToken => {
                jwt::has_expired(self.secret.expose(), now, jwt::MARGIN)
            }
            _ => false,
        }
    }

    /// The same login with the refresh token that IAM gave in exchange.
    pub fn rotated(self, secret: Secret) -> Self {
        Self {
            secret,
            ended_at: None,
            ..self
        }
    }

    /// The same login, of which IAM said at this time that its session has ended for
    /// good.
    pub fn ended(self, now: u64) -> Self {
        Self {
            ended_at: Some(now),
            ..self
        }
    }

    /// The user name and the secret as they were stored.
    pub fn into_credential(self) -> Credential {
        Credential {
            username: self.username,
            secret: self.secret,
        }
    }
}

/// The logins in a keychain.
#[derive(Debug)]
pub struct Logins<'a> {
    keychain: &'a dyn Keychain,
}

impl<'a> Logins<'a> {
    /// The logins in `keychain`.
    pub fn in_keychain(keychain: &'a dyn Keychain) -> Self {
        Self { keychain }
    }

    /// The login for a scope, if there is one.
    ///
    /// # Errors
    /// The keychain cannot tell, or what it holds is no record of ours.
    pub fn read(&self, scope: &LoginScope) -> Result<Option<Login>> {
        let item = Item::login(&scope.item_name());
        let record = self.keychain.read(&item).map_err(|error| {
            Error::temporary(format!("cannot read the login for {scope}: {error}"))
        })?;
        record.map(|record| parse(scope, &record)).transpose()
    }

    /// Keeps the login for a scope.
    ///
    /// # Errors
    /// The keychain does not take it.
    pub fn write(&self, scope: &LoginScope, login: &Login) -> Result<()> {
        let record = serde_json::to_string(login)
            .map_err(|error| Error::internal(format!("a login is no JSON: {error}")))?;
        self.keychain
            .write(
                &Item::login(&scope.item_name()).with_label(&scope.to_string(), &login.username),
                &Secret::new(record),
                None,
            )
            .map_err(|error| Error::user(format!("cannot store the login for {scope}: {error}")))
    }

    /// Forgets the login for a scope.
    ///
    /// # Errors
    /// The keychain does not let it go.
    pub fn delete(&self, scope: &LoginScope) -> Result<()> {
        self.keychain
            .delete(&Item::login(&scope.item_name()))
            .map_err(|error| {
                Error::temporary(format!("cannot remove the login for {scope}: {error}"))
            })
    }

    /// Returns the keychain that stores the login for a scope; `None` if there is no login.
    ///
    /// # Errors
    /// The keychain cannot tell.
    pub fn backend(&self, scope: &LoginScope) -> Result<Option<Backend>> {
        let item = Item::login(&scope.item_name());
        self.keychain.backend(&item).map_err(|error| {
            Error::temporary(format!("cannot find the login for {scope}: {error}"))
        })
    }

    /// Every scope that has a login, with the user name where that can be told
    /// without the secret.
    ///
    /// # Errors
    /// The keychain cannot tell.
    pub fn list(&self) -> Result<Vec<(LoginScope, Option<String>)>> {
        let logins = self
            .keychain
            .logins()
            .map_err(|error| Error::temporary(format!("cannot list the logins: {error}")))?;
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
            "cannot read the stored login for {scope}: it is damaged, or of a newer version"
        ))
        .with_hint(format!(
            "Delete it with '{}', and log in again",
            scope.logout_command()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keychain::memory::MemoryKeychain;

    fn login(username: &str, secret: &str) -> Login {
        Login::new(Credential {
            username: username.into(),
            secret: Secret::new(secret),
        })
    }

    #[test]
    fn the_user_name_says_what_the_secret_is() {
        for (username, kind) in [
            ("iamapikey", LoginKind::ApiKey),
            ("iambearer", LoginKind::Bearer),
            ("iamrefresh", LoginKind::RefreshToken),
            ("token", LoginKind::RegistryToken),
            ("cp", LoginKind::Verbatim),
            (
                "Profile-8dd84246-7df4-4667-94e4-8ecde51d5ac5",
                LoginKind::Profile,
            ),
            ("profile-x", LoginKind::Verbatim),
            ("IAMAPIKEY", LoginKind::Verbatim),
            ("somebody", LoginKind::Verbatim),
        ] {
            assert_eq!(LoginKind::of(username), kind, "{username}");
        }
    }

    #[test]
    fn a_login_comes_back_as_it_was_stored() {
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
    fn a_rotated_refresh_token_keeps_the_name_of_the_login() {
        let first = login("iamrefresh", "one");
        let second = first.clone().rotated(Secret::new("two"));
        assert_eq!(first.id, second.id);
        assert_ne!(first.secret, second.secret);
        assert_ne!(first.id, login("iamrefresh", "two").id);
        assert_ne!(first.id, login("iamapikey", "one").id);
    }

    #[test]
    fn what_is_known_of_a_login_is_kept_with_it_and_is_no_part_of_its_id() {
        let keychain = MemoryKeychain::default();
        let logins = Logins::in_keychain(&keychain);
        let owner = Owner::of(&Secret::new(crate::iam::jwt::unsigned(
            &serde_json::json!({"iam_id": "IBMid-1", "account": {"bss": "x"}}),
        )));
        assert!(owner.is_some());
        let plain = login("iamapikey", "key");
        let owned = plain.clone().owned_by(owner);
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
        assert_eq!(old.owner, None, "older records say nothing");
    }

    #[test]
    fn a_damaged_or_newer_record_says_how_to_get_rid_of_it() {
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
            let failure = Logins::in_keychain(&keychain)
                .read(&registry)
                .unwrap_err()
                .to_string();
            assert!(
                failure.contains("docker-credential-icr logout us.icr.io"),
                "{failure}"
            );
            assert!(!failure.contains("hunter2"), "{failure}");
        }
    }

    #[test]
    fn a_scope_is_read_back_from_its_item() {
        let registry = Registry::parse("localhost:5000").unwrap();
        for (scope, name) in [
            (LoginScope::Default, "@"),
            (LoginScope::Profile("team-a".into()), "@team-a"),
            (LoginScope::Registry(registry), "localhost:5000"),
        ] {
            assert_eq!(scope.item_name(), name);
            assert_eq!(LoginScope::of_item(name), Some(scope));
        }
        assert_eq!(LoginScope::of_item("no host"), None);
    }

    #[test]
    fn a_profile_on_top_is_another_identity_and_is_kept_with_the_login() {
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
    fn an_owner_that_cannot_be_read_costs_no_login() {
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
