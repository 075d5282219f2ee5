//! Hints: which login a scope has, written where they can be read without a bus.

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

/// The lifetime of a hint. It saves a call to the slow keychain while the token is
/// fresh, which is usually half an hour.
const HINT_LIFE: Duration = Duration::from_secs(60 * 60);

/// The lifetime of the hint that there is no login. It is short, because a login may be
/// stored where our hints are not visible.
const ABSENCE_LIFE: Duration = Duration::from_secs(60);

impl Broker<'_> {
    /// Finds the active source, and writes a hint for each login that was read.
    ///
    /// A hint is written under the scope's lock, or not at all: otherwise it could
    /// replace the hint of a process that has just changed the login.
    pub(super) fn find_with_hints<'a>(
        &self,
        registry: &Registry,
        context: &'a SourceContext<'a>,
        deadline: Deadline,
    ) -> Result<Search<'a>> {
        let _span = tracing::debug_span!("find", %registry).entered();
        sources::find_with(registry, context, &|scope| {
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

/// Takes the login's lock. Where hints are not used, `get` does not touch a lock file.
fn lock_for_hint(scope: &LoginScope, context: &SourceContext<'_>, deadline: Deadline) -> Lock {
    if context.cached_logins.is_none() {
        return Lock::None;
    }
    let timeout = deadline.remaining(context.clock);
    context.locks.lock_login(&scope.item_name(), timeout)
}

/// Writes which login a scope has, if that helps to find its token.
pub(super) fn write_hint(scope: &LoginScope, login: Option<&Login>, context: &SourceContext<'_>) {
    if context.cached_logins.is_none() {
        return;
    }
    let (id, lifetime) = match login {
        None => (None, ABSENCE_LIFE),
        Some(login) if login.kind().is_exchanged() => (Some(login.id.clone()), HINT_LIFE),
        Some(_) => return context.tokens.remove_login_hint(scope),
    };
    context
        .tokens
        .insert_login_hint(scope, &LoginHint { id }, lifetime);
}
