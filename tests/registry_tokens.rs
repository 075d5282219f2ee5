//! Registry tokens: the `token` command, and registry tokens as credentials of `get`.

mod support;

use std::time::Duration;

use icr_emulator::Fault;
use icr_emulator::RegistryToken;
use icr_emulator::Service;
use icr_emulator::Subject;
use serde_json::Value;
use serde_json::json;

use support::ENVIRONMENT_KEY;
use support::Input;
use support::Outcome;
#[cfg(unix)]
use support::Screen;
use support::TestEnv;
use support::in_parallel;
use support::wait_until;

const DAY: i64 = 24 * 60 * 60;

/// A machine with an API key in the environment, whose cloud is also a registry.
struct Lab {
    env: TestEnv,
}

impl Lab {
    fn new() -> Self {
        Self::on(TestEnv::new())
    }

    fn with_keychain() -> Option<Self> {
        TestEnv::with_keychain().map(Self::on)
    }

    fn on(env: TestEnv) -> Self {
        let mut env = env.with_registry();
        env.set_environment_key();
        let lab = Self { env };
        lab.settings("");
        lab
    }

    /// Writes a settings file with the cloud's registries and this text.
    fn settings(&self, further: &str) {
        let (one, other) = (self.host(), self.other_host());
        let settings = format!("registries = [\"{one}\", \"{other}\"]\n{further}\n");
        self.env.settings(&settings);
    }

    /// Chooses registry tokens for all registries.
    fn choose_registry_tokens(&self) {
        let (one, other) = (self.host(), self.other_host());
        self.settings(&format!(
            "[profile.old]\nsource = \"registry-token\"\n[registry.\"{one}\"]\nprofile = \"old\"\n[registry.\"{other}\"]\nprofile = \"old\""
        ));
    }

    fn host(&self) -> String {
        self.env.registries()[0].clone()
    }

    fn other_host(&self) -> String {
        self.env.registries()[1].clone()
    }

    /// Runs `token ACTION --registry HOST …`.
    fn token(&self, task: &str, further: &[&str]) -> Outcome {
        let host = self.host();
        let mut arguments = vec!["token", task, "--registry", &host];
        arguments.extend(further);
        self.env.run(&arguments, Input::Open)
    }

    fn tokens(&self) -> Vec<RegistryToken> {
        self.env.cloud.accounts().registry_tokens()
    }

    /// Returns the requests to the registry, as method and path.
    fn asked(&self) -> Vec<(String, String)> {
        let requests = self.env.cloud.requests().into_iter();
        requests
            .filter(|request| request.path.starts_with("/api/"))
            .map(|request| (request.method, request.path))
            .collect()
    }
}

#[track_caller]
fn says(outcome: &Outcome) -> &str {
    assert_eq!((outcome.status, &*outcome.stderr), (Some(0), ""));
    outcome.stdout.trim_end()
}

fn now() -> i64 {
    let end = support::token::claims(&support::token::ending_in(0))["exp"].as_i64();
    end.expect("a time")
}

#[test]
fn a_token_is_read_only_and_valid_for_a_day_by_default() {
    let lab = Lab::new();
    let outcome = lab.token("add", &["--description", "for ci & me"]);
    let token = lab.tokens().remove(0);
    assert_eq!(
        says(&outcome),
        format!(
            "Token identifier   {}\nToken              {}",
            token.id, token.value
        )
    );
    assert_eq!(token.description, "for ci & me");
    assert!(!token.may_write);
    let left = i64::try_from(token.expires_at.expect("an end")).expect("a time") - now();
    assert!((DAY - 60..=DAY).contains(&left), "{left}");
    let outcome = lab.token("add", &["--non-expiring", "--readwrite", "--quiet"]);
    let token = lab.tokens().remove(1);
    assert_eq!(says(&outcome), token.value);
    assert!(token.may_write && token.expires_at.is_none());
    let sent = lab.env.cloud.requests();
    let request = sent
        .iter()
        .find(|request| request.path == "/api/v1/tokens")
        .expect("a request");
    assert_eq!(request.header("account"), Some("account-1"));
    assert_eq!(request.header("refreshtoken"), None);
    let authorization = request.header("authorization").expect("a token");
    assert!(authorization.starts_with("Bearer ey"), "{authorization}");
}

