//! Who we are at IBM Cloud: the sources that can say so, and the order in which
//! they are asked.
//!
//! A source is one file here and one line in `CHAIN`. It finds an [`Identity`],
//! which IAM exchanges for a token, or something that is handed out as it is. A
//! source that is not there is passed over; one that is there but broken is an
//! error that names it, because silently being somebody else would be worse.

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
use crate::login::LoginScope;
use crate::login::Logins;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::settings::Choice;
use crate::settings::CredentialKind;
use crate::settings::SourceName;
use crate::sources::advice::SourceKind;
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
mod environment_token;
mod instance_metadata;
mod proof;
mod stored_login;

pub use proof::Base;

pub(crate) use cli_session::refreshable_session;
pub(crate) use stored_login::base_id;

use proof::GrantInput;
use proof::Local;
use proof::SourceIdentity;
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
pub struct SourceContext<'a> {
    /// What the settings say about the registry.
    pub choice: Choice<'a>,
    /// For judging whether a stored token has ended.
    pub clock: &'a dyn Clock,
    /// The IAM that the registry's tokens come from.
    pub endpoint: Endpoint,
    /// The environment variables.
    pub environment: &'a Environment,
    /// One writer at a time per login.
    pub locks: &'a LockDirectory,
    /// The stored logins.
    pub logins: Logins<'a>,
    /// Where logins are looked for first, if that is not the only place: see
    /// [`Keychains::cache_is_local`](crate::keychain::Keychains). Notes about
    /// logins are worth keeping only then.
    pub cached_logins: Option<Logins<'a>>,
    /// Where other programs leave their files.
    pub system_paths: &'a SystemPaths,
    /// Whether `./ibm-credentials.env` may say who we are.
    pub working_directory_credentials: bool,
    /// The tokens, and notes about logins.
    pub tokens: TokenCache<'a>,
}

/// What a source found for a registry. The source was read once for all of it.
pub struct Resolved<'a> {
    /// The identity, or what is handed out in its place.
    pub identity: ResolvedIdentity<'a>,
    /// The stored login, if it is one.
    pub login: Option<Login>,
    /// Where it comes from.
    pub origin: Origin,
    /// The source's name in messages, such as `the API key in $IBMCLOUD_API_KEY`.
    pub title: String,
}

/// How a credential is made from what a source has.
pub enum ResolvedIdentity<'a> {
    /// An access token that was provided.
    AccessToken(Secret),
    /// A credential that is handed out as it is stored.
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
    /// Nothing.
    Nothing,
}

/// A stored login whose secret has expired by its own account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExpiredLogin {
    /// What it was stored for.
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

/// What is known of a source without a slow keychain and without a network.
pub enum LocalLookup {
    /// The source has nothing.
    Absent,
    /// The source has a valid access token.
    AccessToken(Secret),
    /// The source has an identity, whose token is cached under this key.
    Key(CacheKey),
    /// Only the keychain can tell.
    Unknown,
}

/// Something that can prove who we are to IAM.
pub trait Identity {
    /// The API key that it is, if it is one.
    fn api_key(&self) -> Option<&Secret>;

    /// Which IAM is asked.
    fn endpoint(&self) -> &Endpoint;

    /// The identity that it is before it assumes a trusted profile, if it assumes one
    /// and that identity has to ask IAM. Its token is kept as every other is, so that
    /// several profiles of one key cost the key one exchange.
    fn base(&self) -> Option<Base<'_>> {
        None
    }

    /// Asks IAM for an access token, and with it for a refresh token if that is
    /// `wanted`. Called by one process at a time per key.
    ///
    /// # Errors
    /// What IAM or the keychain said, with this source's name.
    fn exchange(&self, iam: &Iam<'_>, wanted: CredentialKind) -> Result<TokenResponse>;

    /// Under which key its token is kept.
    fn key(&self) -> CacheKey;

    /// The refresh token that it is, if it is one: the newest that is known here.
    fn refresh_token(&self) -> Option<Secret> {
        None
    }

    /// What a person calls it: `the API key in $IBMCLOUD_API_KEY`.
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

/// A place where an identity may come from.
trait Source: Sync {
    /// Returns what this source has for the registry. Stored logins are read with
    /// `read_login`.
    fn find<'a>(
        &self,
        registry: &Registry,
        context: &'a SourceContext<'a>,
        read_login: &ReadLogin<'_>,
    ) -> Result<Lookup<'a>>;

    /// Returns what this source has for the registry, from local facts.
    fn look_up_locally(
        &self,
        registry: &Registry,
        context: &SourceContext<'_>,
    ) -> Result<LocalLookup>;

    /// Returns the scope of the stored login that this source reads, if it reads one.
    fn login_scope(
        &self,
        _registry: &Registry,
        _context: &SourceContext<'_>,
    ) -> Option<LoginScope> {
        None
    }

    /// Returns the setting's value that chooses this source.
    fn name(&self) -> SourceName;
}

