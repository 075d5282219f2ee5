//! [`Client`]: requests to an API server.

use percent_encoding::AsciiSet;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::connection::Connection;
use super::last_response::LastResponse;
use super::metadata::Metadata;
use super::metadata::ObjectVersion;
use super::status::ApiError;
use crate::http::ApiRequest;
use crate::http::Http;
use crate::http::Outage;
use crate::http::ServiceDescription;
use crate::http::ServiceError;
use crate::http::transport::Authorization;
use crate::http::transport::Body;
use crate::http::transport::Method;
use crate::http::transport::ProxyPolicy;
use crate::http::transport::Response;
use crate::http::transport::TransportError;
use crate::secret::Secret;

/// How many objects one request lists, so that the response stays small. Fewer after a response
/// that was too large.
const MAX_PAGE: u32 = 100;

/// How often a list is begun again because its rest has expired.
const MAX_LISTS: u32 = 3;

/// The HTTP statuses of a request that failed at an API server that works: an admission webhook
/// does not answer, or a part of the cluster (`k8s.io/apiserver`, `admission/plugin/webhook`).
const FAILED_REQUEST: [u16; 2] = [500, 504];

/// Only metadata instead of whole objects, where the API server can do that (Kubernetes API
/// Concepts, "Metadata-only fetches"). So the content of secrets is never read.
const METADATA_ONLY: &str =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
const METADATA_LIST: &str =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/// What is encoded in a value of a query.
const QUERY_VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Sends requests to an API server.
pub(crate) struct Client<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) http: Http<'a>,
}

/// How an object is changed.
pub(crate) enum Patch {
    /// Server-side apply. With `is_forced`, fields of other managers are taken over.
    Apply { is_forced: bool },
    /// A merge patch (RFC 7386).
    Merge,
}

/// Whether a change is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Writing {
    /// It is made.
    Real,
    /// The API server only checks it.
    DryRun,
}

/// The objects of a list.
#[derive(Deserialize)]
struct Items<T> {
    #[serde(default)]
    metadata: ListMetadata,
    /// `null` if there are none.
    items: Option<Vec<T>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ListMetadata {
    #[serde(rename = "continue")]
    rest: String,
}

/// An object of which only the metadata is read.
#[derive(Deserialize)]
struct MetadataOnly {
    metadata: Metadata,
}

impl Client<'_> {
    /// Returns the metadata of an object; `None` if it does not exist.
    pub(crate) fn metadata(&self, path: &str) -> Result<Option<Metadata>, ApiError> {
        let found = self.get::<MetadataOnly>(path, METADATA_ONLY)?;
        Ok(found.map(|object| object.metadata))
    }

    /// Returns an object; `None` if it does not exist.
    pub(crate) fn object<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, ApiError> {
        self.get(path, "application/json")
    }

