//! [`Terminal`]: prompts and messages for the person who typed a command.

use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::IsTerminal;
use std::io::Read;
use std::io::Write;

use crate::environment;
use crate::environment::Environment;
use crate::environment::mask::Mask;
use crate::error::one_line;
use crate::secret::Secret;

#[cfg(unix)]
mod hidden_input;
mod spinner;

use spinner::Spinner;

/// Prompts and messages for the person who typed a command.
///
/// They go to stderr, because stdout is the command's answer. Each is one line without
/// characters that could move the cursor.
pub trait Terminal {
    /// Returns whether prompts are possible: stdin and stderr are terminals.
    fn is_interactive(&self) -> bool;

    /// Prompts for a secret, which is not shown while it is typed.
    ///
    /// # Errors
    /// There is no terminal, or the person cancels the prompt.
    fn ask_secret(&self, prompt: &str) -> io::Result<Secret>;

    /// Prompts for a line. Returns it without surrounding spaces.
    ///
    /// # Errors
    /// There is no terminal, or the person cancels the prompt.
    fn ask(&self, prompt: &str) -> io::Result<String>;

    /// Asks a yes-or-no question. An empty answer means `default`.
    ///
    /// # Errors
    /// There is no terminal, or the person cancels the prompt.
    fn confirm(&self, question: &str, default: bool) -> io::Result<bool>;

    /// Returns the width of stdout in characters; `None` if it is no terminal.
    fn width(&self) -> Option<usize> {
        None
    }

    /// Writes a line, even if stderr is no terminal.
    fn write_line(&self, line: &str);

    /// Opens a page. Returns whether a browser was started.
    fn open_browser(&self, url: &str) -> bool;

    /// Shows a progress message until the result is dropped: a spinner on a terminal, nothing
    /// in a pipe.
    fn progress(&self, what: &str) -> Progress;
}

/// A progress display, which ends when it is dropped; without a spinner, it shows nothing.
#[must_use = "dropping it ends the display"]
pub struct Progress {
    _spinner: Option<Spinner>,
}

/// The maximum length of a line, in characters. The URL of a login has about four hundred.
const MAX_LINE_LENGTH: usize = 4000;

/// The maximum length of an answer, in bytes: that of a terminal's line.
const MAX_ANSWER_LENGTH: u64 = 4096;

/// How often a question is asked until the answer is yes or no.
const MAX_QUESTIONS: u32 = 3;

/// The terminal device, which stdin and stdout may not be.
const DEVICE: &str = if cfg!(windows) { "CONIN$" } else { "/dev/tty" };

/// The variables that show that a Linux system has a browser.
const BROWSER_VARIABLES: [&str; 3] = [
    environment::BROWSER,
    environment::DISPLAY,
    environment::WAYLAND_DISPLAY,
];

/// The terminal of this process.
#[derive(Debug)]
pub struct SystemTerminal<'a> {
    environment: &'a Environment,
}

impl<'a> SystemTerminal<'a> {
    /// Creates it with the environment, which shows whether there is a browser.
    pub fn new(environment: &'a Environment) -> Self {
        Self { environment }
    }

    fn has_browser(&self) -> bool {
        cfg!(any(target_os = "macos", windows))
            || BROWSER_VARIABLES
                .iter()
                .any(|variable| self.environment.has(variable))
    }
}

impl Terminal for SystemTerminal<'_> {
    fn is_interactive(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    fn ask_secret(&self, prompt: &str) -> io::Result<Secret> {
        hidden_input::read(&one_line(prompt, MAX_LINE_LENGTH))
    }

    fn ask(&self, prompt: &str) -> io::Result<String> {
        let prompt = format!("{} ", one_line(prompt, MAX_LINE_LENGTH));
        let mut output = io::stderr();
        output.write_all(prompt.as_bytes())?;
        line(&mut device()?).inspect_err(|_| end_prompt(&mut output))
    }

    fn confirm(&self, question: &str, default: bool) -> io::Result<bool> {
        let mut answers = device()?;
        ask_yes_or_no(question, default, &mut answers, &mut io::stderr())
    }

    fn width(&self) -> Option<usize> {
        let (_, columns) = console::Term::stdout().size_checked()?;
        Some(usize::from(columns))
    }

    fn write_line(&self, line: &str) {
        let line = one_line(line, MAX_LINE_LENGTH);
        let line = Mask::of(self.environment).apply(&line).into_owned();
        let _ = writeln!(io::stderr(), "{line}");
    }

    /// The launcher runs in a session of its own without our streams.
    fn open_browser(&self, url: &str) -> bool {
        if !self.has_browser() {
            return false;
        }
        let started = open::that_detached(url);
        if let Err(error) = &started {
            tracing::debug!(%error, "cannot start a browser");
        }
        started.is_ok()
    }

    fn progress(&self, what: &str) -> Progress {
        Progress {
            _spinner: Spinner::start(what),
        }
    }
}

/// Windows restores the console mode itself, and has no signals.
#[cfg(windows)]
mod hidden_input {
    pub(super) fn read(prompt: &str) -> std::io::Result<crate::secret::Secret> {
        rpassword::prompt_password(prompt).map(crate::secret::Secret::new)
    }
}

/// Opens the person's input. Not stdin, which is locked for reading a secret.
fn device() -> io::Result<impl BufRead> {
    Ok(BufReader::new(File::open(DEVICE)?.take(MAX_ANSWER_LENGTH)))
}

fn line(answers: &mut dyn BufRead) -> io::Result<String> {
    let mut answer = String::new();
    match answers.read_line(&mut answer)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(answer.trim().to_owned()),
    }
}

