//! A machine for tests, with a fake IAM that numbers its tokens.

use std::cell::Cell;
use std::cell::RefCell;
use std::rc::Rc;

use serde_json::json;

use super::Broker;
use crate::context::Context;
use crate::credential::Credential;
use crate::environment::Environment;
use crate::error::Result;
use crate::fs::tests::write_own;
use crate::http::test_support::response;
use crate::http::transport::Body;
use crate::http::transport::Request;
use crate::http::transport::Response;
use crate::http::transport::Transport;
use crate::http::transport::TransportError;
use crate::keychain::Keychains;
use crate::keychain::memory::MemoryKeychain;
use crate::lock::LockDirectory;
use crate::login::Login;
use crate::login::LoginScope;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::settings::CredentialKind;
use crate::settings::Settings;
use crate::terminal::fake::FakeTerminal;
use crate::time::fake::FakeClock;

/// The time at which the tests start, in seconds since 1970.
pub(crate) const START: u64 = 1_800_000_000;

/// An IAM that numbers its tokens by request. It rejects one secret, or answers all requests
/// with one status, if the test says so.
#[derive(Default)]
pub(crate) struct FakeIam {
    pub(crate) requests: RefCell<Vec<Request>>,
    pub(crate) on_request: RefCell<Option<Box<dyn Fn()>>>,
    pub(crate) rejected_secret: RefCell<Option<Secret>>,
    pub(crate) status: RefCell<Option<u16>>,
}

impl Transport for FakeIam {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        let Body::Form(form) = &request.body else {
            panic!("not a request for a token");
        };
        let rejected = self.rejected_secret.borrow().clone();
        let is_rejected = form
            .iter()
            .any(|(_, value)| Some(value) == rejected.as_ref());
        self.requests.borrow_mut().push(request);
        if let Some(on_request) = &*self.on_request.borrow() {
            on_request();
        }
        let number = self.requests.borrow().len();
        let status = if is_rejected {
            400
        } else {
            self.status.borrow().unwrap_or(200)
        };
        let body = match status {
            200 => json!({
                "access_token": format!("access-{number}"),
                "refresh_token": format!("refresh-{number}"),
                "expires_in": 3600
            }),
            _ => json!({"errorCode": "BXNIM0415E", "errorMessage": "no"}),
        };
        response(status, &body.to_string())
    }
}

/// A counter of background refreshes. None starts until the test makes it possible.
#[derive(Default)]
pub(crate) struct FakeBackgroundRefresh {
    pub(crate) is_possible: Cell<bool>,
    pub(crate) started: Cell<usize>,
}

impl FakeBackgroundRefresh {
    fn start(&self) -> bool {
        if self.is_possible.get() {
            self.started.set(self.started.get() + 1);
        }
        self.is_possible.get()
    }
}

/// A machine with its own environment, clock, locks and IAM, a keychain for cached tokens, and
/// a durable one for logins.
pub(crate) struct TestMachine {
    pub(crate) clock: Rc<FakeClock>,
    pub(crate) environment: Environment,
    pub(crate) durable: Rc<MemoryKeychain>,
    pub(crate) iam: FakeIam,
    pub(crate) keychains: Keychains,
    pub(crate) locks: LockDirectory,
    pub(crate) background_refresh: FakeBackgroundRefresh,
    directory: tempfile::TempDir,
}

impl TestMachine {
    pub(crate) fn new() -> Self {
        Self::with_environment(&[])
    }

    pub(crate) fn with_environment(variables: &[(&str, &str)]) -> Self {
        let durable = Rc::new(MemoryKeychain::default());
        let directory = tempfile::tempdir().unwrap();
        Self {
            clock: Rc::new(FakeClock::at(START)),
            environment: variables.iter().copied().collect(),
            iam: FakeIam::default(),
            keychains: Keychains {
                logins: Box::new(Rc::clone(&durable)),
                tokens: Box::new(Rc::new(MemoryKeychain::default())),
                cache_is_local: true,
            },
            durable,
            locks: LockDirectory::at(Some(directory.path().to_owned())),
            background_refresh: FakeBackgroundRefresh::default(),
            directory,
        }
    }

    pub(crate) fn with_login(username: &str, secret: &str) -> Self {
        let machine = Self::new();
        machine.store("us.icr.io", username, secret).unwrap();
        machine
    }

    pub(crate) fn with_broker<T>(&self, run: impl FnOnce(&Broker<'_>) -> T) -> T {
        let settings = Settings::load(&self.environment, None, None).unwrap();
        let start = |_: &Registry| self.background_refresh.start();
        let terminal = FakeTerminal::default();
        let context = Context {
            start_background_refresh: &start,
            ..Context::fake(
                &*self.clock,
                &self.environment,
                self.locks.clone(),
                &terminal,
                &self.iam,
            )
        };
        run(&Broker {
            context: &context,
            settings: &settings,
            keychains: &self.keychains,
            environment: &self.environment,
            failure_caching: crate::token_cache::FAILURE_CACHING,
        })
    }

    pub(crate) fn store(&self, host: &str, username: &str, secret: &str) -> Result<()> {
        let credential = Credential {
            username: username.into(),
            secret: Secret::new(secret),
        };
        self.with_broker(|broker| {
            let logins = broker.login_snapshot();
            let outcome = broker.store(&registry(host), credential, &logins);
            outcome.map(drop)
        })
    }

    /// Returns the variables, with one that names a new settings file.
    pub(crate) fn with_settings(&self, text: &str, variables: &[(&str, &str)]) -> Environment {
        let file = self.directory.path().join("settings/config.toml");
        write_own(&file, text);
        let file = file.display().to_string();
        let variables = variables.iter().copied();
        variables.chain([("ICR_CONFIG", &*file)]).collect()
    }

    pub(crate) fn log_in(&self, scope: &LoginScope, key: &str) -> Result<()> {
        let login = Login::new(CredentialKind::ApiKey.with(Secret::new(key)));
        self.with_broker(|broker| broker.log_in(scope, login))
    }

    /// Returns the credential of a `get` as `username:secret`.
    pub(crate) fn get(&self, host: &str) -> Result<String> {
        let credential =
            self.with_broker(|broker| broker.get_and_delete_expired(&registry(host)))?;
        Ok(format!(
            "{}:{}",
            credential.username,
            credential.secret.expose()
        ))
    }

    #[track_caller]
    pub(crate) fn assert_get(&self, host: &str, credential: &str) {
        assert_eq!(self.get(host).as_deref(), Ok(credential));
    }

    pub(crate) fn request_count(&self) -> usize {
        self.iam.requests.borrow().len()
    }

    pub(crate) fn fail_iam_with(&self, status: u16) {
        *self.iam.status.borrow_mut() = Some(status);
    }
}

pub(crate) fn form_fields(request: &Request) -> Vec<(&str, &str)> {
    let Body::Form(fields) = &request.body else {
        panic!("{request:?} has no form");
    };
    fields
        .iter()
        .map(|(name, value)| (*name, value.expose()))
        .collect()
}

pub(crate) fn registry(host: &str) -> Registry {
    Registry::parse(host).unwrap()
}
