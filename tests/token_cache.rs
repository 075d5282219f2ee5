//! When is IAM asked, and when is what it said before good enough?

mod support;

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use icr_emulator::Emulator;
use icr_emulator::Fault;
use icr_emulator::Subject;

use support::ENVIRONMENT_KEY;
use support::Machine;
use support::at_once;
use support::wait_until;

/// IAM is down and does not want to be asked again, which ends a test sooner than asking four times.
fn iam_is_down() -> Option<Fault> {
    Some(Fault::StatusWithRetryAfter(503, "3600".into()))
}

/// A machine with a keychain and an API key in the environment.
fn machine() -> Option<Machine> {
    let mut machine = Machine::with_keychain()?;
    machine.set_environment_key();
    Some(machine)
}

#[test]
fn twenty_six_hosts_of_one_identity_cost_one_exchange() {
    let Some(machine) = machine() else { return };
    let regions = [
        "", "us.", "uk.", "de.", "au.", "jp.", "jp2.", "ca.", "ca2.", "br.", "es.", "in.", "in2.",
    ];
    let hosts = ["", "private."]
        .into_iter()
        .flat_map(|network| regions.map(|region| format!("{network}{region}icr.io")));
    let tokens: Vec<String> = hosts
        .map(|host| machine.get(&host).is_credential("iambearer"))
        .collect();
    assert_eq!(tokens.len(), 26);
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(machine.cloud.exchanges(), 1);
}

#[test]
fn a_key_stored_for_many_hosts_costs_one_exchange() {
    for keychain in ["kernel", "auto"] {
        let Some(machine) = Machine::with_keychain_named(keychain) else {
            return;
        };
        machine.add_api_key("API-KEY-ON-MANY-HOSTS", "1");
        for host in ["us.icr.io", "de.icr.io", "uk.icr.io"] {
            machine
                .store(host, "iamapikey", "API-KEY-ON-MANY-HOSTS")
                .is_silent_success();
        }
        for host in ["us.icr.io", "de.icr.io", "uk.icr.io"] {
            machine.get(host).is_credential("iambearer");
        }
        assert_eq!(machine.cloud.exchanges(), 1, "{keychain}");
    }
}

#[test]
fn a_hundred_processes_that_start_cold_cost_one_exchange() {
    let Some(machine) = machine() else { return };
    machine
        .cloud
        .always(Some(Fault::Delay(Duration::from_millis(300))));
    let tokens = at_once(100, |_| machine.get("us.icr.io").is_credential("iambearer"));
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(machine.cloud.exchanges(), 1);
}

