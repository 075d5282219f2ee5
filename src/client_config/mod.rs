//! The files of container clients that name this program: which there are, what is
//! in them, how one is changed and how the change is taken back.
//!
//! A client is one file here, one variant of [`Client`] and one arm of
//! [`Client::files`].

pub mod diff;
pub mod docker;
pub mod file;
pub mod helm;
pub mod json;
pub mod podman;
pub mod undo;

use std::ffi::OsStr;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use crate::environment::Environment;
use crate::error::Result;

/// The clients whose files differ.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Client {
    /// docker, and whatever reads its file.
    Docker,
    /// podman, buildah and skopeo, which share one.
    Podman,
}

impl Client {
    /// Every client.
    pub const ALL: [Self; 2] = [Self::Docker, Self::Podman];

    /// Its name as an argument.
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }

    /// The files in which the helper has to be named for this client, the one that
    /// counts most first.
    ///
    /// # Errors
    /// No home directory, or a variable that is not UTF-8.
    pub fn files(self, machine: &Machine<'_>) -> Result<Vec<ClientFile>> {
        match self {
            Self::Docker => docker::files(machine),
            Self::Podman => podman::files(machine),
        }
    }

    /// Every file that this program may have changed for this client with these
    /// variables: [`Client::files`], and those that count once they are there.
    ///
    /// # Errors
    /// A variable that is not UTF-8.
    pub fn possible_files(self, machine: &Machine<'_>) -> Result<Vec<PathBuf>> {
        // Without a home, there is none without a variable.
        let files = self.files(machine).unwrap_or_default().into_iter();
        let mut paths: Vec<PathBuf> = files.map(|file| file.path).collect();
        if self == Self::Podman {
            paths.extend(podman::further_files(machine)?);
        }
        Ok(paths)
    }

    /// Whether this client is installed, or was used.
    pub fn is_here(self, machine: &Machine<'_>) -> bool {
        let programs = match self {
            Self::Docker => &["docker"][..],
            Self::Podman => &["podman", "buildah", "skopeo"],
        };
        let files = self.files(machine).unwrap_or_default();
        files.iter().any(|file| file.path.exists())
            || programs.iter().any(|program| machine.has_program(program))
    }
}

/// As a person calls it.
impl std::fmt::Display for Client {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Docker => "docker",
            Self::Podman => "podman, buildah and skopeo",
        })
    }
}

/// A file in which a client looks for helpers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientFile {
    /// Who reads it.
    pub client: Client,
    /// Where it is; it need not exist.
    pub path: PathBuf,
    /// Whether the system empties its directory when the user logs out.
    pub is_temporary: bool,
}

/// Where clients look for their files.
#[derive(Clone, Copy, Debug)]
pub struct Machine<'a> {
    /// The environment variables.
    pub environment: &'a Environment,
    /// The user's home directory.
    pub home: Option<&'a Path>,
    /// Below which the system's own paths begin: `/`, but for tests.
    pub root: &'a Path,
    /// The user's number, where users have one.
    pub user_id: Option<u32>,
}

impl<'a> Machine<'a> {
    /// Where the clients of this process's user look.
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

    /// A path that a variable holds, if it is set to something.
    fn path(&self, variable: &str) -> Result<Option<PathBuf>> {
        Ok(self.environment.text(variable)?.map(PathBuf::from))
    }

    fn has_program(&self, name: &str) -> bool {
        let path = self.environment.text("PATH").ok().flatten();
        let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        std::env::split_paths(OsStr::new(path.unwrap_or_default()))
            .any(|directory| directory.join(&name).is_file())
    }
}
