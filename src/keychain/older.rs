//! What an older program of the same name keeps (`imphil/docker-credential-icr`,
//! `src/token_store.rs`): for each registry an access token, a refresh token and a
//! date, under the service name `docker-credential-icr`, which `keyring` makes of
//! it. It is read and never written.

use std::path::Path;

use super::KeychainError;
use crate::environment::Environment;
use crate::registry::Registry;
use crate::secret::Secret;

/// Its name in the keychain.
pub const SERVICE: &str = "docker-credential-icr";

/// What the names of refresh tokens end with.
const REFRESH: &str = "-refresh";

/// A login of that program.
#[derive(Clone, Debug)]
pub struct OlderLogin {
    /// The registry that it is for.
    pub registry: Registry,
    /// The refresh token that it goes on with.
    pub refresh_token: Secret,
}

/// Finds its logins for these registries.
pub type OlderLogins<'a> = dyn Fn(&[Registry]) -> Result<Vec<OlderLogin>, KeychainError> + 'a;

/// Its logins for these registries, each registry once.
///
/// # Errors
/// See [`KeychainError`].
#[cfg(target_os = "linux")]
pub fn logins(
    environment: &Environment,
    state_directory: Option<&Path>,
    registries: &[Registry],
) -> Result<Vec<OlderLogin>, KeychainError> {
    use super::Prompting;
    use super::secret_service::SecretService;
    let service = SecretService::new("", environment, state_directory, Prompting::Never);
    let items = match service.of_service(SERVICE, REFRESH) {
        // Nothing can be in a keychain that is not there.
        Err(KeychainError::Absent(_)) => Vec::new(),
        other => other?,
    };
    Ok(of_registries(items, registries))
}

/// Its logins for these registries, each registry once.
///
/// # Errors
/// See [`KeychainError`].
#[cfg(any(target_os = "macos", windows))]
pub fn logins(
    _environment: &Environment,
    _state_directory: Option<&Path>,
    registries: &[Registry],
) -> Result<Vec<OlderLogin>, KeychainError> {
    let hosts = registries.iter().map(Registry::host);
    // It keeps each under the very address that a client sent.
    let names: Vec<String> = hosts
        .flat_map(|host| [host.to_owned(), format!("https://{host}")])
        .map(|address| format!("{address}{REFRESH}"))
        .collect();
    Ok(of_registries(
        super::native::of_service(SERVICE, &names)?,
        registries,
    ))
}

/// Items by the address in their names; empty ones, and those of hosts that are no
/// registry, are left out.
fn of_registries(items: Vec<(String, Secret)>, registries: &[Registry]) -> Vec<OlderLogin> {
    let mut logins: Vec<OlderLogin> = Vec::new();
    for (name, refresh_token) in items {
        let address = name.strip_suffix(REFRESH);
        let Some(registry) = address.and_then(|address| Registry::at(address, registries)) else {
            continue;
        };
        let is_known = logins.iter().any(|login| login.registry == registry);
        if crate::iam::is_token(&refresh_token) && !is_known {
            logins.push(OlderLogin {
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
