//! The sources of credentials, and their order.
//!
//! A source is one file here and one line in `CHAIN`. It finds an [`Identity`], which is
//! exchanged for a token, or a credential that is used as it is. A source without
//! credentials is skipped. An invalid source is an error: skipping it would silently use
//! another identity.

use crate::context::SystemPaths;
use crate::credential::Credential;
use crate::environment::Environment;
use crate::error::Error;
use crate::error::Result;
use crate::iam::Iam;
use crate::iam::TokenResponse;
use crate::iam::endpoint::Endpoint;
use crate::lock::LockDirectory;
use crate::login::Login;
use crate::login::LoginHint;
use crate::login::LoginScope;
use crate::login::Logins;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::settings::CredentialKind;
use crate::settings::ResolvedSettings;
use crate::settings::SourceName;
use crate::time::Clock;
use crate::token_cache::CacheKey;
use crate::token_cache::TokenCache;

pub mod advice;
mod cli_session;
mod compute_resource_token;
mod credentials_file;
mod environment_api_key;
mod environment_compute_resource;
mod environment_profile;
mod environment_properties;
mod environment_token;
mod grant_input;
mod instance_metadata;
mod sdk_properties;
mod service_account;
mod source_identity;
mod stored_login;

pub use service_account::ServiceAccount;
pub use service_account::service_account_identity;
pub use source_identity::Base;

pub(crate) use cli_session::refreshable_session;
pub(crate) use stored_login::base_id;

use source_identity::SourceIdentity;
use stored_login::StoredLogin;

/// The sources in their order. A login for the profile that a person chose for a registry
/// comes first; then the environment, which is set for one command (IBM's CLI and SDKs do
/// the same); then the other stored logins; then what other programs stored; last the
/// machine's own identity.
const CHAIN: [Source; 12] = [
    Source::Login(StoredLogin::OfProfile),
    Source::Local(SourceName::Environment, environment_api_key::find),
    Source::Local(SourceName::Environment, environment_compute_resource::find),
    Source::Local(SourceName::Environment, environment_token::find),
    Source::Local(SourceName::Environment, environment_properties::find),
    Source::Login(StoredLogin::OfRegistry),
    Source::Login(StoredLogin::Default),
    Source::Local(SourceName::CredentialsFile, credentials_file::find),
    Source::Local(SourceName::IbmCloudCli, cli_session::find),
    Source::Local(
        SourceName::ComputeResourceToken,
        compute_resource_token::find,
    ),
    Source::Local(SourceName::Vpc, instance_metadata::find_vpc),
    Source::Local(SourceName::PowerVs, instance_metadata::find_power_vs),
];

/// What sources can use: no network and no terminal; keychains only for logins and tokens.
pub struct SourceContext<'a> {
    /// The settings for the registry.
    pub settings: ResolvedSettings<'a>,
    /// Time, to find expired tokens.
    pub clock: &'a dyn Clock,
    /// The IAM that issues the registry's tokens.
    pub endpoint: Endpoint,
    /// The environment variables.
    pub environment: &'a Environment,
    /// The locks of logins and identities.
    pub locks: &'a LockDirectory,
    /// The stored logins.
    pub logins: Logins<'a>,
    /// The cache of logins, which is read first; `None` if the keychain itself is local (see
    /// [`Keychains::cache_is_local`](crate::keychain::Keychains)), where hints are not used.
    pub cached_logins: Option<Logins<'a>>,
    /// The paths of other programs' files.
    pub system_paths: &'a SystemPaths,
    /// Whether `./ibm-credentials.env` is read.
    pub working_directory_credentials: bool,
    /// The cached tokens, and the hints about logins.
    pub tokens: TokenCache<'a>,
}

impl SourceContext<'_> {
    /// Returns the hint about the login of a scope, where hints are used.
    fn hint(&self, scope: &LoginScope) -> Option<LoginHint> {
        self.cached_logins.as_ref()?;
        self.tokens.login_hint(scope)
    }
}

