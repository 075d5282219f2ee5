//! [`Managed`]: a secret that this program made. It is recognized by its label and its field
//! manager, and its annotations say what is in it, so that its content is never read.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::json;

use super::MANAGER;
use super::schedule::MAX_RENEWAL;
use crate::kubernetes::Metadata;
use crate::kubernetes::ObjectVersion;
use crate::kubernetes::subdomain;
use crate::secret::Secret;
use crate::time;

/// The label of the secrets.
pub(super) const LABEL: &str = "docker-credential-icr/pull-secret";

/// The hosts of the registries, with commas.
const REGISTRIES: &str = "docker-credential-icr/registries";

/// When the password expires.
const EXPIRES_AT: &str = "docker-credential-icr/expires-at";

/// When the password is renewed.
const RENEW_AT: &str = "docker-credential-icr/renew-at";

/// The service accounts to whose `imagePullSecrets` the secret was added, with commas.
const SERVICE_ACCOUNTS: &str = "docker-credential-icr/service-accounts";

/// The key of the content (Kubernetes documentation, "Docker config Secrets").
const CONTENT: &str = ".dockerconfigjson";

const TIME_FORMAT: &str = "%Y-%m-%dT%H:%M:%SZ";

/// What is known of a secret of the right name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// It does not exist.
    Missing,
    /// Another program or a person made it.
    Foreign,
    /// This program made it.
    Managed(Box<Managed>),
}

/// A secret that this program made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Managed {
    pub(super) version: ObjectVersion,
    pub(super) description: Description,
    /// Whether the content and the annotations are as this program applied them.
    is_intact: bool,
}

/// What is in a secret, apart from passwords.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Description {
    pub(super) registries: String,
    /// In seconds since 1970, as is the next.
    pub(super) expires_at: Option<u64>,
    pub(super) renew_at: Option<u64>,
    pub(super) service_accounts: BTreeSet<String>,
}

impl State {
    /// Returns the state of a secret, from its metadata.
    pub(super) fn of(metadata: Option<Metadata>) -> Self {
        let Some(metadata) = metadata else {
            return Self::Missing;
        };
        if !metadata.labels.contains_key(LABEL) || !metadata.is_applied_by(MANAGER) {
            return Self::Foreign;
        }
        let content = format!("f:{CONTENT}");
        let expiry = format!("f:{RENEW_AT}");
        Self::Managed(Box::new(Managed {
            is_intact: metadata.owns(MANAGER, &["f:data", &content])
                && metadata.owns(MANAGER, &["f:metadata", "f:annotations", &expiry]),
            description: Description::of(&metadata),
            version: metadata.version(),
        }))
    }

    /// Returns whether it is a secret of this program with a password that has expired.
    pub(super) fn has_expired(&self, now: u64) -> bool {
        match self {
            Self::Managed(managed) => {
                let expiry = managed.description.expires_at;
                expiry.is_some_and(|time| time <= now)
            }
            Self::Missing | Self::Foreign => false,
        }
    }

    /// Returns the service accounts to which the secret was added.
    pub(super) fn service_accounts(&self) -> BTreeSet<String> {
        match self {
            Self::Managed(managed) => managed.description.service_accounts.clone(),
            Self::Missing | Self::Foreign => BTreeSet::new(),
        }
    }
}

impl Managed {
    /// Returns whether the secret is as it should be and its password is not due for renewal.
    pub(super) fn is_current(&self, registries: &str, now: u64) -> bool {
        self.is_intact
            && self.description.registries == registries
            && self.description.is_fresh(now)
    }
}

impl Description {
    /// Returns whether the password has not expired and is not due for renewal. A renewal later
    /// than any that this program plans is due.
    pub(super) fn is_fresh(&self, now: u64) -> bool {
        let latest = now.saturating_add(MAX_RENEWAL);
        self.expires_at.is_none_or(|time| now < time)
            && self
                .renew_at
                .is_some_and(|time| now < time && time <= latest)
    }

    fn of(metadata: &Metadata) -> Self {
        let text = |key: &str| metadata.annotations.get(key).map_or("", String::as_str);
        let names = text(SERVICE_ACCOUNTS).split(',');
        Self {
            registries: text(REGISTRIES).to_owned(),
            expires_at: time::parsed(text(EXPIRES_AT), TIME_FORMAT),
            renew_at: time::parsed(text(RENEW_AT), TIME_FORMAT),
            // Others can change the annotation, and the names become parts of paths.
            service_accounts: names.filter_map(|name| subdomain(name).ok()).collect(),
        }
    }

    fn annotations(&self) -> Value {
        let names: Vec<&str> = self.service_accounts.iter().map(String::as_str).collect();
        let mut annotations = json!({REGISTRIES: self.registries});
        for (key, time) in [(EXPIRES_AT, self.expires_at), (RENEW_AT, self.renew_at)] {
            if let Some(time) = time {
                annotations[key] = timestamp(time).into();
            }
        }
        if !names.is_empty() {
            annotations[SERVICE_ACCOUNTS] = names.join(",").into();
        }
        annotations
    }

