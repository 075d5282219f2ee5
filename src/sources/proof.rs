//! What proves who we are, once a source has found it, and how IAM exchanges it.

use std::time::Duration;

use super::Identity;
use super::Origin;
use super::Resolved;
use super::ResolvedIdentity;
use super::SourceContext;
use crate::digest;
use crate::error::Error;
use crate::error::Result;
use crate::http::ServiceError;
use crate::iam::Iam;
use crate::iam::TokenResponse;
use crate::iam::endpoint::Endpoint;
use crate::iam::grant::Client;
use crate::iam::grant::Grant;
use crate::iam::jwt;
use crate::iam::trusted_profile::TrustedProfile;
use crate::metadata::MetadataService;
use crate::secret::Secret;
use crate::settings::CredentialKind;
use crate::settings::SourceName;
use crate::sources::advice::Service;
use crate::sources::advice::SourceKind;
use crate::time::Clock;
use crate::token_cache::CacheKey;
use crate::token_cache::TokenCache;

/// An access token of somebody else's that has less life than this, in seconds,
/// is replaced where it can be: a pull takes a while.
const ENOUGH: u64 = 120;

/// The life of an access token that does not say its end.
const UNKNOWN_LIFE: Duration = Duration::from_secs(60 * 60);

/// How long a refresh token is kept that does not say its end: IAM's own limit
/// (account documentation, `iam-token-exp.md`).
const REFRESH_TOKEN_LIFE: Duration = Duration::from_secs(72 * 60 * 60);

/// What IAM, or a machine's metadata service, gives an access token for.
pub(super) enum GrantInput {
    AccessToken(Secret),
    ApiKey(Secret),
    ComputeResource {
        token: Secret,
        profile: TrustedProfile,
    },
    Instance {
        service: MetadataService,
        profile: Option<TrustedProfile>,
    },
    RefreshToken {
        token: Secret,
        client: Client,
    },
}

impl GrantInput {
    /// Names it without giving it away.
    pub(super) fn id(&self) -> String {
        match self {
            Self::AccessToken(token) => digest::fingerprint(&["iambearer", token.expose()]),
            Self::ApiKey(key) => digest::fingerprint(&["iamapikey", key.expose()]),
            Self::ComputeResource { token, profile } => {
                profile.id_on_top_of(&digest::fingerprint(&["cr-token", token.expose()]))
            }
            Self::Instance { service, profile } => {
                let id = digest::fingerprint(&service.name_parts());
                match profile {
                    Some(profile) => profile.id_on_top_of(&id),
                    None => id,
                }
            }
            Self::RefreshToken { token, client } => {
                digest::fingerprint(&["iamrefresh", token.expose(), &client.id])
            }
        }
    }
}

/// The better of an access token and the refresh token that came with it. Where a
/// refresh token is to be handed out, no access token is of use.
pub(super) fn of_tokens(
    access_token: Option<Secret>,
    refresh_token: Option<Secret>,
    client: Client,
    context: &SourceContext<'_>,
) -> Option<GrantInput> {
    let now = context.clock.now();
    let has_ended = |token: &Secret, margin| jwt::has_expired(token.expose(), now, margin);
    let wants_refresh_token = context.choice.credential == CredentialKind::RefreshToken;
    match (access_token, refresh_token) {
        (_, Some(token)) if wants_refresh_token => Some(GrantInput::RefreshToken { token, client }),
        (Some(token), Some(_)) if !has_ended(&token, ENOUGH) => {
            Some(GrantInput::AccessToken(token))
        }
        (_, Some(token)) => Some(GrantInput::RefreshToken { token, client }),
        (Some(token), None) if !has_ended(&token, jwt::MARGIN) => {
            Some(GrantInput::AccessToken(token))
        }
        _ => None,
    }
}

/// The token in `Bearer eyJ…`, as some programs keep it; of `Bearer` alone, which
/// is left when a script's variable is empty, nothing.
pub(super) fn without_scheme(token: &str) -> Secret {
    let token = token.trim();
    let (scheme, bare) = token.split_once(char::is_whitespace).unwrap_or((token, ""));
    if scheme.eq_ignore_ascii_case("bearer") {
        Secret::new(bare.trim())
    } else {
        Secret::new(token)
    }
}

/// A proof, and what a person calls it.
pub(super) struct SourceIdentity<'a> {
    assume: Option<TrustedProfile>,
    endpoint: Endpoint,
    id: String,
    /// Decides what helps when IAM rejects it.
    kind: SourceKind,
    proof: GrantInput,
    source: String,
    tokens: TokenCache<'a>,
    clock: &'a dyn Clock,
}

