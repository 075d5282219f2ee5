//! Which logins are kept, and what goes with one that is changed?

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use super::Broker;
use super::login_hints::write_hint;
use crate::error::Error;
use crate::error::Result;
use crate::http::MAX_ATTEMPTS;
use crate::iam::TokenResponse;
use crate::iam::endpoint::Endpoint;
use crate::keychain::Backend;
use crate::lock::LOGIN_LOCK_TIMEOUT;
use crate::lock::Lock;
use crate::login::Login;
use crate::login::LoginKind;
use crate::login::LoginScope;
use crate::login::Logins;
use crate::registry::Registry;
use crate::settings::CredentialKind;
use crate::sources;
use crate::sources::ExpiredLogin;
use crate::sources::SourceContext;

/// How long `get` waits to delete an expired login: whoever changes it in the meantime
/// does so for good.
const EXPIRED_PATIENCE: Duration = Duration::from_millis(100);

impl Broker<'_> {
    /// Keeps a login for a scope, in place of the one before it.
    ///
    /// # Errors
    /// The keychain does not take it; the one before it is then still there.
    pub fn log_in(&self, scope: &LoginScope, login: Login) -> Result<()> {
        let context = self.source_context_of(scope);
        let _lock = self
            .context
            .locks
            .lock_login(&scope.item_name(), LOGIN_LOCK_TIMEOUT);
        self.write_login(scope, login, &context)
    }

    /// Keeps a login for each scope; when one of them cannot be written, all are put
    /// back to what they were. What cannot be read could not be put back, and is not
    /// replaced.
    ///
    /// # Errors
    /// A former login cannot be read; or the keychain does not take one, and where it
    /// does not take the former one back either, that is told.
    pub fn log_in_all(&self, logins: &[(LoginScope, Login)]) -> Result<()> {
        let former = logins.iter().map(|(scope, _)| self.login(scope));
        let former = former.collect::<Result<Vec<Option<Login>>>>()?;
        for (index, (scope, login)) in logins.iter().enumerate() {
            let Err(failure) = self.log_in(scope, login.clone()) else {
                continue;
            };
            let replaced = logins.iter().zip(former).take(index);
            let lost = replaced
                .filter_map(|((scope, _), former)| self.put_back(scope, former).err())
                .map(|failure| failure.to_string());
            let lost: Vec<String> = lost.collect();
            return Err(if lost.is_empty() {
                failure
            } else {
                Error::user(format!(
                    "{failure}; what was there before is lost: {}",
                    lost.join("; ")
                ))
            });
        }
        Ok(())
    }

    fn put_back(&self, scope: &LoginScope, former: Option<Login>) -> Result<()> {
        match former {
            Some(login) => self.log_in(scope, login),
            None => self.log_out(scope).map(drop),
        }
    }

    pub(super) fn write_login(
        &self,
        scope: &LoginScope,
        login: Login,
        context: &SourceContext<'_>,
    ) -> Result<()> {
        let login = with_current_secret(scope, login, context);
        let former = self.forget_tokens(scope, context, Some(&login.id));
        let login = match former {
            Ok(Some(former)) => login.completed_by(&former),
            _ => login,
        };
        context.logins.write(scope, &login)?;
        // IAM may have refused this very login a moment ago, before it was mended.
        for key in self.keys_of(&login.id) {
            context.tokens.remove_failure(&key);
        }
        write_hint(scope, Some(&login), context);
        Ok(())
    }

    /// Forgets the login for a scope, and the tokens that came from it. Says
    /// whether there was one.
    ///
    /// # Errors
    /// The keychain does not let it go. That nothing was stored is no error.
    pub fn log_out(&self, scope: &LoginScope) -> Result<bool> {
        let context = self.source_context_of(scope);
        let _lock = self
            .context
            .locks
            .lock_login(&scope.item_name(), LOGIN_LOCK_TIMEOUT);
        let former = self.forget_tokens(scope, &context, None);
        context.logins.delete(scope)?;
        Ok(!matches!(former, Ok(None)))
    }

    /// Deletes logins that have expired, unless others have just taken their place.
    /// Nothing depends on it, so a keychain that does not let go of one is only noted.
    pub(super) fn delete_expired(&self, expired: &[ExpiredLogin]) {
        let logins = Logins::in_keychain(&*self.keychains.logins);
        for ExpiredLogin { scope, id } in expired {
            let lock = self
                .context
                .locks
                .lock_login(&scope.item_name(), EXPIRED_PATIENCE);
            if matches!(lock, Lock::Busy) {
                continue;
            }
            let outcome = logins.read(scope).and_then(|stored| match stored {
                Some(stored) if stored.id == *id => logins.delete(scope),
                _ => Ok(()),
            });
            if let Err(failure) = outcome {
                tracing::debug!(%scope, %failure, "an expired login is left where it is");
            }
        }
    }

    /// Forgets the login for a registry, and the tokens that came from it.
    ///
    /// # Errors
    /// The keychain does not let it go. That nothing was stored is no error.
    pub fn erase(&self, registry: &Registry) -> Result<()> {
        self.log_out(&LoginScope::Registry(registry.clone()))
            .map(drop)
    }

    /// The login for a scope, if there is one.
    ///
    /// # Errors
    /// The keychain cannot tell.
    pub fn login(&self, scope: &LoginScope) -> Result<Option<Login>> {
        Logins::in_keychain(&*self.keychains.logins).read(scope)
    }

    /// Every scope that has a login, also one that cannot be read.
    ///
    /// # Errors
    /// The keychain cannot tell.
    pub fn scopes(&self) -> Result<BTreeSet<LoginScope>> {
        let logins = Logins::in_keychain(&*self.keychains.logins).list()?;
        Ok(logins.into_iter().map(|(scope, _)| scope).collect())
    }

    /// Which keychain the login for a scope rests in; `None` when there is none.
    ///
    /// # Errors
    /// The keychain cannot tell.
    pub fn backend(&self, scope: &LoginScope) -> Result<Option<Backend>> {
        Logins::in_keychain(&*self.keychains.logins).backend(scope)
    }

    /// Goes on with the session of the IBM Cloud CLI, and says which IAM it is of.
    /// There is a refresh token in the answer.
    ///
    /// # Errors
    /// There is none, or none that lasts, or IAM refuses it.
    pub fn exchange_cli_session(&self, scope: &LoginScope) -> Result<(TokenResponse, Endpoint)> {
        let context = self.source_context_of(scope);
        let session = sources::refreshable_session(&context, scope.is_staging())?;
        let iam = self.iam(session.endpoint(), MAX_ATTEMPTS, self.deadline());
        let issued = session.exchange(&iam, CredentialKind::RefreshToken)?;
        Ok((issued, session.endpoint().clone()))
    }

    /// Every scope that has a login, and the login's user name.
    ///
    /// # Errors
    /// The keychain cannot tell.
    pub fn logins(&self) -> Result<BTreeMap<LoginScope, String>> {
        let logins = Logins::in_keychain(&*self.keychains.logins);
        let mut usernames = BTreeMap::new();
        for (scope, username) in logins.list()? {
            // One that is damaged is for `get` to complain about.
            let read = || Some(logins.read(&scope).ok()??.username);
            let username = username.or_else(read);
            usernames.extend(username.map(|username| (scope, username)));
        }
        Ok(usernames)
    }

    /// Every registry that has a login of its own, and the login's user name.
    ///
    /// # Errors
    /// The keychain cannot tell.
    pub fn list(&self) -> Result<BTreeMap<Registry, String>> {
        let logins = self.logins()?.into_iter();
        Ok(logins
            .filter_map(|(scope, username)| Some((scope.into_registry()?, username)))
            .collect())
    }
}

