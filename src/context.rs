//! What the program can reach: time, environment, files, network, keychains, the terminal
//! and the standard streams.

use std::io::Read;
use std::io::Write;
use std::path::PathBuf;

use ring::rand::SecureRandom;

use crate::credentials::Renewal;
use crate::environment::Environment;
use crate::error::Result;
use crate::http::transport::Transport;
use crate::keychain::KeychainError;
use crate::keychain::Keychains;
use crate::keychain::Prompting;
use crate::keychain::older::OlderLogins;
use crate::lock::LockDirectory;
use crate::settings::Settings;
use crate::sources::SystemPaths;
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
    pub older_logins: &'a OlderLogins<'a>,
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
    /// Gets the next token in the background.
    pub renewal: &'a dyn Renewal,
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
