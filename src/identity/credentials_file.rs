//! IBM's credentials file, as the SDKs read it (`go-sdk-core`,
//! `core/config_utils.go` and `core/authenticator_factory.go`).

use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;

use super::Given;
use super::compute_resource_token;
use super::instance_metadata;
use super::proof;
use super::proof::Proof;
use super::proof::Proven;
use crate::environment::CREDENTIALS_FILE;
use crate::failure::Failure;
use crate::failure::Result;
use crate::files;
use crate::iam::endpoint::Endpoint;
use crate::iam::grant::Client;
use crate::iam::metadata::MetadataService;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::settings::SourceName;
use crate::trusted_profile::TrustedProfile;

/// Begins the properties of this service: the SDK's `DefaultServiceName`
/// (`container-registry-go-sdk`, `containerregistryv1`).
const PREFIX: &str = "CONTAINER_REGISTRY_";

const FILE_NAME: &str = "ibm-credentials.env";

/// The most that is read, in bytes.
const LIMIT: u64 = 1024 * 1024;

/// Whoever the file names for this service.
pub(super) fn find<'a>(_registry: &Registry, given: &Given<'a>) -> Result<Option<Proven<'a>>> {
    let Some(path) = path_of_file(given)? else {
        return Ok(None);
    };
    let fail = |reason: String| {
        Failure::act(format!(
            "the IBM credentials file {} {reason}",
            path.display()
        ))
    };
    let text = files::read_regular(&path, LIMIT)
        .map(zeroize::Zeroizing::new)
        .map_err(|error| fail(format!("cannot be read ({error})")))?;
    let properties = Properties::read(&text);
    if properties.0.is_empty() {
        return Ok(None);
    }
    properties.prove(&path, given).map(Some).map_err(fail)
}

/// The file that somebody named, that of the working directory if the settings
/// allow it (a repository must not choose whose credentials are used), or that of
/// the home directory.
fn path_of_file(given: &Given<'_>) -> Result<Option<PathBuf>> {
    if given.choice.source == Some(SourceName::CredentialsFile)
        && let Some(path) = given.choice.file
    {
        return Ok(Some(given.places.expand(path)));
    }
    if let Some(path) = given.environment.text(CREDENTIALS_FILE)? {
        return Ok(Some(PathBuf::from(path)));
    }
    let places = given.places;
    let here = given
        .working_directory_credentials
        .then_some(&places.working_directory);
    let mut paths = [here, places.home.as_ref()]
        .into_iter()
        .flatten()
        .map(|directory| directory.join(FILE_NAME));
    Ok(paths.find(|path| path.exists()))
}

/// This service's properties, without the prefix.
struct Properties(HashMap<String, Secret>);

