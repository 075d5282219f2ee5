//! What `remove` leaves.

use icr_emulator::ApiFault;

use super::*;

#[test]
fn remove_deletes_what_apply_made_in_all_namespaces() {
    let cluster = Cluster::new();
    cluster.apply(&["--all-namespaces", "--service-account", "default"]);
    let outcome = cluster.remove(&["--all-namespaces", "--dry-run"]);
    outcome.has(
        &outcome.stdout,
        &[
            "--- build/icr-pull-secret",
            "+++ /dev/null",
            "-registries: us.icr.io",
        ],
    );
    for namespace in ["build", "test"] {
        assert!(cluster.secret(namespace).is_some());
        assert_eq!(cluster.pull_secrets(namespace, "default"), [NAME]);
    }
    let outcome = cluster.remove(&["--all-namespaces"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert_eq!(
        lines(&outcome),
        ["build", "test"].map(|namespace| format!("removed namespace={namespace} secret={NAME}"))
    );
    for namespace in ["build", "test"] {
        assert!(cluster.secret(namespace).is_none());
        assert!(cluster.pull_secrets(namespace, "default").is_empty());
    }
    let outcome = cluster.remove(&["--all-namespaces"]);
    assert_eq!(
        (outcome.status, &*outcome.stdout),
        (Some(0), ""),
        "{outcome:?}"
    );
}

#[test]
fn remove_needs_no_identity_and_accepts_that_a_namespace_is_gone() {
    let mut cluster = Cluster::new();
    cluster.apply(&["--namespace", "build"]);
    cluster.env.unset("IBMCLOUD_API_KEY");
    let outcome = cluster.remove(&["--namespace", "absent", "build"]);
    assert_eq!(
        (outcome.status, &*outcome.stderr),
        (Some(0), ""),
        "{outcome:?}"
    );
    assert!(cluster.secret("build").is_none());
}

#[test]
fn a_secret_that_others_change_at_the_same_time_is_read_again_and_deleted() {
    let cluster = Cluster::new();
    cluster.apply(&["--namespace", "build"]);
    cluster.api.script(
        "DELETE",
        [ApiFault::Status(409, None), ApiFault::Status(409, None)],
    );
    let outcome = cluster.remove(&["--namespace", "build"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert!(cluster.secret("build").is_none());
}

#[test]
fn only_the_secret_that_was_looked_at_is_deleted() {
    let cluster = Cluster::new();
    cluster.apply(&["--namespace", "build"]);
    cluster.remove(&["--namespace", "build"]);
    let requests = cluster.api.requests();
    let deletion = requests
        .iter()
        .find(|it| it.method == "DELETE")
        .expect("a deletion");
    let options: Value = serde_json::from_str(&deletion.body).expect("JSON");
    for field in ["uid", "resourceVersion"] {
        assert!(options["preconditions"][field].is_string(), "{options}");
    }
}
