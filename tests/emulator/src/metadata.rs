//! The instance metadata service of VPC, in both generations of its API, and of Power Virtual Server.
//!
//! Paths, headers, fields and codes are those of the IBM Cloud documentation (vpc, instance_metadata_vpc_identity_operations.md,
//! metadata-identity-migration.md, metadata-error-codes.md).

use std::collections::HashMap;
use std::collections::HashSet;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::accounts::Accounts;
use crate::clock;
use crate::clock::rfc3339;
use crate::profile::ProfileName;
use crate::random;
use crate::rejection::Rejection;
use crate::request::Recorded;
use crate::response::Response;

/// An API of a metadata service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MetadataApi {
    /// VPC, `version` up to 2025-08-25: `/instance_identity/v1/token` and `/instance_identity/v1/iam_token`.
    InstanceIdentity,
    /// VPC, `version` from 2025-08-26: `/identity/v1/token` and `/identity/v1/iam_tokens`.
    Identity,
    /// Power Virtual Server: the paths of `Identity` without a `version`, and `Metadata-Flavor` on every request.
    PowerVs,
}

impl MetadataApi {
    /// All of them; no real service has all.
    pub const ALL: [Self; 3] = [Self::InstanceIdentity, Self::Identity, Self::PowerVs];
}

/// The virtual server: the APIs of its metadata service, and the profiles that are linked to it.
#[derive(Debug, Default)]
pub(crate) struct Instance {
    /// Empty while the service is disabled.
    pub(crate) apis: Vec<MetadataApi>,
    /// The profile linked at the server's creation.
    pub(crate) default_profile: Option<String>,
    /// When the identity tokens expire.
    pub(crate) identity_tokens: HashMap<String, Instant>,
    /// The IDs of all linked profiles.
    pub(crate) linked: HashSet<String>,
}

/// Returns whether the metadata service owns this path.
pub(crate) fn owns(path: &str) -> bool {
    path.starts_with("/instance_identity/") || path.starts_with("/identity/v1/")
}

/// Returns whether the request is for an IAM token.
pub(crate) fn is_exchange(request: &Recorded) -> bool {
    let paths = [OLD_EXCHANGE, NEW_EXCHANGE];
    request.method == "POST" && paths.contains(&request.path.as_str())
}

/// Answers a request to the metadata service.
pub(crate) fn answer(accounts: &Accounts, request: &Recorded) -> Result<Response, Rejection> {
    let start = (request.method.as_str(), request.path.as_str());
    let new = match start {
        ("PUT", OLD_TOKEN) | ("POST", OLD_EXCHANGE) => false,
        ("PUT", NEW_TOKEN) | ("POST", NEW_EXCHANGE) => true,
        _ => return Err(not_found()),
    };
    let api = api(accounts, request, new)?;
    if request.method == "PUT" {
        identity_token(accounts, request)
    } else {
        iam_token(accounts, request, api)
    }
}

const OLD_TOKEN: &str = "/instance_identity/v1/token";
const OLD_EXCHANGE: &str = "/instance_identity/v1/iam_token";
const NEW_TOKEN: &str = "/identity/v1/token";
const NEW_EXCHANGE: &str = "/identity/v1/iam_tokens";

/// The last `version` with the old paths, and the first with the new ones.
const LAST_OLD: &str = "2025-08-25";
const FIRST_NEW: &str = "2025-08-26";

/// Returns the API of a request, if the service has it and the version fits the path.
fn api(accounts: &Accounts, request: &Recorded, new: bool) -> Result<MetadataApi, Rejection> {
    let spoken = accounts.with_instance(|instance| instance.apis.clone());
    if spoken.is_empty() {
        let message = "The metadata service is not enabled on the provided instance.";
        return Err(Rejection::new(403, "unauthorized", message));
    }
    let version = request.parameter("version");
    let api = match (new, version) {
        (false, _) => MetadataApi::InstanceIdentity,
        (true, None) if spoken.contains(&MetadataApi::PowerVs) => MetadataApi::PowerVs,
        (true, _) => MetadataApi::Identity,
    };
    if !spoken.contains(&api) {
        return Err(not_found());
    }
    if api == MetadataApi::PowerVs {
        return Ok(api);
    }
    let version = version.ok_or_else(|| {
        Rejection::new(400, "missing_value", "A `version` must be provided.").because_of(
            "version",
            "parameter",
            None,
        )
    })?;
    // Dates in this form are ordered like their text.
    let fits = is_date(version)
        && if new {
            version >= FIRST_NEW
        } else {
            version <= LAST_OLD
        };
    if !fits {
        let message = "The `version` does not support this method.";
        return Err(Rejection::new(400, "invalid_value", message).because_of(
            "version",
            "parameter",
            Some(version),
        ));
    }
    Ok(api)
}

