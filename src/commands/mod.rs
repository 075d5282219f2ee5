//! The commands that a person types, one file each.
//!
//! Their arguments are types that derive `clap::Args`; doc comments are the help. A command
//! writes its answer to the output alone; an error that it returns is shown on stderr.

use serde::Serialize;

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
mod clients;
pub(crate) mod configure;
mod configure_choice;
pub(crate) mod doctor;
pub(crate) mod login;
mod login_context;
pub(crate) mod logout;
mod migration;
pub(crate) mod print;
mod redirect_server;
mod redundant_logins;
mod replacement;
mod rotate;
mod scopes;
mod screen;
pub(crate) mod settings;
mod shadowing;
pub mod sso_login;
pub(crate) mod status;
mod table;
#[cfg(test)]
mod test_support;
pub(crate) mod token;
mod warnings;

pub(crate) use shadowing::after_logout;
pub(crate) use shadowing::after_store;

/// The registry that a person named, and the settings.
fn registry_at(address: &str, context: &Context<'_>) -> Result<(Registry, Settings)> {
    context
        .registry(address)?
        .ok_or_else(|| scopes::not_ibm_cloud_registry(address))
}

/// A moment in seconds since 1970, for a person: `2026-11-21 09:50 UTC`.
fn when(seconds: u64) -> String {
    time::day_and_minute(seconds)
}

/// Writes an answer. Whoever reads no further has seen enough.
pub(crate) fn print(stdio: &mut Stdio<'_>, text: &str) -> Result<()> {
    match writeln!(stdio.output, "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::temporary(
            format!("the answer cannot be written ({error})"),
        )),
        _ => Ok(()),
    }
}

/// Prints an answer for `--json`.
fn print_json(stdio: &mut Stdio<'_>, answer: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(answer).map_err(Error::internal)?;
    print(stdio, &printable::in_json(&text))
}

/// How a command ends that went on in spite of failures: it fails if there are any,
/// with a line for each.
fn conclude(failures: &[String]) -> Result<()> {
    match failures.is_empty() {
        true => Ok(()),
        false => Err(Error::user(failures.join("\n"))),
    }
}
