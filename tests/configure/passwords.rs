//! Passwords in clients' files: warnings, and their move to the keychain.

use super::*;

#[test]
fn a_key_is_moved_without_what_was_copied_with_it() {
    for (before, after) in [("", "\n"), ("", "\r\n"), ("", " "), ("\"", "\"")] {
        let Some(env) = TestEnv::with_keychain() else {
            return;
        };
        env.add_api_key(KEY, "me");
        let us = entry(&env, "us.icr.io", &format!("{before}{KEY}{after}"));
        let env = with_docker(env, &format!("{{\"auths\": {{{us}}}}}"));
        let outcome = configure(&env, &["--migrate"]);
        succeeds(&outcome, &["helper added for us.icr.io"]);
        assert!(!content(&env, DOCKER).contains("auth\":"));
        assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
    }
}

#[test]
fn a_password_in_the_file_causes_a_warning_and_is_moved_with_migrate() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    env.add_api_key(KEY, "me");
    let (us, uk) = (
        entry(&env, "us.icr.io", KEY),
        entry(&env, "https://us.icr.io/v1/", KEY),
    );
    let text = format!("{{\"auths\": {{{us}, \"x.io\": {{\"auth\": \"eDp5\"}}, {uk}}}}}");
    let env = with_docker(env, &text);
    let outcome = configure(&env, &["--registry", "us.icr.io"]);
    succeeds(&outcome, &["helper added"]);
    outcome.has(
        &outcome.stderr,
        &[
            "unencrypted passwords for us.icr.io in ",
            "configure --migrate",
        ],
    );
    succeeds(&configure(&env, &["--undo"]), &[]);
    assert_eq!(content(&env, DOCKER), text);
    env.list().is_list(&[]);

    let outcome = configure(&env, &["--migrate"]);
    succeeds(&outcome, &["helper added for us.icr.io"]);
    outcome.has(
        &outcome.stderr,
        &["Moved the password for us.icr.io to the keychain (verified)"],
    );
    let without = "{\"auths\": {\"x.io\": {\"auth\": \"eDp5\"}}";
    assert_eq!(
        content(&env, DOCKER),
        format!("{without}, \"credHelpers\": {{\"us.icr.io\": \"icr\"}}}}")
    );
    env.list().is_list(&[("us.icr.io", "iamapikey")]);
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
    assert_eq!(env.files_with_secrets(), [] as [&Path; 0]);
    succeeds(&configure(&env, &["--undo"]), &[]);
    assert_eq!(
        content(&env, DOCKER),
        format!("{without}}}"),
        "passwords are not restored"
    );
    env.list().is_list(&[("us.icr.io", "iamapikey")]);
}

#[test]
fn a_password_that_fails_the_check_is_not_moved() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    let text = format!("{{\"auths\": {{{}}}}}", entry(&env, "us.icr.io", KEY));
    let env = with_docker(env, &text);
    let migrate = |arguments: &[&str]| {
        let outcome = configure(&env, &[&["--migrate"], arguments].concat());
        assert_eq!(content(&env, DOCKER), text, "{outcome:?}");
        outcome
    };
    let stays = "the password for us.icr.io was not moved: ";
    migrate(&[]).is_user_error(&[stays, "BXNIM0415E"]);
    env.list().is_list(&[]);
    env.add_api_key(KEY, "me");
    env.cloud.always(Some(Fault::Status(503)));
    migrate(&[]).is_user_error(&[stays, "503"]);
    env.list().is_list(&[]);
    env.cloud.always(None);
    env.forget_outages();
    env.add_api_key(OTHER_KEY, "other");
    env.store("us.icr.io", "iamapikey", OTHER_KEY)
        .is_silent_success();
    migrate(&[]).is_user_error(&[stays, "another login", "docker logout us.icr.io", "--force"]);
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-other");
    env.cloud.always(Some(Fault::Status(503)));
    migrate(&["--force"]).is_user_error(&[stays, "503"]);
    env.cloud.always(None);
    env.forget_outages();
    assert_eq!(
        env.get("us.icr.io").is_token_of(),
        "IBMid-other",
        "the former login is restored"
    );
    let outcome = configure(&env, &["--migrate", "--force"]);
    succeeds(&outcome, &["helper added"]);
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
}

