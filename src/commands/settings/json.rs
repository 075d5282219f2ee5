//! The answer of `settings --json`.

use std::path::Path;

use serde::Serialize;

use crate::iam::trusted_profile::TrustedProfile;
use crate::settings::Origin;
use crate::settings::Profile;
use crate::settings::Settings;

/// The answer of `settings --json`.
#[derive(Serialize)]
pub(super) struct JsonSettings<'a> {
    /// The settings that have one value.
    pub(super) settings: JsonValues<'a>,
    /// The additional registries.
    pub(super) registries: Vec<JsonRegistry<'a>>,
    /// The profiles.
    pub(super) profiles: Vec<JsonProfile<'a>>,
    /// The registries with a profile of their own.
    pub(super) registry_profiles: Vec<JsonRegistryProfile<'a>>,
    /// The settings files; later ones take precedence.
    pub(super) files: Vec<JsonFile>,
}

/// The settings that have one value.
#[derive(Serialize)]
pub(super) struct JsonValues<'a> {
    /// `auto`, `kernel`, `macos`, `none`, `secret-service` or `windows`.
    pub(super) keychain: Setting<'a, &'static str>,
    /// The prefix of the items in keychains.
    pub(super) namespace: Setting<'a, &'a str>,
    /// The time limit of `get`, in seconds.
    pub(super) deadline: Setting<'a, u64>,
    /// The time limit of connecting, in seconds.
    pub(super) connect_timeout: Setting<'a, u64>,
    /// The time limit of one attempt of a request, in seconds.
    pub(super) attempt_timeout: Setting<'a, u64>,
    /// Whether tokens are refreshed in the background.
    pub(super) background_refresh: Setting<'a, bool>,
    /// Whether a credentials file in the working directory is read.
    pub(super) working_directory_credentials: Setting<'a, bool>,
    /// The profile for all registries; null if none is selected.
    pub(super) profile: Setting<'a, Option<&'a str>>,
    /// The source for all registries; null if none is selected.
    pub(super) source: Setting<'a, Option<&'static str>>,
    /// The URL of IAM; null for IBM's own.
    pub(super) iam_endpoint: Setting<'a, Option<&'a str>>,
}

/// The value of a setting, and where it is set.
#[derive(Serialize)]
pub(super) struct Setting<'a, T> {
    /// The value.
    pub(super) value: T,
    /// Where it is set.
    pub(super) origin: JsonOrigin<'a>,
}

/// Where a setting is set.
#[derive(Serialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub(super) enum JsonOrigin<'a> {
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
pub(super) struct JsonRegistry<'a> {
    /// The host.
    pub(super) host: &'a str,
    /// Where it is set.
    pub(super) origin: JsonOrigin<'a>,
}

/// A profile.
#[derive(Serialize)]
pub(super) struct JsonProfile<'a> {
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
    pub(super) origin: JsonOrigin<'a>,
}

/// A registry with a profile of its own.
#[derive(Serialize)]
pub(super) struct JsonRegistryProfile<'a> {
    /// The host.
    pub(super) host: &'a str,
    /// The name of the profile; null for none.
    pub(super) profile: Option<&'a str>,
    /// Where it is set.
    pub(super) origin: JsonOrigin<'a>,
}

/// A settings file.
#[derive(Serialize)]
pub(super) struct JsonFile {
    /// The path.
    pub(super) path: String,
    /// Whether the file exists.
    pub(super) exists: bool,
}

impl<'a> JsonSettings<'a> {
    /// Creates the answer.
    pub(super) fn new(settings: &'a Settings) -> Self {
        let registries = settings.registries.iter().map(|host| JsonRegistry {
            host: host.host(),
            origin: JsonOrigin::new(settings, &format!("registries.{host}")),
        });
        let profiles = settings.profile_names();
        let profiles = profiles.filter_map(|name| settings.profile(name));
        let mapped = settings.mapped_registries();
        let registry_profiles = mapped.map(|(host, profile)| JsonRegistryProfile {
            host: host.host(),
            profile,
            origin: JsonOrigin::new(settings, &format!("registry.{host}")),
        });
        let files = settings.files().iter().map(|file| JsonFile {
            path: text(&file.path),
            exists: file.exists,
        });
        Self {
            settings: JsonValues::new(settings),
            registries: registries.collect(),
            profiles: profiles
                .map(|profile| JsonProfile::new(profile, settings))
                .collect(),
            registry_profiles: registry_profiles.collect(),
            files: files.collect(),
        }
    }
}

impl<'a> JsonValues<'a> {
    fn new(settings: &'a Settings) -> Self {
        let limits = settings.limits;
        let profile = settings.chosen_profile();
        let seconds =
            |key, limit: std::time::Duration| Setting::new(settings, key, limit.as_secs());
        Self {
            keychain: Setting::new(settings, "keychain", settings.keychain.name()),
            namespace: Setting::new(settings, "namespace", &settings.namespace),
            deadline: seconds("deadline", limits.deadline),
            connect_timeout: seconds("connect-timeout", limits.connect),
            attempt_timeout: seconds("attempt-timeout", limits.attempt),
            background_refresh: Setting::new(
                settings,
                "background-refresh",
                settings.background_refresh,
            ),
            working_directory_credentials: Setting::new(
                settings,
                "working-directory-credentials",
                settings.working_directory_credentials,
            ),
            profile: Setting::new(settings, "profile", profile.map(|it| &*it.name)),
            source: Setting::new(
                settings,
                "source",
                settings.forced_source().map(|source| source.name()),
            ),
            iam_endpoint: Setting::new(
                settings,
                "iam-endpoint",
                settings.iam_endpoint().map(|endpoint| endpoint.base()),
            ),
        }
    }
}

impl<'a, T> Setting<'a, T> {
    fn new(settings: &'a Settings, key: &str, value: T) -> Self {
        Self {
            value,
            origin: JsonOrigin::new(settings, key),
        }
    }
}

impl<'a> JsonOrigin<'a> {
    fn new(settings: &'a Settings, key: &str) -> Self {
        match settings.origin(key) {
            Origin::Default => Self::Default,
            Origin::File(path) => Self::File { path: text(path) },
            Origin::Variable(name) => Self::Variable { name },
        }
    }
}

impl<'a> JsonProfile<'a> {
    fn new(profile: &'a Profile, settings: &'a Settings) -> Self {
        let (trusted_profile, account) = match &profile.trusted_profile {
            None => (None, None),
            Some(TrustedProfile::Id(text) | TrustedProfile::Crn(text)) => (Some(&**text), None),
            Some(TrustedProfile::Name { name, account }) => (Some(&**name), account.as_deref()),
        };
        Self {
            name: &profile.name,
            source: profile.source.map(|source| source.name()),
            trusted_profile,
            account,
            iam_endpoint: profile.iam_endpoint.as_ref().map(|it| it.base()),
            private_endpoints: profile.private_endpoints,
            credential: profile.handed_out().name(),
            file: profile.file.as_deref().map(text),
            origin: JsonOrigin::new(settings, &format!("profile.{}", profile.name)),
        }
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
