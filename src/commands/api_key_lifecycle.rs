//! The API keys that this program has IAM make: how one begins and ends.

use std::time::Duration;

use super::login_context::LoginContext;
use crate::PROGRAM;
use crate::credentials::Description;
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
use crate::sources::Speaker;
use crate::time;
use crate::time::Deadline;

/// In seconds.
pub(super) const DAY: u64 = 24 * 60 * 60;

/// How long before its end an API key is worth a warning, in seconds.
const WARNING_PERIOD: u64 = 14 * DAY;

/// How many days a new key lives unless that is said.
pub(super) const DEFAULT_DAYS: u32 = 90;

/// The most days that may be asked for.
const MAX_DAYS: u32 = 3650;

/// The longest machine's name that is told IAM, in characters.
const MAX_NAME_LENGTH: usize = 100;

/// How long a new key is tried: IAM's servers may not all know it at once.
const NEW_KEY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait before a new key is tried again; longer each time by this.
const PAUSE: Duration = Duration::from_secs(1);

/// A number of days as a person writes it: `30` or `30d`.
pub(super) fn days(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('d').unwrap_or(text);
    match number.parse() {
        Ok(days) if (1..=MAX_DAYS).contains(&days) => Ok(days),
        _ => Err(format!("give a number of days from 1 to {MAX_DAYS}")),
    }
}

/// Whether IAM makes API keys for such an identity.
pub(super) fn can_have_api_keys(owner: &Owner) -> bool {
    owner.kind != OwnerKind::Profile && owner.account.is_some()
}

/// A new API key of whoever has the access token, and what IAM gives for it: it works.
///
/// # Errors
/// IAM does not make it, or it does not work; then there is none.
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
            Error::user("IAM makes API keys for users and service IDs of an account, and this is neither; log in without --create-api-key")
        })?;
    let machine =
        (login_context.context.machine_name)().unwrap_or_else(|| "a machine without a name".into());
    let name = format!("{PROGRAM} on {}", one_line(&machine, MAX_NAME_LENGTH));
    let now = login_context.context.clock.now();
    let wanted = NewApiKey {
        name: &name,
        description: &format!(
            "Made by {PROGRAM} {} on {}",
            env!("CARGO_PKG_VERSION"),
            time::day(now)
        ),
        iam_id: &owner.iam_id,
        account_id,
        expires_at: now + u64::from(days) * DAY,
    };
    let _progress = login_context.progress("Having IAM make an API key");
    let made = login_context.iam().create_api_key(access_token, &wanted);
    let made = made.map_err(|error| creation_error(error, &name, login_context))?;
    match exchange_new(login_context, &made.key) {
        Ok(issued) => Ok((made, issued)),
        Err(failure) => Err(after(
            failure,
            &delete_unused(login_context, access_token, &made),
        )),
    }
}

fn creation_error(error: IamError, name: &str, login_context: &LoginContext<'_>) -> Error {
    match error {
        ServiceError::Refused {
            message,
            code,
            status,
        } => {
            let code = code.map(|code| format!("{code}, ")).unwrap_or_default();
            Error::user(format!(
                "IAM refused to make an API key: {message} ({code}HTTP {status}); your account may not allow that"
            ))
        }
        error => {
            let failure = error.with_source("a new API key", &login_context.endpoint);
            let lost = format!(
                "; should it have been made all the same, it is called `{name}`: see https://cloud.ibm.com/iam/apikeys"
            );
            after(failure, &lost)
        }
    }
}

/// Deletes a key that is not going to be used; how that went, as the end of a
/// sentence.
pub(super) fn delete_unused(
    login_context: &LoginContext<'_>,
    access_token: &Secret,
    key: &CreatedApiKey,
) -> String {
    match login_context.iam().delete_api_key(access_token, &key.id) {
        Ok(()) => "; the API key that was made has been deleted at IAM again".into(),
        Err(error) => {
            let failure = error.with_source("the API key that was made", &login_context.endpoint);
            format!(
                "; the API key `{}` ({}) is still there, delete it at https://cloud.ibm.com/iam/apikeys: {failure}",
                key.name, key.id
            )
        }
    }
}

