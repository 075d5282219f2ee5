//! `login` and `logout`: what they store and delete, also when they fail.

mod support;

use std::fs;

use icr_emulator::Fault;
use icr_emulator::Profile;
use icr_emulator::Service;
use icr_emulator::Subject;
use serde_json::Value;
use serde_json::json;

use support::Input;
use support::Outcome;
use support::TestEnv;
use support::in_parallel;

const KEY: &str = "LOGIN-API-KEY-77aa";
const OTHER_KEY: &str = "LOGIN-API-KEY-88bb";
const REFRESH_TOKEN: &str = "LOGIN-REFRESH-TOKEN-99cc";

/// Returns a machine with a keychain, and a cloud with two API keys and a session.
fn test_env() -> Option<TestEnv> {
    env_with("kernel")
}

fn env_with(keychain: &str) -> Option<TestEnv> {
    let env = TestEnv::with_keychain_named(keychain)?;
    env.add_api_key(KEY, "me");
    env.add_api_key(OTHER_KEY, "other");
    env.add_secret(REFRESH_TOKEN);
    let subject = Subject::user("me");
    env.cloud
        .accounts()
        .add_refresh_token(REFRESH_TOKEN, subject);
    Some(env)
}

/// Returns the same with a session of the IBM Cloud CLI, which `get` does not use.
fn env_with_session() -> Option<TestEnv> {
    let mut env = test_env()?;
    env.set("ICR_SOURCE", "login");
    write_session(&env);
    Some(env)
}

const SESSION: &str = "home/.ibmcloud/config.json";

fn write_session(env: &TestEnv) {
    fs::create_dir_all(env.path("home/.ibmcloud")).expect("the directory is ours");
    let session = json!({"IAMToken": "", "IAMRefreshToken": REFRESH_TOKEN, "Region": "us-south"});
    env.file(SESSION, &session.to_string());
}

/// Asserts success with these parts on stdout, and nothing on stderr.
#[track_caller]
fn answer(outcome: &Outcome, parts: &[&str]) {
    assert_eq!(
        (outcome.status, &*outcome.stderr),
        (Some(0), ""),
        "{outcome:?}"
    );
    outcome.has(&outcome.stdout, parts);
}

/// Asserts success with these parts on stderr.
#[track_caller]
fn answer_with_warning(outcome: &Outcome, parts: &[&str]) {
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    outcome.has(&outcome.stderr, parts);
}

#[track_caller]
fn as_json(outcome: &Outcome) -> Value {
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    serde_json::from_str(&outcome.stdout).expect("one JSON value")
}

fn log_in(env: &TestEnv, key: &str, arguments: &[&str]) -> Outcome {
    let arguments = [&["login", "--api-key-stdin"], arguments].concat();
    env.run(&arguments, key)
}

/// Returns the API key that is stored for a registry. From now on, no output may show it.
fn stored_key(env: &mut TestEnv, host: &str) -> String {
    env.settings("[profile.key]\ncredential = \"iamapikey\"\n");
    env.set("ICR_PROFILE", "key");
    let key = env.get(host).is_credential("iamapikey");
    env.unset("ICR_PROFILE");
    env.settings("");
    key
}

#[test]
fn a_key_on_stdin_is_checked_and_used_for_all_registries() {
    let Some(env) = test_env() else { return };
    let outcome = log_in(&env, &format!("  {KEY}\r\n"), &[]);
    answer(
        &outcome,
        &[
            "user me@registry-tests.example.com (IBMid-me) of account account-1",
            "Logged in to all registries",
            "kernel keyring",
        ],
    );
    assert_eq!(env.cloud.exchanges(), 1);
    for host in ["us.icr.io", "private.de.icr.io"] {
        assert_eq!(env.get(host).is_token_of(), "IBMid-me");
    }
    env.get("cp.icr.io").is_token_of();
}

#[test]
fn a_key_file_may_be_plain_text_or_json() {
    let Some(env) = test_env() else { return };
    env.file("plain", &format!("{KEY}\n"));
    let json = json!({"name": "n", "apikey": OTHER_KEY, "createdAt": "2026-01-01T00:00+0000"});
    env.file("home/key.json", &json.to_string());
    for (argument, owner) in [("@plain", "IBMid-me"), ("@~/key.json", "IBMid-other")] {
        env.run(&["logout"], "");
        let outcome = env.run(&["login", "--api-key", argument], Input::Open);
        answer(&outcome, &[owner]);
        assert_eq!(env.get("us.icr.io").is_token_of(), owner);
    }
    for (argument, reason) in [("@missing", "No such file"), ("@home", "directory")] {
        let outcome = env.run(&["login", "--api-key", argument], Input::Open);
        outcome.is_user_error(&[&argument[1..], reason]);
    }
}

#[test]
fn a_key_as_an_argument_is_rejected() {
    let Some(env) = test_env() else { return };
    let outcome = env.run(&["login", "--api-key", KEY], "");
    outcome.is_user_error(&["--api-key-stdin", "@", "other users"]);
    let outcome = env.run(&["login", KEY], "");
    outcome.is_user_error(&["not an IBM Cloud registry"]);
    assert_eq!(env.cloud.exchanges(), 0);
}

#[test]
fn without_a_terminal_nothing_is_prompted_for() {
    let Some(mut env) = test_env() else { return };
    for arguments in [&["login"][..], &["login", "us.icr.io"]] {
        let outcome = env.run(arguments, Input::Open);
        outcome.is_user_error(&["--api-key-stdin", "--api-key @FILE"]);
        assert!(!outcome.stderr.contains("IBMCLOUD_API_KEY"), "{outcome:?}");
    }
    env.set("IBMCLOUD_API_KEY", KEY);
    let outcome = env.run(&["login"], Input::Open);
    outcome.is_user_error(&["$IBMCLOUD_API_KEY", "no login is needed"]);
    assert_eq!(env.cloud.exchanges(), 0);
}

#[test]
fn invalid_input_is_not_sent_to_iam() {
    let Some(env) = test_env() else { return };
    let large = vec![b'k'; 200_000];
    for (input, reason) in [
        (Input::from(""), "empty"),
        (Input::from(" \n\n"), "empty"),
        (
            Input::from("one-secret\ntwo-secret\n"),
            "more than one line",
        ),
        (Input::from(&b"\xff\xfe\x00"[..]), "not UTF-8 text"),
        (Input::from(&b"a\x1bb"[..]), "not plain text"),
        (Input::from("{\"secret\": 1}"), "apikey"),
        (Input::from(&large[..]), "too large"),
        (Input::Endless, "too large"),
    ] {
        let outcome = env.run(&["login", "--api-key-stdin"], input);
        outcome.is_user_error(&[reason]);
        assert!(outcome.stderr.len() < 1000, "{outcome:?}");
        assert!(!outcome.stderr.contains("secret"), "{outcome:?}");
    }
    assert_eq!(env.cloud.exchanges(), 0);
}

