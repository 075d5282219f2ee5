//! Machines that are not tidy: homes that cannot be written, files that are mounted by themselves or generated, users without a
//! runtime directory.
#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

mod dead_file_systems;
mod denied_files;
mod obstacles;

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use support::DOCKER;
use support::Outcome;
use support::TestEnv;
use support::set_mode;
use support::skipped;

const USER: u32 = 4711;
const PROGRAM: &str = env!("CARGO_BIN_EXE_docker-credential-icr");
const CONFIGURE: [&str; 4] = ["configure", "docker", "--registry", "us.icr.io"];

/// Creates an environment for tests that need root, for other users or for mounts.
fn root_env() -> Option<TestEnv> {
    if !nix::unistd::Uid::effective().is_root() {
        skipped("it needs root");
        return None;
    }
    let env = TestEnv::with_environment_key();
    set_mode(&env.path(""), 0o755);
    support::copy_executable(PROGRAM, &env.path("docker-credential-icr"));
    Some(env)
}

/// Runs the program as a user without a name.
fn as_user(env: &TestEnv, arguments: &[&str]) -> Outcome {
    let mut command = Command::new(env.path("docker-credential-icr"));
    command.args(arguments);
    env.apply_to(&mut command);
    command.uid(USER).gid(USER);
    env.start_as(command, "us.icr.io").finish()
}

fn succeeds(outcome: &Outcome) {
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
}

/// Creates a directory of the user.
fn users_directory(env: &TestEnv, name: &str) {
    let path = env.path(name);
    fs::create_dir(&path).expect("the test may change it");
    set_mode(&path, 0o700);
    chown(&path, Some(USER), Some(USER)).expect("root may");
}

/// Runs the program on a kernel that answers some system calls differently: see
/// `support/system_calls.py`. Returns `None` without Python.
fn with_system_calls(
    env: &TestEnv,
    rules: &str,
    arguments: &[&str],
    input: &str,
) -> Option<Outcome> {
    const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/system_calls.py");
    let python = Path::new("/usr/bin/python3");
    if !python.exists() {
        skipped("it needs /usr/bin/python3");
        return None;
    }
    let mut command = Command::new(python);
    command.args([SCRIPT, rules, PROGRAM]).args(arguments);
    env.apply_to(&mut command);
    let outcome = env.start_as(command, input).finish();
    Some(Outcome {
        verb: arguments.concat(),
        address: input.to_owned(),
        ..outcome
    })
}

/// Runs the program after mounts in a namespace of its own.
fn with_mounts(env: &TestEnv, mounts: &str, arguments: &[&str]) -> Outcome {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c"]);
    command.arg(format!("{mounts} && exec \"$0\" \"$@\""));
    command.arg(PROGRAM).args(arguments);
    env.apply_to(&mut command);
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    env.start_as(command, "").finish()
}

#[test]
fn without_a_home_that_can_be_written_configure_works_without_a_record() {
    let Some(mut env) = root_env() else {
        return;
    };
    users_directory(&env, "workspace");
    env.unset("XDG_CACHE_HOME").unset("XDG_CONFIG_HOME");
    for (index, home) in [
        Some("/"),
        Some("/nonexistent"),
        Some("/dev/null"),
        Some("/root"),
        None,
    ]
    .into_iter()
    .enumerate()
    {
        match home {
            Some(home) => env.set("HOME", home),
            None => env.unset("HOME"),
        };
        let config = format!("workspace/{index}");
        env.set("DOCKER_CONFIG", env.path(&config));
        as_user(&env, &["get"]).is_credential("iambearer");
        let outcome = as_user(&env, &CONFIGURE);
        succeeds(&outcome);
        let warning = "'configure --undo' will not know of it";
        outcome.has(&outcome.stderr, &[warning, "set XDG_STATE_HOME"]);
        let written = fs::read_to_string(env.path(&config).join("config.json"));
        assert!(written.is_ok_and(|text| text.contains("icr")), "{home:?}");
    }
    env.set("XDG_STATE_HOME", env.path("workspace/state"));
    env.set("DOCKER_CONFIG", env.path("workspace/recorded"));
    let outcome = as_user(&env, &CONFIGURE);
    succeeds(&outcome);
    assert!(!outcome.stderr.contains("--undo"), "{}", outcome.stderr);
    succeeds(&as_user(&env, &["configure", "--undo"]));
    assert!(!env.path("workspace/recorded").exists());
}

