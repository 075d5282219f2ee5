//! What the commands that change logins have in common: whom they ask, and what they
//! tell.

use std::cell::RefCell;

use crate::context::Context;
use crate::credentials::Broker;
use crate::http::MAX_ATTEMPTS;
use crate::iam::Iam;
use crate::iam::endpoint::Endpoint;
use crate::terminal::Progress;
use crate::time::Deadline;

/// Something that a person has asked for, at one IAM.
pub(super) struct Errand<'a> {
    /// Whoever keeps the logins.
    pub(super) broker: &'a Broker<'a>,
    /// The IAM that is asked.
    pub(super) endpoint: Endpoint,
    /// The rest.
    pub(super) context: &'a Context<'a>,
    warnings: &'a Warnings<'a>,
}

/// What a person should know although it is no failure; told on stderr at once.
pub(super) struct Warnings<'a> {
    told: RefCell<Vec<String>>,
    context: &'a Context<'a>,
}

impl<'a> Warnings<'a> {
    pub(super) fn none_yet(context: &'a Context<'a>) -> Self {
        Self {
            told: RefCell::default(),
            context,
        }
    }

    pub(super) fn warn(&self, text: String) {
        self.context.terminal.tell(&format!("warning: {text}"));
        self.told.borrow_mut().push(text);
    }

    /// Tells something that is no reason to worry.
    pub(super) fn note(&self, text: &str) {
        self.context.terminal.tell(text);
    }

    /// All of them, in order.
    pub(super) fn told(&self) -> Vec<String> {
        self.told.borrow().clone()
    }
}

impl<'a> Errand<'a> {
    pub(super) fn new(
        broker: &'a Broker<'a>,
        endpoint: Endpoint,
        context: &'a Context<'a>,
        warnings: &'a Warnings<'a>,
    ) -> Self {
        Self {
            broker,
            endpoint,
            context,
            warnings,
        }
    }

    pub(super) fn warn(&self, text: String) {
        self.warnings.warn(text);
    }

    /// IAM, for one question.
    pub(super) fn iam(&self) -> Iam<'a> {
        let limit = self.broker.settings.limits.deadline;
        let deadline = Deadline::after(self.broker.context.clock, limit);
        self.broker.iam(&self.endpoint, MAX_ATTEMPTS, deadline)
    }

    pub(super) fn progress(&self, what: &str) -> Box<dyn Progress> {
        self.context.terminal.progress(what)
    }
}
