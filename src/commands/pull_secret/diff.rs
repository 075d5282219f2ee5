//! What a dry run shows. Of passwords, it shows only that they change and when they expire.

use std::path::Path;

use super::managed::Description;
use crate::client_config::diff;
use crate::commands::when;
use crate::error::one_line;

/// The length limit of the registries in an annotation, in characters.
const MAX_REGISTRIES: usize = 500;

/// Returns the diff of a secret; `None` stands for none.
pub(super) fn of_secret(
    secret: &str,
    old: Option<&Description>,
    new: Option<&Description>,
) -> String {
    let old = old.map(|description| described(description, "a token"));
    let new = new.map(|description| described(description, "a new token"));
    diff::of_texts(Path::new(secret), old.as_deref(), new.as_deref())
        .trim_end()
        .to_owned()
}

fn described(description: &Description, password: &str) -> String {
    let expiry = match description.expires_at {
        Some(time) => format!("{password} that expires on {}", when(time)),
        None => format!("{password} without a known expiry"),
    };
    let mut text = format!(
        "registries: {}\npassword: {expiry}\n",
        one_line(&description.registries, MAX_REGISTRIES).replace(',', ", ")
    );
    for account in &description.service_accounts {
        text.push_str(&format!(
            "in imagePullSecrets of the service account: {account}\n"
        ));
    }
    text
}
