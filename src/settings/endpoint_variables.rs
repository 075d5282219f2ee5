//! The variables of IBM's Terraform provider that select the IAM endpoint
//! (`terraform-provider-ibm`, `ibm/conns/config.go`; `bluemix-go`,
//! `endpoints/endpoints_locator.go`).

use std::collections::BTreeMap;
use std::path::Path;

use super::Settings;
use super::invalid::Invalid;
use crate::environment;
use crate::environment::Environment;
use crate::environment::IAM_ENDPOINT;
use crate::error::Error;
use crate::error::Result;
use crate::fs;
use crate::fs::TrustedUsers;
use crate::iam::endpoint::Endpoint;
use crate::text::encoding;
use crate::text::repeatable;

/// The variables with the network to use. The first that is set counts.
const VISIBILITY_VARIABLES: [&str; 2] = ["IC_VISIBILITY", "IBMCLOUD_VISIBILITY"];

/// The kind of private endpoint.
const PRIVATE_TYPE_VARIABLES: [&str; 2] =
    ["IC_PRIVATE_ENDPOINT_TYPE", "IBMCLOUD_PRIVATE_ENDPOINT_TYPE"];

/// The path of a file with endpoints.
const ENDPOINTS_FILE_VARIABLES: [&str; 2] =
    ["IBMCLOUD_ENDPOINTS_FILE_PATH", "IC_ENDPOINTS_FILE_PATH"];

/// The region.
const REGION_VARIABLES: [&str; 4] = [
    "IC_REGION",
    "IBMCLOUD_REGION",
    "BM_REGION",
    "BLUEMIX_REGION",
];

/// The provider's default region.
const DEFAULT_REGION: &str = "us-south";

const PUBLIC: &str = "public";
const PRIVATE: &str = "private";
const BOTH: &str = "public-and-private";

/// The type of a virtual private endpoint, which is the same in all regions.
const VIRTUAL_PRIVATE: &str = "vpe";

/// The size limit of the file with endpoints, in bytes.
const MAX_FILE_SIZE: u64 = 1024 * 1024;

/// The file's content: the variable of an endpoint, the visibility, the region, the URL.
type Endpoints = BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>>;

