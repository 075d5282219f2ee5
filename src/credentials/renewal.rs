//! Is a token renewed before it ends, and by whom?

use super::Broker;
use super::exchange::TokenRequest;
use crate::error::Result;
use crate::lock::Lock;
use crate::registry::Registry;
use crate::sources::ResolvedIdentity;
use crate::token_cache::CacheKey;
use crate::token_cache::TokenCache;

impl Broker<'_> {
    /// Gets the next token for a registry, if it is still time for that when nobody
    /// else is at it. What cannot be had now, whoever needs it will ask for again.
    ///
    /// # Errors
    /// What went wrong, for the log.
    pub fn renew(&self, registry: &Registry) -> Result<()> {
        let deadline = self.deadline();
        let context = self.source_context(registry);
        let found = self.find(registry, &context, deadline)?.resolved;
        let Some(ResolvedIdentity::Exchanged(identity)) = found.map(|resolved| resolved.identity)
        else {
            return Ok(());
        };
        let request = TokenRequest::new(registry, &*identity, &context, deadline);
        let key = request.key();
        let prepared = self.prepare(&request);
        // Whoever started us may still hold it.
        let lock = self
            .context
            .locks
            .lock_identity(key.as_str(), deadline.remaining(self.context.clock) / 2);
        let (cached, is_refresh_due) = context.tokens.look_up_with_refresh_due(&key);
        if matches!(lock, Lock::Busy) || !is_refresh_due {
            return Ok(());
        }
        let issued_token = self.exchange(&request, prepared, true).0?;
        context
            .tokens
            .keep(&key, &issued_token.secret, issued_token.lifetime);
        drop(lock);
        self.delete_stale_tokens(&request, issued_token, cached.secret());
        Ok(())
    }

    /// Whether another process gets the next token: one that is at it now, or one
    /// that is started here. Noting the attempt keeps others from starting one.
    pub(super) fn is_renewed_by_another(
        &self,
        registry: &Registry,
        key: &CacheKey,
        tokens: &TokenCache<'_>,
    ) -> bool {
        if !self.settings.background_refresh {
            return false;
        }
        let lock = self.context.locks.try_identity(key.as_str());
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

    use super::super::test_support::Machine;
    use super::super::test_support::registry;

    #[test]
    fn an_aging_token_is_answered_at_once_and_renewed_once_by_another_process() {
        let machine = Machine::with_login("iamapikey", "key");
        machine.renewal.are_possible.set(true);
        machine.get("us.icr.io").unwrap();
        machine.clock.advance(Duration::from_secs(1800));
        for host in ["us.icr.io", "de.icr.io", "us.icr.io"] {
            machine.store(host, "iamapikey", "key").unwrap();
            machine.answers(host, "iambearer:access-1");
        }
        assert_eq!((machine.renewal.started.get(), machine.exchanges()), (1, 1));
        machine
            .ask(|broker| broker.renew(&registry("us.icr.io")))
            .unwrap();
        machine.answers("us.icr.io", "iambearer:access-2");
        machine
            .ask(|broker| broker.renew(&registry("us.icr.io")))
            .unwrap();
        assert_eq!(machine.exchanges(), 2, "it is done already");
    }

    #[test]
    fn while_nothing_comes_of_it_a_renewal_is_started_every_few_seconds() {
        let machine = Machine::with_login("iamapikey", "key");
        machine.renewal.are_possible.set(true);
        machine.get("us.icr.io").unwrap();
        machine.clock.advance(Duration::from_secs(1800));
        for started in [1, 1, 2, 2] {
            machine.get("us.icr.io").unwrap();
            assert_eq!(machine.renewal.started.get(), started);
            machine.clock.advance(Duration::from_secs(3));
        }
    }

    #[test]
    fn a_token_that_a_client_would_see_the_end_of_is_replaced_before_it_is_answered() {
        let machine = Machine::with_login("iamapikey", "key");
        machine.renewal.are_possible.set(true);
        machine.get("us.icr.io").unwrap();
        machine.clock.advance(Duration::from_secs(3300));
        machine.answers("us.icr.io", "iambearer:access-2");
        assert_eq!(machine.renewal.started.get(), 0);
    }

    #[test]
    fn what_a_renewal_is_refused_takes_nothing_from_the_old_token() {
        let machine = Machine::with_login("iamapikey", "key");
        machine.renewal.are_possible.set(true);
        machine.get("us.icr.io").unwrap();
        machine.clock.advance(Duration::from_secs(1800));
        machine.fail_iam_with(400);
        let outcome = machine.ask(|broker| broker.renew(&registry("us.icr.io")));
        assert!(outcome.is_err());
        machine.answers("us.icr.io", "iambearer:access-1");
        machine.clock.advance(Duration::from_secs(1800));
        assert!(
            machine.get("us.icr.io").is_err(),
            "and is told when it has ended"
        );
    }

    #[test]
    fn a_renewal_for_what_nobody_speaks_for_does_nothing() {
        let machine = Machine::new();
        assert_eq!(
            machine.ask(|broker| broker.renew(&registry("us.icr.io"))),
            Ok(())
        );
        assert_eq!(machine.exchanges(), 0);
    }
}
