//! The answer of `doctor --json`.

use serde::Serialize;

/// The answer of `doctor --json`.
#[derive(Serialize)]
pub(super) struct DoctorAnswer<'a> {
    /// The version of this program: `0.1.0`.
    pub(super) version: &'static str,
    /// How many diagnostics have the verdict `problem`.
    pub(super) problem_count: usize,
    /// How many diagnostics have the verdict `warning`.
    pub(super) warning_count: usize,
    /// The results of all checks, in the order in which they ran.
    pub(super) diagnostics: Vec<DiagnosticJson<'a>>,
}

/// The result of one check.
#[derive(Serialize)]
pub(super) struct DiagnosticJson<'a> {
    /// The group of the check: `program`, `settings`, `clients`, `keychains`, `legacy`,
    /// `files`, `sources` or `network`.
    pub(super) group: &'static str,
    /// The name of the check. A check can have several results.
    pub(super) check: &'static str,
    /// `ok`, `warning` or `problem`.
    pub(super) verdict: &'static str,
    /// What the check found: a text for people, one line.
    pub(super) message: &'a str,
    /// How to repair it, preferably a command; null if nothing has to be done, or the
    /// message says it.
    pub(super) fix: Option<&'a str>,
}
