//! [`Https`]: the real transport, reqwest over rustls with ring and the operating
//! system's trust store.

use std::cell::RefCell;
use std::error::Error;
use std::io::Read;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::blocking::Client;
use reqwest::blocking::ClientBuilder;
use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;

use super::certificates::CertificatePaths;
use super::certificates::Trusted;
use super::certificates::no_authorities;
use super::exhaustion::cause_of;
use super::exhaustion::exhausted_resource;
use super::exhaustion::local_error;
use super::exhaustion::root_cause;
use super::name_lookup::NameLookup;
use super::proxy::Proxy;
use super::proxy::Route;
use super::server_trust;
use super::tls_error::UnverifiedServer;
use super::tls_error::untrusted_server;
use super::transport::Authorization;
use super::transport::Body;
use super::transport::Method;
use super::transport::Request;
use super::transport::Response;
use super::transport::ServerTrust;
use super::transport::Transport;
use super::transport::TransportError;
use super::tunnel;
use crate::secret::Secret;
use crate::time::try_with_timeout;

/// How long a server is asked why its certificate was not accepted.
const MAX_EXPLANATION_TIME: Duration = Duration::from_secs(3);

/// The size limit of a response, in bytes.
const MAX_BODY: u64 = 1024 * 1024;

/// What a client is built for.
type Key = (Route, Option<Arc<ServerTrust>>);

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// HTTPS and HTTP. The clients are built for the first request, because reading the
/// trust store takes longer than a `get` from the cache.
#[derive(Debug, Default)]
pub struct Https {
    certificate_paths: CertificatePaths,
    // Never dropped, because dropping waits for a name lookup that may hang.
    clients: RefCell<Vec<(Key, ManuallyDrop<Client>)>>,
}

impl Https {
    /// Creates a transport that trusts the system's authorities and those in
    /// `certificate_paths`.
    pub fn trusting(certificate_paths: CertificatePaths) -> Self {
        Self {
            certificate_paths,
            clients: RefCell::default(),
        }
    }

    fn client(&self, request: &Request) -> Result<Client, TransportError> {
        let mut clients = self.clients.borrow_mut();
        let key = (request.route.clone(), request.trust.clone());
        let known = clients.iter().find(|(known, _)| *known == key);
        if let Some((_, client)) = known {
            return Ok(Client::clone(client));
        }
        let certificate_paths = self.certificate_paths.clone();
        let connect_timeout = request.connect_timeout;
        let (route, trust) = key.clone();
        let host = host_of(request);
        // Reading a certificate file may never end (a pipe, say).
        let client = try_with_timeout(request.timeout, move || {
            let builder = common_builder(connect_timeout, &route)?;
            match trust {
                None => build(&certificate_paths, builder),
                Some(trust) => server_trust::build(&trust, &host, &certificate_paths, builder),
            }
        })
        .unwrap_or_else(|unfinished| {
            Err(local_error(unfinished).unwrap_or_else(|| {
                let reason = "the trusted certificate authorities cannot be read in time";
                no_authorities(reason.to_owned())
            }))
        })?;
        clients.push((key, ManuallyDrop::new(client.clone())));
        Ok(client)
    }
}

/// Builds a client that trusts the system's authorities and those of the additional file.
pub(super) fn build(
    certificate_paths: &CertificatePaths,
    builder: ClientBuilder,
) -> Result<Client, TransportError> {
    let trusted = Trusted::read(certificate_paths)?;
    let certificates = trusted.certificates();
    let builder = if trusted.system.is_some() {
        builder.tls_certs_only(certificates)
    } else {
        builder.tls_certs_merge(certificates)
    };
    builder
        .build()
        .map_err(|error| match exhausted_resource(&error) {
            Some(reason) => TransportError::Local(reason),
            None => no_authorities(format!(
                "the trusted certificate authorities cannot be used: {}",
                root_cause(&error)
            )),
        })
}

fn common_builder(
    connect_timeout: Duration,
    route: &Route,
) -> Result<ClientBuilder, TransportError> {
    // Fails only if a default is installed already. Then that one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .dns_resolver(Arc::new(NameLookup::default()))
        .redirect(Policy::none())
        .connect_timeout(connect_timeout);
    Ok(match route {
        Route::Direct => builder.no_proxy(),
        Route::Proxy(proxy, _) => builder.proxy(reqwest_proxy(proxy)?),
        Route::System => builder,
    })
}

fn host_of(request: &Request) -> String {
    let url = Url::parse(&request.url).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    host.to_owned()
}

/// Returns a proxy in the HTTP library's form.
fn reqwest_proxy(proxy: &Proxy) -> Result<reqwest::Proxy, TransportError> {
    let made = reqwest::Proxy::all(&proxy.url).map_err(|_| {
        TransportError::Untrusted(format!("the proxy {} cannot be used", proxy.url))
    })?;
    Ok(match &proxy.authorization {
        None => made,
        Some(value) => made.custom_http_auth(sensitive("Proxy-Authorization", value)?),
    })
}

