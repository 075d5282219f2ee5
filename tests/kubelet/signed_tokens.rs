//! Tokens of service accounts whose signature IAM checks, with the keys of the cluster.

use serde_json::Value;
use serde_json::json;

use icr_emulator::Cluster;

use super::kubelet::Account;
use super::service_accounts::account;
use super::service_accounts::claims;
use super::service_accounts::tokens;
use super::*;
use crate::support::unix_now;

const IMAGE: &str = "us.icr.io/ns/app";
const PROFILE: &str = "Profile-build";

/// Creates a cluster that IAM knows, with the profile linked to the service account build/deployer, and to all of a namespace.
fn cluster(env: &TestEnv) -> Cluster {
    let cluster = Cluster::create("https://oidc.example.com/id/cluster-1").expect("a key");
    let links = json!([
        {"profile": PROFILE, "namespace": "build", "name": "deployer"},
        {"profile": PROFILE, "namespace": "all"},
    ]);
    let known = json!({
        "crn": "crn:v1:bluemix:public:containers-kubernetes:us-south:a/1:cluster-1::",
        "issuer": cluster.issuer, "keys": cluster.keys(), "links": links,
    });
    env.cloud
        .accounts()
        .add_cluster(&known)
        .expect("a description");
    cluster
}

/// Returns a pod's account, with a token of the cluster.
fn with_token(cluster: &Cluster, namespace: &str, name: &str, changes: &Value) -> Account {
    Account {
        token: cluster.sign(&claims(namespace, name, 1, changes)),
        ..account(namespace, name, 1, Some(PROFILE))
    }
}

#[test]
fn only_the_account_that_the_profile_is_linked_to_gets_a_token_of_the_profile() {
    let Some((env, provider)) = tokens() else {
        return;
    };
    let cluster = cluster(&env);
    let linked = with_token(&cluster, "build", "deployer", &json!({}));
    let kubelet = Kubelet::new(provider.clone());
    let logins = kubelet.logins(IMAGE, Some(&linked));
    assert_eq!(
        owner(&logins),
        format!("iam-{PROFILE}"),
        "{:?}",
        kubelet.log()
    );
    for (namespace, name) in [("build", "default"), ("test", "deployer")] {
        let kubelet = Kubelet::new(provider.clone());
        let other = with_token(&cluster, namespace, name, &json!({}));
        assert_eq!(kubelet.logins(IMAGE, Some(&other)), []);
        let log = kubelet.log().join("");
        assert!(log.contains("IAM rejected it"), "{log}");
        assert!(log.contains(&format!("{namespace}/{name}")), "{log}");
    }
}

#[test]
fn a_token_that_iam_cannot_verify_never_gives_the_nodes_identity() {
    let Some((env, provider)) = tokens() else {
        return;
    };
    let known = cluster(&env);
    let other = Cluster::create(&known.issuer).expect("a key");
    let now = unix_now();
    // Each has an account of its own, because a refusal is remembered.
    let signed = |cluster: &Cluster, name, changes| with_token(cluster, "all", name, &changes);
    for (account, cause) in [
        (signed(&other, "forged", json!({})), "IAM rejected it"),
        (
            signed(
                &known,
                "foreign",
                json!({"iss": "https://oidc.example.com/id/other"}),
            ),
            "IAM rejected it",
        ),
        (
            signed(&known, "long", json!({"exp": now + 7200})),
            "IAM rejected it",
        ),
        (
            signed(&known, "expired", json!({"exp": now - 600})),
            "expired",
        ),
        (
            signed(
                &known,
                "audience",
                json!({"aud": ["https://kubernetes.default.svc"]}),
            ),
            "serviceAccountTokenAudience: iam",
        ),
    ] {
        env.add_secret(&account.token);
        let kubelet = Kubelet::new(provider.clone());
        assert_eq!(kubelet.logins(IMAGE, Some(&account)), []);
        let log = kubelet.log().join("");
        assert!(log.contains(cause), "{cause}: {log}");
        assert!(!log.contains(&account.token), "{log}");
    }
}
