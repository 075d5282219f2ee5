//! Which clients and registries are configured, and the advice about them.

use super::*;

#[test]
fn without_a_terminal_registries_with_a_login_are_configured() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    let env = with_docker(env, "{}");
    configure(&env, &[]).is_user_error(&["configure --registry us.icr.io"]);
    env.store("de.icr.io", "iamapikey", KEY).is_silent_success();
    env.store("us.icr.io", "iamapikey", KEY).is_silent_success();
    let outcome = configure(&env, &[]);
    succeeds(&outcome, &["helper added for us.icr.io and de.icr.io"]);
    outcome.has(&outcome.stderr, &["found in the logins"]);
}

#[test]
fn with_a_default_login_the_registries_in_the_files_are_configured() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    env.add_api_key(KEY, "me");
    let text = format!("{{\"auths\": {{{}}}}}", entry(&env, "de.icr.io", OTHER_KEY));
    let env = with_docker(env, &text);
    configure(&env, &[]).is_user_error(&[
        "unencrypted passwords were found for de.icr.io",
        "configure --migrate",
        "configure --registry us.icr.io",
    ]);
    assert_eq!(env.run(&["login", "--api-key-stdin"], KEY).status, Some(0));
    let outcome = configure(&env, &[]);
    succeeds(&outcome, &["helper added for de.icr.io"]);
    outcome.has(
        &outcome.stderr,
        &["found in the logins and the clients' files"],
    );
}

#[test]
fn many_registries_cause_a_warning_about_slow_builds() {
    let env = docker_env("{}");
    let outcome = configure(&env, &["--all"]);
    succeeds(&outcome, &["icr.io, us.icr.io, uk.icr.io", "in2.icr.io"]);
    assert!(!content(&env, DOCKER).contains("private"));
    outcome.has(
        &outcome.stderr,
        &[
            "warning: a classic `docker build`",
            "14 registries",
            "all 14 registries, one after the other",
        ],
    );
    let few = with_docker(TestEnv::with_environment_key(), "{}");
    assert_eq!(configure(&few, &["--registry", "us.icr.io"]).stderr, "");
}

#[test]
fn a_client_after_the_registry_option_is_reported() {
    let env = docker_env("{}");
    let outcome = configure(&env, &["--registry", "us.icr.io", "docker"]);
    outcome.is_user_error(&["'docker-credential-icr configure docker --registry us.icr.io'"]);
    let outcome = configure(&env, &["--registry", "podman"]);
    outcome.is_user_error(&["'docker-credential-icr configure podman --registry REGISTRY'"]);
    assert_eq!(content(&env, DOCKER), "{}");
}

#[test]
fn registries_without_a_login_are_noted_with_the_command() {
    let mut env = docker_env("{}");
    env.settings("[profile.a]\n[registry.\"de.icr.io\"]\nprofile = \"a\"\n");
    let hosts = [
        "us.icr.io",
        "uk.icr.io",
        "de.icr.io",
        "stg.icr.io",
        "cp.icr.io",
    ];
    let all = [&["--registry"], &hosts[..]].concat();
    let stderr_of = |outcome: &Outcome| {
        let lines = outcome.stderr.lines();
        let lines = lines.filter(|line| line.starts_with("note: not logged in to "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let dry = configure(&env, &[&all[..], &["--dry-run"]].concat());
    assert_eq!(stderr_of(&dry), [""; 0], "nothing was configured");
    assert_eq!(
        stderr_of(&configure(&env, &all)),
        [
            "note: not logged in to cp.icr.io. Run 'docker login -u cp cp.icr.io'",
            "note: not logged in to de.icr.io. Run 'docker-credential-icr login --profile a'",
            "note: not logged in to stg.icr.io. Run 'docker-credential-icr login stg.icr.io'",
            "note: not logged in to us.icr.io and uk.icr.io. Run 'docker-credential-icr login' or, in a CI job, set IBMCLOUD_API_KEY",
        ]
    );
    env.set_environment_key();
    let asked = env.cloud.requests().len();
    assert_eq!(stderr_of(&configure(&env, &all)), [""; 0]);
    assert_eq!(env.cloud.requests().len(), asked, "no request was sent");
}

#[test]
fn other_registries_and_contradicting_arguments_are_rejected() {
    let env = docker_env("{}");
    configure(&env, &["--registry", "ghcr.io"])
        .is_user_error(&["ghcr.io is not an IBM Cloud registry"]);
    for arguments in [
        &["--undo", "--all"][..],
        &["--all", "--registry", "icr.io"],
        &["kubernetes"],
    ] {
        assert_eq!(configure(&env, arguments).status, Some(2), "{arguments:?}");
    }
    assert_eq!(content(&env, DOCKER), "{}");
}

#[test]
fn docker_from_a_snap_causes_a_warning() {
    let env = docker_env("{}");
    fs::create_dir_all(env.path("home/snap/docker/current/.docker"))
        .expect("the test may change it");
    env.file("home/snap/docker/current/.docker/config.json", "{}");
    let outcome = configure(&env, &["--registry", "us.icr.io"]);
    outcome.has(
        &outcome.stderr,
        &[
            "Docker from a snap reads ",
            "snap/docker/current/.docker/config.json",
        ],
    );
    assert_eq!(
        content(&env, "home/snap/docker/current/.docker/config.json"),
        "{}"
    );
}

#[test]
fn losing_dockers_default_keychain_causes_a_warning() {
    let mut env = docker_env("{\"auths\": {}}");
    env.set_environment_key();
    fs::create_dir(env.path("bin")).expect("the test may change it");
    env.file("bin/docker-credential-secretservice", "");
    #[cfg(unix)]
    support::set_mode(&env.path("bin/docker-credential-secretservice"), 0o755);
    let path = env.path("bin");
    env.set("PATH", path);
    if cfg!(target_os = "linux") {
        let outcome = configure(&env, &["--registry", "us.icr.io"]);
        outcome.has(
            &outcome.stderr,
            &["To keep it, add `\"credsStore\": \"secretservice\"` to "],
        );
        assert_eq!(configure(&env, &["--registry", "de.icr.io"]).stderr, "");
    }
}

#[test]
fn the_word_that_is_not_a_registry_is_named() {
    let env = docker_env("{}");
    let not_shown = "abcdEFGH1234abcdEFGH1234abcdEFGH1234abcdEFGH";
    env.add_secret(not_shown);
    for (words, parts) in [
        (
            &["us.icr.io", "us-south"][..],
            &[
                "registry 2: us-south is a region, not a registry",
                "Use its registry, us.icr.io",
            ][..],
        ),
        (
            &["EU-DE"],
            &["eu-de is a region", "Use its registry, de.icr.io"],
        ),
        (
            &["us.icr.io", "uk"],
            &[
                "registry 2: this is not an IBM Cloud registry",
                "Did you mean uk.icr.io?",
            ],
        ),
        (
            &["us.icr.io", "de.icr.io", not_shown],
            &["registry 3: this is not an IBM Cloud registry"],
        ),
        (
            &["us.icr.io", "gcr.io"],
            &["gcr.io is not an IBM Cloud registry"],
        ),
    ] {
        let arguments = [&["docker", "--registry"], words].concat();
        configure(&env, &arguments).is_user_error(parts);
    }
    assert_eq!(content(&env, DOCKER), "{}");
}
