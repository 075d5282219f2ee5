//! Who speaks for which registry, and why?

use super::CheckContext;
use super::Diagnostic;
use crate::commands::api_key_lifecycle::ending;
use crate::commands::own_logins;
use crate::commands::own_logins::Notice;
use crate::commands::own_logins::Severity;
use crate::credentials::Broker;
use crate::credentials::Description;
use crate::credentials::login_command;
use crate::error::Result;
use crate::registry::Registry;
use crate::sources::Speaker;

pub(super) fn check(patient: &CheckContext<'_>) -> Vec<Diagnostic> {
    let Some(broker) = patient.broker() else {
        return Vec::new();
    };
    let now = patient.context.clock.now();
    let mut findings: Vec<Diagnostic> = Vec::new();
    for registry in patient.registries(&broker) {
        let speaker = broker.describe(&registry);
        findings.push(of_registry(&registry, &speaker, &broker));
        let speaker = speaker.ok().flatten();
        if let Some((seen, mend)) = speaker.and_then(|speaker| ending(&speaker, now))
            && !findings.iter().any(|finding| finding.seen == seen)
        {
            findings.push(Diagnostic::warning("api-key-end", seen, mend));
        }
    }
    let notices = own_logins::notices(&broker).unwrap_or_default();
    findings.extend(notices.into_iter().map(of_login));
    findings
}

/// A stored login that is over, or that comes before the one for every registry.
fn of_login(notice: Notice) -> Diagnostic {
    const CHECK: &str = "login";
    match notice.severity {
        Severity::Broken => Diagnostic::problem(CHECK, notice.seen, notice.fix),
        Severity::Useless => Diagnostic::warning(CHECK, notice.seen, notice.fix),
        Severity::Intended => Diagnostic::fine(CHECK, notice.told()),
    }
}

fn of_registry(
    registry: &Registry,
    speaker: &Result<Option<Description>>,
    broker: &Broker<'_>,
) -> Diagnostic {
    const CHECK: &str = "source";
    match speaker {
        Ok(Some(speaker)) => Diagnostic::fine(
            CHECK,
            format!(
                "{registry}: {} gives `{}`, {}",
                speaker.source,
                speaker.username,
                why(registry, speaker, broker)
            ),
        ),
        Ok(None) => Diagnostic::warning(
            CHECK,
            format!("{registry}: nobody speaks for it, so clients go on without a login"),
            login_command(registry, broker.settings),
        ),
        Err(failure) => Diagnostic::failed_for(CHECK, registry.host(), failure),
    }
}

/// Why it is this source and no other.
fn why(registry: &Registry, speaker: &Description, broker: &Broker<'_>) -> String {
    let settings = broker.settings;
    let choice = settings.choice(registry);
    if settings.forced_source().is_some() {
        return "because ICR_SOURCE says so".into();
    }
    match (choice.profile, choice.source, &speaker.speaker) {
        (Some(profile), Some(_), _) => {
            format!("because profile `{}` chooses that source", profile.name)
        }
        (Some(profile), None, _) => {
            format!("which comes first for profile `{}`", profile.name)
        }
        (None, _, Speaker::Source(_)) => "which comes before any other that is there".into(),
        (None, _, Speaker::Login(_)) => "because no variable says otherwise".into(),
    }
}
