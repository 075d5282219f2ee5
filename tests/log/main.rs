//! What the log contains, and that it contains no secrets.

#[path = "../support/mod.rs"]
mod support;

mod file;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use icr_emulator::Fault;
use icr_emulator::MetadataApi;
use icr_emulator::Subject;
use serde_json::json;

use support::ENVIRONMENT_KEY;
use support::Input;
use support::TestEnv;
#[cfg(unix)]
use support::browser::log_in_with;
use support::in_parallel;
#[cfg(unix)]
use support::screen::dialog;
#[cfg(unix)]
use support::set_mode;

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// The fields of a request to IAM that are secret.
const SECRET_FIELDS: [&str; 7] = [
    "access_token",
    "apikey",
    "code",
    "code_verifier",
    "cr_token",
    "passcode",
    "refresh_token",
];

/// A text that was typed in the wrong place.
const MISPLACED_KEY: &str = "xK_q7ZbM0pR4-tW9yLcN2vH5jF8sD1gA3eQ6uI_oXzTm";

const PROFILE: &str = "Profile-8dd84246-7df4-4667-94e4-8ecde51d5ac5";

fn log(env: &TestEnv) -> String {
    fs::read_to_string(env.path("log")).unwrap_or_default()
}

/// Adds all secrets that were sent to the cloud to the secrets of the test.
fn add_sent_secrets(env: &TestEnv) {
    for request in env.cloud.requests() {
        for field in SECRET_FIELDS {
            if let Some(secret) = request.field(field) {
                env.add_secret(secret);
            }
        }
        if let Some((_, token)) = request
            .header("authorization")
            .and_then(|header| header.split_once("Bearer "))
        {
            env.add_secret(token);
        }
    }
}

/// Runs all commands and verbs, with and without errors.
fn run_all_commands(env: &mut TestEnv) {
    // No request leaves this machine.
    env.set("HTTPS_PROXY", "http://127.0.0.1:1");
    let accounts = env.cloud.accounts();
    accounts.add_refresh_token("REFRESH-TOKEN-OF-A-PERSON", Subject::user("refresher"));
    accounts.add_api_key("API-KEY-OF-A-SERVICE", Subject::service_id("1"));
    accounts.add_profile(PROFILE, &["iam-ServiceId-1"]);
    accounts.add_compute_resource_token("COMPUTE-RESOURCE-TOKEN", &[PROFILE]);
    env.add_api_key("API-KEY-OF-A-PERSON", "person");
    for (username, secret) in [
        ("iamapikey", "API-KEY-OF-A-PERSON"),
        ("iamapikey", "UNKNOWN-API-KEY"),
        ("iamrefresh", "REFRESH-TOKEN-OF-A-PERSON"),
        (PROFILE, "API-KEY-OF-A-SERVICE"),
        ("token", "OPAQUE-REGISTRY-TOKEN"),
        ("someone", "a-password-for-someone"),
        ("<token>", "an-identity-token"),
    ] {
        env.store("us.icr.io", username, secret);
        env.get("us.icr.io");
        env.get("https://us.icr.io/v2/");
        env.list();
    }
    env.erase("us.icr.io");
    env.set("ICR_BACKGROUND_REFRESH", "true");
    env.store("de.icr.io", "iamapikey", "API-KEY-OF-A-PERSON");
    env.get("de.icr.io");
    env.keys().age_tokens(1900);
    env.get("de.icr.io");
    env.set("ICR_BACKGROUND_REFRESH", "false");
    for fault in [Fault::Status(503), Fault::Html, Fault::Status(400)] {
        env.keys().delete_tokens();
        env.cloud.script([fault]);
        env.get("de.icr.io");
    }
    env.add_secret("COMPUTE-RESOURCE-TOKEN");
    env.set("IBMCLOUD_CR_TOKEN", "COMPUTE-RESOURCE-TOKEN")
        .set("IBMCLOUD_CR_PROFILE", PROFILE);
    env.get("us.icr.io");
    env.unset("IBMCLOUD_CR_TOKEN");
    env.add_secret("AN-IAM-TOKEN-OF-A-USER");
    env.set("IC_IAM_TOKEN", "AN-IAM-TOKEN-OF-A-USER");
    env.get("us.icr.io");
    env.unset("IC_IAM_TOKEN");
    env.add_secret("password-of-an-address");
    env.get("https://user:password-of-an-address@us.icr.io");
    env.store("us.icr.io@password-of-an-address", "a", "password-of-it");
    for arguments in [
        &["settings"][..],
        &["settings", "--json"],
        &["status"],
        &["status", "--check", "--json"],
        &["doctor"],
        &["nonsense"],
    ] {
        env.run(arguments, Input::Open);
    }
    env.add_secret(MISPLACED_KEY);
    for arguments in [
        &[MISPLACED_KEY][..],
        &["help", MISPLACED_KEY],
        &["get", MISPLACED_KEY],
        &["login", MISPLACED_KEY],
        &["login", "--profile", MISPLACED_KEY],
        &["login", "--profile-id", MISPLACED_KEY],
        &["configure", "docker", "--registry", MISPLACED_KEY],
        &["status", MISPLACED_KEY],
        &["doctor", MISPLACED_KEY],
        &["token", "rm", "--registry", "us.icr.io", MISPLACED_KEY],
    ] {
        env.run(arguments, Input::Bytes(b""));
    }
    env.store(MISPLACED_KEY, "iamapikey", "password-of-it");
    commands_with_logins(env);
    #[cfg(unix)]
    at_a_terminal(env);
    add_files_of_other_programs(env);
    env.set_environment_key();
    env.get("us.icr.io");
    env.unset("IBMCLOUD_API_KEY");
    add_sent_secrets(env);
}

