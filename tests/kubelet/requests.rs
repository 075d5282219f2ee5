//! What the program answers to each request.

use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::process::Stdio;

use super::*;
use crate::support::copy_executable;
use crate::support::in_parallel;

/// Returns the answer without a credential.
fn nothing(version: &str) -> String {
    format!(
        "{{\"kind\":\"CredentialProviderResponse\",\"apiVersion\":\"credentialprovider.kubelet.k8s.io/{version}\",\"cacheKeyType\":\"Registry\",\"cacheDuration\":\"0s\"}}\n"
    )
}

#[test]
fn each_version_is_answered_in_kind_byte_by_byte() {
    let Some((env, provider)) = node() else {
        return;
    };
    for version in ["v1", "v1beta1", "v1alpha1"] {
        let outcome = run(&env, &provider, &request(version, "us.icr.io/ns/app"));
        let (before, rest) = outcome
            .stdout
            .split_once("\"password\":\"")
            .expect("a password");
        let (password, after) = rest.split_once('"').expect("its end");
        assert!(password.starts_with("eyJ"), "{outcome:?}");
        let (before, duration) = before
            .split_once("\"cacheDuration\":\"")
            .expect("a duration");
        assert_eq!(
            before,
            format!(
                "{{\"kind\":\"CredentialProviderResponse\",\"apiVersion\":\"credentialprovider.kubelet.k8s.io/{version}\",\"cacheKeyType\":\"Registry\","
            )
        );
        let (duration, auth) = duration.split_once('"').expect("its end");
        assert!(
            ["30m0s", "29m59s", "29m58s"].contains(&duration),
            "{duration}"
        );
        assert_eq!(
            auth,
            ",\"auth\":{\"us.icr.io\":{\"username\":\"iambearer\","
        );
        assert_eq!(after, "}}}\n");
        assert_eq!((outcome.status, &*outcome.stderr), (Some(0), ""));
    }
}

#[test]
fn the_credential_is_for_the_host_as_the_image_has_it() {
    let Some((env, provider)) = node() else {
        return;
    };
    for (image, host) in [
        ("us.icr.io/ns/app", "us.icr.io"),
        ("us.icr.io/ns/deep/app:1.2", "us.icr.io"),
        ("us.icr.io/ns/app@sha256:0123456789abcdef", "us.icr.io"),
        ("us.icr.io/ns/app:1.2@sha256:0123456789abcdef", "us.icr.io"),
        ("us.icr.io:443/ns/app", "us.icr.io:443"),
        ("US.ICR.IO/ns/app", "US.ICR.IO"),
        ("icr.io/ns/app", "icr.io"),
        ("private.de.icr.io/ns/app", "private.de.icr.io"),
    ] {
        let outcome = run(&env, &provider, &request("v1", image));
        let auth = format!("\"auth\":{{\"{host}\":{{\"username\":\"iambearer\",");
        assert!(outcome.stdout.contains(&auth), "{image}: {outcome:?}");
    }
}

#[test]
fn other_hosts_get_an_empty_answer_that_is_not_kept() {
    let Some((env, provider)) = node() else {
        return;
    };
    for image in [
        "docker.io/library/alpine",
        "quay.io/ns/app",
        "icr.io.evil.com/ns/app",
        "us.icr.io.evil.com/ns/app",
        "evil.com/us.icr.io/app",
        "us.icr.io@evil.com/ns/app",
        "https://us.icr.io/ns/app",
        "us.icr.io:8443/ns/app",
        "us.icr.io:/ns/app",
        "us.icr.io:443:443/ns/app",
        "us.icr.io:99999/ns/app",
        "us.icr.io./ns/app",
        "iambearer:x@us.icr.io/ns/app",
        "[::1]:5000/ns/app",
        "[us.icr.io]/ns/app",
        "/ns/app",
        "us.icr.io/",
        "\u{ff55}s.icr.io/ns/app",
        "dd0.icr.io/ns/app",
        "us.icr.io",
        "alpine",
    ] {
        let outcome = run(&env, &provider, &request("v1", image));
        assert_eq!(outcome.stdout, nothing("v1"), "{image}");
        assert_eq!((outcome.status, &*outcome.stderr), (Some(0), ""));
    }
    assert_eq!(env.cloud.exchanges(), 0);
}

