//! Keychains for machines without a desktop, with stand-ins for `systemd-creds` and `pass`. `tests/end-to-end` has the real programs.
#![cfg(target_os = "linux")]

mod not_working;
mod pass;
#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::NOT_FOUND;
use support::Outcome;
use support::TestEnv;
use support::skipped;
use support::write_executable;

/// The built program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_docker-credential-icr");

const KEY: &str = "API-KEY-OF-A-SERVER-51d7";
const OTHER_KEY: &str = "API-KEY-OF-ANOTHER-PERSON-77aa";

/// Writes its arguments into `calls`. Its "encryption" puts the name and the key of the machine before the text and moves
/// letters. If `kill` has the number of this call, it kills the program that started it, after its work. With `refuses` or `endless`, it does not work.
const STAND_IN: &str = r#"#!/bin/sh
here=HERE
echo "$*" >>"$here/calls"
for argument; do case $argument in
    --name=*) name=${argument#--name=} ;;
    encrypt | decrypt) verb=$argument ;;
esac done
work() {
    if [ "$verb" = encrypt ]; then
        echo "$name $(cat "$here/key")"
    else
        read -r line
        [ "$line" = "$name $(cat "$here/key")" ] || { echo 'Decryption failed (incorrect key?)' >&2; return 1; }
    fi
    tr A-Za-z N-ZA-Mn-za-m
}
if [ -e "$here/refuses" ]; then echo 'Failed to determine local credential host secret: Read-only file system' >&2 && exit 1; fi
if [ -e "$here/endless" ]; then exec yes; fi
work || exit
if [ "$(cat "$here/kill" 2>/dev/null)" = "$(wc -l <"$here/calls" | tr -d ' ')" ]; then kill -KILL "$PPID"; fi
"#;

/// A server without a D-Bus session.
struct Server {
    env: TestEnv,
}