impl<'a> SourceIdentity<'a> {
    pub(super) fn new(
        context: &SourceContext<'a>,
        source: impl Into<String>,
        kind: SourceKind,
        proof: GrantInput,
    ) -> Self {
        Self {
            assume: None,
            endpoint: context.endpoint.clone(),
            id: proof.id(),
            kind,
            proof,
            source: source.into(),
            tokens: context.tokens,
            clock: context.clock,
        }
    }

    /// With a trusted profile to assume on top, which makes it another identity.
    pub(super) fn assuming(self, profile: Option<TrustedProfile>) -> Self {
        match profile {
            None => self,
            Some(profile) => Self {
                id: profile.id_on_top_of(&self.id),
                assume: Some(profile),
                ..self
            },
        }
    }

    /// Of an IAM that the source itself names.
    pub(super) fn at(self, endpoint: Endpoint) -> Self {
        Self { endpoint, ..self }
    }

    /// Under an id that it is known by already.
    pub(super) fn known_as(self, id: String) -> Self {
        Self { id, ..self }
    }

    /// Returns what a source gives with this identity. An access token is the credential
    /// itself, unless a registry token is to be requested with it.
    pub(super) fn resolved(self, name: SourceName, context: &SourceContext<'_>) -> Resolved<'a> {
        let title = self.source.clone();
        let identity = match self {
            Self {
                proof: GrantInput::AccessToken(token),
                assume: None,
                ..
            } if context.choice.credential != CredentialKind::RegistryToken => {
                ResolvedIdentity::AccessToken(token)
            }
            identity => ResolvedIdentity::Exchanged(Box::new(identity)),
        };
        Resolved {
            identity,
            login: None,
            origin: Origin::Source(name),
            title,
        }
    }

    /// Whether it is a trusted profile's already, by its proof.
    pub(super) fn is_of_profile(&self) -> bool {
        matches!(
            self.proof,
            GrantInput::ComputeResource { .. } | GrantInput::Instance { .. }
        )
    }

    /// The metadata service that it asks, if it asks one.
    #[cfg(test)]
    pub(super) fn metadata_service(&self) -> Option<&MetadataService> {
        match &self.proof {
            GrantInput::Instance { service, .. } => Some(service),
            _ => None,
        }
    }

    fn error(&self, error: ServiceError, iam: &Iam<'_>) -> Error {
        let service = match &self.proof {
            GrantInput::Instance { service, .. } => service.into(),
            _ => Service::from(&iam.endpoint),
        };
        error.for_token(&self.source, &self.kind, service)
    }

    fn prove(&self, iam: &Iam<'_>, wanted: CredentialKind) -> Result<TokenResponse> {
        let outcome = match &self.proof {
            GrantInput::AccessToken(token) => return Ok(self.as_issued(token)),
            GrantInput::ApiKey(key) => iam.exchange(&Grant::ApiKey {
                key,
                for_refresh_token: wanted == CredentialKind::RefreshToken,
            }),
            GrantInput::ComputeResource { token, profile } => {
                iam.exchange(&Grant::ComputeResource { token, profile })
            }
            GrantInput::Instance { service, profile } => {
                service.access_token(&iam.http, profile.as_ref())
            }
            GrantInput::RefreshToken { token, client } => self.refresh(token, client, iam),
        };
        outcome.map_err(|error| self.error(error, iam))
    }

    fn as_issued(&self, token: &Secret) -> TokenResponse {
        let end = jwt::times(token.expose()).map(|times| times.exp);
        let left = end.map(|end| Duration::from_secs(end.saturating_sub(self.clock.now())));
        TokenResponse {
            access_token: token.clone(),
            lifetime: left.unwrap_or(UNKNOWN_LIFE),
            refresh_token: None,
            refresh_lifetime: None,
        }
    }

    /// The refresh token is somebody else's, and stays where it is. If IAM
    /// replaces it, ours is the newer one until that somebody gets another.
    ///
    /// What replaced it is kept under the token's own id: whoever is somebody else
    /// on top of it, or wants another kind of credential, goes on from there too.
    fn refresh(
        &self,
        token: &Secret,
        client: &Client,
        iam: &Iam<'_>,
    ) -> Result<TokenResponse, ServiceError> {
        let key = CacheKey::new(&self.endpoint, &self.proof.id());
        let ask = |token: &Secret| iam.exchange(&Grant::RefreshToken { token, client });
        let rotated_refresh_token = || self.tokens.rotated_refresh_token(&key);
        let mut current = rotated_refresh_token().unwrap_or_else(|| token.clone());
        let mut outcome = ask(&current);
        // Somebody may have replaced it just now, or what replaced it may be over.
        let others: [&dyn Fn() -> Option<Secret>; 2] =
            [&rotated_refresh_token, &|| Some(token.clone())];
        for other in others {
            if !matches!(outcome, Err(ServiceError::Refused { .. })) {
                break;
            }
            if let Some(other) = other().filter(|other| *other != current) {
                outcome = ask(&other).or(outcome);
                current = other;
            }
        }
        let mut issued = outcome?;
        let next = issued.refresh_token.get_or_insert(current);
        if next != token {
            let lifetime = issued.refresh_lifetime.unwrap_or(REFRESH_TOKEN_LIFE);
            self.tokens
                .insert_rotated_refresh_token(&key, next, lifetime);
        }
        Ok(issued)
    }
}

/// The identity that assumes a trusted profile, and that profile.
pub struct Base<'a> {
    /// The identity without the profile.
    pub identity: Box<dyn Identity + 'a>,
    profile: &'a TrustedProfile,
}

