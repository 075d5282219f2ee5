//! `login`: who am I from now on?

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use super::api_key_input::ApiKeyArguments;
use super::api_key_lifecycle;
use super::browser_login::log_in_with_browser;
use super::login_context::LoginContext;
use super::print;
use super::print_json;
use super::redundant_logins;
use super::replacement;
use super::rotate;
use super::scopes;
use super::scopes::ScopeArgs;
use super::scopes::listed;
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
use crate::iam::owner::OwnerKind;
use crate::iam::trusted_profile::TrustedProfile;
use crate::keychain::Prompting;
use crate::login::IssuedKey;
use crate::login::Login;
use crate::login::LoginScope;
use crate::secret::Secret;
use crate::settings::CredentialKind;
use crate::settings::KeychainChoice;
use crate::sources::advice::SourceKind;
use crate::time;

const EXAMPLES: &str = "\
Examples:
  docker-credential-icr login                       asks for an API key, for every registry
  docker-credential-icr login us.icr.io de.icr.io   for these alone
  docker-credential-icr login --api-key-stdin < key
  docker-credential-icr login --sso                 a passcode from your browser
  docker-credential-icr login --from-ibmcloud --create-api-key --expires 30
  docker-credential-icr login --rotate              a new API key for the old one";

/// Log in once, for every registry or for some
///
/// What you log in with is checked at IAM before it is stored in the system's
/// keychain; if anything fails, what was stored before stays as it is.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    named: ScopeArgs,

    #[command(flatten)]
    api_key: ApiKeyArguments,

    /// Log in with a passcode that IBM Cloud shows in your browser
    #[arg(long, groups = ["way", "session"])]
    sso: bool,

    /// Log in with your browser
    #[arg(long, groups = ["way", "session"])]
    web: bool,

    /// Take over the session of the IBM Cloud CLI
    #[arg(long, groups = ["way", "session"])]
    from_ibmcloud: bool,

    /// Replace the API key that this program had made by a new one
    #[arg(long, group = "way", conflicts_with_all = ["profile_id", "create_api_key"])]
    rotate: bool,

    /// Keep an API key that IAM makes for this machine, not a session that ends
    #[arg(long, requires = "session")]
    create_api_key: bool,

    /// In how many days that API key ends
    #[arg(long, value_name = "DAYS", value_parser = api_key_lifecycle::days)]
    expires: Option<u32>,

    /// Assume a trusted profile: its ID, CRN or name
    #[arg(long, value_name = "PROFILE")]
    profile_id: Option<String>,

    /// The account of a trusted profile that is named, unless it is your own
    #[arg(long, value_name = "ID", requires = "profile_id")]
    account: Option<String>,

    /// Replace the login of another identity, and remove logins that are over, without
    /// asking
    #[arg(long)]
    yes: bool,

    /// Print JSON, whose keys stay as they are
    #[arg(long)]
    json: bool,
}

impl Arguments {
    fn is_for_session(&self) -> bool {
        self.sso || self.web || self.from_ibmcloud
    }

    fn days(&self) -> u32 {
        self.expires.unwrap_or(api_key_lifecycle::DEFAULT_DAYS)
    }

    fn trusted_profile(&self) -> Result<Option<TrustedProfile>> {
        let profile = self.profile_id.as_deref().map(TrustedProfile::parse);
        let profile = profile.transpose();
        let profile = profile.map_err(|reason| Error::user(format!("--profile-id {reason}")))?;
        Ok(profile.map(|profile| profile.with_account(self.account.clone())))
    }
}

