//! Stored logins that are over, or that stand before the login for every registry:
//! what a person is told of them, and how they go.

use super::errand::Errand;
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
    Broken,
    /// It is of no use any more.
    Useless,
    /// It may be meant so.
    Intended,
}

/// What a person is told of a stored login.
pub(super) struct Notice {
    pub(super) severity: Severity,
    /// What it is stored for.
    pub(super) scope: LoginScope,
    /// What there is to see.
    pub(super) seen: String,
    /// The command that fixes it.
    pub(super) fix: String,
}

impl Notice {
    /// All of it, as one sentence.
    pub(super) fn told(&self) -> String {
        let what = match self.fix == self.scope.logout_command() {
            true => "removes it",
            false => "logs in again",
        };
        format!("{}; '{}' {what}", self.seen, self.fix)
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
            Severity::Broken,
            format!("the login for {scope} is over: IAM has ended its session"),
        ),
        Some(End::Token) => (
            Severity::Useless,
            format!("the login for {scope} is over: its token has expired"),
        ),
        None if login.hides_default() && !login.is_same_as_default => (
            Severity::Intended,
            format!(
                "{scope} has a login of its own, which comes before the login for every registry"
            ),
        ),
        None => return None,
    };
    let (seen, fix) = match (&login.behind, login.end) {
        (Some(behind), Some(_)) => (
            format!("{what}; without it, {} answers", behind.name),
            scope.logout_command(),
        ),
        (Some(_), None) => (what, scope.logout_command()),
        (None, _) => (what, scope.login_command()),
    };
    Some(Notice {
        severity,
        seen,
        fix,
        scope: login.scope,
    })
}

/// Removes the logins of single registries that are over and stand before the login
/// that was just stored for every registry. A person is asked, also IAM, which may not
/// have been asked for long; in a pipe, what is known to be over goes, and that is told.
pub(super) fn remove_ended(scopes: &[LoginScope], is_agreed: bool, errand: &Errand<'_>) {
    if !scopes.contains(&LoginScope::Default) {
        return;
    }
    let terminal = errand.context.terminal;
    let asks = terminal.is_interactive() && !is_agreed;
    if asks {
        ask_iam(errand);
    }
    let logins = errand.broker.own_logins().unwrap_or_default();
    for RedundantLogin { scope, .. } in logins
        .into_iter()
        .filter(|login| login.end.is_some() && login.hides_default())
    {
        let question = format!(
            "The login for {scope} is over. Remove it, so that the login for every registry answers there?"
        );
        match !asks || terminal.confirm(&question, true).unwrap_or(false) {
            true => remove(&scope, errand),
            false => errand.warn(format!(
                "the login for {scope} is over and still comes before this one; '{}' removes it",
                scope.logout_command()
            )),
        }
    }
}

fn remove(scope: &LoginScope, errand: &Errand<'_>) {
    match errand.broker.log_out(scope) {
        Ok(_) => errand.warn(format!("removed the login for {scope}, which was over")),
        Err(failure) => errand.warn(format!(
            "the login for {scope} is over, but stays: {failure}"
        )),
    }
}

/// Has IAM say of each session of a single registry whether it is over, which is noted
/// with the login. All of it takes no longer than one answer may.
fn ask_iam(errand: &Errand<'_>) {
    let broker = errand.broker;
    let deadline = Deadline::after(broker.context.clock, broker.settings.limits.deadline);
    for registry in sessions(broker) {
        if deadline.remaining(broker.context.clock).is_zero() {
            return;
        }
        let _progress = errand.progress(&format!(
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
