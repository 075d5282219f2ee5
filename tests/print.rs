//! `print`: its formats, warnings and errors.

mod support;

#[cfg(unix)]
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use icr_emulator::Fault;
use serde_json::Value;
#[cfg(unix)]
use serde_json::json;
use yaml_rust2::Yaml;
use yaml_rust2::YamlLoader;

use support::ENVIRONMENT_KEY;
use support::Input;
use support::Outcome;
use support::TestEnv;
use support::token;

fn printed(env: &TestEnv, further: &[&str]) -> Outcome {
    let mut arguments = vec!["print", "us.icr.io"];
    arguments.extend(further);
    env.run(&arguments, Input::Open)
}

/// Returns what was printed, without the last newline.
#[track_caller]
fn answer(env: &TestEnv, further: &[&str]) -> String {
    let outcome = printed(env, further);
    assert_eq!(
        (outcome.status, &*outcome.stderr),
        (Some(0), ""),
        "{outcome:?}"
    );
    let line = outcome.stdout.strip_suffix('\n').expect("a whole line");
    line.to_owned()
}

fn owner(token: &str) -> Value {
    token::claims(token)["iam_id"].take()
}

fn decoded(base64: &str) -> String {
    let bytes = BASE64_STANDARD.decode(base64).expect("base64");
    String::from_utf8(bytes).expect("text")
}

/// Returns user name and password of a Docker configuration.
#[track_caller]
fn login_in(config: &str) -> (String, String) {
    let config: Value = serde_json::from_str(config).expect("JSON");
    let auths = config["auths"].as_object().expect("logins");
    assert_eq!(auths.keys().collect::<Vec<_>>(), ["us.icr.io"]);
    let pair = decoded(auths["us.icr.io"]["auth"].as_str().expect("a login"));
    let (name, password) = pair.split_once(':').expect("a pair");
    (name.to_owned(), password.to_owned())
}

#[test]
fn the_value_is_only_the_password() {
    let env = TestEnv::with_environment_key();
    for arguments in [&[][..], &["--format", "value"]] {
        assert_eq!(owner(&answer(&env, arguments)), "IBMid-environment");
    }
}

#[cfg(unix)]
#[test]
fn a_shell_can_evaluate_the_env_format() {
    let env = TestEnv::with_environment_key();
    let exports = printed(&env, &["--format", "env"]).stdout;
    let script = format!(
        "{exports}\nprintf '%s\\n' \"$ICR_REGISTRY\" \"$ICR_USERNAME\" \"$ICR_PASSWORD\" \"$CF_DOCKER_USERNAME\" \"$CF_DOCKER_PASSWORD\""
    );
    let output = Command::new("sh")
        .args(["-c", &script])
        .env_clear()
        .output();
    let output = String::from_utf8(output.expect("a shell").stdout).expect("text");
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(&lines[..2], ["us.icr.io", "iambearer"]);
    assert_eq!(owner(lines[2]), "IBMid-environment");
    assert_eq!(lines[3..], lines[1..3]);
}

#[cfg(unix)]
#[test]
fn special_characters_in_a_secret_are_quoted_in_every_format() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    let special = "it's $(touch x) `y` \"z\" \\ é 🦀: #";
    env.store("us.icr.io", "cp", special).is_silent_success();
    let exports = answer(&env, &["--format", "env"]);
    let script = format!("{exports}\nprintf %s \"$ICR_PASSWORD\"");
    let output = Command::new("sh").args(["-c", &script]).output();
    assert_eq!(output.expect("a shell").stdout, special.as_bytes());
    assert_eq!(answer(&env, &[]), special);
    assert_eq!(
        decoded(&answer(&env, &["--format", "basic"])),
        format!("cp:{special}")
    );
    let login = ("cp".to_owned(), special.to_owned());
    assert_eq!(
        login_in(&answer(&env, &["--format", "docker-config"])),
        login
    );
    let json = answer(&env, &["--format", "json"]);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(
        json,
        json!({"registry": "us.icr.io", "username": "cp", "password": special, "expires_at": null})
    );
}

