//! What does `doctor` find, and does it tell what mends it?

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

/// A machine where all is well: the program on the PATH, an API key, a client that asks for a registry on loopback.
struct Ward {
    machine: Machine,
    registry: String,
}

impl Ward {
    fn new() -> Self {
        Self::on(Machine::with_environment_key())
    }

    fn on(machine: Machine) -> Self {
        let mut machine = machine.with_registry();
        let bin = machine.path("bin");
        fs::create_dir(&bin).expect("it is ours");
        link(&bin);
        machine.set("PATH", bin);
        machine.add_api_key(ENVIRONMENT_KEY, "environment");
        let [registry, _] = machine.registries();
        let ward = Self { machine, registry };
        ward.docker(&format!(
            "{{\"credHelpers\": {{\"{}\": \"icr\"}}}}",
            ward.registry
        ));
        ward
    }

    /// Writes docker's file.
    fn docker(&self, text: &str) {
        fs::create_dir_all(self.machine.path("home/.docker")).expect("it is ours");
        self.machine.file("home/.docker/config.json", text);
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        let mut all = vec!["doctor"];
        all.extend(arguments);
        self.machine.run(&all, Input::Open)
    }

    /// Every finding, and whether it succeeded.
    fn findings(&self) -> (Vec<Value>, bool) {
        let outcome = self.run(&["--json"]);
        let answer: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
        let findings = answer["findings"].as_array().expect("a list").clone();
        let problems = findings.iter().filter(|it| it["verdict"] == "problem");
        assert_eq!(answer["problems"], problems.count(), "{answer:#}");
        (findings, outcome.status == Some(0))
    }

    /// What a check said; that nothing is worse than that is for the exit status to tell.
    #[track_caller]
    fn says(&self, check: &str, verdict: &str, parts: &[&str]) {
        let (findings, is_well) = self.findings();
        let finding = findings
            .iter()
            .filter(|finding| finding["check"] == check)
            .find(|finding| finding["verdict"] == verdict);
        let finding = finding.unwrap_or_else(|| panic!("no {verdict} of {check}: {findings:#?}"));
        let text = format!("{} > {}", finding["seen"], finding["mend"]);
        for part in parts {
            assert!(text.contains(part), "`{part}` is missing: {text}");
        }
        assert!(verdict != "problem" || !is_well, "{findings:#?}");
    }

    #[track_caller]
    fn is_silent_about(&self, check: &str) {
        let (findings, _) = self.findings();
        let finding = findings.iter().find(|finding| finding["check"] == check);
        assert_eq!(finding, None);
    }

    #[track_caller]
    fn is_well(&self) {
        let (findings, is_well) = self.findings();
        let bad: Vec<&Value> = findings
            .iter()
            .filter(|finding| finding["verdict"] == "problem")
            .collect();
        assert!(is_well && bad.is_empty(), "{bad:#?}");
    }
}

#[cfg(unix)]
fn link(directory: &Path) {
    std::os::unix::fs::symlink(
        env!("CARGO_BIN_EXE_docker-credential-icr"),
        directory.join("docker-credential-icr"),
    )
    .expect("it is there");
}

#[cfg(not(unix))]
fn link(directory: &Path) {
    let name = format!("docker-credential-icr{}", std::env::consts::EXE_SUFFIX);
    fs::copy(
        env!("CARGO_BIN_EXE_docker-credential-icr"),
        directory.join(name),
    )
    .expect("it is there");
}

/// Makes a program of these lines.
#[cfg(unix)]
fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("it is ours")).expect("it is ours");
    support::write_executable(format!("#!/bin/sh\n{text}\n").as_bytes(), path);
}

/// Without what is another one each time.
fn steady(text: &str, ward: &Ward) -> String {
    let root = ward.machine.path("");
    let root = root.display().to_string();
    let text = text
        .replace(root.trim_end_matches('/'), "/m")
        .replace(&ward.registry, "localhost:55555")
        .replace(&ward.machine.cloud.url(), "https://localhost:55555");
    let mut steady = String::new();
    for word in text.split_inclusive([' ', '\n']) {
        let digits = word.trim_start_matches(|character: char| character.is_ascii_digit());
        let is_number = digits.len() < word.len() && digits.trim().is_empty();
        if is_number && !steady.ends_with("HTTP ") {
            steady.push_str(&format!("7{digits}"));
        } else {
            steady.push_str(word);
        }
    }
    steady
}

