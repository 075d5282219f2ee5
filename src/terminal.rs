//! [`Terminal`]: the person who typed a command, as far as they can be reached.

use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::IsTerminal;
use std::io::Read;
use std::io::Write;
use std::time::Duration;

use indicatif::ProgressBar;

use crate::environment;
use crate::environment::Environment;
use crate::error::one_line;
use crate::secret::Secret;

#[cfg(unix)]
mod hidden_input;

/// The person at the terminal.
///
/// Whatever they are shown stands on stderr, because stdout is the command's answer.
/// It is one line each, without what could move the cursor.
pub trait Terminal {
    /// Whether a person can be asked: stdin and stderr are terminals.
    fn is_interactive(&self) -> bool;

    /// Asks for something that is not shown while it is typed.
    ///
    /// # Errors
    /// There is no terminal, or the person broke off.
    fn ask_secret(&self, prompt: &str) -> io::Result<Secret>;

    /// Asks for a line, without the spaces around it.
    ///
    /// # Errors
    /// There is no terminal, or the person broke off.
    fn ask(&self, prompt: &str) -> io::Result<String>;

    /// Asks for yes or no; nothing but Enter is the `default`.
    ///
    /// # Errors
    /// There is no terminal, or the person broke off.
    fn confirm(&self, question: &str, default: bool) -> io::Result<bool>;

    /// How many characters fit on a line of stdout; `None` when it is no terminal.
    fn width(&self) -> Option<usize> {
        None
    }

    /// A line for the person, also where stderr is no terminal.
    fn tell(&self, line: &str);

    /// Opens a page, and says whether a browser was started.
    fn open_browser(&self, url: &str) -> bool;

    /// Shows what is being waited for until the result is dropped: a spinner on a
    /// terminal, nothing in a pipe.
    fn progress(&self, what: &str) -> Box<dyn Progress>;
}

/// Something that a person sees going on; dropping it ends that.
pub trait Progress {}

/// The longest line that a person is shown, in characters: an URL of a login has
/// about four hundred.
const LONGEST_LINE: usize = 4000;

/// The most that is read as yes or no, in bytes: what a terminal gives as a line.
const LONGEST_ANSWER: u64 = 4096;

/// How often a question is put that is answered neither with yes nor with no.
const MOST_QUESTIONS: u32 = 3;

/// How long a picture of the spinner stands.
const FRAME: Duration = Duration::from_millis(100);

/// Where the terminal is, whatever stdin and stdout are.
const DEVICE: &str = if cfg!(windows) { "CONIN$" } else { "/dev/tty" };

/// What says that there is a browser on a system without one of its own.
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
    /// The terminal, with the environment that says whether there is a desktop.
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
        hidden_input::read(&one_line(prompt, LONGEST_LINE))
    }

    fn ask(&self, prompt: &str) -> io::Result<String> {
        let prompt = format!("{} ", one_line(prompt, LONGEST_LINE));
        io::stderr().write_all(prompt.as_bytes())?;
        line(&mut device()?)
    }

    fn confirm(&self, question: &str, default: bool) -> io::Result<bool> {
        let mut answers = device()?;
        put(question, default, &mut answers, &mut io::stderr())
    }

    fn width(&self) -> Option<usize> {
        let (_, columns) = console::Term::stdout().size_checked()?;
        Some(usize::from(columns))
    }

    fn tell(&self, line: &str) {
        let _ = writeln!(io::stderr(), "{}", one_line(line, LONGEST_LINE));
    }

    /// The launcher gets a session of its own and none of our streams.
    fn open_browser(&self, url: &str) -> bool {
        if !self.has_browser() {
            return false;
        }
        let started = open::that_detached(url);
        if let Err(error) = &started {
            tracing::debug!(%error, "no browser can be started");
        }
        started.is_ok()
    }

    fn progress(&self, what: &str) -> Box<dyn Progress> {
        if !io::stderr().is_terminal() {
            return Box::new(Unseen);
        }
        let spinner = ProgressBar::new_spinner().with_message(one_line(what, LONGEST_LINE));
        spinner.enable_steady_tick(FRAME);
        Box::new(Spinner(spinner))
    }
}

