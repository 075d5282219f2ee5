//! `configure`, `--migrate` and `--undo`, and what they do to clients' files.

mod support;

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use icr_emulator::Fault;
use serde_json::Value;
use serde_json::json;

use support::Machine;
use support::Outcome;
use support::set_mode;

const KEY: &str = "CONFIGURE-API-KEY-31af";
const OTHER_KEY: &str = "CONFIGURE-API-KEY-42be";

const DOCKER: &str = "home/.docker/config.json";
const PODMAN: &str = "runtime/containers/auth.json";

/// What docker writes for one registry, by this program alone.
const NEW: &str = "{\n\t\"credHelpers\": {\n\t\t\"us.icr.io\": \"icr\"\n\t}\n}\n";

/// A machine on which somebody has used docker.
fn docker_machine(text: &str) -> Machine {
    with_docker(Machine::new(), text)
}

fn with_docker(machine: Machine, text: &str) -> Machine {
    fs::create_dir(machine.path("home/.docker")).expect("the directory is ours");
    machine.file(DOCKER, text);
    machine
}

fn configure(machine: &Machine, arguments: &[&str]) -> Outcome {
    machine.run(&[&["configure"], arguments].concat(), "")
}

fn content(machine: &Machine, name: &str) -> String {
    fs::read_to_string(machine.path(name)).expect("the file is there")
}

/// An entry of `auths` with a password that must not be seen.
fn entry(machine: &Machine, host: &str, key: &str) -> String {
    let auth = STANDARD.encode(format!("iamapikey:{key}"));
    machine.plant(key);
    machine.plant(&auth);
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
    let machine = docker_machine("{}");
    let file = if arguments.first() == Some(&"podman") {
        machine.file(PODMAN, "{}")
    } else {
        machine.path(DOCKER)
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
        configure(&machine, &arguments).tells_a_person(&parts);
        has_content(&before);
        return;
    }
    let after = fs::read(case.join("after.json")).expect("after.json or error.txt");
    succeeds(&configure(&machine, &arguments), &["helper added for "]);
    has_content(&after);
    succeeds(
        &configure(&machine, &arguments),
        &["already configured for "],
    );
    has_content(&after);
    succeeds(&configure(&machine, &["--undo"]), &["helper removed for "]);
    has_content(&before);
    assert_eq!(mode(&file), 0o640);
    succeeds(&configure(&machine, &["--undo"]), &["Nothing to undo"]);
    let directory = file.parent().expect("a directory");
    let left = fs::read_dir(directory).expect("the directory is ours");
    assert_eq!(left.count(), 1, "no copy is left");
}

/// The snap sets `DOCKER_CONFIG` for its docker, which writes as any other.
#[test]
fn the_file_of_dockers_snap_is_changed_and_restored_byte_by_byte() {
    let mut machine = Machine::new();
    let snap = "home/snap/docker/current/.docker";
    let file = format!("{snap}/config.json");
    let before = "{\n\t\"auths\": {\n\t\t\"https://index.docker.io/v1/\": {\n\t\t\t\"auth\": \"eDp5\"\n\t\t}\n\t}\n}";
    machine.file(&file, before);
    let directory = machine.path(snap);
    machine.set("DOCKER_CONFIG", directory);
    let outcome = configure(&machine, &["docker", "--registry", "us.icr.io"]);
    succeeds(&outcome, &["helper added for us.icr.io"]);
    let after = before.replace(
        "\n\t}\n}",
        "\n\t},\n\t\"credHelpers\": {\n\t\t\"us.icr.io\": \"icr\"\n\t}\n}",
    );
    assert_eq!(content(&machine, &file), after);
    succeeds(&configure(&machine, &["--undo"]), &["helper removed"]);
    assert_eq!(content(&machine, &file), before);
}