#[test]
fn tokens_are_listed_without_secrets_printed_and_deleted() {
    let lab = Lab::new();
    assert!(says(&lab.token("list", &[])).starts_with("No tokens"));
    for (description, flag) in [
        ("lasting", "--non-expiring"),
        ("pushing", "--readwrite"),
        ("ended", "--quiet"),
        ("revoked", "--quiet"),
    ] {
        says(&lab.token("add", &["--description", description, flag]));
    }
    let tokens = lab.tokens();
    lab.env
        .cloud
        .accounts()
        .expire_registry_token(&tokens[2].id);
    lab.env
        .cloud
        .accounts()
        .revoke_registry_token(&tokens[3].id);
    for token in &tokens {
        lab.env.add_secret(&token.value);
    }
    let table = lab.token("list", &[]);
    let lines: Vec<&str> = says(&table).lines().collect();
    assert_eq!(lines.len(), 5, "{table:?}");
    for (line, parts) in lines.iter().zip([
        ["IDENTIFIER", "ACCESS", "EXPIRES"],
        [&tokens[0].id, "read-only", "never"],
        [&tokens[1].id, "read-write", " UTC  "],
        [&tokens[2].id, "read-only", " UTC (expired)"],
        [&tokens[3].id, "read-only", " UTC (revoked)"],
    ]) {
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
    }
    let listed: Value = serde_json::from_str(says(&lab.token("list", &["--json"]))).expect("JSON");
    assert_eq!(listed["registry"], lab.host());
    assert_eq!(
        listed["tokens"][0],
        json!({"id": tokens[0].id, "access": "read-only", "expires_at": null, "status": "valid",
            "description": "lasting"})
    );
    assert_eq!(listed["tokens"][2]["status"], "expired");
    assert_eq!(listed["tokens"][3]["status"], "revoked");
    lab.env.secrets().clear();
    assert_eq!(says(&lab.token("get", &[&tokens[1].id])), tokens[1].value);
    let removed = lab.token("rm", &[&tokens[0].id, &tokens[2].id]);
    let expected = format!("Deleted {}\nDeleted {}", tokens[0].id, tokens[2].id);
    assert_eq!(says(&removed), expected);
    assert_eq!(lab.tokens().len(), 2);
    let mixed = lab.token("rm", &[&tokens[0].id, &tokens[1].id, "../users"]);
    assert_eq!(mixed.status, Some(1));
    assert_eq!(mixed.stdout.trim_end(), format!("Deleted {}", tokens[1].id));
    for part in [&*tokens[0].id, "has no token", "../users", "token list"] {
        assert!(mixed.stderr.contains(part), "{mixed:?}");
    }
    lab.token("get", &[&tokens[0].id])
        .is_user_error(&["has no token"]);
}

#[test]
fn a_token_becomes_the_login_for_its_registry() {
    let Some(mut lab) = Lab::with_keychain() else {
        return;
    };
    let outcome = lab.token("add", &["--login"]);
    let token = lab.tokens().remove(0);
    lab.env.add_secret(&token.value);
    let host = lab.host();
    assert_eq!(
        says(&outcome),
        format!(
            "Token identifier   {}\nLogged in to {host} with the token",
            token.id
        )
    );
    assert!(!outcome.stdout.contains(&token.value), "{outcome:?}");
    lab.env.list().is_list(&[(&host, "token")]);
    says(&lab.token("list", &[]));
    lab.env.unset("IBMCLOUD_API_KEY");
    let answer = lab.env.get(&host);
    assert_eq!(answer.is_credential("token"), token.value);
    lab.token("list", &[])
        .is_user_error(&["IBMCLOUD_API_KEY", "login"]);
    assert!(lab.env.files_with_secrets().is_empty());
}

/// Returns a machine whose only credential is a stored login for the registry.
fn logged_in_with_a_key() -> Option<Lab> {
    let mut lab = Lab::with_keychain()?;
    lab.env.unset("IBMCLOUD_API_KEY");
    let outcome = lab.env.store(&lab.host(), "iamapikey", ENVIRONMENT_KEY);
    outcome.is_silent_success();
    Some(lab)
}