#[test]
fn a_failed_login_keeps_the_stored_one() {
    let Some(env) = test_env() else { return };
    answer(&log_in(&env, OTHER_KEY, &["us.icr.io"]), &[]);
    env.settings("deadline = 1\n");
    env.cloud.accounts().disable_api_key(KEY);
    log_in(&env, KEY, &["us.icr.io", "de.icr.io"]).is_user_error(&["disabled", "the API key"]);
    env.cloud.accounts().revoke_api_key(KEY);
    log_in(&env, KEY, &["us.icr.io", "de.icr.io"]).is_user_error(&["BXNIM0415E"]);
    for fault in [
        Fault::Status(503),
        Fault::Garbage,
        Fault::Html,
        Fault::Empty,
    ] {
        env.cloud.always(Some(fault));
        log_in(&env, KEY, &["us.icr.io", "de.icr.io"]).is_temporary_error(&["the API key"]);
    }
    env.cloud.always(None);
    env.list().is_list(&[("us.icr.io", "iamapikey")]);
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-other");
    env.get("de.icr.io").is_not_found();
}

#[test]
fn without_a_keychain_no_request_is_sent() {
    let env = TestEnv::new();
    env.add_api_key(KEY, "me");
    let outcome = env.run(&["login", "--api-key-stdin"], Input::Open);
    outcome.is_user_error(&["ICR_KEYCHAIN", "IBMCLOUD_API_KEY"]);
    assert_eq!(env.cloud.exchanges(), 0);
    answer(
        &env.run(&["logout"], Input::Open),
        &["No default login is stored"],
    );
    answer(
        &env.run(&["logout", "--all", "--revoke"], Input::Open),
        &["No login is stored"],
    );
}

#[test]
fn a_login_may_be_for_several_registries_in_any_spelling() {
    let Some(env) = test_env() else { return };
    env.settings("registries = [\"registry.example.com\"]\n");
    let hosts = [
        "https://US.icr.io/v2/",
        "de.icr.io",
        "us.icr.io",
        "registry.example.com",
    ];
    answer(
        &log_in(&env, KEY, &hosts),
        &["us.icr.io, de.icr.io and registry.example.com"],
    );
    env.list().is_list(&[
        ("de.icr.io", "iamapikey"),
        ("registry.example.com", "iamapikey"),
        ("us.icr.io", "iamapikey"),
    ]);
    assert_eq!(env.get("registry.example.com").is_token_of(), "IBMid-me");
    env.get("uk.icr.io").is_not_found();
    for host in ["ghcr.io", "us.icr.io.example.com"] {
        log_in(&env, KEY, &[host]).is_user_error(&[host, "not an IBM Cloud registry"]);
    }
    log_in(&env, KEY, &["cp.icr.io"]).is_user_error(&["docker login -u cp cp.icr.io"]);
    log_in(&env, KEY, &["--profile", "x", "us.icr.io"]).is_usage_error(&["--profile"]);
}

const TWO_TEAMS: &str = r#"
[profile.team-a]
[profile.team-b]
[registry."us.icr.io"]
profile = "team-a"
[registry."de.icr.io"]
profile = "team-b"
"#;

#[test]
fn two_profiles_have_two_logins() {
    let Some(mut env) = test_env() else { return };
    env.settings(TWO_TEAMS);
    log_in(&env, KEY, &["--profile", "team-aa"])
        .is_user_error(&["team-aa", "Did you mean 'team-a'?"]);
    answer(
        &log_in(&env, KEY, &["--profile", "team-a"]),
        &["profile 'team-a'"],
    );
    env.set("ICR_PROFILE", "team-b");
    answer(&log_in(&env, OTHER_KEY, &[]), &["profile 'team-b'"]);
    env.unset("ICR_PROFILE");
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
    assert_eq!(env.get("de.icr.io").is_token_of(), "IBMid-other");
    env.get("uk.icr.io").is_not_found();
    let outcome = env.run(&["logout", "--profile", "team-b"], "");
    answer(&outcome, &["Deleted", "profile 'team-b'"]);
    env.get("de.icr.io").is_not_found();
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
    env.settings("");
    let outcome = env.run(&["logout", "--profile", "team-a"], "");
    answer(&outcome, &["Deleted", "profile 'team-a'"]);
}

#[test]
fn the_json_keys_are_stable() {
    let Some(env) = test_env() else { return };
    let outcome = log_in(&env, KEY, &["us.icr.io", "--json"]);
    assert_eq!(outcome.stderr, "");
    let owner = json!({
        "kind": "user", "iam_id": "IBMid-me", "account": "account-1",
        "name": "Emulated Identity me", "email": "me@registry-tests.example.com",
    });
    let scopes = json!([{"kind": "registry", "registry": "us.icr.io"}]);
    let login = json!({
        "scopes": scopes, "username": "iamapikey", "owner": owner,
        "trusted_profile": null, "api_key": null, "keychain": "kernel",
    });
    assert_eq!(
        as_json(&outcome),
        json!({"logins": [login], "warnings": []})
    );
    let logout = |missing: Value, deleted: Value| json!({"deleted_logins": deleted, "missing_logins": missing, "deleted_api_keys": [], "warnings": []});
    let outcome = env.run(&["logout", "us.icr.io", "--json"], "");
    assert_eq!(as_json(&outcome), logout(json!([]), scopes.clone()));
    let outcome = env.run(&["logout", "us.icr.io", "--json"], "");
    assert_eq!(as_json(&outcome), logout(scopes, json!([])));
    let outcome = env.run(&["logout", "--json"], "");
    assert_eq!(
        as_json(&outcome),
        logout(json!([{"kind": "default"}]), json!([]))
    );
}

