//! The answer of `settings --json`.

use std::path::Path;

use serde::Serialize;

use crate::iam::trusted_profile::TrustedProfile;
use crate::settings::DefinedIn;
use crate::settings::Profile;
use crate::settings::Settings;

/// The answer of `settings --json`.
#[derive(Serialize)]
pub(super) struct SettingsAnswer<'a> {
    /// The settings that have one value.
    pub(super) settings: ValuesJson<'a>,
    /// The additional registries.
    pub(super) registries: Vec<RegistryJson<'a>>,
    /// The profiles.
    pub(super) profiles: Vec<ProfileJson<'a>>,
    /// The registries and namespaces with a profile of their own.
    pub(super) registry_profiles: Vec<RegistryProfileJson<'a>>,
    /// The settings files; later ones take precedence.
    pub(super) files: Vec<FileJson>,
}

/// The settings that have one value.
#[derive(Serialize)]
pub(super) struct ValuesJson<'a> {
    /// `auto`, `kernel`, `macos`, `none`, `pass`, `secret-service`, `systemd-creds` or `windows`.
    pub(super) keychain: SettingJson<'a, &'static str>,
    /// The prefix of the items in keychains.
    pub(super) namespace: SettingJson<'a, &'a str>,
    /// The time limit of `get`, in seconds.
    pub(super) deadline: SettingJson<'a, u64>,
    /// The time limit of connecting, in seconds.
    pub(super) connect_timeout: SettingJson<'a, u64>,
    /// The time limit of one attempt of a request, in seconds.
    pub(super) attempt_timeout: SettingJson<'a, u64>,
    /// Whether tokens are refreshed in the background.
    pub(super) background_refresh: SettingJson<'a, bool>,
    /// Whether a credentials file in the working directory is read.
    pub(super) working_directory_credentials: SettingJson<'a, bool>,
    /// The key of the annotation with the trusted profile of a service account.
    pub(super) service_account_annotation: SettingJson<'a, &'a str>,
    /// The trusted profile of service accounts without the annotation; null for none.
    pub(super) service_account_profile: SettingJson<'a, Option<&'a str>>,
    /// Which identity a service account gets whose token cannot be exchanged: `none` or `node`.
    pub(super) service_account_fallback: SettingJson<'a, &'static str>,
    /// The URL of the proxy, without user name and password; null for none.
    pub(super) proxy: SettingJson<'a, Option<&'a str>>,
    /// The hosts that need no proxy, separated by commas; null for none.
    pub(super) no_proxy: SettingJson<'a, Option<&'a str>>,
    /// The profile for all registries; null if none is selected.
    pub(super) profile: SettingJson<'a, Option<&'a str>>,
    /// The source for all registries; null if none is selected.
    pub(super) source: SettingJson<'a, Option<&'static str>>,
    /// The URL of IAM; null for IBM's own.
    pub(super) iam_endpoint: SettingJson<'a, Option<&'a str>>,
}

/// The value of a setting, and where it is set.
#[derive(Serialize)]
pub(super) struct SettingJson<'a, T> {
    /// The value.
    pub(super) value: T,
    /// Where it is set.
    pub(super) origin: OriginJson<'a>,
}

/// Where a setting is set.
#[derive(Serialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub(super) enum OriginJson<'a> {
    /// The default of this program.
    Default,
    /// A settings file.
    File {
        /// Its path.
        path: String,
    },
    /// An environment variable.
    Variable {
        /// Its name.
        name: &'a str,
    },
}

/// An additional registry.
#[derive(Serialize)]
pub(super) struct RegistryJson<'a> {
    /// The host.
    pub(super) host: &'a str,
    /// Where it is set.
    pub(super) origin: OriginJson<'a>,
}

/// A profile.
#[derive(Serialize)]
pub(super) struct ProfileJson<'a> {
    /// The name.
    pub(super) name: &'a str,
    /// The only source it uses; null for all sources.
    pub(super) source: Option<&'static str>,
    /// The ID, CRN or name of the trusted profile to assume; null for none.
    pub(super) trusted_profile: Option<&'a str>,
    /// The account ID of a trusted profile that is given by name; null if not set.
    pub(super) account: Option<&'a str>,
    /// The URL of IAM; null if not set.
    pub(super) iam_endpoint: Option<&'a str>,
    /// Whether it uses IBM Cloud's private network.
    pub(super) private_endpoints: bool,
    /// The user name that clients get: `iambearer`, `iamrefresh`, `iamapikey` or `token`.
    pub(super) credential: &'static str,
    /// The path of the file that the source reads; null for the default.
    pub(super) file: Option<String>,
    /// Where it is set.
    pub(super) origin: OriginJson<'a>,
}

/// A registry or one of its namespaces with a profile of its own.
#[derive(Serialize)]
pub(super) struct RegistryProfileJson<'a> {
    /// The host.
    pub(super) host: &'a str,
    /// The namespace; null for the whole registry.
    pub(super) namespace: Option<&'a str>,
    /// The name of the profile; null for none.
    pub(super) profile: Option<&'a str>,
    /// Where it is set.
    pub(super) origin: OriginJson<'a>,
}

