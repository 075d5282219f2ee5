//! [`Error`]: why there is no answer, sorted by what the caller does next.

use std::fmt;

use crate::text::printable::is_printable;

/// The result of everything that can fail in this program.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What failed and why, and what to do about it.
///
/// Messages are for the person at the terminal and hold no secret. The parts are separate
/// because they are shown in different ways: on one line to clients, on two lines to a
/// person, as the fix of a problem by `doctor`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    /// `failing since 21:04 UTC, 7 min`.
    since: Option<String>,
    hint: Option<String>,
    is_rejection: bool,
    is_shown: bool,
    is_unreachable: bool,
}

/// What the caller does next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ErrorKind {
    /// Not an IBM Cloud registry, or nothing is stored for it: the client goes on without
    /// credentials.
    NotFound,
    /// The client named no registry.
    NoServerAddress,
    /// The person must do something first; trying again changes nothing.
    User,
    /// Nothing is wrong with what the person set up; it may work later.
    Temporary,
    /// What a person typed does not fit the command; nothing was done.
    Usage,
    /// A bug in this program.
    Internal,
}

impl std::error::Error for Error {}

/// The message and the hint as sentences on one line.
impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        match &self.hint {
            None => formatter.write_str(&text),
            Some(hint) => write!(formatter, "{}. {hint}", text.trim_end_matches('.')),
        }
    }
}

/// The exit statuses of people's commands, for scripts, and what each means.
pub const EXIT_STATUSES: [(u8, &str); 4] = [
    (0, "Success."),
    (
        1,
        "An error, or a problem was found; the message says what to do.",
    ),
    (2, "Wrong options or arguments; nothing was done."),
    (
        3,
        "A temporary error: the network, IAM, a registry or a keychain is unavailable.",
    ),
];