/// Ends the line of a prompt without an answer, before the error is written.
fn end_prompt(output: &mut dyn Write) {
    let _ = writeln!(output);
}

/// Asks a question until the answer is yes or no.
fn ask_yes_or_no(
    question: &str,
    default: bool,
    answers: &mut dyn BufRead,
    output: &mut dyn Write,
) -> io::Result<bool> {
    let choice = if default { "[Y/n]" } else { "[y/N]" };
    for _ in 0..MAX_QUESTIONS {
        let question = format!("{} {choice} ", one_line(question, MAX_LINE_LENGTH));
        output.write_all(question.as_bytes())?;
        let answer = line(answers).inspect_err(|_| end_prompt(output))?;
        match answer.to_ascii_lowercase().as_str() {
            "" => return Ok(default),
            "y" | "yes" => return Ok(true),
            "n" | "no" => return Ok(false),
            _ => {}
        }
    }
    Err(io::Error::other("the answer is not yes or no"))
}

#[cfg(test)]
pub(crate) mod fake {
    use std::cell::RefCell;
    use std::collections::VecDeque;

    use super::*;

    /// A terminal with a list of answers, which records what it shows.
    #[derive(Debug, Default)]
    pub(crate) struct FakeTerminal {
        /// The answers, one for each prompt.
        pub(crate) answers: RefCell<VecDeque<String>>,
        /// The opened pages.
        pub(crate) opened: RefCell<Vec<String>>,
        /// The prompts and lines that were shown.
        pub(crate) shown: RefCell<Vec<String>>,
        /// Whether there is a browser.
        pub(crate) has_browser: bool,
    }

    impl FakeTerminal {
        /// Creates one without a browser that gives these answers; without answers, it is not
        /// interactive.
        #[allow(dead_code, reason = "for tests of prompts")]
        pub(crate) fn typing(answers: &[&str]) -> Self {
            Self {
                answers: RefCell::new(answers.iter().map(|&answer| answer.to_owned()).collect()),
                ..Self::default()
            }
        }

        fn answer(&self, prompt: &str) -> io::Result<String> {
            self.shown.borrow_mut().push(prompt.to_owned());
            let answer = self.answers.borrow_mut().pop_front();
            answer.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
        }
    }

    impl Terminal for FakeTerminal {
        fn is_interactive(&self) -> bool {
            !self.answers.borrow().is_empty()
        }

        fn ask_secret(&self, prompt: &str) -> io::Result<Secret> {
            self.answer(prompt).map(Secret::new)
        }

        fn ask(&self, prompt: &str) -> io::Result<String> {
            self.answer(prompt)
        }

        fn confirm(&self, question: &str, default: bool) -> io::Result<bool> {
            let answer = self.answer(question)?;
            ask_yes_or_no(
                question,
                default,
                &mut format!("{answer}\n").as_bytes(),
                &mut io::sink(),
            )
        }

        fn write_line(&self, line: &str) {
            self.shown.borrow_mut().push(line.to_owned());
        }

        fn open_browser(&self, url: &str) -> bool {
            if self.has_browser {
                self.opened.borrow_mut().push(url.to_owned());
            }
            self.has_browser
        }

        fn progress(&self, _what: &str) -> Progress {
            Progress { _spinner: None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(answers: &str, default: bool) -> (io::Result<bool>, String) {
        let mut output = Vec::new();
        let answer = ask_yes_or_no("Do it?", default, &mut answers.as_bytes(), &mut output);
        (answer, String::from_utf8(output).unwrap())
    }

    #[test]
    fn a_question_is_answered_with_yes_no_or_enter() {
        for (answers, default, meant) in [
            ("y\n", false, true),
            ("YES\r\n", false, true),
            ("n\n", true, false),
            (" No \n", true, false),
            ("\n", true, true),
            ("\n", false, false),
            ("what?\nyes\n", false, true),
        ] {
            let (answer, _) = answered(answers, default);
            assert_eq!(answer.unwrap(), meant, "{answers:?}");
        }
        assert_eq!(answered("\n", true).1, "Do it? [Y/n] ");
        assert_eq!(answered("\n", false).1, "Do it? [y/N] ");
    }

    #[test]
    fn a_prompt_without_an_answer_ends_its_line() {
        let (answer, output) = answered("", true);
        assert!(answer.is_err() && output.ends_with('\n'), "{output:?}");
    }

    #[test]
    fn a_question_is_not_repeated_forever() {
        for answers in ["", "a\n", "a\nb\nc\ny\n"] {
            assert!(answered(answers, true).0.is_err(), "{answers:?}");
        }
    }

    #[test]
    fn a_question_cannot_move_the_cursor() {
        let mut output = Vec::new();
        ask_yes_or_no("a\u{1b}[2Jb", true, &mut "\n".as_bytes(), &mut output).unwrap();
        assert!(!output.contains(&0x1b));
    }

    #[test]
    #[cfg(not(any(target_os = "macos", windows)))]
    fn a_variable_shows_that_there_is_a_browser() {
        let with = |variable: &str| Environment::from_iter([(variable, "x")]);
        for variable in BROWSER_VARIABLES {
            assert!(SystemTerminal::new(&with(variable)).has_browser());
        }
        for environment in [with("TERM"), Environment::default()] {
            let terminal = SystemTerminal::new(&environment);
            assert!(!terminal.has_browser());
            assert!(!terminal.open_browser("https://example.invalid"));
        }
    }
}
