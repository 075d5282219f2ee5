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
    /// This program broke a promise of its own.
    #[error("internal error: {0}; please report it")]
    ProgramIsWrong(String),
}

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
