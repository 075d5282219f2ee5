//! The session of the IBM Cloud CLI (`ibm-cloud-cli-sdk`,
//! `bluemix/configuration/core_config/bx_config.go`).
//!
//! The session is only read: the tokens that IAM issues for it are in this program's cache.

mod file;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde::Deserialize;

use super::Identity;
use super::SourceContext;
use super::grant_input;
use super::grant_input::GrantInput;
use super::instance_metadata;
use super::source_identity::SourceIdentity;
use crate::environment::POWER_VS_URL;
use crate::environment::VPC_URL;
use crate::error::Error;
use crate::error::Result;
use crate::iam::endpoint::Endpoint;
use crate::iam::grant::Client;
use crate::iam::trusted_profile::TrustedProfile;
use crate::metadata::MetadataService;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::secret::input;
use crate::sources::advice::SourceKind;

/// The hint for a session that cannot be used.
const HINT: &str = "Run 'ibmcloud login', or log in permanently with 'docker-credential-icr login'";

/// The hint for a session that cannot be stored as a login.
const NOT_REFRESHABLE_HINT: &str = "Run 'ibmcloud login' first, or log in with an API key";

/// The keys of `config.json` that contain the tokens and select the IAM.
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

/// Returns the identity of the session's refresh token, to store it as a login for registries
/// of production or staging.
///
/// # Errors
/// The CLI has no session, one of another IBM Cloud, or one without a refresh token.
pub(crate) fn refreshable_session<'a>(
    context: &SourceContext<'a>,
    is_staging: bool,
) -> Result<Box<dyn Identity + 'a>> {
    let path = file::path(context.environment, context.system_paths)?;
    let session = match &path {
        Some(path) => file::read(path, context.clock)?.map(|session| (source(path), session)),
        None => None,
    };
    let Some((source, session)) = session else {
        return Err(
            Error::user("the IBM Cloud CLI has no session").with_hint("Run 'ibmcloud login' first")
        );
    };
    let fail = |reason: &str| {
        Error::user(format!("cannot use {source}: {reason}")).with_hint(NOT_REFRESHABLE_HINT)
    };
    if session.is_staging() != is_staging {
        let (own, wanted) = if is_staging {
            ("production", "staging")
        } else {
            ("staging", "production")
        };
        return Err(fail(&format!(
            "it is a session of {own}, but the registry is one of {wanted}"
        )));
    }
    let endpoint = session.endpoint(context).map_err(|reason| fail(&reason))?;
    let refresh_token = without_scheme(session.refresh_token).filter(crate::iam::is_token);
    let token = refresh_token.ok_or_else(|| fail("it has no refresh token"))?;
    let client = Client::cli();
    let input = GrantInput::RefreshToken { token, client };
    let identity = SourceIdentity::new(
        context,
        source,
        SourceKind::Hint(NOT_REFRESHABLE_HINT),
        input,
    );
    Ok(Box::new(identity.with_endpoint(endpoint)))
}

/// Returns the identity of the session, for registries of the same IBM Cloud.
pub(super) fn find<'a>(
    registry: &Registry,
    context: &SourceContext<'a>,
) -> Result<Option<SourceIdentity<'a>>> {
    let Some(path) = file::path(context.environment, context.system_paths)? else {
        return Ok(None);
    };
    let Some(session) = file::read(&path, context.clock)? else {
        return Ok(None);
    };
    // Production and staging have different IAMs, and registries accept the tokens of one.
    if session.is_staging() != registry.is_staging() {
        return Ok(None);
    }
    let source = source(&path);
    let fail = |reason: &str| Error::user(format!("cannot use {source}: {reason}")).with_hint(HINT);
    let endpoint = session.endpoint(context).map_err(|reason| fail(&reason))?;
    let Some(identity) = session
        .identity(context, &source)
        .map_err(|reason| fail(&reason))?
    else {
        return Ok(None);
    };
    let identity = identity.with_endpoint(endpoint);
    Ok(Some(
        identity.assuming(context.settings.trusted_profile.cloned()),
    ))
}

fn source(path: &Path) -> String {
    format!("the IBM Cloud CLI's session in {}", path.display())
}

/// Returns a token of the session without its scheme; `None` if it is empty.
fn without_scheme(token: Option<Secret>) -> Option<Secret> {
    let token = Secret::new(input::without_scheme(token?.expose()));
    (!token.is_empty()).then_some(token)
}

impl Session {
    fn is_staging(&self) -> bool {
        self.cloud_name.as_deref() == Some("staging")
    }

    /// Returns the IAM endpoint of the session, unless the settings have one.
    fn endpoint(&self, context: &SourceContext<'_>) -> Result<Endpoint, String> {
        let chosen = match (self.is_private, self.is_in_vpc) {
            (true, true) => &self.vpc_endpoint,
            (true, false) => &self.private_endpoint,
            (false, _) => &self.endpoint,
        };
        match chosen.as_deref().filter(|url| !url.is_empty()) {
            Some(url) if context.settings.iam_endpoint.is_none() => {
                Endpoint::parse(url).map_err(|reason| format!("its IAM endpoint {reason}"))
            }
            _ => Ok(context.endpoint.clone()),
        }
    }

    /// Returns the identity of the session; `None` after a logout.
    fn identity<'a>(
        self,
        context: &SourceContext<'a>,
        source: &str,
    ) -> Result<Option<SourceIdentity<'a>>, String> {
        let (access, refresh) = (
            without_scheme(self.access_token),
            without_scheme(self.refresh_token),
        );
        if access.is_none() && refresh.is_none() {
            return Ok(None);
        }
        if ![&access, &refresh]
            .into_iter()
            .flatten()
            .all(crate::iam::is_token)
        {
            return Err("it contains an invalid token".into());
        }
        let service = match self.compute_resource_type.as_deref() {
            _ if !self.is_compute_resource => None,
            Some("VPC") => Some(metadata_service(context, VPC_URL, MetadataService::vpc)?),
            Some("PVS") => Some(metadata_service(
                context,
                POWER_VS_URL,
                MetadataService::power_vs,
            )?),
            _ => None,
        };
        match (
            grant_input::from_tokens(access, refresh, Client::cli(), context),
            service,
        ) {
            (Some(input), _) => {
                let kind = SourceKind::CliSession;
                Ok(Some(SourceIdentity::new(context, source, kind, input)))
            }
            (None, Some(service)) => {
                let profile = self.profile.and_then(|profile| profile.id);
                let profile = profile.map(TrustedProfile::Id);
                Ok(Some(instance_metadata::identity(context, service, profile)))
            }
            (None, None) => Err("it has expired".into()),
        }
    }
}

/// Returns the metadata service that the CLI uses (`ibm-cloud-cli-sdk`, `VPCCRITokenURL`).
fn metadata_service(
    context: &SourceContext<'_>,
    variable: &str,
    service_at: fn(Option<&str>) -> Result<MetadataService, String>,
) -> Result<MetadataService, String> {
    let url = context.environment.value(variable);
    let url = url.map_err(|error| error.text())?;
    service_at(url).map_err(|reason| format!("${variable} {reason}"))
}
