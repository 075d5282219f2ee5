//! What is different on Windows: names of variables, directories, open files, the size of secrets, paths and hints.
#![cfg(windows)]

mod support;

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::os::windows::fs::OpenOptionsExt as _;
use std::time::Duration;

use icr_emulator::Fault;
use serde_json::Value;

use support::DOCKER;
use support::ENVIRONMENT_KEY;
use support::TestEnv;

/// What other programs may do with a file that is open (Win32, "CreateFileW").
const NOTHING: u32 = 0;
const READ: u32 = 1;

/// Longer than a busy file is tried again.
const LONG: Duration = Duration::from_secs(1);

fn hold(env: &TestEnv, share_mode: u32) -> File {
    let path = env.file(DOCKER, "{}");
    let mut options = OpenOptions::new();
    options.read(true).share_mode(share_mode);
    options.open(path).expect("a file of this test")
}

#[test]
fn variables_are_found_in_any_case() {
    let mut env = TestEnv::with_environment_key();
    env.unset("IBMCLOUD_API_KEY");
    env.get("us.icr.io").is_not_found();
    env.set("ibmcloud_api_key", ENVIRONMENT_KEY);
    env.get("us.icr.io").is_credential("iambearer");

    fs::create_dir(env.path("programs")).expect("a new directory");
    fs::write(env.path("programs/regctl.exe"), "").expect("a new directory");
    env.set("Path", env.path("programs"));
    let outcome = env.run(&["configure", "--dry-run", "--registry", "us.icr.io"], "");
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert!(
        outcome.stdout.contains(r"\.regctl\config.json"),
        "{outcome:?}"
    );
}

#[test]
fn the_home_directory_is_the_one_in_the_variable() {
    let mut env = TestEnv::new();
    env.set("USERPROFILE", env.path("other"));
    env.add_refresh_token("REFRESH-TOKEN-OF-A-SESSION", "session");
    let session = env
        .cli_configuration(&serde_json::json!({"IAMRefreshToken": "REFRESH-TOKEN-OF-A-SESSION"}));
    env.file("other/.bluemix/config.json", &session);
    env.get("us.icr.io").is_credential("iambearer");
    env.run(&["configure", "docker", "--registry", "us.icr.io"], "");
    assert!(env.path("other/.docker/config.json").exists());
}

#[test]
fn a_secret_that_is_too_large_is_refused_and_nothing_of_it_remains() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    let parts = [
        "too large for the Windows Credential Manager",
        "163840 bytes",
    ];
    env.store("us.icr.io", "user", &"x".repeat(200_000))
        .is_client_error(&parts);
    assert_eq!(env.keys().names(), [""; 0]);
    env.get("us.icr.io").is_not_found();
    let secret = "y".repeat(160_000);
    env.store("us.icr.io", "user", &secret).is_silent_success();
    assert!(env.get("us.icr.io").is_credential("user") == secret);
    let outcome = env.run(&["logout", "--all"], "");
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert_eq!(env.keys().names(), [""; 0]);
}

#[test]
fn a_file_that_another_program_has_open_is_tried_again_and_then_reported() {
    for share_mode in [NOTHING, READ] {
        let env = TestEnv::new();
        let open = hold(&env, share_mode);
        let outcome = env.run(&["configure", "docker", "--registry", "us.icr.io"], "");
        outcome.is_user_error(&[
            r"\.docker\config.json was not changed: another program has it open",
            "hint: Close the other program, and try again",
        ]);
        assert!(outcome.took > LONG, "{outcome:?}");
        drop(open);
        let file = fs::read_to_string(env.path(DOCKER)).expect("it is closed");
        assert_eq!(file, "{}");
        let files = fs::read_dir(env.path("home/.docker")).expect("docker's directory");
        assert_eq!(files.count(), 1);
    }
}

#[test]
fn a_file_that_another_program_closes_in_time_is_changed() {
    let env = TestEnv::new();
    let open = hold(&env, READ);
    let running = env.start(&["configure", "docker", "--registry", "us.icr.io"], "");
    // It waits for IAM neither before nor after: it may or may not have found the file open.
    drop(open);
    let outcome = running.finish();
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let file = fs::read_to_string(env.path(DOCKER)).expect("it is closed");
    let file: Value = serde_json::from_str(&file).expect("JSON");
    assert_eq!(file["credHelpers"]["us.icr.io"], "icr");
}

#[test]
fn paths_have_backslashes_and_hints_are_for_powershell() {
    let mut env = TestEnv::new();
    let outcome = env.run(
        &[
            "configure",
            "podman",
            "--dry-run",
            "--registry",
            "us.icr.io",
        ],
        "",
    );
    let path = r"\home\.config\containers\auth.json";
    assert!(outcome.stdout.contains(path), "{outcome:?}");
    env.set("REGISTRY_AUTH_FILE", "%USERPROFILE%/auth.json");
    env.run(&["configure", "podman", "--registry", "us.icr.io"], "")
        .is_user_error(&[r#"hint: $env:REGISTRY_AUTH_FILE = "$HOME\auth.json""#]);
    let doctor = env.run(&["doctor"], "");
    assert!(
        doctor
            .stdout
            .contains("[Environment]::SetEnvironmentVariable('Path'"),
        "{doctor:?}"
    );
    assert!(!doctor.stdout.contains("export "), "{doctor:?}");
}

#[test]
fn a_hot_get_starts_no_process_and_sends_no_request() {
    let Some(mut env) = TestEnv::with_keychain() else {
        return;
    };
    env.set_environment_key()
        .set("ICR_BACKGROUND_REFRESH", "true");
    let token = env.get("us.icr.io").is_credential("iambearer");
    env.cloud.script([Fault::Delay(LONG)]);
    env.set("ICR_LOG", "debug");
    let outcome = env.get("us.icr.io");
    assert_eq!(outcome.is_credential("iambearer"), token);
    assert_eq!(env.cloud.exchanges(), 1);
    let calls = outcome.stderr.matches("system's keychain").count();
    assert_eq!(calls, 1, "one read: {outcome:?}");
}
