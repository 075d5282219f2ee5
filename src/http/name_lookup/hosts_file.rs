//! `/etc/hosts` (hosts(5)), and the names of this machine.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// Returns the addresses of a name in the text of the file.
pub(super) fn addresses_in(text: &str, name: &str) -> Vec<IpAddr> {
    let name = name.trim_end_matches('.');
    let mut addresses = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(Ok(address)) = words.next().map(str::parse) else {
            continue;
        };
        let is_named = words.any(|word| word.eq_ignore_ascii_case(name));
        if is_named && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

/// Returns the addresses of `localhost` and the names below it, which no name server is asked
/// for (RFC 6761, section 6.3).
pub(super) fn loopback_addresses(name: &str) -> Option<Vec<IpAddr>> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let is_local = name == "localhost" || name.ends_with(".localhost");
    is_local.then(|| vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lines_with_a_name_count() {
        let text = "127.0.0.1 localhost\n# 10.0.0.1 iam.test\n10.0.0.2\tother.test IAM.test # old\r\nnonsense iam.test\n\n::1 iam.test x\n10.0.0.2 iam.test\n10.0.0.3 iam.test.example\n";
        let found = |name| {
            let found = addresses_in(text, name);
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            found
        };
        assert_eq!(found("iam.test"), ["10.0.0.2", "::1"]);
        assert_eq!(found("Iam.Test."), ["10.0.0.2", "::1"]);
        assert_eq!(found("old"), [""; 0]);
        assert_eq!(found("test"), [""; 0]);
    }

    #[test]
    fn local_names_need_no_file() {
        for name in ["localhost", "LOCALHOST.", "iam.localhost"] {
            assert_eq!(loopback_addresses(name).unwrap().len(), 2);
        }
        assert_eq!(loopback_addresses("localhost.example"), None);
        assert_eq!(loopback_addresses("mylocalhost"), None);
    }
}
