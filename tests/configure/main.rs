//! `configure`, `--migrate` and `--undo`, and what they do to clients' files.

#[path = "../support/mod.rs"]
mod support;

mod check;
mod choice;
#[cfg(target_os = "linux")]
mod default_keychain;
mod passwords;
mod regctl;
mod system;
#[cfg(unix)]
mod terminal;
mod undo;

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use icr_emulator::Fault;
use serde_json::Value;
use serde_json::json;

use support::DOCKER;
use support::Outcome;
use support::PODMAN;
use support::PODMAN_DIRECTORY;
use support::PODMAN_LASTING;
use support::TestEnv;
use support::case_directories;
use support::set_mode;

const KEY: &str = "CONFIGURE-API-KEY-31af";
const OTHER_KEY: &str = "CONFIGURE-API-KEY-42be";

const REGCTL: &str = "home/.regctl/config.json";

/// What docker writes for one registry with this helper.
const NEW: &str = "{\n\t\"credHelpers\": {\n\t\t\"us.icr.io\": \"icr\"\n\t}\n}\n";

/// An environment in which docker was used.
fn docker_env(text: &str) -> TestEnv {
    with_docker(TestEnv::new(), text)
}

fn with_docker(env: TestEnv, text: &str) -> TestEnv {
    fs::create_dir(env.path("home/.docker")).expect("the test may change it");
    env.file(DOCKER, text);
    env
}

fn configure(env: &TestEnv, arguments: &[&str]) -> Outcome {
    env.run(&[&["configure"], arguments].concat(), "")
}

fn content(env: &TestEnv, name: &str) -> String {
    fs::read_to_string(env.path(name)).expect("the file exists")
}

/// An entry of `auths` with a password that must not be shown.
fn entry(env: &TestEnv, host: &str, key: &str) -> String {
    let auth = STANDARD.encode(format!("iamapikey:{key}"));
    env.add_secret(key);
    env.add_secret(&auth);
    format!("\"{host}\": {{\"auth\": \"{auth}\"}}")
}

#[track_caller]
fn succeeds(outcome: &Outcome, parts: &[&str]) {
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    outcome.has(&outcome.stdout, parts);
}

/// Each directory in `tests/cases/configure` is a case; its README.md says how to add one.
#[expect(clippy::print_stdout, reason = "it names the case that fails")]
#[test]
fn every_case_changes_the_file_as_expected_and_undo_restores_it() {
    for case in case_directories("configure") {
        // Shown if the case fails.
        println!("case {}", case.display());
        check_case(&case);
    }
}

fn check_case(case: &Path) {
    let arguments = fs::read_to_string(case.join("arguments"));
    let arguments = arguments.unwrap_or_else(|_| "docker --registry us.icr.io".into());
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let before = fs::read(case.join("before.json")).expect("before.json");
    let env = docker_env("{}");
    let file = match arguments.first() {
        Some(&"podman") => env.file(PODMAN, "{}"),
        Some(&"regctl") => {
            fs::create_dir(env.path("home/.regctl")).expect("the test may change it");
            env.file(REGCTL, "{}")
        }
        _ => env.path(DOCKER),
    };
    fs::write(&file, &before).expect("the test may change it");
    set_mode(&file, 0o640);
    let has_content = |expected: &[u8]| {
        let content = fs::read(&file).expect("the file exists");
        assert_eq!(
            String::from_utf8_lossy(&content),
            String::from_utf8_lossy(expected)
        );
        assert!(content == expected);
    };
    if let Ok(parts) = fs::read_to_string(case.join("error.txt")) {
        let parts: Vec<&str> = parts.lines().collect();
        configure(&env, &arguments).is_user_error(&parts);
        has_content(&before);
        return;
    }
    let after = fs::read(case.join("after.json")).expect("after.json or error.txt");
    let outcome = configure(&env, &arguments);
    succeeds(&outcome, &["helper added for "]);
    has_content(&after);
    if let Ok(parts) = fs::read_to_string(case.join("stderr.txt")) {
        outcome.has(&outcome.stderr, &parts.lines().collect::<Vec<_>>());
    }
    succeeds(&configure(&env, &arguments), &["already configured for "]);
    has_content(&after);
    succeeds(&configure(&env, &["--undo"]), &["helper removed for "]);
    has_content(&fs::read(case.join("undone.json")).unwrap_or(before));
    assert_eq!(mode(&file), 0o640);
    succeeds(&configure(&env, &["--undo"]), &["Nothing to undo"]);
    let directory = file.parent().expect("a directory");
    let left = fs::read_dir(directory).expect("the test may change it");
    assert_eq!(left.count(), 1, "no copy is left");
}

