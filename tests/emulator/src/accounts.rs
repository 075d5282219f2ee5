//! Who is who: which secret belongs to which identity, and what still works?

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Duration;
use std::time::Instant;

use crate::access_token;
use crate::clock;
use crate::random;

/// The identities, secrets and rules of the emulated cloud. Changes take effect with the next request.
#[derive(Debug)]
pub struct Accounts(Mutex<Ledger>);

impl Accounts {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Ledger {
            access_tokens: HashMap::new(),
            api_keys: HashMap::new(),
            entitlement_keys: HashSet::new(),
            profiles: HashMap::new(),
            public_namespaces: HashSet::from(["public".to_owned()]),
            refresh_rotation: true,
            refresh_tokens: HashMap::new(),
            registry_tokens: HashSet::new(),
            token_lifetime: 3600,
        }))
    }

    /// Makes `value` an API key of `subject`.
    pub fn add_api_key(&self, value: &str, subject: Subject) {
        self.ledger().api_keys.insert(value.to_owned(), subject);
    }

    /// Deletes an API key; tokens it was exchanged for live on, as with IBM.
    pub fn revoke_api_key(&self, value: &str) {
        self.ledger().api_keys.remove(value);
    }

    /// Makes `value` a refresh token of `subject`, issued to the client `bx`.
    pub fn add_refresh_token(&self, value: &str, subject: Subject) {
        self.ledger().refresh_tokens.insert(
            value.to_owned(),
            RefreshToken {
                expired: false,
                subject,
            },
        );
    }

    /// Lets a refresh token reach the end of its life: known, but refused.
    pub fn expire_refresh_token(&self, value: &str) {
        if let Some(token) = self.ledger().refresh_tokens.get_mut(value) {
            token.expired = true;
        }
    }

    /// Creates the trusted profile `id`, which the identities named by `iam_ids` may assume.
    pub fn add_profile(&self, id: &str, iam_ids: &[&str]) {
        let iam_ids = iam_ids.iter().map(|iam_id| (*iam_id).to_owned()).collect();
        self.ledger().profiles.insert(id.to_owned(), iam_ids);
    }

    /// Makes `value` a registry token (user name `token`).
    pub fn add_registry_token(&self, value: &str) {
        self.ledger().registry_tokens.insert(value.to_owned());
    }

    /// Makes `value` an entitlement key (user name `cp`).
    pub fn add_entitlement_key(&self, value: &str) {
        self.ledger().entitlement_keys.insert(value.to_owned());
    }

    /// Lets everybody pull from `name`, as they may from `public`.
    pub fn add_public_namespace(&self, name: &str) {
        self.ledger().public_namespaces.insert(name.to_owned());
    }

    /// How long access tokens issued from now on live; 3600 at first.
    pub fn set_token_lifetime(&self, seconds: u32) {
        self.ledger().token_lifetime = seconds.into();
    }

    /// Whether a refresh token works once only and is replaced by a new one; true at first.
    pub fn set_refresh_rotation(&self, rotation: bool) {
        self.ledger().refresh_rotation = rotation;
    }

    /// Whose API key is it?
    pub(crate) fn api_key(&self, value: &str) -> Option<Subject> {
        self.ledger().api_keys.get(value).cloned()
    }

    /// Whose access token is it, if it was issued here and lives?
    pub(crate) fn access_token(&self, value: &str) -> Option<Subject> {
        let ledger = self.ledger();
        let token = ledger.access_tokens.get(value)?;
        (clock::now() < token.expires).then(|| token.subject.clone())
    }

    /// Whose refresh token is it, if it lives?
    pub(crate) fn refresh_token(&self, value: &str) -> Option<Subject> {
        let ledger = self.ledger();
        let token = ledger.refresh_tokens.get(value)?;
        (!token.expired).then(|| token.subject.clone())
    }

    /// Issues an access token; returns it with its lifetime in seconds.
    pub(crate) fn issue_access_token(&self, subject: &Subject, grant_type: &str) -> (String, u64) {
        let mut ledger = self.ledger();
        let lifetime = ledger.token_lifetime;
        let token = access_token::mint(subject, grant_type, lifetime);
        let expires = clock::now() + Duration::from_secs(lifetime);
        ledger.access_tokens.insert(
            token.clone(),
            AccessToken {
                expires,
                subject: subject.clone(),
            },
        );
        (token, lifetime)
    }

    /// Issues a refresh token.
    pub(crate) fn issue_refresh_token(&self, subject: &Subject) -> String {
        let token = format!("OKA{}", random::text(320));
        self.add_refresh_token(&token, subject.clone());
        token
    }

    /// Uses a refresh token: whose it was, and the one to use next time. Of two racing users one wins, as with IBM.
    pub(crate) fn redeem_refresh_token(
        &self,
        value: &str,
    ) -> Result<(Subject, String), RefreshRefusal> {
        let mut ledger = self.ledger();
        let token = ledger
            .refresh_tokens
            .get(value)
            .ok_or(RefreshRefusal::Unknown)?;
        if token.expired {
            return Err(RefreshRefusal::Expired);
        }
        let subject = token.subject.clone();
        if !ledger.refresh_rotation {
            return Ok((subject, value.to_owned()));
        }
        ledger.refresh_tokens.remove(value);
        drop(ledger);
        let next = self.issue_refresh_token(&subject);
        Ok((subject, next))
    }

    /// The identity `subject` becomes by assuming the profile, if the profile allows it.
    pub(crate) fn assume(&self, profile_id: &str, subject: &Subject) -> Option<Subject> {
        let allowed = self
            .ledger()
            .profiles
            .get(profile_id)?
            .contains(&subject.iam_id);
        allowed.then(|| Subject {
            iam_id: format!("iam-{profile_id}"),
            account: subject.account.clone(),
        })
    }

    pub(crate) fn is_registry_token(&self, value: &str) -> bool {
        self.ledger().registry_tokens.contains(value)
    }

    pub(crate) fn is_entitlement_key(&self, value: &str) -> bool {
        self.ledger().entitlement_keys.contains(value)
    }

    pub(crate) fn is_public_namespace(&self, name: &str) -> bool {
        self.ledger().public_namespaces.contains(name)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0
            .lock()
            .expect("nothing panics while it holds the ledger")
    }
}

