//! The kubelet's credential provider, run as the kubelet runs it.
#![cfg(unix)]

#[path = "../support/mod.rs"]
mod support;

mod foreign_changes;
mod host;
mod install;
mod kubelet;
mod manifests;
mod nodes;
mod requests;
mod rules;
mod service_accounts;
mod setup;
mod signed_tokens;
mod units;

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use kubelet::Kubelet;
use kubelet::Login;
use kubelet::Provider;
use support::Outcome;
use support::TestEnv;

const PROGRAM: &str = env!("CARGO_BIN_EXE_docker-credential-icr");
const V1: &str = "credentialprovider.kubelet.k8s.io/v1";

/// Returns a provider that runs this program with the few variables that a kubelet has, those that separate the test from others,
/// and more.
fn provider(env: &TestEnv, more: &[(&str, &str)]) -> Provider {
    let of_test = [
        "IBMCLOUD_IAM_API_ENDPOINT",
        "ICR_KEYCHAIN",
        "ICR_NAMESPACE",
        "XDG_RUNTIME_DIR",
    ];
    let text = |name: &str| {
        let value = env.variable(name).expect(name);
        (name.to_owned(), value.into_string().expect("UTF-8"))
    };
    let more = more
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Provider {
        program: PathBuf::from(PROGRAM),
        args: vec!["kubelet".to_owned()],
        api_version: V1.to_owned(),
        match_images: ["*.icr.io", "*.icr.io:443", "icr.io", "quay.io"]
            .map(str::to_owned)
            .to_vec(),
        default_cache_duration: Duration::from_secs(12 * 60 * 60),
        environment: of_test.map(text).into_iter().chain(more).collect(),
        token_attributes: None,
        timeout: Duration::from_secs(60),
    }
}

/// Creates an environment with a key of the node, and the kubelet's provider.
fn node() -> Option<(TestEnv, Provider)> {
    let env = TestEnv::with_keychain()?;
    env.add_api_key("API-KEY-OF-THE-NODE", "node");
    let provider = provider(&env, &[("IBMCLOUD_API_KEY", "API-KEY-OF-THE-NODE")]);
    Some((env, provider))
}

/// Returns the owner of the only login, an access token.
#[track_caller]
fn owner(logins: &[Login]) -> String {
    let [(username, password)] = logins else {
        panic!("{logins:?}");
    };
    assert_eq!(username, "iambearer");
    let claims = support::token::claims(password);
    claims["iam_id"].as_str().expect("an owner").to_owned()
}

/// Runs the provider once, with this input.
fn run(env: &TestEnv, provider: &Provider, input: &str) -> Outcome {
    start(env, provider, input).finish()
}

fn start(env: &TestEnv, provider: &Provider, input: &str) -> support::Running {
    let mut command = provider.command();
    command.stdout(std::process::Stdio::piped());
    env.start_as(command, input)
}

fn request(version: &str, image: &str) -> String {
    let group = "credentialprovider.kubelet.k8s.io";
    format!(
        "{{\"kind\":\"CredentialProviderRequest\",\"apiVersion\":\"{group}/{version}\",\"image\":\"{image}\"}}\n"
    )
}

/// Writes a script, and returns a provider that runs it.
fn script(env: &TestEnv, provider: &Provider, text: &str) -> Kubelet {
    let path = env.path("provider");
    support::write_executable(format!("#!/bin/sh\n{text}\n").as_bytes(), &path);
    Kubelet::new(at(provider, &path))
}

fn at(provider: &Provider, program: &Path) -> Provider {
    Provider {
        program: program.to_owned(),
        ..provider.clone()
    }
}

/// Checks for an error: one line on stderr without its end, nothing on stdout.
#[track_caller]
fn is_error(outcome: &Outcome, parts: &[&str]) {
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    assert_eq!(outcome.stdout, "", "{outcome:?}");
    assert!(!outcome.stderr.is_empty(), "{outcome:?}");
    assert!(!outcome.stderr.contains(char::is_control), "{outcome:?}");
    outcome.has(&outcome.stderr, parts);
}
