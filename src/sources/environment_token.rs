//! IAM tokens in the environment, with the variables of the Terraform provider
//! (`bluemix-go`, `session.go`).

use super::SourceContext;
use super::environment_profile;
use super::grant_input;
use super::grant_input::GrantInput;
use super::source_identity::SourceIdentity;
use crate::environment::ACCESS_TOKEN_VARIABLES;
use crate::environment::REFRESH_TOKEN_VARIABLES;
use crate::error::Error;
use crate::error::Result;
use crate::iam::grant::Client;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::secret::input::SecretKind;
use crate::sources::advice::SourceKind;

/// Returns the identity of the access token, or of the refresh token if that has expired.
pub(super) fn find<'a>(
    _registry: &Registry,
    context: &SourceContext<'a>,
) -> Result<Option<SourceIdentity<'a>>> {
    let access = first_of(context, &ACCESS_TOKEN_VARIABLES, SecretKind::AccessToken)?;
    let refresh = first_of(context, &REFRESH_TOKEN_VARIABLES, SecretKind::RefreshToken)?;
    let Some((first, _)) = access.as_ref().or(refresh.as_ref()) else {
        return Ok(None);
    };
    let first = *first;
    let refresh_variable = refresh.as_ref().map_or(first, |(variable, _)| *variable);
    let token = |found: Option<(&str, Secret)>| found.map(|(_, token)| token);
    let input = grant_input::from_tokens(token(access), token(refresh), Client::cli(), context);
    let input = input.ok_or_else(|| {
        Error::user(format!("the token in ${first} has expired"))
            .with_hint("Set a new token, or unset the variable to use another source")
    })?;
    let variable = match input {
        GrantInput::RefreshToken { .. } => refresh_variable,
        _ => first,
    };
    let kind = SourceKind::Variable {
        name: variable,
        holds: "token",
    };
    let identity = SourceIdentity::new(context, format!("the token in ${variable}"), kind, input);
    Ok(Some(identity.assuming(environment_profile::find(context)?)))
}

fn first_of(
    context: &SourceContext<'_>,
    variables: &[&'static str],
    kind: SecretKind,
) -> Result<Option<(&'static str, Secret)>> {
    for variable in variables {
        if let Some(token) = context.environment.secret(variable, kind)? {
            return Ok(Some((variable, token)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::Machine;
    use super::super::tests::NOW;
    use crate::iam::jwt;

    fn token(end: u64) -> String {
        jwt::unsigned(&json!({"exp": end}))
    }

    #[test]
    fn the_variable_whose_token_is_used_is_named() {
        let mut machine = Machine::new();
        machine.set("IBMCLOUD_IAM_TOKEN", &token(NOW));
        machine.fails_with(&["the token in $IBMCLOUD_IAM_TOKEN has expired"]);
        machine.set("IBMCLOUD_IAM_REFRESH_TOKEN", "refresh");
        machine.finds("us.icr.io", "the token in $IBMCLOUD_IAM_REFRESH_TOKEN");
        machine.set("IC_IAM_TOKEN", &token(NOW + 3600));
        machine.finds("us.icr.io", "token e30.");
    }

    #[test]
    fn a_bearer_scheme_without_a_token_is_an_error() {
        for text in ["Bearer", "Bearer ", " bearer\t", "a b", "\u{1f980}", " "] {
            let mut machine = Machine::new();
            machine.set("IC_IAM_TOKEN", text);
            machine.set("IBMCLOUD_IAM_TOKEN", &token(NOW + 3600));
            machine.fails_with(&["$IC_IAM_TOKEN "]);
        }
    }

    #[test]
    fn an_access_token_is_not_used_where_get_returns_refresh_tokens() {
        let mut machine = Machine::new();
        machine.settings("[profile.p]\ncredential = \"iamrefresh\"\n");
        machine
            .set("ICR_PROFILE", "p")
            .set("IC_IAM_TOKEN", &token(NOW + 3600))
            .set("IC_IAM_REFRESH_TOKEN", "refresh");
        machine.finds("us.icr.io", "the token in $IC_IAM_REFRESH_TOKEN");
    }
}
