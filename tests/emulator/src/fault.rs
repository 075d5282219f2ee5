//! Failures of services on demand.

use std::io;
use std::io::Write;
use std::time::Duration;

use serde_json::Value;

use crate::clock;
use crate::iam::success;
use crate::rejection::Rejection;
use crate::rejection::STAND_IN;
use crate::rejection::Shape;
use crate::response::Response;

/// A failure of a request to a service of IBM Cloud.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The request is read, then the connection is closed without an answer.
    CloseEarly,
    /// The normal answer, late.
    Delay(Duration),
    /// Success without a body.
    Empty,
    /// An error in the service's shape.
    Error {
        /// The HTTP status.
        status: u16,
        /// The service's code, `BXNIM0415E`.
        code: String,
        /// The message.
        message: String,
    },
    /// Bytes that are not HTTP.
    Garbage,
    /// Success with a proxy's login page.
    Html,
    /// A token that would be well-formed if it were not this many bytes long.
    HugeBody(usize),
    /// A redirect to this URL.
    Redirect(String),
    /// The normal answer, a byte at a time.
    SlowBytes {
        /// The pause after each byte.
        every: Duration,
    },
    /// An error in the service's shape with this status and an unknown code.
    Status(u16),
    /// The same with a `Retry-After` header.
    StatusWithRetryAfter(u16, String),
    /// Success with exactly this JSON.
    Token {
        /// The whole body.
        json: Value,
    },
    /// The first half of the normal answer.
    Truncated,
}

impl Fault {
    /// Returns the fault of a control request: an object with one member, named like the fault.
    pub(crate) fn from_json(json: &Value) -> Option<Self> {
        let members = json.as_object().filter(|members| members.len() == 1)?;
        let (kind, value) = members.iter().next()?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let status = |value: &Value| u16::try_from(value.as_u64()?).ok();
        let fault = match kind.as_str() {
            "close_early" => Self::CloseEarly,
            "delay_ms" => Self::Delay(Duration::from_millis(value.as_u64()?)),
            "empty" => Self::Empty,
            "error" => Self::Error {
                status: status(&value["status"])?,
                code: text(&value["code"])?,
                message: text(&value["message"])?,
            },
            "garbage" => Self::Garbage,
            "html" => Self::Html,
            "huge_body" => Self::HugeBody(usize::try_from(value.as_u64()?).ok()?),
            "redirect" => Self::Redirect(text(value)?),
            "retry_after" => {
                Self::StatusWithRetryAfter(status(&value["status"])?, text(&value["value"])?)
            }
            "slow_bytes_ms" => Self::SlowBytes {
                every: Duration::from_millis(value.as_u64()?),
            },
            "status" => Self::Status(status(value)?),
            "token" => Self::Token {
                json: value.clone(),
            },
            "truncated" => Self::Truncated,
            _ => return None,
        };
        Some(fault)
    }

    /// Writes the answer, errors in `shape`. `normal` makes the answer of a working service, with all its effects: also an answer that
    /// is lost has rotated a refresh token.
    pub(crate) fn deliver(
        self,
        client: &mut impl Write,
        shape: Shape,
        normal: impl FnOnce() -> Response,
    ) -> io::Result<()> {
        let response = match self {
            Self::CloseEarly => return Ok(()),
            Self::Delay(duration) => {
                clock::wait(duration);
                normal()
            }
            Self::Empty => Response::new(200, "application/json", ""),
            Self::Error {
                status,
                code,
                message,
            } => Rejection::new(status, code, message).into_response(shape),
            Self::Garbage => {
                return client.write_all(b"\x16\x03\x00 this is not HTTP \xff\xfe\r\n\r\n");
            }
            Self::Html => Response::new(
                200,
                "text/html",
                "<html><title>Log in to the guest network</title></html>\n",
            ),
            Self::HugeBody(size) => {
                let (start, end) = (
                    r#"{"expires_in":3600,"token_type":"Bearer","access_token":""#,
                    r#""}"#,
                );
                let filling = "A".repeat(size.saturating_sub(start.len() + end.len()));
                Response::new(200, "application/json", format!("{start}{filling}{end}"))
            }
            Self::Redirect(location) => {
                Response::new(302, "text/html", "").with_header("Location", location)
            }
            Self::SlowBytes { every } => {
                for byte in normal().to_bytes() {
                    client.write_all(&[byte])?;
                    client.flush()?;
                    clock::wait(every);
                }
                return Ok(());
            }
            Self::Status(status) => rejection(status, shape),
            Self::StatusWithRetryAfter(status, after) => {
                rejection(status, shape).with_header("Retry-After", after)
            }
            Self::Token { json } => success(&json),
            Self::Truncated => {
                let normal = normal();
                let half = &normal.body()[..normal.body().len() / 2];
                let head = normal.head(normal.body().len());
                return client.write_all(&[head.as_bytes(), half].concat());
            }
        };
        client.write_all(&response.to_bytes())
    }
}

