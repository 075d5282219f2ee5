//! The entries in the `imagePullSecrets` of service accounts.

use icr_emulator::ApiFault;

use super::*;

#[test]
fn the_secret_is_added_to_service_accounts_beside_the_entries_of_others() {
    let cluster = Cluster::new();
    cluster
        .api
        .add_service_account("build", "builder", &["other"]);
    let accounts = [
        "--namespace",
        "build",
        "--service-account",
        "builder",
        "default",
    ];
    let outcome = cluster.apply(&accounts);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert_eq!(cluster.pull_secrets("build", "builder"), ["other", NAME]);
    assert_eq!(cluster.pull_secrets("build", "default"), [NAME]);
    assert_eq!(
        lines(&outcome)[1..],
        ["builder", "default"]
            .map(|name| format!("added namespace=build secret={NAME} service_account={name}"))
    );
    let outcome = cluster.apply(&accounts);
    assert_eq!(lines(&outcome).len(), 1, "nothing is added twice");
    let outcome = cluster.remove(&["--namespace", "build"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert_eq!(cluster.pull_secrets("build", "builder"), ["other"]);
    assert!(cluster.pull_secrets("build", "default").is_empty());
    assert!(cluster.secret("build").is_none());
}

#[test]
fn an_entry_that_was_there_before_stays_when_the_secret_is_removed() {
    let cluster = Cluster::new();
    cluster.api.add_service_account("build", "builder", &[NAME]);
    cluster.apply(&[
        "--all-namespaces",
        "--service-account",
        "builder",
        "default",
    ]);
    assert_eq!(cluster.pull_secrets("test", "default"), [NAME]);
    cluster.remove(&["--all-namespaces"]);
    assert_eq!(cluster.pull_secrets("build", "builder"), [NAME]);
    assert!(cluster.pull_secrets("test", "default").is_empty());
}

#[test]
fn a_service_account_that_does_not_exist_is_an_error_only_in_a_named_namespace() {
    let cluster = Cluster::new();
    let outcome = cluster.apply(&["--namespace", "build", "--service-account", "absent"]);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    assert_eq!(
        outcome.stderr,
        "error: the service account build/absent does not exist\n"
    );
    assert!(
        cluster.secret("build").is_some(),
        "the secret can be used by pods"
    );
    let outcome = cluster.apply(&["--all-namespaces", "--service-account", "absent"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
}

#[test]
fn a_service_account_that_others_change_at_the_same_time_is_read_again() {
    let cluster = Cluster::new();
    cluster.apply(&["--namespace", "build"]);
    // The first is that of the secret.
    let well = ApiFault::Status(409, None);
    cluster
        .api
        .script("PATCH", [well.clone(), well.clone(), well]);
    let outcome = cluster.apply(&["--namespace", "build", "--service-account", "default"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert_eq!(cluster.pull_secrets("build", "default"), [NAME]);
}

#[test]
fn entries_of_a_secret_that_was_deleted_and_written_again_are_removed_unless_a_person_made_them() {
    let cluster = Cluster::new();
    let entry = json!({"kind": "ServiceAccount", "imagePullSecrets": [{"name": NAME}]});
    cluster
        .api
        .edit("build", "serviceaccounts", "builder", &entry);
    let accounts = [
        "--namespace",
        "build",
        "--service-account",
        "builder",
        "default",
    ];
    cluster.apply(&accounts);
    cluster.api.remove("build", "secrets", NAME);
    let outcome = cluster.apply(&accounts);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let secret = cluster.secret("build").expect("a secret");
    assert_eq!(
        secret["metadata"]["annotations"]["docker-credential-icr/service-accounts"],
        "default"
    );
    cluster.remove(&["--namespace", "build"]);
    assert!(cluster.pull_secrets("build", "default").is_empty());
    assert_eq!(cluster.pull_secrets("build", "builder"), [NAME]);
}
