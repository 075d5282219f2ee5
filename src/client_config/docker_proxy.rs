//! The proxies in docker's own files, which other programs do not see.
//!
//! The proxy in Docker's `config.json` is for containers. The one in `daemon.json` or in the
//! service's environment is for the daemon, which pulls and pushes. The client, which calls this
//! helper, uses only its variables (Docker documentation, `daemon/proxy.md`).

use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;

use super::MAX_SETTINGS_SIZE;
use super::Machine;
use super::conf_files;
use super::docker;
use crate::fs;

/// The directories of systemd's units, relative to the root directory. Earlier ones take
/// precedence (`systemd.unit(5)`).
const UNIT_DIRECTORIES: [&str; 5] = [
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
];

/// The directories of units of rootless docker, relative to the home directory.
const USER_UNIT_DIRECTORY: &str = ".config/systemd/user";

/// The variables with the proxy for encrypted requests. The first that is set counts.
const VARIABLES: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];

/// A proxy in a file of docker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DockerProxy {
    /// The file.
    pub file: PathBuf,
    /// The text that names the proxy, which may contain a password.
    pub value: String,
}

/// Returns the proxies in docker's files: the daemon's, then the one for containers.
pub fn docker_proxies(machine: &Machine<'_>) -> Vec<DockerProxy> {
    let mut proxies = Vec::new();
    let rootless = machine
        .home
        .map(|home| home.join(".config/docker/daemon.json"));
    for file in [Some(machine.root.join("etc/docker/daemon.json")), rootless]
        .into_iter()
        .flatten()
    {
        proxies.extend(in_json(&file, |json| text(&json["proxies"]["https-proxy"])));
    }
    let units = UNIT_DIRECTORIES.iter().map(|name| machine.root.join(name));
    let user_units = machine.home.map(|home| home.join(USER_UNIT_DIRECTORY));
    for directory in units.chain(user_units) {
        for file in unit_files(&directory) {
            proxies.extend(in_unit(&file));
        }
    }
    for file in docker::files(machine, false).unwrap_or_default() {
        proxies.extend(in_json(&file.path, for_containers));
    }
    proxies
}

/// Returns the proxy in a JSON file.
fn in_json(file: &Path, find: impl FnOnce(&Value) -> Option<String>) -> Option<DockerProxy> {
    let bytes = fs::read_bytes(file, MAX_SETTINGS_SIZE).ok()?;
    let value = find(&serde_json::from_slice(&bytes).ok()?)?;
    Some(DockerProxy {
        file: file.to_owned(),
        value,
    })
}

/// Returns the proxy for containers, of any daemon (`docker/cli`, `cli/config/configfile`).
fn for_containers(json: &Value) -> Option<String> {
    let mut daemons = json["proxies"].as_object()?.values();
    daemons.find_map(|daemon| text(&daemon["httpsProxy"]))
}

fn text(value: &Value) -> Option<String> {
    value
        .as_str()
        .filter(|text| !text.trim().is_empty())
        .map(str::to_owned)
}

/// Returns the files that define docker's service in a directory: the drop-ins, then the unit.
fn unit_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = conf_files(&directory.join("docker.service.d"));
    files.push(directory.join("docker.service"));
    files
}

/// Returns the proxy in the environment that a unit sets, or in the first of its environment
/// files that has one.
fn in_unit(file: &Path) -> Option<DockerProxy> {
    let unit = fs::read_regular(file, MAX_SETTINGS_SIZE)
        .ok()?
        .replace("\\\n", " ");
    let values = |key: &'static str| {
        unit.lines().filter_map(move |line| {
            let (name, value) = line.trim().split_once('=')?;
            (name.trim_end() == key).then(|| value.trim())
        })
    };
    let assigned: Vec<String> = values("Environment").flat_map(words).collect();
    if let Some(value) = proxy_in(&assigned) {
        return Some(DockerProxy {
            file: file.to_owned(),
            value,
        });
    }
    values("EnvironmentFile").find_map(|path| {
        let file = PathBuf::from(path.trim_start_matches('-'));
        let lines = fs::read_regular(&file, MAX_SETTINGS_SIZE).ok()?;
        let assigned: Vec<String> = lines.lines().flat_map(words).collect();
        Some(DockerProxy {
            value: proxy_in(&assigned)?,
            file,
        })
    })
}

/// Returns the value of the last assignment of a proxy.
fn proxy_in(assignments: &[String]) -> Option<String> {
    VARIABLES.iter().find_map(|variable| {
        let mut values = assignments.iter().rev().filter_map(|assignment| {
            let (name, value) = assignment.split_once('=')?;
            let value = value.trim_matches(['"', '\'']);
            (name == *variable && !value.is_empty()).then(|| value.to_owned())
        });
        values.next()
    })
}

