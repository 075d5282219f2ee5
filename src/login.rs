//! Stored logins: for a registry, for a profile, or the default login.

mod kind;
pub mod legacy;
mod scope;
mod snapshot;
mod stored;

pub use kind::LoginKind;
pub use scope::LoginScope;
pub use snapshot::LoginSnapshot;
pub use stored::Logins;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;

use crate::credential::Credential;
use crate::digest;
use crate::iam::jwt;
use crate::iam::owner::Owner;
use crate::iam::trusted_profile::TrustedProfile;
use crate::secret::Secret;

/// A stored login: one JSON record in the keychain.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Login {
    /// The version of the record.
    v: u32,
    /// The user name with which it was stored.
    pub username: String,
    /// The secret with which it was stored, or the refresh token that replaced it.
    #[serde(serialize_with = "Secret::serialize_exposed")]
    pub secret: Secret,
    /// A digest that identifies the login without its secret. It stays the same when a refresh
    /// token is replaced.
    pub id: String,
    /// The trusted profile to assume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_profile: Option<TrustedProfile>,
    /// The API key that is the secret, if this program created it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_key: Option<IssuedKey>,
    /// The owner of its tokens, as IAM returned it at the login. It is only shown, so a login
    /// with an invalid owner can still be used.
    #[serde(
        default,
        deserialize_with = "valid_owner",
        skip_serializing_if = "Option::is_none"
    )]
    pub owner: Option<Owner>,
    /// The time at which IAM said that the session of the refresh token has ended, in seconds
    /// since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<u64>,
}

/// Returns the owner; `None` if it is invalid.
fn valid_owner<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Owner>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

/// An API key that this program created at IAM.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct IssuedKey {
    /// Its ID at IAM, `ApiKey-…`.
    pub id: String,
    /// Its expiry, in seconds since 1970; `None` if it does not expire.
    pub expires_at: Option<u64>,
}

/// The id of a login, with which its token is found without reading a slow keychain.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LoginHint {
    /// See [`Login::id`]; `None` if no login is stored.
    pub id: Option<String>,
}

const VERSION: u32 = 1;

impl Login {
    /// Creates the login with a client's credential.
    pub fn new(credential: Credential) -> Self {
        let Credential { username, secret } = credential;
        Self {
            v: VERSION,
            id: digest::fingerprint(&[&username, secret.expose()]),
            username,
            secret,
            trusted_profile: None,
            issued_key: None,
            owner: None,
            ended_at: None,
        }
    }

    /// Adds a trusted profile to assume. That is another identity, so the id changes.
    pub fn assuming(self, profile: TrustedProfile) -> Self {
        let id = profile.id_on_top_of(&self.id);
        Self {
            id,
            trusted_profile: Some(profile),
            ..self
        }
    }

    /// Adds the ID and expiry of its API key, which this program created.
    pub fn with_issued_key(self, key: IssuedKey) -> Self {
        Self {
            issued_key: Some(key),
            ..self
        }
    }

    /// Adds the owner of its tokens.
    pub fn with_owner(self, owner: Option<Owner>) -> Self {
        Self { owner, ..self }
    }

    /// Adds what a record of the same login has and this one lacks.
    pub fn completed_by(self, known: &Self) -> Self {
        if self.id == known.id {
            Self {
                issued_key: self.issued_key.or_else(|| known.issued_key.clone()),
                owner: self.owner.or_else(|| known.owner.clone()),
                ..self
            }
        } else {
            self
        }
    }

    /// Returns the kind of its secret.
    pub fn kind(&self) -> LoginKind {
        LoginKind::of(&self.username)
    }

    /// Returns whether its secret is a token, which clients get unchanged, and has expired or
    /// expires within seconds.
    pub fn has_expired(&self, now: u64) -> bool {
        match self.kind() {
            LoginKind::Bearer | LoginKind::RegistryToken => {
                jwt::has_expired(self.secret.expose(), now, jwt::MARGIN)
            }
            _ => false,
        }
    }

    /// Replaces the refresh token.
    pub fn rotated(self, secret: Secret) -> Self {
        Self {
            secret,
            ended_at: None,
            ..self
        }
    }

    /// Adds the time at which IAM said that the session has ended.
    pub fn ended(self, now: u64) -> Self {
        Self {
            ended_at: Some(now),
            ..self
        }
    }

    /// Returns the user name and the secret.
    pub fn into_credential(self) -> Credential {
        Credential {
            username: self.username,
            secret: self.secret,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn login(username: &str, secret: &str) -> Login {
        Login::new(Credential {
            username: username.into(),
            secret: Secret::new(secret),
        })
    }

    #[test]
    fn the_id_of_a_login_stays_when_its_refresh_token_is_replaced() {
        let first = login("iamrefresh", "one");
        let second = first.clone().rotated(Secret::new("two"));
        assert_eq!(first.id, second.id);
        assert_ne!(first.secret, second.secret);
        assert_ne!(first.id, login("iamrefresh", "two").id);
        assert_ne!(first.id, login("iamapikey", "one").id);
    }
}