/// Replacing it would make it ours, so it is refused to whoever is not root.
#[cfg(unix)]
#[test]
fn the_file_of_another_user_is_not_changed() {
    use std::os::unix::fs::chown;
    use std::os::unix::process::CommandExt as _;
    const SOMEBODY: u32 = 1234;
    let machine = docker_machine("{}");
    let owned: Vec<_> = ["", "home", "home/.docker", "cache", "config", "runtime"]
        .map(|name| chown(machine.path(name), Some(SOMEBODY), Some(SOMEBODY)))
        .into_iter()
        .collect();
    if owned.iter().any(Result::is_err) {
        support::skipped("only root can be somebody else");
        return;
    }
    set_mode(&machine.path(DOCKER), 0o666);
    // The build directory may be closed to them.
    let program = machine.path("program");
    support::copy_executable(env!("CARGO_BIN_EXE_docker-credential-icr"), &program);
    let mut command = std::process::Command::new(&program);
    command.args(["configure", "docker", "--registry", "us.icr.io"]);
    machine.furnish(&mut command);
    command.uid(SOMEBODY).gid(SOMEBODY);
    let outcome = machine.start_as(command, "").finish();
    outcome.tells_a_person(&[
        "replacing it would change its owner (0:0)",
        "sudo chown 1234:1234",
    ]);
    assert_eq!(content(&machine, DOCKER), "{}");
    let left = fs::read_dir(machine.path("home/.docker")).expect("it is there");
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
    let machine = docker_machine("[]");
    configure(&machine, &["--registry", "us.icr.io"])
        .tells_a_person(&["config.json was not changed: it is not an object"]);
    let outcome = configure(&machine, &["podman", "--registry", "us.icr.io"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
}

#[test]
fn all_files_are_read_before_one_is_written() {
    let machine = docker_machine("{");
    fs::create_dir(machine.path("runtime/containers")).expect("the directory is ours");
    machine.file(PODMAN, "{}");
    configure(&machine, &["--registry", "us.icr.io"])
        .tells_a_person(&["config.json was not changed"]);
    assert_eq!(content(&machine, PODMAN), "{}");
}

/// docker 28.2.2 reads it.
#[test]
fn a_huge_file_is_not_changed_and_not_called_broken() {
    let machine = docker_machine(&" ".repeat(5 * 1024 * 1024));
    let outcome = configure(&machine, &["--registry", "us.icr.io"]);
    outcome.tells_a_person(&["larger than 4 MiB", "Clients may be able to read it"]);
    assert!(
        !outcome.stderr.contains("Fix the file first"),
        "{outcome:?}"
    );
}

#[test]
fn new_files_are_private_and_undo_deletes_them() {
    let mut machine = Machine::with_environment_key();
    let outcome = configure(&machine, &["--registry", "us.icr.io"]);
    outcome.tells_a_person(&["Name a client: 'docker-credential-icr configure docker'"]);
    succeeds(
        &configure(&machine, &["docker", "--registry", "us.icr.io"]),
        &["docker: "],
    );
    let outcome = configure(&machine, &["podman", "--registry", "https://US.icr.io/v2/"]);
    succeeds(&outcome, &["podman, buildah and skopeo: "]);
    outcome.has(
        &outcome.stderr,
        &[
            "is lost when your session ends",
            "export REGISTRY_AUTH_FILE=",
        ],
    );
    for file in [DOCKER, PODMAN] {
        assert_eq!(content(&machine, file), NEW);
        #[cfg(unix)]
        assert_eq!(mode(&machine.path(file)), 0o600);
    }
    machine.set("REGISTRY_AUTH_FILE", machine.path("home/mine/auth.json"));
    machine.set("DOCKER_CONFIG", machine.path("home/docker"));
    let outcome = configure(&machine, &["podman", "--registry", "us.icr.io"]);
    succeeds(&outcome, &["home/mine/auth.json"]);
    assert_eq!(outcome.stderr, "");
    succeeds(
        &configure(&machine, &["docker", "--registry", "us.icr.io"]),
        &["home/docker/config.json"],
    );
    succeeds(
        &configure(&machine, &["--undo"]),
        &["deleted (it was created by this program)"],
    );
    for path in [
        "home/.docker",
        "runtime/containers",
        "home/mine",
        "home/docker",
    ] {
        assert!(!machine.path(path).exists(), "{path}");
    }
}

#[test]
fn podman_gets_every_file_that_it_reads_and_that_lasts() {
    let machine = Machine::new();
    fs::create_dir(machine.path("config/containers")).expect("the directory is ours");
    machine.file("config/containers/auth.json", "{}");
    succeeds(&configure(&machine, &["--registry", "us.icr.io"]), &[]);
    assert_eq!(content(&machine, PODMAN), NEW);
    assert_eq!(
        content(&machine, "config/containers/auth.json"),
        NEW.trim_end()
    );
    assert!(!machine.path(DOCKER).exists(), "there is no docker here");
}

#[cfg(unix)]
#[test]
fn links_stay_and_read_only_files_are_not_changed() {
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::fs::chown;
    use std::os::unix::fs::symlink;
    let machine = Machine::new();
    fs::create_dir(machine.path("home/.docker")).expect("the directory is ours");
    machine.file("home/dotfile", "{}");
    symlink("../dotfile", machine.path(DOCKER)).expect("a link");
    let run = || configure(&machine, &["docker", "--registry", "us.icr.io"]);
    succeeds(&run(), &["helper added"]);
    assert!(machine.path(DOCKER).is_symlink());
    assert_eq!(content(&machine, "home/dotfile"), NEW.trim_end());
    succeeds(&configure(&machine, &["--undo"]), &[]);
    assert_eq!(content(&machine, "home/dotfile"), "{}");
    set_mode(&machine.path("home/dotfile"), 0o400);
    run().tells_a_person(&["read-only (mode 0400)", "chmod u+w"]);
    assert_eq!(content(&machine, "home/dotfile"), "{}");
    // Who is not root cannot make the files that the rest is about.
    set_mode(&machine.path("home/dotfile"), 0o600);
    if chown(machine.path("home/dotfile"), Some(12345), Some(12346)).is_err() {
        return;
    }
    succeeds(&run(), &["helper added"]);
    let metadata = machine
        .path("home/dotfile")
        .metadata()
        .expect("it is there");
    assert_eq!((metadata.uid(), metadata.gid()), (12345, 12346));
}

#[test]
fn undo_keeps_what_docker_wrote_since() {
    let machine = docker_machine("{}");
    succeeds(&configure(&machine, &["--registry", "us.icr.io"]), &[]);
    machine.file(DOCKER, "{\n\t\"auths\": {\n\t\t\"us.icr.io\": {}\n\t},\n\t\"credHelpers\": {\n\t\t\"us.icr.io\": \"icr\"\n\t}\n}");
    succeeds(&configure(&machine, &["--undo"]), &["helper removed"]);
    assert_eq!(
        content(&machine, DOCKER),
        "{\n\t\"auths\": {\n\t\t\"us.icr.io\": {}\n\t}\n}"
    );
}

#[test]
fn without_a_terminal_registries_with_a_login_are_configured() {
    let Some(machine) = Machine::with_keychain() else {
        return;
    };
    let machine = with_docker(machine, "{}");
    configure(&machine, &[]).tells_a_person(&["configure --registry us.icr.io"]);
    machine
        .store("de.icr.io", "iamapikey", KEY)
        .is_silent_success();
    machine
        .store("us.icr.io", "iamapikey", KEY)
        .is_silent_success();
    let outcome = configure(&machine, &[]);
    succeeds(&outcome, &["helper added for us.icr.io and de.icr.io"]);
    outcome.has(&outcome.stderr, &["they have a login"]);
}

#[test]
fn with_a_default_login_the_registries_in_the_files_are_configured() {
    let Some(machine) = Machine::with_keychain() else {
        return;
    };
    machine.add_api_key(KEY, "me");
    let text = format!(
        "{{\"auths\": {{{}}}}}",
        entry(&machine, "de.icr.io", OTHER_KEY)
    );
    let machine = with_docker(machine, &text);
    configure(&machine, &[]).tells_a_person(&[
        "unencrypted passwords were found for de.icr.io",
        "configure --migrate",
        "configure --registry us.icr.io",
    ]);
    assert_eq!(
        machine.run(&["login", "--api-key-stdin"], KEY).status,
        Some(0)
    );
    let outcome = configure(&machine, &[]);
    succeeds(&outcome, &["helper added for de.icr.io"]);
    outcome.has(&outcome.stderr, &["occur in the clients' files"]);
}

#[test]
fn many_registries_cause_a_warning_about_slow_builds() {
    let machine = docker_machine("{}");
    let outcome = configure(&machine, &["--all"]);
    succeeds(&outcome, &["icr.io, us.icr.io, uk.icr.io", "in2.icr.io"]);
    assert!(!content(&machine, DOCKER).contains("private"));
    outcome.has(
        &outcome.stderr,
        &[
            "warning: a classic `docker build`",
            "13 registries",
            "about 22 ms with cached tokens (as long as starting /bin/true 21 times)",
        ],
    );
    let few = with_docker(Machine::with_environment_key(), "{}");
    assert_eq!(configure(&few, &["--registry", "us.icr.io"]).stderr, "");
}

#[test]
fn a_client_after_the_registry_option_is_reported() {
    let machine = docker_machine("{}");
    let outcome = configure(&machine, &["--registry", "us.icr.io", "docker"]);
    outcome.tells_a_person(&["'configure docker --registry us.icr.io'"]);
    let outcome = configure(&machine, &["--registry", "podman"]);
    outcome.tells_a_person(&["'configure podman --registry HOST'"]);
    assert_eq!(content(&machine, DOCKER), "{}");
}

#[test]
fn registries_without_a_login_are_noted_with_the_command() {
    let mut machine = docker_machine("{}");
    machine.settings("[profile.a]\n[registry.\"de.icr.io\"]\nprofile = \"a\"\n");
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
    let dry = configure(&machine, &[&all[..], &["--dry-run"]].concat());
    assert_eq!(told(&dry), [""; 0], "nothing was switched on");
    assert_eq!(
        told(&configure(&machine, &all)),
        [
            "note: not logged in to cp.icr.io. Run 'docker login -u cp cp.icr.io'",
            "note: not logged in to us.icr.io and uk.icr.io. Run 'docker-credential-icr login'",
            "note: not logged in to de.icr.io. Run 'docker-credential-icr login --profile a'",
            "note: not logged in to stg.icr.io. Run 'docker-credential-icr login stg.icr.io'",
        ]
    );
    machine.set_environment_key();
    let asked = machine.cloud.requests().len();
    assert_eq!(told(&configure(&machine, &all)), [""; 0]);
    assert_eq!(machine.cloud.requests().len(), asked, "nobody was asked");
}

#[test]
fn a_change_that_cannot_be_recorded_is_not_made() {
    let machine = docker_machine("{}");
    let run = || configure(&machine, &["--registry", "us.icr.io"]);
    let state = "home/.local/state/docker-credential-icr";
    machine.file(state, "no directory");
    run().tells_a_person(&[
        "config.json was not changed: ",
        "cannot record the change for --undo",
    ]);
    assert_eq!(content(&machine, DOCKER), "{}");
    fs::remove_file(machine.path(state)).expect("it is ours");
    let record = format!("{state}/configured.json");
    machine.file(&record, "{ damaged");
    run().tells_a_person(&["configured.json is damaged. Delete it", "by hand"]);
    assert_eq!(content(&machine, DOCKER), "{}");
    configure(&machine, &["--undo"]).tells_a_person(&["is damaged. Delete it"]);
    fs::remove_file(machine.path(&record)).expect("it is ours");
    set_mode(&machine.path(DOCKER), 0o400);
    #[cfg(unix)]
    {
        run().tells_a_person(&["read-only"]);
        assert!(!machine.path(&record).exists(), "nothing was put in");
    }
    set_mode(&machine.path(DOCKER), 0o600);
    succeeds(&run(), &["helper added"]);
    succeeds(&configure(&machine, &["--undo"]), &["helper removed"]);
    assert_eq!(content(&machine, DOCKER), "{}");
}

#[cfg(unix)]
#[test]
fn a_failed_undo_does_not_report_nothing_to_undo() {
    let machine = docker_machine("{}");
    succeeds(&configure(&machine, &["--registry", "us.icr.io"]), &[]);
    set_mode(&machine.path(DOCKER), 0o400);
    let outcome = configure(&machine, &["--undo"]);
    outcome.tells_a_person(&["read-only"]);
    assert_eq!(outcome.stdout, "");
    set_mode(&machine.path(DOCKER), 0o600);
    succeeds(&configure(&machine, &["--undo"]), &["helper removed"]);
}

#[test]
fn a_helper_added_by_hand_is_noted_and_stays() {
    let text = "{\"credHelpers\": {\"us.icr.io\": \"icr\"}}";
    let machine = docker_machine(text);
    let by_hand = "config.json still has the helper for us.icr.io, added by hand. Remove it there";
    let outcome = configure(&machine, &["--undo"]);
    succeeds(&outcome, &["Nothing to undo"]);
    outcome.has(&outcome.stderr, &[by_hand]);
    succeeds(&configure(&machine, &["--registry", "de.icr.io"]), &[]);
    for arguments in [&["--undo", "--dry-run"][..], &["--undo"]] {
        let outcome = configure(&machine, arguments);
        succeeds(&outcome, &["de.icr.io"]);
        outcome.has(&outcome.stderr, &[by_hand]);
    }
    assert_eq!(content(&machine, DOCKER), text);
}

#[test]
fn foreign_registries_and_contradictions_are_refused() {
    let machine = docker_machine("{}");
    configure(&machine, &["--registry", "ghcr.io"])
        .tells_a_person(&["ghcr.io is not an IBM Cloud registry"]);
    for arguments in [
        &["--undo", "--all"][..],
        &["--all", "--registry", "icr.io"],
        &["kubernetes"],
    ] {
        assert_eq!(
            configure(&machine, arguments).status,
            Some(2),
            "{arguments:?}"
        );
    }
    assert_eq!(content(&machine, DOCKER), "{}");
}

#[test]
fn a_dry_run_shows_a_diff_without_secrets_and_does_nothing() {
    let Some(machine) = Machine::with_keychain() else {
        return;
    };
    let text = format!(
        "{{\n  \"auths\": {{\n    {}\n  }}\n}}\n",
        entry(&machine, "us.icr.io", KEY)
    );
    let machine = with_docker(machine, &text);
    let outcome = configure(&machine, &["--registry", "us.icr.io", "--dry-run"]);
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
    let outcome = configure(&machine, &["--migrate", "--dry-run"]);
    succeeds(
        &outcome,
        &[
            "-    \"us.icr.io\": {\"auth\": \"[redacted]\"}",
            "+  \"auths\": {},",
        ],
    );
    assert_eq!(content(&machine, DOCKER), text);
    machine.list().is_list(&[]);
    succeeds(
        &configure(&machine, &["--undo", "--dry-run"]),
        &["No changes"],
    );
}

#[test]
fn a_password_in_the_file_causes_a_warning_and_is_moved_with_migrate() {
    let Some(machine) = Machine::with_keychain() else {
        return;
    };
    machine.add_api_key(KEY, "me");
    let (us, uk) = (
        entry(&machine, "us.icr.io", KEY),
        entry(&machine, "https://us.icr.io/v1/", KEY),
    );
    let text = format!("{{\"auths\": {{{us}, \"x.io\": {{\"auth\": \"eDp5\"}}, {uk}}}}}");
    let machine = with_docker(machine, &text);
    let outcome = configure(&machine, &["--registry", "us.icr.io"]);
    succeeds(&outcome, &["helper added"]);
    outcome.has(
        &outcome.stderr,
        &[
            "unencrypted passwords for us.icr.io in ",
            "configure --migrate",
        ],
    );
    succeeds(&configure(&machine, &["--undo"]), &[]);
    assert_eq!(content(&machine, DOCKER), text);
    machine.list().is_list(&[]);

    let outcome = configure(&machine, &["--migrate"]);
    succeeds(&outcome, &["helper added for us.icr.io"]);
    outcome.has(
        &outcome.stderr,
        &["Moved the us.icr.io password to the keychain (verified)"],
    );
    let without = "{\"auths\": {\"x.io\": {\"auth\": \"eDp5\"}}";
    assert_eq!(
        content(&machine, DOCKER),
        format!("{without}, \"credHelpers\": {{\"us.icr.io\": \"icr\"}}}}")
    );
    machine.list().is_list(&[("us.icr.io", "iamapikey")]);
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-me");
    assert_eq!(machine.files_with_secrets(), [] as [&Path; 0]);
    succeeds(&configure(&machine, &["--undo"]), &[]);
    assert_eq!(
        content(&machine, DOCKER),
        format!("{without}}}"),
        "passwords do not come back"
    );
    machine.list().is_list(&[("us.icr.io", "iamapikey")]);
}

#[test]
fn a_password_that_fails_the_check_is_not_moved() {
    let Some(machine) = Machine::with_keychain() else {
        return;
    };
    let text = format!("{{\"auths\": {{{}}}}}", entry(&machine, "us.icr.io", KEY));
    let machine = with_docker(machine, &text);
    let migrate = |arguments: &[&str]| {
        let outcome = configure(&machine, &[&["--migrate"], arguments].concat());
        assert_eq!(content(&machine, DOCKER), text, "{outcome:?}");
        outcome
    };
    let stays = "the password for us.icr.io was not moved: ";
    migrate(&[]).tells_a_person(&[stays, "BXNIM0415E"]);
    machine.list().is_list(&[]);
    machine.add_api_key(KEY, "me");
    machine.cloud.always(Some(Fault::Status(503)));
    migrate(&[]).tells_a_person(&[stays, "503"]);
    machine.list().is_list(&[]);
    machine.cloud.always(None);
    machine.add_api_key(OTHER_KEY, "other");
    machine
        .store("us.icr.io", "iamapikey", OTHER_KEY)
        .is_silent_success();
    migrate(&[]).tells_a_person(&[stays, "another login", "logout us.icr.io", "--force"]);
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-other");
    machine.cloud.always(Some(Fault::Status(503)));
    migrate(&["--force"]).tells_a_person(&[stays, "503"]);
    machine.cloud.always(None);
    assert_eq!(
        machine.get("us.icr.io").is_token_of(),
        "IBMid-other",
        "the former one is back"
    );
    let outcome = configure(&machine, &["--migrate", "--force"]);
    succeeds(&outcome, &["helper added"]);
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-me");
}

#[cfg(unix)]
#[test]
fn a_password_that_is_still_in_a_file_is_not_reported_as_moved() {
    let Some(machine) = Machine::with_keychain() else {
        return;
    };
    machine.add_api_key(KEY, "me");
    let text = format!("{{\"auths\": {{{}}}}}", entry(&machine, "us.icr.io", KEY));
    let machine = with_docker(machine, &text);
    machine.file(PODMAN, &text);
    set_mode(&machine.path(PODMAN), 0o400);
    let outcome = configure(&machine, &["--migrate"]);
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
    machine.list().is_list(&[("us.icr.io", "iamapikey")]);
    assert!(!content(&machine, DOCKER).contains("auth\""));
    assert_eq!(content(&machine, PODMAN), text);
    set_mode(&machine.path(PODMAN), 0o600);
    let outcome = configure(&machine, &["--migrate"]);
    succeeds(&outcome, &["helper added"]);
    outcome.has(
        &outcome.stderr,
        &["Moved the us.icr.io password to the keychain (verified)"],
    );
    assert!(!content(&machine, PODMAN).contains("auth\""));
}

#[test]
fn passwords_that_cannot_be_moved_are_reported() {
    let Some(machine) = Machine::with_keychain() else {
        return;
    };
    machine.add_api_key(KEY, "me");
    let text = format!(
        "{{\"auths\": {{{}, {}, \"de.icr.io\": {{\"identitytoken\": \"t\"}}, \"uk.icr.io\": {{\"auth\": \"%\"}}, \"jp.icr.io\": {{}}}}}}",
        entry(&machine, "us.icr.io", KEY),
        entry(&machine, "us.icr.io/namespace", OTHER_KEY),
    );
    let machine = with_docker(machine, &text);
    let outcome = configure(&machine, &["--migrate"]);
    outcome.tells_a_person(&[
        "different passwords for us.icr.io",
        "the entry for de.icr.io",
        "token that only its client can use",
        "the entry for uk.icr.io",
        "clients cannot read it either",
    ]);
    assert_eq!(content(&machine, DOCKER), text);
    machine.list().is_list(&[]);
}

#[test]
fn the_json_answer_has_the_documented_keys() {
    let machine = docker_machine("{\"credsStore\": \"icr\"}");
    let outcome = configure(&machine, &["docker", "--registry", "us.icr.io", "--json"]);
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
            "deleted": false, "diff": null, "migrated": [], "path": machine.path(DOCKER), "removed": [],
        }],
        "warnings": null,
    });
    assert_eq!(answer, expected);
}

