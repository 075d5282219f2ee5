//! The arguments of people's commands, and help on commands and verbs.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::ffi::OsString;

use clap::ArgAction;
use clap::CommandFactory;
use clap::Parser;
use clap::Subcommand;
use clap::error::ContextKind;
use clap::error::ContextValue;
use clap::error::ErrorKind;

use crate::PROGRAM;
use crate::commands;
use crate::commands::completions;
use crate::commands::configure;
use crate::commands::doctor;
use crate::commands::install;
use crate::commands::keychain;
use crate::commands::kubelet;
use crate::commands::login;
use crate::commands::logout;
use crate::commands::print;
use crate::commands::pull_secret;
use crate::commands::settings;
use crate::commands::status;
use crate::commands::token;
use crate::commands::whoami;
use crate::context::Context;
use crate::context::Stdio;
use crate::error::Error;
use crate::error::Result;
use crate::helper::VERBS;
use crate::helper::Verb;
use crate::helper::VerbArgument;
use crate::text::repeatable;

#[derive(Parser)]
#[command(bin_name = PROGRAM, disable_help_subcommand = true, name = PROGRAM, no_binary_name = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Completions(completions::Arguments),
    Configure(configure::Arguments),
    Doctor(doctor::Arguments),
    Install(install::Arguments),
    Keychain(keychain::Arguments),
    Kubelet(kubelet::Arguments),
    Login(Box<login::Arguments>),
    Logout(logout::Arguments),
    Print(print::Arguments),
    PullSecret(pull_secret::Arguments),
    Settings(settings::Arguments),
    Status(status::Arguments),
    Token(token::Arguments),
    Whoami(whoami::Arguments),
}

/// Returns whether a person's command has this name.
pub fn is_person_command(name: &OsStr) -> bool {
    name.to_str().is_some_and(Command::has_subcommand)
}

/// Runs the command that the arguments name; they are those after the program's name.
/// Prints its help if they ask for that.
///
/// # Errors
/// The arguments do not fit the command, or the command fails.
pub fn run(arguments: &[OsString], stdio: &mut Stdio<'_>, context: &Context<'_>) -> Result<()> {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) if error.kind() == ErrorKind::DisplayHelp => {
            return commands::print(stdio, error.render().to_string().trim_end());
        }
        Err(error) if lacks_only(&error, "<REGISTRY>") => {
            return Err(Error::usage("print needs a registry")
                .with_hint(format!("For example: '{PROGRAM} print us.icr.io'")));
        }
        Err(error) if lacks_only(&error, "<SHELL>") => {
            return Err(Error::usage("completions needs a shell").with_hint(format!(
                "For example: '{PROGRAM} completions bash' (also: elvish, fish, powershell, zsh)"
            )));
        }
        Err(error) => {
            let text = without_secrets(error).render().to_string();
            // The caller puts it before every error.
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            return Err(Error::usage(text.trim_end()));
        }
    };
    commands::require_answers(context)?;
    match arguments.command {
        Command::Completions(arguments) => completions::run(&arguments, stdio),
        Command::Configure(arguments) => configure::run(&arguments, stdio, context),
        Command::Doctor(arguments) => doctor::run(&arguments, stdio, context),
        Command::Install(arguments) => install::run(&arguments, stdio, context),
        Command::Keychain(arguments) => keychain::run(&arguments, stdio, context),
        Command::Kubelet(arguments) => kubelet::run(&arguments, stdio, context),
        Command::Login(arguments) => login::run(&arguments, stdio, context),
        Command::Logout(arguments) => logout::run(&arguments, stdio, context),
        Command::Print(arguments) => print::run(&arguments, stdio, context),
        Command::PullSecret(arguments) => pull_secret::run(&arguments, stdio, context),
        Command::Settings(arguments) => settings::run(&arguments, stdio, context),
        Command::Status(arguments) => status::run(&arguments, stdio, context),
        Command::Token(arguments) => token::run(&arguments, stdio, context),
        Command::Whoami(arguments) => whoami::run(&arguments, stdio, context),
    }
}