/// Reads the login stored for a scope.
pub type ReadLogin<'r> = dyn Fn(&LoginScope) -> Result<Option<Login>> + 'r;

/// Returns what the first source has that may have anything, from local facts alone.
///
/// # Errors
/// A source is invalid.
pub fn look_up_locally(registry: &Registry, context: &SourceContext<'_>) -> Result<LocalLookup> {
    for source in sources(registry, context) {
        match source.look_up_locally(registry, context)? {
            LocalLookup::Absent => {}
            other => return Ok(other),
        }
    }
    Ok(LocalLookup::Absent)
}

/// Returns what the active source has for the registry. Changes nothing.
///
/// # Errors
/// A source is invalid, or the one that the settings choose has no credentials.
pub fn find<'a>(registry: &Registry, context: &'a SourceContext<'a>) -> Result<Search<'a>> {
    find_with(registry, context, &|scope| context.logins.read(scope))
}

/// Returns the same as [`find`], with logins that `read_login` reads.
///
/// # Errors
/// See [`find`].
pub fn find_with<'a>(
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

/// Returns what would be active for the registry without the login stored for a scope.
///
/// # Errors
/// A source is invalid.
pub fn find_behind<'a>(
    scope: &LoginScope,
    registry: &Registry,
    context: &'a SourceContext<'a>,
) -> Result<Option<Resolved<'a>>> {
    for source in sources(registry, context) {
        if source.login_scope(registry, context).as_ref() == Some(scope) {
            continue;
        }
        let lookup = source.find(registry, context, &|scope| context.logins.read(scope))?;
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
            Lookup::Found(_) | Lookup::Nothing => {}
        }
    }
    nothing(registry, context)?;
    Ok(Search {
        resolved: None,
        expired,
    })
}

/// Returns an error if the settings choose a source, because it has no credentials.
fn nothing(registry: &Registry, context: &SourceContext<'_>) -> Result<()> {
    match context.choice.source {
        // Clients ask before they log in, and take any error for the end.
        None | Some(SourceName::Login) => Ok(()),
        Some(chosen) => {
            let (message, hint) = missing(chosen);
            let error = Error::user(format!(
                "the source selected for {registry} is '{chosen}', but {message}"
            ));
            Err(match hint {
                Some(hint) => error.with_hint(hint),
                None => error,
            })
        }
    }
}

/// An access token that was given, as something that proves who we are while it is
/// good.
pub fn of_access_token<'a>(token: Secret, context: &SourceContext<'a>) -> impl Identity + use<'a> {
    let source = "the access token that was given";
    let kind = SourceKind::Hint("It may have expired. Set another one, or an API key");
    SourceIdentity::new(context, source, kind, GrantInput::AccessToken(token))
}

/// The sources that may speak for the registry, in their order. The entitled
/// registry takes entitlement keys, which no IAM gives: a login for it comes first.
fn sources(
    registry: &Registry,
    context: &SourceContext<'_>,
) -> impl Iterator<Item = &'static dyn Source> {
    let first: Option<&'static dyn Source> = registry
        .is_entitled()
        .then_some(&StoredLogin::OfRegistry as _);
    let chosen = context.choice.source;
    first
        .into_iter()
        .chain(CHAIN)
        .filter(move |source| chosen.is_none_or(|chosen| chosen == source.name()))
}

