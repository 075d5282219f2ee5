//! The address and owner of the D-Bus session bus.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::unistd::Uid;

use crate::environment::Environment;

/// The variable with the address of the bus.
pub(super) const BUS_ADDRESS: &str = "DBUS_SESSION_BUS_ADDRESS";

/// The variable with the directory of the bus if there is no address.
pub(super) const RUNTIME_DIRECTORY: &str = "XDG_RUNTIME_DIR";

/// Returns the socket of the bus; `None` if there is no bus, or it has another transport.
pub(super) fn address(environment: &Environment) -> Option<SocketAddr> {
    match environment.text(BUS_ADDRESS).ok()? {
        Some(address) => address.split(';').find_map(parse),
        None => {
            let directory = environment.text(RUNTIME_DIRECTORY).ok()??;
            SocketAddr::from_pathname(Path::new(directory).join("bus")).ok()
        }
    }
}

/// Returns the user id of the bus if it belongs to another user: `sudo -E` and `su -m` keep
/// the caller's address, and a bus accepts connections of root. Returns `None` if the bus
/// cannot be reached, because connecting then fails anyway. Blocks if the bus hangs.
pub(super) fn other_owner(address: &SocketAddr) -> Option<u32> {
    let stream = UnixStream::connect_addr(address).ok()?;
    let owner = peer(&stream)?;
    (owner != Uid::effective().as_raw()).then_some(owner)
}

/// Returns whether the process at the other end of a socket belongs to this user.
pub(super) fn is_own_peer(stream: &UnixStream) -> bool {
    peer(stream) == Some(Uid::effective().as_raw())
}

fn peer(stream: &UnixStream) -> Option<u32> {
    Some(getsockopt(stream, PeerCredentials).ok()?.uid())
}

/// Reads `unix:path=…` and `unix:abstract=…` (D-Bus specification, "Server
/// addresses").
fn parse(address: &str) -> Option<SocketAddr> {
    let keys = address.strip_prefix("unix:")?;
    keys.split(',').find_map(|key| match key.split_once('=')? {
        ("path", path) => SocketAddr::from_pathname(PathBuf::from(unescaped(path)?)).ok(),
        ("abstract", name) => SocketAddr::from_abstract_name(unescaped(name)?).ok(),
        _ => None,
    })
}

fn unescaped(value: &str) -> Option<String> {
    let mut parts = value.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(part.get(2..)?.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// Returns a path as a value in an address.
pub(super) fn escaped(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes().iter();
    bytes
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'/' | b'.' => {
                char::from(*byte).to_string()
            }
            other => format!("%{other:02x}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn addresses_of_d_bus_are_parsed() {
        let path = |address| Some(parse(address)?.as_pathname()?.to_owned());
        assert_eq!(
            path("unix:path=/run/user/1/bus"),
            Some("/run/user/1/bus".into())
        );
        assert_eq!(path("unix:guid=1,path=/a%20b"), Some("/a b".into()));
        let name = parse("unix:abstract=/tmp/dbus-1,guid=2").unwrap();
        assert_eq!(name.as_abstract_name(), Some(&b"/tmp/dbus-1"[..]));
        for address in [
            "",
            "tcp:host=a",
            "unix:",
            "unix:path=%",
            "unix:path=%zz",
            "autolaunch:",
        ] {
            assert!(parse(address).is_none(), "{address}");
        }
        assert_eq!(
            unescaped(&escaped(Path::new("/a b/ü,;%"))).unwrap(),
            "/a b/ü,;%"
        );
    }

    #[test]
    fn without_an_address_the_bus_is_in_the_runtime_directory() {
        let of = |variables: &[(&str, &str)]| {
            let environment = variables.iter().copied().collect();
            Some(address(&environment)?.as_pathname()?.to_owned())
        };
        let directory = (RUNTIME_DIRECTORY, "/run/user/1");
        assert_eq!(of(&[directory]), Some("/run/user/1/bus".into()));
        let both = [directory, (BUS_ADDRESS, "unix:path=/bus")];
        assert_eq!(of(&both), Some("/bus".into()));
        assert_eq!(of(&[directory, (BUS_ADDRESS, "tcp:host=a")]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn a_bus_of_this_user_has_no_other_owner() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bus");
        let _listener = UnixListener::bind(&path).unwrap();
        let address = SocketAddr::from_pathname(&path).unwrap();
        assert_eq!(other_owner(&address), None);
        assert!(is_own_peer(&UnixStream::connect(&path).unwrap()));
        let missing = SocketAddr::from_pathname(directory.path().join("none")).unwrap();
        assert_eq!(other_owner(&missing), None);
    }
}
