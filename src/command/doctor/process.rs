//! Other programs, asked for a line.

use std::io::Read;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use crate::clock::within;

/// How long another program may take: a login shell may read a lot.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most that is read of its answer, in bytes.
const LIMIT: u64 = 64 * 1024;

/// What a program writes to its output, and whether it succeeded; `None` when it
/// cannot be started or does not end in time.
pub(super) fn ask(command: &mut Command) -> Option<(String, bool)> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let output = child.stdout.take()?;
    let read = within(PATIENCE, move || {
        let mut bytes = Vec::new();
        output.take(LIMIT).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    });
    if read.is_none() {
        let _ = child.kill();
    }
    let status = child.wait().ok()?;
    let text = String::from_utf8_lossy(&read??).into_owned();
    Some((text, status.success()))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_heard_with_how_it_ended() {
        let ask = |script: &str| super::ask(Command::new("sh").args(["-c", script]));
        assert_eq!(ask("echo yes"), Some(("yes\n".into(), true)));
        assert_eq!(ask("echo no; exit 3"), Some(("no\n".into(), false)));
        assert_eq!(super::ask(&mut Command::new("/does/not/exist")), None);
    }
}
