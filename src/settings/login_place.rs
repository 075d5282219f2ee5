//! Where logins are stored, in settings that cannot be loaded: so that logins can be deleted
//! before the settings are repaired.

use std::path::Path;
use std::path::PathBuf;

use toml::de::DeTable;

use super::FILE_NAME;
use super::KeychainChoice;
use super::Settings;
use super::file::MAX_FILE_SIZE;
use super::name::namespace;
use super::system_files::system_files;
use crate::PROGRAM;
use crate::environment;
use crate::environment::Environment;
use crate::fs;

impl Settings {
    /// Returns the settings `keychain` and `namespace`, and the defaults of all others. In files,
    /// reads only the lines with one of these keys. Files that cannot be read are ignored.
    /// Returns `None` if one of both settings is invalid.
    pub fn with_login_place(
        environment: &Environment,
        config_directory: Option<&Path>,
        system_directory: Option<&Path>,
    ) -> Option<Self> {
        let mut settings = Self::default();
        for text in texts(environment, config_directory, system_directory) {
            for (key, value) in text.lines().take_while(is_in_no_table).filter_map(entry) {
                settings.set_login_place(key, value.as_deref()?)?;
            }
        }
        for (variable, key) in [
            (environment::KEYCHAIN, "keychain"),
            (environment::NAMESPACE, "namespace"),
        ] {
            if let Some(value) = environment.value(variable).ok()? {
                settings.set_login_place(key, value)?;
            }
        }
        Some(settings)
    }

    fn set_login_place(&mut self, key: &str, value: &str) -> Option<()> {
        match key {
            "keychain" => self.keychain = KeychainChoice::parse(value).ok()?,
            _ => self.namespace = namespace(value).ok()?,
        }
        Some(())
    }

    /// Returns whether a settings file contains this host, so that it may be a registry of the
    /// settings.
    pub fn mention(
        host: &str,
        environment: &Environment,
        config_directory: Option<&Path>,
        system_directory: Option<&Path>,
    ) -> bool {
        let is_part = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-' | ':');
        texts(environment, config_directory, system_directory)
            .any(|text| text.split(|it| !is_part(it)).any(|word| word == host))
    }
}

/// Returns the texts of the settings files that can be read, also of those that are refused: their
/// keychain and namespace only choose among the logins of this user.
fn texts(
    environment: &Environment,
    config_directory: Option<&Path>,
    system_directory: Option<&Path>,
) -> impl Iterator<Item = String> {
    let chosen = environment.value(environment::CONFIG).ok().flatten();
    let paths: Vec<PathBuf> = match chosen {
        Some(path) => vec![PathBuf::from(path)],
        None => {
            let of_system = system_directory.map(system_files);
            let own = config_directory.map(|it| it.join(PROGRAM).join(FILE_NAME));
            of_system.into_iter().flatten().chain(own).collect()
        }
    };
    paths.into_iter().filter_map(|path| {
        let _rights = fs::act_as_owner(&path).ok()?;
        let bytes = fs::read_bytes(&path, MAX_FILE_SIZE).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    })
}

fn is_in_no_table(line: &&str) -> bool {
    !line.trim_start().starts_with('[')
}

/// Returns the key and the value of a line with one of the two keys. The value is `None` if it
/// cannot be read.
fn entry(line: &str) -> Option<(&'static str, Option<String>)> {
    let (key, _) = line.split_once('=')?;
    let key = key.trim().trim_matches(['"', '\'']);
    let key = ["keychain", "namespace"]
        .into_iter()
        .find(|it| *it == key)?;
    let table = DeTable::parse(line).ok();
    let value =
        table.and_then(|table| Some(table.get_ref().get(key)?.get_ref().as_str()?.to_owned()));
    Some((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, variables: &[(&str, &str)]) -> Option<(KeychainChoice, String)> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        let path = path.display().to_string();
        let config = [(environment::CONFIG, &*path)];
        let environment: Environment = config.iter().chain(variables).copied().collect();
        let settings = Settings::with_login_place(&environment, None, None)?;
        Some((settings.keychain, settings.namespace))
    }

    #[test]
    fn the_place_of_logins_is_read_beside_errors() {
        use KeychainChoice::Auto;
        use KeychainChoice::Kernel;
        for (text, keychain, namespace) in [
            ("", Auto, "default"),
            ("registrys = [\nnamespace = \"work\"\n", Auto, "work"),
            ("  \"keychain\"='kernel' # mine\n\u{0}", Kernel, "default"),
            ("[profile.a]\nnamespace = \"x\"\n", Auto, "default"),
            ("namespace-of = \"x\"\n", Auto, "default"),
        ] {
            let expected = Some((keychain, namespace.to_owned()));
            assert_eq!(read(text, &[]), expected, "{text:?}");
        }
        let of_variable = read("namespace = \"a\"\n=", &[(environment::NAMESPACE, "b")]);
        assert_eq!(of_variable, Some((Auto, "b".to_owned())));
    }

    #[test]
    fn an_invalid_place_is_not_guessed() {
        for text in [
            "namespace = \"a:b\"",
            "namespace = \"open",
            "namespace = 1",
            "keychain = \"kept\"",
            "keychain = ",
        ] {
            assert_eq!(read(text, &[]), None, "{text}");
        }
        assert_eq!(read("", &[(environment::KEYCHAIN, "vault")]), None);
    }
}
