//! The log file: who can read it, how large it gets, and what is in its place.

use super::*;

#[test]
fn the_log_file_needs_one_variable_and_does_not_change_the_streams() {
    let mut env = TestEnv::with_environment_key();
    env.get("us.icr.io").is_token_of();
    assert!(!env.path("log").exists());
    let path = env.path("log");
    env.set("ICR_LOG_FILE", path);
    // This check also fails if stderr is not empty.
    env.get("us.icr.io").is_token_of();
    assert!(log(&env).contains("DEBUG"));
    let before = log(&env).len();
    env.set("ICR_LOG", "error");
    env.get("us.icr.io").is_token_of();
    assert_eq!(log(&env).len(), before, "the level holds for both");
    env.cloud.script([Fault::Status(400)]);
    let outcome = env.get("us.icr.io");
    assert!(outcome.stderr.contains("ERROR"), "{outcome:?}");
    assert!(log(&env)[before..].contains("ERROR"));
}

#[test]
fn parallel_processes_write_whole_lines() {
    let mut env = TestEnv::with_environment_key();
    let path = env.path("log");
    env.set("ICR_LOG_FILE", path).set("ICR_LOG", "trace");
    in_parallel(20, |_| env.get("us.icr.io").is_token_of());
    let log = log(&env);
    let runs = log.lines().filter(|line| line.ends_with(": done")).count();
    assert_eq!(runs, 20, "{log}");
    for line in log.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert!(words[0].ends_with('Z') && words[0].len() > 20, "{line}");
        assert!(["TRACE", "DEBUG", "INFO", "WARN", "ERROR"].contains(&words[1]));
    }
}

#[cfg(unix)]
#[test]
fn the_log_file_is_private_and_its_size_is_limited() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let mut env = TestEnv::with_environment_key();
    let path = env.path("log");
    env.set("ICR_LOG_FILE", &path);
    env.get("us.icr.io").is_token_of();
    assert_eq!(mode(&path), 0o600);
    fs::write(&path, "x".repeat(1024 * 1024)).unwrap();
    set_mode(&path, 0o644);
    env.get("us.icr.io").is_token_of();
    let older = env.path("log.1");
    assert_eq!(mode(&path), 0o600);
    assert!(fs::metadata(&path).unwrap().len() < 64 * 1024);
    assert_eq!(fs::metadata(&older).unwrap().len(), 1024 * 1024);
    fs::write(&path, "x".repeat(1024 * 1024)).unwrap();
    env.get("us.icr.io").is_token_of();
    let files = fs::read_dir(path.parent().unwrap()).unwrap().flatten();
    let logs = files.filter(|file| file.file_name().to_string_lossy().starts_with("log"));
    assert_eq!(logs.count(), 2, "and no third");
}

/// Checks that nothing is written to a log file that is not regular or belongs to another user, and that the reason is shown.
#[cfg(unix)]
#[track_caller]
fn is_refused(env: &mut TestEnv, path: &Path, reason: &str) {
    env.set("ICR_LOG_FILE", path);
    let outcome = env.get("us.icr.io");
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
    outcome.has(&outcome.stderr, &["no log is written", reason]);
}

#[cfg(unix)]
#[test]
fn the_target_of_a_link_is_not_changed() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut env = TestEnv::with_environment_key();
    let target = env.file("target", "precious\n");
    set_mode(&target, 0o644);
    let names = ["link", "hard-link", "dangling"].map(|name| env.path(name));
    std::os::unix::fs::symlink(&target, &names[0]).expect("the test may change it");
    std::os::unix::fs::symlink(env.path("missing"), &names[2]).expect("the test may change it");
    is_refused(&mut env, &names[0], "a link");
    is_refused(&mut env, &names[2], "a link");
    fs::hard_link(&target, &names[1]).expect("the test may change it");
    is_refused(&mut env, &names[1], "another name");
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious\n");
    let mode = fs::metadata(&target).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    assert!(!env.path("missing").exists());
}

#[cfg(unix)]
#[test]
fn a_log_file_of_another_user_is_not_changed() {
    let mut env = TestEnv::with_environment_key();
    let path = env.file("theirs", "");
    set_mode(&path, 0o666);
    // Only root can change the owner; other users get a device instead.
    let path = match std::os::unix::fs::chown(&path, Some(4711), None) {
        Ok(()) => path,
        Err(_) => "/dev/null".into(),
    };
    let reason = if path.ends_with("null") {
        "not a regular file"
    } else {
        "belongs to another user (number 4711)"
    };
    is_refused(&mut env, &path, reason);
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
}

#[test]
fn a_log_that_cannot_be_written_does_not_prevent_an_answer() {
    let mut env = TestEnv::with_environment_key();
    let missing = env.path("missing/log");
    let directory = env.path("home");
    for path in [Path::new("log"), &missing, &directory] {
        env.set("ICR_LOG_FILE", path);
        let outcome = env.get("us.icr.io");
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        assert!(outcome.stdout.contains("iambearer"), "{outcome:?}");
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
        assert!(outcome.stderr.contains("$ICR_LOG_FILE"), "{outcome:?}");
    }
    env.add_secret(ENVIRONMENT_KEY);
}