#[test]
fn where_all_is_well_it_says_so() {
    let ward = Ward::new();
    // The first makes the directory of locks.
    ward.is_well();
    let outcome = ward.run(&[]);
    assert_eq!((outcome.status, &*outcome.stderr), (Some(0), ""));
    expect![[r#"
        Program
          ok       /m/bin/docker-credential-icr 0.1.0

        Settings
          ok       /m/config/docker-credential-icr/config.toml can be understood

        Clients
          ok       /m/home/.docker/config.json (docker) asks this program for localhost:55555

        Keychains
          warning  the settings choose no keychain: no login is kept, and every `get` asks IAM
                   > ICR_KEYCHAIN=auto, or `keychain = "auto"` in the settings file

        Files
          ok       nobody holds a lock in /m/cache/docker-credential-icr/locks

        Who you are
          ok       localhost:55555: the API key in $IBMCLOUD_API_KEY gives `iambearer`, which comes before any other that is there

        Network
          ok       no variable names a proxy
          ok       the system's 7 certificate authorities are trusted, and 7 in /m/authority/authority.pem
          ok       IAM at https://localhost:55555 answered after 7 ms
          ok       this machine's clock is 7 s off IAM's
          ok       localhost:55555: `get` answers `iambearer` after 7 ms, which is user environment@registry-tests.example.com (IBMid-environment) of account account-1
          ok       localhost:55555 takes it

        7 problems, 7 warning.
    "#]].assert_eq(&steady(&outcome.stdout, &ward));
    let mut ward = ward;
    ward.machine.set("COLUMNS", "60");
    let narrow = ward.run(&[]).stdout;
    let words = |text: &str| {
        steady(
            &text.split_whitespace().collect::<Vec<_>>().join(" "),
            &ward,
        )
    };
    assert_eq!(words(&narrow), words(&outcome.stdout), "the same words");
    let is_long = |line: &&str| line.chars().count() > 60 && line.split_whitespace().count() > 2;
    assert_eq!(narrow.lines().find(is_long), None);
    assert!(narrow.lines().count() > outcome.stdout.lines().count());
}

#[cfg(unix)]
#[test]
fn clients_must_find_this_very_program() {
    let mut ward = Ward::new();
    let own = ward.machine.path("bin");
    ward.says("path", "ok", &["/bin/docker-credential-icr"]);
    ward.machine.set("PATH", "/nowhere");
    ward.says(
        "path",
        "problem",
        &["find no docker-credential-icr", "export PATH="],
    );
    let other = ward.machine.path("other");
    let program = other.join("docker-credential-icr");
    let path = format!("{}:{}", other.display(), own.display());
    ward.machine.set("PATH", &path);
    script(&program, "echo docker-credential-icr 0.1.0");
    ward.says(
        "path",
        "problem",
        &["not this one", "remove", "/other/docker-credential-icr"],
    );
    script(
        &program,
        "echo 'docker-credential-icr (docker-credential-icr) 0.0.1'",
    );
    ward.says("path", "warning", &["another version first"]);
    set_mode(&program, 0o644);
    ward.says("path", "ok", &["/bin/docker-credential-icr"]);
}

#[cfg(unix)]
#[test]
fn a_login_shell_must_find_it_as_well() {
    let mut ward = Ward::new();
    ward.machine.set("SHELL", "/bin/sh");
    ward.says("login-shell", "warning", &["does not find", "~/.profile"]);
    let own = ward.machine.path("bin").display().to_string();
    let profile = format!("echo Welcome\nPATH=\"{own}:$PATH\"\n");
    ward.machine.file("home/.profile", &profile);
    ward.says("login-shell", "ok", &["/bin/docker-credential-icr"]);
    // Whoever is left behind holds the shell's output until somebody writes to the pipe.
    let pipe = ward.machine.path("pipe");
    let left_behind = format!("mkfifo {0}; cat {0} &\n{profile}", pipe.display());
    ward.machine.file("home/.profile", &left_behind);
    let (findings, _) = ward.findings();
    // For reading, too: so it waits for nobody, should nobody have been left behind.
    let mut pipe = fs::File::options();
    pipe.read(true)
        .write(true)
        .open(ward.machine.path("pipe"))
        .unwrap();
    let seen = findings.iter().find(|it| it["check"] == "login-shell");
    assert_eq!(seen.map(|it| &it["verdict"]), Some(&"ok".into()));
}

#[test]
fn settings_that_cannot_be_read_are_a_problem() {
    let ward = Ward::new();
    ward.machine.settings("colour = 1\n");
    ward.says(
        "settings",
        "problem",
        &["colour", "config.toml is wrong at line 1"],
    );
}

#[test]
fn what_shadows_the_helper_is_found() {
    let mut ward = Ward::new();
    // Nobody is asked who is not on this machine.
    ward.machine
        .set("HTTPS_PROXY", "http://127.0.0.1:1")
        .set("NO_PROXY", "localhost");
    ward.machine.plant("dXNlcjpzZWNyZXQtb2YtYS1wZXJzb24=");
    ward.machine.plant("secret-of-a-person");
    let auth = r#""auths": {"us.icr.io": {"auth": "dXNlcjpzZWNyZXQtb2YtYS1wZXJzb24="}}"#;
    let ours = format!("\"credHelpers\": {{\"{}\": \"icr\"", ward.registry);
    ward.docker(&format!("{{{auth}, {ours}}}}}"));
    ward.says(
        "password-in-clear",
        "problem",
        &[
            "us.icr.io",
            "instead of asking",
            "configure docker --registry us.icr.io --migrate\"",
        ],
    );
    ward.docker(&format!("{{{auth}, {ours}, \"us.icr.io\": \"icr\"}}}}"));
    ward.says("password-in-clear", "warning", &["us.icr.io", "--migrate"]);
    ward.docker(&format!(
        "{{{ours}, \"uk.icr.io\": \"pass\", \"gcr.io\": \"icr\"}}}}"
    ));
    ward.says(
        "another-helper",
        "warning",
        &[
            "docker-credential-pass for uk.icr.io",
            "configure docker --registry uk.icr.io --force",
        ],
    );
    ward.says(
        "foreign-host",
        "warning",
        &["gcr.io", "no registry of IBM Cloud"],
    );
    ward.docker(r#"{"credsStore": "desktop"}"#);
    ward.says(
        "creds-store",
        "warning",
        &["docker-credential-desktop", "configure docker"],
    );
    ward.docker(&format!("{{{ours}}}, \"credsStore\": \"icr\"}}"));
    ward.says("creds-store", "warning", &["every registry"]);
    fs::create_dir_all(ward.machine.path("runtime/containers")).unwrap();
    ward.machine.file("runtime/containers/auth.json", "{}");
    let mend = format!("configure podman --registry {}", ward.registry);
    ward.docker(&format!("{{{ours}}}}}"));
    ward.says("podman-login", "warning", &["in clear", &mend]);
    ward.docker("{ no JSON");
    ward.says(
        "client-file",
        "problem",
        &["config.json cannot be read, by docker neither"],
    );
    ward.docker(r#"{"auths": {}, "auths": {}}"#);
    ward.says(
        "client-file",
        "warning",
        &[
            "is neither read nor changed",
            "`auths` is there twice",
            "docker may read it",
        ],
    );
    ward.docker("{}");
    ward.says("switched-on", "warning", &["no client asks", "configure"]);
}

#[test]
fn passwords_that_cannot_be_moved_are_told_of_as_what_they_are() {
    let ward = Ward::new();
    let auth = |password: &str| {
        let auth = STANDARD.encode(format!("iamapikey:{password}"));
        ward.machine.plant(password);
        ward.machine.plant(&auth);
        auth
    };
    let (one, other) = (auth("PASSWORD-ONE-3c1d"), auth("PASSWORD-TWO-8e2f"));
    let told = |auths: &str| {
        ward.docker(&format!("{{\"auths\": {{{auths}}}}}"));
        let (findings, _) = ward.findings();
        let of_passwords = findings
            .into_iter()
            .filter(|finding| finding["check"] == "password-in-clear");
        let path = ward.machine.path("home/.docker/config.json");
        let path = path.display().to_string();
        let lines = of_passwords.map(|finding| {
            let part = |name: &str| finding[name].as_str().unwrap_or("-").replace(&path, "FILE");
            format!("{} {} > {}", part("verdict"), part("seen"), part("mend"))
        });
        lines.collect::<Vec<_>>()
    };
    let same = format!(
        "\"us.icr.io\": {{\"auth\": \"{one}\"}}, \"https://us.icr.io/v1/\": {{\"auth\": \"{one}\"}}"
    );
    assert_eq!(
        told(&same),
        [
            "problem FILE holds passwords in clear for us.icr.io, which docker uses instead of asking this program > choose a keychain (ICR_KEYCHAIN=auto), then docker-credential-icr configure docker --registry us.icr.io --migrate"
        ]
    );
    let different = format!(
        "\"us.icr.io\": {{\"auth\": \"{one}\"}}, \"us.icr.io/x\": {{\"auth\": \"{other}\"}}, \"de.icr.io\": {{\"identitytoken\": \"t\"}}"
    );
    assert_eq!(
        told(&different),
        [
            "problem what lies for `de.icr.io` in FILE is a token of the registry's own, which nobody else can use > log out with the client that wrote it, and log in again",
            "problem there are different passwords for us.icr.io in FILE > take out those that are not meant, then run it again",
        ]
    );
    let of_another = format!(
        "\"us.icr.io\": {{\"auth\": \"{one}\"}}}}, \"credHelpers\": {{\"us.icr.io\": \"pass\""
    );
    assert_eq!(
        told(&of_another),
        [
            "warning FILE holds passwords in clear for us.icr.io > choose a keychain (ICR_KEYCHAIN=auto), then docker-credential-icr configure docker --registry us.icr.io --migrate --force"
        ]
    );
}

#[test]
fn what_further_files_of_clients_say_is_found() {
    let mut ward = Ward::new();
    ward.machine
        .set("HTTPS_PROXY", "http://127.0.0.1:1")
        .set("NO_PROXY", "localhost");
    let auth = STANDARD.encode("iamapikey:PASSWORD-ONE-3c1d");
    ward.machine.plant(&auth);
    let auths =
        format!("{{\"us.icr.io\": {{\"auth\": \"{auth}\"}}, \"x.io\": {{\"auth\": \"eDp5\"}}}}");
    ward.machine.file("home/.dockercfg", &auths);
    ward.says(
        "password-in-clear",
        "warning",
        &[
            "home/.dockercfg holds passwords",
            "for us.icr.io, which podman",
            "take us.icr.io out",
        ],
    );
    ward.machine.file(
        "config/helm/registry/config.json",
        &format!("{{\"auths\": {auths}}}"),
    );
    ward.says(
        "helm",
        "warning",
        &[
            "helm/registry/config.json holds logins for us.icr.io",
            "helm registry logout us.icr.io\"",
        ],
    );
    ward.docker("{}");
    ward.says("switched-on", "warning", &["no client asks"]);
    let settings = "home/.config/containers/registries.conf";
    ward.machine
        .file(settings, "credential-helpers = [\"icr\"]\n");
    ward.is_silent_about("switched-on");
    ward.says(
        "credential-helpers",
        "warning",
        &[
            "registries.conf has podman",
            "every registry",
            "put \\\"containers-auth.json\\\" behind",
        ],
    );
    ward.machine.file(
        settings,
        "credential-helpers = [\"icr\", \"containers-auth.json\"]\n",
    );
    ward.says("credential-helpers", "ok", &["every registry"]);
    ward.docker(r#"{"credHelpers": {"us.icr.io": "icr"}}"#);
    ward.machine.file("runtime/containers/auth.json", "{}");
    // `podman login` gives the password to this program first.
    ward.is_silent_about("podman-login");
}

/// Every command of ours that mends something, run as it stands there.
#[cfg(unix)]
#[test]
fn what_is_to_mend_something_mends_it() {
    let Some(machine) = Machine::with_keychain() else {
        return;
    };
    let mut ward = Ward::on(machine);
    ward.machine
        .set("HTTPS_PROXY", "http://127.0.0.1:1")
        .set("NO_PROXY", "localhost,127.0.0.1")
        .set("TERM", "dumb");
    ward.machine.plant(ENVIRONMENT_KEY);
    let auth = STANDARD.encode(format!("iamapikey:{ENVIRONMENT_KEY}"));
    ward.machine.plant(&auth);
    let registry = ward.registry.clone();
    let podman = "runtime/containers/auth.json";
    let auths = format!("\"auths\": {{\"{registry}\": {{\"auth\": \"{auth}\"}}}}");
    let log_in = |ward: &Ward| {
        let outcome = ward.machine.store(&registry, "iamapikey", ENVIRONMENT_KEY);
        outcome.is_silent_success();
    };
    type Wound<'a> = &'a dyn Fn(&Ward);
    let wounds: [(&str, Wound<'_>); 9] = [
        ("source", &|_| {}),
        ("switched-on", &|ward| {
            log_in(ward);
            ward.docker("{}");
        }),
        ("creds-store", &|ward| {
            log_in(ward);
            ward.docker(r#"{"credsStore": "desktop"}"#);
        }),
        ("podman-login", &|ward| {
            ward.machine.file(podman, "{}");
        }),
        ("another-helper", &|ward| {
            ward.docker(r#"{"credHelpers": {"us.icr.io": "pass"}}"#);
        }),
        ("password-in-clear", &|ward| {
            ward.docker(&format!("{{{auths}}}"))
        }),
        ("password-in-clear", &|ward| {
            ward.docker(&format!(
                "{{{auths}, \"credHelpers\": {{\"{registry}\": \"pass\"}}}}"
            ));
        }),
        ("password-in-clear", &|ward| {
            ward.docker(&format!(
                "{{{auths}, \"credHelpers\": {{\"{registry}\": \"icr\"}}}}"
            ));
        }),
        ("api-key-end", &|ward| {
            let token = "REFRESH-TOKEN-OF-THE-CLI-41d7";
            ward.machine.plant(token);
            let accounts = ward.machine.cloud.accounts();
            accounts.add_refresh_token(token, Subject::user("tls"));
            let session =
                json!({"IAMEndpoint": ward.machine.cloud.url(), "IAMRefreshToken": token});
            ward.machine.cli_session(&session);
            let login = [
                "login",
                "--from-ibmcloud",
                "--create-api-key",
                "--expires=9",
                &registry,
            ];
            let outcome = ward.machine.run(&login, Input::Open);
            assert_eq!(outcome.status, Some(0), "{outcome:?}");
        }),
    ];
    for (check, wound) in wounds {
        let erased = ward.machine.erase(&registry);
        assert_eq!(erased.status, Some(0), "{erased:?}");
        let _ = fs::remove_file(ward.machine.path(podman));
        ward.docker(&format!("{{\"credHelpers\": {{\"{registry}\": \"icr\"}}}}"));
        wound(&ward);
        let of_check = || {
            let (findings, _) = ward.findings();
            let bad = findings
                .into_iter()
                .find(|it| it["check"] == check && it["verdict"] != "ok");
            bad.map(|finding| finding["mend"].as_str().unwrap_or_default().to_owned())
        };
        let mend = of_check().unwrap_or_else(|| panic!("nothing is wrong with {check}"));
        let dialog: &[(&str, &str)] = match check {
            "source" => &[("API key: ", ENVIRONMENT_KEY)],
            "switched-on" => &[("[Y/n]", ""), ("registries", "")],
            "creds-store" => &[("registries", "")],
            _ => &[],
        };
        let command = mend.strip_prefix("docker-credential-icr ");
        let command = command.unwrap_or_else(|| panic!("{check}: no command of ours: {mend}"));
        let shown = Screen::Terminal(200).shows(&ward.machine, &[(command, dialog)]);
        assert_eq!(of_check(), None, "{mend}: {shown:?}");
    }
}

#[test]
fn keychains_are_tried_for_real_and_left_as_they_were() {
    let Some(mut machine) = Machine::with_keychain() else {
        return;
    };
    machine.set_environment_key();
    let ward = Ward::on(machine);
    ward.says("keychain-logins", "ok", &["the kernel keyring", " ms"]);
    ward.says("kernel-quota", "ok", &[" keys and ", " bytes"]);
    let names = ward.machine.keys().names();
    assert!(
        names.iter().all(|name| !name.contains("probe")),
        "{names:?}"
    );
    let mut ward = Ward::new();
    ward.says("keychain", "warning", &["no keychain", "ICR_KEYCHAIN=auto"]);
    ward.machine.set("ICR_KEYCHAIN", "secret-service");
    ward.says(
        "keychain-logins",
        "problem",
        &[
            "cannot be kept",
            "no D-Bus session bus",
            "ICR_KEYCHAIN=auto",
        ],
    );
}

#[test]
fn who_speaks_is_told_with_the_reason() {
    let mut ward = Ward::new();
    ward.says(
        "source",
        "ok",
        &[
            "the API key in $IBMCLOUD_API_KEY gives `iambearer`",
            "comes before",
        ],
    );
    ward.machine.set("ICR_SOURCE", "environment");
    ward.says("source", "ok", &["because ICR_SOURCE says so"]);
    ward.says(
        "forced",
        "ok",
        &["ICR_SOURCE makes every registry use `environment`"],
    );
    ward.machine.unset("ICR_SOURCE").unset("IBMCLOUD_API_KEY");
    ward.says(
        "source",
        "warning",
        &["nobody speaks", "docker-credential-icr login\""],
    );
    ward.is_well();
    ward.machine.set("IBMCLOUD_API_KEY", "@/does/not/exist");
    ward.says("source", "problem", &["/does/not/exist", "> null"]);
    ward.machine.unset("IBMCLOUD_API_KEY");
    ward.docker(r#"{"credHelpers": {"cp.icr.io": "icr"}}"#);
    let mend = "docker login -u cp cp.icr.io";
    ward.says("source", "warning", &["nobody speaks", mend]);
}

#[test]
fn the_network_is_looked_at_step_by_step() {
    let mut ward = Ward::new();
    let url = ward.machine.cloud.url();
    ward.says("iam", "ok", &[&url, "answered after"]);
    ward.says("clock", "ok", &["0 s off"]);
    ward.says("exchange", "ok", &["IBMid-environment", "account-1"]);
    ward.says("registry", "ok", &["takes it"]);
    ward.says("proxy", "ok", &["no variable names a proxy"]);
    ward.says("trust", "ok", &["authority"]);
    ward.machine.plant("password-of-the-proxy");
    ward.machine
        .set(
            "HTTPS_PROXY",
            "http://user:password-of-the-proxy@127.0.0.1:1",
        )
        .set("NO_PROXY", "localhost");
    ward.says(
        "proxy",
        "ok",
        &[
            "HTTPS_PROXY=http://[redacted]@127.0.0.1:1",
            "NO_PROXY=localhost",
        ],
    );
    ward.says("iam", "ok", &[]);
    ward.machine.unset("NO_PROXY");
    let seen = format!("\"IAM at {url} is not available");
    ward.says("iam", "problem", &[&seen, "proxy"]);
    ward.machine.set("HTTPS_PROXY", "bogus://x");
    ward.says(
        "proxy",
        "warning",
        &["HTTPS_PROXY=bogus://x names no proxy", "unset HTTPS_PROXY"],
    );
    ward.machine.unset("HTTPS_PROXY");
    ward.machine
        .cloud
        .accounts()
        .revoke_api_key(ENVIRONMENT_KEY);
    ward.says(
        "exchange",
        "problem",
        &["BXNIM0415E", "> \"Set a new key in $IBMCLOUD_API_KEY"],
    );
    ward.says("iam", "ok", &[]);
}

#[test]
fn iam_is_asked_anew_although_a_token_is_cached_and_nothing_is_written() {
    let Some(mut machine) = Machine::with_keychain() else {
        return;
    };
    machine.set_environment_key();
    let ward = Ward::on(machine);
    let [host, other] = ward.machine.registries();
    ward.machine
        .settings(&format!("registries = [\"{host}\", \"{other}\"]\n"));
    ward.docker(&format!(
        "{{\"credHelpers\": {{\"{host}\": \"icr\", \"{other}\": \"icr\"}}}}"
    ));
    let cached = ward.machine.get(&host).is_credential("iambearer");
    let exchanges = ward.machine.cloud.exchanges();
    ward.says("exchange", "ok", &["IBMid-environment"]);
    assert_eq!(
        ward.machine.cloud.exchanges() - exchanges,
        1,
        "one for both registries"
    );
    ward.machine
        .cloud
        .accounts()
        .revoke_api_key(ENVIRONMENT_KEY);
    ward.says(
        "exchange",
        "problem",
        &["BXNIM0415E", "> \"Set a new key in $IBMCLOUD_API_KEY"],
    );
    let served = ward.machine.get(&host).is_credential("iambearer");
    assert_eq!(served, cached, "what was cached is left");
}

#[test]
fn a_refresh_token_that_is_replaced_when_iam_is_asked_is_kept() {
    let Some(machine) = Machine::with_keychain() else {
        return;
    };
    let ward = Ward::on(machine);
    ward.machine.add_refresh_token("A-REFRESH-TOKEN", "me");
    ward.machine.cloud.accounts().set_refresh_rotation(true);
    ward.machine
        .store(&ward.registry, "iamrefresh", "A-REFRESH-TOKEN")
        .is_silent_success();
    for _ in 0..2 {
        ward.says("exchange", "ok", &["IBMid-me"]);
    }
    let owner = ward.machine.get(&ward.registry).is_token_of();
    assert_eq!(owner, "IBMid-me");
}

#[test]
fn a_registry_that_refuses_is_understood() {
    let Some(machine) = Machine::with_keychain() else {
        return;
    };
    let ward = Ward::on(machine);
    ward.machine
        .store(&ward.registry, "token", "A-PASSWORD-THAT-IS-WRONG")
        .is_silent_success();
    ward.says(
        "registry",
        "problem",
        &[
            &format!("\"{} refused `token`", ward.registry),
            "not valid",
            "log in again",
            "HTTP 401",
            "> null",
        ],
    );
}

#[cfg(unix)]
#[test]
fn files_that_others_change_or_read_are_found() {
    let Some(mut machine) = Machine::with_keychain() else {
        return;
    };
    machine.set_environment_key();
    let ward = Ward::on(machine);
    ward.machine.get("us.icr.io").is_token_of();
    ward.says("locks", "ok", &["nobody holds a lock"]);
    let locks = ward.machine.path("cache/docker-credential-icr/locks");
    let lock = fs::read_dir(&locks)
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.display().to_string().contains("identity"))
        .unwrap();
    let held = fs::File::options().write(true).open(&lock).unwrap();
    held.lock().unwrap();
    ward.says("locks", "warning", &["1 of the locks", "fuser"]);
    drop(held);
    set_mode(&lock, 0o666);
    ward.says("modes", "warning", &["others can write", "chmod"]);
    set_mode(&lock, 0o600);
    let file = ward.machine.path("home/.docker/config.json");
    let folder = ward.machine.path("home/.docker");
    for (of_folder, of_file, words) in [
        (0o700, 0o666, Some("others can write to it (mode 0666)")),
        (0o777, 0o600, Some("its directory (mode 0777)")),
        (0o1777, 0o600, None),
    ] {
        set_mode(&folder, of_folder);
        set_mode(&file, of_file);
        match words {
            Some(words) => ward.says(
                "modes",
                "warning",
                &[
                    "config.json: ",
                    words,
                    "start a program of theirs",
                    "chmod go-w",
                ],
            ),
            None => ward.is_silent_about("modes"),
        }
    }
    fs::create_dir_all(ward.machine.path("config/docker-credential-icr/tokens")).unwrap();
    ward.machine
        .file("config/docker-credential-icr/tokens/us.icr.io.json", "{}");
    ward.says("plain-tokens", "warning", &["in clear", "rm -r"]);
}

#[test]
fn trust_is_looked_at_as_for_a_request() {
    let mut ward = Ward::new();
    ward.says(
        "trust",
        "ok",
        &["the system's ", ", and 1 in ", "authority.pem"],
    );
    ward.machine.set("SSL_CERT_FILE", "/nonexistent");
    ward.says(
        "trust",
        "problem",
        &[
            "$SSL_CERT_FILE names /nonexistent",
            "or unset SSL_CERT_FILE",
        ],
    );
    // Nobody is asked who is not on this machine.
    ward.machine
        .unset("SSL_CERT_FILE")
        .set("HTTPS_PROXY", "http://127.0.0.1:1")
        .set("NO_PROXY", "localhost");
    let (findings, _) = ward.findings();
    let trust = findings.iter().find(|finding| finding["check"] == "trust");
    let seen = trust.expect("it is looked at")["seen"].as_str();
    let seen = seen.expect("a text");
    assert!(seen.contains("certificate authorities"), "{seen}");
    #[cfg(target_os = "linux")]
    {
        let directory = ward.machine.path("authority");
        ward.machine.set("SSL_CERT_DIR", directory);
        let seen = "the 2 certificate authorities in $SSL_CERT_DIR are trusted";
        ward.says("trust", "ok", &[seen]);
    }
}

#[test]
fn a_report_is_one_file_without_secrets_that_replaces_nothing() {
    let ward = Ward::new();
    ward.machine.plant("c29tZWJvZHk6YS1wYXNzd29yZA==");
    ward.docker(&format!(
        "{{\"auths\": {{\"gcr.io\": {{\"auth\": \"c29tZWJvZHk6YS1wYXNzd29yZA==\"}}}}, \"credHelpers\": {{\"{}\": \"icr\"}}}}",
        ward.registry
    ));
    let path = ward.machine.path("report.txt");
    let arguments = ["--report", path.to_str().unwrap()];
    let outcome = ward.run(&arguments);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert!(
        outcome.stderr.contains("read it before you send it"),
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
    for secret in ward.machine.secrets().iter() {
        assert!(!report.contains(secret), "{secret} in {report}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let outcome = ward.run(&arguments);
    assert_eq!(outcome.status, Some(1));
    assert!(outcome.stderr.contains("is there already"), "{outcome:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), report);
}

#[test]
fn with_no_older_program_nothing_is_taken_over() {
    let ward = Ward::new();
    let outcome = ward.run(&["--take-over"]);
    assert_eq!(outcome.status, Some(1));
    assert!(
        outcome.stderr.contains("no login of an older program"),
        "{outcome:?}"
    );
}

#[test]
fn its_help_has_examples() {
    let outcome = Machine::new().run(&["doctor", "--help"], Input::Open);
    expect![[r#"
        Look for what is wrong, and tell what mends it

        Looks at the program and its way, settings, clients' files, keychains, sources of
        identity and files, and asks IAM for new tokens and the registries. Nothing is
        changed: the lock that it takes, and what it writes into the keychains, to see
        whether that works, it gives back and takes out again. Only a refresh token that
        IAM replaces is kept, as the login would be lost.

        Usage: docker-credential-icr doctor [OPTIONS]

        Options:
              --report <FILE>
                  Write what was found into a new file that only you can read

              --json
                  Print JSON, whose keys stay as they are

              --take-over
                  Log in with what an older program of the same name kept

          -h, --help
                  Print help (see a summary with '-h')

        Examples:
          docker-credential-icr doctor
          docker-credential-icr doctor --report report.txt   for a bug report; no secrets
          docker-credential-icr doctor --json

        Exit status: 0 if nothing is broken, warnings or not; 1 if something is.
    "#]]
    .assert_eq(&outcome.stdout);
}