    /// Returns the secret for server-side apply. One that exists must not have changed since it
    /// was read as `earlier`.
    pub(super) fn manifest(
        &self,
        namespace: &str,
        name: &str,
        docker_config: &str,
        earlier: Option<&ObjectVersion>,
    ) -> Secret {
        let mut manifest = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": {LABEL: "true"},
                "annotations": self.annotations(),
            },
            "type": "kubernetes.io/dockerconfigjson",
            "data": {CONTENT: STANDARD.encode(docker_config)},
        });
        if let Some(earlier) = earlier {
            manifest["metadata"]["uid"] = earlier.uid.clone().into();
            manifest["metadata"]["resourceVersion"] = earlier.resource_version.clone().into();
        }
        Secret::new(manifest.to_string())
    }
}

/// Returns a time as Kubernetes writes it (RFC 3339).
pub(super) fn timestamp(seconds: u64) -> String {
    time::formatted(seconds, TIME_FORMAT)
}

/// Returns the time in such a text.
pub(super) fn parse_timestamp(text: &str) -> Option<u64> {
    time::parsed(text, TIME_FORMAT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(changes: &[(&str, Value)]) -> State {
        let mut metadata = json!({
            "name": "icr-pull-secret",
            "labels": {LABEL: "true"},
            "annotations": {
                REGISTRIES: "us.icr.io",
                EXPIRES_AT: "2026-11-26T21:00:00Z",
                RENEW_AT: "2026-11-26T20:30:00Z",
            },
            "managedFields": [{
                "manager": MANAGER,
                "operation": "Apply",
                "fieldsV1": {
                    "f:data": {"f:.dockerconfigjson": {}},
                    "f:metadata": {"f:annotations": {format!("f:{RENEW_AT}"): {}}},
                },
            }],
        });
        for (pointer, value) in changes {
            *metadata.pointer_mut(pointer).unwrap() = value.clone();
        }
        State::of(Some(serde_json::from_value(metadata).unwrap()))
    }

    #[test]
    fn only_a_secret_with_our_label_and_our_field_manager_is_ours() {
        assert!(matches!(state(&[]), State::Managed(_)));
        assert_eq!(State::of(None), State::Missing);
        for changes in [
            ("/labels", json!({})),
            ("/managedFields", json!([])),
            ("/managedFields/0/manager", json!("kubectl")),
            ("/managedFields/0/operation", json!("Update")),
        ] {
            assert_eq!(
                state(std::slice::from_ref(&changes)),
                State::Foreign,
                "{changes:?}"
            );
        }
    }

    #[test]
    fn a_secret_is_current_until_half_of_its_life_if_it_was_not_changed() {
        let due = parse_timestamp("2026-11-26T20:30:00Z").unwrap();
        let is_current = |state: State, registries: &str, now| match state {
            State::Managed(managed) => managed.is_current(registries, now),
            _ => false,
        };
        assert!(is_current(state(&[]), "us.icr.io", due - 1));
        assert!(!is_current(state(&[]), "us.icr.io", due));
        assert!(!is_current(state(&[]), "de.icr.io,us.icr.io", due - 1));
        for changes in [
            ("/managedFields/0/fieldsV1/f:data", json!({})),
            (
                "/managedFields/0/fieldsV1/f:metadata/f:annotations",
                json!({}),
            ),
            ("/annotations", json!({REGISTRIES: "us.icr.io"})),
            (
                "/annotations",
                json!({REGISTRIES: "us.icr.io", RENEW_AT: "soon"}),
            ),
        ] {
            let changed = state(std::slice::from_ref(&changes));
            assert!(!is_current(changed, "us.icr.io", due - 1), "{changes:?}");
        }
    }

    #[test]
    fn a_password_that_has_expired_or_would_be_renewed_much_later_is_due() {
        let now = 1_800_000_000;
        for (expires_in, renew_in, is_fresh) in [
            (Some(3600), Some(1800), true),
            (None, Some(3600), true),
            (None, None, false),
            (Some(3600), Some(0), false),
            (Some(7200), Some(3600), true),
            (Some(1_000_000), Some(3601), false),
            (Some(0), Some(1800), false),
            (Some(-60), Some(1_000_000_000), false),
        ] {
            let time = |seconds: i64| 1_800_000_000_u64.saturating_add_signed(seconds);
            let description = Description {
                expires_at: expires_in.map(time),
                renew_at: renew_in.map(time),
                ..Description::default()
            };
            assert_eq!(description.is_fresh(now), is_fresh, "{description:?}");
        }
    }

    #[test]
    fn a_name_that_is_none_of_kubernetes_is_no_service_account() {
        let accounts = "default,../secrets/other,..,A,a/b,,x?y,builder";
        let metadata = json!({"annotations": {SERVICE_ACCOUNTS: accounts}});
        let metadata: Metadata = serde_json::from_value(metadata).unwrap();
        let expected = ["builder", "default"].map(str::to_owned).into();
        assert_eq!(Description::of(&metadata).service_accounts, expected);
    }

    #[test]
    fn a_description_is_read_as_it_was_written() {
        let description = Description {
            registries: "de.icr.io,us.icr.io".into(),
            expires_at: Some(1_800_000_000),
            renew_at: Some(1_799_998_200),
            service_accounts: ["builder", "default"].map(str::to_owned).into(),
        };
        let manifest = description.manifest("build", "icr", "{}", None);
        let manifest: Value = serde_json::from_str(manifest.expose()).unwrap();
        let metadata: Metadata = serde_json::from_value(manifest["metadata"].clone()).unwrap();
        assert_eq!(Description::of(&metadata), description);
        assert_eq!(manifest["metadata"].get("resourceVersion"), None);
    }
}
