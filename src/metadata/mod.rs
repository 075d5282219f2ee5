//! The instance metadata service of a virtual server, which issues tokens of a trusted
//! profile to the instance.
//!
//! Facts: VPC documentation (`instance_metadata_vpc_identity_operations.md`,
//! `metadata-identity-migration.md`, `metadata-error-codes.md`), `go-sdk-core`
//! (`core/vpc_instance_authenticator.go`) and `ibm-cloud-cli-sdk`
//! (`bluemix/authentication/vpc/vpc.go`).

mod token;

use crate::iam::endpoint;

/// The metadata service of a VPC virtual server (`go-sdk-core`,
/// `core/vpc_instance_authenticator.go`).
const VPC_METADATA: &str = "http://169.254.169.254";

/// The link-local hosts of that service: the only ones, beside this machine, that may get
/// unencrypted requests (VPC Instance Metadata API, "Endpoint
/// URLs").
const VPC_METADATA_HOSTS: [&str; 2] = ["169.254.169.254", "api.metadata.cloud.ibm.com"];

/// The metadata service of a Power Virtual Server (`ibm-cloud-cli-sdk`,
/// `bluemix/authentication/vpc/vpc.go`).
const POWER_VS_METADATA: &str = "https://api.metadata.power-iaas.cloud.ibm.com";

/// A generation of the metadata service's API.
#[derive(Debug)]
struct MetadataApi {
    /// The first `version` that has these paths.
    since: &'static str,
    /// The path of the instance's identity token.
    identity_path: &'static str,
    /// The path that exchanges it for an access token.
    access_path: &'static str,
}

/// The generations, newest first (VPC documentation,
/// `metadata-identity-migration.md`); Power VS has the newest alone.
const METADATA_APIS: [MetadataApi; 2] = [
    MetadataApi {
        since: "2025-08-26",
        identity_path: "/identity/v1/token",
        access_path: "/identity/v1/iam_tokens",
    },
    MetadataApi {
        since: "2022-03-01",
        identity_path: "/instance_identity/v1/token",
        access_path: "/instance_identity/v1/iam_token",
    },
];

/// The metadata service of this machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MetadataService {
    kind: InstanceKind,
    base: String,
    version: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum InstanceKind {
    PowerVs,
    Vpc,
}

impl MetadataService {
    /// Returns the service of a VPC virtual server, at `url` or its default address.
    ///
    /// # Errors
    /// What is wrong with the URL, as the end of a sentence.
    pub fn vpc(url: Option<&str>) -> Result<Self, String> {
        Self::at(InstanceKind::Vpc, url.unwrap_or(VPC_METADATA))
    }

    /// Returns the service of a Power Virtual Server, at `url` or its default address.
    ///
    /// # Errors
    /// What is wrong with the URL, as the end of a sentence.
    pub fn power_vs(url: Option<&str>) -> Result<Self, String> {
        Self::at(InstanceKind::PowerVs, url.unwrap_or(POWER_VS_METADATA))
    }

    fn at(kind: InstanceKind, url: &str) -> Result<Self, String> {
        let is_its_own = |host: &str| VPC_METADATA_HOSTS.contains(&host);
        Ok(Self {
            kind,
            base: endpoint::base_of(url, is_its_own)?,
            version: None,
        })
    }

    /// Returns the service with a fixed version of its API, a date such as `2022-03-01`.
    /// Without one, the newest version that it supports is used.
    ///
    /// # Errors
    /// What is wrong with the version, as the end of a sentence.
    pub fn with_version(self, version: &str) -> Result<Self, String> {
        if self.kind == InstanceKind::PowerVs {
            return Err("is not supported by the service of Power VS".into());
        }
        if !is_date(version) {
            return Err("is not a date such as 2025-08-26".into());
        }
        if api_of(version).is_none() {
            return Err("is older than the first version of the service".into());
        }
        Ok(Self {
            version: Some(version.to_owned()),
            ..self
        })
    }

    /// Returns its base URL.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// Returns what identifies this service for
    /// [`fingerprint`](crate::digest::fingerprint): always three parts.
    pub fn name_parts(&self) -> Vec<&str> {
        let kind = match self.kind {
            InstanceKind::PowerVs => "power-vs",
            InstanceKind::Vpc => "vpc",
        };
        vec![
            kind,
            &self.base,
            self.version.as_deref().unwrap_or_default(),
        ]
    }

    /// Returns the URLs to try, newest API first.
    fn routes(&self) -> Vec<Route> {
        match (self.kind, self.version.as_deref()) {
            (InstanceKind::PowerVs, _) => METADATA_APIS[..1]
                .iter()
                .map(|api| self.route(api, None))
                .collect(),
            (InstanceKind::Vpc, Some(version)) => api_of(version)
                .map(|api| self.route(api, Some(version)))
                .into_iter()
                .collect(),
            (InstanceKind::Vpc, None) => METADATA_APIS
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

    /// Returns what no connection may mean: the address exists only in an instance whose
    /// service is enabled.
    fn unreachable_note(&self) -> &'static str {
        match self.kind {
            InstanceKind::PowerVs => {
                " (this machine may not be a Power Virtual Server instance, or its metadata service is not enabled)"
            }
            InstanceKind::Vpc => {
                " (this machine may not be a VPC virtual server instance, or its metadata service is not enabled, or accepts only https)"
            }
        }
    }
}

/// The URLs of one generation of the API.
struct Route {
    identity_url: String,
    access_url: String,
}

/// Returns the newest generation of a version.
fn api_of(version: &str) -> Option<&'static MetadataApi> {
    METADATA_APIS.iter().find(|api| version >= api.since)
}

/// Returns whether a text has the form of a date, `2022-03-01`. Such texts sort like
/// dates.
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

    fn vpc() -> MetadataService {
        MetadataService::vpc(None).unwrap()
    }

    #[test]
    fn only_the_services_own_hosts_may_be_unencrypted() {
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
    fn each_service_has_its_own_fingerprint() {
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
}