fn rejection(status: u16, shape: Shape) -> Response {
    Rejection::new(
        status,
        STAND_IN,
        format!("The emulator was set to answer {status}."),
    )
    .into_response(shape)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Emulator;
    use crate::Subject;
    use crate::wire;

    /// Returns the answer to a token request that fails with `fault`.
    fn answer(fault: Fault) -> String {
        let cloud = Emulator::start().expect("a port");
        cloud.accounts().add_api_key("key", Subject::user("1"));
        cloud.script([fault]);
        let body = "grant_type=urn:ibm:params:oauth:grant-type:apikey&apikey=key";
        let length = body.len();
        let send = || {
            wire::send(
                cloud.address(),
                &format!("POST /identity/token HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{body}"),
            )
        };
        let answer = send();
        assert!(
            send().starts_with("HTTP/1.1 200 OK\r\n"),
            "one fault spoils one request"
        );
        assert_eq!(cloud.exchanges(), 2);
        answer
    }

    fn parts(answer: &str) -> (&str, &str) {
        answer.split_once("\r\n\r\n").expect("head and body")
    }

    #[test]
    fn bytes_that_are_no_answer() {
        assert_eq!(answer(Fault::CloseEarly), "");
        assert!(!answer(Fault::Garbage).starts_with("HTTP/"));
    }

    #[test]
    fn errors_have_iams_shape() {
        let error = Fault::Error {
            status: 400,
            code: "BXNIM0439E".to_owned(),
            message: "Session is invalidated.".to_owned(),
        };
        for (fault, status, code) in [
            (Fault::Status(503), "503 Service Unavailable", "BXNIM0000E"),
            (
                Fault::StatusWithRetryAfter(429, "7".to_owned()),
                "429 Too Many Requests",
                "BXNIM0000E",
            ),
            (error, "400 Bad Request", "BXNIM0439E"),
        ] {
            let answer = answer(fault.clone());
            let (head, body) = parts(&answer);
            let body: Value = serde_json::from_str(body).expect("JSON");
            assert!(
                head.starts_with(&format!("HTTP/1.1 {status}\r\n")),
                "{head}"
            );
            assert!(head.contains("\r\nConnection: close"), "{head}");
            assert_eq!(body["errorCode"], code);
            let transaction = body["context"]["requestId"].as_str().expect("an id");
            assert!(
                head.contains(&format!("\r\nTransaction-Id: {transaction}\r\n")),
                "{head}"
            );
            let retry_after = matches!(fault, Fault::StatusWithRetryAfter(..));
            assert_eq!(
                head.contains("\r\nRetry-After: 7\r\n"),
                retry_after,
                "{head}"
            );
        }
    }

    #[test]
    fn successes_that_are_no_token() {
        assert_eq!(parts(&answer(Fault::Empty)).1, "");
        assert!(
            parts(&answer(Fault::Html))
                .0
                .contains("\r\nContent-Type: text/html\r\n")
        );
        assert_eq!(
            parts(&answer(Fault::Token {
                json: json!({"access_token": 1})
            }))
            .1,
            r#"{"access_token":1}"#
        );
        let redirect = answer(Fault::Redirect("http://127.0.0.1:9/".to_owned()));
        assert!(
            redirect.starts_with("HTTP/1.1 302 Found\r\n")
                && redirect.contains("\r\nLocation: http://127.0.0.1:9/\r\n")
        );
        let huge = answer(Fault::HugeBody(3_000_000));
        assert_eq!(parts(&huge).1.len(), 3_000_000);
        serde_json::from_str::<Value>(parts(&huge).1).expect("only the size is wrong with it");
    }

    #[test]
    fn normal_answers_late_slow_or_cut() {
        let pause = Duration::from_micros(20);
        let start = clock::now();
        let late = answer(Fault::Delay(Duration::from_millis(120)));
        assert!(
            start.elapsed() >= Duration::from_millis(120),
            "the answer is late"
        );
        for whole in [late, answer(Fault::SlowBytes { every: pause })] {
            serde_json::from_str::<Value>(parts(&whole).1).expect("a whole answer in the end");
        }
        let cut = answer(Fault::Truncated);
        let (head, body) = parts(&cut);
        let (_, length) = head.split_once("Content-Length: ").expect("a promise");
        let promised: usize = length
            .lines()
            .next()
            .expect("a value")
            .parse()
            .expect("a number");
        assert!(body.len() < promised, "{} of {promised} bytes", body.len());
    }

    #[test]
    fn always_until_never() {
        let cloud = Emulator::start().expect("a port");
        cloud.always(Some(Fault::Status(500)));
        for _ in 0..3 {
            assert_eq!(wire::exchange(&cloud, &[], false).0, 500);
        }
        cloud.script([Fault::Status(429)]);
        assert_eq!(
            wire::exchange(&cloud, &[], false).0,
            429,
            "a script comes first"
        );
        cloud.always(None);
        assert_eq!(
            wire::exchange(&cloud, &[], false).0,
            400,
            "an IAM without a fault requires a grant"
        );
    }
}
