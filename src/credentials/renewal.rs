//! The refresh of a token before it expires, in the background.

use super::Broker;
use super::exchange::Attempts;
use super::exchange::TokenRequest;
use crate::error::Result;
use crate::lock::Lock;
use crate::registry::Registry;
use crate::sources::ResolvedIdentity;
use crate::token_cache::CacheKey;
use crate::token_cache::TokenCache;

impl Broker<'_> {
    /// Replaces the cached token of a registry, if its refresh is still due once no other
    /// process refreshes it. A failure is not cached: the next `get` tries again.
    ///
    /// # Errors
    /// What failed, for the log.
    pub fn renew(&self, registry: &Registry) -> Result<()> {
        let deadline = self.deadline();
        let context = self.source_context(registry);
        let found = self
            .find_and_write_hints(registry, &context, deadline)?
            .resolved;
        let Some(ResolvedIdentity::Exchanged(identity)) = found.map(|resolved| resolved.identity)
        else {
            return Ok(());
        };
        let request = TokenRequest::new(registry, &*identity, &context, deadline);
        let key = request.key();
        let prepared = self.prepare(&request);
        // The process that started this one may still hold it.
        let lock = self
            .context
            .locks
            .lock_identity(key.as_str(), deadline.remaining(self.context.clock) / 2);
        let (cached, is_refresh_due) = context.tokens.get_with_refresh_due(&key);
        if matches!(lock, Lock::Busy) || !is_refresh_due {
            return Ok(());
        }
        let issued_token = self.exchange(&request, prepared, Attempts::One).0?;
        context
            .tokens
            .insert(&key, &issued_token.secret, issued_token.lifetime);
        drop(lock);
        self.delete_stale_tokens(&request, issued_token, cached.secret());
        Ok(())
    }

    /// Returns whether another process refreshes the token: one that does so now, or one
    /// that is started here. The recorded attempt keeps others from starting one.
    pub(super) fn is_refreshed_by_another(
        &self,
        registry: &Registry,
        key: &CacheKey,
        tokens: &TokenCache<'_>,
    ) -> bool {
        if !self.settings.background_refresh {
            return false;
        }
        let lock = self.context.locks.try_lock_identity(key.as_str());
        if matches!(lock, Lock::Busy) {
            return true;
        }
        let is_started = (self.context.start_background_refresh)(registry);
        if is_started {
            tokens.record_refresh_attempt(key);
        }
        is_started
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::test_support::TestMachine;
    use super::super::test_support::registry;

    #[test]
    fn a_token_due_for_refresh_is_answered_at_once_and_refreshed_once_in_the_background() {
        let machine = TestMachine::with_login("iamapikey", "key");
        machine.background_refresh.is_possible.set(true);
        machine.get("us.icr.io").unwrap();
        machine.clock.advance(Duration::from_secs(1800));
        for host in ["us.icr.io", "de.icr.io", "us.icr.io"] {
            machine.store(host, "iamapikey", "key").unwrap();
            machine.assert_get(host, "iambearer:access-1");
        }
        assert_eq!(
            (
                machine.background_refresh.started.get(),
                machine.request_count()
            ),
            (1, 1)
        );
        machine
            .with_broker(|broker| broker.renew(&registry("us.icr.io")))
            .unwrap();
        machine.assert_get("us.icr.io", "iambearer:access-2");
        machine
            .with_broker(|broker| broker.renew(&registry("us.icr.io")))
            .unwrap();
        assert_eq!(machine.request_count(), 2, "it is refreshed already");
    }

    #[test]
    fn a_background_refresh_that_fails_is_started_again_after_a_few_seconds() {
        let machine = TestMachine::with_login("iamapikey", "key");
        machine.background_refresh.is_possible.set(true);
        machine.get("us.icr.io").unwrap();
        machine.clock.advance(Duration::from_secs(1800));
        for started in [1, 1, 2, 2] {
            machine.get("us.icr.io").unwrap();
            assert_eq!(machine.background_refresh.started.get(), started);
            machine.clock.advance(Duration::from_secs(3));
        }
    }

    #[test]
    fn a_token_near_its_expiry_is_replaced_before_the_answer() {
        let machine = TestMachine::with_login("iamapikey", "key");
        machine.background_refresh.is_possible.set(true);
        machine.get("us.icr.io").unwrap();
        machine.clock.advance(Duration::from_secs(3300));
        machine.assert_get("us.icr.io", "iambearer:access-2");
        assert_eq!(machine.background_refresh.started.get(), 0);
    }

    #[test]
    fn a_rejected_background_refresh_leaves_the_old_token_in_use() {
        let machine = TestMachine::with_login("iamapikey", "key");
        machine.background_refresh.is_possible.set(true);
        machine.get("us.icr.io").unwrap();
        machine.clock.advance(Duration::from_secs(1800));
        machine.fail_iam_with(400);
        let outcome = machine.with_broker(|broker| broker.renew(&registry("us.icr.io")));
        assert!(outcome.is_err());
        machine.assert_get("us.icr.io", "iambearer:access-1");
        machine.clock.advance(Duration::from_secs(1800));
        assert!(
            machine.get("us.icr.io").is_err(),
            "the rejection is shown once the token has expired"
        );
    }

    #[test]
    fn a_background_refresh_without_a_source_does_nothing() {
        let machine = TestMachine::new();
        assert_eq!(
            machine.with_broker(|broker| broker.renew(&registry("us.icr.io"))),
            Ok(())
        );
        assert_eq!(machine.request_count(), 0);
    }
}
