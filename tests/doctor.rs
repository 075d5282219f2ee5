//! What `doctor` finds, and whether its fixes work.

mod support;

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use expect_test::expect;
#[cfg(unix)]
use icr_emulator::Subject;
use serde_json::Value;
#[cfg(unix)]
use serde_json::json;

use support::ENVIRONMENT_KEY;
use support::Input;
use support::Machine;
use support::Outcome;
#[cfg(unix)]
use support::Screen;
use support::set_mode;

/// A machine without problems: the program on the PATH, an API key, and docker configured for a registry on loopback.
struct HealthyMachine {
    machine: Machine,
    registry: String,
}

impl HealthyMachine {
    fn new() -> Self {
        Self::on(Machine::with_environment_key())
    }

    fn on(machine: Machine) -> Self {
        let mut machine = machine.with_registry();
        let bin = machine.path("bin");
        fs::create_dir(&bin).expect("the directory is writable");
        link(&bin);
        machine.set("PATH", bin);
        machine.add_api_key(ENVIRONMENT_KEY, "environment");
        let [registry, _] = machine.registries();
        let healthy = Self { machine, registry };
        healthy.docker(&format!(
            "{{\"credHelpers\": {{\"{}\": \"icr\"}}}}",
            healthy.registry
        ));
        healthy
    }

    /// Writes docker's file.
    fn docker(&self, text: &str) {
        fs::create_dir_all(self.machine.path("home/.docker")).expect("the directory is writable");
        self.machine.file("home/.docker/config.json", text);
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        let mut all = vec!["doctor"];
        all.extend(arguments);
        self.machine.run(&all, Input::Open)
    }

    /// Returns all diagnostics, and whether the command succeeded.
    fn diagnostics(&self) -> (Vec<Value>, bool) {
        let outcome = self.run(&["--json"]);
        let answer: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
        let diagnostics = answer["diagnostics"].as_array().expect("a list").clone();
        for (verdict, key) in [("problem", "problem_count"), ("warning", "warning_count")] {
            let of_verdict = diagnostics.iter().filter(|it| it["verdict"] == verdict);
            assert_eq!(answer[key], of_verdict.count(), "{answer:#}");
        }
        (diagnostics, outcome.status == Some(0))
    }

    /// Asserts that a check has a diagnostic with this verdict and these parts of its text.
    #[track_caller]
    fn reports(&self, check: &str, verdict: &str, parts: &[&str]) {
        let (diagnostics, has_succeeded) = self.diagnostics();
        let diagnostic = diagnostics
            .iter()
            .filter(|diagnostic| diagnostic["check"] == check)
            .find(|diagnostic| diagnostic["verdict"] == verdict);
        let diagnostic =
            diagnostic.unwrap_or_else(|| panic!("no {verdict} of {check}: {diagnostics:#?}"));
        let text = format!("{} fix: {}", diagnostic["message"], diagnostic["fix"]);
        for part in parts {
            assert!(text.contains(part), "`{part}` is missing: {text}");
        }
        assert!(verdict != "problem" || !has_succeeded, "{diagnostics:#?}");
    }

    #[track_caller]
    fn does_not_report(&self, check: &str) {
        let (diagnostics, _) = self.diagnostics();
        let diagnostic = diagnostics
            .iter()
            .find(|diagnostic| diagnostic["check"] == check);
        assert_eq!(diagnostic, None);
    }

    #[track_caller]
    fn has_no_problems(&self) {
        let (diagnostics, has_succeeded) = self.diagnostics();
        let problems: Vec<&Value> = diagnostics
            .iter()
            .filter(|diagnostic| diagnostic["verdict"] == "problem")
            .collect();
        assert!(has_succeeded && problems.is_empty(), "{problems:#?}");
    }
}

#[cfg(unix)]
fn link(directory: &Path) {
    std::os::unix::fs::symlink(
        env!("CARGO_BIN_EXE_docker-credential-icr"),
        directory.join("docker-credential-icr"),
    )
    .expect("the program exists");
}

#[cfg(not(unix))]
fn link(directory: &Path) {
    let name = format!("docker-credential-icr{}", std::env::consts::EXE_SUFFIX);
    fs::copy(
        env!("CARGO_BIN_EXE_docker-credential-icr"),
        directory.join(name),
    )
    .expect("the program exists");
}

/// Writes a shell script.
#[cfg(unix)]
fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("the directory is writable"))
        .expect("the directory is writable");
    support::write_executable(format!("#!/bin/sh\n{text}\n").as_bytes(), path);
}