#[test]
fn docker_from_a_snap_causes_a_warning() {
    let machine = docker_machine("{}");
    fs::create_dir_all(machine.path("home/snap/docker/current/.docker")).expect("it is ours");
    machine.file("home/snap/docker/current/.docker/config.json", "{}");
    let outcome = configure(&machine, &["--registry", "us.icr.io"]);
    outcome.has(
        &outcome.stderr,
        &[
            "Docker from a snap reads ",
            "snap/docker/current/.docker/config.json",
        ],
    );
    assert_eq!(
        content(&machine, "home/snap/docker/current/.docker/config.json"),
        "{}"
    );
}

#[test]
fn losing_dockers_default_keychain_causes_a_warning() {
    let mut machine = docker_machine("{\"auths\": {}}");
    machine.set_environment_key();
    fs::create_dir(machine.path("bin")).expect("the directory is ours");
    machine.file("bin/docker-credential-secretservice", "");
    let path = machine.path("bin");
    machine.set("PATH", path);
    if cfg!(target_os = "linux") {
        let outcome = configure(&machine, &["--registry", "us.icr.io"]);
        outcome.has(
            &outcome.stderr,
            &["To keep it, add `\"credsStore\": \"secretservice\"` to "],
        );
        assert_eq!(configure(&machine, &["--registry", "de.icr.io"]).stderr, "");
    }
}

