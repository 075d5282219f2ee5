//! What `store` and `login` keep and where it rests: a login for one registry
//! host, for a profile, or for every registry.

mod kind;
pub mod legacy;
mod scope;
mod stored;

pub use kind::LoginKind;
pub use scope::LoginScope;
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

/// A stored login. The keychain holds it as one JSON record.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Login {
    /// The version of the record.
    v: u32,
    /// The user name it was stored with.
    pub username: String,
    /// The secret it was stored with, or the refresh token that replaced it.
    #[serde(serialize_with = "Secret::serialize_exposed")]
    pub secret: Secret,
    /// Names the login without giving its secret away, and stays the same when a
    /// refresh token is replaced.
    pub id: String,
    /// The trusted profile to assume on top.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_profile: Option<TrustedProfile>,
    /// Which API key of IAM's the secret is, where this program had it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_key: Option<IssuedKey>,
    /// Whose tokens it leads to, as IAM said when somebody logged in with it. It is
    /// shown and nothing more, so one that cannot be read costs no login.
    #[serde(
        default,
        deserialize_with = "readable",
        skip_serializing_if = "Option::is_none"
    )]
    pub owner: Option<Owner>,
    /// When IAM said that the session whose refresh token this is has ended for good,
    /// in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<u64>,
}

fn readable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Owner>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

/// An API key that this program had IAM make.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct IssuedKey {
    /// IAM's ID of it, `ApiKey-…`.
    pub id: String,
    /// When it ends, in seconds since 1970.
    pub expires_at: Option<u64>,
}

/// A login without its secret: enough to find its token without asking a slow
/// keychain.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LoginHint {
    /// See [`Login::id`]; `None` when there is no login.
    pub id: Option<String>,
}

const VERSION: u32 = 1;

impl Login {
    /// The login that a client's credential makes.
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

    /// The same login with a trusted profile to assume on top: another identity,
    /// so it has another id.
    pub fn assuming(self, profile: TrustedProfile) -> Self {
        let id = profile.id_on_top_of(&self.id);
        Self {
            id,
            trusted_profile: Some(profile),
            ..self
        }
    }

    /// The same login, whose secret is a key that IAM made for us.
    pub fn with_issued_key(self, key: IssuedKey) -> Self {
        Self {
            issued_key: Some(key),
            ..self
        }
    }

    /// The same login with whoever its tokens are of.
    pub fn owned_by(self, owner: Option<Owner>) -> Self {
        Self { owner, ..self }
    }

    /// The same login with what a record of it knows that is not known here.
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

    /// What its user name says about its secret.
    pub fn kind(&self) -> LoginKind {
        LoginKind::of(&self.username)
    }

    /// Whether its secret is handed out as it is, and has expired by its own account or is
    /// about to.
    pub fn has_expired(&self, now: u64) -> bool {
        match self.kind() {
            LoginKind::Bearer | LoginKind::RegistryToken => {
                jwt::has_expired(self.secret.expose(), now, jwt::MARGIN)
            }
            _ => false,
        }
    }

    /// The same login with the refresh token that IAM gave in exchange.
    pub fn rotated(self, secret: Secret) -> Self {
        Self {
            secret,
            ended_at: None,
            ..self
        }
    }

    /// The same login, of which IAM said at this time that its session has ended for
    /// good.
    pub fn ended(self, now: u64) -> Self {
        Self {
            ended_at: Some(now),
            ..self
        }
    }

    /// The user name and the secret as they were stored.
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

    fn login(username: &str, secret: &str) -> Login {
        Login::new(Credential {
            username: username.into(),
            secret: Secret::new(secret),
        })
    }

    #[test]
    fn a_rotated_refresh_token_keeps_the_name_of_the_login() {
        let first = login("iamrefresh", "one");
        let second = first.clone().rotated(Secret::new("two"));
        assert_eq!(first.id, second.id);
        assert_ne!(first.secret, second.secret);
        assert_ne!(first.id, login("iamrefresh", "two").id);
        assert_ne!(first.id, login("iamapikey", "one").id);
    }
}