    /// Returns what `reduce` keeps of the metadata of each object of a list.
    pub(crate) fn metadata_list<U, C: Default + Extend<U>>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        reduce: impl Fn(Metadata) -> Option<U>,
    ) -> Result<C, ApiError> {
        let reduce = |object: MetadataOnly| reduce(object.metadata);
        self.list(path, query, METADATA_LIST, &reduce)
    }

    /// Returns what `reduce` keeps of each object of a list.
    pub(crate) fn objects<T: DeserializeOwned, U, C: Default + Extend<U>>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        reduce: impl Fn(T) -> Option<U>,
    ) -> Result<C, ApiError> {
        self.list(path, query, "application/json", &reduce)
    }

    /// Changes an object, and returns its new metadata.
    pub(crate) fn patch(
        &self,
        path: &str,
        patch: &Patch,
        manager: &str,
        document: &Secret,
        writing: Writing,
    ) -> Result<Metadata, ApiError> {
        let mut query = vec![("fieldManager", manager)];
        let content_type = match patch {
            Patch::Merge => "application/merge-patch+json",
            Patch::Apply { is_forced } => {
                query.push(("force", if *is_forced { "true" } else { "false" }));
                // JSON is YAML.
                "application/apply-patch+yaml"
            }
        };
        query.extend(writing.query());
        let body = Body::Patch {
            content_type,
            document: document.clone(),
        };
        let response = self.send(Method::Patch, path, &query, METADATA_ONLY, body)?;
        self.parsed::<MetadataOnly>(&response).map(|it| it.metadata)
    }

    /// Deletes an object if it is still this one, unchanged.
    pub(crate) fn delete(
        &self,
        path: &str,
        version: &ObjectVersion,
        writing: Writing,
    ) -> Result<(), ApiError> {
        let mut options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": version.uid, "resourceVersion": version.resource_version},
        });
        // The API server ignores the query if there is a body (`k8s.io/apiserver`,
        // `endpoints/handlers/delete.go`).
        if let Some((name, value)) = writing.query() {
            options[name] = json!([value]);
        }
        let body = Body::Json(Secret::new(options.to_string()));
        match self.send(Method::Delete, path, &[], METADATA_ONLY, body) {
            Ok(_) | Err(ApiError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn get<T: DeserializeOwned>(&self, path: &str, accept: &str) -> Result<Option<T>, ApiError> {
        match self.send(Method::Get, path, &[], accept, Body::Empty) {
            Ok(response) => self.parsed(&response).map(Some),
            Err(ApiError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn list<T: DeserializeOwned, U, C: Default + Extend<U>>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        accept: &str,
        reduce: &impl Fn(T) -> Option<U>,
    ) -> Result<C, ApiError> {
        let mut begun = 1;
        loop {
            match self.list_once(path, query, accept, reduce) {
                Err(ApiError::Expired) if begun < MAX_LISTS => begun += 1,
                outcome => return outcome,
            }
        }
    }

    /// Lists objects. Each page is reduced before the next one is read: a large cluster has more
    /// objects than fit into the memory of a container.
    fn list_once<T: DeserializeOwned, U, C: Default + Extend<U>>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        accept: &str,
        reduce: &impl Fn(T) -> Option<U>,
    ) -> Result<C, ApiError> {
        let mut limit = MAX_PAGE;
        let mut found = C::default();
        let mut rest = String::new();
        loop {
            let mut query = query.to_vec();
            let limit_text = limit.to_string();
            query.push(("limit", &limit_text));
            if !rest.is_empty() {
                query.push(("continue", &rest));
            }
            let response = match self.send(Method::Get, path, &query, accept, Body::Empty) {
                Err(ApiError::TooLarge) if limit > 1 => {
                    limit /= 2;
                    continue;
                }
                outcome => outcome?,
            };
            let page: Items<T> = self.parsed(&response)?;
            found.extend(page.items.into_iter().flatten().filter_map(reduce));
            if page.metadata.rest.is_empty() || page.metadata.rest == rest {
                return Ok(found);
            }
            rest = page.metadata.rest;
        }
    }

    fn parsed<T: DeserializeOwned>(&self, response: &Response) -> Result<T, ApiError> {
        serde_json::from_slice(&response.body).map_err(|_| {
            self.unavailable(ServiceError::InvalidResponse {
                reason: "it is not the object that was asked for".into(),
            })
        })
    }

    /// Sends a request. If the API server does not accept a token in a file, and the file has
    /// another one by then, sends it once more.
    fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        accept: &str,
        body: Body,
    ) -> Result<Response, ApiError> {
        let used = self.authorization()?;
        let outcome = self.send_with(&used, method, path, query, accept, body.clone());
        if matches!(outcome, Err(ApiError::Unauthorized(_))) {
            let current = self.authorization()?;
            if current != used {
                return self.send_with(&current, method, path, query, accept, body);
            }
        }
        outcome
    }

    fn send_with(
        &self,
        authorization: &Authorization,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        accept: &str,
        body: Body,
    ) -> Result<Response, ApiError> {
        let server = &self.connection.server;
        let request = ApiRequest {
            name: "kubernetes",
            method,
            url: format!("{server}{path}{}", query_string(query)),
            headers: vec![("Accept", Secret::new(accept))],
            authorization: authorization.clone(),
            body,
            proxy: if server.starts_with("http:") {
                ProxyPolicy::Direct
            } else {
                ProxyPolicy::Proxied
            },
            secrets: Vec::new(),
            // A change that was made already leads to a conflict at worst.
            idempotent: true,
            unreachable_note: "",
        };
        let transport = LastResponse::new(self.http.transport);
        let http = Http {
            transport: &transport,
            trust: self.connection.trust.as_ref(),
            ..self.http.with_new_deadline()
        };
        let response = match http.send_with_retry(&request) {
            Ok(response) => response,
            Err(error) => match transport.take() {
                Some(Ok(last)) if FAILED_REQUEST.contains(&last.status) => last,
                Some(Err(TransportError::TooLarge(_))) => return Err(ApiError::TooLarge),
                _ => return Err(self.unavailable(error)),
            },
        };
        if (200..=299).contains(&response.status) {
            return Ok(response);
        }
        let secret = match authorization {
            Authorization::None => None,
            Authorization::Basic { password, .. } => Some(password),
            Authorization::Bearer(token) => Some(token),
        };
        let hint = self.connection.rejection_hint();
        Err(ApiError::of_response(&response, secret, hint))
    }

    fn authorization(&self) -> Result<Authorization, ApiError> {
        let outcome = self.connection.authorization();
        outcome.map_err(|error| ApiError::Unavailable(error, None))
    }

    fn unavailable(&self, error: ServiceError) -> ApiError {
        let retry_after = match &error {
            ServiceError::Unavailable(Outage::Answered { retry_after, .. }) => *retry_after,
            _ => None,
        };
        let service = ServiceDescription {
            name: "the API server".to_owned(),
            name_and_address: format!("the API server at {}", self.connection.server),
            unreachable_hint: "Check the network, and the server in the kubeconfig",
            invalid_hint: "Check the server in the kubeconfig, and the proxy settings",
        };
        let error = match error {
            ServiceError::UntrustedServer { reason, .. } => ServiceError::UntrustedServer {
                reason,
                hint: "Check the certificate authority in the kubeconfig",
            },
            error => error,
        };
        ApiError::Unavailable(
            error.explain(None, &service, |_, _| String::new()),
            retry_after,
        )
    }
}

impl Writing {
    fn query(self) -> Option<(&'static str, &'static str)> {
        (self == Self::DryRun).then_some(("dryRun", "All"))
    }
}

fn query_string(query: &[(&str, &str)]) -> String {
    let parts = query
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, QUERY_VALUE)));
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() {
        String::new()
    } else {
        format!("?{}", parts.join("&"))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::cell::RefCell;

    use super::super::connection::Authentication;
    use super::*;
    use crate::http::test_support::FakeService;
    use crate::http::test_support::response;
    use crate::http::transport::Request;
    use crate::http::transport::ServerTrust;
    use crate::http::transport::Transport;

    /// Rejects the first token, and replaces its file meanwhile.
    struct Rotating {
        file: std::path::PathBuf,
        seen: RefCell<Vec<Authorization>>,
    }

    impl Transport for Rotating {
        fn send(&self, request: Request) -> Result<Response, TransportError> {
            self.seen.borrow_mut().push(request.authorization);
            if self.seen.borrow().len() > 1 {
                return response(200, r#"{"metadata":{"name":"n"}}"#);
            }
            std::fs::write(&self.file, "second\n").unwrap();
            response(401, "{}")
        }
    }

    #[test]
    fn a_token_that_was_replaced_meanwhile_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        std::fs::write(&file, "first\n").unwrap();
        let authentication = Authentication::TokenFile(file.clone());
        let trust = ServerTrust::default();
        let connection =
            Connection::new("https://api.example", trust, authentication, "a file").unwrap();
        let transport = Rotating {
            file,
            seen: RefCell::default(),
        };
        let service = FakeService::answering(Vec::new());
        let client = Client {
            connection: &connection,
            http: Http {
                transport: &transport,
                ..service.http()
            },
        };
        let found = client.metadata("/api/v1/namespaces/n").unwrap();
        assert_eq!(found.map(|metadata| metadata.name).as_deref(), Some("n"));
        let tokens = ["first", "second"].map(|token| Authorization::Bearer(Secret::new(token)));
        assert_eq!(*transport.seen.borrow(), tokens);
    }

    thread_local! {
        static OBJECTS: Cell<u32> = const { Cell::new(0) };
    }

    /// An object that is counted while it is in memory.
    #[derive(Deserialize)]
    #[serde(from = "serde_json::Value")]
    struct Counted(String);

    impl From<serde_json::Value> for Counted {
        fn from(object: serde_json::Value) -> Self {
            OBJECTS.set(OBJECTS.get() + 1);
            Self(object["name"].as_str().unwrap().to_owned())
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            OBJECTS.set(OBJECTS.get() - 1);
        }
    }

    /// Answers with two pages.
    struct Pages;

    impl Transport for Pages {
        fn send(&self, request: Request) -> Result<Response, TransportError> {
            assert_eq!(OBJECTS.get(), 0, "objects of the page before");
            if request.url.contains("continue=") {
                return response(200, r#"{"metadata":{},"items":[{"name":"c"}]}"#);
            }
            let page = r#"{"metadata":{"continue":"more"},"items":[{"name":"a"},{"name":"b"}]}"#;
            response(200, page)
        }
    }

    #[test]
    fn the_objects_of_a_page_are_reduced_before_the_next_page_is_read() {
        let trust = ServerTrust::default();
        let authentication = Authentication::None;
        let connection =
            Connection::new("https://api.example", trust, authentication, "a file").unwrap();
        let service = FakeService::answering(Vec::new());
        let client = Client {
            connection: &connection,
            http: Http {
                transport: &Pages,
                ..service.http()
            },
        };
        let reduce = |object: Counted| (object.0 != "b").then(|| object.0.clone());
        let found: Vec<String> = client.objects("/api/v1/things", &[], reduce).unwrap();
        assert_eq!(found, ["a", "c"]);
    }

    #[test]
    fn values_of_a_query_are_encoded() {
        let query = [("labelSelector", "a in (b,c),d=e"), ("limit", "100")];
        let expected = "?labelSelector=a%20in%20%28b%2Cc%29%2Cd%3De&limit=100";
        assert_eq!(query_string(&query), expected);
        assert_eq!(query_string(&[]), "");
    }
}
