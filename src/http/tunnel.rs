//! The answer of a proxy to `CONNECT`. The HTTP library reports only that it was not
//! success.

use std::io::Read as _;
use std::io::Write as _;
use std::net::IpAddr;
use std::net::TcpStream;
use std::time::Duration;

use reqwest::Url;

use super::exhaustion::root_cause;
use super::name_lookup;
use super::proxy::LOGIN_REQUIRED;
use super::proxy::Proxy;
use super::proxy::ProxyRefusal;
use super::proxy::Route;
use super::transport::TransportError;

/// The library's text for the status 407 (`hyper-util`,
/// `client/legacy/connect/proxy/tunnel.rs`). Its type is not public.
const LOGIN_REQUIRED_TEXT: &str = "tunnel error: proxy authorization required";

/// The library's text for any other status but 200.
const UNSUCCESSFUL_TEXT: &str = "tunnel error: unsuccessful";

/// The time limit for asking for the status.
const STATUS_TIMEOUT: Duration = Duration::from_secs(3);

/// The length limit of the first line of an answer, in bytes.
const MAX_LINE: usize = 1024;

/// Returns the error of a proxy that answered, but does not connect to the host of `url`.
pub(super) fn refusal(error: &reqwest::Error, route: &Route, url: &str) -> Option<TransportError> {
    let cause = root_cause(error);
    let url = Url::parse(url).ok()?;
    let host = url.host_str()?;
    let refused = |status| TransportError::Proxy(ProxyRefusal::new(route, host, status));
    if cause == LOGIN_REQUIRED_TEXT {
        return Some(refused(LOGIN_REQUIRED));
    }
    if cause != UNSUCCESSFUL_TEXT {
        return None;
    }
    let status = match route {
        Route::Proxy(proxy, _) => connect_status(proxy, host, url.port_or_known_default()?),
        Route::Direct | Route::System => None,
    };
    Some(match status {
        Some(status @ 400..=499) => refused(status),
        Some(status) => TransportError::Unreachable(format!(
            "the proxy cannot connect to {host} (HTTP {status})"
        )),
        None => TransportError::Unreachable(format!("the proxy does not connect to {host}")),
    })
}

/// Returns the status with which a proxy answers to `CONNECT`, by asking it once more.
fn connect_status(proxy: &Proxy, host: &str, port: u16) -> Option<u16> {
    let url = Url::parse(&proxy.url).ok()?;
    // Through TLS, the status is not worth a connection of our own.
    if url.scheme() != "http" {
        return None;
    }
    let proxy_host = url.host_str()?.trim_matches(['[', ']']);
    let address = match proxy_host.parse::<IpAddr>() {
        Ok(address) => address,
        Err(_) => *name_lookup::addresses(proxy_host).ok()?.first()?,
    };
    let address = (address, url.port_or_known_default()?).into();
    let mut stream = TcpStream::connect_timeout(&address, STATUS_TIMEOUT).ok()?;
    stream.set_read_timeout(Some(STATUS_TIMEOUT)).ok()?;
    stream.set_write_timeout(Some(STATUS_TIMEOUT)).ok()?;
    let mut head = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
    if let Some(authorization) = &proxy.authorization {
        head.push_str("Proxy-Authorization: ");
        head.push_str(authorization.expose());
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    status_of(stream)
}

/// Reads the status line of an answer.
fn status_of(mut stream: TcpStream) -> Option<u16> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < MAX_LINE && stream.read(&mut byte).ok()? == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    let line = String::from_utf8(line).ok()?;
    line.strip_prefix("HTTP/1.")?
        .split(' ')
        .nth(1)?
        .trim()
        .parse()
        .ok()
}
