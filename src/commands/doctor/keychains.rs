//! Checks that keychains store items, and how fast.

use std::time::Duration;

use super::CheckContext;
use super::Diagnostic;
use crate::context::Context;
use crate::keychain::Backend;
use crate::keychain::Item;
use crate::keychain::Keychain;
use crate::keychain::KeychainError;
use crate::secret::Secret;
use crate::settings::KeychainChoice;

/// The length of the test item, in bytes: about that of an access token.
const TEST_LENGTH: usize = 1600;

/// The lifetime of the test item, in case this program ends before it deletes it.
const TEST_LIFETIME: Duration = Duration::from_secs(60);

/// A keychain is slow if the four operations together take this long.
const SLOW: Duration = Duration::from_secs(1);

/// A quota that is used to this percentage causes a warning.
const QUOTA_WARNING: u64 = 80;

/// The fix for a keychain that does not work.
const SELECT_ANOTHER: &str = "Select another keychain with $ICR_KEYCHAIN";

/// The fix for a full kernel keyring.
const FREE_QUOTA: &str =
    "List the keys with 'keyctl show @us', and remove one with 'keyctl unlink KEY @us'";

/// The fix for a selected keychain that does not exist.
const SELECT_AUTO: &str = "Set ICR_KEYCHAIN=auto, or `keychain = \"auto\"` in the settings file";

/// The users' quotas of keys (`keyrings(7)`), below the root directory.
const KEY_USERS: &str = "proc/key-users";

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    if context.settings_error.is_some() {
        return vec![Diagnostic::skipped("keychain")];
    }
    if context.settings.keychain == KeychainChoice::None {
        return vec![Diagnostic::warning(
            "keychain",
            "no keychain is selected: logins cannot be stored, and each `get` requests a token",
            SELECT_AUTO,
        )];
    }
    let keychains = match context.keychains {
        Ok(keychains) => keychains,
        Err(error) => return vec![Diagnostic::error("keychain", error)],
    };
    let (logins, tokens) = (&*keychains.logins, &*keychains.tokens);
    let mut diagnostics = vec![test_keychain("keychain-logins", "logins", logins, context)];
    let wants_kernel =
        cfg!(target_os = "linux") && context.settings.keychain == KeychainChoice::Auto;
    if keychains.cache_is_local {
        diagnostics.push(test_keychain("keychain-tokens", "tokens", tokens, context));
    } else if wants_kernel {
        diagnostics.push(Diagnostic::warning(
            "kernel-keyring",
            "the kernel keyring is not available, so tokens are cached in the keychain of the logins or not at all",
            "Allow the system calls keyctl, add_key and request_key in this container",
        ));
    }
    diagnostics.extend(quota(context.context));
    diagnostics
}

/// Writes, reads and deletes a test item.
fn test_keychain(
    check: &'static str,
    what: &str,
    keychain: &dyn Keychain,
    context: &CheckContext<'_>,
) -> Diagnostic {
    let choice = context.settings.keychain;
    let context = context.context;
    let item = Item::probe(&format!("doctor-{:016x}", (context.random)()))
        .with_label("test item of docker-credential-icr doctor", "test");
    let secret = Secret::new("x".repeat(TEST_LENGTH));
    let started = context.clock.elapsed();
    let written = keychain.write(&item, &secret, Some(TEST_LIFETIME));
    let backend = keychain.backend(&item).ok().flatten();
    let read = keychain.read(&item);
    let deleted = keychain.delete(&item);
    let took = context.clock.elapsed() - started;
    let place = backend.map_or("the system's keychain", Backend::described);
    match (written, read, deleted) {
        (Ok(()), Ok(Some(value)), Ok(())) if value == secret => {
            let milliseconds = took.as_secs_f64() * 1000.0;
            let message = format!(
                "{what} are stored in {place}; write, find, read and delete took {milliseconds:.1} ms"
            );
            if took > SLOW {
                return Diagnostic::warning(
                    check,
                    format!("{message}, which is slow"),
                    "Set ICR_KEYCHAIN=kernel if you do not need the Secret Service",
                );
            }
            Diagnostic::ok(check, message)
        }
        (Ok(()), Ok(_), Ok(())) => Diagnostic::problem(
            check,
            format!("{what} are stored in {place}, which does not return what was written"),
            SELECT_ANOTHER,
        ),
        (written, read, deleted) => {
            let error = written.err().or(read.err()).or(deleted.err());
            let error = error.unwrap_or(KeychainError::Refused(String::new()));
            Diagnostic::problem(
                check,
                format!("cannot store {what}: {error}"),
                fix(&error, choice),
            )
        }
    }
}

