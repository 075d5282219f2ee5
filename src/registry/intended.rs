//! Which registry do people mean by an address that is none? Only for messages: no credential goes
//! to the result.

use super::REGIONS;
use super::Registry;
use super::host::ENTITLED_HOSTS;
use super::host::Region;

/// Parts of the names of IBM Cloud's hosts that name no region, and usual ends of others.
const WITHOUT_REGION: [&str; 10] = [
    "bluemix", "cloud", "co", "com", "ibm", "icr", "io", "net", "org", "registry",
];

/// Returns the registry that a person probably means by an address: `us.icr.io` for `us`,
/// `us-south.icr.io`, `icr.us.io`, `us.icr.com`, `docker://us.icr.io` or `"us.icr.io",`.
pub fn intended(address: &str) -> Option<Registry> {
    let is_mark = |it: char| it.is_whitespace() || "\"'`,;.<>()[]".contains(it);
    let address = address.trim_matches(is_mark);
    let (_, rest) = address.rsplit_once("//").unwrap_or(("", address));
    let authority = rest.split(['/', '?', '#']).next()?.trim_matches(is_mark);
    let host = authority.split(':').next()?.to_ascii_lowercase();
    Registry::at(&host, &[]).or_else(|| Registry::parse(named(&host)?))
}

/// Returns the registry that the parts of a host name.
fn named(host: &str) -> Option<&'static str> {
    let parts: Vec<&str> = host.split('.').collect();
    let is_registry = parts.iter().any(|it| ["icr", "bluemix"].contains(it));
    let is_word = parts.len() == 1 && !WITHOUT_REGION.contains(&host);
    let is_private = parts.contains(&"private");
    let of_region = parts
        .iter()
        .filter(|it| **it != "private" && !WITHOUT_REGION.contains(it));
    let mut of_region: Vec<&str> = of_region.copied().collect();
    of_region.dedup();
    let region = match of_region[..] {
        _ if !is_registry && !is_word => None,
        [] => region("global"),
        ["cp"] => return ENTITLED_HOSTS.first().copied(),
        [name] => region(name),
        _ => None,
    }?;
    Some(if is_private {
        region.private_host
    } else {
        region.host
    })
}

/// Returns the region with this name, such as `us-south`, a part of it, or the first part of its
/// host. The name of a zone is that of its region with a number.
fn region(name: &str) -> Option<&'static Region> {
    let is_host = |region: &&Region| region.host.split('.').next() == Some(name);
    let is_name = |region: &&Region| region.name == name;
    let is_part = |region: &&Region| {
        region
            .name
            .split_once('-')
            .is_some_and(|(_, it)| it == name)
    };
    let of_zone = || {
        let (region_name, zone) = name.rsplit_once('-')?;
        let region = REGIONS.iter().find(|region| region.name == region_name)?;
        zone.parse::<u8>().ok().map(|_| region)
    };
    let mut regions = REGIONS.iter();
    let of_host = regions.find(|it| it.name != "global" && is_host(it));
    of_host
        .or_else(|| REGIONS.iter().find(is_name))
        .or_else(|| REGIONS.iter().find(is_part))
        .or_else(of_zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_that_a_person_means_is_found() {
        for (address, host) in [
            ("us", Some("us.icr.io")),
            ("us-south", Some("us.icr.io")),
            ("us-south.icr.io", Some("us.icr.io")),
            ("https://EU-DE.icr.io/v2/", Some("de.icr.io")),
            ("us-south-1.icr.io", Some("us.icr.io")),
            ("jp-osa.icr.io", Some("jp2.icr.io")),
            ("eu-fr2.icr.io", Some("fr2.icr.io")),
            ("gb.icr.io", Some("uk.icr.io")),
            ("syd.icr.io", Some("au.icr.io")),
            ("private.eu-de.icr.io", Some("private.de.icr.io")),
            ("eu-de.private.icr.io", Some("private.de.icr.io")),
            ("icr.us.io", Some("us.icr.io")),
            ("icr.us.icr.io", Some("us.icr.io")),
            ("us.icr.com", Some("us.icr.io")),
            ("us.icr", Some("us.icr.io")),
            ("us.registry.icr.io", Some("us.icr.io")),
            ("global.icr.io", Some("icr.io")),
            ("icr.com", Some("icr.io")),
            ("cp.icr.com", Some("cp.icr.io")),
            ("us.icr.io.", Some("us.icr.io")),
            ("us.icr.io:80", Some("us.icr.io")),
            ("docker://us.icr.io/a/b", Some("us.icr.io")),
            ("\"us.icr.io\",", Some("us.icr.io")),
            ("eu9.icr.io", None),
            ("us.io", None),
            ("us.icr.io.evil.com", None),
            ("evil.us.icr.io", None),
            ("us.icr.io@evil.com", None),
            ("iamapikey:key@us.icr.io", None),
            ("us,de", None),
            ("localhost", None),
            ("docker.io", None),
            ("quay.io", None),
            ("io", None),
            ("icr", Some("icr.io")),
            ("", None),
        ] {
            let found = intended(address);
            assert_eq!(found.as_ref().map(Registry::host), host, "{address}");
        }
    }
}
