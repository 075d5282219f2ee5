//! `token`: creates, lists and deletes registry tokens.

use clap::Subcommand;
use serde::Serialize;
use zeroize::Zeroizing;

use super::conclude;
use super::login::require_keychain;
use super::print;
use super::print_json;
use super::registry_at;
use super::screen::Screen;
use super::secret_output;
use super::table;
use super::to_json;
use super::warnings::Warnings;
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
use crate::registry::api::tokens::ListedToken;
use crate::registry::api::tokens::NewToken;
use crate::registry::api::tokens::Token;
use crate::settings::CredentialKind;

const EXAMPLES: &str = "\
Examples:
  docker-credential-icr token add --registry us.icr.io --description ci
  docker-credential-icr token list --registry us.icr.io
  docker-credential-icr token rm --registry us.icr.io ae57b394-e39d-595f-ae5d-e46905285df6";

/// Create, list and delete registry tokens
///
/// A registry token is a password for one region, with the user name `token`. IBM
/// withdrew them in 2021, and most registries reject them. For a permanent login, use
/// an API key: docker-credential-icr login.
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

/// The registry and account of the tokens.
#[derive(clap::Args)]
struct Target {
    /// Registry, for example us.icr.io
    #[arg(long, value_name = "REGISTRY")]
    registry: String,

    /// ID of the account, if it is not the one of your login
    #[arg(long, value_name = "ID")]
    account: Option<String>,
}

const ADD_EXAMPLES: &str = "\
Examples:
  docker-credential-icr token add --registry us.icr.io --description ci
  docker-credential-icr token add --registry us.icr.io --readwrite --login
  docker-credential-icr token add --registry us.icr.io --quiet | docker login -u token --password-stdin us.icr.io";

/// Create a token: read-only and valid for 24 hours by default
///
/// Prints its identifier and the token, which is a secret: on a terminal, it needs
/// --reveal.
#[derive(clap::Args)]
#[command(after_help = ADD_EXAMPLES, verbatim_doc_comment, alias = "create")]
struct Add {
    #[command(flatten)]
    target: Target,

    /// Description in the list of tokens
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "TEXT"
    )]
    description: String,

    /// Create a token that does not expire
    #[arg(long)]
    non_expiring: bool,

    /// Create a token that can also push
    #[arg(long)]
    readwrite: bool,

    /// Store the token as the login for the registry instead of printing it
    #[arg(long)]
    login: bool,

    /// Replace a login of another kind without asking
    #[arg(long, requires = "login")]
    force: bool,

    /// Print JSON, including the token unless it is stored
    #[arg(long)]
    json: bool,

    /// Print only the token
    #[arg(long, short, conflicts_with_all = ["json", "login"])]
    quiet: bool,

    /// Print the token even on a terminal
    #[arg(long, conflicts_with = "login")]
    reveal: bool,
}

const GET_EXAMPLES: &str = "\
Example:
  docker-credential-icr token get --registry us.icr.io ae57b394-e39d-595f-ae5d-e46905285df6";

/// Print a token
///
/// The output is a secret: on a terminal, it needs --reveal.
#[derive(clap::Args)]
#[command(after_help = GET_EXAMPLES, verbatim_doc_comment)]
struct Get {
    #[command(flatten)]
    target: Target,

    /// Identifier of the token
    id: String,

    /// Print the token even on a terminal
    #[arg(long)]
    reveal: bool,
}

const LIST_EXAMPLES: &str = "\
Examples:
  docker-credential-icr token list --registry us.icr.io
  docker-credential-icr token list --registry us.icr.io --json";

/// List the tokens of your account, without their secrets
#[derive(clap::Args)]
#[command(after_help = LIST_EXAMPLES, verbatim_doc_comment, visible_alias = "ls")]
struct List {
    #[command(flatten)]
    target: Target,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

const REMOVE_EXAMPLES: &str = "\
Example:
  docker-credential-icr token rm --registry us.icr.io ae57b394-e39d-595f-ae5d-e46905285df6";

/// Delete tokens, which revokes them
#[derive(clap::Args)]
#[command(after_help = REMOVE_EXAMPLES, verbatim_doc_comment, aliases = ["delete", "remove"])]
struct Remove {
    #[command(flatten)]
    target: Target,

