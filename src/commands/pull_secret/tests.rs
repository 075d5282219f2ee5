//! The rounds of `--watch` over hours, with a clock that does not wait.

use std::cell::Cell;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use super::keeper::Keeper;
use super::keeper::Plan;
use super::target::Target;
use super::watch;
use crate::context::Context;
use crate::context::Stdio;
use crate::credentials::Broker;
use crate::credentials::test_support::FakeIam;
use crate::credentials::test_support::START;
use crate::environment::Environment;
use crate::http::test_support::response;
use crate::http::transport::Body;
use crate::http::transport::Method;
use crate::http::transport::Request;
use crate::http::transport::Response;
use crate::http::transport::Transport;
use crate::http::transport::TransportError;
use crate::keychain::Keychains;
use crate::keychain::memory::MemoryKeychain;
use crate::lock::LockDirectory;
use crate::registry::Registry;
use crate::settings::Settings;
use crate::terminal::fake::FakeTerminal;
use crate::time::Clock as _;
use crate::time::fake::FakeClock;

const KUBECONFIG: &str = "\
current-context: c
contexts: [{name: c, context: {cluster: c}}]
clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]
";

/// IAM, and an API server with one secret.
#[derive(Default)]
struct World {
    iam: FakeIam,
    is_away: Cell<bool>,
    secret: RefCell<Option<Value>>,
    writes: Cell<u32>,
}

impl World {
    /// Stores the metadata of an applied secret.
    fn apply(&self, document: &str) -> Value {
        let mut applied: Value = serde_json::from_str(document).unwrap();
        let mut annotations = json!({});
        for (key, _) in applied["metadata"]["annotations"].as_object().unwrap() {
            annotations[format!("f:{key}")] = json!({});
        }
        self.writes.set(self.writes.get() + 1);
        applied["metadata"]["managedFields"] = json!([{
            "manager": super::MANAGER,
            "operation": "Apply",
            "fieldsV1": {
                "f:data": {"f:.dockerconfigjson": {}},
                "f:metadata": {"f:annotations": annotations},
            },
        }]);
        json!({"metadata": applied["metadata"]})
    }
}

impl Transport for World {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        if let Body::Form(_) = &request.body {
            return self.iam.send(request);
        }
        if self.is_away.get() {
            return Err(TransportError::Unreachable("connection refused".into()));
        }
        match (request.method, &request.body) {
            (Method::Patch, Body::Patch { document, .. }) => {
                let stored = self.apply(document.expose());
                *self.secret.borrow_mut() = Some(stored.clone());
                response(200, &stored.to_string())
            }
            _ => match &*self.secret.borrow() {
                Some(secret) => response(200, &secret.to_string()),
                None => response(404, "{}"),
            },
        }
    }
}

/// Watches until `goes_on` returns false; it is called before each round. Returns what was written
/// to stdout and stderr.
fn watch(world: &World, clock: &FakeClock, goes_on: impl FnMut() -> bool) -> (String, String) {
    let directory = tempfile::tempdir().unwrap();
    let kubeconfig = directory.path().join("config");
    std::fs::write(&kubeconfig, KUBECONFIG).unwrap();
    let kubeconfig = kubeconfig.display().to_string();
    let environment: Environment = [("KUBECONFIG", &*kubeconfig), ("IBMCLOUD_API_KEY", "key-1")]
        .into_iter()
        .collect();
    let mut settings = Settings::load(&environment, None, None).unwrap();
    settings.background_refresh = false;
    let terminal = FakeTerminal::default();
    let locks = LockDirectory::at(Some(directory.path().to_owned()));
    let context = Context::fake(clock, &environment, locks, &terminal, world);
    let keychain = || Box::new(Rc::new(MemoryKeychain::default()));
    let keychains = Keychains {
        logins: keychain(),
        tokens: keychain(),
        cache_is_local: true,
    };
    let broker = Broker {
        context: &context,
        settings: &settings,
        keychains: &keychains,
        environment: &environment,
        failure_caching: crate::token_cache::FAILURE_CACHING,
    };
    let target = Target {
        namespaces: vec!["build".into()],
        all_namespaces: false,
        selector: None,
        name: "icr-pull-secret".into(),
        context: None,
        dry_run: false,
    };
    let plan = Plan {
        target: &target,
        registries: vec![Registry::parse("us.icr.io").unwrap()],
        service_accounts: std::collections::BTreeSet::new(),
        writes_all: false,
    };
    let options = watch::Options {
        interval: Duration::from_secs(60),
        ready_file: None,
    };
    let (mut output, mut error) = (Vec::new(), Vec::new());
    let mut stdio = Stdio {
        input: &mut std::io::empty(),
        output: &mut output,
        error: &mut error,
        output_is_terminal: false,
        output_is_readable_by_others: &|| false,
    };
    let mut keeper = Keeper::new(plan, &broker);
    watch::run(&mut keeper, &broker, &options, &mut stdio, goes_on).unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output), text(error))
}

