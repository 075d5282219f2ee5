//! Messages about mistakes in clients' files, for `configure`, `doctor` and `status`.

use std::path::Path;

use crate::PROGRAM;
use crate::client_config::Client;
use crate::client_config::json::HELPER;
use crate::client_config::json::Mistake;
use crate::client_config::json::STORE;
use crate::client_config::json::is_looked_up;
use crate::text::repeatable;

/// Returns a key of a file in quotation marks, unless it may be a secret.
fn shown(key: &str) -> String {
    if repeatable::is_name(key) {
        format!("'{key}'")
    } else {
        repeatable::NOT_SHOWN.to_owned()
    }
}

/// Returns the name of an entry that names a helper: a registry, or the field for all others.
fn entry_name(key: &str) -> String {
    if key == STORE {
        key.to_owned()
    } else {
        repeatable::file_word(key)
    }
}

/// Returns the message about a mistake in a client's file.
pub(super) fn describe(path: &Path, client: Client, mistake: &Mistake) -> String {
    let path = path.display();
    match mistake {
        Mistake::Key { key, registry } if is_looked_up(key, registry) => format!(
            "{path} ({client}) has this helper for {}, which only nerdctl looks up, and other clients for images with this port: their key has to be '{registry}'",
            shown(key)
        ),
        Mistake::Key { key, registry } => format!(
            "{path} ({client}) has this helper for {}, which clients never look up: the key has to be '{registry}'",
            shown(key)
        ),
        Mistake::Wildcard(key) => format!(
            "{path} ({client}) has this helper for {}, but clients do not expand wildcards: each registry needs a key of its own",
            shown(key)
        ),
        Mistake::HelperName { key, name } if client == Client::Regctl => format!(
            "{path} names the program '{name}' for {}, which does not exist: regctl needs the whole name, {PROGRAM}",
            entry_name(key)
        ),
        Mistake::HelperName { key, name } => format!(
            "{path} ({client}) names the helper '{name}' for {}, so clients start docker-credential-{name}, which does not exist: the name of {PROGRAM} is '{HELPER}'",
            entry_name(key)
        ),
        Mistake::RepeatedKey(registry) => format!(
            "{path} ({client}) has '{registry}' more than once, and clients use the last one"
        ),
        Mistake::RepeatedField { entry, field } => format!(
            "{path} ({client}) has '{field}' more than once in the entry for {entry}, and clients use the last one"
        ),
        Mistake::NoHelperName(registry) => format!(
            "{path} ({client}) has an empty name as the helper for {registry}, so clients use no helper for it"
        ),
        Mistake::Field { name, entry, known } => {
            let place = match entry {
                None => String::new(),
                Some(entry) if entry == "auths" => " in auths".to_owned(),
                Some(entry) => format!(" in the entry of auths for {entry}"),
            };
            format!(
                "{path} ({client}) has '{name}'{place}, which clients do not know: the field is '{known}', beside auths"
            )
        }
    }
}
