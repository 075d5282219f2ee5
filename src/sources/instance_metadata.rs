//! What the machine itself is: a virtual server of a VPC, or of Power VS.
//!
//! Asked only where somebody says that this is one. Elsewhere nobody answers at
//! 169.254.169.254, and everybody would wait for that.

use super::Given;
use super::environment_profile;
use super::proof::Proof;
use super::proof::Proven;
use crate::environment::POWER_VS_URL;
use crate::environment::VPC_URL;
use crate::error::Failure;
use crate::error::Result;
use crate::iam::advice::SourceKind;
use crate::metadata::MetadataService;
use crate::registry::Registry;
use crate::settings::SourceName;

/// The metadata service of a VPC virtual server.
pub(super) fn find_vpc<'a>(_registry: &Registry, given: &Given<'a>) -> Result<Option<Proven<'a>>> {
    find(given, SourceName::Vpc, VPC_URL, MetadataService::vpc)
}

/// The metadata service of a Power Virtual Server.
pub(super) fn find_power_vs<'a>(
    _registry: &Registry,
    given: &Given<'a>,
) -> Result<Option<Proven<'a>>> {
    find(
        given,
        SourceName::PowerVs,
        POWER_VS_URL,
        MetadataService::power_vs,
    )
}

fn find<'a>(
    given: &Given<'a>,
    name: SourceName,
    variable: &str,
    service_at: fn(Option<&str>) -> Result<MetadataService, String>,
) -> Result<Option<Proven<'a>>> {
    let url = given.environment.text(variable)?;
    if url.is_none() && given.choice.source != Some(name) {
        return Ok(None);
    }
    let service =
        service_at(url).map_err(|reason| Failure::act(format!("${variable} {reason}")))?;
    let profile = environment_profile::of_compute_resource(given)?;
    Ok(Some(proven(given, service, profile)))
}

/// The identity that a metadata service gives.
pub(super) fn proven<'a>(
    given: &Given<'a>,
    service: MetadataService,
    profile: Option<crate::iam::trusted_profile::TrustedProfile>,
) -> Proven<'a> {
    let source = match &profile {
        Some(profile) => format!("this machine for {profile}"),
        None => "this machine".to_owned(),
    };
    let proof = Proof::Instance { service, profile };
    Proven::new(given, source, SourceKind::Instance, proof)
}
