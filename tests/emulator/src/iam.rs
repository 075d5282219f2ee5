//! IAM's answers at its token endpoint and at unknown paths.

use serde_json::Value;

use crate::accounts::Accounts;
use crate::grants;
use crate::random;
use crate::rejection::Rejection;
use crate::rejection::STAND_IN;
use crate::rejection::Shape;
use crate::request::Recorded;
use crate::response::Response;

/// The prefix of IAM's paths. Other services own some of the paths below it.
pub(crate) const PREFIX: &str = "/identity/";
/// The path of the token endpoint.
pub(crate) const TOKEN_PATH: &str = "/identity/token";

/// Exchanges a grant.
pub(crate) fn exchange(accounts: &Accounts, request: &Recorded) -> Result<Response, Rejection> {
    grants::exchange(accounts, request).map(|token| success(&token))
}

/// Answers a request that no service of IAM understands.
pub(crate) fn unknown_request(request: &Recorded) -> Response {
    if request.path == TOKEN_PATH {
        return Rejection::new(405, STAND_IN, "Method not allowed.")
            .into_response(Shape::Iam)
            .with_header("Allow", "POST");
    }
    Rejection::new(404, STAND_IN, "Not found.").into_response(Shape::Iam)
}

/// Returns a successful answer of IAM.
pub(crate) fn success(json: &Value) -> Response {
    Response::json(200, json).with_header("Transaction-Id", random::id())
}