impl Error {
    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            since: None,
            hint: None,
            is_rejection: false,
            is_shown: false,
            is_unreachable: false,
        }
    }

    /// Creates an [`ErrorKind::NotFound`] with the text that clients look for
    /// (`docker/docker-credential-helpers`, `credentials/error.go`).
    pub fn not_found() -> Self {
        Self::new(
            ErrorKind::NotFound,
            "credentials not found in native keychain",
        )
    }

    /// Creates an [`ErrorKind::NoServerAddress`] with the text that clients compare.
    pub fn no_server_address() -> Self {
        Self::new(ErrorKind::NoServerAddress, "no credentials server URL")
    }

    /// Creates an [`ErrorKind::User`].
    pub fn user(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::User, message)
    }

    /// Creates an [`ErrorKind::Temporary`].
    pub fn temporary(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Temporary, message)
    }

    /// Creates an [`ErrorKind::User`] for an answer that cannot be written to stdout.
    pub fn unwritten_answer(error: &std::io::Error) -> Self {
        Self::user(format!("cannot write the answer ({error})"))
    }

    /// Creates an [`ErrorKind::User`] from the reasons that an `anyhow` error has, with the
    /// hint of the innermost one.
    pub fn from_anyhow(error: &anyhow::Error) -> Self {
        let hint = error.chain().filter_map(Self::in_cause);
        let hint = hint.filter_map(|error| error.hint.clone()).last();
        let reasons = error.chain().map(|cause| match Self::in_cause(cause) {
            Some(error) => error.text(),
            None => cause.to_string(),
        });
        let reasons: Vec<String> = reasons.collect();
        Self {
            hint,
            ..Self::user(reasons.join(": "))
        }
    }

    /// Returns the error of this type that is a cause, itself or inside an I/O error.
    fn in_cause<'a>(cause: &'a (dyn std::error::Error + 'static)) -> Option<&'a Self> {
        let inner = cause.downcast_ref::<std::io::Error>();
        match inner.and_then(std::io::Error::get_ref) {
            Some(inner) => inner.downcast_ref(),
            None => cause.downcast_ref(),
        }
    }

    /// Creates an [`ErrorKind::Usage`].
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// Creates an [`ErrorKind::Internal`].
    pub fn internal(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Internal, format!("internal error: {message}"))
            .with_hint("Report this bug")
    }

    /// Adds what to do about it: a sentence without a full stop.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// Adds a hint, unless it has one.
    #[must_use]
    pub fn with_default_hint(self, hint: impl Into<String>) -> Self {
        match self.hint {
            Some(_) => self,
            None => self.with_hint(hint),
        }
    }

    /// Adds since when it has failed: `failing since 21:04 UTC, 7 min`.
    #[must_use]
    pub fn with_since(self, since: String) -> Self {
        Self {
            since: Some(since),
            ..self
        }
    }

    /// Puts what failed before the message: `{context}: {message}`.
    #[must_use]
    pub fn with_context(self, context: impl fmt::Display) -> Self {
        Self {
            message: format!("{context}: {}", self.message),
            ..self
        }
    }

    /// Appends to the message.
    #[must_use]
    pub fn with_note(mut self, note: &str) -> Self {
        self.message.push_str(note);
        self
    }

    /// Marks it as IAM's answer that it does not accept what the source holds.
    #[must_use]
    pub fn as_rejection(self) -> Self {
        Self {
            is_rejection: true,
            ..self
        }
    }

    /// Marks it as part of the answer, or as not to be shown: only the exit status tells it.
    #[must_use]
    pub fn as_shown(self) -> Self {
        Self {
            is_shown: true,
            ..self
        }
    }

    /// Marks it as the absence of an answer from the network.
    #[must_use]
    pub fn as_unreachable(self) -> Self {
        Self {
            is_unreachable: true,
            ..self
        }
    }

    /// Returns what the caller does next.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns whether nothing is stored for the registry.
    pub fn is_not_found(&self) -> bool {
        self.kind == ErrorKind::NotFound
    }

    /// Returns whether it may work later.
    pub fn is_temporary(&self) -> bool {
        self.kind == ErrorKind::Temporary
    }

    /// Returns whether the person must do something first.
    pub fn needs_user_action(&self) -> bool {
        self.kind == ErrorKind::User
    }

    /// Returns whether IAM does not accept what the source holds, and will not later.
    pub fn is_rejection(&self) -> bool {
        self.is_rejection
    }

    /// Returns whether only the exit status tells it.
    pub fn is_shown(&self) -> bool {
        self.is_shown
    }

    /// Returns whether the network gave no answer.
    pub fn is_unreachable(&self) -> bool {
        self.is_unreachable
    }

    /// Returns what to do about it.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Returns what failed and why, without the hint.
    pub fn text(&self) -> String {
        match &self.since {
            None => self.message.clone(),
            Some(since) => format!("{} ({since})", self.message.trim_end_matches('.')),
        }
    }

    /// Returns what failed and why, without since when it has failed.
    pub fn undated_text(&self) -> String {
        self.message.clone()
    }

    /// Returns the message and the hint after the name of the one thing that failed,
    /// unless the message begins with that.
    pub fn with_name(&self, name: &str) -> String {
        prefixed(name, self.to_string())
    }

    /// Returns the same without the hint.
    pub fn text_about(&self, name: &str) -> String {
        prefixed(name, self.text())
    }

    /// Returns the exit status of a command with this error, one of [`EXIT_STATUSES`]. For
    /// clients' verbs it is always 1.
    pub fn exit_status(&self) -> u8 {
        match self.kind {
            ErrorKind::NotFound
            | ErrorKind::NoServerAddress
            | ErrorKind::User
            | ErrorKind::Internal => 1,
            ErrorKind::Usage => 2,
            ErrorKind::Temporary => 3,
        }
    }
}

fn prefixed(name: &str, text: String) -> String {
    if text.starts_with(name) {
        text
    } else {
        format!("{name}: {text}")
    }
}

/// Returns a text as one line of limited length. Characters that move the cursor, change
/// the direction of the text or are invisible become spaces.
pub fn one_line(text: &str, max_characters: usize) -> String {
    text.chars()
        .map(|character| {
            if is_printable(character) {
                character
            } else {
                ' '
            }
        })
        .take(max_characters)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_a_sentence_of_its_own() {
        let error = Error::user("it is broken.").with_hint("Repair it");
        assert_eq!(error.to_string(), "it is broken. Repair it");
        assert_eq!(error.text(), "it is broken.");
        assert_eq!(error.hint(), Some("Repair it"));
    }

    #[test]
    fn an_anyhow_error_keeps_its_reasons_and_its_hint() {
        let cause = || Error::user("it is broken").with_hint("Repair it");
        for error in [
            anyhow::Error::from(cause()),
            std::io::Error::other(cause()).into(),
        ] {
            let error = Error::from_anyhow(&error.context("cannot read the file"));
            assert_eq!(error.text(), "cannot read the file: it is broken");
            assert_eq!(error.hint(), Some("Repair it"));
        }
        let plain = Error::from_anyhow(&anyhow::anyhow!("it is empty"));
        assert_eq!(plain, Error::user("it is empty"));
    }
}
