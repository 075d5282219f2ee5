//! Connections with TLS or without, one request each.

use std::io;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::StreamOwned;

use crate::request::Body;
use crate::request::Recorded;

/// A connection from a client.
pub(crate) struct Connection {
    secure: bool,
    socket: TcpStream,
    stream: BufReader<Box<dyn Transport>>,
}

impl Connection {
    pub(crate) fn new(socket: TcpStream, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        // A client that hangs must not block its thread forever.
        socket.set_read_timeout(Some(Duration::from_secs(60)))?;
        socket.set_nodelay(true)?;
        let secure = tls.is_some();
        let stream: Box<dyn Transport> = match tls {
            Some(config) => {
                let session = ServerConnection::new(config).map_err(io::Error::other)?;
                Box::new(StreamOwned::new(session, socket.try_clone()?))
            }
            None => Box::new(socket.try_clone()?),
        };
        Ok(Self {
            secure,
            socket,
            stream: BufReader::new(stream),
        })
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.secure
    }

    pub(crate) fn read_request(&mut self) -> io::Result<Recorded> {
        let scheme = if self.secure { "https" } else { "http" };
        Recorded::read(&mut self.stream, scheme)
    }

    /// Waits for the TLS handshake that the client begins now.
    pub(crate) fn start_tls(&mut self, config: Arc<ServerConfig>) -> io::Result<()> {
        *self = Self::new(self.socket.try_clone()?, Some(config))?;
        Ok(())
    }

    /// Returns the body of `request`. Sends `100 Continue` to a client that waits for it.
    pub(crate) fn body(&mut self, request: &Recorded) -> io::Result<Body<'_>> {
        if request
            .header("expect")
            .is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
        {
            self.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            self.flush()?;
        }
        Body::new(request, &mut self.stream)
    }

    /// Reads the body of a small request as text.
    pub(crate) fn read_text(&mut self, request: &Recorded) -> io::Result<String> {
        let mut text = String::new();
        self.body(request)?
            .take(0x10_0000)
            .read_to_string(&mut text)?;
        Ok(text)
    }

    /// Closes its side, and waits a moment for the client to do the same: closing with unread bytes would reset the connection, and
    /// the client would lose the answer.
    pub(crate) fn close(mut self) {
        self.stream.get_mut().shut_down();
        let _ = self.flush();
        let _ = self.socket.shutdown(Shutdown::Write);
        let _ = self.socket.set_read_timeout(Some(Duration::from_secs(1)));
        let _ = io::copy(&mut self.socket.take(0x1_0000_0000), &mut io::sink());
    }
}

impl Write for Connection {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.get_mut().write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.get_mut().flush()
    }
}

trait Transport: Read + Write {
    /// Signals the end of the data, where the transport can.
    fn shut_down(&mut self) {}
}

impl Transport for TcpStream {}

impl Transport for StreamOwned<ServerConnection, TcpStream> {
    fn shut_down(&mut self) {
        self.conn.send_close_notify();
    }
}
