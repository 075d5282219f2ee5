//! The grants that IAM exchanges for an access token, and their conditions. A new grant needs one arm of [`exchange`] and one
//! function.

#[cfg(test)]
mod tests;

use serde_json::Value;
use serde_json::json;

use crate::accounts::Accounts;
use crate::accounts::ComputeRefusal;
use crate::clock::unix_now;
use crate::profile::ProfileName;
use crate::rejection::Rejection;
use crate::rejection::STAND_IN;
use crate::request::Recorded;
use crate::sessions::RefreshRejection;
use crate::sessions::Session;
use crate::subject::Subject;

/// Exchanges the grant in the request's form.
pub(crate) fn exchange(accounts: &Accounts, request: &Recorded) -> Result<Value, Rejection> {
    match field(request, "grant_type")? {
        "authorization_code" => authorization_code(accounts, request),
        "refresh_token" => refresh(accounts, request),
        "urn:ibm:params:oauth:grant-type:apikey" => api_key(accounts, request),
        "urn:ibm:params:oauth:grant-type:assume" => assume(accounts, request),
        "urn:ibm:params:oauth:grant-type:cr-token" => compute_resource_token(accounts, request),
        "urn:ibm:params:oauth:grant-type:passcode" => passcode(accounts, request),
        other => Err(refused(
            STAND_IN,
            &format!("Grant type {other} is not supported."),
        )),
    }
}

/// Returns a passcode for the session of a refresh token, which stays valid: the answer of `POST /identity/passcode`.
pub(crate) fn passcode_of_session(
    accounts: &Accounts,
    request: &Recorded,
) -> Result<String, Rejection> {
    need_client(request)?;
    let subject = accounts.refresh_token(field(request, "refresh_token")?);
    Ok(accounts.issue_passcode(subject.map_err(refresh_rejection)?))
}

fn api_key(accounts: &Accounts, request: &Recorded) -> Result<Value, Rejection> {
    let key = accounts.any_api_key(field(request, "apikey")?);
    let key = key.ok_or_else(|| refused("BXNIM0415E", "Provided API key could not be found."))?;
    if key.disabled {
        return Err(refused(STAND_IN, "Provided API key is disabled."));
    }
    if key.has_expired() {
        return Err(refused(STAND_IN, "Provided API key is expired."));
    }
    let session = has_client(request)?.then(|| accounts.open_session(&key.subject));
    Ok(token(accounts, request, &key.subject, session))
}

fn authorization_code(accounts: &Accounts, request: &Recorded) -> Result<Value, Rejection> {
    need_client(request)?;
    let redirect_uri = field(request, "redirect_uri")?;
    let authorization = accounts.redeem_code(field(request, "code")?);
    let verifier = request.field("code_verifier");
    let authorization = authorization.filter(|known| known.fits(redirect_uri, verifier));
    let authorization = authorization.ok_or_else(|| {
        refused(
            STAND_IN,
            "Provided authorization code is not valid for this request.",
        )
    })?;
    let session = accounts.open_session(&authorization.subject);
    Ok(token(
        accounts,
        request,
        &authorization.subject,
        Some(session),
    ))
}

fn passcode(accounts: &Accounts, request: &Recorded) -> Result<Value, Rejection> {
    need_client(request)?;
    let subject = accounts.redeem_passcode(field(request, "passcode")?);
    let subject =
        subject.ok_or_else(|| refused(STAND_IN, "Provided passcode is invalid or expired."))?;
    let session = accounts.open_session(&subject);
    Ok(token(accounts, request, &subject, Some(session)))
}

fn refresh(accounts: &Accounts, request: &Recorded) -> Result<Value, Rejection> {
    need_client(request)?;
    let redeemed = accounts.redeem_refresh_token(field(request, "refresh_token")?);
    let (subject, session) = redeemed.map_err(refresh_rejection)?;
    Ok(token(accounts, request, &subject, Some(session)))
}

fn assume(accounts: &Accounts, request: &Recorded) -> Result<Value, Rejection> {
    let subject = if request.field("refresh_token").is_some() {
        need_client(request)?;
        let subject = accounts.refresh_token(field(request, "refresh_token")?);
        subject.map_err(refresh_rejection)?
    } else {
        let subject = accounts.access_token(field(request, "access_token")?);
        subject
            .ok_or_else(|| refused("BXNIM0407E", "Provided access token is invalid or expired."))?
    };
    let name = match profile_name(request)? {
        ProfileName::Name(name, _) => ProfileName::Name(name, Some(field(request, "account")?)),
        other => other,
    };
    let profile = accounts.assume(name, &subject);
    let profile = profile.ok_or_else(|| {
        refused(
            STAND_IN,
            "This identity must not assume the trusted profile.",
        )
    })?;
    let session = has_client(request)?.then(|| accounts.open_session(&profile));
    Ok(token(accounts, request, &profile, session))
}

