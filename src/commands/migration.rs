//! Moving passwords from clients' files to the keychain. A password is checked before it is
//! removed from the file.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::login::require_keychain;
use super::scopes::listed;
use super::warnings::Warnings;
use crate::PROGRAM;
use crate::client_config::json::AuthEntry;
use crate::client_config::json::AuthKind;
use crate::context::Context;
use crate::credential::Credential;
use crate::credentials::Broker;
use crate::credentials::login_command;
use crate::credentials::with_read_secret;
use crate::environment::Environment;
use crate::error::Error;
use crate::error::Result;
use crate::login::Login;
use crate::login::LoginScope;
use crate::registry::Registry;
use crate::sources::Origin;

/// Passwords that were copied to the keychain, and are not removed from the files yet.
#[derive(Default)]
pub(super) struct Migration {
    moved: BTreeMap<Registry, Moved>,
    stuck: BTreeSet<Registry>,
    /// Why some could not be moved.
    pub(super) errors: Vec<Error>,
}

struct Moved {
    credential: Credential,
    former: Option<Login>,
    /// The files that still hold it.
    remains_in: BTreeSet<String>,
    /// Whether it was removed from a file.
    is_removed: bool,
}

/// A password in a client's file.
pub(super) struct FoundPassword {
    pub(super) file: String,
    pub(super) entry: AuthEntry,
    /// How to remove it from the file without another effect: the end of a sentence.
    pub(super) removal: String,
}

impl Migration {
    /// Copies the passwords to the keychain, one registry after the other.
    pub(super) fn of(
        found: &[FoundPassword],
        broker: &Broker<'_>,
        replaces: bool,
        context: &Context<'_>,
    ) -> Self {
        let mut migration = Self::default();
        let mut by_registry: BTreeMap<&Registry, Vec<&FoundPassword>> = BTreeMap::new();
        for password in found {
            let passwords = by_registry.entry(&password.entry.registry).or_default();
            passwords.push(password);
        }
        for (registry, passwords) in by_registry {
            let _progress = context
                .terminal
                .progress(&format!("Moving the password for {registry}"));
            let logins = passwords.iter().map(|it| (it.file.clone(), &it.entry));
            let outcome = only_credential(registry, &logins.collect::<Vec<_>>())
                .map_err(Immovable::error)
                .and_then(|credential| moved(registry, credential, &passwords, broker, replaces));
            match outcome {
                Ok(mut moved) => {
                    moved.remains_in = passwords.iter().map(|it| it.file.clone()).collect();
                    migration.moved.insert(registry.clone(), moved);
                }
                Err(error) => {
                    migration.stuck.insert(registry.clone());
                    migration.errors.push(error);
                }
            }
        }
        migration
    }

    /// Returns whether passwords of this host could not be moved.
    pub(super) fn is_stuck(&self, host: &str) -> bool {
        self.stuck.iter().any(|registry| registry.host() == host)
    }

    /// Returns whether this password was moved.
    pub(super) fn has(&self, registry: &Registry, credential: &Credential) -> bool {
        let moved = self.moved.get(registry);
        moved.is_some_and(|moved| moved.credential == *credential)
    }

    /// Records that a file no longer holds moved passwords, and that those of these
    /// registries were removed from it.
    pub(super) fn removed_from(&mut self, file: &str, registries: &[Registry]) {
        for (registry, moved) in &mut self.moved {
            moved.remains_in.remove(file);
            moved.is_removed |= registries.contains(registry);
        }
    }

    /// Records that this file may still hold the removed passwords.
    pub(super) fn may_remain_in(&mut self, file: &str) {
        for moved in self.moved.values_mut().filter(|moved| moved.is_removed) {
            moved.remains_in.insert(file.to_owned());
        }
    }