/// Returns what is missing for a selected source, and the hint.
fn missing(chosen: SourceName) -> (&'static str, Option<&'static str>) {
    match chosen {
        SourceName::ComputeResourceToken => (
            "there is no compute resource token file, or no trusted profile for it",
            Some("Set IBMCLOUD_CR_PROFILE, or 'trusted-profile' in the profile"),
        ),
        SourceName::CredentialsFile => (
            "no IBM credentials file has a property that begins with CONTAINER_REGISTRY_",
            Some("Set IBM_CREDENTIALS_FILE, or 'file' in the profile"),
        ),
        SourceName::Environment => ("no variable has a credential", Some("Set IBMCLOUD_API_KEY")),
        SourceName::IbmCloudCli => (
            "the IBM Cloud CLI has no session",
            Some("Run 'ibmcloud login'"),
        ),
        SourceName::Login => (
            "no login is stored",
            Some("Run 'docker-credential-icr login'"),
        ),
        SourceName::PowerVs | SourceName::RegistryToken | SourceName::Vpc => {
            ("it cannot be used", None)
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;
    use crate::fs::tests::write_own;
    use crate::keychain::memory::MemoryKeychain;
    use crate::settings::Settings;
    use crate::time::fake::FakeClock;

    pub(super) const NOW: u64 = 1_800_000_000;

    /// A machine of its own, on which sources are looked for and nobody is asked.
    pub(super) struct Machine {
        pub(super) clock: FakeClock,
        directory: TempDir,
        environment: Vec<(String, String)>,
        keychain: MemoryKeychain,
        locks: LockDirectory,
        pub(super) system_paths: SystemPaths,
    }

    impl Machine {
        pub(super) fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let place = |name: &str| directory.path().join(name);
            Self {
                clock: FakeClock::at(NOW),
                environment: Vec::new(),
                keychain: MemoryKeychain::default(),
                locks: LockDirectory::at(None),
                system_paths: SystemPaths {
                    home: Some(place("home")),
                    root: place("root"),
                    working_directory: place("here"),
                },
                directory,
            }
        }

        pub(super) fn set(&mut self, name: &str, value: &str) -> &mut Self {
            self.environment.push((name.into(), value.into()));
            self
        }

        pub(super) fn unset(&mut self, name: &str) {
            self.environment.retain(|(known, _)| known != name);
        }

        /// Writes the settings file.
        pub(super) fn settings(&mut self, text: &str) {
            let path = self.file("config/config.toml", text);
            self.set("ICR_CONFIG", &path.display().to_string());
        }

        /// Writes a file below `home`, `root`, `here` or `config`.
        pub(super) fn file(&self, name: &str, text: &str) -> PathBuf {
            let path = self.directory.path().join(name);
            write_own(&path, text);
            path
        }

        /// Keeps a login with this user name.
        pub(super) fn log_in(&self, scope: &LoginScope, username: &str) {
            let login = crate::login::Login::new(Credential {
                username: username.into(),
                secret: Secret::new("secret"),
            });
            let logins = Logins::in_keychain(&self.keychain);
            logins.write(scope, &login).unwrap();
        }

        pub(super) fn log_out(&self, scope: &LoginScope) {
            Logins::in_keychain(&self.keychain).delete(scope).unwrap();
        }

        pub(super) fn tokens(&self) -> TokenCache<'_> {
            TokenCache::new(&self.keychain, &self.clock)
        }

        /// Lets a source look around on behalf of a registry.
        pub(super) fn look<T>(
            &self,
            host: &str,
            look: impl FnOnce(&Registry, &SourceContext<'_>) -> T,
        ) -> T {
            let environment: Environment = self.environment.iter().cloned().collect();
            let settings = Settings::load(&environment, None, None).unwrap();
            let registry = Registry::parse(host).unwrap();
            let choice = settings.choice(&registry);
            let endpoint = choice.iam_endpoint.clone();
            let endpoint = endpoint.unwrap_or_else(Endpoint::public);
            let context = SourceContext {
                choice,
                clock: &self.clock,
                endpoint,
                environment: &environment,
                locks: &self.locks,
                logins: Logins::in_keychain(&self.keychain),
                cached_logins: None,
                system_paths: &self.system_paths,
                working_directory_credentials: settings.working_directory_credentials,
                tokens: self.tokens(),
            };
            look(&registry, &context)
        }

        /// What speaks for the registry: a person's name for the source, `token …`,
        /// or `credential …`.
        pub(super) fn found(&self, host: &str) -> Result<Option<String>> {
            self.look(host, |registry, context| {
                let resolved = find(registry, context)?.resolved;
                Ok(resolved.map(|resolved| match resolved.identity {
                    ResolvedIdentity::AccessToken(token) => format!("token {}", token.expose()),
                    ResolvedIdentity::Credential(credential) => {
                        format!("credential {}", credential.username)
                    }
                    ResolvedIdentity::Exchanged(identity) => identity.source(),
                }))
            })
        }

        #[track_caller]
        pub(super) fn finds(&self, host: &str, part: &str) {
            let found = self.found(host).unwrap().unwrap_or_default();
            assert!(found.contains(part), "{found} instead of {part}");
        }

        #[track_caller]
        pub(super) fn fails_with(&self, parts: &[&str]) {
            let failure = self.found("us.icr.io").unwrap_err();
            assert!(failure.is_user(), "{failure:?}");
            let text = failure.to_string();
            for part in parts {
                assert!(text.contains(part), "{part} is missing: {text}");
            }
        }
    }

    fn registry(host: &str) -> Registry {
        Registry::parse(host).unwrap()
    }

    /// A machine with every source there is, the settings' own first.
    fn crowded() -> Machine {
        let mut machine = Machine::new();
        machine.settings("[profile.team]\n[registry.\"de.icr.io\"]\nprofile = \"team\"\n");
        machine
            .set("IBMCLOUD_API_KEY", "key")
            .set("IBMCLOUD_CR_TOKEN", "cr-token")
            .set("IBMCLOUD_CR_PROFILE", "Profile-1")
            .set("IC_IAM_REFRESH_TOKEN", "refresh")
            .set("IBMCLOUD_CR_VPC_URL", "http://127.0.0.1:1")
            .set("IBMCLOUD_CR_PVS_URL", "http://127.0.0.1:2");
        for scope in [
            LoginScope::Profile("team".into()),
            LoginScope::Registry(registry("us.icr.io")),
            LoginScope::Registry(registry("de.icr.io")),
            LoginScope::Registry(registry("cp.icr.io")),
            LoginScope::Default,
        ] {
            machine.log_in(&scope, "iamapikey");
        }
        machine.file(
            "home/ibm-credentials.env",
            "CONTAINER_REGISTRY_APIKEY=key\n",
        );
        machine.file("home/.bluemix/config.json", r#"{"IAMRefreshToken":"r"}"#);
        machine.file("root/var/run/secrets/tokens/vault-token", "token");
        machine
    }

    /// What is taken away, and who speaks then: each in the documented order.
    type Step = (&'static str, fn(&mut Machine), &'static str);

    const AFTER_LOGINS: [Step; 6] = [
        (
            "default login",
            |machine| machine.log_out(&LoginScope::Default),
            "API key in /",
        ),
        (
            "credentials file",
            |machine| std::fs::remove_file(machine.file("home/ibm-credentials.env", "")).unwrap(),
            "the IBM Cloud CLI's session in",
        ),
        (
            "session",
            |machine| drop(machine.file("home/.bluemix/config.json", "{}")),
            "tokens/vault-token for trusted profile Profile-1",
        ),
        (
            "token file",
            |machine| {
                let path = machine.file("root/var/run/secrets/tokens/vault-token", "");
                std::fs::remove_file(path).unwrap();
            },
            "this machine for trusted profile Profile-1",
        ),
        (
            "VPC",
            |machine| machine.unset("IBMCLOUD_CR_VPC_URL"),
            "this machine for trusted profile Profile-1",
        ),
        (
            "Power VS",
            |machine| machine.unset("IBMCLOUD_CR_PVS_URL"),
            "nothing",
        ),
    ];

    const ENVIRONMENT: [Step; 3] = [
        (
            "key",
            |machine| machine.unset("IBMCLOUD_API_KEY"),
            "the compute resource token in $IBMCLOUD_CR_TOKEN",
        ),
        (
            "compute resource token",
            |machine| machine.unset("IBMCLOUD_CR_TOKEN"),
            "the token in $IC_IAM_REFRESH_TOKEN",
        ),
        (
            "tokens",
            |machine| machine.unset("IC_IAM_REFRESH_TOKEN"),
            "the login for",
        ),
    ];

    fn runs_through(host: &str, mut machine: Machine, first: &str, steps: &[Step]) {
        machine.finds(host, first);
        for (what, take_away, next) in steps {
            take_away(&mut machine);
            let found = machine.found(host).unwrap();
            let found = found.as_deref().unwrap_or("nothing");
            assert!(found.contains(next), "without {what}: {found}");
        }
    }

    fn without_own_login(host: &'static str) -> Vec<Step> {
        let take: fn(&mut Machine) = match host {
            "cp.icr.io" => |machine| machine.log_out(&LoginScope::Registry(registry("cp.icr.io"))),
            _ => |machine| machine.log_out(&LoginScope::Registry(registry("us.icr.io"))),
        };
        vec![("own login", take, "the default login")]
    }

    #[test]
    fn sources_are_asked_in_the_documented_order() {
        let mut steps = Vec::from(ENVIRONMENT);
        steps.extend(without_own_login("us.icr.io"));
        steps.extend(AFTER_LOGINS);
        runs_through("us.icr.io", crowded(), "$IBMCLOUD_API_KEY", &steps);
    }

    #[test]
    fn the_profile_of_a_registry_comes_first_and_keeps_the_default_login_out() {
        let mut steps: Vec<Step> = vec![(
            "login of the profile",
            |machine| machine.log_out(&LoginScope::Profile("team".into())),
            "$IBMCLOUD_API_KEY",
        )];
        steps.extend(ENVIRONMENT);
        steps.push((
            "own login",
            |machine| machine.log_out(&LoginScope::Registry(registry("de.icr.io"))),
            "API key in /",
        ));
        steps.extend(&AFTER_LOGINS[1..]);
        let first = "the login for profile 'team'";
        runs_through("de.icr.io", crowded(), first, &steps);
    }

    #[test]
    fn the_entitled_registry_asks_its_own_login_first() {
        let machine = crowded();
        machine.finds("cp.icr.io", "the login for cp.icr.io");
        machine.log_in(&LoginScope::Registry(registry("cp.icr.io")), "cp");
        machine.finds("cp.icr.io", "credential cp");
        machine.log_out(&LoginScope::Registry(registry("cp.icr.io")));
        machine.finds("cp.icr.io", "$IBMCLOUD_API_KEY");
    }

    #[test]
    fn a_forced_source_is_the_only_one_asked() {
        for (name, part) in [
            ("compute-resource-token", "tokens/vault-token"),
            ("credentials-file", "API key in /"),
            ("environment", "$IBMCLOUD_API_KEY"),
            ("ibmcloud", "the IBM Cloud CLI's session"),
            ("login", "the login for us.icr.io"),
            ("power-vs", "this machine"),
            ("vpc", "this machine"),
        ] {
            let mut machine = crowded();
            machine.set("ICR_SOURCE", name);
            machine.finds("us.icr.io", part);
            let mut machine = Machine::new();
            machine.set("ICR_SOURCE", name);
            let outcome = machine.found("us.icr.io");
            match name {
                "login" => assert_eq!(outcome, Ok(None)),
                "power-vs" | "vpc" => assert!(outcome.unwrap().is_some()),
                _ => {
                    let text = outcome.unwrap_err().to_string();
                    assert!(text.contains(&format!("is '{name}', but")), "{text}");
                }
            }
        }
    }

    #[test]
    fn nobody_is_found_where_nobody_is() {
        assert_eq!(Machine::new().found("us.icr.io"), Ok(None));
    }
}
