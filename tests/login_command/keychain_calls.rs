//! How often a command calls the keychain of the logins, as its log shows: a call may go over
//! a slow bus.

use std::collections::BTreeMap;

use super::terminal::log_in_and_answer;
use super::*;

/// Logs the keychain calls of each command in a file.
fn with_log(mut env: TestEnv) -> TestEnv {
    let path = env.path("log");
    env.set("ICR_LOG_FILE", path);
    env
}

/// Runs a command, and returns how often it made each call about logins, such as `read @`, in
/// each of the keychains.
fn calls(env: &TestEnv, run: impl FnOnce(&TestEnv)) -> BTreeMap<String, Vec<usize>> {
    let path = env.path("log");
    let _ = fs::remove_file(&path);
    run(env);
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for line in fs::read_to_string(path).expect("a log").lines() {
        let span = line.split_once("keychain{").map(|(_, span)| span);
        let Some((span, _)) = span.and_then(|span| span.split_once("}: close")) else {
            continue;
        };
        let field = |name: &str| {
            let start = span.split_once(&format!("{name}=\""));
            let value = start.and_then(|(_, rest)| rest.split_once('"'));
            value.expect("a field").0.to_owned()
        };
        if field("kind") == "login" {
            let call = format!("{} {}", field("operation"), field("name"));
            *counts.entry((call, field("backend"))).or_default() += 1;
        }
    }
    let mut calls: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for ((call, _), count) in counts {
        calls.entry(call).or_default().push(count);
    }
    calls
}

/// Asserts that a command makes each call about logins once at most, and this one.
#[track_caller]
fn calls_once(env: &TestEnv, call: &str, run: impl FnOnce(&TestEnv)) {
    let calls = calls(env, run);
    let once = |counts: &Vec<usize>| counts.iter().all(|count| *count == 1);
    assert!(calls.contains_key(call), "no {call}: {calls:?}");
    assert!(calls.values().all(once), "{calls:?}");
}

#[test]
fn login_store_and_logout_read_each_login_once() {
    for keychain in KEYCHAINS {
        let Some(env) = env_with(keychain).map(with_log) else {
            return;
        };
        for (key, arguments, own) in [
            (KEY, &["--yes"][..], "read @"),
            (KEY, &["--yes"], "read @"),
            (OTHER_KEY, &[], "read @"),
            (KEY, &["us.icr.io", "de.icr.io"], "read us.icr.io"),
            (OTHER_KEY, &["de.icr.io", "us.icr.io"], "read de.icr.io"),
            (KEY, &["--yes"], "read @"),
        ] {
            calls_once(&env, own, |env| {
                assert_eq!(log_in(env, key, arguments).status, Some(0));
            });
        }
        let token = env.access_token_of("another-person");
        for (host, username, secret) in [
            ("us.icr.io", "iamapikey", KEY),
            ("us.icr.io", "iamrefresh", REFRESH_TOKEN),
            ("de.icr.io", "iambearer", &token),
            ("uk.icr.io", "iambearer", &token),
            ("uk.icr.io", "cp", "entitlement"),
        ] {
            calls_once(&env, &format!("read {host}"), |env| {
                assert_eq!(env.store(host, username, secret).status, Some(0));
            });
        }
        for (arguments, call) in [
            (&["logout", "us.icr.io"][..], "read us.icr.io"),
            (&["logout"], "read @"),
            (&["logout", "--all"], "read de.icr.io"),
        ] {
            calls_once(&env, call, |env| {
                assert_eq!(env.run(arguments, "").status, Some(0));
            });
        }
    }
}

#[test]
fn status_reads_each_login_once_for_all_registries() {
    let Some(env) = test_env().map(with_log) else {
        return;
    };
    let hosts = [
        "au",
        "br-sao",
        "ca-tor",
        "de",
        "es",
        "fr2",
        "in",
        "jp",
        "jp2",
        "private.de",
        "uk",
        "us",
    ];
    let helpers = hosts.map(|region| (format!("{region}.icr.io"), Value::from("icr")));
    let helpers: serde_json::Map<String, Value> = helpers.into_iter().collect();
    fs::create_dir_all(env.path("home/.docker")).expect("the test may change it");
    let config = json!({"credHelpers": helpers});
    env.file("home/.docker/config.json", &config.to_string());
    answer(&log_in(&env, KEY, &[]), &[]);
    answer(&log_in(&env, KEY, &["us.icr.io", "de.icr.io"]), &[]);
    for arguments in [
        &["status", "--long"][..],
        &["status", "--json"],
        &["status", "us.icr.io", "--long"],
    ] {
        calls_once(&env, "read us.icr.io", |env| {
            let outcome = env.run(arguments, "");
            assert_eq!(outcome.status, Some(0), "{outcome:?}");
            outcome.has(&outcome.stdout, &["us.icr.io", KEYCHAIN_NAME]);
        });
    }
}

/// Between both reads, IAM creates a key. Another process may change the login in that time.
#[test]
fn rotation_reads_a_login_before_iam_is_asked_and_when_it_is_replaced() {
    let Some(env) = env_with_lasting_session().map(with_log) else {
        return;
    };
    log_in_with_created_key(&env, &["us.icr.io", "de.icr.io"]);
    answer(&log_in(&env, KEY, &["uk.icr.io"]), &[]);
    let calls = calls(&env, |env| {
        answer(
            &env.run(&["login", "--rotate", "us.icr.io"], ""),
            &["us.icr.io"],
        );
    });
    for (call, count) in [
        ("list ", 1),
        ("read us.icr.io", 2),
        ("read de.icr.io", 2),
        ("read uk.icr.io", 1),
    ] {
        assert_eq!(calls[call], [count], "{call}: {calls:?}");
    }
}

/// A `get` may wait for the lock of a login, so none is held while a person reads the question.
#[test]
fn a_login_is_read_again_after_a_question() {
    let Some(env) = test_env().map(with_log) else {
        return;
    };
    answer(&log_in(&env, KEY, &[]), &[]);
    let calls = calls(&env, |env| {
        let shown = log_in_and_answer(env, &[], OTHER_KEY, "[y/N]", "y");
        assert!(shown.contains("Logged in to"), "{shown}");
        assert!(!shown.contains("warning"), "{shown}");
    });
    assert_eq!((&*calls["read @"], &*calls["list "]), (&[2][..], &[1][..]));
}
