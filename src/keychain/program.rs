//! Runs the programs of other keychains: with secrets in memory files instead of arguments, and
//! with a time limit.

use std::cell::Cell;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::time::Duration;

use nix::sys::memfd::MFdFlags;
use nix::sys::memfd::memfd_create;
use nix::sys::signal::Signal;
use nix::sys::signal::killpg;
use nix::unistd::Pid;
use zeroize::Zeroizing;

use super::KeychainError;
use super::Prompting;
use super::timeout_marker::TimeoutMarker;
use crate::child;
use crate::child::Limits;
use crate::environment;
use crate::environment::Environment;
use crate::fs;
use crate::fs::TrustedUsers;
use crate::text::printable;
use crate::time::SystemClock;

/// The variable with the directories of programs.
const PATH: &str = "PATH";

/// The maximum size of the output, in bytes: an encrypted secret of the maximum length.
const MAX_OUTPUT: u64 = 256 * 1024;

/// The maximum length of a reason that a program printed, in characters.
const MAX_REASON: usize = 160;

/// Variables with secrets, which other programs do not need.
const SECRET_VARIABLES: [&[&str]; 4] = [
    &environment::API_KEY_VARIABLES,
    &environment::ACCESS_TOKEN_VARIABLES,
    &environment::REFRESH_TOKEN_VARIABLES,
    &[
        environment::COMPUTE_RESOURCE_TOKEN,
        environment::VCAP_SERVICES,
    ],
];

/// A program that is found on the `PATH` when it is first needed.
#[derive(Debug)]
pub(super) struct Program {
    name: &'static str,
    path: Option<OsString>,
    timeout: Duration,
    marker: TimeoutMarker,
    clock: SystemClock,
    has_timed_out: Cell<bool>,
}

/// What a program wrote.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) is_success: bool,
    /// Its standard output, which may be a secret.
    pub(super) stdout: Zeroizing<Vec<u8>>,
    /// Its messages.
    pub(super) messages: String,
}

impl Output {
    /// Returns the last message, for an error. If GnuPG is behind the program, that is its last
    /// message, unless it failed because a directory could not be created.
    pub(super) fn reason(&self) -> String {
        let lines = self.messages.lines().map(str::trim);
        let lines: Vec<&str> = lines
            .filter(|line| !line.is_empty() && !line.starts_with("[GNUPG:]"))
            .collect();
        let directory = lines.iter().find(|line| line.starts_with("mkdir: "));
        let of_gpg = lines.iter().rev().find(|line| line.starts_with("gpg: "));
        let line = directory.or(of_gpg).or(lines.last());
        let line = line.unwrap_or(&"it gave no reason");
        let line: String = line.chars().take(MAX_REASON).collect();
        printable::in_lines(&line).trim_end_matches('.').to_owned()
    }
}

impl Program {
    /// Creates the program with the time limit of one run. After a timeout, it is not run again for
    /// a while, also by other processes: the file that marks this is in `marks`.
    pub(super) fn new(
        name: &'static str,
        environment: &Environment,
        timeout: Duration,
        marks: Option<&Path>,
        prompting: Prompting,
    ) -> Self {
        let marks = marks.filter(|_| prompting == Prompting::Never);
        Self {
            name,
            path: environment.raw_value(PATH).map(OsStr::to_owned),
            timeout,
            marker: TimeoutMarker::at(marks.map(|it| it.join(format!("{name}-hung")))),
            clock: SystemClock::start(),
            has_timed_out: Cell::new(false),
        }
    }

    /// Returns another program with the same limits.
    pub(super) fn beside(&self, name: &'static str) -> Self {
        Self {
            name,
            path: self.path.clone(),
            timeout: self.timeout,
            marker: TimeoutMarker::at(None),
            clock: SystemClock::start(),
            has_timed_out: Cell::new(self.has_timed_out.get()),
        }
    }

    #[cfg(test)]
    pub(super) fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Returns the path of the program: that of the first one in an absolute directory of the
    /// `PATH`.
    ///
    /// # Errors
    /// There is none, or other users can replace it.
    pub(super) fn find(&self) -> Result<PathBuf, KeychainError> {
        let directories = self.path.iter().flat_map(std::env::split_paths);
        let absolute = directories.filter(|directory| directory.is_absolute());
        let found = absolute
            .map(|directory| directory.join(self.name))
            .find(|path| fs::is_executable(path));
        let Some(path) = found else {
            let reason = format!("the program {} is not on the PATH", self.name);
            return Err(KeychainError::Absent(reason));
        };
        match fs::refuse_if_others_write(&path, &TrustedUsers::acting_user()) {
            Ok(()) => Ok(path),
            Err(error) => Err(KeychainError::Unusable(
                format!("the program {} is not safe to run: {error}", path.display()),
                "Make sure that only you and root can change it and its directories".into(),
            )),
        }
    }

