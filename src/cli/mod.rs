//! The whole program as one function over what it is given: arguments, streams,
//! environment, terminal, clock, network and keychains.

use std::ffi::OsString;

use crate::PROGRAM;
use crate::commands;
use crate::context::Context;
use crate::context::Stdio;
use crate::credentials::Broker;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::error::one_line;
use crate::helper::wire;
use crate::keychain::Keychains;
use crate::keychain::Prompting;
use crate::login::LoginScope;
use crate::process::background_refresh;
use crate::process::parent;
use crate::registry::Registry;
use crate::settings::Settings;
use crate::sources::Speaker;
use crate::text::closest_match::closest_match;
use crate::text::printable;
use crate::text::repeatable;

/// The longest warning of a client's verb, in characters.
const LONGEST_WARNING: usize = 1000;

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
    if commands::exists(first) {
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
        commands::run(arguments, stdio, context)
    }) {
        Ok(()) => 0,
        Err(failure) => {
            commands::report(&failure, stdio);
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
    VERBS.iter().any(|verb| verb.name == name) || commands::exists(name.as_ref())
}

/// What somebody may have wanted to type, as the end of a sentence.
fn meant_by(unknown: &str) -> String {
    let commands = commands::names();
    let verbs = VERBS.iter().map(|verb| verb.name);
    let known: Vec<&str> = verbs.chain(commands.iter().map(String::as_str)).collect();
    let closest_match = closest_match(unknown, &known);
    closest_match.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

fn answer(request: Request, stdio: &mut Stdio<'_>, context: &Context<'_>) -> Result<()> {
    match request {
        Request::Erase(address) => erase(address, stdio, context),
        Request::Get(address) => get(address, stdio, context),
        Request::Help(None) => print(stdio, &introduction()),
        Request::Help(Some(name)) => print(stdio, &commands::help_on(&name)),
        Request::List => list(stdio, context),
        Request::Renew(address) => renew(&address, context),
        Request::Store => store(stdio, context),
        Request::Version => print(stdio, VERSION),
    }
}

fn get(address: Option<String>, stdio: &mut Stdio<'_>, context: &Context<'_>) -> Result<()> {
    let address = server_address(address, stdio)?;
    let (registry, settings) = registry(&address, context)?.ok_or(Error::not_found())?;
    let keychains = open(context, &settings, Prompting::Never)?;
    let broker = broker(context, &settings, &keychains);
    let credential = match broker.get_and_delete_expired(&registry) {
        Err(failure) if is_to_be_replaced(&failure, &registry, &broker, context) => {
            tracing::info!(%failure, "the client is about to replace the login");
            return Err(Error::not_found());
        }
        outcome => outcome?,
    };
    wire::write_credential(stdio.output, &address, &credential).map_err(|error| unwritten(&error))
}

/// Whether IAM rejected a stored login in whose place the client is about to store
/// another; an error would keep it from that. A profile's login is not replaced by what
/// a client stores.
fn is_to_be_replaced(
    failure: &Error,
    registry: &Registry,
    broker: &Broker<'_>,
    context: &Context<'_>,
) -> bool {
    failure.is_rejection()
        && parent::is_about_to_log_in(&(context.parent_arguments)())
        && matches!(
            broker.speaker(registry),
            Ok(Some(Speaker::Login(
                LoginScope::Default | LoginScope::Registry(_)
            )))
        )
}

fn store(stdio: &mut Stdio<'_>, context: &Context<'_>) -> Result<()> {
    let request = wire::store_request(&wire::read_input(stdio.input)?)?;
    let Some((registry, settings)) = registry(&request.server_address, context)? else {
        let address = repeatable::host(&request.server_address);
        let address = address.unwrap_or_else(|| "that address".to_owned());
        return Err(Error::user(format!(
            "{address} is not a registry of IBM Cloud; {PROGRAM} keeps logins for those only, so take it out of credHelpers (and credsStore) for others"
        )));
    };
    let keychains = open(context, &settings, Prompting::Allowed)?;
    let broker = broker(context, &settings, &keychains);
    let stored = broker.store(&registry, request.credential)?;
    warn(commands::after_store(&registry, &stored, &broker), stdio);
    Ok(())
}

/// Tells something on stderr, which clients pass on, although nothing has failed.
fn warn(text: Option<String>, stdio: &mut Stdio<'_>) {
    if let Some(text) = text {
        let line = one_line(&text, LONGEST_WARNING).replace('`', "'");
        let _ = writeln!(stdio.error, "warning: {line}");
    }
}

/// Fails only without an address: podman 4.3 overflows its stack when a helper's
/// `erase` fails. What could not be removed is told on stderr.
fn erase(address: Option<String>, stdio: &mut Stdio<'_>, context: &Context<'_>) -> Result<()> {
    let outcome =
        server_address(address, stdio).and_then(|address| forget(&address, stdio, context));
    match outcome {
        Err(error) if error.kind() == ErrorKind::NoServerAddress => Err(error),
        Err(failure) => {
            let _ = writeln!(stdio.error, "{}", wire::failure_line(&failure));
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

fn forget(address: &str, stdio: &mut Stdio<'_>, context: &Context<'_>) -> Result<()> {
    let Some((registry, settings)) = registry(address, context)? else {
        return Ok(());
    };
    let keychains = open(context, &settings, Prompting::Allowed)?;
    let broker = broker(context, &settings, &keychains);
    broker.erase(&registry)?;
    warn(commands::after_logout(&registry, &broker), stdio);
    Ok(())
}

/// Nobody reads what comes of it.
fn renew(address: &str, context: &Context<'_>) -> Result<()> {
    let Some((registry, settings)) = registry(address, context)? else {
        return Ok(());
    };
    let keychains = open(context, &settings, Prompting::Never)?;
    broker(context, &settings, &keychains).renew(&registry)
}

/// Ignores standard input: clients send a word, nothing, or leave a terminal.
fn list(stdio: &mut Stdio<'_>, context: &Context<'_>) -> Result<()> {
    let settings = settings(context)?;
    let keychains = open(context, &settings, Prompting::Never)?;
    let usernames = broker(context, &settings, &keychains).list()?;
    let answer: serde_json::Map<String, serde_json::Value> = usernames
        .into_iter()
        .map(|(registry, username)| (registry.host().to_owned(), username.into()))
        .collect();
    let answer = serde_json::Value::Object(answer).to_string();
    print(stdio, &printable::in_json(&answer))
}

fn server_address(argument: Option<String>, stdio: &mut Stdio<'_>) -> Result<String> {
    match argument {
        Some(address) => wire::server_address(address.as_bytes()),
        None => wire::server_address(&wire::read_input(stdio.input)?),
    }
}

/// The registry at an address, and the settings. A settings file that is broken
/// must not get in the way of registries that have nothing to do with it.
///
/// # Errors
/// See [`Settings::load`].
pub(crate) fn registry(
    address: &str,
    context: &Context<'_>,
) -> Result<Option<(Registry, Settings)>> {
    let built_in = Registry::at(address, &[]);
    match settings(context) {
        Ok(settings) => {
            Ok(Registry::at(address, &settings.registries).map(|registry| (registry, settings)))
        }
        Err(_) if built_in.is_none() => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// What was chosen.
///
/// # Errors
/// See [`Settings::load`].
pub(crate) fn settings(context: &Context<'_>) -> Result<Settings> {
    Settings::load(
        context.environment,
        context.config_directory.as_deref(),
        context.system_config_directory.as_deref(),
    )
}

/// Opens the keychains that the settings choose.
///
/// # Errors
/// The chosen one does not exist on this system.
pub(crate) fn open(
    context: &Context<'_>,
    settings: &Settings,
    prompting: Prompting,
) -> Result<Keychains> {
    (context.open_keychains)(settings, prompting).map_err(|error| Error::user(error.to_string()))
}

/// Whoever knows the order of things, in this world.
pub(crate) fn broker<'a>(
    context: &'a Context<'a>,
    settings: &'a Settings,
    keychains: &'a Keychains,
) -> Broker<'a> {
    Broker {
        clock: context.clock,
        environment: context.environment,
        keychains,
        locks: &context.locks,
        machine_name: context.machine_name,
        system_paths: &context.system_paths,
        random: context.random,
        renewal: context.renewal,
        settings,
        transport: context.transport,
    }
}

fn print(stdio: &mut Stdio<'_>, text: &str) -> Result<()> {
    writeln!(stdio.output, "{text}").map_err(|error| unwritten(&error))
}

fn unwritten(error: &std::io::Error) -> Error {
    Error::temporary(format!("the answer cannot be written ({error})"))
}

const USAGE: &str = "Usage: docker-credential-icr <get|store|erase|list|version> (--help explains)";

const VERSION: &str = concat!(
    "docker-credential-icr (",
    env!("CARGO_PKG_NAME"),
    ") ",
    env!("CARGO_PKG_VERSION")
);

/// A verb of the protocol, as help, completions and manual explain it.
#[derive(Clone, Copy, Debug)]
pub struct Verb {
    /// What clients call.
    pub name: &'static str,
    /// What it does, as a short line without a period.
    pub explanation: &'static str,
    /// Whether the address may be an argument, instead of standard input.
    pub takes_address: bool,
    /// What a person may type to see it at work.
    pub example: &'static str,
}

/// The verbs that clients call; `parse` knows the same ones.
pub const VERBS: [Verb; 5] = [
    Verb {
        name: "get",
        explanation: "the credential for a registry, as JSON",
        takes_address: true,
        example: "docker-credential-icr get us.icr.io",
    },
    Verb {
        name: "store",
        explanation: "keeps a login that comes as JSON on stdin",
        takes_address: false,
        example: "docker-credential-icr store < login.json",
    },
    Verb {
        name: "erase",
        explanation: "forgets the login for a registry",
        takes_address: true,
        example: "docker-credential-icr erase us.icr.io",
    },
    Verb {
        name: "list",
        explanation: "registries that have a login, as JSON",
        takes_address: false,
        example: "docker-credential-icr list",
    },
    Verb {
        name: "version",
        explanation: "the version of this program",
        takes_address: false,
        example: "docker-credential-icr version",
    },
];

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