#[test]
fn without_any_directory_to_write_to_the_error_names_the_variable() {
    let Some(mut env) = root_env() else {
        return;
    };
    let runtime = env.path("");
    env.set("HOME", "/").set("XDG_RUNTIME_DIR", runtime);
    env.unset("XDG_CACHE_HOME").unset("XDG_CONFIG_HOME");
    as_user(&env, &CONFIGURE).is_user_error(&["/.docker", "Set DOCKER_CONFIG"]);
    let podman = ["configure", "podman", "--registry", "us.icr.io"];
    as_user(&env, &podman).is_user_error(&["belongs to another user", "REGISTRY_AUTH_FILE"]);
}

#[test]
fn a_file_that_is_mounted_by_itself_is_written_in_place() {
    let Some(env) = root_env() else {
        return;
    };
    let mounted = env.file("mounted.json", "{\"auths\": {}}\n");
    env.file(DOCKER, "");
    let source = mounted.display();
    let target = env.path(DOCKER);
    let mounts = format!("mount --bind {source} {}", target.display());
    succeeds(&with_mounts(&env, &mounts, &CONFIGURE));
    let text = fs::read_to_string(&mounted).expect("it exists");
    assert!(text.contains("\"us.icr.io\""), "{text}");
    succeeds(&with_mounts(&env, &mounts, &["configure", "--undo"]));
    let text = fs::read_to_string(&mounted).expect("it exists");
    assert_eq!(text, "{\"auths\": {}}\n");
    let read_only = format!("{mounts} && mount -o remount,bind,ro {}", target.display());
    let outcome = with_mounts(&env, &read_only, &CONFIGURE);
    outcome.is_user_error(&["it is mounted read-only", "set DOCKER_CONFIG"]);
    assert_eq!(fs::read_to_string(&mounted).expect("it exists"), text);
    let temporary = format!("mount -t tmpfs -o ro none {}", env.path("home").display());
    let outcome = with_mounts(&env, &temporary, &CONFIGURE);
    outcome.is_user_error(&["Read-only file system", "Set DOCKER_CONFIG"]);
}

#[test]
fn a_generated_file_is_not_changed_and_its_tool_is_named() {
    let env = TestEnv::with_environment_key();
    for (path, tool) in [
        (
            "nix/store/0a-home-manager-files/config.json",
            "home-manager",
        ),
        ("run/secrets/docker.json", "sops-nix"),
    ] {
        let generated = env.file(path, "{}");
        let link = env.path(DOCKER);
        fs::create_dir_all(link.parent().expect("a directory")).expect("the test may");
        let _ = fs::remove_file(&link);
        symlink(&generated, &link).expect("the test may");
        for mode in [0o444, 0o644] {
            set_mode(&generated, mode);
            let outcome = env.run(&CONFIGURE, "");
            outcome.is_user_error(&[tool, path, "configure --dry-run"]);
            assert!(!outcome.stderr.contains("chmod"), "{}", outcome.stderr);
            assert_eq!(fs::read_to_string(&generated).expect("it exists"), "{}");
        }
    }
}

