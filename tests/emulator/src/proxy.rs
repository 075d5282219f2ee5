//! A reverse proxy to the real registry behind the emulator. It streams both ways, so that layers may have any size.

use std::io;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::TcpStream;

use crate::connection::Connection;
use crate::emulator::Cloud;
use crate::request::Recorded;
use crate::response::Response;

/// Forwards a request to the registry, and its answer back.
pub(crate) fn forward(
    cloud: &Cloud,
    request: &Recorded,
    client: &mut Connection,
) -> io::Result<()> {
    let Some(address) = cloud.upstream else {
        return client.write_all(
            &Response::text(503, "no registry is attached to the emulator\n").to_bytes(),
        );
    };
    let Ok(mut registry) = TcpStream::connect(address) else {
        let message = format!("the registry at {address} does not answer\n");
        return client.write_all(&Response::text(502, message).to_bytes());
    };
    registry.set_nodelay(true)?;
    registry.write_all(head(request, client.is_secure()).as_bytes())?;
    let mut body = client.body(request)?;
    let sent = if request.is_chunked() {
        copy_chunked(&mut body, &mut registry)
    } else {
        io::copy(&mut body, &mut registry).map(drop)
    };
    if sent.is_err() {
        // Either the client disconnected, and the registry must not wait for the rest of the body; or the registry answered
        // early, and its answer is forwarded below.
        let _ = registry.shutdown(Shutdown::Write);
    }
    // The request asks the registry to close the connection, so its answer ends there and needs no parsing.
    io::copy(&mut registry, client).map(drop)
}

/// Returns the request's head for the registry.
fn head(request: &Recorded, secure: bool) -> String {
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
    let passed = |(name, _): &&(String, String)| {
        !["connection", "expect", "keep-alive", "x-forwarded-proto"]
            .iter()
            .any(|ours| name.eq_ignore_ascii_case(ours))
    };
    for (name, value) in request.headers.iter().filter(passed) {
        head += &format!("{name}: {value}\r\n");
    }
    if secure {
        // With this header, the registry uses https in Location headers.
        head += "X-Forwarded-Proto: https\r\n";
    }
    head + "Connection: close\r\n\r\n"
}

fn copy_chunked(body: &mut impl Read, registry: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; 0x1_0000];
    loop {
        let read = body.read(&mut buffer)?;
        write!(registry, "{read:x}\r\n")?;
        registry.write_all(&buffer[..read])?;
        registry.write_all(b"\r\n")?;
        if read == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::Emulator;
    use crate::request::Body;
    use crate::wire;

    /// Starts a registry for one request, which it answers with that request.
    fn echo() -> TcpListener {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let registry = listener.try_clone().expect("a second handle");
        thread::spawn(move || {
            let (mut client, _) = registry.accept().expect("a client");
            let mut reader = BufReader::new(client.try_clone().expect("a second handle"));
            let request = Recorded::read(&mut reader, "http").expect("a head");
            let mut body = String::new();
            let read = Body::new(&request, &mut reader)
                .expect("a framing")
                .read_to_string(&mut body);
            read.expect("a whole body");
            let answer = format!(
                "{} {} {:?} {body}",
                request.method, request.target, request.headers
            );
            client
                .write_all(b"HTTP/1.1 201 Created\r\n\r\n")
                .expect("the client listens");
            client
                .write_all(answer.as_bytes())
                .expect("the client listens");
        });
        listener
    }

    fn pass(request: &str) -> String {
        let registry = echo();
        let address = registry.local_addr().expect("an address");
        let cloud = Emulator::builder()
            .registry_upstream(address)
            .start()
            .expect("a port");
        let answer = wire::send(cloud.address(), request);
        assert!(cloud.requests().is_empty(), "only tokens are recorded");
        answer
    }

    #[test]
    fn a_body_with_a_length_is_forwarded() {
        let answer = pass(
            "PUT /v2/a/b?c=%20 HTTP/1.1\r\nHost: us.icr.io\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
        );
        let headers =
            r#"[("Host", "us.icr.io"), ("Content-Length", "5"), ("Connection", "close")]"#;
        assert_eq!(
            answer,
            format!("HTTP/1.1 201 Created\r\n\r\nPUT /v2/a/b?c=%20 {headers} hello")
        );
    }

    #[test]
    fn a_chunked_body_is_forwarded() {
        let answer = pass(
            "PATCH /v2/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        );
        let headers = r#"[("Transfer-Encoding", "chunked"), ("Connection", "close")]"#;
        assert_eq!(
            answer,
            format!("HTTP/1.1 201 Created\r\n\r\nPATCH /v2/ {headers} hello")
        );
    }

    #[test]
    fn a_client_that_waits_for_100_continue_gets_it() {
        let answer =
            pass("PUT /v2/ HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello");
        let headers = r#"[("Content-Length", "5"), ("Connection", "close")]"#;
        let expected = format!(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n\r\nPUT /v2/ {headers} hello"
        );
        assert_eq!(answer, expected);
    }

    #[test]
    fn without_a_registry_the_answer_is_an_error() {
        let cloud = Emulator::start().expect("a port");
        assert!(
            wire::send(cloud.address(), "GET /v1/ HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 503 ")
        );
    }
}
