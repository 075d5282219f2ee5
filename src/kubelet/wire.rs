//! The JSON of the kubelet's credential providers (`kubernetes/kubelet`,
//! `pkg/apis/credentialprovider/v1/types.go`).
//!
//! Requests grow with Kubernetes, so unknown fields are ignored. The kubelet decodes an answer
//! strictly: a field that it does not know, or has twice, loses all of it.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;

use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::Map;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::credential::Credential;
use crate::error::Error;
use crate::error::Result;
use crate::helper::wire::read_input;
use crate::secret::Secret;
use crate::text::repeatable;

const REQUEST_KIND: &str = "CredentialProviderRequest";
const RESPONSE_KIND: &str = "CredentialProviderResponse";

/// The versions of the protocol, with the same fields but for those of service accounts, which
/// only the first has.
const API_VERSIONS: [&str; 3] = [
    "credentialprovider.kubelet.k8s.io/v1",
    "credentialprovider.kubelet.k8s.io/v1beta1",
    "credentialprovider.kubelet.k8s.io/v1alpha1",
];

/// The kubelet keeps an answer for all images of the host and port.
const FOR_REGISTRY: &str = "Registry";

/// The kubelet keeps an answer for one image.
const FOR_IMAGE: &str = "Image";

/// How many bytes of a request are read at once. Most have a few thousand.
const CHUNK_SIZE: usize = 16 * 1024;

/// The number of bytes after which the end of stdin is waited for.
const MAX_SIZE: usize = 1024 * 1024;

/// Reads a request from stdin, up to the end of its object: what starts the program instead of
/// the kubelet may leave stdin open.
///
/// # Errors
/// The input has more than 1 MiB, or cannot be read.
pub(super) fn read(input: &mut dyn Read) -> Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(CHUNK_SIZE));
    let mut chunk = Zeroizing::new([0; CHUNK_SIZE]);
    while !is_object(&bytes) {
        if bytes.len() > MAX_SIZE {
            return read_input(&mut bytes.chain(input));
        }
        match input.read(&mut chunk[..]) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(chunk.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::user(format!("cannot read stdin ({error})"))),
        }
    }
    Ok(bytes)
}

fn is_object(bytes: &[u8]) -> bool {
    bytes.trim_ascii_end().ends_with(b"}") && serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

/// What the kubelet asks for.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Request {
    /// The version, in which the answer is given.
    api_version: &'static str,
    /// The image: host with port, path, and perhaps tag and digest.
    image: String,
    /// The token of the pod's service account, if the kubelet is configured to send it.
    pub(super) service_account_token: Option<Secret>,
    /// The annotations of the service account that the kubelet is configured to send.
    pub(super) annotations: BTreeMap<String, String>,
}

impl Request {
    /// Parses what the kubelet writes to stdin.
    ///
    /// # Errors
    /// It is no request, one of an unknown version, or names no image. Its text is not repeated,
    /// because it may contain a token.
    pub(super) fn parse(input: &[u8]) -> Result<Self> {
        let mut fields: Map<String, Value> = serde_json::from_slice(input).map_err(|error| {
            invalid(format!(
                "stdin is not a JSON object (line {}, column {})",
                error.line(),
                error.column()
            ))
        })?;
        let api_version = known_version(&take_text(&mut fields, "apiVersion")?)?;
        let kind = take_text(&mut fields, "kind")?;
        if kind != REQUEST_KIND {
            let kind = named(&kind);
            return Err(invalid(format!("kind is {kind}, not {REQUEST_KIND}")));
        }
        let image = take_text(&mut fields, "image")?.trim().to_owned();
        if image.is_empty() {
            return Err(invalid("image is empty"));
        }
        let token = Zeroizing::new(take_text(&mut fields, "serviceAccountToken")?);
        Ok(Self {
            api_version,
            image,
            service_account_token: (!token.is_empty()).then(|| Secret::new(token.as_str())),
            annotations: take_texts(&mut fields, "serviceAccountAnnotations")?,
        })
    }

    /// Returns the first part of the image's path: the namespace, at an IBM Cloud registry.
    pub(super) fn namespace(&self) -> &str {
        self.image.split('/').nth(1).unwrap_or_default()
    }

    /// Returns the host of the image as it is written, with its port; `None` if the image names
    /// none. The first part of a short name (`library/x`) may be returned, too.
    pub(super) fn host(&self) -> Option<&str> {
        let (host, path) = self.image.split_once('/')?;
        let is_host_byte =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':');
        let is_image = !path.is_empty() && path.bytes().all(|byte| byte.is_ascii_graphic());
        (is_image && host.bytes().all(is_host_byte)).then_some(host)
    }
}

/// Returns the text of a field; an empty one if the field is missing, as in Go.
fn take_text(fields: &mut Map<String, Value>, name: &str) -> Result<String> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(invalid(format!("{name} is not a string"))),
    }
}

