//! Requests, as clients send them.

use std::io;
use std::io::BufRead;
use std::io::Read;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// A request to a service of IBM Cloud, as it arrived.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Recorded {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query's parameters, decoded, in order.
    pub query: Vec<(String, String)>,
    /// The headers in order, names as they were sent.
    pub headers: Vec<(String, String)>,
    /// The fields of a form body, decoded, in order.
    pub form: Vec<(String, String)>,
    /// The body where it is no form: JSON, or nothing.
    pub body: String,
    /// Scheme and host that the client called: `https://iam.cloud.ibm.com`.
    pub(crate) base: String,
    /// Path and query as they were sent, for the proxy.
    pub(crate) target: String,
}

impl Recorded {
    /// Reads the head of a request, which came by this scheme; the body stays in the reader.
    pub(crate) fn read(reader: &mut dyn BufRead, scheme: &str) -> io::Result<Self> {
        let start = line(reader)?;
        let mut words = start.split(' ');
        let (Some(method), Some(target), Some("HTTP/1.1" | "HTTP/1.0")) =
            (words.next(), words.next(), words.next())
        else {
            return Err(invalid("no HTTP/1 request line"));
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = Vec::new();
        loop {
            let line = line(reader)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| invalid("a header without a colon"))?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut request = Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: pairs(query),
            headers,
            form: Vec::new(),
            body: String::new(),
            base: String::new(),
            target: target.to_owned(),
        };
        request.base = format!(
            "{scheme}://{}",
            request.header("host").unwrap_or("localhost")
        );
        Ok(request)
    }

    /// Returns the value of the first header of this name, in whatever case it was sent.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    /// Returns the values of all headers of this name.
    pub(crate) fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        let headers = self.headers.iter();
        headers
            .filter(move |(sent, _)| sent.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Returns the value of the first form field of this name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.form
            .iter()
            .find(|(sent, _)| sent == name)
            .map(|(_, value)| value.as_str())
    }

    /// Returns the value of the first parameter of this name in the query.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(sent, _)| sent == name)
            .map(|(_, value)| value.as_str())
    }

    /// Returns the token of `Authorization: Bearer …`.
    pub(crate) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// Returns user name and password of `Authorization: Basic …`.
    pub(crate) fn basic(&self) -> Option<(String, String)> {
        let (scheme, encoded) = self.header("authorization")?.split_once(' ')?;
        let decoded = BASE64_STANDARD
            .decode(encoded.trim())
            .ok()
            .filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
        let (name, password) = str::from_utf8(&decoded).ok()?.split_once(':')?;
        Some((name.to_owned(), password.to_owned()))
    }

    /// Returns whether the body comes in chunks.
    pub(crate) fn is_chunked(&self) -> bool {
        self.header("transfer-encoding")
            .is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
    }
}

/// The body of a request: chunks or a counted number of bytes, read as what they carry.
pub(crate) struct Body<'c> {
    /// More chunks follow once `left` is used up.
    chunked: bool,
    left: u64,
    reader: &'c mut dyn BufRead,
}

impl<'c> Body<'c> {
    pub(crate) fn new(request: &Recorded, reader: &'c mut dyn BufRead) -> io::Result<Self> {
        let length = request.header("content-length").unwrap_or("0").parse();
        let length = length.map_err(|_| invalid("a Content-Length that is no number"))?;
        let chunked = request.is_chunked();
        Ok(Self {
            chunked,
            left: if chunked { 0 } else { length },
            reader,
        })
    }

    fn next_chunk(&mut self) -> io::Result<()> {
        let size = line(self.reader)?;
        let size = size.split(';').next().unwrap_or_default().trim();
        self.left =
            u64::from_str_radix(size, 16).map_err(|_| invalid("a chunk size that is no number"))?;
        if self.left == 0 {
            self.chunked = false;
            while !line(self.reader)?.is_empty() {}
        }
        Ok(())
    }
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && self.chunked {
            self.next_chunk()?;
        }
        let read = Read::take(&mut *self.reader, self.left).read(buffer)?;
        if read == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        if read > 0 && self.left == 0 && self.chunked && !line(self.reader)?.is_empty() {
            return Err(invalid("a chunk longer than its size"));
        }
        Ok(read)
    }
}

/// Returns the parameters of a query or a form (`application/x-www-form-urlencoded`).
pub(crate) fn pairs(encoded: &str) -> Vec<(String, String)> {
    let parts = encoded.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

/// Returns `text` as a value in a query.
pub(crate) fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

fn decode(encoded: &str) -> String {
    let mut decoded = Vec::new();
    let mut rest = encoded.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let escaped = tail
            .get(..2)
            .and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        match (first, escaped) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                rest = &tail[2..];
            }
            (b'+', _) => decoded.push(b' '),
            (byte, _) => decoded.push(*byte),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Reads one line without its end, of at most 64 KiB: a bearer token fits, endless input does not.
fn line(reader: &mut dyn BufRead) -> io::Result<String> {
    let mut line = String::new();
    Read::take(reader, 0x1_0000).read_line(&mut line)?;
    if !line.ends_with('\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded() {
        let fields = pairs("grant_type=urn%3aibm&apikey=a%2Bb+c%25&empty=&%zz=100%");
        let expected = [
            ("grant_type", "urn:ibm"),
            ("apikey", "a+b c%"),
            ("empty", ""),
            ("%zz", "100%"),
        ];
        assert_eq!(
            fields,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        let text = "a+b c%&=ä/:";
        assert_eq!(decode(&encode(text)), text);
    }

    #[test]
    fn a_body_ends_at_its_length_or_last_chunk() {
        for (head, wire) in [
            ("Content-Length: 5", "hello GET /next"),
            (
                "Transfer-Encoding: chunked",
                "2;extension=1\r\nhe\r\n3\r\nllo\r\n0\r\nTrailer: 1\r\n\r\n GET /next",
            ),
        ] {
            let wire = format!("POST / HTTP/1.1\r\n{head}\r\n\r\n{wire}");
            let mut reader = wire.as_bytes();
            let request = Recorded::read(&mut reader, "http").expect("a head");
            let mut body = String::new();
            let read = Body::new(&request, &mut reader)
                .expect("a framing")
                .read_to_string(&mut body);
            read.expect("a whole body");
            assert_eq!(
                (body.as_str(), reader),
                ("hello", b" GET /next".as_slice()),
                "{head}"
            );
        }
    }

    #[test]
    fn a_cut_body_is_an_error() {
        for wire in [
            "Content-Length: 5\r\n\r\nhell",
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhell",
            "Transfer-Encoding: chunked\r\n\r\n4\r\nhell\r\n",
        ] {
            let wire = format!("POST / HTTP/1.1\r\n{wire}");
            let mut reader = wire.as_bytes();
            let request = Recorded::read(&mut reader, "http").expect("a head");
            let read = io::copy(
                &mut Body::new(&request, &mut reader).expect("a framing"),
                &mut io::sink(),
            );
            read.expect_err("an incomplete body must be an error");
        }
    }
}
