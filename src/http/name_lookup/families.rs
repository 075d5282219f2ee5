//! The lookup of IPv4 and IPv6 addresses at the same time.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

/// How long one family waits for the other. RFC 8305 has 50 ms; in a network with IPv6 only,
/// a slower answer is still needed.
const GRACE: Duration = Duration::from_millis(500);

/// A family of addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Looks up both families. One that fails or does not answer leaves the other's addresses.
///
/// # Errors
/// The errors of both families.
pub(super) fn both<E: From<io::Error> + Send + 'static>(
    lookup: impl Fn(Family) -> Result<Vec<IpAddr>, E> + Send + Sync + 'static,
) -> Result<Vec<IpAddr>, Vec<E>> {
    let lookup = Arc::new(lookup);
    let (sender, outcomes) = mpsc::channel();
    let mut errors = Vec::new();
    for family in [Family::V6, Family::V4] {
        let (lookup, sender) = (Arc::clone(&lookup), sender.clone());
        let work = move || {
            // The other family may have been enough.
            let _ = sender.send(lookup(family));
        };
        if let Err(error) = std::thread::Builder::new().spawn(work) {
            errors.push(error.into());
        }
    }
    drop(sender);
    let mut addresses: Vec<IpAddr> = Vec::new();
    loop {
        let outcome = if addresses.is_empty() {
            outcomes.recv().ok()
        } else {
            outcomes.recv_timeout(GRACE).ok()
        };
        match outcome {
            Some(Ok(found)) => addresses.extend(found),
            Some(Err(error)) => errors.push(error),
            None if addresses.is_empty() => return Err(errors),
            None => return Ok(addresses),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::net::Ipv6Addr;

    use super::*;

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

    fn failed<T>() -> io::Result<T> {
        Err(io::Error::other("no"))
    }

    fn silent<T>() -> io::Result<T> {
        loop {
            std::thread::park();
        }
    }

    #[test]
    fn one_family_is_enough() {
        let sorted = |found: Result<Vec<IpAddr>, Vec<io::Error>>| {
            let mut found = found.unwrap();
            found.sort();
            found
        };
        let lookup = |v4: fn() -> io::Result<Vec<IpAddr>>, v6: fn() -> io::Result<Vec<IpAddr>>| {
            sorted(both(move |family| match family {
                Family::V4 => v4(),
                Family::V6 => v6(),
            }))
        };
        assert_eq!(lookup(|| Ok(vec![V4]), || Ok(vec![V6])), [V4, V6]);
        assert_eq!(lookup(|| Ok(vec![V4]), failed), [V4]);
        assert_eq!(lookup(failed, || Ok(vec![V6])), [V6]);
        assert_eq!(lookup(|| Ok(vec![V4]), silent), [V4]);
        assert_eq!(lookup(silent, || Ok(vec![V6])), [V6]);
        assert_eq!(both(|_| failed()).unwrap_err().len(), 2);
    }
}
