//! The verbs of Docker's credential-helper protocol: get, store, erase, list and version.

pub mod wire;

use crate::PROGRAM;
use crate::commands;
use crate::context::Context;
use crate::context::Session;
use crate::context::Stdio;
use crate::credentials::ActiveSource;
use crate::credentials::Broker;
use crate::credentials::login_hint;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::error::one_line;
use crate::http::Limits;
use crate::keychain::Prompting;
use crate::login::LoginScope;
use crate::process::parent;
use crate::process::watchdog;
use crate::registry::Registry;
use crate::registry::intended;
use crate::settings::Settings;
use crate::sources::Origin;
use crate::text::printable;
use crate::text::repeatable;

/// A verb of the protocol, as help, completions and the manual explain it.
#[derive(Clone, Copy, Debug)]
pub struct Verb {
    /// What clients call.
    pub name: &'static str,
    /// What it does: an imperative without a period.
    pub explanation: &'static str,
    /// What may follow it.
    pub argument: VerbArgument,
    /// What a person may type to try it.
    pub example: &'static str,
    /// The name and the content of the file in the example.
    pub input: Option<(&'static str, &'static str)>,
}

/// What may follow a verb.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum VerbArgument {
    /// Nothing.
    None,
    /// The address, instead of standard input.
    Address,
    /// The flag `--json`, for people.
    Json,
}

/// The verbs that clients call; `cli::parse_client_request` accepts the same ones.
pub const VERBS: [Verb; 5] = [
    Verb {
        name: "get",
        explanation: "Print the credential for a registry as JSON",
        argument: VerbArgument::Address,
        example: "docker-credential-icr get us.icr.io",
        input: None,
    },
    Verb {
        name: "store",
        explanation: "Store a login, read as JSON from stdin",
        argument: VerbArgument::None,
        example: "docker-credential-icr store < login.json",
        input: Some(("login.json", wire::STORE_INPUT)),
    },
    Verb {
        name: "erase",
        explanation: "Delete the login for a registry",
        argument: VerbArgument::Address,
        example: "docker-credential-icr erase us.icr.io",
        input: None,
    },
    Verb {
        name: "list",
        explanation: "List the registries with a login as JSON",
        argument: VerbArgument::None,
        example: "docker-credential-icr list",
        input: None,
    },
    Verb {
        name: "version",
        explanation: "Print the version",
        argument: VerbArgument::Json,
        example: "docker-credential-icr version --json",
        input: None,
    },
];

pub(crate) fn get(
    address: Option<String>,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let address = read_address(address, stdio)?;
    let default = Limits::default().deadline;
    watchdog::end_process_after(default);
    let (registry, settings) = context.registry(&address)?.ok_or(Error::not_found())?;
    if settings.limits.deadline != default {
        watchdog::end_process_after(settings.limits.deadline);
    }
    let session = Session::with_settings(context, settings, Prompting::Never)?;
    let broker = Broker::new(&session);
    let credential = match broker.get_and_delete_expired(&registry) {
        Err(error) if is_about_to_be_replaced(&error, &registry, &broker, context) => {
            tracing::info!(%error, "the client is about to replace the login");
            return Err(Error::not_found());
        }
        outcome => outcome?,
    };
    commands::is_written(wire::write_credential(stdio.output, &address, &credential))
}

/// Returns a hint on an answer whose text only clients understand, for a person who tries
/// `get` at a terminal. The address is empty if it was not an argument.
pub(crate) fn hint_for_person(
    error: &Error,
    address: &str,
    context: &Context<'_>,
) -> Option<String> {
    if error.kind() == ErrorKind::NoServerAddress {
        return Some(format!(
            "Name a registry, for example '{PROGRAM} get us.icr.io'"
        ));
    }
    if !error.is_not_found() || address.is_empty() {
        return None;
    }
    Some(match context.registry(address).ok()? {
        Some((registry, settings)) => format!(
            "Not logged in to {registry}. {}",
            login_hint(&registry, &settings, context)
        ),
        None => {
            let host = repeatable::host(address);
            let host = host.unwrap_or_else(|| "this".to_owned());
            let message = format!("{host} is not an IBM Cloud registry");
            match intended(address) {
                Some(registry) => format!("{message}. Did you mean {registry}?"),
                None => message,
            }
        }
    })
}

/// Returns whether IAM rejected a stored login that the client is about to replace. During
/// `docker login`, the client asks for the old login first. An error here would stop it, so a
/// rejected login is answered with "not found". A client's login does not replace a profile's.
fn is_about_to_be_replaced(
    error: &Error,
    registry: &Registry,
    broker: &Broker<'_>,
    context: &Context<'_>,
) -> bool {
    error.is_rejection()
        && parent::is_about_to_log_in(&(context.parent_arguments)())
        && matches!(
            broker.active_source(registry, &broker.login_snapshot()),
            Ok(Some(ActiveSource {
                origin: Origin::Login(LoginScope::Default | LoginScope::Registry(_)),
                ..
            }))
        )
}

