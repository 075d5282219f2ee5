//! Pipes without a writer, and links, in place of files that the program opens.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use support::Outcome;
use support::TestEnv;
use support::set_mode;

/// Much less than the deadline of `get`, and more than the timeout of a Secret Service.
const SOON: Duration = Duration::from_secs(5);

const LOCKS: &str = "cache/docker-credential-icr/locks";

fn make_pipe(path: &Path) {
    let _ = fs::remove_file(path);
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.expect("coreutils").success());
}

/// Makes a file so old that the mark for a silent bus has expired.
fn make_old(path: &Path) {
    let made = Command::new("touch")
        .args(["-d", "1 hour ago"])
        .arg(path)
        .status();
    assert!(made.expect("coreutils").success());
}

#[track_caller]
fn ends_soon(outcome: &Outcome) {
    assert!(outcome.took < SOON, "{outcome:?}");
}

/// Returns the paths of all locks of identities.
fn locks(env: &TestEnv) -> Vec<PathBuf> {
    let folder = env.path(LOCKS);
    fs::create_dir_all(&folder).expect("the test may change it");
    let name = |number| folder.join(format!("identity-{number:02x}.lock"));
    (0..256).map(name).collect()
}

#[test]
fn a_pipe_in_place_of_a_lock_only_disables_the_lock() {
    let env = TestEnv::with_environment_key();
    let made = Command::new("mkfifo").args(locks(&env)).status();
    assert!(made.expect("coreutils").success());
    let outcome = env.get("us.icr.io");
    outcome.is_credential("iambearer");
    ends_soon(&outcome);
    ends_soon(&env.run(&["doctor"], ""));
}

#[test]
fn a_link_in_place_of_a_lock_is_not_followed() {
    for name in ["victim", "missing"] {
        let env = TestEnv::with_environment_key();
        let victim = env.file("victim", "text");
        set_mode(&victim, 0o644);
        for lock in locks(&env) {
            symlink(env.path(name), lock).expect("the test may change it");
        }
        env.get("us.icr.io").is_credential("iambearer");
        assert_eq!(
            fs::read_to_string(&victim).expect("the file exists"),
            "text"
        );
        let mode = victim.metadata().expect("the file exists").mode() & 0o777;
        assert_eq!(mode, 0o644, "it is not even closed to others");
        let missing = env.path("missing");
        assert!(!missing.exists(), "nothing is created behind a link");
    }
}

#[test]
fn directories_are_private_with_any_umask() {
    let env = TestEnv::with_environment_key();
    let mut command = Command::new("sh");
    command.args(["-c", "umask 0; exec \"$0\" get"]);
    command.arg(env!("CARGO_BIN_EXE_docker-credential-icr"));
    env.apply_to(&mut command);
    let outcome = env.start_as(command, "us.icr.io").finish();
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let mode = |name: &str| env.path(name).metadata().expect("the file exists").mode() & 0o777;
    let own = "cache/docker-credential-icr";
    assert_eq!([mode(own), mode(LOCKS)], [0o700, 0o700]);
    // Also those that an earlier version created.
    for name in [own, LOCKS] {
        set_mode(&env.path(name), 0o777);
    }
    env.get("us.icr.io").is_credential("iambearer");
    assert_eq!([mode(own), mode(LOCKS)], [0o700, 0o700]);
}

/// The mark for a silent bus is a file beside the locks.
#[test]
fn a_file_in_place_of_the_mark_for_a_silent_bus_is_not_changed() {
    let mut env = TestEnv::with_environment_key();
    let socket = env.path("bus");
    let _listener = UnixListener::bind(&socket).expect("the path is short");
    let address = format!("unix:path={}", socket.display());
    env.set("ICR_KEYCHAIN", "secret-service");
    env.set("DBUS_SESSION_BUS_ADDRESS", address);
    let get = || {
        let outcome = env.get("us.icr.io");
        outcome.is_credential("iambearer");
        ends_soon(&outcome);
    };
    get();
    let folder = env.path("cache/docker-credential-icr");
    let entries = fs::read_dir(&folder).expect("the file exists").flatten();
    let mark = entries
        .map(|entry| entry.path())
        .find(|path| path.display().to_string().contains("hung"))
        .expect("the bus hung");
    make_pipe(&mark);
    make_old(&mark);
    get();
    let victim = env.file("victim", "text");
    make_old(&victim);
    fs::remove_file(&mark).expect("the file exists");
    symlink(&victim, &mark).expect("the test may change it");
    let old = fs::metadata(&victim).expect("the file exists").mtime();
    get();
    assert_eq!(
        fs::read_to_string(&victim).expect("the file exists"),
        "text"
    );
    assert_eq!(fs::metadata(&victim).expect("the file exists").mtime(), old);
}

#[test]
fn a_pipe_in_place_of_a_file_in_a_variable_is_refused() {
    for variable in [
        "ICR_CONFIG",
        "IBM_CREDENTIALS_FILE",
        "IBMCLOUD_API_KEY",
        "IC_IAM_TOKEN",
        "SSL_CERT_FILE",
    ] {
        let mut env = TestEnv::with_environment_key();
        let pipe = env.path("pipe");
        make_pipe(&pipe);
        let at = if variable.contains("IAM") || variable.contains("KEY") {
            "@"
        } else {
            ""
        };
        if variable != "SSL_CERT_FILE" {
            env.unset("IBMCLOUD_API_KEY");
        }
        env.set(variable, format!("{at}{}", pipe.display()));
        let outcome = env.get("us.icr.io");
        assert_eq!(outcome.status, Some(1), "{variable}: {outcome:?}");
        assert!(
            outcome.took < Duration::from_secs(2),
            "{variable}: {outcome:?}"
        );
        if at == "@" {
            outcome.is_client_error(&["it is a pipe, and nothing came from it"]);
        }
    }
}

#[test]
fn a_secret_may_be_read_from_a_pipe_with_a_writer() {
    let env = TestEnv::with_environment_key();
    let mut command = Command::new("bash");
    let script = "key=$IBMCLOUD_API_KEY; IBMCLOUD_API_KEY=@<(read -t 0.1 <> <(:); echo \"$key\")";
    let script = format!("{script} exec \"$0\" get");
    command.args(["-c", &script]);
    command.arg(env!("CARGO_BIN_EXE_docker-credential-icr"));
    env.apply_to(&mut command);
    command.env("PATH", "/usr/bin:/bin");
    let outcome = env.start_as(command, "us.icr.io").finish();
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
}

#[test]
fn a_pipe_in_place_of_the_settings_or_the_undo_record_is_not_read() {
    let env = TestEnv::with_environment_key();
    let settings = env.settings("");
    make_pipe(&settings);
    let outcome = env.get("us.icr.io");
    outcome.is_client_error(&["not a regular file"]);
    ends_soon(&outcome);
    fs::remove_file(settings).expect("the file exists");
    let record = env.file(
        "home/.local/state/docker-credential-icr/configured.json",
        "",
    );
    make_pipe(&record);
    let undo = env.run(&["configure", "--undo"], "");
    undo.is_user_error(&["not a regular file"]);
    ends_soon(&undo);
    let configure = env.run(&["configure", "docker", "--registry", "us.icr.io"], "");
    assert!(
        configure.stderr.contains("cannot record the change"),
        "{configure:?}"
    );
    ends_soon(&configure);
}