impl Transport for Https {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        let client = self.client(&request)?;
        let timeout = request.timeout;
        // reqwest's timeout applies to each read; a slow stream of bytes would never end.
        try_with_timeout(timeout, move || send(&client, &request)).unwrap_or_else(|unfinished| {
            let late = TransportError::NoAnswer { is_connected: true };
            Err(local_error(unfinished).unwrap_or(late))
        })
    }
}

fn send(client: &Client, request: &Request) -> Result<Response, TransportError> {
    let method = match request.method {
        Method::Delete => reqwest::Method::DELETE,
        Method::Get => reqwest::Method::GET,
        Method::Patch => reqwest::Method::PATCH,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
    };
    let (url, host) = server_trust::address(request);
    let mut builder = client.request(method, &*url).timeout(request.timeout);
    if let Some(host) = host {
        builder = builder.header("Host", host);
    }
    if !request.headers.iter().any(|(name, _)| *name == "Accept") {
        builder = builder.header("Accept", "application/json");
    }
    for (name, value) in &request.headers {
        builder = builder.header(*name, sensitive(name, value)?);
    }
    builder = match &request.authorization {
        Authorization::None => builder,
        Authorization::Basic { username, password } => {
            builder.basic_auth(username, Some(password.expose()))
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
        Body::Patch {
            content_type,
            document,
        } => builder
            .header("Content-Type", *content_type)
            .body(document.expose().to_owned()),
    };
    let response = builder.send().map_err(|error| {
        tunnel::refusal(&error, &request.route, &request.url)
            .unwrap_or_else(|| transport_error(&error, request))
    })?;
    let header = |name: &str| {
        let value = response.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let (transaction_id, retry_after) = (header("Transaction-Id"), header("Retry-After"));
    let date = header("Date");
    let status = response.status().as_u16();
    let mut body = Vec::new();
    response
        .take(MAX_BODY + 1)
        .read_to_end(&mut body)
        .map_err(|_| TransportError::Network("the response was cut off".into()))?;
    if body.len() as u64 > MAX_BODY {
        return Err(TransportError::TooLarge("it is longer than 1 MiB".into()));
    }
    Ok(Response {
        status,
        body,
        transaction_id,
        retry_after,
        date,
    })
}

/// Returns a header value that libraries leave out of logs.
fn sensitive(name: &str, value: &Secret) -> Result<HeaderValue, TransportError> {
    let mut value = HeaderValue::from_str(value.expose()).map_err(|_| {
        TransportError::Untrusted(format!(
            "the value of the header {name} contains control characters"
        ))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn transport_error(error: &reqwest::Error, request: &Request) -> TransportError {
    if let Some(reason) = exhausted_resource(error) {
        return TransportError::Local(reason);
    }
    match rustls_error(error).filter(|_| error.is_connect()) {
        Some(tls) => untrusted_server(tls, || unverified_server(request).unwrap_or_default()),
        None if error.is_timeout() => TransportError::NoAnswer {
            is_connected: !error.is_connect(),
        },
        None if error.is_connect() => TransportError::Unreachable(root_cause(error)),
        None => TransportError::Network(root_cause(error)),
    }
}

/// Returns the rustls error in the chain of `error`.
fn rustls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut cause = error.source();
    while let Some(current) = cause {
        if let Some(tls) = current.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        cause = cause_of(current);
    }
    None
}

/// Asks the server of a request that was not sent for its start page, over a connection
/// without a check of its certificate. Nothing of the request but the host is sent. The
/// answer only explains why the certificate was not accepted.
fn unverified_server(request: &Request) -> Option<UnverifiedServer> {
    let timeout = MAX_EXPLANATION_TIME.min(request.timeout);
    let client = common_builder(timeout, &request.route)
        .ok()?
        .tls_danger_accept_invalid_certs(true)
        .tls_info(true)
        .timeout(timeout)
        .build()
        .ok()?;
    let url = Url::parse(&request.url).ok()?.join("/").ok()?;
    let response = client.get(url.clone()).send().ok()?;
    Some(UnverifiedServer::of(&url, &response))
}

#[cfg(test)]
mod tests {
    use std::io::BufRead as _;
    use std::io::BufReader;
    use std::io::Write as _;
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(30);

    fn request(method: Method, url: &str) -> Request {
        Request {
            method,
            url: url.to_owned(),
            headers: Vec::new(),
            authorization: Authorization::None,
            body: Body::Empty,
            route: Route::Direct,
            trust: None,
            connect_timeout: TIMEOUT,
            timeout: TIMEOUT,
        }
    }

    /// Returns the lines of a request as a server receives them: the first line, the
    /// headers with lower-case names, the body.
    fn received_lines(make: impl FnOnce(&str) -> Request) -> Vec<String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/path?query=1", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
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
        server.join().unwrap()
    }

    #[test]
    fn each_part_of_a_request_arrives() {
        let basic = Authorization::Basic {
            username: "bx".into(),
            password: Secret::new("bx"),
        };
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
            let lines = received_lines(|url| Request {
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

    #[test]
    fn host_names_are_looked_up() {
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
    fn a_refused_connection_differs_from_a_missing_answer() {
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
    fn a_value_that_fits_no_header_is_not_sent() {
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