/// Returns an identity token. A header is required, which a tricked browser would not send.
fn identity_token(accounts: &Accounts, request: &Recorded) -> Result<Response, Rejection> {
    check_flavor(request)?;
    let body = body(request, "expires_in")?;
    let seconds = match &body["expires_in"] {
        Value::Null => 300,
        value => value
            .as_u64()
            .filter(|seconds| (5..=3600).contains(seconds))
            .ok_or_else(|| {
                let message =
                    "The value provided for the `expires_in` field must be between `5` and `3600`.";
                Rejection::new(400, "invalid_value", message).because_of(
                    "expires_in",
                    "field",
                    Some(&value.to_string()),
                )
            })?,
    };
    let token = random::text(300);
    let expires = clock::now() + Duration::from_secs(seconds);
    accounts.with_instance(|instance| instance.identity_tokens.insert(token.clone(), expires));
    Ok(issued(&token, seconds))
}

/// Returns an IAM token of a profile linked to the server.
fn iam_token(
    accounts: &Accounts,
    request: &Recorded,
    api: MetadataApi,
) -> Result<Response, Rejection> {
    if api == MetadataApi::PowerVs {
        check_flavor(request)?;
    }
    let lives = request.bearer().is_some_and(|token| {
        let expires =
            accounts.with_instance(|instance| instance.identity_tokens.get(token).copied());
        expires.is_some_and(|expires| clock::now() < expires)
    });
    if !lives {
        let message = "The provided token is invalid or expired.";
        return Err(Rejection::new(401, "unauthenticated", message));
    }
    let body = body(request, "trusted_profile")?;
    let name = profile_name(&body["trusted_profile"])?;
    let default = accounts.with_instance(|instance| instance.default_profile.is_some());
    if name.is_none() && !default {
        let message = "A trusted profile ID was not passed in the request body.";
        return Err(Rejection::new(400, "missing_field", message).because_of(
            "trusted_profile",
            "field",
            None,
        ));
    }
    let profile = accounts.instance_profile(name).ok_or_else(|| {
        let message = "The virtual server instance is not linked to the specified trusted profile.";
        Rejection::new(400, "profile_not_linked", message)
    })?;
    let grant_type = "urn:ibm:params:oauth:grant-type:cr-token";
    let (token, lifetime) = accounts.issue_access_token(&profile, grant_type, None);
    Ok(issued(&token, lifetime))
}

fn check_flavor(request: &Recorded) -> Result<(), Rejection> {
    if request.header("metadata-flavor") == Some("ibm") {
        return Ok(());
    }
    let message = "A value such as `ibm` must be provided in the `Metadata-Flavor` header.";
    Err(Rejection::new(400, "missing_value", message).because_of("Metadata-Flavor", "header", None))
}

/// Returns the body, an object with at most this member; an empty body is an empty object.
fn body(request: &Recorded, member: &str) -> Result<Value, Rejection> {
    if request.body.trim().is_empty() {
        return Ok(json!({}));
    }
    let body: Option<Value> = serde_json::from_str(&request.body).ok();
    let malformed = || Rejection::new(400, "invalid_request", "The request body was malformed.");
    let body = body.filter(Value::is_object).ok_or_else(malformed)?;
    check_members(&body, &[member])?;
    Ok(body)
}

fn profile_name(profile: &Value) -> Result<Option<ProfileName<'_>>, Rejection> {
    if profile.is_null() {
        return Ok(None);
    }
    check_members(profile, &["id", "crn"])?;
    match (profile["id"].as_str(), profile["crn"].as_str()) {
        (Some(id), None) => Ok(Some(ProfileName::Id(id))),
        (None, Some(crn)) => Ok(Some(ProfileName::Crn(crn))),
        _ => {
            let message = "Exactly one of `id` and `crn` must name the trusted profile.";
            Err(Rejection::new(400, "invalid_value", message).because_of(
                "trusted_profile",
                "field",
                None,
            ))
        }
    }
}

fn check_members(object: &Value, known: &[&str]) -> Result<(), Rejection> {
    let mut names = object
        .as_object()
        .into_iter()
        .flat_map(|members| members.keys());
    match names.find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => {
            let message = format!("Unknown property `{name}` was specified in the request body.");
            Err(Rejection::new(400, "unknown_field", message).because_of(name, "field", None))
        }
    }
}

