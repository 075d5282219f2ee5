//! What do the environment variables other than API keys lead to?
// Elsewhere the home directory is not where a variable says, and a lock keeps readers out.
#![cfg(unix)]

mod support;

use icr_emulator::Profile;
use serde_json::json;

use support::Machine;
use support::Obstacle;
use support::token;

const CR_TOKEN: &str = "COMPUTE-RESOURCE-TOKEN-OF-A-POD";
const REFRESH_TOKEN: &str = "REFRESH-TOKEN-OF-THE-ENVIRONMENT";

/// A machine on which somebody else could be found behind the environment, and must not be.
fn machine() -> Machine {
    let machine = Machine::new();
    machine.add_api_key("API-KEY-OF-SOMEBODY-ELSE", "somebody-else");
    machine.file(
        "home/ibm-credentials.env",
        "CONTAINER_REGISTRY_APIKEY=API-KEY-OF-SOMEBODY-ELSE\n",
    );
    machine
}

fn machine_with_pod() -> Machine {
    let mut machine = machine();
    machine.add_compute_resource_token(CR_TOKEN, &["Profile-pod"]);
    machine.set("IBMCLOUD_CR_TOKEN", CR_TOKEN);
    machine.set("IBMCLOUD_CR_PROFILE", "Profile-pod");
    machine
}

#[test]
fn a_compute_resource_token_becomes_its_profile_by_id_name_or_crn() {
    let mut machine = machine_with_pod();
    let profile = Profile::new("Profile-pod")
        .named("pods of ours")
        .of_account("account-2");
    let crn = profile.crn();
    machine.cloud.accounts().add_trusted_profile(profile);
    let file = machine.file("cr-token", &format!("{CR_TOKEN}\n"));
    for token in [CR_TOKEN.to_owned(), format!("@{}", file.display())] {
        machine.set("IBMCLOUD_CR_TOKEN", token);
        for (name, field) in [
            ("Profile-pod", "profile_id"),
            ("pods of ours", "profile_name"),
            (&crn, "profile_crn"),
        ] {
            machine.set("IBMCLOUD_CR_PROFILE", name);
            assert_eq!(machine.get("us.icr.io").is_token_of(), "iam-Profile-pod");
            let request = machine.cloud.requests().pop().expect("one request");
            assert_eq!(request.field(field), Some(name));
            assert_eq!(request.field("cr_token"), Some(CR_TOKEN));
            assert_eq!(request.header("authorization"), None);
        }
    }
}

#[test]
fn a_compute_resource_token_that_leads_nowhere_is_told() {
    let mut machine = machine_with_pod();
    let source = "the compute resource token in $IBMCLOUD_CR_TOKEN for trusted profile Profile-";
    machine.set("IBMCLOUD_CR_PROFILE", "Profile-stranger");
    machine
        .get("us.icr.io")
        .is_failure_with(&["IAM rejected it", source, "not linked"]);
    machine.set("IBMCLOUD_CR_PROFILE", "Profile-pod");
    machine
        .cloud
        .accounts()
        .expire_compute_resource_token(CR_TOKEN);
    machine
        .get("us.icr.io")
        .is_failure_with(&["IAM rejected it", source, "is expired"]);
    machine.set("IBMCLOUD_CR_TOKEN", "A-TOKEN-OF-ANOTHER-CLOUD");
    machine.plant("A-TOKEN-OF-ANOTHER-CLOUD");
    machine
        .get("us.icr.io")
        .is_failure_with(&["IAM rejected it", source, "is invalid"]);
    let asked = machine.cloud.exchanges();
    machine.unset("IBMCLOUD_CR_PROFILE");
    machine
        .get("us.icr.io")
        .is_failure_with(&["$IBMCLOUD_CR_TOKEN", "set IBMCLOUD_CR_PROFILE"]);
    machine.set("IBMCLOUD_CR_PROFILE", "Profile-pod\u{1b}[2J");
    machine
        .get("us.icr.io")
        .is_failure_with(&["$IBMCLOUD_CR_PROFILE"]);
    assert_eq!(machine.cloud.exchanges(), asked);
}

#[test]
fn what_stands_in_the_place_of_a_token_file_is_told_in_time() {
    let mut machine = machine_with_pod();
    let path = machine.file("cr-token", CR_TOKEN);
    machine.set("IBMCLOUD_CR_TOKEN", format!("@{}", path.display()));
    for obstacle in Obstacle::all() {
        obstacle.put(&path);
        let outcome = machine.get("us.icr.io");
        outcome.is_failure_with(&["$IBMCLOUD_CR_TOKEN names the file", "cr-token"]);
        assert!(outcome.took.as_secs() < 10, "{obstacle:?}: {outcome:?}");
    }
    assert_eq!(machine.cloud.exchanges(), 0);
}

