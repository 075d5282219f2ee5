//! `login --rotate`: a new API key in the place of the old one.

use super::api_key_lifecycle;
use super::login::Done;
use super::login_context::LoginContext;
use super::scopes::ScopeArgs;
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

/// Rotates the API key of each login that is named; a key that several logins
/// share is rotated once, for all of them.
pub(super) fn run(
    named: &ScopeArgs,
    days: u32,
    broker: &Broker<'_>,
    context: &Context<'_>,
    warnings: &Warnings<'_>,
) -> Result<Vec<Done>> {
    let _lock = broker
        .context
        .locks
        .lock_rotation(broker.settings.limits.deadline);
    let stored = broker.scopes()?;
    let scopes = named.stored_scopes(broker.settings, &|scope| stored.contains(scope))?;
    let mut keys: Vec<(LoginScope, Login, IssuedKey)> = Vec::new();
    for scope in scopes {
        let (login, key) = rotatable(&scope, broker)?;
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

fn rotatable(scope: &LoginScope, broker: &Broker<'_>) -> Result<(Login, IssuedKey)> {
    let login = broker.login(scope)?.ok_or_else(|| {
        Error::user(format!(
            "there is no login for {scope} whose API key could be replaced"
        ))
    })?;
    let key = login.issued_key.clone().ok_or_else(|| {
        Error::user(format!(
            "the login for {scope} has no API key that this program had made, and it replaces no others; `{} --sso --create-api-key` makes one",
            scope.login_command()
        ))
    })?;
    Ok((login, key))
}

/// The old key goes when the new one works and is stored wherever the old one was.
fn rotate(
    login_context: &LoginContext<'_>,
    scope: &LoginScope,
    old: &Login,
    old_key: &IssuedKey,
    days: u32,
) -> Result<Done> {
    let source = format!("the API key of the login for {scope}");
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
    let (made, issued) =
        api_key_lifecycle::create(login_context, &access_token, owner.as_ref(), days)?;
    let logins: Vec<(LoginScope, Login)> = logins_with_key(&old_key.id, login_context.broker)?
        .into_iter()
        .map(|(scope, old)| {
            let key = api_key_lifecycle::issued_key(&made);
            let login = successor(old, &made.key, owner.as_ref());
            (scope, login.with_issued_key(key))
        })
        .collect();
    // Somebody logged out or in while IAM was asked.
    if logins.is_empty() {
        let end = api_key_lifecycle::delete_unused(login_context, &access_token, &made);
        let failure = Error::temporary(format!(
            "the login for {scope} has been changed or removed in the meantime, and is left as it is"
        ));
        return Err(api_key_lifecycle::after(failure, &end));
    }
    if let Err(failure) = login_context.broker.log_in_all(&logins) {
        let end = api_key_lifecycle::delete_unused(login_context, &access_token, &made);
        return Err(api_key_lifecycle::after(failure, &end));
    }
    let is_plain = |(_, login): &&(LoginScope, Login)| login.trusted_profile.is_none();
    if let Some((_, login)) = logins.iter().find(is_plain) {
        let (broker, token) = (login_context.broker, &issued.access_token);
        broker.keep_token(&login_context.endpoint, login, token, issued.lifetime);
    }
    let _progress = login_context.progress("Deleting the old API key");
    if let Err(error) = login_context
        .iam()
        .delete_api_key(&access_token, &old_key.id)
    {
        let failure = error.with_source("the old API key", &login_context.endpoint);
        login_context.warn(format!(
            "the new API key is stored, but the old one ({}) is still there: delete it at https://cloud.ibm.com/iam/apikeys ({failure})",
            old_key.id
        ));
    }
    let login = logins.first().map_or(old, |(_, login)| login);
    let scopes = logins.iter().map(|(scope, _)| scope.clone()).collect();
    let owner = login.owner.clone().or(owner);
    Ok(Done::new(
        scopes,
        login,
        owner,
        Some(made.name),
        login_context.broker,
    ))
}

/// The logins whose secret is the API key of this ID.
pub(super) fn logins_with_key(
    key_id: &str,
    broker: &Broker<'_>,
) -> Result<Vec<(LoginScope, Login)>> {
    let mut logins_with_key = Vec::new();
    for scope in broker.scopes()? {
        // One that is damaged holds nothing that could be used.
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

/// The same login with another API key, which this owner has.
fn successor(old: Login, key: &Secret, owner: Option<&Owner>) -> Login {
    let login = Login::new(Credential {
        username: old.username,
        secret: key.clone(),
    });
    match old.trusted_profile {
        None => login.owned_by(owner.cloned()),
        Some(profile) => login.assuming(profile).owned_by(old.owner),
    }
}
