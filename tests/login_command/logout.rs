//! What `logout` deletes, and the warnings about sources that stay active.

use super::*;

#[test]
fn logout_all_deletes_all_logins_and_tokens() {
    let Some(mut env) = env_with_session() else {
        return;
    };
    env.unset("ICR_SOURCE");
    env.get("us.icr.io").is_token_of();
    assert!(
        env.keys().names().len() >= 2,
        "a token, and what replaced the session's"
    );
    env.run(&["logout", "--all"], Input::Open);
    assert_eq!(env.keys().names(), [""; 0]);
}

#[test]
fn a_logout_deletes_tokens_and_may_be_repeated() {
    let Some(env) = test_env() else { return };
    answer(&log_in(&env, KEY, &[]), &[]);
    answer_with_warning(&log_in(&env, OTHER_KEY, &["us.icr.io"]), &[]);
    for host in ["us.icr.io", "de.icr.io"] {
        env.get(host).is_token_of();
    }
    let outcome = env.run(&["logout", "us.icr.io"], "");
    outcome.has(&outcome.stdout, &["Deleted", "us.icr.io"]);
    answer_with_warning(&outcome, &["is still active for us.icr.io"]);
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
    let outcome = env.run(&["logout", "us.icr.io"], "");
    answer(
        &outcome,
        &[
            "No login is stored for us.icr.io",
            "Still stored: the default login",
            "--all",
        ],
    );
    answer(&env.run(&["logout"], ""), &["Deleted the default login"]);
    answer(&env.run(&["logout"], ""), &["No default login is stored"]);
    env.get("us.icr.io").is_not_found();
    let names = env.keys().names().join(" ");
    assert!(
        !names.contains("token:") && !names.contains("login:"),
        "{names}"
    );
    env.run(&["logout", "ghcr.io"], "")
        .is_user_error(&["ghcr.io"]);
    env.run(&["logout", "--all", "us.icr.io"], "")
        .is_usage_error(&["--all"]);
}

#[test]
fn a_logout_of_all_deletes_every_kind_of_login() {
    let Some(env) = test_env() else { return };
    env.settings(TWO_TEAMS);
    for arguments in [&[][..], &["uk.icr.io"], &["--profile", "team-a"]] {
        let outcome = log_in(&env, KEY, arguments);
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
    }
    env.store("de.icr.io", "token", "a-registry-token")
        .is_silent_success();
    let outcome = env.run(&["logout", "--all"], "");
    answer(
        &outcome,
        &[
            "default login",
            "uk.icr.io",
            "profile 'team-a'",
            "de.icr.io",
        ],
    );
    answer(&env.run(&["logout", "--all"], ""), &["No login is stored"]);
    let names = env.keys().names().join(" ");
    assert!(
        !names.contains("token:") && !names.contains("login:"),
        "{names}"
    );
}

#[test]
fn a_logout_warns_of_sources_that_stay_active() {
    let Some(mut env) = test_env() else { return };
    env.set("IBMCLOUD_API_KEY", OTHER_KEY);
    for scopes in [&[][..], &["us.icr.io", "de.icr.io"]] {
        log_in(&env, KEY, scopes);
        let logout = env.run(&[&["logout"], scopes].concat(), "");
        let name = if scopes.is_empty() {
            "all registries"
        } else {
            "de.icr.io and us.icr.io"
        };
        let text = format!("warning: the API key in $IBMCLOUD_API_KEY is still active for {name}.");
        answer_with_warning(&logout, &[&text, "unset $IBMCLOUD_API_KEY"]);
        assert_eq!(logout.stderr.lines().count(), 1, "{logout:?}");
    }
    log_in(&env, KEY, &[]);
    log_in(&env, KEY, &["us.icr.io"]);
    let logout = env.run(&["logout", "--all", "--json"], "");
    let warnings = as_json(&logout)["warnings"].clone();
    assert_eq!(warnings.as_array().map(Vec::len), Some(1), "{warnings}");
    for arguments in [
        &["logout"][..],
        &["logout", "--all"],
        &["logout", "us.icr.io"],
    ] {
        let logout = env.run(arguments, "");
        answer_with_warning(
            &logout,
            &["the API key in $IBMCLOUD_API_KEY is still active"],
        );
    }
    env.unset("IBMCLOUD_API_KEY");
    log_in(&env, KEY, &[]);
    answer(&env.run(&["logout"], ""), &["Deleted"]);
}

#[test]
fn a_login_is_deleted_although_the_settings_are_broken() {
    let Some(mut env) = TestEnv::with_keychain() else {
        return;
    };
    env.settings("registries = [\"eu9.icr.io\"]\nnamespace = \"work\"\n");
    for host in ["us.icr.io", "de.icr.io", "eu9.icr.io", "jp.icr.io"] {
        env.store(host, "iamapikey", "a-stored-api-key")
            .is_silent_success();
    }
    env.settings("registries = [\"eu9.icr.io\"]\nnamespace = \"work\"\nregistrys = 1\n");
    for host in ["us.icr.io", "eu9.icr.io"] {
        let erased = env.erase(host);
        assert_eq!(erased.status, Some(0), "{erased:?}");
        for part in ["warning: the settings were ignored", "registrys"] {
            assert!(erased.stderr.contains(part), "{erased:?}");
        }
    }
    env.run(&["logout", "--all", "--revoke", "--yes"], "")
        .is_user_error(&["registrys"]);
    env.set("ICR_PROFILE", "team-a");
    env.run(&["logout"], "").is_user_error(&["registrys"]);
    env.unset("ICR_PROFILE");
    for (argument, deleted) in [("de.icr.io", "de.icr.io"), ("--all", "jp.icr.io")] {
        let outcome = env.run(&["logout", argument], "");
        outcome.has(&outcome.stdout, &["Deleted the login for", deleted]);
        answer_with_warning(&outcome, &["settings were ignored", "line 3, column 1"]);
    }
    env.settings("namespace = \"work\"\n");
    env.list().is_list(&[]);
    env.settings("namespace = \"a:b\"\n");
    env.run(&["logout", "--all"], "")
        .is_user_error(&["namespace"]);
}
