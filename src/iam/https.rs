//! The transport of the real program: reqwest over rustls with ring, and the
//! operating system's trust store.

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::mem::ManuallyDrop;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use once_cell::unsync::OnceCell;
use reqwest::Certificate;
use reqwest::blocking::Client;
use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;

use super::transport::Authorization;
use super::transport::Body;
use super::transport::Method;
use super::transport::Request;
use super::transport::Response;
use super::transport::Transport;
use super::transport::TransportError;
use super::transport::Way;
use crate::clock::within;
use crate::secret::Secret;

/// The most that is read of an answer, in bytes.
const BODY_LIMIT: u64 = 1024 * 1024;

/// The most that is read of a certificate file, in bytes: ninety times the usual
/// bundle.
const CERTIFICATES_LIMIT: u64 = 16 * 1024 * 1024;

/// Where Linux distributions keep the system's authorities (the list of Go's
/// `crypto/x509`, `root_linux.go`). There is none of these elsewhere.
const SYSTEM_BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// HTTPS, made ready when the first request comes: reading the trust store takes
/// longer than a whole answer from the cache.
#[derive(Debug, Default)]
pub struct Https {
    certificate_file: Option<PathBuf>,
    // Never dropped: dropping waits for a name lookup that may hang.
    direct: OnceCell<ManuallyDrop<Client>>,
    proxied: OnceCell<ManuallyDrop<Client>>,
}

impl Https {
    /// Trusts the system's authorities, and those in `certificate_file` (PEM).
    pub fn trusting(certificate_file: Option<PathBuf>) -> Self {
        Self {
            certificate_file,
            direct: OnceCell::new(),
            proxied: OnceCell::new(),
        }
    }

    fn client(&self, request: &Request) -> Result<Client, TransportError> {
        let way = request.way;
        let client = match way {
            Way::Direct => &self.direct,
            Way::Proxied => &self.proxied,
        };
        let client = client.get_or_try_init(|| {
            let certificate_file = self.certificate_file.clone();
            let connect_timeout = request.connect_timeout;
            // A certificate file may be something that never ends.
            within(request.timeout, move || {
                build(certificate_file.as_deref(), connect_timeout, way)
            })
            .unwrap_or_else(|| {
                let reason = "the trusted certificate authorities cannot be read in time";
                Err(TransportError::Untrusted(reason.into()))
            })
            .map(ManuallyDrop::new)
        })?;
        Ok(Client::clone(client))
    }
}

fn build(
    certificate_file: Option<&Path>,
    connect_timeout: Duration,
    way: Way,
) -> Result<Client, TransportError> {
    // Fails only if there is a default already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(Policy::none())
        .connect_timeout(connect_timeout)
        .tls_certs_merge(further_certificates(certificate_file)?);
    if way == Way::Direct {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| {
        TransportError::Untrusted(format!(
            "the trusted certificate authorities cannot be loaded ({}); install the system's CA certificates (package ca-certificates)",
            root_cause(&error)
        ))
    })
}

fn further_certificates(path: Option<&Path>) -> Result<Vec<Certificate>, TransportError> {
    let Some(path) = path else {
        return Ok(Vec::new());
    };
    let mut certificates = certificates_in(path).map_err(|error| {
        TransportError::Untrusted(format!(
            "$SSL_CERT_FILE names {}, which cannot be used ({})",
            path.display(),
            error.root_cause()
        ))
    })?;
    // On Linux the variable also makes the verifier leave the system's file out.
    let system = SYSTEM_BUNDLES
        .iter()
        .find_map(|path| certificates_in(Path::new(path)).ok());
    certificates.extend(system.into_iter().flatten());
    Ok(certificates)
}

fn certificates_in(path: &Path) -> anyhow::Result<Vec<Certificate>> {
    let mut pem = Vec::new();
    File::open(path)?
        .take(CERTIFICATES_LIMIT + 1)
        .read_to_end(&mut pem)?;
    ensure!(
        pem.len() as u64 <= CERTIFICATES_LIMIT,
        "it is larger than 16 MiB"
    );
    let certificates = Certificate::from_pem_bundle(&pem)?;
    ensure!(!certificates.is_empty(), "it holds no certificate");
    Ok(certificates)
}

