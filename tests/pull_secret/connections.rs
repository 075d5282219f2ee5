//! How the API server is found, verified and authenticated to.

use icr_emulator::Authority;

use super::*;

/// Writes a kubeconfig for a server with TLS, and returns an environment with it.
fn with_tls(host: &str) -> (TestEnv, ApiServer, Authority) {
    let mut env = TestEnv::with_environment_key();
    env.add_secret(TOKEN);
    let authority = Authority::create(env.path("authority")).expect("a directory");
    let api = ApiServer::start_with_tls(&authority, host).expect("a port");
    api.accept_token(TOKEN);
    api.add_namespace("build", &json!({}));
    env.set("KUBECONFIG", env.path("kubeconfig"));
    (env, api, authority)
}

fn apply(env: &TestEnv) -> Outcome {
    env.run(&[&APPLY[..], &["--namespace", "build"]].concat(), "")
}

#[test]
fn only_the_authority_of_the_kubeconfig_is_trusted_for_the_api_server() {
    let (env, api, authority) = with_tls("localhost");
    let path = authority.certificate_path().display().to_string();
    let data = BASE64_STANDARD.encode(std::fs::read(&path).expect("a certificate"));
    for (of_cluster, is_trusted) in [
        (String::new(), false),
        (format!(", certificate-authority: '{path}'"), true),
        (format!(", certificate-authority-data: {data}"), true),
        (", insecure-skip-tls-verify: true".to_owned(), true),
    ] {
        env.file("kubeconfig", &kubeconfig(&api.url(), &of_cluster, TOKEN));
        let outcome = apply(&env);
        let expected = if is_trusted { Some(0) } else { Some(3) };
        assert_eq!(outcome.status, expected, "{of_cluster}: {outcome:?}");
        if !is_trusted {
            outcome.has(
                &outcome.stderr,
                &["hint: Check the certificate authority in the kubeconfig"],
            );
        }
    }
}

#[test]
fn a_server_name_is_sent_and_verified_instead_of_the_address() {
    let (env, api, authority) = with_tls("kubernetes.example");
    let path = authority.certificate_path().display().to_string();
    for (name, status) in [("kubernetes.example", Some(0)), ("other.example", Some(3))] {
        let of_cluster = format!(", certificate-authority: '{path}', tls-server-name: {name}");
        env.file("kubeconfig", &kubeconfig(&api.url(), &of_cluster, TOKEN));
        let outcome = apply(&env);
        assert_eq!(outcome.status, status, "{name}: {outcome:?}");
    }
    let requests = api.requests();
    let host = requests[0].header("host").expect("a host");
    assert_eq!(host, format!("127.0.0.1:{}", api.port()));
}

#[test]
fn a_token_that_is_not_accepted_is_an_error_that_does_not_show_it() {
    let cluster = Cluster::new();
    cluster.api.revoke_token(TOKEN);
    let outcome = cluster.apply(&["--namespace", "build", "test"]);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    outcome.has(
        &outcome.stderr,
        &["the API server does not accept the credential (HTTP 401)"],
    );
    assert_eq!(cluster.api.requests().len(), 1, "nothing else is tried");
}

#[test]
fn without_a_cluster_the_error_says_what_to_set() {
    let mut cluster = Cluster::new();
    cluster.env.unset("KUBECONFIG");
    let outcome = cluster.apply(&["--namespace", "build"]);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    outcome.has(
        &outcome.stderr,
        &["hint: Set KUBECONFIG to the path of a kubeconfig"],
    );
}

#[test]
fn a_context_can_be_chosen() {
    let cluster = Cluster::new();
    let outcome = cluster.apply(&["--namespace", "build", "--context", "absent"]);
    outcome.has(&outcome.stderr, &["has no context \"absent\""]);
    let outcome = cluster.apply(&["--namespace", "build", "--context", "test"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
}
