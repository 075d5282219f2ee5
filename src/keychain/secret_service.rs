//! The Secret Service: GNOME Keyring, KWallet and KeePassXC over D-Bus
//! (freedesktop.org, Secret Service API 0.2).
//!
//! Uses `dbus-secret-service`, the layer below keyring's own store: that store waits for an
//! unlock dialog for up to a year, and a `get` must never show one.

use std::cell::Cell;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use dbus_secret_service::EncryptionType;
use dbus_secret_service::Error;
use dbus_secret_service::Item as StoredItem;
use dbus_secret_service::SecretService as Connection;

use super::Backend;
use super::Item;
use super::Keychain;
use super::KeychainError;
use super::Kind;
use super::ListedItem;
use super::Prompting;
use super::SCHEMA;
use super::bus_relay;
use super::session_bus;
use super::session_bus::BUS_ADDRESS;
use super::session_bus::RUNTIME_DIRECTORY;
use super::timeout_marker::TimeoutMarker;
use crate::digest;
use crate::environment::DISPLAY;
use crate::environment::Environment;
use crate::environment::WAYLAND_DISPLAY;
use crate::secret::Secret;
use crate::time::Clock;
use crate::time::SystemClock;
use crate::time::run_with_timeout;

const NAME: &str = "Secret Service (GNOME Keyring, KWallet or KeePassXC)";

/// The timeout of all calls together, except for dialogs.
const TIMEOUT: Duration = Duration::from_secs(3);

/// libdbus reports a timeout and a closed connection as the same error. Its timeout is 2 s,
/// so an error before this time means a closed connection.
const MIN_CALL_TIMEOUT: Duration = Duration::from_secs(1);

/// The timeout of an unlock dialog, in seconds.
const PROMPT_SECONDS: u64 = 60;

/// The age from which a token has certainly expired, in seconds.
const MAX_TOKEN_AGE: u64 = 24 * 60 * 60;

/// Errors of a program that owns the name of the Secret Service but does not implement it, or has
/// no collection: KeePassXC without an exposed group, old versions of KWallet. `Failed` is the
/// name that the `dbus` library gives to answers of wrong types.
const INVALID_ANSWERS: [&str; 8] = [
    "org.freedesktop.DBus.Error.Failed",
    "org.freedesktop.DBus.Error.InvalidArgs",
    "org.freedesktop.DBus.Error.InvalidSignature",
    "org.freedesktop.DBus.Error.UnknownInterface",
    "org.freedesktop.DBus.Error.UnknownMethod",
    "org.freedesktop.DBus.Error.UnknownObject",
    "org.freedesktop.DBus.Error.UnknownProperty",
    "org.freedesktop.Secret.Error.NoSuchObject",
];

/// The Secret Service on the session bus.
pub(super) struct SecretService {
    namespace: String,
    has_bus: bool,
    bus: Option<SocketAddr>,
    /// Why there is no service. It is not looked for again: on a slow machine, the calls of one
    /// command would take longer than [`TIMEOUT`].
    absence: RefCell<Option<KeychainError>>,
    prompt_seconds: u64,
    clock: SystemClock,
    /// What is left of [`TIMEOUT`].
    remaining: Cell<Duration>,
    connection: Arc<Mutex<Option<Connection>>>,
    is_connected: Cell<bool>,
    timeout_marker: TimeoutMarker,
}

impl std::fmt::Debug for SecretService {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SecretService")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl SecretService {
    pub(super) fn new(
        namespace: &str,
        environment: &Environment,
        state_directory: Option<&Path>,
        prompting: Prompting,
    ) -> Self {
        let has_display = environment.has(DISPLAY) || environment.has(WAYLAND_DISPLAY);
        let prompt_seconds = match prompting {
            Prompting::Allowed if has_display => PROMPT_SECONDS,
            _ => 0,
        };
        let has_bus = has_bus(environment);
        let no_bus = || KeychainError::Absent("no D-Bus session bus is running".into());
        Self {
            namespace: namespace.to_owned(),
            has_bus,
            absence: RefCell::new((!has_bus).then(no_bus)),
            // A relay belongs to this user and accepts one connection only.
            bus: session_bus::address(environment).filter(|_| !bus_relay::is_behind(environment)),
            prompt_seconds,
            clock: SystemClock::start(),
            remaining: Cell::new(TIMEOUT),
            connection: Arc::default(),
            is_connected: Cell::new(false),
            timeout_marker: TimeoutMarker::at(
                state_directory
                    .filter(|_| prompting == Prompting::Never)
                    .map(|directory| directory.join(timeout_marker_name(environment))),
            ),
        }
    }

