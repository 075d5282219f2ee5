//! `login --rotate`: replaces API keys that this program created.

use super::api_key_lifecycle;
use super::login::StoredLogin;
use super::login_context::LoginContext;
use super::scopes::ScopeArgs;
use super::scopes::login_for;
use super::scopes::not_stored;
use super::warnings::Warnings;
use crate::credential::Credential;
use crate::credentials::Broker;
use crate::credentials::Replacement;
use crate::error::Error;
use crate::error::Result;
use crate::iam::api_keys::CreatedApiKey;
use crate::iam::owner::Owner;
use crate::login::IssuedKey;
use crate::login::Login;
use crate::login::LoginScope;
use crate::login::LoginSnapshot;
use crate::secret::Secret;
use crate::sources::advice::SourceKind;

/// Replaces the API key of each named login. A key that several logins share is replaced
/// once, for all of them.
pub(super) fn run(
    arguments: &ScopeArgs,
    days: u32,
    broker: &Broker<'_>,
    warnings: &Warnings<'_>,
) -> Result<Vec<StoredLogin>> {
    let _lock = broker
        .context
        .locks
        .lock_rotation(broker.settings.limits.deadline);
    let logins = broker.login_snapshot();
    let stored = logins.scopes()?;
    let scopes = arguments.stored_scopes(broker.settings, &|scope| stored.contains(scope))?;
    let mut keys: Vec<(LoginScope, Login, IssuedKey)> = Vec::new();
    for scope in scopes {
        let (login, key) = with_created_key(&scope, &logins)?;
        if !keys.iter().any(|(_, _, known)| known.id == key.id) {
            keys.push((scope, login, key));
        }
    }
    let rotate = |(scope, login, key): (LoginScope, Login, IssuedKey)| {
        let endpoint = broker.endpoint_of(&scope);
        let login_context = LoginContext {
            broker,
            logins: &logins,
            endpoint,
            warnings,
        };
        rotate(&login_context, &scope, &login, &key, days)
    };
    keys.into_iter().map(rotate).collect()
}

fn with_created_key(scope: &LoginScope, logins: &LoginSnapshot<'_>) -> Result<(Login, IssuedKey)> {
    let login = logins.read(scope)?.ok_or_else(|| {
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
    let stored = store_new_key(login_context, scope, old_key, &created, owner.as_ref());
    let replacements = stored.map_err(|error| {
        let cleanup_note = api_key_lifecycle::delete_unused(login_context, &access_token, &created);
        error.with_note(&cleanup_note)
    })?;
    let mut stored = replacements.iter().map(|replacement| &replacement.login);
    if let Some(login) = stored.find(|login| login.trusted_profile.is_none()) {
        let token = &issued.access_token;
        let broker = login_context.broker;
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
    let login = replacements.first().map_or(old, |first| &first.login);
    let login = login.clone().with_owner(login.owner.clone().or(owner));
    let scopes = replacements.iter().map(|it| it.scope.clone()).collect();
    let (key_name, logins) = (Some(created.name), login_context.logins);
    Ok(StoredLogin::new(scopes, login, key_name, logins))
}

/// Stores a new key in all logins that still have the old one.
///
/// # Errors
/// See [`Broker::replace_logins`]; or no login has the old key any more.
fn store_new_key(
    login_context: &LoginContext<'_>,
    scope: &LoginScope,
    old_key: &IssuedKey,
    created: &CreatedApiKey,
    owner: Option<&Owner>,
) -> Result<Vec<Replacement>> {
    let LoginContext { broker, logins, .. } = login_context;
    let successor = |former: Option<&Login>| {
        let former = former.filter(|login| has_key(login, &old_key.id))?;
        let login = with_new_key(former.clone(), &created.key, owner);
        Some(login.with_issued_key(api_key_lifecycle::issued_key(created)))
    };
    let scopes = scopes_with_key(&old_key.id, logins)?;
    let replacements = broker.replace_logins(&scopes, logins, &successor)?;
    if replacements.is_empty() {
        return Err(Error::temporary(format!(
            "{} was changed or deleted by another process, so its API key was not replaced",
            login_for(scope)
        )));
    }
    Ok(replacements)
}

/// Returns the scopes of the logins with the API key of this ID. A login that cannot be read
/// has no key to use.
pub(super) fn scopes_with_key(key_id: &str, logins: &LoginSnapshot<'_>) -> Result<Vec<LoginScope>> {
    let is_of_key = |scope: &LoginScope| {
        let login = logins.read(scope).ok().flatten();
        login.is_some_and(|login| has_key(&login, key_id))
    };
    Ok(logins.scopes()?.into_iter().filter(is_of_key).collect())
}

fn has_key(login: &Login, key_id: &str) -> bool {
    let key = login.issued_key.as_ref();
    key.is_some_and(|key| key.id == key_id)
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
