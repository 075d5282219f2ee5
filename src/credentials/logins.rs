//! The stored logins: storing, listing and deleting them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Broker;
use super::login_hints::write_hint;
use crate::error::Error;
use crate::error::Result;
use crate::http::MAX_ATTEMPTS;
use crate::iam::TokenResponse;
use crate::iam::endpoint::Endpoint;
use crate::lock::LOGIN_LOCK_TIMEOUT;
use crate::lock::Lock;
use crate::login::Login;
use crate::login::LoginKind;
use crate::login::LoginScope;
use crate::login::LoginSnapshot;
use crate::login::Logins;
use crate::registry::Registry;
use crate::settings::CredentialKind;
use crate::sources;
use crate::sources::ExpiredLogin;

/// The time limit for `get` to lock an expired login that it deletes. A process that has the
/// lock is already changing the login.
const EXPIRED_LOGIN_TIMEOUT: Duration = Duration::from_millis(100);

/// A login that was stored.
#[derive(Debug)]
pub struct Replacement {
    /// Its scope.
    pub scope: LoginScope,
    /// The login as it is stored.
    pub login: Login,
    /// The login that it replaced, with its owner if that is known locally.
    pub former: Option<Login>,
}

impl Broker<'_> {
    /// Stores the login for a scope, and replaces the previous one.
    ///
    /// # Errors
    /// The keychain cannot write it. The previous login is then still stored.
    pub fn log_in(&self, scope: &LoginScope, login: Login) -> Result<()> {
        let _lock = self.lock_login(scope);
        self.write_login(scope, login, &self.login_snapshot())
            .map(drop)
    }

    /// Stores a login for each scope: the one that `successor` returns for the previous one;
    /// `None` changes nothing. If one cannot be written, restores the previous logins of all.
    ///
    /// The previous logins are read here, under the locks that are held until all is written.
    ///
    /// # Errors
    /// A previous login cannot be read, so that it could not be restored; nothing is changed
    /// then. Or a login cannot be written; the error names the logins that could not be
    /// restored.
    pub fn replace_logins(
        &self,
        scopes: &[LoginScope],
        logins: &LoginSnapshot<'_>,
        successor: &dyn Fn(Option<&Login>) -> Option<Login>,
    ) -> Result<Vec<Replacement>> {
        let _locks = self.lock_logins(scopes);
        let mut previous = Vec::new();
        for scope in scopes {
            previous.push((scope, logins.read_again(scope)?));
        }
        let mut replacements = Vec::new();
        for (index, (scope, former)) in previous.iter().enumerate() {
            let Some(login) = successor(former.as_ref()) else {
                continue;
            };
            // The owner may only be known from the cached token, which is deleted now.
            let former = former.clone().map(|former| {
                let owner = self.owner_of(scope, &former);
                former.with_owner(owner)
            });
            let login = self.write_login(scope, login, logins).map_err(|error| {
                let outcomes = previous[..index]
                    .iter()
                    .map(|(scope, login)| self.restore_login(scope, login.clone(), logins));
                not_stored(error, outcomes)
            })?;
            replacements.push(Replacement {
                scope: (*scope).clone(),
                login,
                former,
            });
        }
        Ok(replacements)
    }

    fn restore_login(
        &self,
        scope: &LoginScope,
        login: Option<Login>,
        logins: &LoginSnapshot<'_>,
    ) -> Result<()> {
        match login {
            Some(login) => self.write_login(scope, login, logins).map(drop),
            None => self.delete_login(scope, logins).map(drop),
        }
    }

    /// Stores the login for a scope whose lock is held, and deletes the cached tokens of the
    /// previous one. Returns what is stored. A previous login that cannot be read is replaced.
    pub(super) fn write_login(
        &self,
        scope: &LoginScope,
        login: Login,
        logins: &LoginSnapshot<'_>,
    ) -> Result<Login> {
        let context = self.source_context_of(scope);
        let login = with_latest_refresh_token(scope, login, logins);
        let previous = logins.read(scope).ok().flatten();
        self.delete_cached_tokens(scope, previous.as_ref(), Some(&login.id), &context);
        let login = match previous {
            Some(previous) => login.completed_by(&previous),
            None => login,
        };
        context.logins.write(scope, &login)?;
        logins.record(scope, Some(login.clone()));
        // IAM may have rejected this login until the person fixed something else.
        let keys = self.cache_keys_of(&[&login.id]);
        context.tokens.remove_failures(keys);
        write_hint(scope, Some(&login), &context);
        Ok(login)
    }

    /// Deletes the login for a scope and its cached tokens. Returns whether a login was
    /// stored.
    ///
    /// # Errors
    /// The keychain cannot delete it.
    pub fn log_out(&self, scope: &LoginScope, logins: &LoginSnapshot<'_>) -> Result<bool> {
        let _lock = self.lock_login(scope);
        // If it cannot be read, it can still be deleted.
        let _ = logins.read_again(scope);
        self.delete_login(scope, logins)
    }

    /// Deletes the login for a scope whose lock is held, and its cached tokens. Returns whether
    /// a login was stored.
    fn delete_login(&self, scope: &LoginScope, logins: &LoginSnapshot<'_>) -> Result<bool> {
        let context = self.source_context_of(scope);
        let previous = logins.read(scope);
        let known = previous.as_ref().ok().and_then(Option::as_ref);
        self.delete_cached_tokens(scope, known, None, &context);
        self.delete_stored(scope, logins)
    }

    fn delete_stored(&self, scope: &LoginScope, logins: &LoginSnapshot<'_>) -> Result<bool> {
        let previous = logins.read(scope);
        self.stored_logins().delete(scope)?;
        logins.record(scope, None);
        Ok(!matches!(previous, Ok(None)))
    }

    /// Deletes the login for a scope, but no cached tokens. Returns whether a login was stored.
    ///
    /// # Errors
    /// The keychain cannot delete it.
    pub fn delete_login_only(
        &self,
        scope: &LoginScope,
        logins: &LoginSnapshot<'_>,
    ) -> Result<bool> {
        let _lock = self.lock_login(scope);
        // If it cannot be read, it can still be deleted.
        let _ = logins.read_again(scope);
        self.delete_stored(scope, logins)
    }

    /// Deletes expired logins, unless they have been replaced in the meantime. The answer of
    /// `get` does not depend on it, so a failure is only logged.
    pub(super) fn delete_expired(&self, expired: &[ExpiredLogin]) {
        let logins = self.stored_logins();
        for ExpiredLogin { scope, id } in expired {
            let lock = self
                .context
                .locks
                .lock_login(&scope.item_name(), EXPIRED_LOGIN_TIMEOUT);
            if matches!(lock, Lock::Busy) {
                continue;
            }
            let outcome = logins.read(scope).and_then(|stored| match stored {
                Some(stored) if stored.id == *id => logins.delete(scope),
                _ => Ok(()),
            });
            if let Err(error) = outcome {
                tracing::debug!(%scope, %error, "cannot delete an expired login");
            }
        }
    }

    /// Returns the login for a scope, if one is stored.
    ///
    /// # Errors
    /// The keychain or the login cannot be read.
    pub fn login(&self, scope: &LoginScope) -> Result<Option<Login>> {
        self.stored_logins().read(scope)
    }

    /// Requests tokens with the session of the IBM Cloud CLI. Returns IAM's response, which
    /// has a refresh token, and the session's endpoint.
    ///
    /// # Errors
    /// There is none, or none that lasts, or IAM refuses it.
    pub fn token_from_cli_session(&self, scope: &LoginScope) -> Result<(TokenResponse, Endpoint)> {
        let context = self.source_context_of(scope);
        let session = sources::refreshable_session(&context, scope.is_staging())?;
        let iam = self.iam(session.endpoint(), MAX_ATTEMPTS, self.deadline());
        let issued = session.exchange(&iam, CredentialKind::RefreshToken)?;
        Ok((issued, session.endpoint().clone()))
    }

    /// Returns the scopes of all stored logins, with their user names. A user name is empty if the
    /// login cannot be read for now: `get` may have a cached token for it, and otherwise reports the
    /// reason. A login that never can be read is left out.
    ///
    /// # Errors
    /// The keychain cannot be read.
    pub fn usernames(&self) -> Result<BTreeMap<LoginScope, String>> {
        let logins = self.stored_logins();
        let mut usernames = BTreeMap::new();
        for (scope, username) in logins.list()? {
            let username = username.or_else(|| match logins.read(&scope) {
                Ok(login) => Some(login?.username),
                Err(error) => error.is_temporary().then(String::new),
            });
            usernames.extend(username.map(|username| (scope, username)));
        }
        Ok(usernames)
    }

    /// Returns the registries that have a login of their own, with the user names.
    ///
    /// # Errors
    /// The keychain cannot be read.
    pub fn registry_usernames(&self) -> Result<BTreeMap<Registry, String>> {
        let logins = self.usernames()?.into_iter();
        Ok(logins
            .filter_map(|(scope, username)| Some((scope.into_registry()?, username)))
            .collect())
    }

    /// Locks the login for a scope, before it is changed.
    pub(super) fn lock_login(&self, scope: &LoginScope) -> Lock {
        let locks = &self.context.locks;
        locks.lock_login(&scope.item_name(), LOGIN_LOCK_TIMEOUT)
    }

    fn lock_logins(&self, scopes: &[LoginScope]) -> Vec<Lock> {
        let names = scopes.iter().map(LoginScope::item_name);
        self.context.locks.lock_logins(names, LOGIN_LOCK_TIMEOUT)
    }

    fn stored_logins(&self) -> Logins<'_> {
        Logins::in_keychain(&*self.keychains.logins)
    }
}