    /// Returns whether there is a bus, on which there may be a Secret Service.
    pub(super) fn has_bus(&self) -> bool {
        self.has_bus
    }

    /// Calls the service, unless there is none.
    fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, KeychainError> {
        if let Some(absence) = &*self.absence.borrow() {
            return Err(absence.clone());
        }
        let answer = self.ask(work);
        if let Err(absence @ KeychainError::Absent(_)) = &answer {
            self.absence.replace(Some(absence.clone()));
        }
        answer
    }

    /// Connects if necessary and calls the service, within the remaining time.
    fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, KeychainError> {
        let remaining = self.remaining.get();
        if remaining.is_zero() || self.timeout_marker.is_recent(&self.clock) {
            return Err(KeychainError::Timeout(NAME));
        }
        if !self.is_connected.get() {
            self.reject_bus_of_another_user(remaining)?;
            let (connection, seconds) = (Arc::clone(&self.connection), self.prompt_seconds);
            self.run_with_timeout(remaining, move || connect(&connection, seconds))?;
            self.is_connected.set(true);
        }
        // Connecting shows no dialog, so only this call may take longer.
        let prompt = Duration::from_secs(self.prompt_seconds);
        let connection = Arc::clone(&self.connection);
        self.run_with_timeout(self.remaining.get() + prompt, move || {
            let connection = connection.lock().map_err(|_| Error::Unavailable)?;
            work(connection.as_ref().ok_or(Error::Unavailable)?)
        })
    }

    /// Returns an error if the bus belongs to another user. A bus accepts connections of root,
    /// who would then use that user's logins.
    fn reject_bus_of_another_user(&self, remaining: Duration) -> Result<(), KeychainError> {
        let Some(address) = self.bus.clone() else {
            return Ok(());
        };
        match self.run_with_timeout(remaining, move || Ok(session_bus::other_owner(&address)))? {
            None => Ok(()),
            Some(owner) => Err(KeychainError::Absent(format!(
                "the D-Bus session bus belongs to another user (user id {owner})"
            ))),
        }
    }

    /// Runs a call on a thread of its own, because it may hang. Subtracts its duration from the
    /// remaining time, unless the call can show a dialog.
    fn run_with_timeout<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, KeychainError> {
        let started = self.clock.elapsed();
        let answer = run_with_timeout(limit, work);
        let took = self.clock.elapsed() - started;
        if self.prompt_seconds == 0 {
            self.remaining
                .set(self.remaining.get().saturating_sub(took));
        }
        match answer {
            None => Err(self.record_timeout()),
            Some(answer) => answer.map_err(|error| self.classify(&error, took)),
        }
    }

    /// Makes this process and others skip the service for a while.
    fn record_timeout(&self) -> KeychainError {
        self.remaining.set(Duration::ZERO);
        self.timeout_marker.set(&self.clock);
        KeychainError::Timeout(NAME)
    }

    fn classify(&self, error: &Error, took: Duration) -> KeychainError {
        match error {
            Error::Locked | Error::Prompt => KeychainError::Locked(NAME),
            Error::NoResult => invalid_answer("it has no default collection"),
            Error::Unavailable => KeychainError::Absent("no Secret Service is available".into()),
            Error::Dbus(error) => self.classify_name(error.name().unwrap_or_default(), took),
            _ => invalid_answer("its answer cannot be read"),
        }
    }

