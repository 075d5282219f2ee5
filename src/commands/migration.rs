//! Moving passwords out of clients' files: into the keychain, tried, and only then
//! out of the file.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::scopes::listed;
use super::warnings::Warnings;
use crate::PROGRAM;
use crate::client_config::json::AuthEntry;
use crate::client_config::json::AuthKind;
use crate::context::Context;
use crate::credential::Credential;
use crate::credentials::Broker;
use crate::environment::Environment;
use crate::error::Error;
use crate::error::Result;
use crate::login::Login;
use crate::login::LoginScope;
use crate::registry::Registry;
use crate::settings::KeychainChoice;
use crate::sources::Origin;

/// Passwords that were moved into the keychain, and not yet out of the files.
#[derive(Default)]
pub(super) struct Migration {
    moved: BTreeMap<Registry, Moved>,
    stuck: BTreeSet<Registry>,
    /// Why some could not be moved.
    pub(super) failures: Vec<String>,
}

struct Moved {
    credential: Credential,
    former: Option<Login>,
    /// The files that it is still in.
    lies_in: BTreeSet<String>,
    /// Whether it was taken out of one.
    is_out: bool,
}

impl Migration {
    /// Moves the passwords that were found, those of one registry at once.
    pub(super) fn of(
        found: &[(String, AuthEntry)],
        broker: &Broker<'_>,
        replaces: bool,
        context: &Context<'_>,
    ) -> Self {
        let mut migration = Self::default();
        let mut by_registry: BTreeMap<&Registry, Vec<(String, &AuthEntry)>> = BTreeMap::new();
        for (file, login) in found {
            let logins = by_registry.entry(&login.registry).or_default();
            logins.push((file.clone(), login));
        }
        for (registry, logins) in by_registry {
            let _progress = context
                .terminal
                .progress(&format!("Moving the password for {registry}"));
            let outcome = only_credential(registry, &logins)
                .map_err(Immovable::failure)
                .and_then(|credential| moved(registry, credential, broker, replaces));
            match outcome {
                Ok(mut moved) => {
                    moved.lies_in = logins.iter().map(|(file, _)| file.clone()).collect();
                    migration.moved.insert(registry.clone(), moved);
                }
                Err(failure) => {
                    migration.stuck.insert(registry.clone());
                    migration.failures.push(failure.to_string());
                }
            }
        }
        migration
    }

    /// Whether passwords of this registry are still needed where they are.
    pub(super) fn is_stuck(&self, host: &str) -> bool {
        self.stuck.iter().any(|registry| registry.host() == host)
    }

    /// Whether this password was moved.
    pub(super) fn has(&self, registry: &Registry, credential: &Credential) -> bool {
        let moved = self.moved.get(registry);
        moved.is_some_and(|moved| moved.credential == *credential)
    }

    /// Notes that a file no longer holds anything that was moved, and that the
    /// passwords of these registries were taken out of it.
    pub(super) fn is_out_of(&mut self, file: &str, registries: &[Registry]) {
        for (registry, moved) in &mut self.moved {
            moved.lies_in.remove(file);
            moved.is_out |= registries.contains(registry);
        }
    }

    /// Notes that the passwords that were taken out of files may still lie in this one.
    pub(super) fn may_lie_in(&mut self, file: &str) {
        for moved in self.moved.values_mut().filter(|moved| moved.is_out) {
            moved.lies_in.insert(file.to_owned());
        }
    }

    /// Tells what is in the keychain now: nothing of it lies in a file any more, or
    /// it still does, where one could not be changed.
    pub(super) fn tell(&self, warnings: &Warnings<'_>) {
        let is_done = |moved: &Moved| moved.is_out && moved.lies_in.is_empty();
        let done = self.moved.iter().filter(|(_, moved)| is_done(moved));
        let done: Vec<&Registry> = done.map(|(registry, _)| registry).collect();
        if !done.is_empty() {
            warnings.note(&format!(
                "In the keychain now, tried, and out of the files: the login for {}.",
                listed(&done)
            ));
        }
        for (registry, moved) in &self.moved {
            if moved.is_out && !moved.lies_in.is_empty() {
                let files: Vec<&String> = moved.lies_in.iter().collect();
                warnings.warn(format!(
                    "the login for {registry} is in the keychain now, and tried, but it still lies in {}; run this again once that can be changed",
                    listed(&files)
                ));
            }
        }
    }

