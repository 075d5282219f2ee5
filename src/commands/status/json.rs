//! The answer of `status --json`.

use serde::Serialize;

use super::message::Message;
use crate::commands::json::OwnerJson;

/// The answer of `status --json`.
#[derive(Serialize)]
pub(super) struct StatusAnswer<'a> {
    /// The registries in use, or those that were named.
    pub(super) registries: Vec<RegistryJson<'a>>,
    /// Problems of stored logins and keychains. A registry's problem is in its entry.
    pub(super) problems: &'a [Message],
    /// What needs attention soon, and outages.
    pub(super) warnings: &'a [Message],
    /// What may be intended.
    pub(super) notes: &'a [Message],
}

/// A registry and its active source.
#[derive(Serialize)]
pub(super) struct RegistryJson<'a> {
    /// The host; null in the entry for all other registries.
    pub(super) registry: Option<&'a str>,
    /// The name of the active source, as in the settings; null if not logged in.
    pub(super) source: Option<&'static str>,
    /// The active source in words: `the API key in $IBMCLOUD_API_KEY`.
    pub(super) title: Option<&'a str>,
    /// The identity that tokens are issued for; null if neither a token nor the login
    /// names it.
    pub(super) owner: Option<OwnerJson>,
    /// The user name that clients get.
    pub(super) username: Option<&'a str>,
    /// The cached token; null if none is cached, or clients get no token.
    pub(super) token: Option<TokenJson>,
    /// The keychain that stores the login: `kernel`, `macos`, `secret-service` or
    /// `windows`; null for other sources.
    pub(super) keychain: Option<&'static str>,
    /// When the API key of the login expires, in seconds since 1970; null unless this
    /// program created the key.
    pub(super) api_key_expires_at: Option<u64>,
    /// The clients that use this helper for the registry: `docker`, `podman`, `regctl`.
    pub(super) clients: Vec<&'static str>,
    /// The result of `--check`: `ok` or `problem`; null if not checked.
    pub(super) check: Option<&'static str>,
    /// What does not work; null if there is no problem.
    pub(super) problem: Option<Message>,
    /// Why the last request for a token failed; null if it succeeded, or after an hour.
    pub(super) last_error: Option<LastErrorJson<'a>>,
}

/// A cached token.
#[derive(Serialize)]
pub(super) struct TokenJson {
    /// Seconds since the token was issued; null if unknown.
    pub(super) age: Option<u64>,
    /// Seconds until the token expires.
    pub(super) expires_in: u64,
}

/// An error that is cached in place of a token.
#[derive(Serialize)]
pub(super) struct LastErrorJson<'a> {
    /// `rejection` if IAM rejected the login, `outage` if a retry can succeed.
    pub(super) kind: &'static str,
    /// When it failed first, in seconds since 1970.
    pub(super) started_at: u64,
    /// Seconds since it failed last.
    pub(super) age: u64,
    /// What failed and why: a text for people.
    pub(super) message: String,
    /// How to repair it: a text for people; null if there is no advice.
    pub(super) fix: Option<&'a str>,
}