/// Never gives a refresh token: the owner always has the compute resource token.
fn compute_resource_token(accounts: &Accounts, request: &Recorded) -> Result<Value, Rejection> {
    has_client(request)?;
    let name = profile_name(request)?;
    let profile = accounts.redeem_compute_resource_token(field(request, "cr_token")?, name);
    let profile = profile.map_err(|rejection| {
        let message = match rejection {
            ComputeRefusal::ExpiredToken => "Provided compute resource token is expired.",
            ComputeRefusal::LongLived => {
                "The compute resource token is valid for more than one hour."
            }
            ComputeRefusal::NotLinked => {
                "The compute resource is not linked to the trusted profile."
            }
            ComputeRefusal::UnknownToken => "Provided compute resource token is invalid.",
            ComputeRefusal::WrongAudience => {
                "The audience of the compute resource token is not iam."
            }
        };
        refused(STAND_IN, message)
    })?;
    Ok(token(accounts, request, &profile, None))
}

/// Returns the profile in the form, which must be named in exactly one way.
fn profile_name(request: &Recorded) -> Result<ProfileName<'_>, Rejection> {
    let given = |name: &str| request.field(name).filter(|value| !value.is_empty());
    match (
        given("profile_id"),
        given("profile_crn"),
        given("profile_name"),
    ) {
        (Some(id), None, None) => Ok(ProfileName::Id(id)),
        (None, Some(crn), None) => Ok(ProfileName::Crn(crn)),
        (None, None, Some(name)) => Ok(ProfileName::Name(name, None)),
        _ => Err(refused(
            STAND_IN,
            "Exactly one of profile_id, profile_crn and profile_name is needed.",
        )),
    }
}

fn need_client(request: &Recorded) -> Result<(), Rejection> {
    if has_client(request)? {
        Ok(())
    } else {
        Err(no_client())
    }
}

/// Returns whether the request is from the client `bx`, the only public one. No client is accepted; another one is rejected.
fn has_client(request: &Recorded) -> Result<bool, Rejection> {
    match (request.header("authorization"), request.basic()) {
        (None, _) => Ok(false),
        (Some(_), Some((name, secret))) if name == "bx" && secret == "bx" => Ok(true),
        (Some(_), _) => Err(no_client()),
    }
}

fn field<'r>(request: &'r Recorded, name: &str) -> Result<&'r str, Rejection> {
    let value = request.field(name).filter(|value| !value.is_empty());
    value.ok_or_else(|| refused("BXNIM0109E", &format!("Property missing or empty: {name}.")))
}

fn no_client() -> Rejection {
    refused("BXNIM0308E", "No authorization header found.")
}

fn refresh_rejection(rejection: RefreshRejection) -> Rejection {
    match rejection {
        RefreshRejection::Expired => refused("BXNIM0408E", "Provided refresh token is expired."),
        RefreshRejection::Invalidated(session) => refused(
            "BXNIM0439E",
            &format!("Session {session} is invalidated due to inactivity"),
        ),
        RefreshRejection::Unknown => refused("BXNIM0407E", "Provided refresh token is invalid."),
    }
}

/// Returns the rejection of a grant: IAM answers 400, also for wrong secrets.
fn refused(code: &str, message: &str) -> Rejection {
    Rejection::new(400, code, message)
}

fn token(
    accounts: &Accounts,
    request: &Recorded,
    subject: &Subject,
    session: Option<Session>,
) -> Value {
    let grant_type = request.field("grant_type").unwrap_or_default();
    let (access_token, lifetime) =
        accounts.issue_access_token(subject, grant_type, session.as_ref());
    let mut answer = json!({
        "access_token": access_token,
        "refresh_token": "not_supported",
        "token_type": "Bearer",
        "expires_in": lifetime,
        "expiration": unix_now() + lifetime,
        "scope": "ibm openid",
    });
    if let Some(session) = session {
        answer["refresh_token"] = session.refresh_token.into();
        answer["refresh_token_expiration"] = (unix_now() + 72 * 3600).into();
        // Service IDs get refresh tokens, but no sessions.
        if !subject.is_service_id() {
            answer["session_id"] = session.id.into();
        }
    }
    answer
}
