//! Refresh tokens, which IAM may replace when they are used.

use super::*;

#[test]
fn a_rotated_refresh_token_is_stored() {
    with_each_keychain(|env| {
        let accounts = env.cloud.accounts();
        accounts.add_refresh_token("FIRST-REFRESH-TOKEN", Subject::user("refresher"));
        env.store("us.icr.io", "iamrefresh", "FIRST-REFRESH-TOKEN")
            .is_silent_success();
        for _ in 0..3 {
            assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-refresher");
            env.list().is_list(&[("us.icr.io", "iamrefresh")]);
            env.keys().delete_tokens();
        }
        let used = used_refresh_tokens(&env);
        assert_eq!(used[0], "FIRST-REFRESH-TOKEN");
        assert!(used[0] != used[1] && used[1] != used[2], "{used:?}");
        assert_eq!(used.len(), 3);
    });
}

#[test]
fn a_refresh_token_that_iam_does_not_rotate_is_kept() {
    with_each_keychain(|env| {
        let accounts = env.cloud.accounts();
        accounts.set_refresh_rotation(false);
        accounts.add_refresh_token("LASTING-REFRESH-TOKEN", Subject::user("refresher"));
        env.store("us.icr.io", "iamrefresh", "LASTING-REFRESH-TOKEN")
            .is_silent_success();
        for _ in 0..2 {
            env.get("us.icr.io").is_credential("iambearer");
            env.keys().delete_tokens();
        }
        assert_eq!(used_refresh_tokens(&env), ["LASTING-REFRESH-TOKEN"; 2]);
    });
}

#[test]
fn a_refresh_token_survives_many_processes_that_race_for_it() {
    with_each_keychain(|env| {
        let accounts = env.cloud.accounts();
        accounts.add_refresh_token("RACED-REFRESH-TOKEN", Subject::user("refresher"));
        env.store("us.icr.io", "iamrefresh", "RACED-REFRESH-TOKEN")
            .is_silent_success();
        for round in 1..=3 {
            for outcome in in_parallel(20, |_| env.get("us.icr.io")) {
                assert_eq!(outcome.is_token_of(), "IBMid-refresher");
            }
            assert_eq!(env.cloud.exchanges(), round);
            env.keys().delete_tokens();
        }
    });
}

#[test]
fn a_refresh_token_stored_for_many_hosts_survives_on_all_of_them() {
    with_each_keychain(|env| {
        let accounts = env.cloud.accounts();
        accounts.add_refresh_token("SHARED-REFRESH-TOKEN", Subject::user("refresher"));
        let hosts = ["us.icr.io", "de.icr.io", "uk.icr.io"];
        for host in hosts {
            env.store(host, "iamrefresh", "SHARED-REFRESH-TOKEN")
                .is_silent_success();
        }
        for _ in 0..2 {
            for host in hosts {
                assert_eq!(env.get(host).is_token_of(), "IBMid-refresher", "{host}");
                env.keys().delete_tokens();
            }
        }
        for outcome in in_parallel(12, |index| env.get(hosts[index % 3])) {
            outcome.is_credential("iambearer");
        }
        assert_eq!(env.cloud.exchanges(), 7);
    });
}

#[test]
fn an_expired_refresh_token_is_an_error_with_a_hint() {
    with_each_keychain(|env| {
        let accounts = env.cloud.accounts();
        accounts.add_refresh_token("ENDED-REFRESH-TOKEN", Subject::user("refresher"));
        accounts.expire_refresh_token("ENDED-REFRESH-TOKEN");
        env.store("us.icr.io", "iamrefresh", "ENDED-REFRESH-TOKEN")
            .is_silent_success();
        env.get("us.icr.io").is_client_error(&[
            "the login for us.icr.io",
            "BXNIM0408E",
            "Provided refresh token is expired.",
            "'docker-credential-icr login us.icr.io'",
        ]);
    });
}

/// Returns the refresh tokens that IAM received, which are secrets.
fn used_refresh_tokens(env: &TestEnv) -> Vec<String> {
    let requests = env.cloud.requests().into_iter();
    requests
        .filter_map(|request| request.field("refresh_token").map(str::to_owned))
        .inspect(|token| env.add_secret(token))
        .collect()
}
