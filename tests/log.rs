//! What is in the log, and what never is?

mod support;

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
use support::Machine;
use support::at_once;
#[cfg(unix)]
use support::browser::log_in_with;
#[cfg(unix)]
use support::screen::dialog;
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

/// What somebody typed where something else belongs.
const MISPLACED_KEY: &str = "xK_q7ZbM0pR4-tW9yLcN2vH5jF8sD1gA3eQ6uI_oXzTm";

const PROFILE: &str = "Profile-8dd84246-7df4-4667-94e4-8ecde51d5ac5";

fn log(machine: &Machine) -> String {
    fs::read_to_string(machine.path("log")).unwrap_or_default()
}

/// Everything that was sent to the cloud as a secret is one from now on.
fn plant_what_was_sent(machine: &Machine) {
    for request in machine.cloud.requests() {
        for field in SECRET_FIELDS {
            if let Some(secret) = request.field(field) {
                machine.plant(secret);
            }
        }
        if let Some((_, token)) = request
            .header("authorization")
            .and_then(|header| header.split_once("Bearer "))
        {
            machine.plant(token);
        }
    }
}

/// Everything that the program does, well and badly.
fn every_flow(machine: &mut Machine) {
    // Nobody is asked who is not on this machine.
    machine.set("HTTPS_PROXY", "http://127.0.0.1:1");
    let accounts = machine.cloud.accounts();
    accounts.add_refresh_token("REFRESH-TOKEN-OF-A-PERSON", Subject::user("refresher"));
    accounts.add_api_key("API-KEY-OF-A-SERVICE", Subject::service_id("1"));
    accounts.add_profile(PROFILE, &["iam-ServiceId-1"]);
    accounts.add_compute_resource_token("COMPUTE-RESOURCE-TOKEN", &[PROFILE]);
    machine.add_api_key("API-KEY-OF-A-PERSON", "person");
    for (username, secret) in [
        ("iamapikey", "API-KEY-OF-A-PERSON"),
        ("iamapikey", "API-KEY-OF-NOBODY"),
        ("iamrefresh", "REFRESH-TOKEN-OF-A-PERSON"),
        (PROFILE, "API-KEY-OF-A-SERVICE"),
        ("token", "OPAQUE-REGISTRY-TOKEN"),
        ("someone", "a-password-for-someone"),
        ("<token>", "an-identity-token"),
    ] {
        machine.store("us.icr.io", username, secret);
        machine.get("us.icr.io");
        machine.get("https://us.icr.io/v2/");
        machine.list();
    }
    machine.erase("us.icr.io");
    machine.set("ICR_BACKGROUND_REFRESH", "true");
    machine.store("de.icr.io", "iamapikey", "API-KEY-OF-A-PERSON");
    machine.get("de.icr.io");
    machine.keys().age_tokens(1900);
    machine.get("de.icr.io");
    machine.set("ICR_BACKGROUND_REFRESH", "false");
    for fault in [Fault::Status(503), Fault::Html, Fault::Status(400)] {
        machine.keys().forget_tokens();
        machine.cloud.script([fault]);
        machine.get("de.icr.io");
    }
    machine.plant("COMPUTE-RESOURCE-TOKEN");
    machine
        .set("IBMCLOUD_CR_TOKEN", "COMPUTE-RESOURCE-TOKEN")
        .set("IBMCLOUD_CR_PROFILE", PROFILE);
    machine.get("us.icr.io");
    machine.unset("IBMCLOUD_CR_TOKEN");
    machine.plant("AN-IAM-TOKEN-OF-SOMEBODY");
    machine.set("IC_IAM_TOKEN", "AN-IAM-TOKEN-OF-SOMEBODY");
    machine.get("us.icr.io");
    machine.unset("IC_IAM_TOKEN");
    machine.plant("password-of-an-address");
    machine.get("https://user:password-of-an-address@us.icr.io");
    machine.store("us.icr.io@password-of-an-address", "a", "password-of-it");
    for arguments in [
        &["settings"][..],
        &["settings", "--json"],
        &["status"],
        &["status", "--check", "--json"],
        &["doctor"],
        &["nonsense"],
    ] {
        machine.run(arguments, Input::Open);
    }
    machine.plant(MISPLACED_KEY);
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
        machine.run(arguments, Input::Bytes(b""));
    }
    machine.store(MISPLACED_KEY, "iamapikey", "password-of-it");
    commands_with_logins(machine);
    #[cfg(unix)]
    at_a_terminal(machine);
    what_others_leave(machine);
    machine.set_environment_key();
    machine.get("us.icr.io");
    machine.unset("IBMCLOUD_API_KEY");
    plant_what_was_sent(machine);
}

