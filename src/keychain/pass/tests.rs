use std::ops::Deref;

use super::*;
use crate::keychain::program::test_support::StandIns;

/// A directory with a stand-in for `pass`, whose "encryption" moves letters.
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
echo "$PASSWORD_STORE_GPG_OPTS" >"$here/options"
store=$PASSWORD_STORE_DIR
verb=$1
shift
while [ $# -gt 0 ]; do case $1 in
    --) shift && break ;;
    *) shift ;;
esac done
[ ! -e "$here/hangs" ] || exec sleep 60
[ ! -e "$here/refuses" ] || { cat "$here/refuses" >&2; exit 1; }
[ ! -e "$here/is-gopass" ] || store=$here/gopass
case $verb in
insert)
    mkdir -p "$(dirname "$store/$1")"
    exec tr a-z n-za-m >"$store/$1.gpg"
    ;;
show)
    if [ -e "$here/is-locked" ]; then
        echo '[GNUPG:] DECRYPTION_FAILED' >&2
        echo 'gpg: decryption failed: No secret key' >&2
        exit 2
    elif [ -e "$here/has-no-key" ]; then
        echo '[GNUPG:] DECRYPTION_FAILED' >&2
        echo 'gpg: decryption failed: No secret key' >&2
        exit 2
    fi
    exec tr a-z n-za-m <"$store/$1.gpg"
    ;;
mv) exec mv "$store/$1.gpg" "$store/$2.gpg" ;;
rm) exec rm "$store/$1.gpg" ;;
esac
"#;

/// A stand-in for GnuPG, which says why it does not decrypt.
const GPG: &str = r#"#!/bin/sh
[ ! -e HERE/is-locked ] || echo '[GNUPG:] ERROR pkdecrypt_failed 67108949' >&2
[ ! -e HERE/has-no-key ] || echo '[GNUPG:] NO_SECKEY 090B848BE1227F00' >&2
exit 2
"#;

impl Machine {
    fn new() -> Self {
        let machine = Self(StandIns::new(&[(NAME, STAND_IN), ("gpg", GPG)]));
        std::fs::create_dir(machine.path("store")).unwrap();
        machine
    }

    fn initialized() -> Self {
        let machine = Self::new();
        machine.add("store/.gpg-id", "# mine\nme@example.com # first\n\nteam\n");
        machine
    }

    fn keychain(&self) -> Pass {
        self.keychain_of(Sharing::Allowed)
    }

    fn keychain_of(&self, sharing: Sharing) -> Pass {
        let path = format!("{}:/usr/bin:/bin", self.path("bin").display());
        let store = self.path("store").display().to_string();
        let variables = [
            ("PATH", &*path),
            ("PASSWORD_STORE_DIR", &store),
            ("PASSWORD_STORE_GPG_OPTS", "--trust-model=always"),
        ];
        let (marks, logins) = (self.path("marks"), self.path("state/keychain"));
        let environment = variables.into_iter().collect();
        Pass::new(
            "default",
            &environment,
            Some(&logins),
            Some(&marks),
            Prompting::Never,
            sharing,
        )
    }

    /// Returns `pass` on a machine without other programs.
    fn program_alone(&self) -> Program {
        for tool in ["sh", "cat", "dirname", "tr", "rm", "mv", "mkdir"] {
            let found = ["/usr/bin", "/bin"].map(|it| Path::new(it).join(tool));
            let found = found.iter().find(|it| it.exists()).unwrap();
            std::os::unix::fs::symlink(found, self.path("bin").join(tool)).unwrap();
        }
        let path = self.path("bin").display().to_string();
        let environment = [("PATH", &*path)].into_iter().collect();
        Program::new(NAME, &environment, TIMEOUT, None, Prompting::Never)
    }

    fn files(&self) -> Vec<String> {
        let directory = self.path("store/docker-credential-icr/default/login");
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        entries
            .map(|it| it.file_name().into_string().unwrap())
            .collect()
    }
}

fn login() -> Item {
    Item::login("us.icr.io")
}

#[test]
fn a_login_is_an_entry_and_its_secret_is_no_argument() {
    let machine = Machine::initialized();
    let keychain = machine.keychain();
    assert_eq!(keychain.read(&login()), Ok(None));
    assert_eq!(keychain.logins(), Ok(Vec::new()));
    assert!(
        machine.calls().is_empty(),
        "nothing runs if there is no entry"
    );

    let secret = Secret::new("hunter");
    keychain.write(&login(), &secret, None).unwrap();
    let name = "docker-credential-icr/default/login/us.icr.io";
    assert_eq!(
        machine.calls(),
        [
            format!("insert --multiline --force -- {name}~"),
            format!("show -- {name}~"),
            format!("mv --force -- {name}~ {name}"),
        ]
    );
    let options = std::fs::read_to_string(machine.path("options")).unwrap();
    assert_eq!(
        options.trim_end(),
        "--trust-model=always --status-fd=2 --no-auto-key-locate --pinentry-mode=error --batch --no-tty"
    );
    assert_eq!(machine.files(), ["us.icr.io.gpg"]);
    let reader = machine.keychain();
    for _ in 0..2 {
        assert_eq!(reader.read(&login()), Ok(Some(secret.clone())));
    }
    assert_eq!(machine.calls().len(), 4, "it is decrypted once");
    assert_eq!(reader.backend(&login()), Ok(Some(Backend::Pass)));
    assert_eq!(reader.logins().unwrap()[0].name, "us.icr.io");
    reader.delete(&login()).unwrap();
    reader.delete(&login()).unwrap();
    assert_eq!(reader.read(&login()), Ok(None));
}