impl<'a> Base<'a> {
    pub(super) fn new(identity: impl Identity + 'a, profile: &'a TrustedProfile) -> Self {
        Self {
            identity: Box::new(identity),
            profile,
        }
    }

    /// Asks IAM for the profile's token, with an access token of the identity.
    ///
    /// # Errors
    /// What IAM said, with the name of the source and the profile.
    pub fn assume(&self, iam: &Iam<'_>, access_token: &Secret) -> Result<TokenResponse> {
        assume(iam, access_token, self.profile, &self.identity.source())
    }
}

/// What is proven without the trusted profile on top.
struct WithoutProfile<'a>(&'a SourceIdentity<'a>);

impl Identity for WithoutProfile<'_> {
    fn api_key(&self) -> Option<&Secret> {
        None
    }

    fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    fn exchange(&self, iam: &Iam<'_>, wanted: CredentialKind) -> Result<TokenResponse> {
        self.0.prove(iam, wanted)
    }

    /// Under the proof's own id, which it has wherever no profile is on top.
    fn key(&self) -> CacheKey {
        CacheKey::new(&self.0.endpoint, &self.0.proof.id())
    }

    fn source(&self) -> String {
        self.0.source()
    }
}

/// What the profile is given for an access token that may assume it.
pub(super) fn assume(
    iam: &Iam<'_>,
    access_token: &Secret,
    profile: &TrustedProfile,
    source: &str,
) -> Result<TokenResponse> {
    iam.exchange(&Grant::Assume {
        access_token,
        profile,
    })
    .map_err(|error| {
        let source = format!("{source} as {profile}");
        error.for_token(&source, &SourceKind::Profile, &iam.endpoint)
    })
}

