//! What do clients' files look like after `configure`, after `--migrate` and after `--undo`, whatever they looked like before?

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

/// Files of real installations, and what becomes of them.
#[test]
fn files_of_real_installations_change_by_the_addition_alone_and_back_to_the_byte() {
    let desktop = "{\n\t\"auths\": {\n\t\t\"https://index.docker.io/v1/\": {}\n\t},\n\t\"credsStore\": \"desktop\",\n\t\"currentContext\": \"desktop-linux\",\n\t\"plugins\": {\n\t\t\"-x-cli-hints\": {\n\t\t\t\"enabled\": \"true\"\n\t\t}\n\t}\n}";
    for (before, after) in [
        ("", NEW.to_owned()),
        (" \n", NEW.to_owned()),
        ("{}\n", NEW.to_owned()),
        (
            desktop,
            desktop.replace(
                "\n\t}\n}",
                "\n\t},\n\t\"credHelpers\": {\n\t\t\"us.icr.io\": \"icr\"\n\t}\n}",
            ),
        ),
        (
            "{\"auths\":{\"x.io\":{\"auth\":\"eDp5\"}},\"n\":1e400}",
            "{\"auths\":{\"x.io\":{\"auth\":\"eDp5\"}},\"n\":1e400,\"credHelpers\":{\"us.icr.io\":\"icr\"}}".into(),
        ),
        (
            "{\r\n    \"credHelpers\": {\r\n        \"gcr.io\": \"gcloud\"\r\n    },\r\n    \"a\": 1,\r\n    \"a\": \"\\ud83d\\u00e9\"\r\n}\r\n",
            "{\r\n    \"credHelpers\": {\r\n        \"gcr.io\": \"gcloud\",\r\n        \"us.icr.io\": \"icr\"\r\n    },\r\n    \"a\": 1,\r\n    \"a\": \"\\ud83d\\u00e9\"\r\n}\r\n".into(),
        ),
    ] {
        let machine = docker_machine(before);
        set_mode(&machine.path(DOCKER), 0o640);
        let run = || configure(&machine, &["docker", "--registry", "us.icr.io"]);
        succeeds(&run(), &["docker: ", "now names the helper for us.icr.io."]);
        assert_eq!(content(&machine, DOCKER), after);
        succeeds(&run(), &["already names the helper for us.icr.io."]);
        assert_eq!(content(&machine, DOCKER), after);
        succeeds(&configure(&machine, &["--undo"]), &["no longer names the helper for us.icr.io."]);
        assert_eq!(content(&machine, DOCKER), before);
        assert_eq!(mode(&machine.path(DOCKER)), 0o640);
        succeeds(&configure(&machine, &["--undo"]), &["nothing to take out"]);
        let left = fs::read_dir(machine.path("home/.docker")).expect("it is ours");
        assert_eq!(left.count(), 1);
    }
}

/// podman, buildah and skopeo write `json.MarshalIndent(…, "", "\t")`, without a line
/// end (`containers/image`, `pkg/docker/config/config.go`).
#[test]
fn the_file_of_rootless_podman_changes_by_the_addition_alone_and_back_to_the_byte() {
    let machine = Machine::new();
    let before = "{\n\t\"auths\": {\n\t\t\"quay.io\": {\n\t\t\t\"auth\": \"eDp5\"\n\t\t}\n\t},\n\t\"credHelpers\": {\n\t\t\"gcr.io\": \"gcloud\"\n\t}\n}";
    machine.file(PODMAN, before);
    set_mode(&machine.path(PODMAN), 0o600);
    let outcome = configure(
        &machine,
        &["podman", "--registry", "us.icr.io", "de.icr.io"],
    );
    succeeds(
        &outcome,
        &["now names the helper for us.icr.io and de.icr.io."],
    );
    let after = before.replace(
        "\"gcloud\"",
        "\"gcloud\",\n\t\t\"us.icr.io\": \"icr\",\n\t\t\"de.icr.io\": \"icr\"",
    );
    assert_eq!(content(&machine, PODMAN), after);
    succeeds(&configure(&machine, &["--undo"]), &["no longer names"]);
    assert_eq!(content(&machine, PODMAN), before);
}

