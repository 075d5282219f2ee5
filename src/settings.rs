//! The settings file and the environment, made into one value. Nothing here
//! knows a network or a keychain.

use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use serde::Deserialize;

use crate::environment;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::failure::Result;
use crate::iam::endpoint::Endpoint;
use crate::protocol::PROGRAM;
use crate::registry::Registry;

/// The most a settings file may hold, in bytes.
const FILE_LIMIT: u64 = 1024 * 1024;

/// The longest deadline, in seconds: clients of their own give up long before.
const LONGEST_LIMIT: u64 = 600;

/// Everything that may be chosen, with what holds when nothing is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Where secrets rest.
    pub keychain: KeychainChoice,
    /// Registries beyond those this program knows.
    pub registries: Vec<Registry>,
    /// Separates sets of stored items from each other; `default` unless named.
    pub namespace: String,
    /// Where IAM is, when it has been moved.
    pub iam_endpoint: Option<Endpoint>,
    /// How long IAM may take.
    pub limits: Limits,
}

/// How long things may take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// A whole `get`, 20 s unless set.
    pub deadline: Duration,
    /// Connecting to IAM once, 5 s unless set.
    pub connect: Duration,
    /// Asking IAM once, 10 s unless set.
    pub attempt: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(20),
            connect: Duration::from_secs(5),
            attempt: Duration::from_secs(10),
        }
    }
}

/// The keychain that `ICR_KEYCHAIN` or `keychain = "…"` names.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
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

impl KeychainChoice {
    const NAMES: &str = "auto, kernel, macos, none, secret-service, windows";

    fn named(name: &str) -> Option<Self> {
        use serde::de::IntoDeserializer;
        use serde::de::value::Error;
        let name: serde::de::value::StrDeserializer<'_, Error> = name.into_deserializer();
        Self::deserialize(name).ok()
    }
}

/// The file as it is written. Every key may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    keychain: Option<KeychainChoice>,
    registries: Option<Vec<String>>,
    namespace: Option<String>,
    deadline: Option<u64>,
    connect_timeout: Option<u64>,
    attempt_timeout: Option<u64>,
}

impl Settings {
    /// Reads the settings file, if there is one, and what the environment says
    /// on top of it. `config_directory` is the user's (`~/.config` on Linux).
    ///
    /// # Errors
    /// The file cannot be read or understood, `ICR_CONFIG` names one that does
    /// not exist, or a value is not a possible one.
    pub fn load(environment: &Environment, config_directory: Option<&Path>) -> Result<Self> {
        let settings = match path_of_file(environment, config_directory)? {
            None => Self::from_file(File::default())?,
            Some(path) => Self::in_file(&path)?,
        };
        settings.with_environment(environment)
    }

    fn in_file(path: &Path) -> Result<Self> {
        let fail =
            |reason: String| Failure::act(format!("the settings file {} {reason}", path.display()));
        let text = read_file(path).map_err(|error| fail(format!("cannot be read ({error})")))?;
        let file = toml::from_str(&text).map_err(|error| fail(place_of(&error, &text)))?;
        Self::from_file(file).map_err(|failure| fail(format!("is wrong: {failure}")))
    }

    fn from_file(file: File) -> Result<Self> {
        let limits = Limits::default();
        Ok(Self {
            keychain: file.keychain.unwrap_or_default(),
            registries: further_registries(file.registries.unwrap_or_default())?,
            namespace: namespace(file.namespace.as_deref().unwrap_or("default"))?,
            iam_endpoint: None,
            limits: Limits {
                deadline: limit("deadline", file.deadline, limits.deadline)?,
                connect: limit("connect-timeout", file.connect_timeout, limits.connect)?,
                attempt: limit("attempt-timeout", file.attempt_timeout, limits.attempt)?,
            },
        })
    }

    fn with_environment(mut self, environment: &Environment) -> Result<Self> {
        if let Some(name) = environment.text(environment::KEYCHAIN)? {
            self.keychain = KeychainChoice::named(name).ok_or_else(|| {
                Failure::act(format!(
                    "${} is {name:?}, which is no keychain; choose one of {}",
                    environment::KEYCHAIN,
                    KeychainChoice::NAMES
                ))
            })?;
        }
        if let Some(name) = environment.text(environment::NAMESPACE)? {
            self.namespace = namespace(name).map_err(|failure| {
                Failure::act(format!("${}: {failure}", environment::NAMESPACE))
            })?;
        }
        if let Some(url) = environment.text(environment::IAM_ENDPOINT)? {
            self.iam_endpoint = Some(Endpoint::parse(url).map_err(|reason| {
                Failure::act(format!("${} {reason}", environment::IAM_ENDPOINT))
            })?);
        }
        Ok(self)
    }
}

