//! Which cached tokens belong to a login?

use std::iter;
use std::time::Duration;

use super::Broker;
use super::default_endpoint;
use crate::error::Error;
use crate::error::Result;
use crate::iam::endpoint::Endpoint;
use crate::login::Login;
use crate::login::LoginScope;
use crate::secret::Secret;
use crate::settings::Profile;
use crate::sources;
use crate::sources::SourceContext;
use crate::token_cache::CacheKey;
use crate::token_cache::TokenCache;

impl Broker<'_> {
    /// Keeps a token that an IAM gave for a login, so that the first `get` finds one.
    pub fn cache_token(&self, endpoint: &Endpoint, login: &Login, token: &Secret, life: Duration) {
        if !life.is_zero() {
            let tokens = TokenCache::new(&*self.keychains.tokens, self.context.clock);
            tokens.insert(&CacheKey::new(endpoint, &login.id), token, life);
        }
    }

    /// Forgets every token, also those that came from no login: what IAM gave for
    /// somebody else's session, say.
    ///
    /// # Errors
    /// The keychain does not let them go.
    pub fn delete_short_lived(&self) -> Result<()> {
        let outcome = self.keychains.tokens.delete_short_lived();
        outcome.map_err(|error| error.into_error("cannot delete the tokens", Error::temporary))
    }

    /// Forgets what came from a scope's login, unless that is named `except`; a
    /// keychain that cannot be read does not keep it from being replaced or
    /// removed. Returns the login, as far as there was one.
    pub(super) fn forget_tokens(
        &self,
        scope: &LoginScope,
        context: &SourceContext<'_>,
        except: Option<&str>,
    ) -> Result<Option<Login>> {
        let noted = context.tokens.login_hint(scope).and_then(|hint| hint.id);
        let stored = context.logins.read(scope);
        let of_stored = stored.as_ref().ok().and_then(Option::as_ref);
        context.tokens.remove_login_hint(scope);
        for id in noted.iter().chain(of_stored.map(|login| &login.id)) {
            if Some(id.as_str()) != except {
                self.forget_all_of(id, context);
            }
        }
        if let Some(login) = of_stored.filter(|login| Some(&*login.id) != except) {
            self.forget_all_of(&sources::base_id(login), context);
        }
        stored
    }

    fn forget_all_of(&self, login_id: &str, context: &SourceContext<'_>) {
        for key in self.keys_of(login_id) {
            context.tokens.remove(&key);
        }
    }

    /// Every key under which a token of a login may be kept: one for each IAM and
    /// trusted profile that a registry may have, with each profile of the settings
    /// and without one. Which of them has a registry now does not matter: another
    /// environment may have chosen another profile, or another IAM.
    pub(super) fn keys_of(&self, login_id: &str) -> Vec<CacheKey> {
        let mut keys = Vec::new();
        for profile in iter::once(None).chain(self.settings.profiles().map(Some)) {
            let trusted = profile.and_then(|profile| profile.trusted_profile.as_ref());
            let id = match trusted {
                Some(trusted) => trusted.id_on_top_of(login_id),
                None => login_id.to_owned(),
            };
            for endpoint in self.endpoints_with(profile) {
                let key = CacheKey::new(&endpoint, &id);
                if !keys.contains(&key) {
                    let registries = self.settings.all_registries();
                    keys.extend(registries.map(|registry| key.of_registry_token(&registry)));
                    keys.push(key.of_refresh_token());
                    keys.push(key);
                }
            }
        }
        keys
    }

    /// Every IAM that a registry's tokens may come from with this profile.
    fn endpoints_with(&self, profile: Option<&Profile>) -> impl Iterator<Item = Endpoint> {
        let of_profile = move |is_staging| {
            let own = profile.and_then(|profile| profile.iam_endpoint_for(is_staging));
            own.unwrap_or_else(|| default_endpoint(is_staging))
        };
        let of_environment = self.settings.iam_endpoint().cloned();
        [false, true]
            .map(of_profile)
            .into_iter()
            .chain(of_environment)
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_support::TestMachine;
    use super::super::test_support::registry;
    use super::*;

    #[test]
    fn whoever_logs_out_leaves_no_token_that_another_environment_got() {
        let text = "[profile.team-a]\ntrusted-profile = 'Profile-1'\niam-endpoint = 'https://iam.example.com'";
        let team = LoginScope::Profile("team-a".into());
        let of_team = [("ICR_PROFILE", "team-a")];
        let elsewhere = [("IBMCLOUD_IAM_API_ENDPOINT", "https://iam.example.net")];
        for (scope, in_use, at_logout) in [
            (team, &of_team[..], &[][..]),
            (LoginScope::Default, &[], &elsewhere),
        ] {
            let mut machine = TestMachine::new();
            let change_to = |machine: &mut TestMachine, variables: &[_]| {
                machine.environment = machine.with_settings(text, variables);
            };
            change_to(&mut machine, in_use);
            machine.log_in(&scope, "key").unwrap();
            let first = machine.get("us.icr.io").unwrap();
            change_to(&mut machine, at_logout);
            assert_eq!(
                machine.with_broker(|broker| broker.log_out(&scope)),
                Ok(true)
            );
            change_to(&mut machine, in_use);
            machine.log_in(&scope, "key").unwrap();
            assert_ne!(machine.get("us.icr.io").unwrap(), first, "{scope}");
        }
    }

    #[test]
    fn a_new_login_takes_effect_at_once() {
        let machine = TestMachine::with_login("iamapikey", "one");
        machine.get("us.icr.io").unwrap();
        machine.store("us.icr.io", "iamapikey", "two").unwrap();
        machine.assert_get("us.icr.io", "iambearer:access-2");
        machine.store("us.icr.io", "cp", "entitlement").unwrap();
        machine.assert_get("us.icr.io", "cp:entitlement");
    }

    #[test]
    fn what_is_erased_is_gone_with_its_token() {
        let machine = TestMachine::with_login("iamapikey", "key");
        machine.get("us.icr.io").unwrap();
        machine
            .with_broker(|broker| broker.erase(&registry("us.icr.io")))
            .unwrap();
        machine
            .with_broker(|broker| broker.erase(&registry("us.icr.io")))
            .unwrap();
        assert_eq!(machine.get("us.icr.io"), Err(Error::not_found()));
        machine.store("us.icr.io", "iamapikey", "key").unwrap();
        assert_eq!(
            machine.get("us.icr.io").as_deref(),
            Ok("iambearer:access-2"),
            "the old token is not kept"
        );
    }
}