#[cfg(unix)]
#[test]
fn a_password_that_is_still_in_a_file_is_not_reported_as_moved() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    env.add_api_key(KEY, "me");
    let text = format!("{{\"auths\": {{{}}}}}", entry(&env, "us.icr.io", KEY));
    let env = with_docker(env, &text);
    env.file(PODMAN, &text);
    set_mode(&env.path(PODMAN), 0o400);
    let outcome = configure(&env, &["--migrate"]);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    outcome.has(
        &outcome.stderr,
        &[
            "the password for us.icr.io is in the keychain (verified), but also still in ",
            "auth.json. Make that file writable",
            "auth.json was not changed: it is read-only",
        ],
    );
    assert!(!outcome.stderr.contains("Moved the"), "{outcome:?}");
    env.list().is_list(&[("us.icr.io", "iamapikey")]);
    assert!(!content(&env, DOCKER).contains("auth\""));
    assert_eq!(content(&env, PODMAN), text);
    set_mode(&env.path(PODMAN), 0o600);
    let outcome = configure(&env, &["--migrate"]);
    succeeds(&outcome, &["helper added"]);
    outcome.has(
        &outcome.stderr,
        &["Moved the password for us.icr.io to the keychain (verified)"],
    );
    assert!(!content(&env, PODMAN).contains("auth\""));
}

#[test]
fn passwords_that_cannot_be_moved_are_reported() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    env.add_api_key(KEY, "me");
    let text = format!(
        "{{\"auths\": {{{}, {}, \"de.icr.io\": {{\"identitytoken\": \"t\"}}, \"uk.icr.io\": {{\"auth\": \"%\"}}, \"jp.icr.io\": {{}}}}}}",
        entry(&env, "us.icr.io", KEY),
        entry(&env, "us.icr.io/namespace", OTHER_KEY),
    );
    let env = with_docker(env, &text);
    let outcome = configure(&env, &["--migrate"]);
    outcome.is_user_error(&[
        "different passwords for us.icr.io",
        "the entry for de.icr.io",
        "token that only its client can use",
        "the entry for uk.icr.io",
        "clients cannot read it either",
    ]);
    assert_eq!(content(&env, DOCKER), text);
    env.list().is_list(&[]);
}

#[test]
fn a_token_that_cannot_be_moved_is_not_a_reason_to_migrate() {
    let env = docker_env(r#"{"auths": {"us.icr.io": {"identitytoken": "t"}}}"#);
    let outcome = configure(&env, &["docker", "--registry", "us.icr.io"]);
    succeeds(&outcome, &["helper added"]);
    outcome.has(&outcome.stderr, &["token that only its client can use"]);
    assert!(!outcome.stderr.contains("--migrate"), "{}", outcome.stderr);
    let doctor = env.run(&["doctor"], "");
    let count = doctor
        .stdout
        .matches("token that only its client can use")
        .count();
    assert_eq!(count, 1, "{}", doctor.stdout);
}

/// As `kill -9` leaves it where the system has no files without a name, and as earlier versions did everywhere.
#[test]
fn a_copy_of_an_interrupted_run_is_reported_and_deleted() {
    let env = docker_env("{}");
    let left = "home/.docker/.docker-credential-icr-Ab12Cd";
    let text = format!("{{\"auths\": {{{}}}}}", entry(&env, "us.icr.io", KEY));
    let path = env.file(left, &text);
    let doctor = env.run(&["doctor"], "");
    let name = path.file_name().expect("it has one").to_string_lossy();
    doctor.has(
        &doctor.stdout,
        &[&name, "left by an interrupted run", "fix: rm "],
    );
    configure(&env, &["docker", "--registry", "us.icr.io", "--dry-run"]);
    assert!(path.exists(), "a dry run changes nothing");
    let outcome = configure(&env, &["docker", "--registry", "us.icr.io"]);
    succeeds(&outcome, &["helper added"]);
    outcome.has(&outcome.stderr, &["deleted ", &name]);
    assert!(!path.exists());
    assert!(env.files_with_secrets().is_empty());
}

/// It is being written or belongs to another user: it stays and is reported.
#[cfg(unix)]
#[test]
fn passwords_are_not_reported_as_moved_while_a_copy_holds_them() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    let text = format!("{{\"auths\": {{{}}}}}", entry(&env, "us.icr.io", KEY));
    env.add_api_key(KEY, "user");
    let env = with_docker(env, &text);
    let path = env.file("home/.docker/.docker-credential-icr-Ab12Cd", &text);
    if std::os::unix::fs::chown(&path, Some(1234), None).is_err() {
        support::skipped("only root can act as another user");
        return;
    }
    let outcome = configure(&env, &["docker", "--registry", "us.icr.io", "--migrate"]);
    succeeds(&outcome, &["helper added"]);
    outcome.has(
        &outcome.stderr,
        &["also still in", ".docker-credential-icr-Ab12Cd"],
    );
    assert!(!outcome.stderr.contains("Moved the"), "{outcome:?}");
    assert!(path.exists());
}

