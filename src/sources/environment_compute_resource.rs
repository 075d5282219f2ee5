//! A compute resource token in the environment (IBM Cloud CLI, `env_var_cli.md`).

use super::SourceContext;
use super::environment_profile;
use super::grant_input::GrantInput;
use super::source_identity::SourceIdentity;
use crate::environment::COMPUTE_RESOURCE_PROFILE;
use crate::environment::COMPUTE_RESOURCE_TOKEN;
use crate::error::Error;
use crate::error::Result;
use crate::registry::Registry;
use crate::secret::input::SecretKind;
use crate::sources::advice::SourceKind;

/// Returns the identity of the token in `$IBMCLOUD_CR_TOKEN` and of its trusted profile.
pub(super) fn find<'a>(
    _registry: &Registry,
    context: &SourceContext<'a>,
) -> Result<Option<SourceIdentity<'a>>> {
    let kind = SecretKind::ComputeResourceToken;
    let Some(token) = context.environment.secret(COMPUTE_RESOURCE_TOKEN, kind)? else {
        return Ok(None);
    };
    let profile = environment_profile::of_compute_resource(context)?.ok_or_else(|| {
        Error::user(format!(
            "${COMPUTE_RESOURCE_TOKEN} contains a compute resource token, but no trusted profile is set"
        ))
        .with_hint(format!("Set {COMPUTE_RESOURCE_PROFILE}"))
    })?;
    let source = format!("the compute resource token in ${COMPUTE_RESOURCE_TOKEN} for {profile}");
    let assumed = match context.settings.trusted_profile {
        // The settings' profile is the token's own here.
        Some(_) => None,
        None => environment_profile::find(context)?,
    };
    let input = GrantInput::ComputeResource { token, profile };
    let kind = SourceKind::ComputeResource;
    Ok(Some(
        SourceIdentity::new(context, source, kind, input).assuming(assumed),
    ))
}