#[test]
fn a_token_file_that_is_rotated_is_read_again() {
    let Some(mut machine) = Machine::with_keychain() else {
        return;
    };
    machine.add_compute_resource_token(CR_TOKEN, &["Profile-pod"]);
    machine.add_compute_resource_token("THE-NEXT-TOKEN-OF-THE-POD", &["Profile-next"]);
    let path = machine.file("cr-token", CR_TOKEN);
    machine.set("IBMCLOUD_CR_TOKEN", format!("@{}", path.display()));
    machine.set("IBMCLOUD_CR_PROFILE", "Profile-pod");
    for _ in 0..2 {
        assert_eq!(machine.get("us.icr.io").is_token_of(), "iam-Profile-pod");
    }
    assert_eq!(machine.cloud.exchanges(), 1);
    machine.file("cr-token", "THE-NEXT-TOKEN-OF-THE-POD");
    machine.get("us.icr.io").is_failure_with(&["not linked"]);
    machine.set("IBMCLOUD_CR_PROFILE", "Profile-next");
    assert_eq!(machine.get("us.icr.io").is_token_of(), "iam-Profile-next");
}

#[test]
fn an_access_token_is_handed_out_as_it_is_while_it_is_good() {
    for variable in ["IC_IAM_TOKEN", "IBMCLOUD_IAM_TOKEN"] {
        for prefix in ["", "Bearer ", "bearer  "] {
            let mut machine = machine();
            let token = token::ending_in(60);
            machine.plant(&token);
            machine.set(variable, format!("{prefix}{token}"));
            assert_eq!(machine.get("us.icr.io").is_credential("iambearer"), token);
            assert_eq!(machine.cloud.exchanges(), 0);
        }
    }
}

#[test]
fn an_access_token_that_has_ended_is_told_or_replaced() {
    let mut machine = machine();
    let ended = token::ending_in(-1);
    machine.plant(&ended);
    machine.set("IC_IAM_TOKEN", format!("Bearer {ended}"));
    machine
        .get("us.icr.io")
        .is_failure_with(&["the token in $IC_IAM_TOKEN has ended"]);
    machine.add_refresh_token(REFRESH_TOKEN, "refresher");
    machine.set("IC_IAM_REFRESH_TOKEN", REFRESH_TOKEN);
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-refresher");
}

#[test]
fn a_refresh_token_alone_is_exchanged_and_its_successor_kept() {
    let Some(mut machine) = Machine::with_keychain() else {
        return;
    };
    machine.add_refresh_token(REFRESH_TOKEN, "refresher");
    machine.set("IBMCLOUD_IAM_REFRESH_TOKEN", REFRESH_TOKEN);
    for count in 1..=3 {
        assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-refresher");
        assert_eq!(machine.get("de.icr.io").is_token_of(), "IBMid-refresher");
        assert_eq!(machine.cloud.exchanges(), count, "one for both");
        machine.keys().age_tokens(3599);
    }
}

#[test]
fn a_refresh_token_that_is_over_is_told_by_its_variable() {
    let mut machine = machine();
    let ended = token::ending_in(-1);
    machine.plant(&ended);
    machine.set("IC_IAM_TOKEN", ended);
    machine.set("IC_IAM_REFRESH_TOKEN", REFRESH_TOKEN);
    machine.plant(REFRESH_TOKEN);
    let told = |code: &str| {
        let outcome = machine.get("us.icr.io");
        outcome.is_failure_with(&["the token in $IC_IAM_REFRESH_TOKEN", code]);
    };
    told("BXNIM0407E");
    machine.add_refresh_token(REFRESH_TOKEN, "refresher");
    machine.cloud.accounts().expire_refresh_token(REFRESH_TOKEN);
    told("BXNIM0408E");
    machine.add_refresh_token(REFRESH_TOKEN, "refresher");
    assert!(machine.cloud.accounts().invalidate_session(REFRESH_TOKEN));
    told("BXNIM0439E");
}

#[test]
fn what_is_no_token_is_never_handed_out() {
    for text in ["Bearer", "Bearer ", "one two", "\u{1f980}"] {
        let mut machine = machine();
        machine.set("IC_IAM_TOKEN", text);
        machine
            .get("us.icr.io")
            .is_failure_with(&["$IC_IAM_TOKEN holds no token"]);
        machine.unset("IC_IAM_TOKEN");
        machine.set("IBMCLOUD_IAM_REFRESH_TOKEN", text);
        machine
            .get("us.icr.io")
            .is_failure_with(&["$IBMCLOUD_IAM_REFRESH_TOKEN holds no token"]);
    }
}

