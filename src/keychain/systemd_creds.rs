//! Encrypted files of `systemd-creds` (systemd 250 and later), for machines without a desktop.
//!
//! The key is the machine's: a file that only root can read (`/var/lib/systemd/credential.secret`,
//! created when it is first needed) and, if there is one, the TPM. For root, the program does all of
//! this itself, also where systemd does not run. For other users, a service of systemd does it
//! (`--user`, systemd 256 and later), with a key for each user.

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use super::Backend;
use super::Item;
use super::Keychain;
use super::KeychainError;
use super::Kind;
use super::ListedItem;
use super::Prompting;
use super::SCHEMA;
use super::decryptions::Decryptions;
use super::item_files::ItemFiles;
use super::item_files::encoded;
use super::program::Output;
use super::program::Program;
use crate::digest;
use crate::environment::Environment;
use crate::secret::Secret;

const NAME: &str = "systemd-creds";

/// The time limit of one run. A slow TPM takes two seconds.
const TIMEOUT: Duration = Duration::from_secs(8);

/// The maximum length of a credential's name (`credential_name_valid` of systemd).
const MAX_NAME: usize = 255;

/// The age from which a token has certainly expired.
const MAX_TOKEN_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Bind a secret to the TPM but not to the state of the firmware, which changes with its updates.
const NO_FIRMWARE_STATE: &str = "--tpm2-pcrs=";

/// Do not let the system ask for a password; unknown to systemd 256 and older, which never asks a
/// program without a terminal.
const NO_QUESTION: &str = "--no-ask-password";

/// The service that encrypts for users who are not root.
const SERVICE: &str = "io.systemd.Credentials";

/// The files that `systemd-creds` encrypts for this user.
#[derive(Debug)]
pub(super) struct SystemdCreds {
    namespace: String,
    files: ItemFiles,
    program: Program,
    is_root: bool,
    knows_no_question: Cell<bool>,
    decryptions: Decryptions,
}

impl SystemdCreds {
    /// Creates the keychain with its files below `directory`; its marks are in `marks`.
    pub(super) fn new(
        namespace: &str,
        environment: &Environment,
        directory: Option<&Path>,
        marks: Option<&Path>,
        prompting: Prompting,
    ) -> Self {
        Self {
            namespace: namespace.to_owned(),
            files: ItemFiles::new(directory, namespace, ".cred"),
            program: Program::new(NAME, environment, TIMEOUT, marks, prompting),
            is_root: nix::unistd::Uid::effective().is_root(),
            knows_no_question: Cell::new(true),
            decryptions: Decryptions::default(),
        }
    }

    /// Returns whether the program is there. It may still refuse to encrypt.
    pub(super) fn has_program(&self) -> bool {
        self.program.find().is_ok()
    }

    /// Returns the name that is encrypted with an item: without it, one login's file could take the
    /// place of another's.
    fn credential_name(&self, item: &Item) -> String {
        let kind = item.kind_name();
        let name = format!("{SCHEMA}+{}+{kind}+{}", self.namespace, encoded(&item.name));
        if name.len() <= MAX_NAME {
            return name;
        }
        let digest = digest::fingerprint(&[&self.namespace, kind, &item.name]);
        format!("{SCHEMA}+{digest}")
    }

    fn run(
        &self,
        verb: &str,
        options: &[&str],
        item: &Item,
        input: &[u8],
    ) -> Result<Output, KeychainError> {
        let name = format!("--name={}", self.credential_name(item));
        let mut arguments = options.to_vec();
        if !self.is_root {
            arguments.push("--user");
            arguments.extend(self.knows_no_question.get().then_some(NO_QUESTION));
        }
        arguments.extend([&*name, verb, "-", "-"]);
        let output = self.program.run(&arguments, &[], input)?;
        if !output.is_success && is_unknown(NO_QUESTION, &output) {
            self.knows_no_question.set(false);
            return self.run(verb, options, item, input);
        }
        Ok(output)
    }

    /// Encrypts a secret, and decrypts it again, because systemd 252 encrypts what it cannot decrypt
    /// if there is a TPM and no state of the firmware: then with that state.
    fn encrypt(&self, item: &Item, secret: &Secret) -> Result<Zeroizing<Vec<u8>>, KeychainError> {
        let attempts: &[&[&str]] = if self.is_root {
            &[&[NO_FIRMWARE_STATE], &[]]
        } else {
            &[&[]]
        };
        let mut reason = String::from("it returns another text");
        for options in attempts {
            let encrypted = self.encrypt_with(options, item, secret)?;
            match self.decrypt(item, &encrypted) {
                Ok(decrypted) if decrypted == *secret => return Ok(encrypted),
                Ok(_) => {}
                Err(error) => reason = error.to_string(),
            }
        }
        let reason = format!("{NAME} does not decrypt what it has encrypted ({reason})");
        Err(self.unusable(reason))
    }

