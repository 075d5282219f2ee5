//! The directory and the environment of the demo's commands, which keep them away from the user's files.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::bail;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::screen;

/// The starts of the names of variables that the demo must not see: the user's keys, settings of clients, directories.
const HIDDEN: [&str; 12] = [
    "BLUEMIX_",
    "BM_",
    "CONTAINER",
    "DOCKER_",
    "IBMCLOUD_",
    "IBM_",
    "IC_",
    "ICR_",
    "REGISTRY_",
    "SSL_CERT_",
    "VCAP_",
    "XDG_",
];

/// Those that it sees nevertheless: the keychain to use, and where the session's programs listen.
const SEEN: [&str; 2] = ["ICR_KEYCHAIN", "XDG_RUNTIME_DIR"];

/// A directory and an environment.
#[derive(Clone)]
pub(crate) struct Shell {
    directory: PathBuf,
    variables: Vec<(&'static str, OsString)>,
}

impl Shell {
    /// Creates the shell for a cloud behind this proxy; the cleanup process creates the same one again.
    pub(crate) fn new(directory: &Path, helper: &Path, proxy: &str) -> Self {
        let below = |name: &str| directory.join(name).into_os_string();
        let name = directory.file_name().unwrap_or_default();
        let mut variables = vec![
            ("PATH", search_path(helper)),
            ("HOME", directory.into()),
            ("HTTPS_PROXY", proxy.into()),
            ("SSL_CERT_FILE", below("authority.pem")),
            ("ICR_NAMESPACE", name.into()),
            // Otherwise podman's file is outside of the home directory.
            ("REGISTRY_AUTH_FILE", below("auth.json")),
            // Otherwise root's encrypted logins, and their key, are the machine's.
            ("XDG_STATE_HOME", below(".local/state")),
            ("SYSTEMD_CREDENTIAL_SECRET", below("credential.secret")),
        ];
        if cfg!(windows) {
            variables.push(("DOCKER_CONFIG", below(".docker")));
        }
        Self {
            directory: directory.to_owned(),
            variables,
        }
    }

    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<OsString>) {
        self.variables.push((name, value.into()));
    }

    /// Removes a variable; returns whether it was set.
    pub(crate) fn unset(&mut self, name: &str) -> bool {
        let before = self.variables.len();
        self.variables.retain(|(set, _)| *set != name);
        self.variables.len() < before
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Writes a file that other users cannot change, independent of the umask, because the program refuses other settings files.
    pub(crate) fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let path = self.path(name);
        let created = path.parent().map_or(Ok(()), fs::create_dir_all);
        created
            .and_then(|()| options.open(&path))
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .with_context(|| format!("cannot write `{name}`"))
    }

    pub(crate) fn read(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        fs::read(self.path(name)).with_context(|| format!("cannot read `{name}`"))
    }

    /// Shows a file of the directory.
    pub(crate) fn show_file(&self, name: &str) -> anyhow::Result<()> {
        screen::command("cat", &[name], "")?;
        Ok(screen::output(&String::from_utf8_lossy(&self.read(name)?))?)
    }

    /// Returns the variables as assignments, for showing.
    pub(crate) fn exports(&self) -> String {
        let directory = self.directory.display().to_string();
        let assignment = |(name, value): &(&str, OsString)| {
            let value = value.to_string_lossy();
            let value = match value.split_once(':') {
                Some((first, _)) if *name == "PATH" => format!("{first}:$PATH"),
                _ => value.replacen(&directory, "$PWD", 1),
            };
            format!("{name}={value}")
        };
        let assignments: Vec<String> = self.variables.iter().map(assignment).collect();
        assignments.join(" ")
    }

    /// Runs a program to its end.
    pub(crate) fn run(
        &self,
        program: &str,
        arguments: &[&str],
        input: &str,
    ) -> anyhow::Result<Finished> {
        self.finish(&mut self.command(program), arguments, input)
    }

    /// Runs a command of this shell to its end.
    pub(crate) fn finish(
        &self,
        command: &mut Command,
        arguments: &[&str],
        input: &str,
    ) -> anyhow::Result<Finished> {
        let program = command.get_program().to_string_lossy().into_owned();
        let started = now();
        let mut child = command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start '{program}'"))?;
        // Inputs are smaller than a pipe's buffer, so this does not block; a program need not read it.
        child
            .stdin
            .take()
            .map(|mut pipe| pipe.write_all(input.as_bytes()));
        let output = child
            .wait_with_output()
            .with_context(|| format!("cannot wait for '{program}'"))?;
        Ok(Finished {
            milliseconds: started.elapsed().as_secs_f64() * 1000.0,
            line: [&[&*program], arguments].concat().join(" "),
            stderr: trimmed(&output.stderr),
            stdout: trimmed(&output.stdout),
            output,
        })
    }

    /// Shows a command, runs it, and shows what it printed.
    pub(crate) fn show(&self, program: &str, arguments: &[&str]) -> anyhow::Result<Finished> {
        screen::command(program, arguments, "")?;
        let finished = self.run(program, arguments, "")?.succeed()?;
        finished.show()?;
        Ok(finished)
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.directory);
        for (name, _) in environment().filter(|(name, _)| name.to_str().is_some_and(is_hidden)) {
            command.env_remove(name);
        }
        for (name, value) in &self.variables {
            command.env(name, value);
        }
        command
    }

    /// Fails if a file in the directory contains one of the secrets, bare or as the end of a base64 login. Returns how many files there are.
    pub(crate) fn search_files(&self, secrets: &[String]) -> anyhow::Result<usize> {
        let encoded = |secret: &String| {
            ["iamapikey", "iambearer"]
                .map(|user| BASE64_STANDARD.encode(format!("{user}:{secret}")))
        };
        let needles: Vec<String> = secrets
            .iter()
            .flat_map(encoded)
            .chain(secrets.iter().cloned())
            .collect();
        let mut directories = vec![self.directory.clone()];
        let mut count = 0;
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(&directory)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    directories.push(entry.path());
                    continue;
                }
                let content = fs::read(entry.path())
                    .with_context(|| format!("cannot read `{}`", entry.path().display()))?;
                let holds = |needle: &&String| {
                    content
                        .windows(needle.len())
                        .any(|window| window == needle.as_bytes())
                };
                if needles.iter().any(|needle| holds(&needle)) {
                    bail!("{} contains a secret", entry.path().display());
                }
                count += 1;
            }
        }
        Ok(count)
    }
}

