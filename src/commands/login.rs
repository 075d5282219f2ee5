//! `login`: checks a login with IAM and stores it.

mod answer;
mod configure_offer;

use std::time::Duration;

use super::api_key_input::ApiKeyArguments;
use super::api_key_lifecycle;
use super::browser_login::log_in_with_browser;
use super::login_context::LoginContext;
use super::print;
use super::print_json;
use super::redundant_logins;
use super::replacement;
use super::rotate;
use super::scopes::ScopeArgs;
use super::shadowing;
use super::sso_login::log_in_with_passcode;
use super::warnings::Warnings;
use crate::context::Context;
use crate::context::Session;
use crate::context::Stdio;
use crate::credentials::Broker;
use crate::error::Error;
use crate::error::Result;
use crate::iam::TokenResponse;
use crate::iam::api_keys::CreatedApiKey;
use crate::iam::endpoint::Endpoint;
use crate::iam::grant::Grant;
use crate::iam::owner::Owner;
use crate::iam::trusted_profile::TrustedProfile;
use crate::keychain::KeychainError;
use crate::keychain::Prompting;
use crate::login::Login;
use crate::login::LoginScope;
use crate::secret::Secret;
use crate::settings::CredentialKind;
use crate::settings::KeychainChoice;
use crate::settings::Settings;
use crate::sources::advice::SourceKind;
use answer::LoginAnswer;
pub(super) use answer::StoredLogin;

const EXAMPLES: &str = "\
Examples:
  docker-credential-icr login
  docker-credential-icr login us.icr.io de.icr.io --api-key @apikey.json
  docker-credential-icr login --sso --create-api-key";

/// Log in to all registries, or to those you name
///
/// IAM checks the login before it is stored in the system's keychain. If anything
/// fails, the stored login stays unchanged.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    scopes: ScopeArgs,

    #[command(flatten)]
    api_key: ApiKeyArguments,

    /// Log in with a one-time passcode, which you get in any browser
    #[arg(long, groups = ["method", "session"])]
    sso: bool,

    /// Log in with the browser on this machine
    #[arg(long, groups = ["method", "session"])]
    web: bool,

    /// Use the session of the IBM Cloud CLI
    #[arg(long, groups = ["method", "session"])]
    from_ibmcloud: bool,

    /// Replace the API key created by `--create-api-key`
    #[arg(long, group = "method", conflicts_with_all = ["profile_id", "create_api_key"])]
    rotate: bool,

    /// Create an API key for this machine and store it instead of the session
    #[arg(long)]
    create_api_key: bool,

    /// Days until the new API key expires [default: 90]
    #[arg(long, value_name = "DAYS", value_parser = api_key_lifecycle::days)]
    expires: Option<u32>,

    /// Assume an IAM trusted profile, by ID, CRN or name
    #[arg(long, value_name = "PROFILE")]
    profile_id: Option<String>,

    /// Account of the trusted profile, if it is not yours
    #[arg(long, value_name = "ID", requires = "profile_id")]
    account: Option<String>,

    /// Replace other logins and delete expired ones without asking
    #[arg(long)]
    yes: bool,

    /// Do not offer to add the helper to Docker and Podman; --yes does not, either
    #[arg(long)]
    no_configure: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    fn uses_session(&self) -> bool {
        self.sso || self.web || self.from_ibmcloud
    }

    /// Returns whether the login ends with the question about clients: not if the person wants
    /// no questions, and not after `--rotate`, which only replaces a key.
    fn offers_configure(&self) -> bool {
        !self.no_configure && !self.yes && !self.rotate
    }

    fn days(&self) -> u32 {
        self.expires.unwrap_or(api_key_lifecycle::DEFAULT_DAYS)
    }

    fn trusted_profile(&self) -> Result<Option<TrustedProfile>> {
        let profile = self.profile_id.as_deref().map(TrustedProfile::parse);
        let profile = profile.transpose();
        let profile = profile.map_err(|reason| Error::usage(format!("--profile-id {reason}")))?;
        Ok(profile.map(|profile| profile.with_account(self.account.clone())))
    }
}

