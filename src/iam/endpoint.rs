//! The addresses of IAM: every host and path that IBM may change.

use reqwest::Url;

use crate::http::transport::ProxyPolicy;
use crate::text::repeatable;

/// The path of the token API (IAM Identity Services, "Create an IAM access token").
const TOKEN_PATH: &str = "/identity/token";

/// The path of the discovery document (`ibm-cloud-cli-sdk`, `GetEndpoint`).
const DISCOVERY_PATH: &str = "/identity/.well-known/openid-configuration";

/// The path of the API keys (`platform-services-go-sdk`, `iamidentityv1`).
const API_KEYS_PATH: &str = "/v1/apikeys";

/// The base URL of an IAM, safe to send secrets to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    base: String,
}

impl Endpoint {
    /// `https://iam.cloud.ibm.com`.
    pub fn public() -> Self {
        Self::at("https://iam.cloud.ibm.com")
    }

    /// `https://private.iam.cloud.ibm.com`, on IBM Cloud's private network
    /// (IAM documentation, "Private endpoints").
    pub fn private() -> Self {
        Self::at("https://private.iam.cloud.ibm.com")
    }

    /// `https://private.REGION.iam.cloud.ibm.com` in the regions that have an IAM endpoint of their
    /// own in the private network (`bluemix-go`, `endpoints/endpoints_locator.go`), otherwise
    /// [`Endpoint::private`].
    pub fn private_in(region: &str) -> Self {
        const REGIONS: [&str; 2] = ["us-south", "us-east"];
        if REGIONS.contains(&region) {
            Self::at(&format!("https://private.{region}.iam.cloud.ibm.com"))
        } else {
            Self::private()
        }
    }

    /// `https://iam.test.cloud.ibm.com`, whose tokens the staging registries take.
    pub fn staging() -> Self {
        Self::at("https://iam.test.cloud.ibm.com")
    }

    /// Parses an endpoint with or without the token path, like IBM's SDKs.
    ///
    /// # Errors
    /// It is neither `https` nor, on this machine, `http`: a phrase that follows the name of
    /// the setting, such as `must use https://`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.contains("://") {
            let host = repeatable::host(text);
            let host = host.as_deref().unwrap_or("iam.cloud.ibm.com");
            return Err(format!("must begin with https://, as in https://{host}"));
        }
        let base = base_of(text, |_| false)?;
        let paths = [TOKEN_PATH, "/identity"];
        let bare = paths.iter().find_map(|path| base.strip_suffix(path));
        Ok(Self::at(bare.unwrap_or(&base)))
    }

    /// Returns the base URL, which identifies the endpoint.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Returns the URL of the token API.
    pub fn token_url(&self) -> String {
        format!("{}{TOKEN_PATH}", self.base)
    }

    pub(crate) fn discovery_url(&self) -> String {
        format!("{}{DISCOVERY_PATH}", self.base)
    }

    pub(crate) fn api_keys_url(&self) -> String {
        format!("{}{API_KEYS_PATH}", self.base)
    }

    /// Returns the proxy policy of its requests: unencrypted ones stay on this machine and
    /// use no proxy.
    pub(crate) fn proxy_policy(&self) -> ProxyPolicy {
        if self.base.starts_with("http:") {
            ProxyPolicy::Direct
        } else {
            ProxyPolicy::Proxied
        }
    }

    fn at(base: &str) -> Self {
        Self {
            base: base.trim_end_matches('/').to_owned(),
        }
    }
}

