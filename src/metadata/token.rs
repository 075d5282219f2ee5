//! The token of a virtual server: the service identifies the instance, then exchanges
//! that identity for an access token.

use serde_json::Value;
use serde_json::json;

use super::MetadataService;
use crate::http::ApiRequest;
use crate::http::Http;
use crate::http::ServiceError;
use crate::http::transport::Authorization;
use crate::http::transport::Body;
use crate::http::transport::Method;
use crate::http::transport::ProxyPolicy;
use crate::http::transport::Response;
use crate::iam::TokenResponse;
use crate::iam::token_response;
use crate::iam::trusted_profile::TrustedProfile;
use crate::secret::Secret;

/// The lifetime of the identity token, in seconds: the service's default (5 to 3600 are
/// allowed). The token is used at once.
const IDENTITY_LIFETIME: u32 = 300;

impl MetadataService {
    /// Returns an access token of the trusted profile, by default of the one that is
    /// linked to the instance. There is no refresh token.
    ///
    /// # Errors
    /// See [`ServiceError`]. The service does not accept the name of a profile.
    pub fn access_token(
        &self,
        http: &Http<'_>,
        profile: Option<&TrustedProfile>,
    ) -> Result<TokenResponse, ServiceError> {
        let body = access_body(profile)?;
        let (identity, access_url) = self.instance_identity(http)?;
        let request = ApiRequest {
            authorization: Authorization::Bearer(identity.access_token.clone()),
            secrets: vec![&identity.access_token],
            ..self.request("instance access", Method::Post, &access_url, body)
        };
        let response = http.send_with_retry(&request)?;
        let issued = request.parse_response(&response, |body| {
            token_response::parse(body, http.clock.now())
        })?;
        Ok(TokenResponse {
            refresh_token: None,
            refresh_lifetime: None,
            ..issued
        })
    }

    /// Returns the identity token of the instance, and the URL that exchanges it.
    fn instance_identity(&self, http: &Http<'_>) -> Result<(TokenResponse, String), ServiceError> {
        let mut outcome = Err(ServiceError::Unusable {
            reason: "no version of the instance metadata service is known".into(),
        });
        for route in self.routes() {
            let body = json!({ "expires_in": IDENTITY_LIFETIME }).to_string();
            let request = self.request(
                "instance identity",
                Method::Put,
                &route.identity_url,
                Body::Json(Secret::new(body)),
            );
            let response = http.send_with_retry(&request)?;
            outcome = request
                .parse_response(&response, |body| {
                    token_response::parse(body, http.clock.now())
                })
                .map(|identity| (identity, route.access_url));
            if !is_unknown(&response) {
                break;
            }
            tracing::debug!(response.status, "trying an older version of the API");
        }
        outcome
    }

    fn request<'a>(&self, name: &'a str, method: Method, url: &str, body: Body) -> ApiRequest<'a> {
        ApiRequest {
            name,
            method,
            url: url.to_owned(),
            headers: vec![("Metadata-Flavor", Secret::new("ibm"))],
            authorization: Authorization::None,
            body,
            proxy: ProxyPolicy::Direct,
            secrets: Vec::new(),
            idempotent: true,
            unreachable_note: self.unreachable_note(),
        }
    }
}

/// Returns whether the service does not support the path or the version.
fn is_unknown(response: &Response) -> bool {
    match response.status {
        404 | 405 => true,
        400 => {
            let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
            let error = &body["errors"][0];
            [&error["target"]["name"], &error["code"], &error["message"]]
                .iter()
                .filter_map(|text| text.as_str())
                .any(|text| text.to_ascii_lowercase().contains("version"))
        }
        _ => false,
    }
}

