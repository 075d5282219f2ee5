//! A client's configuration file with passwords in it, for tools and clusters that cannot call a
//! credential helper.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use zeroize::Zeroizing;

use crate::credential::Credential;
use crate::registry::Registry;

/// Returns the text of a `config.json` with these credentials.
pub(super) fn docker_config(credentials: &[(Registry, Credential)]) -> Zeroizing<String> {
    let auths: Map<String, Value> = credentials
        .iter()
        .map(|(registry, credential)| {
            let auth = json!({"auth": *basic(credential)});
            (registry.host().to_owned(), auth)
        })
        .collect();
    let file = json!({"auths": auths});
    Zeroizing::new(format!("{file:#}"))
}

/// Returns base64 of a user name and password, for an `Authorization` header (RFC 7617).
pub(super) fn basic(credential: &Credential) -> Zeroizing<String> {
    let secret = credential.secret.expose();
    let pair = Zeroizing::new(format!("{}:{secret}", credential.username));
    Zeroizing::new(STANDARD.encode(pair.as_bytes()))
}
