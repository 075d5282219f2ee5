//! What is stored of a credential that somebody logged in with at a client?

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
use crate::lock::LOGIN_LOCK_TIMEOUT;
use crate::login::Login;
use crate::login::LoginKind;
use crate::login::LoginScope;
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

/// What came of a credential that a client gave us to store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StoreOutcome {
    /// It is what this program answers anyway, so nothing changed.
    Unchanged,
    /// It is an access token, and no token is kept here by which it could be told from
    /// one that this program gave out. Nothing changed, and this answers.
    Unrecognized(ActiveSource),
    /// It is the login for the registry now.
    Written {
        /// What it takes the place of, where it is an access token that will end.
        shadowed_login: Option<ShadowedLogin>,
    },
}

/// The lasting login that an access token takes the place of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ShadowedLogin {
    /// Whether the login for the same registry is gone; otherwise it is one that
    /// answers again when the token has ended.
    pub is_replaced: bool,
    /// What answers when the token has ended.
    pub after_expiry: Option<ActiveSource>,
}

/// How an access token is related to what answers for the registry.
enum Relation {
    /// It is of the same identity, so nothing is gained by storing it.
    Same,
    /// It is of another one, or nothing that lasts answers.
    Other,
    /// Nobody can tell.
    Unknown(ActiveSource),
}

/// How long what is written to see whether tokens are kept is kept at most.
const PROBE_LIFE: Duration = Duration::from_secs(60);

