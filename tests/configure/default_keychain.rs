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
    let path = format!("{}:/usr/bin:/bin", env.path("bin").display());
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
