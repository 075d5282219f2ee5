//! What the machine itself is: a virtual server of a VPC, or of Power VS.
//!
//! Used only if a variable or the settings say that this is one. Elsewhere there is no
//! answer from 169.254.169.254, and every `get` would wait for it.

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

/// The metadata service of a VPC virtual server.
pub(super) fn find_vpc<'a>(
    _registry: &Registry,
    context: &SourceContext<'a>,
) -> Result<Option<SourceIdentity<'a>>> {
    find(context, SourceName::Vpc, VPC_URL, MetadataService::vpc)
}

/// The metadata service of a Power Virtual Server.
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
    let url = context.environment.text(variable)?;
    if url.is_none() && context.choice.source != Some(name) {
        return Ok(None);
    }
    let service = service_at(url).map_err(|reason| Error::user(format!("${variable} {reason}")))?;
    let profile = environment_profile::of_compute_resource(context)?;
    Ok(Some(identity(context, service, profile)))
}

/// The identity that a metadata service gives.
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
