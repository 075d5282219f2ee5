//! What does a person see of every command: in a pipe, at a narrow and a wide terminal, and with `NO_COLOR`?
//!
//! The answers are in `screens/`, a file for each scene; `UPDATE_EXPECT=1 cargo test --test screens` writes them anew.
#![cfg(target_os = "linux")]

mod support;

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use expect_test::expect_file;
use icr_emulator::Authority;
use icr_emulator::Fault;
use icr_emulator::Service;
use regex::Regex;
use serde_json::json;

use support::ENVIRONMENT_KEY;
use support::Machine;
use support::Screen;
use support::Typed;

const KEY: &str = "SCREEN-API-KEY-64d2";
const WRONG_KEY: &str = "SCREEN-API-KEY-OF-NOBODY-9b1c";

/// Every screen, and whether somebody wants colours on it.
const SCREENS: [(&str, Screen, bool); 4] = [
    ("in a pipe", Screen::Pipe, true),
    ("at a terminal of 40 columns", Screen::Terminal(40), true),
    ("at a terminal of 200 columns", Screen::Terminal(200), true),
    (
        "at a terminal of 200 columns, with NO_COLOR",
        Screen::Terminal(200),
        false,
    ),
];

/// Nothing is typed.
const NOTHING: &[(&str, &str)] = &[];

/// A machine, and perhaps a registry that it reaches.
struct Stage {
    machine: Machine,
    /// What is another one each time, and what stands for it.
    stand_ins: Vec<(String, &'static str)>,
    registry: Option<String>,
}

impl Stage {
    fn of(machine: Machine) -> Self {
        let root = machine.path("").display().to_string();
        let iam = machine.cloud.url();
        Self {
            stand_ins: vec![
                (root.trim_end_matches('/').to_owned(), "/tmp/of-machine"),
                (iam, "http://127.0.0.1:44444"),
            ],
            machine,
            registry: None,
        }
    }

    /// The same with a registry `localhost:55555`, for whose IAM there is a key in the environment.
    fn with_registry(machine: Machine) -> Self {
        let mut machine = machine.with_registry();
        machine.set_environment_key();
        let [host, _] = machine.registries();
        let mut stage = Self::of(machine);
        // Before its IAM, whose address is longer.
        stage.stand_ins.insert(0, (host.clone(), REGISTRY));
        stage.registry = Some(host);
        stage
    }

    /// Has commands typed, and returns them with what is seen of each.
    fn shows(&self, screen: Screen, commands: &[Typed<'_>]) -> String {
        let known = |(command, _): &Typed<'_>| match &self.registry {
            Some(host) => command.replace(REGISTRY, host),
            None => (*command).to_owned(),
        };
        let known: Vec<String> = commands.iter().map(known).collect();
        let dialogs = commands.iter().map(|(_, dialog)| *dialog);
        let known: Vec<Typed<'_>> = known.iter().map(String::as_str).zip(dialogs).collect();
        let shown = screen.shows(&self.machine, &known);
        let shown = commands.iter().zip(shown);
        let shown = shown.map(|((command, _), shown)| {
            format!(
                "$ docker-credential-icr {command}\n{}\n",
                self.steady(&shown)
            )
        });
        shown.collect()
    }

