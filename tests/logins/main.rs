//! Stored logins: what `store` accepts, and what `get` returns for it.

#[path = "../support/mod.rs"]
mod support;

mod environment_keys;
mod refresh_tokens;
mod stored_tokens;

use icr_emulator::Subject;
use serde_json::json;

use support::Input;
use support::TestEnv;
use support::in_parallel;
use support::token;
use support::with_each_keychain;

const PROFILE: &str = "Profile-8dd84246-7df4-4667-94e4-8ecde51d5ac5";

/// Sets up a cloud with a credential for every user name. Returns the permanent logins with what `get` returns: a user name, and
/// the owner of the token or the secret itself.
fn all_stored_logins(
    env: &TestEnv,
) -> [(&'static str, &'static str, &'static str, &'static str); 7] {
    let accounts = env.cloud.accounts();
    env.add_api_key("API-KEY-OF-A-PERSON", "person");
    accounts.add_refresh_token("REFRESH-TOKEN-OF-A-PERSON", Subject::user("refresher"));
    accounts.add_api_key("API-KEY-OF-A-SERVICE", Subject::service_id("1"));
    accounts.add_profile(PROFILE, &["iam-ServiceId-1"]);
    [
        (
            "iamapikey",
            "API-KEY-OF-A-PERSON",
            "iambearer",
            "IBMid-person",
        ),
        (
            "iamrefresh",
            "REFRESH-TOKEN-OF-A-PERSON",
            "iambearer",
            "IBMid-refresher",
        ),
        (
            PROFILE,
            "API-KEY-OF-A-SERVICE",
            "iambearer",
            "iam-Profile-8dd84246-7df4-4667-94e4-8ecde51d5ac5",
        ),
        (
            "token",
            "OPAQUE-REGISTRY-TOKEN",
            "token",
            "OPAQUE-REGISTRY-TOKEN",
        ),
        ("cp", "ENTITLEMENT-KEY", "cp", "ENTITLEMENT-KEY"),
        (
            "someone",
            "a \"pass\\word\" with é and 🦀",
            "someone",
            "a \"pass\\word\" with é and 🦀",
        ),
        (
            "IAMAPIKEY",
            "USER-NAMES-ARE-EXACT",
            "IAMAPIKEY",
            "USER-NAMES-ARE-EXACT",
        ),
    ]
}

#[test]
fn every_user_name_gets_the_right_credential() {
    with_each_keychain(|env| {
        for (username, secret, answered, expected) in all_stored_logins(&env) {
            env.store("us.icr.io", username, secret).is_silent_success();
            env.list().is_list(&[("us.icr.io", username)]);
            for _ in 0..2 {
                let outcome = env.get("us.icr.io");
                match answered {
                    "iambearer" => assert_eq!(outcome.is_token_of(), expected),
                    _ => assert_eq!(outcome.is_credential(answered), expected),
                }
            }
        }
        assert_eq!(
            env.cloud.exchanges(),
            4,
            "one each, and two for the profile"
        );
    });
}

#[test]
fn no_secret_is_in_the_log_or_in_a_file_or_in_a_key_description() {
    with_each_keychain(|mut env| {
        env.set("ICR_LOG", "trace");
        for (username, secret, answered, _) in all_stored_logins(&env) {
            env.store("us.icr.io", username, secret).is_silent_success();
            env.get("us.icr.io").is_credential(answered);
            env.keys().delete_tokens();
            env.get("us.icr.io").is_credential(answered);
            let names = env.keys().names().join("\n");
            assert!(names.contains("login:us.icr.io"), "{names}");
            for secret in env.secrets().iter() {
                assert!(!names.contains(secret), "{names}");
            }
        }
        env.set_environment_key();
        let outcome = env.get("us.icr.io");
        outcome.is_credential("iambearer");
        assert!(!outcome.stderr.is_empty(), "the log is on");
        assert!(env.secrets().len() > 7, "answers are secrets, too");
        assert!(env.files_with_secrets().is_empty());
    });
}

#[test]
fn a_stored_access_token_is_returned_until_it_expires() {
    with_each_keychain(|env| {
        let living = token::ending_in(3600);
        env.store("us.icr.io", "iambearer", &living)
            .is_silent_success();
        assert_eq!(env.get("us.icr.io").is_credential("iambearer"), living);
        env.store("us.icr.io", "iambearer", &token::ending_in(9))
            .is_silent_success();
        assert_eq!(env.get("us.icr.io").is_credential("iambearer"), living);
        assert_eq!(env.cloud.exchanges(), 0);
    });
}