impl Transport for Https {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        let client = self.client(&request)?;
        let timeout = request.timeout;
        // reqwest times each read; an answer that trickles would never end.
        within(timeout, move || send(&client, &request)).unwrap_or_else(|| {
            Err(TransportError::Network(format!(
                "no answer within {:.1} s",
                timeout.as_secs_f64()
            )))
        })
    }
}

fn send(client: &Client, request: &Request) -> Result<Response, TransportError> {
    let method = match request.method {
        Method::Delete => reqwest::Method::DELETE,
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
    };
    let mut builder = client
        .request(method, &request.url)
        .header("Accept", "application/json")
        .timeout(request.timeout);
    for (name, value) in &request.headers {
        builder = builder.header(*name, sensitive(name, value)?);
    }
    builder = match &request.authorization {
        Authorization::None => builder,
        Authorization::Basic(client) => {
            builder.basic_auth(&client.id, Some(client.secret.expose()))
        }
        Authorization::Bearer(token) => {
            sensitive("Authorization", token)?;
            builder.bearer_auth(token.expose())
        }
    };
    builder = match &request.body {
        Body::Empty => builder,
        Body::Form(fields) => {
            let fields: Vec<(&str, &str)> = fields
                .iter()
                .map(|(name, value)| (*name, value.expose()))
                .collect();
            builder.form(&fields)
        }
        Body::Json(text) => builder
            .header("Content-Type", "application/json")
            .body(text.expose().to_owned()),
    };
    let response = builder.send().map_err(|error| sort(&error))?;
    let header = |name: &str| {
        let value = response.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let (transaction_id, retry_after) = (header("Transaction-Id"), header("Retry-After"));
    let status = response.status().as_u16();
    let mut body = Vec::new();
    response
        .take(BODY_LIMIT + 1)
        .read_to_end(&mut body)
        .map_err(|_| TransportError::Network("the answer was cut off".into()))?;
    if body.len() as u64 > BODY_LIMIT {
        return Err(TransportError::Untrusted("it was longer than 1 MiB".into()));
    }
    Ok(Response {
        status,
        body,
        transaction_id,
        retry_after,
    })
}

/// A header's value that no library writes into a log.
fn sensitive(name: &str, value: &Secret) -> Result<HeaderValue, TransportError> {
    let mut value = HeaderValue::from_str(value.expose()).map_err(|_| {
        TransportError::Untrusted(format!(
            "what goes into the header {name} has control characters in it"
        ))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn sort(error: &reqwest::Error) -> TransportError {
    match certificate_error(error) {
        Some(reason) => TransportError::Untrusted(format!(
            "{reason}; if a company's proxy stands in between, add its certificate authority to the system's trust store or name its file in SSL_CERT_FILE"
        )),
        None if error.is_connect() && error.is_timeout() => {
            TransportError::Unreachable("no answer in time".into())
        }
        None if error.is_connect() => TransportError::Unreachable(root_cause(error)),
        None if error.is_timeout() => TransportError::Network("no answer in time".into()),
        None => TransportError::Network(root_cause(error)),
    }
}

/// rustls's own error, wherever in the chain it is.
fn certificate_error(error: &reqwest::Error) -> Option<String> {
    let mut cause = error.source();
    while let Some(current) = cause {
        if let Some(tls) = current.downcast_ref::<rustls::Error>() {
            return Some(tls.to_string());
        }
        cause = cause_of(current);
    }
    None
}

/// The innermost reason: the outer ones only say that there is one.
fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause_of(cause) {
        cause = inner;
    }
    cause.to_string()
}

/// What an error was caused by. An io error that wraps another one names that
/// one's cause as its own, and so skips it.
fn cause_of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref)
    {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}
