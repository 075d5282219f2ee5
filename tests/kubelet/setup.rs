//! The configuration of the kubelet: what `kubelet config` prints, and what `kubelet check` finds.

use std::fs;

use yaml_rust2::Yaml;
use yaml_rust2::YamlLoader;

use super::*;
use crate::support::copy_executable;
use crate::support::create_own_etc;
use crate::support::with_own_etc;

fn config(env: &TestEnv, arguments: &[&str]) -> String {
    let outcome = env.run(&[&["kubelet", "config"], arguments].concat(), "");
    assert_eq!(
        (outcome.status, &*outcome.stderr),
        (Some(0), ""),
        "{outcome:?}"
    );
    outcome.stdout
}

fn parsed(text: &str) -> Yaml {
    let mut documents = YamlLoader::load_from_str(text).expect(text);
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

/// Runs `kubelet check` for a configuration, with the program in a directory of its own.
fn check(env: &TestEnv, text: &str) -> Outcome {
    let directory = env.path("providers");
    fs::create_dir_all(&directory).expect("the test may change it");
    let program = directory.join("icr-credential-provider");
    if !program.exists() {
        copy_executable(PROGRAM, &program);
    }
    let file = env.file("provider.yaml", text);
    let [file, directory] = [file, directory].map(|path| path.to_string_lossy().into_owned());
    env.run(&["kubelet", "check", &file, "--bin-dir", &directory], "")
}

#[test]
fn a_relative_directory_is_that_of_the_caller() {
    let env = TestEnv::new();
    let text = config(&env, &["--registry", "us.icr.io"]);
    let outcome = check(&env, &text);
    let file = env.path("provider.yaml").display().to_string();
    let mut command = env.command(&["kubelet", "check", &file, "--bin-dir", "providers"]);
    command.current_dir(env.path(""));
    let relative = env.start_as(command, "").finish();
    assert!(
        !relative.stdout.contains("cannot be started"),
        "{relative:?}"
    );
    assert_eq!(relative.status, outcome.status);
}

/// Adds the variables that separate a test from others to a configuration, as the kubelet's `env`.
fn with_test_variables(text: &str, provider: &Provider) -> String {
    let variables = provider.environment.iter();
    let variables = variables.map(|(name, value)| format!("{{name: {name}, value: \"{value}\"}}"));
    let variables: Vec<String> = variables.collect();
    let env = format!(
        "    args: [\"kubelet\"]\n    env: [{}]\n",
        variables.join(", ")
    );
    text.replace("    args: [\"kubelet\"]\n", &env)
}

#[test]
fn the_whole_output_is_a_configuration_with_exact_hosts() {
    let env = TestEnv::new();
    let arguments = ["--registry", "us.icr.io/*", "https://private.de.icr.io"];
    for distribution in ["kubeadm", "k3s", "rke2", "talos", "microshift", "openshift"] {
        let text = config(&env, &[&arguments[..], &["--for", distribution]].concat());
        let provider = &parsed(&text)["providers"][0];
        let patterns: Vec<&str> = provider["matchImages"]
            .as_vec()
            .expect("patterns")
            .iter()
            .map(|pattern| pattern.as_str().expect("a text"))
            .collect();
        assert_eq!(patterns, ["us.icr.io", "private.de.icr.io"]);
        assert!(provider["tokenAttributes"].is_badvalue());
        assert!(!text.contains("ClusterRole"));
        let flags = config(&env, &["--for", distribution, "--only", "flags"]);
        let of_flags = [
            "credential-provider",
            "imageCredentialProvider",
            "KubeCredentialProvider",
        ];
        assert!(of_flags.iter().any(|part| flags.contains(part)), "{flags}");
    }
    let text = config(&env, &[]);
    for image in [
        "icr.io/a",
        "us.icr.io/a",
        "private.us.icr.io/a",
        "cp.icr.io/a",
    ] {
        let patterns = parsed(&text)["providers"][0]["matchImages"].clone();
        let mut patterns = patterns.into_iter();
        let is_matched = patterns.any(|it| kubelet::matches(it.as_str().expect("a text"), image));
        assert!(is_matched, "{image}");
    }
}

#[test]
fn service_accounts_need_attributes_and_rights() {
    let env = TestEnv::new();
    let arguments = [
        "--registry",
        "us.icr.io",
        "--service-accounts",
        "--profile",
        "Profile-1",
    ];
    let text = config(&env, &arguments);
    let provider = &parsed(&text)["providers"][0];
    let attributes = &provider["tokenAttributes"];
    assert_eq!(
        attributes["serviceAccountTokenAudience"].as_str(),
        Some("iam")
    );
    assert_eq!(attributes["cacheType"].as_str(), Some("ServiceAccount"));
    assert_eq!(attributes["requireServiceAccount"].as_bool(), Some(false));
    let variable = &provider["env"][0];
    assert_eq!(
        variable["name"].as_str(),
        Some("ICR_SERVICE_ACCOUNT_PROFILE")
    );
    assert_eq!(variable["value"].as_str(), Some("Profile-1"));
    assert!(text.contains("request-serviceaccounts-token-audience"));
    let rights = config(&env, &["--service-accounts", "--only", "rbac"]);
    let documents = YamlLoader::load_from_str(&rights).expect("YAML");
    assert_eq!(
        documents[1]["subjects"][0]["name"].as_str(),
        Some("system:nodes")
    );
    let without = env.run(&["kubelet", "config", "--profile", "Profile-1"], "");
    without.is_usage_error(&["--service-accounts"]);
    let other = env.run(&["kubelet", "config", "--registry", "quay.io"], "");
    other.is_user_error(&["quay.io"]);
}

#[test]
fn a_printed_configuration_passes_the_check_and_gets_a_credential() {
    let Some((env, provider)) = node() else {
        return;
    };
    let text = config(&env, &["--registry", "us.icr.io", "icr.io"]);
    let outcome = check(&env, &with_test_variables(&text, &provider));
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    outcome.has(
        &outcome.stdout,
        &["ok", "us.icr.io (kept for", "icr.io (kept for"],
    );
}

#[test]
fn the_check_finds_what_is_fatal_never_asked_or_fails() {
    let Some((env, provider)) = node() else {
        return;
    };
    let valid = with_test_variables(&config(&env, &["--registry", "us.icr.io"]), &provider);
    for (from, to, parts) in [
        (
            "providers:",
            "provider:",
            &["the kubelet does not start", "unknown key"][..],
        ),
        (
            "\"us.icr.io\"",
            "\"us.icr.io/*\"",
            &["never asks for", "fix: Use \"us.icr.io\""],
        ),
        (
            "name: icr-cred",
            "name: docker-credential-icr-cred",
            &["does not exist"],
        ),
        (
            "API-KEY-OF-THE-NODE",
            "API-KEY-OF-NO-NODE",
            &["failed: cannot get a token", "IAM rejected it"],
        ),
    ] {
        let outcome = check(&env, &valid.replacen(from, to, 1));
        assert_eq!(outcome.status, Some(1), "{outcome:?}");
        outcome.has(&outcome.stdout, &[&["problem"], parts].concat());
    }
    env.run(&["kubelet", "check"], "")
        .is_user_error(&["no configuration of credential providers"]);
    env.run(&["kubelet", "chekc"], "")
        .is_usage_error(&["check"]);
    let help = env.run(&["kubelet", "--help"], "");
    assert!(help.stdout.contains("config"), "{help:?}");
}

/// Returns a configuration that sends tokens of service accounts, with the variables of the test.
fn with_service_accounts(env: &TestEnv, provider: &Provider) -> String {
    let text = config(env, &["--registry", "us.icr.io", "--service-accounts"]);
    with_test_variables(&text, provider)
}

#[test]
fn the_check_tries_a_made_up_token_and_says_how_to_try_a_real_one() {
    let Some((env, provider)) = node() else {
        return;
    };
    let text = with_service_accounts(&env, &provider);
    for requires_account in [false, true] {
        let requires = format!("requireServiceAccount: {requires_account}");
        let text = text.replace("requireServiceAccount: false", &requires);
        let outcome = check(&env, &text);
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        outcome.has(
            &outcome.stdout,
            &[
                "no credential for a made-up token",
                "kubectl create token NAME --audience iam",
            ],
        );
        let answers_without = outcome.stdout.contains("answers the kubelet for us.icr.io");
        assert_eq!(answers_without, !requires_account, "{outcome:?}");
    }
    let settings = env.file("node.toml", "service-account-fallback = \"node\"\n");
    let variable = format!(
        "env: [{{name: ICR_CONFIG, value: \"{}\"}}, ",
        settings.display()
    );
    let outcome = check(&env, &text.replace("env: [", &variable));
    outcome.has(
        &outcome.stdout,
        &["warning", "gives a pod the node's identity"],
    );
}

#[test]
fn the_check_tries_the_token_of_a_service_account() {
    let Some((env, provider)) = node() else {
        return;
    };
    let text = with_service_accounts(&env, &provider);
    let token = crate::service_accounts::token("build", "deployer", 1, &serde_json::json!({}));
    env.add_compute_resource_token(&token, &["Profile-1"]);
    env.add_secret(&token);
    let file = env.file("token", &format!("{token}\n"));
    check(&env, &text);
    let run = |file: &str, profile: &str, input: &str| {
        let [config, directory] =
            ["provider.yaml", "providers"].map(|name| env.path(name).display().to_string());
        let arguments = ["kubelet", "check", &config, "--bin-dir", &directory];
        let more = ["--service-account-token", file, "--profile", profile];
        env.run(&[&arguments[..], &more].concat(), input)
    };
    for (file, input) in [(&*file.to_string_lossy(), ""), ("-", &*token)] {
        let outcome = run(file, "Profile-1", input);
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        let found = "with the token of the service account";
        outcome.has(&outcome.stdout, &["us.icr.io (kept for", found]);
        let outcome = run(file, "Profile-2", input);
        assert_eq!(outcome.status, Some(1), "{outcome:?}");
        outcome.has(&outcome.stdout, &["IAM rejected it", "build/deployer"]);
    }
}

#[test]
fn doctor_and_the_check_find_the_configuration_of_the_node() {
    let Some((env, provider)) = node() else {
        return;
    };
    if !create_own_etc(&env) {
        return;
    }
    let text = config(&env, &["--registry", "us.icr.io"]);
    let text = with_test_variables(&text, &provider);
    check(&env, &text);
    let [config, directory] =
        ["provider.yaml", "providers"].map(|name| env.path(name).display().to_string());
    let flags = format!(
        "KUBELET_EXTRA_ARGS=\"--image-credential-provider-config={config} --image-credential-provider-bin-dir={directory}\"\n"
    );
    fs::create_dir(env.path("etc/default")).expect("a new directory");
    env.file("etc/default/kubelet", &flags);
    let run = |arguments: &[&str]| {
        let mut command = with_own_etc(&env, PROGRAM);
        command.args(arguments).stdout(std::process::Stdio::piped());
        env.apply_to(&mut command);
        env.start_as(command, "").finish()
    };
    let outcome = run(&["kubelet", "check"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    outcome.has(&outcome.stdout, &["answers the kubelet for us.icr.io"]);
    let outcome = run(&["doctor"]);
    outcome.has(&outcome.stdout, &["answers the kubelet for us.icr.io"]);
    env.file(
        "provider.yaml",
        &text.replace("\"us.icr.io\"", "\"us.icr.io/*\""),
    );
    for arguments in [&["kubelet", "check"][..], &["doctor"]] {
        let outcome = run(arguments);
        assert_eq!(outcome.status, Some(1), "{outcome:?}");
        outcome.has(&outcome.stdout, &["problem", "never asks for"]);
    }
}
