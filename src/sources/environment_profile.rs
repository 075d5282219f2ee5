//! The trusted profile that the environment selects, with the variables of the Terraform
//! provider (`bluemix-go`, `session.go`).

use super::SourceContext;
use crate::environment;
use crate::environment::Environment;
use crate::error::Error;
use crate::error::Result;
use crate::iam::trusted_profile::TrustedProfile;

/// Returns the profile that an identity from the environment assumes: that of the settings,
/// otherwise that of the variables by ID, otherwise by name.
pub(super) fn find(context: &SourceContext<'_>) -> Result<Option<TrustedProfile>> {
    if let Some(profile) = context.settings.trusted_profile {
        return Ok(Some(profile.clone()));
    }
    let environment = context.environment;
    if let Some((variable, id)) = first_of(environment, &environment::PROFILE_ID_VARIABLES)? {
        return parse(variable, id).map(Some);
    }
    let Some((variable, name)) = first_of(environment, &environment::PROFILE_NAME_VARIABLES)?
    else {
        return Ok(None);
    };
    let account = first_of(environment, &environment::ACCOUNT_ID_VARIABLES)?;
    let (_, account) = account.ok_or_else(|| {
        Error::user(format!(
            "${variable} names a trusted profile, but no account ID is set"
        ))
        .with_hint("Set IC_ACCOUNT_ID, or set the profile's ID in IC_IAM_PROFILE_ID")
    })?;
    Ok(Some(TrustedProfile::Name {
        name: name.to_owned(),
        account: Some(account.to_owned()),
    }))
}

/// Returns the trusted profile for a compute resource: that of the settings, otherwise that
/// of `$IBMCLOUD_CR_PROFILE` (IBM Cloud CLI, `env_var_cli.md`).
pub(super) fn of_compute_resource(context: &SourceContext<'_>) -> Result<Option<TrustedProfile>> {
    if let Some(profile) = context.settings.trusted_profile {
        return Ok(Some(profile.clone()));
    }
    match context
        .environment
        .value(environment::COMPUTE_RESOURCE_PROFILE)?
    {
        None => Ok(None),
        Some(text) => parse(environment::COMPUTE_RESOURCE_PROFILE, text).map(Some),
    }
}

fn first_of<'e>(
    environment: &'e Environment,
    variables: &[&'static str],
) -> Result<Option<(&'static str, &'e str)>> {
    for variable in variables {
        if let Some(text) = environment.value(variable)? {
            return Ok(Some((variable, text)));
        }
    }
    Ok(None)
}

fn parse(variable: &str, text: &str) -> Result<TrustedProfile> {
    TrustedProfile::parse(text).map_err(|reason| Error::user(format!("${variable} {reason}")))
}
