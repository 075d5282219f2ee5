//! Single objects: how they are read, applied, patched and deleted.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use super::errors::Refusal;
use super::fields;
use super::fields::Path;
use super::lists;
use crate::clock;
use crate::random;
use crate::request::Recorded;

/// The address of an object.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Key {
    resource: String,
    namespace: String,
    name: String,
}

impl Key {
    pub(super) fn new(namespace: &str, resource: &str, name: &str) -> Self {
        Self {
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    pub(super) fn namespace(name: &str) -> Self {
        Self::new("", "namespaces", name)
    }

    fn of(request: &Recorded) -> Option<Self> {
        let path: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        match path[..] {
            ["api", "v1", "namespaces", namespace, resource, name] => {
                Some(Self::new(namespace, resource, name))
            }
            _ => None,
        }
    }
}

/// All objects, and the revision of the last change.
#[derive(Debug, Default)]
pub(super) struct Objects {
    objects: BTreeMap<Key, Value>,
    revision: u64,
}

/// A field manager, and its operation.
#[derive(Clone, Copy)]
struct Manager<'a> {
    name: &'a str,
    operation: &'a str,
}

/// Answers a request about one object.
pub(super) fn answer(objects: &mut Objects, request: &Recorded) -> Result<(u16, Value), Refusal> {
    let key = Key::of(request).ok_or_else(|| {
        Refusal::new(
            404,
            "NotFound",
            "the server could not find the requested resource",
        )
    })?;
    let is_dry = is_dry(request)?;
    let before = is_dry.then(|| (objects.objects.clone(), objects.revision));
    let outcome = match request.method.as_str() {
        "GET" => objects.found(&key).map(|object| (200, object.clone())),
        "PATCH" => objects.patch(&key, request),
        "DELETE" => objects.delete(&key, &request.body),
        _ => Err(Refusal::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method",
        )),
    };
    if let Some((earlier, revision)) = before {
        (objects.objects, objects.revision) = (earlier, revision);
    }
    let (status, object) = outcome?;
    let is_object = object["kind"] != "Status";
    Ok((
        status,
        if is_object && lists::wants_metadata(request) {
            lists::metadata_of(&object)
        } else {
            object
        },
    ))
}

/// Returns whether a request only checks a change. The options of a deletion are read from its body if it has one, and otherwise from the
/// query (`k8s.io/apiserver`, `endpoints/handlers/delete.go`).
fn is_dry(request: &Recorded) -> Result<bool, Refusal> {
    let values: Vec<Value> = if request.method == "DELETE" && !request.body.is_empty() {
        let options: Value = serde_json::from_str(&request.body)
            .map_err(|_| Refusal::new(400, "BadRequest", "error decoding the options"))?;
        options["dryRun"].as_array().cloned().unwrap_or_default()
    } else {
        request
            .parameter("dryRun")
            .map(Value::from)
            .into_iter()
            .collect()
    };
    if values.iter().any(|value| value != "All") {
        return Err(Refusal::new(422, "Invalid", "invalid dryRun"));
    }
    Ok(!values.is_empty())
}

impl Objects {
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Value> {
        self.objects.get(key)
    }

    /// Returns all objects of a kind.
    pub(super) fn of(&self, resource: &str) -> impl Iterator<Item = &Value> {
        let all = self.objects.iter();
        all.filter(move |(key, _)| key.resource == resource)
            .map(|(_, object)| object)
    }

    /// Stores an object with the next revision.
    pub(super) fn put(&mut self, key: &Key, mut object: Value) {
        self.revision += 1;
        let metadata = &mut object["metadata"];
        metadata["resourceVersion"] = self.revision.to_string().into();
        if metadata["uid"].is_null() {
            metadata["uid"] = random::id().into();
            metadata["creationTimestamp"] = clock::rfc3339(clock::unix_now()).into();
        }
        self.objects.insert(key.clone(), object);
    }

    pub(super) fn remove(&mut self, key: &Key) {
        self.revision += 1;
        self.objects.remove(key);
    }

    pub(super) fn terminate(&mut self, name: &str) {
        let key = Key::namespace(name);
        let mut namespace = self.objects.get(&key).cloned().expect("a namespace");
        namespace["metadata"]["deletionTimestamp"] = clock::rfc3339(clock::unix_now()).into();
        namespace["status"]["phase"] = "Terminating".into();
        self.put(&key, namespace);
    }

    pub(super) fn remove_namespace(&mut self, name: &str) {
        self.remove(&Key::namespace(name));
        self.objects.retain(|key, _| key.namespace != name);
    }

    /// Changes an object with a merge patch, or creates it.
    pub(super) fn edit(&mut self, key: &Key, manager: &str, change: &Value) {
        let mut object = self.objects.get(key).cloned().unwrap_or_else(|| {
            json!({"apiVersion": "v1", "metadata": {"name": key.name, "namespace": key.namespace}})
        });
        let before = object.clone();
        merge(&mut object, change);
        let manager = Manager {
            name: manager,
            operation: "Update",
        };
        take_changes(&before, &mut object, manager);
        self.put(key, object);
    }

