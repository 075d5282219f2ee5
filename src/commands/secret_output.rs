//! Secrets on the standard output: not on a terminal by accident.

use super::warnings::Warnings;
use crate::context::Context;
use crate::context::Stdio;
use crate::error::Error;
use crate::error::Result;

/// What to do instead of showing a secret.
pub(super) const ELSEWHERE: &str = "Send the output to a pipe or a file";

/// Checks where a secret would be written, before it is requested or created.
///
/// # Errors
/// The output is a terminal, and the person did not ask for that (`--reveal`). The hint begins
/// with what else they can do.
pub(super) fn require_hidden(
    stdio: &Stdio<'_>,
    is_revealed: bool,
    alternatives: &str,
) -> Result<()> {
    if stdio.output_is_terminal && !is_revealed {
        return Err(Error::user("this would show a secret on the terminal")
            .with_hint(format!("{alternatives}, or add --reveal")));
    }
    Ok(())
}

/// Warns if the secret is written to a file that other users can read.
pub(super) fn warn_if_readable_by_others(stdio: &Stdio<'_>, context: &Context<'_>) {
    if (stdio.output_is_readable_by_others)() {
        Warnings::new(context).warn(
            "other users can read the output file. Run 'chmod go-r' on it, and 'umask 077' before the next time".into(),
        );
    }
}
