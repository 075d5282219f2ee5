//! The credential helper protocol: arguments, input, output and exit statuses.

mod support;

#[cfg(target_os = "linux")]
use std::process::Command;

use serde_json::json;

use support::Input;
use support::Outcome;
use support::TestEnv;

const MIB: usize = 1024 * 1024;

/// Invalid addresses, and a part of the error about each.
const NO_ADDRESSES: [(&[u8], &str); 6] = [
    (b"us.icr.io\nde.icr.io\n", "more than one line"),
    (b"us.icr.io\rde.icr.io", "more than one line"),
    (b"us.icr.io\0", "control characters"),
    (b"us\x1b[31m.icr.io", "control characters"),
    (b"\xff\xff", "UTF-8"),
    (b"us.icr.io\xc3", "UTF-8"),
];

#[test]
fn version_and_help_succeed_on_stdout() {
    let env = TestEnv::new();
    for arguments in [["version"], ["--version"], ["-v"], ["-V"]] {
        let outcome = env.run(&arguments, Input::Open);
        let expected = concat!(
            "docker-credential-icr (docker-credential-icr) ",
            env!("CARGO_PKG_VERSION"),
            "\n"
        );
        assert_eq!((outcome.status, &*outcome.stdout), (Some(0), expected));
        assert_eq!(outcome.stderr, "");
    }
    for arguments in [["--help"], ["-h"]] {
        let outcome = env.run(&arguments, Input::Open);
        assert_eq!((outcome.status, &*outcome.stderr), (Some(0), ""));
        is_introduction(&outcome.stdout);
    }
}

#[test]
fn the_version_tells_one_build_from_another() {
    let env = TestEnv::new();
    let outcome = env.run(&["version", "--json"], Input::Open);
    assert_eq!((outcome.status, &*outcome.stderr), (Some(0), ""));
    let answer: serde_json::Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!(answer["version"], env!("CARGO_PKG_VERSION"));
    let is_hash =
        |commit: &str| commit.len() >= 40 && commit.chars().all(|digit| digit.is_ascii_hexdigit());
    let commit = &answer["commit"];
    assert!(commit.is_null() || commit.as_str().is_some_and(is_hash));
    let target = answer["target"].as_str().expect("a target");
    assert!(target.starts_with(std::env::consts::ARCH), "{target}");
    let features = answer["features"].as_array().expect("a list");
    assert!(
        features.contains(&"debug-assertions".into()),
        "{features:?}"
    );
    assert_eq!(
        features.contains(&"keychain-kernel".into()),
        cfg!(target_os = "linux")
    );
    for arguments in [
        &["version", "--jsno"][..],
        &["list", "--json"],
        &["version", "--json", "a"],
    ] {
        let outcome = env.run(arguments, "");
        outcome.is_client_error(&["too many arguments for '", "--help"]);
    }
}

#[test]
fn two_dashes_before_an_address_are_the_end_of_options() {
    let env = TestEnv::with_environment_key();
    for arguments in [&["get", "--", "us.icr.io"][..], &["get", "--"]] {
        let outcome = env.run(arguments, "us.icr.io");
        let start = "{\"ServerURL\":\"us.icr.io\",\"Username\":\"iambearer\"";
        assert!(outcome.stdout.starts_with(start), "{outcome:?}");
    }
    let erased = env.run(&["erase", "--", "us.icr.io"], "");
    assert_eq!((erased.status, &*erased.stdout), (Some(0), ""));
    env.run(&["get", "us.icr.io", "--"], "")
        .is_client_error(&["too many arguments for 'get'"]);
}

