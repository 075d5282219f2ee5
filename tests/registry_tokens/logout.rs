//! Registry tokens that `logout` deletes.

use super::*;

#[test]
fn a_logout_deletes_its_tokens_in_the_registry() {
    let Some(machine) = logged_in_with_a_key() else {
        return;
    };
    let (host, other) = (machine.host(), machine.other_host());
    machine.env.add_api_key("API-KEY-OF-ANOTHER", "another");
    machine
        .env
        .store(&other, "iamapikey", "API-KEY-OF-ANOTHER")
        .is_silent_success();
    machine.choose_registry_tokens();
    stdout_of(&machine.token("add", &["--description", "foreign"]));
    let count = |host: &str| {
        let tokens = machine.tokens().into_iter();
        tokens.filter(|token| token.host == host).count()
    };
    let run = |arguments: &[&str]| machine.env.run(arguments, Input::Open);
    for _ in 0..2 {
        machine.env.get(&host).is_credential("token");
        machine.env.get(&other).is_credential("token");
        machine.env.keys().delete_tokens();
    }
    machine.env.get(&host).is_credential("token");
    machine.env.get(&other).is_credential("token");
    assert_eq!((count(&host), count(&other)), (4, 3));
    stdout_of(&run(&["logout", &host]));
    assert_eq!((count(&host), count(&other)), (1, 3));
    assert_eq!(machine.tokens()[0].description, "foreign");
    let asked = machine.registry_requests().len();
    stdout_of(&run(&["logout", &host]));
    assert_eq!(
        machine.registry_requests().len(),
        asked,
        "no request is needed"
    );
    stdout_of(&run(&["logout", "--all"]));
    assert_eq!((count(&host), count(&other)), (1, 0));
}

/// All tokens of a login are deleted with it, wherever else the login is stored.
#[test]
fn a_logout_deletes_tokens_of_the_same_login_in_other_registries() {
    let Some(mut machine) = logged_in_with_a_key() else {
        return;
    };
    let (host, other) = (machine.host(), machine.other_host());
    machine
        .env
        .store(&other, "iamapikey", ENVIRONMENT_KEY)
        .is_silent_success();
    // For all registries, of which two have been used.
    machine.settings("");
    machine.env.set("ICR_SOURCE", "registry-token");
    machine.env.get(&host).is_credential("token");
    machine.env.get(&other).is_credential("token");
    stdout_of(&machine.env.run(&["logout", &host], Input::Open));
    assert!(machine.tokens().is_empty());
    machine.env.get(&other).is_credential("token");
    assert_eq!(machine.tokens().len(), 1, "and it makes a new one");
}

#[test]
fn a_logout_does_not_depend_on_the_registry() {
    let Some(machine) = logged_in_with_a_key() else {
        return;
    };
    let host = machine.host();
    machine.choose_registry_tokens();
    machine.env.get(&host).is_credential("token");
    let silent = Some(Fault::Delay(Duration::from_secs(30)));
    machine
        .env
        .cloud
        .always_for(Service::RegistryTokens, silent);
    let outcome = machine.env.run(&["logout", &host], Input::Open);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let warning = ["warning: registry tokens", &host, "within a day"];
    outcome.has(&outcome.stderr, &warning);
    assert!(outcome.took < Duration::from_secs(10), "{outcome:?}");
    machine.env.get(&host).is_not_found();
}

#[test]
fn a_logout_of_all_deletes_tokens_created_with_an_environment_key() {
    let Some(machine) = RegistryMachine::with_keychain() else {
        return;
    };
    machine.choose_registry_tokens();
    machine.env.get(&machine.host()).is_credential("token");
    let run = |arguments: &[&str]| machine.env.run(arguments, Input::Open);
    let succeeds = |arguments: &[&str]| {
        let outcome = run(arguments);
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        outcome.has(&outcome.stderr, &["$IBMCLOUD_API_KEY is still active"]);
    };
    succeeds(&["logout"]);
    assert_eq!(machine.tokens().len(), 1, "the foreign token still exists");
    succeeds(&["logout", "--all"]);
    assert!(machine.tokens().is_empty());
}
