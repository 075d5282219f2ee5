//! Checks that keychains store items, and how fast.

use std::borrow::Cow;
use std::time::Duration;

use super::CheckContext;
use super::Diagnostic;
use crate::context::Context;
use crate::keychain::Backend;
use crate::keychain::Item;
use crate::keychain::Keychain;
use crate::keychain::KeychainError;
use crate::keychain::Prompting;
use crate::keychain::key_quota::KeyQuota;
use crate::keychain::key_quota::MAX_SHARE;
use crate::secret::Secret;
use crate::settings::KeychainChoice;
use crate::settings::Settings;

/// The length of the test item, in bytes: about that of an access token.
const TEST_LENGTH: usize = 1600;

/// The lifetime of the test item, in case this program ends before it deletes it.
const TEST_LIFETIME: Duration = Duration::from_secs(60);

/// A keychain is slow if the four operations together take this long.
const SLOW: Duration = Duration::from_secs(1);

/// The fix for a keychain that does not work.
const SELECT_ANOTHER: &str = "Select another keychain with $ICR_KEYCHAIN";

/// The fix for a full kernel keyring.
const FREE_QUOTA: &str =
    "List the keys with 'keyctl show @us', and remove one with 'keyctl unlink KEY @us'";

/// The fix for a selected keychain that does not exist.
const SELECT_AUTO: &str = "Set ICR_KEYCHAIN=auto, or `keychain = \"auto\"` in the settings file";

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
    let (tested, used) = test_keychain("keychain-logins", "logins", logins, context);
    let mut diagnostics = vec![tested];
    let wants_kernel =
        cfg!(target_os = "linux") && context.settings.keychain == KeychainChoice::Auto;
    if keychains.cache_is_local {
        diagnostics.push(test_keychain("keychain-tokens", "tokens", tokens, context).0);
    } else if wants_kernel {
        diagnostics.push(Diagnostic::warning(
            "kernel-keyring",
            "the kernel keyring is not available, so tokens are cached in the keychain of the logins or not at all",
            "Allow the system calls keyctl, add_key and request_key in this container",
        ));
    }
    if wants_kernel {
        diagnostics.extend(unused_keychains(used, context));
    }
    diagnostics.extend(quota(context.context));
    diagnostics
}

/// Returns why the keychains that `auto` prefers are not used: a warning for one that exists here,
/// because the person who set it up expects that it is used.
fn unused_keychains(used: Option<Backend>, context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let preferred = [
        (Backend::SecretService, KeychainChoice::SecretService),
        (Backend::SystemdCreds, KeychainChoice::SystemdCreds),
        (Backend::Pass, KeychainChoice::Pass),
    ];
    let before = preferred
        .iter()
        .take_while(|(backend, _)| Some(*backend) != used);
    let diagnostics = before.filter_map(|(backend, choice)| {
        let error = write_error(*choice, context)?;
        let check = match backend {
            Backend::SecretService => "secret-service",
            Backend::SystemdCreds => "systemd-creds",
            _ => "pass",
        };
        if matches!(error, KeychainError::InvalidAnswer(..)) {
            return Some(Diagnostic::warning(
                check,
                format!("{error}, so another keychain stores logins"),
                error.fix(),
            ));
        }
        let text = format!("not used ({}): {error}", backend.title());
        Some(if error.is_missing() {
            Diagnostic::ok(check, text)
        } else {
            Diagnostic::warning(check, text, error.fix())
        })
    });
    diagnostics.collect()
}

/// Returns the error of writing a test item into a keychain, if there is one.
fn write_error(choice: KeychainChoice, context: &CheckContext<'_>) -> Option<KeychainError> {
    let mut settings: Settings = context.settings.clone();
    settings.keychain = choice;
    let item =
        Item::probe("doctor").with_label("test item of docker-credential-icr doctor", "test");
    let keychains = (context.context.open_keychains)(&settings, Prompting::Never).ok()?;
    let logins = &keychains.logins;
    let written = logins.write(&item, &Secret::new("test"), Some(TEST_LIFETIME));
    let _ = logins.delete(&item);
    written.err()
}

/// Writes, reads and deletes a test item. Returns also the keychain that stored it.
fn test_keychain(
    check: &'static str,
    what: &str,
    keychain: &dyn Keychain,
    context: &CheckContext<'_>,
) -> (Diagnostic, Option<Backend>) {
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
    let diagnostic = match (written, read, deleted) {
        (Ok(()), Ok(Some(value)), Ok(())) if value == secret => {
            let milliseconds = took.as_secs_f64() * 1000.0;
            let message = format!(
                "{what} are stored in {place}; write, find, read and delete took {milliseconds:.1} ms"
            );
            if took > SLOW {
                Diagnostic::warning(
                    check,
                    format!("{message}, which is slow"),
                    "Set ICR_KEYCHAIN=kernel if logins need not outlast a reboot",
                )
            } else {
                Diagnostic::ok(check, message)
            }
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
    };
    (diagnostic, backend)
}

fn fix(error: &KeychainError, choice: KeychainChoice) -> Cow<'static, str> {
    let text = match (error, choice) {
        (KeychainError::Locked(_), _) => "Log in to the desktop, or set ICR_KEYCHAIN=kernel",
        (KeychainError::Timeout("pass" | "systemd-creds"), _) => return error.fix(),
        (KeychainError::Timeout(_), _) => "Restart it, or set ICR_KEYCHAIN=kernel",
        (KeychainError::Absent(_), KeychainChoice::Auto) | (KeychainError::Unavailable(_), _) => {
            "Set $IBMCLOUD_API_KEY to an API key, or install a Secret Service (gnome-keyring)"
        }
        (KeychainError::Absent(_) | KeychainError::Disabled | KeychainError::Unsupported, _) => {
            SELECT_AUTO
        }
        (KeychainError::QuotaExceeded(_), _) => FREE_QUOTA,
        (
            KeychainError::InvalidAnswer(..)
            | KeychainError::Refused(_)
            | KeychainError::TooLarge(..),
            _,
        ) => SELECT_ANOTHER,
        (
            KeychainError::LockedKey(_)
            | KeychainError::NotInitialized(_)
            | KeychainError::Unusable(..)
            | KeychainError::Undecryptable(..),
            _,
        ) => return error.hint().unwrap_or(SELECT_ANOTHER.into()),
    };
    Cow::Borrowed(text)
}

/// Checks the user's quota of keys in the kernel.
fn quota(context: &Context<'_>) -> Option<Diagnostic> {
    const CHECK: &str = "kernel-quota";
    let quota = KeyQuota::of_user(&context.system_paths.root, user()?)?;
    let message = format!(
        "the kernel keyring uses {} of {} keys and {} of {} bytes",
        quota.keys, quota.max_keys, quota.bytes, quota.max_bytes
    );
    Some(if quota.allows_tokens(0, 0) {
        Diagnostic::ok(CHECK, message)
    } else {
        let message = format!(
            "{message}; above {MAX_SHARE} %, no tokens are cached, so that containers can still be started"
        );
        Diagnostic::warning(CHECK, message, FREE_QUOTA)
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
}
