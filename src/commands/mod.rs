//! What a person types, as opposed to what clients call: each command is one file
//! here, one variant of `Command` and one arm of [`run`].
//!
//! Its arguments are a type that derives `clap::Args`; its doc comment is the help.
//! It writes its answer to the output alone; a failure it returns is told on stderr.

use std::ffi::OsStr;
use std::ffi::OsString;

use clap::ArgAction;
use clap::CommandFactory;
use clap::Parser;
use clap::Subcommand;
use clap::error::ContextKind;
use clap::error::ContextValue;
use clap::error::ErrorKind;
use serde_json::Value;

use crate::PROGRAM;
use crate::cli;
use crate::cli::VERBS;
use crate::cli::Verb;
use crate::context::Context;
use crate::context::Stdio;
use crate::error::Error;
use crate::error::Result;
use crate::error::one_line;
use crate::iam::date;
use crate::registry::Registry;
use crate::settings::Settings;
use crate::text::printable;
use crate::text::repeatable;

mod api_key_input;
mod api_key_lifecycle;
pub mod browser_login;
mod clients;
mod configure;
mod configure_choice;
mod doctor;
mod errand;
#[cfg(test)]
mod lab;
mod listening;
mod login;
mod logout;
mod loopback;
mod migration;
mod own_logins;
mod print;
mod replacement;
mod rotate;
mod scopes;
mod screen;
mod settings;
pub mod sso_login;
mod status;
mod table;
mod token;

pub(crate) use listening::after_logout;
pub(crate) use listening::after_store;

/// The longest line of a failure, in characters.
const LONGEST_LINE: usize = 1000;

#[derive(Parser)]
#[command(bin_name = PROGRAM, disable_help_subcommand = true, name = PROGRAM, no_binary_name = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Configure(configure::Arguments),
    Doctor(doctor::Arguments),
    Login(Box<login::Arguments>),
    Logout(logout::Arguments),
    Print(print::Arguments),
    Settings(settings::Arguments),
    Status(status::Arguments),
    Token(token::Arguments),
}

/// Whether there is a command of this name.
pub fn exists(name: &OsStr) -> bool {
    name.to_str().is_some_and(Command::has_subcommand)
}

/// Runs the command that the arguments name; they are those after the program's
/// name. Help that is asked for is an answer.
///
/// # Errors
/// What is wrong with the arguments, or what the command could not do.
pub fn run(arguments: &[OsString], stdio: &mut Stdio<'_>, context: &Context<'_>) -> Result<()> {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) if error.kind() == ErrorKind::DisplayHelp => {
            return print(stdio, error.render().to_string().trim_end());
        }
        Err(error) => {
            let text = without_secrets(error).render().to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            return Err(Error::usage(text.trim_end()));
        }
    };
    match arguments.command {
        Command::Configure(arguments) => configure::run(&arguments, stdio, context),
        Command::Doctor(arguments) => doctor::run(&arguments, stdio, context),
        Command::Login(arguments) => login::run(&arguments, stdio, context),
        Command::Logout(arguments) => logout::run(&arguments, stdio, context),
        Command::Print(arguments) => print::run(&arguments, stdio, context),
        Command::Settings(arguments) => settings::run(&arguments, stdio, context),
        Command::Status(arguments) => status::run(&arguments, stdio, context),
        Command::Token(arguments) => token::run(&arguments, stdio, context),
    }
}

/// The same error without words of the command line that may be secrets.
fn without_secrets(mut error: clap::Error) -> clap::Error {
    // In other errors these are parts of the command's definition.
    let kind = match error.kind() {
        ErrorKind::InvalidSubcommand => ContextKind::InvalidSubcommand,
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        _ => ContextKind::InvalidValue,
    };
    let is_hidden = match error.get(kind) {
        Some(ContextValue::String(text)) => !repeatable::is_repeatable(text),
        _ => false,
    };
    if is_hidden {
        let stand_in = ContextValue::String(repeatable::NOT_SHOWN.to_owned());
        error.insert(kind, stand_in);
        // They say how to type it otherwise.
        error.remove(ContextKind::Suggested);
    }
    error
}

/// The names of all commands.
pub fn names() -> Vec<String> {
    let all = Arguments::command();
    let names = all.get_subcommands().map(clap::Command::get_name);
    names.map(str::to_owned).collect()
}

/// The help of a command or of a client's verb.
pub fn help_on(name: &str) -> String {
    let mut all = definitions();
    all.build();
    let found = all.find_subcommand_mut(name);
    let help = found.map(|command| command.render_long_help().to_string());
    help.unwrap_or_default().trim_end().to_owned()
}

/// All that may be typed, clients' verbs included: for completions and manual.
/// Nothing is parsed by it.
pub fn definitions() -> clap::Command {
    let version = clap::Arg::new("version")
        .short('v')
        .long("version")
        .action(ArgAction::Version)
        .help("Print version");
    Arguments::command()
        .about("Short-lived logins for IBM Cloud Container Registry")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(true)
        .arg(version)
        .subcommands(VERBS.map(definition))
}

fn definition(verb: Verb) -> clap::Command {
    let explanation = format!("For clients: {}", verb.explanation);
    let command = clap::Command::new(verb.name)
        .about(explanation)
        .after_help(format!("Example:\n  {}", verb.example))
        .disable_version_flag(true);
    if verb.takes_address {
        let address = clap::Arg::new("ADDRESS")
            .help("The registry; read from standard input if it is left out")
            .value_hint(clap::ValueHint::Hostname);
        command.arg(address)
    } else {
        command
    }
}

/// Tells a person about a failure, without what could move a terminal's cursor; what
/// to do about it has a line of its own.
pub fn report(failure: &Error, stdio: &mut Stdio<'_>) {
    let hint = failure.hint();
    let hint = hint.map_or_else(String::new, |hint| format!("\nhint: {hint}"));
    let text = format!("{PROGRAM}: {}{hint}", failure.text());
    for line in text.lines() {
        let _ = writeln!(stdio.error, "{}", one_line(line, LONGEST_LINE));
    }
}

/// The registry that a person named, and the settings.
fn registry_at(address: &str, context: &Context<'_>) -> Result<(Registry, Settings)> {
    cli::registry(address, context)?.ok_or_else(|| scopes::not_ours(address))
}

/// A moment in seconds since 1970, for a person: `2026-11-21 09:50 UTC`.
fn when(seconds: u64) -> String {
    let written = date::written(seconds);
    written.replace('T', " ").replace("+0000", " UTC")
}

/// Writes an answer. Whoever reads no further has seen enough.
fn print(stdio: &mut Stdio<'_>, text: &str) -> Result<()> {
    match writeln!(stdio.output, "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::temporary(
            format!("the answer cannot be written ({error})"),
        )),
        _ => Ok(()),
    }
}

fn print_json(stdio: &mut Stdio<'_>, answer: &Value) -> Result<()> {
    print(stdio, &printable::in_json(&format!("{answer:#}")))
}

/// How a command ends that went on in spite of failures: it fails if there are any,
/// with a line for each.
fn conclude(failures: &[String]) -> Result<()> {
    match failures.is_empty() {
        true => Ok(()),
        false => Err(Error::user(failures.join("\n"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_free_of_contradictions() {
        Arguments::command().debug_assert();
        definitions().debug_assert();
    }

    #[test]
    fn only_its_own_commands_exist() {
        for name in ["configure", "login", "logout", "settings"] {
            assert!(exists(OsStr::new(name)), "{name}");
        }
        for name in ["", "get", "help", "Settings", "--help", "setting"] {
            assert!(!exists(OsStr::new(name)), "{name}");
        }
    }
}
