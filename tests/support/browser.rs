//! A browser in which a user logs in.

use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpStream;

use rexpect::session::PtySession;

/// Opens the page whose URL is shown at a terminal, and follows its redirect back to the program.
pub(crate) fn log_in_with(session: &mut PtySession) {
    let pattern = r"http://\S+/identity/authorize\?\S+";
    let (_, page) = session.exp_regex(pattern).expect("an address");
    let redirect = visit(&page);
    let back = redirect
        .lines()
        .find_map(|line| line.strip_prefix("Location: "));
    let answer = visit(back.expect("a redirect").trim());
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Returns the answer for a URL.
fn visit(url: &str) -> String {
    let rest = url.strip_prefix("http://").expect("plain HTTP");
    let (host, path) = rest.split_once('/').expect("a path");
    let mut stream = TcpStream::connect(host).expect("a server listens");
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .expect("a server listens");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}
