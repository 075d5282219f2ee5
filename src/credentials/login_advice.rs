//! What to do where no source is active: log in or, in a CI job, set the variable with the key.

use super::Broker;
use super::info::login_command;
use crate::context::Context;
use crate::environment::API_KEY_VARIABLES;
use crate::environment::Environment;
use crate::login::LoginScope;
use crate::registry::Registry;
use crate::settings::Settings;

/// The variable that CI systems set (GitHub Actions, GitLab, Travis and others).
const CI: &str = "CI";

/// Returns the hint for a registry without an active source: a sentence without a full stop.
pub fn login_hint(registry: &Registry, settings: &Settings, context: &Context<'_>) -> String {
    hint_with(&login_command(registry, settings), settings, context)
}

/// Returns the same where no registry has an active source.
pub fn default_login_hint(settings: &Settings, context: &Context<'_>) -> String {
    hint_with(&LoginScope::Default.login_command(), settings, context)
}

fn hint_with(command: &str, settings: &Settings, context: &Context<'_>) -> String {
    match job_hint(command, settings, context) {
        None => format!("Run '{command}'"),
        Some(job) => format!("Run '{command}' or, {job}"),
    }
}

/// Returns what a CI job does instead of this command that logs in: `in a CI job, set
/// IBMCLOUD_API_KEY`. Returns nothing at a terminal outside of CI systems, and where a key in the
/// environment is not used.
pub fn job_hint(command: &str, settings: &Settings, context: &Context<'_>) -> Option<String> {
    let may_be_job = !context.terminal.is_interactive() || is_ci_job(context.environment);
    let variable = variable_for(command, settings).filter(|_| may_be_job)?;
    Some(format!("in a CI job, set {variable}"))
}

/// Returns the command that logs in. If a CI system runs the program, the variable comes first.
pub fn login_fix(registry: &Registry, broker: &Broker<'_>) -> String {
    let command = login_command(registry, broker.settings);
    let is_job = is_ci_job(broker.context.environment);
    match variable_for(&command, broker.settings).filter(|_| is_job) {
        None => command,
        Some(variable) => format!("In a CI job, set {variable}. Otherwise, run: {command}"),
    }
}

/// Returns the variable for an API key, unless it is not used where this command logs in: for a
/// profile, the registry of entitlement keys or staging, or if a source is selected.
fn variable_for(command: &str, settings: &Settings) -> Option<&'static str> {
    let is_used =
        command == LoginScope::Default.login_command() && settings.selected_source().is_none();
    let [variable, ..] = API_KEY_VARIABLES;
    is_used.then_some(variable)
}

fn is_ci_job(environment: &Environment) -> bool {
    let value = environment.text(CI).ok().flatten();
    !matches!(value, None | Some("" | "0" | "false"))
}