impl Identity for SourceIdentity<'_> {
    fn api_key(&self) -> Option<&Secret> {
        match (&self.proof, &self.assume) {
            (GrantInput::ApiKey(key), None) => Some(key),
            _ => None,
        }
    }

    fn base(&self) -> Option<Base<'_>> {
        match (&self.proof, &self.assume) {
            // It is a token already.
            (GrantInput::AccessToken(_), _) | (_, None) => None,
            (_, Some(profile)) => Some(Base::new(WithoutProfile(self), profile)),
        }
    }

    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn exchange(&self, iam: &Iam<'_>, wanted: CredentialKind) -> Result<TokenResponse> {
        match &self.assume {
            None => self.prove(iam, wanted),
            Some(profile) => {
                let own = self.prove(iam, CredentialKind::AccessToken)?;
                assume(iam, &own.access_token, profile, &self.source)
            }
        }
    }

    fn key(&self) -> CacheKey {
        CacheKey::new(&self.endpoint, &self.id)
    }

    fn refresh_token(&self) -> Option<Secret> {
        match (&self.proof, &self.assume) {
            (GrantInput::RefreshToken { token, .. }, None) => {
                let rotated_refresh_token = self.tokens.rotated_refresh_token(&self.key());
                Some(rotated_refresh_token.unwrap_or_else(|| token.clone()))
            }
            _ => None,
        }
    }

    fn source(&self) -> String {
        self.source.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::cell::RefCell;

    use serde_json::json;

    use super::super::tests::Machine;
    use super::*;
    use crate::http::Http;
    use crate::http::Limits;
    use crate::http::test_support::response;
    use crate::http::transport::Body;
    use crate::http::transport::Request;
    use crate::http::transport::Response;
    use crate::http::transport::Transport;
    use crate::http::transport::TransportError;
    use crate::time::Deadline;

    #[test]
    fn the_scheme_is_taken_off_in_any_spelling() {
        for (text, token) in [
            ("Bearer eyJ", "eyJ"),
            (" bearer\t eyJ\n", "eyJ"),
            ("eyJ", "eyJ"),
            ("Bearer", ""),
            ("BEARER ", ""),
            ("Bearereyj", "Bearereyj"),
            ("Basic x", "Basic x"),
            ("é eyJ", "é eyJ"),
            ("", ""),
        ] {
            assert_eq!(without_scheme(text), Secret::new(token), "{text:?}");
        }
    }

    /// IAM that takes one refresh token, once, and replaces it.
    struct Rotating<'a> {
        asked: Cell<usize>,
        good: RefCell<String>,
        meanwhile: &'a dyn Fn(),
    }

    impl Transport for Rotating<'_> {
        fn send(&self, request: Request) -> Result<Response, TransportError> {
            self.asked.set(self.asked.get() + 1);
            let number = self.asked.get();
            (self.meanwhile)();
            let Body::Form(form) = request.body else {
                panic!("{request:?} has no form");
            };
            let is_good = form.iter().any(|(name, value)| {
                *name == "refresh_token" && value.expose() == self.good.borrow().as_str()
            });
            let (status, body) = if is_good {
                self.good.replace(format!("rotated-{number}"));
                let token = self.good.borrow().clone();
                (
                    200,
                    json!({"access_token": "a", "refresh_token": token, "expires_in": 3600}),
                )
            } else {
                (
                    400,
                    json!({"errorCode": "BXNIM0407E", "errorMessage": "no"}),
                )
            };
            response(status, &body.to_string())
        }
    }

    /// What a refresh of `first` comes to when IAM takes `good`, after how many
    /// requests.
    fn refresh(machine: &Machine, good: &str, meanwhile: &dyn Fn()) -> (Result<()>, usize) {
        let transport = Rotating {
            asked: Cell::new(0),
            good: RefCell::new(good.into()),
            meanwhile,
        };
        let limits = Limits::default();
        let iam = Iam {
            endpoint: Endpoint::public(),
            http: Http {
                transport: &transport,
                clock: &machine.clock,
                random: &|| 0,
                limits,
                max_attempts: 1,
                deadline: Deadline::after(&machine.clock, limits.deadline),
            },
        };
        let outcome = machine.look("us.icr.io", |_, context| {
            SourceIdentity::new(context, "a session", SourceKind::Other, first())
                .exchange(&iam, CredentialKind::AccessToken)
                .map(drop)
        });
        (outcome, transport.asked.get())
    }

    fn first() -> GrantInput {
        GrantInput::RefreshToken {
            token: Secret::new("first"),
            client: Client::cli(),
        }
    }

    fn rotated_refresh_token(machine: &Machine) -> Option<Secret> {
        machine.tokens().rotated_refresh_token(&key())
    }

    fn key() -> CacheKey {
        CacheKey::new(&Endpoint::public(), &first().id())
    }

    fn keep(machine: &Machine, token: &str) {
        let tokens = machine.tokens();
        tokens.insert_rotated_refresh_token(&key(), &Secret::new(token), REFRESH_TOKEN_LIFE);
    }

    #[test]
    fn what_replaced_a_refresh_token_is_used_from_then_on() {
        let machine = Machine::new();
        let nothing: &dyn Fn() = &|| {};
        assert_eq!(refresh(&machine, "first", nothing), (Ok(()), 1));
        assert_eq!(
            rotated_refresh_token(&machine),
            Some(Secret::new("rotated-1"))
        );
        assert_eq!(refresh(&machine, "rotated-1", nothing), (Ok(()), 1));
        keep(&machine, "over");
        assert_eq!(
            refresh(&machine, "first", nothing),
            (Ok(()), 2),
            "the session's own may live on"
        );
        assert_eq!(
            rotated_refresh_token(&machine),
            Some(Secret::new("rotated-2"))
        );
    }

    #[test]
    fn who_was_overtaken_goes_on_with_what_the_other_got() {
        let machine = Machine::new();
        let other = || keep(&machine, "of-another");
        assert_eq!(refresh(&machine, "of-another", &other), (Ok(()), 2));
        assert_eq!(
            rotated_refresh_token(&machine),
            Some(Secret::new("rotated-2"))
        );
    }

    #[test]
    fn a_session_that_is_over_is_asked_for_no_more_than_needed() {
        let machine = Machine::new();
        let (outcome, asked) = refresh(&machine, "none", &|| {});
        assert!(
            matches!(&outcome, Err(error) if error.is_user()),
            "{outcome:?}"
        );
        assert_eq!(asked, 1);
        keep(&machine, "over");
        let (outcome, asked) = refresh(&machine, "none", &|| {});
        assert!(outcome.is_err());
        assert_eq!(asked, 2);
    }
}
