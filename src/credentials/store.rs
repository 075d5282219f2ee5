//! What is stored of a credential that a client sends after its login?

use super::Broker;
use super::info::ActiveSource;
use super::own_credentials::Owners;
use super::own_credentials::is_active_credential;
use super::own_credentials::is_cached_credential;
use super::own_credentials::was_issued_for_login;
use crate::credential::Credential;
use crate::error::Error;
use crate::error::Result;
use crate::login::Login;
use crate::login::LoginKind;
use crate::login::LoginScope;
use crate::login::LoginSnapshot;
use crate::registry::Registry;
use crate::secret::input;
use crate::secret::input::SecretKind;
use crate::sources;
use crate::sources::Origin;
use crate::sources::Resolved;
use crate::text::repeatable;

/// The outcome of storing a credential that a client sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StoreOutcome {
    /// It is what `get` returns anyway, or no credential, so nothing changed.
    Unchanged,
    /// It is an access token that this program may have issued: without a token cache it does
    /// not recognize its own. Nothing changed, and this source stays active.
    Unrecognized(ActiveSource),
    /// It is now the login for the registry.
    Written {
        /// The login that it replaces or shadows, if it is an access token.
        shadowed_login: Option<ShadowedLogin>,
    },
}

/// A permanent login that an access token replaces or shadows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ShadowedLogin {
    /// Whether the token replaced the login for the same registry. Otherwise it shadows
    /// another source until it expires.
    pub is_replaced: bool,
    /// The source that becomes active when the token expires.
    pub after_expiry: Option<ActiveSource>,
}

impl Broker<'_> {
    /// Stores a credential that a client sent after its login.
    ///
    /// A client that logged in with the credential from [`Broker::get`] sends it back. That
    /// succeeds and changes nothing.
    ///
    /// `logins` must be a new snapshot, because logins are read under the lock.
    ///
    /// # Errors
    /// The keychain cannot write it, or it is no credential that works later.
    pub fn store(
        &self,
        registry: &Registry,
        credential: Credential,
        logins: &LoginSnapshot<'_>,
    ) -> Result<StoreOutcome> {
        let login = Login::new(with_read_secret(registry, credential)?);
        check_username(registry, &login)?;
        if login.secret.is_empty() {
            return ensure_no_login_is_lost(registry, logins).map(|()| StoreOutcome::Unchanged);
        }
        let context = self.source_context(registry);
        if is_cached_credential(registry, &login, &context) {
            return Ok(StoreOutcome::Unchanged);
        }
        let scope = LoginScope::Registry(registry.clone());
        let _lock = self.lock_login(&scope);
        let search = sources::find(registry, &context, &|scope| logins.read(scope));
        let active = search.map(|search| search.resolved);
        let resolved = active.as_ref().ok().and_then(Option::as_ref);
        if is_active_credential(registry, &login, resolved, &context) {
            return Ok(StoreOutcome::Unchanged);
        }
        let mut shadowed_login = None;
        if login.kind() == LoginKind::Bearer {
            if was_issued_for_login(&scope, &login.secret, logins, &context) {
                return Ok(StoreOutcome::Unchanged);
            }
            match self.compare_owners(resolved, &login.secret, &context) {
                Owners::Same => return Ok(StoreOutcome::Unchanged),
                Owners::Unknown(active) if !self.can_cache_tokens() => {
                    return Ok(StoreOutcome::Unrecognized(active));
                }
                Owners::Unknown(_) | Owners::Different => {}
            }
            shadowed_login = self.shadowed_by_token(registry, &scope, logins);
            if shadowed_login
                .as_ref()
                .is_some_and(|shadowed| shadowed.is_replaced)
            {
                ensure_token_is_active(registry, &scope, &active)?;
            }
        }
        if login.has_expired(self.context.clock.now()) {
            return Err(Error::user(format!(
                "the token has expired, or expires within seconds. It was not stored as the login for {registry}"
            ))
            .with_hint(format!(
                "To log in permanently, run '{}'",
                scope.login_command()
            )));
        }
        self.write_login(&scope, login, logins)?;
        Ok(StoreOutcome::Written { shadowed_login })
    }

    /// Returns the permanent login that an access token for a registry replaces or shadows.
    fn shadowed_by_token(
        &self,
        registry: &Registry,
        scope: &LoginScope,
        logins: &LoginSnapshot<'_>,
    ) -> Option<ShadowedLogin> {
        let previous = logins.read(scope).ok().flatten();
        let is_replaced = previous
            .is_some_and(|login| login.kind() != LoginKind::Bearer && !login.secret.is_empty());
        let after_expiry = self.active_source_without(scope, registry, logins);
        let after_expiry = after_expiry.ok().flatten();
        (is_replaced || after_expiry.is_some()).then_some(ShadowedLogin {
            is_replaced,
            after_expiry,
        })
    }
}

