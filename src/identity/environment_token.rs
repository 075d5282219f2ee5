//! IAM tokens in the environment, as the Terraform provider takes them
//! (`bluemix-go`, `session.go`).

use super::Given;
use super::environment_profile;
use super::proof;
use super::proof::Proven;
use crate::environment::ACCESS_TOKEN_VARIABLES;
use crate::environment::REFRESH_TOKEN_VARIABLES;
use crate::failure::Failure;
use crate::failure::Result;
use crate::iam;
use crate::iam::grant::Client;
use crate::registry::Registry;
use crate::secret::Secret;

/// The access token, and the refresh token for when it has ended.
pub(super) fn find<'a>(_registry: &Registry, given: &Given<'a>) -> Result<Option<Proven<'a>>> {
    let access = first_of(given, &ACCESS_TOKEN_VARIABLES)?;
    let refresh = first_of(given, &REFRESH_TOKEN_VARIABLES)?;
    let Some((variable, _)) = access.as_ref().or(refresh.as_ref()) else {
        return Ok(None);
    };
    let source = format!("the token in ${variable}");
    let token = |found: Option<(&str, Secret)>| found.map(|(_, token)| token);
    let proof = proof::of_tokens(token(access), token(refresh), Client::cli(), given.clock);
    let proof = proof.ok_or_else(|| {
        Failure::act(format!(
            "{source} has ended; set a new one, or unset it to use another login"
        ))
    })?;
    let proven = Proven::new(given, source, proof);
    Ok(Some(proven.assuming(environment_profile::find(given)?)))
}

fn first_of(
    given: &Given<'_>,
    variables: &[&'static str],
) -> Result<Option<(&'static str, Secret)>> {
    for variable in variables {
        if let Some(token) = given.environment.secret(variable)? {
            let token = proof::without_scheme(token.expose());
            if !iam::is_token(&token) {
                return Err(Failure::act(format!(
                    "${variable} holds no token; `ibmcloud iam oauth-tokens` shows one"
                )));
            }
            return Ok(Some((variable, token)));
        }
    }
    Ok(None)
}
