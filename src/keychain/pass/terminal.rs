//! At which terminal GnuPG's agent may ask.

use std::ffi::OsString;
use std::io::IsTerminal;

/// Returns the path of the terminal of this process's streams.
pub(super) fn terminal() -> Option<OsString> {
    let (input, error) = (std::io::stdin(), std::io::stderr());
    let path = if error.is_terminal() {
        nix::unistd::ttyname(error)
    } else if input.is_terminal() {
        nix::unistd::ttyname(input)
    } else {
        return None;
    };
    Some(path.ok()?.into_os_string())
}
