//! Who speaks for a registry, and what is known of the token: what a person is
//! told. No network is asked.

use super::Broker;
use crate::failure::Result;
use crate::iam::owner::Owner;
use crate::identity;
use crate::identity::Found;
use crate::identity::Given;
use crate::identity::Introduced;
use crate::identity::Speaker;
use crate::jwt;
use crate::login::LoginScope;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::settings::CredentialKind;
use crate::settings::KeychainChoice;

/// Whoever speaks for a registry, without a secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Description {
    /// Whose word counts.
    pub speaker: Speaker,
    /// What a person calls the source: `the API key in $IBMCLOUD_API_KEY`.
    pub source: String,
    /// The user name that clients are given.
    pub username: String,
    /// Whose the token is, or will be; `None` where neither it nor the login says so.
    pub owner: Option<Owner>,
    /// Whether clients are given a token that is got for them, and not what was stored.
    pub is_exchanged: bool,
    /// How long the token lives; `None` until there is one, or where it does not end.
    pub token: Option<TokenLife>,
    /// The keychain that the login rests in, if it is a stored one.
    pub keychain: Option<KeychainChoice>,
    /// When the API key ends, in seconds since 1970, where this program had it made.
    pub key_ends_at: Option<u64>,
}

/// How long a token has lived, and will.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TokenLife {
    /// How old it is, in seconds, as far as that is known.
    pub age: Option<u64>,
    /// How long it is good yet, in seconds.
    pub left: u64,
}

impl Broker<'_> {
    /// Whoever speaks for a registry, if anybody does.
    ///
    /// # Errors
    /// A source is there but broken, or a keychain cannot tell.
    pub fn describe(&self, registry: &Registry) -> Result<Option<Description>> {
        self.describe_as(&LoginScope::Registry(registry.clone()), registry)
    }

    /// Whoever speaks for every registry that nothing was chosen or stored for;
    /// `example` is one of those.
    ///
    /// # Errors
    /// See [`Broker::describe`].
    pub fn describe_others(&self, example: &Registry) -> Result<Option<Description>> {
        self.describe_as(&LoginScope::Default, example)
    }

    /// Whose word counts for a registry, if anybody's does.
    ///
    /// # Errors
    /// A source is there but broken.
    pub fn speaker(&self, registry: &Registry) -> Result<Option<Speaker>> {
        identity::speaker(registry, &self.given(registry))
    }

    fn describe_as(&self, scope: &LoginScope, registry: &Registry) -> Result<Option<Description>> {
        let given = self.given_of(scope);
        let Some(introduced) = identity::introduce(registry, &given)? else {
            return Ok(None);
        };
        let is_exchanged = match &introduced.found {
            Found::AccessToken(_) | Found::Credential(_) => false,
            Found::Identity(_) => given.choice.credential != CredentialKind::ApiKey,
        };
        let (username, secret, token) = self.handed_out(registry, &introduced, &given);
        let (login, keychain) = match &introduced.speaker {
            Speaker::Source(_) => (None, None),
            Speaker::Login(scope) => (given.logins.read(scope)?, given.logins.holder(scope)?),
        };
        let key = login.as_ref().and_then(|login| login.issued_key.as_ref());
        let key_ends_at = key.and_then(|key| key.expires_at);
        // Another profile that the settings put on top is somebody else.
        let noted = login
            .filter(|_| given.choice.trusted_profile.is_none())
            .and_then(|login| login.owner);
        Ok(Some(Description {
            speaker: introduced.speaker,
            source: introduced.title,
            username,
            is_exchanged,
            owner: secret.as_ref().and_then(Owner::of).or(noted),
            token,
            keychain,
            key_ends_at,
        }))
    }

    /// The user name, what goes with it as far as it is there already, and how long
    /// that lives.
    fn handed_out(
        &self,
        registry: &Registry,
        introduced: &Introduced<'_>,
        given: &Given<'_>,
    ) -> (String, Option<Secret>, Option<TokenLife>) {
        let wanted = given.choice.credential;
        match &introduced.found {
            Found::AccessToken(token) => {
                let life = self.own_life(token);
                (wanted.username().to_owned(), Some(token.clone()), life)
            }
            Found::Credential(credential) => {
                let life = self.own_life(&credential.secret);
                (credential.username.clone(), None, life)
            }
            Found::Identity(_) if wanted == CredentialKind::ApiKey => {
                (wanted.username().to_owned(), None, None)
            }
            Found::Identity(identity) => {
                let kept = given.tokens.kept(&wanted.key_of(identity.key(), registry));
                let life = kept.as_ref().map(|kept| TokenLife {
                    age: Some(kept.age),
                    left: kept.left,
                });
                let secret = kept.map(|kept| kept.secret);
                (wanted.username().to_owned(), secret, life)
            }
        }
    }

    /// How long a token lives by its own account.
    fn own_life(&self, token: &Secret) -> Option<TokenLife> {
        let times = jwt::times(token.expose())?;
        let now = self.clock.now();
        Some(TokenLife {
            age: times.iat.and_then(|issued| now.checked_sub(issued)),
            left: times.exp.saturating_sub(now),
        })
    }
}
