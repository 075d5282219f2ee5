//! Root runs the program with a user's `HOME`, as with `sudo -E`, `su -m` and on macOS.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::chown;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use serde_json::json;

use support::DOCKER;
use support::Outcome;
use support::TestEnv;
use support::set_mode;
use support::skipped;

const USER: u32 = 4711;
const OTHER_USER: u32 = 4712;
const KEY: &str = "ROOT-IN-A-HOME-API-KEY-77d0";
const RECORD: &str = "home/.local/state/docker-credential-icr/configured.json";
const FOLDERS: [&str; 4] = ["home", "cache", "config", "runtime"];

/// Creates an environment whose home directory belongs to a user. Returns `None` if the tests do not run as root.
fn test_env() -> Option<TestEnv> {
    if !nix::unistd::Uid::effective().is_root() {
        skipped("only root can act for two users");
        return None;
    }
    let mut env = TestEnv::new();
    env.add_api_key(KEY, "user");
    set_mode(&env.path(""), 0o755);
    for folder in FOLDERS {
        set_mode(&env.path(folder), 0o700);
        chown(env.path(folder), Some(USER), Some(USER)).expect("root may");
    }
    for (variable, folder) in [
        ("XDG_CACHE_HOME", "home/.cache"),
        ("XDG_CONFIG_HOME", "home/.config"),
    ] {
        env.set(variable, env.path(folder));
    }
    Some(env)
}

/// Writes a file of the user.
fn users_file(env: &TestEnv, name: &str, text: &str) -> PathBuf {
    let path = env.file(name, text);
    give_to_user(env, name);
    path
}

/// Makes the user the owner of a path in the home directory and of the directories above it.
fn give_to_user(env: &TestEnv, name: &str) {
    let path = env.path(name);
    let home = env.path("home");
    for path in path.ancestors().take_while(|path| path.starts_with(&home)) {
        chown(path, Some(USER), Some(USER)).expect("root may");
    }
}

fn root(env: &TestEnv, arguments: &[&str]) -> Outcome {
    env.run(arguments, "us.icr.io")
}

/// Runs a copy of the program as the user, who may have no access to the build directory.
fn user(env: &TestEnv, arguments: &[&str]) -> Outcome {
    let program = env.path("docker-credential-icr");
    if !program.exists() {
        support::copy_executable(env!("CARGO_BIN_EXE_docker-credential-icr"), &program);
    }
    let mut command = std::process::Command::new(program);
    command.args(arguments);
    env.apply_to(&mut command);
    command.uid(USER).gid(USER);
    env.start_as(command, "us.icr.io").finish()
}

/// Returns all paths below a directory that belong to root.
fn of_root(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("it is a directory") {
        let path = entry.expect("it can be read").path();
        let metadata = path.symlink_metadata().expect("the file exists");
        if metadata.uid() == 0 {
            found.push(path.clone());
        }
        if metadata.is_dir() {
            found.extend(of_root(&path));
        }
    }
    found
}

/// Returns a record for `--undo` with one change.
fn record(path: &Path, at: usize, text: &str, before: &str) -> String {
    json!({"v": 1, "steps": [{
        "client": "docker", "path": path, "hosts": [["us.icr.io", null]], "made_helpers": true, "made_file": false,
        "made_directories": [], "pieces": [{"at": at, "text": text, "before": before}],
    }]})
    .to_string()
}

#[test]
fn an_undo_by_root_changes_only_what_the_owner_of_the_record_may_change() {
    let Some(mut env) = test_env() else {
        return;
    };
    let text = "{\"hosts\": []}";
    let forged = |path: &Path| record(path, 11, "", "\"tcp://0.0.0.0:2375\"");
    for name in ["etc/daemon.json", "etc/config.json"] {
        let path = env.file(name, text);
        set_mode(&path, 0o644);
        users_file(&env, RECORD, &forged(&path));
        root(&env, &["configure", "--undo"]).is_user_error(&[
            "was not changed",
            "clients do not read it now",
            "by hand",
        ]);
        assert_eq!(fs::read_to_string(&path).expect("the file exists"), text);
    }
    // Now clients read the file, but it belongs to root and not to the owner of the record.
    let path = env.path("etc/config.json");
    env.set("DOCKER_CONFIG", env.path("etc"));
    root(&env, &["configure", "--undo"]).is_user_error(&["was not changed", "may not change it"]);
    assert_eq!(fs::read_to_string(&path).expect("the file exists"), text);
    // The user's own file, a link to root's.
    env.unset("DOCKER_CONFIG");
    users_file(&env, DOCKER, "");
    fs::remove_file(env.path(DOCKER)).expect("the file exists");
    symlink(&path, env.path(DOCKER)).expect("root may");
    users_file(&env, RECORD, &forged(&env.path(DOCKER)));
    root(&env, &["configure", "--undo"]).is_user_error(&["was not changed"]);
    assert_eq!(fs::read_to_string(&path).expect("the file exists"), text);
    let metadata = path.metadata().expect("the file exists");
    assert_eq!((metadata.uid(), metadata.mode() & 0o777), (0, 0o644));
}

