//! What is stored of a credential that a client sends after its login?

use std::time::Duration;

use super::Broker;
use super::get::CacheEntry;
use super::info::ActiveSource;
use crate::credential::Credential;
use crate::error::Error;
use crate::error::Result;
use crate::iam::jwt;
use crate::iam::owner::Owner;
use crate::keychain::Item;
use crate::login::Login;
use crate::login::LoginKind;
use crate::login::LoginScope;
use crate::login::LoginSnapshot;
use crate::registry::Registry;
use crate::secret::Secret;
use crate::settings::CredentialKind;
use crate::sources;
use crate::sources::Origin;
use crate::sources::Resolved;
use crate::sources::ResolvedIdentity;
use crate::sources::SourceContext;
use crate::text::repeatable;
use crate::token_cache::CacheKey;

/// The outcome of storing a credential that a client sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StoreOutcome {
    /// It is what `get` returns anyway, so nothing changed.
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

/// The owner of an access token, compared with that of the registry's active source.
enum Owners {
    /// They are the same, so storing the token gains nothing.
    Same,
    /// They differ, or the active source does not work without the token.
    Different,
    /// The owner of the active source is unknown.
    Unknown(ActiveSource),
}

/// The lifetime of the item that is written to check the token cache.
const PROBE_LIFETIME: Duration = Duration::from_secs(60);

impl Broker<'_> {
    /// Stores a credential that a client sent after its login.
    ///
    /// A client that logged in with the credential from [`Broker::get`] sends it back. That
    /// succeeds and changes nothing.
    ///
    /// Of `logins`, nothing may have been read: they are read here, under the lock of the login.
    ///
    /// # Errors
    /// The keychain cannot write it, or it is no credential that works later.
    pub fn store(
        &self,
        registry: &Registry,
        credential: Credential,
        logins: &LoginSnapshot<'_>,
    ) -> Result<StoreOutcome> {
        let login = Login::new(credential);
        check_username(registry, &login)?;
        let context = self.source_context(registry);
        if is_cached_credential(registry, &login, &context) {
            return Ok(StoreOutcome::Unchanged);
        }
        let scope = LoginScope::Registry(registry.clone());
        let _lock = self.lock_login(&scope);
        let search = sources::find_with(registry, &context, &|scope| logins.read(scope));
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

    /// Compares the owner of an access token with that of the active source, without asking IAM.
    fn compare_owners(
        &self,
        active: Option<&Resolved<'_>>,
        token: &Secret,
        context: &SourceContext<'_>,
    ) -> Owners {
        let Some(resolved) = active else {
            return Owners::Different;
        };
        // `get` never returns an empty token.
        if token.is_empty() {
            return Owners::Same;
        }
        let owner = Owner::of(token);
        let is_same = |other: Option<&Owner>| {
            let both = owner.as_ref().zip(other);
            both.is_some_and(|(owner, other)| owner.is_same_as(other))
        };
        match &resolved.identity {
            ResolvedIdentity::Credential(_) => Owners::Different,
            // A valid token of the same owner may expire later than the active one.
            ResolvedIdentity::AccessToken(active) => {
                let now = self.context.clock.now();
                let has_expired = jwt::has_expired(token.expose(), now, jwt::MARGIN);
                if has_expired && is_same(Owner::of(active).as_ref()) {
                    Owners::Same
                } else {
                    Owners::Different
                }
            }
            ResolvedIdentity::Exchanged(_) if has_session_ended(resolved) => Owners::Different,
            ResolvedIdentity::Exchanged(identity) => {
                let active = self.owner_known_locally(resolved, context);
                if is_same(active.as_ref()) {
                    Owners::Same
                } else if active.is_none() && context.tokens.token(&identity.key()).is_none() {
                    Owners::Unknown(ActiveSource::of(resolved))
                } else {
                    Owners::Different
                }
            }
        }
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

    /// Returns whether tokens can be cached, by writing an item. Without a token cache, this
    /// program does not recognize a token that it issued.
    fn can_cache_tokens(&self) -> bool {
        let item = Item::probe(&format!("store-{:016x}", (self.context.random)()));
        let tokens = &*self.keychains.tokens;
        let is_written = tokens
            .write(&item, &Secret::new("probe"), Some(PROBE_LIFETIME))
            .is_ok();
        is_written && tokens.delete(&item).is_ok()
    }
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

/// Returns whether a credential is the one that `get` returns from the token cache. It is
/// looked up first, because the keychain of the logins may be locked.
fn is_cached_credential(registry: &Registry, login: &Login, context: &SourceContext<'_>) -> bool {
    if login.username != context.settings.credential.username() {
        return false;
    }
    let local = sources::look_up_locally(registry, context);
    let entry = local.map(|local| CacheEntry::of(&local, registry, context));
    entry.is_ok_and(|entry| entry.cached.secret() == Some(&login.secret))
}

/// Returns whether a credential is the one that `get` returns from the active source.
fn is_active_credential(
    registry: &Registry,
    login: &Login,
    active: Option<&Resolved<'_>>,
    context: &SourceContext<'_>,
) -> bool {
    let wanted = context.settings.credential;
    if login.username != wanted.username() {
        return false;
    }
    match active.map(|resolved| &resolved.identity) {
        Some(ResolvedIdentity::Exchanged(identity)) if wanted == CredentialKind::ApiKey => {
            identity.api_key() == Some(&login.secret)
        }
        Some(ResolvedIdentity::Exchanged(identity)) => {
            let key = wanted.key_of(identity.key(), registry);
            context.tokens.secret(&key).as_ref() == Some(&login.secret)
        }
        Some(ResolvedIdentity::AccessToken(token)) => *token == login.secret,
        Some(ResolvedIdentity::Credential(_)) | None => false,
    }
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

/// Returns whether a token was issued for a stored login, which may now be shadowed by another
/// source, such as a variable that was set since.
fn was_issued_for_login(
    scope: &LoginScope,
    token: &Secret,
    logins: &LoginSnapshot<'_>,
    context: &SourceContext<'_>,
) -> bool {
    [scope, &LoginScope::Default].into_iter().any(|scope| {
        let login = logins.read(scope).ok().flatten();
        login.is_some_and(|login| {
            let key = CacheKey::new(&context.endpoint, &login.id);
            context.tokens.secret(&key).as_ref() == Some(token)
        })
    })
}

/// Returns whether IAM has ended the session of a stored login.
fn has_session_ended(resolved: &Resolved<'_>) -> bool {
    let login = resolved.login.as_ref();
    login.is_some_and(|login| login.ended_at.is_some())
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use serde_json::json;

    use super::super::test_support::START;
    use super::super::test_support::TestMachine;
    use super::super::test_support::registry;
    use super::*;
    use crate::keychain::KeychainError;

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
    fn an_empty_secret_is_stored_but_never_returned() {
        for username in ["iamapikey", "iambearer", "token", "cp", "other-user"] {
            let machine = TestMachine::with_login(username, "");
            assert_eq!(
                machine.get("us.icr.io"),
                Err(Error::not_found()),
                "{username}"
            );
        }
    }
}
