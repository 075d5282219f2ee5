//! What is written, and where.

use super::*;

#[test]
fn a_secret_with_a_token_for_each_registry_is_applied() {
    let cluster = Cluster::new();
    let outcome = cluster.apply(&["de.icr.io", "--namespace", "build"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert_eq!(outcome.stderr, "", "{outcome:?}");
    let secret = cluster.secret("build").expect("a secret");
    assert_eq!(secret["type"], "kubernetes.io/dockerconfigjson");
    for host in ["us.icr.io", "de.icr.io"] {
        let (username, password) = login(&secret, host);
        assert_eq!(username, "iambearer");
        let claims = support::token::claims(&password);
        assert_eq!(claims["iam_id"], "IBMid-environment");
        assert!(!outcome.stdout.contains(&password));
    }
    let metadata = &secret["metadata"];
    assert_eq!(
        metadata["labels"]["docker-credential-icr/pull-secret"],
        "true"
    );
    let annotation =
        |name: &str| metadata["annotations"][format!("docker-credential-icr/{name}")].clone();
    assert_eq!(annotation("registries"), "de.icr.io,us.icr.io");
    let manager = &metadata["managedFields"][0];
    assert_eq!(manager["manager"], "docker-credential-icr");
    assert_eq!(manager["operation"], "Apply");
    let [line] = &lines(&outcome)[..] else {
        panic!("{outcome:?}");
    };
    let expected = format!(
        "renewed namespace=build secret={NAME} registries=de.icr.io,us.icr.io expires_at={} renew_at={}",
        annotation("expires-at").as_str().expect("a time"),
        annotation("renew-at").as_str().expect("a time"),
    );
    assert_eq!(*line, expected);
    assert!(cluster.secret("test").is_none());
}

#[test]
fn all_namespaces_are_read_in_parts_and_those_being_deleted_are_left_out() {
    let cluster = Cluster::new();
    for number in 0..120 {
        cluster.api.add_namespace(&format!("n{number}"), &json!({}));
    }
    cluster.api.add_namespace("leaving", &json!({}));
    cluster.api.terminate_namespace("leaving");
    let outcome = cluster.apply(&["--all-namespaces"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert_eq!(lines(&outcome).len(), 122);
    assert!(cluster.secret("n119").is_some());
    assert!(cluster.secret("leaving").is_none());
    assert_eq!(cluster.env.cloud.exchanges(), 1);
}

#[test]
fn a_selector_chooses_namespaces_by_their_labels() {
    let cluster = Cluster::new();
    let outcome = cluster.apply(&[
        "--all-namespaces",
        "--selector",
        "team in (build),team=build",
    ]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let request = &cluster.api.requests()[0];
    assert_eq!(
        request.parameter("labelSelector"),
        Some("team in (build),team=build")
    );
    cluster.apply(&["--all-namespaces", "--selector", "team=build"]);
    assert!(cluster.secret("build").is_some());
    assert!(cluster.secret("test").is_none());
}

#[test]
fn applying_again_gives_the_secret_a_new_token_and_another_set_of_registries() {
    let cluster = Cluster::new();
    cluster.apply(&["de.icr.io", "--namespace", "build"]);
    let before = cluster.secret("build").expect("a secret");
    cluster.apply(&["--namespace", "build"]);
    let after = cluster.secret("build").expect("a secret");
    assert_ne!(login(&before, "us.icr.io"), login(&after, "us.icr.io"));
    assert_eq!(
        after["metadata"]["annotations"]["docker-credential-icr/registries"],
        "us.icr.io"
    );
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
}

#[test]
fn a_dry_run_shows_a_diff_without_passwords_and_changes_nothing() {
    let cluster = Cluster::new();
    let arguments = [
        "--namespace",
        "build",
        "--service-account",
        "default",
        "--dry-run",
    ];
    let outcome = cluster.apply(&arguments);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    outcome.has(
        &outcome.stdout,
        &[
            "--- /dev/null",
            "+++ build/icr-pull-secret",
            "+registries: us.icr.io",
            "+password: a new token that expires on 20",
            "+in imagePullSecrets of the service account: default",
        ],
    );
    assert!(cluster.secret("build").is_none());
    assert!(cluster.pull_secrets("build", "default").is_empty());
    cluster.apply(&["--namespace", "build"]);
    let before = cluster.secret("build").expect("a secret");
    let outcome = cluster.apply(&arguments);
    outcome.has(
        &outcome.stdout,
        &[
            "--- build/icr-pull-secret",
            "\n registries: us.icr.io",
            "\n-password: a token",
            "+in imagePull",
        ],
    );
    assert_eq!(cluster.secret("build"), Some(before));
}

#[test]
fn a_namespace_that_does_not_exist_is_an_error_and_the_others_are_written() {
    let cluster = Cluster::new();
    let outcome = cluster.apply(&["--namespace", "absent", "build"]);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    let expected =
        "error: cannot write the secret absent/icr-pull-secret: the namespace does not exist\n";
    assert_eq!(outcome.stderr, expected);
    assert!(cluster.secret("build").is_some());
}

#[test]
fn without_an_identity_nothing_is_written() {
    let mut cluster = Cluster::new();
    cluster.env.unset("IBMCLOUD_API_KEY");
    let outcome = cluster.apply(&["--namespace", "build", "test"]);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    outcome.has(
        &outcome.stderr,
        &["error: not logged in to us.icr.io\nhint: "],
    );
    assert_eq!(cluster.writes(), 0);
}

#[test]
fn wrong_arguments_are_named_before_any_request() {
    let cluster = Cluster::new();
    for (arguments, reason) in [
        (&[][..], "--namespace"),
        (&["--namespace", "Build"], "lower-case"),
        (
            &["--namespace", "build", "--all-namespaces"],
            "cannot be used with",
        ),
        (
            &["--namespace", "build", "--selector", "a=b"],
            "cannot be used with",
        ),
        (
            &["--all-namespaces", "--watch", "--dry-run"],
            "cannot be used with",
        ),
        (&["--all-namespaces", "--ready-file", "x"], "--watch"),
        (&["quay.io", "--namespace", "build"], "quay.io"),
    ] {
        let outcome = cluster.apply(arguments);
        assert_ne!(outcome.status, Some(0), "{outcome:?}");
        outcome.has(&outcome.stderr, &[reason]);
    }
    assert_eq!(cluster.api.requests().len(), 0);
}

#[test]
fn a_list_with_large_objects_is_read_in_smaller_parts() {
    let cluster = Cluster::new();
    let large = json!({"metadata": {"annotations": {"large": "x".repeat(200 * 1024)}}});
    for number in 0..12 {
        let name = format!("n{number}");
        cluster.api.add_namespace(&name, &json!({}));
        cluster.api.edit("", "namespaces", &name, &large);
        cluster
            .api
            .edit(&name, "serviceaccounts", "default", &large);
    }
    let outcome = cluster.apply(&["--all-namespaces", "--service-account", "default"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    for number in 0..12 {
        let name = format!("n{number}");
        assert!(cluster.secret(&name).is_some(), "{name}");
        assert_eq!(cluster.pull_secrets(&name, "default"), [NAME]);
    }
}

#[test]
fn one_object_that_is_too_large_is_an_error_of_its_namespace() {
    let cluster = Cluster::new();
    let large = json!({"metadata": {"annotations": {"large": "x".repeat(1024 * 1024)}}});
    cluster
        .api
        .edit("build", "serviceaccounts", "default", &large);
    for scope in [&["--namespace", "build", "test"][..], &["--all-namespaces"]] {
        let outcome = cluster.apply(&[scope, &["--service-account", "default"]].concat());
        assert_eq!(outcome.status, Some(1), "{outcome:?}");
        assert_eq!(
            outcome.stderr,
            "error: cannot read the service account build/default: the response of the API server is longer than 1 MiB\n"
        );
        assert_eq!(cluster.pull_secrets("test", "default"), [NAME]);
        cluster.remove(scope);
    }
}
