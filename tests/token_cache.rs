//! The token cache: when `get` requests a token from IAM, and when it returns a cached one.

mod support;

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use icr_emulator::Emulator;
use icr_emulator::Fault;
use icr_emulator::Subject;

use support::ENVIRONMENT_KEY;
use support::TestEnv;
use support::in_parallel;
use support::wait_until;

/// Makes IAM unavailable, with a long retry time, so that tests do not wait for retries.
fn iam_is_down() -> Option<Fault> {
    Some(Fault::StatusWithRetryAfter(503, "3600".into()))
}

/// Creates an environment with a keychain and an API key.
fn test_env() -> Option<TestEnv> {
    let mut env = TestEnv::with_keychain()?;
    env.set_environment_key();
    Some(env)
}

#[test]
fn twenty_six_hosts_of_one_identity_cost_one_exchange() {
    let Some(env) = test_env() else { return };
    let regions = [
        "", "us.", "uk.", "de.", "au.", "jp.", "jp2.", "ca.", "ca2.", "br.", "es.", "in.", "in2.",
    ];
    let hosts = ["", "private."]
        .into_iter()
        .flat_map(|network| regions.map(|region| format!("{network}{region}icr.io")));
    let tokens: Vec<String> = hosts
        .map(|host| env.get(&host).is_credential("iambearer"))
        .collect();
    assert_eq!(tokens.len(), 26);
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(env.cloud.exchanges(), 1);
}

#[test]
fn a_key_stored_for_many_hosts_costs_one_exchange() {
    for keychain in support::KEYCHAINS {
        let Some(env) = TestEnv::with_keychain_named(keychain) else {
            return;
        };
        env.add_api_key("API-KEY-ON-MANY-HOSTS", "1");
        for host in ["us.icr.io", "de.icr.io", "uk.icr.io"] {
            env.store(host, "iamapikey", "API-KEY-ON-MANY-HOSTS")
                .is_silent_success();
        }
        for host in ["us.icr.io", "de.icr.io", "uk.icr.io"] {
            env.get(host).is_credential("iambearer");
        }
        assert_eq!(env.cloud.exchanges(), 1, "{keychain}");
    }
}

#[test]
fn a_hundred_processes_that_start_cold_cost_one_exchange() {
    let Some(env) = test_env() else { return };
    env.cloud
        .always(Some(Fault::Delay(Duration::from_millis(300))));
    let tokens = in_parallel(100, |_| env.get("us.icr.io").is_credential("iambearer"));
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(env.cloud.exchanges(), 1);
}