#[test]
fn a_login_that_is_not_used_causes_a_warning() {
    let Some(mut env) = test_env() else { return };
    env.settings(TWO_TEAMS);
    answer(&log_in(&env, OTHER_KEY, &["--profile", "team-a"]), &[]);
    let outcome = log_in(&env, KEY, &["us.icr.io"]);
    answer_with_warning(
        &outcome,
        &[
            "warning: the login for profile",
            "takes precedence for us.icr.io",
        ],
    );
    let outcome = log_in(&env, KEY, &["--json"]);
    answer_with_warning(&outcome, &["us.icr.io", "de.icr.io"]);
    let warnings = as_json(&outcome)["warnings"].clone();
    assert_eq!(warnings.as_array().map(Vec::len), Some(2), "{warnings}");
    env.settings("[profile.alone]\n");
    let outcome = log_in(&env, KEY, &["--profile", "alone"]);
    answer_with_warning(&outcome, &["no registry uses profile 'alone'"]);
    env.settings("");
    env.set("IBMCLOUD_API_KEY", OTHER_KEY);
    let outcome = log_in(&env, KEY, &["uk.icr.io"]);
    answer_with_warning(
        &outcome,
        &["takes precedence for uk.icr.io. To use this login, unset $IBMCLOUD_API_KEY"],
    );
    env.set("ICR_SOURCE", "ibmcloud");
    let outcome = log_in(&env, KEY, &["uk.icr.io"]);
    answer_with_warning(
        &outcome,
        &["this login is not used for uk.icr.io", "ibmcloud"],
    );
}

#[test]
fn the_session_of_the_cli_is_used_and_not_changed() {
    let Some(env) = env_with_session() else {
        return;
    };
    let session = fs::read(env.path(SESSION)).expect("we wrote it");
    let outcome = env.run(&["login", "--from-ibmcloud"], Input::Open);
    answer(&outcome, &["IBMid-me", "session", "--create-api-key"]);
    assert_eq!(fs::read(env.path(SESSION)).expect("it is there"), session);
    fs::remove_file(env.path(SESSION)).expect("it is ours");
    for _ in 0..3 {
        assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
        env.keys().forget_tokens();
    }
    let outcome = env.run(&["login", "--from-ibmcloud"], Input::Open);
    outcome.is_user_error(&["ibmcloud login"]);
    env.file(SESSION, "{\"IAMRefreshToken\": \"\"}");
    let outcome = env.run(&["login", "--from-ibmcloud"], Input::Open);
    outcome.is_user_error(&["no refresh token"]);
    write_session(&env);
    env.cloud.accounts().invalidate_session(REFRESH_TOKEN);
    let outcome = env.run(&["login", "--from-ibmcloud"], Input::Open);
    outcome.is_user_error(&["BXNIM0439E", "ibmcloud login"]);
}

#[test]
fn logout_all_deletes_all_logins_and_tokens() {
    let Some(mut env) = env_with_session() else {
        return;
    };
    env.unset("ICR_SOURCE");
    env.get("us.icr.io").is_token_of();
    assert!(
        env.keys().names().len() >= 2,
        "a token, and what replaced the session's"
    );
    env.run(&["logout", "--all"], Input::Open);
    assert_eq!(env.keys().names(), [""; 0]);
}

#[test]
fn the_default_login_is_not_used_for_staging() {
    let Some(mut env) = test_env() else { return };
    answer(&log_in(&env, KEY, &[]), &[]);
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
    env.unset("IBMCLOUD_IAM_API_ENDPOINT");
    env.get("stg.icr.io").is_not_found();
}

#[test]
fn a_refresh_token_that_an_earlier_get_rotated_is_used() {
    let Some(mut env) = env_with_session() else {
        return;
    };
    env.unset("ICR_SOURCE");
    // IAM rotates the refresh token, and the CLI does not get the new one.
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
    let outcome = env.run(&["login", "--from-ibmcloud"], Input::Open);
    answer(&outcome, &["IBMid-me"]);
}

/// Logs in with an API key that the program creates. Returns its ID.
#[track_caller]
fn log_in_with_created_key(env: &TestEnv, arguments: &[&str]) -> String {
    let create = ["login", "--from-ibmcloud", "--create-api-key", "--json"];
    let outcome = env.run(&[&create, arguments].concat(), Input::Open);
    let login = as_json(&outcome)["logins"][0].clone();
    assert_eq!(login["username"], "iamapikey");
    let id = login["api_key"]["id"].as_str().expect("an ID");
    id.to_owned()
}

/// Returns a machine whose session can be used several times, because IAM does not rotate its token.
fn env_with_lasting_session() -> Option<TestEnv> {
    let env = env_with_session()?;
    env.cloud.accounts().set_refresh_rotation(false);
    Some(env)
}

#[test]
fn an_api_key_is_created_instead_of_a_session() {
    let Some(mut env) = env_with_lasting_session() else {
        return;
    };
    let before = env.cloud.accounts().api_key_count();
    let now = as_seconds();
    let arguments = [
        "login",
        "--from-ibmcloud",
        "--create-api-key",
        "--expires",
        "30d",
        "--json",
    ];
    let outcome = env.run(&arguments, Input::Open);
    let key = as_json(&outcome)["logins"][0]["api_key"].clone();
    let end = key["expires_at"].as_u64().expect("an end");
    assert!(
        (now + 30 * 86_400 - 60..=now + 30 * 86_400 + 60).contains(&end),
        "{key}"
    );
    let requests = env.cloud.requests();
    let order = requests
        .iter()
        .find(|request| request.path == "/v1/apikeys");
    let order: Value = serde_json::from_str(&order.expect("one was made").body).expect("JSON");
    let name = order["name"].as_str().unwrap_or_default();
    assert!(name.starts_with("docker-credential-icr on "), "{order}");
    assert_eq!(key["name"], name);
    let about = order["description"].as_str().unwrap_or_default();
    assert!(
        about.starts_with("Created by docker-credential-icr"),
        "{order}"
    );
    assert_eq!(order["action_when_leaked"], "disable");
    assert_eq!(env.cloud.accounts().api_key_count(), before + 1);
    fs::remove_file(env.path(SESSION)).expect("it is ours");
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
    env.run(&["logout"], "");
    write_session(&env);
    log_in_with_created_key(&env, &["us.icr.io"]);
    let secret = stored_key(&mut env, "us.icr.io");
    assert!(!outcome.stdout.contains(&secret), "{outcome:?}");
}

fn as_seconds() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the tests have the real time")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("after 1970").as_secs()
}

#[test]
fn without_the_new_key_nothing_is_stored() {
    let Some(env) = env_with_lasting_session() else {
        return;
    };
    env.settings("deadline = 1\n");
    let before = env.cloud.accounts().api_key_count();
    let create = ["login", "--from-ibmcloud", "--create-api-key"];
    let refusal = Fault::Status(403);
    env.cloud.script_for(Service::ApiKeys, [refusal]);
    let outcome = env.run(&create, Input::Open);
    outcome.is_user_error(&["cannot create an API key"]);
    let outage = Fault::Status(503);
    env.cloud.script_for(Service::ApiKeys, [outage]);
    let outcome = env.run(&create, Input::Open);
    outcome.is_temporary_error(&["docker-credential-icr on "]);
    assert_eq!(env.cloud.accounts().api_key_count(), before);
    env.get("us.icr.io").is_not_found();
    for (arguments, part) in [
        (&["login", "--create-api-key"][..], "--from-ibmcloud"),
        (&["login", "--expires", "3"], "--expires"),
        (&["login", "--sso", "--expires", "0"], "3650"),
    ] {
        env.run(arguments, Input::Open).is_usage_error(&[part]);
    }
}

