//! Sessions: those of the IBM Cloud CLI, and those that have expired.

use super::*;

fn problems_of(env: &TestEnv) -> String {
    let outcome = env.run(&["status", "--json"], "");
    let status: Value = serde_json::from_str(&outcome.stdout).expect("one JSON value");
    status["problems"].to_string()
}

#[test]
fn an_expired_session_can_be_replaced_with_the_default_login() {
    for remedy in [
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
        let outcome = env.run(remedy, KEY);
        answer_with_warning(&outcome, &[]);
        if remedy[0] == "login" {
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
fn the_session_of_the_cli_is_used_and_not_changed() {
    let Some(env) = env_with_session() else {
        return;
    };
    let session = fs::read(env.path(SESSION)).expect("the file exists");
    let outcome = env.run(&["login", "--from-ibmcloud"], Input::Open);
    answer(&outcome, &["IBMid-me", "session", "--create-api-key"]);
    assert_eq!(
        fs::read(env.path(SESSION)).expect("the file exists"),
        session
    );
    fs::remove_file(env.path(SESSION)).expect("the test may change it");
    for _ in 0..3 {
        assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
        env.keys().delete_tokens();
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