impl Properties {
    /// Lines of `NAME=VALUE`; what begins with `#` is a comment.
    fn read(text: &str) -> Self {
        let lines = text.lines().map(str::trim);
        Self(
            lines
                .filter(|line| !line.starts_with('#'))
                .filter_map(|line| line.split_once('='))
                .filter_map(|(name, value)| Some((name.trim().strip_prefix(PREFIX)?, value.trim())))
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| (name.to_owned(), Secret::new(value)))
                .collect(),
        )
    }

    fn prove<'a>(&self, path: &Path, given: &Given<'a>) -> Result<Proven<'a>, String> {
        if self
            .text("AUTH_DISABLE_SSL")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
        {
            return Err(format!(
                "sets {PREFIX}AUTH_DISABLE_SSL, but this program always checks who it talks to; take it out"
            ));
        }
        let proven = self.identity(path, given)?;
        Ok(match given.choice.trusted_profile {
            Some(profile) if !proven.is_of_profile() => proven.assuming(Some(profile.clone())),
            _ => proven,
        })
    }

    fn identity<'a>(&self, path: &Path, given: &Given<'a>) -> Result<Proven<'a>, String> {
        let default = match self.has("APIKEY") {
            true => "iam",
            false => "container",
        };
        let kind = self.text("AUTH_TYPE").or_else(|| self.text("AUTHTYPE"));
        let kind = kind.unwrap_or(default);
        let source = |what: &str| format!("{what} in {}", path.display());
        let proven = match kind.to_ascii_lowercase().as_str() {
            "iam" => Proven::new(given, source("the API key"), self.api_key()?),
            "iamassume" if given.choice.trusted_profile.is_some() => {
                Proven::new(given, source("the API key"), self.api_key()?)
            }
            "iamassume" => {
                let profile = self.profile().ok_or_else(|| missing("IAM_PROFILE_ID"))?;
                Proven::new(given, source("the API key"), self.api_key()?).assuming(Some(profile))
            }
            "container" => self.compute_resource(given)?,
            "vpc" => return self.vpc(given),
            "bearertoken" => self.bearer_token(given, source("the token"))?,
            other => {
                return Err(format!(
                    "sets {PREFIX}AUTH_TYPE to {other:?}; the types that lead to a registry are iam, iamAssume, container, vpc and bearerToken"
                ));
            }
        };
        Ok(proven.at(self.endpoint(given)?))
    }

    fn api_key(&self) -> Result<Proof, String> {
        if let Some(key) = self.0.get("APIKEY") {
            return Ok(Proof::ApiKey(key.clone()));
        }
        let token = self
            .0
            .get("REFRESH_TOKEN")
            .ok_or_else(|| missing("APIKEY"))?;
        let client = match (self.text("CLIENT_ID"), self.0.get("CLIENT_SECRET")) {
            (Some(id), Some(secret)) => Client {
                id: id.to_owned(),
                secret: secret.clone(),
            },
            _ => return Err(missing("CLIENT_ID and its CLIENT_SECRET")),
        };
        Ok(Proof::RefreshToken {
            token: token.clone(),
            client,
        })
    }

    fn compute_resource<'a>(&self, given: &Given<'a>) -> Result<Proven<'a>, String> {
        let chosen = given.choice.trusted_profile.cloned();
        let profile = chosen.or_else(|| self.profile());
        let profile = profile.ok_or_else(|| missing("IAM_PROFILE_ID"))?;
        let file = self.text("CR_TOKEN_FILENAME").map(PathBuf::from);
        compute_resource_token::find_token(file.as_deref(), profile, given)
            .map_err(|failure| failure.to_string())?
            .ok_or_else(|| "wants a compute resource token, but no file holds one here".into())
    }

    fn vpc<'a>(&self, given: &Given<'a>) -> Result<Proven<'a>, String> {
        let mut service = MetadataService::vpc(self.text("AUTH_URL"))
            .map_err(|reason| format!("sets {PREFIX}AUTH_URL, which {reason}"))?;
        if let Some(version) = self.text("VPC_IMS_VERSION") {
            service = service
                .with_version(version)
                .map_err(|reason| format!("sets {PREFIX}VPC_IMS_VERSION, which {reason}"))?;
        }
        let chosen = given.choice.trusted_profile.cloned();
        let profile = chosen.or_else(|| self.profile());
        Ok(instance_metadata::proven(given, service, profile))
    }

    fn bearer_token<'a>(&self, given: &Given<'a>, source: String) -> Result<Proven<'a>, String> {
        let token = self
            .text("BEARER_TOKEN")
            .ok_or_else(|| missing("BEARER_TOKEN"))?;
        let token = proof::without_scheme(token);
        if !crate::iam::is_token(&token) {
            return Err(format!("sets {PREFIX}BEARER_TOKEN to what is no token"));
        }
        let proof = proof::of_tokens(Some(token), None, Client::cli(), given.clock);
        let proof =
            proof.ok_or_else(|| format!("sets {PREFIX}BEARER_TOKEN to one that has ended"))?;
        Ok(Proven::new(given, source, proof))
    }

    /// The trusted profile, by the first of its three names.
    fn profile(&self) -> Option<TrustedProfile> {
        let owned = |name| self.text(name).map(str::to_owned);
        let by_name = |name| TrustedProfile::Name {
            name,
            account: owned("IAM_ACCOUNT_ID"),
        };
        owned("IAM_PROFILE_ID")
            .map(TrustedProfile::Id)
            .or_else(|| owned("IAM_PROFILE_CRN").map(TrustedProfile::Crn))
            .or_else(|| owned("IAM_PROFILE_NAME").map(by_name))
    }

    /// The file's IAM, unless another one was chosen.
    fn endpoint(&self, given: &Given<'_>) -> Result<Endpoint, String> {
        match self.text("AUTH_URL") {
            Some(url) if given.choice.iam_endpoint.is_none() => Endpoint::parse(url)
                .map_err(|reason| format!("sets {PREFIX}AUTH_URL, which {reason}")),
            _ => Ok(given.endpoint.clone()),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(Secret::expose)
    }
}

fn missing(name: &str) -> String {
    format!("lacks {PREFIX}{name}")
}
