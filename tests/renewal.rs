//! Who waits for the next token? Nobody who has one that is good.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::io::ErrorKind;
use std::process::Command;
use std::time::Duration;

use icr_emulator::Fault;

use support::ENVIRONMENT_KEY;
use support::Input;
use support::Machine;
use support::at_once;
use support::wait_until;

/// Longer than anybody here waits, shorter than an attempt may take.
const HANGING: Duration = Duration::from_secs(4);

/// A machine with a token that has passed half its life.
fn machine_with_aging_token() -> Option<(Machine, String)> {
    let mut machine = Machine::with_keychain()?;
    machine.settings(&format!("registries = [\"{}\"]\n", host(&machine)));
    machine.set("ICR_BACKGROUND_REFRESH", "true");
    machine.set_environment_key();
    let old = machine.get(&host(&machine)).is_credential("iambearer");
    machine.keys().age_tokens(2000);
    Some((machine, old))
}

/// A registry that no other machine has: it tells the background processes of this machine from others, whose environment only
/// root can read.
fn host(machine: &Machine) -> String {
    format!("at-{}.example.com", machine.cloud.address().port())
}

/// Waits until the background process is done, so that it leaves nothing behind the test.
fn is_renewed(machine: &Machine, old: &str) {
    wait_until("a renewed token", || {
        machine.get(&host(machine)).is_credential("iambearer") != old
    });
}

/// The processes that renew tokens of this machine.
fn renewals(machine: &Machine) -> Vec<u32> {
    let expected = format!("\0renew\0{}\0", host(machine));
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
fn the_old_token_is_answered_at_once_while_another_process_waits_for_iam() {
    let Some((machine, old)) = machine_with_aging_token() else {
        return;
    };
    machine.cloud.script([Fault::Delay(HANGING)]);
    for _ in 0..3 {
        let outcome = machine.get(&host(&machine));
        assert_eq!(outcome.is_credential("iambearer"), old);
        assert!(outcome.took < HANGING / 2, "{outcome:?}");
    }
    is_renewed(&machine, &old);
    assert_eq!(machine.cloud.exchanges(), 2);
}

#[test]
fn of_forty_processes_one_starts_a_renewal() {
    let Some((machine, old)) = machine_with_aging_token() else {
        return;
    };
    machine.cloud.script([Fault::Delay(HANGING / 4)]);
    for outcome in at_once(40, |_| machine.get(&host(&machine))) {
        outcome.is_credential("iambearer");
    }
    is_renewed(&machine, &old);
    assert_eq!(machine.cloud.exchanges(), 2);
}

#[test]
fn a_renewal_holds_nothing_of_the_clients() {
    let Some((machine, old)) = machine_with_aging_token() else {
        return;
    };
    machine.cloud.script([Fault::Delay(HANGING)]);
    // A client that leaks a pipe of its own into its helpers, and waits for that as well.
    let mut client = Command::new("sh");
    client
        .args(["-c", "exec \"$0\" get \"$1\" 9>&1 >/dev/null"])
        .arg(env!("CARGO_BIN_EXE_docker-credential-icr"))
        .arg(host(&machine));
    machine.furnish(&mut client);
    let outcome = machine.start_as(client, Input::Bytes(b"")).finish();
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert!(outcome.took < HANGING / 2, "{outcome:?}");
    let renewal = *renewals(&machine).first().expect("it waits for IAM");
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
    is_renewed(&machine, &old);
}

#[test]
fn what_a_renewal_is_refused_is_told_when_the_old_token_has_ended() {
    let Some((machine, old)) = machine_with_aging_token() else {
        return;
    };
    machine.cloud.accounts().revoke_api_key(ENVIRONMENT_KEY);
    assert_eq!(machine.get(&host(&machine)).is_credential("iambearer"), old);
    wait_until("the end of the renewal", || {
        machine.cloud.exchanges() == 2 && renewals(&machine).is_empty()
    });
    assert_eq!(machine.get(&host(&machine)).is_credential("iambearer"), old);
    machine.keys().age_tokens(1600);
    machine
        .get("us.icr.io")
        .is_failure_with(&["BXNIM0415E", "$IBMCLOUD_API_KEY"]);
}

#[test]
fn a_token_that_ends_before_clients_forget_it_is_replaced_first() {
    let Some((machine, old)) = machine_with_aging_token() else {
        return;
    };
    machine.keys().age_tokens(1400);
    assert_ne!(machine.get(&host(&machine)).is_credential("iambearer"), old);
    assert_eq!(machine.cloud.exchanges(), 2);
    assert_eq!(renewals(&machine), [0; 0]);
}

#[test]
fn it_can_be_turned_off() {
    for off in ["variable", "file"] {
        let Some((mut machine, old)) = machine_with_aging_token() else {
            return;
        };
        match off {
            "file" => {
                machine.unset("ICR_BACKGROUND_REFRESH");
                machine.settings(&format!(
                    "background-refresh = false\nregistries = [\"{}\"]\n",
                    host(&machine)
                ));
            }
            _ => {
                machine.set("ICR_BACKGROUND_REFRESH", "false");
            }
        }
        assert_ne!(machine.get(&host(&machine)).is_credential("iambearer"), old);
    }
}

#[test]
fn a_renewal_says_nothing_and_does_nothing_where_nobody_speaks() {
    let machine = Machine::new();
    for host in ["us.icr.io", "evil.example.com"] {
        machine
            .run(&["renew", host], Input::Bytes(b""))
            .is_silent_success();
    }
}
