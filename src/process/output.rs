//! Runs other programs for their output.

use std::io::Read;
use std::io::Seek;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use crate::child;
use crate::child::Limits;
use crate::time::Clock;

/// The limits of a program. A login shell can have long startup files.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(5),
    output: 64 * 1024,
};

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
    let Ok(Some(status)) = child::wait(&mut child, &output, LIMITS, clock) else {
        let _ = child.kill();
        let _ = child.wait();
        return None;
    };
    let mut bytes = Vec::new();
    output.rewind().ok()?;
    output.take(LIMITS.output).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Some((text, status.success()))
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
