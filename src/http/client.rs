//! The transport of the real program: reqwest over rustls with ring, and the
//! operating system's trust store.

use std::error::Error;
use std::io::Read;
use std::mem::ManuallyDrop;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use once_cell::unsync::OnceCell;
use reqwest::Certificate;
use reqwest::blocking::Client;
use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;

use super::name_lookup::SystemLookup;
use super::transport::Authorization;
use super::transport::Body;
use super::transport::Method;
use super::transport::ProxyPolicy;
use super::transport::Request;
use super::transport::Response;
use super::transport::Transport;
use super::transport::TransportError;
use crate::fs;
use crate::secret::Secret;
use crate::time::Unfinished;
use crate::time::run_with_timeout;
use crate::time::try_within;

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
            ProxyPolicy::Direct => &self.direct,
            ProxyPolicy::Proxied => &self.proxied,
        };
        let client = client.get_or_try_init(|| {
            let certificate_file = self.certificate_file.clone();
            let connect_timeout = request.connect_timeout;
            // A certificate file may be something that never ends.
            try_within(request.timeout, move || {
                build(certificate_file.as_deref(), connect_timeout, way)
            })
            .unwrap_or_else(|unfinished| {
                Err(local(unfinished).unwrap_or_else(|| {
                    let reason = "the trusted certificate authorities cannot be read in time";
                    TransportError::Untrusted(reason.into())
                }))
            })
            .map(ManuallyDrop::new)
        })?;
        Ok(Client::clone(client))
    }
}

fn build(
    certificate_file: Option<&Path>,
    connect_timeout: Duration,
    way: ProxyPolicy,
) -> Result<Client, TransportError> {
    // Fails only if there is a default already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(USER_AGENT)
        .dns_resolver(Arc::new(SystemLookup))
        .redirect(Policy::none())
        .connect_timeout(connect_timeout)
        .tls_certs_merge(further_certificates(certificate_file)?);
    if way == ProxyPolicy::Direct {
        builder = builder.no_proxy();
    }
    let advice = match cfg!(any(target_os = "macos", windows)) {
        true => "look at the system's certificates, and at $SSL_CERT_FILE if it is set",
        false => "install the system's CA certificates (package ca-certificates)",
    };
    builder.build().map_err(|error| {
        // The library does not say why it found no authorities.
        match shortage(&error).or_else(|| trust_store_shortage(certificate_file.is_some())) {
            Some(reason) => TransportError::Local(reason),
            None => TransportError::Untrusted(format!(
                "the trusted certificate authorities cannot be loaded ({}); {advice}",
                root_cause(&error)
            )),
        }
    })
}

/// What is said of the system's error for too many open files.
const FEW_FILES: &str = "this process may not open enough files";

/// What of this machine is used up, by the system's own error, wherever in the chain
/// that is.
fn shortage(error: &(dyn Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if let Some(system) = current.downcast_ref::<std::io::Error>()
            && let Some(what) = system.raw_os_error().and_then(used_up)
        {
            return Some(format!("{what} ({system})"));
        }
        cause = cause_of(current);
    }
    None
}

#[cfg(unix)]
fn used_up(code: i32) -> Option<&'static str> {
    use nix::errno::Errno;
    match Errno::from_raw(code) {
        Errno::EMFILE => Some(FEW_FILES),
        Errno::ENFILE => Some("this machine has too many open files"),
        Errno::ENOMEM | Errno::ENOBUFS => Some("this machine has too little memory"),
        Errno::EAGAIN => Some(
            "no further thread can be started: this user has too many of them, or too little memory (ulimit -u, ulimit -v)",
        ),
        _ => None,
    }
}

/// The codes are those of `winerror.h`.
#[cfg(windows)]
fn used_up(code: i32) -> Option<&'static str> {
    match code {
        4 | 10_024 => Some(FEW_FILES),
        8 | 14 | 1_450 | 1_455 | 10_055 => Some("this machine has too little memory"),
        _ => None,
    }
}

/// The failure that it is when work was not even begun, or broke down.
fn local(unfinished: Unfinished) -> Option<TransportError> {
    match unfinished {
        Unfinished::Broken => {
            let reason = "this process has too few threads or too little memory";
            Some(TransportError::Local(reason.into()))
        }
        Unfinished::Late => None,
        Unfinished::NotStarted(error) => {
            let reason = shortage(&error);
            let reason = reason.unwrap_or_else(|| format!("no thread can be started ({error})"));
            Some(TransportError::Local(reason))
        }
    }
}

fn further_certificates(path: Option<&Path>) -> Result<Vec<Certificate>, TransportError> {
    let Some(path) = path else {
        return Ok(Vec::new());
    };
    let mut certificates =
        certificates_in(path).map_err(|error| match shortage(error.as_ref()) {
            Some(reason) => TransportError::Local(reason),
            None => TransportError::Untrusted(format!(
                "$SSL_CERT_FILE names {}, which cannot be used ({})",
                path.display(),
                error.root_cause()
            )),
        })?;
    // On Linux the variable also makes the verifier leave the system's file out.
    certificates.extend(system_bundle());
    Ok(certificates)
}

