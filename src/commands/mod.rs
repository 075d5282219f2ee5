//! The commands of people, one file each.
//!
//! Their arguments are types that derive `clap::Args`, whose doc comments are the help. A
//! command writes its answer to stdout. Its caller writes the error that it returns to stderr.

use serde::Serialize;

use zeroize::Zeroizing;

use crate::context::Context;
use crate::context::Stdio;
use crate::error::Error;
use crate::error::Result;
use crate::registry::Registry;
use crate::settings::Settings;
use crate::text::printable;
use crate::time;

mod api_key_input;
mod api_key_lifecycle;
pub mod browser_login;
mod client_mistakes;
mod clients;
pub(crate) mod completions;
pub(crate) mod configure;
mod configure_choice;
mod docker_config;
pub(crate) mod doctor;
mod file_systems;
pub(crate) mod install;
mod json;
pub(crate) mod keychain;
pub(crate) mod kubelet;
pub(crate) mod login;
mod login_context;
pub(crate) mod logout;
mod migration;
pub(crate) mod print;
pub(crate) mod pull_secret;
mod redirect_server;
mod redundant_logins;
mod replacement;
mod rotate;
mod scopes;
mod screen;
mod secret_output;
pub(crate) mod settings;
mod shadowing;
pub mod sso_login;
pub(crate) mod status;
mod table;
mod target;
#[cfg(test)]
mod test_support;
pub(crate) mod token;
pub(crate) mod version;
mod warnings;
pub(crate) mod whoami;

pub(crate) use file_systems::require_answers;
pub(crate) use shadowing::after_logout;
pub(crate) use shadowing::after_store;

/// Returns the registry at an address that a person typed, and the settings.
fn registry_at(address: &str, context: &Context<'_>) -> Result<(Registry, Settings)> {
    context.registry(address)?.ok_or_else(|| {
        let settings = context.settings().unwrap_or_default();
        scopes::not_ibm_cloud_registry(address, &settings)
    })
}

/// Returns the warning that a login was deleted without the settings.
pub(crate) fn ignored_settings(error: &Error) -> String {
    format!("the settings were ignored, except keychain and namespace: {error}")
}

/// Formats a time in seconds since 1970 for a person: `2026-11-21 09:50 UTC`.
fn when(seconds: u64) -> String {
    time::day_and_minute(seconds)
}

/// Writes an answer to stdout. A closed pipe is no error: its reader has read enough.
///
/// # Errors
/// Writing fails.
pub(crate) fn print(stdio: &mut Stdio<'_>, text: &str) -> Result<()> {
    is_written(writeln!(stdio.output, "{text}"))
}

/// Returns the error of writing an answer to stdout. A closed pipe is no error.
pub(crate) fn is_written(outcome: std::io::Result<()>) -> Result<()> {
    match outcome {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::unwritten_answer(&error))
        }
        _ => Ok(()),
    }
}

/// Writes an answer without secrets as JSON to stdout.
fn print_json(stdio: &mut Stdio<'_>, answer: &impl Serialize) -> Result<()> {
    print(stdio, &printable::in_json(&to_json(answer)?))
}

/// Returns a number with its noun: `1 problem`, `2 problems`.
fn counted(count: usize, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}

/// Formats an answer, which may contain a secret, as JSON.
fn to_json(answer: &impl Serialize) -> Result<Zeroizing<String>> {
    let text = serde_json::to_string_pretty(answer);
    text.map(Zeroizing::new).map_err(Error::internal)
}

/// Returns one error with a line for each failure, if there are any.
fn conclude(failures: &[String]) -> Result<()> {
    if failures.is_empty() {
        Ok(())
    } else {
        // The caller puts the prefix before the first line.
        Err(Error::user(failures.join("\nerror: ")))
    }
}

/// Returns the only error with its hint, or several as one. The same error counts once.
fn conclude_errors(errors: Vec<Error>) -> Result<()> {
    let mut unique: Vec<Error> = Vec::new();
    for error in errors {
        if !unique.contains(&error) {
            unique.push(error);
        }
    }
    if unique.len() == 1 {
        return unique.pop().map_or(Ok(()), Err);
    }
    let messages: Vec<String> = unique.iter().map(Error::to_string).collect();
    if !unique.is_empty() && unique.iter().all(Error::is_temporary) {
        return Err(Error::temporary(messages.join("\nerror: ")));
    }
    conclude(&messages)
}
