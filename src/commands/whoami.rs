//! `whoami`: shows the identity of each registry.

use serde::Serialize;

use super::clients::Clients;
use super::conclude_errors;
use super::json::OwnerJson;
use super::print;
use super::print_json;
use super::status::Message;
use super::status::Row;
use super::status::name_of;
use super::status::source_name;
use super::table;
use super::target::RegistryArgs;
use super::target::Target;
use super::target::targets;
use crate::context::Context;
use crate::context::Session;
use crate::context::Stdio;
use crate::credentials::Broker;
use crate::credentials::CredentialInfo;
use crate::credentials::default_login_hint;
use crate::error::Error;
use crate::error::Result;
use crate::iam::owner::Owner;
use crate::keychain::Prompting;

const EXAMPLES: &str = "\
Examples:
  docker-credential-icr whoami
  docker-credential-icr whoami us.icr.io
  docker-credential-icr whoami --json

Exit status: 0 if the identity of each registry was found, 1 if you are not logged in or
a source is invalid, 3 if a token is needed and IAM is unavailable.";

/// Show which identity each registry sees
///
/// Prints a line for each registry that you use, with the user, service ID or trusted
/// profile that its token belongs to. Gets a token if neither a cached one nor the login
/// names the identity.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    registries: RegistryArgs,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A registry and its identity.
struct Line {
    row: Row,
    owner: Option<Owner>,
    /// Why the identity is unknown.
    error: Option<Error>,
}

/// The JSON answer of `whoami`.
#[derive(Serialize)]
struct WhoamiAnswer<'a> {
    /// The registries in use, or those that were named.
    registries: Vec<RegistryJson<'a>>,
}

/// A registry in the answer of `whoami`.
#[derive(Serialize)]
struct RegistryJson<'a> {
    /// The host; null in the entry for all other registries.
    registry: Option<&'a str>,
    /// The identity; null if unknown, or not logged in.
    owner: Option<OwnerJson>,
    /// The user name that clients get; null if not logged in.
    username: Option<&'a str>,
    /// The name of the active source, as in the settings; null if not logged in.
    source: Option<&'static str>,
    /// Why the identity is unknown; null if it is known, or not logged in.
    problem: Option<Message>,
}

pub(crate) fn run(
    arguments: &Arguments,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let session = Session::open(context, Prompting::Never)?;
    let broker = Broker::new(&session);
    let clients = Clients::of(context, broker.settings).by_registry();
    let logins = broker.login_snapshot();
    let (targets, error) = targets(&arguments.registries, &clients, &logins, &broker)?;
    let rows = targets
        .into_iter()
        .map(|target| Row::of(target, None, &clients, &logins, &broker));
    let rows = rows.filter(Row::is_shown);
    let lines: Vec<Line> = rows.map(|row| Line::of(row, &broker)).collect();
    if arguments.json {
        let registries = lines.iter().map(Line::to_json).collect();
        print_json(stdio, &WhoamiAnswer { registries })?;
    } else if !lines.is_empty() {
        let lines: Vec<[String; 2]> = lines.iter().map(Line::cells).collect();
        print(stdio, &table::aligned(&lines))?;
    }
    let is_missing = |line: &Line| !line.row.has_source_or_problem();
    let is_logged_in = !lines.iter().all(is_missing);
    let lacks_named = !arguments.registries.is_empty() && lines.iter().any(is_missing);
    let errors = error.into_iter();
    let errors: Vec<Error> = errors
        .chain(lines.into_iter().filter_map(|line| line.error))
        .collect();
    if errors.is_empty() && !is_logged_in {
        let hint = default_login_hint(&session.settings, context);
        return Err(Error::user("not logged in").with_hint(hint));
    }
    if errors.is_empty() && lacks_named {
        return Err(Error::user("not logged in").as_shown());
    }
    conclude_errors(errors)
}

impl Line {
    /// Finds the identity: that of the cached token, that of the login, or else that of a new
    /// token.
    fn of(row: Row, broker: &Broker<'_>) -> Self {
        let (owner, error) = match row.state() {
            Err(error) => (None, Some(error.clone())),
            Ok(Some(active)) if active.owner.is_none() && active.is_exchanged => {
                match broker.get(row.target.registry()) {
                    Ok(credential) => (Owner::of(&credential.secret), None),
                    Err(error) => (None, Some(error)),
                }
            }
            Ok(active) => (active.and_then(|active| active.owner.clone()), None),
        };
        Self { row, owner, error }
    }

    /// Returns the registry and its identity.
    fn cells(&self) -> [String; 2] {
        let identity = match (self.row.state(), &self.owner) {
            (_, Some(owner)) => owner.to_string(),
            (Ok(Some(active)), None) => without_owner(active, self.error.is_some()),
            (Ok(None), None) => "not logged in".to_owned(),
            (Err(_), None) => "unknown".to_owned(),
        };
        [self.row.name().to_owned(), identity]
    }

    fn to_json(&self) -> RegistryJson<'_> {
        let active = self.row.state().ok().flatten();
        let target: &Target = &self.row.target;
        RegistryJson {
            registry: target.host(),
            owner: self.owner.as_ref().map(OwnerJson::from),
            username: active.map(|active| &*active.username),
            source: active.map(|active| name_of(&active.origin)),
            problem: self.error.as_ref().map(Message::from),
        }
    }
}

/// Returns the user name and the source of a credential that names no owner.
fn without_owner(active: &CredentialInfo, has_error: bool) -> String {
    let source = source_name(active);
    if has_error {
        format!("unknown ({source})")
    } else {
        format!("user name {} ({source})", active.username)
    }
}
