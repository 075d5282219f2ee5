//! The server on this machine to which the browser brings IAM's answer (RFC 8252, section
//! 7.3).
//!
//! All programs on this machine and all web pages can call it. A request that is not an
//! answer is rejected and changes nothing, and no page shows what was sent.

mod page;
mod request;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::secret::Secret;
use page::Page;
use request::Head;
use request::Method;
use request::ReadError;
use request::Request;

/// The maximum number of open connections; the oldest is closed for a new one. Browsers
/// open two or three, and send nothing over most of them.
const MAX_CONNECTIONS: usize = 32;

/// How many ports are tried until one is free at both addresses.
const MAX_PORTS: u32 = 8;

/// How often the server looks for new connections and for what they have sent. It polls, because
/// closing a connection does not wake a thread that reads from it on Windows.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The server, which listens on the same port of `127.0.0.1` and `::1`: browsers may try
/// either address of `localhost` first, and another program on the second one would get the
/// code.
#[derive(Debug)]
pub(super) struct RedirectServer {
    listeners: Vec<TcpListener>,
    port: u16,
}

/// Time limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Until the browser comes back.
    pub(super) answer: Duration,
    /// Until a connection sends more.
    pub(super) transfer: Duration,
}

/// IAM's answer, as the browser brings it.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Answer {
    /// The authorization code (RFC 6749, section 4.1.2).
    Code(Secret),
    /// An error (RFC 6749, section 4.1.2.1). Both texts are one line each.
    Denied {
        /// `access_denied` and the like.
        error: String,
        /// IAM's description.
        description: Option<String>,
    },
    /// The `state` is missing or wrong: the answer to another login, or a forgery.
    WrongState,
}

impl RedirectServer {
    /// Listens on a free port of the loopback addresses.
    ///
    /// # Errors
    /// No port is free.
    pub(super) fn bind() -> io::Result<Self> {
        for _ in 0..MAX_PORTS {
            let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let port = first.local_addr()?.port();
            let listeners = match TcpListener::bind((Ipv6Addr::LOCALHOST, port)) {
                Ok(second) => vec![first, second],
                Err(error) if error.kind() == ErrorKind::AddrInUse => continue,
                // This machine has no IPv6.
                Err(_) => vec![first],
            };
            return Ok(Self { listeners, port });
        }
        Err(ErrorKind::AddrInUse.into())
    }

    /// Returns the address that the browser is sent back to. IAM accepts `localhost`; whether
    /// it accepts numbers is unknown.
    pub(super) fn redirect_uri(&self) -> String {
        format!("http://localhost:{}/", self.port)
    }

    /// Waits for the answer to the login with this `state`; `None` if there was none in
    /// time. Afterwards all connections are closed, and nothing listens.
    ///
    /// # Errors
    /// The system accepts no connections.
    pub(super) fn wait(self, state: &str, limits: Limits) -> io::Result<Option<Answer>> {
        for listener in &self.listeners {
            listener.set_nonblocking(true)?;
        }
        let mut connections = Connections::new(state, limits.transfer);
        let mut remaining = limits.answer;
        loop {
            for listener in &self.listeners {
                connections.accept(listener)?;
            }
            if let Some(answer) = connections.serve() {
                return Ok(Some(answer));
            }
            if remaining.is_zero() {
                return Ok(None);
            }
            let pause = POLL_INTERVAL.min(remaining);
            thread::park_timeout(pause);
            remaining -= pause;
        }
    }
}

/// The open connections of one login.
#[derive(Debug)]
struct Connections {
    state: Secret,
    transfer_limit: Duration,
    is_answered: bool,
    /// The oldest comes first.
    open: VecDeque<Connection>,
}

/// A connection over which a request may come. Dropping it closes it.
#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    head: Head,
    /// How long nothing was received.
    idle: Duration,
}

impl Connections {
    fn new(state: &str, transfer_limit: Duration) -> Self {
        Self {
            state: Secret::new(state),
            transfer_limit,
            is_answered: false,
            open: VecDeque::new(),
        }
    }

    /// Accepts the new connections. No more than [`MAX_CONNECTIONS`] at a time, so that a flood
    /// leaves time to look for the answer.
    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        for _ in 0..MAX_CONNECTIONS {
            match listener.accept() {
                Ok((stream, _)) => self.add(stream),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Ok(()),
                    // This connection failed; the next one may be good.
                    ErrorKind::ConnectionAborted
                    | ErrorKind::ConnectionReset
                    | ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        }
        Ok(())
    }

    fn add(&mut self, stream: TcpStream) {
        // Not all systems let it inherit the listener's mode.
        if stream.set_nonblocking(true).is_err() {
            return;
        }
        if self.open.len() >= MAX_CONNECTIONS {
            self.open.pop_front();
        }
        self.open.push_back(Connection {
            stream,
            head: Head::new(),
            idle: Duration::ZERO,
        });
    }

    /// Reads what has been received, and answers each complete request. Returns the answer to
    /// the login; requests after it get a page that says so.
    fn serve(&mut self) -> Option<Answer> {
        let mut answer = None;
        for mut connection in std::mem::take(&mut self.open) {
            let received = connection.head.length();
            match connection.head.read(&connection.stream) {
                Ok(None) if connection.head.length() > received => {
                    connection.idle = Duration::ZERO;
                    self.open.push_back(connection);
                }
                Ok(None) if connection.idle < self.transfer_limit => {
                    connection.idle += POLL_INTERVAL;
                    self.open.push_back(connection);
                }
                Ok(None) | Err(ReadError::Disconnected) => {}
                Ok(Some(request)) => answer = answer.or(self.reply(&request, &connection.stream)),
                Err(ReadError::Malformed) => page::MALFORMED.send(&connection.stream),
                Err(ReadError::TooLong) => page::TOO_LONG.send(&connection.stream),
            }
        }
        answer
    }

    /// Sends the page for a request. Returns the answer in it, if it is the first one.
    fn reply(&mut self, request: &Request, stream: &TcpStream) -> Option<Answer> {
        let (page, answer) = match request.answer(self.state.expose()) {
            Ok(_) if self.is_answered => (&page::TOO_LATE, None),
            Ok(answer) => (Page::for_answer(&answer), Some(answer)),
            Err(page) => (page, None),
        };
        self.is_answered |= answer.is_some();
        tracing::debug!(
            page.status,
            is_answer = answer.is_some(),
            "request to the redirect server"
        );
        if request.method == Method::Head {
            page.send_head(stream);
        } else {
            page.send(stream);
        }
        answer
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The page is sent before the system closes the connection.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}
