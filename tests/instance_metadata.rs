//! How long tokens of the metadata service are used, and errors of the service. `tests/cases/sources` tests its answers.

mod support;

use std::time::Duration;

use icr_emulator::Fault;
use icr_emulator::MetadataApi;
use icr_emulator::Service;

use support::TestEnv;

/// Uses the emulated cloud as the machine's metadata service, too.
fn add_metadata_service(env: &mut TestEnv) {
    let accounts = env.cloud.accounts();
    accounts.enable_metadata(&[MetadataApi::Identity]);
    accounts.link_default_profile("Profile-default");
    let url = env.cloud.url();
    env.set("IBMCLOUD_CR_VPC_URL", url);
}

#[test]
fn one_token_serves_all_registries_until_a_refresh_is_due() {
    let Some(mut env) = TestEnv::with_keychain() else {
        return;
    };
    add_metadata_service(&mut env);
    for host in ["us.icr.io", "de.icr.io", "us.icr.io"] {
        assert_eq!(env.get(host).is_token_of(), "iam-Profile-default");
    }
    assert_eq!(env.cloud.metadata_exchanges(), 1);
    env.keys().age_tokens(3599);
    assert_eq!(env.get("us.icr.io").is_token_of(), "iam-Profile-default");
    assert_eq!(env.cloud.metadata_exchanges(), 2);
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
        let mut env = TestEnv::new();
        add_metadata_service(&mut env);
        env.cloud.always_for(Service::Metadata, Some(fault.clone()));
        let outcome = env.get("us.icr.io");
        outcome.is_client_error(&[&env.cloud.url()]);
        assert!(
            outcome.took < Duration::from_secs(20),
            "{fault:?}: {outcome:?}"
        );
    }
}
