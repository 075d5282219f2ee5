//! The proxy that requests use. The variables are read as Go programs such as docker and
//! podman read them (`golang.org/x/net/http/httpproxy`), and more leniently where those fail.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use reqwest::Url;
use serde::Deserialize;
use serde::Serialize;

use super::no_proxy::NoProxy;
use super::transport::ProxyPolicy;
use crate::digest;
use crate::environment::Environment;
use crate::secret::Secret;
use crate::secret::input::without_quotes;

/// The variables with the proxy for encrypted requests. The first that is not blank counts.
/// `ALL_PROXY` is from curl; Go does not read it. All requests that may use a proxy are
/// encrypted, so `HTTP_PROXY` is not here.
pub const PROXY_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// The variables with the hosts that need no proxy. The first that is not empty counts.
pub const NO_PROXY_VARIABLES: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// The setting that names a proxy, in messages.
const SETTING: &str = "the setting 'proxy'";

/// A proxy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Proxy {
    /// The URL, without user name and password.
    pub url: String,
    /// The value of the header `Proxy-Authorization`, if the proxy has a user name.
    pub authorization: Option<Secret>,
    /// What was ignored or corrected in the text: a clause of a sentence for each.
    pub tolerated: Vec<&'static str>,
    /// Whether Go programs can read the text.
    pub is_read_by_go: bool,
}

/// Where a proxy is set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProxyOrigin {
    /// An environment variable.
    Variable(&'static str),
    /// The settings.
    Setting,
}

impl fmt::Display for ProxyOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(formatter, "${name}"),
            Self::Setting => formatter.write_str(SETTING),
        }
    }
}

/// How a request reaches its service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Route {
    /// Without a proxy.
    Direct,
    /// Through this proxy.
    Proxy(Proxy, ProxyOrigin),
    /// Through the proxy of the system (macOS, Windows), if it has one.
    System,
}

/// The proxies of the environment and the settings.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Proxies {
    proxy: Option<(ProxyOrigin, Result<Proxy, &'static str>)>,
    no_proxy: NoProxy,
}

impl Proxies {
    /// No variable and no setting.
    pub const NONE: Self = Self {
        proxy: None,
        no_proxy: NoProxy::NONE,
    };

    /// Reads the variables of a proxy. If none is set, uses the setting. `no_proxy` is the
    /// list of the hosts that need no proxy.
    pub fn new(environment: &Environment, setting: Option<&Proxy>, no_proxy: &str) -> Self {
        let variable = PROXY_VARIABLES.into_iter().find_map(|name| {
            let proxy = in_variable(environment, name)?;
            Some((ProxyOrigin::Variable(name), proxy))
        });
        Self {
            proxy: variable.or_else(|| Some((ProxyOrigin::Setting, Ok(setting?.clone())))),
            no_proxy: NoProxy::parse(no_proxy),
        }
    }

    /// Returns the route of requests to a URL.
    pub fn route(&self, url: &str, policy: ProxyPolicy) -> Route {
        let Some(url) = Url::parse(url)
            .ok()
            .filter(|url| policy == ProxyPolicy::Proxied && url.scheme() == "https")
        else {
            return Route::Direct;
        };
        let port = url.port_or_known_default().unwrap_or(443);
        if self
            .no_proxy
            .excludes(url.host_str().unwrap_or_default(), port)
        {
            return Route::Direct;
        }
        match &self.proxy {
            Some((origin, Ok(proxy))) => Route::Proxy(proxy.clone(), *origin),
            Some((_, Err(_))) => Route::Direct,
            None if cfg!(any(target_os = "macos", windows)) => Route::System,
            None => Route::Direct,
        }
    }

    /// Returns the end of a sentence about a request that failed on a route: the proxy that
    /// it went through, or the one that it could not use; may be empty.
    pub(super) fn note(&self, route: &Route) -> String {
        match (route, &self.proxy) {
            (Route::Proxy(proxy, origin), _) => {
                format!(", through the proxy {} in {origin}", proxy.url)
            }
            (Route::Direct, Some((origin, Err(reason)))) => {
                format!(", without the proxy in {origin}: {reason}")
            }
            _ => String::new(),
        }
    }

    /// Returns where the proxy is set, and the proxy or why it cannot be used; `None` if no
    /// variable and no setting has one.
    pub fn configured(&self) -> Option<(ProxyOrigin, Result<&Proxy, &'static str>)> {
        let (origin, proxy) = self.proxy.as_ref()?;
        Some((*origin, proxy.as_ref().map_err(|reason| *reason)))
    }
}

