//! API keys that this program creates in IAM, and the exchange of API keys.

use std::time::Duration;

use super::login_context::LoginContext;
use super::scopes::login_for;
use crate::PROGRAM;
use crate::credentials::CredentialInfo;
use crate::error::Error;
use crate::error::Result;
use crate::error::one_line;
use crate::http::ServiceError;
use crate::iam::TokenResponse;
use crate::iam::api_keys::CreatedApiKey;
use crate::iam::api_keys::NewApiKey;
use crate::iam::grant::Grant;
use crate::iam::owner::Owner;
use crate::iam::owner::OwnerKind;
use crate::login::IssuedKey;
use crate::secret::Secret;
use crate::sources::Origin;
use crate::time;
use crate::time::Deadline;

/// A day in seconds.
pub(super) const DAY: u64 = 24 * 60 * 60;

/// How long before the expiry of an API key warnings start, in seconds.
const WARNING_PERIOD: u64 = 14 * DAY;

/// How many days a new key is valid by default.
pub(super) const DEFAULT_DAYS: u32 = 90;

/// The maximum lifetime of a new key, in days.
const MAX_DAYS: u32 = 3650;

/// The maximum length of the machine's name in a key's name, in characters.
const MAX_NAME_LENGTH: usize = 100;

/// How long the exchange of a new key is retried. It takes some seconds until all servers of
/// IAM accept a new key.
const NEW_KEY_TIMEOUT: Duration = Duration::from_secs(10);

/// The wait before the first retry. Each further wait is longer by the same time.
const PAUSE: Duration = Duration::from_secs(1);

/// Parses a number of days: `30` or `30d`.
pub(super) fn days(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('d').unwrap_or(text);
    match number.parse() {
        Ok(days) if (1..=MAX_DAYS).contains(&days) => Ok(days),
        _ => Err(format!("must be a number of days from 1 to {MAX_DAYS}")),
    }
}

/// Returns whether IAM creates API keys for this identity.
pub(super) fn can_have_api_keys(owner: &Owner) -> bool {
    owner.kind != OwnerKind::Profile && owner.account.is_some()
}

/// Creates an API key for the owner of the access token. Returns it with a token that was
/// exchanged for it, which shows that it works.
///
/// # Errors
/// IAM does not create it, or it does not work and was deleted again.
pub(super) fn create(
    login_context: &LoginContext<'_>,
    access_token: &Secret,
    owner: Option<&Owner>,
    days: u32,
) -> Result<(CreatedApiKey, TokenResponse)> {
    let owner = owner.filter(|owner| can_have_api_keys(owner));
    let (owner, account_id) = owner
        .and_then(|owner| Some((owner, owner.account.as_deref()?)))
        .ok_or_else(|| {
            Error::user("IAM creates API keys only for users and service IDs of an account, and none while a trusted profile is applied")
                .with_hint("Log in without --create-api-key, or without the profile")
        })?;
    let machine = (login_context.broker.context.machine_name)()
        .unwrap_or_else(|| "an unnamed machine".into());
    let name = format!("{PROGRAM} on {}", one_line(&machine, MAX_NAME_LENGTH));
    let now = login_context.broker.context.clock.now();
    let request = NewApiKey {
        name: &name,
        description: &format!(
            "Created by {PROGRAM} {} on {}",
            env!("CARGO_PKG_VERSION"),
            time::day(now)
        ),
        iam_id: &owner.iam_id,
        account_id,
        expires_at: now + u64::from(days) * DAY,
    };
    let _progress = login_context.progress("Creating an API key in IAM");
    let created = login_context.iam().create_api_key(access_token, &request);
    let created = created.map_err(|error| creation_error(error, &name, login_context))?;
    match exchange_new(login_context, &created.key) {
        Ok(issued) => Ok((created, issued)),
        Err(error) => {
            let outcome = delete_unused(login_context, access_token, &created);
            Err(error.with_note(&outcome))
        }
    }
}

fn creation_error(error: ServiceError, name: &str, login_context: &LoginContext<'_>) -> Error {
    match error {
        ServiceError::Rejected {
            message,
            code,
            status,
        } => {
            let code = code.map(|code| format!("{code}, ")).unwrap_or_default();
            Error::user(format!(
                "cannot create an API key: IAM rejected it ({code}HTTP {status}): {message}"
            ))
            .with_hint(creation_hint(&message))
        }
        error => {
            let error = error.with_source("a new API key", &login_context.endpoint);
            let name_of_key = format!(
                ". If IAM created it anyway, it is named '{name}' at https://cloud.ibm.com/iam/apikeys"
            );
            error.with_note(&name_of_key)
        }
    }
}

/// Returns what to do if IAM does not create a key. IBM documents no codes for these reasons, so
/// the words of its message choose the hint.
fn creation_hint(message: &str) -> &'static str {
    let words = message.to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    if has(&["limit", "maximum", "too many", "exceed", "quota"]) {
        "An identity can have 20 API keys at most. Delete those that are not used at https://cloud.ibm.com/iam/apikeys, or log in with one that exists, without --create-api-key"
    } else if has(&["profile"]) {
        "No API key can be created while a trusted profile is applied. Log in to IBM Cloud without the profile, or leave out --create-api-key"
    } else {
        "Check whether your account allows API keys"
    }
}