/// The snap sets `DOCKER_CONFIG` for its docker, which writes as any other.
#[test]
fn the_file_of_dockers_snap_is_changed_and_restored_byte_by_byte() {
    let mut env = TestEnv::new();
    let snap = "home/snap/docker/current/.docker";
    let file = format!("{snap}/config.json");
    let before = "{\n\t\"auths\": {\n\t\t\"https://index.docker.io/v1/\": {\n\t\t\t\"auth\": \"eDp5\"\n\t\t}\n\t}\n}";
    env.file(&file, before);
    let directory = env.path(snap);
    env.set("DOCKER_CONFIG", directory);
    let outcome = configure(&env, &["docker", "--registry", "us.icr.io"]);
    succeeds(&outcome, &["helper added for us.icr.io"]);
    let after = before.replace(
        "\n\t}\n}",
        "\n\t},\n\t\"credHelpers\": {\n\t\t\"us.icr.io\": \"icr\"\n\t}\n}",
    );
    assert_eq!(content(&env, &file), after);
    succeeds(&configure(&env, &["--undo"]), &["helper removed"]);
    assert_eq!(content(&env, &file), before);
}

/// Replacing it would change its owner, so it is refused without root.
#[cfg(unix)]
#[test]
fn the_file_of_another_user_is_not_changed() {
    use std::os::unix::fs::chown;
    use std::os::unix::process::CommandExt as _;
    const OTHER_USER: u32 = 1234;
    let env = docker_env("{}");
    let owned: Vec<_> = ["", "home", "home/.docker", "cache", "config", "runtime"]
        .map(|name| chown(env.path(name), Some(OTHER_USER), Some(OTHER_USER)))
        .into_iter()
        .collect();
    if owned.iter().any(Result::is_err) {
        support::skipped("only root can act as another user");
        return;
    }
    set_mode(&env.path(DOCKER), 0o666);
    // The build directory may be closed to them.
    let program = env.path("program");
    support::copy_executable(env!("CARGO_BIN_EXE_docker-credential-icr"), &program);
    let mut command = std::process::Command::new(&program);
    command.args(["configure", "docker", "--registry", "us.icr.io"]);
    env.apply_to(&mut command);
    command.uid(OTHER_USER).gid(OTHER_USER);
    let outcome = env.start_as(command, "").finish();
    outcome.is_user_error(&[
        "replacing it would change its owner (0:0)",
        "sudo chown 1234:1234",
    ]);
    assert_eq!(content(&env, DOCKER), "{}");
    let left = fs::read_dir(env.path("home/.docker")).expect("the file exists");
    assert_eq!(left.count(), 1);
}

/// Returns the mode of a file; the same for all where there are no modes.
#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    path.metadata().expect("the file exists").mode() & 0o7777
}

#[cfg(not(unix))]
fn mode(_path: &Path) -> u32 {
    0o640
}

