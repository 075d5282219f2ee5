//! Credentials for the service accounts of pods.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use serde_json::json;

use super::kubelet::Account;
use super::kubelet::TokenAttributes;
use super::*;
use crate::support::in_parallel;
use crate::support::unix_now;

const KEY: &str = "docker-credential-icr/trusted-profile";
const IMAGE: &str = "us.icr.io/ns/app";

/// Returns the claims of a pod's token, with changes.
pub(crate) fn claims(namespace: &str, name: &str, pod: usize, changes: &Value) -> Value {
    let now = unix_now();
    let mut claims = json!({
        "aud": ["iam"], "exp": now + 3600, "iat": now, "nbf": now, "iss": "https://oidc.example.com/id/cluster-1",
        "jti": format!("pod-{pod}"), "sub": format!("system:serviceaccount:{namespace}:{name}"),
        "kubernetes.io": {
            "namespace": namespace, "node": {"name": "node-1", "uid": "uid-of-node"},
            "pod": {"name": format!("pod-{pod}"), "uid": format!("uid-of-pod-{pod}")},
            "serviceaccount": {"name": name, "uid": format!("uid-of-{namespace}-{name}")},
        },
    });
    for (name, value) in changes.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims
}

/// Returns the token of a pod, with changed claims. Its signature is not checked.
pub(crate) fn token(namespace: &str, name: &str, pod: usize, changes: &Value) -> String {
    let claims = claims(namespace, name, pod, changes);
    let encode = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
    let header = encode(&json!({"alg": "RS256", "kid": "cluster"}));
    format!("{header}.{}.c2lnbmF0dXJlLW9mLWNsdXN0ZXI", encode(&claims))
}

/// Returns the account of a pod with an annotation.
pub(crate) fn account(namespace: &str, name: &str, pod: usize, profile: Option<&str>) -> Account {
    let profile = profile.map(|profile| (KEY.to_owned(), profile.to_owned()));
    Account {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        uid: format!("uid-of-{namespace}-{name}"),
        annotations: profile.into_iter().collect(),
        token: token(namespace, name, pod, &json!({})),
    }
}

/// Creates a node with an identity of its own whose kubelet sends tokens.
pub(crate) fn tokens() -> Option<(TestEnv, Provider)> {
    let (env, mut provider) = node()?;
    provider.token_attributes = Some(TokenAttributes {
        optional_keys: vec![KEY.to_owned()],
        ..TokenAttributes::default()
    });
    Some((env, provider))
}

fn with(provider: &Provider, name: &str, value: &str) -> Provider {
    let mut provider = provider.clone();
    provider
        .environment
        .push((name.to_owned(), value.to_owned()));
    provider
}

#[test]
fn the_profile_of_the_annotation_is_used_otherwise_that_of_the_node() {
    let Some((env, provider)) = tokens() else {
        return;
    };
    let annotated = account("build", "deployer", 1, Some("Profile-annotated"));
    let plain = account("build", "plain", 1, None);
    env.add_compute_resource_token(&annotated.token, &["Profile-annotated"]);
    env.add_compute_resource_token(&plain.token, &["Profile-of-node"]);
    let kubelet = Kubelet::new(with(&provider, "IBMCLOUD_CR_PROFILE", "Profile-of-node"));
    for (account, profile) in [
        (&annotated, "Profile-annotated"),
        (&plain, "Profile-of-node"),
    ] {
        let logins = kubelet.logins(IMAGE, Some(account));
        assert_eq!(
            owner(&logins),
            format!("iam-{profile}"),
            "{:?}",
            kubelet.log()
        );
    }
    let requests = env.cloud.requests();
    assert!(
        requests
            .iter()
            .all(|request| request.header("authorization").is_none())
    );
}