fn path_of_file(environment: &Environment, directory: Option<&Path>) -> Result<Option<PathBuf>> {
    if let Some(path) = environment.text(environment::CONFIG)? {
        return Ok(Some(PathBuf::from(path)));
    }
    let Some(directory) = directory else {
        return Ok(None);
    };
    let path = directory.join(PROGRAM).join("config.toml");
    match path.try_exists() {
        Ok(true) => Ok(Some(path)),
        Ok(false) => Ok(None),
        Err(error) => Err(Failure::act(format!(
            "the settings file {} cannot be reached ({error})",
            path.display()
        ))),
    }
}

fn read_file(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(FILE_LIMIT + 1)
        .read_to_string(&mut text)?;
    ensure!(text.len() as u64 <= FILE_LIMIT, "it is larger than 1 MiB");
    Ok(text)
}

/// What is wrong and where, on one line; `toml` would print a picture of it.
fn place_of(error: &toml::de::Error, text: &str) -> String {
    let before = error
        .span()
        .and_then(|span| text.get(..span.start))
        .unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    format!(
        "is wrong at line {line}, column {column}: {}",
        error.message()
    )
}

fn further_registries(names: Vec<String>) -> Result<Vec<Registry>> {
    names
        .into_iter()
        .map(|name| {
            Registry::parse(&name)
                .filter(|registry| registry.host() == name)
                .ok_or_else(|| {
                    Failure::act(format!(
                        "registries names {name:?}, which is not a host in lower case"
                    ))
                })
        })
        .collect()
}

/// A namespace stands in attributes and key descriptions, which anybody may see
/// and some of which end at a colon.
fn namespace(name: &str) -> Result<String> {
    let fits = !name.is_empty()
        && name.len() <= 64
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    match fits {
        true => Ok(name.to_owned()),
        false => Err(Failure::act(
            "a namespace is 1 to 64 letters, digits, `-`, `_` or `.`",
        )),
    }
}

fn limit(name: &str, seconds: Option<u64>, default: Duration) -> Result<Duration> {
    match seconds {
        None => Ok(default),
        Some(seconds @ 1..=LONGEST_LIMIT) => Ok(Duration::from_secs(seconds)),
        Some(seconds) => Err(Failure::act(format!(
            "{name} is {seconds}, which is not between 1 and {LONGEST_LIMIT} seconds"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Settings> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        let environment = [(environment::CONFIG, path)].into_iter().collect();
        Settings::load(&environment, None)
    }

    #[test]
    fn without_a_file_the_defaults_hold() {
        let settings =
            Settings::load(&Environment::default(), Some(Path::new("/nonexistent"))).unwrap();
        assert_eq!(settings.keychain, KeychainChoice::Auto);
        assert_eq!(settings.limits.deadline, Duration::from_secs(20));
        assert_eq!(settings, load("").unwrap(), "an empty file changes nothing");
    }

    #[test]
    fn the_environment_is_stronger_than_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("docker-credential-icr");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(
            folder.join("config.toml"),
            "keychain = \"kernel\"\nregistries = [\"eu9.icr.io\", \"localhost:5000\"]\ndeadline = 5\nnamespace = \"a\"\n",
        )
        .unwrap();
        let file = Settings::load(&Environment::default(), Some(directory.path())).unwrap();
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
        let both = Settings::load(&environment, Some(directory.path())).unwrap();
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
        let failure = Settings::load(&missing, None).unwrap_err().to_string();
        assert!(failure.contains("/nonexistent/config.toml"), "{failure}");
        let huge = load(&format!("# {}\n", "x".repeat(1024 * 1024)))
            .unwrap_err()
            .to_string();
        assert!(huge.contains("larger than 1 MiB"), "{huge}");
    }

    #[test]
    fn an_impossible_value_in_the_environment_is_named() {
        for (name, value) in [
            (environment::KEYCHAIN, "pass"),
            (environment::NAMESPACE, "a b"),
            (environment::IAM_ENDPOINT, "http://iam.cloud.ibm.com"),
        ] {
            let environment = [(name, value)].into_iter().collect();
            let failure = Settings::load(&environment, None).unwrap_err().to_string();
            assert!(failure.contains(name), "{failure}");
        }
    }
}
