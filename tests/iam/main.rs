//! What is sent to IAM, and how its answers are handled.

#[path = "../support/mod.rs"]
mod support;

mod certificates;
mod connection;
mod outages;
mod proxies;

use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use icr_emulator::Authority;
use icr_emulator::CertificateKind;
use icr_emulator::Emulator;
use icr_emulator::Fault;
use icr_emulator::Service;
use icr_emulator::Subject;
use serde_json::Value;
use serde_json::json;

use support::ENVIRONMENT_KEY;
use support::NOT_FOUND;
use support::TestEnv;
use support::in_parallel;
use support::set_mode;

const PROFILE: &str = "Profile-1";

#[test]
fn each_grant_sends_exactly_its_fields() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    let accounts = env.cloud.accounts();
    accounts.add_api_key("API-KEY OF&A=SERVICE+%", Subject::service_id("1"));
    accounts.add_refresh_token("A-REFRESH-TOKEN", Subject::user("1"));
    accounts.add_profile(PROFILE, &["iam-ServiceId-1"]);
    let api_key = [
        ("grant_type", "urn:ibm:params:oauth:grant-type:apikey"),
        ("apikey", "API-KEY OF&A=SERVICE+%"),
    ];
    let refresh = [
        ("grant_type", "refresh_token"),
        ("response_type", "cloud_iam"),
        ("refresh_token", "A-REFRESH-TOKEN"),
    ];
    let assume = [
        ("grant_type", "urn:ibm:params:oauth:grant-type:assume"),
        ("access_token", ""),
        ("profile_id", PROFILE),
    ];
    for (username, secret, forms) in [
        (
            "iamapikey",
            "API-KEY OF&A=SERVICE+%",
            vec![(&api_key[..], None)],
        ),
        (
            "iamrefresh",
            "A-REFRESH-TOKEN",
            vec![(&refresh[..], Some("Basic Yng6Yng="))],
        ),
        (
            PROFILE,
            "API-KEY OF&A=SERVICE+%",
            vec![(&api_key[..], None), (&assume[..], None)],
        ),
    ] {
        let before = env.cloud.requests().len();
        env.store("us.icr.io", username, secret).is_silent_success();
        env.get("us.icr.io").is_credential("iambearer");
        let requests = env.cloud.requests().split_off(before);
        assert_eq!(requests.len(), forms.len(), "{username}");
        for (request, (fields, client)) in requests.iter().zip(forms) {
            assert_eq!(
                (&*request.method, &*request.path),
                ("POST", "/identity/token")
            );
            assert_eq!(request.query, []);
            assert_eq!(
                request.header("content-type"),
                Some("application/x-www-form-urlencoded")
            );
            assert_eq!(request.header("accept"), Some("application/json"));
            assert_eq!(request.header("authorization"), client, "{username}");
            let agent = concat!("docker-credential-icr/", env!("CARGO_PKG_VERSION"));
            assert_eq!(request.header("user-agent"), Some(agent));
            let form: Vec<(&str, &str)> = request
                .form
                .iter()
                // The service's token is unknown before the request.
                .map(|(name, value)| match &**name {
                    "access_token" => (&**name, ""),
                    name => (name, &**value),
                })
                .collect();
            assert_eq!(form, fields, "{username}");
        }
    }
}

#[test]
fn a_rejection_is_not_retried_and_shown_without_its_context() {
    let error = |status, code: &str, message: &str| Fault::Error {
        status,
        code: code.into(),
        message: message.into(),
    };
    let env = TestEnv::with_environment_key();
    for (fault, parts) in [
        (
            error(400, "BXNIM0415E", "Provided API key could not be found."),
            &[
                "BXNIM0415E",
                "Provided API key could not be found.",
                "Set a new key in $IBMCLOUD_API_KEY, or unset the variable",
            ][..],
        ),
        (
            error(400, "BXNIM0400E", "Another factor."),
            &[
                "BXNIM0400E",
                "Another factor.",
                "Use the key of a service ID",
                "et a new key in $IBMCLOUD_API_KEY",
            ],
        ),
        (
            error(400, "BXNIM0439E", "Session ended."),
            &["BXNIM0439E", "Session ended.", "Set a new key"],
        ),
        (error(403, "<script>", "No."), &["HTTP 403", "No."]),
        (
            error(400, "X1", "Two\r\nlines\u{1b}[2J\u{0} and more"),
            &["Two", "lines", "and more"],
        ),
        (
            error(400, "X1", &format!("No such key: {ENVIRONMENT_KEY}!")),
            &["No such key: "],
        ),
        (error(400, "X1", NOT_FOUND), &["(X1)"]),
        (error(400, "X1", ""), &["(X1)"]),
        (error(400, "X1", &"long ".repeat(10_000)), &["long long"]),
        (Fault::Status(400), &["BXNIM0000E", "set to answer 400"]),
        (Fault::Status(401), &["set to answer 401"]),
        (Fault::Status(404), &["set to answer 404"]),
        (Fault::Status(501), &["set to answer 501"]),
    ] {
        let before = env.cloud.exchanges();
        env.cloud.script([fault.clone()]);
        let outcome = env.get("us.icr.io");
        outcome.is_client_error(parts);
        outcome.is_client_error(&["IAM rejected it", "$IBMCLOUD_API_KEY"]);
        assert_eq!(env.cloud.exchanges() - before, 1, "{fault:?}");
        for context in [
            "203.0.113.7",
            "incoming.Identity_Token",
            "instanceId",
            "iamid-emulated",
        ] {
            assert!(!outcome.stdout.contains(context), "{outcome:?}");
        }
        assert!(
            outcome.stdout.len() <= 1200,
            "{} bytes",
            outcome.stdout.len()
        );
    }
}

