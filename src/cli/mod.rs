//! The whole program as one function over what it is given: arguments, streams,
//! environment, terminal, clock, network and keychains.

use std::ffi::OsString;

use crate::PROGRAM;
use crate::commands;
use crate::context::Streams;
use crate::context::World;
use crate::credentials::Broker;
use crate::error::Failure;
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
use crate::text::closest_match::nearest;
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
pub fn run(arguments: &[OsString], streams: &mut Streams<'_>, world: &World<'_>) -> u8 {
    let Some(first) = arguments.first() else {
        let text = if streams.output_is_terminal {
            introduction()
        } else {
            USAGE.to_owned()
        };
        let _ = writeln!(streams.output, "{text}");
        return 1;
    };
    if commands::exists(first) {
        return run_command(arguments, streams, world);
    }
    let outcome = parse(arguments).and_then(|request| {
        crate::log::start(world.environment, streams.error);
        logged(request.name(), || answer(request, streams, world))
    });
    match outcome {
        Ok(()) => 0,
        Err(failure) => {
            report(&failure, streams);
            1
        }
    }
}

/// Runs what a person typed: only here is a parser for arguments built.
fn run_command(arguments: &[OsString], streams: &mut Streams<'_>, world: &World<'_>) -> u8 {
    crate::log::start(world.environment, streams.error);
    let name = arguments.first().and_then(|name| name.to_str());
    match logged(name.unwrap_or_default(), || {
        commands::run(arguments, streams, world)
    }) {
        Ok(()) => 0,
        Err(failure) => {
            commands::report(&failure, streams);
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
        Err(Failure::NotFound) => tracing::info!("nothing speaks for that address"),
        Err(failure) => tracing::error!(%failure, "failed"),
    }
    outcome
}

/// Tells a failure on both streams: some clients show one, some the other. A terminal
/// shows both, so a person is told once. That nothing is stored is an answer, and only
/// clients care.
fn report(failure: &Failure, streams: &mut Streams<'_>) {
    let line = wire::failure_line(failure);
    let is_answer = *failure == Failure::NotFound;
    if is_answer || !streams.output_is_terminal {
        let _ = writeln!(streams.output, "{line}");
    }
    if !is_answer {
        let _ = writeln!(streams.error, "{line}");
    }
}

fn parse(arguments: &[OsString]) -> Result<Request> {
    let texts: Option<Vec<&str>> = arguments.iter().map(|argument| argument.to_str()).collect();
    let texts =
        texts.ok_or_else(|| Failure::act(format!("an argument is not UTF-8 text. {USAGE}")))?;
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
            Err(Failure::act(format!("too many arguments. {USAGE}")))
        }
        ["help", unknown, ..] | [unknown, ..] => Err(unknown_action(unknown)),
        [] => Err(Failure::act(USAGE)),
    }
}