/// Returns whether only this argument is missing. One command requires it: `print` a registry,
/// `completions` a shell.
fn lacks_only(error: &clap::Error, argument: &str) -> bool {
    matches!(
        error.get(ContextKind::InvalidArg),
        Some(ContextValue::Strings(missing)) if *missing == [argument]
    )
}

/// Removes what may be a secret from an error, and the tips on passing a mistyped flag as
/// a value, which is never meant. Does not list aliases, either.
fn without_secrets(mut error: clap::Error) -> clap::Error {
    error.remove(ContextKind::Suggested);
    if let Some(ContextValue::Strings(names)) = error.get(ContextKind::ValidSubcommand) {
        let commands = Arguments::command();
        // An alias of one command can be the name of another command's subcommand.
        let mut all = commands.get_subcommands();
        let command = all.find(|it| names.iter().all(|name| it.find_subcommand(name).is_some()));
        let is_name = |name: &&String| {
            let found = command.and_then(|command| command.find_subcommand(name));
            found.is_some_and(|found| found.get_name() == **name)
        };
        let names = names.iter().filter(is_name).cloned().collect();
        error.insert(ContextKind::ValidSubcommand, ContextValue::Strings(names));
    }
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
    }
    error
}

/// Returns the names of all commands.
pub fn names() -> Vec<String> {
    summaries().into_keys().collect()
}

/// Returns the names of all commands, each with the first line of its help.
pub fn summaries() -> BTreeMap<String, String> {
    let all = Arguments::command();
    let commands = all.get_subcommands().map(|command| {
        let about = command.get_about().map(ToString::to_string);
        (command.get_name().to_owned(), about.unwrap_or_default())
    });
    commands.collect()
}

/// Returns the help of a command or of a client's verb.
pub fn help_on(name: &str) -> String {
    let mut all = definitions();
    all.build();
    let found = all.find_subcommand_mut(name);
    let help = found.map(|command| command.render_long_help().to_string());
    help.unwrap_or_default().trim_end().to_owned()
}

/// Returns the definitions of all commands and of the clients' verbs, for help, completions
/// and the manual. They parse nothing.
pub fn definitions() -> clap::Command {
    let version = clap::Arg::new("version")
        .short('V')
        .visible_short_alias('v')
        .long("version")
        .action(ArgAction::Version)
        .help("Print version");
    Arguments::command()
        .about("Short-lived credentials for IBM Cloud Container Registry")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(true)
        .arg(version)
        .subcommands(VERBS.map(definition))
}

fn definition(verb: Verb) -> clap::Command {
    let explanation = format!("For clients: {}", verb.explanation);
    let input = verb
        .input
        .map(|(file, text)| format!("\n\n{file}:\n  {text}"));
    let example = format!("Example:\n  {}{}", verb.example, input.unwrap_or_default());
    let command = clap::Command::new(verb.name)
        .about(explanation)
        .after_help(example)
        .disable_version_flag(true);
    match verb.argument {
        VerbArgument::None => command,
        VerbArgument::Address => command.arg(
            clap::Arg::new("ADDRESS")
                .help("Registry; read from stdin if omitted")
                .value_hint(clap::ValueHint::Hostname),
        ),
        VerbArgument::Json => command.arg(
            clap::Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print JSON, with the commit, the target and the features"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        Arguments::command().debug_assert();
        definitions().debug_assert();
    }

    #[test]
    fn only_commands_of_people_exist() {
        for name in ["configure", "login", "logout", "settings"] {
            assert!(is_person_command(OsStr::new(name)), "{name}");
        }
        for name in ["", "get", "help", "Settings", "--help", "setting"] {
            assert!(!is_person_command(OsStr::new(name)), "{name}");
        }
    }
}
