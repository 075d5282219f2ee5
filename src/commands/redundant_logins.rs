//! Stored logins that are over, or that stand before the login for every registry:
//! what a person is told of them, and how they go.

use super::login_context::LoginContext;
use crate::credentials::Broker;
use crate::credentials::End;
use crate::credentials::RedundantLogin;
use crate::error::Result;
use crate::login::LoginKind;
use crate::login::LoginScope;
use crate::registry::Registry;
use crate::settings::CredentialKind;
use crate::sources::Speaker;
use crate::time::Deadline;

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Severity {
    /// Nothing works there.
    Problem,
    /// It is of no use any more.
    Expired,
    /// It may be meant so.
    Note,
}

/// What a person is told of a stored login.
pub(super) struct Notice {
    pub(super) severity: Severity,
    /// What it is stored for.
    pub(super) scope: LoginScope,
    /// What there is to see.
    pub(super) message: String,
    /// The command that fixes it.
    pub(super) fix: String,
}

impl Notice {
    /// All of it, as one sentence.
    pub(super) fn sentence(&self) -> String {
        let what = match self.fix == self.scope.logout_command() {
            true => "removes it",
            false => "logs in again",
        };
        format!("{}; '{}' {what}", self.message, self.fix)
    }
}

/// What there is to tell of the stored logins.
///
/// # Errors
/// The keychain cannot list them.
pub(super) fn notices(broker: &Broker<'_>) -> Result<Vec<Notice>> {
    let logins = broker.own_logins()?;
    Ok(logins.into_iter().filter_map(notice).collect())
}

fn notice(login: RedundantLogin) -> Option<Notice> {
    let scope = &login.scope;
    let (severity, what) = match login.end {
        Some(End::Session) => (
            Severity::Problem,
            format!("the login for {scope} is over: IAM has ended its session"),
        ),
        Some(End::Token) => (
            Severity::Expired,
            format!("the login for {scope} is over: its token has expired"),
        ),
        None if login.hides_default() && !login.is_same_as_default => (
            Severity::Note,
            format!(
                "{scope} has a login of its own, which comes before the login for every registry"
            ),
        ),
        None => return None,
    };
    let (message, fix) = match (&login.behind, login.end) {
        (Some(behind), Some(_)) => (
            format!("{what}; without it, {} answers", behind.name),
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

/// Removes the logins of single registries that are over and stand before the login
/// that was just stored for every registry. A person is asked, also IAM, which may not
/// have been asked for long; in a pipe, what is known to be over goes, and that is told.
pub(super) fn remove_ended(
    scopes: &[LoginScope],
    is_agreed: bool,
    login_context: &LoginContext<'_>,
) {
    if !scopes.contains(&LoginScope::Default) {
        return;
    }
    let terminal = login_context.context.terminal;
    let asks = terminal.is_interactive() && !is_agreed;
    if asks {
        ask_iam(login_context);
    }
    let logins = login_context.broker.own_logins().unwrap_or_default();
    for RedundantLogin { scope, .. } in logins
        .into_iter()
        .filter(|login| login.end.is_some() && login.hides_default())
    {
        let question = format!(
            "The login for {scope} is over. Remove it, so that the login for every registry answers there?"
        );
        match !asks || terminal.confirm(&question, true).unwrap_or(false) {
            true => remove(&scope, login_context),
            false => login_context.warn(format!(
                "the login for {scope} is over and still comes before this one; '{}' removes it",
                scope.logout_command()
            )),
        }
    }
}

fn remove(scope: &LoginScope, login_context: &LoginContext<'_>) {
    match login_context.broker.log_out(scope) {
        Ok(_) => login_context.warn(format!("removed the login for {scope}, which was over")),
        Err(failure) => login_context.warn(format!(
            "the login for {scope} is over, but stays: {failure}"
        )),
    }
}

/// Has IAM say of each session of a single registry whether it is over, which is noted
/// with the login. All of it takes no longer than one answer may.
fn ask_iam(login_context: &LoginContext<'_>) {
    let broker = login_context.broker;
    let deadline = Deadline::after(broker.context.clock, broker.settings.limits.deadline);
    for registry in sessions(broker) {
        if deadline.remaining(broker.context.clock).is_zero() {
            return;
        }
        let _progress = login_context.progress(&format!(
            "Asking IAM whether the login for {registry} is still good"
        ));
        // A failure is noted with the login, or says nothing about it.
        let _ = broker.get(&registry);
    }
}

/// The registries that are answered with a session of their own.
fn sessions(broker: &Broker<'_>) -> Vec<Registry> {
    let scopes = broker.scopes().unwrap_or_default().into_iter();
    let is_session = |registry: &Registry| {
        let scope = LoginScope::Registry(registry.clone());
        let login = broker.login(&scope).ok().flatten();
        login.is_some_and(|login| {
            login.kind() == LoginKind::RefreshToken && login.ended_at.is_none()
        }) && broker.settings.choice(registry).credential == CredentialKind::AccessToken
            && matches!(broker.speaker(registry), Ok(Some(Speaker::Login(speaker))) if speaker == scope)
    };
    scopes
        .filter_map(LoginScope::into_registry)
        .filter(is_session)
        .collect()
}