#[test]
fn json_shows_when_a_token_expires() {
    let env = TestEnv::with_environment_key();
    let json = answer(&env, &["--format", "json"]);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let password = json["password"].as_str().expect("a token");
    assert_eq!(json["username"], "iambearer");
    assert_eq!(json["expires_at"], token::claims(password)["exp"]);
    assert_eq!(json.as_object().expect("an object").len(), 4);
}

/// Returns the parsed manifest and the warning.
#[track_caller]
fn manifest(env: &TestEnv, further: &[&str]) -> (Yaml, String) {
    let mut arguments = vec!["--format", "kubernetes-secret"];
    arguments.extend(further);
    let outcome = printed(env, &arguments);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let mut documents = YamlLoader::load_from_str(&outcome.stdout).expect("YAML");
    assert_eq!(documents.len(), 1);
    (documents.remove(0), outcome.stderr)
}

#[test]
fn a_pull_secret_is_a_manifest_with_a_warning_when_it_expires() {
    let env = TestEnv::with_environment_key();
    let (secret, warning) = manifest(&env, &[]);
    let text = |value: &Yaml| value.as_str().expect("a text").to_owned();
    assert_eq!(text(&secret["apiVersion"]), "v1");
    assert_eq!(text(&secret["kind"]), "Secret");
    assert_eq!(text(&secret["type"]), "kubernetes.io/dockerconfigjson");
    assert_eq!(text(&secret["metadata"]["name"]), "icr-pull-secret");
    assert!(secret["metadata"]["namespace"].is_badvalue());
    let (name, password) = login_in(&decoded(&text(&secret["data"][".dockerconfigjson"])));
    assert_eq!(
        (&*name, owner(&password)),
        ("iambearer", "IBMid-environment".into())
    );
    assert_eq!(warning.lines().count(), 1, "{warning}");
    for part in ["this secret expires on 2", " UTC", "--credential iamapikey"] {
        assert!(warning.contains(part), "{warning}");
    }
    // Names that YAML would read as another type.
    for name in ["null", "true", "1", "1e3", "0x1f", "no"] {
        let (secret, _) = manifest(&env, &["--name", name, "--namespace", name]);
        assert_eq!(text(&secret["metadata"]["name"]), name);
        assert_eq!(text(&secret["metadata"]["namespace"]), name);
    }
}

#[test]
fn shell_commands_cause_a_warning_when_the_password_expires() {
    let env = TestEnv::with_environment_key();
    let outcome = printed(&env, &["--format", "env"]);
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
    let parts = [
        "this password expires on 2",
        "'cf push'",
        "--credential iamapikey",
    ];
    outcome.has(&outcome.stderr, &parts);
    answer(&env, &["--format", "env", "--credential", "iamapikey"]);
    answer(&env, &["--format", "docker-config"]);
}

#[test]
fn a_lasting_pull_secret_causes_no_warning() {
    let env = TestEnv::with_environment_key();
    let (secret, warning) = manifest(&env, &["--credential", "iamapikey"]);
    let data = secret["data"][".dockerconfigjson"].as_str().expect("data");
    let login = ("iamapikey".to_owned(), ENVIRONMENT_KEY.to_owned());
    assert_eq!(login_in(&decoded(data)), login);
    assert_eq!(warning, "");
    let (_, warning) = manifest(&env, &["--credential", "iamrefresh"]);
    assert!(warning.contains("within three days"), "{warning}");
}

#[test]
fn another_kind_of_credential_can_be_printed() {
    let mut env = TestEnv::with_environment_key();
    let user = |env: &TestEnv, kind: &str| {
        let basic = answer(env, &["--format", "basic", "--credential", kind]);
        decoded(&basic)
            .split_once(':')
            .map(|(name, _)| name.to_owned())
    };
    for kind in ["iambearer", "iamrefresh", "iamapikey"] {
        assert_eq!(user(&env, kind).as_deref(), Some(kind));
    }
    env.settings("[profile.p]\ncredential = \"iamapikey\"");
    env.set("ICR_PROFILE", "p");
    assert_eq!(answer(&env, &[]), ENVIRONMENT_KEY);
    assert_eq!(user(&env, "iambearer").as_deref(), Some("iambearer"));
    let supplied = token::ending_in(3600);
    env.unset("IBMCLOUD_API_KEY").set("IC_IAM_TOKEN", &supplied);
    assert_eq!(answer(&env, &["--credential", "iambearer"]), supplied);
    printed(&env, &[]).is_user_error(&["iamapikey", "credential"]);
}

