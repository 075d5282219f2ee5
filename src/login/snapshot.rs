//! The stored logins as one command reads them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::Login;
use super::LoginScope;
use super::Logins;
use crate::error::Result;
use crate::keychain::Backend;

/// The stored logins as one command reads them. Each is read once, when it is first needed,
/// because a call may go over a bus. Changes by other processes are not noticed, and those of
/// this one are recorded.
#[derive(Debug)]
pub struct LoginSnapshot<'a> {
    logins: Logins<'a>,
    scopes: RefCell<Option<Result<BTreeSet<LoginScope>>>>,
    read: RefCell<BTreeMap<LoginScope, Result<Option<Login>>>>,
    backends: RefCell<BTreeMap<LoginScope, Result<Option<Backend>>>>,
}

impl<'a> LoginSnapshot<'a> {
    /// Creates a snapshot of which nothing has been read.
    pub fn of(logins: Logins<'a>) -> Self {
        Self {
            logins,
            scopes: RefCell::default(),
            read: RefCell::default(),
            backends: RefCell::default(),
        }
    }

    /// Returns the scopes of all stored logins, also of those that cannot be read.
    ///
    /// # Errors
    /// The keychain cannot be read.
    pub fn scopes(&self) -> Result<BTreeSet<LoginScope>> {
        let list = || Ok(self.logins.list()?.into_iter().map(|(scope, _)| scope));
        let mut scopes = self.scopes.borrow_mut();
        scopes
            .get_or_insert_with(|| list().map(Iterator::collect))
            .clone()
    }

    /// Returns the login for a scope; `None` if it is not stored.
    ///
    /// # Errors
    /// The keychain or the login cannot be read.
    pub fn read(&self, scope: &LoginScope) -> Result<Option<Login>> {
        if let Some(login) = self.read.borrow().get(scope) {
            return login.clone();
        }
        if self.is_unlisted(scope) {
            return Ok(None);
        }
        self.read_again(scope)
    }

    /// Returns the login for a scope, read again from the keychain: another process may have changed
    /// it.
    ///
    /// # Errors
    /// See [`LoginSnapshot::read`].
    pub fn read_again(&self, scope: &LoginScope) -> Result<Option<Login>> {
        let login = self.logins.read(scope);
        let mut read = self.read.borrow_mut();
        read.insert(scope.clone(), login.clone());
        login
    }

    /// Records a login that was stored, or deleted.
    pub fn record(&self, scope: &LoginScope, login: Option<Login>) {
        if let Some(Ok(scopes)) = &mut *self.scopes.borrow_mut() {
            if login.is_some() {
                scopes.insert(scope.clone());
            } else {
                scopes.remove(scope);
            }
        }
        self.backends.borrow_mut().remove(scope);
        self.read.borrow_mut().insert(scope.clone(), Ok(login));
    }

    /// Returns the keychain that stores the login for a scope; `None` if it is not stored.
    ///
    /// # Errors
    /// The keychain cannot be read.
    pub fn backend(&self, scope: &LoginScope) -> Result<Option<Backend>> {
        let mut backends = self.backends.borrow_mut();
        let backend = backends.entry(scope.clone());
        backend
            .or_insert_with(|| self.logins.backend(scope))
            .clone()
    }

    fn is_unlisted(&self, scope: &LoginScope) -> bool {
        let scopes = self.scopes.borrow();
        matches!(&*scopes, Some(Ok(scopes)) if !scopes.contains(scope))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::login;
    use super::*;
    use crate::keychain::KeychainError;
    use crate::keychain::memory::MemoryKeychain;

    #[test]
    fn each_login_is_read_once_until_it_is_read_again() {
        let keychain = MemoryKeychain::default();
        let [one, other] =
            ["us.icr.io", "de.icr.io"].map(|name| LoginScope::of_item(name).unwrap());
        let (old, new) = (login("iamapikey", "old"), login("iamapikey", "new"));
        let logins = Logins::in_keychain(&keychain);
        logins.write(&one, &old).unwrap();
        let snapshot = LoginSnapshot::of(Logins::in_keychain(&keychain));
        assert_eq!(snapshot.read(&one), Ok(Some(old.clone())));
        assert_eq!(snapshot.scopes(), Ok(BTreeSet::from([one.clone()])));
        let backend = snapshot.backend(&one);
        assert!(matches!(backend, Ok(Some(_))), "{backend:?}");

        keychain.fail_with(Some(KeychainError::Refused("read again".into())));
        assert_eq!(snapshot.read(&one), Ok(Some(old)));
        assert_eq!(snapshot.read(&other), Ok(None), "not in the list");
        assert_eq!(snapshot.backend(&one), backend);
        snapshot.record(&other, Some(new.clone()));
        assert_eq!(snapshot.read(&other), Ok(Some(new.clone())));
        assert_eq!(snapshot.scopes().unwrap().len(), 2);
        snapshot.record(&other, None);
        assert_eq!(snapshot.read(&other), Ok(None));
        assert_eq!(snapshot.scopes().unwrap().len(), 1);

        keychain.fail_with(None);
        logins.write(&one, &new).unwrap();
        assert_eq!(snapshot.read_again(&one), Ok(Some(new.clone())));
        assert_eq!(snapshot.read(&one), Ok(Some(new)));
    }
}
