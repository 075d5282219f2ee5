//! The result of one check.

use crate::error::Error;
use crate::error::one_line;

/// The maximum length of a message or a fix, in characters.
const MAX_LENGTH: usize = 1000;

/// How bad the result of a check is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::commands) enum Verdict {
    Ok,
    Warning,
    Problem,
}

impl Verdict {
    /// Returns its name in text and JSON.
    pub(in crate::commands) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// The result of one check.
#[derive(Clone, Debug)]
pub(in crate::commands) struct Diagnostic {
    /// The stable name of the check.
    pub(in crate::commands) check: &'static str,
    pub(in crate::commands) verdict: Verdict,
    /// What the check found.
    pub(in crate::commands) message: String,
    /// How to repair it, preferably a command.
    pub(in crate::commands) fix: Option<String>,
}

impl Diagnostic {
    /// Creates a diagnostic that reports no problem.
    pub(in crate::commands) fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Verdict::Ok, message, None)
    }

    /// Creates a warning.
    pub(in crate::commands) fn warning(
        check: &'static str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self::new(check, Verdict::Warning, message, Some(fix.into()))
    }

    /// Creates a problem.
    pub(in crate::commands) fn problem(
        check: &'static str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self::new(check, Verdict::Problem, message, Some(fix.into()))
    }

    /// Creates a warning for a group that needs the settings.
    pub(in crate::commands) fn skipped(check: &'static str) -> Self {
        let message = "skipped: the settings cannot be read";
        Self::new(check, Verdict::Warning, message, None)
    }

    /// Creates a problem from an error; its hint is the fix.
    pub(in crate::commands) fn error(check: &'static str, error: &Error) -> Self {
        let fix = error.hint().map(str::to_owned);
        Self::new(check, Verdict::Problem, error.text(), fix)
    }

    /// Creates a problem from an error. The message begins with this name.
    pub(in crate::commands) fn error_about(check: &'static str, name: &str, error: &Error) -> Self {
        let fix = error.hint().map(str::to_owned);
        Self::new(check, Verdict::Problem, error.text_about(name), fix)
    }

    /// Creates a diagnostic whose texts are one line each.
    pub(in crate::commands) fn new(
        check: &'static str,
        verdict: Verdict,
        message: impl Into<String>,
        fix: Option<String>,
    ) -> Self {
        Self {
            check,
            verdict,
            message: one_line(&message.into(), MAX_LENGTH),
            fix: fix.map(|fix| one_line(&fix, MAX_LENGTH)),
        }
    }
}
