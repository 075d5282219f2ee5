//! The environment variables and their names.

pub mod mask;
pub(crate) mod secret_file;

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;

use crate::error::Error;
use crate::error::Result;
use crate::secret::Secret;
use crate::secret::input;
use crate::secret::input::SecretKind;
use crate::secret::input::Unusable;
use crate::text::encoding;
use crate::text::repeatable;

/// The variables with an API key, in the order in which they are read: that of the IBM Cloud
/// CLI (`bluemix/env.go`), that of the Terraform provider, and the old name.
pub const API_KEY_VARIABLES: [&str; 3] = ["IBMCLOUD_API_KEY", "IC_API_KEY", "BLUEMIX_API_KEY"];

/// The URL of IAM, with the name from the Terraform provider.
pub const IAM_ENDPOINT: &str = "IBMCLOUD_IAM_API_ENDPOINT";

/// The keychain: see [`crate::settings::KeychainChoice`].
pub const KEYCHAIN: &str = "ICR_KEYCHAIN";

/// The path of the settings file.
pub const CONFIG: &str = "ICR_CONFIG";

/// The profile of the settings file for all registries.
pub const PROFILE: &str = "ICR_PROFILE";

/// The only source to use: see [`crate::settings::SourceName`].
pub const SOURCE: &str = "ICR_SOURCE";

/// Whether tokens are refreshed in the background: `true` or `false`.
pub const BACKGROUND_REFRESH: &str = "ICR_BACKGROUND_REFRESH";

/// The key of the annotation of a service account with its trusted profile.
pub const SERVICE_ACCOUNT_ANNOTATION: &str = "ICR_SERVICE_ACCOUNT_ANNOTATION";

/// The trusted profile of service accounts without an annotation. It does not change the node's
/// identity, as [`COMPUTE_RESOURCE_PROFILE`] does.
pub const SERVICE_ACCOUNT_PROFILE: &str = "ICR_SERVICE_ACCOUNT_PROFILE";

/// The user's home directory, which replaces `~/` in a settings file.
pub const HOME: &str = if cfg!(windows) { "USERPROFILE" } else { "HOME" };

/// The directory of programs' settings on Windows.
pub const APP_DATA: &str = "APPDATA";

/// The directory of programs' data on this machine, on Windows.
pub const LOCAL_APP_DATA: &str = "LOCALAPPDATA";

/// The variables that together are the home directory of the IBM Cloud CLI on Windows
/// (`ibm-cloud-cli-sdk`, `bluemix/configuration/config_helpers/helpers.go`).
pub const HOME_PARTS: [&str; 2] = ["HOMEDRIVE", "HOMEPATH"];

/// The directory of programs' persistent data (XDG Base Directory Specification).
pub const STATE_HOME: &str = "XDG_STATE_HOME";

/// The browser (used by `xdg-open`).
pub const BROWSER: &str = "BROWSER";

/// The display of an X11 desktop.
pub const DISPLAY: &str = "DISPLAY";

/// The display of a Wayland desktop.
pub const WAYLAND_DISPLAY: &str = "WAYLAND_DISPLAY";

/// The name of the machine, set by Windows.
pub const COMPUTER_NAME: &str = "COMPUTERNAME";

/// The namespace of this environment's items in the keychain.
pub const NAMESPACE: &str = "ICR_NAMESPACE";

/// The level of the log on stderr: `error`, `warn`, `info`, `debug` or `trace`.
pub const LOG: &str = "ICR_LOG";

/// The path of the log file. Its level is that of [`LOG`], or `debug`.
pub const LOG_FILE: &str = "ICR_LOG_FILE";

/// `0`: the output has no colours (bixense.com/clicolors).
pub const CLICOLOR: &str = "CLICOLOR";

/// Disables colours on a terminal (no-color.org).
pub const NO_COLOR: &str = "NO_COLOR";

/// The type of the terminal; `dumb` is one without colours.
pub const TERM: &str = "TERM";

/// The width of the terminal in characters, if it is set.
pub const COLUMNS: &str = "COLUMNS";

/// A PEM file with additional trusted certificate authorities, with the name from OpenSSL.
pub const CERTIFICATE_FILE: &str = "SSL_CERT_FILE";

/// Directories of certificate authorities that replace the system's
/// (`rustls-native-certs`), with the name from OpenSSL.
pub const CERTIFICATE_DIRECTORY: &str = "SSL_CERT_DIR";

