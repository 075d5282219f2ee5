//! `logout`: deletes logins, their cached tokens and, if asked, their API keys.

use std::collections::BTreeSet;

use serde::Serialize;

use super::api_key_lifecycle;
use super::conclude;
use super::ignored_settings;
use super::json::ScopeJson;
use super::login_context::LoginContext;
use super::print;
use super::print_json;
use super::rotate::scopes_with_key;
use super::scopes::ScopeArgs;
use super::scopes::listed;
use super::scopes::login_for;
use super::scopes::logins_for;
use super::scopes::scope_list;
use super::shadowing;
use super::warnings::Warnings;
use crate::context::Context;
use crate::context::Session;
use crate::context::Stdio;
use crate::credentials::Broker;
use crate::environment;
use crate::error::Error;
use crate::error::Result;
use crate::keychain::Prompting;
use crate::login::IssuedKey;
use crate::login::Login;
use crate::login::LoginScope;
use crate::login::LoginSnapshot;

const EXAMPLES: &str = "\
Examples:
  docker-credential-icr logout
  docker-credential-icr logout us.icr.io
  docker-credential-icr logout --all --revoke";

/// Log out and delete cached tokens
///
/// If no login is stored, nothing happens and the exit status is 0.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    scopes: ScopeArgs,

    /// Delete all logins
    #[arg(long, conflicts_with_all = ["registries", "profile"])]
    all: bool,

    /// Also delete the API key created by `--create-api-key` in IAM
    #[arg(long)]
    revoke: bool,

    /// Delete API keys in IAM without asking
    #[arg(long, requires = "revoke")]
    yes: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    /// Returns whether more of the settings is needed than where logins are stored: to send an API
    /// key to the right IAM, or to know which profile's login is meant.
    fn needs_all_settings(&self, context: &Context<'_>) -> bool {
        let is_profile_selected = context.environment.has(environment::PROFILE);
        self.revoke || (!self.all && self.scopes.is_empty() && is_profile_selected)
    }
}

/// The JSON answer of `logout`.
#[derive(Debug, Serialize)]
pub(crate) struct LogoutAnswer {
    /// The logins that were deleted.
    deleted_logins: Vec<ScopeJson>,
    /// The named logins that were not stored.
    missing_logins: Vec<ScopeJson>,
    /// The IDs of the API keys that were deleted in IAM.
    deleted_api_keys: Vec<String>,
    /// The warnings that stderr showed.
    warnings: Vec<String>,
}

/// What was deleted, and what could not be.
#[derive(Default)]
struct Outcome {
    missing: Vec<LoginScope>,
    deleted: Vec<LoginScope>,
    /// The IDs of API keys that IAM deleted.
    deleted_keys: Vec<String>,
    failures: Vec<String>,
    remaining: Vec<LoginScope>,
}

pub(crate) fn run(
    arguments: &Arguments,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    let (settings, ignored) = context.settings_for_deletion()?;
    if let Some(error) = &ignored
        && arguments.needs_all_settings(context)
    {
        return Err(error.clone());
    }
    let session = Session::with_settings(context, settings, Prompting::Allowed)?;
    let broker = Broker::new(&session);
    let warnings = Warnings::new(context);
    if let Some(error) = &ignored {
        warnings.warn(ignored_settings(error));
    }
    let logins = broker.login_snapshot();
    let stored = logins.scopes()?;
    let mut scopes: BTreeSet<LoginScope> = if arguments.all {
        stored.clone()
    } else {
        // A name that only the settings know is no error without them.
        let is_stored = |scope: &LoginScope| ignored.is_some() || stored.contains(scope);
        let named = arguments
            .scopes
            .stored_scopes(&session.settings, &is_stored)?;
        named.into_iter().collect()
    };
    let mut affected = scopes.clone();
    if arguments.revoke {
        if !arguments.yes {
            // Another process may change logins while a person reads the question.
            let keys = issued_keys(&scopes, &broker.login_snapshot())?;
            confirm_key_deletion(&keys, context)?;
        }
        for key in issued_keys(&scopes, &logins)? {
            affected.extend(scopes_with_key(&key, &logins)?);
        }
    }
    for (registry, error) in broker.delete_registry_tokens(&affected, arguments.all, &logins) {
        warnings.warn(format!(
            "registry tokens created by this program may remain at {registry} until they expire, within a day: {error}"
        ));
    }
    let mut outcome = Outcome::default();
    if arguments.revoke {
        outcome.delete_keys(&mut scopes, &logins, &broker, &warnings)?;
    }
    if arguments.all {
        outcome.delete_logins(&scopes, |scope| broker.delete_login_only(scope, &logins));
        broker.delete_short_lived()?;
    } else {
        outcome.delete_logins(&scopes, |scope| broker.log_out(scope, &logins));
    }
    let is_left = |scope: &&LoginScope| !outcome.deleted.contains(scope);
    outcome.remaining = stored.iter().filter(is_left).cloned().collect();
    if ignored.is_none() {
        let (deleted, missing) = (&outcome.deleted, &outcome.missing);
        shadowing::warn_after_logout(deleted, missing, &logins, &broker, &warnings);
    }
    if outcome.failures.is_empty() || outcome.has_changed_something() {
        if arguments.json {
            print_json(stdio, &outcome.to_json(&warnings))?;
        } else {
            print(stdio, &outcome.to_string())?;
        }
    }
    conclude(&outcome.failures)
}

