//! The environment of each test: empty directories, few variables, an emulated IBM Cloud, and a namespace of its own in the system's
//! keychain. All output is searched for the secrets of the test.
#![allow(
    dead_code,
    unused_imports,
    reason = "each test file is a program of its own and uses only a part of this"
)]

mod bad_file;
#[cfg(unix)]
pub(crate) mod browser;
mod clock;
mod keyring;
mod outcome;
#[cfg(target_os = "linux")]
mod own_etc;
mod process;
#[cfg(unix)]
pub(crate) mod screen;
mod system;
pub(crate) mod token;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::hash::BuildHasher as _;
use std::hash::RandomState;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;

use icr_emulator::Authority;
use icr_emulator::Emulator;
use icr_emulator::Subject;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;

pub(crate) use bad_file::BadFile;
pub(crate) use clock::unix_now;
pub(crate) use clock::wait_until;
pub(crate) use keyring::Keys;
pub(crate) use outcome::Outcome;
pub(crate) use outcome::with_slashes;
#[cfg(target_os = "linux")]
pub(crate) use own_etc::create_own_etc;
#[cfg(target_os = "linux")]
pub(crate) use own_etc::with_own_etc;
pub(crate) use process::Input;
pub(crate) use process::Running;
#[cfg(unix)]
pub(crate) use screen::Screen;
#[cfg(unix)]
pub(crate) use screen::Typed;
pub(crate) use system::*;

/// The text by which clients recognize that there is no credential.
pub(crate) const NOT_FOUND: &str = "credentials not found in native keychain";

/// The API key that [`TestEnv::with_environment_key`] sets; the person `IBMid-environment` owns it.
pub(crate) const ENVIRONMENT_KEY: &str = "ENVIRONMENT-API-KEY-5c1f";

/// The environment in which a test runs the program, and an emulated cloud. All of it is removed when it is dropped.
pub(crate) struct TestEnv {
    pub(crate) cloud: Emulator,
    directory: TempDir,
    keys: Keys,
    secrets: Arc<Mutex<Vec<String>>>,
    variables: BTreeMap<OsString, OsString>,
    /// A lock, held while there may be items in the keychain.
    turn: Option<File>,
}

impl TestEnv {
    /// Creates an environment without a keychain.
    pub(crate) fn new() -> Self {
        Self::create("none", None)
    }

    /// Creates an environment without a keychain, and with an API key in a variable.
    pub(crate) fn with_environment_key() -> Self {
        let mut env = Self::new();
        env.set_environment_key();
        env
    }

    /// Creates an environment that stores everything in the first of [`KEYCHAINS`]. Without it, it returns `None` and prints the
    /// reason; with `CI=true`, the test fails.
    pub(crate) fn with_keychain() -> Option<Self> {
        Self::with_keychain_named(KEYCHAINS[0])
    }

    /// Does the same as [`TestEnv::with_keychain`] with another value of `ICR_KEYCHAIN`.
    pub(crate) fn with_keychain_named(choice: &str) -> Option<Self> {
        if let Err(reason) = keyring::available() {
            let reason = format!("it needs a keychain, which cannot be used here ({reason})");
            assert!(!must_run_everything(), "{reason}");
            skipped(&reason);
            return None;
        }
        Some(Self::create(choice, Some(keyring::turn())))
    }

    /// Adds TLS and a registry to the cloud, at [`TestEnv::registries`], and to the settings.
    pub(crate) fn with_registry(mut self) -> Self {
        let authority = Authority::create(self.path("authority")).expect("a directory");
        let cloud = Emulator::builder().tls(&authority, &[]).start();
        self.cloud = cloud.expect("a free port on loopback");
        let endpoint = self.cloud.url();
        self.set("SSL_CERT_FILE", authority.certificate_path())
            .set("IBMCLOUD_IAM_API_ENDPOINT", endpoint);
        let [host, _] = self.registries();
        self.settings(&format!("registries = [\"{host}\"]\n"));
        self
    }

    /// Returns the two hosts of the registry of [`TestEnv::with_registry`].
    pub(crate) fn registries(&self) -> [String; 2] {
        let port = self.cloud.address().port();
        ["localhost", "127.0.0.1"].map(|host| format!("{host}:{port}"))
    }

