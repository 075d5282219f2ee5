//! The password store of `pass`, which GnuPG encrypts.
//!
//! A login is the entry `docker-credential-icr/NAMESPACE/login/NAME` of the user's store, which may be
//! a git repository: `pass` commits each change. Tokens are in a store of their own with the same
//! keys, so that none is in a repository.

mod errors;
mod owners;
mod terminal;

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use super::Backend;
use super::Item;
use super::Keychain;
use super::KeychainError;
use super::Kind;
use super::ListedItem;
use super::Prompting;
use super::decryptions::Decryptions;
use super::item_files::ItemFiles;
use super::item_files::cannot_write;
use super::item_files::encoded;
use super::program::Output;
use super::program::Program;
use crate::PROGRAM;
use crate::environment;
use crate::environment::Environment;
use crate::fs;
use crate::secret::Secret;
use errors::failure;
use errors::not_decrypted;
use errors::not_in_store;
use errors::refused_by_gpg;
use owners::is_of_another_user;
use owners::one_word;
use terminal::terminal;

const NAME: &str = "pass";

/// The time limit of one run. A smart card takes a second, and a busy machine more.
const TIMEOUT: Duration = Duration::from_secs(8);

/// The time limit if the person may be asked for a passphrase.
const PROMPT_TIMEOUT: Duration = Duration::from_secs(120);

/// The age from which a token has certainly expired.
const MAX_TOKEN_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// The variables of `pass` (`pass(1)`).
const STORE: &str = "PASSWORD_STORE_DIR";
const KEYS: &str = "PASSWORD_STORE_KEY";
const GPG_OPTIONS: &str = "PASSWORD_STORE_GPG_OPTS";

/// GnuPG's directory.
const GPG_HOME: &str = "GNUPGHOME";

/// Commits of a store that is a repository without a signature, for which git's GnuPG would ask
/// (`git-config(1)`, `GIT_CONFIG_COUNT`; `pass(1)`).
const UNSIGNED_COMMITS: [(&str, &str); 5] = [
    ("GIT_CONFIG_COUNT", "2"),
    ("GIT_CONFIG_KEY_0", "commit.gpgsign"),
    ("GIT_CONFIG_VALUE_0", "false"),
    ("GIT_CONFIG_KEY_1", "pass.signcommits"),
    ("GIT_CONFIG_VALUE_1", "false"),
];

/// The terminal of GnuPG's agent. `pass` would use that of its standard input, which is none.
const GPG_TERMINAL: &str = "GPG_TTY";

/// The file with the keys of a store.
const KEY_FILE: &str = ".gpg-id";

/// The maximum size of [`KEY_FILE`], in bytes.
const MAX_KEY_FILE: u64 = 64 * 1024;

/// The maximum size of an entry, in bytes.
const MAX_ENTRY: u64 = 256 * 1024;

/// GnuPG's options for messages that can be parsed and for keys of this machine only (it looks for
/// missing ones on the network otherwise), and for an agent that never asks.
const STATUS: &str = "--status-fd=2 --no-auto-key-locate";
const NO_QUESTION: &str = "--pinentry-mode=error --batch --no-tty";

/// GnuPG's code for a key whose passphrase would have to be asked for (`GPG_ERR_NO_PIN_ENTRY` in
/// `err-codes.h` of libgpg-error).
const NO_PINENTRY: u32 = 85;

/// Whether new logins may be in a store with the keys of several people.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sharing {
    Allowed,
    Refused,
}

/// The user's password store.
#[derive(Debug)]
pub(super) struct Pass {
    namespace: String,
    store: Option<PathBuf>,
    logins: ItemFiles,
    /// The directory of the store of tokens.
    token_store: Option<PathBuf>,
    tokens: ItemFiles,
    /// The directories whose files decide what GnuPG and git run.
    directories: Vec<PathBuf>,
    /// The one of them that belongs to another user. A hot `get` does not ask for it.
    foreign: OnceCell<Option<PathBuf>>,
    /// Whether new logins may be in a store that others can decrypt.
    sharing: Sharing,
    keys: Option<OsString>,
    gpg_options: OsString,
    /// Whether the person may not be asked for a passphrase.
    asks_nothing: bool,
    /// The terminal at which the person may be asked for a passphrase.
    terminal: OsString,
    program: Program,
    decryptions: Decryptions,
}

