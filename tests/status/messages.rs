//! The problems, warnings and notes below the table.

use icr_emulator::Fault;
use icr_emulator::Subject;
use serde_json::Value;
use serde_json::json;

use crate::answer;
use crate::json_of;
use crate::status;
use crate::support;
use crate::support::ENVIRONMENT_KEY;
use crate::support::Input;
use crate::support::TestEnv;

#[test]
fn a_rejection_at_the_last_get_is_a_problem_until_a_get_succeeds() {
    let Some(mut env) = TestEnv::with_keychain() else {
        return;
    };
    env.set_environment_key();
    env.set("COLUMNS", "1000");
    env.cloud.accounts().revoke_api_key(ENVIRONMENT_KEY);
    env.get("us.icr.io")
        .is_client_error(&["BXNIM0415E", "Set a new key"]);
    env.keys().age_tokens(300);
    let asked = env.cloud.requests().len();
    let outcome = status(&env, &["us.icr.io"]);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    for part in [
        "failed 5 min ago",
        "\nproblem: us.icr.io: cannot get a token with the API key in $IBMCLOUD_API_KEY: IAM rejected it (BXNIM0415E): Provided API key could not be found\n         fix: Set a new key in $IBMCLOUD_API_KEY, or unset the variable",
    ] {
        assert!(outcome.stdout.contains(part), "{part}: {outcome:?}");
    }
    let outcome = status(&env, &["us.icr.io", "--json"]);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    let shown: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let error = &shown["registries"][0]["last_error"];
    assert_eq!(error["kind"], "rejection", "{shown:#}");
    let fix = error["fix"].as_str().unwrap();
    assert!(fix.starts_with("Set a new key in $IBMCLOUD_API_KEY"));
    assert_eq!(env.cloud.requests().len(), asked, "no requests were sent");
    env.add_api_key(ENVIRONMENT_KEY, "environment");
    env.get("us.icr.io").is_credential("iambearer");
    assert!(!answer(&env, &["us.icr.io"]).contains("failed"));
}

#[test]
fn an_outage_at_the_last_get_is_a_warning() {
    let Some(mut env) = TestEnv::with_keychain() else {
        return;
    };
    env.set_environment_key();
    env.set("COLUMNS", "1000");
    env.cloud
        .always(Some(Fault::StatusWithRetryAfter(503, "3600".into())));
    env.get("us.icr.io").is_client_error(&["HTTP 503"]);
    env.keys().age_tokens(600);
    let shown = answer(&env, &["us.icr.io"]);
    for part in [
        "failed 10 min ago",
        "\nwarning: us.icr.io: cannot get a token with the API key in $IBMCLOUD_API_KEY: IAM is unavailable (HTTP 503) (since ",
        " UTC, last 10 min ago)",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    env.keys().age_tokens(3000);
    assert!(
        answer(&env, &["us.icr.io"]).contains("not cached"),
        "an hour ago"
    );
}

#[test]
fn a_key_that_expires_soon_is_a_warning_with_the_command_that_replaces_it() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    let (days, now) = (24 * 60 * 60, support::unix_now());
    let login = |expires: &str| {
        // Each works for one exchange.
        let token = format!("REFRESH-TOKEN-OF-THE-CLI-{expires}");
        env.add_secret(&token);
        let accounts = env.cloud.accounts();
        accounts.add_refresh_token(&token, Subject::user("person"));
        let session = json!({"IAMEndpoint": env.cloud.url(), "IAMRefreshToken": token});
        env.file("cli/config.json", &session.to_string());
        let way = ["login", "de.icr.io", "--from-ibmcloud", "--create-api-key"];
        let mut command = env.command(&way);
        command
            .args(["--expires", expires])
            .env("IBMCLOUD_CONFIG_HOME", env.path("cli"));
        env.start_as(command, Input::Open).finish()
    };
    std::fs::create_dir_all(env.path("cli")).unwrap();
    let outcome = login("30");
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert!(!answer(&env, &[]).contains("warning"));
    let outcome = login("13");
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let text = answer(&env, &[]);
    assert!(
        text.contains("warning: the API key of the login for de.icr.io expires in 12 days"),
        "{text}"
    );
    assert!(
        text.contains("\n         fix: docker-credential-icr login --rotate de.icr.io\n"),
        "{text}"
    );
    let row = json_of(&env, &["de.icr.io"]);
    let end = row["registries"][0]["api_key_expires_at"].as_i64().unwrap();
    assert!((12 * days..=13 * days).contains(&(end - now)), "{row}");
    assert_eq!(row["warnings"].as_array().unwrap().len(), 1);
}

#[test]
fn a_clients_file_that_cannot_be_read_is_a_warning() {
    let mut env = TestEnv::new();
    let path = env.file("home/.docker/config.json", "{ no JSON");
    env.set("DOCKER_CONFIG", env.path("home/.docker"));
    let text = answer(&env, &[]);
    let warning = format!(
        "warning: cannot read {}: it is not valid JSON (line 1, column 3: not a name in double quotes)\n         fix: docker-credential-icr doctor\n",
        path.display()
    );
    assert_eq!(text.matches(&warning).count(), 1, "{text}");
    let warnings = json_of(&env, &[])["warnings"].take();
    assert_eq!(warnings.as_array().map(Vec::len), Some(1), "{warnings}");
    assert!(!text.contains("no client uses"), "{text}");
    let unread = format!(
        "No client's file that can be read names this helper. Cannot read {}.",
        path.display()
    );
    env.set("COLUMNS", "1000");
    assert!(answer(&env, &[]).contains(&unread), "{text}");
    env.file("home/.docker/config.json", "null");
    assert!(answer(&env, &[]).contains("config.json: it is `null`"));
    env.set_environment_key();
    let text = answer(&env, &["us.icr.io"]);
    assert!(text.contains(" unknown\n"), "{text}");
}

#[test]
fn the_source_of_a_virtual_server_is_not_where_its_tokens_are_from() {
    let mut env = TestEnv::new();
    env.set("COLUMNS", "1000");
    let accounts = env.cloud.accounts();
    accounts.enable_metadata(&[icr_emulator::MetadataApi::Identity]);
    accounts.link_default_profile("Profile-default");
    let url = env.cloud.url();
    env.set("IBMCLOUD_CR_VPC_URL", url);
    let text = answer(&env, &["--long", "us.icr.io"]);
    assert_eq!(text.matches("this machine").count(), 1, "{text}");
    assert!(text.contains(" metadata service\n"), "{text}");
}

#[test]
fn a_key_that_no_client_looks_up_is_a_warning_and_not_a_client() {
    let mut env = TestEnv::new();
    env.set("COLUMNS", "1000");
    std::fs::create_dir(env.path("home/.docker")).unwrap();
    env.file(
        "home/.docker/config.json",
        r#"{"credHelpers": {"https://us.icr.io": "icr", "de.icr.io": "icr"}}"#,
    );
    let shown = json_of(&env, &[]);
    let clients = |index: usize| &shown["registries"][index]["clients"];
    assert_eq!(clients(0), &json!(["docker"]), "{shown:#}");
    assert_eq!(clients(1), &json!([]), "{shown:#}");
    let text = answer(&env, &[]);
    assert!(
        text.contains("'https://us.icr.io', which clients never look up: the key has to be 'us.icr.io'\n         fix: docker-credential-icr doctor"),
        "{text}"
    );
}
