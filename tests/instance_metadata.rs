//! How long does a token of the metadata service serve, and what if the service is broken? What it answers is tested by
//! `tests/cases/sources`.

mod support;

use std::time::Duration;

use icr_emulator::Fault;
use icr_emulator::MetadataApi;
use icr_emulator::Service;

use support::Machine;

/// Makes the machine's cloud its metadata service as well.
fn add_metadata_service(machine: &mut Machine) {
    let accounts = machine.cloud.accounts();
    accounts.enable_metadata(&[MetadataApi::Identity]);
    accounts.link_default_profile("Profile-default");
    accounts.link_profile("Profile-linked");
    accounts.add_profile("Profile-stranger", &[]);
    machine
}

/// The variable that leads to each API, and the paths that are asked.
const APIS: [(MetadataApi, &str, &[&str]); 3] = [
    (
        MetadataApi::Identity,
        "IBMCLOUD_CR_VPC_URL",
        &["/identity/v1/token", "/identity/v1/iam_tokens"],
    ),
    (
        MetadataApi::InstanceIdentity,
        "IBMCLOUD_CR_VPC_URL",
        &[
            "/identity/v1/token",
            "/instance_identity/v1/token",
            "/instance_identity/v1/iam_token",
        ],
    ),
    (
        MetadataApi::PowerVs,
        "IBMCLOUD_CR_PVS_URL",
        &["/identity/v1/token", "/identity/v1/iam_tokens"],
    ),
];

#[test]
fn each_api_gives_the_linked_profile_by_default_by_id_or_by_crn() {
    for (api, variable, paths) in APIS {
        let mut machine = machine(&[api]);
        let url = machine.cloud.url();
        machine.set(variable, url);
        assert_eq!(
            machine.get("us.icr.io").is_token_of(),
            "iam-Profile-default"
        );
        let requests = machine.cloud.requests();
        let asked: Vec<&str> = requests
            .iter()
            .map(|request| request.path.as_str())
            .collect();
        assert_eq!(asked, paths, "{api:?}");
        assert!(
            requests
                .iter()
                .all(|request| request.header("metadata-flavor") == Some("ibm"))
        );
        for name in ["Profile-linked", &Profile::new("Profile-linked").crn()] {
            machine.set("IBMCLOUD_CR_PROFILE", name);
            assert_eq!(machine.get("us.icr.io").is_token_of(), "iam-Profile-linked");
        }
        machine.unset("IBMCLOUD_CR_PROFILE");
        machine.settings("[profile.p]\ntrusted-profile = \"Profile-linked\"\n");
        machine.set("ICR_PROFILE", "p");
        assert_eq!(machine.get("us.icr.io").is_token_of(), "iam-Profile-linked");
    }
}

#[test]
fn a_rejection_by_the_service_is_shown() {
    for (api, variable, _) in APIS {
        let mut machine = machine(&[api]);
        let url = machine.cloud.url();
        machine.set(variable, url.clone());
        machine.set("IBMCLOUD_CR_PROFILE", "Profile-stranger");
        let service = format!("the instance metadata service at {url} rejected it");
        machine.get("us.icr.io").is_failure_with(&[
            &service,
            "trusted profile Profile-stranger",
            "profile_not_linked",
            "Link the trusted profile",
        ]);
        machine.set("IBMCLOUD_CR_PROFILE", "a name of it");
        machine
            .get("us.icr.io")
            .is_failure_with(&["takes the ID (Profile-…) or the CRN", "'a name of it'"]);
        machine.unset("IBMCLOUD_CR_PROFILE");
        machine.cloud.accounts().unlink_profile("Profile-default");
        machine
            .get("us.icr.io")
            .is_failure_with(&[&service, "trusted profile ID was not passed"]);
        machine.cloud.accounts().disable_metadata();
        machine.get("us.icr.io").is_failure_with(&[
            &service,
            "unauthorized",
            "Enable the metadata service",
        ]);
    }
}

#[test]
fn the_service_is_used_only_if_selected() {
    let machine = machine(&MetadataApi::ALL);
    let outcome = machine.get("us.icr.io");
    outcome.is_not_found();
    assert!(
        outcome.took < Duration::from_secs(2),
        "nobody waited: {outcome:?}"
    );
    assert_eq!(machine.cloud.requests(), []);
}

#[test]
fn a_token_is_used_until_its_refresh_is_due() {
    let Some(mut machine) = Machine::with_keychain() else {
        return;
    };
    add_metadata_service(&mut machine);
    for host in ["us.icr.io", "de.icr.io", "us.icr.io"] {
        assert_eq!(machine.get(host).is_token_of(), "iam-Profile-default");
    }
    assert_eq!(machine.cloud.metadata_exchanges(), 1);
    machine.keys().age_tokens(3599);
    assert_eq!(
        machine.get("us.icr.io").is_token_of(),
        "iam-Profile-default"
    );
    assert_eq!(machine.cloud.metadata_exchanges(), 2);
}

#[test]
fn only_the_machines_own_service_may_be_unencrypted() {
    for variable in ["IBMCLOUD_CR_VPC_URL", "IBMCLOUD_CR_PVS_URL"] {
        for url in [
            "http://metadata.example.com",
            "http://169.254.169.254.example.com",
            "http://10.0.0.1",
            "ftp://169.254.169.254",
            "169.254.169.254",
            "http://user:hunter2-hunter2@169.254.169.254",
            "https://metadata.example.com/?x=y",
        ] {
            let mut machine = machine(&[]);
            machine.plant("hunter2-hunter2");
            machine.set(variable, url);
            let outcome = machine.get("us.icr.io");
            outcome.is_failure_with(&[&format!("${variable} ")]);
            assert!(outcome.took < Duration::from_secs(2), "{outcome:?}");
        }
    }
}

#[test]
fn an_outage_of_the_service_is_shown_within_the_deadline() {
    for fault in [
        Fault::Html,
        Fault::Empty,
        Fault::Garbage,
        Fault::CloseEarly,
        Fault::Redirect("http://127.0.0.1:9/".into()),
    ] {
        let mut machine = Machine::new();
        add_metadata_service(&mut machine);
        machine
            .cloud
            .always_for(Service::Metadata, Some(fault.clone()));
        let outcome = machine.get("us.icr.io");
        outcome.is_failure_with(&[&machine.cloud.url()]);
        assert!(
            outcome.took < Duration::from_secs(20),
            "{fault:?}: {outcome:?}"
        );
    }
}

#[test]
fn the_reason_for_an_unreachable_service_is_shown() {
    let mut machine = machine(&[]);
    // Nobody listens at the port of discarded things, on loopback.
    machine.set("IBMCLOUD_CR_VPC_URL", "http://127.0.0.1:9");
    let outcome = machine.get("us.icr.io");
    outcome.is_failure_with(&["may not be a VPC virtual server instance"]);
    assert!(outcome.took < Duration::from_secs(20), "{outcome:?}");
}