#[test]
fn forty_processes_with_a_rejected_key_cost_one_exchange() {
    let Some(env) = test_env() else { return };
    env.cloud.accounts().revoke_api_key(ENVIRONMENT_KEY);
    env.cloud
        .always(Some(Fault::Delay(Duration::from_millis(300))));
    let outcomes = in_parallel(40, |_| env.get("us.icr.io"));
    for outcome in &outcomes {
        outcome.is_client_error(&["BXNIM0415E", "$IBMCLOUD_API_KEY"]);
    }
    // The rejection is cached for five seconds. Where starting forty processes takes longer (Wine), IAM is asked again.
    let took = outcomes.iter().map(|outcome| outcome.took).max();
    let asked_again = took.unwrap_or_default().as_secs() / 5;
    let exchanges = env.cloud.exchanges() as u64;
    assert!(
        (1..=1 + asked_again).contains(&exchanges),
        "{exchanges} in {took:?}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_rejection_is_cached_for_five_seconds_and_shown_for_an_hour() {
    let Some(env) = test_env() else { return };
    env.cloud.accounts().revoke_api_key(ENVIRONMENT_KEY);
    for (age, exchanges) in [(0, 1), (4, 1), (2, 2)] {
        if age > 0 {
            env.keys().age_tokens(age);
        }
        env.get("us.icr.io").is_client_error(&["BXNIM0415E"]);
        assert_eq!(env.cloud.exchanges(), exchanges, "after {age} s more");
    }
    let lives = env.keys().lifetimes("token");
    assert!(
        lives == ["59m"] || lives == ["60m"] || lives == ["1h"],
        "{lives:?}"
    );
    env.add_api_key(ENVIRONMENT_KEY, "environment");
    env.keys().age_tokens(5);
    env.get("us.icr.io").is_credential("iambearer");
}

#[cfg(target_os = "linux")]
#[test]
fn an_outage_is_reported_with_its_start() {
    let Some(env) = test_env() else { return };
    env.cloud.always(iam_is_down());
    for (age, lasted) in [(0, None), (50, None), (30, Some("8")), (340, Some("7 min"))] {
        if age > 0 {
            env.keys().age_tokens(age);
        }
        let outcome = env.get("us.icr.io");
        outcome.is_client_error(&["is unavailable (HTTP 503)", ". Try again in 60 min"]);
        match lasted {
            None => assert!(!outcome.stdout.contains("since"), "{outcome:?}"),
            Some(lasted) => {
                outcome.is_client_error(&[" (failing since ", &format!(" UTC, {lasted}")]);
            }
        }
    }
    env.cloud.always(None);
    env.forget_outages();
    env.get("us.icr.io").is_credential("iambearer");
    env.keys().delete_tokens();
    env.cloud.always(iam_is_down());
    let outcome = env.get("us.icr.io");
    assert!(!outcome.stdout.contains("since"), "{outcome:?}");
}

#[test]
fn a_token_is_returned_until_half_its_lifetime() {
    let Some(env) = test_env() else { return };
    let first = env.get("us.icr.io").is_credential("iambearer");
    env.keys().age_tokens(1700);
    assert_eq!(env.get("us.icr.io").is_credential("iambearer"), first);
    assert_eq!(env.cloud.exchanges(), 1);
    env.keys().age_tokens(100);
    assert_ne!(env.get("us.icr.io").is_credential("iambearer"), first);
    assert_eq!(env.cloud.exchanges(), 2);
}

#[test]
fn half_the_lifetime_depends_on_the_token_and_is_not_fixed() {
    let Some(env) = test_env() else { return };
    env.cloud.accounts().set_token_lifetime(200);
    let first = env.get("us.icr.io").is_credential("iambearer");
    env.keys().age_tokens(80);
    assert_eq!(env.get("us.icr.io").is_credential("iambearer"), first);
    env.keys().age_tokens(20);
    assert_ne!(env.get("us.icr.io").is_credential("iambearer"), first);
}

#[test]
fn the_cached_token_is_returned_during_an_outage() {
    let Some(env) = test_env() else { return };
    env.cloud.accounts().set_token_lifetime(200);
    let old = env.get("us.icr.io").is_credential("iambearer");
    env.keys().age_tokens(120);
    env.cloud.always(iam_is_down());
    for outcome in in_parallel(5, |_| env.get("us.icr.io")) {
        assert_eq!(outcome.is_credential("iambearer"), old);
    }
    env.cloud.always(None);
    env.forget_outages();
    assert_ne!(env.get("us.icr.io").is_credential("iambearer"), old);
}

#[test]
fn the_cached_token_is_not_returned_in_its_last_minute() {
    let Some(env) = test_env() else { return };
    env.cloud.accounts().set_token_lifetime(200);
    env.get("us.icr.io").is_credential("iambearer");
    env.keys().age_tokens(140);
    env.cloud.always(iam_is_down());
    env.get("us.icr.io").is_client_error(&["HTTP 503"]);
}

#[test]
fn the_cached_token_does_not_hide_that_the_key_is_rejected() {
    let Some(env) = test_env() else { return };
    env.get("us.icr.io").is_credential("iambearer");
    env.keys().age_tokens(2000);
    env.cloud.accounts().revoke_api_key(ENVIRONMENT_KEY);
    env.get("us.icr.io").is_client_error(&["BXNIM0415E"]);
}

#[test]
fn a_token_from_the_future_is_not_returned() {
    let Some(env) = test_env() else { return };
    let first = env.get("us.icr.io").is_credential("iambearer");
    env.keys().age_tokens(-600);
    assert_ne!(env.get("us.icr.io").is_credential("iambearer"), first);
}

#[test]
fn a_token_belongs_to_the_iam_that_issued_it_and_to_the_key_it_was_issued_for() {
    let Some(mut env) = test_env() else { return };
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-environment");
    env.add_api_key("ANOTHER-API-KEY", "another");
    env.set("IBMCLOUD_API_KEY", "ANOTHER-API-KEY");
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-another");
    let elsewhere = Emulator::start().unwrap();
    elsewhere
        .accounts()
        .add_api_key("ANOTHER-API-KEY", Subject::user("elsewhere"));
    env.set("IBMCLOUD_IAM_API_ENDPOINT", elsewhere.url());
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-elsewhere");
}

#[cfg(target_os = "linux")]
#[test]
fn the_kernel_deletes_a_token_when_it_expires_and_a_login_never() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    env.cloud.accounts().set_token_lifetime(1200);
    env.add_api_key("STORED-API-KEY", "1");
    env.store("us.icr.io", "iamapikey", "STORED-API-KEY")
        .is_silent_success();
    env.get("us.icr.io").is_credential("iambearer");
    let tokens = env.keys().lifetimes("token");
    assert!(tokens == ["19m"] || tokens == ["20m"], "{tokens:?}");
    assert_eq!(env.keys().lifetimes("login"), ["perm"]);
}