#[test]
fn an_undo_rejects_a_record_that_others_can_change() {
    let Some(env) = test_env() else {
        return;
    };
    let text = "{\"credHelpers\": {\"us.icr.io\": \"icr\"}}";
    users_file(&env, DOCKER, text);
    let path = users_file(&env, RECORD, &record(&env.path(DOCKER), 0, "", " "));
    let folder = path.parent().expect("it is in a directory").to_owned();
    for (place, mode) in [(&path, 0o666), (&folder, 0o777)] {
        set_mode(place, mode);
        root(&env, &["configure", "--undo"]).is_user_error(&["others can write", "chmod go-w"]);
        user(&env, &["configure", "--undo"]).is_user_error(&["others can write", "chmod go-w"]);
        set_mode(place, 0o700);
    }
    chown(&path, Some(OTHER_USER), Some(OTHER_USER)).expect("root may");
    set_mode(&path, 0o644);
    let outcome = root(&env, &["configure", "--undo"]);
    outcome.is_user_error(&["belongs to another user (number 4712)", "sudo chown 4711"]);
    assert_eq!(
        fs::read_to_string(env.path(DOCKER)).expect("the file exists"),
        text
    );
}

#[test]
fn the_user_can_undo_what_root_configured() {
    let Some(env) = test_env() else {
        return;
    };
    users_file(&env, DOCKER, "{}");
    for configure in [root, user] {
        for undo in [root, user] {
            let outcome = configure(&env, &["configure", "docker", "--registry", "us.icr.io"]);
            assert_eq!(outcome.status, Some(0), "{outcome:?}");
            let outcome = undo(&env, &["configure", "--undo"]);
            assert_eq!(outcome.status, Some(0), "{outcome:?}");
            assert_eq!(
                fs::read_to_string(env.path(DOCKER)).expect("the file exists"),
                "{}"
            );
        }
    }
}

/// The user replaces each new version of the client's file with a link to root's file.
#[test]
fn a_link_in_place_of_a_new_version_does_not_change_roots_file() {
    let Some(env) = test_env() else {
        return;
    };
    let victim = env.file("etc/victim", "of root");
    set_mode(&env.path("etc"), 0o755);
    let folder = env.path("home/.docker");
    users_file(&env, DOCKER, "{}");
    let ends = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ends.load(Ordering::Relaxed) {
                let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
                let is_new = |entry: &fs::DirEntry| {
                    let name = entry.file_name();
                    let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
                    is_file
                        && name
                            .to_string_lossy()
                            .starts_with(".docker-credential-icr-")
                };
                let entries: Vec<_> = entries.filter(is_new).collect();
                for entry in entries {
                    let _ = fs::remove_file(entry.path());
                    let _ = symlink(&victim, entry.path());
                }
            }
        });
        // An implementation that sets attributes by path fails in about five of these attempts.
        for _ in 0..150 {
            let _ = fs::remove_file(env.path(DOCKER));
            let _ = fs::remove_file(env.path(RECORD));
            users_file(&env, DOCKER, "{}");
            let arguments = ["configure", "docker", "--registry", "us.icr.io"];
            root(&env, &arguments);
        }
        ends.store(true, Ordering::Relaxed);
    });
    let metadata = victim.metadata().expect("the file exists");
    assert_eq!((metadata.uid(), metadata.mode() & 0o777), (0, 0o600));
    assert_eq!(
        fs::read_to_string(&victim).expect("the file exists"),
        "of root"
    );
}

