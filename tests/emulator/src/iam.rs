//! IAM's answers at its token endpoint and at unknown paths.

use serde_json::Value;

use crate::accounts::Accounts;
use crate::grants;
use crate::random;
use crate::refusal::Refusal;
use crate::refusal::STAND_IN;
use crate::refusal::Shape;
use crate::request::Recorded;
use crate::response::Response;

/// Everything below it is IAM's, unless another service owns the path.
pub(crate) const PREFIX: &str = "/identity/";
/// Where tokens are asked for.
pub(crate) const TOKEN_PATH: &str = "/identity/token";

/// Exchanges a grant.
pub(crate) fn exchange(accounts: &Accounts, request: &Recorded) -> Result<Response, Refusal> {
    grants::exchange(accounts, request).map(|token| success(&token))
}

/// Answers a request that no service of IAM understands.
pub(crate) fn stray(request: &Recorded) -> Response {
    if request.path == TOKEN_PATH {
        return Refusal::new(405, STAND_IN, "Method not allowed.")
            .into_response(Shape::Iam)
            .with_header("Allow", "POST");
    }
    Refusal::new(404, STAND_IN, "Not found.").into_response(Shape::Iam)
}

/// Returns a successful answer of IAM.
pub(crate) fn success(json: &Value) -> Response {
    Response::json(200, json).with_header("Transaction-Id", random::id())
}
