//! Other programs, asked for a line.

use std::fs::File;
use std::io::Read;
use std::io::Seek;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;

use crate::time::Clock;

/// How long another program may take: a login shell may read a lot.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait before looking again whether it has ended.
const PAUSE: Duration = Duration::from_millis(3);

/// The most that it may answer, in bytes.
const LIMIT: u64 = 64 * 1024;

/// What a program writes to its output, and whether it succeeded; `None` when it
/// cannot be started, does not end in time or does not stop writing.
///
/// It writes into a file without a name: a pipe would not end before everybody who was
/// started on the way has closed it, and says nothing of a program that closes it and
/// runs on.
pub(super) fn ask(command: &mut Command, clock: &dyn Clock) -> Option<(String, bool)> {
    let mut output = tempfile::tempfile().ok()?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(output.try_clone().ok()?)
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let Some(status) = ended(&mut child, &output, clock) else {
        let _ = child.kill();
        let _ = child.wait();
        return None;
    };
    let mut bytes = Vec::new();
    output.rewind().ok()?;
    output.take(LIMIT).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Some((text, status.success()))
}

/// How it ended, if it did so in time and in few words.
fn ended(child: &mut Child, output: &File, clock: &dyn Clock) -> Option<ExitStatus> {
    let started = clock.elapsed();
    loop {
        if let Some(status) = child.try_wait().ok()? {
            return Some(status);
        }
        let is_talkative = output.metadata().ok()?.len() > LIMIT;
        if is_talkative || clock.elapsed().saturating_sub(started) > PATIENCE {
            return None;
        }
        clock.sleep(PAUSE);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::time::SystemClock;
    use crate::time::fake::FakeClock;

    fn ask(script: &str, clock: &dyn Clock) -> Option<(String, bool)> {
        super::ask(Command::new("sh").args(["-c", script]), clock)
    }

    #[test]
    fn an_answer_is_heard_with_how_it_ended() {
        let clock = &SystemClock::start();
        assert_eq!(ask("echo yes", clock), Some(("yes\n".into(), true)));
        assert_eq!(ask("echo no; exit 3", clock), Some(("no\n".into(), false)));
        let nothing = &mut Command::new("/does/not/exist");
        assert_eq!(super::ask(nothing, clock), None);
    }

    #[test]
    fn whoever_was_left_behind_need_not_end() {
        let pipe = tempfile::tempdir().unwrap();
        let pipe = pipe.path().join("pipe");
        let script = format!("mkfifo {0}; cat {0} & echo yes", pipe.display());
        let answer = ask(&script, &SystemClock::start());
        // Whoever reads from the pipe ends with it.
        std::fs::File::options().write(true).open(&pipe).unwrap();
        assert_eq!(answer, Some(("yes\n".into(), true)));
    }

    #[test]
    fn whoever_runs_on_is_not_waited_for() {
        let clock = &FakeClock::at(0);
        for script in ["exec >&-; kill -STOP $$", "while :; do echo y; done"] {
            assert_eq!(ask(script, clock), None, "{script}");
        }
    }
}
