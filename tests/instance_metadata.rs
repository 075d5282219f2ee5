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
    let url = machine.cloud.url();
    machine.set("IBMCLOUD_CR_VPC_URL", url);
}

#[test]
fn one_token_serves_all_registries_until_a_refresh_is_due() {
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
fn a_broken_service_is_an_error_within_the_deadline() {
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
