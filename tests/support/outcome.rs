//! The result of one run of the program, and the checks of it.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde_json::Map;
use serde_json::Value;

use super::NOT_FOUND;

/// The result of one run.
pub(crate) struct Outcome {
    /// The server address that was sent, trimmed.
    pub(crate) address: String,
    /// Whether stderr also has the log.
    pub(crate) logs: bool,
    /// The exit status; `None` when a signal ended it.
    pub(crate) status: Option<i32>,
    /// The signal that ended it.
    pub(crate) signal: Option<i32>,
    pub(crate) stderr: String,
    pub(crate) stdout: String,
    pub(crate) took: Duration,
    pub(crate) verb: String,
    /// Whether the program read all of its input.
    pub(crate) read_all_input: bool,
}

/// Shortens long texts, because some tests send megabytes.
impl fmt::Debug for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = |text: &str| text.chars().take(2000).collect::<String>();
        formatter
            .debug_struct("Outcome")
            .field("verb", &self.verb)
            .field("address", &start(&self.address))
            .field("status", &self.status)
            .field("stdout", &start(&self.stdout))
            .field("stderr", &start(&self.stderr))
            .field("took", &self.took)
            .finish_non_exhaustive()
    }
}

impl Outcome {
    /// Checks for success with a warning on stderr only, with these parts in it.
    #[track_caller]
    pub(crate) fn is_success_with_warning(&self, parts: &[&str]) {
        assert_eq!(self.status, Some(0), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        self.has(&self.stderr, parts);
    }

    /// Checks for success without any output: `store` and `erase`.
    #[track_caller]
    pub(crate) fn is_silent_success(&self) {
        assert_eq!(self.status, Some(0), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        self.has_quiet_stderr();
    }

    /// Checks for the "not found" answer, with which clients continue without a credential.
    #[track_caller]
    pub(crate) fn is_not_found(&self) {
        assert_eq!(self.status, Some(1), "{self:?}");
        assert_eq!(self.stdout, format!("{NOT_FOUND}\n"), "{self:?}");
        self.has_quiet_stderr();
    }

    /// Checks for an error of a client's verb: one line, the same on both streams, with these parts in it.
    #[track_caller]
    pub(crate) fn is_client_error(&self, parts: &[&str]) {
        self.is_error_line(1, parts);
    }

    /// Checks for the error about an unknown command in a pipe: the same line, for a client of a newer protocol, with the exit
    /// status of wrong arguments.
    #[track_caller]
    pub(crate) fn is_unknown_command(&self, parts: &[&str]) {
        self.is_error_line(2, parts);
    }

    #[track_caller]
    fn is_error_line(&self, status: i32, parts: &[&str]) {
        assert_eq!(self.status, Some(status), "{self:?}");
        let line = self.stdout.strip_suffix('\n').expect("a whole line");
        assert!(!line.trim().is_empty(), "{self:?}");
        assert!(!line.contains(char::is_control), "one plain line: {self:?}");
        assert!(!line.contains(NOT_FOUND), "{self:?}");
        assert!(
            !line.contains('`'),
            "clients put the line in backticks: {self:?}"
        );
        if self.logs {
            assert!(self.stderr.ends_with(&self.stdout), "{self:?}");
        } else {
            assert_eq!(self.stdout, self.stderr, "{self:?}");
        }
        self.has(line, parts);
    }

    /// Checks for an error that the user must fix: on stderr only, with these parts in it.
    #[track_caller]
    pub(crate) fn is_user_error(&self, parts: &[&str]) {
        self.fails(1, parts);
    }

    /// Checks for an error in the arguments, in the same way.
    #[track_caller]
    pub(crate) fn is_usage_error(&self, parts: &[&str]) {
        self.fails(2, parts);
    }

    /// Checks for a temporary error, in the same way.
    #[track_caller]
    pub(crate) fn is_temporary_error(&self, parts: &[&str]) {
        self.fails(3, parts);
    }

    #[track_caller]
    fn fails(&self, status: i32, parts: &[&str]) {
        let ended = (self.status, &*self.stdout);
        assert_eq!(ended, (Some(status), ""), "{self:?}");
        self.has(&self.stderr, parts);
    }

    /// Checks that a text of the output contains these parts.
    #[track_caller]
    pub(crate) fn has(&self, text: &str, parts: &[&str]) {
        for part in parts {
            assert!(
                with_slashes(text).contains(&*with_slashes(part)),
                "`{part}` is missing: {self:?}"
            );
        }
    }

    /// Checks for a credential with this user name; returns its secret.
    #[track_caller]
    pub(crate) fn is_credential(&self, username: &str) -> String {
        assert_eq!(self.status, Some(0), "{self:?}");
        self.has_quiet_stderr();
        assert_eq!(self.stdout.matches('\n').count(), 1, "{self:?}");
        let mut answer = self.object();
        let secret = answer.remove("Secret");
        let rest = serde_json::json!({"ServerURL": self.address, "Username": username});
        assert_eq!(Value::Object(answer), rest, "{self:?}");
        let secret = secret.and_then(|secret| secret.as_str().map(str::to_owned));
        secret.expect("a secret")
    }

    /// Checks for an access token; returns the IAM ID in it.
    #[track_caller]
    pub(crate) fn is_token_of(&self) -> String {
        let claims = super::token::claims(&self.is_credential("iambearer"));
        claims["iam_id"].as_str().expect("an owner").to_owned()
    }

    /// Checks the answer of `list`.
    #[track_caller]
    pub(crate) fn is_list(&self, logins: &[(&str, &str)]) {
        assert_eq!(self.status, Some(0), "{self:?}");
        self.has_quiet_stderr();
        let expected: Map<_, _> = logins
            .iter()
            .map(|(host, username)| ((*host).to_owned(), (*username).into()))
            .collect();
        assert_eq!(self.object(), expected, "{self:?}");
    }

    /// Returns the secret of an answer of `get`.
    pub(super) fn secret(&self) -> Option<String> {
        let answer: Value = serde_json::from_str(&self.stdout).ok()?;
        let secret = answer.get("Secret")?.as_str()?;
        (self.verb == "get" && self.status == Some(0)).then(|| secret.to_owned())
    }

    /// Checks that the output has no secret, except as the secret of an answer.
    #[track_caller]
    pub(super) fn shows_none_of(&self, secrets: &[String]) {
        let visible = match self.secret() {
            // Its purpose is to print a secret.
            None if self.verb == "print" => String::new(),
            None => self.stdout.clone(),
            Some(_) => {
                let mut answer = self.object();
                answer.remove("Secret");
                Value::Object(answer).to_string()
            }
        };
        for secret in secrets {
            assert!(!visible.contains(secret), "{secret} on stdout: {self:?}");
            assert!(
                !self.stderr.contains(secret),
                "{secret} on stderr: {self:?}"
            );
        }
    }

    #[track_caller]
    fn has_quiet_stderr(&self) {
        assert!(self.logs || self.stderr.is_empty(), "{self:?}");
    }

    #[track_caller]
    fn object(&self) -> Map<String, Value> {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Returns a text in which paths of Windows have the separator of Unix, which Windows takes, too. In JSON, it is escaped.
pub(crate) fn with_slashes(text: &str) -> Cow<'_, str> {
    if cfg!(windows) {
        Cow::Owned(text.replace(r"\\", "/").replace('\\', "/"))
    } else {
        Cow::Borrowed(text)
    }
}
