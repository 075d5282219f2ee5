//! The registry configuration of helm (`helm/helm`, `pkg/cli/environment.go` and
//! `pkg/helmpath`), in the format of docker's file. Passwords that `helm registry login`
//! stores in it take precedence over docker's file and all helpers in that.

use std::path::PathBuf;

use super::Machine;
use crate::environment;
use crate::error::Result;

/// The variable with the path of the file.
pub(super) const FILE: &str = "HELM_REGISTRY_CONFIG";

/// The variable with helm's configuration directory.
pub(super) const DIRECTORY: &str = "HELM_CONFIG_HOME";

/// The path of the file in that directory.
const DEFAULT_FILE: &str = "registry/config.json";

/// Returns the path of helm's file, which need not exist
/// (`pkg/helmpath/lazypath.go` and those of the systems).
///
/// # Errors
/// A variable is not UTF-8.
pub fn file(machine: &Machine<'_>) -> Result<Option<PathBuf>> {
    if let Some(file) = machine.path(FILE)? {
        return Ok(Some(file));
    }
    let directory = match machine.path(DIRECTORY)? {
        Some(directory) => Some(directory),
        None => settings_directory(machine)?.map(|settings| settings.join("helm")),
    };
    Ok(directory.map(|directory| directory.join(DEFAULT_FILE)))
}

/// Returns the directory of all programs' settings, as helm finds it.
fn settings_directory(machine: &Machine<'_>) -> Result<Option<PathBuf>> {
    if let Some(directory) = machine.path("XDG_CONFIG_HOME")? {
        return Ok(Some(directory));
    }
    let in_home = match () {
        () if cfg!(windows) => return machine.path(environment::APP_DATA),
        () if cfg!(target_os = "macos") => "Library/Preferences",
        () => ".config",
    };
    Ok(machine.home.map(|home| home.join(in_home)))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::environment::Environment;

    #[test]
    fn variables_come_before_the_default_file() {
        let variables = [
            (FILE, "/named.json"),
            (DIRECTORY, "/helm"),
            ("XDG_CONFIG_HOME", "/settings"),
        ];
        let expected = [
            "/named.json",
            "/helm/registry/config.json",
            "/settings/helm/registry/config.json",
            "/home/.config/helm/registry/config.json",
        ];
        for (without, expected) in expected.into_iter().enumerate() {
            let environment = Environment::from_iter(variables.into_iter().skip(without));
            let machine = Machine {
                environment: &environment,
                home: Some(Path::new("/home")),
                root: Path::new("/"),
                user_id: None,
            };
            assert_eq!(file(&machine), Ok(Some(PathBuf::from(expected))));
        }
    }
}
