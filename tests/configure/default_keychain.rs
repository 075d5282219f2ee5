//! What `configure docker` says about the keychain that docker used before.

use super::*;
use crate::support::write_executable;

const LOST: &str = "Docker will stop using its default keychain";

/// Creates an environment in which docker finds this helper for the system's keychain.
fn env_with_helper(file: &str, script: &str) -> TestEnv {
    let mut env = docker_env(file);
    fs::create_dir(env.path("bin")).expect("the test may change it");
    let program = env.path("bin/docker-credential-secretservice");
    write_executable(script.as_bytes(), &program);
    // Other directories may have other helpers.
    let path = env.path("bin");
    env.set("PATH", path);
    env
}

#[test]
fn the_end_of_the_default_keychain_is_reported_only_where_the_file_changes() {
    let env = env_with_helper("{}", "#!/bin/sh\necho '{}'\n");
    let add = ["docker", "--registry", "us.icr.io"];
    let dry = configure(&env, &[&add[..], &["--dry-run"]].concat());
    succeeds(&dry, &[]);
    dry.has(&dry.stderr, &[LOST]);
    set_mode(&env.path(DOCKER), 0o400);
    let outcome = configure(&env, &add);
    outcome.is_user_error(&["read-only"]);
    assert!(!outcome.stderr.contains(LOST), "{outcome:?}");
    set_mode(&env.path(DOCKER), 0o600);
    let outcome = configure(&env, &add);
    succeeds(&outcome, &["helper added"]);
    outcome.has(&outcome.stderr, &[LOST]);
    let outcome = configure(&env, &add);
    succeeds(&outcome, &["already configured"]);
    assert!(!outcome.stderr.contains(LOST), "{outcome:?}");
}

#[test]
fn a_login_that_stays_in_dockers_keychain_is_reported_without_reading_it() {
    let list = r#"{"https://us.icr.io":"iamapikey","docker.io":"me","de.icr.io":"iamapikey"}"#;
    for (file, name) in [
        ("{}", "docker's default"),
        ("{\"credsStore\": \"secretservice\"}", "credsStore"),
    ] {
        let env = env_with_helper("{}", "");
        let asked = env.path("asked");
        let script = format!(
            "#!/bin/sh\necho \"$1\" >> {}\n[ \"$1\" = list ] && echo '{list}'\n",
            asked.display()
        );
        let program = env.path("bin/docker-credential-secretservice");
        fs::remove_file(&program).expect("the test may change it");
        write_executable(script.as_bytes(), &program);
        env.file(DOCKER, file);
        let add = ["docker", "--registry", "us.icr.io"];
        let has = "docker-credential-secretservice has a login for https://us.icr.io";
        let dry = configure(&env, &[&add[..], &["--dry-run"]].concat());
        dry.has(
            &dry.stderr,
            &[has, "'docker logout https://us.icr.io' before"],
        );
        let outcome = configure(&env, &add);
        succeeds(&outcome, &["helper added"]);
        let fix = "run 'echo https://us.icr.io | docker-credential-secretservice erase'";
        outcome.has(&outcome.stderr, &[has, fix]);
        assert!(!outcome.stderr.contains("de.icr.io"), "{name}: {outcome:?}");
        let again = configure(&env, &add);
        assert!(!again.stderr.contains(has), "{name}: {again:?}");
        assert_eq!(content(&env, "asked"), "list\nlist\n");
    }
}

#[test]
fn a_keychain_helper_that_fails_or_is_unknown_stops_nothing() {
    for (file, script) in [
        ("{\"credsStore\": \"secretservice\"}", "#!/bin/sh\nexit 1\n"),
        (
            "{\"credsStore\": \"secretservice\"}",
            "#!/bin/sh\necho nonsense\n",
        ),
        ("{\"credsStore\": \"../x\"}", "#!/bin/sh\nexit 1\n"),
        ("{\"credsStore\": \"pass\"}", "#!/bin/sh\nexit 1\n"),
    ] {
        let env = env_with_helper(file, script);
        let outcome = configure(&env, &["docker", "--registry", "us.icr.io"]);
        succeeds(&outcome, &["helper added"]);
        assert!(!outcome.stderr.contains("has a login"), "{outcome:?}");
    }
}
