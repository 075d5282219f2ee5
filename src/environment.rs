//! The environment variables as the program is given them, and their names.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsString;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use anyhow::anyhow;
use anyhow::ensure;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::error::Result;
use crate::fs;
use crate::secret::Secret;
use crate::text::repeatable;
use crate::time::run_with_timeout;

/// API key variables in the order in which they are asked: IBM Cloud CLI
/// (`bluemix/env.go`) first, then the Terraform provider's own, then the old name.
pub const API_KEY_VARIABLES: [&str; 3] = ["IBMCLOUD_API_KEY", "IC_API_KEY", "BLUEMIX_API_KEY"];

/// Moves IAM somewhere else; the Terraform provider's name for it.
pub const IAM_ENDPOINT: &str = "IBMCLOUD_IAM_API_ENDPOINT";

/// Names the keychain: see [`crate::settings::KeychainChoice`].
pub const KEYCHAIN: &str = "ICR_KEYCHAIN";

/// Names another settings file.
pub const CONFIG: &str = "ICR_CONFIG";

/// Chooses a profile of the settings file for every registry.
pub const PROFILE: &str = "ICR_PROFILE";

/// Forces one source of identity: see [`crate::settings::SourceName`].
pub const SOURCE: &str = "ICR_SOURCE";

/// Whether tokens are fetched anew in the background: `true` or `false`.
pub const BACKGROUND_REFRESH: &str = "ICR_BACKGROUND_REFRESH";

/// The user's home directory, which `~/` stands for in a settings file.
pub const HOME: &str = if cfg!(windows) { "USERPROFILE" } else { "HOME" };

/// Names a program that shows pages (`xdg-open` asks it).
pub const BROWSER: &str = "BROWSER";

/// Names the screen of an X11 desktop.
pub const DISPLAY: &str = "DISPLAY";

/// Names the screen of a Wayland desktop.
pub const WAYLAND_DISPLAY: &str = "WAYLAND_DISPLAY";

/// The machine's name, which Windows sets.
pub const COMPUTER_NAME: &str = "COMPUTERNAME";

/// Separates the items of this environment from all others in the same keychain.
pub const NAMESPACE: &str = "ICR_NAMESPACE";

/// Turns the log on, on stderr: `error`, `warn`, `info`, `debug` or `trace`.
pub const LOG: &str = "ICR_LOG";

/// Turns the log on, into the file of this path, at the level of [`LOG`] or else
/// `debug`.
pub const LOG_FILE: &str = "ICR_LOG_FILE";

/// Turns colours off on a terminal (no-color.org).
pub const NO_COLOR: &str = "NO_COLOR";

/// The kind of the terminal; `dumb` is one without colours.
pub const TERM: &str = "TERM";

/// How many characters fit on a line, where somebody says so.
pub const COLUMNS: &str = "COLUMNS";

/// A PEM file of further trusted certificate authorities (OpenSSL's name for it).
pub const CERTIFICATE_FILE: &str = "SSL_CERT_FILE";

/// Holds a compute resource token, or `@file` (IBM Cloud CLI, `env_var_cli.md`).
pub const COMPUTE_RESOURCE_TOKEN: &str = "IBMCLOUD_CR_TOKEN";

/// Names the trusted profile for a compute resource, by ID, name or CRN.
pub const COMPUTE_RESOURCE_PROFILE: &str = "IBMCLOUD_CR_PROFILE";

/// Moves the metadata service of a VPC virtual server.
pub const VPC_URL: &str = "IBMCLOUD_CR_VPC_URL";

/// Moves the metadata service of a Power Virtual Server.
pub const POWER_VS_URL: &str = "IBMCLOUD_CR_PVS_URL";

/// Access tokens, in the order of the Terraform provider (`bluemix-go`,
/// `session.go`), which also named the four lists below.
pub const ACCESS_TOKEN_VARIABLES: [&str; 2] = ["IC_IAM_TOKEN", "IBMCLOUD_IAM_TOKEN"];

