//! Who comes back from the browser? A listener on this machine that takes one
//! answer of an authorization page (RFC 8252, section 7.3).
//!
//! Anybody on this machine, and any web page, can call it. What is no answer is
//! turned away and changes nothing; nothing that is sent is shown on a page.

use std::collections::VecDeque;
use std::io;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
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
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::Sender;
use std::thread;
use std::thread::Scope;
use std::time::Duration;

use reqwest::Url;
use zeroize::Zeroizing;

use crate::PROGRAM;
use crate::error::one_line;
use crate::iam;
use crate::secret::Secret;

/// The longest head of a request, in bytes. A browser sends the cookies of
/// everything else that runs on localhost along.
const LONGEST_HEAD: usize = 64 * 1024;

/// The most header lines of a request; browsers send about twenty.
const MOST_HEADERS: usize = 128;

/// The most connections at a time; the oldest gives way. Browsers open two or
/// three, and send nothing over most of them.
const MOST_CONNECTIONS: usize = 32;

/// How often another port is tried where somebody else has its twin.
const MOST_PORTS: u32 = 8;

/// The longest error code and the longest description that are passed on, in
/// characters.
const LONGEST_ERROR: usize = 64;
const LONGEST_DESCRIPTION: usize = 300;

/// The listener.
///
/// A browser may look for `localhost` at `::1` first, so both addresses are taken:
/// whoever had the other one would get the code.
#[derive(Debug)]
pub(super) struct Loopback {
    listeners: Vec<TcpListener>,
    port: u16,
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Until the browser comes back.
    pub(super) answer: Duration,
    /// One read or write of a connection.
    pub(super) transfer: Duration,
}

/// What the browser brought back.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Answer {
    /// The authorization code (RFC 6749, section 4.1.2).
    Code(Secret),
    /// There is none (RFC 6749, section 4.1.2.1). Both are one line each.
    Denied {
        /// `access_denied` and the like.
        error: String,
        /// IAM's words.
        description: Option<String>,
    },
    /// It has another `state`, or none: somebody else's answer.
    OfAnotherLogin,
}

impl Loopback {
    /// Listens on a free port of this machine alone.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn open() -> io::Result<Self> {
        for _ in 0..MOST_PORTS {
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

    /// Where the browser is to come back. By name: IAM is known to take that.
    pub(super) fn redirect_uri(&self) -> String {
        format!("http://localhost:{}/", self.port)
    }

    /// Waits for the answer to the login that has this `state`: `None` when nobody
    /// came in time. Leaves no thread and no connection behind.
    ///
    /// # Errors
    /// The system gives no threads or takes no connections.
    pub(super) fn wait(self, state: &str, limits: Limits) -> io::Result<Option<Answer>> {
        let desk = Desk::new(state, limits.transfer);
        let (outcome, outcomes) = mpsc::channel();
        thread::scope(|scope| {
            let _closing = Closing {
                desk: &desk,
                listeners: &self.listeners,
            };
            for listener in &self.listeners {
                let (desk, outcome) = (&desk, outcome.clone());
                thread::Builder::new()
                    .spawn_scoped(scope, move || desk.receive(scope, listener, &outcome))?;
            }
            match outcomes.recv_timeout(limits.answer) {
                Ok(outcome) => outcome.map(Some),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(None),
            }
        })
    }
}

/// What the threads of a listener share.
#[derive(Debug)]
struct Desk<'a> {
    state: &'a str,
    /// How long one read or write may take.
    patience: Duration,
    is_answered: AtomicBool,
    connections: Mutex<Connections>,
}

/// The connections that are open, oldest first.
#[derive(Debug, Default)]
struct Connections {
    is_over: bool,
    open: VecDeque<Arc<TcpStream>>,
}