/// The snap sets `DOCKER_CONFIG` for its docker, which writes as any other.
#[test]
fn the_file_of_dockers_snap_changes_by_the_addition_alone_and_back_to_the_byte() {
    let mut machine = Machine::new();
    let snap = "home/snap/docker/current/.docker";
    let file = format!("{snap}/config.json");
    let before = "{\n\t\"auths\": {\n\t\t\"https://index.docker.io/v1/\": {\n\t\t\t\"auth\": \"eDp5\"\n\t\t}\n\t}\n}";
    machine.file(&file, before);
    let directory = machine.path(snap);
    machine.set("DOCKER_CONFIG", directory);
    let outcome = configure(&machine, &["docker", "--registry", "us.icr.io"]);
    succeeds(&outcome, &["now names the helper for us.icr.io."]);
    let after = before.replace(
        "\n\t}\n}",
        "\n\t},\n\t\"credHelpers\": {\n\t\t\"us.icr.io\": \"icr\"\n\t}\n}",
    );
    assert_eq!(content(&machine, &file), after);
    succeeds(&configure(&machine, &["--undo"]), &["no longer names"]);
    assert_eq!(content(&machine, &file), before);
}

/// Replacing it would make it ours, so it is refused to whoever is not root.
#[cfg(unix)]
#[test]
fn a_file_that_is_anothers_is_left_alone() {
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
fn broken_files_are_told_by_their_place_and_none_is_touched() {
    for (text, part) in [
        (
            "{\n  // a comment\n  \"auths\": {}\n}",
            "line 2 column 3. JSON has no comments",
        ),
        (
            "{\"auths\": {\"us.icr.io\": {\"auth\": \"c2Vj",
            "it is not valid JSON: EOF",
        ),
        (
            "{\"credHelpers\": \"icr\"}",
            "`credHelpers` is not an object (line 1, column 17)",
        ),
        ("\u{feff}{}", "byte order mark"),
        ("[]", "it is not an object"),
    ] {
        let machine = docker_machine(text);
        let outcome = configure(&machine, &["--registry", "us.icr.io"]);
        outcome.tells_a_person(&["config.json is left as it is: ", part, "; mend it first"]);
        assert_eq!(content(&machine, DOCKER), text);
        let outcome = configure(&machine, &["podman", "--registry", "us.icr.io"]);
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
    }
    let machine = docker_machine("{");
    fs::create_dir(machine.path("runtime/containers")).expect("the directory is ours");
    machine.file(PODMAN, "{}");
    configure(&machine, &["--registry", "us.icr.io"])
        .tells_a_person(&["config.json is left as it is"]);
    assert_eq!(
        content(&machine, PODMAN),
        "{}",
        "all are read before one is written"
    );
}

/// docker 28.2.2 reads all of these; what counts in them would have to be guessed.
#[test]
fn files_that_clients_read_all_the_same_are_not_called_broken() {
    let huge = " ".repeat(5 * 1024 * 1024);
    for (text, part) in [
        (
            &b"{\"credHelpers\": {}, \"CREDHELPERS\": {}}"[..],
            "`credHelpers` occurs twice (line 1, column 21)",
        ),
        (
            b"{\"auths\": {}, \"auths\": {}}",
            "`auths` occurs twice (line 1, column 15)",
        ),
        (
            b"{\"credHelpers\": {\"us.icr.io\": \"a\", \"us.icr.io\": \"b\"}}",
            "`us.icr.io` occurs twice",
        ),
        (b"{\"auths\": {\"\xff\": {}}}", "it is not UTF-8 text"),
        (b"null", "it is `null`"),
        (b"{} and more", "trailing characters"),
        (huge.as_bytes(), "larger than 4 MiB"),
    ] {
        let machine = docker_machine("");
        fs::write(machine.path(DOCKER), text).expect("it is ours");
        let outcome = configure(&machine, &["--registry", "us.icr.io"]);
        outcome.tells_a_person(&[
            "config.json is left as it is: ",
            part,
            "clients may read it",
        ]);
        assert!(!outcome.stderr.contains("mend it first"), "{outcome:?}");
        let after = fs::read(machine.path(DOCKER)).expect("it is there");
        assert!(after == text, "{part}");
    }
}

#[test]
fn files_that_are_not_there_are_made_for_their_owner_and_removed_again() {
    let mut machine = Machine::with_environment_key();
    let outcome = configure(&machine, &["--registry", "us.icr.io"]);
    outcome.tells_a_person(&["name one: `configure docker` or `configure podman`"]);
    succeeds(
        &configure(&machine, &["docker", "--registry", "us.icr.io"]),
        &["docker: "],
    );
    let outcome = configure(&machine, &["podman", "--registry", "https://US.icr.io/v2/"]);
    succeeds(&outcome, &["podman, buildah and skopeo: "]);
    outcome.has(
        &outcome.stderr,
        &[
            "empties that directory at logout",
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
        &["was made by this program, and is removed."],
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
fn links_stay_and_what_is_read_only_or_anothers_is_left_alone() {
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::fs::chown;
    use std::os::unix::fs::symlink;
    let machine = Machine::new();
    fs::create_dir(machine.path("home/.docker")).expect("the directory is ours");
    machine.file("home/dotfile", "{}");
    symlink("../dotfile", machine.path(DOCKER)).expect("a link");
    let run = || configure(&machine, &["docker", "--registry", "us.icr.io"]);
    succeeds(&run(), &["now names"]);
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
    succeeds(&run(), &["now names"]);
    let metadata = machine
        .path("home/dotfile")
        .metadata()
        .expect("it is there");
    assert_eq!((metadata.uid(), metadata.gid()), (12345, 12346));
}

#[test]
fn another_helper_is_replaced_by_force_alone_and_comes_back() {
    let text = "{\"credHelpers\": {\"us.icr.io\": \"ibmcloud\", \"gcr.io\": \"gcloud\"}}";
    let machine = docker_machine(text);
    let outcome = configure(&machine, &["--registry", "de.icr.io", "us.icr.io"]);
    outcome.tells_a_person(&[
        "the helper `ibmcloud` (docker-credential-ibmcloud) answers for us.icr.io",
        "--force",
    ]);
    assert_eq!(content(&machine, DOCKER), text);
    succeeds(
        &configure(&machine, &["--registry", "us.icr.io", "--force"]),
        &["now names"],
    );
    assert_eq!(content(&machine, DOCKER), text.replace("ibmcloud", "icr"));
    succeeds(&configure(&machine, &["--undo"]), &[]);
    assert_eq!(content(&machine, DOCKER), text);
}

#[test]
fn what_docker_wrote_in_the_meantime_stays() {
    let machine = docker_machine("{}");
    succeeds(&configure(&machine, &["--registry", "us.icr.io"]), &[]);
    machine.file(DOCKER, "{\n\t\"auths\": {\n\t\t\"us.icr.io\": {}\n\t},\n\t\"credHelpers\": {\n\t\t\"us.icr.io\": \"icr\"\n\t}\n}");
    succeeds(&configure(&machine, &["--undo"]), &["no longer names"]);
    assert_eq!(
        content(&machine, DOCKER),
        "{\n\t\"auths\": {\n\t\t\"us.icr.io\": {}\n\t}\n}"
    );
}

#[test]
fn in_a_pipe_registries_with_a_login_are_taken() {
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
    succeeds(
        &outcome,
        &["now names the helper for us.icr.io and de.icr.io."],
    );
    outcome.has(&outcome.stderr, &["they have a login"]);
}

#[test]
fn with_a_login_for_all_the_registries_of_the_files_are_taken() {
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
        "passwords lie in clear for de.icr.io: `configure --migrate` moves them",
        "configure --registry us.icr.io",
    ]);
    assert_eq!(
        machine.run(&["login", "--api-key-stdin"], KEY).status,
        Some(0)
    );
    let outcome = configure(&machine, &[]);
    succeeds(&outcome, &["now names the helper for de.icr.io."]);
    outcome.has(
        &outcome.stderr,
        &["stand in the clients' files: de.icr.io."],
    );
}

#[test]
fn every_registry_costs_and_that_is_told() {
    let machine = docker_machine("{}");
    let outcome = configure(&machine, &["--all"]);
    succeeds(&outcome, &["icr.io, us.icr.io, uk.icr.io", "in2.icr.io"]);
    assert!(!content(&machine, DOCKER).contains("private"));
    outcome.has(
        &outcome.stderr,
        &[
            "warning: a classic `docker build`",
            "13 registries",
            "/bin/true 21 times, about 22 ms",
        ],
    );
    let few = with_docker(Machine::with_environment_key(), "{}");
    assert_eq!(configure(&few, &["--registry", "us.icr.io"]).stderr, "");
}

#[test]
fn a_client_that_the_option_swallowed_is_told_of() {
    let machine = docker_machine("{}");
    let outcome = configure(&machine, &["--registry", "us.icr.io", "docker"]);
    outcome.tells_a_person(&["`configure docker --registry us.icr.io`"]);
    let outcome = configure(&machine, &["--registry", "podman"]);
    outcome.tells_a_person(&["`configure podman --registry HOST`"]);
    assert_eq!(content(&machine, DOCKER), "{}");
}

#[test]
fn where_nobody_speaks_for_a_registry_it_says_how_to_log_in() {
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
        let lines = lines.filter(|line| line.starts_with("note: Nobody is logged in at "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let dry = configure(&machine, &[&all[..], &["--dry-run"]].concat());
    assert_eq!(told(&dry), [""; 0], "nothing was switched on");
    assert_eq!(
        told(&configure(&machine, &all)),
        [
            "note: Nobody is logged in at cp.icr.io yet: `docker login -u cp cp.icr.io`.",
            "note: Nobody is logged in at us.icr.io and uk.icr.io yet: `docker-credential-icr login`.",
            "note: Nobody is logged in at de.icr.io yet: `docker-credential-icr login --profile a`.",
            "note: Nobody is logged in at stg.icr.io yet: `docker-credential-icr login stg.icr.io`.",
        ]
    );
    machine.set_environment_key();
    let asked = machine.cloud.requests().len();
    assert_eq!(told(&configure(&machine, &all)), [""; 0]);
    assert_eq!(machine.cloud.requests().len(), asked, "nobody was asked");
}

#[test]
fn what_cannot_be_noted_is_not_put_in() {
    let machine = docker_machine("{}");
    let run = || configure(&machine, &["--registry", "us.icr.io"]);
    let state = "home/.local/state/docker-credential-icr";
    machine.file(state, "no directory");
    run().tells_a_person(&[
        "config.json is left as it is: ",
        "cannot be noted for --undo",
    ]);
    assert_eq!(content(&machine, DOCKER), "{}");
    fs::remove_file(machine.path(state)).expect("it is ours");
    let record = format!("{state}/configured.json");
    machine.file(&record, "{ damaged");
    run().tells_a_person(&["configured.json is damaged; remove it", "by hand"]);
    assert_eq!(content(&machine, DOCKER), "{}");
    configure(&machine, &["--undo"]).tells_a_person(&["is damaged; remove it"]);
    fs::remove_file(machine.path(&record)).expect("it is ours");
    set_mode(&machine.path(DOCKER), 0o400);
    #[cfg(unix)]
    {
        run().tells_a_person(&["read-only"]);
        assert!(!machine.path(&record).exists(), "nothing was put in");
    }
    set_mode(&machine.path(DOCKER), 0o600);
    succeeds(&run(), &["now names"]);
    succeeds(&configure(&machine, &["--undo"]), &["no longer names"]);
    assert_eq!(content(&machine, DOCKER), "{}");
}

#[cfg(unix)]
#[test]
fn an_undo_that_fails_does_not_say_that_there_is_nothing() {
    let machine = docker_machine("{}");
    succeeds(&configure(&machine, &["--registry", "us.icr.io"]), &[]);
    set_mode(&machine.path(DOCKER), 0o400);
    let outcome = configure(&machine, &["--undo"]);
    outcome.tells_a_person(&["read-only"]);
    assert_eq!(outcome.stdout, "");
    set_mode(&machine.path(DOCKER), 0o600);
    succeeds(&configure(&machine, &["--undo"]), &["no longer names"]);
}

#[test]
fn what_somebody_put_in_by_hand_is_told_and_stays() {
    let text = "{\"credHelpers\": {\"us.icr.io\": \"icr\"}}";
    let machine = docker_machine(text);
    let by_hand =
        "config.json still names the helper for us.icr.io, which was put in by hand; take it out";
    let outcome = configure(&machine, &["--undo"]);
    succeeds(&outcome, &["There is nothing to take out."]);
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
        &["Nothing would change."],
    );
}

#[test]
fn a_password_that_lies_there_is_told_and_moved_when_that_is_asked_for() {
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
    succeeds(&outcome, &["now names"]);
    outcome.has(
        &outcome.stderr,
        &[
            "passwords lie in clear for us.icr.io in ",
            "configure --migrate",
        ],
    );
    succeeds(&configure(&machine, &["--undo"]), &[]);
    assert_eq!(content(&machine, DOCKER), text);
    machine.list().is_list(&[]);

    let outcome = configure(&machine, &["--migrate"]);
    succeeds(&outcome, &["now names the helper for us.icr.io."]);
    outcome.has(
        &outcome.stderr,
        &["In the keychain now, tried, and out of the files: the login for us.icr.io."],
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
fn a_password_that_does_not_work_stays_and_the_keychain_as_it_was() {
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
    let stays = "the password for us.icr.io stays where it is: ";
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
    succeeds(&outcome, &["now names"]);
    assert_eq!(machine.get("us.icr.io").is_token_of(), "IBMid-me");
}

#[cfg(unix)]
#[test]
fn a_password_that_still_lies_in_a_file_is_not_out_of_the_files() {
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
            "the login for us.icr.io is in the keychain now, and tried, but it still lies in ",
            "auth.json; run this again",
            "auth.json is left as it is: it is read-only",
        ],
    );
    assert!(!outcome.stderr.contains("out of the files"), "{outcome:?}");
    machine.list().is_list(&[("us.icr.io", "iamapikey")]);
    assert!(!content(&machine, DOCKER).contains("auth\""));
    assert_eq!(content(&machine, PODMAN), text);
    set_mode(&machine.path(PODMAN), 0o600);
    let outcome = configure(&machine, &["--migrate"]);
    succeeds(&outcome, &["now names"]);
    outcome.has(
        &outcome.stderr,
        &["out of the files: the login for us.icr.io."],
    );
    assert!(!content(&machine, PODMAN).contains("auth\""));
}

#[test]
fn what_cannot_be_moved_is_told() {
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
        "`de.icr.io`",
        "token of the registry's own",
        "`uk.icr.io`",
        "cannot be read",
    ]);
    assert_eq!(content(&machine, DOCKER), text);
    machine.list().is_list(&[]);
}

#[test]
fn json_has_keys_that_stay() {
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
            "added": ["us.icr.io"], "already": [], "changed": true, "client": "docker", "created": false,
            "deleted": false, "diff": null, "migrated": [], "path": machine.path(DOCKER), "removed": [],
        }],
        "warnings": null,
    });
    assert_eq!(answer, expected);
}

