//! `--watch`, with rounds every second.

use std::fs;
use std::path::PathBuf;

use icr_emulator::ApiFault;

use super::*;
use support::Running;
use support::wait_until;

/// A watching program. It ends when it is dropped.
struct Watch {
    running: Running,
    ready: PathBuf,
}

fn watch(cluster: &Cluster, arguments: &[&str]) -> Watch {
    watch_with(cluster, "ready", arguments)
}

/// Starts the program with the name of its ready file.
fn watch_with(cluster: &Cluster, ready: &str, arguments: &[&str]) -> Watch {
    let ready = cluster.env.path(ready);
    let ready_text = ready.display().to_string();
    let options = ["--watch", "--interval", "1", "--ready-file", &ready_text];
    let running = cluster
        .env
        .start(&[&APPLY[..], arguments, &options].concat(), "");
    Watch { running, ready }
}

impl Watch {
    fn is_ready(&self) -> bool {
        self.ready.exists()
    }

    /// Ends the program, and returns its output.
    fn finish(self) -> Outcome {
        let id = nix::unistd::Pid::from_raw(self.running.id().try_into().expect("a process"));
        nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).expect("it runs");
        self.running.finish()
    }
}

#[test]
fn new_namespaces_get_the_secret_and_a_deleted_secret_is_written_again() {
    let cluster = Cluster::new();
    let watch = watch(
        &cluster,
        &["--all-namespaces", "--service-account", "default"],
    );
    wait_until("it is ready", || watch.is_ready());
    assert!(cluster.secret("build").is_some());
    cluster.api.add_namespace("new", &json!({}));
    wait_until("the new namespace has its secret", || {
        cluster.secret("new").is_some()
    });
    cluster.api.remove("build", "secrets", NAME);
    wait_until("the secret is back", || cluster.secret("build").is_some());
    cluster.api.remove_namespace("test");
    cluster.api.add_service_account("new", "default", &[]);
    wait_until("the service account has it again", || {
        cluster.pull_secrets("new", "default") == [NAME]
    });
    let ready = watch.ready.display().to_string();
    let outcome = cluster.env.run(&["pull-secret", "ready", &ready], "");
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let outcome = watch.finish();
    assert_eq!(
        (outcome.status, &*outcome.stderr),
        (Some(0), ""),
        "{outcome:?}"
    );
    assert_eq!(
        cluster.env.cloud.exchanges(),
        1,
        "the token is kept in memory"
    );
}

#[test]
fn it_is_not_ready_after_an_error_and_goes_on() {
    let cluster = Cluster::new();
    fs::write(cluster.env.path("ready"), "from an earlier process").expect("a file");
    // An error that is not tried again within the round.
    cluster.api.script("GET", [ApiFault::Status(401, None)]);
    let watch = watch(&cluster, &["--namespace", "build"]);
    wait_until("it has tried", || !cluster.api.requests().is_empty());
    assert!(!watch.is_ready());
    let ready = watch.ready.display().to_string();
    let outcome = cluster.env.run(&["pull-secret", "ready", &ready], "");
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    wait_until("it is ready", || watch.is_ready());
    let outcome = watch.finish();
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    outcome.has(
        &outcome.stderr,
        &[" failed error=\"cannot read the secret build/icr-pull-secret: the API server"],
    );
    outcome.has(&outcome.stdout, &[" renewed namespace=build "]);
}

#[test]
fn a_foreign_secret_is_named_once_and_does_not_hold_up_the_others() {
    let cluster = Cluster::new();
    cluster.api.edit(
        "build",
        "secrets",
        NAME,
        &json!({"kind": "Secret", "data": {"key": "e30="}}),
    );
    let watch = watch(&cluster, &["--all-namespaces"]);
    wait_until("it is ready", || watch.is_ready());
    let requests = cluster.api.requests().len();
    wait_until("three more rounds", || {
        cluster.api.requests().len() > requests + 6
    });
    let outcome = watch.finish();
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
    outcome.has(
        &outcome.stderr,
        &["build/icr-pull-secret was not made by this program"],
    );
    assert!(cluster.secret("test").is_some());
}

#[test]
fn two_programs_do_not_write_against_each_other() {
    let cluster = Cluster::new();
    let [first, second] =
        ["first", "second"].map(|ready| watch_with(&cluster, ready, &["--all-namespaces"]));
    wait_until("both are ready", || first.is_ready() && second.is_ready());
    let version = |cluster: &Cluster| {
        let secret = cluster.secret("build").expect("a secret");
        secret["metadata"]["resourceVersion"].clone()
    };
    let requests = || cluster.api.requests().len();
    let start = requests();
    wait_until("four rounds", || requests() > start + 8);
    let before = version(&cluster);
    let start = requests();
    wait_until("four more rounds", || requests() > start + 8);
    assert_eq!(version(&cluster), before);
    for outcome in [first.finish(), second.finish()] {
        assert_eq!(
            (outcome.status, &*outcome.stderr),
            (Some(0), ""),
            "{outcome:?}"
        );
    }
}

#[test]
fn a_ready_file_counts_only_with_a_recent_time() {
    let env = TestEnv::with_environment_key();
    let file = env.file("ready", "");
    let path = file.display().to_string();
    for text in [
        "2020-01-01T00:00:00Z\n",
        "2999-01-01T00:00:00Z\n",
        "soon\n",
        "",
    ] {
        fs::write(&file, text).expect("a file");
        let outcome = env.run(&["pull-secret", "ready", &path], "");
        assert_eq!(outcome.status, Some(1), "{text:?}: {outcome:?}");
        outcome.has(&outcome.stderr, &["error: not ready: "]);
    }
}

#[test]
fn an_error_of_one_namespace_does_not_slow_the_others_or_make_them_unready() {
    let cluster = Cluster::new();
    cluster
        .api
        .break_webhook("build", 403, "denied by the policy");
    let watch = watch(&cluster, &["--all-namespaces"]);
    wait_until("it is ready", || watch.is_ready());
    let lists = || {
        let requests = cluster.api.requests();
        let lists = requests.iter().filter(|it| it.path == "/api/v1/namespaces");
        lists.count()
    };
    let before = lists();
    // With pauses that grow, they would take 35 s.
    wait_until("three more rounds", || lists() > before + 3);
    assert!(watch.is_ready());
    cluster.api.repair_webhook("build");
    wait_until("it is written", || cluster.secret("build").is_some());
    let outcome = watch.finish();
    outcome.has(&outcome.stderr, &["denied by the policy"]);
}

#[test]
fn it_is_not_ready_if_no_secret_can_be_written() {
    let cluster = Cluster::new();
    for namespace in ["build", "test"] {
        cluster
            .api
            .break_webhook(namespace, 403, "denied by the policy");
    }
    let watch = watch(&cluster, &["--all-namespaces"]);
    wait_until("it has tried", || cluster.writes() > 3);
    assert!(!watch.is_ready());
    cluster.api.repair_webhook("test");
    wait_until("it is ready", || watch.is_ready());
    watch.finish();
}
