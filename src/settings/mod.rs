//! The settings: defaults, settings files and environment variables as one value.
//! This module uses no network and no keychain.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use crate::PROGRAM;
use crate::environment;
use crate::environment::Environment;
use crate::error::Error;
use crate::error::Result;
use crate::http::Limits;
use crate::http::proxy::Proxies;
use crate::http::proxy::Proxy;
use crate::iam::endpoint::Endpoint;
use crate::registry;
use crate::registry::Registry;
use crate::registry::intended;
use crate::text::repeatable::is_name;
use crate::text::repeatable::quoted_name;

mod deserializer;
mod document;
mod endpoint_variables;
mod file;
mod invalid;
mod keychain_choice;
mod login_place;
mod name;
mod profile;
mod resolved;
mod service_accounts;
mod source_selection;
mod system_files;
#[cfg(test)]
mod tests;
mod variables;

use file::Mapping;
use invalid::Invalid;
pub use keychain_choice::KeychainChoice;
use name::is_plain;
use name::suggestion;
pub use profile::CredentialKind;
pub use profile::Profile;
pub use profile::SourceName;
pub use resolved::ResolvedSettings;
pub use service_accounts::ServiceAccountFallback;
pub use service_accounts::ServiceAccounts;
pub use source_selection::SourceSelection;

/// The name of a settings file in the directory of this program.
const FILE_NAME: &str = "config.toml";

/// All settings.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// The keychain for logins and cached tokens.
    pub keychain: KeychainChoice,
    /// Registries besides the built-in ones.
    pub registries: Vec<Registry>,
    /// The name that separates stored items from those of other namespaces; by default
    /// `default`.
    pub namespace: String,
    /// The timeouts of requests, and the deadline of `get`.
    pub limits: Limits,
    /// Whether a token is refreshed in the background after half its life; by default
    /// true.
    pub background_refresh: bool,
    /// Whether `./ibm-credentials.env` is read; by default false, because a repository
    /// must not choose the identity.
    pub working_directory_credentials: bool,
    /// How service accounts of Kubernetes get credentials.
    pub service_accounts: ServiceAccounts,
    /// The proxies of the environment and of the settings.
    pub proxies: Proxies,
    proxy: Option<Proxy>,
    no_proxy: Option<String>,
    iam_endpoint: Option<Endpoint>,
    /// The endpoint that the variables of IBM's Terraform provider select; not for staging.
    production_iam_endpoint: Option<Endpoint>,
    /// The endpoint of `private-endpoints`.
    private_iam: Endpoint,
    source: Option<SourceSelection>,
    selected_profile: Option<String>,
    profiles: BTreeMap<String, Profile>,
    mappings: BTreeMap<Registry, Mapping>,
    /// The tables of namespaces, which only the kubelet names.
    namespaces: BTreeMap<Registry, BTreeMap<String, Mapping>>,
    origins: BTreeMap<String, DefinedIn>,
    files: Vec<SettingsFile>,
}

/// The place where a value is set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DefinedIn {
    /// It is not set: the default.
    Default,
    /// A settings file.
    File(PathBuf),
    /// An environment variable.
    Variable(&'static str),
}

/// The path of a settings file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SettingsFile {
    /// The path.
    pub path: PathBuf,
    /// Whether the file exists.
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
            service_accounts: ServiceAccounts::default(),
            proxies: Proxies::NONE,
            proxy: None,
            no_proxy: None,
            iam_endpoint: None,
            production_iam_endpoint: None,
            private_iam: Endpoint::private(),
            source: None,
            selected_profile: None,
            profiles: BTreeMap::new(),
            mappings: BTreeMap::new(),
            namespaces: BTreeMap::new(),
            origins: BTreeMap::new(),
            files: Vec::new(),
        }
    }
}

/// The device that stands for an empty file in `ICR_CONFIG`, as in the variables of git.
const NULL_DEVICE: &str = "/dev/null";

impl Settings {
    /// Reads the settings files and the environment variables.
    ///
    /// `config_directory` is the user's (`~/.config` on Linux), `system_directory` the
    /// machine's (`/etc`). Variables take precedence over the user's file, and that over
    /// the system's, of which the last one in `config.d` takes precedence: key by key, but a
    /// profile or a registry's table as a whole. If `ICR_CONFIG` names a file, no other is read.
    ///
    /// # Errors
    /// A file cannot be read or is invalid, another user can write to it, `ICR_CONFIG`
    /// names a file that does not exist, or a variable is invalid.
    pub fn load(
        environment: &Environment,
        config_directory: Option<&Path>,
        system_directory: Option<&Path>,
    ) -> Result<Self> {
        let mut settings = Self::default();
        match environment.value(environment::CONFIG)? {
            Some(NULL_DEVICE) => settings.files.push(SettingsFile {
                path: NULL_DEVICE.into(),
                exists: true,
            }),
            Some(path) => settings
                .apply_file(Path::new(path), environment)
                .map_err(|error| error.with_default_hint("ICR_CONFIG selects this file"))?,
            None => {
                if let Some(directory) = system_directory {
                    settings.apply_system_files(directory, environment)?;
                }
                if let Some(directory) = config_directory {
                    let path = directory.join(PROGRAM).join(FILE_NAME);
                    settings.apply_file_if_present(path, environment)?;
                }
            }
        }
        settings.apply_variables(environment)?;
        settings.check_mappings()?;
        Ok(settings)
    }