fn system_bundle() -> Vec<Certificate> {
    let mut bundles = SYSTEM_BUNDLES.iter();
    let bundle = bundles.find_map(|path| certificates_in(Path::new(path)).ok());
    bundle.unwrap_or_default()
}

/// Whose certificates are believed.
#[derive(Debug)]
pub struct Authorities {
    /// How many authorities the TLS library finds, where it is it that reads them.
    pub system: Option<usize>,
    /// A file of further ones, with how many are in it.
    pub further: Option<(PathBuf, usize)>,
}

/// Whose certificates [`Https`] believes, with the same file; looks no longer than
/// `limit`.
///
/// # Errors
/// The file cannot be used, or there are none at all.
pub fn authorities(
    certificate_file: Option<PathBuf>,
    limit: Duration,
) -> Result<Authorities, String> {
    let found = run_with_timeout(limit, move || {
        // Built as for a request, so that it fails as that would.
        build(certificate_file.as_deref(), limit, ProxyPolicy::Direct)?;
        let further = certificate_file.map(|path| {
            let count = certificates_in(&path).map_or(0, |found| found.len());
            (path, count)
        });
        Ok(Authorities {
            system: system_authorities(further.is_some()),
            further,
        })
    });
    let late = || TransportError::Untrusted("they cannot be read in time".into());
    found
        .unwrap_or_else(|| Err(late()))
        .map_err(|error| match error {
            TransportError::Local(reason)
            | TransportError::Network(reason)
            | TransportError::Unreachable(reason)
            | TransportError::Untrusted(reason) => reason,
            TransportError::NoAnswer { .. } => "they cannot be read in time".to_owned(),
        })
}

/// How many authorities the system has, where files hold them.
#[cfg(all(unix, not(target_os = "macos")))]
fn system_authorities(has_further: bool) -> Option<usize> {
    Some(match has_further {
        true => system_bundle().len(),
        false => rustls_native_certs::load_native_certs().certs.len(),
    })
}

/// What is used up that the system's authorities cannot be read. If they can be read
/// now, it was files: the HTTP client had some open, and is given up. Where there are
/// `further` authorities, those may be to blame.
#[cfg(all(unix, not(target_os = "macos")))]
fn trust_store_shortage(has_further: bool) -> Option<String> {
    let store = rustls_native_certs::load_native_certs();
    let shortage = store.errors.iter().find_map(|error| shortage(error));
    let reason = || format!("{FEW_FILES} to read the certificate authorities");
    shortage.or_else(|| (!has_further && !store.certs.is_empty()).then(reason))
}

/// Nothing: no files are read.
#[cfg(not(all(unix, not(target_os = "macos"))))]
fn trust_store_shortage(_has_further: bool) -> Option<String> {
    None
}

/// How many authorities the system has: macOS and Windows are asked about each
/// certificate.
#[cfg(not(all(unix, not(target_os = "macos"))))]
fn system_authorities(_has_further: bool) -> Option<usize> {
    None
}

fn certificates_in(path: &Path) -> anyhow::Result<Vec<Certificate>> {
    let pem = fs::read_bytes(path, CERTIFICATES_LIMIT)?;
    let certificates = Certificate::from_pem_bundle(&pem)?;
    ensure!(!certificates.is_empty(), "it holds no certificate");
    Ok(certificates)
}

impl Transport for Https {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        let client = self.client(&request)?;
        let timeout = request.timeout;
        // reqwest times each read; an answer that trickles would never end.
        try_within(timeout, move || send(&client, &request)).unwrap_or_else(|unfinished| {
            let late = TransportError::NoAnswer { is_connected: true };
            Err(local(unfinished).unwrap_or(late))
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
    let date = header("Date");
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
        date,
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
    if let Some(reason) = shortage(error) {
        return TransportError::Local(reason);
    }
    match certificate_error(error) {
        Some(reason) => TransportError::Untrusted(format!(
            "{reason}; if a company's proxy stands in between, add its certificate authority to the system's trust store or name its file in SSL_CERT_FILE"
        )),
        None if error.is_timeout() => TransportError::NoAnswer {
            is_connected: !error.is_connect(),
        },
        None if error.is_connect() => TransportError::Unreachable(root_cause(error)),
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

#[cfg(test)]
mod tests {
    use std::io::BufRead as _;
    use std::io::BufReader;
    use std::io::Write as _;
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::iam::grant;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn request(method: Method, url: &str) -> Request {
        Request {
            method,
            url: url.to_owned(),
            headers: Vec::new(),
            authorization: Authorization::None,
            body: Body::Empty,
            way: ProxyPolicy::Direct,
            connect_timeout: PATIENCE,
            timeout: PATIENCE,
        }
    }

    /// What a request looks like to the other side: its first line, its headers with
    /// their names in small letters, its body.
    fn on_the_wire(make: impl FnOnce(&str) -> Request) -> Vec<String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/path?query=1", listener.local_addr().unwrap());
        let other_side = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut lines = Vec::new();
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let line = line.trim_end().to_owned();
                if line.is_empty() {
                    break;
                }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                    length = value.parse().unwrap();
                }
                lines.push(match line.split_once(": ") {
                    Some((name, value)) => format!("{}: {value}", name.to_ascii_lowercase()),
                    None => line,
                });
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            lines.push(String::from_utf8(body).unwrap());
            stream
                .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\nTransaction-Id: t\r\nRetry-After: 7\r\n\r\nno")
                .unwrap();
            lines
        });
        let response = Https::default().send(make(&url)).unwrap();
        assert_eq!((response.status, &*response.body), (404, &b"no"[..]));
        assert_eq!(response.transaction_id.as_deref(), Some("t"));
        assert_eq!(response.retry_after.as_deref(), Some("7"));
        other_side.join().unwrap()
    }

