//! The keys of a settings file, and how a file changes the settings.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use super::DefinedIn;
use super::KeychainChoice;
use super::Settings;
use super::SettingsFile;
use super::document::Document;
use super::document::Entry;
use super::document::Place;
use super::document::Table;
use super::document::Value;
use super::name::namespace;
use super::profile::Profile;
use crate::environment;
use crate::environment::Environment;
use crate::error::Error;
use crate::error::Result;
use crate::fs;
use crate::fs::TrustedUsers;
use crate::registry::Registry;
use crate::text::repeatable::quoted;

/// The size limit of a settings file, in bytes.
const MAX_FILE_SIZE: u64 = 1024 * 1024;

/// The limit of deadlines and timeouts, in seconds: clients give up earlier.
const MAX_SECONDS: u64 = 600;

/// The keys of the file.
const KEYS: [&str; 10] = [
    "attempt-timeout",
    "background-refresh",
    "connect-timeout",
    "deadline",
    "keychain",
    "namespace",
    "profile",
    "registries",
    "registry",
    "working-directory-credentials",
];

/// The keys of a registry's table.
const REGISTRY_KEYS: [&str; 1] = ["profile"];

/// A registry's table: `[registry.HOST]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Mapping {
    /// The position of the table.
    pub(super) place: Place,
    /// The profile's name and its position.
    pub(super) profile: Option<(String, Place)>,
}

impl Settings {
    /// Applies a file, if it exists.
    pub(super) fn apply_file_if_present(
        &mut self,
        path: PathBuf,
        environment: &Environment,
    ) -> Result<()> {
        // Without a file, the rights of its owner are not needed.
        let metadata = metadata_as_owner(&path).or_else(|_| path.symlink_metadata());
        match metadata {
            Ok(_) => self.apply_file(&path, environment),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.files.push(SettingsFile {
                    path,
                    exists: false,
                });
                Ok(())
            }
            Err(error) => Err(file_error(&path, &format!("cannot be reached ({error})"))),
        }
    }

    /// Applies a file: its values replace those of earlier files.
    pub(super) fn apply_file(&mut self, path: &Path, environment: &Environment) -> Result<()> {
        let home = environment.text(environment::HOME)?.map(Path::new);
        let unreadable = |error| file_error(path, &format!("cannot be read ({error})"));
        let _rights = fs::act_as_owner(path).map_err(|error| unreadable(error.into()))?;
        let text = fs::read_regular(path, MAX_FILE_SIZE).map_err(unreadable)?;
        fs::refuse_if_others_write(path, &TrustedUsers::with_home(home)).map_err(|error| {
            let context = format!("the settings file {} is refused", path.display());
            Error::from_anyhow(&error).with_context(context)
        })?;
        self.files.push(SettingsFile {
            path: path.to_owned(),
            exists: true,
        });
        Document { path, text: &text }.read(|root| self.apply(root, environment))
    }

    fn apply(&mut self, root: Table<'_>, environment: &Environment) -> Result<()> {
        root.has_only(&KEYS)?;
        for entry in root.entries() {
            let value = entry.value;
            match entry.key {
                "attempt-timeout" => self.limits.attempt = seconds(value)?,
                "background-refresh" => self.background_refresh = value.flag()?,
                "connect-timeout" => self.limits.connect = seconds(value)?,
                "deadline" => self.limits.deadline = seconds(value)?,
                "keychain" => {
                    self.keychain = value.parsed(KeychainChoice::parse)?;
                }
                "namespace" => {
                    self.namespace = value.parsed(namespace)?;
                }
                "profile" => {
                    self.apply_profiles(value, environment)?;
                    continue;
                }
                "registries" => {
                    self.apply_registries(value)?;
                    continue;
                }
                "registry" => {
                    self.apply_mappings(value)?;
                    continue;
                }
                "working-directory-credentials" => {
                    self.working_directory_credentials = value.flag()?;
                }
                other => {
                    return Err(Error::internal(format!(
                        "the key {} has no meaning",
                        quoted(other)
                    )));
                }
            }
            self.set_origin(entry.key.to_owned(), value);
        }
        Ok(())
    }

    fn apply_profiles(&mut self, value: Value<'_>, environment: &Environment) -> Result<()> {
        for entry in value.table()?.entries() {
            let profile = Profile::read(&entry, environment)?;
            self.set_origin(format!("profile.{}", profile.name), entry.value);
            self.profiles.insert(profile.name.clone(), profile);
        }
        Ok(())
    }

    fn apply_registries(&mut self, value: Value<'_>) -> Result<()> {
        let mut here = Vec::new();
        for item in value.list()? {
            let name = item.text()?;
            let registry = Registry::parse(name)
                .filter(|registry| registry.host() == name)
                .ok_or_else(|| {
                    item.wrong(&format!("{} is not a host in lower case", quoted(name)))
                        .with_hint("Use a host such as eu9.icr.io")
                })?;
            if here.contains(&registry) {
                return Err(item.wrong(&format!("registries contains {registry} twice")));
            }
            here.push(registry);
        }
        for registry in here {
            self.set_origin(format!("registries.{registry}"), value);
            if !self.registries.contains(&registry) {
                self.registries.push(registry);
            }
        }
        Ok(())
    }

    fn apply_mappings(&mut self, value: Value<'_>) -> Result<()> {
        let mut here = BTreeMap::new();
        for entry in value.table()?.entries() {
            let registry = Registry::parse(entry.key).ok_or_else(|| {
                entry
                    .place()
                    .wrong(&format!("{} is not a registry host", quoted(entry.key)))
            })?;
            let mapping = mapping(&entry)?;
            if here.insert(registry.clone(), mapping).is_some() {
                return Err(entry.place().wrong(&format!(
                    "{} is {registry}, which already has a table",
                    quoted(entry.key)
                )));
            }
            self.set_origin(format!("registry.{registry}"), entry.value);
        }
        self.mappings.extend(here);
        Ok(())
    }

    fn set_origin(&mut self, key: String, value: Value<'_>) {
        self.origins
            .insert(key, DefinedIn::File(value.path().to_owned()));
    }
}

fn mapping(entry: &Entry<'_>) -> Result<Mapping> {
    let table = entry.value.table()?;
    table.has_only(&REGISTRY_KEYS)?;
    let profile = table
        .get("profile")
        .map(|value| Ok((value.text()?.to_owned(), value.place())));
    Ok(Mapping {
        place: entry.place(),
        profile: profile.transpose()?,
    })
}

fn seconds(value: Value<'_>) -> Result<Duration> {
    value
        .number(1, MAX_SECONDS, "seconds")
        .map(Duration::from_secs)
}

/// Returns the metadata of the link itself: a broken link is an error, not an absent file.
fn metadata_as_owner(path: &Path) -> std::io::Result<std::fs::Metadata> {
    let _rights = fs::act_as_owner(path)?;
    path.symlink_metadata()
}

fn file_error(path: &Path, reason: &str) -> Error {
    Error::user(format!("the settings file {} {reason}", path.display()))
}