#[test]
fn a_secret_is_renewed_each_half_hour_and_looked_at_each_minute() {
    let (world, clock) = (World::default(), FakeClock::at(START));
    let mut rounds = 0;
    let (output, error) = watch(&world, &clock, || {
        rounds += 1;
        clock.now() < START + 6 * 60 * 60
    });
    assert_eq!(error, "");
    assert_eq!(world.writes.get(), 12);
    assert_eq!(world.iam.requests.borrow().len(), 12);
    assert_eq!(output.lines().count(), 12, "one line for each renewal");
    assert!((360..=400).contains(&rounds), "{rounds}");
}

#[test]
fn an_api_server_that_is_away_for_an_hour_is_asked_less_often_and_then_used_again() {
    let (world, clock) = (World::default(), FakeClock::at(START));
    let mut rounds = 0;
    let (output, error) = watch(&world, &clock, || {
        let passed = clock.now() - START;
        world.is_away.set((600..4200).contains(&passed));
        if world.is_away.get() {
            rounds += 1;
        }
        passed < 6000
    });
    assert!((10..=25).contains(&rounds), "{rounds}");
    assert_eq!(error.lines().count(), rounds, "{error}");
    assert!(error.contains(" failed error=\"cannot read the secret build/icr-pull-secret: the API server at http://127.0.0.1:1 is unreachable"), "{error}");
    // The token of the first renewal has expired meanwhile.
    let times: Vec<&str> = output.lines().map(|line| &line[11..16]).collect();
    assert_eq!(times.len(), 2, "{output}");
    assert_eq!(world.iam.requests.borrow().len(), 2);
}

#[test]
fn an_outage_of_iam_leaves_the_secret_until_there_is_a_new_token() {
    let (world, clock) = (World::default(), FakeClock::at(START));
    let (_, error) = watch(&world, &clock, || {
        let passed = clock.now() - START;
        let status = (1000..5400).contains(&passed).then_some(503);
        *world.iam.status.borrow_mut() = status;
        passed < 6000
    });
    assert!(error.contains("IAM"), "{error}");
    let secret = world.secret.borrow().clone().unwrap();
    let expiry = &secret["metadata"]["annotations"]["docker-credential-icr/expires-at"];
    let expiry = super::managed::parse_timestamp(expiry.as_str().unwrap()).unwrap();
    assert!(expiry > START + 5400 + 3000, "{secret}");
}

#[test]
fn a_secret_of_a_program_with_a_wrong_clock_is_written_again() {
    let (world, clock) = (World::default(), FakeClock::at(START));
    watch(&world, &clock, || clock.now() < START + 1);
    let mut secret = world.secret.borrow().clone().unwrap();
    let annotations = &mut secret["metadata"]["annotations"];
    annotations["docker-credential-icr/renew-at"] = "2999-01-01T00:00:00Z".into();
    *world.secret.borrow_mut() = Some(secret);
    watch(&world, &clock, || {
        world.writes.get() < 2 && clock.now() < START + 600
    });
    assert_eq!(world.writes.get(), 2);
}
