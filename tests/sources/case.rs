//! One directory of `tests/cases/sources`; the README there describes the format.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use icr_emulator::Recorded;
use serde::Deserialize;

use super::setup::Setup;
use super::setup::parse;
use super::support::KEYCHAINS;
use super::support::TestEnv;

/// The longest time that a `get` may take.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// The content of `expect.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    /// A directory below `base` whose files this case starts from.
    base: Option<String>,
    /// What `get` answers for each address.
    get: BTreeMap<String, Answer>,
    /// Values of `ICR_KEYCHAIN`, each for a separate run.
    #[serde(default = "no_keychain")]
    keychains: Vec<String>,
    /// All requests of these `get`s to the main cloud, in order.
    requests: Option<Vec<Request>>,
    /// Additional texts that may be shown only as the secret of an answer.
    #[serde(default)]
    secrets: Vec<String>,
}

/// The answer of `get`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Answer {
    Credential {
        user: String,
        secret: Option<String>,
    },
    /// A failure whose message contains these texts.
    Error(Vec<String>),
    NotFound,
    /// An access token of this IAM ID.
    TokenOf(String),
}

/// A request to IAM or to the metadata service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    path: String,
    /// Some fields of the form; `null` for one that must be absent.
    #[serde(default)]
    fields: BTreeMap<String, Option<String>>,
    /// The same for headers.
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
}

/// Runs the case of this name.
pub(crate) fn check(name: &str) {
    let own = directory().join(name);
    let expect: Expect = parse(&own.join("expect.json"));
    let base = expect.base.as_ref();
    let base = base.map(|name| directory().join("base").join(name));
    let directories: Vec<PathBuf> = base.into_iter().chain([own]).collect();
    let is_of_this_system = |choice: &&String| *choice == "none" || KEYCHAINS.contains(&&***choice);
    for keychain in expect.keychains.iter().filter(is_of_this_system) {
        let env = match &**keychain {
            "none" => Some(TestEnv::new()),
            other => TestEnv::with_keychain_named(other),
        };
        if let Some(env) = env {
            for secret in &expect.secrets {
                env.add_secret(secret);
            }
            let setup = Setup::new(env, directories.clone());
            expect.check(&setup, keychain != "none");
        }
    }
}

/// The directory of all cases.
pub(crate) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/sources")
}

fn no_keychain() -> Vec<String> {
    vec!["none".to_owned()]
}

impl Expect {
    fn check(&self, setup: &Setup, is_cached: bool) {
        let before = setup.env.cloud.requests().len();
        let rounds = if is_cached { 2 } else { 1 };
        for _ in 0..rounds {
            for (address, answer) in &self.get {
                answer.check(address, setup);
            }
        }
        if let Some(expected) = &self.requests {
            let requests = setup.env.cloud.requests().split_off(before);
            let paths: Vec<&str> = requests.iter().map(|it| &*it.path).collect();
            let expected_paths: Vec<&str> = expected.iter().map(|it| &*it.path).collect();
            assert_eq!(paths, expected_paths);
            for (expected, request) in expected.iter().zip(&requests) {
                expected.check(request, setup);
            }
        }
    }
}

impl Answer {
    fn check(&self, address: &str, setup: &Setup) {
        let outcome = setup.env.get(address);
        match self {
            Self::Credential { user, secret } => {
                let answer = outcome.is_credential(user);
                if let Some(secret) = secret {
                    assert_eq!(answer, setup.fill(secret), "{outcome:?}");
                }
            }
            Self::Error(parts) => {
                let parts: Vec<String> = parts.iter().map(|part| setup.fill(part)).collect();
                let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
                outcome.is_client_error(&parts);
            }
            Self::NotFound => outcome.is_not_found(),
            Self::TokenOf(iam_id) => assert_eq!(&outcome.is_token_of(), iam_id, "{outcome:?}"),
        }
        assert!(outcome.took < TIME_LIMIT, "{outcome:?}");
    }
}

impl Request {
    fn check(&self, request: &Recorded, setup: &Setup) {
        for (name, value) in &self.fields {
            let value = value.as_ref().map(|value| setup.fill(value));
            assert_eq!(request.field(name), value.as_deref(), "{name}");
        }
        for (name, value) in &self.headers {
            assert_eq!(request.header(name), value.as_deref(), "{name}");
        }
    }
}