#[test]
fn a_broken_file_of_one_client_does_not_stop_another_that_is_named() {
    let env = docker_env("[]");
    configure(&env, &["--registry", "us.icr.io"])
        .is_user_error(&["config.json was not changed: it is not an object"]);
    let outcome = configure(&env, &["podman", "--registry", "us.icr.io"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
}

#[test]
fn all_files_are_read_before_one_is_written() {
    let env = docker_env("{");
    fs::create_dir_all(env.path(PODMAN_DIRECTORY)).expect("the test may change it");
    env.file(PODMAN, "{}");
    configure(&env, &["--registry", "us.icr.io"]).is_user_error(&["config.json was not changed"]);
    assert_eq!(content(&env, PODMAN), "{}");
}

/// docker 28.2.2 reads it.
#[test]
fn a_huge_file_is_not_changed_and_not_called_broken() {
    let env = docker_env(&" ".repeat(5 * 1024 * 1024));
    let outcome = configure(&env, &["--registry", "us.icr.io"]);
    outcome.is_user_error(&["larger than 4 MiB", "Clients may be able to read it"]);
    assert!(
        !outcome.stderr.contains("Fix the file first"),
        "{outcome:?}"
    );
}

// Elsewhere, it reads one file only.
#[cfg(target_os = "linux")]
#[test]
fn podman_gets_all_durable_files_that_it_reads() {
    let env = TestEnv::new();
    fs::create_dir(env.path("config/containers")).expect("the test may change it");
    env.file(PODMAN_LASTING, "{}");
    succeeds(&configure(&env, &["--registry", "us.icr.io"]), &[]);
    assert_eq!(content(&env, PODMAN), NEW);
    assert_eq!(content(&env, PODMAN_LASTING), NEW.trim_end());
    assert!(!env.path(DOCKER).exists(), "there is no docker here");
}

#[cfg(unix)]
#[test]
fn links_stay_and_read_only_files_are_not_changed() {
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::fs::chown;
    use std::os::unix::fs::symlink;
    let env = TestEnv::new();
    fs::create_dir(env.path("home/.docker")).expect("the test may change it");
    env.file("home/dotfile", "{}");
    symlink("../dotfile", env.path(DOCKER)).expect("a link");
    let run = || configure(&env, &["docker", "--registry", "us.icr.io"]);
    succeeds(&run(), &["helper added"]);
    assert!(env.path(DOCKER).is_symlink());
    assert_eq!(content(&env, "home/dotfile"), NEW.trim_end());
    succeeds(&configure(&env, &["--undo"]), &[]);
    assert_eq!(content(&env, "home/dotfile"), "{}");
    set_mode(&env.path("home/dotfile"), 0o400);
    run().is_user_error(&["read-only (mode 0400)", "chmod u+w"]);
    assert_eq!(content(&env, "home/dotfile"), "{}");
    // Only root can create the files that follow.
    set_mode(&env.path("home/dotfile"), 0o600);
    if chown(env.path("home/dotfile"), Some(12345), Some(12346)).is_err() {
        return;
    }
    succeeds(&run(), &["helper added"]);
    let metadata = env
        .path("home/dotfile")
        .metadata()
        .expect("the file exists");
    assert_eq!((metadata.uid(), metadata.gid()), (12345, 12346));
}

#[cfg(unix)]
#[test]
fn a_hard_link_of_the_file_stays_one() {
    let env = docker_env("{}\n");
    let dotfile = env.path("home/dotfile");
    fs::hard_link(env.path(DOCKER), &dotfile).expect("the same file system");
    succeeds(
        &configure(&env, &["docker", "--registry", "us.icr.io"]),
        &["helper added"],
    );
    assert_eq!(content(&env, "home/dotfile"), NEW);
    succeeds(&configure(&env, &["--undo"]), &["helper removed"]);
    assert_eq!(content(&env, "home/dotfile"), "{}\n");
    assert_eq!(content(&env, DOCKER), "{}\n");
}

#[test]
fn a_dry_run_shows_a_diff_without_secrets_and_does_nothing() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    let text = format!(
        "{{\n  \"auths\": {{\n    {}\n  }}\n}}\n",
        entry(&env, "us.icr.io", KEY)
    );
    let env = with_docker(env, &text);
    let outcome = configure(&env, &["--registry", "us.icr.io", "--dry-run"]);
    succeeds(
        &outcome,
        &[
            "--- ",
            "+++ ",
            "@@ -1,5 +1,8 @@",
            "     \"us.icr.io\": {\"auth\": \"[redacted]\"}",
            "+    \"us.icr.io\": \"icr\"",
        ],
    );
    let outcome = configure(&env, &["--migrate", "--dry-run"]);
    succeeds(
        &outcome,
        &[
            "-    \"us.icr.io\": {\"auth\": \"[redacted]\"}",
            "+  \"auths\": {},",
        ],
    );
    assert_eq!(content(&env, DOCKER), text);
    env.list().is_list(&[]);
    succeeds(&configure(&env, &["--undo", "--dry-run"]), &["No changes"]);
}

#[test]
fn the_json_answer_has_the_documented_keys() {
    let env = docker_env("{\"credsStore\": \"icr\"}");
    let outcome = configure(&env, &["docker", "--registry", "us.icr.io", "--json"]);
    succeeds(&outcome, &[]);
    let mut answer: Value = serde_json::from_str(&outcome.stdout).expect("one JSON value");
    let warnings = answer["warnings"].take();
    assert!(
        warnings[0]
            .as_str()
            .is_some_and(|text| text.contains("credsStore")),
        "{warnings}"
    );
    let expected = json!({
        "dry_run": false,
        "files": [{
            "added": ["us.icr.io"], "configured": [], "changed": true, "client": "docker", "created": false,
            "deleted": false, "diff": null, "migrated": [], "path": env.path(DOCKER), "removed": [],
        }],
        "warnings": null,
    });
    assert_eq!(answer, expected);
}

#[test]
fn concurrent_runs_lose_no_entry() {
    let env = docker_env("{}");
    let hosts = [
        "icr.io",
        "us.icr.io",
        "de.icr.io",
        "uk.icr.io",
        "jp.icr.io",
        "au.icr.io",
    ];
    support::in_parallel(hosts.len(), |index| {
        succeeds(
            &configure(&env, &["--registry", hosts[index]]),
            &["helper added"],
        );
    });
    let helpers: Value = serde_json::from_str(&content(&env, DOCKER)).expect("JSON");
    assert_eq!(
        helpers["credHelpers"].as_object().map(serde_json::Map::len),
        Some(hosts.len())
    );
    succeeds(&configure(&env, &["--undo"]), &[]);
    assert_eq!(content(&env, DOCKER), "{}");
}

#[test]
fn help_has_examples() {
    let outcome = TestEnv::new().run(&["configure", "--help"], "");
    succeeds(
        &outcome,
        &[
            "Usage: docker-credential-icr configure",
            "--dry-run",
            "Examples:",
            "--undo",
        ],
    );
}

#[test]
fn a_dry_run_creates_nothing() {
    let mut env = TestEnv::new();
    let home = env.path("absent/home");
    env.set("HOME", home.to_str().expect("it is UTF-8"));
    env.set("USERPROFILE", home.to_str().expect("it is UTF-8"));
    for variable in ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "LOCALAPPDATA"] {
        env.unset(variable);
    }
    let arguments = ["docker", "--registry", "us.icr.io", "--dry-run"];
    succeeds(
        &configure(&env, &arguments),
        &["+\t\t\"us.icr.io\": \"icr\""],
    );
    succeeds(&configure(&env, &["--undo", "--dry-run"]), &[]);
    assert!(!env.path("absent").exists());
}