/// What each variable makes us, and who may assume the profile then.
fn every_kind(machine: &Machine) -> [(&'static str, String, &'static str); 4] {
    machine.add_api_key("API-KEY-OF-THE-ENVIRONMENT", "key");
    machine.add_refresh_token(REFRESH_TOKEN, "refresher");
    machine.add_compute_resource_token(CR_TOKEN, &["Profile-pod"]);
    [
        (
            "IBMCLOUD_API_KEY",
            "API-KEY-OF-THE-ENVIRONMENT".to_owned(),
            "IBMid-key",
        ),
        ("IBMCLOUD_CR_TOKEN", CR_TOKEN.to_owned(), "iam-Profile-pod"),
        (
            "IC_IAM_TOKEN",
            machine.access_token_of("bearer"),
            "IBMid-bearer",
        ),
        (
            "IC_IAM_REFRESH_TOKEN",
            REFRESH_TOKEN.to_owned(),
            "IBMid-refresher",
        ),
    ]
}

#[test]
fn a_profile_is_assumed_on_top_of_each() {
    let mut machine = machine();
    machine.set("IBMCLOUD_CR_PROFILE", "Profile-pod");
    machine.cloud.accounts().set_refresh_rotation(false);
    for (variable, value, owner) in every_kind(&machine) {
        let profile = Profile::new("Profile-top")
            .named("top")
            .of_account("account-3");
        let accounts = machine.cloud.accounts();
        accounts.add_trusted_profile(profile.clone().trusting(&[owner]));
        machine.set(variable, value);
        assert_eq!(machine.get("us.icr.io").is_token_of(), owner);
        for choice in [
            &[("IC_IAM_PROFILE_ID", "Profile-top")][..],
            &[("IBMCLOUD_IAM_PROFILE_ID", "Profile-top")],
            &[
                ("IC_IAM_PROFILE_NAME", "top"),
                ("IC_ACCOUNT_ID", "account-3"),
            ],
            &[
                ("IBMCLOUD_IAM_PROFILE_NAME", "top"),
                ("IBMCLOUD_ACCOUNT_ID", "account-3"),
            ],
        ] {
            for (name, value) in choice {
                machine.set(name, *value);
            }
            assert_eq!(
                machine.get("us.icr.io").is_token_of(),
                "iam-Profile-top",
                "{variable}"
            );
            for (name, _) in choice {
                machine.unset(name);
            }
        }
        machine.set("IC_IAM_PROFILE_NAME", "top");
        machine
            .get("us.icr.io")
            .is_failure_with(&["$IC_IAM_PROFILE_NAME", "set IC_ACCOUNT_ID"]);
        machine.unset("IC_IAM_PROFILE_NAME");
        machine.cloud.accounts().add_trusted_profile(profile);
        machine.set("IC_IAM_PROFILE_ID", "Profile-top");
        machine.get("us.icr.io").is_failure_with(&[
            &format!("${variable}"),
            "as trusted profile Profile-top",
            "must not assume",
        ]);
        machine.unset("IC_IAM_PROFILE_ID");
        machine.unset(variable);
    }
}

#[test]
fn a_profile_alone_is_nobody() {
    let mut machine = Machine::new();
    machine.set("IC_IAM_PROFILE_ID", "Profile-top");
    machine.set("IBMCLOUD_CR_PROFILE", "Profile-top");
    machine.get("us.icr.io").is_not_found();
}

#[test]
fn each_kind_of_credential_is_given_where_it_can_be() {
    let mut machine = machine();
    machine.set("IBMCLOUD_CR_PROFILE", "Profile-pod");
    machine.cloud.accounts().set_refresh_rotation(false);
    let kinds = every_kind(&machine);
    machine.set("ICR_PROFILE", "p");
    for (variable, value, _) in kinds {
        machine.set(variable, value.clone());
        for kind in ["iambearer", "iamrefresh", "iamapikey"] {
            machine.settings(&format!("[profile.p]\ncredential = {}\n", json!(kind)));
            let outcome = machine.get("us.icr.io");
            match (variable, kind) {
                (_, "iambearer") | ("IBMCLOUD_API_KEY" | "IC_IAM_REFRESH_TOKEN", "iamrefresh") => {
                    outcome.is_credential(kind);
                }
                ("IBMCLOUD_API_KEY", "iamapikey") => {
                    assert_eq!(outcome.is_credential(kind), value);
                }
                _ => {
                    outcome.is_failure_with(&[&format!("the settings want '{kind}' for us.icr.io")])
                }
            }
        }
        machine.unset(variable);
    }
}
