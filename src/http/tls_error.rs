//! Errors about servers that are not trusted.

use reqwest::Url;
use reqwest::blocking::Response;
use reqwest::tls::TlsInfo;
use rustls::CertificateError;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::UnixTime;

use super::transport::TransportError;
use crate::error::one_line;
use crate::time::day_and_minute;
use crate::time::duration;
use crate::time::parse_http_date;

/// The minimum difference of two clocks that explains a rejected certificate, in seconds.
const CLOCK_TOLERANCE: u64 = 60;

/// The maximum length of what a certificate or a TLS library says, in characters.
const MAX_TEXT: usize = 200;

/// How many names of a certificate a message contains.
const MAX_NAMES: usize = 3;

const SET_CLOCK: &str = if cfg!(windows) {
    "Set this machine's clock, for example with 'w32tm /resync'"
} else if cfg!(target_os = "macos") {
    "Set this machine's clock, for example with 'sudo sntp -sS time.apple.com'"
} else {
    "Set this machine's clock, for example with 'sudo timedatectl set-ntp true'"
};

const RENEW: &str =
    "Ask the owner of the server, or of this network's TLS proxy, to renew its certificate";

const TRUST_PROXY: &str = "If this network has a TLS proxy, add its certificate authority to the system's trust store, or set SSL_CERT_FILE to its file";

const LOG_IN_TO_NETWORK: &str =
    "This network has a login page: open any page in a browser, log in, and try again";

const CHECK_NETWORK: &str =
    "Check the address and the proxy settings, and whether this network has a login page";

/// Facts about a server from a connection without a check of its certificate. Only messages
/// use them.
#[derive(Debug, Default)]
pub(super) struct UnverifiedServer {
    /// Its certificate.
    certificate: Option<CertificateDer<'static>>,
    /// Its clock, in seconds since 1970.
    now: Option<u64>,
    /// Whether it sends clients to the login page of a network.
    has_login_page: bool,
}

impl UnverifiedServer {
    /// Returns the facts in a response from `url`.
    pub(super) fn of(url: &Url, response: &Response) -> Self {
        let header = |name: &str| response.headers().get(name)?.to_str().ok();
        let info = response.extensions().get::<TlsInfo>();
        let certificate = info.and_then(TlsInfo::peer_certificate);
        let status = response.status().as_u16();
        let target = header("Location").and_then(|target| url.join(target).ok());
        let leaves = target.is_some_and(|target| site(&target) != site(url));
        Self {
            certificate: certificate.map(|der| CertificateDer::from(der.to_vec())),
            now: header("Date").and_then(parse_http_date),
            // 511: Network Authentication Required (RFC 6585).
            has_login_page: status == 511 || ((300..=399).contains(&status) && leaves),
        }
    }

    fn is_self_signed(&self) -> bool {
        let certificate = self.certificate.as_ref();
        let certificate = certificate.map(webpki::EndEntityCert::try_from);
        certificate
            .and_then(Result::ok)
            .is_some_and(|certificate| certificate.issuer() == certificate.subject())
    }
}

/// Returns the last two labels of the host of a URL.
fn site(url: &Url) -> Option<String> {
    let labels: Vec<&str> = url.host_str()?.rsplit('.').take(2).collect();
    Some(labels.join("."))
}

/// Returns the error for a TLS handshake that failed. `ask` asks the server about itself.
pub(super) fn untrusted_server(
    error: &rustls::Error,
    ask: impl FnOnce() -> UnverifiedServer,
) -> TransportError {
    let (reason, hint) = match error {
        rustls::Error::InvalidCertificate(error) => certificate_error(error, &ask()),
        rustls::Error::InvalidMessage(_) => {
            ("the server does not speak TLS".to_owned(), CHECK_NETWORK)
        }
        error => {
            let error = one_line(&error.to_string(), MAX_TEXT);
            let reason = format!("no encrypted connection is possible ({error})");
            (reason, CHECK_NETWORK)
        }
    };
    TransportError::UntrustedServer { reason, hint }
}

