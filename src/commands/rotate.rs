//! `login --rotate`: replaces API keys that this program created.

use super::api_key_lifecycle;
use super::login::StoredLogin;
use super::login_context::LoginContext;
use super::scopes::ScopeArgs;
use super::scopes::login_for;
use super::scopes::not_stored;
use super::warnings::Warnings;
use crate::context::Context;
use crate::credential::Credential;
use crate::credentials::Broker;
use crate::error::Error;
use crate::error::Result;
use crate::iam::owner::Owner;
use crate::login::IssuedKey;
use crate::login::Login;
use crate::login::LoginScope;
use crate::secret::Secret;
use crate::sources::advice::SourceKind;

/// Replaces the API key of each named login. A key that several logins share is replaced
/// once, for all of them.
pub(super) fn run(
    arguments: &ScopeArgs,
    days: u32,
    broker: &Broker<'_>,
    context: &Context<'_>,
    warnings: &Warnings<'_>,
) -> Result<Vec<StoredLogin>> {
    let _lock = broker
        .context
        .locks
        .lock_rotation(broker.settings.limits.deadline);
    let stored = broker.scopes()?;
    let scopes = arguments.stored_scopes(broker.settings, &|scope| stored.contains(scope))?;
    let mut keys: Vec<(LoginScope, Login, IssuedKey)> = Vec::new();
    for scope in scopes {
        let (login, key) = with_created_key(&scope, broker)?;
        if !keys.iter().any(|(_, _, known)| known.id == key.id) {
            keys.push((scope, login, key));
        }
    }
    let rotate = |(scope, login, key): (LoginScope, Login, IssuedKey)| {
        let login_context =
            LoginContext::new(broker, broker.endpoint_of(&scope), context, warnings);
        rotate(&login_context, &scope, &login, &key, days)
    };
    keys.into_iter().map(rotate).collect()
}

fn with_created_key(scope: &LoginScope, broker: &Broker<'_>) -> Result<(Login, IssuedKey)> {
    let login = broker.login(scope)?.ok_or_else(|| {
        Error::user(format!("cannot replace an API key: {}", not_stored(scope))).with_hint(format!(
            "Run '{} --sso --create-api-key' first",
            scope.login_command()
        ))
    })?;
    let key = login.issued_key.clone().ok_or_else(|| {
        Error::user(format!(
            "{} cannot be rotated: only API keys created by --create-api-key can be replaced",
            login_for(scope)
        ))
        .with_hint(format!(
            "To create one, run '{} --sso --create-api-key'",
            scope.login_command()
        ))
    })?;
    Ok((login, key))
}

/// Deletes the old key after the new one works and is stored in every login of the old one.
fn rotate(
    login_context: &LoginContext<'_>,
    scope: &LoginScope,
    old: &Login,
    old_key: &IssuedKey,
    days: u32,
) -> Result<StoredLogin> {
    let source = format!("the API key of {}", login_for(scope));
    let kind = SourceKind::StoredLogin {
        scope: scope.clone(),
        is_session: false,
        behind: None,
    };
    let issued = api_key_lifecycle::exchange(login_context, &old.secret);
    let access_token = issued
        .map_err(|error| error.for_token(&source, &kind, &login_context.endpoint))?
        .access_token;
    let owner = Owner::of(&access_token);
    let (created, issued) =
        api_key_lifecycle::create(login_context, &access_token, owner.as_ref(), days)?;
    let logins: Vec<(LoginScope, Login)> = logins_with_key(&old_key.id, login_context.broker)?
        .into_iter()
        .map(|(scope, old)| {
            let key = api_key_lifecycle::issued_key(&created);
            let login = with_new_key(old, &created.key, owner.as_ref());
            (scope, login.with_issued_key(key))
        })
        .collect();
    // Another process changed the logins in the meantime.
    if logins.is_empty() {
        let cleanup_note = api_key_lifecycle::delete_unused(login_context, &access_token, &created);
        let error = Error::temporary(format!(
            "{} was changed or deleted by another process, so its API key was not replaced",
            login_for(scope)
        ));
        return Err(error.with_note(&cleanup_note));
    }
    if let Err(error) = login_context.broker.log_in_all(&logins) {
        let cleanup_note = api_key_lifecycle::delete_unused(login_context, &access_token, &created);
        return Err(error.with_note(&cleanup_note));
    }
    let is_plain = |(_, login): &&(LoginScope, Login)| login.trusted_profile.is_none();
    if let Some((_, login)) = logins.iter().find(is_plain) {
        let (broker, token) = (login_context.broker, &issued.access_token);
        broker.cache_token(&login_context.endpoint, login, token, issued.lifetime);
    }
    let _progress = login_context.progress("Deleting the old API key");
    if let Err(error) = login_context
        .iam()
        .delete_api_key(&access_token, &old_key.id)
    {
        let error = error.with_source("the old API key", &login_context.endpoint);
        login_context.warn(format!(
            "the new API key is stored, but the old one ({}) still exists: {error}. Delete it at https://cloud.ibm.com/iam/apikeys",
            old_key.id
        ));
    }
    let login = logins.first().map_or(old, |(_, login)| login);
    let scopes = logins.iter().map(|(scope, _)| scope.clone()).collect();
    let owner = login.owner.clone().or(owner);
    Ok(StoredLogin::new(
        scopes,
        login,
        owner,
        Some(created.name),
        login_context.broker,
    ))
}

/// Returns the logins with the API key of this ID.
pub(super) fn logins_with_key(
    key_id: &str,
    broker: &Broker<'_>,
) -> Result<Vec<(LoginScope, Login)>> {
    let mut logins_with_key = Vec::new();
    for scope in broker.scopes()? {
        // A damaged login has no key to use.
        let login = broker.login(&scope).ok().flatten();
        let is_of_key = |key: &IssuedKey| key.id == key_id;
        if let Some(login) = login
            && login.issued_key.as_ref().is_some_and(is_of_key)
        {
            logins_with_key.push((scope, login));
        }
    }
    Ok(logins_with_key)
}

/// Returns the same login with another API key of this owner.
fn with_new_key(old: Login, key: &Secret, owner: Option<&Owner>) -> Login {
    let login = Login::new(Credential {
        username: old.username,
        secret: key.clone(),
    });
    match old.trusted_profile {
        None => login.with_owner(owner.cloned()),
        Some(profile) => login.assuming(profile).with_owner(old.owner),
    }
}