/// Returns the IDs of the API keys that this program created for these logins.
fn issued_keys(
    scopes: &BTreeSet<LoginScope>,
    logins: &LoginSnapshot<'_>,
) -> Result<BTreeSet<String>> {
    let mut keys = BTreeSet::new();
    for scope in scopes {
        let login = logins.read(scope)?;
        keys.extend(login.and_then(|login| login.issued_key).map(|key| key.id));
    }
    Ok(keys)
}

/// Asks before API keys are deleted in IAM: that cannot be undone, and other programs may use
/// them.
fn confirm_key_deletion(keys: &BTreeSet<String>, context: &Context<'_>) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let keys = listed(&keys.iter().collect::<Vec<_>>());
    if !context.terminal.is_interactive() {
        return Err(Error::usage(format!(
            "cannot ask whether to delete API key {keys} in IAM: not a terminal"
        ))
        .with_hint("To delete it without a question, add --yes"));
    }
    let question =
        format!("This deletes API key {keys} in IAM. Programs that use it stop working. Continue?");
    let answer = context.terminal.confirm(&question, false);
    match answer {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::user("canceled: nothing was deleted")),
        Err(error) => Err(Error::user(format!(
            "canceled: nothing was deleted ({error})"
        ))),
    }
}

impl Outcome {
    /// Deletes the API keys of the logins in IAM, and updates `scopes` to the logins to
    /// delete: without those whose key could not be deleted, and with all others that use a
    /// deleted key.
    fn delete_keys(
        &mut self,
        scopes: &mut BTreeSet<LoginScope>,
        logins: &LoginSnapshot<'_>,
        broker: &Broker<'_>,
        warnings: &Warnings<'_>,
    ) -> Result<()> {
        for scope in scopes.clone() {
            let Some(login) = logins.read(&scope)? else {
                continue;
            };
            let Some(key) = &login.issued_key else {
                warnings.warn(format!(
                    "{} has no API key created by --create-api-key, so none is deleted in IAM",
                    login_for(&scope)
                ));
                continue;
            };
            if self.deleted_keys.contains(&key.id) {
                continue;
            }
            let endpoint = broker.endpoint_of(&scope);
            let login_context = LoginContext {
                broker,
                logins,
                endpoint,
                warnings,
            };
            if let Err(error) = delete_key(&login_context, &login, key) {
                self.failures.push(format!(
                    "{error}. The login is kept. To delete it without its API key ({}), run '{}'",
                    key.id,
                    scope.logout_command()
                ));
                scopes.remove(&scope);
                continue;
            }
            self.deleted_keys.push(key.id.clone());
            for other in scopes_with_key(&key.id, logins)? {
                if scopes.insert(other.clone()) {
                    warnings.warn(format!(
                        "{} has the same API key and is deleted, too",
                        login_for(&other)
                    ));
                }
            }
        }
        Ok(())
    }

    fn delete_logins(
        &mut self,
        scopes: &BTreeSet<LoginScope>,
        delete: impl Fn(&LoginScope) -> Result<bool>,
    ) {
        for scope in scopes {
            match delete(scope) {
                Ok(true) => self.deleted.push(scope.clone()),
                Ok(false) => self.missing.push(scope.clone()),
                Err(error) => self.failures.push(error.to_string()),
            }
        }
    }

    fn has_changed_something(&self) -> bool {
        !self.deleted.is_empty() || !self.deleted_keys.is_empty()
    }

    fn to_json(&self, warnings: &Warnings<'_>) -> LogoutAnswer {
        LogoutAnswer {
            deleted_logins: self.deleted.iter().map(ScopeJson::from).collect(),
            missing_logins: self.missing.iter().map(ScopeJson::from).collect(),
            deleted_api_keys: self.deleted_keys.clone(),
            warnings: warnings.texts(),
        }
    }
}

fn delete_key(login_context: &LoginContext<'_>, login: &Login, key: &IssuedKey) -> Result<()> {
    let _progress = login_context.progress("Deleting the API key in IAM");
    let fail = |error: crate::http::ServiceError| {
        error.with_source("the API key to delete", &login_context.endpoint)
    };
    let access_token = match api_key_lifecycle::exchange(login_context, &login.secret) {
        Ok(issued) => issued.access_token,
        Err(error) if api_key_lifecycle::is_unknown_key(&error) => return Ok(()),
        Err(error) => return Err(fail(error)),
    };
    let deleted = login_context.iam().delete_api_key(&access_token, &key.id);
    deleted.map_err(fail)
}

/// The text answer.
impl std::fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut lines = Vec::new();
        if !self.deleted_keys.is_empty() {
            lines.push(format!(
                "Deleted API key {} in IAM",
                listed(&self.deleted_keys)
            ));
        }
        if !self.deleted.is_empty() {
            lines.push(format!("Deleted {}", logins_for(&self.deleted)));
        }
        let (default, others): (Vec<LoginScope>, Vec<LoginScope>) = self
            .missing
            .iter()
            .cloned()
            .partition(|scope| *scope == LoginScope::Default);
        if !default.is_empty() {
            lines.push("No default login is stored".into());
        }
        if !others.is_empty() {
            lines.push(format!("No login is stored for {}", scope_list(&others)));
        }
        if lines.is_empty() {
            lines.push("No login is stored".into());
        }
        if self.deleted.is_empty() && !self.remaining.is_empty() {
            lines.push(format!(
                "Still stored: {}. To delete all logins, add --all",
                logins_for(&self.remaining)
            ));
        }
        formatter.write_str(&lines.join("\n"))
    }
}