pub(crate) fn run(
    arguments: &Arguments,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
) -> Result<()> {
    if arguments.expires.is_some() && !arguments.is_for_session() && !arguments.rotate {
        return Err(Error::usage(
            "--expires is for an API key that is made: use it with --rotate, or with --create-api-key after --sso, --web or --from-ibmcloud",
        ));
    }
    let settings = context.settings()?;
    if settings.keychain == KeychainChoice::None {
        return Err(Error::user(
            "the settings choose no keychain (`none`), so that a login cannot be kept; choose one with ICR_KEYCHAIN or in the settings file, or give the API key in $IBMCLOUD_API_KEY",
        ));
    }
    let session = Session::with_settings(context, settings, Prompting::Allowed)?;
    let broker = Broker::new(&session);
    let warnings = Warnings::new(context);
    let done = match arguments.rotate {
        true => rotate::run(
            &arguments.named,
            arguments.days(),
            &broker,
            context,
            &warnings,
        )?,
        false => vec![log_in(arguments, &broker, stdio, context, &warnings)?],
    };
    match arguments.json {
        true => {
            let logins: Vec<Value> = done.iter().map(Done::as_json).collect();
            let answer = json!({"logins": logins, "warnings": warnings.texts()});
            print_json(stdio, &answer)
        }
        false => {
            let texts: Vec<String> = done.iter().map(Done::to_string).collect();
            print(stdio, &texts.join("\n\n"))
        }
    }
}

fn log_in(
    arguments: &Arguments,
    broker: &Broker<'_>,
    stdio: &mut Stdio<'_>,
    context: &Context<'_>,
    warnings: &Warnings<'_>,
) -> Result<Done> {
    let scopes = arguments.named.scopes(broker.settings)?;
    let profile = arguments.trusted_profile()?;
    let endpoint = common_endpoint(&scopes, broker)?;
    let login_context = LoginContext::new(broker, endpoint, context, warnings);
    let proof = prove(arguments, &scopes, &login_context, stdio)?;
    let proved_at = broker.context.clock.elapsed();
    let access_token = &proof.issued.access_token;
    let own = Owner::of(access_token);
    let assumed = match profile {
        None => None,
        Some(profile) => {
            let profile = in_account_of(profile, own.as_ref());
            Some((assume(&login_context, access_token, &profile)?, profile))
        }
    };
    let final_token = assumed.as_ref().map(|(issued, _)| &issued.access_token);
    let owner = Owner::of(final_token.unwrap_or(access_token));
    replacement::confirm(&scopes, owner.as_ref(), arguments.yes, &login_context)?;
    let key = match proof.key {
        Some(_) => None,
        None => key_for_session(arguments, &login_context, access_token, own.as_ref())?,
    };
    let login = proof.login(key.as_ref().map(|(key, _)| key))?;
    let (login, issued) = match (assumed, &key) {
        (Some((issued, profile)), _) => (login.assuming(profile), issued),
        (None, Some((_, issued))) => (login, issued.clone()),
        (None, None) => (login, proof.issued.clone()),
    };
    let login = login.owned_by(Owner::of(&issued.access_token));
    store(&scopes, &login, &login_context).map_err(|failure| match &key {
        None => failure,
        Some((key, _)) => {
            let end = api_key_lifecycle::delete_unused(&login_context, access_token, key);
            api_key_lifecycle::after(failure, &end)
        }
    })?;
    // Somebody may have thought long about a question.
    let waited = broker.context.clock.elapsed().saturating_sub(proved_at);
    let life = issued.lifetime.saturating_sub(waited);
    broker.keep_token(&login_context.endpoint, &login, &issued.access_token, life);
    redundant_logins::remove_ended(&scopes, arguments.yes, &login_context);
    shadowing::warn_if_shadowed(&scopes, &login_context);
    let owner = login.owner.clone();
    let key_name = key.map(|(key, _)| key.name);
    Ok(Done::new(scopes, &login, owner, key_name, broker))
}

fn store(scopes: &[LoginScope], login: &Login, login_context: &LoginContext<'_>) -> Result<()> {
    let logins = scopes.iter().map(|scope| (scope.clone(), login.clone()));
    login_context.broker.log_in_all(&logins.collect::<Vec<_>>())
}

/// What IAM has said yes to, before it is stored.
struct Proof {
    issued: TokenResponse,
    /// The API key that was exchanged; without one it is a session.
    key: Option<Secret>,
}

impl Proof {
    /// What is stored of it, or of the API key that takes its place.
    fn login(&self, successor: Option<&CreatedApiKey>) -> Result<Login> {
        match (&self.key, successor) {
            (Some(key), _) => Ok(api_key_login(key)),
            (None, Some(key)) => {
                Ok(api_key_login(&key.key).with_issued_key(api_key_lifecycle::issued_key(key)))
            }
            (None, None) => session_login(&self.issued),
        }
    }
}

