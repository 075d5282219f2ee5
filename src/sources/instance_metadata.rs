//! The identity of a virtual server, from its metadata service (VPC or Power VS).
//!
//! It is used only if a variable or the settings select it. On other machines
//! 169.254.169.254 does not answer, and each `get` would wait for a timeout.

use super::SourceContext;
use super::environment_profile;
use super::grant_input::GrantInput;
use super::source_identity::SourceIdentity;
use crate::environment::POWER_VS_URL;
use crate::environment::VPC_URL;
use crate::error::Error;
use crate::error::Result;
use crate::metadata::MetadataService;
use crate::registry::Registry;
use crate::settings::SourceName;
use crate::sources::advice::SourceKind;

/// Returns the identity of a VPC virtual server.
pub(super) fn find_vpc<'a>(
    _registry: &Registry,
    context: &SourceContext<'a>,
) -> Result<Option<SourceIdentity<'a>>> {
    find(context, SourceName::Vpc, VPC_URL, MetadataService::vpc)
}

/// Returns the identity of a Power Virtual Server.
pub(super) fn find_power_vs<'a>(
    _registry: &Registry,
    context: &SourceContext<'a>,
) -> Result<Option<SourceIdentity<'a>>> {
    find(
        context,
        SourceName::PowerVs,
        POWER_VS_URL,
        MetadataService::power_vs,
    )
}

fn find<'a>(
    context: &SourceContext<'a>,
    name: SourceName,
    variable: &str,
    service_at: fn(Option<&str>) -> Result<MetadataService, String>,
) -> Result<Option<SourceIdentity<'a>>> {
    let url = context.environment.value(variable)?;
    if url.is_none() && context.settings.source != Some(name) {
        return Ok(None);
    }
    let service = service_at(url).map_err(|reason| Error::user(format!("${variable} {reason}")))?;
    let profile = environment_profile::of_compute_resource(context)?;
    Ok(Some(identity(context, service, profile)))
}

/// Returns the identity whose tokens a metadata service issues.
pub(super) fn identity<'a>(
    context: &SourceContext<'a>,
    service: MetadataService,
    profile: Option<crate::iam::trusted_profile::TrustedProfile>,
) -> SourceIdentity<'a> {
    let source = match &profile {
        Some(profile) => format!("this machine for {profile}"),
        None => "this machine".to_owned(),
    };
    let input = GrantInput::Instance { service, profile };
    SourceIdentity::new(context, source, SourceKind::Instance, input)
}
