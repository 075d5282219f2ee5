//! Keychains, where the system stores secrets: one trait, a file for each keychain, and
//! [`open()`], which selects them.
//!
//! Logins are stored in a durable keychain. Tokens expire within the hour and are cached
//! where reading is fast, if possible in a keychain that deletes them at their expiry.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use crate::secret::Secret;

mod backend;
#[cfg(target_os = "linux")]
pub mod bus_relay;
#[cfg(target_os = "linux")]
mod decryptions;
mod error;
mod item;
#[cfg(target_os = "linux")]
mod item_files;
#[cfg(target_os = "linux")]
mod kernel;
pub mod key_quota;
#[cfg(target_os = "linux")]
mod layered;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(target_os = "macos", windows, test))]
mod native;
mod none;
#[cfg(target_os = "linux")]
mod own_hints;
#[cfg(target_os = "linux")]
mod pass;
#[cfg(target_os = "linux")]
mod program;
#[cfg(target_os = "linux")]
pub mod seal;
#[cfg(target_os = "linux")]
mod secret_service;
#[cfg(target_os = "linux")]
mod session_bus;
#[cfg(target_os = "linux")]
mod systemd_creds;
#[cfg(target_os = "linux")]
mod timeout_marker;
#[cfg(target_os = "linux")]
mod token_files;
mod traced;
#[cfg(target_os = "linux")]
mod user_namespace;

#[cfg(test)]
pub(crate) mod memory;
#[cfg(test)]
pub(crate) use native::tests as native_tests;

pub use backend::Backend;
pub use backend::Selection;
pub use error::KeychainError;
pub use item::Item;
pub use item::Kind;
pub use item::ListedItem;

/// A keychain that exists here but did not store an item, so that the next one did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SkippedKeychain {
    /// The keychain.
    pub backend: Backend,
    /// Why it was skipped.
    pub error: KeychainError,
}

/// The prefix of the names of all items. Not the name of the program alone, because an
/// older program stores items under that.
const SCHEMA: &str = "docker-credential-icr.v1";

/// A store of the user's secrets.
///
/// Writing replaces an item; a reader at the same time gets the old or the new secret.
/// Reading or deleting a missing item is no error. Calls show a dialog and wait for a
/// person only if the keychain was opened with [`Prompting::Allowed`].
pub trait Keychain: fmt::Debug {
    /// Returns the secret of an item; `None` if it is not stored.
    ///
    /// # Errors
    /// See [`KeychainError`].
    fn read(&self, item: &Item) -> Result<Option<Secret>, KeychainError>;

    /// Stores the secret of an item. Keychains that can delete items by themselves do so
    /// after `lifetime`.
    ///
    /// # Errors
    /// See [`KeychainError`]. The previous secret is kept.
    fn write(
        &self,
        item: &Item,
        secret: &Secret,
        lifetime: Option<Duration>,
    ) -> Result<(), KeychainError>;

    /// Deletes an item.
    ///
    /// # Errors
    /// See [`KeychainError`].
    fn delete(&self, item: &Item) -> Result<(), KeychainError>;

    /// Returns the items of a kind. Their secrets are not read, so some keychains can do
    /// this while they are locked.
    ///
    /// # Errors
    /// See [`KeychainError`].
    fn list(&self, kind: Kind) -> Result<Vec<ListedItem>, KeychainError>;

    /// Returns the logins.
    ///
    /// # Errors
    /// See [`KeychainError`].
    fn logins(&self) -> Result<Vec<ListedItem>, KeychainError> {
        self.list(Kind::Login)
    }

    /// Deletes all tokens and hints, whichever login they belong to.
    ///
    /// # Errors
    /// See [`KeychainError`].
    fn delete_short_lived(&self) -> Result<(), KeychainError> {
        self.delete_all(Kind::Hint)?;
        self.delete_all(Kind::Token)?;
        self.remove_unused();
        Ok(())
    }

    /// Deletes all items of a kind.
    ///
    /// # Errors
    /// See [`KeychainError`].
    fn delete_all(&self, kind: Kind) -> Result<(), KeychainError> {
        let mut items = self.list(kind)?.into_iter();
        items.try_for_each(|listed| self.delete(&Item::new(kind, &listed.name)))
    }

    /// Returns the names of the items of a kind, if a list of them takes at most `max_calls`
    /// calls. `None` is no error: each item can still be read.
    fn names_within(&self, _kind: Kind, _max_calls: usize) -> Option<BTreeSet<String>> {
        None
    }

    /// Deletes the keychain's own data if it contains no items any more. Nothing may be
    /// written afterwards.
    fn remove_unused(&self) {}

    /// Returns the keychain that stores an item; `None` if it is not stored.
    ///
    /// # Errors
    /// See [`KeychainError`].
    fn backend(&self, item: &Item) -> Result<Option<Backend>, KeychainError>;

