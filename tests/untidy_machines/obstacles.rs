//! What is in the way of a client's file, apart from owners and modes: something else at its path, flags of the file system, no
//! space.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use crate::CONFIGURE;
use crate::root_env;
use crate::succeeds;
use crate::support::DOCKER;
use crate::support::TestEnv;
use crate::support::skipped;
use crate::with_mounts;

const DIRECTORY: &str = "home/.docker";

/// A flag that is removed when it is dropped, because the file cannot be deleted until then.
struct Flag<'a> {
    letter: char,
    path: &'a Path,
}

impl<'a> Flag<'a> {
    /// Returns `None` where this user or the file system cannot set it.
    fn set(letter: char, path: &'a Path) -> Option<Self> {
        let is_set = chattr('+', letter, path);
        if !is_set {
            skipped("chattr does not work here");
        }
        is_set.then_some(Self { letter, path })
    }
}

impl Drop for Flag<'_> {
    fn drop(&mut self) {
        chattr('-', self.letter, self.path);
    }
}

fn chattr(sign: char, letter: char, path: &Path) -> bool {
    let mut command = Command::new("chattr");
    let outcome = command.arg(format!("{sign}{letter}")).arg(path).output();
    outcome.is_ok_and(|output| output.status.success())
}

fn env_with_docker() -> TestEnv {
    let env = TestEnv::with_environment_key();
    fs::create_dir(env.path(DIRECTORY)).expect("the test may change it");
    env.file(DOCKER, "{}");
    env
}

#[test]
fn a_flag_that_not_even_root_may_ignore_is_named_with_the_command_that_removes_it() {
    for (letter, what) in [('i', "immutable"), ('a', "append-only")] {
        for name in [DOCKER, DIRECTORY] {
            let env = env_with_docker();
            let path = env.path(name);
            let Some(flag) = Flag::set(letter, &path) else {
                return;
            };
            let shown = path.display();
            env.run(&CONFIGURE, "").is_user_error(&[
                "config.json was not changed: ",
                &format!("{shown} is {what} (chattr +{letter})"),
                &format!("hint: Run 'sudo chattr -{letter} {shown}'"),
            ]);
            drop(flag);
            succeeds(&env.run(&CONFIGURE, ""));
        }
    }
}

#[test]
fn a_file_with_hard_links_that_is_immutable_is_named_as_well() {
    let env = env_with_docker();
    fs::hard_link(env.path(DOCKER), env.path("home/dotfile")).expect("the same file system");
    let path = env.path(DOCKER);
    let Some(_flag) = Flag::set('i', &path) else {
        return;
    };
    env.run(&CONFIGURE, "")
        .is_user_error(&["is immutable (chattr +i)", "sudo chattr -i "]);
}

#[test]
fn what_is_in_the_place_of_dockers_directory_is_named() {
    type Make = fn(&Path);
    let cases: [(&str, Make); 4] = [
        (".docker is a file, not a directory", |path| {
            fs::write(path, "").expect("the test may change it");
        }),
        (".docker leads back to itself", |path| {
            symlink(".docker", path).expect("a link");
        }),
        (".docker is a named pipe, not a directory", |path| {
            nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        }),
        (".docker is a socket, not a directory", |path| {
            drop(UnixListener::bind(path).expect("a short path"));
        }),
    ];
    for (reason, make) in cases {
        let env = TestEnv::with_environment_key();
        let path = env.path(DIRECTORY);
        make(&path);
        let shown = path.display();
        let way_out = if reason.contains("itself") {
            format!("Remove the link: rm {shown}")
        } else {
            format!("Rename it: mv {shown} {shown}.old")
        };
        let outcome = env.run(&CONFIGURE, "");
        outcome.is_user_error(&["config.json was not changed: ", reason]);
        outcome.has(&outcome.stderr, &[&format!("hint: {way_out}")]);
        let doctor = env.run(&["doctor"], "");
        doctor.has(&doctor.stdout, &[reason, &format!("fix: {way_out}")]);
        assert!(!doctor.stdout.contains("os error"), "{}", doctor.stdout);
    }
}

#[test]
fn what_is_in_the_place_of_dockers_file_is_named() {
    let env = env_with_docker();
    let path = env.path(DOCKER);
    let shown = path.display();
    fs::remove_file(&path).expect("the test may change it");
    symlink("config.json", &path).expect("a link");
    let link = format!("the symbolic link {shown} leads back to itself");
    env.run(&CONFIGURE, "")
        .is_user_error(&[&link, "Remove the link: rm "]);
    fs::remove_file(&path).expect("the test may change it");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let pipe = "it is a named pipe, not a regular file";
    let way_out = format!("Remove it: rm {shown}");
    env.run(&CONFIGURE, "").is_user_error(&[pipe, &way_out]);
    let doctor = env.run(&["doctor"], "");
    doctor.has(&doctor.stdout, &[pipe, &way_out]);
}

#[test]
fn a_device_in_a_variable_is_named_and_means_no_settings() {
    let mut env = env_with_docker();
    env.set("ICR_CONFIG", "/dev/null");
    env.get("us.icr.io").is_credential("iambearer");
    succeeds(&env.run(&["settings"], ""));
    let podman = ["configure", "podman", "--registry", "us.icr.io"];
    for (variable, needed, arguments) in [
        ("DOCKER_CONFIG", "an empty directory", CONFIGURE),
        ("REGISTRY_AUTH_FILE", "a new file", podman),
    ] {
        env.set(variable, "/dev/null");
        let parts = [
            format!("${variable} has to be a "),
            "but /dev/null is a device".to_owned(),
            format!("Unset {variable}, or set it to {needed}"),
        ];
        let parts = parts.each_ref().map(|part| &**part);
        env.run(&arguments, "").is_user_error(&parts);
        let doctor = env.run(&["doctor"], "");
        doctor.has(&doctor.stdout, &parts);
        env.unset(variable);
    }
    env.set("HOME", "/dev/null");
    let outcome = env.run(&CONFIGURE, "");
    outcome.is_user_error(&["/dev/null is a device", "Set HOME"]);
    assert!(!outcome.stderr.contains("mv "), "{outcome:?}");
}

#[test]
fn a_full_file_system_is_named() {
    let Some(env) = root_env() else {
        return;
    };
    fs::create_dir(env.path(DIRECTORY)).expect("the test may change it");
    let directory = env.path(DIRECTORY);
    let directory = directory.display();
    for (limit, fill) in [
        (
            "size=8k",
            "{ cat /dev/zero > DIR/filler 2>/dev/null; true; }",
        ),
        ("nr_inodes=2", "true"),
    ] {
        let fill = fill.replace("DIR", &directory.to_string());
        let mounts = format!(
            "mount -t tmpfs -o {limit} none {directory} && echo '{{}}' > {directory}/config.json && {fill}"
        );
        let outcome = with_mounts(&env, &mounts, &CONFIGURE);
        let full = format!("the file system of {directory} is full");
        let hint = format!("hint: Free some space or inodes: 'df -h {directory}'");
        outcome.is_user_error(&[&full, &hint]);
    }
}

#[test]
fn on_a_read_only_file_system_doctor_says_what_leads_out() {
    let Some(mut env) = root_env() else {
        return;
    };
    env.set("XDG_CACHE_HOME", env.path("home/.cache"));
    let mounts = format!("mount -t tmpfs -o ro none {}", env.path("home").display());
    let outcome = with_mounts(&env, &mounts, &["doctor"]);
    outcome.has(
        &outcome.stdout,
        &[
            "Read-only file system",
            "fix: Set XDG_CACHE_HOME to a directory on a file system that can be written",
        ],
    );
}
