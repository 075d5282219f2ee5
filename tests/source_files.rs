//! What happens when the file of a source is replaced, or is no readable file? What its content means is tested by
//! `tests/cases/sources`.
// Elsewhere the home directory is not where a variable says.
#![cfg(unix)]

mod support;

use std::fs;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use serde_json::json;

use support::Machine;
use support::Obstacle;
use support::at_once;
use support::token;

const FIRST: &str = "FIRST-COMPUTE-RESOURCE-TOKEN";
const SECOND: &str = "SECOND-COMPUTE-RESOURCE-TOKEN";

/// Another source, of `IBMid-elsewhere`, that must not be used in the place of a broken one.
fn add_cli_session(machine: &Machine) {
    machine.cli_session(&json!({"IAMToken": token::ending_in(3600)}));
}

/// Makes the file `token` the source of `us.icr.io`: the usual places of a pod's token belong to the system.
fn add_token_file(machine: &Machine) {
    machine.add_compute_resource_token(FIRST, &["Profile-pod"]);
    machine.add_compute_resource_token(SECOND, &["Profile-pod"]);
    let path = machine.file("token", FIRST);
    machine.settings(&format!(
        "[profile.pod]\nsource = \"compute-resource-token\"\nfile = \"{}\"\ntrusted-profile = \"Profile-pod\"\n\
         [registry.\"us.icr.io\"]\nprofile = \"pod\"\n",
        path.display()
    ));
    add_cli_session(machine);
}

#[test]
fn a_token_file_of_a_variable_that_cannot_be_read_is_an_error() {
    let mut machine = Machine::new();
    add_cli_session(&machine);
    let path = machine.file("cr-token", FIRST);
    machine
        .set("IBMCLOUD_CR_TOKEN", format!("@{}", path.display()))
        .set("IBMCLOUD_CR_PROFILE", "Profile-pod");
    for obstacle in Obstacle::all() {
        obstacle.put(&path);
        let outcome = machine.get("us.icr.io");
        outcome.is_failure_with(&["$IBMCLOUD_CR_TOKEN", "cr-token"]);
        assert!(outcome.took.as_secs() < 10, "{obstacle:?}: {outcome:?}");
    }
    assert_eq!(machine.cloud.requests(), []);
}

#[test]
fn a_credentials_file_that_cannot_be_read_is_an_error() {
    let mut machine = Machine::new();
    add_cli_session(&machine);
    let home = machine.file("home/ibm-credentials.env", "");
    let named = machine.file("named.env", "");
    for (path, variable) in [(&home, false), (&named, true)] {
        if variable {
            machine.set("IBM_CREDENTIALS_FILE", path);
        }
        for obstacle in Obstacle::all() {
            obstacle.put(path);
            let outcome = machine.get("us.icr.io");
            if obstacle == Obstacle::Empty {
                let owner = outcome.is_token_of();
                assert_eq!(owner, "IBMid-elsewhere", "it names no credential");
            } else {
                outcome.is_failure_with(&[path.to_str().expect("a plain path")]);
            }
            assert!(outcome.took.as_secs() < 5, "{obstacle:?}: {outcome:?}");
        }
    }
    assert_eq!(machine.cloud.requests(), []);
}

#[test]
fn a_token_file_of_a_pod_that_cannot_be_read_is_an_error() {
    let machine = Machine::new();
    add_token_file(&machine);
    let path = machine.path("token");
    for obstacle in Obstacle::all() {
        obstacle.put(&path);
        let outcome = machine.get("us.icr.io");
        outcome.is_failure_with(&[path.to_str().expect("a plain path")]);
        assert!(outcome.took.as_secs() < 5, "{obstacle:?}: {outcome:?}");
    }
    assert_eq!(machine.cloud.requests(), []);
}

#[test]
fn a_rotated_token_of_a_variables_file_is_used_at_once() {
    let Some(mut machine) = Machine::with_keychain() else {
        return;
    };
    machine.add_compute_resource_token(FIRST, &["Profile-first"]);
    machine.add_compute_resource_token(SECOND, &["Profile-second"]);
    let path = machine.file("cr-token", FIRST);
    machine
        .set("IBMCLOUD_CR_TOKEN", format!("@{}", path.display()))
        .set("IBMCLOUD_CR_PROFILE", "Profile-first");
    for _ in 0..2 {
        assert_eq!(machine.get("us.icr.io").is_token_of(), "iam-Profile-first");
    }
    assert_eq!(machine.cloud.exchanges(), 1);
    machine.file("cr-token", SECOND);
    machine
        .get("us.icr.io")
        .is_failure_with(&["Profile-first", "not linked"]);
    machine.set("IBMCLOUD_CR_PROFILE", "Profile-second");
    assert_eq!(machine.get("us.icr.io").is_token_of(), "iam-Profile-second");
}

#[test]
fn a_rotated_token_of_a_pod_is_used_at_once() {
    let Some(machine) = Machine::with_keychain() else {
        return;
    };
    add_token_file(&machine);
    for (count, token) in [(1, FIRST), (2, SECOND)] {
        machine.file("token", &format!("{token}\n"));
        for _ in 0..2 {
            assert_eq!(machine.get("us.icr.io").is_token_of(), "iam-Profile-pod");
        }
        assert_eq!(machine.cloud.exchanges(), count);
        let request = machine.cloud.requests().pop().expect("one");
        assert_eq!(request.field("cr_token"), Some(token));
    }
}

#[test]
fn no_other_source_is_used_while_the_token_of_a_pod_is_replaced() {
    let machine = Machine::new();
    add_token_file(&machine);
    let path = machine.path("token");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // As Kubernetes does: a new file in the place of the old one.
            for token in [FIRST, SECOND].iter().cycle() {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let next = machine.file("next", token);
                fs::rename(next, &path).expect("the same file system");
            }
        });
        let outcomes = at_once(2, |_| {
            let outcomes = (0..20).map(|_| machine.get("us.icr.io"));
            outcomes.collect::<Vec<_>>()
        });
        done.store(true, Ordering::Relaxed);
        for outcome in outcomes.iter().flatten() {
            assert_eq!(outcome.is_token_of(), "iam-Profile-pod");
        }
    });
}
