//! What `configure --undo` removes and keeps.

use super::*;

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
    assert_eq!(outcome.stderr, "");
    for file in [DOCKER, PODMAN, PODMAN_LASTING] {
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
        crate::support::PODMAN_DIRECTORY,
        "config/containers",
        "home/mine",
        "home/docker",
    ] {
        assert!(!env.path(path).exists(), "{path}");
    }
}

/// The system deletes podman's file in the runtime directory at the end of a session.
#[cfg(target_os = "linux")]
#[test]
fn after_a_reboot_podman_has_the_helper_and_undo_names_only_what_it_removes() {
    let env = TestEnv::with_environment_key();
    let podman = ["podman", "--registry", "us.icr.io"];
    succeeds(&configure(&env, &podman), &["helper added"]);
    fs::remove_dir_all(env.path(PODMAN_DIRECTORY)).expect("the test may change it");
    let status = env.run(&["status", "us.icr.io"], support::Input::Open);
    succeeds(&status, &["podman"]);
    // 'podman login' writes the other file.
    let checked = configure(&env, &["podman", "--registry", "us.icr.io", "--check"]);
    assert_eq!(checked.status, Some(1), "{checked:?}");
    assert_eq!(checked.stdout.lines().count(), 1, "{checked:?}");
    checked.has(
        &checked.stdout,
        &["runtime/containers/auth.json: helper missing"],
    );
    let undone = configure(&env, &["--undo"]);
    succeeds(&undone, &["config/containers/auth.json: deleted"]);
    assert_eq!(undone.stdout.lines().count(), 1, "{undone:?}");
    assert!(!env.path(PODMAN_LASTING).exists());
    succeeds(&configure(&env, &["--undo"]), &["Nothing to undo"]);
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
fn a_change_that_cannot_be_recorded_is_made_with_a_warning() {
    let env = docker_env("{}");
    let run = || configure(&env, &["--registry", "us.icr.io"]);
    let state = crate::support::DATA;
    env.file(state, "no directory");
    let outcome = run();
    succeeds(&outcome, &["helper added"]);
    let warning = "warning: cannot record the change, so 'configure --undo' will not know of it";
    outcome.has(&outcome.stderr, &[warning]);
    env.file(DOCKER, "{}");
    fs::remove_file(env.path(state)).expect("the test may change it");
    set_mode(&env.path(DOCKER), 0o400);
    #[cfg(unix)]
    {
        let record = format!("{state}/configured.json");
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
    let by_hand = "config.json still has the helper for us.icr.io, which the record of 'configure' does not have. Remove it there by hand";
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
fn a_damaged_record_is_set_aside_and_does_not_stop_configure() {
    let before =
        "{\n  \"credHelpers\": {\n    \"x.io\": \"x\",\n    \"de.icr.io\": \"icr\"\n  }\n}\n";
    let env = docker_env(before);
    let record = format!("{}/configured.json", crate::support::DATA);
    for (number, text) in ["{ damaged", "", "[1]", "{\"v\": 9, \"steps\": []}"]
        .iter()
        .enumerate()
    {
        env.file(DOCKER, before);
        env.file(&record, text);
        let outcome = configure(&env, &["docker", "--registry", "us.icr.io"]);
        succeeds(&outcome, &["helper added for us.icr.io"]);
        let name = match number {
            0 => "configured.json.damaged".to_owned(),
            number => format!("configured.json.damaged-{}", number + 1),
        };
        let warning = format!("{name}. '--undo' can still remove this helper by the names");
        outcome.has(&outcome.stderr, &["warning: the record ", &warning]);
        assert_eq!(
            content(&env, &format!("{}/{name}", crate::support::DATA)),
            *text
        );
        succeeds(&configure(&env, &["--undo"]), &["helper removed for"]);
        assert_eq!(
            content(&env, DOCKER),
            "{\n  \"credHelpers\": {\n    \"x.io\": \"x\"\n  }\n}\n"
        );
    }
}

#[test]
fn undo_with_a_damaged_record_removes_entries_by_name() {
    let text = "{\"credHelpers\": {\"us.icr.io\": \"icr\"}}";
    let env = docker_env(text);
    let record = format!("{}/configured.json", crate::support::DATA);
    env.file(&record, "{");
    let dry = configure(&env, &["--undo", "--dry-run"]);
    succeeds(&dry, &["us.icr.io"]);
    assert_eq!(content(&env, &record), "{", "a dry run renames nothing");
    assert_eq!(content(&env, DOCKER), text);
    let outcome = configure(&env, &["--undo"]);
    succeeds(&outcome, &["helper removed for us.icr.io"]);
    outcome.has(&outcome.stderr, &["configured.json.damaged. "]);
    assert_eq!(content(&env, DOCKER), "{}");
    assert_eq!(content(&env, &format!("{record}.damaged")), "{");
}

#[test]
fn undo_knows_a_file_by_another_path_to_it() {
    let mut env = docker_env("{}");
    let plain = env.path("home/.docker").display().to_string();
    for spelling in ["/../.docker/", "//", "/./."] {
        let other = format!("{plain}{spelling}");
        for (configured, undone) in [(&plain, &other), (&other, &plain)] {
            env.set("DOCKER_CONFIG", configured);
            succeeds(
                &configure(&env, &["docker", "--registry", "us.icr.io"]),
                &["helper added"],
            );
            env.set("DOCKER_CONFIG", undone);
            let outcome = configure(&env, &["--undo"]);
            succeeds(&outcome, &["helper removed"]);
            assert_eq!(outcome.stderr, "");
            assert_eq!(content(&env, DOCKER), "{}");
        }
    }
}

/// As on Fedora Silverblue, where `/home` is a link to `/var/home`.
#[cfg(unix)]
#[test]
fn undo_knows_a_file_whose_home_is_reached_through_a_link() {
    let mut env = TestEnv::new();
    std::os::unix::fs::symlink("home", env.path("link")).expect("a link");
    let (home, link) = (env.path("home"), env.path("link"));
    for (first, second) in [(&link, &home), (&home, &link)] {
        env.set("HOME", first.clone());
        succeeds(
            &configure(&env, &["docker", "--registry", "us.icr.io"]),
            &["helper added"],
        );
        env.set("HOME", second.clone());
        succeeds(
            &configure(&env, &["docker", "--registry", "de.icr.io"]),
            &[],
        );
        let outcome = configure(&env, &["--undo"]);
        succeeds(&outcome, &["deleted (it was created by this program)"]);
        assert_eq!(outcome.stderr, "");
        assert!(!env.path("home/.docker").exists());
    }
}