fn unknown_action(unknown: &str) -> Failure {
    let unknown = if repeatable::is_repeatable(unknown) {
        format!("{unknown}{}", meant_by(unknown))
    } else {
        repeatable::NOT_SHOWN.to_owned()
    };
    Failure::act(format!("{PROGRAM}: unknown action: {unknown}. {USAGE}"))
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
    let nearest = nearest(unknown, &known);
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

fn answer(request: Request, streams: &mut Streams<'_>, world: &World<'_>) -> Result<()> {
    match request {
        Request::Erase(address) => erase(address, streams, world),
        Request::Get(address) => get(address, streams, world),
        Request::Help(None) => print(streams, &introduction()),
        Request::Help(Some(name)) => print(streams, &commands::help_on(&name)),
        Request::List => list(streams, world),
        Request::Renew(address) => renew(&address, world),
        Request::Store => store(streams, world),
        Request::Version => print(streams, VERSION),
    }
}

fn get(address: Option<String>, streams: &mut Streams<'_>, world: &World<'_>) -> Result<()> {
    let address = server_address(address, streams)?;
    let (registry, settings) = registry(&address, world)?.ok_or(Failure::NotFound)?;
    let keychains = open(world, &settings, Prompting::Never)?;
    let broker = broker(world, &settings, &keychains);
    let credential = match broker.get_and_delete_expired(&registry) {
        Err(failure) if is_to_be_replaced(&failure, &registry, &broker, world) => {
            tracing::info!(%failure, "the client is about to replace the login");
            return Err(Failure::NotFound);
        }
        outcome => outcome?,
    };
    wire::write_credential(streams.output, &address, &credential).map_err(|error| unwritten(&error))
}

/// Whether IAM rejected a stored login in whose place the client is about to store
/// another; an error would keep it from that. A profile's login is not replaced by what
/// a client stores.
fn is_to_be_replaced(
    failure: &Failure,
    registry: &Registry,
    broker: &Broker<'_>,
    world: &World<'_>,
) -> bool {
    failure.is_rejection()
        && parent::is_about_to_log_in(&(world.parent_arguments)())
        && matches!(
            broker.speaker(registry),
            Ok(Some(Speaker::Login(
                LoginScope::Default | LoginScope::Registry(_)
            )))
        )
}

fn store(streams: &mut Streams<'_>, world: &World<'_>) -> Result<()> {
    let request = wire::store_request(&wire::read_input(streams.input)?)?;
    let Some((registry, settings)) = registry(&request.server_address, world)? else {
        let address = repeatable::host(&request.server_address);
        let address = address.unwrap_or_else(|| "that address".to_owned());
        return Err(Failure::act(format!(
            "{address} is not a registry of IBM Cloud; {PROGRAM} keeps logins for those only, so take it out of credHelpers (and credsStore) for others"
        )));
    };
    let keychains = open(world, &settings, Prompting::Allowed)?;
    let broker = broker(world, &settings, &keychains);
    let stored = broker.store(&registry, request.credential)?;
    warn(commands::after_store(&registry, &stored, &broker), streams);
    Ok(())
}

/// Tells something on stderr, which clients pass on, although nothing has failed.
fn warn(text: Option<String>, streams: &mut Streams<'_>) {
    if let Some(text) = text {
        let line = one_line(&text, LONGEST_WARNING).replace('`', "'");
        let _ = writeln!(streams.error, "warning: {line}");
    }
}

/// Fails only without an address: podman 4.3 overflows its stack when a helper's
/// `erase` fails. What could not be removed is told on stderr.
fn erase(address: Option<String>, streams: &mut Streams<'_>, world: &World<'_>) -> Result<()> {
    let outcome =
        server_address(address, streams).and_then(|address| forget(&address, streams, world));
    match outcome {
        Err(Failure::NoServerAddress) => Err(Failure::NoServerAddress),
        Err(failure) => {
            let _ = writeln!(streams.error, "{}", wire::failure_line(&failure));
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

fn forget(address: &str, streams: &mut Streams<'_>, world: &World<'_>) -> Result<()> {
    let Some((registry, settings)) = registry(address, world)? else {
        return Ok(());
    };
    let keychains = open(world, &settings, Prompting::Allowed)?;
    let broker = broker(world, &settings, &keychains);
    broker.erase(&registry)?;
    warn(commands::after_logout(&registry, &broker), streams);
    Ok(())
}

/// Nobody reads what comes of it.
fn renew(address: &str, world: &World<'_>) -> Result<()> {
    let Some((registry, settings)) = registry(address, world)? else {
        return Ok(());
    };
    let keychains = open(world, &settings, Prompting::Never)?;
    broker(world, &settings, &keychains).renew(&registry)
}

/// Ignores standard input: clients send a word, nothing, or leave a terminal.
fn list(streams: &mut Streams<'_>, world: &World<'_>) -> Result<()> {
    let settings = settings(world)?;
    let keychains = open(world, &settings, Prompting::Never)?;
    let usernames = broker(world, &settings, &keychains).list()?;
    let answer: serde_json::Map<String, serde_json::Value> = usernames
        .into_iter()
        .map(|(registry, username)| (registry.host().to_owned(), username.into()))
        .collect();
    let answer = serde_json::Value::Object(answer).to_string();
    print(streams, &printable::in_json(&answer))
}

fn server_address(argument: Option<String>, streams: &mut Streams<'_>) -> Result<String> {
    match argument {
        Some(address) => wire::server_address(address.as_bytes()),
        None => wire::server_address(&wire::read_input(streams.input)?),
    }
}

/// The registry at an address, and the settings. A settings file that is broken
/// must not get in the way of registries that have nothing to do with it.
///
/// # Errors
/// See [`Settings::load`].
pub(crate) fn registry(address: &str, world: &World<'_>) -> Result<Option<(Registry, Settings)>> {
    let built_in = Registry::at(address, &[]);
    match settings(world) {
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
pub(crate) fn settings(world: &World<'_>) -> Result<Settings> {
    Settings::load(
        world.environment,
        world.config_directory.as_deref(),
        world.system_config_directory.as_deref(),
    )
}

/// Opens the keychains that the settings choose.
///
/// # Errors
/// The chosen one does not exist on this system.
pub(crate) fn open(
    world: &World<'_>,
    settings: &Settings,
    prompting: Prompting,
) -> Result<Keychains> {
    (world.open_keychains)(settings, prompting).map_err(|error| Failure::act(error.to_string()))
}

/// Whoever knows the order of things, in this world.
pub(crate) fn broker<'a>(
    world: &'a World<'a>,
    settings: &'a Settings,
    keychains: &'a Keychains,
) -> Broker<'a> {
    Broker {
        clock: world.clock,
        environment: world.environment,
        keychains,
        locks: &world.locks,
        machine_name: world.machine_name,
        places: &world.places,
        random: world.random,
        renewal: world.renewal,
        settings,
        transport: world.transport,
    }
}

fn print(streams: &mut Streams<'_>, text: &str) -> Result<()> {
    writeln!(streams.output, "{text}").map_err(|error| unwritten(&error))
}

fn unwritten(error: &std::io::Error) -> Failure {
    Failure::later(format!("the answer cannot be written ({error})"))
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
