//! What a registry itself says to a credential: the question that every client puts
//! to it first.
//!
//! Address and answers: Registry documentation (`registry_access.md`,
//! `ts_auth_req.md`, `registry_iam_ip.md`, `ts_private.md`) and what clients
//! reported (`containers/buildah` 3962). The exact words of a refusal are not
//! documented; they are looked for in `REASONS` alone.

use std::time::Duration;

use serde_json::Value;

use crate::credential::Credential;
use crate::error::Error;
use crate::error::Result;
use crate::error::one_line;
use crate::http::Limits;
use crate::http::transport::Authorization;
use crate::http::transport::Body;
use crate::http::transport::Method;
use crate::http::transport::ProxyPolicy;
use crate::http::transport::Request;
use crate::http::transport::Transport;
use crate::http::transport::TransportError;
use crate::registry::Registry;

/// Where a registry gives out its own tokens, as its challenge says.
const TOKEN_PATH: &str = "/oauth/token?service=registry";

/// The longest message of a registry that is passed on, in characters.
const MAX_MESSAGE: usize = 300;

/// What is in a refusal's words, in small letters, and what that means for whoever
/// reads it. The first that fits counts.
const REASONS: [(&[&str], &str); 4] = [
    (
        &["private-only", "private only", "private network"],
        "the account allows its registry on IBM Cloud's private network alone: use the private host (private.us.icr.io, say) from inside it, or have an administrator turn private-only access off",
    ),
    (
        &[
            "ip address",
            "allowlist",
            "allow list",
            "whitelist",
            "context-based",
        ],
        "the account takes requests from certain addresses alone: connect from one of those (a VPN, perhaps), or have an administrator add yours to the allowed IP addresses",
    ),
    (
        &["iam polic", "access polic", "not authorized", "permission"],
        "IAM policies do not let this identity in: have an administrator give it the role Reader (to pull) or Writer (to push) for Container Registry",
    ),
    (
        &["not active", "not valid", "authorization required"],
        "it does not take this credential: log in again, and see that the account is active and the identity a member of it",
    ),
];

/// Asks a registry whether it takes a credential. Nothing is pulled.
///
/// # Errors
/// What the registry said, with what to do; or that it could not be asked.
pub fn check_credential(
    registry: &Registry,
    credential: &Credential,
    transport: &dyn Transport,
    limits: Limits,
) -> Result<()> {
    let _span = tracing::debug_span!("registry", %registry).entered();
    let timeout: Duration = limits.attempt;
    let request = Request {
        method: Method::Get,
        url: format!("https://{}{TOKEN_PATH}", registry.host()),
        headers: Vec::new(),
        authorization: Authorization::Basic {
            username: credential.username.clone(),
            password: credential.secret.clone(),
        },
        body: Body::Empty,
        proxy: ProxyPolicy::Proxied,
        connect_timeout: limits.connect.min(timeout),
        timeout,
    };
    let response = transport
        .send(request)
        .map_err(|error| unreachable(registry, error))?;
    tracing::debug!(status = response.status, "answered");
    match response.status {
        200 => check_token(registry, &response.body),
        status @ (429 | 500..=599) => Err(Error::temporary(format!(
            "{registry} cannot answer now (HTTP {status}); try again in a while"
        ))),
        status => Err(refusal(registry, status, &response.body, credential)),
    }
}

fn unreachable(registry: &Registry, error: TransportError) -> Error {
    let reason = match error {
        TransportError::Local(reason) => {
            return Error::temporary(format!("{registry} cannot be asked: {reason}"));
        }
        TransportError::Network(reason) | TransportError::Unreachable(reason) => reason,
        TransportError::NoAnswer { .. } => "no answer in time".to_owned(),
        TransportError::Untrusted(reason) => {
            return Error::user(format!("{registry} cannot be trusted: {reason}"));
        }
    };
    Error::temporary(format!(
        "{registry} cannot be reached: {reason}; check the network and the proxy settings"
    ))
}

/// A yes has a token in it.
fn check_token(registry: &Registry, body: &[u8]) -> Result<()> {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let has_token = ["token", "access_token"]
        .iter()
        .any(|name| answer[name].as_str().is_some_and(|token| !token.is_empty()));
    match has_token {
        true => Ok(()),
        false => Err(Error::temporary(format!(
            "{registry} answered with something that is no token; a proxy or a login portal may stand in between"
        ))),
    }
}

fn refusal(registry: &Registry, status: u16, body: &[u8], credential: &Credential) -> Error {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = &answer["errors"][0];
    let words = [&error["message"], &error["detail"], &answer["message"]]
        .into_iter()
        .find_map(|value| value.as_str().filter(|text| !text.is_empty()));
    let Some(words) = words else {
        return Error::temporary(format!(
            "{registry} refused without a reason (HTTP {status}); a proxy may stand in between"
        ));
    };
    let words = match credential.secret.is_empty() {
        true => words.to_owned(),
        false => words.replace(credential.secret.expose(), "[redacted]"),
    };
    let words = one_line(&words, MAX_MESSAGE);
    let small = words.to_lowercase();
    let known = REASONS
        .iter()
        .find(|(signs, _)| signs.iter().any(|sign| small.contains(sign)));
    let meaning = known.map_or(
        "see https://cloud.ibm.com/docs/Registry?topic=Registry-troubleshoot-auth-req",
        |(_, meaning)| meaning,
    );
    let words = words.trim_end_matches('.');
    Error::user(format!(
        "{registry} refused `{}`: {words} (HTTP {status}); {meaning}",
        credential.username
    ))
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
        let outcome = check_credential(&registry, &credential, &transport, Limits::default());
        (outcome, transport.1.take().remove(0))
    }

    fn refused(status: u16, message: &str) -> String {
        let body = json!({"errors": [{"code": "UNAUTHORIZED", "message": message}]});
        ask(Ok((status, body.to_string())))
            .0
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn it_is_asked_as_clients_ask_it() {
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
    fn its_words_are_told_with_what_to_do() {
        for (status, message, meaning) in [
            (
                401,
                "The login credentials are not valid, or your IBM Cloud account is not active.",
                "log in again",
            ),
            (
                401,
                "You are not authorized to access the resource. Check that your IAM policies are correct.",
                "the role Reader",
            ),
            (
                403,
                "Private-only access is enabled on this account.",
                "private.us.icr.io",
            ),
            (
                401,
                "The request comes from an IP address that is not allowed.",
                "allowed IP addresses",
            ),
            (418, "I am a teapot", "troubleshoot-auth-req"),
        ] {
            let told = refused(status, message);
            assert!(told.contains(message.trim_end_matches('.')), "{told}");
            assert!(told.contains(&format!("HTTP {status}")), "{told}");
            assert!(told.contains(meaning), "{told}");
        }
        let told = refused(401, "no\u{1b}[2J the-token");
        assert!(
            !told.contains('\u{1b}') && !told.contains("the-token"),
            "{told}"
        );
    }

    #[test]
    fn what_is_no_answer_of_a_registry_is_told_as_that() {
        for (answer, words) in [
            (Ok((200, "<html>".into())), "no token"),
            (Ok((401, "<html>".into())), "without a reason"),
            (Ok((503, String::new())), "try again"),
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