/// A settings file.
#[derive(Serialize)]
pub(super) struct FileJson {
    /// The path.
    pub(super) path: String,
    /// Whether the file exists.
    pub(super) exists: bool,
}

impl<'a> SettingsAnswer<'a> {
    /// Creates the answer.
    pub(super) fn new(settings: &'a Settings) -> Self {
        let registries = settings.registries.iter().map(|host| RegistryJson {
            host: host.host(),
            origin: OriginJson::new(settings, &format!("registries.{host}")),
        });
        let profiles = settings.profile_names();
        let profiles = profiles.filter_map(|name| settings.profile(name));
        let mapped = settings.mapped_registries();
        let registry_profiles = mapped.map(|(host, profile)| RegistryProfileJson {
            host: host.host(),
            namespace: None,
            profile,
            origin: OriginJson::new(settings, &format!("registry.{host}")),
        });
        let mapped = settings.mapped_namespaces();
        let namespace_profiles = mapped.map(|(host, namespace, profile)| RegistryProfileJson {
            host: host.host(),
            namespace: Some(namespace),
            profile,
            origin: OriginJson::new(settings, &format!("registry.{host}/{namespace}")),
        });
        let files = settings.files().iter().map(|file| FileJson {
            path: text(&file.path),
            exists: file.exists,
        });
        Self {
            settings: ValuesJson::new(settings),
            registries: registries.collect(),
            profiles: profiles
                .map(|profile| ProfileJson::new(profile, settings))
                .collect(),
            registry_profiles: registry_profiles.chain(namespace_profiles).collect(),
            files: files.collect(),
        }
    }
}

impl<'a> ValuesJson<'a> {
    fn new(settings: &'a Settings) -> Self {
        let limits = settings.limits;
        let profile = settings.selected_profile();
        let seconds =
            |key, limit: std::time::Duration| SettingJson::new(settings, key, limit.as_secs());
        Self {
            keychain: SettingJson::new(settings, "keychain", settings.keychain.name()),
            namespace: SettingJson::new(settings, "namespace", &settings.namespace),
            deadline: seconds("deadline", limits.deadline),
            connect_timeout: seconds("connect-timeout", limits.connect),
            attempt_timeout: seconds("attempt-timeout", limits.attempt),
            background_refresh: SettingJson::new(
                settings,
                "background-refresh",
                settings.background_refresh,
            ),
            working_directory_credentials: SettingJson::new(
                settings,
                "working-directory-credentials",
                settings.working_directory_credentials,
            ),
            service_account_annotation: SettingJson::new(
                settings,
                "service-account-annotation",
                &settings.service_accounts.annotation,
            ),
            service_account_profile: SettingJson::new(
                settings,
                "service-account-profile",
                settings.service_accounts.profile.as_ref().map(profile_text),
            ),
            service_account_fallback: SettingJson::new(
                settings,
                "service-account-fallback",
                settings.service_accounts.fallback.name(),
            ),
            proxy: SettingJson::new(settings, "proxy", settings.proxy()),
            no_proxy: SettingJson::new(settings, "no-proxy", settings.no_proxy()),
            profile: SettingJson::new(settings, "profile", profile.map(|it| &*it.name)),
            source: SettingJson::new(
                settings,
                "source",
                settings.selected_source().map(|source| source.name()),
            ),
            iam_endpoint: SettingJson::new(
                settings,
                "iam-endpoint",
                settings.iam_endpoint().map(|endpoint| endpoint.base()),
            ),
        }
    }
}

impl<'a, T> SettingJson<'a, T> {
    fn new(settings: &'a Settings, key: &str, value: T) -> Self {
        Self {
            value,
            origin: OriginJson::new(settings, key),
        }
    }
}

impl<'a> OriginJson<'a> {
    fn new(settings: &'a Settings, key: &str) -> Self {
        match settings.origin(key) {
            DefinedIn::Default => Self::Default,
            DefinedIn::File(path) => Self::File { path: text(path) },
            DefinedIn::Variable(name) => Self::Variable { name },
        }
    }
}

impl<'a> ProfileJson<'a> {
    fn new(profile: &'a Profile, settings: &'a Settings) -> Self {
        let account = match &profile.trusted_profile {
            Some(TrustedProfile::Name { account, .. }) => account.as_deref(),
            _ => None,
        };
        Self {
            name: &profile.name,
            source: profile.source.map(|source| source.name()),
            trusted_profile: profile.trusted_profile.as_ref().map(profile_text),
            account,
            iam_endpoint: profile.iam_endpoint.as_ref().map(|it| it.base()),
            private_endpoints: profile.private_endpoints,
            credential: profile.credential_kind().name(),
            file: profile.file.as_deref().map(text),
            origin: OriginJson::new(settings, &format!("profile.{}", profile.name)),
        }
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Returns the ID, the CRN or the name of a trusted profile.
fn profile_text(profile: &TrustedProfile) -> &str {
    match profile {
        TrustedProfile::Id(text) | TrustedProfile::Crn(text) => text,
        TrustedProfile::Name { name, .. } => name,
    }
}
