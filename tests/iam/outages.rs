//! Outages: all processes of one build wait once.

use super::*;

/// The registries of a classic build, which asks for each.
const HOSTS: [&str; 13] = [
    "icr.io",
    "us.icr.io",
    "uk.icr.io",
    "de.icr.io",
    "au.icr.io",
    "jp.icr.io",
    "jp2.icr.io",
    "ca.icr.io",
    "ca2.icr.io",
    "br.icr.io",
    "es.icr.io",
    "in.icr.io",
    "in2.icr.io",
];

/// What a build may wait in all. Each process that waited for itself would add 1.4 s.
const BUILD: Duration = Duration::from_secs(5);

#[test]
fn without_a_network_all_processes_of_a_build_wait_once() {
    let mut environments = vec![TestEnv::with_environment_key()];
    environments.extend(TestEnv::with_keychain().map(|mut env| {
        env.set_environment_key();
        env
    }));
    for env in &mut environments {
        for endpoint in [closed_port(), "https://iam.no-such-host.invalid".to_owned()] {
            env.set("IBMCLOUD_IAM_API_ENDPOINT", &endpoint);
            let took = HOSTS.map(|host| {
                let outcome = env.get(host);
                outcome.is_client_error(&[&endpoint, "unreachable"]);
                outcome.took
            });
            let total: Duration = took.iter().sum();
            assert!(total <= BUILD, "{took:?}");
        }
    }
}

#[test]
fn a_service_that_does_not_answer_costs_one_deadline_without_a_keychain() {
    let mut env = TestEnv::with_environment_key();
    env.settings("deadline = 2\n");
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", deaf.local_addr().unwrap());
    env.set("IBMCLOUD_IAM_API_ENDPOINT", &url);
    let total: Duration = HOSTS
        .map(|host| {
            let outcome = env.get(host);
            outcome.is_client_error(&[&url, "did not answer within"]);
            outcome.took
        })
        .iter()
        .sum();
    assert!(total <= BUILD, "{total:?}");
}

#[test]
fn logins_for_several_registries_wait_once_and_a_good_token_never() {
    let Some(mut env) = TestEnv::with_keychain() else {
        return;
    };
    for (host, key) in [
        ("us.icr.io", "STORED-API-KEY-1"),
        ("de.icr.io", "STORED-API-KEY-2"),
        ("uk.icr.io", "STORED-API-KEY-3"),
    ] {
        env.add_api_key(key, host);
        env.store(host, "iamapikey", key).is_silent_success();
    }
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-us.icr.io");
    env.set(
        "IBMCLOUD_IAM_API_ENDPOINT",
        env.cloud.url().replace("127.0.0.1", "localhost"),
    );
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-us.icr.io");
    env.cloud.always(Some(Fault::Status(503)));
    let quick = env.get("de.icr.io").took + env.get("uk.icr.io").took;
    assert!(quick <= BUILD, "{quick:?}");
    let asked = env.cloud.exchanges();
    env.get("uk.icr.io")
        .is_client_error(&["unavailable (HTTP 503)"]);
    assert_eq!(env.cloud.exchanges(), asked, "it is known");
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-us.icr.io");
}

#[test]
fn a_person_who_runs_a_command_gets_an_answer_of_now() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    env.add_api_key("STORED-API-KEY", "person");
    env.store("us.icr.io", "iamapikey", "STORED-API-KEY")
        .is_silent_success();
    env.cloud.always(Some(Fault::Status(503)));
    env.get("us.icr.io").is_client_error(&["HTTP 503"]);
    env.cloud.always(None);
    env.get("us.icr.io").is_client_error(&["HTTP 503"]);
    let doctor = env.run(&["doctor"], "");
    assert!(doctor.stdout.contains("IAM at"), "{doctor:?}");
    assert_eq!(
        env.get("us.icr.io").is_token_of(),
        "IBMid-person",
        "an answer of IAM ends the outage for all"
    );
}

#[test]
fn all_processes_obey_one_retry_after() {
    let env = TestEnv::with_environment_key();
    env.cloud
        .script([Fault::StatusWithRetryAfter(429, "120".into())]);
    env.get("us.icr.io")
        .is_client_error(&["IAM got too many requests (HTTP 429)", "Try again in"]);
    for outcome in in_parallel(8, |_| env.get("de.icr.io")) {
        outcome.is_client_error(&["IAM got too many requests (HTTP 429)", "Try again in"]);
        assert!(outcome.took <= BUILD, "{:?}", outcome.took);
    }
    assert_eq!(env.cloud.exchanges(), 1, "the others know");
}

#[test]
fn a_retry_after_that_makes_no_sense_is_left_out() {
    let env = TestEnv::with_environment_key();
    for nonsense in [
        "-5",
        "99999999999999999999",
        "31536000",
        "soon",
        "1e3",
        "",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ] {
        env.cloud
            .script([Fault::StatusWithRetryAfter(429, nonsense.into())]);
        let outcome = env.get("us.icr.io");
        assert_eq!(outcome.is_token_of(), "IBMid-environment");
        assert!(outcome.took <= BUILD, "{nonsense:?}");
    }
}

/// Returns the URL of a port that was just closed.
fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}
