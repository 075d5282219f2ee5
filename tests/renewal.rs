//! Is a valid token answered without waiting for the next one?
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::io::ErrorKind;
use std::process::Command;
use std::time::Duration;

use icr_emulator::Fault;

use support::ENVIRONMENT_KEY;
use support::Input;
use support::TestEnv;
use support::in_parallel;
use support::wait_until;

/// Longer than these tests wait, shorter than an attempt may take.
const HANGING: Duration = Duration::from_secs(4);

/// Creates an environment with a token whose refresh is due.
fn env_with_aging_token() -> Option<(TestEnv, String)> {
    let mut env = TestEnv::with_keychain()?;
    env.settings(&format!("registries = [\"{}\"]\n", host(&env)));
    env.set("ICR_BACKGROUND_REFRESH", "true");
    env.set_environment_key();
    let old = env.get(&host(&env)).is_credential("iambearer");
    env.keys().age_tokens(2000);
    Some((env, old))
}

/// A registry that no other machine has: it tells the background processes of this machine from others, whose environment only
/// root can read.
fn host(env: &TestEnv) -> String {
    format!("at-{}.example.com", env.cloud.address().port())
}

/// Waits until the background process has ended, so that nothing is left after the test.
fn is_renewed(env: &TestEnv, old: &str) {
    wait_until("a renewed token", || {
        env.get(&host(env)).is_credential("iambearer") != old
    });
}

/// Returns the background processes of this environment.
fn renewals(env: &TestEnv) -> Vec<u32> {
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
fn the_cached_token_is_answered_while_another_process_waits_for_iam() {
    let Some((env, old)) = env_with_aging_token() else {
        return;
    };
    env.cloud.script([Fault::Delay(HANGING)]);
    for _ in 0..3 {
        let outcome = env.get(&host(&env));
        assert_eq!(outcome.is_credential("iambearer"), old);
        assert!(outcome.took < HANGING / 2, "{outcome:?}");
    }
    is_renewed(&env, &old);
    assert_eq!(env.cloud.exchanges(), 2);
}

#[test]
fn of_forty_processes_one_starts_a_renewal() {
    let Some((env, old)) = env_with_aging_token() else {
        return;
    };
    env.cloud.script([Fault::Delay(HANGING / 4)]);
    for outcome in in_parallel(40, |_| env.get(&host(&env))) {
        outcome.is_credential("iambearer");
    }
    is_renewed(&env, &old);
    assert_eq!(env.cloud.exchanges(), 2);
}

#[test]
fn a_renewal_holds_nothing_of_the_clients() {
    let Some((env, old)) = env_with_aging_token() else {
        return;
    };
    env.cloud.script([Fault::Delay(HANGING)]);
    // A client that leaks a pipe of its own into its helpers, and waits for that as well.
    let mut client = Command::new("sh");
    client
        .args(["-c", "exec \"$0\" get \"$1\" 9>&1 >/dev/null"])
        .arg(env!("CARGO_BIN_EXE_docker-credential-icr"))
        .arg(host(&env));
    env.apply_to(&mut client);
    let outcome = env.start_as(client, Input::Bytes(b"")).finish();
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert!(outcome.took < HANGING / 2, "{outcome:?}");
    let renewal = *renewals(&env).first().expect("it waits for IAM");
    let status = fs::read_to_string(format!("/proc/{renewal}/stat")).expect("it runs");
    let after_name = status.rsplit(") ").next().expect("a name");
    let session = after_name.split(' ').nth(3).expect("a session");
    assert_eq!(session, renewal.to_string(), "a session of its own");
    for stream in 0..3 {
        match fs::read_link(format!("/proc/{renewal}/fd/{stream}")) {
            Ok(stream) => assert_eq!(stream.to_str(), Some("/dev/null")),
            // Only root sees it; how long the client waited shows it as well.
            Err(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied),
        }
    }
    is_renewed(&env, &old);
}

#[test]
fn a_rejected_refresh_is_reported_when_the_cached_token_has_expired() {
    let Some((env, old)) = env_with_aging_token() else {
        return;
    };
    env.cloud.accounts().revoke_api_key(ENVIRONMENT_KEY);
    assert_eq!(env.get(&host(&env)).is_credential("iambearer"), old);
    wait_until("the end of the renewal", || {
        env.cloud.exchanges() == 2 && renewals(&env).is_empty()
    });
    assert_eq!(env.get(&host(&env)).is_credential("iambearer"), old);
    env.keys().age_tokens(1600);
    env.get("us.icr.io")
        .is_client_error(&["BXNIM0415E", "$IBMCLOUD_API_KEY"]);
}

#[test]
fn a_token_that_ends_before_clients_forget_it_is_replaced_first() {
    let Some((env, old)) = env_with_aging_token() else {
        return;
    };
    env.keys().age_tokens(1400);
    assert_ne!(env.get(&host(&env)).is_credential("iambearer"), old);
    assert_eq!(env.cloud.exchanges(), 2);
    assert_eq!(renewals(&env), [0; 0]);
}

#[test]
fn it_can_be_turned_off() {
    for off in ["variable", "file"] {
        let Some((mut env, old)) = env_with_aging_token() else {
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