/// What a source found for a registry. The source was read once for all of it.
pub struct Resolved<'a> {
    /// The identity, or the credential.
    pub identity: ResolvedIdentity<'a>,
    /// The stored login, if it is one.
    pub login: Option<Login>,
    /// Where it comes from.
    pub origin: Origin,
    /// The source's name in messages, such as `the API key in $IBMCLOUD_API_KEY`.
    pub title: String,
}

/// The identity that a source has, or a credential that is used as it is.
pub enum ResolvedIdentity<'a> {
    /// An access token that was provided.
    AccessToken(Secret),
    /// A stored credential that clients get as it is.
    Credential(Credential),
    /// An identity that IAM issues tokens for.
    Exchanged(Box<dyn Identity + 'a>),
}

/// What one source has.
enum Lookup<'a> {
    /// A credential or an identity.
    Found(Box<Resolved<'a>>),
    /// A stored login that has expired.
    Expired(ExpiredLogin),
    /// No credential.
    Absent,
}

/// A stored login whose secret has expired.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExpiredLogin {
    /// The scope it is stored for.
    pub scope: LoginScope,
    /// See [`Login::id`](crate::login::Login).
    pub id: String,
}

/// The result of [`find`].
pub struct Search<'a> {
    /// What the active source has.
    pub resolved: Option<Resolved<'a>>,
    /// The expired logins that were skipped; the caller may delete them.
    pub expired: Vec<ExpiredLogin>,
}

/// The active source, as far as it is known without a slow keychain and without a network.
pub enum LocalLookup<'a> {
    /// The active source, for certain: no stored login comes before it.
    Active(Resolved<'a>),
    /// The active source, if the hints are right that the logins before it do not exist.
    Hinted(Resolved<'a>),
    /// A stored login whose token is cached under this key, if the hint is right.
    Login(CacheKey),
    /// Only the keychain knows.
    Unknown,
}

impl LocalLookup<'_> {
    /// Returns the identity that was found.
    pub fn identity(&self) -> Option<&ResolvedIdentity<'_>> {
        match self {
            Self::Active(resolved) | Self::Hinted(resolved) => Some(&resolved.identity),
            Self::Login(_) | Self::Unknown => None,
        }
    }

    /// Returns the key under which the identity's access token is cached.
    pub fn key(&self) -> Option<CacheKey> {
        match (self, self.identity()) {
            (Self::Login(key), _) => Some(key.clone()),
            (_, Some(ResolvedIdentity::Exchanged(identity))) => Some(identity.key()),
            _ => None,
        }
    }
}

/// An identity at IAM, for which tokens are issued.
pub trait Identity {
    /// Returns the API key, if the identity was created from one.
    fn api_key(&self) -> Option<&Secret>;

    /// Returns the endpoint of the IAM that issues its tokens.
    fn endpoint(&self) -> &Endpoint;

    /// If this identity assumes a trusted profile, returns the identity underneath, whose token
    /// is requested and cached first; `None` if that is not needed. So several profiles of one
    /// API key need one exchange of the key.
    fn base(&self) -> Option<Base<'_>> {
        None
    }

    /// Requests an access token, and a refresh token with it if that is `wanted`. Called by
    /// one process at a time per key.
    ///
    /// # Errors
    /// The request failed; the message names this source.
    fn exchange(&self, iam: &Iam<'_>, wanted: CredentialKind) -> Result<TokenResponse>;

    /// Returns the key under which its token is cached.
    fn key(&self) -> CacheKey;

    /// Returns the newest refresh token, if the identity was created from one.
    fn refresh_token(&self) -> Option<Secret> {
        None
    }

    /// Returns its name in messages, such as `the API key in $IBMCLOUD_API_KEY`.
    fn source(&self) -> String;
}

