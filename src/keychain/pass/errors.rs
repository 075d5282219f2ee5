//! What went wrong with `pass`, and what makes it work.

use super::KEY_FILE;
use super::NAME;
use super::STORE;
use crate::keychain::KeychainError;
use crate::keychain::program::Output;
use crate::text::printable;

pub(super) fn failure(output: &Output) -> KeychainError {
    KeychainError::Refused(format!("{NAME} failed ({})", output.reason()))
}

/// Returns why GnuPG does not encrypt, if its messages (`DETAILS` in its documentation) have a reason
/// that a person can change.
pub(super) fn refused_by_gpg(messages: &str) -> Option<KeychainError> {
    if messages.contains("ption \"--pinentry-mode") {
        return Some(KeychainError::Unusable(
            "pass runs a GnuPG that always asks for passphrases".into(),
            "Install GnuPG 2.1 or later".into(),
        ));
    }
    let status = |keyword: &str| {
        let mut lines = messages.lines();
        let line = lines.find_map(|line| line.strip_prefix("[GNUPG:] ")?.strip_prefix(keyword));
        line.map(str::trim)
    };
    let (code, key) = status("INV_RECP ")?.split_once(' ')?;
    let (state, fix) = match code {
        "4" => ("was revoked", "Replace it"),
        "10" => ("is not trusted", "Trust it with 'gpg --edit-key KEY trust'"),
        _ if status("KEYEXPIRED ").is_some() => (
            "cannot be used, or has expired",
            "Extend it with 'gpg --quick-set-expire FINGERPRINT 1y'",
        ),
        "1" => ("is not on this machine", "Import it"),
        _ => ("cannot be used", "Look at it with 'gpg --list-keys'"),
    };
    Some(KeychainError::Unusable(
        format!("the GnuPG key {} of pass {state}", printable::in_lines(key)),
        format!("{fix}, or select other keys with 'pass init KEY'"),
    ))
}

/// Returns the error of a `pass` that is another program, such as gopass with a store elsewhere.
pub(super) fn not_in_store() -> KeychainError {
    KeychainError::Unusable(
        "pass stores entries in another directory".into(),
        format!("Set {STORE} to that directory, or install password-store"),
    )
}

/// Returns the error of an entry that was just encrypted, for a key that this user does not have.
pub(super) fn not_decrypted(reason: &str) -> KeychainError {
    KeychainError::Unusable(
        format!("{NAME} does not decrypt what it has encrypted ({reason})"),
        format!(
            "Make sure that {KEY_FILE} of the password store has a GnuPG key of yours ('gpg --list-secret-keys')"
        ),
    )
}