    /// Notes the moved passwords, and warns of files that still hold one.
    pub(super) fn report(&self, warnings: &Warnings<'_>) {
        let is_done = |moved: &Moved| moved.is_removed && moved.remains_in.is_empty();
        let done = self.moved.iter().filter(|(_, moved)| is_done(moved));
        let done: Vec<&Registry> = done.map(|(registry, _)| registry).collect();
        if !done.is_empty() {
            let noun = if done.len() == 1 {
                "password"
            } else {
                "passwords"
            };
            warnings.note(&format!(
                "Moved the {noun} for {} to the keychain (verified)",
                listed(&done)
            ));
        }
        for (registry, moved) in &self.moved {
            if moved.is_removed && !moved.remains_in.is_empty() {
                let files: Vec<&String> = moved.remains_in.iter().collect();
                warnings.warn(format!(
                    "the password for {registry} is in the keychain (verified), but also still in {}. Make {} writable, then run this command again",
                    listed(&files),
                    if files.len() == 1 { "that file" } else { "those files" }
                ));
            }
        }
    }

    /// Restores the former logins for passwords that could not be removed from a file.
    pub(super) fn restore_former_logins(&mut self, broker: &Broker<'_>, warnings: &Warnings<'_>) {
        for (registry, moved) in std::mem::take(&mut self.moved) {
            if moved.is_removed {
                self.moved.insert(registry, moved);
            } else if let Err(error) = restore(&registry, moved.former, broker) {
                warnings.warn(format!("{error}. The new login is still stored"));
            }
        }
    }
}

/// Why a password in a file cannot be moved.
pub(super) struct Immovable {
    /// What was found.
    pub(super) message: String,
    /// What a person can do about it.
    pub(super) fix: String,
}

impl Immovable {
    fn error(self) -> Error {
        Error::user(self.message).with_hint(self.fix)
    }
}

/// Returns the only password for a registry in all files; each entry comes with its file.
///
/// # Errors
/// There are several passwords, or an entry is not a password.
pub(super) fn only_credential(
    registry: &Registry,
    logins: &[(String, &AuthEntry)],
) -> Result<Credential, Immovable> {
    let mut only: Option<&Credential> = None;
    let mut files: Vec<&str> = Vec::new();
    let immovable = |message: String, fix: &str| {
        Err(Immovable {
            message,
            fix: fix.to_owned(),
        })
    };
    for (file, login) in logins {
        if !files.contains(&&**file) {
            files.push(file);
        }
        match (&login.kind, only) {
            (AuthKind::Credential(credential), None) => only = Some(credential),
            (AuthKind::Credential(credential), Some(other)) if credential == other => {}
            (AuthKind::Credential(_), Some(_)) => {
                return immovable(
                    format!(
                        "different passwords for {registry} are stored in {}",
                        listed(&files)
                    ),
                    "Remove the wrong ones, then run this command again",
                );
            }
            (AuthKind::Token, _) => {
                return immovable(
                    format!(
                        "the entry for {} in {file} is a token that only its client can use",
                        login.key
                    ),
                    "Log out with the client that wrote it, then log in again",
                );
            }
            (AuthKind::Unreadable, _) => {
                return immovable(
                    format!(
                        "the entry for {} in {file} is invalid; clients cannot read it either",
                        login.key
                    ),
                    "Remove the entry",
                );
            }
        }
    }
    match only {
        Some(credential) => Ok(credential.clone()),
        None => immovable(format!("no password is stored for {registry}"), "Log in"),
    }
}

