//! A problem, a warning or a note, with its fix.

use serde::Serialize;

use crate::commands::redundant_logins::Notice;
use crate::error::Error;

/// A message for a person.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(in crate::commands) struct Message {
    /// What was found: a text for people.
    pub(super) message: String,
    /// How to repair it, preferably a command; null if there is no advice.
    pub(super) fix: Option<String>,
}

impl Message {
    /// Creates a message with a fix.
    pub(super) fn new(message: String, fix: String) -> Self {
        Self {
            message,
            fix: Some(fix),
        }
    }

    /// Creates a message from an error. The message begins with this name; the hint is the
    /// fix.
    pub(super) fn about(name: &str, error: &Error) -> Self {
        Self {
            message: error.text_about(name),
            fix: error.hint().map(str::to_owned),
        }
    }
}

impl From<&Error> for Message {
    fn from(error: &Error) -> Self {
        Self {
            message: error.text(),
            fix: error.hint().map(str::to_owned),
        }
    }
}

impl From<Notice> for Message {
    fn from(notice: Notice) -> Self {
        Self::new(notice.message, notice.fix)
    }
}
