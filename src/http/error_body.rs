//! The errors that IBM Cloud's services write as JSON.

use serde_json::Value;

use crate::error::one_line;
use crate::secret::Secret;

/// The length limit of a message that is repeated, in characters.
const MAX_MESSAGE: usize = 300;

/// The error in a response.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct ErrorBody {
    /// `BXNIM0415E` and the like.
    pub(super) code: Option<String>,
    /// The service's message, on one line, without secrets.
    pub(super) message: String,
}

/// Reads the error in a response body: as IAM's token API, its management API or a
/// registry writes it. Removes `secrets` from the message. Returns `None` for any other
/// body.
pub(super) fn parse(body: &[u8], secrets: &[&Secret]) -> Option<ErrorBody> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let first = &answer["errors"][0];
    let text = |value: &Value| Some(value.as_str()?.to_owned()).filter(|text| !text.is_empty());
    let is_code = |code: &String| {
        code.len() <= 64
            && code
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    // Many APIs write a `code` and a `message`; a registry's code begins with `CRG`.
    let registry_code = text(&answer["code"]).filter(|code| code.starts_with("CRG"));
    let registry_message = match registry_code {
        Some(_) => &answer["message"],
        None => &Value::Null,
    };
    let code = text(&answer["errorCode"])
        .or_else(|| text(&first["code"]))
        .or(registry_code)
        .filter(is_code);
    let message = [
        &answer["errorDetails"],
        &answer["errorMessage"],
        &first["message"],
        registry_message,
    ]
    .into_iter()
    .find_map(text);
    if code.is_none() && message.is_none() {
        return None;
    }
    let message = message.unwrap_or_else(|| "it gave no reason".to_owned());
    Some(ErrorBody {
        code,
        message: clean(&message, secrets),
    })
}

fn clean(message: &str, secrets: &[&Secret]) -> String {
    let message = secrets
        .iter()
        .filter(|secret| !secret.is_empty())
        .fold(message.to_owned(), |message, secret| {
            message.replace(secret.expose(), "[redacted]")
        });
    one_line(&message, MAX_MESSAGE)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_code_and_message_of_a_known_error_are_read() {
        let secret = Secret::new("hunter2");
        for (body, code, message) in [
            (
                json!({"errorCode": "BXNIM0415E", "errorMessage": "No\r\nsuch key: hunter2", "context": {"clientIp": "203.0.113.7"}}),
                Some("BXNIM0415E"),
                "No  such key: [redacted]",
            ),
            (
                json!({"errorCode": "a b", "errorMessage": "short", "errorDetails": "long"}),
                None,
                "long",
            ),
            (
                json!({"errorCode": "E", "errorMessage": "short", "errorDetails": ""}),
                Some("E"),
                "short",
            ),
            (
                json!({"errorCode": "E", "errorMessage": "short", "errorDetails": {}}),
                Some("E"),
                "short",
            ),
            (
                json!({"errors": [{"code": "not_found", "message": "gone"}]}),
                Some("not_found"),
                "gone",
            ),
            (json!({"errorCode": "E"}), Some("E"), "it gave no reason"),
        ] {
            let error = parse(body.to_string().as_bytes(), &[&secret]).unwrap();
            assert_eq!((error.code.as_deref(), &*error.message), (code, message));
        }
        for body in [&b""[..], b"<html>", b"[]", b"{}", b"{\"errorCode\":7}"] {
            assert_eq!(parse(body, &[&secret]), None, "another program's error");
        }
    }
}