/// Which endpoints the variables select.
pub(super) struct Selection {
    /// The endpoint for all production registries, and the variable that selects it.
    pub(super) endpoint: Option<(&'static str, Endpoint)>,
    /// The endpoint of IAM in the private network.
    pub(super) private: Endpoint,
}

impl Selection {
    /// Returns what the variables select.
    ///
    /// # Errors
    /// A variable is invalid, or the file with endpoints is.
    pub(super) fn read(environment: &Environment) -> Result<Self> {
        let region = first_of(&REGION_VARIABLES, environment)?.map(|(_, region)| region);
        let private_type = choice(&PRIVATE_TYPE_VARIABLES, &[VIRTUAL_PRIVATE], environment)?;
        let private_in = |region: Option<&str>| match (private_type, region) {
            (None, Some(region)) => Endpoint::private_in(region),
            _ => Endpoint::private(),
        };
        let networks = [PUBLIC, PRIVATE, BOTH];
        let visibility = choice(&VISIBILITY_VARIABLES, &networks, environment)?;
        let region_or_default = region.unwrap_or(DEFAULT_REGION);
        let (_, network) = visibility.unwrap_or(("", PUBLIC));
        // The provider ignores the file if it may use both networks.
        let file = first_of(&ENDPOINTS_FILE_VARIABLES, environment)?;
        let of_file = match file.filter(|_| network != BOTH) {
            Some((variable, path)) => {
                of_file(variable, path, network, region_or_default, environment)?
            }
            None => None,
        };
        let of_network = visibility
            .filter(|_| network != PUBLIC)
            .map(|(variable, _)| (variable, private_in(Some(region_or_default))));
        Ok(Self {
            endpoint: of_file.or(of_network),
            private: private_in(region),
        })
    }
}

impl Settings {
    /// Returns the IAM endpoint that a profile selects, for production or staging registries. The
    /// private network has no endpoint for staging.
    pub(crate) fn iam_endpoint_of(
        &self,
        profile: &super::Profile,
        is_staging: bool,
    ) -> Option<Endpoint> {
        let is_private = profile.private_endpoints && !is_staging;
        let named = profile.iam_endpoint.clone();
        named.or_else(|| is_private.then(|| self.private_iam.clone()))
    }
}

/// Returns the first variable that is set, and its value.
fn first_of<'e>(
    variables: &[&'static str],
    environment: &'e Environment,
) -> Result<Option<(&'static str, &'e str)>> {
    for variable in variables {
        if let Some(text) = environment.value(variable)? {
            return Ok(Some((variable, text)));
        }
    }
    Ok(None)
}

/// Returns the first variable that is set. Its value has to be one of these.
fn choice<'e>(
    variables: &[&'static str],
    available: &[&str],
    environment: &'e Environment,
) -> Result<Option<(&'static str, &'e str)>> {
    let found = first_of(variables, environment)?;
    match found {
        Some((variable, value)) if !available.contains(&value) => {
            Err(Invalid::not_one_of(value, available).error(format_args!("${variable}")))
        }
        found => Ok(found),
    }
}

/// Returns the endpoint in a file of endpoints. Another user must not be able to change the file,
/// because it says where secrets are sent.
fn of_file(
    variable: &'static str,
    path: &str,
    network: &str,
    region: &str,
    environment: &Environment,
) -> Result<Option<(&'static str, Endpoint)>> {
    let shown = repeatable::path(path);
    let name = format!("the file {shown} named in ${variable}");
    let home = environment.text(environment::HOME)?.map(Path::new);
    let trusted = TrustedUsers::with_home(home);
    let read = || {
        let bytes = fs::read_bytes(Path::new(path), MAX_FILE_SIZE)?;
        fs::refuse_if_others_write(Path::new(path), &trusted)?;
        let text = encoding::decode(&bytes).map_err(|reason| anyhow::anyhow!(reason))?;
        serde_json::from_str::<Endpoints>(&text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            anyhow::anyhow!("it is no JSON with endpoints (line {line}, column {column})")
        })
    };
    let endpoints = read().map_err(|error| {
        Error::from_anyhow(&error).with_context(format_args!("cannot use {name}"))
    })?;
    let url = endpoints.get(IAM_ENDPOINT);
    let url = url.and_then(|networks| networks.get(network)?.get(region));
    match url.filter(|url| !url.is_empty()) {
        None => Ok(None),
        Some(url) => match Endpoint::parse(url) {
            Ok(endpoint) => Ok(Some((variable, endpoint))),
            Err(reason) => Err(Error::user(format!("{IAM_ENDPOINT} in {name} {reason}"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the bases of the selected endpoint and of the private one.
    fn selected(variables: &[(&str, &str)]) -> (Option<String>, String) {
        let environment = variables.iter().copied().collect();
        let selection = Selection::read(&environment).unwrap();
        let endpoint = selection
            .endpoint
            .map(|(_, endpoint)| endpoint.base().to_owned());
        (endpoint, selection.private.base().to_owned())
    }

    #[test]
    fn private_iam_is_regional_where_it_has_an_endpoint_of_its_own() {
        const GLOBAL: &str = "https://private.iam.cloud.ibm.com";
        const SOUTH: &str = "https://private.us-south.iam.cloud.ibm.com";
        const EAST: &str = "https://private.us-east.iam.cloud.ibm.com";
        for (variables, endpoint, private) in [
            (&[][..], None, GLOBAL),
            (&[("IC_REGION", "us-east")], None, EAST),
            (&[("IC_REGION", "eu-de")], None, GLOBAL),
            (
                &[("IC_VISIBILITY", "public"), ("IC_REGION", "us-south")],
                None,
                SOUTH,
            ),
            (&[("IC_VISIBILITY", "private")], Some(SOUTH), GLOBAL),
            (
                &[
                    ("IBMCLOUD_VISIBILITY", "public-and-private"),
                    ("BM_REGION", "us-east"),
                ],
                Some(EAST),
                EAST,
            ),
            (
                &[
                    ("IC_VISIBILITY", " private\n"),
                    ("IBMCLOUD_REGION", "eu-de"),
                ],
                Some(GLOBAL),
                GLOBAL,
            ),
            (
                &[
                    ("IC_VISIBILITY", "private"),
                    ("IBMCLOUD_VISIBILITY", "public"),
                    ("IC_REGION", "us-east"),
                    ("IBMCLOUD_REGION", "us-south"),
                ],
                Some(EAST),
                EAST,
            ),
            (
                &[
                    ("IC_VISIBILITY", "private"),
                    ("IC_REGION", "us-east"),
                    ("IC_PRIVATE_ENDPOINT_TYPE", "vpe"),
                ],
                Some(GLOBAL),
                GLOBAL,
            ),
            (&[("IC_VISIBILITY", "")], None, GLOBAL),
        ] {
            let expected = (endpoint.map(str::to_owned), private.to_owned());
            assert_eq!(selected(variables), expected, "{variables:?}");
        }
    }

    #[test]
    fn a_value_that_the_provider_does_not_know_is_an_error() {
        for name in ["IC_VISIBILITY", "IBMCLOUD_PRIVATE_ENDPOINT_TYPE"] {
            let environment = [(name, "other")].into_iter().collect();
            let error = Selection::read(&environment).err().unwrap();
            assert!(error.text().contains(name), "{error}");
            assert!(error.hint().is_some(), "{error}");
        }
    }

    #[test]
    fn a_file_of_endpoints_is_read_as_the_provider_reads_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("endpoints.json");
        let text = r#"{"IBMCLOUD_IAM_API_ENDPOINT": {"public": {"us-south": "https://south.example.com", "eu-de": ""}, "private": {"eu-de": "https://private.example.com"}}}"#;
        fs::tests::write_own(&path, text);
        let path = path.to_str().unwrap();
        let file = ("IC_ENDPOINTS_FILE_PATH", path);
        let endpoint = |variables: &[(&str, &str)]| selected(variables).0;
        let south = Some("https://south.example.com".to_owned());
        assert_eq!(endpoint(&[file]), south);
        assert_eq!(endpoint(&[file, ("IC_REGION", "eu-de")]), None);
        let private = Some("https://private.example.com".to_owned());
        let in_germany = [file, ("IC_REGION", "eu-de"), ("IC_VISIBILITY", "private")];
        assert_eq!(endpoint(&in_germany), private);
        let both = [file, ("IC_VISIBILITY", "public-and-private")];
        assert_eq!(
            endpoint(&both),
            Some("https://private.us-south.iam.cloud.ibm.com".to_owned())
        );
        for (text, reason) in [
            ("{", "line 1"),
            (
                "{\"IBMCLOUD_IAM_API_ENDPOINT\": {\"public\": {\"us-south\": \"http://iam.example.com\"}}}",
                "must use https",
            ),
        ] {
            fs::tests::write_own(Path::new(path), text);
            let error = Selection::read(&[file].into_iter().collect())
                .err()
                .unwrap();
            let text = error.to_string();
            assert!(
                text.contains(reason) && text.contains("$IC_ENDPOINTS_FILE_PATH"),
                "{text}"
            );
        }
    }
}
