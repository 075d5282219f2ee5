//! The fields that managers own: paths to values, and the form `FieldsV1` in which objects have them. Labels, annotations and the data of
//! secrets are maps whose entries are fields of their own; a list is one field.

use std::collections::BTreeSet;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// The names on the way to a field.
pub(super) type Path = Vec<String>;

/// The names of `metadata` that belong to the server, or name the object.
const NOT_OWNED: [&str; 7] = [
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "managedFields",
];

/// Returns the fields of an object.
pub(super) fn fields_of(object: &Value) -> BTreeSet<Path> {
    let mut found = BTreeSet::new();
    for (name, value) in object.as_object().into_iter().flatten() {
        match name.as_str() {
            "apiVersion" | "kind" => {}
            "metadata" => {
                let owned = value.as_object().into_iter().flatten();
                for (name, value) in owned.filter(|(name, _)| !NOT_OWNED.contains(&name.as_str())) {
                    collect(vec!["metadata".into(), name.clone()], value, &mut found);
                }
            }
            _ => collect(vec![name.clone()], value, &mut found),
        }
    }
    found
}

fn collect(path: Path, value: &Value, found: &mut BTreeSet<Path>) {
    match value {
        Value::Object(entries) => {
            for (name, value) in entries {
                collect([path.clone(), vec![name.clone()]].concat(), value, found);
            }
        }
        _ => {
            found.insert(path);
        }
    }
}

/// Returns the value of a field.
pub(super) fn value<'a>(object: &'a Value, path: &Path) -> Option<&'a Value> {
    path.iter()
        .try_fold(object, |object, name| object.get(name))
}

/// Sets a field.
pub(super) fn set(object: &mut Value, path: &Path, new: Value) {
    let mut place = object;
    for name in path {
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[name];
    }
    *place = new;
}

/// Removes a field, and maps that become empty.
pub(super) fn remove(object: &mut Value, path: &[String]) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    let Some(entries) = object.as_object_mut() else {
        return;
    };
    if rest.is_empty() {
        entries.remove(first);
    } else if let Some(inner) = entries.get_mut(first) {
        remove(inner, rest);
        if inner.as_object().is_some_and(Map::is_empty) {
            entries.remove(first);
        }
    }
}

/// Returns fields in the form `FieldsV1`.
pub(super) fn to_v1(fields: &BTreeSet<Path>) -> Value {
    let mut v1 = json!({});
    for path in fields {
        let path = path.iter().map(|name| format!("f:{name}")).collect();
        set(&mut v1, &path, json!({}));
    }
    v1
}

/// Returns the fields in a `FieldsV1`.
pub(super) fn from_v1(v1: &Value) -> BTreeSet<Path> {
    fn walk(path: &Path, value: &Value, found: &mut BTreeSet<Path>) {
        let entries = value.as_object().filter(|entries| !entries.is_empty());
        let Some(entries) = entries else {
            found.insert(path.clone());
            return;
        };
        for (name, value) in entries {
            let name = name.trim_start_matches("f:").to_owned();
            walk(&[path.clone(), vec![name]].concat(), value, found);
        }
    }
    let mut found = BTreeSet::new();
    walk(&Vec::new(), v1, &mut found);
    found.remove(&Vec::new());
    found
}
