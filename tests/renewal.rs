//! The background refresh: `get` returns a valid token without waiting for the next one.
#![cfg(any(target_os = "linux", windows))]

mod support;

#[cfg(target_os = "linux")]
use std::fs;
#[cfg(target_os = "linux")]
use std::io::ErrorKind;
#[cfg(target_os = "linux")]
use std::process::Command;
use std::time::Duration;

use icr_emulator::Fault;

#[cfg(target_os = "linux")]
use support::ENVIRONMENT_KEY;
use support::Input;
use support::TestEnv;
use support::in_parallel;
use support::wait_until;

/// How long IAM does not answer: longer than these tests wait, and shorter than the time limit of an attempt.
const HANGING: Duration = Duration::from_secs(4);

/// Creates an environment with a token whose refresh is due.
fn env_with_token_due_for_refresh() -> Option<(TestEnv, String)> {
    let mut env = TestEnv::with_keychain()?;
    env.settings(&format!("registries = [\"{}\"]\n", host(&env)));
    env.set("ICR_BACKGROUND_REFRESH", "true");
    env.set_environment_key();
    let old = env.get(&host(&env)).is_credential("iambearer");
    env.keys().age_tokens(2000);
    Some((env, old))
}

/// Returns a host that only this test uses. The arguments of its background processes contain the host, so the test
/// recognizes them. Their environment, which only root can read, is not needed.
fn host(env: &TestEnv) -> String {
    format!("at-{}.example.com", env.cloud.address().port())
}

/// Waits until `get` returns a new token, so that no process remains after the test.
fn wait_until_refreshed(env: &TestEnv, old: &str) {
    wait_until("a renewed token", || {
        env.get(&host(env)).is_credential("iambearer") != old
    });
}

/// Returns the background processes of this environment.
#[cfg(target_os = "linux")]
fn background_refreshes(env: &TestEnv) -> Vec<u32> {
    let expected = format!("\0renew\0{}\0", host(env));
    let processes = fs::read_dir("/proc").expect("Linux").flatten();
    processes
        .filter(|process| {
            let arguments = fs::read(process.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&arguments).ends_with(&expected)
        })
        .filter_map(|process| process.file_name().to_str()?.parse().ok())
        .collect()
}

#[test]
fn the_cached_token_is_returned_while_another_process_waits_for_iam() {
    let Some((env, old)) = env_with_token_due_for_refresh() else {
        return;
    };
    env.cloud.script([Fault::Delay(HANGING)]);
    for _ in 0..3 {
        let outcome = env.get(&host(&env));
        assert_eq!(outcome.is_credential("iambearer"), old);
        assert!(outcome.took < HANGING / 2, "{outcome:?}");
    }
    wait_until_refreshed(&env, &old);
    assert_eq!(env.cloud.exchanges(), 2);
}

#[test]
fn only_one_of_forty_processes_starts_a_background_refresh() {
    let Some((env, old)) = env_with_token_due_for_refresh() else {
        return;
    };
    env.cloud.script([Fault::Delay(HANGING / 4)]);
    for outcome in in_parallel(40, |_| env.get(&host(&env))) {
        outcome.is_credential("iambearer");
    }
    wait_until_refreshed(&env, &old);
    assert_eq!(env.cloud.exchanges(), 2);
}

#[cfg(target_os = "linux")]
#[test]
fn a_background_refresh_keeps_no_file_or_session_of_the_client() {
    let Some((env, old)) = env_with_token_due_for_refresh() else {
        return;
    };
    env.cloud.script([Fault::Delay(HANGING)]);
    // This client leaks a pipe into its helper, and also waits until that pipe is closed.
    let mut client = Command::new("sh");
    client
        .args(["-c", "exec \"$0\" get \"$1\" 9>&1 >/dev/null"])
        .arg(env!("CARGO_BIN_EXE_docker-credential-icr"))
        .arg(host(&env));
    env.apply_to(&mut client);
    let outcome = env.start_as(client, Input::Bytes(b"")).finish();
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert!(outcome.took < HANGING / 2, "{outcome:?}");
    let renewal = *background_refreshes(&env)
        .first()
        .expect("it waits for IAM");
    let status = fs::read_to_string(format!("/proc/{renewal}/stat")).expect("it runs");
    let after_name = status.rsplit(") ").next().expect("a name");
    let session = after_name.split(' ').nth(3).expect("a session");
    assert_eq!(session, renewal.to_string(), "a session of its own");
    for stream in 0..3 {
        match fs::read_link(format!("/proc/{renewal}/fd/{stream}")) {
            Ok(stream) => assert_eq!(stream.to_str(), Some("/dev/null")),
            // Only root can read this. For others, the short wait of the client shows the same.
            Err(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied),
        }
    }
    wait_until_refreshed(&env, &old);
}

#[cfg(target_os = "linux")]
#[test]
fn a_rejected_refresh_is_reported_when_the_cached_token_has_expired() {
    let Some((env, old)) = env_with_token_due_for_refresh() else {
        return;
    };
    env.cloud.accounts().revoke_api_key(ENVIRONMENT_KEY);
    assert_eq!(env.get(&host(&env)).is_credential("iambearer"), old);
    wait_until("the end of the renewal", || {
        env.cloud.exchanges() == 2 && background_refreshes(&env).is_empty()
    });
    assert_eq!(env.get(&host(&env)).is_credential("iambearer"), old);
    env.keys().age_tokens(1600);
    env.get("us.icr.io")
        .is_client_error(&["BXNIM0415E", "$IBMCLOUD_API_KEY"]);
}

#[test]
fn a_token_that_expires_soon_is_replaced_before_it_is_returned() {
    let Some((env, old)) = env_with_token_due_for_refresh() else {
        return;
    };
    env.keys().age_tokens(1400);
    assert_ne!(env.get(&host(&env)).is_credential("iambearer"), old);
    assert_eq!(env.cloud.exchanges(), 2);
    #[cfg(target_os = "linux")]
    assert_eq!(background_refreshes(&env), [0; 0]);
}

#[test]
fn the_background_refresh_can_be_turned_off() {
    for off in ["variable", "file"] {
        let Some((mut env, old)) = env_with_token_due_for_refresh() else {
            return;
        };
        match off {
            "file" => {
                env.unset("ICR_BACKGROUND_REFRESH");
                env.settings(&format!(
                    "background-refresh = false\nregistries = [\"{}\"]\n",
                    host(&env)
                ));
            }
            _ => {
                env.set("ICR_BACKGROUND_REFRESH", "false");
            }
        }
        assert_ne!(env.get(&host(&env)).is_credential("iambearer"), old);
    }
}

#[test]
fn a_refresh_without_a_source_does_nothing() {
    let env = TestEnv::new();
    for host in ["us.icr.io", "evil.example.com"] {
        env.run(&["renew", host], Input::Bytes(b""))
            .is_silent_success();
    }
}