#[test]
fn a_key_that_cannot_be_stored_is_deleted_again() {
    // This environment has no bus.
    let Some(env) = env_with("secret-service") else {
        return;
    };
    env.cloud.accounts().set_refresh_rotation(false);
    write_session(&env);
    let before = env.cloud.accounts().api_key_count();
    let create = ["login", "--from-ibmcloud", "--create-api-key"];
    env.run(&create, Input::Open)
        .is_temporary_error(&["no D-Bus session bus", "The new API key was deleted again"]);
    assert_eq!(env.cloud.accounts().api_key_count(), before);
    let faults = [Fault::Delay(std::time::Duration::ZERO), Fault::Status(403)];
    env.cloud.script_for(Service::ApiKeys, faults);
    env.run(&create, Input::Open).is_temporary_error(&[
        "no D-Bus session bus",
        "still exists",
        "ApiKey-",
    ]);
    assert_eq!(env.cloud.accounts().api_key_count(), before + 1);
}

#[test]
fn a_trusted_profile_is_checked_and_then_assumed() {
    let Some(env) = env_with_lasting_session() else {
        return;
    };
    let builders = Profile::new("Profile-1")
        .named("builders")
        .trusting(&["IBMid-me"]);
    env.cloud.accounts().add_trusted_profile(builders);
    for named in ["Profile-2", "nobody", ""] {
        log_in(&env, KEY, &["--profile-id", named]).is_user_error(&["rofile"]);
    }
    log_in(&env, OTHER_KEY, &["--profile-id", "Profile-1"]).is_user_error(&["Profile-1"]);
    log_in(
        &env,
        KEY,
        &["--profile-id", "builders", "--account", "account-9"],
    )
    .is_user_error(&["builders"]);
    env.get("us.icr.io").is_not_found();
    for arguments in [
        &["--profile-id", "Profile-1"][..],
        &["--profile-id", "builders"],
        &["--profile-id", "builders", "--account", "account-1"],
    ] {
        answer(
            &log_in(&env, KEY, arguments),
            &["trusted profile", "iam-Profile-1"],
        );
        assert_eq!(env.get("us.icr.io").is_token_of(), "iam-Profile-1");
    }
    let session = ["login", "--from-ibmcloud", "--profile-id", "Profile-1"];
    answer(&env.run(&session, Input::Open), &["iam-Profile-1"]);
    assert_eq!(env.get("us.icr.io").is_token_of(), "iam-Profile-1");
    log_in_with_created_key(&env, &["--profile-id", "Profile-1"]);
    let outcome = env.run(&["login", "--rotate"], Input::Open);
    answer(&outcome, &["API key"]);
    env.keys().forget_tokens();
    assert_eq!(env.get("us.icr.io").is_token_of(), "iam-Profile-1");
}

#[test]
fn a_key_is_rotated_in_every_login_that_has_it() {
    let Some(mut env) = env_with_lasting_session() else {
        return;
    };
    let old_id = log_in_with_created_key(&env, &["us.icr.io", "de.icr.io"]);
    let old_key = stored_key(&mut env, "us.icr.io");
    let count = env.cloud.accounts().api_key_count();
    let outcome = env.run(&["login", "--rotate", "de.icr.io", "--json"], Input::Open);
    let login = as_json(&outcome)["logins"][0].clone();
    assert_ne!(login["api_key"]["id"], old_id);
    assert_eq!(login["scopes"].as_array().map(Vec::len), Some(2), "{login}");
    assert_eq!(env.cloud.accounts().api_key_count(), count);
    log_in(&env, &old_key, &[]).is_user_error(&["BXNIM0415E"]);
    env.keys().forget_tokens();
    for host in ["us.icr.io", "de.icr.io"] {
        assert_eq!(env.get(host).is_token_of(), "IBMid-me");
    }
    answer(&log_in(&env, KEY, &["uk.icr.io"]), &[]);
    for (arguments, part) in [
        (
            &["login", "--rotate", "uk.icr.io"][..],
            "no API key created by --create-api-key",
        ),
        (
            &["login", "--rotate", "jp.icr.io"],
            "no login is stored for jp.icr.io",
        ),
        (&["login", "--rotate"], "no default login is stored"),
    ] {
        env.run(arguments, Input::Open).is_user_error(&[part]);
    }
}

#[test]
fn a_rotation_that_fails_leaves_a_working_login() {
    let Some(env) = env_with_lasting_session() else {
        return;
    };
    env.settings("deadline = 2\n");
    let old_id = log_in_with_created_key(&env, &[]);
    let count = env.cloud.accounts().api_key_count();
    let rotate = ["login", "--rotate"];
    let passes = || Fault::Delay(std::time::Duration::ZERO);
    env.cloud.script_for(Service::ApiKeys, [Fault::Status(403)]);
    env.run(&rotate, Input::Open)
        .is_user_error(&["cannot create an API key"]);
    env.cloud.script([passes(), Fault::Html, passes()]);
    env.run(&rotate, Input::Open)
        .is_temporary_error(&["the new API key", "deleted again"]);
    assert_eq!(env.cloud.accounts().api_key_count(), count);
    env.keys().forget_tokens();
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");

    env.cloud
        .script_for(Service::ApiKeys, [passes(), Fault::Status(403)]);
    let outcome = env.run(&rotate, Input::Open);
    answer_with_warning(&outcome, &["still exists", &old_id]);
    assert_eq!(env.cloud.accounts().api_key_count(), count + 1);
    env.keys().forget_tokens();
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
}

#[test]
fn concurrent_rotations_and_a_logout_leave_no_unused_key() {
    let Some(env) = env_with_lasting_session() else {
        return;
    };
    let before = env.cloud.accounts().api_key_count();
    log_in_with_created_key(&env, &[]);
    let slow = || Fault::Delay(std::time::Duration::from_millis(300));
    let rotate = |_| env.run(&["login", "--rotate"], Input::Open);
    env.cloud.script_for(Service::ApiKeys, [slow(), slow()]);
    for outcome in in_parallel(2, rotate) {
        answer(&outcome, &["API key"]);
    }
    assert_eq!(env.cloud.accounts().api_key_count(), before + 1);
    env.keys().forget_tokens();
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");

    let seen = env.cloud.requests().len();
    env.cloud.script_for(Service::ApiKeys, [slow()]);
    let rotation = env.start(&["login", "--rotate"], Input::Open);
    while env.cloud.requests().len() < seen + 2 {
        std::thread::yield_now();
    }
    answer(&env.run(&["logout"], Input::Open), &["Deleted"]);
    rotation
        .finish()
        .is_temporary_error(&["changed or deleted by another process", "deleted again"]);
    assert_eq!(
        env.cloud.accounts().api_key_count(),
        before + 1,
        "the old one, which a logout leaves"
    );
    env.get("us.icr.io").is_not_found();
}

