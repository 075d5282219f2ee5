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
use crate::support::Machine;

#[test]
fn a_rejection_at_the_last_get_is_a_problem_until_a_get_succeeds() {
    let Some(mut machine) = Machine::with_keychain() else {
        return;
    };
    machine.set_environment_key();
    machine.set("COLUMNS", "1000");
    machine.cloud.accounts().revoke_api_key(ENVIRONMENT_KEY);
    machine
        .get("us.icr.io")
        .is_failure_with(&["BXNIM0415E", "Set a new key"]);
    machine.keys().age_tokens(300);
    let asked = machine.cloud.requests().len();
    let outcome = status(&machine, &["us.icr.io"]);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    for part in [
        "failed 5 min ago",
        "\nproblem: us.icr.io: cannot get a token with the API key in $IBMCLOUD_API_KEY: IAM rejected it (BXNIM0415E): Provided API key could not be found\n         fix: Set a new key in $IBMCLOUD_API_KEY, or unset the variable",
    ] {
        assert!(outcome.stdout.contains(part), "{part}: {outcome:?}");
    }
    let outcome = status(&machine, &["us.icr.io", "--json"]);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    let shown: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let error = &shown["registries"][0]["last_error"];
    assert_eq!(error["kind"], "rejection", "{shown:#}");
    let fix = error["fix"].as_str().unwrap();
    assert!(fix.starts_with("Set a new key in $IBMCLOUD_API_KEY"));
    assert_eq!(
        machine.cloud.requests().len(),
        asked,
        "no requests were sent"
    );
    machine.add_api_key(ENVIRONMENT_KEY, "environment");
    machine.get("us.icr.io").is_credential("iambearer");
    assert!(!answer(&machine, &["us.icr.io"]).contains("failed"));
}

#[test]
fn an_outage_at_the_last_get_is_a_warning() {
    let Some(mut machine) = Machine::with_keychain() else {
        return;
    };
    machine.set_environment_key();
    machine.set("COLUMNS", "1000");
    machine
        .cloud
        .always(Some(Fault::StatusWithRetryAfter(503, "3600".into())));
    machine.get("us.icr.io").is_failure_with(&["HTTP 503"]);
    machine.keys().age_tokens(600);
    let shown = answer(&machine, &["us.icr.io"]);
    for part in [
        "failed 10 min ago",
        "\nwarning: us.icr.io: cannot get a token with the API key in $IBMCLOUD_API_KEY: IAM is unavailable (HTTP 503) (since ",
        " UTC, last 10 min ago)",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    machine.keys().age_tokens(3000);
    assert!(
        answer(&machine, &["us.icr.io"]).contains("not cached"),
        "an hour ago"
    );
}

#[test]
fn a_key_that_expires_soon_is_a_warning_with_the_command_that_replaces_it() {
    let Some(machine) = Machine::with_keychain() else {
        return;
    };
    let (days, now) = (24 * 60 * 60, support::unix_now());
    let login = |expires: &str| {
        // Each is good for one exchange.
        let token = format!("REFRESH-TOKEN-OF-THE-CLI-{expires}");
        machine.plant(&token);
        let accounts = machine.cloud.accounts();
        accounts.add_refresh_token(&token, Subject::user("person"));
        let session = json!({"IAMEndpoint": machine.cloud.url(), "IAMRefreshToken": token});
        machine.file("cli/config.json", &session.to_string());
        let way = ["login", "de.icr.io", "--from-ibmcloud", "--create-api-key"];
        let mut command = machine.command(&way);
        command
            .args(["--expires", expires])
            .env("IBMCLOUD_CONFIG_HOME", machine.path("cli"));
        machine.start_as(command, Input::Open).finish()
    };
    std::fs::create_dir_all(machine.path("cli")).unwrap();
    let outcome = login("30");
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert!(!answer(&machine, &[]).contains("warning"));
    let outcome = login("13");
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let text = answer(&machine, &[]);
    assert!(
        text.contains("warning: the API key of the login for de.icr.io expires in 12 days"),
        "{text}"
    );
    assert!(
        text.contains("\n         fix: docker-credential-icr login --rotate de.icr.io\n"),
        "{text}"
    );
    let row = json_of(&machine, &["de.icr.io"]);
    let end = row["registries"][0]["api_key_expires_at"].as_i64().unwrap();
    assert!((12 * days..=13 * days).contains(&(end - now)), "{row}");
    assert_eq!(row["warnings"].as_array().unwrap().len(), 1);
}

#[test]
fn a_clients_file_that_cannot_be_read_is_a_warning() {
    let mut machine = Machine::new();
    let path = machine.file("home/.docker/config.json", "{ no JSON");
    machine.set("DOCKER_CONFIG", machine.path("home/.docker"));
    let text = answer(&machine, &[]);
    let warning = format!(
        "warning: cannot read {}: it is not valid JSON: key must be a string at line 1 column 3\n         fix: docker-credential-icr doctor\n",
        path.display()
    );
    assert_eq!(text.matches(&warning).count(), 1, "{text}");
    let warnings = json_of(&machine, &[])["warnings"].take();
    assert_eq!(warnings.as_array().map(Vec::len), Some(1), "{warnings}");
    machine.file("home/.docker/config.json", "null");
    assert!(answer(&machine, &[]).contains("config.json: it is `null`"));
}
