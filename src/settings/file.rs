//! The keys of a settings file, and how a file changes the settings.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::DefinedIn;
use super::KeychainChoice;
use super::ServiceAccountFallback;
use super::Settings;
use super::SettingsFile;
use super::document::Document;
use super::document::Place;
use super::document::in_file_order;
use super::invalid::Invalid;
use super::name::namespace;
use super::profile::Profile;
use super::profile::ProfileTable;
use super::service_accounts::annotation;
use crate::environment;
use crate::environment::Environment;
use crate::error::Error;
use crate::error::Result;
use crate::fs;
use crate::fs::TrustedUsers;
use crate::http::proxy::Proxy;
use crate::iam::trusted_profile::TrustedProfile;
use crate::registry::Registry;
use crate::text::repeatable::quoted;

/// The size limit of a settings file, in bytes.
pub(super) const MAX_FILE_SIZE: u64 = 1024 * 1024;

/// The limit of deadlines and timeouts, in seconds: clients give up earlier.
const MAX_SECONDS: u64 = 600;

/// The content of a settings file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FileTable {
    attempt_timeout: Option<Spanned<i64>>,
    background_refresh: Option<bool>,
    connect_timeout: Option<Spanned<i64>>,
    deadline: Option<Spanned<i64>>,
    keychain: Option<Spanned<String>>,
    namespace: Option<Spanned<String>>,
    no_proxy: Option<Spanned<String>>,
    #[serde(default)]
    profile: BTreeMap<Spanned<String>, ProfileTable>,
    proxy: Option<Spanned<String>>,
    #[serde(default)]
    registries: Vec<Spanned<String>>,
    #[serde(default)]
    registry: BTreeMap<Spanned<String>, RegistryTable>,
    service_account_annotation: Option<Spanned<String>>,
    service_account_fallback: Option<Spanned<String>>,
    service_account_profile: Option<Spanned<String>>,
    working_directory_credentials: Option<bool>,
}

/// The content of `[registry.HOST]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegistryTable {
    profile: Option<Spanned<String>>,
}

/// What a table `[registry.HOST]` sets, with positions for errors that are found when all
/// files have been read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Mapping {
    /// The position of the table.
    pub(super) place: Place,
    /// The profile's name and its position.
    pub(super) profile: Option<(String, Place)>,
}

impl Mapping {
    pub(super) fn profile_name(&self) -> Option<&str> {
        let (name, _) = self.profile.as_ref()?;
        Some(name)
    }
}

/// Returns whether a file does not exist. The home directory of a service account may be a file:
/// `/dev/null`.
fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Returns whether this user has no access to the home directory, so that it is another user's
/// (`HOME` is kept by `su`, or set by a container): its settings are not those of this user. If
/// only a directory below it has no access, the settings are this user's and cannot be read.
fn is_in_inaccessible_home(path: &Path) -> bool {
    let settings_of_programs = path.ancestors().nth(2);
    let metadata = settings_of_programs.map(Path::symlink_metadata);
    metadata.is_some_and(|it| it.is_err_and(|it| it.kind() == ErrorKind::PermissionDenied))
}

impl Settings {
    /// Applies a file, if it exists.
    pub(super) fn apply_file_if_present(
        &mut self,
        path: PathBuf,
        environment: &Environment,
    ) -> Result<()> {
        // Without a file, the rights of its owner are not needed.
        let metadata = metadata_as_owner(&path).or_else(|error| {
            if is_absent(&error) {
                Err(error)
            } else {
                path.symlink_metadata()
            }
        });
        match metadata {
            Ok(_) => self.apply_file(&path, environment),
            Err(error) if is_absent(&error) || is_in_inaccessible_home(&path) => {
                self.files.push(SettingsFile {
                    path,
                    exists: false,
                });
                Ok(())
            }
            // Reading it has the error with the reason.
            Err(_) => self.apply_file(&path, environment),
        }
    }

