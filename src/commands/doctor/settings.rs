//! Checks that the settings can be read, and shows what they force.

use super::CheckContext;
use super::Diagnostic;
use crate::commands::scopes::listed;

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    if let Some(error) = context.settings_error {
        let fix = error.hint().unwrap_or("Correct what the message names");
        return vec![Diagnostic::problem("settings", error.text(), fix)];
    }
    let settings = context.settings;
    let files = settings.files().iter().filter(|file| file.exists);
    let files: Vec<String> = files.map(|file| file.path.display().to_string()).collect();
    let message = if files.is_empty() {
        "no settings file found (none is required)".to_owned()
    } else {
        format!("{} can be read", listed(&files))
    };
    let mut diagnostics = vec![Diagnostic::ok("settings", message)];
    let profile = settings.selected_profile();
    let forced = [
        ("ICR_PROFILE", profile.map(|profile| profile.name.as_str())),
        (
            "ICR_SOURCE",
            settings.selected_source().map(|source| source.name()),
        ),
    ];
    for (variable, value) in forced {
        if let Some(value) = value {
            let message = format!("${variable} selects '{value}' for all registries");
            diagnostics.push(Diagnostic::ok("forced", message));
        }
    }
    diagnostics
}
