//! API keys that `login` creates: creation, rotation and deletion in IAM.

use super::*;

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
    fs::remove_file(env.path(SESSION)).expect("the test may change it");
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

/// On Linux, because other systems have no Secret Service.
#[cfg(target_os = "linux")]
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
    env.keys().delete_tokens();
    for host in ["us.icr.io", "de.icr.io"] {
        assert_eq!(env.get(host).is_token_of(), "IBMid-me");
    }
    answer(&log_in(&env, KEY, &["uk.icr.io"]), &[]);
    for (arguments, part) in [
        (
            &["login", "--rotate", "uk.icr.io"][..],
            "only API keys created by --create-api-key",
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
    env.keys().delete_tokens();
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");

    env.cloud
        .script_for(Service::ApiKeys, [passes(), Fault::Status(403)]);
    let outcome = env.run(&rotate, Input::Open);
    answer_with_warning(&outcome, &["still exists", &old_id]);
    assert_eq!(env.cloud.accounts().api_key_count(), count + 1);
    env.keys().delete_tokens();
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
    env.keys().delete_tokens();
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");

    // Longer than a process needs to start, and shorter than an attempt may take.
    let hanging = || {
        Fault::Delay(std::time::Duration::from_secs(if cfg!(windows) {
            3
        } else {
            1
        }))
    };
    let seen = env.cloud.requests().len();
    env.cloud.script_for(Service::ApiKeys, [hanging()]);
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
        "only the old key, which a logout does not delete"
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
            env.keys().delete_tokens();
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
