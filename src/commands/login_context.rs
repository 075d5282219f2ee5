//! What the commands that change logins share.

use super::warnings::Warnings;
use crate::context::Context;
use crate::credentials::Broker;
use crate::http::MAX_ATTEMPTS;
use crate::iam::Iam;
use crate::iam::endpoint::Endpoint;
use crate::login::LoginSnapshot;
use crate::terminal::Progress;
use crate::time::Deadline;

/// The stored logins, the IAM endpoint of one command, and the person who typed it.
pub(super) struct LoginContext<'a> {
    /// The broker that keeps the logins.
    pub(super) broker: &'a Broker<'a>,
    /// The stored logins.
    pub(super) logins: &'a LoginSnapshot<'a>,
    /// The IAM endpoint.
    pub(super) endpoint: Endpoint,
    /// What the program can reach.
    pub(super) context: &'a Context<'a>,
    warnings: &'a Warnings<'a>,
}

impl<'a> LoginContext<'a> {
    pub(super) fn new(
        broker: &'a Broker<'a>,
        logins: &'a LoginSnapshot<'a>,
        endpoint: Endpoint,
        context: &'a Context<'a>,
        warnings: &'a Warnings<'a>,
    ) -> Self {
        Self {
            broker,
            logins,
            endpoint,
            context,
            warnings,
        }
    }

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

    /// Shows what is going on until the result is dropped.
    pub(super) fn progress(&self, what: &str) -> Progress {
        self.context.terminal.progress(what)
    }
}
