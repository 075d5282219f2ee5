//! Do keychains keep what they are given, and how fast?

use std::time::Duration;

use super::CheckContext;
use super::Diagnostic;
use crate::context::Context;
use crate::keychain::Item;
use crate::keychain::Keychain;
use crate::keychain::KeychainError;
use crate::secret::Secret;
use crate::settings::KeychainChoice;

/// As long as an access token, so that its size is tried, too.
const LENGTH: usize = 1600;

/// How long what is written is kept, should we die before it is taken out.
const LIFETIME: Duration = Duration::from_secs(60);

/// A keychain that takes longer than this makes people wait.
const SLOW: Duration = Duration::from_secs(1);

/// How much of a quota may be used without a warning, in percent.
const FULL: u64 = 80;

const ANOTHER: &str = "choose another keychain with ICR_KEYCHAIN";

/// What frees room in the kernel keyring.
const MAKE_ROOM: &str = "`keyctl show @us` lists the keys; `keyctl unlink KEY @us` removes one";

/// What has the program look for a keychain that is there.
const CHOOSE: &str = "ICR_KEYCHAIN=auto, or `keychain = \"auto\"` in the settings file";

/// Below the root: the users' quotas of keys (`keyrings(7)`).
const KEY_USERS: &str = "proc/key-users";

pub(super) fn check(patient: &CheckContext<'_>) -> Vec<Diagnostic> {
    if patient.settings_failure.is_some() {
        return Vec::new();
    }
    if patient.settings.keychain == KeychainChoice::None {
        return vec![Diagnostic::warning(
            "keychain",
            "the settings choose no keychain: no login is kept, and every `get` asks IAM",
            CHOOSE,
        )];
    }
    let keychains = match patient.keychains {
        Ok(keychains) => keychains,
        Err(failure) => return vec![Diagnostic::said("keychain", failure.to_string())],
    };
    let context = patient.context;
    let (logins, tokens) = (&*keychains.logins, &*keychains.tokens);
    let mut findings = vec![try_out("keychain-logins", "logins", logins, patient)];
    let wants_kernel =
        cfg!(target_os = "linux") && patient.settings.keychain == KeychainChoice::Auto;
    match keychains.tokens_are_near {
        true => findings.push(try_out("keychain-tokens", "tokens", tokens, patient)),
        false if wants_kernel => findings.push(Diagnostic::warning(
            "kernel-keyring",
            "the kernel keyring cannot be used here, so tokens rest with the logins, or nowhere",
            "allow the system calls keyctl, add_key and request_key in this container",
        )),
        false => {}
    }
    findings.extend(quota(context));
    findings
}

/// Writes, reads and deletes an item of our own.
fn try_out(
    check: &'static str,
    what: &str,
    keychain: &dyn Keychain,
    patient: &CheckContext<'_>,
) -> Diagnostic {
    let context = patient.context;
    let item = Item::probe(&format!("doctor-{:016x}", (context.random)()))
        .with_label("a trial of docker-credential-icr doctor", "nobody");
    let secret = Secret::new("x".repeat(LENGTH));
    let started = context.clock.elapsed();
    let written = keychain.write(&item, &secret, Some(LIFETIME));
    let holder = keychain.holder(&item).ok().flatten();
    let read = keychain.read(&item);
    let deleted = keychain.delete(&item);
    let took = context.clock.elapsed() - started;
    let place = holder.unwrap_or_default().described();
    match (written, read, deleted) {
        (Ok(()), Ok(Some(back)), Ok(())) if back == secret => {
            let milliseconds = took.as_secs_f64() * 1000.0;
            let seen = format!(
                "{what} rest in {place}; writing, finding, reading and deleting took {milliseconds:.1} ms"
            );
            match took > SLOW {
                false => Diagnostic::fine(check, seen),
                true => Diagnostic::warning(
                    check,
                    format!("{seen}, which is slow"),
                    "ICR_KEYCHAIN=kernel, if you need no Secret Service",
                ),
            }
        }
        (Ok(()), Ok(_), Ok(())) => Diagnostic::problem(
            check,
            format!("{what} rest in {place}, which does not give back what it was given"),
            ANOTHER,
        ),
        (written, read, deleted) => {
            let error = written.err().or(read.err()).or(deleted.err());
            let error = error.unwrap_or(KeychainError::Refused(String::new()));
            Diagnostic::problem(
                check,
                format!("{what} cannot be kept: {error}"),
                advice(&error, patient.settings.keychain),
            )
        }
    }
}

