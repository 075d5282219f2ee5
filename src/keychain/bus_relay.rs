//! A relay to the session bus for a process in a user namespace.
//!
//! To authenticate, libdbus sends the user id that it sees. In a user namespace, that is not
//! the id that the bus sees, so the bus closes the connection. The D-Bus specification
//! ("EXTERNAL", in "Authentication mechanisms") lets a client omit the id, but libdbus always
//! sends it. So the program runs itself again behind a relay that omits it.

use std::ffi::OsString;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::process::ExitCode;
use std::thread::Builder;

use super::session_bus;
use super::session_bus::BUS_ADDRESS;
use super::session_bus::RUNTIME_DIRECTORY;
use super::session_bus::escaped;
use super::session_bus::is_own_peer;
use super::user_namespace;
use crate::environment::Environment;

/// The prefix of the socket's name, by which a process recognizes that it runs behind a relay.
const SOCKET: &str = "docker-credential-icr-relay-";

/// Runs this program again behind a relay, if it needs one, and returns its exit status.
///
/// The socket is in the user's runtime directory. The relay rejects processes of other users,
/// because the bus would take them for this user.
pub fn run_behind(arguments: &[OsString], environment: &Environment) -> Option<ExitCode> {
    let verb = arguments.first()?.to_str()?;
    if !["erase", "get", "list", "store"].contains(&verb) {
        return None;
    }
    user_namespace::outer_uid()?;
    let runtime_directory = environment.text(RUNTIME_DIRECTORY).ok()??;
    let bus = bus_address(environment)?;
    let path = Path::new(runtime_directory).join(format!("{SOCKET}{}", std::process::id()));
    // Left by a process with the same id that was killed.
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

/// Returns whether this process runs behind a relay.
pub fn is_behind(environment: &Environment) -> bool {
    let address = environment.text(BUS_ADDRESS).ok().flatten();
    address.is_some_and(is_relay)
}

/// Returns whether a bus address is that of a relay. Each process has another one.
pub(super) fn is_relay(address: &str) -> bool {
    address.contains(SOCKET)
}

/// Returns the socket of the real bus; `None` also behind a relay.
fn bus_address(environment: &Environment) -> Option<SocketAddr> {
    if is_behind(environment) {
        return None;
    }
    session_bus::address(environment)
}

/// Connects one client of this user to the bus. An error closes the connection, which
/// libdbus reports.
fn relay(listener: &UnixListener, bus: &SocketAddr) -> io::Result<()> {
    let mut client = loop {
        let (client, _) = listener.accept()?;
        if is_own_peer(&client) {
            break client;
        }
    };
    let mut bus = UnixStream::connect_addr(bus)?;
    authenticate(&mut client, &mut bus)?;
    let (from_client, to_bus) = (client.try_clone()?, bus.try_clone()?);
    Builder::new().spawn(move || forward(from_client, to_bus))?;
    forward(bus, client)
}

/// Authenticates the client to the bus without its user id. The bus then takes the id from
/// the socket.
fn authenticate(client: &mut (impl Read + Write), bus: &mut (impl Read + Write)) -> io::Result<()> {
    read_line(client)?;
    bus.write_all(b"\0AUTH EXTERNAL\r\n")?;
    read_line(bus)?;
    bus.write_all(b"DATA\r\n")?;
    client.write_all(&read_line(bus)?)
}

fn forward(mut from: UnixStream, mut to: UnixStream) -> io::Result<()> {
    io::copy(&mut from, &mut to)?;
    to.shutdown(Shutdown::Write)
}

/// Reads one line of the authentication, and nothing of what follows it.
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
    fn the_bus_gets_no_user_id() {
        let (mut client, relayed) = UnixStream::pair().unwrap();
        let (bus, mut relay_end) = UnixStream::pair().unwrap();
        let relay = std::thread::spawn(move || {
            let mut relayed = relayed;
            authenticate(&mut relayed, &mut relay_end)
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