#[test]
fn wrong_arguments_point_to_the_help() {
    let env = TestEnv::with_environment_key();
    let outcome = env.run(&[], "");
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    assert!(outcome.stdout.starts_with("Usage: "), "{outcome:?}");
    for (arguments, part) in [
        (
            &["GET"][..],
            "unknown command 'GET'. Did you mean 'get'? See --help",
        ),
        (
            &["Store"],
            "unknown command 'Store'. Did you mean 'store'? See --help",
        ),
        (
            &["--HELP"],
            "unknown option '--HELP'. Did you mean '--help'? See --help",
        ),
        (&[""], "unknown command ''"),
        (&["--nonsense"], "unknown option '--nonsense'"),
        (
            &["--verison"],
            "unknown option '--verison'. Did you mean '--version'? See --help",
        ),
        (&["nonsense", "us.icr.io"], "unknown command 'nonsense'"),
        (
            &["stauts"],
            "unknown command 'stauts'. Did you mean 'status'? See --help",
        ),
        (
            &["help", "stauts"],
            "unknown command 'stauts'. Did you mean 'status'? See --help",
        ),
        (&["--version", "us.icr.io"], ""),
        (&["-V", "us.icr.io"], ""),
        (&["--help", "us.icr.io"], ""),
    ] {
        let outcome = env.run(arguments, "us.icr.io");
        outcome.is_unknown_command(&[part, "See ", "--help"]);
    }
    for (arguments, part) in [
        (
            &["get", "us.icr.io", "de.icr.io"][..],
            "too many arguments for '",
        ),
        (
            &["erase", "us.icr.io", "de.icr.io"],
            "too many arguments for '",
        ),
        (&["store", "us.icr.io"], "too many arguments for '"),
        (&["list", "us.icr.io"], "too many arguments for '"),
        (&["version", "us.icr.io"], "too many arguments for '"),
    ] {
        let outcome = env.run(arguments, "us.icr.io");
        outcome.is_client_error(&[part, "See ", "--help"]);
    }
    assert_eq!(env.cloud.exchanges(), 0);
}

