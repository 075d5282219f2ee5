//! `/etc/resolv.conf` (resolv.conf(5)), read as glibc does: invalid lines are skipped.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::SocketAddrV6;
use std::ops::RangeInclusive;
use std::time::Duration;

/// How many name servers are used (`MAXNS`).
const MAX_SERVERS: usize = 3;

const PORT: u16 = 53;

/// Which name servers are asked, and how.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct ResolvConf {
    pub(super) servers: Vec<SocketAddr>,
    /// The domains that complete a short name.
    pub(super) search: Vec<String>,
    /// A name with fewer dots is completed before it is looked up as it is.
    pub(super) ndots: usize,
    /// How long one server is asked.
    pub(super) timeout: Duration,
    /// How often all servers are asked.
    pub(super) attempts: usize,
    /// Whether only TCP is used.
    pub(super) use_tcp: bool,
    /// Whether the first server varies.
    pub(super) rotate: bool,
    /// Whether IPv6 addresses are not asked for.
    pub(super) no_ipv6: bool,
}

impl ResolvConf {
    /// Reads the text of a file. Without a name server, one on this machine is asked; without
    /// domains, the one in `host_name` is used. `interface` returns the number of a network
    /// interface.
    pub(super) fn parse(
        text: &str,
        host_name: &str,
        interface: impl Fn(&str) -> Option<u32>,
    ) -> Self {
        let domain = host_name.split_once('.').map(|(_, domain)| domain);
        let mut conf = Self {
            servers: Vec::new(),
            search: domain.map(str::to_owned).into_iter().collect(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
            use_tcp: false,
            rotate: false,
            no_ipv6: false,
        };
        for line in text.lines() {
            // A keyword is at the beginning of its line.
            let Some((keyword, values)) = line.split_once([' ', '\t']) else {
                continue;
            };
            let mut values = values.split_whitespace();
            match keyword {
                "nameserver" => {
                    let server = values.next().and_then(|it| server(it, &interface));
                    conf.servers.extend(server);
                }
                "domain" => {
                    if let Some(domain) = values.next() {
                        conf.search = vec![domain.to_owned()];
                    }
                }
                "search" => {
                    let domains: Vec<String> = values.map(str::to_owned).collect();
                    if !domains.is_empty() {
                        conf.search = domains;
                    }
                }
                "options" => values.for_each(|option| conf.set(option)),
                _ => {}
            }
        }
        conf.servers.truncate(MAX_SERVERS);
        if conf.servers.is_empty() {
            conf.servers = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))];
        }
        conf
    }

    fn set(&mut self, option: &str) {
        let (name, value) = option.split_once(':').unwrap_or((option, ""));
        match name {
            "ndots" => self.ndots = number(value, 0..=15).unwrap_or(self.ndots),
            "timeout" => {
                let seconds = number(value, 1..=30).and_then(|it| u64::try_from(it).ok());
                self.timeout = seconds.map_or(self.timeout, Duration::from_secs);
            }
            "attempts" => self.attempts = number(value, 1..=5).unwrap_or(self.attempts),
            "use-vc" => self.use_tcp = true,
            "rotate" => self.rotate = true,
            "no-aaaa" => self.no_ipv6 = true,
            _ => {}
        }
    }

    /// Returns the names to look up for `name`, in this order. Each is complete.
    pub(super) fn candidates(&self, name: &str) -> Vec<String> {
        if let Some(complete) = name.strip_suffix('.') {
            return vec![complete.to_owned()];
        }
        let mut candidates: Vec<String> = self
            .search
            .iter()
            .map(|domain| match domain.trim_matches('.') {
                "" => name.to_owned(),
                domain => format!("{name}.{domain}"),
            })
            .collect();
        let dots = name.matches('.').count();
        let position = if dots >= self.ndots {
            0
        } else {
            candidates.len()
        };
        candidates.insert(position, name.to_owned());
        candidates
    }
}

/// Returns a number within its limits; `None` for what is no number.
fn number(text: &str, limits: RangeInclusive<usize>) -> Option<usize> {
    let number: usize = text.parse().ok()?;
    Some(number.clamp(*limits.start(), *limits.end()))
}