fn certificate_error(
    error: &CertificateError,
    server: &UnverifiedServer,
) -> (String, &'static str) {
    if let Some(end) = ValidityEnd::of(error) {
        return end.explain(server.now);
    }
    let (reason, hint) = match error {
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => (
            format!(
                "its certificate is for {}, not for {}",
                names(presented),
                one_line(&expected.to_str(), MAX_TEXT)
            ),
            CHECK_NETWORK,
        ),
        CertificateError::NotValidForName => {
            ("its certificate is for another name".into(), CHECK_NETWORK)
        }
        _ if server.is_self_signed() => ("its certificate is self-signed".into(), TRUST_PROXY),
        CertificateError::UnknownIssuer => (
            "its certificate is from an authority that this machine does not trust".into(),
            TRUST_PROXY,
        ),
        error => {
            let error = one_line(&error.to_string(), MAX_TEXT);
            let reason = format!("its certificate cannot be verified ({error})");
            (reason, CHECK_NETWORK)
        }
    };
    if server.has_login_page {
        let reason = format!("a login page of this network answers instead: {reason}");
        return (reason, LOG_IN_TO_NETWORK);
    }
    (reason, hint)
}

/// Returns the names of a certificate. The TLS library writes them as in its debug
/// output: `DnsName("us.icr.io")`.
fn names(presented: &[String]) -> String {
    let name = |text: &String| {
        let inner = text.split_once('(').map_or(&**text, |(_, inner)| inner);
        one_line(inner.trim_matches(['(', ')', '"']), MAX_TEXT)
    };
    let mut names: Vec<String> = presented.iter().take(MAX_NAMES).map(name).collect();
    if presented.len() > MAX_NAMES {
        names.push("others".to_owned());
    }
    if names.is_empty() {
        return "no name".to_owned();
    }
    names.join(", ")
}

/// A certificate that is used before or after its time.
struct ValidityEnd {
    /// This machine's time and the end that it is beyond, if they are known.
    times: Option<(u64, u64)>,
    is_over: bool,
}

impl ValidityEnd {
    fn of(error: &CertificateError) -> Option<Self> {
        let times = |time: &UnixTime, end: &UnixTime| Some((time.as_secs(), end.as_secs()));
        let (times, is_over) = match error {
            CertificateError::Expired => (None, true),
            CertificateError::ExpiredContext { time, not_after } => (times(time, not_after), true),
            CertificateError::NotValidYet => (None, false),
            CertificateError::NotValidYetContext { time, not_before } => {
                (times(time, not_before), false)
            }
            _ => return None,
        };
        Some(Self { times, is_over })
    }

