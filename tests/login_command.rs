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
use support::Machine;
use support::Outcome;
use support::at_once;

const KEY: &str = "LOGIN-API-KEY-77aa";
const OTHER_KEY: &str = "LOGIN-API-KEY-88bb";
const REFRESH_TOKEN: &str = "LOGIN-REFRESH-TOKEN-99cc";

/// Returns a machine with a keychain, and a cloud with two API keys and a session.
fn machine() -> Option<Machine> {
    machine_with("kernel")
}

fn machine_with(keychain: &str) -> Option<Machine> {
    let machine = Machine::with_keychain_named(keychain)?;
    machine.add_api_key(KEY, "me");
    machine.add_api_key(OTHER_KEY, "other");
    machine.plant(REFRESH_TOKEN);
    let subject = Subject::user("me");
    machine
        .cloud
        .accounts()
        .add_refresh_token(REFRESH_TOKEN, subject);
    Some(machine)
}

/// Returns the same with a session of the IBM Cloud CLI, which `get` does not use.
fn machine_with_session() -> Option<Machine> {
    let mut machine = machine()?;
    machine.set("ICR_SOURCE", "login");
    write_session(&machine);
    Some(machine)
}

const SESSION: &str = "home/.ibmcloud/config.json";

fn write_session(machine: &Machine) {
    fs::create_dir_all(machine.path("home/.ibmcloud")).expect("the directory is ours");
    let session = json!({"IAMToken": "", "IAMRefreshToken": REFRESH_TOKEN, "Region": "us-south"});
    machine.file(SESSION, &session.to_string());
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

fn log_in(machine: &Machine, key: &str, arguments: &[&str]) -> Outcome {
    let arguments = [&["login", "--api-key-stdin"], arguments].concat();
    machine.run(&arguments, key)
}

/// Returns the API key that is stored for a registry. From now on, no output may show it.
fn stored_key(machine: &mut Machine, host: &str) -> String {
    machine.settings("[profile.key]\ncredential = \"iamapikey\"\n");
    machine.set("ICR_PROFILE", "key");
    let key = machine.get(host).is_credential("iamapikey");
    machine.unset("ICR_PROFILE");
    machine.settings("");
    key
}

#[test]
fn a_key_on_stdin_is_checked_and_used_for_all_registries() {
    let Some(machine) = machine() else { return };
    let outcome = log_in(&machine, &format!("  {KEY}\r\n"), &[]);
    answer(
        &outcome,
        &[
            "user me@registry-tests.example.com (IBMid-me) of account account-1",
            "Logged in to all registries",
            "kernel keyring",
        ],
    );
    assert_eq!(machine.cloud.exchanges(), 1);
    for host in ["us.icr.io", "private.de.icr.io"] {
        assert_eq!(machine.get(host).is_token_of(), "IBMid-me");
    }
    machine.get("cp.icr.io").is_token_of();
}

#[test]
fn a_key_file_may_be_plain_text_or_json() {
    let Some(machine) = machine() else { return };
    machine.file("plain", &format!("{KEY}\n"));
    let json = json!({"name": "n", "apikey": OTHER_KEY, "createdAt": "2026-01-01T00:00+0000"});
    machine.file("home/key.json", &json.to_string());
    for (argument, owner) in [("@plain", "IBMid-me"), ("@~/key.json", "IBMid-other")] {
        machine.run(&["logout"], "");
        let outcome = machine.run(&["login", "--api-key", argument], Input::Open);
        answer(&outcome, &[owner]);
        assert_eq!(machine.get("us.icr.io").is_token_of(), owner);
    }
    for (argument, reason) in [("@missing", "No such file"), ("@home", "directory")] {
        let outcome = machine.run(&["login", "--api-key", argument], Input::Open);
        outcome.tells_a_person(&[&argument[1..], reason]);
    }
}

#[test]
fn a_key_as_an_argument_is_rejected() {
    let Some(machine) = machine() else { return };
    let outcome = machine.run(&["login", "--api-key", KEY], "");
    outcome.tells_a_person(&["--api-key-stdin", "@", "other users"]);
    let outcome = machine.run(&["login", KEY], "");
    outcome.tells_a_person(&["not an IBM Cloud registry"]);
    assert_eq!(machine.cloud.exchanges(), 0);
}

#[test]
fn without_a_terminal_nothing_is_prompted_for() {
    let Some(mut machine) = machine() else { return };
    for arguments in [&["login"][..], &["login", "us.icr.io"]] {
        let outcome = machine.run(arguments, Input::Open);
        outcome.tells_a_person(&["--api-key-stdin", "--api-key @FILE"]);
        assert!(!outcome.stderr.contains("IBMCLOUD_API_KEY"), "{outcome:?}");
    }
    machine.set("IBMCLOUD_API_KEY", KEY);
    let outcome = machine.run(&["login"], Input::Open);
    outcome.tells_a_person(&["$IBMCLOUD_API_KEY", "no login is needed"]);
    assert_eq!(machine.cloud.exchanges(), 0);
}

#[test]
fn invalid_input_is_not_sent_to_iam() {
    let Some(machine) = machine() else { return };
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
        let outcome = machine.run(&["login", "--api-key-stdin"], input);
        outcome.tells_a_person(&[reason]);
        assert!(outcome.stderr.len() < 1000, "{outcome:?}");
        assert!(!outcome.stderr.contains("secret"), "{outcome:?}");
    }
    assert_eq!(machine.cloud.exchanges(), 0);
}

#[test]
fn a_failed_login_keeps_the_stored_one() {
    let Some(machine) = machine() else { return };
    answer(&log_in(&machine, OTHER_KEY, &["us.icr.io"]), &[]);
    machine.settings("deadline = 1\n");
    machine.cloud.accounts().disable_api_key(KEY);
    log_in(&machine, KEY, &["us.icr.io", "de.icr.io"]).tells_a_person(&["disabled", "the API key"]);
    machine.cloud.accounts().revoke_api_key(KEY);
    log_in(&machine, KEY, &["us.icr.io", "de.icr.io"]).tells_a_person(&["BXNIM0415E"]);
    for fault in [
        Fault::Status(503),
        Fault::Garbage,
        Fault::Html,
        Fault::Empty,
    ] {
        machine.cloud.always(Some(fault));
        log_in(&machine, KEY, &["us.icr.io", "de.icr.io"]).puts_a_person_off(&["the API key"]);
    }
    machine.cloud.always(None);
    machine.list().is_list(&[("us.icr.io", "iamapikey")]);
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-other");
    machine.get("de.icr.io").is_not_found();
}