    fn found(&self, key: &Key) -> Result<&Value, Refusal> {
        let object = self.objects.get(key);
        object.ok_or_else(|| Refusal::not_found(&key.resource, &key.name))
    }

    fn patch(&mut self, key: &Key, request: &Recorded) -> Result<(u16, Value), Refusal> {
        let invalid = |_| Refusal::new(400, "BadRequest", "error decoding the patch");
        let patch: Value = serde_json::from_str(&request.body).map_err(invalid)?;
        let name = request.parameter("fieldManager");
        match request.header("content-type") {
            Some("application/merge-patch+json") => {
                self.merge_patch(key, name.unwrap_or("unknown"), &patch)
            }
            Some("application/apply-patch+yaml") => {
                let name = name.ok_or_else(|| {
                    Refusal::new(
                        422,
                        "Invalid",
                        "fieldManager: Required value: is required for apply patch",
                    )
                })?;
                let is_forced = request.parameter("force") == Some("true");
                self.apply(key, name, &patch, is_forced)
            }
            _ => Err(Refusal::new(
                415,
                "UnsupportedMediaType",
                "the body of the request was in an unknown format",
            )),
        }
    }

    fn merge_patch(
        &mut self,
        key: &Key,
        manager: &str,
        patch: &Value,
    ) -> Result<(u16, Value), Refusal> {
        let object = self.found(key)?;
        check_version(object, patch, key)?;
        self.edit(key, manager, patch);
        Ok((200, self.found(key)?.clone()))
    }

    /// Server-side apply.
    fn apply(
        &mut self,
        key: &Key,
        manager: &str,
        applied: &Value,
        is_forced: bool,
    ) -> Result<(u16, Value), Refusal> {
        for (field, expected) in [("name", &key.name), ("namespace", &key.namespace)] {
            let given = &applied["metadata"][field];
            if !given.is_null() && given != expected {
                return Err(Refusal::new(
                    400,
                    "BadRequest",
                    format!("the {field} does not match"),
                ));
            }
        }
        let existing = self.objects.get(key).cloned();
        let status = if existing.is_some() { 200 } else { 201 };
        let Some(old) = existing.or_else(|| self.new_object(key, applied)) else {
            return Err(self.no_place(key));
        };
        if status == 201 && !applied["metadata"]["resourceVersion"].is_null() {
            return Err(Refusal::modified(&key.resource, &key.name));
        }
        if status == 200 {
            check_version(&old, applied, key)?;
        }
        let wanted = fields::fields_of(applied);
        let mut object = old.clone();
        if status == 200 && object["type"] != applied["type"] && !applied["type"].is_null() {
            let message = format!(
                "Secret \"{}\" is invalid: type: Invalid value: field is immutable",
                key.name
            );
            return Err(Refusal::new(422, "Invalid", message));
        }
        let conflicts = conflicts(&object, applied, &wanted, manager);
        if !conflicts.is_empty() && !is_forced {
            let count = conflicts.len();
            let plural = if count == 1 { "" } else { "s" };
            let mut refusal = Refusal::new(
                409,
                "Conflict",
                format!("Apply failed with {count} conflict{plural}"),
            );
            for (owner, path) in &conflicts {
                let message = format!("conflict with \"{owner}\" using v1");
                refusal = refusal.with_cause(
                    "FieldManagerConflict",
                    &message,
                    &format!(".{}", path.join(".")),
                );
            }
            return Err(refusal);
        }
        let taken: BTreeSet<Path> = conflicts.into_iter().map(|(_, path)| path).collect();
        let manager = Manager {
            name: manager,
            operation: "Apply",
        };
        let earlier = owned(&object, manager);
        disown(&mut object, &taken);
        own(&mut object, manager, &wanted);
        let all_owned: BTreeSet<Path> = entries(&object)
            .flat_map(|entry| fields::from_v1(&entry["fieldsV1"]))
            .collect();
        for path in earlier
            .difference(&wanted)
            .filter(|path| !all_owned.contains(*path))
        {
            fields::remove(&mut object, path);
        }
        for path in &wanted {
            let value = fields::value(applied, path).cloned().unwrap_or_default();
            fields::set(&mut object, path, value);
        }
        if without_times(&object) != without_times(&old) || status == 201 {
            self.put(key, object);
        }
        Ok((status, self.found(key)?.clone()))
    }

    /// Returns an empty object, if its namespace exists and is not being deleted.
    fn new_object(&self, key: &Key, applied: &Value) -> Option<Value> {
        let namespace = self.objects.get(&Key::namespace(&key.namespace))?;
        let is_active = namespace["metadata"]["deletionTimestamp"].is_null();
        is_active.then(|| {
            json!({
                "apiVersion": applied["apiVersion"],
                "kind": applied["kind"],
                "metadata": {"name": key.name, "namespace": key.namespace},
            })
        })
    }

