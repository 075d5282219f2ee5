//! [`Failure`]: why there is no answer, sorted by what the caller does next.

use std::fmt;

use thiserror::Error;

use crate::text::printable::is_printable;

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
    /// The client named no registry; it compares the text.
    #[error("no credentials server URL")]
    NoServerAddress,
    /// The person must do something first; trying again changes nothing.
    #[error("{0}")]
    PersonMustAct(Message),
    /// Nothing is wrong with what the person set up; it may work later.
    #[error("{0}")]
    TryLater(Message),
    /// What a person typed does not fit the command; nothing was done.
    #[error("{0}")]
    Usage(String),
    /// This program broke a promise of its own.
    #[error("internal error: {0}; please report it")]
    ProgramIsWrong(String),
}

/// What failed and why, and what to do about it.
///
/// The parts are separate because they are shown in different ways: on one line to
/// clients, on two lines to a person, as the fix of a problem by `doctor`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    text: String,
    /// Since when it has failed, in words.
    since: Option<String>,
    hint: Option<String>,
    is_rejection: bool,
}

impl Message {
    /// The text, with since when it has failed.
    fn dated_text(&self) -> String {
        match &self.since {
            None => self.text.clone(),
            Some(since) => format!("{} ({since})", self.text.trim_end_matches('.')),
        }
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self {
            text,
            since: None,
            hint: None,
            is_rejection: false,
        }
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// The text and the hint as sentences on one line.
impl fmt::Display for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.dated_text();
        match &self.hint {
            None => formatter.write_str(&text),
            Some(hint) => write!(formatter, "{}. {hint}", text.trim_end_matches('.')),
        }
    }
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
    pub fn act(message: impl Into<Message>) -> Self {
        Self::PersonMustAct(message.into())
    }

    /// The same with what to do about it, a sentence without a full stop. Only
    /// failures that a person can do something about have hints.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        if let Some(message) = self.message_mut() {
            message.hint = Some(hint.into());
        }
        self
    }

    /// The same with since when it has failed: `failing since 21:04 UTC, 7 min`.
    #[must_use]
    pub fn with_since(mut self, since: String) -> Self {
        if let Some(message) = self.message_mut() {
            message.since = Some(since);
        }
        self
    }

    /// The same, with more to say after its text.
    #[must_use]
    pub fn with_end(mut self, end: &str) -> Self {
        if let Some(message) = self.message_mut() {
            message.text.push_str(end);
        }
        self
    }

    /// The same, as IAM's answer that it does not accept what the source holds.
    #[must_use]
    pub fn as_rejection(mut self) -> Self {
        if let Some(message) = self.message_mut() {
            message.is_rejection = true;
        }
        self
    }

    /// Whether IAM does not accept what the source holds, and will not later.
    pub fn is_rejection(&self) -> bool {
        self.message().is_some_and(|message| message.is_rejection)
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        self.message()?.hint.as_deref()
    }

    /// What failed and why, without the hint.
    pub fn text(&self) -> String {
        let text = self.message().map(Message::dated_text);
        text.unwrap_or_else(|| self.to_string())
    }

    /// The same without since when it has failed.
    pub fn undated_text(&self) -> String {
        let text = self.message().map(|message| message.text.clone());
        text.unwrap_or_else(|| self.to_string())
    }

    fn message(&self) -> Option<&Message> {
        match self {
            Self::PersonMustAct(message) | Self::TryLater(message) => Some(message),
            _ => None,
        }
    }

    fn message_mut(&mut self) -> Option<&mut Message> {
        match self {
            Self::PersonMustAct(message) | Self::TryLater(message) => Some(message),
            _ => None,
        }
    }

    /// What is told of one of several things: with its name before it, unless the
    /// words begin with that.
    pub fn told_of(&self, name: &str) -> String {
        named(name, self.to_string())
    }

    /// The same without the hint.
    pub fn text_about(&self, name: &str) -> String {
        named(name, self.text())
    }

    /// A [`Failure::TryLater`].
    pub fn later(message: impl Into<Message>) -> Self {
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
            Self::NotFound
            | Self::NoServerAddress
            | Self::PersonMustAct(_)
            | Self::ProgramIsWrong(_) => 1,
            Self::Usage(_) => 2,
            Self::TryLater(_) => 3,
        }
    }
}

fn named(name: &str, words: String) -> String {
    if words.starts_with(name) {
        words
    } else {
        format!("{name}: {words}")
    }
}

/// A text as one line of at most so many characters: whatever could move a
/// terminal's cursor, turn the direction of the text or cannot be seen becomes a space.
pub fn one_line(text: &str, longest: usize) -> String {
    text.chars()
        .map(|character| {
            if is_printable(character) {
                character
            } else {
                ' '
            }
        })
        .take(longest)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_a_sentence_of_its_own() {
        let failure = Failure::act("it is broken.").with_hint("Mend it");
        assert_eq!(failure.to_string(), "it is broken. Mend it");
        assert_eq!(failure.text(), "it is broken.");
        assert_eq!(failure.hint(), Some("Mend it"));
        assert_eq!(Failure::NotFound.with_hint("x").hint(), None);
    }
}
