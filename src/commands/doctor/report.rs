//! The diagnostics of all groups, as text and as JSON.

use super::CheckContext;
use super::Diagnostic;
use super::GROUPS;
use super::Group;
use super::Verdict;
use super::json::DiagnosticJson;
use super::json::DoctorAnswer;
use crate::commands::counted;
use crate::commands::screen::Screen;

/// The diagnostics of all checks, by group.
pub(super) struct Report(Vec<(&'static Group, Vec<Diagnostic>)>);

impl Report {
    /// Runs all checks.
    pub(super) fn new(context: &CheckContext<'_>) -> Self {
        let check = |group: &'static Group| {
            let _span = tracing::debug_span!("check", group = group.key).entered();
            let _progress = context.context.terminal.progress(group.title);
            (group, (group.check)(context))
        };
        Self(GROUPS.iter().map(check).collect())
    }

    /// Returns how many diagnostics have this verdict.
    pub(super) fn count(&self, verdict: Verdict) -> usize {
        let diagnostics = self.0.iter().flat_map(|(_, diagnostics)| diagnostics);
        diagnostics
            .filter(|diagnostic| diagnostic.verdict == verdict)
            .count()
    }

    /// Returns the text for a person: a paragraph for each group, then a summary.
    pub(super) fn to_text(&self, screen: Screen) -> String {
        let groups = self
            .0
            .iter()
            .filter(|(_, diagnostics)| !diagnostics.is_empty());
        let mut parts: Vec<String> = groups
            .map(|(group, diagnostics)| {
                let mut lines = vec![screen.heading(group.title)];
                lines.extend(diagnostics.iter().map(|it| diagnostic_text(it, screen)));
                lines.join("\n")
            })
            .collect();
        parts.push(self.summary());
        parts.join("\n\n")
    }

    /// `1 problem, 2 warnings`.
    fn summary(&self) -> String {
        let (problems, warnings) = (self.count(Verdict::Problem), self.count(Verdict::Warning));
        if problems == 0 && warnings == 0 {
            return "No problems found".to_owned();
        }
        let problems = counted(problems, "problem");
        format!("{problems}, {}", counted(warnings, "warning"))
    }

    /// Returns the answer for `--json`.
    pub(super) fn to_json(&self) -> DoctorAnswer<'_> {
        let diagnostics = self.0.iter().flat_map(|(group, diagnostics)| {
            diagnostics.iter().map(|diagnostic| DiagnosticJson {
                group: group.key,
                check: diagnostic.check,
                verdict: diagnostic.verdict.name(),
                message: &diagnostic.message,
                fix: diagnostic.fix.as_deref(),
            })
        });
        DoctorAnswer {
            version: env!("CARGO_PKG_VERSION"),
            problem_count: self.count(Verdict::Problem),
            warning_count: self.count(Verdict::Warning),
            diagnostics: diagnostics.collect(),
        }
    }
}

/// Returns a diagnostic as one line, and its fix below.
fn diagnostic_text(diagnostic: &Diagnostic, screen: Screen) -> String {
    let name = format!("{:7}", diagnostic.verdict.name());
    let name = match diagnostic.verdict {
        Verdict::Ok => screen.good(&name),
        Verdict::Warning => screen.warning(&name),
        Verdict::Problem => screen.problem(&name),
    };
    let message = screen.wrap(&format!("  {name}  "), &diagnostic.message);
    match &diagnostic.fix {
        None => message,
        Some(fix) => format!("{message}\n{}", screen.wrap("           fix: ", fix)),
    }
}
