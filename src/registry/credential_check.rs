//! The check whether a registry accepts a credential, by the first request that each
//! client sends.
//!
//! Address and answers: Registry documentation (`registry_access.md`,
//! `ts_auth_req.md`, `registry_iam_ip.md`, `ts_private.md`) and what clients
//! reported (`containers/buildah` 3962). The words of a rejection are not
//! documented; only `REASONS` depends on them.

use std::time::Duration;

use serde_json::Value;

use crate::credential::Credential;
use crate::error::Error;
use crate::error::Result;
use crate::error::one_line;
use crate::http::INVALID_RESPONSE_HINT;
use crate::http::Limits;
use crate::http::proxy::Proxies;
use crate::http::transport::Authorization;
use crate::http::transport::Body;
use crate::http::transport::Method;
use crate::http::transport::ProxyPolicy;
use crate::http::transport::Request;
use crate::http::transport::Transport;
use crate::http::transport::TransportError;
use crate::registry::Registry;

/// The path of a registry's own tokens, which its challenge names.
const TOKEN_PATH: &str = "/oauth/token?service=registry";

/// The length limit of a message that is repeated, in characters.
const MAX_MESSAGE: usize = 300;

/// What a rejection means.
struct Reason {
    /// Parts of its message, in lower case.
    signs: &'static [&'static str],
    /// What it is, in parentheses after the message.
    cause: &'static str,
    hint: &'static str,
}

/// What to do about a context-based restriction, which IAM and registries report.
pub const ALLOWED_NETWORK_HINT: &str = "Use a network that the account's context-based restrictions allow, or have an administrator change the rule (https://cloud.ibm.com/context-based-restrictions)";

/// The reasons for rejections (Registry documentation, `ts_access_denied.md` and the pages that it
/// names). The first match counts.
const REASONS: [Reason; 7] = [
    Reason {
        signs: &["private-only", "private only", "private network"],
        cause: "private-only access",
        hint: "The account allows access only from IBM Cloud's private network: use a private host (such as private.us.icr.io) in that network, or have an administrator turn private-only access off",
    },
    Reason {
        signs: &["context-based", "context based", "network zone"],
        cause: "a context-based restriction",
        hint: ALLOWED_NETWORK_HINT,
    },
    Reason {
        signs: &["ip address", "allowlist", "allow list", "whitelist"],
        cause: "the allowlist of IP addresses",
        hint: "The account allows only certain IP addresses: connect from one of them (with a VPN, for example), or have an administrator add yours to the allowed IP addresses",
    },
    Reason {
        signs: &["quota"],
        cause: "a quota",
        hint: "Have an administrator raise the quota ('ibmcloud cr quota'), or wait for the next month",
    },
    Reason {
        signs: &["insufficient scope", "insufficient_scope"],
        cause: "insufficient scope: a missing role, or a context-based restriction",
        hint: "Have an administrator give this identity the role Reader (to pull) or Writer (to push) for the namespace, and check the context-based restrictions of the account",
    },
    Reason {
        signs: &["iam polic", "access polic", "not authorized", "permission"],
        cause: "a missing role, or a context-based restriction",
        hint: "Have an administrator give this identity the role Reader (to pull) or Writer (to push) for Container Registry, and check the context-based restrictions of the account",
    },
    Reason {
        signs: &["not active", "not valid", "authorization required"],
        cause: "the credential, or the wrong region",
        hint: "Log in again, and check that the account is active and the identity is a member of it. Namespaces belong to one region: check that the image is in this registry's",
    },
];