/// A refresh token that has been replaced since, in another scope that has the
/// same login, is worth nothing: what replaced it is stored here as well.
fn with_current_secret(scope: &LoginScope, login: Login, context: &SourceContext<'_>) -> Login {
    if login.kind() != LoginKind::RefreshToken {
        return login;
    }
    let listed = context.logins.list().unwrap_or_default().into_iter();
    let others = listed.filter(|(other, _)| other != scope);
    let current = others
        .filter_map(|(other, _)| context.logins.read(&other).ok().flatten())
        .find(|other| other.id == login.id);
    match current {
        Some(current) => login.completed_by(&current).rotated(current.secret),
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
    fn an_access_token_is_a_login_until_it_ends() {
        let token = jwt::unsigned(&json!({"exp": START + 600}));
        let machine = TestMachine::with_login("iambearer", &token);
        assert_eq!(machine.get("us.icr.io"), Ok(format!("iambearer:{token}")));
        machine.clock.advance(Duration::from_secs(600));
        assert_eq!(machine.get("us.icr.io"), Err(Error::not_found()));
        let refused = machine.store("de.icr.io", "iambearer", &token);
        let failure = refused.unwrap_err().to_string();
        assert!(failure.contains("has expired"), "{failure}");
        assert_eq!(machine.get("de.icr.io"), Err(Error::not_found()));
        assert_eq!(machine.request_count(), 0);
    }

    #[test]
    fn a_registry_token_that_has_ended_is_pruned() {
        let token = jwt::unsigned(&json!({"exp": START + 600}));
        let machine = TestMachine::with_login("token", &token);
        assert_eq!(machine.get("us.icr.io"), Ok(format!("token:{token}")));
        machine.clock.advance(Duration::from_secs(600));
        assert_eq!(machine.get("us.icr.io"), Err(Error::not_found()));
        assert_eq!(
            machine.with_broker(|broker| broker.list()),
            Ok(BTreeMap::new())
        );
    }

    /// A machine with a default login, and one for `us.icr.io` that has
    /// expired.
    fn machine_with_expired_login() -> TestMachine {
        let token = jwt::unsigned(&json!({"exp": START + 600}));
        let machine = TestMachine::with_login("token", &token);
        machine.log_in(&LoginScope::Default, "key").unwrap();
        machine.clock.advance(Duration::from_secs(600));
        machine
    }

    #[test]
    fn an_expired_login_that_cannot_be_deleted_costs_no_answer() {
        let machine = machine_with_expired_login();
        machine.durable.refuse_to_delete();
        machine.assert_get("us.icr.io", "iambearer:access-1");
    }

    #[test]
    fn only_get_deletes_an_expired_login() {
        let machine = machine_with_expired_login();
        let host = registry("us.icr.io");
        let scope = LoginScope::Registry(host.clone());
        let queries: [&dyn Fn(&Broker<'_>); 7] = [
            &|broker| drop(broker.get(&host).unwrap()),
            &|broker| drop(broker.describe(&host).unwrap()),
            &|broker| drop(broker.answering(&host).unwrap()),
            &|broker| drop(broker.origin(&host).unwrap()),
            &|broker| drop(broker.login_statuses().unwrap()),
            &|broker| drop(broker.list().unwrap()),
            &|broker| drop(broker.get_fresh(&host, None).unwrap()),
        ];
        for query in queries {
            machine.with_broker(|broker| query(broker));
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
    fn a_refresh_token_that_was_replaced_is_stored_as_what_replaced_it() {
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

    #[test]
    fn logins_for_several_scopes_are_all_stored_or_none() {
        let machine = TestMachine::with_login("iamapikey", "former");
        let new = Login::new(CredentialKind::ApiKey.with(Secret::new("new")));
        let scopes = ["us.icr.io", "de.icr.io", "uk.icr.io"]
            .map(|host| LoginScope::Registry(registry(host)));
        let logins = scopes.clone().map(|scope| (scope, new.clone()));
        machine.durable.refuse_to_write("uk.icr.io");
        let stored = |scope| machine.with_broker(|broker| broker.login(scope)).unwrap();
        let failure = machine
            .with_broker(|broker| broker.log_in_all(&logins))
            .unwrap_err()
            .to_string();
        assert!(
            failure.contains("uk.icr.io") && !failure.contains("lost"),
            "{failure}"
        );
        let secret = stored(&scopes[0]).map(|login| login.secret);
        assert_eq!(secret, Some(Secret::new("former")));
        assert_eq!(stored(&scopes[1]), None);
        machine.assert_get("us.icr.io", "iambearer:access-1");

        machine
            .with_broker(|broker| broker.log_in_all(&logins[..2]))
            .unwrap();
        assert_eq!(stored(&scopes[1]), Some(new));
    }

    #[test]
    fn a_login_that_cannot_be_read_is_not_replaced_as_if_there_were_none() {
        let machine = TestMachine::with_login("iamapikey", "former");
        let item = Item::login("de.icr.io");
        let newer = Secret::new(r#"{"v":2}"#);
        machine.durable.write(&item, &newer, None).unwrap();
        let new = Login::new(CredentialKind::ApiKey.with(Secret::new("new")));
        let logins = ["us.icr.io", "de.icr.io", "uk.icr.io"]
            .map(|host| (LoginScope::Registry(registry(host)), new.clone()));
        machine.durable.refuse_to_write("uk.icr.io");
        let failure = machine
            .with_broker(|broker| broker.log_in_all(&logins))
            .unwrap_err()
            .to_string();
        assert!(failure.contains("logout de.icr.io"), "{failure}");
        assert_eq!(machine.durable.read(&item), Ok(Some(newer)));
        machine.assert_get("us.icr.io", "iambearer:access-1");
        let stored = machine
            .with_broker(|broker| broker.login(&logins[0].0))
            .unwrap();
        assert_eq!(
            stored.map(|login| login.secret),
            Some(Secret::new("former"))
        );
    }
}
