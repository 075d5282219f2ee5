//! The entry for a secret in the `imagePullSecrets` of service accounts. The list is one field for
//! server-side apply, which would take over the entries of others, so it is changed as a whole, if
//! the service account was not changed meanwhile.

use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::MANAGER;
use super::MAX_TRIES;
use super::cluster::Cluster;
use crate::kubernetes::ApiError;
use crate::kubernetes::Metadata;
use crate::kubernetes::Patch;
use crate::kubernetes::object_path;
use crate::secret::Secret;

/// A service account as the API server returns it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceAccountObject {
    metadata: Metadata,
    #[serde(default)]
    image_pull_secrets: Option<Box<[Entry]>>,
}

/// What is used of a service account. Those of all namespaces are in memory at once.
#[derive(Clone, Debug)]
pub(super) struct ServiceAccount {
    resource_version: String,
    /// Whether this program was the last to change its pull secrets.
    pub(super) is_ours: bool,
    pull_secrets: Box<[Entry]>,
}

/// A pull secret of a service account.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Entry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl ServiceAccountObject {
    /// Returns the namespace, and what is used of the service account.
    pub(super) fn into_namespace_and_account(self) -> (String, ServiceAccount) {
        let account = ServiceAccount {
            resource_version: self.metadata.version().resource_version,
            is_ours: self
                .metadata
                .was_updated_by(MANAGER, &["f:imagePullSecrets"]),
            pull_secrets: self.image_pull_secrets.unwrap_or_default(),
        };
        (self.metadata.namespace, account)
    }
}

impl Entry {
    fn is(&self, secret: &str) -> bool {
        self.name.as_deref() == Some(secret)
    }
}

impl ServiceAccount {
    /// Returns whether the secret is one of its pull secrets.
    pub(super) fn has(&self, secret: &str) -> bool {
        self.pull_secrets.iter().any(|entry| entry.is(secret))
    }

    /// Returns its pull secrets with this one as the last, or without it.
    fn with(&self, secret: &str, is_wanted: bool) -> Value {
        let others = self.pull_secrets.iter().filter(|entry| !entry.is(secret));
        let mut entries: Vec<Value> = others.map(|entry| json!(entry)).collect();
        if is_wanted {
            entries.push(json!({"name": secret}));
        }
        if entries.is_empty() {
            Value::Null
        } else {
            Value::Array(entries)
        }
    }
}

impl Cluster<'_> {
    /// Returns a service account; `None` if it does not exist.
    pub(super) fn service_account(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<ServiceAccount>, ApiError> {
        let found: Option<ServiceAccountObject> = self.client.object(&path(namespace, name)?)?;
        Ok(found.map(|object| object.into_namespace_and_account().1))
    }

    /// Adds the secret to the pull secrets of a service account, or removes it. Returns whether
    /// that changed something.
    pub(super) fn set_pull_secret(
        &self,
        namespace: &str,
        name: &str,
        account: ServiceAccount,
        is_wanted: bool,
    ) -> Result<bool, ApiError> {
        let path = path(namespace, name)?;
        let secret = &self.target.name;
        let mut account = account;
        let mut tries = 1;
        loop {
            if account.has(secret) == is_wanted {
                return Ok(false);
            }
            let document = json!({
                "metadata": {"resourceVersion": account.resource_version},
                "imagePullSecrets": account.with(secret, is_wanted),
            });
            let outcome = self.client.patch(
                &path,
                &Patch::Merge,
                MANAGER,
                &Secret::new(document.to_string()),
                self.target.writing(),
            );
            match outcome {
                Ok(_) => return Ok(true),
                Err(ApiError::Conflict(_)) if tries < MAX_TRIES => tries += 1,
                Err(error) => return Err(error),
            }
            account = match self.service_account(namespace, name)? {
                Some(account) => account,
                None => return Err(ApiError::NotFound),
            };
        }
    }
}

fn path(namespace: &str, name: &str) -> Result<String, ApiError> {
    object_path(namespace, "serviceaccounts", name)
}
