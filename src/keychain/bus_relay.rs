//! The session bus for a process in a user namespace.
//!
//! To prove itself to the bus, libdbus sends the user id that it sees. In a user
//! namespace that is not the one that the bus sees, and the bus hangs up. The
//! D-Bus specification ("EXTERNAL", in "Authentication mechanisms") lets a client
//! leave the id out, which libdbus never does. So the program runs itself again
//! behind a relay that leaves it out.

use std::ffi::OsString;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitCode;
use std::thread::Builder;

use super::user_namespace;
use crate::environment::Environment;

const BUS_ADDRESS: &str = "DBUS_SESSION_BUS_ADDRESS";

/// Begins the relay's socket's name, and tells that we run behind it already.
const SOCKET: &str = "docker-credential-icr-relay-";

/// Runs this program again behind a relay, if it needs one, and returns its exit
/// status. The socket is in the user's own runtime directory: whoever reached it
/// could speak to the bus in our name.
pub fn run_behind(arguments: &[OsString], environment: &Environment) -> Option<ExitCode> {
    let verb = arguments.first()?.to_str()?;
    if !["erase", "get", "list", "store"].contains(&verb) {
        return None;
    }
    user_namespace::outer_uid()?;
    let runtime_directory = environment.text("XDG_RUNTIME_DIR").ok()??;
    let bus = bus_of(environment, Path::new(runtime_directory))?;
    let path = Path::new(runtime_directory).join(format!("{SOCKET}{}", std::process::id()));
    // Left by a process of that number that was killed.
    let _ = std::fs::remove_file(&path);
    let program = std::env::current_exe().ok()?;
    let listener = UnixListener::bind(&path).ok()?;
    Builder::new().spawn(move || relay(&listener, &bus)).ok()?;
    let status = Command::new(program)
        .args(arguments)
        .env(BUS_ADDRESS, format!("unix:path={}", escaped(&path)))
        .status();
    let _ = std::fs::remove_file(&path);
    let code = status.ok()?.code().and_then(|code| u8::try_from(code).ok());
    Some(ExitCode::from(code.unwrap_or(1)))
}

/// Whether this process has been run again behind a relay.
pub fn is_behind(environment: &Environment) -> bool {
    let address = environment.text(BUS_ADDRESS).ok().flatten();
    address.is_some_and(is_relay)
}

/// Whether a bus address is that of a relay, which is another for every process.
pub(super) fn is_relay(address: &str) -> bool {
    address.contains(SOCKET)
}

/// Where the real bus listens; `None` also when we run behind a relay already.
fn bus_of(environment: &Environment, runtime_directory: &Path) -> Option<SocketAddr> {
    match environment.text(BUS_ADDRESS).ok()? {
        Some(address) if is_relay(address) => None,
        Some(address) => address.split(';').find_map(parse),
        None => SocketAddr::from_pathname(runtime_directory.join("bus")).ok(),
    }
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

fn escaped(path: &Path) -> String {
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

/// Takes one client to the bus. An error ends the connection, and libdbus tells.
fn relay(listener: &UnixListener, bus: &SocketAddr) -> io::Result<()> {
    let (mut client, _) = listener.accept()?;
    let mut bus = UnixStream::connect_addr(bus)?;
    introduce(&mut client, &mut bus)?;
    let (from_client, to_bus) = (client.try_clone()?, bus.try_clone()?);
    Builder::new().spawn(move || carry(from_client, to_bus))?;
    carry(bus, client)
}

/// The client says who it is; the bus is told to look for itself.
fn introduce(client: &mut (impl Read + Write), bus: &mut (impl Read + Write)) -> io::Result<()> {
    read_line(client)?;
    bus.write_all(b"\0AUTH EXTERNAL\r\n")?;
    read_line(bus)?;
    bus.write_all(b"DATA\r\n")?;
    client.write_all(&read_line(bus)?)
}

fn carry(mut from: UnixStream, mut to: UnixStream) -> io::Result<()> {
    io::copy(&mut from, &mut to)?;
    to.shutdown(Shutdown::Write)
}

/// A line of the introduction, which is short; what follows it is no line.
fn read_line(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') && line.len() < 1024 {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        line.extend(byte);
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_d_bus_writes_it() {
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
    fn the_bus_is_told_no_user_id() {
        let (mut client, relayed) = UnixStream::pair().unwrap();
        let (bus, mut relay_end) = UnixStream::pair().unwrap();
        let relay = std::thread::spawn(move || {
            let mut relayed = relayed;
            introduce(&mut relayed, &mut relay_end)
        });
        let mut bus = bus;
        client.write_all(b"\0AUTH EXTERNAL 30\r\n").unwrap();
        assert_eq!(read_line(&mut bus).unwrap(), b"\0AUTH EXTERNAL\r\n");
        bus.write_all(b"DATA\r\n").unwrap();
        assert_eq!(read_line(&mut bus).unwrap(), b"DATA\r\n");
        bus.write_all(b"OK 1234\r\n").unwrap();
        assert_eq!(read_line(&mut client).unwrap(), b"OK 1234\r\n");
        relay.join().unwrap().unwrap();
    }
}