fn prove(
    arguments: &Arguments,
    scopes: &[LoginScope],
    login_context: &LoginContext<'_>,
    stdio: &mut Stdio<'_>,
) -> Result<Proof> {
    let session = |issued| Proof { issued, key: None };
    let terminal = login_context.context.terminal;
    if arguments.sso {
        return log_in_with_passcode(&login_context.iam(), terminal).map(session);
    }
    if arguments.web {
        return log_in_with_browser(
            &login_context.iam(),
            terminal,
            login_context.context.secure_random,
        )
        .map(session);
    }
    if arguments.from_ibmcloud {
        return by_cli_session(scopes, login_context).map(session);
    }
    let key = arguments.api_key.read(stdio, login_context.context)?;
    let _progress = login_context.progress("Asking IAM whose API key this is");
    let issued = if arguments.api_key.is_typed() {
        api_key_lifecycle::exchange_typed(login_context, &key)
    } else {
        api_key_lifecycle::exchange(login_context, &key)
    };
    let issued = issued.map_err(|error| {
        error.for_token("the API key", &SourceKind::Typed, &login_context.endpoint)
    })?;
    Ok(Proof {
        issued,
        key: Some(key),
    })
}

fn by_cli_session(
    scopes: &[LoginScope],
    login_context: &LoginContext<'_>,
) -> Result<TokenResponse> {
    let scope = scopes.first().unwrap_or(&LoginScope::Default);
    let progress = login_context.progress("Taking over the session of the IBM Cloud CLI");
    let (mut issued, endpoint) = login_context.broker.take_over_cli_session(scope)?;
    drop(progress);
    if endpoint != login_context.endpoint {
        login_context.warn(format!(
            "the IBM Cloud CLI asks IAM at {}, but this login will at {}; `iam-endpoint` or `private-endpoints` in a profile of the settings file changes that",
            endpoint.base(),
            login_context.endpoint.base(),
        ));
        // Its token is none of the other IAM's, so it is not kept as one.
        issued.lifetime = Duration::ZERO;
    }
    Ok(issued)
}

/// The one IAM that all of these are logged in at.
fn common_endpoint(scopes: &[LoginScope], broker: &Broker<'_>) -> Result<Endpoint> {
    let entitled = scopes.iter().find_map(|scope| match scope {
        LoginScope::Registry(registry) if registry.is_entitled() => Some(registry),
        _ => None,
    });
    if let Some(registry) = entitled {
        return Err(Error::user(format!(
            "{registry} takes an entitlement key, which is none of IAM's; log in with `docker login -u cp {registry}`"
        )));
    }
    let first = scopes.first().unwrap_or(&LoginScope::Default);
    let endpoint = broker.endpoint_of(first);
    let other = |scope: &&LoginScope| broker.endpoint_of(scope) != endpoint;
    match scopes.iter().find(other) {
        None => Ok(endpoint),
        Some(other) => Err(Error::user(format!(
            "{first} and {other} belong to different IAMs ({} and {}); log in to one after the other",
            endpoint.base(),
            broker.endpoint_of(other).base()
        ))),
    }
}

/// IAM wants to know the account of a profile's name; as a rule it is one's own.
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

/// The API key that takes the place of a session, if somebody wants one.
fn key_for_session(
    arguments: &Arguments,
    login_context: &LoginContext<'_>,
    access_token: &Secret,
    owner: Option<&Owner>,
) -> Result<Option<(CreatedApiKey, TokenResponse)>> {
    let days = arguments.days();
    if arguments.create_api_key {
        return api_key_lifecycle::create(login_context, access_token, owner, days).map(Some);
    }
    if !is_wanted(login_context, owner, days)? {
        return Ok(None);
    }
    match api_key_lifecycle::create(login_context, access_token, owner, days) {
        Ok(key) => Ok(Some(key)),
        Err(failure) => {
            let kept = "; the session is kept instead";
            login_context.warn(failure.with_end(kept).to_string());
            Ok(None)
        }
    }
}