#[test]
fn temporary_failures_are_retried() {
    let env = TestEnv::with_environment_key();
    for fault in [
        Fault::Status(429),
        Fault::Status(500),
        Fault::Status(502),
        Fault::Status(503),
        Fault::Status(504),
        Fault::CloseEarly,
        Fault::Garbage,
        Fault::Truncated,
        Fault::StatusWithRetryAfter(503, "0".into()),
        Fault::StatusWithRetryAfter(503, "Sun, 06 Nov 1994 08:49:37 GMT".into()),
        Fault::StatusWithRetryAfter(503, "soon".into()),
    ] {
        let before = env.cloud.exchanges();
        env.cloud.script([fault.clone()]);
        env.get("us.icr.io").is_credential("iambearer");
        assert_eq!(env.cloud.exchanges() - before, 2, "{fault:?}");
    }
}

#[test]
fn a_request_is_tried_four_times_during_an_outage() {
    let env = TestEnv::with_environment_key();
    env.cloud.always(Some(Fault::Status(503)));
    let outcome = env.get("us.icr.io");
    outcome.is_client_error(&[
        "$IBMCLOUD_API_KEY",
        "IAM is unavailable (HTTP 503). Try again later",
    ]);
    assert_eq!(env.cloud.exchanges(), 4);
}

#[test]
fn retry_after_is_obeyed() {
    let env = TestEnv::with_environment_key();
    env.cloud
        .script([Fault::StatusWithRetryAfter(429, "1".into())]);
    let outcome = env.get("us.icr.io");
    outcome.is_credential("iambearer");
    assert!(outcome.took >= Duration::from_secs(1), "{:?}", outcome.took);
    env.cloud
        .script([Fault::StatusWithRetryAfter(429, "3600".into())]);
    let outcome = env.get("us.icr.io");
    outcome.is_client_error(&["HTTP 429"]);
    assert!(
        outcome.took < Duration::from_secs(1),
        "an answer in an hour is no answer: {:?}",
        outcome.took
    );
    assert_eq!(env.cloud.exchanges(), 3);
}

#[test]
fn an_invalid_response_is_an_error_and_never_a_credential() {
    let env = TestEnv::with_environment_key();
    let token = |changes: Value| {
        let mut json = json!({"access_token": "a.b.c", "token_type": "Bearer", "expires_in": 3600});
        for (name, value) in changes.as_object().expect("changes") {
            json[name] = value.clone();
        }
        Fault::Token { json }
    };
    for (fault, part) in [
        (Fault::Empty, "empty"),
        (Fault::Html, "web page"),
        (
            Fault::Status(511),
            "a login page of this network answered instead (HTTP 511)",
        ),
        (Fault::HugeBody(2 * 1024 * 1024), "1 MiB"),
        (Fault::HugeBody(100_000), "too long"),
        (Fault::Token { json: json!({}) }, "not a token"),
        (Fault::Token { json: json!([]) }, "not a token"),
        (
            Fault::Token {
                json: json!("a.b.c"),
            },
            "not a token",
        ),
        (token(json!({"access_token": null})), "not a token"),
        (token(json!({"access_token": 7})), "not a token"),
        (token(json!({"access_token": ""})), "empty"),
        (token(json!({"access_token": "a b"})), "not plain text"),
        (
            token(json!({"access_token": "a\r\nX-Injected: b"})),
            "not plain text",
        ),
        (token(json!({"access_token": "a\u{0}b"})), "not plain text"),
        (token(json!({"access_token": "é"})), "not plain text"),
        (token(json!({"token_type": "mac"})), "bearer"),
        (token(json!({"expires_in": 0})), "lifetime"),
        (token(json!({"expires_in": 1_000_000_000})), "lifetime"),
        (token(json!({"expires_in": u64::MAX})), "lifetime"),
        (token(json!({"expires_in": -1})), ""),
        (token(json!({"expires_in": "3600"})), ""),
        (token(json!({"expires_in": null})), "lifetime"),
    ] {
        let before = env.cloud.exchanges();
        env.cloud.script([fault.clone()]);
        let outcome = env.get("us.icr.io");
        outcome.is_client_error(&["$IBMCLOUD_API_KEY", &env.cloud.url(), part]);
        assert_eq!(env.cloud.exchanges() - before, 1, "{fault:?}");
    }
}

