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
use crate::http::OutageMarks;
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
#[derive(Clone)]
pub struct Context<'a> {
    /// The clock.
    pub clock: &'a dyn Clock,
    /// The directory of users' settings on this system.
    pub config_directory: Option<PathBuf>,
    /// The environment variables.
    pub environment: &'a Environment,
    /// The locks between processes of this user.
    pub locks: LockDirectory,
    /// Returns the name of this machine.
    pub machine_name: &'a dyn Fn() -> Option<String>,
    /// Returns the logins of an older program of the same name.
    pub legacy_logins: &'a LegacyLogins<'a>,
    /// Opens the keychains that the settings select.
    pub open_keychains: &'a dyn Fn(&Settings, Prompting) -> Result<Keychains, KeychainError>,
    /// Returns the arguments of the client that started the program, with its name; none if
    /// the system does not show them.
    pub parent_arguments: &'a dyn Fn() -> Vec<String>,
    /// Recent outages, shared by the processes of this user.
    pub outage_marks: OutageMarks,
    /// The paths of other programs' files.
    pub system_paths: SystemPaths,
    /// Returns the path of this program.
    pub program: &'a dyn Fn() -> Option<PathBuf>,
    /// Returns random bits, not for secrets.
    pub random: &'a dyn Fn() -> u64,
    /// Starts a process that gets the next token for a registry. Returns whether it was
    /// started.
    pub start_background_refresh: &'a dyn Fn(&Registry) -> bool,
    /// The source of random bits for secrets.
    pub secure_random: &'a dyn SecureRandom,
    /// The directory of programs' persistent data on this system.
    pub state_directory: Option<PathBuf>,
    /// The directory of the settings for all users on this system.
    pub system_config_directory: Option<PathBuf>,
    /// The terminal of the person who runs a command.
    pub terminal: &'a dyn Terminal,
    /// Sends HTTP requests.
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
    /// Whether standard output is a terminal.
    pub output_is_terminal: bool,
    /// Returns whether standard output is a file that other users can read.
    pub output_is_readable_by_others: &'a dyn Fn() -> bool,
}

/// The paths of files that other programs write.
#[derive(Clone, Debug)]
pub struct SystemPaths {
    /// The user's home directory.
    pub home: Option<PathBuf>,
    /// The root directory; another one in tests.
    pub root: PathBuf,
    /// The directory in which the program was started.
    pub working_directory: PathBuf,
}

impl SystemPaths {
    /// Returns the path with the home directory instead of `~/`.
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

    /// Returns the registry at an address, and the settings; `None` if it is not an IBM Cloud
    /// registry. Invalid settings are no error for other registries.
    ///
    /// # Errors
    /// See [`Settings::load`].
    pub fn registry(&self, address: &str) -> Result<Option<(Registry, Settings)>> {
        match self.settings() {
            Ok(settings) => {
                let registry = Registry::at(address, &settings.registries);
                Ok(registry.map(|registry| (registry, settings)))
            }
            Err(error) => {
                let registry = Registry::parse(address);
                if registry
                    .is_some_and(|it| Registry::at(address, &[]).is_some() || self.may_add(&it))
                {
                    Err(error)
                } else {
                    Ok(None)
                }
            }
        }
    }

    /// Returns whether settings that cannot be loaded may add this registry.
    fn may_add(&self, registry: &Registry) -> bool {
        Settings::mention(
            registry.host(),
            self.environment,
            self.config_directory.as_deref(),
            self.system_config_directory.as_deref(),
        )
    }

    /// Returns the settings that deleting logins needs. If the settings cannot be loaded, these are
    /// the keychain and the namespace, and the error is returned with them.
    ///
    /// # Errors
    /// The keychain or the namespace is invalid.
    pub fn settings_for_deletion(&self) -> Result<(Settings, Option<Error>)> {
        self.settings()
            .map(|settings| (settings, None))
            .or_else(|error| self.login_place(error))
    }

    /// Returns the settings that deleting logins needs, although all of them cannot be loaded, and
    /// the error.
    ///
    /// # Errors
    /// The keychain or the namespace is invalid.
    pub fn login_place(&self, error: Error) -> Result<(Settings, Option<Error>)> {
        let settings = Settings::with_login_place(
            self.environment,
            self.config_directory.as_deref(),
            self.system_config_directory.as_deref(),
        );
        match settings {
            Some(settings) => Ok((settings, Some(error))),
            None => Err(error),
        }
    }

    /// Opens the keychains that the settings select.
    ///
    /// # Errors
    /// The selected one does not exist on this system.
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
    /// The keychains that the settings select.
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

    /// Opens the keychains that these settings select.
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
    /// Creates a context without files of other programs, keychains and background processes.
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
            outage_marks: OutageMarks::NONE,
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