pub(crate) fn store(stdio: &mut Stdio<'_>, context: &Context<'_>) -> Result<()> {
    let request = wire::store_request(&wire::read_input(stdio.input)?)?;
    let Some((registry, settings)) = registry_at(&request.server_address, context)? else {
        return Err(not_stored(&request.server_address));
    };
    let session = Session::with_settings(context, settings, Prompting::Allowed)?;
    let broker = Broker::new(&session);
    let logins = broker.login_snapshot();
    let stored = broker.store(&registry, request.credential, &logins)?;
    let warning = commands::after_store(&registry, &stored, &logins, &broker);
    warn(warning, stdio);
    Ok(())
}

/// Creates the error for the credential of another registry.
fn not_stored(address: &str) -> Error {
    let host = repeatable::host(address);
    let host = host.unwrap_or_else(|| "this address".to_owned());
    let suggestion = intended(address).map(|registry| format!("Did you mean {registry}? "));
    Error::user(format!(
        "{host} is not an IBM Cloud registry, and {PROGRAM} stores no logins for others"
    ))
    .with_hint(format!(
        "{}In Docker's config.json, name 'icr' under credHelpers, for IBM Cloud registries only, not under credsStore",
        suggestion.unwrap_or_default()
    ))
}

/// Writes a warning to stderr, which clients show, some of them in backticks.
fn warn(text: Option<String>, stdio: &mut Stdio<'_>) {
    if let Some(text) = text {
        let line = one_line(&text, wire::MAX_LINE_LENGTH).replace('`', "'");
        let _ = writeln!(stdio.error, "warning: {line}");
    }
}

/// Deletes the login for a registry. Returns an error only without an address, because
/// podman 4.3 overflows its stack when a helper's `erase` fails; other errors go to stderr.
pub(crate) fn erase(
    address: Option<String>,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let outcome =
        read_address(address, stdio).and_then(|address| delete_login(&address, stdio, context));
    match outcome {
        Err(error) if error.kind() == ErrorKind::NoServerAddress => Err(error),
        Err(error) => {
            let _ = writeln!(stdio.error, "{}", wire::error_line(&error));
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

fn delete_login(address: &str, stdio: &mut Stdio<'_>, context: &Context<'_>) -> Result<()> {
    let found = in_time(|| registry_to_erase(address, context))?;
    let Some((registry, (settings, ignored))) = found else {
        return Ok(());
    };
    let session = Session::with_settings(context, settings, Prompting::Allowed)?;
    let broker = Broker::new(&session);
    let logins = broker.login_snapshot();
    broker.log_out(&LoginScope::Registry(registry.clone()), &logins)?;
    let warning = match ignored {
        None => commands::after_logout(&registry, &logins, &broker),
        Some(error) => Some(commands::ignored_settings(&error)),
    };
    warn(warning, stdio);
    Ok(())
}

/// Returns the registry at an address, also if it may be one of settings that cannot be loaded; and
/// as [`Context::settings_for_deletion`], the settings.
#[expect(clippy::type_complexity, reason = "only the caller has it")]
fn registry_to_erase(
    address: &str,
    context: &Context<'_>,
) -> Result<Option<(Registry, (Settings, Option<Error>))>> {
    match context.registry(address) {
        Ok(found) => Ok(found.map(|(registry, settings)| (registry, (settings, None)))),
        Err(error) => match Registry::parse(address) {
            Some(registry) => Ok(Some((registry, context.login_place(error)?))),
            None => Err(error),
        },
    }
}

/// Runs in a background process; its result goes only to the log.
pub(crate) fn renew(address: &str, context: &Context<'_>) -> Result<()> {
    let Some((registry, settings)) = registry_at(address, context)? else {
        return Ok(());
    };
    let session = Session::with_settings(context, settings, Prompting::Never)?;
    Broker::new(&session).renew(&registry)
}

/// Prints the stored logins. Ignores stdin: clients send a word or nothing, or stdin is still a
/// terminal.
pub(crate) fn list(stdio: &mut Stdio<'_>, context: &Context<'_>) -> Result<()> {
    let settings = in_time(|| context.settings())?;
    let session = Session::with_settings(context, settings, Prompting::Never)?;
    let usernames = Broker::new(&session).registry_usernames()?;
    let answer: serde_json::Map<String, serde_json::Value> = usernames
        .into_iter()
        .map(|(registry, username)| (registry.host().to_owned(), username.into()))
        .collect();
    let answer = serde_json::Value::Object(answer).to_string();
    commands::print(stdio, &printable::in_json(&answer))
}

/// Returns the registry at an address, and the settings, or ends the process if their file system
/// does not answer.
fn registry_at(address: &str, context: &Context<'_>) -> Result<Option<(Registry, Settings)>> {
    in_time(|| context.registry(address))
}

fn in_time<T>(call: impl FnOnce() -> T) -> T {
    watchdog::with_deadline(Limits::default().deadline, call)
}

fn read_address(argument: Option<String>, stdio: &mut Stdio<'_>) -> Result<String> {
    match argument {
        Some(address) => wire::server_address(address.as_bytes()),
        None => wire::server_address(&wire::read_input(stdio.input)?),
    }
}