    /// Classifies an error of D-Bus by its name. The texts are about D-Bus's internals.
    fn classify_name(&self, name: &str, took: Duration) -> KeychainError {
        let absent = |reason: &str| KeychainError::Absent(reason.to_owned());
        match name {
            "org.freedesktop.Secret.Error.IsLocked" => KeychainError::Locked(NAME),
            "org.freedesktop.DBus.Error.NoReply" if took < MIN_CALL_TIMEOUT => {
                absent("the D-Bus session bus closed the connection")
            }
            "org.freedesktop.DBus.Error.NoReply"
            | "org.freedesktop.DBus.Error.Timeout"
            | "org.freedesktop.DBus.Error.TimedOut" => self.record_timeout(),
            "org.freedesktop.DBus.Error.ServiceUnknown"
            | "org.freedesktop.DBus.Error.NameHasNoOwner" => {
                absent("no Secret Service is running on the session bus")
            }
            name if name.starts_with("org.freedesktop.DBus.Error.Spawn") => {
                absent("the Secret Service cannot be started")
            }
            "org.freedesktop.DBus.Error.FileNotFound"
            | "org.freedesktop.DBus.Error.NoServer"
            | "org.freedesktop.DBus.Error.NotSupported"
            | "org.freedesktop.DBus.Error.AccessDenied"
            | "org.freedesktop.DBus.Error.BadAddress"
            | "org.freedesktop.DBus.Error.Disconnected" => {
                absent("the D-Bus session bus cannot be reached")
            }
            name if INVALID_ANSWERS.contains(&name) => {
                invalid_answer(&format!("it answered {name}"))
            }
            name => KeychainError::Refused(format!("the {NAME} refused ({name})")),
        }
    }

    /// Returns the names and secrets of the items that `keyring` stored for another program,
    /// if their names have this suffix.
    pub(super) fn of_service(
        &self,
        service: &str,
        suffix: &'static str,
    ) -> Result<Vec<(String, Secret)>, KeychainError> {
        let attributes = HashMap::from([("service".to_owned(), service.to_owned())]);
        self.call(move |service| {
            let found = service.search_items(borrowed(&attributes))?;
            let mut items = Vec::new();
            for item in &found.unlocked {
                let name = item.get_attributes()?.remove("username");
                if let Some(name) = name.filter(|name| name.ends_with(suffix))
                    && let Ok(secret) = String::from_utf8(item.get_secret()?)
                {
                    items.push((name, Secret::new(secret)));
                }
            }
            Ok(items)
        })
    }

    /// Returns the items of a kind; `None` if there are more than `max_calls`, because each takes
    /// a call.
    fn list_within(
        &self,
        kind: Kind,
        max_calls: usize,
    ) -> Result<Option<Vec<ListedItem>>, KeychainError> {
        let attributes = self.attributes_of_kind(kind.name());
        self.call(move |service| {
            let found = service.search_items(borrowed(&attributes))?;
            if found.unlocked.len() + found.locked.len() > max_calls {
                return Ok(None);
            }
            let mut items = Vec::new();
            for item in found.unlocked.iter().chain(&found.locked) {
                let mut attributes = item.get_attributes()?;
                items.extend(attributes.remove("name").map(|name| ListedItem {
                    name,
                    username: attributes.remove("username"),
                }));
            }
            Ok(Some(items))
        })
    }

    fn attributes(&self, item: &Item) -> HashMap<String, String> {
        let mut attributes = self.attributes_of_kind(item.kind_name());
        attributes.insert("name".into(), item.name.clone());
        attributes
    }

    fn attributes_of_kind(&self, kind: &str) -> HashMap<String, String> {
        [
            ("application", SCHEMA),
            ("kind", kind),
            ("namespace", &self.namespace),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }
}

impl Keychain for SecretService {
    fn read(&self, item: &Item) -> Result<Option<Secret>, KeychainError> {
        let attributes = self.attributes(item);
        let bytes = self.call(move |service| {
            let mut found = service.search_items(borrowed(&attributes))?;
            if found.unlocked.is_empty() && !found.locked.is_empty() {
                service.unlock_all(&found.locked.iter().collect::<Vec<_>>())?;
                found.unlocked = found.locked;
            }
            newest(found.unlocked)
                .map(|item| item.get_secret())
                .transpose()
        })?;
        Ok(bytes
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .map(Secret::new))
    }

