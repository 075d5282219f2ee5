//! The context of commands that change logins.

use super::warnings::Warnings;
use crate::credentials::Broker;
use crate::http::MAX_ATTEMPTS;
use crate::iam::Iam;
use crate::iam::endpoint::Endpoint;
use crate::login::LoginSnapshot;
use crate::terminal::Progress;
use crate::time::Deadline;

/// The stored logins, the IAM endpoint and the warnings of one command.
pub(super) struct LoginContext<'a> {
    /// The broker that keeps the logins.
    pub(super) broker: &'a Broker<'a>,
    /// The stored logins.
    pub(super) logins: &'a LoginSnapshot<'a>,
    /// The IAM endpoint.
    pub(super) endpoint: Endpoint,
    /// The warnings of the command.
    pub(super) warnings: &'a Warnings<'a>,
}

impl<'a> LoginContext<'a> {
    /// Warns the person.
    pub(super) fn warn(&self, text: String) {
        self.warnings.warn(text);
    }

    /// Returns the IAM client for one request, which may take as long as a whole `get`.
    pub(super) fn iam(&self) -> Iam<'a> {
        let limit = self.broker.settings.limits.deadline;
        let deadline = Deadline::after(self.broker.context.clock, limit);
        self.broker.iam(&self.endpoint, MAX_ATTEMPTS, deadline)
    }

    /// Shows a progress message until the result is dropped.
    pub(super) fn progress(&self, what: &str) -> Progress {
        self.broker.context.terminal.progress(what)
    }
}