    fn create(keychain: &str, turn: Option<File>) -> Self {
        let directory = temporary_directory();
        set_mode(directory.path(), 0o700);
        let namespace = format!(
            "test-{}-{:016x}",
            std::process::id(),
            RandomState::new().hash_one(())
        );
        let cloud = Emulator::start().expect("a free port on loopback");
        let mut env = Self {
            keys: Keys::of_namespace(&namespace),
            directory,
            secrets: Arc::default(),
            variables: BTreeMap::new(),
            turn,
            cloud,
        };
        for (variable, folder) in DIRECTORY_VARIABLES {
            let path = env.path(folder);
            fs::create_dir_all(&path).expect("the directory is new and ours");
            set_mode(&path, 0o700);
            env.set(variable, path);
        }
        env.variables.extend(variables_of_the_system());
        let endpoint = env.cloud.url();
        // Otherwise systemd-creds, where it is used, creates the key of the machine.
        let key = env.path("credential.secret");
        env.set("SYSTEMD_CREDENTIAL_SECRET", key)
            .set("ICR_KEYCHAIN", keychain)
            .set("ICR_BACKGROUND_REFRESH", "false")
            .set("ICR_NAMESPACE", namespace)
            .set("IBMCLOUD_IAM_API_ENDPOINT", endpoint);
        env
    }

    /// Sets an environment variable.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<OsString>) -> &mut Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Returns the value of an environment variable.
    pub(crate) fn variable(&self, name: &str) -> Option<OsString> {
        self.variables.get(OsStr::new(name)).cloned()
    }

    /// Removes an environment variable.
    pub(crate) fn unset(&mut self, name: &str) -> &mut Self {
        self.variables.remove(OsStr::new(name));
        self
    }

    /// Sets a valid API key in the environment.
    pub(crate) fn set_environment_key(&mut self) -> &mut Self {
        self.add_api_key(ENVIRONMENT_KEY, "environment");
        self.set("IBMCLOUD_API_KEY", ENVIRONMENT_KEY)
    }

    /// Writes the user's settings file.
    pub(crate) fn settings(&self, text: &str) -> PathBuf {
        self.file(SETTINGS, text)
    }

