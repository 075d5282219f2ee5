//! The command line: what the arguments ask for, help, error output and exit statuses.

pub mod arguments;

use std::ffi::OsStr;
use std::ffi::OsString;
use std::io::Write;

use crate::PROGRAM;
use crate::commands;
use crate::context::Context;
use crate::context::Stdio;
use crate::environment::Environment;
use crate::environment::mask::MaskedWriter;
use crate::error::Error;
use crate::error::Result;
use crate::error::one_line;
use crate::helper;
use crate::helper::VERBS;
use crate::helper::VerbArgument;
use crate::helper::wire;
use crate::helper::wire::MAX_LINE_LENGTH;
use crate::kubelet;
use crate::process::background_refresh;
use crate::text::closest_match::closest_match;
use crate::text::repeatable;

/// The commands whose answers may be secrets, so that keys are not removed from them.
const PRINT_SECRETS: [&str; 2] = ["print", "token"];

/// What a client asks for, or help or version.
enum Request {
    Erase(Option<String>),
    Get(Option<String>),
    Help(Option<String>),
    List,
    Renew(String),
    Store,
    Version { is_json: bool },
}

impl Request {
    /// Returns the name that the log shows.
    fn name(&self) -> &'static str {
        match self {
            Self::Erase(_) => "erase",
            Self::Get(_) => "get",
            Self::Help(_) => "help",
            Self::List => "list",
            Self::Renew(_) => "renew",
            Self::Store => "store",
            Self::Version { .. } => "version",
        }
    }
}

/// Runs the program; `arguments` are those after its name. Returns its exit status: for
/// clients 0, or 1 for every error; for people, and for an unknown command, one of
/// [`EXIT_STATUSES`](crate::error::EXIT_STATUSES).
pub fn run(arguments: &[OsString], stdio: &mut Stdio<'_>, context: &Context<'_>) -> u8 {
    let first = arguments.first();
    let command = first
        .filter(|first| arguments::is_person_command(first) && !kubelet::is_requested(arguments));
    let may_have_secrets = |name: &OsString| PRINT_SECRETS.iter().any(|it| name == it);
    let masks_output = command.is_some_and(|name| !may_have_secrets(name));
    with_masked(stdio, context.environment, masks_output, |stdio| {
        if command.is_some() {
            run_command(arguments, stdio, context)
        } else {
            run_request(arguments, stdio, context)
        }
    })
}

/// Runs `work` with streams from which keys of the environment are removed: stderr, and with
/// `masks_output` stdout.
fn with_masked<T>(
    stdio: &mut Stdio<'_>,
    environment: &Environment,
    masks_output: bool,
    work: impl FnOnce(&mut Stdio<'_>) -> T,
) -> T {
    let mut error = MaskedWriter::new(stdio.error, environment);
    let mut masked;
    let output: &mut dyn Write = if masks_output {
        masked = MaskedWriter::new(stdio.output, environment);
        &mut masked
    } else {
        stdio.output
    };
    work(&mut Stdio {
        input: &mut *stdio.input,
        output,
        error: &mut error,
        output_is_terminal: stdio.output_is_terminal,
        output_is_readable_by_others: stdio.output_is_readable_by_others,
    })
}

/// Answers a client, or prints the help or the version.
fn run_request(arguments: &[OsString], stdio: &mut Stdio<'_>, context: &Context<'_>) -> u8 {
    let Some(first) = arguments.first() else {
        let text = if stdio.output_is_terminal {
            introduction()
        } else {
            USAGE.to_owned()
        };
        let _ = writeln!(stdio.output, "{text}");
        // The kubelet logs only stderr.
        if !stdio.output_is_terminal {
            let _ = write!(stdio.error, "{NO_ARGUMENTS}");
        }
        return 1;
    };
    if kubelet::is_requested(arguments) {
        if stdio.output_is_terminal && context.terminal.is_interactive() {
            let _ = writeln!(stdio.output, "{}", arguments::help_on(kubelet::VERB));
            return 1;
        }
        return serve_kubelet(stdio, context);
    }
    let request = match parse_client_request(arguments) {
        Ok(request) => request,
        Err(error) => {
            if stdio.output_is_terminal {
                report_to_person(&error, stdio);
                return error.exit_status();
            }
            // A client of a newer protocol may send an unknown verb. For clients, every status
            // but 0 is an error.
            report_to_client(&error, stdio, context);
            return if names_verb(first) {
                1
            } else {
                error.exit_status()
            };
        }
    };
    let requested = match &request {
        Request::Get(address) => Some(address.clone().unwrap_or_default()),
        _ => None,
    };
    crate::log::start(context.environment, stdio.error);
    match logged(request.name(), || dispatch(request, stdio, context)) {
        Ok(()) => 0,
        Err(error) => {
            report_to_client(&error, stdio, context);
            if let Some(address) = requested
                && stdio.output_is_terminal
                && context.terminal.is_interactive()
                && let Some(hint) = helper::hint_for_person(&error, &address, context)
            {
                let _ = writeln!(stdio.error, "hint: {}", one_line(&hint, MAX_LINE_LENGTH));
            }
            1
        }
    }
}

/// Runs a person's command. Building the argument parser takes as long as answering a client,
/// so clients skip it.
fn run_command(arguments: &[OsString], stdio: &mut Stdio<'_>, context: &Context<'_>) -> u8 {
    crate::log::start(context.environment, stdio.error);
    let name = arguments.first().and_then(|name| name.to_str());
    let name = name.unwrap_or_default();
    match logged(name, || arguments::run(arguments, stdio, context)) {
        Ok(()) => 0,
        Err(error) => {
            report_to_person(&error, stdio);
            error.exit_status()
        }
    }
}

/// Answers the kubelet. An error is one line on stderr without its end, because the kubelet's log
/// has it in the middle of a line. The kubelet throws stdout away then.
fn serve_kubelet(stdio: &mut Stdio<'_>, context: &Context<'_>) -> u8 {
    crate::log::start(context.environment, stdio.error);
    match logged(kubelet::VERB, || kubelet::serve(stdio, context)) {
        Ok(()) => 0,
        Err(error) => {
            let _ = write!(stdio.error, "{}", wire::error_line(&error));
            1
        }
    }
}

/// Runs `work` in a span of the log, and logs its outcome. The span has the process's ID, so
/// that the log of a docker build, which runs many of these processes, can be read.
fn logged<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let _span = tracing::info_span!("run", name, pid = std::process::id()).entered();
    let outcome = work();
    match &outcome {
        Ok(_) => tracing::info!("done"),
        Err(error) if error.is_not_found() => tracing::info!("no credentials for that address"),
        Err(error) => tracing::error!(%error, "failed"),
    }
    outcome
}

