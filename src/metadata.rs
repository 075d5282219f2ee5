//! The metadata service of a virtual server: it knows the instance, and exchanges
//! that for a token of a trusted profile.
//!
//! Facts: VPC documentation (`instance_metadata_vpc_identity_operations.md`,
//! `metadata-identity-migration.md`, `metadata-error-codes.md`), `go-sdk-core`
//! (`core/vpc_instance_authenticator.go`) and `ibm-cloud-cli-sdk`
//! (`bluemix/authentication/vpc/vpc.go`).

use serde_json::Value;
use serde_json::json;

use crate::http::transport::Authorization;
use crate::http::transport::Body;
use crate::http::transport::Method;
use crate::http::transport::ProxyPolicy;
use crate::http::transport::Response;
use crate::iam::ApiRequest;
use crate::iam::Iam;
use crate::iam::IamError;
use crate::iam::TokenResponse;
use crate::iam::answer;
use crate::iam::endpoint;
use crate::iam::endpoint::METADATA_APIS;
use crate::iam::endpoint::MetadataApi;
use crate::iam::trusted_profile::TrustedProfile;
use crate::secret::Secret;

/// How long the identity token is good, in seconds: the service's own default (it
/// takes 5 to 3600), and it is used at once.
const IDENTITY_LIFE: u32 = 300;

/// The metadata service of this machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MetadataService {
    machine: Machine,
    base: String,
    version: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Machine {
    PowerVs,
    Vpc,
}

impl MetadataService {
    /// That of a VPC virtual server instance, at `url` or at its usual address.
    ///
    /// # Errors
    /// What is wrong with the URL, as the end of a sentence.
    pub fn vpc(url: Option<&str>) -> Result<Self, String> {
        Self::at(Machine::Vpc, url.unwrap_or(endpoint::VPC_METADATA))
    }

    /// That of a Power Virtual Server instance, at `url` or at its usual address.
    ///
    /// # Errors
    /// What is wrong with the URL, as the end of a sentence.
    pub fn power_vs(url: Option<&str>) -> Result<Self, String> {
        Self::at(Machine::PowerVs, url.unwrap_or(endpoint::POWER_VS_METADATA))
    }

    fn at(machine: Machine, url: &str) -> Result<Self, String> {
        let is_its_own = |host: &str| endpoint::VPC_METADATA_HOSTS.contains(&host);
        Ok(Self {
            machine,
            base: endpoint::base_of(url, is_its_own)?,
            version: None,
        })
    }

    /// The same service, asked for one version of its API, a date such as
    /// `2022-03-01`; without one the newest that it knows is used.
    ///
    /// # Errors
    /// What is wrong with the version, as the end of a sentence.
    pub fn with_version(self, version: &str) -> Result<Self, String> {
        if self.machine == Machine::PowerVs {
            return Err("is for VPC alone; the service of Power VS has no versions".into());
        }
        if !is_date(version) {
            return Err("is no date such as 2025-08-26".into());
        }
        if api_of(version).is_none() {
            return Err("is older than the service".into());
        }
        Ok(Self {
            version: Some(version.to_owned()),
            ..self
        })
    }

    /// Its base URL, for messages.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// What tells this service from every other, for
    /// [`fingerprint`](crate::digest::fingerprint): always three parts.
    pub fn name_parts(&self) -> Vec<&str> {
        let machine = match self.machine {
            Machine::PowerVs => "power-vs",
            Machine::Vpc => "vpc",
        };
        vec![
            machine,
            &self.base,
            self.version.as_deref().unwrap_or_default(),
        ]
    }

    /// The ways to ask, best first.
    fn routes(&self) -> Vec<Route> {
        match (self.machine, self.version.as_deref()) {
            (Machine::PowerVs, _) => METADATA_APIS[..1]
                .iter()
                .map(|api| self.route(api, None))
                .collect(),
            (Machine::Vpc, Some(version)) => api_of(version)
                .map(|api| self.route(api, Some(version)))
                .into_iter()
                .collect(),
            (Machine::Vpc, None) => METADATA_APIS
                .iter()
                .map(|api| self.route(api, Some(api.since)))
                .collect(),
        }
    }

    fn route(&self, api: &MetadataApi, version: Option<&str>) -> Route {
        let query = version.map_or_else(String::new, |version| format!("?version={version}"));
        Route {
            identity_url: format!("{}{}{query}", self.base, api.identity_path),
            access_url: format!("{}{}{query}", self.base, api.access_path),
        }
    }