    /// Writes a file that other users cannot write to.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        let folder = path.parent().expect("it is below the test's directory");
        fs::create_dir_all(folder).expect("the test may change it");
        fs::write(&path, text).expect("the test may change it");
        // Independent of the umask, because the program refuses a file that others can write to.
        set_mode(folder, 0o700);
        let is_below = |path: &&Path| *path != self.directory.path();
        for above in folder.ancestors().take_while(is_below) {
            set_mode(above, 0o700);
        }
        set_mode(&path, 0o600);
        path
    }

    /// Writes a configuration of the IBM Cloud CLI with these fields changed. Its IAM is the test's cloud.
    pub(crate) fn cli_session(&self, changes: &Value) -> PathBuf {
        self.file(CLI_SESSION, &self.cli_configuration(changes))
    }

    /// Returns what [`TestEnv::cli_session`] writes.
    pub(crate) fn cli_configuration(&self, changes: &Value) -> String {
        let cloud = self.cloud.url();
        let mut configuration = json!({
            "APIEndpoint": "https://cloud.ibm.com", "IsPrivate": false, "IsAccessFromVPC": false,
            "ConsoleEndpoint": "https://cloud.ibm.com", "CloudType": "public", "CloudName": "bluemix", "CRIType": "",
            "Region": "us-south", "RegionID": "ibm:yp:us-south", "IAMEndpoint": cloud, "IAMPrivateEndpoint": cloud,
            "IAMPrivateVPCEndpoint": cloud, "IAMToken": "", "IAMRefreshToken": "", "IsLoggedInAsCRI": false,
            "Account": {"GUID": "account-1", "Name": "Müller & Söhne", "Owner": "someone@example.com"},
            "Profile": {"ID": "", "Name": "", "ComputeResource": {"Name": "", "ID": ""}, "User": {"Name": "", "Email": ""}},
            "ResourceGroup": {"GUID": "", "Name": "", "State": "", "Default": false, "QuotaID": ""}, "LoginAt": "2026-08-01T12:00:00Z",
            "PluginRepos": [{"Name": "IBM Cloud", "URL": "https://plugins.cloud.ibm.com"}], "SSLDisabled": false, "Locale": "",
            "FallbackAccount": {"GUID": "", "Name": "", "Owner": ""}, "FallbackIAMTokens": {"IAMToken": "", "IAMRefreshToken": ""},
            "AssumedTrustedProfileId": "", "SDKVersion": "1.11.0",
        });
        for (name, value) in changes.as_object().into_iter().flatten() {
            configuration[name] = value.clone();
        }
        for name in ["IAMToken", "IAMRefreshToken"] {
            let token = configuration[name].as_str().unwrap_or_default();
            let token = token.trim_start_matches("Bearer ");
            if !token.is_empty() {
                self.add_secret(token);
            }
        }
        format!("{configuration:#}")
    }

    /// Makes `key` an API key of the person `IBMid-{owner}`, and a secret.
    pub(crate) fn add_api_key(&self, key: &str, owner: &str) {
        self.add_secret(key);
        self.cloud.accounts().add_api_key(key, Subject::user(owner));
    }

    /// Makes `token` a refresh token of the person `IBMid-{owner}`, and a secret.
    pub(crate) fn add_refresh_token(&self, token: &str, owner: &str) {
        self.add_secret(token);
        let accounts = self.cloud.accounts();
        accounts.add_refresh_token(token, Subject::user(owner));
    }

    /// Makes `token` that of a compute resource which these profiles are linked to, and a secret.
    pub(crate) fn add_compute_resource_token(&self, token: &str, profiles: &[&str]) {
        self.add_secret(token);
        let accounts = self.cloud.accounts();
        accounts.add_compute_resource_token(token, profiles);
    }

    /// Returns an access token of `IBMid-{owner}`, as IAM issued it.
    pub(crate) fn access_token_of(&self, owner: &str) -> String {
        let key = format!("API-KEY-FOR-A-TOKEN-OF-{owner}");
        self.add_api_key(&key, owner);
        let mut command = self.command(&["get"]);
        command
            .env("IBMCLOUD_API_KEY", key)
            .env("ICR_SOURCE", "environment");
        command
            .env("ICR_KEYCHAIN", "none")
            .env("IBMCLOUD_IAM_API_ENDPOINT", self.cloud.url());
        self.start_as(command, "us.icr.io")
            .finish()
            .is_credential("iambearer")
    }

    /// Makes a text a secret: from now on no output may contain it, except the secret of an answer.
    pub(crate) fn add_secret(&self, secret: &str) {
        assert!(secret.len() >= 8, "{secret:?} would be found by chance");
        let mut secrets = self.secrets();
        if !secrets.iter().any(|known| known == secret) {
            secrets.push(secret.to_owned());
        }
    }

    /// Returns a path in the test's directory, with this system's separators.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        path.components().collect()
    }

    /// Deletes what the program remembers of services that did not answer, as if time had passed.
    pub(crate) fn forget_outages(&self) {
        for path in files_below(&self.path(STATE)) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with("outage-") {
                fs::remove_file(&path).expect("a file of this test");
            }
        }
    }

    /// Returns the test's items in the keychain.
    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Runs `get` with the address on standard input, as clients do.
    pub(crate) fn get(&self, address: &str) -> Outcome {
        self.run(&["get"], address)
    }

    /// Runs `store`, as clients do.
    pub(crate) fn store(&self, address: &str, username: &str, secret: &str) -> Outcome {
        if !secret.is_empty() {
            self.add_secret(secret);
        }
        let request = json!({"ServerURL": address, "Username": username, "Secret": secret});
        self.run(&["store"], request.to_string().as_str())
    }

    /// Runs `erase` with the address on standard input, as clients do.
    pub(crate) fn erase(&self, address: &str) -> Outcome {
        self.run(&["erase"], address)
    }

    /// Runs `list`, as the Go client does.
    pub(crate) fn list(&self) -> Outcome {
        self.run(&["list"], "unused")
    }

    /// Runs the program to its end.
    pub(crate) fn run<'a>(&self, arguments: &[&str], input: impl Into<Input<'a>>) -> Outcome {
        self.start(arguments, input).finish()
    }

    /// Starts the program.
    pub(crate) fn start<'a>(&self, arguments: &[&str], input: impl Into<Input<'a>>) -> Running {
        self.start_as(self.command(arguments), input)
    }

    /// Starts a command that was made by [`TestEnv::command`].
    pub(crate) fn start_as<'a>(&self, command: Command, input: impl Into<Input<'a>>) -> Running {
        Running::start(command, input.into(), Arc::clone(&self.secrets))
    }

    /// Returns a command of the program in this environment, without the variables of the tests.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_docker-credential-icr"));
        command.args(arguments);
        self.apply_to(&mut command);
        command
    }

    /// Sets this environment for another command, and a pipe for its output.
    pub(crate) fn apply_to(&self, command: &mut Command) {
        command
            .env_clear()
            .envs(&self.variables)
            .current_dir(self.directory.path())
            .stdout(Stdio::piped());
    }

    /// Returns all files below the test's directory that contain a secret.
    pub(crate) fn files_with_secrets(&self) -> Vec<PathBuf> {
        let secrets = self.secrets();
        files_below(self.directory.path())
            .into_iter()
            .filter(|path| {
                let content = fs::read(path).unwrap_or_default();
                let content = String::from_utf8_lossy(&content);
                secrets.iter().any(|secret| content.contains(secret))
            })
            .collect()
    }

    /// Returns the secrets of the test and those of answers.
    pub(crate) fn secrets(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.secrets.lock().expect("no panic while it is locked")
    }
}

