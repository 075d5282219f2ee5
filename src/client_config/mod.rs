//! The configuration files of container clients: where they are, what they hold, and how
//! they are changed and restored.
//!
//! A client is one file here, one variant of [`Client`] and one arm of
//! [`Client::files`].

pub mod diff;
pub mod docker;
pub mod docker_proxy;
pub mod file;
mod generated;
pub mod helm;
mod in_place;
pub mod json;
pub mod kubelet_flags;
pub mod kubelet_provider;
pub mod kubelet_provider_edit;
pub mod kubelet_values;
pub mod nerdctl;
pub mod node;
pub mod podman;
pub mod programs;
pub mod regctl;
pub mod registries_conf;
pub mod system_helper_list;
pub mod undo;
mod variable;

use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use self::json::Format;
use crate::environment;
use crate::environment::Environment;
use crate::error::Error;
use crate::error::Result;
use crate::fs;
use crate::text::shell;

/// The size limit of a file with the settings of a client or service, in bytes.
const MAX_SETTINGS_SIZE: u64 = 1024 * 1024;

/// The variables that determine where clients look, and the usual path, relative to the home
/// directory; `None` if it is not there.
const VARIABLES: [(&str, Option<&str>); 10] = [
    (docker::DIRECTORY, Some(".docker")),
    (podman::FILE, Some(".config/containers/auth.json")),
    (regctl::FILE, Some(".regctl/config.json")),
    (environment::HOME, None),
    (podman::RUNTIME_DIRECTORY, None),
    (podman::TEMPORARY_DIRECTORY, None),
    (podman::CONFIG_DIRECTORY, Some(".config")),
    (
        podman::REGISTRIES_FILE,
        Some(".config/containers/registries.conf"),
    ),
    (helm::FILE, Some(".config/helm/registry/config.json")),
    (helm::DIRECTORY, Some(".config/helm")),
];

/// A container client with a configuration file of its own.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Client {
    /// Docker, and all clients that read its file.
    Docker,
    /// Podman, Buildah and Skopeo, which share a file.
    Podman,
    /// nerdctl, which looks up other keys in docker's file
    // Its changes are recorded as docker's, so that earlier versions can undo them.
    #[serde(skip)]
    Nerdctl,
    /// regctl, which prefers the logins in a file of its own
    Regctl,
}

impl Client {
    /// Every client with files of its own.
    pub const ALL: [Self; 3] = [Self::Docker, Self::Podman, Self::Regctl];

    /// Returns the client whose file it reads: itself, except for nerdctl.
    pub fn owner_of_file(self) -> Self {
        match self {
            Self::Nerdctl => Self::Docker,
            client => client,
        }
    }

    /// Returns the format of its files.
    pub fn format(self) -> Format {
        match self {
            Self::Regctl => Format::Regctl,
            Self::Docker | Self::Nerdctl | Self::Podman => Format::Docker,
        }
    }

    /// Returns its name as an argument.
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Nerdctl => "nerdctl",
            Self::Regctl => "regctl",
        }
    }

    /// Returns the form of a verb that fits its name in messages.
    pub fn verb(self, of_one: &'static str, of_several: &'static str) -> &'static str {
        match self {
            Self::Podman => of_several,
            Self::Docker | Self::Nerdctl | Self::Regctl => of_one,
        }
    }

    /// Returns the files that need the helper for this client, in order of precedence.
    ///
    /// # Errors
    /// There is no home directory, or a variable is not UTF-8.
    pub fn files(self, machine: &Machine<'_>) -> Result<Vec<ClientFile>> {
        let mut files = match self {
            Self::Docker => docker::files(machine, nerdctl::is_installed(machine)),
            Self::Podman => podman::files(machine),
            Self::Nerdctl => docker::files(machine, true),
            Self::Regctl => regctl::files(machine),
        }?;
        for file in &mut files {
            file.path = fs::with_own_separators(&file.path);
        }
        Ok(files)
    }

    /// Returns every file that this program may have changed for this client with these
    /// variables: [`Client::files`], and files that are read only if they exist.
    ///
    /// # Errors
    /// A variable is not UTF-8.
    pub fn possible_files(self, machine: &Machine<'_>) -> Result<Vec<PathBuf>> {
        // Without a home directory, only variables lead to files.
        let files = self.files(machine).unwrap_or_default().into_iter();
        let mut paths: Vec<PathBuf> = files.map(|file| file.path).collect();
        match self {
            Self::Podman => paths.extend(podman::further_files(machine)?),
            Self::Regctl => paths.extend(regctl::default_files(machine)?),
            Self::Docker | Self::Nerdctl => {}
        }
        Ok(paths
            .iter()
            .map(|path| fs::with_own_separators(path))
            .collect())
    }

    /// Returns whether this client is installed or was used.
    pub fn is_present(self, machine: &Machine<'_>) -> bool {
        let programs = match self {
            Self::Docker if nerdctl::is_installed(machine) => return true,
            Self::Docker => &["docker"][..],
            Self::Podman => &["podman", "buildah", "skopeo"],
            Self::Nerdctl => return nerdctl::is_installed(machine),
            Self::Regctl => &["regctl"],
        };
        let files = self.files(machine).unwrap_or_default();
        files.iter().any(|file| file.path.exists())
            || programs.iter().any(|program| machine.has_program(program))
    }
}

