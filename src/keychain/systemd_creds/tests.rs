use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;
use crate::keychain::program::test_support::StandIns;

/// A directory with a stand-in for `systemd-creds`. Its "encryption" puts the name and the key of the
/// machine before the text.
struct Machine(StandIns);

impl Deref for Machine {
    type Target = StandIns;

    fn deref(&self) -> &StandIns {
        &self.0
    }
}

const STAND_IN: &str = r#"#!/bin/sh
here=HERE
echo "$*" >>"$here/calls"
for argument; do case $argument in
    --no-ask-password | --user) [ ! -e "$here/is-old" ] || { echo "systemd-creds: unrecognized option '$argument'" >&2; exit 1; } ;;
    --name=*) name=${argument#--name=} ;;
    encrypt | decrypt) verb=$argument ;;
esac done
[ ! -e "$here/hangs" ] || exec sleep 60
if [ "$verb" = encrypt ]; then
    case $* in *--tpm2-pcrs=*) [ ! -e "$here/has-tpm" ] || { echo undecryptable && exit; } ;; esac
    [ ! -e "$here/refuses" ] || { echo 'Failed to determine local credential key: Permission denied' >&2; exit 1; }
    echo "$name $(cat "$here/key")"
    exec tr a-z n-za-m
fi
read -r line
[ "$line" = "$name $(cat "$here/key")" ] || { echo 'Decryption failed (incorrect key?)' >&2; exit 1; }
exec tr a-z n-za-m
"#;

impl Machine {
    fn new() -> Self {
        let machine = Self(StandIns::new(&[(NAME, STAND_IN)]));
        machine.add("key", "1");
        machine
    }

