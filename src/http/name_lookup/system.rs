//! The C library's resolver.

use std::io;
use std::net::IpAddr;
use std::net::ToSocketAddrs;

#[cfg(target_os = "linux")]
pub(in super::super) use linux::addresses;

/// Returns the addresses of a name.
///
/// # Errors
/// The name is unknown, or the lookup failed.
#[cfg(not(target_os = "linux"))]
pub(in super::super) fn addresses(name: &str) -> io::Result<Vec<IpAddr>> {
    system_addresses(name)
}

fn system_addresses(name: &str) -> io::Result<Vec<IpAddr>> {
    let addresses = (name, 0).to_socket_addrs()?;
    Ok(addresses.map(|address| address.ip()).collect())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::sync::mpsc;
    use std::time::Duration;

    use dns_lookup::AddrFamily;
    use dns_lookup::AddrInfoHints;
    use dns_lookup::SockType;

    use super::super::families;
    use super::super::families::Family;
    use super::*;

    /// After this time, each family is looked up separately as well.
    const COMBINED_TIMEOUT: Duration = Duration::from_secs(1);

    /// Returns the addresses of a name.
    ///
    /// If a name server ignores questions for IPv6 addresses, glibc returns the IPv4 address
    /// only after 15 s (`send_dg` in `resolv/res_send.c`). So a slow lookup is followed by
    /// one for each family. These are not made first, because the lookup of a family does
    /// not stop at a name that has only the other one in `/etc/hosts`.
    ///
    /// # Errors
    /// The name is unknown, or the lookup failed.
    pub(in super::super::super) fn addresses(name: &str) -> io::Result<Vec<IpAddr>> {
        let (sender, outcomes) = mpsc::channel();
        let (of_all, all) = (sender.clone(), name.to_owned());
        let thread = std::thread::Builder::new();
        // Sending fails if the receiver already has an outcome, which is no error.
        thread.spawn(move || drop(of_all.send(system_addresses(&all))))?;
        if let Ok(outcome) = outcomes.recv_timeout(COMBINED_TIMEOUT) {
            return outcome;
        }
        let each = name.to_owned();
        let thread = std::thread::Builder::new();
        thread.spawn(move || {
            // The combined lookup reports errors.
            if let Ok(found) = families::both(move |family| family_addresses(&each, family)) {
                let _ = sender.send(Ok(found));
            }
        })?;
        let ended_early = |_| Err(io::Error::other("the lookup ended early"));
        outcomes.recv().unwrap_or_else(ended_early)
    }

    fn family_addresses(name: &str, family: Family) -> io::Result<Vec<IpAddr>> {
        let family = match family {
            Family::V4 => AddrFamily::Inet,
            Family::V6 => AddrFamily::Inet6,
        };
        let hints = AddrInfoHints {
            address: family.into(),
            socktype: SockType::Stream.into(),
            ..AddrInfoHints::default()
        };
        let found = dns_lookup::getaddrinfo(Some(name), None, Some(hints))?;
        found
            .map(|entry| entry.map(|entry| entry.sockaddr.ip()))
            .collect()
    }
}