#[test]
fn get_works_during_a_rotation() {
    let Some(env) = env_with_lasting_session() else {
        return;
    };
    log_in_with_created_key(&env, &[]);
    for _ in 0..3 {
        let outcomes = in_parallel(8, |index| {
            if index == 0 {
                return env.run(&["login", "--rotate"], Input::Open);
            }
            env.keys().forget_tokens();
            env.get("us.icr.io")
        });
        for (index, outcome) in outcomes.iter().enumerate() {
            match index {
                0 => answer(outcome, &["API key"]),
                _ => assert_eq!(outcome.is_token_of(), "IBMid-me"),
            }
        }
    }
}

/// Returns the owner of a registry's login and whether a token is cached, from `status`, which sends no request.
fn status_of(env: &TestEnv, host: &str) -> (Value, bool) {
    let asked = env.cloud.requests().len();
    let outcome = env.run(&["status", "--json", host], Input::Open);
    assert_eq!(env.cloud.requests().len(), asked);
    let row = as_json(&outcome)["registries"][0].clone();
    (row["owner"]["iam_id"].clone(), !row["token"].is_null())
}

#[test]
fn the_owner_is_known_at_once_and_after_the_token_expires() {
    let Some(env) = env_with_lasting_session() else {
        return;
    };
    let me = |has_token| (Value::from("IBMid-me"), has_token);
    let profile = Profile::new("Profile-1").trusting(&["IBMid-me"]);
    env.cloud.accounts().add_trusted_profile(profile);
    answer(&log_in(&env, KEY, &["us.icr.io", "de.icr.io"]), &[]);
    let session = ["login", "uk.icr.io", "--from-ibmcloud"];
    answer(&env.run(&session, Input::Open), &["This session expires"]);
    log_in_with_created_key(&env, &["jp.icr.io"]);
    let hosts = ["us.icr.io", "de.icr.io", "uk.icr.io", "jp.icr.io"];
    let exchanges = env.cloud.exchanges();
    for host in hosts {
        assert_eq!(status_of(&env, host), me(true), "{host}");
        assert_eq!(env.get(host).is_token_of(), "IBMid-me");
    }
    assert_eq!(env.cloud.exchanges(), exchanges, "the first get is hot");
    env.keys().forget_tokens();
    for host in hosts {
        assert_eq!(status_of(&env, host), me(false), "{host}");
    }
    env.get("uk.icr.io").is_token_of();
    env.keys().forget_tokens();
    assert_eq!(status_of(&env, "uk.icr.io"), me(false), "rotated");

    answer(&env.run(&["login", "--rotate", "jp.icr.io"], ""), &[]);
    let exchanges = env.cloud.exchanges();
    assert_eq!(status_of(&env, "jp.icr.io"), me(true));
    assert_eq!(env.get("jp.icr.io").is_token_of(), "IBMid-me");
    assert_eq!(env.cloud.exchanges(), exchanges);

    let assumed = ["au.icr.io", "--profile-id", "Profile-1"];
    answer(&log_in(&env, KEY, &assumed), &["iam-Profile-1"]);
    for has_token in [true, false] {
        let theirs = (Value::from("iam-Profile-1"), has_token);
        assert_eq!(status_of(&env, "au.icr.io"), theirs);
        env.keys().forget_tokens();
    }
    let listed = env.keys().names().join(" ");
    assert!(
        !listed.contains("IBMid") && !listed.contains('@'),
        "{listed}"
    );
}

#[test]
fn owner_and_key_stay_with_their_login() {
    let Some(env) = env_with_lasting_session() else {
        return;
    };
    let nobody = (Value::Null, false);
    log_in_with_created_key(&env, &["us.icr.io"]);
    env.keys().forget_tokens();
    let text =
        "[profile.x]\ntrusted-profile = \"Profile-2\"\n[registry.\"us.icr.io\"]\nprofile = \"x\"";
    let settings = env.settings(text);
    assert_eq!(status_of(&env, "us.icr.io"), nobody, "somebody else");
    fs::remove_file(settings).expect("it is ours");

    answer(&log_in(&env, KEY, &["de.icr.io"]), &[]);
    env.keys().forget_tokens();
    // A client that stores the same key again does not know its owner.
    env.store("de.icr.io", "iamapikey", KEY).is_silent_success();
    let me = (Value::from("IBMid-me"), false);
    assert_eq!(status_of(&env, "de.icr.io"), me);
    env.store("de.icr.io", "iamapikey", OTHER_KEY)
        .is_silent_success();
    assert_eq!(status_of(&env, "de.icr.io"), nobody);

    // As stored by an older version.
    env.keys().change_logins(|login| {
        let fields = login.as_object_mut().expect("an object");
        fields.remove("owner");
    });
    assert_eq!(status_of(&env, "us.icr.io"), nobody);
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
    env.keys().forget_tokens();
    answer(&env.run(&["login", "--rotate", "us.icr.io"], ""), &[]);
    let me = (Value::from("IBMid-me"), true);
    assert_eq!(status_of(&env, "us.icr.io"), me);
}

#[test]
fn a_login_of_a_newer_version_is_not_overwritten() {
    let Some(env) = test_env() else { return };
    answer(&log_in(&env, KEY, &["us.icr.io"]), &[]);
    env.keys().change_logins(|login| login["v"] = 2.into());
    let hosts = ["de.icr.io", "us.icr.io"];
    let parts = [
        "us.icr.io",
        "newer version",
        "docker-credential-icr logout us.icr.io",
    ];
    log_in(&env, OTHER_KEY, &hosts).is_user_error(&parts);
    env.get("us.icr.io").is_client_error(&parts);
    env.get("de.icr.io").is_not_found();
    answer(&env.run(&["logout", "us.icr.io"], ""), &["Deleted"]);
    answer(&log_in(&env, OTHER_KEY, &hosts), &[]);
}

