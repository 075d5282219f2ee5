//! Warnings and notes of a command, on stderr and for its JSON answer.

use std::cell::RefCell;

use crate::context::Context;

/// Writes warnings to stderr at once, and keeps them for the JSON answer.
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

    /// Writes and keeps a warning.
    pub(super) fn warn(&self, text: String) {
        self.context
            .terminal
            .write_line(&format!("warning: {text}"));
        self.texts.borrow_mut().push(text);
    }

    /// Writes a note, which asks for no action and is not kept.
    pub(super) fn note(&self, text: &str) {
        self.context.terminal.write_line(&format!("note: {text}"));
    }

    /// Returns all warnings, in order.
    pub(super) fn texts(&self) -> Vec<String> {
        self.texts.borrow().clone()
    }
}
