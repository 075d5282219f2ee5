//! `logout`: forgets who I was.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use super::api_key_lifecycle;
use super::conclude;
use super::login_context::LoginContext;
use super::print;
use super::print_json;
use super::rotate::logins_with_key;
use super::scopes;
use super::scopes::ScopeArgs;
use super::scopes::listed;
use super::shadowing;
use super::warnings::Warnings;
use crate::context::Context;
use crate::context::Session;
use crate::context::Stdio;
use crate::credentials::Broker;
use crate::error::Error;
use crate::error::Result;
use crate::keychain::Prompting;
use crate::login::IssuedKey;
use crate::login::Login;
use crate::login::LoginScope;

const EXAMPLES: &str = "\
Examples:
  docker-credential-icr logout             the login for every registry
  docker-credential-icr logout us.icr.io   that of one registry
  docker-credential-icr logout --all       every login there is
  docker-credential-icr logout --revoke    and delete its API key at IAM";

/// Forget logins, and every token that came from them
///
/// Logging out of what is not logged in is no error.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    named: ScopeArgs,

    /// Forget every login
    #[arg(long, conflicts_with_all = ["registries", "profile"])]
    all: bool,

    /// First delete, at IAM, the API key that this program had made
    #[arg(long)]
    revoke: bool,

    /// Delete API keys at IAM without asking
    #[arg(long, requires = "revoke")]
    yes: bool,

    /// Print JSON, whose keys stay as they are
    #[arg(long)]
    json: bool,
}

/// What came of it.
#[derive(Default)]
struct Done {
    absent: Vec<LoginScope>,
    removed: Vec<LoginScope>,
    revoked: Vec<String>,
    failures: Vec<String>,
    remaining: Vec<LoginScope>,
}

pub(crate) fn run(
    arguments: &Arguments,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let session = Session::open(context, Prompting::Allowed)?;
    let broker = Broker::new(&session);
    let warnings = Warnings::new(context);
    let stored = broker.scopes()?;
    let mut scopes: BTreeSet<LoginScope> = match arguments.all {
        true => stored.clone(),
        false => {
            let is_stored = |scope: &LoginScope| stored.contains(scope);
            let named = arguments
                .named
                .stored_scopes(&session.settings, &is_stored)?;
            named.into_iter().collect()
        }
    };
    let mut leaving = scopes.clone();
    if arguments.revoke {
        let keys = issued_keys(&scopes, &broker)?;
        agree_to_revoke(&keys, arguments.yes, context)?;
        for key in &keys {
            let logins_with_key = logins_with_key(key, &broker)?.into_iter();
            leaving.extend(logins_with_key.map(|(scope, _)| scope));
        }
    }
    for (registry, failure) in broker.remove_registry_tokens(&leaving, arguments.all) {
        warnings.warn(format!(
            "registry tokens that this program made may be left at {registry} until they end, within a day: {failure}"
        ));
    }
    let mut done = Done::default();
    if arguments.revoke {
        done.revoke(&mut scopes, &broker, context, &warnings)?;
    }
    done.remove(&scopes, &broker);
    if arguments.all {
        broker.forget_short_lived()?;
    }
    let is_left = |scope: &&LoginScope| !done.removed.contains(scope);
    done.remaining = stored.iter().filter(is_left).cloned().collect();
    shadowing::warn_after_logout(&done.removed, &done.absent, &broker, &warnings);
    if done.failures.is_empty() || done.has_changed_something() {
        match arguments.json {
            true => print_json(stdio, &done.as_json(&warnings))?,
            false => print(stdio, &done.to_string())?,
        }
    }
    conclude(&done.failures)
}

/// The IDs of the API keys that this program had made for these logins.
fn issued_keys(scopes: &BTreeSet<LoginScope>, broker: &Broker<'_>) -> Result<BTreeSet<String>> {
    let mut keys = BTreeSet::new();
    for scope in scopes {
        let login = broker.login(scope)?;
        keys.extend(login.and_then(|login| login.issued_key).map(|key| key.id));
    }
    Ok(keys)
}