#[test]
fn forty_processes_with_a_refused_key_cost_one_exchange() {
    let Some(machine) = machine() else { return };
    machine.cloud.accounts().revoke_api_key(ENVIRONMENT_KEY);
    machine
        .cloud
        .always(Some(Fault::Delay(Duration::from_millis(300))));
    for outcome in at_once(40, |_| machine.get("us.icr.io")) {
        outcome.is_failure_with(&["BXNIM0415E", "$IBMCLOUD_API_KEY"]);
    }
    assert_eq!(machine.cloud.exchanges(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_refusal_is_the_answer_for_five_seconds_and_remembered_for_an_hour() {
    let Some(machine) = machine() else { return };
    machine.cloud.accounts().revoke_api_key(ENVIRONMENT_KEY);
    for (age, exchanges) in [(0, 1), (4, 1), (2, 2)] {
        if age > 0 {
            machine.keys().age_tokens(age);
        }
        machine.get("us.icr.io").is_failure_with(&["BXNIM0415E"]);
        assert_eq!(machine.cloud.exchanges(), exchanges, "after {age} s more");
    }
    let lives = machine.keys().lifetimes("token");
    assert!(
        lives == ["59m"] || lives == ["60m"] || lives == ["1h"],
        "{lives:?}"
    );
    machine.add_api_key(ENVIRONMENT_KEY, "environment");
    machine.keys().age_tokens(5);
    machine.get("us.icr.io").is_credential("iambearer");
}

#[cfg(target_os = "linux")]
#[test]
fn an_outage_says_since_when_it_lasts() {
    let Some(machine) = machine() else { return };
    machine.cloud.always(iam_is_down());
    for (age, lasted) in [(0, None), (50, None), (30, Some("8")), (340, Some("7 min"))] {
        if age > 0 {
            machine.keys().age_tokens(age);
        }
        let outcome = machine.get("us.icr.io");
        outcome.is_failure_with(&["is unavailable (HTTP 503)", ". Try again in 60 min"]);
        match lasted {
            None => assert!(!outcome.stdout.contains("since"), "{outcome:?}"),
            Some(lasted) => {
                outcome.is_failure_with(&[" (failing since ", &format!(" UTC, {lasted}")]);
            }
        }
    }
    machine.cloud.always(None);
    machine.get("us.icr.io").is_credential("iambearer");
    machine.keys().forget_tokens();
    machine.cloud.always(iam_is_down());
    let outcome = machine.get("us.icr.io");
    assert!(!outcome.stdout.contains("since"), "{outcome:?}");
}

#[test]
fn a_token_is_served_until_half_its_life_is_over() {
    let Some(machine) = machine() else { return };
    let first = machine.get("us.icr.io").is_credential("iambearer");
    machine.keys().age_tokens(1700);
    assert_eq!(machine.get("us.icr.io").is_credential("iambearer"), first);
    assert_eq!(machine.cloud.exchanges(), 1);
    machine.keys().age_tokens(100);
    assert_ne!(machine.get("us.icr.io").is_credential("iambearer"), first);
    assert_eq!(machine.cloud.exchanges(), 2);
}

#[test]
fn half_a_life_is_half_of_what_iam_said_and_not_of_an_hour() {
    let Some(machine) = machine() else { return };
    machine.cloud.accounts().set_token_lifetime(200);
    let first = machine.get("us.icr.io").is_credential("iambearer");
    machine.keys().age_tokens(80);
    assert_eq!(machine.get("us.icr.io").is_credential("iambearer"), first);
    machine.keys().age_tokens(20);
    assert_ne!(machine.get("us.icr.io").is_credential("iambearer"), first);
}

#[test]
fn the_old_token_serves_while_iam_is_down() {
    let Some(machine) = machine() else { return };
    machine.cloud.accounts().set_token_lifetime(200);
    let old = machine.get("us.icr.io").is_credential("iambearer");
    machine.keys().age_tokens(120);
    machine.cloud.always(iam_is_down());
    for outcome in at_once(5, |_| machine.get("us.icr.io")) {
        assert_eq!(outcome.is_credential("iambearer"), old);
    }
    machine.cloud.always(None);
    assert_ne!(machine.get("us.icr.io").is_credential("iambearer"), old);
}

#[test]
fn the_old_token_does_not_serve_in_its_last_minute() {
    let Some(machine) = machine() else { return };
    machine.cloud.accounts().set_token_lifetime(200);
    machine.get("us.icr.io").is_credential("iambearer");
    machine.keys().age_tokens(140);
    machine.cloud.always(iam_is_down());
    machine.get("us.icr.io").is_failure_with(&["HTTP 503"]);
}

#[test]
fn the_old_token_does_not_hide_that_the_key_is_refused() {
    let Some(machine) = machine() else { return };
    machine.get("us.icr.io").is_credential("iambearer");
    machine.keys().age_tokens(2000);
    machine.cloud.accounts().revoke_api_key(ENVIRONMENT_KEY);
    machine.get("us.icr.io").is_failure_with(&["BXNIM0415E"]);
}

#[test]
fn a_token_from_the_future_is_not_served() {
    let Some(machine) = machine() else { return };
    let first = machine.get("us.icr.io").is_credential("iambearer");
    machine.keys().age_tokens(-600);
    assert_ne!(machine.get("us.icr.io").is_credential("iambearer"), first);
}

#[test]
fn a_token_belongs_to_the_iam_that_issued_it_and_to_the_key_it_was_issued_for() {
    let Some(mut machine) = machine() else { return };
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-environment");
    machine.add_api_key("ANOTHER-API-KEY", "another");
    machine.set("IBMCLOUD_API_KEY", "ANOTHER-API-KEY");
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-another");
    let elsewhere = Emulator::start().unwrap();
    elsewhere
        .accounts()
        .add_api_key("ANOTHER-API-KEY", Subject::user("elsewhere"));
    machine.set("IBMCLOUD_IAM_API_ENDPOINT", elsewhere.url());
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-elsewhere");
}

#[cfg(target_os = "linux")]
#[test]
fn the_kernel_forgets_a_token_when_it_ends_and_a_login_never() {
    let Some(machine) = Machine::with_keychain() else {
        return;
    };
    machine.cloud.accounts().set_token_lifetime(1200);
    machine.add_api_key("STORED-API-KEY", "1");
    machine
        .store("us.icr.io", "iamapikey", "STORED-API-KEY")
        .is_silent_success();
    machine.get("us.icr.io").is_credential("iambearer");
    let tokens = machine.keys().lifetimes("token");
    assert!(tokens == ["19m"] || tokens == ["20m"], "{tokens:?}");
    assert_eq!(machine.keys().lifetimes("login"), ["perm"]);
}

#[test]
fn a_process_that_is_killed_while_it_asks_blocks_nobody() {
    let Some(machine) = machine() else { return };
    machine
        .cloud
        .script([Fault::Delay(Duration::from_secs(20))]);
    let asking = machine.start(&["get"], "us.icr.io");
    wait_until("the exchange", || machine.cloud.exchanges() == 1);
    let waiting = machine.start(&["get"], "us.icr.io");
    asking.kill();
    for outcome in [waiting.finish(), machine.get("us.icr.io")] {
        outcome.is_credential("iambearer");
        assert!(outcome.took < Duration::from_secs(5), "{:?}", outcome.took);
    }
    assert_eq!(machine.cloud.exchanges(), 2);
}

#[test]
fn a_process_that_never_lets_go_of_the_lock_blocks_nobody_for_good() {
    let Some(machine) = machine() else { return };
    machine.settings("deadline = 2\n");
    machine.get("us.icr.io").is_credential("iambearer");
    let held: Vec<File> = lock_files(&machine)
        .iter()
        .map(|path| File::options().write(true).open(path).unwrap())
        .inspect(|file| file.lock().unwrap())
        .collect();
    assert!(!held.is_empty(), "there is a lock");
    machine.keys().forget_tokens();
    let outcome = machine.get("us.icr.io");
    outcome.is_credential("iambearer");
    assert!(outcome.took <= Duration::from_secs(3), "{:?}", outcome.took);
    assert_eq!(machine.cloud.exchanges(), 2);
}

#[cfg(unix)]
#[test]
fn lock_files_are_empty_and_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(machine) = machine() else { return };
    machine.get("us.icr.io").is_credential("iambearer");
    for path in lock_files(&machine) {
        let metadata = std::fs::metadata(&path).unwrap();
        assert_eq!(
            (metadata.len(), metadata.permissions().mode() & 0o777),
            (0, 0o600),
            "{path:?}"
        );
    }
}

fn lock_files(machine: &Machine) -> Vec<PathBuf> {
    support::files_below(&machine.path("cache/docker-credential-icr/locks"))
}

#[test]
fn without_a_keychain_nothing_is_kept_and_every_get_is_answered() {
    let machine = Machine::with_environment_key();
    let tokens = [(); 2].map(|()| machine.get("us.icr.io").is_credential("iambearer"));
    assert_ne!(tokens[0], tokens[1]);
    assert_eq!(machine.cloud.exchanges(), 2);
    assert_eq!(machine.keys().names(), [""; 0]);
    assert!(machine.files_with_secrets().is_empty());
}

#[cfg(unix)]
#[test]
fn a_machine_where_nothing_can_be_locked_gets_its_answer() {
    use std::os::unix::fs::PermissionsExt as _;
    let file = |machine: &mut Machine| {
        std::fs::write(machine.path("file"), "").unwrap();
        machine.set("XDG_CACHE_HOME", machine.path("file"));
    };
    let read_only = |machine: &mut Machine| {
        let mode = std::fs::Permissions::from_mode(0o500);
        std::fs::set_permissions(machine.path("cache"), mode).unwrap();
    };
    let nowhere = |machine: &mut Machine| {
        // Not even root may make a directory there.
        machine.set("XDG_CACHE_HOME", "/proc/nowhere");
    };
    let homeless = |machine: &mut Machine| {
        machine.unset("HOME");
    };
    let no_home_to_speak_of = |machine: &mut Machine| {
        machine
            .set("HOME", "/proc/nowhere")
            .unset("XDG_CACHE_HOME")
            .unset("XDG_CONFIG_HOME")
            .unset("XDG_RUNTIME_DIR");
    };
    let spoilers: [&dyn Fn(&mut Machine); 5] =
        [&file, &read_only, &nowhere, &homeless, &no_home_to_speak_of];
    for spoil in spoilers {
        for with_keychain in [true, false] {
            let machine = if with_keychain {
                machine()
            } else {
                Some(Machine::with_environment_key())
            };
            let Some(mut machine) = machine else { continue };
            machine.add_api_key("STORED-API-KEY", "stored");
            spoil(&mut machine);
            machine.get("us.icr.io").is_credential("iambearer");
            machine.get("docker.io").is_not_found();
            machine.unset("IBMCLOUD_API_KEY");
            if with_keychain {
                machine
                    .store("us.icr.io", "iamapikey", "STORED-API-KEY")
                    .is_silent_success();
                assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-stored");
            }
            machine.erase("us.icr.io").is_silent_success();
            machine.get("us.icr.io").is_not_found();
        }
    }
}

#[test]
fn an_erased_login_leaves_no_token_for_the_next() {
    let Some(machine) = Machine::with_keychain() else {
        return;
    };
    machine.add_api_key("STORED-API-KEY", "1");
    let mut tokens = Vec::new();
    for _ in 0..2 {
        machine
            .store("us.icr.io", "iamapikey", "STORED-API-KEY")
            .is_silent_success();
        tokens.push(machine.get("us.icr.io").is_credential("iambearer"));
        machine.erase("us.icr.io").is_silent_success();
    }
    assert_ne!(tokens[0], tokens[1]);
    assert_eq!(machine.cloud.exchanges(), 2);
}