#[test]
fn a_token_has_at_least_half_its_lifetime_left() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    env.add_api_key(ENVIRONMENT_KEY, "stored");
    env.store("us.icr.io", "iamapikey", ENVIRONMENT_KEY)
        .is_silent_success();
    let first = answer(&env, &[]);
    assert_eq!(answer(&env, &[]), first, "it is kept like any token");
    assert_eq!(env.cloud.exchanges(), 1);
    env.keys().age_tokens(2000);
    let second = answer(&env, &[]);
    assert_ne!(second, first);
    assert_eq!(answer(&env, &[]), second);
    assert_eq!(env.cloud.exchanges(), 2);
    // If a new token is rejected, the cached one is still used.
    env.keys().age_tokens(2000);
    env.cloud.always(Some(Fault::Status(403)));
    let refused = printed(&env, &[]);
    assert_eq!((refused.status, &*refused.stdout), (Some(1), ""));
    env.cloud.always(Some(Fault::Status(503)));
    assert_eq!(env.get("us.icr.io").is_credential("iambearer"), second);
}

#[test]
fn without_a_credential_the_error_says_how_to_log_in() {
    let mut env = TestEnv::new();
    let parts = [
        "not logged in to us.icr.io",
        "'docker-credential-icr login'",
        "IBMCLOUD_API_KEY",
    ];
    printed(&env, &[]).is_user_error(&parts);
    env.set("IBMCLOUD_API_KEY", "UNKNOWN-API-KEY");
    env.add_secret("UNKNOWN-API-KEY");
    printed(&env, &[]).is_user_error(&["BXNIM0415E", "$IBMCLOUD_API_KEY"]);
    let elsewhere = env.run(&["print", "user:hunter2@docker.io"], Input::Open);
    elsewhere.is_user_error(&["not an IBM Cloud registry"]);
    assert!(!elsewhere.stderr.contains("hunter2"), "{elsewhere:?}");
}

/// The error names the option or the setting that outcome for the kind.
#[test]
fn an_unavailable_kind_names_the_option_or_setting_that_asked_for_it() {
    let mut env = TestEnv::with_environment_key();
    let token = env.access_token_of("user");
    env.unset("IBMCLOUD_API_KEY").set("IC_IAM_TOKEN", token);
    let outcome = printed(&env, &["--credential", "iamrefresh"]);
    outcome.is_user_error(&["'iamrefresh'", "Request another kind"]);
    assert!(!outcome.stderr.contains("settings"), "{outcome:?}");
    env.settings(
        "[profile.x]\ncredential = \"iamrefresh\"\n[registry.\"us.icr.io\"]\nprofile = \"x\"",
    );
    printed(&env, &[]).is_user_error(&["'iamrefresh'", "in the profile"]);
}

/// Runs the examples: only the user may read a file with a password.
#[cfg(unix)]
#[test]
fn the_examples_create_files_that_only_the_user_can_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let env = TestEnv::with_environment_key();
    let help = env.run(&["print", "--help"], Input::Open).stdout;
    let page = include_str!("../docs/clients.md");
    let lines = help.lines().chain(page.lines());
    let examples: Vec<&str> = lines
        .filter(|line| line.contains(" print ") && line.contains(".json"))
        .collect();
    assert_eq!(examples.len(), 4, "{examples:?}");
    for example in examples {
        let program = env!("CARGO_BIN_EXE_docker-credential-icr");
        let script = example.replace("docker-credential-icr", program);
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("umask 022\n{script}")]);
        env.apply_to(&mut shell);
        assert!(shell.status().expect("a shell").success(), "{example}");
        let (_, target) = example.split_once("> ").expect("a redirection");
        let (name, _) = target.split_once(')').expect("a subshell");
        let mode = std::fs::metadata(env.path(name)).expect("a file");
        assert_eq!(mode.permissions().mode() & 0o777, 0o600, "{example}");
        std::fs::remove_file(env.path(name)).expect("the test may change it");
    }
}

