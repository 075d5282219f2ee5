//! The whole program as one function over what it is given: arguments, streams,
//! environment, terminal, clock, network and keychains.

pub mod arguments;

use std::ffi::OsString;

use crate::PROGRAM;
use crate::context::Context;
use crate::context::Stdio;
use crate::error::Error;
use crate::error::Result;
use crate::error::one_line;
use crate::helper;
use crate::helper::VERBS;
use crate::helper::wire;
use crate::process::background_refresh;
use crate::text::closest_match::closest_match;
use crate::text::repeatable;

/// The longest line of a failure, in characters.
const LONGEST_LINE: usize = 1000;

/// What the arguments ask for.
enum Request {
    Erase(Option<String>),
    Get(Option<String>),
    Help(Option<String>),
    List,
    Renew(String),
    Store,
    Version,
}

impl Request {
    /// Its name in the log.
    fn name(&self) -> &'static str {
        match self {
            Self::Erase(_) => "erase",
            Self::Get(_) => "get",
            Self::Help(_) => "help",
            Self::List => "list",
            Self::Renew(_) => "renew",
            Self::Store => "store",
            Self::Version => "version",
        }
    }
}

/// Runs the program; `arguments` are those after its name. Returns its exit
/// status: for clients 0, or 1 for every failure; for people one of
/// [`EXIT_STATUSES`](crate::error::EXIT_STATUSES).
pub fn run(arguments: &[OsString], stdio: &mut Stdio<'_>, context: &Context<'_>) -> u8 {
    let Some(first) = arguments.first() else {
        let text = if stdio.output_is_terminal {
            introduction()
        } else {
            USAGE.to_owned()
        };
        let _ = writeln!(stdio.output, "{text}");
        return 1;
    };
    if arguments::exists(first) {
        return run_command(arguments, stdio, context);
    }
    let outcome = parse(arguments).and_then(|request| {
        crate::log::start(context.environment, stdio.error);
        logged(request.name(), || answer(request, stdio, context))
    });
    match outcome {
        Ok(()) => 0,
        Err(failure) => {
            report(&failure, stdio);
            1
        }
    }
}

/// Runs what a person typed: only here is a parser for arguments built.
fn run_command(arguments: &[OsString], stdio: &mut Stdio<'_>, context: &Context<'_>) -> u8 {
    crate::log::start(context.environment, stdio.error);
    let name = arguments.first().and_then(|name| name.to_str());
    match logged(name.unwrap_or_default(), || {
        arguments::run(arguments, stdio, context)
    }) {
        Ok(()) => 0,
        Err(failure) => {
            report_to_person(&failure, stdio);
            failure.exit_status()
        }
    }
}

/// Does something within a span of the log, which tells the processes of one build
/// apart, and logs how it ended.
fn logged<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let _span = tracing::info_span!("run", name, pid = std::process::id()).entered();
    let outcome = work();
    match &outcome {
        Ok(_) => tracing::info!("done"),
        Err(error) if error.is_not_found() => tracing::info!("nothing speaks for that address"),
        Err(failure) => tracing::error!(%failure, "failed"),
    }
    outcome
}

/// Tells a failure on both streams: some clients show one, some the other. A terminal
/// shows both, so a person is told once. That nothing is stored is an answer, and only
/// clients care.
fn report(failure: &Error, stdio: &mut Stdio<'_>) {
    let line = wire::failure_line(failure);
    let is_answer = failure.is_not_found();
    if is_answer || !stdio.output_is_terminal {
        let _ = writeln!(stdio.output, "{line}");
    }
    if !is_answer {
        let _ = writeln!(stdio.error, "{line}");
    }
}

/// Tells a person about a failure, without what could move a terminal's cursor; what
/// to do about it has a line of its own.
fn report_to_person(failure: &Error, stdio: &mut Stdio<'_>) {
    let hint = failure.hint();
    let hint = hint.map_or_else(String::new, |hint| format!("\nhint: {hint}"));
    let text = format!("{PROGRAM}: {}{hint}", failure.text());
    for line in text.lines() {
        let _ = writeln!(stdio.error, "{}", one_line(line, LONGEST_LINE));
    }
}