/// Ends everything that waits at a desk, when dropped.
struct Closing<'a> {
    desk: &'a Desk<'a>,
    listeners: &'a [TcpListener],
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.desk.close();
        for address in self.listeners.iter().map(TcpListener::local_addr) {
            // accept() has no other alarm clock. If this finds no room, the queue is
            // full and nobody sleeps.
            let _ = address
                .and_then(|address| TcpStream::connect_timeout(&address, self.desk.patience));
        }
    }
}

impl<'a> Desk<'a> {
    fn new(state: &'a str, patience: Duration) -> Self {
        Self {
            state,
            patience,
            is_answered: AtomicBool::new(false),
            connections: Mutex::default(),
        }
    }

    /// Takes connections, each on a thread of its own: one that sends nothing must
    /// not keep the next one waiting.
    fn receive<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        listener: &TcpListener,
        outcome: &Sender<io::Result<Answer>>,
    ) {
        for stream in listener.incoming() {
            match stream.map(|stream| self.admit(stream)) {
                Ok(Some(connection)) => self.attend(scope, connection, outcome.clone()),
                Err(error) if is_the_callers(&error) && !self.connections().is_over => {}
                Ok(None) => return,
                Err(error) => {
                    let _ = outcome.send(Err(error));
                    return;
                }
            }
        }
    }

    fn attend<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        connection: Arc<TcpStream>,
        outcome: Sender<io::Result<Answer>>,
    ) {
        let served = Arc::clone(&connection);
        let attending = thread::Builder::new().spawn_scoped(scope, move || {
            let answer = self.serve(&served);
            self.dismiss(&served);
            if let Some(answer) = answer {
                let _ = outcome.send(Ok(answer));
            }
        });
        if attending.is_err() {
            self.dismiss(&connection);
        }
    }

    /// Answers one request. The page is sent before anybody hears of its answer,
    /// because all connections end then.
    fn serve(&self, connection: &TcpStream) -> Option<Answer> {
        let _ = connection.set_read_timeout(Some(self.patience));
        let _ = connection.set_write_timeout(Some(self.patience));
        let request = match read(connection) {
            Ok(request) => request,
            Err(Unread::Gone) => return None,
            Err(Unread::Garbage) => {
                GARBAGE.send(connection);
                return None;
            }
            Err(Unread::TooLong) => {
                TOO_LONG.send(connection);
                return None;
            }
        };
        let (page, answer) = match judge(&request, self.state) {
            Ok(_) if self.is_answered.swap(true, Ordering::Relaxed) => (&LATE, None),
            Ok(answer) => (Page::about(&answer), Some(answer)),
            Err(page) => (page, None),
        };
        tracing::debug!(
            page.status,
            is_answer = answer.is_some(),
            "the browser called"
        );
        match request.method == Method::Head {
            true => page.send_head(connection),
            false => page.send(connection),
        }
        answer
    }

    /// `None` when it is over.
    fn admit(&self, stream: TcpStream) -> Option<Arc<TcpStream>> {
        let mut connections = self.connections();
        if connections.is_over {
            return None;
        }
        if connections.open.len() >= MOST_CONNECTIONS {
            connections.open.pop_front().inspect(|oldest| end(oldest));
        }
        let connection = Arc::new(stream);
        connections.open.push_back(Arc::clone(&connection));
        Some(connection)
    }

    fn dismiss(&self, connection: &Arc<TcpStream>) {
        end(connection);
        self.connections()
            .open
            .retain(|open| !Arc::ptr_eq(open, connection));
    }

    fn close(&self) {
        let mut connections = self.connections();
        connections.is_over = true;
        connections
            .open
            .iter()
            .for_each(|connection| end(connection));
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        // Whatever thread broke off, a list of connections is as good as before.
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes whoever reads from it or writes to it.
fn end(connection: &TcpStream) {
    let _ = connection.shutdown(Shutdown::Both);
}

/// Whether a connection failed before it was taken, and the next one may do better.
fn is_the_callers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted
    )
}

/// What matters of a request.
#[derive(Debug)]
struct Request {
    method: Method,
    /// What follows the method: path and query, which may hold a code.
    target: Secret,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Method {
    Get,
    Head,
    Other,
}

/// Why there is no request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Unread {
    /// It is not HTTP.
    Garbage,
    /// The other side left, or sent nothing more.
    Gone,
    /// Its head does not end.
    TooLong,
}

