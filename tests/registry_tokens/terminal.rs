//! Secrets at a terminal.

use super::*;
use crate::support::screen::dialog;

#[test]
fn a_token_is_shown_on_a_terminal_only_with_reveal() {
    let machine = RegistryMachine::new();
    let host = machine.host();
    let at_terminal = |arguments: &[&str]| {
        let arguments = [&["token"], arguments, &["--registry", &host]].concat();
        let mut session = dialog(&machine.env, &arguments);
        session.exp_eof().expect("an end")
    };
    for arguments in [
        &["add"][..],
        &["add", "--json"],
        &["add", "--quiet"],
        &["get", "x"],
    ] {
        let shown = at_terminal(arguments);
        assert!(shown.contains("error: this would show a secret"), "{shown}");
        assert!(shown.contains("or add --reveal"), "{shown}");
    }
    let tokens = || machine.env.cloud.accounts().registry_tokens();
    assert_eq!(tokens().len(), 0, "none was created");
    let shown = at_terminal(&["add", "--reveal"]);
    assert!(shown.contains("Token identifier"), "{shown}");
    let token = tokens().remove(0);
    let shown = at_terminal(&["get", &token.id, "--reveal"]);
    assert!(shown.contains("eyJ"), "{shown}");
}

#[test]
fn a_token_that_is_stored_needs_no_reveal() {
    let Some(machine) = RegistryMachine::with_keychain() else {
        return;
    };
    let host = machine.host();
    let mut session = dialog(
        &machine.env,
        &["token", "add", "--login", "--registry", &host],
    );
    let shown = session.exp_eof().expect("an end");
    assert!(shown.contains("Logged in to"), "{shown}");
    assert!(!shown.contains("eyJ"), "{shown}");
}
