//! What `whoami` shows.

use expect_test::expect;
use icr_emulator::Fault;
use serde_json::Value;
use serde_json::json;

use crate::env_with_logins;
use crate::is;
use crate::support::ENVIRONMENT_KEY;
use crate::support::Input;
use crate::support::Outcome;
use crate::support::TestEnv;

fn whoami(env: &TestEnv, arguments: &[&str]) -> Outcome {
    env.run(&[&["whoami"], arguments].concat(), Input::Open)
}

#[test]
fn each_registry_has_a_line_with_its_identity() {
    let Some(env) = env_with_logins() else { return };
    let asked = env.cloud.requests().len();
    let outcome = whoami(&env, &[]);
    assert_eq!((outcome.status, &*outcome.stderr), (Some(0), ""));
    is(
        &outcome.stdout,
        expect![[r#"
            cp.icr.io  user name cp (login for cp.icr.io)
            de.icr.io  user team-b@registry-tests.example.com (IBMid-team-b) of account account-1
            uk.icr.io  not logged in
            us.icr.io  user person@registry-tests.example.com (IBMid-person) of account account-1
        "#]],
    );
    assert_eq!(env.cloud.requests().len(), asked, "no requests were sent");
    let outcome = whoami(&env, &["us.icr.io"]);
    assert_eq!(outcome.stdout.lines().count(), 1, "{outcome:?}");
}

#[test]
fn a_token_is_requested_if_nothing_names_the_identity() {
    let env = TestEnv::with_environment_key();
    let outcome = whoami(&env, &[]);
    assert_eq!((outcome.status, &*outcome.stderr), (Some(0), ""));
    is(
        &outcome.stdout,
        expect![[r#"
        all registries  user environment@registry-tests.example.com (IBMid-environment) of account account-1
    "#]],
    );
    assert_eq!(env.cloud.exchanges(), 1);
}

#[test]
fn the_answer_can_be_json() {
    let env = TestEnv::with_environment_key();
    let outcome = whoami(&env, &["--json", "us.icr.io"]);
    let shown: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let expected = json!({"registries": [{
        "registry": "us.icr.io",
        "owner": {
            "kind": "user",
            "iam_id": "IBMid-environment",
            "account": "account-1",
            "name": "Emulated Identity environment",
            "email": "environment@registry-tests.example.com",
        },
        "username": "iambearer",
        "source": "environment",
        "problem": null,
    }]});
    assert_eq!((outcome.status, shown), (Some(0), expected));
}

#[test]
fn without_a_login_it_fails() {
    let env = TestEnv::new();
    whoami(&env, &[]).is_user_error(&["not logged in", "Run 'docker-credential-icr login'"]);
    let outcome = whoami(&env, &["us.icr.io"]);
    outcome.has(&outcome.stdout, &["us.icr.io  not logged in\n"]);
    assert_eq!(outcome.status, Some(1));
    let outcome = whoami(&env, &["--json"]);
    assert_eq!(
        (outcome.status, &*outcome.stdout),
        (Some(1), "{\n  \"registries\": []\n}\n")
    );
    whoami(&env, &["ghcr.io"]).is_user_error(&["ghcr.io is not an IBM Cloud registry"]);
}

/// Some CI systems give a job a terminal. Where the settings select a source, the variable is not used.
#[cfg(unix)]
#[test]
fn the_hint_to_log_in_names_the_variable_where_a_job_may_run() {
    use crate::support::Screen;
    let mut env = TestEnv::new();
    let shown = |screen: Screen, env: &TestEnv| screen.shows(env, &[("whoami", &[])]).concat();
    let job = "' or, in a CI job, set IBMCLOUD_API_KEY";
    assert!(shown(Screen::Pipe, &env).contains(job));
    for (value, is_job) in [("true", true), ("1", true), ("false", false), ("", false)] {
        env.set("CI", value);
        let shown = shown(Screen::Terminal(200), &env);
        assert_eq!(shown.contains(job), is_job, "CI={value}: {shown}");
    }
    env.set("CI", "true").set("ICR_SOURCE", "login");
    assert!(!shown(Screen::Pipe, &env).contains("IBMCLOUD_API_KEY"));
    env.unset("ICR_SOURCE");
    let doctor = env.run(&["doctor"], "");
    doctor.has(
        &doctor.stdout,
        &["fix: In a CI job, set IBMCLOUD_API_KEY. Otherwise, run: docker-credential-icr login"],
    );
}

#[test]
fn an_identity_that_cannot_be_found_is_an_error() {
    let mut env = TestEnv::with_environment_key();
    env.cloud.accounts().revoke_api_key(ENVIRONMENT_KEY);
    let outcome = whoami(&env, &["us.icr.io", "de.icr.io"]);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    is(
        &outcome.stdout,
        expect![[r#"
            de.icr.io  unknown (API key in $IBMCLOUD_API_KEY)
            us.icr.io  unknown (API key in $IBMCLOUD_API_KEY)
        "#]],
    );
    assert_eq!(
        outcome.stderr.matches("BXNIM0415E").count(),
        1,
        "{outcome:?}"
    );
    let outcome = whoami(&env, &["us.icr.io", "--json"]);
    let shown: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let problem = &shown["registries"][0]["problem"];
    assert!(problem["message"].is_string(), "{shown:#}");
    env.set("ICR_DEADLINE", "2");
    env.cloud.script([(); 9].map(|()| Fault::Status(503)));
    assert_eq!(whoami(&env, &["us.icr.io"]).status, Some(3));
}
