//! Registry tokens: the `token` command, and registry tokens as credentials of `get`.

#[path = "../support/mod.rs"]
mod support;

mod command;
mod logout;
#[cfg(unix)]
mod terminal;

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
#[cfg(target_os = "linux")]
use support::wait_until;

const DAY: i64 = 24 * 60 * 60;

/// A machine with an API key in the environment. Its emulated cloud has a registry.
struct RegistryMachine {
    env: TestEnv,
}

impl RegistryMachine {
    fn new() -> Self {
        Self::on(TestEnv::new())
    }

    fn with_keychain() -> Option<Self> {
        TestEnv::with_keychain().map(Self::on)
    }

    fn on(env: TestEnv) -> Self {
        let mut env = env.with_registry();
        env.set_environment_key();
        let machine = Self { env };
        machine.settings("");
        machine
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
    fn registry_requests(&self) -> Vec<(String, String)> {
        let requests = self.env.cloud.requests().into_iter();
        requests
            .filter(|request| request.path.starts_with("/api/"))
            .map(|request| (request.method, request.path))
            .collect()
    }
}

#[track_caller]
fn stdout_of(outcome: &Outcome) -> &str {
    assert_eq!((outcome.status, &*outcome.stderr), (Some(0), ""));
    outcome.stdout.trim_end()
}

fn now() -> i64 {
    let end = support::token::claims(&support::token::ending_in(0))["exp"].as_i64();
    end.expect("a time")
}

/// Returns a machine whose only credential is a stored login for the registry.
fn logged_in_with_a_key() -> Option<RegistryMachine> {
    let mut machine = RegistryMachine::with_keychain()?;
    machine.env.unset("IBMCLOUD_API_KEY");
    let outcome = machine
        .env
        .store(&machine.host(), "iamapikey", ENVIRONMENT_KEY);
    outcome.is_silent_success();
    Some(machine)
}

#[test]
fn iam_and_the_registry_share_one_deadline() {
    let machine = RegistryMachine::new();
    let host = machine.host();
    let settings = format!("registries = [\"{host}\"]\ndeadline = 2\n");
    machine.env.settings(&settings);
    let slow = Fault::Delay(Duration::from_millis(1200));
    machine.env.cloud.script_for(Service::Token, [slow]);
    let silent = Some(Fault::Delay(Duration::from_secs(30)));
    machine
        .env
        .cloud
        .always_for(Service::RegistryTokens, silent);
    let outcome = machine.token("list", &[]);
    assert_eq!(outcome.status, Some(3), "{outcome:?}");
    assert!(outcome.took <= Duration::from_millis(2800), "{outcome:?}");
}

#[test]
fn an_error_names_where_registry_tokens_are_chosen() {
    let mut machine = RegistryMachine::new();
    let host = machine.host();
    machine.env.cloud.accounts().stop_registry_tokens(Some(410));
    let end = |machine: &RegistryMachine| {
        let stderr = machine.token("list", &[]).stderr;
        let (_, end) = stderr.rsplit_once(&host).expect("a command");
        end.trim().to_owned()
    };
    assert_eq!(end(&machine), "'");
    machine.choose_registry_tokens();
    let of_settings = "' (and remove 'registry-token' from the settings)";
    assert_eq!(end(&machine), of_settings);
    machine.settings(&format!(
        "[profile.old]\ncredential = \"token\"\n[registry.\"{host}\"]\nprofile = \"old\""
    ));
    let of_kind = "' (and remove 'credential = \"token\"' from the settings)";
    assert_eq!(end(&machine), of_kind);
    machine.env.set("ICR_SOURCE", "registry-token");
    assert_eq!(
        end(&machine),
        "' (and remove 'registry-token' from $ICR_SOURCE)"
    );
}

#[test]
fn a_registry_without_tokens_is_an_error_that_suggests_login() {
    let Some(machine) = RegistryMachine::with_keychain() else {
        return;
    };
    let host = machine.host();
    machine.choose_registry_tokens();
    for status in [404, 410] {
        machine
            .env
            .cloud
            .accounts()
            .stop_registry_tokens(Some(status));
        let login = format!("docker-credential-icr login {host}");
        let parts = ["no registry tokens any more", &login];
        machine.token("add", &[]).is_user_error(&parts);
        machine.token("list", &[]).is_user_error(&parts);
        machine.token("get", &["x"]).is_user_error(&parts);
        machine.token("rm", &["x"]).is_user_error(&parts);
        machine.env.keys().delete_tokens();
        machine.env.get(&host).is_client_error(&parts);
    }
}

#[test]
fn the_refresh_token_of_a_session_is_sent_to_the_registry() {
    let Some(mut machine) = RegistryMachine::with_keychain() else {
        return;
    };
    let accounts = machine.env.cloud.accounts();
    accounts.add_refresh_token("FIRST-REFRESH-TOKEN", Subject::user("2"));
    machine.env.unset("IBMCLOUD_API_KEY");
    let host = machine.host();
    machine
        .env
        .store(&host, "iamrefresh", "FIRST-REFRESH-TOKEN")
        .is_silent_success();
    for _ in 0..2 {
        stdout_of(&machine.token("list", &[]));
    }
    let requests = machine.env.cloud.requests();
    let sent = requests
        .iter()
        .filter_map(|request| request.header("refreshtoken"));
    let sent: Vec<&str> = sent.collect();
    assert_eq!(sent.len(), 2);
    assert!(!sent.contains(&"FIRST-REFRESH-TOKEN"), "it was replaced");
    assert_eq!(machine.env.cloud.exchanges(), 1);
}

#[test]
fn one_token_per_registry_is_created_and_cached() {
    let Some(machine) = RegistryMachine::with_keychain() else {
        return;
    };
    machine.choose_registry_tokens();
    let hosts = [machine.host(), machine.other_host()];
    for _ in 0..2 {
        for host in &hosts {
            let token = machine.env.get(host).is_credential("token");
            let made = machine.tokens();
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
    assert_eq!(machine.tokens().len(), 2);
    assert_eq!(
        machine.env.cloud.exchanges(),
        1,
        "one access token for both"
    );
    // No other keychain deletes items by itself.
    #[cfg(target_os = "linux")]
    {
        let lives = machine.env.keys().lifetimes("token");
        let days = lives
            .iter()
            .filter(|left| ["1d", "23h"].contains(&left.as_str()));
        assert_eq!(days.count(), 2, "{lives:?}");
    }
    machine.settings("");
    machine.env.get(&hosts[0]).is_token_of();
}

#[test]
fn the_source_variable_chooses_registry_tokens_for_the_identity_of_the_profile() {
    let Some(mut machine) = RegistryMachine::with_keychain() else {
        return;
    };
    let host = machine.host();
    machine.env.set("ICR_SOURCE", "registry-token");
    machine.env.get(&host).is_credential("token");
    machine.settings(&format!(
        "[profile.new]\nsource = \"ibmcloud\"\n[registry.\"{host}\"]\nprofile = \"new\""
    ));
    machine
        .env
        .get(&host)
        .is_client_error(&["'ibmcloud'", "ibmcloud login"]);
    machine.choose_registry_tokens();
    machine.env.set("ICR_SOURCE", "environment");
    machine.env.get(&host).is_token_of();
    machine.env.unset("ICR_SOURCE").unset("IBMCLOUD_API_KEY");
    machine.env.get(&host).is_not_found();
}

#[test]
fn a_supplied_access_token_creates_a_registry_token() {
    let Some(mut machine) = RegistryMachine::with_keychain() else {
        return;
    };
    let host = machine.host();
    let supplied = machine.env.get(&host).is_credential("iambearer");
    machine
        .env
        .unset("IBMCLOUD_API_KEY")
        .set("IC_IAM_TOKEN", format!("Bearer {supplied}"));
    machine.choose_registry_tokens();
    let first = machine.env.get(&host).is_credential("token");
    assert_eq!(machine.env.get(&host).is_credential("token"), first);
    assert_eq!(
        (machine.tokens().len(), machine.env.cloud.exchanges()),
        (1, 1)
    );
}

#[test]
fn concurrent_gets_create_one_token() {
    let Some(machine) = RegistryMachine::with_keychain() else {
        return;
    };
    machine.choose_registry_tokens();
    let host = machine.host();
    let answers = in_parallel(10, |_| machine.env.get(&host).is_credential("token"));
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(
        (machine.tokens().len(), machine.env.cloud.exchanges()),
        (1, 1)
    );
}

#[test]
fn a_token_due_for_refresh_is_used_during_an_outage() {
    let Some(machine) = RegistryMachine::with_keychain() else {
        return;
    };
    machine.choose_registry_tokens();
    let host = machine.host();
    let first = machine.env.get(&host).is_credential("token");
    machine.env.keys().age_tokens(13 * 60 * 60);
    let down = Some(Fault::Status(503));
    machine.env.cloud.always_for(Service::RegistryTokens, down);
    assert_eq!(machine.env.get(&host).is_credential("token"), first);
    machine.env.cloud.always_for(Service::RegistryTokens, None);
    let second = machine.env.get(&host).is_credential("token");
    assert_ne!(second, first);
    assert_eq!(machine.env.get(&host).is_credential("token"), second);
    assert_eq!(machine.tokens().len(), 2, "the first may be in use");
}

#[cfg(target_os = "linux")]
#[test]
fn the_next_token_is_created_in_the_background() {
    let Some(mut machine) = RegistryMachine::with_keychain() else {
        return;
    };
    machine.env.set("ICR_BACKGROUND_REFRESH", "true");
    machine.choose_registry_tokens();
    let host = machine.host();
    let first = machine.env.get(&host).is_credential("token");
    machine.env.keys().age_tokens(13 * 60 * 60);
    assert_eq!(machine.env.get(&host).is_credential("token"), first);
    wait_until("a renewed token", || {
        machine.env.get(&host).is_credential("token") != first
    });
    // It lists the tokens after it has created one, and then ends.
    wait_until("the end of the renewal", || {
        machine
            .registry_requests()
            .last()
            .is_some_and(|(method, _)| method == "GET")
    });
}

#[test]
fn only_stale_tokens_of_this_program_are_deleted() {
    let Some(mut machine) = RegistryMachine::with_keychain() else {
        return;
    };
    machine.choose_registry_tokens();
    let host = machine.host();
    let soon = u64::try_from(now() + 60 * 60).expect("a time");
    let accounts = machine.env.cloud.accounts();
    machine.env.get(&host).is_credential("token");
    let description = machine.tokens()[0].description.clone();
    stdout_of(&machine.token(
        "add",
        &["--description", "made by docker-credential-icr on here"],
    ));
    stdout_of(&machine.token("add", &["--description", &description, "--non-expiring"]));
    for _ in 0..4 {
        machine.env.keys().delete_tokens();
        machine.env.get(&host).is_credential("token");
    }
    assert_eq!(
        machine.tokens().len(),
        7,
        "clients may still use tokens that expire later"
    );
    for token in machine.tokens() {
        if token.expires_at.is_some() {
            accounts.set_registry_token_expiry(&token.id, soon);
        }
    }
    let count = || {
        machine
            .tokens()
            .iter()
            .filter(|token| token.description == description)
            .count()
    };
    machine.env.keys().delete_tokens();
    machine.env.get(&host).is_credential("token");
    assert_eq!(count(), 1 + 5 - 3 + 1, "at most three at a time");
    machine.env.keys().delete_tokens();
    machine.env.get(&host).is_credential("token");
    assert_eq!(
        count(),
        1 + 2,
        "the permanent token, and the two latest ones"
    );
    assert_eq!(machine.tokens().len(), 4, "the foreign token still exists");
    // An error of the list or of a deletion does not fail `get`.
    for token in machine.tokens() {
        if token.expires_at.is_some() {
            accounts.set_registry_token_expiry(&token.id, soon);
        }
    }
    let well = || Fault::Delay(std::time::Duration::ZERO);
    machine.env.keys().delete_tokens();
    let faults = [well(), Fault::Status(500)];
    machine
        .env
        .cloud
        .script_for(Service::RegistryTokens, faults);
    machine.env.get(&host).is_credential("token");
    machine.env.keys().delete_tokens();
    let faults = [well(), well(), Fault::Status(403), Fault::Garbage];
    machine
        .env
        .cloud
        .script_for(Service::RegistryTokens, faults);
    machine.env.get(&host).is_credential("token");
    // Another user of the machine has another owner tag.
    let before = machine.tokens().len();
    std::fs::create_dir(machine.env.path("another")).expect("it is new");
    let another = machine.env.path("another");
    machine.env.set("HOME", another);
    machine.env.keys().delete_tokens();
    machine.env.get(&host).is_credential("token");
    assert_eq!(machine.tokens().len(), before + 1);
}

#[test]
fn no_token_is_in_a_file_or_in_the_log() {
    let Some(mut machine) = RegistryMachine::with_keychain() else {
        return;
    };
    machine.choose_registry_tokens();
    machine.env.set("ICR_LOG", "trace");
    let host = machine.host();
    machine.env.get(&host).is_credential("token");
    let listed = machine.token("list", &[]);
    assert_eq!(listed.status, Some(0), "{listed:?}");
    assert!(!listed.stderr.is_empty(), "the log is on");
    assert!(machine.env.files_with_secrets().is_empty());
}

#[test]
fn settings_show_the_kind_of_credential() {
    let machine = RegistryMachine::new();
    machine.choose_registry_tokens();
    let settings = machine.env.run(&["settings", "--json"], Input::Open);
    let settings: Value = serde_json::from_str(stdout_of(&settings)).expect("JSON");
    let profile = &settings["profiles"][0];
    assert_eq!(
        (&profile["source"], &profile["credential"]),
        (&"registry-token".into(), &"token".into())
    );
    machine.settings("[profile.x]\nsource = \"registry-token\"\ncredential = \"iamrefresh\"");
    let outcome = machine.env.run(&["settings"], Input::Open);
    outcome.is_user_error(&["registry-token", "Remove credential"]);
    machine.settings("[profile.x]\nsource = \"environment\"\ncredential = \"token\"");
    assert_eq!(machine.env.run(&["settings"], Input::Open).status, Some(0));
}