#[test]
fn without_a_login_the_answer_is_empty() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    let provider = provider(&env, &[]);
    let outcome = run(&env, &provider, &request("v1beta1", "us.icr.io/ns/app"));
    assert_eq!(outcome.stdout, nothing("v1beta1"));
    assert_eq!(outcome.status, Some(0));
}

#[test]
fn an_invalid_request_is_an_error_of_one_line() {
    let Some((env, provider)) = node() else {
        return;
    };
    let valid = request("v1", "us.icr.io/ns/app");
    for (input, part) in [
        (String::new(), "not a JSON object"),
        ("us.icr.io\n".to_owned(), "not a JSON object"),
        (
            valid.replace("ProviderRequest", "ProviderResponse"),
            "kind is",
        ),
        (
            valid.replace("kubelet.k8s.io/v1", "kubelet.k8s.io/v2"),
            "apiVersion is",
        ),
        (valid.replace("credentialprovider.", ""), "apiVersion is"),
        (request("v1", ""), "image is empty"),
    ] {
        is_error(&run(&env, &provider, &input), &["kubelet's request", part]);
    }
}

#[test]
fn a_request_that_is_complete_is_answered_though_stdin_stays_open() {
    let Some((env, provider)) = node() else {
        return;
    };
    let valid = request("v1", "us.icr.io/ns/app");
    for input in [&*valid, valid.trim(), &valid.replace('\n', "\r\n")] {
        let mut command = provider.command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the program was built");
        let mut stdin = child.stdin.take().expect("a pipe");
        // The object arrives in two parts.
        let (one, other) = input.split_at(60);
        for part in [one, other] {
            stdin.write_all(part.as_bytes()).expect("it reads");
            stdin.flush().expect("it reads");
        }
        let output = child.wait_with_output().expect("it is our child");
        assert!(output.status.success(), "{input:?}: {output:?}");
        assert!(output.stdout.ends_with(b"}}}\n"), "{input:?}");
        drop(stdin);
    }
    assert_eq!(env.cloud.exchanges(), 1);
}

#[test]
fn an_odd_request_is_refused_in_one_line_without_its_text() {
    let Some((env, provider)) = node() else {
        return;
    };
    let valid = request("v1", "us.icr.io/ns/app");
    let with_member = |member: &str| valid.replace('}', &format!(",{member}}}"));
    let mut inputs: Vec<Vec<u8>> = [
        valid[..valid.len() / 2].to_owned(),
        format!("{valid}{valid}"),
        format!("{valid}hunter2"),
        format!("\u{feff}{valid}"),
        "[".repeat(100_000),
        with_member(&format!("\"x\":{}", "[".repeat(5000))),
        with_member(&format!("\"x\":\"{}\"", "hunter2".repeat(200_000))),
        with_member("\"serviceAccountToken\":{\"hunter2\":1}"),
        valid.replace("\"us.icr.io/ns/app\"", "[\"hunter2\"]"),
        valid.replace("\"CredentialProviderRequest\"", "null"),
        valid.replace("\"image\"", "\"Image\""),
        valid.replace("app", "a\0b"),
    ]
    .map(String::into_bytes)
    .to_vec();
    inputs.push(b"{\"image\":\"\xff\xfe\"}\n".to_vec());
    for input in inputs {
        let mut command = provider.command();
        command.stdout(Stdio::piped());
        let outcome = env.start_as(command, &*input).finish();
        is_error(&outcome, &[]);
        assert!(!outcome.stderr.contains("hunter2"), "{outcome:?}");
    }
    assert_eq!(env.cloud.exchanges(), 0);
}

#[test]
fn a_request_may_have_fields_of_a_later_version() {
    let Some((env, provider)) = node() else {
        return;
    };
    let later = request("v1", "us.icr.io/ns/app").replace('}', ",\"later\":{\"a\":[1]}}");
    assert_eq!(run(&env, &provider, &later).status, Some(0));
}