/// A compute resource token, or `@file` (IBM Cloud CLI, `env_var_cli.md`).
pub const COMPUTE_RESOURCE_TOKEN: &str = "IBMCLOUD_CR_TOKEN";

/// The trusted profile for a compute resource: its ID, name or CRN.
pub const COMPUTE_RESOURCE_PROFILE: &str = "IBMCLOUD_CR_PROFILE";

/// The URL of the metadata service of a VPC virtual server.
pub const VPC_URL: &str = "IBMCLOUD_CR_VPC_URL";

/// The URL of the metadata service of a Power Virtual Server.
pub const POWER_VS_URL: &str = "IBMCLOUD_CR_PVS_URL";

/// The variables with an access token, in the order of the Terraform provider (`bluemix-go`,
/// `session.go`). The four lists below are also from there.
pub const ACCESS_TOKEN_VARIABLES: [&str; 2] = ["IC_IAM_TOKEN", "IBMCLOUD_IAM_TOKEN"];

/// The variables with a refresh token.
pub const REFRESH_TOKEN_VARIABLES: [&str; 2] =
    ["IC_IAM_REFRESH_TOKEN", "IBMCLOUD_IAM_REFRESH_TOKEN"];

/// The variables with the ID of a trusted profile to assume.
pub const PROFILE_ID_VARIABLES: [&str; 2] = ["IC_IAM_PROFILE_ID", "IBMCLOUD_IAM_PROFILE_ID"];

/// The variables with the name of a trusted profile to assume.
pub const PROFILE_NAME_VARIABLES: [&str; 2] = ["IC_IAM_PROFILE_NAME", "IBMCLOUD_IAM_PROFILE_NAME"];

/// The variables with the account of a trusted profile that is given by name.
pub const ACCOUNT_ID_VARIABLES: [&str; 2] = ["IC_ACCOUNT_ID", "IBMCLOUD_ACCOUNT_ID"];

/// The path of IBM's credentials file (`go-sdk-core`, `core/config_utils.go`).
pub const CREDENTIALS_FILE: &str = "IBM_CREDENTIALS_FILE";

/// Returns whether the value of a variable is a secret.
pub fn names_secret(name: &str) -> bool {
    let tokens = ACCESS_TOKEN_VARIABLES
        .iter()
        .chain(&REFRESH_TOKEN_VARIABLES);
    let mut secrets = API_KEY_VARIABLES
        .iter()
        .chain(tokens)
        .chain([&COMPUTE_RESOURCE_TOKEN]);
    secrets.any(|secret| *secret == name)
}

/// The services of an app in Cloud Foundry, as JSON (`go-sdk-core`, `core/config_utils.go`).
pub const VCAP_SERVICES: &str = "VCAP_SERVICES";

/// The directory of the IBM Cloud CLI (`ibm-cloud-cli-sdk`,
/// `bluemix/configuration/config_helpers/helpers.go`).
pub const CLI_CONFIG_HOME: &str = "IBMCLOUD_CONFIG_HOME";

/// The variables that the IBM Cloud CLI uses as the home directory.
pub const CLI_HOME_VARIABLES: [&str; 2] = ["IBMCLOUD_HOME", "BLUEMIX_HOME"];

/// The environment variables, read once.
#[derive(Default)]
pub struct Environment {
    /// By their [`folded`] names. Not a `HashMap`, which asks the kernel for random bits.
    variables: BTreeMap<OsString, OsString>,
    /// The texts of files that were read, because a pipe can be read only once.
    secret_files: RefCell<BTreeMap<String, Result<Secret, String>>>,
}

impl Environment {
    /// Returns the environment of this process.
    #[expect(clippy::disallowed_methods, reason = "the environment comes from here")]
    pub fn of_process() -> Self {
        std::env::vars_os().collect()
    }

    /// Returns the text of a variable. An empty one counts as unset, as in IBM's tools.
    ///
    /// # Errors
    /// The value is not UTF-8.
    pub fn text(&self, name: &str) -> Result<Option<&str>> {
        match self.raw(name) {
            None => Ok(None),
            Some(value) => match value.to_str() {
                Some("") => Ok(None),
                Some(text) => Ok(Some(text)),
                None => Err(Error::user(format!("${name} is not UTF-8 text"))
                    .with_hint(format!("Set {name} to a value in UTF-8"))),
            },
        }
    }