    /// An address that nobody has is silent everywhere else, and so is a service
    /// that is switched off.
    fn if_silent(&self) -> &'static str {
        match self.machine {
            Machine::PowerVs => {
                " (this machine may not be a Power Virtual Server instance, or its metadata service is not enabled)"
            }
            Machine::Vpc => {
                " (this machine may not be a VPC virtual server instance, or its metadata service is not enabled, or speaks https only)"
            }
        }
    }

    fn question<'a>(&self, name: &'a str, method: Method, url: &str, body: Body) -> ApiRequest<'a> {
        ApiRequest {
            name,
            method,
            url: url.to_owned(),
            headers: vec![("Metadata-Flavor", Secret::new("ibm"))],
            authorization: Authorization::None,
            body,
            way: ProxyPolicy::Direct,
            secrets: Vec::new(),
            is_once_only: false,
            if_silent: self.if_silent(),
        }
    }
}

/// Where one generation of the API is.
struct Route {
    identity_url: String,
    access_url: String,
}

impl Iam<'_> {
    /// An access token for this machine, as the trusted profile, or without one as
    /// that which was linked to the instance when it was made. There is no refresh
    /// token.
    ///
    /// # Errors
    /// See [`IamError`]. The service takes no profile by its name.
    pub fn instance_token(
        &self,
        service: &MetadataService,
        profile: Option<&TrustedProfile>,
    ) -> Result<TokenResponse, IamError> {
        let wanted = access_body(profile)?;
        let (identity, access_url) = self.instance_identity(service)?;
        let question = ApiRequest {
            authorization: Authorization::Bearer(identity.access_token.clone()),
            secrets: vec![&identity.access_token],
            ..service.question("instance access", Method::Post, &access_url, wanted)
        };
        let response = self.ask(&question)?;
        let issued = question.judge(&response, |body| answer::issued(body, self.clock.now()))?;
        Ok(TokenResponse {
            refresh_token: None,
            refresh_lifetime: None,
            ..issued
        })
    }

    /// The token that says which instance this is, and where it can be exchanged.
    fn instance_identity(
        &self,
        service: &MetadataService,
    ) -> Result<(TokenResponse, String), IamError> {
        let mut outcome = Err(IamError::Unusable {
            reason: "no version of the instance metadata service is known".into(),
        });
        for route in service.routes() {
            let body = json!({ "expires_in": IDENTITY_LIFE }).to_string();
            let question = service.question(
                "instance identity",
                Method::Put,
                &route.identity_url,
                Body::Json(Secret::new(body)),
            );
            let response = self.ask(&question)?;
            outcome = question
                .judge(&response, |body| answer::issued(body, self.clock.now()))
                .map(|identity| (identity, route.access_url));
            if !is_unknown(&response) {
                break;
            }
            tracing::debug!(response.status, "another version of the metadata service");
        }
        outcome
    }
}

/// Whether the service does not know the path or the version.
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

fn access_body(profile: Option<&TrustedProfile>) -> Result<Body, IamError> {
    let profile = match profile {
        None => return Ok(Body::Json(Secret::new("{}"))),
        Some(TrustedProfile::Id(id)) => json!({ "id": id }),
        Some(TrustedProfile::Crn(crn)) => json!({ "crn": crn }),
        Some(TrustedProfile::Name { name, .. }) => {
            return Err(IamError::Unusable {
                reason: format!(
                    "an instance metadata service takes the ID (Profile-…) or the CRN of a trusted profile, not its name `{name}`"
                ),
            });
        }
    };
    let body = json!({ "trusted_profile": profile }).to_string();
    Ok(Body::Json(Secret::new(body)))
}

/// The newest generation that a version has.
fn api_of(version: &str) -> Option<&'static MetadataApi> {
    METADATA_APIS.iter().find(|api| version >= api.since)
}

