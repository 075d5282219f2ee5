//! Credentials: how they are found, issued, refreshed, stored and deleted, in which order.

use crate::context::Context;
use crate::context::Session;
use crate::environment::Environment;
use crate::http::Http;
use crate::iam::Iam;
use crate::iam::endpoint::Endpoint;
use crate::keychain::Keychains;
use crate::login::LoginScope;
use crate::login::LoginSnapshot;
use crate::login::Logins;
use crate::registry::Registry;
use crate::settings::CredentialKind;
use crate::settings::ResolvedSettings;
use crate::settings::Settings;
use crate::sources::SourceContext;
use crate::time::Deadline;
use crate::token_cache::CacheKey;
use crate::token_cache::FAILURE_CACHING;
use crate::token_cache::TokenCache;

mod access;
mod cached_tokens;
mod check;
mod cleanup;
mod exchange;
mod from_source;
mod get;
mod info;
mod login_advice;
mod login_hints;
mod login_status;
mod logins;
mod own_credentials;
mod renewal;
mod service_account;
mod store;
#[cfg(test)]
pub(crate) mod test_support;

pub use check::CredentialCheck;
pub use get::TimedCredential;
pub use info::ActiveSource;
pub use info::CredentialInfo;
pub use info::TokenLife;
pub use info::login_command;
pub use login_advice::default_login_hint;
pub use login_advice::job_hint;
pub use login_advice::login_fix;
pub use login_advice::login_hint;
pub use login_status::ExpiryCause;
pub use login_status::LoginStatus;
pub use logins::Replacement;
pub use store::ShadowedLogin;
pub use store::StoreOutcome;
pub(crate) use store::with_read_secret;

/// Gets, stores and deletes credentials.
#[derive(Clone, Copy)]
pub struct Broker<'a> {
    /// What the program can reach.
    pub context: &'a Context<'a>,
    /// The settings.
    pub settings: &'a Settings,
    /// The keychains that the settings choose.
    pub keychains: &'a Keychains,
    /// The environment variables; empty while a moved login is verified.
    pub environment: &'a Environment,
    /// How long a failure is returned again without asking IAM, in seconds.
    pub failure_caching: u64,
}

impl<'a> Broker<'a> {
    /// Creates the broker of a session.
    pub fn new(session: &'a Session<'a>) -> Self {
        Self {
            context: session.context,
            settings: &session.settings,
            keychains: &session.keychains,
            environment: session.context.environment,
            failure_caching: FAILURE_CACHING,
        }
    }

    /// Creates a snapshot of the stored logins, which reads each one when it is first needed.
    pub fn login_snapshot(&self) -> LoginSnapshot<'a> {
        LoginSnapshot::of(Logins::in_keychain(&*self.keychains.logins))
    }
}

impl Broker<'_> {
    /// Returns the client of IAM at an endpoint.
    pub fn iam(&self, endpoint: &Endpoint, max_attempts: u32, deadline: Deadline) -> Iam<'_> {
        Iam {
            endpoint: endpoint.clone(),
            http: self.http(max_attempts, deadline),
        }
    }

    /// Returns the HTTP client, with the limits of the settings.
    pub(crate) fn http(&self, max_attempts: u32, deadline: Deadline) -> Http<'_> {
        Http {
            transport: self.context.transport,
            clock: self.context.clock,
            random: self.context.random,
            limits: self.settings.limits,
            max_attempts,
            deadline,
            proxies: &self.settings.proxies,
            outage_marks: &self.context.outage_marks,
            avoids_outages: false,
            trust: None,
        }
    }

    /// Returns the endpoint of the IAM that issues the tokens of a login.
    pub fn endpoint_of(&self, scope: &LoginScope) -> Endpoint {
        let chosen = self.settings_for(scope).iam_endpoint;
        chosen.unwrap_or_else(|| default_endpoint(is_staging(scope)))
    }

    fn settings_for(&self, scope: &LoginScope) -> ResolvedSettings<'_> {
        match scope {
            LoginScope::Default => self.settings.for_default_login(),
            LoginScope::Profile(name) => self.settings.for_profile(name),
            LoginScope::Registry(registry) => self.settings.for_registry(registry),
        }
    }

    /// Returns the deadline of an answer that is requested now.
    fn deadline(&self) -> Deadline {
        Deadline::after(self.context.clock, self.settings.limits.deadline)
    }

    fn source_context(&self, registry: &Registry) -> SourceContext<'_> {
        self.source_context_with(self.settings.for_registry(registry), registry.is_staging())
    }

    fn source_context_of(&self, scope: &LoginScope) -> SourceContext<'_> {
        self.source_context_with(self.settings_for(scope), is_staging(scope))
    }

    fn source_context_with<'b>(
        &'b self,
        settings: ResolvedSettings<'b>,
        is_staging: bool,
    ) -> SourceContext<'b> {
        let endpoint = settings.iam_endpoint.clone();
        SourceContext {
            endpoint: endpoint.unwrap_or_else(|| default_endpoint(is_staging)),
            settings,
            clock: self.context.clock,
            environment: self.environment,
            locks: &self.context.locks,
            logins: Logins::in_keychain(&*self.keychains.logins),
            cached_logins: self
                .keychains
                .cache_is_local
                .then(|| Logins::in_keychain(&*self.keychains.tokens)),
            system_paths: &self.context.system_paths,
            tokens: TokenCache::new(&*self.keychains.tokens, self.context.clock)
                .with_failure_caching(self.failure_caching),
            working_directory_credentials: self.settings.working_directory_credentials,
        }
    }
}

fn is_staging(scope: &LoginScope) -> bool {
    matches!(scope, LoginScope::Registry(registry) if registry.is_staging())
}

/// Returns the endpoint that is used unless the settings choose another one.
fn default_endpoint(is_staging: bool) -> Endpoint {
    if is_staging {
        Endpoint::staging()
    } else {
        Endpoint::public()
    }
}

impl CredentialKind {
    /// Returns the cache key of this kind of credential, from that of the identity's access
    /// token.
    fn key_of(self, key: CacheKey, registry: &Registry) -> CacheKey {
        match self {
            Self::RefreshToken => key.of_refresh_token(),
            Self::RegistryToken => key.of_registry_token(registry),
            Self::AccessToken | Self::ApiKey => key,
        }
    }
}

#[cfg(test)]
mod tests;