    /// Applies a file. Its values replace those of earlier files.
    pub(super) fn apply_file(&mut self, path: &Path, environment: &Environment) -> Result<()> {
        let home = environment.text(environment::HOME)?.map(Path::new);
        let _rights = fs::act_as_owner(path).map_err(|error| unreadable(path, &error.into()))?;
        let text = fs::read_regular(path, MAX_FILE_SIZE);
        let text = text.map_err(|error| unreadable(path, &error))?;
        fs::refuse_if_others_write(path, &TrustedUsers::with_home(home)).map_err(|error| {
            let context = format!("the settings file {} is refused", path.display());
            Error::from_anyhow(&error).with_context(context)
        })?;
        self.files.push(SettingsFile {
            path: path.to_owned(),
            exists: true,
        });
        let document = Document { path, text: &text };
        self.apply(document.parse()?, document, home)
    }

    fn apply(
        &mut self,
        file: FileTable,
        document: Document<'_>,
        home: Option<&Path>,
    ) -> Result<()> {
        let origin = || DefinedIn::File(document.path.to_owned());
        self.apply_value(
            document,
            "attempt-timeout",
            file.attempt_timeout,
            seconds,
            |settings, value| settings.limits.attempt = value,
        )?;
        self.apply_value(
            document,
            "connect-timeout",
            file.connect_timeout,
            seconds,
            |settings, value| settings.limits.connect = value,
        )?;
        self.apply_value(
            document,
            "deadline",
            file.deadline,
            seconds,
            |settings, value| settings.limits.deadline = value,
        )?;
        self.apply_value(
            document,
            "keychain",
            file.keychain,
            |name| KeychainChoice::parse(&name),
            |settings, value| settings.keychain = value,
        )?;
        self.apply_value(
            document,
            "namespace",
            file.namespace,
            |name| namespace(&name),
            |settings, value| settings.namespace = value,
        )?;
        self.apply_value(
            document,
            "no-proxy",
            file.no_proxy,
            Ok::<_, Invalid>,
            |settings, value| settings.no_proxy = Some(value),
        )?;
        self.apply_value(
            document,
            "proxy",
            file.proxy,
            |text| proxy(&text, document.path),
            |settings, value| settings.proxy = Some(value),
        )?;
        self.apply_value(
            document,
            "service-account-annotation",
            file.service_account_annotation,
            |key| annotation(&key),
            |settings, value| settings.service_accounts.annotation = value,
        )?;
        self.apply_value(
            document,
            "service-account-fallback",
            file.service_account_fallback,
            |name| ServiceAccountFallback::parse(&name),
            |settings, value| settings.service_accounts.fallback = value,
        )?;
        self.apply_value(
            document,
            "service-account-profile",
            file.service_account_profile,
            |text| TrustedProfile::parse(&text),
            |settings, value| settings.service_accounts.profile = Some(value),
        )?;
        self.override_with(
            "background-refresh",
            origin(),
            file.background_refresh,
            |settings, value| settings.background_refresh = value,
        );
        self.override_with(
            "working-directory-credentials",
            origin(),
            file.working_directory_credentials,
            |settings, value| settings.working_directory_credentials = value,
        );
        for (name, table) in in_file_order(file.profile) {
            let profile = Profile::from_table(name, table, document, home)?;
            let key = format!("profile.{}", profile.name);
            self.override_with(&key, origin(), Some(profile), |settings, profile| {
                settings.profiles.insert(profile.name.clone(), profile);
            });
        }
        for registry in registries(file.registries, document)? {
            let key = format!("registries.{registry}");
            self.override_with(&key, origin(), Some(registry), |settings, registry| {
                if !settings.registries.contains(&registry) {
                    settings.registries.push(registry);
                }
            });
        }
        for ((registry, namespace), mapping) in mappings(file.registry, document)? {
            let key = match &namespace {
                Some(namespace) => format!("registry.{registry}/{namespace}"),
                None => format!("registry.{registry}"),
            };
            self.override_with(
                &key,
                origin(),
                Some(mapping),
                |settings, mapping| match namespace {
                    Some(namespace) => {
                        let of_registry = settings.namespaces.entry(registry).or_default();
                        of_registry.insert(namespace, mapping);
                    }
                    None => {
                        settings.mappings.insert(registry, mapping);
                    }
                },
            );
        }
        Ok(())
    }

    /// Applies the value of a key, if the file has one.
    fn apply_value<T, V, E: Into<Invalid>>(
        &mut self,
        document: Document<'_>,
        key: &str,
        value: Option<Spanned<T>>,
        parse: impl FnOnce(T) -> Result<V, E>,
        set: impl FnOnce(&mut Self, V),
    ) -> Result<()> {
        let value = document.value(key, value, parse)?;
        self.override_with(key, DefinedIn::File(document.path.to_owned()), value, set);
        Ok(())
    }
}