/// Logins with a browser. What a terminal is shown holds the log as well.
#[cfg(unix)]
fn at_a_terminal(machine: &Machine) {
    let accounts = machine.cloud.accounts();
    machine.plant("PASSCODE-OF-A-PERSON");
    accounts.add_passcode("PASSCODE-OF-A-PERSON", Subject::user("person"));
    accounts.set_browser_subject(Some(Subject::user("person")));
    let mut session = dialog(machine, &["login", "--sso"]);
    let mut shown = session.exp_string("not shown): ").expect("a prompt");
    session
        .send_line("PASSCODE-OF-A-PERSON")
        .expect("it listens");
    shown += &session.exp_string("[Y/n]").expect("a question");
    session.send_line("y").expect("it listens");
    shown += &session.exp_eof().expect("an end");
    assert!(shown.contains("Its API key"), "{shown}");
    let mut session = dialog(machine, &["login", "--web", "jp.icr.io"]);
    log_in_with(&mut session);
    shown += &session.exp_string("[Y/n]").expect("a question");
    session.send_line("n").expect("it listens");
    shown += &session.exp_eof().expect("an end");
    assert!(shown.contains("This session expires"), "{shown}");
    for host in ["us.icr.io", "jp.icr.io"] {
        machine.get(host).is_token_of();
    }
    plant_what_was_sent(machine);
    for secret in machine.secrets().iter() {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
    let logout = machine.run(&["logout", "--all", "--revoke", "--yes"], Input::Open);
    assert_eq!(logout.status, Some(0), "{logout:?}");
}

/// What says who somebody is without a login.
fn what_others_leave(machine: &mut Machine) {
    let properties =
        "CONTAINER_REGISTRY_AUTH_TYPE=iam\nCONTAINER_REGISTRY_APIKEY=API-KEY-OF-A-PERSON\n";
    let file = machine.file("home/ibm-credentials.env", properties);
    machine.get("us.icr.io").is_token_of();
    let report = machine.path("report").display().to_string();
    let report = machine.run(&["doctor", "--report", &report], Input::Open);
    assert!(machine.path("report").exists(), "{report:?}");
    fs::remove_file(file).expect("it is there");
    let accounts = machine.cloud.accounts();
    accounts.link_default_profile(PROFILE);
    let url = machine.cloud.url();
    for (api, variable, source) in [
        (MetadataApi::InstanceIdentity, "IBMCLOUD_CR_VPC_URL", "vpc"),
        (MetadataApi::Identity, "IBMCLOUD_CR_VPC_URL", "vpc"),
        (MetadataApi::PowerVs, "IBMCLOUD_CR_PVS_URL", "power-vs"),
    ] {
        machine.cloud.accounts().enable_metadata(&[api]);
        machine.set(variable, &url).set("ICR_SOURCE", source);
        machine.keys().forget_tokens();
        machine.get("us.icr.io").is_token_of();
        machine.unset(variable).unset("ICR_SOURCE");
    }
}

/// Registry tokens: those that a person makes, and those that `get` makes by itself.
fn registry_tokens(machine: &mut Machine) {
    machine.set_environment_key();
    let [host, other] = machine.registries();
    let mut told = String::new();
    let mut token = |task: &str, further: &[&str]| {
        let arguments = [&["token", task, "--registry", &host], further].concat();
        let outcome = machine.run(&arguments, Input::Open);
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        told += &outcome.stderr;
    };
    for further in [&[][..], &["--quiet"], &["--json"], &["--login"]] {
        token("add", further);
    }
    let ids: Vec<String> = machine
        .cloud
        .accounts()
        .registry_tokens()
        .into_iter()
        .map(|token| token.id)
        .collect();
    token("list", &[]);
    token("list", &["--json"]);
    token("get", &[&ids[0]]);
    // Printing them is what these commands are for; from now on nobody may.
    for token in machine.cloud.accounts().registry_tokens() {
        machine.plant(&token.value);
    }
    machine.get(&host).is_token_of();
    token("rm", &[&ids[0], &ids[1]]);
    machine.set("ICR_SOURCE", "registry-token");
    machine.settings(&format!("registries = [\"{host}\", \"{other}\"]\n"));
    machine.get(&other).is_credential("token");
    machine.keys().age_tokens(13 * 60 * 60);
    machine.get(&other).is_credential("token");
    machine.run(&["status", "--check", &other], Input::Open);
    machine.run(&["logout", "--all"], Input::Open);
    plant_what_was_sent(machine);
    for secret in machine.secrets().iter() {
        assert!(!told.contains(secret), "{secret}: {told}");
    }
}

/// What people do with logins, and get credentials by.
fn commands_with_logins(machine: &Machine) {
    fs::create_dir_all(machine.path("cli")).expect("it is ours");
    fs::create_dir_all(machine.path("home/.docker")).expect("it is ours");
    let accounts = machine.cloud.accounts();
    accounts.add_refresh_token("REFRESH-TOKEN-OF-THE-CLI", Subject::user("cli"));
    machine.plant("REFRESH-TOKEN-OF-THE-CLI");
    let session =
        json!({"IAMEndpoint": machine.cloud.url(), "IAMRefreshToken": "REFRESH-TOKEN-OF-THE-CLI"});
    machine.file("cli/config.json", &session.to_string());
    let auths = r#"{"auths": {"uk.icr.io": {"auth": "aWFtYXBpa2V5OkFQSS1LRVktT0YtQS1QRVJTT04="}}}"#;
    machine.plant("aWFtYXBpa2V5OkFQSS1LRVktT0YtQS1QRVJTT04=");
    let docker = machine.file("home/.docker/config.json", auths);
    // The last word says whether it can succeed: a registry is not on this machine.
    for (arguments, input, is_fine) in [
        ("login --api-key-stdin", "API-KEY-OF-A-PERSON", true),
        (
            "login --api-key-stdin us.icr.io",
            "API-KEY-OF-NOBODY",
            false,
        ),
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
        let mut command = machine.command(&arguments);
        command
            .env("IBMCLOUD_CONFIG_HOME", machine.path("cli"))
            .stdin(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program was built");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(input.as_bytes()).expect("it listens");
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
                machine.plant(secret);
            }
        }
        for secret in machine.secrets().iter() {
            assert!(!stderr.contains(secret), "{secret}: {arguments:?} {stderr}");
        }
    }
    fs::remove_file(docker).expect("it is there");
    fs::remove_dir_all(machine.path("cli")).expect("it is there");
}

