//! `configure`, `--migrate` and `--undo`, and what they do to clients' files.

mod support;

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use icr_emulator::Fault;
use serde_json::Value;
use serde_json::json;

use support::Outcome;
use support::TestEnv;
use support::set_mode;

const KEY: &str = "CONFIGURE-API-KEY-31af";
const OTHER_KEY: &str = "CONFIGURE-API-KEY-42be";

const DOCKER: &str = "home/.docker/config.json";
const PODMAN: &str = "runtime/containers/auth.json";

/// What docker writes for one registry with this helper.
const NEW: &str = "{\n\t\"credHelpers\": {\n\t\t\"us.icr.io\": \"icr\"\n\t}\n}\n";

/// An environment in which docker was used.
fn docker_env(text: &str) -> TestEnv {
    with_docker(TestEnv::new(), text)
}

fn with_docker(env: TestEnv, text: &str) -> TestEnv {
    fs::create_dir(env.path("home/.docker")).expect("the directory is ours");
    env.file(DOCKER, text);
    env
}

fn configure(env: &TestEnv, arguments: &[&str]) -> Outcome {
    env.run(&[&["configure"], arguments].concat(), "")
}

fn content(env: &TestEnv, name: &str) -> String {
    fs::read_to_string(env.path(name)).expect("the file is there")
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
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/configure");
    let entries = fs::read_dir(cases).expect("the cases");
    let mut cases: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    assert!(!cases.is_empty());
    for case in cases {
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
    let file = if arguments.first() == Some(&"podman") {
        env.file(PODMAN, "{}")
    } else {
        env.path(DOCKER)
    };
    fs::write(&file, &before).expect("the file is ours");
    set_mode(&file, 0o640);
    let has_content = |expected: &[u8]| {
        let content = fs::read(&file).expect("the file is there");
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
    succeeds(&configure(&env, &arguments), &["helper added for "]);
    has_content(&after);
    succeeds(&configure(&env, &arguments), &["already configured for "]);
    has_content(&after);
    succeeds(&configure(&env, &["--undo"]), &["helper removed for "]);
    has_content(&before);
    assert_eq!(mode(&file), 0o640);
    succeeds(&configure(&env, &["--undo"]), &["Nothing to undo"]);
    let directory = file.parent().expect("a directory");
    let left = fs::read_dir(directory).expect("the directory is ours");
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
    const SOMEBODY: u32 = 1234;
    let env = docker_env("{}");
    let owned: Vec<_> = ["", "home", "home/.docker", "cache", "config", "runtime"]
        .map(|name| chown(env.path(name), Some(SOMEBODY), Some(SOMEBODY)))
        .into_iter()
        .collect();
    if owned.iter().any(Result::is_err) {
        support::skipped("only root can be somebody else");
        return;
    }
    set_mode(&env.path(DOCKER), 0o666);
    // The build directory may be closed to them.
    let program = env.path("program");
    support::copy_executable(env!("CARGO_BIN_EXE_docker-credential-icr"), &program);
    let mut command = std::process::Command::new(&program);
    command.args(["configure", "docker", "--registry", "us.icr.io"]);
    env.apply_to(&mut command);
    command.uid(SOMEBODY).gid(SOMEBODY);
    let outcome = env.start_as(command, "").finish();
    outcome.is_user_error(&[
        "replacing it would change its owner (0:0)",
        "sudo chown 1234:1234",
    ]);
    assert_eq!(content(&env, DOCKER), "{}");
    let left = fs::read_dir(env.path("home/.docker")).expect("it is there");
    assert_eq!(left.count(), 1);
}

fn mode(path: &Path) -> u32 {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::mode(&path.metadata().expect("it is there")) & 0o7777;
    #[cfg(not(unix))]
    return 0o640;
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
    fs::create_dir(env.path("runtime/containers")).expect("the directory is ours");
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

#[test]
fn new_files_are_private_and_undo_deletes_them() {
    let mut env = TestEnv::with_environment_key();
    let outcome = configure(&env, &["--registry", "us.icr.io"]);
    outcome.is_user_error(&["Name a client: 'docker-credential-icr configure docker'"]);
    succeeds(
        &configure(&env, &["docker", "--registry", "us.icr.io"]),
        &["docker: "],
    );
    let outcome = configure(&env, &["podman", "--registry", "https://US.icr.io/v2/"]);
    succeeds(&outcome, &["podman, buildah and skopeo: "]);
    outcome.has(
        &outcome.stderr,
        &[
            "is lost when your session ends",
            "export REGISTRY_AUTH_FILE=",
        ],
    );
    for file in [DOCKER, PODMAN] {
        assert_eq!(content(&env, file), NEW);
        #[cfg(unix)]
        assert_eq!(mode(&env.path(file)), 0o600);
    }
    env.set("REGISTRY_AUTH_FILE", env.path("home/mine/auth.json"));
    env.set("DOCKER_CONFIG", env.path("home/docker"));
    let outcome = configure(&env, &["podman", "--registry", "us.icr.io"]);
    succeeds(&outcome, &["home/mine/auth.json"]);
    assert_eq!(outcome.stderr, "");
    succeeds(
        &configure(&env, &["docker", "--registry", "us.icr.io"]),
        &["home/docker/config.json"],
    );
    succeeds(
        &configure(&env, &["--undo"]),
        &["deleted (it was created by this program)"],
    );
    for path in [
        "home/.docker",
        "runtime/containers",
        "home/mine",
        "home/docker",
    ] {
        assert!(!env.path(path).exists(), "{path}");
    }
}

#[test]
fn podman_gets_all_durable_files_that_it_reads() {
    let env = TestEnv::new();
    fs::create_dir(env.path("config/containers")).expect("the directory is ours");
    env.file("config/containers/auth.json", "{}");
    succeeds(&configure(&env, &["--registry", "us.icr.io"]), &[]);
    assert_eq!(content(&env, PODMAN), NEW);
    assert_eq!(content(&env, "config/containers/auth.json"), NEW.trim_end());
    assert!(!env.path(DOCKER).exists(), "there is no docker here");
}

#[cfg(unix)]
#[test]
fn links_stay_and_read_only_files_are_not_changed() {
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::fs::chown;
    use std::os::unix::fs::symlink;
    let env = TestEnv::new();
    fs::create_dir(env.path("home/.docker")).expect("the directory is ours");
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
    // Only root can create the files of the rest.
    set_mode(&env.path("home/dotfile"), 0o600);
    if chown(env.path("home/dotfile"), Some(12345), Some(12346)).is_err() {
        return;
    }
    succeeds(&run(), &["helper added"]);
    let metadata = env.path("home/dotfile").metadata().expect("it is there");
    assert_eq!((metadata.uid(), metadata.gid()), (12345, 12346));
}

#[test]
fn undo_keeps_what_docker_wrote_since() {
    let env = docker_env("{}");
    succeeds(&configure(&env, &["--registry", "us.icr.io"]), &[]);
    env.file(DOCKER, "{\n\t\"auths\": {\n\t\t\"us.icr.io\": {}\n\t},\n\t\"credHelpers\": {\n\t\t\"us.icr.io\": \"icr\"\n\t}\n}");
    succeeds(&configure(&env, &["--undo"]), &["helper removed"]);
    assert_eq!(
        content(&env, DOCKER),
        "{\n\t\"auths\": {\n\t\t\"us.icr.io\": {}\n\t}\n}"
    );
}

#[test]
fn without_a_terminal_registries_with_a_login_are_configured() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    let env = with_docker(env, "{}");
    configure(&env, &[]).is_user_error(&["configure --registry us.icr.io"]);
    env.store("de.icr.io", "iamapikey", KEY).is_silent_success();
    env.store("us.icr.io", "iamapikey", KEY).is_silent_success();
    let outcome = configure(&env, &[]);
    succeeds(&outcome, &["helper added for us.icr.io and de.icr.io"]);
    outcome.has(&outcome.stderr, &["they have a login"]);
}

#[test]
fn with_a_default_login_the_registries_in_the_files_are_configured() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    env.add_api_key(KEY, "me");
    let text = format!("{{\"auths\": {{{}}}}}", entry(&env, "de.icr.io", OTHER_KEY));
    let env = with_docker(env, &text);
    configure(&env, &[]).is_user_error(&[
        "unencrypted passwords were found for de.icr.io",
        "configure --migrate",
        "configure --registry us.icr.io",
    ]);
    assert_eq!(env.run(&["login", "--api-key-stdin"], KEY).status, Some(0));
    let outcome = configure(&env, &[]);
    succeeds(&outcome, &["helper added for de.icr.io"]);
    outcome.has(&outcome.stderr, &["occur in the clients' files"]);
}

#[test]
fn many_registries_cause_a_warning_about_slow_builds() {
    let env = docker_env("{}");
    let outcome = configure(&env, &["--all"]);
    succeeds(&outcome, &["icr.io, us.icr.io, uk.icr.io", "in2.icr.io"]);
    assert!(!content(&env, DOCKER).contains("private"));
    outcome.has(
        &outcome.stderr,
        &[
            "warning: a classic `docker build`",
            "13 registries",
            "about 22 ms with cached tokens (as long as starting /bin/true 21 times)",
        ],
    );
    let few = with_docker(TestEnv::with_environment_key(), "{}");
    assert_eq!(configure(&few, &["--registry", "us.icr.io"]).stderr, "");
}

#[test]
fn a_client_after_the_registry_option_is_reported() {
    let env = docker_env("{}");
    let outcome = configure(&env, &["--registry", "us.icr.io", "docker"]);
    outcome.is_user_error(&["'configure docker --registry us.icr.io'"]);
    let outcome = configure(&env, &["--registry", "podman"]);
    outcome.is_user_error(&["'configure podman --registry HOST'"]);
    assert_eq!(content(&env, DOCKER), "{}");
}

#[test]
fn registries_without_a_login_are_noted_with_the_command() {
    let mut env = docker_env("{}");
    env.settings("[profile.a]\n[registry.\"de.icr.io\"]\nprofile = \"a\"\n");
    let hosts = [
        "us.icr.io",
        "uk.icr.io",
        "de.icr.io",
        "stg.icr.io",
        "cp.icr.io",
    ];
    let all = [&["--registry"], &hosts[..]].concat();
    let told = |outcome: &Outcome| {
        let lines = outcome.stderr.lines();
        let lines = lines.filter(|line| line.starts_with("note: not logged in to "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let dry = configure(&env, &[&all[..], &["--dry-run"]].concat());
    assert_eq!(told(&dry), [""; 0], "nothing was switched on");
    assert_eq!(
        told(&configure(&env, &all)),
        [
            "note: not logged in to cp.icr.io. Run 'docker login -u cp cp.icr.io'",
            "note: not logged in to us.icr.io and uk.icr.io. Run 'docker-credential-icr login'",
            "note: not logged in to de.icr.io. Run 'docker-credential-icr login --profile a'",
            "note: not logged in to stg.icr.io. Run 'docker-credential-icr login stg.icr.io'",
        ]
    );
    env.set_environment_key();
    let asked = env.cloud.requests().len();
    assert_eq!(told(&configure(&env, &all)), [""; 0]);
    assert_eq!(env.cloud.requests().len(), asked, "nobody was asked");
}

#[test]
fn a_change_that_cannot_be_recorded_is_not_made() {
    let env = docker_env("{}");
    let run = || configure(&env, &["--registry", "us.icr.io"]);
    let state = "home/.local/state/docker-credential-icr";
    env.file(state, "no directory");
    run().is_user_error(&[
        "config.json was not changed: ",
        "cannot record the change for --undo",
    ]);
    assert_eq!(content(&env, DOCKER), "{}");
    fs::remove_file(env.path(state)).expect("it is ours");
    let record = format!("{state}/configured.json");
    env.file(&record, "{ damaged");
    run().is_user_error(&["configured.json is damaged. Delete it", "by hand"]);
    assert_eq!(content(&env, DOCKER), "{}");
    configure(&env, &["--undo"]).is_user_error(&["is damaged. Delete it"]);
    fs::remove_file(env.path(&record)).expect("it is ours");
    set_mode(&env.path(DOCKER), 0o400);
    #[cfg(unix)]
    {
        run().is_user_error(&["read-only"]);
        assert!(!env.path(&record).exists(), "nothing was put in");
    }
    set_mode(&env.path(DOCKER), 0o600);
    succeeds(&run(), &["helper added"]);
    succeeds(&configure(&env, &["--undo"]), &["helper removed"]);
    assert_eq!(content(&env, DOCKER), "{}");
}

#[cfg(unix)]
#[test]
fn a_failed_undo_does_not_report_nothing_to_undo() {
    let env = docker_env("{}");
    succeeds(&configure(&env, &["--registry", "us.icr.io"]), &[]);
    set_mode(&env.path(DOCKER), 0o400);
    let outcome = configure(&env, &["--undo"]);
    outcome.is_user_error(&["read-only"]);
    assert_eq!(outcome.stdout, "");
    set_mode(&env.path(DOCKER), 0o600);
    succeeds(&configure(&env, &["--undo"]), &["helper removed"]);
}

#[test]
fn a_helper_added_by_hand_is_noted_and_stays() {
    let text = "{\"credHelpers\": {\"us.icr.io\": \"icr\"}}";
    let env = docker_env(text);
    let by_hand = "config.json still has the helper for us.icr.io, added by hand. Remove it there";
    let outcome = configure(&env, &["--undo"]);
    succeeds(&outcome, &["Nothing to undo"]);
    outcome.has(&outcome.stderr, &[by_hand]);
    succeeds(&configure(&env, &["--registry", "de.icr.io"]), &[]);
    for arguments in [&["--undo", "--dry-run"][..], &["--undo"]] {
        let outcome = configure(&env, arguments);
        succeeds(&outcome, &["de.icr.io"]);
        outcome.has(&outcome.stderr, &[by_hand]);
    }
    assert_eq!(content(&env, DOCKER), text);
}

#[test]
fn foreign_registries_and_contradictions_are_refused() {
    let env = docker_env("{}");
    configure(&env, &["--registry", "ghcr.io"])
        .is_user_error(&["ghcr.io is not an IBM Cloud registry"]);
    for arguments in [
        &["--undo", "--all"][..],
        &["--all", "--registry", "icr.io"],
        &["kubernetes"],
    ] {
        assert_eq!(configure(&env, arguments).status, Some(2), "{arguments:?}");
    }
    assert_eq!(content(&env, DOCKER), "{}");
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
fn a_password_in_the_file_causes_a_warning_and_is_moved_with_migrate() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    env.add_api_key(KEY, "me");
    let (us, uk) = (
        entry(&env, "us.icr.io", KEY),
        entry(&env, "https://us.icr.io/v1/", KEY),
    );
    let text = format!("{{\"auths\": {{{us}, \"x.io\": {{\"auth\": \"eDp5\"}}, {uk}}}}}");
    let env = with_docker(env, &text);
    let outcome = configure(&env, &["--registry", "us.icr.io"]);
    succeeds(&outcome, &["helper added"]);
    outcome.has(
        &outcome.stderr,
        &[
            "unencrypted passwords for us.icr.io in ",
            "configure --migrate",
        ],
    );
    succeeds(&configure(&env, &["--undo"]), &[]);
    assert_eq!(content(&env, DOCKER), text);
    env.list().is_list(&[]);

    let outcome = configure(&env, &["--migrate"]);
    succeeds(&outcome, &["helper added for us.icr.io"]);
    outcome.has(
        &outcome.stderr,
        &["Moved the us.icr.io password to the keychain (verified)"],
    );
    let without = "{\"auths\": {\"x.io\": {\"auth\": \"eDp5\"}}";
    assert_eq!(
        content(&env, DOCKER),
        format!("{without}, \"credHelpers\": {{\"us.icr.io\": \"icr\"}}}}")
    );
    env.list().is_list(&[("us.icr.io", "iamapikey")]);
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
    assert_eq!(env.files_with_secrets(), [] as [&Path; 0]);
    succeeds(&configure(&env, &["--undo"]), &[]);
    assert_eq!(
        content(&env, DOCKER),
        format!("{without}}}"),
        "passwords do not come back"
    );
    env.list().is_list(&[("us.icr.io", "iamapikey")]);
}

#[test]
fn a_password_that_fails_the_check_is_not_moved() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    let text = format!("{{\"auths\": {{{}}}}}", entry(&env, "us.icr.io", KEY));
    let env = with_docker(env, &text);
    let migrate = |arguments: &[&str]| {
        let outcome = configure(&env, &[&["--migrate"], arguments].concat());
        assert_eq!(content(&env, DOCKER), text, "{outcome:?}");
        outcome
    };
    let stays = "the password for us.icr.io was not moved: ";
    migrate(&[]).is_user_error(&[stays, "BXNIM0415E"]);
    env.list().is_list(&[]);
    env.add_api_key(KEY, "me");
    env.cloud.always(Some(Fault::Status(503)));
    migrate(&[]).is_user_error(&[stays, "503"]);
    env.list().is_list(&[]);
    env.cloud.always(None);
    env.add_api_key(OTHER_KEY, "other");
    env.store("us.icr.io", "iamapikey", OTHER_KEY)
        .is_silent_success();
    migrate(&[]).is_user_error(&[stays, "another login", "logout us.icr.io", "--force"]);
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-other");
    env.cloud.always(Some(Fault::Status(503)));
    migrate(&["--force"]).is_user_error(&[stays, "503"]);
    env.cloud.always(None);
    assert_eq!(
        env.get("us.icr.io").is_token_of(),
        "IBMid-other",
        "the former one is back"
    );
    let outcome = configure(&env, &["--migrate", "--force"]);
    succeeds(&outcome, &["helper added"]);
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-me");
}

#[cfg(unix)]
#[test]
fn a_password_that_is_still_in_a_file_is_not_reported_as_moved() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    env.add_api_key(KEY, "me");
    let text = format!("{{\"auths\": {{{}}}}}", entry(&env, "us.icr.io", KEY));
    let env = with_docker(env, &text);
    env.file(PODMAN, &text);
    set_mode(&env.path(PODMAN), 0o400);
    let outcome = configure(&env, &["--migrate"]);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    outcome.has(
        &outcome.stderr,
        &[
            "the us.icr.io password is in the keychain (verified), but also still in ",
            "auth.json. Make that file writable",
            "auth.json was not changed: it is read-only",
        ],
    );
    assert!(!outcome.stderr.contains("Moved the"), "{outcome:?}");
    env.list().is_list(&[("us.icr.io", "iamapikey")]);
    assert!(!content(&env, DOCKER).contains("auth\""));
    assert_eq!(content(&env, PODMAN), text);
    set_mode(&env.path(PODMAN), 0o600);
    let outcome = configure(&env, &["--migrate"]);
    succeeds(&outcome, &["helper added"]);
    outcome.has(
        &outcome.stderr,
        &["Moved the us.icr.io password to the keychain (verified)"],
    );
    assert!(!content(&env, PODMAN).contains("auth\""));
}

#[test]
fn passwords_that_cannot_be_moved_are_reported() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    env.add_api_key(KEY, "me");
    let text = format!(
        "{{\"auths\": {{{}, {}, \"de.icr.io\": {{\"identitytoken\": \"t\"}}, \"uk.icr.io\": {{\"auth\": \"%\"}}, \"jp.icr.io\": {{}}}}}}",
        entry(&env, "us.icr.io", KEY),
        entry(&env, "us.icr.io/namespace", OTHER_KEY),
    );
    let env = with_docker(env, &text);
    let outcome = configure(&env, &["--migrate"]);
    outcome.is_user_error(&[
        "different passwords for us.icr.io",
        "the entry for de.icr.io",
        "token that only its client can use",
        "the entry for uk.icr.io",
        "clients cannot read it either",
    ]);
    assert_eq!(content(&env, DOCKER), text);
    env.list().is_list(&[]);
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
fn docker_from_a_snap_causes_a_warning() {
    let env = docker_env("{}");
    fs::create_dir_all(env.path("home/snap/docker/current/.docker")).expect("it is ours");
    env.file("home/snap/docker/current/.docker/config.json", "{}");
    let outcome = configure(&env, &["--registry", "us.icr.io"]);
    outcome.has(
        &outcome.stderr,
        &[
            "Docker from a snap reads ",
            "snap/docker/current/.docker/config.json",
        ],
    );
    assert_eq!(
        content(&env, "home/snap/docker/current/.docker/config.json"),
        "{}"
    );
}

#[test]
fn losing_dockers_default_keychain_causes_a_warning() {
    let mut env = docker_env("{\"auths\": {}}");
    env.set_environment_key();
    fs::create_dir(env.path("bin")).expect("the directory is ours");
    env.file("bin/docker-credential-secretservice", "");
    let path = env.path("bin");
    env.set("PATH", path);
    if cfg!(target_os = "linux") {
        let outcome = configure(&env, &["--registry", "us.icr.io"]);
        outcome.has(
            &outcome.stderr,
            &["To keep it, add `\"credsStore\": \"secretservice\"` to "],
        );
        assert_eq!(configure(&env, &["--registry", "de.icr.io"]).stderr, "");
    }
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

#[cfg(unix)]
mod terminal {
    use std::process::Command;
    use std::process::Stdio;

    use rexpect::session::PtySession;
    use rexpect::session::spawn_command;

    use super::*;

    fn at_terminal(env: &TestEnv, arguments: &[&str]) -> PtySession {
        let program = env.command(&[]);
        let mut command = Command::new(program.get_program());
        command.arg("configure").args(arguments);
        env.apply_to(&mut command);
        command.env("TERM", "xterm").stdout(Stdio::inherit());
        spawn_command(command, Some(30_000)).expect("a terminal")
    }

    #[test]
    fn a_person_is_asked_for_clients_registries_and_passwords() {
        let Some(env) = TestEnv::with_keychain() else {
            return;
        };
        env.add_api_key(KEY, "me");
        env.store("de.icr.io", "iamapikey", KEY).is_silent_success();
        let text = format!("{{\"auths\": {{{}}}}}", entry(&env, "us.icr.io", KEY));
        let env = with_docker(env, &text);
        let mut session = at_terminal(&env, &[]);
        for (question, answer) in [
            ("Add the helper to docker (", ""),
            ("Registries [us.icr.io de.icr.io]:", ""),
            ("Move them to the keychain, after checking them? [Y/n]", "y"),
        ] {
            session.exp_string(question).expect(question);
            session.send_line(answer).expect("it listens");
        }
        session
            .exp_string("helper added for us.icr.io and de.icr.io")
            .expect("success");
        session.exp_eof().expect("the end");
        let expected =
            "{\"auths\": {}, \"credHelpers\": {\"us.icr.io\": \"icr\", \"de.icr.io\": \"icr\"}}";
        assert_eq!(content(&env, DOCKER), expected);
    }

    #[test]
    fn declining_to_move_passwords_causes_a_warning() {
        let Some(env) = TestEnv::with_keychain() else {
            return;
        };
        let text = format!("{{\"auths\": {{{}}}}}", entry(&env, "us.icr.io", KEY));
        let env = with_docker(env, &text);
        let mut session = at_terminal(&env, &["docker", "--registry", "us.icr.io"]);
        session.exp_string("[Y/n]").expect("a question");
        session.send_line("n").expect("it listens");
        for part in [
            "warning: unencrypted passwords for us.icr.io in ",
            "Clients with the helper no longer use them",
            "note: not logged in to us.icr.io. Run 'docker-credential-icr login'",
        ] {
            session.exp_string(part).expect(part);
        }
        session.exp_eof().expect("the end");
        assert!(content(&env, DOCKER).contains("auth\""));
    }

    #[test]
    fn declining_to_replace_a_helper_changes_nothing() {
        let text = "{\"credHelpers\": {\"us.icr.io\": \"other\"}}";
        let env = docker_env(text);
        let mut session = at_terminal(&env, &["--registry", "us.icr.io"]);
        session
            .exp_string("Replace the helper 'other' for us.icr.io in ")
            .expect("a question");
        session.send_line("").expect("it listens");
        session
            .exp_string("Nothing was changed")
            .expect("a failure");
        session.exp_eof().expect("the end");
        assert_eq!(content(&env, DOCKER), text);
    }
}

/// As `kill -9` leaves it where the system has no files without a name, and as earlier versions did everywhere.
#[test]
fn a_copy_of_an_interrupted_run_is_reported_and_deleted() {
    let env = docker_env("{}");
    let left = "home/.docker/.docker-credential-icr-Ab12Cd";
    let text = format!("{{\"auths\": {{{}}}}}", entry(&env, "us.icr.io", KEY));
    let path = env.file(left, &text);
    let doctor = env.run(&["doctor"], "");
    let name = path.file_name().expect("it has one").to_string_lossy();
    doctor.has(
        &doctor.stdout,
        &[&name, "left by an interrupted run", "fix: rm "],
    );
    configure(&env, &["docker", "--registry", "us.icr.io", "--dry-run"]);
    assert!(path.exists(), "a dry run changes nothing");
    let outcome = configure(&env, &["docker", "--registry", "us.icr.io"]);
    succeeds(&outcome, &["helper added"]);
    outcome.has(&outcome.stderr, &["deleted ", &name]);
    assert!(!path.exists());
    assert!(env.files_with_secrets().is_empty());
}

/// It is being written or belongs to another user: it stays and is reported.
#[cfg(unix)]
#[test]
fn passwords_are_not_reported_as_moved_while_a_copy_holds_them() {
    let Some(env) = TestEnv::with_keychain() else {
        return;
    };
    let text = format!("{{\"auths\": {{{}}}}}", entry(&env, "us.icr.io", KEY));
    env.add_api_key(KEY, "somebody");
    let env = with_docker(env, &text);
    let path = env.file("home/.docker/.docker-credential-icr-Ab12Cd", &text);
    if std::os::unix::fs::chown(&path, Some(1234), None).is_err() {
        support::skipped("only root can be somebody else");
        return;
    }
    let outcome = configure(&env, &["docker", "--registry", "us.icr.io", "--migrate"]);
    succeeds(&outcome, &["helper added"]);
    outcome.has(
        &outcome.stderr,
        &["also still in", ".docker-credential-icr-Ab12Cd"],
    );
    assert!(!outcome.stderr.contains("Moved the"), "{outcome:?}");
    assert!(path.exists());
}