    fn write(
        &self,
        item: &Item,
        secret: &Secret,
        _lifetime: Option<Duration>,
    ) -> Result<(), KeychainError> {
        let identifying = self.attributes(item);
        let mut attributes = identifying.clone();
        if item.kind == Kind::Login {
            attributes.insert("registry".into(), item.name.clone());
            attributes.insert("username".into(), item.username.clone());
        }
        let siblings = self.attributes_of_kind(item.kind_name());
        let (label, secret, is_token) = (item.label(), secret.clone(), item.kind == Kind::Token);
        self.call(move |service| {
            let collection = service.get_default_collection()?;
            collection.ensure_unlocked()?;
            let previous = service.search_items(borrowed(&identifying))?.unlocked;
            let written = collection.create_item(
                &label,
                borrowed(&attributes),
                secret.expose().as_bytes(),
                true,
                "text/plain",
            )?;
            // Deleted after writing, so that a reader always finds one.
            for item in previous.iter().filter(|item| item.path != written.path) {
                item.delete()?;
            }
            if is_token {
                delete_expired_tokens(service, &siblings, &written)?;
            }
            Ok(())
        })
    }

    fn delete(&self, item: &Item) -> Result<(), KeychainError> {
        let attributes = self.attributes(item);
        self.call(move |service| {
            let found = service.search_items(borrowed(&attributes))?;
            if !found.locked.is_empty() {
                service.unlock_all(&found.locked.iter().collect::<Vec<_>>())?;
            }
            found
                .unlocked
                .iter()
                .chain(&found.locked)
                .try_for_each(StoredItem::delete)
        })
    }

    fn list(&self, kind: Kind) -> Result<Vec<ListedItem>, KeychainError> {
        let items = self.list_within(kind, usize::MAX)?;
        Ok(items.unwrap_or_default())
    }

    fn names_within(&self, kind: Kind, max_calls: usize) -> Option<BTreeSet<String>> {
        let items = self.list_within(kind, max_calls).ok()??.into_iter();
        Some(items.map(|item| item.name).collect())
    }

    fn backend(&self, item: &Item) -> Result<Option<Backend>, KeychainError> {
        Ok(self.read(item)?.map(|_| Backend::SecretService))
    }
}

fn invalid_answer(answer: &str) -> KeychainError {
    KeychainError::InvalidAnswer(NAME, answer.to_owned())
}

/// Connects. A connection is not used after a panic of a thread that had it locked, because
/// its state is unknown.
fn connect(connection: &Mutex<Option<Connection>>, prompt_seconds: u64) -> Result<(), Error> {
    let made = Connection::connect_with_max_prompt_timeout(EncryptionType::Dh, prompt_seconds)?;
    *connection.lock().map_err(|_| Error::Unavailable)? = Some(made);
    Ok(())
}

/// Returns the name of the file that marks a timeout. Each bus has its own file, because
/// another session's service may work. Behind a relay, the bus is that of the runtime
/// directory.
fn timeout_marker_name(environment: &Environment) -> String {
    let value = |name| environment.text(name).ok().flatten();
    let address = value(BUS_ADDRESS).filter(|address| !bus_relay::is_relay(address));
    let bus = [address, value(RUNTIME_DIRECTORY)].map(Option::unwrap_or_default);
    format!("secret-service-hung-{}", digest::fingerprint(&bus))
}

/// Returns whether there is a bus. Without one, libdbus would start one.
fn has_bus(environment: &Environment) -> bool {
    environment.has(BUS_ADDRESS)
        || matches!(environment.text(RUNTIME_DIRECTORY), Ok(Some(directory)) if Path::new(directory).join("bus").exists())
}

fn borrowed(attributes: &HashMap<String, String>) -> HashMap<&str, &str> {
    attributes
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

/// Returns the newest item. There is more than one only while another process replaces the
/// item, or after that process was killed.
fn newest(items: Vec<StoredItem<'_>>) -> Option<StoredItem<'_>> {
    match items.len() {
        0 | 1 => items.into_iter().next(),
        _ => items
            .into_iter()
            .max_by_key(|item| item.get_modified().unwrap_or(0)),
    }
}

/// Deletes the tokens that are much older than the one that was just written.
fn delete_expired_tokens(
    service: &Connection,
    siblings: &HashMap<String, String>,
    written: &StoredItem<'_>,
) -> Result<(), Error> {
    let now = written.get_modified()?;
    for item in service.search_items(borrowed(siblings))?.unlocked {
        if item.get_modified()?.saturating_add(MAX_TOKEN_AGE) < now {
            item.delete()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
