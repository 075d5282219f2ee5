//! Checks the logins in `$DOCKER_AUTH_CONFIG`, which docker (28.3 and newer), GitLab Runner and
//! testcontainers prefer to their files. `docs/ci.md` says how each of them reads it.

use std::path::Path;

use super::CheckContext;
use super::Diagnostic;
use super::login_files::secret_keys;
use crate::client_config::Client;
use crate::client_config::json::Document;
use crate::client_config::json::HELPER;
use crate::client_config::json::HelperName;
use crate::commands::client_mistakes::describe;
use crate::commands::scopes::listed;
use crate::registry::Registry;
use crate::text::shell;

const VARIABLE: &str = "DOCKER_AUTH_CONFIG";

/// The variable as messages name it.
const NAME: &str = "$DOCKER_AUTH_CONFIG";

const CHECK: &str = "docker-auth-config";

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let Ok(Some(text)) = context.context.environment.text(VARIABLE) else {
        return Vec::new();
    };
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let message = format!("clients cannot read {NAME}: {error}");
            let unset = shell::unset(VARIABLE);
            let fix = format!("Correct {NAME}, or unset it: {unset}");
            return vec![Diagnostic::warning(CHECK, message, fix)];
        }
    };
    let further = &context.settings.registries;
    let mistakes = document.mistakes(further).into_iter();
    let mut diagnostics: Vec<Diagnostic> = mistakes
        .map(|mistake| {
            let message = describe(Path::new(NAME), Client::Docker, &mistake);
            Diagnostic::warning(CHECK, message, format!("Correct {NAME}"))
        })
        .collect();
    let keys = secret_keys(text, context.settings);
    if !keys.is_empty() {
        diagnostics.push(Diagnostic::warning(
            CHECK,
            format!(
                "{NAME} contains logins for {}, which docker, GitLab Runner and testcontainers use instead of this helper",
                listed(&keys)
            ),
            format!("Remove {} from {NAME}", listed(&keys)),
        ));
    }
    diagnostics.extend(other_helpers(&document, context));
    let hosts = document.our_hosts().into_iter();
    let registries = hosts.filter_map(|host| Registry::at(&host, further));
    let registries: Vec<Registry> = registries.collect();
    if diagnostics.is_empty() && !registries.is_empty() {
        diagnostics.push(Diagnostic::ok(
            CHECK,
            format!(
                "GitLab Runner and testcontainers use this helper for {} ({NAME}); docker reads only auths in it",
                listed(&registries)
            ),
        ));
    }
    diagnostics
}

/// Finds the registries with another helper. Docker does not read helpers in the variable.
fn other_helpers(document: &Document<'_>, context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let mut known: Vec<Registry> = context.settings.all_registries().collect();
    known.dedup();
    let diagnostic = |registry: Registry| match document.helper_of(registry.host())? {
        HelperName::Other(name) => Some(Diagnostic::warning(
            CHECK,
            format!(
                "GitLab Runner and testcontainers use docker-credential-{name} for {registry} ({NAME})"
            ),
            format!("Write \"{HELPER}\" for {registry} in {NAME}"),
        )),
        _ => None,
    };
    known.into_iter().filter_map(diagnostic).collect()
}
