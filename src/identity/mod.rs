//! Who we are at IBM Cloud: the sources that can say so, and the order in which
//! they are asked.
//!
//! A source is one file here and one line in `CHAIN`. It finds an [`Identity`],
//! which IAM exchanges for a token, or something that is handed out as it is. A
//! source that is not there is passed over; one that is there but broken is an
//! error that names it, because silently being somebody else would be worse.

use std::path::Path;
use std::path::PathBuf;

use crate::clock::Clock;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::failure::Result;
use crate::iam::Iam;
use crate::iam::Issued;
use crate::iam::endpoint::Endpoint;
use crate::lock::Lock;
use crate::lock::LockDirectory;
use crate::login::Logins;
use crate::protocol::BEARER;
use crate::protocol::Credential;
use crate::protocol::PROGRAM;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::settings::Choice;
use crate::settings::CredentialKind;
use crate::settings::SourceName;
use crate::token_cache::CacheKey;
use crate::token_cache::TokenCache;

mod cli_session;
mod compute_resource_token;
mod credentials_file;
mod environment_api_key;
mod environment_compute_resource;
mod environment_profile;
mod environment_token;
mod instance_metadata;
mod proof;
mod stored_login;

pub(crate) use stored_login::note as note_login;

use proof::Local;
use proof::Proof;
use proof::Proven;
use stored_login::StoredLogin;

/// The sources, first come first served. What a person chose for a registry comes
/// first; then what is in the environment, because it was put there for this very
/// command (IBM's CLI and SDKs do the same); then what was stored for this
/// program; then what other programs left; last what the machine itself is.
const CHAIN: [&dyn Source; 11] = [
    &StoredLogin::OfProfile,
    &Local(SourceName::Environment, environment_api_key::find),
    &Local(SourceName::Environment, environment_compute_resource::find),
    &Local(SourceName::Environment, environment_token::find),
    &StoredLogin::OfRegistry,
    &StoredLogin::Default,
    &Local(SourceName::CredentialsFile, credentials_file::find),
    &Local(SourceName::IbmCloudCli, cli_session::find),
    &Local(
        SourceName::ComputeResourceToken,
        compute_resource_token::find,
    ),
    &Local(SourceName::Vpc, instance_metadata::find_vpc),
    &Local(SourceName::PowerVs, instance_metadata::find_power_vs),
];

/// What sources may look at.
pub struct Given<'a> {
    /// What the settings say about the registry.
    pub choice: Choice<'a>,
    /// For judging whether a stored token has ended.
    pub clock: &'a dyn Clock,
    /// The IAM that the registry's tokens come from.
    pub endpoint: &'a Endpoint,
    /// The environment variables.
    pub environment: &'a Environment,
    /// One writer at a time per login.
    pub locks: &'a LockDirectory,
    /// The stored logins.
    pub logins: Logins<'a>,
    /// Where logins are looked for first, if that is not the only place: see
    /// [`Keychains::tokens_are_near`](crate::keychain::Keychains). Notes about
    /// logins are worth keeping only then.
    pub near_logins: Option<Logins<'a>>,
    /// Where other programs leave their files.
    pub places: &'a Places,
    /// Whether `./ibm-credentials.env` may say who we are.
    pub working_directory_credentials: bool,
    /// The tokens, and notes about logins.
    pub tokens: TokenCache<'a>,
}

/// Where files are that other programs write.
#[derive(Clone, Debug)]
pub struct Places {
    /// The user's home directory.
    pub home: Option<PathBuf>,
    /// Below which the system's own paths begin: `/`, but for tests.
    pub root: PathBuf,
    /// Where the program was started.
    pub working_directory: PathBuf,
}

impl Places {
    /// A path that begins with `~/`, in the home directory.
    pub fn expand(&self, path: &Path) -> PathBuf {
        match (path.strip_prefix("~"), &self.home) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => path.to_owned(),
        }
    }
}

/// What a source found.
pub enum Found<'a> {
    /// An access token that was given to us.
    AccessToken(Secret),
    /// Hand it out as it is.
    Credential(Credential),
    /// Exchange it.
    Identity(Box<dyn Identity + 'a>),
}

/// What can be told of a source without a bus and without a network.
pub enum Nearby {
    /// It has nothing.
    Absent,
    /// It has an access token that is still good.
    AccessToken(Secret),
    /// It has an identity, whose token is kept under this key.
    Key(CacheKey),
    /// It must be asked.
    Unknown,
}

/// Something that can prove who we are to IAM.
pub trait Identity {
    /// The API key that it is, if it is one.
    fn api_key(&self) -> Option<&Secret>;

    /// Which IAM is asked.
    fn endpoint(&self) -> &Endpoint;

