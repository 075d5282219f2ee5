//! `login` and `logout`: what they store and delete, also when they fail.

#[path = "../support/mod.rs"]
mod support;

#[cfg(unix)]
mod configure_offer;
mod created_keys;
#[cfg(unix)]
mod keychain_calls;
mod logout;
mod owners;
mod sessions;
#[cfg(unix)]
mod terminal;

use std::fs;

use icr_emulator::Fault;
use icr_emulator::Profile;
use icr_emulator::Service;
use icr_emulator::Subject;
use serde_json::Value;
use serde_json::json;

use support::Input;
use support::KEYCHAIN_NAME;
use support::KEYCHAIN_WORDS;
use support::KEYCHAINS;
use support::Outcome;
use support::TestEnv;
use support::in_parallel;

const KEY: &str = "LOGIN-API-KEY-77aa";
const OTHER_KEY: &str = "LOGIN-API-KEY-88bb";
const REFRESH_TOKEN: &str = "LOGIN-REFRESH-TOKEN-99cc";

/// Returns a machine with a keychain, and a cloud with two API keys and a session.
fn test_env() -> Option<TestEnv> {
    env_with(KEYCHAINS[0])
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
    fs::create_dir_all(env.path("home/.ibmcloud")).expect("the test may change it");
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
            KEYCHAIN_WORDS,
        ],
    );
    assert_eq!(env.cloud.exchanges(), 1);
    for host in ["us.icr.io", "private.de.icr.io"] {
        assert_eq!(env.get(host).is_token_of(), "IBMid-me");
    }
    env.get("cp.icr.io").is_token_of();
}

/// Each locks all its logins at once.
#[test]
fn parallel_logins_for_the_same_registries_store_one_of_them_everywhere() {
    let Some(env) = test_env() else { return };
    let hosts = ["us.icr.io", "de.icr.io", "uk.icr.io", "jp.icr.io"];
    let outcomes = in_parallel(8, |number| {
        let mut hosts = hosts;
        hosts.rotate_left(number % 4);
        log_in(&env, if number < 4 { KEY } else { OTHER_KEY }, &hosts)
    });
    for outcome in outcomes {
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        assert!(outcome.took.as_secs() < 4, "a lock timed out: {outcome:?}");
    }
    let owners = hosts.map(|host| env.get(host).is_token_of());
    assert_eq!(owners, [(); 4].map(|()| owners[0].clone()));
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
    for (argument, reason) in [("@missing", "does not exist"), ("@home", "directory")] {
        let outcome = env.run(&["login", "--api-key", argument], Input::Open);
        outcome.is_user_error(&[&argument[1..], reason]);
    }
}

#[test]
fn a_key_as_an_argument_is_rejected() {
    let Some(env) = test_env() else { return };
    let outcome = env.run(&["login", "--api-key", KEY], "");
    outcome.is_usage_error(&["--api-key-stdin", "@", "other users"]);
    let outcome = env.run(&["login", KEY], "");
    outcome.is_user_error(&["not an IBM Cloud registry"]);
    assert_eq!(env.cloud.exchanges(), 0);
}

#[test]
fn without_a_terminal_nothing_is_prompted_for() {
    let Some(mut env) = test_env() else { return };
    for arguments in [&["login"][..], &["login", "us.icr.io"]] {
        let outcome = env.run(arguments, Input::Open);
        outcome.is_user_error(&[
            "--api-key-stdin",
            "--api-key @FILE",
            "In a CI job, set IBMCLOUD_API_KEY",
        ]);
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
        (Input::from(&b"\xff\xff\x00"[..]), "not UTF-8 text"),
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
        "trusted_profile": null, "api_key": null, "keychain": KEYCHAIN_NAME,
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
    env.settings("[profile.unused]\n");
    let outcome = log_in(&env, KEY, &["--profile", "unused"]);
    answer_with_warning(&outcome, &["no registry uses profile 'unused'"]);
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
fn the_default_login_is_not_used_for_staging() {
    let Some(mut env) = test_env() else { return };
    answer(&log_in(&env, KEY, &[]), &[]);
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
    env.unset("IBMCLOUD_IAM_API_ENDPOINT");
    env.get("stg.icr.io").is_not_found();
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
fn a_trusted_profile_is_checked_and_then_assumed() {
    let Some(env) = env_with_lasting_session() else {
        return;
    };
    let builders = Profile::new("Profile-1")
        .named("builders")
        .trusting(&["IBMid-me"]);
    env.cloud.accounts().add_trusted_profile(builders);
    for named in ["Profile-2", "unknown"] {
        log_in(&env, KEY, &["--profile-id", named]).is_user_error(&["rofile"]);
    }
    log_in(&env, KEY, &["--profile-id", ""]).is_usage_error(&["but is empty"]);
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
    env.keys().delete_tokens();
    assert_eq!(env.get("us.icr.io").is_token_of(), "iam-Profile-1");
}

/// Returns the owner of a registry's login and whether a token is cached, from `status`, which sends no request.
fn status_of(env: &TestEnv, host: &str) -> (Value, bool) {
    let asked = env.cloud.requests().len();
    let outcome = env.run(&["status", "--json", host], Input::Open);
    assert_eq!(env.cloud.requests().len(), asked);
    let row = as_json(&outcome)["registries"][0].clone();
    (row["owner"]["iam_id"].clone(), !row["token"].is_null())
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

#[test]
fn a_profile_without_a_login_causes_a_warning() {
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
