//! Whose a password store is: the owner of its directories, and the keys that can decrypt it.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::fs;

/// Returns whether a directory, or one above it if this user is root, belongs to another user than
/// this one and root.
pub(super) fn is_of_another_user(directory: &Path) -> bool {
    let own = nix::unistd::Uid::effective().as_raw();
    let owner = directory.metadata().map(|metadata| metadata.uid());
    fs::acting_owner(directory).is_some() || owner.is_ok_and(|owner| ![0, own].contains(&owner))
}

/// Returns a key of [`super::KEY_FILE`] as one word, because `pass` splits the variable: of a user ID the
/// address, and a fingerprint without its blanks.
pub(super) fn one_word(key: &str) -> String {
    match key.find('<') {
        Some(address) => key.get(address..).unwrap_or(key).to_owned(),
        None if key.chars().all(|it| it.is_ascii_hexdigit() || it == ' ') => key.replace(' ', ""),
        None => key.to_owned(),
    }
}
