//! The columns of the table: those that fit 100 characters, and with `--long` all of them.

use super::row::Row;
use crate::credentials::CredentialInfo;
use crate::error::one_line;
use crate::settings::SourceName;
use crate::sources::Origin;
use crate::time::duration;

/// An empty cell.
const NOTHING: &str = "-";

/// The maximum length of a cell, in characters.
pub(super) const MAX_CELL: usize = 400;

/// The length of a short account ID, in characters: that of Docker's short IDs.
const SHORT_ID: usize = 12;

const HEADINGS: [&str; 5] = ["REGISTRY", "ACCOUNT", "IDENTITY", "EXPIRES", "CLIENTS"];

const CHECK: &str = "CHECK";

const FURTHER_HEADINGS: [&str; 4] = ["SOURCE", "USER NAME", "TOKEN", "STORED IN"];

/// The columns that are cut first in a narrow table, each with its minimum width.
pub(super) const FLEXIBLE: [(usize, usize); 2] = [(2, 16), (4, 8)];

/// Which columns the table has.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    /// Whether there is the result of `--check`.
    pub(super) is_checked: bool,
    /// Whether nothing is left out.
    pub(super) is_long: bool,
    /// The text for no client.
    pub(super) no_client: &'static str,
}

impl Columns {
    /// Returns the headings.
    pub(super) fn headings(self) -> Vec<&'static str> {
        let mut headings = HEADINGS.to_vec();
        if self.is_checked {
            headings.push(CHECK);
        }
        if self.is_long {
            headings.extend(FURTHER_HEADINGS);
        }
        headings
    }

    /// Returns the cells of a row, in the order of the headings.
    pub(super) fn cells(self, row: &Row) -> Vec<String> {
        let [account, identity, expiry] = if self.is_long {
            row.identity_cells(long_identity)
        } else {
            row.identity_cells(short_identity)
        };
        let clients: Vec<&str> = row.clients.iter().map(|client| client.name()).collect();
        let clients = if clients.is_empty() {
            self.no_client.to_owned()
        } else {
            clients.join(", ")
        };
        let mut cells = vec![row.name().to_owned(), account, identity, expiry, clients];
        if self.is_checked {
            cells.push(row.check_result().unwrap_or(NOTHING).to_owned());
        }
        if self.is_long {
            let source = row.active_source().map(source_cells);
            cells.extend(source.unwrap_or_else(|| [NOTHING; 4].map(str::to_owned)));
        }
        cells.iter().map(|cell| one_line(cell, MAX_CELL)).collect()
    }
}

impl Row {
    /// Returns the account, the identity, and when the token expires.
    fn identity_cells(&self, of_source: fn(&CredentialInfo) -> [String; 2]) -> [String; 3] {
        let without_source = |identity: &str| [NOTHING, identity, NOTHING].map(str::to_owned);
        match self.state() {
            Ok(Some(active)) => {
                let [account, identity] = of_source(active);
                [account, identity, expiry(active)]
            }
            Ok(None) => without_source("not logged in"),
            Err(_) => without_source("problem"),
        }
    }
}

/// Returns the beginning of the account's ID, and the name of the identity, or else the source.
fn short_identity(active: &CredentialInfo) -> [String; 2] {
    let Some(owner) = &active.owner else {
        return [NOTHING.to_owned(), source_name(active).to_owned()];
    };
    let account = owner.account.as_deref().unwrap_or(NOTHING);
    [shortened(account), owner.short_identity()]
}

/// Returns the account's ID, and the identity with its IAM ID.
fn long_identity(active: &CredentialInfo) -> [String; 2] {
    let owner = active.owner.as_ref();
    let account = owner.and_then(|owner| owner.account.clone());
    let identity = owner.map(|owner| owner.identity());
    [account, identity].map(|cell| cell.unwrap_or_else(|| NOTHING.to_owned()))
}

fn shortened(id: &str) -> String {
    match id.char_indices().nth(SHORT_ID) {
        // Nothing is gained by the mark instead of one character.
        Some((end, last)) if end + last.len_utf8() < id.len() => format!("{}…", &id[..end]),
        _ => id.to_owned(),
    }
}

fn expiry(active: &CredentialInfo) -> String {
    match (active.token, &active.last_failure) {
        (Some(life), _) => format!("in {}", duration(life.left)),
        (None, Some(failure)) => format!("failed {} ago", duration(failure.age)),
        (None, None) if active.is_exchanged => "not cached".to_owned(),
        (None, None) => NOTHING.to_owned(),
    }
}

/// Returns the source, user name, token and place of storage.
fn source_cells(active: &CredentialInfo) -> [String; 4] {
    let token = match active.token {
        Some(life) => match life.age {
            Some(age) => format!("{} old", duration(age)),
            None => "cached".to_owned(),
        },
        None if active.is_exchanged => "not cached".to_owned(),
        None => NOTHING.to_owned(),
    };
    let stored_in = match (&active.origin, active.keychain) {
        (Origin::Login(_), Some(keychain)) => keychain.title().to_owned(),
        (Origin::Login(_), None) => NOTHING.to_owned(),
        (Origin::Source(source), _) => source_place(*source).to_owned(),
    };
    [
        source_name(active).to_owned(),
        active.username.clone(),
        token,
        stored_in,
    ]
}

/// Returns the source's name without its article.
pub(in crate::commands) fn source_name(active: &CredentialInfo) -> &str {
    let name = active.source.strip_prefix("the ");
    name.unwrap_or(&active.source)
}

/// Returns where a source other than a login reads its secret.
fn source_place(source: SourceName) -> &'static str {
    match source {
        SourceName::ComputeResourceToken => "token file",
        SourceName::CredentialsFile => "credentials file",
        SourceName::Environment => "environment",
        SourceName::IbmCloudCli => "CLI's config.json",
        SourceName::Login => "keychain",
        SourceName::PowerVs | SourceName::Vpc => "metadata service",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_shortened_as_docker_shortens_ids() {
        for (id, shown) in [
            ("account-1", "account-1"),
            ("0123456789abc", "0123456789abc"),
            ("0123456789abcd", "0123456789ab…"),
            ("ääääääääääääää", "ääääääääääää…"),
        ] {
            assert_eq!(shortened(id), shown);
        }
    }
}