/// Returns the texts in a field that is an object.
fn take_texts(fields: &mut Map<String, Value>, name: &str) -> Result<BTreeMap<String, String>> {
    let texts = match fields.remove(name) {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(Value::Object(texts)) => texts,
        Some(_) => return Err(invalid(format!("{name} is not an object"))),
    };
    let texts = texts.into_iter().map(|(key, value)| match value {
        Value::String(text) => Ok((key, text)),
        _ => Err(invalid(format!(
            "{name} contains a value that is no string"
        ))),
    });
    texts.collect()
}

fn known_version(version: &str) -> Result<&'static str> {
    let known = API_VERSIONS.into_iter().find(|known| *known == version);
    known.ok_or_else(|| {
        let version = named(version);
        invalid(format!(
            "apiVersion is {version}, not credentialprovider.kubelet.k8s.io/v1, v1beta1 or v1alpha1"
        ))
    })
}

/// Returns the name of a kind or a version in quotation marks, if it cannot be a secret.
fn named(text: &str) -> String {
    let is_name = |part: &str| part.len() <= 40 && part.bytes().all(|it| it.is_ascii_alphabetic());
    let (group, version) = text.split_once('/').unwrap_or((text, ""));
    if text.is_empty() {
        "missing".to_owned()
    } else if group.split('.').all(|part| is_name(part) || part == "k8s") && version.len() <= 10 {
        format!("{text:?}")
    } else {
        repeatable::NOT_SHOWN.to_owned()
    }
}

fn invalid(reason: impl std::fmt::Display) -> Error {
    Error::user(format!("cannot read the kubelet's request: {reason}"))
}

/// The answer to a request.
pub(super) enum Answer<'r> {
    /// The credential for a host.
    Found {
        /// The host as the image has it, because the kubelet compares ports as texts.
        host: &'r str,
        /// Whether another image of the registry may need another credential.
        is_for_image: bool,
        /// How long the kubelet may keep it, in seconds.
        keeping: u64,
        /// The credential.
        credential: Credential,
    },
    /// There is no credential. The kubelet asks again for the next image.
    Nothing,
}

/// Writes an answer: one JSON object, and a newline.
///
/// # Errors
/// Writing fails.
pub(super) fn write(
    output: &mut dyn Write,
    request: &Request,
    answer: &Answer<'_>,
) -> std::io::Result<()> {
    let (cache_key_type, keeping, auth) = match answer {
        Answer::Nothing => (FOR_REGISTRY, 0, None),
        Answer::Found {
            host,
            is_for_image,
            keeping,
            credential,
        } => {
            let auth = BTreeMap::from([(*host, Auth::of(credential))]);
            let cache_key_type = if *is_for_image {
                FOR_IMAGE
            } else {
                FOR_REGISTRY
            };
            (cache_key_type, *keeping, Some(auth))
        }
    };
    let response = Response {
        kind: RESPONSE_KIND,
        api_version: request.api_version,
        cache_key_type,
        cache_duration: go_duration(keeping),
        auth,
    };
    let mut line = Zeroizing::new(serde_json::to_vec(&response)?);
    line.push(b'\n');
    output.write_all(&line)?;
    output.flush()
}

/// The response, with its fields in the order of the kubelet's type.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    kind: &'static str,
    api_version: &'static str,
    cache_key_type: &'static str,
    cache_duration: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: Option<BTreeMap<&'a str, Auth<'a>>>,
}

#[derive(Serialize)]
struct Auth<'a> {
    username: &'a str,
    #[serde(serialize_with = "Secret::serialize_exposed")]
    password: &'a Secret,
}

impl<'a> Auth<'a> {
    fn of(credential: &'a Credential) -> Self {
        Self {
            username: &credential.username,
            password: &credential.secret,
        }
    }
}

