//! Errors as `Status` objects.

use serde_json::Value;
use serde_json::json;

use crate::response::Response;

/// The reason why a request is refused.
#[derive(Debug)]
pub(super) struct Refusal {
    status: u16,
    reason: &'static str,
    message: String,
    causes: Vec<Value>,
}

impl Refusal {
    pub(super) fn new(status: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            reason,
            message: message.into(),
            causes: Vec::new(),
        }
    }

    pub(super) fn emulated(status: u16) -> Self {
        let reason = match status {
            403 => "Forbidden",
            409 => "Conflict",
            410 => "Expired",
            429 => "TooManyRequests",
            500 => "InternalError",
            503 => "ServiceUnavailable",
            _ => "",
        };
        Self::new(status, reason, "The emulator was set to answer this.")
    }

    pub(super) fn not_found(resource: &str, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{resource} \"{name}\" not found"))
    }

    pub(super) fn modified(resource: &str, name: &str) -> Self {
        Self::new(
            409,
            "Conflict",
            format!(
                "Operation cannot be fulfilled on {resource} \"{name}\": the object has been modified; please apply your changes to the latest version and try again"
            ),
        )
    }

    pub(super) fn with_cause(mut self, reason: &str, message: &str, field: &str) -> Self {
        let cause = json!({"reason": reason, "message": message, "field": field});
        self.causes.push(cause);
        self
    }

    pub(super) fn into_response(self) -> Response {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.status,
        });
        if !self.causes.is_empty() {
            status["details"] = json!({"causes": self.causes});
        }
        Response::json(self.status, &status)
    }
}
