//! [`Invalid`]: what is wrong with a value.

use std::fmt;
use std::ops::Range;

use crate::error::Error;
use crate::text::repeatable::quoted;

/// What is wrong with a value, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(super) struct Invalid {
    reason: String,
    hint: Option<String>,
    /// The position in the settings file, in bytes.
    pub(super) offset: Option<usize>,
}

impl Invalid {
    /// Creates it from the end of a sentence that begins with the name of the value.
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            hint: None,
            offset: None,
        }
    }

    /// Creates it for a value that has to be one of these.
    pub(super) fn not_one_of(value: &str, available: &[&str]) -> Self {
        Self::new(format!("cannot be {}", quoted(value)))
            .with_hint(format!("Available values: {}", available.join(", ")))
    }

    /// Adds what to do about it: a sentence without a full stop.
    #[must_use]
    pub(super) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// Adds the position, unless a part of the value has one.
    #[must_use]
    pub(super) fn at(self, span: Range<usize>) -> Self {
        Self {
            offset: self.offset.or(Some(span.start)),
            ..self
        }
    }

    /// Returns the error about the value with this name.
    pub(super) fn error(self, name: impl fmt::Display) -> Error {
        let error = Error::user(format!("{name} {}", self.reason));
        match self.hint {
            None => error,
            Some(hint) => error.with_hint(hint),
        }
    }
}

impl From<String> for Invalid {
    fn from(reason: String) -> Self {
        Self::new(reason)
    }
}