#[test]
fn without_a_keychain_no_request_is_sent() {
    let machine = Machine::new();
    machine.add_api_key(KEY, "me");
    let outcome = machine.run(&["login", "--api-key-stdin"], Input::Open);
    outcome.tells_a_person(&["ICR_KEYCHAIN", "IBMCLOUD_API_KEY"]);
    assert_eq!(machine.cloud.exchanges(), 0);
    answer(
        &machine.run(&["logout"], Input::Open),
        &["No default login is stored"],
    );
    answer(
        &machine.run(&["logout", "--all", "--revoke"], Input::Open),
        &["No login is stored"],
    );
}

#[test]
fn a_login_may_be_for_several_registries_in_any_spelling() {
    let Some(machine) = machine() else { return };
    machine.settings("registries = [\"registry.example.com\"]\n");
    let hosts = [
        "https://US.icr.io/v2/",
        "de.icr.io",
        "us.icr.io",
        "registry.example.com",
    ];
    answer(
        &log_in(&machine, KEY, &hosts),
        &["us.icr.io, de.icr.io and registry.example.com"],
    );
    machine.list().is_list(&[
        ("de.icr.io", "iamapikey"),
        ("registry.example.com", "iamapikey"),
        ("us.icr.io", "iamapikey"),
    ]);
    assert_eq!(
        machine.get("registry.example.com").is_token_of(),
        "IBMid-me"
    );
    machine.get("uk.icr.io").is_not_found();
    for host in ["ghcr.io", "us.icr.io.example.com"] {
        log_in(&machine, KEY, &[host]).tells_a_person(&[host, "not an IBM Cloud registry"]);
    }
    log_in(&machine, KEY, &["cp.icr.io"]).tells_a_person(&["docker login -u cp cp.icr.io"]);
    log_in(&machine, KEY, &["--profile", "x", "us.icr.io"]).refuses_arguments(&["--profile"]);
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
    let Some(mut machine) = machine() else { return };
    machine.settings(TWO_TEAMS);
    log_in(&machine, KEY, &["--profile", "team-aa"])
        .tells_a_person(&["team-aa", "did you mean `team-a`"]);
    answer(
        &log_in(&machine, KEY, &["--profile", "team-a"]),
        &["profile 'team-a'"],
    );
    machine.set("ICR_PROFILE", "team-b");
    answer(&log_in(&machine, OTHER_KEY, &[]), &["profile 'team-b'"]);
    machine.unset("ICR_PROFILE");
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-me");
    assert_eq!(machine.get("de.icr.io").is_token_of(), "IBMid-other");
    machine.get("uk.icr.io").is_not_found();
    let outcome = machine.run(&["logout", "--profile", "team-b"], "");
    answer(&outcome, &["Deleted", "profile 'team-b'"]);
    machine.get("de.icr.io").is_not_found();
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-me");
    machine.settings("");
    let outcome = machine.run(&["logout", "--profile", "team-a"], "");
    answer(&outcome, &["Deleted", "profile 'team-a'"]);
}

#[test]
fn the_json_keys_are_stable() {
    let Some(machine) = machine() else { return };
    let outcome = log_in(&machine, KEY, &["us.icr.io", "--json"]);
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
    let outcome = machine.run(&["logout", "us.icr.io", "--json"], "");
    assert_eq!(as_json(&outcome), logout(json!([]), scopes.clone()));
    let outcome = machine.run(&["logout", "us.icr.io", "--json"], "");
    assert_eq!(as_json(&outcome), logout(scopes, json!([])));
    let outcome = machine.run(&["logout", "--json"], "");
    assert_eq!(
        as_json(&outcome),
        logout(json!([{"kind": "default"}]), json!([]))
    );
}

#[test]
fn a_login_that_is_not_used_causes_a_warning() {
    let Some(mut machine) = machine() else { return };
    machine.settings(TWO_TEAMS);
    answer(&log_in(&machine, OTHER_KEY, &["--profile", "team-a"]), &[]);
    let outcome = log_in(&machine, KEY, &["us.icr.io"]);
    answer_with_warning(
        &outcome,
        &[
            "warning: the login for profile",
            "takes precedence for us.icr.io",
        ],
    );
    let outcome = log_in(&machine, KEY, &["--json"]);
    answer_with_warning(&outcome, &["us.icr.io", "de.icr.io"]);
    let warnings = as_json(&outcome)["warnings"].clone();
    assert_eq!(warnings.as_array().map(Vec::len), Some(2), "{warnings}");
    machine.settings("[profile.alone]\n");
    let outcome = log_in(&machine, KEY, &["--profile", "alone"]);
    answer_with_warning(&outcome, &["no registry uses profile 'alone'"]);
    machine.settings("");
    machine.set("IBMCLOUD_API_KEY", OTHER_KEY);
    let outcome = log_in(&machine, KEY, &["uk.icr.io"]);
    answer_with_warning(
        &outcome,
        &["takes precedence for uk.icr.io. To use this login, unset $IBMCLOUD_API_KEY"],
    );
    machine.set("ICR_SOURCE", "ibmcloud");
    let outcome = log_in(&machine, KEY, &["uk.icr.io"]);
    answer_with_warning(
        &outcome,
        &["this login is not used for uk.icr.io", "ibmcloud"],
    );
}

#[test]
fn the_session_of_the_cli_is_used_and_not_changed() {
    let Some(machine) = machine_with_session() else {
        return;
    };
    let session = fs::read(machine.path(SESSION)).expect("we wrote it");
    let outcome = machine.run(&["login", "--from-ibmcloud"], Input::Open);
    answer(&outcome, &["IBMid-me", "session", "--create-api-key"]);
    assert_eq!(
        fs::read(machine.path(SESSION)).expect("it is there"),
        session
    );
    fs::remove_file(machine.path(SESSION)).expect("it is ours");
    for _ in 0..3 {
        assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-me");
        machine.keys().forget_tokens();
    }
    let outcome = machine.run(&["login", "--from-ibmcloud"], Input::Open);
    outcome.tells_a_person(&["ibmcloud login"]);
    machine.file(SESSION, "{\"IAMRefreshToken\": \"\"}");
    let outcome = machine.run(&["login", "--from-ibmcloud"], Input::Open);
    outcome.tells_a_person(&["no refresh token"]);
    write_session(&machine);
    machine.cloud.accounts().invalidate_session(REFRESH_TOKEN);
    let outcome = machine.run(&["login", "--from-ibmcloud"], Input::Open);
    outcome.tells_a_person(&["BXNIM0439E", "ibmcloud login"]);
}

