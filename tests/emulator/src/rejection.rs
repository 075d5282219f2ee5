//! The error answers of each service of IBM Cloud.

use serde_json::Value;
use serde_json::json;

use crate::random;
use crate::response::Response;

/// The code of errors for which IBM's code is unknown. IBM does not use it.
pub(crate) const STAND_IN: &str = "BXNIM0000E";

/// The reason why a service rejects a request.
pub(crate) struct Rejection {
    status: u16,
    code: String,
    message: String,
    target: Option<Value>,
}

impl Rejection {
    pub(crate) fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            target: None,
        }
    }

    /// Adds the input that caused it, for services that report this: its name, and whether it is a `field`, `header` or `parameter`.
    pub(crate) fn because_of(mut self, name: &str, kind: &str, value: Option<&str>) -> Self {
        let mut target = json!({"name": name, "type": kind});
        if let Some(value) = value {
            target["value"] = value.into();
        }
        self.target = Some(target);
        self
    }

    pub(crate) fn into_response(self, shape: Shape) -> Response {
        match shape {
            Shape::Iam => self.into_iam(),
            Shape::Management => self.into_management(),
            Shape::Metadata => self.into_metadata(),
            Shape::Registry => self.into_registry(),
        }
    }

    fn into_iam(self) -> Response {
        let transaction = random::id();
        let body = json!({
            "errorCode": self.code,
            "errorMessage": self.message,
            // A client must not show this part, so it holds private data: an address.
            "context": {
                "requestId": transaction,
                "requestType": "incoming.Identity_Token",
                "clientIp": "203.0.113.7",
                "url": "https://iam.cloud.ibm.com",
                "instanceId": "iamid-emulated",
                "locale": "en_US",
            },
        });
        Response::json(self.status, &body).with_header("Transaction-Id", transaction)
    }

    fn into_management(self) -> Response {
        let transaction = random::id();
        let body = json!({
            "trace": transaction,
            "errors": [{"code": self.code, "message": self.message}],
            "status_code": self.status,
        });
        Response::json(self.status, &body).with_header("Transaction-Id", transaction)
    }

    fn into_metadata(self) -> Response {
        let mut error = json!({
            "code": self.code,
            "message": self.message,
            "more_info": "https://cloud.ibm.com/docs/vpc?topic=vpc-imd-configure-service",
        });
        if let Some(target) = self.target {
            error["target"] = target;
        }
        let body = json!({"errors": [error], "status_code": self.status, "trace": random::id()});
        Response::json(self.status, &body)
    }

    fn into_registry(self) -> Response {
        let body = json!({
            "code": self.code,
            "message": self.message,
            "request-id": random::id(),
        });
        Response::json(self.status, &body)
    }
}

/// The form of an error's body.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// `errorCode`, `errorMessage`, `context`: the token API.
    Iam,
    /// `trace`, `errors`, `status_code`: the API that manages API keys.
    Management,
    /// The same with `more_info` and `target`: the instance metadata service (vpc docs, metadata-error-codes.md).
    Metadata,
    /// `code`, `message`, `request-id`: the registry's management API (bluemix-go, `tokens_test.go`).
    Registry,
}
