//! The answer of `login`, as text and as JSON.

use std::fmt;

use serde::Serialize;

use crate::commands::json::OwnerJson;
use crate::commands::json::ScopeJson;
use crate::commands::scopes::scope_list;
use crate::iam::trusted_profile::TrustedProfile;
use crate::keychain::Backend;
use crate::login::IssuedKey;
use crate::login::Login;
use crate::login::LoginKind;
use crate::login::LoginScope;
use crate::login::LoginSnapshot;
use crate::time;

/// The JSON answer of `login`.
#[derive(Debug, Serialize)]
pub(crate) struct LoginAnswer {
    /// The stored logins; `--rotate` may store several.
    pub(crate) logins: Vec<LoginJson>,
    /// The warnings that stderr showed.
    pub(crate) warnings: Vec<String>,
}

/// A stored login in the answer of `login`.
#[derive(Debug, Serialize)]
pub(crate) struct LoginJson {
    /// What it is stored for.
    scopes: Vec<ScopeJson>,
    /// The user name: `iamapikey` or `iamrefresh`.
    username: String,
    /// The identity that its tokens are issued to; `null` if IAM returned none.
    owner: Option<OwnerJson>,
    /// The ID, CRN or name of the trusted profile that it assumes, if any.
    trusted_profile: Option<String>,
    /// The API key created by this program, if any.
    api_key: Option<ApiKeyJson>,
    /// The keychain that stores it, by its name in the settings; `null` if unknown.
    keychain: Option<&'static str>,
}

/// An API key in the answer of `login`.
#[derive(Debug, Serialize)]
struct ApiKeyJson {
    /// Its ID in IAM.
    id: String,
    /// Its name in IAM.
    name: Option<String>,
    /// When it expires, in seconds since 1970; `null` if it does not.
    expires_at: Option<u64>,
}

/// A login that was just stored.
pub(in crate::commands) struct StoredLogin {
    scopes: Vec<LoginScope>,
    login: Login,
    key_name: Option<String>,
    keychain: Option<Backend>,
}

impl StoredLogin {
    pub(in crate::commands) fn new(
        scopes: Vec<LoginScope>,
        login: Login,
        key_name: Option<String>,
        logins: &LoginSnapshot<'_>,
    ) -> Self {
        let keychain = scopes.first().map(|scope| logins.backend(scope));
        Self {
            scopes,
            login,
            key_name,
            keychain: keychain.and_then(|keychain| keychain.ok().flatten()),
        }
    }

    pub(super) fn to_json(&self) -> LoginJson {
        let login = &self.login;
        let profile = login.trusted_profile.as_ref();
        let profile = profile.map(|profile| match profile {
            TrustedProfile::Id(text) | TrustedProfile::Crn(text) => text.clone(),
            TrustedProfile::Name { name, .. } => name.clone(),
        });
        LoginJson {
            scopes: self.scopes.iter().map(ScopeJson::from).collect(),
            username: login.username.clone(),
            owner: login.owner.as_ref().map(OwnerJson::from),
            trusted_profile: profile,
            api_key: login.issued_key.as_ref().map(|key| ApiKeyJson {
                id: key.id.clone(),
                name: self.key_name.clone(),
                expires_at: key.expires_at,
            }),
            keychain: self.keychain.map(Backend::name),
        }
    }
}

/// The text answer.
impl fmt::Display for StoredLogin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scopes = scope_list(&self.scopes);
        match &self.login.owner {
            Some(owner) => writeln!(formatter, "Logged in to {scopes} as {owner}")?,
            None => writeln!(
                formatter,
                "Logged in to {scopes} (IAM returned no account name)"
            )?,
        }
        let keychain = self
            .keychain
            .map_or("the system's keychain", Backend::described);
        write!(formatter, "Saved in {keychain}")?;
        if let Some(IssuedKey { id, expires_at }) = &self.login.issued_key {
            let name = self.key_name.as_deref().unwrap_or_default();
            let expiry = expires_at.map_or("does not expire".into(), |time| {
                format!("expires on {}", time::day(time))
            });
            let scope = self.scopes.first().unwrap_or(&LoginScope::Default);
            write!(
                formatter,
                "\nIts API key '{name}' ({id}) {expiry}. To replace it, run '{}'",
                scope.rotate_command()
            )?;
        } else if self.login.kind() == LoginKind::RefreshToken {
            write!(
                formatter,
                "\nThis session expires within days. For a permanent login, add --create-api-key"
            )?;
        }
        Ok(())
    }
}