    /// Runs the program with these arguments and variables, and with `input` as its standard input.
    ///
    /// # Errors
    /// It cannot be found or started, or does not end in time.
    pub(super) fn run(
        &self,
        arguments: &[&str],
        variables: &[(&str, &OsStr)],
        input: &[u8],
    ) -> Result<Output, KeychainError> {
        let path = self.find()?;
        if self.has_timed_out.get() || self.marker.is_recent(&self.clock) {
            return Err(KeychainError::Timeout(self.name));
        }
        let mut command = Command::new(path);
        command.args(arguments).env("LC_ALL", "C");
        for name in SECRET_VARIABLES.iter().copied().flatten() {
            command.env_remove(name);
        }
        command.envs(variables.iter().copied());
        match self.run_to_end(&mut command, input) {
            Ok(Some(output)) => Ok(output),
            Ok(None) => {
                self.has_timed_out.set(true);
                self.marker.set(&self.clock);
                Err(KeychainError::Timeout(self.name))
            }
            Err(error) => Err(KeychainError::Refused(format!(
                "the program {} cannot be run ({error})",
                self.name
            ))),
        }
    }

    /// Runs a command; `None` if it does not end in time. It is the first process of a group, so
    /// that all processes that it started are ended with it.
    ///
    /// Its streams are files in memory: a process that it leaves behind, such as GnuPG's agent,
    /// could keep a pipe open.
    fn run_to_end(&self, command: &mut Command, input: &[u8]) -> io::Result<Option<Output>> {
        let mut stdin = memory_file()?;
        stdin.write_all(input)?;
        stdin.rewind()?;
        let (mut stdout, mut stderr) = (memory_file()?, memory_file()?);
        let mut child = command
            .stdin(stdin)
            .stdout(stdout.try_clone()?)
            .stderr(stderr.try_clone()?)
            .process_group(0)
            .spawn()?;
        let limits = Limits {
            time: self.timeout,
            output: MAX_OUTPUT,
        };
        let Some(status) = child::wait(&mut child, &stdout, limits, &self.clock)? else {
            end_group(&mut child);
            return Ok(None);
        };
        let messages = content(&mut stderr)?;
        Ok(Some(Output {
            is_success: status.success(),
            stdout: content(&mut stdout)?,
            messages: String::from_utf8_lossy(&messages).into_owned(),
        }))
    }
}

/// Ends a program and the processes that it started.
fn end_group(child: &mut Child) {
    if let Ok(id) = i32::try_from(child.id()) {
        let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
    }
    let _ = child.wait();
}

/// Returns a file without a name, of which nothing is on a disk.
fn memory_file() -> io::Result<File> {
    Ok(File::from(memfd_create(
        c"docker-credential-icr",
        MFdFlags::MFD_CLOEXEC,
    )?))
}

fn content(file: &mut File) -> io::Result<Zeroizing<Vec<u8>>> {
    let size = file.metadata()?.len().min(MAX_OUTPUT);
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(size).unwrap_or(0)));
    file.rewind()?;
    file.take(size).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
pub(super) mod test_support {
    use std::path::Path;
    use std::path::PathBuf;
    use std::process::Command;
    use std::process::Stdio;

    use tempfile::TempDir;

    use super::Write;
    use crate::fs::tests::close_to_others;

    /// A directory with stand-ins for programs in `bin`, which write their arguments into `calls`.
    pub(in super::super) struct StandIns {
        directory: TempDir,
    }

    impl StandIns {
        /// Creates the directory with scripts, in which `HERE` is its path.
        pub(in super::super) fn new(scripts: &[(&str, &str)]) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let here = directory.path().display().to_string();
            for (name, script) in scripts {
                let path = directory.path().join("bin").join(name);
                write_script(&path, &script.replace("HERE", &here));
            }
            Self { directory }
        }

        pub(in super::super) fn path(&self, name: &str) -> PathBuf {
            self.directory.path().join(name)
        }

        pub(in super::super) fn add(&self, name: &str, text: &str) {
            std::fs::write(self.path(name), text).unwrap();
        }

        pub(in super::super) fn calls(&self) -> Vec<String> {
            let calls = std::fs::read_to_string(self.path("calls")).unwrap_or_default();
            calls.lines().map(str::to_owned).collect()
        }
    }

    /// Writes an executable script into a directory of its own. `cat` does it, because a process that
    /// another test starts just then would inherit a descriptor of ours, and the kernel runs no file
    /// that is open for writing (`ETXTBSY`).
    fn write_script(path: &Path, script: &str) {
        let directory = path.parent().unwrap();
        std::fs::create_dir_all(directory).unwrap();
        let mut shell = Command::new("/bin/sh")
            .args(["-c", "cat > \"$0\" && chmod 700 \"$0\""])
            .arg(path)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = shell.stdin.take().unwrap();
        input.write_all(script.as_bytes()).unwrap();
        drop(input);
        assert!(shell.wait().unwrap().success());
        close_to_others(directory);
    }
}