#[test]
fn a_login_of_another_kind_is_only_replaced_with_force() {
    let Some(lab) = logged_in_with_a_key() else {
        return;
    };
    let host = lab.host();
    let logout = format!("docker-credential-icr logout {host}");
    let parts = ["your stored", "login (API key)", &logout, "--force"];
    lab.token("add", &["--login"]).is_user_error(&parts);
    assert!(lab.asked().is_empty(), "there is no token that nobody has");
    lab.env.list().is_list(&[(&host, "iamapikey")]);
    lab.token("add", &["--force"]).is_usage_error(&["--login"]);
    says(&lab.token("list", &[]));

    let outcome = lab.token("add", &["--login", "--force"]);
    assert!(says(&outcome).contains("it replaced the stored login (API key)"));
    lab.env.list().is_list(&[(&host, "token")]);
    // A login of the same kind is replaced without a question.
    let key = ("IBMCLOUD_API_KEY", ENVIRONMENT_KEY);
    let mut again = lab.env.command(&["token", "add", "--login"]);
    again.args(["--registry", &host]).env(key.0, key.1);
    says(&lab.env.start_as(again, Input::Open).finish());
    assert_eq!(lab.tokens().len(), 2);
}

#[cfg(unix)]
#[test]
fn at_a_terminal_replacing_a_login_needs_a_yes() {
    for (typed, username) in [("", "iamapikey"), ("y", "token")] {
        let Some(lab) = logged_in_with_a_key() else {
            return;
        };
        let host = lab.host();
        let add = format!("token add --login --registry {host}");
        let dialog = [("Continue? [y/N]", typed)];
        let shown = Screen::Terminal(200).shows(&lab.env, &[(&add, &dialog)]);
        let part = match typed {
            "" => "no token was created",
            _ => "it replaced the stored login (API key)",
        };
        assert!(shown[0].contains(part), "{shown:?}");
        lab.env.list().is_list(&[(&host, username)]);
    }
}

#[test]
fn a_token_that_cannot_be_stored_is_not_created() {
    let lab = Lab::new();
    lab.token("add", &["--login"])
        .is_user_error(&["cannot store a login", "ICR_KEYCHAIN"]);
    assert!(lab.asked().is_empty());
}

#[test]
fn a_created_token_is_printed_as_json() {
    let Some(lab) = Lab::with_keychain() else {
        return;
    };
    let answer = |further: &[&str]| {
        let outcome = lab.token("add", &[&["--json"], further].concat());
        serde_json::from_str::<Value>(says(&outcome)).expect("JSON")
    };
    let made = answer(&[]);
    let token = lab.tokens().remove(0);
    assert_eq!(
        made,
        json!({"registry": lab.host(), "id": token.id, "access": "read-only",
            "expires_at": token.expires_at, "token": token.value})
    );
    let stored = answer(&["--readwrite", "--non-expiring", "--login"]);
    let token = lab.tokens().remove(1);
    assert_eq!(
        stored,
        json!({"registry": lab.host(), "id": token.id, "access": "read-write",
            "expires_at": null, "token": null})
    );
    lab.token("add", &["--json", "--quiet"])
        .is_usage_error(&["--quiet"]);
}

#[test]
fn iam_and_the_registry_share_one_deadline() {
    let lab = Lab::new();
    let host = lab.host();
    let settings = format!("registries = [\"{host}\"]\ndeadline = 2\n");
    lab.env.settings(&settings);
    let slow = Fault::Delay(Duration::from_millis(1200));
    lab.env.cloud.script_for(Service::Token, [slow]);
    let silent = Some(Fault::Delay(Duration::from_secs(30)));
    lab.env.cloud.always_for(Service::RegistryTokens, silent);
    let outcome = lab.token("list", &[]);
    assert_eq!(outcome.status, Some(3), "{outcome:?}");
    assert!(outcome.took <= Duration::from_millis(2800), "{outcome:?}");
}

