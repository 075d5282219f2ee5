//! The session of the IBM Cloud CLI (`ibm-cloud-cli-sdk`,
//! `bluemix/configuration/core_config/bx_config.go`).
//!
//! It is read and never written: what IAM gives for it stays in our own cache.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::Given;
use super::Places;
use super::instance_metadata;
use super::proof;
use super::proof::Proven;
use crate::environment::CLI_CONFIG_HOME;
use crate::environment::CLI_HOME_VARIABLES;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::failure::Result;
use crate::files;
use crate::iam::endpoint::Endpoint;
use crate::iam::grant::Client;
use crate::iam::metadata::MetadataService;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::trusted_profile::TrustedProfile;

/// What to do when the session is over.
const ADVICE: &str =
    "run `ibmcloud login`, or log in once with `docker-credential-icr login`, which lasts";

/// The most that is read, in bytes; a session has about ten thousand.
const LIMIT: u64 = 4 * 1024 * 1024;

/// How long the CLI may hold its lock on the file: it writes it in one go.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// How often a file is read that makes no sense, because somebody who takes no
/// lock is writing it, and how long to wait in between.
const MOST_READS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(25);

/// The parts of `config.json` that say who is logged in and where.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Session {
    #[serde(rename = "CloudName")]
    cloud_name: Option<String>,
    #[serde(rename = "CRIType")]
    compute_resource_type: Option<String>,
    #[serde(rename = "IAMEndpoint")]
    endpoint: Option<String>,
    #[serde(rename = "IAMPrivateEndpoint")]
    private_endpoint: Option<String>,
    #[serde(rename = "IAMPrivateVPCEndpoint")]
    vpc_endpoint: Option<String>,
    #[serde(rename = "IAMRefreshToken")]
    refresh_token: Option<Secret>,
    #[serde(rename = "IAMToken")]
    access_token: Option<Secret>,
    #[serde(rename = "IsAccessFromVPC")]
    is_in_vpc: bool,
    #[serde(rename = "IsLoggedInAsCRI")]
    is_compute_resource: bool,
    #[serde(rename = "IsPrivate")]
    is_private: bool,
    #[serde(rename = "Profile")]
    profile: Option<AssumedProfile>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AssumedProfile {
    #[serde(rename = "ID")]
    id: Option<String>,
}

/// A session that somebody wants to have for good.
#[derive(Clone, Debug)]
pub struct CliSession {
    /// The IAM that it is of.
    pub endpoint: Endpoint,
    /// The token that goes on with it. The CLI keeps it, too: IAM takes it from
    /// both.
    pub refresh_token: Secret,
    /// What a person calls it.
    pub source: String,
}

/// The session, for taking it over for registries of production or of staging.
///
/// # Errors
/// Nobody is logged in, or in a way that does not last.
pub(crate) fn to_take_over(given: &Given<'_>, is_staging: bool) -> Result<CliSession> {
    let path = path_of_session(given.environment, given.places)?;
    let session = match &path {
        Some(path) => read(path, given)?.map(|session| (source(path), session)),
        None => None,
    };
    let Some((source, session)) = session else {
        return Err(Failure::act(
            "the IBM Cloud CLI has no session; run `ibmcloud login` first",
        ));
    };
    let fail = |reason: &str| Failure::act(format!("{source} {reason}"));
    if session.is_staging() != is_staging {
        return Err(fail(
            "is of another IBM Cloud than the registry: staging has an IAM of its own",
        ));
    }
    let endpoint = session.endpoint(given).map_err(|reason| fail(&reason))?;
    let refresh_token = usable(session.refresh_token).filter(crate::iam::is_token);
    let refresh_token = refresh_token.ok_or_else(|| {
        fail("has no refresh token, without which it cannot be taken over: run `ibmcloud login` first, or log in with an API key")
    })?;
    Ok(CliSession {
        endpoint,
        refresh_token,
        source,
    })
}

/// Whoever is logged in with the CLI.
pub(super) fn find<'a>(registry: &Registry, given: &Given<'a>) -> Result<Option<Proven<'a>>> {
    let Some(path) = path_of_session(given.environment, given.places)? else {
        return Ok(None);
    };
    let Some(session) = read(&path, given)? else {
        return Ok(None);
    };
    // Neither IAM's tokens are good for the other's registries.
    if session.is_staging() != registry.is_staging() {
        return Ok(None);
    }
    let source = source(&path);
    let fail = |reason: &str| Failure::act(format!("{source} {reason}; {ADVICE}"));
    let endpoint = session.endpoint(given).map_err(|reason| fail(&reason))?;
    let Some(proven) = session
        .prove(given, &source)
        .map_err(|reason| fail(&reason))?
    else {
        return Ok(None);
    };
    let proven = proven.at(endpoint).advising(ADVICE);
    Ok(Some(proven.assuming(given.choice.trusted_profile.cloned())))
}

