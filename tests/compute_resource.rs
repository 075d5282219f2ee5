//! Does the token in a pod's file become the trusted profile that was chosen for it?
// Elsewhere the home directory is not where a variable says, and a lock keeps readers out.
#![cfg(unix)]

mod support;

use icr_emulator::Profile;

use support::Machine;
use support::Obstacle;
use support::token;

const FIRST: &str = "FIRST-COMPUTE-RESOURCE-TOKEN";
const SECOND: &str = "SECOND-COMPUTE-RESOURCE-TOKEN";

/// The pod's file is named in a profile: the usual places belong to the system, not to a test.
fn prepared(machine: Machine) -> Machine {
    machine.add_compute_resource_token(FIRST, &["Profile-pod"]);
    machine.add_compute_resource_token(SECOND, &["Profile-pod"]);
    let path = machine.file("token", FIRST);
    machine.settings(&format!(
        "[profile.pod]\nsource = \"compute-resource-token\"\nfile = \"{}\"\ntrusted-profile = \"Profile-pod\"\n\
         [registry.\"us.icr.io\"]\nprofile = \"pod\"\n",
        path.display()
    ));
    machine.cli_session(&serde_json::json!({"IAMToken": token::ending_in(3600)}));
    machine
}

fn machine() -> Machine {
    prepared(Machine::new())
}

#[test]
fn a_token_becomes_the_profile_and_a_rotated_one_is_read_again() {
    let Some(machine) = Machine::with_keychain().map(prepared) else {
        return;
    };
    let used = || {
        let request = machine.cloud.requests().pop().expect("one");
        request.field("cr_token").map(str::to_owned)
    };
    for (count, token) in [(1, FIRST), (2, SECOND)] {
        machine.file("token", &format!("{token}\n"));
        for _ in 0..2 {
            assert_eq!(machine.get("us.icr.io").is_token_of(), "iam-Profile-pod");
        }
        assert_eq!(machine.cloud.exchanges(), count);
        assert_eq!(used().as_deref(), Some(token));
    }
    assert_eq!(
        machine.get("de.icr.io").is_token_of(),
        "IBMid-elsewhere",
        "not its profile"
    );
}

#[test]
fn what_iam_does_not_like_is_told_with_the_file() {
    let machine = machine();
    let source = "the compute resource token in /";
    let accounts = machine.cloud.accounts();
    accounts.expire_compute_resource_token(FIRST);
    machine.get("us.icr.io").is_failure_with(&[
        "IAM rejected it",
        source,
        "/token for trusted profile Profile-pod",
        "expired",
    ]);
    machine.plant("A-TOKEN-OF-ANOTHER-CLOUD");
    machine.file("token", "A-TOKEN-OF-ANOTHER-CLOUD");
    machine
        .get("us.icr.io")
        .is_failure_with(&[source, "invalid"]);
    machine.add_compute_resource_token("A-TOKEN-OF-ANOTHER-POD", &["Profile-other"]);
    machine.file("token", "A-TOKEN-OF-ANOTHER-POD");
    machine
        .get("us.icr.io")
        .is_failure_with(&[source, "not linked"]);
}

#[test]
fn what_stands_in_the_place_of_the_token_is_told_in_time() {
    let machine = machine();
    let path = machine.path("token");
    for obstacle in Obstacle::all() {
        obstacle.put(&path);
        let outcome = machine.get("us.icr.io");
        outcome.is_failure_with(&["the compute resource token in /", "cannot be used"]);
        assert!(outcome.took.as_secs() < 5, "{obstacle:?}: {outcome:?}");
    }
    Obstacle::Directory.put(&path);
    std::fs::remove_dir(&path).expect("it is empty");
    machine.get("us.icr.io").is_failure_with(&[
        "the compute resource token in /",
        "see that it is mounted there",
    ]);
    assert_eq!(machine.cloud.requests(), []);
}

#[test]
fn the_profile_comes_from_the_settings_or_from_the_environment() {
    let mut machine = machine();
    let accounts = machine.cloud.accounts();
    accounts.add_trusted_profile(
        Profile::new("Profile-pod")
            .named("pods")
            .of_account("account-2"),
    );
    let path = machine.path("token");
    let source = format!(
        "source = \"compute-resource-token\"\nfile = \"{}\"\n",
        path.display()
    );
    machine.settings(&format!("[profile.pod]\n{source}"));
    machine.set("ICR_PROFILE", "pod");
    machine
        .get("us.icr.io")
        .is_failure_with(&["is 'compute-resource-token'", "set IBMCLOUD_CR_PROFILE"]);
    for name in [
        "Profile-pod",
        "pods",
        &Profile::new("Profile-pod").of_account("account-2").crn(),
    ] {
        machine.set("IBMCLOUD_CR_PROFILE", name);
        assert_eq!(machine.get("us.icr.io").is_token_of(), "iam-Profile-pod");
    }
    machine.settings(&format!(
        "[profile.pod]\n{source}trusted-profile = \"Profile-pod\"\n"
    ));
    machine.set("IBMCLOUD_CR_PROFILE", "Profile-stranger");
    assert_eq!(
        machine.get("us.icr.io").is_token_of(),
        "iam-Profile-pod",
        "the settings are closer"
    );
}

#[test]
fn a_token_file_that_is_rewritten_never_makes_us_somebody_else() {
    let machine = machine();
    let path = machine.path("token");
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // As Kubernetes does: a new file in the place of the old one.
            for token in [FIRST, SECOND].iter().cycle() {
                if done.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                let next = machine.file("next", token);
                std::fs::rename(next, &path).expect("the same file system");
            }
        });
        let owners = support::at_once(2, |_| {
            (0..20)
                .map(|_| machine.get("us.icr.io"))
                .collect::<Vec<_>>()
        });
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        for outcome in owners.iter().flatten() {
            assert_eq!(outcome.is_token_of(), "iam-Profile-pod");
        }
    });
}