#[test]
fn without_a_store_or_the_program_nothing_is_stored() {
    let machine = Machine::new();
    let error = machine
        .keychain()
        .write(&login(), &Secret::new("key"), None)
        .unwrap_err();
    assert!(
        error.is_absent() && error.hint().unwrap().contains("pass init"),
        "{error}"
    );
    assert!(!machine.keychain().is_initialized());
    machine.add("store/.gpg-id", "me\n");
    assert!(machine.keychain().is_initialized());
    std::fs::remove_file(machine.path("bin").join(NAME)).unwrap();
    let path = machine.path("bin").display().to_string();
    let store = machine.path("store").display().to_string();
    let variables = [("PATH", &*path), ("PASSWORD_STORE_DIR", &store)];
    let environment = variables.into_iter().collect();
    let keychain = Pass::new(
        "default",
        &environment,
        None,
        None,
        Prompting::Never,
        Sharing::Allowed,
    );
    let error = keychain
        .write(&login(), &Secret::new("key"), None)
        .unwrap_err();
    assert!(
        error.is_absent() && error.to_string().contains("PATH"),
        "{error}"
    );
}

#[test]
fn a_locked_key_is_an_error_that_says_how_to_unlock_it() {
    let machine = Machine::initialized();
    machine
        .keychain()
        .write(&login(), &Secret::new("old"), None)
        .unwrap();
    machine.add("is-locked", "");
    let error = machine.keychain().read(&login()).unwrap_err();
    assert_eq!(error.to_string(), "the GnuPG key of pass is locked");
    let command = "'pass show docker-credential-icr/default/login/us.icr.io > /dev/null'";
    assert!(error.hint().unwrap().contains(command));

    let written = machine
        .keychain()
        .write(&login(), &Secret::new("new"), None);
    assert!(
        matches!(written, Err(KeychainError::LockedKey(_))),
        "{written:?}"
    );
    assert_eq!(
        machine.files(),
        ["us.icr.io.gpg"],
        "nothing remains of the new one"
    );
    std::fs::remove_file(machine.path("is-locked")).unwrap();
    assert_eq!(
        machine.keychain().read(&login()),
        Ok(Some(Secret::new("old")))
    );
    machine.add("is-locked", "");
    machine.keychain().delete(&login()).unwrap();
    assert!(machine.files().is_empty(), "a locked login can be deleted");
}

#[test]
fn a_login_without_its_key_cannot_be_decrypted() {
    let machine = Machine::initialized();
    machine
        .keychain()
        .write(&login(), &Secret::new("key"), None)
        .unwrap();
    machine.add("has-no-key", "");
    let error = machine.keychain().read(&login()).unwrap_err();
    assert!(matches!(error, KeychainError::Undecryptable(..)), "{error}");
    assert!(error.to_string().contains("No secret key"), "{error}");
}

#[test]
fn an_agent_that_hangs_is_not_waited_for() {
    let machine = Machine::initialized();
    machine
        .keychain()
        .write(&login(), &Secret::new("key"), None)
        .unwrap();
    machine.add("hangs", "");
    let slow = machine.keychain();
    let slow = Pass {
        program: slow.program.with_timeout(Duration::from_millis(50)),
        ..slow
    };
    let error = slow.read(&login()).unwrap_err();
    assert_eq!(error, KeychainError::Timeout(NAME));
    assert!(error.hint().unwrap().contains("gpgconf --kill gpg-agent"));
    assert_eq!(machine.keychain().read(&login()), Err(error));
}

#[test]
fn tokens_are_in_a_store_of_their_own_with_the_same_keys() {
    let machine = Machine::initialized();
    let keychain = machine.keychain();
    let token = Item::token("0123");
    keychain.write(&token, &Secret::new("token"), None).unwrap();
    assert_eq!(keychain.recipients(), Ok("me@example.com team".into()));
    assert!(machine.path("state/pass/default/token/0123.gpg").exists());
    assert!(!machine.path("store/docker-credential-icr").exists());
    assert_eq!(
        machine.keychain().read(&token),
        Ok(Some(Secret::new("token")))
    );
    keychain.delete(&token).unwrap();
    assert!(!machine.path("state/pass").exists());
}