    /// Returns the text of a variable that names something: a setting, a URL, an ID or a file. White
    /// space around it and a pair of quotes, which `docker run --env-file` keeps, are not part of
    /// it. Not for variables of other programs, which read the quotes.
    ///
    /// # Errors
    /// The value is not UTF-8.
    pub fn value(&self, name: &str) -> Result<Option<&str>> {
        let text = self.text(name)?.map(str::trim);
        let text = text.map(|text| input::without_quotes(text).map_or(text, str::trim));
        Ok(text.filter(|text| !text.is_empty()))
    }

    /// Returns the names of all variables that are UTF-8; in capital letters on Windows.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().filter_map(|name| name.to_str())
    }

    /// Returns the value of a variable that need not be UTF-8, such as a list of directories.
    pub fn os_text(&self, name: &str) -> Option<&OsStr> {
        self.raw(name).map(OsString::as_os_str)
    }

    /// Returns whether the variable is set and not empty.
    pub fn has(&self, name: &str) -> bool {
        self.raw(name).is_some_and(|value| !value.is_empty())
    }

    /// Returns the absolute path in a variable; `None` if there is none.
    pub fn absolute_path(&self, name: &str) -> Option<PathBuf> {
        let path = Path::new(self.raw(name)?);
        path.is_absolute().then(|| path.to_owned())
    }

    /// Returns the value of a variable as it is; `None` if it is unset or empty.
    pub fn raw_value(&self, name: &str) -> Option<&OsStr> {
        let value = self.raw(name)?.as_os_str();
        (!value.is_empty()).then_some(value)
    }

    fn raw(&self, name: &str) -> Option<&OsString> {
        self.variables.get(&*folded(OsStr::new(name)))
    }

    /// Returns the secret in a variable: in its value, or in the file of `@path` (IBM Cloud CLI,
    /// `env_var_cli.md`).
    ///
    /// # Errors
    /// The value, or the content of the file, is certainly no such secret, or the file cannot be
    /// read.
    pub fn secret(&self, name: &str, kind: SecretKind) -> Result<Option<Secret>> {
        let value = match self.raw(name) {
            Some(value) if !value.is_empty() => value,
            _ => return Ok(None),
        };
        let unusable_here = |reason| unusable(kind, &format!("${name}"), &reason);
        let text = encoding::decode(value.as_encoded_bytes());
        let text = text.map_err(|reason| unusable_here(Unusable::because(reason)))?;
        let Some(path) = input::file_argument(&text) else {
            return input::read(kind, &text).map(Some).map_err(unusable_here);
        };
        let place = match path.trim() {
            "" => format!("the file named in ${name}"),
            path => format!("the file {} named in ${name}", repeatable::path(path)),
        };
        let content = self.secret_file(path).map_err(|reason| {
            Error::user(format!("cannot read {place}: {reason}")).with_hint(
                "Use the path of a file with the secret, or set the variable to the secret",
            )
        })?;
        input::read(kind, content.expose())
            .map(Some)
            .map_err(|reason| unusable(kind, &place, &reason))
    }

    /// Returns the text of the file of an `@FILE`, which is read once.
    fn secret_file(&self, path: &str) -> Result<Secret, String> {
        let mut files = self.secret_files.borrow_mut();
        let text = files.entry(path.to_owned()).or_insert_with(|| {
            let home = self.text(HOME).ok().flatten().map(Path::new);
            secret_file::read(path, home).map_err(|error| error.to_string())
        });
        text.clone()
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Self {
            variables: variables
                .into_iter()
                .map(|(name, value)| (folded_name(name.into()), value.into()))
                .collect(),
            secret_files: RefCell::default(),
        }
    }
}

/// Returns a name as it is compared: Windows ignores the case of ASCII letters, and spells
/// `PATH` as `Path`.
fn folded(name: &OsStr) -> Cow<'_, OsStr> {
    if cfg!(windows) {
        Cow::Owned(folded_name(name.to_owned()))
    } else {
        Cow::Borrowed(name)
    }
}

/// Does the same as [`folded`] with a name that need not be copied.
fn folded_name(mut name: OsString) -> OsString {
    if cfg!(windows) {
        name.make_ascii_uppercase();
    }
    name
}

/// Prints only names, because values may be secrets.
impl std::fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_set()
            .entries(self.variables.keys())
            .finish()
    }
}

