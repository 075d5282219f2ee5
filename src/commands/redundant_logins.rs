//! Stored logins that have expired, or that take precedence over the default login: the
//! notices about them, and their deletion.

use super::login_context::LoginContext;
use super::scopes::login_for;
use super::scopes::scope_list;
use crate::credentials::Broker;
use crate::credentials::ExpiryCause;
use crate::credentials::LoginStatus;
use crate::error::Result;
use crate::login::LoginKind;
use crate::login::LoginScope;
use crate::login::LoginSnapshot;
use crate::registry::Registry;
use crate::settings::CredentialKind;
use crate::sources::Origin;
use crate::time::Deadline;

/// How severe a notice is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Severity {
    /// The login has expired, and nothing else works for its registries.
    Problem,
    /// The stored token has expired.
    Expired,
    /// The login may be intended.
    Note,
}

/// A notice about a stored login.
pub(super) struct Notice {
    pub(super) severity: Severity,
    /// What the login is for.
    pub(super) scope: LoginScope,
    /// The fact.
    pub(super) message: String,
    /// The command that fixes it.
    pub(super) fix: String,
}

impl Notice {
    /// Returns the message and the fix as one line.
    pub(super) fn sentence(&self) -> String {
        let purpose = if self.fix == self.scope.logout_command() {
            "To delete it"
        } else {
            "To log in again"
        };
        format!("{}. {purpose}, run '{}'", self.message, self.fix)
    }
}

/// Returns the notices about all stored logins.
///
/// # Errors
/// The keychain cannot list them.
pub(super) fn notices(broker: &Broker<'_>, logins: &LoginSnapshot<'_>) -> Result<Vec<Notice>> {
    let statuses = broker.login_statuses(logins)?;
    Ok(statuses.into_iter().filter_map(notice).collect())
}

fn notice(login: LoginStatus) -> Option<Notice> {
    let scope = &login.scope;
    let (severity, what) = match login.expired {
        Some(ExpiryCause::SessionEnded) => (
            Severity::Problem,
            format!("{} has expired: IAM ended its session", login_for(scope)),
        ),
        Some(ExpiryCause::TokenExpired) => (
            Severity::Expired,
            format!(
                "the token stored for {} has expired",
                scope_list(std::slice::from_ref(scope))
            ),
        ),
        None if login.shadows_default() && !login.is_same_as_default => (
            Severity::Note,
            format!(
                "{} takes precedence over the default login",
                login_for(scope)
            ),
        ),
        None => return None,
    };
    let (message, fix) = match (&login.shadowed, login.expired) {
        (Some(shadowed), Some(_)) => (
            format!("{what}. Without it, {} is used", shadowed.name),
            scope.logout_command(),
        ),
        (Some(_), None) => (what, scope.logout_command()),
        (None, _) => (what, scope.login_command()),
    };
    Some(Notice {
        severity,
        message,
        fix,
        scope: login.scope,
    })
}

/// Deletes expired logins of single registries that take precedence over the default login
/// that was just stored. At a terminal, IAM is asked whether each has expired, and the person
/// whether to delete it. Otherwise, the logins that are known to have expired are deleted,
/// with a warning.
pub(super) fn delete_expired(
    scopes: &[LoginScope],
    is_confirmed: bool,
    login_context: &LoginContext<'_>,
) {
    if !scopes.contains(&LoginScope::Default) {
        return;
    }
    let terminal = login_context.broker.context.terminal;
    let is_interactive = terminal.is_interactive() && !is_confirmed;
    if is_interactive {
        check_sessions(login_context);
    }
    let logins = login_context.broker.login_statuses(login_context.logins);
    for LoginStatus { scope, .. } in logins
        .unwrap_or_default()
        .into_iter()
        .filter(|login| login.expired.is_some() && login.shadows_default())
    {
        let question = format!(
            "The login for {scope} has expired. Delete it, so that the default login is used?"
        );
        if !is_interactive || terminal.confirm(&question, true).unwrap_or(false) {
            delete(&scope, login_context);
        } else {
            login_context.warn(format!(
                "the login for {scope} has expired, but still takes precedence over this one. To delete it, run '{}'",
                scope.logout_command()
            ));
        }
    }
}

fn delete(scope: &LoginScope, login_context: &LoginContext<'_>) {
    let LoginContext { broker, logins, .. } = login_context;
    match broker.log_out(scope, logins) {
        Ok(_) => login_context.warn(format!("deleted the expired login for {scope}")),
        Err(error) => login_context.warn(format!(
            "cannot delete the expired login for {scope}: {error}"
        )),
    }
}

/// Asks IAM whether the sessions of single registries have expired, which is recorded in
/// the login. All of it takes no longer than one `get` may.
fn check_sessions(login_context: &LoginContext<'_>) {
    let LoginContext { broker, logins, .. } = login_context;
    let deadline = Deadline::after(broker.context.clock, broker.settings.limits.deadline);
    for registry in sessions(logins, broker) {
        if deadline.remaining(broker.context.clock).is_zero() {
            return;
        }
        let _progress = login_context.progress(&format!("Checking the login for {registry}"));
        // A rejection is recorded in the login; other errors say nothing about it.
        let _ = broker.get(&registry);
        let _ = logins.read_again(&LoginScope::Registry(registry));
    }
}

/// Returns the registries that use a session of their own.
fn sessions(logins: &LoginSnapshot<'_>, broker: &Broker<'_>) -> Vec<Registry> {
    let scopes = logins.scopes().unwrap_or_default().into_iter();
    let is_session = |registry: &Registry| {
        let scope = LoginScope::Registry(registry.clone());
        let login = logins.read(&scope).ok().flatten();
        login.is_some_and(|login| {
            login.kind() == LoginKind::RefreshToken && login.ended_at.is_none()
        }) && broker.settings.for_registry(registry).credential == CredentialKind::AccessToken
            && matches!(broker.active_source(registry, logins), Ok(Some(active)) if active.origin == Origin::Login(scope))
    };
    scopes
        .filter_map(LoginScope::into_registry)
        .filter(is_session)
        .collect()
}
