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
use crate::error::Error;
use crate::error::Result;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::secret::input;

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
    let key = key_in_services(input::strip(services)).map_err(|reason| {
        Error::user(format!("cannot use ${VCAP_SERVICES}: {reason}"))
            .with_hint("Correct it, or unset it to use another source")
    })?;
    let Some(key) = key else {
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
///
/// # Errors
/// The reason why the variable cannot be read, or the instance of this service.
fn key_in_services(text: &str) -> std::result::Result<Option<Secret>, &'static str> {
    type Services<'a> = Option<BTreeMap<Cow<'a, str>, &'a RawValue>>;
    let services: Services<'_> =
        serde_json::from_str(text).map_err(|_| "it is not a JSON object")?;
    for (label, instances) in services.unwrap_or_default() {
        if let Some(key) = key_of_label(&label, instances)? {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

/// Returns the API key of this service among the instances with a label.
fn key_of_label(
    label: &str,
    instances: &RawValue,
) -> std::result::Result<Option<Secret>, &'static str> {
    #[derive(Deserialize)]
    struct Named {
        name: Option<String>,
    }
    #[derive(Deserialize)]
    struct Service {
        credentials: Option<Credentials>,
    }
    #[derive(Deserialize)]
    struct Credentials {
        apikey: Option<Secret>,
    }
    let is_ours = |name: &str| SERVICE_NAMES.contains(&name);
    let instances: Vec<&RawValue> = match serde_json::from_str(instances.get()) {
        Ok(instances) => instances,
        Err(_) if is_ours(label) => return Err("the container registry in it is not a list"),
        Err(_) => return Ok(None),
    };
    for instance in instances {
        let named = serde_json::from_str::<Named>(instance.get()).ok();
        let name = named.and_then(|named| named.name);
        if !is_ours(label) && !name.as_deref().is_some_and(is_ours) {
            continue;
        }
        let service: Service = serde_json::from_str(instance.get())
            .map_err(|_| "the API key of the container registry in it is not a text")?;
        let key = service.credentials.and_then(|found| found.apikey);
        if key.is_some() {
            return Ok(key);
        }
    }
    Ok(None)
}
