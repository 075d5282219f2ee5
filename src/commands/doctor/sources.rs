//! Checks which source is active for each registry, and why.

use super::CheckContext;
use super::Diagnostic;
use crate::commands::api_key_lifecycle::expiry_warning;
use crate::commands::redundant_logins;
use crate::commands::redundant_logins::Notice;
use crate::commands::redundant_logins::Severity;
use crate::credentials::Broker;
use crate::credentials::CredentialInfo;
use crate::credentials::login_fix;
use crate::error::Result;
use crate::login::LoginScope;
use crate::registry::Registry;
use crate::sources::Origin;

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    if context.settings_error.is_some() {
        return vec![Diagnostic::skipped("source")];
    }
    let Some(broker) = context.broker() else {
        return Vec::new();
    };
    let now = context.context.clock.now();
    let logins = broker.login_snapshot();
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    let is_unused = context.registries_in_use(&logins).is_empty();
    for registry in context.registries(&logins) {
        let scope = LoginScope::Registry(registry.clone());
        let active = broker.describe(&scope, &registry, &logins);
        let is_example = is_unused && matches!(active, Ok(None));
        diagnostics.push(if is_example {
            Diagnostic::warning(
                "source",
                "not logged in, and no registry is in use yet",
                login_fix(&registry, &broker),
            )
        } else {
            active_source(&registry, &active, &broker)
        });
        let active = active.ok().flatten();
        if let Some((message, fix)) = active.and_then(|active| expiry_warning(&active, now))
            && !diagnostics.iter().any(|it| it.message == message)
        {
            diagnostics.push(Diagnostic::warning("api-key-expiry", message, fix));
        }
    }
    let notices = redundant_logins::notices(&broker, &logins).unwrap_or_default();
    diagnostics.extend(notices.into_iter().map(stored_login));
    diagnostics
}

/// Returns the diagnostic for a stored login that has expired, or that takes precedence
/// over the default login.
fn stored_login(notice: Notice) -> Diagnostic {
    const CHECK: &str = "login";
    match notice.severity {
        Severity::Problem => Diagnostic::problem(CHECK, notice.message, notice.fix),
        Severity::Expired => Diagnostic::warning(CHECK, notice.message, notice.fix),
        Severity::Note => Diagnostic::ok(CHECK, notice.sentence()),
    }
}

/// Returns the diagnostic for the active source of a registry.
fn active_source(
    registry: &Registry,
    active: &Result<Option<CredentialInfo>>,
    broker: &Broker<'_>,
) -> Diagnostic {
    const CHECK: &str = "source";
    match active {
        Ok(Some(active)) => Diagnostic::ok(
            CHECK,
            format!(
                "{registry}: {}, user name {} ({})",
                active.source,
                active.username,
                reason(registry, active, broker)
            ),
        ),
        Ok(None) => Diagnostic::warning(
            CHECK,
            format!("{registry}: not logged in; pulls are anonymous"),
            login_fix(registry, broker),
        ),
        Err(error) => Diagnostic::error_about(CHECK, registry.host(), error),
    }
}

/// Returns why this source is the active one.
fn reason(registry: &Registry, active: &CredentialInfo, broker: &Broker<'_>) -> String {
    let settings = broker.settings;
    let choice = settings.for_registry(registry);
    if settings.selected_source().is_some() {
        return "selected by $ICR_SOURCE".into();
    }
    match (choice.profile, choice.source, &active.origin) {
        (Some(profile), Some(_), _) => {
            format!("selected by profile '{}'", profile.name)
        }
        (Some(profile), None, _) => {
            format!(
                "the first source with a login for profile '{}'",
                profile.name
            )
        }
        (None, _, Origin::Source(_)) => "the first source with credentials".into(),
        (None, _, Origin::Login(_)) => "no variable takes precedence".into(),
    }
}
