use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;

use super::page::DENIED;
use super::page::MALFORMED;
use super::page::NOT_ALLOWED;
use super::page::NOT_FOUND;
use super::page::RECEIVED;
use super::page::TOO_LATE;
use super::page::TOO_LONG;
use super::page::WRONG_STATE;
use super::request::Head;
use super::request::Request;
use super::*;

const STATE: &str = "s7a-_te";
const GOOD: &str = "GET /?code=c0de&state=s7a-_te HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Far longer than any test takes, so that a test that depends on a limit is noticed.
const LONG: Duration = Duration::from_secs(600);

/// Returns the answer that a server waited for while `calls` used its addresses.
fn wait_during<T>(calls: impl FnOnce(&[SocketAddr]) -> T) -> (Option<Answer>, T) {
    let server = RedirectServer::bind().unwrap();
    let listeners = server.listeners.iter();
    let addresses: Vec<_> = listeners.map(|one| one.local_addr().unwrap()).collect();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| server.wait(STATE, with_answer_limit(LONG)).unwrap());
        let outcome = calls(&addresses);
        (waiting.join().unwrap(), outcome)
    })
}

fn with_answer_limit(answer: Duration) -> Limits {
    let transfer = LONG;
    Limits { answer, transfer }
}

fn connect(address: SocketAddr, text: &str) -> TcpStream {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.write_all(text.as_bytes()).unwrap();
    connection
}

/// Returns everything that is received until the connection is closed.
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

fn answer_to(target: &str) -> Result<Answer, &'static str> {
    let request = Request {
        method: Method::Get,
        target: Secret::new(target),
    };
    request.answer(STATE).map_err(|page| page.status)
}