#[test]
fn an_error_names_where_registry_tokens_are_chosen() {
    let mut lab = Lab::new();
    let host = lab.host();
    lab.env.cloud.accounts().stop_registry_tokens(Some(410));
    let end = |lab: &Lab| {
        let stderr = lab.token("list", &[]).stderr;
        let (_, end) = stderr.rsplit_once(&host).expect("a command");
        end.trim().to_owned()
    };
    assert_eq!(end(&lab), "'");
    lab.choose_registry_tokens();
    let of_settings = "' (and remove 'registry-token' from the settings)";
    assert_eq!(end(&lab), of_settings);
    lab.settings(&format!(
        "[profile.old]\ncredential = \"token\"\n[registry.\"{host}\"]\nprofile = \"old\""
    ));
    let of_kind = "' (and remove 'credential = \"token\"' from the settings)";
    assert_eq!(end(&lab), of_kind);
    lab.env.set("ICR_SOURCE", "registry-token");
    assert_eq!(
        end(&lab),
        "' (and remove 'registry-token' from $ICR_SOURCE)"
    );
}

#[test]
fn a_registry_without_tokens_is_an_error_that_suggests_login() {
    let Some(lab) = Lab::with_keychain() else {
        return;
    };
    let host = lab.host();
    lab.choose_registry_tokens();
    for status in [404, 410] {
        lab.env.cloud.accounts().stop_registry_tokens(Some(status));
        let login = format!("docker-credential-icr login {host}");
        let parts = ["no registry tokens any more", &login];
        lab.token("add", &[]).is_user_error(&parts);
        lab.token("list", &[]).is_user_error(&parts);
        lab.token("get", &["x"]).is_user_error(&parts);
        lab.token("rm", &["x"]).is_user_error(&parts);
        lab.env.keys().forget_tokens();
        lab.env.get(&host).is_client_error(&parts);
    }
}

#[test]
fn the_account_is_that_of_the_login_by_default() {
    let lab = Lab::new();
    let outcome = lab.token("list", &["--account", "account-2"]);
    let parts = [
        "not authorized",
        "CRG0009E",
        "$IBMCLOUD_API_KEY",
        "--account",
    ];
    outcome.is_user_error(&parts);
    assert!(!outcome.stderr.contains("IAM"), "{outcome:?}");
    let asked = lab.asked().len();
    for account in ["", "a b", "a\nb"] {
        lab.token("list", &["--account", account])
            .is_user_error(&["letters"]);
    }
    assert_eq!(lab.asked().len(), asked);
    says(&lab.token("list", &["--account", "account-1"]));
}

#[test]
fn the_refresh_token_of_a_session_is_sent_to_the_registry() {
    let Some(mut lab) = Lab::with_keychain() else {
        return;
    };
    let accounts = lab.env.cloud.accounts();
    accounts.add_refresh_token("FIRST-REFRESH-TOKEN", Subject::user("2"));
    lab.env.unset("IBMCLOUD_API_KEY");
    let host = lab.host();
    lab.env
        .store(&host, "iamrefresh", "FIRST-REFRESH-TOKEN")
        .is_silent_success();
    for _ in 0..2 {
        says(&lab.token("list", &[]));
    }
    let requests = lab.env.cloud.requests();
    let sent = requests
        .iter()
        .filter_map(|request| request.header("refreshtoken"));
    let sent: Vec<&str> = sent.collect();
    assert_eq!(sent.len(), 2);
    assert!(!sent.contains(&"FIRST-REFRESH-TOKEN"), "it was replaced");
    assert_eq!(lab.env.cloud.exchanges(), 1);
}

#[test]
fn wrong_arguments_are_rejected() {
    let lab = Lab::new();
    let run = |arguments: &[&str]| lab.env.run(arguments, Input::Open);
    run(&["token", "list"]).is_usage_error(&["--registry"]);
    let elsewhere = ["token", "list", "--registry", "docker.io"];
    run(&elsewhere).is_user_error(&["docker.io is not an IBM Cloud registry"]);
    lab.token("rm", &[]).is_usage_error(&["ID"]);
    lab.token("add", &["--login", "--quiet"])
        .is_usage_error(&["--quiet"]);
    run(&["token"]).is_usage_error(&["add, get, list"]);
    for task in ["add", "get", "list", "rm"] {
        let help = run(&["token", task, "--help"]);
        assert!(says(&help).contains("Example"), "{help:?}");
    }
    assert!(lab.asked().is_empty());
}