    /// A text without what is another one each time.
    fn steady(&self, text: &str) -> String {
        let known = self.stand_ins.iter();
        let text = known.fold(text.to_owned(), |text, (one, stand_in)| {
            text.replace(one, stand_in)
        });
        PASSING.iter().fold(text, |text, (pattern, stand_in)| {
            let pattern = Regex::new(pattern).expect("a pattern");
            pattern.replace_all(&text, *stand_in).into_owned()
        })
    }
}

/// What stands for a registry on loopback.
const REGISTRY: &str = "localhost:55555";

/// Times, names, identifiers and tokens, and what stands for each; as long as they are where a line may be broken.
const PASSING: [(&str, &str); 10] = [
    (r"\d{4}-\d\d-\d\d \d\d:\d\d", "2026-12-31 23:59"),
    (r"\d{4}-\d\d-\d\d\b", "2026-12-31"),
    (r#""expires_at": \d{10}"#, r#""expires_at": 1798761540"#),
    (
        r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "01234567-89ab-cdef-0123-456789abcdef",
    ),
    (
        r"ApiKey-[0-9a-f]{32}",
        "ApiKey-0123456789abcdef0123456789abcdef",
    ),
    (r"icr on [^`]+`", "icr on a-machine`"),
    (r"10 min old, (50|49) min left", "10 min old, 50 min left"),
    (r#""age": \d{3}"#, r#""age": 600"#),
    (r#""left": \d{4}"#, r#""left": 3000"#),
    (r"eyJ[\w.-]+", "eyJ…"),
];

/// Has these commands typed one after the other, on each screen at a stage of its own, and compares what is seen with the file of
/// the scene.
fn scene(name: &str, stage: impl Fn() -> Option<Stage>, commands: &[Typed<'_>]) {
    let mut seen: Vec<(&str, String)> = Vec::new();
    for (title, screen, has_colors) in SCREENS {
        let Some(mut stage) = stage() else { return };
        stage.machine.set("TERM", "xterm");
        if !has_colors {
            stage.machine.set("NO_COLOR", "1");
        }
        let text = stage.shows(screen, commands);
        seen.push((title, text));
    }
    let parts = seen.iter().map(|(title, text)| {
        let mut earlier = seen.iter().take_while(|(other, _)| other != title);
        match earlier.find(|(_, other)| other == text) {
            Some((other, _)) => format!("═══ {title}: as {other} ═══\n"),
            None => format!("═══ {title} ═══\n\n{text}"),
        }
    });
    let all: Vec<String> = parts.collect();
    expect_file![format!("screens/{name}.txt")].assert_eq(&all.join("\n"));
}

/// A machine with nothing on it.
fn bare() -> Option<Stage> {
    Some(Stage::of(Machine::new()))
}

#[test]
fn the_help_of_every_command() {
    scene(
        "help",
        bare,
        &[
            ("--help", NOTHING),
            ("configure --help", NOTHING),
            ("doctor --help", NOTHING),
            ("login --help", NOTHING),
            ("login -h", NOTHING),
            ("logout --help", NOTHING),
            ("print --help", NOTHING),
            ("settings --help", NOTHING),
            ("status --help", NOTHING),
            ("token --help", NOTHING),
            ("token add --help", NOTHING),
            ("token get --help", NOTHING),
            ("token list --help", NOTHING),
            ("token rm --help", NOTHING),
        ],
    );
}

#[test]
fn arguments_that_are_wrong() {
    scene(
        "arguments",
        bare,
        &[
            ("", NOTHING),
            ("nonsense", NOTHING),
            ("get a b", NOTHING),
            ("configure kubernetes", NOTHING),
            ("configure --undo --all", NOTHING),
            ("configure --registry ghcr.io", NOTHING),
            ("doctor --reprot file", NOTHING),
            ("login --sso --web", NOTHING),
            ("login --create-api-key", NOTHING),
            ("login --expires 30", NOTHING),
            ("login --sso --expires never", NOTHING),
            ("login --profile nobody", NOTHING),
            ("logout --all us.icr.io", NOTHING),
            ("print", NOTHING),
            ("print us.icr.io --format xml", NOTHING),
            ("print us.icr.io --name NAME", NOTHING),
            ("settings now", NOTHING),
            ("status ghcr.io", NOTHING),
            ("token", NOTHING),
            ("token add", NOTHING),
            ("token rm --registry us.icr.io", NOTHING),
        ],
    );
}

/// A machine with a keychain, whose cloud knows somebody, and where somebody is logged in with the IBM Cloud CLI.
fn with_person() -> Option<Stage> {
    let mut machine = Machine::with_keychain()?;
    machine.add_api_key(KEY, "me");
    machine.file("key", KEY);
    machine.file("wrong-key", WRONG_KEY);
    machine.plant(WRONG_KEY);
    machine.set("ICR_SOURCE", "login");
    machine.add_refresh_token("SCREEN-REFRESH-TOKEN", "me");
    machine.cloud.accounts().set_refresh_rotation(false);
    fs::create_dir_all(machine.path("home/.ibmcloud")).expect("the directory is ours");
    let session = json!({"IAMToken": "", "IAMRefreshToken": "SCREEN-REFRESH-TOKEN"});
    machine.file("home/.ibmcloud/config.json", &session.to_string());
    Some(Stage::of(machine))
}

#[test]
fn somebody_logs_in_and_out() {
    scene(
        "login",
        with_person,
        &[
            ("login", &[("API key: ", KEY)]),
            ("login us.icr.io de.icr.io --api-key @key", NOTHING),
            ("login --api-key @wrong-key", NOTHING),
            ("login --api-key @missing", NOTHING),
            ("login SCREEN-KEY", NOTHING),
            ("login cp.icr.io --api-key @key", NOTHING),
            ("login uk.icr.io --from-ibmcloud", &[("[Y/n] ", "n")]),
            ("login au.icr.io --from-ibmcloud --create-api-key", NOTHING),
            ("login --rotate au.icr.io", NOTHING),
            ("login --rotate us.icr.io", NOTHING),
            ("login --json --api-key @key", NOTHING),
            ("logout us.icr.io", NOTHING),
            ("logout us.icr.io", NOTHING),
            ("logout --revoke au.icr.io", &[("[y/N] ", "n")]),
            ("logout --revoke --yes au.icr.io", NOTHING),
            ("logout --all", NOTHING),
            ("logout --json", NOTHING),
        ],
    );
}

#[test]
fn nobody_is_logged_in() {
    scene("status-of-nobody", bare, &[("status", NOTHING)]);
}

/// A profile with a login, and one that is broken.
const PROFILES: &str = r#"
[profile.team-b]
source = "login"
[profile.broken]
source = "credentials-file"
file = "/does/not/exist"
[registry."de.icr.io"]
profile = "team-b"
[registry."jp.icr.io"]
profile = "broken"
"#;

/// Several logins, one of them by a profile, clients that ask, and something that is broken.
fn with_logins() -> Option<Stage> {
    let stage = with_person()?;
    let machine = &stage.machine;
    let log_in = |arguments: &[&str]| {
        let login = [&["login", "--api-key", "@key"], arguments].concat();
        let outcome = machine.run(&login, "");
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
    };
    log_in(&["us.icr.io"]);
    machine.get("us.icr.io").is_token_of();
    let outcome = machine.store("cp.icr.io", "cp", "ENTITLEMENT-KEY");
    outcome.is_silent_success();
    machine.settings(PROFILES);
    log_in(&["--profile", "team-b"]);
    // In minutes, the age of a token stays the same for one.
    machine.keys().age_tokens(600);
    fs::create_dir_all(machine.path("home/.docker")).expect("it is ours");
    let asks = r#"{"credHelpers": {"us.icr.io": "icr", "uk.icr.io": "icr", "gcr.io": "gcloud"}}"#;
    machine.file("home/.docker/config.json", asks);
    Some(stage)
}

#[test]
fn who_is_logged_in_where() {
    scene(
        "status",
        with_logins,
        &[
            ("status", NOTHING),
            ("status us.icr.io", NOTHING),
            ("status us.icr.io --json", NOTHING),
        ],
    );
}

#[test]
fn what_is_set_and_where() {
    let chosen = || {
        let mut stage = bare()?;
        stage.machine.settings(PROFILES);
        stage
            .machine
            .set("ICR_PROFILE", "team-b")
            .set("ICR_NAMESPACE", "screens");
        Some(stage)
    };
    scene(
        "settings",
        chosen,
        &[("settings", NOTHING), ("settings --json", NOTHING)],
    );
    let wrong = || {
        let stage = bare()?;
        stage
            .machine
            .settings("keychain = \"kernel\"\ncolour = \"red\"\n");
        Some(stage)
    };
    scene(
        "settings-that-are-wrong",
        wrong,
        &[
            ("settings", NOTHING),
            ("status", NOTHING),
            ("login", NOTHING),
        ],
    );
}

#[test]
fn a_registry_is_asked() {
    let stage = || Some(Stage::with_registry(Machine::new()));
    scene(
        "status-checked",
        stage,
        &[("status localhost:55555 --check", NOTHING)],
    );
    let refused = || {
        let stage = stage()?;
        // IAM knows the key, but the registry does not take its token.
        stage.machine.cloud.accounts().set_token_lifetime(0);
        Some(stage)
    };
    scene(
        "status-refused",
        refused,
        &[("status localhost:55555 --check", NOTHING)],
    );
}

#[test]
fn registry_tokens() {
    let ended = || {
        let stage = Stage::with_registry(Machine::new());
        let add = ("token add --registry localhost:55555 --quiet", NOTHING);
        stage.shows(Screen::Pipe, &[add]);
        let accounts = stage.machine.cloud.accounts();
        let id = accounts.registry_tokens().first()?.id.clone();
        accounts.expire_registry_token(&id);
        Some(stage)
    };
    scene(
        "token",
        ended,
        &[
            (
                "token add --registry localhost:55555 --description ci",
                NOTHING,
            ),
            (
                "token add --registry localhost:55555 --readwrite --non-expiring --login",
                NOTHING,
            ),
            (
                "token add --registry localhost:55555 --readwrite --non-expiring --json",
                NOTHING,
            ),
            ("token list --registry localhost:55555", NOTHING),
            ("token list --registry localhost:55555 --json", NOTHING),
            (
                "token get --registry localhost:55555 no-such-token",
                NOTHING,
            ),
            (
                "token rm --registry localhost:55555 no-such-token ../users",
                NOTHING,
            ),
            ("token list --registry ghcr.io", NOTHING),
        ],
    );
    let logged_in = || {
        let mut stage = Stage::with_registry(Machine::with_keychain()?);
        stage.machine.unset("IBMCLOUD_API_KEY");
        let host = stage.registry.as_ref()?;
        let outcome = stage.machine.store(host, "iamapikey", ENVIRONMENT_KEY);
        outcome.is_silent_success();
        Some(stage)
    };
    scene(
        "token-as-a-login",
        logged_in,
        &[
            (
                "token add --registry localhost:55555 --login",
                &[("Replace it? [y/N] ", "n")],
            ),
            (
                "token add --registry localhost:55555 --login --force",
                NOTHING,
            ),
            ("token list --registry localhost:55555", NOTHING),
        ],
    );
    let none = || {
        let stage = Stage::with_registry(Machine::new());
        stage.machine.cloud.script_for(
            Service::RegistryTokens,
            [Fault::Delay(std::time::Duration::ZERO), Fault::Status(410)],
        );
        Some(stage)
    };
    scene(
        "token-where-there-are-none",
        none,
        &[
            ("token list --registry localhost:55555", NOTHING),
            ("token list --registry localhost:55555", NOTHING),
        ],
    );
}

/// Somebody whose passwords lie in docker's file, which also names another helper.
fn with_docker() -> Option<Stage> {
    let stage = with_person()?;
    let auth = STANDARD.encode(format!("iamapikey:{KEY}"));
    stage.machine.plant(&auth);
    fs::create_dir_all(stage.machine.path("home/.docker")).expect("it is ours");
    let text = format!(
        "{{\n\t\"auths\": {{\n\t\t\"us.icr.io\": {{\n\t\t\t\"auth\": \"{auth}\"\n\t\t}}\n\t}},\n\t\"credHelpers\": {{\n\t\t\"uk.icr.io\": \"pass\"\n\t}}\n}}\n"
    );
    stage.machine.file("home/.docker/config.json", &text);
    Some(stage)
}

#[test]
fn the_helper_is_switched_on_and_off() {
    scene(
        "configure",
        with_docker,
        &[
            ("configure --all --dry-run --force", NOTHING),
            (
                "configure docker --registry us.icr.io uk.icr.io",
                &[("Replace it? [y/N] ", "n")],
            ),
            (
                "configure docker",
                &[("(Enter for us.icr.io)? ", ""), ("[Y/n] ", "y")],
            ),
            ("configure docker --registry us.icr.io --migrate", NOTHING),
            ("configure docker --registry us.icr.io", NOTHING),
            ("configure podman --registry us.icr.io", NOTHING),
            ("configure --undo --dry-run", NOTHING),
            ("configure --undo", NOTHING),
            ("configure --undo", NOTHING),
            ("configure docker --registry us.icr.io --json", NOTHING),
        ],
    );
    let nobodys = || {
        let stage = bare()?;
        let by_hand = "{\"credHelpers\": {\"uk.icr.io\": \"icr\"}}\n";
        stage.machine.file("home/.docker/config.json", by_hand);
        Some(stage)
    };
    scene(
        "configure-for-nobody",
        nobodys,
        &[
            ("configure --registry us.icr.io docker", NOTHING),
            ("configure docker --registry us.icr.io cp.icr.io", NOTHING),
            ("configure --undo", NOTHING),
        ],
    );
    let broken = || {
        let stage = with_docker()?;
        let text = "{\n  // a comment\n  \"auths\": {}\n}\n";
        stage.machine.file("home/.docker/config.json", text);
        Some(stage)
    };
    scene(
        "configure-a-broken-file",
        broken,
        &[("configure docker --registry us.icr.io", NOTHING)],
    );
    let odd = || {
        let stage = bare()?;
        let text = "{\"auths\": {}, \"auths\": {}}\n";
        stage.machine.file("home/.docker/config.json", text);
        Some(stage)
    };
    scene(
        "configure-an-odd-file",
        odd,
        &[
            ("configure docker --registry us.icr.io", NOTHING),
            ("status", NOTHING),
        ],
    );
}

#[test]
fn a_credential_is_printed() {
    let person = || {
        let mut stage = Stage::with_registry(Machine::new());
        stage.machine.secrets().clear();
        stage.machine.set("ICR_SOURCE", "environment");
        Some(stage)
    };
    scene(
        "print",
        person,
        &[
            ("print localhost:55555", NOTHING),
            ("print localhost:55555 --reveal", NOTHING),
            ("print ghcr.io --reveal", NOTHING),
            (
                "print localhost:55555 --reveal --credential token --format json",
                NOTHING,
            ),
            (
                "print localhost:55555 --reveal --credential password",
                NOTHING,
            ),
        ],
    );
    scene(
        "print-for-nobody",
        bare,
        &[("print us.icr.io --reveal", NOTHING)],
    );
}

#[test]
fn something_is_wrong() {
    let out_of_order = || {
        let mut stage = with_docker()?;
        let bin = stage.machine.path("bin");
        fs::create_dir(&bin).expect("it is ours");
        let program = env!("CARGO_BIN_EXE_docker-credential-icr");
        std::os::unix::fs::symlink(program, bin.join("docker-credential-icr")).expect("it is ours");
        stage.machine.plant("password-of-proxy");
        // How many the system has is another number on each machine.
        let authorities = stage.machine.path("authorities");
        Authority::create(&authorities).expect("a directory");
        stage
            .machine
            .set("PATH", bin)
            .set("SSL_CERT_DIR", authorities)
            .set("HTTPS_PROXY", "http://user:password-of-proxy@127.0.0.1:1")
            // What is measured is another number each time.
            .set("ICR_KEYCHAIN", "none")
            .set("IBMCLOUD_IAM_API_ENDPOINT", "http://127.0.0.1:1");
        Some(stage)
    };
    scene("doctor", out_of_order, &[("doctor", NOTHING)]);
}