    /// Identifiers of the tokens
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
    check_output(&arguments.action, stdio)?;
    let (registry, settings) = registry_at(&target.registry, context)?;
    let session = Session::with_settings(context, settings, Prompting::Allowed)?;
    let broker = Broker::new(&session);
    if let Action::Add(add) = &arguments.action
        && add.login
    {
        check_replacement(add, &registry, &broker, context)?;
    }
    let api = broker.registry_api(&registry, target.account.as_deref())?;
    if prints_secret(&arguments.action) {
        secret_output::warn_if_readable_by_others(stdio, context);
    }
    match &arguments.action {
        Action::Add(add) => create(add, &broker, &api, stdio),
        Action::Get(get) => print(stdio, api.token(&get.id)?.value.expose()),
        Action::List(list) => show(list, &api, stdio, context),
        Action::Rm(remove) => delete_tokens(remove, &api, stdio),
    }
}

/// Checks where a secret would be written, before a token is created that would be lost.
///
/// # Errors
/// See [`secret_output::require_hidden`].
fn check_output(action: &Action, stdio: &Stdio<'_>) -> Result<()> {
    match action {
        Action::Add(add) if !add.login => secret_output::require_hidden(
            stdio,
            add.reveal,
            &format!("{}, add --login", secret_output::ELSEWHERE),
        ),
        Action::Get(get) => {
            secret_output::require_hidden(stdio, get.reveal, secret_output::ELSEWHERE)
        }
        _ => Ok(()),
    }
}

fn prints_secret(action: &Action) -> bool {
    match action {
        Action::Add(add) => !add.login,
        Action::Get(_) => true,
        Action::List(_) | Action::Rm(_) => false,
    }
}

/// Asks before a token replaces a login of another kind, which may be the only one, also for
/// the registry's API. Before the token is created, because it would be lost otherwise.
///
/// # Errors
/// The login is not to be replaced, or nothing can be stored.
fn check_replacement(
    add: &Add,
    registry: &Registry,
    broker: &Broker<'_>,
    context: &Context<'_>,
) -> Result<()> {
    require_keychain(broker.settings)?;
    let scope = LoginScope::Registry(registry.clone());
    let former = broker.login(&scope)?;
    let Some(former) = former.filter(|login| login.kind() != LoginKind::RegistryToken) else {
        return Ok(());
    };
    let question = format!(
        "This replaces your stored {registry} login ({}). Continue?",
        kind_name(&former)
    );
    let is_wanted = || {
        let terminal = context.terminal;
        terminal.is_interactive() && terminal.confirm(&question, false).unwrap_or(false)
    };
    if add.force || is_wanted() {
        return Ok(());
    }
    Err(Error::user(format!(
        "no token was created: it would replace your stored {registry} login ({})",
        kind_name(&former)
    ))
    .with_hint(format!(
        "To replace it, add --force. To delete it first, run '{}'",
        scope.logout_command()
    )))
}

/// Returns the kind of a login's secret for a person.
fn kind_name(login: &Login) -> String {
    match login.kind() {
        LoginKind::ApiKey | LoginKind::Profile => "API key".into(),
        LoginKind::Bearer => "access token".into(),
        LoginKind::RefreshToken => "session".into(),
        LoginKind::RegistryToken => "registry token".into(),
        LoginKind::Verbatim => format!("user name {}", login.username),
    }
}

fn create(
    add: &Add,
    broker: &Broker<'_>,
    api: &RegistryApi<'_>,
    stdio: &mut Stdio<'_>,
) -> Result<()> {
    let token = api.create_token(&NewToken {
        description: &add.description,
        is_permanent: add.non_expiring,
        may_write: add.readwrite,
    })?;
    let stored = if add.login {
        Some(log_in(broker, api.registry(), &token)?)
    } else {
        None
    };
    if add.json {
        return print(stdio, &to_json(&to_answer(add, api.registry(), &token))?);
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

/// The JSON answer of `token add`.
#[derive(Serialize)]
pub(crate) struct TokenAddAnswer<'a> {
    /// The registry's host.
    registry: &'a str,
    /// The identifier; `null` if the token does not contain it.
    id: Option<&'a str>,
    /// `read-only` or `read-write`.
    access: &'static str,
    /// When it expires, in seconds since 1970; `null` if it does not.
    expires_at: Option<u64>,
    /// The token, a secret; `null` if it was stored.
    token: Option<&'a str>,
}

fn to_answer<'a>(add: &Add, registry: &'a Registry, token: &'a Token) -> TokenAddAnswer<'a> {
    TokenAddAnswer {
        registry: registry.host(),
        id: token.id.as_deref(),
        access: access(add.readwrite),
        expires_at: token.expires_at,
        token: Some(token.value.expose()).filter(|_| !add.login),
    }
}

/// Stores a token as the login for its registry. Returns what was done, for the person.
fn log_in(broker: &Broker<'_>, registry: &Registry, token: &Token) -> Result<String> {
    let scope = LoginScope::Registry(registry.clone());
    let login = Login::new(CredentialKind::RegistryToken.with(token.value.clone()));
    let (logins, successor) = (broker.login_snapshot(), |_: Option<&Login>| {
        Some(login.clone())
    });
    let stored = broker.replace_logins(&[scope], &logins, &successor);
    Warnings::new(broker.context).warn_of_skipped_keychains(&*broker.keychains.logins);
    let replacements = stored.map_err(|error| {
        let id = token.id.as_deref().unwrap_or("unknown");
        Error::user(format!(
            "the token {id} was created, but not stored: {error}"
        ))
    })?;
    let mut former = replacements.into_iter().filter_map(|it| it.former);
    Ok(match former.next() {
        Some(former) => format!(
            "Logged in to {registry} with the token; it replaced the stored login ({})",
            kind_name(&former)
        ),
        None => format!("Logged in to {registry} with the token"),
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
        let answer = TokenListAnswer {
            registry: api.registry().host(),
            tokens: tokens
                .iter()
                .map(|token| TokenJson::new(token, now))
                .collect(),
        };
        return print_json(stdio, &answer);
    }
    if tokens.is_empty() {
        return print(
            stdio,
            &format!("No tokens of this account in {}", api.registry()),
        );
    }
    let rows: Vec<[String; 4]> = tokens.iter().map(|token| row(token, now)).collect();
    let screen = Screen::of(stdio, context);
    print(stdio, &table::to_text(&HEADINGS, &rows, screen))
}

/// The JSON answer of `token list`.
#[derive(Serialize)]
pub(crate) struct TokenListAnswer<'a> {
    /// The registry's host.
    registry: &'a str,
    /// The tokens of the account.
    tokens: Vec<TokenJson<'a>>,
}

/// A token in the answer of `token list`.
#[derive(Serialize)]
struct TokenJson<'a> {
    /// The identifier.
    id: &'a str,
    /// `read-only` or `read-write`.
    access: &'static str,
    /// The description, which may be empty.
    description: &'a str,
    /// When it expires, in seconds since 1970; `null` if it does not.
    expires_at: Option<u64>,
    /// `valid`, `expired` or `revoked`.
    status: &'static str,
}

impl<'a> TokenJson<'a> {
    fn new(token: &'a ListedToken, now: u64) -> Self {
        Self {
            id: &token.id,
            access: access(token.may_write),
            description: &token.description,
            expires_at: token.expires_at,
            status: status(token, now),
        }
    }
}

fn status(token: &ListedToken, now: u64) -> &'static str {
    if token.is_revoked {
        "revoked"
    } else if token.expires_at.is_some_and(|end| end <= now) {
        "expired"
    } else {
        "valid"
    }
}

const HEADINGS: [&str; 4] = ["IDENTIFIER", "ACCESS", "EXPIRES", "DESCRIPTION"];

/// Returns the cells under [`HEADINGS`].
fn row(token: &ListedToken, now: u64) -> [String; 4] {
    let expiry = token.expires_at.map_or("never".to_owned(), when);
    let expiry = match status(token, now) {
        "valid" => expiry,
        status => format!("{expiry} ({status})"),
    };
    [
        token.id.clone(),
        access(token.may_write).to_owned(),
        expiry,
        token.description.clone(),
    ]
}

fn access(may_write: bool) -> &'static str {
    if may_write { "read-write" } else { "read-only" }
}

/// Deletes all tokens that it can.
///
/// # Errors
/// A token could not be deleted.
fn delete_tokens(remove: &Remove, api: &RegistryApi<'_>, stdio: &mut Stdio<'_>) -> Result<()> {
    let mut failures = Vec::new();
    for id in &remove.ids {
        match api.delete_token(id) {
            Ok(()) => print(stdio, &format!("Deleted {id}"))?,
            Err(error) => failures.push(error.to_string()),
        }
    }
    conclude(&failures)
}