fn advice(error: &KeychainError, choice: KeychainChoice) -> &'static str {
    match (error, choice) {
        (KeychainError::Locked(_), _) => "log in to the desktop, or ICR_KEYCHAIN=kernel",
        (KeychainError::Timeout(_), _) => "restart it, or ICR_KEYCHAIN=kernel",
        (KeychainError::Absent(_), KeychainChoice::Auto) => {
            "give the API key in $IBMCLOUD_API_KEY, or install a Secret Service (gnome-keyring)"
        }
        (KeychainError::Absent(_), _) => CHOOSE,
        (KeychainError::QuotaExceeded(_), _) => MAKE_ROOM,
        (KeychainError::Refused(_), _) => ANOTHER,
    }
}

/// How much of the user's quota in the kernel is used.
fn quota(context: &Context<'_>) -> Option<Diagnostic> {
    const CHECK: &str = "kernel-quota";
    let text = std::fs::read_to_string(context.system_paths.root.join(KEY_USERS)).ok()?;
    let quota = Quota::of(&text, user()?)?;
    let seen = format!(
        "the kernel keyring holds {} of {} keys and {} of {} bytes",
        quota.keys, quota.most_keys, quota.bytes, quota.most_bytes
    );
    Some(match quota.is_nearly_used() {
        false => Diagnostic::fine(CHECK, seen),
        true => Diagnostic::warning(
            CHECK,
            format!("{seen}; when it is full, tokens are given up"),
            MAKE_ROOM,
        ),
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

/// A user's line of `/proc/key-users` (`proc_key-users(5)`).
#[derive(Debug, Eq, PartialEq)]
struct Quota {
    keys: u64,
    most_keys: u64,
    bytes: u64,
    most_bytes: u64,
}

impl Quota {
    /// `1000:    12 12/12 8/200 1500/20000`.
    fn of(text: &str, user: u32) -> Option<Self> {
        let fraction = |text: &str| {
            let (used, most) = text.split_once('/')?;
            Some((used.parse().ok()?, most.parse().ok()?))
        };
        text.lines().find_map(|line| {
            let (id, rest) = line.split_once(':')?;
            if id.trim().parse() != Ok(user) {
                return None;
            }
            let fields: Vec<&str> = rest.split_whitespace().collect();
            let (keys, most_keys) = fraction(fields.get(2)?)?;
            let (bytes, most_bytes) = fraction(fields.get(3)?)?;
            Some(Self {
                keys,
                most_keys,
                bytes,
                most_bytes,
            })
        })
    }

    fn is_nearly_used(&self) -> bool {
        let is_full = |used: u64, most: u64| used.saturating_mul(100) >= most.saturating_mul(FULL);
        is_full(self.keys, self.most_keys) || is_full(self.bytes, self.most_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_mends_a_keychain_depends_on_what_is_wrong_and_what_was_chosen() {
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
            let advice = advice(&error, choice);
            assert!(advice.contains(part), "{error:?}: {advice}");
        }
    }

    #[test]
    fn a_users_quota_is_read_from_the_kernels_list() {
        let text =
            "    0:    79 78/78 47/1000000 1020/25000000\n 1000:    12 12/12 8/200 16000/20000\n";
        let quota = Quota::of(text, 1000).unwrap();
        assert_eq!((quota.keys, quota.most_keys), (8, 200));
        assert_eq!((quota.bytes, quota.most_bytes), (16_000, 20_000));
        assert!(quota.is_nearly_used());
        assert!(!Quota::of(text, 0).unwrap().is_nearly_used());
        for (text, user) in [(text, 7), ("garbage", 0), ("0: 1 1/1 x/y 1/2", 0)] {
            assert_eq!(Quota::of(text, user), None);
        }
    }
}