#[test]
fn docker_of_a_snap_is_told_of() {
    let machine = docker_machine("{}");
    fs::create_dir_all(machine.path("home/snap/docker/current/.docker")).expect("it is ours");
    machine.file("home/snap/docker/current/.docker/config.json", "{}");
    let outcome = configure(&machine, &["--registry", "us.icr.io"]);
    outcome.has(
        &outcome.stderr,
        &[
            "docker of a snap reads ",
            "snap/docker/current/.docker/config.json",
        ],
    );
    assert_eq!(
        content(&machine, "home/snap/docker/current/.docker/config.json"),
        "{}"
    );
}

#[test]
fn a_keychain_that_docker_found_by_itself_is_told_of() {
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
            &["put `\"credsStore\": \"secretservice\"` into "],
        );
        assert_eq!(configure(&machine, &["--registry", "de.icr.io"]).stderr, "");
    }
}

#[test]
fn many_at_once_lose_nothing() {
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
            &["now names"],
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
            ("Switch it on for docker (", ""),
            ("Registries [us.icr.io de.icr.io]:", ""),
            (
                "Move them into the keychain, and out of the files once they are tried? [Y/n]",
                "y",
            ),
        ] {
            session.exp_string(question).expect(question);
            session.send_line(answer).expect("it listens");
        }
        session
            .exp_string("now names the helper for us.icr.io and de.icr.io.")
            .expect("success");
        session.exp_eof().expect("the end");
        let expected =
            "{\"auths\": {}, \"credHelpers\": {\"us.icr.io\": \"icr\", \"de.icr.io\": \"icr\"}}";
        assert_eq!(content(&machine, DOCKER), expected);
    }

    #[test]
    fn whoever_leaves_passwords_there_is_told_what_comes_of_it() {
        let Some(machine) = Machine::with_keychain() else {
            return;
        };
        let text = format!("{{\"auths\": {{{}}}}}", entry(&machine, "us.icr.io", KEY));
        let machine = with_docker(machine, &text);
        let mut session = at_terminal(&machine, &["docker", "--registry", "us.icr.io"]);
        session.exp_string("[Y/n]").expect("a question");
        session.send_line("n").expect("it listens");
        for part in [
            "warning: passwords lie in clear for us.icr.io in ",
            "clients that ask the helper no longer use them",
            "Nobody is logged in at us.icr.io yet: `docker-credential-icr login`.",
        ] {
            session.exp_string(part).expect(part);
        }
        session.exp_eof().expect("the end");
        assert!(content(&machine, DOCKER).contains("auth\""));
    }

    #[test]
    fn a_person_may_say_no() {
        let text = "{\"credHelpers\": {\"us.icr.io\": \"other\"}}";
        let machine = docker_machine(text);
        let mut session = at_terminal(&machine, &["--registry", "us.icr.io"]);
        session
            .exp_string("the helper `other` answers for us.icr.io. Replace it? [y/N]")
            .expect("a question");
        session.send_line("").expect("it listens");
        session
            .exp_string("nothing was changed")
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
    succeeds(&outcome, &["now names the helper"]);
    outcome.has(&outcome.stderr, &["Removed ", &name]);
    assert!(!path.exists());
    assert!(machine.files_with_secrets().is_empty());
}

/// Somebody is writing it, or it is another user's: it stays, and is no secret kept.
#[cfg(unix)]
#[test]
fn passwords_are_not_said_to_be_gone_while_a_copy_holds_them() {
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
    succeeds(&outcome, &["now names the helper"]);
    outcome.has(
        &outcome.stderr,
        &["still lies in", ".docker-credential-icr-Ab12Cd"],
    );
    assert!(!outcome.stderr.contains("out of the files"), "{outcome:?}");
    assert!(path.exists());
}