/// Returns the address of a name server; an IPv6 address may end in `%` and its interface.
fn server(text: &str, interface: impl Fn(&str) -> Option<u32>) -> Option<SocketAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, PORT));
    }
    let (address, scope) = text.split_once('%')?;
    let address: Ipv6Addr = address.parse().ok()?;
    let scope = scope.parse().ok().or_else(|| interface(scope));
    let scope = scope.unwrap_or_default();
    Some(SocketAddrV6::new(address, PORT, 0, scope).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> ResolvConf {
        ResolvConf::parse(text, "host", |name| (name == "eth0").then_some(7))
    }

    #[test]
    fn the_name_servers_are_those_that_glibc_uses() {
        for (text, servers) in [
            ("", &["127.0.0.1:53"][..]),
            (
                "nameserver\nnameserver x\nnameserver 1.2.3\n",
                &["127.0.0.1:53"],
            ),
            (" nameserver 10.0.0.1\n", &["127.0.0.1:53"]),
            (
                "#nameserver 10.0.0.1\nnameserver 10.0.0.2 # VPN\r\n",
                &["10.0.0.2:53"],
            ),
            (
                "nameserver\t10.0.0.3\nnonsense\nnameserver 10.0.0.1\nnameserver ::1\nnameserver 10.0.0.4",
                &["10.0.0.3:53", "10.0.0.1:53", "[::1]:53"],
            ),
            ("nameserver fe80::1%eth0", &["[fe80::1%7]:53"]),
            ("nameserver fe80::1%3", &["[fe80::1%3]:53"]),
            ("nameserver fe80::1%missing", &["[fe80::1]:53"]),
        ] {
            let found = parse(text).servers;
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            assert_eq!(found, servers, "{text}");
        }
    }

    #[test]
    fn options_have_limits_and_unknown_ones_are_skipped() {
        let conf = parse("options ndots:2 timeout:1 attempts:3 use-vc rotate no-aaaa edns0 x:y\n");
        assert_eq!((conf.ndots, conf.attempts), (2, 3));
        assert_eq!(conf.timeout, Duration::from_secs(1));
        assert!(conf.use_tcp && conf.rotate && conf.no_ipv6);
        let conf = parse("options ndots:99 timeout:99\noptions attempts:99\n");
        assert_eq!((conf.ndots, conf.attempts), (15, 5));
        assert_eq!(conf.timeout, Duration::from_secs(30));
        let conf = parse("options ndots:0 timeout:0 attempts:0");
        assert_eq!((conf.ndots, conf.attempts), (0, 1));
        assert_eq!(conf.timeout, Duration::from_secs(1));
        assert_eq!(parse("options ndots: timeout:x attempts:-1"), parse(""));
        assert_eq!(parse("options\noptions \0\nsearch\ndomain \n"), parse(""));
    }

    #[test]
    fn short_names_are_completed() {
        for (text, name, candidates) in [
            ("", "iam", &["iam"][..]),
            (
                "search a.test b.test",
                "iam",
                &["iam.a.test", "iam.b.test", "iam"],
            ),
            (
                "search a.test",
                "us.icr.io",
                &["us.icr.io", "us.icr.io.a.test"],
            ),
            ("search a.test", "us.icr.io.", &["us.icr.io"]),
            (
                "options ndots:5\nsearch default.svc.cluster.local a.test.",
                "us.icr.io",
                &[
                    "us.icr.io.default.svc.cluster.local",
                    "us.icr.io.a.test",
                    "us.icr.io",
                ],
            ),
            (
                "search a.test\ndomain b.test",
                "iam",
                &["iam.b.test", "iam"],
            ),
            (
                "domain b.test\nsearch a.test",
                "iam",
                &["iam.a.test", "iam"],
            ),
            ("search .", "iam", &["iam", "iam"]),
        ] {
            assert_eq!(parse(text).candidates(name), candidates, "{text}");
        }
        let conf = ResolvConf::parse("", "host.example.test", |_| None);
        assert_eq!(conf.candidates("iam"), ["iam.example.test", "iam"]);
    }
}