/// Returns the error for logins that were not stored, with those of the previous logins that
/// could not be restored.
fn not_stored(error: Error, restored: impl Iterator<Item = Result<()>>) -> Error {
    let lost = restored.filter_map(Result::err).map(|error| error.text());
    let lost: Vec<String> = lost.collect();
    if lost.is_empty() {
        return error;
    }
    Error::user(format!(
        "{}. Not all previous logins could be restored: {}",
        error.text(),
        lost.join(", ")
    ))
    .with_hint("Log in again")
}

/// Returns a login with the latest refresh token. If IAM has rotated the refresh token of the
/// same login in another scope, the old one does not work any more.
fn with_latest_refresh_token(
    scope: &LoginScope,
    login: Login,
    logins: &LoginSnapshot<'_>,
) -> Login {
    if login.kind() != LoginKind::RefreshToken {
        return login;
    }
    let listed = logins.scopes().unwrap_or_default().into_iter();
    let others = listed.filter(|other| other != scope);
    let same = others
        .filter_map(|other| logins.read(&other).ok().flatten())
        .find(|other| other.id == login.id);
    match same {
        Some(same) => login.completed_by(&same).rotated(same.secret),
        None => login,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::iam::jwt;

    use super::super::test_support::START;
    use super::super::test_support::TestMachine;
    use super::super::test_support::form_fields;
    use super::super::test_support::registry;
    use super::*;
    use crate::keychain::Item;
    use crate::keychain::Keychain;
    use crate::secret::Secret;

    #[test]
    fn an_access_token_is_a_login_until_it_expires() {
        let token = jwt::unsigned(&json!({"exp": START + 600}));
        let machine = TestMachine::with_login("iambearer", &token);
        assert_eq!(machine.get("us.icr.io"), Ok(format!("iambearer:{token}")));
        machine.clock.advance(Duration::from_secs(600));
        assert_eq!(machine.get("us.icr.io"), Err(Error::not_found()));
        let outcome = machine.store("de.icr.io", "iambearer", &token);
        let message = outcome.unwrap_err().to_string();
        assert!(message.contains("has expired"), "{message}");
        assert_eq!(machine.get("de.icr.io"), Err(Error::not_found()));
        assert_eq!(machine.request_count(), 0);
    }

    #[test]
    fn an_expired_registry_token_is_deleted() {
        let token = jwt::unsigned(&json!({"exp": START + 600}));
        let machine = TestMachine::with_login("token", &token);
        assert_eq!(machine.get("us.icr.io"), Ok(format!("token:{token}")));
        machine.clock.advance(Duration::from_secs(600));
        assert_eq!(machine.get("us.icr.io"), Err(Error::not_found()));
        assert_eq!(
            machine.with_broker(|broker| broker.registry_usernames()),
            Ok(BTreeMap::new())
        );
    }

    /// Creates a machine with a default login, and an expired one for us.icr.io.
    fn machine_with_expired_login() -> TestMachine {
        let token = jwt::unsigned(&json!({"exp": START + 600}));
        let machine = TestMachine::with_login("token", &token);
        machine.log_in(&LoginScope::Default, "key").unwrap();
        machine.clock.advance(Duration::from_secs(600));
        machine
    }

    #[test]
    fn get_succeeds_although_an_expired_login_cannot_be_deleted() {
        let machine = machine_with_expired_login();
        machine.durable.refuse_to_delete();
        machine.assert_get("us.icr.io", "iambearer:access-1");
    }

    type Query<'a> = dyn Fn(&Broker<'_>, &LoginSnapshot<'_>) + 'a;

    #[test]
    fn only_get_deletes_an_expired_login() {
        let machine = machine_with_expired_login();
        let host = registry("us.icr.io");
        let scope = LoginScope::Registry(host.clone());
        let queries: [&Query<'_>; 6] = [
            &|broker, _| drop(broker.get(&host).unwrap()),
            &|broker, logins| drop(broker.describe(&scope, &host, logins).unwrap()),
            &|broker, logins| drop(broker.active_source(&host, logins).unwrap()),
            &|broker, logins| drop(broker.login_statuses(logins).unwrap()),
            &|broker, _| drop(broker.registry_usernames().unwrap()),
            &|broker, _| drop(broker.get_fresh(&host, None).unwrap()),
        ];
        for query in queries {
            machine.with_broker(|broker| query(broker, &broker.login_snapshot()));
            assert!(
                machine
                    .with_broker(|broker| broker.login(&scope))
                    .unwrap()
                    .is_some()
            );
        }
        machine.get("us.icr.io").unwrap();
        assert_eq!(machine.with_broker(|broker| broker.login(&scope)), Ok(None));
    }

    #[test]
    fn a_rotated_refresh_token_is_stored_in_its_latest_form() {
        let machine = TestMachine::with_login("iamrefresh", "first");
        machine.get("us.icr.io").unwrap();
        machine.store("de.icr.io", "iamrefresh", "first").unwrap();
        machine.clock.advance(Duration::from_secs(2000));
        machine.get("de.icr.io").unwrap();
        assert_eq!(
            form_fields(&machine.iam.requests.borrow()[1])[2].1,
            "refresh-1"
        );
    }

    fn replace_all(
        broker: &Broker<'_>,
        scopes: &[LoginScope],
        new: &Login,
    ) -> Result<Vec<Replacement>> {
        let logins = broker.login_snapshot();
        broker.replace_logins(scopes, &logins, &|_| Some(new.clone()))
    }

    #[test]
    fn either_all_logins_are_stored_or_none() {
        let machine = TestMachine::with_login("iamapikey", "former");
        let new = Login::new(CredentialKind::ApiKey.with(Secret::new("new")));
        let scopes = ["us.icr.io", "de.icr.io", "uk.icr.io"]
            .map(|host| LoginScope::Registry(registry(host)));
        machine.durable.refuse_to_write("uk.icr.io");
        let stored = |scope| machine.with_broker(|broker| broker.login(scope)).unwrap();
        let message = machine
            .with_broker(|broker| replace_all(broker, &scopes, &new))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("uk.icr.io") && !message.contains("restored"),
            "{message}"
        );
        let secret = stored(&scopes[0]).map(|login| login.secret);
        assert_eq!(secret, Some(Secret::new("former")));
        assert_eq!(stored(&scopes[1]), None);
        machine.assert_get("us.icr.io", "iambearer:access-1");

        machine
            .with_broker(|broker| replace_all(broker, &scopes[..2], &new))
            .unwrap();
        assert_eq!(stored(&scopes[1]), Some(new));
    }

    #[test]
    fn the_error_names_a_login_that_could_not_be_restored() {
        let machine = TestMachine::new();
        let new = Login::new(CredentialKind::ApiKey.with(Secret::new("new")));
        let scopes = ["de.icr.io", "uk.icr.io"].map(|host| LoginScope::Registry(registry(host)));
        machine.durable.refuse_to_write("uk.icr.io");
        machine.durable.refuse_to_delete();
        let error = machine
            .with_broker(|broker| replace_all(broker, &scopes, &new))
            .unwrap_err();
        let text = error.text();
        assert!(text.contains("could be restored: "), "{text}");
        assert!(text.contains("de.icr.io"), "{text}");
        assert_eq!(error.hint(), Some("Log in again"));
    }

    #[test]
    fn a_login_that_cannot_be_read_is_not_replaced() {
        let machine = TestMachine::with_login("iamapikey", "former");
        let item = Item::login("de.icr.io");
        let newer = Secret::new(r#"{"v":2}"#);
        machine.durable.write(&item, &newer, None).unwrap();
        let new = Login::new(CredentialKind::ApiKey.with(Secret::new("new")));
        let scopes = ["us.icr.io", "de.icr.io", "uk.icr.io"]
            .map(|host| LoginScope::Registry(registry(host)));
        machine.durable.refuse_to_write("uk.icr.io");
        let message = machine
            .with_broker(|broker| replace_all(broker, &scopes, &new))
            .unwrap_err()
            .to_string();
        assert!(message.contains("logout de.icr.io"), "{message}");
        assert_eq!(machine.durable.read(&item), Ok(Some(newer)));
        machine.assert_get("us.icr.io", "iambearer:access-1");
        let stored = machine
            .with_broker(|broker| broker.login(&scopes[0]))
            .unwrap();
        assert_eq!(
            stored.map(|login| login.secret),
            Some(Secret::new("former"))
        );
    }
}
