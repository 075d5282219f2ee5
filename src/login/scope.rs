//! The registries that a login is for.

use super::Login;
use crate::PROGRAM;
use crate::error::Error;
use crate::registry::Registry;

/// The registries that a login is for.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum LoginScope {
    /// All registries without a login of their own and without a profile.
    Default,
    /// The registries of a profile in the settings file.
    Profile(String),
    /// One registry.
    Registry(Registry),
}

/// The first character of item names that are no hosts; no host contains it.
const NO_HOST: char = '@';

impl LoginScope {
    /// Returns the name of its keychain item: the host, `@PROFILE`, or `@`.
    pub fn item_name(&self) -> String {
        match self {
            Self::Default => NO_HOST.to_string(),
            Self::Profile(name) => format!("{NO_HOST}{name}"),
            Self::Registry(registry) => registry.host().to_owned(),
        }
    }

    /// Returns the scope with this [`LoginScope::item_name`].
    pub fn of_item(name: &str) -> Option<Self> {
        match name.strip_prefix(NO_HOST) {
            Some("") => Some(Self::Default),
            Some(profile) => Some(Self::Profile(profile.to_owned())),
            None => Registry::parse(name).map(Self::Registry),
        }
    }

    /// Returns the registry of a login for one registry.
    pub fn into_registry(self) -> Option<Registry> {
        match self {
            Self::Default | Self::Profile(_) => None,
            Self::Registry(registry) => Some(registry),
        }
    }

    /// Returns whether it is IBM's internal staging registry, which has an IAM of its own.
    pub fn is_staging(&self) -> bool {
        matches!(self, Self::Registry(registry) if registry.is_staging())
    }

    /// Returns the command that logs in.
    pub fn login_command(&self) -> String {
        self.command("login")
    }

    /// Returns the command that replaces the API key of the login.
    pub fn rotate_command(&self) -> String {
        self.command("login --rotate")
    }

    /// Returns the command that deletes the login.
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

    /// Returns the name of the scope's login in messages.
    pub fn login_title(&self) -> String {
        match self {
            Self::Default => "the default login".into(),
            Self::Profile(name) => format!("the login for profile '{name}'"),
            Self::Registry(registry) => format!("the login for {registry}"),
        }
    }
}

/// Shows the registries: `us.icr.io`, `profile team-a`, `all registries`.
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
    fn a_scope_is_parsed_from_the_name_of_its_item() {
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