/// Lets every stored login with this user name expire.
fn let_logins_expire(env: &TestEnv, username: &str) {
    let expired = token::ending_in(-60);
    env.keys().change_logins(|login| {
        if login["username"] == username {
            login["secret"] = expired.clone().into();
        }
    });
}

#[test]
fn only_get_deletes_an_expired_registry_token() {
    with_each_keychain(|env| {
        let living = token::ending_in(3600);
        env.store("us.icr.io", "token", &living).is_silent_success();
        assert_eq!(env.get("us.icr.io").is_credential("token"), living);
        env.store("us.icr.io", "token", &token::ending_in(-60))
            .is_client_error(&["has expired"]);
        let_logins_expire(&env, "token");
        env.file(
            "home/.docker/config.json",
            r#"{"credHelpers": {"us.icr.io": "icr"}}"#,
        );
        for query in [
            &["status"][..],
            &["status", "--json", "us.icr.io"],
            &["doctor"],
            &["configure", "--dry-run", "--registry", "us.icr.io"],
            &["settings"],
            &["print", "us.icr.io"],
        ] {
            let outcome = env.run(query, Input::Open);
            let left = env.keys().names().join(" ");
            assert!(left.contains("login:us.icr.io"), "{outcome:?} {left}");
        }
        env.get("us.icr.io").is_not_found();
        env.list().is_list(&[]);
        env.get("us.icr.io").is_not_found();
    });
}

#[test]
fn a_source_that_stays_active_after_erase_causes_one_warning_line() {
    with_each_keychain(|mut env| {
        let log_in = |env: &TestEnv, arguments: &[&str]| {
            env.add_api_key("LASTING-API-KEY", "lasting");
            let login = [&["login", "--api-key-stdin"], arguments].concat();
            let outcome = env.run(&login, "LASTING-API-KEY");
            assert_eq!(outcome.status, Some(0), "{outcome:?}");
        };
        let erase = |env: &TestEnv, parts: &[&str]| {
            let asked = env.cloud.requests().len();
            let outcome = env.erase("us.icr.io");
            outcome.is_success_with_warning(parts);
            assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
            assert_eq!(env.cloud.requests().len(), asked);
        };
        log_in(&env, &[]);
        log_in(&env, &["us.icr.io"]);
        for _ in 0..2 {
            erase(
                &env,
                &[
                    "is still active for us.icr.io",
                    "'docker-credential-icr logout'",
                ],
            );
        }
        env.settings("[profile.team]\n[registry.\"us.icr.io\"]\nprofile = \"team\"\n");
        log_in(&env, &["--profile", "team"]);
        erase(
            &env,
            &[
                "is still active for us.icr.io",
                "'docker-credential-icr logout --profile team'",
            ],
        );
        env.settings("");
        env.set_environment_key();
        erase(
            &env,
            &[
                "the API key in $IBMCLOUD_API_KEY",
                "unset $IBMCLOUD_API_KEY",
            ],
        );
        env.unset("IBMCLOUD_API_KEY");
        env.run(&["logout", "--all"], "");
        env.erase("us.icr.io").is_silent_success();
        env.cli_session(&json!({"IAMRefreshToken": "SESSION-OF-THE-CLI"}));
        erase(&env, &["the IBM Cloud CLI's session", "'ibmcloud logout'"]);
    });
}

#[test]
fn logins_are_per_host() {
    with_each_keychain(|env| {
        for (host, key, owner) in [
            ("us.icr.io", "API-KEY-FOR-US", "us"),
            ("de.icr.io", "API-KEY-FOR-DE", "de"),
        ] {
            env.add_api_key(key, owner);
            env.store(host, "iamapikey", key).is_silent_success();
        }
        for _ in 0..2 {
            assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-us");
            assert_eq!(env.get("de.icr.io").is_token_of(), "IBMid-de");
            env.get("uk.icr.io").is_not_found();
            env.get("private.us.icr.io").is_not_found();
        }
        env.list()
            .is_list(&[("de.icr.io", "iamapikey"), ("us.icr.io", "iamapikey")]);
        env.erase("us.icr.io").is_silent_success();
        env.get("us.icr.io").is_not_found();
        assert_eq!(env.get("de.icr.io").is_token_of(), "IBMid-de");
    });
}

