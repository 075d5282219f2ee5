//! `token`: registry tokens, as long as a registry has them.

use clap::Subcommand;
use serde_json::json;
use zeroize::Zeroizing;

use super::conclude;
use super::print;
use super::print_json;
use super::registry_at;
use super::screen::Screen;
use super::table;
use super::when;
use crate::context::Context;
use crate::context::Session;
use crate::context::Stdio;
use crate::credentials::Broker;
use crate::error::Error;
use crate::error::Result;
use crate::keychain::Prompting;
use crate::login::Login;
use crate::login::LoginKind;
use crate::login::LoginScope;
use crate::registry::Registry;
use crate::registry::api::RegistryApi;
use crate::registry::api::tokens::Listed;
use crate::registry::api::tokens::NewToken;
use crate::registry::api::tokens::Token;
use crate::settings::CredentialKind;
use crate::settings::KeychainChoice;

const EXAMPLES: &str = "\
Examples:
  docker-credential-icr token add --registry us.icr.io --description ci
  docker-credential-icr token list --registry us.icr.io
  docker-credential-icr token rm --registry us.icr.io ae57b394-e39d-595f-ae5d-e46905285df6";

/// Create, list and remove registry tokens
///
/// A registry token is a password for one region, with the user name `token`. IBM
/// ended them in 2021; a registry that has none any more says so. For logins that
/// last, use an API key: docker-credential-icr login.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = false, verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Add(Add),
    Get(Get),
    List(List),
    Rm(Remove),
}

/// Where tokens are, and whose.
#[derive(clap::Args)]
struct Target {
    /// The registry, such as us.icr.io
    #[arg(long, value_name = "HOST")]
    registry: String,

    /// The ID of the account, if it is not the one of your login
    #[arg(long, value_name = "ID")]
    account: Option<String>,
}

const ADD_EXAMPLES: &str = "\
Examples:
  docker-credential-icr token add --registry us.icr.io --description ci
  docker-credential-icr token add --registry us.icr.io --readwrite --login
  docker-credential-icr token add --registry us.icr.io --json
  docker-credential-icr token add --registry us.icr.io --quiet | docker login -u token --password-stdin us.icr.io";

/// Make a token: read-only and for 24 hours, unless you say otherwise
///
/// Prints its identifier and the token, which is a secret.
#[derive(clap::Args)]
#[command(after_help = ADD_EXAMPLES, verbatim_doc_comment)]
struct Add {
    #[command(flatten)]
    target: Target,

    /// What it is for, to find it again in the list
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "TEXT"
    )]
    description: String,

    /// Let it never end
    #[arg(long)]
    non_expiring: bool,

    /// Let it push, too
    #[arg(long)]
    readwrite: bool,

    /// Store it as the login for the registry, and do not print it
    #[arg(long)]
    login: bool,

    /// Store it in the place of a login of another kind, too
    #[arg(long, requires = "login")]
    force: bool,

    /// Print JSON, whose keys stay as they are; the token is in it, unless it is stored
    #[arg(long)]
    json: bool,

    /// Print the token alone
    #[arg(long, short, conflicts_with_all = ["json", "login"])]
    quiet: bool,
}

const GET_EXAMPLES: &str = "\
Example:
  docker-credential-icr token get --registry us.icr.io ae57b394-e39d-595f-ae5d-e46905285df6";

/// Print a token again
///
/// It is a secret.
#[derive(clap::Args)]
#[command(after_help = GET_EXAMPLES, verbatim_doc_comment)]
struct Get {
    #[command(flatten)]
    target: Target,

    /// The identifier of the token
    id: String,
}

const LIST_EXAMPLES: &str = "\
Examples:
  docker-credential-icr token list --registry us.icr.io           as a table
  docker-credential-icr token list --registry us.icr.io --json    as JSON";

/// List the tokens of your account, without the tokens themselves
#[derive(clap::Args)]
#[command(after_help = LIST_EXAMPLES, verbatim_doc_comment, visible_alias = "ls")]
struct List {
    #[command(flatten)]
    target: Target,

    /// Print JSON, whose keys stay as they are
    #[arg(long)]
    json: bool,
}

const REMOVE_EXAMPLES: &str = "\
Example:
  docker-credential-icr token rm --registry us.icr.io ae57b394-e39d-595f-ae5d-e46905285df6";

/// Remove tokens: they open nothing any more
#[derive(clap::Args)]
#[command(after_help = REMOVE_EXAMPLES, verbatim_doc_comment)]
struct Remove {
    #[command(flatten)]
    target: Target,

