//! An API key in the environment, as CI and IBM's other tools set it.

use super::SourceContext;
use super::environment_profile;
use super::grant_input::GrantInput;
use super::source_identity::SourceIdentity;
use crate::environment::API_KEY_VARIABLES;
use crate::error::Result;
use crate::registry::Registry;
use crate::secret::input::SecretKind;
use crate::sources::advice::SourceKind;

/// Returns the identity of the first API key variable that is set, for all registries.
pub(super) fn find<'a>(
    _registry: &Registry,
    context: &SourceContext<'a>,
) -> Result<Option<SourceIdentity<'a>>> {
    for variable in API_KEY_VARIABLES {
        if let Some(key) = context.environment.secret(variable, SecretKind::ApiKey)? {
            let source = format!("the API key in ${variable}");
            let kind = SourceKind::Variable {
                name: variable,
                holds: "key",
            };
            let identity = SourceIdentity::new(context, source, kind, GrantInput::ApiKey(key));
            return Ok(Some(identity.assuming(environment_profile::find(context)?)));
        }
    }
    Ok(None)
}
