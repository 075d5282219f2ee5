//! One run of the program. Threads write its input and read its output, so that neither side can block the other.

use std::io;
use std::io::Read;
use std::io::Write as _;
use std::process::Child;
use std::process::ChildStdin;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use super::Outcome;
use super::clock;

/// The maximum time of a run, longer than the program's deadline.
const LIMIT: Duration = Duration::from_secs(60);

/// The standard input of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input<'a> {
    /// These bytes, then the end.
    Bytes(&'a [u8]),
    /// Bytes without an end.
    Endless,
    /// No bytes and no end.
    Open,
}

impl<'a> From<&'a str> for Input<'a> {
    fn from(text: &'a str) -> Self {
        Self::Bytes(text.as_bytes())
    }
}

impl<'a> From<&'a [u8]> for Input<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

/// A running process. It is killed when it is dropped.
pub(crate) struct Running {
    child: Child,
    command: Command,
    error: Receiver<Vec<u8>>,
    feeder: Option<Receiver<io::Result<()>>>,
    open_input: Option<ChildStdin>,
    output: Receiver<Vec<u8>>,
    input: Vec<u8>,
    secrets: Arc<Mutex<Vec<String>>>,
    started: Instant,
}

impl Running {
    pub(super) fn start(
        mut command: Command,
        input: Input<'_>,
        secrets: Arc<Mutex<Vec<String>>>,
    ) -> Self {
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        let started = clock::now();
        let mut child = command.spawn().expect("the program was built");
        let mut stdin = child.stdin.take().expect("a pipe was asked for");
        let mut running = Self {
            error: read_all(child.stderr.take()),
            output: read_all(child.stdout.take()),
            child,
            command,
            feeder: None,
            open_input: None,
            input: Vec::new(),
            secrets,
            started,
        };
        match input {
            Input::Open => running.open_input = Some(stdin),
            Input::Bytes(bytes) => {
                running.input = bytes.to_vec();
                let bytes = bytes.to_vec();
                running.feeder = Some(in_background(move || stdin.write_all(&bytes)));
            }
            Input::Endless => {
                running.feeder = Some(in_background(move || {
                    loop {
                        stdin.write_all(&[b'y'; 65_536])?;
                    }
                }));
            }
        }
        running
    }

    /// Returns the process's id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
    }

    /// Waits for its end and returns the result.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Outcome {
        let output = self.output.recv_timeout(LIMIT);
        let error = self.error.recv_timeout(LIMIT);
        let (Ok(output), Ok(error)) = (output, error) else {
            panic!("{:?} did not end within {LIMIT:?}", self.command);
        };
        let status = self.child.wait().expect("it is our child");
        let feeding = self.feeder.take().map(|feeder| feeder.recv());
        let text = |bytes| String::from_utf8(bytes).expect("the program writes text");
        let mut arguments = self.command.get_args();
        let verb = arguments.next().unwrap_or_default().to_string_lossy();
        let outcome = Outcome {
            address: match arguments.next() {
                Some(argument) => argument.to_string_lossy().trim().to_owned(),
                None => String::from_utf8_lossy(&self.input).trim().to_owned(),
            },
            logs: self.command.get_envs().any(|(name, _)| name == "ICR_LOG"),
            status: status.code(),
            signal: signal(status),
            stderr: text(error),
            stdout: text(output),
            took: self.started.elapsed(),
            verb: verb.into_owned(),
            read_all_input: matches!(feeding, None | Some(Ok(Ok(())))),
        };
        let mut secrets = self.secrets.lock().expect("no panic while it is locked");
        let own = outcome.secret().filter(|secret| secret.len() >= 8);
        if let Some(own) = own
            && !secrets.contains(&own)
        {
            secrets.push(own);
        }
        let secrets = secrets.clone();
        outcome.shows_none_of(&secrets);
        outcome
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a stream to its end.
fn read_all(stream: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    in_background(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            stream.read_to_end(&mut bytes).expect("a pipe");
        }
        bytes
    })
}

fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::spawn(move || {
        // The receiver is gone if the run was killed.
        let _ = sender.send(work());
    });
    receiver
}

/// Returns the signal that ended a process.
#[cfg(unix)]
fn signal(status: std::process::ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_status: std::process::ExitStatus) -> Option<i32> {
    None
}
