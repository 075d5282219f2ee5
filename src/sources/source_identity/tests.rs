use std::cell::Cell;
use std::cell::RefCell;

use serde_json::json;

use super::*;
use crate::http::Http;
use crate::http::Limits;
use crate::http::test_support::response;
use crate::http::transport::Body;
use crate::http::transport::Request;
use crate::http::transport::Response;
use crate::http::transport::Transport;
use crate::http::transport::TransportError;
use crate::sources::tests::Machine;
use crate::time::Deadline;

/// IAM that takes one refresh token, once, and replaces it.
struct Rotating<'a> {
    asked: Cell<usize>,
    good: RefCell<String>,
    meanwhile: &'a dyn Fn(),
}

impl Transport for Rotating<'_> {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        self.asked.set(self.asked.get() + 1);
        let number = self.asked.get();
        (self.meanwhile)();
        let Body::Form(form) = request.body else {
            panic!("{request:?} has no form");
        };
        let is_good = form.iter().any(|(name, value)| {
            *name == "refresh_token" && value.expose() == self.good.borrow().as_str()
        });
        let (status, body) = if is_good {
            self.good.replace(format!("rotated-{number}"));
            let token = self.good.borrow().clone();
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

/// What a refresh of `first` comes to when IAM takes `good`, after how many
/// requests.
fn refresh(machine: &Machine, good: &str, meanwhile: &dyn Fn()) -> (Result<()>, usize) {
    let transport = Rotating {
        asked: Cell::new(0),
        good: RefCell::new(good.into()),
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
        },
    };
    let outcome = machine.look("us.icr.io", |_, context| {
        SourceIdentity::new(context, "a session", SourceKind::Other, first())
            .exchange(&iam, CredentialKind::AccessToken)
            .map(drop)
    });
    (outcome, transport.asked.get())
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

fn keep(machine: &Machine, token: &str) {
    let tokens = machine.tokens();
    tokens.insert_rotated_refresh_token(&key(), &Secret::new(token), REFRESH_TOKEN_LIFE);
}

#[test]
fn what_replaced_a_refresh_token_is_used_from_then_on() {
    let machine = Machine::new();
    let nothing: &dyn Fn() = &|| {};
    assert_eq!(refresh(&machine, "first", nothing), (Ok(()), 1));
    assert_eq!(
        rotated_refresh_token(&machine),
        Some(Secret::new("rotated-1"))
    );
    assert_eq!(refresh(&machine, "rotated-1", nothing), (Ok(()), 1));
    keep(&machine, "over");
    assert_eq!(
        refresh(&machine, "first", nothing),
        (Ok(()), 2),
        "the session's own may live on"
    );
    assert_eq!(
        rotated_refresh_token(&machine),
        Some(Secret::new("rotated-2"))
    );
}

#[test]
fn who_was_overtaken_goes_on_with_what_the_other_got() {
    let machine = Machine::new();
    let other = || keep(&machine, "of-another");
    assert_eq!(refresh(&machine, "of-another", &other), (Ok(()), 2));
    assert_eq!(
        rotated_refresh_token(&machine),
        Some(Secret::new("rotated-2"))
    );
}

#[test]
fn a_session_that_is_over_is_asked_for_no_more_than_needed() {
    let machine = Machine::new();
    let (outcome, asked) = refresh(&machine, "none", &|| {});
    assert!(
        matches!(&outcome, Err(error) if error.is_user()),
        "{outcome:?}"
    );
    assert_eq!(asked, 1);
    keep(&machine, "over");
    let (outcome, asked) = refresh(&machine, "none", &|| {});
    assert!(outcome.is_err());
    assert_eq!(asked, 2);
}