/// Splits a line at blanks outside of quotes, and removes the quotes (`systemd.syntax(7)`).
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for character in line.chars() {
        match quote {
            Some(open) if character == open => quote = None,
            None if matches!(character, '"' | '\'') => quote = Some(character),
            None if character.is_whitespace() => words.push(String::new()),
            _ => {
                if let Some(word) = words.last_mut() {
                    // `%%` is a percent sign in a unit.
                    if !(character == '%' && word.ends_with('%')) {
                        word.push(character);
                    }
                }
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;

    /// Returns the files and values that are found if one file has this text.
    fn found(path: &str, text: &str) -> Vec<(String, String)> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        let home = directory.path().join("home");
        let environment = Environment::default();
        let machine = Machine {
            environment: &environment,
            home: Some(&home),
            root: directory.path(),
            user_id: None,
        };
        docker_proxies(&machine)
            .into_iter()
            .map(|proxy| {
                let file = proxy.file.strip_prefix(directory.path()).unwrap();
                (file.to_str().unwrap().replace('\\', "/"), proxy.value)
            })
            .collect()
    }

    #[test]
    fn the_proxy_of_the_daemon_and_of_containers_is_found() {
        const P: &str = "http://proxy:3128";
        for (path, text) in [
            (
                "etc/docker/daemon.json",
                r#"{"proxies": {"https-proxy": "http://proxy:3128"}}"#,
            ),
            (
                "home/.config/docker/daemon.json",
                r#"{"proxies": {"https-proxy": "http://proxy:3128"}}"#,
            ),
            (
                "home/.docker/config.json",
                r#"{"proxies": {"default": {"httpsProxy": "http://proxy:3128"}}}"#,
            ),
            (
                "home/.docker/config.json",
                r#"{"proxies": {"tcp://d": {"httpsProxy": "http://proxy:3128"}}}"#,
            ),
            (
                "etc/systemd/system/docker.service.d/proxy.conf",
                "[Service]\nEnvironment=\"HTTPS_PROXY=http://proxy:3128\"\n",
            ),
            (
                "etc/systemd/system/docker.service.d/a.conf",
                "[Service]\nEnvironment=HTTP_PROXY=x HTTPS_PROXY=http://proxy:3128\n",
            ),
            (
                "usr/lib/systemd/system/docker.service",
                "[Service]\nEnvironment = \\\n  'https_proxy=http://proxy:3128' \"NO_PROXY=a,b\"\n",
            ),
            (
                "home/.config/systemd/user/docker.service.d/p.conf",
                "Environment=HTTPS_PROXY=old\nEnvironment=HTTPS_PROXY=http://proxy:3128\n",
            ),
        ] {
            assert_eq!(
                found(path, text),
                [(path.to_owned(), P.to_owned())],
                "{text}"
            );
        }
        for (path, text) in [
            ("etc/docker/daemon.json", "{"),
            (
                "etc/docker/daemon.json",
                r#"{"proxies": {"https-proxy": " "}}"#,
            ),
            ("etc/docker/daemon.json", r#"{"proxies": 1}"#),
            (
                "home/.docker/config.json",
                r#"{"proxies": {"default": {"httpProxy": "http://p"}}}"#,
            ),
            (
                "etc/systemd/system/docker.service.d/proxy.txt",
                "Environment=HTTPS_PROXY=x",
            ),
            (
                "etc/systemd/system/docker.service.d/p.conf",
                "#Environment=HTTPS_PROXY=x\nEnvironment=HTTPS_PROXY=\n",
            ),
        ] {
            assert_eq!(found(path, text), [], "{path} {text}");
        }
    }

    #[test]
    fn an_environment_file_of_the_service_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("docker");
        std::fs::write(&file, "# comment\nHTTPS_PROXY=\"http://proxy:3128\"\n").unwrap();
        let unit = directory.path().join("docker.service");
        std::fs::write(
            &unit,
            format!("[Service]\nEnvironmentFile=-{}\n", file.display()),
        )
        .unwrap();
        let proxy = in_unit(&unit).unwrap();
        assert_eq!((proxy.file, &*proxy.value), (file, "http://proxy:3128"));
    }

    #[test]
    fn a_doubled_percent_sign_of_a_unit_is_one() {
        assert_eq!(words("A=p%%40ss B=%h"), ["A=p%40ss", "B=%h"]);
    }
}
