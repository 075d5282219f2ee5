//! Properties of this service in the environment: in variables, and in the service credentials that
//! Cloud Foundry gives to an app (`go-sdk-core`, `core/config_utils.go`).

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::SourceContext;
use super::sdk_properties::PREFIX;
use super::sdk_properties::Place;
use super::sdk_properties::Properties;
use super::source_identity::SourceIdentity;
use crate::environment::VCAP_SERVICES;
use crate::error::Result;
use crate::registry::Registry;
use crate::secret::Secret;

/// The properties of which one is enough for an identity. Kubernetes sets other variables with
/// this prefix in pods, such as `CONTAINER_REGISTRY_SERVICE_HOST` for a service of this name.
const CREDENTIALS: [&str; 9] = [
    "APIKEY",
    "AUTH_TYPE",
    "AUTHTYPE",
    "BEARER_TOKEN",
    "CR_TOKEN_FILENAME",
    "IAM_PROFILE_CRN",
    "IAM_PROFILE_ID",
    "IAM_PROFILE_NAME",
    "REFRESH_TOKEN",
];

/// Properties that only describe an identity further.
const DETAILS: [&str; 6] = [
    "AUTH_DISABLE_SSL",
    "AUTH_URL",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "IAM_ACCOUNT_ID",
    "VPC_IMS_VERSION",
];

/// The names of this service in `$VCAP_SERVICES`.
const SERVICE_NAMES: [&str; 2] = ["container_registry", "container-registry"];

/// Returns the identity that the variables describe, otherwise that of `$VCAP_SERVICES`.
pub(super) fn find<'a>(
    _registry: &Registry,
    context: &SourceContext<'a>,
) -> Result<Option<SourceIdentity<'a>>> {
    let names = CREDENTIALS.map(|name| format!("{PREFIX}{name}"));
    if names.iter().any(|name| context.environment.has(name)) {
        return in_variables(context)?.identity(context);
    }
    let Some(services) = context.environment.text(VCAP_SERVICES)? else {
        return Ok(None);
    };
    let Some(key) = key_in_services(services) else {
        return Ok(None);
    };
    let name = format!("{PREFIX}APIKEY");
    let pairs = [(&*name, key.expose())];
    Properties::of(pairs.into_iter(), Place::VcapServices).identity(context)
}

fn in_variables(context: &SourceContext<'_>) -> Result<Properties> {
    let names = CREDENTIALS.iter().chain(&DETAILS);
    let names: Vec<String> = names.map(|name| format!("{PREFIX}{name}")).collect();
    let mut pairs = Vec::new();
    for name in &names {
        pairs.extend(context.environment.text(name)?.map(|text| (&**name, text)));
    }
    Ok(Properties::of(pairs.into_iter(), Place::Variables))
}

/// Returns the API key of this service. What the variable has for other services, in any form, is
/// no error.
fn key_in_services(text: &str) -> Option<Secret> {
    #[derive(Deserialize)]
    struct Service {
        name: Option<String>,
        credentials: Credentials,
    }
    #[derive(Deserialize)]
    struct Credentials {
        apikey: Option<Secret>,
    }
    let services: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(text).ok()?;
    services.iter().find_map(|(label, instances)| {
        let instances: Vec<&RawValue> = serde_json::from_str(instances.get()).ok()?;
        let mut instances = instances
            .iter()
            .filter_map(|instance| serde_json::from_str::<Service>(instance.get()).ok());
        let is_ours = |name: &str| SERVICE_NAMES.contains(&name);
        let has_label = is_ours(label);
        instances.find_map(|service| {
            let is_ours = has_label || service.name.as_deref().is_some_and(is_ours);
            service.credentials.apikey.filter(|_| is_ours)
        })
    })
}