/// Reads the head of a request; nobody here is asked with a body.
fn read(mut connection: impl Read) -> Result<Request, Unread> {
    // As large as it will ever be, so that no copies of a code are left behind.
    let mut head = Zeroizing::new(vec![0; LONGEST_HEAD]);
    let mut length = 0;
    while length < LONGEST_HEAD {
        match connection.read(&mut head[length..]) {
            Ok(0) => return Err(Unread::Gone),
            Ok(more) => length += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return Err(Unread::Gone),
        }
        if let Some(request) = parse(&head[..length])? {
            return Ok(request);
        }
    }
    Err(Unread::TooLong)
}

/// `None` when there is more to come.
fn parse(head: &[u8]) -> Result<Option<Request>, Unread> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Unread::TooLong),
        Err(_) => return Err(Unread::Garbage),
    }
    Ok(Some(Request {
        method: match request.method {
            Some("GET") => Method::Get,
            Some("HEAD") => Method::Head,
            _ => Method::Other,
        },
        target: Secret::new(request.path.unwrap_or_default()),
    }))
}

/// The answer in a request, or the page that turns it away.
fn judge(request: &Request, state: &str) -> Result<Answer, &'static Page> {
    if request.method != Method::Get {
        return Err(&NOT_ALLOWED);
    }
    let target = request.target.expose();
    let url = Some(target)
        .filter(|target| target.starts_with('/'))
        .and_then(|target| Url::parse(&format!("http://localhost{target}")).ok())
        .filter(|url| url.path() == "/")
        .ok_or(&NOTHING_HERE)?;
    let parameter = |name: &str| one(&url, name);
    let code = parameter("code")?.map(Secret::new);
    let error = parameter("error")?;
    let description = parameter("error_description")?;
    let is_ours = parameter("state")?.is_some_and(|given| given == state);
    let answer = match (code, error) {
        (Some(code), None) if iam::is_token(&code) => Answer::Code(code),
        (None, Some(error)) => Answer::Denied {
            error: one_line(&error, LONGEST_ERROR),
            description: description.map(|text| one_line(&text, LONGEST_DESCRIPTION)),
        },
        (None, None) => return Err(&NOTHING_HERE),
        _ => return Err(&GARBAGE),
    };
    Ok(if is_ours {
        answer
    } else {
        Answer::OfAnotherLogin
    })
}

/// The value of a parameter, which may stand there once; an empty one is none
/// (RFC 6749, section 3.1).
fn one(url: &Url, name: &str) -> Result<Option<String>, &'static Page> {
    let mut values = url
        .query_pairs()
        .filter(|(given, value)| given == name && !value.is_empty());
    let value = values.next().map(|(_, value)| value.into_owned());
    match values.next() {
        None => Ok(value),
        Some(_) => Err(&GARBAGE),
    }
}

/// A page that is always the same.
#[derive(Debug)]
struct Page {
    status: &'static str,
    title: &'static str,
    text: &'static str,
}

const RECEIVED: Page = Page {
    status: "200 OK",
    title: "Back from IBM Cloud",
    text: "The answer of IBM Cloud has arrived. The terminal says how the login ends; you can close this window.",
};

const DENIED: Page = Page {
    status: "200 OK",
    title: "Not logged in",
    text: "IBM Cloud did not log you in. The terminal says why; you can close this window.",
};

const OF_ANOTHER_LOGIN: Page = Page {
    status: "400 Bad Request",
    title: "Not logged in",
    text: "This answer belongs to another login (its state is not the one that was sent), so it was not used. Start the login again; you can close this window.",
};

const LATE: Page = Page {
    status: "410 Gone",
    title: "Too late",
    text: "This login has had its answer. The terminal says how it ended; you can close this window.",
};

