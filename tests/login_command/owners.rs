//! Whose login is stored, and what happens when another identity logs in.

use super::*;

#[test]
fn the_owner_is_known_immediately_and_after_the_token_expires() {
    let Some(env) = env_with_lasting_session() else {
        return;
    };
    let me = |has_token| (Value::from("IBMid-me"), has_token);
    let profile = Profile::new("Profile-1").trusting(&["IBMid-me"]);
    env.cloud.accounts().add_trusted_profile(profile);
    answer(&log_in(&env, KEY, &["us.icr.io", "de.icr.io"]), &[]);
    let session = ["login", "uk.icr.io", "--from-ibmcloud"];
    answer(&env.run(&session, Input::Open), &["This session expires"]);
    log_in_with_created_key(&env, &["jp.icr.io"]);
    let hosts = ["us.icr.io", "de.icr.io", "uk.icr.io", "jp.icr.io"];
    let exchanges = env.cloud.exchanges();
    for host in hosts {
        assert_eq!(status_of(&env, host), me(true), "{host}");
        assert_eq!(env.get(host).is_token_of(), "IBMid-me");
    }
    assert_eq!(env.cloud.exchanges(), exchanges, "the first get is hot");
    env.keys().delete_tokens();
    for host in hosts {
        assert_eq!(status_of(&env, host), me(false), "{host}");
    }
    env.get("uk.icr.io").is_token_of();
    env.keys().delete_tokens();
    assert_eq!(status_of(&env, "uk.icr.io"), me(false), "rotated");

    answer(&env.run(&["login", "--rotate", "jp.icr.io"], ""), &[]);
    let exchanges = env.cloud.exchanges();
    assert_eq!(status_of(&env, "jp.icr.io"), me(true));
    assert_eq!(env.get("jp.icr.io").is_token_of(), "IBMid-me");
    assert_eq!(env.cloud.exchanges(), exchanges);

    let assumed = ["au.icr.io", "--profile-id", "Profile-1"];
    answer(&log_in(&env, KEY, &assumed), &["iam-Profile-1"]);
    for has_token in [true, false] {
        let theirs = (Value::from("iam-Profile-1"), has_token);
        assert_eq!(status_of(&env, "au.icr.io"), theirs);
        env.keys().delete_tokens();
    }
    let listed = env.keys().names().join(" ");
    assert!(
        !listed.contains("IBMid") && !listed.contains('@'),
        "{listed}"
    );
}

#[test]
fn owner_and_key_stay_with_their_login() {
    let Some(env) = env_with_lasting_session() else {
        return;
    };
    let unknown = (Value::Null, false);
    log_in_with_created_key(&env, &["us.icr.io"]);
    env.keys().delete_tokens();
    let text =
        "[profile.x]\ntrusted-profile = \"Profile-2\"\n[registry.\"us.icr.io\"]\nprofile = \"x\"";
    let settings = env.settings(text);
    assert_eq!(status_of(&env, "us.icr.io"), unknown, "another identity");
    fs::remove_file(settings).expect("the test may change it");

    answer(&log_in(&env, KEY, &["de.icr.io"]), &[]);
    env.keys().delete_tokens();
    // A client that stores the same key again does not know its owner.
    env.store("de.icr.io", "iamapikey", KEY).is_silent_success();
    let me = (Value::from("IBMid-me"), false);
    assert_eq!(status_of(&env, "de.icr.io"), me);
    env.store("de.icr.io", "iamapikey", OTHER_KEY)
        .is_silent_success();
    assert_eq!(status_of(&env, "de.icr.io"), unknown);

    // As stored by an older version.
    env.keys().change_logins(|login| {
        let fields = login.as_object_mut().expect("an object");
        fields.remove("owner");
    });
    assert_eq!(status_of(&env, "us.icr.io"), unknown);
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
    env.keys().delete_tokens();
    answer(&env.run(&["login", "--rotate", "us.icr.io"], ""), &[]);
    let me = (Value::from("IBMid-me"), true);
    assert_eq!(status_of(&env, "us.icr.io"), me);
}

#[test]
fn a_login_of_a_newer_version_is_not_overwritten() {
    let Some(env) = test_env() else { return };
    answer(&log_in(&env, KEY, &["us.icr.io"]), &[]);
    env.keys().change_logins(|login| login["v"] = 2.into());
    let hosts = ["de.icr.io", "us.icr.io"];
    let parts = [
        "us.icr.io",
        "newer version",
        "docker-credential-icr logout us.icr.io",
    ];
    log_in(&env, OTHER_KEY, &hosts).is_user_error(&parts);
    env.get("us.icr.io").is_client_error(&parts);
    env.get("de.icr.io").is_not_found();
    answer(&env.run(&["logout", "us.icr.io"], ""), &["Deleted"]);
    answer(&log_in(&env, OTHER_KEY, &hosts), &[]);
}

#[test]
fn in_a_pipe_replacing_the_login_of_another_account_causes_a_warning() {
    let Some(env) = test_env() else { return };
    answer(&log_in(&env, KEY, &[]), &[]);
    answer(&log_in(&env, KEY, &[]), &[]);
    for (key, new) in [(OTHER_KEY, "IBMid-other"), (KEY, "IBMid-me")] {
        let outcome = log_in(&env, key, &["--json"]);
        answer_with_warning(&outcome, &["warning: the default login of user", new]);
        let warnings = as_json(&outcome)["warnings"].clone();
        assert_eq!(warnings.as_array().map(Vec::len), Some(1), "{warnings}");
        assert_eq!(env.get("us.icr.io").is_token_of(), new);
    }
    // The owner of a client's login is in its token.
    env.store("us.icr.io", "iamapikey", OTHER_KEY)
        .is_silent_success();
    env.get("us.icr.io").is_token_of();
    let outcome = log_in(&env, KEY, &["us.icr.io"]);
    answer_with_warning(&outcome, &["the login for us.icr.io of user"]);
}