#[test]
fn one_token_per_registry_is_created_and_cached() {
    let Some(lab) = Lab::with_keychain() else {
        return;
    };
    lab.choose_registry_tokens();
    let hosts = [lab.host(), lab.other_host()];
    for _ in 0..2 {
        for host in &hosts {
            let token = lab.env.get(host).is_credential("token");
            let made = lab.tokens();
            let made = made.iter().find(|token| &token.host == host);
            let made = made.expect("one for each");
            assert_eq!(token, made.value);
            assert!(made.may_write);
            let description = &made.description;
            assert!(
                description.starts_with("made by docker-credential-icr on "),
                "{description}"
            );
        }
    }
    assert_eq!(lab.tokens().len(), 2);
    assert_eq!(lab.env.cloud.exchanges(), 1, "one access token for both");
    let lives = lab.env.keys().lifetimes("token");
    let days = lives
        .iter()
        .filter(|left| ["1d", "23h"].contains(&left.as_str()));
    assert_eq!(days.count(), 2, "{lives:?}");
    lab.settings("");
    lab.env.get(&hosts[0]).is_token_of();
}

#[test]
fn the_source_variable_chooses_registry_tokens_for_the_identity_of_the_profile() {
    let Some(mut lab) = Lab::with_keychain() else {
        return;
    };
    let host = lab.host();
    lab.env.set("ICR_SOURCE", "registry-token");
    lab.env.get(&host).is_credential("token");
    lab.settings(&format!(
        "[profile.new]\nsource = \"ibmcloud\"\n[registry.\"{host}\"]\nprofile = \"new\""
    ));
    lab.env
        .get(&host)
        .is_client_error(&["'ibmcloud'", "ibmcloud login"]);
    lab.choose_registry_tokens();
    lab.env.set("ICR_SOURCE", "environment");
    lab.env.get(&host).is_token_of();
    lab.env.unset("ICR_SOURCE").unset("IBMCLOUD_API_KEY");
    lab.env.get(&host).is_not_found();
}

#[test]
fn a_supplied_access_token_creates_a_registry_token() {
    let Some(mut lab) = Lab::with_keychain() else {
        return;
    };
    let host = lab.host();
    let given = lab.env.get(&host).is_credential("iambearer");
    lab.env
        .unset("IBMCLOUD_API_KEY")
        .set("IC_IAM_TOKEN", format!("Bearer {given}"));
    lab.choose_registry_tokens();
    let first = lab.env.get(&host).is_credential("token");
    assert_eq!(lab.env.get(&host).is_credential("token"), first);
    assert_eq!((lab.tokens().len(), lab.env.cloud.exchanges()), (1, 1));
}

#[test]
fn concurrent_gets_create_one_token() {
    let Some(lab) = Lab::with_keychain() else {
        return;
    };
    lab.choose_registry_tokens();
    let host = lab.host();
    let answers = in_parallel(10, |_| lab.env.get(&host).is_credential("token"));
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!((lab.tokens().len(), lab.env.cloud.exchanges()), (1, 1));
}

#[test]
fn a_token_due_for_refresh_is_used_during_an_outage() {
    let Some(lab) = Lab::with_keychain() else {
        return;
    };
    lab.choose_registry_tokens();
    let host = lab.host();
    let first = lab.env.get(&host).is_credential("token");
    lab.env.keys().age_tokens(13 * 60 * 60);
    let down = Some(Fault::Status(503));
    lab.env.cloud.always_for(Service::RegistryTokens, down);
    assert_eq!(lab.env.get(&host).is_credential("token"), first);
    lab.env.cloud.always_for(Service::RegistryTokens, None);
    let second = lab.env.get(&host).is_credential("token");
    assert_ne!(second, first);
    assert_eq!(lab.env.get(&host).is_credential("token"), second);
    assert_eq!(lab.tokens().len(), 2, "the first may be in use");
}

