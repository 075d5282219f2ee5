//! helm's own file (`helm/helm`, `pkg/cli/environment.go` and `pkg/helmpath`), which
//! is laid out as docker's is. What `helm registry login` has stored there comes
//! before docker's file, and before every helper that is named in it.

use std::path::PathBuf;

use super::Machine;
use crate::error::Result;

/// Names the file.
const FILE: &str = "HELM_REGISTRY_CONFIG";

/// Names helm's directory of settings.
const DIRECTORY: &str = "HELM_CONFIG_HOME";

/// The file in there.
const USUAL_FILE: &str = "registry/config.json";

/// Where helm's file is, whether or not it is there; on Windows only where a variable
/// says so.
///
/// # Errors
/// A variable is not UTF-8.
pub fn file(machine: &Machine<'_>) -> Result<Option<PathBuf>> {
    if let Some(file) = machine.path(FILE)? {
        return Ok(Some(file));
    }
    let directory = match machine.path(DIRECTORY)? {
        Some(directory) => Some(directory),
        None => machine
            .path("XDG_CONFIG_HOME")?
            .or_else(|| {
                let settings = match () {
                    () if cfg!(windows) => return None,
                    () if cfg!(target_os = "macos") => "Library/Preferences",
                    () => ".config",
                };
                Some(machine.home?.join(settings))
            })
            .map(|settings| settings.join("helm")),
    };
    Ok(directory.map(|directory| directory.join(USUAL_FILE)))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::environment::Environment;

    #[test]
    fn the_file_that_is_named_comes_before_the_usual_places() {
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