impl Pass {
    /// Creates the keychain. Its tokens are beside `directory`, and its marks in `marks`.
    pub(super) fn new(
        namespace: &str,
        environment: &Environment,
        directory: Option<&Path>,
        marks: Option<&Path>,
        prompting: Prompting,
        sharing: Sharing,
    ) -> Self {
        let terminal = terminal().filter(|_| prompting == Prompting::Allowed);
        let has_display =
            environment.has(environment::DISPLAY) || environment.has(environment::WAYLAND_DISPLAY);
        let may_ask = prompting == Prompting::Allowed && (terminal.is_some() || has_display);
        let own_options = if may_ask {
            STATUS.to_owned()
        } else {
            format!("{STATUS} {NO_QUESTION}")
        };
        let mut gpg_options = environment
            .raw_value(GPG_OPTIONS)
            .unwrap_or_default()
            .to_owned();
        gpg_options.push(format!(" {own_options}"));
        let home = environment.absolute_path(environment::HOME);
        let in_home = || Some(home.as_ref()?.join(".password-store"));
        let store = environment.absolute_path(STORE).or_else(in_home);
        let gnupg = environment
            .absolute_path(GPG_HOME)
            .or_else(|| Some(home.as_ref()?.join(".gnupg")));
        let directories = [home, gnupg, store.clone()];
        let token_store = directory.map(|it| it.with_file_name(NAME));
        let timeout = if may_ask { PROMPT_TIMEOUT } else { TIMEOUT };
        let own = store.as_ref().map(|store| store.join(PROGRAM));
        Self {
            namespace: namespace.to_owned(),
            logins: ItemFiles::new(own.as_deref(), namespace, ".gpg"),
            tokens: ItemFiles::new(token_store.as_deref(), namespace, ".gpg"),
            store,
            token_store,
            directories: directories.into_iter().flatten().collect(),
            foreign: OnceCell::new(),
            sharing,
            keys: environment.raw_value(KEYS).map(OsStr::to_owned),
            gpg_options,
            asks_nothing: !may_ask,
            terminal: terminal.unwrap_or_default(),
            program: Program::new(NAME, environment, timeout, marks, prompting),
            decryptions: Decryptions::default(),
        }
    }

    /// Returns whether there is a store, and the program. The key may be locked.
    pub(super) fn is_initialized(&self) -> bool {
        self.recipients().is_ok() && self.program.find().is_ok()
    }

    /// Returns a directory of another user, whose files would decide what this user runs.
    fn foreign(&self) -> Option<&PathBuf> {
        let find = || {
            let mut directories = self.directories.iter();
            directories.find(|it| is_of_another_user(it)).cloned()
        };
        self.foreign.get_or_init(find).as_ref()
    }

    /// Returns whether there is an item of this user.
    fn has(&self, item: &Item) -> bool {
        self.files(item.kind).exists(item) && self.foreign().is_none()
    }

    /// Returns the files of a kind of items.
    fn files(&self, kind: Kind) -> &ItemFiles {
        match kind {
            Kind::Login => &self.logins,
            Kind::Hint | Kind::Probe | Kind::Token => &self.tokens,
        }
    }

    /// Returns the name of an item's entry in its store.
    fn entry(&self, item: &Item) -> String {
        let entry = format!(
            "{}/{}/{}",
            self.namespace,
            item.kind_name(),
            encoded(&item.name)
        );
        match item.kind {
            Kind::Login => format!("{PROGRAM}/{entry}"),
            Kind::Hint | Kind::Probe | Kind::Token => entry,
        }
    }