/// Whether a text has the form of a date, `2022-03-01`; dates of this form sort as
/// texts.
fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(place, byte)| match place {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::transport::Request;
    use crate::http::transport::TransportError;
    use crate::iam::tests::Lab;
    use crate::iam::tests::network;
    use crate::iam::tests::response;
    use crate::iam::tests::unreachable;

    type Answer = Result<Response, TransportError>;

    fn given(token: &str) -> Answer {
        let body = json!({
            "access_token": token, "created_at": "2026-01-01T00:00:00Z",
            "expires_at": "2026-01-01T01:00:00Z", "expires_in": 3600
        });
        response(200, &body.to_string())
    }

    fn refusal(status: u16, code: &str) -> Answer {
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
            _ => "nobody",
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
    ) -> (Result<TokenResponse, IamError>, Vec<Request>) {
        let lab = Lab::answering(answers);
        let profile = profile.map(|text| TrustedProfile::parse(text).unwrap());
        let outcome = lab.ask(|iam| iam.instance_token(service, profile.as_ref()));
        (outcome, lab.requests())
    }

    #[test]
    fn the_instances_own_token_is_exchanged_for_one_of_the_profile() {
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
                    r#"Put http://169.254.169.254/identity/v1/token?version=2025-08-26 nobody {"expires_in":300}"#
                        .to_owned(),
                    format!(
                        "Post http://169.254.169.254/identity/v1/iam_tokens?version=2025-08-26 identity {body}"
                    ),
                ]
            );
            for request in requests {
                assert_eq!(
                    request.way,
                    ProxyPolicy::Direct,
                    "no proxy knows this instance"
                );
                assert_eq!(
                    request.headers,
                    [("Metadata-Flavor", Secret::new("ibm"))],
                    "both ask for it"
                );
            }
        }
    }

    #[test]
    fn a_service_of_the_older_generation_is_asked_its_way() {
        let bad_version = json!({"errors": [{
            "code": "bad_field", "message": "no", "target": {"name": "version", "type": "parameter"}
        }]});
        for unknown in [
            response(404, "page not found"),
            refusal(404, "not_found"),
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
        let both = vec![response(404, ""), refusal(404, "not_found")];
        let (outcome, requests) = ask(&vpc(), None, both);
        assert!(matches!(
            outcome,
            Err(IamError::Refused { status: 404, .. })
        ));
        assert_eq!(requests.len(), 2);
    }

    #[test]
    fn a_version_that_was_chosen_is_not_changed() {
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
    fn only_the_services_own_hosts_are_spoken_to_in_clear() {
        for url in [
            "http://169.254.169.254",
            "http://169.254.169.254/",
            "http://api.metadata.cloud.ibm.com",
            "https://api.metadata.cloud.ibm.com",
            "http://127.0.0.1:8080",
            "https://metadata.example.com",
        ] {
            let service = MetadataService::vpc(Some(url)).unwrap();
            assert_eq!(service.url(), url.trim_end_matches('/'));
        }
        for url in [
            "http://metadata.example.com",
            "http://169.254.169.253",
            "http://169.254.169.254.evil.com",
            "http://api.metadata.cloud.ibm.com.evil.com",
            "http://user@169.254.169.254",
            "http://169.254.169.254?x=y",
            "169.254.169.254",
            "",
        ] {
            assert!(MetadataService::vpc(Some(url)).is_err(), "{url}");
            assert!(MetadataService::power_vs(Some(url)).is_err(), "{url}");
        }
    }

    #[test]
    fn services_are_told_apart() {
        let url = Some("https://metadata.example.com");
        let services = [
            vpc(),
            vpc().with_version("2022-03-01").unwrap(),
            MetadataService::vpc(url).unwrap(),
            MetadataService::power_vs(url).unwrap(),
        ];
        let names: std::collections::BTreeSet<String> = services
            .iter()
            .map(|service| crate::digest::fingerprint(&service.name_parts()))
            .collect();
        assert_eq!(names.len(), services.len());
    }

    #[test]
    fn a_profiles_name_is_not_even_sent() {
        let (outcome, requests) = ask(&vpc(), Some("ci"), Vec::new());
        let text = outcome
            .unwrap_err()
            .with_source("the instance metadata", &vpc())
            .to_string();
        assert!(
            text.contains("`ci`") && text.contains("Profile-…"),
            "{text}"
        );
        assert!(requests.is_empty());
    }

    #[test]
    fn what_the_service_refuses_says_what_to_do() {
        for (answers, parts) in [
            (
                vec![given("identity"), refusal(400, "profile_not_linked")],
                ["profile_not_linked", "Link the trusted profile"],
            ),
            (
                vec![refusal(403, "unauthorized")],
                ["about unauthorized", "Enable the metadata service"],
            ),
            (
                vec![given("identity"), refusal(401, "unauthenticated")],
                ["HTTP 401", "Check the trusted profile"],
            ),
        ] {
            let (outcome, _) = ask(&vpc(), None, answers);
            let failure = outcome
                .unwrap_err()
                .with_source("the identity of this machine", &vpc());
            assert!(failure.is_user());
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
    fn silence_may_mean_that_this_is_another_machine() {
        for silent in [unreachable as fn() -> Answer, network] {
            let (outcome, requests) = ask(&vpc(), None, (0..4).map(|_| silent()).collect());
            assert_eq!(requests.len(), 4, "asked again as IAM is");
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
    fn no_proxy_is_blamed_for_what_never_goes_through_one() {
        for answer in [response(302, ""), response(403, "no")] {
            let error = ask(&vpc(), None, vec![answer]).0.unwrap_err();
            let text = error.with_source("this machine", &vpc()).to_string();
            assert!(text.contains("cannot be trusted"), "{text}");
            assert!(!text.contains("proxy") && !text.contains("IAM"), "{text}");
        }
    }
}