/// Returns the proxy in a variable, or why it cannot be used; `None` if the variable is not
/// set or blank.
pub fn in_variable(environment: &Environment, name: &str) -> Option<Result<Proxy, &'static str>> {
    match environment.text(name) {
        Ok(text) => text
            .filter(|text| !trimmed(text).is_empty())
            .map(Proxy::parse),
        Err(_) => Some(Err("it is not UTF-8 text")),
    }
}

/// Returns the first variable with the hosts that need no proxy that is not empty, and its
/// list.
pub fn no_proxy_variable(environment: &Environment) -> Option<(&'static str, &str)> {
    let mut names = NO_PROXY_VARIABLES.into_iter();
    names.find_map(|name| Some((name, environment.text(name).ok()??)))
}

impl Route {
    /// Returns the ID of this route in the mark of an outage. A short part of a digest shows
    /// that the password has changed, but does not help to guess it.
    pub(super) fn id(&self) -> String {
        match self {
            Self::Direct => "direct".to_owned(),
            Self::System => "system".to_owned(),
            Self::Proxy(proxy, _) => {
                let secret = proxy.authorization.as_ref().map_or("", Secret::expose);
                let digest = digest::fingerprint(&[&proxy.url, secret]);
                format!("{} {}", proxy.url, &digest[..4])
            }
        }
    }
}

impl Proxy {
    /// Returns the URL with `[redacted]` instead of the user name and password.
    pub fn redacted(&self) -> String {
        match (&self.authorization, self.url.split_once("://")) {
            (Some(_), Some((scheme, host))) => format!("{scheme}://[redacted]@{host}"),
            _ => self.url.clone(),
        }
    }

    /// Reads a proxy: a URL, or a host with an optional port.
    ///
    /// # Errors
    /// Why it cannot be used: a sentence that does not repeat it, because it may have a
    /// password.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut tolerated = Vec::new();
        let value = trimmed(text);
        if value != text {
            tolerated.push("blanks or line breaks at its ends are left out");
        }
        let unquoted = unquoted(value);
        if unquoted != value {
            tolerated.push("the quotes around it are left out");
        }
        if let Some(reason) = no_proxy_but(unquoted) {
            return Err(reason);
        }
        let is_trimmed = !tolerated.is_empty();
        let (scheme, rest) = unquoted.split_once("://").unwrap_or(("http", unquoted));
        let scheme = scheme.to_ascii_lowercase();
        match &*scheme {
            "http" | "https" => {}
            "socks4" | "socks4a" | "socks5" | "socks5h" => {
                return Err("it is a SOCKS proxy, and only HTTP proxies are supported");
            }
            _ => return Err("its scheme is neither http nor https"),
        }
        // A password may contain @, so the last one ends it.
        let (user_info, address) = match rest.rsplit_once('@') {
            Some((user_info, address)) => (Some(user_info), address),
            None => (None, rest),
        };
        if user_info.is_some_and(|it| it.contains('@')) {
            tolerated.push("its user name and password end at the last @");
        }
        Ok(Self {
            url: url_of(&scheme, address)?,
            authorization: user_info.map(authorization),
            is_read_by_go: !is_trimmed && user_info.is_none_or(is_user_info_of_go),
            tolerated,
        })
    }
}

/// Returns what a text is that is certainly not the address of a proxy, although it can be read as
/// one.
fn no_proxy_but(text: &str) -> Option<&'static str> {
    const WORDS: [&str; 6] = ["direct", "none", "null", "false", "true", "undefined"];
    let text = text.to_ascii_lowercase();
    let (_, address) = text.rsplit_once('@').unwrap_or(("", &text));
    let path = address.split(['?', '#']).next().unwrap_or_default();
    if path.ends_with(".pac") || path.ends_with("/wpad.dat") || text.starts_with("pac+") {
        return Some(
            "it is the address of a PAC file, and only the proxies in such a file can be used",
        );
    }
    if WORDS.contains(&&*text) {
        return Some("it is a word, not the address of a proxy");
    }
    if address.contains('$') {
        return Some("it contains a variable that was not expanded");
    }
    let has_one_slash = ["http:/", "https:/"].iter().any(|start| {
        let rest = text.strip_prefix(start);
        rest.is_some_and(|rest| !rest.starts_with('/'))
    });
    has_one_slash.then_some("it has one slash after its scheme instead of two")
}