/// Where a credential comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// The login stored for a scope.
    Login(LoginScope),
    /// Another source.
    Source(SourceName),
}

/// A place where a credential may come from.
#[derive(Clone, Copy)]
enum Source {
    /// A stored login: only the keychain knows it.
    Login(StoredLogin),
    /// Variables, a file, or the machine itself, read anew for each `get`.
    Local(SourceName, FindLocally),
}

/// Returns the identity that a local source has for a registry.
type FindLocally = for<'a> fn(&Registry, &SourceContext<'a>) -> Result<Option<SourceIdentity<'a>>>;

impl Source {
    /// Returns what this source has for the registry. Stored logins are read with
    /// `read_login`.
    fn find<'a>(
        self,
        registry: &Registry,
        context: &'a SourceContext<'a>,
        read_login: &ReadLogin<'_>,
    ) -> Result<Lookup<'a>> {
        match self {
            Self::Login(login) => login.find(registry, context, read_login),
            Self::Local(name, find) => Ok(match find(registry, context)? {
                None => Lookup::Absent,
                Some(identity) => Lookup::Found(Box::new(identity.resolved(name, context))),
            }),
        }
    }

    /// Returns the setting's value that chooses this source.
    fn name(self) -> SourceName {
        match self {
            Self::Login(_) => SourceName::Login,
            Self::Local(name, _) => name,
        }
    }
}

/// Reads the login stored for a scope.
pub type ReadLogin<'r> = dyn Fn(&LoginScope) -> Result<Option<Login>> + 'r;

/// Returns what is known about the active source from local facts alone.
///
/// # Errors
/// A source is invalid.
pub fn look_up_locally<'a>(
    registry: &Registry,
    context: &'a SourceContext<'a>,
) -> Result<LocalLookup<'a>> {
    let _span = tracing::debug_span!("find", %registry).entered();
    let mut uses_hints = false;
    for source in sources(registry, context) {
        match source {
            Source::Local(name, find) => {
                let Some(identity) = find(registry, context)? else {
                    continue;
                };
                let resolved = identity.resolved(name, context);
                return Ok(if uses_hints {
                    LocalLookup::Hinted(resolved)
                } else {
                    LocalLookup::Active(resolved)
                });
            }
            Source::Login(login) => {
                let Some(scope) = login.scope(registry, context) else {
                    continue;
                };
                match context.hint(&scope) {
                    None => return Ok(LocalLookup::Unknown),
                    Some(LoginHint { id: None }) => uses_hints = true,
                    Some(LoginHint { id: Some(id) }) => {
                        return Ok(LocalLookup::Login(stored_login::key(&id, context)));
                    }
                }
            }
        }
    }
    Ok(LocalLookup::Unknown)
}

/// Returns what the active source has for the registry. Logins are read with `read_login`;
/// nothing is changed.
///
/// # Errors
/// A source is invalid, or the one that the settings choose has no credentials.
pub fn find<'a>(
    registry: &Registry,
    context: &'a SourceContext<'a>,
    read_login: &ReadLogin<'_>,
) -> Result<Search<'a>> {
    first(registry, context, read_login, |_| true)
}

/// Returns the first identity or access token for the registry. Credentials that are
/// handed out as they are stored are skipped: IAM does not know them.
///
/// # Errors
/// See [`find`].
pub fn find_identity<'a>(
    registry: &Registry,
    context: &'a SourceContext<'a>,
) -> Result<Option<Resolved<'a>>> {
    let read_login = |scope: &LoginScope| context.logins.read(scope);
    let search = first(registry, context, &read_login, |resolved| {
        !matches!(resolved.identity, ResolvedIdentity::Credential(_))
    })?;
    Ok(search.resolved)
}