#[test]
fn without_a_runtime_directory_podman_is_configured_where_it_looks() {
    let Some(mut env) = root_env() else {
        return;
    };
    users_directory(&env, "tmp");
    users_directory(&env, "users-home");
    let [home, temporary] = ["users-home", "tmp"].map(|name| env.path(name));
    env.set("HOME", home).set("TMPDIR", temporary);
    env.unset("XDG_RUNTIME_DIR")
        .unset("XDG_CACHE_HOME")
        .unset("XDG_CONFIG_HOME");
    let podman = ["configure", "podman", "--registry", "us.icr.io"];
    let outcome = as_user(&env, &podman);
    succeeds(&outcome);
    assert_eq!(outcome.stderr, "");
    let files =
        ["storage-run", "podman-run"].map(|name| format!("tmp/{name}-{USER}/containers/auth.json"));
    let lasting = "users-home/.config/containers/auth.json".to_owned();
    for file in files.iter().chain([&lasting]) {
        let text = fs::read_to_string(env.path(file)).expect("it was created");
        assert!(text.contains("icr"), "{file}");
    }
    succeeds(&as_user(&env, &["configure", "--undo"]));
    assert_eq!(
        fs::read_dir(env.path("tmp")).expect("it is ours").count(),
        0
    );
    succeeds(&as_user(&env, &podman));
    let key = "PODMAN-KEY-IN-TMP-0d41";
    env.add_secret(key);
    for file in &files {
        use base64::Engine as _;
        let auth = base64::engine::general_purpose::STANDARD.encode(format!("iamapikey:{key}"));
        let text = format!("{{\"auths\": {{\"us.icr.io\": {{\"auth\": \"{auth}\"}}}}}}");
        fs::write(env.path(file), text).expect("it is there");
        let outcome = as_user(&env, &["doctor"]);
        outcome.has(&outcome.stdout, &[file, "passwords"]);
        fs::write(env.path(file), "{}").expect("it is there");
    }
    set_mode(&env.path("tmp").join(format!("storage-run-{USER}")), 0o777);
    let outcome = as_user(&env, &podman);
    succeeds(&outcome);
    assert!(
        !outcome.stdout.contains("storage-run"),
        "podman does not use it"
    );
    // A container's user whose home directory belongs to root.
    let home = env.path("roots-home");
    fs::create_dir(&home).expect("it is ours");
    set_mode(&home, 0o755);
    env.set("HOME", home);
    let outcome = as_user(&env, &podman);
    succeeds(&outcome);
    outcome.has(
        &outcome.stderr,
        &[
            "podman has the helper until your session ends",
            "set REGISTRY_AUTH_FILE to its path",
        ],
    );
}

#[test]
fn where_locks_never_return_the_program_goes_on_without_them() {
    let env = TestEnv::with_environment_key();
    env.file(DOCKER, "{}");
    let run = |arguments: &[&str]| {
        let outcome = with_system_calls(&env, "flock=hang", arguments, "us.icr.io")?;
        assert!(outcome.took < Duration::from_secs(6), "{outcome:?}");
        Some(outcome)
    };
    let Some(outcome) = run(&["get"]) else {
        return;
    };
    outcome.is_credential("iambearer");
    for arguments in [&CONFIGURE[..], &["configure", "--undo"]] {
        run(arguments).inspect(succeeds);
    }
    let doctor = run(&["doctor"]).expect("it ran before");
    doctor.has(
        &doctor.stdout,
        &["locking a file does not return", "set XDG_CACHE_HOME"],
    );
}

#[test]
fn without_persistent_keyrings_the_user_keyring_stores_logins_and_tokens() {
    // Linux, errno.h: EPERM, EINVAL, ENOSYS, EOPNOTSUPP.
    for number in ["1", "22", "38", "95"] {
        let Some(env) = TestEnv::with_keychain() else {
            return;
        };
        let rules = format!("persistent={number}");
        let key = "USER-KEYRING-API-KEY-4be1";
        env.add_api_key(key, "user-keyring");
        let run =
            |arguments: &[&str], input: &str| with_system_calls(&env, &rules, arguments, input);
        let login = format!(
            "{{\"ServerURL\": \"us.icr.io\", \"Username\": \"iamapikey\", \"Secret\": \"{key}\"}}"
        );
        let Some(outcome) = run(&["store"], &login) else {
            return;
        };
        outcome.is_silent_success();
        for _ in 0..2 {
            let outcome = run(&["get"], "us.icr.io").expect("it ran before");
            outcome.is_credential("iambearer");
        }
        assert_eq!(env.cloud.requests().len(), 1, "the token is cached");
        let doctor = run(&["doctor"], "").expect("it ran before");
        let place = "lost at reboot; this kernel has no persistent keyrings";
        doctor.has(&doctor.stdout, &[place]);
        run(&["logout", "--all"], "").inspect(succeeds);
        run(&["get"], "us.icr.io")
            .expect("it ran before")
            .is_not_found();
    }
}