/// Returns the text without blanks, line breaks and a byte order mark at its ends.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}')
}

/// Returns the text without a pair of quotes, which `--env-file` keeps.
fn unquoted(text: &str) -> &str {
    without_quotes(text).map_or(text, trimmed)
}

/// Returns the URL of a proxy from what follows its user name and password.
fn url_of(scheme: &str, address: &str) -> Result<String, &'static str> {
    const INVALID: &str = "its host or port is not valid";
    let host = address.split(['/', '?', '#']).next().unwrap_or_default();
    if host.is_empty() || host.starts_with(':') {
        return Err("it has no host");
    }
    // The URL parser would decode or drop these.
    if !host.is_ascii() || host.contains(|c: char| matches!(c, '%' | '\\') || c.is_whitespace()) {
        return Err(INVALID);
    }
    let url = Url::parse(&format!("{scheme}://{host}")).map_err(|_| INVALID)?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Returns the header of a user name and a password, in which special characters may be
/// percent-encoded.
fn authorization(user_info: &str) -> Secret {
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let mut login: Vec<u8> = percent_decode_str(user).collect();
    login.push(b':');
    login.extend(percent_decode_str(password));
    let encoded = STANDARD.encode(&login);
    zeroize::Zeroize::zeroize(&mut login);
    Secret::new(format!("Basic {encoded}"))
}

/// Returns whether Go accepts a user name and password in a URL (`net/url`, `validUserinfo`
/// and `unescape`).
fn is_user_info_of_go(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let is_valid = match byte {
            b'%' => [bytes.next(), bytes.next()]
                .iter()
                .all(|digit| digit.is_some_and(|digit| digit.is_ascii_hexdigit())),
            _ => byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=@".contains(&byte),
        };
        if !is_valid {
            return false;
        }
    }
    true
}

/// What a proxy answered instead of connecting.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ProxyRefusal {
    /// Its HTTP status.
    pub status: u16,
    /// The proxy as messages name it.
    proxy: String,
    /// Where it is set; `None` for the system's proxy.
    origin: Option<String>,
    /// Whether it got a user name and a password.
    has_login: bool,
    /// The host that it should connect to.
    host: String,
}

/// The status of a proxy that requires another user name or password (RFC 9110, 15.5.8).
pub(super) const LOGIN_REQUIRED: u16 = 407;

impl ProxyRefusal {
    /// Creates the refusal of a request to a host.
    pub(super) fn new(route: &Route, host: &str, status: u16) -> Self {
        let host = host.to_owned();
        match route {
            Route::Proxy(proxy, origin) => Self {
                status,
                proxy: format!("the proxy {}", proxy.url),
                origin: Some(origin.to_string()),
                has_login: proxy.authorization.is_some(),
                host,
            },
            Route::Direct | Route::System => Self {
                status,
                proxy: "the system's proxy".to_owned(),
                origin: None,
                has_login: false,
                host,
            },
        }
    }

    /// Returns the hint.
    pub fn hint(&self) -> String {
        let host = &self.host;
        match (self.status, &self.origin, self.has_login) {
            (LOGIN_REQUIRED, Some(origin), true) => format!(
                "Correct them in {origin}, with special characters percent-encoded (@ is %40)"
            ),
            (LOGIN_REQUIRED, origin, _) => {
                let origin = origin.as_deref().unwrap_or("$HTTPS_PROXY");
                format!("Set {origin} to http://USER:PASSWORD@HOST:PORT")
            }
            _ => format!(
                "Have its administrator permit {host}, or add {host} to NO_PROXY if it can be reached directly"
            ),
        }
    }
}

impl fmt::Display for ProxyRefusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            status,
            proxy,
            origin,
            has_login,
            host,
        } = self;
        let origin = origin.as_deref();
        match (*status, *has_login) {
            (LOGIN_REQUIRED, true) => write!(
                formatter,
                "{proxy} rejected the user name and password in {} (HTTP {status})",
                origin.unwrap_or("the system's settings")
            ),
            (LOGIN_REQUIRED, false) => {
                write!(formatter, "{proxy}")?;
                if let Some(origin) = origin {
                    write!(formatter, " in {origin}")?;
                }
                write!(
                    formatter,
                    " requires a user name and a password (HTTP {status})"
                )
            }
            _ => {
                write!(formatter, "{proxy}")?;
                if let Some(origin) = origin {
                    write!(formatter, " in {origin}")?;
                }
                write!(
                    formatter,
                    " does not permit connections to {host} (HTTP {status})"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests;