/// Reads a proxy. Its text is never repeated.
fn proxy(text: &str, path: &Path) -> Result<Proxy, Invalid> {
    const HINT: &str = "Use http://HOST:PORT";
    let proxy = Proxy::parse(text)
        .map_err(|reason| Invalid::new(format!("cannot be used: {reason}")).with_hint(HINT))?;
    let has_login = proxy.authorization.is_some();
    if has_login && fs::open(path).is_ok_and(|file| fs::is_readable_by_others(&file)) {
        let reason = "contains a user name or password, and other users can read the file";
        let hint = format!("Make the file private: 'chmod 600 {}'", path.display());
        return Err(Invalid::new(reason).with_hint(hint));
    }
    Ok(proxy)
}

fn registries(names: Vec<Spanned<String>>, document: Document<'_>) -> Result<Vec<Registry>> {
    let mut registries = Vec::new();
    for name in names {
        let registry = document.value("registries", Some(name), |name| {
            let registry = Registry::parse(&name).filter(|registry| registry.host() == name);
            let Some(registry) = registry else {
                let reason = format!(
                    "must contain hosts in lower case only, not {}",
                    quoted(&name)
                );
                return Err(Invalid::new(reason).with_hint("Use a host such as eu9.icr.io"));
            };
            if registries.contains(&registry) {
                return Err(Invalid::new(format!("contains {registry} twice")));
            }
            Ok(registry)
        })?;
        registries.extend(registry);
    }
    Ok(registries)
}

fn mappings(
    tables: BTreeMap<Spanned<String>, RegistryTable>,
    document: Document<'_>,
) -> Result<BTreeMap<(Registry, Option<String>), Mapping>> {
    let mut mappings = BTreeMap::new();
    for (host, table) in in_file_order(tables) {
        let place = document.place(&host);
        let error =
            |reason| place.error(Invalid::new(format!("{} {reason}", quoted(host.get_ref()))));
        let registry = Registry::parse(host.get_ref())
            .ok_or_else(|| error("is not a registry host".to_owned()))?;
        let key = (registry.clone(), namespace_in(host.get_ref()));
        if mappings.contains_key(&key) {
            return Err(error(format!("is {registry}, which already has a table")));
        }
        let profile = table.profile.map(|name| {
            let place = document.place(&name);
            (name.into_inner(), place)
        });
        mappings.insert(key, Mapping { place, profile });
    }
    Ok(mappings)
}

/// Returns the namespace in `us.icr.io/NAMESPACE`, which has 4 to 30 lower-case letters, digits, `-`
/// and `_` (Container Registry documentation, "Planning namespaces").
fn namespace_in(host: &str) -> Option<String> {
    let (_, path) = host.split_once('/')?;
    let namespace = path.trim_end_matches('/');
    let is_part = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
    };
    let is_namespace = (4..=30).contains(&namespace.len()) && namespace.bytes().all(is_part);
    is_namespace.then(|| namespace.to_owned())
}

fn seconds(number: i64) -> Result<Duration, Invalid> {
    u64::try_from(number)
        .ok()
        .filter(|seconds| (1..=MAX_SECONDS).contains(seconds))
        .map(Duration::from_secs)
        .ok_or_else(|| {
            Invalid::new(format!(
                "is {number}, which is not between 1 and {MAX_SECONDS} seconds"
            ))
        })
}

/// Returns the metadata of the link itself: a broken link is an error, not an absent file.
fn metadata_as_owner(path: &Path) -> std::io::Result<std::fs::Metadata> {
    let _rights = fs::act_as_owner(path)?;
    path.symlink_metadata()
}

/// Creates the error for a file that cannot be read, with the reason's hint.
fn unreadable(path: &Path, reason: &anyhow::Error) -> Error {
    if path.is_symlink() && !path.exists() {
        return file_error(path, "is a link to a missing file");
    }
    let reason = Error::from_anyhow(reason);
    let error = file_error(path, &format!("cannot be read ({})", reason.text()));
    match reason.hint() {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

fn file_error(path: &Path, reason: &str) -> Error {
    Error::user(format!("the settings file {} {reason}", path.display()))
}
