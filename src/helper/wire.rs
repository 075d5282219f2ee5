//! The JSON and the fixed texts of the credential helper protocol, as Docker's reference
//! implementation (`docker/docker-credential-helpers`, `credentials/credentials.go`) writes
//! them and clients read them.

use std::io::Read;
use std::io::Write;

use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::credential::Credential;
use crate::error::Error;
use crate::error::Result;
use crate::error::one_line;
use crate::secret::Secret;
use crate::text::encoding;

/// The error by which clients recognize that there is no credential
/// (`credentials/error.go`). It is the same for all hosts.
pub const NOT_FOUND: &str = "credentials not found in native keychain";

/// The error for an empty server address.
pub const NO_SERVER_ADDRESS: &str = "no credentials server URL";

/// The error for an empty user name.
pub const NO_USERNAME: &str = "no credentials username";

/// An example of the input of `store`.
pub const STORE_INPUT: &str = r#"{"ServerURL":"us.icr.io","Username":"iamapikey","Secret":"…"}"#;

/// The maximum size of the input, in bytes.
const MAX_INPUT: u64 = 1024 * 1024;

/// How much more is read and discarded, in bytes: a client that writes too much sees the
/// error instead of a broken pipe.
const MAX_DRAIN: u64 = 64 * 1024 * 1024;

/// The maximum length of a line of an error or a warning, in characters.
pub const MAX_LINE_LENGTH: usize = 1000;

/// The input of `store`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoreRequest {
    /// The server address as the client wrote it, trimmed.
    pub server_address: String,
    /// The credential.
    pub credential: Credential,
}

/// Reads all of stdin, at most 1 MiB, and discards the rest.
///
/// # Errors
/// The input is longer, or cannot be read.
pub fn read_input(input: &mut dyn Read) -> Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    let unreadable = |error: std::io::Error| Error::user(format!("cannot read stdin ({error})"));
    (&mut *input)
        .take(MAX_INPUT + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_INPUT {
        std::io::copy(&mut input.take(MAX_DRAIN), &mut std::io::sink()).map_err(unreadable)?;
        return Err(Error::user("stdin has more than 1 MiB"));
    }
    Ok(bytes)
}

/// Parses the server address in an input or argument: one line, trimmed.
///
/// # Errors
/// It is empty ([`NO_SERVER_ADDRESS`]), neither UTF-8 nor UTF-16, has more than one line, or contains
/// control characters.
pub fn server_address(input: &[u8]) -> Result<String> {
    let text = encoding::decode(input)
        .map_err(|reason| Error::user(format!("cannot read the server address: {reason}")))?;
    let text = text.trim();
    match text {
        "" => Err(Error::no_server_address()),
        _ if text.contains(['\n', '\r']) => {
            Err(Error::user("the server address has more than one line")
                .with_hint("Send one registry at a time"))
        }
        _ if text.contains(char::is_control) => Err(Error::user(
            "the server address contains control characters",
        )),
        _ => Ok(text.to_owned()),
    }
}

/// Parses the input of `store`: a JSON object with `ServerURL`, `Username` and `Secret`.
/// Upper or lower case does not matter, as in Go. The secret may be empty, as in the reference.
///
/// # Errors
/// It is not such an object, or a field is missing, empty or no string.
pub fn store_request(input: &[u8]) -> Result<StoreRequest> {
    let text = encoding::decode(input).map_err(|reason| {
        Error::user(format!(
            "stdin is not a JSON object with ServerURL, Username and Secret: {reason}"
        ))
    })?;
    // The text of serde_json's error may contain a secret.
    let mut fields: Map<String, Value> = serde_json::from_str(&text).map_err(|error| {
        Error::user(format!(
            "stdin is not a JSON object with ServerURL, Username and Secret (line {}, column {})",
            error.line(),
            error.column()
        ))
        .with_hint(format!("Send {STORE_INPUT}"))
    })?;
    // A missing address or user name is reported like an empty one, as in the reference.
    let address = take_text(&mut fields, "ServerURL")?.unwrap_or_default();
    let username = take_text(&mut fields, "Username")?.unwrap_or_default();
    let secret = take_text(&mut fields, "Secret")?.map(Secret::new);
    let server_address = server_address(address.as_bytes())?;
    if username.is_empty() {
        return Err(Error::user(NO_USERNAME));
    }
    if username.contains(char::is_control) {
        return Err(Error::user("Username contains control characters"));
    }
    let secret = secret.ok_or_else(|| Error::user("Secret is missing on stdin"))?;
    if secret.expose().contains('\0') {
        return Err(Error::user("Secret contains a NUL character"));
    }
    Ok(StoreRequest {
        server_address,
        credential: Credential { username, secret },
    })
}