/// The same failure, with more to say.
pub(super) fn after(failure: Error, end: &str) -> Error {
    failure.with_end(end)
}

/// What IAM gives for an API key.
pub(super) fn exchange(
    login_context: &LoginContext<'_>,
    key: &Secret,
) -> Result<TokenResponse, IamError> {
    login_context.iam().exchange(&Grant::ApiKey {
        key,
        for_refresh_token: false,
    })
}

/// What IAM gives for an API key that a person has just typed, and may just have made:
/// while IAM does not know it, it is tried again for some seconds.
pub(super) fn exchange_typed(
    login_context: &LoginContext<'_>,
    key: &Secret,
) -> Result<TokenResponse, IamError> {
    match exchange(login_context, key) {
        Err(error) if is_unknown_key(&error) => {
            let _progress = login_context.progress("Waiting for IAM to know a new API key");
            login_context.context.clock.sleep(PAUSE);
            exchange_until_known(login_context, key, is_unknown_key)
        }
        outcome => outcome,
    }
}

fn exchange_new(login_context: &LoginContext<'_>, key: &Secret) -> Result<TokenResponse> {
    let is_refused = |error: &IamError| matches!(error, IamError::Refused { .. });
    exchange_until_known(login_context, key, is_refused)
        .map_err(|error| error.with_source("the new API key", &login_context.endpoint))
}

/// What IAM gives for a new API key in the end; `may_pass` tells the errors that are
/// waited out.
fn exchange_until_known(
    login_context: &LoginContext<'_>,
    key: &Secret,
    may_pass: impl Fn(&IamError) -> bool,
) -> Result<TokenResponse, IamError> {
    let clock = login_context.context.clock;
    let deadline = Deadline::after(clock, NEW_KEY_TIMEOUT);
    let mut pause = PAUSE;
    loop {
        let outcome = exchange(login_context, key);
        let is_worth_it = outcome.as_ref().is_err_and(&may_pass);
        if !is_worth_it || pause >= deadline.remaining(clock) {
            return outcome;
        }
        clock.sleep(pause);
        pause += PAUSE;
    }
}

/// What a login remembers of its key.
pub(super) fn issued_key(key: &CreatedApiKey) -> IssuedKey {
    IssuedKey {
        id: key.id.clone(),
        expires_at: key.expires_at,
    }
}

/// That an API key ends soon, where this program had it made, and the command that
/// replaces it.
pub(super) fn expiry_warning(speaker: &Description, now: u64) -> Option<(String, String)> {
    let Speaker::Login(scope) = &speaker.speaker else {
        return None;
    };
    let end = speaker.key_ends_at?;
    let left = end.saturating_sub(now);
    let when = match (end > now, left / DAY) {
        _ if left >= WARNING_PERIOD => return None,
        (false, _) => format!("ended on {}", date::day(end)),
        (true, 0) => "ends within a day".to_owned(),
        (true, 1) => format!("ends in a day, on {}", time::day(end)),
        (true, days) => format!("ends in {days} days, on {}", time::day(end)),
    };
    let seen = format!("the API key of the login for {scope} {when}");
    Some((seen, scope.rotate_command()))
}

/// Whether IAM says that there is no such key (any more).
pub(super) fn is_unknown_key(error: &IamError) -> bool {
    matches!(error, IamError::Refused { code: Some(code), .. } if code == "BXNIM0415E")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_a_number_within_reason() {
        for (text, number) in [("1", 1), ("30", 30), ("30d", 30), ("3650", 3650)] {
            assert_eq!(days(text), Ok(number), "{text}");
        }
        for text in ["", "0", "-1", "3651", "30 d", "d", "1h", "99999999999"] {
            assert!(days(text).is_err(), "{text}");
        }
    }
}
