//! A minimal HTTP client for the tests, which returns the bytes as they arrive.

use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpStream;

use serde_json::Value;

use crate::Emulator;

/// Sends these bytes and returns the whole answer.
pub(crate) fn send(address: SocketAddr, request: &str) -> String {
    let mut socket = TcpStream::connect(address).expect("the emulator listens");
    socket
        .write_all(request.as_bytes())
        .expect("the emulator reads");
    let mut answer = Vec::new();
    socket
        .read_to_end(&mut answer)
        .expect("the emulator closes in order");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends these bytes and returns the first line of the answer.
pub(crate) fn start(address: SocketAddr, request: &str) -> String {
    let mut socket = TcpStream::connect(address).expect("the emulator listens");
    socket
        .write_all(request.as_bytes())
        .expect("the emulator reads");
    let mut line = String::new();
    let read = BufReader::new(socket).read_line(&mut line);
    read.expect("the emulator answers");
    line.trim_end().to_owned()
}

/// Sends a request (`GET /path`); returns status and JSON of the answer.
pub(crate) fn request(cloud: &Emulator, start: &str, headers: &str, body: &str) -> (u16, Value) {
    let length = body.len();
    let answer = send(
        cloud.address(),
        &format!("{start} HTTP/1.1\r\n{headers}Content-Length: {length}\r\n\r\n{body}"),
    );
    let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .expect("a status");
    (status, serde_json::from_str(body).unwrap_or_default())
}

/// Requests a token from IAM, as the client `bx` or without a client.
pub(crate) fn exchange(cloud: &Emulator, fields: &[(&str, &str)], client: bool) -> (u16, Value) {
    let form: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let headers = if client {
        "Authorization: Basic Yng6Yng=\r\n"
    } else {
        ""
    };
    request(cloud, "POST /identity/token", headers, &form.join("&"))
}