    fn no_place(&self, key: &Key) -> Refusal {
        let namespace = &key.namespace;
        if self.objects.contains_key(&Key::namespace(namespace)) {
            let message = format!(
                "{} \"{}\" is forbidden: unable to create new content in namespace {namespace} because it is being terminated",
                key.resource, key.name
            );
            let cause = format!("namespace {namespace} is being terminated");
            return Refusal::new(403, "Forbidden", message).with_cause(
                "NamespaceTerminating",
                &cause,
                "metadata.namespace",
            );
        }
        Refusal::not_found("namespaces", namespace)
    }

    fn delete(&mut self, key: &Key, body: &str) -> Result<(u16, Value), Refusal> {
        let object = self.found(key)?;
        let options: Value = serde_json::from_str(body).unwrap_or_default();
        for field in ["uid", "resourceVersion"] {
            let expected = &options["preconditions"][field];
            if !expected.is_null() && *expected != object["metadata"][field] {
                return Err(Refusal::modified(&key.resource, &key.name));
            }
        }
        self.remove(key);
        Ok((
            200,
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}),
        ))
    }
}

fn check_version(object: &Value, change: &Value, key: &Key) -> Result<(), Refusal> {
    for field in ["uid", "resourceVersion"] {
        let expected = &change["metadata"][field];
        if !expected.is_null() && *expected != object["metadata"][field] {
            return Err(Refusal::modified(&key.resource, &key.name));
        }
    }
    Ok(())
}

/// Returns the fields that others own and that would get another value, with their owners.
fn conflicts(
    object: &Value,
    applied: &Value,
    wanted: &BTreeSet<Path>,
    manager: &str,
) -> Vec<(String, Path)> {
    let mut found = Vec::new();
    for entry in entries(object) {
        if entry["manager"] == manager && entry["operation"] == "Apply" {
            continue;
        }
        for path in fields::from_v1(&entry["fieldsV1"]).intersection(wanted) {
            if fields::value(object, path) != fields::value(applied, path) {
                let owner = entry["manager"].as_str().unwrap_or_default();
                found.push((owner.to_owned(), path.clone()));
            }
        }
    }
    found
}

fn entries(object: &Value) -> impl Iterator<Item = &Value> {
    let entries = object["metadata"]["managedFields"].as_array();
    entries.into_iter().flatten()
}

fn owned(object: &Value, manager: Manager<'_>) -> BTreeSet<Path> {
    let mut entries = entries(object);
    let entry = entries
        .find(|entry| entry["manager"] == manager.name && entry["operation"] == manager.operation);
    entry
        .map(|entry| fields::from_v1(&entry["fieldsV1"]))
        .unwrap_or_default()
}

/// Takes fields away from all managers.
fn disown(object: &mut Value, taken: &BTreeSet<Path>) {
    let mut kept = Vec::new();
    for entry in entries(object) {
        let fields = fields::from_v1(&entry["fieldsV1"]);
        let left: BTreeSet<Path> = fields.difference(taken).cloned().collect();
        if !left.is_empty() {
            let mut entry = entry.clone();
            entry["fieldsV1"] = fields::to_v1(&left);
            kept.push(entry);
        }
    }
    object["metadata"]["managedFields"] = kept.into();
}

/// Makes exactly these fields those of a manager.
fn own(object: &mut Value, manager: Manager<'_>, wanted: &BTreeSet<Path>) {
    let mut all: Vec<Value> = entries(object)
        .filter(|entry| entry["manager"] != manager.name || entry["operation"] != manager.operation)
        .cloned()
        .collect();
    if !wanted.is_empty() {
        all.push(json!({
            "manager": manager.name,
            "operation": manager.operation,
            "apiVersion": "v1",
            "time": clock::rfc3339(clock::unix_now()),
            "fieldsType": "FieldsV1",
            "fieldsV1": fields::to_v1(wanted),
        }));
    }
    object["metadata"]["managedFields"] = all.into();
}

/// Makes the fields that an update has changed those of its manager.
fn take_changes(before: &Value, object: &mut Value, manager: Manager<'_>) {
    let now = fields::fields_of(object);
    let changed = now
        .iter()
        .filter(|path| fields::value(before, path) != fields::value(object, path));
    let changed: BTreeSet<Path> = changed.cloned().collect();
    let gone = fields::fields_of(before)
        .difference(&now)
        .cloned()
        .collect();
    let mut mine = owned(object, manager);
    mine.extend(changed.iter().cloned());
    disown(object, &changed);
    disown(object, &gone);
    mine.retain(|path| now.contains(path));
    own(object, manager, &mine);
}

/// A merge patch (RFC 7386), which leaves the metadata of the server as it is.
fn merge(object: &mut Value, change: &Value) {
    let Some(changes) = change.as_object() else {
        *object = change.clone();
        return;
    };
    if !object.is_object() {
        *object = json!({});
    }
    for (name, value) in changes {
        if value.is_null() {
            fields::remove(object, std::slice::from_ref(name));
        } else {
            merge(&mut object[name], value);
        }
    }
}

/// Returns an object without the times of its managers.
fn without_times(object: &Value) -> Value {
    let mut object = object.clone();
    let managers = object["metadata"]["managedFields"].as_array_mut();
    for entry in managers.into_iter().flatten() {
        entry["time"] = Value::Null;
    }
    object
}