impl Server {
    fn new() -> Option<Self> {
        let mut env = TestEnv::with_keychain_named("auto")?;
        let bin = env.path("bin");
        fs::create_dir(&bin).expect("a new directory");
        let here = env.path("").display().to_string();
        let script = STAND_IN.replace("HERE", here.trim_end_matches('/'));
        write_executable(script.as_bytes(), &bin.join("systemd-creds"));
        set_mode(&bin, 0o700);
        let state = env.path("state");
        env.set("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .set("XDG_STATE_HOME", state);
        env.file("key", "1");
        env.add_api_key(KEY, "server");
        env.add_api_key(OTHER_KEY, "other");
        Some(Self { env })
    }

    fn select(&mut self, keychain: &str) -> &TestEnv {
        self.env.set("ICR_KEYCHAIN", keychain);
        &self.env
    }

    fn log_in(&mut self, keychain: &str, key: &str) {
        let env = self.select(keychain);
        env.store("us.icr.io", "iamapikey", key).is_silent_success();
    }

    /// Returns how often the stand-in ran.
    fn calls(&self) -> usize {
        let calls = fs::read_to_string(self.env.path("calls")).unwrap_or_default();
        calls.lines().count()
    }

    fn move_to(&self, keychain: &str) -> Outcome {
        self.env.run(&["keychain", "move", "--to", keychain], "")
    }

    /// Runs the program on a kernel without keyrings; `None` without Python.
    fn without_keyrings(&self, arguments: &[&str], input: &str) -> Option<Outcome> {
        const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/system_calls.py");
        let python = Path::new("/usr/bin/python3");
        if !python.exists() {
            skipped("it needs /usr/bin/python3");
            return None;
        }
        let mut command = Command::new(python);
        command.args([SCRIPT, "keyctl=1", PROGRAM]).args(arguments);
        self.env.apply_to(&mut command);
        Some(self.env.start_as(command, input).finish())
    }
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("our file");
}

#[test]
fn an_older_login_in_a_keychain_that_is_read_first_is_named() {
    let Some(mut server) = Server::new() else {
        return;
    };
    server.log_in("kernel", OTHER_KEY);
    let login = ["login", "us.icr.io", "--api-key-stdin", "--no-configure"];
    let outcome = server.select("systemd-creds").run(&login, KEY);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let warning = "warning: kernel keyring has another login for us.icr.io";
    outcome.has(
        &outcome.stderr,
        &[warning, "ICR_KEYCHAIN=kernel docker-credential-icr logout"],
    );
    server.select("kernel").run(&["logout", "us.icr.io"], "");
    let outcome = server.select("systemd-creds").run(&login, KEY);
    assert!(!outcome.stderr.contains("another login"), "{outcome:?}");
    assert_eq!(
        server.select("auto").get("us.icr.io").is_token_of(),
        "IBMid-server"
    );
}

#[test]
fn a_login_outlasts_a_reboot_and_no_file_has_a_secret_in_clear() {
    let Some(mut server) = Server::new() else {
        return;
    };
    let env = &server.env;
    let login = env.run(
        &["login", "us.icr.io", "--api-key-stdin", "--no-configure"],
        KEY,
    );
    assert_eq!(login.status, Some(0), "{login:?}");
    login.has(
        &login.stdout,
        &["Saved in an encrypted file (systemd-creds; kept until you log out"],
    );
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-server");
    // The reboot.
    env.keys().remove_all();
    assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-server");
    assert_eq!(env.files_with_secrets(), Vec::<std::path::PathBuf>::new());
    env.list().is_list(&[("us.icr.io", "iamapikey")]);
    let status = env.run(&["status", "--long"], "");
    status.has(&status.stdout, &["systemd-creds"]);
    let status = env.run(&["status", "--json"], "");
    status.has(&status.stdout, &["\"keychain\": \"systemd-creds\""]);
    let settings = env.run(&["settings"], "");
    settings.has(&settings.stdout, &["auto (now systemd-creds)"]);
    let doctor = env.run(&["doctor"], "");
    doctor.has(
        &doctor.stdout,
        &["logins are stored in an encrypted file (systemd-creds"],
    );
    let logout = server.select("auto").run(&["logout", "us.icr.io"], "");
    assert_eq!(logout.status, Some(0), "{logout:?}");
    assert!(
        !server
            .env
            .path("state/docker-credential-icr/keychain")
            .exists()
    );
}

#[test]
fn no_program_runs_if_there_is_no_login_or_a_cached_token() {
    let Some(mut server) = Server::new() else {
        return;
    };
    for keychain in ["auto", "systemd-creds", "pass"] {
        server.select(keychain).get("us.icr.io").is_not_found();
        server.env.list().is_list(&[]);
    }
    assert_eq!(server.calls(), 0);
    for keychain in ["auto", "systemd-creds"] {
        server.log_in(keychain, KEY);
        server.env.get("us.icr.io").is_credential("iambearer");
        let before = server.calls();
        for _ in 0..2 {
            server.env.get("us.icr.io").is_credential("iambearer");
        }
        assert_eq!(server.calls(), before, "{keychain}");
    }
}

#[test]
fn without_the_kernel_keyring_a_cached_token_takes_one_decryption() {
    let Some(mut server) = Server::new() else {
        return;
    };
    for keychain in ["auto", "systemd-creds"] {
        server.log_in(keychain, KEY);
        let get = |server: &Server| server.without_keyrings(&["get"], "us.icr.io");
        let Some(first) = get(&server) else { return };
        assert_eq!(first.status, Some(0), "{first:?}");
        let (before, exchanges) = (server.calls(), server.env.cloud.exchanges());
        let again = get(&server).expect("Python");
        assert_eq!(again.stdout, first.stdout);
        assert_eq!(server.calls(), before + 1, "{keychain}");
        assert_eq!(server.env.cloud.exchanges(), exchanges);
        let logout = server
            .without_keyrings(&["logout", "--all"], "")
            .expect("Python");
        assert_eq!(logout.status, Some(0), "{logout:?}");
        let state = server.env.path("state/docker-credential-icr/keychain");
        assert!(!state.exists(), "{keychain}");
    }
}

#[test]
fn a_login_made_under_one_keychain_is_found_under_auto() {
    let Some(mut server) = Server::new() else {
        return;
    };
    for keychain in ["kernel", "systemd-creds"] {
        server.log_in(keychain, KEY);
        let env = server.select("auto");
        assert_eq!(env.get("us.icr.io").is_token_of(), "IBMid-server");
        env.erase("us.icr.io").is_silent_success();
        env.get("us.icr.io").is_not_found();
        server.select(keychain).get("us.icr.io").is_not_found();
    }
}

#[test]
fn a_selected_keychain_returns_its_own_login_only() {
    let Some(mut server) = Server::new() else {
        return;
    };
    server.log_in("kernel", OTHER_KEY);
    server.log_in("systemd-creds", KEY);
    for _ in 0..2 {
        for (keychain, owner) in [("auto", "IBMid-other"), ("systemd-creds", "IBMid-server")] {
            let token = server.select(keychain).get("us.icr.io");
            assert_eq!(token.is_token_of(), owner, "{keychain}");
        }
    }
}

#[test]
fn a_backup_on_another_machine_does_not_decrypt_and_the_error_says_to_log_in_again() {
    let Some(mut server) = Server::new() else {
        return;
    };
    server.log_in("auto", KEY);
    server.env.file("key", "2");
    let parts = ["cannot decrypt it here", "logout us.icr.io", "log in again"];
    server.env.get("us.icr.io").is_client_error(&parts);
    let status = server.env.run(&["status"], "");
    status.has(&status.stdout, &parts);
    server.log_in("auto", KEY);
    server.env.get("us.icr.io").is_credential("iambearer");
}

#[test]
fn a_moved_login_is_found_in_the_other_keychain_only() {
    let Some(mut server) = Server::new() else {
        return;
    };
    server.log_in("kernel", KEY);
    server
        .select("systemd-creds")
        .get("us.icr.io")
        .is_not_found();
    server.select("auto");
    let dry_run = server.env.run(
        &["keychain", "move", "--to", "systemd-creds", "--dry-run"],
        "",
    );
    let text = "Would move the login for us.icr.io from kernel to systemd-creds\n";
    assert_eq!(
        (dry_run.status, &*dry_run.stdout),
        (Some(0), text),
        "{dry_run:?}"
    );
    assert_eq!(server.calls(), 0, "nothing is written");
    let moved = server.move_to("systemd-creds");
    let text = "Moved the login for us.icr.io from kernel to systemd-creds\n";
    assert_eq!((&*moved.stdout, &*moved.stderr), (text, ""), "{moved:?}");
    server.select("kernel").get("us.icr.io").is_not_found();
    server
        .select("systemd-creds")
        .get("us.icr.io")
        .is_credential("iambearer");
    let moved = server.move_to("kernel");
    moved.has(
        &moved.stderr,
        &["the settings select the keychain systemd-creds"],
    );
    server
        .select("kernel")
        .get("us.icr.io")
        .is_credential("iambearer");
    let moved = server.move_to("kernel");
    moved.has(&moved.stdout, &["No login is stored outside of kernel"]);
}

#[test]
fn different_logins_for_one_registry_are_not_moved() {
    let Some(mut server) = Server::new() else {
        return;
    };
    server.log_in("kernel", OTHER_KEY);
    server.log_in("systemd-creds", KEY);
    for keychain in ["systemd-creds", "kernel"] {
        let parts = [
            "kernel and systemd-creds have different ones",
            "ICR_KEYCHAIN=",
        ];
        server.move_to(keychain).is_user_error(&parts);
    }
    assert_eq!(
        server.select("kernel").get("us.icr.io").is_token_of(),
        "IBMid-other"
    );
    assert_eq!(
        server
            .select("systemd-creds")
            .get("us.icr.io")
            .is_token_of(),
        "IBMid-server"
    );
    let same = server
        .env
        .run(&["keychain", "move", "--from", "pass", "--to", "pass"], "");
    same.is_usage_error(&["same keychain"]);
}

#[test]
fn a_login_is_not_lost_when_its_move_is_killed_at_any_moment() {
    let Some(mut server) = Server::new() else {
        return;
    };
    for (from, to) in [("kernel", "systemd-creds"), ("systemd-creds", "kernel")] {
        server.log_in(from, KEY);
        let mut step = 0;
        loop {
            step += 1;
            let kill = (server.calls() + step).to_string();
            server.env.file("kill", &kill);
            server.select("auto");
            let outcome = server.move_to(to);
            fs::remove_file(server.env.path("kill")).expect("our file");
            server.env.keys().delete_tokens();
            let found = server.env.get("us.icr.io");
            assert_eq!(found.is_token_of(), "IBMid-server", "after call {step}");
            if outcome.status == Some(0) {
                break;
            }
            assert_eq!(outcome.status, None, "killed: {outcome:?}");
        }
        assert!(step > 1, "it was killed at least once");
        let end = server.select(from).get("us.icr.io");
        assert_eq!(end.stdout.trim_end(), NOT_FOUND);
        server.select("auto").erase("us.icr.io").is_silent_success();
    }
}

#[test]
fn a_program_that_others_can_replace_is_not_used() {
    let Some(mut server) = Server::new() else {
        return;
    };
    set_mode(&server.env.path("bin"), 0o777);
    server.log_in("auto", KEY);
    assert_eq!(server.calls(), 0);
    let doctor = server.env.run(&["doctor"], "");
    doctor.has(&doctor.stdout, &["Linux kernel keyring", "not safe to run"]);
    let outcome = server
        .select("systemd-creds")
        .store("de.icr.io", "iamapikey", KEY);
    outcome.is_client_error(&["not safe to run", "ICR_KEYCHAIN=auto"]);
}
