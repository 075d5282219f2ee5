//! What a login is for: one registry, a profile, or all other registries.

use super::Login;
use crate::PROGRAM;
use crate::error::Error;
use crate::registry::Registry;

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

    /// Returns the error for a login that would replace this one without `--force`.
    pub fn conflict(&self, login: &Login) -> Error {
        Error::user(format!(
            "the keychain has another login for {self} (user name {})",
            login.username
        ))
        .with_hint(format!(
            "Delete it with '{}', or replace it with --force",
            self.logout_command()
        ))
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