/// Writes an error to both streams, because some clients show one and some the other. A
/// terminal shows both, so there it is written once. "Not found" is an answer for clients
/// and no error for people.
fn report_to_client(error: &Error, stdio: &mut Stdio<'_>, context: &Context<'_>) {
    let line = wire::error_line(error);
    let is_answer = error.is_not_found();
    if is_answer || !stdio.output_is_terminal {
        let mut output = MaskedWriter::new(stdio.output, context.environment);
        let _ = writeln!(output, "{line}");
    }
    if !is_answer {
        let _ = writeln!(stdio.error, "{line}");
    }
}

/// Writes an error to stderr, and its hint on a line of its own.
fn report_to_person(error: &Error, stdio: &mut Stdio<'_>) {
    if error.is_shown() {
        return;
    }
    let hint = error.hint().map(|hint| format!("hint: {hint}"));
    let text = format!("error: {}", error.text());
    for line in text.lines().chain(hint.as_deref()) {
        let _ = writeln!(stdio.error, "{}", one_line(line, MAX_LINE_LENGTH));
    }
}

fn parse_client_request(arguments: &[OsString]) -> Result<Request> {
    let texts: Option<Vec<&str>> = arguments.iter().map(|argument| argument.to_str()).collect();
    let mut texts = texts
        .ok_or_else(|| Error::usage("an argument is not UTF-8 text").with_hint("See --help"))?;
    // The end of the options, of which verbs have none.
    if texts.get(1) == Some(&"--") && arguments.first().is_some_and(|it| names_verb(it)) {
        texts.remove(1);
    }
    match texts.as_slice() {
        [verb, "--help" | "-h"] | ["help", verb, ..] if is_known(verb) => {
            Ok(Request::Help(Some((*verb).to_owned())))
        }
        ["get"] => Ok(Request::Get(None)),
        ["get", address] => Ok(Request::Get(Some((*address).to_owned()))),
        ["erase"] => Ok(Request::Erase(None)),
        ["erase", address] => Ok(Request::Erase(Some((*address).to_owned()))),
        ["store"] => Ok(Request::Store),
        ["list"] => Ok(Request::List),
        [background_refresh::VERB, address] => Ok(Request::Renew((*address).to_owned())),
        ["version" | "--version" | "-v" | "-V"] => Ok(Request::Version { is_json: false }),
        ["version" | "--version", "--json"] => Ok(Request::Version { is_json: true }),
        ["--help" | "-h" | "help"] => Ok(Request::Help(None)),
        [verb @ ("get" | "erase" | "store" | "list" | "version"), ..] => {
            Err(Error::usage(format!("too many arguments for '{verb}'"))
                .with_hint(format!("See '{PROGRAM} {verb} --help'")))
        }
        ["help", unknown, ..] | [unknown, ..] => Err(unknown_command(unknown)),
        // The caller handles this case.
        [] => Err(Error::usage(USAGE)),
    }
}

fn unknown_command(unknown: &str) -> Error {
    let kind = if unknown.starts_with('-') {
        "option"
    } else {
        "command"
    };
    if !repeatable::is_repeatable(unknown) {
        let reason = "(not shown, because it may be a secret)";
        return Error::usage(format!("unknown {kind} {reason}")).with_hint("See --help");
    }
    let hint = closest_command(unknown).map_or_else(
        || "See --help".to_owned(),
        |name| format!("Did you mean '{name}'? See --help"),
    );
    Error::usage(format!("unknown {kind} '{unknown}'")).with_hint(hint)
}

