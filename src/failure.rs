//! [`Failure`]: why there is no answer, sorted by what the caller does next.

use thiserror::Error;

/// The result of everything that can fail in this program.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Why there is no answer.
///
/// Messages are for the person at the terminal: what failed, which source was
/// used, what to do next. They hold no secret; the protocol makes them one line.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Failure {
    /// Not our registry, or nothing is stored for it: the client goes on without us.
    #[error("credentials not found in native keychain")]
    NotFound,
    /// The person must do something first; trying again changes nothing.
    #[error("{0}")]
    PersonMustAct(String),
    /// Nothing is wrong with what the person set up; it may work later.
    #[error("{0}")]
    TryLater(String),
    /// What a person typed does not fit the command; nothing was done.
    #[error("{0}")]
    Usage(String),
    /// This program broke a promise of its own.
    #[error("internal error: {0}; please report it")]
    ProgramIsWrong(String),
}

/// The exit statuses of people's commands, for scripts, and what each means.
pub const EXIT_STATUSES: [(u8, &str); 4] = [
    (0, "It is done, or all is well."),
    (
        1,
        "Something failed or is broken; the message says what to do.",
    ),
    (
        2,
        "The options and arguments do not fit the command; nothing was done.",
    ),
    (
        3,
        "It may work later: the network, IAM, a registry or a keychain does not answer now.",
    ),
];

impl Failure {
    /// A [`Failure::PersonMustAct`].
    pub fn act(message: impl Into<String>) -> Self {
        Self::PersonMustAct(message.into())
    }

    /// What is told of one of several things: with its name before it, unless the
    /// words begin with that.
    pub fn told_of(&self, name: &str) -> String {
        let words = self.to_string();
        match words.starts_with(name) {
            true => words,
            false => format!("{name}: {words}"),
        }
    }

    /// A [`Failure::TryLater`].
    pub fn later(message: impl Into<String>) -> Self {
        Self::TryLater(message.into())
    }

    /// A [`Failure::Usage`].
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// The exit status of a command that fails so, one of [`EXIT_STATUSES`]. Clients
    /// tell failures apart by nothing: theirs is always 1.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::NotFound | Self::PersonMustAct(_) | Self::ProgramIsWrong(_) => 1,
            Self::Usage(_) => 2,
            Self::TryLater(_) => 3,
        }
    }
}

/// A text as one line of at most so many characters: whatever could move a
/// terminal's cursor becomes a space.
pub fn one_line(text: &str, longest: usize) -> String {
    text.chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .take(longest)
        .collect()
}