/// Removes a field and returns its text. An exact name wins over one that differs in case.
fn take_text(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>> {
    let key = if fields.contains_key(name) {
        Some(name.to_owned())
    } else {
        let mut keys = fields.keys();
        keys.find(|key| key.eq_ignore_ascii_case(name)).cloned()
    };
    match key.and_then(|key| fields.remove(&key)) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Error::user(format!("{name} is not a string on stdin"))),
    }
}

/// Writes the answer of `get`: a JSON object with exactly three keys, and a newline.
///
/// # Errors
/// Writing fails.
pub fn write_credential(
    output: &mut dyn Write,
    server_address: &str,
    credential: &Credential,
) -> std::io::Result<()> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer<'a> {
        #[serde(rename = "ServerURL")]
        server_url: &'a str,
        username: &'a str,
        #[serde(serialize_with = "Secret::serialize_exposed")]
        secret: &'a Secret,
    }
    let answer = Answer {
        server_url: server_address,
        username: &credential.username,
        secret: &credential.secret,
    };
    let mut line = Zeroizing::new(serde_json::to_vec(&answer)?);
    line.push(b'\n');
    output.write_all(&line)?;
    output.flush()
}

/// Formats an error for clients: one line of limited length without control characters. Only
/// [`Error::not_found()`] contains [`NOT_FOUND`], because some clients search for that phrase.
/// Backticks become single quotes, because clients put the whole line in backticks.
pub fn error_line(error: &Error) -> String {
    let text = error.to_string();
    if error.is_not_found() {
        return text;
    }
    let line = one_line(&text, MAX_LINE_LENGTH).replace(NOT_FOUND, "no credentials");
    line.replace('`', "'").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_trimmed_and_one_line() {
        assert_eq!(
            server_address(b" us.icr.io \r\n").as_deref(),
            Ok("us.icr.io")
        );
        for (input, reason) in [
            (&b""[..], NO_SERVER_ADDRESS),
            (b" \n\t", NO_SERVER_ADDRESS),
            (b"us.icr.io\nde.icr.io", "more than one line"),
            (b"us.icr.io\rde.icr.io", "more than one line"),
            (b"us.icr.io\0", "control characters"),
            (b"us\x1b[31m.icr.io", "control characters"),
            (b"\xff", "not UTF-8"),
            (b"\xff\xfe", NO_SERVER_ADDRESS),
            (b"\xff\xfeu\0s", "cut off"),
        ] {
            let error = server_address(input).unwrap_err().to_string();
            assert!(error.contains(reason), "{input:?}: {error}");
        }
    }

    #[test]
    fn a_store_request_is_read_as_go_reads_it() {
        let expected = StoreRequest {
            server_address: "us.icr.io".into(),
            credential: Credential {
                username: "iamapikey".into(),
                secret: Secret::new("key"),
            },
        };
        for input in [
            r#"{"ServerURL":"us.icr.io","Username":"iamapikey","Secret":"key"}"#,
            "{\"serverurl\":\" us.icr.io\\n\",\"USERNAME\":\"iamapikey\",\"secret\":\"key\"}\n",
            r#"{"Username":"iamapikey","Secret":"key","ServerURL":"us.icr.io","More":[1]}"#,
            r#"{"serverurl":"x","ServerURL":"us.icr.io","Username":"iamapikey","Secret":"\u006bey"}"#,
        ] {
            assert_eq!(
                store_request(input.as_bytes()),
                Ok(expected.clone()),
                "{input}"
            );
        }
    }

    #[test]
    fn a_broken_store_request_says_what_is_wrong_and_never_quotes_the_secret() {
        for (input, reason) in [
            (&b""[..], "not a JSON object"),
            (b"hunter2", "not a JSON object"),
            (br#"["hunter2"]"#, "not a JSON object"),
            (
                br#"{"ServerURL":"us.icr.io","Username":"u","Secret":"hunter2"#,
                "not a JSON object",
            ),
            (
                br#"{"ServerURL":"us.icr.io","Username":"u","Secret":"hunter2"} x"#,
                "not a JSON object",
            ),
            (br#"{"Username":"u","Secret":"hunter2"}"#, NO_SERVER_ADDRESS),
            (
                br#"{"ServerURL":"","Username":"u","Secret":"hunter2"}"#,
                NO_SERVER_ADDRESS,
            ),
            (
                br#"{"ServerURL":"us.icr.io","Secret":"hunter2"}"#,
                NO_USERNAME,
            ),
            (
                br#"{"ServerURL":"us.icr.io","Username":"","Secret":"hunter2"}"#,
                NO_USERNAME,
            ),
            (
                br#"{"ServerURL":"us.icr.io","Username":"u"}"#,
                "Secret is missing",
            ),
            (
                br#"{"ServerURL":"us.icr.io","Username":"u","Secret":null}"#,
                "Secret is not a string",
            ),
            (
                br#"{"ServerURL":"us.icr.io","Username":7,"Secret":"hunter2"}"#,
                "Username is not a string",
            ),
            (
                br#"{"ServerURL":["us.icr.io"],"Username":"u","Secret":"hunter2"}"#,
                "ServerURL is not a string",
            ),
            (
                br#"{"ServerURL":"a\nb","Username":"u","Secret":"hunter2"}"#,
                "more than one line",
            ),
            (
                br#"{"ServerURL":"us.icr.io","Username":"a\nb","Secret":"hunter2"}"#,
                "control characters",
            ),
            (
                br#"{"ServerURL":"us.icr.io","Username":"u","Secret":"hunter2\u0000"}"#,
                "NUL",
            ),
            (
                b"{\"ServerURL\":\"us.icr.io\",\"Username\":\"u\",\"Secret\":\"hunter2\xff\"}",
                "not a JSON object",
            ),
        ] {
            let error = store_request(input).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(
            store_request("[".repeat(200_000).as_bytes()).is_err(),
            "deep nesting is no panic"
        );
    }

    #[test]
    fn input_is_capped_and_drained() {
        let exact = vec![b'a'; 1024 * 1024];
        assert_eq!(
            read_input(&mut exact.as_slice()).unwrap().len(),
            exact.len()
        );
        let long = vec![b'a'; 3 * 1024 * 1024];
        let mut input = long.as_slice();
        assert!(
            read_input(&mut input)
                .unwrap_err()
                .to_string()
                .contains("1 MiB")
        );
        assert!(
            input.is_empty(),
            "a client that is still writing gets no broken pipe"
        );
        assert!(
            read_input(&mut std::io::repeat(b'y')).is_err(),
            "an endless input ends"
        );
    }

    #[test]
    fn an_answer_has_exactly_three_keys() {
        let mut output = Vec::new();
        let credential = Credential {
            username: "iambearer".into(),
            secret: Secret::new("a\"b"),
        };
        write_credential(&mut output, "https://us.icr.io", &credential).unwrap();
        assert_eq!(
            String::from_utf8(output).unwrap(),
            "{\"ServerURL\":\"https://us.icr.io\",\"Username\":\"iambearer\",\"Secret\":\"a\\\"b\"}\n"
        );
    }

    #[test]
    fn a_failure_is_one_line_and_never_looks_like_not_found() {
        assert_eq!(error_line(&Error::not_found()), NOT_FOUND);
        let broken = NOT_FOUND.replacen(' ', "\n", 1);
        let hostile = format!(
            "IAM:\r\n\x1b[2J{NOT_FOUND}\u{85}{broken}{}",
            "x".repeat(5000)
        );
        let line = error_line(&Error::user(hostile));
        assert!(
            !line.contains(char::is_control) && !line.contains(NOT_FOUND),
            "{line}"
        );
        assert!(line.chars().count() <= 1000);
    }
}
