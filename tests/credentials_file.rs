//! Does IBM's credentials file say who we are, as it does to IBM's SDKs?
// Elsewhere the home directory is not where a variable says, and a lock keeps readers out.
#![cfg(unix)]

mod support;

use std::fs;

use icr_emulator::Emulator;
use icr_emulator::MetadataApi;
use icr_emulator::Profile;
use icr_emulator::Subject;

use support::Machine;
use support::Obstacle;
use support::token;

const FILE: &str = "home/ibm-credentials.env";
const KEY: &str = "API-KEY-OF-THE-CREDENTIALS-FILE";
const REFRESH_TOKEN: &str = "REFRESH-TOKEN-OF-THE-CREDENTIALS-FILE";
const CR_TOKEN: &str = "COMPUTE-RESOURCE-TOKEN-OF-THE-FILE";

/// A machine with somebody else behind the file, who must not be found: whoever is logged in with the CLI.
fn machine() -> Machine {
    let machine = Machine::new();
    machine.cli_session(&serde_json::json!({"IAMToken": token::ending_in(3600)}));
    machine.add_api_key(KEY, "file");
    machine
}

/// Properties of our service, as lines.
fn lines(properties: &[(&str, &str)]) -> String {
    properties
        .iter()
        .map(|(name, value)| format!("CONTAINER_REGISTRY_{name}={value}\n"))
        .collect()
}

#[test]
fn a_file_that_only_says_where_the_service_is_is_about_something_else() {
    let machine = machine();
    let service = [("URL", "https://us.icr.io"), ("ENABLE_RETRIES", "true")];
    machine.file(FILE, &lines(&service));
    machine.get("us.icr.io").is_credential("iambearer");
    assert_eq!(machine.cloud.exchanges(), 0, "the session of the CLI");
}

#[test]
fn every_type_leads_to_its_identity() {
    let machine = machine();
    let accounts = machine.cloud.accounts();
    accounts.set_refresh_rotation(false);
    accounts.add_trusted_profile(
        Profile::new("Profile-top")
            .named("top")
            .trusting(&["IBMid-file"]),
    );
    accounts.add_trusted_profile(Profile::new("Profile-pod").named("pod"));
    accounts.enable_metadata(&[MetadataApi::InstanceIdentity]);
    accounts.link_default_profile("Profile-default");
    accounts.link_profile("Profile-linked");
    machine.add_compute_resource_token(CR_TOKEN, &["Profile-pod"]);
    machine.add_refresh_token(REFRESH_TOKEN, "refresher");
    let cr_file = machine.file("cr-token", CR_TOKEN).display().to_string();
    let cloud = machine.cloud.url();
    let bearer = token::ending_in(600);
    machine.plant(&bearer);
    let scheme = format!("Bearer {bearer}");
    let crn = Profile::new("Profile-top").crn();
    let linked_crn = Profile::new("Profile-linked").crn();
    for (properties, owner) in [
        (&[("APIKEY", KEY)][..], "IBMid-file"),
        (
            &[
                ("AUTH_TYPE", "IAM"),
                ("APIKEY", KEY),
                ("URL", "https://us.icr.io"),
            ],
            "IBMid-file",
        ),
        (
            &[
                ("AUTH_TYPE", "iam"),
                ("REFRESH_TOKEN", REFRESH_TOKEN),
                ("CLIENT_ID", "bx"),
                ("CLIENT_SECRET", "bx"),
            ],
            "IBMid-refresher",
        ),
        (
            &[
                ("AUTH_TYPE", "iamAssume"),
                ("APIKEY", KEY),
                ("IAM_PROFILE_ID", "Profile-top"),
            ],
            "iam-Profile-top",
        ),
        (
            &[
                ("AUTH_TYPE", "IAMASSUME"),
                ("APIKEY", KEY),
                ("IAM_PROFILE_CRN", &crn),
            ],
            "iam-Profile-top",
        ),
        (
            &[
                ("AUTHTYPE", "iamassume"),
                ("APIKEY", KEY),
                ("IAM_PROFILE_NAME", "top"),
                ("IAM_ACCOUNT_ID", "account-1"),
            ],
            "iam-Profile-top",
        ),
        (
            &[
                ("CR_TOKEN_FILENAME", &cr_file),
                ("IAM_PROFILE_ID", "Profile-pod"),
            ],
            "iam-Profile-pod",
        ),
        (
            &[
                ("AUTH_TYPE", "Container"),
                ("CR_TOKEN_FILENAME", &cr_file),
                ("IAM_PROFILE_NAME", "pod"),
            ],
            "iam-Profile-pod",
        ),
        (
            &[
                ("AUTH_TYPE", "VPC"),
                ("AUTH_URL", &cloud),
                ("VPC_IMS_VERSION", "2022-03-01"),
            ],
            "iam-Profile-default",
        ),
        (
            &[
                ("AUTH_TYPE", "vpc"),
                ("AUTH_URL", &cloud),
                ("IAM_PROFILE_ID", "Profile-linked"),
            ],
            "iam-Profile-linked",
        ),
        (
            &[
                ("AUTH_TYPE", "vpc"),
                ("AUTH_URL", &cloud),
                ("IAM_PROFILE_CRN", &linked_crn),
            ],
            "iam-Profile-linked",
        ),
        (
            &[("AUTH_TYPE", "bearerToken"), ("BEARER_TOKEN", &bearer)],
            "IBMid-elsewhere",
        ),
        (
            &[("AUTH_TYPE", "BearerToken"), ("BEARER_TOKEN", &scheme)],
            "IBMid-elsewhere",
        ),
    ] {
        machine.file(FILE, &lines(properties));
        assert_eq!(
            machine.get("us.icr.io").is_token_of(),
            owner,
            "{properties:?}"
        );
    }
}