#[test]
fn another_name_of_the_program_needs_no_arguments() {
    let Some((env, provider)) = node() else {
        return;
    };
    let links = ["icr-credential-provider", "icr-credential-provider.exe"];
    let links = links.map(|name| env.path(name));
    for link in &links {
        symlink(PROGRAM, link).expect("a new name");
    }
    let copy = env.path("icr");
    copy_executable(PROGRAM, &copy);
    for program in links.into_iter().chain([copy]) {
        let mut provider = at(&provider, &program);
        provider.args.clear();
        let kubelet = Kubelet::new(provider);
        let logins = kubelet.logins("us.icr.io/ns/app", None);
        assert_eq!(owner(&logins), "IBMid-node", "{:?}", kubelet.log());
    }
    let mut provider = provider;
    provider.args.clear();
    let outcome = run(&env, &provider, &request("v1", "us.icr.io/ns/app"));
    assert_eq!(
        outcome.status,
        Some(1),
        "its own name is that of docker's helper"
    );
    outcome.has(&outcome.stderr, &["args: [\"kubelet\"]"]);
}

#[test]
fn a_stored_registry_token_or_entitlement_key_is_handed_out_for_minutes() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    env.store("us.icr.io", "token", "REGISTRY-TOKEN-WITHOUT-END")
        .is_silent_success();
    env.store("cp.icr.io", "cp", "ENTITLEMENT-KEY-9c1d")
        .is_silent_success();
    let kubelet = Kubelet::new(provider(&env, &[]));
    for (image, username) in [("us.icr.io/ns/app", "token"), ("cp.icr.io/cp/app", "cp")] {
        let logins = kubelet.logins(image, None);
        assert_eq!(logins.len(), 1, "{:?}", kubelet.log());
        assert_eq!(logins[0].0, username);
        let answers = kubelet.answers();
        assert!(
            answers
                .last()
                .is_some_and(|it| it.contains("\"cacheDuration\":\"5m0s\"")),
            "{answers:?}"
        );
    }
}

#[test]
fn neither_api_keys_nor_refresh_tokens_are_handed_out() {
    let Some((env, mut provider)) = node() else {
        return;
    };
    for kind in ["iamapikey", "iamrefresh"] {
        let settings = env.file(
            "node.toml",
            &format!("[profile.node]\ncredential = \"{kind}\"\n"),
        );
        for (name, value) in [
            ("ICR_CONFIG", &*settings.to_string_lossy()),
            ("ICR_PROFILE", "node"),
        ] {
            provider
                .environment
                .push((name.to_owned(), value.to_owned()));
        }
        let logins = Kubelet::new(provider.clone()).logins("us.icr.io/ns/app", None);
        assert_eq!(owner(&logins), "IBMid-node", "{kind}");
    }
}

#[test]
fn a_refusal_is_remembered_while_the_kubelet_tries_again() {
    let Some((env, provider)) = node() else {
        return;
    };
    env.cloud.accounts().revoke_api_key("API-KEY-OF-THE-NODE");
    let outcomes: Vec<Outcome> = (0..3)
        .map(|number| {
            run(
                &env,
                &provider,
                &request("v1", &format!("us.icr.io/ns/app-{number}")),
            )
        })
        .collect();
    for outcome in &outcomes {
        is_error(outcome, &["IAM rejected it", "$IBMCLOUD_API_KEY"]);
        assert_eq!(outcome.stderr, outcomes[0].stderr);
    }
    assert_eq!(env.cloud.requests().len(), 1);
}

#[test]
fn fifty_processes_at_once_for_ten_images_make_one_exchange() {
    let Some((env, provider)) = node() else {
        return;
    };
    let outcomes = in_parallel(50, |number| {
        let image = format!("us.icr.io/ns/app-{}", number % 10);
        run(&env, &provider, &request("v1", &image))
    });
    assert!(
        outcomes.iter().all(|outcome| outcome.status == Some(0)),
        "{outcomes:?}"
    );
    assert_eq!(env.cloud.exchanges(), 1);
}