#[cfg(target_os = "linux")]
#[test]
fn the_next_token_is_created_in_the_background() {
    let Some(mut lab) = Lab::with_keychain() else {
        return;
    };
    lab.env.set("ICR_BACKGROUND_REFRESH", "true");
    lab.choose_registry_tokens();
    let host = lab.host();
    let first = lab.env.get(&host).is_credential("token");
    lab.env.keys().age_tokens(13 * 60 * 60);
    assert_eq!(lab.env.get(&host).is_credential("token"), first);
    wait_until("a renewed token", || {
        lab.env.get(&host).is_credential("token") != first
    });
    // It lists the tokens after it has created one, and then ends.
    wait_until("the end of the renewal", || {
        lab.asked()
            .last()
            .is_some_and(|(method, _)| method == "GET")
    });
}

#[test]
fn only_stale_tokens_of_this_program_are_deleted() {
    let Some(mut lab) = Lab::with_keychain() else {
        return;
    };
    lab.choose_registry_tokens();
    let host = lab.host();
    let soon = u64::try_from(now() + 60 * 60).expect("a time");
    let accounts = lab.env.cloud.accounts();
    lab.env.get(&host).is_credential("token");
    let description = lab.tokens()[0].description.clone();
    says(&lab.token(
        "add",
        &["--description", "made by docker-credential-icr on here"],
    ));
    says(&lab.token("add", &["--description", &description, "--non-expiring"]));
    for _ in 0..4 {
        lab.env.keys().forget_tokens();
        lab.env.get(&host).is_credential("token");
    }
    assert_eq!(lab.tokens().len(), 7, "young ones may be in use");
    for token in lab.tokens() {
        if token.expires_at.is_some() {
            accounts.set_registry_token_expiry(&token.id, soon);
        }
    }
    let count = || {
        lab.tokens()
            .iter()
            .filter(|token| token.description == description)
            .count()
    };
    lab.env.keys().forget_tokens();
    lab.env.get(&host).is_credential("token");
    assert_eq!(count(), 1 + 5 - 3 + 1, "at most three at a time");
    lab.env.keys().forget_tokens();
    lab.env.get(&host).is_credential("token");
    assert_eq!(count(), 1 + 2, "the lasting one, and the two young ones");
    assert_eq!(lab.tokens().len(), 4, "that of somebody else is there");
    // An error of the list or of a deletion does not fail `get`.
    for token in lab.tokens() {
        if token.expires_at.is_some() {
            accounts.set_registry_token_expiry(&token.id, soon);
        }
    }
    let well = || Fault::Delay(std::time::Duration::ZERO);
    lab.env.keys().forget_tokens();
    let faults = [well(), Fault::Status(500)];
    lab.env.cloud.script_for(Service::RegistryTokens, faults);
    lab.env.get(&host).is_credential("token");
    lab.env.keys().forget_tokens();
    let faults = [well(), well(), Fault::Status(403), Fault::Garbage];
    lab.env.cloud.script_for(Service::RegistryTokens, faults);
    lab.env.get(&host).is_credential("token");
    // Another user of the machine has another owner tag.
    let before = lab.tokens().len();
    std::fs::create_dir(lab.env.path("another")).expect("it is new");
    let another = lab.env.path("another");
    lab.env.set("HOME", another);
    lab.env.keys().forget_tokens();
    lab.env.get(&host).is_credential("token");
    assert_eq!(lab.tokens().len(), before + 1);
}

#[test]
fn a_logout_deletes_its_tokens_in_the_registry() {
    let Some(lab) = logged_in_with_a_key() else {
        return;
    };
    let (host, other) = (lab.host(), lab.other_host());
    lab.env.add_api_key("API-KEY-OF-ANOTHER", "another");
    lab.env
        .store(&other, "iamapikey", "API-KEY-OF-ANOTHER")
        .is_silent_success();
    lab.choose_registry_tokens();
    says(&lab.token("add", &["--description", "somebody else's"]));
    let count = |host: &str| {
        let tokens = lab.tokens().into_iter();
        tokens.filter(|token| token.host == host).count()
    };
    let run = |arguments: &[&str]| lab.env.run(arguments, Input::Open);
    for _ in 0..2 {
        lab.env.get(&host).is_credential("token");
        lab.env.get(&other).is_credential("token");
        lab.env.keys().forget_tokens();
    }
    lab.env.get(&host).is_credential("token");
    lab.env.get(&other).is_credential("token");
    assert_eq!((count(&host), count(&other)), (4, 3));
    says(&run(&["logout", &host]));
    assert_eq!((count(&host), count(&other)), (1, 3));
    assert_eq!(lab.tokens()[0].description, "somebody else's");
    let asked = lab.asked().len();
    says(&run(&["logout", &host]));
    assert_eq!(lab.asked().len(), asked, "there is nothing to ask about");
    says(&run(&["logout", "--all"]));
    assert_eq!((count(&host), count(&other)), (1, 0));
}