#[test]
fn logout_all_deletes_all_logins_and_tokens() {
    let Some(mut machine) = machine_with_session() else {
        return;
    };
    machine.unset("ICR_SOURCE");
    machine.get("us.icr.io").is_token_of();
    assert!(
        machine.keys().names().len() >= 2,
        "a token, and what replaced the session's"
    );
    machine.run(&["logout", "--all"], Input::Open);
    assert_eq!(machine.keys().names(), [""; 0]);
}

#[test]
fn the_default_login_is_not_used_for_staging() {
    let Some(mut machine) = machine() else { return };
    answer(&log_in(&machine, KEY, &[]), &[]);
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-me");
    machine.unset("IBMCLOUD_IAM_API_ENDPOINT");
    machine.get("stg.icr.io").is_not_found();
}

#[test]
fn a_refresh_token_that_an_earlier_get_rotated_is_used() {
    let Some(mut machine) = machine_with_session() else {
        return;
    };
    machine.unset("ICR_SOURCE");
    // IAM rotates the refresh token, and the CLI does not get the new one.
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-me");
    let outcome = machine.run(&["login", "--from-ibmcloud"], Input::Open);
    answer(&outcome, &["IBMid-me"]);
}

/// Logs in with an API key that the program creates. Returns its ID.
#[track_caller]
fn log_in_with_created_key(machine: &Machine, arguments: &[&str]) -> String {
    let create = ["login", "--from-ibmcloud", "--create-api-key", "--json"];
    let outcome = machine.run(&[&create, arguments].concat(), Input::Open);
    let login = as_json(&outcome)["logins"][0].clone();
    assert_eq!(login["username"], "iamapikey");
    let id = login["api_key"]["id"].as_str().expect("an ID");
    id.to_owned()
}

/// Returns a machine whose session can be used several times, because IAM does not rotate its token.
fn machine_with_lasting_session() -> Option<Machine> {
    let machine = machine_with_session()?;
    machine.cloud.accounts().set_refresh_rotation(false);
    Some(machine)
}

#[test]
fn an_api_key_is_created_instead_of_a_session() {
    let Some(mut machine) = machine_with_lasting_session() else {
        return;
    };
    let before = machine.cloud.accounts().api_key_count();
    let now = as_seconds();
    let arguments = [
        "login",
        "--from-ibmcloud",
        "--create-api-key",
        "--expires",
        "30d",
        "--json",
    ];
    let outcome = machine.run(&arguments, Input::Open);
    let key = as_json(&outcome)["logins"][0]["api_key"].clone();
    let end = key["expires_at"].as_u64().expect("an end");
    assert!(
        (now + 30 * 86_400 - 60..=now + 30 * 86_400 + 60).contains(&end),
        "{key}"
    );
    let requests = machine.cloud.requests();
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
    assert_eq!(machine.cloud.accounts().api_key_count(), before + 1);
    fs::remove_file(machine.path(SESSION)).expect("it is ours");
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-me");
    machine.run(&["logout"], "");
    write_session(&machine);
    log_in_with_created_key(&machine, &["us.icr.io"]);
    let secret = stored_key(&mut machine, "us.icr.io");
    assert!(!outcome.stdout.contains(&secret), "{outcome:?}");
}

fn as_seconds() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the tests have the real time")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("after 1970").as_secs()
}

#[test]
fn without_the_new_key_nothing_is_stored() {
    let Some(machine) = machine_with_lasting_session() else {
        return;
    };
    machine.settings("deadline = 1\n");
    let before = machine.cloud.accounts().api_key_count();
    let create = ["login", "--from-ibmcloud", "--create-api-key"];
    let refusal = Fault::Status(403);
    machine.cloud.script_for(Service::ApiKeys, [refusal]);
    let outcome = machine.run(&create, Input::Open);
    outcome.tells_a_person(&["cannot create an API key"]);
    let outage = Fault::Status(503);
    machine.cloud.script_for(Service::ApiKeys, [outage]);
    let outcome = machine.run(&create, Input::Open);
    outcome.puts_a_person_off(&["docker-credential-icr on "]);
    assert_eq!(machine.cloud.accounts().api_key_count(), before);
    machine.get("us.icr.io").is_not_found();
    for (arguments, part) in [
        (&["login", "--create-api-key"][..], "--from-ibmcloud"),
        (&["login", "--expires", "3"], "--expires"),
        (&["login", "--sso", "--expires", "0"], "3650"),
    ] {
        machine
            .run(arguments, Input::Open)
            .refuses_arguments(&[part]);
    }
}

#[test]
fn a_key_that_cannot_be_stored_is_deleted_again() {
    // There is no bus in the machine's environment.
    let Some(machine) = machine_with("secret-service") else {
        return;
    };
    machine.cloud.accounts().set_refresh_rotation(false);
    write_session(&machine);
    let before = machine.cloud.accounts().api_key_count();
    let create = ["login", "--from-ibmcloud", "--create-api-key"];
    machine
        .run(&create, Input::Open)
        .puts_a_person_off(&["no D-Bus session bus", "The new API key was deleted again"]);
    assert_eq!(machine.cloud.accounts().api_key_count(), before);
    let faults = [Fault::Delay(std::time::Duration::ZERO), Fault::Status(403)];
    machine.cloud.script_for(Service::ApiKeys, faults);
    machine.run(&create, Input::Open).puts_a_person_off(&[
        "no D-Bus session bus",
        "still exists",
        "ApiKey-",
    ]);
    assert_eq!(machine.cloud.accounts().api_key_count(), before + 1);
}

