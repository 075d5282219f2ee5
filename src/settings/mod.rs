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
use crate::iam::trusted_profile::TrustedProfile;
use crate::keychain::Backend;
use crate::keychain::Selection;
use crate::registry;
use crate::registry::Registry;
use crate::text::repeatable::quoted;

mod document;
mod file;
mod name;
mod profile;

use file::Mapping;
use name::hint;
use name::is_plain;
use name::named;
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

/// What was chosen for one registry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Choice<'a> {
    /// The profile: that of `ICR_PROFILE`, or the one the registry is mapped to.
    pub profile: Option<&'a Profile>,
    /// The only source to ask: that of `ICR_SOURCE`, or the profile's; never
    /// `registry-token`, which is told by [`Choice::credential`].
    pub source: Option<SourceName>,
    /// Where IAM is, if it has been moved: by the environment, or by the profile.
    pub iam_endpoint: Option<Endpoint>,
    /// What `get` hands out.
    pub credential: CredentialKind,
    /// The trusted profile to assume on top.
    pub trusted_profile: Option<&'a TrustedProfile>,
    /// The file that [`Choice::source`] reads, if it is not the usual one.
    pub file: Option<&'a Path>,
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

/// The keychain that `ICR_KEYCHAIN` or `keychain = "…"` names.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum KeychainChoice {
    /// The best that this machine has.
    #[default]
    Auto,
    /// The Linux kernel's persistent keyring of the user.
    Kernel,
    /// The macOS Keychain.
    Macos,
    /// None: nothing is stored, nothing is cached.
    None,
    /// GNOME Keyring, KWallet or KeePassXC, by the Secret Service interface.
    SecretService,
    /// The Windows Credential Manager.
    Windows,
}

named!(KeychainChoice {
    "auto" => Auto,
    "kernel" => Kernel,
    "macos" => Macos,
    "none" => None,
    "secret-service" => SecretService,
    "windows" => Windows,
});

impl KeychainChoice {
    /// Returns the keychains to open.
    pub fn selection(self) -> Selection {
        match self {
            Self::Auto => Selection::Auto,
            Self::Kernel => Selection::Backend(Backend::Kernel),
            Self::Macos => Selection::Backend(Backend::Macos),
            Self::None => Selection::None,
            Self::SecretService => Selection::Backend(Backend::SecretService),
            Self::Windows => Selection::Backend(Backend::Windows),
        }
    }
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

