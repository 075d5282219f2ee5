//! Are the settings as they should be?

use super::CheckContext;
use super::Diagnostic;

pub(super) fn check(patient: &CheckContext<'_>) -> Vec<Diagnostic> {
    if let Some(failure) = patient.settings_failure {
        let seen = format!("{failure}; until then nobody gets an answer");
        return vec![Diagnostic::said("settings", seen)];
    }
    let settings = patient.settings;
    let files = settings.files().iter().filter(|file| file.exists);
    let files: Vec<String> = files.map(|file| file.path.display().to_string()).collect();
    let seen = match files.is_empty() {
        true => "there is no settings file, and none is needed".to_owned(),
        false => format!("{} can be understood", files.join(" and ")),
    };
    let mut findings = vec![Diagnostic::fine("settings", seen)];
    let profile = settings.chosen_profile();
    let forced = [
        ("ICR_PROFILE", profile.map(|profile| profile.name.as_str())),
        (
            "ICR_SOURCE",
            settings.forced_source().map(|source| source.name()),
        ),
    ];
    for (variable, value) in forced {
        if let Some(value) = value {
            let seen = format!("{variable} makes every registry use `{value}`");
            findings.push(Diagnostic::fine("forced", seen));
        }
    }
    findings
}
