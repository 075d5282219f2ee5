//! Secrets that other programs made or changed.

use super::*;

const LABELLED: &str = "docker-credential-icr/pull-secret";

/// Creates a secret as `kubectl create secret` does.
fn create(cluster: &Cluster, labels: &Value) {
    let secret = json!({
        "kind": "Secret", "type": "kubernetes.io/dockerconfigjson", "metadata": {"labels": labels},
        "data": {".dockerconfigjson": "e30="},
    });
    cluster.api.edit("build", "secrets", NAME, &secret);
}

#[test]
fn a_secret_that_another_program_made_is_named_and_left() {
    for labels in [json!({}), json!({LABELLED: "true"})] {
        let cluster = Cluster::new();
        create(&cluster, &labels);
        let before = cluster.secret("build");
        for scope in [&["--all-namespaces"][..], &["--namespace", "build", "test"]] {
            let outcome = cluster.apply(scope);
            assert_eq!(outcome.status, Some(1), "{outcome:?}");
            assert_eq!(
                outcome.stderr,
                "error: the secret build/icr-pull-secret was not made by this program, so it is left as it is\n\
                 hint: Delete it, or choose another name with --name\n"
            );
            assert_eq!(cluster.secret("build"), before);
            assert!(cluster.secret("test").is_some(), "the others are written");
            let outcome = cluster.remove(scope);
            assert_eq!(outcome.status, Some(0), "{outcome:?}");
            outcome.has(
                &outcome.stderr,
                &["note: the secret build/icr-pull-secret was not made"],
            );
            assert_eq!(cluster.secret("build"), before);
            assert!(cluster.secret("test").is_none());
        }
    }
}

#[test]
fn the_content_of_a_secret_is_never_read() {
    let cluster = Cluster::new();
    create(&cluster, &json!({}));
    cluster.apply(&["--all-namespaces"]);
    cluster.apply(&["--namespace", "build"]);
    let requests = cluster.api.requests();
    let of_secrets = requests
        .iter()
        .filter(|request| request.path.contains("/secrets"));
    for request in of_secrets {
        let accept = request.header("accept").unwrap_or_default();
        assert!(accept.contains("as=PartialObjectMetadata"), "{request:?}");
    }
}

#[test]
fn a_secret_of_this_program_that_somebody_edited_is_written_again() {
    let cluster = Cluster::new();
    cluster.apply(&["--namespace", "build"]);
    let edited =
        json!({"data": {".dockerconfigjson": "e30="}, "metadata": {"labels": {"extra": "1"}}});
    cluster.api.edit("build", "secrets", NAME, &edited);
    let outcome = cluster.apply(&["--namespace", "build"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let secret = cluster.secret("build").expect("a secret");
    assert_eq!(login(&secret, "us.icr.io").0, "iambearer");
    assert_eq!(
        secret["metadata"]["labels"]["extra"], "1",
        "what others added stays"
    );
}

#[test]
fn a_secret_that_appears_between_two_requests_is_not_overwritten() {
    let cluster = Cluster::new();
    // The list does not have it yet, and the apply meets it.
    cluster
        .api
        .script("PATCH", [icr_emulator::ApiFault::Status(409, None)]);
    create(&cluster, &json!({}));
    let before = cluster.secret("build");
    let outcome = cluster.apply(&["--namespace", "build"]);
    outcome.has(&outcome.stderr, &["was not made by this program"]);
    assert_eq!(cluster.secret("build"), before);
}

#[test]
fn names_that_are_not_those_of_kubernetes_never_become_paths() {
    let cluster = Cluster::new();
    cluster.api.add_namespace("build/secrets/x?", &json!({}));
    cluster.api.add_namespace("..", &json!({}));
    let arguments = ["--all-namespaces", "--service-account", "default"];
    let outcome = cluster.apply(&arguments);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let accounts = "default,../secrets/other,..,a/b,x?dryRun=All,Upper";
    let edited = json!({"metadata": {"annotations": {
        "docker-credential-icr/service-accounts": accounts,
        "docker-credential-icr/registries": "us.icr.io\u{1b}[2J",
    }}});
    cluster.api.edit("build", "secrets", NAME, &edited);
    let outcome = cluster.remove(&["--namespace", "build", "--dry-run"]);
    assert!(!outcome.stdout.contains('\u{1b}'), "{outcome:?}");
    let outcome = cluster.remove(&["--all-namespaces"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert!(cluster.pull_secrets("build", "default").is_empty());
    let allowed = |path: &str| {
        let object = path
            .strip_prefix("/api/v1/namespaces/build/")
            .or_else(|| path.strip_prefix("/api/v1/namespaces/test/"));
        match object {
            Some(object) => {
                object == format!("secrets/{NAME}") || object == "serviceaccounts/default"
            }
            None => path.matches('/').count() == 3,
        }
    };
    for request in cluster.api.requests() {
        assert!(
            allowed(&request.path),
            "{} {}",
            request.method,
            request.path
        );
    }
}
