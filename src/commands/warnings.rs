//! Warnings and notes of a command, on stderr and for its JSON answer.

use std::cell::RefCell;

use crate::context::Context;

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

    /// Writes a note, which needs no action and is not in the JSON answer.
    pub(super) fn note(&self, text: &str) {
        self.context.terminal.write_line(&format!("note: {text}"));
    }

    /// Returns all warnings, in order.
    pub(super) fn texts(&self) -> Vec<String> {
        self.texts.borrow().clone()
    }
}