#[test]
fn a_logout_deletes_tokens_and_may_be_repeated() {
    let Some(env) = test_env() else { return };
    answer(&log_in(&env, KEY, &[]), &[]);
    answer_with_warning(&log_in(&env, OTHER_KEY, &["us.icr.io"]), &[]);
    for host in ["us.icr.io", "de.icr.io"] {
        env.get(host).is_token_of();
    }
    let outcome = env.run(&["logout", "us.icr.io"], "");
    outcome.has(&outcome.stdout, &["Deleted", "us.icr.io"]);
    answer_with_warning(&outcome, &["is still active for us.icr.io"]);
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
    let outcome = env.run(&["logout", "us.icr.io"], "");
    answer(
        &outcome,
        &[
            "No login is stored for us.icr.io",
            "Still stored: the default login",
            "--all",
        ],
    );
    answer(&env.run(&["logout"], ""), &["Deleted the default login"]);
    answer(&env.run(&["logout"], ""), &["No default login is stored"]);
    env.get("us.icr.io").is_not_found();
    let names = env.keys().names().join(" ");
    assert!(
        !names.contains("token:") && !names.contains("login:"),
        "{names}"
    );
    env.run(&["logout", "ghcr.io"], "")
        .is_user_error(&["ghcr.io"]);
    env.run(&["logout", "--all", "us.icr.io"], "")
        .is_usage_error(&["--all"]);
}

#[test]
fn a_logout_of_all_deletes_every_kind_of_login() {
    let Some(env) = test_env() else { return };
    env.settings(TWO_TEAMS);
    for arguments in [&[][..], &["uk.icr.io"], &["--profile", "team-a"]] {
        let outcome = log_in(&env, KEY, arguments);
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
    }
    env.store("de.icr.io", "token", "a-registry-token")
        .is_silent_success();
    let outcome = env.run(&["logout", "--all"], "");
    answer(
        &outcome,
        &[
            "default login",
            "uk.icr.io",
            "profile 'team-a'",
            "de.icr.io",
        ],
    );
    answer(&env.run(&["logout", "--all"], ""), &["No login is stored"]);
    let names = env.keys().names().join(" ");
    assert!(
        !names.contains("token:") && !names.contains("login:"),
        "{names}"
    );
}

#[test]
fn a_revoked_key_is_deleted_with_every_login_that_uses_it() {
    let Some(mut env) = env_with_lasting_session() else {
        return;
    };
    let id = log_in_with_created_key(&env, &["us.icr.io", "de.icr.io"]);
    let key = stored_key(&mut env, "us.icr.io");
    let count = env.cloud.accounts().api_key_count();
    env.settings("deadline = 1\n");
    env.cloud
        .always_for(Service::ApiKeys, Some(Fault::Status(503)));
    env.run(&["logout", "--revoke", "us.icr.io"], "")
        .is_usage_error(&[&id, "--yes"]);
    let revoke = ["logout", "--revoke", "--yes", "us.icr.io"];
    let outcome = env.run(&revoke, "");
    outcome.is_user_error(&[
        "The login is kept",
        "'docker-credential-icr logout us.icr.io'",
        &id,
    ]);
    env.cloud.always_for(Service::ApiKeys, None);
    env.list()
        .is_list(&[("de.icr.io", "iamapikey"), ("us.icr.io", "iamapikey")]);
    assert_eq!(env.cloud.accounts().api_key_count(), count);

    let outcome = env.run(&revoke, "");
    answer_with_warning(&outcome, &["the login for de.icr.io has the same API key"]);
    outcome.has(&outcome.stdout, &[&id, "Deleted", "de.icr.io", "us.icr.io"]);
    env.list().is_list(&[]);
    assert_eq!(env.cloud.accounts().api_key_count(), count - 1);
    log_in(&env, &key, &[]).is_user_error(&["BXNIM0415E"]);
    answer(&env.run(&revoke, ""), &["No login is stored for us.icr.io"]);
}

#[test]
fn revoking_a_deleted_key_succeeds_and_other_keys_stay() {
    let Some(mut env) = env_with_lasting_session() else {
        return;
    };
    log_in_with_created_key(&env, &["us.icr.io"]);
    let key = stored_key(&mut env, "us.icr.io");
    env.cloud.accounts().revoke_api_key(&key);
    let revoke = ["logout", "--revoke", "--yes", "us.icr.io", "--json"];
    let outcome = env.run(&revoke, "");
    assert_eq!(
        as_json(&outcome)["deleted_logins"].as_array().map(Vec::len),
        Some(1)
    );
    answer(&log_in(&env, KEY, &["de.icr.io"]), &[]);
    let count = env.cloud.accounts().api_key_count();
    let outcome = env.run(&["logout", "--all", "--revoke"], "");
    answer_with_warning(&outcome, &["de.icr.io", "none is deleted in IAM"]);
    env.list().is_list(&[]);
    assert_eq!(env.cloud.accounts().api_key_count(), count);
}

const SESSION_OF_ONE_HOST: &str = "SESSION-OF-ONE-HOST-2d4f";

/// Logs in for one host as `ibmcloud cr login` does, after a default login.
fn store_expired_session(env: &TestEnv) {
    answer(&log_in(env, KEY, &[]), &[]);
    env.add_refresh_token(SESSION_OF_ONE_HOST, "session");
    let stored = env.store("us.icr.io", "iamrefresh", SESSION_OF_ONE_HOST);
    stored.is_silent_success();
    let accounts = env.cloud.accounts();
    accounts.invalidate_session(SESSION_OF_ONE_HOST);
}

fn problems_of(env: &TestEnv) -> String {
    let outcome = env.run(&["status", "--json"], "");
    let status: Value = serde_json::from_str(&outcome.stdout).expect("one JSON value");
    status["problems"].to_string()
}

#[test]
fn an_expired_session_can_be_replaced_with_the_default_login() {
    for way_out in [
        &["erase", "us.icr.io"][..],
        &["logout", "us.icr.io"],
        &["login", "--api-key-stdin"],
    ] {
        let Some(env) = test_env() else { return };
        store_expired_session(&env);
        assert_eq!(env.get("de.icr.io").is_token_of(), "IBMid-me");
        assert!(
            !problems_of(&env).contains("expired"),
            "IAM has not said so"
        );
        env.get("us.icr.io").is_client_error(&[
            "the login for us.icr.io",
            "BXNIM0439E",
            "'docker-credential-icr logout us.icr.io'",
            "'docker logout us.icr.io'",
            "the default login answers",
        ]);
        let asked = env.cloud.requests().len();
        let problems = problems_of(&env);
        for part in [
            "the login for us.icr.io has expired: IAM ended its session",
            "Without it, ",
            "docker-credential-icr logout us.icr.io",
        ] {
            assert!(problems.contains(part), "{problems}");
        }
        let status = env.run(&["status"], "");
        assert_eq!(status.status, Some(1), "{status:?}");
        assert_eq!(env.cloud.requests().len(), asked, "no network");
        let doctor = env.run(&["doctor"], "");
        doctor.has(
            &doctor.stdout,
            &[
                "problem  the login for us.icr.io has expired",
                "fix: docker-credential-icr logout us.icr.io",
            ],
        );
        let outcome = env.run(way_out, KEY);
        answer_with_warning(&outcome, &[]);
        if way_out[0] == "login" {
            outcome.has(
                &outcome.stderr,
                &["warning: deleted the expired login for us.icr.io"],
            );
        }
        assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
        assert_eq!(problems_of(&env), "[]");
    }
}