/// Deletes a key that is not used. Returns the outcome as a sentence to append to an error.
pub(super) fn delete_unused(
    login_context: &LoginContext<'_>,
    access_token: &Secret,
    key: &CreatedApiKey,
) -> String {
    match login_context.iam().delete_api_key(access_token, &key.id) {
        Ok(()) => ". The new API key was deleted again".into(),
        Err(error) => {
            let error = error.with_source("the new API key", &login_context.endpoint);
            format!(
                ". The new API key '{}' ({}) still exists ({error}). Delete it at https://cloud.ibm.com/iam/apikeys",
                key.name, key.id
            )
        }
    }
}

/// Exchanges an API key for a token.
pub(super) fn exchange(
    login_context: &LoginContext<'_>,
    key: &Secret,
) -> Result<TokenResponse, ServiceError> {
    login_context.iam().exchange(&Grant::ApiKey {
        key,
        for_refresh_token: false,
    })
}

/// Exchanges an API key once, while a person waits.
pub(super) fn check(
    login_context: &LoginContext<'_>,
    key: &Secret,
) -> Result<TokenResponse, ServiceError> {
    let _progress = login_context.progress("Checking the API key with IAM");
    exchange(login_context, key)
}

/// Exchanges an API key that a person typed. It may be new, so the exchange is retried for
/// some seconds while IAM does not accept the key.
pub(super) fn exchange_typed(
    login_context: &LoginContext<'_>,
    key: &Secret,
) -> Result<TokenResponse, ServiceError> {
    match check(login_context, key) {
        Err(error) if is_unknown_key(&error) => {
            let _progress = login_context.progress("Waiting until IAM accepts the new API key");
            login_context.broker.context.clock.sleep(PAUSE);
            exchange_until_known(login_context, key, is_unknown_key)
        }
        outcome => outcome,
    }
}

fn exchange_new(login_context: &LoginContext<'_>, key: &Secret) -> Result<TokenResponse> {
    let is_refused = |error: &ServiceError| matches!(error, ServiceError::Rejected { .. });
    exchange_until_known(login_context, key, is_refused)
        .map_err(|error| error.with_source("the new API key", &login_context.endpoint))
}

/// Exchanges a new API key, and retries errors for which `is_temporary` returns true.
fn exchange_until_known(
    login_context: &LoginContext<'_>,
    key: &Secret,
    is_temporary: impl Fn(&ServiceError) -> bool,
) -> Result<TokenResponse, ServiceError> {
    let clock = login_context.broker.context.clock;
    let deadline = Deadline::after(clock, NEW_KEY_TIMEOUT);
    let mut pause = PAUSE;
    loop {
        let outcome = exchange(login_context, key);
        let should_retry = outcome.as_ref().is_err_and(&is_temporary);
        if !should_retry || pause >= deadline.remaining(clock) {
            return outcome;
        }
        clock.sleep(pause);
        pause += PAUSE;
    }
}

/// Returns what a login records about its key.
pub(super) fn issued_key(key: &CreatedApiKey) -> IssuedKey {
    IssuedKey {
        id: key.id.clone(),
        expires_at: key.expires_at,
    }
}

/// Returns a warning that the API key created by this program expires soon, and the command
/// that replaces it.
pub(super) fn expiry_warning(active: &CredentialInfo, now: u64) -> Option<(String, String)> {
    let Origin::Login(scope) = &active.origin else {
        return None;
    };
    let end = active.key_ends_at?;
    let left = end.saturating_sub(now);
    let when = match (end > now, left / DAY) {
        _ if left >= WARNING_PERIOD => return None,
        (false, _) => format!("expired on {}", time::day(end)),
        (true, 0) => "expires within a day".to_owned(),
        (true, 1) => format!("expires in 1 day, on {}", time::day(end)),
        (true, days) => format!("expires in {days} days, on {}", time::day(end)),
    };
    let message = format!("the API key of {} {when}", login_for(scope));
    Some((message, scope.rotate_command()))
}

/// Returns whether the key does not exist in IAM: it was deleted, or is too new.
pub(super) fn is_unknown_key(error: &ServiceError) -> bool {
    matches!(error, ServiceError::Rejected { code: Some(code), .. } if code == "BXNIM0415E")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_a_number_of_days_in_range() {
        for (text, number) in [("1", 1), ("30", 30), ("30d", 30), ("3650", 3650)] {
            assert_eq!(days(text), Ok(number), "{text}");
        }
        for text in ["", "0", "-1", "3651", "30 d", "d", "1h", "99999999999"] {
            assert!(days(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_reason_for_not_creating_a_key_chooses_the_hint() {
        for (message, part) in [
            (
                "The limit of API keys has been reached.",
                "20 API keys at most",
            ),
            ("Maximum number of apikeys exceeded", "20 API keys at most"),
            (
                "You cannot create an API key while a profile is applied.",
                "trusted profile",
            ),
            ("API key creation is disabled.", "your account allows"),
        ] {
            assert!(creation_hint(message).contains(part), "{message}");
        }
    }
}