const GARBAGE: Page = Page {
    status: "400 Bad Request",
    title: "Not understood",
    text: "This is no answer to a login.",
};

const NOTHING_HERE: Page = Page {
    status: "404 Not Found",
    title: "Nothing here",
    text: "A login waits here for the answer of IBM Cloud. It goes on where you log in.",
};

const NOT_ALLOWED: Page = Page {
    status: "405 Method Not Allowed",
    title: "Not understood",
    text: "This is no answer to a login.",
};

const TOO_LONG: Page = Page {
    status: "431 Request Header Fields Too Large",
    title: "Too long",
    text: "Your browser sends too much, probably cookies of other programs on localhost. Start the login again in a private window.",
};

impl Page {
    fn about(answer: &Answer) -> &'static Self {
        match answer {
            Answer::Code(_) => &RECEIVED,
            Answer::Denied { .. } => &DENIED,
            Answer::OfAnotherLogin => &OF_ANOTHER_LOGIN,
        }
    }

    fn send(&self, mut connection: impl Write) {
        let text = format!("{}{}", self.head(), self.body());
        let _ = connection.write_all(text.as_bytes());
    }

    fn send_head(&self, mut connection: impl Write) {
        let _ = connection.write_all(self.head().as_bytes());
    }

    /// The address that the browser shows holds the code: nothing is kept, and
    /// nobody else is told of it. The policy also stops the browser from asking for
    /// an icon.
    fn head(&self) -> String {
        let allow = match self.status == NOT_ALLOWED.status {
            true => "Allow: GET\r\n",
            false => "",
        };
        format!(
            "HTTP/1.1 {}\r\n\
             Content-Type: text/html; charset=utf-8\r\n\
             Content-Length: {}\r\n\
             Cache-Control: no-store\r\n\
             Content-Security-Policy: default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
             Referrer-Policy: no-referrer\r\n\
             X-Content-Type-Options: nosniff\r\n\
             {allow}Connection: close\r\n\r\n",
            self.status,
            self.body().len()
        )
    }

    fn body(&self) -> String {
        let Self { title, text, .. } = self;
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title} - {PROGRAM}</title></head>\n\
             <body><h1>{title}</h1><p>{text}</p></body>\n</html>\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    const STATE: &str = "s7a-_te";
    const GOOD: &str = "GET /?code=c0de&state=s7a-_te HTTP/1.1\r\nHost: localhost\r\n\r\n";

    /// Far longer than any test takes: whoever relied on a limit would be noticed.
    const LONG: Duration = Duration::from_secs(600);

    /// What a listener came to while others did something with its addresses.
    fn meanwhile<T>(calls: impl FnOnce(&[SocketAddr]) -> T) -> (Option<Answer>, T) {
        let loopback = Loopback::open().unwrap();
        let listeners = loopback.listeners.iter();
        let addresses: Vec<_> = listeners.map(|one| one.local_addr().unwrap()).collect();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| loopback.wait(STATE, within(LONG)).unwrap());
            let outcome = calls(&addresses);
            (waiting.join().unwrap(), outcome)
        })
    }

    fn within(answer: Duration) -> Limits {
        let transfer = LONG;
        Limits { answer, transfer }
    }

    fn connect(address: SocketAddr, text: &str) -> TcpStream {
        let mut connection = TcpStream::connect(address).unwrap();
        connection.write_all(text.as_bytes()).unwrap();
        connection
    }

    /// Everything that comes back until the end, however it ends.
    fn answer(mut connection: TcpStream) -> String {
        let mut bytes = Vec::new();
        let _ = connection.read_to_end(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    fn ask(address: SocketAddr, text: &str) -> String {
        answer(connect(address, text))
    }

    fn code() -> Option<Answer> {
        Some(Answer::Code(Secret::new("c0de")))
    }

    fn judged(target: &str) -> Result<Answer, &'static str> {
        let request = Request {
            method: Method::Get,
            target: Secret::new(target),
        };
        judge(&request, STATE).map_err(|page| page.status)
    }

    #[test]
    fn an_answer_is_taken_at_either_address_and_shown_a_page() {
        let mut addresses = 1;
        for which in 0..2 {
            let (outcome, page) = meanwhile(|all| {
                addresses = all.len();
                ask(all[which.min(all.len() - 1)], GOOD)
            });
            assert_eq!(outcome, code());
            let (head, body) = page.split_once("\r\n\r\n").unwrap();
            let mut lines = head.lines();
            assert_eq!(lines.next(), Some("HTTP/1.1 200 OK"));
            let length = format!("Content-Length: {}", body.len());
            for line in [
                "Content-Type: text/html; charset=utf-8",
                &length,
                "Cache-Control: no-store",
                "Referrer-Policy: no-referrer",
                "Connection: close",
            ] {
                assert!(head.lines().any(|given| given == line), "{line}: {head}");
            }
            assert!(head.contains("Content-Security-Policy: default-src 'none'"));
            assert!(body.contains("you can close this window"), "{body}");
            assert!(!page.contains("c0de"), "{page}");
        }
        let has_ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
        assert_eq!(addresses, 1 + usize::from(has_ipv6));
    }

    #[test]
    fn what_is_no_answer_is_turned_away_and_the_wait_goes_on() {
        let many_headers = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(200));
        let (outcome, ()) = meanwhile(|all| {
            for (request, status) in [
                ("GET / HTTP/1.1\r\n\r\n", 404),
                ("GET /favicon.ico HTTP/1.1\r\n\r\n", 404),
                ("GET /x?code=c0de&state=s7a-_te HTTP/1.1\r\n\r\n", 404),
                ("GET //x/?code=c0de&state=s7a-_te HTTP/1.1\r\n\r\n", 404),
                (
                    "GET http://localhost/?code=c0de&state=s7a-_te HTTP/1.1\r\n\r\n",
                    404,
                ),
                ("GET /?state=s7a-_te HTTP/1.1\r\n\r\n", 404),
                ("GET /?code=&state=s7a-_te HTTP/1.1\r\n\r\n", 404),
                ("GET /?code=a&code=b&state=s7a-_te HTTP/1.1\r\n\r\n", 400),
                (
                    "GET /?code=a&state=s7a-_te&state=s7a-_te HTTP/1.1\r\n\r\n",
                    400,
                ),
                ("GET /?code=a&error=b&state=s7a-_te HTTP/1.1\r\n\r\n", 400),
                ("GET /?code=a%0d%0ab&state=s7a-_te HTTP/1.1\r\n\r\n", 400),
                ("GET /?code=%ff&state=s7a-_te HTTP/1.1\r\n\r\n", 400),
                ("HEAD /?code=c0de&state=s7a-_te HTTP/1.1\r\n\r\n", 405),
                ("POST /?code=c0de&state=s7a-_te HTTP/1.1\r\n\r\n", 405),
                ("OPTIONS * HTTP/1.1\r\n\r\n", 405),
                ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
                ("\u{16}\u{3}\u{1}\u{2}\u{0}", 400),
                ("GET /?code=c0de&state=s7a-_te\r\n\r\n", 400),
                ("GET / HTTP/1.1\r\nno header\r\n\r\n", 400),
                (&many_headers, 431),
            ] {
                let page = ask(all[0], request);
                let expected = format!("HTTP/1.1 {status} ");
                assert!(page.starts_with(&expected), "{request:?}: {page}");
                assert!(!page.contains("c0de"), "{page}");
                let has_body = !page.ends_with("\r\n\r\n");
                assert_eq!(has_body, !request.starts_with("HEAD"), "{page}");
                assert_eq!(page.contains("Allow: GET\r\n"), status == 405);
            }
            ask(all[0], GOOD);
        });
        assert_eq!(outcome, code());
    }

    #[test]
    fn connections_that_say_nothing_hold_nobody_up_and_end_with_the_wait() {
        let (outcome, silent) = meanwhile(|all| {
            let starts = ["", "G", "GET /?code=c0de&state=s7a-_te HTTP/1.1\r\nHost: "];
            let silent: Vec<TcpStream> = starts
                .iter()
                .cycle()
                .take(2 * MOST_CONNECTIONS)
                .map(|start| connect(all[0], start))
                .collect();
            ask(all[0], GOOD);
            silent
        });
        assert_eq!(outcome, code());
        for connection in silent {
            assert_eq!(answer(connection), "", "it is over");
        }
    }

    #[test]
    fn the_oldest_of_too_many_gives_way() {
        let (_, ()) = meanwhile(|all| {
            let oldest = connect(all[0], "");
            let others: Vec<_> = (0..MOST_CONNECTIONS).map(|_| connect(all[0], "")).collect();
            assert_eq!(answer(oldest), "", "while the wait goes on");
            ask(all[0], GOOD);
            drop(others);
        });
    }

    #[test]
    fn a_head_that_does_not_end_is_cut_off() {
        let (outcome, ()) = meanwhile(|all| {
            let mut endless = connect(all[0], "GET / HTTP/1.1\r\nCookie: ");
            let mut sent = 0_usize;
            while sent < 64 * 1024 * 1024 && endless.write_all(&[b'x'; 4096]).is_ok() {
                sent += 4096;
            }
            assert!(sent < 64 * 1024 * 1024, "nobody reads that much");
            ask(all[0], GOOD);
        });
        assert_eq!(outcome, code());
    }

    /// Gives what it holds byte by byte, interrupted after each.
    struct Trickle<'a> {
        bytes: &'a [u8],
        is_interrupted: bool,
    }

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.is_interrupted = !self.is_interrupted;
            if self.is_interrupted {
                return Err(ErrorKind::Interrupted.into());
            }
            self.bytes.read(&mut buffer[..1])
        }
    }

    #[test]
    fn a_request_may_come_in_pieces() {
        let trickle = |text: &'static str| {
            read(Trickle {
                bytes: text.as_bytes(),
                is_interrupted: false,
            })
        };
        let request = trickle(GOOD).unwrap();
        assert_eq!(judge(&request, STATE).unwrap(), code().unwrap());
        assert_eq!(trickle("GET / HT").unwrap_err(), Unread::Gone);
        assert_eq!(trickle("GET / FTP").unwrap_err(), Unread::Garbage);
        let endless = io::repeat(b'A');
        assert_eq!(read(endless).unwrap_err(), Unread::TooLong);
        assert!(!format!("{request:?}").contains("c0de"), "{request:?}");
    }

    #[test]
    fn of_many_answers_one_is_taken() {
        let (outcome, winners) = meanwhile(|all| {
            let address = all[0];
            let browsers = (0..16).map(|number| {
                thread::spawn(move || {
                    let mut connection = TcpStream::connect(address).ok()?;
                    let request = GOOD.replace("c0de", &format!("code-{number}"));
                    connection.write_all(request.as_bytes()).ok()?;
                    let page = answer(connection);
                    page.starts_with("HTTP/1.1 200 ")
                        .then(|| format!("code-{number}"))
                })
            });
            let browsers: Vec<_> = browsers.collect();
            let pages = browsers.into_iter().map(|browser| browser.join().unwrap());
            pages.flatten().collect::<Vec<String>>()
        });
        assert_eq!(winners.len(), 1);
        assert_eq!(outcome, Some(Answer::Code(Secret::new(&*winners[0]))));
    }

    #[test]
    fn after_the_answer_there_is_a_page_for_who_comes_late() {
        let desk = Desk::new(STATE, LONG);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let serve = || {
            let browser = connect(listener.local_addr().unwrap(), GOOD);
            let (connection, _) = listener.accept().unwrap();
            let outcome = desk.serve(&connection);
            drop(connection);
            (outcome, answer(browser))
        };
        assert_eq!(serve().0, code());
        let (outcome, page) = serve();
        assert_eq!(outcome, None);
        assert!(page.starts_with("HTTP/1.1 410 "), "{page}");
    }

    #[test]
    fn a_wait_has_an_end_and_leaves_nobody_listening() {
        let loopback = Loopback::open().unwrap();
        let address = loopback.listeners[0].local_addr().unwrap();
        let silent = connect(address, "GET / ");
        assert_eq!(loopback.wait(STATE, within(Duration::ZERO)).unwrap(), None);
        assert_eq!(answer(silent), "");
        assert!(TcpStream::connect(address).is_err(), "nobody listens");
    }

    #[test]
    fn a_connection_that_falls_silent_is_given_up() {
        let desk = Desk::new(STATE, Duration::from_millis(1));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let _browser = connect(listener.local_addr().unwrap(), "GET / ");
        let (connection, _) = listener.accept().unwrap();
        assert_eq!(desk.serve(&connection), None);
    }

    #[test]
    fn the_browser_comes_back_by_name_to_a_port_of_this_login() {
        let [one, other] = [(); 2].map(|()| Loopback::open().unwrap());
        assert_ne!(one.port, other.port);
        assert_eq!(
            one.redirect_uri(),
            format!("http://localhost:{}/", one.port)
        );
        for listener in &one.listeners {
            let address = listener.local_addr().unwrap();
            assert!(address.ip().is_loopback());
            assert_eq!(address.port(), one.port);
        }
    }

    #[test]
    fn an_answer_without_our_state_belongs_to_another_login() {
        for query in [
            "code=c0de",
            "code=c0de&state=",
            "code=c0de&state=s7a-_t",
            "code=c0de&state=s7a-_te%20",
            "code=c0de&state=S7A-_TE",
            "error=access_denied",
            "error=access_denied&state=other",
        ] {
            let outcome = judged(&format!("/?{query}"));
            assert_eq!(outcome, Ok(Answer::OfAnotherLogin), "{query}");
        }
        let (outcome, page) =
            meanwhile(|all| ask(all[0], "GET /?code=c0de&state=<b> HTTP/1.1\r\n\r\n"));
        assert_eq!(outcome, Some(Answer::OfAnotherLogin));
        assert!(page.starts_with("HTTP/1.1 400 "), "{page}");
        assert!(page.contains("belongs to another login"), "{page}");
        assert!(!page.contains("<b>") && !page.contains("c0de"), "{page}");
    }

    #[test]
    fn a_no_is_told_in_one_line_and_on_no_page() {
        let request = "GET /?error=access_denied&error_description=%1b[2J%3Cscript%3E%0d%0ano+thanks&state=s7a-_te HTTP/1.1\r\n\r\n";
        let (outcome, page) = meanwhile(|all| ask(all[0], request));
        let Some(Answer::Denied { error, description }) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(error, "access_denied");
        assert_eq!(description.as_deref(), Some(" [2J<script>  no thanks"));
        assert!(page.contains("IBM Cloud did not log you in"), "{page}");
        for part in ["script", "thanks", "access_denied"] {
            assert!(!page.contains(part), "{page}");
        }
        let long = format!(
            "/?error={0}&error_description={0}&state={STATE}",
            "x".repeat(9000)
        );
        let Ok(Answer::Denied { error, description }) = judged(&long) else {
            panic!("it is a no");
        };
        assert_eq!((error.len(), description.unwrap().len()), (64, 300));
    }

    #[test]
    fn no_page_needs_anything_or_runs_anything() {
        for page in [
            RECEIVED,
            DENIED,
            OF_ANOTHER_LOGIN,
            LATE,
            GARBAGE,
            NOTHING_HERE,
            NOT_ALLOWED,
            TOO_LONG,
        ] {
            let body = page.body();
            for part in ["://", "src=", "href=", "<script", "<style", "style="] {
                assert!(!body.contains(part), "{body}");
            }
        }
        for page in [RECEIVED, DENIED, OF_ANOTHER_LOGIN, LATE] {
            assert!(page.text.contains("you can close this window"));
        }
    }
}
