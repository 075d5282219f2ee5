//! Sources that change, or that are used at the same time. `tests/cases/sources` tests which source comes first.

mod support;

use std::io::BufRead as _;
use std::io::BufReader;
use std::net::TcpListener;

use icr_emulator::Subject;
use serde_json::json;

use support::TestEnv;
use support::in_parallel;
use support::token;
use support::with_each_keychain;

const KEY: &str = "API-KEY-OF-THE-FILE";
const REFRESH_TOKEN: &str = "REFRESH-TOKEN-OF-A-PERSON";

/// Puts an API key of `IBMid-file` into the credentials file.
fn add_credentials_file(env: &TestEnv) {
    env.add_api_key(KEY, "file");
    let line = format!("CONTAINER_REGISTRY_APIKEY={KEY}\n");
    env.file("home/ibm-credentials.env", &line);
}

#[test]
fn the_token_of_a_removed_source_is_not_returned() {
    with_each_keychain(|mut env| {
        add_credentials_file(&env);
        env.add_refresh_token(REFRESH_TOKEN, "session");
        env.cli_session(&json!({"IAMRefreshToken": REFRESH_TOKEN}));
        for (owner, arguments) in [
            ("default", &["login", "--api-key-stdin"][..]),
            ("registry", &["login", "--api-key-stdin", "us.icr.io"]),
        ] {
            let key = format!("API-KEY-OF-THE-LOGIN-{owner}");
            env.add_api_key(&key, owner);
            assert_eq!(env.run(arguments, key.as_str()).status, Some(0));
        }
        env.set_environment_key();
        let is_from = |env: &TestEnv, owner: &str| {
            for _ in 0..2 {
                assert_eq!(env.get("us.icr.io").is_token_of(), owner);
            }
        };
        is_from(&env, "IBMid-environment");
        env.unset("IBMCLOUD_API_KEY");
        is_from(&env, "IBMid-registry");
        assert_eq!(env.erase("us.icr.io").status, Some(0));
        is_from(&env, "IBMid-default");
        assert_eq!(env.run(&["logout"], "").status, Some(0));
        is_from(&env, "IBMid-file");
        env.file("home/ibm-credentials.env", "");
        is_from(&env, "IBMid-session");
        env.cli_session(&json!({}));
        env.get("us.icr.io").is_not_found();
    });
}

#[test]
fn two_accounts_at_the_same_time_get_one_token_each() {
    with_each_keychain(|env| {
        let mut settings = String::new();
        for (key, owner, host) in [
            ("API-KEY-OF-ACCOUNT-A", "a", "us.icr.io"),
            ("API-KEY-OF-ACCOUNT-B", "b", "de.icr.io"),
        ] {
            env.add_secret(key);
            let subject = Subject::user_of(owner, &format!("account-{owner}"));
            env.cloud.accounts().add_api_key(key, subject);
            let line = format!("CONTAINER_REGISTRY_APIKEY={key}\n");
            env.file(&format!("home/{owner}.env"), &line);
            settings += &format!(
                "[profile.{owner}]\nsource = \"credentials-file\"\nfile = \"~/{owner}.env\"\n\
                 [registry.\"{host}\"]\nprofile = \"{owner}\"\n"
            );
        }
        env.settings(&settings);
        let hosts = ["us.icr.io", "de.icr.io"];
        let secrets = in_parallel(8, |index| {
            env.get(hosts[index % 2]).is_credential("iambearer")
        });
        for (index, secret) in secrets.iter().enumerate() {
            let expected = ["account-a", "account-b"][index % 2];
            assert_eq!(token::claims(secret)["account"]["bss"], expected);
        }
        assert_eq!(env.cloud.exchanges(), 2);
    });
}

/// A client that logs in stores what it got.
#[test]
fn storing_the_answer_of_get_changes_nothing() {
    with_each_keychain(|mut env| {
        add_credentials_file(&env);
        env.add_refresh_token(REFRESH_TOKEN, "session");
        env.cli_session(&json!({"IAMRefreshToken": REFRESH_TOKEN}));
        let accounts = env.cloud.accounts();
        accounts.add_profile("Profile-top", &["IBMid-file"]);
        let bearer = token::ending_in(3600);
        env.add_secret(&bearer);
        for (source, kind, more) in [
            ("credentials-file", "iambearer", ""),
            (
                "credentials-file",
                "iambearer",
                "trusted-profile = \"Profile-top\"\n",
            ),
            ("credentials-file", "iamrefresh", ""),
            ("credentials-file", "iamapikey", ""),
            ("ibmcloud", "iambearer", ""),
            ("ibmcloud", "iamrefresh", ""),
            ("environment", "iambearer", ""),
        ] {
            env.settings(&format!(
                "[profile.p]\nsource = \"{source}\"\ncredential = \"{kind}\"\n{more}"
            ));
            env.set("ICR_PROFILE", "p");
            env.set("IC_IAM_TOKEN", &bearer);
            let secret = env.get("us.icr.io").is_credential(kind);
            let exchanges = env.cloud.exchanges();
            env.store("us.icr.io", kind, &secret).is_silent_success();
            env.list().is_list(&[]);
            assert_eq!(env.get("us.icr.io").is_credential(kind), secret);
            assert_eq!(env.cloud.exchanges(), exchanges);
        }
    });
}

#[test]
fn a_refresh_token_that_iam_rotates_is_replaced() {
    let Some(mut env) = TestEnv::with_keychain() else {
        return;
    };
    env.add_refresh_token(REFRESH_TOKEN, "person");
    env.set("IBMCLOUD_IAM_REFRESH_TOKEN", REFRESH_TOKEN);
    for count in 1..=3 {
        assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-person");
        assert_eq!(env.get("de.icr.io").is_token_of(), "IBMid-person");
        assert_eq!(env.cloud.exchanges(), count, "one for both");
        env.keys().age_tokens(3599);
    }
}

#[test]
fn private_endpoints_of_iam_are_used_if_the_settings_select_them() {
    let mut env = TestEnv::with_environment_key();
    env.unset("IBMCLOUD_IAM_API_ENDPOINT");
    env.settings(
        "[profile.inside]\nprivate-endpoints = true\n\
         [registry.\"us.icr.io\"]\nprofile = \"inside\"\n[registry.\"stg.icr.io\"]\nprofile = \"inside\"\n",
    );
    for (host, iam) in [
        ("us.icr.io", "private.iam.cloud.ibm.com"),
        ("stg.icr.io", "iam.test.cloud.ibm.com"),
        ("de.icr.io", "iam.cloud.ibm.com"),
    ] {
        // A proxy that only reads where it is to connect to.
        let proxy = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = proxy.local_addr().expect("the program reads input");
        env.set("HTTPS_PROXY", format!("http://{address}"));
        let running = env.start(&["get"], host);
        let (client, _) = proxy.accept().expect("a connection");
        let mut line = String::new();
        BufReader::new(client)
            .read_line(&mut line)
            .expect("a request");
        running.kill();
        assert_eq!(line.trim_end(), format!("CONNECT {iam}:443 HTTP/1.1"));
    }
}