    /// Returns the keychains that [`Keychain::write`] has skipped because they do not work.
    fn skipped(&self) -> Vec<SkippedKeychain> {
        Vec::new()
    }
}

/// Whether a keychain may ask the person to unlock it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Prompting {
    /// A person has just run a command that stores or deletes something.
    Allowed,
    /// A client runs the program, so no dialog may appear.
    Never,
}

/// The two keychains of one run.
#[derive(Debug)]
pub struct Keychains {
    /// The keychain of logins.
    pub logins: Box<dyn Keychain>,
    /// The keychain of cached tokens; it may be the same one.
    pub tokens: Box<dyn Keychain>,
    /// Whether reading from `tokens` is so much faster than from `logins` that hints
    /// about logins are stored there.
    pub cache_is_local: bool,
}

/// The directories of keychains that store something in files.
#[derive(Clone, Debug, Default)]
pub struct KeychainDirectories {
    /// The directory of files that mark a timeout of a keychain.
    pub marks: Option<PathBuf>,
    /// The directory of this user's encrypted logins.
    pub logins: Option<PathBuf>,
    /// The directory of root's encrypted logins, if it is another one: `sudo` may keep the home
    /// directory of a user.
    pub logins_of_root: Option<PathBuf>,
}

#[cfg(target_os = "linux")]
pub use linux::open;

/// Opens the selected keychains.
///
/// # Errors
/// The selected keychain does not exist on this system.
#[cfg(any(target_os = "macos", windows))]
pub fn open(
    selection: Selection,
    namespace: &str,
    _environment: &crate::environment::Environment,
    _directories: &KeychainDirectories,
    prompting: Prompting,
) -> Result<Keychains, KeychainError> {
    const OURS: Backend = if cfg!(windows) {
        Backend::Windows
    } else {
        Backend::Macos
    };
    match selection {
        Selection::Auto | Selection::Backend(OURS) => {
            let native = native::platform(namespace, prompting)?;
            let native = std::rc::Rc::new(traced::Traced::new("system's keychain", native));
            Ok(Keychains {
                logins: Box::new(std::rc::Rc::clone(&native)),
                tokens: Box::new(native),
                cache_is_local: false,
            })
        }
        Selection::None => Ok(none::keychains()),
        _ => Err(KeychainError::Unsupported),
    }
}

/// Returns the items of another service: those whose names end with `suffix` where the
/// keychain can search, otherwise those with these `names`.
///
/// # Errors
/// See [`KeychainError`].
#[cfg(target_os = "linux")]
pub(crate) fn items_of_service(
    service: &'static str,
    suffix: &'static str,
    _names: &[String],
    environment: &crate::environment::Environment,
    state_directory: Option<&Path>,
) -> Result<Vec<(String, Secret)>, KeychainError> {
    use secret_service::SecretService;

    let keychain = SecretService::new("", environment, state_directory, Prompting::Never);
    match keychain.of_service(service, suffix) {
        Err(error) if error.is_absent() => Ok(Vec::new()),
        items => items,
    }
}

/// Returns the items of another service: those whose names end with `suffix` where the
/// keychain can search, otherwise those with these `names`.
///
/// # Errors
/// See [`KeychainError`].
#[cfg(any(target_os = "macos", windows))]
pub(crate) fn items_of_service(
    service: &'static str,
    _suffix: &'static str,
    names: &[String],
    _environment: &crate::environment::Environment,
    _state_directory: Option<&Path>,
) -> Result<Vec<(String, Secret)>, KeychainError> {
    native::of_service(service, names)
}

impl<K: Keychain + ?Sized> Keychain for std::rc::Rc<K> {
    fn read(&self, item: &Item) -> Result<Option<Secret>, KeychainError> {
        (**self).read(item)
    }

    fn write(
        &self,
        item: &Item,
        secret: &Secret,
        lifetime: Option<Duration>,
    ) -> Result<(), KeychainError> {
        (**self).write(item, secret, lifetime)
    }

    fn delete(&self, item: &Item) -> Result<(), KeychainError> {
        (**self).delete(item)
    }

    fn list(&self, kind: Kind) -> Result<Vec<ListedItem>, KeychainError> {
        (**self).list(kind)
    }

    fn delete_all(&self, kind: Kind) -> Result<(), KeychainError> {
        (**self).delete_all(kind)
    }

    fn names_within(&self, kind: Kind, max_calls: usize) -> Option<BTreeSet<String>> {
        (**self).names_within(kind, max_calls)
    }

    fn remove_unused(&self) {
        (**self).remove_unused();
    }

    fn backend(&self, item: &Item) -> Result<Option<Backend>, KeychainError> {
        (**self).backend(item)
    }

    fn skipped(&self) -> Vec<SkippedKeychain> {
        (**self).skipped()
    }
}