#[test]
fn a_session_that_has_not_expired_is_kept() {
    let Some(env) = test_env() else { return };
    store_expired_session(&env);
    // IAM has not rejected the session yet.
    let outcome = log_in(&env, KEY, &[]);
    answer_with_warning(
        &outcome,
        &["the login for us.icr.io takes precedence over this login"],
    );
    env.list().is_list(&[("us.icr.io", "iamrefresh")]);
    let status = as_json(&env.run(&["status", "--json"], ""));
    let notes = status["notes"].to_string();
    assert!(
        notes.contains("the login for us.icr.io takes precedence over the default login"),
        "{status}"
    );
    // A rejection that does not mean that the session has expired.
    let refusal = Fault::Error {
        status: 400,
        code: "BXNIM0407E".into(),
        message: "no".into(),
    };
    env.cloud.script([refusal]);
    env.get("us.icr.io")
        .is_client_error(&["'docker-credential-icr logout us.icr.io'"]);
    log_in(&env, KEY, &[]);
    env.list().is_list(&[("us.icr.io", "iamrefresh")]);
}

#[test]
fn in_a_pipe_replacing_the_login_of_another_account_causes_a_warning() {
    let Some(env) = test_env() else { return };
    answer(&log_in(&env, KEY, &[]), &[]);
    answer(&log_in(&env, KEY, &[]), &[]);
    for (key, new) in [(OTHER_KEY, "IBMid-other"), (KEY, "IBMid-me")] {
        let outcome = log_in(&env, key, &["--json"]);
        answer_with_warning(&outcome, &["warning: the default login of user", new]);
        let warnings = as_json(&outcome)["warnings"].clone();
        assert_eq!(warnings.as_array().map(Vec::len), Some(1), "{warnings}");
        assert_eq!(env.get("us.icr.io").is_token_of(), new);
    }
    // The owner of a client's login is in its token.
    env.store("us.icr.io", "iamapikey", OTHER_KEY)
        .is_silent_success();
    env.get("us.icr.io").is_token_of();
    let outcome = log_in(&env, KEY, &["us.icr.io"]);
    answer_with_warning(&outcome, &["the login for us.icr.io of user"]);
}

#[test]
fn a_logout_warns_of_sources_that_stay_active() {
    let Some(mut env) = test_env() else { return };
    env.set("IBMCLOUD_API_KEY", OTHER_KEY);
    for scopes in [&[][..], &["us.icr.io", "de.icr.io"]] {
        log_in(&env, KEY, scopes);
        let logout = env.run(&[&["logout"], scopes].concat(), "");
        let name = if scopes.is_empty() {
            "all registries"
        } else {
            "de.icr.io and us.icr.io"
        };
        let text = format!("warning: the API key in $IBMCLOUD_API_KEY is still active for {name}.");
        answer_with_warning(&logout, &[&text, "unset $IBMCLOUD_API_KEY"]);
        assert_eq!(logout.stderr.lines().count(), 1, "{logout:?}");
    }
    log_in(&env, KEY, &[]);
    log_in(&env, KEY, &["us.icr.io"]);
    let logout = env.run(&["logout", "--all", "--json"], "");
    let warnings = as_json(&logout)["warnings"].clone();
    assert_eq!(warnings.as_array().map(Vec::len), Some(1), "{warnings}");
    for arguments in [
        &["logout"][..],
        &["logout", "--all"],
        &["logout", "us.icr.io"],
    ] {
        let logout = env.run(arguments, "");
        answer_with_warning(
            &logout,
            &["the API key in $IBMCLOUD_API_KEY is still active"],
        );
    }
    env.unset("IBMCLOUD_API_KEY");
    log_in(&env, KEY, &[]);
    answer(&env.run(&["logout"], ""), &["Deleted"]);
}

#[test]
fn a_profile_without_a_login_is_pointed_out() {
    let Some(env) = test_env() else { return };
    env.settings("[profile.team-a]\n[registry.\"us.icr.io\"]\nprofile = \"team-a\"\n");
    let command = "docker-credential-icr login --profile team-a";
    let outcome = log_in(&env, KEY, &[]);
    answer_with_warning(
        &outcome,
        &["warning: this login is not used for us.icr.io", command],
    );
    let status = env.run(&["status"], "");
    answer(&status, &[command]);
    for arguments in [&["doctor"][..], &["status", "--check", "us.icr.io"]] {
        let outcome = env.run(arguments, "");
        outcome.has(&outcome.stdout, &[command]);
    }
    let outcome = env.run(&["token", "list", "--registry", "us.icr.io"], "");
    outcome.is_user_error(&[command]);
    let login = log_in(&env, KEY, &["--profile", "team-a"]);
    answer(&login, &[]);
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
}

/// Tests at a terminal.
#[cfg(unix)]
mod terminal {
    use super::support::browser::log_in_with;
    use super::support::screen::dialog;
    use super::*;

    #[test]
    fn the_key_is_prompted_for_and_not_shown() {
        let Some(env) = test_env() else { return };
        let mut session = dialog(&env, &["login"]);
        let shown = session.exp_string("API key: ").expect("a prompt");
        assert!(!shown.contains(KEY));
        session.send_line(KEY).expect("it listens");
        let shown = session.exp_eof().expect("an end");
        assert!(shown.contains("Logged in to"), "{shown}");
        assert!(!shown.contains(KEY), "{shown}");
        assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
    }

    /// Types a key, and answers the question that follows.
    fn log_in_and_answer(
        env: &TestEnv,
        arguments: &[&str],
        key: &str,
        question: &str,
        answer: &str,
    ) -> String {
        let mut session = dialog(env, &[&["login"], arguments].concat());
        session.exp_string("API key: ").expect("a prompt");
        session.send_line(key).expect("it listens");
        session.exp_string(question).expect("a question");
        session.send_line(answer).expect("it listens");
        session.exp_eof().expect("an end")
    }

