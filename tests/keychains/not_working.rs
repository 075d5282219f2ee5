//! Keychains that exist, but do not work.

use std::fs;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::KEY;
use super::OTHER_KEY;
use super::Server;
use super::TestEnv;
use super::set_mode;

/// A way in which systemd-creds does not work, and the parts of the warning: the reason and the fix.
type Broken = (&'static str, fn(&TestEnv), [&'static str; 2]);

fn broken_keychains() -> [Broken; 3] {
    [
        (
            "it cannot encrypt",
            |env| drop(env.file("refuses", "")),
            [
                "Read-only file system",
                "Make sure that /var/lib/systemd is writable",
            ],
        ),
        (
            "its directory cannot be created",
            |env| drop(env.file("state", "")),
            ["cannot write", "Make sure that this user can write there"],
        ),
        (
            "others can replace it",
            |env| set_mode(&env.path("bin"), 0o777),
            [
                "not safe to run",
                "Make sure that only you and root can change it",
            ],
        ),
    ]
}

#[test]
fn login_warns_of_a_keychain_that_does_not_work_and_doctor_shows_it() {
    for (what, break_it, parts) in broken_keychains() {
        let Some(server) = Server::new() else { return };
        let env = &server.env;
        break_it(env);
        let login = ["login", "us.icr.io", "--api-key-stdin", "--no-configure"];
        let outcome = env.run(&login, KEY);
        assert_eq!(outcome.status, Some(0), "{what}: {outcome:?}");
        outcome.has(&outcome.stdout, &["Saved in the Linux kernel keyring"]);
        outcome.has(&outcome.stderr, &["warning: systemd-creds was not used: "]);
        outcome.has(&outcome.stderr, &parts);
        assert_eq!(outcome.stderr.lines().count(), 1, "{what}: {outcome:?}");
        let outcome = env.run(&[&login[..], &["--json", "--yes"]].concat(), OTHER_KEY);
        outcome.has(&outcome.stdout, &["\"systemd-creds was not used: "]);
        let doctor = env.run(&["doctor"], "");
        doctor.has(
            &doctor.stdout,
            &["not used (systemd-creds): ", parts[0], parts[1]],
        );
    }
}

#[test]
fn store_is_silent_about_a_keychain_that_does_not_work_and_logs_it() {
    for (what, break_it, parts) in broken_keychains() {
        let Some(mut server) = Server::new() else {
            return;
        };
        break_it(&server.env);
        server.log_in("auto", KEY);
        let log = server.env.path("log");
        server.env.set("ICR_LOG", "warn").set("ICR_LOG_FILE", &log);
        server.log_in("auto", OTHER_KEY);
        let log = fs::read_to_string(log).expect(what);
        let expected = ["the keychain does not work", "systemd-creds", parts[0]];
        assert!(
            expected.iter().all(|part| log.contains(part)),
            "{what}: {log}"
        );
    }
}

#[test]
fn a_moved_password_warns_of_a_keychain_that_does_not_work() {
    let Some(server) = Server::new() else { return };
    let auth = BASE64_STANDARD.encode(format!("iamapikey:{KEY}"));
    let auths = format!(r#"{{"auths":{{"us.icr.io":{{"auth":"{auth}"}}}}}}"#);
    server.env.file("home/.docker/config.json", &auths);
    server.env.file("refuses", "");
    let arguments = ["configure", "--migrate"];
    let outcome = server.env.run(&arguments, "");
    outcome.has(
        &outcome.stderr,
        &[
            "warning: systemd-creds was not used: ",
            "Moved the password",
        ],
    );
}

#[test]
fn login_is_silent_about_a_keychain_that_is_not_installed() {
    let Some(server) = Server::new() else { return };
    fs::remove_file(server.env.path("bin/systemd-creds")).expect("our file");
    let mut command =
        server
            .env
            .command(&["login", "us.icr.io", "--api-key-stdin", "--no-configure"]);
    command.env("PATH", server.env.path("bin"));
    let outcome = server.env.start_as(command, KEY).finish();
    assert_eq!(
        (outcome.status, &*outcome.stderr),
        (Some(0), ""),
        "{outcome:?}"
    );
    outcome.has(&outcome.stdout, &["Saved in the Linux kernel keyring"]);
}

#[test]
fn a_keychain_that_does_not_answer_is_not_taken_for_one_that_is_missing() {
    let Some(server) = Server::new() else { return };
    // It writes too much, which counts as no answer and needs no wait.
    server.env.file("endless", "");
    let outcome = server.env.store("us.icr.io", "iamapikey", KEY);
    outcome.is_client_error(&["systemd-creds did not answer in time", "ICR_KEYCHAIN"]);
    server.env.get("us.icr.io").is_not_found();
}