/// Checks that a registry accepts a credential. Pulls nothing.
///
/// # Errors
/// The registry's message with a hint, or why there is no response.
pub fn check_credential(
    registry: &Registry,
    credential: &Credential,
    transport: &dyn Transport,
    limits: Limits,
    proxies: &Proxies,
) -> Result<()> {
    let _span = tracing::debug_span!("registry", %registry).entered();
    let timeout: Duration = limits.attempt;
    let url = format!("https://{}{TOKEN_PATH}", registry.host());
    let request = Request {
        method: Method::Get,
        route: proxies.route(&url, ProxyPolicy::Proxied),
        trust: None,
        url,
        headers: Vec::new(),
        authorization: Authorization::Basic {
            username: credential.username.clone(),
            password: credential.secret.clone(),
        },
        body: Body::Empty,
        connect_timeout: limits.connect.min(timeout),
        timeout,
    };
    let response = transport
        .send(request)
        .map_err(|error| unreachable(registry, error))?;
    tracing::debug!(status = response.status, "answered");
    match response.status {
        200 => check_token(registry, &response.body),
        429 => Err(
            Error::temporary(format!("{registry} got too many requests (HTTP 429)"))
                .with_hint("Try again in a minute"),
        ),
        511 => Err(Error::temporary(format!(
            "a login page of this network answered instead of {registry} (HTTP 511)"
        ))
        .with_hint(INVALID_RESPONSE_HINT)),
        status @ 500..=599 => Err(Error::temporary(format!(
            "{registry} is unavailable (HTTP {status})"
        ))
        .with_hint("Try again later")),
        status => Err(rejection(registry, status, &response.body, credential)),
    }
}

fn unreachable(registry: &Registry, error: TransportError) -> Error {
    let reason = match error {
        TransportError::Local(reason) => {
            return Error::temporary(format!("cannot send a request to {registry}: {reason}"));
        }
        TransportError::Network(reason) | TransportError::Unreachable(reason) => reason,
        TransportError::Proxy(refusal) => {
            return Error::user(refusal.to_string()).with_hint(refusal.hint());
        }
        TransportError::NoAnswer { .. } => "no answer in time".to_owned(),
        TransportError::TooLarge(reason) | TransportError::Untrusted(reason) => {
            return Error::user(format!("cannot trust the response of {registry}: {reason}"));
        }
        TransportError::UntrustedServer { reason, hint } => {
            return Error::user(format!("cannot trust {registry}: {reason}")).with_hint(hint);
        }
    };
    Error::temporary(format!("{registry} is unreachable: {reason}"))
        .with_hint("Check the network and the proxy settings, and try again")
}

/// Checks that a response contains a token.
fn check_token(registry: &Registry, body: &[u8]) -> Result<()> {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let has_token = ["token", "access_token"]
        .iter()
        .any(|name| answer[name].as_str().is_some_and(|token| !token.is_empty()));
    if has_token {
        Ok(())
    } else {
        Err(
            Error::temporary(format!("the response of {registry} is not a token"))
                .with_hint(INVALID_RESPONSE_HINT),
        )
    }
}