#[test]
fn a_profile_that_cannot_be_assumed_is_an_error() {
    with_each_keychain(|env| {
        let accounts = env.cloud.accounts();
        accounts.add_api_key("API-KEY-OF-A-STRANGER", Subject::service_id("2"));
        accounts.add_profile(PROFILE, &["iam-ServiceId-1"]);
        env.store("us.icr.io", PROFILE, "API-KEY-OF-A-STRANGER")
            .is_silent_success();
        env.get("us.icr.io")
            .is_client_error(&[PROFILE, "us.icr.io", "must not assume"]);
        assert_eq!(env.cloud.exchanges(), 2);
    });
}

#[test]
fn erase_deletes_a_login_with_its_token() {
    with_each_keychain(|env| {
        for (username, secret, answered, _) in all_stored_logins(&env) {
            env.store("us.icr.io", username, secret).is_silent_success();
            env.get("us.icr.io").is_credential(answered);
            // `docker logout` calls `erase` twice.
            for _ in 0..2 {
                env.erase("https://us.icr.io").is_silent_success();
            }
            env.get("us.icr.io").is_not_found();
            env.list().is_list(&[]);
            // The fact that nothing is stored is cached for a minute.
            let left = env.keys().names();
            assert!(
                left.iter().all(|name| name.starts_with("hint:")),
                "{left:?}"
            );
        }
    });
}

#[test]
fn a_new_login_takes_effect_immediately() {
    with_each_keychain(|env| {
        env.add_api_key("API-KEY-OF-THE-FIRST", "first");
        env.add_api_key("API-KEY-OF-THE-SECOND", "second");
        for _ in 0..2 {
            env.store("us.icr.io", "iamapikey", "API-KEY-OF-THE-FIRST")
                .is_silent_success();
            assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-first");
            env.store("us.icr.io", "iamapikey", "API-KEY-OF-THE-SECOND")
                .is_silent_success();
            assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-second");
            env.store("us.icr.io", "someone", "a-plain-password")
                .is_silent_success();
            assert_eq!(
                env.get("us.icr.io").is_credential("someone"),
                "a-plain-password"
            );
        }
    });
}

/// A new login must not show the cached failure of the old one.
#[test]
fn storing_a_login_again_clears_its_cached_failure() {
    with_each_keychain(|env| {
        env.add_secret("API-KEY-NOT-YET-KNOWN");
        env.store("us.icr.io", "iamapikey", "API-KEY-NOT-YET-KNOWN")
            .is_silent_success();
        env.get("us.icr.io").is_client_error(&["BXNIM0415E"]);
        env.add_api_key("API-KEY-NOT-YET-KNOWN", "known");
        env.store("us.icr.io", "iamapikey", "API-KEY-NOT-YET-KNOWN")
            .is_silent_success();
        assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-known");
    });
}

#[test]
fn an_identity_token_is_rejected() {
    with_each_keychain(|env| {
        let outcome = env.store("us.icr.io", "<token>", "some-identity-token");
        outcome.is_client_error(&["<token>", "us.icr.io", "docker login -u iamapikey"]);
        env.list().is_list(&[]);
    });
}

#[test]
fn without_a_keychain_storing_a_login_is_an_error_with_a_hint() {
    let mut env = TestEnv::new();
    let outcome = env.store("us.icr.io", "iamapikey", "some-api-key");
    outcome.is_client_error(&["us.icr.io", "ICR_KEYCHAIN"]);
    env.get("us.icr.io").is_not_found();
    env.erase("us.icr.io").is_silent_success();
    env.list().is_list(&[]);
    env.set("ICR_KEYCHAIN", "vault");
    env.get("us.icr.io")
        .is_client_error(&["$ICR_KEYCHAIN", "vault", "kernel"]);
    env.get("docker.io").is_not_found();
}

#[test]
fn a_namespace_has_logins_of_its_own() {
    with_each_keychain(|mut env| {
        env.store("us.icr.io", "someone", "a-plain-password")
            .is_silent_success();
        let other = format!("x{}", std::process::id());
        env.set("ICR_NAMESPACE", other);
        env.get("us.icr.io").is_not_found();
        env.list().is_list(&[]);
    });
}

/// `cp` has a meaning only for the entitled registry.
#[test]
fn an_entitlement_key_is_used_only_for_the_entitled_registry() {
    with_each_keychain(|env| {
        let request =
            json!({"ServerURL": "cp.icr.io", "Username": "cp", "Secret": "ENTITLEMENT-KEY"});
        env.add_secret("ENTITLEMENT-KEY");
        env.run(&["store"], &*request.to_string())
            .is_silent_success();
        assert_eq!(env.get("cp.icr.io").is_credential("cp"), "ENTITLEMENT-KEY");
        env.get("icr.io").is_not_found();
        env.get("cp.stg.icr.io").is_not_found();
    });
}