pub(crate) fn run(
    arguments: &Arguments,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    if arguments.expires.is_some() && !arguments.uses_session() && !arguments.rotate {
        return Err(Error::usage("--expires needs a new API key")
            .with_hint("Add --rotate, or --create-api-key with --sso, --web or --from-ibmcloud"));
    }
    if arguments.create_api_key && !arguments.uses_session() {
        return Err(Error::usage(
            "--create-api-key needs one of --sso, --web or --from-ibmcloud",
        ));
    }
    let settings = context.settings()?;
    let session = Session::with_settings(context, settings, Prompting::Allowed)?;
    let broker = Broker::new(&session);
    let warnings = Warnings::new(context);
    let logins = if arguments.rotate {
        let days = arguments.days();
        let rotated = rotate::run(&arguments.scopes, days, &broker, &warnings);
        warnings.warn_of_skipped_keychains(&*broker.keychains.logins);
        rotated?
    } else {
        vec![log_in(arguments, &broker, stdio, &warnings)?]
    };
    if arguments.json {
        let answer = LoginAnswer {
            logins: logins.iter().map(StoredLogin::to_json).collect(),
            warnings: warnings.texts(),
        };
        print_json(stdio, &answer)
    } else {
        let texts: Vec<String> = logins.iter().map(StoredLogin::to_string).collect();
        print(stdio, &texts.join("\n\n"))?;
        if arguments.offers_configure() && is_dialog(stdio, context) {
            let scopes = arguments.scopes.scopes(broker.settings)?;
            configure_offer::offer(&scopes, &broker, stdio, &warnings)?;
        }
        Ok(())
    }
}

/// Returns whether a person sees the answer and can be asked.
fn is_dialog(stdio: &Stdio<'_>, context: &Context<'_>) -> bool {
    stdio.output_is_terminal && context.terminal.is_interactive()
}

/// Returns an error if the settings choose no keychain: nothing can be stored.
pub(super) fn require_keychain(settings: &Settings) -> Result<()> {
    if settings.keychain == KeychainChoice::None {
        return Err(KeychainError::Disabled.into_error("cannot store a login", Error::user));
    }
    Ok(())
}

fn log_in(
    arguments: &Arguments,
    broker: &Broker<'_>,
    stdio: &mut Stdio<'_>,
    warnings: &Warnings<'_>,
) -> Result<StoredLogin> {
    let scopes = arguments.scopes.scopes(broker.settings)?;
    let profile = arguments.trusted_profile()?;
    let endpoint = common_endpoint(&scopes, broker)?;
    require_keychain(broker.settings)?;
    let logins = broker.login_snapshot();
    let login_context = LoginContext {
        broker,
        logins: &logins,
        endpoint,
        warnings,
    };
    let mut identity = authenticate(arguments, &scopes, &login_context, stdio)?;
    let authenticated_at = broker.context.clock.elapsed();
    if let Some(profile) = profile {
        let profile = in_account_of(profile, identity.owner().as_ref());
        let issued = assume(&login_context, identity.access_token(), &profile)?;
        identity.assumed = Some((issued, profile));
    }
    let owner = Owner::of(&identity.token().access_token);
    let confirmed = replacement::confirm(&scopes, owner.as_ref(), arguments.yes, &login_context)?;
    let created_key = key_for_session(arguments, &identity, &login_context)?;
    let (login, token) = identity.login(created_key.as_ref())?;
    let stored = broker.replace_logins(&scopes, &logins, &|_| Some(login.clone()));
    warnings.warn_of_skipped_keychains(&*broker.keychains.logins);
    let replacements = stored.map_err(|error| match &created_key {
        None => error,
        Some((key, _)) => {
            let access_token = identity.access_token();
            let cleanup_note = api_key_lifecycle::delete_unused(&login_context, access_token, key);
            error.with_note(&cleanup_note)
        }
    })?;
    replacement::warn(&replacements, owner.as_ref(), &confirmed, &login_context);
    cache_token(&login_context, &login, &token, authenticated_at);
    redundant_logins::delete_expired(&scopes, arguments.yes, &login_context);
    shadowing::warn_if_shadowed(&scopes, &login_context);
    shadowing::warn_of_other_keychains(&scopes, &login_context);
    let key_name = created_key.map(|(key, _)| key.name);
    Ok(StoredLogin::new(scopes, login, key_name, &logins))
}

