//! Runs other programs for their output.

use std::fs::File;
use std::io::Read;
use std::io::Seek;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;

use crate::time::Clock;

/// The maximum run time of a program. A login shell can have long startup files.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The interval between two checks of whether a program has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(3);

/// The maximum size of the output, in bytes.
const MAX_OUTPUT: u64 = 64 * 1024;

/// Runs a program; returns its output and whether it succeeded. `None` if it cannot be
/// started, does not end in time or writes too much.
///
/// The output goes to an unnamed file. A pipe would stay open until all processes that
/// inherited it have closed it, and does not show whether a program that closes it is
/// still running.
pub fn run(command: &mut Command, clock: &dyn Clock) -> Option<(String, bool)> {
    let mut output = tempfile::tempfile().ok()?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(output.try_clone().ok()?)
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let Some(status) = wait(&mut child, &output, clock) else {
        let _ = child.kill();
        let _ = child.wait();
        return None;
    };
    let mut bytes = Vec::new();
    output.rewind().ok()?;
    output.take(MAX_OUTPUT).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Some((text, status.success()))
}

/// Waits until a program ends; `None` if it takes too long or writes too much.
fn wait(child: &mut Child, output: &File, clock: &dyn Clock) -> Option<ExitStatus> {
    let started = clock.elapsed();
    loop {
        if let Some(status) = child.try_wait().ok()? {
            return Some(status);
        }
        let is_too_long = output.metadata().ok()?.len() > MAX_OUTPUT;
        if is_too_long || clock.elapsed().saturating_sub(started) > TIMEOUT {
            return None;
        }
        clock.sleep(POLL_INTERVAL);
    }
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