/// Returns the base URL in a text, without a trailing slash. It must be `https`, or `http`
/// on this machine or at a host that `may_be_unencrypted`.
pub(crate) fn base_of(
    text: &str,
    may_be_unencrypted: impl Fn(&str) -> bool,
) -> Result<String, String> {
    let url = parse_url(text)?;
    if has_user_info(&url) {
        return Err("must not contain a user name or password".into());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not contain a query or a fragment (? or #)".into());
    }
    if !is_safe(&url, may_be_unencrypted) {
        return Err("must use https://, because secrets would be sent unencrypted (http:// is for this machine only)".into());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Parses a URL whose host is written in ASCII.
///
/// Other hosts are rejected before parsing, because `Url` is built without Unicode's tables
/// here. It would also decode `%` in a host. The host is found as `Url` finds it, which
/// drops tabs and line breaks and reads `\\` as `/`.
pub(crate) fn parse_url(text: &str) -> Result<Url, String> {
    let rest = text.split_once(':').map_or(text, |(_, rest)| rest);
    let rest = rest.trim_start_matches(['/', '\\', '\t', '\n', '\r']);
    let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    if authority.contains('%') {
        return Err("contains % in the host name".into());
    }
    if !text.is_ascii() {
        return Err(
            "must contain only ASCII characters (a host in another script has the form xn--…)"
                .into(),
        );
    }
    Url::parse(text).map_err(|error| format!("is not a URL ({error})"))
}

/// Returns whether requests to a URL are encrypted or stay on this machine.
pub(crate) fn is_safe(url: &Url, may_be_unencrypted: impl Fn(&str) -> bool) -> bool {
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => true,
        ("http", Some(host)) => {
            let host = host.to_string();
            is_loopback(&host) || may_be_unencrypted(&host)
        }
        _ => false,
    }
}

pub(crate) fn has_user_info(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;

    #[test]
    fn an_endpoint_is_read_with_or_without_its_path() {
        for text in [
            "https://iam.example.com",
            "https://IAM.example.com/",
            "https://iam.example.com/identity/token",
            "https://iam.example.com:443/identity/token/",
            "https://iam.example.com/identity/",
        ] {
            assert_eq!(
                Endpoint::parse(text).unwrap().token_url(),
                "https://iam.example.com/identity/token",
                "{text}"
            );
        }
        for text in [
            "http://127.0.0.1:8080",
            "http://localhost:8080",
            "http://[::1]:8080",
        ] {
            assert!(Endpoint::parse(text).is_ok(), "{text} is this machine");
        }
    }

    #[test]
    fn a_host_that_is_not_ascii_is_rejected_before_it_is_parsed() {
        let hosts = [
            "MÜNCHEN.example",
            "münchen.example",
            "M%C3%9CNCHEN.example",
            "iam.cloud.ibm.Com\u{ad}",
            "ＩＡＭ.example",
            "iam。cloud。ibm。com",
            "ΣΑΣ.example",
            "İ.example",
            "ß.EXAMPLE",
            "xn--Ü.example",
            "%E2%80%AE.example",
            "\u{202e}moc.mbi",
            "\u{1f600}.example",
            "A\u{308}.example",
        ];
        let frames = [
            "https://{}",
            "https://{}/identity/token",
            "https:{}",
            "https:\\\\{}",
            "https:///{}",
            "HTTPS://{}:8443",
            "https://user@{}",
            "http://{}",
            "ht\ttps://{}",
            " https:\n//{}",
            "https://x:{}@iam.example",
            "//{}",
            "{}",
        ];
        for host in hosts {
            for frame in frames {
                let text = frame.replace("{}", host);
                assert!(Endpoint::parse(&text).is_err(), "{text:?}");
            }
        }
    }

    /// Without Unicode's tables the parser asserts that its input is ASCII.
    #[test]
    fn malformed_addresses_never_panic() {
        let pieces = [
            "https",
            ":",
            "//",
            "/",
            "\\",
            "%",
            "%C3",
            "%9C",
            "%41",
            "xn--",
            "xn--a",
            "-",
            ".",
            "A",
            "É",
            "ß",
            "\u{301}",
            "\u{202e}",
            "[",
            "::1",
            "]",
            "@",
            "443",
            "?",
            "#",
            "\t",
            " ",
            "iam.Example.com",
        ];
        for first in pieces {
            for second in pieces {
                for third in pieces {
                    let rest = format!("{first}{second}{third}");
                    for text in [rest.clone(), format!("https://{rest}")] {
                        if let Ok(endpoint) = Endpoint::parse(&text) {
                            assert!(endpoint.base().is_ascii(), "{text:?}");
                        }
                        assert!(
                            Registry::parse(&text).is_none_or(|it| it.host().is_ascii()),
                            "{text:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn an_unencrypted_endpoint_is_rejected() {
        for text in [
            "http://iam.cloud.ibm.com",
            "http://127.0.0.1.evil.com",
            "http://localhost.evil.com",
            "http://0.0.0.0",
            "http://2130706433.evil.com",
            "ftp://iam.cloud.ibm.com",
            "file:///etc/passwd",
            "iam.cloud.ibm.com",
            "https://",
            "https://user@iam.cloud.ibm.com",
            "https://iam.cloud.ibm.com?x=y",
            "https://iam.cloud.ibm.com#x",
            "",
        ] {
            assert!(Endpoint::parse(text).is_err(), "{text}");
        }
        let error = Endpoint::parse("https://user:hunter2@iam.cloud.ibm.com").unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