    fn keychain(&self, is_root: bool) -> SystemdCreds {
        // `tr`, `cat` and `sleep` are the machine's own.
        let path = format!("relative:{}:/usr/bin:/bin", self.path("bin").display());
        let environment = [("PATH", &*path)].into_iter().collect();
        let (files, marks) = (self.path("files"), self.path("marks"));
        let prompting = Prompting::Never;
        let keychain = SystemdCreds::new(
            "default",
            &environment,
            Some(&files),
            Some(&marks),
            prompting,
        );
        SystemdCreds {
            is_root,
            ..keychain
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path(&format!("files/default/login/{name}.cred"))
    }
}

fn login(name: &str) -> Item {
    Item::login(name)
}

#[test]
fn a_login_is_an_encrypted_file_and_its_secret_is_no_argument() {
    let machine = Machine::new();
    let keychain = machine.keychain(true);
    assert_eq!(keychain.read(&login("us.icr.io")), Ok(None));
    assert_eq!(keychain.logins(), Ok(Vec::new()));
    assert!(
        machine.calls().is_empty(),
        "nothing runs if there is no file"
    );

    let secret = Secret::new("hunter");
    keychain.write(&login("us.icr.io"), &secret, None).unwrap();
    assert_eq!(
        machine.keychain(true).read(&login("us.icr.io")),
        Ok(Some(secret))
    );
    let content = std::fs::read_to_string(machine.file("us.icr.io")).unwrap();
    assert!(!content.contains("hunter"), "{content}");
    let name = "--name=docker-credential-icr.v1+default+login+us.icr.io";
    assert_eq!(
        machine.calls(),
        [
            format!("--tpm2-pcrs= {name} encrypt - -"),
            format!("{name} decrypt - -"),
            format!("{name} decrypt - -"),
        ]
    );
    let backend = keychain.backend(&login("us.icr.io"));
    assert_eq!(backend, Ok(Some(Backend::SystemdCreds)));
    assert_eq!(keychain.logins().unwrap()[0].name, "us.icr.io");
    keychain.delete(&login("us.icr.io")).unwrap();
    assert!(!machine.path("files").exists());
}

#[test]
fn a_secret_is_decrypted_once_by_each_process_until_it_changes() {
    let machine = Machine::new();
    let other = machine.keychain(true);
    other.write(&login("@"), &Secret::new("one"), None).unwrap();
    let keychain = machine.keychain(true);
    let count = machine.calls().len();
    for _ in 0..3 {
        assert_eq!(keychain.read(&login("@")), Ok(Some(Secret::new("one"))));
    }
    assert_eq!(machine.calls().len(), count + 1);
    other.write(&login("@"), &Secret::new("two"), None).unwrap();
    assert_eq!(keychain.read(&login("@")), Ok(Some(Secret::new("two"))));
}

#[test]
fn a_file_of_another_login_or_of_another_machine_is_not_decrypted() {
    let machine = Machine::new();
    let secret = Secret::new("hunter");
    machine
        .keychain(true)
        .write(&login("us.icr.io"), &secret, None)
        .unwrap();
    std::fs::copy(machine.file("us.icr.io"), machine.file("de.icr.io")).unwrap();
    let error = machine
        .keychain(true)
        .read(&login("de.icr.io"))
        .unwrap_err();
    assert!(matches!(error, KeychainError::Undecryptable(..)), "{error}");

    machine.add("key", "2");
    let keychain = machine.keychain(true);
    let error = keychain.read(&login("us.icr.io")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "systemd-creds cannot decrypt it here (Decryption failed (incorrect key?))"
    );
    assert!(error.hint().unwrap().contains("log in again"));
    assert!(
        !error.is_absent(),
        "an unreadable login is not a missing one"
    );
    std::fs::remove_file(machine.path("bin").join(NAME)).unwrap();
    let path = machine.path("bin").display().to_string();
    let environment = [("PATH", &*path)].into_iter().collect();
    let files = machine.path("files");
    let keychain = SystemdCreds::new(
        "default",
        &environment,
        Some(&files),
        None,
        Prompting::Never,
    );
    let error = keychain.read(&login("us.icr.io")).unwrap_err();
    assert!(error.to_string().contains("not on the PATH"), "{error}");
    assert!(!error.is_absent());
    keychain.delete(&login("us.icr.io")).unwrap();
}

#[test]
fn where_nothing_can_be_encrypted_the_keychain_is_absent_and_the_login_is_kept() {
    let machine = Machine::new();
    let keychain = machine.keychain(true);
    keychain
        .write(&login("@"), &Secret::new("old"), None)
        .unwrap();
    machine.add("refuses", "");
    let error = keychain
        .write(&login("@"), &Secret::new("new"), None)
        .unwrap_err();
    assert!(error.is_absent(), "{error}");
    assert!(error.to_string().contains("Permission denied"), "{error}");
    let fix = "Find out why 'echo test | systemd-creds encrypt - -' fails";
    assert_eq!(error.fix(), fix);
    for reason in [
        "host key located on temporary file system",
        "credential host secret: No such file",
    ] {
        assert!(
            keychain
                .unusable(reason.into())
                .fix()
                .contains("/etc/machine-id")
        );
    }
    assert_eq!(
        machine.keychain(true).read(&login("@")),
        Ok(Some(Secret::new("old")))
    );
}

#[test]
fn with_a_tpm_what_cannot_be_decrypted_is_encrypted_in_another_way() {
    let machine = Machine::new();
    machine.add("has-tpm", "");
    let keychain = machine.keychain(true);
    keychain
        .write(&login("@"), &Secret::new("key"), None)
        .unwrap();
    let read = machine.keychain(true).read(&login("@"));
    assert_eq!(read, Ok(Some(Secret::new("key"))));
}

#[test]
fn for_a_user_the_service_encrypts_without_a_question() {
    let machine = Machine::new();
    let keychain = machine.keychain(false);
    keychain
        .write(&login("@"), &Secret::new("key"), None)
        .unwrap();
    assert!(machine.calls()[0].starts_with("--user --no-ask-password --name="));
    machine.add("is-old", "");
    let error = keychain
        .write(&login("@"), &Secret::new("key"), None)
        .unwrap_err();
    assert!(error.is_absent(), "{error}");
    assert!(error.to_string().contains("from systemd 256 on"), "{error}");
}

#[test]
fn a_program_that_hangs_is_ended_and_other_processes_do_not_wait_for_it() {
    let machine = Machine::new();
    machine
        .keychain(true)
        .write(&login("@"), &Secret::new("key"), None)
        .unwrap();
    machine.add("hangs", "");
    let slow = machine.keychain(true);
    let slow = SystemdCreds {
        program: slow.program.with_timeout(Duration::from_millis(50)),
        ..slow
    };
    assert_eq!(slow.read(&login("@")), Err(KeychainError::Timeout(NAME)));
    let count = machine.calls().len();
    let next = machine.keychain(true);
    assert_eq!(next.read(&login("@")), Err(KeychainError::Timeout(NAME)));
    assert_eq!(machine.calls().len(), count);
}

#[test]
fn a_program_that_others_can_replace_is_not_run() {
    let machine = Machine::new();
    let bin = machine.path("bin");
    std::fs::set_permissions(&bin, PermissionsExt::from_mode(0o777)).unwrap();
    let error = machine
        .keychain(true)
        .write(&login("@"), &Secret::new("key"), None)
        .unwrap_err();
    assert!(error.to_string().contains("not safe to run"), "{error}");
    assert!(machine.calls().is_empty());
}

#[test]
fn the_name_of_a_long_login_is_a_digest() {
    let machine = Machine::new();
    let keychain = machine.keychain(true);
    let names = ["x", "y"]
        .map(|last| keychain.credential_name(&login(&format!("{}{last}", "x".repeat(250)))));
    assert_ne!(names[0], names[1]);
    assert!(names.iter().all(|name| name.len() <= MAX_NAME));
}