fn access_body(profile: Option<&TrustedProfile>) -> Result<Body, ServiceError> {
    let profile = match profile {
        None => return Ok(Body::Json(Secret::new("{}"))),
        Some(TrustedProfile::Id(id)) => json!({ "id": id }),
        Some(TrustedProfile::Crn(crn)) => json!({ "crn": crn }),
        Some(TrustedProfile::Name { name, .. }) => {
            return Err(ServiceError::Unusable {
                reason: format!(
                    "an instance metadata service takes the ID (Profile-…) or the CRN of a trusted profile, not its name '{name}'"
                ),
            });
        }
    };
    let body = json!({ "trusted_profile": profile }).to_string();
    Ok(Body::Json(Secret::new(body)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::proxy::Route;
    use crate::http::test_support::FakeService;
    use crate::http::test_support::network;
    use crate::http::test_support::response;
    use crate::http::test_support::unreachable;
    use crate::http::transport::Request;
    use crate::http::transport::TransportError;

    type Answer = Result<Response, TransportError>;

    fn given(token: &str) -> Answer {
        let body = json!({
            "access_token": token, "created_at": "2026-01-01T00:00:00Z",
            "expires_at": "2026-01-01T01:00:00Z", "expires_in": 3600
        });
        response(200, &body.to_string())
    }

    fn rejection(status: u16, code: &str) -> Answer {
        let body = json!({
            "errors": [{"code": code, "message": format!("about {code}"), "more_info": "https://x"}],
            "status_code": status, "trace": "t"
        });
        response(status, &body.to_string())
    }

    fn vpc() -> MetadataService {
        MetadataService::vpc(None).unwrap()
    }

    fn shown(request: &Request) -> String {
        let bearer = match &request.authorization {
            Authorization::Bearer(token) => token.expose(),
            _ => "none",
        };
        let Body::Json(body) = &request.body else {
            panic!("{request:?} has no JSON");
        };
        format!(
            "{:?} {} {bearer} {}",
            request.method,
            request.url,
            body.expose()
        )
    }

    fn ask(
        service: &MetadataService,
        profile: Option<&str>,
        answers: Vec<Answer>,
    ) -> (Result<TokenResponse, ServiceError>, Vec<Request>) {
        let fake = FakeService::answering(answers);
        let profile = profile.map(|text| TrustedProfile::parse(text).unwrap());
        let outcome = service.access_token(&fake.http(), profile.as_ref());
        (outcome, fake.requests())
    }

    #[test]
    fn the_identity_token_is_exchanged_for_a_token_of_the_profile() {
        for (profile, body) in [
            (None, "{}"),
            (
                Some("Profile-1"),
                r#"{"trusted_profile":{"id":"Profile-1"}}"#,
            ),
            (
                Some("crn:v1:x"),
                r#"{"trusted_profile":{"crn":"crn:v1:x"}}"#,
            ),
        ] {
            let (outcome, requests) =
                ask(&vpc(), profile, vec![given("identity"), given("access")]);
            let issued = outcome.unwrap();
            assert_eq!(issued.access_token, Secret::new("access"));
            assert_eq!(issued.lifetime.as_secs(), 3600);
            assert_eq!(issued.refresh_token, None);
            let texts: Vec<String> = requests.iter().map(shown).collect();
            assert_eq!(
                texts,
                [
                    r#"Put http://169.254.169.254/identity/v1/token?version=2025-08-26 none {"expires_in":300}"#
                        .to_owned(),
                    format!(
                        "Post http://169.254.169.254/identity/v1/iam_tokens?version=2025-08-26 identity {body}"
                    ),
                ]
            );
            for request in requests {
                assert_eq!(request.route, Route::Direct, "no proxy knows this instance");
                assert_eq!(
                    request.headers,
                    [("Metadata-Flavor", Secret::new("ibm"))],
                    "both ask for it"
                );
            }
        }
    }

    #[test]
    fn an_older_service_gets_the_older_paths() {
        let bad_version = json!({"errors": [{
            "code": "bad_field", "message": "no", "target": {"name": "version", "type": "parameter"}
        }]});
        for unknown in [
            response(404, "page not found"),
            rejection(404, "not_found"),
            response(405, ""),
            response(400, &bad_version.to_string()),
        ] {
            let (outcome, requests) = ask(
                &vpc(),
                None,
                vec![unknown, given("identity"), given("access")],
            );
            outcome.unwrap();
            assert_eq!(
                requests[1].url,
                "http://169.254.169.254/instance_identity/v1/token?version=2022-03-01"
            );
            assert_eq!(
                requests[2].url,
                "http://169.254.169.254/instance_identity/v1/iam_token?version=2022-03-01"
            );
        }
        let both = vec![response(404, ""), rejection(404, "not_found")];
        let (outcome, requests) = ask(&vpc(), None, both);
        assert!(matches!(
            outcome,
            Err(ServiceError::Rejected { status: 404, .. })
        ));
        assert_eq!(requests.len(), 2);
    }

    #[test]
    fn a_selected_version_is_kept() {
        for (version, path) in [
            (
                "2022-03-01",
                "/instance_identity/v1/token?version=2022-03-01",
            ),
            (
                "2025-08-25",
                "/instance_identity/v1/token?version=2025-08-25",
            ),
            ("2025-08-26", "/identity/v1/token?version=2025-08-26"),
            ("2026-01-31", "/identity/v1/token?version=2026-01-31"),
        ] {
            let service = vpc().with_version(version).unwrap();
            let (outcome, requests) = ask(&service, None, vec![response(404, "")]);
            outcome.unwrap_err();
            assert_eq!(requests.len(), 1);
            assert_eq!(requests[0].url, format!("http://169.254.169.254{path}"));
        }
        for version in [
            "",
            "2022-02-28",
            "2022-3-1",
            "2022-03-01&x=y",
            "latest",
            "2022/03/01",
        ] {
            assert!(vpc().with_version(version).is_err(), "{version}");
        }
    }

    #[test]
    fn power_vs_has_its_own_address_and_no_versions() {
        let service = MetadataService::power_vs(None).unwrap();
        let answers = vec![given("identity"), given("access")];
        let (outcome, requests) = ask(&service, Some("Profile-1"), answers);
        outcome.unwrap();
        let urls: Vec<&str> = requests.iter().map(|request| &*request.url).collect();
        assert_eq!(
            urls,
            [
                "https://api.metadata.power-iaas.cloud.ibm.com/identity/v1/token",
                "https://api.metadata.power-iaas.cloud.ibm.com/identity/v1/iam_tokens",
            ]
        );
        assert!(service.with_version("2025-08-26").is_err());
    }

    #[test]
    fn the_name_of_a_profile_is_not_sent() {
        let (outcome, requests) = ask(&vpc(), Some("ci"), Vec::new());
        let text = outcome
            .unwrap_err()
            .with_source("the instance metadata", &vpc())
            .to_string();
        assert!(
            text.contains("'ci'") && text.contains("Profile-…"),
            "{text}"
        );
        assert!(requests.is_empty());
    }

    #[test]
    fn a_rejection_by_the_service_has_a_hint() {
        for (answers, parts) in [
            (
                vec![given("identity"), rejection(400, "profile_not_linked")],
                ["profile_not_linked", "Link the trusted profile"],
            ),
            (
                vec![rejection(403, "unauthorized")],
                ["about unauthorized", "Enable the metadata service"],
            ),
            (
                vec![given("identity"), rejection(401, "unauthenticated")],
                ["about unauthenticated", "Check the trusted profile"],
            ),
        ] {
            let (outcome, _) = ask(&vpc(), None, answers);
            let failure = outcome
                .unwrap_err()
                .with_source("the identity of this machine", &vpc());
            assert!(failure.needs_user_action());
            let text = failure.to_string();
            for part in parts {
                assert!(text.contains(part), "{text}");
            }
            assert!(
                text.contains(
                    "the instance metadata service at http://169.254.169.254 rejected it"
                ),
                "{text}"
            );
        }
    }

    #[test]
    fn an_unreachable_service_may_mean_another_kind_of_machine() {
        for silent in [unreachable as fn() -> Answer, network] {
            let (outcome, requests) = ask(&vpc(), None, (0..4).map(|_| silent()).collect());
            assert_eq!(requests.len(), 4, "retried like requests to IAM");
            let failure = outcome.unwrap_err().with_source("this machine", &vpc());
            assert!(failure.is_temporary());
            let text = failure.to_string();
            assert!(text.contains("169.254.169.254"), "{text}");
            assert!(text.contains("may not be a VPC virtual server"), "{text}");
            assert!(!text.contains("IAM") && !text.contains("proxy"), "{text}");
        }
        let broken = (0..4).map(|_| response(500, "")).collect();
        let text = ask(&vpc(), None, broken)
            .0
            .unwrap_err()
            .with_source("this machine", &vpc())
            .to_string();
        assert!(!text.contains("may not be"), "it answered: {text}");
    }

    #[test]
    fn a_direct_request_never_blames_a_proxy() {
        for answer in [response(302, ""), response(403, "no")] {
            let error = ask(&vpc(), None, vec![answer]).0.unwrap_err();
            let text = error.with_source("this machine", &vpc()).to_string();
            assert!(text.contains("cannot trust the response"), "{text}");
            assert!(!text.contains("proxy") && !text.contains("IAM"), "{text}");
        }
    }
}