#[test]
fn a_trusted_profile_is_checked_and_then_assumed() {
    let Some(machine) = machine_with_lasting_session() else {
        return;
    };
    let builders = Profile::new("Profile-1")
        .named("builders")
        .trusting(&["IBMid-me"]);
    machine.cloud.accounts().add_trusted_profile(builders);
    for named in ["Profile-2", "nobody", ""] {
        log_in(&machine, KEY, &["--profile-id", named]).tells_a_person(&["rofile"]);
    }
    log_in(&machine, OTHER_KEY, &["--profile-id", "Profile-1"]).tells_a_person(&["Profile-1"]);
    log_in(
        &machine,
        KEY,
        &["--profile-id", "builders", "--account", "account-9"],
    )
    .tells_a_person(&["builders"]);
    machine.get("us.icr.io").is_not_found();
    for arguments in [
        &["--profile-id", "Profile-1"][..],
        &["--profile-id", "builders"],
        &["--profile-id", "builders", "--account", "account-1"],
    ] {
        answer(
            &log_in(&machine, KEY, arguments),
            &["trusted profile", "iam-Profile-1"],
        );
        assert_eq!(machine.get("us.icr.io").is_token_of(), "iam-Profile-1");
    }
    let session = ["login", "--from-ibmcloud", "--profile-id", "Profile-1"];
    answer(&machine.run(&session, Input::Open), &["iam-Profile-1"]);
    assert_eq!(machine.get("us.icr.io").is_token_of(), "iam-Profile-1");
    log_in_with_created_key(&machine, &["--profile-id", "Profile-1"]);
    let outcome = machine.run(&["login", "--rotate"], Input::Open);
    answer(&outcome, &["API key"]);
    machine.keys().forget_tokens();
    assert_eq!(machine.get("us.icr.io").is_token_of(), "iam-Profile-1");
}

#[test]
fn a_key_is_rotated_in_every_login_that_has_it() {
    let Some(mut machine) = machine_with_lasting_session() else {
        return;
    };
    let old_id = log_in_with_created_key(&machine, &["us.icr.io", "de.icr.io"]);
    let old_key = stored_key(&mut machine, "us.icr.io");
    let count = machine.cloud.accounts().api_key_count();
    let outcome = machine.run(&["login", "--rotate", "de.icr.io", "--json"], Input::Open);
    let login = as_json(&outcome)["logins"][0].clone();
    assert_ne!(login["api_key"]["id"], old_id);
    assert_eq!(login["scopes"].as_array().map(Vec::len), Some(2), "{login}");
    assert_eq!(machine.cloud.accounts().api_key_count(), count);
    log_in(&machine, &old_key, &[]).tells_a_person(&["BXNIM0415E"]);
    machine.keys().forget_tokens();
    for host in ["us.icr.io", "de.icr.io"] {
        assert_eq!(machine.get(host).is_token_of(), "IBMid-me");
    }
    answer(&log_in(&machine, KEY, &["uk.icr.io"]), &[]);
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
        machine.run(arguments, Input::Open).tells_a_person(&[part]);
    }
}

#[test]
fn a_rotation_that_fails_leaves_a_working_login() {
    let Some(machine) = machine_with_lasting_session() else {
        return;
    };
    machine.settings("deadline = 2\n");
    let old_id = log_in_with_created_key(&machine, &[]);
    let count = machine.cloud.accounts().api_key_count();
    let rotate = ["login", "--rotate"];
    let passes = || Fault::Delay(std::time::Duration::ZERO);
    machine
        .cloud
        .script_for(Service::ApiKeys, [Fault::Status(403)]);
    machine
        .run(&rotate, Input::Open)
        .tells_a_person(&["cannot create an API key"]);
    machine.cloud.script([passes(), Fault::Html, passes()]);
    machine
        .run(&rotate, Input::Open)
        .puts_a_person_off(&["the new API key", "deleted again"]);
    assert_eq!(machine.cloud.accounts().api_key_count(), count);
    machine.keys().forget_tokens();
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-me");

    machine
        .cloud
        .script_for(Service::ApiKeys, [passes(), Fault::Status(403)]);
    let outcome = machine.run(&rotate, Input::Open);
    answer_with_warning(&outcome, &["still exists", &old_id]);
    assert_eq!(machine.cloud.accounts().api_key_count(), count + 1);
    machine.keys().forget_tokens();
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-me");
}

#[test]
fn concurrent_rotations_and_a_logout_leave_no_unused_key() {
    let Some(machine) = machine_with_lasting_session() else {
        return;
    };
    let before = machine.cloud.accounts().api_key_count();
    log_in_with_created_key(&machine, &[]);
    let slow = || Fault::Delay(std::time::Duration::from_millis(300));
    let rotate = |_| machine.run(&["login", "--rotate"], Input::Open);
    machine.cloud.script_for(Service::ApiKeys, [slow(), slow()]);
    for outcome in at_once(2, rotate) {
        answer(&outcome, &["API key"]);
    }
    assert_eq!(machine.cloud.accounts().api_key_count(), before + 1);
    machine.keys().forget_tokens();
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-me");

    let seen = machine.cloud.requests().len();
    machine.cloud.script_for(Service::ApiKeys, [slow()]);
    let rotation = machine.start(&["login", "--rotate"], Input::Open);
    while machine.cloud.requests().len() < seen + 2 {
        std::thread::yield_now();
    }
    answer(&machine.run(&["logout"], Input::Open), &["Deleted"]);
    rotation
        .finish()
        .puts_a_person_off(&["changed or deleted by another process", "deleted again"]);
    assert_eq!(
        machine.cloud.accounts().api_key_count(),
        before + 1,
        "the old one, which a logout leaves"
    );
    machine.get("us.icr.io").is_not_found();
}

