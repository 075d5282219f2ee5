//! [`Registry`] and the table of IBM Cloud's registry hosts.
//!
//! Hosts: Registry documentation, `registry_overview.md` (regions, private and
//! deprecated names). `eu-fr2` is a restricted region, known from IBM's SDK
//! (`container-registry-go-sdk`, `GetServiceURLForRegion`). The entitled and staging registries are known from IBM's
//! OpenShift documentation and scripts.

use crate::text::address::host_of;

/// A region's three names for the same registry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Region {
    /// IBM Cloud's name of the region, `global` for the one without a region.
    pub name: &'static str,
    /// The public host.
    pub host: &'static str,
    /// The host inside IBM Cloud's private network.
    pub private_host: &'static str,
    /// The deprecated host, which still answers.
    pub legacy_host: Option<&'static str>,
}

/// All public regions. If IBM adds a region, users list its host in the settings until the
/// next release.
#[rustfmt::skip]
pub const REGIONS: [Region; 14] = [
    Region { name: "global",   host: "icr.io",     private_host: "private.icr.io",     legacy_host: Some("registry.bluemix.net") },
    Region { name: "us-south", host: "us.icr.io",  private_host: "private.us.icr.io",  legacy_host: Some("registry.ng.bluemix.net") },
    Region { name: "eu-gb",    host: "uk.icr.io",  private_host: "private.uk.icr.io",  legacy_host: Some("registry.eu-gb.bluemix.net") },
    Region { name: "eu-de",    host: "de.icr.io",  private_host: "private.de.icr.io",  legacy_host: Some("registry.eu-de.bluemix.net") },
    Region { name: "au-syd",   host: "au.icr.io",  private_host: "private.au.icr.io",  legacy_host: Some("registry.au-syd.bluemix.net") },
    Region { name: "jp-tok",   host: "jp.icr.io",  private_host: "private.jp.icr.io",  legacy_host: None },
    Region { name: "jp-osa",   host: "jp2.icr.io", private_host: "private.jp2.icr.io", legacy_host: None },
    Region { name: "ca-tor",   host: "ca.icr.io",  private_host: "private.ca.icr.io",  legacy_host: None },
    Region { name: "ca-mon",   host: "ca2.icr.io", private_host: "private.ca2.icr.io", legacy_host: None },
    Region { name: "br-sao",   host: "br.icr.io",  private_host: "private.br.icr.io",  legacy_host: None },
    Region { name: "eu-fr2",   host: "fr2.icr.io", private_host: "private.fr2.icr.io", legacy_host: None },
    Region { name: "eu-es",    host: "es.icr.io",  private_host: "private.es.icr.io",  legacy_host: None },
    Region { name: "in-che",   host: "in.icr.io",  private_host: "private.in.icr.io",  legacy_host: None },
    Region { name: "in-mum",   host: "in2.icr.io", private_host: "private.in2.icr.io", legacy_host: None },
];

/// The hosts of IBM's licensed software. Login: user name `cp`, password an entitlement
/// key. The second is for IBM's tests (staging).
pub const ENTITLED_HOSTS: [&str; 2] = ["cp.icr.io", "cp.stg.icr.io"];

/// IBM's own staging registries; their tokens come from staging IAM.
pub const STAGING_HOSTS: [&str; 2] = ["stg.icr.io", "cp.stg.icr.io"];

/// A registry's host. Only [`Registry::at`] checks that it may get credentials.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Registry {
    host: String,
}

impl Registry {
    /// Returns the registry of a server address; `None` if it is neither one of IBM Cloud's
    /// nor one of the `further` registries of the settings.
    pub fn at(address: &str, further: &[Registry]) -> Option<Self> {
        let registry = Self::parse(address)?;
        (is_ibm_host(&registry.host) || further.contains(&registry)).then_some(registry)
    }

    /// Reads a server address: `us.icr.io`, `https://US.icr.io:443/v2/`,
    /// `us.icr.io/namespace/repository`. `None` for everything that does not name
    /// exactly one host.
    pub fn parse(address: &str) -> Option<Self> {
        host_of(address).map(|host| Self { host })
    }

    /// Returns the host in lower case, with its port unless that is the default.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns whether this is a registry of licensed software, which accepts entitlement
    /// keys.
    pub fn is_entitled(&self) -> bool {
        ENTITLED_HOSTS.contains(&self.host.as_str())
    }

    /// Returns whether this registry accepts tokens of staging IAM.
    pub fn is_staging(&self) -> bool {
        STAGING_HOSTS.contains(&self.host.as_str())
    }
}

impl std::fmt::Display for Registry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.host)
    }
}

