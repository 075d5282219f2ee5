//! The file of regctl (`regclient/regclient`, `cmd/regctl/config.go` and pull request 1038).
//! regctl reads docker's file as well, but a password that `regctl registry login` stores in its
//! own file takes precedence over the helpers there.

use std::path::PathBuf;

use super::Client;
use super::ClientFile;
use super::Machine;
use super::variable;
use crate::error::Error;
use crate::error::Result;

/// The variable with the path of the file.
pub(super) const FILE: &str = "REGCTL_CONFIG";

/// The file, relative to the home directory.
const HOME_FILE: &str = ".regctl/config.json";

/// The file, relative to the configuration directory.
const SETTINGS_FILE: &str = "regctl/config.json";

/// Returns the file in `$REGCTL_CONFIG`.
///
/// # Errors
/// It is a directory, or a name that a shell should have expanded.
pub fn named_file(machine: &Machine<'_>) -> Result<Option<PathBuf>> {
    variable::file(machine, FILE)
}

/// Returns `$REGCTL_CONFIG`. Without it, returns the file in the configuration directory, which
/// versions since 2026 prefer if it exists, and `~/.regctl/config.json` if it exists or is the
/// only one.
pub(super) fn files(machine: &Machine<'_>) -> Result<Vec<ClientFile>> {
    let file = |path| ClientFile {
        client: Client::Regctl,
        path,
        is_temporary: false,
        with_port: false,
    };
    if let Some(path) = named_file(machine)? {
        return Ok(vec![file(path)]);
    }
    let mut paths = default_files(machine)?;
    let home = paths.pop();
    paths.retain(|path| path.exists());
    paths.extend(home.filter(|home| paths.is_empty() || home.exists()));
    if paths.is_empty() {
        return Err(
            Error::user("cannot locate regctl's config.json: no home directory")
                .with_hint(format!("Set ${FILE}")),
        );
    }
    Ok(paths.into_iter().map(file).collect())
}

/// Returns the files that [`files`] may return without `$REGCTL_CONFIG`: the one in the
/// configuration directory, then the one in the home directory.
pub(super) fn default_files(machine: &Machine<'_>) -> Result<Vec<PathBuf>> {
    let in_home = |path: &str| machine.home.map(|home| home.join(path));
    let variable = if cfg!(windows) {
        "APPDATA"
    } else {
        "XDG_CONFIG_HOME"
    };
    let settings = machine.path(variable)?.or_else(|| in_home(".config"));
    let settings = settings.map(|settings| settings.join(SETTINGS_FILE));
    Ok(settings.into_iter().chain(in_home(HOME_FILE)).collect())
}

// The paths are those of Unix, and the variable too.
#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::environment::Environment;

    /// Returns the files with these variables; `existing` is below the home directory.
    fn paths(variables: &[(&str, &str)], existing: &[&str]) -> Vec<String> {
        let home = tempfile::tempdir().unwrap();
        for file in existing {
            let file = home.path().join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "{}").unwrap();
        }
        let environment = Environment::from_iter(variables.iter().copied());
        let machine = Machine {
            environment: &environment,
            home: Some(home.path()),
            root: Path::new("/"),
            user_id: None,
        };
        let files = files(&machine).unwrap().into_iter();
        let home = home.path().display().to_string();
        files
            .map(|file| file.path.display().to_string().replace(&home, "~"))
            .collect()
    }

    #[test]
    fn the_file_in_the_variable_comes_first_and_then_the_newer_place() {
        const HOME: &str = ".regctl/config.json";
        const NEWER: &str = ".config/regctl/config.json";
        for (variables, existing, expected) in [
            (&[][..], &[][..], &["~/.regctl/config.json"][..]),
            (&[], &[HOME], &["~/.regctl/config.json"]),
            (&[], &[NEWER], &["~/.config/regctl/config.json"]),
            (
                &[],
                &[NEWER, HOME],
                &["~/.config/regctl/config.json", "~/.regctl/config.json"],
            ),
            (&[(FILE, "/f.json")], &[NEWER, HOME], &["/f.json"]),
            (
                &[("XDG_CONFIG_HOME", "/none")],
                &[NEWER, HOME],
                &["~/.regctl/config.json"],
            ),
        ] {
            assert_eq!(paths(variables, existing), expected, "{existing:?}");
        }
    }
}