fn parse(arguments: &[OsString]) -> Result<Request> {
    let texts: Option<Vec<&str>> = arguments.iter().map(|argument| argument.to_str()).collect();
    let texts =
        texts.ok_or_else(|| Error::user(format!("an argument is not UTF-8 text. {USAGE}")))?;
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
        ["version" | "--version" | "-v"] => Ok(Request::Version),
        ["--help" | "-h" | "help"] => Ok(Request::Help(None)),
        ["get" | "erase" | "store" | "list" | "version", ..] => {
            Err(Error::user(format!("too many arguments. {USAGE}")))
        }
        ["help", unknown, ..] | [unknown, ..] => Err(unknown_action(unknown)),
        [] => Err(Error::user(USAGE)),
    }
}

fn unknown_action(unknown: &str) -> Error {
    let unknown = if repeatable::is_repeatable(unknown) {
        format!("{unknown}{}", meant_by(unknown))
    } else {
        repeatable::NOT_SHOWN.to_owned()
    };
    Error::user(format!("{PROGRAM}: unknown action: {unknown}. {USAGE}"))
}

/// Whether this is a verb of clients or a command of people.
fn is_known(name: &str) -> bool {
    VERBS.iter().any(|verb| verb.name == name) || arguments::exists(name.as_ref())
}

/// What somebody may have wanted to type, as the end of a sentence.
fn meant_by(unknown: &str) -> String {
    let commands = arguments::names();
    let verbs = VERBS.iter().map(|verb| verb.name);
    let known: Vec<&str> = verbs.chain(commands.iter().map(String::as_str)).collect();
    let closest_match = closest_match(unknown, &known);
    closest_match.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

fn answer(request: Request, stdio: &mut Stdio<'_>, context: &Context<'_>) -> Result<()> {
    match request {
        Request::Erase(address) => helper::erase(address, stdio, context),
        Request::Get(address) => helper::get(address, stdio, context),
        Request::Help(None) => helper::print(stdio, &introduction()),
        Request::Help(Some(name)) => helper::print(stdio, &arguments::help_on(&name)),
        Request::List => helper::list(stdio, context),
        Request::Renew(address) => helper::renew(&address, context),
        Request::Store => helper::store(stdio, context),
        Request::Version => helper::print(stdio, VERSION),
    }
}

const USAGE: &str = "Usage: docker-credential-icr <get|store|erase|list|version> (--help explains)";

const VERSION: &str = concat!(
    "docker-credential-icr (",
    env!("CARGO_PKG_NAME"),
    ") ",
    env!("CARGO_PKG_VERSION")
);

/// What a person sees who starts the program to find out what it is.
fn introduction() -> String {
    let verbs = VERBS.map(|verb| {
        let address = if verb.takes_address { " [ADDRESS]" } else { "" };
        let call = format!("{}{address}", verb.name);
        format!("    {call:<18} {}\n", verb.explanation)
    });
    format!("{INTRODUCTION}\n{}", verbs.concat().trim_end())
}

/// The first lines of [`introduction`].
const INTRODUCTION: &str = r#"docker-credential-icr gives docker, podman, buildah and skopeo short-lived
logins for IBM Cloud Container Registry. Your API key stays in the system's
keychain, or in $IBMCLOUD_API_KEY; config.json never holds a secret.

Log in once, then name it in docker's and podman's files (credHelpers):
    docker-credential-icr login
    docker-credential-icr configure --registry us.icr.io de.icr.io

Commands for you (each explains itself with --help):
    login [REGISTRY]   who you are, for every registry or for some
    logout [REGISTRY]  forgets that
    configure          switches it on in docker and podman, and off again
    print REGISTRY     a credential for what cannot ask this program
    settings           what is set, and where
    status [REGISTRY]  who is logged in where, and for how long
    doctor             what is wrong, and what mends it
    token              registry tokens: add, list, get, rm

Commands that clients call:"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verbs_that_are_explained_are_those_that_are_understood() {
        let parsed = |arguments: &[&str]| {
            let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
            parse(&arguments).is_ok()
        };
        for verb in VERBS {
            assert!(parsed(&[verb.name]), "{}", verb.name);
            let address = [verb.name, "us.icr.io"];
            assert_eq!(parsed(&address), verb.takes_address, "{}", verb.name);
        }
        let names = VERBS.map(|verb| verb.name).join("|");
        assert!(USAGE.contains(&format!("<{names}>")), "{USAGE}");
    }

    #[test]
    fn the_introduction_names_every_verb_in_its_column() {
        let text = introduction();
        for line in [
            "    get [ADDRESS]      the credential for a registry, as JSON\n",
            "    version            the version of this program",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