impl Broker<'_> {
    /// Stores a credential that somebody logged in with at a client.
    ///
    /// A client that logged in with what [`Broker::get`] answered brings it back;
    /// that succeeds and changes nothing.
    ///
    /// # Errors
    /// The keychain does not take it, or no client could use it.
    pub fn store(&self, registry: &Registry, credential: Credential) -> Result<StoreOutcome> {
        let login = Login::new(credential);
        if login.username == "<token>" {
            return Err(Error::user(format!(
                "{registry} does not accept identity tokens (user name <token>)"
            ))
            .with_hint(login_with_key(registry)));
        }
        // A user name is shown wherever the login is. A trusted profile's ID is as long.
        if login.kind() == LoginKind::Verbatim && repeatable::is_api_key(&login.username) {
            return Err(Error::user("the user name looks like an API key")
                .with_hint(login_with_key(registry)));
        }
        let context = self.source_context(registry);
        if self.is_ours(registry, &login, &context) {
            return Ok(StoreOutcome::Unchanged);
        }
        let scope = LoginScope::Registry(registry.clone());
        let _lock = self
            .context
            .locks
            .lock_login(&scope.item_name(), LOGIN_LOCK_TIMEOUT);
        let mut shadowed_login = None;
        if login.kind() == LoginKind::Bearer {
            if self.has_issued(&scope, &login.secret, &context) {
                return Ok(StoreOutcome::Unchanged);
            }
            match self.relation(registry, &login.secret, &context) {
                Relation::Same => return Ok(StoreOutcome::Unchanged),
                Relation::Unknown(answering) if !self.keeps_tokens() => {
                    return Ok(StoreOutcome::Unrecognized(answering));
                }
                Relation::Unknown(_) | Relation::Other => {}
            }
            shadowed_login = self.shadowed_by_token(registry, &scope, &context);
            if shadowed_login
                .as_ref()
                .is_some_and(|shadowed| shadowed.is_replaced)
            {
                self.refuse_to_lose_login(registry, &scope)?;
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
        self.write_login(&scope, login, &context)?;
        Ok(StoreOutcome::Written { shadowed_login })
    }

    /// Whether a credential is the one that we answer anyway. Known without
    /// asking a keychain that may be locked by now, where the token is at hand.
    fn is_ours(&self, registry: &Registry, login: &Login, context: &SourceContext<'_>) -> bool {
        let wanted = context.choice.credential;
        if login.username != wanted.username() {
            return false;
        }
        let local = sources::look_up_locally(registry, context);
        let entry = local.map(|local| CacheEntry::of(&local, registry, context));
        if entry.is_ok_and(|entry| entry.cached.secret() == Some(&login.secret)) {
            return true;
        }
        let search = sources::find(registry, context);
        let resolved = search.map(|search| search.resolved);
        match resolved.map(|resolved| resolved.map(|resolved| resolved.identity)) {
            Ok(Some(ResolvedIdentity::Exchanged(identity))) if wanted == CredentialKind::ApiKey => {
                identity.api_key() == Some(&login.secret)
            }
            Ok(Some(ResolvedIdentity::Exchanged(identity))) => {
                let key = wanted.key_of(identity.key(), registry);
                context.tokens.secret(&key).as_ref() == Some(&login.secret)
            }
            Ok(Some(ResolvedIdentity::AccessToken(token))) => token == login.secret,
            _ => false,
        }
    }

    /// Whether a token is one that was issued for a login that another source answers
    /// instead of now, such as a variable that was set since.
    fn has_issued(&self, scope: &LoginScope, token: &Secret, context: &SourceContext<'_>) -> bool {
        [scope, &LoginScope::Default].into_iter().any(|scope| {
            let login = context.logins.read(scope).ok().flatten();
            login.is_some_and(|login| {
                let key = CacheKey::new(&context.endpoint, &login.id);
                context.tokens.secret(&key).as_ref() == Some(token)
            })
        })
    }

    /// A token that does not even answer must not take the place of a login that lasts.
    fn refuse_to_lose_login(&self, registry: &Registry, scope: &LoginScope) -> Result<()> {
        match self.answering(registry)? {
            Some(answering) if answering.origin != Origin::Login(scope.clone()) => {
                Err(Error::user(format!(
                    "the token was not stored: it would replace the permanent login for {registry}, and {} takes precedence over both",
                    answering.name
                ))
                .with_hint(format!(
                    "To delete that login first, run '{}'",
                    scope.logout_command()
                )))
            }
            _ => Ok(()),
        }
    }

    fn relation(
        &self,
        registry: &Registry,
        token: &Secret,
        context: &SourceContext<'_>,
    ) -> Relation {
        let Ok(Some(resolved)) = sources::find(registry, context).map(|search| search.resolved)
        else {
            return Relation::Other;
        };
        // An empty one proves nothing.
        if token.is_empty() {
            return Relation::Same;
        }
        let owner = Owner::of(token);
        let is_same = |other: &Owner| owner.as_ref().is_some_and(|it| it.is_same_as(other));
        match &resolved.identity {
            ResolvedIdentity::Credential(_) => Relation::Other,
            // One that lives longer is worth storing, also of the same identity.
            ResolvedIdentity::AccessToken(answered) => {
                let has_expired =
                    jwt::has_expired(token.expose(), self.context.clock.now(), jwt::MARGIN);
                if Owner::of(answered).is_some_and(|other| is_same(&other)) && has_expired {
                    Relation::Same
                } else {
                    Relation::Other
                }
            }
            ResolvedIdentity::Exchanged(identity) => {
                let kept = context.tokens.token(&identity.key());
                match self.owner_known_locally(&resolved, context) {
                    _ if is_known_to_have_ended(&resolved) => Relation::Other,
                    Some(other) if is_same(&other) => Relation::Same,
                    None if kept.is_none() => Relation::Unknown(ActiveSource::of(&resolved)),
                    _ => Relation::Other,
                }
            }
        }
    }

    /// Whether tokens are kept at all, found out by trying. Where they are not, a
    /// client brings back tokens that nobody here knows.
    fn keeps_tokens(&self) -> bool {
        let item = Item::probe(&format!("store-{:016x}", (self.context.random)()));
        let tokens = &*self.keychains.tokens;
        let is_written = tokens
            .write(&item, &Secret::new("probe"), Some(PROBE_LIFE))
            .is_ok();
        is_written && tokens.delete(&item).is_ok()
    }

    fn shadowed_by_token(
        &self,
        registry: &Registry,
        scope: &LoginScope,
        context: &SourceContext<'_>,
    ) -> Option<ShadowedLogin> {
        let former = context.logins.read(scope).ok().flatten();
        let is_replaced = former
            .is_some_and(|login| login.kind() != LoginKind::Bearer && !login.secret.is_empty());
        let behind = sources::find_behind(scope, registry, context)
            .ok()
            .flatten();
        let after_expiry = behind.as_ref().map(ActiveSource::of);
        (is_replaced || after_expiry.is_some()).then_some(ShadowedLogin {
            is_replaced,
            after_expiry,
        })
    }
}

/// Returns whether IAM has ended the session of a stored login.
fn is_known_to_have_ended(resolved: &Resolved<'_>) -> bool {
    let login = resolved.login.as_ref();
    login.is_some_and(|login| login.ended_at.is_some())
}

/// Returns the hint to log in with an API key.
fn login_with_key(registry: &Registry) -> String {
    format!("Log in with 'docker login -u iamapikey {registry}'")
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

    fn token_of(who: &str, account: &str, end: u64) -> String {
        jwt::unsigned(&json!({"iam_id": who, "account": {"bss": account}, "exp": end}))
    }

    /// What becomes of an access token.
    fn store(machine: &TestMachine, token: &str) -> Result<StoreOutcome> {
        let credential = Credential::bearer(Secret::new(token));
        machine.with_broker(|broker| broker.store(&registry("us.icr.io"), credential))
    }

    /// A machine with an API key for every registry, whose tokens are of `me` in account `a`.
    fn machine_of_me() -> TestMachine {
        let machine = TestMachine::new();
        let token = Secret::new(token_of("me", "a", START + 3600));
        let login = Login::new(CredentialKind::ApiKey.with(Secret::new("key")));
        let login = login.with_owner(Owner::of(&token));
        machine
            .with_broker(|broker| broker.log_in(&LoginScope::Default, login))
            .unwrap();
        machine
    }

    #[test]
    fn an_access_token_is_stored_unless_it_is_of_the_identity_that_answers() {
        let end = START + 600;
        for (token, is_stored) in [
            (token_of("me", "a", end), false),
            (token_of("me", "b", end), true),
            (token_of("other", "a", end), true),
            ("opaque".to_owned(), true),
        ] {
            let machine = machine_of_me();
            let stored = store(&machine, &token).unwrap();
            assert_eq!(stored != StoreOutcome::Unchanged, is_stored, "{token}");
            let answered = if is_stored { &*token } else { "access-1" };
            machine.assert_get("us.icr.io", &format!("iambearer:{answered}"));
            machine.assert_get("de.icr.io", "iambearer:access-1");
        }
    }

    #[test]
    fn an_expired_access_token_is_refused_unless_it_is_of_the_identity_that_answers() {
        let machine = machine_of_me();
        let own = token_of("me", "a", START - 1);
        assert_eq!(store(&machine, &own), Ok(StoreOutcome::Unchanged));
        for other in [
            token_of("me", "b", START - 1),
            token_of("other", "a", START - 1),
            // `get` would not hand it out any more.
            token_of("other", "a", START + 9),
        ] {
            let failure = store(&machine, &other).unwrap_err().to_string();
            assert!(failure.contains("has expired"), "{failure}");
        }
    }

    #[test]
    fn whose_session_is_over_may_log_in_with_a_token_of_the_same_identity() {
        let machine = TestMachine::new();
        let token = token_of("me", "a", START + 600);
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
    fn what_a_token_takes_the_place_of_is_known() {
        let machine = machine_of_me();
        let token = token_of("other", "b", START + 600);
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
    fn a_token_that_does_not_answer_replaces_no_login_that_lasts() {
        let mut machine = TestMachine::with_login("iamapikey", "key");
        machine.environment = machine.with_settings("", &[("IBMCLOUD_API_KEY", "another")]);
        let token = token_of("other", "b", START + 600);
        let failure = store(&machine, &token).unwrap_err().to_string();
        assert!(
            failure.contains("$IBMCLOUD_API_KEY takes precedence"),
            "{failure}"
        );
        machine.environment = machine.with_settings("", &[]);
        machine.assert_get("us.icr.io", "iambearer:access-1");
    }

    #[test]
    fn a_token_of_ours_comes_back_although_another_source_answers_by_now() {
        let mut machine = machine_of_me();
        machine.assert_get("us.icr.io", "iambearer:access-1");
        machine.environment = machine.with_settings("", &[("IBMCLOUD_API_KEY", "another")]);
        assert_eq!(store(&machine, "access-1"), Ok(StoreOutcome::Unchanged));
    }

    /// Then nobody can tell a token of ours that a client brings back from another.
    #[test]
    fn where_no_token_is_kept_none_takes_the_place_of_what_answers() {
        let mut machine = TestMachine::with_environment(&[("IBMCLOUD_API_KEY", "key")]);
        machine.keychains.tokens = Box::new(Rc::clone(&machine.durable));
        machine.keychains.cache_is_local = false;
        let full = KeychainError::Refused("full".into());
        machine.durable.fail_with(Some(full));
        let token = token_of("somebody", "a", START + 600);
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

    /// As on macOS and Windows, where no note says which login a registry has.
    #[test]
    fn what_we_answered_comes_back_without_notes_too() {
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
            let scopes = machine.with_broker(|broker| broker.scopes());
            assert_eq!(scopes.unwrap().len(), 1, "{credential}");
        }
    }

    #[test]
    fn an_identity_token_is_refused() {
        let failure = TestMachine::new()
            .store("us.icr.io", "<token>", "x")
            .unwrap_err()
            .to_string();
        assert!(
            failure.contains("docker login -u iamapikey us.icr.io"),
            "{failure}"
        );
    }

    #[test]
    fn our_own_token_may_come_back_while_the_keychain_is_locked() {
        let machine = TestMachine::with_login("iamapikey", "key");
        machine.get("us.icr.io").unwrap();
        machine
            .durable
            .fail_with(Some(KeychainError::Locked("durable")));
        assert_eq!(machine.store("us.icr.io", "iambearer", "access-1"), Ok(()));
        assert!(machine.store("us.icr.io", "iamapikey", "other").is_err());
    }

    #[test]
    fn an_empty_secret_is_taken_but_never_answered() {
        for username in ["iamapikey", "iambearer", "token", "cp", "somebody"] {
            let machine = TestMachine::with_login(username, "");
            assert_eq!(
                machine.get("us.icr.io"),
                Err(Error::not_found()),
                "{username}"
            );
        }
    }
}
