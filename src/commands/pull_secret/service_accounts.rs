//! The entry for a secret in the `imagePullSecrets` of service accounts. The list is one field for
//! server-side apply, which would take over the entries of others, so it is changed as a whole, if
//! the service account was not changed meanwhile.

use serde::Deserialize;
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

/// A service account.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceAccount {
    pub(super) metadata: Metadata,
    #[serde(default)]
    image_pull_secrets: Option<Vec<Value>>,
}

impl ServiceAccount {
    /// Returns whether the secret is one of its pull secrets.
    pub(super) fn has(&self, secret: &str) -> bool {
        let entries = self.image_pull_secrets.iter().flatten();
        entries.into_iter().any(|entry| entry["name"] == secret)
    }

    /// Returns whether this program was the last to change its pull secrets.
    pub(super) fn is_ours(&self) -> bool {
        let field = ["f:imagePullSecrets"];
        self.metadata.was_updated_by(MANAGER, &field)
    }

    /// Returns its pull secrets with this one as the last, or without it.
    fn with(&self, secret: &str, is_wanted: bool) -> Value {
        let entries = self.image_pull_secrets.iter().flatten();
        let others = entries.filter(|entry| entry["name"] != secret).cloned();
        let mut entries: Vec<Value> = others.collect();
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
        self.client.object(&path(namespace, name)?)
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
                "metadata": {"resourceVersion": account.metadata.resource_version},
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
