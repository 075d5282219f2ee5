//! Commands at a terminal, where all questions are answered.

use std::process::Command;
use std::process::Stdio;

use rexpect::ReadUntil;
use rexpect::session::spawn_command;

/// The width of the terminal.
pub(crate) const COLUMNS: u16 = 110;

/// The maximum wait for an output, in milliseconds.
const TIMEOUT: u64 = 30_000;

/// The text that ends the output, before the exit status.
const STATUS: &str = "exit status ";

/// The end of the question for an API key.
const KEY_QUESTION: &str = "API key: ";

/// The end of a question whose default is no.
const NO_QUESTION: &str = "[y/N] ";

/// The ends of all questions.
const QUESTIONS: [&str; 4] = [KEY_QUESTION, NO_QUESTION, "[Y/n] ", "]: "];

/// Returns the script of a shell that runs commands and then prints [`STATUS`].
pub(crate) fn script(commands: &str) -> String {
    format!(
        "PATH=/usr/bin:/bin stty echo cols {COLUMNS} rows 50\n(set -euo pipefail\n{commands}\n)\necho \"{STATUS}$?\""
    )
}

/// Runs such a shell, which must succeed, and returns what it writes. Each byte is a character. A question for an API key gets
/// this one, others are answered with yes or the default.
pub(crate) fn shown(mut shell: Command, key: &str, place: &str) -> String {
    shell.stdout(Stdio::inherit());
    let mut session = spawn_command(shell, Some(TIMEOUT)).expect("a terminal");
    let mut shown = String::new();
    loop {
        let ends = QUESTIONS.into_iter().chain([STATUS]);
        let ends = ends.map(|end| ReadUntil::String(end.to_owned())).collect();
        let (before, end) = session.exp_any(ends).expect(place);
        shown.push_str(&before);
        if end == STATUS {
            break;
        }
        shown.push_str(&end);
        let answer = match end.as_str() {
            KEY_QUESTION => key,
            NO_QUESTION => "y",
            _ => "",
        };
        session.send_line(answer).expect("an open terminal");
    }
    let status = session.exp_eof().expect("an end");
    assert_eq!(status.trim(), "0", "{place}: {shown}");
    shown
}
