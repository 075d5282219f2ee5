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
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use crate::secret::Secret;
use page::Page;
use request::Method;
use request::ReadError;

/// The maximum number of open connections; the oldest is closed for a new one. Browsers
/// open two or three, and send nothing over most of them.
const MAX_CONNECTIONS: usize = 32;

/// How many ports are tried until one is free at both addresses.
const MAX_PORTS: u32 = 8;

/// How often the server looks for new connections.
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
    /// One read or write of a connection.
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
        let connections = Arc::new(Connections::new(state, limits.transfer));
        let outcome = self.accept_until_answered(&connections, limits.answer);
        connections.close_all();
        outcome
    }

    fn accept_until_answered(
        &self,
        connections: &Arc<Connections>,
        limit: Duration,
    ) -> io::Result<Option<Answer>> {
        let (sender, answers) = mpsc::channel();
        for listener in &self.listeners {
            listener.set_nonblocking(true)?;
        }
        let mut remaining = limit;
        loop {
            for listener in &self.listeners {
                accept(listener, connections, &sender)?;
            }
            if let Ok(answer) = answers.recv_timeout(POLL_INTERVAL.min(remaining)) {
                return Ok(Some(answer));
            }
            if remaining.is_zero() {
                return Ok(None);
            }
            remaining = remaining.saturating_sub(POLL_INTERVAL);
        }
    }
}

/// Serves each new connection on a thread of its own: one that sends nothing must not delay
/// the next. No more than [`MAX_CONNECTIONS`] at a time, so that a flood leaves time to look
/// for the answer.
fn accept(
    listener: &TcpListener,
    connections: &Arc<Connections>,
    answers: &Sender<Answer>,
) -> io::Result<()> {
    for _ in 0..MAX_CONNECTIONS {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => return Ok(()),
                // This connection failed; the next one may be good.
                ErrorKind::ConnectionAborted
                | ErrorKind::ConnectionReset
                | ErrorKind::Interrupted => continue,
                _ => return Err(error),
            },
        };
        let connection = connections.add(stream);
        let (served, all, answers) = (
            Arc::clone(&connection),
            Arc::clone(connections),
            answers.clone(),
        );
        let thread = thread::Builder::new().spawn(move || {
            let answer = all.serve(&served);
            all.close(&served);
            if let Some(answer) = answer {
                let _ = answers.send(answer);
            }
        });
        if thread.is_err() {
            connections.close(&connection);
        }
    }
    Ok(())
}

/// The open connections of one login, and what their threads share.
#[derive(Debug)]
struct Connections {
    state: Secret,
    transfer_limit: Duration,
    is_answered: AtomicBool,
    /// The oldest comes first.
    open: Mutex<VecDeque<Arc<TcpStream>>>,
}

impl Connections {
    fn new(state: &str, transfer_limit: Duration) -> Self {
        Self {
            state: Secret::new(state),
            transfer_limit,
            is_answered: AtomicBool::new(false),
            open: Mutex::default(),
        }
    }

    /// Answers one request. The page is sent before the answer is passed on, because all
    /// connections are closed then.
    fn serve(&self, connection: &TcpStream) -> Option<Answer> {
        // Some systems let it inherit the listener's mode.
        let _ = connection.set_nonblocking(false);
        let _ = connection.set_read_timeout(Some(self.transfer_limit));
        let _ = connection.set_write_timeout(Some(self.transfer_limit));
        let request = match request::read(connection) {
            Ok(request) => request,
            Err(ReadError::Disconnected) => return None,
            Err(ReadError::Malformed) => {
                page::MALFORMED.send(connection);
                return None;
            }
            Err(ReadError::TooLong) => {
                page::TOO_LONG.send(connection);
                return None;
            }
        };
        let (page, answer) = match request.answer(self.state.expose()) {
            Ok(_) if self.is_answered.swap(true, Ordering::Relaxed) => (&page::TOO_LATE, None),
            Ok(answer) => (Page::for_answer(&answer), Some(answer)),
            Err(page) => (page, None),
        };
        tracing::debug!(
            page.status,
            is_answer = answer.is_some(),
            "request to the redirect server"
        );
        if request.method == Method::Head {
            page.send_head(connection);
        } else {
            page.send(connection);
        }
        answer
    }

    fn add(&self, stream: TcpStream) -> Arc<TcpStream> {
        let mut open = self.open();
        if open.len() >= MAX_CONNECTIONS
            && let Some(oldest) = open.pop_front()
        {
            shut_down(&oldest);
        }
        let connection = Arc::new(stream);
        open.push_back(Arc::clone(&connection));
        connection
    }

    fn close(&self, connection: &Arc<TcpStream>) {
        shut_down(connection);
        self.open().retain(|open| !Arc::ptr_eq(open, connection));
    }

    fn close_all(&self) {
        self.open()
            .iter()
            .for_each(|connection| shut_down(connection));
    }

    fn open(&self) -> MutexGuard<'_, VecDeque<Arc<TcpStream>>> {
        // A list of connections stays valid when a thread panics.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the reads and writes of the connection's thread, too.
fn shut_down(connection: &TcpStream) {
    let _ = connection.shutdown(Shutdown::Both);
}