/// Runs logins with a browser. The terminal also shows the log.
#[cfg(unix)]
fn at_a_terminal(env: &TestEnv) {
    let accounts = env.cloud.accounts();
    env.add_secret("PASSCODE-OF-A-PERSON");
    accounts.add_passcode("PASSCODE-OF-A-PERSON", Subject::user("person"));
    accounts.set_browser_subject(Some(Subject::user("person")));
    let mut session = dialog(env, &["login", "--sso"]);
    let mut shown = session.exp_string("not shown): ").expect("a prompt");
    session
        .send_line("PASSCODE-OF-A-PERSON")
        .expect("the program reads input");
    shown += &session.exp_string("[Y/n]").expect("a question");
    session.send_line("y").expect("the program reads input");
    shown += &session.exp_eof().expect("an end");
    assert!(shown.contains("Its API key"), "{shown}");
    let mut session = dialog(env, &["login", "--web", "jp.icr.io"]);
    log_in_with(&mut session);
    shown += &session.exp_string("[Y/n]").expect("a question");
    session.send_line("n").expect("the program reads input");
    shown += &session.exp_eof().expect("an end");
    assert!(shown.contains("This session expires"), "{shown}");
    for host in ["us.icr.io", "jp.icr.io"] {
        env.get(host).is_token_of();
    }
    add_sent_secrets(env);
    for secret in env.secrets().iter() {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
    let logout = env.run(&["logout", "--all", "--revoke", "--yes"], Input::Open);
    assert_eq!(logout.status, Some(0), "{logout:?}");
}

/// Adds the files of sources without a login.
fn add_files_of_other_programs(env: &mut TestEnv) {
    let properties =
        "CONTAINER_REGISTRY_AUTH_TYPE=iam\nCONTAINER_REGISTRY_APIKEY=API-KEY-OF-A-PERSON\n";
    let file = env.file("home/ibm-credentials.env", properties);
    env.get("us.icr.io").is_token_of();
    let report = env.path("report").display().to_string();
    let report = env.run(&["doctor", "--report", &report], Input::Open);
    assert!(env.path("report").exists(), "{report:?}");
    fs::remove_file(file).expect("the file exists");
    let accounts = env.cloud.accounts();
    accounts.link_default_profile(PROFILE);
    let url = env.cloud.url();
    for (api, variable, source) in [
        (MetadataApi::InstanceIdentity, "IBMCLOUD_CR_VPC_URL", "vpc"),
        (MetadataApi::Identity, "IBMCLOUD_CR_VPC_URL", "vpc"),
        (MetadataApi::PowerVs, "IBMCLOUD_CR_PVS_URL", "power-vs"),
    ] {
        env.cloud.accounts().enable_metadata(&[api]);
        env.set(variable, &url).set("ICR_SOURCE", source);
        env.keys().delete_tokens();
        env.get("us.icr.io").is_token_of();
        env.unset(variable).unset("ICR_SOURCE");
    }
}

/// Runs commands with registry tokens: those that a user creates, and those that `get` creates itself.
fn registry_tokens(env: &mut TestEnv) {
    env.set_environment_key();
    let [host, other] = env.registries();
    let mut output = String::new();
    let mut token = |task: &str, further: &[&str]| {
        let arguments = [&["token", task, "--registry", &host], further].concat();
        let outcome = env.run(&arguments, Input::Open);
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        output += &outcome.stderr;
    };
    for further in [&[][..], &["--quiet"], &["--json"], &["--login"]] {
        token("add", further);
    }
    let ids: Vec<String> = env
        .cloud
        .accounts()
        .registry_tokens()
        .into_iter()
        .map(|token| token.id)
        .collect();
    token("list", &[]);
    token("list", &["--json"]);
    token("get", &[&ids[0]]);
    // Only these commands may print them.
    for token in env.cloud.accounts().registry_tokens() {
        env.add_secret(&token.value);
    }
    env.get(&host).is_token_of();
    token("rm", &[&ids[0], &ids[1]]);
    env.set("ICR_SOURCE", "registry-token");
    env.settings(&format!("registries = [\"{host}\", \"{other}\"]\n"));
    env.get(&other).is_credential("token");
    env.keys().age_tokens(13 * 60 * 60);
    env.get(&other).is_credential("token");
    env.run(&["status", "--check", &other], Input::Open);
    env.run(&["logout", "--all"], Input::Open);
    add_sent_secrets(env);
    for secret in env.secrets().iter() {
        assert!(!output.contains(secret), "{secret}: {output}");
    }
}

/// The commands for logins and credentials.
fn commands_with_logins(env: &TestEnv) {
    fs::create_dir_all(env.path("cli")).expect("the test may change it");
    fs::create_dir_all(env.path("home/.docker")).expect("the test may change it");
    let accounts = env.cloud.accounts();
    accounts.add_refresh_token("REFRESH-TOKEN-OF-THE-CLI", Subject::user("cli"));
    env.add_secret("REFRESH-TOKEN-OF-THE-CLI");
    let session =
        json!({"IAMEndpoint": env.cloud.url(), "IAMRefreshToken": "REFRESH-TOKEN-OF-THE-CLI"});
    env.file("cli/config.json", &session.to_string());
    let auths = r#"{"auths": {"uk.icr.io": {"auth": "aWFtYXBpa2V5OkFQSS1LRVktT0YtQS1QRVJTT04="}}}"#;
    env.add_secret("aWFtYXBpa2V5OkFQSS1LRVktT0YtQS1QRVJTT04=");
    let docker = env.file("home/.docker/config.json", auths);
    // The last value is whether the command can succeed: there is no registry on this machine.
    for (arguments, input, is_fine) in [
        ("login --api-key-stdin", "API-KEY-OF-A-PERSON", true),
        ("login --api-key-stdin us.icr.io", "UNKNOWN-API-KEY", false),
        ("login au.icr.io --from-ibmcloud --create-api-key", "", true),
        ("login --rotate au.icr.io", "", true),
        ("configure docker --registry uk.icr.io --dry-run", "", true),
        ("configure docker --registry uk.icr.io --migrate", "", true),
        ("print uk.icr.io --format basic", "", true),
        ("print uk.icr.io --format env", "", true),
        ("token list --registry uk.icr.io", "", false),
        ("configure docker --undo", "", true),
        ("logout --revoke au.icr.io", "", false),
        ("logout --revoke --yes au.icr.io", "", true),
        ("logout --all", "", true),
    ] {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let mut command = env.command(&arguments);
        command
            .env("IBMCLOUD_CONFIG_HOME", env.path("cli"))
            .stdin(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program was built");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin
            .write_all(input.as_bytes())
            .expect("the program reads input");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        let stderr = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.success(), is_fine, "{arguments:?}: {stderr}");
        // What `print` prints is a secret.
        let printed = String::from_utf8(output.stdout).expect("text");
        if arguments[0] == "print" {
            for secret in printed
                .split([' ', '=', '\'', '\n'])
                .filter(|word| word.len() > 100)
            {
                env.add_secret(secret);
            }
        }
        for secret in env.secrets().iter() {
            assert!(!stderr.contains(secret), "{secret}: {arguments:?} {stderr}");
        }
    }
    fs::remove_file(docker).expect("the file exists");
    fs::remove_dir_all(env.path("cli")).expect("the file exists");
}

#[test]
fn no_command_logs_a_secret_at_any_level() {
    for level in LEVELS {
        let Some(env) = TestEnv::with_keychain() else {
            return;
        };
        let log = logged(env, level, run_all_commands);
        match level {
            "off" => assert_eq!(log, ""),
            _ => assert!(log.contains("ERROR"), "failures are logged: {level}\n{log}"),
        }
        for (part, from) in [("exchange{", 3), ("keychain{", 3), (": done", 2)] {
            let is_logged = LEVELS.iter().position(|it| *it == level).unwrap() >= from;
            let wanted = is_logged && level != "off";
            assert_eq!(log.contains(part), wanted, "{part} at {level}\n{log}");
        }
    }
}

#[test]
fn no_registry_token_is_in_the_log_at_any_level() {
    for level in LEVELS {
        let Some(env) = TestEnv::with_keychain() else {
            return;
        };
        let log = logged(env.with_registry(), level, registry_tokens);
        let is_logged = log.contains("create registry token");
        assert_eq!(is_logged, ["debug", "trace"].contains(&level), "{log}");
    }
}

/// Runs `flows` with a log file and returns the log. Checks that no file contains a secret.
fn logged(mut env: TestEnv, level: &str, flows: impl Fn(&mut TestEnv)) -> String {
    let path = env.path("log");
    env.set("ICR_LOG", level).set("ICR_LOG_FILE", path);
    // Each run checks its own stderr.
    flows(&mut env);
    assert!(env.secrets().len() > 5, "{:?}", env.secrets());
    assert_eq!(
        env.files_with_secrets(),
        Vec::<std::path::PathBuf>::new(),
        "at level {level}"
    );
    log(&env)
}

#[test]
fn each_step_is_logged_with_its_duration() {
    let Some(mut env) = TestEnv::with_keychain() else {
        return;
    };
    let path = env.path("log");
    env.set("ICR_LOG_FILE", path).set_environment_key();
    env.get("us.icr.io").is_token_of();
    let text = log(&env);
    for step in [
        "keychain{",
        "lock{",
        "find{",
        "request{",
        "exchange{",
        "run{",
    ] {
        let mut lines = text.lines();
        let closed = lines.any(|line| {
            let last = line.rfind(step).map(|start| &line[start..]);
            last.is_some_and(|last| last.contains("}: close time.busy="))
        });
        assert!(closed, "{step} is not closed in\n{text}");
    }
    assert!(text.contains("name=\"get\" pid="), "{text}");
    assert!(text.contains("the API key in $IBMCLOUD_API_KEY"), "{text}");
}
