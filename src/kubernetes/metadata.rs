//! [`Metadata`]: the metadata of an object, and which fields of it belong to whom.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// The metadata of an object.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) name: String,
    pub(crate) namespace: String,
    uid: String,
    resource_version: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) deletion_timestamp: Option<String>,
    managed_fields: Vec<ManagedFields>,
}

/// Which object it is, and its state, so that only this one is changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ObjectVersion {
    pub(crate) uid: String,
    pub(crate) resource_version: String,
}

/// The fields that a manager set.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(default)]
struct ManagedFields {
    manager: String,
    operation: String,
    #[serde(rename = "fieldsV1")]
    fields: Value,
}

impl Metadata {
    /// Returns which object it is, and its state.
    pub(crate) fn version(&self) -> ObjectVersion {
        ObjectVersion {
            uid: self.uid.clone(),
            resource_version: self.resource_version.clone(),
        }
    }

    /// Returns whether this manager has applied the object.
    pub(crate) fn is_applied_by(&self, manager: &str) -> bool {
        self.applied_by(manager).next().is_some()
    }

    /// Returns whether this manager applied a field; `path` are names such as `f:data`.
    pub(crate) fn owns(&self, manager: &str, path: &[&str]) -> bool {
        self.applied_by(manager).any(|entry| entry.has(path))
    }

    /// Returns whether this manager was the last to change a field, without server-side apply.
    pub(crate) fn was_updated_by(&self, manager: &str, path: &[&str]) -> bool {
        let mut entries = self.entries(manager, "Update");
        entries.any(|entry| entry.has(path))
    }

    fn applied_by(&self, manager: &str) -> impl Iterator<Item = &ManagedFields> {
        self.entries(manager, "Apply")
    }

    fn entries(&self, manager: &str, operation: &str) -> impl Iterator<Item = &ManagedFields> {
        let entries = self.managed_fields.iter();
        entries.filter(move |entry| entry.manager == manager && entry.operation == operation)
    }
}

impl ManagedFields {
    fn has(&self, path: &[&str]) -> bool {
        let field = path
            .iter()
            .try_fold(&self.fields, |fields, name| fields.get(name));
        field.is_some()
    }
}