#[test]
fn the_profile_of_service_accounts_leaves_the_nodes_identity_as_it_is() {
    let Some((env, provider)) = tokens() else {
        return;
    };
    let accounts = env.cloud.accounts();
    accounts.enable_metadata(&[icr_emulator::MetadataApi::Identity]);
    accounts.link_default_profile("Profile-of-machine");
    let annotated = account("build", "deployer", 1, Some("Profile-annotated"));
    let plain = account("build", "plain", 1, None);
    env.add_compute_resource_token(&annotated.token, &["Profile-annotated"]);
    env.add_compute_resource_token(&plain.token, &["Profile-1", "Profile-2"]);
    let settings = env.file("node.toml", "service-account-profile = \"Profile-2\"\n");
    let settings = settings.to_string_lossy();
    let provider = with(&provider, "ICR_SOURCE", "vpc");
    let provider = with(&provider, "IBMCLOUD_CR_VPC_URL", &env.cloud.url());
    let of_settings = with(&provider, "ICR_CONFIG", &settings);
    let of_variable = with(&of_settings, "ICR_SERVICE_ACCOUNT_PROFILE", "Profile-1");
    for (provider, profile) in [(of_settings, "Profile-2"), (of_variable, "Profile-1")] {
        let kubelet = Kubelet::new(provider);
        for (account, profile) in [
            (Some(&annotated), "Profile-annotated"),
            (Some(&plain), profile),
            (None, "Profile-of-machine"),
        ] {
            let logins = kubelet.logins(IMAGE, account);
            assert_eq!(
                owner(&logins),
                format!("iam-{profile}"),
                "{:?}",
                kubelet.log()
            );
        }
    }
    let invalid = Kubelet::new(with(&provider, "ICR_SERVICE_ACCOUNT_PROFILE", "Profile- 1"));
    assert_eq!(invalid.logins(IMAGE, Some(&plain)), []);
    let log = invalid.log().join("");
    assert!(log.contains("$ICR_SERVICE_ACCOUNT_PROFILE"), "{log}");
}

#[test]
fn another_annotation_can_be_chosen() {
    let Some((env, mut provider)) = tokens() else {
        return;
    };
    let mut account = account("build", "deployer", 1, Some("Profile-other"));
    account
        .annotations
        .insert("example.com/profile".into(), "Profile-chosen".into());
    env.add_compute_resource_token(&account.token, &["Profile-chosen"]);
    provider
        .token_attributes
        .as_mut()
        .expect("set")
        .optional_keys = vec!["example.com/profile".to_owned()];
    let provider = with(
        &provider,
        "ICR_SERVICE_ACCOUNT_ANNOTATION",
        "example.com/profile",
    );
    let logins = Kubelet::new(provider).logins(IMAGE, Some(&account));
    assert_eq!(owner(&logins), "iam-Profile-chosen");
}

#[test]
fn a_token_that_cannot_be_exchanged_never_gives_the_nodes_identity() {
    let Some((env, provider)) = tokens() else {
        return;
    };
    let now = unix_now();
    let with_claims = |claims: Value| Account {
        token: token("build", "deployer", 1, &claims),
        ..account("build", "deployer", 1, Some("Profile-1"))
    };
    let unlinked = account("test", "deployer", 1, Some("Profile-1"));
    env.add_compute_resource_token(&unlinked.token, &["Profile-2"]);
    for (account, parts) in [
        (
            account("build", "plain", 1, None),
            &["no trusted profile is named", "build/plain", KEY][..],
        ),
        (
            account("build", "empty", 1, Some("")),
            &["annotation", "is empty"],
        ),
        (
            unlinked,
            &["IAM rejected it", "test/deployer", "oidc.example.com"],
        ),
        (
            with_claims(json!({"aud": ["https://kubernetes.default.svc"]})),
            &["serviceAccountTokenAudience: iam"],
        ),
        (
            with_claims(json!({"exp": now - 600, "iss": "https://expired.example.com"})),
            &["expired 10 min ago"],
        ),
        (
            Account {
                token: "opaque-token-of-pod".into(),
                ..with_claims(json!({}))
            },
            &["no JSON Web Token"],
        ),
    ] {
        env.add_secret(&account.token);
        let kubelet = Kubelet::new(provider.clone());
        assert_eq!(kubelet.logins(IMAGE, Some(&account)), []);
        let log = kubelet.log().join("");
        for part in parts {
            assert!(log.contains(part), "{part}: {log}");
        }
        assert!(!log.contains(&account.token), "{log}");
    }
    env.cloud.always(Some(icr_emulator::Fault::Status(503)));
    let kubelet = Kubelet::new(with(
        &provider,
        "ICR_CONFIG",
        &env.file("d.toml", "deadline = 1\n").to_string_lossy(),
    ));
    let account = account("build", "unlucky", 1, Some("Profile-1"));
    assert_eq!(kubelet.logins(IMAGE, Some(&account)), []);
}

#[test]
fn a_pod_without_an_account_gets_the_nodes_identity() {
    let Some((_env, mut provider)) = tokens() else {
        return;
    };
    let logins = Kubelet::new(provider.clone()).logins(IMAGE, None);
    assert_eq!(owner(&logins), "IBMid-node");
    provider
        .token_attributes
        .as_mut()
        .expect("set")
        .require_service_account = true;
    let kubelet = Kubelet::new(provider);
    assert_eq!(kubelet.logins(IMAGE, None), []);
    assert_eq!(kubelet.runs(), 0);
}