#[test]
fn every_verb_and_command_has_help_with_an_example() {
    let env = TestEnv::with_environment_key();
    for name in [
        "get",
        "store",
        "erase",
        "list",
        "version",
        "completions",
        "configure",
        "doctor",
        "install",
        "login",
        "logout",
        "print",
        "settings",
        "status",
        "token",
        "whoami",
    ] {
        for arguments in [&[name, "--help"][..], &["help", name]] {
            let outcome = env.run(arguments, "us.icr.io");
            assert_eq!((outcome.status, &*outcome.stderr), (Some(0), ""));
            let usage = format!("Usage: docker-credential-icr {name}");
            outcome.has(&outcome.stdout, &[&usage, "Example"]);
        }
    }
    assert_eq!(env.cloud.exchanges(), 0);
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_changes_neither_the_status_nor_stderr() {
    let env = TestEnv::with_environment_key();
    for arguments in [
        &[][..],
        &["--help"],
        &["--version"],
        &["help", "login"],
        &["login", "--help"],
        &["get", "us.icr.io"],
        &["get", "docker.io"],
        &["list"],
        &["nonsense"],
        &["version"],
        &["configure", "--dry-run", "--registry", "us.icr.io"],
        &["doctor"],
        &["doctor", "--json"],
        &[
            "print",
            "us.icr.io",
            "--format",
            "env",
            "--credential",
            "iamapikey",
        ],
        &["settings"],
        &["settings", "--json"],
        &["status"],
        &["status", "--json"],
    ] {
        let run = |output: std::process::Stdio| {
            let mut command = env.command(arguments);
            command.stdin(std::process::Stdio::null()).stdout(output);
            let output = command.output().expect("the program was built");
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            (output.status.code(), errors)
        };
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let all_is_read = run(std::process::Stdio::piped());
        assert_eq!(run(writer.into()), all_is_read, "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_cannot_be_written_is_an_error_on_stderr() {
    let env = TestEnv::with_environment_key();
    for arguments in [&["get", "us.icr.io"][..], &["list"], &["settings"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let mut command = env.command(arguments);
        command.stdout(full.expect("it is on every Linux"));
        let output = command.output().expect("the program was built");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_ne!(output.status.code(), Some(0), "{errors}");
        assert!(errors.contains("cannot write the answer"), "{errors}");
    }
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_not_utf8_is_rejected() {
    use std::os::unix::ffi::OsStrExt as _;
    let env = TestEnv::new();
    let mut command = env.command(&["get"]);
    command.arg(std::ffi::OsStr::from_bytes(b"\xff.icr.io"));
    let outcome = env.start_as(command, "").finish();
    outcome.is_client_error(&["UTF-8"]);
}

#[cfg(target_os = "linux")]
#[test]
fn without_arguments_a_terminal_shows_the_introduction() {
    let mut env = TestEnv::new();
    env.set("PATH", "/usr/bin:/bin").set("SHELL", "/bin/sh");
    // `script` of util-linux provides the pseudo-terminal.
    let mut command = Command::new("script");
    let program = env!("CARGO_BIN_EXE_docker-credential-icr");
    command.args(["--quiet", "--return", "--command", program, "/dev/null"]);
    env.apply_to(&mut command);
    let outcome = env.start_as(command, "").finish();
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    is_introduction(&outcome.stdout.replace('\r', ""));
}

/// Asserts that the introduction says what the program is, how to start and which commands there are, on one screen.
#[track_caller]
fn is_introduction(text: &str) {
    for part in [
        "IBM Cloud Container Registry",
        "configure --registry",
        "docker-credential-icr login",
        "IBMCLOUD_API_KEY",
        "get",
        "store",
        "erase",
        "list",
        "version",
    ] {
        assert!(text.contains(part), "`{part}` is missing in {text}");
    }
    assert!(text.lines().count() <= 40, "more than a screen: {text}");
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "{widest:?} columns: {text}");
}

#[test]
fn an_address_is_trimmed_and_otherwise_returned_unchanged() {
    let env = TestEnv::with_environment_key();
    for input in [
        "us.icr.io",
        "us.icr.io\n",
        "us.icr.io\r\n",
        " \t https://US.icr.io:443/v2/ \r\n",
        "\n\nus.icr.io/namespace/repository\n\n",
    ] {
        env.get(input).is_credential("iambearer");
    }
}

#[test]
fn with_an_address_as_an_argument_stdin_is_not_read() {
    let env = TestEnv::with_environment_key();
    let outcome = env.run(&["get", " us.icr.io "], Input::Open);
    outcome.is_credential("iambearer");
    let outcome = env.run(&["get", "docker.io"], Input::Open);
    outcome.is_not_found();
    let outcome = env.run(&["erase", "us.icr.io"], Input::Open);
    outcome.is_success_with_warning(&["$IBMCLOUD_API_KEY is still active for us.icr.io"]);
    env.run(&["get", "a\nb"], Input::Open)
        .is_client_error(&["more than one line"]);
}

#[test]
fn an_invalid_address_is_rejected() {
    let env = TestEnv::with_environment_key();
    for (input, reason) in NO_ADDRESSES {
        let outcome = env.run(&["get"], input);
        outcome.is_client_error(&["server address", reason]);
    }
    assert_eq!(env.cloud.exchanges(), 0);
}

#[test]
fn an_empty_address_or_username_has_the_error_that_clients_know() {
    let env = TestEnv::with_environment_key();
    for empty in ["", " ", "\n", " \r\n\t"] {
        for verb in ["get", "erase"] {
            let outcome = env.run(&[verb], empty);
            outcome.is_client_error(&[]);
            assert_eq!(outcome.stdout, "no credentials server URL\n", "{verb}");
        }
        let outcome = env.store(empty, "iamapikey", "some-api-key");
        outcome.is_client_error(&[]);
        assert_eq!(outcome.stdout, "no credentials server URL\n");
    }
    let outcome = env.store("us.icr.io", "", "some-api-key");
    outcome.is_client_error(&[]);
    assert_eq!(outcome.stdout, "no credentials username\n");
}

/// `erase` shows the same text as a warning: its only error is an empty address.
#[track_caller]
fn is_error_about_the_limit(outcome: &Outcome, verb: &str) {
    if verb == "erase" {
        outcome.is_success_with_warning(&["stdin", "1 MiB"]);
    } else {
        outcome.is_client_error(&["stdin", "1 MiB"]);
    }
}

#[test]
fn input_of_exactly_1_mib_is_accepted_and_a_byte_more_is_not() {
    let env = TestEnv::with_environment_key();
    let input = |length: usize| format!("us.icr.io{}", " ".repeat(length - "us.icr.io".len()));
    let outcome = env.get(&input(MIB));
    outcome.is_credential("iambearer");
    for verb in ["get", "erase", "store"] {
        is_error_about_the_limit(&env.run(&[verb], &*input(MIB + 1)), verb);
    }
}

#[test]
fn a_client_that_writes_too_much_gets_an_error_and_no_broken_pipe() {
    let env = TestEnv::with_environment_key();
    let much = vec![b'y'; 32 * MIB];
    for verb in ["get", "store", "erase"] {
        let outcome = env.run(&[verb], &*much);
        is_error_about_the_limit(&outcome, verb);
        assert!(outcome.read_all_input, "{verb} stopped reading");
    }
}

#[test]
fn a_client_that_never_stops_writing_gets_an_error() {
    let env = TestEnv::with_environment_key();
    for verb in ["get", "store", "erase"] {
        is_error_about_the_limit(&env.run(&[verb], Input::Endless), verb);
    }
    assert_eq!(env.cloud.exchanges(), 0);
}

#[test]
fn list_does_not_read_stdin() {
    let env = TestEnv::new();
    for input in [
        Input::Open,
        Input::Bytes(b""),
        Input::Bytes(b"unused"),
        Input::Bytes(b"\xff\0"),
    ] {
        let outcome = env.run(&["list"], input);
        assert_eq!(outcome.stdout, "{}\n", "{input:?}");
        outcome.is_list(&[]);
    }
}

#[test]
fn an_invalid_store_request_is_rejected_and_nothing_is_stored() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    env.add_secret("the-secret-of-a-broken-request");
    let request = |fields: serde_json::Value| fields.to_string().into_bytes();
    let secret = "the-secret-of-a-broken-request";
    for (input, reason) in [
        (b"".to_vec(), "JSON object"),
        (b"null".to_vec(), "JSON object"),
        (secret.as_bytes().to_vec(), "JSON object"),
        (request(json!([secret])), "JSON object"),
        (request(json!(secret)), "JSON object"),
        (format!("{{\"ServerURL\":\"us.icr.io\",\"Username\":\"iamapikey\",\"Secret\":\"{secret}").into_bytes(), "JSON object"),
        (format!("{{\"ServerURL\":\"us.icr.io\",\"Username\":\"iamapikey\",\"Secret\":\"{secret}\"}} {{}}").into_bytes(), "JSON object"),
        ("[".repeat(500_000).into_bytes(), "JSON object"),
        (b"{\"ServerURL\":\"us.icr.io\",\"Username\":\"iamapikey\",\"Secret\":\"\xff\"}".to_vec(), "JSON object"),
        (b"{\"ServerURL\":\"us.icr.io\0\",\"Username\":\"iamapikey\",\"Secret\":\"x\"}".to_vec(), ""),
        (request(json!({"ServerURL": 1, "Username": "iamapikey", "Secret": secret})), "ServerURL"),
        (request(json!({"ServerURL": "us.icr.io", "Username": null, "Secret": secret})), "Username"),
        (request(json!({"ServerURL": "us.icr.io", "Username": "iamapikey", "Secret": [secret]})), "Secret"),
        (request(json!({"Username": "iamapikey", "Secret": secret})), "no credentials server URL"),
        (request(json!({"ServerURL": "us.icr.io", "Secret": secret})), "no credentials username"),
        (request(json!({"ServerURL": "us.icr.io", "Username": "iamapikey"})), "Secret"),
        (request(json!({"ServerURL": "us.icr.io\nde.icr.io", "Username": "iamapikey", "Secret": secret})), "more than one line"),
        (request(json!({"ServerURL": "us.icr.io\u{0}", "Username": "iamapikey", "Secret": secret})), "control characters"),
        (request(json!({"ServerURL": "us.icr.io", "Username": "iam\u{0}apikey", "Secret": secret})), "control characters"),
        (request(json!({"ServerURL": "us.icr.io", "Username": "iamapikey", "Secret": format!("{secret}\u{0}")})), "NUL"),
    ] {
        env.run(&["store"], &*input).is_client_error(&[reason]);
    }
    env.list().is_list(&[]);
    assert_eq!(env.keys().names(), [""; 0]);
}

#[test]
fn a_store_request_is_read_as_go_reads_it() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    env.add_secret("secret-in-any-case");
    for (host, request) in [
        (
            "us.icr.io",
            r#"{"ServerURL":"us.icr.io","Username":"someone","Secret":"secret-in-any-case"}"#,
        ),
        (
            "de.icr.io",
            "\n{ \"serverurl\": \"de.icr.io\\n\", \"USERNAME\": \"someone\", \"secret\": \"secret-in-any-case\" }\r\n",
        ),
        (
            "uk.icr.io",
            r#"{"Secret":"secret-in-any-case","More":{"a":[1]},"Username":"someone","ServerURL":"https://uk.icr.io/"}"#,
        ),
    ] {
        env.run(&["store"], request).is_silent_success();
        let secret = env.get(host).is_credential("someone");
        assert_eq!(secret, "secret-in-any-case");
    }
}

/// Docker's reference helper accepts an empty secret; returning one would be worse than "not found".
#[test]
fn an_empty_secret_is_accepted_and_never_returned() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    for username in [
        "iamapikey",
        "iamrefresh",
        "iambearer",
        "token",
        "cp",
        "Profile-1",
        "someone",
    ] {
        env.store("us.icr.io", username, "").is_silent_success();
        env.get("us.icr.io").is_not_found();
        env.list().is_list(&[]);
    }
    assert_eq!(env.cloud.exchanges(), 0);
    env.store("us.icr.io", "iamapikey", "a-stored-api-key")
        .is_silent_success();
    env.store("us.icr.io", "iamapikey", "").is_client_error(&[
        "its secret is empty",
        "previous login is kept",
        "'docker-credential-icr logout us.icr.io'",
    ]);
    env.list().is_list(&[("us.icr.io", "iamapikey")]);
}

#[test]
fn erase_succeeds_for_every_address() {
    let env = TestEnv::with_environment_key();
    for address in [
        "us.icr.io",
        "https://us.icr.io/v2/",
        "docker.io",
        "https://index.docker.io/v1/",
        "not a host",
        "us.icr.io#x",
    ] {
        // The API key in the environment stays active for IBM Cloud registries.
        for _ in 0..2 {
            let outcome = env.erase(address);
            if address.contains("us.icr.io") && !address.contains('#') {
                outcome.is_success_with_warning(&["is still active for us.icr.io"])
            } else {
                outcome.is_silent_success()
            }
        }
    }
    env.settings("registries = 5\n");
    for address in ["us.icr.io", "docker.io"] {
        assert_eq!(
            env.erase(address).status,
            Some(0),
            "podman overflows its stack otherwise"
        );
    }
}

#[test]
fn not_found_is_the_same_answer_for_every_host() {
    let env = TestEnv::new();
    for address in [
        "us.icr.io",
        "cp.icr.io",
        "docker.io",
        "https://index.docker.io/v1/",
        "localhost:5000",
        "words, not a host",
    ] {
        env.get(address).is_not_found();
    }
}

/// A wrong log level must not fail a pull.
#[test]
fn an_invalid_log_level_causes_a_warning_and_an_answer() {
    let mut env = TestEnv::with_environment_key();
    env.set("ICR_LOG", "loud");
    let outcome = env.get("us.icr.io");
    outcome.is_credential("iambearer");
    assert!(outcome.stderr.contains("$ICR_LOG"), "{outcome:?}");
    assert!(outcome.stderr.contains("debug"), "{outcome:?}");
    for nothing in ["", "off"] {
        env.set("ICR_LOG", nothing);
        let outcome = env.get("us.icr.io");
        outcome.is_credential("iambearer");
        assert_eq!(outcome.stderr, "");
    }
}