/// Refresh tokens.
pub const REFRESH_TOKEN_VARIABLES: [&str; 2] =
    ["IC_IAM_REFRESH_TOKEN", "IBMCLOUD_IAM_REFRESH_TOKEN"];

/// The trusted profile to assume, by ID.
pub const PROFILE_ID_VARIABLES: [&str; 2] = ["IC_IAM_PROFILE_ID", "IBMCLOUD_IAM_PROFILE_ID"];

/// The trusted profile to assume, by name.
pub const PROFILE_NAME_VARIABLES: [&str; 2] = ["IC_IAM_PROFILE_NAME", "IBMCLOUD_IAM_PROFILE_NAME"];

/// The account of a trusted profile that is named.
pub const ACCOUNT_ID_VARIABLES: [&str; 2] = ["IC_ACCOUNT_ID", "IBMCLOUD_ACCOUNT_ID"];

/// Names IBM's credentials file (`go-sdk-core`, `core/config_utils.go`).
pub const CREDENTIALS_FILE: &str = "IBM_CREDENTIALS_FILE";

/// The IBM Cloud CLI's own directory (`ibm-cloud-cli-sdk`,
/// `bluemix/configuration/config_helpers/helpers.go`).
pub const CLI_CONFIG_HOME: &str = "IBMCLOUD_CONFIG_HOME";

/// What the IBM Cloud CLI takes for the home directory.
pub const CLI_HOME_VARIABLES: [&str; 2] = ["IBMCLOUD_HOME", "BLUEMIX_HOME"];

/// The most that is read from an `@file`: a key is 44 characters, and a path
/// typed wrong may name something endless.
const MAX_SECRET_FILE_SIZE: u64 = 64 * 1024;

/// How long reading an `@file` may take: it may be a pipe that nobody writes to.
const SECRET_FILE_TIMEOUT: Duration = Duration::from_secs(3);

/// The environment variables, read once.
#[derive(Default)]
pub struct Environment {
    variables: HashMap<OsString, OsString>,
    // A pipe can be read once.
    secret_files: RefCell<HashMap<String, Result<Secret>>>,
}

impl Environment {
    /// What this process was started with.
    #[expect(clippy::disallowed_methods, reason = "the environment comes from here")]
    pub fn of_process() -> Self {
        Self {
            variables: std::env::vars_os().collect(),
            secret_files: RefCell::default(),
        }
    }

    /// The variable's text; an empty one counts as unset, as in IBM's own tools.
    ///
    /// # Errors
    /// The value is not UTF-8.
    pub fn text(&self, name: &str) -> Result<Option<&str>> {
        match self.variables.get(std::ffi::OsStr::new(name)) {
            None => Ok(None),
            Some(value) => match value.to_str() {
                Some("") => Ok(None),
                Some(text) => Ok(Some(text)),
                None => Err(Error::user(format!("${name} is not UTF-8 text"))),
            },
        }
    }

    /// The names of all variables, without those that are no text.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().filter_map(|name| name.to_str())
    }

    /// Whether the variable is set to something.
    pub fn has(&self, name: &str) -> bool {
        self.variables
            .get(std::ffi::OsStr::new(name))
            .is_some_and(|value| !value.is_empty())
    }

    /// The variable's secret: its value, or the trimmed content of the file that
    /// `@path` names (IBM Cloud CLI, `env_var_cli.md`).
    ///
    /// # Errors
    /// The value is not UTF-8 or blank, or the file cannot be read, is empty or too large.
    pub fn secret(&self, name: &str) -> Result<Option<Secret>> {
        match self.text(name)? {
            None => Ok(None),
            Some(value) => match value.strip_prefix('@') {
                None => match value.trim() {
                    "" => Err(Error::user(format!("${name} contains only spaces"))
                        .with_hint("Set the variable to a secret, or unset it")),
                    secret => Ok(Some(Secret::new(secret))),
                },
                Some(path) => {
                    let mut files = self.secret_files.borrow_mut();
                    let secret = files.entry(path.to_owned());
                    secret
                        .or_insert_with(|| secret_in_file(name, path))
                        .clone()
                        .map(Some)
                }
            },
        }
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Self {
            variables: variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            secret_files: RefCell::default(),
        }
    }
}

