//! Files that this user may not read, as `sudo` leaves them.

use std::fs;
use std::os::unix::fs::chown;

use crate::CONFIGURE;
use crate::USER;
use crate::as_user;
use crate::root_env;
use crate::support::TestEnv;
use crate::support::set_mode;
use crate::users_directory;

/// Creates an environment whose home is the user's.
fn users_env() -> Option<TestEnv> {
    let mut env = root_env()?;
    for (variable, directory) in [
        ("HOME", "users-home"),
        ("XDG_CONFIG_HOME", "users-home/.config"),
        ("XDG_CACHE_HOME", "users-home/.cache"),
        ("XDG_RUNTIME_DIR", "users-home/.runtime"),
    ] {
        users_directory(&env, directory);
        let path = env.path(directory);
        env.set(variable, path);
    }
    Some(env)
}

/// Creates a file of root in a directory of the user.
fn roots_file(env: &TestEnv, name: &str, text: &str) -> String {
    let path = env.file(name, text);
    let directory = path.parent().expect("a directory");
    chown(directory, Some(USER), Some(USER)).expect("root may");
    path.display().to_string()
}

#[test]
fn the_owner_of_a_clients_file_that_cannot_be_read_is_named() {
    let Some(env) = users_env() else {
        return;
    };
    for (client, name) in [
        ("docker", "users-home/.docker/config.json"),
        ("podman", "users-home/.runtime/containers/auth.json"),
        ("regctl", "users-home/.regctl/config.json"),
    ] {
        let path = roots_file(&env, name, "{}");
        let parts = [
            &*path,
            "it belongs to root and has the mode 0600",
            &format!("sudo chown {USER} {path}"),
        ];
        let configure = ["configure", client, "--registry", "us.icr.io"];
        let outcome = as_user(&env, &configure);
        outcome.is_user_error(&parts);
        outcome.has(&outcome.stderr, &["was not changed", "hint: "]);
        let doctor = as_user(&env, &["doctor"]);
        doctor.has(&doctor.stdout, &parts);
        doctor.has(&doctor.stdout, &["cannot read"]);
        assert_eq!(
            doctor.stdout.matches("sudo chown").count(),
            1,
            "{}",
            doctor.stdout
        );
        let status = as_user(&env, &["status"]);
        status.has(&status.stdout, &[&path, "it belongs to root"]);
        fs::remove_file(path).expect("root may");
    }
}

#[test]
fn a_directory_of_root_is_named_instead_of_the_file_in_it() {
    let Some(env) = users_env() else {
        return;
    };
    let path = roots_file(&env, "users-home/.docker/config.json", "{}");
    let directory = env.path("users-home/.docker");
    chown(&directory, Some(0), Some(0)).expect("root may");
    let directory = directory.display().to_string();
    let fix = format!("sudo chown -R {USER} {directory}");
    let reason = format!("the directory {directory} belongs to root and has the mode 0700");
    as_user(&env, &CONFIGURE).is_user_error(&[&path, &reason, &fix]);
    set_mode(&env.path("users-home/.docker"), 0o755);
    fs::remove_file(path).expect("root may");
    as_user(&env, &CONFIGURE).is_user_error(&["cannot create a file in ", &fix]);
}

#[test]
fn a_file_of_the_user_without_the_right_to_read_it_has_a_chmod_as_its_fix() {
    let Some(env) = users_env() else {
        return;
    };
    let path = roots_file(&env, "users-home/.docker/config.json", "{}");
    chown(&path, Some(USER), Some(USER)).expect("root may");
    set_mode(path.as_ref(), 0o200);
    let fix = format!("chmod u+r {path}");
    as_user(&env, &CONFIGURE).is_user_error(&["it has the mode 0200", &fix]);
}

#[test]
fn the_owner_of_other_files_that_cannot_be_read_is_named() {
    let Some(mut env) = users_env() else {
        return;
    };
    let settings = "users-home/.config/docker-credential-icr/config.toml";
    let path = roots_file(&env, settings, "keychain = \"none\"\n");
    let fix = format!("sudo chown {USER} {path}");
    let parts = [&*path, "it belongs to root and has the mode 0600", &fix];
    as_user(&env, &["get"]).is_client_error(&parts);
    let doctor = as_user(&env, &["doctor"]);
    doctor.has(&doctor.stdout, &parts);
    fs::remove_file(path).expect("root may");
    let path = roots_file(&env, "users-home/log/icr.log", "");
    let fix = format!("sudo chown {USER} {path}");
    env.set("ICR_LOG_FILE", &path);
    let outcome = as_user(&env, &["get"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let reason = "it belongs to root and has the mode 0600";
    outcome.has(&outcome.stderr, &["no log is written", &path, reason, &fix]);
    env.unset("ICR_LOG_FILE").unset("IBMCLOUD_API_KEY");
    for name in [
        "users-home/.bluemix/config.json",
        "users-home/ibm-credentials.env",
    ] {
        let path = roots_file(&env, name, "{}");
        let fix = format!("sudo chown {USER} {path}");
        as_user(&env, &["get"]).is_client_error(&[&path, reason, &fix]);
        fs::remove_file(path).expect("root may");
    }
}

#[test]
fn a_file_outside_of_the_users_directories_is_not_given_to_the_user() {
    let Some(mut env) = users_env() else {
        return;
    };
    let path = env.file("system/auth.json", "{}");
    set_mode(&env.path("system"), 0o755);
    env.set("REGISTRY_AUTH_FILE", &path);
    let outcome = as_user(&env, &["configure", "podman", "--registry", "us.icr.io"]);
    outcome.is_user_error(&["it belongs to root", "Run the command as root"]);
    assert!(!outcome.stderr.contains("chown"), "{}", outcome.stderr);
    assert_eq!(fs::read_to_string(&path).expect("it is there"), "{}");
}

#[test]
fn a_group_with_the_users_number_that_only_a_directory_service_knows_may_write() {
    let Some(env) = users_env() else {
        return;
    };
    let name = "users-home/.config/docker-credential-icr/config.toml";
    let path = roots_file(&env, name, "keychain = \"none\"\n");
    let directory = path
        .rsplit_once('/')
        .map(|(directory, _)| directory.to_owned());
    let give_to = |group: u32| {
        for (path, mode) in [
            (path.clone(), 0o664),
            (directory.clone().expect("a directory"), 0o775),
        ] {
            chown(&path, Some(USER), Some(group)).expect("root may");
            set_mode(path.as_ref(), mode);
        }
    };
    give_to(USER);
    as_user(&env, &["get"]).is_credential("iambearer");
    give_to(USER + 1);
    as_user(&env, &["get"]).is_client_error(&["others can write to it (mode 0664)"]);
}