impl Drop for TestEnv {
    fn drop(&mut self) {
        // See `keyring::turn`.
        if cfg!(windows) && self.turn.is_none() {
            return;
        }
        self.keys.remove_all();
    }
}

/// Copies an executable, such as the built binary for a user who cannot reach it.
#[cfg(unix)]
pub(crate) fn copy_executable(from: impl AsRef<Path>, to: &Path) {
    write_executable(&fs::read(from).expect("the test may change it"), to);
}

/// Writes an executable.
///
/// `cat` does it, because a process that another test starts just then would inherit a
/// descriptor of ours, and the kernel runs no file that is open for writing (`ETXTBSY`).
#[cfg(unix)]
pub(crate) fn write_executable(content: &[u8], to: &Path) {
    let mut shell = std::process::Command::new("/bin/sh")
        .args(["-c", "umask 022; cat > \"$0\" && chmod 755 \"$0\""])
        .arg(to)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut stdin = shell.stdin.take().expect("a pipe was asked for");
    stdin.write_all(content).expect("the shell reads it");
    drop(stdin);
    assert!(shell.wait().expect("it is our child").success(), "{to:?}");
}

/// Runs a test with each of [`KEYCHAINS`].
pub(crate) fn with_each_keychain(test: impl Fn(TestEnv)) {
    for choice in KEYCHAINS {
        if let Some(env) = TestEnv::with_keychain_named(choice) {
            test(env);
        }
    }
}

/// Calls a function on several threads at the same time, with their numbers.
pub(crate) fn in_parallel<T: Send>(count: usize, run: impl Fn(usize) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let run = &run;
        let runs: Vec<_> = (0..count)
            .map(|index| scope.spawn(move || run(index)))
            .collect();
        runs.into_iter()
            .map(|run| {
                run.join()
                    .unwrap_or_else(|cause| std::panic::resume_unwind(cause))
            })
            .collect()
    })
}

/// Returns the directories of `tests/cases` with the cases of this kind, sorted.
pub(crate) fn case_directories(kind: &str) -> Vec<PathBuf> {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cases")
        .join(kind);
    let entries = fs::read_dir(cases).expect("the cases");
    let mut cases: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    assert!(!cases.is_empty());
    cases
}

/// Returns all files below a directory.
pub(crate) fn files_below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => files_below(&entry.path()),
            _ => vec![entry.path()],
        })
        .collect()
}
