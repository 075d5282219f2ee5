//! Runs other programs for their output.

use std::io;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Seek;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use crate::child;
use crate::child::Limits;
use crate::time::Clock;

/// The maximum run time. A login shell can have long startup files.
const TIME: Duration = Duration::from_secs(5);

/// The maximum size of the output, in bytes.
const SIZE: u64 = 64 * 1024;

/// What is read of a program; the other stream is discarded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stream {
    /// The standard output.
    Output,
    /// The standard error.
    Error,
}

/// Runs a program for at most five seconds; returns its output and whether it succeeded. `None` if
/// it cannot be started, does not end in time or writes too much.
pub fn run(command: &mut Command, clock: &dyn Clock) -> Option<(String, bool)> {
    run_within(command, Stream::Output, TIME, clock).ok()
}

/// Runs a program; returns what it wrote and whether it succeeded.
///
/// The output goes to an unnamed file. A pipe would stay open until all processes that
/// inherited it have closed it, and does not show whether a program that closes it is
/// still running.
///
/// # Errors
/// It cannot be started. [`ErrorKind::TimedOut`]: it does not end in time or writes too much.
pub fn run_within(
    command: &mut Command,
    stream: Stream,
    time: Duration,
    clock: &dyn Clock,
) -> io::Result<(String, bool)> {
    let mut file = tempfile::tempfile()?;
    let (output, error) = match stream {
        Stream::Output => (Stdio::from(file.try_clone()?), Stdio::null()),
        Stream::Error => (Stdio::null(), Stdio::from(file.try_clone()?)),
    };
    let command = command.stdin(Stdio::null()).stdout(output).stderr(error);
    let mut child = command.spawn()?;
    let limits = Limits { time, output: SIZE };
    let Ok(Some(status)) = child::wait(&mut child, &file, limits, clock) else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(ErrorKind::TimedOut.into());
    };
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(SIZE).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok((text, status.success()))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::time::SystemClock;
    use crate::time::fake::FakeClock;

    fn run_script(script: &str, clock: &dyn Clock) -> Option<(String, bool)> {
        super::run(Command::new("sh").args(["-c", script]), clock)
    }

    #[test]
    fn output_and_success_are_returned() {
        let clock = &SystemClock::start();
        assert_eq!(run_script("echo yes", clock), Some(("yes\n".into(), true)));
        assert_eq!(
            run_script("echo no; exit 3", clock),
            Some(("no\n".into(), false))
        );
        let missing = &mut Command::new("/does/not/exist");
        assert_eq!(super::run(missing, clock), None);
    }

    #[test]
    fn errors_are_read_instead() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo yes; echo no >&2"]);
        let clock = &SystemClock::start();
        let answer = super::run_within(&mut command, Stream::Error, TIME, clock);
        assert_eq!(answer.unwrap(), ("no\n".into(), true));
    }

    #[test]
    fn a_background_process_of_the_program_is_not_waited_for() {
        let pipe = tempfile::tempdir().unwrap();
        let pipe = pipe.path().join("pipe");
        let script = format!("mkfifo {0}; cat {0} & echo yes", pipe.display());
        let answer = run_script(&script, &SystemClock::start());
        // Ends the background process.
        std::fs::File::options().write(true).open(&pipe).unwrap();
        assert_eq!(answer, Some(("yes\n".into(), true)));
    }

    #[test]
    fn a_program_that_does_not_end_is_killed() {
        let clock = &FakeClock::at(0);
        for script in ["exec >&-; kill -STOP $$", "while :; do echo y; done"] {
            assert_eq!(run_script(script, clock), None, "{script}");
        }
    }
}
