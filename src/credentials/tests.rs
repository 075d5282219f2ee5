use std::rc::Rc;
use std::time::Duration;

use super::test_support::TestMachine;
use super::test_support::registry;
use super::*;
use crate::keychain::KeychainError;
use crate::keychain::native_tests;
use crate::login::Login;
use crate::secret::Secret;

#[test]
fn a_fresh_token_is_found_without_the_durable_keychain_and_without_iam() {
    let machine = TestMachine::with_login("iamapikey", "key");
    machine.assert_get("us.icr.io", "iambearer:access-1");
    let calls = machine.durable.calls();
    machine.clock.advance(Duration::from_secs(1799));
    machine.assert_get("us.icr.io", "iambearer:access-1");
    assert_eq!(machine.durable.calls(), calls, "a hit is local");
    machine.clock.advance(Duration::from_secs(1));
    assert_eq!(
        machine.get("us.icr.io").as_deref(),
        Ok("iambearer:access-2"),
        "its refresh is due"
    );
}

#[test]
fn all_regions_share_the_token_of_one_identity() {
    let machine = TestMachine::with_environment(&[("IC_API_KEY", "key")]);
    for region in crate::registry::REGIONS {
        for host in [region.host, region.private_host] {
            machine.assert_get(host, "iambearer:access-1");
        }
    }
    assert_eq!(machine.request_count(), 1);
    assert_eq!(
        machine.get("stg.icr.io").as_deref(),
        Ok("iambearer:access-2"),
        "staging has an IAM of its own"
    );
    let asked = machine.iam.requests.borrow();
    assert_eq!(
        asked[1].url,
        "https://iam.test.cloud.ibm.com/identity/token"
    );
}

#[test]
fn no_hint_is_written_about_a_login_that_another_process_changes() {
    let machine = TestMachine::new();
    let scopes = [
        LoginScope::Registry(registry("us.icr.io")),
        LoginScope::Default,
    ];
    let look = || {
        machine.with_broker(|broker| {
            let context = broker.source_context(&registry("us.icr.io"));
            let at_once = Deadline::after(&*machine.clock, Duration::ZERO);
            let found = broker.find_and_write_hints(&registry("us.icr.io"), &context, at_once);
            assert!(found.unwrap().resolved.is_none());
            scopes
                .each_ref()
                .map(|scope| context.tokens.login_hint(scope).is_some())
        })
    };
    let changing = machine
        .locks
        .lock_login(&LoginScope::Default.item_name(), Duration::ZERO);
    assert_eq!(look(), [true, false]);
    drop(changing);
    assert_eq!(look(), [true, true]);
}

#[test]
fn a_locked_keychain_does_not_cost_a_token_that_still_works() {
    let machine = TestMachine::with_login("iamapikey", "key");
    machine.get("us.icr.io").unwrap();
    machine
        .durable
        .fail_with(Some(KeychainError::Locked("durable")));
    machine.clock.advance(Duration::from_secs(2000));
    machine.assert_get("us.icr.io", "iambearer:access-1");
    let failure = machine.get("de.icr.io").unwrap_err().to_string();
    assert!(
        failure.contains("locked"),
        "a locked keychain is not an empty one: {failure}"
    );
}

#[test]
fn the_environment_comes_before_a_stored_login() {
    let machine = TestMachine::with_environment(&[("IBMCLOUD_API_KEY", "key")]);
    machine.store("us.icr.io", "alice", "password").unwrap();
    machine.assert_get("us.icr.io", "iambearer:access-1");
}

#[test]
fn a_get_uses_the_new_key_if_the_key_is_rotated_meanwhile() {
    let machine = TestMachine::with_login("iamapikey", "old");
    *machine.iam.rejected_secret.borrow_mut() = Some(Secret::new("old"));
    assert!(
        machine.get("us.icr.io").is_err(),
        "no other key replaced it"
    );

    let machine = TestMachine::with_login("iamapikey", "old");
    *machine.iam.rejected_secret.borrow_mut() = Some(Secret::new("old"));
    let durable = Rc::clone(&machine.durable);
    let rotate = move || {
        let scope = LoginScope::Registry(registry("us.icr.io"));
        let credential = CredentialKind::ApiKey.with(Secret::new("new"));
        let logins = Logins::in_keychain(&*durable);
        logins.write(&scope, &Login::new(credential)).unwrap();
    };
    *machine.iam.on_request.borrow_mut() = Some(Box::new(rotate));
    machine.assert_get("us.icr.io", "iambearer:access-2");
}

/// The calls are those of the test's own thread, so one from another thread would be missed.
#[test]
fn a_hot_get_on_windows_reads_one_credential_lists_none_and_starts_nothing() {
    for (service, variables, reads) in [
        ("hot.environment", &[("IC_API_KEY", "key")][..], 1),
        ("hot.login", &[], 2),
    ] {
        let mut machine = TestMachine::with_environment(variables);
        machine.keychains = native_tests::keychains(service);
        machine.background_refresh.is_possible.set(true);
        if variables.is_empty() {
            machine.store("us.icr.io", "iamapikey", "key").unwrap();
        }
        machine.assert_get("us.icr.io", "iambearer:access-1");
        native_tests::take_calls();
        machine.assert_get("us.icr.io", "iambearer:access-1");
        let calls = native_tests::take_calls();
        assert_eq!(calls, vec!["CredRead"; reads], "{service}");
        let requests = machine.request_count();
        assert_eq!((requests, machine.background_refresh.started.get()), (1, 0));
    }
}