/// Returns an error if a client sent an empty secret for a registry that has a login. Without one,
/// the client gets no error, as from Docker's own helpers, and nothing is stored: `get` would not
/// return it.
fn ensure_no_login_is_lost(registry: &Registry, logins: &LoginSnapshot<'_>) -> Result<()> {
    let scope = LoginScope::Registry(registry.clone());
    match logins.read(&scope)? {
        Some(login) if !login.secret.is_empty() => Err(Error::user(format!(
            "cannot store the login for {registry}: its secret is empty. The previous login is kept"
        ))
        .with_hint(format!("To delete it, run '{}'", scope.logout_command()))),
        _ => Ok(()),
    }
}

/// Returns the credential with its secret as [`input::read`] reads it. An empty one, and secrets
/// that IAM does not issue, are not changed.
pub(crate) fn with_read_secret(registry: &Registry, credential: Credential) -> Result<Credential> {
    let kind = match LoginKind::of(&credential.username) {
        LoginKind::ApiKey | LoginKind::Profile => SecretKind::ApiKey,
        LoginKind::Bearer => SecretKind::AccessToken,
        LoginKind::RefreshToken => SecretKind::RefreshToken,
        LoginKind::RegistryToken | LoginKind::Verbatim => return Ok(credential),
    };
    if credential.secret.is_empty() {
        return Ok(credential);
    }
    let secret = input::read(kind, credential.secret.expose()).map_err(|reason| {
        let name = kind.name();
        Error::user(format!(
            "cannot store the login for {registry}: its secret is no {name}: {reason}"
        ))
        .with_hint(match reason.other_kind() {
            Some(SecretKind::ApiKey) => "Log in with the user name iamapikey",
            Some(_) => "Log in with the user name iambearer",
            None => "Log in with the secret alone",
        })
    })?;
    Ok(Credential {
        secret,
        ..credential
    })
}

/// Returns an error for a user name that is no login. User names are shown in many places, so
/// an API key is rejected. The ID of a trusted profile looks like one, but is none.
fn check_username(registry: &Registry, login: &Login) -> Result<()> {
    let error = if login.username == "<token>" {
        Error::user(format!(
            "{registry} does not accept identity tokens (user name <token>)"
        ))
    } else if login.kind() == LoginKind::Verbatim && repeatable::is_api_key(&login.username) {
        Error::user("the user name looks like an API key")
    } else {
        return Ok(());
    };
    Err(error.with_hint(format!(
        "Log in with 'docker login -u iamapikey {registry}'"
    )))
}

