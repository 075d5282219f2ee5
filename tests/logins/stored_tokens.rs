//! Access tokens that clients store, often those that `get` has just answered.

use super::*;

/// Clients store the credential that `get` returned, even if the registry rejected it.
#[test]
fn storing_the_own_access_token_never_replaces_a_lasting_login() {
    with_each_keychain(|env| {
        for (username, secret, answered, expected) in all_stored_logins(&env) {
            env.store("us.icr.io", username, secret).is_silent_success();
            let fresh = env.get("us.icr.io").is_credential(answered);
            // Another token of the same identity is treated like the own one.
            let mut echoes = vec![(answered, fresh)];
            if answered == "iambearer" {
                env.keys().delete_tokens();
                env.get("us.icr.io").is_credential(answered);
                echoes.push(echoes[0].clone());
            }
            for (username, echo) in echoes {
                env.store("us.icr.io", username, &echo).is_silent_success();
            }
            env.list().is_list(&[("us.icr.io", username)]);
            env.keys().delete_tokens();
            let outcome = env.get("us.icr.io");
            match answered {
                "iambearer" => assert_eq!(outcome.is_token_of(), expected),
                _ => assert_eq!(outcome.is_credential(answered), expected),
            }
        }
    });
}

#[test]
fn an_access_token_of_another_identity_replaces_a_lasting_login() {
    with_each_keychain(|env| {
        let foreign = env.access_token_of("elsewhere");
        for (username, secret, answered, _) in all_stored_logins(&env) {
            env.store("us.icr.io", username, secret).is_silent_success();
            env.get("us.icr.io").is_credential(answered);
            env.store("us.icr.io", "iambearer", &foreign)
                .is_success_with_warning(&[
                    "warning: this token replaces the login for us.icr.io",
                    "When it expires",
                    "'docker-credential-icr login us.icr.io'",
                ]);
            assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-elsewhere");
            env.erase("us.icr.io").is_silent_success();
        }
    });
}

#[test]
fn an_access_token_of_another_identity_takes_precedence_over_the_default_login() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    env.add_api_key("LASTING-API-KEY", "lasting");
    let login = env.run(&["login", "--api-key-stdin"], "LASTING-API-KEY");
    assert_eq!(login.status, Some(0), "{login:?}");
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-lasting");
    let foreign = env.access_token_of("elsewhere");
    let stored = env.store("us.icr.io", "iambearer", &foreign);
    stored.is_success_with_warning(&[
        "this token takes precedence for us.icr.io until it expires",
        "'docker-credential-icr logout us.icr.io'",
    ]);
    assert_eq!(stored.stderr.lines().count(), 1, "{stored:?}");
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-elsewhere");
    assert_eq!(env.get("de.icr.io").is_token_of(), "IBMid-lasting");
    let_logins_expire(&env, "iambearer");
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-lasting");
    // A token that is not IAM's is stored as well.
    env.store("us.icr.io", "iambearer", "opaque-access-token")
        .is_success_with_warning(&["until it expires"]);
    env.get("us.icr.io").is_credential("iambearer");
}

/// `docker login -u iambearer` while a variable takes precedence.
#[test]
fn storing_a_login_that_is_not_used_causes_a_warning() {
    with_each_keychain(|mut env| {
        env.set_environment_key();
        let fresh = env.get("us.icr.io").is_credential("iambearer");
        env.store("us.icr.io", "iambearer", &fresh)
            .is_silent_success();
        env.store("us.icr.io", "iambearer", &token::ending_in(-60))
            .is_client_error(&["the token has expired"]);
        env.list().is_list(&[]);
        env.add_api_key("GOOD-API-KEY", "good");
        let foreign = env.access_token_of("elsewhere");
        for (username, secret) in [("iambearer", &*foreign), ("iamapikey", "GOOD-API-KEY")] {
            let stored = env.store("us.icr.io", username, secret);
            stored.is_success_with_warning(&[
                "warning: the login was stored, but the API key in $IBMCLOUD_API_KEY takes precedence",
                "unset $IBMCLOUD_API_KEY",
            ]);
            assert_eq!(stored.stderr.lines().count(), 1, "{stored:?}");
            assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-environment");
        }
        env.unset("IBMCLOUD_API_KEY");
        assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-good");
        let text = "[profile.team]\n[registry.\"us.icr.io\"]\nprofile = \"team\"\n";
        env.settings(text);
        env.add_api_key("API-KEY-OF-THE-TEAM", "team");
        let login = ["login", "--api-key-stdin", "--profile", "team"];
        let outcome = env.run(&login, "API-KEY-OF-THE-TEAM");
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        env.store("us.icr.io", "iamapikey", "GOOD-API-KEY")
            .is_success_with_warning(&[
                "takes precedence for us.icr.io",
                "'docker-credential-icr logout --profile team'",
            ]);
    });
}

/// Without a keychain, the program cannot recognize its own tokens.
#[test]
fn without_a_keychain_storing_the_own_token_succeeds() {
    let mut env = TestEnv::with_environment_key();
    let fresh = env.get("us.icr.io").is_credential("iambearer");
    env.store("us.icr.io", "iambearer", &fresh)
        .is_success_with_warning(&[
            "the token was not stored",
            "the API key in $IBMCLOUD_API_KEY stays active for us.icr.io",
        ]);
    env.unset("IBMCLOUD_API_KEY");
    env.store("us.icr.io", "iambearer", &fresh)
        .is_client_error(&["ICR_KEYCHAIN"]);
}