    /// Returns the IDs of the keys for which the user's store is encrypted.
    ///
    /// # Errors
    /// There is no store.
    fn recipients(&self) -> Result<OsString, KeychainError> {
        if let Some(directory) = self.foreign() {
            let reason = format!(
                "pass is not used, because {} belongs to another user",
                directory.display()
            );
            return Err(KeychainError::Absent(reason));
        }
        if let Some(keys) = &self.keys {
            return Ok(keys.clone());
        }
        let Some(store) = &self.store else {
            return Err(KeychainError::Absent(
                "this user has no home directory".into(),
            ));
        };
        let own = store.join(PROGRAM);
        let directories = [&*own.join(&self.namespace), &own, store];
        let file = directories
            .iter()
            .find_map(|directory| fs::read_regular(&directory.join(KEY_FILE), MAX_KEY_FILE).ok());
        let Some(file) = file else {
            return Err(KeychainError::NotInitialized(store.display().to_string()));
        };
        let keys = file
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default().trim());
        let keys = keys.filter(|key| !key.is_empty()).map(one_word);
        let keys: Vec<String> = keys.collect();
        Ok(keys.join(" ").into())
    }

    /// # Errors
    /// Others could decrypt the item, and nobody has chosen that.
    fn refuse_shared(&self, item: &Item, keys: &OsStr) -> Result<(), KeychainError> {
        let count = keys.to_string_lossy().split_whitespace().count();
        let is_new = item.kind == Kind::Login && !self.logins.exists(item);
        if self.sharing == Sharing::Allowed || count < 2 || !is_new {
            return Ok(());
        }
        Err(KeychainError::Unusable(
            format!("the password store of pass is encrypted for {count} keys"),
            "To store the login there nevertheless, log in with ICR_KEYCHAIN=pass".into(),
        ))
    }

    /// Deletes an entry that is not complete. In a repository, git shows the deletion.
    fn remove_incomplete(&self, item: &Item, entry: &str) {
        if let Some(path) = self.path(item, entry) {
            let _ = std::fs::remove_file(path);
        }
    }

    /// Runs `pass` with the store of an item.
    fn run(&self, kind: Kind, arguments: &[&str], input: &[u8]) -> Result<Output, KeychainError> {
        let mut variables: Vec<(&str, &OsStr)> = vec![
            (GPG_OPTIONS, &self.gpg_options),
            (GPG_TERMINAL, &self.terminal),
        ];
        if self.asks_nothing {
            variables.extend(UNSIGNED_COMMITS.map(|(name, value)| (name, OsStr::new(value))));
        }
        let recipients;
        if kind == Kind::Login {
            variables.extend(
                self.store
                    .as_deref()
                    .map(|store| (STORE, store.as_os_str())),
            );
        } else {
            recipients = self.recipients()?;
            let store = self.token_store.as_deref();
            variables.extend(store.map(|store| (STORE, store.as_os_str())));
            variables.push((KEYS, &recipients));
        }
        self.program.run(arguments, &variables, input)
    }

    /// Runs `pass` for a change.
    ///
    /// # Errors
    /// It fails.
    fn change(&self, item: &Item, arguments: &[&str], input: &[u8]) -> Result<(), KeychainError> {
        let output = self.run(item.kind, arguments, input)?;
        if output.is_success {
            return Ok(());
        }
        Err(failure(&output))
    }

    /// Runs `pass` to encrypt an entry.
    ///
    /// # Errors
    /// It fails, perhaps because GnuPG does not encrypt for one of the store's keys.
    fn encrypt(&self, item: &Item, arguments: &[&str], input: &[u8]) -> Result<(), KeychainError> {
        let output = self.run(item.kind, arguments, input)?;
        if output.is_success {
            return Ok(());
        }
        Err(refused_by_gpg(&output.messages).unwrap_or_else(|| failure(&output)))
    }

    /// Returns the path of an entry's file.
    fn path(&self, item: &Item, entry: &str) -> Option<PathBuf> {
        let store = match item.kind {
            Kind::Login => &self.store,
            Kind::Hint | Kind::Probe | Kind::Token => &self.token_store,
        };
        Some(store.as_ref()?.join(format!("{entry}.gpg")))
    }

    /// Returns the secret of an entry.
    fn show(&self, item: &Item, entry: &str) -> Result<Secret, KeychainError> {
        let output = match self.run(item.kind, &["show", "--", entry], &[]) {
            // There is an entry, so it is not absent.
            Err(error) if error.is_absent() => {
                return Err(KeychainError::Undecryptable(NAME, error.to_string()));
            }
            output => output?,
        };
        if !output.is_success {
            return Err(self.undecryptable(item, entry, &output));
        }
        let text = str::from_utf8(&output.stdout);
        let text = text.map_err(|_| KeychainError::Undecryptable(NAME, "it is no text".into()))?;
        Ok(Secret::new(text))
    }

    /// Returns the error of an entry that cannot be decrypted.
    fn undecryptable(&self, item: &Item, entry: &str, output: &Output) -> KeychainError {
        if !output.messages.contains("[GNUPG:] DECRYPTION_FAILED") {
            return failure(output);
        }
        match self.is_locked(item, entry) {
            Ok(true) => KeychainError::LockedKey((entry == self.entry(item)).then(|| entry.into())),
            Err(timeout @ KeychainError::Timeout(_)) => timeout,
            _ => KeychainError::Undecryptable(NAME, output.reason()),
        }
    }

    /// Returns the program that `pass` runs.
    ///
    /// # Errors
    /// GnuPG is not installed.
    fn gpg(&self) -> Result<Program, KeychainError> {
        let programs = ["gpg2", "gpg"].map(|name| self.program.beside(name));
        let found = programs.into_iter().find(|it| it.find().is_ok());
        found.ok_or_else(|| {
            KeychainError::Unusable(
                "pass needs GnuPG, which is not on the PATH".into(),
                "Install GnuPG (gpg)".into(),
            )
        })
    }

    /// Returns whether the key of an entry is there, but its passphrase would have to be asked for.
    /// `pass` runs GnuPG with `--quiet`, which hides that, so GnuPG is run again.
    fn is_locked(&self, item: &Item, entry: &str) -> Result<bool, KeychainError> {
        let path = self.path(item, entry);
        let encrypted = path.and_then(|path| fs::read_bytes(&path, MAX_ENTRY).ok());
        let options = self.gpg_options.to_string_lossy();
        let mut arguments: Vec<&str> = options.split_whitespace().collect();
        arguments.extend(NO_QUESTION.split_whitespace());
        arguments.push("--decrypt");
        let output = self
            .gpg()?
            .run(&arguments, &[], &encrypted.unwrap_or_default())?;
        let mut lines = output.messages.lines();
        let code = lines.find_map(|line| line.strip_prefix("[GNUPG:] ERROR pkdecrypt_failed "));
        let code: Option<u32> = code.and_then(|code| code.trim().parse().ok());
        // The other bits are the number of the program that failed.
        Ok(code.is_some_and(|code| code & 0xffff == NO_PINENTRY))
    }
}

