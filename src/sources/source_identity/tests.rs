use std::cell::Cell;
use std::cell::RefCell;

use serde_json::json;

use super::*;
use crate::http::Http;
use crate::http::Limits;
use crate::http::test_support::NO_MARKS;
use crate::http::test_support::NO_PROXIES;
use crate::http::test_support::response;
use crate::http::transport::Body;
use crate::http::transport::Request;
use crate::http::transport::Response;
use crate::http::transport::Transport;
use crate::http::transport::TransportError;
use crate::sources::tests::Machine;
use crate::time::Deadline;

/// An IAM that accepts one refresh token once, and replaces it.
struct RotatingIam<'a> {
    requests: Cell<usize>,
    accepted: RefCell<String>,
    /// Is called during each request.
    meanwhile: &'a dyn Fn(),
}

impl Transport for RotatingIam<'_> {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        self.requests.set(self.requests.get() + 1);
        let number = self.requests.get();
        (self.meanwhile)();
        let Body::Form(form) = request.body else {
            panic!("{request:?} has no form");
        };
        let is_accepted = form.iter().any(|(name, value)| {
            *name == "refresh_token" && value.expose() == self.accepted.borrow().as_str()
        });
        let (status, body) = if is_accepted {
            self.accepted.replace(format!("rotated-{number}"));
            let token = self.accepted.borrow().clone();
            (
                200,
                json!({"access_token": "a", "refresh_token": token, "expires_in": 3600}),
            )
        } else {
            (
                400,
                json!({"errorCode": "BXNIM0407E", "errorMessage": "no"}),
            )
        };
        response(status, &body.to_string())
    }
}

/// Refreshes the token `first` where IAM accepts `accepted`. Returns the result and the
/// number of requests.
fn refresh(machine: &Machine, accepted: &str, meanwhile: &dyn Fn()) -> (Result<()>, usize) {
    let transport = RotatingIam {
        requests: Cell::new(0),
        accepted: RefCell::new(accepted.into()),
        meanwhile,
    };
    let limits = Limits::default();
    let iam = Iam {
        endpoint: Endpoint::public(),
        http: Http {
            transport: &transport,
            clock: &machine.clock,
            random: &|| 0,
            limits,
            max_attempts: 1,
            deadline: Deadline::after(&machine.clock, limits.deadline),
            proxies: &NO_PROXIES,
            outage_marks: &NO_MARKS,
            avoids_outages: false,
            trust: None,
        },
    };
    let outcome = machine.look("us.icr.io", |_, context| {
        SourceIdentity::new(context, "a session", SourceKind::Other, first())
            .exchange(&iam, CredentialKind::AccessToken)
            .map(drop)
    });
    (outcome, transport.requests.get())
}

fn first() -> GrantInput {
    GrantInput::RefreshToken {
        token: Secret::new("first"),
        client: Client::cli(),
    }
}

fn rotated_refresh_token(machine: &Machine) -> Option<Secret> {
    machine.tokens().rotated_refresh_token(&key())
}

fn key() -> CacheKey {
    CacheKey::new(&Endpoint::public(), &first().id())
}

fn cache(machine: &Machine, token: &str) {
    let tokens = machine.tokens();
    tokens.insert_rotated_refresh_token(&key(), &Secret::new(token), REFRESH_TOKEN_LIFETIME);
}

#[test]
fn a_rotated_refresh_token_is_used_from_then_on() {
    let machine = Machine::new();
    let nothing: &dyn Fn() = &|| {};
    assert_eq!(refresh(&machine, "first", nothing), (Ok(()), 1));
    assert_eq!(
        rotated_refresh_token(&machine),
        Some(Secret::new("rotated-1"))
    );
    assert_eq!(refresh(&machine, "rotated-1", nothing), (Ok(()), 1));
    cache(&machine, "over");
    assert_eq!(
        refresh(&machine, "first", nothing),
        (Ok(()), 2),
        "the session's own token is tried if the cached one is rejected"
    );
    assert_eq!(
        rotated_refresh_token(&machine),
        Some(Secret::new("rotated-2"))
    );
}

#[test]
fn a_refresh_token_that_another_process_rotated_is_used() {
    let machine = Machine::new();
    let other = || cache(&machine, "of-another");
    assert_eq!(refresh(&machine, "of-another", &other), (Ok(()), 2));
    assert_eq!(
        rotated_refresh_token(&machine),
        Some(Secret::new("rotated-2"))
    );
}

#[test]
fn an_expired_session_costs_no_needless_requests() {
    let machine = Machine::new();
    let (outcome, requests) = refresh(&machine, "none", &|| {});
    assert!(
        matches!(&outcome, Err(error) if error.needs_user_action()),
        "{outcome:?}"
    );
    assert_eq!(requests, 1);
    cache(&machine, "over");
    let (outcome, requests) = refresh(&machine, "none", &|| {});
    assert!(outcome.is_err());
    assert_eq!(requests, 2);
}