fn source(path: &Path) -> String {
    format!("the IBM Cloud CLI's session in {}", path.display())
}

/// A token as the session has it, if it has one.
fn usable(token: Option<Secret>) -> Option<Secret> {
    let token = proof::without_scheme(token?.expose());
    (!token.is_empty()).then_some(token)
}

impl Session {
    fn is_staging(&self) -> bool {
        self.cloud_name.as_deref() == Some("staging")
    }

    /// The IAM that the CLI itself would ask.
    fn endpoint(&self, given: &Given<'_>) -> Result<Endpoint, String> {
        let chosen = match (self.is_private, self.is_in_vpc) {
            (true, true) => &self.vpc_endpoint,
            (true, false) => &self.private_endpoint,
            (false, _) => &self.endpoint,
        };
        match chosen.as_deref().filter(|url| !url.is_empty()) {
            Some(url) if given.choice.iam_endpoint.is_none() => {
                Endpoint::parse(url).map_err(|reason| format!("names an IAM that {reason}"))
            }
            _ => Ok(given.endpoint.clone()),
        }
    }

    /// The session's tokens; nothing when nobody is logged in.
    fn prove<'a>(self, given: &Given<'a>, source: &str) -> Result<Option<Proven<'a>>, String> {
        let (access, refresh) = (usable(self.access_token), usable(self.refresh_token));
        if access.is_none() && refresh.is_none() {
            return Ok(None);
        }
        if ![&access, &refresh]
            .into_iter()
            .flatten()
            .all(crate::iam::is_token)
        {
            return Err("holds no token where one should be".into());
        }
        let machine = match self.compute_resource_type.as_deref() {
            Some("VPC") if self.is_compute_resource => Some(MetadataService::vpc(None)?),
            Some("PVS") if self.is_compute_resource => Some(MetadataService::power_vs(None)?),
            _ => None,
        };
        match (
            proof::of_tokens(access, refresh, Client::cli(), given.clock),
            machine,
        ) {
            (Some(proof), _) => Ok(Some(Proven::new(given, source, proof))),
            (None, Some(service)) => {
                let profile = self.profile.and_then(|profile| profile.id);
                let profile = profile.map(TrustedProfile::Id);
                Ok(Some(instance_metadata::proven(given, service, profile)))
            }
            (None, None) => Err("has ended".into()),
        }
    }
}

/// Where the CLI would look (`ibm-cloud-cli-sdk`,
/// `bluemix/configuration/config_helpers/helpers.go`).
fn path_of_session(environment: &Environment, places: &Places) -> Result<Option<PathBuf>> {
    const FILE: &str = "config.json";
    if let Some(directory) = environment.text(CLI_CONFIG_HOME)? {
        return Ok(Some(Path::new(directory).join(FILE)));
    }
    let mut home = places.home.clone();
    for variable in CLI_HOME_VARIABLES.iter().rev() {
        if let Some(directory) = environment.text(variable)? {
            home = Some(PathBuf::from(directory));
        }
    }
    Ok(home.map(|home| {
        let current = home.join(".ibmcloud");
        let directory = match current.exists() {
            true => current,
            false => home.join(".bluemix"),
        };
        directory.join(FILE)
    }))
}

/// What is in the file; nothing when there is none.
fn read(path: &Path, given: &Given<'_>) -> Result<Option<Session>> {
    let fail = |reason: String| {
        Failure::act(format!(
            "the IBM Cloud CLI's session in {} cannot be read ({reason}); {ADVICE}",
            path.display()
        ))
    };
    for _ in 1..MOST_READS {
        match read_once(path) {
            Ok(Err(_)) => given.clock.sleep(PAUSE),
            Ok(Ok(session)) => return Ok(Some(session)),
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(fail(error.to_string())),
        }
    }
    match read_once(path) {
        Ok(Ok(session)) => Ok(Some(session)),
        Ok(Err(error)) => Err(fail(format!(
            "it is no session, at line {}, column {}",
            error.line(),
            error.column()
        ))),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(fail(error.to_string())),
    }
}

/// Reads the file under the lock that the CLI takes to write it.
fn read_once(path: &Path) -> anyhow::Result<Result<Session, serde_json::Error>> {
    let text = zeroize::Zeroizing::new(files::read_locked(path, LIMIT, LOCK_PATIENCE)?);
    Ok(serde_json::from_str(&text))
}

fn is_missing(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| {
        matches!(
            error.kind(),
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
        )
    })
}