#[test]
fn a_process_that_is_killed_during_an_exchange_blocks_no_other() {
    let Some(env) = test_env() else { return };
    env.cloud.script([Fault::Delay(Duration::from_secs(20))]);
    let asking = env.start(&["get"], "us.icr.io");
    wait_until("the exchange", || env.cloud.exchanges() == 1);
    let waiting = env.start(&["get"], "us.icr.io");
    asking.kill();
    for outcome in [waiting.finish(), env.get("us.icr.io")] {
        outcome.is_credential("iambearer");
        assert!(outcome.took < Duration::from_secs(5), "{:?}", outcome.took);
    }
    assert_eq!(env.cloud.exchanges(), 2);
}

#[test]
fn a_process_that_never_releases_the_lock_does_not_block_others_forever() {
    let Some(env) = test_env() else { return };
    env.settings("deadline = 2\n");
    env.get("us.icr.io").is_credential("iambearer");
    let held: Vec<File> = lock_files(&env)
        .iter()
        .map(|path| File::options().write(true).open(path).unwrap())
        .inspect(|file| file.lock().unwrap())
        .collect();
    assert!(!held.is_empty(), "there is a lock");
    env.keys().delete_tokens();
    let outcome = env.get("us.icr.io");
    outcome.is_credential("iambearer");
    assert!(outcome.took <= Duration::from_secs(3), "{:?}", outcome.took);
    assert_eq!(env.cloud.exchanges(), 2);
}

#[cfg(unix)]
#[test]
fn lock_files_are_empty_and_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(env) = test_env() else { return };
    env.get("us.icr.io").is_credential("iambearer");
    for path in lock_files(&env) {
        let metadata = std::fs::metadata(&path).unwrap();
        assert_eq!(
            (metadata.len(), metadata.permissions().mode() & 0o777),
            (0, 0o600),
            "{path:?}"
        );
    }
}

fn lock_files(env: &TestEnv) -> Vec<PathBuf> {
    support::files_below(&env.path(support::STATE).join("locks"))
}

#[test]
fn without_a_keychain_nothing_is_cached_and_get_succeeds() {
    let env = TestEnv::with_environment_key();
    let tokens = [(); 2].map(|()| env.get("us.icr.io").is_credential("iambearer"));
    assert_ne!(tokens[0], tokens[1]);
    assert_eq!(env.cloud.exchanges(), 2);
    assert_eq!(env.keys().names(), [""; 0]);
    assert!(env.files_with_secrets().is_empty());
}

#[cfg(unix)]
#[test]
fn without_locks_get_succeeds() {
    use std::os::unix::fs::PermissionsExt as _;
    let file = |env: &mut TestEnv| {
        std::fs::write(env.path("file"), "").unwrap();
        env.set("XDG_CACHE_HOME", env.path("file"));
    };
    let read_only = |env: &mut TestEnv| {
        let mode = std::fs::Permissions::from_mode(0o500);
        std::fs::set_permissions(env.path("cache"), mode).unwrap();
    };
    let nowhere = |env: &mut TestEnv| {
        // Not even root may create a directory there.
        env.set("XDG_CACHE_HOME", "/proc/nowhere");
    };
    let homeless = |env: &mut TestEnv| {
        env.unset("HOME");
    };
    let no_home_to_speak_of = |env: &mut TestEnv| {
        env.set("HOME", "/proc/nowhere")
            .unset("XDG_CACHE_HOME")
            .unset("XDG_CONFIG_HOME")
            .unset("XDG_RUNTIME_DIR");
    };
    let spoilers: [&dyn Fn(&mut TestEnv); 5] =
        [&file, &read_only, &nowhere, &homeless, &no_home_to_speak_of];
    for spoil in spoilers {
        for with_keychain in [true, false] {
            let env = if with_keychain {
                test_env()
            } else {
                Some(TestEnv::with_environment_key())
            };
            let Some(mut env) = env else { continue };
            env.add_api_key("STORED-API-KEY", "stored");
            spoil(&mut env);
            env.get("us.icr.io").is_credential("iambearer");
            env.get("docker.io").is_not_found();
            env.unset("IBMCLOUD_API_KEY");
            if with_keychain {
                env.store("us.icr.io", "iamapikey", "STORED-API-KEY")
                    .is_silent_success();
                assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-stored");
            }
            env.erase("us.icr.io").is_silent_success();
            env.get("us.icr.io").is_not_found();
        }
    }
}

#[test]
fn an_erased_login_leaves_no_token_for_the_next() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    env.add_api_key("STORED-API-KEY", "1");
    let mut tokens = Vec::new();
    for _ in 0..2 {
        env.store("us.icr.io", "iamapikey", "STORED-API-KEY")
            .is_silent_success();
        tokens.push(env.get("us.icr.io").is_credential("iambearer"));
        env.erase("us.icr.io").is_silent_success();
    }
    assert_ne!(tokens[0], tokens[1]);
    assert_eq!(env.cloud.exchanges(), 2);
}
