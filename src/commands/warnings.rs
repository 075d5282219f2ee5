//! Warnings and notes of a command, on stderr and for its JSON answer.

use std::cell::RefCell;

use crate::context::Context;
use crate::keychain::Keychain;

/// Writes warnings to stderr immediately, and collects them for the JSON answer.
pub(super) struct Warnings<'a> {
    texts: RefCell<Vec<String>>,
    context: &'a Context<'a>,
}

impl<'a> Warnings<'a> {
    /// Creates one without warnings.
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        Self {
            texts: RefCell::default(),
            context,
        }
    }

    /// Writes and collects a warning.
    pub(super) fn warn(&self, text: String) {
        self.context
            .terminal
            .write_line(&format!("warning: {text}"));
        self.texts.borrow_mut().push(text);
    }

    /// Warns of the keychains that exist here, but could not store a login.
    pub(super) fn warn_of_skipped_keychains(&self, logins: &dyn Keychain) {
        for skipped in logins.skipped() {
            self.warn(format!(
                "{} was not used: {}. {}",
                skipped.backend.title(),
                skipped.error,
                skipped.error.fix()
            ));
        }
    }

    /// Writes a note, which needs no action and is not in the JSON answer.
    pub(super) fn note(&self, text: &str) {
        self.context.terminal.write_line(&format!("note: {text}"));
    }

    /// Returns all warnings, in order.
    pub(super) fn texts(&self) -> Vec<String> {
        self.texts.borrow().clone()
    }
}
