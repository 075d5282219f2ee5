//! The settings files and the environment, made into one value. Nothing here
//! knows a network or a keychain.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use crate::PROGRAM;
use crate::environment;
use crate::environment::Environment;
use crate::error::Error;
use crate::error::Result;
use crate::http::Limits;
use crate::iam::endpoint::Endpoint;
use crate::registry;
use crate::registry::Registry;
use crate::text::repeatable::quoted;

mod choice;
mod document;
mod file;
mod keychain_choice;
mod name;
mod profile;
#[cfg(test)]
mod tests;
mod variables;

pub use choice::Choice;
use file::Mapping;
pub use keychain_choice::KeychainChoice;
use name::hint;
pub use profile::CredentialKind;
pub use profile::Profile;
pub use profile::SourceName;

/// Everything that may be chosen, with what holds when nothing is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Where secrets rest.
    pub keychain: KeychainChoice,
    /// Registries beyond those this program knows.
    pub registries: Vec<Registry>,
    /// Separates sets of stored items from each other; `default` unless named.
    pub namespace: String,
    /// How long IAM may take.
    pub limits: Limits,
    /// Whether a token that has passed half its life is replaced in the
    /// background; true unless set.
    pub background_refresh: bool,
    /// Whether `./ibm-credentials.env` may say who we are; false unless set,
    /// because a repository must not choose whose credentials are used.
    pub working_directory_credentials: bool,
    iam_endpoint: Option<Endpoint>,
    source: Option<SourceName>,
    chosen_profile: Option<String>,
    profiles: BTreeMap<String, Profile>,
    mappings: BTreeMap<Registry, Mapping>,
    origins: BTreeMap<String, DefinedIn>,
    files: Vec<SettingsFile>,
}

/// Where a value comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DefinedIn {
    /// Nobody chose it.
    Default,
    /// A settings file.
    File(PathBuf),
    /// An environment variable.
    Variable(&'static str),
}

/// A place where settings may be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SettingsFile {
    /// The path.
    pub path: PathBuf,
    /// Whether there was a file.
    pub exists: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            keychain: KeychainChoice::default(),
            registries: Vec::new(),
            namespace: "default".into(),
            limits: Limits::default(),
            background_refresh: true,
            working_directory_credentials: false,
            iam_endpoint: None,
            source: None,
            chosen_profile: None,
            profiles: BTreeMap::new(),
            mappings: BTreeMap::new(),
            origins: BTreeMap::new(),
            files: Vec::new(),
        }
    }
}

impl Settings {
    /// Reads the settings files that there are, and what the environment says on
    /// top of them.
    ///
    /// `config_directory` is the user's (`~/.config` on Linux), `system_directory`
    /// everybody's (`/etc`); the user's file wins key by key, and a profile or a
    /// registry's table as a whole. `ICR_CONFIG` names the only file to read.
    ///
    /// # Errors
    /// A file cannot be read or understood, somebody else can write to it,
    /// `ICR_CONFIG` names one that does not exist, or a value is not a possible one.
    pub fn load(
        environment: &Environment,
        config_directory: Option<&Path>,
        system_directory: Option<&Path>,
    ) -> Result<Self> {
        let mut settings = Self::default();
        match environment.text(environment::CONFIG)? {
            Some(path) => settings.read(Path::new(path), environment)?,
            None => {
                for directory in [system_directory, config_directory].into_iter().flatten() {
                    let path = directory.join(PROGRAM).join("config.toml");
                    settings.read_if_there(path, environment)?;
                }
            }
        }
        settings.take_environment(environment)?;
        settings.check_mappings()?;
        Ok(settings)
    }

    /// Every registry that somebody may be logged in to: IBM's and further ones.
    pub fn all_registries(&self) -> impl Iterator<Item = Registry> {
        registry::all().chain(self.registries.iter().cloned())
    }

    /// The profile of this name.
    pub fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.get(name)
    }

    /// The profile that a person named.
    ///
    /// # Errors
    /// There is none of this name; the nearest is told.
    pub fn profile_called(&self, name: &str) -> Result<&Profile> {
        self.profile(name).ok_or_else(|| {
            let known: Vec<&str> = self.profile_names().collect();
            let hint = name::hint(name, &known);
            let name = quoted(name);
            Error::user(format!(
                "the settings have no profile with the name {name}: {hint}; a profile is a table [profile.NAME] in the settings file"
            ))
        })
    }

    /// All profiles, sorted by their names.
    pub fn profiles(&self) -> impl Iterator<Item = &Profile> {
        self.profiles.values()
    }

    /// The names of all profiles, sorted.
    pub fn profile_names(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    /// The profile that `ICR_PROFILE` chooses for every registry.
    pub fn chosen_profile(&self) -> Option<&Profile> {
        self.profile(self.chosen_profile.as_deref()?)
    }

    /// The source that `ICR_SOURCE` forces.
    pub fn forced_source(&self) -> Option<SourceName> {
        self.source
    }

    /// The IAM that the environment names.
    pub fn iam_endpoint(&self) -> Option<&Endpoint> {
        self.iam_endpoint.as_ref()
    }

    /// The registries that have a table, with the profile that it names.
    pub fn mapped_registries(&self) -> impl Iterator<Item = (&Registry, Option<&str>)> {
        self.mappings.iter().map(|(registry, mapping)| {
            let profile = mapping.profile.as_ref();
            (registry, profile.map(|(name, _)| name.as_str()))
        })
    }

    /// Where a value comes from. Keys are those of the file, `profile.NAME`,
    /// `registry.HOST` and `registries.HOST`; and `profile`, `source` and
    /// `iam-endpoint`, which the environment alone can set.
    pub fn origin(&self, key: &str) -> &DefinedIn {
        self.origins.get(key).unwrap_or(&DefinedIn::Default)
    }

    /// The files that were looked for, the weakest first.
    pub fn files(&self) -> &[SettingsFile] {
        &self.files
    }

    fn known_profile(&self, name: &str) -> Result<String, String> {
        if self.profiles.contains_key(name) {
            return Ok(name.to_owned());
        }
        let names: Vec<&str> = self.profile_names().collect();
        Err(format!(
            "is {}, which is no profile of the settings file; {}",
            quoted(name),
            hint(name, &names)
        ))
    }

    /// Possible only when all files were read: one may name what another has.
    fn check_mappings(&self) -> Result<()> {
        for (registry, mapping) in &self.mappings {
            if Registry::at(registry.host(), &self.registries).is_none() {
                return Err(mapping.place.wrong(&format!(
                    "{registry} is not a registry of IBM Cloud; if it is yours, name it in `registries`, too"
                )));
            }
            if let Some((name, place)) = &mapping.profile {
                self.known_profile(name)
                    .map_err(|reason| place.wrong(&format!("profile {reason}")))?;
            }
        }
        Ok(())
    }
}
