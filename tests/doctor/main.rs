//! What `doctor` finds, and whether its fixes work.

#[path = "../support/mod.rs"]
mod support;

mod cases;
mod clients;
#[cfg(unix)]
mod fixes;
mod healthy_env;
#[cfg(unix)]
mod mistakes;
#[cfg(unix)]
mod nerdctl;
mod network;
#[cfg(unix)]
mod odd_files;
#[cfg(unix)]
mod program;

use std::fs;

use expect_test::expect;

use healthy_env::HealthyMachine;
use support::Input;
use support::TestEnv;
#[cfg(unix)]
use support::set_mode;

/// Returns a text with the parts that vary replaced.
fn without_variations(text: &str, healthy: &HealthyMachine) -> String {
    let root = healthy.env.path("");
    let root = root.display().to_string();
    let text = text
        .replace(root.trim_end_matches('/'), "/m")
        .replace(&healthy.registry, "localhost:55555")
        .replace(&healthy.env.cloud.url(), "https://localhost:55555");
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
          ok       no variable and no setting names a proxy
          ok       trusts the system's 7 certificate authorities and 7 in /m/authority/authority.pem
          ok       IAM at https://localhost:55555 answered in 7 ms
          ok       this machine's clock differs from IAM's by 7 s
          ok       localhost:55555: got a token for user environment@registry-tests.example.com (IBMid-environment) of account account-1 in 7 ms, user name iambearer
          ok       localhost:55555 accepted the token

        7 problems, 7 warning
    "#]].assert_eq(&without_variations(&outcome.stdout, &healthy));
    let mut healthy = healthy;
    healthy.env.set("COLUMNS", "60");
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

#[test]
fn settings_that_cannot_be_read_are_a_problem() {
    let healthy = HealthyMachine::new();
    healthy.env.settings("colour = 1\n");
    healthy.reports(
        "settings",
        "problem",
        &[
            "colour",
            "config.toml is invalid at line 1",
            "Available keys",
        ],
    );
    for check in ["keychain", "source"] {
        healthy.reports(check, "warning", &["skipped: the settings cannot be read"]);
    }
}

#[test]
fn the_test_item_is_deleted_from_the_keychain() {
    let Some(mut env) = TestEnv::with_keychain() else {
        return;
    };
    env.set_environment_key();
    let healthy = HealthyMachine::on(env);
    healthy.reports("keychain-logins", "ok", &[support::KEYCHAIN_WORDS, " ms"]);
    #[cfg(target_os = "linux")]
    healthy.reports("kernel-quota", "ok", &[" keys and ", " bytes"]);
    let names = healthy.env.keys().names();
    assert!(
        names.iter().all(|name| !name.contains("probe")),
        "{names:?}"
    );
    let mut healthy = HealthyMachine::new();
    healthy.reports("keychain", "warning", &["no keychain", "ICR_KEYCHAIN=auto"]);
    if cfg!(target_os = "linux") {
        healthy.env.set("ICR_KEYCHAIN", "secret-service");
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
    healthy.env.set("ICR_SOURCE", "environment");
    healthy.reports("source", "ok", &["selected by $ICR_SOURCE"]);
    healthy.reports(
        "forced",
        "ok",
        &["$ICR_SOURCE selects 'environment' for all registries"],
    );
    healthy.env.unset("ICR_SOURCE").unset("IBMCLOUD_API_KEY");
    healthy.reports(
        "source",
        "warning",
        &[
            "not logged in; pulls are anonymous",
            "docker-credential-icr login\"",
        ],
    );
    healthy.has_no_problems();
    healthy.env.set("IBMCLOUD_API_KEY", "@/does/not/exist");
    healthy.reports(
        "source",
        "problem",
        &[
            "/does/not/exist",
            "fix: \"Use the path of a file with the secret",
        ],
    );
    healthy.env.unset("IBMCLOUD_API_KEY");
    healthy.docker(r#"{"credHelpers": {"cp.icr.io": "icr"}}"#);
    let fix = "docker login -u cp cp.icr.io";
    healthy.reports(
        "source",
        "warning",
        &["not logged in; pulls are anonymous", fix],
    );
}

#[cfg(unix)]
#[test]
fn files_that_other_users_can_read_or_change_are_reported() {
    let Some(mut env) = TestEnv::with_keychain() else {
        return;
    };
    env.set_environment_key();
    let healthy = HealthyMachine::on(env);
    healthy.env.get("us.icr.io").is_token_of();
    healthy.reports("locks", "ok", &["no locks held"]);
    let locks = healthy.env.path(support::STATE).join("locks");
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
    let file = healthy.env.path("home/.docker/config.json");
    let folder = healthy.env.path("home/.docker");
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
    let tokens = format!("{}/tokens", support::CONFIG);
    fs::create_dir_all(healthy.env.path(&tokens)).unwrap();
    healthy.env.file(&format!("{tokens}/us.icr.io.json"), "{}");
    healthy.reports(
        "plaintext-tokens",
        "warning",
        &["unencrypted tokens", "rm -r"],
    );
}

#[test]
fn the_report_is_a_new_file_without_secrets() {
    let healthy = HealthyMachine::new();
    healthy.env.add_secret("c29tZWJvZHk6YS1wYXNzd29yZA==");
    healthy.docker(&format!(
        "{{\"auths\": {{\"gcr.io\": {{\"auth\": \"c29tZWJvZHk6YS1wYXNzd29yZA==\"}}}}, \"credHelpers\": {{\"{}\": \"icr\"}}}}",
        healthy.registry
    ));
    let path = healthy.env.path("report.txt");
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
    for secret in healthy.env.secrets().iter() {
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
    let outcome = TestEnv::new().run(&["doctor", "--help"], Input::Open);
    expect![[r#"
        Diagnose problems and suggest fixes

        Checks the program and the PATH, the settings, the clients' files, the
        keychains, the sources and other files. Requests new tokens from IAM and sends
        them to the registries, to see whether they are accepted. Leaves no changes,
        with one exception: if IAM replaces a refresh token during the check, the new
        one is stored.

        Usage: docker-credential-icr doctor [OPTIONS]

        Options:
              --report <FILE>
                  Write a report without secrets to a new file

              --json
                  Print JSON

              --take-over
                  Import logins that another, older docker-credential-icr stored in the keychain

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