    fn encrypt_with(
        &self,
        options: &[&str],
        item: &Item,
        secret: &Secret,
    ) -> Result<Zeroizing<Vec<u8>>, KeychainError> {
        let output = self.run("encrypt", options, item, secret.expose().as_bytes())?;
        if output.is_success && !output.stdout.is_empty() {
            return Ok(output.stdout);
        }
        let cannot = |reason: &str| format!("{NAME} cannot encrypt here ({reason})");
        if is_unknown("--user", &output) {
            return Err(KeychainError::Absent(cannot(
                "only root can use that of this system; users can from systemd 256 on",
            )));
        }
        let reason = output.reason();
        if reason.contains(SERVICE) && reason.contains("No such file") {
            return Err(KeychainError::Absent(cannot("systemd does not run here")));
        }
        Err(self.unusable(cannot(&reason)))
    }

    /// Returns the error of a program that runs, but does not work. Without a machine ID, systemd
    /// names a temporary file system (`get_credential_host_secret`: both are `ENOMEDIUM`).
    fn unusable(&self, reason: String) -> KeychainError {
        if ["host key", "host secret"]
            .iter()
            .any(|it| reason.contains(it))
        {
            let fix = "Make sure that /var/lib/systemd is writable and not lost at a reboot, and that /etc/machine-id has an ID ('systemd-machine-id-setup')";
            return KeychainError::Unusable(reason, fix.into());
        }
        let command = if self.is_root {
            "systemd-creds encrypt - -"
        } else {
            "systemd-creds encrypt --user - -"
        };
        let fix = format!("Find out why 'echo test | {command}' fails");
        KeychainError::Unusable(reason, fix)
    }

    fn decrypt(&self, item: &Item, encrypted: &[u8]) -> Result<Secret, KeychainError> {
        if let Some(secret) = self.decryptions.find(encrypted) {
            return Ok(secret);
        }
        let unreadable = |reason: String| KeychainError::Undecryptable(NAME, reason);
        let output = match self.run("decrypt", &[], item, encrypted) {
            // There is an item, so it is not absent.
            Err(
                KeychainError::Absent(reason)
                | KeychainError::Refused(reason)
                | KeychainError::Unusable(reason, _),
            ) => {
                return Err(unreadable(reason));
            }
            output => output?,
        };
        if !output.is_success {
            return Err(unreadable(output.reason()));
        }
        let text = str::from_utf8(&output.stdout);
        let text = text.map_err(|_| unreadable("it is no text".into()))?;
        let secret = Secret::new(text);
        self.decryptions.insert(encrypted.to_vec(), secret.clone());
        Ok(secret)
    }
}

/// Returns whether the program is too old for an option.
fn is_unknown(option: &str, output: &Output) -> bool {
    let expected = format!("unrecognized option '{option}'");
    output.messages.contains(&expected)
}

impl Keychain for SystemdCreds {
    fn read(&self, item: &Item) -> Result<Option<Secret>, KeychainError> {
        let encrypted = self.files.read(item)?;
        encrypted
            .map(|encrypted| self.decrypt(item, &encrypted))
            .transpose()
    }

    fn write(
        &self,
        item: &Item,
        secret: &Secret,
        _lifetime: Option<Duration>,
    ) -> Result<(), KeychainError> {
        let encrypted = self.encrypt(item, secret)?;
        self.files.write(item, &encrypted)?;
        if item.kind == Kind::Token {
            self.files.delete_older(item, MAX_TOKEN_AGE);
        }
        Ok(())
    }

    fn delete(&self, item: &Item) -> Result<(), KeychainError> {
        self.files.delete(item)
    }

    fn list(&self, kind: Kind) -> Result<Vec<ListedItem>, KeychainError> {
        self.files.list(kind)
    }

    fn backend(&self, item: &Item) -> Result<Option<Backend>, KeychainError> {
        Ok(self.files.exists(item).then_some(Backend::SystemdCreds))
    }
}

#[cfg(test)]
mod tests;