/// The name in messages.
impl std::fmt::Display for Client {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Docker => "docker",
            Self::Podman => "podman, buildah and skopeo",
            Self::Nerdctl => "nerdctl",
            Self::Regctl => "regctl",
        })
    }
}

/// A file in which a client looks for helpers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientFile {
    /// The client that reads it.
    pub client: Client,
    /// Its path; it need not exist.
    pub path: PathBuf,
    /// Whether the system empties its directory when the user logs out.
    pub is_temporary: bool,
    /// Whether nerdctl reads it, which looks up registries with their port.
    pub with_port: bool,
}

impl ClientFile {
    /// Returns the keys that clients look up in this file for these hosts.
    pub fn keys(&self, hosts: &[String]) -> Vec<String> {
        let mut keys = Vec::new();
        for host in hosts {
            let with_port = self.with_port.then(|| json::key_with_port(host));
            for key in [host.clone()].into_iter().chain(with_port) {
                if !keys.contains(&key) {
                    keys.push(key);
                }
            }
        }
        keys
    }

    /// Returns the command with which its client removes a login from this file. `podman logout`
    /// looks into one file only.
    pub fn logout_command(&self, key: &str, machine: &Machine<'_>) -> String {
        let is_default = || {
            let files = Client::Podman.files(machine).unwrap_or_default();
            files.first().is_some_and(|first| first.path == self.path)
        };
        match self.client {
            Client::Docker => format!("docker logout {key}"),
            Client::Nerdctl => format!("nerdctl logout {key}"),
            Client::Podman if is_default() => format!("podman logout {key}"),
            Client::Podman => {
                format!("podman logout --authfile {} {key}", self.path.display())
            }
            Client::Regctl => format!("regctl registry logout {key}"),
        }
    }
}

/// What determines where clients look for their files.
#[derive(Clone, Copy, Debug)]
pub struct Machine<'a> {
    /// The environment variables.
    pub environment: &'a Environment,
    /// The user's home directory.
    pub home: Option<&'a Path>,
    /// The root of the system's own paths: `/`, except in tests.
    pub root: &'a Path,
    /// The user ID, on Unix.
    pub user_id: Option<u32>,
}

impl<'a> Machine<'a> {
    /// Returns where the clients of this process's user look.
    pub fn of_process(
        environment: &'a Environment,
        home: Option<&'a Path>,
        root: &'a Path,
    ) -> Self {
        #[cfg(unix)]
        let user_id = Some(nix::unistd::Uid::effective().as_raw());
        #[cfg(not(unix))]
        let user_id = None;
        Self {
            environment,
            home,
            root,
            user_id,
        }
    }

    /// Returns the path in a variable, if it is set and not empty.
    ///
    /// # Errors
    /// See [`variable::path`].
    fn path(&self, variable: &str) -> Result<Option<PathBuf>> {
        variable::path(self.environment, variable)
    }

    /// Returns what is wrong with the variables that determine where clients look, each with a
    /// hint.
    pub fn variable_errors(&self) -> Vec<Error> {
        let paths = VARIABLES.map(|(name, _)| match name {
            docker::DIRECTORY => docker::directory(self),
            podman::FILE => podman::named_file(self),
            regctl::FILE => regctl::named_file(self),
            _ => self.path(name),
        });
        paths.into_iter().filter_map(Result::err).collect()
    }

    /// Returns a warning for each variable with a relative path, and the fix. Clients read it
    /// relative to the working directory (`containers/image`, `pkg/docker/config/config.go`).
    pub fn relative_variables(&self) -> Vec<(String, String)> {
        let warning = |(name, home_path): (&str, Option<&str>)| {
            let path = self.path(name).ok().flatten();
            let path = path.filter(|path| path.is_relative())?;
            let message = format!(
                "${name} is a relative path ({}), so clients read another file in each directory",
                path.display()
            );
            Some((message, self.fix_of_relative(name, home_path)))
        };
        VARIABLES.into_iter().filter_map(warning).collect()
    }

    fn fix_of_relative(&self, variable: &str, home_path: Option<&str>) -> String {
        if let Some(path) = home_path {
            return shell::set_in_home(variable, path);
        }
        match variable {
            environment::HOME => {
                format!("Set {variable} to the absolute path of your home directory")
            }
            podman::RUNTIME_DIRECTORY => match podman::session_directory(self) {
                Some(directory) => shell::set(variable, &directory.display().to_string()),
                None => shell::unset(variable),
            },
            _ => shell::unset(variable),
        }
    }

    /// Returns the program of this name that clients find.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        programs::find(self.environment.os_text(programs::PATH)?, name)
    }

    fn has_program(&self, name: &str) -> bool {
        self.program(name).is_some()
    }
}

#[cfg(test)]
impl<'a> Machine<'a> {
    /// Creates a machine with this root directory, and without a user.
    pub(crate) fn without_user(environment: &'a Environment, root: &'a Path) -> Self {
        Self {
            environment,
            home: None,
            root,
            user_id: None,
        }
    }
}

/// Returns the `*.conf` files of a directory, in the order in which clients and services read them.
fn conf_files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|it| it == "conf"))
        .collect();
    paths.sort_unstable();
    paths
}