/// Returns whether this is a client's verb or a person's command.
fn is_known(name: &str) -> bool {
    names_verb(name.as_ref()) || arguments::is_person_command(name.as_ref())
}

/// Returns whether this is a client's verb.
fn names_verb(name: &OsStr) -> bool {
    VERBS.iter().any(|verb| name == verb.name)
}

/// Returns the verb, the command or the option with the most similar name.
fn closest_command(unknown: &str) -> Option<String> {
    if unknown.starts_with('-') {
        return closest_match(unknown, &["--help", "--version"]).map(str::to_owned);
    }
    let commands = arguments::names();
    let verbs = VERBS.iter().map(|verb| verb.name);
    let known: Vec<&str> = verbs.chain(commands.iter().map(String::as_str)).collect();
    closest_match(unknown, &known).map(str::to_owned)
}

fn dispatch(request: Request, stdio: &mut Stdio<'_>, context: &Context<'_>) -> Result<()> {
    match request {
        Request::Erase(address) => helper::erase(address, stdio, context),
        Request::Get(address) => helper::get(address, stdio, context),
        Request::Help(None) => commands::print(stdio, &introduction()),
        Request::Help(Some(name)) => commands::print(stdio, &arguments::help_on(&name)),
        Request::List => helper::list(stdio, context),
        Request::Renew(address) => helper::renew(&address, context),
        Request::Store => helper::store(stdio, context),
        Request::Version { is_json } => commands::version::run(is_json, stdio),
    }
}

const USAGE: &str = "Usage: docker-credential-icr <get|store|erase|list|version>, or a command such as login, configure, status or doctor (see --help for all commands)";

/// The error for the kubelet, whose configuration has to name the verb.
const NO_ARGUMENTS: &str =
    "no verb was given. In the kubelet's configuration, set args: [\"kubelet\"]";

/// Returns the help on the program: what it does, its commands and its verbs.
fn introduction() -> String {
    let line = |call: String, summary: &str| format!("    {call:<18} {summary}\n");
    let summaries = arguments::summaries();
    let commands = COMMANDS.map(|(name, argument)| {
        let summary = summaries.get(name).map_or("", String::as_str);
        line(format!("{name}{argument}"), summary)
    });
    let verbs = VERBS.map(|verb| {
        let address = if verb.argument == VerbArgument::Address {
            " [ADDRESS]"
        } else {
            ""
        };
        line(format!("{}{address}", verb.name), verb.explanation)
    });
    format!(
        "{INTRODUCTION}\n{}\nCommands that clients call:\n{}",
        commands.concat(),
        verbs.concat().trim_end()
    )
}

/// The first lines of [`introduction`].
const INTRODUCTION: &str = r#"docker-credential-icr gives Docker, Podman, Buildah and Skopeo short-lived
credentials for IBM Cloud Container Registry. Your API key stays in the
system's keychain or in $IBMCLOUD_API_KEY, never in config.json.

Get started:
    docker-credential-icr login
    docker-credential-icr configure --registry us.icr.io de.icr.io
    docker pull us.icr.io/NAMESPACE/IMAGE

Commands (for details: docker-credential-icr COMMAND --help):"#;

/// The commands in the order of [`introduction`], each with its argument.
const COMMANDS: [(&str, &str); 14] = [
    ("login", " [REGISTRY]"),
    ("logout", " [REGISTRY]"),
    ("configure", ""),
    ("status", " [REGISTRY]"),
    ("whoami", " [REGISTRY]"),
    ("doctor", ""),
    ("print", " REGISTRY"),
    ("token", ""),
    ("keychain", ""),
    ("settings", ""),
    ("kubelet", ""),
    ("pull-secret", ""),
    ("completions", " SHELL"),
    ("install", " --to DIR"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_lists_exactly_the_verbs_that_are_parsed() {
        let parsed = |arguments: &[&str]| {
            let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
            parse_client_request(&arguments).is_ok()
        };
        for verb in VERBS {
            assert!(parsed(&[verb.name]), "{}", verb.name);
            let address = [verb.name, "us.icr.io"];
            let takes_address = verb.argument == VerbArgument::Address;
            assert_eq!(parsed(&address), takes_address, "{}", verb.name);
            let takes_json = verb.argument == VerbArgument::Json;
            let is_flag = parsed(&[verb.name, "--json"]) && !takes_address;
            assert_eq!(is_flag, takes_json, "{}", verb.name);
        }
        let names = VERBS.map(|verb| verb.name).join("|");
        assert!(USAGE.contains(&format!("<{names}>")), "{USAGE}");
    }

    #[test]
    fn the_introduction_lists_every_command() {
        let mut listed = COMMANDS.map(|(name, _)| name).to_vec();
        listed.sort_unstable();
        assert_eq!(listed, arguments::names());
    }

    #[test]
    fn the_introduction_explains_commands_and_verbs() {
        let text = introduction();
        for line in [
            "    doctor             Diagnose problems and suggest fixes\n",
            "    get [ADDRESS]      Print the credential for a registry as JSON\n",
            "    version            Print the version",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
