//! What the commands that change logins have in common: whom they ask, and what they
//! tell.

use std::cell::RefCell;

use crate::context::World;
use crate::credentials::Broker;
use crate::iam::Iam;
use crate::iam::MOST_ATTEMPTS;
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
    pub(super) world: &'a World<'a>,
    warnings: &'a Warnings<'a>,
}

/// What a person should know although it is no failure; told on stderr at once.
pub(super) struct Warnings<'a> {
    told: RefCell<Vec<String>>,
    world: &'a World<'a>,
}

impl<'a> Warnings<'a> {
    pub(super) fn none_yet(world: &'a World<'a>) -> Self {
        Self {
            told: RefCell::default(),
            world,
        }
    }

    pub(super) fn warn(&self, text: String) {
        self.world.terminal.tell(&format!("warning: {text}"));
        self.told.borrow_mut().push(text);
    }

    /// Tells something that is no reason to worry.
    pub(super) fn note(&self, text: &str) {
        self.world.terminal.tell(text);
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
        world: &'a World<'a>,
        warnings: &'a Warnings<'a>,
    ) -> Self {
        Self {
            broker,
            endpoint,
            world,
            warnings,
        }
    }

    pub(super) fn warn(&self, text: String) {
        self.warnings.warn(text);
    }

    /// IAM, for one question.
    pub(super) fn iam(&self) -> Iam<'a> {
        let limit = self.broker.settings.limits.deadline;
        let deadline = Deadline::after(self.broker.clock, limit);
        self.broker.iam(&self.endpoint, MOST_ATTEMPTS, deadline)
    }

    pub(super) fn progress(&self, what: &str) -> Box<dyn Progress> {
        self.world.terminal.progress(what)
    }
}