#[test]
fn a_file_of_root_in_the_users_directory_is_not_replaced_before_the_user_owns_it() {
    let Some(env) = test_env() else {
        return;
    };
    let path = users_file(&env, DOCKER, "{}");
    chown(&path, Some(0), Some(0)).expect("root may");
    set_mode(&path, 0o644);
    let configure = || root(&env, &["configure", "docker", "--registry", "us.icr.io"]);
    let outcome = configure();
    outcome.is_user_error(&[
        "replacing it would change its owner (0:0)",
        "sudo chown 4711:4711 ",
    ]);
    assert!(!outcome.stderr.contains("chown 0"), "{outcome:?}");
    give_to_user(&env, DOCKER);
    assert_eq!(configure().status, Some(0));
}

#[test]
fn files_that_root_creates_stay_usable_for_the_user() {
    let Some(mut env) = test_env() else {
        return;
    };
    env.set("IBMCLOUD_API_KEY", KEY);
    let log = env.path("home/log");
    users_file(&env, DOCKER, "{}");
    users_file(
        &env,
        "home/.config/docker-credential-icr/config.toml",
        "deadline = 15\n",
    );
    env.set("ICR_LOG_FILE", &log);
    root(&env, &["get"]).is_credential("iambearer");
    for arguments in [
        &["configure", "docker", "--registry", "us.icr.io"][..],
        &["doctor"],
        &["status"],
    ] {
        root(&env, arguments);
    }
    let left = of_root(&env.path("home"));
    assert!(left.is_empty(), "{left:?}");
    env.unset("ICR_LOG_FILE").set("ICR_LOG", "debug");
    let outcome = user(&env, &["get"]);
    outcome.is_credential("iambearer");
    assert!(!outcome.stderr.contains("without a lock"), "{outcome:?}");
    assert_eq!(user(&env, &["configure", "--undo"]).status, Some(0));
}

/// Versions before 0.1 left such files.
#[test]
fn files_of_root_are_reported_with_the_command_that_changes_their_owner() {
    let Some(mut env) = test_env() else {
        return;
    };
    env.set("IBMCLOUD_API_KEY", KEY);
    users_file(&env, DOCKER, "{}");
    users_file(&env, RECORD, "{\"v\": 1, \"steps\": []}");
    env.file(
        "home/.cache/docker-credential-icr/locks/identity-00.lock",
        "",
    );
    give_to_user(&env, "home/.cache");
    let folder = env.path("home/.cache/docker-credential-icr");
    chown(env.path(RECORD), Some(0), Some(0)).expect("root may");
    let commands = [
        format!("sudo chown -R 4711 {}", folder.display()),
        format!("sudo chown -R 4711 {}", env.path(RECORD).display()),
    ];
    for run in [root, user] {
        let outcome = run(&env, &["doctor"]);
        outcome.has(
            &outcome.stdout,
            &["cannot take locks", &commands[0], &commands[1]],
        );
        let outcome = run(&env, &["configure", "docker", "--registry", "us.icr.io"]);
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        let warning = "'configure --undo' will not know of it";
        outcome.has(&outcome.stderr, &[warning, &commands[1]]);
        fs::write(env.path(DOCKER), "{}").expect("the test may change it");
        assert!(!outcome.stderr.contains("chown 0"), "{outcome:?}");
        run(&env, &["get"]).is_credential("iambearer");
    }
    for command in commands {
        let command = command.trim_start_matches("sudo ");
        let status = std::process::Command::new("sh")
            .args(["-c", command])
            .status();
        assert!(status.expect("a shell").success());
    }
    let outcome = user(&env, &["doctor"]);
    outcome.has(&outcome.stdout, &["no locks held"]);
    assert!(!outcome.stdout.contains("chown"), "{outcome:?}");
    assert_eq!(
        user(&env, &["configure", "docker", "--registry", "us.icr.io"]).status,
        Some(0)
    );
}

