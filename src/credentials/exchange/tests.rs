use std::rc::Rc;

use super::super::test_support::START;
use super::super::test_support::TestMachine;
use super::super::test_support::form_fields;
use super::super::test_support::registry;
use super::*;
use crate::http::transport::Authorization;
use crate::iam::grant::Client;
use crate::keychain::KeychainError;
use crate::lock::LockDirectory;
use crate::login::LoginScope;
use crate::login::Logins;

/// Creates a machine with a token of this age in seconds, while IAM is unavailable.
fn machine_during_outage(age: u64) -> TestMachine {
    let machine = TestMachine::with_login("iamapikey", "key");
    machine.get("us.icr.io").unwrap();
    machine.fail_iam_with(503);
    machine.clock.now.set(START + age);
    machine
}

fn let_each_request_take(machine: &TestMachine, time: Duration) {
    let clock = Rc::clone(&machine.clock);
    let waiting = move || clock.advance(time);
    *machine.iam.on_request.borrow_mut() = Some(Box::new(waiting));
}

#[test]
fn during_an_outage_the_old_token_is_used_until_its_last_minute() {
    let machine = machine_during_outage(3539);
    machine.assert_get("us.icr.io", "iambearer:access-1");
    machine.clock.now.set(START + 3540);
    assert!(matches!(
        machine.get("us.icr.io"),
        Err(error) if error.is_temporary()
    ));
}

#[test]
fn an_old_token_does_not_hide_a_rejected_login() {
    let machine = TestMachine::with_login("iamapikey", "key");
    machine.get("us.icr.io").unwrap();
    machine.fail_iam_with(400);
    machine.clock.advance(Duration::from_secs(1800));
    assert!(matches!(
        machine.get("us.icr.io"),
        Err(error) if error.needs_user_action()
    ));
}

#[test]
fn a_failure_is_cached_for_seconds_and_deleted_by_a_new_login() {
    let machine = TestMachine::with_login("iamapikey", "key");
    machine.fail_iam_with(400);
    let first = machine.get("us.icr.io").unwrap_err();
    assert_eq!(machine.get("us.icr.io"), Err(first), "the same text again");
    assert_eq!(machine.request_count(), 1);
    *machine.iam.status.borrow_mut() = None;
    machine.store("us.icr.io", "iamapikey", "key").unwrap();
    machine.assert_get("us.icr.io", "iambearer:access-2");
}

#[test]
fn a_rotated_refresh_token_replaces_the_stored_one_everywhere() {
    let machine = TestMachine::with_login("iamrefresh", "first");
    machine.store("de.icr.io", "iamrefresh", "first").unwrap();
    machine.store("uk.icr.io", "iamrefresh", "another").unwrap();
    for (host, token) in [
        ("us.icr.io", "access-1"),
        ("de.icr.io", "access-1"),
        ("uk.icr.io", "access-2"),
    ] {
        assert_eq!(machine.get(host), Ok(format!("iambearer:{token}")));
    }
    machine.clock.advance(Duration::from_secs(2000));
    machine.get("de.icr.io").unwrap();
    let asked = machine.iam.requests.borrow();
    let sent: Vec<&str> = asked
        .iter()
        .map(|request| form_fields(request)[2].1)
        .collect();
    assert_eq!(sent, ["first", "another", "refresh-1"]);
    assert!(asked.iter().all(|request| request.authorization
        == Authorization::Basic {
            username: Client::cli().id,
            password: Client::cli().secret,
        }));
}

#[test]
fn a_profile_is_assumed_with_the_service_ids_token() {
    let machine = TestMachine::with_login("Profile-1", "key");
    machine.assert_get("us.icr.io", "iambearer:access-2");
    let asked = machine.iam.requests.borrow();
    assert_eq!(
        form_fields(&asked[1]),
        [
            ("grant_type", "urn:ibm:params:oauth:grant-type:assume"),
            ("access_token", "access-1"),
            ("profile_id", "Profile-1"),
        ]
    );
}

#[test]
fn without_locks_a_token_due_for_refresh_is_replaced_all_the_same() {
    let mut machine = TestMachine::with_login("iamapikey", "key");
    machine.locks = LockDirectory::at(None);
    machine.get("us.icr.io").unwrap();
    machine.clock.advance(Duration::from_secs(1800));
    machine.assert_get("us.icr.io", "iambearer:access-2");
}

#[test]
fn during_an_outage_a_get_with_a_token_does_not_wait() {
    let machine = machine_during_outage(1800);
    let (asked, elapsed) = (machine.request_count(), machine.clock.elapsed.get());
    for _ in 0..26 {
        machine.assert_get("us.icr.io", "iambearer:access-1");
    }
    assert_eq!(
        machine.request_count() - asked,
        26,
        "each sends one request"
    );
    assert_eq!(machine.clock.elapsed.get(), elapsed, "without a pause");
    *machine.iam.status.borrow_mut() = None;
    assert_ne!(
        machine.get("us.icr.io").as_deref(),
        Ok("iambearer:access-1")
    );
}

#[test]
fn after_a_slow_failure_other_processes_do_not_wait() {
    let machine = machine_during_outage(1800);
    let_each_request_take(&machine, SLOW_EXCHANGE);
    machine.get("us.icr.io").unwrap();
    let asked = machine.request_count();
    machine.get("us.icr.io").unwrap();
    assert_eq!(machine.request_count(), asked);
}

#[test]
fn a_new_refresh_token_is_cached_while_the_keychain_cannot_be_written() {
    let machine = TestMachine::with_login("iamrefresh", "first");
    let durable = Rc::clone(&machine.durable);
    let lock = move || durable.fail_with(Some(KeychainError::Locked("durable")));
    *machine.iam.on_request.borrow_mut() = Some(Box::new(lock));
    machine.assert_get("us.icr.io", "iambearer:access-1");
    let cache = Logins::in_keychain(&*machine.keychains.tokens);
    let login = cache
        .read(&LoginScope::Registry(registry("us.icr.io")))
        .unwrap()
        .unwrap();
    assert_eq!(login.secret.expose(), "refresh-1");
}

#[test]
fn with_a_token_that_still_works_an_attempt_is_short_and_others_do_not_wait() {
    let machine = machine_during_outage(3400);
    let_each_request_take(&machine, BRIEF_TIMEOUT);
    let asked = machine.request_count();
    machine.assert_get("us.icr.io", "iambearer:access-1");
    let timeouts: Vec<Duration> = machine.iam.requests.borrow()[asked..]
        .iter()
        .map(|request| request.timeout)
        .collect();
    assert_eq!(timeouts, [BRIEF_TIMEOUT]);
    machine.assert_get("us.icr.io", "iambearer:access-1");
    assert_eq!(machine.request_count(), asked + 1);
}