#[test]
fn names_that_kubernetes_rejects_are_rejected() {
    let env = TestEnv::with_environment_key();
    for (option, name) in [
        ("--name", "A"),
        ("--name", "a_b"),
        ("--name", "a\nkind: Pod"),
        ("--name", ""),
        ("--namespace", "a.b"),
        ("--namespace", "a-"),
    ] {
        let outcome = printed(&env, &["--format", "kubernetes-secret", option, name]);
        outcome.is_usage_error(&["lower-case letters"]);
    }
    printed(&env, &["--name", "a"]).is_usage_error(&["kubernetes-secret"]);
    printed(&env, &["--format", "yaml"]).is_usage_error(&["docker-config"]);
    printed(&env, &["--credential", "x"]).is_usage_error(&["iambearer"]);
    assert_eq!(env.cloud.exchanges(), 0);
}

#[test]
fn help_shows_examples_and_formats() {
    let env = TestEnv::new();
    let outcome = env.run(&["print", "--help"], Input::Open);
    for part in [
        "Examples:",
        "docker-config",
        "kubernetes-secret",
        "--reveal",
        "--password-stdin",
    ] {
        assert!(
            outcome.stdout.contains(part) || outcome.verb != "print",
            "{part}"
        );
    }
    assert_eq!(outcome.status, Some(0));
}

#[cfg(unix)]
#[test]
fn a_terminal_shows_the_secret_only_with_reveal() {
    let env = TestEnv::with_environment_key();
    let at_terminal = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_docker-credential-icr"));
        env.apply_to(&mut command);
        // Its stdin, stdout and stderr are the terminal.
        command
            .stdout(std::process::Stdio::inherit())
            .args(arguments);
        let mut session =
            rexpect::session::spawn_command(command, Some(10_000)).expect("a terminal");
        session.exp_eof().expect("it ends")
    };
    for format in [
        "value",
        "env",
        "basic",
        "json",
        "docker-config",
        "kubernetes-secret",
    ] {
        let shown = at_terminal(&["print", "us.icr.io", "--format", format]);
        assert!(shown.contains("--reveal"), "{shown}");
        assert!(!shown.contains("eyJ"), "{shown}");
    }
    assert_eq!(env.cloud.exchanges(), 0, "no unnecessary request is sent");
    let shown = at_terminal(&["print", "us.icr.io", "--reveal"]);
    assert_eq!(owner(shown.trim()), "IBMid-environment");
}

#[cfg(unix)]
#[test]
fn an_output_file_that_others_can_read_causes_a_warning() {
    use std::os::unix::fs::PermissionsExt as _;
    let env = TestEnv::with_environment_key();
    for (mode, warns) in [(0o644, true), (0o604, true), (0o600, false)] {
        let path = env.path("secret");
        let file = std::fs::File::create(&path).expect("the test may change it");
        let permissions = std::fs::Permissions::from_mode(mode);
        file.set_permissions(permissions)
            .expect("the test may change it");
        let mut command = env.command(&["print", "us.icr.io"]);
        let output = command
            .stdout(file)
            .stderr(std::process::Stdio::piped())
            .output();
        let output = output.expect("it runs");
        assert!(output.status.success(), "{output:?}");
        let stderr = String::from_utf8(output.stderr).expect("text");
        assert_eq!(
            stderr.contains("other users can read the output file"),
            warns,
            "{mode:o}: {stderr}"
        );
        assert_eq!(stderr.contains("umask 077"), warns, "{mode:o}: {stderr}");
    }
    answer(&env, &[]);
}