/// Prints names only: values may be secrets.
impl std::fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_set()
            .entries(self.variables.keys())
            .finish()
    }
}

/// The trimmed content of a file that holds one secret, within three seconds. It may be a
/// pipe, as `<(command)` of a shell is, if somebody has it open to write to it.
///
/// # Errors
/// It cannot be read, is empty or too large, or is no text.
pub(crate) fn secret_file(path: &Path) -> anyhow::Result<Secret> {
    let path = path.to_owned();
    run_with_timeout(SECRET_FILE_TIMEOUT, move || read_secret(&path))
        .unwrap_or_else(|| Err(anyhow!("it cannot be read in time")))
}

fn secret_in_file(variable: &str, path: &str) -> Result<Secret> {
    secret_file(Path::new(path)).map_err(|error| {
        let path = repeatable::path(path);
        Error::user(format!(
            "${variable} names the file {path}, which has no key ({error})"
        ))
        .with_hint("Name a file that has the key, or set the variable to the key")
    })
}

fn read_secret(path: &Path) -> anyhow::Result<Secret> {
    let mut text = Zeroizing::new(String::new());
    fs::open_waiting_for_writers(path)?
        .take(MAX_SECRET_FILE_SIZE + 1)
        .read_to_string(&mut text)?;
    ensure!(text.len() as u64 <= MAX_SECRET_FILE_SIZE, "it is too large");
    let key = text.trim();
    ensure!(!key.is_empty(), "it is empty");
    Ok(Secret::new(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_value_or_the_trimmed_content_of_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        std::fs::write(&path, "from-file\n").unwrap();
        let environment: Environment = [
            ("PLAIN", "key".to_owned()),
            ("FILE", format!("@{}", path.display())),
            ("EMPTY", String::new()),
            ("BLANK", " \n".to_owned()),
        ]
        .into_iter()
        .collect();
        assert_eq!(environment.secret("PLAIN"), Ok(Some(Secret::new("key"))));
        assert_eq!(
            environment.secret("FILE"),
            Ok(Some(Secret::new("from-file")))
        );
        assert_eq!(environment.secret("EMPTY"), Ok(None), "empty is unset");
        let blank = environment.secret("BLANK").unwrap_err().to_string();
        assert!(blank.contains("$BLANK"), "{blank}");
        assert_eq!(environment.secret("UNSET"), Ok(None));
    }

    #[test]
    fn a_file_that_holds_no_key_is_named_with_its_variable() {
        let directory = tempfile::tempdir().unwrap();
        let empty = directory.path().join("empty");
        std::fs::write(&empty, " \n").unwrap();
        let missing = directory.path().join("missing");
        for (path, reason) in [
            (empty.display().to_string(), "is empty"),
            (missing.display().to_string(), "No such file"),
            ("/dev/zero".to_owned(), "is too large"),
        ] {
            if cfg!(windows) && path == "/dev/zero" {
                continue;
            }
            let environment: Environment = [("KEY", format!("@{path}"))].into_iter().collect();
            let failure = environment.secret("KEY").unwrap_err().to_string();
            assert!(
                failure.contains("$KEY") && failure.contains(reason),
                "{failure}"
            );
        }
    }

    #[test]
    fn its_debug_output_has_no_values() {
        let environment: Environment = [("IBMCLOUD_API_KEY", "hunter2")].into_iter().collect();
        assert!(!format!("{environment:?}").contains("hunter2"));
    }
}
