//! Login hints: the ID of the login for a scope, cached where it can be read without D-Bus.

use std::time::Duration;

use super::Broker;
use crate::error::Result;
use crate::lock::Lock;
use crate::login::Login;
use crate::login::LoginHint;
use crate::login::LoginScope;
use crate::registry::Registry;
use crate::sources;
use crate::sources::Search;
use crate::sources::SourceContext;
use crate::time::Deadline;

/// The lifetime of a hint. It saves a call to the slow keychain while the token is fresh,
/// which is usually half an hour.
const HINT_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// The lifetime of the hint that there is no login. It is short, because a login may be
/// stored by a process whose hints this one cannot read.
const ABSENCE_LIFETIME: Duration = Duration::from_secs(60);

impl Broker<'_> {
    /// Finds the active source, and writes a hint for each login that was read.
    ///
    /// A hint is written only while the login is locked: otherwise it could replace the hint of
    /// a process that has just changed the login.
    pub(super) fn find_and_write_hints<'a>(
        &self,
        registry: &Registry,
        context: &'a SourceContext<'a>,
        deadline: Deadline,
    ) -> Result<Search<'a>> {
        let _span = tracing::debug_span!("find", %registry).entered();
        sources::find(registry, context, &|scope| {
            let lock = lock_for_hint(scope, context, deadline);
            let login = context.logins.read(scope)?;
            let login = login.filter(|login| !login.secret.is_empty());
            if lock.is_held() {
                write_hint(scope, login.as_ref(), context);
            }
            Ok(login)
        })
    }
}

/// Locks the login. Where hints are not used, `get` does not touch a lock file.
fn lock_for_hint(scope: &LoginScope, context: &SourceContext<'_>, deadline: Deadline) -> Lock {
    if context.cached_logins.is_none() {
        return Lock::None;
    }
    let timeout = deadline.remaining(context.clock);
    context.locks.lock_login(&scope.item_name(), timeout)
}

/// Caches the hint about the login for a scope, if its token is found by the login's ID.
pub(super) fn write_hint(scope: &LoginScope, login: Option<&Login>, context: &SourceContext<'_>) {
    if context.cached_logins.is_none() {
        return;
    }
    let (id, lifetime) = match login {
        None => (None, ABSENCE_LIFETIME),
        Some(login) if login.kind().is_exchanged() => (Some(login.id.clone()), HINT_LIFETIME),
        Some(_) => return context.tokens.remove_login_hint(scope),
    };
    context
        .tokens
        .insert_login_hint(scope, &LoginHint { id }, lifetime);
}