#[test]
fn what_iam_does_not_like_is_told_with_the_file() {
    let machine = machine();
    machine.plant("CLIENT-SECRET-OF-NOBODY");
    machine.add_refresh_token(REFRESH_TOKEN, "refresher");
    machine.cloud.accounts().add_profile("Profile-top", &[]);
    for (properties, parts) in [
        (
            &[("APIKEY", "API-KEY-OF-NOBODY")][..],
            &["the API key in", "BXNIM0415E"][..],
        ),
        (
            &[
                ("AUTH_TYPE", "iam"),
                ("REFRESH_TOKEN", REFRESH_TOKEN),
                ("CLIENT_ID", "kube"),
                ("CLIENT_SECRET", "CLIENT-SECRET-OF-NOBODY"),
            ],
            &["the refresh token in", "BXNIM0308E"],
        ),
        (
            &[
                ("AUTH_TYPE", "iamAssume"),
                ("APIKEY", KEY),
                ("IAM_PROFILE_ID", "Profile-top"),
            ],
            &[
                "the API key in",
                "as trusted profile Profile-top",
                "must not assume",
            ],
        ),
        (
            &[("AUTH_TYPE", "basic"), ("APIKEY", KEY)],
            &["AUTH_TYPE to \"basic\""],
        ),
        (
            &[("APIKEY", &format!("\"{KEY}\""))],
            &["in quotes or braces"],
        ),
    ] {
        machine.file(FILE, &lines(properties));
        let outcome = machine.get("us.icr.io");
        outcome.is_failure_with(parts);
        outcome.is_failure_with(&[FILE]);
    }
    machine.file(FILE, &lines(&[("APIKEY", KEY)]));
    machine.cloud.accounts().disable_api_key(KEY);
    machine
        .get("us.icr.io")
        .is_failure_with(&["is disabled", FILE]);
    machine.cloud.accounts().revoke_api_key(KEY);
    machine
        .get("us.icr.io")
        .is_failure_with(&["BXNIM0415E", FILE]);
}

#[test]
fn the_files_own_iam_is_asked() {
    let mut machine = machine();
    machine.unset("IBMCLOUD_IAM_API_ENDPOINT");
    let other = Emulator::start().expect("a free port");
    other
        .accounts()
        .add_api_key(KEY, Subject::user("other-cloud"));
    for path in ["", "/identity/token"] {
        let url = format!("{}{path}", other.url());
        machine.file(FILE, &lines(&[("APIKEY", KEY), ("AUTH_URL", &url)]));
        assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-other-cloud");
    }
    machine.file(
        FILE,
        &lines(&[("APIKEY", KEY), ("AUTH_URL", "http://iam.example.com")]),
    );
    machine
        .get("us.icr.io")
        .is_failure_with(&["AUTH_URL", "in clear"]);
}