    #[test]
    fn each_part_of_a_request_arrives() {
        let basic = Authorization::Basic(grant::Client::cli());
        let bearer = Authorization::Bearer(Secret::new("token"));
        let form = Body::Form(vec![("a", Secret::new("1 &=+%"))]);
        let json = Body::Json(Secret::new("{}"));
        for (method, authorization, body, expected) in [
            (
                Method::Post,
                basic,
                form,
                &[
                    "POST /path?query=1 HTTP/1.1",
                    "authorization: Basic Yng6Yng=",
                    "content-type: application/x-www-form-urlencoded",
                    "a=1+%26%3D%2B%25",
                ][..],
            ),
            (
                Method::Put,
                bearer.clone(),
                json,
                &[
                    "PUT /path?query=1 HTTP/1.1",
                    "authorization: Bearer token",
                    "content-type: application/json",
                    "{}",
                ],
            ),
            (
                Method::Delete,
                bearer,
                Body::Empty,
                &[
                    "DELETE /path?query=1 HTTP/1.1",
                    "authorization: Bearer token",
                    "",
                ],
            ),
            (
                Method::Get,
                Authorization::None,
                Body::Empty,
                &["GET /path?query=1 HTTP/1.1", ""],
            ),
        ] {
            let has_authorization = authorization != Authorization::None;
            let lines = on_the_wire(|url| Request {
                headers: vec![("Metadata-Flavor", Secret::new("ibm"))],
                authorization,
                body,
                ..request(method, url)
            });
            let always = ["accept: application/json", "metadata-flavor: ibm"];
            for part in expected.iter().chain(&always) {
                assert!(lines.iter().any(|line| line == part), "{part} in {lines:?}");
            }
            let count = |name: &str| lines.iter().filter(|line| line.starts_with(name)).count();
            assert_eq!(count("authorization:"), usize::from(has_authorization));
            assert_eq!(count("accept:"), 1);
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_used_up_is_told_by_the_systems_own_error() {
        use nix::errno::Errno;
        for (errno, words) in [
            (
                Errno::EMFILE,
                Some("this process may not open enough files"),
            ),
            (Errno::ENFILE, Some("too many open files")),
            (Errno::ENOMEM, Some("too little memory")),
            (
                Errno::EAGAIN,
                Some("too many of them, or too little memory"),
            ),
            (Errno::ECONNREFUSED, None),
            (Errno::ENOENT, None),
        ] {
            let error = std::io::Error::from_raw_os_error(errno as i32);
            let wrapped = std::io::Error::other(error);
            let reason = shortage(&wrapped);
            match words {
                None => assert_eq!(reason, None),
                Some(words) => assert!(reason.unwrap().contains(words)),
            }
        }
        let error = std::io::Error::from_raw_os_error(Errno::EAGAIN as i32);
        let failed = local(Unfinished::NotStarted(error));
        assert!(
            matches!(failed, Some(TransportError::Local(reason)) if reason.contains("thread can be started"))
        );
        assert_eq!(local(Unfinished::Late), None);
    }

    #[test]
    fn a_name_is_looked_up() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        for host in ["localhost", "no-such-host.invalid"] {
            let url = format!("http://{host}:{port}/");
            let outcome = Https::default().send(request(Method::Get, &url));
            assert!(
                matches!(outcome, Err(TransportError::Unreachable(_))),
                "{host}: {outcome:?}"
            );
        }
    }

    #[test]
    fn nobody_there_is_told_from_no_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        let outcome = Https::default().send(request(Method::Get, &url));
        assert!(
            matches!(outcome, Err(TransportError::Unreachable(_))),
            "{outcome:?}"
        );
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let hangs_up = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            BufReader::new(stream)
                .read_line(&mut String::new())
                .unwrap();
        });
        let outcome = Https::default().send(request(Method::Get, &url));
        hangs_up.join().unwrap();
        assert!(
            matches!(outcome, Err(TransportError::Network(_))),
            "{outcome:?}"
        );
    }

    #[test]
    fn what_fits_no_header_is_not_sent() {
        let outcome = Https::default().send(Request {
            authorization: Authorization::Bearer(Secret::new("hunter2\r\nX: y")),
            ..request(Method::Get, "http://127.0.0.1:9/")
        });
        let Err(TransportError::Untrusted(reason)) = outcome else {
            panic!("{outcome:?}");
        };
        assert!(!reason.contains("hunter2"), "{reason}");
    }
}