#[test]
fn root_reads_settings_of_the_owner_of_the_home_directory_but_of_no_other_user() {
    let Some(mut env) = test_env() else {
        return;
    };
    env.set("IBMCLOUD_API_KEY", KEY);
    let path = users_file(
        &env,
        "home/.config/docker-credential-icr/config.toml",
        "deadline = 15\n",
    );
    let shown = || root(&env, &["settings"]);
    let outcome = shown();
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    // A file of root that the user can read.
    chown(&path, Some(0), Some(0)).expect("root may");
    set_mode(&path, 0o644);
    assert_eq!(shown().status, Some(0));
    // A file that the user cannot read, and a file of another user.
    set_mode(&path, 0o600);
    let outcome = shown();
    outcome.is_user_error(&["cannot be read"]);
    assert!(!outcome.stderr.contains("chown 0"), "{outcome:?}");
    chown(&path, Some(OTHER_USER), Some(OTHER_USER)).expect("root may");
    set_mode(&path, 0o644);
    shown().is_user_error(&["another user (number 4712)", "sudo chown 4711 "]);
    // With root's own home directory, root does not use the user's file, and no hint changes its owner.
    give_to_user(&env, "home/.config/docker-credential-icr/config.toml");
    let folder = env.path("root");
    fs::create_dir(&folder).expect("it is root's");
    env.set("HOME", folder);
    let outcome = root(&env, &["settings"]);
    outcome.is_user_error(&[
        "another user (number 4711)",
        "set HOME to the home of its owner",
    ]);
    assert!(!outcome.stderr.contains("chown"), "{outcome:?}");
}

#[test]
fn root_follows_no_link_to_files_that_the_user_may_not_change() {
    for (link, target) in [
        ("home/.docker", "etc"),
        ("home/.docker/config.json", "etc/config.json"),
        ("home/.docker/config.json", "etc/new.json"),
        ("home/.local", "etc"),
        ("home/.cache", "etc"),
        ("home/.cache/docker-credential-icr", "etc"),
        ("home/log", "etc/log"),
        ("home/log", "etc/config.json"),
    ] {
        let Some(mut env) = test_env() else {
            return;
        };
        let log = env.path("home/log");
        env.set("IBMCLOUD_API_KEY", KEY).set("ICR_LOG_FILE", log);
        let text = "{\"credsStore\": \"roots\"}";
        let victim = env.file("etc/config.json", text);
        set_mode(&victim, 0o644);
        set_mode(&env.path("etc"), 0o755);
        let path = users_file(&env, link, "");
        fs::remove_file(&path).expect("the file exists");
        symlink(env.path(target), &path).expect("root may");
        std::os::unix::fs::lchown(&path, Some(USER), Some(USER)).expect("root may");
        root(&env, &["configure", "docker", "--registry", "us.icr.io"]);
        root(&env, &["configure", "--undo"]);
        assert_eq!(root(&env, &["get"]).status, Some(0), "{link}");
        root(&env, &["doctor"]);
        assert_eq!(
            fs::read_to_string(&victim).expect("the file exists"),
            text,
            "{link}"
        );
        let metadata = victim.metadata().expect("the file exists");
        assert_eq!(
            (metadata.uid(), metadata.mode() & 0o777),
            (0, 0o644),
            "{link}"
        );
        let count = fs::read_dir(env.path("etc"))
            .expect("the file exists")
            .count();
        assert_eq!(count, 1, "{link}: nothing was created there");
    }
}

/// Without the variables of `sudo`, and with other variables than `HOME` for the user's directories.
#[test]
fn no_file_of_root_stays_in_the_users_directories_whichever_variable_names_them() {
    let Some(mut env) = test_env() else {
        return;
    };
    users_file(&env, DOCKER, "{}");
    let own = env.path("root");
    fs::create_dir(&own).expect("it is root's");
    env.set("HOME", &own).set("IBMCLOUD_API_KEY", KEY);
    env.set("XDG_CONFIG_HOME", env.path("home/.config"));
    env.set("DOCKER_CONFIG", env.path("home/.docker"));
    env.set("ICR_LOG_FILE", env.path("home/log"));
    env.set("XDG_STATE_HOME", env.path("home/.local/state"));
    root(&env, &["get"]).is_credential("iambearer");
    let configured = root(&env, &["configure", "--registry", "us.icr.io"]);
    assert_eq!(configured.status, Some(0), "{configured:?}");
    for folder in ["home", "runtime"] {
        let left = of_root(&env.path(folder));
        assert!(left.is_empty(), "{left:?}");
    }
    assert_eq!(root(&env, &["configure", "--undo"]).status, Some(0));
    assert_eq!(
        fs::read_to_string(env.path(DOCKER)).expect("the file exists"),
        "{}"
    );
}
