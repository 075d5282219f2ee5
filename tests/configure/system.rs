//! `configure --system`, in a mount namespace with directories of the test as `/etc` and `/var/lib`.
#![cfg(target_os = "linux")]

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::*;
use support::create_own_etc;
use support::with_own_etc;

const LIST: &str = "etc/containers/registries.conf.d/docker-credential-icr.conf";
const SKELETON_OF_DOCKER: &str = "etc/skel/.docker/config.json";
const SKELETON_OF_PODMAN: &str = "etc/skel/.config/containers/auth.json";
const RECORD: &str = "lib/docker-credential-icr/configured.json";
const RECORDS: &str = "lib/docker-credential-icr";
const FOR_US: [&str; 3] = ["--system", "--registry", "us.icr.io"];

/// Creates a machine with docker and podman, and the program where all users find it. Returns `None` if this user may not
/// mount.
fn machine() -> Option<TestEnv> {
    let mut env = TestEnv::new();
    fs::create_dir(env.path("bin")).expect("the test may change it");
    set_mode(&env.path("bin"), 0o755);
    let program = env.path("bin/docker-credential-icr");
    support::copy_executable(env!("CARGO_BIN_EXE_docker-credential-icr"), &program);
    for client in ["docker", "podman"] {
        support::write_executable(b"#!/bin/sh\n", &env.path(&format!("bin/{client}")));
    }
    let own = env.path("bin").display().to_string();
    env.set("PATH", format!("{own}:/usr/sbin:/usr/bin:/sbin:/bin"));
    create_own_etc(&env).then_some(env)
}

fn configure_machine(env: &TestEnv, arguments: &[&str]) -> Outcome {
    let mut command = with_own_etc(env, "docker-credential-icr");
    command.arg("configure").args(arguments);
    env.apply_to(&mut command);
    env.start_as(command, "").finish()
}

fn mode(env: &TestEnv, name: &str) -> u32 {
    let metadata = fs::metadata(env.path(name)).expect("the file exists");
    metadata.permissions().mode() & 0o777
}

#[test]
fn all_users_get_the_helper_and_undo_removes_it() {
    let Some(env) = machine() else { return };
    let outcome = configure_machine(&env, &FOR_US);
    succeeds(
        &outcome,
        &[
            "/etc/skel/.docker/config.json",
            "registries.conf.d/docker-credential-icr.conf: helper added for us.icr.io",
        ],
    );
    outcome.has(
        &outcome.stderr,
        &[
            "docker has no file for all users",
            "no /etc/containers/auth.json",
            "--system --undo",
        ],
    );
    for file in [SKELETON_OF_DOCKER, SKELETON_OF_PODMAN] {
        assert_eq!(content(&env, file), NEW);
    }
    assert!(
        content(&env, LIST)
            .ends_with("\ncredential-helpers = [\"icr\", \"containers-auth.json\"]\n")
    );
    // useradd copies the modes: only the user may read the files that can have passwords later.
    for (file, expected) in [
        (LIST, 0o644),
        ("etc/containers/registries.conf.d", 0o755),
        (SKELETON_OF_DOCKER, 0o600),
        ("etc/skel/.docker", 0o700),
        (RECORD, 0o600),
    ] {
        assert_eq!(mode(&env, file), expected, "{file}");
    }
    let again = configure_machine(&env, &FOR_US);
    succeeds(&again, &[".conf: already configured for us.icr.io"]);
    let undone = configure_machine(&env, &["--system", "--undo"]);
    succeeds(
        &undone,
        &[".conf: deleted", "skel/.docker/config.json: deleted"],
    );
    assert_eq!(undone.stderr, "");
    let directory = "etc/containers/registries.conf.d";
    for file in [directory, "etc/skel/.docker", "etc/skel/.config", RECORDS] {
        assert!(!env.path(file).exists(), "{file}");
    }
    succeeds(
        &configure_machine(&env, &["--system", "--undo"]),
        &["Nothing to undo"],
    );
    // A directory that was there before stays.
    fs::create_dir_all(env.path(directory)).expect("the test may change it");
    succeeds(&configure_machine(&env, &FOR_US), &[]);
    succeeds(&configure_machine(&env, &["--system", "--undo"]), &[]);
    assert!(env.path(directory).exists() && !env.path(LIST).exists());
    assert!(!env.path(RECORDS).exists());
}