/// Gateways in front of IAM do this.
#[test]
fn a_rejection_with_the_status_of_success_is_a_rejection() {
    let env = TestEnv::with_environment_key();
    let json = json!({"errorCode": "BXNIM0415E", "errorMessage": "no"});
    env.cloud.script([Fault::Token { json }]);
    env.get("us.icr.io").is_client_error(&[
        "IAM rejected it (BXNIM0415E): no",
        "Set a new key in $IBMCLOUD_API_KEY",
    ]);
    assert_eq!(env.cloud.exchanges(), 1);
}

#[test]
fn the_deadline_holds_for_every_behavior_of_iam() {
    let faults = [
        Fault::Delay(Duration::from_secs(30)),
        Fault::SlowBytes {
            every: Duration::from_millis(100),
        },
        Fault::Status(503),
    ];
    in_parallel(faults.len(), |index| {
        let env = TestEnv::with_environment_key();
        env.settings("deadline = 2\n");
        env.cloud.always(Some(faults[index].clone()));
        let outcome = env.get("us.icr.io");
        let took = outcome.took.as_secs_f64();
        assert!(took <= 3.0, "{outcome:?}");
        if matches!(faults[index], Fault::Status(_)) {
            outcome.is_client_error(&["$IBMCLOUD_API_KEY", "is unavailable (HTTP 503)"]);
            return;
        }
        const SILENT: &str = "did not answer within ";
        outcome.is_client_error(&["$IBMCLOUD_API_KEY", SILENT]);
        // A slow start leaves less of the deadline for the request, whose time is named.
        let words = outcome.stdout.split_once(SILENT).unwrap().1;
        let named: f64 = words.split_once(" s").unwrap().0.parse().unwrap();
        assert!(1.5 < named && named < took + 0.1, "{outcome:?}");
        assert!(took > 1.9, "{outcome:?}");
    });
}

#[test]
fn an_attempt_that_takes_too_long_leaves_time_for_another() {
    let env = TestEnv::with_environment_key();
    env.settings("attempt-timeout = 1\n");
    env.cloud.script([Fault::Delay(Duration::from_secs(30))]);
    env.get("us.icr.io").is_credential("iambearer");
    assert_eq!(env.cloud.exchanges(), 2);
}

#[cfg(target_os = "linux")]
#[test]
fn too_many_open_files_are_reported_as_such() {
    let env = TestEnv::with_environment_key();
    let binary = env!("CARGO_BIN_EXE_docker-credential-icr");
    let mut failed = 0;
    // With fewer files, the program itself cannot be loaded.
    for limit in 4..=20 {
        let mut shell = std::process::Command::new("bash");
        shell.args(["-c", &format!("ulimit -n {limit} && exec {binary} get")]);
        env.apply_to(&mut shell);
        let outcome = env.start_as(shell, "us.icr.io").finish();
        if outcome.status == Some(0) {
            continue;
        }
        failed += 1;
        outcome.is_client_error(&[
            "$IBMCLOUD_API_KEY",
            "cannot send a request to IAM: this process has too many open files",
            ". Close other programs or raise the limit",
        ]);
    }
    assert!((1..10).contains(&failed), "{failed} of them failed");
}

/// Creates an environment and an IAM with TLS.
fn env_with_tls() -> (TestEnv, Emulator) {
    let mut env = TestEnv::with_environment_key();
    let authority = Authority::create(env.path("authority")).expect("an authority");
    let cloud = Emulator::builder()
        .tls(&authority, &["iam.example"])
        .start();
    let cloud = cloud.expect("an emulator");
    cloud
        .accounts()
        .add_api_key(ENVIRONMENT_KEY, Subject::user("tls"));
    env.set("SSL_CERT_FILE", authority.certificate_path());
    env.set("IBMCLOUD_IAM_API_ENDPOINT", cloud.url());
    (env, cloud)
}

#[test]
fn the_transaction_id_is_in_the_log_and_secrets_are_not() {
    let mut env = TestEnv::with_environment_key();
    env.set("ICR_LOG", "debug");
    env.cloud.script([Fault::Status(400)]);
    let outcome = env.get("us.icr.io");
    outcome.is_client_error(&["BXNIM0000E"]);
    assert!(
        outcome.stderr.contains("transaction_id=Some("),
        "{outcome:?}"
    );
    assert!(!outcome.stdout.contains("transaction"), "{outcome:?}");
    env.set("ICR_LOG", "trace");
    for fault in [
        Fault::Status(503),
        Fault::Truncated,
        Fault::Html,
        Fault::Garbage,
        Fault::Redirect(format!("http://127.0.0.1:1/?key={ENVIRONMENT_KEY}")),
    ] {
        env.cloud.script([fault]);
        let outcome = env.get("us.icr.io");
        assert!(!outcome.stderr.is_empty(), "the log is on");
    }
}