/// Windows restores the console's mode itself; its prompts know no signals.
#[cfg(windows)]
mod hidden_input {
    pub(super) fn read(prompt: &str) -> std::io::Result<crate::secret::Secret> {
        rpassword::prompt_password(prompt).map(crate::secret::Secret::new)
    }
}

/// What the person types. Not stdin, which is locked for whoever reads a secret from
/// it.
fn device() -> io::Result<impl BufRead> {
    Ok(BufReader::new(File::open(DEVICE)?.take(LONGEST_ANSWER)))
}

fn line(answers: &mut dyn BufRead) -> io::Result<String> {
    let mut answer = String::new();
    match answers.read_line(&mut answer)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(answer.trim().to_owned()),
    }
}

/// Puts a question until it is answered with yes or no.
fn put(
    question: &str,
    default: bool,
    answers: &mut dyn BufRead,
    output: &mut dyn Write,
) -> io::Result<bool> {
    let choice = if default { "[Y/n]" } else { "[y/N]" };
    for _ in 0..MOST_QUESTIONS {
        let question = format!("{} {choice} ", one_line(question, LONGEST_LINE));
        output.write_all(question.as_bytes())?;
        match line(answers)?.to_ascii_lowercase().as_str() {
            "" => return Ok(default),
            "y" | "yes" => return Ok(true),
            "n" | "no" => return Ok(false),
            _ => {}
        }
    }
    Err(io::Error::other("neither yes nor no"))
}

struct Spinner(ProgressBar);

impl Progress for Spinner {}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

struct Unseen;

impl Progress for Unseen {}

#[cfg(test)]
pub(crate) mod fake {
    use std::cell::RefCell;
    use std::collections::VecDeque;

    use super::*;

    /// A person who gives answers from a list, and notes what they are shown.
    #[derive(Debug, Default)]
    pub(crate) struct FakeTerminal {
        /// What they type, one for each question.
        pub(crate) answers: RefCell<VecDeque<String>>,
        /// The pages that were opened.
        pub(crate) opened: RefCell<Vec<String>>,
        /// Prompts and lines.
        pub(crate) shown: RefCell<Vec<String>>,
        /// Whether there is a browser.
        pub(crate) has_browser: bool,
    }

    impl FakeTerminal {
        /// A person without a browser who will type this; nobody, if that is nothing.
        #[allow(dead_code, reason = "for whoever asks a person something")]
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
            put(
                question,
                default,
                &mut format!("{answer}\n").as_bytes(),
                &mut io::sink(),
            )
        }

        fn tell(&self, line: &str) {
            self.shown.borrow_mut().push(line.to_owned());
        }

        fn open_browser(&self, url: &str) -> bool {
            if self.has_browser {
                self.opened.borrow_mut().push(url.to_owned());
            }
            self.has_browser
        }

        fn progress(&self, _what: &str) -> Box<dyn Progress> {
            Box::new(Unseen)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(answers: &str, default: bool) -> (io::Result<bool>, String) {
        let mut output = Vec::new();
        let answer = put("Do it?", default, &mut answers.as_bytes(), &mut output);
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
    fn somebody_who_says_nothing_sensible_is_not_asked_for_ever() {
        for answers in ["", "a\n", "a\nb\nc\ny\n"] {
            assert!(answered(answers, true).0.is_err(), "{answers:?}");
        }
    }

    #[test]
    fn a_question_cannot_move_the_cursor() {
        let mut output = Vec::new();
        put("a\u{1b}[2Jb", true, &mut "\n".as_bytes(), &mut output).unwrap();
        assert!(!output.contains(&0x1b));
    }

    #[test]
    #[cfg(not(any(target_os = "macos", windows)))]
    fn there_is_a_browser_where_something_says_so() {
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