#[test]
fn concurrent_runs_lose_no_entry() {
    let machine = docker_machine("{}");
    let hosts = [
        "icr.io",
        "us.icr.io",
        "de.icr.io",
        "uk.icr.io",
        "jp.icr.io",
        "au.icr.io",
    ];
    support::at_once(hosts.len(), |index| {
        succeeds(
            &configure(&machine, &["--registry", hosts[index]]),
            &["helper added"],
        );
    });
    let helpers: Value = serde_json::from_str(&content(&machine, DOCKER)).expect("JSON");
    assert_eq!(
        helpers["credHelpers"].as_object().map(serde_json::Map::len),
        Some(hosts.len())
    );
    succeeds(&configure(&machine, &["--undo"]), &[]);
    assert_eq!(content(&machine, DOCKER), "{}");
}

#[test]
fn help_has_examples() {
    let outcome = Machine::new().run(&["configure", "--help"], "");
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

    fn at_terminal(machine: &Machine, arguments: &[&str]) -> PtySession {
        let program = machine.command(&[]);
        let mut command = Command::new(program.get_program());
        command.arg("configure").args(arguments);
        machine.furnish(&mut command);
        command.env("TERM", "xterm").stdout(Stdio::inherit());
        spawn_command(command, Some(30_000)).expect("a terminal")
    }

    #[test]
    fn a_person_is_asked_for_clients_registries_and_passwords() {
        let Some(machine) = Machine::with_keychain() else {
            return;
        };
        machine.add_api_key(KEY, "me");
        machine
            .store("de.icr.io", "iamapikey", KEY)
            .is_silent_success();
        let text = format!("{{\"auths\": {{{}}}}}", entry(&machine, "us.icr.io", KEY));
        let machine = with_docker(machine, &text);
        let mut session = at_terminal(&machine, &[]);
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
        assert_eq!(content(&machine, DOCKER), expected);
    }

    #[test]
    fn declining_to_move_passwords_causes_a_warning() {
        let Some(machine) = Machine::with_keychain() else {
            return;
        };
        let text = format!("{{\"auths\": {{{}}}}}", entry(&machine, "us.icr.io", KEY));
        let machine = with_docker(machine, &text);
        let mut session = at_terminal(&machine, &["docker", "--registry", "us.icr.io"]);
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
        assert!(content(&machine, DOCKER).contains("auth\""));
    }

    #[test]
    fn declining_to_replace_a_helper_changes_nothing() {
        let text = "{\"credHelpers\": {\"us.icr.io\": \"other\"}}";
        let machine = docker_machine(text);
        let mut session = at_terminal(&machine, &["--registry", "us.icr.io"]);
        session
            .exp_string("Replace the helper 'other' for us.icr.io in ")
            .expect("a question");
        session.send_line("").expect("it listens");
        session
            .exp_string("Nothing was changed")
            .expect("a failure");
        session.exp_eof().expect("the end");
        assert_eq!(content(&machine, DOCKER), text);
    }
}