#[test]
fn a_check_and_a_dry_run_change_nothing() {
    let Some(env) = machine() else { return };
    let check = [&FOR_US[..], &["--check"]].concat();
    let outcome = configure_machine(&env, &check);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    outcome.has(
        &outcome.stdout,
        &[
            ".conf: helper missing for us.icr.io",
            "skel/.docker/config.json: helper missing",
        ],
    );
    let dry_run = [&FOR_US[..], &["--dry-run"]].concat();
    succeeds(
        &configure_machine(&env, &dry_run),
        &[
            "+credential-helpers = [\"icr\", \"containers-auth.json\"]",
            "+\t\t\"us.icr.io\": \"icr\"",
        ],
    );
    assert_eq!(fs::read_dir(env.path("etc")).unwrap().count(), 1);
    assert_eq!(fs::read_dir(env.path("etc/skel")).unwrap().count(), 0);
    configure_machine(&env, &FOR_US);
    succeeds(&configure_machine(&env, &check), &[]);
    succeeds(
        &configure_machine(&env, &["--system", "--undo", "--dry-run"]),
        &["-credential-helpers = "],
    );
    assert!(env.path(LIST).exists());
}

#[test]
fn only_the_named_client_is_configured() {
    let Some(env) = machine() else { return };
    let arguments = [&["docker"], &FOR_US[..]].concat();
    let outcome = configure_machine(&env, &arguments);
    succeeds(
        &outcome,
        &["docker: /etc/skel/.docker/config.json: helper added"],
    );
    assert!(!outcome.stderr.contains("podman"), "{outcome:?}");
    assert!(!env.path("etc/containers").exists() && !env.path(SKELETON_OF_PODMAN).exists());
}

/// The user's variables, settings and home directory have no effect.
#[test]
fn files_of_root_and_its_record_are_not_touched() {
    let Some(mut env) = machine() else { return };
    for (variable, path) in [
        ("DOCKER_CONFIG", "docker"),
        ("REGISTRY_AUTH_FILE", "auth.json"),
    ] {
        env.set(variable, env.path(path));
    }
    succeeds(
        &configure_machine(&env, &FOR_US),
        &["/etc/skel/.docker/config.json"],
    );
    assert!(!env.path("docker").exists() && !env.path("auth.json").exists());
    succeeds(&configure_machine(&env, &["--undo"]), &["Nothing to undo"]);
    assert!(env.path(SKELETON_OF_DOCKER).exists());
}

#[test]
fn a_list_of_others_is_not_replaced() {
    let Some(env) = machine() else { return };
    let conf = "etc/containers/registries.conf";
    env.file(conf, "credential-helpers = [\"secretservice\"]\n");
    let outcome = configure_machine(&env, &FOR_US);
    outcome.is_user_error(&[
        "/etc/containers/registries.conf",
        "Nothing was changed",
        "Add \"icr\"",
    ]);
    assert!(!env.path(SKELETON_OF_DOCKER).exists() && !env.path(LIST).exists());
    env.file(conf, "credential-helpers = [\"secretservice\", \"icr\"]\n");
    succeeds(
        &configure_machine(&env, &FOR_US),
        &["registries.conf: already configured"],
    );
    assert!(!env.path(LIST).exists());
}

#[test]
fn a_list_that_was_changed_by_hand_is_not_deleted() {
    let Some(env) = machine() else { return };
    configure_machine(&env, &FOR_US);
    let text = content(&env, LIST) + "# mine\n";
    env.file(LIST, &text);
    let outcome = configure_machine(&env, &["--system", "--undo"]);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    outcome.has(
        &outcome.stderr,
        &[
            "was changed by hand",
            "hint: Delete it: 'rm /etc/containers",
        ],
    );
    assert_eq!(content(&env, LIST), text);
    assert!(
        !env.path(SKELETON_OF_DOCKER).exists(),
        "the others are undone"
    );
}

#[test]
fn what_all_users_need_is_checked_first() {
    let Some(env) = machine() else { return };
    for arguments in [&["--system"][..], &["--system", "--check"]] {
        configure_machine(&env, arguments)
            .is_user_error(&["needs the registries", "--registry us.icr.io"]);
    }
    set_mode(&env.path("bin"), 0o700);
    configure_machine(&env, &FOR_US).is_user_error(&["other users cannot start", "/usr/local/bin"]);
    let outcome = configure_machine(&env, &["--system", "--migrate"]);
    outcome.is_usage_error(&["--migrate"]);
    assert_eq!(fs::read_dir(env.path("etc")).unwrap().count(), 1);
}

#[test]
fn only_root_can_configure_all_users() {
    use std::os::unix::process::CommandExt as _;
    let Some(env) = machine() else { return };
    let is_root = nix::unistd::geteuid().is_root();
    let mut command = Command::new(env.path("bin/docker-credential-icr"));
    command.arg("configure").args(FOR_US);
    env.apply_to(&mut command);
    if is_root {
        command.uid(4711).gid(4711);
    }
    let outcome = env.start_as(command, "").finish();
    outcome.is_user_error(&[
        "only root can",
        "sudo docker-credential-icr configure --system",
    ]);
}
