//! What the commands that change logins have in common: whom they ask, what they
//! tell, and how a login gets into several places or into none.

use std::cell::RefCell;

use crate::broker::Broker;
use crate::clock::Deadline;
use crate::failure::Failure;
use crate::failure::Result;
use crate::iam::Iam;
use crate::iam::MOST_ATTEMPTS;
use crate::iam::endpoint::Endpoint;
use crate::login::Login;
use crate::login::LoginScope;
use crate::program::World;
use crate::terminal::Progress;

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

    /// Keeps a login for each scope, or, when one of them cannot be written, leaves
    /// all as they were.
    pub(super) fn store(&self, logins: &[(LoginScope, Login)]) -> Result<()> {
        let mut written = Vec::new();
        for (scope, login) in logins {
            let former = self.broker.login(scope).ok().flatten();
            if let Err(failure) = self.broker.log_in(scope, login.clone()) {
                let lost = self.put_back(written);
                return Err(match lost.is_empty() {
                    true => failure,
                    false => Failure::act(format!(
                        "{failure}; and the former login for {} is lost: log in again",
                        super::scopes::listed(&lost)
                    )),
                });
            }
            written.push((scope, former));
        }
        Ok(())
    }

    /// The scopes where that was not possible.
    fn put_back<'s>(&self, former: Vec<(&'s LoginScope, Option<Login>)>) -> Vec<&'s LoginScope> {
        let back = |scope: &LoginScope, login: Option<Login>| match login {
            Some(login) => self.broker.log_in(scope, login),
            None => self.broker.log_out(scope).map(drop),
        };
        former
            .into_iter()
            .filter_map(|(scope, login)| back(scope, login).is_err().then_some(scope))
            .collect()
    }
}