/// Stores and checks a password. If that fails, the former login is restored.
fn moved(
    registry: &Registry,
    credential: Credential,
    passwords: &[&FoundPassword],
    broker: &Broker<'_>,
    replaces: bool,
) -> Result<Moved> {
    let not_moved = |error: Error| {
        let text = format!(
            "the password for {registry} was not moved: {}",
            error.text()
        );
        match error.hint() {
            Some(hint) => Error::user(text).with_hint(hint),
            None => Error::user(text),
        }
    };
    require_keychain(broker.settings).map_err(not_moved)?;
    let scope = LoginScope::Registry(registry.clone());
    let former = broker.login(&scope).map_err(not_moved)?;
    let read = with_read_secret(registry, credential.clone());
    let new =
        Login::new(read.map_err(|error| not_moved(useless(registry, passwords, broker, &error)))?);
    if let Some(former) = former
        .as_ref()
        .filter(|former| former.id != new.id && !replaces)
    {
        return Err(not_moved(another_login(former, passwords)));
    }
    // Variables that are set now may be unset later.
    let environment = Environment::default();
    let without_variables = Broker {
        environment: &environment,
        ..*broker
    };
    let outcome = without_variables
        .store(registry, credential.clone(), &broker.login_snapshot())
        .and_then(|_| check(registry, &scope, &new, &without_variables));
    let Err(error) = outcome else {
        return Ok(Moved {
            credential,
            former,
            remains_in: BTreeSet::new(),
            is_removed: false,
        });
    };
    let restored = restore(registry, former, &without_variables);
    let error = if error.is_rejection() {
        useless(registry, passwords, broker, &error)
    } else {
        error
    };
    match restored {
        Ok(()) => Err(not_moved(error)),
        Err(restore_error) => {
            let note = format!(". The former login was not restored: {restore_error}");
            Err(not_moved(error).with_note(&note))
        }
    }
}

/// Returns the error for a password beside another login, which the person may want to keep.
fn another_login(former: &Login, passwords: &[&FoundPassword]) -> Error {
    Error::user(format!(
        "the keychain has another login for it (user name {})",
        former.username
    ))
    .with_hint(format!(
        "To replace that login, use --force. To keep that login, remove the password {}",
        removal(passwords)
    ))
}

/// Returns the error for a password that is no longer valid. Its hint is the whole way to a
/// registry that works, because a new login alone would leave the password in the file.
fn useless(
    registry: &Registry,
    passwords: &[&FoundPassword],
    broker: &Broker<'_>,
    error: &Error,
) -> Error {
    let files: BTreeSet<&str> = passwords.iter().map(|it| &*it.file).collect();
    let files: Vec<&str> = files.into_iter().collect();
    let reason = error.text();
    let text = if error.is_rejection() {
        format!("IAM rejects the password in {} ({reason})", listed(&files))
    } else {
        format!("{} in {}", reason.trim_end_matches('.'), listed(&files))
    };
    let has_source = matches!(
        broker.active_source(registry, &broker.login_snapshot()),
        Ok(Some(_))
    );
    let configure = format!("'{PROGRAM} configure --registry {registry}'");
    let next = if has_source {
        format!("run {configure}")
    } else {
        let login = login_command(registry, broker.settings);
        format!("run '{login}' and {configure}")
    };
    Error::user(text).with_hint(format!("Remove it {}, then {next}", removal(passwords)))
}

/// Returns how to remove the passwords from all files.
fn removal(passwords: &[&FoundPassword]) -> String {
    let removals: BTreeSet<&str> = passwords.iter().map(|it| &*it.removal).collect();
    let removals: Vec<&str> = removals.into_iter().collect();
    listed(&removals)
}

/// Checks that `get` answers with the stored login.
fn check(
    registry: &Registry,
    scope: &LoginScope,
    login: &Login,
    broker: &Broker<'_>,
) -> Result<()> {
    let logins = broker.login_snapshot();
    let stored = logins.read(scope)?;
    if stored.is_none_or(|stored| stored.id != login.id) {
        return Err(
            Error::user("it is an access token that has expired or is not needed")
                .with_hint("Remove it by hand"),
        );
    }
    match broker.active_source(registry, &logins)? {
        Some(active) if active.origin == Origin::Login(scope.clone()) => {
            broker.get(registry).map(drop)
        }
        _ => Err(
            Error::user(format!("another source takes precedence for {registry}"))
                .with_hint(format!("See '{PROGRAM} settings'")),
        ),
    }
}

fn restore(registry: &Registry, former: Option<Login>, broker: &Broker<'_>) -> Result<()> {
    let scope = LoginScope::Registry(registry.clone());
    match former {
        Some(login) => broker.log_in(&scope, login),
        None => broker.log_out(&scope, &broker.login_snapshot()).map(drop),
    }
}
