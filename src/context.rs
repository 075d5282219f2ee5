//! What the program can reach: time, environment, files, network, keychains, the terminal
//! and the standard streams.

use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use ring::rand::SecureRandom;

use crate::environment::Environment;
use crate::error::Error;
use crate::error::Result;
use crate::http::transport::Transport;
use crate::keychain::KeychainError;
use crate::keychain::Keychains;
use crate::keychain::Prompting;
use crate::lock::LockDirectory;
use crate::login::legacy::LegacyLogins;
use crate::registry::Registry;
use crate::settings::Settings;
use crate::terminal::Terminal;
use crate::time::Clock;

/// What the program can reach of the world.
pub struct Context<'a> {
    /// Time.
    pub clock: &'a dyn Clock,
    /// Where a user's settings are, on this system.
    pub config_directory: Option<PathBuf>,
    /// The environment variables.
    pub environment: &'a Environment,
    /// Where this user's processes meet.
    pub locks: LockDirectory,
    /// What this machine is called, if it is called anything.
    pub machine_name: &'a dyn Fn() -> Option<String>,
    /// What an older program of the same name left in the keychain for these
    /// registries.
    pub legacy_logins: &'a LegacyLogins<'a>,
    /// Opens the keychains that the settings choose.
    pub open_keychains: &'a dyn Fn(&Settings, Prompting) -> Result<Keychains, KeychainError>,
    /// The arguments of the client that started the program, its name among them, where
    /// a system tells.
    pub parent_arguments: &'a dyn Fn() -> Vec<String>,
    /// Where other programs leave their files.
    pub system_paths: SystemPaths,
    /// Where this program itself is.
    pub program: &'a dyn Fn() -> Option<PathBuf>,
    /// Random bits, for what is no secret.
    pub random: &'a dyn Fn() -> u64,
    /// Starts a process that gets the next token for a registry. Returns whether it was
    /// started.
    pub start_background_refresh: &'a dyn Fn(&Registry) -> bool,
    /// Random bits that nobody can guess.
    pub secure_random: &'a dyn SecureRandom,
    /// Where programs keep what they have to remember, on this system.
    pub state_directory: Option<PathBuf>,
    /// Where everybody's settings are, on this system.
    pub system_config_directory: Option<PathBuf>,
    /// The person, for commands; clients have none.
    pub terminal: &'a dyn Terminal,
    /// The way to IAM.
    pub transport: &'a dyn Transport,
}

/// The streams of the process.
pub struct Stdio<'a> {
    /// Standard input.
    pub input: &'a mut dyn Read,
    /// Standard output: the protocol's answer and nothing else.
    pub output: &'a mut dyn Write,
    /// Standard error.
    pub error: &'a mut dyn Write,
    /// Whether a person looks at the output.
    pub output_is_terminal: bool,
    /// Whether the output is a file that other users can read.
    pub output_is_readable_by_others: bool,
}

/// Where files are that other programs write.
#[derive(Clone, Debug)]
pub struct SystemPaths {
    /// The user's home directory.
    pub home: Option<PathBuf>,
    /// Below which the system's own paths begin: `/`, but for tests.
    pub root: PathBuf,
    /// Where the program was started.
    pub working_directory: PathBuf,
}

impl SystemPaths {
    /// A path that begins with `~/`, in the home directory.
    pub fn expand(&self, path: &Path) -> PathBuf {
        match (path.strip_prefix("~"), &self.home) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => path.to_owned(),
        }
    }
}

impl Context<'_> {
    /// Reads the settings.
    ///
    /// # Errors
    /// See [`Settings::load`].
    pub fn settings(&self) -> Result<Settings> {
        Settings::load(
            self.environment,
            self.config_directory.as_deref(),
            self.system_config_directory.as_deref(),
        )
    }

    /// Returns the registry at an address, and the settings; `None` if it is not one of
    /// IBM Cloud's. Broken settings are no error for other registries.
    ///
    /// # Errors
    /// See [`Settings::load`].
    pub fn registry(&self, address: &str) -> Result<Option<(Registry, Settings)>> {
        match self.settings() {
            Ok(settings) => {
                let registry = Registry::at(address, &settings.registries);
                Ok(registry.map(|registry| (registry, settings)))
            }
            Err(_) if Registry::at(address, &[]).is_none() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens the keychains that the settings choose.
    ///
    /// # Errors
    /// The chosen one does not exist on this system.
    pub fn keychains(&self, settings: &Settings, prompting: Prompting) -> Result<Keychains> {
        (self.open_keychains)(settings, prompting)
            .map_err(|error| error.into_error("cannot open the keychain", Error::user))
    }
}

/// The settings and the open keychains of one run.
pub struct Session<'a> {
    /// What the program can reach.
    pub context: &'a Context<'a>,
    /// The settings.
    pub settings: Settings,
    /// The keychains that the settings choose.
    pub keychains: Keychains,
}

impl<'a> Session<'a> {
    /// Reads the settings and opens the keychains.
    ///
    /// # Errors
    /// See [`Context::settings`] and [`Context::keychains`].
    pub fn open(context: &'a Context<'a>, prompting: Prompting) -> Result<Self> {
        Self::with_settings(context, context.settings()?, prompting)
    }

    /// Opens the keychains that these settings choose.
    ///
    /// # Errors
    /// See [`Context::keychains`].
    pub fn with_settings(
        context: &'a Context<'a>,
        settings: Settings,
        prompting: Prompting,
    ) -> Result<Self> {
        let keychains = context.keychains(&settings, prompting)?;
        Ok(Self {
            context,
            settings,
            keychains,
        })
    }
}

#[cfg(test)]
static SECURE_RANDOM: std::sync::LazyLock<ring::rand::SystemRandom> =
    std::sync::LazyLock::new(ring::rand::SystemRandom::new);

#[cfg(test)]
impl<'a> Context<'a> {
    /// Creates a context without a terminal's person, files of other programs, keychains or
    /// background processes.
    pub(crate) fn fake(
        clock: &'a dyn Clock,
        environment: &'a Environment,
        locks: LockDirectory,
        terminal: &'a dyn Terminal,
        transport: &'a dyn Transport,
    ) -> Self {
        Self {
            clock,
            config_directory: None,
            environment,
            locks,
            machine_name: &|| Some("laptop".into()),
            legacy_logins: &|_| Ok(Vec::new()),
            open_keychains: &|_, _| Err(KeychainError::Absent("no keychain".into())),
            parent_arguments: &Vec::new,
            program: &|| None,
            random: &|| 0,
            secure_random: &*SECURE_RANDOM,
            start_background_refresh: &|_| false,
            state_directory: None,
            system_config_directory: None,
            system_paths: SystemPaths {
                home: None,
                root: "/nonexistent".into(),
                working_directory: "/nonexistent".into(),
            },
            terminal,
            transport,
        }
    }
}
