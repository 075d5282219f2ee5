//! The secrets of the emulated cloud: their owners, and whether they are valid.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use serde_json::Value;

use crate::access_token;
use crate::api_keys::ApiKey;
use crate::browser_login::Authorization;
use crate::clock;
use crate::clusters;
use crate::clusters::TrustedCluster;
use crate::metadata::Instance;
use crate::metadata::MetadataApi;
use crate::profile::Profile;
use crate::profile::ProfileName;
use crate::random;
use crate::sessions;
use crate::sessions::RefreshRejection;
use crate::sessions::Session;
use crate::sessions::Sessions;
use crate::subject::Subject;
use crate::token_api::TokenBook;

/// The identities, secrets and rules of the emulated cloud. Changes take effect with the next request.
#[derive(Debug)]
pub struct Accounts(Mutex<Ledger>);

impl Accounts {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Ledger {
            access_tokens: HashMap::new(),
            api_keys: HashMap::new(),
            authorizations: HashMap::new(),
            browser: Browser::default(),
            clusters: Vec::new(),
            compute_resource_tokens: HashMap::new(),
            entitlement_keys: HashSet::new(),
            instance: Instance::default(),
            namespace_owners: HashMap::new(),
            passcodes: HashMap::new(),
            profiles: HashMap::new(),
            public_namespaces: HashSet::from(["public".to_owned()]),
            refresh_rotation: true,
            registry_tokens: HashSet::new(),
            sessions: Sessions::default(),
            token_book: TokenBook::default(),
            token_lifetime: 3600,
        }))
    }

    /// Makes `value` an API key of `subject`.
    pub fn add_api_key(&self, value: &str, subject: Subject) {
        self.keep_api_key(value, ApiKey::new("given", subject));
    }

    /// Deletes an API key; tokens it was exchanged for stay valid, as with IBM.
    pub fn revoke_api_key(&self, value: &str) {
        self.ledger().api_keys.remove(value);
    }

    /// Disables an API key: known, but rejected.
    pub fn disable_api_key(&self, value: &str) {
        if let Some(key) = self.ledger().api_keys.get_mut(value) {
            key.disabled = true;
        }
    }

    /// Makes an API key expired: known, but rejected.
    pub fn expire_api_key(&self, value: &str) {
        self.set_api_key_expiry(value, clock::unix_now().saturating_sub(60));
    }

    /// Sets when an API key expires, in seconds since 1970.
    pub fn set_api_key_expiry(&self, value: &str, expires_at: u64) {
        if let Some(key) = self.ledger().api_keys.get_mut(value) {
            key.expires_at = Some(expires_at);
        }
    }

    /// Returns the number of API keys, valid or not.
    pub fn api_key_count(&self) -> usize {
        self.ledger().api_keys.len()
    }

    /// Makes `value` a refresh token of `subject` in a session of its own, issued to the client `bx`.
    pub fn add_refresh_token(&self, value: &str, subject: Subject) {
        self.ledger().sessions.open(value, subject);
    }

    /// Makes a refresh token expired: known, but rejected.
    pub fn expire_refresh_token(&self, value: &str) {
        self.ledger().sessions.expire(value);
    }

    /// Revokes the session of a refresh token, as inactivity does: the token and all that replaced it are rejected. Access tokens
    /// stay valid. Returns false if there is no such token.
    pub fn invalidate_session(&self, refresh_token: &str) -> bool {
        self.ledger().sessions.invalidate(refresh_token)
    }

    /// Makes `value` a passcode that `subject` got in a browser. It works once.
    pub fn add_passcode(&self, value: &str, subject: Subject) {
        self.ledger().passcodes.insert(value.to_owned(), subject);
    }

    /// Sets who is logged in to IBM Cloud in the browser; `None`, as at first, rejects every login there.
    pub fn set_browser_subject(&self, subject: Option<Subject>) {
        self.ledger().browser.subject = subject;
    }

    /// Sets whether browsers are sent back with a wrong `state`, as by an attacker; false at first.
    pub fn set_wrong_state(&self, wrong: bool) {
        self.ledger().browser.wrong_state = wrong;
    }

    /// Creates the trusted profile `id` of `account-1`, which the identities named by `iam_ids` may assume.
    pub fn add_profile(&self, id: &str, iam_ids: &[&str]) {
        self.add_trusted_profile(Profile::new(id).trusting(iam_ids));
    }

    /// Creates a trusted profile, or replaces the one of the same ID.
    pub fn add_trusted_profile(&self, profile: Profile) {
        self.ledger().profiles.insert(profile.id.clone(), profile);
    }

    /// Makes `value` the token of a compute resource (for example a pod), and links the profiles of these IDs to it, in addition
    /// to those that are already linked. Unknown profiles are created in `account-1`.
    pub fn add_compute_resource_token(&self, value: &str, profiles: &[&str]) {
        let mut ledger = self.ledger();
        for id in profiles {
            ledger.profile(id);
        }
        let tokens = &mut ledger.compute_resource_tokens;
        let token = tokens.entry(value.to_owned()).or_default();
        token.expired = false;
        token
            .profiles
            .extend(profiles.iter().map(|id| (*id).to_owned()));
    }

    /// Makes the token of a compute resource expired: known, but rejected.
    pub fn expire_compute_resource_token(&self, value: &str) {
        if let Some(token) = self.ledger().compute_resource_tokens.get_mut(value) {
            token.expired = true;
        }
    }

    /// Makes a Kubernetes cluster known, with its keys and the profiles that are linked to its service accounts; replaces the one of
    /// this CRN. `clusters` describes the JSON. Unknown profiles are created in `account-1`.
    pub fn add_cluster(&self, json: &Value) -> anyhow::Result<()> {
        let cluster = TrustedCluster::from_json(json).context("this JSON describes no cluster")?;
        let mut ledger = self.ledger();
        for id in cluster.profiles() {
            ledger.profile(id);
        }
        ledger.clusters.retain(|known| known.crn != cluster.crn);
        ledger.clusters.push(cluster);
        Ok(())
    }

    /// Enables the metadata service of the virtual server with exactly these APIs. It is disabled at first.
    pub fn enable_metadata(&self, apis: &[MetadataApi]) {
        self.ledger().instance.apis = apis.to_vec();
    }

    /// Disables the metadata service: every request is rejected with `unauthorized`.
    pub fn disable_metadata(&self) {
        self.enable_metadata(&[]);
    }

    /// Links a profile to the virtual server, as at its creation: requests that name none get it. An unknown one is created in
    /// `account-1`.
    pub fn link_default_profile(&self, id: &str) {
        self.link_profile(id);
        self.ledger().instance.default_profile = Some(id.to_owned());
    }

    /// Links a further profile to the virtual server. An unknown one is created in `account-1`.
    pub fn link_profile(&self, id: &str) {
        let mut ledger = self.ledger();
        ledger.profile(id);
        ledger.instance.linked.insert(id.to_owned());
    }

    /// Unlinks a profile from the virtual server.
    pub fn unlink_profile(&self, id: &str) {
        let instance = &mut self.ledger().instance;
        instance.linked.remove(id);
        instance.default_profile.take_if(|default| default == id);
    }

    /// Makes all identity tokens of the virtual server expired.
    pub fn expire_identity_tokens(&self) {
        self.ledger().instance.identity_tokens.clear();
    }

    /// Makes `value` a registry token (user name `token`) that may push everywhere, besides those that a client creates.
    pub fn add_registry_token(&self, value: &str) {
        self.ledger().registry_tokens.insert(value.to_owned());
    }

    /// Makes `value` an entitlement key (user name `cp`).
    pub fn add_entitlement_key(&self, value: &str) {
        self.ledger().entitlement_keys.insert(value.to_owned());
    }

    /// Makes the namespace `name` public, like `public`.
    pub fn add_public_namespace(&self, name: &str) {
        self.ledger().public_namespaces.insert(name.to_owned());
    }

    /// Makes the registry's namespace `name` one of `account`, closed to others. Namespaces of no account are open to every login.
    pub fn add_account_namespace(&self, account: &str, name: &str) {
        let owners = &mut self.ledger().namespace_owners;
        owners.insert(name.to_owned(), account.to_owned());
    }

    /// Sets the lifetime in seconds of access tokens issued from now on; 3600 at first.
    pub fn set_token_lifetime(&self, seconds: u32) {
        self.ledger().token_lifetime = seconds.into();
    }

    /// Sets whether a refresh token works only once and is replaced by a new one; true at first.
    pub fn set_refresh_rotation(&self, rotation: bool) {
        self.ledger().refresh_rotation = rotation;
    }

    /// Returns the owner of a valid API key.
    pub(crate) fn api_key(&self, value: &str) -> Option<Subject> {
        let key = self.any_api_key(value).filter(ApiKey::is_valid);
        key.map(|key| key.subject)
    }

    /// Returns the API key, valid or not.
    pub(crate) fn any_api_key(&self, value: &str) -> Option<ApiKey> {
        self.ledger().api_keys.get(value).cloned()
    }

    /// Returns the API key of this ID.
    pub(crate) fn api_key_by_id(&self, id: &str) -> Option<ApiKey> {
        let ledger = self.ledger();
        ledger.api_keys.values().find(|key| key.id == id).cloned()
    }

    pub(crate) fn keep_api_key(&self, value: &str, key: ApiKey) {
        self.ledger().api_keys.insert(value.to_owned(), key);
    }

    /// Replaces the API key with the same ID.
    pub(crate) fn replace_api_key(&self, key: &ApiKey) {
        let mut ledger = self.ledger();
        if let Some(kept) = ledger.api_keys.values_mut().find(|kept| kept.id == key.id) {
            kept.clone_from(key);
        }
    }

    /// Deletes the API key of this ID.
    pub(crate) fn delete_api_key(&self, id: &str) {
        self.ledger().api_keys.retain(|_, key| key.id != id);
    }

    /// Returns the owner of a valid access token that was issued here.
    pub(crate) fn access_token(&self, value: &str) -> Option<Subject> {
        let ledger = self.ledger();
        let token = ledger.access_tokens.get(value)?;
        (clock::now() < token.expires).then(|| token.subject.clone())
    }

    /// Returns the owner of a valid refresh token.
    pub(crate) fn refresh_token(&self, value: &str) -> Result<Subject, RefreshRejection> {
        self.ledger().sessions.owner(value).cloned()
    }

    /// Issues an access token; returns it with its lifetime in seconds.
    pub(crate) fn issue_access_token(
        &self,
        subject: &Subject,
        grant_type: &str,
        session: Option<&Session>,
    ) -> (String, u64) {
        let mut ledger = self.ledger();
        let lifetime = ledger.token_lifetime;
        let token = access_token::mint(subject, grant_type, lifetime, session);
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

    /// Creates a session with a refresh token.
    pub(crate) fn open_session(&self, subject: &Subject) -> Session {
        let token = sessions::new_token();
        self.ledger().sessions.open(&token, subject.clone())
    }

    /// Uses a refresh token: returns its owner and the token for the next time. Of two parallel uses one succeeds, as with IBM.
    pub(crate) fn redeem_refresh_token(
        &self,
        value: &str,
    ) -> Result<(Subject, Session), RefreshRejection> {
        let mut ledger = self.ledger();
        let rotation = ledger.refresh_rotation;
        ledger.sessions.redeem(value, rotation)
    }

    /// Uses a passcode.
    pub(crate) fn redeem_passcode(&self, value: &str) -> Option<Subject> {
        self.ledger().passcodes.remove(value)
    }

    /// Returns a passcode for `subject`.
    pub(crate) fn issue_passcode(&self, subject: Subject) -> String {
        let passcode = random::text(9);
        self.add_passcode(&passcode, subject);
        passcode
    }

    pub(crate) fn browser(&self) -> Browser {
        self.ledger().browser.clone()
    }

    /// Returns an authorization code.
    pub(crate) fn issue_code(&self, authorization: Authorization) -> String {
        let code = random::text(32);
        let authorizations = &mut self.ledger().authorizations;
        authorizations.insert(code.clone(), authorization);
        code
    }

    /// Uses an authorization code, even if it turns out to be of no use.
    pub(crate) fn redeem_code(&self, code: &str) -> Option<Authorization> {
        self.ledger().authorizations.remove(code)
    }

    /// Returns the identity of the profile, if `subject` may assume it.
    pub(crate) fn assume(&self, name: ProfileName<'_>, subject: &Subject) -> Option<Subject> {
        let ledger = self.ledger();
        let mut named = ledger.profiles.values().filter(|known| name.means(known));
        named
            .find(|profile| profile.trusts(subject))
            .map(Profile::subject)
    }

    /// Returns the identity for a compute resource token.
    pub(crate) fn redeem_compute_resource_token(
        &self,
        value: &str,
        name: ProfileName<'_>,
    ) -> Result<Subject, ComputeRefusal> {
        let ledger = self.ledger();
        let profiles = match ledger.compute_resource_tokens.get(value) {
            Some(token) if token.expired => return Err(ComputeRefusal::ExpiredToken),
            Some(token) => token.profiles.clone(),
            None => clusters::linked_profiles(&ledger.clusters, value, clock::unix_now())?,
        };
        let profile = ledger.linked_profile(&profiles, name);
        profile.ok_or(ComputeRefusal::NotLinked)
    }

    /// Returns the identity of the virtual server with this profile, or with the one linked at its creation.
    pub(crate) fn instance_profile(&self, name: Option<ProfileName<'_>>) -> Option<Subject> {
        let ledger = self.ledger();
        let default = ledger.instance.default_profile.as_deref();
        let name = name.or(default.map(ProfileName::Id))?;
        ledger.linked_profile(&ledger.instance.linked, name)
    }

    /// Calls a function with the virtual server.
    pub(crate) fn with_instance<T>(&self, work: impl FnOnce(&mut Instance) -> T) -> T {
        work(&mut self.ledger().instance)
    }

    /// Calls a function with the tokens that clients created at registries.
    pub(crate) fn with_token_book<T>(&self, work: impl FnOnce(&mut TokenBook) -> T) -> T {
        work(&mut self.ledger().token_book)
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

    /// Returns the account that the namespace belongs to, if it belongs to one.
    pub(crate) fn namespace_owner(&self, name: &str) -> Option<String> {
        self.ledger().namespace_owners.get(name).cloned()
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0
            .lock()
            .expect("nothing panics while it holds the ledger")
    }
}

/// The state of the browser at IBM Cloud.
#[derive(Clone, Debug, Default)]
pub(crate) struct Browser {
    pub(crate) subject: Option<Subject>,
    pub(crate) wrong_state: bool,
}

/// Why a compute resource token is not exchanged.
#[derive(Debug)]
pub(crate) enum ComputeRefusal {
    ExpiredToken,
    LongLived,
    NotLinked,
    UnknownToken,
    WrongAudience,
}

#[derive(Debug)]
struct AccessToken {
    expires: Instant,
    subject: Subject,
}

#[derive(Debug, Default)]
struct ComputeResourceToken {
    expired: bool,
    /// The IDs of the profiles linked to the resource.
    profiles: HashSet<String>,
}

#[derive(Debug)]
struct Ledger {
    access_tokens: HashMap<String, AccessToken>,
    api_keys: HashMap<String, ApiKey>,
    authorizations: HashMap<String, Authorization>,
    browser: Browser,
    clusters: Vec<TrustedCluster>,
    compute_resource_tokens: HashMap<String, ComputeResourceToken>,
    entitlement_keys: HashSet<String>,
    instance: Instance,
    namespace_owners: HashMap<String, String>,
    passcodes: HashMap<String, Subject>,
    profiles: HashMap<String, Profile>,
    public_namespaces: HashSet<String>,
    refresh_rotation: bool,
    registry_tokens: HashSet<String>,
    sessions: Sessions,
    token_book: TokenBook,
    token_lifetime: u64,
}

impl Ledger {
    /// Returns the profile with this ID; creates it if it does not exist.
    fn profile(&mut self, id: &str) -> &Profile {
        let profiles = &mut self.profiles;
        profiles
            .entry(id.to_owned())
            .or_insert_with(|| Profile::new(id))
    }

    /// Returns the profile of this name, if it is among those of these IDs.
    fn linked_profile(&self, ids: &HashSet<String>, name: ProfileName<'_>) -> Option<Subject> {
        let mut linked = ids.iter().filter_map(|id| self.profiles.get(id));
        linked
            .find(|profile| name.means(profile))
            .map(Profile::subject)
    }
}