/// An identity of an account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Subject {
    /// IAM's name for it: `IBMid-1`, `iam-ServiceId-1`, `iam-Profile-1`.
    pub iam_id: String,
    /// The account it belongs to.
    pub account: String,
}

impl Subject {
    /// The person `IBMid-{id}` of `account-1`.
    pub fn user(id: &str) -> Self {
        Self {
            iam_id: format!("IBMid-{id}"),
            account: "account-1".to_owned(),
        }
    }

    /// The service ID `iam-ServiceId-{id}` of `account-1`.
    pub fn service_id(id: &str) -> Self {
        Self {
            iam_id: format!("iam-ServiceId-{id}"),
            account: "account-1".to_owned(),
        }
    }

    pub(crate) fn is_service_id(&self) -> bool {
        self.iam_id.starts_with("iam-ServiceId-")
    }
}

/// Why a refresh token is not exchanged.
#[derive(Debug)]
pub(crate) enum RefreshRefusal {
    Expired,
    Unknown,
}

#[derive(Debug)]
struct AccessToken {
    expires: Instant,
    subject: Subject,
}

#[derive(Debug)]
struct RefreshToken {
    expired: bool,
    subject: Subject,
}

#[derive(Debug)]
struct Ledger {
    access_tokens: HashMap<String, AccessToken>,
    api_keys: HashMap<String, Subject>,
    entitlement_keys: HashSet<String>,
    profiles: HashMap<String, HashSet<String>>,
    public_namespaces: HashSet<String>,
    refresh_rotation: bool,
    refresh_tokens: HashMap<String, RefreshToken>,
    registry_tokens: HashSet<String>,
    token_lifetime: u64,
}
