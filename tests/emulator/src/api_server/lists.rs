//! Lists: selectors, parts, and metadata without content.

use serde_json::Value;
use serde_json::json;

use super::errors::Refusal;
use super::objects::Objects;
use crate::request::Recorded;

/// Returns the answer to the request for a list; `None` for other requests.
pub(super) fn answer(
    objects: &Objects,
    request: &Recorded,
) -> Option<Result<(u16, Value), Refusal>> {
    let path: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    let (namespace, resource) = match path[..] {
        ["api", "v1", resource] => (None, resource),
        ["api", "v1", "namespaces", namespace, resource] => (Some(namespace), resource),
        _ => return None,
    };
    if request.method != "GET" {
        let refusal = Refusal::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method",
        );
        return Some(Err(refusal));
    }
    Some(page(objects, request, namespace, resource))
}

fn page(
    objects: &Objects,
    request: &Recorded,
    namespace: Option<&str>,
    resource: &str,
) -> Result<(u16, Value), Refusal> {
    let labels = request.parameter("labelSelector").unwrap_or_default();
    let fields = request.parameter("fieldSelector").unwrap_or_default();
    let all = objects.of(resource).filter(|object| {
        namespace.is_none_or(|name| object["metadata"]["namespace"] == name)
            && has_labels(object, labels)
            && has_fields(object, fields)
    });
    let all: Vec<&Value> = all.collect();
    let start: usize = match request.parameter("continue") {
        None => 0,
        Some(text) => text
            .parse()
            .map_err(|_| Refusal::new(400, "BadRequest", "continue key is not valid"))?,
    };
    let limit: usize = request
        .parameter("limit")
        .and_then(|text| text.parse().ok())
        .filter(|limit| *limit > 0)
        .unwrap_or(usize::MAX);
    let end = start.saturating_add(limit).min(all.len());
    let only_metadata = wants_metadata(request);
    let items: Vec<Value> = all
        .get(start..end)
        .unwrap_or_default()
        .iter()
        .map(|object| {
            if only_metadata {
                metadata_of(object)
            } else {
                (*object).clone()
            }
        })
        .collect();
    let mut list = json!({
        "kind": if only_metadata { "PartialObjectMetadataList" } else { "List" },
        "apiVersion": if only_metadata { "meta.k8s.io/v1" } else { "v1" },
        "metadata": {"resourceVersion": objects.revision().to_string()},
        "items": items,
    });
    // As the API server of Kubernetes 1.20 does.
    if only_metadata && all.is_empty() {
        list["items"] = Value::Null;
    }
    if end < all.len() {
        list["metadata"]["continue"] = end.to_string().into();
    }
    Ok((200, list))
}

/// Returns whether a client asks for metadata only (Kubernetes API Concepts, "Metadata-only fetches").
pub(super) fn wants_metadata(request: &Recorded) -> bool {
    let accept = request.header("accept").unwrap_or_default();
    accept.contains("as=PartialObjectMetadata")
}

/// Returns an object without its content.
pub(super) fn metadata_of(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

/// Returns whether an object fits a label selector: `name=value`, `name!=value`, `name` and `!name`, with commas.
fn has_labels(object: &Value, selector: &str) -> bool {
    let terms = selector.split(',').filter(|term| !term.is_empty());
    let label = |name: &str| object["metadata"]["labels"][name.trim()].as_str();
    terms.into_iter().all(|term| {
        if let Some((name, value)) = term.split_once("!=") {
            label(name) != Some(value.trim())
        } else if let Some((name, value)) = term.split_once('=') {
            label(name) == Some(value.trim_start_matches('=').trim())
        } else if let Some(name) = term.strip_prefix('!') {
            label(name).is_none()
        } else {
            label(term).is_some()
        }
    })
}

/// Returns whether an object fits a field selector of `metadata.name` and `metadata.namespace`.
fn has_fields(object: &Value, selector: &str) -> bool {
    let terms = selector.split(',').filter(|term| !term.is_empty());
    terms.into_iter().all(|term| {
        let (name, value) = term.split_once('=').unwrap_or((term, ""));
        let name = name.strip_prefix("metadata.").unwrap_or(name);
        object["metadata"][name] == value
    })
}
