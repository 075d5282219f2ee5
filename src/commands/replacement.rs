//! Confirmation before a login replaces one of another identity.

use super::login_context::LoginContext;
use super::scopes::login_for;
use crate::error::Error;
use crate::error::Result;
use crate::iam::owner::Owner;
use crate::login::LoginScope;

/// Asks a person before the login of another identity is replaced. Without a terminal it
/// warns and goes on.
///
/// # Errors
/// The person declines or cancels.
pub(super) fn confirm_replacement(
    scopes: &[LoginScope],
    owner: Option<&Owner>,
    is_agreed: bool,
    login_context: &LoginContext<'_>,
) -> Result<()> {
    let terminal = login_context.context.terminal;
    for scope in scopes {
        let Some(former) = login_context.broker.owner_of(scope) else {
            continue;
        };
        if owner.is_some_and(|owner| owner.is_same_as(&former)) {
            continue;
        }
        let new = owner.map_or_else(|| "an unknown identity".to_owned(), ToString::to_string);
        let login = login_for(scope);
        if is_agreed || !terminal.is_interactive() {
            login_context.warn(format!(
                "{login} of {former} is replaced with a login of {new}"
            ));
            continue;
        }
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
    }
    Ok(())
}