#[test]
fn no_flow_at_any_level_writes_a_secret_of_its_own() {
    for level in LEVELS {
        let Some(machine) = Machine::with_keychain() else {
            return;
        };
        let log = logged(machine, level, every_flow);
        match level {
            "off" => assert_eq!(log, ""),
            _ => assert!(log.contains("ERROR"), "failures are told: {level}\n{log}"),
        }
        for (part, from) in [("exchange{", 3), ("keychain{", 3), (": done", 2)] {
            let is_there = LEVELS.iter().position(|it| *it == level).unwrap() >= from;
            let wanted = is_there && level != "off";
            assert_eq!(log.contains(part), wanted, "{part} at {level}\n{log}");
        }
    }
}

#[test]
fn no_registry_token_is_in_the_log_at_any_level() {
    for level in LEVELS {
        let Some(machine) = Machine::with_keychain() else {
            return;
        };
        let log = logged(machine.with_registry(), level, registry_tokens);
        let is_there = log.contains("create registry token");
        assert_eq!(is_there, ["debug", "trace"].contains(&level), "{log}");
    }
}

/// The log of all that, in which there is no secret, and neither is in any other file.
fn logged(mut machine: Machine, level: &str, flows: impl Fn(&mut Machine)) -> String {
    let path = machine.path("log");
    machine.set("ICR_LOG", level).set("ICR_LOG_FILE", path);
    // What is on stderr is searched after each run, the file here.
    flows(&mut machine);
    assert!(machine.secrets().len() > 5, "{:?}", machine.secrets());
    assert_eq!(
        machine.files_with_secrets(),
        Vec::<std::path::PathBuf>::new(),
        "at level {level}"
    );
    log(&machine)
}