fn fix(error: &KeychainError, choice: KeychainChoice) -> &'static str {
    match (error, choice) {
        (KeychainError::Locked(_), _) => "Log in to the desktop, or set ICR_KEYCHAIN=kernel",
        (KeychainError::Timeout(_), _) => "Restart it, or set ICR_KEYCHAIN=kernel",
        (KeychainError::Absent(_), KeychainChoice::Auto) | (KeychainError::Unavailable(_), _) => {
            "Set $IBMCLOUD_API_KEY to an API key, or install a Secret Service (gnome-keyring)"
        }
        (KeychainError::Absent(_) | KeychainError::Disabled | KeychainError::Unsupported, _) => {
            SELECT_AUTO
        }
        (KeychainError::QuotaExceeded(_), _) => FREE_QUOTA,
        (KeychainError::Refused(_), _) => SELECT_ANOTHER,
    }
}

/// Checks the user's quota of keys in the kernel.
fn quota(context: &Context<'_>) -> Option<Diagnostic> {
    const CHECK: &str = "kernel-quota";
    let text = std::fs::read_to_string(context.system_paths.root.join(KEY_USERS)).ok()?;
    let quota = Quota::of(&text, user()?)?;
    let message = format!(
        "the kernel keyring uses {} of {} keys and {} of {} bytes",
        quota.keys, quota.max_keys, quota.bytes, quota.max_bytes
    );
    Some(if quota.is_nearly_used() {
        let message = format!("{message}; tokens are not cached when it is full");
        Diagnostic::warning(CHECK, message, FREE_QUOTA)
    } else {
        Diagnostic::ok(CHECK, message)
    })
}

#[cfg(unix)]
fn user() -> Option<u32> {
    Some(nix::unistd::Uid::effective().as_raw())
}

#[cfg(not(unix))]
fn user() -> Option<u32> {
    None
}

/// A user's line in `/proc/key-users` (`proc_key-users(5)`).
#[derive(Debug, Eq, PartialEq)]
struct Quota {
    keys: u64,
    max_keys: u64,
    bytes: u64,
    max_bytes: u64,
}

impl Quota {
    /// Reads the user's line: `1000:    12 12/12 8/200 1500/20000`.
    fn of(text: &str, user: u32) -> Option<Self> {
        let fraction = |text: &str| {
            let (used, max) = text.split_once('/')?;
            Some((used.parse().ok()?, max.parse().ok()?))
        };
        text.lines().find_map(|line| {
            let (id, rest) = line.split_once(':')?;
            if id.trim().parse() != Ok(user) {
                return None;
            }
            let fields: Vec<&str> = rest.split_whitespace().collect();
            let (keys, max_keys) = fraction(fields.get(2)?)?;
            let (bytes, max_bytes) = fraction(fields.get(3)?)?;
            Some(Self {
                keys,
                max_keys,
                bytes,
                max_bytes,
            })
        })
    }

    fn is_nearly_used(&self) -> bool {
        let is_full =
            |used: u64, max: u64| used.saturating_mul(100) >= max.saturating_mul(QUOTA_WARNING);
        is_full(self.keys, self.max_keys) || is_full(self.bytes, self.max_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fix_depends_on_the_error_and_on_the_selected_keychain() {
        let absent = || KeychainError::Absent(String::new());
        for (error, choice, part) in [
            (absent(), KeychainChoice::Auto, "gnome-keyring"),
            (absent(), KeychainChoice::SecretService, "ICR_KEYCHAIN=auto"),
            (absent(), KeychainChoice::Kernel, "ICR_KEYCHAIN=auto"),
            (
                KeychainError::QuotaExceeded(""),
                KeychainChoice::Auto,
                "keyctl unlink",
            ),
            (
                KeychainError::Refused(String::new()),
                KeychainChoice::Auto,
                "another keychain",
            ),
        ] {
            let fix = fix(&error, choice);
            assert!(fix.contains(part), "{error:?}: {fix}");
        }
    }

    #[test]
    fn the_quota_of_a_user_is_read_from_the_key_users_file() {
        let text =
            "    0:    79 78/78 47/1000000 1020/25000000\n 1000:    12 12/12 8/200 16000/20000\n";
        let quota = Quota::of(text, 1000).unwrap();
        assert_eq!((quota.keys, quota.max_keys), (8, 200));
        assert_eq!((quota.bytes, quota.max_bytes), (16_000, 20_000));
        assert!(quota.is_nearly_used());
        assert!(!Quota::of(text, 0).unwrap().is_nearly_used());
        for (text, user) in [(text, 7), ("garbage", 0), ("0: 1 1/1 x/y 1/2", 0)] {
            assert_eq!(Quota::of(text, user), None);
        }
    }
}