impl Keychain for Pass {
    fn read(&self, item: &Item) -> Result<Option<Secret>, KeychainError> {
        if !self.has(item) {
            return Ok(None);
        }
        let Some(encrypted) = self.files(item.kind).read(item)? else {
            return Ok(None);
        };
        if let Some(secret) = self.decryptions.find(&encrypted) {
            return Ok(Some(secret));
        }
        let secret = self.show(item, &self.entry(item))?;
        self.decryptions.insert(encrypted, secret.clone());
        Ok(Some(secret))
    }

    /// `pass` writes into the entry itself, so the new secret is first an entry of another name: a
    /// reader finds the old one until the new one is complete and can be decrypted.
    fn write(
        &self,
        item: &Item,
        secret: &Secret,
        _lifetime: Option<Duration>,
    ) -> Result<(), KeychainError> {
        self.refuse_shared(item, &self.recipients()?)?;
        self.program.find()?;
        self.gpg()?;
        if let Some(store) = self
            .token_store
            .as_ref()
            .filter(|_| item.kind != Kind::Login)
        {
            fs::create_private_directories(store).map_err(|error| cannot_write(store, &error))?;
        }
        let entry = self.entry(item);
        let new = format!("{entry}~");
        let secret_bytes = secret.expose().as_bytes();
        let insert = ["insert", "--multiline", "--force", "--", &new];
        self.encrypt(item, &insert, secret_bytes)
            .inspect_err(|_| self.remove_incomplete(item, &new))?;
        let is_readable = match item.kind {
            Kind::Token => Ok(true),
            _ => self.show(item, &new).map(|shown| shown == *secret),
        };
        let is_in_store = self
            .path(item, &new)
            .is_some_and(|it| fs::entry_exists(&it));
        if !is_in_store || !matches!(is_readable, Ok(true)) {
            let _ = self.change(item, &["rm", "--force", "--", &new], &[]);
            return Err(match is_readable {
                Ok(true) => not_in_store(),
                Ok(false) => not_decrypted("it returns another text"),
                Err(KeychainError::Undecryptable(_, reason)) => not_decrypted(&reason),
                Err(other) => other,
            });
        }
        self.change(item, &["mv", "--force", "--", &new, &entry], &[])?;
        if item.kind == Kind::Token {
            self.tokens.delete_older(item, MAX_TOKEN_AGE);
        }
        Ok(())
    }

    fn delete(&self, item: &Item) -> Result<(), KeychainError> {
        if item.kind != Kind::Login {
            return self.tokens.delete(item);
        }
        if self.foreign().is_some() {
            return Ok(());
        }
        let entry = self.entry(item);
        // Of a process that was killed.
        self.remove_incomplete(item, &format!("{entry}~"));
        if !self.logins.exists(item) {
            return Ok(());
        }
        let deleted = self.change(item, &["rm", "--force", "--", &entry], &[]);
        match deleted {
            // It was deleted, but not yet committed.
            Err(KeychainError::Timeout(_)) if !self.logins.exists(item) => Ok(()),
            Err(error) if error.is_absent() => Err(KeychainError::Refused(error.to_string())),
            // `pass` does not notice that rm fails.
            Ok(()) if self.logins.exists(item) => Err(KeychainError::Refused(format!(
                "pass did not delete {entry}"
            ))),
            deleted => deleted,
        }
    }

    fn list(&self, kind: Kind) -> Result<Vec<ListedItem>, KeychainError> {
        match self.foreign() {
            Some(_) => Ok(Vec::new()),
            None => self.files(kind).list(kind),
        }
    }

    fn backend(&self, item: &Item) -> Result<Option<Backend>, KeychainError> {
        Ok(self.has(item).then_some(Backend::Pass))
    }
}

#[cfg(test)]
mod tests;