/// Returns an error if another source takes precedence over the login for a registry. A
/// token that would not even be active must not replace a permanent login.
fn ensure_token_is_active(
    registry: &Registry,
    scope: &LoginScope,
    active: &Result<Option<Resolved<'_>>>,
) -> Result<()> {
    match active.as_ref().map_err(Clone::clone)? {
        Some(active) if active.origin != Origin::Login(scope.clone()) => Err(Error::user(format!(
            "the token was not stored: it would replace the permanent login for {registry}, and {} takes precedence over both",
            active.title
        ))
        .with_hint(format!(
            "To delete that login first, run '{}'",
            scope.logout_command()
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use serde_json::json;

    use super::super::test_support::START;
    use super::super::test_support::TestMachine;
    use super::super::test_support::registry;
    use super::*;
    use crate::iam::jwt;
    use crate::iam::owner::Owner;
    use crate::keychain::KeychainError;
    use crate::secret::Secret;
    use crate::settings::CredentialKind;

    fn token_owned_by(iam_id: &str, account: &str, expires_at: u64) -> String {
        jwt::unsigned(&json!({"iam_id": iam_id, "account": {"bss": account}, "exp": expires_at}))
    }

    /// Stores an access token for us.icr.io.
    fn store(machine: &TestMachine, token: &str) -> Result<StoreOutcome> {
        let credential = Credential::bearer(Secret::new(token));
        machine.with_broker(|broker| {
            broker.store(&registry("us.icr.io"), credential, &broker.login_snapshot())
        })
    }

    /// Creates a machine whose default login is an API key of `me` in account `a`.
    fn machine_with_login_of_me() -> TestMachine {
        let machine = TestMachine::new();
        let token = Secret::new(token_owned_by("me", "a", START + 3600));
        let login = Login::new(CredentialKind::ApiKey.with(Secret::new("key")));
        let login = login.with_owner(Owner::of(&token));
        machine
            .with_broker(|broker| broker.log_in(&LoginScope::Default, login))
            .unwrap();
        machine
    }

    #[test]
    fn an_access_token_is_stored_unless_it_has_the_owner_of_the_active_source() {
        let end = START + 600;
        for (token, is_stored) in [
            (token_owned_by("me", "a", end), false),
            (token_owned_by("me", "b", end), true),
            (token_owned_by("other", "a", end), true),
            ("opaque".to_owned(), true),
        ] {
            let machine = machine_with_login_of_me();
            let stored = store(&machine, &token).unwrap();
            assert_eq!(stored != StoreOutcome::Unchanged, is_stored, "{token}");
            let returned = if is_stored { &*token } else { "access-1" };
            machine.assert_get("us.icr.io", &format!("iambearer:{returned}"));
            machine.assert_get("de.icr.io", "iambearer:access-1");
        }
    }

    #[test]
    fn an_expired_access_token_is_rejected_unless_it_has_the_owner_of_the_active_source() {
        let machine = machine_with_login_of_me();
        let own = token_owned_by("me", "a", START - 1);
        assert_eq!(store(&machine, &own), Ok(StoreOutcome::Unchanged));
        for other in [
            token_owned_by("me", "b", START - 1),
            token_owned_by("other", "a", START - 1),
            // It expires within seconds, so `get` would not return it.
            token_owned_by("other", "a", START + 9),
        ] {
            let message = store(&machine, &other).unwrap_err().to_string();
            assert!(message.contains("has expired"), "{message}");
        }
    }

    #[test]
    fn after_a_session_has_ended_an_access_token_of_the_same_owner_is_stored() {
        let machine = TestMachine::new();
        let token = token_owned_by("me", "a", START + 600);
        let scope = LoginScope::Registry(registry("us.icr.io"));
        let session = CredentialKind::RefreshToken.with(Secret::new("refresh"));
        let login = Login::new(session).with_owner(Owner::of(&Secret::new(&*token)));
        for (login, is_stored) in [(login.clone(), false), (login.ended(START), true)] {
            machine
                .with_broker(|broker| broker.log_in(&scope, login))
                .unwrap();
            let stored = store(&machine, &token).unwrap();
            assert_eq!(stored != StoreOutcome::Unchanged, is_stored);
        }
        machine.assert_get("us.icr.io", &format!("iambearer:{token}"));
    }

    #[test]
    fn storing_a_token_reports_the_login_that_it_replaces_or_shadows() {
        let machine = machine_with_login_of_me();
        let token = token_owned_by("other", "b", START + 600);
        let shadowed = |machine: &TestMachine| match store(machine, &token) {
            Ok(StoreOutcome::Written {
                shadowed_login: Some(shadowed),
            }) => {
                let then = shadowed.after_expiry.map(|then| then.name);
                (shadowed.is_replaced, then.unwrap_or_default())
            }
            other => panic!("{other:?}"),
        };
        let default = "the default login".to_owned();
        assert_eq!(shadowed(&machine), (false, default));
        let machine = TestMachine::with_login("iamapikey", "key");
        assert_eq!(shadowed(&machine), (true, String::new()));
    }

    #[test]
    fn a_token_that_would_not_be_active_replaces_no_permanent_login() {
        let mut machine = TestMachine::with_login("iamapikey", "key");
        machine.environment = machine.with_settings("", &[("IBMCLOUD_API_KEY", "another")]);
        let token = token_owned_by("other", "b", START + 600);
        let message = store(&machine, &token).unwrap_err().to_string();
        assert!(
            message.contains("$IBMCLOUD_API_KEY takes precedence"),
            "{message}"
        );
        machine.environment = machine.with_settings("", &[]);
        machine.assert_get("us.icr.io", "iambearer:access-1");
    }

    #[test]
    fn an_issued_token_is_not_stored_after_another_source_became_active() {
        let mut machine = machine_with_login_of_me();
        machine.assert_get("us.icr.io", "iambearer:access-1");
        machine.environment = machine.with_settings("", &[("IBMCLOUD_API_KEY", "another")]);
        assert_eq!(store(&machine, "access-1"), Ok(StoreOutcome::Unchanged));
    }

    #[test]
    fn without_a_token_cache_an_unrecognized_token_is_not_stored() {
        let mut machine = TestMachine::with_environment(&[("IBMCLOUD_API_KEY", "key")]);
        machine.keychains.tokens = Box::new(Rc::clone(&machine.durable));
        machine.keychains.cache_is_local = false;
        let full = KeychainError::Refused("full".into());
        machine.durable.fail_with(Some(full));
        let token = token_owned_by("other", "a", START + 600);
        let stored = store(&machine, &token);
        assert!(
            matches!(stored, Ok(StoreOutcome::Unrecognized(_))),
            "{stored:?}"
        );
        machine.durable.fail_with(None);
        let stored = store(&machine, &token);
        assert!(
            matches!(stored, Ok(StoreOutcome::Written { .. })),
            "{stored:?}"
        );
    }

    /// As on macOS and Windows, where login hints are not used.
    #[test]
    fn a_returned_credential_is_recognized_without_login_hints() {
        for credential in ["iambearer", "iamrefresh", "iamapikey"] {
            let mut machine = TestMachine::new();
            machine.keychains.cache_is_local = false;
            let text = format!("[profile.p]\ncredential = '{credential}'");
            machine.environment = machine.with_settings(&text, &[("ICR_PROFILE", "p")]);
            let scope = LoginScope::Profile("p".into());
            machine.log_in(&scope, "key").unwrap();
            let answer = machine.get("us.icr.io").unwrap();
            let (username, secret) = answer.split_once(':').unwrap();
            machine.store("us.icr.io", username, secret).unwrap();
            let scopes = machine.with_broker(|broker| broker.login_snapshot().scopes());
            assert_eq!(scopes.unwrap().len(), 1, "{credential}");
        }
    }

    #[test]
    fn an_identity_token_is_rejected() {
        let message = TestMachine::new()
            .store("us.icr.io", "<token>", "x")
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("docker login -u iamapikey us.icr.io"),
            "{message}"
        );
    }

    #[test]
    fn an_issued_token_is_recognized_while_the_keychain_is_locked() {
        let machine = TestMachine::with_login("iamapikey", "key");
        machine.get("us.icr.io").unwrap();
        machine
            .durable
            .fail_with(Some(KeychainError::Locked("durable")));
        assert_eq!(machine.store("us.icr.io", "iambearer", "access-1"), Ok(()));
        assert!(machine.store("us.icr.io", "iamapikey", "other").is_err());
    }

    #[test]
    fn an_empty_secret_is_not_stored() {
        for username in ["iamapikey", "iambearer", "token", "cp", "other-user"] {
            let machine = TestMachine::new();
            assert_eq!(machine.store("us.icr.io", username, ""), Ok(()));
            let scopes = machine.with_broker(|broker| broker.login_snapshot().scopes());
            assert_eq!(scopes.map(|scopes| scopes.len()), Ok(0), "{username}");
            assert_eq!(
                machine.get("us.icr.io"),
                Err(Error::not_found()),
                "{username}"
            );
        }
    }
}