/// Returns the error for a variable, or the file that it names, with something else than a secret.
fn unusable(kind: SecretKind, place: &str, reason: &Unusable) -> Error {
    let name = kind.name();
    let hint = match reason.other_kind() {
        Some(SecretKind::ApiKey) => format!("Set ${} to the key", API_KEY_VARIABLES[0]),
        Some(_) => format!(
            "Set ${} to the token, and unset this variable, or use an API key",
            ACCESS_TOKEN_VARIABLES[0]
        ),
        None => match kind {
            SecretKind::AccessToken | SecretKind::RefreshToken => {
                "To show one, run 'ibmcloud iam oauth-tokens'".to_owned()
            }
            _ => format!("Set the variable to the {name}, or to @ and the path of a file with it"),
        },
    };
    Error::user(format!("{place} holds no {name}: {reason}")).with_hint(hint)
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
        assert_eq!(
            environment.secret("PLAIN", SecretKind::ApiKey),
            Ok(Some(Secret::new("key")))
        );
        assert_eq!(
            environment.secret("FILE", SecretKind::ApiKey),
            Ok(Some(Secret::new("from-file")))
        );
        assert_eq!(
            environment.secret("EMPTY", SecretKind::ApiKey),
            Ok(None),
            "empty is unset"
        );
        let blank = environment
            .secret("BLANK", SecretKind::ApiKey)
            .unwrap_err()
            .to_string();
        assert!(blank.contains("$BLANK"), "{blank}");
        assert_eq!(environment.secret("UNSET", SecretKind::ApiKey), Ok(None));
    }

    #[test]
    fn the_error_for_a_file_without_a_key_names_the_file_and_the_variable() {
        let directory = tempfile::tempdir().unwrap();
        let empty = directory.path().join("empty");
        std::fs::write(&empty, " \n").unwrap();
        let missing = directory.path().join("missing");
        for (path, reason) in [
            (empty.display().to_string(), "is empty"),
            (missing.display().to_string(), "does not exist"),
            ("/dev/zero".to_owned(), "is too large"),
        ] {
            if cfg!(windows) && path == "/dev/zero" {
                continue;
            }
            let environment: Environment = [("KEY", format!("@{path}"))].into_iter().collect();
            let error = environment
                .secret("KEY", SecretKind::ApiKey)
                .unwrap_err()
                .to_string();
            assert!(error.contains("$KEY") && error.contains(reason), "{error}");
        }
    }

    #[test]
    fn on_windows_the_case_of_a_name_does_not_count() {
        let environment: Environment = [("Path", r"C:\bin"), ("ibmcloud_api_key", "key")]
            .into_iter()
            .collect();
        let path = environment.text("PATH");
        assert_eq!(path, Ok(cfg!(windows).then_some(r"C:\bin")));
        assert_eq!(environment.has("IBMCLOUD_API_KEY"), cfg!(windows));
        let secret = environment.secret("IBMCLOUD_API_KEY", SecretKind::ApiKey);
        assert_eq!(secret, Ok(cfg!(windows).then(|| Secret::new("key"))));
        assert_eq!(environment.text("Path"), Ok(Some(r"C:\bin")));
    }

    #[test]
    fn only_an_absolute_path_names_a_directory() {
        let absolute = if cfg!(windows) { r"C:\home" } else { "/home/x" };
        for (value, expected) in [
            (absolute, Some(absolute)),
            ("home", None),
            ("%USERPROFILE%", None),
            ("", None),
        ] {
            let environment: Environment = [("DIRECTORY", value)].into_iter().collect();
            let path = environment.absolute_path("DIRECTORY");
            assert_eq!(path, expected.map(PathBuf::from), "{value}");
        }
    }

    #[test]
    fn a_value_has_no_quotes_and_blanks_around_it() {
        for (text, value) in [
            ("kernel", Some("kernel")),
            (" kernel\r\n", Some("kernel")),
            ("\"kernel\"", Some("kernel")),
            ("' kernel '", Some("kernel")),
            ("\"kernel", Some("\"kernel")),
            ("\"a b\" c", Some("\"a b\" c")),
            ("\"\"", None),
            (" \n", None),
            ("", None),
        ] {
            let environment: Environment = [("NAME", text)].into_iter().collect();
            assert_eq!(environment.value("NAME"), Ok(value), "{text:?}");
        }
    }

    #[test]
    fn its_debug_output_has_no_values() {
        let environment: Environment = [("IBMCLOUD_API_KEY", "hunter2")].into_iter().collect();
        assert!(!format!("{environment:?}").contains("hunter2"));
    }
}