    /// Puts the keychain back as it was for passwords that are still in a file.
    pub(super) fn take_back(&mut self, broker: &Broker<'_>, warnings: &Warnings<'_>) {
        for (registry, moved) in std::mem::take(&mut self.moved) {
            if moved.is_out {
                self.moved.insert(registry, moved);
            } else if let Err(failure) = restore(&registry, moved.former, broker) {
                warnings.warn(format!(
                    "{failure}; the login that was just stored is still there"
                ));
            }
        }
    }
}

/// Why what lies in files for a registry cannot be moved.
pub(super) struct Immovable {
    /// What lies there.
    pub(super) seen: String,
    /// What a person can do about it.
    pub(super) mend: String,
}

impl Immovable {
    fn failure(self) -> Error {
        Error::user(format!("{}; {}", self.seen, self.mend))
    }
}

/// The one password of a registry, whatever files it lies in; each login is given
/// with its file.
///
/// # Errors
/// There are several, or something else than a password.
pub(super) fn only_credential(
    registry: &Registry,
    logins: &[(String, &AuthEntry)],
) -> Result<Credential, Immovable> {
    let mut only: Option<&Credential> = None;
    let mut files: Vec<&str> = Vec::new();
    let immovable = |seen: String, mend: &str| {
        Err(Immovable {
            seen,
            mend: mend.to_owned(),
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
                        "there are different passwords for {registry} in {}",
                        listed(&files)
                    ),
                    "take out those that are not meant, then run it again",
                );
            }
            (AuthKind::Token, _) => {
                return immovable(
                    format!(
                        "what lies for `{}` in {file} is a token of the registry's own, which nobody else can use",
                        login.key
                    ),
                    "log out with the client that wrote it, and log in again",
                );
            }
            (AuthKind::Unreadable, _) => {
                return immovable(
                    format!(
                        "what lies for `{}` in {file} cannot be read, by no client either",
                        login.key
                    ),
                    "take it out",
                );
            }
        }
    }
    match only {
        Some(credential) => Ok(credential.clone()),
        None => immovable(format!("there is no password for {registry}"), "log in"),
    }
}

/// Stores a password and has it tried; whatever fails, the keychain is as before.
fn moved(
    registry: &Registry,
    credential: Credential,
    broker: &Broker<'_>,
    replaces: bool,
) -> Result<Moved> {
    let stays = |reason: &str| {
        Error::user(format!(
            "the password for {registry} stays where it is: {reason}"
        ))
    };
    if broker.settings.keychain == KeychainChoice::None {
        return Err(stays("the settings choose no keychain (`none`)"));
    }
    let scope = LoginScope::Registry(registry.clone());
    let former = broker
        .login(&scope)
        .map_err(|failure| stays(&failure.to_string()))?;
    let new = Login::new(credential.clone());
    if let Some(former) = former
        .as_ref()
        .filter(|former| former.id != new.id && !replaces)
    {
        return Err(stays(&scope.is_taken_by(former)));
    }
    // What is in the environment now is not there for ever.
    let environment = Environment::default();
    let broker = Broker {
        environment: &environment,
        ..*broker
    };
    let outcome = broker
        .store(registry, credential.clone())
        .and_then(|_| tried(registry, &scope, &new, &broker));
    match outcome {
        Ok(()) => Ok(Moved {
            credential,
            former,
            lies_in: BTreeSet::new(),
            is_out: false,
        }),
        Err(failure) => {
            let kept = restore(registry, former, &broker);
            let lost = kept.err().map(|failure| format!("; {failure}"));
            Err(stays(&format!("{failure}{}", lost.unwrap_or_default())))
        }
    }
}

/// Whether `get` answers with what was just stored.
fn tried(
    registry: &Registry,
    scope: &LoginScope,
    login: &Login,
    broker: &Broker<'_>,
) -> Result<()> {
    let stored = broker.login(scope)?;
    if stored.is_none_or(|stored| stored.id != login.id) {
        return Err(Error::user(
            "it is an access token that has ended or that is not needed; take it out by hand",
        ));
    }
    match broker.origin(registry)? {
        Some(Origin::Login(speaker)) if speaker == *scope => broker.get(registry).map(drop),
        _ => Err(Error::user(format!(
            "the settings let somebody else speak for {registry}, see `{PROGRAM} settings`"
        ))),
    }
}

fn restore(registry: &Registry, former: Option<Login>, broker: &Broker<'_>) -> Result<()> {
    let scope = LoginScope::Registry(registry.clone());
    match former {
        Some(login) => broker.log_in(&scope, login),
        None => broker.log_out(&scope).map(drop),
    }
}