    /// Names the clock first, because it is the usual reason. `server` is the server's
    /// time.
    fn explain(&self, server: Option<u64>) -> (String, &'static str) {
        let end = self.times.map(|(_, end)| day_and_minute(end));
        let certificate = match (self.is_over, end) {
            (true, Some(end)) => format!("the server's certificate expired on {end}"),
            (false, Some(end)) => format!("the server's certificate is valid from {end}"),
            (true, None) => "the server's certificate has expired".to_owned(),
            (false, None) => "the server's certificate is not valid yet".to_owned(),
        };
        let local = self.times.map(|(local, _)| local);
        match (local, server) {
            (Some(local), Some(server)) if local.abs_diff(server) <= CLOCK_TOLERANCE => {
                let now = day_and_minute(local);
                let reason = format!(
                    "this machine's clock ({now}) agrees with the server's, but {certificate}"
                );
                (reason, RENEW)
            }
            (Some(local), Some(server)) => {
                let difference = duration(local.abs_diff(server));
                let direction = if local > server { "ahead of" } else { "behind" };
                let (local, server) = (day_and_minute(local), day_and_minute(server));
                let reason = format!(
                    "this machine's clock ({local}) is {difference} {direction} the server's ({server}), and {certificate}"
                );
                (reason, SET_CLOCK)
            }
            (Some(local), None) => {
                let local = day_and_minute(local);
                let reason = format!("this machine's clock says {local}, but {certificate}");
                (reason, SET_CLOCK)
            }
            (None, Some(server)) => {
                let server = day_and_minute(server);
                let reason = format!(
                    "the server's clock says {server}, but by this machine's clock {certificate}"
                );
                (reason, SET_CLOCK)
            }
            (None, None) => (format!("by this machine's clock {certificate}"), SET_CLOCK),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: u64 = 1_800_000_000; // 2027-01-15 08:00 UTC
    const DAY: u64 = 24 * 60 * 60;

    fn time(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    fn explained(error: CertificateError, server: UnverifiedServer) -> String {
        let error = rustls::Error::InvalidCertificate(error);
        match untrusted_server(&error, || server) {
            TransportError::UntrustedServer { reason, hint } => format!("{reason}. {hint}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_certificate_outside_of_its_time_names_the_clock_first() {
        let early = || CertificateError::NotValidYetContext {
            time: time(NOW),
            not_before: time(NOW + DAY),
        };
        let late = || CertificateError::ExpiredContext {
            time: time(NOW),
            not_after: time(NOW - DAY),
        };
        for (error, server, text) in [
            (
                early(),
                Some(NOW + 90 * DAY),
                "this machine's clock (2027-01-15 08:00 UTC) is 90 days behind the server's (2027-04-15 08:00 UTC), and the server's certificate is valid from 2027-01-16 08:00 UTC. Set this machine's clock",
            ),
            (
                late(),
                Some(NOW - 3 * DAY),
                "this machine's clock (2027-01-15 08:00 UTC) is 3 days ahead of the server's (2027-01-12 08:00 UTC), and the server's certificate expired on 2027-01-14 08:00 UTC. Set this machine's clock",
            ),
            (
                late(),
                Some(NOW + 30),
                "this machine's clock (2027-01-15 08:00 UTC) agrees with the server's, but the server's certificate expired on 2027-01-14 08:00 UTC. Ask the owner",
            ),
            (
                early(),
                None,
                "this machine's clock says 2027-01-15 08:00 UTC, but the server's certificate is valid from 2027-01-16 08:00 UTC. Set this machine's clock",
            ),
            (
                CertificateError::Expired,
                Some(NOW),
                "the server's clock says 2027-01-15 08:00 UTC, but by this machine's clock the server's certificate has expired. Set",
            ),
            (
                CertificateError::NotValidYet,
                None,
                "by this machine's clock the server's certificate is not valid yet. Set",
            ),
        ] {
            let server = UnverifiedServer {
                now: server,
                ..UnverifiedServer::default()
            };
            let explained = explained(error, server);
            assert!(explained.starts_with(text), "{explained}");
        }
    }

    #[test]
    fn the_names_of_a_certificate_are_shown_without_what_may_not_be_shown() {
        for (presented, text) in [
            (&[][..], "no name"),
            (&["DnsName(\"us.icr.io\")"], "us.icr.io"),
            (&["a", "b\u{1b}[2J"], "a, b [2J"),
            (&["a", "b", "c", "d"], "a, b, c, others"),
        ] {
            let presented: Vec<String> = presented.iter().map(|it| (*it).to_owned()).collect();
            assert_eq!(names(&presented), text);
        }
    }

    #[test]
    fn a_login_page_of_the_network_is_named() {
        let server = |has_login_page| UnverifiedServer {
            has_login_page,
            ..UnverifiedServer::default()
        };
        let explained =
            |has_login_page| explained(CertificateError::UnknownIssuer, server(has_login_page));
        assert!(explained(true).contains("open any page in a browser"));
        assert!(explained(false).contains("SSL_CERT_FILE"));
    }
}