#[test]
fn an_answer_is_accepted_at_both_addresses_and_shown_a_page() {
    let mut addresses = 1;
    for which in 0..2 {
        let (outcome, page) = wait_during(|all| {
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
        assert!(body.contains("You can close this window"), "{body}");
        assert!(!page.contains("c0de"), "{page}");
    }
    let has_ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    assert_eq!(addresses, 1 + usize::from(has_ipv6));
}

#[test]
fn a_request_that_is_no_answer_is_rejected_and_the_wait_goes_on() {
    let many_headers = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(200));
    let (outcome, ()) = wait_during(|all| {
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
fn silent_connections_delay_no_other_and_are_closed_after_the_wait() {
    let (outcome, silent) = wait_during(|all| {
        let starts = ["", "G", "GET /?code=c0de&state=s7a-_te HTTP/1.1\r\nHost: "];
        let silent: Vec<TcpStream> = starts
            .iter()
            .cycle()
            .take(2 * MAX_CONNECTIONS)
            .map(|start| connect(all[0], start))
            .collect();
        ask(all[0], GOOD);
        silent
    });
    assert_eq!(outcome, code());
    for connection in silent {
        assert_eq!(answer(connection), "", "it is closed");
    }
}

#[test]
fn the_oldest_of_too_many_connections_is_closed() {
    let (_, ()) = wait_during(|all| {
        let oldest = connect(all[0], "");
        let others: Vec<_> = (0..MAX_CONNECTIONS).map(|_| connect(all[0], "")).collect();
        assert_eq!(answer(oldest), "", "while the wait goes on");
        ask(all[0], GOOD);
        drop(others);
    });
}

#[test]
fn an_endless_head_is_cut_off() {
    let (outcome, ()) = wait_during(|all| {
        let mut endless = connect(all[0], "GET / HTTP/1.1\r\nCookie: ");
        let mut sent = 0_usize;
        while sent < 64 * 1024 * 1024 && endless.write_all(&[b'x'; 4096]).is_ok() {
            sent += 4096;
        }
        assert!(sent < 64 * 1024 * 1024, "the server reads no more");
        ask(all[0], GOOD);
    });
    assert_eq!(outcome, code());
}

/// Returns its bytes one by one, interrupted before each.
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
        Head::new().read(Trickle {
            bytes: text.as_bytes(),
            is_interrupted: false,
        })
    };
    let request = trickle(GOOD).unwrap().unwrap();
    assert_eq!(request.answer(STATE).unwrap(), code().unwrap());
    assert_eq!(trickle("GET / HT").unwrap_err(), ReadError::Disconnected);
    assert_eq!(trickle("GET / FTP").unwrap_err(), ReadError::Malformed);
    let endless = io::repeat(b'A');
    assert_eq!(Head::new().read(endless).unwrap_err(), ReadError::TooLong);
    assert!(!format!("{request:?}").contains("c0de"), "{request:?}");
}

#[test]
fn only_one_of_many_answers_is_used() {
    let (outcome, winners) = wait_during(|all| {
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
fn a_second_answer_gets_a_page_of_its_own() {
    let server = RedirectServer::bind().unwrap();
    let address = server.listeners[0].local_addr().unwrap();
    let [first, second] = [(); 2].map(|()| connect(address, GOOD));
    let outcome = server.wait(STATE, with_answer_limit(LONG)).unwrap();
    assert_eq!(outcome, code());
    assert!(answer(first).starts_with("HTTP/1.1 200 "));
    let page = answer(second);
    assert!(page.starts_with("HTTP/1.1 410 "), "{page}");
}

#[test]
fn a_wait_ends_in_time_and_nothing_listens_afterwards() {
    let server = RedirectServer::bind().unwrap();
    let address = server.listeners[0].local_addr().unwrap();
    let silent = connect(address, "GET / ");
    assert_eq!(
        server
            .wait(STATE, with_answer_limit(Duration::ZERO))
            .unwrap(),
        None
    );
    assert_eq!(answer(silent), "");
    assert!(TcpStream::connect(address).is_err(), "nothing listens");
}

#[test]
fn a_connection_that_stops_sending_times_out() {
    let server = RedirectServer::bind().unwrap();
    let address = server.listeners[0].local_addr().unwrap();
    let limits = Limits {
        answer: LONG,
        transfer: Duration::from_millis(1),
    };
    let outcome = thread::scope(|scope| {
        let waiting = scope.spawn(|| server.wait(STATE, limits).unwrap());
        assert_eq!(answer(connect(address, "GET / ")), "", "it is closed");
        ask(address, GOOD);
        waiting.join().unwrap()
    });
    assert_eq!(outcome, code());
}

#[test]
fn every_login_has_a_port_of_its_own_on_loopback() {
    let [one, other] = [(); 2].map(|()| RedirectServer::bind().unwrap());
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
        let outcome = answer_to(&format!("/?{query}"));
        assert_eq!(outcome, Ok(Answer::WrongState), "{query}");
    }
    let (outcome, page) =
        wait_during(|all| ask(all[0], "GET /?code=c0de&state=<b> HTTP/1.1\r\n\r\n"));
    assert_eq!(outcome, Some(Answer::WrongState));
    assert!(page.starts_with("HTTP/1.1 400 "), "{page}");
    assert!(page.contains("belongs to another login"), "{page}");
    assert!(!page.contains("<b>") && !page.contains("c0de"), "{page}");
}

#[test]
fn a_denial_is_one_line_and_its_text_is_on_no_page() {
    let request = "GET /?error=access_denied&error_description=%1b[2J%3Cscript%3E%0d%0ano+thanks&state=s7a-_te HTTP/1.1\r\n\r\n";
    let (outcome, page) = wait_during(|all| ask(all[0], request));
    let Some(Answer::Denied { error, description }) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(error, "access_denied");
    assert_eq!(description.as_deref(), Some(" [2J<script>  no thanks"));
    assert!(page.contains("IBM Cloud rejected the login"), "{page}");
    for part in ["script", "thanks", "access_denied"] {
        assert!(!page.contains(part), "{page}");
    }
    let long = format!(
        "/?error={0}&error_description={0}&state={STATE}",
        "x".repeat(9000)
    );
    let Ok(Answer::Denied { error, description }) = answer_to(&long) else {
        panic!("it is a denial");
    };
    assert_eq!((error.len(), description.unwrap().len()), (64, 300));
}

#[test]
fn no_page_loads_or_runs_anything() {
    for page in [
        RECEIVED,
        DENIED,
        WRONG_STATE,
        TOO_LATE,
        MALFORMED,
        NOT_FOUND,
        NOT_ALLOWED,
        TOO_LONG,
    ] {
        let body = page.body();
        for part in ["://", "src=", "href=", "<script", "<style", "style="] {
            assert!(!body.contains(part), "{body}");
        }
    }
    for page in [RECEIVED, DENIED, WRONG_STATE, TOO_LATE] {
        assert!(page.text.contains("You can close this window"));
    }
}