/// How a program ended.
pub(crate) struct Finished {
    line: String,
    milliseconds: f64,
    output: Output,
    stderr: String,
    stdout: String,
}

impl Finished {
    pub(crate) fn succeeded(&self) -> bool {
        self.output.status.success()
    }

    /// Returns an error with the program's output, unless it succeeded.
    pub(crate) fn succeed(self) -> anyhow::Result<Self> {
        if self.succeeded() {
            Ok(self)
        } else {
            bail!("'{}' failed:{self}", self.line)
        }
    }

    /// Prints what it printed.
    pub(crate) fn show(&self) -> anyhow::Result<()> {
        screen::output(&self.stderr)?;
        Ok(screen::output(&self.stdout)?)
    }

    pub(crate) fn milliseconds(&self) -> f64 {
        self.milliseconds
    }

    /// Returns its output, without white space at the ends.
    pub(crate) fn stdout(&self) -> &str {
        &self.stdout
    }

    /// Returns its output on stderr, without white space at the ends.
    pub(crate) fn stderr(&self) -> &str {
        &self.stderr
    }
}

/// For error messages: it begins with a line break. Standard output may hold a token and is not in it.
impl fmt::Display for Finished {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\n  {}", self.output.status)?;
        self.stderr
            .lines()
            .try_for_each(|line| write!(formatter, "\n  stderr: {line}"))
    }
}

/// Returns the cargo that runs us, without its variables about our own package: build scripts depend on them, so that every demo and the next build
/// would compile half of the program again.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(variable("CARGO").unwrap_or_else(|| "cargo".into()));
    let about_us =
        |name: &str| name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_PKG_");
    let names = environment().map(|(name, _)| name);
    for name in names.filter(|name| name.to_str().is_some_and(about_us)) {
        command.env_remove(name);
    }
    command
}

/// The demo's own environment.
#[expect(
    clippy::disallowed_methods,
    reason = "the demo is not the program and reads its own environment"
)]
fn environment() -> env::VarsOs {
    env::vars_os()
}

fn variable(name: &str) -> Option<OsString> {
    environment().find_map(|(set, value)| (set == name).then_some(value))
}

fn is_hidden(name: &str) -> bool {
    let is_proxy = name.to_ascii_uppercase().ends_with("_PROXY");
    let has_prefix = HIDDEN.iter().any(|start| name.starts_with(start));
    (is_proxy || has_prefix) && !SEEN.contains(&name)
}

/// Returns whether a program is on the search path. It is not started, because podman then already writes files.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = variable("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| {
        directory
            .join(program)
            .with_extension(env::consts::EXE_EXTENSION)
            .is_file()
    })
}

/// A moment to measure from.
#[expect(
    clippy::disallowed_methods,
    reason = "the demo's waiting and measuring need no other clock"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Returns the search path with the helper's directory in front, so that clients find it.
fn search_path(helper: &Path) -> OsString {
    let path = variable("PATH").unwrap_or_default();
    let directories = helper
        .parent()
        .map(Path::to_owned)
        .into_iter()
        .chain(env::split_paths(&path));
    // Fails only for a directory with the separator in its name, which no search path can hold.
    env::join_paths(directories).unwrap_or(path)
}

fn trimmed(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_settings_of_the_user_are_hidden() {
        let hidden = "IBMCLOUD_API_KEY IC_API_KEY BLUEMIX_HOME ICR_CONFIG ICR_LOG DOCKER_CONFIG REGISTRY_AUTH_FILE \
             CONTAINERS_CONF CONTAINER_REGISTRY_APIKEY IBM_CREDENTIALS_FILE XDG_CONFIG_HOME SSL_CERT_DIR \
             HTTPS_PROXY https_proxy NO_PROXY no_proxy ALL_PROXY";
        for name in hidden.split_whitespace() {
            assert!(is_hidden(name), "{name}");
        }
        for name in [
            "PATH",
            "HOME",
            "LANG",
            "ICR_KEYCHAIN",
            "XDG_RUNTIME_DIR",
            "ICON",
        ] {
            assert!(!is_hidden(name), "{name}");
        }
    }

    #[test]
    fn a_secret_in_a_file_is_found() {
        let name = format!("icr-demo-test-{}", crate::secret::unique_name().unwrap());
        let directory = env::temp_dir().join(name);
        fs::create_dir(&directory).unwrap();
        let shell = Shell::new(&directory, Path::new("bin/helper"), "http://127.0.0.1:1");
        let secrets = ["KEY".to_owned()];
        shell.write("a/b", "none").unwrap();
        assert_eq!(shell.search_files(&secrets).unwrap(), 1);
        for content in ["the KEY", "aWFtYXBpa2V5OktFWQ=="] {
            shell.write("a/b", content).unwrap();
            let error = shell.search_files(&secrets).unwrap_err().to_string();
            assert!(error.ends_with("contains a secret"), "{error}");
        }
        fs::remove_dir_all(directory).unwrap();
    }
}
