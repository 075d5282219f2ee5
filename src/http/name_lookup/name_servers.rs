//! Requests to name servers for the addresses of a name.

use std::io;
use std::io::Read;
use std::io::Write;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use ring::rand::SecureRandom;
use ring::rand::SystemRandom;

use super::dns_message::AddressQuestion;
use super::dns_message::Answer;
use super::families::Family;
use super::resolv_conf::ResolvConf;
use crate::time::Deadline;
use crate::time::SystemClock;

/// After this time, the next server is asked as well: glibc waits for the whole timeout,
/// which is as long as an attempt to connect.
const HEAD_START: Duration = Duration::from_secs(1);

/// The size of the largest datagram that is read; without EDNS, servers send 512 bytes.
const MAX_DATAGRAM: usize = 4096;

/// Why there are no addresses.
#[derive(Debug)]
pub(super) enum LookupError {
    /// The name does not exist, or has no address.
    NoAddress,
    /// No server answers. Contains the last reason.
    NoAnswer(String),
    /// This machine cannot send requests.
    Local(io::Error),
}

impl From<io::Error> for LookupError {
    fn from(error: io::Error) -> Self {
        Self::Local(error)
    }
}

/// Asks the servers in their order. As in glibc, the next one is asked if one fails, but not
/// if it says that there is no such name.
///
/// # Errors
/// See [`LookupError`].
pub(super) fn ask(
    conf: &ResolvConf,
    name: &str,
    family: Family,
) -> Result<Vec<IpAddr>, LookupError> {
    let Some(question) = AddressQuestion::new(random_id()?, name, family) else {
        return Err(LookupError::NoAddress);
    };
    let question = Arc::new(question);
    let mut servers = conf.servers.clone();
    if conf.rotate {
        let first = usize::from(random_id()?) % servers.len().max(1);
        servers.rotate_left(first);
    }
    let mut reason = String::new();
    for _ in 0..conf.attempts {
        match ask_once(conf, &servers, &question) {
            Err(LookupError::NoAnswer(last)) => reason = last,
            outcome => return outcome,
        }
    }
    Err(LookupError::NoAnswer(reason))
}

/// Asks each server once. An answer of a later server that there is no such name counts only
/// when all before it have failed.
fn ask_once(
    conf: &ResolvConf,
    servers: &[SocketAddr],
    question: &Arc<AddressQuestion>,
) -> Result<Vec<IpAddr>, LookupError> {
    let head_start = HEAD_START.min(conf.timeout);
    let (sender, answers) = mpsc::channel::<(usize, Answer)>();
    let mut remaining = servers.iter();
    // The answers of the servers that were asked, in their order.
    let mut received: Vec<Option<Answer>> = Vec::new();
    let mut reason = String::new();
    loop {
        let has_failed = |it: &&Option<Answer>| matches!(it, Some(Answer::Failed(_)));
        let is_needed = match received.iter().find(|it| !has_failed(it)) {
            Some(Some(_)) => return Err(LookupError::NoAddress),
            Some(None) => false,
            None => true,
        };
        let wait = || match remaining.len() {
            0 => answers.recv().ok(),
            _ => answers.recv_timeout(head_start).ok(),
        };
        let answer = if is_needed { None } else { wait() };
        match answer {
            Some((_, Answer::Addresses(addresses))) => return Ok(addresses),
            Some((index, answer)) => {
                if let (Answer::Failed(why), Some(server)) = (&answer, servers.get(index)) {
                    reason = format!("{why} from the name server {}", server.ip());
                }
                if let Some(place) = received.get_mut(index) {
                    *place = Some(answer);
                }
            }
            None => {
                let Some(server) = remaining.next().copied() else {
                    return Err(LookupError::NoAnswer(reason));
                };
                let (sender, question, index) =
                    (sender.clone(), Arc::clone(question), received.len());
                let (use_tcp, timeout) = (conf.use_tcp, conf.timeout);
                std::thread::Builder::new().spawn(move || {
                    let answer = ask_server(server, &question, use_tcp, timeout);
                    // Another server may have been faster.
                    let _ = sender.send((index, answer));
                })?;
                received.push(None);
            }
        }
    }
}

/// Asks one server, with TCP if the answer is too long for UDP.
fn ask_server(
    server: SocketAddr,
    question: &AddressQuestion,
    use_tcp: bool,
    timeout: Duration,
) -> Answer {
    let clock = SystemClock::start();
    let deadline = Deadline::after(&clock, timeout);
    let remaining = || match deadline.remaining(&clock) {
        Duration::ZERO => Err(io::Error::from(io::ErrorKind::TimedOut)),
        remaining => Ok(remaining),
    };
    let by_udp = if use_tcp {
        Ok(Answer::Truncated)
    } else {
        ask_by_udp(server, question, &remaining)
    };
    let answer = match by_udp {
        Ok(Answer::Truncated) => ask_by_tcp(server, question, &remaining),
        answer => answer,
    };
    answer.unwrap_or_else(|error| match error.kind() {
        // A socket's own timeout is one of the first two.
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Answer::Failed("no answer".into()),
        _ => Answer::Failed(error.to_string()),
    })
}

fn ask_by_udp(
    server: SocketAddr,
    question: &AddressQuestion,
    remaining: &dyn Fn() -> io::Result<Duration>,
) -> io::Result<Answer> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    // Only this server's datagrams are received, and its refusal.
    socket.connect(server)?;
    socket.send(&question.bytes)?;
    let mut datagram = [0; MAX_DATAGRAM];
    loop {
        socket.set_read_timeout(Some(remaining()?))?;
        let length = socket.recv(&mut datagram)?;
        if let Some(answer) = question.read(&datagram[..length]) {
            return Ok(answer);
        }
    }
}

fn ask_by_tcp(
    server: SocketAddr,
    question: &AddressQuestion,
    remaining: &dyn Fn() -> io::Result<Duration>,
) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&server, remaining()?)?;
    let length = u16::try_from(question.bytes.len()).map_err(io::Error::other)?;
    stream.set_write_timeout(Some(remaining()?))?;
    stream.write_all(&[&length.to_be_bytes(), &*question.bytes].concat())?;
    let mut message = vec![0; 2];
    read_exact(&mut stream, &mut message, remaining)?;
    message.resize(usize::from(u16::from_be_bytes([message[0], message[1]])), 0);
    read_exact(&mut stream, &mut message, remaining)?;
    Ok(match question.read(&message) {
        None => Answer::Failed("an answer to another question".into()),
        Some(Answer::Truncated) => Answer::Failed("a broken answer".into()),
        Some(answer) => answer,
    })
}

/// Fills the buffer. Bytes that come slowly do not extend the time.
fn read_exact(
    stream: &mut TcpStream,
    mut buffer: &mut [u8],
    remaining: &dyn Fn() -> io::Result<Duration>,
) -> io::Result<()> {
    while !buffer.is_empty() {
        stream.set_read_timeout(Some(remaining()?))?;
        match stream.read(buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => buffer = &mut buffer[length..],
        }
    }
    Ok(())
}

/// Returns a number that others cannot guess.
fn random_id() -> io::Result<u16> {
    let mut bytes = [0; 2];
    let random = SystemRandom::new();
    let failed = |_| io::Error::other("the system gives no random numbers");
    random.fill(&mut bytes).map_err(failed)?;
    Ok(u16::from_be_bytes(bytes))
}