    /// Returns the built-in registries and those of the settings.
    pub fn all_registries(&self) -> impl Iterator<Item = Registry> {
        registry::all().chain(self.registries.iter().cloned())
    }

    /// Returns the profile with this name.
    pub fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.get(name)
    }

    /// Returns the profile that a person named.
    ///
    /// # Errors
    /// The settings have no such profile; the hint has the closest name.
    pub fn require_profile(&self, name: &str) -> Result<&Profile> {
        self.profile(name).ok_or_else(|| {
            Error::user(format!(
                "the settings have no profile {}",
                quoted_name(name)
            ))
            .with_hint(self.profile_hint(name))
        })
    }

    /// Returns all profiles, sorted by their names.
    pub fn profiles(&self) -> impl Iterator<Item = &Profile> {
        self.profiles.values()
    }

    /// Returns the names of all profiles, sorted.
    pub fn profile_names(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    /// Returns the profile that `ICR_PROFILE` selects for all registries.
    pub fn selected_profile(&self) -> Option<&Profile> {
        self.profile(self.selected_profile.as_deref()?)
    }

    /// Returns what `ICR_SOURCE` selects for all registries.
    pub fn selected_source(&self) -> Option<SourceSelection> {
        self.source
    }

    /// Returns the IAM endpoint that the environment selects.
    pub fn iam_endpoint(&self) -> Option<&Endpoint> {
        let production = self.production_iam_endpoint.as_ref();
        self.iam_endpoint.as_ref().or(production)
    }

    /// Returns the proxy of the environment or the files, without user name and password.
    pub fn proxy(&self) -> Option<&str> {
        let (_, proxy) = self.proxies.configured()?;
        Some(&proxy.ok()?.url)
    }

    /// Returns the hosts that need no proxy, of the environment or the files.
    pub fn no_proxy(&self) -> Option<&str> {
        self.no_proxy.as_deref()
    }

    /// Returns the registries that have a table, with the profile that it selects.
    pub fn mapped_registries(&self) -> impl Iterator<Item = (&Registry, Option<&str>)> {
        let mappings = self.mappings.iter();
        mappings.map(|(registry, mapping)| (registry, mapping.profile_name()))
    }

    /// Returns the registries' namespaces that have a table, with the profile that it selects.
    pub fn mapped_namespaces(&self) -> impl Iterator<Item = (&Registry, &str, Option<&str>)> {
        self.namespaces.iter().flat_map(|(registry, mappings)| {
            let mappings = mappings.iter();
            mappings.map(move |(name, mapping)| (registry, &**name, mapping.profile_name()))
        })
    }

    /// Returns where a value is set. Keys are those of the file, `profile.NAME`,
    /// `registry.HOST` and `registries.HOST`; and `profile`, `source` and
    /// `iam-endpoint`, which only variables can set.
    pub fn origin(&self, key: &str) -> &DefinedIn {
        self.origins.get(key).unwrap_or(&DefinedIn::Default)
    }

    /// Returns the paths of the settings files; later ones take precedence.
    pub fn files(&self) -> &[SettingsFile] {
        &self.files
    }

    /// Sets a value, if there is one, and where it is set.
    fn override_with<T>(
        &mut self,
        key: &str,
        defined_in: DefinedIn,
        value: Option<T>,
        set: impl FnOnce(&mut Self, T),
    ) {
        if let Some(value) = value {
            set(self, value);
            self.origins.insert(key.to_owned(), defined_in);
        }
    }

    fn known_profile(&self, name: &str) -> Result<String, Invalid> {
        if self.profiles.contains_key(name) {
            return Ok(name.to_owned());
        }
        let reason = format!("is {}, but no profile has this name", quoted_name(name));
        Err(Invalid::new(reason).with_hint(self.profile_hint(name)))
    }

    fn profile_hint(&self, name: &str) -> String {
        let names: Vec<&str> = self.profile_names().collect();
        if names.is_empty() {
            let key = match name {
                _ if !is_name(name) || !is_plain(name) => "NAME".to_owned(),
                _ if name.contains('.') => format!("\"{name}\""),
                _ => name.to_owned(),
            };
            format!("Add a table [profile.{key}] to the settings file")
        } else {
            suggestion(name, &names, "profiles")
        }
    }

    /// Checked when all files have been read, because a file can name a profile or
    /// registry of another.
    fn check_mappings(&self) -> Result<()> {
        let of_namespaces = self.namespaces.iter();
        let of_namespaces = of_namespaces
            .flat_map(|(registry, all)| all.values().map(move |mapping| (registry, mapping)));
        for (registry, mapping) in self.mappings.iter().chain(of_namespaces) {
            if Registry::at(registry.host(), &self.registries).is_none() {
                let hint = match intended(registry.host()) {
                    Some(intended) => format!("Did you mean {intended}?"),
                    None => "To use a new region, add it to 'registries' too".to_owned(),
                };
                let invalid = Invalid::new(format!("{registry} is not an IBM Cloud registry"));
                return Err(mapping.place.error(invalid.with_hint(hint)));
            }
            if let Some((name, place)) = &mapping.profile {
                self.known_profile(name)
                    .map_err(|invalid| place.value_error("profile", invalid))?;
            }
        }
        Ok(())
    }
}