/// Returns all of IBM's hosts, whatever they are for.
pub fn all() -> impl Iterator<Item = Registry> {
    let regions = REGIONS.iter().flat_map(|region| {
        [
            Some(region.host),
            Some(region.private_host),
            region.legacy_host,
        ]
    });
    let staging = STAGING_HOSTS
        .into_iter()
        .filter(|host| !ENTITLED_HOSTS.contains(host));
    let hosts = regions.flatten().chain(ENTITLED_HOSTS).chain(staging);
    hosts.map(|host| Registry {
        host: host.to_owned(),
    })
}

fn is_ibm_host(host: &str) -> bool {
    ENTITLED_HOSTS.contains(&host)
        || STAGING_HOSTS.contains(&host)
        || REGIONS.iter().any(|region| {
            host == region.host || host == region.private_host || Some(host) == region.legacy_host
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(address: &str) -> Option<String> {
        Registry::at(address, &[]).map(|registry| registry.host)
    }

    #[test]
    fn every_host_of_the_table_is_a_distinct_registry() {
        let mut hosts: Vec<&str> = REGIONS
            .iter()
            .flat_map(|region| {
                [
                    Some(region.host),
                    Some(region.private_host),
                    region.legacy_host,
                ]
            })
            .flatten()
            .chain(["cp.icr.io"])
            .chain(STAGING_HOSTS)
            .collect();
        for host in &hosts {
            assert_eq!(ours(host).as_deref(), Some(*host));
        }
        hosts.sort_unstable();
        hosts.dedup();
        assert_eq!(
            hosts.len(),
            14 * 2 + 5 + 3,
            "no host stands twice in the table"
        );
    }

    #[test]
    fn every_spelling_of_an_address_is_one_registry() {
        for address in [
            "us.icr.io",
            "US.ICR.IO",
            "https://us.icr.io",
            "HTTPS://us.icr.io/",
            "http://us.icr.io",
            "http://us.icr.io:80/v2/",
            "us.icr.io:443",
            "https://us.icr.io:443/v2/",
            "us.icr.io/v2/",
            "us.icr.io/namespace/repo",
            "us.icr.io/namespace/repo:tag",
            "us.icr.io/namespace/repo@sha256:abc",
            "us.icr.io?account=a",
        ] {
            assert_eq!(ours(address).as_deref(), Some("us.icr.io"), "{address}");
        }
    }

    #[test]
    fn lookalike_addresses_are_not_registries() {
        for address in [
            "",
            ".",
            "/",
            "evil-icr.io",
            "evilicr.io",
            "icr.io.evil.com",
            "us.icr.io.evil.com",
            "us.icr.io.",
            ".us.icr.io",
            "us..icr.io",
            "x.us.icr.io",
            "xx.icr.io",
            "dd0.icr.io",
            "dd2.icr.io",
            "dd0.us.icr.io",
            "us.icr.io@evil.com",
            "https://us.icr.io@evil.com",
            "https://user:password@us.icr.io",
            "evil.com/us.icr.io",
            "evil.com#us.icr.io",
            "us.icr.io#.evil.com",
            "us.icr.io/#@evil.com",
            "us.icr.io\\@evil.com",
            "us.icr.io\\.evil.com",
            "evil.com\\us.icr.io",
            "us.icr.io%2eevil.com",
            "us%2eicr.io",
            "us.icr.io:8443",
            "us.icr.io:",
            "us.icr.io:0443",
            "us.icr.io:443:443",
            "us.icr.io:99999",
            "https://us.icr.io:80",
            "ftp://us.icr.io",
            "://us.icr.io",
            "//us.icr.io",
            "https://https://us.icr.io",
            "us.icr.io us.icr.io",
            "us .icr.io",
            "us.icr.iо",   // the last letter is Cyrillic
            "us.ıcr.io",   // a dotless i
            "us。icr。io", // ideographic full stops
            "[us.icr.io]",
            "*.icr.io",
            "index.docker.io",
            "https://index.docker.io/v1/",
            "localhost:5000",
            "127.0.0.1",
        ] {
            assert_eq!(ours(address), None, "{address}");
        }
    }

    #[test]
    fn only_the_settings_add_registries() {
        let further = [
            Registry::parse("eu9.icr.io").unwrap(),
            Registry::parse("localhost:5000").unwrap(),
        ];
        let host = |address| Registry::at(address, &further).map(|registry| registry.host);
        assert_eq!(
            host("https://EU9.icr.io/v2/").as_deref(),
            Some("eu9.icr.io")
        );
        assert_eq!(host("localhost:5000").as_deref(), Some("localhost:5000"));
        assert_eq!(host("localhost"), None, "the port belongs to the name");
        assert_eq!(
            host("x.eu9.icr.io"),
            None,
            "a further host is matched whole, too"
        );
    }

    #[test]
    fn a_very_long_address_is_not_a_registry() {
        assert_eq!(ours(&"us.icr.io.".repeat(100_000)), None);
        assert_eq!(ours(&format!("{}.icr.io", "u".repeat(64))), None);
    }
}