/// A key that is deleted at IAM does not come back, and others may use it elsewhere.
fn agree_to_revoke(keys: &BTreeSet<String>, is_agreed: bool, context: &Context<'_>) -> Result<()> {
    if keys.is_empty() || is_agreed {
        return Ok(());
    }
    let keys = listed(&keys.iter().collect::<Vec<_>>());
    if !context.terminal.is_interactive() {
        return Err(Error::usage(format!(
            "--revoke deletes API key {keys} at IAM, and there is no terminal to ask whether you want that; --yes says so"
        )));
    }
    let question = format!("Delete API key {keys} at IAM? Whatever uses it stops working.");
    let answer = context.terminal.confirm(&question, false);
    match answer {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::user("nothing was deleted, and the login stays")),
        Err(error) => Err(Error::user(format!(
            "you broke off ({error}); nothing was deleted"
        ))),
    }
}

impl Done {
    /// Deletes the API keys of logins at IAM. Afterwards `scopes` has every login
    /// that is to be removed: not those whose key could not be deleted, but all
    /// others that have a key which is no more.
    fn revoke(
        &mut self,
        scopes: &mut BTreeSet<LoginScope>,
        broker: &Broker<'_>,
        context: &Context<'_>,
        warnings: &Warnings<'_>,
    ) -> Result<()> {
        for scope in scopes.clone() {
            let Some(login) = broker.login(&scope)? else {
                continue;
            };
            let Some(key) = &login.issued_key else {
                warnings.warn(format!(
                    "the login for {scope} has no API key that this program had made, so nothing is deleted at IAM for it"
                ));
                continue;
            };
            if self.revoked.contains(&key.id) {
                continue;
            }
            let login_context =
                LoginContext::new(broker, broker.endpoint_of(&scope), context, warnings);
            if let Err(failure) = delete(&login_context, &login, key) {
                self.failures.push(format!(
                    "{failure}; the login for {scope} is still there: `{}` forgets it and leaves its API key ({}) at IAM",
                    scope.logout_command(),
                    key.id
                ));
                scopes.remove(&scope);
                continue;
            }
            self.revoked.push(key.id.clone());
            for (other, _) in logins_with_key(&key.id, broker)? {
                if scopes.insert(other.clone()) {
                    warnings.warn(format!(
                        "the login for {other} has the same API key, and is removed as well"
                    ));
                }
            }
        }
        Ok(())
    }

    fn remove(&mut self, scopes: &BTreeSet<LoginScope>, broker: &Broker<'_>) {
        for scope in scopes {
            match broker.log_out(scope) {
                Ok(true) => self.removed.push(scope.clone()),
                Ok(false) => self.absent.push(scope.clone()),
                Err(failure) => self.failures.push(failure.to_string()),
            }
        }
    }

    fn has_changed_something(&self) -> bool {
        !self.removed.is_empty() || !self.revoked.is_empty()
    }

    fn as_json(&self, warnings: &Warnings<'_>) -> Value {
        let scopes =
            |scopes: &[LoginScope]| -> Vec<Value> { scopes.iter().map(scopes::as_json).collect() };
        json!({
            "removed": scopes(&self.removed),
            "absent": scopes(&self.absent),
            "revoked_api_keys": self.revoked,
            "warnings": warnings.texts(),
        })
    }
}

fn delete(login_context: &LoginContext<'_>, login: &Login, key: &IssuedKey) -> Result<()> {
    let _progress = login_context.progress("Deleting the API key at IAM");
    let fail = |error: crate::iam::IamError| {
        error.with_source("the API key that is to be deleted", &login_context.endpoint)
    };
    let access_token = match api_key_lifecycle::exchange(login_context, &login.secret) {
        Ok(issued) => issued.access_token,
        Err(error) if api_key_lifecycle::is_unknown_key(&error) => return Ok(()),
        Err(error) => return Err(fail(error)),
    };
    let deleted = login_context.iam().delete_api_key(&access_token, &key.id);
    deleted.map_err(fail)
}

impl std::fmt::Display for Done {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut lines = Vec::new();
        if !self.revoked.is_empty() {
            lines.push(format!(
                "Deleted at IAM: API key {}.",
                listed(&self.revoked)
            ));
        }
        if !self.removed.is_empty() {
            lines.push(format!("Removed the login for {}.", listed(&self.removed)));
        }
        if !self.absent.is_empty() {
            lines.push(format!("There was no login for {}.", listed(&self.absent)));
        }
        if lines.is_empty() {
            lines.push("There was no login.".into());
        }
        if self.removed.is_empty() && !self.remaining.is_empty() {
            lines.push(format!(
                "Still logged in: {}; --all forgets every login.",
                listed(&self.remaining)
            ));
        }
        formatter.write_str(&lines.join("\n"))
    }
}
