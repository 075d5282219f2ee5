//! The logins of an older program of the same name (`imphil/docker-credential-icr`,
//! `src/token_store.rs`). For each registry, it stores an access token, a refresh token and a
//! date in the keychain, under the service name `docker-credential-icr`. This program only
//! reads them.

use std::path::Path;

use crate::environment::Environment;
use crate::iam;
use crate::keychain;
use crate::keychain::KeychainError;
use crate::registry::Registry;
use crate::secret::Secret;

/// The service name of that program in the keychain.
pub const SERVICE: &str = "docker-credential-icr";

/// The suffix of the names of refresh tokens.
const REFRESH: &str = "-refresh";

/// A login of that program.
#[derive(Clone, Debug)]
pub struct LegacyLogin {
    /// The registry.
    pub registry: Registry,
    /// The refresh token.
    pub refresh_token: Secret,
}

/// A function that returns the logins of that program for these registries.
pub type LegacyLogins<'a> = dyn Fn(&[Registry]) -> Result<Vec<LegacyLogin>, KeychainError> + 'a;

/// Returns the logins of that program for these registries, each registry once.
///
/// # Errors
/// See [`KeychainError`].
pub fn logins(
    environment: &Environment,
    state_directory: Option<&Path>,
    registries: &[Registry],
) -> Result<Vec<LegacyLogin>, KeychainError> {
    // The names contain the address as the client sent it.
    let addresses = registries.iter().flat_map(|registry| {
        let host = registry.host();
        [host.to_owned(), format!("https://{host}")]
    });
    let names: Vec<String> = addresses
        .map(|address| format!("{address}{REFRESH}"))
        .collect();
    let items = keychain::items_of_service(SERVICE, REFRESH, &names, environment, state_directory)?;
    Ok(of_registries(items, registries))
}

/// Returns the logins for these registries, by the addresses in the items' names. Skips items
/// without a token.
fn of_registries(items: Vec<(String, Secret)>, registries: &[Registry]) -> Vec<LegacyLogin> {
    let mut logins: Vec<LegacyLogin> = Vec::new();
    for (name, refresh_token) in items {
        let address = name.strip_suffix(REFRESH);
        let Some(registry) = address.and_then(|address| Registry::at(address, registries)) else {
            continue;
        };
        let is_known = logins.iter().any(|login| login.registry == registry);
        if iam::is_token(&refresh_token) && !is_known {
            logins.push(LegacyLogin {
                registry,
                refresh_token,
            });
        }
    }
    logins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_registry_has_one_login() {
        let item = |name: &str, secret: &str| (name.to_owned(), Secret::new(secret));
        let items = vec![
            item("us.icr.io-refresh", "one"),
            item("https://us.icr.io-refresh", "two"),
            item("de.icr.io-refresh", ""),
            item("icr.io.evil.com-refresh", "three"),
            item("uk.icr.io-access", "four"),
        ];
        let logins = of_registries(items, &[]);
        assert_eq!(logins.len(), 1, "{logins:?}");
        assert_eq!(logins[0].registry.host(), "us.icr.io");
        assert_eq!(logins[0].refresh_token, Secret::new("one"));
    }
}