#[test]
fn the_text_may_come_from_any_editor() {
    let machine = machine();
    for text in [
        format!("\u{feff}CONTAINER_REGISTRY_APIKEY={KEY}\r\n"),
        format!("# ours\r\n\r\n  CONTAINER_REGISTRY_APIKEY = {KEY}  \r\nOTHER_APIKEY=x=y\r\n"),
        format!("nonsense\n=\nCONTAINER_REGISTRY_APIKEY={KEY}"),
    ] {
        machine.file(FILE, &text);
        assert_eq!(
            machine.get("us.icr.io").is_token_of(),
            "IBMid-file",
            "{text:?}"
        );
    }
    for text in ["", "# nothing\n", "OTHER_APIKEY=x\n"] {
        machine.file(FILE, text);
        assert_eq!(
            machine.get("us.icr.io").is_token_of(),
            "IBMid-elsewhere",
            "passed over: {text:?}"
        );
    }
}

#[test]
fn a_repository_does_not_choose_whose_credentials_are_used() {
    let mut machine = machine();
    machine.file("ibm-credentials.env", &lines(&[("APIKEY", KEY)]));
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-elsewhere");
    machine.settings("working-directory-credentials = true\n");
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-file");
    machine.add_api_key("API-KEY-OF-THE-NAMED-FILE", "named");
    let named = machine.file(
        "named.env",
        &lines(&[("APIKEY", "API-KEY-OF-THE-NAMED-FILE")]),
    );
    machine.set("IBM_CREDENTIALS_FILE", named.clone());
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-named");
    fs::remove_file(named).expect("it is ours");
    machine.get("us.icr.io").is_failure_with(&[
        "the IBM credentials file",
        "named.env",
        "cannot be read",
    ]);
}

#[test]
fn what_stands_in_the_place_of_the_file_is_told_in_time() {
    let mut machine = machine();
    let home = machine.file(FILE, "");
    let named = machine.file("named.env", "");
    for (path, variable) in [(&home, false), (&named, true)] {
        if variable {
            machine.set("IBM_CREDENTIALS_FILE", path);
        }
        for obstacle in Obstacle::all() {
            obstacle.put(path);
            let outcome = machine.get("us.icr.io");
            match obstacle {
                Obstacle::Empty => {
                    assert_eq!(
                        outcome.is_token_of(),
                        "IBMid-elsewhere",
                        "it says nothing of us"
                    );
                }
                _ => outcome.is_failure_with(&["the IBM credentials file", "cannot be read"]),
            }
            assert!(outcome.took.as_secs() < 5, "{obstacle:?}: {outcome:?}");
        }
    }
    assert_eq!(machine.cloud.requests(), []);
}

#[test]
fn a_profile_names_its_own_file() {
    let mut machine = machine();
    machine.file("home/team.env", &lines(&[("APIKEY", KEY)]));
    machine
        .cloud
        .accounts()
        .add_profile("Profile-top", &["IBMid-file"]);
    machine.settings(
        "[profile.team]\nsource = \"credentials-file\"\nfile = \"~/team.env\"\n\
         [profile.top]\nsource = \"credentials-file\"\nfile = \"~/team.env\"\ntrusted-profile = \"Profile-top\"\n\
         [profile.none]\nsource = \"credentials-file\"\n\
         [registry.\"us.icr.io\"]\nprofile = \"team\"\n[registry.\"de.icr.io\"]\nprofile = \"top\"\n",
    );
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-file");
    assert_eq!(machine.get("de.icr.io").is_token_of(), "iam-Profile-top");
    machine.set("ICR_PROFILE", "none");
    machine.get("us.icr.io").is_failure_with(&[
        "is 'credentials-file'",
        "CONTAINER_REGISTRY_",
        "IBM_CREDENTIALS_FILE",
    ]);
}
