//! Confirmation before a login replaces one of another identity.

use super::login_context::LoginContext;
use super::scopes::login_for;
use crate::credentials::Replacement;
use crate::error::Error;
use crate::error::Result;
use crate::iam::owner::Owner;
use crate::login::LoginScope;

/// Asks a person before the login of another identity is replaced; without a terminal, asks
/// and reads nothing. Returns the owners of the logins that may be replaced.
///
/// # Errors
/// The person declines or cancels.
pub(super) fn confirm(
    scopes: &[LoginScope],
    owner: Option<&Owner>,
    is_agreed: bool,
    login_context: &LoginContext<'_>,
) -> Result<Vec<Owner>> {
    let LoginContext { broker, logins, .. } = login_context;
    let terminal = login_context.broker.context.terminal;
    let mut confirmed = Vec::new();
    if is_agreed || !terminal.is_interactive() {
        return Ok(confirmed);
    }
    for scope in scopes {
        let former = logins.read(scope).ok().flatten();
        let former = former.and_then(|login| broker.owner_of(scope, &login));
        let Some(former) = former.filter(|former| !is_same(owner, former)) else {
            continue;
        };
        let (login, new) = (login_for(scope), name(owner));
        let question =
            format!("This replaces {login} of {former} with a login of {new}. Continue?");
        let answer = terminal
            .confirm(&question, false)
            .map_err(|error| Error::user(format!("canceled: nothing was stored ({error})")))?;
        if !answer {
            return Err(Error::user(format!(
                "canceled: {login} of {former} is unchanged"
            )));
        }
        confirmed.push(former);
    }
    Ok(confirmed)
}

/// Warns of logins of other identities that were replaced without a question.
pub(super) fn warn(
    replacements: &[Replacement],
    owner: Option<&Owner>,
    confirmed: &[Owner],
    login_context: &LoginContext<'_>,
) {
    for Replacement { scope, former, .. } in replacements {
        let former = former.as_ref().and_then(|login| login.owner.as_ref());
        let is_known = |former: &&Owner| {
            is_same(owner, former) || confirmed.iter().any(|other| other.is_same_as(former))
        };
        if let Some(former) = former.filter(|former| !is_known(former)) {
            let (login, new) = (login_for(scope), name(owner));
            login_context.warn(format!(
                "{login} of {former} is replaced with a login of {new}"
            ));
        }
    }
}

fn is_same(owner: Option<&Owner>, former: &Owner) -> bool {
    owner.is_some_and(|owner| owner.is_same_as(former))
}

fn name(owner: Option<&Owner>) -> String {
    owner.map_or_else(|| "an unknown identity".to_owned(), ToString::to_string)
}