    /// What was chosen for a registry.
    pub fn choice(&self, registry: &Registry) -> Choice<'_> {
        let profile = self.chosen_profile().or_else(|| {
            let mapping = self.mappings.get(registry)?;
            self.profile(&mapping.profile.as_ref()?.0)
        });
        self.choice_by(profile, registry.is_staging())
    }

    /// What was chosen for no registry in particular.
    pub fn default_choice(&self) -> Choice<'_> {
        self.choice_by(self.chosen_profile(), false)
    }

    /// What was chosen for the registries of a profile.
    pub fn choice_of_profile(&self, name: &str) -> Choice<'_> {
        self.choice_by(self.profile(name), false)
    }

    fn choice_by<'a>(&'a self, profile: Option<&'a Profile>, is_staging: bool) -> Choice<'a> {
        let own_source = profile.and_then(|profile| profile.source);
        let wants_registry_token = self.source.or(own_source) == Some(SourceName::RegistryToken);
        // Something else must say who asks for one.
        let mut sources = [self.source, own_source].into_iter().flatten();
        let source = sources.find(|source| *source != SourceName::RegistryToken);
        Choice {
            profile,
            source,
            iam_endpoint: self
                .iam_endpoint
                .clone()
                .or_else(|| profile?.iam_endpoint_for(is_staging)),
            credential: if wants_registry_token {
                CredentialKind::RegistryToken
            } else {
                profile.map_or_else(Default::default, |profile| profile.credential)
            },
            trusted_profile: profile.and_then(|profile| profile.trusted_profile.as_ref()),
            // It was named for the profile's source, and no other can read it.
            file: profile
                .filter(|_| source == own_source)
                .and_then(|profile| profile.file.as_deref()),
        }
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

    fn take_environment(&mut self, environment: &Environment) -> Result<()> {
        let chosen = named_in(environment, environment::KEYCHAIN, |name| {
            one_of(name, KeychainChoice::named, KeychainChoice::NAMES)
        })?;
        self.take("keychain", environment::KEYCHAIN, chosen, |settings, it| {
            settings.keychain = it;
        });
        let namespace = named_in(environment, environment::NAMESPACE, namespace)?;
        self.take(
            "namespace",
            environment::NAMESPACE,
            namespace,
            |settings, it| {
                settings.namespace = it;
            },
        );
        let flag = named_in(environment, environment::BACKGROUND_REFRESH, |text| {
            text.parse()
                .map_err(|_| format!("is {}; it can be true or false", quoted(text)))
        })?;
        self.take(
            "background-refresh",
            environment::BACKGROUND_REFRESH,
            flag,
            |settings, it| settings.background_refresh = it,
        );
        let endpoint = named_in(environment, environment::IAM_ENDPOINT, Endpoint::parse)?;
        self.take(
            "iam-endpoint",
            environment::IAM_ENDPOINT,
            endpoint,
            |settings, it| {
                settings.iam_endpoint = Some(it);
            },
        );
        let source = named_in(environment, environment::SOURCE, |name| {
            one_of(name, SourceName::named, SourceName::NAMES)
        })?;
        self.take("source", environment::SOURCE, source, |settings, it| {
            settings.source = Some(it);
        });
        let profile = named_in(environment, environment::PROFILE, |name| {
            self.known_profile(name)
        })?;
        self.take("profile", environment::PROFILE, profile, |settings, it| {
            settings.chosen_profile = Some(it);
        });
        Ok(())
    }

    fn take<T>(
        &mut self,
        key: &str,
        variable: &'static str,
        value: Option<T>,
        set: impl FnOnce(&mut Self, T),
    ) {
        if let Some(value) = value {
            set(self, value);
            self.origins
                .insert(key.to_owned(), DefinedIn::Variable(variable));
        }
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

/// The value of a variable, if it is set; `read` says what is wrong with it as the
/// end of a sentence.
fn named_in<T>(
    environment: &Environment,
    variable: &'static str,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>> {
    let text = environment.text(variable)?;
    text.map(read)
        .transpose()
        .map_err(|reason| Error::user(format!("${variable} {reason}")))
}

fn one_of<T>(
    name: &str,
    named: impl FnOnce(&str) -> Option<T>,
    names: &[&str],
) -> Result<T, String> {
    named(name).ok_or_else(|| {
        let known = names.join(", ");
        format!("is {}; choose one of {known}", quoted(name))
    })
}

fn namespace(name: &str) -> Result<String, String> {
    if is_plain(name) {
        Ok(name.to_owned())
    } else {
        Err(format!(
            "is {}; a namespace is 1 to 64 letters, digits, `-`, `_` or `.`",
            quoted(name)
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fs::tests::write_own;

    fn load(text: &str) -> Result<Settings> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        write_own(&path, text);
        let environment = [(environment::CONFIG, path)].into_iter().collect();
        Settings::load(&environment, None, None)
    }

    #[test]
    fn without_a_file_the_defaults_hold() {
        let settings = Settings::load(
            &Environment::default(),
            Some(Path::new("/nonexistent")),
            None,
        )
        .unwrap();
        assert_eq!(settings.keychain, KeychainChoice::Auto);
        assert_eq!(settings.limits.deadline, Duration::from_secs(20));
        let mut empty = load("").unwrap();
        empty.files.clone_from(&settings.files);
        assert_eq!(settings, empty, "an empty file changes nothing");
    }

    #[test]
    fn the_environment_is_stronger_than_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("docker-credential-icr");
        std::fs::create_dir(&folder).unwrap();
        write_own(
            &folder.join("config.toml"),
            "keychain = \"kernel\"\nregistries = [\"eu9.icr.io\", \"localhost:5000\"]\ndeadline = 5\nnamespace = \"a\"\n",
        );
        let file = Settings::load(&Environment::default(), Some(directory.path()), None).unwrap();
        assert_eq!(file.keychain, KeychainChoice::Kernel);
        assert_eq!(file.registries[1].host(), "localhost:5000");
        assert_eq!(file.limits.deadline, Duration::from_secs(5));
        let environment = [
            (environment::KEYCHAIN, "secret-service"),
            (environment::NAMESPACE, "b"),
            (environment::IAM_ENDPOINT, "https://iam.example.com"),
        ]
        .into_iter()
        .collect();
        let both = Settings::load(&environment, Some(directory.path()), None).unwrap();
        assert_eq!(both.keychain, KeychainChoice::SecretService);
        assert_eq!(both.namespace, "b");
        assert!(both.iam_endpoint.is_some());
    }

    #[test]
    fn what_is_wrong_in_the_file_is_named_with_its_place() {
        for (text, reason) in [
            (
                "keychain = \"kernel\"\nregistrys = []\n",
                "line 2, column 1",
            ),
            ("keychain = \"pass\"\n", "line 1, column 12"),
            ("deadline = \"5\"\n", "line 1, column 12"),
            ("deadline = 0\n", "between 1 and 600"),
            ("deadline = 5\ndeadline = 6\n", "line 2"),
            ("registries = [\"*.icr.io\"]\n", "not a host"),
            ("registries = [\"https://a.example\"]\n", "not a host"),
            ("namespace = \"a:b\"\n", "a namespace is"),
            ("[", "line 1"),
        ] {
            let failure = load(text).unwrap_err().to_string();
            assert!(
                failure.contains(reason) && failure.contains("config.toml"),
                "{text}: {failure}"
            );
        }
    }

    #[test]
    fn a_named_file_must_exist_and_be_of_a_sane_size() {
        let missing = [(environment::CONFIG, "/nonexistent/config.toml")]
            .into_iter()
            .collect();
        let failure = Settings::load(&missing, None, None)
            .unwrap_err()
            .to_string();
        assert!(failure.contains("/nonexistent/config.toml"), "{failure}");
        let huge = load(&format!("# {}\n", "x".repeat(1024 * 1024)))
            .unwrap_err()
            .to_string();
        assert!(huge.contains("larger than 1 MiB"), "{huge}");
    }

    #[test]
    fn an_impossible_value_in_the_environment_is_named() {
        for (name, value, reason) in [
            (environment::KEYCHAIN, "pass", "secret-service"),
            (environment::NAMESPACE, "a b", "1 to 64"),
            (
                environment::IAM_ENDPOINT,
                "http://iam.cloud.ibm.com",
                "https://",
            ),
            (environment::BACKGROUND_REFRESH, "no", "true or false"),
            (
                environment::SOURCE,
                "cli",
                "compute-resource-token, credentials-file, environment, ibmcloud, login, power-vs, registry-token, vpc",
            ),
            (environment::PROFILE, "team-a", "no profile"),
        ] {
            let environment = [(name, value)].into_iter().collect();
            let failure = Settings::load(&environment, None, None)
                .unwrap_err()
                .to_string();
            assert!(
                failure.contains(&format!("${name} ")) && failure.contains(reason),
                "{failure}"
            );
        }
    }

    #[test]
    fn what_is_wrong_in_a_profile_or_a_mapping_is_named_with_its_place() {
        let name = "x".repeat(65);
        for (text, place, reason) in [
            ("[profile.a]\nsourc = 1\n", "line 2, column 1", "`source`"),
            ("[profile.a]\nsource = 1\n", "line 2, column 10", "string"),
            (
                "[profile.a]\nsource = \"cli\"\n",
                "line 2, column 10",
                "ibmcloud",
            ),
            ("[profile.\"a b\"]\n", "line 1, column 10", "1 to 64"),
            (
                &format!("[profile.{name}]\n"),
                "line 1, column 10",
                "1 to 64",
            ),
            ("[profile.a]\n[profile.a]\n", "line 2", "duplicate"),
            ("profile = 5\n", "line 1, column 11", "table"),
            (
                "[profile.a]\ncredential = \"iam\"\n",
                "line 2, column 14",
                "iamrefresh",
            ),
            (
                "[profile.a]\nprivate-endpoints = 1\n",
                "line 2, column 21",
                "true or false",
            ),
            (
                "[profile.a]\niam-endpoint = \"http://a.example\"\n",
                "line 2, column 16",
                "https",
            ),
            (
                "[profile.a]\nprivate-endpoints = true\niam-endpoint = \"https://a.example\"\n",
                "line 3, column 16",
                "both",
            ),
            (
                "[profile.a]\naccount = \"1\"\n",
                "line 2, column 11",
                "trusted-profile",
            ),
            (
                "[profile.a]\ntrusted-profile = \"Profile-1\"\naccount = \"1\"\n",
                "line 3, column 11",
                "by its name",
            ),
            (
                "[profile.a]\ntrusted-profile = \"x\"\naccount = \"\"\n",
                "line 3, column 11",
                "empty",
            ),
            (
                "[profile.a]\ntrusted-profile = \"\"\n",
                "line 2, column 19",
                "empty",
            ),
            (
                "[profile.a]\nfile = \"/a\"\n",
                "line 2, column 8",
                "needs a source",
            ),
            (
                "[profile.a]\nsource = \"vpc\"\nfile = \"/a\"\n",
                "line 3, column 8",
                "vpc reads no file",
            ),
            (
                "[profile.a]\nsource = \"credentials-file\"\nfile = \"a\"\n",
                "line 3, column 8",
                "must be absolute",
            ),
            (
                "[profile.a]\nsource = \"credentials-file\"\nfile = \"~/a\"\n",
                "line 3, column 8",
                "is not set",
            ),
            (
                "[registry.\"us.icr.io\"]\nprofil = \"a\"\n",
                "line 2, column 1",
                "`profile`",
            ),
            (
                "[profile.team-a]\n[registry.\"us.icr.io\"]\nprofile = \"teamA\"\n",
                "line 3, column 11",
                "did you mean `team-a`?",
            ),
            (
                "[registry.\"us.icr.io\"]\n[registry.\"https://US.icr.io/v2/\"]\n",
                "line 2, column 11",
                "us.icr.io, which has",
            ),
            (
                "[registry.\"z.us.icr.io\"]\n[registry.us.icr.io]\n",
                "line 2",
                "",
            ),
            (
                "[registry.\"eu9.icr.io\"]\n",
                "line 1, column 11",
                "`registries`",
            ),
            (
                "[registry.\"*.icr.io\"]\n",
                "line 1, column 11",
                "no registry host",
            ),
            (
                "registries = [\"a.example\", \"a.example\"]\n",
                "line 1, column 28",
                "twice",
            ),
            (
                "registries = [\"a.example\", 5]\n",
                "line 1, column 28",
                "integer",
            ),
            (
                "deadline = -1\n",
                "line 1, column 12",
                "-1, which is not between",
            ),
            ("deadline = 99999999999999999999\n", "line 1", ""),
            ("# é\n\"é\" = 1\n", "line 2, column 1", "choose one of"),
        ] {
            let failure = load(text).unwrap_err().to_string();
            assert!(
                failure.contains(place) && failure.contains(reason),
                "{text}: {failure}"
            );
        }
    }

    /// Two accounts side by side, and what belongs to each source.
    const TWO_ACCOUNTS: &str = r#"
        registries = ["eu9.icr.io"]
        [profile.team-a]
        source = "login"
        trusted-profile = "builders"
        account = "1a2b"
        private-endpoints = true
        credential = "iamrefresh"
        [profile.team-b]
        source = "credentials-file"
        file = "~/b.env"
        iam-endpoint = "https://iam.example.com"
        [registry."https://US.icr.io/v2/"]
        profile = "team-a"
        [registry."stg.icr.io"]
        profile = "team-a"
        [registry."eu9.icr.io"]
        profile = "team-b"
        [registry."de.icr.io"]
    "#;

    fn load_with(text: &str, variables: &[(&str, &str)]) -> Settings {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        write_own(&path, text);
        let home = if cfg!(windows) { r"C:\home" } else { "/home/x" };
        let path = path.to_str().unwrap().to_owned();
        let all = [(environment::CONFIG, &*path), (environment::HOME, home)];
        let environment = all.iter().chain(variables).copied().collect();
        Settings::load(&environment, None, None).unwrap()
    }

    fn at(host: &str) -> Registry {
        Registry::parse(host).unwrap()
    }

    #[test]
    fn each_registry_has_the_choice_of_its_profile() {
        let settings = load_with(TWO_ACCOUNTS, &[]);
        let a = settings.profile("team-a");
        let us = settings.choice(&at("us.icr.io"));
        assert_eq!(us.profile, a);
        assert_eq!(us.source, Some(SourceName::Login));
        assert_eq!(us.iam_endpoint, Some(Endpoint::private()));
        assert_eq!(us.credential, CredentialKind::RefreshToken);
        let builders = TrustedProfile::Name {
            name: "builders".into(),
            account: Some("1a2b".into()),
        };
        assert_eq!(us.trusted_profile, Some(&builders));
        let staging = settings.choice(&at("stg.icr.io"));
        assert_eq!(staging.profile, a);
        assert_eq!(staging.iam_endpoint, None, "staging keeps its own IAM");
        let eu9 = settings.choice(&at("eu9.icr.io"));
        let moved = Endpoint::parse("https://iam.example.com").unwrap();
        assert_eq!(eu9.iam_endpoint, Some(moved));
        let home = Path::new(if cfg!(windows) { r"C:\home" } else { "/home/x" });
        assert_eq!(eu9.file, Some(&*home.join("b.env")));
        for host in ["de.icr.io", "uk.icr.io"] {
            let nothing = Choice {
                profile: None,
                source: None,
                iam_endpoint: None,
                credential: CredentialKind::AccessToken,
                trusted_profile: None,
                file: None,
            };
            assert_eq!(settings.choice(&at(host)), nothing, "{host}");
        }
    }

    #[test]
    fn variables_are_stronger_than_profiles() {
        let endpoint = (environment::IAM_ENDPOINT, "https://elsewhere.example.com");
        let settings = load_with(
            TWO_ACCOUNTS,
            &[
                (environment::PROFILE, "team-b"),
                (environment::SOURCE, "vpc"),
                endpoint,
            ],
        );
        for host in ["us.icr.io", "de.icr.io", "eu9.icr.io"] {
            let choice = settings.choice(&at(host));
            assert_eq!(choice.profile, settings.chosen_profile());
            assert_eq!(choice.profile, settings.profile("team-b"));
            assert_eq!(choice.source, Some(SourceName::Vpc));
            assert_eq!(choice.file, None, "the file is not one of vpc's");
            assert_eq!(choice.iam_endpoint.unwrap().base(), endpoint.1);
        }
        let same_source = [
            (environment::PROFILE, "team-b"),
            (environment::SOURCE, "credentials-file"),
        ];
        let settings = load_with(TWO_ACCOUNTS, &same_source);
        assert!(settings.choice(&at("de.icr.io")).file.is_some());
    }

    /// A directory with settings as `/etc` and `~/.config` have them.
    fn directory_with(text: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        write_own(&directory.path().join(PROGRAM).join("config.toml"), text);
        directory
    }

    #[test]
    fn the_users_file_is_laid_over_the_systems() {
        let system = directory_with(
            r#"
            deadline = 30
            attempt-timeout = 3
            registries = ["a.example", "b.example"]
            profile.shared.source = "vpc"
            profile.changed = { source = "vpc", credential = "iamapikey" }
            registry."us.icr.io".profile = "changed"
            registry."de.icr.io".profile = "shared"
            registry."c.example".profile = "shared"
            "#,
        );
        let user = directory_with(
            r#"
            deadline = 40
            working-directory-credentials = true
            background-refresh = false
            registries = ["b.example", "c.example"]
            profile.changed.source = "login"
            registry."US.icr.io" = {}
            registry."uk.icr.io".profile = "shared"
            "#,
        );
        let environment = Environment::default();
        let load = |user, system| Settings::load(&environment, user, system);
        let failure = load(None, Some(system.path())).unwrap_err().to_string();
        assert!(failure.contains("c.example"), "{failure}");
        let settings = load(Some(user.path()), Some(system.path())).unwrap();
        assert_eq!(settings.limits.deadline, Duration::from_secs(40));
        assert_eq!(settings.limits.attempt, Duration::from_secs(3));
        assert!(settings.working_directory_credentials && !settings.background_refresh);
        let hosts: Vec<&str> = settings.registries.iter().map(Registry::host).collect();
        assert_eq!(hosts, ["a.example", "b.example", "c.example"]);
        let changed = settings.profile("changed").unwrap();
        assert_eq!(changed.source, Some(SourceName::Login));
        assert_eq!(changed.credential, CredentialKind::AccessToken);
        let of = |host| settings.choice(&at(host)).profile.map(|it| &*it.name);
        assert_eq!(of("us.icr.io"), None, "the user's table has none");
        for host in ["de.icr.io", "uk.icr.io", "c.example"] {
            assert_eq!(of(host), Some("shared"), "{host}");
        }
        let path = |directory: &tempfile::TempDir| {
            DefinedIn::File(directory.path().join(PROGRAM).join("config.toml"))
        };
        for (key, origin) in [
            ("deadline", path(&user)),
            ("attempt-timeout", path(&system)),
            ("connect-timeout", DefinedIn::Default),
            ("profile.shared", path(&system)),
            ("profile.changed", path(&user)),
            ("registry.us.icr.io", path(&user)),
            ("registry.de.icr.io", path(&system)),
            ("registries.a.example", path(&system)),
            ("registries.c.example", path(&user)),
        ] {
            assert_eq!(settings.origin(key), &origin, "{key}");
        }
    }

    #[test]
    fn a_broken_system_file_is_named_and_a_named_file_is_the_only_one() {
        let system = directory_with("deadlin = 5\n");
        let environment = Environment::default();
        let failure = Settings::load(&environment, None, Some(system.path()));
        let failure = failure.unwrap_err().to_string();
        assert!(failure.contains(&system.path().display().to_string()));
        assert!(failure.contains("did you mean `deadline`?"), "{failure}");
        let other = directory_with("deadline = 7\n");
        let path = other.path().join(PROGRAM).join("config.toml");
        let named = [(environment::CONFIG, path)].into_iter().collect();
        let settings = Settings::load(&named, None, Some(system.path())).unwrap();
        assert_eq!(settings.limits.deadline, Duration::from_secs(7));
        assert_eq!(settings.files().len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed_and_one_that_leads_nowhere_is_told() {
        let directory = directory_with("deadline = 7\n");
        let folder = directory.path().join(PROGRAM);
        let path = folder.join("config.toml");
        let real = folder.join("real.toml");
        std::fs::rename(&path, &real).unwrap();
        std::os::unix::fs::symlink(&real, &path).unwrap();
        let environment = Environment::default();
        let settings = Settings::load(&environment, Some(directory.path()), None).unwrap();
        assert_eq!(settings.limits.deadline, Duration::from_secs(7));
        std::fs::remove_file(&real).unwrap();
        let failure = Settings::load(&environment, Some(directory.path()), None);
        assert!(failure.unwrap_err().to_string().contains("cannot be read"));
    }
}