#[test]
fn every_step_tells_how_long_it_took() {
    let Some(mut machine) = Machine::with_keychain() else {
        return;
    };
    let path = machine.path("log");
    machine.set("ICR_LOG_FILE", path).set_environment_key();
    machine.get("us.icr.io").is_token_of();
    let text = log(&machine);
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

#[test]
fn the_file_needs_no_other_variable_and_leaves_the_streams_alone() {
    let mut machine = Machine::with_environment_key();
    machine.get("us.icr.io").is_token_of();
    assert!(!machine.path("log").exists());
    let path = machine.path("log");
    machine.set("ICR_LOG_FILE", path);
    // An answer is one only with a quiet stderr.
    machine.get("us.icr.io").is_token_of();
    assert!(log(&machine).contains("DEBUG"));
    let before = log(&machine).len();
    machine.set("ICR_LOG", "error");
    machine.get("us.icr.io").is_token_of();
    assert_eq!(log(&machine).len(), before, "the level holds for both");
    machine.cloud.script([Fault::Status(400)]);
    let outcome = machine.get("us.icr.io");
    assert!(outcome.stderr.contains("ERROR"), "{outcome:?}");
    assert!(log(&machine)[before..].contains("ERROR"));
}

#[test]
fn processes_at_once_write_whole_lines() {
    let mut machine = Machine::with_environment_key();
    let path = machine.path("log");
    machine.set("ICR_LOG_FILE", path).set("ICR_LOG", "trace");
    at_once(20, |_| machine.get("us.icr.io").is_token_of());
    let log = log(&machine);
    let runs = log.lines().filter(|line| line.ends_with(": done")).count();
    assert_eq!(runs, 20, "{log}");
    for line in log.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert!(words[0].ends_with('Z') && words[0].len() > 20, "{line}");
        assert!(["TRACE", "DEBUG", "INFO", "WARN", "ERROR"].contains(&words[1]));
    }
}

#[cfg(unix)]
#[test]
fn the_file_is_for_its_user_and_never_large() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let mut machine = Machine::with_environment_key();
    let path = machine.path("log");
    machine.set("ICR_LOG_FILE", &path);
    machine.get("us.icr.io").is_token_of();
    assert_eq!(mode(&path), 0o600);
    fs::write(&path, "x".repeat(1024 * 1024)).unwrap();
    set_mode(&path, 0o644);
    machine.get("us.icr.io").is_token_of();
    let older = machine.path("log.1");
    assert_eq!(mode(&path), 0o600);
    assert!(fs::metadata(&path).unwrap().len() < 64 * 1024);
    assert_eq!(fs::metadata(&older).unwrap().len(), 1024 * 1024);
    fs::write(&path, "x".repeat(1024 * 1024)).unwrap();
    machine.get("us.icr.io").is_token_of();
    let files = fs::read_dir(path.parent().unwrap()).unwrap().flatten();
    let logs = files.filter(|file| file.file_name().to_string_lossy().starts_with("log"));
    assert_eq!(logs.count(), 2, "and no third");
}

/// A log file that is somewhere else, or somebody else's, gets no line; says why.
#[cfg(unix)]
#[track_caller]
fn is_refused(machine: &mut Machine, path: &Path, reason: &str) {
    machine.set("ICR_LOG_FILE", path);
    let outcome = machine.get("us.icr.io");
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
    outcome.has(&outcome.stderr, &["no log is written", reason]);
}

#[cfg(unix)]
#[test]
fn what_a_link_leads_to_is_left_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut machine = Machine::with_environment_key();
    let target = machine.file("target", "precious\n");
    set_mode(&target, 0o644);
    let names = ["link", "hard-link", "dangling"].map(|name| machine.path(name));
    std::os::unix::fs::symlink(&target, &names[0]).expect("it is ours");
    std::os::unix::fs::symlink(machine.path("missing"), &names[2]).expect("it is ours");
    is_refused(&mut machine, &names[0], "a link");
    is_refused(&mut machine, &names[2], "a link");
    fs::hard_link(&target, &names[1]).expect("it is ours");
    is_refused(&mut machine, &names[1], "another name");
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious\n");
    let mode = fs::metadata(&target).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    assert!(!machine.path("missing").exists());
}

#[cfg(unix)]
#[test]
fn somebody_elses_file_is_left_alone() {
    let mut machine = Machine::with_environment_key();
    let path = machine.file("theirs", "");
    set_mode(&path, 0o666);
    // Only root can give a file away; anybody else has a file that is none.
    let path = match std::os::unix::fs::chown(&path, Some(4711), None) {
        Ok(()) => path,
        Err(_) => "/dev/null".into(),
    };
    let reason = if path.ends_with("null") {
        "not a regular file"
    } else {
        "belongs to another user (number 4711)"
    };
    is_refused(&mut machine, &path, reason);
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
}

#[test]
fn a_file_that_cannot_be_written_costs_no_answer() {
    let mut machine = Machine::with_environment_key();
    let missing = machine.path("missing/log");
    let directory = machine.path("home");
    for path in [Path::new("log"), &missing, &directory] {
        machine.set("ICR_LOG_FILE", path);
        let outcome = machine.get("us.icr.io");
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        assert!(outcome.stdout.contains("iambearer"), "{outcome:?}");
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
        assert!(outcome.stderr.contains("$ICR_LOG_FILE"), "{outcome:?}");
    }
    machine.plant(ENVIRONMENT_KEY);
}