#[test]
fn get_works_during_a_rotation() {
    let Some(machine) = machine_with_lasting_session() else {
        return;
    };
    log_in_with_created_key(&machine, &[]);
    for _ in 0..3 {
        let outcomes = at_once(8, |index| {
            if index == 0 {
                return machine.run(&["login", "--rotate"], Input::Open);
            }
            machine.keys().forget_tokens();
            machine.get("us.icr.io")
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
fn status_of(machine: &Machine, host: &str) -> (Value, bool) {
    let asked = machine.cloud.requests().len();
    let outcome = machine.run(&["status", "--json", host], Input::Open);
    assert_eq!(machine.cloud.requests().len(), asked);
    let row = as_json(&outcome)["registries"][0].clone();
    (row["owner"]["iam_id"].clone(), !row["token"].is_null())
}

#[test]
fn the_owner_is_known_at_once_and_after_the_token_expires() {
    let Some(machine) = machine_with_lasting_session() else {
        return;
    };
    let me = |has_token| (Value::from("IBMid-me"), has_token);
    let profile = Profile::new("Profile-1").trusting(&["IBMid-me"]);
    machine.cloud.accounts().add_trusted_profile(profile);
    answer(&log_in(&machine, KEY, &["us.icr.io", "de.icr.io"]), &[]);
    let session = ["login", "uk.icr.io", "--from-ibmcloud"];
    answer(
        &machine.run(&session, Input::Open),
        &["This session expires"],
    );
    log_in_with_created_key(&machine, &["jp.icr.io"]);
    let hosts = ["us.icr.io", "de.icr.io", "uk.icr.io", "jp.icr.io"];
    let exchanges = machine.cloud.exchanges();
    for host in hosts {
        assert_eq!(status_of(&machine, host), me(true), "{host}");
        assert_eq!(machine.get(host).is_token_of(), "IBMid-me");
    }
    assert_eq!(machine.cloud.exchanges(), exchanges, "the first get is hot");
    machine.keys().forget_tokens();
    for host in hosts {
        assert_eq!(status_of(&machine, host), me(false), "{host}");
    }
    machine.get("uk.icr.io").is_token_of();
    machine.keys().forget_tokens();
    assert_eq!(status_of(&machine, "uk.icr.io"), me(false), "rotated");

    answer(&machine.run(&["login", "--rotate", "jp.icr.io"], ""), &[]);
    let exchanges = machine.cloud.exchanges();
    assert_eq!(status_of(&machine, "jp.icr.io"), me(true));
    assert_eq!(machine.get("jp.icr.io").is_token_of(), "IBMid-me");
    assert_eq!(machine.cloud.exchanges(), exchanges);

    let assumed = ["au.icr.io", "--profile-id", "Profile-1"];
    answer(&log_in(&machine, KEY, &assumed), &["iam-Profile-1"]);
    for has_token in [true, false] {
        let theirs = (Value::from("iam-Profile-1"), has_token);
        assert_eq!(status_of(&machine, "au.icr.io"), theirs);
        machine.keys().forget_tokens();
    }
    let listed = machine.keys().names().join(" ");
    assert!(
        !listed.contains("IBMid") && !listed.contains('@'),
        "{listed}"
    );
}

#[test]
fn owner_and_key_stay_with_their_login() {
    let Some(machine) = machine_with_lasting_session() else {
        return;
    };
    let nobody = (Value::Null, false);
    log_in_with_created_key(&machine, &["us.icr.io"]);
    machine.keys().forget_tokens();
    let text =
        "[profile.x]\ntrusted-profile = \"Profile-2\"\n[registry.\"us.icr.io\"]\nprofile = \"x\"";
    let settings = machine.settings(text);
    assert_eq!(status_of(&machine, "us.icr.io"), nobody, "somebody else");
    fs::remove_file(settings).expect("it is ours");

    answer(&log_in(&machine, KEY, &["de.icr.io"]), &[]);
    machine.keys().forget_tokens();
    // A client that stores the same key again does not know its owner.
    machine
        .store("de.icr.io", "iamapikey", KEY)
        .is_silent_success();
    let me = (Value::from("IBMid-me"), false);
    assert_eq!(status_of(&machine, "de.icr.io"), me);
    machine
        .store("de.icr.io", "iamapikey", OTHER_KEY)
        .is_silent_success();
    assert_eq!(status_of(&machine, "de.icr.io"), nobody);

    // As stored by an older version.
    machine.keys().change_logins(|login| {
        let fields = login.as_object_mut().expect("an object");
        fields.remove("owner");
    });
    assert_eq!(status_of(&machine, "us.icr.io"), nobody);
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-me");
    machine.keys().forget_tokens();
    answer(&machine.run(&["login", "--rotate", "us.icr.io"], ""), &[]);
    let me = (Value::from("IBMid-me"), true);
    assert_eq!(status_of(&machine, "us.icr.io"), me);
}

#[test]
fn a_login_of_a_newer_version_is_not_overwritten() {
    let Some(machine) = machine() else { return };
    answer(&log_in(&machine, KEY, &["us.icr.io"]), &[]);
    machine.keys().change_logins(|login| login["v"] = 2.into());
    let hosts = ["de.icr.io", "us.icr.io"];
    let parts = [
        "us.icr.io",
        "newer version",
        "docker-credential-icr logout us.icr.io",
    ];
    log_in(&machine, OTHER_KEY, &hosts).tells_a_person(&parts);
    machine.get("us.icr.io").is_failure_with(&parts);
    machine.get("de.icr.io").is_not_found();
    answer(&machine.run(&["logout", "us.icr.io"], ""), &["Deleted"]);
    answer(&log_in(&machine, OTHER_KEY, &hosts), &[]);
}

#[test]
fn a_logout_deletes_tokens_and_may_be_repeated() {
    let Some(machine) = machine() else { return };
    answer(&log_in(&machine, KEY, &[]), &[]);
    answer_with_warning(&log_in(&machine, OTHER_KEY, &["us.icr.io"]), &[]);
    for host in ["us.icr.io", "de.icr.io"] {
        machine.get(host).is_token_of();
    }
    let outcome = machine.run(&["logout", "us.icr.io"], "");
    outcome.has(&outcome.stdout, &["Deleted", "us.icr.io"]);
    answer_with_warning(&outcome, &["is still active for us.icr.io"]);
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-me");
    let outcome = machine.run(&["logout", "us.icr.io"], "");
    answer(
        &outcome,
        &[
            "No login is stored for us.icr.io",
            "Still stored: the default login",
            "--all",
        ],
    );
    answer(
        &machine.run(&["logout"], ""),
        &["Deleted the default login"],
    );
    answer(
        &machine.run(&["logout"], ""),
        &["No default login is stored"],
    );
    machine.get("us.icr.io").is_not_found();
    let names = machine.keys().names().join(" ");
    assert!(
        !names.contains("token:") && !names.contains("login:"),
        "{names}"
    );
    machine
        .run(&["logout", "ghcr.io"], "")
        .tells_a_person(&["ghcr.io"]);
    machine
        .run(&["logout", "--all", "us.icr.io"], "")
        .refuses_arguments(&["--all"]);
}

#[test]
fn a_logout_of_all_deletes_every_kind_of_login() {
    let Some(machine) = machine() else { return };
    machine.settings(TWO_TEAMS);
    for arguments in [&[][..], &["uk.icr.io"], &["--profile", "team-a"]] {
        let outcome = log_in(&machine, KEY, arguments);
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
    }
    machine
        .store("de.icr.io", "token", "a-registry-token")
        .is_silent_success();
    let outcome = machine.run(&["logout", "--all"], "");
    answer(
        &outcome,
        &[
            "default login",
            "uk.icr.io",
            "profile 'team-a'",
            "de.icr.io",
        ],
    );
    answer(
        &machine.run(&["logout", "--all"], ""),
        &["No login is stored"],
    );
    let names = machine.keys().names().join(" ");
    assert!(
        !names.contains("token:") && !names.contains("login:"),
        "{names}"
    );
}

#[test]
fn a_revoked_key_is_deleted_with_every_login_that_uses_it() {
    let Some(mut machine) = machine_with_lasting_session() else {
        return;
    };
    let id = log_in_with_created_key(&machine, &["us.icr.io", "de.icr.io"]);
    let key = stored_key(&mut machine, "us.icr.io");
    let count = machine.cloud.accounts().api_key_count();
    machine.settings("deadline = 1\n");
    machine
        .cloud
        .always_for(Service::ApiKeys, Some(Fault::Status(503)));
    machine
        .run(&["logout", "--revoke", "us.icr.io"], "")
        .refuses_arguments(&[&id, "--yes"]);
    let revoke = ["logout", "--revoke", "--yes", "us.icr.io"];
    let outcome = machine.run(&revoke, "");
    outcome.tells_a_person(&[
        "The login is kept",
        "'docker-credential-icr logout us.icr.io'",
        &id,
    ]);
    machine.cloud.always_for(Service::ApiKeys, None);
    machine
        .list()
        .is_list(&[("de.icr.io", "iamapikey"), ("us.icr.io", "iamapikey")]);
    assert_eq!(machine.cloud.accounts().api_key_count(), count);

    let outcome = machine.run(&revoke, "");
    answer_with_warning(&outcome, &["the login for de.icr.io has the same API key"]);
    outcome.has(&outcome.stdout, &[&id, "Deleted", "de.icr.io", "us.icr.io"]);
    machine.list().is_list(&[]);
    assert_eq!(machine.cloud.accounts().api_key_count(), count - 1);
    log_in(&machine, &key, &[]).tells_a_person(&["BXNIM0415E"]);
    answer(
        &machine.run(&revoke, ""),
        &["No login is stored for us.icr.io"],
    );
}

#[test]
fn revoking_a_deleted_key_succeeds_and_other_keys_stay() {
    let Some(mut machine) = machine_with_lasting_session() else {
        return;
    };
    log_in_with_created_key(&machine, &["us.icr.io"]);
    let key = stored_key(&mut machine, "us.icr.io");
    machine.cloud.accounts().revoke_api_key(&key);
    let revoke = ["logout", "--revoke", "--yes", "us.icr.io", "--json"];
    let outcome = machine.run(&revoke, "");
    assert_eq!(
        as_json(&outcome)["deleted_logins"].as_array().map(Vec::len),
        Some(1)
    );
    answer(&log_in(&machine, KEY, &["de.icr.io"]), &[]);
    let count = machine.cloud.accounts().api_key_count();
    let outcome = machine.run(&["logout", "--all", "--revoke"], "");
    answer_with_warning(&outcome, &["de.icr.io", "none is deleted in IAM"]);
    machine.list().is_list(&[]);
    assert_eq!(machine.cloud.accounts().api_key_count(), count);
}

const SESSION_OF_ONE_HOST: &str = "SESSION-OF-ONE-HOST-2d4f";

/// Logs in for one host as `ibmcloud cr login` does, after a default login.
fn store_expired_session(machine: &Machine) {
    answer(&log_in(machine, KEY, &[]), &[]);
    machine.add_refresh_token(SESSION_OF_ONE_HOST, "session");
    let stored = machine.store("us.icr.io", "iamrefresh", SESSION_OF_ONE_HOST);
    stored.is_silent_success();
    let accounts = machine.cloud.accounts();
    accounts.invalidate_session(SESSION_OF_ONE_HOST);
}

fn problems_of(machine: &Machine) -> String {
    let outcome = machine.run(&["status", "--json"], "");
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
        let Some(machine) = machine() else { return };
        store_expired_session(&machine);
        assert_eq!(machine.get("de.icr.io").is_token_of(), "IBMid-me");
        assert!(
            !problems_of(&machine).contains("expired"),
            "IAM has not said so"
        );
        machine.get("us.icr.io").is_failure_with(&[
            "the login for us.icr.io",
            "BXNIM0439E",
            "'docker-credential-icr logout us.icr.io'",
            "'docker logout us.icr.io'",
            "the default login answers",
        ]);
        let asked = machine.cloud.requests().len();
        let problems = problems_of(&machine);
        for part in [
            "the login for us.icr.io has expired: IAM ended its session",
            "Without it, ",
            "docker-credential-icr logout us.icr.io",
        ] {
            assert!(problems.contains(part), "{problems}");
        }
        let status = machine.run(&["status"], "");
        assert_eq!(status.status, Some(1), "{status:?}");
        assert_eq!(machine.cloud.requests().len(), asked, "no network");
        let doctor = machine.run(&["doctor"], "");
        doctor.has(
            &doctor.stdout,
            &[
                "problem  the login for us.icr.io has expired",
                "fix: docker-credential-icr logout us.icr.io",
            ],
        );
        let outcome = machine.run(way_out, KEY);
        answer_with_warning(&outcome, &[]);
        if way_out[0] == "login" {
            outcome.has(
                &outcome.stderr,
                &["warning: deleted the expired login for us.icr.io"],
            );
        }
        assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-me");
        assert_eq!(problems_of(&machine), "[]");
    }
}

#[test]
fn a_session_that_has_not_expired_is_kept() {
    let Some(machine) = machine() else { return };
    store_expired_session(&machine);
    // IAM has not rejected the session yet.
    let outcome = log_in(&machine, KEY, &[]);
    answer_with_warning(
        &outcome,
        &["the login for us.icr.io takes precedence over this login"],
    );
    machine.list().is_list(&[("us.icr.io", "iamrefresh")]);
    let status = as_json(&machine.run(&["status", "--json"], ""));
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
    machine.cloud.script([refusal]);
    machine
        .get("us.icr.io")
        .is_failure_with(&["'docker-credential-icr logout us.icr.io'"]);
    log_in(&machine, KEY, &[]);
    machine.list().is_list(&[("us.icr.io", "iamrefresh")]);
}

#[test]
fn in_a_pipe_replacing_the_login_of_another_account_causes_a_warning() {
    let Some(machine) = machine() else { return };
    answer(&log_in(&machine, KEY, &[]), &[]);
    answer(&log_in(&machine, KEY, &[]), &[]);
    for (key, new) in [(OTHER_KEY, "IBMid-other"), (KEY, "IBMid-me")] {
        let outcome = log_in(&machine, key, &["--json"]);
        answer_with_warning(&outcome, &["warning: the default login of user", new]);
        let warnings = as_json(&outcome)["warnings"].clone();
        assert_eq!(warnings.as_array().map(Vec::len), Some(1), "{warnings}");
        assert_eq!(machine.get("us.icr.io").is_token_of(), new);
    }
    // The owner of a client's login is in its token.
    machine
        .store("us.icr.io", "iamapikey", OTHER_KEY)
        .is_silent_success();
    machine.get("us.icr.io").is_token_of();
    let outcome = log_in(&machine, KEY, &["us.icr.io"]);
    answer_with_warning(&outcome, &["the login for us.icr.io of user"]);
}

#[test]
fn a_logout_warns_of_sources_that_stay_active() {
    let Some(mut machine) = machine() else { return };
    machine.set("IBMCLOUD_API_KEY", OTHER_KEY);
    for scopes in [&[][..], &["us.icr.io", "de.icr.io"]] {
        log_in(&machine, KEY, scopes);
        let logout = machine.run(&[&["logout"], scopes].concat(), "");
        let name = if scopes.is_empty() {
            "all registries"
        } else {
            "de.icr.io and us.icr.io"
        };
        let text = format!("warning: the API key in $IBMCLOUD_API_KEY is still active for {name}.");
        answer_with_warning(&logout, &[&text, "unset $IBMCLOUD_API_KEY"]);
        assert_eq!(logout.stderr.lines().count(), 1, "{logout:?}");
    }
    log_in(&machine, KEY, &[]);
    log_in(&machine, KEY, &["us.icr.io"]);
    let logout = machine.run(&["logout", "--all", "--json"], "");
    let warnings = as_json(&logout)["warnings"].clone();
    assert_eq!(warnings.as_array().map(Vec::len), Some(1), "{warnings}");
    for arguments in [
        &["logout"][..],
        &["logout", "--all"],
        &["logout", "us.icr.io"],
    ] {
        let logout = machine.run(arguments, "");
        answer_with_warning(
            &logout,
            &["the API key in $IBMCLOUD_API_KEY is still active"],
        );
    }
    machine.unset("IBMCLOUD_API_KEY");
    log_in(&machine, KEY, &[]);
    answer(&machine.run(&["logout"], ""), &["Deleted"]);
}

#[test]
fn a_profile_without_a_login_is_pointed_out() {
    let Some(machine) = machine() else { return };
    machine.settings("[profile.team-a]\n[registry.\"us.icr.io\"]\nprofile = \"team-a\"\n");
    let command = "docker-credential-icr login --profile team-a";
    let outcome = log_in(&machine, KEY, &[]);
    answer_with_warning(
        &outcome,
        &["warning: this login is not used for us.icr.io", command],
    );
    let status = machine.run(&["status"], "");
    answer(&status, &[command]);
    for arguments in [&["doctor"][..], &["status", "--check", "us.icr.io"]] {
        let outcome = machine.run(arguments, "");
        outcome.has(&outcome.stdout, &[command]);
    }
    let outcome = machine.run(&["token", "list", "--registry", "us.icr.io"], "");
    outcome.tells_a_person(&[command]);
    let login = log_in(&machine, KEY, &["--profile", "team-a"]);
    answer(&login, &[]);
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-me");
}

/// Tests at a terminal.
#[cfg(unix)]
mod terminal {
    use super::support::browser::log_in_with;
    use super::support::screen::dialog;
    use super::*;

    #[test]
    fn the_key_is_prompted_for_and_not_shown() {
        let Some(machine) = machine() else { return };
        let mut session = dialog(&machine, &["login"]);
        let shown = session.exp_string("API key: ").expect("a prompt");
        assert!(!shown.contains(KEY));
        session.send_line(KEY).expect("it listens");
        let shown = session.exp_eof().expect("an end");
        assert!(shown.contains("Logged in to"), "{shown}");
        assert!(!shown.contains(KEY), "{shown}");
        assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-me");
    }

    /// Types a key, and answers the question that follows.
    fn log_in_and_answer(
        machine: &Machine,
        arguments: &[&str],
        key: &str,
        question: &str,
        answer: &str,
    ) -> String {
        let mut session = dialog(machine, &[&["login"], arguments].concat());
        session.exp_string("API key: ").expect("a prompt");
        session.send_line(key).expect("it listens");
        session.exp_string(question).expect("a question");
        session.send_line(answer).expect("it listens");
        session.exp_eof().expect("an end")
    }

    #[test]
    fn replacing_the_login_of_another_account_needs_a_yes() {
        let Some(machine) = machine() else { return };
        answer(&log_in(&machine, KEY, &[]), &[]);
        for typed in ["", "n"] {
            let shown = log_in_and_answer(&machine, &[], OTHER_KEY, "(IBMid-other)", typed);
            assert!(shown.contains("canceled"), "{shown}");
            assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-me");
        }
        let shown = log_in_and_answer(&machine, &[], OTHER_KEY, "[y/N]", "y");
        assert!(shown.contains("Logged in to"), "{shown}");
        assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-other");
        let mut session = dialog(&machine, &["login", "--yes"]);
        session.exp_string("API key: ").expect("a prompt");
        session.send_line(KEY).expect("it listens");
        let shown = session.exp_eof().expect("an end");
        assert!(shown.contains("Logged in to"), "{shown}");
        assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-me");
    }

    #[test]
    fn deleting_an_expired_session_is_offered() {
        let question = "The login for us.icr.io has expired. Delete it";
        for (typed, owner) in [("", Some("IBMid-me")), ("n", None)] {
            let Some(machine) = machine() else { return };
            store_expired_session(&machine);
            // One that has not expired is kept.
            machine.add_refresh_token("LIVING-SESSION-88aa", "living");
            machine
                .store("de.icr.io", "iamrefresh", "LIVING-SESSION-88aa")
                .is_silent_success();
            let shown = log_in_and_answer(&machine, &[], KEY, question, typed);
            match owner {
                Some(owner) => assert_eq!(machine.get("us.icr.io").is_token_of(), owner),
                None => {
                    let way_out = "To delete it, run 'docker-credential-icr logout us.icr.io'";
                    assert!(shown.contains(way_out), "{shown}");
                    machine.get("us.icr.io").is_failure_with(&["BXNIM0439E"]);
                }
            }
            assert_eq!(machine.get("de.icr.io").is_token_of(), "IBMid-living");
        }
    }

    #[test]
    fn deleting_a_key_in_iam_needs_a_yes() {
        let Some(machine) = machine_with_lasting_session() else {
            return;
        };
        let id = log_in_with_created_key(&machine, &["us.icr.io"]);
        let count = machine.cloud.accounts().api_key_count();
        for (typed, is_deleted) in [("", false), ("y", true)] {
            let mut session = dialog(&machine, &["logout", "--revoke", "us.icr.io"]);
            let shown = session.exp_string("[y/N]").expect("a question");
            assert!(shown.contains(&id), "{shown}");
            session.send_line(typed).expect("it listens");
            session.exp_eof().expect("an end");
            let deleted = count - machine.cloud.accounts().api_key_count();
            assert_eq!(deleted, usize::from(is_deleted));
        }
        machine.list().is_list(&[]);
    }

    #[test]
    fn a_new_key_is_retried() {
        let Some(machine) = machine() else { return };
        machine.cloud.script([(); 3].map(|()| Fault::Error {
            status: 400,
            code: "BXNIM0415E".into(),
            message: "Provided API key could not be found.".into(),
        }));
        let mut session = dialog(&machine, &["login"]);
        session.exp_string("API key: ").expect("a prompt");
        session.send_line(KEY).expect("it listens");
        let shown = session.exp_eof().expect("an end");
        assert!(shown.contains("Waiting until IAM knows"), "{shown}");
        assert!(shown.contains("Logged in to"), "{shown}");
        assert_eq!(machine.cloud.exchanges(), 4);
        assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-me");
    }

    #[test]
    fn an_empty_key_cancels_the_login() {
        let Some(machine) = machine() else { return };
        let mut session = dialog(&machine, &["login"]);
        session.exp_string("API key: ").expect("a prompt");
        session.send_line("").expect("it listens");
        let shown = session.exp_eof().expect("an end");
        assert!(shown.contains("empty"), "{shown}");
        machine.get("us.icr.io").is_not_found();
    }

    #[test]
    fn an_api_key_is_offered_instead_of_a_session() {
        for (typed, is_made) in [("", true), ("n", false)] {
            let Some(machine) = machine_with_lasting_session() else {
                return;
            };
            let before = machine.cloud.accounts().api_key_count();
            let mut session = dialog(&machine, &["login", "--from-ibmcloud"]);
            session.exp_string("90 days? [Y/n]").expect("a question");
            session.send_line(typed).expect("it listens");
            let shown = session.exp_eof().expect("an end");
            assert!(shown.contains("Logged in to"), "{shown}");
            let made = machine.cloud.accounts().api_key_count() - before;
            let known = (Value::from("IBMid-me"), true);
            assert_eq!(status_of(&machine, "us.icr.io"), known);
            assert_eq!(made, usize::from(is_made), "{shown}");
            assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-me");
        }
    }

    #[test]
    fn the_session_is_stored_if_the_offered_key_fails() {
        let Some(machine) = machine_with_lasting_session() else {
            return;
        };
        machine
            .cloud
            .script_for(Service::ApiKeys, [Fault::Status(403)]);
        let mut session = dialog(&machine, &["login", "--from-ibmcloud"]);
        session.exp_string("[Y/n]").expect("a question");
        session.send_line("y").expect("it listens");
        let shown = session.exp_eof().expect("an end");
        assert!(shown.contains("The session is stored instead"), "{shown}");
        assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-me");
    }

    #[test]
    fn a_passcode_logs_in() {
        let Some(machine) = machine() else { return };
        machine.plant("PASSCODE-1a2b");
        let accounts = machine.cloud.accounts();
        accounts.add_passcode("PASSCODE-1a2b", Subject::user("me"));
        let mut session = dialog(&machine, &["login", "--sso"]);
        let shown = session.exp_string("not shown): ").expect("a prompt");
        assert!(shown.contains("/identity/passcode"), "{shown}");
        session.send_line("PASSCODE-1a2b").expect("it listens");
        let shown = session.exp_string("[Y/n]").expect("a question");
        assert!(!shown.contains("PASSCODE-1a2b"), "{shown}");
        session.send_line("n").expect("it listens");
        let shown = session.exp_eof().expect("an end");
        assert!(shown.contains("Logged in to"), "{shown}");
        assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-me");
    }

    /// The test opens the address that the terminal shows.
    #[test]
    fn a_browser_logs_in() {
        let Some(machine) = machine() else { return };
        let subject = Some(Subject::user("me"));
        machine.cloud.accounts().set_browser_subject(subject);
        let mut session = dialog(&machine, &["login", "--web", "--create-api-key"]);
        log_in_with(&mut session);
        let shown = session.exp_eof().expect("an end");
        assert!(shown.contains("Its API key"), "{shown}");
        assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-me");
    }
}
