//! Who may pull: the registry's tokens, and the challenge to a client without one.

use serde_json::Value;

use crate::clock::unix_now;
use crate::registry::ISSUER;
use crate::registry::SERVICE;
use crate::registry::TOKEN_PATH;
use crate::registry::error;
use crate::registry_token::Signer;
use crate::request::Recorded;
use crate::response::Response;

/// The registry's text for a client that is not logged in, or may not do what it requests.
const UNAUTHORIZED: &str = "Authorization required. See https://cloud.ibm.com/docs/Registry?topic=Registry-troubleshoot-auth-req";

/// Checks that the request has a token with which `repository` may be pulled; `None` is the API itself, for which any token is enough. User
/// name and password do not count here: they are for the token endpoint.
pub(super) fn check(
    signer: &Signer,
    request: &Recorded,
    repository: Option<&str>,
) -> Result<(), Response> {
    let refuse = |reason| Err(challenge(request, repository, reason));
    let Some(token) = request.bearer() else {
        return refuse(None);
    };
    match signer.verify(token).filter(is_current) {
        None => refuse(Some("invalid_token")),
        Some(claims) if repository.is_none_or(|name| may_pull(&claims, name)) => Ok(()),
        Some(_) => refuse(Some("insufficient_scope")),
    }
}

fn is_current(claims: &Value) -> bool {
    let (now, time) = (unix_now(), |name: &str| claims[name].as_u64());
    claims["iss"] == ISSUER
        && claims["aud"] == SERVICE
        && time("nbf").is_some_and(|begins| begins <= now)
        && time("exp").is_some_and(|expires| now < expires)
}

fn may_pull(claims: &Value, repository: &str) -> bool {
    let access = claims["access"].as_array().into_iter().flatten();
    let mut of_repository =
        access.filter(|access| access["type"] == "repository" && access["name"] == repository);
    of_repository.any(|access| {
        let actions = access["actions"].as_array().into_iter().flatten();
        actions.into_iter().any(|action| action == "pull")
    })
}

/// Returns the challenge, in the form of RFC 6750. `cp.icr.io` leaves the quotes out, which no RFC allows and not all clients can read; how
/// `us.icr.io` writes them is not known.
fn challenge(request: &Recorded, repository: Option<&str>, reason: Option<&str>) -> Response {
    let mut challenge = format!(
        "Bearer realm=\"{}{TOKEN_PATH}\",service=\"{SERVICE}\"",
        request.base
    );
    if let Some(name) = repository {
        challenge += &format!(",scope=\"repository:{name}:pull\"");
    }
    if let Some(reason) = reason {
        challenge += &format!(",error=\"{reason}\"");
    }
    error(401, "UNAUTHORIZED", UNAUTHORIZED).with_header("WWW-Authenticate", challenge)
}