/// Returns a number of seconds as Go writes a duration: `1h0m0s`, `27m30s`, `0s`.
fn go_duration(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request as the kubelet 1.36 writes it.
    const REQUEST: &str = "{\"kind\":\"CredentialProviderRequest\",\"apiVersion\":\"credentialprovider.kubelet.k8s.io/v1\",\"image\":\"us.icr.io/ns/app\"}\n";

    fn host(image: &str) -> Option<String> {
        let request = REQUEST.replace("us.icr.io/ns/app", image);
        let request = Request::parse(request.as_bytes()).unwrap();
        request.host().map(str::to_owned)
    }

    #[test]
    fn a_request_may_have_more_fields() {
        let expected = Request {
            api_version: API_VERSIONS[0],
            image: "us.icr.io/ns/app".into(),
            service_account_token: None,
            annotations: BTreeMap::new(),
        };
        for more in [
            "",
            ",\"later\":{\"x\":[1]}",
            ",\"serviceAccountToken\":null,\"serviceAccountAnnotations\":null",
            ",\"serviceAccountToken\":\"\",\"serviceAccountAnnotations\":{}",
        ] {
            let text = REQUEST.trim().strip_suffix('}').unwrap();
            let text = format!(" {text}{more}}}");
            assert_eq!(Request::parse(text.as_bytes()).as_ref(), Ok(&expected));
        }
        let more = r#","serviceAccountToken":"eyJ","serviceAccountAnnotations":{"a/b":"c"}}"#;
        let text = REQUEST.trim().replace('}', more);
        let request = Request::parse(text.as_bytes()).unwrap();
        assert_eq!(request.service_account_token, Some(Secret::new("eyJ")));
        assert_eq!(request.annotations["a/b"], "c");
    }

    #[test]
    fn the_error_for_an_invalid_request_says_what_is_wrong_without_its_text() {
        let with = |from: &str, to: &str| REQUEST.replace(from, to);
        for (input, reason) in [
            (String::new(), "not a JSON object"),
            ("us.icr.io\n".into(), "not a JSON object"),
            ("[\"hunter2\"]".into(), "not a JSON object"),
            (format!("{REQUEST}{{}}"), "not a JSON object"),
            (
                with("Request\"", "Response\""),
                "kind is \"CredentialProviderResponse\", not CredentialProviderRequest",
            ),
            (
                with("io/v1", "io/v2"),
                "apiVersion is \"credentialprovider.kubelet.k8s.io/v2\", not",
            ),
            (with("credentialprovider.", "x."), "v1, v1beta1 or v1alpha1"),
            (with("apiVersion", "version"), "apiVersion is missing, not"),
            (with("us.icr.io/ns/app", " "), "image is empty"),
            (with("\"us.icr.io/ns/app\"", "7"), "image is not a string"),
            (
                with(
                    "\"us.icr.io/ns/app\"",
                    "\"x/y\",\"serviceAccountToken\":[\"hunter2\"]",
                ),
                "serviceAccountToken is not a string",
            ),
            (
                with(
                    "\"us.icr.io/ns/app\"",
                    "\"x/y\",\"serviceAccountAnnotations\":{\"hunter2\":1}",
                ),
                "a value that is no string",
            ),
        ] {
            let error = Request::parse(input.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(reason), "{input}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn the_host_of_an_image_ends_at_the_first_slash() {
        for (image, expected) in [
            ("us.icr.io/ns/app", Some("us.icr.io")),
            ("us.icr.io:443/ns/app:1.2", Some("us.icr.io:443")),
            ("us.icr.io/ns/app@sha256:0123", Some("us.icr.io")),
            ("us.icr.io/ns/app:1.2@sha256:0123", Some("us.icr.io")),
            ("docker.io/library/us.icr.io", Some("docker.io")),
            ("us.icr.io", None),
            ("us.icr.io:latest", None),
            ("us.icr.io/", None),
            ("https://us.icr.io/ns/app", Some("https:")),
            ("us.icr.io?/ns/app", None),
            ("us.icr.io@evil.com/ns/app", None),
            ("us.icr.io/ns app", None),
        ] {
            assert_eq!(host(image).as_deref(), expected, "{image}");
        }
    }

    #[test]
    fn an_answer_is_in_the_version_of_the_request() {
        let credential = || Credential {
            username: "iambearer".into(),
            secret: Secret::new("a\"b"),
        };
        for version in ["v1", "v1beta1", "v1alpha1"] {
            let request = REQUEST.replace("io/v1", &format!("io/{version}"));
            let request = Request::parse(request.as_bytes()).unwrap();
            let written = |answer| {
                let mut output = Vec::new();
                write(&mut output, &request, &answer).unwrap();
                String::from_utf8(output).unwrap()
            };
            let found = Answer::Found {
                host: "us.icr.io",
                is_for_image: false,
                keeping: 1650,
                credential: credential(),
            };
            assert_eq!(
                written(found),
                format!(
                    "{{\"kind\":\"CredentialProviderResponse\",\"apiVersion\":\"credentialprovider.kubelet.k8s.io/{version}\",\"cacheKeyType\":\"Registry\",\"cacheDuration\":\"27m30s\",\"auth\":{{\"us.icr.io\":{{\"username\":\"iambearer\",\"password\":\"a\\\"b\"}}}}}}\n"
                )
            );
            assert_eq!(
                written(Answer::Nothing),
                format!(
                    "{{\"kind\":\"CredentialProviderResponse\",\"apiVersion\":\"credentialprovider.kubelet.k8s.io/{version}\",\"cacheKeyType\":\"Registry\",\"cacheDuration\":\"0s\"}}\n"
                )
            );
        }
    }

    #[test]
    fn a_duration_is_written_as_go_writes_it() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m0s"),
            (1650, "27m30s"),
            (3600, "1h0m0s"),
            (90_061, "25h1m1s"),
        ] {
            assert_eq!(go_duration(seconds), text);
        }
    }
}