/// Returns a text with the parts that vary replaced.
fn without_variations(text: &str, healthy: &HealthyMachine) -> String {
    let root = healthy.machine.path("");
    let root = root.display().to_string();
    let text = text
        .replace(root.trim_end_matches('/'), "/m")
        .replace(&healthy.registry, "localhost:55555")
        .replace(&healthy.machine.cloud.url(), "https://localhost:55555");
    let mut result = String::new();
    for word in text.split_inclusive([' ', '\n']) {
        let digits = word.trim_start_matches(|character: char| character.is_ascii_digit());
        let is_number = digits.len() < word.len() && digits.trim().is_empty();
        if is_number && !result.ends_with("HTTP ") {
            result.push_str(&format!("7{digits}"));
        } else {
            result.push_str(word);
        }
    }
    result
}

#[test]
fn a_healthy_machine_has_no_problems() {
    let healthy = HealthyMachine::new();
    // The first run creates the directory of locks.
    healthy.has_no_problems();
    let outcome = healthy.run(&[]);
    assert_eq!((outcome.status, &*outcome.stderr), (Some(0), ""));
    expect![[r#"
        Program
          ok       /m/bin/docker-credential-icr 0.1.0

        Settings
          ok       /m/config/docker-credential-icr/config.toml can be read

        Clients
          ok       /m/home/.docker/config.json (docker) uses this helper for localhost:55555

        Keychains
          warning  no keychain is selected: logins cannot be stored, and each `get` requests a token
                   fix: Set ICR_KEYCHAIN=auto, or `keychain = "auto"` in the settings file

        Files
          ok       no locks held in /m/cache/docker-credential-icr/locks

        Sources
          ok       localhost:55555: the API key in $IBMCLOUD_API_KEY, user name iambearer (the first source with credentials)

        Network
          ok       no variable sets a proxy
          ok       trusts the system's 7 certificate authorities and 7 in /m/authority/authority.pem
          ok       IAM at https://localhost:55555 answered in 7 ms
          ok       this machine's clock differs from IAM's by 7 s
          ok       localhost:55555: token issued in 7 ms for user environment@registry-tests.example.com (IBMid-environment) of account account-1, user name iambearer
          ok       localhost:55555 accepted the token

        7 problems, 7 warning
    "#]].assert_eq(&without_variations(&outcome.stdout, &healthy));
    let mut healthy = healthy;
    healthy.machine.set("COLUMNS", "60");
    let narrow = healthy.run(&[]).stdout;
    let words = |text: &str| {
        without_variations(
            &text.split_whitespace().collect::<Vec<_>>().join(" "),
            &healthy,
        )
    };
    assert_eq!(
        words(&narrow),
        words(&outcome.stdout),
        "narrow lines have the same words"
    );
    let is_long = |line: &&str| line.chars().count() > 60 && line.split_whitespace().count() > 2;
    assert_eq!(narrow.lines().find(is_long), None);
    assert!(narrow.lines().count() > outcome.stdout.lines().count());
}

#[cfg(unix)]
#[test]
fn another_program_of_the_same_name_on_the_path_is_reported() {
    let mut healthy = HealthyMachine::new();
    let own = healthy.machine.path("bin");
    healthy.reports("path", "ok", &["/bin/docker-credential-icr"]);
    healthy.machine.set("PATH", "/nowhere");
    healthy.reports(
        "path",
        "problem",
        &["cannot find docker-credential-icr", "export PATH="],
    );
    let other = healthy.machine.path("other");
    let program = other.join("docker-credential-icr");
    let path = format!("{}:{}", other.display(), own.display());
    healthy.machine.set("PATH", &path);
    script(&program, "echo docker-credential-icr 0.1.0");
    healthy.reports(
        "path",
        "problem",
        &[
            "different program",
            "Remove",
            "/other/docker-credential-icr",
        ],
    );
    script(
        &program,
        "echo 'docker-credential-icr (docker-credential-icr) 0.0.1'",
    );
    healthy.reports("path", "warning", &["another version of this program"]);
    set_mode(&program, 0o644);
    healthy.reports("path", "ok", &["/bin/docker-credential-icr"]);
}

#[cfg(unix)]
#[test]
fn a_login_shell_that_does_not_find_the_program_is_reported() {
    let mut healthy = HealthyMachine::new();
    healthy.machine.set("SHELL", "/bin/sh");
    healthy.reports(
        "login-shell",
        "warning",
        &[
            "does not find",
            "Add to ~/.profile: export PATH=",
            "/bin:$PATH",
        ],
    );
    let own = healthy.machine.path("bin").display().to_string();
    let profile = format!("echo Welcome\nPATH=\"{own}:$PATH\"\n");
    healthy.machine.file("home/.profile", &profile);
    healthy.reports("login-shell", "ok", &["/bin/docker-credential-icr"]);
    // The background process holds the shell's output open until something is written to the pipe.
    let pipe = healthy.machine.path("pipe");
    let background = format!("mkfifo {0}; cat {0} &\n{profile}", pipe.display());
    healthy.machine.file("home/.profile", &background);
    let (diagnostics, _) = healthy.diagnostics();
    // Opened for reading, too: opening does not block if the background process does not exist.
    let mut pipe = fs::File::options();
    pipe.read(true)
        .write(true)
        .open(healthy.machine.path("pipe"))
        .unwrap();
    let login_shell = diagnostics.iter().find(|it| it["check"] == "login-shell");
    assert_eq!(login_shell.map(|it| &it["verdict"]), Some(&"ok".into()));
}

#[test]
fn settings_that_cannot_be_read_are_a_problem() {
    let healthy = HealthyMachine::new();
    healthy.machine.settings("colour = 1\n");
    healthy.reports(
        "settings",
        "problem",
        &["colour", "config.toml is wrong at line 1"],
    );
}

#[test]
fn whatever_shadows_the_helper_is_reported() {
    let mut healthy = HealthyMachine::new();
    // No requests leave this machine.
    healthy
        .machine
        .set("HTTPS_PROXY", "http://127.0.0.1:1")
        .set("NO_PROXY", "localhost");
    healthy.machine.plant("dXNlcjpzZWNyZXQtb2YtYS1wZXJzb24=");
    healthy.machine.plant("secret-of-a-person");
    let auth = r#""auths": {"us.icr.io": {"auth": "dXNlcjpzZWNyZXQtb2YtYS1wZXJzb24="}}"#;
    let ours = format!("\"credHelpers\": {{\"{}\": \"icr\"", healthy.registry);
    healthy.docker(&format!("{{{auth}, {ours}}}}}"));
    healthy.reports(
        "plaintext-password",
        "problem",
        &[
            "us.icr.io",
            "instead of this helper",
            "configure docker --registry us.icr.io --migrate\"",
        ],
    );
    healthy.docker(&format!("{{{auth}, {ours}, \"us.icr.io\": \"icr\"}}}}"));
    healthy.reports("plaintext-password", "warning", &["us.icr.io", "--migrate"]);
    healthy.docker(&format!(
        "{{{ours}, \"uk.icr.io\": \"pass\", \"gcr.io\": \"icr\"}}}}"
    ));
    healthy.reports(
        "other-helper",
        "warning",
        &[
            "docker-credential-pass for uk.icr.io",
            "configure docker --registry uk.icr.io --force",
        ],
    );
    healthy.reports(
        "foreign-host",
        "warning",
        &["gcr.io", "not an IBM Cloud registry"],
    );
    healthy.docker(r#"{"credsStore": "desktop"}"#);
    healthy.reports(
        "creds-store",
        "warning",
        &["docker-credential-desktop", "configure docker"],
    );
    healthy.docker(&format!("{{{ours}}}, \"credsStore\": \"icr\"}}"));
    healthy.reports("creds-store", "warning", &["all registries"]);
    fs::create_dir_all(healthy.machine.path("runtime/containers")).unwrap();
    healthy.machine.file("runtime/containers/auth.json", "{}");
    let fix = format!("configure podman --registry {}", healthy.registry);
    healthy.docker(&format!("{{{ours}}}}}"));
    healthy.reports("podman-login", "warning", &["plaintext password", &fix]);
    healthy.docker("{ no JSON");
    healthy.reports(
        "client-file",
        "problem",
        &["neither this program nor docker can read ", "config.json"],
    );
    healthy.docker(r#"{"auths": {}, "auths": {}}"#);
    healthy.reports(
        "client-file",
        "warning",
        &[
            "does not read or change",
            "`auths` is there twice",
            "docker may read it",
        ],
    );
    healthy.docker("{}");
    healthy.reports(
        "configured-clients",
        "warning",
        &["no client is configured", "configure"],
    );
}

#[test]
fn passwords_that_cannot_be_migrated_are_reported_with_the_reason() {
    let healthy = HealthyMachine::new();
    let auth = |password: &str| {
        let auth = STANDARD.encode(format!("iamapikey:{password}"));
        healthy.machine.plant(password);
        healthy.machine.plant(&auth);
        auth
    };
    let (one, other) = (auth("PASSWORD-ONE-3c1d"), auth("PASSWORD-TWO-8e2f"));
    let reported = |auths: &str| {
        healthy.docker(&format!("{{\"auths\": {{{auths}}}}}"));
        let (diagnostics, _) = healthy.diagnostics();
        let of_passwords = diagnostics
            .into_iter()
            .filter(|diagnostic| diagnostic["check"] == "plaintext-password");
        let path = healthy.machine.path("home/.docker/config.json");
        let path = path.display().to_string();
        let lines = of_passwords.map(|diagnostic| {
            let part = |name: &str| {
                diagnostic[name]
                    .as_str()
                    .unwrap_or("-")
                    .replace(&path, "FILE")
            };
            format!(
                "{}: {} fix: {}",
                part("verdict"),
                part("message"),
                part("fix")
            )
        });
        lines.collect::<Vec<_>>()
    };
    let same = format!(
        "\"us.icr.io\": {{\"auth\": \"{one}\"}}, \"https://us.icr.io/v1/\": {{\"auth\": \"{one}\"}}"
    );
    assert_eq!(
        reported(&same),
        [
            "problem: FILE contains plaintext passwords for us.icr.io, which docker uses instead of this helper fix: Select a keychain with ICR_KEYCHAIN=auto, then run: docker-credential-icr configure docker --registry us.icr.io --migrate"
        ]
    );
    let different = format!(
        "\"us.icr.io\": {{\"auth\": \"{one}\"}}, \"us.icr.io/x\": {{\"auth\": \"{other}\"}}, \"de.icr.io\": {{\"identitytoken\": \"t\"}}"
    );
    assert_eq!(
        reported(&different),
        [
            "problem: what lies for `de.icr.io` in FILE is a token of the registry's own, which nobody else can use fix: log out with the client that wrote it, and log in again",
            "problem: there are different passwords for us.icr.io in FILE fix: take out those that are not meant, then run it again",
        ]
    );
    let of_another = format!(
        "\"us.icr.io\": {{\"auth\": \"{one}\"}}}}, \"credHelpers\": {{\"us.icr.io\": \"pass\""
    );
    assert_eq!(
        reported(&of_another),
        [
            "warning: FILE contains plaintext passwords for us.icr.io fix: Select a keychain with ICR_KEYCHAIN=auto, then run: docker-credential-icr configure docker --registry us.icr.io --migrate --force"
        ]
    );
}

#[test]
fn further_files_of_clients_are_checked() {
    let mut healthy = HealthyMachine::new();
    healthy
        .machine
        .set("HTTPS_PROXY", "http://127.0.0.1:1")
        .set("NO_PROXY", "localhost");
    let auth = STANDARD.encode("iamapikey:PASSWORD-ONE-3c1d");
    healthy.machine.plant(&auth);
    let auths =
        format!("{{\"us.icr.io\": {{\"auth\": \"{auth}\"}}, \"x.io\": {{\"auth\": \"eDp5\"}}}}");
    healthy.machine.file("home/.dockercfg", &auths);
    healthy.reports(
        "plaintext-password",
        "warning",
        &[
            "home/.dockercfg contains plaintext passwords",
            "for us.icr.io, which podman",
            "Remove us.icr.io from",
        ],
    );
    healthy.machine.file(
        "config/helm/registry/config.json",
        &format!("{{\"auths\": {auths}}}"),
    );
    healthy.reports(
        "helm",
        "warning",
        &[
            "helm/registry/config.json contains logins for us.icr.io",
            "helm registry logout us.icr.io\"",
        ],
    );
    healthy.docker("{}");
    healthy.reports(
        "configured-clients",
        "warning",
        &["no client is configured"],
    );
    let settings = "home/.config/containers/registries.conf";
    healthy
        .machine
        .file(settings, "credential-helpers = [\"icr\"]\n");
    healthy.does_not_report("configured-clients");
    healthy.reports(
        "credential-helpers",
        "warning",
        &[
            "registries.conf (podman",
            "all registries",
            "Add \\\"containers-auth.json\\\" after",
        ],
    );
    healthy.machine.file(
        settings,
        "credential-helpers = [\"icr\", \"containers-auth.json\"]\n",
    );
    healthy.reports("credential-helpers", "ok", &["all registries"]);
    healthy.docker(r#"{"credHelpers": {"us.icr.io": "icr"}}"#);
    healthy.machine.file("runtime/containers/auth.json", "{}");
    // `podman login` gives the password to this helper first.
    healthy.does_not_report("podman-login");
}

/// Runs each fix that is a command of this program.
#[cfg(unix)]
#[test]
fn the_suggested_commands_fix_the_problems() {
    let Some(machine) = Machine::with_keychain() else {
        return;
    };
    let mut healthy = HealthyMachine::on(machine);
    healthy
        .machine
        .set("HTTPS_PROXY", "http://127.0.0.1:1")
        .set("NO_PROXY", "localhost,127.0.0.1")
        .set("TERM", "dumb");
    healthy.machine.plant(ENVIRONMENT_KEY);
    let auth = STANDARD.encode(format!("iamapikey:{ENVIRONMENT_KEY}"));
    healthy.machine.plant(&auth);
    let registry = healthy.registry.clone();
    let podman = "runtime/containers/auth.json";
    let auths = format!("\"auths\": {{\"{registry}\": {{\"auth\": \"{auth}\"}}}}");
    let log_in = |healthy: &HealthyMachine| {
        let outcome = healthy
            .machine
            .store(&registry, "iamapikey", ENVIRONMENT_KEY);
        outcome.is_silent_success();
    };
    type Damage<'a> = &'a dyn Fn(&HealthyMachine);
    let damages: [(&str, Damage<'_>); 9] = [
        ("source", &|_| {}),
        ("configured-clients", &|healthy| {
            log_in(healthy);
            healthy.docker("{}");
        }),
        ("creds-store", &|healthy| {
            log_in(healthy);
            healthy.docker(r#"{"credsStore": "desktop"}"#);
        }),
        ("podman-login", &|healthy| {
            healthy.machine.file(podman, "{}");
        }),
        ("other-helper", &|healthy| {
            healthy.docker(r#"{"credHelpers": {"us.icr.io": "pass"}}"#);
        }),
        ("plaintext-password", &|healthy| {
            healthy.docker(&format!("{{{auths}}}"))
        }),
        ("plaintext-password", &|healthy| {
            healthy.docker(&format!(
                "{{{auths}, \"credHelpers\": {{\"{registry}\": \"pass\"}}}}"
            ));
        }),
        ("plaintext-password", &|healthy| {
            healthy.docker(&format!(
                "{{{auths}, \"credHelpers\": {{\"{registry}\": \"icr\"}}}}"
            ));
        }),
        ("api-key-expiry", &|healthy| {
            let token = "REFRESH-TOKEN-OF-THE-CLI-41d7";
            healthy.machine.plant(token);
            let accounts = healthy.machine.cloud.accounts();
            accounts.add_refresh_token(token, Subject::user("tls"));
            let session =
                json!({"IAMEndpoint": healthy.machine.cloud.url(), "IAMRefreshToken": token});
            healthy.machine.cli_session(&session);
            let login = [
                "login",
                "--from-ibmcloud",
                "--create-api-key",
                "--expires=9",
                &registry,
            ];
            let outcome = healthy.machine.run(&login, Input::Open);
            assert_eq!(outcome.status, Some(0), "{outcome:?}");
        }),
    ];
    for (check, damage) in damages {
        let erased = healthy.machine.erase(&registry);
        assert_eq!(erased.status, Some(0), "{erased:?}");
        let _ = fs::remove_file(healthy.machine.path(podman));
        healthy.docker(&format!("{{\"credHelpers\": {{\"{registry}\": \"icr\"}}}}"));
        damage(&healthy);
        let of_check = || {
            let (diagnostics, _) = healthy.diagnostics();
            let diagnostic = diagnostics
                .into_iter()
                .find(|it| it["check"] == check && it["verdict"] != "ok");
            diagnostic.map(|diagnostic| diagnostic["fix"].as_str().unwrap_or_default().to_owned())
        };
        let fix = of_check().unwrap_or_else(|| panic!("{check} reports no problem"));
        let dialog: &[(&str, &str)] = match check {
            "source" => &[("API key: ", ENVIRONMENT_KEY)],
            "configured-clients" => &[("[Y/n]", ""), ("registries", "")],
            "creds-store" => &[("registries", "")],
            _ => &[],
        };
        let command = fix.strip_prefix("docker-credential-icr ");
        let command =
            command.unwrap_or_else(|| panic!("{check}: not a command of this program: {fix}"));
        let shown = Screen::Terminal(200).shows(&healthy.machine, &[(command, dialog)]);
        assert_eq!(of_check(), None, "{fix}: {shown:?}");
    }
}

#[test]
fn the_test_item_is_deleted_from_the_keychain() {
    let Some(mut machine) = Machine::with_keychain() else {
        return;
    };
    machine.set_environment_key();
    let healthy = HealthyMachine::on(machine);
    healthy.reports("keychain-logins", "ok", &["the kernel keyring", " ms"]);
    healthy.reports("kernel-quota", "ok", &[" keys and ", " bytes"]);
    let names = healthy.machine.keys().names();
    assert!(
        names.iter().all(|name| !name.contains("probe")),
        "{names:?}"
    );
    let mut healthy = HealthyMachine::new();
    healthy.reports("keychain", "warning", &["no keychain", "ICR_KEYCHAIN=auto"]);
    healthy.machine.set("ICR_KEYCHAIN", "secret-service");
    healthy.reports(
        "keychain-logins",
        "problem",
        &[
            "cannot store logins",
            "no D-Bus session bus",
            "ICR_KEYCHAIN=auto",
        ],
    );
}

#[test]
fn the_active_source_is_reported_with_the_reason() {
    let mut healthy = HealthyMachine::new();
    healthy.reports(
        "source",
        "ok",
        &[
            "the API key in $IBMCLOUD_API_KEY, user name iambearer",
            "the first source with credentials",
        ],
    );
    healthy.machine.set("ICR_SOURCE", "environment");
    healthy.reports("source", "ok", &["selected by $ICR_SOURCE"]);
    healthy.reports(
        "forced",
        "ok",
        &["$ICR_SOURCE selects 'environment' for all registries"],
    );
    healthy
        .machine
        .unset("ICR_SOURCE")
        .unset("IBMCLOUD_API_KEY");
    healthy.reports(
        "source",
        "warning",
        &[
            "not logged in; pulls are anonymous",
            "docker-credential-icr login\"",
        ],
    );
    healthy.has_no_problems();
    healthy.machine.set("IBMCLOUD_API_KEY", "@/does/not/exist");
    healthy.reports("source", "problem", &["/does/not/exist", "fix: null"]);
    healthy.machine.unset("IBMCLOUD_API_KEY");
    healthy.docker(r#"{"credHelpers": {"cp.icr.io": "icr"}}"#);
    let fix = "docker login -u cp cp.icr.io";
    healthy.reports(
        "source",
        "warning",
        &["not logged in; pulls are anonymous", fix],
    );
}

#[test]
fn each_step_of_the_network_is_checked() {
    let mut healthy = HealthyMachine::new();
    let url = healthy.machine.cloud.url();
    healthy.reports("iam", "ok", &[&url, "answered in"]);
    healthy.reports("clock", "ok", &["by 0 s"]);
    healthy.reports("exchange", "ok", &["IBMid-environment", "account-1"]);
    healthy.reports("registry", "ok", &["accepted the token"]);
    healthy.reports("proxy", "ok", &["no variable sets a proxy"]);
    healthy.reports("certificates", "ok", &["authority"]);
    healthy.machine.plant("password-of-the-proxy");
    healthy
        .machine
        .set(
            "HTTPS_PROXY",
            "http://user:password-of-the-proxy@127.0.0.1:1",
        )
        .set("NO_PROXY", "localhost");
    healthy.reports(
        "proxy",
        "ok",
        &[
            "HTTPS_PROXY=http://[redacted]@127.0.0.1:1",
            "NO_PROXY=localhost",
        ],
    );
    healthy.reports("iam", "ok", &[]);
    healthy.machine.unset("NO_PROXY");
    let message = format!("\"IAM at {url} is not available");
    healthy.reports("iam", "problem", &[&message, "proxy"]);
    healthy.machine.set("HTTPS_PROXY", "bogus://x");
    healthy.reports(
        "proxy",
        "warning",
        &["HTTPS_PROXY=bogus://x is not a usable proxy", "or unset it"],
    );
    healthy.machine.unset("HTTPS_PROXY");
    healthy
        .machine
        .cloud
        .accounts()
        .revoke_api_key(ENVIRONMENT_KEY);
    healthy.reports(
        "exchange",
        "problem",
        &["BXNIM0415E", "fix: \"Set a new key in $IBMCLOUD_API_KEY"],
    );
    healthy.reports("iam", "ok", &[]);
}

#[test]
fn a_new_token_is_requested_but_not_cached() {
    let Some(mut machine) = Machine::with_keychain() else {
        return;
    };
    machine.set_environment_key();
    let healthy = HealthyMachine::on(machine);
    let [host, other] = healthy.machine.registries();
    healthy
        .machine
        .settings(&format!("registries = [\"{host}\", \"{other}\"]\n"));
    healthy.docker(&format!(
        "{{\"credHelpers\": {{\"{host}\": \"icr\", \"{other}\": \"icr\"}}}}"
    ));
    let cached = healthy.machine.get(&host).is_credential("iambearer");
    let exchanges = healthy.machine.cloud.exchanges();
    healthy.reports("exchange", "ok", &["IBMid-environment"]);
    assert_eq!(
        healthy.machine.cloud.exchanges() - exchanges,
        1,
        "one exchange for both registries"
    );
    healthy
        .machine
        .cloud
        .accounts()
        .revoke_api_key(ENVIRONMENT_KEY);
    healthy.reports(
        "exchange",
        "problem",
        &["BXNIM0415E", "fix: \"Set a new key in $IBMCLOUD_API_KEY"],
    );
    let served = healthy.machine.get(&host).is_credential("iambearer");
    assert_eq!(served, cached, "the cached token remains");
}

#[test]
fn a_refresh_token_that_iam_replaces_is_stored() {
    let Some(machine) = Machine::with_keychain() else {
        return;
    };
    let healthy = HealthyMachine::on(machine);
    healthy.machine.add_refresh_token("A-REFRESH-TOKEN", "me");
    healthy.machine.cloud.accounts().set_refresh_rotation(true);
    healthy
        .machine
        .store(&healthy.registry, "iamrefresh", "A-REFRESH-TOKEN")
        .is_silent_success();
    for _ in 0..2 {
        healthy.reports("exchange", "ok", &["IBMid-me"]);
    }
    let owner = healthy.machine.get(&healthy.registry).is_token_of();
    assert_eq!(owner, "IBMid-me");
}

#[test]
fn the_error_of_a_registry_is_reported() {
    let Some(machine) = Machine::with_keychain() else {
        return;
    };
    let healthy = HealthyMachine::on(machine);
    healthy
        .machine
        .store(&healthy.registry, "token", "A-PASSWORD-THAT-IS-WRONG")
        .is_silent_success();
    healthy.reports(
        "registry",
        "problem",
        &[
            &format!("\"{} refused `token`", healthy.registry),
            "not valid",
            "log in again",
            "HTTP 401",
            "fix: null",
        ],
    );
}

#[cfg(unix)]
#[test]
fn files_that_other_users_can_read_or_change_are_reported() {
    let Some(mut machine) = Machine::with_keychain() else {
        return;
    };
    machine.set_environment_key();
    let healthy = HealthyMachine::on(machine);
    healthy.machine.get("us.icr.io").is_token_of();
    healthy.reports("locks", "ok", &["no locks held"]);
    let locks = healthy.machine.path("cache/docker-credential-icr/locks");
    let lock = fs::read_dir(&locks)
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.display().to_string().contains("identity"))
        .unwrap();
    let held = fs::File::options().write(true).open(&lock).unwrap();
    held.lock().unwrap();
    healthy.reports(
        "locks",
        "warning",
        &["other processes hold 1 lock", "fuser"],
    );
    drop(held);
    set_mode(&lock, 0o666);
    healthy.reports("modes", "warning", &["others can write", "chmod"]);
    set_mode(&lock, 0o600);
    let file = healthy.machine.path("home/.docker/config.json");
    let folder = healthy.machine.path("home/.docker");
    for (of_folder, of_file, words) in [
        (0o700, 0o666, Some("others can write to it (mode 0666)")),
        (0o777, 0o600, Some("its directory (mode 0777)")),
        (0o1777, 0o600, None),
    ] {
        set_mode(&folder, of_folder);
        set_mode(&file, of_file);
        match words {
            Some(words) => healthy.reports(
                "modes",
                "warning",
                &["config.json: ", words, "start other programs", "chmod go-w"],
            ),
            None => healthy.does_not_report("modes"),
        }
    }
    fs::create_dir_all(healthy.machine.path("config/docker-credential-icr/tokens")).unwrap();
    healthy
        .machine
        .file("config/docker-credential-icr/tokens/us.icr.io.json", "{}");
    healthy.reports(
        "plaintext-tokens",
        "warning",
        &["unencrypted tokens", "rm -r"],
    );
}

#[test]
fn certificates_are_checked_as_for_a_request() {
    let mut healthy = HealthyMachine::new();
    healthy.reports(
        "certificates",
        "ok",
        &["the system's ", " and 1 in ", "authority.pem"],
    );
    healthy.machine.set("SSL_CERT_FILE", "/nonexistent");
    healthy.reports(
        "certificates",
        "problem",
        &["$SSL_CERT_FILE names /nonexistent", "or unset it"],
    );
    // No requests leave this machine.
    healthy
        .machine
        .unset("SSL_CERT_FILE")
        .set("HTTPS_PROXY", "http://127.0.0.1:1")
        .set("NO_PROXY", "localhost");
    let (diagnostics, _) = healthy.diagnostics();
    let certificates = diagnostics
        .iter()
        .find(|diagnostic| diagnostic["check"] == "certificates");
    let certificates = certificates.expect("it is checked");
    let message = certificates["message"].as_str().expect("a text");
    assert!(message.contains("certificate authorities"), "{message}");
    #[cfg(target_os = "linux")]
    {
        let directory = healthy.machine.path("authority");
        healthy.machine.set("SSL_CERT_DIR", directory);
        let message = "trusts the 2 certificate authorities in $SSL_CERT_DIR";
        healthy.reports("certificates", "ok", &[message]);
    }
}

#[test]
fn the_report_is_a_new_file_without_secrets() {
    let healthy = HealthyMachine::new();
    healthy.machine.plant("c29tZWJvZHk6YS1wYXNzd29yZA==");
    healthy.docker(&format!(
        "{{\"auths\": {{\"gcr.io\": {{\"auth\": \"c29tZWJvZHk6YS1wYXNzd29yZA==\"}}}}, \"credHelpers\": {{\"{}\": \"icr\"}}}}",
        healthy.registry
    ));
    let path = healthy.machine.path("report.txt");
    let arguments = ["--report", path.to_str().unwrap()];
    let outcome = healthy.run(&arguments);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert!(
        outcome.stderr.contains("Read it before you send it"),
        "{outcome:?}"
    );
    let report = fs::read_to_string(&path).unwrap();
    for part in [
        "docker-credential-icr 0.1.0",
        "Network",
        "IBMCLOUD_API_KEY",
        "gcr.io",
        "[redacted]",
    ] {
        assert!(report.contains(part), "{part} is missing in {report}");
    }
    for secret in healthy.machine.secrets().iter() {
        assert!(!report.contains(secret), "{secret} in {report}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let outcome = healthy.run(&arguments);
    assert_eq!(outcome.status, Some(1));
    assert!(outcome.stderr.contains("already exists"), "{outcome:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), report);
}

#[test]
fn without_an_older_program_there_is_nothing_to_take_over() {
    let healthy = HealthyMachine::new();
    let outcome = healthy.run(&["--take-over"]);
    assert_eq!(outcome.status, Some(1));
    assert!(
        outcome.stderr.contains("no login of an older program"),
        "{outcome:?}"
    );
}

#[test]
fn the_help_has_examples() {
    let outcome = Machine::new().run(&["doctor", "--help"], Input::Open);
    expect![[r#"
        Diagnose problems and suggest fixes

        Checks the program and the PATH, the settings, the clients' files, the
        keychains, the sources and other files. Requests new tokens from IAM and shows
        them to the registries. Changes nothing: locks are released, and test items in
        the keychains are deleted. Only a refresh token that IAM replaces is stored,
        because the login would be lost otherwise.

        Usage: docker-credential-icr doctor [OPTIONS]

        Options:
              --report <FILE>
                  Write a report without secrets to a new file

              --json
                  Print JSON

              --take-over
                  Store the logins of an older program of the same name as logins of this one

          -h, --help
                  Print help (see a summary with '-h')

        Examples:
          docker-credential-icr doctor
          docker-credential-icr doctor --report report.txt   for a bug report; no secrets
          docker-credential-icr doctor --json

        Exit status: 0 if there are no problems (warnings are allowed), otherwise 1.
    "#]]
    .assert_eq(&outcome.stdout);
}
