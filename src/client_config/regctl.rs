//! The file of regctl (`regclient/regclient`, `cmd/regctl/config.go`). regctl reads docker's file
//! as well, but a password that `regctl registry login` stores in its own file takes precedence
//! over the helpers there.

use std::path::PathBuf;

use super::Client;
use super::ClientFile;
use super::Machine;
use super::variable;
use crate::error::Error;
use crate::error::Result;

/// The variable with the path of the file.
const FILE: &str = "REGCTL_CONFIG";

/// The file, relative to the home directory.
const DEFAULT_FILE: &str = ".regctl/config.json";

/// Returns the file in `$REGCTL_CONFIG`.
///
/// # Errors
/// It is a directory, or a name that a shell should have expanded.
pub fn named_file(machine: &Machine<'_>) -> Result<Option<PathBuf>> {
    variable::file(machine, FILE)
}

/// Returns `$REGCTL_CONFIG`, or else `~/.regctl/config.json`.
pub(super) fn files(machine: &Machine<'_>) -> Result<Vec<ClientFile>> {
    let in_home = || machine.home.map(|home| home.join(DEFAULT_FILE));
    let path = named_file(machine)?.or_else(in_home).ok_or_else(|| {
        Error::user("cannot locate regctl's config.json: no home directory")
            .with_hint(format!("Set ${FILE}"))
    })?;
    Ok(vec![ClientFile {
        client: Client::Regctl,
        path,
        is_temporary: false,
        with_port: false,
    }])
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::environment::Environment;

    #[test]
    fn the_file_in_the_variable_comes_before_the_home_directory() {
        for (variables, home, expected) in [
            (&[][..], Some("/h"), Some("/h/.regctl/config.json")),
            (&[(FILE, "/f.json")], Some("/h"), Some("/f.json")),
            (&[(FILE, "/f.json")], None, Some("/f.json")),
            (&[], None, None),
        ] {
            let environment = Environment::from_iter(variables.iter().copied());
            let machine = Machine {
                environment: &environment,
                home: home.map(Path::new),
                root: Path::new("/"),
                user_id: None,
            };
            let path = files(&machine).ok().map(|mut files| files.remove(0).path);
            assert_eq!(path.as_deref(), expected.map(Path::new));
        }
    }
}