/// As `kill -9` leaves it where the system has no files without a name, and as earlier versions did everywhere.
#[test]
fn a_copy_that_an_interrupted_run_left_is_reported_and_swept() {
    let machine = docker_machine("{}");
    let left = "home/.docker/.docker-credential-icr-Ab12Cd";
    let text = format!("{{\"auths\": {{{}}}}}", entry(&machine, "us.icr.io", KEY));
    let path = machine.file(left, &text);
    let doctor = machine.run(&["doctor"], "");
    let name = path.file_name().expect("it has one").to_string_lossy();
    doctor.has(
        &doctor.stdout,
        &[&name, "left by an interrupted run", "fix: rm "],
    );
    configure(
        &machine,
        &["docker", "--registry", "us.icr.io", "--dry-run"],
    );
    assert!(path.exists(), "a dry run changes nothing");
    let outcome = configure(&machine, &["docker", "--registry", "us.icr.io"]);
    succeeds(&outcome, &["helper added"]);
    outcome.has(&outcome.stderr, &["deleted ", &name]);
    assert!(!path.exists());
    assert!(machine.files_with_secrets().is_empty());
}

/// Somebody is writing it, or it is another user's: it stays, and is no secret kept.
#[cfg(unix)]
#[test]
fn passwords_are_not_reported_as_moved_while_a_copy_holds_them() {
    let Some(machine) = Machine::with_keychain() else {
        return;
    };
    let text = format!("{{\"auths\": {{{}}}}}", entry(&machine, "us.icr.io", KEY));
    machine.add_api_key(KEY, "somebody");
    let machine = with_docker(machine, &text);
    let path = machine.file("home/.docker/.docker-credential-icr-Ab12Cd", &text);
    if std::os::unix::fs::chown(&path, Some(1234), None).is_err() {
        support::skipped("only root can be somebody else");
        return;
    }
    let outcome = configure(
        &machine,
        &["docker", "--registry", "us.icr.io", "--migrate"],
    );
    succeeds(&outcome, &["helper added"]);
    outcome.has(
        &outcome.stderr,
        &["also still in", ".docker-credential-icr-Ab12Cd"],
    );
    assert!(!outcome.stderr.contains("Moved the"), "{outcome:?}");
    assert!(path.exists());
}