    #[test]
    fn replacing_the_login_of_another_account_needs_a_yes() {
        let Some(env) = test_env() else { return };
        answer(&log_in(&env, KEY, &[]), &[]);
        for typed in ["", "n"] {
            let shown = log_in_and_answer(&env, &[], OTHER_KEY, "(IBMid-other)", typed);
            assert!(shown.contains("canceled"), "{shown}");
            assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
        }
        let shown = log_in_and_answer(&env, &[], OTHER_KEY, "[y/N]", "y");
        assert!(shown.contains("Logged in to"), "{shown}");
        assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-other");
        let mut session = dialog(&env, &["login", "--yes"]);
        session.exp_string("API key: ").expect("a prompt");
        session.send_line(KEY).expect("it listens");
        let shown = session.exp_eof().expect("an end");
        assert!(shown.contains("Logged in to"), "{shown}");
        assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
    }

    #[test]
    fn deleting_an_expired_session_is_offered() {
        let question = "The login for us.icr.io has expired. Delete it";
        for (typed, owner) in [("", Some("IBMid-me")), ("n", None)] {
            let Some(env) = test_env() else { return };
            store_expired_session(&env);
            // One that has not expired is kept.
            env.add_refresh_token("LIVING-SESSION-88aa", "living");
            env.store("de.icr.io", "iamrefresh", "LIVING-SESSION-88aa")
                .is_silent_success();
            let shown = log_in_and_answer(&env, &[], KEY, question, typed);
            match owner {
                Some(owner) => assert_eq!(env.get("us.icr.io").is_token_of(), owner),
                None => {
                    let way_out = "To delete it, run 'docker-credential-icr logout us.icr.io'";
                    assert!(shown.contains(way_out), "{shown}");
                    env.get("us.icr.io").is_client_error(&["BXNIM0439E"]);
                }
            }
            assert_eq!(env.get("de.icr.io").is_token_of(), "IBMid-living");
        }
    }

    #[test]
    fn deleting_a_key_in_iam_needs_a_yes() {
        let Some(env) = env_with_lasting_session() else {
            return;
        };
        let id = log_in_with_created_key(&env, &["us.icr.io"]);
        let count = env.cloud.accounts().api_key_count();
        for (typed, is_deleted) in [("", false), ("y", true)] {
            let mut session = dialog(&env, &["logout", "--revoke", "us.icr.io"]);
            let shown = session.exp_string("[y/N]").expect("a question");
            assert!(shown.contains(&id), "{shown}");
            session.send_line(typed).expect("it listens");
            session.exp_eof().expect("an end");
            let deleted = count - env.cloud.accounts().api_key_count();
            assert_eq!(deleted, usize::from(is_deleted));
        }
        env.list().is_list(&[]);
    }

    #[test]
    fn a_new_key_is_retried() {
        let Some(env) = test_env() else { return };
        env.cloud.script([(); 3].map(|()| Fault::Error {
            status: 400,
            code: "BXNIM0415E".into(),
            message: "Provided API key could not be found.".into(),
        }));
        let mut session = dialog(&env, &["login"]);
        session.exp_string("API key: ").expect("a prompt");
        session.send_line(KEY).expect("it listens");
        let shown = session.exp_eof().expect("an end");
        assert!(shown.contains("Waiting until IAM accepts"), "{shown}");
        assert!(shown.contains("Logged in to"), "{shown}");
        assert_eq!(env.cloud.exchanges(), 4);
        assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
    }

    #[test]
    fn an_empty_key_cancels_the_login() {
        let Some(env) = test_env() else { return };
        let mut session = dialog(&env, &["login"]);
        session.exp_string("API key: ").expect("a prompt");
        session.send_line("").expect("it listens");
        let shown = session.exp_eof().expect("an end");
        assert!(shown.contains("empty"), "{shown}");
        env.get("us.icr.io").is_not_found();
    }

    #[test]
    fn an_api_key_is_offered_instead_of_a_session() {
        for (typed, is_made) in [("", true), ("n", false)] {
            let Some(env) = env_with_lasting_session() else {
                return;
            };
            let before = env.cloud.accounts().api_key_count();
            let mut session = dialog(&env, &["login", "--from-ibmcloud"]);
            session.exp_string("90 days? [Y/n]").expect("a question");
            session.send_line(typed).expect("it listens");
            let shown = session.exp_eof().expect("an end");
            assert!(shown.contains("Logged in to"), "{shown}");
            let made = env.cloud.accounts().api_key_count() - before;
            let known = (Value::from("IBMid-me"), true);
            assert_eq!(status_of(&env, "us.icr.io"), known);
            assert_eq!(made, usize::from(is_made), "{shown}");
            assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
        }
    }

    #[test]
    fn the_session_is_stored_if_the_offered_key_fails() {
        let Some(env) = env_with_lasting_session() else {
            return;
        };
        env.cloud.script_for(Service::ApiKeys, [Fault::Status(403)]);
        let mut session = dialog(&env, &["login", "--from-ibmcloud"]);
        session.exp_string("[Y/n]").expect("a question");
        session.send_line("y").expect("it listens");
        let shown = session.exp_eof().expect("an end");
        assert!(shown.contains("The session is stored instead"), "{shown}");
        assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
    }

    #[test]
    fn a_passcode_logs_in() {
        let Some(env) = test_env() else { return };
        env.add_secret("PASSCODE-1a2b");
        let accounts = env.cloud.accounts();
        accounts.add_passcode("PASSCODE-1a2b", Subject::user("me"));
        let mut session = dialog(&env, &["login", "--sso"]);
        let shown = session.exp_string("not shown): ").expect("a prompt");
        assert!(shown.contains("/identity/passcode"), "{shown}");
        session.send_line("PASSCODE-1a2b").expect("it listens");
        let shown = session.exp_string("[Y/n]").expect("a question");
        assert!(!shown.contains("PASSCODE-1a2b"), "{shown}");
        session.send_line("n").expect("it listens");
        let shown = session.exp_eof().expect("an end");
        assert!(shown.contains("Logged in to"), "{shown}");
        assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
    }

    /// The test opens the address that the terminal shows.
    #[test]
    fn a_browser_logs_in() {
        let Some(env) = test_env() else { return };
        let subject = Some(Subject::user("me"));
        env.cloud.accounts().set_browser_subject(subject);
        let mut session = dialog(&env, &["login", "--web", "--create-api-key"]);
        log_in_with(&mut session);
        let shown = session.exp_eof().expect("an end");
        assert!(shown.contains("Its API key"), "{shown}");
        assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
    }
}