    /// The identifiers of the tokens
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

pub(crate) fn run(
    arguments: &Arguments,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let target = match &arguments.action {
        Action::Add(add) => &add.target,
        Action::Get(get) => &get.target,
        Action::List(list) => &list.target,
        Action::Rm(remove) => &remove.target,
    };
    let (registry, settings) = registry_at(&target.registry, context)?;
    let session = Session::with_settings(context, settings, Prompting::Allowed)?;
    let broker = Broker::new(&session);
    if let Action::Add(add) = &arguments.action
        && add.login
    {
        check_replacement(add, &registry, &broker, context)?;
    }
    let api = broker.registry_api(&registry, target.account.as_deref())?;
    match &arguments.action {
        Action::Add(add) => create(add, &broker, &api, stdio),
        Action::Get(get) => print(stdio, api.token(&get.id)?.value.expose()),
        Action::List(list) => show(list, &api, stdio, context),
        Action::Rm(remove) => remove_tokens(remove, &api, stdio),
    }
}

/// Refuses to put a token in the place of a login of another kind, unless somebody
/// says so: it may be the only thing that says who they are, also to the registry's
/// API. Asked before there is a token that nobody would have.
fn check_replacement(
    add: &Add,
    registry: &Registry,
    broker: &Broker<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let refused = |reason: &str| Error::user(format!("no token was made for {registry}: {reason}"));
    if broker.settings.keychain == KeychainChoice::None {
        return Err(refused(
            "the settings choose no keychain (`none`), so that a login cannot be kept; choose one with ICR_KEYCHAIN or in the settings file",
        ));
    }
    let scope = LoginScope::Registry(registry.clone());
    let former = broker.login(&scope)?;
    let Some(former) = former.filter(|login| login.kind() != LoginKind::RegistryToken) else {
        return Ok(());
    };
    let question = format!(
        "The keychain has another login for {registry} (user name {}), which is then gone. Replace it?",
        former.username
    );
    let is_wanted = || {
        let terminal = context.terminal;
        terminal.is_interactive() && terminal.confirm(&question, false).unwrap_or(false)
    };
    match add.force || is_wanted() {
        true => Ok(()),
        false => Err(refused(&scope.is_taken_by(&former))),
    }
}

fn create(
    add: &Add,
    broker: &Broker<'_>,
    api: &RegistryApi<'_>,
    stdio: &mut Stdio<'_>,
) -> Result<()> {
    let token = api.make_token(&NewToken {
        description: &add.description,
        is_permanent: add.non_expiring,
        may_write: add.readwrite,
    })?;
    let stored = match add.login {
        true => Some(log_in(broker, api.registry(), &token)?),
        false => None,
    };
    if add.json {
        return print(stdio, &created_as_json(add, api.registry(), &token));
    }
    let (id, value) = (
        token.id.as_deref().unwrap_or("unknown"),
        token.value.expose(),
    );
    match stored {
        Some(stored) => print(stdio, &format!("Token identifier   {id}\n{stored}")),
        None if add.quiet => print(stdio, value),
        // The words of IBM's CLI.
        None => {
            let text = format!("Token identifier   {id}\nToken              {value}");
            print(stdio, &Zeroizing::new(text))
        }
    }
}

fn created_as_json(add: &Add, registry: &Registry, token: &Token) -> Zeroizing<String> {
    let shown = Some(token.value.expose()).filter(|_| !add.login);
    let json = json!({
        "registry": registry.host(),
        "id": token.id,
        "access": access(add.readwrite),
        "expires_at": token.expires_at,
        "token": shown,
    });
    Zeroizing::new(format!("{json:#}"))
}

/// Stores a token as the login for its registry, and says in whose target.
fn log_in(broker: &Broker<'_>, registry: &Registry, token: &Token) -> Result<String> {
    let scope = LoginScope::Registry(registry.clone());
    let before = broker.login(&scope).ok().flatten();
    let login = Login::new(CredentialKind::RegistryToken.with(token.value.clone()));
    broker.log_in(&scope, login).map_err(|failure| {
        let id = token.id.as_deref().unwrap_or("unknown");
        Error::user(format!(
            "the token {id} was made, but not stored: {failure}"
        ))
    })?;
    Ok(match before {
        Some(before) => format!(
            "Logged in at {registry} as `token`, in the place of the login `{}`",
            before.username
        ),
        None => format!("Logged in at {registry} as `token`"),
    })
}

fn show(
    list: &List,
    api: &RegistryApi<'_>,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let (tokens, now) = (api.tokens()?, context.clock.now());
    if list.json {
        let tokens: Vec<_> = tokens.iter().map(|token| as_json(token, now)).collect();
        let answer = json!({"registry": api.registry().host(), "tokens": tokens});
        return print_json(stdio, &answer);
    }
    if tokens.is_empty() {
        return print(
            stdio,
            &format!("no tokens of this account at {}", api.registry()),
        );
    }
    let rows: Vec<[String; 4]> = tokens.iter().map(|token| row(token, now)).collect();
    let screen = Screen::of(stdio, context);
    print(stdio, &table::to_text(&HEADINGS, &rows, screen))
}

fn as_json(token: &Listed, now: u64) -> serde_json::Value {
    json!({
        "id": token.id,
        "access": access(token.may_write),
        "expires_at": token.expires_at,
        "is_expired": is_expired(token, now),
        "is_revoked": token.is_revoked,
        "description": token.description,
    })
}

const HEADINGS: [&str; 4] = ["IDENTIFIER", "ACCESS", "ENDS", "DESCRIPTION"];

/// What stands under [`HEADINGS`].
fn row(token: &Listed, now: u64) -> [String; 4] {
    let end = token.expires_at.map_or("never".to_owned(), when);
    let end = match (token.is_revoked, is_expired(token, now)) {
        (true, _) => format!("{end} (revoked)"),
        (false, true) => format!("{end} (expired)"),
        (false, false) => end,
    };
    [
        token.id.clone(),
        access(token.may_write).to_owned(),
        end,
        token.description.clone(),
    ]
}

fn access(may_write: bool) -> &'static str {
    match may_write {
        true => "read-write",
        false => "read-only",
    }
}

fn is_expired(token: &Listed, now: u64) -> bool {
    token.expires_at.is_some_and(|end| end <= now)
}

/// Removes what can be removed, and fails if something could not.
fn remove_tokens(remove: &Remove, api: &RegistryApi<'_>, stdio: &mut Stdio<'_>) -> Result<()> {
    let mut failures = Vec::new();
    for id in &remove.ids {
        match api.remove_token(id) {
            Ok(()) => print(stdio, &format!("removed {id}"))?,
            Err(failure) => failures.push(failure.to_string()),
        }
    }
    conclude(&failures)
}