/// `docker logout` of a registry without a helper removes its entry from the file.
fn docker_logout(env: &TestEnv) {
    env.file(DOCKER, "{\"auths\": {}}");
}

#[test]
fn each_hint_about_a_rejected_password_leads_to_a_registry_that_works() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    let text = format!("{{\"auths\": {{{}}}}}", entry(&env, "us.icr.io", KEY));
    let env = with_docker(env, &text);
    env.add_api_key(OTHER_KEY, "other");
    let way_out = [
        "IAM rejects the password in ",
        "config.json (",
        "BXNIM0415E",
        "hint: Remove it with 'docker logout us.icr.io', then run 'docker-credential-icr login' and 'docker-credential-icr configure --registry us.icr.io'",
    ];
    configure(&env, &["--migrate"]).is_user_error(&way_out);
    configure(&env, &["--migrate", "--force"]).is_user_error(&way_out);
    docker_logout(&env);
    let login = ["login", "--api-key-stdin"];
    succeeds(&env.run(&login, OTHER_KEY), &[]);
    let add = ["--registry", "us.icr.io"];
    succeeds(&configure(&env, &add), &["helper added for us.icr.io"]);
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-other");
}

#[test]
fn with_a_login_the_hint_about_a_rejected_password_is_to_remove_it_only() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    let text = format!("{{\"auths\": {{{}}}}}", entry(&env, "us.icr.io", KEY));
    let env = with_docker(env, &text);
    env.add_api_key(OTHER_KEY, "other");
    let login = ["login", "us.icr.io", "--api-key-stdin"];
    succeeds(&env.run(&login, OTHER_KEY), &[]);
    configure(&env, &["--migrate"]).is_user_error(&[
        "To replace that login, use --force. To keep that login, remove the password with 'docker logout us.icr.io'",
    ]);
    configure(&env, &["--migrate", "--force"]).is_user_error(&[
        "hint: Remove it with 'docker logout us.icr.io', then run 'docker-credential-icr configure --registry us.icr.io'",
    ]);
    docker_logout(&env);
    let add = ["--registry", "us.icr.io"];
    succeeds(&configure(&env, &add), &["helper added for us.icr.io"]);
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-other");
}

#[test]
fn the_way_to_remove_a_rejected_password_fits_its_file() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    let us = entry(&env, "us.icr.io", KEY);
    let text = format!("{{\"auths\": {{{us}}}}}");
    let env = with_docker(env, "{}");
    env.file(PODMAN, &text);
    let migrate = ["podman", "--migrate"];
    configure(&env, &migrate).is_user_error(&["Remove it with 'podman logout us.icr.io'"]);
    // 'docker logout' would delete the login in the keychain as well.
    let with_helper =
        format!("{{\"auths\": {{{us}}}, \"credHelpers\": {{\"us.icr.io\": \"icr\"}}}}");
    env.file(DOCKER, &with_helper);
    let migrate = ["docker", "--migrate"];
    configure(&env, &migrate).is_user_error(&[
        "Remove it by hand (the entry 'us.icr.io' in ",
        "config.json), then",
    ]);
}

#[test]
fn several_moved_passwords_are_passwords() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    env.add_api_key(KEY, "me");
    let hosts = ["us.icr.io", "de.icr.io"].map(|host| entry(&env, host, KEY));
    let env = with_docker(env, &format!("{{\"auths\": {{{}}}}}", hosts.join(", ")));
    let outcome = configure(&env, &["--migrate"]);
    succeeds(&outcome, &["helper added"]);
    let note = "Moved the passwords for us.icr.io and de.icr.io to the keychain (verified)";
    assert!(
        outcome.stderr.contains(note)
            || outcome
                .stderr
                .contains("Moved the passwords for de.icr.io and us.icr.io to"),
        "{outcome:?}"
    );
}