    /// Asks IAM for an access token, and with it for a refresh token if that is
    /// `wanted`. Called by one process at a time per key.
    ///
    /// # Errors
    /// What IAM or the keychain said, with this source's name.
    fn exchange(&self, iam: &Iam<'_>, wanted: CredentialKind) -> Result<Issued>;

    /// Under which key its token is kept.
    fn key(&self) -> CacheKey;

    /// The refresh token that it is, if it is one: the newest that is known here.
    fn refresh_token(&self) -> Option<Secret> {
        None
    }

    /// What a person calls it: `the API key in $IBMCLOUD_API_KEY`.
    fn source(&self) -> String;
}

/// A place where an identity may come from.
trait Source: Sync {
    /// What this source has for the registry; see [`find`] for the lock.
    fn find<'a>(
        &self,
        registry: &Registry,
        given: &'a Given<'a>,
        lock: &Lock,
    ) -> Result<Option<Found<'a>>>;

    /// The name that chooses it.
    fn name(&self) -> SourceName;

    /// What this source has for the registry, as far as it can be told from local
    /// facts.
    fn nearby(&self, registry: &Registry, given: &Given<'_>) -> Result<Nearby>;
}

/// What speaks for the registry, from local facts alone.
///
/// # Errors
/// A source is there but broken.
pub fn nearby(registry: &Registry, given: &Given<'_>) -> Result<Nearby> {
    for source in sources(registry, given) {
        match source.nearby(registry, given)? {
            Nearby::Absent => {}
            other => return Ok(other),
        }
    }
    Ok(Nearby::Absent)
}

/// What speaks for the registry, if anything does.
///
/// The registry's lock, if it is held, means that its login does not change in
/// the meantime; without it nothing is noted about the login.
///
/// # Errors
/// A source is there but broken, or the one that was chosen is not there.
pub fn find<'a>(
    registry: &Registry,
    given: &'a Given<'a>,
    lock: &Lock,
) -> Result<Option<Found<'a>>> {
    find_first(registry, given, lock, |_| true)
}

/// What says who we are to IAM for the registry, if anything does: what is only
/// handed out as it is says nothing. See [`find`].
///
/// # Errors
/// See [`find`].
pub fn find_identity<'a>(
    registry: &Registry,
    given: &'a Given<'a>,
    lock: &Lock,
) -> Result<Option<Found<'a>>> {
    find_first(registry, given, lock, |found| {
        !matches!(found, Found::Credential(_))
    })
}

fn find_first<'a>(
    registry: &Registry,
    given: &'a Given<'a>,
    lock: &Lock,
    counts: impl Fn(&Found<'_>) -> bool,
) -> Result<Option<Found<'a>>> {
    for source in sources(registry, given) {
        if let Some(found) = source.find(registry, given, lock)?
            && counts(&found)
        {
            return Ok(Some(found));
        }
    }
    match given.choice.source {
        // Clients ask before they log in, and take any error for the end.
        None | Some(SourceName::Login) => Ok(None),
        Some(chosen) => Err(Failure::act(format!(
            "the source chosen for {registry} is `{chosen}`, but {}",
            absence(chosen)
        ))),
    }
}

/// An access token that was given, as something that proves who we are while it is
/// good.
pub fn of_access_token<'a>(token: Secret, given: &Given<'a>) -> impl Identity + use<'a> {
    let source = "the access token that was given";
    Proven::new(given, source, Proof::AccessToken(token))
        .advising("it may have ended; give another one, or an API key")
}

/// Whether something that outlives an access token speaks for the registry.
///
/// # Errors
/// A source is there but broken.
pub fn has_durable(registry: &Registry, given: &Given<'_>, lock: &Lock) -> Result<bool> {
    Ok(match find(registry, given, lock)? {
        None | Some(Found::AccessToken(_)) => false,
        Some(Found::Identity(_)) => true,
        Some(Found::Credential(credential)) => credential.username != BEARER,
    })
}

/// The sources that may speak for the registry, in their order. The entitled
/// registry takes entitlement keys, which no IAM gives: a login for it comes first.
fn sources(registry: &Registry, given: &Given<'_>) -> impl Iterator<Item = &'static dyn Source> {
    let first: Option<&'static dyn Source> = registry
        .is_entitled()
        .then_some(&StoredLogin::OfRegistry as _);
    let chosen = given.choice.source;
    first
        .into_iter()
        .chain(CHAIN)
        .filter(move |source| chosen.is_none_or(|chosen| chosen == source.name()))
}

/// What is missing, and how to switch it on, for a source that was chosen.
fn absence(chosen: SourceName) -> String {
    match chosen {
        SourceName::ComputeResourceToken => {
            "there is no compute resource token file, or no trusted profile for it; set IBMCLOUD_CR_PROFILE or `trusted-profile` in the profile".into()
        }
        SourceName::CredentialsFile => {
            "no IBM credentials file has a property that begins with CONTAINER_REGISTRY_; set IBM_CREDENTIALS_FILE or `file` in the profile".into()
        }
        SourceName::Environment => {
            "no variable says who you are; set IBMCLOUD_API_KEY".into()
        }
        SourceName::IbmCloudCli => {
            "the IBM Cloud CLI has no session; run `ibmcloud login`".into()
        }
        SourceName::Login => format!("there is no login; run `{PROGRAM} login`"),
        SourceName::PowerVs | SourceName::RegistryToken | SourceName::Vpc => {
            "it cannot be asked".into()
        }
    }
}