/// Whether a person who can be asked wants an API key.
fn is_wanted(login_context: &LoginContext<'_>, owner: Option<&Owner>, days: u32) -> Result<bool> {
    let terminal = login_context.context.terminal;
    if !terminal.is_interactive() || !owner.is_some_and(api_key_lifecycle::can_have_api_keys) {
        return Ok(false);
    }
    let question = format!(
        "This session will end. Have IAM make an API key for this machine instead, good for {days} days?"
    );
    terminal
        .confirm(&question, true)
        .map_err(|error| Error::user(format!("you broke off ({error}); nothing was stored")))
}

fn api_key_login(key: &Secret) -> Login {
    Login::new(CredentialKind::ApiKey.with(key.clone()))
}

fn session_login(issued: &TokenResponse) -> Result<Login> {
    let secret = issued.refresh_token.clone().ok_or_else(|| {
        Error::user("IAM gave no refresh token for this session, so that it would end within the hour; use --create-api-key, or log in with an API key")
    })?;
    Ok(Login::new(CredentialKind::RefreshToken.with(secret)))
}

/// A login that was stored.
pub(super) struct Done {
    scopes: Vec<LoginScope>,
    username: String,
    owner: Option<Owner>,
    trusted_profile: Option<TrustedProfile>,
    key: Option<IssuedKey>,
    key_name: Option<String>,
    keychain: Option<KeychainChoice>,
}

impl Done {
    pub(super) fn new(
        scopes: Vec<LoginScope>,
        login: &Login,
        owner: Option<Owner>,
        key_name: Option<String>,
        broker: &Broker<'_>,
    ) -> Self {
        let holder = scopes.first().map(|scope| broker.holder(scope));
        Self {
            username: login.username.clone(),
            owner,
            trusted_profile: login.trusted_profile.clone(),
            key: login.issued_key.clone(),
            key_name,
            keychain: holder.and_then(|holder| holder.ok().flatten()),
            scopes,
        }
    }

    fn as_json(&self) -> Value {
        let scopes: Vec<Value> = self.scopes.iter().map(scopes::as_json).collect();
        let profile = self.trusted_profile.as_ref().map(|profile| match profile {
            TrustedProfile::Id(text) | TrustedProfile::Crn(text) => text,
            TrustedProfile::Name { name, .. } => name,
        });
        let key = self
            .key
            .as_ref()
            .map(|key| json!({"id": key.id, "name": self.key_name, "expires_at": key.expires_at}));
        json!({
            "scopes": scopes,
            "username": self.username,
            "owner": self.owner.as_ref().map(owner_as_json),
            "trusted_profile": profile,
            "api_key": key,
            "keychain": self.keychain.map(KeychainChoice::name),
        })
    }
}

pub(super) fn owner_as_json(owner: &Owner) -> Value {
    let kind = match owner.kind {
        OwnerKind::Profile => "trusted-profile",
        OwnerKind::ServiceId => "service-id",
        OwnerKind::User => "user",
    };
    json!({
        "kind": kind,
        "iam_id": owner.iam_id,
        "account": owner.account,
        "name": owner.name,
        "email": owner.email,
    })
}

impl std::fmt::Display for Done {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.owner {
            Some(owner) => writeln!(formatter, "Logged in as {owner}.")?,
            None => writeln!(formatter, "Logged in as somebody whom IAM does not name.")?,
        }
        let keychain = self.keychain.unwrap_or_default().described();
        let scopes = listed(&self.scopes);
        write!(formatter, "The login for {scopes} rests in {keychain}.")?;
        if let Some(IssuedKey { id, expires_at }) = &self.key {
            let name = self.key_name.as_deref().unwrap_or_default();
            let end = expires_at.map_or("does not end".into(), |end| {
                format!("ends on {}", time::day(end))
            });
            write!(
                formatter,
                "\nIts API key `{name}` ({id}) {end}; {} replaces it.",
                self.rotation()
            )?;
        } else if self.username == "iamrefresh" {
            write!(
                formatter,
                "\nIt is a session, which IAM ends within days; --create-api-key makes a login that lasts."
            )?;
        }
        Ok(())
    }
}

impl Done {
    fn rotation(&self) -> String {
        let scope = self.scopes.first().unwrap_or(&LoginScope::Default);
        format!("`{}`", scope.rotate_command())
    }
}
