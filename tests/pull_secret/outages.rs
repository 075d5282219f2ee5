//! Errors of the API server and of IAM, without `--watch`.

use icr_emulator::ApiFault;
use icr_emulator::Fault;

use super::*;

#[test]
fn passing_errors_are_tried_again() {
    for (method, faults) in [
        ("GET", vec![ApiFault::Status(503, Some(1))]),
        ("GET", vec![ApiFault::Status(429, Some(1)), ApiFault::Close]),
        ("PATCH", vec![ApiFault::Status(500, None), ApiFault::Close]),
        (
            "PATCH",
            vec![ApiFault::Status(409, None), ApiFault::Status(429, Some(1))],
        ),
    ] {
        let cluster = Cluster::new();
        cluster.api.script(method, faults.clone());
        let outcome = cluster.apply(&["--namespace", "build"]);
        assert_eq!(outcome.status, Some(0), "{faults:?}: {outcome:?}");
        assert!(cluster.secret("build").is_some());
    }
}

#[test]
fn a_list_that_has_expired_is_begun_again() {
    let cluster = Cluster::new();
    cluster.api.script("GET", [ApiFault::Status(410, None)]);
    let outcome = cluster.apply(&["--all-namespaces"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
}

#[test]
fn a_lasting_outage_is_a_temporary_error_and_ends_the_round() {
    let cluster = Cluster::new();
    cluster.env.settings("deadline = 2\n");
    cluster.api.always(Some(ApiFault::Status(503, None)));
    let outcome = cluster.apply(&["--all-namespaces"]);
    assert_eq!(outcome.status, Some(3), "{outcome:?}");
    outcome.has(
        &outcome.stderr,
        &["error: cannot list namespaces: the API server is unavailable (HTTP 503)"],
    );
}

#[test]
fn what_the_api_server_forbids_is_an_error_of_that_secret() {
    let cluster = Cluster::new();
    cluster.api.script("PATCH", [ApiFault::Status(403, None)]);
    let outcome = cluster.apply(&["--namespace", "build", "test"]);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    outcome.has(
        &outcome.stderr,
        &["cannot write the secret build/icr-pull-secret: the API server forbids it"],
    );
    assert!(cluster.secret("test").is_some());
}

#[test]
fn only_missing_rights_have_the_hint_to_grant_them() {
    let rights = "secrets \"icr-pull-secret\" is forbidden: User \"system:serviceaccount:a:b\" cannot patch resource \"secrets\" in API group \"\" in the namespace \"build\"";
    let quota = "secrets \"icr-pull-secret\" is forbidden: exceeded quota: compute, requested: secrets=1, used: secrets=9, limited: secrets=9";
    for (message, has_hint) in [(rights, true), (quota, false)] {
        let cluster = Cluster::new();
        cluster.api.break_webhook("build", 403, message);
        let outcome = cluster.apply(&["--namespace", "build"]);
        outcome.has(&outcome.stderr, &["the API server forbids it: ", message]);
        let hint = outcome.stderr.contains("hint: Grant the rights");
        assert_eq!(hint, has_hint, "{outcome:?}");
    }
}

#[test]
fn an_outage_of_iam_is_a_temporary_error_and_leaves_the_secret() {
    let cluster = Cluster::new();
    cluster.apply(&["--namespace", "build"]);
    let before = cluster.secret("build");
    cluster.env.settings("deadline = 2\n");
    cluster.env.cloud.always(Some(Fault::Status(503)));
    let outcome = cluster.apply(&["--namespace", "build", "test"]);
    assert_eq!(outcome.status, Some(3), "{outcome:?}");
    assert_eq!(cluster.secret("build"), before);
}

#[test]
fn a_namespace_that_disappears_is_no_error_with_all_namespaces() {
    let cluster = Cluster::new();
    cluster.api.script("PATCH", [ApiFault::Status(404, None)]);
    let outcome = cluster.apply(&["--all-namespaces"]);
    assert_eq!(
        (outcome.status, &*outcome.stderr),
        (Some(0), ""),
        "{outcome:?}"
    );
    assert!(cluster.secret("test").is_some());
}

#[test]
fn a_broken_admission_webhook_of_a_namespace_is_an_error_of_that_secret_with_its_message() {
    let message = "failed calling webhook \"policy.example\": context deadline exceeded";
    for status in [500, 504] {
        let cluster = Cluster::new();
        cluster.api.break_webhook("build", status, message);
        let outcome = cluster.apply(&["--all-namespaces"]);
        assert_eq!(outcome.status, Some(3), "{outcome:?}");
        assert_eq!(
            outcome.stderr,
            format!(
                "error: cannot write the secret build/icr-pull-secret: the API server failed (HTTP {status}): {message}\n"
            )
        );
        assert!(cluster.secret("test").is_some());
    }
}
