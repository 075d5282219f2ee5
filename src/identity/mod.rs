//! Who we are at IBM Cloud: the sources that can say so, and the order in which
//! they are asked.
//!
//! A source is one file here and one line in `CHAIN`. It finds an [`Identity`],
//! which IAM exchanges for a token, or a credential that is handed out as it is.
//! A source that is not there is passed over; one that is there but broken is an
//! error that names it, because silently being somebody else would be worse.

use crate::clock::Clock;
use crate::environment::Environment;
use crate::failure::Result;
use crate::iam::Iam;
use crate::iam::Issued;
use crate::iam::endpoint::Endpoint;
use crate::lock::Lock;
use crate::lock::LockDirectory;
use crate::login::Logins;
use crate::protocol::BEARER;
use crate::protocol::Credential;
use crate::registry::Registry;
use crate::token_cache::CacheKey;
use crate::token_cache::TokenCache;

mod environment_key;
mod stored_login;

pub(crate) use stored_login::note as note_login;

/// The sources, first come first served: what is in the environment was put
/// there for this very command, so it comes before what was stored once (IBM
/// Cloud CLI and SDKs do the same).
const CHAIN: [&dyn Source; 2] = [&environment_key::EnvironmentKey, &stored_login::StoredLogin];

/// What sources may look at.
pub struct Given<'a> {
    /// For judging whether a stored token has ended.
    pub clock: &'a dyn Clock,
    /// The IAM that the registry's tokens come from.
    pub endpoint: &'a Endpoint,
    /// The environment variables.
    pub environment: &'a Environment,
    /// One writer at a time per registry.
    pub locks: &'a LockDirectory,
    /// The stored logins.
    pub logins: Logins<'a>,
    /// Where logins are looked for first, if that is not the only place: see
    /// [`Keychains::tokens_are_near`](crate::keychain::Keychains). Notes about
    /// logins are worth keeping only then.
    pub near_logins: Option<Logins<'a>>,
    /// The tokens, and notes about logins.
    pub tokens: TokenCache<'a>,
}

/// What a source found.
pub enum Found<'a> {
    /// Hand it out as it is.
    Credential(Credential),
    /// Exchange it.
    Identity(Box<dyn Identity + 'a>),
}

/// Something that can prove who we are to IAM.
pub trait Identity {
    /// Under which key its token is kept.
    fn key(&self) -> CacheKey;

    /// Asks IAM for an access token. Called by one process at a time per key.
    ///
    /// # Errors
    /// What IAM or the keychain said, with this source's name.
    fn exchange(&self, iam: &Iam<'_>) -> Result<Issued>;
}

/// A place where an identity may come from.
trait Source: Sync {
    /// The key of the identity that this source would find, as far as that can be
    /// told without a bus and without a network. `None` when it cannot.
    fn nearby_key(&self, registry: &Registry, given: &Given<'_>) -> Result<Option<CacheKey>>;

    /// What this source has for the registry; see [`find`] for the lock.
    fn find<'a>(
        &self,
        registry: &Registry,
        given: &'a Given<'a>,
        lock: &Lock,
    ) -> Result<Option<Found<'a>>>;
}

/// The key of the identity that speaks for the registry, from local facts alone.
///
/// # Errors
/// A source is there but broken.
pub fn nearby_key(registry: &Registry, given: &Given<'_>) -> Result<Option<CacheKey>> {
    CHAIN
        .iter()
        .find_map(|source| source.nearby_key(registry, given).transpose())
        .transpose()
}

/// What speaks for the registry, if anything does.
///
/// The registry's lock, if it is held, means that its login does not change in
/// the meantime; without it nothing is noted about the login.
///
/// # Errors
/// A source is there but broken.
pub fn find<'a>(
    registry: &Registry,
    given: &'a Given<'a>,
    lock: &Lock,
) -> Result<Option<Found<'a>>> {
    CHAIN
        .iter()
        .find_map(|source| source.find(registry, given, lock).transpose())
        .transpose()
}

/// Whether something that outlives an access token speaks for the registry.
///
/// # Errors
/// A source is there but broken.
pub fn has_durable(registry: &Registry, given: &Given<'_>, lock: &Lock) -> Result<bool> {
    Ok(match find(registry, given, lock)? {
        None => false,
        Some(Found::Identity(_)) => true,
        Some(Found::Credential(credential)) => credential.username != BEARER,
    })
}
