//! What a case sets up before it calls `get`.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::cloud::CloudFile;
use super::cloud::Clouds;
use super::placeholders::Placeholders;
use super::support::TestEnv;
use super::support::files_below;

/// The files and directories that a case may have, besides further clouds (`cloud-NAME.json`).
const PARTS: [&str; 7] = [
    "cloud.json",
    "env",
    "expect.json",
    "home",
    "logins.json",
    "settings.toml",
    "working_directory",
];

/// An element of `logins.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    /// Neither this nor a profile: the default login.
    registry: Option<String>,
    profile: Option<String>,
    secret: String,
    /// The user name under which a client stores the secret. Without it, `login` stores an API key.
    user: Option<String>,
}

/// The environment that the directories of a case describe.
pub(crate) struct Setup {
    pub(crate) env: TestEnv,
    /// The clouds run until this value is dropped.
    _clouds: Clouds,
    /// The case's base first.
    directories: Vec<PathBuf>,
    placeholders: Placeholders,
}

impl Setup {
    /// Prepares an environment; `directories` are the case's base, if it has one, and its own.
    pub(crate) fn new(env: TestEnv, directories: Vec<PathBuf>) -> Self {
        check_names(&directories);
        let clouds = start_clouds(&directories, &env);
        let mut setup = Self {
            placeholders: Placeholders::new(&env, &clouds),
            _clouds: clouds,
            directories,
            env,
        };
        for path in setup.parts("cloud.json") {
            let file: CloudFile = parse(&path);
            file.set_up(&setup.env.cloud, &setup.env);
        }
        if let Some(path) = setup.part("settings.toml") {
            setup.env.settings(&setup.fill(&read(&path)));
        }
        if let Some(path) = setup.part("logins.json") {
            for login in parse::<Vec<Login>>(&path) {
                login.store(&setup.env);
            }
        }
        for directory in &setup.directories {
            setup.copy(&directory.join("home"), "home");
            setup.copy(&directory.join("working_directory"), "");
        }
        setup.set_variables();
        setup
    }

    /// Returns a text of the case with the values of its placeholders.
    pub(crate) fn fill(&self, text: &str) -> String {
        self.placeholders.fill(text, &self.env)
    }

    /// Returns the files of this name, the base's first.
    fn parts(&self, name: &str) -> Vec<PathBuf> {
        let paths = self.directories.iter().map(|it| it.join(name));
        paths.filter(|path| path.exists()).collect()
    }

    /// Returns the case's own file of this name, otherwise the base's.
    fn part(&self, name: &str) -> Option<PathBuf> {
        self.parts(name).pop()
    }

    /// Copies a directory, if the case has it, into the test's directory.
    fn copy(&self, from: &Path, to: &str) {
        for file in files_below(from) {
            let name = Path::new(to).join(file.strip_prefix(from).expect("it is below"));
            let name = name.to_str().expect("a plain name");
            let content = fs::read(&file).expect("a readable file");
            match String::from_utf8(content) {
                Ok(text) => drop(self.env.file(name, &self.fill(&text))),
                Err(other) => {
                    let path = self.env.file(name, "");
                    fs::write(path, other.as_bytes()).expect("a file of this test");
                }
            }
        }
    }

    /// Sets or removes a variable for each line of `env`, the base's first.
    fn set_variables(&mut self) {
        let texts = self.parts("env").into_iter().map(|path| read(&path));
        let texts: Vec<String> = texts.map(|text| self.fill(&text)).collect();
        let lines = texts.iter().flat_map(|text| text.lines());
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some((name, value)) = line.split_once('=') {
                self.env.set(name, value);
            } else {
                self.env.unset(line);
            }
        }
    }
}

impl Login {
    fn store(&self, env: &TestEnv) {
        if let Some(user) = &self.user {
            let registry = self.registry.as_deref().expect("a client names a registry");
            env.store(registry, user, &self.secret).is_silent_success();
            return;
        }
        env.add_secret(&self.secret);
        let mut arguments = vec!["login", "--api-key-stdin"];
        arguments.extend(self.registry.as_deref());
        if let Some(profile) = &self.profile {
            arguments.extend(["--profile", profile]);
        }
        let outcome = env.run(&arguments, self.secret.as_str());
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
    }
}

/// Starts the clouds that have a file `cloud-NAME.json`, besides the main one.
fn start_clouds(directories: &[PathBuf], env: &TestEnv) -> Clouds {
    let mut clouds = Clouds::default();
    for directory in directories {
        for name in names_in(directory) {
            if let Some(name) = name.strip_suffix(".json").filter(|_| is_cloud(&name)) {
                let file = parse(&directory.join(format!("{name}.json")));
                clouds.start(name, &file, env);
            }
        }
    }
    clouds
}

/// Fails for a misspelt file, which would otherwise do nothing.
fn check_names(directories: &[PathBuf]) {
    for directory in directories {
        for name in names_in(directory) {
            let is_known = PARTS.contains(&&*name) || is_cloud(&name);
            assert!(is_known, "{name} in {directory:?} is no part of a case");
        }
    }
}

fn is_cloud(name: &str) -> bool {
    name.starts_with("cloud-")
}

/// Returns the sorted names of a directory's entries.
pub(crate) fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory);
    let entries = entries.unwrap_or_else(|error| panic!("{directory:?}: {error}"));
    let names = entries.map(|entry| entry.expect("a readable directory").file_name());
    let names = names.map(|name| name.into_string().expect("a plain name"));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// Reads a JSON file of a case.
pub(crate) fn parse<T: DeserializeOwned>(path: &Path) -> T {
    serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}