/// Returns what would be active for the registry without the login stored for a scope. Other
/// logins are read with `read_login`.
///
/// # Errors
/// A source is invalid.
pub fn find_behind<'a>(
    scope: &LoginScope,
    registry: &Registry,
    context: &'a SourceContext<'a>,
    read_login: &ReadLogin<'_>,
) -> Result<Option<Resolved<'a>>> {
    for source in sources(registry, context) {
        if let Source::Login(login) = source
            && login.scope(registry, context).as_ref() == Some(scope)
        {
            continue;
        }
        let lookup = source.find(registry, context, read_login)?;
        if let Lookup::Found(resolved) = lookup {
            return Ok(Some(*resolved));
        }
    }
    Ok(None)
}

/// Returns what the first source has that `is_wanted`, and the expired logins before it.
fn first<'a>(
    registry: &Registry,
    context: &'a SourceContext<'a>,
    read_login: &ReadLogin<'_>,
    is_wanted: impl Fn(&Resolved<'_>) -> bool,
) -> Result<Search<'a>> {
    let mut expired = Vec::new();
    for source in sources(registry, context) {
        match source.find(registry, context, read_login)? {
            Lookup::Found(resolved) if is_wanted(&resolved) => {
                let resolved = Some(*resolved);
                return Ok(Search { resolved, expired });
            }
            Lookup::Expired(login) => expired.push(login),
            Lookup::Found(_) | Lookup::Absent => {}
        }
    }
    require_selected_source(registry, context)?;
    Ok(Search {
        resolved: None,
        expired,
    })
}

/// Returns an error if the settings choose a source, because it has no credentials.
fn require_selected_source(registry: &Registry, context: &SourceContext<'_>) -> Result<()> {
    match context.settings.source {
        // No error: `docker login` calls `get` first, and any error but "not found" ends it.
        None | Some(SourceName::Login) => Ok(()),
        Some(chosen) => {
            let (reason, hint) = reason_for_absence(chosen, context)?;
            let error = format!("the source selected for {registry} is '{chosen}', but {reason}");
            Err(Error::user(error).with_hint(hint))
        }
    }
}

/// Returns the sources for the registry, in their order. The entitled registry takes
/// entitlement keys, which IAM does not issue: a login for it comes first.
fn sources(registry: &Registry, context: &SourceContext<'_>) -> impl Iterator<Item = Source> {
    let first = registry
        .is_entitled()
        .then_some(Source::Login(StoredLogin::OfRegistry));
    let chosen = context.settings.source;
    first
        .into_iter()
        .chain(CHAIN)
        .filter(move |source| chosen.is_none_or(|chosen| chosen == source.name()))
}

/// Returns why a selected source has no credential, and the hint.
fn reason_for_absence(
    chosen: SourceName,
    context: &SourceContext<'_>,
) -> Result<(&'static str, &'static str)> {
    Ok(match chosen {
        SourceName::ComputeResourceToken
            if environment_profile::of_compute_resource(context)?.is_none() =>
        {
            (
                "no trusted profile is named for it",
                "Set IBMCLOUD_CR_PROFILE, or 'trusted-profile' in the profile",
            )
        }
        SourceName::ComputeResourceToken => (
            "no file with such a token exists",
            "Mount the token of a service account, and name its file with 'file' in the profile",
        ),
        SourceName::CredentialsFile => (
            "no IBM credentials file has a property that begins with CONTAINER_REGISTRY_",
            "Set $IBM_CREDENTIALS_FILE, or 'file' in the profile",
        ),
        SourceName::Environment => ("no variable has a credential", "Set $IBMCLOUD_API_KEY"),
        SourceName::IbmCloudCli => ("the IBM Cloud CLI has no session", "Run 'ibmcloud login'"),
        SourceName::Login => ("no login is stored", "Run 'docker-credential-icr login'"),
        SourceName::PowerVs | SourceName::Vpc => (
            "this machine has no metadata service for it",
            "Run the program on a virtual server of IBM Cloud, or select another source",
        ),
    })
}

#[cfg(test)]
pub(crate) mod tests;
