//! Does a new login take the place of another identity's, and is that meant?

use super::login_context::LoginContext;
use crate::error::Error;
use crate::error::Result;
use crate::iam::owner::Owner;
use crate::login::LoginScope;

/// Asks a person before the login of another identity is replaced; in a pipe it is
/// told, and goes on.
///
/// # Errors
/// The person does not want that.
pub(super) fn confirm(
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
        if is_agreed || !terminal.is_interactive() {
            login_context.warn(format!(
                "the login for {scope} was that of {former}, and is now that of {new}"
            ));
            continue;
        }
        let question =
            format!("The login for {scope} is that of {former}. Replace it with that of {new}?");
        let answer = terminal
            .confirm(&question, false)
            .map_err(|error| Error::user(format!("you broke off ({error}); nothing was stored")))?;
        if !answer {
            return Err(Error::user(format!(
                "nothing was stored: the login for {scope} stays that of {former}"
            )));
        }
    }
    Ok(())
}
