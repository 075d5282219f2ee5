//! `cloud.json` and `cloud-NAME.json`: the content of an emulated IBM Cloud.

use std::collections::BTreeMap;

use icr_emulator::Emulator;
use icr_emulator::MetadataApi;
use icr_emulator::Profile;
use icr_emulator::Subject;
use serde::Deserialize;

use super::support::TestEnv;

/// The clouds besides the main one, by the name of their file.
#[derive(Default)]
pub(crate) struct Clouds(BTreeMap<String, Emulator>);

impl Clouds {
    /// Starts a cloud. It replaces an earlier one of the same name.
    pub(crate) fn start(&mut self, name: &str, file: &CloudFile, env: &TestEnv) {
        let cloud = Emulator::start().expect("a free port on loopback");
        file.set_up(&cloud, env);
        self.0.insert(name.to_owned(), cloud);
    }

    /// Returns the name and the URL of each cloud.
    pub(crate) fn urls(&self) -> impl Iterator<Item = (&str, String)> {
        self.0.iter().map(|(name, cloud)| (&**name, cloud.url()))
    }
}

/// The content of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CloudFile {
    #[serde(default)]
    api_keys: BTreeMap<String, Owned>,
    #[serde(default)]
    compute_resource_tokens: BTreeMap<String, Linked>,
    metadata_service: Option<MetadataService>,
    #[serde(default)]
    refresh_tokens: BTreeMap<String, Owned>,
    /// Whether a refresh token works only once (the default).
    refresh_tokens_rotate: Option<bool>,
    #[serde(default)]
    trusted_profiles: BTreeMap<String, TrustedProfile>,
}

/// An API key or a refresh token.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Owned {
    /// `name` for the person `IBMid-name`.
    owner: String,
    account: Option<String>,
    state: Option<State>,
}

/// Whether a secret is still valid.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Disabled,
    Expired,
    Revoked,
}

/// A compute resource token.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Linked {
    /// IDs of the trusted profiles that it can be exchanged for.
    profiles: Vec<String>,
    #[serde(default)]
    expired: bool,
}

/// The metadata service of a virtual server, at the cloud's URL.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MetadataService {
    /// Without one, the service is disabled.
    api: Option<Api>,
    default_profile: Option<String>,
    #[serde(default)]
    linked_profiles: Vec<String>,
}

/// The versions of the metadata service's API.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Api {
    Identity,
    InstanceIdentity,
    PowerVs,
}

/// A trusted profile, by its ID.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrustedProfile {
    account: Option<String>,
    name: Option<String>,
    /// IAM IDs that may assume it.
    #[serde(default)]
    trusts: Vec<String>,
}

impl CloudFile {
    /// Adds the content to a cloud, and its secrets to those of the test.
    pub(crate) fn set_up(&self, cloud: &Emulator, env: &TestEnv) {
        let accounts = cloud.accounts();
        if let Some(rotate) = self.refresh_tokens_rotate {
            accounts.set_refresh_rotation(rotate);
        }
        for (key, it) in &self.api_keys {
            env.add_secret(key);
            accounts.add_api_key(key, it.subject());
            match it.state {
                None => {}
                Some(State::Disabled) => accounts.disable_api_key(key),
                Some(State::Expired) => accounts.expire_api_key(key),
                Some(State::Revoked) => accounts.revoke_api_key(key),
            }
        }
        for (token, it) in &self.refresh_tokens {
            env.add_secret(token);
            accounts.add_refresh_token(token, it.subject());
            match it.state {
                None => {}
                Some(State::Disabled) => panic!("a refresh token cannot be disabled"),
                Some(State::Expired) => accounts.expire_refresh_token(token),
                Some(State::Revoked) => assert!(accounts.invalidate_session(token)),
            }
        }
        for (token, it) in &self.compute_resource_tokens {
            env.add_secret(token);
            let profiles: Vec<&str> = it.profiles.iter().map(String::as_str).collect();
            accounts.add_compute_resource_token(token, &profiles);
            if it.expired {
                accounts.expire_compute_resource_token(token);
            }
        }
        for (id, it) in &self.trusted_profiles {
            accounts.add_trusted_profile(it.profile(id));
        }
        if let Some(service) = &self.metadata_service {
            service.set_up(cloud);
        }
    }
}

impl Owned {
    fn subject(&self) -> Subject {
        match &self.account {
            Some(account) => Subject::user_of(&self.owner, account),
            None => Subject::user(&self.owner),
        }
    }
}

impl TrustedProfile {
    fn profile(&self, id: &str) -> Profile {
        let trusts: Vec<&str> = self.trusts.iter().map(String::as_str).collect();
        let mut profile = Profile::new(id).trusting(&trusts);
        if let Some(name) = &self.name {
            profile = profile.named(name);
        }
        if let Some(account) = &self.account {
            profile = profile.of_account(account);
        }
        profile
    }
}

impl MetadataService {
    fn set_up(&self, cloud: &Emulator) {
        let accounts = cloud.accounts();
        let api = self.api.map(|api| match api {
            Api::Identity => MetadataApi::Identity,
            Api::InstanceIdentity => MetadataApi::InstanceIdentity,
            Api::PowerVs => MetadataApi::PowerVs,
        });
        accounts.enable_metadata(api.as_slice());
        for profile in &self.linked_profiles {
            accounts.link_profile(profile);
        }
        if let Some(profile) = &self.default_profile {
            accounts.link_default_profile(profile);
        }
    }
}