fn issued(token: &str, lifetime: u64) -> Response {
    let now = clock::unix_now();
    Response::json(
        200,
        &json!({
            "access_token": token,
            "created_at": rfc3339(now),
            "expires_at": rfc3339(now + lifetime),
            "expires_in": lifetime,
        }),
    )
}

fn not_found() -> Rejection {
    Rejection::new(404, "not_found", "The requested path was not found.")
}

/// Returns whether it looks like a date: `2025-08-26`.
fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.char_indices().all(|(index, character)| match index {
            4 | 7 => character == '-',
            _ => character.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Emulator;
    use crate::Fault;
    use crate::Profile;
    use crate::Service;
    use crate::wire;

    const FLAVOR: &str = "Metadata-Flavor: ibm\r\n";
    const OLD: (&str, &str) = (
        "PUT /instance_identity/v1/token?version=2022-03-01",
        "POST /instance_identity/v1/iam_token?version=2022-03-01",
    );
    const NEW: (&str, &str) = (
        "PUT /identity/v1/token?version=2025-08-26",
        "POST /identity/v1/iam_tokens?version=2025-08-26",
    );
    const POWER: (&str, &str) = ("PUT /identity/v1/token", "POST /identity/v1/iam_tokens");

    fn cloud(apis: &[MetadataApi]) -> Emulator {
        let cloud = Emulator::start().expect("a port");
        let accounts = cloud.accounts();
        accounts.enable_metadata(apis);
        accounts.link_default_profile("Profile-default");
        accounts.add_trusted_profile(Profile::new("Profile-other").of_account("account-2"));
        accounts.link_profile("Profile-other");
        accounts.add_profile("Profile-strange", &[]);
        cloud
    }

    fn bearer(answer: &Value) -> String {
        let token = answer["access_token"].as_str().expect("a token");
        format!("Authorization: Bearer {token}\r\n{FLAVOR}")
    }

    fn code(answer: &Value) -> &str {
        answer["errors"][0]["code"].as_str().expect("a code")
    }

    #[test]
    fn each_metadata_api_gives_a_token_in_two_steps() {
        for (api, (token, exchange)) in MetadataApi::ALL.into_iter().zip([OLD, NEW, POWER]) {
            let cloud = cloud(&[api]);
            let (status, identity) = wire::request(&cloud, token, FLAVOR, r#"{"expires_in":300}"#);
            assert_eq!(status, 200, "{api:?}: {identity}");
            assert_eq!(identity["expires_in"], 300);
            let headers = bearer(&identity);
            for (body, iam_id) in [
                ("", "iam-Profile-default"),
                ("{}", "iam-Profile-default"),
                (
                    r#"{"trusted_profile":{"id":"Profile-other"}}"#,
                    "iam-Profile-other",
                ),
                (
                    r#"{"trusted_profile":{"crn":"crn:v1:bluemix:public:iam-identity::a/account-2::profile:Profile-other"}}"#,
                    "iam-Profile-other",
                ),
            ] {
                let (status, answer) = wire::request(&cloud, exchange, &headers, body);
                assert_eq!(status, 200, "{body}: {answer}");
                assert_eq!(answer["expires_in"], 3600);
                let ends = answer["expires_at"].as_str().expect("a time");
                assert!(ends.ends_with('Z') && answer["created_at"].is_string());
                assert!(answer.get("refresh_token").is_none());
                let token = answer["access_token"].as_str().expect("a token");
                let subject = cloud.accounts().access_token(token).expect("it lives");
                assert_eq!(subject.iam_id, iam_id);
            }
            assert_eq!((cloud.metadata_exchanges(), cloud.exchanges()), (4, 0));
            assert_eq!(cloud.requests()[0].body, r#"{"expires_in":300}"#);
            assert_eq!(cloud.requests()[0].form, []);
        }
    }

    #[test]
    fn a_path_needs_a_version_that_has_it() {
        let cloud = cloud(&[MetadataApi::InstanceIdentity, MetadataApi::Identity]);
        for (start, status, error) in [
            (
                "PUT /instance_identity/v1/token?version=2025-08-25",
                200,
                "",
            ),
            ("PUT /identity/v1/token?version=2026-01-01", 200, ""),
            (
                "PUT /instance_identity/v1/token?version=2025-08-26",
                400,
                "invalid_value",
            ),
            (
                "PUT /identity/v1/token?version=2025-08-25",
                400,
                "invalid_value",
            ),
            ("PUT /identity/v1/token?version=now", 400, "invalid_value"),
            ("PUT /identity/v1/token", 400, "missing_value"),
            ("PUT /instance_identity/v1/token", 400, "missing_value"),
            (
                "POST /identity/v1/iam_token?version=2026-01-01",
                404,
                "not_found",
            ),
            (
                "GET /identity/v1/token?version=2026-01-01",
                404,
                "not_found",
            ),
        ] {
            let (answered, answer) = wire::request(&cloud, start, FLAVOR, "");
            assert_eq!(answered, status, "{start}: {answer}");
            assert!(status == 200 || code(&answer) == error, "{start}: {answer}");
        }
    }

    #[test]
    fn an_unsupported_api_is_not_found_and_a_disabled_service_forbids() {
        let cloud = cloud(&[MetadataApi::InstanceIdentity]);
        assert_eq!(wire::request(&cloud, NEW.0, FLAVOR, "").0, 404);
        assert_eq!(wire::request(&cloud, POWER.0, FLAVOR, "").0, 404);
        assert_eq!(wire::request(&cloud, OLD.0, FLAVOR, "").0, 200);
        cloud.accounts().disable_metadata();
        for start in [OLD.0, OLD.1, NEW.0, POWER.0] {
            let (status, answer) = wire::request(&cloud, start, FLAVOR, "");
            assert_eq!((status, code(&answer)), (403, "unauthorized"));
            assert_eq!(answer["status_code"], 403);
            assert!(answer["trace"].is_string());
        }
    }

    #[test]
    fn the_first_step_needs_its_header_and_a_valid_lifetime() {
        let cloud = cloud(&[MetadataApi::Identity]);
        for (headers, body, error) in [
            ("", "", "missing_value"),
            ("Metadata-Flavor: google\r\n", "", "missing_value"),
            (FLAVOR, r#"{"expires_in":4}"#, "invalid_value"),
            (FLAVOR, r#"{"expires_in":3601}"#, "invalid_value"),
            (FLAVOR, r#"{"expires_in":"300"}"#, "invalid_value"),
            (FLAVOR, r#"{"lifetime":300}"#, "unknown_field"),
            (FLAVOR, "{", "invalid_request"),
        ] {
            let (status, answer) = wire::request(&cloud, NEW.0, headers, body);
            assert_eq!((status, code(&answer)), (400, error), "{body}");
        }
    }

    #[test]
    fn the_second_step_needs_a_valid_token_and_a_linked_profile() {
        let cloud = cloud(&[MetadataApi::Identity, MetadataApi::PowerVs]);
        let (_, identity) = wire::request(&cloud, NEW.0, FLAVOR, "");
        let headers = bearer(&identity);
        for (body, error) in [
            (
                r#"{"trusted_profile":{"id":"Profile-strange"}}"#,
                "profile_not_linked",
            ),
            (
                r#"{"trusted_profile":{"id":"Profile-none"}}"#,
                "profile_not_linked",
            ),
            (
                r#"{"trusted_profile":{"id":"Profile-other","crn":"crn"}}"#,
                "invalid_value",
            ),
            (r#"{"trusted_profile":{}}"#, "invalid_value"),
            (
                r#"{"trusted_profile":{"name":"Profile-other"}}"#,
                "unknown_field",
            ),
        ] {
            let (status, answer) = wire::request(&cloud, NEW.1, &headers, body);
            assert_eq!((status, code(&answer)), (400, error), "{body}");
        }
        let without_flavor = headers.replace(FLAVOR, "");
        assert_eq!(wire::request(&cloud, NEW.1, &without_flavor, "").0, 200);
        assert_eq!(wire::request(&cloud, POWER.1, &without_flavor, "").0, 400);
        cloud.accounts().unlink_profile("Profile-default");
        let (status, answer) = wire::request(&cloud, NEW.1, &headers, "");
        assert_eq!((status, code(&answer)), (400, "missing_field"));
        cloud.accounts().expire_identity_tokens();
        for headers in [&headers, FLAVOR, "Authorization: Bearer made-up\r\n"] {
            let (status, answer) = wire::request(&cloud, NEW.1, headers, "");
            assert_eq!((status, code(&answer)), (401, "unauthenticated"));
        }
    }

    #[test]
    fn faults_have_the_form_of_the_service() {
        let cloud = cloud(&[MetadataApi::Identity]);
        let fault = Fault::Error {
            status: 500,
            code: "service_error".to_owned(),
            message: "An internal error occurred.".to_owned(),
        };
        cloud.script_for(Service::Metadata, [fault]);
        let (status, answer) = wire::request(&cloud, NEW.0, FLAVOR, "");
        assert_eq!((status, code(&answer)), (500, "service_error"));
        assert_eq!(wire::request(&cloud, NEW.0, FLAVOR, "").0, 200);
    }
}