/// All tokens of a login are deleted with it, wherever else the login is stored.
#[test]
fn a_logout_deletes_tokens_of_the_same_login_in_other_registries() {
    let Some(mut lab) = logged_in_with_a_key() else {
        return;
    };
    let (host, other) = (lab.host(), lab.other_host());
    lab.env
        .store(&other, "iamapikey", ENVIRONMENT_KEY)
        .is_silent_success();
    // For all registries, of which two have been used.
    lab.settings("");
    lab.env.set("ICR_SOURCE", "registry-token");
    lab.env.get(&host).is_credential("token");
    lab.env.get(&other).is_credential("token");
    says(&lab.env.run(&["logout", &host], Input::Open));
    assert!(lab.tokens().is_empty());
    lab.env.get(&other).is_credential("token");
    assert_eq!(lab.tokens().len(), 1, "and it makes a new one");
}

#[test]
fn a_logout_does_not_depend_on_the_registry() {
    let Some(lab) = logged_in_with_a_key() else {
        return;
    };
    let host = lab.host();
    lab.choose_registry_tokens();
    lab.env.get(&host).is_credential("token");
    let silent = Some(Fault::Delay(Duration::from_secs(30)));
    lab.env.cloud.always_for(Service::RegistryTokens, silent);
    let outcome = lab.env.run(&["logout", &host], Input::Open);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let warning = ["warning: registry tokens", &host, "within a day"];
    outcome.has(&outcome.stderr, &warning);
    assert!(outcome.took < Duration::from_secs(10), "{outcome:?}");
    lab.env.get(&host).is_not_found();
}

#[test]
fn a_logout_of_all_deletes_tokens_created_with_an_environment_key() {
    let Some(lab) = Lab::with_keychain() else {
        return;
    };
    lab.choose_registry_tokens();
    lab.env.get(&lab.host()).is_credential("token");
    let run = |arguments: &[&str]| lab.env.run(arguments, Input::Open);
    let succeeds = |arguments: &[&str]| {
        let outcome = run(arguments);
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        outcome.has(&outcome.stderr, &["$IBMCLOUD_API_KEY is still active"]);
    };
    succeeds(&["logout"]);
    assert_eq!(lab.tokens().len(), 1, "that is somebody else's");
    succeeds(&["logout", "--all"]);
    assert!(lab.tokens().is_empty());
}

#[test]
fn no_token_is_in_a_file_or_in_the_log() {
    let Some(mut lab) = Lab::with_keychain() else {
        return;
    };
    lab.choose_registry_tokens();
    lab.env.set("ICR_LOG", "trace");
    let host = lab.host();
    lab.env.get(&host).is_credential("token");
    let listed = lab.token("list", &[]);
    assert_eq!(listed.status, Some(0), "{listed:?}");
    assert!(!listed.stderr.is_empty(), "the log is on");
    assert!(lab.env.files_with_secrets().is_empty());
}

#[test]
fn settings_show_the_kind_of_credential() {
    let lab = Lab::new();
    lab.choose_registry_tokens();
    let settings = lab.env.run(&["settings", "--json"], Input::Open);
    let settings: Value = serde_json::from_str(says(&settings)).expect("JSON");
    let profile = &settings["profiles"][0];
    assert_eq!(
        (&profile["source"], &profile["credential"]),
        (&"registry-token".into(), &"token".into())
    );
    lab.settings("[profile.x]\nsource = \"registry-token\"\ncredential = \"iamrefresh\"");
    let outcome = lab.env.run(&["settings"], Input::Open);
    outcome.is_user_error(&["registry-token", "leave credential out"]);
    lab.settings("[profile.x]\nsource = \"environment\"\ncredential = \"token\"");
    assert_eq!(lab.env.run(&["settings"], Input::Open).status, Some(0));
}