/// Caches the token of a login. `authenticated_at` is when IAM accepted the identity:
/// since then, the person may have taken long to answer a question.
fn cache_token(
    login_context: &LoginContext<'_>,
    login: &Login,
    token: &TokenResponse,
    authenticated_at: Duration,
) {
    let broker = login_context.broker;
    let waited = broker
        .context
        .clock
        .elapsed()
        .saturating_sub(authenticated_at);
    let lifetime = token.lifetime.saturating_sub(waited);
    broker.cache_token(
        &login_context.endpoint,
        login,
        &token.access_token,
        lifetime,
    );
}

/// An identity that IAM has accepted.
struct Authenticated {
    issued: TokenResponse,
    /// The API key that was exchanged; `None` for a session.
    key: Option<Secret>,
    /// The trusted profile that it assumes, with a token of it.
    assumed: Option<(TokenResponse, TrustedProfile)>,
}

impl Authenticated {
    /// Returns the identity's own token, not that of the trusted profile.
    fn access_token(&self) -> &Secret {
        &self.issued.access_token
    }

    /// Returns the owner of the identity's own token.
    fn owner(&self) -> Option<Owner> {
        Owner::of(self.access_token())
    }

    /// Returns the token of the login: that of the trusted profile, if one is assumed.
    fn token(&self) -> &TokenResponse {
        let assumed = self.assumed.as_ref();
        assumed.map_or(&self.issued, |(issued, _)| issued)
    }

    /// Returns the login to store, and a token of it: with the API key, with the one that was
    /// created for the session, or with the session's refresh token.
    fn login(
        &self,
        created: Option<&(CreatedApiKey, TokenResponse)>,
    ) -> Result<(Login, TokenResponse)> {
        let login = match (&self.key, created) {
            (Some(key), _) => api_key_login(key),
            (None, Some((key, _))) => {
                api_key_login(&key.key).with_issued_key(api_key_lifecycle::issued_key(key))
            }
            (None, None) => session_login(&self.issued)?,
        };
        let (login, token) = match (&self.assumed, created) {
            (Some((issued, profile)), _) => (login.assuming(profile.clone()), issued),
            (None, Some((_, issued))) => (login, issued),
            (None, None) => (login, &self.issued),
        };
        let owner = Owner::of(&token.access_token);
        Ok((login.with_owner(owner), token.clone()))
    }
}

fn authenticate(
    arguments: &Arguments,
    scopes: &[LoginScope],
    login_context: &LoginContext<'_>,
    stdio: &mut Stdio<'_>,
) -> Result<Authenticated> {
    let session = |issued| Authenticated {
        issued,
        key: None,
        assumed: None,
    };
    let terminal = login_context.broker.context.terminal;
    if arguments.sso {
        return log_in_with_passcode(&login_context.iam(), terminal).map(session);
    }
    if arguments.web {
        return log_in_with_browser(
            &login_context.iam(),
            terminal,
            login_context.broker.context.secure_random,
        )
        .map(session);
    }
    if arguments.from_ibmcloud {
        return use_cli_session(scopes, login_context).map(session);
    }
    let key = arguments
        .api_key
        .read(stdio, login_context.broker.context)?;
    let issued = if arguments.api_key.is_typed() {
        api_key_lifecycle::exchange_typed(login_context, &key)
    } else {
        api_key_lifecycle::check(login_context, &key)
    };
    let issued = issued.map_err(|error| {
        error.for_token("the API key", &SourceKind::Typed, &login_context.endpoint)
    })?;
    Ok(Authenticated {
        issued,
        key: Some(key),
        assumed: None,
    })
}

fn use_cli_session(
    scopes: &[LoginScope],
    login_context: &LoginContext<'_>,
) -> Result<TokenResponse> {
    let scope = scopes.first().unwrap_or(&LoginScope::Default);
    let progress = login_context.progress("Using the session of the IBM Cloud CLI");
    let (mut issued, endpoint) = login_context.broker.token_from_cli_session(scope)?;
    drop(progress);
    if endpoint != login_context.endpoint {
        login_context.warn(format!(
            "the IBM Cloud CLI uses the IAM endpoint {}, but this login uses {}. To change that, set `iam-endpoint` or `private-endpoints` in a profile of the settings file",
            endpoint.base(),
            login_context.endpoint.base(),
        ));
        // The cache would be that of this login's endpoint. A token without lifetime is not
        // cached.
        issued.lifetime = Duration::ZERO;
    }
    Ok(issued)
}

