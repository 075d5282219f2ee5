//! What does IAM answer at its token endpoint?

use std::io;
use std::io::Write as _;

use serde_json::Value;
use serde_json::json;

use crate::connection::Connection;
use crate::emulator::Cloud;
use crate::grants;
use crate::random;
use crate::request::Recorded;
use crate::response::Response;

/// Everything below it is IAM's.
pub(crate) const PREFIX: &str = "/identity/";
/// Where tokens are asked for.
pub(crate) const TOKEN_PATH: &str = "/identity/token";

/// Answers a request to IAM, well or ill.
pub(crate) fn answer(
    cloud: &Cloud,
    request: &Recorded,
    connection: &mut Connection,
) -> io::Result<()> {
    let response = match (request.path.as_str(), request.method.as_str()) {
        (TOKEN_PATH, "POST") => match cloud.next_fault() {
            Some(fault) => return fault.deliver(connection, || exchange(cloud, request)),
            None => exchange(cloud, request),
        },
        (TOKEN_PATH, _) => Refusal::new(405, STAND_IN, "Method not allowed.")
            .into_response()
            .with_header("Allow", "POST"),
        _ => Refusal::new(404, STAND_IN, "Not found.").into_response(),
    };
    connection.write_all(&response.to_bytes())
}

/// A successful answer of IAM.
pub(crate) fn success(json: &Value) -> Response {
    Response::json(200, json).with_header("Transaction-Id", random::id())
}

/// Why IAM refuses, in its own shape.
pub(crate) struct Refusal {
    status: u16,
    code: String,
    message: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
        }
    }

    pub(crate) fn into_response(self) -> Response {
        let Self {
            status,
            code,
            message,
        } = self;
        let transaction = random::id();
        let body = json!({
            "errorCode": code,
            "errorMessage": message,
            // A client must not show this part to anybody, so it holds what would be embarrassing: an address.
            "context": {
                "requestId": transaction,
                "requestType": "incoming.Identity_Token",
                "clientIp": "203.0.113.7",
                "url": "https://iam.cloud.ibm.com",
                "instanceId": "iamid-emulated",
                "locale": "en_US",
            },
        });
        Response::json(status, &body).with_header("Transaction-Id", transaction)
    }
}

/// Stands in wherever IBM's own code is not known.
pub(crate) const STAND_IN: &str = "BXNIM0000E";

fn exchange(cloud: &Cloud, request: &Recorded) -> Response {
    match grants::exchange(&cloud.accounts, request) {
        Ok(token) => success(&token),
        Err(refusal) => refusal.into_response(),
    }
}
