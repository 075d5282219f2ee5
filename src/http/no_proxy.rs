//! [`NoProxy`]: the hosts that need no proxy. It means what it means to Go programs such as
//! docker and podman (`golang.org/x/net/http/httpproxy`, `proxy.go`).

use std::net::IpAddr;

use ipnet::IpNet;

/// A list of hosts, as in `NO_PROXY`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct NoProxy(Vec<Matcher>);

/// One entry of the list.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Matcher {
    /// `*`: all hosts.
    All,
    /// `10.0.0.0/8`: the addresses of a network.
    Network(IpNet),
    /// `10.0.0.1` or `10.0.0.1:443`.
    Address(IpAddr, Option<String>),
    /// `example.com` or `example.com:443`, and all hosts below it; with a leading dot or `*.`,
    /// only those below it.
    Domain {
        /// The domain with a leading dot.
        suffix: String,
        port: Option<String>,
        includes_domain: bool,
    },
}

impl NoProxy {
    /// No hosts but this machine.
    pub(super) const NONE: Self = Self(Vec::new());

    /// Reads a list whose entries are separated by commas. Invalid entries are ignored,
    /// as in Go.
    pub(super) fn parse(list: &str) -> Self {
        Self(list.split(',').filter_map(Matcher::parse).collect())
    }

    /// Returns whether requests to a host use no proxy. Those to this machine never do.
    pub(super) fn excludes(&self, host: &str, port: u16) -> bool {
        let host = host.to_ascii_lowercase();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let address = bare.parse::<IpAddr>().ok().map(|it| it.to_canonical());
        if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
            return true;
        }
        let port = port.to_string();
        self.0
            .iter()
            .any(|matcher| matcher.matches(bare, &port, address))
    }
}

impl Matcher {
    fn parse(entry: &str) -> Option<Self> {
        let entry = entry.trim().to_ascii_lowercase();
        if entry == "*" {
            return Some(Self::All);
        }
        if let Ok(network) = entry.parse() {
            return Some(Self::Network(network));
        }
        let (host, port) = match split_host_port(&entry) {
            Some((host, port)) => (host, Some(port.to_owned()).filter(|port| !port.is_empty())),
            None => (&*entry, None),
        };
        if let Ok(address) = host.parse::<IpAddr>() {
            return Some(Self::Address(address.to_canonical(), port));
        }
        let domain = host.strip_prefix('*').filter(|rest| rest.starts_with('.'));
        let domain = domain.unwrap_or(host);
        if domain.is_empty() {
            return None;
        }
        let includes_domain = !domain.starts_with('.');
        let dot = if includes_domain { "." } else { "" };
        Some(Self::Domain {
            suffix: format!("{dot}{domain}"),
            port,
            includes_domain,
        })
    }

    fn matches(&self, host: &str, port: &str, address: Option<IpAddr>) -> bool {
        let has_port = |wanted: &Option<String>| wanted.as_deref().is_none_or(|it| it == port);
        match self {
            Self::All => true,
            Self::Network(network) => address.is_some_and(|address| network.contains(&address)),
            Self::Address(wanted, wanted_port) => address == Some(*wanted) && has_port(wanted_port),
            Self::Domain {
                suffix,
                port: wanted_port,
                includes_domain,
            } => {
                let is_domain = *includes_domain && host == &suffix[1..];
                (host.ends_with(&**suffix) || is_domain) && has_port(wanted_port)
            }
        }
    }
}

/// Splits `HOST:PORT` or `[IPV6]:PORT`, as Go's `net.SplitHostPort`; `None` for anything
/// else.
fn split_host_port(entry: &str) -> Option<(&str, &str)> {
    let (host, port) = match entry.strip_prefix('[') {
        Some(rest) => rest.split_once("]:")?,
        None => entry.split_once(':')?,
    };
    let is_one = !port.contains(':') && !host.contains(['[', ']']) && !port.contains(['[', ']']);
    is_one.then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list and the answers of Go's own test (`proxy_test.go`, `TestUseProxy`).
    #[test]
    fn a_list_means_what_it_means_to_go() {
        let list = NoProxy::parse(
            "foobar.com, .barbaz.net, *.wildcard.io, 192.168.1.1, 192.168.1.2:81, 192.168.1.3:80, \
             10.0.0.0/30, 2001:db8::52:0:1, [2001:db8::52:0:2]:443, [2001:db8::52:0:3]:80, \
             2002:db8:a::45/64",
        );
        for (host, uses_proxy) in [
            ("localhost", false),
            ("127.0.0.1", false),
            ("127.0.0.2", false),
            ("[::1]", false),
            ("[::2]", true),
            ("192.168.1.1", false),
            ("192.168.1.2", true),
            ("192.168.1.3", false),
            ("192.168.1.4", true),
            ("10.0.0.2", false),
            ("[2001:db8::52:0:1]", false),
            ("[2001:db8::52:0:2]", true),
            ("[2001:db8::52:0:3]", false),
            ("[2002:db8:a::123]", false),
            ("[fe80::424b:c8be:1643:a1b6]", true),
            ("barbaz.net", true),
            ("www.barbaz.net", false),
            ("foobar.com", false),
            ("www.foobar.com", false),
            ("foofoobar.com", true),
            ("baz.com", true),
            ("localhost.net", true),
            ("local.localhost", true),
            ("barbarbaz.net", true),
            ("wildcard.io", true),
            ("nested.wildcard.io", false),
            ("awildcard.io", true),
        ] {
            assert_eq!(!list.excludes(host, 80), uses_proxy, "{host}");
        }
    }

    #[test]
    fn forms_of_a_list_that_people_write() {
        let iam = "iam.cloud.ibm.com";
        for (list, excludes) in [
            ("*", true),
            ("a.example, *", true),
            ("cloud.ibm.com", true),
            (".cloud.ibm.com", true),
            ("*.cloud.ibm.com", true),
            ("*.ibm.com", true),
            ("IAM.Cloud.IBM.com", true),
            ("iam.cloud.ibm.com:443", true),
            ("*.ibm.com:443", true),
            (" iam.cloud.ibm.com \r", true),
            (",,iam.cloud.ibm.com,", true),
            ("iam.cloud.ibm.com:", true),
            ("", false),
            (":443", false),
            ("iam.cloud.ibm.com:80", false),
            ("*.iam.cloud.ibm.com", false),
            (".iam.cloud.ibm.com", false),
            ("loud.ibm.com", false),
            ("*ibm.com", false),
            ("iam.*.ibm.com", false),
            ("https://iam.cloud.ibm.com", false),
            ("example.com iam.cloud.ibm.com", false),
            ("0.0.0.0/0", false),
        ] {
            assert_eq!(
                NoProxy::parse(list).excludes(iam, 443),
                excludes,
                "{list:?}"
            );
        }
    }
}