#[test]
fn cached_tokens_leave_a_part_of_the_users_keys_to_other_programs() {
    let Some(mut env) = root_env().and_then(|_| TestEnv::with_keychain()) else {
        return;
    };
    set_mode(&env.path(""), 0o755);
    support::copy_executable(PROGRAM, &env.path("docker-credential-icr"));
    env.set("HOME", "/nonexistent");
    for variable in ["XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"] {
        env.unset(variable);
    }
    let keys: Vec<String> = (0..12)
        .map(|index| format!("QUOTA-API-KEY-{index:02}-c9f1"))
        .collect();
    for key in &keys {
        env.add_api_key(key, key);
        env.set("IBMCLOUD_API_KEY", key);
        as_user(&env, &["get"]).is_credential("iambearer");
        let users = fs::read_to_string("/proc/key-users").expect("a kernel with keys");
        let line = users
            .lines()
            .find_map(|line| line.trim().strip_prefix("4711:"));
        let bytes = line.and_then(|line| line.split_whitespace().last()?.split_once('/'));
        let (used, max) = bytes.expect("the user has keys");
        let [used, max] = [used, max].map(|number| number.parse::<u64>().expect("a number"));
        assert!(used * 4 <= max * 3, "{used} of {max} bytes after {key}");
    }
    let requests = env.cloud.requests().len();
    as_user(&env, &["get"]).is_credential("iambearer");
    assert_eq!(
        env.cloud.requests().len(),
        requests,
        "the newest token is cached"
    );
    succeeds(&as_user(&env, &["logout", "--all"]));
}

#[test]
fn a_secret_service_that_answers_nonsense_is_not_used_and_doctor_reports_it() {
    let programs = ["dbus-run-session", "dbus-test-tool", "gdbus"];
    let is_missing = |name: &&str| !Path::new("/usr/bin").join(name).exists();
    if let Some(missing) = programs.into_iter().find(is_missing) {
        skipped(&format!("it needs {missing}"));
        return;
    }
    let Some(mut env) = TestEnv::with_keychain_named("auto") else {
        return;
    };
    let state = env.path("state");
    env.set("PATH", "/usr/bin:/bin")
        .set("XDG_STATE_HOME", state);
    let key = "NONSENSE-API-KEY-b8e2";
    env.add_api_key(key, "nonsense");
    // Answers each call with an empty message.
    let script = "dbus-test-tool echo --name=org.freedesktop.secrets & \
        gdbus wait --session --timeout 10 org.freedesktop.secrets; \"$0\" \"$@\"; status=$?; kill $!; exit $status";
    let run = |arguments: &[&str], input: &str| {
        let mut command = Command::new("/usr/bin/dbus-run-session");
        command
            .args(["--", "sh", "-c", script, PROGRAM])
            .args(arguments);
        env.apply_to(&mut command);
        let outcome = env.start_as(command, input).finish();
        Outcome {
            verb: arguments.concat(),
            address: input.to_owned(),
            ..outcome
        }
    };
    let login = format!(
        "{{\"ServerURL\": \"us.icr.io\", \"Username\": \"iamapikey\", \"Secret\": \"{key}\"}}"
    );
    // The bus daemon writes to stderr, too.
    succeeds(&run(&["store"], &login));
    let outcome = run(&["get"], "us.icr.io");
    succeeds(&outcome);
    outcome.has(&outcome.stdout, &["iambearer"]);
    let doctor = run(&["doctor"], "");
    let reason = "cannot be used: it answered org.freedesktop.DBus.Error";
    doctor.has(
        &doctor.stdout,
        &[reason, "so another keychain stores logins"],
    );
    succeeds(&run(&["logout", "--all"], ""));
}