fn rejection(registry: &Registry, status: u16, body: &[u8], credential: &Credential) -> Error {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = &answer["errors"][0];
    let words = [&error["message"], &error["detail"], &answer["message"]]
        .into_iter()
        .find_map(|value| value.as_str().filter(|text| !text.is_empty()));
    let Some(words) = words else {
        return Error::temporary(format!(
            "the response of {registry} is HTTP {status} without a reason"
        ))
        .with_hint(INVALID_RESPONSE_HINT);
    };
    let words = if credential.secret.is_empty() {
        words.to_owned()
    } else {
        words.replace(credential.secret.expose(), "[redacted]")
    };
    let words = one_line(&words, MAX_MESSAGE);
    let small = words.to_lowercase();
    let known = REASONS
        .iter()
        .find(|reason| reason.signs.iter().any(|sign| small.contains(sign)));
    let hint = known.map_or(
        "See https://cloud.ibm.com/docs/Registry?topic=Registry-troubleshoot-auth-req",
        |reason| reason.hint,
    );
    let cause = known.map(|reason| format!(" (reason: {})", reason.cause));
    let cause = cause.unwrap_or_default();
    let words = words.trim_end_matches('.');
    let username = &credential.username;
    Error::user(format!(
        "{registry} rejected the user name '{username}' (HTTP {status}): {words}{cause}"
    ))
    .with_hint(hint)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use serde_json::json;

    use super::*;
    use crate::http::test_support::response;
    use crate::http::transport::Response;
    use crate::secret::Secret;

    struct Answering(Result<(u16, String), TransportError>, RefCell<Vec<Request>>);

    impl Transport for Answering {
        fn send(&self, request: Request) -> Result<Response, TransportError> {
            self.1.borrow_mut().push(request);
            let (status, body) = self.0.clone()?;
            response(status, &body)
        }
    }

    fn ask(answer: Result<(u16, String), TransportError>) -> (Result<()>, Request) {
        let transport = Answering(answer, RefCell::default());
        let registry = Registry::parse("us.icr.io").unwrap();
        let credential = Credential::bearer(Secret::new("the-token"));
        let outcome = check_credential(
            &registry,
            &credential,
            &transport,
            Limits::default(),
            &Proxies::NONE,
        );
        (outcome, transport.1.take().remove(0))
    }

    fn rejected(status: u16, message: &str) -> String {
        let body = json!({"errors": [{"code": "UNAUTHORIZED", "message": message}]});
        ask(Ok((status, body.to_string())))
            .0
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn the_request_is_the_one_that_clients_send() {
        let (outcome, request) = ask(Ok((200, r#"{"token":"t"}"#.into())));
        assert_eq!(outcome, Ok(()));
        assert_eq!(request.method, Method::Get);
        assert_eq!(
            request.url,
            "https://us.icr.io/oauth/token?service=registry"
        );
        let authorization = Authorization::Basic {
            username: "iambearer".into(),
            password: Secret::new("the-token"),
        };
        assert_eq!(request.authorization, authorization);
    }

    #[test]
    fn a_rejection_has_the_message_and_a_hint() {
        for (status, message, meaning) in [
            (
                401,
                "The login credentials are not valid, or your IBM Cloud account is not active.",
                "Log in again",
            ),
            (
                401,
                "You are not authorized to access the resource. Check that your IAM policies are correct.",
                "the role Reader",
            ),
            (
                403,
                "Private-only access is enabled on this account, but this request was over the public network. You must access this account over the private network",
                "(reason: private-only access)",
            ),
            (
                403,
                "You must access this account over the private network.",
                "private.us.icr.io",
            ),
            (
                403,
                "Access is denied by a context-based restriction rule.",
                "(reason: a context-based restriction)",
            ),
            (
                403,
                "Your account has exceeded its pull traffic quota for the current month.",
                "(reason: a quota)",
            ),
            (
                401,
                "Insufficient scope",
                "(reason: insufficient scope: a missing role",
            ),
            (
                403,
                "You are not authorized to access the specified resource.",
                "(reason: a missing role, or",
            ),
            (
                401,
                "Authorization required. See https://cloud.ibm.com/docs/Registry?topic=Registry-troubleshoot-auth-req",
                "the wrong region",
            ),
            (
                401,
                "The request comes from an IP address that is not allowed.",
                "(reason: the allowlist of IP addresses)",
            ),
            (418, "I am a teapot", "troubleshoot-auth-req"),
        ] {
            let text = rejected(status, message);
            assert!(text.contains(message.trim_end_matches('.')), "{text}");
            assert!(text.contains(&format!("HTTP {status}")), "{text}");
            assert!(text.contains(meaning), "{text}");
        }
        let text = rejected(401, "no\u{1b}[2J the-token");
        assert!(
            !text.contains('\u{1b}') && !text.contains("the-token"),
            "{text}"
        );
    }

    #[test]
    fn a_response_of_another_server_is_reported() {
        for (answer, words) in [
            (Ok((200, "<html>".into())), "not a token"),
            (Ok((401, "<html>".into())), "without a reason"),
            (Ok((503, String::new())), "Try again"),
            (Ok((302, String::new())), "without a reason"),
            (
                Err(TransportError::Unreachable("refused".into())),
                "proxy settings",
            ),
            (
                Err(TransportError::Untrusted("a forged name".into())),
                "a forged name",
            ),
        ] {
            let failure = ask(answer).0.unwrap_err().to_string();
            assert!(failure.contains(words), "{failure}");
        }
    }
}