/// Returns the IAM endpoint of all scopes, which must have the same one.
fn common_endpoint(scopes: &[LoginScope], broker: &Broker<'_>) -> Result<Endpoint> {
    let entitled = scopes.iter().find_map(|scope| match scope {
        LoginScope::Registry(registry) if registry.is_entitled() => Some(registry),
        _ => None,
    });
    if let Some(registry) = entitled {
        return Err(Error::user(format!(
            "{registry} needs an entitlement key, which IAM does not know"
        ))
        .with_hint(format!("Run 'docker login -u cp {registry}'")));
    }
    let first = scopes.first().unwrap_or(&LoginScope::Default);
    let endpoint = broker.endpoint_of(first);
    let other = |scope: &&LoginScope| broker.endpoint_of(scope) != endpoint;
    match scopes.iter().find(other) {
        None => Ok(endpoint),
        Some(other) => Err(Error::user(format!(
            "{first} and {other} use different IAM endpoints ({} and {})",
            endpoint.base(),
            broker.endpoint_of(other).base()
        ))
        .with_hint("Log in to one after the other")),
    }
}

/// Adds an account to a trusted profile that is only named: IAM finds a trusted profile by
/// name only together with an account. If none was given, it is the identity's own.
fn in_account_of(profile: TrustedProfile, owner: Option<&Owner>) -> TrustedProfile {
    match &profile {
        TrustedProfile::Name { account: None, .. } => {
            profile.with_account(owner.and_then(|owner| owner.account.clone()))
        }
        _ => profile,
    }
}

fn assume(
    login_context: &LoginContext<'_>,
    access_token: &Secret,
    profile: &TrustedProfile,
) -> Result<TokenResponse> {
    let _progress = login_context.progress("Assuming the trusted profile");
    let issued = login_context.iam().exchange(&Grant::Assume {
        access_token,
        profile,
    });
    issued.map_err(|error| {
        error.with_source_and_hint(
            &profile.to_string(),
            &login_context.endpoint,
            "Check its ID and account, and that it trusts this identity",
        )
    })
}

/// Creates the API key to store instead of a session, if the person wants one.
fn key_for_session(
    arguments: &Arguments,
    identity: &Authenticated,
    login_context: &LoginContext<'_>,
) -> Result<Option<(CreatedApiKey, TokenResponse)>> {
    if identity.key.is_some() {
        return Ok(None);
    }
    let (days, owner) = (arguments.days(), identity.owner());
    let create = || {
        let access_token = identity.access_token();
        api_key_lifecycle::create(login_context, access_token, owner.as_ref(), days)
    };
    if arguments.create_api_key {
        return create().map(Some);
    }
    if !wants_api_key(login_context, owner.as_ref(), days)? {
        return Ok(None);
    }
    match create() {
        Ok(key) => Ok(Some(key)),
        Err(error) => {
            login_context.warn(format!("{error}. The session is stored instead"));
            Ok(None)
        }
    }
}

/// Asks whether to create an API key, if there is a terminal and IAM would create one.
fn wants_api_key(
    login_context: &LoginContext<'_>,
    owner: Option<&Owner>,
    days: u32,
) -> Result<bool> {
    let terminal = login_context.broker.context.terminal;
    if !terminal.is_interactive() || !owner.is_some_and(api_key_lifecycle::can_have_api_keys) {
        return Ok(false);
    }
    let question = format!(
        "This session expires within days. Create an API key for this machine instead, valid for {days} days?"
    );
    terminal
        .confirm(&question, true)
        .map_err(|error| Error::user(format!("canceled: nothing was stored ({error})")))
}

fn api_key_login(key: &Secret) -> Login {
    Login::new(CredentialKind::ApiKey.with(key.clone()))
}

fn session_login(issued: &TokenResponse) -> Result<Login> {
    let secret = issued.refresh_token.clone().ok_or_else(|| {
        Error::user("IAM issued no refresh token, so the session would expire within an hour")
            .with_hint("Add --create-api-key, or log in with an API key")
    })?;
    Ok(Login::new(CredentialKind::RefreshToken.with(secret)))
}