#[test]
fn only_the_settings_give_accounts_the_nodes_identity_and_the_kubelet_does_not_keep_it() {
    let Some((env, provider)) = tokens() else {
        return;
    };
    let settings = env.file("node.toml", "service-account-fallback = \"node\"\n");
    let kubelet = Kubelet::new(with(&provider, "ICR_CONFIG", &settings.to_string_lossy()));
    for account in [
        account("build", "plain", 1, None),
        account("build", "unknown", 1, Some("Profile-1")),
    ] {
        for _ in 0..2 {
            assert_eq!(owner(&kubelet.logins(IMAGE, Some(&account))), "IBMid-node");
        }
    }
    assert_eq!(kubelet.runs(), 4);
    let linked = account("build", "linked", 1, Some("Profile-1"));
    env.add_compute_resource_token(&linked.token, &["Profile-1"]);
    assert_eq!(
        owner(&kubelet.logins(IMAGE, Some(&linked))),
        "iam-Profile-1"
    );
}

#[test]
fn fifty_pods_of_one_account_make_one_exchange_and_another_account_another() {
    let Some((env, provider)) = tokens() else {
        return;
    };
    let accounts: Vec<Account> = (0..50)
        .map(|pod| account("build", "deployer", pod, Some("Profile-1")))
        .chain([account("test", "deployer", 0, Some("Profile-1"))])
        .collect();
    for account in &accounts {
        env.add_compute_resource_token(&account.token, &["Profile-1"]);
    }
    let kubelets: Vec<Kubelet> = accounts
        .iter()
        .map(|_| Kubelet::new(provider.clone()))
        .collect();
    let owners = in_parallel(50, |pod| {
        owner(&kubelets[pod].logins(IMAGE, Some(&accounts[pod])))
    });
    assert!(owners.iter().all(|owner| owner == "iam-Profile-1"));
    assert_eq!(env.cloud.exchanges(), 1);
    kubelets[50].logins(IMAGE, Some(&accounts[50]));
    assert_eq!(env.cloud.exchanges(), 2);
}

#[test]
fn the_kubelet_keeps_answers_by_account_or_by_token() {
    let Some((env, mut provider)) = tokens() else {
        return;
    };
    let pods = [1, 2].map(|pod| account("build", "deployer", pod, Some("Profile-1")));
    for pod in &pods {
        env.add_compute_resource_token(&pod.token, &["Profile-1"]);
    }
    for (by_token, runs) in [(false, 1), (true, 2)] {
        provider
            .token_attributes
            .as_mut()
            .expect("set")
            .cache_by_token = by_token;
        let kubelet = Kubelet::new(provider.clone());
        for pod in &pods {
            assert_eq!(owner(&kubelet.logins(IMAGE, Some(pod))), "iam-Profile-1");
        }
        assert_eq!(kubelet.runs(), runs);
    }
    assert_eq!(env.cloud.exchanges(), 1);
}

#[test]
fn an_account_without_a_required_annotation_is_not_asked_for() {
    let Some((_env, mut provider)) = tokens() else {
        return;
    };
    provider.token_attributes = Some(TokenAttributes {
        require_service_account: true,
        required_keys: vec![KEY.to_owned()],
        ..TokenAttributes::default()
    });
    let kubelet = Kubelet::new(provider);
    assert_eq!(
        kubelet.logins(IMAGE, Some(&account("build", "plain", 1, None))),
        []
    );
    assert_eq!((kubelet.runs(), kubelet.log()), (0, Vec::new()));
}

#[test]
fn neither_the_token_nor_the_access_token_is_in_the_log() {
    let Some((env, provider)) = tokens() else {
        return;
    };
    let account = account("build", "deployer", 1, Some("Profile-1"));
    env.add_compute_resource_token(&account.token, &["Profile-1"]);
    let log = env.path("log");
    let provider = with(&provider, "ICR_LOG_FILE", &log.to_string_lossy());
    let logins = Kubelet::new(with(&provider, "ICR_LOG", "trace")).logins(IMAGE, Some(&account));
    let text = std::fs::read_to_string(log).expect("a log");
    assert!(!text.is_empty());
    for secret in [&account.token, &logins[0].1] {
        let parts: Vec<&str> = secret.split('.').collect();
        assert!(
            parts.iter().skip(1).all(|part| !text.contains(part)),
            "{text}"
        );
    }
}