#[test]
fn a_key_that_gnupg_does_not_encrypt_for_is_named_with_its_fix() {
    let machine = Machine::initialized();
    for (messages, text, fix) in [
        (
            "[GNUPG:] INV_RECP 1 me@x\ngpg: [stdin]: encryption failed: No public key\n",
            "the GnuPG key me@x of pass is not on this machine",
            "Import it, or select other keys with 'pass init KEY'",
        ),
        (
            "[GNUPG:] KEYEXPIRED 1\n[GNUPG:] INV_RECP 0 0A1B\n",
            "the GnuPG key 0A1B of pass cannot be used, or has expired",
            "Extend it",
        ),
        (
            "[GNUPG:] INV_RECP 10 Me <me@x>\n",
            "the GnuPG key Me <me@x> of pass is not trusted",
            "Trust it",
        ),
        (
            "gpg: Invalid option \"--pinentry-mode=error\"\n",
            "pass runs a GnuPG that always asks for passphrases",
            "GnuPG 2.1 or later",
        ),
    ] {
        machine.add("refuses", messages);
        let written = machine
            .keychain()
            .write(&login(), &Secret::new("key"), None);
        let error = written.unwrap_err();
        assert_eq!(error.to_string(), text);
        assert!(error.fix().contains(fix), "{error:?}");
    }
}

#[test]
fn a_login_in_another_directory_is_not_taken_for_a_stored_one() {
    let machine = Machine::initialized();
    machine.add("is-gopass", "");
    let keychain = machine.keychain();
    let written = keychain.write(&login(), &Secret::new("key"), None);
    let error = written.unwrap_err().to_string();
    assert!(error.contains("another directory"), "{error}");
    assert_eq!(keychain.read(&login()), Ok(None));
}

#[test]
fn without_gnupg_nothing_is_stored_and_what_is_stored_is_not_lost() {
    let machine = Machine::initialized();
    let secret = Secret::new("key");
    machine.keychain().write(&login(), &secret, None).unwrap();
    machine.add("is-locked", "");
    std::fs::remove_file(machine.path("bin/gpg")).unwrap();
    let keychain = Pass {
        program: machine.program_alone(),
        ..machine.keychain()
    };
    let error = keychain.write(&login(), &secret, None).unwrap_err();
    assert!(error.to_string().contains("pass needs GnuPG"), "{error}");
    let error = keychain.read(&login()).unwrap_err();
    assert!(!error.is_absent(), "{error}");
}

#[test]
fn a_store_of_several_people_gets_a_new_login_only_if_somebody_chose_it() {
    let machine = Machine::initialized();
    let refused = machine.keychain_of(Sharing::Refused);
    let error = refused.write(&login(), &Secret::new("key"), None);
    let error = error.unwrap_err();
    assert!(
        error.to_string().contains("encrypted for 2 keys"),
        "{error}"
    );
    assert_eq!(machine.files(), [""; 0]);
    let write = |keychain: Pass, secret| keychain.write(&login(), &Secret::new(secret), None);
    write(machine.keychain(), "chosen").unwrap();
    write(machine.keychain_of(Sharing::Refused), "renewed").unwrap();
    assert_eq!(
        machine.keychain().read(&login()),
        Ok(Some(Secret::new("renewed")))
    );
}

#[test]
fn keys_are_one_word_each() {
    for (line, expected) in [
        ("Test User <t@example.com>", "<t@example.com>"),
        ("0123 4567 89AB", "0123456789AB"),
        ("me", "me"),
    ] {
        assert_eq!(one_word(line), expected);
    }
}

#[test]
fn a_login_that_is_not_deleted_is_an_error() {
    let machine = Machine::initialized();
    let keychain = machine.keychain();
    keychain.write(&login(), &Secret::new("key"), None).unwrap();
    let incomplete = machine.path("store/docker-credential-icr/default/login/us.icr.io~.gpg");
    std::fs::write(&incomplete, "").unwrap();
    let pass = machine.path("bin").join(NAME);
    let script = std::fs::read_to_string(&pass).unwrap();
    std::fs::write(
        &pass,
        script.replace("#!/bin/sh\n", "#!/bin/sh\n[ $1 != rm ] || exit 0\n"),
    )
    .unwrap();
    let error = machine.keychain().delete(&login()).unwrap_err();
    assert!(error.to_string().contains("did not delete"), "{error}");
    assert!(!incomplete.exists());
}

#[test]
fn what_a_user_has_in_a_store_is_not_run_by_root() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let machine = Machine::initialized();
    let keychain = machine.keychain();
    keychain.write(&login(), &Secret::new("key"), None).unwrap();
    std::os::unix::fs::chown(machine.path("store"), Some(4242), None).unwrap();
    machine.add("bin/pass", "#!/bin/sh\n: >\"$0.ran\"\n");
    let keychain = machine.keychain();
    assert_eq!(keychain.read(&login()), Ok(None));
    assert_eq!(keychain.list(Kind::Login), Ok(Vec::new()));
    assert_eq!(keychain.delete(&login()), Ok(()));
    assert!(!keychain.is_initialized());
    let error = keychain.write(&login(), &Secret::new("new"), None);
    let error = error.unwrap_err();
    assert!(
        error.is_absent() && error.to_string().contains("another user"),
        "{error}"
    );
    assert_eq!(machine.files().len(), 1, "the user's login stays");
    assert!(!machine.path("bin/pass.ran").exists());
}
